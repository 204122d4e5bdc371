"""How far the estimate of `xlmrxl plan` is from what a model holds once it is loaded and has filled a mask.

    python benchmarks/plan_check.py FOLDER [FOLDER …]        # of a large checkpoint; "default" is measured as well

Each precision is loaded in a process of its own, after a random model of two tiny layers with the same vocabulary, so
that Python and torch are there already. Measured is what the private memory (USS) grows by until the model has filled a
mask, which touches every weight; what a second tiny model takes beyond its weights, for the tokenizer and its tables,
is taken off. Prints measured, estimated and their ratio.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Results, make_parser

from xlmrxl.quantization.precision import PRECISIONS

TEXT = "The house was <mask>."


def read_private_memory() -> int:
    """Return the private memory of this process, in bytes."""
    import psutil

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # what the allocator keeps for later is nobody's
        ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_full_info().uss)


def save_tiny_model(like: str, folder: Path) -> Path:
    """Save a random model with the vocabulary of another, and return its folder."""
    import xlmrxl
    from xlmrxl import XLMRobertaXLConfig, XLMRobertaXLForMaskedLM
    from xlmrxl.checkpoints.hub import DEFAULT

    source = Path(xlmrxl.__file__).with_name("default") if like == DEFAULT else Path(like)
    config = XLMRobertaXLConfig.from_pretrained(like)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    XLMRobertaXLForMaskedLM(XLMRobertaXLConfig(**{**config.to_dict(), **sizes})).save_pretrained(folder)
    for file in source.glob("*token*"):
        shutil.copyfile(file, folder / file.name)
    for file in source.glob("*.model"):
        shutil.copyfile(file, folder / file.name)
    return folder


def measure_in_child(folder: str, precision: str) -> dict[str, float]:
    """Return what a model's weights take and what the plan says, in bytes; in a process of its own."""
    from xlmrxl import Session, load
    from xlmrxl.plan import make_plan

    def load_and_fill(name: str) -> tuple[Session, int]:
        """Return a model that has filled a mask, and what the memory grew by."""
        before = read_private_memory()
        session = load(name, precision=precision, device="cpu", force=True)
        session.fill_mask(TEXT)
        return session, read_private_memory() - before

    with tempfile.TemporaryDirectory() as scratch:
        small = str(save_tiny_model(folder, Path(scratch)))
        load_and_fill(small)
        second, grown = load_and_fill(small)
        beside = grown - make_plan(small, second.model.config).get_need(precision).weights
        session, grown = load_and_fill(folder)
        return {
            "measured": grown - beside,
            "estimated": make_plan(folder, session.model.config).get_need(precision).weights,
        }


def main() -> None:
    """Measure each checkpoint in each precision."""
    parser = make_parser(__doc__)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure_in_child(arguments.folders[0], arguments.child)))
        return
    results, rows = Results("What the plan says beside what a model takes"), []
    for folder in [*arguments.folders, "default"]:
        for precision in arguments.precisions:
            command = [sys.executable, __file__, folder, "--child", precision]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            a, b = found["measured"] / 1e9, found["estimated"] / 1e9
            rows.append([Path(folder).name, precision, a, b, b / a])
            print(*rows[-1], sep="\t", flush=True)
    results.add("", ["model", "precision", "measured, GB", "estimated, GB", "estimated : measured"], rows)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
