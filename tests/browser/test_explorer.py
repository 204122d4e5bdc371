"""The attention explorer in a real browser: its numbers are the model's, and it answers mouse, keyboard and files."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from explorer_page import change, inside, mount, shown, wait_for

import xlmrxl
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.views.attention_view import AttentionView

pytestmark = pytest.mark.browser

TEXT = "The dog chased its <mask> across the old bridge."
SECOND = "Le chien court."
SCRIPTS = "القاهرة هي <mask> مصر. भारत बड़ा है। 北京是中国的。 กรุงเทพ 🎉 <script>window.alerted = 1</script>"
SVG = "{http://www.w3.org/2000/svg}"
LOCAL = {"http", "https", "ws", "wss"}


KNOWN = ["form", "show", "chosen", "units", "between", "special", "renormalise", "mass", "statistic", "order", "cells"]
KNOWN += ["compare", "off"]
NOTHING_OFF = {"heads": [], "layers": [], "positions": None}
STRANGE: list[tuple[object, str, object]] = [
    ("text", "form", None),
    (7, "show", "head"),
    ([["form", "matrix"]], "form", None),
    (json.loads('{"__proto__": {"polluted": 1, "form": "matrix"}, "constructor": {"prototype": 1}}'), "form", None),
    ({"form": {"toString": 1}, "unknown": "x" * 1000}, "form", None),
    (
        {"chosen": [[0, 0]] * 20_000 + [[1, 2, 3], {"0": 1, "1": 1}, "11", [0.5, 1], [1, "1"]]},
        "chosen",
        [[0, 0], [1, 2]],
    ),
    ({"mass": {"lines": "0.5", "matrix": 2, "more": 1}}, "mass", {"matrix": 1, "lines": 0.7}),
    ({"mass": None}, "mass", {"matrix": 1, "lines": 0.7}),
    ({"statistic": "__proto__"}, "statistic", None),
    ({"statistic": {"queries": [1, 1, 1], "keys": [2], "by": "x"}}, "statistic", {"queries": [1], "keys": [2]}),
    ({"statistic": {"queries": {"length": 3}, "keys": "12"}}, "statistic", None),
    ({"off": "all"}, "off", NOTHING_OFF),
    ({"off": None}, "off", NOTHING_OFF),
    (
        {"off": {"heads": {"length": 1}, "layers": [1, 1, "1", 99], "positions": [0, 1e9]}},
        "off",
        {**NOTHING_OFF, "layers": [1]},
    ),
]
"""Settings from anywhere, the name of one, and what it is taken for."""


@pytest.fixture(scope="module")
def model() -> xlmrxl.Session:
    """The one that comes with the package: attention of random weights would be the same everywhere."""
    return xlmrxl.load()


@pytest.fixture(scope="module")
def pair(model: xlmrxl.Session) -> AttentionView:
    return AttentionView(model.inspect(TEXT, SECOND, progress=False))


@pytest.fixture
def open_page(browser) -> Iterator:
    """Makes pages; whatever happens on them, no script may fail and nothing may be asked of another machine."""
    contexts, failed, asked = [], [], []

    def make(**options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not failed
    assert {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in LOCAL} <= {"127.0.0.1"}


@pytest.fixture(scope="module")
def paired(browser, pair: AttentionView) -> Iterator:
    """One page on a pair of sentences, for all tests that only change what is shown."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(10_000)
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    mount(page, pair)
    yield page
    context.close()
    assert not failed


def weights(inspection: Inspection) -> np.ndarray:
    """(layers, heads, tokens, tokens) of the model itself."""
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    with torch.inference_mode():
        found = inspection.loaded_model.model(ids, output_attentions=True).attentions
    return np.stack([layer[0].float().numpy() for layer in found])


def close_to(side: dict, expected: np.ndarray) -> None:
    """What is shown of a side is what it should be, within the error that is shown, which is small."""
    values, errors = np.array(side["values"]), np.array(side["errors"])
    assert values.shape == expected.shape
    assert (np.abs(values - expected) <= errors + 1e-6).all()
    assert errors.max() < 0.02
    assert values.std() > 3 * errors.mean()


# Numbers


def test_every_head_on_screen_is_the_models(paired, pair: AttentionView) -> None:
    expected = weights(pair.sides[0])
    change(paired, settings={"form": "matrix"})
    for layer, head in [(0, 0), (0, 11), (2, 5), (5, 0), (5, 11)]:
        change(paired, selected={"layer": layer, "head": head})
        (side,) = shown(paired)
        assert side["rows"] == side["columns"]
        assert len(side["rows"]) == len(pair.sides[0].tokens)
        close_to(side, expected[layer, head])
        assert paired.locator(".x-head h3").inner_text() == f"L{layer} H{head}"


def test_means_maxima_and_rollout(paired, pair: AttentionView) -> None:
    expected = weights(pair.sides[0])
    chosen = [[1, 2], [3, 4], [3, 5]]
    picked = np.stack([expected[layer, head] for layer, head in chosen])
    rolled = np.eye(expected.shape[-1])
    for layer in expected[:4]:
        rolled = (layer.mean(0) + np.eye(len(rolled))) / 2 @ rolled
    for show, value in {
        "mean": picked.mean(0),
        "max": picked.max(0),
        "layer-mean": expected[3].mean(0),
        "layer-max": expected[3].max(0),
        "all-mean": expected.mean((0, 1)),
        "all-max": expected.max((0, 1)),
        "rollout": rolled,
    }.items():
        change(paired, settings={"show": show, "chosen": chosen}, selected={"layer": 3, "head": 5})
        close_to(shown(paired)[0], value)


def test_words_sentences_special_tokens_and_renormalised_rows(paired, pair: AttentionView) -> None:
    inspection = pair.sides[0]
    own = weights(inspection)[2, 8]
    segments = np.array([-1 if segment is None else segment for segment in inspection.segments])
    head = {"layer": 2, "head": 8}
    note = paired.locator(".x-head > .x-note")

    change(paired, selected=head, settings={"units": "words"})
    words = [list(word.tokens) for word in inspection.words]
    assert len(words) < len(inspection.tokens)
    close_to(shown(paired)[0], np.array([[own[np.ix_(q, k)].sum(1).mean() for k in words] for q in words]))
    assert "from a word: the mean over its pieces" in note.inner_text()
    assert shown(paired)[0]["rows"] == [word.text for word in inspection.words]

    change(paired, selected=head, settings={"between": "AB"})
    close_to(shown(paired)[0], own[np.ix_(segments == 0, segments == 1)])

    inner = own[np.ix_(segments >= 0, segments >= 0)]
    change(paired, selected=head, settings={"special": False})
    close_to(shown(paired)[0], inner)
    assert f"Rows are not renormalised: they add up to {inner.sum(1).mean():.2f} on average" in note.inner_text()

    change(paired, selected=head, settings={"special": False, "renormalise": True})
    close_to(shown(paired)[0], inner / inner.sum(1, keepdims=True))
    assert "Rows are renormalised" in note.inner_text()


def test_a_cell_says_its_weight_and_its_error(paired, pair: AttentionView) -> None:
    own = weights(pair.sides[0])[2, 5]
    change(paired, selected={"layer": 2, "head": 5}, settings={"form": "matrix"})
    row, column = np.unravel_index(own.argmax(), own.shape)
    matrix = paired.locator(".x-scroller")
    size = matrix.bounding_box()["width"] / own.shape[1]
    matrix.hover(position={"x": (column + 0.5) * size, "y": (row + 0.5) * size})
    cell = paired.locator("[data-readout=head] [data-weight]")
    assert (cell.get_attribute("data-row"), cell.get_attribute("data-column")) == (str(row), str(column))
    value, error = (float(part) for part in cell.locator(".x-value").inner_text().split(" ± "))
    assert abs(value - own[row, column]) <= error < 0.01
    strongest = paired.locator(".x-strongest li").first
    assert (strongest.get_attribute("data-row"), strongest.get_attribute("data-column")) == (str(row), str(column))


def test_lines_are_the_fewest_that_reach_the_mass(paired, pair: AttentionView) -> None:
    change(paired, selected={"layer": 3, "head": 4}, settings={"form": "lines", "mass": {"lines": 0.6}})
    drawn = inside(paired, "explorer.shown[0].rows.flatMap((_, i) => explorer.shown[0].edges(i).map((j) => [i, j]))")
    own = weights(pair.sides[0])[3, 4]
    assert len(drawn) > len(own)
    for query, row in enumerate(own):
        keys = [j for i, j in drawn if i == query]
        bound = row.max() / 510 * (len(row) + 1)
        assert row[keys].sum() >= 0.6 - bound
        assert row[keys[:-1]].sum() <= 0.6 + bound
        assert row[keys].min() >= np.delete(row, keys).max() - bound


# Pointing and choosing


def test_pointing_at_a_token_keeps_its_lines_and_clicking_pins_them(paired) -> None:
    change(paired, selected={"layer": 3, "head": 4}, settings={"form": "lines"})

    def picked() -> list:
        focus = inside(paired, "explorer.focus[0]")
        pinned = "explorer.shown[0].rows.flatMap((unit, i) => (explorer.isPinned(0, 'rows', unit) ? [i] : []))"
        return [focus["row"], focus["column"], inside(paired, pinned)]

    tokens = paired.locator(".x-rows .x-token")
    tokens.nth(3).hover()
    paired.mouse.move(2, 2)
    assert picked() == [3, None, []]
    assert paired.locator("[data-readout=head]").inner_text().startswith(tokens.nth(3).inner_text())
    tokens.nth(1).click()
    tokens.nth(5).click()
    paired.locator(".x-columns .x-token").nth(2).hover()
    assert picked() == [None, 2, [1, 5]]
    assert paired.locator(".x-rows .x-pinned").count() == 2
    paired.keyboard.press("Escape")
    tokens.nth(0).focus()
    paired.keyboard.press("Escape")
    assert picked() == [None, None, []]


def test_which_heads_look_from_one_token_to_another(paired, pair: AttentionView) -> None:
    change(paired, selected={"layer": 0, "head": 0}, settings={"form": "lines"})
    paired.locator(".x-rows .x-token").nth(4).click()
    paired.locator(".x-columns .x-token").nth(2).click()
    paired.get_by_role("button", name="Find heads").click()
    expected = weights(pair.sides[0])[:, :, 4, 2]
    best = paired.locator(".x-top-heads button")
    best.first.wait_for()
    found = [(int(one.get_attribute("data-layer")), int(one.get_attribute("data-head"))) for one in best.all()]
    order = np.argsort(-expected, axis=None)[: len(found)]
    assert len(found) == 8
    assert found == [divmod(int(place), 12) for place in order]
    assert float(best.first.get_attribute("data-value")) == pytest.approx(expected.max(), abs=1e-6)
    best.first.click()
    layer, head = found[0]
    wait_for(paired, "explorer.title === arg", f"L{layer} H{head}")
    assert ["selected", {"layer": layer, "head": head, "side": 0}] in paired.evaluate("changes")
    # Sorted, the best one stands first in the map.
    paired.locator(".x-map").hover(position={"x": 40, "y": 30})
    readout = paired.locator("[data-readout=map]")
    assert (readout.get_attribute("data-layer"), readout.get_attribute("data-head")) == (str(layer), str(head))
    paired.keyboard.press("Escape")


def test_keyboard_in_the_map(open_page, model: xlmrxl.Session) -> None:
    inspection = model.inspect(TEXT, progress=False)
    page = open_page()
    mount(page, AttentionView(inspection), settings={"statistic": "entropy"})
    page.get_by_role("grid", name="All heads").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "End", "ArrowLeft"):
        page.keyboard.press(key)
    named = "root.querySelector('#x-active-head').textContent"
    wait_for(page, f"{named}.startsWith('Layer 2, head 10')")
    told = float(inside(page, named).split("entropy: ")[1].removesuffix(" nats"))
    assert told == pytest.approx(inspection.statistic("entropy")[2, 10], abs=1e-4)
    page.keyboard.press("Enter")
    wait_for(page, "root.querySelector('[aria-live]').textContent.startsWith('Layer 2, head 10. Strongest: ')")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Enter")
    page.locator(".x-head h3", has_text="Mean of 2 heads").wait_for()
    wait_for(page, "root.querySelector('[aria-live]').textContent.startsWith('Mean of 2 heads. ')")
    close_to(shown(page)[0], weights(inspection)[2, [9, 10]].mean(0))
    page.keyboard.press("?")
    assert page.get_by_text("switch the head off or on").is_visible()
    page.keyboard.press("?")
    assert page.get_by_text("switch the head off or on").is_hidden()


def test_switching_off_by_key_and_by_click(open_page, model: xlmrxl.Session) -> None:
    inspection = model.inspect(TEXT, progress=False)
    page = open_page()
    mount(page, AttentionView(inspection), selected={"layer": 2, "head": 9})
    page.get_by_role("grid", name="All heads").focus()
    for keys, heads, layers in (("x", [(2, 9)], []), ("X", [(2, 9)], [2])):
        page.keyboard.press(keys)
        (expected,) = inspection.ablate(heads, layers, progress=False).effects
        wait_for(page, "Math.abs(root.querySelector('.x-effect')?.dataset.kl - arg) < 1e-6 * arg", expected.kl)
        rows = page.locator(".x-effect tbody tr").all()
        assert [row.locator("th").inner_text() for row in rows] == [outcome.text for outcome in expected.outcomes]
        for name in ("before", "after"):
            told = [float(row.get_attribute(f"data-{name}")) for row in rows]
            assert told == pytest.approx([getattr(outcome, name) for outcome in expected.outcomes])
    wait_for(page, "root.querySelector('#x-active-head').textContent.includes('switched off')")
    page.get_by_role("button", name="Layer 2 on again", exact=True).click()
    page.get_by_role("button", name="L2 H9 on again", exact=True).click()
    page.locator(".x-effect").wait_for(state="detached")
    assert page.evaluate("changes.at(-1)[1].off") == {"heads": [], "layers": [], "positions": None}


class Slow:
    """A view on a machine that takes its time over each part of the heads' importance."""

    def __init__(self, view: AttentionView, seconds: float) -> None:
        self.view, self.seconds, self.swept = view, seconds, []

    def first(self) -> Any:
        return self.view.first()

    def answer(self, request: dict) -> Any:
        if request["type"] == "head_importance":
            self.swept.append(request["heads"])
            time.sleep(self.seconds)
        return self.view.answer(request)


@pytest.mark.slow
def test_trying_all_heads_says_how_far_it_is_and_can_be_stopped(open_page, model: xlmrxl.Session) -> None:
    inspection = model.inspect(TEXT, progress=False)
    slow = Slow(AttentionView(inspection), 0.3)
    page = open_page()
    mount(page, slow)
    statistic = page.locator(".x-heads select").first
    statistic.select_option("importance")
    said = page.locator(".x-sweep span")
    page.get_by_text(re.compile(r"Switching off each head in turn: [1-9]\d* of 72")).wait_for()
    assert page.locator(".x-sweep progress").get_attribute("max") == "72"
    page.locator(".x-sweep button").click()
    said.wait_for(state="hidden")
    assert statistic.input_value() == ""
    page.wait_for_timeout(700)
    stopped = len(slow.swept)
    page.wait_for_timeout(700)
    assert 0 < len(slow.swept) == stopped
    assert sum(map(len, slow.swept)) < 72
    # It goes on where it was, and gives what it gives in one.
    statistic.select_option("importance")
    wait_for(page, "explorer.map.name === 'importance'")
    said.wait_for(state="hidden")
    every = [[layer, head] for layer in range(6) for head in range(12)]
    assert [head for part in slow.swept for head in part] == every
    assert max(map(len, slow.swept)) <= 12
    values = inside(page, "[...explorer.map.values]")
    assert values == pytest.approx(
        inspection.head_importance(progress=False).values.ravel().tolist(), rel=1e-3, abs=1e-6
    )
    best = page.locator(".x-top-heads button").first
    assert float(best.get_attribute("data-value")) == max(values)


@pytest.mark.slow
def test_head_importance_ends_when_nobody_looks_at_it(open_page, model: xlmrxl.Session) -> None:
    """Opened with it as from a link, the map shows the patterns meanwhile."""
    slow = Slow(AttentionView(model.inspect(TEXT, progress=False)), 0.25)
    page = open_page()
    mount(page, slow, settings={"statistic": "importance"})
    page.locator(".x-sweep").wait_for()
    assert page.locator(".x-map canvas").first.bounding_box()["width"] > 300
    page.evaluate("end()")
    page.wait_for_timeout(600)
    asked = len(slow.swept)
    page.wait_for_timeout(600)
    assert sum(map(len, slow.swept[:asked])) < 72
    assert len(slow.swept) == asked


SHOWN = [
    {},
    {"form": "matrix", "show": "mean", "chosen": [[2, 5], [3, 4]]},
    {"show": "max", "chosen": [[2, 5], [3, 4]], "special": False},
    {"show": "layer-mean", "units": "words"},
    {"show": "layer-max", "between": "AB"},
    {"show": "all-mean", "between": "BA", "units": "words", "renormalise": True},
    {"show": "all-max", "special": False, "renormalise": True},
    {"show": "rollout", "units": "words", "special": False},
]


@pytest.mark.parametrize("settings", SHOWN)
def test_the_lines_of_python_give_what_is_shown(paired, pair: AttentionView, settings: dict) -> None:
    change(paired, selected={"layer": 0, "head": 0}, settings={})
    change(paired, selected={"layer": 3, "head": 4}, settings=settings)
    names = run_python(paired, {"inspection": pair.sides[0]})
    close_to(shown(paired)[0], np.array(names["attention"]))


@pytest.mark.parametrize("statistic", ["entropy", "norm", "importance", {"queries": [3, 4], "keys": [1, 2]}])
def test_the_lines_of_python_give_the_map(paired, pair: AttentionView, statistic: object) -> None:
    change(paired, settings={})
    change(paired, settings={"statistic": statistic, "order": "highest"})
    wait_for(paired, "explorer.map.values && !explorer.sweeping")
    names = run_python(paired, {"inspection": pair.sides[0]})
    values = inside(paired, "[...explorer.map.values]")
    assert values == pytest.approx(names["statistic"].ravel().tolist(), rel=1e-4, abs=1e-6)


@pytest.mark.slow
def test_the_lines_of_python_of_two_sides_and_of_what_is_off(open_page, model: xlmrxl.Session, capsys) -> None:
    first, second = model.inspect(TEXT, progress=False), xlmrxl.load(precision="bf16").inspect(TEXT, progress=False)
    page = open_page()
    mount(page, AttentionView(first, second), selected={"layer": 2, "head": 3})
    given = {"first": first, "second": second}
    for side, found in zip(shown(page), run_python(page, given)["attentions"], strict=True):
        close_to(side, found)
    off = {"heads": [[2, 3], [0, 1]], "layers": [5], "positions": [4]}
    change(page, settings={"compare": "difference", "statistic": "change", "special": False, "off": off})
    names = run_python(page, given)
    (side,) = shown(page)
    assert (np.abs(np.array(side["values"]) - names["attention"]) <= np.array(side["errors"]) + 1e-6).all()
    assert inside(page, "[...explorer.map.values]") == pytest.approx(names["statistic"].ravel().tolist(), abs=1e-6)
    said = capsys.readouterr().out
    for inspection in (first, second):
        assert str(inspection.ablate([(2, 3), (0, 1)], [5], positions=[4], progress=False)) in said
    change(page, settings={"compare": "difference", "statistic": "entropy"})
    wait_for(page, "explorer.map.name === 'entropy'")
    names = run_python(page, given)
    assert inside(page, "[...explorer.map.values]") == pytest.approx(names["statistic"].ravel().tolist(), abs=1e-5)


@pytest.mark.slow
def test_the_lines_for_a_notebook_open_the_same_explorer(paired, pair: AttentionView) -> None:
    pytest.importorskip("anywidget")
    settings = {"show": "mean", "chosen": [[2, 5], [3, 4]], "special": False, "mass": {"lines": 0.5}}
    settings["off"] = {"layers": [1]}
    change(paired, selected={"layer": 0, "head": 0}, settings={})
    change(paired, selected={"layer": 3, "head": 4}, settings=settings)
    given = {"inspection": pair.sides[0]}
    commented = [line[2:] for line in python(paired).splitlines() if line.startswith("# ")]
    exec(commented[0].partition(": ")[2], given)
    widget = eval(commented[1], given)
    assert tuple(widget.selected) == (3, 4, 0)
    assert widget.settings == settings
    assert inside(paired, "explorer.brief") == {"selected": {"layer": 3, "head": 4}, "settings": settings}
    widget.close()


def python(page: Any) -> str:
    lines: str = inside(page, "explorer.python('')")
    return lines


def run_python(page: Any, names: dict[str, Any]) -> dict[str, Any]:
    """What the lines make, of names that others have made."""
    names = dict(names)
    exec(python(page), names)
    return names


def test_keyboard_in_lines_and_matrix(paired) -> None:
    change(paired, selected={"layer": 2, "head": 10}, settings={"form": "lines"})
    tokens = paired.locator(".x-rows .x-token")
    tokens.first.focus()
    for key in ("ArrowDown", "Enter", "ArrowRight"):
        paired.keyboard.press(key)
    assert inside(paired, "explorer.focus[0]") == {"row": None, "column": 1}
    wait_for(paired, "root.querySelectorAll('.x-rows .x-token')[1].getAttribute('aria-selected') === 'true'")
    paired.get_by_role("radio", name="matrix").check()
    paired.get_by_role("grid", name="Attention from rows to columns").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        paired.keyboard.press(key)
    place, (side,) = inside(paired, "explorer.focus[0]"), shown(paired)
    assert place == {"row": 1, "column": 3}
    cell = f"{side['rows'][1]} to {side['columns'][3]}: "
    wait_for(paired, "root.querySelector('#x-active-cell-0').textContent.startsWith(arg)", cell)
    paired.keyboard.press("Escape")


@pytest.mark.slow
def test_python_sets_traits_and_the_page_ends(open_page, pair: AttentionView) -> None:
    page = open_page()
    mount(page, pair, selected={"layer": 1, "head": 1}, settings={"off": {"layers": [5]}})
    page.locator(".x-effect").wait_for()
    assert page.locator(".x-head h3").inner_text() == "L1 H1"
    change(page, selected={"layer": 4, "head": 7, "side": 0})
    assert page.locator(".x-head h3").inner_text() == "L4 H7"
    assert page.evaluate("changes") == []
    # What there is not is not taken over.
    change(page, selected={"layer": 99, "head": 0})
    assert page.locator(".x-head h3").inner_text() == "L0 H0"
    nonsense = {"form": "cube", "show": 7, "chosen": [[9, 9], None, [1, 2]], "mass": {"lines": "much"}, "statistic": {}}
    change(
        page, settings={**nonsense, "off": {"heads": 3, "positions": [999]}, "compare": "difference", "units": "words"}
    )
    taken = inside(page, "explorer.settings")
    assert (taken["form"], taken["show"], taken["chosen"], taken["units"]) == (None, "head", [[1, 2]], "words")
    assert taken["off"] == {"heads": [], "layers": [], "positions": None}
    assert (taken["mass"], taken["statistic"], taken["compare"]) == ({"matrix": 1, "lines": 0.7}, None, "sides")
    # Nor is what may stand in a link that anybody wrote.
    for settings, name, expected in STRANGE:
        change(page, settings={"units": "words"})  # so that there is something new
        change(page, settings=settings)
        taken = inside(page, "explorer.settings")
        assert set(taken) == {*KNOWN}, settings
        assert taken[name] == expected, settings
    for selected in ("x", 7, None, [], {"layer": "0", "head": [1]}, {"layer": 0, "head": 0, "side": -1}):
        page.evaluate("(selected) => model.set('selected', selected)", selected)
        assert inside(page, "explorer.selected") == {"layer": 0, "head": 0, "side": 0}
    assert page.evaluate("({}).polluted") is None
    page.evaluate("end()")
    assert page.locator("#explorer > *").count() == 0


def test_it_may_be_mounted_before_it_is_on_the_page(open_page, pair: AttentionView) -> None:
    page = open_page()
    mount(page, pair, settings={"form": "matrix"})
    moved = """async () => {
      const { default: explorer } = await import("/attention.js");
      const el = document.createElement("div");
      end();
      explorer.render({ model, el });
      await new Promise((resolve) => setTimeout(resolve, 100));
      document.getElementById("explorer").replaceWith(el);
      el.id = "explorer";
    }"""
    page.evaluate(moved)
    wait_for(page, "explorer.ink && root.querySelector('.x-matrix canvas').width > 300")
    assert page.locator(".x-map").bounding_box()["width"] > 500


@pytest.mark.slow
def test_two_texts_and_two_precisions(open_page, model: xlmrxl.Session) -> None:
    first, other = model.inspect(TEXT, progress=False), xlmrxl.load(precision="bf16").inspect(TEXT, progress=False)
    page = open_page()
    mount(page, AttentionView(first, other), selected={"layer": 2, "head": 3})
    own, others = weights(first)[2, 3], weights(other)[2, 3]
    sides = shown(page)
    close_to(sides[0], own)
    close_to(sides[1], others)
    change(page, settings={"compare": "difference"})
    (side,) = shown(page)
    assert (np.abs(np.array(side["values"]) - (others - own)) <= np.array(side["errors"]) + 1e-6).all()
    change(page, settings={"compare": "difference", "statistic": "change", "order": "highest"})
    best = page.locator(".x-top-heads button").first
    changed = np.abs(weights(first) - weights(other)).sum(-1).mean(-1) / 2
    assert float(best.get_attribute("data-value")) == pytest.approx(changed.max(), abs=1e-6)
    assert "second minus first" in page.locator(".x-head").inner_text()

    page = open_page()
    french = model.inspect("Le chien dort.", progress=False)
    mount(page, AttentionView(first, french), selected={"layer": 2, "head": 3})
    for side, inspection in zip(shown(page), (first, french), strict=True):
        close_to(side, weights(inspection)[2, 3])
    assert page.get_by_role("radio", name="difference").count() == 0


def test_an_answer_that_fails_is_shown(open_page, model: xlmrxl.Session) -> None:
    page = open_page()
    mount(page, AttentionView(model.inspect("No mask here.", progress=False)))
    page.get_by_role("button", name="Layer 0 off").click()
    problem = page.locator(".x-off [role=alert]")
    problem.wait_for()
    with pytest.raises(ValueError, match="mask") as raised:
        model.inspect("No mask here.", progress=False).ablate(layers=[0], progress=False)
    assert problem.inner_text() == str(raised.value)
    page.locator(".x-off select").select_option(label="1  No")
    page.locator(".x-effect[data-position='1']").wait_for()


# Looks


@pytest.mark.slow
def test_all_scripts_are_text_in_their_own_direction(open_page, model: xlmrxl.Session) -> None:
    inspection = model.inspect(SCRIPTS, "שלום עולם", progress=False)
    page = open_page()
    mount(page, AttentionView(inspection), settings={"units": "words", "form": "lines"})
    assert page.locator(".x-rows .x-token").all_inner_texts() == [word.text for word in inspection.words]
    direction = """getComputedStyle([...root.querySelectorAll('.x-token bdi')].find((node) => node.textContent === arg))
        .direction"""
    assert inside(page, direction, "القاهرة") == "rtl"
    assert inside(page, direction, "script") == "ltr"
    assert page.locator(".x-caption bdi").first.inner_text() == SCRIPTS
    assert page.evaluate("window.alerted") is None
    assert page.locator(".xlmrxl-attention script").count() == 0
    change(page, settings={"form": "matrix", "units": "pieces"})
    assert len(shown(page)[0]["rows"]) == len(inspection.tokens)


def test_dark_as_the_page_around_is(open_page, pair: AttentionView) -> None:
    page = open_page(color_scheme="dark")
    mount(page, pair)
    theme = page.locator(".xlmrxl-attention .x")
    assert theme.get_attribute("data-theme") == "dark"
    lightness = """[...root.querySelector('.x-map canvas').getContext('2d').getImageData(28, 16, 500, 200).data]
        .reduce((sum, value, i) => (i % 4 < 3 ? sum + value : sum), 0) / (500 * 200 * 3)"""
    dark = inside(page, lightness)
    for script in (
        "document.body.dataset.jpThemeLight = 'true'",
        "delete document.body.dataset.jpThemeLight; document.body.classList.add('vscode-light')",
        "document.body.classList.remove('vscode-light'); document.documentElement.setAttribute('theme', 'light')",
    ):
        page.evaluate(script)
        wait_for(page, "root.querySelector('.x').dataset.theme === 'light'")
    wait_for(page, f"{lightness} > 150")
    assert dark < 110
    page.evaluate("document.body.classList.add('dark')")  # Gradio
    wait_for(page, "root.querySelector('.x').dataset.theme === 'dark'")


@pytest.mark.slow
def test_a_phone_is_wide_enough(open_page, pair: AttentionView) -> None:
    page = open_page(viewport={"width": 390, "height": 800})
    mount(page, pair)
    for form in ("lines", "matrix"):
        change(page, settings={"form": form})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_512_tokens_scroll(open_page, model: xlmrxl.Session) -> None:
    text = "The old house near the river was empty when they came back to the village in summer. "
    inspection = model.inspect(text * (510 // (len(model.tokenizer(text)["input_ids"]) - 2)), progress=False)
    assert 490 < len(inspection.tokens) <= 512
    page = open_page()
    mount(page, AttentionView(inspection), selected={"layer": 2, "head": 6})
    close_to(shown(page, 20)[0], inspection.attention(2, 6)[:20])
    page.locator(".x-scroller").focus()
    page.keyboard.press("End")
    wait_for(page, "root.querySelector('.x-scroller').scrollLeft > 500")
    change(page, settings={"form": "lines"})
    page.locator(".x-rows .x-token").last.scroll_into_view_if_needed()
    page.locator(".x-rows .x-token").last.click()
    page.locator(".x-rows .x-token.x-pinned").wait_for()


# Taking away


def saved(page, form: str) -> bytes:
    with page.expect_download() as download:
        page.locator(f".x-save button[data-form={form}]").click()
    return Path(download.value.path()).read_bytes()


@pytest.mark.slow
def test_what_is_saved_is_what_is_shown(paired, pair: AttentionView) -> None:
    inspection = pair.sides[0]
    own = weights(inspection)[2, 5]
    change(paired, selected={"layer": 2, "head": 5}, settings={"form": "matrix"})
    paired.locator(".x-save select").select_option("head")

    rows = list(csv.DictReader(io.StringIO(saved(paired, "csv").decode("utf-8"))))
    assert len(rows) == own.size
    for row in rows:
        value = own[int(row["query"]), int(row["key"])]
        assert abs(float(row["weight"]) - value) <= float(row["error"]) + 1e-6

    told = json.loads(saved(paired, "json"))
    assert (
        np.abs(np.array(told["views"][0]["weights"]) - own) <= np.array(told["views"][0]["errors"])[:, None] + 1e-6
    ).all()
    assert told["sides"][0]["source"] == inspection.source.to_dict()
    assert (told["what"], told["selected"], told["settings"]["special"]) == (
        "L2 H5",
        {"layer": 2, "head": 5, "side": 0},
        True,
    )

    root = ElementTree.fromstring(saved(paired, "svg"))
    assert root.findtext(f"{SVG}title") == f"L2 H5: {TEXT}"
    assert json.loads(root.findtext(f"{SVG}metadata"))["sides"][0]["source"]["model"] == "default"
    cells = [
        rect
        for rect in root.iter(f"{SVG}rect")
        if rect.get("width") == rect.get("height") and rect.get("fill") != "none"
    ]
    values = np.array(shown(paired)[0]["values"])
    assert len(cells) == (np.sqrt(values / values.max()) * 255 >= 0.5).sum() > 200
    assert not list(root.iter(f"{SVG}image"))
    labels = [text.text for text in root.iter(f"{SVG}text")]
    assert labels.count("dog") == 2

    change(paired, settings={"form": "lines"})
    root = ElementTree.fromstring(saved(paired, "svg"))
    count = len(inspection.strongest_pairs(2, 5, 0.7))
    assert len(list(root.iter(f"{SVG}path"))) == pytest.approx(count, abs=count * 0.05 + 1)
    assert saved(paired, "png").startswith(b"\x89PNG\r\n")

    change(paired, settings={"statistic": "distance"})
    paired.locator(".x-save select").select_option("map")
    rows = list(csv.DictReader(io.StringIO(saved(paired, "csv").decode("utf-8"))))
    values = np.array([float(row["distance"]) for row in rows]).reshape(6, 12)
    assert np.allclose(values, inspection.statistic("distance"), atol=1e-4)
    root = ElementTree.fromstring(saved(paired, "svg"))
    assert len([rect for rect in root.iter(f"{SVG}rect") if rect.get("width") == "14"]) == 72
    paired.locator(".x-save select").select_option("head")

    paired.get_by_role("button", name="Layer 2 off").click()
    paired.locator(".x-effect").wait_for()
    paired.locator(".x-save select").select_option("off")
    (effect,) = inspection.ablate(layers=[2], progress=False).effects
    rows = list(csv.DictReader(io.StringIO(saved(paired, "csv").decode("utf-8"))))
    assert [row["outcome"] for row in rows] == [outcome.text for outcome in effect.outcomes]
    assert [float(row["after"]) for row in rows] == pytest.approx([outcome.after for outcome in effect.outcomes])
    root = ElementTree.fromstring(saved(paired, "svg"))
    assert root.findtext(f"{SVG}title").startswith("Without layer 2: ")
    assert {outcome.text for outcome in effect.outcomes} <= {text.text for text in root.iter(f"{SVG}text")}


@pytest.mark.slow
def test_html_from_the_page_and_from_python_work_from_disk(open_page, pair: AttentionView, tmp_path: Path) -> None:
    page = open_page()
    mount(page, pair, settings={"show": "mean", "chosen": [[2, 5], [3, 4]]}, selected={"layer": 3, "head": 4})
    (tmp_path / "page.html").write_bytes(saved(page, "html"))
    own = weights(pair.sides[0])

    page = open_page(offline=True)
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".x-map").wait_for()
    assert "This file holds L2 H5, L3 H4 of 72 heads" in page.locator(".x-top").inner_text()
    wait_for(page, "explorer.shown")
    assert page.locator(".x-head h3").inner_text() == "Mean of 2 heads"
    close_to(shown(page)[0], own[[2, 3], [5, 4]].mean(0))
    # A click on a head inside, both together, and one that is not inside.
    at = lambda layer, head: {"x": 28 + 46 * head + 20, "y": 16 + 46 * layer + 20}  # noqa: E731 - a place in the map
    page.locator(".x-map").click(position=at(3, 4))
    page.locator(".x-head h3", has_text="L3 H4").wait_for()
    wait_for(page, "root.querySelector('[aria-live]').textContent.startsWith('Layer 3, head 4.')")
    close_to(shown(page)[0], own[3, 4])
    page.locator(".x-map").click(position=at(2, 5), modifiers=["Shift"])
    wait_for(page, "root.querySelector('[aria-live]').textContent.startsWith('Mean of 2')")
    close_to(shown(page)[0], own[[2, 3], [5, 4]].mean(0))
    page.locator(".x-map").click(position=at(0, 0))
    page.locator(".x-head [role=alert]", has_text="L0 H0 is not in this file").wait_for()
    assert page.get_by_role("button", name="L0 H0 off").is_disabled()
    assert page.locator(".x-panes").is_hidden()

    pair.save_html(tmp_path / "all.html")
    page = open_page(offline=True)
    page.goto((tmp_path / "all.html").as_uri())
    wait_for(page, "explorer?.shown")
    page.locator(".x-find select").nth(0).select_option("4")
    page.locator(".x-find select").nth(1).select_option("2")
    page.get_by_role("button", name="Find heads").click()
    best = page.locator(".x-top-heads button").first
    best.click()
    layer, head = divmod(int(own[:, :, 4, 2].argmax()), 12)
    page.locator(".x-head h3", has_text=f"L{layer} H{head}").wait_for()
    assert float(best.get_attribute("data-value")) == pytest.approx(own[layer, head, 4, 2], abs=0.01)
    page.locator(".x-head select").first.select_option("all-mean")
    wait_for(page, "explorer.shown[0].whole && root.querySelector('[aria-live]').textContent.startsWith('Mean of all')")
    close_to(shown(page)[0], own.mean((0, 1)))
