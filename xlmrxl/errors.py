"""The errors that a person can cause, and how their sentences are made.

Each says which file, value or text was wrong and what to do about it.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires


class CheckpointError(OSError):
    """A checkpoint that cannot be found, read or written. The message names the file and what to do."""


class HubError(CheckpointError):
    """A checkpoint that the Hub, or the way to it, does not give."""


class InputError(ValueError):
    """A text, a value or an option that cannot be used."""


class MissingDependencyError(ImportError):
    """A package that is not installed, and that only a part of xlmrxl needs.

    Args:
        sentence: what needs which package, without a full stop: "Parquet needs pyarrow".
        extra: the extra of this package that brings it.
        alternative: what works without it: "use pca".
    """

    def __init__(self, sentence: str, extra: str, alternative: str = "") -> None:
        """Make the sentence, with the line for pip that installs the extra's packages."""
        self.extra = extra
        packages = " ".join(f"'{requirement}'" for requirement in read_requirements(extra))
        other = f" - or {alternative}." if alternative else ""
        super().__init__(f"{sentence}. Install it with: pip install {packages}{other}")


def read_requirements(extra: str) -> list[str]:
    """Return what an extra of this package requires, as pip takes it, from the installed metadata.

    So the line that a message shows works from a clone and from a wheel alike, though the package is on no index.
    """
    marker = f'extra == "{extra}"'
    try:
        lines = requires("xlmrxl") or []
    except PackageNotFoundError:  # run from a folder that is only on the path
        lines = []
    found = [line.partition(";")[0].strip() for line in lines if marker in line.replace("'", '"')]
    return found or [f"xlmrxl[{extra}]"]


def get_first_line(error: BaseException) -> str:
    """Return what an error says first, for a message that names the cause in passing."""
    lines = str(error).strip().splitlines()
    return shorten(lines[0], 300) if lines else type(error).__name__


def shorten(text: str, most: int = 80) -> str:
    """Return a text as a message may show it: on one line, and cut in the middle where it is long."""
    text = text if text.isprintable() else repr(text)[1:-1]
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def describe(value: object, most: int = 80) -> str:
    """Return the repr of a value as a message may show it, whatever the value is."""
    try:
        return shorten(repr(value), most)
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        return f"a {type(value).__name__}"
