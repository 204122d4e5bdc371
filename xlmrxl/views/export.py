"""The attention explorer as one HTML page: the front end and its data, without any network."""

from __future__ import annotations

import json
from html import escape

from xlmrxl.views.protocol import BUILT

SCRIPT = BUILT / "saved_page.js"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ margin: 0 auto; max-width: 1240px; padding: 24px; background: #f8f9f9; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #0e1214; }} }}
@media (max-width: 720px) {{ body {{ padding: 14px; }} }}</style>
</head>
<body>
<div id="explorer"></div>
<noscript>This page draws attention weights with JavaScript, which is switched off here.</noscript>
<script type="application/json" id="data">{data}</script>
<script type="module">
{script}</script>
</body>
</html>
"""


def write_page(title: str, data: object) -> str:
    """Return a page that opens with its data, from disk and with the network off.

    Args:
        title: of the page.
        data: what file.js answers from, as `AttentionView.to_html` puts it together.
    """
    return PAGE.format(title=escape(title), data=write_json(data), script=SCRIPT.read_text(encoding="utf-8"))


def write_json(data: object) -> str:
    """Write JSON that ends no script element and begins no comment, whatever the texts in it are."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
