"""Ablation: heads switched off, some at a time or each in turn, and what becomes of the model's prediction.

A head is switched off by multiplying its attention weights by 0, as `head_mask` does (Michel et al. 2019, Are Sixteen
Heads Really Better than One?, arXiv:1905.10650): the bias of the output projection and the feed-forward sublayer stay.
What is not switched off is run beside what is, in the same batch, so that they differ by the ablation and not by the
order in which a processor adds numbers of 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.inspection.labelled_matrix import Array, Axis, LabelledMatrix
from xlmrxl.inspection.predictions import Predictions
from xlmrxl.progress import Progress, ignore_progress, show_progress
from xlmrxl.rendering.components import (
    render_head,
    render_heading,
    render_result,
    render_rows,
    render_scroller,
    render_section,
    render_shaded_cell,
    render_table,
)
from xlmrxl.rendering.formats import format_number
from xlmrxl.tasks.masked_lm import LOGITS_AT_ONCE, TOKENS_AT_ONCE
from xlmrxl.tasks.result import Result, format_table

Head = tuple[int, int]


@dataclass(frozen=True)
class Outcome:
    """A token or a label that the model may predict."""

    id: int  # of the token or the label
    text: str
    before: float  # its probability; of a regression or a choice, the number
    after: float  # the same without the heads


@dataclass(frozen=True)
class Effect:
    """The effect of an ablation on one distribution."""

    title: str  # the piece that is read, or "label", "start", "end"
    position: int | None  # of the token; None where it is of the whole text
    kl: float | None  # Kullback-Leibler divergence of what is after from what was before, nats; None of a number
    outcomes: tuple[Outcome, ...]  # the likeliest before and the likeliest after, in the order from before


@dataclass(frozen=True)
class Ablation(Result):
    """The effects of switching off some heads, at each mask or on each label of a text."""

    text: str
    text_pair: str | None
    heads: tuple[Head, ...]  # (layer, head), those of whole layers left out
    layers: tuple[int, ...]  # of which all heads were switched off
    effects: tuple[Effect, ...]

    def content(self) -> dict[str, Any]:
        """Return `{…, "effects": [{"title": …, "kl": …, "outcomes": [{"text": …, "before": …, "after": …}]}]}`."""
        return {
            "text": self.text,
            "text_pair": self.text_pair,
            "heads": self.heads,
            "layers": self.layers,
            "effects": [{**vars(e), "outcomes": [vars(outcome) for outcome in e.outcomes]} for e in self.effects],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each outcome.

        `before` and `after` are probabilities; a regression or a choice has `number_before` and `number_after`.
        """
        return [
            {
                "title": effect.title,
                "position": effect.position,
                "kl": effect.kl,
                "outcome": outcome.text,
                f"{'number_' if effect.kl is None else ''}before": outcome.before,
                f"{'number_' if effect.kl is None else ''}after": outcome.after,
            }
            for effect in self.effects
            for outcome in effect.outcomes
        ]

    def describe_heads(self) -> str:
        """Return what was switched off: `L0 H3, L4 (all heads)`."""
        heads = [f"L{layer} H{head}" for layer, head in self.heads]
        return ", ".join([*heads, *(f"L{layer} (all heads)" for layer in self.layers)])

    def __str__(self) -> str:
        """Write each effect with its outcomes before and after, for a terminal."""
        lines = [f"without {self.describe_heads()}"]
        for effect in self.effects:
            where = "" if effect.position is None else f" (token {effect.position})"
            kl = "" if effect.kl is None else f": KL {format_number(effect.kl)} nats"
            lines.append(f"{effect.title}{where}{kl}")
            form = "{:8.4g} → {:8.4g}  {}" if effect.kl is None else "{:8.2%} → {:8.2%}  {}"
            lines += [form.format(outcome.before, outcome.after, outcome.text) for outcome in effect.outcomes]
        return "\n".join(lines)

    def to_html(self, *, interactive: bool = True) -> str:
        """Return what was switched off, and a row for each outcome, as HTML."""
        return render_result(render_rows(self.rows(), f"Without {self.describe_heads()}"), self.text)


@dataclass(frozen=True, eq=False)
class HeadImportance(LabelledMatrix):
    """The importance of each head for a text, layers × heads.

    Attributes:
        text, text_pair: what was read.
        positions: the tokens whose predictions were measured; none where it is the whole text's.
    """

    text: str = ""
    text_pair: str | None = None
    positions: tuple[int, ...] = ()

    @property
    def importance(self) -> Array:
        """The importance of each head, (layers, heads) float32: the same as `values`."""
        return self.values

    def rank_heads(self, top: int | None = 10) -> list[tuple[int, int, float]]:
        """Return the heads that matter most, (layer, head, importance); all of them if `top` is None."""
        order = (-self.values).argsort(axis=None, kind="stable")[:top]
        return [(*divmod(int(i), self.values.shape[1]), float(self.values.flat[i])) for i in order]

    def content(self) -> dict[str, Any]:
        """Return what every matrix has, and the text."""
        return {
            "text": self.text,
            "text_pair": self.text_pair,
            "positions": self.positions,
            **super().content(),
        }

    def __str__(self) -> str:
        """Write the heads that matter most as a table, for a terminal."""
        rows = [{"layer": layer, "head": head, self.unit: value} for layer, head, value in self.rank_heads()]
        return f"{self.title}, {self.unit}\n{format_table(rows)}"

    def to_html(self, *, interactive: bool = True) -> str:
        """Return a row for each layer and a column for each head, coloured by importance, as HTML."""
        most = float(abs(self.values).max()) or 1.0
        heads = [render_head("layer"), *(render_head(f"H{head}") for head in range(self.values.shape[1]))]
        rows = []
        for layer, line in enumerate(self.values.tolist()):
            cells = "".join(
                # 32 columns have to stand side by side: two digits are shown, the others said.
                render_shaded_cell(f"{value:.2g}", abs(value) / most, title=format_number(value), against=value < 0)
                for value in line
            )
            rows.append(f'<tr><th scope="row">L{layer}</th>{cells}</tr>')
        title = f"{self.title}, {self.unit}; the strongest colour is {format_number(most)}"
        table = render_scroller(render_table(heads, rows), self.title)
        return render_result(render_section("x-grid", render_heading(escape(title)), table), self.text)


def ablate(
    inspection: InspectionData,
    heads: Sequence[Head] = (),
    layers: Sequence[int] = (),
    *,
    positions: Sequence[int] | None = None,
    top_k: int = 5,
    progress: Progress | bool = True,
) -> Ablation:
    """Switch off heads, or all heads of whole layers, and see what becomes of the prediction.

    Args:
        inspection: of a text.
        heads: (layer, head) of each.
        layers: those of which all heads are switched off; what their feed-forward sublayers do stays.
        positions: of the tokens that a masked language model or a tagger predicts; if not given, the masks or all of
            the text. A classifier predicts the text's label.
        top_k: how many of the likeliest outcomes to show from before, and how many from after.
        progress: called with the layers that are done and how many there are; True for a bar.

    Raises:
        InputError: there is no such head, layer or token, nothing is switched off, or there is nothing to predict.
    """
    heads = [(layer, head) for layer, head in heads]
    predictions = Predictions(inspection, positions)
    if top_k < 1:
        raise InputError(f"top_k is {top_k}; it must be at least 1.")
    off = inspection.group_heads([*heads, *((layer, head) for layer in layers for head in range(inspection.heads))])
    first = min(off)
    with show_progress(progress, "Switching off heads", "layer") as report, torch.inference_mode():
        state = inspection.state_on_device(first).expand(2, -1, -1)
        for layer in range(first, inspection.layers):
            mask = None
            if layer in off:
                mask = torch.ones(2, inspection.heads, 1, 1)
                mask[1, off[layer]] = 0
            state = inspection.encoder.run_layer(layer, state, mask)
            report(layer + 1 - first, inspection.layers - first)
        final = inspection.encoder.apply_final_norm(state[:, predictions.needed])
        effects = [
            effect
            for block in predictions.split(2)
            for effect in _compare_outcomes(predictions, predictions.logits(final, block), block, top_k)
        ]
    whole = tuple(dict.fromkeys(layers))
    single = tuple((layer, head) for layer, head in dict.fromkeys(heads) if layer not in whole)
    source = inspection.source_with(
        heads=single, layers=whole, top_k=top_k, **({} if positions is None else {"positions": list(positions)})
    )
    return Ablation(source, inspection.text, inspection.text_pair, single, whole, tuple(effects))


def _compare_outcomes(predictions: Predictions, logits: Tensor, block: slice, top_k: int) -> Iterator[Effect]:
    """Compare the outcomes of logits (2, distributions, classes), before and after."""
    logs = predictions.log_probabilities(logits)
    values = logs if predictions.kind == "number" else logs.exp()
    kls = predictions.divergence(logits[0], logits[1]).tolist()
    barred = ~predictions.allowed_outcomes().to(logs.device)
    best = logs.masked_fill(barred, -torch.inf).topk(min(top_k, int((~barred).sum())), dim=-1).indices
    for n, (title, position) in enumerate(zip(predictions.titles[block], predictions.positions[block], strict=True)):
        ids = torch.tensor(list(dict.fromkeys(best[:, n].flatten().tolist())), device=logs.device)
        ids = ids[logs[0, n, ids].argsort(descending=True, stable=True)]
        before, after = values[0, n, ids].tolist(), values[1, n, ids].tolist()
        outcomes = [
            Outcome(i, predictions.outcome_name(i), *both) for i, *both in zip(ids.tolist(), before, after, strict=True)
        ]
        yield Effect(title, position, None if predictions.kind == "number" else kls[n], tuple(outcomes))


def head_importance(
    inspection: InspectionData,
    *,
    positions: Sequence[int] | None = None,
    target: str | Sequence[str] | None = None,
    progress: Progress | bool = True,
) -> HeadImportance:
    """Switch off each head in turn, and measure what that does to the prediction.

    Many heads are switched off at once, each in a row of its own of the same batch. A row begins at the layer of its
    head, from the state that the text has there without any ablation: on average half of the layers are saved. The last
    layer's feed-forward sublayer and the head are run only where the prediction is read.

    Args:
        inspection: of a text.
        positions: as in `ablate`.
        target: a word of one piece, or a label (or one for each of the positions): then measured is how much lower its
            log-probability is without the head, in nats; below 0 where the head speaks against it. Without a target,
            the Kullback-Leibler divergence of the distribution without the head from that with it, in nats. Both are
            means over the tokens at which the model is asked. Of a regression or a choice, how much lower the number
            is.
        progress: called with the layers that are done, counted for each row, and how many there are; True for a bar.

    Raises:
        InputError: there is no such token or label, a target of several pieces, or nothing to predict.
    """
    predictions = Predictions(inspection, positions)
    if target is None and predictions.kind == "number":
        target = predictions.outcome_name(0)
    targets = None if target is None else predictions.find_targets(target)
    count, heads = inspection.layers, inspection.heads
    every = [(layer, head) for layer in range(count) for head in range(heads)]
    with show_progress(progress, "Switching off heads", "layer") as report:
        importance = _switch_off_each(inspection, predictions, every, targets, report)
    measure, title, unit = "kl", "KL divergence of the prediction without each head", "nats"
    if target is not None:
        what, unit = ("number", "score") if predictions.kind == "number" else ("log-probability", "nats")
        words = target if isinstance(target, str) else ", ".join(target)
        measure, title = "loss", f"how much lower the {what} of {words} is without each head"
    settings = {} if positions is None else {"positions": list(positions)}
    return HeadImportance(
        inspection.source_with(target=target, **settings),
        measure,
        title,
        importance.view(count, heads).numpy(),
        Axis.numbered("layer", count),
        Axis.numbered("head", heads),
        unit,
        targets is not None,
        inspection.text,
        inspection.text_pair,
        tuple(position for position in predictions.positions if position is not None),
    )


def importance_of_heads(inspection: InspectionData, heads: Sequence[Head]) -> Array:
    """Return the importance of some heads, (heads,) float32, so that a caller can ask for all of them in parts.

    Args:
        inspection: of a text.
        heads: (layer, head) of each, sorted.

    Raises:
        InputError: there is no such head, no head is named, or there is nothing to predict.
    """
    inspection.group_heads(heads)
    predictions = Predictions(inspection, None)
    targets = predictions.find_targets(predictions.outcome_name(0)) if predictions.kind == "number" else None
    return _switch_off_each(inspection, predictions, heads, targets, ignore_progress).numpy()


def _switch_off_each(
    inspection: InspectionData,
    predictions: Predictions,
    heads: Sequence[Head],
    targets: Sequence[int] | None,
    report: Progress,
) -> Tensor:
    """Return how far the prediction moves without each of some heads, (heads,); they are sorted by layer."""
    count = inspection.layers
    # Rows of a batch: bounded by their states, and by their distributions at one token. One stays as it is.
    size = max(1, min(TOKENS_AT_ONCE // len(inspection.tokens), LOGITS_AT_ONCE // predictions.classes) - 1)
    batches = [heads[start : start + size] for start in range(0, len(heads), size)]
    total = sum(count - layer for layer, _ in heads) + sum(count - batch[0][0] for batch in batches)
    importance = torch.empty(len(heads))
    done = 0
    with torch.inference_mode():
        for nth, batch in enumerate(batches):
            state = inspection.state_on_device(batch[0][0])  # its first row stays as it is
            for layer in range(batch[0][0], count):
                off = [head for at_layer, head in batch if at_layer == layer]
                needed = predictions.needed if layer == count - 1 else None
                state = inspection.encoder.run_layer_without_heads(layer, state, off, needed)
                done += len(state)
                report(done, total)
            final = inspection.encoder.apply_final_norm(state)
            importance[nth * size : nth * size + len(batch)] = _measure_rows(predictions, final, targets)
    return importance


def _measure_rows(predictions: Predictions, final: Tensor, targets: Sequence[int] | None) -> Tensor:
    """Return how far each row is from the first one, the mean over all distributions, (rows - 1,)."""
    total = torch.zeros(len(final) - 1)
    for block in predictions.split(len(final)):
        logits = predictions.logits(final, block)
        if targets is None:
            found = predictions.divergence(logits[:1], logits[1:])
        else:
            wanted = torch.tensor(targets[block], device=logits.device)
            found = predictions.log_probabilities(logits).gather(-1, wanted[None, :, None].expand(len(logits), -1, 1))[
                ..., 0
            ]
            found = found[:1] - found[1:]
        total += found.sum(1).cpu()
    return total / len(predictions.positions)
