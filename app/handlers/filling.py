"""Masks and their fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from xlmrxl.app.handlers import MASK, Outcome, attempt, whole_number

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.fill import FillResult

MAX_CHARACTERS = 5_000
MAX_FILLS = 20
MAX_MASKS = 32  # a row of the whole vocabulary is held for each
MAX_SEARCHED = 8  # masks, where a word at each is searched for
PIECES, WORDS, JOINT = WAYS = ("pieces", "words", "joint")
OPTIONS: dict[str, dict[str, Any]] = {PIECES: {}, WORDS: {"words": True}, JOINT: {"method": "joint"}}
"""What `Session.fill_mask` is told of a way."""


class FillJson(TypedDict):
    """One fill: the text it puts in place of the mask, and its probability from 0 to 1."""

    text: str
    probability: float


class MaskJson(TypedDict):
    """The fills of one mask, the most probable first."""

    fills: list[FillJson]


class ResultJson(TypedDict):
    """What the endpoint `/fill` answers: the text as it was sent and its masks in order."""

    text: str
    masks: list[MaskJson]


class FillAsked(NamedTuple):
    """How masks are filled: texts that ask for the same are filled together."""

    top_k: int
    way: str


def fill(
    session: Session,
    text: Any,
    top_k: Any,
    way: Any = PIECES,
    together: Callable[[str, FillAsked], FillResult] | None = None,
) -> FillResult:
    """Fill the masks of `text`. Raises ValueError with one actionable sentence; inputs may be of any type.

    `together` fills a text with those of other visitors.
    """
    asked = fill_asked(text, top_k, way)
    return fill_all(session, [text], asked)[0] if together is None else together(text, asked)


def fill_asked(text: Any, top_k: Any, way: Any) -> FillAsked:
    """How the masks of `text` are to be filled. Raises ValueError with one actionable sentence."""
    if not isinstance(text, str):
        raise ValueError("The text must be a string: send a sentence with <mask> where a word is missing.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"The text has {len(text):,} characters, the app takes {MAX_CHARACTERS:,}: shorten it.")
    if text.count(MASK) > MAX_MASKS:
        raise ValueError(f"The text has {text.count(MASK)} masks, the app fills {MAX_MASKS} at once: leave some out.")
    if isinstance(top_k, bool) or not (isinstance(top_k, int) or (isinstance(top_k, float) and top_k.is_integer())):
        raise ValueError(f"The number of fills must be a whole number from 1 to {MAX_FILLS}.")
    if not 1 <= top_k <= MAX_FILLS:
        raise ValueError(f"The number of fills is {int(top_k)}: choose one from 1 to {MAX_FILLS}.")
    if way not in WAYS:
        raise ValueError(f"Choose what to fill with: {', '.join(WAYS)}.")
    if way == WORDS and text.count(MASK) > MAX_SEARCHED:
        raise ValueError(
            f"The text has {text.count(MASK)} masks, the app fills {MAX_SEARCHED} with whole words: leave some out, or "
            "fill with pieces."
        )
    return FillAsked(int(top_k), way)


def fill_all(session: Session, texts: list[str], asked: FillAsked) -> list[FillResult]:
    """Several visitors' texts, filled together."""
    return session.fill_mask(texts, top_k=asked.top_k, progress=False, **OPTIONS[asked.way])


def outcome(session: Session, text: Any, top_k: Any, way: Any = PIECES, together: Any = None) -> Outcome[FillResult]:
    """`fill`, with every failure turned into a sentence."""
    return attempt(lambda: fill(session, text, top_k, way, together), "filling")


def mask_token(data: Any) -> str:
    """Put a mask in place of the characters `start` to `end` of `text`, as the page asked; spaces stay.

    The page is not trusted: ValueError if that is not possible.
    """
    text = data.get("text") if isinstance(data, Mapping) else None
    start, end = whole_number(data, "start"), whole_number(data, "end")
    if not isinstance(text, str) or start is None or end is None or not 0 <= start < end <= len(text):
        raise ValueError("That token is no longer in the text: fill the text again and choose another.")
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return text[:start] + MASK + text[end:]
