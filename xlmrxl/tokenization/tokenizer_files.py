"""The files of a tokenizer: its vocabulary in either format, its options, and how they are written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xlmrxl.errors import CheckpointError, describe
from xlmrxl.tokenization.added_tokens import ADDED_NAME, SPECIAL_NAME
from xlmrxl.tokenization.token_table import TokenTable
from xlmrxl.tokenization.tokenizer_json import build_sentencepiece, is_other_vocabulary, reads_prefix_space
from xlmrxl.tokenization.vocabulary import Vocabulary

VOCAB_NAME = "sentencepiece.bpe.model"
CONFIG_NAME = "tokenizer_config.json"
FAST_NAME = "tokenizer.json"


def read_vocabulary(
    vocab_file: Path | None, fast: tuple[Path, Mapping[str, Any]] | None, add_prefix_space: bool | None = None
) -> Vocabulary:
    """Read a vocabulary; where two files have one, they must have the same.

    Args:
        vocab_file: the SentencePiece model, if there is one.
        fast: tokenizer.json and what it holds, if there is one.
        add_prefix_space: whether words are looked up with the space before them; None: as tokenizer.json says.

    Raises:
        CheckpointError: a file cannot be used, or they contradict each other.
    """
    if add_prefix_space is None:
        add_prefix_space = fast is None or reads_prefix_space(fast[1])
    if vocab_file is None:
        assert fast is not None
        path, values = fast
        try:
            return Vocabulary(build_sentencepiece(values), path, add_prefix_space)
        except ValueError as error:
            raise CheckpointError(f"{path} cannot be used: {error}. Take the {VOCAB_NAME} of the original.") from None
    try:
        # The bytes, not the path: some versions of SentencePiece abort the process where the path is a folder.
        vocabulary = Vocabulary(vocab_file.read_bytes(), vocab_file, add_prefix_space)
    except OSError as error:
        raise CheckpointError(f"{vocab_file} cannot be read: {error.strerror or error}.") from None
    if fast is not None and is_other_vocabulary(fast[1], vocabulary.pieces()):
        raise CheckpointError(f"{vocab_file} and {fast[0]} hold different vocabularies. Remove the wrong one.")
    return vocabulary


def check_special_tokens(path: Path, values: Mapping[str, Any]) -> None:
    """Refuse special tokens of another family.

    Raises:
        CheckpointError: the file names such.
    """
    for name in TokenTable.SPECIAL_TOKENS_ATTRIBUTES[:-1]:
        token = values.get(name)
        content = token.get("content") if isinstance(token, dict) else token
        expected = getattr(TokenTable, name)
        if content is not None and content != expected:
            raise CheckpointError(
                f"{path} says that the {name} is {describe(content)}; that of XLM-RoBERTa is {expected!r}, and xlmrxl "
                "reads no other."
            )


def read_options(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `tokenizer_config.json` says that matters here.

    Raises:
        CheckpointError: it says what cannot be.
    """
    known: dict[str, Any] = {}
    for name in ("padding_side", "truncation_side"):
        if config.get(name) is not None:
            known[name] = config[name]
            if known[name] not in ("right", "left"):
                raise CheckpointError(f"{path} says that {name} is {describe(known[name])}; it is 'right' or 'left'.")
    for name in ("add_prefix_space", "split_special_tokens"):
        if config.get(name) is not None:
            known[name] = config[name]
            if not isinstance(known[name], bool):
                raise CheckpointError(f"{path} says that {name} is {describe(known[name])}; it is true or false.")
    longest = config.get("model_max_length")
    if longest is not None:
        if isinstance(longest, bool) or not isinstance(longest, int | float) or not 1 <= longest < math.inf:
            raise CheckpointError(
                f"{path} says that model_max_length is {describe(longest)}; it is a number of tokens."
            )
        known["model_max_length"] = int(longest)
    return known


def write_files(folder: Path, prefix: str | None, model: bytes, files: Mapping[str, Any]) -> tuple[str, ...]:
    """Write a vocabulary and JSON files into a folder, which is made if need be.

    Args:
        folder: the folder.
        prefix: goes before the name of each file.
        model: the SentencePiece model, serialised.
        files: what the others hold, by name.

    Returns:
        The paths of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = f"{prefix}-" if prefix else ""
    (folder / (before + VOCAB_NAME)).write_bytes(model)
    for name, values in files.items():
        text = json.dumps(values, ensure_ascii=False, indent=None if name == FAST_NAME else 2)
        (folder / (before + name)).write_text(text + ("" if name == FAST_NAME else "\n"), encoding="utf-8")
    if files:  # what an earlier tokenizer left in this folder
        for name in {ADDED_NAME, SPECIAL_NAME} - files.keys():
            (folder / (before + name)).unlink(missing_ok=True)
    return tuple(str(folder / (before + name)) for name in (VOCAB_NAME, *files))
