"""Skip tests for want of a package, without importing it."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def need_bitsandbytes() -> None:
    """Skip where there is no bitsandbytes, which the product imports in seconds less than `importorskip`."""
    if find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed", allow_module_level=True)
