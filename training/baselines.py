"""What can be had without a neural network: the most frequent tokens, and n-grams of both sides.

Both are counted, language by language, on the very text that the model was trained on, in its own vocabulary, and
fill the very masks that it is asked to fill.

The n-gram model smooths each side's chain by Witten and Bell (1991): a trigram falls back on the bigram next to the
mask and that on the language's unigrams. The two sides are joined as if independent given the token,
P(x | left) P(x | right) / P(x), mixed linearly with either side alone (weights by expectation maximisation on lines
kept out of the counts), and on top of that stand the counts of the token between its two very neighbours, smoothed
towards the mixture in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpus import BOS, EOS, EncodedCorpus

KEPT_OUT = 40  # every so many lines one is kept out of the counts, to find the mixture's weights
TUNING_MASKS = 400
EM_STEPS = 20
NONE = -1  # a neighbour that is hidden too, or beyond the end

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Gap:
    """A hidden token and its neighbours: two on each side, the nearer first, NONE where unknown."""

    left: tuple[int, int]
    right: tuple[int, int]
    truth: int


def find_gaps(inputs: list[list[int]], labels: list[list[int]], mask_id: int) -> list[Gap]:
    """Return every hidden token of some rows with its neighbours, in the order of the rows."""
    out = []
    for row, wanted in zip(inputs, labels, strict=True):
        # A line begins where another ended; a hidden neighbour says nothing, nor does what lies beyond it.
        known = [NONE, EOS if row[0] == BOS else row[0], *row[1:], NONE]
        known = [NONE if token == mask_id else token for token in known]
        for at, truth in enumerate(wanted, start=1):
            if truth >= 0:
                left, right = known[at - 1], known[at + 1]
                out.append(
                    Gap(
                        (left, known[at - 2] if left != NONE and at >= 2 else NONE),
                        (right, known[at + 2] if right != NONE and at + 2 < len(known) else NONE),
                        truth,
                    )
                )
    return out


class NGrams:
    """The n-gram model of one language."""

    def __init__(self, tokens: Ids, vocab_size: int) -> None:
        """Count a text.

        Args:
            tokens: the language's text in a row, `</s>` between lines.
            vocab_size: how many ids there are.
        """
        self.size = vocab_size
        # Two strangers at either end, so that a neighbour can always be read.
        self.tokens = np.concatenate([[NONE] * 2, tokens, [NONE] * 2])
        inner = self.tokens[2:-2]
        self.places = 2 + np.argsort(inner, kind="stable")
        counts = np.bincount(inner, minlength=vocab_size)
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        # Only pieces can be hidden; one is added so that none of them is impossible.
        self.unigram = counts + 1.0
        self.unigram[: EOS + 1] = 1e-9
        self.unigram /= self.unigram.sum()
        self.weights = np.full(3, 1 / 3)
        self._cache: dict[tuple[int, int, int], Floats] = {}

    def _find_places(self, token: int) -> Ids:
        return self.places[self.starts[token] : self.starts[token + 1]]

    def _smooth(self, found: Ids, below: Floats) -> Floats:
        """Return the counts of some tokens with as much added of the distribution below as there are kinds."""
        found = found[found > EOS]
        if not len(found):
            return below
        kinds, counts = np.unique(found, return_counts=True)
        out = below * (len(kinds) / (len(found) + len(kinds)))
        out[kinds] += counts / (len(found) + len(kinds))
        return out

    def _predict_side(self, near: int, far: int, step: int) -> Floats:
        """P(x | the neighbours of one side); step is the way from the neighbour to x: 1 from the left, -1."""
        if near == NONE:
            return self.unigram
        key = (near, NONE, step)
        if key not in self._cache:
            self._cache[key] = self._smooth(self.tokens[self._find_places(near) + step], self.unigram)
        if far == NONE:
            return self._cache[key]
        places = self._find_places(near)
        return self._smooth(self.tokens[places[self.tokens[places - step] == far] + step], self._cache[key])

    def _predict_views(self, gap: Gap) -> Floats:
        """Return the left side, the right side, both as if independent: (3, vocab_size)."""
        left, right = self._predict_side(*gap.left, 1), self._predict_side(*gap.right, -1)
        both = left * right / self.unigram
        return np.stack([left, right, both / both.sum()])

    def fill(self, gap: Gap) -> Floats:
        """Return the distribution of a hidden token: (vocab_size,)."""
        mixed: Floats = self.weights @ self._predict_views(gap)
        near, after = gap.left[0], gap.right[0]
        if NONE in (near, after):
            return mixed
        places = self._find_places(near)
        return self._smooth(self.tokens[places[self.tokens[places + 2] == after] + 1], mixed)

    def tune(self, examples: list[Gap]) -> None:
        """Find the weights of the mixture on gaps that were not counted."""
        if not examples:
            return
        values = np.array([self._predict_views(gap)[:, gap.truth] for gap in examples])
        for _ in range(EM_STEPS):
            shares = values * self.weights
            self.weights = (shares / shares.sum(1, keepdims=True)).mean(0)


def count_language(text: EncodedCorpus, language: str, vocab_size: int, seed: int) -> NGrams:
    """Count all the text of a language.

    Raises:
        ValueError: there is none.
    """
    rng = np.random.default_rng(seed)
    counted: list[Ids] = []
    tuning: list[Gap] = []
    for part in text.parts:
        if part.language != language:
            continue
        starts = text.lines[part.first_line : part.first_line + part.lines]
        lines = np.split(
            text.tokens[part.first_token : part.first_token + part.tokens].astype(np.int64), starts[1:] - starts[0]
        )
        for number, line in enumerate(lines):
            if number % KEPT_OUT != KEPT_OUT - 1:
                counted.append(line)
                continue
            row = [BOS, *(line[:-1] if line[-1] == EOS else line).tolist(), EOS]
            if len(row) > 2:
                at = int(rng.integers(1, len(row) - 1))
                tuning += find_gaps(
                    [row], [[token if i == at else NONE for i, token in enumerate(row)]], mask_id=vocab_size
                )
    if not counted:
        raise ValueError(f"The encoded text has none in {language}.")
    model = NGrams(np.concatenate(counted), vocab_size)
    picked = rng.permutation(len(tuning))[:TUNING_MASKS]
    model.tune([tuning[index] for index in picked])
    return model
