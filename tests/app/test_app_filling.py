"""Fill and Precisions without a browser: given words, several sentences, layers, precisions, their endpoints, and the
lines of Python that are copied.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from closeness import approximate

import xlmrxl
from xlmrxl.app import handlers, render
from xlmrxl.app.examples import TEMPLATES
from xlmrxl.app.handlers import comparing, filling
from xlmrxl.app.handlers.filling import (
    MAX_CHARACTERS,
    MAX_FILLS,
    MAX_LAYERED,
    MAX_LINE_MASKS,
    MAX_LINES,
    MAX_SEARCHED,
    MAX_TARGET,
    MAX_TARGETS,
)
from xlmrxl.app.render import layers
from xlmrxl.app.served import Served
from xlmrxl.app.together import Together
from xlmrxl.inspection.logit_lens import LogitLens, LogitLensCell
from xlmrxl.rendering.formats import format_percent
from xlmrxl.session import Session
from xlmrxl.tasks.compare_precisions import Comparison, Difference
from xlmrxl.tasks.fill_results import LABELS_NOTE, Fill, FillResult, JointFill, MaskFills
from xlmrxl.tasks.masked_lm import Token
from xlmrxl.tasks.result import Source

TEXT = "The <mask> is here."
LINES = "The <mask> is here.\n\n  Das <mask> ist <mask>. \nقال <mask>"
SENTENCES = ["The <mask> is here.", "Das <mask> ist <mask>.", "قال <mask>"]
WORDS = ["a", "the dog", "cat"]
EVIL = "<script>\"'&"
TINY = Source("tiny", None, "fp32", "0")


@pytest.fixture(scope="module")
def session(checkpoint: Path) -> Session:
    """As the app has it: by the name of its folder."""
    return Served(xlmrxl.load(checkpoint)).session


def problem(work: Any, *asked: Any, **how: Any) -> str:
    outcome = handlers.attempt(lambda: work(*asked, **how), "trying")
    assert outcome.result is None
    assert "\n" not in outcome.problem
    assert outcome.problem != handlers.UNEXPECTED
    return outcome.problem


def probabilities(results: Any) -> list[list[tuple[str, float]]]:
    return [[(fill.text, fill.probability) for fill in mask.fills] for each in results for mask in each.masks]


def same(found: Any, expected: Any) -> bool:
    """Fills in one order, whatever they were run with: other rows of a batch change the last digits."""
    pairs = zip(probabilities(found), probabilities(expected), strict=True)
    return all(
        [text for text, _ in one] == [text for text, _ in other]
        and [p for _, p in one] == pytest.approx([p for _, p in other], rel=1e-4)
        for one, other in pairs
    )


def test_handlers_and_rendering_need_neither_gradio_nor_torch() -> None:
    code = (
        "import sys, xlmrxl.app.handlers.filling, xlmrxl.app.handlers.comparing;"
        "import xlmrxl.app.render, xlmrxl.rendering.components;"
        "print([name for name in ('gradio', 'torch') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("given", ["a, the dog ,cat,", "a，the dog、cat", "a\nthe dog\ncat"])
def test_given_words_are_what_the_session_compares(session: Session, given: str) -> None:
    found = filling.fill(session, TEXT, 5, "subwords", given)
    assert found == session.fill_mask(TEXT, targets=WORDS)
    assert {fill.text for fill in found.masks[0].fills} == set(WORDS)


@pytest.mark.parametrize("nothing", ["", " , ,", None])
def test_without_words_there_is_nothing_to_compare(session: Session, nothing: str | None) -> None:
    assert filling.fill(session, TEXT, 3, "subwords", nothing) == session.fill_mask(TEXT, top_k=3)


@pytest.mark.parametrize(
    ("targets", "word"),
    [
        (5, "must be a string"),
        (["a"], "must be a string"),
        (",".join(map(str, range(MAX_TARGETS + 1))), f"compares {MAX_TARGETS}"),
        ("a" * (MAX_TARGET + 1), f"takes {MAX_TARGET}"),
        ("a," * 1_000_000, "leave some out"),
        ("a, b, a", "'a' is there twice"),
        ("a, <mask>", "special token"),
        ("☃", "cannot spell"),
    ],
)
def test_given_words_are_bounded(session: Session, targets: object, word: str) -> None:
    assert word in problem(filling.fill, session, TEXT, 5, "subwords", targets)


def test_what_does_not_go_together_is_said(session: Session) -> None:
    for method in ("words", "joint"):
        assert "fill with subwords" in problem(filling.fill, session, TEXT, 5, method, "a, b")
    assert "one sentence" in problem(filling.fill_lines, session, LINES, 5, "joint")
    many = "<mask> " * (MAX_SEARCHED + 1)
    assert f"{MAX_SEARCHED} with whole words" in problem(filling.fill, session, many, 5, "subwords", "a, b")


def test_as_much_as_is_allowed_is_compared(session: Session) -> None:
    words = ",".join(f"{number:02}" + "a" * (MAX_TARGET - 2) for number in range(MAX_TARGETS))
    found = filling.fill(session, TEXT, 5, "subwords", words)
    assert [len(mask.fills) for mask in found.masks] == [MAX_TARGETS]


def test_several_sentences_are_what_the_session_answers(session: Session) -> None:
    found = filling.fill_lines(session, LINES, 3)
    assert list(found.results) == session.fill_mask(SENTENCES, top_k=3)
    assert found.text == "\n".join(SENTENCES)
    words = filling.fill_lines(session, LINES, 2, "words")
    assert list(words.results) == session.fill_mask(SENTENCES, top_k=2, method="words")
    given = filling.fill_lines(session, LINES, 2, "subwords", "a, the dog")
    assert list(given.results) == session.fill_mask(SENTENCES, top_k=2, targets=["a", "the dog"])


def test_several_sentences_are_one_file(session: Session) -> None:
    found = filling.fill_lines(session, LINES, 2)
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [(row["line"], row["text"], row["mask"]) for row in rows[::2]] == [
        ("1", SENTENCES[0], "1"), ("2", SENTENCES[1], "1"), ("2", SENTENCES[1], "2"), ("3", SENTENCES[2], "1"),
    ]  # fmt: skip
    assert json.loads(found.to_json())["lines"] == [result.content() for result in found.results]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no sentence"),
        (" \n \n", "no sentence"),
        (None, "must be a string"),
        ("a <mask>\n" * (MAX_LINES + 1), f"fills {MAX_LINES} together"),
        ("a <mask>\nb", "Sentence 2 has no <mask>"),
        ("a <mask>\n" + "<mask> " * (MAX_LINE_MASKS + 1), f"fills {MAX_LINE_MASKS} in each"),
        ("<mask>" + "a" * MAX_CHARACTERS, "shorten"),
    ],
)
def test_several_sentences_are_bounded(session: Session, text: object, word: str) -> None:
    assert word in problem(filling.fill_lines, session, text, 5)


def test_what_visitors_ask_at_once_is_what_each_is_answered_alone(session: Session) -> None:
    """Sentences, several sentences, and given words; who wants to be told of progress is filled alone."""
    runs: list[filling.FillAsked] = []

    def work(texts: list[str], asked: filling.FillAsked) -> list[tuple[FillResult, ...]]:
        runs.append(asked)
        return filling.fill_all(session, texts, asked)

    together, told = Together(work, 32), []
    with ThreadPoolExecutor(8) as pool:
        single = [pool.submit(filling.fill, session, TEXT, 3, together=together) for _ in range(6)]
        several = [pool.submit(filling.fill_lines, session, LINES, 3, together=together) for _ in range(6)]
        given = [pool.submit(filling.fill, session, TEXT, 3, "subwords", "a, cat", together=together) for _ in range(3)]
        watched = pool.submit(
            filling.fill, session, TEXT, 3, "words", together=together, told=lambda *far: told.append(far)
        )
    assert all(same([each.result()], [session.fill_mask(TEXT, top_k=3)]) for each in single)
    assert all(same(each.result().results, session.fill_mask(SENTENCES, top_k=3)) for each in several)
    assert all(same([each.result()], [session.fill_mask(TEXT, targets=["a", "cat"])]) for each in given)
    assert same([watched.result()], [session.fill_mask(TEXT, top_k=3, method="words")])
    assert told
    assert {(asked.several, asked.options.targets, asked.options.method) for asked in runs} == {
        (False, None, "subwords"), (True, None, "subwords"), (False, ("a", "cat"), "subwords"), (False, None, "words"),
    }  # fmt: skip


def test_who_stops_stops_nobody_else(session: Session) -> None:
    def stop(done: int, total: int) -> None:
        raise ValueError("Stopped.")

    together = Together(lambda texts, asked: filling.fill_all(session, texts, asked), 32)
    assert problem(filling.fill, session, TEXT, 3, "words", together=together, told=stop) == "Stopped."
    assert filling.fill(session, TEXT, 3, "words", together=together) == session.fill_mask(
        TEXT, top_k=3, method="words"
    )


def test_the_last_layer_says_what_the_fills_are(session: Session) -> None:
    text = "Das <mask> ist <mask>."
    far: list[tuple[int, int]] = []
    lens = filling.layers(session, text, 4, lambda *told: far.append(told))
    assert len(lens.cells) == session.model.config.num_hidden_layers + 1
    masks = session.fill_mask(text, top_k=4).masks
    for place, mask in enumerate(masks):
        assert lens.positions[place] == mask.position
        last = lens.cells[-1][place].fills
        assert [fill.id for fill in last] == [fill.id for fill in mask.fills]
        assert [fill.probability for fill in last] == pytest.approx([fill.probability for fill in mask.fills], rel=1e-4)
    shares = [done / total for done, total in far]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    found = filling.layers_json(lens)
    assert [mask["position"] for mask in found["masks"]] == list(lens.positions)
    for place, mask in enumerate(found["masks"]):
        assert mask["states"] == [
            {"fills": [fill.content() for fill in cells[place].fills], "entropy": cells[place].entropy}
            for cells in lens.cells
        ]


@pytest.mark.parametrize(
    ("text", "top_k", "word"),
    [
        ("no gap", 3, "no <mask>"),
        (None, 3, "string"),
        ("<mask> " * (MAX_LAYERED + 1), 3, f"follows {MAX_LAYERED}"),
        ("<mask>" + " 1" * 600, 3, "tokens"),
        (TEXT, 0, f"from 1 to {MAX_FILLS}"),
        (TEXT, "3", "whole number"),
    ],
)
def test_layers_are_bounded(session: Session, text: object, top_k: object, word: str) -> None:
    assert word in problem(filling.layers, session, text, top_k)


def filled(text: str, fill: Fill) -> FillResult:
    start = text.index("<mask>")
    tokens = (Token(0, "<s>", 0, 0, True), Token(9, "<mask>", start, start + 6, True), Token(2, "</s>", 0, 0, True))
    return FillResult(TINY, text, tokens, (MaskFills(1, (fill,), 1.0),))


def lens_of(*states: Fill, text: str = "a <mask>") -> LogitLens:
    cells = tuple((LogitLensCell(number, 1, (fill,), (), 1.0),) for number, fill in enumerate(states))
    return LogitLens(TINY, text, None, (1,), ("<mask>",), (), cells)


def test_everything_new_is_escaped() -> None:
    fill = Fill(7, f"▁{EVIL}", EVIL, 0.25, rank=1)
    given = dataclasses.replace(fill, log_odds=-1.0)
    result = filled(f"{EVIL} <mask>", fill)
    differences = (Difference("fp32", 0.0, 1.0, (0.0, 0.0)), Difference("bf16", 0.1, 1.0, (0.0, 0.1)))
    for html in (
        filling.Lines(TINY, (result, result)).to_html(),
        filled(f"{EVIL} <mask>", given).to_html(),
        layers.render_layers(lens_of(fill, fill, text=f"{EVIL} <mask>")),
        layers.render_layers_button(EVIL, now=True),
        Comparison("tiny", 1, 1, differences, (result, result)).to_html(),
        render.render_examples(TEMPLATES, EVIL),
    ):
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert "\"'&" not in html


def test_cards_have_one_scale_and_count_masks_through() -> None:
    sure, unsure = Fill(7, "▁yes", "yes", 0.9), Fill(8, "▁דג", "דג", 0.09)
    html = filling.Lines(TINY, (filled("It <mask>", sure), filled("זה <mask>", unsure))).to_html()
    assert html.count("<li>") == 2
    assert html.count(">100%<") == 2
    assert 'style="width:90.00%"' in html
    assert 'style="width:9.00%"' in html
    assert 'class="x-sentence" translate="no" dir="rtl"' in html
    assert [html.count(f'data-mark="{number}"') for number in (1, 2, 3)] == [2, 2, 0]
    assert "id=" not in html.replace("data-id", "")  # nothing is there twice under one name


def test_given_words_show_their_place_and_small_probabilities() -> None:
    one = Fill(7, "▁cat", "cat", 0.00034, (7,), rank=1234, log_odds=-8.0)
    two = Fill(8, "▁very▁old", "very old", 0.0000012, (8, 9), log_odds=-13.0)
    result = filled("a <mask>", one)
    html = dataclasses.replace(result, masks=(MaskFills(1, (one, two), None),)).to_html()
    assert "0.034%" in html
    assert "0.00012%" in html
    assert ">1,234<" in html
    assert "0.05%" in html  # where the scale ends
    assert "Everything else" not in html
    assert "in the whole vocabulary" in html
    assert "in the whole vocabulary" not in filled("a <mask>", Fill(7, "▁cat", "cat", 0.00034)).to_html()


def test_fills_that_go_on_with_a_word_are_marked() -> None:
    """In every table, with what a screen reader says of the mark and what it means; in the sentence stands the text."""
    one, two = Fill(7, "▁ear", "ear", 0.5), Fill(8, "ear", "ear", 0.25)
    right = Fill(9, "ية", "ية", 0.1)
    spaced = Fill(10, "▁.", ".", 0.1)
    plain = filled("app <mask>", one)
    assert "…" not in plain.to_html()
    result = dataclasses.replace(plain, masks=(MaskFills(1, (two, one, right, spaced), 1.0),))
    joint = dataclasses.replace(plain, joint=(JointFill((two,), -1.0, (0,)), JointFill((one,), -2.0, (0,))))
    said = "without a space before it</span>"
    for html, count in (
        (result.to_html(), 2),
        (joint.to_html(), 1),
        (filling.Lines(TINY, (plain, result)).to_html(), 2),
    ):
        assert html.count('<bdi dir="ltr">…ear</bdi>') == 1
        assert html.count('<bdi dir="ltr">ear</bdi>') >= 1
        assert html.count(said) == count
        assert html.count(LABELS_NOTE) == 1
        assert "<bdi>ear</bdi></mark>" in html
    html = result.to_html()
    assert '<bdi dir="rtl">…ية</bdi>' in html
    assert '<bdi dir="ltr">▁.</bdi><span class="x-unseen"> after a space</span>' in html
    assert 'data-fill="ear"' in html
    shown = layers.render_layers(lens_of(two, one))
    assert shown.count("…ear</bdi>") == shown.count(">ear</bdi>") == 1
    assert shown.count(LABELS_NOTE) == 1
    differences = (Difference("fp32", 0.0, 1.0, (0.0, 0.0)), Difference("bf16", 0.1, 1.0, (0.0, 0.1)))
    assert "…ear</bdi>" in Comparison("tiny", 1, 1, differences, (result, result)).to_html()


def test_layers_mark_where_the_final_piece_comes_first() -> None:
    cat, dog = Fill(7, "▁cat", "cat", 0.5), Fill(8, "▁dog", "dog", 0.5)
    html = layers.render_layers(lens_of(cat, dog, cat, cat))
    assert html.count('<td class="x-final"') == 3
    assert "first from state 2 on, of 3" in html
    assert "first from state 0 on, of 1" in layers.render_layers(lens_of(cat, cat))
    assert "nostalgebraist, 2020" in html
    deep = layers.render_layers(lens_of(*[dog] * 36, cat))
    assert deep.count('<th scope="row">') == 37
    assert "first from state 36 on, of 36" in deep


def scripts(text: str) -> set[str]:
    return {unicodedata.name(c, "").split()[0] for c in text.replace("<mask>", "") if c.isalpha()}


def test_templates_are_in_many_languages_and_scripts(session: Session) -> None:
    assert len(TEMPLATES) == 3
    for template in TEMPLATES:
        sentences = filling.lines(template.text)
        assert 8 <= len(set(template.languages)) == len(template.languages) == len(sentences) <= MAX_LINES
        assert all(sentence.count("<mask>") == 1 for sentence in sentences)
        assert len(filling.fill_lines(session, template.text, 5).results) == len(sentences)
    assert len({language for template in TEMPLATES for language in template.languages}) >= 12
    assert len(set().union(*(scripts(template.text) for template in TEMPLATES))) >= 8


def test_precisions_tell_how_far_all_are_and_can_be_stopped(checkpoint: Path, session: Session) -> None:
    far: list[tuple[int, int]] = []
    found = comparing.compare(str(checkpoint), session, TEXT, lambda *told: far.append(told))
    shares = [done / total for done, total in far]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert [each.precision for each in found.comparison.differences] == list(comparing.precisions())
    assert str(checkpoint.parent) not in found.to_json()  # where it lies is nobody's business
    assert str(checkpoint.parent) not in str(found.content())

    def stop(done: int, total: int) -> None:
        raise ValueError("Stopped.")

    assert problem(comparing.compare, str(checkpoint), session, TEXT, stop) == "Stopped."


def test_precisions_are_one_file(checkpoint: Path, session: Session) -> None:
    found = comparing.compare(str(checkpoint), session, TEXT)
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [(row["precision"], row["fill"], float(row["kl"])) for row in rows] == [
        (each.precision, fill.text, each.kl)
        for each, result in zip(found.comparison.differences, found.comparison.fills, strict=True)
        for fill in result.masks[0].fills
    ]


def ran(html: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The result of the lines of Python that a page has copied, run where the model lies."""
    monkeypatch.chdir(folder)
    lines = unescape(re.search('data-copy="(import|from)[^"]*"', html)[0].removeprefix('data-copy="')[:-1])
    names: dict[str, Any] = {}
    exec(lines, names)
    return names["result"]


def shown(html: str) -> list[str]:
    """The percentages of fills, without those of scales and sums."""
    besides = '<th class="x-axis".*?</th>|style="[^"]*"|<p class="x-rest.*?</p>'
    return re.findall(r"[\d.<]+%", unescape(re.sub(besides, "", html)))


@pytest.mark.parametrize(
    ("text", "method", "targets", "several"),
    [
        (TEXT, "subwords", "", False),
        (TEXT, "words", "", False),
        (f'It\'s "<mask>" {EVIL}', "subwords", "", False),
        (LINES, "subwords", "", True),
        (LINES, "words", "", True),
    ],
)
def test_copied_lines_give_what_the_page_shows(
    session: Session, checkpoint: Path, monkeypatch: pytest.MonkeyPatch,
    text: str, method: str, targets: str, several: bool,
) -> None:  # fmt: skip
    from xlmrxl.app import fill

    work = filling.fill_lines if several else filling.fill
    html = fill._result(session, work(session, text, 4, method, targets), 4, method, targets)
    result = ran(html, checkpoint.parent, monkeypatch)
    results = result if several else [result]
    assert [each.text for each in results] == ([*SENTENCES] if several else [text])
    found = [format_percent(fill.probability) for each in results for mask in each.masks for fill in mask.fills]
    assert shown(html.partition("<table")[2]) == found


def test_copied_lines_of_given_words_and_of_joint_masks(
    session: Session, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xlmrxl.app import fill

    found = filling.fill(session, TEXT, 4, "subwords", "a, the dog")
    assert ran(fill._result(session, found, 4, "subwords", "a, the dog"), checkpoint.parent, monkeypatch) == found
    joint = filling.fill(session, TEXT, 4, "joint")
    assert ran(fill._result(session, joint, 4, "joint", ""), checkpoint.parent, monkeypatch) == joint


@pytest.mark.slow
def test_copied_lines_give_the_layers_and_the_precisions(
    session: Session, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xlmrxl.app import fill

    lens = filling.layers(session, TEXT, 3)
    html = fill._layers(session, lens)
    found = ran(html, checkpoint.parent, monkeypatch)
    assert found.cells == lens.cells
    assert shown(html) == [format_percent(each.probability) for cells in found.cells for each in cells[0].fills]
    compared = comparing.compare(str(checkpoint), session, TEXT)
    lines = render.render_actions("compare", comparing.python(session, TEXT), "")
    assert ran(lines, checkpoint.parent, monkeypatch).to_dict() == compared.content()


def test_fills_of_the_endpoint(client: Any, session: Session) -> None:
    for method, options in (("words", {"method": "words"}), ("joint", {"method": "joint"})):
        answer = client.predict(TEXT, 3, method, api_name="/fill")
        assert answer == approximate(session.fill_mask(TEXT, top_k=3, **options).content())
        assert ("joint" in answer) == (method == "joint")
        assert all(isinstance(fill["begins_word"], bool) for mask in answer["masks"] for fill in mask["fills"])
    answer = client.predict(TEXT, 3, "subwords", "a, the dog", api_name="/fill")
    assert answer == approximate(session.fill_mask(TEXT, targets=["a", "the dog"]).content())
    assert client.predict(TEXT, api_name="/fill") == approximate(session.fill_mask(TEXT).content())
    with pytest.raises(Exception, match="fill with subwords"):
        client.predict(TEXT, 3, "words", "a, b", api_name="/fill")


def test_layers_of_the_endpoint(client: Any, session: Session) -> None:
    answer = client.predict(TEXT, 2, api_name="/lens")
    assert answer == approximate(filling.layers_json(filling.layers(session, TEXT, 2)))
    assert [fill["text"] for fill in answer["masks"][0]["states"][-1]["fills"]] == [
        fill.text for fill in session.fill_mask(TEXT, top_k=2).masks[0].fills
    ]
    with pytest.raises(Exception, match="no <mask>"):
        client.predict("no gap", api_name="/lens")


@pytest.mark.slow
def test_precisions_of_the_endpoint(client: Any, checkpoint: Path, session: Session) -> None:
    answer = client.predict(TEXT, api_name="/compare")
    assert answer == approximate(json.loads(json.dumps(comparing.compare(str(checkpoint), session, TEXT).content())))
    assert answer["model"] == checkpoint.name
    with pytest.raises(Exception, match="no <mask>"):
        client.predict("no gap", api_name="/compare")


def test_endpoints_are_documented(client: Any) -> None:
    named = client.view_api(return_format="dict")["named_endpoints"]
    for name, parameters in {
        "/fill": ["text", "top_k", "method", "targets"], "/lens": ["text", "top_k"], "/compare": ["text"]
    }.items():  # fmt: skip
        assert [each["parameter_name"] for each in named[name]["parameters"]] == parameters
        assert named[name]["description"]
