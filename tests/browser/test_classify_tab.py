"""The tab that classifies, as a person meets it: typing, pressing, labels and templates of one's own, the words behind
a label, teaching by examples and files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from xlmrxl.app.examples import LESSONS, TEXTS
from xlmrxl.app.handlers import teaching
from xlmrxl.rendering.formats import format_percent
from xlmrxl.session import Session

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "She is here today"
OUTPUT, WHY = "#classify-output", "#classify-why"


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Classify").click()
    page.locator("#classify-text textarea").wait_for()
    return page


def classify(page, text: str, labels: str) -> None:
    page.locator("#classify-labels textarea").fill(labels)
    page.locator("#classify-text textarea").fill(text)
    page.get_by_role("button", name="Classify", exact=True).click()


def wait_for_result(page, text: str) -> None:
    page.wait_for_function("t => document.querySelector('#classify-output .x-result')?.dataset.text === t", arg=text)


def on_screen(page) -> list[tuple[str, list[str]]]:
    rows = page.locator(f"{OUTPUT} tbody tr").all()
    return [(row.locator("th").inner_text(), row.locator(".x-percent").all_inner_texts()) for row in rows]


def test_typed_text_shows_what_the_session_answers(tab, session: Session) -> None:
    classify(tab, TEXT, "cat, dog, here")
    wait_for_result(tab, TEXT)
    # As the task is still that of the topics, so are the templates.
    found = session.classify(TEXT, ["cat", "dog", "here"]).labels
    assert on_screen(tab) == [
        (label.label, [format_percent(label.score), format_percent(label.raw)]) for label in found
    ]


def test_words_behind_a_label_show_when_they_are_asked_for(tab, session: Session) -> None:
    classify(tab, TEXT, "cat, dog")
    wait_for_result(tab, TEXT)
    assert tab.locator(f"{WHY} .x-why").count() == 0
    tab.get_by_role("button", name="Which words made it so").click()
    words = tab.locator(f"{WHY} .x-words span")
    words.first.wait_for()
    assert words.all_inner_texts() == TEXT.split()
    words.last.hover()
    assert tab.locator(f"{WHY} .x-readout").inner_text().startswith("today ")
    second = session.classify(TEXT, ["cat", "dog"]).labels[1].label
    tab.get_by_role("button", name=second, exact=True).click()
    tab.locator(f"{WHY} .x-title b", has_text=second).wait_for()
    # Another text takes the words away.
    classify(tab, "Another text", "cat, dog")
    wait_for_result(tab, "Another text")
    assert tab.locator(f"{WHY} .x-why").count() == 0


def test_task_brings_its_labels_and_its_second_text(tab) -> None:
    tab.locator("#classify-task input").click()
    tab.get_by_role("option", name="Entailment").click()
    tab.locator("#classify-text-pair textarea").wait_for()
    assert "contradiction" in tab.locator("#classify-labels textarea").input_value()
    tab.locator("#classify-text textarea").fill(TEXT)
    tab.locator("#classify-text-pair textarea").fill("He is there")
    tab.locator("#classify-text-pair textarea").press("Enter")
    wait_for_result(tab, TEXT)
    assert {name for name, _ in on_screen(tab)} == {"entailment", "neutral", "contradiction"}
    assert tab.get_by_role("button", name="Which words made it so").count() == 0


def test_example_and_error_stand_in_place(tab, session: Session) -> None:
    tab.locator('#classify-examples [data-index="0"]').click()
    wait_for_result(tab, TEXTS[0].text)
    assert len(on_screen(tab)) == len(session.classify(TEXTS[0].text).labels)
    classify(tab, TEXT, "one")
    problem = tab.get_by_role("alert")
    problem.wait_for()
    assert "two or more" in problem.inner_text()


def test_what_is_typed_stays_text(tab) -> None:
    text = "a <img src=x onerror='window.hacked = 1'> ${window.hacked = 1}"
    classify(tab, text, "cat, <script>here</script>")
    wait_for_result(tab, text)
    tab.get_by_role("button", name="Which words made it so").click()
    tab.locator(f"{WHY} .x-words").wait_for()
    assert tab.locator(f"{WHY} .x-words").inner_text() == text
    assert tab.evaluate("window.hacked") is None
    assert tab.locator(":is(#classify-output, #classify-why) :is(script, img)").count() == 0


def test_templates_can_be_changed_and_are_in_the_link(tab, session: Session) -> None:
    classify(tab, TEXT, "cat, dog")
    wait_for_result(tab, TEXT)
    tab.wait_for_function("location.hash.includes('labels=cat')")
    assert "templates=" not in tab.url
    box = tab.locator("#classify-templates textarea")
    assert not box.is_visible()
    tab.locator("#classify-more").get_by_text("Templates").click()
    # Gradio mounts what an accordion holds when it opens, and puts its first value in once more a moment later.
    tab.wait_for_timeout(1000)
    box.fill("{text} That is <mask>.")
    tab.get_by_role("button", name="Classify", exact=True).click()
    tab.wait_for_function("location.hash.includes('templates=')")
    found = session.classify(TEXT, ["cat", "dog"], templates=["{text} That is <mask>."]).labels
    expected = [(label.label, [format_percent(label.score), format_percent(label.raw)]) for label in found]
    assert on_screen(tab) == expected
    other = tab.context.new_page()
    other.goto(tab.url)
    wait_for_result(other, TEXT)
    assert on_screen(other) == expected
    assert other.locator("#classify-templates textarea").input_value() == "{text} That is <mask>."
    other.close()
    # Another task puts its own templates there.
    tab.locator("#classify-task input").click()
    tab.get_by_role("option", name="Sentiment").click()
    tab.wait_for_function("document.querySelector('#classify-templates textarea').value.includes('It was')")


def teach(page) -> None:
    page.locator("#classify-by").get_by_text("by examples").click()
    page.locator("#teach-examples textarea").wait_for()


def wait_for_lesson(page, texts: int) -> None:
    page.wait_for_function(
        "n => document.querySelector('#teach-output .x-result')?.dataset.texts === n", arg=str(texts)
    )


def taught_on_screen(page) -> list[tuple[str, str, str]]:
    rows = page.locator("#teach-output .x-tested tbody tr").all()
    cells = [(row.locator("th"), row.locator(".x-label bdi").first, row.locator(".x-percent")) for row in rows]
    return [tuple(cell.inner_text() for cell in row) for row in cells]


def as_taught(results) -> list[tuple[str, str, str]]:
    return [(each.text, each.label, format_percent(each.labels[0].score)) for each in results]


def test_sixteen_examples_teach_and_other_languages_are_tested(tab, session: Session) -> None:
    teach(tab)
    example = LESSONS[0]
    tab.locator("#teach-examples textarea").fill(example.text)
    tests = f"{example.tests}\nfood: أكلنا الخبز.\npolitics: استقال الوزير."
    tab.locator("#teach-tests textarea").fill(tests)
    assert not tab.locator("#teach-again").is_visible()
    tab.get_by_role("button", name="Teach and test").click()
    lesson = teaching.learn(session, example.text, tests)
    wait_for_lesson(tab, len(lesson.results))
    assert taught_on_screen(tab) == as_taught(lesson.results)
    measured = tab.locator("#teach-output .x-lesson .x-right").all_inner_texts()
    assert measured == [format_percent(lesson.taught.accuracy), format_percent(lesson.tested.accuracy)]
    assert tab.locator('#teach-output [dir="rtl"]').count() == 2

    # More texts without teaching again, in one more language.
    more = ["Il presidente parla.", "O médico chegou."]
    tab.locator("#teach-tests textarea").fill("\n".join(more))
    tab.locator("#teach-again").click()
    wait_for_lesson(tab, 2)
    again = teaching.try_out(session, lesson.taught, more)
    assert taught_on_screen(tab) == as_taught(again.results)

    with tab.expect_download() as started:
        tab.get_by_role("button", name="Download the classifier").click()
    assert started.value.suggested_filename == "classifier.zip"
    with tab.expect_download() as started:
        tab.locator("#teach-output").get_by_role("button", name="CSV").click()
    assert more[1] in Path(started.value.path()).read_text(encoding="utf-8")


def test_a_link_opens_what_was_taught(tab) -> None:
    teach(tab)
    tab.locator('#teach-sets [data-index="1"]').click()
    wait_for_lesson(tab, len(LESSONS[1].tests.splitlines()))
    tab.wait_for_function("location.hash.includes('by=teach')")
    other = tab.context.new_page()
    other.goto(tab.url)
    wait_for_lesson(other, len(LESSONS[1].tests.splitlines()))
    assert taught_on_screen(other) == taught_on_screen(tab)
    assert other.locator("#teach-examples textarea").input_value() == LESSONS[1].text
    other.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_teaching_has_no_serious_violation_of_accessibility(page, served: str, theme: str) -> None:
    page.set_viewport_size({"width": 375, "height": 812})
    page.goto(
        f"{served}/?__theme={theme}#tab=classify&by=teach&examples=a%3A+b%0Aa%3A+c%0Ad%3A+e%0Ad%3A+f&tests=a%3A+g"
    )
    page.add_style_tag(content="*, *::before, *::after { transition: none !important; animation: none !important; }")
    wait_for_lesson(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response
    assert len(found["passes"]) > 20
    assert not [(each["id"], each["nodes"]) for each in found["violations"] if each["impact"] != "minor"]


def upload(page, path: Path) -> None:
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Upload a CSV").click()
    asked.value.set_files(path)


def test_examples_come_from_a_file(tab, tmp_path: Path) -> None:
    teach(tab)
    path = tmp_path / "examples.csv"
    path.write_text('text,label\n"A cat, here",cat\nكلب كبير,dog\n', encoding="utf-8")
    upload(tab, path)
    tab.wait_for_function("document.querySelector('#teach-examples textarea').value.length > 5")
    assert tab.locator("#teach-examples textarea").input_value() == "cat: A cat, here\ndog: كلب كبير"
    for name, content, word in (
        ("wide.csv", b"a," * 90_000, "two columns"),
        ("archive.csv", b"PK\x03\x04\0\0", "UTF-8"),
        ("other.csv", b"<b>a</b>,b\n1,2\n", "column label"),
    ):
        (tmp_path / name).write_bytes(content)
        upload(tab, tmp_path / name)
        tab.locator("#teach-output").get_by_role("alert").filter(has_text=word).wait_for()
    assert tab.locator("#teach-examples textarea").input_value() == "cat: A cat, here\ndog: كلب كبير"
    for name, content, word in (
        ("bomb.csv", b"," * 1_000_000, "maximum allowed size"),
        ("program.exe", b"MZ", "one file at a time: .csv, .tsv, .jsonl"),
    ):
        (tmp_path / name).write_bytes(content)
        upload(tab, tmp_path / name)
        tab.get_by_text(word).wait_for()
    # The next thing works.
    tab.locator('#teach-sets [data-index="0"]').click()
    wait_for_lesson(tab, len(LESSONS[0].tests.splitlines()))


def test_teaching_says_what_is_missing_and_keeps_text_text(tab) -> None:
    teach(tab)
    evil = "<img src=x onerror='window.hacked = 1'>"
    tab.locator("#teach-examples textarea").fill(f"{evil}: a\n{evil}: b")
    tab.get_by_role("button", name="Teach and test").click()
    problem = tab.locator("#teach-output").get_by_role("alert")
    problem.wait_for()
    assert re.search("shorten|another one", problem.inner_text())
    tab.locator("#teach-examples textarea").fill("<b>a</b>: one cat\n<b>a</b>: two cat\nb: one dog\nb: two dog")
    tab.locator("#teach-tests textarea").fill(evil)
    tab.get_by_role("button", name="Teach and test").click()
    wait_for_lesson(tab, 1)
    assert taught_on_screen(tab)[0][0] == evil
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("#teach-output :is(script, img)").count() == 0
