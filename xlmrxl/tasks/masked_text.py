"""A text with masks, and which fills may be offered at them: what all methods of filling share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.tasks.masked_lm import (
    MaskedInput,
    Token,
    find_left_context,
    find_words,
    tokenize_within_limit,
)
from xlmrxl.tasks.subwords import find_excluded_subwords
from xlmrxl.tokenization.tokenizer_json import MASK_TOKEN, SPACE

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

NO_MASK = (
    "There is no <mask> in the text. Write <mask> where a word is missing, as in 'The capital of France is <mask>.'"
)


@dataclass(frozen=True)
class MaskedText:
    """A text with masks, as the model reads it."""

    text: str
    tokens: tuple[Token, ...]
    ids: tuple[int, ...]  # of the tokens
    positions: tuple[int, ...]  # of the masks among the tokens

    def left_context(self, position: int) -> str:
        """Return what touches a mask on its left, "" after a space."""
        # A mask takes the space before it.
        return find_left_context(self.text, self.tokens[position].end - len(MASK_TOKEN))

    def to_input(self) -> MaskedInput:
        """Return the text for the model, which is asked at all masks."""
        return MaskedInput(list(self.ids), list(self.positions))

    def with_subwords(self, position: int, subwords: Sequence[int], count: int) -> MaskedInput:
        """Return the text with one mask replaced by a word of which the first subwords are known.

        Args:
            position: of the mask.
            subwords: ids of the first subwords of the word.
            count: of the subwords of the word; those that are not known are masks, and the model is asked at the first.
        """
        masks = [self.ids[position]] * (count - len(subwords))
        ids = [*self.ids[:position], *subwords, *masks, *self.ids[position + 1 :]]
        return MaskedInput(ids, [position + len(subwords)])


def read_masked_text(loaded_model: LoadedModel, text: str, special_tokens: bool = False) -> MaskedText:
    """Return a text with its tokens and its masks.

    Args:
        loaded_model: whose tokenizer reads it.
        text: with one `<mask>` or more.
        special_tokens: see `masked_lm.split_subwords`.

    Raises:
        InputError: it has no mask, or more tokens than the model reads.
        TypeError: it is not a text.
    """
    tokens = tuple(tokenize_within_limit(loaded_model, text, special_tokens))
    ids = tuple(token.id for token in tokens)
    positions = tuple(i for i, id_ in enumerate(ids) if id_ == loaded_model.tokenizer.mask_token_id)
    if not positions:
        raise InputError(NO_MASK)
    return MaskedText(text, tokens, ids, positions)


class FillFilter:
    """Which subwords may be offered at a mask.

    Args:
        loaded_model: with a masked language model.
        script: only what is written in this script, by its name in Unicode.
        punctuation: whether signs are offered.
        repeats: whether words are offered that the text has already.

    Raises:
        InputError: Unicode has no such script.
    """

    def __init__(self, loaded_model: LoadedModel, script: str | None, punctuation: bool, repeats: bool) -> None:
        """Find the subwords that are never offered, once for all texts."""
        self.tokenizer, self.repeats = loaded_model.tokenizer, repeats
        vocab_size = loaded_model.model.config.vocab_size
        excluded = find_excluded_subwords(self.tokenizer, script, punctuation, vocab_size)
        self.excluded = excluded.to(loaded_model.device)

    def apply(self, text: MaskedText, logs: Tensor) -> Tensor:
        """Return log-probabilities (…, vocabulary) with -inf at what is not to be offered."""
        logs = logs.masked_fill(self.excluded, -math.inf)
        if not self.repeats:
            logs[..., self._find_repeated(text)] = -math.inf
        return logs

    def _find_repeated(self, text: MaskedText) -> list[int]:
        tokens = text.tokens
        present = {text.text[tokens[word[0]].start : tokens[word[-1]].end].casefold() for word in find_words(tokens)}
        forms = {form for word in present for form in (word, word.capitalize(), word.upper())}
        found = {self.tokenizer.convert_tokens_to_ids(mark + form) for form in forms for mark in (SPACE, "")}
        return sorted(found | {token.id for token in tokens if not token.special})
