"""How many bytes the attention explorer is sent, beside what BertViz writes for the same input.

    python benchmarks/explorer_bytes.py [FOLDER] [--tokens 16 32 128] [--bertviz PATH]

FOLDER holds a model, such as the full-size XL with random weights that `benchmarks/full_size.py` makes; without it, the
embedded default is measured. BertViz is no dependency: `pip install --target PATH bertviz` into a folder of its own,
and name that. What it writes is the HTML of its head view, with every weight as JSON.

Ours are given as they go over the wire: as binary buffers (a notebook), and as JSON with base64 (the app).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from typing import Any

import torch
from load_and_fill import sentence

from xlmrxl import load
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.views.protocol import AttentionView, with_base64


def on_the_wire(reply: dict[str, Any], buffers: list[bytes]) -> tuple[int, int]:
    """Bytes as binary buffers with JSON beside them, and as JSON with base64."""
    beside = len(json.dumps(reply, ensure_ascii=False).encode())
    return beside + sum(map(len, buffers)), len(json.dumps(with_base64(reply, buffers), ensure_ascii=False).encode())


def heads_of(view: AttentionView) -> list[tuple[int, int]]:
    """As (binary, base64), every head of every seventh layer."""
    asked = [(layer, head) for layer in range(0, view.layers, 7) for head in range(view.heads)]
    return [on_the_wire(*view.answer({"id": 1, "type": "head", "layer": i, "head": j})) for i, j in asked]


def bertviz(inspection: Inspection) -> int:
    """The bytes of BertViz's head view of all layers and heads."""
    head_view = importlib.import_module("bertviz").head_view
    attention = [torch.tensor(inspection.layer_attention(layer))[None] for layer in range(inspection.layers)]
    page = head_view(attention, [token.piece for token in inspection.tokens], html_action="return")
    return len(page.data.encode())


def kilo(count: float) -> str:
    return f"{count / 1000:,.1f} kB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="default")
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 32, 128])
    parser.add_argument("--bertviz", help="the folder that BertViz was installed into")
    options = parser.parse_args()
    if options.bertviz:
        sys.path.append(options.bertviz)  # behind ours, so that only what we lack is taken from there
    session = load(options.folder, progress=False)
    print(session)
    print("tokens", "first view", "", "one more head", "", "BertViz, all heads", sep="\t")
    print("", "binary", "base64", "binary", "base64", "HTML", sep="\t")
    for count in options.tokens:
        text = sentence(count, lambda words: len(session.tokenizer(words)["input_ids"]))
        begun = time.perf_counter()
        inspection = session.inspect(text, progress=False)
        view = AttentionView(inspection)
        first = on_the_wire(*view.first())
        heads = heads_of(view)
        most = [max(sizes) for sizes in zip(*heads, strict=True)]
        taken = time.perf_counter() - begun
        theirs = kilo(bertviz(inspection)) if options.bertviz else "not asked for (--bertviz)"
        line = [str(len(inspection.tokens)), *map(kilo, first), *map(kilo, most), theirs]
        print(*line, f"({len(heads)} heads, the largest; {taken:.0f} s)", sep="\t", flush=True)


if __name__ == "__main__":
    main()
