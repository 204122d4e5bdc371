"""How tables are read and written: delimiters, quotes, encodings, what a spreadsheet needs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from xlmrxl.cli.main import main
from xlmrxl.row_tasks import read_examples
from xlmrxl.tables.resumable import Counts, check, process
from xlmrxl.tables.table_formats import read
from xlmrxl.tables.table_options import TableOptions


def shout(rows: list[dict[str, Any]]) -> list[dict[str, Any] | Exception]:
    return [{"loud": row["text"].upper(), "list": [1, {"a": "b; c"}], "number": -5} for row in rows]


def convert(source: Path, target: Path, table: TableOptions | None = None, **options: Any) -> Counts:
    given: dict[str, Any] = {"columns": ["text"], "results": ["loud", "list", "number"], "settings": {}}
    return process(source, target, shout, table=table or TableOptions(), **given | {"progress": False} | options)


def values(path: Path, table: TableOptions | None = None) -> list[dict[str, Any]]:
    rows = list(read(path, (table or TableOptions()).find_dialect(path)))
    assert [row.error for row in rows] == [""] * len(rows)
    return [row.values for row in rows]


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


# --- Tab-separated files are literal ---


def test_a_quote_in_a_tsv_swallows_nothing(tmp_path: Path):
    lines = ['"never closed\t1', 'a "word" here\t2', '"whole"\t3', '""\t4', "\u2028in\x0cone\x85line\x1c\t5", "last\t6"]
    source = put(tmp_path / "in.tsv", "text\tid\n" + "\r\n".join(lines) + "\r\n")
    assert [tuple(row.values()) for row in values(source)] == [tuple(line.split("\t")) for line in lines]
    assert convert(source, tmp_path / "out.tsv") == Counts(6, 0)
    written = (tmp_path / "out.tsv").read_bytes().decode().removesuffix("\n").split("\n")
    assert [line.split("\t")[:3] for line in written[1:]] == [
        [*line.split("\t"), line.split("\t")[0].upper()] for line in lines
    ]
    assert [row["text"] for row in values(tmp_path / "out.tsv")] == [line.split("\t")[0] for line in lines]


def test_a_tsv_has_quotes_where_asked(tmp_path: Path):
    texts = ['say "hi"', "two\nlines", "a\ttab", "\rx"]
    source = put(tmp_path / "in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
    quoted = TableOptions(quoting="minimal")
    assert convert(source, tmp_path / "out.tsv", quoted) == Counts(4, 0)
    with (tmp_path / "out.tsv").open(encoding="utf-8", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file, delimiter="\t", strict=True)] == texts
    assert [row["text"] for row in values(tmp_path / "out.tsv", quoted)] == texts
    assert convert(tmp_path / "out.tsv", tmp_path / "next.csv", quoted).bad == 0
    assert [row["text"] for row in values(tmp_path / "next.csv")] == texts


@pytest.mark.parametrize("text", ["two\nlines", "a\ttab", "carriage\rreturn"])
@pytest.mark.parametrize("begin", ["jsonl", "parquet", "csv"])
def test_what_a_literal_tsv_cannot_hold_is_said_before_the_work(begin: str, text: str, tmp_path: Path):
    source = tmp_path / f"in.{begin}"
    rows = [{"text": "good", "note": ""}, {"text": "good", "note": text}]
    if begin == "parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist(rows), source)
    elif begin == "csv":
        put(source, f'text,note\ngood,\ngood,"{text}"\n')
    else:
        put(source, "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match=r"Row 2 of .* has a tab or a line break in column 'note'.*--quoting"):
        convert(source, tmp_path / "out.tsv")
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_a_result_that_a_literal_tsv_cannot_hold_is_of_its_row(tmp_path: Path):
    def work(rows: list[dict[str, Any]]) -> list[dict[str, Any] | Exception]:
        return [{"loud": "a\tb"} if row["text"] == "tab" else {"loud": "fine"} for row in rows]

    source = put(tmp_path / "in.csv", 'text,id\ntab,1\n"broken" quote,\t2\ngood,3\n')
    given: dict[str, Any] = {"columns": ["text"], "results": ["loud"], "settings": {}, "progress": False}
    assert process(source, tmp_path / "out.tsv", work, **given) == Counts(3, 2)
    first, second, third = values(tmp_path / "out.tsv")
    assert (first["text"], first["loud"]) == ("tab", "")
    assert first["error"] == "Its 'loud' has a tab or a line break, which a .tsv cannot hold."
    assert (third["loud"], third["error"]) == ("fine", "")
    # A line that could not be read is passed on with the reason; what breaks a cell of it is escaped.
    assert json.loads(second["unread"]) == '"broken" quote,\t2'
    assert second["error"].startswith("Line 3 is not CSV")


# --- Delimiters ---


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("text;id", ";"),
        ("text,id", ","),
        ("text", ","),
        ("text,id;old", ","),  # both: a .csv has commas
        ("text;id, old", ","),
        ('"text, long";id', ";"),
        ('"text; long",id', ","),
        ('"text; long"', ","),
        ('"text; ""long"" ;",id', ","),
        ('"text\n;long",id', ","),
        ('"text\n,long";id', ";"),
        ("text\tid", ","),
        ("sep=;\ntext,long;id", ";"),
        ("sep=,\r\ntext;long,id", ","),
        ("sep=\t\ntext;long\tid", "\t"),
        ("sep=|\ntext|id", "|"),
        ("sep=;x\ntext", ";"),
    ],
)
def test_the_delimiter_is_recognised_by_the_header(header: str, delimiter: str, tmp_path: Path):
    source = put(tmp_path / "in.csv", f"\ufeff{header}\n")
    assert TableOptions().find_dialect(source).delimiter == delimiter
    assert TableOptions(delimiter="|").find_dialect(source).delimiter == "|"
    # Tabs of a .tsv are by its name.
    wanted = delimiter if header.startswith("sep=") and ";x" not in header else "\t"
    assert TableOptions().find_dialect(put(tmp_path / "in.tsv", header)).delimiter == wanted


@pytest.mark.parametrize("first", ["", "sep=;\r\n"])
def test_semicolons_stay_semicolons(first: str, tmp_path: Path):
    source = put(tmp_path / "in.csv", f'{first}text;"a, b"\r\n"one; two";3,5\r\n')
    expected = {"text": "one; two", "a, b": "3,5", "loud": "ONE; TWO", "list": '[1, {"a": "b; c"}]', "number": "-5"}
    for target in ("out.csv", "out.tsv"):
        assert convert(source, tmp_path / target) == Counts(1, 0)
        assert values(tmp_path / target) == [{**expected, "error": ""}]
    assert (tmp_path / "out.csv").read_bytes().startswith(b'text;"a, b";loud;list;number;error\r\n')
    assert (tmp_path / "out.tsv").read_bytes().startswith(b"text\ta, b\tloud\tlist\tnumber\terror\n")


@pytest.mark.parametrize("name", ["a;b", "a,b", 'a";b', "sep=;", "a\nb;c,d"])
@pytest.mark.parametrize("delimiter", [None, ";"])
def test_what_is_written_is_recognised_again(name: str, delimiter: str | None, tmp_path: Path):
    source = put(tmp_path / "in.jsonl", json.dumps({name: "x;y,z", "text": "one"}) + "\n")
    assert convert(source, tmp_path / "out.csv", TableOptions(delimiter=delimiter)).bad == 0
    (row,) = values(tmp_path / "out.csv")
    assert (row[name], row["text"], row["loud"]) == ("x;y,z", "one", "ONE")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file, delimiter=delimiter or ",", strict=True))[0] == name


def test_another_delimiter(tmp_path: Path):
    source = put(tmp_path / "in.csv", "text|id\na, b|1\n")
    with pytest.raises(ValueError, match=r"no column 'text'\. It has text\|id\. .* separated by '\|', say so"):
        convert(source, tmp_path / "out.csv")
    table = TableOptions(delimiter="|")
    assert convert(source, tmp_path / "out.csv", table) == Counts(1, 0)
    assert values(tmp_path / "out.csv", table)[0] | {"list": ""} == {
        "text": "a, b", "id": "1", "loud": "A, B", "list": "", "number": "-5", "error": "",
    }  # fmt: skip
    literal = TableOptions(delimiter="|", quoting="none")
    put(source, 'text|id\n"a|1\nb"|2\n')
    assert convert(source, tmp_path / "next.csv", literal) == Counts(2, 0)
    assert [row["text"] for row in values(tmp_path / "next.csv", table)] == ['"a', 'b"']


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimiter": ""}, "one character"),
        ({"delimiter": ";;"}, "one character"),
        ({"delimiter": '"'}, "no quote"),
        ({"delimiter": "\n"}, "no quote or line break"),
        ({"quoting": "all"}, "must be one of minimal, none"),
        ({"encoding": "utf-99"}, "encoding is 'utf-99', which Python does not know"),
        ({"encoding": "hex"}, "does not know"),
        ({"encoding": "\0"}, "does not know"),
        ({"encoding": "undefined"}, "does not know"),
    ],
)
def test_options_that_there_are_not(options: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        TableOptions(**options)


@pytest.mark.parametrize(
    ("options", "names", "words"),
    [
        ({"delimiter": ";"}, ("in.jsonl", "out.jsonl"), "delimiter"),
        ({"delimiter": ";"}, ("in.jsonl", "out.tsv"), "delimiter"),
        ({"quoting": "none"}, ("in.jsonl", "out.csv"), "quoting"),
        ({"encoding": "latin-1"}, ("in.parquet", "out.csv"), "Parquet"),
        ({"bom": True}, ("in.csv", "out.jsonl"), r"bom \(--bom\)"),
        ({"spreadsheet_safe": True}, ("in.csv", "out.parquet"), "--spreadsheet-safe"),
    ],
)
def test_options_that_say_nothing_of_these_files(options: dict[str, Any], names: tuple[str, str], words: str):
    with pytest.raises(ValueError, match=words):
        TableOptions(**options).check([Path(names[0])], Path(names[1]))


# --- Encodings ---


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-8-sig"])
@pytest.mark.parametrize("end", ["csv", "tsv", "jsonl"])
def test_files_in_other_encodings(end: str, encoding: str, tmp_path: Path):
    rows = [{"text": "Ça à l'été", "id": "1"}, {"text": "ÿþ ö", "id": "2"}]
    delimiter = "\t" if end == "tsv" else ","
    text = "\n".join(delimiter.join(cells) for cells in [rows[0].keys(), *(row.values() for row in rows)])
    if end == "jsonl":
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    source = put(tmp_path / f"in.{end}", text + "\n", encoding)
    table = TableOptions(encoding=encoding)
    assert values(source, table) == rows
    assert convert(source, tmp_path / "out.csv", table) == Counts(2, 0)
    assert [row["text"] for row in values(tmp_path / "out.csv")] == [row["text"] for row in rows]


def test_bytes_that_do_not_decode_are_an_error_of_their_row(tmp_path: Path):
    broken = "text,id\na,1\n".encode("utf-16-le") + b"\x00\xd8,\x00" + "2\nb,3\n".encode("utf-16-le") + b"\x61"
    (tmp_path / "in.csv").write_bytes(broken)
    rows = list(read(tmp_path / "in.csv", TableOptions(encoding="utf-16-le").find_dialect(tmp_path / "in.csv")))
    assert [row.values.get("id") for row in rows] == ["1", "2", "3", None]
    assert [row.error for row in rows[:3]] == ["", "It has bytes that are not UTF-16-LE, shown as \ufffd.", ""]
    assert "not UTF-16-LE" in rows[3].error
    (tmp_path / "in.csv").write_bytes(b"text,id\nna\xefve,1\nfine,2\n\x81x,3\n")
    first, second, third = read(tmp_path / "in.csv", TableOptions(encoding="cp1252").find_dialect(tmp_path / "in.csv"))
    assert (first.values["text"], first.error, second.error) == ("naïve", "", "")
    assert (third.values["text"], third.error) == ("\ufffdx", "It has bytes that are not CP1252, shown as \ufffd.")


@pytest.mark.parametrize(
    ("data", "encoding", "words"),
    [
        ("text\n".encode("utf-8-sig"), "cp1252", "the mark of UTF-8, though another encoding is named"),
        ("text\n".encode("utf-16"), "cp1252", "is UTF-16. Say so"),
        ("text\n".encode("utf-16-be"), "utf-8", "--encoding utf-16-be"),
        (b"text\n", "utf-16", "does not begin with the mark of UTF-16"),
        (b"text\n", "utf-32", "does not begin with the mark of UTF-32"),
        ("\ufefftext\n".encode("utf-16-be"), "utf-16-le", "the mark of the other byte order"),
    ],
)
def test_an_encoding_that_the_file_contradicts(data: bytes, encoding: str, words: str, tmp_path: Path):
    (tmp_path / "in.csv").write_bytes(data)
    with pytest.raises(ValueError, match=words):
        TableOptions(encoding=encoding).find_dialect(tmp_path / "in.csv")


# --- Quotes left open ---


@pytest.mark.parametrize(
    ("lines", "opened", "whole"),
    [
        (["text,id", "a,1", '"never closed,2', "b,3"], 3, ["a", "b"]),
        (["sep=,", "text,id", "a,1", '"never closed,2'], 4, ["a"]),
        (["text,id", '"a', '",1', 'b,"never', "c,3"], 4, ["a\n", "c"]),
        (["text,id", '"say ""hi""', 'x"",2', "b,3"], 2, ['x""', "b"]),
        (["text,id", 'a,"1', '2","never', "c,3"], 3, ["c"]),
    ],
)
def test_a_file_that_is_cut_off_in_quotes(lines: list[str], opened: int, whole: list[str], tmp_path: Path):
    """The row says in which line the quote opens, and every line of the file is in some row."""
    rows = list(read(put(tmp_path / "in.csv", "\n".join(lines))))
    said = [row.error for row in rows if "never closed" in row.error]
    assert said[0].startswith(f"Line {opened} opens a quote that is never closed")
    assert {row.values["text"] for row in rows if not row.error} == set(whole)
    found = "\n".join(str(value) for row in rows for value in row.values.values())
    for line in lines[1 + lines[0].startswith("sep=") :]:
        assert all(piece in found for piece in line.replace('"', ",").split(",")), line


def test_work_on_a_file_that_is_cut_off_says_so(tmp_path: Path):
    source = put(tmp_path / "in.csv", 'text,id\na,1\n"never closed,2\nb,3\n')
    said: list[str] = []
    assert convert(source, tmp_path / "out.jsonl", say=said.append) == Counts(3, 1)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row.get("text") for row in rows] == ["a", None, "b"]
    assert said == [f"{source}: {rows[1]['error']}"]
    assert said[0].startswith(f"{source}: Line 3 opens a quote")


def test_a_file_of_examples_that_is_cut_off_is_refused(tmp_path: Path):
    source = put(tmp_path / "in.csv", 'text,label\na,x\n"b,y\nc,x\n')
    with pytest.raises(ValueError, match=r"Row 2 of .*in\.csv: Line 3 opens a quote that is never closed"):
        read_examples(source, "text", "label")


# --- Spreadsheets ---


def test_the_mark_for_spreadsheets(tmp_path: Path):
    source = put(tmp_path / "in.csv", "text\nÇa\n")
    for name in ("out.csv", "out.tsv"):
        convert(source, tmp_path / name, TableOptions(bom=True))
        assert (tmp_path / name).read_bytes().startswith(b"\xef\xbb\xbftext")
        assert values(tmp_path / name)[0]["loud"] == "ÇA"
        convert(source, tmp_path / name, force=True)
        assert (tmp_path / name).read_bytes().startswith(b"text")


def test_cells_that_a_spreadsheet_would_run(tmp_path: Path):
    runs = ["=1+1", "+1-1", "-2+3", "@SUM(A1)", "=cmd|' /C calc'!A0", "-", "+49 30 1234", "\t=1", "\r=1"]
    stays = ["-5", "+3.5", "-1e5", "-,5", "a=1", " =1", "'=1", "1-1", "plain", "=".join("ab")]
    rows = [{"text": f"t{i}", "=head": cell, "n": -i} for i, cell in enumerate(runs + stays)]
    source = put(tmp_path / "in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    convert(source, tmp_path / "plain.csv")
    convert(source, tmp_path / "safe.csv", TableOptions(spreadsheet_safe=True))
    plain, safe = values(tmp_path / "plain.csv"), values(tmp_path / "safe.csv")
    assert [row["=head"] for row in plain] == runs + stays
    assert [row["'=head"] for row in safe] == [f"'{cell}" for cell in runs] + stays
    assert [row["n"] for row in safe] == [str(-i) for i in range(len(rows))]  # numbers are numbers
    assert [[*row.values()][2:] for row in safe] == [[*row.values()][2:] for row in plain]
    # In a spreadsheet whose own delimiter is a semicolon, none begins a cell that would be run.
    put(source, json.dumps({"text": "a;=1+1"}) + "\n")
    convert(source, tmp_path / "other.csv", TableOptions(spreadsheet_safe=True))
    assert '"a;=1+1"' in (tmp_path / "other.csv").read_text()


# --- Going on ---


def test_work_goes_on_only_with_the_same_rules(tmp_path: Path):
    source, target = put(tmp_path / "in.csv", "text;id\n" + "a;1\n" * 8), tmp_path / "out.csv"

    def stopped(table: TableOptions) -> list[str]:
        said: list[str] = []

        def count(done: int, total: int) -> None:
            if done >= 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            convert(source, target, table, chunk=2, progress=count, say=said.append)
        return said

    assert stopped(TableOptions()) == []
    assert stopped(TableOptions(delimiter=";")) == ["Going on after 4 of 8 rows."]  # as it was recognised
    changed = ["The settings have changed since the 6 rows that were done: starting anew."]
    assert stopped(TableOptions(bom=True)) == changed
    changed = ["The settings have changed since the 4 rows that were done: starting anew."]
    assert stopped(TableOptions(spreadsheet_safe=True)) == changed
    assert stopped(TableOptions(quoting="none")) == changed
    assert stopped(TableOptions(encoding="latin-1")) == changed
    assert convert(source, target, TableOptions(encoding="latin-1"), chunk=2) == Counts(8, 0)
    assert len(values(target)) == 8


# --- The commands ---


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_options_reach_the_files(tiny_folder: Path, tmp_path: Path):
    source = put(tmp_path / "in.csv", 'text|note\n"The capital of <mask> is|=né\n', "cp1252")
    target = tmp_path / "out.tsv"
    options = ["--delimiter", "|", "--quoting", "none", "--encoding", "cp1252", "--bom", "--spreadsheet-safe"]
    done = run("fill", "--input", source, "--output", target, *options, "--model", tiny_folder)
    assert (done.exit_code, done.stderr) == (0, f"1 rows, 0 of them bad: {target}\n")
    data = target.read_bytes()
    assert data.startswith(b"\xef\xbb\xbftext\tnote\tfill\tbegins_word\tfills\terror\n")
    (row,) = values(target)
    assert (row["text"], row["note"]) == ('"The capital of <mask> is', "'=né")
    source = put(tmp_path / "in.tsv", "text\tid\n<mask> a\t1\n")
    done = run(
        "fill", "--input", source, "--output", tmp_path / "tab.csv", "--delimiter", "tab", "--model", tiny_folder
    )
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--encoding", "utf-99"], "encoding is 'utf-99'"),
        (["--delimiter", ";;"], "one character"),
        (["--bom"], "bom (--bom) is of a .csv or .tsv that is written"),
        (["--encoding", "utf-16"], "does not begin with the mark of UTF-16. Name its byte order"),
        (["--encoding", "utf-16-be"], "cannot be read as CSV in UTF-16-BE. Mend it, or name"),
    ],
)
def test_wrong_options_get_a_sentence(options: list[str], words: str, tiny_folder: Path, tmp_path: Path):
    source = put(tmp_path / "in.csv", "text,id\n<mask>,1\n")
    done = run("fill", "--input", source, "--output", tmp_path / "out.jsonl", *options, "--model", tiny_folder)
    assert done.exit_code == 1
    assert words in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_wrong_file_is_said_before_the_model_is_loaded(tmp_path: Path):
    source = put(tmp_path / "in.csv", "text\na\n", "utf-16")
    with pytest.raises(ValueError, match="is UTF-16"):
        check(source, tmp_path / "out.csv")
    done = run("fill", "--input", source, "--output", tmp_path / "out.csv", "--model", tmp_path / "nowhere")
    assert "is UTF-16" in done.stderr


def test_help_names_the_options():
    for command in ("fill", "classify", "choose"):
        shown = run(command, "--help").output
        assert all(f"--{name}" in shown for name in ("delimiter", "quoting", "encoding", "bom", "spreadsheet-safe"))
    for command in ("fit-classifier", "tag", "compare"):
        shown = run(command, "--help").output
        assert all(f"--{name}" in shown for name in ("delimiter", "quoting", "encoding"))
        assert "--bom" not in shown


# --- Labels in files ---


def test_labels_of_files_may_be_numbers_or_booleans(tmp_path: Path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for given, texts in (([0, 1, 10], ["0", "1", "10"]), ([True, False], ["True", "False"]), ([1.0, 0.0], ["1", "0"])):
        rows = [{"text": "a", "label": label, "lang": "en"} for label in given]
        source = put(tmp_path / "in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        assert read_examples(source, "text", "label", "lang") == [["a"] * len(given), texts, ["en"] * len(given)]
        parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "in.parquet")
        assert read_examples(tmp_path / "in.parquet", "text", "label")[1] == texts


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a", 1], r"Column 'label' in row 2 of .*in\.jsonl is 1, a number, but those before it are texts"),
        ([True, 1], "is 1, a number, but those before it are booleans"),
        ([1, "1"], "is '1', a text, but those before it are numbers"),
        ([1, 1.5], "row 2 of .* is 1.5; a number that is a label must be whole"),
        ([1, None], "Row 2 of .*There is no text in column 'label'"),
        ([1, [1]], r"Row 2 of .*must be a text, not \[1\]"),
    ],
)
def test_labels_of_files_that_are_none(labels: list[Any], words: str, tmp_path: Path):
    source = put(tmp_path / "in.jsonl", "".join(json.dumps({"text": "a", "label": each}) + "\n" for each in labels))
    with pytest.raises(ValueError, match=words):
        read_examples(source, "text", "label")


def test_a_column_that_is_not_there(tmp_path: Path):
    source = put(tmp_path / "in.csv", "text;class\na;b\n")
    with pytest.raises(ValueError, match=r"in\.csv has no column 'label'\. It has text, class\. Name the right one"):
        read_examples(source, "text", "label")


def test_csv_is_as_python_reads_it(tmp_path: Path):
    """Every cell, whatever is in it, against the standard library."""
    cells = ["", " ", "a", '"', '""', ",", ";", "\n", "\r\n", "\t", "'", '"a","b"', "sep=;", "é", "=1", "\u2028"]
    rows = [{"text": f"t{i}", "cell": cell} for i, cell in enumerate(cells)]
    source = put(tmp_path / "in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    convert(source, tmp_path / "out.csv")
    data = (tmp_path / "out.csv").read_bytes().decode()
    assert [row["cell"] for row in csv.DictReader(io.StringIO(data, newline=""), strict=True)] == cells
    assert [row["cell"] for row in values(tmp_path / "out.csv")] == cells
