"""Tagging: a label for each word of a text, and the stretches of words that belong together."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.model.heads import XLMRobertaXLForTokenClassification
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.head_logits import compute_head_logits
from xlmrxl.tasks.masked_lm import Token, find_words, max_input_length, tokenize
from xlmrxl.tasks.options import TagOptions
from xlmrxl.tasks.record import Record, to_rows
from xlmrxl.tasks.result import Result, Source, format_table
from xlmrxl.tasks.texts import check_texts
from xlmrxl.tasks.windows import measure_edge_distance, split_into_windows

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

OUTSIDE = "O"
_PREFIXED = re.compile(r"([BIES])-(.+)")


@dataclass(frozen=True)
class Span(Record):
    """A word, or several that belong together."""

    label: str
    score: float  # probability of the label; the mean of its words' where there are several
    start: int  # offsets in characters of the text
    end: int
    text: str


@dataclass(frozen=True)
class TagResult(Result):
    """A text with its words, labelled as the model does, and the spans that their labels make."""

    text: str
    spans: tuple[Span, ...]
    words: tuple[Span, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a span."""
        return to_rows(self.spans)

    def __str__(self) -> str:
        """Show the text, and its spans as a table."""
        return "\n".join(filter(None, [self.text, format_table(self.rows(), ["label", "score", "text"])]))


def tag(
    loaded_model: LoadedModel,
    texts: str | Sequence[str],
    options: TagOptions | None = None,
    *,
    progress: Progress | bool = True,
) -> list[TagResult]:
    """Label the words of some texts.

    A word has the label and the probability of its first subword, on which taggers are trained (Devlin et al. 2019,
    BERT). In scripts without spaces every subword is a word. Where all labels of the model but "O" begin with B-, I-,
    E- or S-, words are joined as these say: B- and S- begin a span, E- and S- end one, and an I- or E- that follows
    nothing of its kind begins one too. Otherwise neighbours with the same label make a span. "O" makes none.

    A text that is longer than the model reads is read in windows, each half a window after the one before, which begin
    and end between words (unless a word alone is longer than a window). A word that stands in several has its label
    from the one in which it is farthest from where the text is cut.

    Args:
        loaded_model: with a token-classification head.
        texts: of any language and length.
        options: see `TagOptions`; the defaults if not given.
        progress: called with the windows that are done and how many there are; True shows a bar once it takes longer
            than a second.

    Returns:
        A result for each text, in order.

    Raises:
        InputError: a text has half a character.
        TypeError: something other than a text.
        CheckpointError: the model has another head.
    """
    options = options or TagOptions()
    model = loaded_model.require(XLMRobertaXLForTokenClassification)
    encoded = []
    for number, text in enumerate(check_texts(texts), 1):
        try:
            encoded.append((text, tokenize(loaded_model.tokenizer, text, options.special_tokens)))
        except ValueError as error:
            raise InputError(f"Text {number}: {error}") from None
    windows = [_windows(loaded_model, tokens) for _, tokens in encoded]
    rows = [
        loaded_model.tokenizer.build_inputs_with_special_tokens([tokens[i + 1].id for i in window])
        for (_, tokens), ranges in zip(encoded, windows, strict=True)
        for window in ranges
    ]

    def head(ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        logits: Tensor = model(ids, attention_mask=attention_mask, return_dict=True).logits
        return logits

    with show_progress(progress, "Tagging", "window") as on_progress:
        found = iter(compute_head_logits(loaded_model, rows, head, on_progress))
    source = Source.from_model(loaded_model, options)
    names = model.config.id2label
    results = []
    for (text, tokens), ranges in zip(encoded, windows, strict=True):
        labelled = _words(text, tokens, [(window, next(found).softmax(-1)) for window in ranges], names)
        results.append(TagResult(source, text, join_spans(text, labelled, list(names.values())), labelled))
    return results


def _windows(loaded_model: LoadedModel, tokens: Sequence[Token]) -> list[range]:
    """Return the windows in which a text is read, in tokens without `<s>` and `</s>`."""
    count, width = len(tokens) - 2, max_input_length(loaded_model) - 2
    borders = {place - 1 for word in find_words(tokens) for place in (word.start, word.stop)}
    return split_into_windows(count, width, max(width // 2, 1), sorted(borders | {0, count}))


def _words(
    text: str, tokens: Sequence[Token], seen: Sequence[tuple[range, Tensor]], names: Mapping[int, str]
) -> tuple[Span, ...]:
    """Return the words with their labels.

    Args:
        text: what is tagged.
        tokens: of the text, `<s>` and `</s>` included.
        seen: the windows, in tokens without these, each with its probabilities (`<s>`, its tokens, …; labels).
        names: of the labels.
    """
    found = []
    starts = [window.start for window, _ in seen]
    for word in find_words(tokens):
        # A lone space before a word begins where the word does not.
        pieces = [token for token in (tokens[i] for i in word) if token.end > token.start]
        if pieces:
            inner = range(word.start - 1, word.stop - 1)
            begun = bisect_right(starts, inner.start)  # a token stands in six windows at most
            there = [pair for pair in seen[max(begun - 6, 0) : begun] if inner.start in pair[0]]
            window, probabilities = max(there, key=lambda pair: measure_edge_distance(pair[0], inner, len(tokens) - 2))
            label = probabilities[inner.start - window.start + 1]
            best = int(label.argmax())
            start, end = pieces[0].start, pieces[-1].end
            found.append(Span(names[best], float(label[best]), start, end, text[start:end]))
    return tuple(found)


def join_spans(text: str, labelled: Sequence[Span], labels: Sequence[str]) -> tuple[Span, ...]:
    """Return the spans that labelled words make.

    Args:
        text: what was tagged.
        labelled: its words.
        labels: all that the model knows, which tell whether they have prefixes.
    """
    prefixed = all(label == OUTSIDE or _PREFIXED.fullmatch(label) for label in labels)
    groups: list[tuple[str, list[Span]]] = []
    current: str | None = None  # the kind of the span that the next word may go on with
    for word in labelled:
        match = _PREFIXED.fullmatch(word.label) if prefixed else None
        prefix, kind = match.groups() if match else ("I", word.label)
        if word.label == OUTSIDE:
            current = None
            continue
        if kind == current and prefix in "IE":
            groups[-1][1].append(word)
        else:
            groups.append((kind, [word]))
        current = None if prefix in "ES" else kind
    return tuple(
        Span(kind, sum(w.score for w in group) / len(group), start, end, text[start:end])
        for kind, group in groups
        for start, end in [(group[0].start, group[-1].end)]
    )
