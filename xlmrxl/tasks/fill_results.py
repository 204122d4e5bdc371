"""What filling the masks of a text gives: the fills of each mask, or the ways to fill all of them together."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from xlmrxl.rendering.components import (
    axis_end,
    render_axis,
    render_bar,
    render_bar_cell,
    render_button,
    render_head,
    render_heading,
    render_hint,
    render_note,
    render_result,
    render_scroller,
    render_section,
    render_status,
    render_table,
    render_unseen,
    tip_attribute,
)
from xlmrxl.rendering.formats import format_percent, format_signed, isolate, text_attributes
from xlmrxl.tasks.masked_lm import Token, convert_ids_to_subwords
from xlmrxl.tasks.record import HIDDEN, OPTIONAL, Record, align_columns, to_rows
from xlmrxl.tasks.result import Result
from xlmrxl.tasks.subwords import is_joined, isolate_subword, label_fill, to_readable
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer
from xlmrxl.tokenization.tokenizer_json import SPACE

ENTROPY_NOTE = (
    "How undecided the model is here: 0 bits where it is sure of one subword, and one bit more "
    "for each doubling of the subwords that it takes for equally likely."
)
WORDS_NOTE = (
    "In the order of how well each word fits its neighbours. The bar is the probability among words of as many "
    "subwords."
)
TARGETS_NOTE = (
    "Each probability is the one in the whole vocabulary, not a share among these words. A word of several subwords "
    "has the product of theirs, filled in from the left, with as many masks as it has subwords. The rank is that of a "
    "single subword in the whole vocabulary."
)
LABELS_NOTE = (
    "What begins with … goes on with what stands before the mask, without a space: app and …\u2060ear make appear. A "
    "sign, or a character of a script without spaces, begins with ▁ where a space is before it."
)
JOINT_NOTE = (
    "log P is the logarithm of the probability of all fills together, in nats: the closer to zero, the likelier. Each "
    "fill takes those before it into account."
)
TOKEN_HINT = "Click a token to mask it and fill again."
JOINT_COLUMNS = {"fills": "text", "begins_word": "begins_word"}
"""The columns of a joint fill that have a value for each mask, and which column of the mask's fill that is."""


@dataclass(frozen=True)
class Fill(Record):
    """One subword, or one word of several, that may stand at a mask.

    Attributes:
        id: of its first subword.
        piece: its subwords, one after the other; "▁" is a space before it.
        text: as it is read, without the space before it.
        begins_word: whether a space parts it from what stands before it.
        probability: among all rows of the vocabulary; of a word, among those of as many subwords.
        ids: of all subwords, where there are several.
        score: of a word, the pseudo-log-likelihood of it and its neighbours, nats.
        rank: of a target of one subword, its place in the whole vocabulary, from 1.
        log_odds: of a target, nats.
    """

    id: int = field(metadata=HIDDEN)
    piece: str = field(metadata=HIDDEN)
    text: str
    begins_word: bool = field(init=False)
    probability: float
    ids: tuple[int, ...] = field(default=(), metadata=HIDDEN)
    score: float | None = field(default=None, metadata=OPTIONAL)
    rank: int | None = field(default=None, metadata=OPTIONAL)
    log_odds: float | None = field(default=None, metadata=OPTIONAL)

    def __post_init__(self) -> None:
        """Find out whether the fill begins a word."""
        # "▁ear" begins a word, where "ear" makes "app" an "appear". Signs, and the characters of scripts without
        # spaces, mostly have no space before them.
        object.__setattr__(self, "begins_word", self.piece.startswith(SPACE))

    @property
    def label(self) -> str:
        """Return the text as tables show it, marked where it goes on with a word; see `subwords.label_fill`."""
        return label_fill(self.text, self.begins_word) if self.text.strip() else self.piece

    @property
    def visible_text(self) -> str:
        """Return the text, or its piece where the text could not be seen."""
        return self.text if self.text.strip() else self.piece


@dataclass(frozen=True)
class MaskFills(Record):
    """What the model expects at one mask."""

    position: int = field(metadata=HIDDEN)  # index among the tokens
    fills: tuple[Fill, ...]  # the best first
    entropy: float | None = field(default=None, metadata=HIDDEN)  # of the distribution over the whole vocabulary, nats

    @property
    def covered(self) -> float:
        """Return the share of the probability that the fills have together."""
        return math.fsum(fill.probability for fill in self.fills)


@dataclass(frozen=True)
class JointFill(Record):
    """One way to fill all masks of a text."""

    fills: tuple[Fill, ...]  # of each mask in turn; the probability is the one at which it was filled
    score: float  # log-probability of all together, nats
    order: tuple[int, ...]  # in which the masks were filled, from 0

    def content(self) -> dict[str, Any]:
        """Return the columns; of the fills, `fills` has the texts and `begins_word` whether a space is before each."""
        found = super().content()
        fills = {name: [fill[column] for fill in found["fills"]] for name, column in JOINT_COLUMNS.items()}
        return fills | {name: value for name, value in found.items() if name not in fills}


@dataclass(frozen=True)
class FillResult(Result):
    """A text and what the model expects at each of its masks, in order.

    Attributes:
        text: with masks.
        tokens: as the model reads it.
        masks: each on its own, the others left open.
        joint: all masks together, the best first, where that was asked for.
    """

    text: str
    tokens: tuple[Token, ...] = field(metadata=HIDDEN)
    masks: tuple[MaskFills, ...]
    joint: tuple[JointFill, ...] = field(default=(), metadata=OPTIONAL)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a fill; of a joint result, a row a way, with a column for each mask."""
        if self.joint:
            return [
                {"text": self.text}
                | {f"mask {number}": fill.text for number, fill in enumerate(way.fills, 1)}
                | {f"mask {number} begins_word": fill.begins_word for number, fill in enumerate(way.fills, 1)}
                | {"score": way.score}
                for way in self.joint
            ]
        rows = [
            row
            for number, mask in enumerate(self.masks, 1)
            for row in to_rows(mask.fills, {"text": "fill"}, text=self.text, mask=number)
        ]
        return align_columns(rows)  # targets of several subwords have no rank

    def best_fills(self) -> list[Fill | None]:
        """Return what is put at each mask first; None where a filter leaves nothing."""
        if self.joint:
            return list(self.joint[0].fills)
        return [mask.fills[0] if mask.fills else None for mask in self.masks]

    def parts_around_masks(self) -> list[str]:
        """Return what stands before, between and after the masks. A space before a mask is no part of it."""
        parts, done = [], 0
        for mask in self.masks:
            token = self.tokens[mask.position]
            place = self.text[token.start : token.end]
            parts.append(self.text[done : token.start] + place[: len(place) - len(place.lstrip())])
            done = token.end
        return [*parts, self.text[done:]]

    def to_html(self, *, interactive: bool = True) -> str:
        """Return the completed sentence, the tokens, and the fills of each mask on one scale, or the joint ways."""
        axis = _axis_of([self])
        if self.joint:
            fills = _render_joint(self.joint, interactive)
        else:
            fills = "".join(
                _render_mask(mask, number, f"Mask {number}" if len(self.masks) > 1 else "Fills", axis, interactive)
                for number, mask in enumerate(self.masks, 1)
            )
        said = [
            f"mask {number}: {fill.visible_text}, {format_percent(fill.probability)}"
            for number, fill in enumerate(self.best_fills(), 1)
            if fill
        ]
        return render_result(
            render_status(escape("Filled. " + "; ".join(said)))
            + render_section("x-completed", render_heading("Completed"), _render_sentence(self))
            + _render_tokens(self, interactive)
            + f'<div class="x-masks">{fills}</div>{_render_notes([self])}',
            self.text,
        )

    def __str__(self) -> str:
        """Show the fills of each mask with bars, or the ways to fill all of them."""
        lines = [self.text]
        for way in self.joint:
            lines.append(f"  {way.score:8.2f}  " + " | ".join(fill.label for fill in way.fills))
        if self.joint:
            return "\n".join([*lines, "  log-probability of all masks together, nats"])
        for number, mask in enumerate(self.masks, 1):
            if len(self.masks) > 1:
                lines.append(f"<mask> {number}")
            width = max((fill.probability for fill in mask.fills), default=1.0)
            for fill in mask.fills:
                bar = "█" * max(1, round(16 * fill.probability / width)) if width else ""
                score = "" if fill.score is None else f"{fill.score:8.2f}  "
                rank = "" if fill.rank is None else f"  rank {fill.rank}"
                lines.append(f"  {score}{fill.probability:7.2%}  {bar:<16}  {fill.label}{rank}")
        return "\n".join(lines)


def to_fills(
    tokenizer: XLMRobertaTokenizer, before: str, ids: Sequence[int], probabilities: Sequence[float]
) -> tuple[Fill, ...]:
    """Return single subwords as fills; those without any probability are left out, as a filter makes them.

    Args:
        tokenizer: the model's own.
        before: what touches the mask on its left.
        ids: of the subwords.
        probabilities: of each.
    """
    pieces = convert_ids_to_subwords(tokenizer, before, ids)
    return tuple(
        Fill(i, piece, to_readable(piece), probability)
        for i, piece, probability in zip(ids, pieces, probabilities, strict=True)
        if probability > 0
    )


def render_cards(results: Sequence[FillResult], text: str, *, interactive: bool = True) -> str:
    """Return several sentences side by side, each with its fills, all on one scale.

    Args:
        results: of the sentences; none of them joint.
        text: what they come from, as in `render_result`.
        interactive: as in `Result.to_html`. Masks are counted through all sentences.
    """
    axis = _axis_of(results)
    cards, before = "", 0
    for line, result in enumerate(results, 1):
        tables = ""
        for number, mask in enumerate(result.masks, 1):
            name = f"Sentence {line}" if len(result.masks) == 1 else f"Sentence {line}, mask {number}"
            table = _render_fills(mask, before + number, name, axis, interactive)
            tables += f'<div class="x-fills">{table}{_render_rest(mask)}</div>'
        cards += f"<li>{_render_sentence(result, before)}{tables}</li>"
        before += len(result.masks)
    return render_result(
        render_status("Filled.")
        + render_section(
            "x-side-by-side",
            render_heading("Side by side", str(len(results))),
            f'<ol class="x-cards" role="list">{cards}</ol>{render_note("All bars have one scale.")}'
            + _render_notes(results),
        ),
        text,
    )


def render_fill(fill: Fill, *, spoken: bool = False) -> str:
    """Return the label of a fill in its own direction.

    Args:
        fill: a piece or a word.
        spoken: whether a screen reader is told what a mark of the label means, which it may pass over.
    """
    said = ""
    if spoken and fill.label != fill.text:
        said = render_unseen(f" {'after a space' if fill.begins_word else 'without a space before it'}")
    return isolate(fill.text, fill.label) + said


def render_labels_note(fills: Iterable[Fill]) -> str:
    """Return what the marks of labels mean, if any of the fills has one."""
    return render_note(LABELS_NOTE) if any(fill.label != fill.text for fill in fills) else ""


def _render_notes(results: Sequence[FillResult]) -> str:
    """Return what is said once of the fills of all masks."""
    fills = [fill for mask in results[0].masks for fill in mask.fills]
    if any(fill.log_odds is not None for fill in fills):
        note = render_note(TARGETS_NOTE)
    else:
        note = render_note(WORDS_NOTE) if any(fill.score is not None for fill in fills) else ""
    shown = [fill for result in results if not result.joint for mask in result.masks for fill in mask.fills]
    shown += [fill for result in results for way in result.joint for fill in way.fills]
    return note + render_labels_note(shown)


def _axis_of(results: Sequence[FillResult]) -> float:
    """Return where the scale of all fills ends. Targets may all be unlikely: their scale is as fine as they are."""
    fills = [fill for result in results for mask in result.masks for fill in mask.fills]
    end = axis_end([fill.probability for fill in fills])
    best = max((fill.probability for fill in fills), default=0.0)
    if not fills or fills[0].log_odds is None or not 0 < best < end / 5:
        return end
    power = 10.0 ** math.floor(math.log10(best))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= best)


def _render_sentence(result: FillResult, before: int = 0) -> str:
    """Return the sentence with what is put at its masks, of which `before` stand before it on the page."""
    first, *others = result.parts_around_masks()
    html = escape(first)
    for number, (fill, part) in enumerate(zip(result.best_fills(), others, strict=True), before + 1):
        best = escape(fill.visible_text if fill else "<mask>")
        html += f'<mark data-mark="{number}"><bdi>{best}</bdi></mark>{escape(part)}'
    return f'<p class="x-sentence" translate="no" {text_attributes(result.text)}>{html}</p>'


def _render_tokens(result: FillResult, interactive: bool) -> str:
    numbers = {mask.position: number for number, mask in enumerate(result.masks, 1)}
    words: list[list[str]] = []
    reachable = False
    for position, token in enumerate(result.tokens):
        text = isolate_subword(result.tokens, position)
        chip = _render_token(token, text, numbers.get(position), -1 if reachable else 0, interactive)
        reachable = reachable or chip.startswith("<button")
        words[-1].append(chip) if is_joined(result.tokens, position) else words.append([chip])
    html = "".join(f'<span class="x-word">{"".join(word)}</span>' for word in words)
    named = ' role="group" aria-label="Tokens: choose one to mask it" data-roving' if interactive else ""
    hint = render_hint(TOKEN_HINT) if interactive else ""
    return render_section(
        "x-reading",
        render_heading("Tokens", str(len(result.tokens))),
        f'<div class="x-tokens"{named} {text_attributes(result.text)}>{html}</div>{hint}',
    )


def _render_token(token: Token, text: str, number: int | None, tabindex: int, interactive: bool) -> str:
    """Return a token: `number` is that of a mask."""
    where = f"id {token.id} · characters {token.start} to {token.end}"
    if number is None and (token.special or token.start >= token.end):
        tip = tip_attribute(f"{token.piece} · id {token.id}", interactive)
        return f'<span class="x-chip x-special" {tip} dir="ltr">{escape(text)}</span>'
    if number is not None:
        kind, html = "x-chip x-mask", f'<bdi dir="ltr">&lt;mask&gt;</bdi><sub>{number}</sub>'
        tip, name, data = f"mask {number} · {where}", f"Mask {number}: go to its fills", f'data-goto="{number}"'
    else:
        kind, html = "x-chip", f"<bdi>{escape(text)}</bdi>"
        tip, name = f"{token.piece} · {where}", f"{token.piece}, id {token.id}: mask it"
        data = f'data-start="{token.start}" data-end="{token.end}"'
    tip = tip_attribute(tip, interactive)
    if not interactive:
        return f'<span class="{kind}" {tip}>{html}</span>'
    return (
        f'<button type="button" class="{kind}" {data} {tip} tabindex="{tabindex}" aria-label="{escape(name)}">'
        f"{html}</button>"
    )


def _render_mask(mask: MaskFills, number: int, name: str, axis: float, interactive: bool) -> str:
    table = _render_fills(mask, number, name, axis, interactive)
    return render_section("x-fills", render_heading(name, f"token {mask.position}"), table + _render_rest(mask))


def _render_fills(mask: MaskFills, number: int, name: str, axis: float, interactive: bool) -> str:
    ranked = any(fill.rank is not None for fill in mask.fills)
    heads = [render_head("Rank", seen=False), render_head("Fill", seen=False), render_axis(axis)]
    heads += [render_head("Probability", seen=False), *([render_head("place")] if ranked else [])]
    rows = [
        _render_row(fill, number, rank, axis, ranked=ranked, interactive=interactive)
        for rank, fill in enumerate(mask.fills, 1)
    ]
    given = ' class="x-given"' if any(fill.log_odds is not None for fill in mask.fills) else ""
    return render_table(heads, rows, f"{name}: what the model would put there", f"data-roving{given}")


def _render_row(fill: Fill, number: int, rank: int, axis: float, *, ranked: bool, interactive: bool) -> str:
    button = render_button(
        render_fill(fill, spoken=True),
        interactive,
        data_mark=number,
        data_fill=fill.visible_text,
        aria_pressed="true" if rank == 1 else "false",
        tabindex=0 if rank == 1 else -1,
        title=f"Piece {fill.piece}: show it in the sentence",
    )
    tiny = fill.log_odds is not None and 0 < fill.probability < 0.001  # targets are compared, however unlikely
    probability = f"{100 * fill.probability:.2g}%" if tiny else format_percent(fill.probability)
    place = f'<td class="x-place">{"" if fill.rank is None else f"{fill.rank:,}"}</td>' if ranked else ""
    return (
        f'<tr><td class="x-rank">{rank}</td><th scope="row">{button}</th>'
        f"{render_bar_cell(render_bar(fill.probability, axis))}"
        f'<td class="x-percent">{escape(probability)}</td>{place}</tr>'
    )


def _render_rest(mask: MaskFills) -> str:
    """Return what stands below fills. Words of different lengths do not share one probability: they have no rest."""
    entropy = ""
    if mask.entropy is not None:
        bits = max(0.0, mask.entropy / math.log(2))
        entropy = f'<span title="{escape(ENTROPY_NOTE)}">Entropy: {bits:.1f} bits</span>'
    if any(fill.score is not None or len(fill.ids) > 1 for fill in mask.fills):
        return f'<p class="x-rest">{entropy}</p>' if entropy else ""
    rest = escape(format_percent(max(0.0, 1.0 - sum(fill.probability for fill in mask.fills))))
    return f'<p class="x-rest">{entropy}<span>Everything else: {rest}</span></p>'


def _render_joint(ways: Sequence[JointFill], interactive: bool) -> str:
    """Return the ways to fill all masks together; each carries its fills as `data-way`."""
    heads = [render_head("Rank", seen=False)]
    heads += [render_head(f"Mask {number}") for number in range(1, len(ways[0].fills) + 1)]
    rows = [_render_way(way, rank, interactive) for rank, way in enumerate(ways, 1)]
    table = render_table(
        [*heads, render_head("log P"), render_head("P")], rows, "Ways to fill all masks together", "data-roving"
    )
    heading = render_heading("Ways to fill them together")
    scroller = render_scroller(table, "Ways to fill all masks together")
    return render_section("x-fills x-ways", heading, scroller + render_note(JOINT_NOTE))


def _render_way(way: JointFill, rank: int, interactive: bool) -> str:
    button = render_button(
        render_fill(way.fills[0], spoken=True),
        interactive,
        data_way=json.dumps([fill.visible_text for fill in way.fills], ensure_ascii=False),
        aria_pressed="true" if rank == 1 else "false",
        tabindex=0 if rank == 1 else -1,
        title="Show this way in the sentence",
    )
    cells = "".join(f"<td>{render_fill(fill, spoken=True)}</td>" for fill in way.fills[1:])
    return (
        f'<tr><td class="x-rank">{rank}</td><th scope="row">{button}</th>{cells}'
        f'<td class="x-percent">{format_signed(way.score, 2)}</td>'
        f'<td class="x-percent">{escape(format_percent(math.exp(way.score)))}</td></tr>'
    )
