"""The tab that shows attention, as a person meets it, and what it answers to strangers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from running_app import ask_server

from xlmrxl.app.examples import PAIRS
from xlmrxl.session import Session

pytestmark = [pytest.mark.browser, pytest.mark.slow]

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


def test_what_is_shown_can_be_taken_away(tab, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of Python follow the head that is chosen, and give its numbers."""
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    look(tab, TEXT)
    place = explorer(tab, TEXT)
    actions = place.locator(".x-actions")
    assert actions.locator("button").all_inner_texts() == ["Copy link", "Copy as Python", "Cite"]
    monkeypatch.chdir(Path(session.name).parent)  # where the name that strangers may read is a folder
    for head in (1, 3):
        place.get_by_role("spinbutton", name="Head").fill(str(head))
        place.get_by_role("spinbutton", name="Head").press("Enter")
        place.get_by_role("heading", name=f"L0 H{head}").wait_for()
        tab.wait_for_function("() => document.querySelector('#attention-explorer [aria-busy=true]') === null")
        actions.get_by_role("button", name="Copy as Python").click()
        actions.get_by_text("The lines of Python are copied.").wait_for()
        names: dict = {}
        exec(tab.evaluate("navigator.clipboard.readText()"), names)
        assert np.array_equal(names["attention"], session.inspect(TEXT).attention(0, head))
        assert np.abs(shown(tab) - names["attention"]).max() <= names["attention"].max() / 255
    actions.get_by_role("button", name="Cite").click()
    actions.get_by_text("The citation is copied").wait_for()
    assert "@inproceedings{goyal" in tab.evaluate("navigator.clipboard.readText()")
    actions.get_by_role("button", name="Copy link").click()
    actions.get_by_text("The link is copied").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == tab.evaluate("window.xlmrxl.getLink('attention')")


def test_a_link_opens_the_same_head_with_the_same_heads_switched_off(tab, session: Session) -> None:
    look(tab, TEXT)
    place = explorer(tab, TEXT)
    place.get_by_role("spinbutton", name="Layer").fill("1")
    place.get_by_role("spinbutton", name="Layer").press("Enter")
    place.get_by_role("button", name="L1 H0 off").click()
    place.get_by_role("button", name="Layer 0 off").or_(place.get_by_role("button", name="Layer 1 off")).click()
    place.get_by_role("radio", name="matrix").check()
    place.get_by_label("<s> and </s>").uncheck()
    effect = place.locator(".x-effect")
    expected = session.inspect(TEXT).ablate([(1, 0)], [1], progress=False).effects[0]
    wait_for_effect(tab, expected.kl)
    before = shown(tab)
    again = tab.context.browser.new_context().new_page()
    again.goto(tab.evaluate("window.xlmrxl.getLink('attention')"))
    place = explorer(again, TEXT)
    wait_for_effect(again, expected.kl)
    assert place.locator(".x-head h3").inner_text() == "L1 H0"
    assert place.get_by_role("radio", name="matrix").is_checked()
    assert not place.get_by_label("<s> and </s>").is_checked()
    assert np.array_equal(shown(again), before)
    told = [float(row.get_attribute("data-after")) for row in place.locator(".x-effect tbody tr").all()]
    assert told == pytest.approx([outcome.after for outcome in expected.outcomes])
    assert effect.count() == place.locator(".x-effect").count() == 1
    # Another sentence keeps what is set, and so does its link.
    look(again, "She came.")
    explorer(again, "She came.")
    assert place.locator(".x-head h3").inner_text() == "L1 H0"
    link = again.evaluate("window.xlmrxl.getLink('attention')")
    assert "She+came." in link
    assert re.search(r"state=%7B%22selected%22%3A%7B%22layer%22%3A1", link)
    again.context.close()


def test_nothing_more_than_what_was_changed_is_in_the_link(tab) -> None:
    look(tab, "She came.")
    place = explorer(tab, "She came.")
    tab.wait_for_function("() => location.hash.includes('She+came.')")
    assert "state" not in tab.evaluate("window.xlmrxl.getLink('attention')")
    place.get_by_role("radio", name="matrix").check()
    tab.wait_for_function("() => window.xlmrxl.getLink('attention').includes('state')")
    state = tab.evaluate("new URLSearchParams(new URL(window.xlmrxl.getLink('attention')).hash.slice(1)).get('state')")
    assert json.loads(state) == {"settings": {"form": "matrix"}}


def wait_for_effect(page, kl: float) -> None:
    page.wait_for_function(
        """kl => { const root = document.querySelector("#attention-explorer .xlmrxl-attention")?.shadowRoot;
             const shown = root?.querySelector(".x-effect")?.dataset.kl;
             return Math.abs(shown - kl) < 1e-5 * Math.max(kl, 1e-3); }""",
        arg=kl,
    )


def about_of(session: Session, text: str) -> list[str]:
    """What a page says that it is about."""
    return [text, "", "beside", f"{Path(session.name).name}  {session.precision}"]


def test_a_strangers_request_gets_a_sentence_and_no_path_of_this_machine(
    served: str, session: Session, checkpoint: Path
) -> None:
    def ask(data: object) -> dict:
        return ask_server(served, "attention-explorer", "ask", data)

    about = about_of(session, "She came.")
    right = ask([about, {"id": 1, "type": "head", "layer": 0, "head": 1}])
    assert right["id"] == 1
    assert len(right["buffers"]) == 1
    for wrong in (None, "x", [], [["a"], {}], [about_of(session, "a" * 5000), {}], [["a", "", "../x", about[-1]], {}]):
        assert "error" in ask(wrong)
    assert "Another model" in ask([[*about[:-1], "xl"], {"id": 1, "type": "head", "layer": 0, "head": 1}])["error"]
    for request in (None, {"id": 2, "type": "head", "layer": 99, "head": 0}, {"id": 3, "type": "eval"}):
        assert "error" in ask([about, request])
    ablated = ask([about_of(session, "She <mask>."), {"id": 4, "type": "ablate", "heads": [[0, 0]], "layers": []}])
    assert ablated["found"]["source"]["model"] == checkpoint.name
    assert str(checkpoint) not in json.dumps(ablated)
