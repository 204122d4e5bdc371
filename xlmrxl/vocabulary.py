"""The SentencePiece model of XLM-R: text to ids, and each id's place in the text.

An id is the SentencePiece id plus one; `<s>` is 0, `<pad>` 1, `</s>` 2, `<unk>` 3, and `<mask>` comes last. Knows
nothing of batches, and imports neither torch nor numpy.
"""

from __future__ import annotations

import base64
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor

from xlmrxl.hub import CheckpointError

SPACE = "▁"
"""How a space is written inside a piece."""

BOS, PAD, EOS, UNK = range(4)
FIRST_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
MASK_TOKEN = "<mask>"

Span = tuple[int, int]

_SPECIAL = re.compile(f"({'|'.join((*FIRST_TOKENS, MASK_TOKEN))})")


class Vocabulary:
    """The pieces of a SentencePiece model, numbered as in XLM-R.

    Args:
        path: of the model, `sentencepiece.bpe.model`.

    Raises:
        CheckpointError: the file is absent or no SentencePiece model of this family.
    """

    def __init__(self, path: Path) -> None:
        try:
            # The bytes, not the path: some versions of SentencePiece abort the process where the path is a folder.
            model = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from None
        self._pieces = SentencePieceProcessor()
        try:
            self._pieces.LoadFromSerializedProto(model)
        except RuntimeError:
            raise CheckpointError(
                f"{path} is no SentencePiece model. Download it again; a pointer of Git LFS looks like this too."
            ) from None
        if [self._pieces.id_to_piece(i) for i in range(min(3, len(self._pieces)))] != ["<unk>", "<s>", "</s>"]:
            raise CheckpointError(f"{path} is no vocabulary of XLM-R: it does not begin with <unk>, <s>, </s>.")
        self.size = len(self._pieces) + 2
        self.mask_id = self.size - 1
        self.special_ids = {token: i for i, token in enumerate(FIRST_TOKENS)} | {MASK_TOKEN: self.mask_id}
        self._roots: dict[int, str] = {}

    def token(self, i: int) -> str:
        """The token of an id, `<unk>` beyond the last."""
        if i <= UNK:
            return FIRST_TOKENS[i]
        if i < self.mask_id:
            return str(self._pieces.id_to_piece(i - 1))
        return MASK_TOKEN if i == self.mask_id else FIRST_TOKENS[UNK]

    def id(self, token: str) -> int:
        """The id of a token, that of `<unk>` if there is no such token."""
        if token in self.special_ids:
            return self.special_ids[token]
        piece = int(self._pieces.piece_to_id(token))
        return piece + 1 if piece else UNK

    def encode(self, text: str, spans: bool = False) -> tuple[list[int], list[Span]]:
        """The ids of a text, and if asked for the (start, end) in `text` where each comes from.

        A special token written in the text stands for itself, and what follows it begins a new word. The pieces of
        one character ("㍿") share it; a lone "▁" has an empty span; a span leaves out the space before a word.
        """
        ids: list[int] = []
        places: list[Span] = []
        found: Iterable[Span]
        start = 0
        for part in _parts(text):
            if part in self.special_ids:
                ids.append(self.special_ids[part])
                found = [(start, start + len(part))]
            else:
                segment, order = self._segment(part)
                ids += segment
                found = self._spans(part, order, start) if spans and segment else ()
            if spans:
                places += found
            start += len(part)
        return ids, places

    def tokens(self, text: str) -> list[str]:
        """The pieces of a text; what the vocabulary does not know appears as it is written."""
        tokens: list[str] = []
        for part in _parts(text):
            if part in self.special_ids:
                tokens.append(part)
            else:
                pieces = self._pieces.encode(part, out_type=str)
                tokens += [pieces[place] for place in self._segment(part)[1]]
        return tokens

    def _segment(self, text: str) -> tuple[list[int], Sequence[int]]:
        """The ids of a text that holds no special token, and where in SentencePiece's own order each stands.

        Pieces that repeat the same characters ("o", "oooo") score the same in any order, and SentencePiece lets the
        rounding of float32 choose. Shortest first is what transformers 5 and the fast tokenizers give.
        """
        ids = [piece + 1 if piece else UNK for piece in self._pieces.encode(text)]
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

    def _spans(self, text: str, order: Sequence[int], start: int) -> Iterator[Span]:
        """Where each piece of `text`, which begins at `start`, comes from."""
        pieces = self._pieces.encode(text, out_type=str)
        # A character i of the normalised text comes from text[sources[i]:after[i]]; several may share their source.
        _, sources = self._pieces.normalize(text, with_offsets=True)
        after = sources[1:]
        for i in reversed(range(len(after) - 1)):
            if after[i] == sources[i]:
                after[i] = after[i + 1]
        end = reached = 0
        for place in order:
            piece = pieces[place]
            first, end = end + len(piece) - len(piece.lstrip(SPACE)), end + len(piece)
            stop = after[end - 1] if first < end else sources[end]
            # SentencePiece counts what it removes, such as control characters, to the character before: not here.
            while first < end and stop > sources[end - 1] + 1 and not self._pieces.normalize(text[stop - 1]):
                stop -= 1
            # A lone "▁" amid what one character was normalised to shares it, so that ends never go back.
            reached = max(reached, stop)
            yield start + sources[first], start + reached

    def serialized(self) -> bytes:
        """The SentencePiece model, as its file holds it."""
        return bytes(self._pieces.serialized_model_proto())

    def fast(self) -> dict[str, Any]:
        """The same vocabulary in the format of the tokenizers library, `tokenizer.json`."""
        normalizer = b"".join(value for field, value in _fields(self.serialized()) if field == 3)
        rules = b"".join(value for field, value in _fields(normalizer) if field == 2)
        pieces = [(self._pieces.id_to_piece(i), self._pieces.get_score(i)) for i in range(3, self.size - 2)]
        precompiled = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(rules).decode()}
        metaspace = {"type": "Metaspace", "replacement": SPACE, "add_prefix_space": True, "prepend_scheme": "always"}
        bos, eos = ({"SpecialToken": {"id": token, "type_id": 0}} for token in ("<s>", "</s>"))
        first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B"))
        ends = {token: {"id": token, "ids": [self.special_ids[token]], "tokens": [token]} for token in ("<s>", "</s>")}
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {"id": i, "content": token, "lstrip": token == MASK_TOKEN, "special": True}
                | dict.fromkeys(("single_word", "rstrip", "normalized"), False)
                for token, i in self.special_ids.items()
            ],
            "normalizer": precompiled if rules else None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [bos, first, eos],
                "pair": [bos, first, eos, eos, second, eos],
                "special_tokens": ends,
            },
            "decoder": metaspace,
            "model": {
                "type": "Unigram",
                "unk_id": UNK,
                "vocab": [*((token, 0.0) for token in FIRST_TOKENS), *pieces, (MASK_TOKEN, 0.0)],
                "byte_fallback": False,
            },
        }


def _parts(text: str) -> list[str]:
    """A text cut before and after each special token."""
    return _SPECIAL.split(text) if "<" in text else [text]


def _root(token: str) -> str:
    """The shortest string that the token is a repetition of."""
    return token[: (token + token).find(token, 1)]


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The numbers and contents of the length-delimited fields of a protocol buffer message."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(message):
        field, kind = divmod(varint(), 8)
        size = {1: 8, 5: 4}.get(kind) or varint()
        if kind != 0:
            place += size
        if kind == 2:
            yield field, message[place - size : place]
