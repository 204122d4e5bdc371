"""The widgets of the views without a browser: what they send and say is what an inspection says."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traitlets
from test_widgets import from_page, sent  # noqa: F401 - a fixture

import xlmrxl
from xlmrxl import figures
from xlmrxl.inspection import states
from xlmrxl.inspection.difference import drift
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.inspection.logit_lens import logit_lens
from xlmrxl.session import Session
from xlmrxl.views.attention_view import AttentionView
from xlmrxl.views.protocol import BUILT
from xlmrxl.views.states import STATE_VIEWS
from xlmrxl.widgets import AttentionExplorer, HiddenStateExplorer, ResultView
from xlmrxl.widgets.attention import Head
from xlmrxl.widgets.drawing import plotly

TEXT, SECOND = "The <mask> sleeps in the garden.", "It is a dog."
WORD = "i"  # a single piece of the small vocabulary
EVIL = "<script>alert(1)</script> القاهرة"


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def rounded(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder, precision="bf16")


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is inspected: the precision and the text of each."""
    calls: list[tuple[str, str]] = []
    real = Inspection.__init__

    def count(self, loaded_model, text, *args, **options):
        calls.append((loaded_model.precision, text))
        real(self, loaded_model, text, *args, **options)

    monkeypatch.setattr(Inspection, "__init__", count)
    return calls


# Attention


def test_explorer_sends_what_the_inspection_says(session: Session):
    widget = AttentionExplorer(session, TEXT, SECOND)
    meta, buffers = AttentionView(session.inspect(TEXT, SECOND)).first()
    assert widget.meta == meta
    assert widget.buffers == buffers
    assert isinstance(widget.inspection, Inspection)
    assert widget.result is widget.inspection
    assert (widget.inspection.text, widget.inspection.text_pair) == (TEXT, SECOND)
    assert (widget.other_inspection, widget.error) == (None, "")


def test_explorer_answers_the_page(session: Session, sent: list[dict[str, Any]]):  # noqa: F811
    widget = AttentionExplorer(session, TEXT)
    view = AttentionView(session.inspect(TEXT))
    for request in (
        {"id": 7, "type": "head", "layer": 2, "head": 4},
        {"id": 8, "type": "rank", "by": "entropy"},
        {"id": 9, "type": "ablate", "heads": [[0, 1]]},
    ):
        sent.clear()
        widget._handle_custom_msg(request, [])
        (message,) = sent
        content, buffers = view.answer(request)
        assert (message["content"], message["buffers"]) == (content, buffers)
        assert "error" not in content
    for wrong in ({"id": 8, "type": "head", "layer": 99, "head": 0}, {"id": 8, "type": "nonsense"}, "nonsense", None):
        sent.clear()
        widget._handle_custom_msg(wrong, [])
        assert sent[0]["content"]["error"].endswith(".")
        assert sent[0]["buffers"] == []


def test_request_that_fails_is_answered(
    session: Session,
    sent: list[dict[str, Any]],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    def failing(self, *place):
        raise RuntimeError("out of memory")

    widget = AttentionExplorer(session, TEXT)
    monkeypatch.setattr(Inspection, "attention", failing)
    sent.clear()
    with caplog.at_level(logging.ERROR):
        widget._handle_custom_msg({"id": "a", "type": "head", "layer": 0, "head": 0}, [])
    content = sent[0]["content"]
    assert (content["id"], content["type"]) == ("a", "head")
    assert "out of memory" in content["error"]
    assert "failed" in caplog.text


def test_head_is_chosen_from_both_ends(session: Session, sent: list[dict[str, Any]]):  # noqa: F811
    widget = AttentionExplorer(session, TEXT, selected=(1, 2))
    assert widget.selected == Head(1, 2, 0)
    sent.clear()
    widget.selected = (2, 3)
    assert sent[0]["state"] == {"selected": {"layer": 2, "head": 3, "side": 0}}
    from_page(widget, selected={"layer": 0, "head": 4, "side": 0})
    assert (widget.selected.layer, widget.selected.head) == (0, 4)
    for wrong in ((3, 0), (0, 5), (0, 0, 1), (-1, 0), (0,), "ab", 3, (0.5, 1), {"layer": 1}):
        with pytest.raises(traitlets.TraitError):
            widget.selected = wrong
    assert widget.selected == (0, 4, 0)


def test_chosen_heads_are_those_of_the_settings(session: Session):
    widget = AttentionExplorer(session, TEXT, settings={"mass": {"matrix": 1, "lines": 0.5}, "chosen": [[0, 1]]})
    assert widget.chosen == [(0, 1)]
    widget.chosen = [(0, 1), (2, 2)]
    assert widget.settings == {"mass": {"matrix": 1, "lines": 0.5}, "chosen": [[0, 1], [2, 2]]}
    from_page(widget, settings={"chosen": [[1, 1]]})
    assert widget.chosen == [(1, 1)]


def test_inspections_that_are_there_are_used(session: Session, rounded: Session, inspected: list[tuple[str, str]]):
    first, second = session.inspect(TEXT, keep="uint8"), rounded.inspect(TEXT)
    inspected.clear()
    widget = AttentionExplorer(first, other=second)
    assert (widget.inspection, widget.other_inspection) == (first, second)
    assert widget.meta["same_tokens"]
    assert not inspected
    widget.text = SECOND  # both models read another text
    assert inspected == [("fp32", SECOND), ("bf16", SECOND)]
    assert widget.meta["sides"][1]["source"]["precision"] == "bf16"
    widget.text = TEXT
    assert widget.inspection is first


def test_other_text_stands_beside(session: Session, rounded: Session, inspected: list[tuple[str, str]]):
    widget = AttentionExplorer(session, TEXT, other=SECOND)
    assert [side["text"] for side in widget.meta["sides"]] == [TEXT, SECOND]
    widget.selected = (0, 0, 1)
    widget.other = ""
    assert len(widget.meta["sides"]) == 1
    inspected.clear()
    widget = AttentionExplorer(session, TEXT, other=rounded)
    assert (widget.other, inspected) == ("", [("fp32", TEXT), ("bf16", TEXT)])
    widget.other = SECOND
    assert inspected[2:] == [("fp32", TEXT), ("bf16", SECOND)]


def test_first_view_comes_in_one_message(session: Session, sent: list[dict[str, Any]]):  # noqa: F811
    widget = AttentionExplorer(session)
    assert (widget.meta, widget.buffers, widget.inspection) == ({}, [], None)
    with pytest.raises(ValueError, match="no text"):
        widget.save_html("nowhere.html")
    sent.clear()
    from_page(widget, text=TEXT)
    (first,) = [message for message in sent if "meta" in message.get("state", {})]
    assert first["buffer_paths"] == [["buffers", 0], ["buffers", 1]]
    assert first["state"]["answered"] == 1
    widget.text = "dog " * 100
    assert "tokens" in widget.error
    assert (widget.meta, widget.inspection) == ({}, None)


def test_explorer_is_saved_as_one_file(session: Session, tmp_path: Path):
    widget = AttentionExplorer(session, EVIL, selected=(0, 1), settings={"form": "lines"})
    path = widget.save_html(tmp_path / "attention.html", heads=[(0, 1)])
    text = path.read_text(encoding="utf-8")
    assert (BUILT / "saved_page.js").read_text(encoding="utf-8") in text
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert (data["selected"], data["settings"]) == ({"layer": 0, "head": 1, "side": 0}, {"form": "lines"})
    assert EVIL not in text
    assert len(widget.save_html(tmp_path / "all.html").read_bytes()) > len(text.encode())


# Hidden states

VALUES: dict[str, Callable[[Any], Any]] = {
    "projection": lambda parallel: parallel.project().points,
    "cosine": lambda parallel: states.cosine_similarity(parallel.inspections, 2, unit="tokens").values,
    "logit_lens": lambda parallel: logit_lens(parallel.inspections[0]).cells,
    "targets": lambda parallel: logit_lens(parallel.inspections[0], targets=[WORD]).probabilities(WORD),
    "norms": lambda parallel: states.state_norms(parallel.inspections[0]).values,
    "change": lambda parallel: states.layer_similarity(parallel.inspections[0]).values,
    "cka": lambda parallel: states.cka(parallel.inspections[0]).values,
    "languages": lambda parallel: parallel.similarity("words").values,
    "alignment": lambda parallel: parallel.alignment(0, 1, 2).similarity,
}


@pytest.fixture(scope="module")
def explorer(session: Session) -> HiddenStateExplorer:
    return HiddenStateExplorer(session, {"en": TEXT, "de": "Der Hund sitzt auf dem Dach."}, targets=[WORD])


@pytest.mark.parametrize("view", VALUES)
def test_view_shows_what_the_inspection_says(explorer: HiddenStateExplorer, session: Session, view: str):
    explorer.view = view
    assert explorer.error == ""
    assert explorer.state == 2  # two thirds up
    parallel = session.inspect_parallel({"en": TEXT, "de": "Der Hund sitzt auf dem Dach."})
    expected = VALUES[view](parallel)
    result = explorer.result
    if view == "targets":
        shown = result.probabilities(WORD)
    else:
        shown = next(
            getattr(result, name) for name in ("values", "points", "cells", "similarity") if hasattr(result, name)
        )
    if view == "logit_lens":
        assert shown == expected
    else:
        assert np.array_equal(shown, expected, equal_nan=True)
    drawn = json.loads(explorer.found["figure"])
    assert drawn["layout"]["meta"] == explorer.figure.layout.meta
    assert {name for name, _ in explorer.found["views"]} == {*VALUES}
    assert explorer.found["tokens"][0] == [token.piece for token in parallel.inspections[0].tokens]


def test_every_view_has_a_test():
    assert {*VALUES, "drift"} == {*STATE_VIEWS}


def test_views_follow_layer_token_and_text(session: Session):
    widget = HiddenStateExplorer(session, [TEXT, SECOND], view="cosine", state=0)
    inspections = widget.inspections
    widget.state = 3
    assert np.array_equal(widget.result.values, states.cosine_similarity(inspections, 3).values)
    widget.remove_mean = True
    assert np.array_equal(widget.result.values, states.cosine_similarity(inspections, 3, remove=0).values)
    widget.view, widget.text_index = "norms", 1
    whole = states.state_norms(inspections[1])
    assert np.array_equal(widget.result.values, whole.values)
    widget.position = 2
    assert np.array_equal(widget.result.values[0], whole.values[:, 2])
    widget.view = "logit_lens"
    assert widget.result == logit_lens(inspections[1], [2])
    assert widget.inspections == inspections  # read once


def test_slider_of_the_projection_asks_nothing_of_the_model(session: Session):
    widget = HiddenStateExplorer(session, TEXT)
    before = widget.found
    from_page(widget, state=0)
    assert widget.found is before
    assert widget.answered == 1
    assert widget.figure.layout.sliders[0].active == 0
    widget.dark = True
    assert widget.found["figure"] != before["figure"]
    assert widget.figure.to_json() == figures.projection(widget.result, state=0).to_json()


def test_two_models_of_one_text(session: Session, rounded: Session, inspected: list[tuple[str, str]]):
    pair = [session.inspect(TEXT), rounded.inspect(TEXT)]
    inspected.clear()
    widget = HiddenStateExplorer(pair, view="drift")
    assert np.array_equal(widget.result.values, drift(*pair).values)
    assert widget.languages == ["fp32", "bf16"]
    assert not inspected
    one = HiddenStateExplorer(pair[0], view="drift")
    assert "two models" in one.error


@pytest.mark.parametrize(
    ("trait", "value", "part"),
    [
        ("state", 4, "0 to 3"),
        ("text_index", 1, "0 to 0"),
        ("position", 99, "position"),
        ("view", "languages", "two texts"),
    ],
)
def test_what_there_is_not_is_said_and_the_rest_stays(session: Session, trait: str, value: Any, part: str):
    view = {"state": "cosine", "text_index": "cka"}.get(trait, "norms")
    widget = HiddenStateExplorer(session, TEXT, view=view)
    setattr(widget, trait, value)
    assert part in widget.error
    assert widget.found["figure"] == ""
    assert len(widget.found["views"]) >= 6  # to choose another
    with pytest.raises(ValueError, match=part):
        _ = widget.figure
    widget.texts = []
    assert widget.found == {}


def test_page_gets_what_draws_and_files(session: Session, sent: list[dict[str, Any]], tmp_path: Path):  # noqa: F811
    widget = HiddenStateExplorer(session, EVIL, view="norms")

    def reply(kind: str) -> str:
        sent.clear()
        widget._handle_custom_msg({"type": kind}, [])
        assert sent[0]["content"] == {"type": kind}
        return bytes(sent[0]["buffers"][0]).decode("utf-8")

    assert reply("csv") == widget.result.to_csv()
    assert reply("json") == widget.result.to_json()
    assert reply("figure") == widget.figure.to_json()
    page = reply("html")
    assert "Plotly.newPlot" in page
    assert EVIL not in page.rpartition("Plotly.newPlot")[2]
    assert 'src="http' not in page
    assert widget.save_html(tmp_path / "states.html").read_text(encoding="utf-8").count("Plotly.newPlot") == page.count(
        "Plotly.newPlot"
    )
    sent.clear()
    widget._handle_custom_msg({"type": "plotly"}, [])
    library = zlib.decompress(sent[0]["buffers"][0])
    assert b"plotly.js" in library[:200]
    assert plotly() is plotly()
    for nonsense in (None, {"type": "nonsense"}, {"type": ["csv"]}, 3):
        sent.clear()
        widget._handle_custom_msg(nonsense, [])
        assert sent == []
    widget.texts = []
    widget._handle_custom_msg({"type": "csv"}, [])
    assert "no text" in sent[-1]["content"]["error"]


def test_result_is_shown_as_its_figure(session: Session, sent: list[dict[str, Any]], tmp_path: Path):  # noqa: F811
    inspection = session.inspect(TEXT)
    norms = states.state_norms(inspection)
    widget = ResultView(norms)
    assert json.loads(widget.drawn) == json.loads(figures.heatmap(norms).to_json())
    widget.dark = True
    assert json.loads(widget.drawn) == json.loads(figures.heatmap(norms, dark=True).to_json())
    assert widget.figure.to_json() == figures.heatmap(norms).to_json()
    laid = session.inspect_parallel([TEXT, SECOND]).project()
    widget.result = laid
    assert json.loads(widget.drawn)["layout"]["meta"]["kind"] == "Projection"
    assert ResultView(laid).state == 2
    assert ResultView(laid, state=1).figure.layout.sliders[0].active == 1
    sent.clear()
    widget._handle_custom_msg({"type": "csv"}, [])
    assert sent[0]["buffers"] == [laid.to_csv().encode()]
    assert "Plotly.newPlot" in widget.save_html(tmp_path / "view.html").read_text(encoding="utf-8")
    with pytest.raises(traitlets.TraitError):
        widget.result = "nothing"
    gap = session.inspect("The <mask>.")
    assert json.loads(ResultView(gap.head_importance()).drawn)["layout"]["meta"]["kind"] == "HeadImportance"
    with pytest.raises(ValueError, match="Ablation"):
        ResultView(gap.ablate([(0, 0)]))
