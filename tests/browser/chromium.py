"""Where a Chromium is on this machine. As a script it succeeds if there is one, for the Makefile."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find(own: str | None = None) -> str | None:
    """The path of a browser: that of XLMRXL_CHROMIUM, one on the PATH, or playwright's `own`."""
    found = [os.environ.get("XLMRXL_CHROMIUM"), *map(shutil.which, NAMES), own]
    return next((path for path in found if path and Path(path).exists()), None)


if __name__ == "__main__":
    sys.exit(find() is None)
