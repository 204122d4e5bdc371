"""The attention explorer on a bare page: its module, a model made of JSON, and Python that answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from xlmrxl.views.protocol import FRONT_END, AttentionView, source, with_base64

ADDRESS = "http://127.0.0.1"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>body { margin: 0 auto; max-width: 1240px; padding: 16px; background: #f8f9f9; }
@media (prefers-color-scheme: dark) { body { background: #0e1214; } }</style><div id="explorer"></div></html>"""
MOUNT = """async ({ first, traits, module }) => {
  const { default: explorer, jsonModel } = await import(module);
  window.changes = [];
  const el = document.getElementById("explorer");
  window.model = jsonModel({ first, ...traits, ask, changed: (...change) => changes.push(change) });
  window.painted = {};
  const drawn = new Promise((resolve) => el.addEventListener("painted", ({ detail }) => {
    painted[detail] = (painted[detail] ?? 0) + 1;
    if (painted.map && painted.head) resolve();
  }));
  window.end = explorer.render({ model, el });
  await drawn;
}"""
SET = """(traits) => new Promise((resolve) => {
  const el = document.getElementById("explorer");
  const parts = new Set();
  const heard = ({ detail }) => {
    parts.add(detail);
    if (!parts.has("map") || !parts.has("head")) return;
    el.removeEventListener("painted", heard);
    resolve();
  };
  el.addEventListener("painted", heard);
  for (const [name, value] of Object.entries(traits)) model.set(name, value);
})"""
SHOWN = """() => document.getElementById("explorer").explorer.shown.map((shown) => ({
  rows: shown.rows.map(({ text }) => text),
  columns: shown.columns.map(({ text }) => text),
  values: shown.rows.map((_, i) => shown.columns.map((_, j) => shown.value(i, j))),
  errors: shown.rows.map((_, i) => shown.columns.map((_, j) => shown.error(i, j))),
}))"""


def serve(route: Any) -> None:
    """Answer a request of the page from this repository; nothing else is reached."""
    name = urlsplit(route.request.url).path.strip("/")
    if name == "":
        route.fulfill(body=PAGE, content_type="text/html")
    elif name == "explorer.js":
        route.fulfill(body=source(), content_type="text/javascript")
    elif (FRONT_END / name).is_file():
        route.fulfill(path=FRONT_END / name, content_type="text/javascript")
    else:
        route.abort()


def mount(page: Any, view: AttentionView, module: str = "/explorer.js", **traits: Any) -> None:
    """Show a view on a page that nothing has been shown on yet; returns once the map and a head are painted."""
    page.route(f"{ADDRESS}/**", serve)
    page.expose_function("ask", lambda request: with_base64(*view.answer(request)))
    page.goto(ADDRESS)
    page.evaluate(MOUNT, {"first": with_base64(*view.first()), "traits": traits, "module": module})


def change(page: Any, **traits: Any) -> None:
    """Set traits to something else, as Python does it in a notebook; returns once all is painted anew."""
    page.evaluate(SET, traits)


def shown(page: Any) -> list[dict[str, Any]]:
    """Of each side the rows, the columns, their values and how far these may be off."""
    found: list[dict[str, Any]] = page.evaluate(SHOWN)
    return found
