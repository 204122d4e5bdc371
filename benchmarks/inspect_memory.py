"""What `inspect` adds to a model's memory, and what an Inspection holds.

    python benchmarks/inspect_memory.py [FOLDER] [--tokens 128 512] [--precision auto] [--keep recompute fp16 uint8]

The same text is first filled in by the model alone, so that its weights are in memory and its forward's own needs are
counted as the model's. Printed are the bytes of the Inspection, and the highest resident memory while it is made, and
while all its heads are ranked by a pair of tokens, above that before. Linux only.
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

import torch

import xlmrxl

TEXT = "the old house near the river was empty when they came back to the village in summer and winter people "


def resident(what: str) -> int:
    """`VmRSS`, or `VmHWM`, the highest since the last `forget`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split(what + ":")[1].split()[0])


def forget() -> None:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(xlmrxl.__file__).with_name("default"))
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--keep", nargs="+", default=["recompute"])
    arguments = parser.parse_args()
    session = xlmrxl.load(arguments.folder, precision=arguments.precision, device="cpu", progress=False)
    print(session)
    for tokens in arguments.tokens:
        text = TEXT * (tokens // 8)
        offsets = session.tokenizer(text, truncation=True, max_length=tokens, return_offsets_mapping=True)
        text = text[: offsets["offset_mapping"][-2][1]]
        ids = torch.tensor([offsets["input_ids"]])
        with torch.inference_mode():
            session.model.base_model(ids)
        for keep in arguments.keep:
            forget()
            before = resident("VmRSS")
            inspection = session.inspect(text, keep=keep, progress=False)
            made = resident("VmHWM") - before
            forget()
            inspection.rank((1, 2), progress=False)
            ranked = resident("VmHWM") - before
            print(
                f"{len(inspection.tokens)} tokens, keep={keep}: holds {inspection.nbytes / 1e6:.0f} MB after ranking; "
                f"at most {made / 1e6:.0f} MB above the model while made, {ranked / 1e6:.0f} MB while ranked"
            )
            del inspection


if __name__ == "__main__":
    main()
