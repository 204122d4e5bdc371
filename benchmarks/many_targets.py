"""What thousands of given words at a mask cost beside a few: words of one piece share one forward of the text.

    python benchmarks/many_targets.py [FOLDER] [--targets 4000] [--few 10]

The words are pieces of the vocabulary that begin a word, in order. Rounds alternate, after one of each that is not
counted; printed are the medians and the time for many over that for few.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from measure import Results, make_parser, time_seconds

import xlmrxl

TEXT = "The capital of France is <mask>."


def main() -> None:
    """Let few and many words take turns."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(xlmrxl.__file__).with_name("default"))
    parser.add_argument("--targets", type=int, default=4000)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    results = Results("Many given words at a mask")
    session = xlmrxl.load(arguments.folder)
    tokenizer = session.tokenizer
    words: list[str] = []
    for piece in tokenizer.convert_ids_to_tokens(list(range(4, tokenizer.vocab_size - 1))):
        if piece[0] == "▁" and piece[1:].isalpha() and tokenizer.tokenize(piece[1:]) == [piece]:
            words.append(piece[1:])
        if len(words) == arguments.targets:
            break
    work = {count: words[:count] for count in (arguments.few, len(words))}
    taken: dict[int, list[float]] = {count: [] for count in work}
    for round_ in range(arguments.rounds + 1):
        for count, targets in work.items():
            time = time_seconds(lambda targets=targets: session.fill_mask(TEXT, targets=targets, progress=False))
            if round_:
                taken[count].append(time)
    few, many = (statistics.median(times) for times in taken.values())
    columns = ["", f"{arguments.few} words, ms", f"{len(words):,} words, ms", "ratio"]
    results.add("", columns, [["one mask", 1000 * few, 1000 * many, many / few]])
    results.write(arguments.out)


if __name__ == "__main__":
    main()
