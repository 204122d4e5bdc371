"""The tokens of a text or of a pair, and the words that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlmrxl.tasks.masked_lm import Token, max_input_length, tokenize_within_limit
from xlmrxl.tasks.masked_lm import find_words as ranges
from xlmrxl.tokenization.tokenizer_json import SPACE

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel


@dataclass(frozen=True)
class Word:
    """A word of a text, or a special token."""

    text: str  # as it is written
    start: int  # offsets in characters of its own text
    end: int
    segment: int | None  # 0 or 1: which text it is in; None for <s> and </s>
    tokens: tuple[int, ...]  # its places among the tokens


def tokens_and_segments(
    session: LoadedModel, text: str, second: str | None
) -> tuple[tuple[Token, ...], tuple[int | None, ...]]:
    """The tokens of a text, or of a pair as `<s> text </s></s> second </s>`, and the text that each is in.

    Offsets are into the token's own text. Segments are 0 or 1, and None for special tokens but <mask>, which stands for
    a word of its text.

    Raises:
        TypeError: something other than a text.
        ValueError: a text without any token, or more tokens than the model reads.
    """
    tokens = _checked(session, text, "The text")
    border = len(tokens)
    if second is not None:
        tokens += [tokens[-1], *_checked(session, second, "The second text")[1:]]
        if len(tokens) > (most := max_input_length(session)):
            raise ValueError(f"The pair has {len(tokens)} tokens, but the model reads at most {most}. Shorten it.")
    segments = [int(place >= border) if _is_text(token, session) else None for place, token in enumerate(tokens)]
    return tuple(tokens), tuple(segments)


def _checked(session: LoadedModel, text: str, name: str) -> list[Token]:
    tokens = tokenize_within_limit(session, text, special_tokens=True)
    if not any(_is_text(token, session) for token in tokens):
        raise ValueError(f"{name} is empty, {text!r}: there is nothing to read.")
    return tokens


def _is_text(token: Token, session: LoadedModel) -> bool:
    """Whether a token is one of a text: a <mask>, or none of the special ones."""
    return not token.special or token.id == session.tokenizer.mask_token_id


def words_of(
    tokens: Sequence[Token], segments: Sequence[int | None], texts: tuple[str, str | None]
) -> tuple[Word, ...]:
    """The words that the tasks know (`tasks.masked.words`), parted only where Unicode parts words (UAX #29).

    In scripts without spaces a piece is a word. What Unicode keeps together is never torn apart: letters with their
    marks, emoji that make one, numbers such as 3.14. A space that is a piece of its own belongs to what follows it.
    """
    written = [text or "" for text in texts]
    borders = [_borders(text) for text in written]
    begins = {word.start for word in ranges(tokens)}
    groups: list[list[int]] = []
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else token
        if token.special or before.special:
            joined = False
        elif place not in begins or token.start < before.end:  # several tokens of one character overlap
            joined = True
        else:
            joined = before.piece == SPACE or token.start not in borders[segments[place] or 0]
        if joined:
            groups[-1].append(place)
        else:
            groups.append([place])
    found = []
    for group in groups:
        first, segment = tokens[group[0]], segments[group[0]]
        start, end = first.start, tokens[group[-1]].end
        text = first.piece if first.special else written[segment or 0][start:end] or first.piece
        found.append(Word(text, start, end, segment, tuple(group)))
    return tuple(found)


def _borders(text: str) -> set[int]:
    """Where Unicode lets a word begin: at the default word boundaries that are within no grapheme cluster."""
    import regex  # noqa: PLC0415 - the standard library does not know them

    words = {match.start() for match in regex.finditer(r"(?w)\b", text)}
    return words & {match.start() for match in regex.finditer(r"\X", text)}
