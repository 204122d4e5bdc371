"""The tab of the model as a person meets it: another model is loaded, answers everywhere, and fails without harm."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from running_app import make_checkpoint, ready

import xlmrxl
from xlmrxl.session import Session

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "The <mask> is here."


@pytest.fixture(scope="module")
def deeper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("deeper"), layers=3)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As long as this file is there, the loading of a model goes on: see `gated_app.py`."""
    return tmp_path_factory.mktemp("gate") / "gate"


@pytest.fixture(scope="module")
def served(checkpoint: Path, gate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app of its own: other tests expect the model that theirs began with."""
    script = [str(Path(__file__).with_name("gated_app.py")), str(gate)]
    with ready(checkpoint, tmp_path_factory.mktemp("app") / "log.txt", script=script) as (url, _):
        yield url


@pytest.fixture
def tab(page: Page, checkpoint: Path, gate: Path) -> Iterator[Page]:
    page.get_by_role("tab", name="Model").click()
    expect(page.locator("#model-facts")).to_contain_text("Parameters")
    yield page
    gate.unlink(missing_ok=True)
    load(page, checkpoint, "fp32")


def load(page: Page, folder: Path | str, precision: str = "auto") -> None:
    ask(page, folder, precision)
    expect(page.locator("#model-said")).to_contain_text(f"{Path(folder).name} is loaded.", timeout=30_000)


def ask(page: Page, folder: Path | str, precision: str = "auto") -> None:
    page.get_by_role("tab", name="Model").click()
    page.locator("#model-name textarea, #model-name input").fill(str(folder))
    page.locator("#model-precision").get_by_label(precision, exact=True).check()
    page.locator("#model-load").click()


def fills(page: Page, text: str) -> list[str]:
    page.get_by_role("tab", name="Fill masks").click()
    page.locator("#fill-text textarea").fill(text)
    page.locator("#fill-text textarea").press("Enter")
    page.wait_for_function("t => document.querySelector('#fill-output .x-result')?.dataset.text === t", arg=text)
    return page.locator("#fill-output tbody th button bdi").all_inner_texts()


def expected(session: Session, text: str) -> list[str]:

    return [fill.label for fill in session.fill_mask(text).masks[0].fills]


def test_what_is_loaded_and_what_it_takes_are_shown_when_the_tab_is_turned_to(tab: Page, session: Session) -> None:
    facts = dict(
        zip(
            tab.locator("#model-facts dt").all_inner_texts(),
            tab.locator("#model-facts dd").all_inner_texts(),
            strict=True,
        )
    )
    config = session.model.config
    assert facts["Parameters"] == f"{session.model.num_parameters():,}"
    assert facts["Layers × heads"] == f"{config.num_hidden_layers} × {config.num_attention_heads}"
    assert facts["Precision"] == session.precision
    assert facts["Because"] == session.reason
    rows = tab.locator("#model-plan tbody tr")
    assert rows.count() == 5
    assert "● loaded" in rows.first.inner_text()
    assert "✓ fits" in rows.last.inner_text()


def test_another_model_answers_in_all_tabs_and_on_pages_opened_later(
    tab: Page, deeper: Path, served: str, session: Session
) -> None:
    assert fills(tab, TEXT) == expected(session, TEXT)
    load(tab, deeper)
    expect(tab.locator("#header")).to_contain_text(f"Model {deeper.name},")
    expect(tab.locator("#model-facts")).to_contain_text("3 × 4")
    assert fills(tab, "The <mask> is there.") == expected(xlmrxl.load(deeper), "The <mask> is there.")
    later = tab.context.new_page()
    later.goto(f"{served}/#tab=states&view=alignment&hidden_state=3&text=The+dog+is+here.%0AThe+cat+is+there.")
    tab.get_by_role("tab", name="Hidden states").click()
    tab.locator("#states-view input").click()
    tab.get_by_role("option", name="Alignment").click()
    for page in (tab, later):
        slider = page.locator("#states-state input[type=range]")
        expect(slider).to_have_attribute("max", "3", timeout=20_000)
    expect(later.locator("#header")).to_contain_text(f"Model {deeper.name},")
    expect(later.locator("#states-figure")).to_be_visible()
    expect(later.locator("#states-state input[type=number]")).to_have_value("3")
    later.close()


def test_a_broken_folder_leaves_the_old_model_and_says_so(
    tab: Page, checkpoint: Path, deeper: Path, session: Session, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(deeper, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    for folder, words in ((broken, "model.safetensors"), (tmp_path / "nowhere", "There is no folder")):
        ask(tab, folder)
        alert = tab.locator("#model-said [role=alert]")
        expect(alert).to_contain_text(words)
        if folder is broken:
            expect(alert).to_contain_text(f"{checkpoint.name} goes on answering.")
        expect(tab.locator("#header")).to_contain_text(f"Model {checkpoint.name},")
    assert fills(tab, TEXT) == expected(session, TEXT)


def test_the_plan_of_another_is_shown_before_it_is_loaded(tab: Page, deeper: Path, served: str) -> None:
    tab.locator("#model-name textarea, #model-name input").fill(str(deeper))
    tab.get_by_role("button", name="What it takes").click()
    expect(tab.locator("#model-plan .x-title")).to_contain_text(str(deeper))
    expect(tab.locator("#model-plan")).not_to_contain_text("● loaded")
    expect(tab.locator("#model-facts")).to_contain_text("2 × 4")
    link = tab.evaluate("window.xlmrxl.getLink('model')")
    later = tab.context.new_page()
    later.goto(link)  # which opens what was shown, and loads nothing
    expect(later.locator("#model-plan .x-title")).to_contain_text(str(deeper), timeout=20_000)
    expect(later.locator("#model-facts")).to_contain_text("2 × 4")
    later.close()


def test_loading_shows_how_far_it_is_and_can_be_stopped(
    tab: Page, gate: Path, deeper: Path, checkpoint: Path, session: Session, served: str
) -> None:
    """By the keyboard; the old model answers meanwhile, others are told, and nothing of it is left."""
    stop = tab.locator("#model-stop")
    expect(stop).to_be_hidden()
    before = tab.locator("#model-said").bounding_box()
    gate.touch()
    ask(tab, deeper)
    expect(stop).to_be_visible()
    assert tab.locator("#model-said").bounding_box() == before  # nothing jumps
    progress = tab.locator("#model-facts")
    expect(progress).to_contain_text(re.compile(r"Loading .*: \d.* of \d.* [kMG]?B"), timeout=10_000)
    other = tab.context.new_page()
    other.goto(served)
    other.locator("#fill-text textarea").wait_for()
    ask(other, deeper)
    expect(other.locator("#model-said [role=alert]")).to_contain_text(f"{deeper} is being loaded")
    assert fills(other, TEXT) == expected(session, TEXT)
    expect(other.locator("#model-stop")).to_be_hidden()
    tab.locator("#model-load").focus()
    while not stop.evaluate("it => it === document.activeElement"):
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    alert = tab.locator("#model-said [role=alert]")
    expect(alert).to_have_text(f"Stopped. {checkpoint.name} goes on answering.")
    expect(stop).to_be_hidden()
    gate.unlink()
    load(tab, deeper)  # the next one is not stopped
    assert fills(other, "The <mask> is there.") == expected(xlmrxl.load(deeper), "The <mask> is there.")
    other.close()


def test_only_what_is_on_the_list_can_be_chosen_where_there_is_one(
    browser, checkpoint: Path, deeper: Path, tmp_path: Path
) -> None:
    """And nothing says where its folder lies."""
    with ready(checkpoint, tmp_path / "log.txt", "--allow", str(deeper)) as (url, _):
        page = browser.new_page()
        page.goto(f"{url}/#tab=model")
        expect(page.locator("#model-facts")).to_contain_text("Parameters", timeout=20_000)
        page.locator("#model-name input").click()
        listed = page.locator("ul [role=option]").all_inner_texts()
        assert [name.removeprefix("✓").strip() for name in listed] == [checkpoint.name, deeper.name]
        page.get_by_role("option", name=deeper.name).click()
        page.locator("#model-load").click()
        expect(page.locator("#model-said")).to_contain_text(f"{deeper.name} is loaded.")
        assert str(deeper.parent) not in page.content()
        page.close()
