"""The options of the tasks: one declaration, from which signatures, flags, JSON and lines of Python come."""

from __future__ import annotations

import ast
import inspect
import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import xlmrxl.session
from xlmrxl import Session
from xlmrxl.cli.main import main
from xlmrxl.errors import InputError
from xlmrxl.tasks import options as declared
from xlmrxl.tasks.compare_precisions import compare_precisions
from xlmrxl.tasks.option_fields import Bounds, TaskOptions
from xlmrxl.tasks.options import (
    AnswerOptions,
    AttributeOptions,
    ChooseOptions,
    ClassifyOptions,
    CompareOptions,
    FillOptions,
    FitChooserOptions,
    FitClassifierOptions,
    TagOptions,
)

METHODS = {
    "fill_mask": FillOptions,
    "classify": ClassifyOptions,
    "attribute": AttributeOptions,
    "choose": ChooseOptions,
    "tag": TagOptions,
    "answer": AnswerOptions,
    "fit_classifier": FitClassifierOptions,
    "fit_chooser": FitChooserOptions,
}
COMMANDS = {
    "fill": FillOptions,
    "classify": ClassifyOptions,
    "choose": ChooseOptions,
    "tag": TagOptions,
    "answer": AnswerOptions,
    "fit-classifier": FitClassifierOptions,
    "compare": CompareOptions,
}
KINDS = [kind for kind in vars(declared).values() if isinstance(kind, type) and issubclass(kind, TaskOptions)]
KINDS.remove(TaskOptions)
OTHERS = {"text", "texts", "prompt", "prompts", "choices", "answers", "question", "context", "languages", "progress"}
"""Arguments of the methods that are no options, though one may be called as an option of another task is."""


def definitions() -> list[ast.FunctionDef]:
    """The methods of the session as they are written, each overload of its own."""
    tree = ast.parse(Path(xlmrxl.session.__file__).read_text(encoding="utf-8"))
    (session,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return [node for node in session.body if isinstance(node, ast.FunctionDef) and node.name in METHODS]


def written_arguments(node: ast.FunctionDef) -> dict[str, tuple[str, Any]]:
    """Annotation and default of each argument."""
    arguments = node.args
    before = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(before) - len(arguments.defaults)) + list(arguments.defaults) + list(arguments.kw_defaults)
    return {
        each.arg: (ast.unparse(each.annotation), ast.literal_eval(default))
        for each, default in zip([*before, *arguments.kwonlyargs], defaults, strict=True)
        if each.annotation is not None and default is not None
    }


def describe(kind: type[TaskOptions]) -> dict[str, tuple[str, Any]]:
    """The options as a signature has them: what stands in the dataclass is what has to be written."""
    annotations: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        annotations |= getattr(each, "__annotations__", {})
    return {option.name: (annotations[option.name], option.default) for option in kind.declared()}


@pytest.mark.parametrize("node", definitions(), ids=lambda node: f"{node.name}:{node.lineno}")
def test_a_method_has_the_options_of_its_task(node: ast.FunctionDef):
    written, wanted = written_arguments(node), describe(METHODS[node.name])
    found = {name: written[name] for name in written if name in wanted}
    lines = "".join(f"        {name}: {kind} = {default!r},\n" for name, (kind, default) in wanted.items())
    assert found == wanted, f"write into {node.name} of session.py:\n{lines}"
    assert list(found) == list(wanted)
    assert set(written) - set(wanted) <= OTHERS
    assert node.args.kwarg is None


def test_every_task_is_a_method():
    assert {node.name for node in definitions()} == METHODS.keys()
    assert {*METHODS.values(), CompareOptions} == set(KINDS)


def test_precisions_are_compared_with_the_options_of_that():
    parameters = inspect.signature(compare_precisions).parameters
    for option in CompareOptions.declared():
        assert parameters[option.name].default == option.default


@pytest.mark.parametrize("name", METHODS)
def test_help_shows_every_option(name: str):
    text = inspect.getdoc(getattr(Session, name))
    for option in METHODS[name].declared():
        assert f"{option.name}: {option.help}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_flag_for_every_option(name: str):
    flags = {each.name: each for each in main.commands[name].params if isinstance(each, click.Option)}
    for option in COMMANDS[name].declared():
        flag = flags[option.name]
        assert flag.help.startswith(option.help)
        if option.kind == "choice":
            assert tuple(flag.type.choices) == option.choices
        if option.kind == "integer" and option.bounds.minimum is not None:
            assert (flag.type.min, flag.type.max) == (option.bounds.minimum, option.bounds.maximum)


@pytest.mark.parametrize("kind", KINDS)
def test_options_are_what_their_plain_values_make(kind: type[TaskOptions]):
    options = kind()
    assert options.changed() == {}
    assert kind.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    assert all(option.help.endswith(".") for option in kind.declared())
    assert len({options, kind()}) == 1  # as a key


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (FillOptions(top_k=3, method="joint"), {"top_k": 3, "method": "joint"}),
        (FillOptions(targets="casa"), {"targets": ["casa"]}),
        (ClassifyOptions(labels=["a", "b"]), {"labels": ["a", "b"]}),
        (ClassifyOptions(labels={"a": "x", "b": ["y", "z"]}), {"labels": {"a": ["x"], "b": ["y", "z"]}}),
        (ChooseOptions(question=["cause", None]), {"question": ["cause", None]}),
        (FillOptions(top_k=np.int64(3), num_beams=7.0), {"top_k": 3, "num_beams": 7}),
    ],
)
def test_what_differs_makes_the_same_again(options: TaskOptions, changed: dict[str, Any]):
    assert options.changed() == changed
    again = type(options).from_dict(json.loads(json.dumps(changed)))
    assert again == options
    assert hash(again) == hash(options)
    call = options.to_python("type(options)")
    assert eval(call, {"options": options}) == options


def test_a_call_has_its_arguments_first():
    call = FillOptions(top_k=3).to_python("session.fill_mask", "It's <mask>.")
    assert call == 'session.fill_mask("It\'s <mask>.", top_k=3)'


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (FillOptions, {"top_k": 0}, "top_k is 0; it must be a whole number of at least 1."),
        (FillOptions, {"top_k": True}, "top_k is True; it must be a whole number of at least 1."),
        (FillOptions, {"top_k": 2.5}, "top_k is 2.5; it must be a whole number of at least 1."),
        (FillOptions, {"top_k": "5"}, "top_k is '5'; it must be a whole number of at least 1."),
        (FillOptions, {"max_subwords": 7}, "max_subwords is 7; it must be a whole number from 1 to 6."),
        (FillOptions, {"method": "both"}, "method is 'both'; it must be one of subwords, words, joint."),
        (FillOptions, {"method": None}, "method is None; it must be one of subwords, words, joint."),
        (FillOptions, {"punctuation": 1}, "punctuation is 1; it must be true or false."),
        (FillOptions, {"script": 7}, "script is 7; it must be a text, or None."),
        (ChooseOptions, {"question": ["why"]}, "question is 'why'; it must be one of cause, effect, or None."),
        (FitClassifierOptions, {"C": 0}, "C is 0; it must be a number above 0, or None."),
        (FitClassifierOptions, {"state": -1}, "state is -1; it must be a whole number of at least 0, or None."),
        (AnswerOptions, {"null_threshold": math.nan}, "null_threshold is nan; it must be a number, or None."),
    ],
)
def test_a_value_that_cannot_be_had_gets_a_sentence(kind: type[TaskOptions], values: dict[str, Any], sentence: str):
    for make in (lambda: kind(**values), lambda: kind.from_dict(values)):
        with pytest.raises(InputError) as error:
            make()
        assert str(error.value) == sentence


def test_an_option_that_there_is_not_is_named():
    with pytest.raises(InputError, match="There is no option 'words'; there are top_k, method"):
        FillOptions.from_dict({"words": True})


def test_bounds_can_be_narrower_for_strangers():
    narrowed = {"top_k": Bounds(maximum=20), "targets": Bounds(max_items=2, max_length=5)}
    options = {option.name: option for option in FillOptions.declared(narrowed)}
    assert (options["top_k"].bounds.minimum, options["top_k"].bounds.maximum) == (1, 20)
    assert FillOptions.from_dict({"top_k": 20, "targets": ["a", "b"]}, narrowed).top_k == 20
    for values, words in (
        ({"top_k": 21}, "a whole number from 1 to 20"),
        ({"targets": ["a", "b", "c"]}, "targets has 3 entries; it must have at most 2"),
        ({"targets": ["a longer one"]}, "at most 5"),
    ):
        with pytest.raises(InputError, match=words):
            FillOptions.from_dict(values, narrowed)
    assert FillOptions.from_dict({"top_k": 21}).top_k == 21
