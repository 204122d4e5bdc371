"""The tokens of a tokenizer: their ids, those that are special, and those that were added; ids to text.

Knows nothing of how a text is cut or encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

from xlmrxl.errors import InputError, describe
from xlmrxl.tokenization.added_tokens import LISTS_OF_SPECIAL, AddedToken, assign_ids
from xlmrxl.tokenization.token_rows import read_ids, to_lists
from xlmrxl.tokenization.tokenizer_json import SPACE
from xlmrxl.tokenization.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

_NEEDLESS_SPACE = re.compile(r" (?:([.?!,]|n't|'m|'s|'ve|'re)|(') )")
_FIXED = (
    "The {} of XLM-RoBERTa is {} and cannot be {}: its models know no other. Add further tokens with add_tokens or "
    "add_special_tokens."
)


class FixedToken:
    """A special token of the family, or its id: it can be read, and set to what it is."""

    def __init__(self, value: Any) -> None:
        """Take the only value that the attribute may have."""
        self._value = value

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember what the attribute is called, for messages."""
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        """Return the one value there is."""
        return self._value

    def __set__(self, instance: Any, value: Any) -> None:
        """Refuse any other value."""
        if (str(value) if isinstance(self._value, str) else value) != self._value:
            raise InputError(_FIXED.format(self._name, repr(self._value), describe(value)))


class TokenTable:
    """What a tokenizer knows of single tokens; the tokenizer itself is made of it."""

    SPECIAL_TOKENS_ATTRIBUTES = (
        *("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"),
        "additional_special_tokens",
    )
    bos_token = FixedToken("<s>")
    cls_token = FixedToken("<s>")
    pad_token = FixedToken("<pad>")
    eos_token = FixedToken("</s>")
    sep_token = FixedToken("</s>")
    unk_token = FixedToken("<unk>")
    mask_token = FixedToken("<mask>")
    bos_token_id = FixedToken(BOS)
    cls_token_id = FixedToken(BOS)
    pad_token_id = FixedToken(PAD)
    eos_token_id = FixedToken(EOS)
    sep_token_id = FixedToken(EOS)
    unk_token_id = FixedToken(UNK)
    pad_token_type_id = FixedToken(0)
    clean_up_tokenization_spaces: bool

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Read tokens and ids off a vocabulary."""
        self._vocabulary = vocabulary
        self._special_order: list[str] = []

    def __len__(self) -> int:
        """Return the number of tokens, added ones included."""
        return self.vocab_size + sum(i >= self.vocab_size for i in self._vocabulary.added)

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
    def added_tokens_encoder(self) -> dict[str, int]:
        """Return the ids of the special tokens of the family and of the tokens that were added."""
        return {token.content: i for i, token in self.added_tokens_decoder.items()}

    @property
    def additional_special_tokens(self) -> list[str]:
        """Return the special tokens that were added, in the order in which they were named."""
        by_id = [token.content for _, token in sorted(self._vocabulary.added.items()) if token.special]
        named = [token for token in self._special_order if token in by_id]
        return [*named, *(token for token in by_id if token not in named)]

    @additional_special_tokens.setter
    def additional_special_tokens(self, tokens: Sequence[str | AddedToken] | None) -> None:
        self._name_special(tokens or [], forget=True)

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """Return the ids of `additional_special_tokens`."""
        return [self._vocabulary.id(token) for token in self.additional_special_tokens]

    @additional_special_tokens_ids.setter
    def additional_special_tokens_ids(self, ids: Sequence[int]) -> None:
        self.additional_special_tokens = self.convert_ids_to_tokens(list(ids))

    @property
    def extra_special_tokens(self) -> list[str]:
        """Return `additional_special_tokens`, by the name that transformers 5 has for them."""
        return self.additional_special_tokens

    @property
    def all_special_tokens(self) -> list[str]:
        """Return the special tokens, those that were added last."""
        return ["<s>", "</s>", "<unk>", "<pad>", "<mask>", *self.additional_special_tokens]

    @property
    def all_special_tokens_extended(self) -> list[AddedToken]:
        """Return the special tokens with their properties."""
        known = self.added_tokens_decoder
        return [known[i] for i in self.all_special_ids]

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Return the special tokens by the names they have, `bos_token` and so on."""
        named: dict[str, Any] = {name: getattr(self, name) for name in self.SPECIAL_TOKENS_ATTRIBUTES}
        return {name: value for name, value in named.items() if value}

    @property
    def special_tokens_map_extended(self) -> dict[str, AddedToken | list[AddedToken]]:
        """Return the special tokens with their properties, by the names they have."""
        known = {token.content: token for token in self.added_tokens_decoder.values()}
        return {
            name: known[value] if isinstance(value, str) else [known[token] for token in value]
            for name, value in self.special_tokens_map.items()
        }

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
            InputError: one is empty or no text.
        """
        if not new_tokens:
            return 0
        given = list(new_tokens) if isinstance(new_tokens, list | tuple) else [new_tokens]
        return self._add([_read_token(token, special_tokens) for token in given])

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
            InputError: another name, or another token for one of the family's.
        """
        new: list[str | AddedToken] | None = None
        for name, value in special_tokens_dict.items():
            if name in LISTS_OF_SPECIAL:
                if isinstance(value, str):
                    raise InputError(f"{name} is {describe(value)}; it is a list of tokens.")
                new = [*(new or []), *(value.values() if isinstance(value, Mapping) else value)]
            elif name not in self.SPECIAL_TOKENS_ATTRIBUTES:
                raise InputError(f"There is no special token {describe(name)}; use {LISTS_OF_SPECIAL[0]}.")
            else:
                setattr(self, name, value)  # refuses another one
        if not new:
            return 0
        return self._name_special(new, forget=replace_additional_special_tokens)

    def sanitize_special_tokens(self) -> int:
        """Add the special tokens that the vocabulary lacks; returns how many, which is none."""
        return self.add_tokens(self.all_special_tokens_extended, special_tokens=True)

    def _name_special(self, tokens: Sequence[str | AddedToken], forget: bool) -> int:
        """Make tokens special, those before no longer if they are to be forgotten; returns how many are new."""
        new = [_read_token(token, special=True) for token in tokens]
        names = [token.content for token in new]
        before = [] if forget else self.additional_special_tokens
        if forget:
            self._vocabulary = self._vocabulary.with_tokens(
                {
                    i: replace(token, special=False)
                    for i, token in self._vocabulary.added.items()
                    if token.special and token.content not in names
                }
            )
        count = self._add([token for token in new if token.content not in before])
        self._special_order = list(dict.fromkeys([*before, *names]))
        return count

    def _add(self, tokens: Sequence[AddedToken]) -> int:
        vocabulary = self._vocabulary
        new = [token.content for token in tokens if not vocabulary.has(token.content)]
        ids = assign_ids(new, self.get_added_vocab(), vocabulary.size)
        own = vocabulary.special_ids
        self._vocabulary = vocabulary.with_tokens(
            {
                ids.get(token.content, vocabulary.id(token.content)): token
                for token in tokens
                if token.content not in own
            }
        )
        return len(ids)

    @property
    def mask_token_id(self) -> int:
        """Return the id of `<mask>`, the last one of the vocabulary."""
        return self._vocabulary.mask_id

    @mask_token_id.setter
    def mask_token_id(self, value: int) -> None:
        if value != self.mask_token_id:
            raise InputError(_FIXED.format("mask_token_id", self.mask_token_id, describe(value)))

    @property
    def all_special_ids(self) -> list[int]:
        """Return the ids of `all_special_tokens`."""
        return [self._vocabulary.id(token) for token in self.all_special_tokens]

    def get_vocab(self) -> dict[str, int]:
        """Return every token and its id, made anew at each call."""
        return {self._vocabulary.token(i): i for i in self.token_ids}

    @property
    def vocab(self) -> dict[str, int]:
        """Return every token and its id, made anew at each time."""
        return self.get_vocab()

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...
    @overload
    def convert_tokens_to_ids(self, tokens: list[str] | tuple[str, ...]) -> list[int]: ...
    def convert_tokens_to_ids(self, tokens: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """Return the id of a token, or of each of several; that of `<unk>` for what is no token."""
        if isinstance(tokens, list | tuple):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        return self._vocabulary.id(check_text(tokens, "The token"))

    @overload
    def convert_ids_to_tokens(self, ids: int, skip_special_tokens: bool = False) -> str: ...
    @overload
    def convert_ids_to_tokens(self, ids: Iterable[Any], skip_special_tokens: bool = False) -> list[str]: ...
    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> str | list[str]:
        """Return the token of an id, or those of a list, tensor or array [n].

        The vocabulary of a model may have more rows than there are tokens; such an id reads as `<unk>`.

        Raises:
            InputError: an id is negative or no integer.
        """
        row = read_ids(ids)
        if isinstance(ids, int):
            return self._vocabulary.token(row[0])
        special = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._vocabulary.token(i) for i in row if i not in special]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Return the text that tokens stand for: joined, with spaces where they have them."""
        # The space before the first word is no part of the text.
        first = "" if self._vocabulary.add_prefix_space else " "
        return "".join(token.replace(SPACE, " " if place else first) for place, token in enumerate(tokens))

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        *,
        spaces_between_special_tokens: bool = True,
        use_source_tokenizer: bool = False,
    ) -> str:
        """Return the text of a row of ids: a list, tensor or array [n], or one id. Ids without a token give nothing.

        Args:
            token_ids: the ids.
            skip_special_tokens: leave out `<s>`, `</s>`, `<unk>`, `<pad>`, `<mask>` and special tokens that were added.
            clean_up_tokenization_spaces: take away spaces before English punctuation and contractions; None: as the
                attribute of that name says.
            spaces_between_special_tokens: without effect, as in transformers' fast tokenizers.
            use_source_tokenizer: without effect, likewise.

        Raises:
            InputError: an id is negative or no integer, or there are several rows.
        """
        special = set(self.all_special_ids) if skip_special_tokens else ()
        known = self._vocabulary
        row = [i for i in read_ids(token_ids) if (i < known.size or i in known.added) and i not in special]
        text = self.convert_tokens_to_string([known.token(i) for i in row])
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        return self.clean_up_tokenization(text) if clean_up_tokenization_spaces else text

    def batch_decode(self, sequences: Any, *args: Any, **kwargs: Any) -> list[str]:
        """Return the texts of several rows of ids; the other arguments are those of `decode`."""
        return [self.decode(row, *args, **kwargs) for row in to_lists(sequences)]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """Return a text without spaces before English punctuation and contractions."""
        return _NEEDLESS_SPACE.sub(r"\1\2", out_string)


def _read_token(token: Any, special: bool) -> AddedToken:
    """Return a token given as text, or with its properties, as here or as in the tokenizers library."""
    if isinstance(token, str):
        return AddedToken(token, special=special)
    if not isinstance(token, AddedToken) and hasattr(token, "content"):
        names = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
        token = AddedToken(**{name: getattr(token, name) for name in names if hasattr(token, name)})
    return replace(token, special=token.special or special) if isinstance(token, AddedToken) else AddedToken(token)


def check_text(text: Any, name: str) -> str:
    """Return a text.

    Raises:
        TypeError: it is none.
        InputError: it has half a character.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}.")
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} has a lone surrogate, U+{ord(text[error.start]):04X}, at position {error.start}. "
            "It is half a character; read the text again with the right encoding."
        ) from None
    return text
