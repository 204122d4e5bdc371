"""Quantise a checkpoint once, so that it is only mapped afterwards: `xlmrxl quantize`.

The layout is the one that transformers and bitsandbytes write and read.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xlmrxl.checkpoints.weight_files import TIED, Weights, check_floats, save_weights
from xlmrxl.errors import CheckpointError, get_first_line
from xlmrxl.model.checkpoint import find_stored_precision, open_checkpoint
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.encoder import XLMRobertaXLModel
from xlmrxl.model.loading import (
    BUFFERS,
    EMBEDDINGS,
    HEADS,
    TensorReader,
    check_checkpoint,
    find_stored_dtype,
    match_names,
)
from xlmrxl.model.module import BASE_PREFIX, init_empty_weights
from xlmrxl.output_lock import lock_output
from xlmrxl.progress import Progress, show_progress
from xlmrxl.quantization.bnb_format import quantize_8bit
from xlmrxl.quantization.layers import is_quantizable
from xlmrxl.quantization.load_options import SIXTEEN_BITS, LoadOptions
from xlmrxl.quantization.precision import describe_settings, find_precision
from xlmrxl.tokenization.tokenizer import XLMRobertaTokenizer


def quantize(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    precision: str,
    *,
    double_quant: bool = True,
    embeddings_8bit: bool = False,
    device: str = "cpu",
    max_shard_size: int | str = "1GB",
    progress: Progress | bool = True,
    **where: Any,
) -> Path:
    """Write a checkpoint with 8-bit or 4-bit weights. The target appears when all of it is written, or not at all.

    Args:
        source: a folder, a name on the Hub, or `"default"`.
        target: a folder that does not exist yet, or is empty.
        precision: `"8bit"`, `"4bit"`, or another quantised one of `quantization.precision`.
        double_quant: quantise the scales of 4-bit weights too.
        embeddings_8bit: the word embeddings as 8-bit rows; transformers does not read these.
        device: where to compute; the bytes are the same on a CPU and, up to rounding, on a GPU.
        max_shard_size: bytes a file; about as much is in memory.
        progress: called with the bytes of the source that have been dealt with and how many there are; True for a bar.
        **where: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download`, `subfolder` of the source.

    Returns:
        The target.

    Raises:
        CheckpointError: the source cannot be read or is quantised, or the target cannot be written.
        InputError: another precision, or another job is writing the target.
    """
    find_precision(precision, quantized=True).require_package()
    folder = Path(target).expanduser()
    _check_target(folder)
    config = XLMRobertaXLConfig.from_pretrained(source, **where)
    if stored := find_stored_precision(config):
        raise CheckpointError(f"{os.fspath(source)!r} has {stored} weights already. Start from the unquantised one.")
    weights = open_checkpoint(source, config, **where).weights
    tokenizer = XLMRobertaTokenizer.from_pretrained(source, **where)
    dtype = LoadOptions(SIXTEEN_BITS).choose_dtype(find_stored_dtype(weights))
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    locked = ExitStack()
    try:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            locked.enter_context(lock_output(folder))
            _check_target(folder)  # another job may have written it since
            shutil.rmtree(partial, ignore_errors=True)
            locked.callback(shutil.rmtree, partial, ignore_errors=True)
            partial.mkdir()
            with show_progress(progress, f"Quantising {os.fspath(source)}") as report:
                options = LoadOptions(dtype, precision, double_quant, embeddings_8bit, torch.device(device), report)
                save_weights(
                    partial, _yield_tensors(weights, config, options, os.fspath(source)), max_shard_size=max_shard_size
                )
            config = copy.deepcopy(config)
            config.torch_dtype = dtype
            config.quantization_config = describe_settings(options)
            config.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
            if folder.exists():
                folder.rmdir()
            os.replace(partial, folder)
        except CheckpointError:
            raise
        except OSError as error:
            raise CheckpointError(
                f"{folder} could not be written ({get_first_line(error)}). Check its free space and its rights."
            ) from error
    finally:
        locked.close()
    return folder


def _check_target(folder: Path) -> None:
    """Make sure that a folder can become the target.

    Raises:
        CheckpointError: it holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} exists already. Remove it, or choose another target.")


def _yield_tensors(
    weights: Weights, config: XLMRobertaXLConfig, options: LoadOptions, name: str
) -> Iterator[tuple[str, Tensor]]:
    """Yield what the target holds, in the order and by the names of the source."""
    with init_empty_weights():
        model = XLMRobertaXLModel(config)
    wanted = {path for path, module in model.named_modules() if is_quantizable(path, module)}
    keys = match_names(model, weights)
    check_checkpoint(model, weights, keys, {}, name)
    prefixed = any(key.startswith(BASE_PREFIX + ".") for key in weights)
    if config.tie_word_embeddings:
        keys = {key: source for key, source in keys.items() if key not in TIED}
    else:
        keys |= {key: key for key in TIED.values() if key in weights}
    kept = {key: source for key, source in keys.items() if not key.endswith(BUFFERS)}
    reader = TensorReader(weights, kept, options)
    for key, source in kept.items():
        check_floats(source, weights[source], weights.get_file(source))
        written = f"{BASE_PREFIX}.{key}" if prefixed and not key.startswith(HEADS) else key
        path = written.removesuffix(".weight")
        if key.endswith(".weight") and key.removesuffix(".weight") in wanted:
            layer = reader.quantize(source, None)
            for part, tensor in layer.tensors().items():
                yield f"{path}.{part}", tensor
        elif options.embeddings_8bit and key == f"{EMBEDDINGS}.weight":
            rows, scales = quantize_8bit(
                reader[source], options.choose_dtype(torch.bfloat16), options.device, reader.release_after(source)
            )
            yield written, rows
            yield f"{path}.SCB", scales
        else:
            yield written, reader.convert(source)
