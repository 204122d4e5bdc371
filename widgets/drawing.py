"""What a widget does that shows a result as a figure: plotly.js for the page, and files of what is shown."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from xlmrxl.figures import Figure
from xlmrxl.tasks.result import Result
from xlmrxl.widgets.task import MODEL


class Drawing:
    """Mixed into a widget, which says by `_result` and `_drawn` what it shows."""

    send: Callable[..., None]

    def _result(self) -> Result:
        """Return what is shown; raise ValueError where nothing is."""
        raise NotImplementedError

    def _drawn(self, dark: bool) -> Figure:
        """Return its figure."""
        raise NotImplementedError

    @property
    def figure(self) -> Figure:
        """What is shown, as a plotly figure for a light page.

        Raises:
            ValueError: nothing is shown.
        """
        return self._drawn(dark=False)

    def save_html(self, path: str | os.PathLike[str]) -> Path:
        """Write what is shown as one HTML file that needs no network.

        Raises:
            ValueError: nothing is shown.
        """
        path = Path(path)
        path.write_text(self._page(), encoding="utf-8")
        return path

    def _page(self) -> str:
        page: str = self.figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
        return page

    def _light(self) -> str:
        figure: str = self.figure.to_json()
        return figure

    def _reply(self, _: Any, content: Any, __: Any) -> None:
        """Answer what the page asks for."""
        kind = content.get("type") if isinstance(content, dict) else None
        files: dict[Any, Callable[[], str]] = {
            "csv": lambda: self._result().to_csv(),
            "json": lambda: self._result().to_json(),
            "html": self._page,
            "figure": self._light,
        }
        reply: tuple[dict[str, Any], Sequence[bytes]]
        if kind == "plotly":
            reply = {"type": kind}, [plotly()]
        elif isinstance(kind, str) and kind in files:
            try:
                with MODEL:
                    reply = {"type": kind}, [files[kind]().encode("utf-8")]
            except ValueError as problem:
                reply = {"type": kind, "error": str(problem)}, []
        else:
            return
        self.send(*reply)


@lru_cache(maxsize=1)
def plotly() -> bytes:
    """plotly.js, deflated: a page is given it once, when there is something to draw."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - 5 MB

    return zlib.compress(get_plotlyjs().encode("utf-8"), 6)
