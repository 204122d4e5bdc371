"""What the models return: ordered dictionaries, also read by attribute, by index, or as a tuple.

A part that is None is not in the dictionary. `torch.export`, `torch.jit.trace`, `DataParallel`, accelerate and the
Trainer of transformers walk through nested containers: they find the tensors in here since the classes are
dictionaries and are registered as pytrees.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from torch import Tensor
from torch.utils import _pytree as pytree

Pasts = tuple[tuple[Tensor, ...], ...]
"""Keys and values of every layer: (batch, heads, length, head size) each, four a layer with cross-attention."""


class ModelOutput(OrderedDict[str, Any]):
    """The base of all outputs: dataclasses whose fields that are not None are their items, in order.

    A field can be set by attribute or by key. A mapping or pairs of names and values may stand in place of the fields,
    `MaskedLMOutput({"logits": logits})`, which is how accelerate and `DataParallel` put an output together again.
    """

    def __init_subclass__(cls) -> None:
        """Register the class as a pytree, whose leaves are the tensors."""
        super().__init_subclass__()
        pytree.register_pytree_node(
            cls,
            lambda output: (list(output.values()), list(output)),
            lambda values, names: cls(dict(zip(names, values, strict=True))),
            serialized_type_name=f"{cls.__module__}.{cls.__qualname__}",
            flatten_with_keys_fn=lambda output: (
                [(pytree.MappingKey(name), value) for name, value in output.items()],
                list(output),
            ),
        )

    def __post_init__(self) -> None:
        """Take the fields from a mapping or from pairs, if that is what the first of them is."""
        first = self._field_names()[0]
        given = self.__dict__[first]
        if len(self) == 1 and isinstance(given, Mapping | Iterator | list) and (given := _read_pairs(given)):
            self[first] = None
            for name, value in given.items():
                self[name] = value

    def _field_names(self) -> list[str]:
        return list(getattr(self, "__dataclass_fields__", ()))

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the parts that are there, in order."""
        return tuple(self.values())

    def __getitem__(self, key: str | int | slice) -> Any:
        """Return a field by its name, or by its place among those that are there."""
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a part; None takes it away. What is no field becomes a further part, at the end."""
        object.__setattr__(self, name, value)
        if value is None:
            if name in self:
                super().__delitem__(name)
            return
        new = name not in self
        super().__setitem__(name, value)
        if new and name in (order := self._field_names()):
            for later in [each for each in self if each not in order[: order.index(name) + 1]]:
                self.move_to_end(later)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field, so that it is found as an item as well."""
        self[name] = value

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"Set the parts of {type(self).__name__} one by one, by name; None takes one away.")

    # By these an item would change and its attribute would not.
    __delitem__ = pop = popitem = setdefault = update = clear = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a pickle needs: the class and the fields."""
        return type(self), (dict(self),)


def _read_pairs(given: Any) -> dict[str, Any]:
    """Return names and values, from a mapping or from pairs; nothing where it is neither."""
    pairs = list(given.items() if isinstance(given, Mapping) else given)
    named = all(isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs)
    return dict(pairs) if named else {}


@dataclass(eq=False)
class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    """What the bare model returns.

    Attributes:
        last_hidden_state: (batch, sequence, hidden), after the final layer norm.
        pooler_output: (batch, hidden), of the first token.
        hidden_states: a (batch, sequence, hidden) for the embeddings and each layer; the last one is
            `last_hidden_state`, those before it have not been through the final layer norm.
        past_key_values: of a decoder.
        attentions: a (batch, heads, sequence, sequence) for each layer.
        cross_attentions: a (batch, heads, sequence, encoder sequence) for each layer.
    """

    last_hidden_state: Tensor
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    past_key_values: Pasts | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass(eq=False)
class MaskedLMOutput(ModelOutput):
    """`logits` is (batch, sequence, vocabulary), or (chosen positions, vocabulary) where a `logits_mask` was given."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(eq=False)
class CausalLMOutputWithCrossAttentions(ModelOutput):
    """`logits` is (batch, sequence, vocabulary)."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    past_key_values: Pasts | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass(eq=False)
class SequenceClassifierOutput(ModelOutput):
    """`logits` is (batch, labels)."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(eq=False)
class MultipleChoiceModelOutput(SequenceClassifierOutput):
    """`logits` is (batch, choices)."""


@dataclass(eq=False)
class TokenClassifierOutput(SequenceClassifierOutput):
    """`logits` is (batch, sequence, labels)."""


@dataclass(eq=False)
class QuestionAnsweringModelOutput(ModelOutput):
    """`start_logits` and `end_logits` are (batch, sequence)."""

    loss: Tensor | None = None
    start_logits: Tensor | None = None
    end_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
