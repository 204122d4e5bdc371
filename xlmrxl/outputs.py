"""What the models return. Each is read by attribute, by key, by index, or as a tuple; absent parts take no place."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

Pasts = tuple[tuple[Tensor, ...], ...]
"""Keys and values of every layer: (batch, heads, length, head size) each, four a layer with cross-attention."""


@dataclass(eq=False)
class ModelOutput:
    """The named results of a forward pass, in order; a field that is None is not there."""

    def _present(self) -> dict[str, Any]:
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def to_tuple(self) -> tuple[Any, ...]:
        """The parts that are there, in order."""
        return tuple(self._present().values())

    def keys(self) -> KeysView[str]:
        """The names of the parts that are there."""
        return self._present().keys()

    def values(self) -> ValuesView[Any]:
        """The parts that are there."""
        return self._present().values()

    def items(self) -> ItemsView[str, Any]:
        """Names and parts."""
        return self._present().items()

    def get(self, name: str, default: Any = None) -> Any:
        """A part by name, or `default` where it is not there."""
        return self._present().get(name, default)

    def __getitem__(self, key: str | int | slice) -> Any:
        return self._present()[key] if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __contains__(self, name: object) -> bool:
        return name in self._present()

    def __iter__(self) -> Iterator[str]:
        return iter(self._present())

    def __len__(self) -> int:
        return len(self._present())


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
