"""`MaskFiller`: a sentence with masks, and what the model would put there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import traitlets

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.progress import Progress
from xlmrxl.tasks.options import FillMethod
from xlmrxl.tasks.texts import mask_span
from xlmrxl.widgets.task import Name, ResultWidget, load_named, read_module

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.fill_results import FillResult


class MaskFiller(ResultWidget):
    """Fill the masks of a sentence; click a fill to put it there, click a token to mask it.

    Args:
        model: a session with a masked language model, or the name of a model to load.
        text: with `<mask>` where something is missing.
        method: `"subwords"`, `"words"` or `"joint"`.
        top_k: how many fills for each mask.
        **options: others of `FillOptions`, of every text: `script`, `targets`, `punctuation` …
    """

    text = traitlets.Unicode("", help="The sentence, with <mask> where something is missing.").tag(sync=True)
    method = traitlets.Enum(
        get_args(FillMethod), "subwords", help="Single subwords, whole words of several, or all masks together."
    ).tag(sync=True)
    top_k = traitlets.Int(5, min=1, help="How many fills for each mask.").tag(sync=True)
    selected = traitlets.List(
        traitlets.Int(min=0), help="Of each mask, which fill stands in the sentence, 0 the best."
    ).tag(sync=True)
    fills: traitlets.List[list[dict[str, Any]]] = traitlets.List(
        help="Of each mask its fills, dicts with `text`, `begins_word` and `probability`, the best first."
    )
    scores = traitlets.List(traitlets.Float(), help="Of each way to fill all masks together its log-probability, nats.")
    sentence = traitlets.Unicode("", help="The text with the selected fills in it.")

    _esm = read_module("fill")
    _question_traits = ("text", "method", "top_k")

    def __init__(
        self,
        model: Session | Name = DEFAULT,
        text: str = "",
        *,
        method: str = "subwords",
        top_k: int = 5,
        **options: Any,
    ) -> None:
        """Load the model where it is named, and fill the masks."""
        self._session = load_named(model)
        self._options = options
        super().__init__(text=text, method=method, top_k=top_k)
        self.observe(self._complete, ["selected", "html"])
        self._complete()

    def _question(self) -> dict[str, Any] | None:
        if not self.text.strip():
            return None
        return {"text": self.text, "top_k": self.top_k, "method": self.method, **self._options}

    def _answer(self, question: dict[str, Any], progress: Progress | bool) -> FillResult:
        result: FillResult = self._session.fill_mask(**question, progress=progress)
        return result

    def _shown(self, result: FillResult | None) -> dict[str, Any]:
        if result is None:
            return {"fills": [], "scores": [], "selected": [], "html": ""}
        masks = [mask.fills for mask in result.masks]
        if result.joint:
            masks = [tuple(way.fills[number] for way in result.joint) for number in range(len(masks))]
        return {
            "fills": [[fill.content() for fill in fills] for fills in masks],
            "scores": [way.score for way in result.joint],
            "selected": [0] * len(masks),
            "html": result.to_html(),
        }

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> list[int]:
        chosen: list[int] = proposal["value"]
        if len(chosen) != len(self.fills):
            raise traitlets.TraitError(f"The text has {len(self.fills)} masks; give as many numbers, not {chosen}.")
        for number, (rank, fills) in enumerate(zip(chosen, self.fills, strict=True), 1):
            if rank and rank >= len(fills):
                raise traitlets.TraitError(f"Mask {number} has {len(fills)} fills, 0 the best; there is no {rank}.")
        if self.scores and len(set(chosen)) > 1:
            raise traitlets.TraitError(f"All masks are filled together: give the same way for each, not {chosen}.")
        return chosen

    def _complete(self, _: Any = None) -> None:
        """Put the selected fills into the text."""
        if self.result is None:
            self.set_trait("sentence", self.text)
            return
        first, *others = self.result.parts_around_masks()
        mask = self._session.tokenizer.mask_token
        chosen = [fills[rank]["text"] if fills else mask for rank, fills in zip(self.selected, self.fills, strict=True)]
        self.set_trait("sentence", first + "".join(map("".join, zip(chosen, others, strict=True))))

    def _on_click(self, content: dict[str, Any]) -> None:
        """Mask the token that was clicked."""
        start, end = content.get("start"), content.get("end")
        if self.result is None or not isinstance(start, int) or not isinstance(end, int):
            return
        if 0 <= start < end <= len(self.result.text):
            self.text = mask_span(self.result.text, start, end)
