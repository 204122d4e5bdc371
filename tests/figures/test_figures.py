"""Figures hold the numbers of their results, every text as text, and where they are from."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xlmrxl
from xlmrxl import Session, figures
from xlmrxl.errors import InputError
from xlmrxl.figures import style as figure_style
from xlmrxl.figures.alignment import measure_width
from xlmrxl.inspection import labelled_matrix, states
from xlmrxl.inspection.difference import difference, drift
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.inspection.labelled_matrix import Axis, Curves, LabelledMatrix
from xlmrxl.inspection.parallel import ParallelInspection, retrieval
from xlmrxl.inspection.projection import project
from xlmrxl.palette import CATEGORIES, PALETTE, PALETTES, Palette

TEXT = "The capital of <mask> is <b>Madrid</b>."
EVIL = ["<b>x</b>", "<script>alert(1)</script>", "$x$", "&lt;", "%{meta.kind}", "<a href='x'>y</a>", "a<br>b", "▁the"]


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder, revision=None)


@pytest.fixture(scope="module")
def seen(session: Session) -> Inspection:
    return session.inspect(TEXT, progress=False)


@pytest.fixture(scope="module")
def together(session: Session) -> ParallelInspection:
    return session.inspect_parallel(
        {
            "English": "The dog sleeps in the garden.",
            "Deutsch": "Der Hund schläft im Garten.",
            "العربية": "القطة تنام على السطح.",
            "ไทย": "สุนัขนอนหลับอยู่ในสวน",
        },
        progress=False,
    )


def page(figure: figures.Figure) -> dict:
    """The figure as the page gets it, with its arrays decoded."""

    def decoded(value):
        if isinstance(value, dict) and set(value) >= {"dtype", "bdata"}:
            array = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
            return array.reshape([int(n) for n in str(value.get("shape", -1)).split(",")])
        if isinstance(value, dict):
            return {name: decoded(item) for name, item in value.items()}
        return [decoded(item) for item in value] if isinstance(value, list) else value

    found = json.loads(figure.to_json())
    assert set(found) == {"data", "layout"}
    assert {trace["type"] for trace in found["data"]} <= {"scatter", "heatmap"}
    return decoded(found)


def everything(
    session: Session, seen: Inspection, together: ParallelInspection, dark: bool
) -> dict[str, figures.Figure]:
    """One figure of every kind."""
    lens = seen.logit_lens([1, 2, 3], ["a"], progress=False)
    return {
        "cosines": figures.heatmap(states.cosine_similarity(seen, 1), dark=dark),
        "cka": figures.heatmap(states.cka(seen), dark=dark),
        "norms": figures.heatmap(states.state_norms(seen), dark=dark),
        "statistic": figures.heatmap(labelled_matrix.statistic_matrix(seen, "entropy"), dark=dark),
        "sweep": figures.heatmap(seen.head_importance(progress=False), dark=dark),
        "difference": figures.heatmap(difference(seen, seen, states.state_norms), dark=dark),
        "drift": figures.curves(drift(seen, seen).to_curves(), dark=dark),
        "similarity": figures.curves(together.similarity(), dark=dark),
        "projection": figures.projection(together.project(), dark=dark),
        "lens": figures.logit_lens(lens, dark=dark),
        "targets": figures.logit_lens_targets(lens, measure="rank", dark=dark),
        "alignment": figures.alignment(together.alignment(), dark=dark),
    }


@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_is_seen_on_its_page_and_says_where_it_is_from(
    session: Session, seen: Inspection, together: ParallelInspection, dark: bool
):
    for name, figure in everything(session, seen, together, dark).items():
        found = page(figure)
        layout = found["layout"]
        assert layout["meta"]["model"] == session.name, name
        assert layout["meta"]["precision"] == "fp32"
        assert layout["meta"]["version"] == xlmrxl.__version__
        assert layout["meta"]["settings"] == json.loads(json.dumps(layout["meta"]["settings"]))
        caption = layout["title"]["subtitle"]["text"]
        assert session.name in caption
        assert "fp32" in caption
        style = layout["template"]["layout"]
        assert style["paper_bgcolor"] == style["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert style["font"]["color"] == figure_style.INK[dark][0]
        assert contrast(style["font"]["color"], "#0e1214" if dark else "#f8f9f9") > 7
        assert contrast(layout["title"]["subtitle"]["font"]["color"], "#0e1214" if dark else "#f8f9f9") > 4.5
        assert layout["height"] > 150
        assert len(json.dumps(json.loads(figure.to_json()))) < 40_000


def luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_colours(palette: Palette):
    for dark in (False, True):
        order = [luminance(colour) for colour in palette.scale("sequential", dark=dark)]
        assert order == sorted(order, reverse=not dark)
        stops = palette.scale("diverging", dark=dark)
        middle = len(stops) // 2
        below, above = stops[: middle + 1], stops[middle:]
        assert [luminance(colour) for colour in above] == sorted(map(luminance, above), reverse=not dark)
        assert [luminance(colour) for colour in below] == sorted(map(luminance, below), reverse=dark)
        # All but those at the end of the row stand out from the page, as WCAG 2 wants it of graphics.
        assert contrast(CATEGORIES[dark][0], palette.grey[10 if dark else 0]) > 4.5
        assert len(set(CATEGORIES[dark])) == 8
    with pytest.raises(InputError, match="no colour scale 'rainbow'"):
        palette.scale("rainbow", dark=False)


@pytest.mark.parametrize("made", ["cosines", "cka", "statistic", "attention", "difference"])
def test_numbers_of_a_heat_map(session: Session, seen: Inspection, made: str):
    other = session.inspect(TEXT, progress=False)
    result = {
        "cosines": lambda: states.cosine_similarity(seen, 2, remove=0),
        "cka": lambda: states.cka(seen),
        "statistic": lambda: labelled_matrix.statistic_matrix(seen, "distance"),
        "attention": lambda: labelled_matrix.attention_matrix(seen, 1, 2),
        "difference": lambda: difference(seen, other, states.state_norms),
    }[made]()
    (trace,) = page(figures.heatmap(result))["data"]
    assert np.array_equal(trace["z"], result.values)
    assert trace["z"].dtype == np.float32
    scale = [colour for _, colour in trace["colorscale"]]
    if result.signed:
        assert trace["zmin"] == -trace["zmax"]
        assert tuple(scale) == PALETTE.scale("diverging", dark=False)
        assert made in ("cosines", "difference")
    else:
        assert tuple(scale) == PALETTE.scale("sequential", dark=False)
        assert trace["zmin"] == result.values.min()


def test_a_diagonal_of_ones_does_not_widen_the_scale(seen: Inspection):
    result = states.cka(seen)
    (trace,) = page(figures.heatmap(result))["data"]
    other = result.values[~np.eye(len(result.values), dtype=bool)]
    assert trace["zmax"] == other.max() < 1
    assert np.array_equal(np.diag(trace["z"]), np.diag(result.values))


def test_lengths_far_apart_are_coloured_by_their_logarithm(seen: Inspection):
    result = replace(
        states.state_norms(seen), values=states.state_norms(seen).values * np.array([[1], [100], [1000], [10000]])
    )
    (trace,) = page(figures.heatmap(result))["data"]
    assert np.array_equal(trace["customdata"], result.values)
    assert trace["z"] == pytest.approx(np.log10(result.values))
    assert "customdata" in trace["hovertemplate"]
    assert "zmin" not in trace
    assert "logarithmic" in trace["colorbar"]["title"]["text"]
    assert [10**step for step in trace["colorbar"]["tickvals"]] == [float(t) for t in trace["colorbar"]["ticktext"]]


def test_what_is_not_defined_stays_empty(seen: Inspection):
    axis = Axis("text", ("a", "b"))
    hole = LabelledMatrix(seen.source, "cosine", "", np.array([[1, np.nan], [np.nan, 1]]), axis, axis)
    (trace,) = page(figures.heatmap(hole))["data"]
    assert np.isnan(trace["z"][0, 1])
    assert trace["zmin"] < trace["zmax"]


def test_labels_of_a_heat_map(seen: Inspection):
    layout = page(figures.heatmap(states.state_norms(seen)))["layout"]
    alias = layout["xaxis"]["labelalias"]
    assert len(alias) == len(seen.tokens)
    assert alias["0"] == "&lt;s&gt;"
    assert alias["1"].startswith("␣")
    assert layout["yaxis"]["labelalias"] == {}
    assert layout["yaxis"]["title"]["text"] == "state (0 embeddings, 3 final)"
    assert layout["yaxis"]["autorange"] == "reversed"
    # A number that is a word is that word, not its place.
    words = LabelledMatrix(seen.source, "x", "", np.ones((2, 2)), Axis("word", ("7", "8")), Axis("head", ("0", "1")))
    assert page(figures.heatmap(words))["layout"]["yaxis"]["labelalias"] == {"0": "7", "1": "8"}
    many = LabelledMatrix(seen.source, "x", "", np.ones((1, 200)), Axis("state", ("0",)), Axis("token", ("a",) * 200))
    assert page(figures.heatmap(many))["layout"]["xaxis"]["dtick"] == 4


def test_numbers_of_curves(session: Session, together: ParallelInspection):
    result = together.similarity()
    found = page(figures.curves(result))
    assert [trace["name"] for trace in found["data"]] == list(result.names)
    for trace, values in zip(found["data"], result.values, strict=True):
        assert np.array_equal(trace["y"], values)
        assert list(trace["x"]) == [0, 1, 2, 3]
    assert found["layout"]["showlegend"]
    looks = {(t["line"]["color"], t["line"]["dash"], t["marker"]["symbol"]) for t in found["data"]}
    assert len(looks) == len(result.names)
    first = ["The dog", "La casa", "a house"]
    result = retrieval(session, first, first[::-1], states=[3, 1], progress=False)
    *lines, chance = page(figures.curves(result))["data"]
    assert [list(line["x"]) for line in lines] == [[3, 1], [3, 1]]
    assert chance["y"] == [1 / 3, 1 / 3]
    assert chance["name"] == "chance, 0.333"


def test_sixty_six_curves_differ(together: ParallelInspection):
    names = tuple(map(str, range(48)))
    result = Curves(together.inspections[0].source, "cosine", "", np.ones((48, 2)), names, Axis("state", ("0", "1")))
    looks = [(t["line"]["color"], t["line"]["dash"]) for t in page(figures.curves(result))["data"]]
    assert len(set(looks)) == 48


@pytest.mark.parametrize("basis", ["common", "each"])
def test_numbers_of_a_projection(together: ParallelInspection, basis: str):
    result = together.project(basis=basis, unit="words")
    found = page(figures.projection(result, state=1))
    points = [trace for trace in found["data"] if "markers" in trace["mode"]]
    assert [trace["name"] for trace in points] == list(dict.fromkeys(result.groups))
    places = [[i for i, group in enumerate(result.groups) if group == trace["name"]] for trace in points]
    for trace, group in zip(points, places, strict=True):
        assert np.array_equal(trace["x"], result.points[1, group, 0])
        assert np.array_equal(trace["y"], result.points[1, group, 1])
        assert len(trace["text"]) == len(group)
    (slider,) = found["layout"]["sliders"]
    assert slider["active"] == 1
    assert [step["label"] for step in slider["steps"]] == ["0", "1", "2", "3"]
    for i, step in enumerate(slider["steps"]):
        moved, axes, traces = step["args"]
        assert traces == list(range(len(points)))
        for name, component in (("x", 0), ("y", 1)):
            for values, group in zip(moved[name], places, strict=True):
                assert np.float32(values).tolist() == result.points[i, group, component].tolist()
            low, high = axes[f"{name}axis.range"]
            shown = result.points[..., component] if basis == "common" else result.points[i, :, component]
            assert low < shown.min()
            assert high > shown.max()
            share = result.explained[0 if basis == "common" else i, component]
            assert axes[f"{name}axis.title.text"] == f"component {component + 1} ({share:.0%} of the variance)"
    ways = [trace for trace in found["data"] if trace["mode"] == "lines"]
    assert len(ways) == (len(points) if basis == "common" else 0)
    for trace, group in zip(ways, places, strict=False):
        walked = np.stack([trace["x"], trace["y"]], -1).reshape(len(group), -1, 2)
        assert np.array_equal(walked[:, :-1], result.points[:, group].transpose(1, 0, 2))
        assert np.isnan(walked[:, -1]).all()
    assert sum(trace.get("showlegend", True) for trace in ways) == bool(ways)


def test_chosen_ways_and_states(together: ParallelInspection, seen: Inspection):
    result = together.project()
    figure = page(figures.projection(result, trajectories=[0, 1]))
    (way,) = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    assert way["visible"] is True
    assert np.isnan(way["x"]).sum() == 2
    assert figure["layout"]["sliders"][0]["active"] == 2
    assert all(t["visible"] == "legendonly" for t in page(figures.projection(result))["data"] if t["mode"] == "lines")
    with pytest.raises(ValueError, match="basis='common'"):
        figures.projection(together.project(basis="each"), trajectories=[0])
    with pytest.raises(ValueError, match="state is 9; the projection has 0, 1, 2, 3"):
        figures.projection(result, state=9)


def test_numbers_of_the_lens(seen: Inspection):
    result = seen.logit_lens([1, 2], ["a", "ca"], progress=False)
    (trace,) = page(figures.logit_lens(result))["data"]
    for i, line in enumerate(result.cells):
        for j, cell in enumerate(line):
            assert trace["z"][i, j] == np.float32(cell.fills[0].probability)
            assert trace["text"][i][j] == figure_style.escape_text(figure_style.shorten(cell.fills[0].label, 14))
            listed = trace["customdata"][i][j].split("<br>")
            assert listed == [f"{fill.probability:.2%} {figure_style.escape_text(fill.label)}" for fill in cell.fills]
    for measure, read in (("probability", result.probabilities), ("rank", result.ranks)):
        traces = page(figures.logit_lens_targets(result, measure=measure))["data"]
        assert len(traces) == 4
        assert np.array_equal(traces[1]["y"], read("a")[:, 1])
        assert np.array_equal(traces[2]["y"], read("ca")[:, 0])
    with pytest.raises(ValueError, match="no targets"):
        figures.logit_lens_targets(seen.logit_lens([1], progress=False))
    with pytest.raises(ValueError, match="probability or rank"):
        figures.logit_lens_targets(result, measure="place")


def test_numbers_of_an_alignment(together: ParallelInspection):
    result = together.alignment(0, 1)
    assert result.links
    traces = page(figures.alignment(result))["data"]
    links, words = traces[:-2], traces[-2:]
    places = [dict(zip(trace["text"], trace["x"], strict=True)) for trace in words]
    assert [trace["name"] for trace in words] == list(result.names)
    widths = []
    for trace, link in zip(links, result.links, strict=True):
        assert trace["customdata"] == [link.similarity] * 3
        pair = [result.words[0][link.first], result.words[1][link.second]]
        assert trace["text"] == " – ".join(pair)
        assert (trace["x"][0], trace["x"][-1]) == (places[0][pair[0]], places[1][pair[1]])
        widths.append((link.similarity, trace["line"]["width"], trace["opacity"]))
    assert sorted(widths) == sorted(widths, key=lambda w: w[1]) == sorted(widths, key=lambda w: w[2])


def test_an_alignment_is_laid_out_as_its_texts_are_written(together: ParallelInspection):
    *_, german, arabic = page(figures.alignment(together.alignment(1, 2)))["data"]
    assert list(german["x"]) == sorted(german["x"])
    assert list(arabic["x"]) == sorted(arabic["x"], reverse=True)
    end = max(*german["x"], *arabic["x"])
    assert max(arabic["x"]) > end - measure_width(arabic["text"][0])  # it begins at the right
    assert measure_width("สวน") == 3
    assert measure_width("ที่") == 1
    assert measure_width("睡觉") == 4
    short = together.alignment()
    long = replace(short, words=tuple(tuple(f"{word:_<30}" for word in words) for words in short.words))
    *_, left, right = page(figures.alignment(long))["data"]
    assert set(left["x"]) == {0}
    assert set(right["x"]) == {1}
    assert list(left["y"]) == sorted(left["y"], reverse=True)


@pytest.mark.parametrize("text", EVIL)
def test_texts_stay_texts(text: str):
    shown = figure_style.escape_text(text)
    assert not re.search(r"<|\$|%\{|&(?!amp;|lt;|gt;|#36;|#123;)", shown)
    back = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&#36;", "$").replace("&#123;", "{")
    assert back.replace("&amp;", "&") == text


def test_no_text_gets_into_a_figure_unescaped(seen: Inspection, together: ParallelInspection):
    source = replace(seen.source, model="<b>m</b>", revision="<i>r</i>", settings={"<u>s</u>": ["<b>v</b>", "$x$"]})
    axis = Axis("<b>axis</b>", tuple(EVIL))
    table = LabelledMatrix(source, "<b>m</b>", "<i>title</i>", np.ones((8, 8)), axis, axis, "<b>unit</b>")
    lines = Curves(source, "<b>m</b>", "<i>title</i>", np.ones((8, 8)), tuple(EVIL), axis, "<b>unit</b>")
    result = together.project(unit="texts")
    plane = replace(result, source=source, labels=tuple(EVIL[:4]), groups=("<b>", "<i>", "$", "<sup>"))
    aligned = together.alignment()
    aligned = replace(
        aligned, source=source, names=("<b>a", "<i>b"), words=tuple(tuple(f"<b>{w}" for w in s) for s in aligned.words)
    )
    lens = seen.logit_lens([1, 2], ["a"], progress=False)
    lens = replace(
        lens,
        source=source,
        pieces=("<b>", "<i>"),
        cells=tuple(
            tuple(replace(cell, fills=tuple(replace(fill, text="<b>f") for fill in cell.fills)) for cell in line)
            for line in lens.cells
        ),
    )
    for figure in (
        figures.heatmap(table),
        figures.curves(lines),
        figures.projection(plane),
        figures.alignment(aligned),
        figures.logit_lens(lens),
        figures.logit_lens_targets(lens),
    ):
        found = json.loads(figure.to_json())
        del found["layout"]["meta"]
        written = json.dumps(found, ensure_ascii=False).replace("<extra></extra>", "").replace("<br>", "")
        assert "&lt;" in written
        assert not re.search(r"<|\$", written)


def test_pieces_as_they_are_shown():
    assert figure_style.format_subword("▁The") == "␣The"
    assert figure_style.format_subword("▁") == "␣"
    assert figure_style.format_subword("dog") == "dog"
    assert figure_style.format_subword("▁القطة") == "\u200f␣القطة"
    assert figure_style.format_subword("\u0947") == "◌\u0947"
    assert figure_style.format_subword("▁\u0e31") == "␣◌\u0e31"
    assert figure_style.shorten("a" * 30) == "a" * 27 + "…"
    assert [figure_style.is_right_to_left(t) for t in ("", "123", "abc", "שלום", "(القطة", "1 a ש")] == [
        *(False, False, False, True, True, False)
    ]


def test_captions_are_broken_into_lines(seen: Inspection):
    settings = {
        "positions": list(range(200)),
        "minus": {"model": "m", "revision": None, "precision": "4bit"},
        "a": True,
    }
    lines = figure_style.write_caption(replace(seen.source, revision="main", settings=settings)).split("<br>")
    assert max(map(len, lines)) < 2 * figure_style.CAPTION
    assert "revision main" in " ".join(lines)
    assert "minus m 4bit" in " ".join(lines)
    assert "a yes" in " ".join(lines)
    assert project(seen).source.settings["method"] == "pca"
