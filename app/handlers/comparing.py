"""A sentence in several precisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

from xlmrxl.app.handlers import MASK, MAX_TEXT, checked_text, tabs
from xlmrxl.app.handlers.filling import MaskJson
from xlmrxl.quantization.precision import PRECISIONS, list_quantized
from xlmrxl.tasks.result import Result, Source
from xlmrxl.version import __version__

if TYPE_CHECKING:
    from xlmrxl.progress import Progress
    from xlmrxl.session import Session
    from xlmrxl.tasks.compare_precisions import Comparison

MAX_COMPARED = 4  # masks


class PrecisionJson(TypedDict):
    """One precision beside the first.

    `kl` is how far its distribution at the masks is from the first's in nats, `top1` how often (0 to 1) both have the
    same likeliest piece, `drift` how far each state there has moved, as a share of its length, from the embeddings on.
    """

    precision: str
    kl: float
    top1: float
    drift: list[float]


class FillsJson(TypedDict):
    """The fills of one precision, by mask."""

    precision: str
    text: str
    masks: list[MaskJson]


class CompareJson(TypedDict):
    """What the endpoint `/compare` answers: the model, how many masks there are, and the precisions in order."""

    model: str
    texts: int
    masks: int
    precisions: list[PrecisionJson]
    fills: list[FillsJson]


@dataclass(frozen=True)
class Compared(Result):
    """A comparison, with what has to be known to get it again."""

    comparison: Comparison

    def content(self) -> dict[str, Any]:
        return self.comparison.to_dict()

    def to_html(self, *, interactive: bool = True) -> str:
        return self.comparison.to_html(interactive=interactive)

    def rows(self) -> list[dict[str, Any]]:
        """A row a fill, with how far its precision is from the first."""
        return [
            {"precision": each.precision, **row, "kl": each.kl, "top1": each.top1}
            for each, result in zip(self.comparison.differences, self.comparison.fills, strict=True)
            for row in result.rows()
        ]


def precisions() -> tuple[str, ...]:
    """Return what can be compared here: the quantised precisions whose package is installed, beside 32 and 16 bits."""
    quantized = [name for name in list_quantized() if PRECISIONS[name].is_installed]
    return ("fp32", "bf16", *(quantized or ["fp16"]))


def compare(model: str, session: Session, text: Any, told: Progress | None = None) -> Compared:
    """The fills of `text` in several precisions. Raises ValueError with one actionable sentence.

    Args:
        model: what is loaded in each of them.
        session: the same model, which says what is wrong with the text before anything is loaded.
        text: a sentence with masks.
        told: is told the bytes of all precisions that have been read, and how many there are.
    """
    from xlmrxl.tasks.compare_precisions import compare_precisions  # noqa: PLC0415 - torch comes along

    if "compare" not in tabs(session):  # another model may have been loaded since the page was opened
        raise ValueError("The model is large or has fewer bits already: compare its precisions by xlmrxl compare.")
    text = checked_text(text, "sentence", MAX_TEXT)
    count = text.count(MASK)
    if not count:
        raise ValueError("There is no <mask> in the sentence: write one where a word is missing.")
    if count > MAX_COMPARED:
        raise ValueError(f"The sentence has {count} masks, the app compares {MAX_COMPARED}: leave some out.")
    session.fill_mask(text, top_k=1, progress=False)
    progress = False if told is None else _all_of_them(told)
    found = compare_precisions(model, text, precisions(), progress=progress, **_revision(session))
    # Where a folder lies on the machine is nobody's business.
    return Compared(
        Source(session.name, session.revision, ", ".join(precisions()), __version__), replace(found, model=session.name)
    )


def python(session: Session, text: str) -> str:
    """The lines that give the comparison of a text."""
    told = ", ".join(
        [*map(repr, (session.name, text, precisions())), *(f"{k}={v!r}" for k, v in _revision(session).items())]
    )
    imports = "from xlmrxl.tasks.compare_precisions import compare_precisions"
    return f"{imports}\n\nresult = compare_precisions({told})\nprint(result)\n"


def _revision(session: Session) -> dict[str, Any]:
    return {"revision": session.revision} if session.revision else {}


def _all_of_them(told: Progress) -> Progress:
    """The progress of one loading after the other as that of all."""
    count = len(precisions())
    loading, last = 0, 0

    def progress(done: int, total: int) -> None:
        nonlocal loading, last
        if done < last:
            loading += 1
        last = done
        told(loading * total + done, count * total)

    return progress
