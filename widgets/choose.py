"""`ChoiceScorer`: a prompt and its choices, and which of them the model finds the likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.progress import Progress
from xlmrxl.tasks.choose import QUESTIONS, load_connectives
from xlmrxl.tasks.texts import check_texts
from xlmrxl.widgets.task import Name, ResultWidget, load_named, read_module

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.choose_results import ChooseResult


class ChoiceScorer(ResultWidget):
    """Choose between continuations of a prompt.

    Args:
        model: a session with a masked language model or a multiple-choice head, or the name of a model to load.
        prompt: what comes before.
        choices: two or more.
        question: `"cause"`, `"effect"`, or `""` for a plain continuation.
        language: of the connective that the question puts between prompt and choice.
        **options: others of `ChooseOptions`, for every prompt: `normalization`.
    """

    prompt = traitlets.Unicode("", help="What comes before.").tag(sync=True)
    choices = traitlets.List(traitlets.Unicode(), help="The choices; empty ones are left out.").tag(sync=True)
    question = traitlets.Enum(
        ["", *QUESTIONS], "", help="Whether a cause or an effect of the prompt is chosen; empty for neither."
    ).tag(sync=True)
    language = traitlets.Unicode("en", help="Of the connective that a question brings.").tag(sync=True)
    probabilities = traitlets.List(traitlets.Float(), help="Of each choice that was scored; they sum to 1.")
    scores = traitlets.List(
        traitlets.Float(), help="What they come from: log-probabilities in nats, of a head its logits."
    )
    best = traitlets.Int(None, allow_none=True, help="Index of the best choice; None without an answer.")
    form = traitlets.Dict(help="What the page offers to choose from.").tag(sync=True)

    _esm = read_module("choose")
    _question_traits = ("prompt", "choices", "question", "language")

    def __init__(
        self,
        model: Session | Name = DEFAULT,
        prompt: str = "",
        choices: str | Sequence[str] = (),
        *,
        question: str | None = None,
        language: str = "en",
        **options: Any,
    ) -> None:
        """Load the model where it is named, and choose."""
        self._session = load_named(model)
        self._options = options
        # A head of its own is not asked for causes and effects.
        asks = isinstance(self._session.model, XLMRobertaXLForMaskedLM)
        form = {"languages": sorted(load_connectives()) if asks else []}
        super().__init__(
            prompt=prompt,
            choices=check_texts(choices, "choices"),
            question=question or "",
            language=language,
            form=form,
        )

    def _question(self) -> dict[str, Any] | None:
        choices = [choice for choice in self.choices if choice.strip()]
        if not self.prompt.strip() and not choices:
            return None
        asked = {"question": self.question or None, "language": self.language}
        return {"prompt": self.prompt, "choices": choices, **self._options, **asked}

    def _answer(self, question: dict[str, Any], progress: Progress | bool) -> ChooseResult:
        result: ChooseResult = self._session.choose(**question, progress=progress)
        return result

    def _shown(self, result: ChooseResult | None) -> dict[str, Any]:
        if result is None:
            return {"probabilities": [], "scores": [], "best": None, "html": ""}
        return {
            "probabilities": [choice.probability for choice in result.choices],
            "scores": [choice.score for choice in result.choices],
            "best": result.best,
            "html": result.to_html(),
        }
