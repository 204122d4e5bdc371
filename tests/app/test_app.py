"""The app without a browser: handlers, rendering, building, and the endpoint on a real server."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import math
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from closeness import approximate

import xlmrxl
from xlmrxl.app import handlers, render
from xlmrxl.app.examples import CHOICES, EXAMPLES, TEXTS
from xlmrxl.app.handlers import MAX_TEXT, choosing, classifying, filling
from xlmrxl.app.handlers.choosing import MAX_CHOICE, MAX_CHOICES
from xlmrxl.app.handlers.classifying import MAX_EXPLAINED, MAX_LABEL, MAX_LABELS
from xlmrxl.app.handlers.filling import MAX_CHARACTERS, MAX_FILLS, MAX_MASKS, MAX_SEARCHED
from xlmrxl.app.languages import NAMES, named
from xlmrxl.app.served import Served
from xlmrxl.palette import PALETTE
from xlmrxl.rendering.formats import format_percent, format_signed, text_direction
from xlmrxl.session import Session
from xlmrxl.tasks.attribution import Attribution, WordAttribution
from xlmrxl.tasks.choose_results import Choice, ChooseResult
from xlmrxl.tasks.classify_results import ClassifyResult, LabelScore
from xlmrxl.tasks.fill_results import Fill, FillResult, JointFill, MaskFills
from xlmrxl.tasks.masked_lm import Token
from xlmrxl.tasks.result import Source

TEXT = "The <mask> is here."
EVIL = "<script>\"'&"
LOOKING = ["attention", "attention_statistics", "hidden_states"]
ENDPOINTS = ["fill", "lens", "classify", "explain", "teach", "choose", *LOOKING, "compare", "model"]
TINY = Source("tiny", None, "fp32", "0")


@pytest.fixture(scope="module")
def session(checkpoint: Path) -> Session:
    return xlmrxl.load(checkpoint)


def result(text: str, pieces: list[tuple[str, int, int]], fill: str = "cat") -> FillResult:
    """A result as the session gives it, of pieces with their offsets; `<mask>` is a mask."""
    tokens = [Token(0, "<s>", 0, 0, True)]
    tokens += [Token(9, piece, start, end, piece == "<mask>") for piece, start, end in pieces]
    tokens.append(Token(2, "</s>", 0, 0, True))
    ranked = (Fill(7, f"▁{fill}", fill, 0.25), Fill(8, "▁", "▁", 0.0001))
    masks = tuple(MaskFills(place, ranked) for place, token in enumerate(tokens) if token.piece == "<mask>")
    return FillResult(TINY, text, tuple(tokens), masks)


def labels(
    kind: str = "single", pair: str | None = None, name: str = "sports", method: str = "cloze"
) -> ClassifyResult:
    scores = (LabelScore(name, 0.75, 0.4), LabelScore("music", 0.25, 0.6))
    return ClassifyResult(TINY, "A goal", pair, method, kind, scores, True, 4)


def choices(text: str, prior: float | None = -4.0, unknown: str = "") -> ChooseResult:
    scored = (Choice(text, 0.25, -1.0, -5.0, prior, unknown), Choice("other", 0.75, 1.0, -3.0, prior))
    return ChooseResult(TINY, text, None, scored)


def test_handlers_and_rendering_need_neither_gradio_nor_torch() -> None:
    code = (
        "import sys, xlmrxl.app, xlmrxl.app.handlers, xlmrxl.app.render, xlmrxl.app.render.teaching;"
        "import xlmrxl.app.examples, xlmrxl.app.languages;"
        "print([name for name in ('gradio', 'torch') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_fill_is_what_the_session_answers(session: Session) -> None:
    assert filling.outcome(session, TEXT, 3).result == session.fill_mask(TEXT, top_k=3)
    assert filling.fill(session, TEXT, 3.0) == session.fill_mask(TEXT, top_k=3)  # a slider may send 3.0


@pytest.mark.parametrize(
    ("text", "top_k", "word"),
    [
        ("", 5, "<mask>"),
        ("   ", 5, "<mask>"),
        ("no gap", 5, "<mask>"),
        (None, 5, "string"),
        (["<mask>"], 5, "string"),
        ("<mask>" + "a" * MAX_CHARACTERS, 5, "shorten"),
        ("<mask>" * (MAX_MASKS + 1), 5, f"{MAX_MASKS}"),
        ("<mask>" + " 1" * 600, 5, "tokens"),
        (TEXT, 0, f"from 1 to {MAX_FILLS}"),
        (TEXT, MAX_FILLS + 1, f"from 1 to {MAX_FILLS}"),
        (TEXT, 10**30, f"from 1 to {MAX_FILLS}"),
        (TEXT, 2.5, "whole number"),
        (TEXT, float("nan"), "whole number"),
        (TEXT, float("inf"), "whole number"),
        (TEXT, True, "whole number"),
        (TEXT, "5", "whole number"),
        (TEXT, None, "whole number"),
    ],
)
def test_problems_are_one_sentence_with_a_remedy(session: Session, text: object, top_k: object, word: str) -> None:
    outcome = filling.outcome(session, text, top_k)
    assert outcome.result is None
    assert word in outcome.problem
    assert "\n" not in outcome.problem
    assert 'role="alert"' in render.render_outcome(outcome, FillResult.to_html)


@pytest.mark.parametrize((("method", "options")), [("words", {"method": "words"}), ("joint", {"method": "joint"})])
def test_other_ways_to_fill(session: Session, method: str, options: dict) -> None:
    found = filling.fill(session, TEXT, 3, method)
    assert found == session.fill_mask(TEXT, top_k=3, **options)
    assert 'class="x-result"' in found.to_html()


@pytest.mark.parametrize(
    ("text", "method", "word"),
    [
        ("<mask> " * (MAX_SEARCHED + 1), "words", "whole words"),
        ("<mask> " * 9, "joint", "filled together"),
        ("a<mask>", "words", "touches"),
        (TEXT, "both", "Choose"),
        (TEXT, [], "Choose"),
    ],
)
def test_ways_to_fill_are_bounded(session: Session, text: str, method: object, word: str) -> None:
    assert word in filling.outcome(session, text, 5, method).problem


def test_as_much_as_is_allowed_is_filled(session: Session) -> None:
    outcome = filling.outcome(session, "<mask> " * MAX_MASKS, MAX_FILLS)
    assert [len(mask.fills) for mask in outcome.result.masks] == [MAX_FILLS] * MAX_MASKS


def test_what_nobody_expected_is_logged_and_not_shown(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    broken = dataclasses.replace(session, tokenizer=None)
    with caplog.at_level(logging.ERROR, logger="xlmrxl.app"):
        outcome = filling.outcome(broken, TEXT, 5)
    assert outcome.problem == handlers.UNEXPECTED
    assert caplog.records[0].exc_info
    assert TEXT not in caplog.text  # what strangers write is not kept


@pytest.mark.parametrize(
    ("data", "masked"),
    [
        ({"text": "She is here", "start": 0, "end": 3}, "<mask> is here"),
        ({"text": "She is here", "start": 3, "end": 6}, "She <mask> here"),  # the space before a word stays
        ({"text": "सीता है", "start": 5, "end": 7}, "सीता <mask>"),
        ({"text": "a😀b", "start": 1, "end": 2}, "a<mask>b"),
    ],
)
def test_masking_a_token(data: dict, masked: str) -> None:
    assert filling.mask_token(data) == masked


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"text": 5, "start": 0, "end": 1},
        {"text": "ab", "start": -1, "end": 1},
        {"text": "ab", "start": 1, "end": 1},
        {"text": "ab", "start": 0, "end": 3},
        {"text": "ab", "start": "0", "end": 1},
        {"text": "ab", "start": True, "end": 2},
    ],
)
def test_a_page_may_send_anything(data: object) -> None:
    with pytest.raises(ValueError, match="choose another"):
        filling.mask_token(data)
    with pytest.raises(ValueError, match="choose one"):
        handlers.example(EXAMPLES, data)


def test_examples_have_one_mask_and_many_scripts() -> None:
    assert all(example.text.count("<mask>") == 1 for example in EXAMPLES)
    assert len({example.language for example in EXAMPLES}) == len(EXAMPLES) >= 10
    for index, example in enumerate(EXAMPLES):
        assert handlers.example(EXAMPLES, {"index": index}) == example
    for index in (-1, len(EXAMPLES), 1.0):
        with pytest.raises(ValueError, match="no such example"):
            handlers.example(EXAMPLES, {"index": index})
    html = render.render_examples(EXAMPLES)
    assert html.count("<button") == len(EXAMPLES)
    assert 'lang="ar"' in html
    assert html.count('dir="rtl"') == 2


def test_model_line_is_measured(session: Session, checkpoint: Path) -> None:
    line = handlers.model_line(Served(session).session)
    assert checkpoint.name in line
    assert str(checkpoint.parent) not in line
    assert f"{session.model.num_parameters():,}" in line
    assert "expect mistakes" in line


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "0.0%"), (1e-9, "<0.1%"), (0.0005, "0.1%"), (0.12345, "12.3%"), (1.0, "100.0%")],
)
def test_percent(probability: float, text: str) -> None:
    assert format_percent(probability) == text


@pytest.mark.parametrize(
    ("text", "direction"),
    [("<mask> مصر", "rtl"), ("אני", "rtl"), ("12 — مصر is", "rtl"), ("<mask> is مصر", "ltr"), ("<mask>", "ltr")],
)
def test_direction_does_not_count_masks(text: str, direction: str) -> None:
    assert text_direction(text) == direction


def test_everything_is_escaped() -> None:
    fill = result(f"{EVIL} <mask>", [(f"▁{EVIL}", 0, 11), ("<mask>", 12, 18)], fill=EVIL)
    words = (WordAttribution(EVIL, 0, len(EVIL), 0.5), WordAttribution("b", len(EVIL) + 1, len(EVIL) + 2, -0.1))
    for part in (
        fill.to_html(),
        dataclasses.replace(fill, joint=(JointFill(fill.masks[0].fills[:1], -1.0, (0,)),)).to_html(),
        render.render_problem(EVIL),
        render.render_header(EVIL),
        render.render_placeholder(EVIL),
        labels(name=EVIL).to_html(),
        dataclasses.replace(Attribution(TINY, f"{EVIL} b", EVIL, 0.5, words), is_probability=True).to_html(),
        choices(EVIL, unknown=EVIL).to_html(),
    ):
        assert "<script" not in part
        assert "&lt;script&gt;" in part
        assert "\"'&" not in part


def test_completed_sentence_keeps_the_space_before_a_mask() -> None:
    """A tokenizer may count the space before a mask as part of it."""
    html = result("A <mask>.", [("▁A", 0, 1), ("<mask>", 1, 8), (".", 8, 9)]).to_html()
    assert 'A <mark data-mark="1"><bdi>cat</bdi></mark>.' in html


def test_result_names_every_mask_and_what_is_left() -> None:
    pieces = [("<mask>", 0, 6), ("▁and", 6, 10), ("<mask>", 10, 17)]
    html = result("<mask> and <mask>", pieces).to_html()
    assert html.count("<table") == 2
    assert "Mask 1" in html
    assert "Mask 2" in html
    assert html.count("Everything else: 75.0%") == 2
    assert "50%" in html  # the scale ends above the best fill
    assert html.count('<th scope="row">') == 4
    assert html.count('tabindex="0"') == 3  # one way in for the tokens and for each list


def test_entropy_is_shown_in_bits() -> None:
    one = result("<mask>", [("<mask>", 0, 6)])
    masks = (dataclasses.replace(one.masks[0], entropy=math.log(8)),)
    assert "Entropy: 3.0 bits" in dataclasses.replace(one, masks=masks).to_html()
    assert "Entropy" not in one.to_html()


def test_words_keep_their_order_and_have_no_rest() -> None:
    one = result("<mask>", [("<mask>", 0, 6)])
    ranked = (Fill(7, "▁rare", "rare", 0.01, score=-1.0), Fill(8, "▁often", "often", 0.4, score=-2.0))
    html = dataclasses.replace(one, masks=(MaskFills(1, ranked),)).to_html()
    assert html.index(">rare<") < html.index(">often<")
    assert "Everything else" not in html


def test_ways_to_fill_all_masks_together() -> None:
    two = result("<mask> and <mask>", [("<mask>", 0, 6), ("▁and", 6, 10), ("<mask>", 10, 17)])
    cat, dog = Fill(7, "▁cat", "cat", 0.5), Fill(8, "▁dog", "dog", 0.5)
    ways = (JointFill((dog, cat), -0.5, (0, 1)), JointFill((cat, dog), -12.0, (1, 0)))
    html = dataclasses.replace(two, joint=ways).to_html()
    assert '<bdi>dog</bdi></mark> and <mark data-mark="2"><bdi>cat</bdi>' in html
    assert html.count("<table") == 1
    assert 'data-way="[&quot;cat&quot;, &quot;dog&quot;]"' in html
    assert "−12.00" in html
    assert "&lt;0.1%" in html or "<0.1%" in html


def test_pieces_keep_the_shape_of_their_word() -> None:
    arabic = result("كتب <mask>", [("▁كت", 0, 2), ("ب", 2, 3), ("<mask>", 4, 10)]).to_html()
    assert "<bdi>كت\u200d</bdi>" in arabic
    assert "<bdi>\u200dب</bdi>" in arabic
    hindi = result("का <mask>", [("▁क", 0, 1), ("ा", 1, 2), ("<mask>", 3, 9)]).to_html()
    assert "<bdi>◌ा</bdi>" in hindi
    latin = result("cats <mask>", [("▁cat", 0, 3), ("s", 3, 4), ("<mask>", 5, 11)]).to_html()
    assert "\u200d" not in latin


@pytest.mark.parametrize("ramp", [PALETTE.hue, PALETTE.grey])
def test_colours_grow_darker_step_by_step(ramp: tuple[str, ...]) -> None:
    def luminance(colour: str) -> float:
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    values = [luminance(colour) for colour in ramp]
    assert values == sorted(values, reverse=True)


def test_classify_is_what_the_session_answers(session: Session) -> None:
    text = "She is here"
    assert classifying.classify(session, text).result == session.classify(text)
    own = classifying.classify(session, text, "cat、 dog,, ", "de").result
    assert own == session.classify(text, ["cat", "dog"], language="de")
    for task in ("topic", "sentiment"):
        asked = classifying.classify(session, text, classifying.task_labels(task), "sw", task).result
        assert asked == session.classify(text, task=task, language="sw")
    pair = classifying.classify(session, text, classifying.task_labels("entailment"), "en", "entailment", "He is")
    assert pair.result == session.classify((text, "He is"), task="entailment")


def test_labels_of_a_task_keep_their_words(session: Session) -> None:
    """Where one is taken out or added, the others still stand for their words in the language."""
    options = classifying.classify(session, "hier", "sports, here", "de", "topic").options
    assert options["labels"]["here"] == ("here",)
    assert options["labels"]["sports"] != ("sports",)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (("",), "empty"),
        ((None,), "string"),
        ((b"a",), "string"),
        (("a" * (MAX_TEXT + 1),), "shorten"),
        (("a <mask>",), "<mask>"),
        (("a", 5), "string"),
        (("a", "one"), "two or more"),
        (("a", "b, b"), "twice"),
        (("a", ",".join(map(str, range(MAX_LABELS + 1)))), "leave some out"),
        (("a", "b, " + "c" * (MAX_LABEL + 1)), "shorten"),
        (("a", "", "xx"), "language"),
        (("a", "", ["en"]), "language"),
        (("a", "", None), "language"),
        (("a", "", "en", "../topic"), "task"),
        (("a", "", "en", []), "task"),
        (("a", "", "en", "entailment", " "), "second text"),
        (("a", "", "en", "entailment", "b" * (MAX_TEXT + 1)), "shorten"),
        (("a", "", "en", "topic", 7), "second text"),
        (("a", "", "en", "topic", "b"), "pair"),
    ],
)
def test_classify_is_bounded(session: Session, asked: tuple, word: str) -> None:
    outcome = handlers.attempt(lambda: classifying.classify(session, *asked), "classifying")
    assert outcome.result is None
    assert word in outcome.problem
    assert "\n" not in outcome.problem


def test_explain_is_what_the_session_answers(session: Session) -> None:
    done = classifying.classify(session, "She is here", "cat, dog")
    second = done.result.labels[1].label
    assert classifying.explain(session, done, {"index": 1}) == session.attribute(
        "She is here", ["cat", "dog"], label=second, progress=False
    )


def test_explain_is_bounded(session: Session) -> None:
    def problem(text: str, data: object, second: str = "") -> str:
        task = "entailment" if second else "own"
        done = classifying.classify(session, text, "", "en", task, second)
        return handlers.attempt(lambda: classifying.explain(session, done, data), "explaining").problem

    assert f"explains {MAX_EXPLAINED}" in problem("a " * (MAX_EXPLAINED + 1), {"index": 0})
    assert f"explains {MAX_EXPLAINED}" in problem("京" * 2 * MAX_EXPLAINED, {"index": 0})
    assert "two words" in problem("She", {"index": 0})
    assert "pair" in problem("She is", {"index": 0}, "He is")
    for data in (None, {}, {"index": -1}, {"index": 99}, {"index": "0"}):
        assert "no such label" in problem("She is", data)


@pytest.mark.parametrize(("question", "asked"), [("", None), ("none", None), ("cause", "cause"), ("effect", "effect")])
def test_choose_is_what_the_session_answers(session: Session, question: str, asked: str | None) -> None:
    given = ["She is here.", "He is there."]
    expected = session.choose("It is.", given, question=asked, language="de")
    for sent in (["", *given, None], json.dumps(given), "\n".join(["", *given])):
        assert choosing.choose(session, "It is.", sent, question, "de") == expected


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (("", "a\nb"), "empty"),
        ((5, "a\nb"), "string"),
        (("a" * (MAX_TEXT + 1), "a\nb"), "shorten"),
        (("It", "a"), "two choices"),
        (("It", ""), "two choices"),
        (("It", "a\na"), "twice"),
        (("It", "\n".join("abcdefghijklm"[: MAX_CHOICES + 1])), "leave some out"),
        (("It", ["a", "b" * (MAX_CHOICE + 1)]), "shorten"),
        (("It", ["a", 5]), "list of strings"),
        (("It", {"a": 1}), "list of strings"),
        (("It", None), "list of strings"),
        (("It", "[1, 2]"), "list of strings"),
        (("It", "[" * 100_000), "JSON"),
        (("It", "a\n<mask>"), "<mask>"),
        (("It", "a\nb", "why"), "question"),
        (("It", "a\nb", []), "question"),
        (("It", "a\nb", "cause", "xx"), "language"),
        (("It", "a\nb", "", {}), "language"),
    ],
)
def test_choose_is_bounded(session: Session, asked: tuple, word: str) -> None:
    outcome = handlers.attempt(lambda: choosing.choose(session, *asked), "choosing")
    assert outcome.result is None
    assert word in outcome.problem
    assert "\n" not in outcome.problem


def test_labels_have_two_bars_and_say_what_they_are() -> None:
    html = labels().to_html()
    assert html.count('class="x-raw"') == 2
    assert "75.0%" in html
    assert "40.0%" in html
    assert "only its first 4 tokens" in html
    assert html.count('data-index="0"') == 2  # the label, and the button that explains
    assert "data-index" not in labels(pair="b").to_html()


@pytest.mark.parametrize(("kind", "word"), [("single", "logit"), ("multi", "stands alone"), ("regression", "values")])
def test_labels_of_a_head(kind: str, word: str) -> None:
    html = labels(kind, method="head").to_html()
    assert word in html
    assert "x-raw" not in html
    assert ("%" in html) == (kind != "regression")


def test_words_are_coloured_by_what_they_do() -> None:
    words = (WordAttribution("אני", 0, 3, 0.2), WordAttribution("כאן", 4, 7, -0.1))
    html = dataclasses.replace(Attribution(TINY, "אני כאן", "sports", 0.75, words), is_probability=True).to_html()
    assert 'dir="rtl"' in html
    assert '<span class="x-for" style="--x-share:1.000" data-tip="אני +20.0 points">אני</span> ' in html
    assert '<span class="x-against" style="--x-share:0.500" data-tip="כאן −10.0 points">' in html
    assert "−20.0 points</b> speaks against" in html
    nothing = Attribution(TINY, "a b", None, 0.5, (WordAttribution("a", 0, 1, 0.0), WordAttribution("b", 2, 3, 0.0)))
    assert "--x-share:0.000" in nothing.to_html()


def test_best_choice_is_marked() -> None:
    html = choices("מחר", unknown="☃").to_html()
    assert html.count('class="x-tag"') == 1
    assert html.index("מחר") < html.index('class="x-best"') < html.index("75.0%", html.index("<ol"))
    assert "after the prompt −3.0 · without it −4.0 · score +1.0" in html
    assert "not read: ☃" in html
    assert 'dir="rtl"' in html
    assert "logit −3.00" in choices("a", prior=None).to_html()


@pytest.mark.parametrize(
    ("value", "digits", "plus", "text"),
    [(-1.25, 1, False, "−1.2"), (0.5, 1, True, "+0.5"), (-0.001, 1, True, "0.0"), (3.0, 2, False, "3.00")],
)
def test_signed(value: float, digits: int, plus: bool, text: str) -> None:
    assert format_signed(value, digits, plus) == text


def test_languages_have_names() -> None:
    from xlmrxl.tasks.choose import load_connectives

    assert {*classifying.languages(), *load_connectives()} <= set(NAMES)
    assert named(["de", "xx"]) == [("Deutsch", "de"), ("xx", "xx")]


def test_examples_of_the_other_tabs_can_be_asked() -> None:
    from xlmrxl.tasks.choose import load_connectives

    for example in TEXTS:
        assert (example.task == "entailment") == bool(example.second)
        assert (example.asked or example.language) in classifying.languages()
    for example in CHOICES:
        assert 2 <= len(example.choices) <= MAX_CHOICES
        assert example.question in ("", "cause", "effect")
        assert example.language in load_connectives()
    for examples in (TEXTS, CHOICES):
        assert 12 <= len({example.language for example in examples}) == len(examples) <= 16
        assert len({script(example.text) for example in examples}) >= 8
        assert handlers.example(examples, {"index": 3}) == examples[3]


def script(text: str) -> str:
    """The script of a sentence as Unicode names its letters; kana are never alone in Japanese."""
    names = [unicodedata.name(letter).split()[0] for letter in text if letter.isalpha()]
    return "HIRAGANA" if "HIRAGANA" in names else max(names, key=names.count)


async def build(session: Session):  # with a loop running Gradio opens none of its own, which it would never close
    from xlmrxl.app import create_app

    return create_app(session)


def test_app_builds_and_exposes_its_endpoints(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = asyncio.run(build(session))
    public = [dependency for dependency in app.config["dependencies"] if dependency["api_visibility"] == "public"]
    assert [dependency["api_name"] for dependency in public] == ENDPOINTS
    assert not app.analytics_enabled
    assert list(tmp_path.iterdir()) == []


def test_what_runs_the_model_waits_in_one_line_or_is_run_with_others(session: Session) -> None:
    app = asyncio.run(build(session))
    lines: dict[str, set[str]] = {}
    for function in app.fns.values():
        if function.fn:
            lines.setdefault(function.concurrency_id, set()).add(function.name)
    assert lines.pop("fills") == {"api", "fill_page", "choose_example", "choose_template", "choose_token"}
    assert lines.pop("precisions") == {"compare_page", "compare_example", "api"}
    assert lines.pop("classifications") == {"api", "classify_page", "choose_example"}
    assert lines.pop("choices") == {"api", "choose_page", "choose_example"}
    waiting = {"look", "look_at_example", "show_layers", "explain_page", "teach_page", "test_page", "choose_set"}
    assert waiting <= lines.pop("model")
    quick = {"box", "choose_task", "controls", "api", "begin", "look_page", "press", "ended"}
    quick |= {"turn", "choose_language", "read_file", "pack", "add_choice"}
    assert set().union(*lines.values()) == quick


@pytest.mark.parametrize(
    ("head", "tabs"),
    [
        (xlmrxl.XLMRobertaXLForSequenceClassification, ["classify", "explain", "teach", *LOOKING, "model"]),
        (xlmrxl.XLMRobertaXLForMultipleChoice, ["choose", *LOOKING, "model"]),
        (xlmrxl.XLMRobertaXLForTokenClassification, [*LOOKING, "model"]),
    ],
)
def test_a_tab_shows_only_where_the_model_can_do_it(session: Session, head: type, tabs: list[str]) -> None:
    other = dataclasses.replace(session, model=head(session.model.config).eval())
    app = asyncio.run(build(other))
    public = [dependency for dependency in app.config["dependencies"] if dependency["api_visibility"] == "public"]
    assert [dependency["api_name"] for dependency in public] == tabs
    if "classify" in tabs:
        found = classifying.classify(other, "She is here", None, None, None, "")
        assert found.result == other.classify("She is here")
        assert classifying.explain(other, found, {"index": 0}).score == pytest.approx(found.result.labels[0].score)
        with pytest.raises(ValueError, match="its own labels"):
            classifying.classify(other, "She is here", "cat, dog")
    if "choose" in tabs:
        assert choosing.choose(other, "It", "a\nb") == other.choose("It", ["a", "b"])


def test_endpoint_answers_the_contract(client, session: Session) -> None:
    answer = client.predict(TEXT, 3, api_name="/fill")
    assert answer == approximate(session.fill_mask(TEXT, top_k=3).content())
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == [
        f"/{name}"
        for name in (*ENDPOINTS, "load_model")  # which is there since nobody else is let in
    ]


def test_other_endpoints_answer_the_contract(client, session: Session) -> None:
    found = session.classify("She is here", ["cat", "dog"])
    expected = {"text": "She is here", "labels": [vars(label) for label in found.labels]}
    assert client.predict("She is here", "cat, dog", "en", api_name="/classify") == approximate(expected)
    chosen = session.choose("It is.", ["She.", "He."], question="cause")
    expected = {
        "prompt": "It is.",
        "choices": [{"text": c.text, "probability": c.probability, "score": c.score} for c in chosen.choices],
        "best": chosen.best,
    }
    expected = approximate(expected)
    for given in (["She.", "He."], '["She.", "He."]', "She.\nHe."):
        assert client.predict("It is.", given, "cause", "en", api_name="/choose") == expected


@pytest.mark.parametrize(("text", "top_k", "words"), [("no gap", 5, "<mask>"), (TEXT, 99, "from 1 to 20")])
def test_endpoint_explains_problems(client, text: str, top_k: int, words: str) -> None:
    with pytest.raises(Exception, match=words):
        client.predict(text, top_k, api_name="/fill")


def test_other_endpoints_explain_problems(client) -> None:
    with pytest.raises(Exception, match="two or more"):
        client.predict("a", "one", "en", api_name="/classify")
    with pytest.raises(Exception, match="two choices"):
        client.predict("a", ["b"], "", "en", api_name="/choose")


def test_what_a_server_function_cannot_answer_is_said_to_its_page() -> None:
    import gradio as gr

    from xlmrxl.app.parts import replied

    def without_gpu(_: object) -> handlers.Outcome:
        raise gr.Error("No GPU is free.")

    assert replied(without_gpu, None) == {"error": "No GPU is free."}
    assert replied(lambda _: handlers.Outcome(problem="Shorten it."), None) == {"error": "Shorten it."}
    assert replied(lambda packet: handlers.Outcome(result={"text": packet}), "a") == {"text": "a"}
