"""Bytes to lines of text, in any encoding. Bytes that are no text mark their line, and the others are read."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from xlmrxl.errors import InputError

UTF8 = "utf-8"
SAMPLE = "text,label;\t\r\n"
"""What an encoding of tables must be able to say, and to read again."""
WIDE = re.compile("utf-(16|32)")
"""Names of encodings whose characters have NUL bytes in them."""

PACKED_BYTES = {
    r"\x1f\x8b": "is compressed with gzip. Unpack it: gunzip < {name} > unpacked{suffix}",
    r"BZh[1-9]1AY&SY": "is compressed with bzip2. Unpack it: bunzip2 < {name} > unpacked{suffix}",
    r"\xfd7zXZ": "is compressed with xz. Unpack it: unxz < {name} > unpacked{suffix}",
    r"\x28\xb5\x2f\xfd": "is compressed with zstd. Unpack it: unzstd < {name} > unpacked{suffix}",
    r"PK\x03\x04": "is a zip archive or a workbook. Unpack it, or save its table as CSV in UTF-8",
    r"\xd0\xcf\x11\xe0": "is a workbook. Save its table as CSV in UTF-8",
    r"PAR1[\x00-\x1f]": "is Parquet. Give it a name that ends in .parquet",
}
"""How files begin that are no text in any encoding, and what to do about each."""
WIDE_BYTES = {
    r"\xff\xfe|\xfe\xff": "is UTF-16. Say so: encoding='utf-16', --encoding utf-16",
    r"\x00[^\x00]": "looks like UTF-16. Say so: encoding='utf-16-be', --encoding utf-16-be",
    r"[^\x00]\x00": "looks like UTF-16. Say so: encoding='utf-16-le', --encoding utf-16-le",
}
"""How files begin that are text in an encoding with NUL bytes."""
MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-16-le": (codecs.BOM_UTF16_LE,),
    "utf-16-be": (codecs.BOM_UTF16_BE,),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
"""How a text in an encoding begins that has a byte order mark."""
UTF8_BYTES = {r"\xef\xbb\xbf": "begins with the mark of UTF-8, though another encoding is named. Leave it out"}


def check_encoding(name: str) -> str:
    """Return the name that Python has for an encoding.

    Raises:
        InputError: there is no such encoding of texts.
    """
    try:
        codec = codecs.lookup(name).name.replace("utf-8-sig", UTF8)  # the mark is left out of every encoding
        known = SAMPLE.encode(codec).decode(codec) == SAMPLE
    except (LookupError, TypeError, ValueError):
        known = False
    if not known:
        raise InputError(
            f"encoding is {name!r}, which Python does not know. It may be utf-8, utf-16, latin-1, cp1252, cp1251, "
            "gb18030, shift_jis and others."
        )
    return codec


def check_is_text(file: BinaryIO, name: str, encoding: str = UTF8, suffix: str = "") -> None:
    """Find out by its first bytes whether a file can be text in an encoding. It is read from its beginning afterwards.

    Args:
        file: that can be read again from where it is: `seek` or `peek`.
        name: how messages call it.
        encoding: one that `check_encoding` returned.
        suffix: of the name, for commands that unpack it.

    Raises:
        InputError: it cannot, with what to do about it.
    """
    if isinstance(file, io.BufferedReader):
        start = file.peek(16)[:16]
    else:
        position = file.tell()
        start = file.read(16)
        file.seek(position)
    if encoding in ("utf-16", "utf-32") and start and not start.startswith(MARKS[encoding]):
        raise InputError(
            f"{name} does not begin with the mark of {encoding.upper()}. Name its byte order, {encoding}-le or "
            f"{encoding}-be, or the encoding that it is in."
        )
    if encoding in MARKS and start.startswith(MARKS["utf-16"]) and not start.startswith(MARKS[encoding]):
        raise InputError(f"{name} begins with the mark of the other byte order. Name that, or utf-16.")
    patterns = PACKED_BYTES | ({} if WIDE.match(encoding) else WIDE_BYTES) | ({} if encoding == UTF8 else UTF8_BYTES)
    text = start.decode("latin-1")
    if remedy := next((remedy for pattern, remedy in patterns.items() if re.match(pattern, text)), ""):
        raise InputError(f"{name} {remedy.format(name=name.replace(chr(92), '/').rpartition('/')[2], suffix=suffix)}")


@contextlib.contextmanager
def open_lines(file: BinaryIO, encoding: str = UTF8, newline: str = "\n") -> Iterator[Iterator[str]]:
    """Open the lines of a file with their ends, without the mark that may stand before the first.

    Bytes that are not of the encoding become half surrogates, which `mend` makes U+FFFD: the line with them is not the
    same when it is mended.

    Args:
        file: stays open.
        encoding: one that `check_encoding` returned.
        newline: as in `open`; with a line feed only that ends a line, and U+2028, a form feed and the like are in it.
    """
    codecs.register_error("xlmrxl.mark", _mark_bytes)
    text = io.TextIOWrapper(file, encoding=encoding, errors="xlmrxl.mark", newline=newline)
    try:
        yield _without_mark(text)
    finally:
        text.detach()


def split_lines(text: str) -> list[str]:
    """Return the lines of a text without their ends, which are line feeds or CR LF, and no U+2028."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    """Return lines, the first without a byte order mark."""
    first = next(lines, "").removeprefix("\ufeff")
    return chain([first] if first else [], lines)


def _mark_bytes(error: UnicodeError) -> tuple[str, int]:
    """Return half surrogates for bytes that cannot be decoded, as Python's `surrogateescape` has them of some."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


def mend(text: str) -> str:
    """Return a text with half surrogates, be they of wrong bytes or of halved characters, as U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        with contextlib.suppress(UnicodeEncodeError):
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def describe_damage(encoding: str) -> str:
    """Return the sentence about a row or a line that has bytes which are not of its encoding."""
    return f"It has bytes that are not {encoding.upper()}, shown as \ufffd."
