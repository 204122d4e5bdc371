"""Results as escaped HTML, readable without colour, by screen readers, and in every direction. No Gradio."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, TypeVar

from xlmrxl.app.examples import Example

if TYPE_CHECKING:
    from xlmrxl.app.handlers import Outcome
    from xlmrxl.tasks.fill import Fill, FillResult, JointFill, MaskFills
    from xlmrxl.tasks.masked import Token

MINUS = "−"
ENTROPY = (
    "How undecided the model is here: 0 bits where it is sure of one piece, and one bit more "
    "for each doubling of the pieces that it takes for equally likely."
)
AXES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # where a scale of probabilities may end
FILL_HINT = "Write a sentence with <mask> where a word is missing and press Enter, or choose a language."
CLASSIFY_HINT = "Write a text and press Enter, or choose an example."
ATTENTION_HINT = "Write a sentence and press Enter, or choose an example: every head of the model, and where it looks."
STATES_HINT = "Write a sentence, or the same one in several languages, one a line, and press the button; or an example."
COMPARE_HINT = (
    "Write a sentence with <mask> and press Enter: the model is loaded in each precision, which takes seconds."
)
CHOOSE_HINT = "Write a prompt and what may go with it, and press Enter, or choose an example."

R = TypeVar("R")


def percent(probability: float) -> str:
    """A probability as it is printed everywhere: one decimal, never a false zero."""
    return "<0.1%" if 0 < probability < 0.0005 else f"{probability * 100:.1f}%"


def signed(value: float, digits: int, plus: bool = False) -> str:
    """A number with a real minus sign, and a plus where the sign is the point."""
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return f"{MINUS if value < 0 else '+' if plus else ''}{text}"


def direction(text: str) -> str:
    """`rtl` or `ltr`, by the first letter that has a direction; the masks do not count."""
    for character in text.replace("<mask>", ""):
        kind = unicodedata.bidirectional(character)
        if kind in {"R", "AL"}:
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def attributes(text: str) -> str:
    """`dir` and, where the script says which, `lang`: Japanese and Korean want their own forms of Han letters."""
    language = ""
    if any("\u3040" <= c <= "\u30ff" for c in text):
        language = ' lang="ja"'
    elif any("\uac00" <= c <= "\ud7af" for c in text):
        language = ' lang="ko"'
    elif any("\u4e00" <= c <= "\u9fff" for c in text):
        language = ' lang="zh"'
    return f'dir="{direction(text)}"{language}'


def outcome_html(outcome: Outcome[R], html: Callable[[R], str]) -> str:
    """Whatever came of it: the result, or one sentence in place."""
    return problem_html(outcome.problem or "") if outcome.result is None else html(outcome.result)


def hint_html(hint: str) -> str:
    """What the place of the result says before there is one."""
    return f'<p class="x-hint">{escape(hint).replace("&lt;mask&gt;", "<code>&lt;mask&gt;</code>")}</p>'


def save_html() -> str:
    """Buttons that answer to `static/save.js`."""
    kinds = {"svg": "SVG", "png": "PNG", "csv": "CSV", "json": "JSON", "html": "HTML"}
    buttons = "".join(f'<button type="button" data-file="{kind}">{name}</button>' for kind, name in kinds.items())
    return (
        f'<div class="x-save" role="group" aria-label="Save what is shown"><span>Save</span>{buttons}'
        '<span role="status"></span></div>'
    )


def note_html(note: str) -> str:
    """What stands beside a result, small."""
    return f'<p class="x-note">{escape(note)}</p>'


def problem_html(problem: str) -> str:
    return f'<p class="x-problem" role="alert">{escape(problem)}</p>'


def header_html(model_line: str) -> str:
    return (
        '<header class="x-header"><h1>xlmrxl</h1>'
        "<p>Look inside XLM-RoBERTa-XL: one model, a hundred languages.</p>"
        f'<p class="x-model">{escape(model_line)}</p></header>'
    )


def examples_html(examples: Sequence[Example]) -> str:
    """A list of buttons; each carries its index as `data-index`."""
    rows = "".join(
        f'<li><button type="button" data-index="{index}" tabindex="{0 if index == 0 else -1}" '
        f'lang="{escape(example.language)}" title="{escape(example.text)}">'
        f'<span class="x-name">{escape(example.name)}</span>'
        f'<span class="x-text" dir="{direction(example.text)}">{_masks_shown(example.text)}</span></button></li>'
        for index, example in enumerate(examples)
    )
    return (
        '<section class="x-examples" aria-label="Examples"><h2>Try a language</h2>'
        f'<ul data-roving role="list">{rows}</ul></section>'
    )


def result_html(result: FillResult) -> str:
    """The completed sentence, the tokens, and the fills of each mask on one scale, or the ways to fill them all."""
    axis = axis_end([fill.probability for mask in result.masks for fill in mask.fills])
    tables = "".join(_mask_html(mask, number, result, axis) for number, mask in enumerate(result.masks, 1))
    return (
        f'<div class="x-result" data-text="{escape(result.text)}">{_status(result)}{_sentence(result)}'
        f'{_tokens(result)}<div class="x-masks">{_ways(result) if result.joint else tables}</div></div>'
    )


def axis_end(probabilities: Sequence[float]) -> float:
    """Where the scale of some probabilities ends."""
    best = max(probabilities, default=1.0)
    return next((end for end in AXES if end >= best), 1.0)


def ticks_html(axis: float) -> str:
    ticks = "".join(f"<span>{100 * axis * part:g}%</span>" for part in (0, 0.5, 1))
    return f'<th class="x-axis" aria-hidden="true"><div>{ticks}</div></th>'


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


def _masks_shown(text: str) -> str:
    return escape(text).replace("&lt;mask&gt;", '<span class="x-gap" dir="ltr">mask</span>')


def width(probability: float, axis: float) -> str:
    return f"{min(100.0, 100 * probability / axis):.2f}%"
