"""The app without a browser: handlers, rendering, building, and the endpoint on a real server."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.running_app import make_checkpoint, serve

import xlmrxl
from xlmrxl.app import handlers, render
from xlmrxl.app.examples import EXAMPLES
from xlmrxl.app.handlers import MAX_CHARACTERS, MAX_FILLS, MAX_MASKS
from xlmrxl.app.palette import GREY, RAMP
from xlmrxl.session import Session
from xlmrxl.tasks.fill import Fill, FillResult, MaskFills
from xlmrxl.tasks.masked import Token
from xlmrxl.tasks.result import Source

TEXT = "The <mask> is here."


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def session(checkpoint: Path) -> Session:
    return xlmrxl.load(checkpoint)


@pytest.fixture(scope="module")
def client(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    from gradio_client import Client

    with serve(checkpoint, tmp_path_factory.mktemp("app") / "log.txt") as url:
        yield Client(url, verbose=False)


def result(text: str, pieces: list[tuple[str, int, int]], fill: str = "cat") -> FillResult:
    """A result as the session gives it, of pieces with their offsets; `<mask>` is a mask."""
    tokens = [Token(0, "<s>", 0, 0, True)]
    tokens += [Token(9, piece, start, end, piece == "<mask>") for piece, start, end in pieces]
    tokens.append(Token(2, "</s>", 0, 0, True))
    fills = (Fill(7, f"▁{fill}", fill, 0.25), Fill(8, "▁", "▁", 0.0001))
    masks = tuple(MaskFills(place, fills) for place, token in enumerate(tokens) if token.piece == "<mask>")
    return FillResult(Source("tiny", None, "fp32", "0"), text, tuple(tokens), masks)


def test_handlers_and_rendering_need_neither_gradio_nor_torch() -> None:
    code = (
        "import sys, xlmrxl.app, xlmrxl.app.handlers, xlmrxl.app.render, xlmrxl.app.palette, xlmrxl.app.examples;"
        "print([name for name in ('gradio', 'torch') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_fill_is_what_the_session_answers(session: Session) -> None:
    assert handlers.outcome(session, TEXT, 3).result == session.fill_mask(TEXT, top_k=3)
    assert handlers.fill(session, TEXT, 3.0) == session.fill_mask(TEXT, top_k=3)  # a slider may send 3.0


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
    outcome = handlers.outcome(session, text, top_k)
    assert outcome.result is None
    assert word in outcome.problem
    assert "\n" not in outcome.problem
    assert 'role="alert"' in render.outcome_html(outcome)


def test_as_much_as_is_allowed_is_filled(session: Session) -> None:
    outcome = handlers.outcome(session, "<mask> " * MAX_MASKS, MAX_FILLS)
    assert [len(mask.fills) for mask in outcome.result.masks] == [MAX_FILLS] * MAX_MASKS


def test_what_nobody_expected_is_logged_and_not_shown(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    broken = dataclasses.replace(session, tokenizer=None)
    with caplog.at_level(logging.ERROR, logger="xlmrxl.app"):
        outcome = handlers.outcome(broken, TEXT, 5)
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
    assert handlers.mask_token(data) == masked


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
        handlers.mask_token(data)
    with pytest.raises(ValueError, match="choose one"):
        handlers.example_text(data)


def test_examples_have_one_mask_and_many_scripts() -> None:
    assert all(example.text.count("<mask>") == 1 for example in EXAMPLES)
    assert len({example.language for example in EXAMPLES}) == len(EXAMPLES) >= 10
    for index, example in enumerate(EXAMPLES):
        assert handlers.example_text({"index": index}) == example.text
    for index in (-1, len(EXAMPLES), 1.0):
        with pytest.raises(ValueError, match="no such example"):
            handlers.example_text({"index": index})
    html = render.examples_html(EXAMPLES)
    assert html.count("<button") == len(EXAMPLES)
    assert 'lang="ar"' in html
    assert html.count('dir="rtl"') == 2


def test_model_line_is_measured(session: Session, checkpoint: Path) -> None:
    line = handlers.model_line(session)
    assert checkpoint.name in line
    assert str(checkpoint.parent) not in line
    assert f"{session.model.num_parameters():,}" in line
    assert "expect mistakes" in line


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "0.0%"), (1e-9, "<0.1%"), (0.0005, "0.1%"), (0.12345, "12.3%"), (1.0, "100.0%")],
)
def test_percent(probability: float, text: str) -> None:
    assert render.percent(probability) == text


@pytest.mark.parametrize(
    ("text", "direction"),
    [("<mask> مصر", "rtl"), ("אני", "rtl"), ("12 — مصر is", "rtl"), ("<mask> is مصر", "ltr"), ("<mask>", "ltr")],
)
def test_direction_does_not_count_masks(text: str, direction: str) -> None:
    assert render.direction(text) == direction


def test_everything_is_escaped() -> None:
    evil = "<script>\"'&"
    html = render.result_html(result(f"{evil} <mask>", [(f"▁{evil}", 0, 11), ("<mask>", 12, 18)], fill=evil))
    for part in (html, render.problem_html(evil), render.header_html(evil)):
        assert "<script" not in part
        assert "&lt;script&gt;" in part
        assert "\"'&" not in part


def test_completed_sentence_keeps_the_space_before_a_mask() -> None:
    """A tokenizer may count the space before a mask as part of it."""
    html = render.result_html(result("A <mask>.", [("▁A", 0, 1), ("<mask>", 1, 8), (".", 8, 9)]))
    assert 'A <mark data-mark="1"><bdi>cat</bdi></mark>.' in html


def test_result_names_every_mask_and_what_is_left() -> None:
    pieces = [("<mask>", 0, 6), ("▁and", 6, 10), ("<mask>", 10, 17)]
    html = render.result_html(result("<mask> and <mask>", pieces))
    assert html.count("<table") == 2
    assert "Mask 1" in html
    assert "Mask 2" in html
    assert html.count("Everything else: 75.0%") == 2
    assert "50%" in html  # the scale ends above the best fill
    assert html.count('<th scope="row">') == 4
    assert html.count('tabindex="0"') == 3  # one way in for the tokens and for each list


def test_pieces_keep_the_shape_of_their_word() -> None:
    arabic = render.result_html(result("كتب <mask>", [("▁كت", 0, 2), ("ب", 2, 3), ("<mask>", 4, 10)]))
    assert "<bdi>كت\u200d</bdi>" in arabic
    assert "<bdi>\u200dب</bdi>" in arabic
    hindi = render.result_html(result("का <mask>", [("▁क", 0, 1), ("ा", 1, 2), ("<mask>", 3, 9)]))
    assert "<bdi>◌ा</bdi>" in hindi
    latin = render.result_html(result("cats <mask>", [("▁cat", 0, 3), ("s", 3, 4), ("<mask>", 5, 11)]))
    assert "\u200d" not in latin


@pytest.mark.parametrize("ramp", [RAMP, GREY])
def test_colours_grow_darker_step_by_step(ramp: tuple[str, ...]) -> None:
    def luminance(colour: str) -> float:
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    values = [luminance(colour) for colour in ramp]
    assert values == sorted(values, reverse=True)


def test_app_builds_and_exposes_one_endpoint(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xlmrxl.app import create_app

    async def build():  # with a loop running Gradio opens none of its own, which it would never close
        return create_app(session)

    monkeypatch.chdir(tmp_path)
    app = asyncio.run(build())
    public = [dependency for dependency in app.config["dependencies"] if dependency["api_visibility"] == "public"]
    assert [dependency["api_name"] for dependency in public] == ["fill"]
    assert not app.analytics_enabled
    assert list(tmp_path.iterdir()) == []


def test_endpoint_answers_the_contract(client, session: Session) -> None:
    answer = client.predict(TEXT, 3, api_name="/fill")
    assert answer == session.fill_mask(TEXT, top_k=3).content()
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/fill"]


@pytest.mark.parametrize(("text", "top_k", "words"), [("no gap", 5, "<mask>"), (TEXT, 99, "from 1 to 20")])
def test_endpoint_explains_problems(client, text: str, top_k: int, words: str) -> None:
    with pytest.raises(Exception, match=words):
        client.predict(text, top_k, api_name="/fill")
