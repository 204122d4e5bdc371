"""The hidden states of some sentences, in the views that there are of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from xlmrxl.app import quoting
from xlmrxl.app.handlers import MAX_TEXT, checked_text, is_masked
from xlmrxl.app.handlers.attending import inspected
from xlmrxl.tables.decoding import split_lines

if TYPE_CHECKING:
    from xlmrxl.inspection.parallel import Parallel
    from xlmrxl.progress import Progress
    from xlmrxl.session import Session
    from xlmrxl.tasks.result import Result

FILES = ("csv", "json", "html", "figure")  # what a view is saved as; the last one is what pictures are made of
MAX_LINES = 6  # sentences whose hidden states are shown together


class StatesJson(TypedDict):
    """What the endpoint `/hidden_states` answers: the view, the sentence that says what it is, and what it shows."""

    view: str
    what: str
    result: dict[str, Any]


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
    from xlmrxl.inspection.parallel import default_state  # noqa: PLC0415 - torch comes along

    return default_state(session.model.config.num_hidden_layers)


def states_asked(
    session: Session, text: Any, view: Any, layer: Any, of: Any, corrected: Any, slid: Any = ""
) -> StatesAsked:
    """What is asked to be seen.

    `slid` is the state that the slider of the plane was moved to, as a link may have it: nothing where there is none.

    Raises:
        ValueError: with one actionable sentence.
    """
    from xlmrxl.views.states import UNITS, VIEWS  # noqa: PLC0415 - torch comes along

    lines = tuple(line.strip() for line in split_lines(checked_text(text, "text", MAX_TEXT)) if line.strip())
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
    if not isinstance(corrected, bool):
        raise ValueError("Whether the mean is taken off must be true or false.")
    if view == "projection" and isinstance(slid, str) and slid in map(str, range(last + 1)):
        layer = int(slid)
    fitting = VIEWS[view].units
    return StatesAsked(lines, view, int(layer), of if of in fitting else fitting[0], corrected)


def saving(session: Session, packet: Any) -> tuple[str, StatesAsked]:
    """The kind of file that a page asks for, and of what. Raises ValueError with one actionable sentence."""
    if not isinstance(packet, list) or len(packet) != 2 or not isinstance(packet[1], list) or len(packet[1]) != 5:
        raise ValueError("A request must be a list of the kind of file and of what is shown.")
    if packet[0] not in FILES:
        raise ValueError(f"Choose a kind of file: {', '.join(FILES)}.")
    return packet[0], states_asked(session, *packet[1])


def named(lines: tuple[str, ...]) -> list[str]:
    """What the sentences are called."""
    return [f"{number}. {line[:24]}{'…' if len(line) > 24 else ''}" for number, line in enumerate(lines, 1)]


def parallel(session: Session, lines: tuple[str, ...], progress: Progress | None = None) -> Parallel:
    """The inspections of one sentence or more."""
    from xlmrxl.inspection.parallel import Parallel  # noqa: PLC0415 - torch comes along

    return Parallel(inspected(session, list(lines), progress), named(lines))


def states_result(texts: Parallel, asked: StatesAsked, progress: Progress | None = None) -> Result:
    """What a view shows. Raises ValueError with one actionable sentence."""
    from xlmrxl.views.states import VIEWS, Asked  # noqa: PLC0415 - torch comes along

    view = VIEWS[asked.view]
    if not view.offered(texts):
        raise ValueError(f"The view “{view.name}” needs {view.needs}: write another sentence in a line of its own.")
    found: Result = view.make(
        Asked(texts, asked.layer, None, asked.of, 0, 1, asked.corrected, (), progress=progress or False)
    )
    return found


def python(session: Session, asked: StatesAsked) -> str:
    """The lines that give what a view shows."""
    of, layer, remove = repr(asked.of), asked.layer, ", remove=0" if asked.corrected else ""
    several, measures = "from xlmrxl.inspection.parallel import Parallel", "from xlmrxl.inspection import states"
    one = {"read": f"session.inspect({asked.lines[0]!r})"}
    each = {"texts": repr(list(asked.lines)), "read": "[session.inspect(text) for text in texts]"}
    all_ = {**each, "together": f"Parallel(read, {named(asked.lines)!r})"}
    imports, made, call = {
        "projection": (several, all_, f"together.project(of={of})"),
        "cosine": (measures, each, f"states.cosines(read, {layer}, of={of}{remove})"),
        "lens": ("", one, "read.lens()"),
        "norms": (measures, one, "states.norms(read)"),
        "change": (measures, one, "states.through(read)"),
        "cka": (measures, one, "states.cka(read)"),
        "languages": (several, all_, f"together.similarity({of}{remove})"),
        "alignment": (several, all_, f"together.alignment(0, 1, {layer}{remove})"),
    }[asked.view]
    return quoting.reading(session, imports, **made, result=call) + "print(result)\n"
