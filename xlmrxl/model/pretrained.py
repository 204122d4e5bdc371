"""What every model has of files: `from_pretrained` and `save_pretrained`."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from xlmrxl.checkpoints.keywords import refuse_save_options, take_hub_options
from xlmrxl.checkpoints.weight_files import save_weights
from xlmrxl.errors import CheckpointError, InputError
from xlmrxl.model.checkpoint import find_stored_precision, load_checkpoint, open_checkpoint, read_quantization
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.module import XLMRobertaXLModule, init_empty_weights
from xlmrxl.quantization.load_options import SIXTEEN_BITS
from xlmrxl.quantization.upcast import is_upcast

Model = TypeVar("Model", bound="XLMRobertaXLPreTrainedModel")


class XLMRobertaXLPreTrainedModel(XLMRobertaXLModule):
    """The base of all models."""

    # Saving

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        is_main_process: bool = True,
        state_dict: Mapping[str, Tensor] | None = None,
        save_function: Callable[..., Any] = torch.save,
        *,
        max_shard_size: int | str = "5GB",
        safe_serialization: bool = True,
        variant: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write config.json and the weights into a folder, in the layout that transformers reads.

        Args:
            save_directory: the folder; it is made if need be, and a checkpoint in it is replaced.
            is_main_process: whether this process writes; the others of a distributed training do not.
            state_dict: written in place of the model's own, such as one gathered from several processes.
            save_function: writes a `.bin`, as `torch.save` does; without effect on safetensors.
            max_shard_size: bytes a file, as a number or like `"5GB"`.
            safe_serialization: safetensors, or a `.bin` pickle if False.
            variant: a word in the name of the files (`"fp16"`: `model.fp16.safetensors`).
            **kwargs: what transformers takes and what is without effect here, such as `push_to_hub=False`.

        Raises:
            CheckpointError: it cannot be written.
            TypeError: an unknown argument.
            InputError: `push_to_hub=True`, or a size or a variant that cannot be.
        """
        refuse_save_options("save_pretrained", kwargs)
        if not is_main_process:
            return
        folder = Path(save_directory)
        if folder.is_file():
            raise CheckpointError(f"{folder} is a file; give a folder to save into.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"{folder} cannot be made ({error.strerror}). Choose another folder.") from error
        save_weights(
            folder,
            self._own_state(self.state_dict() if state_dict is None else state_dict),
            max_shard_size=max_shard_size,
            safe_serialization=safe_serialization,
            save_function=save_function,
            variant=variant,
        )
        config = copy.copy(self.config)
        config.architectures = [type(self).__name__]
        config.torch_dtype = self.dtype
        config.save_pretrained(folder)
        self._save_further(folder)

    def _save_further(self, folder: Path) -> None:
        """Write what else a checkpoint of such a model has."""

    def _own_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a state without what is only another name for a tensor already there."""
        shared = self._shared_names()
        state = {name: tensor for name, tensor in state.items() if name not in shared}
        if not self.config.tie_word_embeddings and "lm_head.bias" in state:
            # Where nothing is tied, transformers 5 reads the bias by its other name.
            state["lm_head.decoder.bias"] = state["lm_head.bias"].clone()
        return state

    # Loading

    @classmethod
    def from_pretrained(
        cls: type[Model],
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *,
        config: XLMRobertaXLConfig | str | os.PathLike[str] | None = None,
        torch_dtype: torch.dtype | str | None = None,
        dtype: torch.dtype | str | None = None,
        attn_implementation: str | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        state_dict: Mapping[str, Tensor] | None = None,
        device_map: Any = None,
        max_memory: dict[Any, Any] | None = None,
        offload_folder: str | os.PathLike[str] | None = None,
        offload_buffers: bool = False,
        quantization_config: Any = None,
        load_in_8bit: bool = False,
        load_in_4bit: bool = False,
        use_safetensors: bool | None = None,
        variant: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Load a model from a folder, a Hub repository (`facebook/xlm-roberta-xl`) or `"default"`, in eval mode.

        Files are mapped, not read: a tensor that needs no conversion takes no memory of its own. A processor that
        lacks the arithmetic of a 16-bit type computes in float32, which is faster and rounds less. A head that the
        checkpoint lacks starts with fresh weights, and the log says so; anything else that is missing, left over
        or of a wrong shape is an error.

        Args:
            pretrained_model_name_or_path: where the checkpoint is; None where `config` and `state_dict` are given.
            config: used in place of the checkpoint's own, or where that one is.
            torch_dtype: `torch.float32` (the default, as in transformers 4), another type or its name, or `"auto"`
                for the one that the checkpoint has.
            dtype: the same, by its name in transformers 5.
            attn_implementation: `"sdpa"` (the default) or `"eager"`.
            ignore_mismatched_sizes: start afresh where a shape differs (a head with another number of labels).
            output_loading_info: return the model and a dict with `missing_keys`, `unexpected_keys`,
                `mismatched_keys` (name, shape in the checkpoint, shape in the model) and `error_msgs`.
            state_dict: weights that count in place of the checkpoint's files. They are copied.
            device_map: a device (`"cuda"`, 0) for all of the model, or `"auto"`, `"balanced"`, `"balanced_low_0"`,
                `"sequential"` or a dict from modules to devices, by which accelerate spreads it.
            max_memory: by device, the bytes that may be used, as accelerate takes it.
            offload_folder: where accelerate puts what fits no device.
            offload_buffers: whether accelerate puts buffers there as well.
            quantization_config: a `BitsAndBytesConfig` of transformers, or what its `to_dict` gives. The encoder's
                linear layers are quantised; which of them are left out, the threshold of 8 bits and the nesting of
                4 bits are as it says. `bnb_4bit_compute_dtype` is the type of the rest where no other is given.
            load_in_8bit: the same in short. What is not quantised is then in 16 bits unless a type is given. A
                checkpoint that is quantised already needs neither this nor the next.
            load_in_4bit: the same in 4 bits.
            use_safetensors: True: no `.bin`, False: no safetensors; either if None.
            variant: a word in the name of the files (`"fp16"`: `model.fp16.safetensors`).
            **kwargs: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download` and `subfolder` say where
                to look; the rest overrides the config (`num_labels=3`). What older and newer versions of transformers
                take and what is without effect here is accepted.

        Raises:
            CheckpointError: nothing is there, or it does not fit this model.
            TypeError: an argument that is none, and no setting of the config.
            InputError: an argument that cannot be had, or a wrong value.
        """
        where = take_hub_options(kwargs)
        name = pretrained_model_name_or_path
        if name is None and (config is None or state_dict is None):
            raise InputError("Without the name of a checkpoint, give both config and state_dict.")
        parts = {key: kwargs.pop(key) for key in inspect.signature(cls).parameters if key in kwargs}
        config = cls._read_config(name if config is None else config, where, kwargs)
        if attn_implementation is not None:
            config.attn_implementation = attn_implementation
            config._check()
        asked = torch_dtype if torch_dtype is not None else dtype
        options = read_quantization(quantization_config, load_in_8bit, load_in_4bit)
        if asked is not None or (options.precision is None and find_stored_precision(config) is None):
            options = replace(options, dtype=_read_dtype(asked))
        elif options.dtype is None:
            options = replace(options, dtype=SIXTEEN_BITS)
        checkpoint = open_checkpoint(
            name, config, state_dict=state_dict, variant=variant, safetensors=use_safetensors, **where
        )
        with init_empty_weights():
            model = cls(config, **parts)
        info = load_checkpoint(
            model,
            checkpoint,
            options,
            ignore_mismatched_sizes=ignore_mismatched_sizes,
            device_map=device_map,
            max_memory=max_memory,
            offload_dir=offload_folder,
            offload_buffers=offload_buffers,
        )
        if state_dict is not None:
            _copy_shared(model, state_dict)
        if name is not None:
            model._read_further(name, where)
        if is_upcast(model):
            # What is computed in float32 is returned in the type of the weights, whatever the processor.
            model.register_forward_hook(_round_outputs)
        return (model, info) if output_loading_info else model

    def _read_further(self, name_or_path: str | os.PathLike[str], where: dict[str, Any]) -> None:
        """Read what else a checkpoint has for such a model."""

    @classmethod
    def _read_config(cls, source: Any, where: dict[str, Any], settings: dict[str, Any]) -> XLMRobertaXLConfig:
        """Return a config of the model's own, with some settings changed."""
        if not isinstance(source, XLMRobertaXLConfig):
            found: XLMRobertaXLConfig = cls.config_class.from_pretrained(source, **where, **settings)
            return found
        config = copy.deepcopy(source)
        config._take_unknown(vars(config), dict(settings), accept=False)
        config.update(settings)
        config._check()
        return config

    @classmethod
    def _from_config(cls: type[Model], config: XLMRobertaXLConfig, torch_dtype: Any = None, **kwargs: Any) -> Model:
        model = cls(config, **kwargs)
        return model if torch_dtype is None else model.to(_read_dtype(torch_dtype))


def _round_outputs(model: XLMRobertaXLModule, _: Any, output: Any) -> Any:
    """Return what a model that computes in float32 has computed, in the type of its weights."""
    if "forward" in vars(model):  # somebody has put another in its place, as accelerate does to return float32
        return output
    dtype = model.dtype

    def round_floats(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

    return tree_map(round_floats, output)


def _copy_shared(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Give the model memory of its own where it has taken over a tensor of the caller's."""
    given = {tensor.data_ptr() for tensor in state_dict.values()}
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.data_ptr() in given:
            tensor.data = tensor.data.clone()


def _read_dtype(wanted: torch.dtype | str | None) -> torch.dtype | None:
    """Return the type to load in; None keeps each tensor's own."""
    if wanted is None:
        return torch.float32
    if wanted == "auto":
        return None
    found = getattr(torch, wanted.removeprefix("torch."), None) if isinstance(wanted, str) else wanted
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise InputError(f"{wanted!r} is not a type to load weights in; use torch.float32, torch.bfloat16 or 'auto'.")
    return found
