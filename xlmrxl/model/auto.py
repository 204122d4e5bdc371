"""The `Auto` classes of transformers, so that code for them runs with only its import changed. Each stands for one."""

from __future__ import annotations

import os
from typing import Any, ClassVar

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


class AutoConfig:
    """Reads the config of a checkpoint."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Return an `XLMRobertaXLConfig`; see there."""
        return XLMRobertaXLConfig.from_pretrained(pretrained_model_name_or_path, **kwargs)


class _AutoModel:
    model_class: ClassVar[type[XLMRobertaXLPreTrainedModel]]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Load a model; see `XLMRobertaXLPreTrainedModel.from_pretrained`."""
        return cls.model_class.from_pretrained(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def from_config(cls, config: XLMRobertaXLConfig, **kwargs: Any) -> Any:
        """Return a model with fresh weights."""
        return cls.model_class._from_config(config, **kwargs)


class AutoModel(_AutoModel):
    """Stands for `XLMRobertaXLModel`."""

    model_class = XLMRobertaXLModel


class AutoModelForMaskedLM(_AutoModel):
    """Stands for `XLMRobertaXLForMaskedLM`."""

    model_class = XLMRobertaXLForMaskedLM


class AutoModelForCausalLM(_AutoModel):
    """Stands for `XLMRobertaXLForCausalLM`."""

    model_class = XLMRobertaXLForCausalLM


class AutoModelForSequenceClassification(_AutoModel):
    """Stands for `XLMRobertaXLForSequenceClassification`."""

    model_class = XLMRobertaXLForSequenceClassification


class AutoModelForMultipleChoice(_AutoModel):
    """Stands for `XLMRobertaXLForMultipleChoice`."""

    model_class = XLMRobertaXLForMultipleChoice


class AutoModelForTokenClassification(_AutoModel):
    """Stands for `XLMRobertaXLForTokenClassification`."""

    model_class = XLMRobertaXLForTokenClassification


class AutoModelForQuestionAnswering(_AutoModel):
    """Stands for `XLMRobertaXLForQuestionAnswering`."""

    model_class = XLMRobertaXLForQuestionAnswering
