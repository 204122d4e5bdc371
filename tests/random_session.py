"""Sessions on random models of which no parameter has a value that hides it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch

from xlmrxl import Session, XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM


def random_session(
    config: XLMRobertaXLConfig,
    vocabulary_file: Path,
    head=XLMRobertaXLForMaskedLM,
    labels: Sequence[str] = (),
    **changes,
) -> Session:
    """A session that is never written to disk; biases and layer norms are random too, where a new model has 0 and 1."""
    config = copy.deepcopy(config)
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: i for i, label in enumerate(labels)}
    for name, value in changes.items():
        setattr(config, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = head(config)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.3)
            elif name.endswith("orm.weight"):
                torch.nn.init.normal_(parameter, mean=1, std=0.3)
    return Session(model.eval(), XLMRobertaTokenizer(vocabulary_file), "random", "fp32")
