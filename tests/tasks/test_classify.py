"""Classification against the obvious computation: one forward a piece, the whole softmax, products by hand."""

from __future__ import annotations

import csv
import io
import json
import math
from functools import cache
from pathlib import Path

import pytest
import torch

import xlmrxl
from xlmrxl import CheckpointError, Session, XLMRobertaTokenizer, XLMRobertaXLConfig
from xlmrxl.tasks import templates as shipped
from xlmrxl.tasks.classify import _find_mask_context
from xlmrxl.tasks.classify_results import ClassifyResult
from xlmrxl.tasks.masked_lm import spell_word, tokenize

REAL = Path(__file__).parents[3] / "shared" / "xlm-r" / "sentencepiece.bpe.model"

TEXTS = [
    "The dog is in the garden.",
    "Der Hund schläft.",
    "狗在花园里睡觉。",
    "How many people live?",
    "{text_pair} <s {text}",
]
PAIRS = [("The dog is small.", "A dog is an animal."), ("狗在花园里。", "{text}"), ("a", "How many people?")]
# Words of one piece and of several, some of which begin alike.
LABELS = {"one": ["H"], "both": ["d", "Paris"], "long": ["Madrid", "old bridge", "of"]}
TEMPLATES = ["{text} The <mask> is small.", "Katze <mask> ist {text}"]
PAIR_TEMPLATES = ["{text}? <mask> {text_pair}", "{text_pair} <mask>: {text}"]
CALIBRATIONS = ["contextual", "pmi", "none"]


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@cache  # the texts without content come again and again
def softmax_of(session: Session, ids: tuple[int, ...]) -> torch.Tensor:
    with torch.no_grad():
        return session.model(torch.tensor([ids])).logits[0].double().softmax(-1)


def word_probability(session: Session, filled: str, pieces: list[int]) -> float:
    """A forward for each piece, with those before it written and those after it hidden."""
    mask = session.tokenizer.mask_token_id
    ids = [token.id for token in tokenize(session.tokenizer, filled)]
    place = ids.index(mask)
    product = 1.0
    for done, piece in enumerate(pieces):
        hidden = pieces[:done] + [mask] * (len(pieces) - done)
        row = softmax_of(session, (*ids[:place], *hidden, *ids[place + 1 :]))
        product *= float(row[place + done, piece])
    return product


def put(template: str, text: str, pair: str) -> str:
    """Token by token, so that what a text says is never taken for a place."""
    parts = template.replace("{text}", "\0t\0").replace("{text_pair}", "\0p\0").split("\0")
    return "".join({"t": text, "p": pair}.get(part, part) if i % 2 else part for i, part in enumerate(parts))


def obvious(
    session: Session,
    text: str,
    pair: str,
    labels: dict[str, list[str]],
    templates: list[str],
    calibration: str,
) -> tuple[dict[str, float], dict[str, float]]:
    """Calibrated and raw."""

    def words_in(template: str, text: str, pair: str) -> dict[str, float]:
        filled = put(template, text, pair)
        return {
            word: word_probability(session, filled, session.tokenizer(word, add_special_tokens=False)["input_ids"])
            for words in labels.values()
            for word in words
        }

    def by_label(words: dict[str, float]) -> dict[str, float]:
        return {label: sum(words[word] for word in its) / len(its) for label, its in labels.items()}

    def normalised(values: dict[str, float]) -> dict[str, float]:
        return {label: value / sum(values.values()) for label, value in values.items()}

    raw = dict.fromkeys(labels, 1.0)
    calibrated = dict.fromkeys(labels, 1.0)
    for template in templates:
        words = words_in(template, text, pair)
        here = by_label(words)
        if calibration == "contextual":
            free = [normalised(by_label(words_in(template, t, t if pair else ""))) for t in ("", "N/A", "[…]")]
            weights = {label: sum(each[label] for each in free) / 3 for label in labels}
            there = {label: here[label] / weights[label] for label in labels}
        elif calibration == "pmi":
            prior = by_label(words_in(template, "", ""))
            there = {label: here[label] / prior[label] for label in labels}
        else:
            there = here
        for label in labels:
            raw[label] *= here[label] ** (1 / len(templates))
            calibrated[label] *= there[label] ** (1 / len(templates))
    return normalised(calibrated), normalised(raw)


def scores(result: ClassifyResult) -> dict[str, float]:
    return {label.label: label.score for label in result.labels}


def check(result: ClassifyResult, expected: tuple[dict[str, float], dict[str, float]]) -> None:
    assert scores(result) == pytest.approx(expected[0], rel=1e-3)
    assert {label.label: label.raw for label in result.labels} == pytest.approx(expected[1], rel=1e-3)
    assert math.fsum(label.score for label in result.labels) == pytest.approx(1)
    assert [label.score for label in result.labels] == sorted(scores(result).values(), reverse=True)


def test_the_words_are_of_one_piece_and_of_several(session: Session):
    lengths = {len(session.tokenizer.tokenize(word)) for words in LABELS.values() for word in words}
    assert {1, 2, 5, 8} <= lengths


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_cloze_is_what_the_model_says(session: Session, calibration: str):
    for text, result in zip(
        TEXTS, session.classify(TEXTS, LABELS, templates=TEMPLATES, calibration=calibration), strict=True
    ):
        assert (result.text, result.text_pair, result.method, result.kind) == (text, None, "cloze", "single")
        assert not result.truncated
        assert result.tokens == len(session.tokenizer.tokenize(text))
        check(result, obvious(session, text, "", LABELS, TEMPLATES, calibration))


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_pairs_by_cloze(session: Session, calibration: str):
    results = session.classify(PAIRS, LABELS, templates=PAIR_TEMPLATES, calibration=calibration)
    for (text, pair), result in zip(PAIRS, results, strict=True):
        assert (result.text, result.text_pair) == (text, pair)
        check(result, obvious(session, text, pair, LABELS, PAIR_TEMPLATES, calibration))


def test_calibrations_differ_and_raw_does_not(session: Session):
    found = [session.classify(TEXTS[:1], LABELS, templates=TEMPLATES, calibration=c)[0] for c in CALIBRATIONS]
    assert len({round(scores(result)["one"], 4) for result in found}) == 3
    raw = [{label.label: label.raw for label in result.labels} for result in found]
    assert raw[0] == pytest.approx(raw[1], rel=1e-4)
    assert raw[0] == pytest.approx(scores(found[2]), rel=1e-4)


def test_a_label_without_words_stands_for_itself(session: Session):
    listed = session.classify(TEXTS[:2], [" Paris", "H "], templates=TEMPLATES)
    spelt = session.classify(TEXTS[:2], {"Paris": ["Paris"], "H": "H"}, templates=TEMPLATES[:2])
    assert [scores(result) for result in listed] == [scores(result) for result in spelt]
    assert set(scores(listed[0])) == {"Paris", "H"}


def test_a_word_after_a_letter_has_no_space_of_its_own(session: Session):
    tokenizer = session.tokenizer
    ids = dict(zip(["狗", "花园"], [[151], [153, 148]], strict=True))
    assert {word: tokenizer(f"在{word}", add_special_tokens=False)["input_ids"][2:] for word in ids} == ids
    for template in ("{text}狗在<mask>", "{text}<mask>"):
        found = session.classify(TEXTS[:1], list(ids), templates=[template], calibration="none")[0]
        filled = put(template, TEXTS[0], "")
        by_hand = {word: word_probability(session, filled, pieces) for word, pieces in ids.items()}
        total = sum(by_hand.values())
        assert scores(found) == pytest.approx({word: p / total for word, p in by_hand.items()}, rel=1e-3)
    for template in ("{text}狗在 <mask>", "<mask> {text}"):
        assert (
            list(spell_word(tokenizer, _find_mask_context(template), "花园"))
            == tokenizer("花园", add_special_tokens=False)["input_ids"]
        )


def test_a_list_gives_the_same_as_one_by_one_in_order(session: Session):
    texts = TEXTS * 2
    for text, result in zip(texts, session.classify(texts, LABELS, templates=TEMPLATES), strict=True):
        alone = session.classify([text], LABELS, templates=TEMPLATES)[0]
        assert result.text == text
        assert scores(result) == pytest.approx(scores(alone), rel=1e-3)
    assert session.classify([], LABELS, templates=TEMPLATES) == []


def test_words_of_one_piece_share_a_forward(session: Session):
    told: list[tuple[int, int]] = []

    def rows(labels: list[str]) -> int:
        told.clear()
        session.classify(TEXTS[:2], labels, templates=TEMPLATES, calibration="none", progress=lambda *n: told.append(n))
        assert told[-1][0] == told[-1][1]
        return told[-1][1]

    assert rows(["H", "d", "s"]) == 2 * 2
    # "of" and "is" are of two pieces: they share the first, with two masks, and then each goes its own way.
    assert rows(["H", "of", "is"]) == 2 * 2 * (1 + 1 + 2)


def test_what_stops_the_progress_stops_the_work(session: Session):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.classify(TEXTS, LABELS, templates=TEMPLATES, progress=stop)


def test_a_long_text_is_cut_and_the_template_never(session: Session):
    """Of a text of which every piece is one character, as much is read as fits with the longest word."""
    tokenizer = session.tokenizer
    spare = max(len(tokenizer.tokenize(word)) for words in LABELS.values() for word in words) - 1
    whole = "狗在花园里睡觉" * 20

    def fits(text: str) -> bool:
        return all(len(tokenizer(put(t, text, ""))["input_ids"]) + spare <= 64 for t in TEMPLATES)

    most = max(n for n in range(60) if fits(whole[:n]))
    assert 10 < most < 50
    result, exact = session.classify([whole, whole[:most]], LABELS, templates=TEMPLATES)
    assert (result.truncated, exact.truncated) == (True, False)
    assert result.tokens == exact.tokens == len(tokenizer.tokenize(whole[:most]))
    assert result.text == whole
    assert scores(result) == pytest.approx(scores(exact), rel=1e-3)
    assert f"only the first {result.tokens} tokens" in str(result)
    assert json.loads(result.to_json())["truncated"] is True


def test_of_a_long_pair_the_longer_text_is_cut(session: Session):
    long, short = "狗在花园里睡觉" * 20, "a dog"
    results = session.classify([(long, short), (short, long)], ["H", "d"], templates=PAIR_TEMPLATES)
    for result, place in zip(results, (0, 1), strict=True):
        assert result.truncated
        texts = [short, short]
        texts[place] = long[: result.tokens - len(session.tokenizer.tokenize(short)) - 1]  # "▁" is a piece
        exact = session.classify([(texts[0], texts[1])], ["H", "d"], templates=PAIR_TEMPLATES)[0]
        assert not exact.truncated
        assert exact.tokens == result.tokens
        assert scores(result) == pytest.approx(scores(exact), rel=1e-3)


def test_what_a_result_prints(session: Session):
    result = session.classify(TEXTS[:1], LABELS, templates=TEMPLATES)[0]
    values = json.loads(result.to_json())
    assert values == {
        "text": TEXTS[0],
        "method": "cloze",
        "kind": "single",
        "labels": [{"label": each.label, "score": each.score, "raw": each.raw} for each in result.labels],
        "truncated": False,
        "tokens": result.tokens,
        "source": {
            "model": session.name,
            "revision": None,
            "precision": "fp32",
            "version": xlmrxl.__version__,
            "settings": {"labels": LABELS, "templates": TEMPLATES},
        },
    }
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [row["label"] for row in rows] == [each.label for each in result.labels]
    assert result._repr_html_().endswith(f"{result.to_html(interactive=False)}</div>")
    assert "<button" not in result._repr_html_()
    printed = str(result)
    assert printed.startswith(TEXTS[0])
    for each in result.labels:
        assert f"{each.label}  (raw {each.raw:.2%})" in printed
    pair = session.classify(PAIRS[:1], ["H", "d"], templates=PAIR_TEMPLATES, calibration="none")[0]
    assert json.loads(pair.to_json())["text_pair"] == PAIRS[0][1]
    assert str(pair).startswith("\n".join(PAIRS[0]))
    assert "raw" not in str(pair)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "There are no labels. Give two or more"),
        (["H"], "There is one label. Give two or more"),
        ({"H": ["H"]}, "There is one label"),
        (["H", ""], "is empty"),
        (["H", " \n"], "is empty"),
        (["H", "d", " H"], "'H' is there twice"),
        ({"a": ["H"], "b": []}, "'b' has no words"),
        ({"a": ["H"], "b": [""]}, "is empty"),
        (["H", "Σ"], "cannot spell 'Σ'"),
        (["H", "d<mask>"], "holds a special token"),
    ],
)
def test_wrong_labels_get_a_sentence(session: Session, labels: list[str], words: str):
    with pytest.raises(ValueError, match=words):
        session.classify(TEXTS, labels, templates=TEMPLATES)


def test_labels_differ_by_case(session: Session):
    assert set(scores(session.classify(TEXTS[:1], ["H", "h"], templates=TEMPLATES)[0])) == {"H", "h"}


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ([], "There is no template"),
        (["The <mask> is small."], r"has 0 times \{text\}"),
        (["{text} {text} <mask>"], r"has 2 times \{text\}"),
        (["{text} is small."], "has 0 times <mask>"),
        ([TEMPLATES[0], "{text} <mask> <mask>"], "has 2 times <mask>"),
        ([*TEMPLATES, *PAIR_TEMPLATES], "some have not"),
        (["{text} {text_pair} {text_pair} <mask>"], r"has 2 times \{text_pair\}"),
        (["{text} <mask>" + "狗" * 61], "leaves no room for a text"),
    ],
)
def test_wrong_templates_get_a_sentence(session: Session, templates: list[str], words: str):
    with pytest.raises(ValueError, match=words):
        session.classify(TEXTS, ["H", "d"], templates=templates, calibration="none")


@pytest.mark.parametrize("text", ["", "  \n", ("a", "")])
def test_an_empty_text_gets_a_sentence(session: Session, text: str):
    with pytest.raises(ValueError, match="Text 2 is empty"):
        session.classify([TEXTS[0], text], LABELS, templates=TEMPLATES)


@pytest.mark.parametrize("text", [math.nan, None, 7, b"dog", ("a", math.nan), ("a", "b", "c")])
def test_what_is_no_text_gets_a_sentence(session: Session, text: str):
    with pytest.raises(TypeError, match=r"Text 2 is a .*\. Give a string, or a tuple of two"):
        session.classify([TEXTS[0], text], LABELS, templates=TEMPLATES)


def test_other_wrong_calls_get_a_sentence(session: Session):
    with pytest.raises(ValueError, match="Text 2 holds <mask>"):
        session.classify(["a", "a <mask>"], LABELS, templates=TEMPLATES)
    with pytest.raises(ValueError, match="Text 1 holds <mask>"):
        session.classify([("a", "a<mask>")], LABELS, templates=PAIR_TEMPLATES)
    with pytest.raises(ValueError, match="text 2 is no pair"):
        session.classify([PAIRS[0], "a"], LABELS, templates=PAIR_TEMPLATES)
    with pytest.raises(ValueError, match="Text 1 is a pair"):
        session.classify(PAIRS, LABELS, templates=TEMPLATES)
    with pytest.raises(ValueError, match="surrogate"):
        session.classify(["a \ud800"], LABELS, templates=TEMPLATES)
    with pytest.raises(ValueError, match="calibration is 'best'"):
        session.classify(TEXTS, LABELS, templates=TEMPLATES, calibration="best")
    with pytest.raises(ValueError, match="task is 'colour'; it must be one of entailment, sentiment, topic"):
        session.classify(TEXTS, task="colour")
    with pytest.raises(ValueError, match="language is 'xx'; for topic there are ar, de, en"):
        session.classify(TEXTS, LABELS, language="xx")
    with pytest.raises(ValueError, match="There is one label"):
        session.classify(TEXTS, "dog", templates=TEMPLATES)
    with pytest.raises(TypeError, match="not nan"):
        session.classify(TEXTS, ["dog", math.nan], templates=TEMPLATES)  # type: ignore[list-item]
    with pytest.raises(TypeError, match="a int; it must be a string"):
        session.classify(TEXTS, LABELS, templates=[7])  # type: ignore[list-item]


# Fine-tuned heads


NAMES = {0: "bad", 1: "so-so", 2: "good"}


@pytest.fixture(scope="module")
def heads(
    tmp_path_factory: pytest.TempPathFactory, tiny_config: XLMRobertaXLConfig, vocabulary_file: Path
) -> dict[str, Path]:
    """Checkpoints with a random head of each kind."""
    folders = {}
    for kind, options in {
        "single": {"id2label": NAMES},
        "multi": {"id2label": NAMES, "problem_type": "multi_label_classification"},
        "one value": {"num_labels": 1},
        "values": {"id2label": NAMES, "problem_type": "regression"},
        "tokens": {"id2label": NAMES},
    }.items():
        config = XLMRobertaXLConfig.from_dict({**tiny_config.to_dict(), "id2label": None, "label2id": None}, **options)
        cls = xlmrxl.XLMRobertaXLForTokenClassification if kind == "tokens" else None
        folders[kind] = tmp_path_factory.mktemp("head")
        with torch.random.fork_rng():
            torch.manual_seed(1)
            (cls or xlmrxl.XLMRobertaXLForSequenceClassification)(config).save_pretrained(folders[kind])
        # A side that would put padding where the head reads.
        XLMRobertaTokenizer(vocabulary_file, padding_side="left").save_pretrained(folders[kind])
    return folders


def logits_of(session: Session, *texts: str) -> torch.Tensor:
    ids = session.tokenizer(*texts, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return session.model(ids).logits[0].double()


@pytest.mark.parametrize("kind", ["single", "multi", "one value", "values"])
def test_a_head_gives_what_it_has_learned(heads: dict[str, Path], kind: str):
    session = xlmrxl.load(heads[kind])
    items = [*TEXTS, *PAIRS, "a <mask>"]
    results = session.classify(items)
    for item, result in zip(items, results, strict=True):
        logits = logits_of(session, *((item,) if isinstance(item, str) else item))
        expected = {
            "single": logits.exp() / logits.exp().sum(),
            "multi": 1 / (1 + (-logits).exp()),
        }.get(kind, logits)
        names = ["LABEL_0"] if kind == "one value" else list(NAMES.values())
        found = {each.label: (each.score, each.raw) for each in result.labels}
        for name, score, raw in zip(names, expected.tolist(), logits.tolist(), strict=True):
            assert found[name] == pytest.approx((score, raw), rel=1e-3, abs=1e-5)
        assert len(found) == len(names)
        assert (result.method, result.kind) == ("head", kind if kind in ("single", "multi") else "regression")
        assert (result.text, result.text_pair) == ((item, None) if isinstance(item, str) else item)
        order = [each.score for each in result.labels]
        assert order == sorted(order, reverse=True) if result.kind != "regression" else list(found) == names
        assert all(name in str(result) for name in names)
        assert result.source.settings == {}


def test_a_head_is_the_same_as_in_transformers(heads: dict[str, Path]):
    transformers = pytest.importorskip("transformers", minversion="5")
    session = xlmrxl.load(heads["single"])
    theirs = transformers.XLMRobertaXLForSequenceClassification.from_pretrained(heads["single"]).eval()
    for text, result in zip(TEXTS, session.classify(TEXTS), strict=True):
        with torch.no_grad():
            expected = theirs(**session.tokenizer(text, return_tensors="pt")).logits[0].softmax(-1)
        names = [theirs.config.id2label[i] for i in range(3)]
        assert scores(result) == pytest.approx(dict(zip(names, expected.tolist(), strict=True)), rel=1e-3)


def test_a_head_reads_as_much_as_fits(heads: dict[str, Path]):
    session = xlmrxl.load(heads["single"])
    whole = "狗在花园里睡觉" * 20
    long, exact, pair = session.classify([whole, whole[:61], (whole, "a dog")])
    assert (long.truncated, long.tokens) == (True, 62)  # "▁" is a piece
    assert (exact.truncated, exact.tokens) == (False, 62)
    assert scores(long) == pytest.approx(scores(exact), rel=1e-3)
    assert (pair.truncated, pair.tokens) == (True, 60)


def test_a_head_has_its_own_labels(heads: dict[str, Path]):
    session = xlmrxl.load(heads["single"])
    with pytest.raises(ValueError, match="fine-tuned for its own labels"):
        session.classify(TEXTS, LABELS)
    with pytest.raises(ValueError, match="fine-tuned for its own labels"):
        session.classify(TEXTS, templates=TEMPLATES)
    with pytest.raises(ValueError, match="Text 1 is empty"):
        session.classify([""])
    assert session.classify([]) == []


def test_another_head_gets_a_sentence(heads: dict[str, Path]):
    with pytest.raises(CheckpointError, match="masked language modelling"):
        xlmrxl.load(heads["tokens"]).classify(TEXTS, LABELS, templates=TEMPLATES)


# The templates that come with it


LANGUAGES = {"en", "de", "fr", "es", "it", "pt", "ru", "ar", "hi", "zh", "ja", "tr", "id", "sw", "vi"}
TASKS = {
    "topic": {"science/technology", "travel", "politics", "sports", "health", "entertainment", "geography"},
    "sentiment": {"positive", "neutral", "negative"},
    "entailment": {"entailment", "neutral", "contradiction"},
}
FILES = {task: json.loads((shipped.FOLDER / f"{task}.json").read_text(encoding="utf-8")) for task in TASKS}
ENTRIES = [(task, language) for task in TASKS for language in FILES[task]]


def test_there_are_files_for_all_tasks():
    assert {path.stem for path in shipped.FOLDER.glob("*")} == set(TASKS)
    assert all(set(FILES[task]) >= LANGUAGES for task in TASKS)


@pytest.mark.parametrize(("task", "language"), ENTRIES)
def test_every_language_is_valid(task: str, language: str):
    found = shipped.load_templates(task, language)
    assert set(found.labels) == TASKS[task]
    assert set(FILES[task][language]) == {"templates", "labels"}
    assert 2 <= len(set(found.templates)) == len(found.templates) <= 3
    assert all(("{text_pair}" in template) == (task == "entailment") for template in found.templates)
    words = [word for its in found.labels.values() for word in its]
    assert len(set(words)) == len(words)  # what two labels share tells nothing
    # A language is no copy of another.
    others = [FILES[task][code]["templates"] for code in FILES[task] if code != language]
    assert FILES[task][language]["templates"] not in others


@pytest.fixture(scope="module")
def real_tokenizer() -> XLMRobertaTokenizer:
    if not REAL.exists():
        pytest.skip("the vocabulary of XLM-R lies beside the repository, not in it")
    return XLMRobertaTokenizer(REAL)


@pytest.mark.parametrize(("task", "language"), ENTRIES)
def test_every_word_can_be_spelled(real_tokenizer: XLMRobertaTokenizer, task: str, language: str):
    tokenizer = real_tokenizer
    found = shipped.load_templates(task, language)
    for template in found.templates:
        assert (
            tokenizer.unk_token_id
            not in tokenizer(template.replace("{text}", "").replace("{text_pair}", ""))["input_ids"]
        )
        for its in found.labels.values():
            for word in its:
                pieces = tokenizer.convert_ids_to_tokens(
                    list(spell_word(tokenizer, _find_mask_context(template), word))
                )
                assert "".join(pieces).replace("▁", " ").strip() == word
                assert pieces[0].startswith("▁") == (language not in ("zh", "ja"))


def test_the_task_is_asked_where_nothing_is_given():
    """With the default, whose vocabulary is a real one."""
    session = xlmrxl.load()
    text = "The team won the final after a penalty shoot-out."
    by_name = session.classify([text], task="sentiment", language="en")[0]
    found = shipped.load_templates("sentiment", "en")
    by_hand = session.classify([text], found.labels, templates=found.templates)[0]
    assert scores(by_name) == pytest.approx(scores(by_hand), rel=1e-4)
    assert by_name.source.settings == {"task": "sentiment"}
    pair = session.classify([("A dog sleeps.", "An animal sleeps.")], task="entailment", language="de")[0]
    assert set(scores(pair)) == TASKS["entailment"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"templates": ["{text} <mask>"]}, "own.json cannot be used for 'en': 'labels'"),
        ({"templates": ["{text}"], "labels": {"a": ["x"], "b": ["y"]}}, "has 0 times <mask>"),
        ({"templates": ["{text} <mask>"], "labels": {"a": ["x"]}}, "There is one label"),
        ({"templates": ["{text} <mask>"], "labels": {"a": ["x"], "b": [3]}}, "are strings, not 3"),
        (["{text} <mask>"], "cannot be used for 'en'"),
    ],
)
def test_a_wrong_file_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: object, words: str):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    shipped.load_templates.cache_clear()
    (tmp_path / "own.json").write_text(json.dumps({"en": entry}), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        shipped.load_templates("own", "en")
    (tmp_path / "own.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is no JSON"):
        shipped.load_templates("own", "en")


def test_an_own_language_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    entry = {"templates": TEMPLATES, "labels": LABELS}
    (tmp_path / "mine.json").write_text(json.dumps({"xx": entry}), encoding="utf-8")
    mine = session.classify(TEXTS, task="mine", language="xx")
    given = session.classify(TEXTS, LABELS, templates=TEMPLATES)
    assert [scores(result) for result in mine] == [pytest.approx(scores(result), rel=1e-4) for result in given]
