"""Attribution: what each word of a text does for a score, by leaving it out.

Li et al. (2016), Understanding Neural Networks through Representation Erasure. It needs nothing of the model but its
scores, so it works in every precision.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

from xlmrxl.errors import InputError
from xlmrxl.progress import Progress, show_progress
from xlmrxl.rendering.components import (
    render_heading,
    render_hint,
    render_result,
    render_section,
    render_status,
    tip_attribute,
)
from xlmrxl.rendering.formats import format_number, format_percent, format_signed, text_attributes
from xlmrxl.tasks.classify import classify
from xlmrxl.tasks.masked_lm import classify_character, find_words, tokenize_within_limit
from xlmrxl.tasks.options import AttributeOptions, ClassifyOptions
from xlmrxl.tasks.record import HIDDEN, Record, to_rows
from xlmrxl.tasks.result import Result, Source
from xlmrxl.version import __version__

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

MOST_WORDS = 512
TEXTS_AT_ONCE = 64
"""How many texts `predict` is given at a time; between two times progress is told."""
WORDS_HINT = "Each word was left out in turn. Point at one to see how much lower the label is without it."


@dataclass(frozen=True)
class WordAttribution(Record):
    """What one word does for the score."""

    word: str
    start: int  # offsets in characters of the text
    end: int
    value: float  # how much lower the score is without the word


@dataclass(frozen=True)
class Attribution(Result):
    """A text, the score that is attributed, and what each word does for it."""

    text: str
    label: str | None  # whose score it is
    score: float  # of the whole text
    words: tuple[WordAttribution, ...]  # in the order of the text
    is_probability: bool = field(default=False, metadata=HIDDEN)  # whether values are differences of probabilities

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a word."""
        return to_rows(self.words)

    @property
    def strongest(self) -> float:
        """Return the largest absolute value."""
        return max(abs(word.value) for word in self.words)

    def __str__(self) -> str:
        """Show the words with bars: to the right what speaks for the label, to the left what speaks against it."""
        lines = [self._title()]
        for word in self.words:
            bar = "█" * round(8 * abs(word.value) / self.strongest) if self.strongest else ""
            sides = f"{bar:>8}│{'':8}" if word.value < 0 else f"{'':8}│{bar:<8}"
            lines.append(f"  {format_number(word.value):>10}  {sides}  {word.word}")
        return "\n".join(lines)

    def _title(self) -> str:
        return f"{'score' if self.label is None else self.label}: {format_number(self.score)}"

    def to_html(self, *, interactive: bool = True) -> str:
        """Return the text, each word coloured by what it does for the score."""
        parts, done = [], 0
        for word in self.words:
            parts += [escape(self.text[done : word.start]), self._render_word(word, interactive)]
            done = word.end
        parts.append(escape(self.text[done:]))
        strongest = sorted(self.words, key=lambda word: -abs(word.value))[:5]
        first = "; ".join(f"<bdi>{escape(word.word)}</bdi> {self._format(word.value)}" for word in strongest)
        label = "score" if self.label is None else f"<bdi>{escape(self.label)}</bdi>"
        score = format_percent(self.score) if self.is_probability else format_signed(self.score, 3)
        sides = (("x-against", -self.strongest, "speaks against"), ("x-for", self.strongest, "speaks for"))
        legend = "".join(
            f'<span><b class="{kind}" style="--x-share:1">{self._format(value)}</b> {said}</span>'
            for kind, value, said in sides
        )
        hint = render_hint(WORDS_HINT) if interactive else ""
        return render_result(
            render_section(
                "x-why",
                render_status(f"The strongest words: {first}")
                + render_heading(f"Which words made it <b>{label}</b>", escape(score)),
                f'<p class="x-sentence x-words" {text_attributes(self.text)} translate="no">{"".join(parts)}</p>'
                f'<p class="x-legend">{legend}</p>{hint}',
            ),
            self.text,
        )

    def _format(self, value: float) -> str:
        if self.is_probability:
            return f"{format_signed(100 * value, 1, plus=True)} points"
        return format_signed(value, 3, plus=True)

    def _render_word(self, word: WordAttribution, interactive: bool) -> str:
        share = abs(word.value) / self.strongest if self.strongest else 0.0
        side = "x-against" if word.value < 0 else "x-for"
        tip = tip_attribute(f"{word.word} {self._format(word.value)}", interactive)
        return f'<span class="{side}" style="--x-share:{share:.3f}" {tip}>{escape(word.word)}</span>'


def attribute(
    text: str,
    predict: Callable[[list[str]], Sequence[float]],
    *,
    loaded_model: LoadedModel | None = None,
    source: Source | None = None,
    label: str | None = None,
    is_probability: bool = False,
    special_tokens: bool = False,
    progress: Progress | bool = True,
) -> Attribution:
    """Attribute a score to words: leave out each in turn, with the space after it, and see how much lower it gets.

    Args:
        text: of 2 to 512 words.
        predict: gives the score that is attributed for each of several texts.
        loaded_model: whose tokens are the words where a script puts no spaces between them; without it, words are what
            stands between spaces.
        source: of the result whose score it is.
        label: whose score it is.
        is_probability: whether the score is a probability.
        special_tokens: whether "</s>" and the like in the text are special tokens, as `predict` has it.
        progress: called with how many texts are done and how many there are; True for a bar, False for none.

    Raises:
        TypeError: `text` is no string.
        InputError: it has fewer than 2 or more than 512 words, or `predict` does not give a number for each text.
    """
    if not isinstance(text, str):
        raise TypeError(f"A text is a string, not a {type(text).__name__}.")
    spans = _spans(text, loaded_model, special_tokens)
    if len(spans) > MOST_WORDS:
        raise InputError(f"The text has {len(spans)} words; at most {MOST_WORDS} can be left out in turn. Shorten it.")
    if len(spans) < 2:
        raise InputError("The text needs two words or more: without its only word nothing is left to compare with.")
    texts = [text, *(_without(text, spans, i) for i in range(len(spans)))]
    scores: list[float] = []
    with show_progress(progress, "Leaving out words", "text") as on_progress:
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            given = texts[start : start + TEXTS_AT_ONCE]
            scores += _checked(predict(given), len(given))
            on_progress(len(scores), len(texts))
    found = tuple(
        WordAttribution(text[start:end], start, end, scores[0] - score)
        for (start, end), score in zip(spans, scores[1:], strict=True)
    )
    if source is None:
        source = _source(loaded_model)
    return Attribution(source, text, label, scores[0], found, is_probability)


def attribute_label(
    loaded_model: LoadedModel, text: str, options: AttributeOptions, *, progress: Progress | bool = True
) -> Attribution:
    """Attribute the score of a label to the words of a text that `classify` reads.

    Args:
        loaded_model: as for `classify`.
        text: of 2 to 512 words.
        options: see `AttributeOptions`.
        progress: as for `attribute`.

    Raises:
        InputError: as `classify` and `attribute`, or there is no such label.
    """
    how = ClassifyOptions.from_arguments(vars(options))
    label = options.label or classify(loaded_model, [text], how, progress=False)[0].label
    kinds: set[str] = set()

    def predict(texts: list[str]) -> list[float]:
        found = classify(loaded_model, texts, how, progress=False)
        kinds.update(result.kind for result in found)
        scores = [{score.label: score.score for score in result.labels} for result in found]
        if label not in scores[0]:
            raise InputError(f"There is no label {label!r}, only {', '.join(scores[0])}.")
        return [score[label] for score in scores]

    found = attribute(
        text,
        predict,
        loaded_model=loaded_model,
        source=Source.from_model(loaded_model, options),
        label=label,
        special_tokens=options.special_tokens,
        progress=progress,
    )
    return replace(found, is_probability="regression" not in kinds)


def _spans(text: str, loaded_model: LoadedModel | None, special_tokens: bool) -> list[tuple[int, int]]:
    """Return where the words are: between spaces, and within those in scripts without spaces by their tokens."""
    chunks = [match.span() for match in re.finditer(r"\S+", text)]
    if loaded_model is None or not any(classify_character(character) == "own" for character in text):
        return chunks
    tokens = tokenize_within_limit(loaded_model, text, special_tokens)
    pieces: list[tuple[int, int]] = []
    for word in find_words(tokens):
        start, end = tokens[word[0]].start, tokens[word[-1]].end
        # A character may have become several tokens, and a lone space is no word.
        start = max(start, pieces[-1][1] if pieces else 0)
        if end > start and not text[start:end].isspace():
            pieces.append((start, end))
    spans = []
    for start, end in chunks:
        inside = [piece for piece in pieces if start <= piece[0] and piece[1] <= end]
        spaceless = any(classify_character(character) == "own" for character in text[start:end])
        spans += inside if spaceless and inside else [(start, end)]
    return spans


def _without(text: str, spans: list[tuple[int, int]], i: int) -> str:
    """Return the text without a word and what parts it from the next one (from the one before, if it is the last)."""
    start, end = spans[i]
    if i + 1 < len(spans):
        return text[:start] + text[spans[i + 1][0] :]
    return text[: spans[i - 1][1]] + text[end:]


def _checked(scores: Sequence[float], count: int) -> list[float]:
    numbers = [float(score) for score in scores]
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise InputError(f"predict must give a finite number for each of {count} texts, not {numbers}.")
    return numbers


def _source(loaded_model: LoadedModel | None) -> Source:
    return Source("unknown", None, "unknown", __version__) if loaded_model is None else Source.from_model(loaded_model)
