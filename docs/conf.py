"""The site: pages in Markdown, the reference from docstrings, the commands from click, figures from JSON.

`make docs` builds it into docs/_build. Nothing is fetched: not when it is built, and not when it is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generate import escape_docstring, skip_foreign, write_pages  # noqa: E402 - it stands beside this file
from sphinx.application import Sphinx  # noqa: E402

from xlmrxl.version import __version__  # noqa: E402

project = "xlmrxl"
copyright = "the xlmrxl authors, Apache License 2.0"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
INCLUDED = ["_generated/benchmarks.md", "_generated/layers.md"]  # parts of pages
exclude_patterns = ["_build", "notebooks", *INCLUDED]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"xlmrxl {release}"
html_static_path = ["_static"]
html_copy_source = False

default_role = "code"  # one backtick in a docstring is code, as in Markdown
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # a field is described once, where it is declared
suppress_warnings = ["ref.python"]  # a name in a type, such as `layer`, that several classes have


def setup(app: Sphinx) -> None:
    """Write the generated pages before Sphinx looks for sources, and read docstrings as they are written here."""
    write_pages(HERE / "_generated")
    app.connect("autodoc-process-docstring", escape_docstring, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", skip_foreign)
