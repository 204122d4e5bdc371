"""What an XLM-RoBERTa-XL architecture is, in numbers. Reads and writes config.json; imports no torch."""

from __future__ import annotations

import copy
import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from xlmrxl.checkpoints.adapter import refuse_adapter
from xlmrxl.checkpoints.hub import resolve_file
from xlmrxl.checkpoints.keywords import refuse_save_options, suggest, take_hub_options
from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, InputError, describe

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
    *("is_encoder_decoder", "torchscript", "gradient_checkpointing"),
)
GENERAL_SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("finetuning_task", "task_specific_params", "tokenizer_class", "prefix", "sep_token_id")),
    **dict.fromkeys(("decoder_start_token_id", "cross_attention_hidden_size", "bad_words_ids", "suppress_tokens")),
    **dict.fromkeys(("forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty")),
    "begin_suppress_tokens": None,
    **dict.fromkeys(("tie_encoder_decoder", "use_bfloat16", "tf_legacy_loss", "do_sample", "early_stopping"), False),
    **dict.fromkeys(("output_scores", "return_dict_in_generate", "remove_invalid_values"), False),
    **dict.fromkeys(("temperature", "top_p", "typical_p", "repetition_penalty", "length_penalty"), 1.0),
    **dict.fromkeys(("num_beams", "num_beam_groups", "num_return_sequences"), 1),
    **dict.fromkeys(("min_length", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size"), 0),
    **{"diversity_penalty": 0.0, "max_length": 20, "top_k": 50},
}
"""What the config of every model of transformers 4.37.2 says beside what is a parameter here, with the defaults. They
can be read and set; only what was set is written."""
MAY_BE_NONE = ("classifier_dropout", "bos_token_id", "eos_token_id")
MAX_LABELS = 100_000
MAX_NAME = 200
"""Characters of the name of a setting, a class or a label."""


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
        InputError: for a setting that no model can be built from.
    """

    model_type: ClassVar[str] = "xlm-roberta-xl"
    is_composition: ClassVar[bool] = False
    attribute_map: ClassVar[dict[str, str]] = {}
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]

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
        """Take the settings by name and check them all."""
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
        self.is_encoder_decoder: bool = kwargs.pop("is_encoder_decoder", False)
        self.torchscript: bool = kwargs.pop("torchscript", False)
        self.gradient_checkpointing: bool = kwargs.pop("gradient_checkpointing", False)
        self.chunk_size_feed_forward: int = kwargs.pop("chunk_size_feed_forward", 0)
        self.problem_type: str | None = kwargs.pop("problem_type", None)
        self.architectures: list[str] | None = kwargs.pop("architectures", None)
        private, attention = kwargs.pop("_attn_implementation", None), kwargs.pop("attn_implementation", None)
        attention = private if attention is None else attention
        self.attn_implementation: str = "sdpa" if attention is None else attention
        # "dtype" is what transformers 5 calls "torch_dtype".
        newer, older = kwargs.pop("dtype", None), kwargs.pop("torch_dtype", None)
        self.torch_dtype = newer if older is None else older
        self.pruned_heads = _read_pruned_heads(kwargs.pop("pruned_heads", None) or {})
        self._set_labels(kwargs)
        name_or_path, private = kwargs.pop("name_or_path", ""), kwargs.pop("_name_or_path", "")
        self.name_or_path: str = os.fspath(name_or_path or private or "")
        for name in ("model_type", "use_return_dict", "transformers_version", "_commit_hash"):
            kwargs.pop(name, None)
        for name, value in kwargs.items():
            if len(name) > MAX_NAME or hasattr(type(self), name):
                raise InputError(f"{describe(name)} cannot be the name of a setting.")
            setattr(self, name, value)
        self._check()

    def __getattr__(self, name: str) -> Any:
        """Return the default of a general setting that was not set."""
        if name in GENERAL_SETTINGS:
            return GENERAL_SETTINGS[name]
        raise AttributeError(f"{type(self).__name__} has no setting {name!r}.")

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
            raise InputError(f"label2id is {describe(label2id)}; it must give each label its number.")

    @property
    def num_labels(self) -> int:
        """Return the number of labels of the classification heads; set, it names them LABEL_0, LABEL_1 and so on."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        _check_integer("num_labels", count, 1, MAX_LABELS)
        if not hasattr(self, "id2label") or len(self.id2label) != count:
            self.id2label = {index: f"LABEL_{index}" for index in range(count)}
            self.label2id = {label: index for index, label in self.id2label.items()}

    @property
    def longest_input(self) -> int:
        """Return how many tokens a model reads at most, special ones included."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @property
    def use_return_dict(self) -> bool:
        """Return whether models give a named output (the default) or a plain tuple."""
        return self.return_dict and not self.torchscript

    @property
    def torch_dtype(self) -> Any:
        """Return the type of the weights as a `torch.dtype`, or None; it can be set by name as well."""
        if self._dtype_name is None:
            return None
        import torch  # noqa: PLC0415 - takes a second, and a config is read without it

        return getattr(torch, self._dtype_name)

    @torch_dtype.setter
    def torch_dtype(self, dtype: Any) -> None:
        self._dtype_name = None if dtype is None else str(dtype).removeprefix("torch.")
        if dtype is not None:
            _check_choice("torch_dtype", self._dtype_name, TORCH_DTYPES)

    dtype = torch_dtype  # its name in transformers 5

    @property
    def _attn_implementation(self) -> str:
        return self.attn_implementation

    @_attn_implementation.setter
    def _attn_implementation(self, value: str) -> None:
        self.attn_implementation = value

    def get_text_config(self, decoder: bool = False, encoder: bool = False) -> XLMRobertaXLConfig:
        """Return the config itself: the model reads text and nothing else."""
        return self

    def _check(self) -> None:
        self._check_kinds()
        self._check_sizes()
        _check_choice("position_embedding_type", self.position_embedding_type, POSITION_TYPES)
        _check_choice("attn_implementation", self.attn_implementation, ("sdpa", "eager"))
        if not callable(self.hidden_act):
            _check_choice("hidden_act", self.hidden_act, ACTIVATIONS)
        if self.problem_type is not None:
            _check_choice("problem_type", self.problem_type, PROBLEM_TYPES)
        named = self.architectures
        if named is not None and not (
            isinstance(named, list) and all(isinstance(name, str) and len(name) <= MAX_NAME for name in named)
        ):
            raise InputError(f"architectures is {describe(named)}; it must be a list of names of classes.")

    def _check_kinds(self) -> None:
        """Check each number and switch by itself."""
        for name, (least, most) in INTEGERS.items():
            if getattr(self, name) is not None or name not in MAY_BE_NONE:
                _check_integer(name, getattr(self, name), least, most)
        for name, (least, most) in FRACTIONS.items():
            if (value := getattr(self, name)) is None and name in MAY_BE_NONE:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                raise InputError(f"{name} is {describe(value)}; it must be a number from {least} to {most}.")
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} is {describe(getattr(self, name))}; it must be true or false.")

    def _check_sizes(self) -> None:
        """Check what depends on one another."""
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads})."
            )
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            if (value := getattr(self, name)) is not None and value >= self.vocab_size:
                raise InputError(f"{name} is {value}, but the vocabulary has only {self.vocab_size} rows.")
        if self.longest_input < 1:
            raise InputError(
                f"max_position_embeddings is {self.max_position_embeddings}; positions begin after pad_token_id "
                f"({self.pad_token_id}), so it must be at least {self.pad_token_id + 2}."
            )
        for layer, heads in self.pruned_heads.items():
            if layer >= self.num_hidden_layers or any(head >= self.num_attention_heads for head in heads):
                raise InputError(f"pruned_heads names a head that is not there, in layer {layer}.")
            if len(set(heads)) == self.num_attention_heads:
                raise InputError(f"pruned_heads leaves no head in layer {layer}.")

    def to_dict(self) -> dict[str, Any]:
        """Return everything that config.json holds, as plain values."""
        out = {name: copy.deepcopy(value) for name, value in vars(self).items() if value is not None}
        # How attention is computed and where the model came from belong to a run, not to the checkpoint.
        for name in ("attn_implementation", "name_or_path"):
            del out[name]
        for name in ("is_encoder_decoder", "torchscript", "gradient_checkpointing"):  # rare
            if not out[name]:
                del out[name]
        if (dtype := out.pop("_dtype_name", None)) is not None:
            out["torch_dtype"] = dtype
        if callable(self.hidden_act):
            out["hidden_act"] = getattr(self.hidden_act, "__name__", type(self.hidden_act).__name__)
        return {"model_type": self.model_type, **out}

    def to_diff_dict(self) -> dict[str, Any]:
        """Return what differs from a config made without arguments."""
        usual = type(self)().to_dict()
        return {
            name: value for name, value in self.to_dict().items() if name == "model_type" or usual.get(name) != value
        }

    def to_json_string(self, use_diff: bool = False) -> str:
        """Return the text of config.json.

        Args:
            use_diff: leave out what has its default value. A file that says all is read right whatever the defaults.
        """
        values = self.to_diff_dict() if use_diff else self.to_dict()
        return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike[str], use_diff: bool = False) -> None:
        """Write the config into a file, as `to_json_string` gives it."""
        Path(json_file_path).write_text(self.to_json_string(use_diff), encoding="utf-8")

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Write config.json into a folder, which is made if need be.

        Args:
            save_directory: the folder.
            **kwargs: what transformers takes and what is without effect here, such as `push_to_hub=False`.

        Raises:
            TypeError: an unknown argument.
            InputError: `push_to_hub=True`.
        """
        refuse_save_options("save_pretrained", kwargs)
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        self.to_json_file(folder / CONFIG_NAME)

    def update(self, config_dict: dict[str, Any]) -> None:
        """Set several settings by name."""
        for name, value in config_dict.items():
            setattr(self, name, value)

    @classmethod
    def from_dict(
        cls, config_dict: dict[str, Any], *, return_unused_kwargs: bool = False, **kwargs: Any
    ) -> XLMRobertaXLConfig | tuple[XLMRobertaXLConfig, dict[str, Any]]:
        """Make a config of plain values.

        Args:
            config_dict: what config.json holds.
            return_unused_kwargs: return with the config what of `kwargs` is no setting.
            **kwargs: settings that count instead of those in `config_dict`.

        Raises:
            TypeError: what of `kwargs` is no setting, unless it is to be returned.
            InputError: a setting that no model can be built from.
        """
        unused = cls._take_unknown(config_dict, kwargs, return_unused_kwargs)
        config = cls(**{**config_dict, **kwargs})
        return (config, unused) if return_unused_kwargs else config

    @classmethod
    def _take_unknown(cls, values: dict[str, Any], kwargs: dict[str, Any], accept: bool) -> dict[str, Any]:
        """Take what is no setting out of keyword arguments.

        Raises:
            TypeError: there is such, unless that is accepted.
        """
        settings = cls.setting_names() | values.keys()
        unknown = {name: kwargs.pop(name) for name in list(kwargs) if name not in settings}
        if unknown and not accept:
            name = next(iter(unknown))
            raise TypeError(
                f"{describe(name)} is neither an argument of from_pretrained nor a setting of the config"
                f"{suggest(name, settings)}."
            )
        return unknown

    @classmethod
    def setting_names(cls) -> set[str]:
        """Return the names of all settings that have a meaning, in this family or in every one of transformers."""
        named = {name for name in inspect.signature(cls).parameters if name != "kwargs"}
        named |= {*SWITCHES, "chunk_size_feed_forward", "problem_type", "architectures", "attn_implementation"}
        named |= {"dtype", "torch_dtype", "pruned_heads", "num_labels", "id2label", "label2id", "_attn_implementation"}
        return (
            named | GENERAL_SETTINGS.keys() | {"quantization_config", "name_or_path", "_name_or_path", "_commit_hash"}
        )

    @classmethod
    def from_json_file(cls, json_file: str | os.PathLike[str]) -> XLMRobertaXLConfig:
        """Read a config from a file, whatever its name.

        Raises:
            CheckpointError: it cannot be read, or describes another kind of model.
        """
        config = cls._from_file(Path(json_file))
        assert isinstance(config, XLMRobertaXLConfig)
        return config

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a config.json holds, and those of `kwargs` that do not say where it is."""
        where = take_hub_options(kwargs)
        return read_json_object(_find_config(pretrained_model_name_or_path, where)), kwargs

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Read the config of a folder, a Hub repository or `"default"`.

        Args:
            pretrained_model_name_or_path: where the checkpoint is.
            **kwargs: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download`, `subfolder` say where to
                look; `return_unused_kwargs` is that of `from_dict`; anything else overrides a setting.

        Returns:
            The config; with `return_unused_kwargs`, a pair of it and a dict.

        Raises:
            CheckpointError: there is no config.json, it cannot be read, or it describes another kind of model.
            TypeError: an argument that is no setting.
        """
        where = take_hub_options(kwargs)
        path = _find_config(pretrained_model_name_or_path, where)
        return cls._from_file(path, name_or_path=os.fspath(pretrained_model_name_or_path), **kwargs)

    @classmethod
    def _from_file(cls, path: Path, return_unused_kwargs: bool = False, **kwargs: Any) -> Any:
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
        unused = cls._take_unknown(values, kwargs, return_unused_kwargs)
        try:
            config = cls(**{**values, **kwargs})
        except (TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} cannot be used: {error}") from error
        return (config, unused) if return_unused_kwargs else config

    def __eq__(self, other: object) -> bool:
        """Return whether another config has the same settings."""
        return isinstance(other, XLMRobertaXLConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the class and the settings that differ from their defaults, as JSON."""
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
        raise InputError(f"{name} is {describe(value)}; it must be a whole number from {least:,} to {most:,}.")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} is {describe(value)}; it must be one of {', '.join(map(repr, choices))}.")


def _read_labels(id2label: Any) -> dict[int, str]:
    """Return the labels by number, which config.json has as text."""
    try:
        labels = {int(index): label for index, label in id2label.items()}
    except (AttributeError, TypeError, ValueError):
        labels = {}
    if not 0 < len(labels) <= MAX_LABELS or sorted(labels) != list(range(len(labels))):
        raise InputError(
            f"id2label is {describe(id2label)}; it must name the labels 0, 1, 2, …, and at most {MAX_LABELS:,} of them."
        )
    for index, label in labels.items():
        if isinstance(label, bool) or not isinstance(label, str | int | float) or len(str(label)) > MAX_NAME:
            raise InputError(
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
        raise InputError(f"pruned_heads is {describe(pruned)}; it must be lists of heads by layer.")
    return heads
