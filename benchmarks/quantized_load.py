"""Time and memory of loading a large checkpoint in 8 or 4 bits, beside transformers with bitsandbytes, in one run.

    python benchmarks/full_size.py FOLDER --vocabulary FILE               # once: XL's size, random weights, 7 GB
    python benchmarks/quantized_load.py FOLDER [--precision 4bit] [--sides xlmrxl transformers stored]

Each side has a process of its own, with the files in the page cache. `stored` is the checkpoint that
`xlmrxl quantize` makes of FOLDER, written beside it first; its time runs from the start of the command to the first
fill. Memory is what is private to the process (USS), sampled every 20 ms; GB are 10^9 bytes. Read the ratios: seconds
are those of one machine. `--kind` writes FOLDER again as float32 or as one .bin file first, and loads that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from measure import Results, make_parser

TEXT = "The old house near the river was <mask> when they came back to the village."


class Memory:
    """The private memory of this process, now and at its highest."""

    def __init__(self) -> None:
        """Begin with this process."""
        self._process = psutil.Process()
        self.peak = 0

    def measure(self) -> int:
        """Return the private memory now, in bytes."""
        used = self._process.memory_full_info().uss
        self.peak = max(self.peak, used)
        return used

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Sample the memory every 20 ms while the block runs."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.02):
                self.measure()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def run_xlmrxl(folder: str, precision: str) -> dict[str, float]:
    """Load and fill with this package."""
    from xlmrxl import load

    memory = Memory()
    with memory.watch():
        start = time.perf_counter()
        session = load(folder, precision=precision, device="cpu", force=True)
        loaded = time.perf_counter() - start
        resident, peak = memory.measure(), memory.peak
        start = time.perf_counter()
        session.fill_mask(TEXT)
        first = time.perf_counter() - start
        start = time.perf_counter()
        session.fill_mask(TEXT)
        second = time.perf_counter() - start
    return {
        "load, s": loaded,
        "loaded, GB": resident / 1e9,
        "peak of loading, GB": peak / 1e9,
        "first fill, s": first,
        "second fill, s": second,
        "peak with fills, GB": memory.peak / 1e9,
    }


def run_transformers(folder: str, precision: str) -> dict[str, float]:
    """Load and fill with transformers and bitsandbytes."""
    import torch
    from transformers import AutoTokenizer, BitsAndBytesConfig, XLMRobertaXLForMaskedLM

    four = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.bfloat16}
    settings = BitsAndBytesConfig(
        **{f"load_in_{precision}": True}, llm_int8_skip_modules=["lm_head"], **(four if precision == "4bit" else {})
    )
    memory = Memory()
    with memory.watch():
        start = time.perf_counter()
        model = XLMRobertaXLForMaskedLM.from_pretrained(
            folder, dtype=torch.bfloat16, quantization_config=settings, device_map="cpu"
        ).eval()
        loaded = time.perf_counter() - start
        resident, peak = memory.measure(), memory.peak
        inputs = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt")
        taken = []
        for _ in range(2):
            start = time.perf_counter()
            with torch.inference_mode():
                model(**inputs).logits[0].float().softmax(-1).topk(5)
            taken.append(time.perf_counter() - start)
    return {
        "load, s": loaded,
        "loaded, GB": resident / 1e9,
        "peak of loading, GB": peak / 1e9,
        "first fill, s": taken[0],
        "second fill, s": taken[1],
        "peak with fills, GB": memory.peak / 1e9,
    }


SIDES = {"xlmrxl": run_xlmrxl, "transformers": run_transformers, "stored": lambda folder, _: run_xlmrxl(folder, "auto")}


def convert_checkpoint(folder: Path, kind: str) -> Path:
    """Write the checkpoint again as float32, or as one .bin file, and return its folder."""
    if kind == "as it is":
        return folder
    import torch

    from xlmrxl.checkpoints.weight_files import open_weights, release_pages, save_weights

    target = folder.with_name(f"{folder.name}-{kind}")
    if target.exists():
        return target
    target.mkdir()
    weights = open_weights(folder)
    if kind == "bin":
        torch.save(dict(weights), target / "pytorch_model.bin")
    else:

        def wide() -> Iterator[tuple[str, torch.Tensor]]:
            for name, tensor in weights.items():
                yield name, tensor.float()
                release_pages(tensor)

        save_weights(target, wide(), max_shard_size="2GB")
    for file in folder.iterdir():
        if file.suffix in (".json", ".model") and "index" not in file.name:
            shutil.copyfile(file, target / file.name)
    return target


def main() -> None:
    """Measure each side in a process of its own."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--precision", choices=["4bit", "8bit"], default="4bit")
    parser.add_argument("--kind", choices=["as it is", "float32", "bin"], default="as it is")
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=list(SIDES))
    parser.add_argument("--child", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(SIDES[arguments.child](str(arguments.folder), arguments.precision)))
        return
    folder = convert_checkpoint(arguments.folder, arguments.kind)
    results = Results("Loading a large checkpoint in 8 or 4 bits")
    found: dict[str, dict[str, float]] = {}
    for side in arguments.sides:
        source = folder
        if side == "stored":
            source = folder.with_name(f"{folder.name}-{arguments.precision}")
            if not source.exists():
                from xlmrxl.quantize import quantize

                start = time.perf_counter()
                quantize(folder, source, arguments.precision)
                print(f"quantize: {time.perf_counter() - start:.1f} s", flush=True)
        for file in source.glob("*model*"):  # into the page cache, for all alike
            with file.open("rb") as opened:
                while opened.read(1 << 26):
                    pass
        command = [sys.executable, __file__, str(source), "--precision", arguments.precision, "--child", side]
        start = time.perf_counter()
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        found[side] = json.loads(done.stdout.splitlines()[-1])
        found[side]["whole process, s"] = time.perf_counter() - start
    rows = [[what, *(values[what] for values in found.values())] for what in next(iter(found.values()))]
    if "transformers" in found:
        theirs = found["transformers"]["load, s"]
        rows.append(["time to load : transformers", *(values["load, s"] / theirs for values in found.values())])
    results.add(f"To {arguments.precision}, from {folder.name}", ["", *found], rows)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
