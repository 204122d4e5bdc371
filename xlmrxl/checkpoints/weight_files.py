"""Files of weights: what they are called, how they are read without copying them, and how they are written.

Knows nothing of the models. The layouts are those of the Hub: one safetensors file or several with an index, or
the same as `.bin` pickles, which are read with `weights_only=True`, so that nothing in them is executed.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xlmrxl.checkpoints.adapter import refuse_adapter
from xlmrxl.checkpoints.hub import find_local_folder, resolve_file
from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, InputError, describe, get_first_line, shorten

SAFETENSORS, BIN = "model.safetensors", "pytorch_model.bin"
INDEX = ".index.json"
LAYOUTS = (SAFETENSORS, SAFETENSORS + INDEX, BIN, BIN + INDEX)
"""The names a checkpoint's weights may have, in the order they are looked for."""
TIED = {
    "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
"""Names that stand for one tensor where weights are tied: a file may hold either, and an index may name both."""
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""The types that weights may have where they are not quantised."""
MAX_PICKLE = 64 << 20
"""Bytes of a .bin's description of its tensors; that of XL has 0.1 MB."""
MAX_NAME = 500
"""Characters of the name of a tensor; the longest of a model has 80."""
MAPPED = "_xlmrxl_mapped"
"""An attribute of tensors that were read from a .bin file by mapping it."""
AGAIN = "It is damaged or was not copied completely: download or copy it again."


class Weights(Mapping[str, Tensor]):
    """The tensors of a checkpoint by name, mapped from its files: reading one costs nothing until it is used."""

    def __init__(self, tensors: Mapping[str, tuple[Path, Any]]) -> None:
        """Take tensors by name, each with the file that holds it and what it is read from."""
        self._tensors = tensors

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Weights:
        """Return the tensors of a state dict as if they came from a file.

        Raises:
            TypeError: something in it is no tensor by name.
        """
        for name, tensor in state_dict.items():
            if not isinstance(name, str) or not isinstance(tensor, Tensor):
                raise TypeError(f"A state_dict holds tensors by name; this one has {describe(name)}.")
        return cls({name: (Path("state_dict"), tensor.detach()) for name, tensor in state_dict.items()})

    def __getitem__(self, name: str) -> Tensor:
        """Return a tensor, mapped where its file is."""
        path, source = self._tensors[name]
        try:
            return source if isinstance(source, Tensor) else source.get_tensor(name)
        except (SafetensorError, RuntimeError, OSError) as error:
            raise CheckpointError(f"{name} cannot be read from {path} ({get_first_line(error)}). {AGAIN}") from error

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the tensors, in the order of the files."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Return the number of tensors."""
        return len(self._tensors)

    def is_mapped(self, name: str) -> bool:
        """Return whether a tensor is a part of its file, not a copy of it."""
        source = self._tensors[name][1]
        return not isinstance(source, Tensor) or getattr(source, MAPPED, False)

    def get_file(self, name: str) -> Path:
        """Return the file that holds a tensor."""
        return self._tensors[name][0]


@cache
def _madvise() -> Any:
    """Return the system's madvise(address, length, advice), or None where it is not that of Linux."""
    if not sys.platform.startswith("linux"):
        return None
    function = ctypes.CDLL(None, use_errno=True).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function


def release_pages(tensor: Tensor) -> None:
    """Take a mapped tensor out of this process's memory; read again, it comes from the file again.

    Only pages that are wholly the tensor's, so that its neighbours stay. Give it nothing that is not a file's.
    """
    if _madvise() is not None and tensor.is_contiguous():
        start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        stop = (tensor.data_ptr() + tensor.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if stop > start:
            _madvise()(start, stop - start, mmap.MADV_DONTNEED)


def prefetch(tensor: Tensor) -> None:
    """Have the system read a mapped tensor from the disk while something else is computed."""
    if _madvise() is not None and tensor.is_contiguous():
        start = tensor.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
        _madvise()(start, tensor.data_ptr() + tensor.nbytes - start, mmap.MADV_WILLNEED)


def map_scratch(file: Path, shape: torch.Size, dtype: torch.dtype) -> Tensor | None:
    """Return a tensor without values in a nameless file: the system can take its pages back at any time.

    The file lies in the folder of `file` and is gone with the tensor, or with the process. None where that cannot be
    had: no right to write there, not enough space, or a system on which an open file keeps its name.
    """
    if not hasattr(os, "posix_fallocate"):
        return None
    count = shape.numel()
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".mapped-") as scratch:
            os.posix_fallocate(scratch.fileno(), 0, count * dtype.itemsize)
            return torch.from_file(scratch.name, shared=True, size=count, dtype=dtype).view(shape)
    except (OSError, RuntimeError):
        return None


@cache
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None


def trim_heap() -> None:
    """Give back what was freed: glibc keeps it, scattered between what is still in use, a sixth of XL in 4 bits."""
    if _malloc_trim() is not None:
        _malloc_trim()(0)


def open_weights(
    name_or_path: str | os.PathLike[str],
    *,
    variant: str | None = None,
    safetensors: bool | None = None,
    **where: Any,
) -> Weights:
    """Map the weights of a folder, a Hub repository or `"default"`.

    Args:
        name_or_path: where the checkpoint is.
        variant: a word in the name of its files.
        safetensors: True: no `.bin`, False: nothing else; either if None.
        **where: the options of `hub.resolve_file`.

    Raises:
        CheckpointError: there are none, or a file is missing, damaged or not what its index says.
        InputError: the variant is no word.
    """
    layouts = [
        add_variant(layout, variant) for layout in LAYOUTS if safetensors in (None, layout.startswith(SAFETENSORS))
    ]
    for layout in layouts:
        path = resolve_file(name_or_path, layout, required=False, **where)
        if path is None:
            continue
        if not layout.endswith(".json"):
            return Weights({name: (path, source) for name, source in _open_file(path)})
        return _open_shards(path, name_or_path, where)
    refuse_adapter(name_or_path, **where)
    if find_local_folder(name_or_path) is None:
        resolve_file(name_or_path, layouts[0], **where)  # says why the Hub gives nothing, where that is the reason
    raise CheckpointError(
        f"{os.fspath(name_or_path)!r} holds no weights: none of {', '.join(layouts)} is there (or, for a name on the "
        "Hub without a network, was downloaded before). Give the folder or repository of a complete checkpoint."
    )


def add_variant(name: str, variant: str | None) -> str:
    """Return the name of a file of weights, or of their index, in a variant: `model.fp16.safetensors`.

    Raises:
        InputError: the variant is no word.
    """
    if variant is None:
        return name
    if not isinstance(variant, str) or not re.fullmatch(r"[\w-]{1,50}", variant):
        raise InputError(f"variant is {describe(variant)}; it is a word of letters, digits, _ and -, such as 'fp16'.")
    stem, suffix = name.rsplit(".", 1)
    return f"{stem}.{variant}.{suffix}"


def read_index(index: Path) -> dict[str, str]:
    """Read which file holds each tensor.

    An index comes from a stranger: it names files of weights beside itself and nothing else.

    Raises:
        CheckpointError: it cannot be read, or names something else.
    """
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(f"{index} is not a valid index of weight files (it has no weight_map). {AGAIN}")
    for shard in weight_map.values():
        if not isinstance(shard, str) or not re.fullmatch(r"[\w-][\w.-]{0,200}\.(safetensors|bin)", shard):
            raise CheckpointError(
                f"{index} is not a valid index: it names {describe(shard)}, which is no file of weights in its folder. "
                "Correct it, or copy it again."
            )
    return weight_map


def _open_shards(index: Path, name_or_path: str | os.PathLike[str], where: dict[str, Any]) -> Weights:
    weight_map = read_index(index)
    shards = list(dict.fromkeys(weight_map.values()))
    tensors: dict[str, tuple[Path, Any]] = {}
    for shard in shards:
        path = resolve_file(name_or_path, shard, **where)
        assert path is not None
        for name, source in _open_file(path):
            if name in tensors:
                raise CheckpointError(f"{name} is in both {tensors[name][0]} and {path}. Remove the wrong file.")
            tensors[name] = (path, source)
    twins = TIED | {second: first for first, second in TIED.items()}
    absent = [name for name in weight_map if name not in tensors and twins.get(name) not in tensors]
    if absent or not tensors:
        raise CheckpointError(f"{index} lists {_some(absent) or 'nothing'}, which no file holds. {AGAIN}")
    return Weights(tensors)


def _open_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Return the names in one file with something to read each from, after a check of all that can be wrong with it."""
    sources = _open_safetensors(path) if path.suffix == ".safetensors" else _open_bin(path)
    for name in sources:
        if not isinstance(name, str) or len(name) > MAX_NAME:
            raise CheckpointError(
                f"{path} calls a tensor {describe(name)}, which is no name of a weight (text of at most {MAX_NAME} "
                f"characters). {AGAIN}"
            )
    yield from sources.items()


def _open_safetensors(path: Path) -> dict[str, Any]:
    try:
        file = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a readable safetensors file ({get_first_line(error)}). {AGAIN}"
        ) from error
    return {name: file for name in file.keys()}  # type: ignore[no-untyped-call] # noqa: SIM118, C420 - not a dict


def _open_bin(path: Path) -> dict[str, Tensor]:
    try:
        state = _load_bin(path)
    except Exception as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError(
                f"{path} holds more than tensors ({get_first_line(error)}). It would run code when opened and is "
                "refused; ask its author for safetensors."
            ) from error
        raise CheckpointError(f"{path} is not a readable PyTorch file ({get_first_line(error)}). {AGAIN}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} does not hold tensors by name. Save a model's state_dict() instead.")
    for name, value in state.items():
        plain = type(value) in (Tensor, nn.Parameter) and value.layout == torch.strided and value.device.type == "cpu"
        if not plain or value.is_quantized or not _has_its_memory(value):
            raise CheckpointError(f"{path} holds {describe(name)} as no plain tensor of numbers. {AGAIN}")
    return dict(state)


def _has_its_memory(tensor: Tensor) -> bool:
    """Return whether the storage of a tensor is as large as its shape and strides say."""
    storage = tensor.untyped_storage()
    if tensor.numel() == 0:
        return True
    last = tensor.storage_offset() + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return min(tensor.stride(), default=0) >= 0 and 0 <= last < storage.nbytes() // tensor.element_size()


def check_floats(name: str, tensor: Tensor, file: Path) -> None:
    """Refuse what is no weight of a layer that is not quantised: integers, booleans, complex numbers, 8-bit floats.

    Raises:
        CheckpointError: the tensor has such a type.
    """
    if tensor.dtype not in FLOATS:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise CheckpointError(
            f"{shorten(name)} of {file} has the type {kind}; a weight that is not quantised has one of "
            f"{', '.join(str(dtype).removeprefix('torch.') for dtype in FLOATS)}. Save the model in one of them."
        )


def _check_archive(path: Path) -> None:
    """Check the checksums of what a .bin says of its tensors; the tensors themselves are not read.

    Raises:
        OSError: one is wrong.
    """
    if not zipfile.is_zipfile(path):  # from before torch 1.6
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for record in archive.infolist():
                if "/data/" not in record.filename and record.file_size <= MAX_PICKLE:
                    archive.read(record)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, RuntimeError, EOFError, zlib.error) as error:
        raise OSError(get_first_line(error)) from None


def _load_bin(path: Path) -> Any:
    _check_archive(path)
    try:
        state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        for value in state.values() if isinstance(state, Mapping) else ():
            if isinstance(value, Tensor):
                setattr(value, MAPPED, True)
        return state
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
        # Files from before torch 1.6 are no zip archives and cannot be mapped.
        return torch.load(path, map_location="cpu", weights_only=True)


def save_weights(
    folder: Path,
    tensors: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]],
    *,
    max_shard_size: int | str = "5GB",
    safe_serialization: bool = True,
    save_function: Callable[..., Any] = torch.save,
    variant: str | None = None,
) -> None:
    """Write weights in the Hub's layout; nothing of the folder changes before all of it is written.

    Args:
        folder: an existing folder. Weight files of an earlier checkpoint in it are replaced.
        tensors: by name, or pairs that are made one after another: then no more than a file's worth is in memory.
            None may share memory with another.
        max_shard_size: bytes a file, as a number or like `"5GB"`.
        safe_serialization: safetensors, or `.bin` if False.
        save_function: writes a `.bin`, as `torch.save` does.
        variant: a word in the name of the files.

    Raises:
        CheckpointError: it cannot be written, for instance for want of space.
        InputError: `max_shard_size` is not a size, or the variant is no word.
    """
    kind = SAFETENSORS if safe_serialization else BIN
    whole, index_name = add_variant(kind, variant), add_variant(kind + INDEX, variant)
    stem, suffix = whole.rsplit(".", 1)
    limit, total = parse_size(max_shard_size), 0
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=".saving-"))
    shards: list[list[str]] = []
    try:
        for part in _shards(tensors.items() if isinstance(tensors, Mapping) else tensors, limit):
            path = staging / str(len(shards))
            path.touch()
            mode = path.stat().st_mode
            if safe_serialization:
                save_file(part, path, metadata={"format": "pt"})
            else:
                save_function(part, path)
            # safetensors lets only the owner read; a checkpoint is as open as any other file of the folder.
            path.chmod(mode)
            total += sum(tensor.nbytes for tensor in part.values())
            shards.append(list(part))
            del part
        count = len(shards)
        names = [whole] if count == 1 else [f"{stem}-{i:05}-of-{count:05}.{suffix}" for i in range(1, count + 1)]
        for i, name in enumerate(names):
            os.replace(staging / str(i), staging / name)
        if count > 1:
            weight_map = {key: name for name, keys in zip(names, shards, strict=True) for key in keys}
            index = {"metadata": {"total_size": total}, "weight_map": weight_map}
            (staging / index_name).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
        written = sorted(os.listdir(staging))
        for name in written:
            os.replace(staging / name, folder / name)
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"The weights could not be written to {folder} ({get_first_line(error)}). Check its free space and its "
            "rights."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for path in folder.iterdir():
        if _is_weight_file(path.name, variant) and path.name not in written:
            path.unlink()


def _shards(tensors: Iterable[tuple[str, Tensor]], limit: int) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors:
        if shard and size + tensor.nbytes > limit:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor.detach().cpu().contiguous()
        size += tensor.nbytes
    yield shard


def parse_size(size: int | str) -> int:
    """Return the bytes of a size such as `"5GB"` (10^9) or `"200MiB"` (2^20)."""
    if isinstance(size, int) and size > 0:
        return size
    match = re.fullmatch(r"(\d+)\s*([KMG]?)(i?)B", str(size).strip(), re.IGNORECASE)
    if not match or int(match[1]) < 1:
        raise InputError(f"{size!r} is not a size; write a number of bytes or something like '5GB' or '200MB'.")
    step = 1024 if match[3] else 1000
    return int(match[1]) * int(step ** " KMG".index(match[2].upper() or " "))


def _is_weight_file(name: str, variant: str | None) -> bool:
    dotted = "" if variant is None else re.escape(f".{variant}")
    shard = rf"(model|pytorch_model){dotted}(-\d{{5}}-of-\d{{5}})?\.(safetensors|bin)"
    index = rf"(model\.safetensors|pytorch_model\.bin)\.index{dotted}\.json"
    return re.fullmatch(f"{shard}|{index}", name) is not None


def _some(names: list[str], most: int = 4) -> str:
    shown = ", ".join(shorten(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
