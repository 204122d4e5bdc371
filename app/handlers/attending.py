"""What is looked into: the texts whose attention is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from xlmrxl.app import quoting
from xlmrxl.app.handlers import MAX_TEXT, checked_text

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection
    from xlmrxl.progress import Progress
    from xlmrxl.session import Session

BESIDE, PAIR = "beside", "pair"
MAX_TOKENS = 128  # of what an endpoint answers about: a matrix of so many rows and columns


class TextJson(TypedDict):
    """One text, or a pair: its tokens, and what they pay attention to; a row for each token that looks."""

    tokens: list[str]
    attention: list[list[float]]


class AttentionJson(TypedDict):
    """What the endpoint `/attention` answers: the head, and the texts that stand beside each other."""

    layer: int
    head: int
    texts: list[TextJson]


class StatisticsJson(TypedDict):
    """What the endpoint `/attention_statistics` answers: by name a number for each head, in a list for each layer."""

    tokens: list[str]
    layers: int
    heads: int
    statistics: dict[str, list[list[float | None]]]


class Seen(NamedTuple):
    """What is looked into: one text, two beside each other, or two read as a pair."""

    text: str
    second: str
    way: str


def seen(text: Any, second: Any = "", way: Any = BESIDE) -> Seen:
    """What is looked into. Raises ValueError with one actionable sentence."""
    if way not in (BESIDE, PAIR):
        raise ValueError(f"Choose how two sentences are read: {BESIDE} or {PAIR}.")
    if second is not None and not isinstance(second, str):
        raise ValueError("The second sentence must be a string.")
    other = checked_text(second, "second sentence", MAX_TEXT) if second and second.strip() else ""
    return Seen(checked_text(text, "sentence", MAX_TEXT), other, way)


def asked_about(session: Session, packet: Any) -> tuple[Seen, Any]:
    """What a request of a view is about, and the request, from what a page sent. Raises ValueError for the page."""
    if not isinstance(packet, list) or len(packet) != 2 or not isinstance(packet[0], list) or len(packet[0]) != 4:
        raise ValueError(
            "A request must be a list of what it is about (text, second text, way, model) and what is asked."
        )
    *texts, model = packet[0]
    if model != named(session):
        raise ValueError("Another model has been loaded: press the button to look into that.")
    return seen(*texts), packet[1]


def named(session: Session) -> str:
    """The model, for a page that shows what it says."""
    return f"{session.name} {session.revision or ''} {session.precision}"


def inspections(session: Session, seen: Seen, progress: Progress | None = None) -> list[Inspection]:
    """One, or two for texts beside each other. `progress` is told how many layers are done, and how many there are."""
    if seen.second and seen.way == PAIR:
        return [session.inspect(seen.text, seen.second, progress=progress or False)]
    return inspected(session, [text for text in (seen.text, seen.second) if text], progress)


def inspected(session: Session, texts: list[str], progress: Progress | None) -> list[Inspection]:
    """Of each text, one after the other."""

    def told(nth: int) -> Progress:
        return lambda done, total: progress(nth * total + done, len(texts) * total) if progress else None

    return [session.inspect(text, progress=told(nth) if progress else False) for nth, text in enumerate(texts)]


def python(session: Session, seen: Seen) -> str:
    """The lines that read what is looked into; the page goes on with what it shows, see `views/python.js`."""
    if not seen.second:
        return quoting.reading(session, inspection=f"session.inspect({seen.text!r})")
    if seen.way == PAIR:
        return quoting.reading(session, inspection=f"session.inspect({seen.text!r}, {seen.second!r})")
    return quoting.reading(session, first=f"session.inspect({seen.text!r})", second=f"session.inspect({seen.second!r})")


def short_enough(session: Session, *texts: str) -> None:
    """Raises ValueError where texts have more tokens together than an endpoint answers about."""
    count = sum(len(session.tokenizer(text)["input_ids"]) for text in texts)
    if count > MAX_TOKENS:
        raise ValueError(f"There are {count} tokens, which is more than {MAX_TOKENS} together: shorten the text.")


def attention(found: list[Inspection], layer: Any, head: Any) -> AttentionJson:
    """The weights of one head. Raises ValueError with one actionable sentence."""
    layers, heads = found[0].layers, found[0].heads
    for number, count in ((layer, layers), (head, heads)):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < count:
            raise ValueError(
                f"There is no such head: layers count from 0 to {layers - 1}, heads from 0 to {heads - 1}."
            )
    return {
        "layer": layer,
        "head": head,
        "texts": [
            {"tokens": [token.piece for token in one.tokens], "attention": one.attention(layer, head).tolist()}
            for one in found
        ],
    }


def statistics(one: Inspection) -> StatisticsJson:
    """Every statistic of every head; None where it is not defined."""
    from xlmrxl.inspection.head_statistics import list_statistics  # noqa: PLC0415 - torch comes along
    from xlmrxl.tasks.result import to_json_value  # noqa: PLC0415

    return {
        "tokens": [token.piece for token in one.tokens],
        "layers": one.layers,
        "heads": one.heads,
        "statistics": {
            name: to_json_value(one.statistic(name, progress=False).tolist())
            for name in list_statistics("weights", "value_norms")
        },
    }
