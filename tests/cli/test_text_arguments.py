"""What a TEXT of the command line stands for, alike in every command: itself, a file's lines, a table, the input."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import xlmrxl
from xlmrxl import XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForTokenClassification
from xlmrxl.cli.main import main
from xlmrxl.cli.text_arguments import read_document, read_texts
from xlmrxl.tables.table_options import TableOptions
from xlmrxl.tasks.compare_precisions import compare_precisions

STRANGE = [
    "x" * 400,
    "word " * 20_000,
    "a\0b",
    "half \ud83d",
    "",
    " ",
    "/",
    "\n",
    "~",
    "C:\\nowhere\\x",
    "a/b/c",
    "𝄞" * 300,
    "it ends in data.csv.",
    "notes.<mask>.txt",
    "see notes.txt and more",
    "https://example.org/",
]
MASKED = ["The capital of <mask> is Paris.", "no mask", "a <mask>"]


def run(*arguments: Any, text: bytes | str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)


def texts(given: str, stdin: bytes = b"", **options: Any) -> list[str]:
    found = read_texts([given], lambda: io.BytesIO(stdin), **options)
    assert not [each.error for each in found if each.error]
    return [each.text for each in found]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory, tiny_config: XLMRobertaXLConfig, vocabulary_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("tagger")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        XLMRobertaXLForTokenClassification(tiny_config).save_pretrained(folder)
    XLMRobertaTokenizer(vocabulary_file).save_pretrained(folder)
    return folder


# --- Telling a text from a file ---


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_a_text_is_a_text(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    if text == "/":
        with pytest.raises(ValueError, match=r"/ is a folder\. Name a file in it"):
            texts(text)
    else:
        assert texts(text) == [text]
        assert read_document(text, io.BytesIO) == text


def test_a_file_is_its_lines_and_only_line_breaks_part_them(tmp_path: Path):
    lines = ["one\u2028two\u2029three", "form\x0cfeed \x0b \x85 \x1c\x1d\x1e", "  spaces  ", "carriage\rreturn", "last"]
    data = ("\ufeff" + "\r\n".join(lines[:2]) + "\n\n \n" + "\n".join(lines[2:])).encode()
    for name in ("lines.txt", "lines", "lines with spaces.md"):
        (tmp_path / name).write_bytes(data)
        assert texts(str(tmp_path / name)) == lines
        assert read_document(str(tmp_path / name), io.BytesIO) == data.decode("utf-8-sig")
    assert texts("-", data) == lines
    found = read_texts(["-", "x", str(tmp_path / "lines")], lambda: io.BytesIO(data))
    places = [f"Line {number} of the standard input" for number in (1, 2, 5, 6, 7)]
    assert [each.place for each in found[:6]] == [*places, ""]
    assert found[-1].place == f"Line 7 of {tmp_path / 'lines'}"


@pytest.mark.parametrize("end", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_is_its_texts(end: str, tmp_path: Path):
    rows = [{"text": "one, two", "other": "x"}, {"text": "", "other": "y"}, {"text": "three", "other": "z"}]
    path = tmp_path / f"in.{end}"
    if end == "parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist(rows), path)
    elif end == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        delimiter = "\t" if end == "tsv" else ";"
        path.write_text("".join(delimiter.join(row) + "\n" for row in [rows[0], *(row.values() for row in rows)]))
    first, second, third = read_texts([str(path)], io.BytesIO)
    assert (first.text, first.place, third.text) == ("one, two", f"Row 1 of {path}", "three")
    assert second.error in (f"Row 2 of {path}: Column 'text' is empty.",)
    assert texts(str(path), column="other") == ["x", "y", "z"]
    if end != "jsonl":
        with pytest.raises(ValueError, match=r"has no column 'none'\. It has text, other"):
            texts(str(path), column="none")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", None, r"There is no file .*a\.txt\. If it is a text"),
        ("a.CSV", None, r"There is no file .*a\.CSV"),
        ("folder", "folder", r"is a folder\. Name a file in it\. If it is a text, let it come by the standard input"),
        ("a.csv", "folder", "is a folder"),
        ("a.txt", gzip.compress(b"a", mtime=0), "is compressed with gzip"),
        ("a.txt", "a\n".encode("utf-16"), "is UTF-16. Say so"),
    ],
)
def test_files_that_cannot_be_read(name: str, data: Any, words: str, tmp_path: Path):
    path = tmp_path / name
    if data == "folder":
        path.mkdir()
    elif data is not None:
        path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        texts(str(path))
    with pytest.raises(ValueError, match=words):
        read_document(str(path), io.BytesIO)


def test_lines_that_are_not_of_the_encoding(tmp_path: Path):
    data = b"good\nna\xefve\nlast\n"
    (tmp_path / "a.txt").write_bytes(data)
    for given, name in (("-", "the standard input"), (str(tmp_path / "a.txt"), str(tmp_path / "a.txt"))):
        said = f"Line 2 of {name} has bytes that are not UTF-8. Mend it, or say in which encoding it is (--encoding)."
        found = read_texts([given], lambda: io.BytesIO(data))
        assert [(each.text, each.error) for each in found] == [("good", ""), ("", said), ("last", "")]
        with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
            read_document(given, lambda: io.BytesIO(data))
        assert texts(given, data, table=TableOptions(encoding="latin-1")) == ["good", "naïve", "last"]
        with pytest.raises(ValueError, match=r"has a text a line: leave out .*--delimiter"):
            texts(given, data, table=TableOptions(delimiter=";"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_of_the_shell_is_a_file(tiny_folder: Path):
    """As in `xlmrxl fill <(sort sentences)`."""
    reading, writing = os.pipe()
    os.write(writing, b"a <mask>\n\nno\n")
    os.close(writing)
    command = [
        sys.executable,
        "-m",
        "xlmrxl.cli.main",
        "fill",
        f"/dev/fd/{reading}",
        "--json",
        "--model",
        str(tiny_folder),
    ]
    done = subprocess.run(command, pass_fds=[reading], capture_output=True, text=True, check=False)
    os.close(reading)
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["a <mask>"]
    assert done.stderr.startswith(f"Line 3 of /dev/fd/{reading}: There is no <mask>")
    assert done.returncode == 1


# --- The commands ---

COMMANDS = {
    "fill": [],
    "classify": ["--labels", "H,d", "--template", "{text} <mask>"],
    "explain": ["--attribute", "--labels", "H,d", "--template", "{text} <mask>"],
    "tag": [],
}


def answered(command: str, models: dict[str, Path], *arguments: Any, text: bytes | None = None) -> Result:
    options = [*COMMANDS[command], "--json", "--model", models["tag" if command == "tag" else "fill"]]
    return run("classify" if command == "explain" else command, *arguments, *options, text=text)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_line_is_named_and_the_others_are_answered(command: str, tiny_folder: Path, tagger: Path, tmp_path: Path):
    models = {"fill": tiny_folder, "tag": tagger}
    mask = "<mask> " if command == "fill" else ""
    # Text with a mask cannot be classified, and any text that can be read is tagged.
    bad = {"fill": "no mask", "tag": "caf\xef"}.get(command, "a <mask>")
    lines = [f"{mask}The dog", bad, "", f"{mask}na\xefve", f"{mask}A cat", bad, f"{mask}one\u2028line"]
    data = "\n".join(lines).encode().replace("\xef".encode(), b"\xef")
    path = tmp_path / "lines.txt"
    path.write_bytes(data)
    good = [lines[0], lines[4], lines[6]]
    for given, name in (("-", "the standard input"), (path, str(path))):
        done = answered(command, models, given, text=data)
        assert [json.loads(line)["text"] for line in done.stdout.split("\n")[:-1]] == good
        said = done.stderr.splitlines()
        assert [line.partition(f" of {name}")[0] for line in said] == ["Line 2", "Line 4", "Line 6"]
        assert "has bytes that are not UTF-8" in said[1]
        assert said[0].startswith(f"Line 2 of {name}" + ("" if command == "tag" else ": "))
        assert "ext 1" not in said[0]
        assert done.exit_code == 1
    # What is answered is what each text alone is answered.
    alone = [json.loads(answered(command, models, text).stdout) for text in good[:2]]
    for line, result in zip(done.stdout.split("\n"), alone, strict=False):
        assert json.loads(line).keys() == result.keys()
    done = answered(command, models, "-", text="\n".join(good).encode())
    assert (done.exit_code, done.stderr) == (0, "")


def test_texts_of_the_command_line_are_named_by_number(tiny_folder: Path):
    done = run("fill", *MASKED, "--json", "--model", tiny_folder)
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == [MASKED[0], MASKED[2]]
    assert done.stderr.startswith("Text 2: There is no <mask>")
    assert done.exit_code == 1
    done = run("fill", MASKED[1], "--model", tiny_folder)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no <mask>")


@pytest.mark.parametrize(
    "wrong", [["--script", "Klingon"], ["--method", "joint", "--target", "a"], ["--top-k", "1000000"]]
)
def test_a_wrong_setting_is_no_fault_of_the_lines(wrong: list[str], tiny_folder: Path):
    done = run("fill", "-", *wrong, "--model", tiny_folder, text="a <mask>\nb <mask>\nc\n")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert "Line" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_lines_are_no_fault(tiny_folder: Path):
    done = run("fill", "-", "--model", tiny_folder, text="\n\n")
    assert (done.exit_code, done.output) == (0, "")


def test_a_long_text_is_answered(tiny_folder: Path, tmp_path: Path):
    """Longer than a path may be, and with a character that none may have."""
    for command, options in (
        (["classify"], [*COMMANDS["classify"], "--json"]),
        (["compare"], ["--precisions", "fp32,bf16", "--json"]),
    ):
        done = run(*command, "a dog " * 100, *options, "--model", tiny_folder)
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        done = run(*command, tmp_path, *options, "--model", tiny_folder)
        assert done.stderr.startswith(f"Error: {tmp_path} is a folder. ")
        assert isinstance(done.exception, SystemExit)


def test_compare_reads_texts_as_the_others_do(tiny_folder: Path, tmp_path: Path):
    (tmp_path / "a.txt").write_text("The dog\u2028sleeps\x0cthere.\nA cat.\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("satz;id\nThe house, old;1\n", encoding="utf-8")
    arguments = ["--json", "--precisions", "fp32,bf16", "--model", tiny_folder, "--text-column", "satz"]
    given = ["dog " * 100, tmp_path / "a.txt", "-", tmp_path / "a.csv"]
    done = run("compare", *given, *arguments, text="Paris\x85Madrid\r\n")
    assert done.exit_code == 0, done.output
    expected = ["dog " * 100, "The dog\u2028sleeps\x0cthere.", "A cat.", "Paris\x85Madrid", "The house, old"]
    compared = compare_precisions(tiny_folder, expected, ["fp32", "bf16"])
    assert json.loads(done.stdout) == json.loads(json.dumps(compared.to_dict()))
    (tmp_path / "a.txt").write_bytes(b"good\nna\xefve\n")
    done = run("compare", tmp_path / "a.txt", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: Line 2 of {tmp_path / 'a.txt'} has bytes that are not UTF-8. ")


def test_options_that_no_text_has(tiny_folder: Path):
    for arguments, words in (
        (["fill", "a <mask>", "--bom"], "--bom and --spreadsheet-safe are for --output"),
        (["choose", "a", "b", "c", "--delimiter", ";"], "are for --input"),
        (["fill", "-", "--delimiter", ";"], "has a text a line"),
    ):
        done = run(*arguments, "--model", tiny_folder, text="a <mask>\n")
        assert done.exit_code != 0
        assert words in done.stderr


def test_an_answer_in_a_file(tmp_path: Path, tiny_config: XLMRobertaXLConfig, vocabulary_file: Path):
    folder = tmp_path / "model"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        xlmrxl.XLMRobertaXLForQuestionAnswering(tiny_config).save_pretrained(folder)
    XLMRobertaTokenizer(vocabulary_file).save_pretrained(folder)
    context = "The dog sleeps.\nA cat sits."
    (tmp_path / "a.txt").write_text(context, encoding="utf-8")
    expected = run("answer", "Who sleeps?", context, "--json", "--model", folder)
    assert expected.exit_code == 0, expected.output
    for given in (tmp_path / "a.txt", "-"):
        done = run("answer", "Who sleeps?", given, "--json", "--model", folder, text=context)
        assert json.loads(done.stdout) == json.loads(expected.stdout)
    done = run("answer", "Who sleeps?", "-", "--model", folder, text=b"good\nna\xefve")
    assert done.stderr.startswith("Error: Line 2 of the standard input has bytes that are not UTF-8.")
