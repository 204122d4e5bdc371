"""A sentence in several precisions."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from xlmrxl.app.handlers import MASK, MAX_TEXT, checked_text

if TYPE_CHECKING:
    from xlmrxl.compare import Comparison
    from xlmrxl.session import Session

MAX_COMPARED = 4  # masks


def precisions() -> tuple[str, ...]:
    """What can be compared here: fewer bits need bitsandbytes."""
    return ("fp32", "bf16", "8bit", "4bit") if importlib.util.find_spec("bitsandbytes") else ("fp32", "bf16", "fp16")


def compare(model: str, session: Session, text: Any) -> Comparison:
    """The fills of `text` in several precisions. Raises ValueError with one actionable sentence."""
    from xlmrxl.compare import compare as run  # noqa: PLC0415 - torch comes along

    text = checked_text(text, "sentence", MAX_TEXT)
    count = text.count(MASK)
    if not count:
        raise ValueError("There is no <mask> in the sentence: write one where a word is missing.")
    if count > MAX_COMPARED:
        raise ValueError(f"The sentence has {count} masks, the app compares {MAX_COMPARED}: leave some out.")
    session.fill_mask(text, top_k=1, progress=False)  # what is wrong with it is said before anything is loaded
    return run(model, text, precisions(), progress=False)
