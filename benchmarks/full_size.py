"""Write a checkpoint of XL's or XXL's full size with random weights, for the other benchmarks: 7 GB or 21 GB.

    python benchmarks/full_size.py FOLDER --vocabulary FILE [--size xl|xxl] [--shards 4 | --bin]

The numbers are random, the layout, the shapes and the type are those of a real bfloat16 checkpoint; `--bin` writes one
pytorch_model.bin, as XXL is published. It takes some minutes and little memory: one shard or one tensor at a time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from xlmrxl import XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM
from xlmrxl.checkpoints.weight_files import release_pages
from xlmrxl.model.module import init_empty_weights

SIZES = {
    "xl": {},
    "xxl": {"hidden_size": 4096, "num_hidden_layers": 48, "intermediate_size": 16384},
}


def write_checkpoint(folder: Path, size: str, vocabulary: Path, shards: int, as_bin: bool) -> None:
    """Write config, tokenizer and random weights of a size into a folder."""
    config = XLMRobertaXLConfig(**SIZES[size], architectures=["XLMRobertaXLForMaskedLM"], torch_dtype="bfloat16")
    with init_empty_weights():
        model = XLMRobertaXLForMaskedLM(config)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items() if "decoder" not in name}
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    XLMRobertaTokenizer(vocabulary).save_pretrained(folder)
    if as_bin:
        write_bin(folder / "pytorch_model.bin", shapes, config)
        return
    names = list(shapes)
    generator = torch.Generator().manual_seed(0)
    weight_map, total = {}, 0
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = {}
        for name in names[i * len(names) // shards : (i + 1) * len(names) // shards]:
            part[name] = draw_random(name, shapes[name], config, generator)
            weight_map[name] = file
            total += part[name].nbytes
        save_file(part, folder / file, metadata={"format": "pt"})
        print(f"{file}: {total / 1e9:.1f} GB so far", flush=True)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def write_bin(path: Path, shapes: dict[str, torch.Size], config: XLMRobertaXLConfig) -> None:
    """Lay a file out with nothing in it, then map it and fill it tensor by tensor."""
    import mmap

    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        state = {name: torch.empty(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}
    with torch.serialization.skip_data(materialize_fake_tensors=True):
        torch.save(state, path)
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        mapped = torch.load(path, mmap=True, weights_only=True)
    generator = torch.Generator().manual_seed(0)
    # As random as it need be, and at the speed of the disk: one large draw, over and over.
    tile = torch.empty(1 << 24, dtype=torch.bfloat16).normal_(std=config.initializer_range, generator=generator)
    for name, tensor in mapped.items():
        if tensor.dim() < 2:
            tensor.copy_(draw_random(name, tensor.shape, config, generator))
            continue
        for part in tensor.view(-1).split(len(tile)):
            part.copy_(tile[: len(part)])
            release_pages(part)
    print(f"{path.name}: {path.stat().st_size / 1e9:.1f} GB")


def draw_random(name: str, shape: torch.Size, config: XLMRobertaXLConfig, generator: torch.Generator) -> torch.Tensor:
    """Return a tensor as a fresh model has it: biases 0, norms 1, the rest normal."""
    if name.endswith("bias"):
        return torch.zeros(shape, dtype=torch.bfloat16)
    if "norm" in name.lower():
        return torch.ones(shape, dtype=torch.bfloat16)
    return torch.empty(shape, dtype=torch.bfloat16).normal_(std=config.initializer_range, generator=generator)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vocabulary", type=Path, required=True, help="XLM-R's sentencepiece.bpe.model")
    parser.add_argument("--size", choices=SIZES, default="xl")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--bin", action="store_true", help="one pytorch_model.bin instead")
    arguments = parser.parse_args()
    write_checkpoint(arguments.folder, arguments.size, arguments.vocabulary, arguments.shards, arguments.bin)
