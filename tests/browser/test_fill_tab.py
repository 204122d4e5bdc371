"""The tab that fills masks, as a person meets it: typing, clicking, keys, errors, scripts, directions, screens."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from xlmrxl.app.examples import EXAMPLES, TEMPLATES
from xlmrxl.app.handlers import filling
from xlmrxl.app.handlers.filling import MAX_FILLS, MAX_SEARCHED
from xlmrxl.rendering.formats import format_percent
from xlmrxl.session import Session
from xlmrxl.tasks.fill_results import JointFill

pytestmark = pytest.mark.browser

TWO_MASKS = "The <mask> sees the <mask>."


def fill(page, text: str) -> None:
    box = page.locator("#fill-text textarea")
    box.fill(text)
    box.press("Enter")


def completed(way: JointFill) -> str:
    return "The {} sees the {}.".format(*(fill.visible_text for fill in way.fills))


def wait_for_result(page, text: str) -> None:
    """Until the result on the page is the one of `text`."""
    page.wait_for_function("t => document.querySelector('#fill-output .x-result')?.dataset.text === t", arg=text)


def on_screen(page) -> list[list[tuple[str, str]]]:
    tables = page.locator("#fill-output .x-fills").all()
    return [
        [
            (row.locator("th bdi").inner_text(), row.locator(".x-percent").inner_text())
            for row in table.locator("tbody tr").all()
        ]
        for table in tables
    ]


def expected(session: Session, text: str, top_k: int = 5) -> list[list[tuple[str, str]]]:
    masks = session.fill_mask(text, top_k=top_k).masks
    return [[(fill.label, format_percent(fill.probability)) for fill in mask.fills] for mask in masks]


def test_typed_sentence_shows_what_the_session_answers(page, session: Session) -> None:
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    assert on_screen(page) == expected(session, TWO_MASKS)
    best = [mask.fills[0].visible_text for mask in session.fill_mask(TWO_MASKS).masks]
    assert page.locator(".x-sentence").inner_text() == "The {} sees the {}.".format(*best)
    assert page.locator(".x-mask").count() == 2


@pytest.mark.slow
def test_number_of_fills(page, session: Session) -> None:
    page.locator("#fill-top-k input[type=number]").fill("3")
    page.locator("#fill-text textarea").fill(TWO_MASKS)
    page.get_by_role("button", name="Fill masks").click()
    wait_for_result(page, TWO_MASKS)
    assert on_screen(page) == expected(session, TWO_MASKS, top_k=3)


def test_whole_words(page, session: Session) -> None:
    page.get_by_label("whole words").check()
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    masks = session.fill_mask(TWO_MASKS, method="words").masks
    assert on_screen(page) == [
        [(fill.label, format_percent(fill.probability)) for fill in mask.fills] for mask in masks
    ]


def test_looking_for_words_is_told_and_can_be_stopped(page, session: Session) -> None:
    page.get_by_label("whole words").check()
    page.locator("#fill-top-k input[type=number]").fill(str(MAX_FILLS))
    box = page.locator("#fill-text textarea")
    box.fill(" ".join(["The <mask> sees the house"] * MAX_SEARCHED) + " and" * 40)
    box.press("Enter")
    page.get_by_text(re.compile(r"Looking for words: [\d,]+ of [\d,]+")).first.wait_for()
    page.locator("#fill-stop").click()
    page.locator("#fill-output").get_by_role("alert").wait_for()
    assert page.locator("#fill-output").get_by_role("alert").inner_text().endswith("Stopped.")
    page.locator("#fill-stop").wait_for(state="hidden")
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)


@pytest.mark.slow
def test_all_masks_together(page, session: Session) -> None:
    page.get_by_label("all masks together").check()
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    best, second = session.fill_mask(TWO_MASKS, method="joint").joint[:2]
    assert page.locator(".x-sentence").inner_text() == "The {} sees the {}.".format(
        *(fill.visible_text for fill in best.fills)
    )
    page.locator(".x-ways tbody button").nth(1).click()
    assert page.locator(".x-sentence").inner_text() == "The {} sees the {}.".format(
        *(fill.visible_text for fill in second.fills)
    )
    page.locator(".x-mask").first.click()
    assert page.evaluate("document.activeElement.dataset.way") is not None


@pytest.mark.slow
def test_only_given_words(page, session: Session) -> None:
    pieces = session.tokenizer.convert_ids_to_tokens(list(range(session.tokenizer.vocab_size)))
    word = next(piece[1:] for piece in pieces if re.fullmatch("▁[a-z]{2,}", piece))
    given = ["a very old dog", word]
    page.locator("#fill-targets textarea").fill(", ".join(given))
    page.locator("#fill-targets textarea").press("Enter")
    assert "<mask>" in page.get_by_role("alert").inner_text()  # there is no sentence yet
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    found = session.fill_mask(TWO_MASKS, targets=given).masks
    assert [[text for text, _ in rows] for rows in on_screen(page)] == [[f.label for f in mask.fills] for mask in found]
    places = page.locator(".x-fills").first.locator("tbody tr td:last-child").all_inner_texts()
    assert places == ["" if f.rank is None else f"{f.rank:,}" for f in found[0].fills]
    assert sorted(map(bool, places)) == [False, True]
    page.get_by_label("whole words").check()
    page.get_by_role("button", name="Fill masks").click()
    page.get_by_role("alert").wait_for()
    assert "fill with subwords" in page.get_by_role("alert").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("width", [375, 1280])
def test_a_template_in_many_languages(page, session: Session, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 812})
    page.locator('#fill-templates [data-index="1"]').click()
    wait_for_result(page, TEMPLATES[1].text)
    cards = page.locator(".x-cards > li")
    results = session.fill_mask(filling.lines(TEMPLATES[1].text))
    assert cards.count() == len(results)
    for card, result in zip(cards.all(), results, strict=True):
        best = result.masks[0].fills[0].visible_text
        assert card.locator(".x-sentence").inner_text() == result.text.replace("<mask>", best)
        rows = card.locator("tbody tr").all()
        assert [row.locator("th bdi").inner_text() for row in rows] == [f.label for f in result.masks[0].fills]
    directions = cards.locator(".x-sentence").evaluate_all("all => all.map((it) => getComputedStyle(it).direction)")
    rtl = {"ar", "he"}
    assert directions == ["rtl" if language in rtl else "ltr" for language in TEMPLATES[1].languages]
    # One scale: bars are as long as their shares, through all cards.
    bars = cards.locator(".x-bar div")
    lengths = bars.evaluate_all("all => all.map((it) => it.getBoundingClientRect().width)")
    shares = [f.probability for result in results for f in result.masks[0].fills]
    longest = max(range(len(shares)), key=shares.__getitem__)
    for length, share in zip(lengths, shares, strict=True):
        assert length == pytest.approx(max(1, lengths[longest] * share / shares[longest]), abs=0.5)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Another fill is put into its own sentence.
    cards.nth(2).locator("tbody button").nth(1).click()
    other = results[2].masks[0].fills[1].visible_text
    assert cards.nth(2).locator(".x-sentence").inner_text() == results[2].text.replace("<mask>", other)
    assert page.locator("#fill-several input").is_checked()
    assert page.locator("#fill-lens .x-action").count() == 0


@pytest.mark.slow
def test_several_sentences_are_typed(page, session: Session) -> None:
    page.locator("#fill-several input").check()
    box = page.locator("#fill-text textarea")
    page.wait_for_function("document.querySelector('#fill-text textarea').rows === 4")
    box.press_sequentially("a <mask>")
    box.press("Enter")
    box.press_sequentially("two <mask> <mask>")
    box.press("Shift+Enter")
    wait_for_result(page, "a <mask>\ntwo <mask> <mask>")
    assert on_screen(page) == [rows for text in ("a <mask>", "two <mask> <mask>") for rows in expected(session, text)]
    page.locator("#fill-several input").uncheck()
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    assert page.locator(".x-tokens").count() == 1


def layers(page) -> list[list[list[str]]]:
    page.locator("#fill-lens .x-layers").first.wait_for()
    return [
        [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
        for table in page.locator("#fill-lens table").all()
    ]


@pytest.mark.slow
def test_layer_by_layer_when_asked(page, session: Session) -> None:
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    assert page.locator("#fill-lens table").count() == 0
    page.get_by_role("button", name="Layer by layer").click()
    tables = layers(page)
    lens = filling.layers(session, TWO_MASKS, 3)
    assert [len(rows) for rows in tables] == [session.model.config.num_hidden_layers + 1] * 2
    for place, rows in enumerate(tables):
        assert [[cell.split() for cell in cells] for cells in rows] == [
            [[*f.label.split(), format_percent(f.probability)] for f in states[place].fills] for states in lens.cells
        ]
        assert [cell.split() for cell in rows[-1]] == [list(pair) for pair in expected(session, TWO_MASKS, 3)[place]]
        finals = [states[place].fills[0].id == lens.cells[-1][place].fills[0].id for states in lens.cells]
        assert page.locator("#fill-lens table").nth(place).locator(".x-final").count() == sum(finals)
    # What is filled next has its layers as well, until they are put away.
    fill(page, "Another <mask>")
    wait_for_result(page, "Another <mask>")
    page.wait_for_function("document.querySelectorAll('#fill-lens table').length === 1")
    link = page.evaluate("window.xlmrxl.getLink('fill')")
    page.locator("#fill-lens .x-action").first.click()
    page.locator("#fill-lens table").wait_for(state="detached")
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    assert page.locator("#fill-lens .x-action").get_attribute("data-now") is None
    again = page.context.new_page()
    again.goto(link)
    wait_for_result(again, "Another <mask>")
    assert layers(again) == [
        [[f"{f.label}\n{format_percent(f.probability)}" for f in states[0].fills] for states in lens_.cells]
        for lens_ in [filling.layers(session, "Another <mask>", 3)]
    ]


@pytest.mark.slow
def test_link_opens_several_sentences_and_given_words(page, served: str) -> None:
    page.locator("#fill-targets textarea").fill("a, cat")
    page.locator("#fill-several input").check()
    page.locator("#fill-text textarea").fill("a <mask>\nزه <mask>")
    page.get_by_role("button", name="Fill masks").click()
    wait_for_result(page, "a <mask>\nزه <mask>")
    before = on_screen(page)
    again = page.context.new_page()
    again.goto(page.evaluate("window.xlmrxl.getLink('fill')"))
    wait_for_result(again, "a <mask>\nزه <mask>")
    assert on_screen(again) == before
    assert again.locator("#fill-several input").is_checked()
    assert again.locator("#fill-text textarea").get_attribute("rows") == "4"
    assert again.locator("#fill-targets textarea").input_value() == "a, cat"


@pytest.mark.slow
@pytest.mark.parametrize(("place", "columns"), [("#fill-output", "text,mask,fill"), ("#fill-lens", "state,position")])
def test_files(page, place: str, columns: str) -> None:
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    page.get_by_role("button", name="Layer by layer").click()
    layers(page)
    with page.expect_download() as kept:
        page.locator(f"{place} [data-file=csv]").click()
    assert Path(kept.value.path()).read_text().startswith(columns)


@pytest.mark.slow
def test_files_of_several_sentences(page) -> None:
    page.locator('#fill-templates [data-index="0"]').click()
    wait_for_result(page, TEMPLATES[0].text)
    with page.expect_download() as kept:
        page.locator("#fill-output [data-file=csv]").click()
    assert Path(kept.value.path()).read_text().startswith("line,text,mask,fill,begins_word,probability")


@pytest.mark.slow
def test_an_example_is_filled_at_once(page, session: Session) -> None:
    for index in (0, 9, 13):
        page.locator(f'#fill-examples [data-index="{index}"]').click()
        wait_for_result(page, EXAMPLES[index].text)
        assert page.locator("#fill-text textarea").input_value() == EXAMPLES[index].text
        assert on_screen(page) == expected(session, EXAMPLES[index].text)


def test_error_stands_in_place_and_goes_away(page) -> None:
    fill(page, "no gap here")
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert "<mask>" in problem.inner_text()
    assert "Traceback" not in page.content()
    assert page.locator(".x-result").count() == 0
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    assert page.locator(".x-problem").count() == 0


def test_what_is_typed_stays_text(page) -> None:
    for attack in (
        "<script>window.hacked = 1</script>",
        "<img src=x onerror='window.hacked = 1'>",
        '" onmouseover="window.hacked = 1" x="',
        "${window.hacked = 1} {{value}} `${1}`",
    ):
        text = f"a <mask> {attack}"
        fill(page, text)
        wait_for_result(page, text)
        assert page.locator(".x-sentence").inner_text().endswith(attack)
        page.locator(".x-chip").last.hover()
        assert page.evaluate("window.hacked") is None
        assert page.locator("#fill-output :is(script, img)").count() == 0


@pytest.mark.slow
def test_direction(page) -> None:
    for language, direction in (("ar", "rtl"), ("he", "rtl"), ("th", "ltr")):
        text = next(example.text for example in EXAMPLES if example.language == language)
        fill(page, text)
        wait_for_result(page, text)
        for place in (".x-sentence", ".x-tokens"):
            assert page.locator(place).evaluate("e => getComputedStyle(e).direction") == direction, language
        first, last = page.locator(".x-chip").first.bounding_box(), page.locator(".x-chip").last.bounding_box()
        assert (first["x"] > last["x"]) == (direction == "rtl"), language


def test_keyboard_alone(page, session: Session) -> None:
    page.locator("#fill-text textarea").focus()
    page.keyboard.type("The ")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "fill-insert"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.tagName === 'TEXTAREA'")
    page.keyboard.type(" is here.")
    page.keyboard.press("Enter")
    text = "The <mask> is here."
    wait_for_result(page, text)
    assert on_screen(page) == expected(session, text)
    # In the list, arrows walk and Enter puts another fill into the sentence.
    page.locator(".x-fills tbody button").first.focus()
    page.keyboard.press("ArrowDown")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    second = session.fill_mask(text).masks[0].fills[1]
    assert page.locator(".x-sentence").inner_text() == f"The {second.visible_text} is here."
    assert page.locator(".x-fills [aria-pressed=true] bdi").inner_text() == second.label


def test_token_is_masked_by_a_click(page) -> None:
    fill(page, "She <mask> him")
    wait_for_result(page, "She <mask> him")
    chip = page.locator("button.x-chip").first
    chip.hover()
    readout = page.locator(".x-readout").inner_text()
    assert re.search(r"id \d+ · characters \d+ to \d+", readout), readout
    chip.click()
    page.locator(".x-fills").nth(1).wait_for()
    assert page.locator("#fill-text textarea").input_value().count("<mask>") == 2


@pytest.mark.slow
def test_selected_word_is_replaced_by_a_mask(page) -> None:
    page.locator("#fill-text textarea").fill("one two three")
    page.locator("#fill-text textarea").evaluate("box => { box.focus(); box.setSelectionRange(4, 8); }")
    page.get_by_role("button", name="Insert <mask>").click()
    page.wait_for_function("document.querySelector('#fill-text textarea').value === 'one <mask> three'")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_screens(page, served: str, tmp_path: Path, theme: str) -> None:
    page.goto(f"{served}/?__theme={theme}")
    fill(page, TWO_MASKS)
    wait_for_result(page, TWO_MASKS)
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 812})
        # Nothing sticks out of the page.
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        path = tmp_path / f"{theme}-{width}.png"
        picture = Image.open(io.BytesIO(page.screenshot(path=path, full_page=True))).convert("L")
        assert len(picture.getcolors()) > 50
        counts = picture.histogram()
        assert (counts.index(max(counts)) < 64) == (theme == "dark")
