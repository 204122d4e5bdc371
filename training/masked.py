"""How well masks are filled on held-out text: top-1, top-5 and perplexity, by language and source.

Lines are taken evenly spaced from each source, 15 % of the tokens of each are hidden (at least one) by a fixed seed,
and the text is gone through once. The baselines (`training.baselines`) fill the very same masks. Figures of two
vocabularies do not compare: a smaller one cuts text into easier pieces. The same lines run together, as long as the
model reads, show what it makes of long texts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.baselines import Gap, NGrams, count_language, find_gaps
from training.corpus import BOS, EOS, PAD, EncodedCorpus
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM

SEED = 0
MASKED = 0.15
LONGEST = 128  # tokens
BATCH = 32
PAD_LABEL = -100
PLACES = (64, 128, 256)  # where the places in long rows are divided

Fills = tuple[NDArray[np.int64], NDArray[np.float64]]  # the rank and the loss of every hidden token


class SubwordEncoder:
    """Text to rows of ids as the model reads them."""

    def __init__(self, vocabulary: Path, longest: int = LONGEST) -> None:
        """Read a SentencePiece model; rows are cut to `longest` tokens."""
        self.longest = longest
        self._model = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))

    @classmethod
    def for_model(cls, model: XLMRobertaXLForMaskedLM, vocabulary: Path) -> SubwordEncoder:
        """Return an encoder whose rows are no longer than the model reads."""
        return cls(vocabulary, min(LONGEST, model.config.longest_input))

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text, nothing around them, not cut."""
        return [[piece + 1 for piece in row] for row in self._model.encode(texts)]

    def add_special_tokens(self, ids: list[int]) -> list[int]:
        """Return `<s> … </s>`, cut to the longest."""
        return [BOS, *ids[: self.longest - 2], EOS]

    def encode_rows(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text with special tokens, cut to the longest."""
        return [self.add_special_tokens(ids) for ids in self.encode(texts)]


@dataclass(frozen=True)
class Score:
    """What was measured on some masks, or the mean of several such."""

    masks: int
    top1: float
    top5: float
    loss: float  # mean negative log-likelihood of the hidden token, in nats

    @property
    def perplexity(self) -> float:
        """Return the exponential of the mean loss."""
        return float(np.exp(self.loss))

    @classmethod
    def from_ranks(cls, ranks: NDArray[np.int64], losses: NDArray[np.float64]) -> Score:
        """Summarise some masks.

        Args:
            ranks: how many tokens are likelier than the true one.
            losses: the negative log-likelihood of the true one, in nats.
        """
        return cls(len(ranks), float((ranks < 1).mean()), float((ranks < 5).mean()), float(losses.mean()))

    @classmethod
    def mean(cls, scores: list[Score]) -> Score:
        """Return the mean of scores, each weighted alike."""
        figures = (float(np.mean([getattr(score, name) for score in scores])) for name in ("top1", "top5", "loss"))
        return cls(sum(score.masks for score in scores), *figures)


@dataclass(frozen=True)
class Compared:
    """The model beside the baselines on the same masks; these are None where a language has no training text."""

    model: Score
    frequent: Score | None = None
    ngrams: Score | None = None


@dataclass(frozen=True)
class MaskedFigures:
    """How well masks are filled, by language, source and place."""

    lines: int  # a language; 0 for all
    languages: dict[str, Compared]
    sources: dict[str, Compared]  # over all languages of a source, masks weighted alike
    places: dict[str, Score]  # the model, by place in rows of lines run together, of the longest that it reads

    @property
    def mean(self) -> Score:
        """Return the mean over languages weighted alike."""
        return Score.mean([language.model for language in self.languages.values()])

    def baseline(self, name: str) -> Score | None:
        """Return the same mean of `frequent` or `ngrams`, or None where neither was counted."""
        scores = [score for language in self.languages.values() if (score := getattr(language, name)) is not None]
        return Score.mean(scores) if scores else None


def sample_lines(heldout: Path, lines: int) -> dict[str, list[tuple[str, str]]]:
    """Return up to `lines` (source, line) a language, 0 for all, evenly spaced from each of its sources.

    Raises:
        FileNotFoundError: the folder holds no `<source>/<language>.txt`.
    """
    files: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
    for path in sorted(heldout.glob("*/*.txt")):
        if rows := [row for line in path.read_text(encoding="utf-8").splitlines() if (row := line.strip())]:
            files[path.stem].append((path.parent.name, rows))
    if not files:
        raise FileNotFoundError(f"{heldout} holds no <source>/<language>.txt.")
    out = {}
    for language, sources in sorted(files.items()):
        share = -(-lines // len(sources)) if lines else 10**9
        out[language] = [
            (source, row) for source, rows in sources for row in rows[:: max(1, len(rows) // share)][:share]
        ]
    return out


def mask_rows(rows: list[list[int]], mask_id: int, seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Return each row with some tokens masked, and the labels, PAD_LABEL elsewhere."""
    rng = np.random.default_rng(seed)
    inputs, labels = [], []
    for row in rows:
        count = max(1, round(MASKED * (len(row) - 2)))
        places = set((1 + rng.permutation(len(row) - 2)[:count]).tolist())
        inputs.append([mask_id if i in places else token for i, token in enumerate(row)])
        labels.append([token if i in places else PAD_LABEL for i, token in enumerate(row)])
    return inputs, labels


def pad_rows(rows: list[list[int]], value: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Fill rows up to the longest with a value; return them and a mask that is 1 where a row has its own tokens."""
    width = max(map(len, rows))
    filled = torch.tensor([row + [value] * (width - len(row)) for row in rows], device=device)
    lengths = torch.tensor(list(map(len, rows)), device=device)
    return filled, (torch.arange(width, device=device) < lengths[:, None]).long()


@torch.inference_mode()
def fill_masks(model: XLMRobertaXLForMaskedLM, inputs: list[list[int]], labels: list[list[int]]) -> Fills:
    """Return the rank and the loss of every hidden token, in the order of the rows."""
    found: dict[int, tuple[Tensor, Tensor]] = {}
    order = sorted(range(len(inputs)), key=lambda index: len(inputs[index]))
    for at in range(0, len(order), BATCH):
        chosen = order[at : at + BATCH]
        ids, attention_mask = pad_rows([inputs[index] for index in chosen], PAD, model.device)
        wanted, _ = pad_rows([labels[index] for index in chosen], PAD_LABEL, model.device)
        hidden = wanted != PAD_LABEL
        logits = model(ids, attention_mask=attention_mask, logits_mask=hidden).logits.float()
        truth = wanted[hidden]
        losses = functional.cross_entropy(logits, truth, reduction="none").double().cpu()
        ranks = (logits > logits.gather(1, truth[:, None])).sum(1).cpu()
        counts = hidden.sum(1).tolist()
        found |= dict(zip(chosen, zip(ranks.split(counts), losses.split(counts), strict=True), strict=True))
    ranks_, losses_ = zip(*(found[index] for index in range(len(inputs))), strict=True)
    return torch.cat(ranks_).numpy(), torch.cat(losses_).numpy()


def evaluate_masked(
    model: XLMRobertaXLForMaskedLM, vocabulary: Path, heldout: Path, lines: int, text: EncodedCorpus | None = None
) -> MaskedFigures:
    """Evaluate the model on every held-out language, beside the baselines if the training text is given."""
    pieces = SubwordEncoder.for_model(model, vocabulary)
    mask_id = model.config.vocab_size - 1
    languages: dict[str, Compared] = {}
    found: list[tuple[NDArray[np.str_], dict[str, Fills]]] = []  # of each language: whence each mask is, who fills it
    for language, sampled in sample_lines(heldout, lines).items():
        rows = [
            (source, row)
            for source, row in zip([s for s, _ in sampled], pieces.encode_rows([t for _, t in sampled]), strict=True)
            if len(row) > 2
        ]
        inputs, labels = mask_rows([row for _, row in rows], mask_id, SEED)
        fills = {"model": fill_masks(model, inputs, labels)}
        if text is not None and any(part.language == language for part in text.parts):
            counted = count_language(text, language, model.config.vocab_size, SEED)
            fills["frequent"], fills["ngrams"] = fill_with_baselines(counted, find_gaps(inputs, labels, mask_id))
        languages[language] = Compared(**{name: Score.from_ranks(*values) for name, values in fills.items()})
        hidden = [source for (source, _), row in zip(rows, labels, strict=True) for label in row if label != PAD_LABEL]
        found.append((np.array(hidden), fills))
    names = np.unique(np.concatenate([hidden for hidden, _ in found])).tolist()
    sources = {name: score_source(name, found) for name in names}
    return MaskedFigures(lines, languages, sources, score_by_place(model, vocabulary, heldout, lines))


def score_source(source: str, found: list[tuple[NDArray[np.str_], dict[str, Fills]]]) -> Compared:
    """Score the masks of one source, by those that filled all of them."""
    mine = [(hidden == source, fills) for hidden, fills in found if source in hidden]
    scores = {}
    for name in set.intersection(*(set(fills) for _, fills in mine)):
        ranks, losses = (np.concatenate([fills[name][part][chosen] for chosen, fills in mine]) for part in (0, 1))
        scores[name] = Score.from_ranks(ranks, losses)
    return Compared(**scores)


def score_by_place(model: XLMRobertaXLForMaskedLM, vocabulary: Path, heldout: Path, lines: int) -> dict[str, Score]:
    """Score by place in rows as long as the model reads, of each language's lines run together.

    A language with too little text for a row is left out. Ends of lines may be hidden, but are not asked for.
    """
    longest = model.config.longest_input
    pieces, room = SubwordEncoder(vocabulary, longest), longest - 2
    rows = []
    for sampled in sample_lines(heldout, lines).values():
        ids = [token for line in pieces.encode([text for _, text in sampled]) for token in (*line, EOS)]
        rows += [pieces.add_special_tokens(ids[at : at + room]) for at in range(0, len(ids) - room + 1, room)]
    if not rows:
        return {}
    inputs, hidden = mask_rows(rows, model.config.vocab_size - 1, SEED)
    labels = [[PAD_LABEL if label == EOS else label for label in row] for row in hidden]
    ranks, losses = fill_masks(model, inputs, labels)
    places = np.nonzero(np.array(labels) != PAD_LABEL)[1]
    ends = [0, *(end for end in PLACES if end < room), room]
    bands = {f"{first + 1}–{last}": (first < places) & (places <= last) for first, last in pairwise(ends)}
    return {name: Score.from_ranks(ranks[band], losses[band]) for name, band in bands.items() if band.any()}


def fill_with_baselines(model: NGrams, hidden: list[Gap]) -> list[Fills]:
    """Fill the same masks with the language's most frequent tokens, and with its n-grams."""
    ranks = np.empty((2, len(hidden)), dtype=np.int64)
    losses = np.empty((2, len(hidden)))
    for number, gap in enumerate(hidden):
        for kind, distribution in enumerate((model.unigram, model.fill(gap))):
            ranks[kind, number] = (distribution > distribution[gap.truth]).sum()
            losses[kind, number] = -np.log(distribution[gap.truth])
    return list(zip(ranks, losses, strict=True))
