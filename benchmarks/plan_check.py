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

from xlmrxl.quantization.precision import PRECISIONS

TEXT = "The house was <mask>."


def private() -> int:
    import psutil

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # what the allocator keeps for later is nobody's
        ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_full_info().uss)


def tiny(like: str, folder: Path) -> Path:
    """A random model with the vocabulary of another."""
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


def child(folder: str, precision: str) -> dict[str, float]:
    from xlmrxl import Session, load
    from xlmrxl.plan import make_plan

    def loaded(name: str) -> tuple[Session, int]:
        """A model that has filled a mask, and what the memory grew by."""
        before = private()
        session = load(name, precision=precision, device="cpu", force=True)
        session.fill_mask(TEXT)
        return session, private() - before

    with tempfile.TemporaryDirectory() as scratch:
        small = str(tiny(folder, Path(scratch)))
        loaded(small)
        second, grown = loaded(small)
        beside = grown - make_plan(small, second.model.config).get_need(precision).weights
        session, grown = loaded(folder)
        return {
            "measured": grown - beside,
            "estimated": make_plan(folder, session.model.config).get_need(precision).weights,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.folders[0], arguments.child)))
        return
    print(f"{'model':<28}{'precision':<10}{'measured, GB':>14}{'estimated, GB':>15}{'ratio':>8}")
    for folder in [*arguments.folders, "default"]:
        for precision in arguments.precisions:
            command = [sys.executable, __file__, folder, "--child", precision]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            a, b = found["measured"] / 1e9, found["estimated"] / 1e9
            print(f"{folder[-27:]:<28}{precision:<10}{a:>14.3f}{b:>15.3f}{b / a:>8.3f}", flush=True)


if __name__ == "__main__":
    main()
