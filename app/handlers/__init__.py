"""What the app does with what a stranger sends: check it, ask the session, explain what went wrong. No Gradio.

Here is what all tabs share; a module for each tab has the rest.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from xlmrxl.app.examples import Example
from xlmrxl.quantization.precision import find_precision

if TYPE_CHECKING:
    from xlmrxl.session import Session

TABS = {
    "XLMRobertaXLForMaskedLM": ("fill", "classify", "choose", "attention", "states"),
    "XLMRobertaXLForSequenceClassification": ("classify", "attention", "states"),
    "XLMRobertaXLForMultipleChoice": ("choose", "attention", "states"),
    "XLMRobertaXLForTokenClassification": ("attention", "states"),
    "XLMRobertaXLForQuestionAnswering": ("attention", "states"),
}
"""What the app can do with each head."""

MASK = "<mask>"
COMMAS = r"[,，،、\n]"  # between what is written into one line
MAX_TEXT = 2_000  # characters of what is classified, and of a prompt
SMALL = 100_000_000  # below this many parameters the app tells people to expect mistakes

UNEXPECTED = "Something went wrong here, and it was not your text: try again, and if it stays, restart the app."

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=Example)


class Run(Protocol):
    """Given a function that runs the model, the function that is called in its place.

    Every tab passes its work with the model through one, so that it can be done elsewhere: what goes in and what comes
    out can be pickled, and a failure comes out as an `Outcome`.
    """

    def __call__(self, work: Callable[P, R], /) -> Callable[P, R]: ...


def here(work: Callable[P, R], /) -> Callable[P, R]:
    """The model runs where the app does."""
    return work


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """Either a result or one sentence that says what to do."""

    result: R | None = None
    problem: str | None = None


class Stopped(ValueError):
    """A visitor wants no more of some work."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


def attempt(work: Callable[[], R], name: str) -> Outcome[R]:
    """What comes of some work, every failure turned into a sentence; what nobody expected is logged by its name."""
    try:
        return Outcome(result=work())
    except ValueError as error:
        return Outcome(problem=str(error))
    except Exception:
        log.exception("%s failed", name)
        return Outcome(problem=UNEXPECTED)


def tabs(session: Session) -> tuple[str, ...]:
    """What the app can do with the model."""
    found = TABS.get(type(session.model).__name__, ())  # by its name, since a class would bring torch along
    # A large model is not loaded again for a visitor, nor what is quantised already in other precisions.
    able = "fill" in found and is_small(session) and not find_precision(session.precision).is_quantized
    return (*found, "compare", "model") if able else (*found, "model")


def possible_tabs(session: Session) -> tuple[str, ...]:
    """What the app could do with any model that has the same head; a tab that it cannot do anything in says so."""
    found = TABS.get(type(session.model).__name__, ())
    return (*found, "compare", "model") if "fill" in found else (*found, "model")


def is_small(session: Session) -> bool:
    """Whether the model is so small that people are told, and that all of its heads can be tried at once."""
    return session.model.num_parameters() < SMALL


def is_masked(session: Session) -> bool:
    """Whether the model is a masked language model: others have their own labels and questions."""
    return "fill" in tabs(session)


def checked_text(text: Any, name: str, most: int) -> str:
    if not isinstance(text, str):
        raise ValueError(f"The {name} must be a string.")
    if not text.strip():
        raise ValueError(f"The {name} is empty: write something.")
    if len(text) > most:
        raise ValueError(f"The {name} has {len(text):,} characters, the app takes {most:,}: shorten it.")
    return text


def language_code(language: Any) -> str:
    if not isinstance(language, str) or not re.fullmatch(r"[a-z]{2,3}", language):
        raise ValueError("The language must be a code such as 'en': choose one from the list.")
    return language


def example(examples: Sequence[E], data: Any) -> E:
    """The example that the page named. The page is not trusted: ValueError if there is none."""
    index = whole_number(data, "index")
    if index is None or not 0 <= index < len(examples):
        raise ValueError("There is no such example: choose one from the list.")
    return examples[index]


def whole_number(data: Any, key: str) -> int | None:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def model_line(session: Session) -> str:
    """What answers here: the model's name, its size as measured, and what to expect of it."""
    warning = ". A small model: expect mistakes" if is_small(session) else ""
    return f"Model {session.name}, {_count(session.model.num_parameters())} parameters{warning}."


def _count(number: int) -> str:
    for size, name in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,}"
