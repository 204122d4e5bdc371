"""The two files of one vocabulary: tokenizer.json of the tokenizers library, and the SentencePiece model.

transformers 5 saves tokenizer.json alone. All that a SentencePiece model needs stands in it, so one is made of it:
there is one implementation of the segmentation, whatever file it comes from.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from xlmrxl.errors import describe
from xlmrxl.tokenization.added_tokens import AddedToken

FIRST_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
MASK_TOKEN = "<mask>"
SPACE = "▁"
"""How a space is written inside a piece."""
MAX_PIECES = 1 << 22
SAME_SCORE = 1e-3
"""How far the scores of one piece in two files may differ: those in JSON may have been rounded."""

# Types of pieces in a SentencePiece model.
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3


def build_sentencepiece(values: Mapping[str, Any]) -> bytes:
    """Make the SentencePiece model that a tokenizer.json stands for.

    Args:
        values: what the file holds.

    Returns:
        The serialised model.

    Raises:
        ValueError: it is no tokenizer of XLM-RoBERTa, or does something that SentencePiece does not.
    """
    model = values.get("model")
    if not isinstance(model, dict) or model.get("type") != "Unigram":
        kind = model.get("type") if isinstance(model, dict) else model
        raise ValueError(f"its model is {describe(kind)}, not the Unigram of XLM-RoBERTa")
    if model.get("byte_fallback", False) is not False or model.get("unk_id") != FIRST_TOKENS.index("<unk>"):
        raise ValueError("its Unigram has byte_fallback or another unk_id than XLM-RoBERTa")
    pieces = _read_pieces(model.get("vocab"))
    _check_pre_tokenizer(values.get("pre_tokenizer"))
    _check_post_processor(values.get("post_processor"))
    rules = _read_rules(values.get("normalizer"))
    message = bytearray()
    for piece, score, kind in [("<unk>", 0.0, _UNKNOWN), ("<s>", 0.0, _CONTROL), ("</s>", 0.0, _CONTROL)]:
        message += _field(1, _piece(piece, score, kind))
    for piece, score in pieces:
        message += _field(1, _piece(piece, score, _NORMAL))
    trainer = _number(3, 1) + _number(4, len(pieces) + 3)  # unigram, and how many pieces
    trainer += _number(40, 0) + _number(41, 1) + _number(42, 2) + _number(43, (1 << 64) - 1)  # ids; no padding, -1
    name = "nmt_nfkc" if rules else "identity"
    normalizer = _field(1, name.encode()) + _field(2, rules) + _number(3, 1) + _number(4, 1) + _number(5, 1)
    return bytes(message + _field(2, trainer) + _field(3, normalizer))


def remove_prefix_space(model: bytes) -> bytes:
    """Return a SentencePiece model that puts no space before a text.

    In protocol buffers a field that comes again counts, so this is the same model with one setting behind it.
    """
    return model + _field(3, _number(3, 0))


def reads_prefix_space(values: Mapping[str, Any]) -> bool:
    """Return whether a tokenizer.json puts a space before each word; what is no such file has the default."""
    try:
        return _check_pre_tokenizer(values.get("pre_tokenizer"))
    except ValueError:
        return True


def is_other_vocabulary(values: Mapping[str, Any], pieces: list[tuple[str, float]]) -> bool:
    """Return whether a tokenizer.json has other pieces, or other scores, than the SentencePiece model beside it.

    Args:
        values: what the file holds. If that is no vocabulary of XLM-RoBERTa, it is no other one either.
        pieces: of the SentencePiece model, with their scores.
    """
    model = values.get("model")
    try:
        found = _read_pieces(model.get("vocab") if isinstance(model, dict) else None)
    except ValueError:
        return isinstance(model, dict) and bool(model.get("vocab"))
    return len(found) != len(pieces) or any(
        first != second or abs(score - other) > SAME_SCORE
        for (first, score), (second, other) in zip(found, pieces, strict=True)
    )


def _read_pieces(vocab: Any) -> list[tuple[str, float]]:
    """Return the pieces with their scores, without the special tokens at both ends."""
    if not isinstance(vocab, list) or not len(FIRST_TOKENS) < len(vocab) <= MAX_PIECES:
        raise ValueError("its vocab is no list of pieces with scores")
    for entry in vocab:
        if not (
            isinstance(entry, list)
            and len(entry) == 2
            and isinstance(entry[0], str)
            and isinstance(entry[1], int | float)
            and not isinstance(entry[1], bool)
            and math.isfinite(entry[1])
            and abs(entry[1]) < 1e30
        ):
            raise ValueError(f"its vocab has {describe(entry)} where a piece and its score should be")
    first = tuple(piece for piece, _ in vocab[: len(FIRST_TOKENS)])
    if first != FIRST_TOKENS:
        raise ValueError(f"its vocab begins with {describe(first)}, not with {', '.join(FIRST_TOKENS)}")
    if vocab[-1][0] != MASK_TOKEN:
        raise ValueError(f"its vocab ends with {describe(vocab[-1][0])}, not with {MASK_TOKEN}")
    pieces = [(piece, float(score)) for piece, score in vocab[len(FIRST_TOKENS) : -1]]
    if len({piece for piece, _ in pieces} - {"", *FIRST_TOKENS, MASK_TOKEN}) < len(pieces):
        raise ValueError("its vocab has a piece twice, or an empty one")
    return pieces


def _check_pre_tokenizer(pre_tokenizer: Any) -> bool:
    """Return whether there is a space before each word.

    Raises:
        ValueError: a text is cut in another way than at spaces, which belong to what follows them.
    """
    parts = pre_tokenizer.get("pretokenizers") if isinstance(pre_tokenizer, dict) else None
    parts = parts if isinstance(parts, list) else [pre_tokenizer]
    kinds = [part.get("type") if isinstance(part, dict) else part for part in parts]
    if kinds not in (["Metaspace"], ["WhitespaceSplit", "Metaspace"]):
        raise ValueError(f"its pre_tokenizer is {describe(kinds)}, not that of XLM-RoBERTa")
    space = parts[-1]
    older = space.get("add_prefix_space", True)
    scheme = space.get("prepend_scheme", "always" if older else "never")
    known = (scheme == "always" and older is True) or (scheme == "never" and len(kinds) == 2)
    if space.get("replacement") != SPACE or not known or space.get("split", True) is not True:
        raise ValueError(f"its Metaspace is {describe(space)}, not that of XLM-RoBERTa")
    return bool(scheme == "always")


def _check_post_processor(processor: Any) -> None:
    """Refuse other special tokens around a text than `<s> A </s>`."""
    if processor is None:
        return
    kind = processor.get("type") if isinstance(processor, dict) else processor
    if kind in ("RobertaProcessing", "BertProcessing"):
        right = (processor.get("cls"), processor.get("sep")) == (["<s>", 0], ["</s>", 2])
    else:
        expected = _template()
        right = kind == "TemplateProcessing" and all(
            processor.get(name) == expected[name] for name in ("single", "pair")
        )
    if not right:
        raise ValueError(f"its post_processor ({describe(kind)}) puts other tokens around a text than XLM-RoBERTa's")


def _read_rules(normalizer: Any) -> bytes:
    """Return SentencePiece's own rules of normalisation, which tokenizer.json carries along."""
    parts = normalizer.get("normalizers") if isinstance(normalizer, dict) else None
    rules = b""
    for part in parts if isinstance(parts, list) else [] if normalizer is None else [normalizer]:
        kind = part.get("type") if isinstance(part, dict) else part
        if kind == "Precompiled" and not rules:
            try:
                rules = base64.b64decode(part["precompiled_charsmap"] or "", validate=True)
            except (KeyError, TypeError, ValueError, binascii.Error):
                raise ValueError("its precompiled_charsmap is damaged") from None
        elif not _is_what_sentencepiece_does(part):
            raise ValueError(f"its normalizer has {describe(kind)}, which XLM-RoBERTa's has not")
    return rules


def _is_what_sentencepiece_does(part: Any) -> bool:
    """Return whether a step only takes away spaces at the ends or beside others."""
    if not isinstance(part, dict):
        return False
    if part.get("type") == "Strip":
        return True
    spaces = part.get("pattern") in ({"Regex": " {2,}"}, {"String": "  "})
    return part.get("type") == "Replace" and spaces and part.get("content") in (" ", SPACE)


def build_tokenizer_json(
    model: bytes,
    pieces: list[tuple[str, float]],
    special_ids: Mapping[str, int],
    added: Mapping[int, AddedToken],
    add_prefix_space: bool = True,
) -> dict[str, Any]:
    """Make the tokenizer.json of a SentencePiece model.

    Args:
        model: serialised.
        pieces: with their scores, without `<unk>`, `<s>` and `</s>`.
        special_ids: of the family's special tokens.
        added: the tokens that were added, by id.
        add_prefix_space: whether words are looked up with the space before them.
    """
    normalizer = b"".join(value for field, value in _fields(model) if field == 3)
    rules = b"".join(value for field, value in _fields(normalizer) if field == 2)
    metaspace = {
        "type": "Metaspace",
        "replacement": SPACE,
        "add_prefix_space": add_prefix_space,
        "prepend_scheme": "always" if add_prefix_space else "never",
    }
    own = {i: AddedToken(token, lstrip=token == MASK_TOKEN, special=True) for token, i in special_ids.items()}
    ends = {token: {"id": token, "ids": [special_ids[token]], "tokens": [token]} for token in ("<s>", "</s>")}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, **token.to_dict()} for i, token in sorted((dict(added) | own).items())],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(rules).decode()}
        if rules
        else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {"type": "TemplateProcessing", **_template(), "special_tokens": ends},
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": FIRST_TOKENS.index("<unk>"),
            "vocab": [*((token, 0.0) for token in FIRST_TOKENS), *pieces, (MASK_TOKEN, 0.0)],
            "byte_fallback": False,
        },
    }


def _template() -> dict[str, list[dict[str, Any]]]:
    """Return what stands around a text and a pair: `<s> A </s>`, `<s> A </s></s> B </s>`."""
    bos, eos = ({"SpecialToken": {"id": token, "type_id": 0}} for token in ("<s>", "</s>"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B"))
    return {"single": [bos, first, eos], "pair": [bos, first, eos, eos, second, eos]}


# Messages of protocol buffers


def _varint(value: int) -> bytes:
    if value < 128:
        return _SHORT[value]
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


_SHORT = [bytes([value]) for value in range(128)]


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _piece(piece: str, score: float, kind: int) -> bytes:
    """Return a piece as the model holds it: its text, its score and its type."""
    try:
        text = piece.encode()
    except UnicodeEncodeError:
        raise ValueError(f"its vocab has {describe(piece)}, which is half a character") from None
    return b"\x0a" + _varint(len(text)) + text + b"\x15" + struct.pack("<f", score) + b"\x18" + _SHORT[kind]


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and contents of the length-delimited fields of a message."""
    place = 0

    def encode_varint() -> int:
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
        field, kind = divmod(encode_varint(), 8)
        size = {1: 8, 5: 4}.get(kind) or encode_varint()
        if kind != 0:
            place += size
        if kind == 2:
            yield field, message[place - size : place]
