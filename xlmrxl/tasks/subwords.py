"""Which pieces of a vocabulary may be offered as fills, which are parts of words, and how they can be shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.tasks.masked_lm import classify_character
from xlmrxl.tokenization.tokenizer import AddedToken, XLMRobertaTokenizer
from xlmrxl.tokenization.tokenizer_json import SPACE

if TYPE_CHECKING:
    from xlmrxl.tasks.masked_lm import Token

JOINER = "\u200d"
DOTTED_CIRCLE = "◌"
CONTINUED = "…"
"""Before letters that go on with what stands before them."""
JOINING = ((0x0600, 0x077F), (0x07C0, 0x07FF), (0x0840, 0x08FF), (0x1800, 0x18AF))
"""Arabic and its relatives, Syriac, N'Ko, Mandaic, Mongolian: letters change shape with their neighbours."""
NEVER_FIRST = "ะาำๅๆฯ々ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
"""Signs that no word of Thai or Japanese begins with, and which Unicode calls letters."""
NEVER_LAST = "เแโใไ"
"""Thai vowels that are written before the consonant they belong to."""


def to_readable(piece: str) -> str:
    """Return a piece without the space before it; a lone space is shown as such a mark, since it could not be seen."""
    return piece.replace(SPACE, " ").strip() or SPACE


def label_fill(text: str, begins_word: bool) -> str:
    """Return a fill as it is shown to people, so that "▁ear" and "ear", which read alike, are told apart.

    What is unusual is marked: letters that go on with what stands before them ("…ear"), and signs or characters of a
    script without spaces that a space parts from it ("▁."). The normalisation of the vocabulary turns "…" into three
    full stops, so that no piece begins with it; from right to left it stands on the right, where reading begins.
    """
    kind = classify_character(text[0])
    if kind in ("letter", "mark"):
        return text if begins_word else CONTINUED + (DOTTED_CIRCLE if kind == "mark" else "") + text
    return SPACE + text if begins_word and text != SPACE else text


def is_joined(tokens: Sequence[Token], position: int) -> bool:
    """Return whether a token goes on with the word of the one before it: none is special, no space stands between."""
    if position == 0 or tokens[position].special or tokens[position - 1].special:
        return False
    return not tokens[position].piece.startswith(SPACE)


def isolate_subword(tokens: Sequence[Token], position: int) -> str:
    """Return a token's piece as it can stand alone: letters keep the shape they have in the word, marks get a base."""
    token = tokens[position]
    if token.special:
        return token.piece
    text = token.piece.removeprefix(SPACE) or SPACE
    if unicodedata.category(text[0]).startswith("M"):
        text = DOTTED_CIRCLE + text
    if is_joined(tokens, position) and _joins(text[0]) and _joins(tokens[position - 1].piece[-1]):
        text = JOINER + text
    follows = position + 1 < len(tokens) and is_joined(tokens, position + 1)
    if follows and _joins(text[-1]) and _joins(tokens[position + 1].piece[0]):
        text += JOINER
    return text


def _joins(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in JOINING)


def find_excluded_subwords(tokenizer: XLMRobertaTokenizer, script: str | None, punctuation: bool, rows: int) -> Tensor:
    """Return (rows,) booleans: which subwords are never offered. Rows that no token stands for are among it."""
    return _find_excluded_subwords(tokenizer, tuple(tokenizer.added_tokens_decoder.items()), script, punctuation, rows)


@lru_cache(maxsize=8)
def _find_excluded_subwords(
    tokenizer: XLMRobertaTokenizer,
    _added: tuple[tuple[int, AddedToken], ...],  # what the rows depend on beside the tokenizer, and may change
    script: str | None,
    punctuation: bool,
    rows: int,
) -> Tensor:
    excluded = torch.ones(rows, dtype=torch.bool)
    excluded[tokenizer.token_ids] = False
    excluded[sorted(tokenizer.all_special_ids)] = True
    if script is None and punctuation:
        return excluded
    own = other = None
    if script is not None:
        import regex  # noqa: PLC0415 - the standard library does not know scripts

        try:
            own = regex.compile(rf"\p{{Script={script}}}")
            other = regex.compile(rf"[^\p{{Script={script}}}\p{{Common}}\p{{Inherited}}]")
        except regex.error:
            raise InputError(
                f"Unicode has no script {script!r}. Give its English name, such as Latin, Cyrillic, Arabic or Han."
            ) from None
    for i, piece in zip(tokenizer.token_ids, tokenizer.convert_ids_to_tokens(tokenizer.token_ids), strict=True):
        text = piece.replace(SPACE, "")
        if not punctuation and not any(character.isalnum() for character in text):
            excluded[i] = True
        if own is not None and other is not None and (not own.search(text) or other.search(text)):
            excluded[i] = True
    return excluded


@lru_cache(maxsize=4)
def find_word_subwords(tokenizer: XLMRobertaTokenizer, rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return which pieces are parts of words: of letters with a space before, without; of scripts without spaces.

    Tokens that were added to the vocabulary are words of their own, and no parts.
    """
    found = tuple(torch.zeros(rows, dtype=torch.bool) for _ in range(4))
    for i, piece in enumerate(tokenizer.convert_ids_to_tokens(list(range(tokenizer.vocab_size)))):
        text = piece.removeprefix(SPACE)
        kinds = {classify_character(character) for character in text} - {"mark"}
        if i in tokenizer.all_special_ids or not kinds:
            continue
        spaced = piece.startswith(SPACE)
        if kinds == {"letter"} and not (spaced and classify_character(text[0]) == "mark"):
            found[0 if spaced else 1][i] = True
        elif kinds == {"own"}:
            found[2][i] = True
            if not spaced:
                found[3][i] = True
    return found[0], found[1], found[2], found[3]
