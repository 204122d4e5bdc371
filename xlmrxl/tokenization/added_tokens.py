"""Tokens that were added to a vocabulary after it was made: their files, and where a text has them.

The rules are those of the tokenizers library: a token that is not `normalized` is looked for in the text as it is
written, the others in what normalisation leaves of it; of several that begin at one place the longest counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, InputError, describe

ADDED_NAME = "added_tokens.json"
SPECIAL_NAME = "special_tokens_map.json"
LISTS_OF_SPECIAL = ("additional_special_tokens", "extra_special_tokens")
"""What transformers 4 and 5 call the special tokens that a person has added."""
MAX_TOKENS = 100_000
MAX_LENGTH = 1_000
"""Characters of a token."""
MAX_ID = 1 << 24

JsonFile = tuple[Path, Mapping[str, Any]]
"""A file and what it holds."""


@dataclass(frozen=True)
class AddedToken:
    """A token that stands for itself wherever a text has it.

    Attributes:
        content: the token as it is written.
        single_word: whether it counts only where no letter, digit or underscore touches it.
        lstrip: whether it takes the spaces before it.
        rstrip: whether it takes the spaces after it.
        normalized: whether it is looked for in the normalised text; by default unless it is special.
        special: whether `skip_special_tokens` leaves it out.
    """

    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool | None = None
    special: bool = False

    def __post_init__(self) -> None:
        """Fill in the default of `normalized` and check all fields."""
        if self.normalized is None:
            object.__setattr__(self, "normalized", not self.special)
        switches = (self.single_word, self.lstrip, self.rstrip, self.normalized, self.special)
        if not isinstance(self.content, str) or not 0 < len(self.content) <= MAX_LENGTH:
            raise InputError(f"A token is a text of 1 to {MAX_LENGTH:,} characters, not {describe(self.content)}.")
        if not all(isinstance(switch, bool) for switch in switches):
            raise InputError(f"Every property of the token {describe(self.content)} must be true or false.")
        try:
            self.content.encode()
        except UnicodeEncodeError:
            raise InputError(f"The token {describe(self.content)} has half a character.") from None

    def __str__(self) -> str:
        """Return the token as it is written."""
        return self.content

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, as the files of a tokenizer have them."""
        return dict(vars(self))


class TokenMatcher:
    """Find tokens in a text. What normalisation leaves nothing of, such as a control character, is found nowhere.

    Args:
        tokens: by id.
        normalize: what is done with a token before it is looked for.
    """

    def __init__(self, tokens: Mapping[int, AddedToken], normalize: Callable[[str], str] = str) -> None:
        """Make one pattern of all tokens, the longest first."""
        self._tokens = {content: (i, token) for i, token in tokens.items() if (content := normalize(token.content))}
        longest_first = sorted(self._tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if self._tokens else None

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Return (start, end, id) of each token in a text, in order; none overlaps another."""
        found: list[tuple[int, int, int]] = []
        reached = 0
        for match in self._pattern.finditer(text) if self._pattern is not None else ():
            (start, end), (i, token) = match.span(), self._tokens[match[0]]
            if token.single_word and (_is_word(text[start - 1 : start]) or _is_word(text[end : end + 1])):
                continue
            if start < reached:  # the token before has taken the spaces that this one begins with
                continue
            while token.lstrip and start > reached and text[start - 1].isspace():
                start -= 1
            while token.rstrip and end < len(text) and text[end].isspace():
                end += 1
            found.append((start, end, i))
            reached = end
        return found


def _is_word(character: str) -> bool:
    return re.match(r"\w", character) is not None


def read_added_tokens(
    fast: JsonFile | None, config: JsonFile | None, added: Path | None, special: JsonFile | None
) -> tuple[dict[int, AddedToken], list[AddedToken], list[str]]:
    """Collect the added tokens that any file of a tokenizer names.

    Args:
        fast: tokenizer.json and what it holds.
        config: tokenizer_config.json and what it holds.
        added: added_tokens.json.
        special: special_tokens_map.json and what it holds.

    Returns:
        The tokens by id, the special tokens that have none, as transformers gives them the next ones, and the names
        of all special tokens, in the order of the files.

    Raises:
        CheckpointError: a file is damaged, or two of them contradict each other.
    """
    names = [token for source in (config, special) if source is not None for token in _special_names(*source)]
    is_special = {token.content for token in names}
    tokens: dict[int, AddedToken] = {}
    ids: dict[str, int] = {}
    found: list[tuple[Path, int, AddedToken]] = []
    if fast is not None:
        found += _of_list(*fast)
    if config is not None:
        found += _of_decoder(*config)
    if added is not None:
        found += _of_encoder(added, is_special)
    for path, i, token in found:
        if (before := tokens.get(i)) is not None and before.content != token.content:
            raise CheckpointError(
                f"{path} says that the token {i} is {describe(token.content)}, and another file of the tokenizer "
                f"{describe(before.content)}. One of them belongs to another model."
            )
        if ids.setdefault(token.content, i) != i:
            raise CheckpointError(
                f"{path} gives the token {describe(token.content)} the id {i}, and another file of the tokenizer "
                f"{ids[token.content]}. One of them belongs to another model."
            )
        tokens.setdefault(i, token)
        if len(tokens) > MAX_TOKENS:
            raise CheckpointError(f"{path} adds more than {MAX_TOKENS:,} tokens. It is damaged: copy it again.")
    for i, token in tokens.items():
        if token.content in is_special and not token.special:
            tokens[i] = replace(token, special=True)
    order = list(dict.fromkeys(token.content for token in names))
    return tokens, [token for token in names if token.content not in ids], order


def _of_list(path: Path, values: Mapping[str, Any]) -> Iterator[tuple[Path, int, AddedToken]]:
    """Yield the added_tokens of tokenizer.json."""
    entries = values.get("added_tokens") or []
    if not isinstance(entries, list):
        raise CheckpointError(f"{path} has no list of added_tokens. It is damaged: copy it again.")
    for entry in entries:
        yield path, _read_id(path, entry.get("id") if isinstance(entry, dict) else None), _read_token(path, entry)


def _of_decoder(path: Path, values: Mapping[str, Any]) -> Iterator[tuple[Path, int, AddedToken]]:
    """Yield the added_tokens_decoder of tokenizer_config.json."""
    entries = values.get("added_tokens_decoder") or {}
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path} has an added_tokens_decoder that is none. It is damaged: copy it again.")
    for i, entry in entries.items():
        yield (
            path,
            _read_id(path, int(i) if i.isascii() and i.isdecimal() and len(i) < 10 else i),
            _read_token(path, entry),
        )


def _of_encoder(path: Path, is_special: set[str]) -> Iterator[tuple[Path, int, AddedToken]]:
    """Yield what added_tokens.json holds: ids by token."""
    for content, i in read_json_object(path).items():
        yield path, _read_id(path, i), _read_token(path, {"content": content, "special": content in is_special})


def _special_names(path: Path, values: Mapping[str, Any]) -> Iterator[AddedToken]:
    """Yield the special tokens that a person has added, by the lists of a file."""
    for name in LISTS_OF_SPECIAL:
        entries = values.get(name) or []
        if isinstance(entries, dict):  # transformers 4.4x: a name for each
            entries = list(entries.values())
        if not isinstance(entries, list):
            raise CheckpointError(f"{path} has {name} that are no list. It is damaged: copy it again.")
        for entry in entries:
            token = entry if isinstance(entry, dict) else {"content": entry}
            yield replace(_read_token(path, token), special=True, normalized=bool(token.get("normalized", False)))


def _read_id(path: Path, i: Any) -> int:
    if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < MAX_ID:
        raise CheckpointError(f"{path} has a token with the id {describe(i)}. It is damaged: copy it again.")
    return i


def _read_token(path: Path, entry: Any) -> AddedToken:
    fields = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
    try:
        if not isinstance(entry, dict):
            raise InputError(f"A token is an object with a content, not {describe(entry)}.")
        return AddedToken(**{"content": "", **{name: entry[name] for name in fields if name in entry}})
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be used: {error} It is damaged: copy it again.") from None


def assign_ids(tokens: Iterable[str], taken: Mapping[str, int], size: int) -> dict[str, int]:
    """Return ids for tokens that have none, after all that are taken and after the vocabulary."""
    free = max([size - 1, *taken.values()]) + 1
    return {content: free + place for place, content in enumerate(dict.fromkeys(tokens))}
