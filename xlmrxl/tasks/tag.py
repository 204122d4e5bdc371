"""Tagging: a label for each word of a text, and the stretches of words that belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from xlmrxl.heads import XLMRobertaXLForTokenClassification
from xlmrxl.progress import Progress, shown
from xlmrxl.tasks.features import checked_texts
from xlmrxl.tasks.masked import Token, tokens_of, words
from xlmrxl.tasks.result import Result, Source, table_text
from xlmrxl.tasks.rows import head_logits

if TYPE_CHECKING:
    from xlmrxl.session import Session

OUTSIDE = "O"
_PREFIXED = re.compile(r"([BIES])-(.+)")


@dataclass(frozen=True)
class Span:
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
    words: tuple[Span, ...]
    spans: tuple[Span, ...]

    def content(self) -> dict[str, Any]:
        """`{"text": …, "spans": [{"label": …, "score": …, "start": …, "end": …, "text": …}, …], "words": …}`."""
        return {"text": self.text, "spans": _plain(self.spans), "words": _plain(self.words)}

    def rows(self) -> list[dict[str, Any]]:
        """A row a span."""
        return _plain(self.spans)

    def __str__(self) -> str:
        return "\n".join(filter(None, [self.text, table_text(self.rows(), ["label", "score", "text"])]))


def _plain(spans: Sequence[Span]) -> list[dict[str, Any]]:
    return [
        {"label": span.label, "score": span.score, "start": span.start, "end": span.end, "text": span.text}
        for span in spans
    ]


def tag(session: Session, texts: Sequence[str], *, progress: Progress | bool = True) -> list[TagResult]:
    """Label the words of some texts.

    A word has the label and the probability of its first piece, on which taggers are trained (Devlin et al. 2019,
    BERT). In scripts without spaces every piece is a word. Where all labels of the model but "O" begin with B-, I-,
    E- or S-, words are joined as these say: B- and S- begin a span, E- and S- end one, and an I- or E- that follows
    nothing of its kind begins one too. Otherwise neighbours with the same label make a span. "O" makes none.

    Args:
        session: with a token-classification head.
        texts: of any language.
        progress: called with the texts that are done and how many there are; True shows a bar once it takes longer
            than a second.

    Returns:
        A result for each text, in order.

    Raises:
        ValueError: a text has more tokens than the model reads.
        TypeError: something other than a text.
        CheckpointError: the model has another head.
    """
    model = session.require(XLMRobertaXLForTokenClassification)
    encoded = []
    for number, text in enumerate(checked_texts(texts, "texts"), 1):
        try:
            encoded.append(tokens_of(session, text))
        except ValueError as error:
            raise ValueError(f"Text {number}: {error}") from None

    def head(ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        logits: Tensor = model(ids, attention_mask=attention_mask, return_dict=True).logits
        return logits

    with shown(progress, "Tagging", "text") as told:
        found = head_logits(session, [[token.id for token in tokens] for tokens in encoded], head, told)
    source = Source.of(session)
    names = model.config.id2label
    results = []
    for text, tokens, logits in zip(texts, encoded, found, strict=True):
        labelled = _words(text, tokens, logits.softmax(-1), names)
        results.append(TagResult(source, text, labelled, spans_of(text, labelled, list(names.values()))))
    return results


def _words(text: str, tokens: Sequence[Token], probabilities: Tensor, names: Mapping[int, str]) -> tuple[Span, ...]:
    """The words with their labels; probabilities are (sequence, labels)."""
    found = []
    for word in words(tokens):
        # A lone space before a word begins where the word does not.
        pieces = [token for token in (tokens[i] for i in word) if token.end > token.start]
        if pieces:
            best = int(probabilities[word.start].argmax())
            start, end = pieces[0].start, pieces[-1].end
            score = float(probabilities[word.start, best])
            found.append(Span(names[best], score, start, end, text[start:end]))
    return tuple(found)


def spans_of(text: str, labelled: Sequence[Span], labels: Sequence[str]) -> tuple[Span, ...]:
    """Labelled words joined; `labels` are all that the model knows, and tell whether they have prefixes."""
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
