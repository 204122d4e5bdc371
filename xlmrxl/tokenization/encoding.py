"""What a tokenizer returns: fields of ids and masks, and which token comes from which word and character.

The latter is worked out for a text when it is first asked for. Torch and numpy are imported only for tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

from xlmrxl.errors import InputError
from xlmrxl.tokenization.token_rows import add_ends
from xlmrxl.tokenization.vocabulary import BOS, EOS, PAD, Span, Subwords, Vocabulary

Text = str | Sequence[str]
"""A text, or its words."""


class TokenSpan(NamedTuple):
    """Tokens from `start` up to, but without, `end`."""

    start: int
    end: int


class CharSpan(NamedTuple):
    """Characters from `start` up to, but without, `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Encoding:
    """One row of an encoding, token by token.

    Attributes:
        ids, tokens, attention_mask, special_tokens_mask, type_ids: as the tokenizer has them.
        offsets: (start, end) in the text that the token comes from, or in the word if the text was split into words.
        word_ids: the word that the token is part of, from 0 in each text; None for special tokens that were added.
        sequence_ids: 0 for a token of the first text, 1 for one of the second, None for special tokens.
    """

    ids: list[int]
    tokens: list[str]
    type_ids: list[int]
    attention_mask: list[int]
    special_tokens_mask: list[int]
    offsets: list[Span]
    word_ids: list[int | None]
    sequence_ids: list[int | None]
    n_sequences: int

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.ids)

    @property
    def words(self) -> list[int | None]:
        """Return `word_ids`, by their older name."""
        return self.word_ids

    def token_to_sequence(self, token_index: int) -> int | None:
        """Return the text, 0 or 1, that a token is part of; None for a special token that was added."""
        return self.sequence_ids[token_index] if 0 <= token_index < len(self) else None

    def token_to_word(self, token_index: int) -> int | None:
        """Return the word that a token is part of; None for a special token that was added."""
        return self.word_ids[token_index] if 0 <= token_index < len(self) else None

    def token_to_chars(self, token_index: int) -> Span | None:
        """Return the characters that a token comes from; None for a special token that was added."""
        return None if self.token_to_sequence(token_index) is None else self.offsets[token_index]

    def word_to_tokens(self, word_index: int, sequence_index: int = 0) -> Span | None:
        """Return the tokens of a word; None where it has none, or none that is left."""
        found = [i for i in self._tokens_of(sequence_index) if self.word_ids[i] == word_index]
        return (found[0], found[-1] + 1) if found else None

    def word_to_chars(self, word_index: int, sequence_index: int = 0) -> Span | None:
        """Return the characters of a word; None where it has no token."""
        span = self.word_to_tokens(word_index, sequence_index)
        return None if span is None else (self.offsets[span[0]][0], self.offsets[span[1] - 1][1])

    def char_to_token(self, char_index: int, sequence_index: int = 0) -> int | None:
        """Return the first token that has a character; None where none has, as for a space."""
        for i in self._tokens_of(sequence_index):
            if self.offsets[i][0] <= char_index < self.offsets[i][1]:
                return i
        return None

    def char_to_word(self, char_index: int, sequence_index: int = 0) -> int | None:
        """Return the word that has a character; None where none has, as for a space."""
        token = self.char_to_token(char_index, sequence_index)
        return None if token is None else self.word_ids[token]

    def _tokens_of(self, sequence_index: int) -> Iterable[int]:
        if sequence_index not in range(self.n_sequences):
            raise InputError(f"sequence_index is {sequence_index}; this encoding is of {self.n_sequences} text(s).")
        return (i for i, sequence in enumerate(self.sequence_ids) if sequence == sequence_index)


Row = tuple[Text, Text | None, tuple[range, range | None] | None]
"""What one row of an encoding was made of: a text, its second text, and the tokens of each that are left; None: all."""


@dataclass
class RowReader:
    """Work out again, with all there is to say of each token, what a tokenizer made of a text.

    Attributes:
        vocabulary: as it was then.
        special_tokens: whether special tokens stand around a text.
        split_special_tokens: whether special tokens written in a text are text like any other.
        length: that rows were padded to, if they were.
        padding_side: "right" or "left".
    """

    vocabulary: Vocabulary
    special_tokens: bool = True
    split_special_tokens: bool = False
    length: int | None = None
    padding_side: str = "right"

    @property
    def plain(self) -> frozenset[int]:
        """Return the ids of the tokens that are text like any other where a text has them."""
        return self.vocabulary.find_special(self.split_special_tokens)

    def segment(self, text: Text) -> Subwords:
        """Return the tokens of a text, or of its words: then these are what tokens are part of."""
        if isinstance(text, str):
            return self.vocabulary.segment(text, self.plain)
        found = Subwords([], [], [], [])
        for i, word in enumerate(text):
            own = self.vocabulary.segment(word, self.plain)
            found.ids.extend(own.ids)
            found.tokens.extend(own.tokens)
            found.spans.extend(own.spans)
            found.words.extend([i] * len(own.ids))
        return found

    def read(self, row: Row) -> Encoding:
        """Return a row, token by token."""
        first_text, second_text, cut = row
        parts = [self.segment(text) for text in (first_text, second_text) if text is not None]
        if cut is not None:
            parts = [part.pick(window) for part, window in zip(parts, cut, strict=False) if window is not None]
        first, second = parts[0], parts[1] if len(parts) > 1 else None
        opening, closing = (self.vocabulary.token(i) for i in (BOS, EOS))
        count = [len(part.ids) for part in parts]
        zeros, others = [0] * count[0], None if second is None else [0] * count[1]
        ones: list[int | None] | None = None if second is None else [1] * count[1]

        def surround(name: str, ends: tuple[Any, Any]) -> list[Any]:
            return add_ends(getattr(first, name), None if second is None else getattr(second, name), self._ends(ends))

        ids = surround("ids", (BOS, EOS))
        padding = max(0, (self.length or 0) - len(ids))

        def pad(values: list[Any], filler: Any) -> list[Any]:
            filling = [filler] * padding
            return filling + values if self.padding_side == "left" else values + filling

        return Encoding(
            ids=pad(ids, PAD),
            tokens=pad(surround("tokens", (opening, closing)), self.vocabulary.token(PAD)),
            type_ids=[0] * (len(ids) + padding),
            attention_mask=pad([1] * len(ids), 0),
            special_tokens_mask=pad(add_ends(zeros, others, self._ends((1, 1))), 1),
            offsets=pad(surround("spans", ((0, 0), (0, 0))), (0, 0)),
            word_ids=pad(surround("words", (None, None)), None),
            sequence_ids=pad(add_ends([*zeros], ones, self._ends((None, None))), None),
            n_sequences=len(parts),
        )

    def _ends(self, ends: tuple[Any, Any]) -> tuple[Any, Any] | None:
        return ends if self.special_tokens else None


class LazyEncodings(Sequence[Encoding]):
    """The rows of an encoding, token by token, each worked out when it is first asked for.

    Args:
        rows: what they were made of.
        reader: makes an `Encoding` of one.
    """

    def __init__(self, rows: Sequence[Row], reader: RowReader) -> None:
        """Keep what the rows are made of; nothing is worked out yet."""
        self._rows = rows
        self._reader = reader
        self._made: dict[int, Encoding] = {}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Encoding: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoding]: ...
    def __getitem__(self, index: int | slice) -> Encoding | list[Encoding]:
        """Return a row, worked out now if it has not been asked for before."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        if place not in self._made:
            self._made[place] = self._reader.read(self._rows[place])
        return self._made[place]

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyEncodings:
        """Return the same object, as it does not change."""
        return self  # nobody can change it

    def __reduce__(self) -> tuple[Any, ...]:
        """Return a list of the rows for a pickle, without the vocabulary."""
        return list, (list(self),)  # without the vocabulary, which is large


class BatchEncoding(dict[str, Any]):
    """What a tokenizer returns: a dict that also reads as attributes and goes into a model as `model(**encoding)`.

    An encoding that a tokenizer made of text also says which word and which characters each token comes from. Where a
    method takes one index, it is of a token, word or character of the only (or first) row; where it takes two, the
    first one is of a row.

    Args:
        data: the fields.
        encoding: the rows, token by token, or the only one.
        tensor_type: "pt" or "np": make tensors of the fields.
        prepend_batch_axis: whether the fields are of one text, and the tensors get an axis for the batch.
        n_sequences: 1 for texts, 2 for pairs.

    Raises:
        InputError: a field makes no tensor.
    """

    _encodings: Sequence[Encoding] | None = None
    _n_sequences: int | None = None

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encoding: Encoding | Sequence[Encoding] | None = None,
        tensor_type: str | None = None,
        prepend_batch_axis: bool = False,
        n_sequences: int | None = None,
    ) -> None:
        """Take the fields, and turn them into tensors where that is asked for."""
        super().__init__(data or {})
        self._encodings = [encoding] if isinstance(encoding, Encoding) else encoding
        self._n_sequences = n_sequences
        if tensor_type is not None:
            self.convert_to_tensors(tensor_type, prepend_batch_axis)

    def __getattr__(self, name: str) -> Any:
        """Return a field as an attribute."""
        try:
            return super().__getitem__(name)
        except KeyError:
            raise AttributeError(f"This encoding has no {name!r}, only {', '.join(self)}.") from None

    def __getitem__(self, item: Any) -> Any:
        """Return a field by its name, an `Encoding` by the number of its row, or some rows of every field."""
        if isinstance(item, slice):
            return {name: value[item] for name, value in self.items()}
        return self._row(item) if isinstance(item, int) else super().__getitem__(item)

    def __copy__(self) -> BatchEncoding:
        """Return an encoding with the same fields."""
        return type(self)(self, self._encodings, n_sequences=self._n_sequences)

    copy = __copy__

    @property
    def data(self) -> dict[str, Any]:
        """Return the fields: the encoding itself."""
        return self

    @property
    def encodings(self) -> Sequence[Encoding] | None:
        """Return the rows, token by token; None where no tokenizer made them of text."""
        return self._encodings

    @property
    def is_fast(self) -> bool:
        """Return whether the encoding knows words and characters: whether a tokenizer made it of text."""
        return self._encodings is not None

    @property
    def n_sequences(self) -> int | None:
        """Return 1 for texts, 2 for pairs, None where that is not known."""
        if self._n_sequences is None and self._encodings:
            return self._encodings[0].n_sequences
        return self._n_sequences

    def tokens(self, batch_index: int = 0) -> list[str]:
        """Return the tokens of a row."""
        return self._row(batch_index).tokens

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return for each token of a row the text it is part of: 0, 1, or None for special tokens."""
        return self._row(batch_index).sequence_ids

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return for each token of a row the word it is part of, from 0 in each text; None for special tokens."""
        return self._row(batch_index).word_ids

    words = word_ids

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Return the text, 0 or 1, that a token is part of; None for a special token."""
        row, i = self._find(batch_or_token_index, token_index)
        return row.token_to_sequence(i)

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Return the word that a token is part of; None for a special token."""
        row, i = self._find(batch_or_token_index, token_index)
        return row.token_to_word(i)

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """Return the characters that a token comes from; None for a special token."""
        row, i = self._find(batch_or_token_index, token_index)
        span = row.token_to_chars(i)
        return None if span is None else CharSpan(*span)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """Return the tokens of a word of text `sequence_index`; None where it has none, or none that is left."""
        row, i = self._find(batch_or_word_index, word_index)
        span = row.word_to_tokens(i, sequence_index)
        return None if span is None else TokenSpan(*span)

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan | None:
        """Return the characters of a word of text `sequence_index`; None where it has no token."""
        row, i = self._find(batch_or_word_index, word_index)
        span = row.word_to_chars(i, sequence_index)
        return None if span is None else CharSpan(*span)

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """Return the token that has a character of text `sequence_index`; None where none has, as for a space."""
        row, i = self._find(batch_or_char_index, char_index)
        return row.char_to_token(i, sequence_index)

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """Return the word that has a character of text `sequence_index`; None where none has, as for a space."""
        row, i = self._find(batch_or_char_index, char_index)
        return row.char_to_word(i, sequence_index)

    def convert_to_tensors(self, tensor_type: str | None = None, prepend_batch_axis: bool = False) -> BatchEncoding:
        """Make tensors of the fields, in place; what is a tensor already stays as it is.

        Args:
            tensor_type: "pt" or "np"; None does nothing.
            prepend_batch_axis: whether the fields are of one text, and the tensors get an axis for the batch.

        Raises:
            InputError: another type, or a field that makes no tensor.
        """
        if tensor_type is None:
            return self
        kind = getattr(tensor_type, "value", tensor_type)
        if kind not in ("pt", "np"):
            raise InputError(f"return_tensors is {kind!r}; it can be 'pt' or 'np'.")
        for name, value in self.items():
            if not hasattr(value, "shape"):
                self[name] = _make_tensor(name, [value] if prepend_batch_axis else value, kind)
        return self

    def to(self, device: Any, *, non_blocking: bool = False) -> BatchEncoding:
        """Move the tensors to a device, in place; what is no tensor stays as it is."""
        for name, value in self.items():
            if hasattr(value, "to"):
                self[name] = value.to(device, non_blocking=non_blocking)
        return self

    def _row(self, index: int) -> Encoding:
        if self._encodings is None:
            raise InputError(
                "This encoding does not know the text it came from: it was padded or put together afterwards. Ask the "
                "one that the tokenizer returned."
            )
        try:
            return self._encodings[index]
        except IndexError:
            raise IndexError(f"There is no row {index} in an encoding of {len(self._encodings)}.") from None

    def _find(self, row_or_index: int, index: int | None) -> tuple[Encoding, int]:
        """Return a row and an index in it, counted from the end of the row if it is negative."""
        row, i = (self._row(0), row_or_index) if index is None else (self._row(row_or_index), index)
        return row, i + len(row) if i < 0 else i


def _make_tensor(name: str, value: Any, kind: str) -> Any:
    """Return a field as a tensor of torch or an array of numpy; without any number, of integers."""
    rows = value if isinstance(value, list | tuple) else [value]
    if len({len(row) for row in rows if hasattr(row, "__len__") and not isinstance(row, str)}) > 1:
        raise InputError(f"The rows of {name} differ in length, so they make no tensor: pass padding=True.")
    try:
        if kind == "np":
            import numpy as np  # noqa: PLC0415 - not needed for lists

            array = np.array(value)
            if array.dtype == object:
                raise InputError("there are None or objects among its values")
            return array if array.size else array.astype(np.int64)
        import torch  # noqa: PLC0415 - takes a second, and is not needed for lists

        if rows and isinstance(rows[0], torch.Tensor):
            return torch.stack(list(rows))
        if rows and hasattr(rows[0], "__array__"):  # a list of arrays is slow to read
            import numpy as np  # noqa: PLC0415 - as above

            return torch.from_numpy(np.array(rows))
        tensor = torch.tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"The field {name} makes no tensor: {error}.") from None
    return tensor if tensor.numel() else tensor.long()
