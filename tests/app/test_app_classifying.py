"""The tabs Classify and Choose without a browser: templates, teaching by examples, files of strangers, visitors
together, what is copied and saved, and the endpoints on a real server."""

from __future__ import annotations

import asyncio
import base64
import csv
import dataclasses
import io
import json
import pickle
import re
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from closeness import approximate

import xlmrxl
from xlmrxl.app import create_app, handlers, render
from xlmrxl.app.examples import CHOICES, LESSONS, TEXTS
from xlmrxl.app.handlers import MAX_TEXT, choosing, classifying, teaching
from xlmrxl.app.handlers.classifying import MAX_LABEL, MAX_LABELS, MAX_TEMPLATE, MAX_TEMPLATES
from xlmrxl.app.handlers.teaching import MAX_CHARACTERS, MAX_FILE, MAX_ROWS
from xlmrxl.app.render import teaching as lessons
from xlmrxl.app.served import Served
from xlmrxl.app.stopping import Stopped
from xlmrxl.app.together import Together
from xlmrxl.rendering.formats import format_percent, format_signed
from xlmrxl.session import Session
from xlmrxl.tasks.labels import to_label_texts
from xlmrxl.tasks.linear_classifier import LinearClassifier

EVIL = "<script>\"'&"
TEXT = "She is here today"
OWN = "{text} That is <mask>."
EXAMPLES = """cat: A cat sleeps here.
cat: The cat drinks milk.
cat: My cat is old.
cat: Her cat is grey.
dog: A dog runs there.
dog: The dog eats meat.
dog: His dog is big.
dog: Our dog barks."""
TESTS = """cat: El gato duerme.
Der Hund ist groß.
dog: كلبي كبير
10:30 is no label"""


@pytest.fixture(scope="module")
def session(checkpoint: Path) -> Session:
    return xlmrxl.load(checkpoint)


@pytest.fixture(scope="module")
def lesson(session: Session) -> teaching.Lesson:
    return teaching.learn(session, EXAMPLES, TESTS)


@pytest.fixture(scope="module")
def app(session: Session) -> gr.Blocks:
    async def build() -> gr.Blocks:  # with a loop running Gradio opens none of its own, which it would never close
        return create_app(session)

    return asyncio.run(build())


def problem(work: Callable[[], Any]) -> str:
    """The one sentence that a person reads."""
    outcome = handlers.attempt(work, "a test")
    assert outcome.result is None
    assert outcome.problem != handlers.UNEXPECTED
    assert "\n" not in outcome.problem
    return outcome.problem


def page_function(app: gr.Blocks, name: str) -> Callable[..., Any]:
    return next(function.fn for function in app.fns.values() if function.name == name)


def ran(html: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the lines of Python that a page has copied leave behind, run where the model lies."""
    monkeypatch.chdir(checkpoint.parent)
    names: dict[str, Any] = {}
    exec(unescape(re.search('data-copy="(import[^"]*)"', html)[1]), names)
    return names


def percentages(html: str) -> list[str]:
    """Those in cells, without the ones of scales and styles."""
    return [unescape(found) for found in re.findall(r'class="x-percent">([^<]*%|&lt;[^<]*%)<', html)]


def test_untouched_templates_are_the_tasks_own(session: Session) -> None:
    for task, language in (("topic", "en"), ("sentiment", "sw"), ("own", "en")):
        shown = classifying.task_templates(task, language)
        asked = classifying.classify(session, TEXT, "", language, task, "", shown + "\n\n")
        expected = session.classify(TEXT, task="topic" if task == "own" else task, language=language)
        assert asked.result == expected
        assert "templates" not in asked.options
        assert classifying.changed_templates(f" {shown} \r\n", task, language) == ""
    assert classifying.task_templates([], {}) == ""


def test_changed_templates_are_used(session: Session) -> None:
    assert classifying.changed_templates(OWN, "topic", "en") == OWN
    found = classifying.classify(session, TEXT, "", "en", "sentiment", "", f"{OWN}\n{{text}} <mask>")
    expected = session.classify(TEXT, task="sentiment", templates=[OWN, "{text} <mask>"])
    assert found.result == expected != session.classify(TEXT, task="sentiment")
    named = classifying.classify(session, TEXT, "cat, dog", "en", "own", "", OWN)
    assert named.result == session.classify(TEXT, ["cat", "dog"], templates=[OWN])
    pair = classifying.classify(session, TEXT, "cat, dog", "en", "own", "He is", "{text} <mask> {text_pair}")
    assert pair.result == session.classify((TEXT, "He is"), ["cat", "dog"], templates=["{text} <mask> {text_pair}"])


@pytest.mark.parametrize(
    ("templates", "word"),
    [
        (5, "string"),
        (["{text} <mask>"], "string"),
        ("no place", "{text}"),
        ("{text} no mask", "<mask>"),
        ("{text} {text} <mask>", "exactly once"),
        ("{text} <mask> {text_pair}", "no second text"),
        ("\n".join(f"{number} {OWN}" for number in range(MAX_TEMPLATES + 1)), "leave some out"),
        (OWN + "a" * MAX_TEMPLATE, "shorten"),
        ("{text} <mask>\n" * 2_000, "leave some out"),
    ],
)
def test_templates_are_bounded(session: Session, templates: object, word: str) -> None:
    assert word in problem(lambda: classifying.classify(session, TEXT, "", "en", "topic", "", templates))


def test_a_head_of_its_own_has_no_templates(session: Session) -> None:
    head = xlmrxl.XLMRobertaXLForSequenceClassification(session.model.config).eval()
    other = dataclasses.replace(session, model=head)
    assert classifying.classify(other, TEXT, "", "en", "topic", "", "").result == other.classify(TEXT)
    assert "its own labels" in problem(lambda: classifying.classify(other, TEXT, "", "en", "topic", "", OWN))
    taught = other.fit_classifier(*taught_with(EXAMPLES), progress=False)
    assert teaching.learn(other, EXAMPLES, "").taught.accuracy == taught.accuracy


def test_a_label_is_named_by_itself(session: Session) -> None:
    done = classifying.classify(session, TEXT, "cat, dog", "en", "own", "", OWN)
    second = done.result.labels[1].label
    found = classifying.explain(session, done, classifying.of_label(done, second))
    assert found == session.attribute(TEXT, ["cat", "dog"], label=second, templates=[OWN], progress=False)
    assert classifying.of_label(done, "") == {"index": 0}
    for label in ("bird", 5, ["cat"]):
        assert "no such label" in problem(lambda label=label: classifying.of_label(done, label))


def taught_with(examples: str) -> tuple[list[str], list[str]]:
    """Texts and labels, read here once more."""
    parts = [line.split(": ", 1) for line in examples.splitlines()]
    return [text for _, text in parts], [label for label, _ in parts]


def test_teaching_is_what_the_session_does(session: Session, lesson: teaching.Lesson) -> None:
    taught = session.fit_classifier(*taught_with(EXAMPLES), progress=False)
    texts = ["El gato duerme.", "Der Hund ist groß.", "كلبي كبير", "10:30 is no label"]
    expected = taught.classify(texts, progress=False)
    assert lesson.results == tuple(expected)
    assert lesson.given == ("cat", None, "dog", None)
    kept = lesson.taught
    assert (kept.accuracy, kept.state, kept.pooling, kept.C) == (
        taught.accuracy, taught.state, taught.pooling, taught.C,
    )  # fmt: skip
    assert lesson.majority == 0.5
    right = [expected[0].label == "cat", expected[2].label == "dog"]
    assert lesson.tested.texts == 2
    assert lesson.tested.accuracy == sum(right) / 2
    # Two texts alone are another batch than these two among four.
    report = taught.report([texts[0], texts[2]], ["cat", "dog"], progress=False)
    assert asdict(lesson.tested) == approximate(asdict(report))


def test_ways_to_write_examples() -> None:
    by_tab = EXAMPLES.replace(": ", "\t")
    wide = EXAMPLES.replace(": ", "：")
    for written in (by_tab, wide, f"\n{EXAMPLES}\r\n\r\n", EXAMPLES.splitlines()):
        assert teaching.examples_asked(written) == teaching.examples_asked(EXAMPLES)
    assert teaching.examples_asked("a: b: c\nd\t e:f \na: 1\nd: 2")[:2] == (("a", "b: c"), ("d", "e:f"))
    assert teaching.tests_asked(" a: x \nb: y\na:\nz", {"a"}) == (("x", "a"), ("b: y", None), ("a:", None), ("z", None))
    assert teaching.tests_asked("", {"a"}) == ()


@pytest.mark.parametrize(
    ("examples", "word"),
    [
        ("", "no examples"),
        (None, "list of strings"),
        ([1, 2], "list of strings"),
        ({"a": "b"}, "list of strings"),
        ("no label", "before a colon"),
        (": text", "lacks its label"),
        ("label:", "lacks its text"),
        ("a: b\na: c", "another one"),
        ("a: b\na: c\nb: d", "one example of 'b'"),
        ("\n".join(f"{i // 2}: x" for i in range(2 * (MAX_LABELS + 1))), "labels, the app takes"),
        ("a: b\n" * (MAX_ROWS + 1), "leave some out"),
        ("a" * (MAX_LABEL + 1) + ": b", "shorten"),
        ("a: " + "b" * (MAX_TEXT + 1), "shorten"),
        ("a: b\n" * MAX_CHARACTERS, "leave some out"),
        (["a: " + "b" * (MAX_TEXT + 1)], "shorten"),
    ],
)
def test_examples_are_bounded(session: Session, examples: object, word: str) -> None:
    started = time.process_time()  # on a busy machine, others may have the processor in between
    assert word in problem(lambda: teaching.learn(session, examples, ""))
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (None, "list of strings"),
        (5, "list of strings"),
        ("a\n" * (MAX_ROWS + 1), "leave some out"),
        ("a" * (MAX_TEXT + 1), "shorten"),
        ("a" * (MAX_CHARACTERS + 1), "leave some out"),
    ],
)
def test_texts_to_test_are_bounded(session: Session, texts: object, word: str) -> None:
    assert word in problem(lambda: teaching.learn(session, EXAMPLES, texts))


def test_what_was_taught_is_kept_without_the_model(session: Session, lesson: teaching.Lesson) -> None:
    kept = pickle.loads(pickle.dumps(lesson)).taught  # as it comes back from elsewhere
    assert kept.loaded_model is None
    assert len(pickle.dumps(kept)) < 50_000
    again = teaching.try_out(session, kept, "cat: Mi gato\nالكلب هنا")
    expected = session.fit_classifier(*taught_with(EXAMPLES), progress=False).classify(
        ["Mi gato", "الكلب هنا"], progress=False
    )
    assert again.results == tuple(expected)
    assert again.given == ("cat", None)
    other = dataclasses.replace(session, name="another")
    assert "teach again" in problem(lambda: teaching.try_out(other, kept, "Mi gato"))
    assert "no text" in problem(lambda: teaching.try_out(session, kept, "\n"))
    assert "Nothing has been taught" in problem(lambda: teaching.try_out(session, None, "Mi gato"))


def test_the_classifier_can_be_taken_along(session: Session, lesson: teaching.Lesson, tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(teaching.packed(session, lesson.taught))))
    assert archive.namelist() == [
        "classifier/classifier.json",
        "classifier/classifier.safetensors",
    ]  # nothing that is run
    archive.extractall(tmp_path)
    loaded = LinearClassifier.load(tmp_path / "classifier", session)
    assert loaded.classify([result.text for result in lesson.results], progress=False) == list(lesson.results)
    assert "Nothing has been taught" in problem(lambda: teaching.packed(session, None))


def test_a_lesson_is_saved(lesson: teaching.Lesson) -> None:
    rows = list(csv.DictReader(io.StringIO(lesson.to_csv())))
    assert [(row["text"], row["label"], float(row["probability"])) for row in rows] == [
        (result.text, result.label, result.labels[0].score) for result in lesson.results
    ]
    assert [row["given"] for row in rows] == ["cat", "", "dog", ""]
    content = json.loads(lesson.to_json())
    assert content["report"]["accuracy"] == lesson.taught.accuracy
    assert content["predictions"][2]["given"] == "dog"


def written(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


TABLE = [("cat", '"A" cat, here'), ("dog", "كلب\nكبير"), ("b: c", "=1+1"), ("猫", "小猫在睡觉。")]


@pytest.mark.parametrize("name", ["a.csv", "b.TSV", "c.jsonl", "d.csv"])
def test_examples_are_read_from_files(tmp_path: Path, name: str) -> None:
    out = io.StringIO()
    if name == "c.jsonl":
        out.writelines(json.dumps({"text": text, "label": label, "more": 1}) + "\n" for label, text in TABLE)
    else:
        delimiter = {"a.csv": ",", "b.TSV": "\t", "d.csv": ";"}[name]
        table = [("Text", "more", " label "), *((text, "", label) for label, text in TABLE)]
        if name == "b.TSV":  # is literal, a quote that opens nothing among its signs
            table = [tuple(cell.replace("\n", " ") for cell in row) for row in table]
            out.writelines(delimiter.join(row) + "\n" for row in table)
        else:
            csv.writer(out, delimiter=delimiter).writerows(table)
    lines = teaching.from_file(written(tmp_path, name, b"\xef\xbb\xbf" + out.getvalue().encode()))
    found = [teaching._example(1, line) for line in lines.split("\n")]
    assert found == [(label, text.replace("\n", " ")) for label, text in TABLE]


@pytest.mark.parametrize("values", [[0, 1.0], [True, False], ["0", "1"]])
def test_labels_of_a_file_may_be_numbers_or_booleans(tmp_path: Path, values: list[Any]) -> None:
    rows = [{"text": "a", "label": value} for value in values]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert teaching.from_file(path).split("\n") == [f"{label}: a" for label in to_label_texts(values)]


@pytest.mark.parametrize("values", [[0, "0"], [True, 1], ["True", True]])
def test_labels_of_several_kinds_are_not_merged(tmp_path: Path, values: list[Any]) -> None:
    rows = [{"text": "a", "label": value} for value in values]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert "several kinds" in problem(lambda: teaching.from_file(path))


def test_only_line_breaks_part_examples() -> None:
    given = "cat: one\u2028two\r\ndog: a\x0cb\x85c\x1cd"
    assert [example.text for example in teaching.examples_asked(f"{given}\n" * 2)] == [
        "one\u2028two",
        "a\x0cb\x85c\x1cd",
    ] * 2


BAD_FILES = {
    "no.txt": (b"text,label\na,b\n", "must end in"),
    "model.safetensors": (b"", "must end in"),
    "empty.csv": (b"", "no first line"),
    "header.csv": (b"text,label\n", "no rows"),
    "columns.csv": (b"a,b\n1,2\n", "no column label"),
    "short.csv": (b"text,label\na\n", "1 fields"),
    "blank.csv": (b"text,label\na,\n", "no label"),
    "long.csv": (b"text,label\n" + b"a" * (MAX_TEXT + 1) + b",b\n", "shorten"),
    "label.csv": (b"text,label\na," + b"b" * (MAX_LABEL + 1) + b"\n", "shorten"),
    "line.csv": (b"text,label\n" + b"a" * 1_000_000 + b",b\n", "bytes"),
    "million.csv": (b"," * 1_000_000, "bytes"),
    "wide.csv": (b"a," * (MAX_FILE // 2 - 1), "two columns"),
    "names.csv": (",".join(map(str, range(30_000))).encode() + b"\na,b\n", "2 fields"),
    "one_name.csv": (b"a" * 150_000 + b"," + b"a" * 40_000, "cannot be read"),
    "twice.csv": (b"a" * 90_000 + b"," + b"a" * 90_000 + b"\n1,2\n", "two columns"),
    "quotes.csv": (b'text,label\n"a,b\n' + b"c,d\n" * 10_000, "row"),
    "quotes2.csv": (b'text,label\n"a,""b\n' + b'""c,d\n' * 10_000, "row"),
    "nothing.csv": (b"text,label\na\0,b\n", "no text in UTF-8"),
    "archive.csv": (b"PK\x03\x04\x14\0\0\0\x08\0" + b"\xff\xfe" * 100, "no text in UTF-8"),
    "program.tsv": (b"\x7fELF\x02\x01\x01" + b"\xc0\x80" * 100, "cannot be read"),
    "utf16.csv": ("text,label\na,b\n".encode("utf-16"), "no text in UTF-8"),
    "latin.csv": (b"text,label\n\xe9t\xe9,b\n", "UTF-8"),
    "rows.csv": (b"text,label\n" + b"a,b\n" * (MAX_ROWS + 1), "rows"),
    "deep.jsonl": (b"[" * 100_000 + b"\n", "cannot be read"),
    "list.jsonl": (b'{"text": ["a"], "label": "b"}\n', "no text"),
    "number.jsonl": (b"5\n", "cannot be read"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_gets_one_sentence_and_costs_little(tmp_path: Path, name: str) -> None:
    content, word = BAD_FILES[name]
    path = written(tmp_path, name, content)
    started = time.process_time()  # on a busy machine, others may have the processor in between
    said = problem(lambda: teaching.from_file(path))
    assert time.process_time() - started < 2
    assert word.lower() in said.lower()
    assert len(said) <= 400
    assert str(tmp_path) not in said  # where files lie is nobody's business


def test_an_uploaded_file_is_not_kept(app: gr.Blocks, tmp_path: Path) -> None:
    read = page_function(app, "read_file")
    path = written(tmp_path, "a.csv", b"text,label\nA cat,cat\n")
    assert read(path)[0] == "cat: A cat"
    assert not Path(path).exists()
    assert "choose it again" in read(path)[1]
    path = written(tmp_path, "b.csv", b"PK\x03\x04")
    assert 'role="alert"' in read(path)[1]
    assert not Path(path).exists()


def test_what_was_taught_is_escaped(session: Session) -> None:
    examples = EXAMPLES.replace("cat:", f"{EVIL}:")
    lesson = teaching.learn(session, examples, f"{EVIL}: {EVIL} a\ndog: {EVIL} b")
    evil = dataclasses.replace(LESSONS[0], name=EVIL, labels=(EVIL,), tested=EVIL)
    done = classifying.classify(session, f"{EVIL} is", f"cat, {EVIL}", "en", "own", "", f"{EVIL} {OWN}")
    words = classifying.explain(session, done, classifying.of_label(done, EVIL))
    for part in (
        lessons.render_lesson(lesson),
        lessons.render_sets((evil,)),
        dataclasses.replace(words, is_probability=True).to_html(),
        render.render_actions("classify", repr(done.options), "", [EVIL]),
        render.render_problem(problem(lambda: teaching.learn(session, f"{EVIL}: a\n{EVIL}: b", ""))),
    ):
        assert "<script" not in part
        assert "&lt;script&gt;" in part
        assert "\"'&" not in part


def test_a_lesson_shows_every_text_and_its_baselines(lesson: teaching.Lesson) -> None:
    html = lessons.render_lesson(lesson)
    assert percentages(html) == [format_percent(result.labels[0].score) for result in lesson.results]
    assert html.count('dir="rtl"') == 1
    assert html.count("x-was") == 2
    for share in (lesson.taught.accuracy, lesson.majority, lesson.tested.accuracy, lesson.tested.majority):
        assert format_percent(share) in html
    only = lessons.render_lesson(dataclasses.replace(lesson, results=(), given=(), tested=None))
    assert "x-tested" not in only
    assert only.count("<tr>") == 2  # the heads, and the examples


def test_sets_of_examples_can_be_taught() -> None:
    for example in LESSONS:
        given = teaching.examples_asked(example.text)
        assert len(given) == 16
        assert {each.label for each in given} == set(example.labels)
        tests = teaching.tests_asked(example.tests, set(example.labels))
        assert len(tests) >= 8
        assert all(each.label for each in tests)
    html = lessons.render_sets(LESSONS)
    assert html.count("data-index") == len(LESSONS)


def in_crowd(work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(work, items))


def test_texts_of_many_visitors_are_classified_as_each_alone(session: Session) -> None:
    sizes: list[int] = []

    def work(items: list[Any], asked: classifying.ClassifyAsked) -> list[Any]:
        sizes.append(len(items))
        return classifying.classify_all(session, items, asked)

    together = Together(work, 32)
    ways = [
        ("cat, dog", "en", "own", "", ""),
        ("", "sw", "topic", "", ""),
        ("", "en", "entailment", "He is", ""),
        ("", "en", "sentiment", "", OWN),
    ]
    asked = [(f"The {word} is {'here' * (i % 3)}.", *ways[i % 4]) for i, word in enumerate(["house", "dog"] * 20)]
    asked.append(("a <mask>", *ways[0]))
    found = in_crowd(
        lambda each: handlers.attempt(lambda: classifying.classify(session, *each, together=together), "x"), asked
    )
    assert max(sizes) > 1
    for each, outcome in zip(asked[:-1], found[:-1], strict=True):
        alone = classifying.classify(session, *each).result
        assert (outcome.result.result.text, outcome.result.result.source) == (alone.text, alone.source)
        assert {one.label: (one.score, one.raw) for one in outcome.result.result.labels} == {
            one.label: pytest.approx((one.score, one.raw), rel=1e-4) for one in alone.labels
        }
    assert "<mask>" in found[-1].problem


def test_choices_of_many_visitors_are_those_of_each_alone(session: Session) -> None:
    together: Together = Together(lambda items, _: choosing.choose_all(session, items), 32)
    ways = [("", "en"), ("cause", "de"), ("effect", "ar")]
    asked = [(f"It is {word}.", ["She came.", f"He left {i}."], *ways[i % 3]) for i, word in enumerate(["a", "b"] * 12)]
    asked.append(("It", ["a", "<mask>"], "", "en"))
    found = in_crowd(
        lambda each: handlers.attempt(
            lambda: choosing.choose(session, *each, together=lambda item: together(item, None)), "x"
        ),
        asked,
    )
    for each, outcome in zip(asked[:-1], found[:-1], strict=True):
        alone = choosing.choose(session, *each)
        assert (outcome.result.prompt, outcome.result.question) == (alone.prompt, alone.question)
        assert outcome.result.source == alone.source
        assert [choice.score for choice in outcome.result.choices] == pytest.approx(
            [choice.score for choice in alone.choices], rel=1e-4, abs=1e-4
        )
    assert "<mask>" in found[-1].problem


@pytest.mark.parametrize(
    "asked",
    [
        (TEXT, "cat, dog", "en", "own", "", ""),
        (TEXT, "", "sw", "topic", "", ""),
        (TEXT, "sports, here", "sw", "topic", "", ""),
        (TEXT, "", "en", "sentiment", "", OWN),
        (TEXT, "", "en", "entailment", "He is", ""),
    ],
)
def test_copied_lines_classify_as_the_page_does(
    app: gr.Blocks, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]
) -> None:
    html, _, kept, changed = page_function(app, "classify_page")(*asked)
    result = ran(html, checkpoint, monkeypatch)["result"]
    assert percentages(html) == [format_percent(each.score) for each in result.labels]
    assert changed == asked[-1]
    if asked[3] == "entailment":
        return
    why = page_function(app, "explain_page")(kept, gr.EventData(None, {"index": 1}), None, gr.Progress())
    words = ran(why, checkpoint, monkeypatch)["result"]
    assert words.label == result.labels[1].label
    tips = re.findall('data-tip="([^"]*)"', why)
    assert tips == [f"{word.word} {format_signed(100 * word.value, 1, plus=True)} points" for word in words.words]


def test_copied_lines_teach_as_the_page_does(app: gr.Blocks, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    html, kept, *_ = page_function(app, "teach_page")(EXAMPLES, TESTS, None, gr.Progress())
    names = ran(html, checkpoint, monkeypatch)
    assert percentages(html) == [format_percent(each.labels[0].score) for each in names["tested"]]
    assert f'class="x-right">{format_percent(names["result"].accuracy)}<' in html
    assert page_function(app, "test_page")(kept, EXAMPLES, TESTS, None, gr.Progress()) == html
    alone = page_function(app, "teach_page")(EXAMPLES, "", None, gr.Progress())[0]
    assert "tested" not in ran(alone, checkpoint, monkeypatch)
    assert 'data-file="csv"' not in alone  # there is no row


@pytest.mark.parametrize("question", ["", "cause"])
def test_copied_lines_choose_as_the_page_does(
    app: gr.Blocks, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    html = page_function(app, "choose_page")("It is.", question, "de", "She came.", "", "He left.")
    result = ran(html, checkpoint, monkeypatch)["result"]
    assert percentages(html) == [format_percent(choice.probability) for choice in result.choices]
    best = result.choices[result.best]
    for number in (best.raw, best.prior):
        assert f"{format_signed(number, 2)} for the best one" in html


def test_what_is_shown_can_be_saved(app: gr.Blocks, session: Session) -> None:
    session = Served(session).session  # which has the name that strangers may read

    def saved(elem_id: str, about: list[Any], kind: str = "csv") -> dict[str, str]:
        block = next(block for block in app.blocks.values() if getattr(block, "elem_id", "") == elem_id)
        return block.save([kind, about])

    asked = [TEXT, "cat, dog", "en", "own", "", OWN]
    expected = session.classify(TEXT, ["cat", "dog"], templates=[OWN])
    assert saved("classify-output", asked)["text"] == expected.to_csv()
    assert saved("classify-output", asked, "json")["text"] == expected.to_json()
    label = expected.labels[1].label
    words = session.attribute(TEXT, ["cat", "dog"], label=label, templates=[OWN], progress=False)
    assert saved("classify-why", [label, *asked])["text"] == words.to_csv()
    assert "no such label" in saved("classify-why", ["bird", *asked])["error"]
    chosen = session.choose("It is.", ["a", "b"])
    assert saved("choose-output", ["It is.", ["a", "b"], "", "en"])["text"] == chosen.to_csv()
    assert "list of 6 values" in saved("classify-output", asked[:3])["error"]
    assert "another one" in saved("teach-output", ["a: b", ""])["error"]


def opened(app: gr.Blocks, address: str) -> dict[str, dict[str, Any]]:
    """What an address changes, by elem_id."""
    begin = next(function for function in app.fns.values() if function.name == "begin")
    changes = begin.fn(address)
    return {str(block.elem_id): change for block, change in changes.items() if isinstance(change, dict)}


def test_a_link_has_templates_only_where_they_were_changed(app: gr.Blocks) -> None:
    plain = opened(app, "tab=classify&task=sentiment&language=de&text=a")
    assert plain["classify-templates"]["value"] == classifying.task_templates("sentiment", "de")
    assert plain["classify-labels"]["value"] == classifying.task_labels("sentiment")
    assert plain["classify-more"]["open"] is False
    changed = opened(app, "tab=classify&task=sentiment&language=de&text=a&templates=%7Btext%7D+%3Cmask%3E")
    assert changed["classify-templates"]["value"] == "{text} <mask>"
    assert changed["classify-more"]["open"] is True
    assert opened(app, "tab=classify&task=../x&language=%00&text=a")["classify-templates"]["value"]


def test_a_link_opens_as_many_choices_as_it_has(app: gr.Blocks) -> None:
    seen = opened(app, "tab=choose&prompt=a&choice1=b&choice2=c&choice6=d")
    assert [seen[f"choose-{number}"]["visible"] for number in range(4, 11)] == [True] * 3 + [False] * 4
    assert seen["choose-add"]["visible"] is True
    assert opened(app, "tab=choose&choice10=d")["choose-add"]["visible"] is False
    first = page_function(app, "add_choice")
    assert first(3)[-1]["value"] == 4
    assert first(10)[-1]["value"] == first(10**9)[-1]["value"] == 10


def test_an_example_asks_in_a_language_that_has_templates() -> None:
    scripts = [example for example in TEXTS if example.asked]
    assert scripts
    assert all(example.language not in classifying.languages() for example in scripts)
    assert len(CHOICES) == len({example.text for example in CHOICES})


def test_endpoints_answer_as_the_session(client: Any, session: Session) -> None:
    found = session.classify(TEXT, task="sentiment", language="sw", templates=[OWN])
    answer = client.predict(TEXT, "", "sw", "sentiment", "", OWN, api_name="/classify")
    assert answer == approximate({"text": TEXT, "labels": [vars(label) for label in found.labels]})
    pair = session.classify((TEXT, "He is"), task="entailment")
    answer = client.predict(text=TEXT, task="entailment", text_pair="He is", api_name="/classify")
    assert answer["labels"] == approximate([vars(label) for label in pair.labels])
    words = session.attribute(TEXT, ["cat", "dog"], label="dog", progress=False)
    assert client.predict(TEXT, "cat, dog", "en", "dog", api_name="/explain") == approximate(words.content())
    best = session.attribute(TEXT, ["cat", "dog"], progress=False)
    assert client.predict(TEXT, "cat, dog", api_name="/explain") == approximate(best.content())


def test_the_endpoint_that_teaches(client: Any, lesson: teaching.Lesson) -> None:
    expected = approximate(json.loads(json.dumps(lesson.content())))
    for examples, texts in ((EXAMPLES, TESTS), (EXAMPLES.splitlines(), TESTS.splitlines())):
        assert client.predict(examples, texts, api_name="/teach") == expected
    alone = client.predict(EXAMPLES, api_name="/teach")
    assert alone["predictions"] == []
    assert alone["report"]["tested"] is None


def test_ten_choices_over_the_endpoint(client: Any, session: Session) -> None:
    given = [f"She came {number}." for number in range(10)]
    chosen = session.choose("It is.", given)
    answer = client.predict("It is.", given, api_name="/choose")
    assert answer["best"] == chosen.best
    assert [each["score"] for each in answer["choices"]] == approximate([choice.score for choice in chosen.choices])


@pytest.mark.parametrize(
    ("name", "asked", "word"),
    [
        ("/classify", (TEXT, "", "en", "topic", "", "no place"), "{text}"),
        ("/classify", (TEXT, "", "en", "entailment"), "second text"),
        ("/explain", (TEXT, "cat, dog", "en", "bird"), "no such label"),
        ("/explain", ("", "cat, dog"), "empty"),
        ("/teach", ("a: b", ""), "another one"),
        ("/teach", (EVIL, ""), "before a colon"),
    ],
)
def test_endpoints_explain_what_is_wrong(client: Any, name: str, asked: tuple[str, ...], word: str) -> None:
    with pytest.raises(Exception, match=re.escape(word)):
        client.predict(*asked, api_name=name)


def test_long_work_says_how_far_it_is_and_can_be_stopped(session: Session) -> None:
    done = classifying.classify(session, TEXT, "cat, dog")

    def stop(done: int, total: int) -> None:
        raise Stopped

    for work in (
        lambda told: teaching.learn(session, EXAMPLES, TESTS, told),
        lambda told: classifying.explain(session, done, {"index": 0}, told),
    ):
        far: list[float] = []
        work(lambda done, total, far=far: far.append(done / total))
        assert far
        assert max(far) == far[-1] == 1
        assert problem(lambda work=work: work(stop)) == "Stopped."
