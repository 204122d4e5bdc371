"""Progress of what takes longer than a second: one callback, and the bar that shows it where nobody gives another."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int], None]
"""A callback that is called with how much has been done and how much there is; what it raises stops the work."""
DELAY = 1.0
"""Seconds before a bar appears: what is done by then needs none."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing with a report of progress."""


@contextmanager
def show_progress(progress: Progress | bool, title: str, unit: str = "B") -> Iterator[Progress]:
    """Give the callback to report progress to; a bar that it drives goes when the block ends.

    Args:
        progress: a callback of the caller's own, False for none, or True for a bar: on the standard error where that
            is a terminal, in the cell of a notebook, and nowhere else.
        title: of the bar.
        unit: "B" for bytes, otherwise the thing that is counted.
    """
    if callable(progress):
        yield progress
    elif not progress or not (in_notebook() or sys.stderr.isatty()):
        yield ignore_progress
    else:
        bar = _Bar(title, unit)
        try:
            yield bar
        finally:
            bar.close()


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    ipython = sys.modules.get("IPython")
    return kernel is not None and ipython is not None and isinstance(ipython.get_ipython(), kernel.ZMQInteractiveShell)


class _Bar:
    """A tqdm bar that learns its total with the first report."""

    def __init__(self, title: str, unit: str) -> None:
        self._settings: dict[str, Any] = {"desc": title, "unit": unit, "unit_scale": unit == "B", "mininterval": 0.3}
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            if in_notebook() and importlib.util.find_spec("ipywidgets") is not None:
                from tqdm.notebook import tqdm  # noqa: PLC0415
            else:
                from tqdm import tqdm  # noqa: PLC0415
            self._bar = tqdm(total=total, delay=DELAY, leave=False, **self._settings)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar, if it has appeared."""
        if self._bar is not None:
            self._bar.close()
