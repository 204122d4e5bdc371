"""What an option of a task is: a name, a kind, a default, bounds, and a sentence of help. No torch.

A task declares its options once, as a frozen dataclass whose fields are made by `option`. The checks, the flags of the
command line, JSON, the lines of Python and the inputs of an app all come from these fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from xlmrxl.errors import InputError, describe
from xlmrxl.tasks.labels import to_plain_scalar
from xlmrxl.tasks.texts import check_texts

Kind = Literal["integer", "number", "boolean", "choice", "text", "texts", "labels"]
"""`choice` is one of several words, `texts` a list of texts, `labels` a list of labels or a dict from them to words."""

KINDS: dict[Any, Kind] = {bool: "boolean", int: "integer", float: "number", str: "text"}
NAMES = {"boolean": "true or false", "text": "a text", "texts": "a list of texts"}

OptionsT = TypeVar("OptionsT", bound="TaskOptions")
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(frozen=True)
class Bounds:
    """Which values an option may have; None is no bound.

    Attributes:
        minimum: of a number.
        maximum: of a number.
        above: a number must be greater than this.
        max_items: of a list.
        max_length: characters of a text, or of each text of a list.
    """

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    max_items: int | None = None
    max_length: int | None = None

    def narrow(self, other: Bounds) -> Bounds:
        """Return these bounds, each replaced by the other's where that has one."""
        return replace(self, **{name: value for name, value in vars(other).items() if value is not None})


@dataclass(frozen=True)
class Option:
    """One option of a task.

    Attributes:
        name: in Python, JSON and links; on the command line with - for _.
        kind: see `Kind`.
        default: where it is not given.
        help: what it does, in a sentence or two.
        bounds: of its values.
        choices: of a `choice`.
        optional: whether it may be None.
        per_item: whether it may be a list with a value for each text.
        column: whether each row of a table may have its own.
        item: what one of several texts is called: "target" for `targets`.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    bounds: Bounds
    choices: tuple[str, ...] = ()
    optional: bool = False
    per_item: bool = False
    column: bool = False
    item: str = ""

    def check(self, value: Any) -> Any:
        """Return a value in the form in which options hold it: plain scalars, lists as tuples.

        Raises:
            InputError: the option cannot have it. The message names the option, the value, and what it may be.
            TypeError: something in a list of texts is no text.
        """
        if value is None and self.optional:
            return None
        if self.per_item and not isinstance(value, str) and isinstance(value, Iterable):
            return tuple(None if item is None and self.optional else self._check_one(item) for item in value)
        return self._check_one(value)

    def _check_one(self, value: Any) -> Any:
        value = to_plain_scalar(value)
        if self.kind == "labels":
            return self._check_labels(value)
        if self.kind == "texts":
            return self._check_texts(tuple(check_texts(value, self.name)))
        if self.kind in ("integer", "number"):
            return self._check_number(value)
        fits = isinstance(value, bool) if self.kind == "boolean" else isinstance(value, str)
        if not fits or (self.kind == "choice" and value not in self.choices):
            raise self._error(value)
        if self.kind == "text":
            self._check_texts((value,))
        return value

    def _check_number(self, value: Any) -> int | float:
        number = not isinstance(value, bool) and isinstance(value, int | float) and not math.isnan(value)
        whole = self.kind == "integer"
        if not number or (whole and isinstance(value, float) and not value.is_integer()):
            raise self._error(value)
        low, high, above = self.bounds.minimum, self.bounds.maximum, self.bounds.above
        if (
            (low is not None and value < low)
            or (high is not None and value > high)
            or (above is not None and value <= above)
        ):
            raise self._error(value)
        return int(value) if whole else float(value)

    def _check_texts(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        most, longest = self.bounds.max_items, self.bounds.max_length
        if most is not None and len(texts) > most:
            raise InputError(f"{self.name} has {len(texts)} entries; it must have at most {most}.")
        for text in texts:
            if longest is not None and len(text) > longest:
                raise InputError(
                    f"{self.name} has {describe(text)} of {len(text):,} characters; it must be at most {longest:,}."
                )
        return texts

    def _check_labels(self, value: Any) -> Any:
        from xlmrxl.tasks.templates import check_labels  # noqa: PLC0415 - it stands above this

        words = check_labels(value)
        self._check_texts(tuple(words))
        return LabelWords(words) if isinstance(value, Mapping) else tuple(words)

    def _error(self, value: Any) -> InputError:
        return InputError(f"{self.name} is {describe(value)}; it must be {self.describe_values()}.")

    def describe_values(self) -> str:
        """Return what the option may be: "a whole number from 1 to 6"."""
        if self.kind == "choice":
            described = f"one of {', '.join(self.choices)}"
        elif self.kind in ("integer", "number"):
            described = "a whole number" if self.kind == "integer" else "a number"
            bounds = self.bounds
            if bounds.minimum is not None and bounds.maximum is not None:
                described += f" from {bounds.minimum:g} to {bounds.maximum:g}"
            elif bounds.minimum is not None:
                described += f" of at least {bounds.minimum:g}"
            elif bounds.maximum is not None:
                described += f" of at most {bounds.maximum:g}"
            if bounds.above is not None:
                described += f" above {bounds.above:g}"
        else:
            described = NAMES[self.kind]
        return f"{described}, or None" if self.optional else described


class LabelWords(dict[str, tuple[str, ...]]):
    """Labels, each with the words that stand for it. Never changed, so that options can be keys."""

    def __hash__(self) -> int:  # type: ignore[override]
        """Return a hash, so that options with labels can be keys."""
        return hash(tuple(self.items()))


def option(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    kind: Kind | None = None,
    column: bool = False,
    item: str = "",
) -> Any:
    """Declare an option as a field of a dataclass; its kind and its choices come from the annotation.

    Args:
        default: where it is not given.
        help: what it does, in a sentence or two, for every place where it is shown.
        minimum: of a number.
        maximum: of a number.
        above: a number must be greater than this.
        kind: where the annotation does not say it.
        column: whether each row of a table may have its own.
        item: what one of several texts is called.
    """
    declared = {"help": help, "bounds": Bounds(minimum, maximum, above), "kind": kind, "column": column, "item": item}
    return field(default=default, metadata=declared)


@dataclass(frozen=True)
class TaskOptions:
    """The options of a task, checked when they are made.

    Raises:
        InputError: an option cannot have its value, or options do not go together.
    """

    def __post_init__(self) -> None:
        """Check every option, and whether they go together."""
        for each in self.declared():
            object.__setattr__(self, each.name, each.check(getattr(self, each.name)))
        self.check()

    def check(self) -> None:
        """Refuse options that do not go together; each alone has been checked."""

    @classmethod
    def declared(cls, narrowed: Mapping[str, Bounds] | None = None) -> tuple[Option, ...]:
        """Return the options that the task has, in order.

        Args:
            narrowed: tighter bounds of some, by their names, for people who are not trusted.
        """
        options = _read_fields(cls)  # type: ignore[arg-type]  # mypy takes a class for unhashable whose objects have a hash
        if not narrowed:
            return options
        return tuple(
            replace(each, bounds=each.bounds.narrow(narrowed[each.name])) if each.name in narrowed else each
            for each in options
        )

    @classmethod
    def from_arguments(cls: type[OptionsT], arguments: Mapping[str, Any]) -> OptionsT:
        """Return the options among the arguments of a function, as `locals()` has them."""
        return cls(**{each.name: arguments[each.name] for each in cls.declared()})

    @classmethod
    def from_dict(
        cls: type[OptionsT], values: Mapping[str, Any], narrowed: Mapping[str, Bounds] | None = None
    ) -> OptionsT:
        """Return options from plain values, as JSON has them; what is not among them has its default.

        Args:
            values: by the names of the options.
            narrowed: tighter bounds of some, as in `declared`.

        Raises:
            InputError: there is no such option, or it cannot have its value.
        """
        declared = {each.name: each for each in cls.declared(narrowed)}
        for name in values:
            if name not in declared:
                raise InputError(f"There is no option {describe(name)}; there are {', '.join(declared)}.")
        return cls(**{name: declared[name].check(value) for name, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return all options as plain values, which `from_dict` takes."""
        return {each.name: _to_plain(getattr(self, each.name)) for each in self.declared()}

    def changed(self) -> dict[str, Any]:
        """Return what differs from the defaults, as plain values: what a result records, and a line of Python says."""
        defaults = {each.name: each.default for each in self.declared()}
        return {name: value for name, value in self.to_dict().items() if value != _to_plain(defaults[name])}

    def to_python(self, call: str, *arguments: Any) -> str:
        """Return a call in Python with these options: `session.fill_mask('A <mask>.', top_k=3)`.

        Args:
            call: what is called.
            *arguments: given before the options.
        """
        given = [repr(argument) for argument in arguments]
        given += [f"{name}={value!r}" for name, value in self.changed().items()]
        return f"{call}({', '.join(given)})"


@cache
def _read_fields(cls: type[TaskOptions]) -> tuple[Option, ...]:
    """Return the options that a dataclass declares."""
    hints = get_type_hints(cls)
    found = []
    for each in fields(cls):
        annotation = hints[each.name]
        union = get_origin(annotation) in (Union, UnionType)
        members = [member for member in (get_args(annotation) if union else [annotation]) if member is not NoneType]
        first, *others = members
        choices = get_args(first) if get_origin(first) is Literal else ()
        listed = get_origin(first) is Sequence
        kind: Kind = each.metadata["kind"] or ("choice" if choices else "texts" if listed else KINDS[first])
        found.append(
            Option(
                each.name,
                kind,
                each.default,
                each.metadata["help"],
                each.metadata["bounds"],
                choices,
                union and NoneType in get_args(annotation),
                kind not in ("texts", "labels") and any(get_origin(other) is Sequence for other in others),
                each.metadata["column"],
                each.metadata["item"],
            )
        )
    return tuple(found)


def _to_plain(value: Any) -> Any:
    """Return a value of an option as JSON has it."""
    if isinstance(value, Mapping):
        return {name: list(words) for name, words in value.items()}
    return list(value) if isinstance(value, tuple) else value


def document_options(options: type[TaskOptions], **arguments: str) -> Callable[[FunctionT], FunctionT]:
    """Write the arguments of a function that takes options into its docstring, before what it raises.

    Args:
        options: of the task.
        **arguments: the others, with what is to be said of them; `progress` comes last.
    """

    def document(function: FunctionT) -> FunctionT:
        if function.__doc__:  # none with python -OO
            progress = arguments.pop("progress")
            said = arguments | {each.name: each.help for each in options.declared()} | {"progress": progress}
            lines = "".join(f"    {name}: {text}\n" for name, text in said.items())
            function.__doc__ = cleandoc(function.__doc__).replace("Raises:", f"Args:\n{lines}\nRaises:", 1)
        return function

    return document
