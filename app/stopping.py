"""Long work that says how far it is, and that its visitor can stop: see `Stops`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.context import get_blocks_context

from xlmrxl.app.handlers import Stopped
from xlmrxl.plan import format_size
from xlmrxl.progress import Progress

__all__ = ["Stopped", "Stops"]

EARLY = 1000
"""Visitors who stopped what still waits in the model's line; of more, the first are forgotten."""


class Stops:
    """The stopping of one tab's work, each visitor's own.

    Nothing here outlives the work that it is about.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, list[threading.Event]] = {}  # by visitor
        self._early: OrderedDict[str, None] = OrderedDict()
        self._id = ""

    def button(self, elem_id: str) -> gr.Button:
        """Build the button, which is seen while something of the tab runs; see `shown`.

        Its place is kept while it is not seen. What it does waits behind nobody.
        """
        self._id = elem_id
        button = gr.Button(
            "Stop", variant="secondary", elem_id=elem_id, elem_classes="x-stop", min_width=84, scale=0, size="md"
        )

        # This and `ended` have no threads of their own, which could come to their turns the other way round.
        async def press(request: gr.Request) -> None:
            self.stop(_visitor(request))

        button.click(press, None, None, queue=False, api_visibility="private", show_progress="hidden")
        return button

    def shown(self, event: Any) -> Any:
        """Have the button seen from the moment that an event begins, or begins to wait, until it has ended."""
        blocks = get_blocks_context()
        if blocks is None or not self._id:
            raise RuntimeError("Build the button first, in the blocks of the event.")
        number = event["id"]
        function = blocks.fns[number]
        inner = f"({function.js})(...values)" if function.js else "values"
        function.js = (
            f"async (...values) => {{ window.xlmrxl.showRunning({self._id!r}, {number}, true); return await {inner}; }}"
        )

        async def ended(request: gr.Request) -> None:
            self.forget(_visitor(request))

        for after in (event.then, event.failure):  # Gradio's `then` does not follow what failed
            after(
                ended,
                None,
                None,
                js=f"() => {{ window.xlmrxl.showRunning({self._id!r}, {number}, false); return []; }}",
                queue=False,
                api_visibility="private",
                show_progress="hidden",
            )
        return event

    @contextmanager
    def told(
        self, request: gr.Request | None, progress: Callable[..., Any] | None, title: str, unit: str = ""
    ) -> Iterator[Progress]:
        """The callback to give to work of the library, for as long as it goes on.

        Args:
            request: of the visitor; None for one who cannot stop.
            progress: the page function's `gr.Progress()`, None to show none.
            title: of the work, such as “Explaining”.
            unit: "B" where bytes are counted.

        Raises:
            Stopped: here or from the callback, once the visitor has pressed the button.
        """
        visitor = _visitor(request)
        pressed = threading.Event()
        with self._lock:
            if visitor in self._early:
                del self._early[visitor]
                raise Stopped
            self._running.setdefault(visitor, []).append(pressed)

        def report(done: int, total: int) -> None:
            if pressed.is_set():
                raise Stopped
            if progress is not None and total > 0:
                far = f"{format_size(done)} of {format_size(total)}" if unit == "B" else f"{done:,} of {total:,}"
                progress(min(done / total, 1.0), desc=f"{title}: {far}")

        try:
            if progress is not None:
                progress(0.0, desc=title)
            yield report
        finally:
            with self._lock:
                self._running[visitor].remove(pressed)
                if not self._running[visitor]:
                    del self._running[visitor]

    def stop(self, visitor: str) -> None:
        """End what runs for a visitor, or if nothing does yet, what is the next to."""
        if not visitor:
            return
        with self._lock:
            for pressed in self._running.get(visitor, ()):
                pressed.set()
            if visitor not in self._running:
                self._early[visitor] = None
                while len(self._early) > EARLY:
                    self._early.popitem(last=False)

    def forget(self, visitor: str) -> None:
        """Nothing of a visitor waits any more: a press that came too late is no press for what comes next."""
        with self._lock:
            self._early.pop(visitor, None)


def _visitor(request: gr.Request | None) -> str:
    """Of one page: another page of the same person is another visitor."""
    return str(getattr(request, "session_hash", None) or "")
