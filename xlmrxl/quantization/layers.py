"""The base of all quantised layers, and what a format of quantised weights has to say of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from xlmrxl.errors import InputError
from xlmrxl.quantization.load_options import LoadOptions

Layer = TypeVar("Layer", bound="QuantizedLinear")


def is_quantizable(path: str, module: nn.Module) -> bool:
    """Return whether a module of a model, by its path, is one of those that are quantised: linear, in the encoder."""
    return isinstance(module, nn.Linear) and "encoder.layer." in path


class Quantized(nn.Module):
    """A layer whose tensors move between devices but never change their type; nothing of it is trained."""

    weight: Tensor
    textual: ClassVar[str] = ""
    """How the name of a tensor begins that is a text, whose length varies; none if empty."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Quantized:
        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        for name, buffer in self._buffers.items():
            if buffer is not None:
                # The bias belongs to the activations, and follows their type.
                self._buffers[name] = fn(buffer) if name == "bias" else move(buffer)
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        destination.update({prefix + name: tensor for name, tensor in self.tensors().items()})

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Tensor],
        prefix: str,
        _: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Copy what was saved of such a layer; a state without it, such as that of an adapter, leaves it alone."""
        own = self.tensors()
        given = {name: state_dict[prefix + name] for name in own if prefix + name in state_dict}
        if strict or given:
            missing_keys.extend(prefix + name for name in own.keys() - given.keys())
        if not given:
            return
        try:
            for name, tensor in given.items():
                same = tensor.shape == own[name].shape or (self.textual and name.startswith(self.textual))
                if tensor.dtype != own[name].dtype or not same:
                    raise InputError(f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}")
            self.copy_from({**own, **given})
        except ValueError as error:
            error_msgs.append(
                f"{prefix}weight is quantised and the state dict has another kind of weight for it ({error}): load the "
                "checkpoint with from_pretrained() instead."
            )

    def copy_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over tensors as `tensors` gives them.

        Raises:
            InputError: they are not what they must be.
        """
        for name, buffer in self.named_buffers(recurse=False):
            buffer.copy_(tensors[name])

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint holds of the layer, by name within it."""
        raise NotImplementedError

    def count(self) -> int:
        """Return how many weights the layer stands for, those of a bias included."""
        raise NotImplementedError


class QuantizedLinear(Quantized):
    """A linear layer in a quantised format: what to derive from to add one, which `precision.PRECISIONS` then names."""

    bias: Tensor | None
    parts: ClassVar[tuple[str, ...]] = ()
    """What a checkpoint has of such a layer beside weight and bias, by name within it; a * stands for anything."""

    def __init__(self, in_features: int, out_features: int, bias: Tensor | None) -> None:
        """Take sizes and bias; a format's own tensors are buffers that it registers itself."""
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.register_buffer("bias", bias)

    @classmethod
    def quantize(
        cls: type[Layer], weight: Tensor, bias: Tensor | None, options: LoadOptions, on_read: Callable[[Tensor], None]
    ) -> Layer:
        """Make a layer of an unquantised weight.

        Args:
            weight: (outputs, inputs), perhaps mapped.
            bias: (outputs,), as it is held.
            options: the type that the weight is rounded to first, the device, and what else the format heeds.
            on_read: called with each part of `weight` that has been used.
        """
        raise NotImplementedError

    @classmethod
    def read(
        cls: type[Layer],
        weight: Tensor,
        parts: Mapping[str, Tensor],
        bias: Tensor | None,
        shape: tuple[int, int],
        device: torch.device,
        settings: Mapping[str, Any],
    ) -> Layer:
        """Make a layer of what a checkpoint has stored in this format, after a check of all of it.

        Args:
            weight: as it is stored.
            parts: what else is stored, by the names in `parts`.
            bias: (outputs,), as it is held.
            shape: (outputs, inputs).
            device: where the layer goes.
            settings: the quantization_config of config.json.

        Raises:
            InputError: something is missing, or not what it must be; the message is a clause.
        """
        raise NotImplementedError

    @staticmethod
    def count_bytes(rows: int, columns: int, double_quant: bool) -> int:
        """Return the bytes that a weight of (rows, columns) takes, scales included."""
        raise NotImplementedError

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        """Check what the quantization_config of a config.json says beside the name of the format.

        Raises:
            CheckpointError: it is not what it must be.
        """

    @classmethod
    def read_request(cls, settings: Mapping[str, Any], precision: str) -> LoadOptions:
        """Read how a caller's quantization_config wants weights to be quantised.

        Args:
            settings: the quantization_config, which announces this format.
            precision: the name of the format.

        Returns:
            Options whose dtype is None where nothing is said of what is not quantised.

        Raises:
            InputError: weights cannot be quantised so.
        """
        return LoadOptions(None, precision)

    @classmethod
    def describe_settings(cls, options: LoadOptions) -> dict[str, Any]:
        """Return what config.json says of a model in this format beside the name of the format."""
        return {}

    def count(self) -> int:
        """Return how many weights the layer stands for, those of a bias included."""
        return self.in_features * self.out_features + (0 if self.bias is None else self.out_features)

    def extra_repr(self) -> str:
        """Return what the layer's line in the repr of a model says."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
