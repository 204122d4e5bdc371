"""What every model has: loading and saving, fresh weights, tied weights, resizing, pruning, checkpointing."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xlmrxl.checkpoint import open_weights, save_weights
from xlmrxl.config import HUB_OPTIONS, XLMRobertaXLConfig
from xlmrxl.hub import CheckpointError
from xlmrxl.loading import BASE_PREFIX, Hold, assign, narrow_type, stored_precision
from xlmrxl.quantized import Embedding8bit, Quantized

Model = TypeVar("Model", bound="XLMRobertaXLPreTrainedModel")


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

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        super().__init__()
        if not isinstance(config, XLMRobertaXLConfig):
            raise TypeError(f"{type(self).__name__} takes an XLMRobertaXLConfig, not a {type(config).__name__}.")
        self.config = config

    def post_init(self) -> None:
        """Fresh weights, heads pruned as the config says, tied weights: the end of every constructor."""
        if self.device.type != "meta":
            self.apply(self._init_weights)
        # A base model inside a head has been pruned by its own constructor.
        if self.config.pruned_heads and self.base_model is self:
            self._prune_heads(self.config.pruned_heads)
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
        """Let the LM head share the word embeddings, unless the config says otherwise."""
        output = self.get_output_embeddings()
        embeddings = self.get_input_embeddings()
        # The decoder of 8-bit embeddings holds on to them itself.
        if output is not None and self.config.tie_word_embeddings and not isinstance(embeddings, Quantized):
            output.weight = embeddings.weight

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None
    ) -> nn.Embedding:
        """Give the vocabulary another size: rows are dropped from the end or added with fresh values.

        Args:
            new_num_tokens: the new size; the old one if None.
            pad_to_multiple_of: round the size up to a multiple of this.

        Returns:
            The word embeddings.
        """
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
            heads_to_prune: by layer, the heads to remove, by their original numbers. The config remembers them.
        """
        self.base_model._prune_heads(heads_to_prune)
        for layer, heads in heads_to_prune.items():
            self.config.pruned_heads[layer] = sorted({*self.config.pruned_heads.get(layer, []), *heads})

    def _prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        raise NotImplementedError

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Trade time for memory in training: layers are computed again in the backward pass.

        Args:
            gradient_checkpointing_kwargs: options of `torch.utils.checkpoint.checkpoint`.
        """
        self._encoder().gradient_checkpointing = dict(gradient_checkpointing_kwargs or {})

    def gradient_checkpointing_disable(self) -> None:
        """Keep what the backward pass needs."""
        self._encoder().gradient_checkpointing = None

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether layers are computed again in the backward pass."""
        return self._encoder().gradient_checkpointing is not None

    def _encoder(self) -> Any:
        return self.base_model.encoder

    # Saving

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        *,
        max_shard_size: int | str = "5GB",
        safe_serialization: bool = True,
    ) -> None:
        """Write config.json and the weights into a folder, in the layout that transformers reads.

        Args:
            save_directory: the folder; it is made if need be, and a checkpoint in it is replaced.
            max_shard_size: bytes a file, as a number or like `"5GB"`.
            safe_serialization: safetensors, or a `.bin` pickle if False.

        Raises:
            CheckpointError: it cannot be written.
        """
        folder = Path(save_directory)
        if folder.is_file():
            raise CheckpointError(f"{folder} is a file; give a folder to save into.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"{folder} cannot be made ({error.strerror}). Choose another folder.") from error
        save_weights(folder, self._own_state(), max_shard_size=max_shard_size, safe_serialization=safe_serialization)
        config = copy.copy(self.config)
        config.architectures = [type(self).__name__]
        config.torch_dtype = str(self.dtype).removeprefix("torch.")
        config.save_pretrained(folder)

    def _own_state(self) -> dict[str, Tensor]:
        """The state without what is only another name for a tensor already there."""
        shared = self._shared_names()
        state = {name: tensor for name, tensor in self.state_dict().items() if name not in shared}
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
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        config: XLMRobertaXLConfig | None = None,
        torch_dtype: torch.dtype | str | None = None,
        dtype: torch.dtype | str | None = None,
        attn_implementation: str | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        load_in_8bit: bool = False,
        load_in_4bit: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load a model from a folder, a Hub repository (`facebook/xlm-roberta-xl`) or `"default"`, in eval mode.

        Files are mapped, not read: a tensor that needs no conversion takes no memory of its own. A head that the
        checkpoint lacks starts with fresh weights, and the log says so; anything else that is missing, left over
        or of a wrong shape is an error.

        Args:
            pretrained_model_name_or_path: where the checkpoint is.
            config: used in place of the checkpoint's own.
            torch_dtype: `torch.float32` (the default, as in transformers 4), another type or its name, or `"auto"`
                for the one that the checkpoint has.
            dtype: the same, by its name in transformers 5.
            attn_implementation: `"sdpa"` (the default) or `"eager"`.
            ignore_mismatched_sizes: start afresh where a shape differs (a head with another number of labels).
            load_in_8bit, load_in_4bit: quantise the encoder's linear layers while reading them; the rest is then
                in 16 bits unless a type is given. A checkpoint that is quantised already needs neither.
            output_loading_info: return the model and a dict with `missing_keys`, `unexpected_keys` and
                `mismatched_keys`.
            **kwargs: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download` and `subfolder` say where
                to look; the rest overrides the config (`num_labels=3`).

        Raises:
            CheckpointError: nothing is there, or it does not fit this model.
        """
        where = {name: kwargs.pop(name) for name in HUB_OPTIONS if name in kwargs}
        parts = {name: kwargs.pop(name) for name in inspect.signature(cls).parameters if name in kwargs}
        if config is None:
            config = cls.config_class.from_pretrained(pretrained_model_name_or_path, **where, **kwargs)
        else:
            config = copy.deepcopy(config)
            for name, value in kwargs.items():
                if not hasattr(config, name):
                    raise TypeError(f"{name!r} is neither an option of from_pretrained nor a setting of the config.")
                setattr(config, name, value)
        if attn_implementation is not None:
            config.attn_implementation = attn_implementation
            config._check()
        if load_in_8bit and load_in_4bit:
            raise ValueError("load_in_8bit and load_in_4bit exclude each other.")
        precision = stored_precision(config) or ("8bit" if load_in_8bit else "4bit" if load_in_4bit else None)
        asked = torch_dtype if torch_dtype is not None else dtype
        weights = open_weights(pretrained_model_name_or_path, **where)
        if precision is not None and asked is None:
            asked = narrow_type(config, weights)
        with without_values():
            model = cls(config, **parts)
        info = assign(
            model,
            weights,
            Hold(_dtype(asked), precision),
            os.fspath(pretrained_model_name_or_path),
            ignore_mismatched_sizes,
        )
        model.eval()
        return (model, info) if output_loading_info else model


def _dtype(wanted: torch.dtype | str | None) -> torch.dtype | None:
    """The type to load in; None keeps each tensor's own."""
    if wanted is None:
        return torch.float32
    if wanted == "auto":
        return None
    found = getattr(torch, wanted.removeprefix("torch."), None) if isinstance(wanted, str) else wanted
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"{wanted!r} is not a type to load weights in; use torch.float32, torch.bfloat16 or 'auto'.")
    return found
