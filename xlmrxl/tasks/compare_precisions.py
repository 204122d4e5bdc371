"""What quantisation did to a text: the fills of several precisions side by side, and how far they are apart.

Each precision is loaded alone; what the first said at every mask is kept on the disk meanwhile.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.rendering.components import (
    axis_end,
    render_bar,
    render_head,
    render_heading,
    render_note,
    render_result,
    render_scroller,
    render_section,
    render_table,
)
from xlmrxl.rendering.formats import format_percent
from xlmrxl.rendering.style import render_cell
from xlmrxl.tasks.fill import fill_mask
from xlmrxl.tasks.fill_results import Fill, FillResult, render_fill
from xlmrxl.tasks.masked_lm import max_input_length, tokenize_within_limit
from xlmrxl.tasks.options import CompareOptions, FillOptions
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer

MEASURES_NOTE = (
    "KL is how far the distribution at the masks is from the first column's, in nats: 0 where nothing changed. "
    "Drift is how far the hidden states there have moved, as a share of their length."
)
HIDDEN_SHARE = 0.15
MOST_MASKS = 20_000
TOKENS_AT_ONCE = 1024


@dataclass(frozen=True)
class Difference:
    """One precision beside the first, means over all masks.

    Attributes:
        kl: Kullback-Leibler divergence of its distribution from the first's, in nats.
        top1: how often both have the same likeliest token.
        drift: by layer, from the embeddings on: the distance of its hidden state from the first's at the masks, as a
            share of the first's length.
    """

    precision: str
    kl: float
    top1: float
    drift: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """Several precisions of a model; the first is what the others are compared with."""

    model: str
    texts: int
    masks: int
    differences: tuple[Difference, ...]
    fills: tuple[FillResult, ...]  # of each precision, where there is one text with masks of its own

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "model": self.model,
            "texts": self.texts,
            "masks": self.masks,
            "precisions": [asdict(difference) for difference in self.differences],
            "fills": [{"precision": result.source.precision, **result.content()} for result in self.fills],
        }

    def to_html(self, *, interactive: bool = True) -> str:
        """Return a table of fills for each mask, a column a precision, and how far each is from the first."""
        first = self.differences[0].precision
        tables = _render_columns([each.precision for each in self.differences], self.fills) if self.fills else ""
        said = ", ".join(f"{each.precision}: KL {each.kl:.3f}" for each in self.differences[1:])
        heads = ["precision", "KL, nats", "same first", "drift: embeddings", "middle", "end"]
        rows = [_render_difference(difference) for difference in self.differences[1:]]
        return render_result(
            f'<p class="x-unseen" role="status" translate="no">{escape(said)}</p>{tables}'
            + _render_section(f"Beside {first}", heads, rows, "x-measured")
            + render_note(MEASURES_NOTE),
            self.fills[0].text if self.fills else "",
        )

    def _repr_html_(self) -> str:
        return render_cell(self.to_html(interactive=False))

    def __str__(self) -> str:
        """Show the fills of all precisions side by side, and how far each is from the first."""
        lines = []
        names = [difference.precision for difference in self.differences]
        if self.fills:
            lines.append(self.fills[0].text)
            for number in range(len(self.fills[0].masks)):
                if len(self.fills[0].masks) > 1:
                    lines.append(f"<mask> {number + 1}")
                columns = [
                    [f"{fill.probability:7.2%} {fill.label}" for fill in result.masks[number].fills]
                    for result in self.fills
                ]
                widths = [max(map(len, [name, *column])) for name, column in zip(names, columns, strict=True)]
                for row in [names, *zip(*columns, strict=True)]:
                    cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
                    lines.append("  " + "   ".join(cells).rstrip())
            lines.append("")
        lines.append(f"{self.masks} masks in {self.texts} text{'s' if self.texts > 1 else ''}, beside {names[0]}:")
        lines.append(f"{'':8}{'KL, nats':>10}{'same first':>12}{'drift of the states, first to last layer':>44}")
        for difference in self.differences[1:]:
            shown = [difference.drift[i] for i in _spread(len(difference.drift))]
            drift = " ".join(f"{value:7.2%}" for value in shown)
            lines.append(f"{difference.precision:8}{difference.kl:>10.4f}{difference.top1:>12.1%}{drift:>44}")
        return "\n".join(lines)


def _render_columns(names: Sequence[str], results: Sequence[FillResult]) -> str:
    """Return for each mask a table of the fills of each precision, beside one another."""
    sections = []
    for number in range(len(results[0].masks)):
        columns = [result.masks[number].fills for result in results]
        axis = axis_end(fill.probability for column in columns for fill in column)
        rows = [
            f'<tr><td class="x-rank">{rank}</td>{"".join(_render_cell(fill, axis) for fill in row)}</tr>'
            for rank, row in enumerate(zip(*columns, strict=True), 1)
        ]
        title = "Fills" if len(results[0].masks) == 1 else f"Mask {number + 1}"
        sections.append(_render_section(title, ["rank", *names], rows, "x-beside"))
    return "".join(sections)


def _render_cell(fill: Fill, axis: float) -> str:
    percent = escape(format_percent(fill.probability))
    bar = f'<div class="x-bar" aria-hidden="true">{render_bar(fill.probability, axis)}</div>'
    return f"<td>{render_fill(fill)} <span>{percent}</span>{bar}</td>"


def _render_section(title: str, heads: Sequence[str], rows: Sequence[str], kind: str) -> str:
    table = render_scroller(render_table(map(render_head, heads), rows), title)
    return render_section(f"x-fills {kind}", render_heading(escape(title)), table)


def _render_difference(difference: Difference) -> str:
    drift = difference.drift
    shares = [difference.top1, *(drift[place] for place in (0, len(drift) // 2, -1))]
    cells = [f"{difference.kl:.4f}", *(escape(format_percent(share)) for share in shares)]
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(difference.precision)}</th>{columns}</tr>'


def _spread(count: int, most: int = 5) -> list[int]:
    """Return up to so many indices, evenly from the first to the last."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def compare_precisions(
    name: str | os.PathLike[str],
    texts: str | Sequence[str],
    precisions: Sequence[str] = ("bf16", "8bit", "4bit"),
    *,
    top_k: int = 5,
    **load: Any,
) -> Comparison:
    """Compare precisions of a model on a text or on several.

    Args:
        name: as in `load`.
        texts: those with `<mask>` are taken as they are; in the others 15 % of the tokens are hidden, the same ones
            every time.
        precisions: two or more; the first is what the others are compared with.
        top_k: how many fills for each mask of a single text.
        **load: options of `load`.

    Raises:
        InputError: no text, or more than 20,000 masks.
        CheckpointError: as `load`.
    """
    options = CompareOptions.from_arguments(locals())
    rows = [texts] if isinstance(texts, str) else [text for text in texts if text.strip()]
    if not rows:
        raise InputError("There is no text to compare on.")
    differences: list[Difference] = []
    fills: list[FillResult] = []
    with tempfile.TemporaryDirectory(prefix="xlmrxl-") as scratch:
        baseline = _Baseline(Path(scratch))
        for precision in options.precisions:
            loaded_model = LoadedModel.load(name, precision=precision, **load)
            batches = _batches(rows, loaded_model.tokenizer, loaded_model)
            masks = sum(int((ids == loaded_model.tokenizer.mask_token_id).sum()) for ids, _ in batches)
            if masks > MOST_MASKS:
                raise InputError(f"The texts have {masks:,} masks; compare at most {MOST_MASKS:,} at once.")
            differences.append(baseline.measure(loaded_model, precision, batches))
            if len(rows) == 1 and loaded_model.tokenizer.mask_token in rows[0]:
                fills += fill_mask(loaded_model, rows[0], FillOptions(top_k=options.top_k))
            del loaded_model
            gc.collect()
    return Comparison(os.fspath(name), len(rows), masks, tuple(differences), tuple(fills))


class _Baseline:
    """The distributions and states of the first precision, in files, which others are measured against."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.filled = folder, False

    @torch.inference_mode()
    def measure(self, loaded_model: LoadedModel, precision: str, batches: list[tuple[Tensor, Tensor]]) -> Difference:
        kl = same = count = 0.0
        drift: Tensor | None = None
        for number, (rows, attention_mask) in enumerate(batches):
            ids = rows.to(loaded_model.device)
            at_mask = ids == loaded_model.tokenizer.mask_token_id
            out = loaded_model.model(
                ids,
                attention_mask=None if bool(attention_mask.all()) else attention_mask.to(loaded_model.device),
                logits_mask=at_mask,
                output_hidden_states=True,
                return_dict=True,
            )
            logs = loaded_model.require_finite(out.logits.float()).log_softmax(-1).cpu()
            states = torch.stack([layer[at_mask].float().cpu() for layer in out.hidden_states])
            path = self.folder / f"{number}.pt"
            if not self.filled:
                torch.save((logs, states), path)
            other_logs, other_states = torch.load(path, weights_only=True)
            kl += float((other_logs.exp() * (other_logs - logs)).sum())
            same += float((logs.argmax(-1) == other_logs.argmax(-1)).sum())
            moved = ((states - other_states).norm(dim=-1) / other_states.norm(dim=-1)).sum(1)
            drift = moved if drift is None else drift + moved
            count += len(logs)
        self.filled = True
        assert drift is not None
        return Difference(precision, kl / count, same / count, tuple((drift / count).tolist()))


def _batches(
    texts: Sequence[str], tokenizer: XLMRobertaTokenizer, loaded_model: LoadedModel
) -> list[tuple[Tensor, Tensor]]:
    """Return masked ids and their attention masks, texts of similar length together."""
    config, most = loaded_model.model.config, max_input_length(loaded_model)
    generator = torch.Generator().manual_seed(0)
    rows = []
    for number, text in enumerate(texts, 1):
        if tokenizer.mask_token in text:  # read as it is for its fills
            try:
                ids = torch.tensor([token.id for token in tokenize_within_limit(loaded_model, text)])
            except ValueError as error:
                raise InputError(f"Text {number}: {error}" if len(texts) > 1 else str(error)) from None
        else:
            ids = torch.tensor(tokenizer(text, truncation=True, max_length=most)["input_ids"])
            inner = len(ids) - 2
            if inner < 1:
                continue
            places = 1 + torch.randperm(inner, generator=generator)[: max(1, round(HIDDEN_SHARE * inner))]
            ids[places] = tokenizer.mask_token_id
        rows.append(ids)
    if not rows:
        raise InputError("There is no text to compare on.")
    rows.sort(key=len)
    batches: list[list[Tensor]] = [[]]
    for row in rows:
        if batches[-1] and (len(batches[-1]) + 1) * len(row) > TOKENS_AT_ONCE:
            batches.append([])
        batches[-1].append(row)
    padded = [
        torch.nn.utils.rnn.pad_sequence(batch, batch_first=True, padding_value=config.pad_token_id) for batch in batches
    ]
    return [(ids, (ids != config.pad_token_id).long()) for ids in padded]
