"""Labels, choices, and the words behind a label as escaped HTML. No Gradio."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from xlmrxl.app.render import attributes, axis_end, percent, signed, ticks_html, width

if TYPE_CHECKING:
    from xlmrxl.tasks.attribution import Attribution, WordAttribution
    from xlmrxl.tasks.choose import Choice, ChooseResult
    from xlmrxl.tasks.classify import ClassifyResult, LabelScore


def labels_html(result: ClassifyResult) -> str:
    """A bar a label. Those of a single text are buttons with their index, which ask for the words behind them."""
    bars = result.kind != "regression"
    axis = axis_end([label.score for label in result.labels]) if bars else 1.0
    raw = "raw" if result.method == "cloze" else "logit"
    rows = "".join(_label(label, index, result, axis) for index, label in enumerate(result.labels))
    head = f'{ticks_html(axis)}<th scope="col"><span class="x-unseen">Probability</span></th>' if bars else ""
    name, value = result.labels[0].label, result.labels[0].score
    status = f"Classified. <bdi>{escape(name)}</bdi>: {percent(value) if bars else signed(value, 3)}"
    return (
        f'<div class="x-result" data-text="{escape(result.text)}">'
        f'<p class="x-unseen" role="status">{status}</p>'
        f'<section class="x-fills x-labels"><h2>Labels <span>{result.tokens} tokens read</span></h2>'
        '<table data-roving><caption class="x-unseen">Labels and their probabilities</caption><thead><tr>'
        f'<th scope="col"><span class="x-unseen">Label</span></th>{head}<th scope="col">{raw if bars else "value"}</th>'
        f"</tr></thead><tbody>{rows}</tbody></table>{_about_labels(result)}</section></div>"
    )


def _label(label: LabelScore, index: int, result: ClassifyResult, axis: float) -> str:
    name = f"<bdi {attributes(label.label)}>{escape(label.label).replace('/', '/<wbr>')}</bdi>"
    if result.pair is None:
        name = (
            f'<button type="button" data-index="{index}" tabindex="{0 if index == 0 else -1}" '
            f'title="Which words made it {escape(label.label)}?">{name}</button>'
        )
    cloze = result.method == "cloze"
    raw = f'<td class="x-percent x-pale">{percent(label.raw) if cloze else signed(label.raw, 2)}</td>'
    if result.kind == "regression":
        return f'<tr><th scope="row">{name}</th>{raw}</tr>'
    pale = f'<div class="x-raw" style="width:{width(label.raw, axis)}"></div>' if cloze else ""
    return (
        f'<tr><th scope="row">{name}</th><td class="x-bar" aria-hidden="true">'
        f'<div style="width:{width(label.score, axis)}"></div>{pale}</td>'
        f'<td class="x-percent">{percent(label.score)}</td>{raw}</tr>'
    )


def _about_labels(result: ClassifyResult) -> str:
    notes = []
    if result.truncated:
        notes.append(f"The text is too long: only its first {result.tokens} tokens were read.")
    if result.method == "cloze":
        notes.append(
            "The thick bar is the probability without what the model gives a label whatever the text says; the thin "
            "one, raw, is the probability before that is taken off."
        )
    elif result.kind == "single":
        notes.append("The model was fine-tuned for these labels; the logit is what its head gives each.")
    elif result.kind == "multi":
        notes.append("The model was fine-tuned for these labels. Each stands alone: a text may have several, or none.")
    else:
        notes.append("The model was fine-tuned for values, not for probabilities.")
    html = "".join(f'<p class="x-note">{note}</p>' for note in notes)
    if result.pair is None:
        html += '<button type="button" class="x-action" data-index="0">Which words made it so</button>'
    return html


def words_html(found: Attribution, kind: str) -> str:
    """The text, each word coloured by what it does for the label: points of per cent, or of a regression its value."""

    def shown(value: float) -> str:
        return signed(value, 3, plus=True) if kind == "regression" else f"{signed(100 * value, 1, plus=True)} points"

    parts, done = [], 0
    for word in found.words:
        parts += [escape(found.text[done : word.start]), _word(word, found.strongest, shown(word.value))]
        done = word.end
    parts.append(escape(found.text[done:]))
    strongest = sorted(found.words, key=lambda word: -abs(word.value))[:5]
    status = "; ".join(f"<bdi>{escape(word.word)}</bdi> {shown(word.value)}" for word in strongest)
    label = escape(found.label or "")
    score = signed(found.score, 3) if kind == "regression" else percent(found.score)
    most = found.strongest
    idle = "Each word was left out in turn. Point at one to see how much lower the label is without it."
    return (
        f'<section class="x-why"><p class="x-unseen" role="status">The strongest words: {status}</p>'
        f"<h2>Which words made it <b><bdi>{label}</bdi></b> <span>{score}</span></h2>"
        f'<p class="x-sentence x-words" {attributes(found.text)} translate="no">{"".join(parts)}</p>'
        f'<p class="x-legend"><span><b class="x-against" style="--x-share:1">{shown(-most)}</b> speaks against</span>'
        f'<span><b class="x-for" style="--x-share:1">{shown(most)}</b> speaks for</span></p>'
        f'<p class="x-readout" aria-hidden="true" data-idle="{idle}">{idle}</p></section>'
    )


def _word(word: WordAttribution, strongest: float, value: str) -> str:
    share = abs(word.value) / strongest if strongest else 0.0
    side = "x-against" if word.value < 0 else "x-for"
    tip = escape(f"{word.word} {value}")
    return f'<span class="{side}" style="--x-share:{share:.3f}" data-tip="{tip}">{escape(word.word)}</span>'


def choices_html(result: ChooseResult) -> str:
    """The choices as they were given, each with its bar and what the bar comes from."""
    best = result.choices[result.best]
    rows = "".join(_choice(choice, index == result.best) for index, choice in enumerate(result.choices))
    status = f"The best choice: <bdi>{escape(best.text)}</bdi>, {percent(best.probability)}"
    note = "Each choice was scored by the head of the model, which was made for that."
    if best.prior is not None:
        note = (
            "A choice is scored by how much likelier the prompt makes it: its log-probability after the prompt, less "
            "the one without the prompt, in nats. The bars share out 100% by these scores."
        )
    return (
        f'<div class="x-result" data-text="{escape(result.prompt)}">'
        f'<p class="x-unseen" role="status">{status}</p><section class="x-choices"><h2>Choices</h2>'
        f'<ol role="list">{rows}</ol><p class="x-note">{note}</p>{_steps(result)}</section></div>'
    )


def _steps(result: ChooseResult) -> str:
    """How the scores come about, by the numbers of the best choice."""
    best = result.choices[result.best]
    if best.prior is None:
        steps = [
            "The head reads the prompt together with each choice and gives it one number, the logit.",
            "The probabilities share out 100% by the exponentials of the logits.",
        ]
    else:
        steps = [
            "Each token of the choice is hidden in turn, with the later subwords of its word, and the model says how "
            "probable the hidden token is.",
            "The natural logarithms of these probabilities add up to what the choice has after the prompt: "
            f"{signed(best.raw, 2)} for the best one.",
            "The same is done without the prompt, with nothing but the “because” or “so” before the choice: "
            f"{signed(best.prior, 2)} for the best one.",
            "The score is the difference, so that a choice which is likely anyway gets nothing for it: "
            f"{signed(best.score, 2, plus=True)} for the best one.",
            "The probabilities share out 100% by the exponentials of the scores: "
            f"{percent(best.probability)} for the best one.",
        ]
    rows = "".join(f"<li>{step}</li>" for step in steps)
    return f'<details class="x-steps"><summary>How the scores come about</summary><ol>{rows}</ol></details>'


def _choice(choice: Choice, best: bool) -> str:
    facts = f"logit {signed(choice.raw, 2)}"
    if choice.prior is not None:
        facts = (
            f"after the prompt {signed(choice.raw, 1)} · without it {signed(choice.prior, 1)} · "
            f"score {signed(choice.score, 1, plus=True)}"
        )
    if choice.unknown:
        facts += f" · not read: {choice.unknown}"
    mark = '<span class="x-tag">best</span>' if best else ""
    return (
        f'<li class="{"x-best" if best else "x-other"}"><p class="x-choice" {attributes(choice.text)}>'
        f'<span translate="no">{escape(choice.text)}</span>{mark}</p>'
        f'<div class="x-scale"><div class="x-bar" aria-hidden="true">'
        f'<div style="width:{width(choice.probability, 1.0)}"></div></div>'
        f'<span class="x-percent">{percent(choice.probability)}</span></div><p class="x-facts">{escape(facts)}</p></li>'
    )
