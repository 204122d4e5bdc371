"""What is looked into: the texts whose attention is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xlmrxl.app.handlers import MAX_TEXT, checked_text

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection
    from xlmrxl.session import Session

BESIDE, PAIR = "beside", "pair"


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
