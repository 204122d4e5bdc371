"""What the app does with what a stranger sends: check it, ask the session, explain what went wrong. No Gradio."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, ParamSpec, Protocol, TypedDict, TypeVar

from xlmrxl.app.examples import Example
from xlmrxl.tasks.templates import FOLDER, templates

if TYPE_CHECKING:
    from xlmrxl.compare import Comparison
    from xlmrxl.inspection.inspection import Inspection
    from xlmrxl.inspection.languages import Parallel
    from xlmrxl.session import Session
    from xlmrxl.tasks.attribution import Attribution
    from xlmrxl.tasks.choose import ChooseResult
    from xlmrxl.tasks.classify import ClassifyResult
    from xlmrxl.tasks.fill import FillResult
    from xlmrxl.tasks.result import Result

TABS = {
    "XLMRobertaXLForMaskedLM": ("fill", "classify", "choose", "attention", "states"),
    "XLMRobertaXLForSequenceClassification": ("classify", "attention", "states"),
    "XLMRobertaXLForMultipleChoice": ("choose", "attention", "states"),
    "XLMRobertaXLForTokenClassification": ("attention", "states"),
    "XLMRobertaXLForQuestionAnswering": ("attention", "states"),
}
"""What the app can do with each head."""

MASK = "<mask>"
MAX_CHARACTERS = 5_000
MAX_FILLS = 20
MAX_MASKS = 32  # a row of the whole vocabulary is held for each
MAX_SEARCHED = 8  # masks, where a word at each is searched for
MAX_TEXT = 2_000  # characters of what is classified, and of a prompt
MAX_LABELS = 20
MAX_LABEL = 40  # characters
MAX_EXPLAINED = 60  # words; the text is classified once without each
MAX_CHOICES = 5
MAX_CHOICE = 500  # characters
FILES = ("csv", "json", "html", "figure")  # what a view is saved as; the last one is what pictures are made of
MAX_COMPARED = 4  # masks
MAX_LINES = 6  # sentences whose hidden states are shown together
PIECES, WORDS, JOINT = WAYS = ("pieces", "words", "joint")
BESIDE, PAIR = "beside", "pair"
OWN = "own"
TASKS = ("topic", "sentiment", "entailment", OWN)  # for labels of one's own, the templates of the topics
COMMAS = r"[,，،、\n]"
SMALL = 100_000_000  # below this many parameters the app tells people to expect mistakes

UNEXPECTED = "Something went wrong here, and it was not your text: try again, and if it stays, restart the app."

log = logging.getLogger(__name__)


class FillJson(TypedDict):
    """One fill: the text it puts in place of the mask, and its probability from 0 to 1."""

    text: str
    probability: float


class MaskJson(TypedDict):
    """The fills of one mask, the most probable first."""

    fills: list[FillJson]


class ResultJson(TypedDict):
    """What the endpoint `/fill` answers: the text as it was sent and its masks in order."""

    text: str
    masks: list[MaskJson]


class LabelJson(TypedDict):
    """One label: its probability, and the one before calibration; of a fine-tuned model, its logit."""

    label: str
    score: float
    raw: float


class ClassifyJson(TypedDict):
    """What the endpoint `/classify` answers: the text as it was sent and its labels, the best first."""

    text: str
    labels: list[LabelJson]


class ChoiceJson(TypedDict):
    """One choice: its probability, and the score that it comes from."""

    text: str
    probability: float
    score: float


class ChooseJson(TypedDict):
    """What the endpoint `/choose` answers: the choices as they were sent, and the index of the best."""

    prompt: str
    choices: list[ChoiceJson]
    best: int


class FillAsked(NamedTuple):
    """How masks are filled: texts that ask for the same are filled together."""

    top_k: int
    way: str


class Seen(NamedTuple):
    """What is looked into: one text, two beside each other, or two read as a pair."""

    text: str
    second: str
    way: str


P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=Example)


class Run(Protocol):
    """Given a function that runs the model, the function that is called in its place.

    Every tab passes its work with the model through one, so that it can be done elsewhere: what goes in and what comes
    out can be pickled, and a failure comes out as an `Outcome`.
    """

    def __call__(self, work: Callable[P, R], /) -> Callable[P, R]: ...


def here(work: Callable[P, R], /) -> Callable[P, R]:
    """The model runs where the app does."""
    return work


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """Either a result or one sentence that says what to do."""

    result: R | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Classified:
    """A result, and what `Session.classify` was told beside the text: it takes both to explain it later."""

    result: ClassifyResult
    options: Mapping[str, Any]


def attempt(work: Callable[[], R], name: str) -> Outcome[R]:
    """What comes of some work, every failure turned into a sentence; what nobody expected is logged by its name."""
    try:
        return Outcome(result=work())
    except ValueError as error:
        return Outcome(problem=str(error))
    except Exception:
        log.exception("%s failed", name)
        return Outcome(problem=UNEXPECTED)


def tabs(session: Session) -> tuple[str, ...]:
    """What the app can do with the model."""
    found = TABS.get(type(session.model).__name__, ())  # by its name, since a class would bring torch along
    # A large model is not loaded again for a visitor, nor what is quantised already in other precisions.
    able = "fill" in found and is_small(session) and session.precision not in ("8bit", "4bit")
    return (*found, "compare") if able else found


def is_small(session: Session) -> bool:
    """Whether the model is so small that people are told, and that all of its heads can be tried at once."""
    return session.model.num_parameters() < SMALL


def public(session: Session) -> Session:
    """The session under the name that strangers may read: where a folder lies on the machine is nobody's business."""
    name = os.path.basename(os.path.abspath(session.name)) if os.path.isdir(session.name) else session.name
    return replace(session, name=name)


def is_masked(session: Session) -> bool:
    """Whether the model is a masked language model: others have their own labels and questions."""
    return "fill" in tabs(session)


def fill(
    session: Session,
    text: Any,
    top_k: Any,
    way: Any = PIECES,
    together: Callable[[str, FillAsked], FillResult] | None = None,
) -> FillResult:
    """Fill the masks of `text`. Raises ValueError with one actionable sentence; inputs may be of any type.

    `together` fills a text with those of other visitors.
    """
    asked = fill_asked(text, top_k, way)
    return fill_all(session, [text], asked)[0] if together is None else together(text, asked)


def fill_asked(text: Any, top_k: Any, way: Any) -> FillAsked:
    """How the masks of `text` are to be filled. Raises ValueError with one actionable sentence."""
    if not isinstance(text, str):
        raise ValueError("The text must be a string: send a sentence with <mask> where a word is missing.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"The text has {len(text):,} characters, the app takes {MAX_CHARACTERS:,}: shorten it.")
    if text.count(MASK) > MAX_MASKS:
        raise ValueError(f"The text has {text.count(MASK)} masks, the app fills {MAX_MASKS} at once: leave some out.")
    if isinstance(top_k, bool) or not (isinstance(top_k, int) or (isinstance(top_k, float) and top_k.is_integer())):
        raise ValueError(f"The number of fills must be a whole number from 1 to {MAX_FILLS}.")
    if not 1 <= top_k <= MAX_FILLS:
        raise ValueError(f"The number of fills is {int(top_k)}: choose one from 1 to {MAX_FILLS}.")
    if way not in WAYS:
        raise ValueError(f"Choose what to fill with: {', '.join(WAYS)}.")
    if way == WORDS and text.count(MASK) > MAX_SEARCHED:
        raise ValueError(
            f"The text has {text.count(MASK)} masks, the app fills {MAX_SEARCHED} with whole words: leave some out, or "
            "fill with pieces."
        )
    return FillAsked(int(top_k), way)


def fill_all(session: Session, texts: list[str], asked: FillAsked) -> list[FillResult]:
    """Several visitors' texts, filled together."""
    ways: dict[str, dict[str, Any]] = {PIECES: {}, WORDS: {"words": True}, JOINT: {"method": "joint"}}
    return session.fill_mask(texts, top_k=asked.top_k, progress=False, **ways[asked.way])


def outcome(session: Session, text: Any, top_k: Any, way: Any = PIECES, together: Any = None) -> Outcome[FillResult]:
    """`fill`, with every failure turned into a sentence."""
    return attempt(lambda: fill(session, text, top_k, way, together), "filling")


def precisions() -> tuple[str, ...]:
    """What can be compared here: fewer bits need bitsandbytes."""
    return ("fp32", "bf16", "8bit", "4bit") if importlib.util.find_spec("bitsandbytes") else ("fp32", "bf16", "fp16")


def compare(model: str, session: Session, text: Any) -> Comparison:
    """The fills of `text` in several precisions. Raises ValueError with one actionable sentence."""
    from xlmrxl.compare import compare as run  # noqa: PLC0415 - torch comes along

    text = _text(text, "sentence", MAX_TEXT)
    count = text.count(MASK)
    if not count:
        raise ValueError("There is no <mask> in the sentence: write one where a word is missing.")
    if count > MAX_COMPARED:
        raise ValueError(f"The sentence has {count} masks, the app compares {MAX_COMPARED}: leave some out.")
    session.fill_mask(text, top_k=1, progress=False)  # what is wrong with it is said before anything is loaded
    return run(model, text, precisions(), progress=False)


def seen(text: Any, second: Any = "", way: Any = BESIDE) -> Seen:
    """What is looked into. Raises ValueError with one actionable sentence."""
    if way not in (BESIDE, PAIR):
        raise ValueError(f"Choose how two sentences are read: {BESIDE} or {PAIR}.")
    if second is not None and not isinstance(second, str):
        raise ValueError("The second sentence must be a string.")
    other = _text(second, "second sentence", MAX_TEXT) if second and second.strip() else ""
    return Seen(_text(text, "sentence", MAX_TEXT), other, way)


def asked_about(packet: Any) -> tuple[Seen, Any]:
    """What a request of a view is about, and the request, from what a page sent."""
    if not isinstance(packet, list) or len(packet) != 2 or not isinstance(packet[0], list) or len(packet[0]) != 3:
        raise ValueError("A request must be a list of what it is about (text, second text, way) and what is asked.")
    return seen(*packet[0]), packet[1]


def inspections(session: Session, seen: Seen) -> list[Inspection]:
    """One, or two for texts beside each other."""
    if seen.second and seen.way == PAIR:
        return [session.inspect(seen.text, seen.second, progress=False)]
    return [session.inspect(text, progress=False) for text in (seen.text, seen.second) if text]


@dataclass(frozen=True)
class StatesAsked:
    """A view of the hidden states of some sentences."""

    lines: tuple[str, ...]
    view: str
    layer: int
    of: str
    corrected: bool


def state_views(session: Session) -> list[str]:
    """The views that the model has something for; the others need two models, or words to watch."""
    from xlmrxl.views.states import VIEWS  # noqa: PLC0415 - torch comes along

    left_out = {"drift", "targets"} | (set() if is_masked(session) else {"lens"})
    return [name for name in VIEWS if name not in left_out]


def state_shown(session: Session) -> int:
    """The state that is shown first."""
    from xlmrxl.inspection.languages import default_state  # noqa: PLC0415 - torch comes along

    return default_state(session.model.config.num_hidden_layers)


def states_asked(session: Session, text: Any, view: Any, layer: Any, of: Any, corrected: Any) -> StatesAsked:
    """What a page asks to see. Raises ValueError with one actionable sentence."""
    from xlmrxl.views.states import UNITS, VIEWS  # noqa: PLC0415 - torch comes along

    lines = tuple(line.strip() for line in _text(text, "text", MAX_TEXT).splitlines() if line.strip())
    if len(lines) > MAX_LINES:
        raise ValueError(f"There are {len(lines)} sentences, the app takes {MAX_LINES} together: leave some out.")
    if not isinstance(view, str) or view not in state_views(session):
        raise ValueError("There is no such view: choose one from the list.")
    last = session.model.config.num_hidden_layers
    whole = not isinstance(layer, bool) and isinstance(layer, int | float) and layer == layer // 1
    if not whole or not 0 <= layer <= last:
        raise ValueError(f"The state must be a whole number from 0 to {last}.")
    if of not in UNITS:
        raise ValueError(f"Choose what the points are: {', '.join(UNITS)}.")
    fitting = VIEWS[view].units
    return StatesAsked(lines, view, int(layer), of if of in fitting else fitting[0], corrected is True)


def saving(session: Session, packet: Any) -> tuple[str, StatesAsked]:
    """The kind of file that a page asks for, and of what. Raises ValueError with one actionable sentence."""
    if not isinstance(packet, list) or len(packet) != 2 or not isinstance(packet[1], list) or len(packet[1]) != 5:
        raise ValueError("A request must be a list of the kind of file and of what is shown.")
    if packet[0] not in FILES:
        raise ValueError(f"Choose a kind of file: {', '.join(FILES)}.")
    return packet[0], states_asked(session, *packet[1])


def parallel(session: Session, lines: tuple[str, ...]) -> Parallel:
    """The inspections of one sentence or more."""
    from xlmrxl.inspection.languages import Parallel  # noqa: PLC0415 - torch comes along

    names = [f"{number}. {line[:24]}{'…' if len(line) > 24 else ''}" for number, line in enumerate(lines, 1)]
    return Parallel([session.inspect(line, progress=False) for line in lines], names)


def states_result(texts: Parallel, asked: StatesAsked) -> Result:
    """What a view shows. Raises ValueError with one actionable sentence."""
    from xlmrxl.views.states import VIEWS, Asked  # noqa: PLC0415 - torch comes along

    view = VIEWS[asked.view]
    if not view.offered(texts):
        raise ValueError(f"The view “{view.name}” needs {view.needs}: write another sentence in a line of its own.")
    found: Result = view.make(Asked(texts, asked.layer, None, asked.of, 0, 1, asked.corrected, ()))
    return found


def languages() -> tuple[str, ...]:
    """The codes of those that have templates."""
    return tuple(json.loads((FOLDER / "topic.json").read_text(encoding="utf-8")))


def task_labels(task: Any, language: str = "en") -> str:
    """The labels of a task as they are written into one line; "" where they are one's own."""
    return ", ".join(templates(task, language).labels) if task in TASKS and task != OWN else ""


def classify(
    session: Session, text: Any, labels: Any = "", language: Any = "en", task: Any = OWN, second: Any = ""
) -> Classified:
    """Which label a text has, or a pair where there is a second text. Raises ValueError with one actionable sentence.

    Args:
        session: with a masked language model, or a head for texts, which has its own labels.
        text: what is classified.
        labels: separated by commas. Those that the task knows stand for its words in the language, others for
            themselves. None of them: those of the task, and where this is one's own, topics.
        language: of templates and words.
        task: one of `TASKS`.
        second: text of the pair.
    """
    text = _text(text, "text", MAX_TEXT)
    if second is not None and not isinstance(second, str):
        raise ValueError("The second text must be a string.")
    pair = _text(second, "second text", MAX_TEXT) if second and second.strip() else None
    options: dict[str, Any] = {}
    if is_masked(session) or labels:
        options = _labels(labels, _code(language), task)
    if task == "entailment" and options and pair is None:
        raise ValueError("The second text is empty: write what may follow from the first.")
    result = session.classify(text if pair is None else (text, pair), progress=False, **options)
    return Classified(result, options)


def _labels(labels: Any, language: str, task: Any) -> dict[str, Any]:
    """Labels, task and language as `Session.classify` takes them."""
    if task not in TASKS:
        raise ValueError(f"Choose a task: {', '.join(TASKS)}.")
    if not isinstance(labels, str):
        raise ValueError("The labels must be a string: write them in one line, with commas between them.")
    names = [name.strip() for name in re.split(COMMAS, labels) if name.strip()]
    if len(names) > MAX_LABELS:
        raise ValueError(f"There are {len(names)} labels, the app takes {MAX_LABELS}: leave some out.")
    for name in names:
        if len(name) > MAX_LABEL:
            raise ValueError(f"A label has {len(name):,} characters, the app takes {MAX_LABEL}: shorten it.")
        if names.count(name) > 1:
            raise ValueError(f"The label {name!r} is there twice: give each once.")
    options = {"task": "topic" if task == OWN else task, "language": language}
    known = templates(**options).labels
    if task == OWN and names:
        return {"labels": names, **options}
    if not names or names == list(known):
        return options
    return {"labels": {name: known.get(name, (name,)) for name in names}, **options}


def explain(session: Session, done: Classified, data: Any) -> Attribution:
    """Which words made a text have the label that the page named by its index. Raises ValueError as the others do."""
    index = _whole_number(data, "index")
    if index is None or not 0 <= index < len(done.result.labels):
        raise ValueError("There is no such label: choose one from the list.")
    text = done.result.text
    if done.result.pair is not None:
        raise ValueError("Only a single text can be explained, not a pair: leave the second text out.")
    count = _count_words(session, text)
    if count > MAX_EXPLAINED:
        raise ValueError(f"The text has {count} words, the app explains {MAX_EXPLAINED}: shorten it.")
    return session.explain(text, label=done.result.labels[index].label, progress=False, **done.options)


def _count_words(session: Session, text: str) -> int:
    """How many words are left out in turn, or a few more."""
    from xlmrxl.tasks.masked import kind_of, tokens_of, words  # noqa: PLC0415 - brings torch along

    spaceless = any(kind_of(character) == "own" for character in text)
    return len(words(tokens_of(session, text))) if spaceless else len(text.split())


def choose(session: Session, prompt: Any, choices: Any, question: Any = "", language: Any = "en") -> ChooseResult:
    """Which choice goes with a prompt. Raises ValueError with one actionable sentence.

    Args:
        session: with a masked language model or a multiple-choice head.
        prompt: what comes before.
        choices: a list, a JSON list, or one a line; empty ones are left out.
        question: "cause", "effect", or "" for neither.
        language: of the question.
    """
    before = _text(prompt, "prompt", MAX_TEXT)
    given = _listed(choices)
    if len(given) > MAX_CHOICES:
        raise ValueError(f"There are {len(given)} choices, the app takes {MAX_CHOICES}: leave some out.")
    if len(given) < 2:
        raise ValueError("There is not much to choose from: write two choices or more.")
    if any(len(choice) > MAX_CHOICE for choice in given):
        raise ValueError(f"A choice has more than {MAX_CHOICE} characters: shorten it.")
    if question not in ("", "none", "cause", "effect", None):
        raise ValueError("Choose a question: none, cause or effect.")
    asked = question if question in ("cause", "effect") else None
    return session.choose(before, given, question=asked, language=_code(language), progress=False)


def _listed(choices: Any) -> list[str]:
    if isinstance(choices, str):
        if not choices.lstrip().startswith("["):
            return [line for line in choices.splitlines() if line.strip()]
        try:
            choices = json.loads(choices)
        except (ValueError, RecursionError):
            raise ValueError("The choices look like JSON but are none: send a list of strings.") from None
    if not isinstance(choices, list | tuple) or not all(
        choice is None or isinstance(choice, str) for choice in choices
    ):
        raise ValueError("The choices must be a list of strings, or one a line.")
    return [choice for choice in choices if choice and choice.strip()]


def _text(text: Any, name: str, most: int) -> str:
    if not isinstance(text, str):
        raise ValueError(f"The {name} must be a string.")
    if not text.strip():
        raise ValueError(f"The {name} is empty: write something.")
    if len(text) > most:
        raise ValueError(f"The {name} has {len(text):,} characters, the app takes {most:,}: shorten it.")
    return text


def _code(language: Any) -> str:
    if not isinstance(language, str) or not re.fullmatch(r"[a-z]{2,3}", language):
        raise ValueError("The language must be a code such as 'en': choose one from the list.")
    return language


def example(examples: Sequence[E], data: Any) -> E:
    """The example that the page named. The page is not trusted: ValueError if there is none."""
    index = _whole_number(data, "index")
    if index is None or not 0 <= index < len(examples):
        raise ValueError("There is no such example: choose one from the list.")
    return examples[index]


def mask_token(data: Any) -> str:
    """Put a mask in place of the characters `start` to `end` of `text`, as the page asked; spaces stay.

    The page is not trusted: ValueError if that is not possible.
    """
    text = data.get("text") if isinstance(data, Mapping) else None
    start, end = _whole_number(data, "start"), _whole_number(data, "end")
    if not isinstance(text, str) or start is None or end is None or not 0 <= start < end <= len(text):
        raise ValueError("That token is no longer in the text: fill the text again and choose another.")
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return text[:start] + MASK + text[end:]


def model_line(session: Session) -> str:
    """What answers here: the model's name, its size as measured, and what to expect of it."""
    warning = ". A small model: expect mistakes" if is_small(session) else ""
    return f"Model {public(session).name}, {_count(session.model.num_parameters())} parameters{warning}."


def _count(number: int) -> str:
    for size, name in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,}"


def _whole_number(data: Any, key: str) -> int | None:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
