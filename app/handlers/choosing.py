"""Which choice goes with a prompt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypedDict

from xlmrxl.app.handlers import MAX_TEXT, checked_text, language_code

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.choose import ChooseResult

MAX_CHOICES = 5
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


def choose(session: Session, prompt: Any, choices: Any, question: Any = "", language: Any = "en") -> ChooseResult:
    """Which choice goes with a prompt. Raises ValueError with one actionable sentence.

    Args:
        session: with a masked language model or a multiple-choice head.
        prompt: what comes before.
        choices: a list, a JSON list, or one a line; empty ones are left out.
        question: "cause", "effect", or "" for neither.
        language: of the question.
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
    return session.choose(before, given, question=asked, language=language_code(language), progress=False)


def _listed(choices: Any) -> list[str]:
    if isinstance(choices, str):
        if not choices.lstrip().startswith("["):
            return [line for line in choices.splitlines() if line.strip()]
        try:
            choices = json.loads(choices)
        except (ValueError, RecursionError):
            raise ValueError("The choices look like JSON but are none: send a list of strings.") from None
    if not isinstance(choices, list | tuple) or not all(
        choice is None or isinstance(choice, str) for choice in choices
    ):
        raise ValueError("The choices must be a list of strings, or one a line.")
    return [choice for choice in choices if choice and choice.strip()]
