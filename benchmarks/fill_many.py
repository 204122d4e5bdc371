"""Filling many sentences beside transformers' fill-mask pipeline, same weights, same run; and what joint filling costs.

    python benchmarks/fill_many.py [FOLDER] [--sentences 1000] [--tokens 16]

Sentences of one mask: all handed over at once, and one call a sentence. The pipeline is measured as it comes (it holds
the weights in the type they are stored in, and takes the sentences one at a time inside), in float32 as we are, and
with batches of 64. Joint filling of three masks with a beam of five is counted in forwards of one such sentence. Rounds
alternate; printed are the medians and the pipeline's time over ours: above 1 we are faster.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from measure import Results, make_parser, make_sentences, time_seconds
from transformers import pipeline

import xlmrxl


def main() -> None:
    """Let the two take turns."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(xlmrxl.__file__).with_name("default"))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    session = xlmrxl.load(arguments.folder, device="cpu")
    stored = pipeline("fill-mask", model=str(arguments.folder), device="cpu")
    wide = pipeline("fill-mask", model=str(arguments.folder), device="cpu", dtype=torch.float32)
    results = Results("Filling masks beside the pipeline of transformers")
    texts = make_sentences(
        arguments.sentences, arguments.tokens, lambda text: len(session.tokenizer(text)["input_ids"])
    )
    few = texts[: max(1, len(texts) // 10)]

    def at_once() -> object:
        return session.fill_mask(texts)

    def one_by_one() -> object:
        return [session.fill_mask(text) for text in few]

    work: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "all at once, as it comes": (at_once, lambda: stored(texts)),
        "all at once, float32": (at_once, lambda: wide(texts)),
        "all at once, float32, batches of 64": (at_once, lambda: wide(texts, batch_size=64)),
        "one call a sentence, as it comes": (one_by_one, lambda: [stored(text) for text in few]),
        "one call a sentence, float32": (one_by_one, lambda: [wide(text) for text in few]),
    }
    session.fill_mask(texts[0])
    stored(texts[0])
    wide(texts[0])
    taken: dict[str, list[tuple[float, float]]] = {what: [] for what in work}
    for _ in range(arguments.rounds):
        for what, (ours, other) in work.items():
            taken[what].append((time_seconds(ours), time_seconds(other)))
    rows = []
    for what, pairs in taken.items():
        a, b = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
        rows.append([what, a, b, b / a])
    title = f"{arguments.sentences} sentences of {arguments.tokens} tokens; as it comes is {stored.model.dtype}"
    results.add(title, ["", "xlmrxl, s", "pipeline, s", "pipeline : xlmrxl"], rows)
    three = "The <mask> of the old <mask> near the river was <mask> in winter."
    ids = session.tokenizer(three, return_tensors="pt")["input_ids"]
    at_mask = ids == session.tokenizer.mask_token_id

    def forward() -> None:
        with torch.inference_mode():
            session.model(ids, logits_mask=at_mask)

    pairs = []
    for _ in range(20):
        pairs.append(
            (time_seconds(lambda: session.fill_mask(three, method="joint", num_beams=5)), time_seconds(forward))
        )
    joint, one = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    results.add("", ["joint filling of three masks, beam of five", "forwards"], [["one sentence", joint / one]])
    results.write(arguments.out)


if __name__ == "__main__":
    main()
