"""The tab that shows attention, as a person meets it, and what it answers to strangers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from running_app import ask_server

from xlmrxl.app.examples import PAIRS
from xlmrxl.session import Session

pytestmark = pytest.mark.browser

TEXT = "The <mask> <script>alert(1)</script> is here."


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Attention").click()
    page.locator("#attention-text textarea").wait_for()
    return page


def look(tab, text: str, second: str = "") -> None:
    tab.locator("#attention-text textarea").fill(text)
    tab.locator("#attention-second textarea").fill(second)
    tab.get_by_role("button", name="Look inside", exact=True).click()


def explorer(tab, text: str):
    """The explorer once it shows a text; its element."""
    tab.wait_for_function(
        """text => [...document.querySelectorAll("#attention-explorer div")].some(
               (it) => it.explorer?.sides?.[0]?.text === text && it.explorer.shown?.[0]?.value)""",
        arg=text,
    )
    return tab.locator("#attention-explorer")


def shown(tab) -> np.ndarray:
    return np.array(
        tab.evaluate(
            """() => {
                 const all = [...document.querySelectorAll("#attention-explorer div")];
                 const side = all.find((it) => it.explorer).explorer.shown[0];
                 return side.rows.map((_, i) => side.columns.map((_, j) => side.value(i, j)));
               }"""
        )
    )


def test_a_text_shows_the_weights_of_the_model(tab, session: Session) -> None:
    look(tab, TEXT)
    explorer(tab, TEXT)
    ids = torch.tensor([[token.id for token in session.inspect(TEXT).tokens]])
    with torch.inference_mode():
        expected = session.model(ids, output_attentions=True).attentions[0][0, 0].numpy()
    assert np.abs(shown(tab) - expected).max() <= expected.max() / 255


def test_an_example_of_two_languages_stands_side_by_side(tab) -> None:
    example = next(each for each in PAIRS if each.second and each.way == "beside")
    tab.locator(f'#attention-examples [data-index="{PAIRS.index(example)}"]').click()
    place = explorer(tab, example.text)
    assert tab.locator("#attention-second textarea").input_value() == example.second
    place.get_by_text(example.second).first.wait_for()


def test_a_second_text_replaces_the_first_and_an_error_takes_its_place(tab) -> None:
    look(tab, TEXT)
    explorer(tab, TEXT)
    look(tab, "She came.")
    explorer(tab, "She came.")
    look(tab, " ")
    alert = tab.get_by_role("alert")
    alert.wait_for()
    assert "empty" in alert.inner_text()
    assert not tab.locator("#attention-explorer canvas").first.is_visible()


def test_a_strangers_request_gets_a_sentence_and_no_path_of_this_machine(served: str, checkpoint) -> None:
    def ask(data: object) -> dict:
        return ask_server(served, "attention-explorer", "ask", data)

    right = ask([["She came.", "", "beside"], {"id": 1, "type": "head", "layer": 0, "head": 1}])
    assert right["id"] == 1
    assert len(right["buffers"]) == 1
    for wrong in (None, "x", [], [["a"], {}], [["a" * 5000, "", "beside"], {}], [["a", "", "../x"], {}]):
        assert "error" in ask(wrong)
    for request in (None, {"id": 2, "type": "head", "layer": 99, "head": 0}, {"id": 3, "type": "eval"}):
        assert "error" in ask([["She came.", "", "beside"], request])
    ablated = ask([["She <mask>.", "", "beside"], {"id": 4, "type": "ablate", "heads": [[0, 0]], "layers": []}])
    assert ablated["found"]["source"]["model"] == checkpoint.name
    assert str(checkpoint) not in json.dumps(ablated)
