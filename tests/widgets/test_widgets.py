"""The widgets without a browser: what their traits say is what the session says, however they come to be set."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import traitlets

import xlmrxl
from xlmrxl import XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForSequenceClassification, rendering
from xlmrxl.session import Session
from xlmrxl.widgets import ChoiceScorer, MaskFiller, TextClassifier, task

TEXT = "The <mask> is in the <mask>."
EVIL = "<script>alert(1)</script> القاهرة هي <mask> مصر 👩‍🔬"
WIDGETS = [MaskFiller, TextClassifier, ChoiceScorer]
STATIC = Path(task.__file__).parent / "static"
RENDERING = Path(rendering.__file__).parent


@pytest.fixture(scope="module")
def session() -> Session:
    return xlmrxl.load()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is sent to the page: the data of each message, and its buffers."""
    messages: list[dict[str, Any]] = []

    def publish(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        messages.append({"type": msg_type, **(data or {}), "buffers": list(buffers or [])})

    monkeypatch.setattr("comm.DummyComm.publish_msg", publish)
    return messages


def from_page(widget: Any, **traits: Any) -> None:
    """Set traits as the page does: all in one message that counts what was asked."""
    state = {**traits, "asked": widget.asked + 1}
    widget._handle_msg({"content": {"data": {"method": "update", "state": state, "buffer_paths": []}}, "buffers": []})


class Answering:
    """In place of a session: every task calls `answer`, which may block, count or fail."""

    def __init__(self, session: Session, answer: Callable[..., Any]) -> None:
        self.model, self.tokenizer = session.model, session.tokenizer
        self.fill_mask = self.choose = answer


# What the traits say


@pytest.mark.parametrize(
    ("method", "options"), [("subwords", {}), ("words", {"method": "words"}), ("joint", {"method": "joint"})]
)
def test_filler_says_what_the_session_says(session: Session, method: str, options: dict[str, Any]):
    widget = MaskFiller(session, TEXT, method=method, top_k=3, punctuation=False)
    found = session.fill_mask(TEXT, top_k=3, punctuation=False, **options)
    assert widget.result == found
    if method == "joint":
        expected = [[one.fills[mask].content() for one in found.joint] for mask in range(2)]
        assert widget.scores == [one.score for one in found.joint]
    else:
        expected = [[fill.content() for fill in mask.fills] for mask in found.masks]
        assert widget.scores == []
    assert widget.fills == expected
    assert len(widget.fills[0]) == 3
    assert widget.selected == [0, 0]
    assert widget.sentence == f"The {expected[0][0]['text']} is in the {expected[1][0]['text']}."
    assert (widget.error, widget.working, widget.progress) == ("", False, [])


def test_filler_tells_what_goes_on_with_a_word(session: Session):
    widget = MaskFiller(session, "The <mask> is old.", top_k=150)
    fills = session.fill_mask("The <mask> is old.", top_k=150).masks[0].fills
    assert [fill["begins_word"] for fill in widget.fills[0]] == [fill.begins_word for fill in fills]
    assert {fill["begins_word"] for fill in widget.fills[0]} == {True, False}


def test_page_is_given_the_rendered_result(session: Session):
    """As the app and a notebook show it; the words behind a label stand below the labels."""
    filler = MaskFiller(session, EVIL, top_k=3)
    assert filler.html == session.fill_mask(EVIL, top_k=3).to_html()
    assert "<script" not in filler.html
    scorer = ChoiceScorer(session, "It rained.", ["It is wet.", EVIL.replace("<mask>", "")])
    assert scorer.html == scorer.result.to_html()
    assert "<script" not in scorer.html
    classifier = TextClassifier(session, "a dog", labels=["cat", "dog"], explained="dog")
    assert classifier.html == classifier.result.to_html() + classifier.attribution.to_html()


def test_saved_notebook_has_the_result_without_a_widget(session: Session):
    widget = MaskFiller(session, TEXT)
    data, _ = widget._repr_mimebundle_()
    assert data["text/html"] == widget.result._repr_html_()
    assert "<button" not in data["text/html"]
    assert "text/html" not in MaskFiller(session)._repr_mimebundle_()[0]
    widget = TextClassifier(session, "a dog", labels=["cat", "dog"], explained="dog")
    data, _ = widget._repr_mimebundle_()
    assert widget.attribution.to_html(interactive=False) in data["text/html"]


def test_filler_follows_its_traits(session: Session):
    widget = MaskFiller(session)
    assert (widget.fills, widget.sentence, widget.html, widget.error) == ([], "", "", "")
    widget.text = TEXT
    first = widget.fills
    assert [len(fills) for fills in first] == [5, 5]
    widget.top_k = 2
    assert widget.fills == [fills[:2] for fills in first]
    widget.selected = [1, 0]
    assert widget.sentence == f"The {first[0][1]['text']} is in the {first[1][0]['text']}."
    widget.text = "Nothing but <mask>"
    assert widget.selected == [0]
    widget.text = ""
    assert (widget.fills, widget.sentence, widget.result) == ([], "", None)


def test_filler_takes_no_choice_that_there_is_not(session: Session):
    widget = MaskFiller(session, TEXT, top_k=2)
    for wrong in ([0], [0, 2], [-1, 0], [0, 0, 0]):
        with pytest.raises(traitlets.TraitError):
            widget.selected = wrong
    assert widget.selected == [0, 0]
    widget.method = "joint"
    with pytest.raises(traitlets.TraitError, match="the same way for each"):
        widget.selected = [1, 0]
    widget.selected = [1, 1]
    assert widget.sentence == f"The {widget.fills[0][1]['text']} is in the {widget.fills[1][1]['text']}."


def test_filler_masks_the_token_that_is_clicked(session: Session):
    """Offsets count characters, and the space before a token stays; a page may send anything."""
    widget = MaskFiller(session, EVIL)
    token = widget.result.tokens[-2]
    widget._handle_custom_msg({"type": "mask", "text": EVIL, "start": token.start, "end": token.end}, [])
    place = EVIL[token.start : token.end]
    masked = f"{EVIL[: token.end - len(place.lstrip())]}<mask>{EVIL[token.end :]}"
    assert widget.text == widget.result.text == masked
    for wrong in (
        None,
        {},
        {"start": 0},
        {"start": -1, "end": 2},
        {"start": 0, "end": 10**9},
        {"start": "a", "end": 2},
    ):
        widget._handle_custom_msg(wrong, [])
    assert widget.text == masked


def test_classifier_explains_the_label_that_is_clicked(session: Session):
    widget = TextClassifier(session, "The team won.", labels=["sports", "food"])
    widget._handle_custom_msg({"type": "explain", "index": 1}, [])
    assert widget.explained == widget.attribution.label == widget.result.labels[1].label
    for wrong in (None, {"index": 2}, {"index": -1}, {"index": "0"}):
        widget._handle_custom_msg(wrong, [])
    assert widget.explained == widget.result.labels[1].label


def test_classifier_says_what_the_session_says(session: Session):
    text, quick = "The team won.", {"calibration": "none"}
    widget = TextClassifier(session, text, **quick)
    found = session.classify(text, **quick)
    assert widget.result == found
    assert widget.scores == {label.label: label.score for label in found.labels}
    assert widget.best == found.labels[0].label
    assert widget.words == []
    own = ["sports", "food"]
    widget.labels = own
    assert widget.scores == {label.label: label.score for label in session.classify(text, own, **quick).labels}
    widget.explained = "food"
    why = session.attribute(text, own, label="food", **quick)
    assert widget.words == why.rows()
    assert widget.attribution == why
    widget.explained = ""
    widget.labels, widget.task, widget.language = {}, "sentiment", "de"
    found = session.classify(text, task="sentiment", language="de", **quick)
    assert widget.scores == {label.label: label.score for label in found.labels}


def test_classifier_asks_once_what_it_explains_twice(session: Session, monkeypatch: pytest.MonkeyPatch):
    texts: list[Any] = []
    real = Session.classify
    monkeypatch.setattr(
        Session, "classify", lambda self, text, *a, **k: texts.append(text) or real(self, text, *a, **k)
    )
    widget = TextClassifier(session, "It is cold outside.", labels=["cold", "warm"])
    widget.explained = "cold"
    widget.explained = "warm"
    assert texts == ["It is cold outside."]
    assert widget.attribution.label == "warm"


def test_classifier_reads_pairs(session: Session):
    widget = TextClassifier(session, "A dog sleeps.", task="entailment")
    assert "second text is empty" in widget.error
    widget.text_pair = "An animal sleeps."
    found = session.classify(("A dog sleeps.", "An animal sleeps."), task="entailment")
    assert (widget.error, widget.result) == ("", found)
    widget.explained = found.labels[0].label
    assert "single text" in widget.error


def test_classifier_of_ones_own(session: Session):
    texts = ["a dog", "the dog sleeps", "one cat", "a cat", "many dogs", "old cats"]
    taught = session.fit_classifier(texts, ["dog", "dog", "cat", "cat", "dog", "cat"], state=4, pooling="mean", C=0.1)
    widget = TextClassifier(taught, "the cat", explained="dog")
    found = taught.classify("the cat")
    assert widget.scores == {label.label: label.score for label in found.labels}
    assert widget.best == found.label
    assert widget.attribution == taught.attribute("the cat", "dog")
    assert widget.form == {"tasks": {}, "pairs": False}


@pytest.mark.parametrize("kind", ["single", "regression"])
def test_classifier_with_a_head(tmp_path: Path, tiny_config: XLMRobertaXLConfig, vocabulary_file: Path, kind: str):
    config = XLMRobertaXLConfig(**{**tiny_config.to_dict(), "id2label": {0: "<b>", 1: "b", 2: "c"}})
    if kind == "regression":
        config.problem_type = "regression"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        XLMRobertaXLForSequenceClassification(config).save_pretrained(tmp_path)
    XLMRobertaTokenizer(vocabulary_file).save_pretrained(tmp_path)
    widget = TextClassifier(str(tmp_path), "the dog", text_pair="a cat")
    found = xlmrxl.load(tmp_path).classify(("the dog", "a cat"))
    assert found.kind == kind
    assert widget.scores == {label.label: label.score for label in found.labels}
    assert widget.best == max(widget.scores, key=widget.scores.get)
    assert widget.form == {"tasks": {}, "pairs": True}


def test_scorer_says_what_the_session_says(session: Session):
    prompt, choices = "It rained all night.", ["The street is wet.", "", "The street is long."]
    widget = ChoiceScorer(session, prompt, choices, question="effect", normalization="length")
    found = session.choose(prompt, [choices[0], choices[2]], question="effect", normalization="length")
    assert widget.result == found
    assert widget.probabilities == [choice.probability for choice in found.choices]
    assert widget.scores == [choice.score for choice in found.choices]
    assert widget.best == found.best
    widget.question = ""
    assert widget.result == session.choose(prompt, [choices[0], choices[2]], normalization="length")
    widget.choices = ["one"]
    assert widget.best is None
    assert "two" in widget.error


# From the page


def test_page_asks_and_is_answered(session: Session, sent: list[dict[str, Any]]):
    widget = MaskFiller(session, top_k=2)
    sent.clear()
    from_page(widget, text=TEXT, method="words")
    assert widget.result == session.fill_mask(TEXT, top_k=2, method="words")
    assert widget.answered == widget.asked == 1
    updates = [message["state"] for message in sent if message.get("method") == "update"]
    assert updates[0] == {"working": True}
    # Everything that changes on the page comes in one message, and the question is not sent back.
    (answer,) = [state for state in updates if "html" in state]
    assert {"html", "selected", "working", "answered"} <= set(answer)
    assert not set(answer) & {"text", "method", "_esm"}
    before = widget.result
    from_page(widget, text=TEXT, method="words")  # the same again is answered, and not computed
    assert widget.answered == 2
    assert widget.result is before


def test_observers_find_all_traits_in_accord(session: Session):
    widget = MaskFiller(session, "A <mask>.")
    seen = []
    widget.observe(lambda _: seen.append((len(widget.fills), widget.selected, widget.result.text)), "fills")
    widget.text = TEXT
    assert seen == [(2, [0, 0], TEXT)]


def test_several_traits_at_once_are_one_question(session: Session):
    asked = []
    widget = MaskFiller(Answering(session, lambda **q: asked.append(q) or session.fill_mask(**q)), "A <mask>.")
    with widget.hold_trait_notifications():
        widget.text, widget.top_k = TEXT, 1
    assert [question["text"] for question in asked] == ["A <mask>.", TEXT]


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda s: MaskFiller(s, "no mask"), "<mask>"),
        (lambda s: MaskFiller(s, "<mask> " * 600), "512"),
        (lambda s: MaskFiller(s, "<mask>", script="Klingon"), "Klingon"),
        (lambda s: TextClassifier(s, "a", task="nonsense"), "nonsense"),
        (lambda s: TextClassifier(s, "a", labels=["one"]), "one label"),
        (lambda s: TextClassifier(s, "two words", labels=["one", "two"], explained="three"), "three"),
        (lambda s: ChoiceScorer(s, "a", ["b", "c"], question="cause", language="xx"), "xx"),
    ],
)
def test_errors_are_a_sentence_in_the_widget(session: Session, make: Callable[[Session], Any], part: str):
    widget = make(session)
    assert part in widget.error
    assert "\n" not in widget.error
    assert (widget.html, widget.result, widget.working) == ("", None, False)


def test_error_goes_when_there_is_an_answer(session: Session):
    widget = MaskFiller(session, "no mask")
    assert widget.error
    widget.text = TEXT
    assert not widget.error
    assert widget.fills


def test_what_nobody_expected_is_said_and_logged(session: Session, caplog: pytest.LogCaptureFixture):
    failures = iter([RuntimeError("out of memory")])

    def answer(**question):
        for failure in failures:
            raise failure
        return session.fill_mask(**question)

    with caplog.at_level(logging.ERROR):
        widget = MaskFiller(Answering(session, answer), TEXT)
    assert "RuntimeError: out of memory" in widget.error
    assert "MaskFiller failed" in caplog.text
    from_page(widget, text=TEXT)  # asked again, it is tried again
    assert (widget.error, len(widget.fills)) == ("", 2)


def test_interrupt_leaves_a_widget_that_can_be_asked_again(session: Session):
    interrupts = iter([None, KeyboardInterrupt()])

    def answer(**question):
        if failure := next(interrupts, None):
            raise failure
        return session.fill_mask(**question)

    widget = MaskFiller(Answering(session, answer), "A <mask>.")
    with pytest.raises(KeyboardInterrupt):
        widget.text = TEXT
    assert not widget.working
    from_page(widget, text=TEXT)
    assert widget.result.text == TEXT


# While the model works


@pytest.fixture
def slow(session: Session) -> Iterator[tuple[Answering, threading.Event, threading.Event, list[str]]]:
    """A session that works on "slow …" until it is let go, telling of its progress all the while."""
    begun, done, answered = threading.Event(), threading.Event(), []

    def answer(text: str, progress: Any, **options: Any):
        if text.startswith("slow"):
            begun.set()
            assert done.wait(20)
            progress(1, 2)
        answered.append(text)
        return session.fill_mask(text, progress=False, **options)

    yield Answering(session, answer), begun, done, answered
    done.set()


def test_answer_to_an_older_question_is_dropped(slow):
    """A front end may handle what the page sends in a thread of its own."""
    session, begun, done, answered = slow
    widget = MaskFiller(session, "A <mask>.")
    thread = threading.Thread(target=from_page, args=(widget,), kwargs={"text": "slow <mask>"})
    thread.start()
    assert begun.wait(20)
    assert widget.working
    other = threading.Thread(target=setattr, args=(widget, "text", TEXT))
    other.start()
    while widget._current["text"] != TEXT:
        pass
    done.set()
    thread.join(20)
    other.join(20)
    assert answered == ["A <mask>.", TEXT]  # the older one was given up at its next report
    assert (widget.result.text, widget.working, widget.error) == (TEXT, False, "")
    assert widget.answered == widget.asked == 1


def test_models_wait_for_each_other(slow, session: Session):
    working, begun, done, _ = slow
    first, second = MaskFiller(working, "A <mask>."), ChoiceScorer(session)
    thread = threading.Thread(target=setattr, args=(first, "text", "slow <mask>"))
    thread.start()
    assert begun.wait(20)
    other = threading.Thread(target=from_page, args=(second,), kwargs={"prompt": "A", "choices": ["b", "c"]})
    other.start()
    other.join(0.2)
    assert second.result is None
    done.set()
    for one in (thread, other):
        one.join(20)
    assert second.result.prompt == "A"


def test_progress_shows_after_a_second(session: Session, monkeypatch: pytest.MonkeyPatch):
    clock = iter([0.0, 0.5, 1.2, 1.25, 3.0])
    monkeypatch.setattr(task.time, "monotonic", lambda: next(clock))

    def answer(text: str, progress: Any, **options: Any):
        for done in range(1, 5) if callable(progress) else ():
            progress(done, 4)
        return session.fill_mask(text, progress=False, **options)

    widget = MaskFiller(Answering(session, answer), "A <mask>.")
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "progress")
    widget.text = TEXT
    assert seen == [[2, 4], [4, 4], []]  # nothing in the first second, and not too often


# Loading, and how it is made


def test_name_is_loaded(tiny_folder: Path):
    widget = MaskFiller(tiny_folder, "The <mask>.")
    assert widget.result == xlmrxl.load(tiny_folder).fill_mask("The <mask>.")
    assert MaskFiller(str(tiny_folder)).result is None
    assert MaskFiller(text=TEXT).result.source.model == "default"


def test_text_in_place_of_a_model_is_told(tmp_path: Path):
    with pytest.raises(ValueError, match="no name of a model"):
        MaskFiller("Paris is the <mask> of France.")
    with pytest.raises(xlmrxl.CheckpointError):
        MaskFiller(tmp_path / "nowhere here")


@pytest.mark.parametrize("widget", WIDGETS)
def test_every_trait_is_documented(widget: type[task.TaskWidget]):
    own = {**vars(task.TaskWidget), **vars(widget)}
    traits = {name: trait for name, trait in own.items() if isinstance(trait, traitlets.TraitType)}
    assert "error" in traits
    assert [name for name, trait in traits.items() if not trait.help.endswith((".", "one", "]"))] == []


@pytest.mark.parametrize(
    "path", [*sorted(STATIC.glob("*.*")), *sorted(RENDERING.glob("*.[cj]s*"))], ids=lambda path: path.name
)
def test_front_end_writes_no_html_and_asks_nobody(path: Path):
    text = path.read_text(encoding="utf-8")
    for pattern in (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(",
        r"https?:|//cdn",
        r"@import\s+[\"'u]",
    ):
        assert not re.search(pattern, text), pattern
