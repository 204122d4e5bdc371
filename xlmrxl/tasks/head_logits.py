"""A head's logits for rows of ids: what the tasks on heads other than the LM head share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xlmrxl.progress import Progress, ignore_progress
from xlmrxl.tasks.masked_lm import group_by_length, pad_batch

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel


def compute_head_logits(
    loaded_model: LoadedModel,
    rows: Sequence[Sequence[int]],
    head: Callable[[Tensor, Tensor | None], Tensor],
    progress: Progress = ignore_progress,
) -> list[Tensor]:
    """Return what a head gives for each row, rows of similar length together.

    Args:
        loaded_model: the model.
        rows: of ids, special tokens included.
        head: takes ids (batch, sequence) and the attention mask, None where nothing is padding, and returns the
            logits (batch, …).
        progress: is told how many rows are done and how many there are.

    Returns:
        For each row, in order, its logits without the batch dimension in float32; what belongs to padding is still
        at the end of (sequence, …) logits.
    """
    found: dict[int, Tensor] = {}
    for group in group_by_length([len(row) for row in rows]):
        with torch.inference_mode():
            logits = head(*pad_batch(loaded_model, [rows[i] for i in group])).float().cpu()
            found |= dict(zip(group, loaded_model.require_finite(logits), strict=True))
        progress(len(found), len(rows))
    return [found[i] for i in range(len(rows))]
