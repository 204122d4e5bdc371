"""What an XLM-RoBERTa-XL architecture is, in numbers. Reads and writes config.json; imports no torch."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from xlmrxl.adapter import refuse_adapter
from xlmrxl.hub import CheckpointError, describe, resolve_file
from xlmrxl.strict_json import read_json_object

CONFIG_NAME = "config.json"
ACTIVATIONS = ("gelu", "relu", "silu", "swish", "gelu_new", "gelu_pytorch_tanh", "tanh")
POSITION_TYPES = ("absolute", "relative_key", "relative_key_query")
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
TORCH_DTYPES = ("float64", "float32", "float16", "bfloat16")
INTEGERS = {
    "vocab_size": (1, 1 << 24),
    "hidden_size": (1, 1 << 16),
    "num_hidden_layers": (1, 1 << 10),
    "num_attention_heads": (1, 1 << 10),
    "intermediate_size": (1, 1 << 20),
    "max_position_embeddings": (3, 1 << 20),
    "type_vocab_size": (1, 1 << 10),
    "chunk_size_feed_forward": (0, 1 << 20),
    "pad_token_id": (0, 1 << 24),
    "bos_token_id": (0, 1 << 24),
    "eos_token_id": (0, 1 << 24),
}
"""The least and the most that each whole number may be: well beyond XXL, and little enough to be refused at once."""
FRACTIONS = {
    "hidden_dropout_prob": (0, 1),
    "attention_probs_dropout_prob": (0, 1),
    "classifier_dropout": (0, 1),
    "initializer_range": (0, 1000),
    "layer_norm_eps": (0, 1),
}
SWITCHES = (
    *("use_cache", "return_dict", "output_attentions", "output_hidden_states"),
    *("is_decoder", "add_cross_attention", "tie_word_embeddings"),
)
MAY_BE_NONE = ("classifier_dropout", "bos_token_id", "eos_token_id")
MAX_LABELS = 100_000
MAX_NAME = 200
"""Characters of the name of a setting, a class or a label."""
HUB_OPTIONS = ("revision", "cache_dir", "token", "local_files_only", "force_download", "subfolder")
"""Keyword arguments of every `from_pretrained` that say where to look, not what to build."""


class XLMRobertaXLConfig:
    """The sizes and switches of a model, with the names and defaults of transformers 4.37.2.

    The defaults are those of `facebook/xlm-roberta-xl`. Attributes may be changed before a model is built.

    Args:
        vocab_size: rows of the word embeddings.
        hidden_size: width of the hidden states; a multiple of `num_attention_heads`.
        num_hidden_layers: number of layers.
        num_attention_heads: heads in each layer.
        intermediate_size: width of the feed-forward layer.
        hidden_act: `"gelu"`, `"relu"`, `"silu"`, `"gelu_new"`, or a callable on tensors.
        hidden_dropout_prob: dropout after the embeddings and the attention output.
        attention_probs_dropout_prob: dropout on the attention weights.
        max_position_embeddings: rows of the position table; positions start at `pad_token_id` + 1, so a text can
            have `longest_input` tokens.
        type_vocab_size: number of token types.
        initializer_range: standard deviation of fresh weights.
        layer_norm_eps: epsilon of the layer norms.
        position_embedding_type: `"absolute"`, `"relative_key"` (Shaw et al. 2018) or `"relative_key_query"`
            (Huang et al. 2020, method 4).
        use_cache: whether a decoder returns its keys and values.
        classifier_dropout: dropout in the classification heads; `hidden_dropout_prob` if None.
        **kwargs: the settings every model of transformers has (`num_labels`, `id2label`, `problem_type`,
            `output_attentions`, `is_decoder`, `add_cross_attention`, …); what is unknown is kept and written again.

    Raises:
        ValueError: for a setting that no model can be built from.
    """

    model_type: ClassVar[str] = "xlm-roberta-xl"

    def __init__(
        self,
        vocab_size: int = 250880,
        hidden_size: int = 2560,
        num_hidden_layers: int = 36,
        num_attention_heads: int = 32,
        intermediate_size: int = 10240,
        hidden_act: str | Callable[..., Any] = "gelu",
        hidden_dropout_prob: float = 0.1,
        attention_probs_dropout_prob: float = 0.1,
        max_position_embeddings: int = 514,
        type_vocab_size: int = 1,
        initializer_range: float = 0.02,
        layer_norm_eps: float = 1e-05,
        pad_token_id: int = 1,
        bos_token_id: int = 0,
        eos_token_id: int = 2,
        position_embedding_type: str = "absolute",
        use_cache: bool = True,
        classifier_dropout: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.pad_token_id = pad_token_id
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id
        self.position_embedding_type = "absolute" if position_embedding_type is None else position_embedding_type
        self.use_cache = use_cache
        self.classifier_dropout = classifier_dropout

        self.return_dict: bool = kwargs.pop("return_dict", True)
        self.output_attentions: bool = kwargs.pop("output_attentions", False)
        self.output_hidden_states: bool = kwargs.pop("output_hidden_states", False)
        self.is_decoder: bool = kwargs.pop("is_decoder", False)
        self.add_cross_attention: bool = kwargs.pop("add_cross_attention", False)
        self.tie_word_embeddings: bool = kwargs.pop("tie_word_embeddings", True)
        self.chunk_size_feed_forward: int = kwargs.pop("chunk_size_feed_forward", 0)
        self.problem_type: str | None = kwargs.pop("problem_type", None)
        self.architectures: list[str] | None = kwargs.pop("architectures", None)
        attention = kwargs.pop("attn_implementation", None)
        self.attn_implementation: str = "sdpa" if attention is None else attention
        # "dtype" is what transformers 5 calls "torch_dtype".
        newer, older = kwargs.pop("dtype", None), kwargs.pop("torch_dtype", None)
        dtype = newer if older is None else older
        self.torch_dtype: str | None = None if dtype is None else str(dtype).removeprefix("torch.")
        self.pruned_heads = _read_pruned_heads(kwargs.pop("pruned_heads", None) or {})
        self._set_labels(kwargs)
        kwargs.pop("model_type", None)
        for name in ("use_return_dict", "name_or_path", "_name_or_path", "transformers_version"):
            kwargs.pop(name, None)
        for name, value in kwargs.items():
            if len(name) > MAX_NAME or hasattr(type(self), name):
                raise ValueError(f"{describe(name)} cannot be the name of a setting.")
            setattr(self, name, value)
        self._check()

    def _set_labels(self, kwargs: dict[str, Any]) -> None:
        id2label = kwargs.pop("id2label", None)
        label2id = kwargs.pop("label2id", None)
        num_labels = kwargs.pop("num_labels", None)
        if num_labels is not None:
            _check_integer("num_labels", num_labels, 1, MAX_LABELS)
        if id2label is not None:
            id2label = _read_labels(id2label)
        if id2label is None or (num_labels is not None and num_labels != len(id2label)):
            self.num_labels = 2 if num_labels is None else num_labels
            return
        self.id2label = id2label
        self.label2id = {label: index for index, label in id2label.items()} if label2id is None else label2id
        if not isinstance(self.label2id, dict) or not all(_is_integer(index) for index in self.label2id.values()):
            raise ValueError(f"label2id is {describe(label2id)}; it must give each label its number.")

    @property
    def num_labels(self) -> int:
        """Number of labels of the classification heads. Setting it names them LABEL_0, LABEL_1, …"""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        _check_integer("num_labels", count, 1, MAX_LABELS)
        if not hasattr(self, "id2label") or len(self.id2label) != count:
            self.id2label = {index: f"LABEL_{index}" for index in range(count)}
            self.label2id = {label: index for index, label in self.id2label.items()}

    @property
    def longest_input(self) -> int:
        """How many tokens a model reads at most, special ones included."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @property
    def use_return_dict(self) -> bool:
        """Whether models return a named output (the default) or a plain tuple."""
        return self.return_dict

    def _check(self) -> None:
        self._check_kinds()
        self._check_sizes()
        _check_choice("position_embedding_type", self.position_embedding_type, POSITION_TYPES)
        _check_choice("attn_implementation", self.attn_implementation, ("sdpa", "eager"))
        if not callable(self.hidden_act):
            _check_choice("hidden_act", self.hidden_act, ACTIVATIONS)
        if self.problem_type is not None:
            _check_choice("problem_type", self.problem_type, PROBLEM_TYPES)
        if self.torch_dtype is not None:
            _check_choice("torch_dtype", self.torch_dtype, TORCH_DTYPES)
        named = self.architectures
        if named is not None and not (
            isinstance(named, list) and all(isinstance(name, str) and len(name) <= MAX_NAME for name in named)
        ):
            raise ValueError(f"architectures is {describe(named)}; it must be a list of names of classes.")

    def _check_kinds(self) -> None:
        """Check each number and switch by itself."""
        for name, (least, most) in INTEGERS.items():
            if getattr(self, name) is not None or name not in MAY_BE_NONE:
                _check_integer(name, getattr(self, name), least, most)
        for name, (least, most) in FRACTIONS.items():
            if (value := getattr(self, name)) is None and name in MAY_BE_NONE:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                raise ValueError(f"{name} is {describe(value)}; it must be a number from {least} to {most}.")
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {describe(getattr(self, name))}; it must be true or false.")

    def _check_sizes(self) -> None:
        """Check what depends on one another."""
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads})."
            )
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            if (value := getattr(self, name)) is not None and value >= self.vocab_size:
                raise ValueError(f"{name} is {value}, but the vocabulary has only {self.vocab_size} rows.")
        if self.longest_input < 1:
            raise ValueError(
                f"max_position_embeddings is {self.max_position_embeddings}; positions begin after pad_token_id "
                f"({self.pad_token_id}), so it must be at least {self.pad_token_id + 2}."
            )
        for layer, heads in self.pruned_heads.items():
            if layer >= self.num_hidden_layers or any(head >= self.num_attention_heads for head in heads):
                raise ValueError(f"pruned_heads names a head that is not there, in layer {layer}.")
            if len(set(heads)) == self.num_attention_heads:
                raise ValueError(f"pruned_heads leaves no head in layer {layer}.")

    def to_dict(self) -> dict[str, Any]:
        """Everything that config.json holds, as plain values."""
        out = {name: copy.deepcopy(value) for name, value in vars(self).items() if value is not None}
        # How attention is computed belongs to a run, not to the checkpoint.
        del out["attn_implementation"]
        if callable(self.hidden_act):
            out["hidden_act"] = getattr(self.hidden_act, "__name__", type(self.hidden_act).__name__)
        return {"model_type": self.model_type, **out}

    def to_json_string(self) -> str:
        """The text of config.json."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> None:
        """Write config.json into a folder, which is made if need be."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).write_text(self.to_json_string(), encoding="utf-8")

    @classmethod
    def from_dict(cls, values: dict[str, Any], **overrides: Any) -> XLMRobertaXLConfig:
        """A config from plain values, with `overrides` on top."""
        return cls(**{**values, **overrides})

    @classmethod
    def from_pretrained(cls, name_or_path: str | os.PathLike[str], **kwargs: Any) -> XLMRobertaXLConfig:
        """Read the config of a folder, a Hub repository or `"default"`.

        Args:
            name_or_path: where the checkpoint is.
            **kwargs: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download`, `subfolder` say where to
                look; anything else overrides a setting.

        Raises:
            CheckpointError: there is no config.json, it cannot be read, or it describes another kind of model.
        """
        where = {name: kwargs.pop(name) for name in HUB_OPTIONS if name in kwargs}
        path = _find_config(name_or_path, where)
        values = read_json_object(path)
        kind = values.get("model_type", cls.model_type)
        # The first revision of facebook/xlm-roberta-xxl calls itself xlm-roberta; its sizes tell it apart.
        size = values.get("hidden_size")
        large = isinstance(size, int) and size >= 2560
        if kind != cls.model_type and not (kind == "xlm-roberta" and large):
            raise CheckpointError(
                f"{path} describes a model of type {describe(kind)}; xlmrxl reads {cls.model_type!r}, such as "
                "'facebook/xlm-roberta-xl' or 'facebook/xlm-roberta-xxl'."
            )
        try:
            return cls.from_dict(values, **kwargs)
        except (TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} cannot be used: {error}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XLMRobertaXLConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


def _find_config(name_or_path: str | os.PathLike[str], where: dict[str, Any]) -> Path:
    path = resolve_file(name_or_path, CONFIG_NAME, required=False, **where)
    if path is None:
        refuse_adapter(name_or_path, **where)
        # Asked for again as required: the hub knows best how to say what is missing.
        path = resolve_file(name_or_path, CONFIG_NAME, **where)
    assert path is not None
    return path


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_integer(name: str, value: Any, least: int, most: int) -> None:
    if not _is_integer(value) or not least <= value <= most:
        raise ValueError(f"{name} is {describe(value)}; it must be a whole number from {least:,} to {most:,}.")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {describe(value)}; it must be one of {', '.join(map(repr, choices))}.")


def _read_labels(id2label: Any) -> dict[int, str]:
    """Return the labels by number, which config.json has as text."""
    try:
        labels = {int(index): label for index, label in id2label.items()}
    except (AttributeError, TypeError, ValueError):
        labels = {}
    if not 0 < len(labels) <= MAX_LABELS or sorted(labels) != list(range(len(labels))):
        raise ValueError(
            f"id2label is {describe(id2label)}; it must name the labels 0, 1, 2, …, and at most {MAX_LABELS:,} of them."
        )
    for index, label in labels.items():
        if isinstance(label, bool) or not isinstance(label, str | int | float) or len(str(label)) > MAX_NAME:
            raise ValueError(
                f"id2label names label {index} {describe(label)}; a name has at most {MAX_NAME} characters."
            )
    return {index: str(label) for index, label in labels.items()}


def _read_pruned_heads(pruned: Any) -> dict[int, list[int]]:
    """Return the pruned heads by layer, whose number config.json has as text."""
    try:
        heads = {int(layer): list(those) for layer, those in pruned.items()}
    except (AttributeError, TypeError, ValueError):
        heads = None
    if heads is None or not all(
        layer >= 0 and all(_is_integer(head) and head >= 0 for head in those) for layer, those in heads.items()
    ):
        raise ValueError(f"pruned_heads is {describe(pruned)}; it must be lists of heads by layer.")
    return heads
