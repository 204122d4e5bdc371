"""Several texts compared, the same in several languages: their words aligned, their similarity, retrieval.

States are counted as `hidden_states[i]`: 0 is the embeddings, i the output of layer i - 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from xlmrxl.errors import InputError, MissingDependencyError
from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.inspection.labelled_matrix import Array, Axis, Curves, LabelledMatrix, freeze, states_axis
from xlmrxl.inspection.projection import Projection, project
from xlmrxl.inspection.states import cosine_similarity, pairwise_cosine, remove_common_components
from xlmrxl.inspection.units import describe_state, list_units, pool_units
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.features import POOLINGS, extract_features
from xlmrxl.tasks.result import Result, Source
from xlmrxl.tasks.texts import check_texts

FEWEST, MOST = 2, 12
"""How many texts go together."""
MOST_PAIRS = 1000
"""Of a retrieval: the pooled states of all layers of XL take 0.8 MB a pair."""
ALIGNERS = ("argmax", "itermax", "match")


class Link(NamedTuple):
    """Two words that go together."""

    first: int  # index of the word
    second: int
    similarity: float


@dataclass(frozen=True, eq=False)
class Alignment(Result):
    """Which words of two texts go together.

    Attributes:
        names: of the two texts: their languages.
        words: of each.
        links: in the order of the first text's words.
        similarity: (words of the first, words of the second), the cosine of their states; float32.
        state: whose.
        method: as in `ParallelInspection.alignment`.
    """

    names: tuple[str, str]
    words: tuple[tuple[str, ...], tuple[str, ...]]
    links: tuple[Link, ...]
    similarity: Array
    state: int
    method: str

    def __post_init__(self) -> None:
        """Freeze the similarities."""
        object.__setattr__(self, "similarity", freeze(self.similarity))

    def content(self) -> dict[str, Any]:
        """Return all attributes as plain values."""
        return {
            "names": self.names,
            "words": self.words,
            "links": [link._asdict() for link in self.links],
            "similarity": self.similarity.tolist(),
            "state": self.state,
            "method": self.method,
        }

    def __str__(self) -> str:
        """Write the links with their similarity, for a terminal."""
        title = f"{self.names[0]} – {self.names[1]}, state {self.state}, {self.method}"
        lines = [
            f"  {link.similarity:6.3f}  {self.words[0][link.first]} – {self.words[1][link.second]}"
            for link in self.links
        ]
        return "\n".join([title, *lines])

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each link."""
        return [
            {
                "first": link.first,
                "first_word": self.words[0][link.first],
                "second": link.second,
                "second_word": self.words[1][link.second],
                "similarity": link.similarity,
            }
            for link in self.links
        ]

    def similarity_matrix(self) -> LabelledMatrix:
        """Return the similarity of every word of the first text with every word of the second."""
        first, second = (Axis(f"word of {name}", words) for name, words in zip(self.names, self.words, strict=True))
        title = f"cosine between words, state {self.state}"
        return LabelledMatrix(self.source, "cosine", title, self.similarity, first, second)


class ParallelInspection:
    """Several texts, each inspected once.

    Attributes:
        inspections: one a text.
        languages: of each; several texts can be of one.
        names: the same, with a number where a language has several texts.
    """

    def __init__(self, inspections: Sequence[Inspection], languages: Sequence[str]) -> None:
        """Put inspections together.

        Args:
            inspections: one a text.
            languages: what to call each; several texts may have one name.
        """
        self.inspections, self.languages = tuple(inspections), tuple(languages)
        self.names = tuple(
            name if self.languages.count(name) == 1 else f"{name} {self.languages[: i + 1].count(name)}"
            for i, name in enumerate(self.languages)
        )
        self.layers = self.inspections[0].layers

    def __repr__(self) -> str:
        """Name the texts and the model."""
        return f"ParallelInspection({', '.join(self.names)}; {self.inspections[0].source.model!r})"

    def _source(self, **settings: Any) -> Source:
        """Return the source of a result, with the languages among its settings."""
        one = self.inspections[0].source
        return Source(one.model, one.revision, one.precision, one.version, {"languages": self.languages, **settings})

    def alignment(
        self,
        first: int = 0,
        second: int = 1,
        state: int | None = None,
        *,
        method: str = "argmax",
        remove: int | None = None,
    ) -> Alignment:
        """Align the words of two texts by the cosine of their states (SimAlign, Jalili Sabet et al. 2020).

        A word is the mean of its tokens' states; `<s>` and `</s>` are left out. SimAlign's penalty on the distance
        and its threshold on spread-out rows are not used.

        Args:
            first: the index of one text.
            second: that of the other.
            state: if not given, two thirds up, as SimAlign takes layer 8 of 12.
            method: `"argmax"`: words that are each other's best, few and sure; `"itermax"`: a second round among what
                is left finds more; `"match"`: the pairs, each word in one at most, of the largest sum (needs scipy).
            remove: as in `states.remove_common_components`: 0 takes off the mean of each text, which holds much of its
                language.

        Raises:
            InputError: no such text, state or method, or a `remove` that leaves nothing.
            ModuleNotFoundError: scipy is needed and not installed.
        """
        if state is None:
            state = default_state(self.layers)
        for name, which in (("first", first), ("second", second)):
            if not 0 <= which < len(self.inspections):
                raise InputError(f"{name} is {which}; there are texts 0 to {len(self.inspections) - 1}.")
        pair = (self.inspections[first], self.inspections[second])
        words = tuple(tuple(word.label for word in list_units(one, "words")) for one in pair)
        similarity = pairwise_cosine(*(_word_states(one, state, remove) for one in pair))
        linked = align_words(similarity, method)
        links = tuple(Link(int(i), int(j), float(np.float32(similarity[i, j]))) for i, j in np.argwhere(linked))
        names = (self.names[first], self.names[second])
        source = self._source(texts=names, state=state, method=method, remove=remove)
        return Alignment(source, names, (words[0], words[1]), links, similarity, state, method)

    def similarity(self, unit: str = "texts", *, remove: int | None = None) -> Curves:
        """Return how alike every two texts are, by state.

        Args:
            unit: `"texts"`: the cosine of their means over tokens; `"words"`: the cosine of each word with its best
                match, the mean over both texts' words (as BERTScore, Zhang et al. 2020, matches tokens).
            remove: for texts, the mean (and components) of all their tokens, and it takes three texts; for words,
                those of each text.

        Raises:
            InputError: another `unit`, or a `remove` that leaves nothing.
        """
        if unit not in ("texts", "words"):
            raise InputError(f"unit is {unit!r}; it must be texts or words.")
        pairs = list(combinations(range(len(self.inspections)), 2))
        values = np.empty((len(pairs), self.layers + 1))
        for state in range(self.layers + 1):
            if unit == "texts":
                table = cosine_similarity(self.inspections, state, unit="texts", remove=remove).values
                values[:, state] = [table[i, j] for i, j in pairs]
            else:
                words = [_word_states(one, state, remove) for one in self.inspections]
                values[:, state] = [mean_best_match(pairwise_cosine(words[i], words[j])) for i, j in pairs]
        return Curves(
            self._source(unit=unit, remove=remove),
            "cosine",
            "cosine between texts" if unit == "texts" else "cosine of words with their best match",
            values,
            tuple(f"{self.names[i]} – {self.names[j]}" for i, j in pairs),
            states_axis(self.inspections[0]),
        )

    def cosine_similarity(self, state: int, *, unit: str = "texts", remove: int | None = None) -> LabelledMatrix:
        """Return the cosine of every text (or word or token) with every other in one state.

        See `states.cosine_similarity`.
        """
        found = cosine_similarity(self.inspections, state, unit=unit, remove=remove, special=False)
        if unit != "texts":
            return found
        axis = Axis("text", self.names)
        source = self._source(state=state, unit=unit, remove=remove)
        title = f"cosine between texts, {describe_state(self.inspections[0], state)}"
        return LabelledMatrix(source, "cosine", title, found.values, axis, axis)

    def project(
        self,
        *,
        states: Sequence[int] | None = None,
        unit: str = "tokens",
        method: str = "pca",
        basis: str = "common",
        scale: str = "state",
        special: bool = False,
        components: int = 2,
    ) -> Projection:
        """Project all texts to one plane, each point with its language.

        The arguments are those of `projection.project`.
        """
        return project(
            self.inspections,
            states=states,
            unit=unit,
            groups=self.languages,
            method=method,
            basis=basis,
            scale=scale,
            special=special,
            components=components,
        )


def inspect_parallel(
    loaded_model: LoadedModel,
    texts: Sequence[str] | Mapping[str, str],
    languages: Sequence[str] | None = None,
    *,
    keep: str = "recompute",
    progress: Progress | bool = True,
) -> ParallelInspection:
    """Inspect several texts together, the same thing in several languages.

    Args:
        loaded_model: with any head.
        texts: 2 to 12, or a dict from language to text.
        languages: what to call each; `text 1`, `text 2`, … if not given.
        keep: as in `inspect`.
        progress: called with how many texts are read and how many there are; True for a bar.

    Raises:
        TypeError: something other than a text.
        InputError: fewer or more texts, not as many languages as texts, or a text that `inspect` refuses.
    """
    if isinstance(texts, Mapping):
        languages, texts = list(texts) if languages is None else languages, list(texts.values())
    texts = check_texts(texts)
    if not FEWEST <= len(texts) <= MOST:
        raise InputError(f"There are {len(texts)} texts; give {FEWEST} to {MOST}.")
    names = (
        [f"text {n}" for n in range(1, len(texts) + 1)] if languages is None else check_texts(languages, "languages")
    )
    if len(names) != len(texts):
        raise InputError(f"There are {len(texts)} texts and {len(names)} languages; give one for each.")
    inspections: list[Inspection] = []
    with show_progress(progress, "Reading", "text") as report:
        for text in texts:
            inspections.append(inspect(loaded_model, text, keep=keep, progress=False))
            report(len(inspections), len(texts))
    return ParallelInspection(inspections, names)


def default_state(layers: int) -> int:
    """Return the state two thirds up, where SimAlign finds the best layer (8 of 12)."""
    return round(layers * 2 / 3)


def _word_states(inspection: Inspection, state: int, remove: int | None) -> Array:
    """Return the state of each word, (words, hidden)."""
    x = inspection.hidden_state(state)
    words, tokens = list_units(inspection, "words"), list_units(inspection)
    return remove_common_components(pool_units(x, words), remove, pool_units(x, tokens))


def align_words(similarity: Array, method: str = "argmax") -> Array:
    """Return which words go together, (words, words) booleans, from their similarities.

    See `ParallelInspection.alignment`.

    Raises:
        InputError: an unknown method.
        ModuleNotFoundError: `"match"` without scipy.
    """
    if method == "argmax":
        return _mutual_argmax(similarity)
    if method == "itermax":
        return _itermax(similarity)
    if method != "match":
        raise InputError(f"method is {method!r}; it must be one of {', '.join(ALIGNERS)}.")
    try:
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - not needed otherwise
    except ModuleNotFoundError as error:
        raise MissingDependencyError("match needs scipy", "match", "use argmax or itermax") from error
    linked = np.zeros(similarity.shape, bool)
    linked[linear_sum_assignment(similarity, maximize=True)] = True
    return linked


def _mutual_argmax(similarity: Array) -> Array:
    """Return which cells are the largest of both their row and their column."""
    linked = np.zeros(similarity.shape, bool)
    best = similarity.argmax(1)
    rows = np.arange(len(similarity))
    mutual = similarity.argmax(0)[best] == rows
    linked[rows[mutual], best[mutual]] = True
    return linked


def _itermax(similarity: Array, rounds: int = 2, discount: float = 0.9) -> Array:
    """Run algorithm 1 of the SimAlign paper: mutual argmax again, with words that have a partner at a discount.

    Two words that both have one are out. Similarities are brought from -1…1 to 0…1 first, so that a discount is one.
    """
    similarity = (similarity + 1) / 2
    linked = _mutual_argmax(similarity)
    for _ in range(rounds - 1):
        first, second = linked.any(1, keepdims=True), linked.any(0, keepdims=True)
        left = np.where(first | second, discount, 1.0) * similarity
        left[first & second] = -1
        linked |= _mutual_argmax(left) & ~(first & second)
    return linked


def mean_best_match(similarity: Array) -> float:
    """Return the mean over rows of their largest number and over columns of theirs, averaged."""
    return float(similarity.max(1).mean() + similarity.max(0).mean()) / 2


def retrieval(
    loaded_model: LoadedModel,
    first: Sequence[str],
    second: Sequence[str],
    *,
    languages: tuple[str, str] = ("first", "second"),
    states: Sequence[int] | None = None,
    pooling: str = "mean",
    centre: bool = True,
    progress: Progress | bool = True,
) -> Curves:
    """Return by state how often a text's translation is the nearest of all by cosine, in both directions.

    Args:
        loaded_model: with any head.
        first: 2 to 1,000 texts.
        second: as many; `second[i]` says what `first[i]` says.
        languages: what to call the two.
        states: which, 0 for the embeddings; all if not given.
        pooling: `"mean"` over the tokens, or `"first"`, the state at `<s>`.
        centre: take each language's mean off, which holds what sets it apart (Libovický et al. 2020, On the Language
            Neutrality of Pre-trained Multilingual Representations).
        progress: called with how many texts are read and how many there are; True for a bar.

    Returns:
        Curves between 0 and 1; `chance` is 1 / texts. Where several are nearest, each counts as a part.

    Raises:
        TypeError: something other than a text.
        InputError: too few or too many texts, not as many of both, an empty one, or an unknown state or pooling.
    """
    pair = (check_texts(first, "first"), check_texts(second, "second"))
    n = len(pair[0])
    if n != len(pair[1]):
        raise InputError(f"There are {n} texts in first and {len(pair[1])} in second; give as many of both.")
    if not 2 <= n <= MOST_PAIRS:
        raise InputError(f"There are {n} pairs; give 2 to {MOST_PAIRS:,}.")
    if pooling not in POOLINGS:
        raise InputError(f"pooling is {pooling!r}; it must be one of {', '.join(POOLINGS)}.")
    if len(names := check_texts(languages, "languages")) != 2:
        raise InputError(f"languages has {len(names)} names; give one for first and one for second.")
    there, back = names
    with show_progress(progress, "Reading", "text") as report:
        both = extract_features(
            loaded_model, [*pair[0], *pair[1]], states=states, pooling=pooling, special_tokens=True, progress=report
        )
    values = np.empty((2, len(both.states)))
    for column, state in enumerate(both.states):
        x = both.select(state, pooling).numpy().astype(np.float64)
        sides = [remove_common_components(side, 0 if centre else None) for side in (x[:n], x[n:])]
        similarity = pairwise_cosine(*sides)
        values[:, column] = top1_accuracy(similarity), top1_accuracy(similarity.T)
    return Curves(
        Source.from_model(
            loaded_model, languages=languages, pairs=n, pooling=pooling, centre=centre, truncated=len(both.truncated)
        ),
        "accuracy",
        "translations found",
        values,
        (f"{there} → {back}", f"{back} → {there}"),
        Axis("state", tuple(map(str, both.states))),
        chance=1 / n,
    )


def top1_accuracy(similarity: Array) -> float:
    """Return how often the largest number of a row of (n, n) is on the diagonal; several largest share the count."""
    similarity = np.nan_to_num(similarity, nan=-2.0)
    largest = similarity == similarity.max(1, keepdims=True)
    return float((largest.diagonal() / largest.sum(1)).mean())
