"""What every model has that needs no files: fresh and tied weights, resizing, pruning, gradient checkpointing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xlmrxl.checkpoints.keywords import suggest
from xlmrxl.errors import InputError, describe
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.quantization.bnb_layers import Embedding8bit
from xlmrxl.quantization.layers import Quantized
from xlmrxl.quantization.upcast import UpcastEmbedding, UpcastLinear

BASE_PREFIX = "roberta"
"""The attribute of a model with a head that holds its encoder, and how the names of its weights begin."""
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
def init_empty_weights() -> Iterator[None]:
    """Build models that have shapes and no values, while this lasts; `loading.load_weights` gives them some."""
    with torch.device("meta"), _NoInitialisation():
        yield


class XLMRobertaXLModule(nn.Module):
    """An `nn.Module` with a config, on which all models are built."""

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
        """Keep the config; every model's constructor ends with `post_init`."""
        super().__init__()
        if not isinstance(config, XLMRobertaXLConfig):
            raise TypeError(f"{type(self).__name__} takes an XLMRobertaXLConfig, not a {type(config).__name__}.")
        self.config = config
        self.name_or_path = config.name_or_path
        self.warnings_issued: dict[str, bool] = {}
        self.hf_device_map: dict[str, Any]
        self._input_gradients: Any = None  # the hook of enable_input_require_grads

    def post_init(self) -> None:
        """Give fresh weights, prune heads as the config says and tie weights, at the end of every constructor."""
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
    def base_model(self) -> XLMRobertaXLModule:
        """Return the encoder without the head (the model itself, if it has none)."""
        return cast("XLMRobertaXLModule", getattr(self, BASE_PREFIX, self))

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Return the type of the weights."""
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
        """Return how many weights there are, tied ones counted once.

        Args:
            only_trainable: count no frozen or quantised ones.
            exclude_embeddings: count no words, positions and token types.
        """
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
        """Return the word embeddings, (vocabulary, hidden)."""
        return self.base_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embeddings; call `tie_weights` after, where the model has an LM head."""
        self.base_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Linear | None:
        """Return the layer that turns states into logits over the vocabulary; None where there is none."""
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
            InputError: a number is no positive whole number, leaves no row for the padding token, or the embeddings
                are quantised.
        """
        for name, value in (("new_num_tokens", new_num_tokens), ("pad_to_multiple_of", pad_to_multiple_of)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} is {describe(value)}; it must be a whole number from 1.")
        old = self.get_input_embeddings()
        if isinstance(old, Quantized):
            raise InputError("8-bit embeddings cannot be resized. Load them in 16 bits, resize, and quantise again.")
        count = old.num_embeddings if new_num_tokens is None else new_num_tokens
        if pad_to_multiple_of:
            count = -(-count // pad_to_multiple_of) * pad_to_multiple_of
        if count <= self.config.pad_token_id:
            raise InputError(f"A vocabulary of {count} has no row for the padding token {self.config.pad_token_id}.")
        if count == old.num_embeddings:
            return old
        weight = self._resized(old.weight, count)
        kinds = (UpcastEmbedding, UpcastLinear) if isinstance(old, UpcastEmbedding) else (nn.Embedding, nn.Linear)
        embeddings = kinds[0](count, weight.shape[1], padding_idx=old.padding_idx, device="meta", dtype=weight.dtype)
        embeddings.weight = weight
        self.set_input_embeddings(embeddings)
        output = self.get_output_embeddings()
        if output is not None:
            resized = kinds[1](weight.shape[1], count, device="meta", dtype=weight.dtype)
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
            InputError: there is no such layer or head, or the layer is quantised.
        """
        count = self.config.num_hidden_layers
        by_layer: dict[int, list[int]] = {}
        for layer, heads in heads_to_prune.items():
            if not -count <= layer < count:
                raise InputError(f"There is no layer {layer}: the model has layers 0 to {count - 1}.")
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
            InputError: `every_n_layers` is no whole number from 1.
        """
        options = dict(activation_checkpointing_kwargs or {})
        if unknown := sorted(options.keys() - CHECKPOINT_OPTIONS):
            raise TypeError(
                f"torch.utils.checkpoint has no option {unknown[0]!r}{suggest(unknown[0], CHECKPOINT_OPTIONS)}."
            )
        if isinstance(every_n_layers, bool) or not isinstance(every_n_layers, int) or every_n_layers < 1:
            raise InputError(f"every_n_layers is {every_n_layers!r}; it must be a whole number from 1.")
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

    def _shared_names(self) -> set[str]:
        first: dict[int, str] = {}
        shared = set()
        for name, parameter in self.named_parameters(remove_duplicate=False):
            if first.setdefault(id(parameter), name) != name:
                shared.add(name)
        return shared


def _require_gradient(_: nn.Module, __: Any, output: Tensor) -> None:
    output.requires_grad_(True)
