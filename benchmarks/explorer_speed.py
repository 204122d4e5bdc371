"""How fast the attention explorer is in a browser, with XL's 36 × 32 heads.

    python benchmarks/explorer_speed.py [--tokens 128 512]

The model is random and narrow, but has as many heads as XL. All times are of the browser's own clock
(performance.now), in a headless Chromium without a GPU:

    first paint   from the call that mounts the explorer, with its data at hand, to the frame after all is drawn
    switch        from choosing another head to the frame after it is drawn: once with the request and its answer by
                  Python in between, and once with the weights at hand
    hover         frames a second while the pointer moves every frame, and the longest time between two frames
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from measure import Results, make_parser
from playwright.sync_api import sync_playwright

from xlmrxl import XLMRobertaXLConfig, XLMRobertaXLForMaskedLM, load
from xlmrxl.session import Session
from xlmrxl.views.attention_view import AttentionView

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from chromium import find
from explorer_page import mount

LAYERS, HEADS = 36, 32
SWITCHES = 20
FRAMES = 90

SWITCH = """async (heads) => {
  const el = document.getElementById("explorer");
  const times = [];
  for (const [layer, head] of heads) {
    const painted = new Promise((resolve) => {
      const heard = ({ detail }) => {
        if (detail !== "head") return;
        el.removeEventListener("painted", heard);
        requestAnimationFrame(() => resolve(performance.now()));
      };
      el.addEventListener("painted", heard);
    });
    const start = performance.now();
    el.explorer.select(layer, head);
    times.push((await painted) - start);
  }
  return times;
}"""
HOVER = """async ({ selector, frames }) => {
  const root = document.querySelector(".xlmrxl-attention").shadowRoot;
  const areas = [...root.querySelectorAll(selector)];
  const frame = () => new Promise(requestAnimationFrame);
  const gaps = [];
  let last = await frame();
  const start = last;
  for (let i = 0; i < frames; i++) {
    const area = areas[i % areas.length];
    const box = area.getBoundingClientRect();
    const [x, y] = [box.left + ((37 * i) % 97 / 97) * box.width, box.top + ((53 * i) % 89 / 89) * box.height];
    for (const type of ["pointermove", "pointerover"]) {
      area.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: y, bubbles: true, composed: true }));
    }
    const now = await frame();
    gaps.push(now - last);
    last = now;
  }
  return { rate: (1000 * frames) / (last - start), worst: Math.max(...gaps) };
}"""


def make_session() -> Session:
    """Return a random and narrow model with XL's heads and the embedded vocabulary."""
    small = load(progress=False)
    config = XLMRobertaXLConfig(
        vocab_size=small.tokenizer.vocab_size,
        hidden_size=4 * HEADS,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=64,
        max_position_embeddings=514,
        initializer_range=0.2,  # wide enough that heads attend to something
    )
    torch.manual_seed(0)
    return Session(XLMRobertaXLForMaskedLM(config).eval(), small.tokenizer, "random", "fp32")


def make_text(session: Session, tokens: int) -> str:
    """Return a text of exactly so many tokens, <s> and </s> included: a letter a token."""
    word = "a "
    each = len(session.tokenizer(word * 10)["input_ids"]) - 2
    text = word * ((tokens - 2) * 10 // each)
    assert len(session.tokenizer(text)["input_ids"]) == tokens
    return text


def measure(page: Any, view: AttentionView) -> dict[str, str]:
    """Return the times of one view in an open page."""
    paints = mount(page, view)
    heads = [[(7 * i) % LAYERS, (11 * i + 3) % HEADS] for i in range(1, SWITCHES + 1)]
    found: dict[str, str] = {"first paint": f"{paints:.0f} ms"}
    for name in ("asked for", "at hand"):
        times = page.evaluate(SWITCH, heads)
        found[f"switch, {name}"] = f"{statistics.median(times):.0f} ms, at most {max(times):.0f} ms"
    for form, selector in (("map", ".x-map"), ("matrix", ".x-scroller"), ("lines", ".x-rows .x-token")):
        if form != "map":
            page.evaluate("(form) => document.getElementById('explorer').explorer.set({ form })", form)
            page.wait_for_timeout(500)
        told = page.evaluate(HOVER, {"selector": selector, "frames": FRAMES})
        found[f"hover, {form}"] = f"{told['rate']:.0f} frames/s, longest {told['worst']:.0f} ms"
    return found


def main() -> None:
    """Measure some lengths in a headless browser."""
    parser = make_parser(__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 512])
    arguments = parser.parse_args()
    tokens, outcome = arguments.tokens, Results("Speed of the attention explorer in a browser")
    session = make_session()
    results = {}
    with sync_playwright() as playwright:
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=find(playwright.chromium.executable_path),
            args=["--disable-gpu", *(["--no-sandbox"] if as_root else [])],
        )
        for count in tokens:
            inspection = session.inspect(make_text(session, count), progress=False)
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            results[count] = measure(page, AttentionView(inspection))
            page.close()
        browser.close()
    rows = [[name, *(results[count][name] for count in tokens)] for name in results[tokens[0]]]
    outcome.add(f"{LAYERS} × {HEADS} heads", ["", *(f"{count} tokens" for count in tokens)], rows)
    outcome.write(arguments.out)


if __name__ == "__main__":
    main()
