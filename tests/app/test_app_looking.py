"""Attention and Hidden states without a browser: what is asked and kept, the lines of Python that are copied, what
there is to begin with, and the endpoints on a real server.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from closeness import approximate

import xlmrxl
from xlmrxl.app import handlers
from xlmrxl.app.examples import PAIRS, PARALLEL
from xlmrxl.app.handlers import MAX_TEXT, Stopped, attending, hidden
from xlmrxl.app.handlers.attending import MAX_TOKENS
from xlmrxl.app.handlers.hidden import MAX_LINES
from xlmrxl.app.kept import Kept
from xlmrxl.app.served import Served
from xlmrxl.inspection.head_statistics import list_statistics
from xlmrxl.session import Session

TEXT = "The <mask> is here."
LINES = "The <mask> is here.\nDas <mask> ist hier.\nقال <mask>"
LONG = "a b " * MAX_TOKENS


@pytest.fixture(scope="module")
def session(checkpoint: Path) -> Session:
    return xlmrxl.load(checkpoint)


def outputs(session: Session, text: str, second: str | None = None) -> Any:
    """The model's own, and the pieces that it reads."""
    asked = session.tokenizer(text, second, return_tensors="pt")
    with torch.inference_mode():
        found = session.model(**asked, output_attentions=True, output_hidden_states=True)
    return found, session.tokenizer.convert_ids_to_tokens(asked["input_ids"][0].tolist())


# What is asked


def test_a_request_says_of_which_model_its_page_speaks(session: Session) -> None:
    about = ["a", "", "beside", attending.named(session)]
    assert attending.asked_about(session, [about, {"type": "head"}]) == (("a", "", "beside"), {"type": "head"})
    other = dataclasses.replace(session, precision="bf16")
    with pytest.raises(ValueError, match="Another model has been loaded"):
        attending.asked_about(other, [about, {}])
    with pytest.raises(ValueError, match="A request must be a list"):
        attending.asked_about(session, [about[:3], {}])


def test_reading_says_how_far_it_is_and_can_be_stopped(session: Session) -> None:
    layers = session.model.config.num_hidden_layers
    seen: list[tuple[int, int]] = []
    found = attending.inspections(session, attending.seen("a", "b c"), lambda *far: seen.append(far))
    assert [one.text for one in found] == ["a", "b c"]
    assert seen == [(done, 2 * layers) for done in range(1, 2 * layers + 1)]

    def stop(done: int, total: int) -> None:
        if done > layers:
            raise Stopped

    with pytest.raises(Stopped):
        hidden.inspect_lines(session, ("a", "b", "c"), stop)
    (pair,) = attending.inspections(session, attending.seen("a", "b", "pair"))
    assert (pair.text, pair.text_pair) == ("a", "b")


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (("", "projection", 0, "tokens", False), "empty"),
        (("a" * (MAX_TEXT + 1), "projection", 0, "tokens", False), "shorten"),
        (("\n".join("a" * (MAX_LINES + 1)), "projection", 0, "tokens", False), "leave some out"),
        (("a", "retrieval", 0, "tokens", False), "no such view"),
        (("a", ["cka"], 0, "tokens", False), "no such view"),
        (("a", "cka", 99, "tokens", False), "whole number"),
        (("a", "cka", float("inf"), "tokens", False), "whole number"),
        (("a", "cka", True, "tokens", False), "whole number"),
        (("a", "cosine", 0, "heads", False), "what the points are"),
        (("a", "cosine", 0, {}, False), "what the points are"),
        (("a", "projection", 99, "tokens", False), "whole number"),
        (("a", "cosine", 0, "tokens", "yes"), "true or false"),
    ],
)
def test_what_is_wrong_with_a_view_is_said(session: Session, asked: tuple, word: str) -> None:
    outcome = handlers.attempt(lambda: hidden.check_request(session, *asked), "asking")
    assert outcome.result is None
    assert word in outcome.problem
    assert outcome.problem.endswith(".")


def test_the_plane_stands_somewhere_whatever_a_link_says(session: Session) -> None:
    for slid in ("", "99", "-1", "1.0", "²", "٢", None, 2, [1], float("nan"), {}):
        assert hidden.check_request(session, "a", "projection", 1, "tokens", False, slid).state == 1
    assert hidden.check_request(session, "a", "projection", 1, "tokens", False, "2").state == 2
    assert hidden.check_request(session, "a", "cosine", 1, "tokens", False, "2").state == 1


# What is kept


def test_what_was_read_is_kept_until_another_model_answers(session: Session) -> None:
    served = Served(session)
    kept: Kept[object] = Kept(served, 2)
    now = served.session
    first = kept.get(now, "a", object)
    assert kept.get(now, "a", object) is first
    kept.get(now, "b", object)
    kept.get(now, "a", object)
    kept.get(now, "c", object)  # and "b" is the one that was not asked for longest
    assert kept.get(now, "a", object) is first
    served.change(session)
    assert kept.get(served.session, "a", object) is not first


def test_what_is_read_while_the_model_changes_is_not_kept(session: Session) -> None:
    """It would answer for the new model, and hold the old one."""
    served = Served(session)
    kept: Kept[str] = Kept(served, 2)

    def slow() -> str:
        served.change(session)
        return "of the model before"

    assert kept.get(served.session, "a", slow) == "of the model before"
    assert not kept._held
    assert kept.get(served.session, "a", lambda: "new") == "new"
    served.free()
    assert not kept._held


def test_a_failure_is_not_kept(session: Session) -> None:
    served = Served(session)
    kept: Kept[str] = Kept(served, 2)

    def fails() -> str:
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        kept.get(served.session, "a", fails)
    assert kept.get(served.session, "a", lambda: "again") == "again"


# What is copied


@pytest.mark.parametrize("remove_mean", [False, True])
@pytest.mark.parametrize("unit", ["tokens", "words", "texts"])
def test_the_copied_lines_give_what_each_view_shows(session: Session, unit: str, remove_mean: bool) -> None:
    shown = set()
    for view in hidden.list_state_views(session):
        asked = hidden.check_request(session, LINES, view, 1, unit, remove_mean)
        texts = hidden.inspect_lines(session, asked.lines)
        expected = hidden.make_view(texts, asked).to_dict()
        names: dict[str, Any] = {}
        exec(hidden.write_python(session, asked), names)
        assert names["result"].to_dict() == expected, view
        shown.add(json.dumps(expected["source"]["settings"]) + view)
    assert len(shown) == len(hidden.list_state_views(session)) == 8


def test_the_copied_lines_of_a_single_sentence(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "it's \"quoted\" \\ 'and' <mask> {text}"
    asked = hidden.check_request(session, evil, "projection", 1, "tokens", False)
    names: dict[str, Any] = {}
    exec(hidden.write_python(session, asked), names)
    expected = hidden.make_view(hidden.inspect_lines(session, (evil,)), asked)
    assert names["result"].to_dict() == expected.to_dict()
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize(("second", "way"), [("", "beside"), ("b it's", "beside"), ("b it's", "pair")])
def test_the_copied_lines_read_what_is_looked_into(session: Session, second: str, way: str) -> None:
    seen = attending.seen("a \"b\" 'c' \\", second, way)
    names: dict[str, Any] = {}
    exec(attending.python(session, seen), names)
    read = [names[name] for name in ("first", "second", "inspection") if name in names]
    expected = attending.inspections(session, seen)
    assert [(one.text, one.text_pair) for one in read] == [(one.text, one.text_pair) for one in expected]
    assert all(np.array_equal(a.attention(1, 2), b.attention(1, 2)) for a, b in zip(read, expected, strict=True))


# What there is to begin with


def scripts(texts: list[str]) -> set[str]:
    """The first word of the Unicode name of each letter: LATIN, CJK, THAI, …"""
    return {unicodedata.name(c).split()[0] for text in texts for c in text.replace("<mask>", "") if c.isalpha()}


def test_both_tabs_have_examples_in_many_languages_and_scripts(session: Session) -> None:
    pairs = [text for each in PAIRS for text in (each.text, each.second) if text]
    lines = [line for each in PARALLEL for line in each.text.splitlines()]
    for texts in (pairs, lines):
        assert len(set(texts)) >= 12
        assert len(scripts(texts)) >= 8
    for example in PAIRS:
        attending.short_enough(xlmrxl.load(), example.text, example.second)
        assert attending.seen(example.text, example.second, example.way).text == example.text
    for example in PARALLEL:
        assert len(hidden.check_request(session, example.text, "projection", 0, "tokens", False).lines) <= MAX_LINES


# Endpoints


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 3)])
def test_attention_is_the_models(client: Any, session: Session, layer: int, head: int) -> None:
    answer = client.predict(TEXT, layer=layer, head=head, api_name="/attention")
    found, pieces = outputs(session, TEXT)
    assert (answer["layer"], answer["head"]) == (layer, head)
    (one,) = answer["texts"]
    assert one["tokens"] == pieces
    assert np.allclose(one["attention"], found.attentions[layer][0, head].numpy(), atol=1e-6)


def test_attention_of_two_texts(client: Any, session: Session) -> None:
    pair = client.predict("She came.", "He is here.", "pair", 1, 2, api_name="/attention")
    found, pieces = outputs(session, "She came.", "He is here.")
    assert [one["tokens"] for one in pair["texts"]] == [pieces]
    assert np.allclose(pair["texts"][0]["attention"], found.attentions[1][0, 2].numpy(), atol=1e-6)
    both = client.predict("She came.", "He is here.", "beside", 1, 2, api_name="/attention")
    for one, text in zip(both["texts"], ("She came.", "He is here."), strict=True):
        found, pieces = outputs(session, text)
        assert one["tokens"] == pieces
        assert np.allclose(one["attention"], found.attentions[1][0, 2].numpy(), atol=1e-6)


def test_statistics_are_of_the_models_weights(client: Any, session: Session) -> None:
    answer = client.predict(TEXT, api_name="/attention_statistics")
    found, pieces = outputs(session, TEXT)
    weights = np.stack([layer[0].numpy() for layer in found.attentions])[:, :, 1:-1]  # <s> and </s> look at nothing
    assert answer["tokens"] == pieces
    assert (answer["layers"], answer["heads"]) == weights.shape[:2]
    given = {name: np.array(values, dtype=float) for name, values in answer["statistics"].items()}
    assert set(given) == set(list_statistics("weights", "value_norms"))
    places = np.arange(len(pieces))
    apart = np.abs(places[1:-1, None] - places)
    assert np.allclose(given["entropy"], -(weights * np.log(weights)).sum(-1).mean(-1), atol=1e-5)
    assert np.allclose(given["distance"], (weights * apart).sum(-1).mean(-1), atol=1e-5)
    assert np.allclose(given["special"], weights[..., [0, -1]].sum(-1).mean(-1), atol=1e-5)
    assert np.allclose(given["confidence"], weights.max(-1).mean(-1), atol=1e-5)
    assert np.allclose(given["norm"], session.inspect(TEXT).statistic("norm"), atol=1e-5)


def test_hidden_states_are_the_models(client: Any, session: Session) -> None:
    answer = client.predict(TEXT, "norms", api_name="/hidden_states")
    found, pieces = outputs(session, TEXT)
    states = np.stack([state[0].numpy() for state in found.hidden_states])
    assert answer["view"] == "norms"
    assert answer["result"]["columns"]["labels"] == pieces
    assert np.allclose(answer["result"]["values"], np.linalg.norm(states, axis=-1), rtol=1e-4)
    answer = client.predict(TEXT, "cosine", 1, api_name="/hidden_states")
    unit = states[1] / np.linalg.norm(states[1], axis=-1, keepdims=True)
    assert np.allclose(answer["result"]["values"], unit @ unit.T, atol=1e-5)


def test_every_view_of_hidden_states_is_answered(client: Any, session: Session) -> None:
    for view in hidden.list_state_views(session):
        answer = client.predict(LINES, view, 1, "words", True, api_name="/hidden_states")
        asked = hidden.check_request(session, LINES, view, 1, "words", True)
        expected = hidden.make_view(hidden.inspect_lines(session, asked.lines), asked).to_dict()
        del expected["source"]
        assert answer["result"] == approximate(expected, rel=1e-3, abs=1e-4), view
        assert answer["what"].endswith(".")
    middle = client.predict(TEXT, "cosine", api_name="/hidden_states")["result"]["title"]
    assert f"state {hidden.first_state(session)}" in middle


@pytest.mark.parametrize(
    ("name", "asked", "word"),
    [
        ("/attention", (" ",), "empty"),
        ("/attention", (LONG,), f"more than {MAX_TOKENS} together"),
        ("/attention", ("a b " * 40, "a b " * 40), "shorten"),
        ("/attention", ("a", "", "both"), "beside or pair"),
        ("/attention", ("a", "", "beside", 2, 0), "layers count from 0 to 1"),
        ("/attention", ("a", "", "beside", 0, -1), "heads from 0 to 3"),
        ("/attention_statistics", ("a" * (MAX_TEXT + 1),), "shorten"),
        ("/hidden_states", (LONG,), f"more than {MAX_TOKENS} together"),
        ("/hidden_states", ("\n".join("a" * 7),), "7 sentences"),
        ("/hidden_states", ("a", "drift"), "no such view"),
        ("/hidden_states", ("a", "alignment"), "two texts"),
        ("/hidden_states", ("a", "cosine", 3), "from 0 to 2"),
        ("/hidden_states", ("a", "cosine", 1, "heads"), "what the points are"),
    ],
)
def test_endpoints_explain_what_is_wrong(client: Any, name: str, asked: tuple, word: str) -> None:
    with pytest.raises(Exception, match=word):
        client.predict(*asked, api_name=name)


def test_endpoints_are_documented(client: Any) -> None:
    named = client.view_api(return_format="dict")["named_endpoints"]
    for name, parameters in {
        "/attention": ["text", "second", "way", "layer", "head"],
        "/attention_statistics": ["text"],
        "/hidden_states": ["text", "view", "state", "unit", "remove_mean"],
    }.items():
        assert [each["parameter_name"] for each in named[name]["parameters"]] == parameters
        assert [each["parameter_has_default"] for each in named[name]["parameters"][1:]].count(False) == 0
        assert named[name]["description"]
