"""Whole words at a mask: found subword by subword, and compared across lengths by how well they fit beside others."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.progress import Progress
from xlmrxl.tasks.fill_results import Fill, MaskFills
from xlmrxl.tasks.masked_lm import (
    classify_character,
    compute_entropy,
    compute_log_probabilities,
    compute_pseudo_log_likelihoods,
    convert_ids_to_subwords,
    max_input_length,
    spell_word,
    tokenize_within_limit,
)
from xlmrxl.tasks.masked_text import FillFilter, MaskedText
from xlmrxl.tasks.options import FillOptions
from xlmrxl.tasks.subwords import NEVER_FIRST, NEVER_LAST, find_word_subwords, to_readable
from xlmrxl.tokenization.tokenizer_json import MASK_TOKEN, SPACE

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

TOUCHING = (
    "A whole word stands between spaces or signs, but a <mask> touches {!r}. Put a space there, or fill with subwords "
    "(method='subwords')."
)
NEIGHBOURS = 16
"""Tokens on either side of a word that count when words of different lengths are compared."""

Found = dict[str, list[tuple[float, tuple[int, ...]]]]
"""From each word to the ways to spell it, as log-probability and ids."""


def find_word_fills(
    loaded_model: LoadedModel, text: MaskedText, fill_filter: FillFilter, options: FillOptions, progress: Progress
) -> list[MaskFills]:
    """Return the likeliest whole words at each mask of a text, the other masks left open.

    Raises:
        InputError: a letter touches a mask, so that no whole word can stand there.
    """
    search = _WordSearch(loaded_model, text, fill_filter, options, progress)
    return [search.run(position) for position in text.positions]


class _WordSearch:
    """The search for words at the masks of one text."""

    def __init__(
        self,
        loaded_model: LoadedModel,
        text: MaskedText,
        fill_filter: FillFilter,
        options: FillOptions,
        progress: Progress,
    ) -> None:
        self.loaded_model, self.tokenizer = loaded_model, loaded_model.tokenizer
        self.text, self.filter, self.options, self.progress = text, fill_filter, options, progress
        self.most = min(options.max_subwords, max_input_length(loaded_model) - len(text.ids) + 1)

    def run(self, position: int) -> MaskFills:
        """Return the words at one mask."""
        most, width = self.most, 2 * self.options.top_k + 6
        first, inside = self._edges(position)
        entropy: float | None = None
        # By length and kind of letters: the ways to begin, (log-probability, ids).
        open_: list[tuple[int, float, tuple[int, ...]]] = [(count, 0.0, ()) for count in range(1, most + 1)]
        found: Found = {}
        for done in range(most):
            inputs = [self.text.with_subwords(position, ids, count) for count, _, ids in open_]

            def read(i: int, logs: Tensor, ways: list[tuple[int, float, tuple[int, ...]]] = open_) -> _Best:
                ids = ways[i][2]
                possible = inside[self._kind(ids[0])] if ids else first
                allowed = self.filter.apply(self.text, logs)[0].masked_fill(~possible, -math.inf)
                values, indices = allowed.topk(min(width, len(allowed)))
                return values.tolist(), indices.tolist(), None if ids else float(compute_entropy(logs))

            best = compute_log_probabilities(self.loaded_model, inputs, read, self.progress)
            grown: list[tuple[int, float, tuple[int, ...]]] = []
            for (count, log, ids), (values, indices, uncertainty) in zip(open_, best, strict=True):
                if done == 0 and count == 1:
                    entropy = uncertainty
                grown += [
                    (count, log + value, (*ids, i))
                    for value, i in zip(values, indices, strict=True)
                    if value > -math.inf
                ]
            open_ = []
            for count in range(done + 1, most + 1):
                ways = sorted((way for way in grown if way[0] == count), key=lambda way: -way[1])[:width]
                if count == done + 1:
                    for _, log, ids in ways:
                        if (word := self._to_word(position, ids)) is not None:
                            found.setdefault(word, []).append((log, ids))
                else:
                    open_ += ways
            if not open_:
                break
        return MaskFills(position, self._rank(position, found), entropy)

    def _kind(self, i: int) -> str:
        subword = self.tokenizer.convert_ids_to_tokens(i).removeprefix(SPACE)
        return next((kind for kind in map(classify_character, subword) if kind != "mark"), "mark")

    def _edges(self, position: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return which subwords can begin a word here, and which can go on, by the kind of its letters."""
        there = find_word_subwords(self.tokenizer, self.loaded_model.model.config.vocab_size)
        begins, goes, own_begins, own = (subwords.to(self.loaded_model.device) for subwords in there)
        before = self.text.left_context(position)
        if not before:
            first = begins | own_begins
        elif classify_character(before[-1]) == "letter":
            raise InputError(TOUCHING.format(before[-1]))
        else:
            first = begins | goes | own_begins | own
        token = self.text.tokens[position]
        after = self.text.text[token.end : token.end + 1]
        if after and classify_character(after) in ("letter", "mark"):
            raise InputError(TOUCHING.format(after))
        return first, {"letter": goes, "own": own, "mark": goes | own}

    def _to_word(self, position: int, ids: tuple[int, ...]) -> str | None:
        """Return the word that subwords make; None if it is none, mixes scripts, or would be spelled otherwise."""
        word = to_readable("".join(self.tokenizer.convert_ids_to_tokens(list(ids))))
        kind = classify_character(word[0])
        if word == SPACE or word[0] in NEVER_FIRST or word[-1] in NEVER_LAST or kind == "mark":
            return None
        scripts = {unicodedata.name(c, "").partition(" ")[0] for c in word if c.isalpha()}
        if len(scripts) > 1 and kind == "letter":
            return None
        if len(ids) > 1 and kind == "letter" and not self._is_spelling(position, word, ids):
            return None
        if not self.options.repeats and word.casefold() in self.text.text.casefold():
            return None
        return word

    def _is_spelling(self, position: int, word: str, ids: tuple[int, ...]) -> bool:
        """Return whether subwords are those that the tokenizer makes of a word."""
        before = self.text.left_context(position)
        try:
            return spell_word(self.tokenizer, before, word, self.options.special_tokens) == ids
        except ValueError:
            return False

    def _rank(self, position: int, found: Found) -> tuple[Fill, ...]:
        """Return the likeliest words of all lengths, in the order of the pseudo-log-likelihood near them."""
        text, token = self.text.text, self.text.tokens[position]
        top_k, special_tokens = self.options.top_k, self.options.special_tokens
        likely = sorted(found.items(), key=lambda pair: -max(log for log, _ in pair[1]))[: 2 * top_k]
        filled, near = [], []
        for word, _ in likely:
            start = token.end - len(MASK_TOKEN)
            filling = text[:start] + word + text[token.end :]
            tokens = tokenize_within_limit(self.loaded_model, filling, special_tokens)
            inside = [i for i, t in enumerate(tokens) if t.end > start and t.start < start + len(word)]
            window = range(max(0, inside[0] - NEIGHBOURS), min(len(tokens), inside[-1] + 1 + NEIGHBOURS))
            filled.append(tokens)
            near.append([i for i in window if not tokens[i].special])
        scores = compute_pseudo_log_likelihoods(self.loaded_model, filled, near, progress=self.progress)
        before = self.text.left_context(position)
        fills = []
        for (word, ways), score in zip(likely, scores, strict=True):
            _, ids = max(ways)
            probability = math.fsum(math.exp(log) for log, other in ways if len(other) == len(ids))
            piece = "".join(convert_ids_to_subwords(self.tokenizer, before, ids))
            fills.append(Fill(ids[0], piece, word, probability, ids, math.fsum(score)))
        return tuple(sorted(fills, key=lambda fill: -(fill.score or 0))[:top_k])


_Best = tuple[list[float], list[int], float | None]
"""Log-probabilities and ids of the likeliest subwords; the entropy where nothing is filled yet."""
