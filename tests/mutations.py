"""Damage checkpoints in thousands of ways, and see that each is read right or refused in a sentence.

    python tests/mutations.py --seed 0 --count 3000

Every mutant is loaded, and fills a mask, in a process of its own. What must not happen: a signal, an exception that is
no CheckpointError, a message of several lines or without end, a number that is none, a load that never ends, or an
answer other than the original's where nothing that may change answers was changed.

A byte of a weight, of a scale or of a vocabulary that stands alone may change the answer: nobody can see that it is not
what its author wrote. What says how these are to be read may not.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process that has several threads cannot be forked

import torch
from browser.running_app import make_checkpoint
from safetensors.torch import load_file, save_file

import xlmrxl
from xlmrxl import CheckpointError, XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM
from xlmrxl.quantize import quantize

TEXT = "The <mask> is here."
SECONDS = 60  # for one mutant
LONGEST = 800  # characters of a message

HOSTILE: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 64, 256, 255, 10**7, -(10**9), 10**18, 10**400, 0.5, -0.5, 1e-400, 1e300),
    *(
        math.inf,
        -math.inf,
        math.nan,
        "",
        "a",
        "0",
        "nf4",
        "fp4",
        "float32",
        "nn",
        "\ud800",
        "../../etc/passwd",
        "x" * 5000,
    ),
    *([], {}, [1, 2], [[[]]], {"a": {}}, [[64, 64]], {"0": "a"}),
]
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int64, torch.bool)
METADATA = (".quant_map", ".nested_quant_map", ".weight_format")
"""What tensors end with that say how others are to be read."""


@dataclass(frozen=True)
class Mutant:
    """What was done to a copy of a checkpoint."""

    what: str
    may_change: bool  # whether the answer may be another


def make_originals(root: Path) -> dict[str, Path]:
    """Write a small checkpoint in every layout that is read; sizes are multiples of a block, and not."""
    base = root / "base"
    base.mkdir()
    make_checkpoint(base)
    tokenizer = XLMRobertaTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["[NEW]"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<e1>"]})
    config = XLMRobertaXLConfig(
        vocab_size=len(tokenizer) + 3,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=66,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    model = XLMRobertaXLForMaskedLM(config).eval()
    made: dict[str, Path] = {}

    def save(name: str, **options: Any) -> Path:
        made[name] = root / name
        model.save_pretrained(made[name], **options)
        tokenizer.save_pretrained(made[name])
        return made[name]

    save("plain")
    save("shards", max_shard_size="100kB")
    save("bin", safe_serialization=False)
    save("bin shards", safe_serialization=False, max_shard_size="100kB")
    (save("tokenizer.json alone") / "sentencepiece.bpe.model").unlink()
    for name in ("tokenizer.json", "added_tokens.json"):
        (save("sentencepiece alone") / name).unlink(missing_ok=True)
        (made["sentencepiece alone"] / "tokenizer.json").unlink(missing_ok=True)
    for name, precision, options in (
        ("8 bits", "8bit", {}),
        ("4 bits", "4bit", {}),
        ("4 bits, single", "4bit", {"double_quant": False}),
        ("4 bits, shards", "4bit", {"max_shard_size": "50kB"}),
        ("4 bits, embeddings in 8", "4bit", {"embeddings_8bit": True}),
    ):
        made[name] = quantize(made["plain"], root / name, precision, progress=False, **options)
    pickled = root / "4 bits, bin"
    made[pickled.name] = Path(shutil.copytree(made["4 bits"], pickled))
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    stored = root / "4 bits in bfloat16"
    made[stored.name] = Path(shutil.copytree(made["4 bits"], stored))
    tensors = load_file(stored / "model.safetensors")
    for name in [name.partition(".quant_state")[0] for name in tensors if ".quant_state" in name]:
        tensors[name] = tensors[name].view(-1).view(torch.bfloat16)[:, None]
    save_file(tensors, stored / "model.safetensors", metadata={"format": "pt"})
    shutil.rmtree(base)
    return made


# Ways to damage a folder


def mutate(folder: Path, chance: random.Random) -> Mutant:
    """Damage one file of a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    weights = [path for path in files if path.suffix in (".safetensors", ".bin")]
    texts = [path for path in files if path.suffix == ".json"]
    ways: list[Callable[[], Mutant]] = [
        lambda: mutate_bytes(chance.choice(files), chance),
        lambda: mutate_bytes(chance.choice(weights), chance),
        lambda: mutate_json(chance.choice(texts), chance),
        lambda: mutate_json(folder / "config.json", chance),
    ]
    if tensors := [path for path in weights if path.suffix == ".safetensors"]:
        ways += [lambda: mutate_tensor(chance.choice(tensors), chance)] * 3
        ways += [lambda: mutate_header(chance.choice(tensors), chance)] * 2
    if quantized := [path for path in tensors if any(".quant_state" in name for name in load_file(path))]:
        ways += [lambda: mutate_state(chance.choice(quantized), chance)] * 6
    return chance.choice(ways)()


def mutate_bytes(path: Path, chance: random.Random) -> Mutant:
    """Flip, cut, zero, insert or repeat bytes of a file, near its ends more often than elsewhere."""
    content = bytearray(path.read_bytes())
    size = len(content)
    reach = chance.choice((64, 2048, size))
    start = chance.randrange(min(reach, size))
    start = start if chance.random() < 0.6 else size - 1 - start
    way = chance.choice(("flip", "flip", "cut", "zero", "insert", "repeat", "random"))
    length = chance.choice((1, 2, 8, 100))
    if way == "flip":
        content[start] ^= 1 << chance.randrange(8)
        length = 1
    elif way == "cut":
        del content[start:]
        length = size - start
    elif way == "zero":
        content[start : start + length] = bytes(len(content[start : start + length]))
    elif way == "insert":
        content[start:start] = chance.randbytes(length)
    elif way == "repeat":
        content[start:start] = content[start : start + length]
    else:
        content[start : start + length] = chance.randbytes(len(content[start : start + length]))
    may = may_change_bytes(path, start, length if way in ("flip", "zero", "random") else None)
    path.write_bytes(content)
    return Mutant(f"{path.name}: {way} {length} bytes at {start} of {size}", may)


def may_change_bytes(path: Path, start: int, length: int | None) -> bool:
    """Return whether bytes in place hold values of weights, or a vocabulary or config that stands alone.

    Args:
        path: of the file, before it is damaged.
        start: the first of the bytes.
        length: how many there are; None where what follows is moved.
    """
    if path.suffix == ".safetensors" and length is not None:
        size = int.from_bytes(path.read_bytes()[:8], "little")
        header = json.loads(path.read_bytes()[8 : 8 + size])
        header.pop("__metadata__", None)
        first = start - 8 - size
        spans = {name: range(*entry["data_offsets"]) for name, entry in header.items()}
        touched = [name for name, span in spans.items() if any(i in span for i in range(first, first + length))]
        return first >= 0 and not all(name.endswith(METADATA) or ".quant_state" in name for name in touched)
    if path.suffix == ".bin" and length is not None:
        with zipfile.ZipFile(path) as archive:
            for record in archive.infolist():
                if "/data/" in record.filename:
                    with path.open("rb") as file:
                        file.seek(record.header_offset + 26)
                        names = sum(int.from_bytes(file.read(2), "little") for _ in range(2))
                    begin = record.header_offset + 30 + names
                    if begin < start + length and start < begin + record.file_size:
                        return True
        return False
    # A vocabulary or a config that is changed and still can be read is another one. Of two vocabularies neither is.
    both = (path.parent / "sentencepiece.bpe.model").exists() and (path.parent / "tokenizer.json").exists()
    return path.name in ("config.json", "tokenizer_config.json", "added_tokens.json") or (
        path.name in ("sentencepiece.bpe.model", "tokenizer.json") and not both
    )


def walk(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to all places in JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(deeper for name, part in inner for deeper in walk(part, (*way, name)))]


def damage_json(value: Any, chance: random.Random) -> tuple[Any, str]:
    """Change, take away or add something somewhere; each step down is chosen anew, so that long lists do not win."""
    way: list[Any] = []
    inner = value
    while isinstance(inner, dict | list) and inner and (not way or chance.random() < 0.8):
        name = chance.choice(list(inner)) if isinstance(inner, dict) else chance.randrange(len(inner))
        way.append(name)
        inner = inner[name]
    parent = value
    for step in way[:-1]:
        parent = parent[step]
    if not way:
        return chance.choice(HOSTILE), "all"
    act = chance.choice(("set", "set", "set", "delete", "deep", "rename"))
    if act == "delete":
        del parent[way[-1]]
    elif act == "rename" and isinstance(parent, dict):
        parent[chance.choice((f"{way[-1]}x", "x" * 5000, ""))] = parent.pop(way[-1])
    elif act == "deep":
        deep: Any = 1
        for _ in range(chance.choice((40, 900))):
            deep = [deep]
        parent[way[-1]] = deep
    else:
        near = [inner + 1, inner - 1, inner * 2, -inner] if type(inner) in (int, float) else []
        parent[way[-1]] = chance.choice([*HOSTILE, *near])
    return value, f"{act} {'.'.join(map(str, way))[:80]}"


def dump(value: Any) -> bytes:
    """Return JSON of anything, numbers of any length included."""
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value).encode()
    finally:
        if hasattr(sys, "set_int_max_str_digits"):
            sys.set_int_max_str_digits(4300)


def mutate_json(path: Path, chance: random.Random) -> Mutant:
    """Change something in a file of JSON."""
    value, what = damage_json(json.loads(path.read_bytes()), chance)
    path.write_bytes(dump(value))
    return Mutant(f"{path.name}: {what}", may_change_bytes(path, 0, None))


def mutate_header(path: Path, chance: random.Random) -> Mutant:
    """Change something in the header of a safetensors file."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    value, what = damage_json(json.loads(content[8 : 8 + size]), chance)
    header = dump(value)
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])
    return Mutant(f"{path.name}: header, {what}", False)


def mutate_tensor(path: Path, chance: random.Random) -> Mutant:
    """Cut, cast, reshape, rename, take away, double or fill one tensor."""
    tensors = load_file(path)
    name = chance.choice(sorted(tensors))
    tensor = tensors[name]
    way = chance.choice(("cut", "cast", "view", "flatten", "rename", "delete", "double", "fill", "transpose"))
    may = False
    if way == "cut":
        tensors[name] = tensor.reshape(-1)[: chance.choice((0, 1, max(0, tensor.numel() - 1)))].clone()
    elif way == "cast":
        dtype = chance.choice(DTYPES)
        tensors[name] = tensor.to(dtype)
        # The same numbers in another type of float, or rounded.
        may = tensor.is_floating_point() and dtype.is_floating_point
        way = f"cast to {dtype} of"
    elif way == "view":
        dtype = chance.choice(DTYPES)
        if tensor.dim() == 0 or tensor.shape[-1] * tensor.element_size() % dtype.itemsize:
            tensor = tensor.reshape(-1)[: tensor.numel() // 8 * 8]
        tensors[name] = tensor.contiguous().view(dtype) if tensor.dim() else tensor
        may = tensor.is_floating_point() and dtype.is_floating_point  # bfloat16 read as float16 is other weights
        way = f"view as {dtype} of"
    elif way == "flatten":
        tensors[name] = tensor.reshape(chance.choice(((-1,), (1, -1), (-1, 1))))
    elif way == "rename":
        new = chance.choice(
            (f"{name}x", "x" * 5000, name.replace("layer.0", "layer.1"), name.removeprefix("roberta."), "")
        )
        may = new in tensors
        tensors[new] = tensors.pop(name)
    elif way == "delete":
        del tensors[name]
    elif way == "double":
        tensors[name] = torch.cat([tensor.reshape(-1)] * 2)
    elif way == "fill":
        value = chance.choice((0.0, 1.0, -1.0, math.nan, math.inf, 1e30))
        integral = not tensor.is_floating_point()
        tensors[name] = torch.full_like(tensor, 7 if integral else value)
        may = not name.endswith(METADATA) and ".quant_state" not in name
        way = f"fill with {value}"
    else:
        tensors[name] = tensor.T.contiguous() if tensor.dim() == 2 else tensor
        may = tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1]
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata={"format": "pt"})
    return Mutant(f"{path.name}: {way} {name[:80]}", may)


def mutate_state(path: Path, chance: random.Random) -> Mutant:
    """Let a quantised layer tell lies about itself: its JSON, its tables, its scales."""
    tensors = load_file(path)
    state = chance.choice([name for name in sorted(tensors) if ".quant_state" in name])
    prefix = state.partition(".quant_state")[0]
    parts = [name for name in sorted(tensors) if name.startswith(f"{prefix}.") and name != state]
    if not parts or chance.random() < 0.5:
        values = json.loads(bytes(tensors[state].tolist()))
        offset = values.get("nested_offset")
        values, what = damage_json(values, chance)
        tensors[state] = torch.tensor(list(dump(values)), dtype=torch.uint8)
        # The offset of the scales is a value as theirs are.
        may = isinstance(values, dict) and isinstance(offset, float) and values.get("nested_offset") != offset
    else:
        name = chance.choice(parts)
        tensor = tensors[name]
        way = chance.choice(("one", "cut", "more", "cast", "noise", "negate"))
        changes: dict[str, Callable[[], torch.Tensor]] = {
            "one": lambda: tensor[:1],
            "cut": lambda: tensor[:-1],
            "more": lambda: torch.cat([tensor, tensor]),
            "cast": lambda: tensor.to(chance.choice(DTYPES)),
            "noise": lambda: (tensor.float() + 0.3).to(tensor.dtype),
            "negate": lambda: -tensor if tensor.is_floating_point() else tensor.flip(0),
        }
        tensors[name] = changes[way]().contiguous().clone()
        may, what = not name.endswith(METADATA) and way in ("noise", "negate"), f"{way} {name[-60:]}"
    save_file(tensors, path, metadata={"format": "pt"})
    return Mutant(f"{path.name}: state, {what}", may)


# Trying them


def fill(folder: Path) -> list[tuple[str, float]]:
    """Load a folder and return what it fills."""
    session = xlmrxl.load(folder, device="cpu", force=True, progress=False)
    return [(found.text, found.probability) for found in session.fill_mask(TEXT, progress=False).masks[0].fills]


def run_alone(folder: Path) -> dict[str, Any]:
    """Load a folder and fill a mask in a process of its own; return what came of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the process ends at once
        try:
            found: dict[str, Any] = {"fills": fill(folder)}
        except CheckpointError as error:
            found = {"refused": str(error)}
        except ValueError as error:
            # A task's own refusal: what the model computes is no number, or it reads too few tokens.
            found = {"refused" if "computes" in str(error) or "at most" in str(error) else "raw": str(error)}
        except BaseException as error:
            found = {"raw": f"{type(error).__name__}: {error}"[:2000]}
        with os.fdopen(writer, "w") as out:
            json.dump(found, out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        return {"signal": signal.Signals(-status).name}
    return json.loads(text) if text else {"raw": f"exit {status}"}


def judge(found: dict[str, Any], expected: list[list[Any]], mutant: Mutant) -> str:
    """Return what is wrong with what came of a mutant, or nothing."""
    if "signal" in found:
        return "never ends" if found["signal"] == "SIGALRM" else f"signal {found['signal']}"
    if "raw" in found:
        return f"raw {found['raw']}"
    if "refused" in found:
        message = found["refused"]
        return f"message {message[:2000]}" if "\n" in message or len(message) > LONGEST or not message else ""
    if not all(math.isfinite(probability) for _, probability in found["fills"]):
        return "no numbers"
    same = len(found["fills"]) == len(expected) and all(
        a[0] == b[0] and math.isclose(a[1], b[1], rel_tol=1e-4, abs_tol=1e-7)
        for a, b in zip(found["fills"], expected, strict=True)
    )
    return "" if same or mutant.may_change else f"silent change: {found['fills'][:2]}"


def main() -> int:
    """Run the mutants and print what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the first mutant; each has the next one")
    parser.add_argument("--count", type=int, default=3000, help="how many")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--only", default="", help="originals whose name begins so")
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts: Counter[str] = Counter()
    faults: list[str] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        originals = {name: path for name, path in make_originals(Path(root)).items() if name.startswith(options.only)}
        expected = {name: json.loads(json.dumps(run_alone(path)["fills"])) for name, path in originals.items()}
        for seed in range(options.seed, options.seed + options.count):
            if time.monotonic() - started > options.minutes * 60:
                break
            chance = random.Random(seed)
            name = chance.choice(sorted(originals))
            folder = Path(root) / "mutant"
            shutil.copytree(originals[name], folder)
            mutant = mutate(folder, chance)
            found = run_alone(folder)
            fault = judge(found, expected[name], mutant)
            counts["fault" if fault else "refused" if "refused" in found else "read"] += 1
            if fault:
                faults.append(f"seed {seed}: {name}, {mutant.what}: {fault}")
                print(faults[-1], flush=True)
            shutil.rmtree(folder)
    total = sum(counts.values())
    print(
        f"{total} mutants in {time.monotonic() - started:.0f} s: {counts['refused']} refused, {counts['read']} read, "
        f"{len(faults)} faults"
    )
    return 1 if faults or not total else 0


if __name__ == "__main__":
    sys.exit(main())
