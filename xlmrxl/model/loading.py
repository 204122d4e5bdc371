"""From a mapped checkpoint to a model: tensor by tensor, each converted or quantised, put in place and let go.

A model is built without values; every value comes from here. Beside the finished model no more is in memory than the
tensor at hand: its pages are given back as soon as they have been read, large ones piece by piece.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from xlmrxl.checkpoints.weight_files import TIED, Weights, check_floats, mapped_scratch, prefetch, release_pages, trim
from xlmrxl.errors import CheckpointError, describe, first_line, shorten
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.module import BASE_PREFIX, XLMRobertaXLModule
from xlmrxl.progress import Progress, ignore_progress
from xlmrxl.quantization.bnb_layers import (
    KINDS,
    OUTLIER,
    PRECISIONS,
    STATE,
    Embedding8bit,
    Linear4bit,
    Linear8bit,
    TiedDecoder8bit,
    check_scales,
    pieces,
    quantize_4bit,
    quantize_8bit,
    read_4bit,
)

logger = logging.getLogger(__name__)

HEADS = ("lm_head.", "classifier.", "qa_outputs.", "roberta.pooler.")
"""What a checkpoint may lack (it starts afresh) or have in excess (it is left out): parts made for one task."""
BUFFERS = ("position_ids", "token_type_ids")
"""Constants that older checkpoints carry and nobody needs."""

UNQUANTIZED = ("lm_head", "classifier", "qa_outputs", "pooler")
"""What a checkpoint says of the modules that are never quantised here."""
EXTRAS = (
    "weight.absmax",
    "weight.quant_map",
    "weight.nested_absmax",
    "weight.nested_quant_map",
    "SCB",
    "weight_format",
)
"""What a quantised layer has beside its weight and its bias (and STATE, whose name says which kind it is)."""
EMBEDDINGS = "embeddings.word_embeddings"
LARGE = 1 << 26
"""Numbers from which a converted tensor is worth a file: a tenth of those in XL's embeddings."""


@dataclass(frozen=True)
class LoadOptions:
    """How a model is to be held.

    Attributes:
        dtype: of what is not quantised; None keeps each tensor's own.
        precision: `"8bit"`, `"4bit"`, or None: of the encoder's linear layers, where the file has them unquantised.
        double_quant: quantise the scales of 4-bit weights too.
        embeddings_8bit: hold the word embeddings, and with them a tied LM decoder, in 8-bit rows.
        device: where to.
        progress: is told how many bytes of the checkpoint have been dealt with, and how many there are.
        outlier: the activations from which on 8-bit layers compute in 16 bits.
        skip: names of modules of the encoder, or parts of these, that are not quantised.
    """

    dtype: torch.dtype | None = torch.float32
    precision: str | None = None
    double_quant: bool = True
    embeddings_8bit: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = ignore_progress
    outlier: float = OUTLIER
    skip: tuple[str, ...] = ()


def quantization_config(options: LoadOptions) -> dict[str, Any]:
    """What config.json says of a quantised model, in transformers' words."""
    four = options.precision == "4bit"
    return {
        "quant_method": "bitsandbytes",
        "load_in_4bit": four,
        "load_in_8bit": not four,
        "_load_in_4bit": four,
        "_load_in_8bit": not four,
        "llm_int8_threshold": options.outlier,
        "llm_int8_has_fp16_weight": False,
        "llm_int8_enable_fp32_cpu_offload": False,
        # Without this list transformers 5 quantises the task heads as well.
        "llm_int8_skip_modules": [*UNQUANTIZED, *(name for name in options.skip if name not in UNQUANTIZED)],
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": options.double_quant,
        "bnb_4bit_compute_dtype": str(options.dtype or torch.bfloat16).removeprefix("torch."),
        "bnb_4bit_quant_storage": "uint8",
    }


def stored_precision(config: XLMRobertaXLConfig) -> str | None:
    """`"8bit"` or `"4bit"` where a checkpoint says that it is quantised.

    Raises:
        CheckpointError: it is quantised in a way that cannot be read.
    """
    return _read_precision(getattr(config, "quantization_config", None))


def read_quantization(asked: Any, load_in_8bit: bool = False, load_in_4bit: bool = False) -> LoadOptions:
    """Read how a caller wants a model to be quantised.

    Args:
        asked: a `BitsAndBytesConfig` of transformers, the dict that its `to_dict` gives, or None.
        load_in_8bit, load_in_4bit: the same in short.

    Returns:
        A `LoadOptions`, whose dtype is None where nothing is said of what is not quantised.

    Raises:
        ValueError: they contradict each other, or ask for what cannot be had.
    """
    if asked is None:
        if load_in_8bit and load_in_4bit:
            raise ValueError("load_in_8bit and load_in_4bit exclude each other.")
        return LoadOptions(None, "8bit" if load_in_8bit else "4bit" if load_in_4bit else None)
    if load_in_8bit or load_in_4bit:
        raise ValueError("Give either quantization_config or load_in_8bit and load_in_4bit, not both.")
    settings = asked.to_dict() if hasattr(asked, "to_dict") else asked
    if not isinstance(settings, Mapping):
        raise ValueError(f"quantization_config is {describe(asked)}; give a dict, or an object that has to_dict.")
    settings = {name: getattr(value, "value", value) for name, value in settings.items()}  # a method may be an Enum
    try:
        precision, outlier = _read_precision(settings), _threshold(settings)
    except CheckpointError as error:
        raise ValueError(str(error).replace(" of config.json", "")) from None
    if precision == "4bit" and settings.get("bnb_4bit_quant_type", "fp4") != "nf4":
        raise ValueError("bnb_4bit_quant_type must be 'nf4': weights are quantised to no other type of 4 bits.")
    compute = str(settings.get("bnb_4bit_compute_dtype")).removeprefix("torch.")
    return LoadOptions(
        # float32 is what the library says where nobody chose.
        getattr(torch, compute) if precision == "4bit" and compute in ("bfloat16", "float16") else None,
        precision,
        double_quant=bool(settings.get("bnb_4bit_use_double_quant")),
        outlier=outlier,
        skip=tuple(settings.get("llm_int8_skip_modules") or ()),
    )


def _read_precision(settings: Any) -> str | None:
    if settings is None:
        return None
    if not isinstance(settings, dict) or settings.get("quant_method", "bitsandbytes") != "bitsandbytes":
        method = settings.get("quant_method") if isinstance(settings, dict) else settings
        raise CheckpointError(
            f"The quantization_config of config.json asks for {describe(method)}; xlmrxl reads bitsandbytes' 8-bit and "
            "4-bit weights. Take the unquantised checkpoint and quantise it with `xlmrxl quantize`."
        )
    kinds = [kind for kind in PRECISIONS if settings.get(f"load_in_{kind}", settings.get(f"_load_in_{kind}", False))]
    if len(kinds) != 1:
        raise CheckpointError(
            "The quantization_config of config.json says neither 8-bit nor 4-bit, or both. It is damaged: take the "
            "unquantised checkpoint and quantise it with `xlmrxl quantize`."
        )
    four = settings.get("bnb_4bit_quant_type", "nf4")
    if kinds == ["4bit"] and four not in KINDS:
        raise CheckpointError(
            f"The quantization_config of config.json names the 4-bit type {describe(four)}; there are "
            f"{' and '.join(KINDS)}. It is damaged: copy it again."
        )
    _threshold(settings)
    return kinds[0]


def _threshold(settings: dict[str, Any]) -> float:
    """Return the activations from which on 8-bit layers compute in 16 bits, as the checkpoint has it."""
    threshold = settings.get("llm_int8_threshold", OUTLIER)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold < math.inf:
        raise CheckpointError(
            f"The quantization_config of config.json has the llm_int8_threshold {describe(threshold)}; it must be a "
            f"number from 0, and is usually {OUTLIER}."
        )
    return float(threshold)


def narrow_type(config: XLMRobertaXLConfig, weights: Weights) -> torch.dtype:
    """The 16-bit type for what is not quantised: the checkpoint's own if it has one, else bfloat16."""
    named = config.torch_dtype
    own = named if stored_precision(config) is not None else stored_dtype(weights)
    return own if own in (torch.bfloat16, torch.float16) else torch.bfloat16


class TensorReader:
    """Takes tensors out of a checkpoint, keeping count and letting go of what has been used."""

    def __init__(self, weights: Weights, keys: dict[str, str], options: LoadOptions, *, remap: bool = False) -> None:
        """remap: large converted tensors go to a file that is mapped, like those that need no conversion."""
        self.weights, self.options, self.done, self.remap = weights, options, 0, remap
        self.sizes = {source: weights[source].nbytes for source in keys.values()}
        self.total = sum(self.sizes.values())
        self.order = list(self.sizes)
        self.ahead = dict(zip(self.order, self.order[1:], strict=False))

    def __getitem__(self, source: str) -> Tensor:
        following = self.ahead.get(source)
        if following is not None and self.weights.mapped(following):
            prefetch(self.weights[following])
        return self.weights[source]

    def used(self, source: str) -> Callable[[Tensor], None]:
        """What to tell of each part of a tensor that has been used."""
        mapped = self.weights.mapped(source)

        def tell(part: Tensor) -> None:
            if mapped:
                release_pages(part)
            self.count(part.nbytes)

        return tell

    def count(self, size: int) -> None:
        self.done += size
        self.options.progress(self.done, self.total)

    def convert(self, source: str) -> Tensor:
        """A tensor in the wanted type on the wanted device: the file's own where nothing has to change."""
        tensor, options = self[source], self.options
        dtype = tensor.dtype if options.dtype is None or not tensor.is_floating_point() else options.dtype
        if tensor.dtype == dtype and options.device.type == "cpu":
            self.count(tensor.nbytes)
            return tensor
        room = None
        if self.remap and tensor.numel() >= LARGE:
            room = mapped_scratch(self.weights.file_of(source), tensor.shape, dtype)
        out = torch.empty(tensor.shape, dtype=dtype, device=options.device) if room is None else room
        tell = self.used(source)
        if tensor.dim() < 2:
            out.copy_(tensor)
            tell(tensor)
        for start, stop in pieces(tensor) if tensor.dim() > 1 else ():
            out[start:stop].copy_(tensor[start:stop])
            tell(tensor[start:stop])
            if room is not None:
                release_pages(out[start:stop])
        return out

    def quantize(self, source: str, bias: Tensor | None) -> Linear4bit | Linear8bit:
        """A linear layer in the wanted precision, from an unquantised weight."""
        weight, tell, options = self[source], self.used(source), self.options
        dtype = weight.dtype if options.dtype is None else options.dtype
        sizes = (weight.shape[1], weight.shape[0], bias)
        if options.precision == "4bit":
            return Linear4bit(*sizes, *quantize_4bit(weight, dtype, options.device, options.double_quant, tell))
        return Linear8bit(*sizes, *quantize_8bit(weight, dtype, options.device, tell), options.outlier)


def load_weights(
    model: XLMRobertaXLModule,
    weights: Weights,
    options: LoadOptions,
    name: str,
    ignore_mismatched_sizes: bool = False,
    fresh_heads: bool = True,
) -> dict[str, list[Any]]:
    """Give a model on the meta device the weights of a checkpoint, strictly; the log says what starts afresh.

    Args:
        model: on the meta device.
        weights: of a checkpoint, quantised or not.
        options: how they are to be held.
        name: of the checkpoint, for messages.
        ignore_mismatched_sizes: start afresh where a shape differs.
        fresh_heads: start afresh what a checkpoint lacks of a head, to be trained; otherwise it is an error.

    Returns:
        `missing_keys`, `unexpected_keys`, `mismatched_keys` (name, shape in the checkpoint, shape in the model) and
        `error_msgs`, which is empty.

    Raises:
        CheckpointError: a weight of the encoder is missing, left over, or of a wrong shape or type.
    """
    sources = match_names(model, weights)
    keys = dict(sources)
    shared = model._shared_names()
    stored = _stored_layers(model, keys)
    missing, mismatched = check_checkpoint(model, weights, keys, stored, name, ignore_mismatched_sizes, fresh_heads)
    reader = TensorReader(weights, keys, options, remap=options.precision is not None and options.device.type == "cpu")
    quantized = _assign_quantized(model, keys, reader, name, stored)
    common = stored_dtype(weights) if options.dtype is None else options.dtype
    places = _places(model)
    for key, parameter in list(model.named_parameters()):
        source = keys.pop(key, None)
        if source is None or key in mismatched:
            value = torch.empty(parameter.shape, dtype=common, device=options.device)
        else:
            value = reader.convert(source)
        loaded = nn.Parameter(value)
        for module, attribute in places[id(parameter)]:
            setattr(module, attribute, loaded)
    model.tie_weights()
    left = [source for key, source in keys.items() if key not in shared and not key.endswith(BUFFERS)]
    _start_afresh(model, missing + mismatched)
    trim()
    if quantized and options.precision is not None:
        said = getattr(model.config, "quantization_config", None) or {}
        # However the file had them packed, they are bytes now, and are saved as such.
        said = {**quantization_config(options), **said, "bnb_4bit_quant_storage": "uint8"}
        setattr(model.config, "quantization_config", said)  # noqa: B010 - the type checker does not know it
    for keys_, text in (
        (missing + mismatched, "starts with fresh weights, as %s has none that fit: train it before you trust it"),
        (left, "is in %s but has no place in this model and was left out"),
    ):
        if keys_:
            names = ", ".join(shorten(key) for key in sorted(keys_)[:20])
            names += f" and {len(keys_) - 20} more" if len(keys_) > 20 else ""
            logger.warning("%s: %s " + text + ".", type(model).__name__, names, name)
    shapes = [(key, tuple(weights[sources[key]].shape), tuple(model.get_parameter(key).shape)) for key in mismatched]
    return {"missing_keys": missing, "unexpected_keys": left, "mismatched_keys": shapes, "error_msgs": []}


def check_checkpoint(
    model: XLMRobertaXLModule,
    weights: Weights,
    keys: dict[str, str],
    stored: dict[str, dict[str, str]],
    name: str,
    ignore_mismatched_sizes: bool = False,
    fresh_heads: bool = True,
) -> tuple[list[str], list[str]]:
    """Compare what a checkpoint holds with what a model needs before any memory is taken.

    Returns:
        The names of parameters that the checkpoint lacks, and of those whose shape is another.

    Raises:
        CheckpointError: something of the encoder is missing or left over, or of a wrong shape or type.
    """
    known = {f"{path}.{extra}" for path, extras in stored.items() for extra in extras}
    shared, missing, mismatched = model._shared_names(), [], []
    for key, parameter in model.named_parameters():
        known.add(key)
        source = keys.get(key)
        if source is None:
            missing.append(key)
        elif key.removesuffix(".weight") not in stored:
            tensor, file = weights[source], weights.file_of(source)
            check_floats(source, tensor, file)
            if tensor.shape != parameter.shape:
                mismatched.append(key)
                if not ignore_mismatched_sizes:
                    raise CheckpointError(_misfit(model, key, tensor, parameter, file))
    if broken := [key for key in missing if not fresh_heads or not _is_head(key)]:
        raise CheckpointError(
            f"{name} lacks {len(broken)} weights of {type(model).__name__}, among them {broken[0]}. "
            "It is incomplete, or its config.json belongs to another model."
        )
    left = [source for key, source in keys.items() if key not in known | shared and not key.endswith(BUFFERS)]
    if strange := [source for source in left if not _is_head(source)]:
        raise CheckpointError(
            f"{name} holds {len(strange)} weights that {type(model).__name__} has no place for, among them "
            f"{shorten(strange[0])}. Its config.json belongs to another model."
        )
    return missing, mismatched


def _stored_layers(model: XLMRobertaXLModule, keys: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return what a checkpoint has beside the weight of each quantised layer, by the layer's path."""
    layers: dict[str, dict[str, str]] = {}
    quantizable = {path for path, module in model.named_modules() if isinstance(module, nn.Linear | nn.Embedding)}
    for key, source in keys.items():
        for separator in (".weight.", ".SCB", ".weight_format"):
            path, found, _ = key.partition(separator)
            extra = key.removeprefix(f"{path}.")
            if found and path in quantizable and f"{path}.weight" in keys and _is_extra(extra):
                layers.setdefault(path, {})[extra] = source
                break
    return layers


def _assign_quantized(
    model: XLMRobertaXLModule,
    keys: dict[str, str],
    reader: TensorReader,
    name: str,
    stored: dict[str, dict[str, str]],
) -> int:
    """Put quantised layers where the file has such or they are asked for; return how many the encoder has."""
    options, count = reader.options, 0
    settings = getattr(model.config, "quantization_config", None) or {}
    if stored and not settings:
        raise CheckpointError(
            f"{name} holds quantised weights, such as {next(iter(stored))}, but its config.json has no "
            "quantization_config. Copy the config.json that was saved with them."
        )
    for path, module in list(model.named_modules()):
        if not isinstance(module, nn.Linear) or f"{path}.weight" not in keys:
            continue
        extras, inner = stored.get(path), "encoder.layer." in path
        # What a quantised checkpoint has left as it was (llm_int8_skip_modules) stays so.
        if not extras and (options.precision is None or not inner or settings):
            continue
        if not extras and any(f".{part}." in f".{path}." for part in options.skip):
            continue
        source = keys.pop(f"{path}.weight")
        bias = reader.convert(keys.pop(f"{path}.bias")) if f"{path}.bias" in keys else None
        layer: nn.Module
        if extras:
            for extra in extras:
                keys.pop(f"{path}.{extra}")
            layer = _read_layer(path, module, bias, source, extras, reader, settings)
        else:
            layer = reader.quantize(source, bias)
            trim()
        model.set_submodule(path, layer)
        count += inner
    prefix = "" if model.base_model is model else BASE_PREFIX + "."
    path = prefix + EMBEDDINGS
    if path in stored or options.embeddings_8bit:
        _assign_embeddings(model, path, keys, reader, stored.get(path))
    elif options.precision is not None and not count:
        raise CheckpointError(
            f"config.json of {name} or the call asks for {options.precision} weights, but no linear layer of the "
            "encoder is there to be quantised."
        )
    return count


def _is_extra(name: str) -> bool:
    return name in EXTRAS or name.startswith(STATE)


def _read_layer(
    path: str,
    module: nn.Linear,
    bias: Tensor | None,
    source: str,
    extras: dict[str, str],
    reader: TensorReader,
    settings: dict[str, Any],
) -> nn.Module:
    """Make a layer of what the file has quantised."""
    file, device = reader.weights.file_of(source), reader.options.device
    sizes = (module.in_features, module.out_features, bias)
    weight, parts = reader[source], {extra: reader.weights[key] for extra, key in extras.items()}
    precision = "8bit" if "SCB" in parts else "4bit"
    try:
        if not settings.get(f"load_in_{precision}", settings.get(f"_load_in_{precision}", False)):
            raise ValueError("config.json says otherwise")
        if precision == "8bit":
            rows, scales = _read_8bit(weight, parts, tuple(module.weight.shape))
            layer: nn.Module = Linear8bit(*sizes, rows.to(device), scales.to(device), _threshold(settings))
        else:
            packed, state = read_4bit(weight, parts, tuple(module.weight.shape), device)
            if state.quant_type != settings.get("bnb_4bit_quant_type", state.quant_type):
                raise ValueError(f"it is {state.quant_type}, and config.json says otherwise")
            layer = Linear4bit(*sizes, packed, state)
    except ValueError as error:
        raise _unusable(precision, path, file, error) from error
    reader.count(weight.nbytes)
    return layer


def _unusable(precision: str, path: str, file: Path, error: ValueError) -> CheckpointError:
    """Return the sentence for a quantised weight that is not what it says."""
    return CheckpointError(
        f"The {precision} weight {path} of {file} cannot be used ({first_line(error)}). Copy the checkpoint again, "
        "or quantise the original one with `xlmrxl quantize`."
    )


def _read_8bit(weight: Tensor, parts: dict[str, Tensor], shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Check all that a file says of 8-bit rows; return them with their scales in float32.

    Raises:
        ValueError: something is not what it must be; the message is a clause.
    """
    if unexpected := parts.keys() - {"SCB", "weight_format"}:
        raise ValueError(f"it has {sorted(unexpected)[0]}, which no 8-bit weight has")
    scales, form = parts["SCB"], parts.get("weight_format")
    if weight.dtype != torch.int8 or weight.shape != shape or not weight.is_contiguous():
        raise ValueError(f"it is {weight.dtype} of shape {tuple(weight.shape)}, not int8 of {shape}")
    if scales.dtype not in (torch.float32, torch.float16, torch.bfloat16) or scales.shape != shape[:1]:
        raise ValueError(f"SCB is {scales.dtype} of shape {tuple(scales.shape)}, not float32 of {shape[:1]}")
    check_scales("SCB", scales)
    # 0 is "row"; the others are orders of values that bitsandbytes had for some GPUs.
    if form is not None and (form.numel() != 1 or form.is_complex() or form.item() != 0):
        raise ValueError("its weight_format is not that of rows")
    return weight, scales.float()


def _assign_embeddings(
    model: XLMRobertaXLModule,
    path: str,
    keys: dict[str, str],
    reader: TensorReader,
    extras: dict[str, str] | None,
) -> None:
    """Put word embeddings in 8-bit rows, and the LM decoder on them where it is tied."""
    options = reader.options
    old = cast("nn.Embedding", model.get_submodule(path))
    source = keys.pop(f"{path}.weight")
    weight, file = reader[source], reader.weights.file_of(source)
    dtype = options.dtype or (torch.bfloat16 if extras else weight.dtype)
    if extras:
        for extra in extras:
            keys.pop(f"{path}.{extra}")
        try:
            if "SCB" not in extras:
                raise ValueError("it has no SCB")
            parts = {extra: reader.weights[key] for extra, key in extras.items()}
            rows, scales = _read_8bit(weight, parts, tuple(old.weight.shape))
        except ValueError as error:
            raise _unusable("8bit", path, file, error) from error
        rows, scales = rows.to(options.device), scales.to(options.device)
        reader.count(weight.nbytes)
    else:
        rows, scales = quantize_8bit(weight, dtype, options.device, reader.used(source))
    embeddings = Embedding8bit(rows, scales, old.padding_idx, dtype)
    model.set_submodule(path, embeddings)
    output = model.get_output_embeddings()
    if output is not None and model.config.tie_word_embeddings:
        model.set_output_embeddings(cast("nn.Linear", TiedDecoder8bit(embeddings, output.bias)))


def match_names(model: XLMRobertaXLModule, weights: Weights) -> dict[str, str]:
    """Return the name in the checkpoint of each tensor, by the model's own name for it.

    A base model's checkpoint has no prefix, a head's has one; of a tied pair, a checkpoint may hold either name.
    """
    prefix = BASE_PREFIX + "."
    bare = model.base_model is model
    names = {name: name for name in weights}
    if not any(name.startswith(prefix) for name in weights):
        names = {name if name.startswith(HEADS) else prefix + name: name for name in weights}
    if model.config.tie_word_embeddings:
        for other, own in TIED.items():
            if own not in names and other in names:
                names[own] = names.pop(other)
    # One parameter here; where a file holds two, the decoder's is the one that acts in every version of transformers.
    if "lm_head.decoder.bias" in names:
        names["lm_head.bias"] = names["lm_head.decoder.bias"]
    return {name.removeprefix(prefix): source for name, source in names.items()} if bare else names


def _is_head(key: str) -> bool:
    return key.startswith((*HEADS, "pooler."))


def stored_dtype(weights: Weights) -> torch.dtype:
    """The type that a checkpoint's weights have."""
    return next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), torch.float32)


def _places(model: nn.Module) -> dict[int, list[tuple[nn.Module, str]]]:
    """Where each parameter stands, under every name it has."""
    places: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            places.setdefault(id(parameter), []).append((module, name))
    return places


def _start_afresh(model: XLMRobertaXLModule, keys: list[str]) -> None:
    fresh = set(keys)
    for prefix, module in model.named_modules():
        own = {f"{prefix}.{name}" for name, _ in module.named_parameters(recurse=False)} & fresh
        if not own:
            continue
        if isinstance(module, nn.Linear | nn.LayerNorm | nn.Embedding):
            kept = {name: p.detach().clone() for name, p in module.named_parameters() if f"{prefix}.{name}" not in own}
            model._init_weights(module)
            for name, value in kept.items():
                module.get_parameter(name).data.copy_(value)
        else:
            for name in own:
                nn.init.zeros_(model.get_parameter(name))


def _misfit(model: XLMRobertaXLModule, key: str, tensor: Tensor, parameter: Tensor, file: Path) -> str:
    text = (
        f"{key} has the shape {tuple(tensor.shape)} in {file}, but {type(model).__name__} needs "
        f"{tuple(parameter.shape)}."
    )
    if _is_head(key):
        return text + " For a head with another number of labels, pass ignore_mismatched_sizes=True to train a new one."
    return text + " The config.json beside it belongs to another model."
