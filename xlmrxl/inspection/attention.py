"""What can be said of attention weights: one number a head, thumbnails, edges, rollout.

Weights are (heads, queries, keys), each row of queries adding up to 1, as in `output_attentions[layer][0]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Statistic(NamedTuple):
    """What one number a head means."""

    what: str
    unit: str


STATISTICS = {
    "entropy": Statistic("How evenly a token's attention is spread: −Σⱼ aᵢⱼ ln aᵢⱼ", "nats"),
    "distance": Statistic("How far away a token looks: Σⱼ aᵢⱼ |i − j|", "tokens"),
    "special": Statistic("What of a token's attention goes to <s> and </s>", "mass"),
    "self": Statistic("What of a token's attention stays on the token: aᵢᵢ", "mass"),
    "next": Statistic("What of a token's attention goes to the token after it: aᵢ,ᵢ₊₁", "mass"),
    "previous": Statistic("What of a token's attention goes to the token before it: aᵢ,ᵢ₋₁", "mass"),
    "confidence": Statistic("The largest weight of a token's attention: maxⱼ aᵢⱼ", "mass"),
    "norm": Statistic("How much a token is given: Σⱼ ‖aᵢⱼ f(xⱼ)‖ (Kobayashi et al. 2020)", "length"),
    "norm_special": Statistic("What of that comes from <s> and </s>: the same over them, divided by it", "share"),
}
"""Numbers that every head has, each a mean over the tokens i of the text, a <mask> among them; <s> and </s> are left
out as queries, since heads that find nothing rest there. a are the head's weights."""
ON_DEMAND = ("norm", "norm_special")
"""Those that take more than the weights: one pass over the layers when they are first asked for."""
MEASURED = tuple(name for name in STATISTICS if name not in ON_DEMAND)
"""The others."""


def statistics(weights: Tensor, inner: Tensor) -> dict[str, Tensor]:
    """The numbers of MEASURED, (heads,) each.

    `confidence` is after Voita et al. (2019, arXiv:1905.09418), `entropy` and the others after Clark et al. (2019,
    arXiv:1906.04341).

    Args:
        weights: (heads, sequence, sequence), float32.
        inner: (sequence,) booleans: the tokens of the text; the others are <s> and </s>.
    """
    length = len(inner)
    places = torch.arange(length, device=weights.device)
    apart = (places[:, None] - places[None, :]).abs().to(weights.dtype)
    nothing = weights.new_zeros(weights.shape[0], 1)
    rows = {
        "entropy": -(weights * weights.clamp(min=torch.finfo(weights.dtype).tiny).log()).sum(-1),
        "distance": torch.einsum("hqk,qk->hq", weights, apart),
        "special": weights @ (~inner).to(weights.dtype),
        "self": weights.diagonal(dim1=1, dim2=2),
        "next": torch.cat([weights.diagonal(1, 1, 2), nothing], 1),
        "previous": torch.cat([nothing, weights.diagonal(-1, 1, 2)], 1),
        "confidence": weights.amax(-1),
    }
    return {name: row[:, inner].mean(-1) for name, row in rows.items()}


def norm_statistics(received: np.ndarray, norms: np.ndarray, inner: Sequence[int]) -> dict[str, np.ndarray]:
    """The numbers of ON_DEMAND, (layers, heads) each.

    Args:
        received: (layers, heads, keys): the mean weight that a key gets from the tokens of the text.
        norms: (layers, heads, keys): ‖f(xⱼ)‖.
        inner: places of the tokens of the text; the others are <s> and </s>.
    """
    given = received * norms
    total = given.sum(-1)
    with np.errstate(invalid="ignore"):  # of a head that gives nothing at all the share is no number
        return {"norm": total, "norm_special": np.delete(given, inner, axis=-1).sum(-1) / total}


def thumbnails(weights: Tensor, size: int) -> Tensor:
    """Means over blocks: (heads, sequence, sequence) to (heads, size, size), or to a smaller size if the text is short.

    Block k has the tokens from k · sequence / size on, rounded down, to those of the next.
    """
    length = weights.shape[-1]
    size = min(size, length)
    edges = torch.arange(size + 1) * length // size
    blocks = torch.zeros(size, length)
    for k in range(size):
        blocks[k, edges[k] : edges[k + 1]] = 1 / (edges[k + 1] - edges[k])
    blocks = blocks.to(weights)
    return blocks @ weights @ blocks.T


def top_edges(weights: np.ndarray, mass: float) -> list[tuple[int, int, float]]:
    """Per query the fewest keys whose weights together reach a share of the row's.

    Args:
        weights: (queries, keys) of one head.
        mass: above 0, up to 1.

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
        (query, int(order[query, place]), float(ranked[query, place]))
        for query, count in enumerate(counts.tolist())
        for place in range(count)
    ]


def rollout(means: np.ndarray) -> np.ndarray:
    """How much of each input token is in each output token, if attention were all that mixes them.

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
