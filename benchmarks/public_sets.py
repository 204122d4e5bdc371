"""How well a model classifies and chooses without fine-tuning, on public sets, through the commands that a user runs.

    python benchmarks/public_sets.py EVAL [--model FOLDER] [--precision 4bit] [--only cloze taught xcopa]

EVAL has `sib200` (topics of sentences, 205 languages) and `xcopa` (the likelier of two causes or effects, 11 languages)
as their authors publish them; training/README.md says where. Printed, in per cent of the test sets:

- SIB-200 in 12 languages by cloze, in each language's own words, and by a classifier that was taught on 8, 32 and all
  English examples of a topic and never saw another language. Beside it the same linear classifier on a bag of words,
  and chance: the share of the most frequent topic.
- XCOPA by `choose`; chance is 50 %.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

LANGUAGES = {
    "en": "eng_Latn", "de": "deu_Latn", "fr": "fra_Latn", "es": "spa_Latn", "pt": "por_Latn", "ru": "rus_Cyrl",
    "ar": "arb_Arab", "hi": "hin_Deva", "zh": "zho_Hans", "ja": "jpn_Jpan", "tr": "tur_Latn", "sw": "swh_Latn",
}  # fmt: skip
SIZES = (8, 32, None)
SEED = 0


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def command(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "xlmrxl.cli.main", *map(str, arguments)], check=True, text=True, capture_output=True
    )
    return done.stdout


def few(rows: list[dict[str, str]], size: int | None) -> list[dict[str, str]]:
    """So many rows of each topic, or as many as there are."""
    shuffled = random.Random(SEED).sample(rows, len(rows))
    seen: Counter[str] = Counter()
    kept = []
    for row in shuffled:
        seen[row["category"]] += 1
        if size is None or seen[row["category"]] <= size:
            kept.append(row)
    return kept


def bag_of_words(train: list[dict[str, str]], test: list[dict[str, str]]) -> float:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=1000))
    model.fit([row["text"] for row in train], [row["category"] for row in train])
    return float(model.score([row["text"] for row in test], [row["category"] for row in test]))


def accuracy(path: Path, truth: str, found: str) -> float:
    rows = read(path)
    return sum(row[truth] == row[found] for row in rows) / len(rows)


def cloze(language: str, rows: list[dict[str, str]], scratch: Path, model: list[str]) -> float:
    target = scratch / f"{language}-cloze.csv"
    file = write(scratch / f"{language}.csv", rows)
    command("classify", "--input", file, "--output", target, "--language", language, *model)
    return accuracy(target, "category", "label")


def taught(
    examples: list[dict[str, str]], tests: dict[str, list[dict[str, str]]], scratch: Path, model: list[str]
) -> dict[str, float]:
    """By language; what the sentences of a language share is taken off, which drowns the topic otherwise."""
    file = write(scratch / "examples.csv", examples)
    every = [{**row, "language": language} for language, rows in tests.items() for row in rows]
    arguments = ["--test", write(scratch / "test.csv", every), "--language-column", "language", "--json"]
    report = command("teach", file, scratch / "taught", "--label-column", "category", *arguments, *model)
    return {row["language"]: row["accuracy"] for row in json.loads(report)["languages"]}


def sib200(data: Path, scratch: Path, model: list[str], ways: list[str]) -> None:
    tests = {language: table(data / "sib200" / code / "test.tsv") for language, code in LANGUAGES.items()}
    train = table(data / "sib200" / LANGUAGES["en"] / "train.tsv")
    columns: dict[str, dict[str, float]] = {
        "chance": {
            language: max(Counter(row["category"] for row in rows).values()) / len(rows)
            for language, rows in tests.items()
        }
    }
    if "cloze" in ways:
        columns["cloze"] = {language: cloze(language, rows, scratch, model) for language, rows in tests.items()}
    for size in SIZES if "taught" in ways else ():
        examples = few(train, size)
        columns[f"taught {size or 'all'}"] = taught(examples, tests, scratch, model)
        columns[f"words {size or 'all'}"] = {language: bag_of_words(examples, rows) for language, rows in tests.items()}
    print("SIB-200, %".ljust(12) + "".join(column.rjust(12) for column in columns))
    for language in tests:
        print(language.ljust(12) + "".join(f"{100 * column[language]:12.1f}" for column in columns.values()))
    means = (sum(column.values()) / len(column) for column in columns.values())
    print("mean".ljust(12) + "".join(f"{100 * mean:12.1f}" for mean in means), flush=True)


def xcopa(data: Path, scratch: Path, model: list[str]) -> None:
    print(f"\n{'XCOPA, %':<12}{'choose':>12}   (chance 50.0)")
    found = []
    for folder in sorted(path for path in (data / "xcopa").iterdir() if path.is_dir()):
        language = folder.name
        target = scratch / f"xcopa-{language}.jsonl"
        columns = ["--prompt-column", "premise", "--question-column", "question", "--language", language]
        command("choose", "--input", folder / f"test.{language}.jsonl", "--output", target, *columns, *model)
        rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
        found.append(sum(row["choice"] == row["label"] for row in rows) / len(rows))
        print(f"{language:<12}{100 * found[-1]:>12.1f}", flush=True)
    print(f"{'mean':<12}{100 * sum(found) / len(found):>12.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="EVAL")
    parser.add_argument("--model", default="default")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--only", nargs="+", choices=["cloze", "taught", "xcopa"], default=["cloze", "taught", "xcopa"])
    arguments = parser.parse_args()
    model = ["--model", arguments.model, "--precision", arguments.precision]
    with tempfile.TemporaryDirectory() as scratch:
        if {"cloze", "taught"} & set(arguments.only):
            sib200(arguments.data, Path(scratch), model, arguments.only)
        if "xcopa" in arguments.only:
            xcopa(arguments.data, Path(scratch), model)


if __name__ == "__main__":
    main()
