"""Fills as escaped HTML. No Gradio."""

from __future__ import annotations

import json
import math
from html import escape
from typing import TYPE_CHECKING

from xlmrxl.app.render import attributes, axis_end, percent, signed, ticks_html, width

if TYPE_CHECKING:
    from xlmrxl.tasks.fill import Fill, FillResult, JointFill, MaskFills
    from xlmrxl.tasks.masked import Token

ENTROPY = (
    "How undecided the model is here: 0 bits where it is sure of one piece, and one bit more "
    "for each doubling of the pieces that it takes for equally likely."
)


def result_html(result: FillResult) -> str:
    """The completed sentence, the tokens, and the fills of each mask on one scale, or the ways to fill them all."""
    axis = axis_end([fill.probability for mask in result.masks for fill in mask.fills])
    tables = "".join(_mask_html(mask, number, result, axis) for number, mask in enumerate(result.masks, 1))
    return (
        f'<div class="x-result" data-text="{escape(result.text)}">{_status(result)}{_sentence(result)}'
        f'{_tokens(result)}<div class="x-masks">{_ways(result) if result.joint else tables}</div></div>'
    )


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


def _sentence(result: FillResult) -> str:
    html, done = "", 0
    for number, (mask, fill) in enumerate(zip(result.masks, _best(result), strict=True), 1):
        token = result.tokens[mask.position]
        place = result.text[token.start : token.end]
        start = token.start + len(place) - len(place.lstrip())
        best = escape(shown(fill)) if fill else "&lt;mask&gt;"
        html += escape(result.text[done:start]) + f'<mark data-mark="{number}"><bdi>{best}</bdi></mark>'
        done = token.end
    html += escape(result.text[done:])
    return (
        '<section class="x-completed"><h2>Completed</h2>'
        f'<p class="x-sentence" {attributes(result.text)}>{html}</p></section>'
    )


def _tokens(result: FillResult) -> str:
    from xlmrxl.tasks.pieces import continues, standing_alone  # noqa: PLC0415 - torch comes along: not for a hint

    numbers = {mask.position: number for number, mask in enumerate(result.masks, 1)}
    words: list[list[str]] = []
    reachable = False
    for position, token in enumerate(result.tokens):
        joined = continues(result.tokens, position)
        chip = _chip(token, standing_alone(result.tokens, position), numbers.get(position), reachable)
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
    rows = "".join(_row(fill, number, rank, axis) for rank, fill in enumerate(mask.fills, 1))
    return (
        f'<section class="x-fills" id="mask-{number}" tabindex="-1"><h2>{name} <span>token {mask.position}</span></h2>'
        f'<table data-roving><caption class="x-unseen">{name}: what the model would put there</caption><thead><tr>'
        '<th scope="col"><span class="x-unseen">Rank</span></th><th scope="col"><span class="x-unseen">Fill</span></th>'
        f'{ticks_html(axis)}<th scope="col"><span class="x-unseen">Probability</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{_rest(mask)}</section>"
    )


def _rest(mask: MaskFills) -> str:
    """What stands below the fills. Words of different lengths do not share one probability: they have no rest."""
    entropy = ""
    if mask.entropy is not None:
        bits = max(0.0, mask.entropy / math.log(2))
        entropy = f'<span title="{escape(ENTROPY)}">Entropy: {bits:.1f} bits</span>'
    if any(fill.score is not None for fill in mask.fills):
        return (
            '<p class="x-note">In the order of how well each word fits its neighbours. The bar is the probability '
            f'among words of as many pieces.</p><p class="x-rest">{entropy}</p>'
        )
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
    cells = "".join(f"<td><bdi {attributes(fill.text)}>{escape(shown(fill))}</bdi></td>" for fill in way.fills[1:])
    return (
        f'<tr><td class="x-rank">{rank}</td><th scope="row"><button type="button" data-way="{texts}" '
        f'aria-pressed="{"true" if rank == 1 else "false"}" tabindex="{0 if rank == 1 else -1}" '
        f'title="Show this way in the sentence"><bdi {attributes(first.text)}>{escape(shown(first))}</bdi></button>'
        f'</th>{cells}<td class="x-percent">{signed(way.score, 2)}</td>'
        f'<td class="x-percent">{percent(math.exp(way.score))}</td></tr>'
    )


def _row(fill: Fill, number: int, rank: int, axis: float) -> str:
    text = escape(shown(fill))
    pressed = "true" if rank == 1 else "false"
    return (
        f'<tr><td class="x-rank">{rank}</td><th scope="row"><button type="button" data-mark="{number}" '
        f'data-fill="{text}" aria-pressed="{pressed}" tabindex="{0 if rank == 1 else -1}" '
        f'title="Piece {escape(fill.piece)}: show it in the sentence">'
        f"<bdi {attributes(fill.text)}>{text}</bdi></button></th>"
        f'<td class="x-bar" aria-hidden="true"><div style="width:{width(fill.probability, axis)}"></div></td>'
        f'<td class="x-percent">{percent(fill.probability)}</td></tr>'
    )
