"""The app in the browser: `launch(session)` serves it, `create_app(session)` builds it.

Gradio is imported when one of the two is first asked for: handlers and rendering do without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xlmrxl.app.main import create_app, launch

__all__ = ["create_app", "launch"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("xlmrxl.app.main"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
