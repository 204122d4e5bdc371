"""The precisions that a model can be held in: one declaration each, which everything else asks.

To add a quantised one, write its layer (`layers.QuantizedLinear`) and declare it here. It can then be loaded,
quantised, saved, planned, compared, put on a Space, and chosen in the command line and the app. Nothing here imports
torch until a layer is asked for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xlmrxl.errors import CheckpointError, InputError, MissingDependencyError, describe

if TYPE_CHECKING:
    import torch

    from xlmrxl.quantization.layers import QuantizedLinear
    from xlmrxl.quantization.load_options import LoadOptions

AUTO = "auto"
"""What stands for the precision that `plan` finds best."""


@dataclass(frozen=True)
class Precision:
    """A way to hold weights.

    Attributes:
        name: as `load`, the command line and the app have it.
        title: what a Space's text says after "held in".
        bits: that a weight takes, but for scales.
        dtype_name: the type of all weights, as torch calls it; empty for a quantised precision, where what is not
            quantised is in a 16-bit type of the checkpoint's.
        import_layer: imports the layer of a quantised precision, which quantises, reads and counts; None for others.
        announcement: what the quantization_config of a config.json has by which a quantised checkpoint is known.
        devices: the types of device that compute with it.
        package: the name of the package that it needs, if any.
        extra: the extra of xlmrxl that brings the package.
    """

    name: str
    title: str
    bits: int
    dtype_name: str = ""
    import_layer: Callable[[], type[QuantizedLinear]] | None = None
    announcement: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cuda", "mps", "cpu")
    package: str = ""
    extra: str = ""

    @property
    def is_quantized(self) -> bool:
        """Return whether the encoder's linear layers are in a format of their own."""
        return self.import_layer is not None

    @property
    def dtype(self) -> torch.dtype | None:
        """Return the type of all weights; None for a quantised precision."""
        if not self.dtype_name:
            return None
        import torch  # noqa: PLC0415 - takes a second, and names need none of it

        found: torch.dtype = getattr(torch, self.dtype_name)
        return found

    @property
    def layer(self) -> type[QuantizedLinear]:
        """Return the class of the quantised layers.

        Raises:
            InputError: the precision is not quantised.
        """
        if self.import_layer is None:
            raise InputError(f"{self.name} is not quantised; these are: {', '.join(list_quantized())}.")
        return self.import_layer()

    @property
    def is_installed(self) -> bool:
        """Return whether the package that the precision needs is there."""
        return not self.package or importlib.util.find_spec(self.package) is not None

    def require_package(self) -> None:
        """Make sure that the package is there that the precision needs.

        Raises:
            MissingDependencyError: it is not.
        """
        if not self.is_installed:
            raise MissingDependencyError(f"{self.name} weights need {self.package}", self.extra)

    def count_bytes(self, rows: int, columns: int, double_quant: bool = True) -> int:
        """Return the bytes that a weight of an encoder's linear layer takes, (rows, columns), scales included."""
        if self.is_quantized:
            return self.layer.count_bytes(rows, columns, double_quant)
        return rows * columns * self.bits // 8

    @property
    def rest_bytes(self) -> int:
        """Return the bytes of each number that is not quantised."""
        return 2 if self.is_quantized else self.bits // 8


def _import_linear_8bit() -> type[QuantizedLinear]:
    from xlmrxl.quantization.bnb_layers import Linear8bit  # noqa: PLC0415 - torch comes along

    return Linear8bit


def _import_linear_4bit() -> type[QuantizedLinear]:
    from xlmrxl.quantization.bnb_layers import Linear4bit  # noqa: PLC0415 - torch comes along

    return Linear4bit


METHOD = "bitsandbytes"
"""The quant_method of a quantization_config that names none."""
PRECISIONS: dict[str, Precision] = {
    precision.name: precision
    for precision in (
        Precision("fp32", "32 bits", 32, "float32"),
        Precision("bf16", "16 bits (bfloat16)", 16, "bfloat16"),
        Precision("fp16", "16 bits (float16)", 16, "float16"),
        Precision(
            name="8bit",
            title="8 bits (LLM.int8())",
            bits=8,
            import_layer=_import_linear_8bit,
            announcement=MappingProxyType({"quant_method": METHOD, "load_in_8bit": True}),
            package="bitsandbytes",
            extra="quant",
        ),
        Precision(
            name="4bit",
            title="4 bits (NF4)",
            bits=4,
            import_layer=_import_linear_4bit,
            announcement=MappingProxyType({"quant_method": METHOD, "load_in_4bit": True}),
            package="bitsandbytes",
            extra="quant",
        ),
    )
}
"""All precisions by name, from many bits to few."""


def list_quantized() -> list[str]:
    """Return the names of the quantised precisions."""
    return [name for name, precision in PRECISIONS.items() if precision.is_quantized]


def find_precision(name: object, *, auto: bool = False, quantized: bool = False) -> Precision:
    """Return the precision of a name.

    Args:
        name: what a person gave.
        auto: say that "auto" is possible as well, which a caller has dealt with.
        quantized: take a quantised one only.

    Raises:
        InputError: there is none of that name.
    """
    offered = list_quantized() if quantized else list(PRECISIONS)
    if not isinstance(name, str) or name not in offered:
        names = ", ".join([AUTO, *offered] if auto else offered)
        raise InputError(f"precision is {describe(name)}; it must be one of {names}.")
    return PRECISIONS[name]


def is_announced(precision: Precision, settings: Mapping[str, Any]) -> bool:
    """Return whether a quantization_config is that of a precision; older files begin some names with an underscore."""
    said = {"quant_method": METHOD, **settings}
    return all(said.get(key, said.get(f"_{key}")) == value for key, value in precision.announcement.items())


def read_stored_precision(settings: Any) -> Precision | None:
    """Return the precision that the quantization_config of a config.json announces.

    Args:
        settings: the quantization_config; None for a model that is not quantised.

    Raises:
        CheckpointError: the model is quantised in a way that cannot be read.
    """
    if settings is None:
        return None
    quantized = [PRECISIONS[name] for name in list_quantized()]
    methods = dict.fromkeys(precision.announcement.get("quant_method", METHOD) for precision in quantized)
    method = settings.get("quant_method", METHOD) if isinstance(settings, dict) else settings
    if not isinstance(settings, dict) or method not in list(methods):
        raise CheckpointError(
            f"The quantization_config of config.json asks for {describe(method)}; xlmrxl reads the quantised weights "
            f"of {', '.join(methods)}. Take the unquantised checkpoint and quantise it with `xlmrxl quantize`."
        )
    found = [precision for precision in quantized if is_announced(precision, settings)]
    if len(found) != 1:
        raise CheckpointError(
            f"The quantization_config of config.json names none of {', '.join(list_quantized())}, or several. It is "
            "damaged: take the unquantised checkpoint and quantise it with `xlmrxl quantize`."
        )
    found[0].layer.check_settings(settings)
    return found[0]


def describe_settings(options: LoadOptions) -> dict[str, Any]:
    """Return the quantization_config that config.json gets for a model that is quantised.

    Args:
        options: how the model is held, with the dtype of what is not quantised.
    """
    precision = find_precision(options.precision, quantized=True)
    return {"quant_method": METHOD, **precision.layer.describe_settings(options), **precision.announcement}
