"""xlmrxl: look inside XLM-RoBERTa-XL.

    import xlmrxl
    session = xlmrxl.load()                       # the embedded model; or "facebook/xlm-roberta-xl", or a folder
    session.fill_mask("The capital of France is <mask>.")

The names of the model, its config and its tokenizer are those of transformers. Everything is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xlmrxl.added_tokens import AddedToken
    from xlmrxl.auto import (
        AutoConfig,
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForMultipleChoice,
        AutoModelForQuestionAnswering,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )
    from xlmrxl.config import XLMRobertaXLConfig
    from xlmrxl.encoding import BatchEncoding
    from xlmrxl.heads import (
        XLMRobertaXLForCausalLM,
        XLMRobertaXLForMaskedLM,
        XLMRobertaXLForMultipleChoice,
        XLMRobertaXLForQuestionAnswering,
        XLMRobertaXLForSequenceClassification,
        XLMRobertaXLForTokenClassification,
    )
    from xlmrxl.hub import CheckpointError
    from xlmrxl.model import XLMRobertaXLModel
    from xlmrxl.pretrained import XLMRobertaXLPreTrainedModel
    from xlmrxl.session import Session, load
    from xlmrxl.tasks.teach import Taught
    from xlmrxl.tokenizer import AutoTokenizer, XLMRobertaTokenizer, XLMRobertaTokenizerFast

__version__ = "0.1.0"

_HOMES = {
    "added_tokens": ["AddedToken"],
    "auto": [
        "AutoConfig",
        "AutoModel",
        "AutoModelForCausalLM",
        "AutoModelForMaskedLM",
        "AutoModelForMultipleChoice",
        "AutoModelForQuestionAnswering",
        "AutoModelForSequenceClassification",
        "AutoModelForTokenClassification",
    ],
    "config": ["XLMRobertaXLConfig"],
    "hub": ["CheckpointError"],
    "encoding": ["BatchEncoding"],
    "tokenizer": ["AutoTokenizer", "XLMRobertaTokenizer", "XLMRobertaTokenizerFast"],
    "model": ["XLMRobertaXLModel"],
    "pretrained": ["XLMRobertaXLPreTrainedModel"],
    "heads": [
        "XLMRobertaXLForCausalLM",
        "XLMRobertaXLForMaskedLM",
        "XLMRobertaXLForMultipleChoice",
        "XLMRobertaXLForQuestionAnswering",
        "XLMRobertaXLForSequenceClassification",
        "XLMRobertaXLForTokenClassification",
    ],
    "session": ["Session", "load"],
    "tasks.teach": ["Taught"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AddedToken",
    "AutoConfig",
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoModelForMaskedLM",
    "AutoModelForMultipleChoice",
    "AutoModelForQuestionAnswering",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoTokenizer",
    "BatchEncoding",
    "CheckpointError",
    "Session",
    "Taught",
    "XLMRobertaTokenizer",
    "XLMRobertaTokenizerFast",
    "XLMRobertaXLConfig",
    "XLMRobertaXLForCausalLM",
    "XLMRobertaXLForMaskedLM",
    "XLMRobertaXLForMultipleChoice",
    "XLMRobertaXLForQuestionAnswering",
    "XLMRobertaXLForSequenceClassification",
    "XLMRobertaXLForTokenClassification",
    "XLMRobertaXLModel",
    "XLMRobertaXLPreTrainedModel",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'xlmrxl' has no attribute {name!r}")
    value = getattr(import_module(f"xlmrxl.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
