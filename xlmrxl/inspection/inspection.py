"""`inspect()`, which runs the model over a text, and the `Inspection` that it gives."""

from __future__ import annotations

from collections.abc import Sequence

from xlmrxl.inspection.ablation import Ablation, HeadImportance, ablate, head_importance
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.inspection.logit_lens import LogitLens, logit_lens
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.progress import Progress


class Inspection(InspectionData):
    """What the model does with one text, or one pair: the data of one run, and what can be asked of the model about it.

    The tokens, states and attention are described in `InspectionData`.
    """

    def ablate(
        self,
        heads: Sequence[tuple[int, int]] = (),
        layers: Sequence[int] = (),
        *,
        positions: Sequence[int] | None = None,
        top_k: int = 5,
        progress: Progress | bool = True,
    ) -> Ablation:
        """Switch off heads, or all heads of some layers, and see what becomes of the prediction.

        The arguments are those of `ablation.ablate`.
        """
        return ablate(self, heads, layers, positions=positions, top_k=top_k, progress=progress)

    def head_importance(
        self,
        *,
        positions: Sequence[int] | None = None,
        target: str | Sequence[str] | None = None,
        progress: Progress | bool = True,
    ) -> HeadImportance:
        """Switch off each head in turn and measure how much it matters for the prediction.

        The arguments are those of `ablation.head_importance`.
        """
        return head_importance(self, positions=positions, target=target, progress=progress)

    def logit_lens(
        self,
        positions: Sequence[int] | None = None,
        targets: str | Sequence[str] = (),
        top_k: int = 5,
        *,
        progress: Progress | bool = True,
    ) -> LogitLens:
        """Apply the masked-LM head to every state at some tokens.

        The arguments are those of `logit_lens.logit_lens`.
        """
        return logit_lens(self, positions, targets, top_k, progress=progress)


def inspect(
    loaded_model: LoadedModel,
    text: str,
    text_pair: str | None = None,
    *,
    keep: str = "recompute",
    progress: Progress | bool = True,
) -> Inspection:
    """Run the model once over a text, or over a pair, and keep what it takes to look into it.

    Kept are the states of all layers, one number a head of each of the statistics, thumbnails, and for each layer the
    mean over its heads: for XL about 60 MB at 128 tokens.

    Args:
        loaded_model: with any head; not a decoder, and none of its heads pruned.
        text: what is read, `<mask>` included where a word is to be predicted.
        text_pair: the second text of a pair, read as `<s> text </s></s> text_pair </s>`.
        keep: `"recompute"`: the weights of a layer are computed again from its state when they are asked for, exactly.
            `"fp16"`, `"uint8"`: all weights are held: 38 or 19 MB for XL at 128 tokens, 16 times as much at 512.
        progress: called with the layers that are done and how many there are; True for a bar.

    Raises:
        TypeError: something other than a text.
        InputError: a text without any token, more tokens than the model reads, a decoder, or an unknown `keep`.
    """
    return Inspection(loaded_model, text, text_pair, keep=keep, progress=progress)
