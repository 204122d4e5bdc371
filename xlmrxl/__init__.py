"""xlmrxl: look inside XLM-RoBERTa-XL.

    import xlmrxl
    session = xlmrxl.load()                       # the embedded model; or "facebook/xlm-roberta-xl", or a folder
    session.fill_mask("The capital of France is <mask>.")

The names of the model, its config and its tokenizer are those of transformers. Everything is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xlmrxl.version import __version__ as __version__

if TYPE_CHECKING:
    from xlmrxl.errors import CheckpointError
    from xlmrxl.model.auto import (
        AutoConfig,
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForMultipleChoice,
        AutoModelForQuestionAnswering,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )
    from xlmrxl.model.config import XLMRobertaXLConfig
    from xlmrxl.model.encoder import XLMRobertaXLModel
    from xlmrxl.model.heads import (
        XLMRobertaXLForCausalLM,
        XLMRobertaXLForMaskedLM,
        XLMRobertaXLForMultipleChoice,
        XLMRobertaXLForQuestionAnswering,
        XLMRobertaXLForSequenceClassification,
        XLMRobertaXLForTokenClassification,
    )
    from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel
    from xlmrxl.session import Session, load
    from xlmrxl.tasks.linear_classifier import LinearClassifier
    from xlmrxl.tokenization.added_tokens import AddedToken
    from xlmrxl.tokenization.encoding import BatchEncoding
    from xlmrxl.tokenization.tokenizer import AutoTokenizer, XLMRobertaTokenizer, XLMRobertaTokenizerFast

_HOMES = {
    "tokenization.added_tokens": ["AddedToken"],
    "model.auto": [
        "AutoConfig",
        "AutoModel",
        "AutoModelForCausalLM",
        "AutoModelForMaskedLM",
        "AutoModelForMultipleChoice",
        "AutoModelForQuestionAnswering",
        "AutoModelForSequenceClassification",
        "AutoModelForTokenClassification",
    ],
    "model.config": ["XLMRobertaXLConfig"],
    "errors": ["CheckpointError"],
    "tokenization.encoding": ["BatchEncoding"],
    "tokenization.tokenizer": ["AutoTokenizer", "XLMRobertaTokenizer", "XLMRobertaTokenizerFast"],
    "model.encoder": ["XLMRobertaXLModel"],
    "model.pretrained": ["XLMRobertaXLPreTrainedModel"],
    "model.heads": [
        "XLMRobertaXLForCausalLM",
        "XLMRobertaXLForMaskedLM",
        "XLMRobertaXLForMultipleChoice",
        "XLMRobertaXLForQuestionAnswering",
        "XLMRobertaXLForSequenceClassification",
        "XLMRobertaXLForTokenClassification",
    ],
    "session": ["Session", "load"],
    "tasks.linear_classifier": ["LinearClassifier"],
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
    "LinearClassifier",
    "Session",
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
