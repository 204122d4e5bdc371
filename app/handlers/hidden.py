"""The hidden states of some sentences, in the views that there are of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from xlmrxl.app import quoting
from xlmrxl.app.handlers import MAX_TEXT, checked_text, is_masked
from xlmrxl.app.handlers.attending import inspected
from xlmrxl.tables.decoding import split_lines

if TYPE_CHECKING:
    from xlmrxl.inspection.parallel import ParallelInspection
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
class StatesRequest:
    """A view of the hidden states of some sentences, checked.

    Attributes:
        lines: the sentences.
        view: the name of the view, one of `views.states.STATE_VIEWS`.
        state: the hidden state that is shown; 0 is the embeddings.
        unit: what the points are.
        remove_mean: whether the mean, which all units share, is taken off.
    """

    lines: tuple[str, ...]
    view: str
    state: int
    unit: str
    remove_mean: bool


def list_state_views(session: Session) -> list[str]:
    """Return the views that the model has something for; the others need two models, or words to watch."""
    from xlmrxl.views.states import MASKED_LM, STATE_VIEWS, TWO_MODELS  # noqa: PLC0415 - torch comes along

    return [
        name
        for name, view in STATE_VIEWS.items()
        if view.needs is not TWO_MODELS
        and "targets" not in view.options
        and (view.needs is not MASKED_LM or is_masked(session))
    ]


def first_state(session: Session) -> int:
    """Return the state that is shown first."""
    from xlmrxl.inspection.parallel import default_state  # noqa: PLC0415 - torch comes along

    return default_state(session.model.config.num_hidden_layers)


def check_request(
    session: Session, text: Any, view: Any, state: Any, unit: Any, remove_mean: Any, slider_state: Any = ""
) -> StatesRequest:
    """Check what a page or a caller asks to see.

    Args:
        session: whose states are shown.
        text: the sentences, one a line.
        view: its name.
        state: of a view of one state.
        unit: what the points are.
        remove_mean: whether the mean is taken off.
        slider_state: the state that the slider of the projection was moved to, as a link may have it; empty where there
            is none.

    Raises:
        ValueError: with one actionable sentence.
    """
    from xlmrxl.inspection.units import UNITS  # noqa: PLC0415 - torch comes along
    from xlmrxl.views.states import STATE_VIEWS  # noqa: PLC0415

    lines = tuple(line.strip() for line in split_lines(checked_text(text, "text", MAX_TEXT)) if line.strip())
    if len(lines) > MAX_LINES:
        raise ValueError(f"There are {len(lines)} sentences, the app takes {MAX_LINES} together: leave some out.")
    if not isinstance(view, str) or view not in list_state_views(session):
        raise ValueError("There is no such view: choose one from the list.")
    last = session.model.config.num_hidden_layers
    whole = not isinstance(state, bool) and isinstance(state, int | float) and state == state // 1
    if not whole or not 0 <= state <= last:
        raise ValueError(f"The state must be a whole number from 0 to {last}.")
    if unit not in UNITS:
        raise ValueError(f"Choose what the points are: {', '.join(UNITS)}.")
    if not isinstance(remove_mean, bool):
        raise ValueError("Whether the mean is taken off must be true or false.")
    if view == "projection" and isinstance(slider_state, str) and slider_state in map(str, range(last + 1)):
        state = int(slider_state)
    units = STATE_VIEWS[view].units
    return StatesRequest(lines, view, int(state), unit if unit in units else units[0], remove_mean)


def check_saving(session: Session, packet: Any) -> tuple[str, StatesRequest]:
    """Return the kind of file that a page asks for, and of what. Raises ValueError with one actionable sentence."""
    if not isinstance(packet, list) or len(packet) != 2 or not isinstance(packet[1], list) or len(packet[1]) != 5:
        raise ValueError("A request must be a list of the kind of file and of what is shown.")
    if packet[0] not in FILES:
        raise ValueError(f"Choose a kind of file: {', '.join(FILES)}.")
    return packet[0], check_request(session, *packet[1])


def name_lines(lines: tuple[str, ...]) -> list[str]:
    """Return what the sentences are called: their number and how they begin."""
    return [f"{number}. {line[:24]}{'…' if len(line) > 24 else ''}" for number, line in enumerate(lines, 1)]


def inspect_lines(session: Session, lines: tuple[str, ...], progress: Progress | None = None) -> ParallelInspection:
    """Inspect one sentence or more."""
    from xlmrxl.inspection.parallel import ParallelInspection  # noqa: PLC0415 - torch comes along

    return ParallelInspection(inspected(session, list(lines), progress), name_lines(lines))


def make_view(texts: ParallelInspection, request: StatesRequest, progress: Progress | None = None) -> Result:
    """Return the result of a view. Raises ValueError with one actionable sentence."""
    from xlmrxl.views.states import STATE_VIEWS, StateOptions  # noqa: PLC0415 - torch comes along

    view = STATE_VIEWS[request.view]
    if view.needs is not None and not view.is_available(texts):
        raise ValueError(
            f"The view “{view.title}” needs {view.needs.description}: write another sentence in a line of its own."
        )
    options = StateOptions(
        texts, request.state, unit=request.unit, remove_mean=request.remove_mean, progress=progress or False
    )
    result: Result = view.make(options)
    return result


def write_python(session: Session, request: StatesRequest) -> str:
    """Return the lines that give what a view shows."""
    from xlmrxl.views.states import STATE_VIEWS  # noqa: PLC0415 - torch comes along

    call = STATE_VIEWS[request.view].python.format(
        state=request.state,
        unit=request.unit,
        remove=", remove=0" if request.remove_mean else "",
        text_index=0,
        other_index=1,
    )
    steps = {"inspections": "[session.inspect(text) for text in texts]"}
    if "inspection." in call or "inspection)" in call:
        steps = {"inspection": f"session.inspect({request.lines[0]!r})"}
    else:
        steps = {"texts": repr(list(request.lines)), **steps}
    imports = "from xlmrxl.inspection import states" if call.startswith("states.") else ""
    if call.startswith("parallel."):
        imports = "from xlmrxl.inspection.parallel import ParallelInspection"
        steps["parallel"] = f"ParallelInspection(inspections, {name_lines(request.lines)!r})"
    return quoting.reading(session, imports, **steps, result=call) + "print(result)\n"
