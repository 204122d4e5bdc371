"""From ids to what a model reads: special tokens around them, truncation, padding, tensors.

Knows nothing of text.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from xlmrxl.errors import InputError
from xlmrxl.tokenization.encoding import BatchEncoding
from xlmrxl.tokenization.token_rows import (
    PADDINGS,
    TRUNCATIONS,
    add_ends,
    cut_windows,
    pad_rows,
    pair_windows,
    read_choice,
    read_ids,
    to_lists,
    truncated_lengths,
)
from xlmrxl.tokenization.token_table import TokenTable
from xlmrxl.tokenization.vocabulary import BOS, EOS

LIMITLESS = 10**9
"""A `model_max_length` beyond this (transformers writes 1e30) means that there is none."""
LABEL_FILLER = -100
"""The label that losses of torch leave out."""

logger = logging.getLogger("xlmrxl.tokenization.tokenizer")


class InputPreparer(TokenTable):
    """What a tokenizer does with ids; the tokenizer itself is made of it."""

    model_max_length: int
    padding_side: str
    truncation_side: str
    model_input_names: list[str]
    verbose: bool
    deprecation_warnings: dict[str, bool]

    def prepare_for_model(
        self,
        ids: Sequence[int],
        pair_ids: Sequence[int] | None = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        *,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        prepend_batch_axis: bool = False,
    ) -> BatchEncoding:
        """Put special tokens around ids that were encoded without them, cut and pad them.

        `ids` are of a text, `pair_ids` of a second one. `return_overflowing_tokens` gives `overflowing_tokens`, what
        was cut off with `stride` tokens of what is left, and `num_truncated_tokens`, how many were cut off.
        `prepend_batch_axis` gives tensors an axis for the batch. All else is as in a call of the tokenizer.

        Raises:
            InputError: options that cannot be met.
        """
        first, second = list(ids), None if pair_ids is None else list(pair_ids)
        pad, cut, limit = self._read_lengths(padding, truncation, max_length, verbose)
        added = self.num_special_tokens_to_add(second is not None) if add_special_tokens else 0
        excess = len(first) + len(second or ()) + added - limit
        overflow: list[int] = []
        if cut and excess > 0:
            if limit < added:
                raise InputError("max_length is smaller than the number of special tokens; raise it.")
            first, second, overflow = self.truncate_sequences(first, second, excess, cut, stride)
        row = add_ends(first, second, (BOS, EOS) if add_special_tokens else None)
        columns = self._make_columns([row], return_token_type_ids, return_attention_mask)
        if return_special_tokens_mask:
            mask = self.get_special_tokens_mask(first, second) if add_special_tokens else [0] * len(row)
            columns["special_tokens_mask"] = [mask]
        self._pad(
            columns, pad, max_length, pad_to_multiple_of, self.padding_side if padding_side is None else padding_side
        )
        fields = {name: column[0] for name, column in columns.items()}
        if return_overflowing_tokens:
            fields |= {"overflowing_tokens": overflow, "num_truncated_tokens": excess}
        if return_length:
            fields["length"] = len(fields[self.model_input_names[0]])
        return BatchEncoding(fields, tensor_type=return_tensors, prepend_batch_axis=prepend_batch_axis)

    def truncate_sequences(
        self,
        ids: Sequence[int],
        pair_ids: Sequence[int] | None = None,
        num_tokens_to_remove: int = 0,
        truncation_strategy: str = "longest_first",
        stride: int = 0,
    ) -> tuple[list[int], list[int] | None, list[int]]:
        """Cut ids off a text, or a pair, at `truncation_side`.

        Args:
            ids: of a text.
            pair_ids: of a second text.
            num_tokens_to_remove: how many to cut off.
            truncation_strategy: as in a call.
            stride: how many of the tokens that are left precede (or follow) those in what was cut off.

        Returns:
            What is left of both, and what was cut off, which is not said of a pair cut by "longest_first".

        Raises:
            InputError: there are fewer tokens.
        """
        first, second = list(ids), None if pair_ids is None else list(pair_ids)
        cut = read_choice("truncation_strategy", truncation_strategy, TRUNCATIONS)
        if cut is None or num_tokens_to_remove <= 0:
            return first, second, []
        room = len(first) + len(second or ()) - num_tokens_to_remove
        if cut == "longest_first" and second is not None and room >= 0:
            # Unlike in a call, an odd token goes to the first text, as in transformers.
            keep_second = min(len(second), max(room // 2, room - len(first)))
            return self._keep(first, room - keep_second), self._keep(second, keep_second), []
        keep = truncated_lengths(len(first), None if second is None else len(second), room, cut)
        whole, left = (second or [], keep[1]) if cut == "only_second" else (first, keep[0])
        lost = min(len(whole), len(whole) - left + stride)
        overflow = whole[len(whole) - lost :] if self.truncation_side == "right" else whole[:lost]
        return self._keep(first, keep[0]), second if second is None else self._keep(second, keep[1]), overflow

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Return how many special tokens stand around a text, or a pair."""
        return 4 if pair else 2

    def build_inputs_with_special_tokens(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """Return `<s> A </s>` or `<s> A </s></s> B </s>`, in ids."""
        return add_ends(list(token_ids_0), None if token_ids_1 is None else list(token_ids_1), (BOS, EOS))

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Return 1 where a special token would be added, or where one stands already; else 0."""
        if already_has_special_tokens:
            if token_ids_1 is not None:
                raise InputError("Ids that have their special tokens are one row: leave token_ids_1 out.")
            special = set(self.all_special_ids)
            return [int(i in special) for i in read_ids(token_ids_0)]
        second = None if token_ids_1 is None else [0] * len(token_ids_1)
        return add_ends([0] * len(token_ids_0), second, (1, 1))

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """Return zeros: this family has one type of token."""
        return [0] * len(self.build_inputs_with_special_tokens(token_ids_0, token_ids_1))

    @contextmanager
    def as_target_tokenizer(self) -> Iterator[None]:
        """Do nothing for as long as targets are encoded: they are encoded like other texts."""
        yield

    def pad(
        self,
        encoded_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Pad what was encoded before: an encoding, or a list of encodings of one text each.

        Labels are padded with -100, which losses leave out, where each text has as many as tokens. Fields that the
        tokenizer does not know stay as they are.

        `encoded_inputs` are the encodings, of lists, tensors or arrays. The other arguments are as in a call of the
        tokenizer, but that tensors or arrays come out where such went in, and that `verbose` is without effect.

        Raises:
            InputError: no ids to pad, or fields that make no tensor.
        """
        if isinstance(encoded_inputs, Mapping):
            given = dict(encoded_inputs.items())
        else:
            names = list(encoded_inputs[0]) if encoded_inputs else []
            for i, example in enumerate(encoded_inputs):
                if set(example) != set(names):
                    raise InputError(
                        f"Encoding {i} has the fields {', '.join(example)}, and the first one {', '.join(names)}."
                    )
            given = {name: [example[name] for example in encoded_inputs] for name in names}
        main = self.model_input_names[0]
        if main not in given:
            raise InputError(f"There are no {main} to pad, only {', '.join(given) or 'nothing'}.")
        if return_tensors is None:
            return_tensors = _kind_of_tensor(given[main])
        columns = {name: to_lists(value) for name, value in given.items()}
        batched = not columns[main] or isinstance(columns[main][0], list)
        if not batched:
            columns = {name: [value] for name, value in columns.items()}
        if return_attention_mask is None:
            return_attention_mask = "attention_mask" in self.model_input_names
        if return_attention_mask and "attention_mask" not in columns:
            columns["attention_mask"] = [[1] * len(row) for row in columns[main]]
        side = self.padding_side if padding_side is None else padding_side
        self._pad(columns, read_choice("padding", padding, PADDINGS), max_length, pad_to_multiple_of, side)
        if not batched:
            return BatchEncoding({name: rows[0] for name, rows in columns.items()}, tensor_type=return_tensors)
        return BatchEncoding(columns, tensor_type=return_tensors)

    def _read_lengths(
        self,
        padding: bool | str,
        truncation: bool | str | None,
        max_length: int | None,
        verbose: bool,
        multiple: int | None = None,
    ) -> tuple[str | None, str | None, int]:
        """Return what padding and truncation mean, and the length that they go to.

        Raises:
            InputError: options that cannot be met.
        """
        pad = read_choice("padding", padding, PADDINGS)
        cut = read_choice("truncation", truncation, TRUNCATIONS)
        if truncation is None and max_length is not None and pad is None:
            self._log_once("max_length is given without truncation: cutting to it, longest_first.", verbose)
            cut = "longest_first"
        limit = self.model_max_length if max_length is None else max_length
        if cut and pad and multiple and limit <= LIMITLESS and limit % multiple:
            raise InputError(f"max_length, {limit}, is no multiple of pad_to_multiple_of, {multiple}.")
        return pad, cut, limit

    def _make_columns(self, ids: list[list[int]], types: bool | None, attention: bool | None) -> dict[str, list[Any]]:
        """Return the fields of rows of ids: the ids, and the types and the attention mask where they are asked for."""
        names = self.model_input_names
        columns: dict[str, list[Any]] = {names[0]: ids}
        if types or (types is None and "token_type_ids" in names):
            columns["token_type_ids"] = [[0] * len(row) for row in ids]
        if attention or (attention is None and "attention_mask" in names):
            columns["attention_mask"] = [[1] * len(row) for row in ids]
        return columns

    def _cut(
        self, first: int, second: int | None, max_length: int, strategy: str, stride: int, overflowing: bool
    ) -> list[tuple[range, range | None]]:
        """Return the windows of a text, or a pair, that is too long: the first ones, or all that overflow as well."""
        keep = truncated_lengths(first, second, max_length, strategy)
        windows: list[list[range]] = []
        for count, length in zip((first, second or 0), keep, strict=True):
            if overflowing:
                windows.append(cut_windows(count, length, stride, self.truncation_side))
            else:
                start = 0 if self.truncation_side == "right" else max(0, count - length)
                windows.append([range(start, min(start + length, count))])
        return pair_windows(windows[0], None if second is None else windows[1])

    def _keep(self, row: list[int], count: int) -> list[int]:
        """Return what truncation leaves of a row."""
        return row[:count] if self.truncation_side == "right" else row[max(len(row) - count, 0) :]

    def _pad(
        self,
        columns: dict[str, list[Any]],
        padding: str | None,
        max_length: int | None,
        multiple: int | None,
        side: str,
    ) -> int | None:
        """Pad the columns in place; returns the length of the rows that were padded."""
        limit = self.model_max_length if max_length is None else max_length
        if padding is None or (padding == "max_length" and limit > LIMITLESS):
            return None
        main = self.model_input_names[0]
        fillers: dict[str, Any] = {main: self.pad_token_id, "token_type_ids": self.pad_token_type_id}
        fillers |= {"attention_mask": 0, "special_tokens_mask": 1, "offset_mapping": (0, 0)}
        labels = columns.get("labels")
        if labels is not None and all(
            isinstance(row, list) and len(row) == len(ids) for row, ids in zip(labels, columns[main], strict=True)
        ):
            fillers["labels"] = LABEL_FILLER
        return pad_rows(columns, fillers, None if padding == "longest" else limit, multiple, side)

    def _log_once(self, message: str, verbose: bool = True) -> None:
        kind = message.partition(" ")[0]
        if verbose and self.verbose and kind not in self.deprecation_warnings:
            self.deprecation_warnings[kind] = True
            logger.warning(message)


def _kind_of_tensor(values: Any) -> str | None:
    """Return "pt" or "np" if ids are tensors or arrays, or hold such."""
    first = values[0] if isinstance(values, list | tuple) and values else values
    if not hasattr(first, "shape"):
        return None
    return "np" if type(first).__module__.partition(".")[0] == "numpy" else "pt"
