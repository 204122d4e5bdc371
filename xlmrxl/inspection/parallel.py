"""The same in several languages: which words go together, how alike the texts are by layer, and whether they are found.

States are counted as `hidden_states[i]`: 0 is the embeddings, i the output of layer i - 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xlmrxl.errors import MissingDependencyError
from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.inspection.labelled_matrix import Array, Axis, Curves, Grid, frozen, states_axis
from xlmrxl.inspection.projection import Projection, project
from xlmrxl.inspection.states import corrected, cosine, cosines
from xlmrxl.inspection.units import Part, parts_of, state_name, vectors
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.features import POOLINGS, extract_features
from xlmrxl.tasks.result import Result, Source
from xlmrxl.tasks.texts import check_texts

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

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
        method: as in `Parallel.alignment`.
    """

    names: tuple[str, str]
    words: tuple[tuple[str, ...], tuple[str, ...]]
    links: tuple[Link, ...]
    similarity: Array
    state: int
    method: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "similarity", frozen(self.similarity))

    def content(self) -> dict[str, Any]:
        """All attributes as plain values."""
        return {
            "names": self.names,
            "words": self.words,
            "links": [link._asdict() for link in self.links],
            "similarity": self.similarity.tolist(),
            "state": self.state,
            "method": self.method,
        }

    def __str__(self) -> str:
        title = f"{self.names[0]} – {self.names[1]}, state {self.state}, {self.method}"
        lines = [
            f"  {link.similarity:6.3f}  {self.words[0][link.first]} – {self.words[1][link.second]}"
            for link in self.links
        ]
        return "\n".join([title, *lines])

    def rows(self) -> list[dict[str, Any]]:
        """A row a link."""
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

    def grid(self) -> Grid:
        """The similarities of all words with all."""
        first, second = (Axis(f"word of {name}", words) for name, words in zip(self.names, self.words, strict=True))
        title = f"cosine between words, state {self.state}"
        return Grid(self.source, "cosine", title, self.similarity, first, second)


class Parallel:
    """Several texts, each inspected once.

    Attributes:
        inspections: one a text.
        languages: of each; several texts can be of one.
        names: the same, with a number where a language has several texts.
    """

    def __init__(self, inspections: Sequence[Inspection], languages: Sequence[str]) -> None:
        self.inspections, self.languages = tuple(inspections), tuple(languages)
        self.names = tuple(
            name if self.languages.count(name) == 1 else f"{name} {self.languages[: i + 1].count(name)}"
            for i, name in enumerate(self.languages)
        )
        self.layers = self.inspections[0].layers

    def __repr__(self) -> str:
        return f"Parallel({', '.join(self.names)}; {self.inspections[0].source.model!r})"

    def _source(self, **settings: Any) -> Source:
        """Where the numbers come from, the languages among what has to be known."""
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
        """Which words of two texts go together, by the cosine of their states (SimAlign, Jalili Sabet et al. 2020).

        A word is the mean of its tokens' states; `<s>` and `</s>` are left out. SimAlign's penalty on the distance
        and its threshold on spread-out rows are not used.

        Args:
            first, second: which texts.
            state: if not given, two thirds up, as SimAlign takes layer 8 of 12.
            method: `"argmax"`: words that are each other's best, few and sure; `"itermax"`: a second round among what
                is left finds more; `"match"`: the pairs, each word in one at most, of the largest sum (needs scipy).
            remove: as in `states.corrected`: 0 takes off the mean of each text, which holds much of its language.

        Raises:
            ValueError: no such text, state or method, or a `remove` that leaves nothing.
            ModuleNotFoundError: scipy is needed and not installed.
        """
        if state is None:
            state = default_state(self.layers)
        for name, which in (("first", first), ("second", second)):
            if not 0 <= which < len(self.inspections):
                raise ValueError(f"{name} is {which}; there are texts 0 to {len(self.inspections) - 1}.")
        pair = (self.inspections[first], self.inspections[second])
        words = tuple(tuple(part.label for part in parts_of(one, "words")) for one in pair)
        similarity = cosine(*(_words(one, state, remove) for one in pair))
        linked = align(similarity, method)
        links = tuple(Link(int(i), int(j), float(np.float32(similarity[i, j]))) for i, j in np.argwhere(linked))
        names = (self.names[first], self.names[second])
        source = self._source(texts=names, state=state, method=method, remove=remove)
        return Alignment(source, names, (words[0], words[1]), links, similarity, state, method)

    def similarity(self, of: str = "texts", *, remove: int | None = None) -> Curves:
        """How alike every two texts are, by state.

        Args:
            of: `"texts"`: the cosine of their means over tokens; `"words"`: the cosine of each word with its best
                match, the mean over both texts' words (as BERTScore, Zhang et al. 2020, matches tokens).
            remove: for texts, the mean (and components) of all their tokens, and it takes three texts; for words,
                those of each text.

        Raises:
            ValueError: another `of`, or a `remove` that leaves nothing.
        """
        if of not in ("texts", "words"):
            raise ValueError(f"of is {of!r}; it must be texts or words.")
        pairs = list(combinations(range(len(self.inspections)), 2))
        values = np.empty((len(pairs), self.layers + 1))
        for state in range(self.layers + 1):
            if of == "texts":
                table = cosines(self.inspections, state, of="texts", remove=remove).values
                values[:, state] = [table[i, j] for i, j in pairs]
            else:
                words = [_words(one, state, remove) for one in self.inspections]
                values[:, state] = [best_matches(cosine(words[i], words[j])) for i, j in pairs]
        return Curves(
            self._source(of=of, remove=remove),
            "cosine",
            "cosine between texts" if of == "texts" else "cosine of words with their best match",
            values,
            tuple(f"{self.names[i]} – {self.names[j]}" for i, j in pairs),
            states_axis(self.inspections[0]),
        )

    def cosines(self, state: int, *, of: str = "texts", remove: int | None = None) -> Grid:
        """The cosine of every text (or word or token) with every other in one state; see `states.cosines`."""
        found = cosines(self.inspections, state, of=of, remove=remove, special=False)
        if of != "texts":
            return found
        axis = Axis("text", self.names)
        source = self._source(state=state, of=of, remove=remove)
        title = f"cosine between texts, {state_name(self.inspections[0], state)}"
        return Grid(source, "cosine", title, found.values, axis, axis)

    def project(self, **options: Any) -> Projection:
        """All texts in one plane, each point with its language; see `projection.project`."""
        return project(self.inspections, groups=self.languages, **options)


def parallel(
    session: LoadedModel,
    texts: Sequence[str] | Mapping[str, str],
    languages: Sequence[str] | None = None,
    *,
    keep: str = "recompute",
    progress: Progress | bool = True,
) -> Parallel:
    """Inspect several texts together, the same thing in several languages.

    Args:
        session: with any head.
        texts: 2 to 12, or a dict from language to text.
        languages: what to call each; `text 1`, `text 2`, … if not given.
        keep: as in `inspect`.
        progress: told how many texts are read and how many there are; True for a bar.

    Raises:
        TypeError: something other than a text.
        ValueError: fewer or more texts, as many languages as there are not texts, or a text that `inspect` refuses.
    """
    if isinstance(texts, Mapping):
        languages, texts = list(texts) if languages is None else languages, list(texts.values())
    texts = check_texts(texts)
    if not FEWEST <= len(texts) <= MOST:
        raise ValueError(f"There are {len(texts)} texts; give {FEWEST} to {MOST}.")
    names = (
        [f"text {n}" for n in range(1, len(texts) + 1)] if languages is None else check_texts(languages, "languages")
    )
    if len(names) != len(texts):
        raise ValueError(f"There are {len(texts)} texts and {len(names)} languages; give one for each.")
    inspections: list[Inspection] = []
    with show_progress(progress, "Reading", "text") as told:
        for text in texts:
            inspections.append(inspect(session, text, keep=keep, progress=False))
            told(len(inspections), len(texts))
    return Parallel(inspections, names)


def default_state(layers: int) -> int:
    """Two thirds up, where SimAlign finds the best layer (8 of 12)."""
    return round(layers * 2 / 3)


def _words(inspection: Inspection, state: int, remove: int | None) -> Array:
    """A vector for each word, (words, hidden)."""
    x = inspection.hidden_state(state)
    tokens: list[Part] = parts_of(inspection)
    return corrected(vectors(x, parts_of(inspection, "words")), remove, vectors(x, tokens))


def align(similarity: Array, method: str = "argmax") -> Array:
    """Which words go together, (words, words) booleans, from their similarities; see `Parallel.alignment`.

    Raises:
        ValueError: an unknown method.
        ModuleNotFoundError: `"match"` without scipy.
    """
    if method == "argmax":
        return _mutual(similarity)
    if method == "itermax":
        return _itermax(similarity)
    if method != "match":
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(ALIGNERS)}.")
    try:
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - not needed otherwise
    except ModuleNotFoundError as error:
        raise MissingDependencyError("match needs scipy", "match", "use argmax or itermax") from error
    linked = np.zeros(similarity.shape, bool)
    linked[linear_sum_assignment(similarity, maximize=True)] = True
    return linked


def _mutual(similarity: Array) -> Array:
    """Cells that are the largest of both their row and their column."""
    linked = np.zeros(similarity.shape, bool)
    best = similarity.argmax(1)
    rows = np.arange(len(similarity))
    mutual = similarity.argmax(0)[best] == rows
    linked[rows[mutual], best[mutual]] = True
    return linked


def _itermax(similarity: Array, rounds: int = 2, discount: float = 0.9) -> Array:
    """Algorithm 1 of the SimAlign paper: mutual argmax again, words that have a partner at a discount.

    Two words that both have one are out. Similarities are brought from -1…1 to 0…1 first, so that a discount is one.
    """
    similarity = (similarity + 1) / 2
    linked = _mutual(similarity)
    for _ in range(rounds - 1):
        first, second = linked.any(1, keepdims=True), linked.any(0, keepdims=True)
        left = np.where(first | second, discount, 1.0) * similarity
        left[first & second] = -1
        linked |= _mutual(left) & ~(first & second)
    return linked


def best_matches(similarity: Array) -> float:
    """The mean over rows of their largest number, and over columns of theirs, and of the two."""
    return float(similarity.max(1).mean() + similarity.max(0).mean()) / 2


def retrieval(
    session: LoadedModel,
    first: Sequence[str],
    second: Sequence[str],
    *,
    languages: tuple[str, str] = ("first", "second"),
    layers: Sequence[int] | None = None,
    pooling: str = "mean",
    centre: bool = True,
    progress: Progress | bool = True,
) -> Curves:
    """By state, how often a text's translation is the nearest of all by cosine, in both directions.

    Args:
        session: with any head.
        first: 2 to 1,000 texts.
        second: as many; `second[i]` says what `first[i]` says.
        languages: what to call the two.
        layers: which states, 0 for the embeddings; all if not given.
        pooling: `"mean"` over the tokens, or `"first"`, the state at `<s>`.
        centre: take each language's mean off, which holds what sets it apart (Libovický et al. 2020, On the Language
            Neutrality of Pre-trained Multilingual Representations).
        progress: told how many texts are read and how many there are; True for a bar.

    Returns:
        Curves between 0 and 1; `chance` is 1 / texts. Where several are nearest, each counts as a part.

    Raises:
        TypeError: something other than a text.
        ValueError: too few or too many texts, not as many of both, an empty one, or an unknown layer or pooling.
    """
    pair = (check_texts(first, "first"), check_texts(second, "second"))
    n = len(pair[0])
    if n != len(pair[1]):
        raise ValueError(f"There are {n} texts in first and {len(pair[1])} in second; give as many of both.")
    if not 2 <= n <= MOST_PAIRS:
        raise ValueError(f"There are {n} pairs; give 2 to {MOST_PAIRS:,}.")
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; it must be one of {', '.join(POOLINGS)}.")
    if len(names := check_texts(languages, "languages")) != 2:
        raise ValueError(f"languages has {len(names)} names; give one for first and one for second.")
    there, back = names
    with show_progress(progress, "Reading", "text") as told:
        both = extract_features(
            session, [*pair[0], *pair[1]], layers=layers, pooling=pooling, special_tokens=True, progress=told
        )
    values = np.empty((2, len(both.layers)))
    for place, layer in enumerate(both.layers):
        x = both.of(layer, pooling).numpy().astype(np.float64)
        sides = [corrected(side, 0 if centre else None) for side in (x[:n], x[n:])]
        similarity = cosine(*sides)
        values[:, place] = found_share(similarity), found_share(similarity.T)
    return Curves(
        Source.from_model(
            session, languages=languages, pairs=n, pooling=pooling, centre=centre, truncated=len(both.truncated)
        ),
        "accuracy",
        "translations found",
        values,
        (f"{there} → {back}", f"{back} → {there}"),
        Axis("state", tuple(map(str, both.layers))),
        chance=1 / n,
    )


def found_share(similarity: Array) -> float:
    """How often the largest number of a row of (n, n) is on the diagonal; of several largest, each is a part of one."""
    similarity = np.nan_to_num(similarity, nan=-2.0)
    largest = similarity == similarity.max(1, keepdims=True)
    return float((largest.diagonal() / largest.sum(1)).mean())
