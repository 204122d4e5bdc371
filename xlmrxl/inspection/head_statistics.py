"""The statistics of heads: one declaration for each, which everything that computes, lists or draws them reads.

`STATISTICS` is that list: `Inspection.statistic` and `rank_heads` compute what it says, the attention explorer gets it
with its first data, and the app, the widgets, the figures and the documentation ask it for names, texts and units. To
add a statistic, add an entry here and its definition as plain loops to `tests/inspection/test_head_statistics.py`; the
app's translations may follow.

A statistic is a mean over the tokens of the text, `<mask>` among them: `<s>` and `</s>` are left out as queries, since
heads that find nothing rest there. In the formulas aᵢⱼ is the weight with which token i attends to token j.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from xlmrxl.errors import InputError

Needs = Literal["weights", "value_norms", "ablation", "comparison"]
FromWeights = Callable[[Tensor, Tensor], Tensor]
"""From weights (heads, queries, keys) and which tokens are of the text (keys,) to a value for each query."""
FromNorms = Callable[[np.ndarray, Sequence[int]], np.ndarray]
"""From the mean of aᵢⱼ ‖f(xⱼ)‖ over the text's tokens i, (layers, heads, keys), and the positions of the text's tokens
to a value for each head, (layers, heads)."""


@dataclass(frozen=True)
class HeadStatistic:
    """One number for every head.

    Attributes:
        name: as it is asked for.
        title: as a list of choices shows it.
        description: what it says, with its formula.
        unit: of the values.
        needs: what it is computed from: `"weights"`, while a text is read; `"value_norms"`, which takes one more pass
            over the layers when it is first asked for; `"ablation"`, every head switched off in turn; or
            `"comparison"`, a second inspection of the same tokens.
        maximum: the largest value that it can have; None where there is none, or where it depends on the text. No
            statistic is negative.
        scale: of the palette that it is drawn in.
        source: the paper that it is from.
        python: the expression that gives it, with `{inspection}`, or for a comparison `{first}` and `{second}`; that of
            `Inspection.statistic` if empty.
        python_import: the line that the expression needs.
        from_weights: computes it where it needs weights.
        from_norms: computes it where it needs the norms of values.
    """

    name: str
    title: str
    description: str
    unit: str
    needs: Needs = "weights"
    maximum: float | None = None
    scale: str = "sequential"
    source: str = ""
    python: str = ""
    python_import: str = ""
    from_weights: FromWeights | None = None
    from_norms: FromNorms | None = None

    def __post_init__(self) -> None:
        """Fill in the expression of a statistic that one run gives."""
        if not self.python:
            object.__setattr__(self, "python", f'{{inspection}}.statistic("{self.name}")')


CLARK = "Clark et al. (2019), What Does BERT Look At?, arXiv:1906.04341"
VOITA = "Voita et al. (2019), Analyzing Multi-Head Self-Attention, arXiv:1905.09418"
KOBAYASHI = "Kobayashi et al. (2020), Attention is Not Only a Weight, arXiv:2004.10102"
MICHEL = "Michel et al. (2019), Are Sixteen Heads Really Better than One?, arXiv:1905.10650"


def _entropy(weights: Tensor, is_text: Tensor) -> Tensor:
    return -(weights * weights.clamp(min=torch.finfo(weights.dtype).tiny).log()).sum(-1)


def _distance(weights: Tensor, is_text: Tensor) -> Tensor:
    positions = torch.arange(len(is_text), device=weights.device)
    apart = (positions[:, None] - positions[None, :]).abs().to(weights.dtype)
    return torch.einsum("hqk,qk->hq", weights, apart)


def _neighbour(offset: int) -> FromWeights:
    """Return what gives the weight of the token `offset` places further on; the token at the edge has none there."""

    def weigh(weights: Tensor, is_text: Tensor) -> Tensor:
        none = weights.new_zeros(weights.shape[0], 1)
        diagonal = weights.diagonal(offset, 1, 2)
        return torch.cat([diagonal, none] if offset > 0 else [none, diagonal], 1)

    return weigh


def _special_share(given: np.ndarray, text_positions: Sequence[int]) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # a head that gives nothing at all has no share
        share: np.ndarray = np.delete(given, text_positions, axis=-1).sum(-1) / given.sum(-1)
    return share


STATISTICS = {
    statistic.name: statistic
    for statistic in (
        HeadStatistic(
            "entropy",
            "entropy",
            "How evenly a token's attention is spread: −Σⱼ aᵢⱼ ln aᵢⱼ",
            "nats",
            source=CLARK,
            from_weights=_entropy,
        ),
        HeadStatistic(
            "distance",
            "distance",
            "How far away a token looks: Σⱼ aᵢⱼ |i − j|",
            "tokens",
            source=CLARK,
            from_weights=_distance,
        ),
        HeadStatistic(
            "special",
            "special",
            "What of a token's attention goes to <s> and </s>",
            "mass",
            maximum=1,
            source=CLARK,
            from_weights=lambda weights, is_text: weights @ (~is_text).to(weights.dtype),
        ),
        HeadStatistic(
            "self",
            "self",
            "What of a token's attention stays on the token: aᵢᵢ",
            "mass",
            maximum=1,
            source=CLARK,
            from_weights=lambda weights, is_text: weights.diagonal(dim1=1, dim2=2),
        ),
        HeadStatistic(
            "next",
            "next",
            "What of a token's attention goes to the token after it: aᵢ,ᵢ₊₁",
            "mass",
            maximum=1,
            source=CLARK,
            from_weights=_neighbour(1),
        ),
        HeadStatistic(
            "previous",
            "previous",
            "What of a token's attention goes to the token before it: aᵢ,ᵢ₋₁",
            "mass",
            maximum=1,
            source=CLARK,
            from_weights=_neighbour(-1),
        ),
        HeadStatistic(
            "confidence",
            "confidence",
            "The largest weight of a token's attention: maxⱼ aᵢⱼ",
            "mass",
            maximum=1,
            source=VOITA,
            from_weights=lambda weights, is_text: weights.amax(-1),
        ),
        HeadStatistic(
            "norm",
            "norm",
            "How much a token is given: Σⱼ ‖aᵢⱼ f(xⱼ)‖ (Kobayashi et al. 2020)",
            "length",
            needs="value_norms",
            source=KOBAYASHI,
            from_norms=lambda given, text_positions: given.sum(-1),
        ),
        HeadStatistic(
            "norm_special",
            "norm, special",
            "What of that comes from <s> and </s>: the same over them, divided by it",
            "share",
            needs="value_norms",
            maximum=1,
            source=KOBAYASHI,
            from_norms=_special_share,
        ),
        HeadStatistic(
            "importance",
            "importance",
            "What switching the head off does to the prediction: KL divergence",
            "nats",
            needs="ablation",
            source=MICHEL,
            python="{inspection}.head_importance().values",
        ),
        HeadStatistic(
            "change",
            "change",
            "How far rows differ between the two: ½ Σⱼ |aᵢⱼ − bᵢⱼ|",
            "mass",
            needs="comparison",
            maximum=1,
            python="attention_change({first}, {second}).values",
            python_import="from xlmrxl.inspection.difference import attention_change",
        ),
    )
}
"""Every statistic by its name."""


def find_statistic(name: str, *needs: Needs) -> HeadStatistic:
    """Return the declaration of a statistic.

    Args:
        name: of it.
        *needs: what it may need; anything if none is given.

    Raises:
        InputError: there is no such statistic, or none that needs only this.
    """
    known = [one.name for one in STATISTICS.values() if not needs or one.needs in needs]
    if name in known:
        return STATISTICS[name]
    if name in STATISTICS:
        how = STATISTICS[name].python.format(inspection="inspection", first="first", second="second")
        raise InputError(f"The statistic {name!r} takes more than one run of the model: use {how}.")
    raise InputError(f"There is no statistic {name!r}; there are {', '.join(known)}.")


def list_statistics(*needs: Needs) -> list[str]:
    """Return the names of the statistics that need one of these, in the order of their declaration."""
    return [one.name for one in STATISTICS.values() if one.needs in needs]


def measure_weights(weights: Tensor, is_text: Tensor) -> dict[str, Tensor]:
    """Return every statistic that needs only weights, (heads,) each.

    Args:
        weights: of one layer, (heads, queries, keys), float32.
        is_text: (keys,) booleans: the tokens of the text; the others are `<s>` and `</s>`.
    """
    return {
        one.name: one.from_weights(weights, is_text)[:, is_text].mean(-1)
        for one in STATISTICS.values()
        if one.from_weights is not None
    }


def measure_norms(received: np.ndarray, norms: np.ndarray, text_positions: Sequence[int]) -> dict[str, np.ndarray]:
    """Return every statistic that needs the norms of values, (layers, heads) each.

    Args:
        received: (layers, heads, keys): the mean weight that a key gets from the tokens of the text.
        norms: (layers, heads, keys): ‖f(xⱼ)‖.
        text_positions: of the tokens of the text; the others are `<s>` and `</s>`.
    """
    given = received * norms
    return {
        one.name: one.from_norms(given, text_positions) for one in STATISTICS.values() if one.from_norms is not None
    }
