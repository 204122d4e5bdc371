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

import csv
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from measure import Results, make_parser

LANGUAGES = {
    "en": "eng_Latn", "de": "deu_Latn", "fr": "fra_Latn", "es": "spa_Latn", "pt": "por_Latn", "ru": "rus_Cyrl",
    "ar": "arb_Arab", "hi": "hin_Deva", "zh": "zho_Hans", "ja": "jpn_Jpan", "tr": "tur_Latn", "sw": "swh_Latn",
}  # fmt: skip
SIZES = (8, 32, None)
SEED = 0


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table whose quotes are signs like others."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as CSV and return the path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run_command(*arguments: object) -> str:
    """Run a command of xlmrxl and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "xlmrxl.cli.main", *map(str, arguments)], check=True, text=True, capture_output=True
    )
    return done.stdout


def sample_rows(rows: list[dict[str, str]], size: int | None) -> list[dict[str, str]]:
    """Return so many rows of each topic, or as many as there are."""
    shuffled = random.Random(SEED).sample(rows, len(rows))
    seen: Counter[str] = Counter()
    kept = []
    for row in shuffled:
        seen[row["category"]] += 1
        if size is None or seen[row["category"]] <= size:
            kept.append(row)
    return kept


def score_bag_of_words(train: list[dict[str, str]], test: list[dict[str, str]]) -> float:
    """Return the accuracy of a linear classifier on a bag of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=1000))
    model.fit([row["text"] for row in train], [row["category"] for row in train])
    return float(model.score([row["text"] for row in test], [row["category"] for row in test]))


def compute_accuracy(path: Path, truth: str, found: str) -> float:
    """Return how often two columns of a CSV are equal."""
    rows = read_rows(path)
    return sum(row[truth] == row[found] for row in rows) / len(rows)


def score_cloze(language: str, rows: list[dict[str, str]], scratch: Path, model: list[str]) -> float:
    """Return the accuracy by cloze in a language."""
    target = scratch / f"{language}-cloze.csv"
    file = write_rows(scratch / f"{language}.csv", rows)
    run_command("classify", "--input", file, "--output", target, "--language", language, *model)
    return compute_accuracy(target, "category", "label")


def score_linear_classifier(
    examples: list[dict[str, str]], tests: dict[str, list[dict[str, str]]], scratch: Path, model: list[str]
) -> dict[str, float]:
    """Return the accuracy by language of a classifier fitted on English examples."""
    file = write_rows(scratch / "examples.csv", examples)
    every = [{**row, "language": language} for language, rows in tests.items() for row in rows]
    arguments = ["--test", write_rows(scratch / "test.csv", every), "--language-column", "language", "--json"]
    report = run_command("fit-classifier", file, scratch / "taught", "--label-column", "category", *arguments, *model)
    return {row["language"]: row["accuracy"] for row in json.loads(report)["languages"]}


def evaluate_sib200(data: Path, scratch: Path, model: list[str], ways: list[str], results: Results) -> None:
    """Add the table of topics."""
    tests = {language: read_tsv(data / "sib200" / code / "test.tsv") for language, code in LANGUAGES.items()}
    train = read_tsv(data / "sib200" / LANGUAGES["en"] / "train.tsv")
    columns: dict[str, dict[str, float]] = {
        "chance": {
            language: max(Counter(row["category"] for row in rows).values()) / len(rows)
            for language, rows in tests.items()
        }
    }
    if "cloze" in ways:
        columns["cloze"] = {language: score_cloze(language, rows, scratch, model) for language, rows in tests.items()}
    for size in SIZES if "taught" in ways else ():
        examples = sample_rows(train, size)
        columns[f"taught {size or 'all'}"] = score_linear_classifier(examples, tests, scratch, model)
        columns[f"words {size or 'all'}"] = {
            language: score_bag_of_words(examples, rows) for language, rows in tests.items()
        }
    rows = [[language, *(100 * column[language] for column in columns.values())] for language in tests]
    rows.append(["mean", *(100 * sum(column.values()) / len(column) for column in columns.values())])
    results.add("SIB-200, per cent", ["language", *columns], rows)


def evaluate_xcopa(data: Path, scratch: Path, model: list[str], results: Results) -> None:
    """Add the table of choices."""
    found: dict[str, float] = {}
    for folder in sorted(path for path in (data / "xcopa").iterdir() if path.is_dir()):
        language = folder.name
        target = scratch / f"xcopa-{language}.jsonl"
        columns = ["--prompt-column", "premise", "--question-column", "question", "--language", language]
        run_command("choose", "--input", folder / f"test.{language}.jsonl", "--output", target, *columns, *model)
        rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
        found[language] = sum(row["choice"] == row["label"] for row in rows) / len(rows)
    found["mean"] = sum(found.values()) / len(found)
    results.add(
        "XCOPA, per cent (chance 50)", ["language", "choose"], [[name, 100 * share] for name, share in found.items()]
    )


def main() -> None:
    """Evaluate what is asked for."""
    parser = make_parser(__doc__)
    parser.add_argument("data", type=Path, metavar="EVAL")
    parser.add_argument("--model", default="default")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--only", nargs="+", choices=["cloze", "taught", "xcopa"], default=["cloze", "taught", "xcopa"])
    arguments = parser.parse_args()
    model = ["--model", arguments.model, "--precision", arguments.precision]
    results = Results("Topics and choices without fine-tuning")
    with tempfile.TemporaryDirectory() as scratch:
        if {"cloze", "taught"} & set(arguments.only):
            evaluate_sib200(arguments.data, Path(scratch), model, arguments.only, results)
        if "xcopa" in arguments.only:
            evaluate_xcopa(arguments.data, Path(scratch), model, results)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
