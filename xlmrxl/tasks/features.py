"""Frozen features: the hidden states of whole texts, pooled. No head is run and nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.progress import Progress, ignore_progress
from xlmrxl.tasks.masked_lm import TOKENS_AT_ONCE, encode_truncated, group_by_length, pad_batch
from xlmrxl.tasks.texts import check_texts

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

POOLINGS = ("mean", "first")
"""`mean`: over the text's tokens, <s> and </s> left out. `first`: the state at <s>."""
STATES_AT_ONCE = 1 << 29
"""Bytes that all states may take in one forward pass: XL then reads 1,400 tokens at once."""


@dataclass(frozen=True, eq=False)
class Features:
    """The pooled hidden states of some texts."""

    states: tuple[int, ...]  # 0 is the embeddings; the last one ends in the final layer norm
    pooling: tuple[str, ...]
    values: Tensor  # (texts, states, poolings, hidden), float32 on the CPU
    truncated: tuple[int, ...]  # indices of the texts that are longer than the model reads
    tokens: tuple[int, ...]  # how many of each text were read

    def select(self, state: int, pooling: str) -> Tensor:
        """Return one state in one pooling, (texts, hidden)."""
        return self.values[:, self.states.index(state), self.pooling.index(pooling)]


def extract_features(
    loaded_model: LoadedModel,
    texts: Sequence[str],
    *,
    states: Sequence[int] | None = None,
    pooling: str | Sequence[str] = POOLINGS,
    special_tokens: bool = False,
    progress: Progress = ignore_progress,
) -> Features:
    """Read some texts and keep their pooled hidden states.

    Texts of similar length are read together. Of a text that is longer than the model reads, the rest is left out, and
    `truncated` says so. Nothing but the pooled states is kept: 4 bytes × states × poolings × hidden size a text.

    Args:
        loaded_model: with any head.
        texts: none of them empty.
        states: which, 0 for the embeddings; all if not given.
        pooling: `"mean"`, `"first"` or both.
        special_tokens: whether "</s>" and the like in a text are special tokens; otherwise all but `<mask>` are text.
        progress: is told how many texts are done and how many there are.

    Raises:
        TypeError: something other than a text.
        InputError: an empty text, or a state or a pooling that there is not.
    """
    base, config = loaded_model.model.base_model, loaded_model.model.config
    count = config.num_hidden_layers
    states = tuple(range(count + 1)) if states is None else tuple(states)
    for state in states:
        if not 0 <= state <= count:
            raise InputError(f"state is {state}; this model has 0 (the embeddings) to {count}.")
    pooling = tuple(check_texts(pooling, "pooling"))
    for name in pooling:
        if name not in POOLINGS:
            raise InputError(f"pooling is {name!r}; it must be one of {', '.join(POOLINGS)}.")
    rows, truncated = _rows(loaded_model, check_texts(texts), special_tokens)
    values = torch.empty(len(rows), len(states), len(pooling), config.hidden_size)
    token_bytes = (count + 1) * config.hidden_size * 4  # 16-bit weights on the CPU make float32 states too
    done = 0
    for group in group_by_length([len(row) for row in rows], min(TOKENS_AT_ONCE, STATES_AT_ONCE // token_bytes)):
        ids, attention_mask = pad_batch(loaded_model, [rows[i] for i in group])
        inner = torch.zeros(ids.shape)
        for line, i in enumerate(group):
            inner[line, 1 : len(rows[i]) - 1] = 1 / (len(rows[i]) - 2)
        with torch.inference_mode():
            hidden = base(ids, attention_mask=attention_mask, output_hidden_states=True, return_dict=True).hidden_states
            for index, state in enumerate(states):
                vectors = hidden[state].float()
                weights = inner.to(vectors.device)
                pooled = {"mean": (weights[:, None] @ vectors)[:, 0], "first": vectors[:, 0]}
                values[group, index] = torch.stack([pooled[name] for name in pooling], dim=1).cpu()
        del hidden
        loaded_model.require_finite(values[group])
        done += len(group)
        progress(done, len(rows))
    return Features(states, pooling, values, truncated, tuple(len(row) - 2 for row in rows))


def _rows(loaded_model: LoadedModel, texts: list[str], special_tokens: bool) -> tuple[list[list[int]], tuple[int, ...]]:
    """Return the ids of each text, and which texts had more of them than the model reads."""
    rows: list[list[int]] = []
    truncated = []
    for i, text in enumerate(texts):
        ids, total = encode_truncated(loaded_model, text, special_tokens=special_tokens)
        if len(ids) < 3:
            raise InputError(f"texts[{i}] is empty, {text!r}: there is nothing to read.")
        if total > len(ids):
            truncated.append(i)
        rows.append(ids)
    return rows, tuple(truncated)
