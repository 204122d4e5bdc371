"""From the files of a checkpoint to a model: tensor by tensor, each converted or quantised, put in place and let go.

A model is built without values; every value comes from here. Beside the finished model no more is in memory than the
tensor at hand: its pages are given back as soon as they have been read, large ones piece by piece.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from xlmrxl.checkpoints.weight_files import (
    TIED,
    Weights,
    check_floats,
    map_scratch,
    open_weights,
    prefetch,
    release_pages,
    trim_heap,
)
from xlmrxl.errors import CheckpointError, InputError, describe, get_first_line, shorten
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.device_map import dispatch, find_single_device, infer_device_map
from xlmrxl.model.module import BASE_PREFIX, XLMRobertaXLModule, init_empty_weights
from xlmrxl.quantization.bnb_format import quantize_8bit, read_8bit, split_rows
from xlmrxl.quantization.bnb_layers import Embedding8bit, Linear8bit, TiedDecoder8bit
from xlmrxl.quantization.layers import QuantizedLinear, is_quantizable
from xlmrxl.quantization.load_options import SIXTEEN_BITS, LoadOptions
from xlmrxl.quantization.precision import (
    PRECISIONS,
    Precision,
    describe_settings,
    find_precision,
    list_quantized,
    read_stored_precision,
)
from xlmrxl.quantization.upcast import upcast_where_needed

Model = TypeVar("Model", bound=XLMRobertaXLModule)

logger = logging.getLogger(__name__)

HEADS = ("lm_head.", "classifier.", "qa_outputs.", "roberta.pooler.")
"""What a checkpoint may lack (it starts afresh) or have in excess (it is left out): parts made for one task."""
BUFFERS = ("position_ids", "token_type_ids")
"""Constants that older checkpoints carry and nobody needs."""

EMBEDDINGS = "embeddings.word_embeddings"
LARGE = 1 << 26
"""Numbers from which a converted tensor is worth a file: a tenth of those in XL's embeddings."""


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
    model_class: type[Model],
    checkpoint: Checkpoint,
    options: LoadOptions,
    *,
    arguments: Mapping[str, Any] | None = None,
    ignore_mismatched_sizes: bool = False,
    fresh_heads: bool = True,
    device_map: Any = None,
    max_memory: Any = None,
    **dispatch_options: Any,
) -> tuple[Model, dict[str, list[Any]]]:
    """Build a model and load a checkpoint into it, in eval mode: the one way, whoever asks.

    On a processor that lacks the arithmetic of the model's 16-bit type, the model computes in float32 (see
    `quantization.upcast`).

    Args:
        model_class: of the model.
        checkpoint: from `open_checkpoint`.
        options: how the weights are to be held; the dtype may be `SIXTEEN_BITS`, the precision None or what the
            checkpoint has already.
        arguments: of the constructor, beside the config.
        ignore_mismatched_sizes: start afresh where a shape differs.
        fresh_heads: start afresh what a checkpoint lacks of a head, to be trained; otherwise it is an error.
        device_map: a device for all of the model, or how accelerate spreads it.
        max_memory: by device, as accelerate takes it.
        **dispatch_options: of `device_map.dispatch`.

    Returns:
        The model, and what `load_weights` says of it.

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
    with init_empty_weights():
        model = model_class(checkpoint.config, **(arguments or {}))
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
    return model, info


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


class TensorReader:
    """Takes tensors out of a checkpoint, counts what has been done, and releases what has been used.

    Args:
        weights: of the checkpoint.
        keys: the names in the checkpoint of what will be read, by the model's own names.
        options: how the tensors are to be held.
        remap: large converted tensors go to a file that is mapped, like those that need no conversion.
    """

    def __init__(self, weights: Weights, keys: dict[str, str], options: LoadOptions, *, remap: bool = False) -> None:
        """Add up the bytes to read, for the reports of progress."""
        self.weights, self.options, self.done, self.remap = weights, options, 0, remap
        self.sizes = {source: weights[source].nbytes for source in keys.values()}
        self.total = sum(self.sizes.values())
        self.order = list(self.sizes)
        self.ahead = dict(zip(self.order, self.order[1:], strict=False))

    def __getitem__(self, source: str) -> Tensor:
        """Return a tensor by its name in the checkpoint, and have the system fetch the next one meanwhile."""
        following = self.ahead.get(source)
        if following is not None and self.weights.is_mapped(following):
            prefetch(self.weights[following])
        return self.weights[source]

    def release_after(self, source: str) -> Callable[[Tensor], None]:
        """Return what is to be called with each part of a tensor that has been used."""
        mapped = self.weights.is_mapped(source)

        def on_read(part: Tensor) -> None:
            if mapped:
                release_pages(part)
            self.count(part.nbytes)

        return on_read

    def count(self, size: int) -> None:
        """Report that so many more bytes of the checkpoint have been dealt with."""
        self.done += size
        self.options.progress(self.done, self.total)

    def convert(self, source: str) -> Tensor:
        """Return a tensor in the wanted type on the wanted device: the file's own where nothing has to change."""
        tensor, options = self[source], self.options
        dtype = options.choose_dtype(tensor.dtype) if tensor.is_floating_point() else tensor.dtype
        if tensor.dtype == dtype and options.device.type == "cpu":
            self.count(tensor.nbytes)
            return tensor
        scratch = None
        if self.remap and tensor.numel() >= LARGE:
            scratch = map_scratch(self.weights.get_file(source), tensor.shape, dtype)
        out = torch.empty(tensor.shape, dtype=dtype, device=options.device) if scratch is None else scratch
        on_read = self.release_after(source)
        if tensor.dim() < 2:
            out.copy_(tensor)
            on_read(tensor)
        for start, stop in split_rows(tensor) if tensor.dim() > 1 else ():
            out[start:stop].copy_(tensor[start:stop])
            on_read(tensor[start:stop])
            if scratch is not None:
                release_pages(out[start:stop])
        return out

    def quantize(self, source: str, bias: Tensor | None) -> QuantizedLinear:
        """Return a linear layer in the wanted precision, made of an unquantised weight."""
        layer = find_precision(self.options.precision).layer
        return layer.quantize(self[source], bias, self.options, self.release_after(source))


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
    stored = _find_stored_layers(model, keys)
    missing, mismatched = check_checkpoint(model, weights, keys, stored, name, ignore_mismatched_sizes, fresh_heads)
    reader = TensorReader(weights, keys, options, remap=options.precision is not None and options.device.type == "cpu")
    quantized = _load_quantized_layers(model, keys, reader, name, stored)
    common = options.choose_dtype(find_stored_dtype(weights))
    places = _map_parameters(model)
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
    trim_heap()
    if quantized and options.precision is not None:
        said = getattr(model.config, "quantization_config", None) or {}
        # However the file had them packed, they are bytes now, and are saved as such.
        said = {**describe_settings(options), **said}
        if "bnb_4bit_quant_storage" in said:
            said["bnb_4bit_quant_storage"] = "uint8"
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
            tensor, file = weights[source], weights.get_file(source)
            check_floats(source, tensor, file)
            if tensor.shape != parameter.shape:
                mismatched.append(key)
                if not ignore_mismatched_sizes:
                    raise CheckpointError(_describe_misfit(model, key, tensor, parameter, file))
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


def _find_stored_layers(model: XLMRobertaXLModule, keys: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return what a checkpoint has beside the weight of each quantised layer, by the layer's path."""
    names = dict.fromkeys(part for name in list_quantized() for part in PRECISIONS[name].layer.parts)
    part_pattern = "|".join(re.escape(name).replace(r"\*", ".*") for name in names)
    layers: dict[str, dict[str, str]] = {}
    quantizable = {path for path, module in model.named_modules() if isinstance(module, nn.Linear | nn.Embedding)}
    for key, source in keys.items():
        match = re.fullmatch(rf"(.+?)\.({part_pattern})", key, re.DOTALL)
        if match and match[1] in quantizable and f"{match[1]}.weight" in keys:
            layers.setdefault(match[1], {})[match[2]] = source
    return layers


def _load_quantized_layers(
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
        extras, inner = stored.get(path), is_quantizable(path, module)
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
            trim_heap()
        model.set_submodule(path, layer)
        count += inner
    prefix = "" if model.base_model is model else BASE_PREFIX + "."
    path = prefix + EMBEDDINGS
    if path in stored or options.embeddings_8bit:
        _load_quantized_embeddings(model, path, keys, reader, stored.get(path))
    elif options.precision is not None and not count:
        raise CheckpointError(
            f"config.json of {name} or the call asks for {options.precision} weights, but no linear layer of the "
            "encoder is there to be quantised."
        )
    return count


def _read_layer(
    path: str,
    module: nn.Linear,
    bias: Tensor | None,
    source: str,
    extras: dict[str, str],
    reader: TensorReader,
    settings: dict[str, Any],
) -> QuantizedLinear:
    """Make a layer of what the file has quantised."""
    precision = cast("Precision", read_stored_precision(settings))
    weight, parts = reader[source], {extra: reader.weights[key] for extra, key in extras.items()}
    try:
        _check_parts(parts, precision.layer.parts)
        shape = (module.out_features, module.in_features)
        layer = precision.layer.read(weight, parts, bias, shape, reader.options.device, settings)
    except ValueError as error:
        raise _describe_unusable(precision.name, path, reader.weights.get_file(source), error) from error
    reader.count(weight.nbytes)
    return layer


def _check_parts(parts: Mapping[str, Tensor], known: Sequence[str]) -> None:
    """Refuse what a weight of another format has.

    Raises:
        ValueError: there is such a part; the message is a clause.
    """
    for part in parts:
        if not any(fnmatchcase(part, name) for name in known):
            raise ValueError(f"it has {part}, and config.json says otherwise")


def _describe_unusable(precision: str, path: str, file: Path, error: ValueError) -> CheckpointError:
    """Return the sentence for a quantised weight that is not what it says."""
    return CheckpointError(
        f"The {precision} weight {path} of {file} cannot be used ({get_first_line(error)}). Copy the checkpoint again, "
        "or quantise the original one with `xlmrxl quantize`."
    )


def _load_quantized_embeddings(
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
    weight, file = reader[source], reader.weights.get_file(source)
    dtype = options.choose_dtype(torch.bfloat16 if extras else weight.dtype)
    if extras:
        for extra in extras:
            keys.pop(f"{path}.{extra}")
        try:
            parts = {extra: reader.weights[key] for extra, key in extras.items()}
            _check_parts(parts, Linear8bit.parts)
            rows, scales = read_8bit(weight, parts, tuple(old.weight.shape))
        except ValueError as error:
            raise _describe_unusable("8bit", path, file, error) from error
        rows, scales = rows.to(options.device), scales.to(options.device)
        reader.count(weight.nbytes)
    else:
        rows, scales = quantize_8bit(weight, dtype, options.device, reader.release_after(source))
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


def find_stored_dtype(weights: Weights) -> torch.dtype:
    """Return the type that a checkpoint's weights have."""
    return next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), torch.float32)


def _map_parameters(model: nn.Module) -> dict[int, list[tuple[nn.Module, str]]]:
    """Return the modules and attributes that hold each parameter, by the parameter's id."""
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


def _describe_misfit(model: XLMRobertaXLModule, key: str, tensor: Tensor, parameter: Tensor, file: Path) -> str:
    text = (
        f"{key} has the shape {tuple(tensor.shape)} in {file}, but {type(model).__name__} needs "
        f"{tuple(parameter.shape)}."
    )
    if _is_head(key):
        return text + " For a head with another number of labels, pass ignore_mismatched_sizes=True to train a new one."
    return text + " The config.json beside it belongs to another model."
