"""Where the parts of a model go: on one device, or spread over several by accelerate."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from xlmrxl.errors import InputError, MissingDependencyError

STRATEGIES = ("auto", "balanced", "balanced_low_0", "sequential")


def find_single_device(device_map: Any) -> torch.device | None:
    """Return the device where all of a model goes, or None where a map spreads it.

    Args:
        device_map: a device, its name or number, or a map of everything to one; or one of `STRATEGIES`; or a dict.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(device_map, dict) and list(device_map) == [""]:
        device_map = device_map[""]
    if isinstance(device_map, dict) or device_map in STRATEGIES:
        return None
    if isinstance(device_map, int) and not isinstance(device_map, bool):
        device_map = f"cuda:{device_map}"
    try:
        return torch.device(device_map)
    except (TypeError, RuntimeError):
        raise InputError(
            f"device_map is {device_map!r}; it must be one of {', '.join(STRATEGIES)}, a device, or a dict from "
            "modules to devices."
        ) from None


def infer_device_map(model: nn.Module, device_map: str | dict[str, Any], max_memory: Any = None) -> dict[str, Any]:
    """Return where each module goes, a layer never in two places.

    Args:
        model: with its weights.
        device_map: one of `STRATEGIES`, or a dict, which is returned as it is.
        max_memory: by device, the memory that may be used, as accelerate takes it.

    Raises:
        CheckpointError: accelerate is not installed.
    """
    library = _accelerate()
    if isinstance(device_map, dict):
        return device_map
    whole: list[str] = getattr(model, "_no_split_modules", None) or []
    if device_map != "sequential":
        max_memory = library.utils.get_balanced_memory(
            model,
            max_memory,
            no_split_module_classes=whole,
            low_zero=device_map == "balanced_low_0",
        )
    found = library.infer_auto_device_map(model, max_memory, no_split_module_classes=whole)
    return cast("dict[str, Any]", found)


def dispatch(model: nn.Module, device_map: dict[str, Any], **options: Any) -> None:
    """Move each module to where it goes, with hooks that move what passes between them.

    Args:
        model: with its weights, on the CPU.
        device_map: from `infer_device_map`.
        **options: `offload_dir`, `offload_buffers` and the like, of `accelerate.dispatch_model`.
    """
    _accelerate().dispatch_model(model, device_map=device_map, **options)


def _accelerate() -> Any:
    try:
        import accelerate  # noqa: PLC0415 - few have several GPUs
    except ModuleNotFoundError as error:
        raise MissingDependencyError("device_map needs accelerate", "multi-gpu") from error
    return accelerate
