"""Mask filling: what the model expects at each `<mask>` of a text, each mask on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xlmrxl.heads import XLMRobertaXLForMaskedLM
from xlmrxl.tasks.masked import Row, Token, log_probabilities, tokens_of
from xlmrxl.tasks.result import Result, Source
from xlmrxl.tokenizer import XLMRobertaTokenizer
from xlmrxl.vocabulary import SPACE

if TYPE_CHECKING:
    from xlmrxl.session import Session

NO_MASK = (
    "There is no <mask> in the text. Write <mask> where a word is missing, as in 'The capital of France is <mask>.'"
)


@dataclass(frozen=True)
class Fill:
    """One token that may stand at a mask."""

    id: int
    piece: str
    text: str  # the piece without the space before it
    probability: float  # among all rows of the vocabulary


@dataclass(frozen=True)
class MaskFills:
    """What the model expects at one mask."""

    position: int  # index among the tokens
    fills: tuple[Fill, ...]  # the most probable first


@dataclass(frozen=True)
class FillResult(Result):
    """A text and what the model expects at each of its masks, in order, each mask on its own."""

    text: str
    tokens: tuple[Token, ...]
    masks: tuple[MaskFills, ...]

    def content(self) -> dict[str, Any]:
        """`{"text": …, "masks": [{"fills": [{"text": …, "probability": …}, …]}, …]}`."""
        masks = [
            {"fills": [{"text": fill.text, "probability": fill.probability} for fill in mask.fills]}
            for mask in self.masks
        ]
        return {"text": self.text, "masks": masks}

    def rows(self) -> list[dict[str, Any]]:
        """A row a fill."""
        return [
            {"text": self.text, "mask": number, "fill": fill.text, "probability": fill.probability}
            for number, mask in enumerate(self.masks, 1)
            for fill in mask.fills
        ]

    def __str__(self) -> str:
        lines = [self.text]
        for number, mask in enumerate(self.masks, 1):
            if len(self.masks) > 1:
                lines.append(f"<mask> {number}")
            width = max((fill.probability for fill in mask.fills), default=1.0)
            for fill in mask.fills:
                bar = "█" * max(1, round(16 * fill.probability / width))
                lines.append(f"  {fill.probability:7.2%}  {bar:<16}  {fill.text}")
        return "\n".join(lines)


def fill_mask(session: Session, texts: Sequence[str], *, top_k: int = 5) -> list[FillResult]:
    """Fill the masks of some texts.

    The encoder runs once a text, texts of similar length together, and the LM head only at the masks. Several masks
    of one text are filled independently: each distribution leaves the other masks open. Special tokens and rows of
    the vocabulary without a token are never offered, but they keep their share of the probability.

    Args:
        session: with a masked language model.
        texts: each with one `<mask>` or more.
        top_k: how many fills a mask.

    Returns:
        A result for each text, in order.

    Raises:
        ValueError: a text without a mask or too long, or a `top_k` that cannot be had.
        TypeError: something other than a text.
    """
    tokenizer = session.tokenizer
    session.require(XLMRobertaXLForMaskedLM)
    offered = tokenizer.vocab_size - len(tokenizer.all_special_ids)
    if not 1 <= top_k <= offered:
        raise ValueError(f"top_k is {top_k}; it must be between 1 and {offered}, the tokens of this vocabulary.")
    encoded = [tokens_of(session, text) for text in texts]
    rows = []
    for tokens in encoded:
        ids = [token.id for token in tokens]
        places = [place for place, i in enumerate(ids) if i == tokenizer.mask_token_id]
        if not places:
            raise ValueError(NO_MASK)
        rows.append(Row(ids, places))
    hidden_ids = torch.tensor(sorted(tokenizer.all_special_ids), device=session.device)

    def read(i: int, logs: Tensor) -> tuple[MaskFills, ...]:
        probabilities = logs.exp()
        probabilities[:, hidden_ids] = -1
        probabilities[:, tokenizer.vocab_size :] = -1
        best = probabilities.topk(top_k, dim=-1)
        return tuple(
            MaskFills(place, _fills(tokenizer, ids, values))
            for place, ids, values in zip(rows[i].places, best.indices.tolist(), best.values.tolist(), strict=True)
        )

    source = Source.of(session, top_k=top_k)
    found = log_probabilities(session, rows, read)
    return [
        FillResult(source, text, tuple(tokens), masks)
        for text, tokens, masks in zip(texts, encoded, found, strict=True)
    ]


def _fills(tokenizer: XLMRobertaTokenizer, ids: list[int], probabilities: list[float]) -> tuple[Fill, ...]:
    pieces = tokenizer.convert_ids_to_tokens(ids)
    return tuple(
        # A lone "▁" is a space: shown as such a mark, since an empty fill could not be seen.
        Fill(id_, piece, piece.replace(SPACE, " ").strip() or SPACE, probability)
        for id_, piece, probability in zip(ids, pieces, probabilities, strict=True)
    )
