"""Fills as escaped HTML. No Gradio."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from xlmrxl.app.render import attributes, axis_end, percent, signed, ticks_html, width

if TYPE_CHECKING:
    from xlmrxl.app.handlers.filling import Lines
    from xlmrxl.inspection.logit_lens import Lens, LensCell
    from xlmrxl.tasks.fill_results import Fill, FillResult, JointFill, MaskFills
    from xlmrxl.tasks.masked_lm import Token

ENTROPY = (
    "How undecided the model is here: 0 bits where it is sure of one subword, and one bit more "
    "for each doubling of the subwords that it takes for equally likely."
)
FITTING = (
    "In the order of how well each word fits its neighbours. The bar is the probability among words of as many "
    "subwords."
)
GIVEN = (
    "Each probability is the one in the whole vocabulary, not a share among these words. A word of several subwords "
    "has the product of theirs, filled in from the left, with as many masks as it has subwords. The rank is that of a "
    "single subword in the whole vocabulary."
)
MARKS = (
    "What begins with … goes on with what stands before the mask, without a space: app and …\u2060ear make appear. A "
    "sign, or a character of a script without spaces, begins with ▁ where a space is before it."
)
LAYERS = (
    "The logit lens (nostalgebraist, 2020), here on an encoder: the final layer norm and the masked-LM head are put on "
    "each state, though only the last was trained for them. State 0 is the embeddings, each other one what a layer "
    "gives. Marked is where the likeliest piece is already the final one."
)


def result_html(result: FillResult) -> str:
    """The completed sentence, the tokens, and the fills of each mask on one scale, or the ways to fill them all."""
    axis = _axis([result])
    tables = "".join(_mask_html(mask, number, result, axis) for number, mask in enumerate(result.masks, 1))
    sentence = f'<section class="x-completed"><h2>Completed</h2>{_sentence(result)}</section>'
    masks = _ways(result) if result.joint else tables
    return (
        f'<div class="x-result" data-text="{escape(result.text)}">{_status(result)}{sentence}'
        f'{_tokens(result)}<div class="x-masks">{masks}</div>{_note(result)}{_marks([result])}</div>'
    )


def lines_html(found: Lines) -> str:
    """A card for each sentence, with the fills of all of them on one scale. Masks are counted through all cards."""
    axis = _axis(found.results)
    cards, before = "", 0
    for line, result in enumerate(found.results, 1):
        tables = ""
        for number, mask in enumerate(result.masks, 1):
            name = f"Sentence {line}" if len(result.masks) == 1 else f"Sentence {line}, mask {number}"
            tables += f'<div class="x-fills">{_table(mask, before + number, name, axis)}{_rest(mask)}</div>'
        cards += f"<li>{_sentence(result, before)}{tables}</li>"
        before += len(result.masks)
    return (
        f'<div class="x-result" data-text="{escape(found.text)}"><p class="x-unseen" role="status">Filled.</p>'
        f'<section><h2>Side by side <span>{len(found.results)}</span></h2><ol class="x-cards" role="list">{cards}</ol>'
        f'<p class="x-note">All bars have one scale.</p>{_note(found.results[0])}{_marks(found.results)}'
        "</section></div>"
    )


def layers_button_html(text: str, now: bool = False) -> str:
    """What the page asks for the layers with; `now` has it ask at once."""
    return (
        f'<button type="button" class="x-action" data-layers="{escape(text)}"{" data-now" if now else ""} '
        'aria-expanded="false">Layer by layer</button>'
    )


def layers_html(lens: Lens) -> str:
    """What each state would have put at each mask, from the embeddings to the last."""
    masks = "".join(_layers(lens, place) for place in range(len(lens.positions)))
    marks = _marks_note([fill for states in lens.cells for cell in states for fill in cell.fills])
    return (
        f'<button type="button" class="x-action" data-layers="{escape(lens.text)}" aria-expanded="true">Layer by layer'
        f'</button><div class="x-result">{masks}</div><p class="x-note">{LAYERS}</p>{marks}'
    )


def _layers(lens: Lens, place: int) -> str:
    cells = [states[place] for states in lens.cells]
    last = len(cells) - 1
    final = cells[-1].fills[0].id
    since = next((state for state in range(last, 0, -1) if cells[state - 1].fills[0].id != final), 0)
    name = "Layer by layer" if len(lens.positions) == 1 else f"Mask {place + 1}, layer by layer"
    heads = "".join(f'<th scope="col">{rank}</th>' for rank in range(1, len(cells[0].fills) + 1))
    rows = "".join(_state(cell, state, final) for state, cell in enumerate(cells))
    return (
        f'<section class="x-fills x-layers"><h2>{name} <span>token {lens.positions[place]}</span></h2>'
        f'<div class="x-scroll" tabindex="0" role="region" aria-label="{name}"><table><thead><tr>'
        f'<th scope="col">state</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="x-note">The final piece comes first from state {since} on, of {last}.</p></section>'
    )


def _state(cell: LensCell, state: int, final: int) -> str:
    html = ""
    for rank, fill in enumerate(cell.fills):
        kind = ' class="x-final"' if rank == 0 and fill.id == final else ""
        text = f"{fill_html(fill)}<span>{percent(fill.probability)}</span>"
        tip = f'title="{escape(fill.piece)}" translate="no"'
        html += f'<td{kind} style="--x-share:{fill.probability:.3f}" {tip}><div>{text}</div></td>'
    return f'<tr><th scope="row">{state}</th>{html}</tr>'


def _axis(results: Sequence[FillResult]) -> float:
    """Where the scale of all fills ends. Words that were given may all be unlikely: their scale is as fine as they."""
    fills = [fill for result in results for mask in result.masks for fill in mask.fills]
    end = axis_end([fill.probability for fill in fills])
    best = max((fill.probability for fill in fills), default=0.0)
    if not fills or fills[0].log_odds is None or not 0 < best < end / 5:
        return end
    power = 10.0 ** math.floor(math.log10(best))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= best)


def _note(result: FillResult) -> str:
    """What is said once of the fills of all masks."""
    fills = [fill for mask in result.masks for fill in mask.fills]
    if any(fill.log_odds is not None for fill in fills):
        return f'<p class="x-note">{GIVEN}</p>'
    return f'<p class="x-note">{FITTING}</p>' if any(fill.score is not None for fill in fills) else ""


def _best(result: FillResult) -> list[Fill | None]:
    """What is put at each mask first."""
    if result.joint:
        return list(result.joint[0].fills)
    return [mask.fills[0] if mask.fills else None for mask in result.masks]


def _status(result: FillResult) -> str:
    parts = [
        f"mask {number}: {shown(fill)}, {percent(fill.probability)}"
        for number, fill in enumerate(_best(result), 1)
        if fill
    ]
    return f'<p class="x-unseen" role="status">{escape("Filled. " + "; ".join(parts))}</p>'


def shown(fill: Fill) -> str:
    """The fill as text, or its raw piece where the text would be invisible."""
    return fill.text if fill.text.strip() else fill.piece


def labelled(fill: Fill) -> str:
    """Return the fill as tables show it, with a mark where it goes on with what stands before it."""
    return fill.label if fill.text.strip() else fill.piece


def fill_html(fill: Fill, spoken: bool = False) -> str:
    """Return the fill as it is `labelled`, in its own direction.

    Args:
        fill: a piece or a word.
        spoken: whether a screen reader is told what the mark means, which it may pass over.
    """
    said = ""
    if spoken and fill.label != fill.text:
        said = f'<span class="x-unseen"> {"after a space" if fill.begins_word else "without a space before it"}</span>'
    return f"<bdi {attributes(fill.text)}>{escape(labelled(fill))}</bdi>{said}"


def _marks(results: Sequence[FillResult]) -> str:
    """What the marks of fills mean, if there are such."""
    masks = [fill for result in results if not result.joint for mask in result.masks for fill in mask.fills]
    ways = [fill for result in results for way in result.joint for fill in way.fills]
    return _marks_note([*masks, *ways])


def _marks_note(fills: Sequence[Fill]) -> str:
    return f'<p class="x-note">{MARKS}</p>' if any(fill.label != fill.text for fill in fills) else ""


def _sentence(result: FillResult, before: int = 0) -> str:
    """The sentence with what is put at its masks, of which so many stand before it on the page."""
    html, done = "", 0
    for number, (mask, fill) in enumerate(zip(result.masks, _best(result), strict=True), before + 1):
        token = result.tokens[mask.position]
        place = result.text[token.start : token.end]
        start = token.start + len(place) - len(place.lstrip())
        best = escape(shown(fill)) if fill else "&lt;mask&gt;"
        html += escape(result.text[done:start]) + f'<mark data-mark="{number}"><bdi>{best}</bdi></mark>'
        done = token.end
    html += escape(result.text[done:])
    return f'<p class="x-sentence" translate="no" {attributes(result.text)}>{html}</p>'


def _tokens(result: FillResult) -> str:
    from xlmrxl.tasks.subwords import is_joined, isolate_subword  # noqa: PLC0415 - torch comes along: not for a hint

    numbers = {mask.position: number for number, mask in enumerate(result.masks, 1)}
    words: list[list[str]] = []
    reachable = False
    for position, token in enumerate(result.tokens):
        joined = is_joined(result.tokens, position)
        chip = _chip(token, isolate_subword(result.tokens, position), numbers.get(position), reachable)
        reachable = reachable or chip.startswith("<button")
        words[-1].append(chip) if joined else words.append([chip])
    html = "".join(f'<span class="x-word">{"".join(word)}</span>' for word in words)
    return (
        f'<section class="x-reading"><h2>Tokens <span>{len(result.tokens)}</span></h2>'
        f'<div class="x-tokens" role="group" aria-label="Tokens: choose one to mask it" data-roving '
        f"{attributes(result.text)}>{html}</div>"
        '<p class="x-readout" aria-hidden="true" data-idle="Click a token to mask it and fill again.">'
        "Click a token to mask it and fill again.</p></section>"
    )


def _chip(token: Token, text: str, number: int | None, reachable: bool) -> str:
    focus = -1 if reachable else 0
    if number is not None:
        facts = f"mask {number} · id {token.id} · characters {token.start} to {token.end}"
        return (
            f'<button type="button" class="x-chip x-mask" data-goto="{number}" data-tip="{escape(facts)}" '
            f'tabindex="{focus}" aria-label="{escape(f"Mask {number}: go to its fills")}">'
            f'<bdi dir="ltr">&lt;mask&gt;</bdi><sub>{number}</sub></button>'
        )
    facts = f"{token.piece} · id {token.id}"
    if token.special or token.start >= token.end:
        return f'<span class="x-chip x-special" data-tip="{escape(facts)}" dir="ltr">{escape(text)}</span>'
    facts += f" · characters {token.start} to {token.end}"
    return (
        f'<button type="button" class="x-chip" data-start="{token.start}" data-end="{token.end}" '
        f'data-tip="{escape(facts)}" tabindex="{focus}" '
        f'aria-label="{escape(f"{token.piece}, id {token.id}: mask it")}">'
        f"<bdi>{escape(text)}</bdi></button>"
    )


def _mask_html(mask: MaskFills, number: int, result: FillResult, axis: float) -> str:
    name = "Fills" if len(result.masks) == 1 else f"Mask {number}"
    return (
        f'<section class="x-fills" id="mask-{number}" tabindex="-1"><h2>{name} <span>token {mask.position}</span></h2>'
        f"{_table(mask, number, name, axis)}{_rest(mask)}</section>"
    )


def _table(mask: MaskFills, number: int, name: str, axis: float) -> str:
    ranked = any(fill.rank is not None for fill in mask.fills)
    given = ' class="x-given"' if any(fill.log_odds is not None for fill in mask.fills) else ""
    rows = "".join(_row(fill, number, rank, axis, ranked) for rank, fill in enumerate(mask.fills, 1))
    place = '<th scope="col">place</th>' if ranked else ""
    return (
        f'<table data-roving{given}><caption class="x-unseen">{name}: what the model would put there</caption>'
        '<thead><tr><th scope="col"><span class="x-unseen">Rank</span></th>'
        f'<th scope="col"><span class="x-unseen">Fill</span></th>{ticks_html(axis)}'
        f'<th scope="col"><span class="x-unseen">Probability</span></th>{place}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _rest(mask: MaskFills) -> str:
    """What stands below the fills. Words of different lengths do not share one probability: they have no rest."""
    entropy = ""
    if mask.entropy is not None:
        bits = max(0.0, mask.entropy / math.log(2))
        entropy = f'<span title="{escape(ENTROPY)}">Entropy: {bits:.1f} bits</span>'
    if any(fill.score is not None or len(fill.ids) > 1 for fill in mask.fills):
        return f'<p class="x-rest">{entropy}</p>' if entropy else ""
    rest = max(0.0, 1.0 - sum(fill.probability for fill in mask.fills))
    return f'<p class="x-rest">{entropy}<span>Everything else: {percent(rest)}</span></p>'


def _ways(result: FillResult) -> str:
    """The ways to fill all masks together; each carries its fills as `data-way`."""
    names = "".join(f'<th scope="col">Mask {number}</th>' for number in range(1, len(result.masks) + 1))
    rows = "".join(_way(way, rank) for rank, way in enumerate(result.joint, 1))
    return (
        f'<section class="x-fills x-ways" id="ways" tabindex="-1"><h2>Ways to fill them together</h2>'
        '<div class="x-scroll"><table data-roving><caption class="x-unseen">Ways to fill all masks together</caption>'
        '<thead><tr><th scope="col"><span class="x-unseen">Rank</span></th>'
        f'{names}<th scope="col">log P</th><th scope="col">P</th></tr></thead>'
        f'<tbody>{rows}</tbody></table></div><p class="x-note">log P is the logarithm of the probability of all fills '
        "together, in nats: the closer to zero, the likelier. Each fill takes those before it into account.</p>"
        "</section>"
    )


def _way(way: JointFill, rank: int) -> str:
    texts = escape(json.dumps([shown(fill) for fill in way.fills], ensure_ascii=False))
    first = way.fills[0]
    cells = "".join(f"<td>{fill_html(fill, spoken=True)}</td>" for fill in way.fills[1:])
    return (
        f'<tr><td class="x-rank">{rank}</td><th scope="row"><button type="button" data-way="{texts}" '
        f'aria-pressed="{"true" if rank == 1 else "false"}" tabindex="{0 if rank == 1 else -1}" '
        f'title="Show this way in the sentence">{fill_html(first, spoken=True)}</button>'
        f'</th>{cells}<td class="x-percent">{signed(way.score, 2)}</td>'
        f'<td class="x-percent">{percent(math.exp(way.score))}</td></tr>'
    )


def _row(fill: Fill, number: int, rank: int, axis: float, ranked: bool) -> str:
    text = escape(shown(fill))
    pressed = "true" if rank == 1 else "false"
    given = fill.log_odds is not None and 0 < fill.probability < 0.001
    probability = f"{100 * fill.probability:.2g}%" if given else percent(fill.probability)
    place = f'<td class="x-place">{"" if fill.rank is None else f"{fill.rank:,}"}</td>' if ranked else ""
    return (
        f'<tr><td class="x-rank">{rank}</td><th scope="row"><button type="button" data-mark="{number}" '
        f'data-fill="{text}" aria-pressed="{pressed}" tabindex="{0 if rank == 1 else -1}" '
        f'title="Piece {escape(fill.piece)}: show it in the sentence">'
        f"{fill_html(fill, spoken=True)}</button></th>"
        f'<td class="x-bar" aria-hidden="true"><div style="width:{width(fill.probability, axis)}"></div></td>'
        f'<td class="x-percent">{probability}</td>{place}</tr>'
    )
