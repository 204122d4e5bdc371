"""Tagging and question answering against direct forwards, and against every stretch of a text counted out."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

import xlmrxl
from xlmrxl import (
    Session,
    XLMRobertaTokenizer,
    XLMRobertaXLConfig,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.cli.main import main
from xlmrxl.errors import CheckpointError
from xlmrxl.tasks.masked_lm import find_words, tokenize
from xlmrxl.tasks.tag import Span, join_spans

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXTS = [
    "The capital of France is Paris and the capital of Spain is Madrid.",
    "Der Hund schläft im  Garten, und die Katze sitzt auf dem Dach.",
    "Собака спит в саду.",
    "el perro",
]
QUESTIONS = ["How many people live in the house?", "El perro duerme en?", "狗在？"]
CONTEXTS = [
    "How many people live in a small house near the old bridge of Madrid?",
    "La casa es grande y el perro duerme en el jardín.",
    "狗在花园里睡觉，猫坐在屋顶上。",
]
LONG = " ".join([TEXTS[0], CONTEXTS[0], TEXTS[1], CONTEXTS[1], CONTEXTS[2], TEXTS[2]])


def made(folder: Path, vocabulary_file: Path, model) -> Session:
    model.save_pretrained(folder)
    XLMRobertaTokenizer(vocabulary_file).save_pretrained(folder)
    return xlmrxl.load(folder)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory, vocabulary_file: Path, tiny_config: XLMRobertaXLConfig) -> Session:
    config = copy.deepcopy(tiny_config)
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: i for i, label in enumerate(LABELS)}
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = XLMRobertaXLForTokenClassification(config).eval()
    # A random model says the same of every token unless what they share is taken off.
    ids = XLMRobertaTokenizer(vocabulary_file)(" ".join(TEXTS[:3]), return_tensors="pt", truncation=True, max_length=64)
    with torch.no_grad():
        model.classifier.weight *= 5
        model.classifier.bias -= model(**ids).logits[0].mean(0)
    return made(tmp_path_factory.mktemp("tagger"), vocabulary_file, model)


@pytest.fixture(scope="module")
def reader(tmp_path_factory, vocabulary_file: Path, tiny_config: XLMRobertaXLConfig) -> Session:
    config = copy.deepcopy(tiny_config)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = XLMRobertaXLForQuestionAnswering(config)
    return made(tmp_path_factory.mktemp("reader"), vocabulary_file, model)


# Tagging


def test_words_have_the_label_of_their_first_piece(tagger: Session):
    exact = copy.deepcopy(tagger.model).double()
    several = 0
    labels = set()
    for text, result in zip(TEXTS, tagger.tag(TEXTS), strict=True):
        encoding = tagger.tokenizer(text, return_offsets_mapping=True)
        with torch.no_grad():
            states = exact.roberta(torch.tensor([encoding["input_ids"]])).last_hidden_state[0]
            probabilities = exact.classifier(states).softmax(-1)
        words = list(re.finditer(r"\w+|[^\w\s]", text))
        assert [(word.start, word.end) for word in result.words] == [m.span() for m in words]
        for word in result.words:
            inside = [
                i
                for i, (start, _) in enumerate(encoding["offset_mapping"])
                if 0 < i < len(states) - 1 and word.start <= start < word.end
            ]
            several += len(inside) > 1
            score, best = probabilities[inside[0]].max(-1)
            assert (word.label, word.score) == (LABELS[best], pytest.approx(score.item(), rel=1e-4))
            assert word.text == text[word.start : word.end]
            labels.add(word.label)
        assert result.text == text
        assert result.spans == join_spans(text, result.words, LABELS)
    assert several > 5
    assert len(labels) > 2


def test_in_scripts_without_spaces_every_piece_is_a_word(tagger: Session):
    (result,) = tagger.tag(["狗在花园里睡觉，猫坐在屋顶上。"])
    assert "".join(word.text for word in result.words) == result.text
    spans = tagger.tokenizer(result.text, return_offsets_mapping=True)["offset_mapping"]
    assert [(word.start, word.end) for word in result.words] == [(a, b) for a, b in spans if b > a]


def test_tagging_many_gives_the_same_as_one_by_one(tagger: Session):
    for text, result in zip(TEXTS * 2, tagger.tag(TEXTS * 2), strict=True):
        (alone,) = tagger.tag([text])
        assert [word.label for word in result.words] == [word.label for word in alone.words]
        assert [w.score for w in result.words] == pytest.approx([w.score for w in alone.words], rel=1e-4)
    assert tagger.tag([]) == []
    (empty,) = tagger.tag([""])
    assert (empty.words, empty.spans) == ((), ())
    assert str(empty) == ""


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-PER I-PER O", ["PER bb cc"]),
        ("B-PER B-PER I-PER B-LOC", ["PER aa", "PER bb cc", "LOC dd"]),
        ("I-PER I-PER I-LOC O", ["PER aa bb", "LOC cc"]),  # IOB1, and models that slip
        ("B-PER I-LOC I-LOC B-LOC", ["PER aa", "LOC bb cc", "LOC dd"]),
        ("B-PER O I-PER O", ["PER aa", "PER cc"]),
        ("B-PER I-PER E-PER I-PER", ["PER aa bb cc", "PER dd"]),
        ("S-PER S-PER B-PER E-PER", ["PER aa", "PER bb", "PER cc dd"]),
        ("S-PER I-PER E-LOC O", ["PER aa", "PER bb", "LOC cc"]),
        ("O O O O", []),
    ],
)
def test_prefixes_join_words(tags: str, expected: list[str]):
    assert [f"{span.label} {span.text}" for span in join_spans(*labelled(tags), tags.split())] == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("PER PER O PER", ["PER aa bb", "PER dd"]),
        ("PER LOC LOC O", ["PER aa", "LOC bb cc"]),
        ("B-PER LOC B-PER B-PER", ["B-PER aa", "LOC bb", "B-PER cc dd"]),  # not all have a prefix, so none is one
    ],
)
def test_without_prefixes_neighbours_join(tags: str, expected: list[str]):
    assert [f"{span.label} {span.text}" for span in join_spans(*labelled(tags), tags.split())] == expected


def labelled(tags: str) -> tuple[str, list[Span]]:
    text = "aa bb cc dd"
    return text, [
        Span(label, 0.5 + i / 10, 3 * i, 3 * i + 2, text[3 * i : 3 * i + 2]) for i, label in enumerate(tags.split())
    ]


def test_a_span_has_offsets_and_the_mean_score():
    (span,) = join_spans(*labelled("O B-PER I-PER O"), LABELS)
    assert (span.start, span.end, span.text, span.label) == (3, 8, "bb cc", "PER")
    assert span.score == pytest.approx((0.6 + 0.7) / 2)


def test_what_a_tagged_text_prints(tagger: Session):
    (result,) = tagger.tag(TEXTS[:1])
    assert result.spans
    values = json.loads(result.to_json())
    assert [(span["label"], span["text"]) for span in values["spans"]] == [(s.label, s.text) for s in result.spans]
    assert len(values["words"]) == len(result.words)
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [int(row["start"]) for row in rows] == [span.start for span in result.spans]
    assert all(span.text in str(result) for span in result.spans)


def test_a_text_of_any_length_is_tagged_in_windows(tagger: Session):
    """Against windows made here one by one: half of one after the other, between words, most context wins."""
    exact = copy.deepcopy(tagger.model).double()
    text = " ".join([LONG] * 3)
    tokens = tokenize(tagger.tokenizer, text)
    count, width = len(tokens) - 2, 62
    assert count > 5 * width
    ranges = [range(word.start - 1, word.stop - 1) for word in find_words(tokens)]
    cuts = {0, count} | {word.start for word in ranges} | {word.stop for word in ranges}
    windows, start = [], 0
    while not windows or windows[-1].stop < count:
        windows.append(range(start, max(cut for cut in cuts if start < cut <= start + width)))
        start = max(cut for cut in cuts if start < cut <= start + width // 2)
    assert len(windows) > 8
    probabilities = []
    for window in windows:
        row = [0, *(tokens[i + 1].id for i in window), 2]
        with torch.no_grad():
            probabilities.append(exact(torch.tensor([row])).logits[0].softmax(-1))
    expected, several = [], 0
    for word in ranges:
        if all(tokens[i + 1].end == tokens[i + 1].start for i in word):
            continue
        whole = [(i, w) for i, w in enumerate(windows) if word.start >= w.start and word.stop <= w.stop]
        several += len(whole) > 1

        def context(pair, word=word):
            left = word.start - pair[1].start if pair[1].start else count
            right = pair[1].stop - word.stop if pair[1].stop < count else count
            return min(left, right)

        i, window = max(whole, key=context)
        score, best = probabilities[i][word.start - window.start + 1].max(-1)
        expected.append((LABELS[best], score.item()))
    assert several > len(ranges) / 3
    result = tagger.tag(text)
    assert [word.label for word in result.words] == [label for label, _ in expected]
    assert [word.score for word in result.words] == pytest.approx([score for _, score in expected], rel=1e-3)
    assert all(text[word.start : word.end] == word.text for word in result.words)
    # Where all fits one window nothing is cut, and beside longer texts it is the same.
    both = tagger.tag([text, TEXTS[0]])
    assert [word.label for word in both[1].words] == [word.label for word in tagger.tag(TEXTS[0]).words]
    assert [word.label for word in both[0].words] == [word.label for word in result.words]


def test_a_word_longer_than_a_window_is_tagged_too(tagger: Session):
    text = "Paris " + "capital" * 30 + " Madrid"
    result = tagger.tag(text)
    assert [word.text for word in result.words] == text.split()


def test_progress_counts_windows(tagger: Session):
    told: list[tuple[int, int]] = []
    tagger.tag([LONG, "Paris"], progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 2


def test_wrong_texts_to_tag_get_a_sentence(tagger: Session, reader: Session):
    with pytest.raises(ValueError, match=r"Text 2: .*surrogate"):
        tagger.tag(["Paris", "\ud800"])
    with pytest.raises(TypeError, match=r"texts\[1\] is nan"):
        tagger.tag(["Paris", math.nan])  # type: ignore[list-item]
    with pytest.raises(CheckpointError, match="the classification of tokens"):
        reader.tag(["Paris"])


# Question answering


def counted(reader: Session, question: str, context: str, longest: int, top_k: int) -> list[tuple[int, int, float]]:
    """Every stretch in every window, one by one: (start, end, score)."""
    exact = copy.deepcopy(reader.model).double()
    asked = reader.tokenizer(question)["input_ids"]
    encoding = reader.tokenizer(context, return_offsets_mapping=True)
    ids, spans = encoding["input_ids"][1:-1], encoding["offset_mapping"][1:-1]
    width = 64 - len(asked) - 2
    assert longest <= width // 2 or len(ids) <= width
    sums: dict[tuple[int, int], float] = {}
    offset = 0
    while True:
        window = ids[offset : offset + width]
        row = [*asked, 2, *window, 2]
        with torch.no_grad():
            out = exact(torch.tensor([row]))
        first = len(asked) + 1
        for i in range(len(window)):
            for j in range(i, min(i + longest, len(window))):
                start, end = spans[offset + i][0], spans[offset + j][1]
                if start < end:
                    logit = (out.start_logits[0, first + i] + out.end_logits[0, first + j]).item()
                    key = (offset + i, offset + j)
                    sums[key] = max(logit, sums.get(key, -math.inf))
        if offset + width >= len(ids):
            break
        offset += width // 2
    most = max(sums.values())
    total = math.fsum(math.exp(value - most) for value in sums.values())
    found: list[tuple[int, int, float]] = []
    for i, j in sorted(sums, key=lambda key: -sums[key]):
        start, end = spans[i][0], spans[j][1]
        if len(found) < top_k and not any(start < b and a < end for a, b, _ in found):
            found.append((start, end, math.exp(sums[i, j] - most) / total))
    return found


@pytest.mark.parametrize("longest", [1, 4, 15])
@pytest.mark.parametrize(
    ("question", "context"), [*zip(QUESTIONS, CONTEXTS, strict=True), (QUESTIONS[1], LONG), ("狗？", LONG)]
)
def test_answers_are_the_best_of_all_stretches(reader: Session, question: str, context: str, longest: int):
    (result,) = reader.answer([question], [context], top_k=4, max_answer_tokens=longest)
    expected = counted(reader, question, context, longest, 4)
    assert [(a.start, a.end) for a in result.answers] == [(start, end) for start, end, _ in expected]
    assert [a.score for a in result.answers] == pytest.approx([score for *_, score in expected], rel=1e-3)
    assert all(a.text == context[a.start : a.end] == a.text.strip() for a in result.answers)


@pytest.mark.parametrize(("question", "context"), [(QUESTIONS[0], CONTEXTS[0]), (QUESTIONS[1], LONG)])
def test_whether_there_is_an_answer(reader: Session, question: str, context: str):
    """The smallest null score of all windows, beside every stretch; weighed against the best of them."""
    exact = copy.deepcopy(reader.model).double()
    asked = reader.tokenizer(question)["input_ids"]
    encoding = reader.tokenizer(context, return_offsets_mapping=True)
    ids, spans = encoding["input_ids"][1:-1], encoding["offset_mapping"][1:-1]
    width = 64 - len(asked) - 2
    nulls, sums = [], {}
    offset = 0
    while True:
        window = ids[offset : offset + width]
        with torch.no_grad():
            out = exact(torch.tensor([[*asked, 2, *window, 2]]))
        starts, ends = out.start_logits[0], out.end_logits[0]
        nulls.append((starts[0] + ends[0]).item())
        first = len(asked) + 1
        for i in range(len(window)):
            for j in range(i, min(i + 4, len(window))):
                if spans[offset + i][0] < spans[offset + j][1]:
                    key = offset + i, offset + j
                    sums[key] = max((starts[first + i] + ends[first + j]).item(), sums.get(key, -math.inf))
        if offset + width >= len(ids):
            break
        offset += width // 2
    null, best = min(nulls), max(sums.values())
    assert len(nulls) == 1 or max(nulls) > null
    share = math.exp(null) / (math.exp(null) + math.fsum(map(math.exp, sums.values())))
    plain = reader.answer(question, context, max_answer_tokens=4)
    assert plain.null_probability == pytest.approx(share, rel=1e-3)
    assert (plain.is_impossible, plain.best) == (False, plain.answers[0])
    for threshold, none in ((null - best - 0.01, True), (null - best + 0.01, False), (math.inf, False)):
        result = reader.answer(question, context, max_answer_tokens=4, null_threshold=threshold)
        assert result.answers == plain.answers
        assert (result.is_impossible, result.best) == (none, None if none else plain.answers[0])
        assert result.null_probability == plain.null_probability
        assert result.source.settings["null_threshold"] == threshold
    with pytest.raises(ValueError, match="null_threshold is nan"):
        reader.answer(question, context, null_threshold=math.nan)


def test_that_there_is_no_answer_is_said(reader: Session):
    """In JSON, CSV, print and on the command line."""
    asked = ["answer", QUESTIONS[2], CONTEXTS[2], "--model", reader.name]
    for threshold, none in ((-1000.0, True), (1000.0, False)):
        result = reader.answer(QUESTIONS[2], CONTEXTS[2], null_threshold=threshold)
        values = json.loads(result.to_json())
        assert (values["is_impossible"], values["null_probability"]) == (none, result.null_probability)
        for row in csv.DictReader(io.StringIO(result.to_csv())):
            assert (row["is_impossible"], float(row["null_probability"])) == (str(none), result.null_probability)
        lines = str(result).splitlines()
        said = f"no answer in the context: {result.null_probability:.2%}"
        assert lines[1 if none else -1] == said
        assert (lines[2] == "if there were one:") == none
        done = CliRunner().invoke(main, [*asked, "--null-threshold", str(threshold)])
        assert done.stdout.rstrip("\n") == str(result)
        done = CliRunner().invoke(main, [*asked, "--null-threshold", str(threshold), "--json"])
        assert json.loads(done.stdout) == values


def test_answering_many_gives_the_same_as_one_by_one(reader: Session):
    questions, contexts = [*QUESTIONS, QUESTIONS[0]] * 2, [*CONTEXTS, LONG] * 2
    results = reader.answer(questions, contexts, max_answer_tokens=8)
    for question, context, result in zip(questions, contexts, results, strict=True):
        (alone,) = reader.answer([question], [context], max_answer_tokens=8)
        assert (result.question, result.context) == (question, context)
        assert [(a.start, a.end) for a in result.answers] == [(a.start, a.end) for a in alone.answers]
        assert [a.score for a in result.answers] == pytest.approx([a.score for a in alone.answers], rel=1e-3)
    assert reader.answer([], []) == []


@pytest.mark.parametrize("longest", [2, 30])
def test_an_answer_is_found_wherever_it_stands(reader: Session, monkeypatch: pytest.MonkeyPatch, longest: int):
    """A head that knows where the answer is, in any place of a context of several windows."""
    begin, end = reader.tokenizer.convert_tokens_to_ids(["。", "?"])

    def knows(ids, attention_mask=None, return_dict=True):
        return SimpleNamespace(start_logits=10.0 * (ids == begin), end_logits=10.0 * (ids == end))

    monkeypatch.setattr(reader.model, "forward", knows)
    fillers = ["the", "house", "is", "old", "near"] * 8
    sought = "。" + "," * (longest - 2) + "?"
    for before in range(len(fillers)):
        text = " ".join(fillers[:before]) + sought + " ".join(fillers[before:])
        (result,) = reader.answer(["Paris"], [text], top_k=1, max_answer_tokens=longest + 1)
        (found,) = result.answers
        # A sign that opens a text has a lone space before it, which is a token.
        assert (found.text, found.start) == (sought, text.index(sought))
        assert found.score > 0.5
        (result,) = reader.answer(["Paris"], [text], top_k=1, max_answer_tokens=longest - 1)
        assert result.answers[0].text != sought


def test_what_an_answer_prints(reader: Session):
    (result,) = reader.answer(QUESTIONS[:1], CONTEXTS[:1], top_k=2, max_answer_tokens=3)
    values = json.loads(result.to_json())
    assert [found["text"] for found in values["answers"]] == [a.text for a in result.answers]
    assert values["source"]["settings"] == {"top_k": 2, "max_answer_tokens": 3}
    assert [row["rank"] for row in csv.DictReader(io.StringIO(result.to_csv()))] == ["1", "2"]
    assert str(result).startswith(QUESTIONS[0])
    assert all(a.text in str(result) for a in result.answers)


@pytest.mark.parametrize(
    ("questions", "contexts", "options", "words"),
    [
        (QUESTIONS[:1], CONTEXTS[:2], {}, "1 questions and 2 contexts"),
        (["Paris?", " "], CONTEXTS[:2], {}, "Question 2 is empty"),
        (["Paris?"], [""], {}, "The context of question 1 is empty"),
        (["Paris?"], ["\ud800"], {}, "Question 1: .*surrogate"),
        (["Paris? " * 40], [CONTEXTS[0]], {}, "leaves 0 of the 64 that the model reads"),
        (["How many people live in Paris?"], [LONG], {"max_answer_tokens": 60}, "too few for answers of 60"),
        (["Paris?"], [CONTEXTS[0]], {"top_k": 0}, "top_k is 0; it must be a whole number of at least 1"),
        (
            ["Paris?"],
            [CONTEXTS[0]],
            {"max_answer_tokens": 0},
            "max_answer_tokens is 0; it must be a whole number of at least 1",
        ),
    ],
)
def test_wrong_questions_get_a_sentence(reader: Session, questions, contexts, options, words: str):
    with pytest.raises(ValueError, match=words):
        reader.answer(questions, contexts, **options)


def test_what_is_no_question_gets_a_sentence(reader: Session, tagger: Session):
    with pytest.raises(TypeError, match="questions is 7, a int"):
        reader.answer(7, ["Paris"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"contexts\[0\] is nan"):
        reader.answer(["Paris?"], [math.nan])  # type: ignore[list-item]
    with pytest.raises(CheckpointError, match="question answering"):
        tagger.answer(["Paris?"], ["Paris"])


def test_reading_in_windows_is_quiet(reader: Session, caplog: pytest.LogCaptureFixture):
    reader.answer(QUESTIONS[:1], [LONG], max_answer_tokens=5)
    assert caplog.records == []
