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

from xlmrxl.progress import Progress
from xlmrxl.tasks.fills import Fill, FillResult, MaskFills
from xlmrxl.tasks.masked_lm import Row, entropy_of, log_probabilities, pieces_at, room, spell_words
from xlmrxl.tokenization.tokenizer import AddedToken, XLMRobertaTokenizer

if TYPE_CHECKING:
    from xlmrxl.tasks.fill import Filler, Job

Ids = tuple[int, ...]


class _Step(NamedTuple):
    """What the words that begin with the same pieces, and are equally long, have next."""

    begin: Ids
    length: int  # of such a word, in pieces
    pieces: list[int]


class _Read(NamedTuple):
    """What a distribution says of some pieces."""

    logs: dict[int, float]
    ranks: dict[int, int]  # in the whole vocabulary, from 1
    entropy: float


def score_targets(filler: Filler, jobs: Sequence[Job], targets: Sequence[str], progress: Progress) -> list[FillResult]:
    """Return what the given words have at each mask: log P of their pieces from the left, with a mask for each piece.

    Words that begin in the same way and are equally long share a forward; those of one piece share one at all masks.

    Raises:
        ValueError: there is no word, one is empty, there twice or cannot be spelled, or the text gets too long with it.
    """
    words = [word.strip() for word in targets]
    if not words or not all(words):
        raise ValueError("targets must be words or phrases, one or more.")
    if len(set(words)) < len(words):
        raise ValueError("A target is there twice. Give each once.")
    tokenizer, added = filler.tokenizer, tuple(filler.tokenizer.added_tokens_decoder.items())
    spelled: dict[str, tuple[Ids, ...]] = {}  # by what touches a mask on its left
    rows: dict[tuple[int, Ids], dict[int, list[int]]] = {}  # by job and ids: at each place the pieces that are wanted
    for number, job in enumerate(jobs):
        for place in job.row.places:
            before = filler.before(job, place)
            if before not in spelled:
                spelled[before] = tuple(spell_words(tokenizer, before, words, filler.special_tokens))
            longest = max(spelled[before], key=len)
            if len(job.row.ids) - 1 + len(longest) > room(filler.session):
                word = words[spelled[before].index(longest)]
                raise ValueError(f"With {word!r} the text is longer than the model reads. Shorten it.")
            for begin, count, pieces in _steps(spelled[before]):
                row = filler.row_with(job, place, begin, count)
                rows.setdefault((number, tuple(row.ids)), {})[row.places[0]] = pieces
    wanted = [dict(sorted(places.items())) for places in rows.values()]

    def read(i: int, logs: Tensor) -> dict[int, _Read]:
        return {
            place: _read_pieces(line, pieces) for (place, pieces), line in zip(wanted[i].items(), logs, strict=True)
        }

    asked = [Row(list(ids), list(places)) for (_, ids), places in zip(rows, wanted, strict=True)]
    found = dict(zip(rows, log_probabilities(filler.session, asked, read, progress), strict=True))

    def look(number: int, place: int, begin: Ids, count: int) -> _Read:
        row = filler.row_with(jobs[number], place, begin, count)
        return found[number, tuple(row.ids)][row.places[0]]

    def fills_at(number: int, place: int) -> MaskFills:
        every = spelled[filler.before(jobs[number], place)]
        firsts = [ids[0] for ids in every]
        pieces = _join_pieces(tokenizer, added, filler.before(jobs[number], place), every)
        alone = look(number, place, (), 1) if any(len(ids) == 1 for ids in every) else None
        logs = [0.0] * len(every) if alone is None else [alone.logs.get(i, 0.0) for i in firsts]
        ranks: list[int | None] = [None] * len(every) if alone is None else [alone.ranks.get(i) for i in firsts]
        for n, ids in enumerate(every):
            if len(ids) > 1:
                steps = [look(number, place, ids[:done], len(ids)).logs[piece] for done, piece in enumerate(ids)]
                logs[n], ranks[n] = math.fsum(steps), None
        exact = torch.tensor(logs, dtype=torch.float64)
        odds = exact - (-torch.expm1(exact)).log()  # infinite where nothing else is left
        fills = map(_target_fill, firsts, pieces, words, exact.exp().tolist(), every, ranks, odds.tolist())
        best_first = tuple(sorted(fills, key=attrgetter("probability"), reverse=True))
        return MaskFills(place, best_first, None if alone is None else alone.entropy)

    return [
        filler.result(job, [fills_at(number, place) for place in job.row.places]) for number, job in enumerate(jobs)
    ]


def _steps(spelled: Sequence[Ids]) -> list[_Step]:
    """Return what has to be read at one mask; all words of one piece are one step."""
    single = [ids[0] for ids in spelled if len(ids) == 1]
    found: dict[tuple[Ids, int], list[int]] = {((), 1): single} if single else {}
    for ids in spelled:
        if len(ids) > 1:
            for done, piece in enumerate(ids):
                found.setdefault((ids[:done], len(ids)), []).append(piece)
    return [_Step(begin, count, pieces) for (begin, count), pieces in found.items()]


@lru_cache(maxsize=8)
def _join_pieces(
    tokenizer: XLMRobertaTokenizer,
    _added: tuple[tuple[int, AddedToken], ...],  # what the pieces depend on beside the tokenizer, and may change
    before: str,
    spelled: tuple[Ids, ...],
) -> list[str]:
    """Return the pieces of each of many words, one after the other; of the same words at many texts once."""
    firsts = pieces_at(tokenizer, before, [ids[0] for ids in spelled])
    return [
        first + "".join(tokenizer.convert_ids_to_tokens(list(ids[1:]))) if len(ids) > 1 else first
        for first, ids in zip(firsts, spelled, strict=True)
    ]


def _target_fill(
    i: int, piece: str, text: str, probability: float, ids: Ids, rank: int | None, log_odds: float
) -> Fill:
    """Return a fill in half the time of its constructor, which sets its fields one by one: there may be thousands."""
    fill = object.__new__(Fill)
    vars(fill).update(
        id=i, piece=piece, text=text, probability=probability, ids=ids, score=None, rank=rank, log_odds=log_odds
    )
    return fill


def _read_pieces(logs: Tensor, pieces: list[int]) -> _Read:
    numbers = logs.cpu().numpy()
    values = numbers[pieces]
    ranks = len(numbers) + 1 - np.searchsorted(np.sort(numbers), values, side="right")
    return _Read(
        dict(zip(pieces, values.tolist(), strict=True)),
        dict(zip(pieces, ranks.tolist(), strict=True)),
        float(entropy_of(logs)),
    )
