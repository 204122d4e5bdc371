"""Given words at a mask: how probable each is, and which rank it has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.progress import Progress
from xlmrxl.tasks.fill_results import Fill, MaskFills
from xlmrxl.tasks.masked_lm import (
    MaskedInput,
    compute_entropy,
    compute_log_probabilities,
    convert_ids_to_subwords,
    max_input_length,
    spell_words,
)
from xlmrxl.tasks.masked_text import MaskedText
from xlmrxl.tokenization.tokenizer import AddedToken, XLMRobertaTokenizer
from xlmrxl.tokenization.tokenizer_json import SPACE

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

Ids = tuple[int, ...]


class _Step(NamedTuple):
    """What the words that begin with the same subwords, and are equally long, have next."""

    begin: Ids
    length: int  # of such a word, in subwords
    subwords: list[int]


class _Reading(NamedTuple):
    """What a distribution says of some subwords."""

    logs: dict[int, float]
    ranks: dict[int, int]  # in the whole vocabulary, from 1
    entropy: float


def score_targets(
    loaded_model: LoadedModel,
    texts: Sequence[MaskedText],
    words: Sequence[str],
    special_tokens: bool,
    progress: Progress,
) -> list[list[MaskFills]]:
    """Return what the given words have at each mask: log P of their subwords from the left, with a mask for each.

    Words that begin in the same way and are equally long share a forward; those of one subword share one at all masks.

    Args:
        loaded_model: with a masked language model.
        texts: whose masks are filled.
        words: different ones, without spaces around them.
        special_tokens: whether "</s>" and the like in a word are special tokens, with which it is refused.
        progress: is told how many forwards are done and how many there are.

    Raises:
        InputError: a word cannot be spelled, or a text gets too long with it.
    """
    tokenizer = loaded_model.tokenizer
    added = tuple(tokenizer.added_tokens_decoder.items())
    most = max_input_length(loaded_model)
    spelled: dict[str, tuple[Ids, ...]] = {}  # by what touches a mask on its left
    inputs: dict[tuple[int, Ids], dict[int, list[int]]] = {}  # by text and ids: at each position the subwords to read
    for number, text in enumerate(texts):
        for position in text.positions:
            before = text.left_context(position)
            if before not in spelled:
                spelled[before] = tuple(spell_words(tokenizer, before, words, special_tokens))
            longest = max(spelled[before], key=len)
            if len(text.ids) - 1 + len(longest) > most:
                word = words[spelled[before].index(longest)]
                raise InputError(f"With {word!r} the text is longer than the model reads. Shorten it.")
            for begin, count, subwords in _steps(spelled[before]):
                given = text.with_subwords(position, begin, count)
                inputs.setdefault((number, tuple(given.ids)), {})[given.positions[0]] = subwords
    wanted = [dict(sorted(positions.items())) for positions in inputs.values()]

    def read(i: int, logs: Tensor) -> dict[int, _Reading]:
        return {
            position: _read_subwords(line, subwords)
            for (position, subwords), line in zip(wanted[i].items(), logs, strict=True)
        }

    batch = [MaskedInput(list(ids), list(positions)) for (_, ids), positions in zip(inputs, wanted, strict=True)]
    found = dict(zip(inputs, compute_log_probabilities(loaded_model, batch, read, progress), strict=True))

    def reading_at(number: int, position: int, begin: Ids, count: int) -> _Reading:
        given = texts[number].with_subwords(position, begin, count)
        return found[number, tuple(given.ids)][given.positions[0]]

    def fill(number: int, position: int) -> MaskFills:
        before = texts[number].left_context(position)
        every = spelled[before]
        firsts = [ids[0] for ids in every]
        pieces = _join_pieces(tokenizer, added, before, every)
        alone = reading_at(number, position, (), 1) if any(len(ids) == 1 for ids in every) else None
        logs = [0.0] * len(every) if alone is None else [alone.logs.get(i, 0.0) for i in firsts]
        ranks: list[int | None] = [None] * len(every) if alone is None else [alone.ranks.get(i) for i in firsts]
        for n, ids in enumerate(every):
            if len(ids) > 1:
                steps = [reading_at(number, position, ids[:done], len(ids)).logs[i] for done, i in enumerate(ids)]
                logs[n], ranks[n] = math.fsum(steps), None
        exact = torch.tensor(logs, dtype=torch.float64)
        odds = exact - (-torch.expm1(exact)).log()  # infinite where nothing else is left
        fills = map(_to_fill, firsts, pieces, words, exact.exp().tolist(), every, ranks, odds.tolist())
        best_first = tuple(sorted(fills, key=attrgetter("probability"), reverse=True))
        return MaskFills(position, best_first, None if alone is None else alone.entropy)

    return [[fill(number, position) for position in text.positions] for number, text in enumerate(texts)]


def _steps(spelled: Sequence[Ids]) -> list[_Step]:
    """Return what has to be read at one mask; all words of one subword are one step."""
    single = [ids[0] for ids in spelled if len(ids) == 1]
    found: dict[tuple[Ids, int], list[int]] = {((), 1): single} if single else {}
    for ids in spelled:
        if len(ids) > 1:
            for done, subword in enumerate(ids):
                found.setdefault((ids[:done], len(ids)), []).append(subword)
    return [_Step(begin, count, subwords) for (begin, count), subwords in found.items()]


@lru_cache(maxsize=8)
def _join_pieces(
    tokenizer: XLMRobertaTokenizer,
    _added: tuple[tuple[int, AddedToken], ...],  # what the subwords depend on beside the tokenizer, and may change
    before: str,
    spelled: tuple[Ids, ...],
) -> list[str]:
    """Return the subwords of each of many words, one after the other; of the same words at many texts once."""
    firsts = convert_ids_to_subwords(tokenizer, before, [ids[0] for ids in spelled])
    return [
        first + "".join(tokenizer.convert_ids_to_tokens(list(ids[1:]))) if len(ids) > 1 else first
        for first, ids in zip(firsts, spelled, strict=True)
    ]


def _to_fill(i: int, piece: str, text: str, probability: float, ids: Ids, rank: int | None, log_odds: float) -> Fill:
    """Return a fill in half the time of its constructor, which sets its fields one by one: there may be thousands."""
    fill = object.__new__(Fill)
    vars(fill).update(
        id=i,
        piece=piece,
        text=text,
        begins_word=piece.startswith(SPACE),
        probability=probability,
        ids=ids,
        score=None,
        rank=rank,
        log_odds=log_odds,
    )
    return fill


def _read_subwords(logs: Tensor, subwords: list[int]) -> _Reading:
    """Return the log-probabilities of some subwords in a distribution (vocabulary,), and their ranks."""
    numbers = logs.cpu().numpy()
    values = numbers[subwords]
    ranks = len(numbers) + 1 - np.searchsorted(np.sort(numbers), values, side="right")
    return _Reading(
        dict(zip(subwords, values.tolist(), strict=True)),
        dict(zip(subwords, ranks.tolist(), strict=True)),
        float(compute_entropy(logs)),
    )
