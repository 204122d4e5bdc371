"""How long a large checkpoint takes to load and to fill a mask, beside transformers, in one run.

    python benchmarks/full_size.py FOLDER --vocabulary FILE     # once: XL's size, random weights, 7 GB
    python benchmarks/load_and_fill.py FOLDER [--tokens 16 128] [--rounds 3]

The two take turns, each round in a fresh process with the files in the page cache. Both hold the checkpoint's own
bfloat16 on the CPU. A fill is the whole of it: tokens, forward pass, softmax, the five best. Printed are the medians
and the ratios of ours to theirs; below 1 we are faster. Read the ratios: the seconds are those of one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measure import Results, make_parser

WORDS = "The old house near the river was empty when they came back to the village in the summer and"


def make_sentence(tokens: int, count: Callable[[str], int]) -> str:
    """Return a text of so many tokens with one mask, special tokens included."""
    words = "<mask>"
    for word in WORDS.split() * 100:
        if count(f"{words} {word}") > tokens:
            break
        words = f"{words} {word}"
    return words


def measure(fill: Callable[[str], object], texts: dict[int, str], repeats: int) -> dict[str, list[float]]:
    """Return how long fills of some texts take, in seconds, each several times."""
    taken: dict[str, list[float]] = {}
    for tokens, text in texts.items():
        fill(text)  # the first touches the mapped weights
        for _ in range(repeats):
            start = time.perf_counter()
            fill(text)
            taken.setdefault(f"fill, {tokens} tokens", []).append(time.perf_counter() - start)
    return taken


def run_xlmrxl(folder: str, tokens: list[int], repeats: int) -> dict[str, list[float]]:
    """Load and fill with this package."""
    from xlmrxl import load  # each side imports only its own

    start = time.perf_counter()
    session = load(folder, precision="bf16", device="cpu")
    loaded = time.perf_counter() - start
    texts = {n: make_sentence(n, lambda text: len(session.tokenizer(text).input_ids)) for n in tokens}
    return {"load": [loaded], **measure(session.fill_mask, texts, repeats)}


def run_transformers(folder: str, tokens: list[int], repeats: int) -> dict[str, list[float]]:
    """Load and fill with transformers."""
    import torch
    from transformers import AutoTokenizer, XLMRobertaXLForMaskedLM

    start = time.perf_counter()
    model = XLMRobertaXLForMaskedLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    loaded = time.perf_counter() - start

    def fill(text: str) -> list[str]:
        inputs = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs).logits
        best = logits[0, inputs["input_ids"][0] == tokenizer.mask_token_id].float().softmax(-1).topk(5)
        return tokenizer.convert_ids_to_tokens(best.indices[0].tolist())

    texts = {n: make_sentence(n, lambda text: len(tokenizer(text)["input_ids"])) for n in tokens}
    return {"load": [loaded], **measure(fill, texts, repeats)}


SIDES = {"xlmrxl": run_xlmrxl, "transformers": run_transformers}


def main() -> None:
    """Let the two take turns, each round in a fresh process."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--rounds", type=int, default=3, help="processes of each side")
    parser.add_argument("--repeats", type=int, default=2, help="fills of each length a process")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](str(arguments.folder), arguments.tokens, arguments.repeats)))
        return
    results = Results("Loading and filling a large checkpoint beside transformers")
    for file in arguments.folder.glob("*.safetensors"):  # into the page cache, for both alike
        with file.open("rb") as opened:
            while opened.read(1 << 26):
                pass
    taken: dict[str, dict[str, list[float]]] = {side: {} for side in SIDES}
    for _ in range(arguments.rounds):
        for side in SIDES:
            command = [sys.executable, __file__, str(arguments.folder), "--side", side]
            command += ["--repeats", str(arguments.repeats), "--tokens", *map(str, arguments.tokens)]
            done = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
            )
            for what, seconds in json.loads(done.stdout.splitlines()[-1]).items():
                taken[side].setdefault(what, []).extend(seconds)
    rows = []
    for what in taken["xlmrxl"]:
        a, b = (statistics.median(taken[side][what]) for side in SIDES)
        rows.append([what, a, b, a / b])
    results.add(
        f"Medians of {arguments.rounds} rounds", ["", "xlmrxl, s", "transformers, s", "xlmrxl : transformers"], rows
    )
    results.write(arguments.out)


if __name__ == "__main__":
    main()
