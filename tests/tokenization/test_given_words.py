"""One word is one word wherever a list is taken, and what cannot be one says so."""

from __future__ import annotations

from pathlib import Path

import pytest

import xlmrxl
from xlmrxl import Session
from xlmrxl.inspection.parallel import retrieval
from xlmrxl.inspection.projection import project
from xlmrxl.tasks.features import extract_features
from xlmrxl.tasks.linear_classifier import LinearClassifier
from xlmrxl.tasks.texts import check_texts
from xlmrxl.widgets import ChoiceScorer, HiddenStateExplorer, MaskFiller, TextClassifier

TEXT = "The capital of France is Paris."
MASKED = "The capital of <mask> is Paris."


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def taught(session: Session) -> LinearClassifier:
    return session.fit_classifier(["a", "b", "old", "house"], ["x", "x", "y", "y"], state=1, pooling="mean", C=1.0)


@pytest.mark.parametrize("given", ["Paris", ["Paris"], ("Paris",), iter(["Paris"])])
def test_one_text_is_a_list_of_one(given):
    assert check_texts(given) == ["Paris"]


@pytest.mark.parametrize(("given", "words"), [(7, "words is 7, a int"), (["a", None], r"words\[1\] is None")])
def test_what_is_no_text_is_named(given, words: str):
    with pytest.raises(TypeError, match=words):
        check_texts(given, "words")


def test_one_text_to_a_task(session: Session):
    """What a task takes as a list of texts."""
    assert [session.fill_mask(MASKED)] == session.fill_mask([MASKED])
    labels, templates = ["a", "old"], "{text} <mask>"
    assert session.classify([TEXT], labels, templates=templates) == session.classify(
        [TEXT], labels, templates=[templates]
    )
    one, listed = extract_features(session, TEXT, pooling="first"), extract_features(session, [TEXT], pooling=["first"])
    assert one.values.equal(listed.values)
    assert one.pooling == listed.pooling == ("first",)


def test_one_word_to_look_for(session: Session):
    assert session.fill_mask(MASKED, targets="o") == session.fill_mask(MASKED, targets=["o"])
    seen = session.inspect(MASKED)
    assert seen.logit_lens(targets="o").targets == seen.logit_lens(targets=["o"]).targets == ("o",)
    assert seen.head_importance(target="o", progress=False).values.tolist() == (
        seen.head_importance(target=["o"], progress=False).values.tolist()
    )


def test_one_name_for_texts(session: Session, taught: LinearClassifier):
    assert session.inspect_parallel([TEXT, "old"], ["en", "de"], progress=False).names == ("en", "de")
    with pytest.raises(ValueError, match="2 texts and 1 languages"):
        session.inspect_parallel([TEXT, "old"], "ab", progress=False)
    with pytest.raises(ValueError, match="languages has 1 names"):
        retrieval(session, ["a", "b"], ["old", "house"], languages="ab", progress=False)
    seen = session.inspect(TEXT)
    assert set(project(seen, groups="en", states=[0]).groups) == {"en"}
    with pytest.raises(ValueError, match="2 inspections and 1 groups"):
        project([seen, seen], groups="ab", states=[0])
    assert taught.classify("old", languages="de") == taught.classify(["old"], languages=["de"])[0]
    with pytest.raises(ValueError, match="2 texts but 1 languages"):
        taught.classify(["old", "house"], languages="de")
    report = taught.report("old", "y", "de")
    assert [row.language for row in report.languages] == ["de"]
    with pytest.raises(ValueError, match="2 texts but 1 labels"):
        taught.report(["old", "house"], "xy")


def test_one_where_there_must_be_two(session: Session):
    with pytest.raises(ValueError, match="There is one label"):
        session.classify(TEXT, "sports")
    with pytest.raises(ValueError, match=r"Prompt 1 has 1 choice\(s\)"):
        session.choose(TEXT, "yes")
    with pytest.raises(ValueError, match="1 texts but 2 labels"):
        session.fit_classifier("ab", ["x", "y"])
    with pytest.raises(ValueError, match="There is only one label"):
        session.fit_classifier("ab", "xy")


def test_one_pooling_to_choose_from(session: Session):
    prompts, choices = ["a", "b", "old", "house", "the"], [["x", "y"]] * 5
    one = session.fit_chooser(prompts, choices, [0, 1, 0, 1, 0], state=1, pooling="first", progress=False)
    assert one.pooling == "first"


def test_one_word_to_a_widget(session: Session):
    """Labels, choices and words that a widget keeps are what a person gave, never its letters."""
    assert TextClassifier(session, TEXT, labels="sports").labels == ["sports"]
    assert ChoiceScorer(session, TEXT, "yes").choices == ["yes"]
    assert HiddenStateExplorer(session, TEXT, targets="Paris").targets == ["Paris"]
    filler = MaskFiller(session, MASKED, targets="o")
    assert [fill["text"] for fill in filler.fills[0]] == ["o"]


def test_one_model_that_an_app_allows(tiny_folder: Path, session: Session):
    from xlmrxl.app.served import Served

    assert list(Served(session, str(tiny_folder)).models or ()) == [tiny_folder.name]
