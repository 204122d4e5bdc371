"""What the app does with what a stranger sends: check it, ask the session, explain what went wrong. No Gradio."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from xlmrxl.app.examples import EXAMPLES

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.fill import FillResult

MASK = "<mask>"
MAX_CHARACTERS = 5_000
MAX_FILLS = 20
MAX_MASKS = 32  # a row of the whole vocabulary is held for each
SMALL = 100_000_000  # below this many parameters the app tells people to expect mistakes

UNEXPECTED = "Something went wrong here, and it was not your text: try again, and if it stays, restart the app."

log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Outcome:
    """Either a result or one sentence that says what to do."""

    result: FillResult | None = None
    problem: str | None = None


def fill(session: Session, text: Any, top_k: Any) -> FillResult:
    """Fill the masks of `text`. Raises ValueError with one actionable sentence; inputs may be of any type."""
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
    return session.fill_mask(text, top_k=int(top_k))


def outcome(session: Session, text: Any, top_k: Any) -> Outcome:
    """`fill`, with every failure turned into a sentence; what nobody expected is logged."""
    try:
        return Outcome(result=fill(session, text, top_k))
    except ValueError as error:
        return Outcome(problem=str(error))
    except Exception:
        log.exception("filling failed for a text of %d characters", len(text))
        return Outcome(problem=UNEXPECTED)


def example_text(data: Any) -> str:
    """The text of the example that the page named. The page is not trusted: ValueError if there is none."""
    index = _whole_number(data, "index")
    if index is None or not 0 <= index < len(EXAMPLES):
        raise ValueError("There is no such example: choose one from the list.")
    return EXAMPLES[index].text


def mask_token(data: Any) -> str:
    """Put a mask in place of the characters `start` to `end` of `text`, as the page asked; spaces stay.

    The page is not trusted: ValueError if that is not possible.
    """
    text = data.get("text") if isinstance(data, Mapping) else None
    start, end = _whole_number(data, "start"), _whole_number(data, "end")
    if not isinstance(text, str) or start is None or end is None or not 0 <= start < end <= len(text):
        raise ValueError("That token is no longer in the text: fill the text again and choose another.")
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return text[:start] + MASK + text[end:]


def model_line(session: Session) -> str:
    """What answers here: the model's name, its size as measured, and what to expect of it."""
    # Of a folder only its own name: where it lies on the machine is nobody's business.
    name = os.path.basename(os.path.abspath(session.name)) if os.path.isdir(session.name) else session.name
    count = session.model.num_parameters()
    warning = ". A small model: expect mistakes" if count < SMALL else ""
    return f"Model {name}, {_count(count)} parameters{warning}."


def _count(number: int) -> str:
    for size, name in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,}"


def _whole_number(data: Any, key: str) -> int | None:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
