"""`ResultView`: a result of an inspection as a figure that is light or dark as the page is."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from xlmrxl.figures import Figure
from xlmrxl.inspection.parallel import default_state
from xlmrxl.inspection.projection import Projection
from xlmrxl.tasks.result import Result
from xlmrxl.views.states import draw
from xlmrxl.widgets.drawing import Drawing
from xlmrxl.widgets.task import read_module, read_style


class ResultView(Drawing, anywidget.AnyWidget):
    """Show a labelled matrix, curves, a projection, a logit lens or an alignment.

    Args:
        result: what an inspection gave.
        state: of a projection, the state it begins with; two thirds up if not given.
    """

    result = traitlets.Instance(Result, help="What is shown; set it to show another.")
    state = traitlets.Int(0, min=0, help="Of a projection, the state that is shown.").tag(sync=True)
    dark = traitlets.Bool(False, help="Whether the page is dark; the page says so itself.").tag(sync=True)
    drawn = traitlets.Unicode("", help="What the page draws, as JSON.").tag(sync=True)
    name = traitlets.Unicode("", help="Of the files that are saved.").tag(sync=True)

    _esm = read_module("result")
    _css = read_style()

    def __init__(self, result: Result, *, state: int | None = None) -> None:
        """Draw the result."""
        if state is None:
            state = default_state(result.states[-1]) if isinstance(result, Projection) else 0
        super().__init__(result=result, state=state)
        self.observe(self._draw, ["result", "dark"])
        self.on_msg(self._reply)
        self._draw()

    def _result(self) -> Result:
        found: Result = self.result
        return found

    def _drawn(self, dark: bool) -> Figure:
        return draw("", self._result(), self.state, dark)

    def _draw(self, _: Any = None) -> None:
        with self.hold_sync():
            self.name = type(self.result).__name__.lower()
            self.drawn = self._drawn(self.dark).to_json()
