"""The lens: what the masked-LM head would say after each layer.

After nostalgebraist (2020), interpreting GPT: the logit lens, which Belrose et al. (2023, Eliciting Latent Predictions
from Transformers with the Tuned Lens, arXiv:2303.08112) discuss; here without any tuning, and of an encoder. The
stream of a pre-LN encoder is normalised once more behind its last layer, so the states before it go through that layer
norm too, and the last state, which has been through it, does not go again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xlmrxl.inspection.labelled_matrix import Array, frozen, source_of
from xlmrxl.inspection.predictions import one_piece
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

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection


@dataclass(frozen=True)
class LensCell:
    """What one state says at one token."""

    state: int
    position: int  # among the tokens
    fills: tuple[Fill, ...]  # the likeliest; ranks are among all rows of the vocabulary
    targets: tuple[Fill, ...]  # those asked for, in the order in which they were
    entropy: float  # of the distribution over the whole vocabulary, nats


@dataclass(frozen=True)
class Lens(Result):
    """A text, and what the LM head makes of each of its states at some of its tokens."""

    text: str
    second: str | None
    positions: tuple[int, ...]
    pieces: tuple[str, ...]  # of the tokens at these positions
    targets: tuple[str, ...]
    cells: tuple[tuple[LensCell, ...], ...]  # by state, each with a cell for every position

    def content(self) -> dict[str, Any]:
        """`{…, "states": [[{"fills": [{"text": …, "probability": …, "rank": …, …}], "targets": …, "entropy": …}]]}`."""
        return {
            "text": self.text,
            "second": self.second,
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
        """A row a word: the likeliest and the targets of each state and position."""
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
        """Of a target, (states, positions) float32."""
        return self._of(target, lambda fill: fill.probability)

    def ranks(self, target: str) -> Array:
        """Of a target among all rows of the vocabulary, 1 the likeliest, (states, positions) float32."""
        return self._of(target, lambda fill: fill.rank or 0)

    def _of(self, target: str, read: Any) -> Array:
        if target not in self.targets:
            raise ValueError(f"{target!r} was not asked for; targets are {', '.join(self.targets) or 'none'}.")
        i = self.targets.index(target)
        return frozen([[read(cell.targets[i]) for cell in line] for line in self.cells])

    @property
    def entropies(self) -> Array:
        """(states, positions) float32, nats."""
        return frozen([[cell.entropy for cell in line] for line in self.cells])

    def __str__(self) -> str:
        lines = []
        for n, (position, piece) in enumerate(zip(self.positions, self.pieces, strict=True)):
            lines.append(f"{piece} (token {position})")
            for line in self.cells:
                words = [f"{fill.probability:7.2%} {fill.label}" for fill in line[n].fills]
                asked = [f"{fill.label}: rank {fill.rank}, {fill.probability:.2%}" for fill in line[n].targets]
                lines.append(f"  {self.label(line[n].state):>12}  {'  '.join([*words, *asked])}")
        return "\n".join(lines)

    def label(self, state: int) -> str:
        """`0 embeddings`, `5`, `36 final`."""
        return f"{state}{' embeddings' if state == 0 else ' final' if state == len(self.cells) - 1 else ''}"

    def to_html(self, *, interactive: bool = True) -> str:
        """Return a row a state, a column a position with its likeliest piece, and the ranks of the targets there."""
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


def _render_cell(cell: LensCell) -> str:
    best = cell.fills[0]
    title = "\n".join(f"{format_percent(fill.probability)} {fill.label}" for fill in cell.fills)
    html = f"{render_fill(best)} <small>{escape(format_percent(best.probability))}</small>"
    return render_shaded_cell(html, best.probability, title=title) + "".join(
        render_shaded_cell(str(target.rank), target.probability, title=format_percent(target.probability))
        for target in cell.targets
    )


def state_logits(inspection: Inspection, state: int, positions: Sequence[int]) -> Tensor:
    """The LM head on one state at some tokens, (positions, vocabulary), where and in the type that the model has.

    Those of the last state are the model's own logits to the last bit, as `model(ids, output_attentions=True)` gives
    them: the same operations on the same numbers. Without output_attentions torch adds up attention in another order.

    Raises:
        CheckpointError: the model has no LM head.
    """
    return _logits(inspection, [(state, place) for place in positions])


def _logits(inspection: Inspection, rows: Sequence[tuple[int, int]]) -> Tensor:
    """Of (state, token) rows, either all of the last state or none."""
    model = inspection.session.require(XLMRobertaXLForMaskedLM)
    states, places = map(list, zip(*rows, strict=True))
    with torch.inference_mode():
        stream = inspection.hidden_states[states, places].to(inspection.encoder.device)
        if states[0] < inspection.layers:
            stream = inspection.encoder.finish(stream)
        logits: Tensor = model.lm_head(stream)
    return logits


def lens(
    inspection: Inspection,
    positions: Sequence[int] | None = None,
    targets: str | Sequence[str] = (),
    top_k: int = 5,
    *,
    progress: Progress | bool = True,
) -> Lens:
    """What the LM head says of each state at some tokens.

    Args:
        inspection: of a text, by a masked language model.
        positions: which tokens; if not given, the masks, or where there is none all tokens of the text.
        targets: a word of one piece, or several, whose probability and rank are wanted at each of them.
        top_k: how many of the likeliest tokens; special ones, and rows of the vocabulary without a token, are left out.
        progress: called with the states that are done and how many there are; True for a bar.

    Raises:
        CheckpointError: the model has no LM head.
        ValueError: there is no such token, or a target has several pieces.
    """
    model = inspection.session.require(XLMRobertaXLForMaskedLM)
    tokenizer = inspection.session.tokenizer
    most = len(tokenizer) - len(tokenizer.all_special_ids)
    if not 1 <= top_k <= most:
        raise ValueError(f"top_k is {top_k}; it must be between 1 and {most}, the tokens of this vocabulary.")
    targets = check_texts(targets, "targets")
    chosen = inspection.places("positions", inspection.masks or inspection.inner if positions is None else positions)
    spelled = {place: [one_piece(inspection, place, word) for word in targets] for place in chosen}
    barred = find_excluded_subwords(tokenizer, None, True, model.config.vocab_size)
    # States are taken together, since each pass reads all rows of the vocabulary; the last one has a pass of its own.
    inner = [(state, place) for state in range(inspection.layers) for place in chosen]
    step = max(1, LOGITS_AT_ONCE // model.config.vocab_size)
    cells: list[LensCell] = []
    count = inspection.layers + 1
    with show_progress(progress, "Looking through the lens", "state") as told:
        for rows in (inner, [(inspection.layers, place) for place in chosen]):
            for start in range(0, len(rows), step):
                block = rows[start : start + step]
                wanted = torch.tensor([spelled[place] for _, place in block], dtype=torch.long)
                cells += _cells_of(tokenizer, _logits(inspection, block).float(), barred, top_k, block, targets, wanted)
                told(len(cells) // len(chosen), count)
    return Lens(
        source_of(inspection, positions=list(chosen), targets=list(targets), top_k=top_k),
        inspection.text,
        inspection.second,
        tuple(chosen),
        tuple(inspection.tokens[place].piece for place in chosen),
        tuple(targets),
        tuple(tuple(cells[i * len(chosen) : (i + 1) * len(chosen)]) for i in range(count)),
    )


def _cells_of(
    tokenizer: XLMRobertaTokenizer,
    logits: Tensor,
    barred: Tensor,
    top_k: int,
    rows: Sequence[tuple[int, int]],
    targets: Sequence[str],
    wanted: Tensor,
) -> Iterator[LensCell]:
    """Of (rows, vocabulary) logits; rows are (state, token), `wanted` the ids of the targets, (rows, targets)."""
    logs = logits.log_softmax(-1)
    best = logs.masked_fill(barred.to(logs.device), -torch.inf).topk(top_k, dim=-1).indices
    ids = torch.cat([best, wanted.to(best)], 1)
    found = logs.gather(1, ids)
    ranks = torch.stack([(logs > column[:, None]).sum(-1) + 1 for column in found.T], 1)
    entropies = -(logs.exp() * logs).sum(-1)
    for n, (state, place) in enumerate(rows):
        numbers = zip(ids[n].tolist(), found[n].exp().tolist(), ranks[n].tolist(), strict=True)
        fills = [(i, tokenizer.convert_ids_to_tokens(i), p, rank) for i, p, rank in numbers]
        yield LensCell(
            state,
            place,
            tuple(Fill(i, piece, to_readable(piece), p, rank=rank) for i, piece, p, rank in fills[:top_k]),
            tuple(
                Fill(i, piece, word.strip(), p, (i,), rank=rank)
                for word, (i, piece, p, rank) in zip(targets, fills[top_k:], strict=True)
            ),
            float(entropies[n]),
        )
