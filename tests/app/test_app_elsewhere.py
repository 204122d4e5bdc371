"""The app's work with the model done elsewhere, as on ZeroGPU: in a process that is sent it, and answers, pickled."""

from __future__ import annotations

import asyncio
import dataclasses
import html
import inspect
import json
import pickle
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import xlmrxl


@dataclasses.dataclass
class Elsewhere:
    """A `run` that does the work as if in another process: what goes in and out is pickled."""

    inside: threading.local = dataclasses.field(default_factory=threading.local)
    given: list[str] = dataclasses.field(default_factory=list)
    done: set[str] = dataclasses.field(default_factory=set)
    outside: list[str] = dataclasses.field(default_factory=list)

    def __call__(self, work: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{work.__module__}.{work.__name__}"
        self.given.append(name)

        def sent(*asked: Any) -> Any:
            self.inside.it = True
            try:
                result = pickle.dumps(work(*pickle.loads(pickle.dumps(asked))))
            finally:
                self.inside.it = False
            self.done.add(name)
            return pickle.loads(result)

        return sent

    def watch(self, module: Any, *_: Any) -> None:
        """A hook before every module of the model."""
        if not getattr(self.inside, "it", False):
            self.outside.append(type(module).__name__)


TEXT = "The dog is here.\nThe cat is there."
"""For every box: two sentences, and as a list two of something."""
UNSAID = ("second", "targets")
"""What the boxes are called that stay empty."""
MASKED = ("fill", "lens", "compare")
"""How those are called that want masks."""


def written_into(name: str) -> str:
    if name in ("teach", "teach-examples"):
        return "\n".join(f"{label}: {line}" for label in ("dog", "cat") for line in TEXT.splitlines())
    return TEXT.replace("The", "The <mask>") if name.startswith(MASKED) else TEXT


def about_in(shown: Any) -> list[Any]:
    """What a page describes to have a file of it."""
    if isinstance(shown, str):
        return json.loads(html.unescape(shown.partition('data-about="')[2].partition('"')[0]))
    return shown["about"]


class Page:
    """The app's page without a browser: every function is called with what its components hold, and may change that."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.values = {key: getattr(block, "value", None) for key, block in app.blocks.items()}
        for key, block in app.blocks.items():
            if type(block).__name__ == "Textbox" and not block.value and not str(block.elem_id).endswith(UNSAID):
                self.values[key] = written_into(block.elem_id)

    def try_everything(self) -> None:
        from gradio import EventData
        from gradio.helpers import special_args

        for each in self.app.fns.values():
            if each.fn is None or inspect.iscoroutinefunction(each.fn):  # the loop of the server runs no model
                continue
            asked = [self.values[block._id] for block in each.inputs]
            if {type(block).__name__ for block in each.inputs} == {"Api"}:  # an endpoint: what it needs is text
                asked = [written_into(each.api_name)] * (len(asked) - len(each.fn.__defaults__ or ()))
            data = EventData(None, {"index": 0, "text": written_into("fill"), "start": 0, "end": 3})
            asked = special_args(each.fn, asked, None, data)[0]
            answers = each.fn(*asked)
            answers = answers if isinstance(answers, tuple) and len(each.outputs) > 1 else (answers,)
            for block, answer in zip(each.outputs, answers, strict=False):
                self.take(block._id, answer)

    def ask_servers(self) -> None:
        """The attention explorer's requests, and files of what is shown."""
        for key, block in self.app.blocks.items():
            if hasattr(block, "ask"):
                about = self.values[key]["about"]
                reply = block.ask([about, {"id": 1, "type": "head", "layer": 0, "head": 0}])
                assert "error" not in reply
                assert "error" in block.ask([about, {"id": 1, "type": "head", "layer": 99, "head": 0}])
            if hasattr(block, "save"):
                assert "error" not in block.save(["csv", about_in(self.values[key])])

    def take(self, key: int, answer: Any) -> None:
        value = getattr(answer, "value", answer)
        if isinstance(answer, dict) and answer.get("__type__") == "update":
            value = answer.get("value")
        if value is not None:
            self.values[key] = value


@pytest.mark.slow
def test_all_work_with_the_model_goes_through_run(tmp_path: Path) -> None:
    """And gives the same page there as here."""
    pytest.importorskip("gradio")
    from browser.running_app import make_checkpoint

    from xlmrxl.app import create_app

    async def built(**how: Any) -> Any:  # with a loop running Gradio opens none of its own, which it would never close
        return create_app(session, **how)

    session = xlmrxl.load(make_checkpoint(tmp_path))
    run = Elsewhere()
    pages = [Page(asyncio.run(built(run=run))), Page(asyncio.run(built()))]
    hooks = [module.register_forward_pre_hook(run.watch) for module in session.model.modules()]
    for page in pages:
        page.try_everything()
        page.ask_servers()
        outside, run.outside = run.outside, []
        assert bool(outside) == (page is pages[1])
    for hook in hooks:
        hook.remove()
    assert run.done == set(run.given)
    assert {name.split(".")[2] for name in run.given} >= {"fill", "classify", "choose", "attention", "states"}
    free = re.compile(r"<span>[^<]* free</span>")  # of the machine's memory, from one moment to the next
    there, here = ([free.sub("", v) for v in page.values.values() if isinstance(v, str)] for page in pages)
    assert there == here
    assert sum("<" in text and "mask" in text for text in here) > 5
