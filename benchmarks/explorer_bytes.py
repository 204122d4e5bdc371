"""How many bytes the attention explorer is sent, beside what BertViz writes for the same input.

    python benchmarks/explorer_bytes.py [FOLDER] [--tokens 16 32 128] [--bertviz PATH]

FOLDER holds a model, such as the full-size XL with random weights that `benchmarks/full_size.py` makes; without it, the
embedded default is measured. BertViz is no dependency: `pip install --target PATH bertviz` into a folder of its own,
and name that. What it writes is the HTML of its head view, with every weight as JSON.

Ours are given as they go over the wire: as binary buffers (a notebook), and as JSON with base64 (the app).
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import torch
from load_and_fill import make_sentence
from measure import Results, make_parser

from xlmrxl import load
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.views.attention_view import AttentionView
from xlmrxl.views.protocol import join_buffers


def count_bytes(reply: dict[str, Any], buffers: list[bytes]) -> tuple[int, int]:
    """Return the bytes as binary buffers with JSON beside them, and as JSON with base64."""
    beside = len(json.dumps(reply, ensure_ascii=False).encode())
    return beside + sum(map(len, buffers)), len(json.dumps(join_buffers(reply, buffers), ensure_ascii=False).encode())


def count_head_bytes(view: AttentionView) -> list[tuple[int, int]]:
    """Return these two for every head of every seventh layer."""
    asked = [(layer, head) for layer in range(0, view.layers, 7) for head in range(view.heads)]
    return [count_bytes(*view.answer({"id": 1, "type": "head", "layer": i, "head": j})) for i, j in asked]


def count_bertviz_bytes(inspection: Inspection) -> int:
    """Return the bytes of BertViz's head view of all layers and heads."""
    head_view = importlib.import_module("bertviz").head_view
    attention = [torch.tensor(inspection.layer_attention(layer))[None] for layer in range(inspection.layers)]
    page = head_view(attention, [token.piece for token in inspection.tokens], html_action="return")
    return len(page.data.encode())


def main() -> None:
    """Count the bytes for some lengths."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", nargs="?", default="default")
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 32, 128])
    parser.add_argument("--bertviz", help="the folder that BertViz was installed into")
    options = parser.parse_args()
    if options.bertviz:
        sys.path.append(options.bertviz)  # behind ours, so that only what we lack is taken from there
    session = load(options.folder, progress=False)
    results, rows = Results("Bytes of the attention explorer"), []
    for count in options.tokens:
        text = make_sentence(count, lambda words: len(session.tokenizer(words)["input_ids"]))
        inspection = session.inspect(text, progress=False)
        view = AttentionView(inspection)
        first = count_bytes(*view.first())
        heads = count_head_bytes(view)
        most = [max(sizes) for sizes in zip(*heads, strict=True)]
        theirs = count_bertviz_bytes(inspection) / 1000 if options.bertviz else "not asked for"
        rows.append([len(inspection.tokens), *(size / 1000 for size in (*first, *most)), theirs])
    columns = [
        "tokens",
        "first view, kB",
        "as base64, kB",
        "one more head, kB",
        "as base64, kB",
        "BertViz, all heads, kB",
    ]
    results.add(str(session), columns, rows)
    results.write(options.out)


if __name__ == "__main__":
    main()
