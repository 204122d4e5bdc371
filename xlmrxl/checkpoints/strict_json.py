"""Read JSON that a stranger may have written: whatever is wrong with it becomes one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xlmrxl.errors import CheckpointError, get_first_line

MAX_DEPTH = 32
"""Lists and objects within each other; the deepest file of a checkpoint, tokenizer.json, has seven."""
MAX_BYTES = 256 << 20
"""Size of a file; the largest known, a tokenizer.json of 250,000 pieces, has 17 MB."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: the text is not UTF-8 or not JSON, is nested too deep, or has a number of thousands of digits. The
            message is a clause for a sentence that names the file.
    """
    try:
        value = json.loads(text)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise ValueError(get_first_line(error).partition(";")[0]) from None
    level, depth = [value], 0
    while level := [
        child
        for parent in level
        if isinstance(parent, dict | list)
        for child in (parent.values() if isinstance(parent, dict) else parent)
        if isinstance(child, dict | list)
    ]:
        depth += 1
        if depth >= MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    return value


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        CheckpointError: the file cannot be read, or holds something else.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES >> 20} MB")
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else get_first_line(error)
        raise CheckpointError(f"{path} is not valid JSON ({reason}). Copy or download it again.") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} does not hold a JSON object. Copy or download it again.")
    return values
