"""What is computed from attention weights as such: means over blocks, the strongest pairs of tokens, rollout.

Weights are (heads, queries, keys), each row of queries adding up to 1, as in `output_attentions[layer][0]`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def make_thumbnails(weights: Tensor, size: int) -> Tensor:
    """Average weights over blocks of tokens.

    Block k has the tokens from k · sequence / size on, rounded down, to those of the next.

    Args:
        weights: (heads, sequence, sequence).
        size: blocks along each edge; a short text has as many as it has tokens.

    Returns:
        (heads, size, size).
    """
    length = weights.shape[-1]
    size = min(size, length)
    borders = torch.arange(size + 1) * length // size
    blocks = torch.zeros(size, length)
    for k in range(size):
        blocks[k, borders[k] : borders[k + 1]] = 1 / (borders[k + 1] - borders[k])
    blocks = blocks.to(weights)
    return blocks @ weights @ blocks.T


def find_strongest_pairs(weights: np.ndarray, mass: float) -> list[tuple[int, int, float]]:
    """Return for each query the fewest keys whose weights together reach a share of the row's.

    Args:
        weights: (queries, keys) of one head.
        mass: the share, above 0 and up to 1.

    Returns:
        (query, key, weight), by query, the heaviest first.
    """
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=1)
    reached = np.cumsum(ranked, axis=1, dtype=np.float64)
    # A little less than all of it is all of it: sums of float32 do not end at 1.
    enough = reached >= (mass - 1e-6) * reached[:, -1:]
    counts = enough.argmax(axis=1) + 1
    return [
        (query, int(order[query, rank]), float(ranked[query, rank]))
        for query, count in enumerate(counts.tolist())
        for rank in range(count)
    ]


def compute_rollout(means: np.ndarray) -> np.ndarray:
    """Return how much of each input token is in each output token, if attention were all that mixes them.

    Abnar and Zuidema (2020), Quantifying Attention Flow in Transformers, arXiv:2005.00928: with W_l the mean of layer
    l's heads, A_l = (W_l + I) / 2, which stands for the residual, and the rollout is A_n … A_1 A_0.

    Args:
        means: (layers, sequence, sequence), the mean over the heads of each layer, from the first one on.

    Returns:
        (sequence, sequence) float32; rows are the tokens at the end, columns those at the beginning.
    """
    residual = np.eye(means.shape[1])
    rolled = residual
    for mean in means:
        mixed = (mean.astype(np.float64) + residual) / 2
        rolled = mixed / mixed.sum(axis=1, keepdims=True) @ rolled
    return rolled.astype(np.float32)
