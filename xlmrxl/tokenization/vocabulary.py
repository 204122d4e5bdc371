"""The vocabulary of XLM-R: text to ids, and each id's place in the text.

An id is the SentencePiece id plus one; `<s>` is 0, `<pad>` 1, `</s>` 2, `<unk>` 3, and `<mask>` comes last. Tokens that
were added follow it, or stand on an id of the vocabulary. Knows nothing of batches; imports neither torch nor numpy.
"""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

from sentencepiece import SentencePieceNormalizer, SentencePieceProcessor

from xlmrxl.errors import CheckpointError, InputError, describe
from xlmrxl.tokenization.added_tokens import AddedToken, TokenMatcher
from xlmrxl.tokenization.tokenizer_json import (
    FIRST_TOKENS,
    MASK_TOKEN,
    SPACE,
    build_tokenizer_json,
    remove_prefix_space,
)

BOS, PAD, EOS, UNK = range(4)
FIRST_PIECES = ["<unk>", "<s>", "</s>"]
"""How a SentencePiece model of this family begins."""

Span = tuple[int, int]
NOTHING: frozenset[int] = frozenset()
_WORD = re.compile(rf"(?:[^\s{SPACE}]|[\x1c-\x1f])+")
"""What lies between two spaces of a normalised text. Python takes some control characters for spaces."""


class Subwords(NamedTuple):
    """The tokens of a text, and what there is to say of each."""

    ids: list[int]
    tokens: list[str]
    spans: list[Span]  # where in the text it comes from
    words: list[int | None]  # in which word, from 0

    def pick(self, window: range) -> Subwords:
        """Return the tokens of a window."""
        part = slice(window.start, window.stop)
        return Subwords(self.ids[part], self.tokens[part], self.spans[part], self.words[part])


class Part(NamedTuple):
    """A part of a text: a token that stands for itself, or what lies between two."""

    id: int | None
    start: int
    end: int
    text: str
    sources: Sequence[Span] | None  # where in the whole text each character of a normalised `text` comes from


class Vocabulary:
    """The pieces of a SentencePiece model, numbered as in XLM-R, and the tokens that were added to them.

    Args:
        model: the SentencePiece model, serialised.
        path: of the file that it comes from, for messages.
        add_prefix_space: False: words are looked up without the "▁" before them, and spaces are lost, as with
            transformers 5.

    Raises:
        CheckpointError: it is no SentencePiece model of this family.
    """

    def __init__(self, model: bytes, path: Path, add_prefix_space: bool = True) -> None:
        """Read a SentencePiece model; `path` is for messages."""
        self._pieces = SentencePieceProcessor()
        try:
            self._pieces.LoadFromSerializedProto(model)
        except RuntimeError:
            raise CheckpointError(
                f"{path} is no SentencePiece model. Download it again; a pointer of Git LFS looks like this too."
            ) from None
        if [self._pieces.id_to_piece(i) for i in range(min(3, len(self._pieces)))] != FIRST_PIECES:
            raise CheckpointError(f"{path} is no vocabulary of XLM-R: it does not begin with <unk>, <s>, </s>.")
        self.add_prefix_space = add_prefix_space
        self._encoder = self._pieces
        if not add_prefix_space:
            self._encoder = SentencePieceProcessor()
            self._encoder.LoadFromSerializedProto(remove_prefix_space(model))
        self.size = len(self._pieces) + 2
        self.mask_id = self.size - 1
        self.special_ids = {token: i for i, token in enumerate(FIRST_TOKENS)} | {MASK_TOKEN: self.mask_id}
        self.added: dict[int, AddedToken] = {}
        self._roots: dict[int, str] = {}
        self._normalizer: SentencePieceNormalizer | None = None
        self._matchers: dict[frozenset[int], tuple[TokenMatcher, TokenMatcher | None]] = {}
        self._ids: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle needs."""
        # What was worked out on the way is left behind, so that a pickle does not depend on what was read before it;
        # the normaliser would come back with other settings.
        return vars(self) | {"_normalizer": None, "_roots": {}, "_matchers": {}}

    def with_tokens(self, tokens: Mapping[int, AddedToken]) -> Vocabulary:
        """Return a vocabulary with more tokens, by id. This one stays as it is: encodings go on referring to it.

        Raises:
            InputError: an id or a token is another one's already.
        """
        own = self.special_tokens()
        added = dict(self.added)
        for i, token in tokens.items():
            there = self.token(i) if i < self.size or i in self.added else token.content
            if there != token.content or (self.has(token.content) and self.id(token.content) != i):
                raise InputError(
                    f"The token {describe(token.content)} cannot have the id {i}: there is {describe(self.token(i))}, "
                    f"or {describe(token.content)} has another id."
                )
            if i not in own:
                added[i] = token
        twin = copy.copy(self)
        twin.added = added
        twin._ids = {token.content: i for i, token in added.items()}
        return twin

    def special_tokens(self) -> dict[int, AddedToken]:
        """Return the special tokens of the family, by id."""
        return {i: AddedToken(token, special=True) for token, i in self.special_ids.items()}

    def find_special(self, wanted: bool = True) -> frozenset[int]:
        """Return the ids of the special tokens, those that were added among them; none unless they are wanted."""
        if not wanted:
            return NOTHING
        return frozenset(self.special_ids.values()) | {i for i, token in self.added.items() if token.special}

    def has(self, token: str) -> bool:
        """Return whether there is such a token."""
        return token in self.special_ids or token in self._ids or bool(self._pieces.piece_to_id(token))

    def token(self, i: int) -> str:
        """Return the token of an id, `<unk>` where there is none."""
        if i in self.added:
            return self.added[i].content
        if i <= UNK:
            return FIRST_TOKENS[i]
        if i < self.mask_id:
            return str(self._pieces.id_to_piece(i - 1))
        return MASK_TOKEN if i == self.mask_id else FIRST_TOKENS[UNK]

    def id(self, token: str) -> int:
        """Return the id of a token, that of `<unk>` if there is no such token."""
        if token in self.special_ids:
            return self.special_ids[token]
        if token in self._ids:
            return self._ids[token]
        piece = int(self._pieces.piece_to_id(token))
        return piece + 1 if piece else UNK

    def encode(self, text: str, plain: frozenset[int] = NOTHING) -> list[int]:
        """Return the ids of a text.

        A special or added token written in the text stands for itself, and what follows it begins a new word.

        Args:
            text: the text.
            plain: ids of tokens that are text like any other where they are written.
        """
        as_written, as_normalized = self._get_matchers(plain)
        if as_normalized is None and self.add_prefix_space and not as_written.find(text):  # most texts
            return self._segment(text)[0]
        ids: list[int] = []
        for part in self._parts(text, plain):
            ids += self._segment(part.text)[0] if part.id is None else [part.id]
        return ids

    def encode_words(self, words: Sequence[str], plain: frozenset[int] = NOTHING) -> list[list[int]]:
        """Return the ids of each of many words as `encode` does, but in less time where they are single pieces."""
        as_written, as_normalized = self._get_matchers(plain)
        if as_normalized is not None or not self.add_prefix_space or as_written.find("\n".join(words)):
            return [self.encode(word, plain) for word in words]
        rows = self._pieces.encode(list(words), num_threads=1)
        # Of one piece there is one order, and what is unknown has none.
        return [
            [row[0] + 1] if len(row) == 1 and row[0] else self.encode(word)
            for word, row in zip(words, rows, strict=True)
        ]

    def segment(self, text: str, plain: frozenset[int] = NOTHING) -> Subwords:
        """Return the tokens of a text with their places in it and their words; the arguments are those of `encode`.

        The tokens of one character ("㍿") share its place; a lone "▁" has an empty one; a place leaves out the space
        before a word. What the vocabulary does not know is a token as it is written, with the id of `<unk>`.
        """
        found = Subwords([], [], [], [])
        word = -1
        for part in self._parts(text, plain):
            if part.id is not None:
                word += 1
                found.ids.append(part.id)
                found.tokens.append(self.token(part.id))
                found.spans.append((part.start, part.end))
                found.words.append(word)
                continue
            ids, order = self._segment(part.text)
            if not ids:
                continue
            pieces = self._encoder.encode(part.text, out_type=str)
            tokens = pieces if isinstance(order, range) else [pieces[place] for place in order]
            found.ids.extend(ids)
            found.tokens.extend(tokens)
            # What follows a token that stands for itself begins a word as well.
            begins = [token[0] == SPACE for token in tokens]
            begins[0] = True
            found.words.extend(islice(accumulate(begins, initial=word), 1, None))
            word += sum(begins)
            if part.sources is None:
                found.spans.extend(self._spans(part.text, pieces, order, part.start))
                continue
            for first, end in self._spans(part.text, pieces, order, 0):
                start = part.sources[first][0] if first < len(part.sources) else part.end
                found.spans.append((start, part.sources[end - 1][1] if end > first else start))
        return found

    def _parts(self, text: str, plain: frozenset[int]) -> Iterator[Part]:
        """Cut a text before and after each token that stands for itself, and at spaces if they are not looked up."""
        parts = self._cut_at_tokens(text, plain)
        return parts if self.add_prefix_space else self._cut_at_spaces(parts)

    def _cut_at_spaces(self, parts: Iterable[Part]) -> Iterator[Part]:
        for part in parts:
            if part.id is not None:
                yield part
                continue
            normalized, sources = part.text, part.sources
            if sources is None:
                normalized, spans = self._normalize(part.text)
                sources = [(part.start + start, part.start + end) for start, end in spans]
            for match in _WORD.finditer(normalized):
                own = sources[match.start() : match.end()]
                yield Part(None, own[0][0], own[-1][1], match[0], own)

    def _cut_at_tokens(self, text: str, plain: frozenset[int]) -> Iterator[Part]:
        as_written, as_normalized = self._get_matchers(plain)
        for part in _cut(text, as_written.find(text)):
            if part.id is not None or as_normalized is None or not part.text:
                yield part
                continue
            normalized, sources = self._normalize(part.text)
            found = as_normalized.find(normalized)
            if not found:
                yield part
                continue
            for inner in _cut(normalized, found):
                own = [(part.start + start, part.start + end) for start, end in sources[inner.start : inner.end]]
                yield Part(inner.id, own[0][0], own[-1][1], inner.text, own)

    def _get_matchers(self, plain: frozenset[int]) -> tuple[TokenMatcher, TokenMatcher | None]:
        """Return what finds tokens in a text as it is written, and in a normalised one where any are looked for."""
        if plain not in self._matchers:
            every = {i: token for i, token in (self.added | self.special_tokens()).items() if i not in plain}
            normalized = {i: token for i, token in every.items() if token.normalized}
            self._matchers[plain] = (
                TokenMatcher({i: token for i, token in every.items() if not token.normalized}),
                TokenMatcher(normalized, lambda token: self._normalize(token)[0]) if normalized else None,
            )
        return self._matchers[plain]

    def _normalize(self, text: str) -> tuple[str, list[Span]]:
        """Normalise a text but for its spaces; for each character, say where in the text it comes from."""
        if self._normalizer is None:
            self._normalizer = SentencePieceNormalizer(
                model_proto=self.serialized(),
                add_dummy_prefix=False,
                escape_whitespaces=False,
                remove_extra_whitespaces=False,
            )
        normalized, sources = self._normalizer.Normalize(text, with_offsets=True)
        starts = [*sources[: len(normalized)], len(text)]
        spans: list[Span] = []
        for start, stop in zip(starts, _ends(starts), strict=False):
            end = stop
            # SentencePiece counts what it removes to the character before: not here.
            while end > start + 1 and not self._normalizer.Normalize(text[end - 1]):
                end -= 1
            spans.append((start, end))
        return normalized, spans

    def _segment(self, text: str) -> tuple[list[int], Sequence[int]]:
        """Return the ids of a text without special tokens, and where in SentencePiece's own order each stands.

        Pieces that repeat the same characters ("o", "oooo") score the same in any order, and SentencePiece lets the
        rounding of float32 choose. Shortest first is what transformers 5 and the fast tokenizers give.
        """
        ids = [piece + 1 if piece else UNK for piece in self._encoder.encode(text)]
        try:
            roots = [self._roots[i] for i in ids]
        except KeyError:
            self._roots.update((i, _root(self.token(i))) for i in ids if i not in self._roots)
            roots = [self._roots[i] for i in ids]
        if all(map(operator.ne, roots, roots[1:])):
            return ids, range(len(ids))
        order = [
            place
            for _, run in groupby(range(len(ids)), key=roots.__getitem__)
            for place in sorted(run, key=lambda place: len(self.token(ids[place])))
        ]
        return [ids[place] for place in order], order

    def _spans(self, text: str, pieces: Sequence[str], order: Sequence[int], start: int) -> Iterator[Span]:
        """Yield where each piece of `text`, which begins at `start`, comes from."""
        # A character i of the normalised text comes from text[sources[i]:after[i]]; several may share their source.
        _, sources = self._encoder.normalize(text, with_offsets=True)
        after = _ends(sources)
        end = reached = 0
        for place in order:
            piece = pieces[place]
            first, end = end + len(piece) - len(piece.lstrip(SPACE)), end + len(piece)
            stop = after[end - 1] if first < end else sources[end]
            # SentencePiece counts what it removes, such as control characters, to the character before: not here.
            while first < end and stop > sources[end - 1] + 1 and not self._encoder.normalize(text[stop - 1]):
                stop -= 1
            # A lone "▁" amid what one character was normalised to shares it, so that ends never go back.
            reached = max(reached, stop)
            yield start + sources[first], start + reached

    def serialized(self) -> bytes:
        """Return the SentencePiece model, as its file holds it."""
        return bytes(self._pieces.serialized_model_proto())

    def pieces(self) -> list[tuple[str, float]]:
        """Return the pieces with their scores, without the special tokens."""
        numbers = list(range(len(FIRST_PIECES), len(self._pieces)))
        return list(zip(self._pieces.id_to_piece(numbers), self._pieces.get_score(numbers), strict=True))

    def tokenizer_json(self) -> dict[str, Any]:
        """Return the same vocabulary in the format of the tokenizers library, `tokenizer.json`."""
        return build_tokenizer_json(
            self.serialized(), self.pieces(), self.special_ids, self.added, self.add_prefix_space
        )


def _cut(text: str, found: Iterable[tuple[int, int, int]]) -> Iterator[Part]:
    """Cut a text before and after each (start, end, id)."""
    reached = 0
    for start, end, i in found:
        if start > reached:
            yield Part(None, reached, start, text[reached:start], None)
        yield Part(i, start, end, text[start:end], None)
        reached = end
    if reached < len(text) or not text:
        yield Part(None, reached, len(text), text[reached:], None)


def _ends(starts: Sequence[int]) -> list[int]:
    """Return where the source of each character ends: where that of the next begins, unless they share one."""
    ends = list(starts[1:])
    for i in reversed(range(len(ends) - 1)):
        if ends[i] == starts[i]:
            ends[i] = ends[i + 1]
    return ends


def _root(token: str) -> str:
    """Return the shortest string that the token is a repetition of."""
    return token[: (token + token).find(token, 1)]
