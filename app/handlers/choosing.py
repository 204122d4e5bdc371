"""Which choice goes with a prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from xlmrxl.app.handlers import MAX_TEXT, checked_text, language_code
from xlmrxl.checkpoints.strict_json import parse_json
from xlmrxl.tables.decoding import split_lines

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.choose_results import ChooseResult
    from xlmrxl.tasks.options import Question

MAX_CHOICES = 10
MAX_CHOICE = 500  # characters


class ChoiceJson(TypedDict):
    """One choice: its probability, and the score that it comes from."""

    text: str
    probability: float
    score: float


class ChooseJson(TypedDict):
    """What the endpoint `/choose` answers: the choices as they were sent, and the index of the best."""

    prompt: str
    choices: list[ChoiceJson]
    best: int


class ChooseAsked(NamedTuple):
    """What is chosen between, and how."""

    prompt: str
    choices: tuple[str, ...]
    question: Question | None
    language: str


def choose(
    session: Session,
    prompt: Any,
    choices: Any,
    question: Any = "",
    language: Any = "en",
    together: Callable[[ChooseAsked], ChooseResult] | None = None,
) -> ChooseResult:
    """Which choice goes with a prompt. Raises ValueError with one actionable sentence.

    Args:
        session: with a masked language model or a multiple-choice head.
        prompt: what comes before.
        choices: a list, a JSON list, or one a line; empty ones are left out.
        question: "cause", "effect", or "" for neither.
        language: of the question.
        together: chooses for several visitors at once.
    """
    before = checked_text(prompt, "prompt", MAX_TEXT)
    given = _listed(choices)
    if len(given) > MAX_CHOICES:
        raise ValueError(f"There are {len(given)} choices, the app takes {MAX_CHOICES}: leave some out.")
    if len(given) < 2:
        raise ValueError("There is not much to choose from: write two choices or more.")
    if any(len(choice) > MAX_CHOICE for choice in given):
        raise ValueError(f"A choice has more than {MAX_CHOICE} characters: shorten it.")
    if question not in ("", "none", "cause", "effect", None):
        raise ValueError("Choose a question: none, cause or effect.")
    asked = question if question in ("cause", "effect") else None
    item = ChooseAsked(before, tuple(given), asked, language_code(language))
    return choose_all(session, [item])[0] if together is None else together(item)


def choose_all(session: Session, items: list[ChooseAsked]) -> list[ChooseResult]:
    """What several visitors asked, chosen together: questions and languages may differ."""
    return session.choose(
        [item.prompt for item in items],
        [item.choices for item in items],
        question=[item.question for item in items],
        language=[item.language for item in items],
        progress=False,
    )


def _listed(choices: Any) -> list[str]:
    if isinstance(choices, str):
        if not choices.lstrip().startswith("["):
            return [line for line in split_lines(choices) if line.strip()]
        try:
            choices = parse_json(choices)
        except ValueError:
            raise ValueError("The choices look like JSON but are none: send a list of strings.") from None
    if not isinstance(choices, list | tuple) or not all(
        choice is None or isinstance(choice, str) for choice in choices
    ):
        raise ValueError("The choices must be a list of strings, or one a line.")
    return [choice for choice in choices if choice and choice.strip()]
