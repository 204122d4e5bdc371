"""Mask filling: what the model expects at each `<mask>` of a text, each mask on its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from xlmrxl.heads import XLMRobertaXLForMaskedLM
from xlmrxl.tokenizer import XLMRobertaTokenizer
from xlmrxl.vocabulary import SPACE

TOKENS_AT_ONCE = 4096
"""Tokens of one forward pass, padding included: enough to keep a GPU busy, little enough for a laptop."""


@dataclass(frozen=True)
class Token:
    """One piece of the text as the model reads it."""

    id: int
    piece: str  # "▁" stands for a space before it
    start: int  # offsets in characters of the original text; both 0 for the tokens around it
    end: int
    special: bool  # <s>, </s> or <mask>


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
class FillResult:
    """A text and what the model expects at each of its masks, in order, each mask on its own."""

    text: str
    tokens: tuple[Token, ...]
    masks: tuple[MaskFills, ...]
    model: str
    precision: str

    def to_dict(self) -> dict[str, Any]:
        """`{"text": …, "masks": [{"fills": [{"text": …, "probability": …}, …]}, …]}`."""
        masks = [
            {"fills": [{"text": fill.text, "probability": fill.probability} for fill in mask.fills]}
            for mask in self.masks
        ]
        return {"text": self.text, "masks": masks}

    def to_json(self) -> str:
        """The same on one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

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


def fill_mask(
    model: XLMRobertaXLForMaskedLM,
    tokenizer: XLMRobertaTokenizer,
    texts: Sequence[str],
    *,
    top_k: int = 5,
    name: str = "",
    precision: str = "",
) -> list[FillResult]:
    """Fill the masks of some texts.

    The encoder runs once a text, texts of similar length together, and the LM head only at the masks. Several masks
    of one text are filled independently: each distribution leaves the other masks open. Special tokens and rows of
    the vocabulary without a token are never offered, but they keep their share of the probability.

    Args:
        model: in eval mode.
        tokenizer: the model's own.
        texts: each with one `<mask>` or more.
        top_k: how many fills a mask.
        name: of the model, for the results.
        precision: of the weights, for the results.

    Returns:
        A result for each text, in order.

    Raises:
        ValueError: a text without a mask or too long, or a `top_k` that cannot be had.
        TypeError: something other than a text.
    """
    offered = tokenizer.vocab_size - len(tokenizer.all_special_ids)
    if not 1 <= top_k <= offered:
        raise ValueError(f"top_k is {top_k}; it must be between 1 and {offered}, the tokens of this vocabulary.")
    encoded = [_encode(text, model, tokenizer) for text in texts]
    hidden_ids = torch.tensor(sorted(tokenizer.all_special_ids), device=model.device)
    results: dict[int, FillResult] = {}
    for batch in _batches([len(tokens) for tokens in encoded]):
        ids = tokenizer.pad({"input_ids": [[token.id for token in encoded[i]] for i in batch]}, return_tensors="pt")
        ids = ids.to(model.device)
        at_mask = ids["input_ids"] == tokenizer.mask_token_id
        # Nothing to leave out: without a mask torch takes a faster way through the attention.
        attention_mask = None if bool(ids["attention_mask"].all()) else ids["attention_mask"]
        with torch.inference_mode():
            logits = model(ids["input_ids"], attention_mask=attention_mask, logits_mask=at_mask).logits
            probabilities = logits.float().softmax(dim=-1)
            probabilities[:, hidden_ids] = -1
            probabilities[:, tokenizer.vocab_size :] = -1
            best = probabilities.topk(top_k, dim=-1)
        rows = list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        for i in batch:
            positions = [place for place, token in enumerate(encoded[i]) if token.id == tokenizer.mask_token_id]
            masks = [MaskFills(place, _fills(tokenizer, *rows.pop(0))) for place in positions]
            results[i] = FillResult(texts[i], tuple(encoded[i]), tuple(masks), name, precision)
    return [results[i] for i in range(len(texts))]


def _encode(text: str, model: XLMRobertaXLForMaskedLM, tokenizer: XLMRobertaTokenizer) -> list[Token]:
    if not isinstance(text, str):
        raise TypeError(f"A text to fill is a string, not a {type(text).__name__}.")
    encoding = tokenizer(text, return_offsets_mapping=True)
    ids = encoding["input_ids"]
    if tokenizer.mask_token_id not in ids:
        raise ValueError(
            "There is no <mask> in the text. Write <mask> where a word is missing, as in "
            "'The capital of France is <mask>.'"
        )
    most = min(tokenizer.model_max_length, model.config.max_position_embeddings - model.config.pad_token_id - 1)
    if len(ids) > most:
        raise ValueError(
            f"The text has {len(ids)} tokens, but the model reads at most {most}. Shorten it, or fill its parts "
            "one by one."
        )
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    pieces = tokenizer.convert_ids_to_tokens(ids)
    return [
        Token(id_, piece, start, end, id_ in special)
        for id_, piece, (start, end) in zip(ids, pieces, encoding["offset_mapping"], strict=True)
    ]


def _batches(lengths: list[int]) -> list[list[int]]:
    """Indices in groups of similar length, each within `TOKENS_AT_ONCE` after padding."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[i] <= TOKENS_AT_ONCE:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _fills(tokenizer: XLMRobertaTokenizer, ids: list[int], probabilities: list[float]) -> tuple[Fill, ...]:
    pieces = tokenizer.convert_ids_to_tokens(ids)
    return tuple(
        # A lone "▁" is a space: shown as such a mark, since an empty fill could not be seen.
        Fill(id_, piece, piece.replace(SPACE, " ").strip() or SPACE, probability)
        for id_, piece, probability in zip(ids, pieces, probabilities, strict=True)
    )
