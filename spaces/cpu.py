"""xlmrxl on a CPU. Written by `xlmrxl space build`; the versions beside it belong to it."""

import os

import xlmrxl
from xlmrxl.app import launch

session = xlmrxl.load("${model}", precision="${precision}")

launch(
    session,
    host=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"),
    port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
    open_browser=False,
)
