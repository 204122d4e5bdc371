"""Special tokens that people write in a text: in tasks and files they are text, unless somebody asks for them."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from sentences import train_vocabulary

import xlmrxl
from xlmrxl import (
    Session,
    XLMRobertaTokenizer,
    XLMRobertaXLConfig,
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.cli.main import main
from xlmrxl.tasks.features import extract_features
from xlmrxl.tasks.linear_classifier import LinearClassifier
from xlmrxl.tasks.masked_lm import encode_truncated, split_subwords, tokenize

SENTENCES = [
    "The capital of France is Paris and the <b>capital</b> of Spain is Madrid.",
    "La casa es grande; <p>el perro duerme en el jardín</p>.",
    "A tag such as <s> or </s> or <pad> or <unk> [X] is no <mask> in a text.",
]
TYPED = ["<s>", "</s>", "<pad>", "<unk>", "[X]"]
"""Special tokens, the last one added to the vocabulary."""


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that knows the letters of which special tokens are made."""
    spaced = [line.replace("<unk>", "< unk >").replace("<", " < ") for line in SENTENCES]
    return train_vocabulary(tmp_path_factory.mktemp("vocabulary"), spaced, 200)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory, vocabulary: Path, tiny_config: XLMRobertaXLConfig) -> dict[type, Session]:
    tokenizer = XLMRobertaTokenizer(vocabulary)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[X]"]})
    config = copy.deepcopy(tiny_config)
    config.vocab_size = len(tokenizer) + 5
    found = {}
    for number, kind in enumerate(
        (
            XLMRobertaXLForMaskedLM,
            XLMRobertaXLForSequenceClassification,
            XLMRobertaXLForMultipleChoice,
            XLMRobertaXLForTokenClassification,
            XLMRobertaXLForQuestionAnswering,
        )
    ):
        folder = tmp_path_factory.mktemp(kind.__name__)
        with torch.random.fork_rng():
            torch.manual_seed(number)
            kind(copy.deepcopy(config)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        found[kind] = xlmrxl.load(folder)
    return found


@pytest.fixture(scope="module")
def session(sessions: dict[type, Session]) -> Session:
    return sessions[XLMRobertaXLForMaskedLM]


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("text", ["A {} is", "{}", "a{}b {}", "{}{} <mask>.", "<mask>{}", " {} <mask> {} "])
def test_a_token_that_is_written_is_its_characters(session: Session, typed: str, text: str):
    """Each with its place, and none of them special but for masks."""
    text = text.format(*[typed] * 2)
    tokens = tokenize(session.tokenizer, text)
    special = [token for token in tokens[1:-1] if token.special]
    assert [text[token.start : token.end].strip() for token in special] == ["<mask>"] * text.count("<mask>")
    inner = [token for token in tokens[1:-1] if token.end > token.start]
    assert "".join(text[token.start : token.end] for token in inner).replace(" ", "") == text.replace(" ", "")
    for token in inner:
        if not token.special:
            assert token.piece.replace("▁", "") == text[token.start : token.end]
    ids = [token.id for token in inner]
    plain = text.replace(typed, typed[0] + "\x01" + typed[1:])  # nothing to the eye, and to the vocabulary
    assert ids == [i for i, start, end in split_subwords(session.tokenizer, plain, special_tokens=True) if end > start]


@pytest.mark.parametrize("typed", TYPED)
def test_it_is_special_where_that_is_asked_for(session: Session, typed: str):
    tokenizer = session.tokenizer
    (piece,) = [i for i, _, _ in split_subwords(tokenizer, f"{typed}", special_tokens=True)]
    assert piece == tokenizer.convert_tokens_to_ids(typed)
    assert piece in tokenizer(f"a {typed} b")["input_ids"][1:-1]  # as it is for the tokenizer …
    assert piece in [token.id for token in session.inspect(f"a {typed} b").tokens[1:-1]]  # … and for inspections
    assert piece not in [token.id for token in tokenize(tokenizer, f"a {typed} b")[1:-1]]


def test_a_text_that_is_cut_keeps_the_side_that_the_tokenizer_keeps(session: Session):
    for side in ("right", "left"):
        other = dataclasses.replace(session, tokenizer=copy.deepcopy(session.tokenizer))
        other.tokenizer.truncation_side = side
        text = "a </s> capital " * 40
        for pair in (None, "Paris is old " * 30, "Paris"):
            ids, total = encode_truncated(other, text, pair, special_tokens=True)
            expected = other.tokenizer(text, pair, truncation=True, max_length=64)["input_ids"]
            assert (ids, total) == (expected, len(other.tokenizer(text, pair, truncation=False)["input_ids"]))
            plain, more = encode_truncated(other, text, pair)
            assert len(plain) == 64
            assert more > total


def mixed(kind: type) -> tuple:
    """How a session of a kind is asked about a text, or with `special_tokens` about it, and what it says."""
    calls = {
        XLMRobertaXLForMaskedLM: [
            lambda s, text, **o: [f.probability for f in s.fill_mask(text + " <mask>", **o).masks[0].fills],
            lambda s, text, **o: [
                f.probability for f in s.fill_mask(text + " <mask>", method="words", **o).masks[0].fills
            ],
            lambda s, text, **o: [w.score for w in s.fill_mask(text + " <mask>", method="joint", **o).joint],
            lambda s, text, **o: [
                f.probability for f in s.fill_mask(text + " <mask>", targets="a", **o).masks[0].fills
            ],
            lambda s, text, **o: [
                x.score for x in s.classify(text, ["a", "is"], templates="{text} <mask>", **o).labels
            ],
            lambda s, text, **o: [
                w.value for w in s.attribute(text, ["a", "is"], templates="{text} <mask>", label="a", **o).words
            ],
            lambda s, text, **o: [c.score for c in s.choose(text, ["a", "is Paris"], **o).choices],
            lambda s, text, **o: [c.score for c in s.choose("a", ["is Paris", text], **o).choices],
            lambda s, text, **o: extract_features(s, [text], **o).values.flatten().tolist(),
        ],
        XLMRobertaXLForSequenceClassification: [
            lambda s, text, **o: [x.raw for x in s.classify(text, **o).labels],
            lambda s, text, **o: [x.raw for x in s.classify((text, "a"), **o).labels],
        ],
        XLMRobertaXLForMultipleChoice: [
            lambda s, text, **o: [c.score for c in s.choose(text, ["a", "b"], **o).choices]
        ],
        XLMRobertaXLForTokenClassification: [lambda s, text, **o: [(w.text, w.score) for w in s.tag(text, **o).words]],
        XLMRobertaXLForQuestionAnswering: [
            lambda s, text, **o: [a.score for a in s.answer("Paris", text, **o).answers],
            lambda s, text, **o: [a.score for a in s.answer(text, "Paris is old", **o).answers],
        ],
    }
    return tuple(calls[kind])


@pytest.mark.parametrize("typed", ["</s>", "[X]"])
@pytest.mark.parametrize("kind", [*(kind for kind in (
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForTokenClassification,
    XLMRobertaXLForQuestionAnswering,
))])  # fmt: skip
def test_in_every_task(sessions: dict[type, Session], kind: type, typed: str):
    """What is written is read as if a character that nobody sees stood in it; asked for, as something else."""
    text, plain = f"Paris {typed} is old", f"Paris {typed[0]}\x01{typed[1:]} is old"
    for call in mixed(kind):
        found, expected = call(sessions[kind], text), call(sessions[kind], plain)
        assert [str(value).replace("\x01", "") for value in found] == pytest.approx(
            [str(value).replace("\x01", "") for value in expected]
        )
        asked = call(sessions[kind], text, special_tokens=True)
        assert asked != found


def test_what_is_asked_for_is_in_the_source(session: Session):
    text = "a </s> <mask>"
    assert session.fill_mask(text, special_tokens=True).source.settings["special_tokens"] is True
    assert "special_tokens" not in session.fill_mask(text).source.settings


def test_offsets_of_tags_and_words(sessions: dict[type, Session]):
    text = "Paris </s> is <unk>old [X]."
    result = sessions[XLMRobertaXLForTokenClassification].tag(text)
    assert "".join(word.text for word in result.words) == text.replace(" ", "")
    assert all(text[word.start : word.end] == word.text for word in result.words)
    asked = sessions[XLMRobertaXLForTokenClassification].tag(text, special_tokens=True)
    assert [word.text for word in asked.words][:2] == ["Paris", "is"]
    found = sessions[XLMRobertaXLForMaskedLM].attribute(text, ["a", "is"], templates="{text} <mask>")
    assert [word.word for word in found.words] == text.split()


def test_a_classifier_reads_as_it_was_taught(session: Session, tmp_path: Path):
    texts, labels = ["a </s> b", "Paris </s>", "old </s> capital", "</s> house"], ["x", "x", "y", "y"]
    options = {"state": 1, "pooling": "mean", "C": 1.0, "progress": False}
    plain, special = (session.fit_classifier(texts, labels, **options, special_tokens=value) for value in (False, True))
    assert not plain.weight.equal(special.weight)
    for taught in (plain, special):
        taught.save(tmp_path)
        again = LinearClassifier.load(tmp_path, session)
        assert again.special_tokens == taught.special_tokens
        assert again.classify(texts[0]).labels == taught.classify(texts[0]).labels
    facts = json.loads((tmp_path / "classifier.json").read_text())
    del facts["special_tokens"]  # of a classifier that was taught before there was a choice
    (tmp_path / "classifier.json").write_text(json.dumps(facts))
    assert LinearClassifier.load(tmp_path, session).special_tokens is False


def test_in_files_and_on_the_command_line(session: Session, tmp_path: Path):
    source, text = tmp_path / "texts.csv", "a </s> <mask>"
    source.write_text(f'text\n"{text}"\n', encoding="utf-8")
    found = []
    for options in ([], ["--special-tokens"]):
        target = tmp_path / f"filled{len(options)}.csv"
        files = ["--input", str(source), "--output", str(target), "--model", session.name]
        done = CliRunner().invoke(main, ["fill", *files, *options])
        assert done.exit_code == 0, done.output
        (row,) = csv.DictReader(io.StringIO(target.read_text(encoding="utf-8")))
        (fills,) = [mask["fills"] for mask in json.loads(row["fills"])]
        expected = session.fill_mask(text, special_tokens=bool(options)).masks[0].fills
        assert [fill["probability"] for fill in fills] == pytest.approx([f.probability for f in expected], rel=1e-4)
        assert json.loads(row["begins_word"]) == [expected[0].begins_word]
        assert [fill["begins_word"] for fill in fills] == [fill.begins_word for fill in expected]
        found.append([fill["probability"] for fill in fills])
        shown = CliRunner().invoke(main, ["fill", text, "--model", session.name, *options])
        assert shown.stdout.rstrip("\n") == str(session.fill_mask(text, special_tokens=bool(options)))
    assert found[0] != found[1]


def test_a_taught_classifier_is_not_read_otherwise(session: Session, tmp_path: Path):
    texts, labels = ["a", "b", "Paris", "old"], ["x", "x", "y", "y"]
    session.fit_classifier(texts, labels, state=1, pooling="mean", C=1.0, progress=False).save(tmp_path)
    asked = ["classify", "a", "--classifier", str(tmp_path), "--model", session.name]
    assert CliRunner().invoke(main, asked).exit_code == 0
    done = CliRunner().invoke(main, [*asked, "--special-tokens"])
    assert done.exit_code == 1
    assert "reads texts as its examples were read" in done.output
