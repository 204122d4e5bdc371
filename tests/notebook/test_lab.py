"""The widgets in a real JupyterLab: cells are run, heads and fills clicked, and the traits read back in Python."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import numpy as np
import pytest

import xlmrxl
from xlmrxl.session import Session

pytestmark = pytest.mark.browser

EVIL = "<script>alert(1)</script>"
TEXT = f"She opened the <mask> {EVIL} and القاهرة <mask>."


@pytest.fixture(scope="module")
def session(checkpoint: Path) -> Session:
    return xlmrxl.load(checkpoint)


def start(checkpoint: Path) -> str:
    return f"import xlmrxl\nfrom xlmrxl.widgets import *\nsession = xlmrxl.load({str(checkpoint)!r})"


def percent(probability: float) -> str:
    return "<0.1%" if 0 < probability < 0.0005 else f"{probability * 100:.1f}%"


def test_filler(notebook, checkpoint: Path, session: Session) -> None:
    book = notebook(
        start(checkpoint),
        f"w = MaskFiller(session, {TEXT!r}, top_k=3)\nw",
        "print([w.text, w.method, w.selected, w.sentence, w.error])",
        "w.text = 'It is <mask>.'",
    )
    book.run(0)
    widget = book.run(1).locator(".xlmrxl")
    rows = widget.locator("tbody tr")
    rows.first.wait_for()
    found = session.fill_mask(TEXT, top_k=3)
    fills = [fill for mask in found.masks for fill in mask.fills]
    assert rows.locator(".x-percent").all_inner_texts() == [percent(fill.probability) for fill in fills]
    assert rows.locator("button bdi").all_text_contents() == [fill.label for fill in fills]
    assert EVIL in widget.locator("p.x-sentence").inner_text()

    # A fill is clicked, and Python knows it.
    rows.nth(4).locator("button").click()
    widget.locator("tbody button[aria-pressed=true]").nth(1).filter(has_text=fills[4].text).wait_for()
    text, method, selected, sentence, error = ast.literal_eval(book.value(2))
    assert (text, method, selected, error) == (TEXT, "subwords", [0, 1], "")
    assert sentence == f"She opened the {fills[0].text} {EVIL} and القاهرة {fills[4].text}."
    assert widget.locator("p.x-sentence").inner_text() == sentence

    # So is a token, by the keyboard; JupyterLab takes none of the keys for its own.
    cells = book.cells.count()
    chips = widget.locator("button.x-chip")
    chips.first.focus()
    for key in ("ArrowRight", "End", "Home", "a", "b", "d", "d", "Enter"):
        book.page.keyboard.press(key)
    first = next(token for token in found.tokens if token.start < token.end)
    masked = TEXT[: first.start] + "<mask>" + TEXT[first.end :]
    box = widget.locator("textarea")
    book.page.wait_for_function("box => box.value.startsWith('<mask>')", arg=box.element_handle())
    assert box.input_value() == masked
    assert ast.literal_eval(book.value(2))[0] == masked
    assert book.cells.count() == cells

    # What is set in Python shows on the page; what is typed is asked; what is wrong is said.
    book.run(3)
    widget.locator("p.x-sentence", has_text="It is").wait_for()
    assert box.input_value() == "It is <mask>."
    box.fill("no mask here")
    box.press("Enter")
    widget.locator("[role=alert]", has_text="There is no <mask>").wait_for()
    assert ast.literal_eval(book.value(2))[4].startswith("There is no <mask>")
    widget.locator("label", has_text="all masks together").click()
    box.fill("The <mask> is <mask>.")
    widget.get_by_role("button", name="Fill masks").click()
    ways = session.fill_mask("The <mask> is <mask>.", top_k=3, method="joint").joint
    widget.locator(".x-ways tbody tr").first.wait_for()
    widget.locator(".x-ways tbody button").nth(2).click()
    widget.locator(".x-ways tbody button[aria-pressed=true]").filter(has_text=ways[2].fills[0].text).wait_for()
    assert ast.literal_eval(book.value(2))[2:4] == [
        [2, 2],
        f"The {ways[2].fills[0].text} is {ways[2].fills[1].text}.",
    ]


def test_classifier_and_scorer(notebook, checkpoint: Path, session: Session) -> None:
    book = notebook(
        start(checkpoint),
        "c = TextClassifier(session, 'She is here today', labels=['cat', 'dog'])\nc",
        "print([c.scores, c.best, c.explained, c.words])",
        "s = ChoiceScorer(session)\ns",
        "print([s.best, s.probabilities, s.question])",
    )
    book.run(0)
    widget = book.run(1).locator(".xlmrxl")
    found = session.classify("She is here today", ["cat", "dog"])
    rows = widget.locator("tbody tr")
    rows.first.wait_for()
    assert rows.locator("th").all_inner_texts() == [label.label for label in found.labels]
    widget.get_by_role("button", name="Which words made it so").click()
    words = widget.locator(".x-words span")
    words.first.wait_for()
    assert words.all_inner_texts() == ["She", "is", "here", "today"]
    scores, best, explained, values = ast.literal_eval(book.value(2))
    assert scores == {label.label: pytest.approx(label.score) for label in found.labels}
    assert best == explained == found.labels[0].label
    why = session.attribute("She is here today", ["cat", "dog"], label=best)
    assert [value["value"] for value in values] == pytest.approx([word.value for word in why.words])

    widget = book.run(3).locator(".xlmrxl")
    widget.get_by_label("Prompt").fill("It is here.")
    widget.get_by_label("Choice 1").fill("She came.")
    widget.get_by_label("Choice 2").fill(EVIL)
    widget.get_by_role("radio", name="cause").check()
    expected = session.choose("It is here.", ["She came.", EVIL], question="cause")
    widget.locator("li").first.wait_for()
    assert [text.split("\n")[0] for text in widget.locator(".x-choice > span:first-child").all_inner_texts()] == [
        "She came.",
        EVIL,
    ]
    best, probabilities, question = ast.literal_eval(book.value(4))
    assert (best, question) == (expected.best, "cause")
    assert probabilities == pytest.approx([choice.probability for choice in expected.choices])


def test_attention(notebook, checkpoint: Path, session: Session) -> None:
    text = f"The dog chased its tail, {EVIL} قال"
    book = notebook(
        start(checkpoint),
        f"a = AttentionExplorer(session, {text!r})\na",
        "print(list(a.selected))",
        "a.selected = (1, 2)",
        "print(a.save_html('attention.html'))",
    )
    book.run(0)
    output = book.run(1)
    grid = output.get_by_role("grid", name="All heads")
    grid.wait_for()
    explorer = book.page.evaluate_handle(
        "node => { while (!node.querySelector('.xlmrxl-attention')) node = node.parentNode;"
        " return node.querySelector('.xlmrxl-attention').parentNode.explorer; }",
        output.locator(".xlmrxl").element_handle(),
    )
    values = """({shown, sides: [side]}) => shown && side.tokens.text.length === shown[0].rows.length &&
        shown[0].rows.map((_, i) => shown[0].columns.map((_, j) => [shown[0].value(i, j), shown[0].error(i, j)]))"""
    inspection = session.inspect(text)

    def compared(layer: int, head: int) -> None:
        """What is on screen comes to be the model's, within what the page itself says that quantising took."""
        weights = inspection.attention(layer, head)
        deadline = time.monotonic() + 20
        while True:
            title, on_screen = explorer.evaluate(f"explorer => [explorer.title, ({values})(explorer)]")
            pairs = np.array(on_screen) if on_screen else np.empty((0, 0, 2))
            if pairs.shape[:2] == weights.shape and (abs(pairs[..., 0] - weights) <= pairs[..., 1] + 1e-6).all():
                break
            assert time.monotonic() < deadline, (title, on_screen)
            book.page.wait_for_timeout(50)
        assert title == f"L{layer} H{head}"
        assert weights.std() > 4 * pairs[..., 1].max()  # what is compared is more than what quantising took

    compared(0, 0)
    # A head is clicked, and Python knows it.
    box = grid.bounding_box()
    layers, heads = inspection.layers, inspection.heads
    width, height = (box["width"] - 28) / heads, (box["height"] - 16) / layers
    grid.click(position={"x": 28 + 3.5 * width, "y": 16 + 1.5 * height})
    compared(1, 3)
    assert ast.literal_eval(book.value(2)) == [1, 3, 0]
    grid.press("ArrowUp")
    grid.press("Enter")
    compared(0, 3)
    assert ast.literal_eval(book.value(2)) == [0, 3, 0]
    # One is set in Python, and the page shows it.
    book.run(3)
    compared(1, 2)
    # Another text, typed.
    output.locator(".xlmrxl textarea").first.fill("She came")
    output.locator(".xlmrxl textarea").first.press("Enter")
    book.page.wait_for_function("explorer => explorer.sides[0].text === 'She came'", arg=explorer)
    inspection = session.inspect("She came")
    compared(1, 2)
    assert EVIL not in book.value(4)


def test_hidden_states(notebook, checkpoint: Path, session: Session) -> None:
    texts = {"en": f"The dog {EVIL} sleeps", "ar": "القاهرة هي مصر"}
    book = notebook(
        start(checkpoint),
        f"h = HiddenStateExplorer(session, {texts!r})\nh",
        "print([h.view, h.state, h.position])",
        "h.view = 'cosine'",
        "print(h.result.values.tolist())",
    )
    book.run(0)
    widget = book.run(1).locator(".xlmrxl")
    plot = widget.locator(".x-plot .main-svg").first
    plot.wait_for()
    handle = widget.locator(".x-plot").element_handle()
    parallel = session.inspect_parallel(texts)
    laid = parallel.project()

    def drawn(layer: int) -> None:
        """The points on screen are those of the projection."""
        place = laid.states.index(layer)
        expected = laid.points[place, :, 0].tolist()
        read = "plot => plot._fullData.filter((t) => t.mode.includes('markers')).flatMap((t) => Array.from(t.x))"
        book.page.wait_for_function(
            f"([plot, first]) => Math.abs(({read})(plot)[0] - first) < 1e-5", arg=[handle, expected[0]]
        )
        assert book.page.evaluate(read, handle) == pytest.approx(expected, abs=1e-5)

    middle = round(session.model.config.num_hidden_layers * 2 / 3)
    drawn(middle)
    slider = widget.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    drawn(0)
    assert ast.literal_eval(book.value(2)) == ["projection", 0, None]
    book.run(3)
    book.page.wait_for_function("plot => plot._fullData[0].type === 'heatmap'", arg=handle)
    on_screen = book.page.evaluate("plot => plot.calcdata[0][0].z.map((row) => Array.from(row))", handle)
    expected = parallel.cosine_similarity(0, unit="tokens")
    values = json.loads(book.value(4))
    assert len(on_screen) == len(values) > len(expected.values)  # <s> and </s> are there as well
    for row, line in zip(on_screen, values, strict=True):
        assert row == pytest.approx(line, abs=1e-6)
    widget.get_by_label("View", exact=True).select_option("logit_lens")
    widget.get_by_label("Token", exact=True).select_option("2")
    book.page.wait_for_function("plot => plot._fullData[0].z[0].length === 1", arg=handle)
    assert ast.literal_eval(book.value(2)) == ["logit_lens", 0, 2]
    with book.page.expect_download() as download:
        widget.get_by_role("button", name="CSV").click()
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("state,position,token")
    with book.page.expect_download() as download:
        widget.get_by_role("button", name="SVG").click()
    picture = Path(download.value.path()).read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "Lens" in picture or "likeliest" in picture


def test_page_turns_dark(notebook, checkpoint: Path) -> None:
    book = notebook(
        start(checkpoint),
        "from xlmrxl.inspection import states\nv = ResultView(states.state_norms(session.inspect('The dog')))\nv",
        "f = MaskFiller(session, 'The <mask>')\nf",
        "print(v.dark)",
    )
    book.run(0)
    view, filler = (book.run(number).locator(".xlmrxl") for number in (1, 2))
    plot = view.locator(".x-plot")
    ink = "plot => plot._fullLayout?.font.color"
    book.page.wait_for_function(f"plot => ({ink})(plot)", arg=plot.element_handle())
    light = plot.evaluate(ink)
    paper = filler.evaluate("root => getComputedStyle(root).backgroundColor")
    assert book.value(3) == "False"
    book.page.get_by_role("menuitem", name="Settings").click()
    for entry in ("Theme", "JupyterLab Dark"):
        book.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()
    for root in (view, filler):
        book.page.wait_for_function("root => root.dataset.theme === 'dark'", arg=root.element_handle())
    book.page.wait_for_function(f"([plot, light]) => ({ink})(plot) !== light", arg=[plot.element_handle(), light])
    assert filler.evaluate("root => getComputedStyle(root).backgroundColor") != paper
    assert book.value(3) == "True"


SLOW = """
import threading, time

class Slow:
    model, tokenizer, asked = session.model, session.tokenizer, []

    def fill_mask(self, text, progress=True, **options):
        self.asked.append(text)
        for done in range(1, 41):
            time.sleep(0.1 if callable(progress) else 0)
            if callable(progress):
                progress(done, 40)
        return session.fill_mask(text, progress=False, **options)

slow = Slow()
w = MaskFiller(slow, "The <mask>")
w
"""


def test_controls_say_that_the_model_works_and_the_last_question_wins(notebook, checkpoint: Path) -> None:
    book = notebook(start(checkpoint), SLOW, "print([w.result.text, w.working, slow.asked])")
    book.run(0)
    widget = book.run(1).locator(".xlmrxl")
    button = widget.locator(".x-primary")
    button.filter(has_text="Fill masks").wait_for()
    box = widget.locator("textarea")
    for text in ("It is <mask>", "She is <mask>", "He was <mask>"):
        box.fill(text)
        box.press("Enter")
        button.filter(has_text="Filling…").wait_for()
    assert widget.get_attribute("aria-busy") == "true"
    widget.locator("progress").wait_for()
    widget.locator(".x-status", has_text="of 40").wait_for()
    widget.locator("p.x-sentence", has_text="He was").wait_for()
    button.filter(has_text="Fill masks").wait_for()
    assert widget.get_attribute("aria-busy") == "false"
    assert widget.locator("progress").count() == 1
    assert widget.locator("progress").is_hidden()
    text, working, asked = ast.literal_eval(book.value(2))
    assert (text, working, asked[-1]) == ("He was <mask>", False, "He was <mask>")
