"""What every model has: loading and saving, fresh weights, tied weights, resizing, pruning, checkpointing."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xlmrxl.checkpoints.keywords import refuse_save_options, suggest, take_hub_options
from xlmrxl.checkpoints.weight_files import Weights, open_weights, save_weights
from xlmrxl.errors import CheckpointError, describe
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.device_map import dispatch, infer_device_map, single_device
from xlmrxl.model.loading import BASE_PREFIX, assign, narrow_type, read_quantization, stored_precision
from xlmrxl.quantization.bnb_layers import Embedding8bit, Quantized

Model = TypeVar("Model", bound="XLMRobertaXLPreTrainedModel")

CHECKPOINT_OPTIONS = ("use_reentrant", "preserve_rng_state", "determinism_check", "context_fn", "debug", "early_stop")
"""What `torch.utils.checkpoint.checkpoint` takes beside a function and its arguments."""


class _NoInitialisation(TorchFunctionMode):
    """Leaves out the functions of `torch.nn.init`: on the meta device they have nothing to fill.

    Run there, the first of them would import torch's compiler, which takes longer than torch itself.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def without_values() -> Iterator[None]:
    """Models built in here have shapes and no values; `assign` gives them some."""
    with torch.device("meta"), _NoInitialisation():
        yield


class XLMRobertaXLPreTrainedModel(nn.Module):
    """The base of all models."""

    config_class = XLMRobertaXLConfig
    base_model_prefix: ClassVar[str] = BASE_PREFIX
    # What transformers, accelerate and peft look for on a model.
    main_input_name: ClassVar[str] = "input_ids"
    framework: ClassVar[str] = "pt"
    supports_gradient_checkpointing: ClassVar[bool] = True
    is_parallelizable: ClassVar[bool] = False
    _no_split_modules: ClassVar[list[str]] = ["XLMRobertaXLEmbeddings", "XLMRobertaXLLayer"]
    _tied_weights_keys: ClassVar[list[str] | None] = None
    _keys_to_ignore_on_save: ClassVar[list[str] | None] = None
    _keys_to_ignore_on_load_missing: ClassVar[list[str] | None] = None
    _keys_to_ignore_on_load_unexpected: ClassVar[list[str] | None] = None
    _keep_in_fp32_modules: ClassVar[list[str] | None] = None

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        super().__init__()
        if not isinstance(config, XLMRobertaXLConfig):
            raise TypeError(f"{type(self).__name__} takes an XLMRobertaXLConfig, not a {type(config).__name__}.")
        self.config = config
        self.name_or_path = config.name_or_path
        self.warnings_issued: dict[str, bool] = {}
        self.hf_device_map: dict[str, Any]
        self._input_gradients: Any = None  # the hook of enable_input_require_grads

    def post_init(self) -> None:
        """Fresh weights, heads pruned as the config says, tied weights: the end of every constructor."""
        if self.device.type != "meta":
            self.apply(self._init_weights)
        # A base model inside a head has been pruned by its own constructor.
        if self.config.pruned_heads and self.base_model is self:
            self._prune_heads(self.config.pruned_heads)
        self.tie_weights()
        if self.config.gradient_checkpointing:
            # A way to train, which older configs name; it is no part of what is saved.
            self.gradient_checkpointing_enable()
            self.config.gradient_checkpointing = False

    def init_weights(self) -> None:
        """Give the model fresh weights, and tie them."""
        self.apply(self._init_weights)
        self.tie_weights()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx].detach())
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()

    # Parts

    @property
    def base_model(self) -> XLMRobertaXLPreTrainedModel:
        """The encoder without the head (itself, if it has none)."""
        return cast("XLMRobertaXLPreTrainedModel", getattr(self, BASE_PREFIX, self))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights."""
        return next(p.dtype for p in self.parameters() if p.is_floating_point())

    @property
    def vocab_size(self) -> int:
        """Return how many rows the word embeddings have."""
        return self.config.vocab_size

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        """Return inputs that any model of this kind takes."""
        return {"input_ids": torch.tensor([[0, 6, 7, 2], [0, 8, 2, 1]], device=self.device)}

    def can_generate(self) -> bool:
        """Return whether the model has `generate`."""
        return hasattr(self, "generate")

    def get_memory_footprint(self, return_buffers: bool = True) -> int:
        """Return the bytes of the weights, those that are mapped from a file included.

        Args:
            return_buffers: count buffers too, which quantised layers keep their weights in.
        """
        tensors = [*self.parameters(), *(self.buffers() if return_buffers else ())]
        return sum(tensor.nbytes for tensor in tensors)

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """How many weights there are, tied ones counted once."""
        left_out = set()
        if exclude_embeddings:
            left_out = {id(m.weight) for m in self.modules() if isinstance(m, nn.Embedding)}
        count = sum(
            p.numel() for p in self.parameters() if id(p) not in left_out and (p.requires_grad or not only_trainable)
        )
        if not only_trainable:
            for module in self.modules():
                if isinstance(module, Quantized) and not (exclude_embeddings and isinstance(module, Embedding8bit)):
                    count += module.count()
        return count

    def get_input_embeddings(self) -> nn.Embedding:
        """The word embeddings, (vocabulary, hidden)."""
        return self.base_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embeddings; call `tie_weights` after, where the model has an LM head."""
        self.base_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Linear | None:
        """The layer that turns states into logits over the vocabulary, where there is one."""
        return None

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Replace the layer that turns states into logits."""
        raise NotImplementedError(f"{type(self).__name__} has no language-modelling head.")

    def tie_weights(self) -> None:
        """Let the LM head share the word embeddings, unless the config says otherwise, and its bias have one value."""
        output = self.get_output_embeddings()
        if output is None:
            return
        embeddings = self.get_input_embeddings()
        # The decoder of 8-bit embeddings holds on to them itself.
        if self.config.tie_word_embeddings and not isinstance(embeddings, Quantized):
            output.weight = embeddings.weight
        # The bias has two names; whichever was set anew, the decoder's is the one that acts.
        self.set_output_embeddings(output)

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None
    ) -> nn.Embedding:
        """Give the vocabulary another size: rows are dropped from the end or added with fresh values.

        Args:
            new_num_tokens: the new size; the old one if None.
            pad_to_multiple_of: round the size up to a multiple of this.

        Returns:
            The word embeddings.

        Raises:
            ValueError: a number is no positive whole number, leaves no row for the padding token, or the embeddings
                are quantised.
        """
        for name, value in (("new_num_tokens", new_num_tokens), ("pad_to_multiple_of", pad_to_multiple_of)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} is {describe(value)}; it must be a whole number from 1.")
        old = self.get_input_embeddings()
        if isinstance(old, Quantized):
            raise ValueError("8-bit embeddings cannot be resized. Load them in 16 bits, resize, and quantise again.")
        count = old.num_embeddings if new_num_tokens is None else new_num_tokens
        if pad_to_multiple_of:
            count = -(-count // pad_to_multiple_of) * pad_to_multiple_of
        if count <= self.config.pad_token_id:
            raise ValueError(f"A vocabulary of {count} has no row for the padding token {self.config.pad_token_id}.")
        if count == old.num_embeddings:
            return old
        weight = self._resized(old.weight, count)
        embeddings = nn.Embedding(
            count, weight.shape[1], padding_idx=old.padding_idx, device="meta", dtype=weight.dtype
        )
        embeddings.weight = weight
        self.set_input_embeddings(embeddings)
        output = self.get_output_embeddings()
        if output is not None:
            resized = nn.Linear(weight.shape[1], count, device="meta", dtype=weight.dtype)
            resized.weight = self._resized(output.weight, count)
            resized.bias = self._resized(output.bias, count)
            self.set_output_embeddings(resized)
        self.config.vocab_size = count
        self.tie_weights()
        return embeddings

    def _resized(self, old: Tensor, count: int) -> nn.Parameter:
        new = torch.zeros(count, *old.shape[1:], dtype=old.dtype, device=old.device)
        if old.dim() > 1 and count > old.shape[0]:
            new[old.shape[0] :].normal_(std=self.config.initializer_range)
        kept = min(count, old.shape[0])
        new[:kept] = old.detach()[:kept]
        return nn.Parameter(new, requires_grad=old.requires_grad)

    def prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        """Remove attention heads for good.

        Args:
            heads_to_prune: by layer, the heads to remove, by their original numbers. The config remembers them. A
                negative layer counts from the end.

        Raises:
            ValueError: there is no such layer or head, or the layer is quantised.
        """
        count = self.config.num_hidden_layers
        by_layer: dict[int, list[int]] = {}
        for layer, heads in heads_to_prune.items():
            if not -count <= layer < count:
                raise ValueError(f"There is no layer {layer}: the model has layers 0 to {count - 1}.")
            by_layer[layer % count] = [*by_layer.get(layer % count, []), *heads]
        self.base_model._prune_heads(by_layer)
        for layer, heads in by_layer.items():
            self.config.pruned_heads[layer] = sorted({*self.config.pruned_heads.get(layer, []), *heads})

    def _prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        raise NotImplementedError

    def activation_checkpointing_enable(
        self,
        activation_checkpointing_kwargs: dict[str, Any] | None = None,
        every_n_layers: int = 1,
        offload: bool = False,
    ) -> None:
        """Trade time for memory in training: layers are computed again in the backward pass.

        Args:
            activation_checkpointing_kwargs: options of `torch.utils.checkpoint.checkpoint`.
            every_n_layers: only each such layer, from the first on.
            offload: hold in the host's memory what the layers are computed again from.

        Raises:
            TypeError: an option that there is not.
            ValueError: `every_n_layers` is no whole number from 1.
        """
        options = dict(activation_checkpointing_kwargs or {})
        if unknown := sorted(options.keys() - CHECKPOINT_OPTIONS):
            raise TypeError(
                f"torch.utils.checkpoint has no option {unknown[0]!r}{suggest(unknown[0], CHECKPOINT_OPTIONS)}."
            )
        if isinstance(every_n_layers, bool) or not isinstance(every_n_layers, int) or every_n_layers < 1:
            raise ValueError(f"every_n_layers is {every_n_layers!r}; it must be a whole number from 1.")
        encoder = self._encoder()
        encoder.gradient_checkpointing, encoder.checkpoint_options = True, options
        encoder.checkpoint_every, encoder.checkpoint_offload = every_n_layers, offload
        if options.get("use_reentrant"):
            # Its backward pass reaches the layers only through an input that needs a gradient.
            self.enable_input_require_grads()

    def gradient_checkpointing_enable(
        self, gradient_checkpointing_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Call `activation_checkpointing_enable`, by its name in transformers 4.

        Args:
            gradient_checkpointing_kwargs: options of `torch.utils.checkpoint.checkpoint`.
            **kwargs: the same one by one, and `every_n_layers` and `offload`.
        """
        own = {name: kwargs.pop(name) for name in ("every_n_layers", "offload") if name in kwargs}
        self.activation_checkpointing_enable({**(gradient_checkpointing_kwargs or {}), **kwargs}, **own)

    def gradient_checkpointing_disable(self) -> None:
        """Keep what the backward pass needs."""
        encoder = self._encoder()
        encoder.gradient_checkpointing, encoder.checkpoint_options = False, {}

    activation_checkpointing_disable = gradient_checkpointing_disable

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Return whether layers are computed again in the backward pass."""
        return bool(self._encoder().gradient_checkpointing)

    def enable_input_require_grads(self) -> None:
        """Let gradients reach the output of the word embeddings though these are frozen, as adapters need it."""
        if self._input_gradients is None:
            self._input_gradients = self.get_input_embeddings().register_forward_hook(_require_gradient)

    def disable_input_require_grads(self) -> None:
        """Undo `enable_input_require_grads`."""
        if self._input_gradients is not None:
            self._input_gradients.remove()
            self._input_gradients = None

    def _encoder(self) -> Any:
        return self.base_model.encoder

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
            ValueError: `push_to_hub=True`, or a size or a variant that cannot be.
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

    def _shared_names(self) -> set[str]:
        first: dict[int, str] = {}
        shared = set()
        for name, parameter in self.named_parameters(remove_duplicate=False):
            if first.setdefault(id(parameter), name) != name:
                shared.add(name)
        return shared

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

        Files are mapped, not read: a tensor that needs no conversion takes no memory of its own. A head that the
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
            max_memory, offload_folder, offload_buffers: as accelerate takes them, with a `device_map`.
            quantization_config: a `BitsAndBytesConfig` of transformers, or what its `to_dict` gives. The encoder's
                linear layers are quantised; which of them are left out, the threshold of 8 bits and the nesting of
                4 bits are as it says. `bnb_4bit_compute_dtype` is the type of the rest where no other is given.
            load_in_8bit, load_in_4bit: the same in short. What is not quantised is then in 16 bits unless a type is
                given. A checkpoint that is quantised already needs neither.
            use_safetensors: True: no `.bin`, False: no safetensors; either if None.
            variant: a word in the name of the files (`"fp16"`: `model.fp16.safetensors`).
            **kwargs: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download` and `subfolder` say where
                to look; the rest overrides the config (`num_labels=3`). What older and newer versions of transformers
                take and what is without effect here is accepted.

        Raises:
            CheckpointError: nothing is there, or it does not fit this model.
            TypeError: an argument that is none, and no setting of the config.
            ValueError: an argument that cannot be had, or a wrong value.
        """
        where = take_hub_options(kwargs)
        name = pretrained_model_name_or_path
        if name is None and (config is None or state_dict is None):
            raise ValueError("Without the name of a checkpoint, give both config and state_dict.")
        parts = {key: kwargs.pop(key) for key in inspect.signature(cls).parameters if key in kwargs}
        config = cls._read_config(name if config is None else config, where, kwargs)
        if attn_implementation is not None:
            config.attn_implementation = attn_implementation
            config._check()
        asked = torch_dtype if torch_dtype is not None else dtype
        wanted = _dtype(asked)
        quantization = read_quantization(quantization_config, load_in_8bit, load_in_4bit)
        single = None if device_map is None else single_device(device_map)
        spread = device_map is not None and single is None
        target = single or torch.device("cpu")
        if state_dict is not None:
            weights, label = Weights.of(state_dict), "state_dict"
        else:
            assert name is not None
            weights, label = open_weights(name, variant=variant, safetensors=use_safetensors, **where), os.fspath(name)
        stored = stored_precision(config)
        if stored and quantization.precision not in (None, stored):
            raise CheckpointError(f"{label} has {stored} weights already and cannot be quantised otherwise.")
        if asked is None and (stored or quantization.precision):
            wanted = quantization.dtype or narrow_type(config, weights)
        with without_values():
            model = cls(config, **parts)
        hold = replace(quantization, dtype=wanted, precision=stored or quantization.precision, device=target)
        info = assign(model, weights, hold, label, ignore_mismatched_sizes)
        if state_dict is not None:
            _copy_shared(model, state_dict)
        model.eval()
        if name is not None:
            model._read_further(name, where)
        if spread:
            places = infer_device_map(model, device_map, max_memory)
            dispatch(model, places, offload_dir=offload_folder, offload_buffers=offload_buffers)
        elif device_map is not None:
            model.hf_device_map = {"": target}  # as accelerate leaves it
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
        return model if torch_dtype is None else model.to(_dtype(torch_dtype))


def _require_gradient(_: nn.Module, __: Any, output: Tensor) -> None:
    output.requires_grad_(True)


def _copy_shared(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Give the model memory of its own where it has taken over a tensor of the caller's."""
    given = {tensor.data_ptr() for tensor in state_dict.values()}
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.data_ptr() in given:
            tensor.data = tensor.data.clone()


def _dtype(wanted: torch.dtype | str | None) -> torch.dtype | None:
    """Return the type to load in; None keeps each tensor's own."""
    if wanted is None:
        return torch.float32
    if wanted == "auto":
        return None
    found = getattr(torch, wanted.removeprefix("torch."), None) if isinstance(wanted, str) else wanted
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"{wanted!r} is not a type to load weights in; use torch.float32, torch.bfloat16 or 'auto'.")
    return found
