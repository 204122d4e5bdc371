"""The tokens of a text or of a pair, and the words that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xlmrxl.errors import InputError
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.tasks.masked_lm import Token, find_words, max_input_length, tokenize_within_limit
from xlmrxl.tokenization.tokenizer_json import SPACE


@dataclass(frozen=True)
class Word:
    """A word of a text, or a special token."""

    text: str  # as it is written
    start: int  # offsets in characters of its own text
    end: int
    segment: int | None  # 0 or 1: which text it is in; None for <s> and </s>
    tokens: tuple[int, ...]  # the positions of its tokens


def tokenize_segments(
    loaded_model: LoadedModel, text: str, text_pair: str | None
) -> tuple[tuple[Token, ...], tuple[int | None, ...]]:
    """Return the tokens of a text, or of a pair as `<s> text </s></s> text_pair </s>`, and which text each is in.

    Offsets are into the token's own text. Segments are 0 or 1, and None for special tokens but <mask>, which stands for
    a word of its text.

    Raises:
        TypeError: something other than a text.
        InputError: a text without any token, or more tokens than the model reads.
    """
    tokens = _tokenize(loaded_model, text, "The text")
    border = len(tokens)
    if text_pair is not None:
        tokens += [tokens[-1], *_tokenize(loaded_model, text_pair, "The second text")[1:]]
        if len(tokens) > (most := max_input_length(loaded_model)):
            raise InputError(f"The pair has {len(tokens)} tokens, but the model reads at most {most}. Shorten it.")
    segments = [int(i >= border) if _is_text(token, loaded_model) else None for i, token in enumerate(tokens)]
    return tuple(tokens), tuple(segments)


def _tokenize(loaded_model: LoadedModel, text: str, name: str) -> list[Token]:
    tokens = tokenize_within_limit(loaded_model, text, special_tokens=True)
    if not any(_is_text(token, loaded_model) for token in tokens):
        raise InputError(f"{name} is empty, {text!r}: there is nothing to read.")
    return tokens


def _is_text(token: Token, loaded_model: LoadedModel) -> bool:
    """Return whether a token is one of a text: a <mask>, or none of the special ones."""
    return not token.special or token.id == loaded_model.tokenizer.mask_token_id


def group_words(
    tokens: Sequence[Token], segments: Sequence[int | None], texts: tuple[str, str | None]
) -> tuple[Word, ...]:
    """Return the words of `tasks.masked_lm.find_words`, parted only where Unicode parts words (UAX #29).

    In scripts without spaces a piece is a word. What Unicode keeps together is never torn apart: letters with their
    marks, emoji that make one, numbers such as 3.14. A space that is a piece of its own belongs to what follows it.
    """
    written = [text or "" for text in texts]
    borders = [_find_boundaries(text) for text in written]
    begins = {word.start for word in find_words(tokens)}
    groups: list[list[int]] = []
    for position, token in enumerate(tokens):
        before = tokens[position - 1] if position else token
        if token.special or before.special:
            joined = False
        elif position not in begins or token.start < before.end:  # several tokens of one character overlap
            joined = True
        else:
            joined = before.piece == SPACE or token.start not in borders[segments[position] or 0]
        if joined:
            groups[-1].append(position)
        else:
            groups.append([position])
    found = []
    for group in groups:
        first, segment = tokens[group[0]], segments[group[0]]
        start, end = first.start, tokens[group[-1]].end
        text = first.piece if first.special else written[segment or 0][start:end] or first.piece
        found.append(Word(text, start, end, segment, tuple(group)))
    return tuple(found)


def _find_boundaries(text: str) -> set[int]:
    """Return where Unicode lets a word begin: at the default word boundaries that are within no grapheme cluster."""
    import regex  # noqa: PLC0415 - the standard library does not know them

    words = {match.start() for match in regex.finditer(r"(?w)\b", text)}
    return words & {match.start() for match in regex.finditer(r"\X", text)}
