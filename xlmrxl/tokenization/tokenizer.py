"""The tokenizer of XLM-RoBERTa: text to ids and back, alone, in pairs and in batches.

The ids are those of transformers' tokenizers. Where those of 4.37.2 (a slow and a fast one) and 5.23 differ:

- Several splits of a text may score exactly the same ("Oooooo"). SentencePiece, and with it the slow tokenizer, lets
  rounding in float32 decide; here, as in the others, the pieces of a repetition come shortest first. A near tie
  between other pieces may still fall the other way (3 of 713,032 lines in 87 languages).
- Those others lose or tear apart some sequences that NFKC composes: Hangul written in jamo, half-width kana with a
  voicing mark, letters with two combining marks as in decomposed Vietnamese. They also take "＜mask＞" for a mask, and
  5.23 U+0085 for a space. Here, as in the slow tokenizer and in training, SentencePiece's own normalisation counts.
- `decode` leaves spaces before punctuation alone unless told otherwise, as 5.23 does.
- A `max_length` that the special tokens alone exceed is an error here; transformers then cuts nothing.
- A lone "▁" comes from no character here, there from the first one of its word.
- The special tokens of the family cannot be exchanged, since its models know no other; more can be added.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xlmrxl.checkpoints.hub import resolve_file
from xlmrxl.checkpoints.keywords import refuse_save_options, suggest, take_hub_options
from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, InputError, describe
from xlmrxl.tokenization.added_tokens import ADDED_NAME, LISTS_OF_SPECIAL, SPECIAL_NAME, AddedToken, read_added_tokens
from xlmrxl.tokenization.encoding import BatchEncoding, LazyEncodings, Row, RowReader, Text
from xlmrxl.tokenization.input_preparer import LIMITLESS, InputPreparer
from xlmrxl.tokenization.token_rows import add_ends, check_side, pick
from xlmrxl.tokenization.token_table import check_text
from xlmrxl.tokenization.tokenizer_files import (
    CONFIG_NAME,
    FAST_NAME,
    VOCAB_NAME,
    check_special_tokens,
    read_options,
    read_vocabulary,
    write_files,
)
from xlmrxl.tokenization.vocabulary import BOS, EOS, Span

__all__ = [
    "LIMITLESS",
    "AddedToken",
    "AutoTokenizer",
    "BatchEncoding",
    "XLMRobertaTokenizer",
    "XLMRobertaTokenizerFast",
]


class XLMRobertaTokenizer(InputPreparer):
    """The tokenizer of XLM-RoBERTa in all sizes.

    Args:
        vocab_file: the SentencePiece model, `sentencepiece.bpe.model`.
        tokenizer_file: `tokenizer.json`, of which the vocabulary is made where there is no `vocab_file`.
        model_max_length: tokens a model reads at most, special ones included; `truncation=True` cuts to it.
        padding_side: "right" or "left".
        truncation_side: "right" or "left": where tokens are cut off.
        add_prefix_space: False: words are looked up without the "▁" before them, and spaces are lost, as with
            transformers 5; None: as `tokenizer_file` says, else True.
        clean_up_tokenization_spaces: whether `decode` takes away spaces before English punctuation.
        split_special_tokens: whether special tokens written in a text are text like any other.
        model_input_names: the fields that a call returns unless it says otherwise; the ids come first.
        additional_special_tokens: special tokens to add.
        name_or_path: where the tokenizer came from.
        verbose: whether to log what a caller may have overlooked.
        tokenizer_config_file, added_tokens_file, special_tokens_map_file: the other files of a tokenizer. Tokens that
            were added to the vocabulary are read from any of the files.
        **kwargs: what transformers takes and what is without effect here: the special tokens of the family,
            `use_fast`, `do_lower_case` (which is logged), `sp_model_kwargs={}` and the like.

    Raises:
        CheckpointError: a file is absent, or is no vocabulary of this family.
        TypeError: an unknown argument.
        InputError: an argument that cannot be had, with what to do instead.
    """

    vocab_files_names = {"vocab_file": VOCAB_NAME, "tokenizer_file": FAST_NAME}  # noqa: RUF012 - as transformers
    is_fast = True
    can_save_slow_tokenizer = True

    def __init__(
        self,
        vocab_file: str | os.PathLike[str] | None = None,
        tokenizer_file: str | os.PathLike[str] | None = None,
        *,
        model_max_length: int = 512,
        padding_side: str = "right",
        truncation_side: str = "right",
        add_prefix_space: bool | None = None,
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        model_input_names: Sequence[str] = ("input_ids", "attention_mask"),
        additional_special_tokens: Sequence[str | AddedToken] = (),
        name_or_path: str | os.PathLike[str] = "",
        verbose: bool = True,
        tokenizer_config_file: str | os.PathLike[str] | None = None,
        added_tokens_file: str | os.PathLike[str] | None = None,
        special_tokens_map_file: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Read the vocabulary and the options."""
        given = dict(locals())
        self.init_inputs: tuple[Any, ...] = ()
        self.init_kwargs: dict[str, Any] = {
            name: value for name, value in given.items() if name not in ("self", "kwargs", "__class__")
        }
        special_tokens = [*additional_special_tokens, *(kwargs.pop("extra_special_tokens", None) or ())]
        check_side("padding_side", padding_side)
        check_side("truncation_side", truncation_side)
        if vocab_file is None and tokenizer_file is None:
            raise InputError(f"Give a vocabulary: {VOCAB_NAME} as vocab_file, or {FAST_NAME} as tokenizer_file.")
        self.vocab_file = None if vocab_file is None else os.fspath(vocab_file)
        self.model_max_length = model_max_length
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.split_special_tokens = split_special_tokens
        self.model_input_names = list(model_input_names)
        self.name_or_path = os.fspath(name_or_path)
        self.verbose = verbose
        self.deprecation_warnings: dict[str, bool] = {}
        fast, config, special = (
            None if file is None else (Path(file), read_json_object(Path(file)))
            for file in (tokenizer_file, tokenizer_config_file, special_tokens_map_file)
        )
        super().__init__(read_vocabulary(None if vocab_file is None else Path(vocab_file), fast, add_prefix_space))
        self._take_ineffective(kwargs)
        for named in (config, special):
            if named is not None:
                check_special_tokens(*named)
        added = None if added_tokens_file is None else Path(added_tokens_file)
        tokens, without_id, names = read_added_tokens(fast, config, added, special)
        try:
            self._vocabulary = self._vocabulary.with_tokens(tokens)
            self._add(without_id)
        except ValueError as error:
            raise CheckpointError(
                f"The files of the tokenizer beside {vocab_file or tokenizer_file} contradict each other. {error}"
            ) from None
        self._special_order = names
        if special_tokens:
            self.additional_special_tokens = special_tokens

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle needs."""
        # What was logged is no part of the tokenizer, so a pickle is the same before and after.
        return vars(self) | {"deprecation_warnings": {}}

    def __repr__(self) -> str:
        """Return the class, the number of tokens and the limit of a text."""
        return f"{type(self).__name__}({len(self)} tokens, model_max_length={self.model_max_length})"

    def _take_ineffective(self, kwargs: dict[str, Any]) -> None:
        """Accept what changes nothing.

        Raises:
            TypeError: an unknown argument.
            InputError: one that would change the result and cannot be had.
        """
        for name, value in kwargs.items():
            if name in self.SPECIAL_TOKENS_ATTRIBUTES:
                if value is not None:
                    setattr(self, name, value)  # refuses another token than the family's
            elif name in _MUST_BE_OFF:
                if value:
                    raise InputError(f"{name} cannot be {describe(value)} here. {_MUST_BE_OFF[name]}.")
            elif name not in _WITHOUT_EFFECT:
                known = {*self.init_kwargs, *_WITHOUT_EFFECT, *_MUST_BE_OFF}
                raise TypeError(f"The tokenizer has no argument {name!r}{suggest(name, known)}.")
            elif name == "do_lower_case" and value:
                self._log_once("do_lower_case has no effect: the vocabulary distinguishes cases. Lower texts yourself.")
            self.init_kwargs[name] = value

    @property
    def add_prefix_space(self) -> bool:
        """Return whether words are looked up with the space before them."""
        return self._vocabulary.add_prefix_space

    @property
    def max_len_single_sentence(self) -> int:
        """Return how many tokens of a text a model reads, special ones not counted."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=False)

    @property
    def max_len_sentences_pair(self) -> int:
        """Return how many tokens of a pair of texts a model reads, special ones not counted."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *, subfolder: str = "", **kwargs: Any
    ) -> XLMRobertaTokenizer:
        """Load the tokenizer of a folder, a Hub repository, or `"default"`, the embedded one.

        Args:
            pretrained_model_name_or_path: which one; see `xlmrxl.checkpoints.hub`.
            subfolder: of the folder or repository.
            **kwargs: `revision`, `cache_dir`, `token`, `local_files_only`, `force_download`: see
                `xlmrxl.checkpoints.hub`; the arguments of the class, which count instead of those in
                `tokenizer_config.json`; and what transformers takes and what is without effect here.

        Raises:
            CheckpointError: a file is missing, cannot be reached or cannot be read.
            TypeError: an unknown argument.
            InputError: an argument that cannot be had, with what to do instead.
        """
        where = {**take_hub_options(kwargs), "subfolder": subfolder}

        def find(filename: str, *, required: bool = False) -> Path | None:
            return resolve_file(pretrained_model_name_or_path, filename, required=required, **where)

        fast_file = kwargs.pop("tokenizer_file", None) or find(FAST_NAME)
        config_file = find(CONFIG_NAME)
        options = {} if config_file is None else read_options(config_file, read_json_object(config_file))
        # Where neither is there, the hub knows best how to say so.
        vocab_file = kwargs.pop("vocab_file", None) or find(VOCAB_NAME, required=fast_file is None)
        files = {
            "tokenizer_config_file": config_file,
            "added_tokens_file": find(ADDED_NAME),
            "special_tokens_map_file": find(SPECIAL_NAME),
        }
        name = {"name_or_path": pretrained_model_name_or_path}
        return cls(vocab_file, fast_file, **{**name, **options, **files, **kwargs})

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
        **kwargs: Any,
    ) -> tuple[str, ...]:
        """Write the vocabulary and the options into a folder, which is made if need be; returns the files' paths.

        Beside what `from_pretrained` reads there is `tokenizer.json`, without which the AutoTokenizer of
        transformers 5 opens no checkpoint of XLM-RoBERTa-XL.

        Args:
            save_directory: the folder.
            legacy_format: without effect: the files of slow and fast tokenizers are written, whichever is asked for.
            filename_prefix: goes before the name of each file; such files are not found by `from_pretrained`.
            **kwargs: what transformers takes and what is without effect here, such as `push_to_hub=False`.

        Raises:
            TypeError: an unknown argument.
            InputError: `push_to_hub=True`.
        """
        refuse_save_options("save_pretrained", kwargs)
        options: dict[str, Any] = {
            "tokenizer_class": "XLMRobertaTokenizer",
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
        } | {name: getattr(self, name) for name in self.SPECIAL_TOKENS_ATTRIBUTES[:-1]}
        for name, usual in (
            ("add_prefix_space", True),
            ("clean_up_tokenization_spaces", False),
            ("split_special_tokens", False),
        ):
            if getattr(self, name) != usual:
                options[name] = not usual
        files: dict[str, Any] = {CONFIG_NAME: options, FAST_NAME: self._vocabulary.tokenizer_json()}
        if self._vocabulary.added:
            options["added_tokens_decoder"] = {i: token.to_dict() for i, token in self.added_tokens_decoder.items()}
            options |= dict.fromkeys(LISTS_OF_SPECIAL, self.additional_special_tokens)
            files[ADDED_NAME] = self.get_added_vocab()
        return write_files(Path(save_directory), filename_prefix, self._vocabulary.serialized(), files)

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write the SentencePiece model alone into a folder, which is made if need be; returns its path."""
        return write_files(Path(save_directory), filename_prefix, self._vocabulary.serialized(), {})

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        *,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_attention_mask: bool | None = None,
        return_token_type_ids: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        split_special_tokens: bool | None = None,
        verbose: bool = True,
        pad_to_max_length: bool = False,
        truncation_strategy: bool | str | None = None,
    ) -> BatchEncoding:
        """Encode a text, a pair of texts, or a batch (a list) of either, as `<s> A </s>` or `<s> A </s></s> B </s>`.

        Special tokens written in a text, `<mask>` above all, stand for themselves. `token_type_ids` are all 0.

        Args:
            text: a text, or several. An item of a batch may also be a pair of texts.
            text_pair: the second text, or as many as there are first ones.
            text_target: what a model is to answer, encoded like `text`: alone, or as the field `labels` beside it.
            text_pair_target: the second texts of `text_target`.
            add_special_tokens: whether `<s>` and `</s>` go around.
            padding: True or "longest": to the longest of the batch; "max_length": to `max_length`.
            truncation: True or "longest_first": cut to `max_length`, the longer of the two texts first; "only_first",
                "only_second": cut that one. None: "longest_first" if `max_length` is given and there is no padding.
            max_length: in tokens, special ones included; `model_max_length` if None.
            stride: how many tokens neighbouring windows share, with `return_overflowing_tokens`.
            is_split_into_words: whether each text is a list of its words. Then `word_ids` count these, and offsets are
                places in a word.
            pad_to_multiple_of: round the padded length up.
            padding_side: "right" or "left"; by default the attribute of that name.
            return_tensors: "pt" or "np": int64 [batch, length] instead of lists.
            return_attention_mask: `attention_mask`, 0 at padding; by default as `model_input_names` says: yes.
            return_token_type_ids: `token_type_ids`; by default as `model_input_names` says: no.
            return_overflowing_tokens: what truncation leaves off makes further rows, windows of the same length; then
                there is `overflow_to_sample_mapping`, the number of the text that each row is of.
            return_special_tokens_mask: `special_tokens_mask`, 1 at special tokens that were added and at padding.
            return_offsets_mapping: `offset_mapping`, a (start, end) for each token: it came from `text[start:end]` of
                its own text. (0, 0) for special tokens that were added, and an empty span for a lone "▁".
            return_length: `length`, the tokens of each row, padding included.
            split_special_tokens: whether special tokens written in a text are text like any other; by default the
                attribute of that name. (transformers' fast tokenizers then find them again as words.)
            verbose: whether to log what may have been overlooked.
            pad_to_max_length: an older name of `padding="max_length"`, or "longest" where there is no `max_length`.
            truncation_strategy: an older name of `truncation`.

        Returns:
            A list for each field asked for, or a list of them for a batch; `input_ids` first.

        Raises:
            TypeError: something other than text.
            InputError: a lone surrogate, or options that cannot be met.
        """
        if text_target is not None:
            options = {name: value for name, value in locals().items() if name not in _TEXTS}
            return self._encode_with_targets((text, text_pair), (text_target, text_pair_target), options)
        if text_pair_target is not None:
            raise InputError("There is a text_pair_target, but no text_target.")
        if pad_to_max_length and padding is False:
            padding = "longest" if max_length is None else "max_length"
        pairs, batched = _read_texts(text, text_pair, is_split_into_words)
        pad, cut, limit = self._read_lengths(
            padding, truncation_strategy if truncation is None else truncation, max_length, verbose, pad_to_multiple_of
        )
        if split_special_tokens is None:
            split_special_tokens = self.split_special_tokens
        side = self.padding_side if padding_side is None else padding_side
        check_side("padding_side", side)
        reader = RowReader(self._vocabulary, add_special_tokens, split_special_tokens, None, side)
        found = _RowCollector(add_special_tokens, return_special_tokens_mask, return_offsets_mapping)
        for sample, (first, second) in enumerate(pairs):
            a, places = self._encode(reader, first, return_offsets_mapping)
            b, others = (None, None) if second is None else self._encode(reader, second, return_offsets_mapping)
            added = self.num_special_tokens_to_add(b is not None) if add_special_tokens else 0
            total = len(a) + len(b or ()) + added
            if not cut or total <= limit:
                if max_length is None and total > limit:
                    self._log_once(
                        f"Text of {total} tokens, where a model reads {limit} at most: pass truncation=True.", verbose
                    )
                found.add(sample, (first, second, None), a, b, places, others)
                continue
            count = None if b is None else len(b)
            for windows in self._cut(len(a), count, limit - added, cut, stride, return_overflowing_tokens):
                one, two = windows
                ids, spans = (pick(a, one), pick(b, two)), (pick(places, one), pick(others, two))
                found.add(sample, (first, second, windows), *ids, *spans)
        columns = self._make_columns(found.ids, return_token_type_ids, return_attention_mask) | found.columns
        reader.length = self._pad(columns, pad, max_length, pad_to_multiple_of, side)
        if return_length:
            columns["length"] = [len(row) for row in found.ids]
        if return_overflowing_tokens:
            columns["overflow_to_sample_mapping"] = found.samples
        elif not batched and return_tensors is None:
            columns = {name: rows[0] if isinstance(rows[0], list) else rows for name, rows in columns.items()}
        return BatchEncoding(columns, LazyEncodings(found.rows, reader), tensor_type=return_tensors)

    def encode(self, text: Any, text_pair: Any = None, *args: Any, **options: Any) -> Any:
        """Return the ids of one text or pair: a list, or a tensor [1, length]; the options are those of a call."""
        return self.encode_plus(text, text_pair, *args, **options)[self.model_input_names[0]]

    def encode_plus(
        self, text: Any, text_pair: Any = None, add_special_tokens: bool = True, *args: Any, **options: Any
    ) -> BatchEncoding:
        """Encode one text or pair; the options are those of a call."""
        if not options.get("is_split_into_words"):
            check_text(text, "text")
        elif text and not isinstance(text, str) and isinstance(text[0], list | tuple):
            raise TypeError("text must be a list of words, not of lists; a call takes several texts.")
        return self(text, text_pair, None, None, add_special_tokens, *args, **options)

    def batch_encode_plus(
        self, batch_text_or_text_pairs: Any, add_special_tokens: bool = True, *args: Any, **options: Any
    ) -> BatchEncoding:
        """Encode several texts, or pairs as items of the list; the options are those of a call."""
        if not isinstance(batch_text_or_text_pairs, list | tuple):
            raise TypeError(f"A batch is a list of texts, not {type(batch_text_or_text_pairs).__name__}.")
        return self(batch_text_or_text_pairs, None, None, None, add_special_tokens, *args, **options)

    def tokenize(self, text: Any, pair: Any = None, add_special_tokens: bool = False, **options: Any) -> list[str]:
        """Return the tokens of a text; what the vocabulary does not know appears as it is written.

        Args:
            text: the text.
            pair: a second text.
            add_special_tokens: whether `<s>` and `</s>` go around.
            **options: those of a call.
        """
        return self.encode_plus(text, pair, add_special_tokens, **{"verbose": False, **options}).tokens()

    def _encode_with_targets(
        self, texts: tuple[Any, Any], targets: tuple[Any, Any], options: dict[str, Any]
    ) -> BatchEncoding:
        """Encode what a model is to answer, alone or as the labels of texts."""
        target = self(*targets, **options)
        if texts[0] is None:
            return target
        encoding = self(*texts, **options)
        encoding["labels"] = target[self.model_input_names[0]]
        return encoding

    def _encode(self, reader: RowReader, text: Text, offsets: bool) -> tuple[list[int], list[Span]]:
        """Return the ids of a text, or of its words, and if asked for where they come from."""
        if offsets:
            found = reader.segment(text)
            return found.ids, found.spans
        if isinstance(text, str):
            return self._vocabulary.encode(text, reader.plain), []
        return [i for word in text for i in self._vocabulary.encode(word, reader.plain)], []


class _RowCollector:
    """The rows of a call, of which the fields are made.

    Args:
        special_tokens: whether special tokens go around each.
        masks: whether a special_tokens_mask is asked for.
        offsets: whether an offset_mapping is asked for.
    """

    def __init__(self, special_tokens: bool, masks: bool, offsets: bool) -> None:
        """Read the vocabulary and the options."""
        self._special_tokens = special_tokens
        self._ends = (BOS, EOS) if special_tokens else None
        self.ids: list[list[int]] = []
        self.rows: list[Row] = []
        self.samples: list[int] = []
        self.columns: dict[str, list[Any]] = {}
        if masks:
            self.columns["special_tokens_mask"] = []
        if offsets:
            self.columns["offset_mapping"] = []

    def add(
        self,
        sample: int,
        row: Row,
        first: list[int],
        second: list[int] | None,
        spans: list[Span],
        second_spans: list[Span] | None,
    ) -> None:
        """Add the tokens of a text or pair, or a window of them."""
        self.ids.append(add_ends(first, second, self._ends))
        self.rows.append(row)
        self.samples.append(sample)
        if not self.columns:
            return
        if "special_tokens_mask" in self.columns:
            zeros = None if second is None else [0] * len(second)
            mask = add_ends([0] * len(first), zeros, (1, 1) if self._special_tokens else None)
            self.columns["special_tokens_mask"].append(mask)
        if "offset_mapping" in self.columns:
            ends = ((0, 0), (0, 0)) if self._special_tokens else None
            self.columns["offset_mapping"].append(add_ends(spans, second_spans, ends))


class XLMRobertaTokenizerFast(XLMRobertaTokenizer):
    """The same by the name that it has in code for the fast tokenizers of transformers: there is only one."""


class AutoTokenizer:
    """So that code for transformers runs with only its import changed."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: str | os.PathLike[str], **options: Any) -> XLMRobertaTokenizer:
        """Load an `XLMRobertaTokenizer`, whatever `use_fast` says: there is only one."""
        return XLMRobertaTokenizer.from_pretrained(pretrained_model_name_or_path, **options)


_TEXTS = ("self", "text", "text_pair", "text_target", "text_pair_target")
_WITHOUT_EFFECT = frozenset(
    (
        *("use_fast", "from_slow", "legacy", "config", "tokenizer_type", "tokenizer_class", "processor_class"),
        *("_spm_precompiled_charsmap", "auto_map", "do_lower_case"),
    )
)
"""Arguments of tokenizers of transformers that change nothing here."""
_MUST_BE_OFF = {
    "sp_model_kwargs": "A text is always cut the same way; sample with the sentencepiece package and pass the ids",
    "chat_template": "A masked language model has no chats",
    "truncation": "Pass truncation with each call",
    "padding": "Pass padding with each call",
}
"""Arguments that cannot be had, unless they are empty or False, with what to do instead."""


def _read_texts(text: Any, pair: Any, words: bool) -> tuple[list[tuple[Text, Text | None]], bool]:
    """Return the texts with their second texts, and whether they came as a batch."""
    read = _read_words if words else check_text
    single = not (text and isinstance(text, list | tuple) and isinstance(text[0], list | tuple)) if words else False
    if single or isinstance(text, str):
        return [(read(text, "text"), None if pair is None else read(pair, "text_pair"))], False
    if not isinstance(text, list | tuple):
        raise TypeError(f"text must be a str or a list of them, not {type(text).__name__}.")
    if pair is not None and (not isinstance(pair, list | tuple) or len(pair) != len(text)):
        raise InputError(f"text is a list of {len(text)}, so text_pair must be a list of {len(text)} as well.")
    pairs: list[tuple[Text, Text | None]] = []
    for i, item in enumerate(text):
        if pair is not None:
            pairs.append((read(item, f"text[{i}]"), read(pair[i], f"text_pair[{i}]")))
        elif isinstance(item, list | tuple) and len(item) == 2 and not (words and isinstance(item[0], str)):
            pairs.append((read(item[0], f"text[{i}][0]"), read(item[1], f"text[{i}][1]")))
        else:
            pairs.append((read(item, f"text[{i}]"), None))
    return pairs, True


def _read_words(words: Any, name: str) -> list[str]:
    if not isinstance(words, list | tuple):
        raise TypeError(f"{name} must be a list of words, not {type(words).__name__}, with is_split_into_words=True.")
    return [check_text(word, f"{name}[{i}]") for i, word in enumerate(words)]
