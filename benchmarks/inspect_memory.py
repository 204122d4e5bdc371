"""What `inspect` adds to a model's memory, and what an Inspection holds.

    python benchmarks/inspect_memory.py [FOLDER] [--tokens 128 512] [--precision auto] [--keep recompute fp16 uint8]

The same text is first filled in by the model alone, so that its weights are in memory and its forward's own needs are
counted as the model's. Printed are the bytes of the Inspection, and the highest resident memory while it is made, and
while all its heads are ranked by a pair of tokens, above that before. Linux only.
"""

from __future__ import annotations

import gc
from pathlib import Path

import torch
from measure import Results, make_parser

import xlmrxl

TEXT = "the old house near the river was empty when they came back to the village in summer and winter people "


def read_resident(what: str) -> int:
    """Return `VmRSS`, or `VmHWM`, the highest since the last `reset_peak`, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split(what + ":")[1].split()[0])


def reset_peak() -> None:
    """Forget the highest resident memory so far."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main() -> None:
    """Measure some lengths."""
    parser = make_parser(__doc__)
    parser.add_argument("model", nargs="?", default="default", help="as `xlmrxl.load` takes it")
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--keep", nargs="+", default=["recompute"])
    arguments = parser.parse_args()
    session = xlmrxl.load(arguments.model, precision=arguments.precision, device="cpu", progress=False)
    results, rows = Results("Memory of an inspection"), []
    for tokens in arguments.tokens:
        text = TEXT * (tokens // 8)
        offsets = session.tokenizer(text, truncation=True, max_length=tokens, return_offsets_mapping=True)
        text = text[: offsets["offset_mapping"][-2][1]]
        ids = torch.tensor([offsets["input_ids"]])
        with torch.inference_mode():
            session.model.base_model(ids)
        for keep in arguments.keep:
            reset_peak()
            before = read_resident("VmRSS")
            inspection = session.inspect(text, keep=keep, progress=False)
            made = read_resident("VmHWM") - before
            reset_peak()
            inspection.rank_heads((1, 2), progress=False)
            ranked = read_resident("VmHWM") - before
            rows.append([len(inspection.tokens), keep, inspection.nbytes / 1e6, made / 1e6, ranked / 1e6])
            del inspection
    columns = ["tokens", "keep", "held, MB", "most above the model while made, MB", "while ranked, MB"]
    results.add(str(session), columns, rows)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
