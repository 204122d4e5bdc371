"""The style sheet of results, and what stands around a result in the cell of a notebook."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xlmrxl.palette import css_variables

FOLDER = Path(__file__).parent
DARK_NOTEBOOKS = (
    '[data-jp-theme-light="false"]',
    ".vscode-dark",
    ".vscode-high-contrast",
    'html[theme="dark"]',
    'html[data-theme="dark"]',
    'body[data-theme="dark"]',
)
"""How a page around a cell says that it is dark: JupyterLab, VS Code, Colab, and pages of documentation."""


@cache
def style_sheet() -> str:
    """Return how results look, without comments; the colours are `palette.css_variables`."""
    sheet = re.sub(r"/\*.*?\*/", "", (FOLDER / "result.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", sheet).strip()


@cache
def _cell_style() -> str:
    dark = ", ".join(f"{page} .xlmrxl-cell" for page in DARK_NOTEBOOKS)
    return f"<style>{css_variables('.xlmrxl-cell', dark)} {style_sheet()}</style>"


def render_cell(html: str) -> str:
    """Return a result with its looks, for a notebook or any other page: it needs no script and no network."""
    return f'{_cell_style()}<div class="xlmrxl-cell">{html}</div>'
