"""The attention explorer on a bare page: its module, a model made of JSON, and Python that answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from xlmrxl.views.attention_view import AttentionView
from xlmrxl.views.protocol import EXPLORER, join_buffers

ADDRESS = "http://127.0.0.1"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>body { margin: 0 auto; max-width: 1240px; padding: 16px; background: #f8f9f9; }
@media (prefers-color-scheme: dark) { body { background: #0e1214; } }</style><div id="explorer"></div></html>"""
MOUNT = """async ({ first, traits }) => {
  const { default: explorer, makeJsonModel } = await import("/attention.js");
  window.changes = [];
  const el = document.getElementById("explorer");
  window.model = makeJsonModel({ first, ...traits, ask, onChange: (...change) => changes.push(change) });
  window.painted = {};
  const drawn = new Promise((resolve) => el.addEventListener("painted", ({ detail }) => {
    painted[detail] = (painted[detail] ?? 0) + 1;
    if (painted.map && painted.head) resolve();
  }));
  const begun = performance.now();
  window.end = explorer.render({ model, el });
  await drawn;
  return new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now() - begun)));
}"""
SET = """(traits) => new Promise((resolve, reject) => {
  const el = document.getElementById("explorer");
  const { settings, selected } = el.explorer;
  const parts = new Set();
  const heard = ({ detail }) => {
    parts.add(detail);
    if (!parts.has("map") || !parts.has("head")) return;
    el.removeEventListener("painted", heard);
    resolve();
  };
  el.addEventListener("painted", heard);
  for (const [name, value] of Object.entries(traits)) model.set(name, value);
  if (settings === el.explorer.settings && selected === el.explorer.selected) resolve(); // nothing new
  setTimeout(() => reject(new Error(`not painted: ${el.explorer.error}`)), 10_000);
})"""
SHOWN = """(most) => document.getElementById("explorer").explorer.shown.map((shown) => ({
  rows: shown.rows.map(({ text }) => text),
  columns: shown.columns.map(({ text }) => text),
  values: shown.rows.slice(0, most).map((_, i) => shown.columns.map((_, j) => shown.value(i, j))),
  errors: shown.rows.slice(0, most).map((_, i) => shown.columns.map((_, j) => shown.error(i, j))),
}))"""


def serve(route: Any) -> None:
    """Answer a request of the page from this repository; nothing else is reached."""
    name = urlsplit(route.request.url).path.strip("/")
    if name == "":
        route.fulfill(body=PAGE, content_type="text/html")
    elif name == EXPLORER.name:
        route.fulfill(path=EXPLORER, content_type="text/javascript")
    else:
        route.abort()


def mount(page: Any, view: AttentionView, **traits: Any) -> float:
    """Show a view on a page that nothing has been shown on yet.

    Returns:
        The milliseconds, by the browser's clock, from its data at hand to the frame after map and head are painted.
    """
    page.route(f"{ADDRESS}/**", serve)
    page.expose_function("ask", lambda request: join_buffers(*view.answer(request)))
    page.goto(ADDRESS)
    taken: float = page.evaluate(MOUNT, {"first": join_buffers(*view.first()), "traits": traits})
    return taken


def change(page: Any, **traits: Any) -> None:
    """Set traits to something else, as Python does it in a notebook; returns once all is painted anew."""
    page.evaluate(SET, traits)


def inside(page: Any, script: str, arg: Any = None) -> Any:
    """The value of a JavaScript expression that knows `root`, the shadow root, `explorer` and `arg`."""
    return page.evaluate(_expression(script), arg)


def wait_for(page: Any, script: str, arg: Any = None) -> None:
    """Wait until such an expression is true."""
    page.wait_for_function(_expression(script), arg=arg)


def _expression(script: str) -> str:
    return f"""(arg) => {{ const {{ explorer }} = document.getElementById("explorer");
        const root = document.querySelector(".xlmrxl-attention")?.shadowRoot; return {script}; }}"""


def shown(page: Any, most: int = 512) -> list[dict[str, Any]]:
    """Of each side the rows, the columns, and the values of the first `most` rows with how far they may be off."""
    found: list[dict[str, Any]] = page.evaluate(SHOWN, most)
    return found
