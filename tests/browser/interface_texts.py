"""What stands on the page as a text of the interface, and a walk through all of the app that brings it there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from xlmrxl.app.languages import NAMES
from xlmrxl.quantization.precision import PRECISIONS

OWN_NAMES = {*NAMES.values(), *PRECISIONS, "xlmrxl"}
"""The same in every language of the interface; those of languages are what their speakers call them."""
# In document order: [text, where]. What people and models wrote is left out, and what is not drawn.
TEXTS = """() => {
  const left = "script, style, svg, canvas, code, mark, bdi, [translate=no], .x-sentence, .x-text, .api-docs";
  const shown = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").get; // whatever scripts are told
  const found = [];
  const add = (text, where) => {
    const words = (text ?? "").trim().replace(/\\s+/g, " ");
    if (words) found.push([words, where]);
  };
  const drawn = (node) => (node.closest("select") ?? node).checkVisibility({ visibilityProperty: true });
  const look = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) look(node.shadowRoot);
      if (node.closest(left) || !drawn(node)) continue;
      const where = `${node.tagName.toLowerCase()}.${node.getAttribute("class") ?? ""}`;
      for (const name of ["title", "placeholder", "aria-label"]) {
        if (name !== "title" || !node.closest(".x-examples")) add(node.getAttribute(name), `${where}[${name}]`);
      }
      if (node.matches("input[role=combobox]")) add(shown.call(node), where);
      if (node.matches("textarea")) continue;
      for (const child of node.childNodes) if (child.nodeType === Node.TEXT_NODE) add(child.data, where);
    }
  };
  look(document.body);
  return found;
}"""

MASKS = "The <mask> sees the <mask>."


def texts(page: Any) -> dict[str, str]:
    """The texts of the interface that have words, and where each stands."""
    return {
        text: where for text, where in page.evaluate(TEXTS) if re.search("[a-z]{2}", text) and text not in OWN_NAMES
    }


def speak(page: Any, language: str) -> None:
    page.locator("#header select").select_option(language)
    page.wait_for_function("code => document.documentElement.lang === code", arg=language)


class Walk:
    """Through every tab, as a person who does not read its language: by place, not by name.

    `stop` is called with a name wherever there is something new to read. The page has to be wide at first.
    """

    def __init__(self, page: Any, stop: Callable[[str], None]) -> None:
        self.page, self.stop = page, stop
        tabs = page.locator("[role=tab][data-tab-id]")
        tabs.first.wait_for()
        self.names: list[str] = tabs.evaluate_all("all => all.map((it) => it.dataset.tabId)")

    def all(self) -> None:
        self.page.locator("#header [role=note]").wait_for()
        self.stop("first visit")
        self.page.locator("#header [role=note] button").click()
        for name in self.names:
            self.turn(name)
            self.stop(f"{name}: before")
            self.lists(name)
            getattr(self, name, self.first_example)()

    def turn(self, name: str) -> None:
        """To a tab, which may be in the menu of those that have no room."""
        self.tab = name
        tab = self.page.locator(f"[role=tab][data-tab-id={name}]")
        if not tab.count():
            self.page.locator(".overflow-menu > button").click()
            title = self.page.locator(".tab-container.visually-hidden button").nth(self.names.index(name)).inner_text()
            tab = self.page.locator(".overflow-dropdown button").get_by_text(title, exact=True)
        tab.first.click()
        self.page.locator(f"[role=tabpanel]:visible #{name}-button").wait_for()

    def lists(self, name: str) -> None:
        """Every list of choices that can be opened."""
        boxes = self.page.locator("input[role=combobox]:visible")
        for place in range(boxes.count()):
            self.open(boxes.nth(place))
            self.stop(f"{name}: list {place}")
            self.close()

    def open(self, box: Any) -> Any:
        """The options of a list."""
        box.click()
        options = self.page.locator("[role=option]:visible")
        options.first.wait_for()
        return options

    def close(self) -> None:
        self.page.keyboard.press("Escape")
        self.page.locator("h1").click()  # out of the box
        self.page.locator("[role=option]:visible").first.wait_for(state="detached")

    def example(self, number: int, result: str) -> None:
        self.page.locator(f"#{self.tab}-examples [data-index='{number}']").click()
        self.page.locator(result).first.wait_for()
        self.still()

    def still(self) -> None:
        """Until nothing is on its way."""
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('[data-testid=status-tracker]')].some("
            "(it) => !it.classList.contains('hide') && it.checkVisibility())"
        )

    def first_example(self) -> None:
        """Of a tab that this walk does not know."""
        examples = self.page.locator("[role=tabpanel]:visible .x-examples [data-index='0']")
        (examples if examples.count() else self.page.locator(f"#{self.tab}-button")).first.click()
        self.page.wait_for_timeout(1000)
        self.still()
        self.stop(f"{self.tab}: example")

    def fill(self) -> None:
        page = self.page
        self.example(0, "#fill-output .x-result")
        self.stop("fill: example")
        page.locator("button.x-chip").first.hover()
        self.stop("fill: token")
        page.locator("#fill-lens .x-action").click()
        page.locator("#fill-lens .x-layers").first.wait_for()
        self.stop("fill: layers")
        page.locator("#fill-templates [data-index='0']").click()
        page.locator("#fill-output .x-cards").wait_for()
        self.stop("fill: languages")
        page.locator("#fill-several input").uncheck()
        page.locator("#fill-targets textarea").fill("cat, dog")
        page.locator("#fill-text textarea").fill(MASKS)
        page.locator("#fill-button").click()
        page.locator("#fill-output .x-tokens").wait_for()
        self.stop("fill: targets")
        page.locator("#fill-targets textarea").fill("")
        for method in ("words", "joint"):
            page.locator(f"#fill-method input[value={method}]").check()
            page.locator("#fill-text textarea").fill(MASKS)
            page.locator("#fill-button").click()
            self.still()
            page.locator("#fill-output .x-fills, #fill-output .x-ways").nth(0).wait_for()
            self.stop(f"fill: {method}")
        page.locator("#fill-text textarea").fill("nothing is missing")
        page.locator("#fill-button").click()
        page.locator("#fill-output .x-problem").wait_for()
        self.stop("fill: problem")

    def classify(self) -> None:
        page = self.page
        self.example(0, "#classify-output .x-result")
        page.locator("#classify-output .x-action").click()
        page.locator("#classify-why .x-why").wait_for()
        self.stop("classify: words")
        page.locator("#classify-examples button", has_text="Der Hund").click()
        page.locator("#classify-output [data-text^='Der Hund']").wait_for()
        page.locator("#classify-more button").first.click()
        page.locator("#classify-templates textarea").wait_for()
        self.stop("classify: pair")
        page.locator("#classify-by input[value=teach]").check()
        page.locator("#teach-button").wait_for()
        self.stop("teach: before")
        page.locator("#teach-button").click()
        page.locator("#teach-output .x-problem").wait_for()
        self.stop("teach: problem")
        page.locator("#teach-sets [data-index='0']").click()
        page.locator("#teach-output .x-result").wait_for()
        self.still()
        self.stop("teach: example")

    def choose(self) -> None:
        self.example(0, "#choose-output .x-result")
        self.page.locator("#choose-output summary").click()
        self.stop("choose: example")
        self.page.locator("#choose-2 textarea").fill("")
        self.page.locator("#choose-button").click()
        self.page.locator("#choose-output .x-problem").wait_for()
        self.stop("choose: problem")

    def attention(self) -> None:
        """The explorer has lists of its own, whose options are read as they are."""
        page = self.page
        explorer = page.locator("#attention-explorer")

        def settled(stop: str) -> None:
            page.wait_for_timeout(700)
            self.still()
            self.stop(f"attention: {stop}")

        self.example(0, "#attention-explorer canvas")
        settled("one text")
        explorer.locator(".x-top button").click()
        explorer.locator(".x-find button").first.click()
        explorer.locator(".x-off .x-bar button").nth(0).click()
        explorer.locator(".x-effect").first.wait_for()
        explorer.locator(".x-head .x-check input").nth(1).check()
        settled("heads found, one off")
        explorer.locator(".x-off .x-bar button").nth(1).click()
        explorer.locator(".x-check input").nth(0).uncheck()
        explorer.locator("input[value=matrix]").check(force=True)
        explorer.locator("input[value=words]").check(force=True)
        statistic = explorer.locator(".x-heads select").first
        for option in statistic.locator("option:not([value=pair])").evaluate_all("all => all.map((it) => it.value)"):
            statistic.select_option(option)
            settled(f"statistic {option}")
        shown = explorer.locator(".x-head select").first
        for option in shown.locator("option").evaluate_all("all => all.map((it) => it.value)"):
            shown.select_option(option)
            settled(f"shown {option}")
        for order in ("lowest", "highest"):
            explorer.locator(".x-heads select").nth(1).select_option(order)
            settled(order)
        for number in (1, 6):
            self.example(number, "#attention-explorer .x-caption")
            settled(f"example {number}")
        page.locator("#attention-text textarea").fill("The dog.")
        page.locator("#attention-second textarea").fill("The dog.")
        page.locator("#attention-way input[value=beside]").check()
        page.locator("#attention-button").click()
        explorer.locator("input[value=difference]").check(force=True)
        settled("difference")

    def states(self) -> None:
        page = self.page
        self.example(0, "#states-figure .main-svg")
        self.stop("states: example")
        box = page.locator("#states-view input")
        count = self.open(box).count()
        self.close()
        for place in range(1, count):
            self.open(box).nth(place).click()
            self.close()
            page.wait_for_timeout(300)
            self.still()
            self.stop(f"states: view {place}")

    def compare(self) -> None:
        self.example(0, "#compare-output .x-result")
        self.stop("compare: example")

    def model(self) -> None:
        page = self.page
        page.locator("#model-load").click()
        page.locator("#model-said [role=status]").wait_for()
        self.still()
        self.stop("model: loaded")
        page.locator("#model-name textarea, #model-name input").first.fill("")
        page.locator("#model-load").click()
        page.locator(".x-problem:visible").wait_for()
        self.stop("model: problem")
