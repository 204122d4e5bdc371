"""xlmrxl on ZeroGPU. Written by `xlmrxl space build`; the versions beside it belong to it.

A GPU is there only while a function of `spaces.GPU` runs, in a process of its own that is forked from this one:
arguments and results are pickled, and the model, which is read here once, is moved to the GPU there. All work of the
app goes through one such function, so that one process serves all tabs for as long as ZeroGPU lets it live.
"""

import spaces  # before torch, as it has to be  # isort: skip

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import xlmrxl
from xlmrxl.app import launch

SECONDS = 30  # that one piece of work may take; what is asked for counts against a visitor's time for the day

session = xlmrxl.load("${model}", precision="${precision}")  # onto the GPU; where there is none, as on a CPU
work: list[Callable[..., Any]] = []


@spaces.GPU(duration=SECONDS)
def on_gpu(number: int, *asked: Any) -> Any:
    """Call one of the pieces of work where ZeroGPU lends a GPU."""
    return work[number](*asked)


def run(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what the app calls in place of one of its functions that run the model."""
    work.append(function)
    return partial(on_gpu, len(work) - 1)


launch(
    session,
    host=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"),
    port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
    open_browser=False,
    run=run,
)
