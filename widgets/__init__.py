"""Jupyter widgets: the tasks and the views of xlmrxl in a notebook cell, each usable in one line on a loaded model.

    from xlmrxl.widgets import MaskFiller
    MaskFiller(session, "Paris is the <mask> of France.")

What a widget shows can be read back from its traits, and changes when they are set.
"""

try:
    import anywidget as _anywidget  # noqa: F401
except ModuleNotFoundError as error:
    from xlmrxl.errors import MissingDependencyError

    raise MissingDependencyError("xlmrxl.widgets needs anywidget", "widgets") from error

from xlmrxl.widgets.attention import AttentionExplorer
from xlmrxl.widgets.choose import ChoiceScorer
from xlmrxl.widgets.classify import TextClassifier
from xlmrxl.widgets.fill import MaskFiller
from xlmrxl.widgets.result import ResultView
from xlmrxl.widgets.states import HiddenStateExplorer

__all__ = ["AttentionExplorer", "ChoiceScorer", "HiddenStateExplorer", "MaskFiller", "ResultView", "TextClassifier"]
