"""Stopping what a visitor began, without a browser: whose work ends, and what is left of it."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

import xlmrxl
from xlmrxl.app import handlers
from xlmrxl.app.stopping import EARLY, Stopped, Stops


def visitor(name: str) -> SimpleNamespace:
    """What of a request counts."""
    return SimpleNamespace(session_hash=name)


class Works:
    """Work of a visitor in a thread of its own, step by step."""

    def __init__(self, stops: Stops, name: str) -> None:
        self.step, self.stepped, self.outcome = threading.Semaphore(0), threading.Semaphore(0), None
        self.thread = threading.Thread(target=self.work, args=(stops, name))
        self.thread.start()
        self.stepped.acquire()

    def work(self, stops: Stops, name: str) -> None:
        def steps() -> str:
            with stops.told(visitor(name), None, "Working") as told:
                for done in range(3):
                    self.stepped.release()
                    self.step.acquire()
                    told(done, 3)
            return name

        self.outcome = handlers.attempt(steps, "working")

    def end(self) -> handlers.Outcome:
        for _ in range(3):
            self.step.release()
        self.thread.join()
        return self.outcome


def test_stopped_is_a_sentence() -> None:
    assert issubclass(Stopped, ValueError)
    assert str(Stopped()) == "Stopped."


def test_only_the_work_of_who_pressed_is_stopped() -> None:
    stops = Stops()
    one, other = Works(stops, "one"), Works(stops, "other")
    stops.stop("one")
    assert one.end().problem == "Stopped."
    assert other.end().result == "other"
    assert Works(stops, "one").end().result == "one"
    assert not stops._running
    assert not stops._early


def test_all_that_a_visitor_runs_in_a_tab_is_stopped() -> None:
    stops = Stops()
    works = [Works(stops, "one") for _ in range(2)]
    stops.stop("one")
    assert [work.end().problem for work in works] == ["Stopped."] * 2


def test_each_tab_stops_its_own() -> None:
    here, there = Stops(), Stops()
    work = Works(here, "one")
    there.stop("one")
    assert work.end().result == "one"


def test_what_waits_is_stopped_when_it_begins_and_a_late_press_stops_nothing() -> None:
    stops = Stops()
    stops.stop("one")
    with pytest.raises(Stopped), stops.told(visitor("one"), None, "Working"):
        raise AssertionError("it began")
    stops.stop("one")  # when its work had ended already
    stops.forget("one")
    assert Works(stops, "one").end().result == "one"


def test_what_is_kept_is_bounded() -> None:
    stops = Stops()
    for number in range(EARLY + 10):
        stops.stop(str(number))
    assert len(stops._early) == EARLY
    stops.stop("")
    assert "" not in stops._early


def test_nobody_is_left_behind_by_work_that_fails() -> None:
    stops = Stops()
    with pytest.raises(RuntimeError, match="broken"), stops.told(visitor("one"), None, "Working"):
        raise RuntimeError("broken")
    assert not stops._running


@pytest.mark.parametrize("request_", [None, visitor("")])
def test_who_has_no_page_is_not_stopped(request_: SimpleNamespace | None) -> None:
    stops = Stops()
    with stops.told(request_, None, "Working") as told:
        stops.stop("")
        told(1, 2)


def test_progress_is_shown_in_words_and_as_a_share() -> None:
    shown = []
    with Stops().told(None, lambda share, desc: shown.append((share, desc)), "Explaining") as told:
        told(0, 0)  # nothing is known yet
        told(1, 4)
    with Stops().told(None, lambda share, desc: shown.append((share, desc)), "Loading a", "B") as told:
        told(1_500_000_000, 3_000_000_000)
    assert shown == [
        (0.0, "Explaining"),
        (0.25, "Explaining: 1 of 4"),
        (0.0, "Loading a"),
        (0.5, "Loading a: 1.5 GB of 3 GB"),
    ]


def test_work_of_the_library_is_stopped(tiny_folder) -> None:
    """What the callback raises ends it."""
    stops = Stops()

    def load() -> xlmrxl.Session:
        with stops.told(visitor("one"), None, "Loading", "B") as told:
            stops.stop("one")
            return xlmrxl.load(tiny_folder, progress=told)

    assert handlers.attempt(load, "loading").problem == "Stopped."


def test_the_button_waits_behind_nobody_and_both_ends_of_an_event_hide_it() -> None:
    gr = pytest.importorskip("gradio")

    async def built() -> object:  # with a loop running Gradio opens none of its own, which it would never close
        with gr.Blocks() as app:
            stops = Stops()
            with pytest.raises(RuntimeError, match="button first"):
                stops.shown(None)
            stops.button("a-stop")
            text = gr.Textbox()
            plain = text.submit(lambda text: text, text, text)
            dark = text.blur(lambda text, dark: text, [text, text], text, js="(...asked) => [...asked, 1]")
            assert stops.shown(plain) is plain
            stops.shown(dark)
        return app, plain, dark

    app, plain, dark = asyncio.run(built())
    press = next(function for function in app.fns.values() if function.name == "press")
    assert not press.queue
    assert press.api_visibility == "private"
    for event, inner in ((plain, "return await values;"), (dark, "((...asked) => [...asked, 1])(...values)")):
        assert inner in app.fns[event["id"]].js
        after = [function for function in app.fns.values() if function.trigger_after == event["id"]]
        assert [function.trigger_only_on_failure for function in after] == [False, True]
        assert not any(function.queue for function in after)
