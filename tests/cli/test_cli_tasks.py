"""The commands of the tasks, as a person runs them: what they print is what the session's methods return."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import xlmrxl
from xlmrxl import (
    LinearClassifier,
    Session,
    XLMRobertaTokenizer,
    XLMRobertaXLConfig,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.cli.main import main

TEXTS = [
    ("The dog sleeps in the garden.", "dog"),
    ("The cat sits on the roof.", "cat"),
    ("Der Hund schläft im Garten.", "dog"),
    ("Die Katze sitzt auf dem Dach.", "cat"),
    ("A small dog lives in the house.", "dog"),
    ("A small cat lives near the bridge.", "cat"),
]


def run(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), input=text)


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "examples.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label", "language"), *((*pair, "en") for pair in TEXTS)])
    return path


def test_classify_prints_what_the_session_says(session: Session, tiny_folder: Path):
    done = run(
        "classify", TEXTS[0][0], "--labels", "H, d", "--template", "{text} <mask>", "--json", "--model", tiny_folder
    )
    assert done.exit_code == 0
    expected = session.classify(TEXTS[0][0], ["H", "d"], templates=["{text} <mask>"])
    assert json.loads(done.output)["labels"] == expected.to_dict()["labels"]


def test_explain_prints_every_word(session: Session, tiny_folder: Path):
    arguments = ["--labels", "H,d", "--template", "{text} <mask>", "--model", tiny_folder]
    done = run("classify", TEXTS[0][0], "--attribute", "--json", *arguments)
    assert done.exit_code == 0
    expected = session.attribute(TEXTS[0][0], ["H", "d"], templates=["{text} <mask>"])
    assert json.loads(done.output)["words"] == expected.to_dict()["words"]
    without = session.classify("dog sleeps in the garden.", ["H", "d"], templates=["{text} <mask>"])
    drop = expected.score - next(each.score for each in without.labels if each.label == expected.label)
    assert expected.words[0].value == pytest.approx(drop, rel=1e-3)


def test_explaining_a_label_that_is_not_there(session: Session):
    with pytest.raises(ValueError, match="no label 'x'"):
        session.attribute("The dog", ["H", "d"], label="x", templates=["{text} <mask>"])


def test_teach_then_classify(session: Session, tiny_folder: Path, examples: Path, tmp_path: Path):
    folder = tmp_path / "taught"
    done = run("fit-classifier", examples, folder, "--test", examples, "--language-column", "language", "--json",
               "--state", "2", "--pooling", "mean", "--model", tiny_folder)  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads(done.output.splitlines()[-1])
    assert report["texts"] == len(TEXTS)
    assert [row["language"] for row in report["languages"]] == ["en"]
    taught = LinearClassifier.load(folder, session)
    expected = [result.label for result in taught.classify([text for text, _ in TEXTS])]
    target = tmp_path / "out.csv"
    done = run("classify", "--input", examples, "--output", target, "--classifier", folder, "--model", tiny_folder)
    assert done.exit_code == 0, done.output
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # The source has a column "label" already, which stays as it is.
    assert [row["label"] for row in rows] == [label for _, label in TEXTS]
    assert [row["label_result"] for row in rows] == expected
    done = run("classify", TEXTS[0][0], "--classifier", folder, "--json", "--model", tiny_folder)
    assert json.loads(done.output)["labels"][0]["label"] == expected[0]


def test_teach_with_numbers_as_labels(tiny_folder: Path, tmp_path: Path):
    """From JSONL with whole numbers, tested on a .csv with semicolons, where they are texts."""
    examples, test, folder = tmp_path / "examples.jsonl", tmp_path / "test.csv", tmp_path / "taught"
    numbers = {"dog": 1, "cat": 0}
    examples.write_text(
        "".join(json.dumps({"satz": text, "label": numbers[label]}) + "\n" for text, label in TEXTS), encoding="utf-8"
    )
    test.write_text("satz;label\n" + "".join(f"{text};{numbers[label]}\n" for text, label in TEXTS), encoding="cp1252")
    options = ["--text-column", "satz", "--state", "2", "--pooling", "mean", "--model", tiny_folder]
    done = run("fit-classifier", examples, folder, "--test", test, "--delimiter", ";", "--json", *options)
    assert done.exit_code == 1
    assert "Row 3 of" in done.stderr
    assert "not UTF-8" in done.stderr
    test.write_text(test.read_text(encoding="cp1252"), encoding="utf-8")
    done = run("fit-classifier", examples, folder, "--test", test, "--delimiter", ";", "--json", *options)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["labels"], report["texts"]) == (["0", "1"], len(TEXTS))
    with examples.open("a", encoding="utf-8") as file:
        file.write('{"satz": "A dog.", "label": true}\n')
    done = run("fit-classifier", examples, folder, *options)
    assert "Column 'label' in row 7 of" in done.stderr
    assert "is True, a boolean, but those before it are numbers" in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [("a,,en", "Row 7"), ("a,NaN,en", "NaN"), ("only one field", "Row 7")],
)
def test_a_bad_example_is_named(tiny_folder: Path, examples: Path, tmp_path: Path, line: str, words: str):
    with examples.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    done = run("fit-classifier", examples, tmp_path / "taught", "--model", tiny_folder)
    assert done.exit_code == 1
    assert words in done.output
    assert not (tmp_path / "taught").exists()


def test_tag_and_answer(tmp_path: Path, tiny_config: XLMRobertaXLConfig, vocabulary_file: Path):
    for name, head, arguments in (
        ("tag", XLMRobertaXLForTokenClassification, ["The dog sleeps."]),
        ("answer", XLMRobertaXLForQuestionAnswering, ["Who sleeps?", "The dog sleeps."]),
    ):
        folder = tmp_path / name
        with torch.random.fork_rng():
            torch.manual_seed(0)
            head(tiny_config).save_pretrained(folder)
        XLMRobertaTokenizer(vocabulary_file).save_pretrained(folder)
        done = run(name, *arguments, "--json", "--model", folder)
        assert done.exit_code == 0, done.output
        expected = getattr(xlmrxl.load(folder), name)(*arguments)
        assert json.loads(done.output) == json.loads(expected.to_json())
        done = run("fill", "The <mask>.", "--model", folder)
        assert done.exit_code == 1
        assert "needs a model with a head for masked language modelling" in done.output
