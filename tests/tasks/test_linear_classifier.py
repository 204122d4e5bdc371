"""Teaching against the obvious: states of one text at a time in float64, scikit-learn's own pipeline, sums by hand."""

from __future__ import annotations

import ast
import json
import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

import xlmrxl
from xlmrxl import CheckpointError, Session
from xlmrxl.errors import MissingDependencyError
from xlmrxl.tasks import linear_classifier as module
from xlmrxl.tasks import logistic
from xlmrxl.tasks.classifier_report import ClassifierReport
from xlmrxl.tasks.features import extract_features
from xlmrxl.tasks.labels import to_label_texts
from xlmrxl.tasks.linear_classifier import LinearClassifier
from xlmrxl.tasks.result import Source

ANIMALS = [
    "The dog sleeps in the garden", "La katze sitzt", "Собака спит в саду", "狗在花园里睡觉", "el perro duerme",
    "Der Hund schläft im Garten", "القطة تنام", "кошка сидит на крыше", "Die Katze sitzt auf dem Dach",
]  # fmt: skip
PLACES = [
    "The capital of France is Paris", "Madrid is the capital", "How many people live in Spain", "Paris and Madrid",
    "a small house near the old bridge", "La casa es grande", "the capital of Spain", "live near Paris",
]  # fmt: skip
OTHERS = [
    "कुत्ता बगीचे में सोता है।",
    "สุนัขนอนหลับ",
    "犬は庭で寝ていて",
    "बगीचे में",
    "猫は屋根の上にいます。",
    "ในสวน",
    "सोता है",
    "います",
]
TEXTS = ANIMALS + PLACES + OTHERS
LABELS = ["animal"] * len(ANIMALS) + ["place"] * len(PLACES) + ["other"] * len(OTHERS)
NEW = ["The capital of Spain is Madrid.", "Der Hund sitzt auf dem Dach.", "猫坐在屋顶上。", "near"]
LONG = "Paris " * 200


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def classifier(session: Session) -> LinearClassifier:
    return session.fit_classifier(TEXTS, LABELS, state=2, pooling="mean", C=0.1)


@pytest.fixture(scope="module")
def headed(session: Session) -> LinearClassifier:
    return session.fit_classifier(TEXTS, LABELS, pooling="head", C=0.1)


def states(folder: Path, text: str) -> list[np.ndarray]:
    """After every layer, (tokens, hidden) in float64."""
    model = xlmrxl.XLMRobertaXLForMaskedLM.from_pretrained(folder).double()
    ids = xlmrxl.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")["input_ids"][:, :64]
    ids[0, -1] = 2
    with torch.no_grad():
        return [state[0].numpy() for state in model.roberta(ids, output_hidden_states=True).hidden_states]


def by_hand(folder: Path, classifier: LinearClassifier, text: str, mean: np.ndarray | None = None) -> dict[str, float]:
    state = states(folder, text)[classifier.state]
    pooled = state[1:-1].sum(0) / (len(state) - 2) if classifier.pooling == "mean" else state[0]
    x = (pooled - (classifier.mean.numpy() if mean is None else mean)) / classifier.scale.numpy()
    if classifier.pooling == "head":
        x = np.tanh(x)
    weight, bias = classifier.weight.numpy(), classifier.bias.numpy()
    powers = [
        math.exp(sum(w * v for w, v in zip(row, x, strict=True)) + b) for row, b in zip(weight, bias, strict=True)
    ]
    return {label: power / sum(powers) for label, power in zip(classifier.labels, powers, strict=True)}


def found(result) -> dict[str, float]:
    return {label.label: label.score for label in result.labels}


# Features


@pytest.mark.parametrize("text", [TEXTS[0], TEXTS[3], "Paris", LONG])
def test_features_are_the_states_of_one_text_pooled(session: Session, tiny_folder: Path, text: str):
    given = extract_features(session, [NEW[0], text, NEW[2]])
    assert given.values.shape == (3, 4, 2, 20)
    assert given.values.dtype == torch.float32
    for layer, state in enumerate(states(tiny_folder, text)):
        np.testing.assert_allclose(given.select(layer, "mean")[1], state[1:-1].mean(0), atol=2e-4)
        np.testing.assert_allclose(given.select(layer, "first")[1], state[0], atol=2e-4)
    assert given.truncated == ((1,) if text == LONG else ())


def test_features_of_some_layers_in_another_order(session: Session):
    whole, some = extract_features(session, TEXTS), extract_features(session, TEXTS, states=[3, 1], pooling=["first"])
    assert some.values.shape == (len(TEXTS), 2, 1, 20)
    torch.testing.assert_close(some.select(1, "first"), whole.select(1, "first"))
    torch.testing.assert_close(some.select(3, "first"), whole.select(3, "first"))


def test_batches_give_what_single_texts_give(session: Session, monkeypatch: pytest.MonkeyPatch):
    together = extract_features(session, [*TEXTS, LONG]).values
    monkeypatch.setattr("xlmrxl.tasks.features.STATES_AT_ONCE", 1)
    calls = []
    alone = extract_features(session, [*TEXTS, LONG], progress=lambda *told: calls.append(told)).values
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert calls == [(i, len(TEXTS) + 1) for i in range(1, len(TEXTS) + 2)]
    assert extract_features(session, []).values.shape == (0, 4, 2, 20)


@pytest.mark.parametrize(
    "head", ["SequenceClassification", "MultipleChoice", "TokenClassification", "QuestionAnswering"]
)
def test_features_need_no_particular_head(session: Session, tiny_folder: Path, tmp_path: Path, head: str):
    model = getattr(xlmrxl, f"XLMRobertaXLFor{head}").from_pretrained(tiny_folder)
    model.save_pretrained(tmp_path)
    session.tokenizer.save_pretrained(tmp_path)
    torch.testing.assert_close(
        extract_features(xlmrxl.load(tmp_path), NEW).values, extract_features(session, NEW).values
    )


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_features_in_other_precisions(session: Session, tiny_folder: Path, precision: str):
    given = extract_features(xlmrxl.load(tiny_folder, precision=precision, device="cpu"), TEXTS).values
    expected = extract_features(session, TEXTS).values
    assert given.dtype == torch.float32
    assert (given - expected).norm() < 0.05 * expected.norm()


def test_wrong_features_get_a_sentence(session: Session):
    with pytest.raises(ValueError, match="state is 4; this model has 0"):
        extract_features(session, NEW, states=[4])
    with pytest.raises(ValueError, match="pooling is 'max'"):
        extract_features(session, NEW, pooling=["max"])


# Teaching


@pytest.mark.parametrize("pooling", ["mean", "first", "head"])
@pytest.mark.parametrize("count", [2, 3])
def test_probabilities_by_hand_from_what_was_saved(
    session: Session, tiny_folder: Path, tmp_path: Path, pooling: str, count: int
):
    texts = TEXTS if count == 3 else ANIMALS + PLACES
    made = session.fit_classifier(texts, LABELS[: len(texts)], pooling=pooling, C=1.0)
    made.save(tmp_path)
    facts, tensors = (
        json.loads((tmp_path / "classifier.json").read_text()),
        load_file(tmp_path / "classifier.safetensors"),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classifier.json", "classifier.safetensors"]
    assert facts["labels"] == sorted(set(LABELS[: len(texts)]))
    assert tensors["weight"].shape == (count, 20)
    for text, result in zip([*NEW, LONG], made.classify([*NEW, LONG]), strict=True):
        expected = by_hand(tiny_folder, made, text)
        assert found(result) == pytest.approx(expected, abs=1e-4)
        ranked = [label.score for label in result.labels]
        assert ranked == sorted(ranked, reverse=True)
        assert result.label == max(expected, key=expected.__getitem__)
        assert result.truncated == (text == LONG)
    assert len({result.label for result in made.classify(TEXTS)}) == count


@pytest.mark.parametrize("count", [2, 3])
def test_the_fit_is_scikit_learns_on_standardised_features(session: Session, count: int):
    """Which it does on all columns, not on fewer rotated ones."""
    texts = TEXTS if count == 3 else ANIMALS + PLACES
    x = extract_features(session, [*texts, *NEW]).select(2, "mean").double().numpy()
    for few in (texts, texts[4 : 4 + 12]):  # more texts than the 20 columns, and fewer
        rows, labels = [texts.index(text) for text in few], [LABELS[texts.index(text)] for text in few]
        scaler = StandardScaler().fit(x[rows])
        model = LogisticRegression(C=0.5, max_iter=10_000, tol=1e-8).fit(scaler.transform(x[rows]), labels)
        results = session.fit_classifier(few, labels, state=2, pooling="mean", C=0.5).classify(NEW)
        for row, result in zip(model.predict_proba(scaler.transform(x[len(texts) :])), results, strict=True):
            assert found(result) == pytest.approx(dict(zip(model.classes_, row, strict=True)), abs=2e-3)


def test_the_choice_is_the_least_log_loss_of_all(session: Session):
    made = session.fit_classifier(TEXTS, LABELS, seed=3)
    whole = extract_features(session, TEXTS)
    splits = StratifiedKFold(5, shuffle=True, random_state=3)
    scores = {}
    for layer, pooling in [(i, name) for i in range(4) for name in ("mean", "first") if (i, name) != (0, "first")]:
        x = StandardScaler().fit_transform(whole.select(layer, pooling).double().numpy())
        for c in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
            model = LogisticRegression(C=c, max_iter=10_000, tol=1e-8)
            guess = cross_val_predict(model, x, LABELS, cv=splits, method="predict_proba")
            names = sorted(set(LABELS))
            right = np.mean([names[i] == label for i, label in zip(guess.argmax(1), LABELS, strict=True)])
            scores[layer, pooling, c] = (log_loss(LABELS, guess), right)
    best = min(scores, key=scores.__getitem__)
    assert (made.state, made.pooling, made.C) == best
    assert made.accuracy == pytest.approx(scores[best][1])
    assert made.folds == 5


def test_what_is_named_is_kept_and_the_rest_chosen(session: Session):
    made = session.fit_classifier(TEXTS, LABELS, state=1)
    assert made.state == 1
    made = session.fit_classifier(TEXTS, LABELS, pooling="first", C=0.7)
    assert (made.pooling, made.C) == ("first", 0.7)
    assert made.state > 0
    made = session.fit_classifier(TEXTS, LABELS, state=0, C=0.01)
    assert (made.state, made.pooling, made.C) == (0, "mean", 0.01)
    assert made.source.settings == {"state": 0, "pooling": "mean", "C": 0.01, "seed": 0, "texts": len(TEXTS)}
    assert made.examples == dict(Counter(LABELS))


def test_a_deep_model_has_some_of_its_layers_tried():
    layers = sorted({layer for layer, _ in module._list_candidates(36, None, None)})
    assert len(layers) == 13
    assert (layers[0], layers[-1]) == (0, 36)


def test_few_examples_make_fewer_folds(session: Session):
    made = session.fit_classifier(ANIMALS[:2] + PLACES[:3], LABELS[:2] + LABELS[9:12])
    assert made.folds == 2
    assert made.classify("Paris").label in ("animal", "place")


def test_many_texts_are_all_fitted_though_few_choose(session: Session, monkeypatch: pytest.MonkeyPatch):
    whole = session.fit_classifier(TEXTS, LABELS, state=2, pooling="mean", C=0.1)
    monkeypatch.setattr(module, "MAX_VALIDATION_TEXTS", 9)
    told = []
    some = session.fit_classifier(TEXTS, LABELS, state=2, pooling="mean", C=0.1, progress=lambda *at: told.append(at))
    assert some.folds == 3
    torch.testing.assert_close(some.weight, whole.weight)
    total = 9 + 1 + len(TEXTS)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {of for _, of in told} == {total}
    assert told[-1] == (total, total)


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        ((1, 2, 10), ("1", "2", "10")),
        ((0.0, 1.0, -1.0), ("-1", "0", "1")),
        (tuple(np.array([3, 1, 2])), ("1", "2", "3")),
        (tuple(pd.Series([1, None, 3, 2], dtype="float").dropna()), ("1", "2", "3")),
        (tuple(torch.tensor([7, 8, 9])), ("7", "8", "9")),
        (tuple(np.array(["a", "c", "b"])), ("a", "b", "c")),
    ],
    ids=["int", "float", "numpy", "pandas", "torch", "numpy-text"],
)
def test_labels_as_data_sets_have_them(session: Session, kinds: tuple, names: tuple[str, ...]):
    labels = [kinds[("animal", "place", "other").index(label)] for label in LABELS]
    made = session.fit_classifier(TEXTS, labels, state=2, pooling="mean", C=0.1)
    assert made.labels == names
    assert {type(label) for label in made.labels} == {str}
    assert made.report(TEXTS, labels).accuracy == made.report(TEXTS, to_label_texts(labels)).accuracy
    assert sum(made.examples.values()) == len(TEXTS)
    assert made.attribute(TEXTS[0], kinds[0], progress=False).label == to_label_texts([kinds[0]])[0]


@pytest.mark.parametrize("kind", [bool, np.bool_], ids=["python", "numpy"])
def test_labels_that_are_booleans(session: Session, kind: type, tmp_path: Path):
    texts, labels = ANIMALS + PLACES, [kind(i < len(ANIMALS)) for i in range(len(ANIMALS + PLACES))]
    made = session.fit_classifier(texts, labels, state=2, pooling="mean", C=0.1)
    assert made.labels == ("False", "True")
    made.save(tmp_path)
    assert LinearClassifier.load(tmp_path, session).classify(texts[0]).label == made.classify(texts[0]).label
    with pytest.raises(ValueError, match=r"labels\[0\] is '1'; the classifier knows only False, True"):
        made.report(texts[:2], [1, 0])


def test_the_seed_decides_and_nothing_global_changes(session: Session):
    state = torch.get_rng_state()
    a, b = (session.fit_classifier(TEXTS, LABELS, seed=5) for _ in "ab")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(a.weight, b.weight)
    assert (a.state, a.pooling, a.C, a.accuracy) == (b.state, b.pooling, b.C, b.accuracy)


def test_progress_can_stop_it(session: Session):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.fit_classifier(TEXTS, LABELS, progress=stop)


def test_one_text_and_many_in_order(classifier: LinearClassifier):
    together = classifier.classify(TEXTS)
    for text, result in zip(TEXTS, together, strict=True):
        alone = classifier.classify(text)
        assert alone.text == result.text == text
        assert found(alone) == pytest.approx(found(result), abs=1e-5)
    assert classifier.classify([]) == []


def test_languages_are_centred_on_their_own_mean(session: Session, tiny_folder: Path, classifier: LinearClassifier):
    texts, languages = PLACES + ANIMALS[:3], ["en"] * 8 + ["xx"] * 3
    results = classifier.classify(texts, languages=languages)
    own = np.mean([states(tiny_folder, text)[2][1:-1].mean(0) for text in PLACES], axis=0)
    for text, language, result in zip(texts, languages, results, strict=True):
        expected = by_hand(tiny_folder, classifier, text, own if language == "en" else None)
        assert found(result) == pytest.approx(expected, abs=1e-4)
    assert found(results[0]) != pytest.approx(found(classifier.classify(texts[0])), abs=1e-3)
    assert results[0].source.settings["centred"]


def test_teaching_centres_languages_too(session: Session):
    languages = ["a"] * 9 + ["b"] * 8 + ["c"] * 3 + ["d"] * 5
    made = session.fit_classifier(TEXTS, LABELS, state=2, pooling="mean", C=0.1, languages=languages)
    x = extract_features(session, TEXTS).select(2, "mean").double().numpy()
    centred = x - x.mean(0)
    centred[:9] = x[:9] - x[:9].mean(0)
    centred[9:17] = x[9:17] - x[9:17].mean(0)
    scale = np.sqrt((centred**2).mean(0))
    np.testing.assert_allclose(made.scale, scale, rtol=1e-5)
    model = LogisticRegression(C=0.1, max_iter=10_000, tol=1e-8).fit(centred / scale, LABELS)
    np.testing.assert_allclose(made.weight, model.coef_, atol=1e-3)
    assert made.source.settings["languages"] == ["a", "b", "c", "d"]


def test_what_a_result_prints(session: Session, classifier: LinearClassifier):
    result = classifier.classify(NEW[0])
    values = json.loads(result.to_json())
    assert values["text"] == NEW[0]
    assert values["labels"] == [vars(x) for x in result.labels]
    assert (values["source"]["model"], values["truncated"]) == (session.name, False)
    assert result.rows()[0] == {"text": NEW[0], **vars(result.labels[0])}
    assert str(result).startswith(NEW[0])
    assert all(label in str(result) for label in classifier.labels)
    assert "too long" in str(classifier.classify(LONG))


# Heads


def test_a_head_has_the_same_logits(session: Session, headed: LinearClassifier, tmp_path: Path):
    model = headed.to_head()
    assert model.config.id2label == dict(enumerate(headed.labels))
    assert model.roberta.encoder is session.model.roberta.encoder
    assert session.model.config.num_labels == 2
    model.save_pretrained(tmp_path)
    session.tokenizer.save_pretrained(tmp_path)
    for head in (model, xlmrxl.load(tmp_path).model):
        for text in [*NEW, *TEXTS]:
            with torch.no_grad():
                logits = head(**session.tokenizer(text, return_tensors="pt")).logits[0]
            state = extract_features(session, [text]).select(3, "first")[0].double()
            expected = torch.tanh((state - headed.mean) / headed.scale) @ headed.weight.double().T + headed.bias
            np.testing.assert_allclose(logits, expected, atol=2e-4)
            probabilities = dict(zip(headed.labels, logits.softmax(-1).tolist(), strict=True))
            assert found(headed.classify(text)) == pytest.approx(probabilities, abs=1e-4)


def test_no_head_where_it_would_not_be_the_same(
    tiny_folder: Path, classifier: LinearClassifier, headed: LinearClassifier, tmp_path: Path
):
    with pytest.raises(ValueError, match="pooling='head'"):
        classifier.to_head()
    headed.save(tmp_path)
    with pytest.raises(ValueError, match="in bf16 its weights would be rounded"):
        LinearClassifier.load(tmp_path, xlmrxl.load(tiny_folder, precision="bf16", device="cpu")).to_head()


# Saving


def test_what_was_saved_says_the_same(session: Session, classifier: LinearClassifier, tmp_path: Path):
    classifier.save(tmp_path / "new" / "folder")
    loaded = LinearClassifier.load(tmp_path / "new" / "folder", session)
    assert [found(a) for a in loaded.classify(NEW)] == [found(a) for a in classifier.classify(NEW)]
    for name in ("labels", "state", "pooling", "C", "accuracy", "folds", "examples", "source"):
        assert getattr(loaded, name) == getattr(classifier, name)


def test_another_model_is_refused_or_warned_of(
    session: Session,
    tiny_folder: Path,
    classifier: LinearClassifier,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    classifier.save(tmp_path)
    for setting, value in (("hidden_size", 40), ("num_hidden_layers", 2)):
        config = xlmrxl.XLMRobertaXLConfig.from_pretrained(tiny_folder, **{setting: value})
        folder = tmp_path_factory.mktemp(setting)
        xlmrxl.XLMRobertaXLForMaskedLM(config).save_pretrained(folder)
        session.tokenizer.save_pretrained(folder)
        with pytest.raises(ValueError, match=f"where {setting} is {getattr(session.model.config, setting)}; in"):
            LinearClassifier.load(tmp_path, xlmrxl.load(folder))
    other = Session(session.model, session.tokenizer, "other", "fp32")
    with pytest.warns(UserWarning, match="not on other"):
        assert LinearClassifier.load(tmp_path, other).labels == classifier.labels


def test_damaged_files_get_a_sentence(session: Session, classifier: LinearClassifier, tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"There is no classifier\.json"):
        LinearClassifier.load(tmp_path, session)
    classifier.save(tmp_path)
    facts = (tmp_path / "classifier.json").read_text()
    for damaged in ("{", "[]", "{}", facts.replace('"state"', '"stat"'), facts.replace('"other"', '"other", "more"')):
        (tmp_path / "classifier.json").write_text(damaged)
        with pytest.raises(CheckpointError, match="cannot be read"):
            LinearClassifier.load(tmp_path, session)
    (tmp_path / "classifier.json").write_text(facts)
    (tmp_path / "classifier.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        LinearClassifier.load(tmp_path, session)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        classifier.save(tmp_path / "file")


# Reports


def test_a_report_by_hand():
    probabilities = [[0.9, 0.1], [0.8, 0.2], [0.25, 0.75], [0.45, 0.55], [1.0, 0.0], [0.7, 0.3]]
    truth, languages = ["a", "b", "b", "a", "a", "a"], ["en", "en", "de", "de", "de", "en"]
    report = ClassifierReport.from_probabilities(
        Source("m", None, "fp32", "0"), ["a", "b"], probabilities, truth, languages
    )
    # Given: a a b b a a, right but for the second and the fourth.
    assert report.accuracy == pytest.approx(4 / 6)
    assert report.majority == pytest.approx(4 / 6)
    assert [(row.language, row.texts, row.accuracy) for row in report.languages] == [
        ("de", 3, pytest.approx(2 / 3)),
        ("en", 3, pytest.approx(2 / 3)),
    ]
    assert report.confusion == ((3, 1), (1, 1))
    # Bins: .55 wrong; .75 and .7 right; .8 wrong; .9 and 1 right.
    gaps = [0.55 - 0, 2 * (1 - 0.725), 0.8 - 0, 2 * (1 - 0.95)]
    assert report.calibration_error == pytest.approx(sum(gaps) / 6)
    assert [part.texts for part in report.reliability] == [0, 0, 0, 0, 0, 1, 0, 2, 1, 2]
    assert report.reliability[7].confidence == pytest.approx(0.725)
    assert report.reliability[7].accuracy == 1
    assert report.reliability[0].accuracy is None
    assert report.rows()[-1] == {"language": None, "texts": 6, "accuracy": report.accuracy}
    assert json.loads(report.to_json())["confusion"] == [[3, 1], [1, 1]]
    for shown in (str(report), report._repr_html_()):
        assert all(word in shown for word in ("0.6667", "de", "0.7 to 0.8", f"{sum(gaps) / 6:.4g}"))


def test_a_report_shows_labels_as_they_are_written():
    report = ClassifierReport.from_probabilities(Source("m", None, "fp32", "0"), ["<b>", "ب"], [[0.9, 0.1]], ["<b>"])
    assert "<b>" not in report._repr_html_()
    assert "&lt;b&gt;" in report._repr_html_()
    assert report.languages == ()


@pytest.mark.parametrize("center", [False, True])
def test_a_report_counts_what_classify_says(classifier: LinearClassifier, center: bool):
    languages = ["x"] * 12 + ["y"] * (len(TEXTS) - 12)
    report = classifier.report(TEXTS, LABELS, languages, center=center)
    results = classifier.classify(TEXTS, languages=languages if center else None)
    hits = [result.label == label for result, label in zip(results, LABELS, strict=True)]
    assert report.accuracy == pytest.approx(sum(hits) / len(hits))
    assert report.languages[0].accuracy == pytest.approx(sum(hits[:12]) / 12)
    pairs = Counter(zip(LABELS, (result.label for result in results), strict=True))
    assert report.confusion == tuple(tuple(pairs[a, b] for b in report.labels) for a in report.labels)
    assert report.source.settings["centred"] is center


# Attribution


def test_words_of_a_taught_label(classifier: LinearClassifier):
    text = "Madrid is grande"
    result = classifier.attribute(text)
    assert result.label == classifier.classify(text).label
    whole = found(classifier.classify(text))
    without = found(classifier.classify("Madrid grande"))
    assert result.score == pytest.approx(whole[result.label], abs=1e-5)
    assert result.words[1].value == pytest.approx(whole[result.label] - without[result.label], abs=1e-5)
    other = classifier.attribute(text, "other")
    assert other.score == pytest.approx(whole["other"], abs=1e-5)
    with pytest.raises(ValueError, match="label is 'none'"):
        classifier.attribute(text, "none")


# Errors


@pytest.mark.parametrize(
    ("texts", "labels", "options", "error", "words"),
    [
        ([], [], {}, ValueError, "no examples"),
        (["a", "b"], ["x", "x"], {}, ValueError, "only one label"),
        (["a", "b", "c"], ["x", "x", "y"], {}, ValueError, "one example of 'y'"),
        (["a", "b", "c"], ["x", "x"], {}, ValueError, "3 texts but 2 labels"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"languages": ["en"]}, ValueError, "4 texts but 1 languages"),
        (["a", "b", math.nan, "d"], ["x", "x", "y", "y"], {}, TypeError, r"texts\[2\] is nan, a float"),
        (["a", "b", "c", "d"], ["x", "x", "y", math.nan], {}, TypeError, r"labels\[3\] is nan, a float"),
        (["a", "b", "c", "d"], ["x", "x", 1, 1], {}, ValueError, r"labels\[2\] is 1, a number, but .* are texts"),
        (["a", "b", "c", "d"], [True, True, 1, 1], {}, ValueError, r"is 1, a number, but .* are booleans"),
        (["a", "b", "c", "d"], [1, 1, "1", "1"], {}, ValueError, r"labels\[2\] is '1', a text"),
        (["a", "b", "c", "d"], [0, 0, 0.5, 0.5], {}, ValueError, r"labels\[2\] is 0\.5; .* must be whole"),
        (["a", "b", "c", "d"], [0, 0, 1, None], {}, TypeError, r"labels\[3\] is None, a NoneType"),
        (["a", " ", "c", "d"], ["x", "x", "y", "y"], {}, ValueError, r"texts\[1\] is empty"),
        (["a", "b", "c", "d"], ["x", "x", "", ""], {}, ValueError, "A label is empty"),
        ("abcd", ["x", "x", "y", "y"], {}, ValueError, "1 texts but 4 labels"),
        (["a", "b", "c", "d"], "xxyy", {}, ValueError, "4 texts but 1 labels"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"languages": "dede"}, ValueError, "4 texts but 1 languages"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"state": 9}, ValueError, "state is 9"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"state": -1}, ValueError, "state is -1"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"state": 1, "pooling": "head"}, ValueError, "reads the last"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"state": 0, "pooling": "first"}, ValueError, "the same in every"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"pooling": "max"}, ValueError, "pooling is 'max'"),
        (["a", "b", "c", "d"], ["x", "x", "y", "y"], {"C": 0}, ValueError, "C is 0"),
        (["a", "b", "c", "\ud800"], ["x", "x", "y", "y"], {}, ValueError, "surrogate"),
    ],
)  # fmt: skip
def test_wrong_examples_get_a_sentence(session: Session, texts, labels, options, error, words: str):
    with pytest.raises(error, match=words):
        session.fit_classifier(texts, labels, **options)


def test_wrong_texts_get_a_sentence(classifier: LinearClassifier):
    with pytest.raises(ValueError, match=r"texts\[1\] is empty"):
        classifier.classify(["Paris", ""])
    with pytest.raises(TypeError, match=r"texts\[0\] is None"):
        classifier.classify([None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="2 texts but 1 languages"):
        classifier.classify(["Paris", "Madrid"], languages=["en"])
    with pytest.raises(ValueError, match=r"labels\[0\] is 'none'; the classifier knows"):
        classifier.report(["Paris"], ["none"])
    with pytest.raises(ValueError, match="no texts"):
        classifier.report([], [])
    with pytest.raises(ValueError, match="1 texts but 2 labels"):
        classifier.report(["Paris"], ["other", "other"])
    with pytest.raises(ValueError, match="needs languages"):
        classifier.report(["Paris"], ["other"], center=True)


def test_scikit_learn_is_asked_for_where_it_is_missing(session: Session, monkeypatch: pytest.MonkeyPatch):
    for source in (module, logistic):
        tree = ast.parse(Path(source.__file__).read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any("sklearn" in ast.dump(node) for node in top)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'scikit-learn>="):
        session.fit_classifier(TEXTS, LABELS)
