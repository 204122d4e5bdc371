"""Masks and their fills, of one sentence or of several side by side, and what each layer would have filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, get_args

from xlmrxl.app.handlers import COMMAS, MASK, Outcome, attempt, whole_number
from xlmrxl.tables.decoding import split_lines
from xlmrxl.tasks.options import FillMethod, FillOptions
from xlmrxl.tasks.result import Result
from xlmrxl.tasks.texts import mask_span

if TYPE_CHECKING:
    from xlmrxl.inspection.logit_lens import LogitLens
    from xlmrxl.progress import Progress
    from xlmrxl.session import Session
    from xlmrxl.tasks.fill_results import FillResult

    Together = Callable[[str, "FillAsked"], tuple[FillResult, ...]]

MAX_CHARACTERS = 5_000
MAX_FILLS = 20
MAX_MASKS = 32  # a row of the whole vocabulary is held for each
MAX_SEARCHED = 12  # masks, where words at each are searched for or compared
MAX_TARGETS = 20
MAX_TARGET = 40  # characters
MAX_LINES = 12  # sentences side by side
MAX_LINE_MASKS = 4  # of each
MAX_LAYERED = 8  # masks that are followed through the layers
SUBWORDS, WORDS, JOINT = METHODS = get_args(FillMethod)


class _Fill(TypedDict):
    text: str
    begins_word: bool
    probability: float


class FillJson(_Fill, total=False):
    """One fill: the text it puts in place of the mask, whether there is a space before it, and its probability.

    A whole word also has its score (how well it fits its neighbours, nats), a word that was given its log-odds (nats)
    and, if it is one piece, its rank in the whole vocabulary.
    """

    score: float
    rank: int
    log_odds: float


class MaskJson(TypedDict):
    """The fills of one mask, the most probable first."""

    fills: list[FillJson]


class JointJson(TypedDict):
    """One way to fill all masks: what each gets, log P of all together (nats), the order in which they were filled.

    `begins_word` says of each fill whether there is a space before it.
    """

    fills: list[str]
    begins_word: list[bool]
    score: float
    order: list[int]


class _Result(TypedDict):
    text: str
    masks: list[MaskJson]


class ResultJson(_Result, total=False):
    """What the endpoint `/fill` answers: the text as it was sent, its masks in order, and `joint` where asked."""

    joint: list[JointJson]


class RankedJson(TypedDict):
    """One fill of a layer: its text, its probability, and its rank in the whole vocabulary.

    `begins_word` says whether there is a space before it.
    """

    text: str
    begins_word: bool
    probability: float
    rank: int


class StateJson(TypedDict):
    """What one state says at a mask: the likeliest fills, and the entropy over the whole vocabulary in nats."""

    fills: list[RankedJson]
    entropy: float


class LayersJson(TypedDict):
    """One mask: its place among the tokens, and its states from the embeddings to the last."""

    position: int
    states: list[StateJson]


class LensJson(TypedDict):
    """What the endpoint `/lens` answers: the text as it was sent and its masks in order."""

    text: str
    masks: list[LayersJson]


class FillAsked(NamedTuple):
    """How masks are filled: texts that ask for the same are filled together."""

    options: FillOptions
    several: bool = False  # each line is a sentence of its own
    told: Progress | None = None  # is told how far it is, and may stop it: filled alone, since this is nobody else's


@dataclass(frozen=True)
class Lines(Result):
    """Several sentences, filled together."""

    results: tuple[FillResult, ...]

    @property
    def text(self) -> str:
        """The sentences, one a line."""
        return "\n".join(result.text for result in self.results)

    def content(self) -> dict[str, Any]:
        return {"lines": [result.content() for result in self.results]}

    def to_html(self, *, interactive: bool = True) -> str:
        from xlmrxl.tasks.fill_results import render_cards  # noqa: PLC0415 - torch comes along

        return render_cards(self.results, self.text, interactive=interactive)

    def rows(self) -> list[dict[str, Any]]:
        """Those of the sentences, with the number of the line."""
        return [{"line": number} | row for number, result in enumerate(self.results, 1) for row in result.rows()]


def fill(
    session: Session,
    text: Any,
    top_k: Any,
    method: Any = SUBWORDS,
    targets: Any = "",
    *,
    together: Together | None = None,
    told: Progress | None = None,
) -> FillResult:
    """Fill the masks of `text`. Raises ValueError with one actionable sentence; inputs may be of any type.

    Args:
        session: with a masked language model.
        text: a sentence with masks.
        top_k: how many fills for each.
        method: one of `METHODS`.
        targets: words with commas between them: only these are compared.
        together: fills a text with those of other visitors.
        told: the progress of work that takes long.
    """
    return _filled(session, text, fill_asked(text, top_k, method, targets, told=told), together)[0]


def fill_lines(
    session: Session,
    text: Any,
    top_k: Any,
    method: Any = SUBWORDS,
    targets: Any = "",
    *,
    together: Together | None = None,
    told: Progress | None = None,
) -> Lines:
    """Fill the masks of several sentences, one a line, in one run. The rest is as for `fill`."""
    results = _filled(session, text, fill_asked(text, top_k, method, targets, several=True, told=told), together)
    return Lines(results[0].source, results)


def _filled(session: Session, text: str, asked: FillAsked, together: Together | None) -> tuple[FillResult, ...]:
    return fill_all(session, [text], asked)[0] if together is None else together(text, asked)


def fill_all(session: Session, texts: list[str], asked: FillAsked) -> list[tuple[FillResult, ...]]:
    """Several visitors' texts, filled together: for each the result of its sentence, or of each of its lines."""
    groups = [lines(text) if asked.several else [text] for text in texts]
    flat = [sentence for group in groups for sentence in group]
    found = iter(session.fill_mask(flat, progress=asked.told or False, **asked.options.to_dict()))
    return [tuple(next(found) for _ in group) for group in groups]


def fill_asked(
    text: Any, top_k: Any, method: Any, targets: Any = "", *, several: bool = False, told: Progress | None = None
) -> FillAsked:
    """How the masks of `text` are to be filled. Raises ValueError with one actionable sentence."""
    if not isinstance(text, str):
        raise ValueError("The text must be a string: send a sentence with <mask> where a word is missing.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"The text has {len(text):,} characters, the app takes {MAX_CHARACTERS:,}: shorten it.")
    if several:
        _check_lines(text)
    elif text.count(MASK) > MAX_MASKS:
        raise ValueError(f"The text has {text.count(MASK)} masks, the app fills {MAX_MASKS} at once: leave some out.")
    if isinstance(top_k, bool) or not (isinstance(top_k, int) or (isinstance(top_k, float) and top_k.is_integer())):
        raise ValueError(f"The number of fills must be a whole number from 1 to {MAX_FILLS}.")
    if not 1 <= top_k <= MAX_FILLS:
        raise ValueError(f"The number of fills is {int(top_k)}: choose one from 1 to {MAX_FILLS}.")
    if method not in METHODS:
        raise ValueError(f"Choose what to fill with: {', '.join(METHODS)}.")
    given = _targets(targets)
    if given and method != SUBWORDS:
        raise ValueError("Words of your own are compared as they are: leave them out, or fill with subwords.")
    if method == JOINT and several:
        raise ValueError("All masks together is for one sentence: fill several with subwords or with whole words.")
    if (method == WORDS or given) and text.count(MASK) > MAX_SEARCHED:
        raise ValueError(
            f"The text has {text.count(MASK)} masks, the app fills {MAX_SEARCHED} with whole words: leave some out, or "
            "fill with subwords."
        )
    return FillAsked(FillOptions(int(top_k), method, targets=given or None), several, told)


def lines(text: str) -> list[str]:
    """The sentences of a text that has one a line."""
    return [line.strip() for line in split_lines(text) if line.strip()]


def _check_lines(text: str) -> None:
    sentences = lines(text)
    if not sentences:
        raise ValueError("There is no sentence: write some, one a line, each with a <mask> where a word is missing.")
    if len(sentences) > MAX_LINES:
        raise ValueError(f"There are {len(sentences)} sentences, the app fills {MAX_LINES} together: leave some out.")
    for number, sentence in enumerate(sentences, 1):
        if MASK not in sentence:
            raise ValueError(f"Sentence {number} has no <mask>: write one in each line, where a word is missing.")
        if (count := sentence.count(MASK)) > MAX_LINE_MASKS:
            raise ValueError(
                f"Sentence {number} has {count} masks, the app fills {MAX_LINE_MASKS} in each: leave some out."
            )


def _targets(given: Any) -> tuple[str, ...]:
    """The words that masks are compared among; none where nothing is written. What they are made of the task checks."""
    if given is not None and not isinstance(given, str):
        raise ValueError("The words must be a string: write them in one line, with commas between them.")
    words = tuple(word.strip() for word in re.split(COMMAS, given or "") if word.strip())
    if len(words) > MAX_TARGETS:
        raise ValueError(f"There are {len(words)} words, the app compares {MAX_TARGETS}: leave some out.")
    for word in words:
        if len(word) > MAX_TARGET:
            raise ValueError(f"A word has {len(word):,} characters, the app takes {MAX_TARGET}: shorten it.")
        if words.count(word) > 1:
            raise ValueError(f"The word {word!r} is there twice: give each once.")
    return words


def outcome(session: Session, text: Any, top_k: Any, method: Any = SUBWORDS, **how: Any) -> Outcome[FillResult]:
    """`fill`, with every failure turned into a sentence."""
    return attempt(lambda: fill(session, text, top_k, method, **how), "filling")


def layers(session: Session, text: Any, top_k: Any, told: Progress | None = None) -> LogitLens:
    """What each state of the model would have put at the masks of `text`. Raises ValueError as `fill` does."""
    asked = fill_asked(text, top_k, SUBWORDS)
    count = text.count(MASK)
    if not count:
        raise ValueError("There is no <mask> in the text: write one where a word is missing.")
    if count > MAX_LAYERED:
        raise ValueError(
            f"The text has {count} masks, the app follows {MAX_LAYERED} through the layers: leave some out."
        )

    def half(number: int) -> Progress | bool:
        if told is None:
            return False
        return lambda done, total: told(number * total + done, 2 * total)

    return session.inspect(text, progress=half(0)).logit_lens(top_k=asked.options.top_k, progress=half(1))


def layers_json(lens: LogitLens) -> LensJson:
    """What the endpoint answers: by mask, where the lens goes by state."""
    states = lens.content()["states"]
    return {
        "text": lens.text,
        "masks": [
            {
                "position": position,
                "states": [{"fills": state[place]["fills"], "entropy": state[place]["entropy"]} for state in states],
            }
            for place, position in enumerate(lens.positions)
        ],
    }


def mask_token(data: Any) -> str:
    """Put a mask in place of the characters `start` to `end` of `text`, as the page asked; spaces stay.

    The page is not trusted: ValueError if that is not possible.
    """
    text = data.get("text") if isinstance(data, Mapping) else None
    start, end = whole_number(data, "start"), whole_number(data, "end")
    if not isinstance(text, str) or start is None or end is None or not 0 <= start < end <= len(text):
        raise ValueError("That token is no longer in the text: fill the text again and choose another.")
    return mask_span(text, start, end)
