"""From the files of a checkpoint to a model: tensor by tensor, each converted or quantised, put in place and let go.

A model is built without values; every value comes from here. Beside the finished model no more is in memory than the
tensor at hand: its pages are given back as soon as they have been read, large ones piece by piece.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from xlmrxl.checkpoints.weight_files import (
    TIED,
    Weights,
    check_floats,
    map_scratch,
    prefetch,
    release_pages,
    trim_heap,
)
from xlmrxl.errors import CheckpointError, get_first_line, shorten
from xlmrxl.model.module import BASE_PREFIX, XLMRobertaXLModule
from xlmrxl.quantization.bnb_format import quantize_8bit, read_8bit, split_rows
from xlmrxl.quantization.bnb_layers import Embedding8bit, Linear8bit, TiedDecoder8bit
from xlmrxl.quantization.layers import QuantizedLinear, is_quantizable
from xlmrxl.quantization.load_options import LoadOptions
from xlmrxl.quantization.precision import (
    PRECISIONS,
    Precision,
    describe_settings,
    find_precision,
    list_quantized,
    read_stored_precision,
)

logger = logging.getLogger(__name__)

HEADS = ("lm_head.", "classifier.", "qa_outputs.", "roberta.pooler.")
"""What a checkpoint may lack (it starts afresh) or have in excess (it is left out): parts made for one task."""
BUFFERS = ("position_ids", "token_type_ids")
"""Constants that older checkpoints carry and nobody needs."""

EMBEDDINGS = "embeddings.word_embeddings"
LARGE = 1 << 26
"""Numbers from which a converted tensor is worth a file: a tenth of those in XL's embeddings."""


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
