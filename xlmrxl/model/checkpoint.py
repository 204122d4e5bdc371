"""A checkpoint, opened, and the one way from it to a model, whoever asks.

`loading` moves the tensors; here is decided what they become: what is stored and asked is compared, the type of what is
not quantised is chosen, and the finished model is spread over devices and upcast where that is needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from xlmrxl.checkpoints.weight_files import Weights, open_weights
from xlmrxl.errors import CheckpointError, InputError, describe
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.device_map import dispatch, find_single_device, infer_device_map
from xlmrxl.model.loading import find_stored_dtype, load_weights
from xlmrxl.model.module import XLMRobertaXLModule
from xlmrxl.quantization.load_options import SIXTEEN_BITS, LoadOptions
from xlmrxl.quantization.precision import Precision, find_precision, read_stored_precision
from xlmrxl.quantization.upcast import upcast_where_needed


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose weights are mapped and not yet read.

    Attributes:
        name: for messages.
        config: as the model is to be built.
        weights: by their names in the files.
    """

    name: str
    config: XLMRobertaXLConfig
    weights: Weights

    @property
    def precision(self) -> str | None:
        """Return the quantised precision that the weights are stored in; None where they are not quantised.

        Raises:
            CheckpointError: they are quantised in a way that cannot be read.
        """
        return find_stored_precision(self.config)

    @property
    def dtype(self) -> torch.dtype:
        """Return the type that the weights have; of quantised ones, what config.json says of the others."""
        named: torch.dtype | None = self.config.torch_dtype
        if self.precision is not None and named is not None:
            return named
        return find_stored_dtype(self.weights)

    def settle_precision(self, asked: str | None) -> str | None:
        """Return the precision to load: the stored one where the checkpoint is quantised, else what was asked for.

        Raises:
            CheckpointError: the checkpoint is quantised otherwise than it was asked for.
        """
        stored = self.precision
        if stored is not None and asked not in (None, stored):
            raise CheckpointError(
                f"{self.name} has {stored} weights already and cannot be loaded as {asked}. Leave the precision out, "
                "or load the unquantised checkpoint."
            )
        return stored or asked


def open_checkpoint(
    name_or_path: str | os.PathLike[str] | None,
    config: XLMRobertaXLConfig,
    *,
    state_dict: Mapping[str, Tensor] | None = None,
    variant: str | None = None,
    safetensors: bool | None = None,
    **where: Any,
) -> Checkpoint:
    """Map the weights of a checkpoint.

    Args:
        name_or_path: a folder, a Hub repository or `"default"`; None where a state dict is given.
        config: of the model.
        state_dict: weights that count in place of the files.
        variant: a word in the name of the files.
        safetensors: True: no `.bin`, False: nothing else; either if None.
        **where: the options of `hub.resolve_file`.

    Raises:
        CheckpointError: there are no weights, or a file is missing or damaged.
    """
    if state_dict is not None:
        return Checkpoint("state_dict", config, Weights.from_state_dict(state_dict))
    assert name_or_path is not None
    weights = open_weights(name_or_path, variant=variant, safetensors=safetensors, **where)
    return Checkpoint(os.fspath(name_or_path), config, weights)


def load_checkpoint(
    model: XLMRobertaXLModule,
    checkpoint: Checkpoint,
    options: LoadOptions,
    *,
    ignore_mismatched_sizes: bool = False,
    fresh_heads: bool = True,
    device_map: Any = None,
    max_memory: Any = None,
    **dispatch_options: Any,
) -> dict[str, list[Any]]:
    """Load a checkpoint into a model without values, and set it to eval mode: the one way, whoever asks.

    On a processor that lacks the arithmetic of the model's 16-bit type, the model computes in float32 (see
    `quantization.upcast`).

    Args:
        model: built within `init_empty_weights` from the checkpoint's config.
        checkpoint: from `open_checkpoint`.
        options: how the weights are to be held; the dtype may be `SIXTEEN_BITS`, the precision None or what the
            checkpoint has already.
        ignore_mismatched_sizes: start afresh where a shape differs.
        fresh_heads: start afresh what a checkpoint lacks of a head, to be trained; otherwise it is an error.
        device_map: a device for all of the model, or how accelerate spreads it.
        max_memory: by device, as accelerate takes it.
        **dispatch_options: of `device_map.dispatch`.

    Returns:
        What `load_weights` says.

    Raises:
        CheckpointError: the checkpoint does not fit the model, or is quantised otherwise.
        MissingDependencyError: a package is missing that the precision or the device map needs.
    """
    single = None if device_map is None else find_single_device(device_map)
    precision = checkpoint.settle_precision(options.precision)
    if precision is not None:
        find_precision(precision).require_package()
    options = replace(options, precision=precision, device=single or options.device)
    if options.dtype == SIXTEEN_BITS:
        options = replace(options, dtype=options.choose_dtype(checkpoint.dtype))
    info = load_weights(model, checkpoint.weights, options, checkpoint.name, ignore_mismatched_sizes, fresh_heads)
    model.eval()
    spread = None
    if single is not None:
        model.hf_device_map = {"": single}  # as accelerate leaves it
    elif device_map is not None:
        spread = infer_device_map(model, device_map, max_memory)
    if spread is None or {str(device) for device in spread.values()} == {"cpu"}:
        upcast_where_needed(model)
    if spread is not None:
        dispatch(model, spread, **dispatch_options)
    return info


def find_stored_precision(config: XLMRobertaXLConfig) -> str | None:
    """Return the name of the quantised precision that a checkpoint is stored in, by its config; None if in none.

    Raises:
        CheckpointError: it is quantised in a way that cannot be read.
    """
    precision = read_stored_precision(getattr(config, "quantization_config", None))
    return None if precision is None else precision.name


def read_quantization(asked: Any, load_in_8bit: bool = False, load_in_4bit: bool = False) -> LoadOptions:
    """Read how a caller wants a model to be quantised.

    Args:
        asked: a `BitsAndBytesConfig` of transformers, the dict that its `to_dict` gives, or None.
        load_in_8bit: the same in short.
        load_in_4bit: the same in short.

    Returns:
        Options whose dtype is None where nothing is said of what is not quantised.

    Raises:
        InputError: they contradict each other, or ask for what cannot be had.
    """
    if asked is None:
        if load_in_8bit and load_in_4bit:
            raise InputError("load_in_8bit and load_in_4bit exclude each other.")
        return LoadOptions(None, "8bit" if load_in_8bit else "4bit" if load_in_4bit else None)
    if load_in_8bit or load_in_4bit:
        raise InputError("Give either quantization_config or load_in_8bit and load_in_4bit, not both.")
    settings = asked.to_dict() if hasattr(asked, "to_dict") else asked
    if not isinstance(settings, Mapping):
        raise InputError(f"quantization_config is {describe(asked)}; give a dict, or an object that has to_dict.")
    settings = {name: getattr(value, "value", value) for name, value in settings.items()}  # a method may be an Enum
    try:
        precision = cast("Precision", read_stored_precision(settings))
        return precision.layer.read_request(settings, precision.name)
    except CheckpointError as error:
        raise InputError(str(error).replace(" of config.json", "")) from None
