"""The logit lens: the masked-LM head applied to the state after each layer.

After nostalgebraist (2020), interpreting GPT: the logit lens, which Belrose et al. (2023, Eliciting Latent Predictions
from Transformers with the Tuned LogitLens, arXiv:2303.08112) discuss; here without any tuning, and of an encoder. The
stream of a pre-LN encoder is normalised once more behind its last layer, so the states before it go through that layer
norm too, and the last state, which has been through it, does not go again.
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
from xlmrxl.inspection.labelled_matrix import Array, freeze
from xlmrxl.inspection.predictions import find_single_piece
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.progress import Progress, show_progress
from xlmrxl.rendering.components import (
    render_head,
    render_heading,
    render_result,
    render_scroller,
    render_section,
    render_shaded_cell,
    render_table,
)
from xlmrxl.rendering.formats import format_percent, isolate
from xlmrxl.tasks.fill_results import Fill, render_fill
from xlmrxl.tasks.masked_lm import LOGITS_AT_ONCE
from xlmrxl.tasks.result import Result
from xlmrxl.tasks.subwords import find_excluded_subwords, to_readable
from xlmrxl.tasks.texts import check_texts
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer


@dataclass(frozen=True)
class LogitLensCell:
    """The predictions from one state at one token."""

    state: int
    position: int  # among the tokens
    fills: tuple[Fill, ...]  # the likeliest; ranks are among all rows of the vocabulary
    targets: tuple[Fill, ...]  # those asked for, in the order in which they were
    entropy: float  # of the distribution over the whole vocabulary, nats


@dataclass(frozen=True)
class LogitLens(Result):
    """A text, and what the LM head predicts from each of its states at some of its tokens."""

    text: str
    text_pair: str | None
    positions: tuple[int, ...]
    pieces: tuple[str, ...]  # of the tokens at these positions
    targets: tuple[str, ...]
    cells: tuple[tuple[LogitLensCell, ...], ...]  # by state, each with a cell for every position

    def content(self) -> dict[str, Any]:
        """Return `{…, "states": [[{"fills": [{"text": …, "probability": …, …}], "targets": …, "entropy": …}]]}`."""
        return {
            "text": self.text,
            "text_pair": self.text_pair,
            "positions": self.positions,
            "pieces": self.pieces,
            "states": [
                [
                    {
                        "fills": [fill.content() for fill in cell.fills],
                        "targets": [fill.content() for fill in cell.targets],
                        "entropy": cell.entropy,
                    }
                    for cell in line
                ]
                for line in self.cells
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each word: the likeliest and the targets of each state and position."""
        return [
            {
                "state": cell.state,
                "position": cell.position,
                "token": piece,
                "kind": kind,
                "word": fill.text,
                "begins_word": fill.begins_word,
                "rank": fill.rank,
                "probability": fill.probability,
            }
            for line in self.cells
            for cell, piece in zip(line, self.pieces, strict=True)
            for kind, fills in (("likeliest", cell.fills), ("target", cell.targets))
            for fill in fills
        ]

    def probabilities(self, target: str) -> Array:
        """Return the probabilities of a target, (states, positions) float32."""
        return self._read_target(target, lambda fill: fill.probability)

    def ranks(self, target: str) -> Array:
        """Return the ranks of a target in the whole vocabulary, 1 the likeliest, (states, positions) float32."""
        return self._read_target(target, lambda fill: fill.rank or 0)

    def _read_target(self, target: str, read: Any) -> Array:
        if target not in self.targets:
            raise InputError(f"{target!r} was not asked for; targets are {', '.join(self.targets) or 'none'}.")
        i = self.targets.index(target)
        return freeze([[read(cell.targets[i]) for cell in line] for line in self.cells])

    @property
    def entropies(self) -> Array:
        """The entropy of each distribution over the vocabulary, (states, positions) float32, nats."""
        return freeze([[cell.entropy for cell in line] for line in self.cells])

    def __str__(self) -> str:
        """Write each position with its words by state, for a terminal."""
        lines = []
        for n, (position, piece) in enumerate(zip(self.positions, self.pieces, strict=True)):
            lines.append(f"{piece} (token {position})")
            for line in self.cells:
                words = [f"{fill.probability:7.2%} {fill.label}" for fill in line[n].fills]
                asked = [f"{fill.label}: rank {fill.rank}, {fill.probability:.2%}" for fill in line[n].targets]
                lines.append(f"  {self.label(line[n].state):>12}  {'  '.join([*words, *asked])}")
        return "\n".join(lines)

    def label(self, state: int) -> str:
        """Return `0 embeddings`, `5` or `36 final`."""
        return f"{state}{' embeddings' if state == 0 else ' final' if state == len(self.cells) - 1 else ''}"

    def to_html(self, *, interactive: bool = True) -> str:
        """Return a row for each state and a column for each position with its likeliest word, as HTML.

        Beside it are the ranks of the targets there.
        """
        heads = [render_head("state")]
        for piece in self.pieces:
            heads.append(f'<th scope="col">{isolate(piece)}</th>')
            heads += [f'<th scope="col">rank of {isolate(target)}</th>' for target in self.targets]
        rows = [
            f'<tr><th scope="row">{self.label(state)}</th>{"".join(map(_render_cell, line))}</tr>'
            for state, line in enumerate(self.cells)
        ]
        table = render_scroller(render_table(heads, rows), "Logit lens")
        return render_result(render_section("x-grid", render_heading("Logit lens"), table), self.text)


def _render_cell(cell: LogitLensCell) -> str:
    best = cell.fills[0]
    title = "\n".join(f"{format_percent(fill.probability)} {fill.label}" for fill in cell.fills)
    html = f"{render_fill(best)} <small>{escape(format_percent(best.probability))}</small>"
    return render_shaded_cell(html, best.probability, title=title) + "".join(
        render_shaded_cell(str(target.rank), target.probability, title=format_percent(target.probability))
        for target in cell.targets
    )


def compute_state_logits(inspection: InspectionData, state: int, positions: Sequence[int]) -> Tensor:
    """Apply the LM head to one state at some tokens.

    Those of the last state are the model's own logits to the last bit, as `model(ids, output_attentions=True)` gives
    them: the same operations on the same numbers. Without output_attentions torch adds up attention in another order.

    Returns:
        (positions, vocabulary), on the model's device and in its type.

    Raises:
        CheckpointError: the model has no LM head.
    """
    return _compute_logits(inspection, [(state, position) for position in positions])


def _compute_logits(inspection: InspectionData, rows: Sequence[tuple[int, int]]) -> Tensor:
    """Apply the LM head to (state, position) rows, which are either all of the last state or none."""
    model = inspection.loaded_model.require(XLMRobertaXLForMaskedLM)
    states, positions = map(list, zip(*rows, strict=True))
    with torch.inference_mode():
        state = inspection.hidden_states[states, positions].to(inspection.encoder.device)
        if states[0] < inspection.layers:
            state = inspection.encoder.apply_final_norm(state)
        logits: Tensor = model.lm_head(state)
    return logits


def logit_lens(
    inspection: InspectionData,
    positions: Sequence[int] | None = None,
    targets: str | Sequence[str] = (),
    top_k: int = 5,
    *,
    progress: Progress | bool = True,
) -> LogitLens:
    """Apply the LM head to every state at some tokens.

    Args:
        inspection: of a text, by a masked language model.
        positions: which tokens; if not given, the masks, or where there is none all tokens of the text.
        targets: a word of one piece, or several, whose probability and rank are wanted at each of them.
        top_k: how many of the likeliest tokens; special ones, and rows of the vocabulary without a token, are left out.
        progress: called with the states that are done and how many there are; True for a bar.

    Raises:
        CheckpointError: the model has no LM head.
        InputError: there is no such token, or a target has several pieces.
    """
    model = inspection.loaded_model.require(XLMRobertaXLForMaskedLM)
    tokenizer = inspection.loaded_model.tokenizer
    most = len(tokenizer) - len(tokenizer.all_special_ids)
    if not 1 <= top_k <= most:
        raise InputError(f"top_k is {top_k}; it must be between 1 and {most}, the tokens of this vocabulary.")
    targets = check_texts(targets, "targets")
    chosen = inspection.check_positions(
        "positions", inspection.mask_positions or inspection.text_positions if positions is None else positions
    )
    spelled = {position: [find_single_piece(inspection, position, word) for word in targets] for position in chosen}
    barred = find_excluded_subwords(tokenizer, None, True, model.config.vocab_size)
    # States are taken together, since each pass reads all rows of the vocabulary; the last one has a pass of its own.
    earlier = [(state, position) for state in range(inspection.layers) for position in chosen]
    step = max(1, LOGITS_AT_ONCE // model.config.vocab_size)
    cells: list[LogitLensCell] = []
    count = inspection.layers + 1
    with show_progress(progress, "Applying the logit lens", "state") as report:
        for rows in (earlier, [(inspection.layers, position) for position in chosen]):
            for start in range(0, len(rows), step):
                block = rows[start : start + step]
                wanted = torch.tensor([spelled[position] for _, position in block], dtype=torch.long)
                cells += _make_cells(
                    tokenizer, _compute_logits(inspection, block).float(), barred, top_k, block, targets, wanted
                )
                report(len(cells) // len(chosen), count)
    return LogitLens(
        inspection.source_with(positions=list(chosen), targets=list(targets), top_k=top_k),
        inspection.text,
        inspection.text_pair,
        tuple(chosen),
        tuple(inspection.tokens[position].piece for position in chosen),
        tuple(targets),
        tuple(tuple(cells[i * len(chosen) : (i + 1) * len(chosen)]) for i in range(count)),
    )


def _make_cells(
    tokenizer: XLMRobertaTokenizer,
    logits: Tensor,
    barred: Tensor,
    top_k: int,
    rows: Sequence[tuple[int, int]],
    targets: Sequence[str],
    wanted: Tensor,
) -> Iterator[LogitLensCell]:
    """Make a cell of each row of logits (rows, vocabulary).

    `rows` are (state, position), and `wanted` the ids of the targets, (rows, targets).
    """
    logs = logits.log_softmax(-1)
    best = logs.masked_fill(barred.to(logs.device), -torch.inf).topk(top_k, dim=-1).indices
    ids = torch.cat([best, wanted.to(best)], 1)
    found = logs.gather(1, ids)
    ranks = torch.stack([(logs > column[:, None]).sum(-1) + 1 for column in found.T], 1)
    entropies = -(logs.exp() * logs).sum(-1)
    for n, (state, position) in enumerate(rows):
        numbers = zip(ids[n].tolist(), found[n].exp().tolist(), ranks[n].tolist(), strict=True)
        fills = [(i, tokenizer.convert_ids_to_tokens(i), p, rank) for i, p, rank in numbers]
        yield LogitLensCell(
            state,
            position,
            tuple(Fill(i, piece, to_readable(piece), p, rank=rank) for i, piece, p, rank in fills[:top_k]),
            tuple(
                Fill(i, piece, word.strip(), p, (i,), rank=rank)
                for word, (i, piece, p, rank) in zip(targets, fills[top_k:], strict=True)
            ),
            float(entropies[n]),
        )
