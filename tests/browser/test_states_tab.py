"""The tab of hidden states, as a person meets it: an example, another view, an error."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from running_app import ask_server

from xlmrxl.app.examples import PARALLEL
from xlmrxl.app.handlers import hidden
from xlmrxl.inspection import states
from xlmrxl.session import Session

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLOT = "#states-figure .js-plotly-plot"


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Hidden states").click()
    page.locator("#states-text textarea").wait_for()
    return page


def write(tab, text: str) -> None:
    tab.locator("#states-text textarea").fill(text)
    tab.get_by_role("button", name="Look inside", exact=True).click()


def choose(tab, view: str) -> None:
    tab.locator("#states-view input").click()
    tab.get_by_role("option", name=view, exact=True).click()


def title(tab, words: str) -> None:
    tab.wait_for_function(
        """([plot, words]) => document.querySelector(plot)?.layout?.title?.text?.includes(words)""", arg=[PLOT, words]
    )


def test_an_example_shows_all_its_texts_and_the_plane_slides_through_the_layers(tab) -> None:
    example = PARALLEL[0]
    tab.locator('#states-examples [data-index="0"]').click()
    title(tab, "Tokens in a plane")
    assert tab.locator("#states-text textarea").input_value() == example.text
    assert tab.evaluate(f"document.querySelector('{PLOT}').layout.sliders[0].steps.length") == 3
    names = tab.evaluate(f"document.querySelector('{PLOT}').data.map((it) => it.name ?? '').join('|')")
    assert all(f"{number}. " in names for number in range(1, len(example.text.splitlines()) + 1))


def test_another_view_shows_its_controls_and_the_models_numbers(tab, session: Session) -> None:
    text = "She came. <script>alert(1)</script>"
    write(tab, text)
    title(tab, "Tokens in a plane")
    choose(tab, "Similarity of tokens")
    title(tab, "osine")
    assert tab.locator("#states-state").is_visible()
    tab.locator("#states-state input[type=number]").fill("1")
    tab.locator("#states-state input[type=number]").press("Enter")
    tab.get_by_role("button", name="Look inside", exact=True).click()
    title(tab, "state 1")
    shown = tab.evaluate(f"document.querySelector('{PLOT}').calcdata[0][0].z.map((row) => [...row])")
    expected = states.cosine_similarity([session.inspect(text)], 1).values
    assert np.abs(np.array(shown, dtype=float) - expected).max() < 1e-3


def test_a_view_of_two_texts_says_what_it_needs(tab) -> None:
    write(tab, "She came.")
    title(tab, "Tokens in a plane")
    choose(tab, "Alignment")
    alert = tab.get_by_role("alert")
    alert.wait_for()
    assert "two texts" in alert.inner_text()
    write(tab, "\n".join(["She came."] * 7))
    tab.get_by_text("There are 7 sentences").wait_for()


def copied(tab, name: str) -> str:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.locator("#states-save").get_by_role("button", name=name).click()
    tab.locator("#states-save [role=status]", has_text="copied").wait_for()
    text: str = tab.evaluate("navigator.clipboard.readText()")
    return text


def test_what_is_shown_is_saved_with_where_it_comes_from(
    tab, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "She came."
    write(tab, text)
    title(tab, "Tokens in a plane")
    choose(tab, "Similarity of layers")
    title(tab, "CKA")
    names = ["Copy link", "Copy as Python", "Cite", "SVG", "PNG", "CSV", "JSON", "HTML"]
    assert tab.locator("#states-save button").all_inner_texts() == names
    files = {}
    for kind in ("csv", "json", "html", "svg", "png"):
        with tab.expect_download() as download:
            tab.locator(f'#states-save [data-file="{kind}"]').click()
        files[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[kind])
    expected = states.cka(session.inspect(text))
    found = json.loads(files["json"].read_text(encoding="utf-8"))
    assert np.allclose(found["values"], expected.values, atol=1e-6)
    assert found["source"]["precision"] == session.precision
    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text(encoding="utf-8"))))
    assert [float(row["cka"]) for row in rows] == pytest.approx(expected.values.ravel().tolist(), abs=1e-6)
    assert ElementTree.parse(files["svg"]).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    monkeypatch.chdir(Path(session.name).parent)  # where the name that strangers may read is a folder
    made: dict = {}
    exec(copied(tab, "Copy as Python"), made)
    assert made["result"].to_dict() == found
    assert session.precision in copied(tab, "Cite")
    page = files["html"].read_text(encoding="utf-8")
    assert "plotly.js v" in page
    assert session.precision in page


def test_a_picture_shows_the_state_that_the_page_was_slid_to(tab, tmp_path: Path) -> None:
    write(tab, "She came.")
    title(tab, "Tokens in a plane")
    pictures = []
    for place in (0, 1):
        tab.locator(f"{PLOT} .slider-tick-group, {PLOT} .slider-label-group").first.wait_for()
        tab.locator(f"{PLOT} .slider-label-group").nth(place).click(force=True)
        tab.wait_for_function(
            "([plot, place]) => document.querySelector(plot).layout.sliders[0].active === place", arg=[PLOT, place]
        )
        with tab.expect_download() as download:
            tab.locator('#states-save [data-file="svg"]').click()
        download.value.save_as(tmp_path / f"{place}.svg")
        pictures.append((tmp_path / f"{place}.svg").read_text(encoding="utf-8"))
        assert f"Tokens in a plane by PCA, state {place}" in pictures[-1]
    assert pictures[0].replace("state 0", "state 1") != pictures[1]


def test_a_link_opens_the_plane_at_the_state_that_it_was_slid_to(tab) -> None:
    write(tab, "She came.")
    title(tab, "Tokens in a plane")
    assert "&state=" not in tab.evaluate("window.xlmrxl.getLink('states')")
    shown = slide(tab, 0)
    link = copied(tab, "Copy link")
    assert link == tab.evaluate("window.xlmrxl.getLink('states')")
    again = tab.context.browser.new_context().new_page()
    again.goto(link)
    title(again, "Tokens in a plane")
    assert again.evaluate(f"document.querySelector('{PLOT}').layout.sliders[0].active") == 0
    assert np.allclose(points(again), shown, atol=1e-6)
    assert not np.allclose(slide(again, 2), shown, atol=1e-3)
    # Other points, and another text, are shown in the state that it was slid to.
    again.get_by_role("radio", name="words").check()
    title(again, "Words in a plane")
    assert again.evaluate(f"document.querySelector('{PLOT}').layout.sliders[0].active") == 2
    again.context.close()


def slide(tab, place: int) -> list:
    # The slider stands at its new place before the points do: a plot says when these have moved.
    tab.evaluate(
        """([selector, place]) => {
            const plot = document.querySelector(selector);
            window.moved = plot.layout.sliders[0].active === place;
            plot.once("plotly_update", () => { window.moved = true; });
        }""",
        [PLOT, place],
    )
    tab.locator(f"{PLOT} .slider-label-group").nth(place).click(force=True)
    tab.wait_for_function(
        "([plot, place]) => document.querySelector(plot).layout.sliders[0].active === place", arg=[PLOT, place]
    )
    tab.wait_for_function("place => window.xlmrxl.getLink('states').includes(`state%22%3A${place}`)", arg=place)
    tab.wait_for_function("() => window.moved")
    return points(tab)


def points(tab) -> list:
    found: list = tab.evaluate(f"[...document.querySelector('{PLOT}').calcdata[0].map((it) => [it.x, it.y])]")
    return found


def test_another_view_is_what_the_link_opens(tab, session: Session) -> None:
    text = "She came.\nHe is here."
    write(tab, text)
    title(tab, "Tokens in a plane")
    slide(tab, 2)
    choose(tab, "Alignment")
    tab.wait_for_function("() => window.xlmrxl.getLink('states').includes('view=alignment')")
    tab.locator("#states-remove-mean input").check()
    tab.wait_for_function("() => window.xlmrxl.getLink('states').includes('remove_mean=true')")
    again = tab.context.browser.new_context().new_page()
    again.goto(tab.evaluate("window.xlmrxl.getLink('states')"))
    again.locator(f"{PLOT} .main-svg").first.wait_for()
    assert again.locator("#states-view input").input_value() == "Alignment"
    assert again.locator("#states-remove-mean input").is_checked()
    asked = hidden.check_request(session, text, "alignment", hidden.first_state(session), "tokens", True)
    expected = hidden.make_view(hidden.inspect_lines(session, asked.lines), asked)
    with again.expect_download() as download:
        again.locator('#states-save [data-file="json"]').click()
    found = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    del found["source"]
    assert found == {name: value for name, value in expected.to_dict().items() if name != "source"}
    again.context.close()


@pytest.mark.parametrize("packet", [None, [], ["csv"], ["exe", ["a", "cka", 0, "tokens", False]], ["csv", ["a", "x"]]])
def test_a_strangers_file_gets_a_sentence(served: str, packet: object) -> None:
    assert "error" in ask_server(served, "states-save", "save", packet)
