"""Open the app with the embedded model: `python -m xlmrxl.app`. `xlmrxl app` has options."""

import xlmrxl
from xlmrxl.app.main import launch

launch(xlmrxl.load())
