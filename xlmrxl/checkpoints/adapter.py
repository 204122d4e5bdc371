"""Recognise an adapter (LoRA and its relatives): a few weights that belong on top of a model."""

from __future__ import annotations

import os
from typing import Any

from xlmrxl.checkpoints.hub import resolve_file
from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, describe, shorten

ADAPTER_NAME = "adapter_config.json"


def refuse_adapter(name_or_path: str | os.PathLike[str], **where: Any) -> None:
    """Refuse an adapter: a few weights on top of a model, which only its own library can put there.

    Raises:
        CheckpointError: the folder or repository holds an adapter; the message says how to make a checkpoint of it.
    """
    path = resolve_file(name_or_path, ADAPTER_NAME, required=False, **where)
    if path is None:
        return
    base = read_json_object(path).get("base_model_name_or_path")
    of = f" of {describe(base)}" if isinstance(base, str) and base else ""
    raise CheckpointError(
        f"{shorten(os.fspath(name_or_path), 200)} holds an adapter{of} ({ADAPTER_NAME}), not a whole model. Load it on "
        "its model with peft, merge the two with merge_and_unload(), save the result with save_pretrained(), and load "
        "that folder."
    )
