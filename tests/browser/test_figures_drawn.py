"""Figures in a real browser, by the plotly.js that the notebook has and by the one that Gradio's front end carries."""

from __future__ import annotations

import json
from collections.abc import Iterator

import gradio as gr
import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from xlmrxl import figures
from xlmrxl.figures.style import format_subword
from xlmrxl.inspection.labelled_matrix import Axis, Curves, LabelledMatrix
from xlmrxl.inspection.projection import Projection
from xlmrxl.tasks.result import Source

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORDS = [
    "<b>x</b>",
    "<script>alert(1)</script>",
    "$x$ $y$",
    "&lt;",
    "%{meta.kind}",
    "a<br>b",
    "▁the",
    "▁القطة",
    "ไทย",
    "👍🏽",
]
SOURCE = Source("m<i>o</i>del", "main", "4bit", "0.1.0", {"of": "<u>words</u>"})
N = len(WORDS)
VALUES = np.random.default_rng(0).uniform(0.1, 1, (N, N)).astype(np.float32)
POINTS = np.random.default_rng(1).normal(size=(4, N, 2)).astype(np.float32)
HEAT = LabelledMatrix(SOURCE, "cosine", "<b>title</b>", VALUES, Axis("token", tuple(WORDS)), Axis("word", tuple(WORDS)))
LINES = Curves(SOURCE, "cosine", "<b>title</b>", VALUES[:, :4], tuple(WORDS), Axis.numbered("state", 4))
PLANE = Projection(
    SOURCE, "pca", "common", "state", "words", (0, 1, 2, 3), tuple(WORDS), ("<i>en</i>",) * N, POINTS, None
)
DRAWN = {"heat": figures.heatmap(HEAT), "lines": figures.curves(LINES), "plane": figures.projection(PLANE)}
SHOWN = {format_subword(word) for word in WORDS}


@pytest.fixture(scope="module")
def gradio_page(browser) -> Iterator:
    """The figures as Gradio draws them."""
    with gr.Blocks() as demo:
        for name, figure in DRAWN.items():
            gr.Plot(figure, elem_id=name)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    page = browser.new_page(viewport={"width": 900, "height": 2400})
    page.goto(url)
    yield from _watched(page)
    demo.close()


@pytest.fixture(scope="module")
def notebook_page(browser) -> Iterator:
    """The figures as the notebook and a file of their own draw them."""
    page = browser.new_page(viewport={"width": 900, "height": 2400})
    divs = "".join(f'<div id="{name}"></div>' for name in DRAWN)
    page.set_content(f"<!DOCTYPE html><html><body>{divs}</body></html>")
    page.add_script_tag(content=get_plotlyjs())
    for name, figure in DRAWN.items():
        page.evaluate("([name, f]) => Plotly.newPlot(name, f.data, f.layout)", [name, json.loads(figure.to_json())])
    yield from _watched(page)


def _watched(page) -> Iterator:
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("dialog", lambda dialog: failed.append(dialog.message))
    for name in DRAWN:
        page.locator(f"#{name} .main-svg").first.wait_for()
    yield page
    page.close()
    assert not failed


@pytest.fixture(params=["notebook_page", "gradio_page"])
def drawn(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def texts(page, name: str, of: str) -> list[str]:
    """What is written there, as a reader sees it."""
    return page.locator(f"#{name} {of}").evaluate_all(
        "nodes => nodes.map(node => node.textContent.replaceAll('\\u00a0', ' '))"
    )


def test_texts_are_shown_as_texts(drawn):
    assert set(texts(drawn, "heat", ".xtick text")) == SHOWN
    assert set(texts(drawn, "heat", ".ytick text")) == SHOWN
    assert set(texts(drawn, "lines", ".legendtext")) == SHOWN
    assert set(texts(drawn, "plane", ".textpoint text")) == SHOWN
    assert texts(drawn, "plane", ".legendtext")[0] == "<i>en</i>"
    for name in DRAWN:
        lines = texts(drawn, name, ".gtitle-subtitle tspan.line")
        assert lines == ["m<i>o</i>del · revision main · 4bit", "of <u>words</u> · xlmrxl 0.1.0"]
    assert "<b>title</b>" in texts(drawn, "heat", ".gtitle")
    assert drawn.locator("#heat b, #heat script, #lines b, #plane i").count() == 0


def test_the_page_has_the_numbers(drawn):
    found = drawn.evaluate(
        """() => {
          const plot = document.querySelector("#heat .js-plotly-plot, #heat.js-plotly-plot");
          return plot.calcdata[0][0].z.map(row => Array.from(row));
        }"""
    )
    assert np.array_equal(np.float32(found), VALUES)


def test_the_pointer_finds_a_label_and_its_number(drawn):
    box = drawn.locator("#heat .nsewdrag").first.bounding_box()
    column, row = 7, 1
    drawn.mouse.move(box["x"] + box["width"] * (column + 0.5) / N, box["y"] + box["height"] * (row + 0.5) / N)
    drawn.locator("#heat .hovertext").first.wait_for()
    # Every line is a tspan of its own.
    said = drawn.locator("#heat .hovertext tspan.line").evaluate_all("lines => lines.map(line => line.textContent)")
    assert said[0] == "token <script>alert(1)</script>"
    assert said[1] == f"word {format_subword(WORDS[column])}"
    assert float(said[2].removeprefix("cosine ")) == pytest.approx(float(VALUES[row, column]), rel=1e-3)


def test_the_slider_moves_the_points(drawn):
    def places() -> list[list[float]]:
        return drawn.evaluate(
            """() => {
              const plot = document.querySelector("#plane .js-plotly-plot, #plane.js-plotly-plot");
              return plot.calcdata[0].map(point => [point.x, point.y]);
            }"""
        )

    assert np.float32(places()).tolist() == POINTS[2].tolist()
    rail = drawn.locator("#plane .slider-rail-touch-rect").bounding_box()
    drawn.mouse.click(rail["x"] + rail["width"] - 3, rail["y"] + rail["height"] / 2)
    drawn.wait_for_function(
        """([x]) => Math.abs(document.querySelector("#plane .js-plotly-plot, #plane.js-plotly-plot")
             .calcdata[0][0].x - x) < 1e-6""",
        arg=[float(POINTS[3, 0, 0])],
    )
    assert np.float32(places()).tolist() == POINTS[3].tolist()
    drawn.mouse.click(rail["x"] + rail["width"] * 2 / 3, rail["y"] + rail["height"] / 2)
