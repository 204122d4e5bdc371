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
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, overload

from xlmrxl.added_tokens import (
    ADDED_NAME,
    LISTS_OF_SPECIAL,
    SPECIAL_NAME,
    AddedToken,
    next_ids,
    read_added_tokens,
)
from xlmrxl.encoding import (
    PADDINGS,
    TRUNCATIONS,
    BatchEncoding,
    checked_ids,
    choice,
    finished,
    framed,
    kept,
    pad_rows,
    plain,
)
from xlmrxl.hub import CheckpointError, describe, resolve_file
from xlmrxl.strict_json import read_json_object
from xlmrxl.tokenizer_json import SPACE, build_sentencepiece, is_other_vocabulary
from xlmrxl.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

__all__ = ["AddedToken", "AutoTokenizer", "BatchEncoding", "XLMRobertaTokenizer"]

VOCAB_NAME = "sentencepiece.bpe.model"
CONFIG_NAME = "tokenizer_config.json"
FAST_NAME = "tokenizer.json"
LIMITLESS = 10**9
"""A `model_max_length` beyond this (transformers writes 1e30) means that there is none."""

T = TypeVar("T")

_TOKEN_NAMES = ("bos_token", "eos_token", "sep_token", "cls_token", "pad_token", "unk_token", "mask_token")
_FILLERS = {
    "input_ids": PAD,
    "token_type_ids": 0,
    "attention_mask": 0,
    "special_tokens_mask": 1,
    "offset_mapping": (0, 0),
}
_NEEDLESS_SPACE = re.compile(r" (?:([.?!,]|n't|'m|'s|'ve|'re)|(') )")

logger = logging.getLogger(__name__)


class XLMRobertaTokenizer:
    """The tokenizer of XLM-RoBERTa in all sizes.

    Args:
        vocab_file: the SentencePiece model, `sentencepiece.bpe.model`.
        model_max_length: tokens a model reads at most, special ones included; `truncation=True` cuts to it.
        padding_side: "right" or "left".
        truncation_side: "right" or "left": where tokens are cut off.
        tokenizer_file: `tokenizer.json`, of which the vocabulary is made where there is no `vocab_file`.
        tokenizer_config_file, added_tokens_file, special_tokens_map_file: the other files of a tokenizer. Tokens that
            were added to the vocabulary are read from any of the files.

    Raises:
        CheckpointError: a file is absent, or is no vocabulary of this family.
    """

    bos_token = cls_token = "<s>"
    pad_token = "<pad>"
    eos_token = sep_token = "</s>"
    unk_token = "<unk>"
    mask_token = "<mask>"
    bos_token_id = cls_token_id = BOS
    pad_token_id = PAD
    eos_token_id = sep_token_id = EOS
    unk_token_id = UNK
    model_input_names = ("input_ids", "attention_mask")

    def __init__(
        self,
        vocab_file: str | os.PathLike[str] | None = None,
        *,
        model_max_length: int = 512,
        padding_side: str = "right",
        truncation_side: str = "right",
        tokenizer_file: str | os.PathLike[str] | None = None,
        tokenizer_config_file: str | os.PathLike[str] | None = None,
        added_tokens_file: str | os.PathLike[str] | None = None,
        special_tokens_map_file: str | os.PathLike[str] | None = None,
    ) -> None:
        for name, side in (("padding_side", padding_side), ("truncation_side", truncation_side)):
            if side not in ("right", "left"):
                raise ValueError(f"{name} is 'right' or 'left', not {describe(side)}.")
        if vocab_file is None and tokenizer_file is None:
            raise ValueError(f"Give a vocabulary: {VOCAB_NAME} as vocab_file, or {FAST_NAME} as tokenizer_file.")
        self.vocab_file = None if vocab_file is None else os.fspath(vocab_file)
        self.model_max_length = model_max_length
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self._logged: set[str] = set()
        fast, config, special = (
            None if file is None else (Path(file), read_json_object(Path(file)))
            for file in (tokenizer_file, tokenizer_config_file, special_tokens_map_file)
        )
        self._vocabulary = _read_vocabulary(None if vocab_file is None else Path(vocab_file), fast)
        for named in (config, special):
            if named is not None:
                _check_special_tokens(*named)
        added = None if added_tokens_file is None else Path(added_tokens_file)
        tokens, without_id = read_added_tokens(fast, config, added, special)
        try:
            self._vocabulary.add(tokens)
            self._add(without_id)
        except ValueError as error:
            raise CheckpointError(
                f"The files of the tokenizer beside {vocab_file or tokenizer_file} contradict each other. {error}"
            ) from None

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        subfolder: str = "",
        **overrides: Any,
    ) -> XLMRobertaTokenizer:
        """The tokenizer of a folder, a Hub repository, or `"default"`, the embedded one.

        Args:
            name_or_path, revision, cache_dir, token, local_files_only, force_download, subfolder: see `xlmrxl.hub`.
            **overrides: `model_max_length`, `padding_side` or `truncation_side`, instead of those in its
                `tokenizer_config.json`.

        Raises:
            CheckpointError: a file is missing, cannot be reached or cannot be read.
        """

        def find(filename: str, *, required: bool = False) -> Path | None:
            return resolve_file(
                name_or_path,
                filename,
                revision=revision,
                cache_dir=cache_dir,
                token=token,
                local_files_only=local_files_only,
                force_download=force_download,
                subfolder=subfolder,
                required=required,
            )

        fast_file, config_file = find(FAST_NAME), find(CONFIG_NAME)
        options = {} if config_file is None else _read_options(config_file, read_json_object(config_file))
        return cls(
            # Where neither is there, the hub knows best how to say so.
            find(VOCAB_NAME, required=fast_file is None),
            tokenizer_file=fast_file,
            tokenizer_config_file=config_file,
            added_tokens_file=find(ADDED_NAME),
            special_tokens_map_file=find(SPECIAL_NAME),
            **{**options, **overrides},
        )

    def save_pretrained(self, folder: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write the vocabulary and the options into a folder, which is made if need be; returns the files' paths.

        Beside what `from_pretrained` reads there is `tokenizer.json`, without which the AutoTokenizer of
        transformers 5 opens no checkpoint of XLM-RoBERTa-XL.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {
            "tokenizer_class": "XLMRobertaTokenizer",
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
        } | {name: getattr(self, name) for name in _TOKEN_NAMES}
        files: dict[str, Any] = {CONFIG_NAME: options, FAST_NAME: self._vocabulary.tokenizer_json()}
        if self._vocabulary.added:
            options["added_tokens_decoder"] = {i: token.to_dict() for i, token in self.added_tokens_decoder.items()}
            options |= dict.fromkeys(LISTS_OF_SPECIAL, self.additional_special_tokens)
            files[ADDED_NAME] = self.get_added_vocab()
        (target / VOCAB_NAME).write_bytes(self._vocabulary.serialized())
        for name, values in files.items():
            indent = None if name == FAST_NAME else 2
            text = json.dumps(values, ensure_ascii=False, indent=indent)
            (target / name).write_text(text + ("" if indent is None else "\n"), encoding="utf-8")
        if not self._vocabulary.added:  # of an earlier tokenizer in this folder
            (target / ADDED_NAME).unlink(missing_ok=True)
        (target / SPECIAL_NAME).unlink(missing_ok=True)
        return tuple(str(target / name) for name in (VOCAB_NAME, *files))

    def __len__(self) -> int:
        return self.vocab_size + sum(i >= self.vocab_size for i in self._vocabulary.added)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens, model_max_length={self.model_max_length})"

    @property
    def vocab_size(self) -> int:
        """Return how many tokens the vocabulary has, `<mask>` included, without those that were added after it."""
        return self._vocabulary.size

    @property
    def token_ids(self) -> list[int]:
        """Return every id that has a token, in order: a model may have more rows, which stand for nothing."""
        return [*range(self.vocab_size), *sorted(i for i in self._vocabulary.added if i >= self.vocab_size)]

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Return the special tokens of the family and the tokens that were added, by id."""
        return dict(sorted((self._vocabulary.special_tokens() | self._vocabulary.added).items()))

    @property
    def additional_special_tokens(self) -> list[str]:
        """Return the special tokens that were added."""
        return [token.content for _, token in sorted(self._vocabulary.added.items()) if token.special]

    @property
    def all_special_tokens(self) -> list[str]:
        """Return the special tokens, those that were added last."""
        return ["<s>", "</s>", "<unk>", "<pad>", "<mask>", *self.additional_special_tokens]

    def get_added_vocab(self) -> dict[str, int]:
        """Return the tokens that were added, with their ids."""
        return {token.content: i for i, token in sorted(self._vocabulary.added.items())}

    def add_tokens(
        self, new_tokens: str | AddedToken | Sequence[str | AddedToken], special_tokens: bool = False
    ) -> int:
        """Add tokens that stand for themselves wherever a text has them.

        Give the model a row for each: `model.resize_token_embeddings(len(tokenizer))`, unless it has spare ones.

        Args:
            new_tokens: one or several. What the vocabulary has keeps its id; a new one has the next.
            special_tokens: whether they are special: looked for in the text as it is written, and left out by
                `skip_special_tokens`.

        Returns:
            How many are new.

        Raises:
            ValueError: one is empty or no text.
        """
        given = [new_tokens] if isinstance(new_tokens, str | AddedToken) else list(new_tokens)
        tokens = [
            replace(token, special=token.special or special_tokens)
            if isinstance(token, AddedToken)
            else AddedToken(token, special=special_tokens)
            for token in given
        ]
        return self._add(tokens)

    def add_special_tokens(
        self, special_tokens_dict: Mapping[str, Any], replace_additional_special_tokens: bool = True
    ) -> int:
        """Add special tokens, by the names that transformers has for them.

        Args:
            special_tokens_dict: `additional_special_tokens` (or `extra_special_tokens`): a list. The others, such as
                `mask_token`, are those of the family and cannot be changed.
            replace_additional_special_tokens: whether those that were added before are special no longer.

        Returns:
            How many are new.

        Raises:
            ValueError: another name, or another token for one of the family's.
        """
        new: list[str | AddedToken] = []
        for name, value in special_tokens_dict.items():
            if name in LISTS_OF_SPECIAL:
                new += list(value.values() if isinstance(value, Mapping) else value)
            elif name not in _TOKEN_NAMES:
                raise ValueError(f"There is no special token {describe(name)}; use {LISTS_OF_SPECIAL[0]}.")
            elif str(value) != getattr(self, name):
                raise ValueError(f"The {name} of XLM-RoBERTa is {getattr(self, name)!r} and cannot be {str(value)!r}.")
        if new and replace_additional_special_tokens:
            stay = {str(token) for token in new}
            self._vocabulary.add(
                {
                    i: replace(token, special=False)
                    for i, token in self._vocabulary.added.items()
                    if token.special and token.content not in stay
                }
            )
        return self.add_tokens(new, special_tokens=True)

    def _add(self, tokens: Sequence[AddedToken]) -> int:
        vocabulary = self._vocabulary
        new = [token.content for token in tokens if not vocabulary.has(token.content)]
        ids = next_ids(new, self.get_added_vocab(), vocabulary.size)
        own = vocabulary.special_ids
        vocabulary.add(
            {
                ids.get(token.content, vocabulary.id(token.content)): token
                for token in tokens
                if token.content not in own
            }
        )
        return len(ids)

    @property
    def mask_token_id(self) -> int:
        """The last id."""
        return self._vocabulary.mask_id

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return [self._vocabulary.id(token) for token in self.all_special_tokens]

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id, made anew at each call."""
        return {self._vocabulary.token(i): i for i in self.token_ids}

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...
    @overload
    def convert_tokens_to_ids(self, tokens: list[str] | tuple[str, ...]) -> list[int]: ...
    def convert_tokens_to_ids(self, tokens: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """The id of a token, or of each of several; that of `<unk>` for what is no token."""
        if isinstance(tokens, list | tuple):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        return self._vocabulary.id(_checked(tokens, "The token"))

    @overload
    def convert_ids_to_tokens(self, ids: int, skip_special_tokens: bool = False) -> str: ...
    @overload
    def convert_ids_to_tokens(self, ids: Iterable[Any], skip_special_tokens: bool = False) -> list[str]: ...
    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> str | list[str]:
        """The token of an id, or those of a list, tensor or array [n].

        The vocabulary of a model may have more rows than there are tokens; such an id reads as `<unk>`.

        Raises:
            ValueError: an id is negative or no integer.
        """
        row = checked_ids(ids)
        if isinstance(ids, int):
            return self._vocabulary.token(row[0])
        special = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._vocabulary.token(i) for i in row if i not in special]

    def __call__(
        self,
        text: str | Sequence[str] | Sequence[Sequence[str]],
        text_pair: str | Sequence[str] | None = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        return_tensors: str | None = None,
        return_attention_mask: bool | None = None,
        return_token_type_ids: bool | None = None,
        return_offsets_mapping: bool = False,
        return_special_tokens_mask: bool = False,
    ) -> BatchEncoding:
        """Encode a text, a pair of texts, or a batch (a list) of either, as `<s> A </s>` or `<s> A </s></s> B </s>`.

        Special tokens written in a text, `<mask>` above all, stand for themselves. `token_type_ids` are all 0.

        Args:
            text: a text, or several. An item of a batch may also be a pair of texts.
            text_pair: the second text, or as many as there are first ones.
            padding: True or "longest": to the longest of the batch; "max_length": to `max_length`.
            truncation: True or "longest_first": cut to `max_length`, the longer of the two texts first; "only_first",
                "only_second": cut that one. None: "longest_first" if `max_length` is given and there is no padding.
            max_length: in tokens, special ones included; `model_max_length` if None.
            pad_to_multiple_of: round the padded length up.
            return_tensors: "pt" or "np": int64 [batch, length] instead of lists.
            return_attention_mask: `attention_mask`, 0 at padding; by default yes.
            return_offsets_mapping: `offset_mapping`, a (start, end) for each token: it came from `text[start:end]` of
                its own text. (0, 0) for special tokens that were added, and an empty span for a lone "▁".
            return_special_tokens_mask: `special_tokens_mask`, 1 at special tokens that were added and at padding.

        Returns:
            A list for each field asked for, or a list of them for a batch; `input_ids` first.

        Raises:
            TypeError: something other than text.
            ValueError: a lone surrogate, or options that cannot be met.
        """
        pairs, batched = _pairs(text, text_pair)
        pad = choice("padding", padding, PADDINGS)
        cut = choice("truncation", truncation, TRUNCATIONS)
        if truncation is None and max_length is not None and pad is None:
            self._log_once("max_length is given without truncation: cutting to it, longest_first.")
            cut = "longest_first"
        limit = self.model_max_length if max_length is None else max_length
        if cut and pad and pad_to_multiple_of and limit <= LIMITLESS and limit % pad_to_multiple_of:
            raise ValueError(f"max_length, {limit}, is no multiple of pad_to_multiple_of, {pad_to_multiple_of}.")
        asked = {
            "input_ids": True,
            "token_type_ids": return_token_type_ids,
            "attention_mask": return_attention_mask is not False,
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": return_offsets_mapping,
        }
        columns: dict[str, list[Any]] = {name: [] for name, wanted in asked.items() if wanted}
        for first, second in pairs:
            a, spans_a = self._vocabulary.encode(first, return_offsets_mapping)
            b, spans_b = (None, None) if second is None else self._vocabulary.encode(second, return_offsets_mapping)
            added = self.num_special_tokens_to_add(b is not None) if add_special_tokens else 0
            total = len(a) + len(b or ()) + added
            if cut and total > limit:
                keep_a, keep_b = kept(len(a), None if b is None else len(b), limit - added, cut)
                a, spans_a = self._cut(a, keep_a), self._cut(spans_a, keep_a)
                b, spans_b = b and self._cut(b, keep_b), spans_b and self._cut(spans_b, keep_b)
                total = limit
            elif max_length is None and total > limit:
                self._log_once(f"Text of {total} tokens, where a model reads {limit} at most: pass truncation=True.")
            fields = {
                "input_ids": framed(a, b, (BOS, EOS) if add_special_tokens else None),
                "token_type_ids": [0] * total,
                "attention_mask": [1] * total,
                "special_tokens_mask": self.get_special_tokens_mask(a, b) if add_special_tokens else [0] * total,
                "offset_mapping": framed(spans_a, spans_b, ((0, 0), (0, 0)) if add_special_tokens else None),
            }
            for name, column in columns.items():
                column.append(fields[name])
        self._pad(columns, pad, max_length, pad_to_multiple_of)
        return finished(columns, return_tensors, batched)

    def encode(self, text: str, text_pair: str | None = None, **options: Any) -> Any:
        """The ids of one text or pair: a list, or a tensor [1, length]; the options are those of a call."""
        return self(_checked(text, "text"), text_pair, **options)["input_ids"]

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens: bool = False) -> list[str]:
        """The tokens of a text; what the vocabulary does not know appears as it is written."""
        first = self._vocabulary.tokens(_checked(text, "text"))
        second = None if pair is None else self._vocabulary.tokens(_checked(pair, "pair"))
        return framed(first, second, (self.bos_token, self.eos_token) if add_special_tokens else None)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens stand around a text, or a pair."""
        return 4 if pair else 2

    def build_inputs_with_special_tokens(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> list[int]:
        """`<s> A </s>` or `<s> A </s></s> B </s>`, in ids."""
        return framed(list(ids), None if pair is None else list(pair), (BOS, EOS))

    def get_special_tokens_mask(
        self, ids: Sequence[int], pair: Sequence[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 where a special token would be added, or where one stands already; else 0."""
        if already_has_special_tokens:
            special = set(self.all_special_ids)
            return [int(i in special) for i in checked_ids(ids)]
        return framed([0] * len(ids), None if pair is None else [0] * len(pair), (1, 1))

    def create_token_type_ids_from_sequences(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> list[int]:
        """Zeros: this family has one type of token."""
        return [0] * len(self.build_inputs_with_special_tokens(ids, pair))

    def pad(
        self,
        encoded_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        *,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
    ) -> BatchEncoding:
        """Pad what was encoded before: an encoding, or a list of encodings of one text each.

        Fields that the tokenizer does not know, such as labels, stay as they are.
        """
        if isinstance(encoded_inputs, Mapping):
            columns = {name: plain(value) for name, value in encoded_inputs.items()}
        else:
            names = encoded_inputs[0] if encoded_inputs else ()
            columns = {name: [plain(example[name]) for example in encoded_inputs] for name in names}
        if "input_ids" not in columns:
            raise ValueError(f"There are no input_ids to pad, only {', '.join(columns) or 'nothing'}.")
        batched = not columns["input_ids"] or isinstance(columns["input_ids"][0], list)
        if not batched:
            columns = {name: [value] for name, value in columns.items()}
        if return_attention_mask is not False and "attention_mask" not in columns:
            columns["attention_mask"] = [[1] * len(row) for row in columns["input_ids"]]
        self._pad(columns, choice("padding", padding, PADDINGS), max_length, pad_to_multiple_of)
        return finished(columns, return_tensors, batched)

    def decode(
        self, ids: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None
    ) -> str:
        """The text of a row of ids: a list, tensor or array [n], or one id. Ids without a token give nothing.

        Args:
            skip_special_tokens: leave out `<s>`, `</s>`, `<unk>`, `<pad>` and `<mask>`.
            clean_up_tokenization_spaces: take away spaces before English punctuation and contractions.

        Raises:
            ValueError: an id is negative or no integer, or there are several rows.
        """
        special = set(self.all_special_ids) if skip_special_tokens else ()
        known = self._vocabulary
        row = [i for i in checked_ids(ids) if (i < known.size or i in known.added) and i not in special]
        # The space before the first word is no part of the text.
        tokens = (self._vocabulary.token(i).replace(SPACE, " " if place else "") for place, i in enumerate(row))
        text = "".join(tokens)
        return _NEEDLESS_SPACE.sub(r"\1\2", text) if clean_up_tokenization_spaces else text

    def batch_decode(self, sequences: Any, **options: Any) -> list[str]:
        """The texts of several rows of ids, with the options of `decode`."""
        return [self.decode(row, **options) for row in plain(sequences)]

    def _cut(self, row: list[T], keep: int) -> list[T]:
        return row[:keep] if self.truncation_side == "right" else row[max(len(row) - keep, 0) :]

    def _pad(
        self, columns: dict[str, list[Any]], padding: str | None, max_length: int | None, multiple: int | None
    ) -> None:
        limit = self.model_max_length if max_length is None else max_length
        if padding == "longest":
            pad_rows(columns, _FILLERS, None, multiple, self.padding_side)
        elif padding == "max_length" and limit <= LIMITLESS:
            pad_rows(columns, _FILLERS, limit, multiple, self.padding_side)

    def _log_once(self, message: str) -> None:
        kind = message.partition(" ")[0]
        if kind not in self._logged:
            self._logged.add(kind)
            logger.warning(message)


class AutoTokenizer:
    """So that code for transformers runs with only its import changed."""

    @staticmethod
    def from_pretrained(
        name_or_path: str | os.PathLike[str], *, use_fast: bool = True, **options: Any
    ) -> XLMRobertaTokenizer:
        """An `XLMRobertaTokenizer`, whatever `use_fast` says: there is only one."""
        return XLMRobertaTokenizer.from_pretrained(name_or_path, **options)


def _read_vocabulary(vocab_file: Path | None, fast: tuple[Path, Mapping[str, Any]] | None) -> Vocabulary:
    """Read a vocabulary; where two files have one, they must have the same."""
    if vocab_file is None:
        assert fast is not None
        path, values = fast
        try:
            return Vocabulary(build_sentencepiece(values), path)
        except ValueError as error:
            raise CheckpointError(f"{path} cannot be used: {error}. Take the {VOCAB_NAME} of the original.") from None
    try:
        # The bytes, not the path: some versions of SentencePiece abort the process where the path is a folder.
        vocabulary = Vocabulary(vocab_file.read_bytes(), vocab_file)
    except OSError as error:
        raise CheckpointError(f"{vocab_file} cannot be read: {error.strerror or error}.") from None
    if fast is not None and is_other_vocabulary(fast[1], vocabulary.pieces()):
        raise CheckpointError(f"{vocab_file} and {fast[0]} hold different vocabularies. Remove the wrong one.")
    return vocabulary


def _check_special_tokens(path: Path, values: Mapping[str, Any]) -> None:
    """Refuse special tokens of another family."""
    for name in _TOKEN_NAMES:
        token = values.get(name)
        content = token.get("content") if isinstance(token, dict) else token
        expected = getattr(XLMRobertaTokenizer, name)
        if content is not None and content != expected:
            raise CheckpointError(
                f"{path} says that the {name} is {describe(content)}; that of XLM-RoBERTa is {expected!r}, and xlmrxl "
                "reads no other."
            )


def _read_options(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `tokenizer_config.json` says that matters here."""
    known: dict[str, Any] = {}
    for name in ("padding_side", "truncation_side"):
        if config.get(name) is not None:
            known[name] = config[name]
            if known[name] not in ("right", "left"):
                raise CheckpointError(f"{path} says that {name} is {describe(known[name])}; it is 'right' or 'left'.")
    longest = config.get("model_max_length")
    if longest is not None:
        if isinstance(longest, bool) or not isinstance(longest, int | float) or not 1 <= longest < math.inf:
            raise CheckpointError(
                f"{path} says that model_max_length is {describe(longest)}; it is a number of tokens."
            )
        known["model_max_length"] = int(longest)
    return known


def _pairs(text: Any, pair: Any) -> tuple[list[tuple[str, str | None]], bool]:
    """The texts with their second texts, and whether they came as a batch."""
    if isinstance(text, str):
        return [(_checked(text, "text"), None if pair is None else _checked(pair, "text_pair"))], False
    if not isinstance(text, list | tuple):
        raise TypeError(f"text must be a str or a list of them, not {type(text).__name__}.")
    if pair is not None and (not isinstance(pair, list | tuple) or len(pair) != len(text)):
        raise ValueError(f"text is a list of {len(text)}, so text_pair must be a list of {len(text)} as well.")
    pairs: list[tuple[str, str | None]] = []
    for i, item in enumerate(text):
        if pair is not None:
            pairs.append((_checked(item, f"text[{i}]"), _checked(pair[i], f"text_pair[{i}]")))
        elif isinstance(item, list | tuple) and len(item) == 2:
            pairs.append((_checked(item[0], f"text[{i}][0]"), _checked(item[1], f"text[{i}][1]")))
        else:
            pairs.append((_checked(item, f"text[{i}]"), None))
    return pairs, True


def _checked(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}.")
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has a lone surrogate, U+{ord(text[error.start]):04X}, at position {error.start}. "
            "It is half a character; read the text again with the right encoding."
        ) from None
    return text
