"""Every tab with something in it, looked at by axe-core: no serious violation of the accessibility rules."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FILLED = {
    "Fill masks": ("#fill-examples", "#fill-output .x-result"),
    "Classify": ("#classify-examples", "#classify-output .x-result"),
    "Choose": ("#choose-examples", "#choose-output .x-result"),
    "Attention": ("#attention-examples", "#attention-explorer canvas"),
    "Hidden states": ("#states-examples", "#states-figure .main-svg"),
    "Precisions": ("#compare-examples", "#compare-output .x-result"),
    "Model": ("", "#model-plan tbody"),
}
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_tab_has_a_serious_violation(page, served: str, theme: str) -> None:
    page.goto(f"{served}/?__theme={theme}")
    page.add_style_tag(content=STILL)  # a colour on its way to another is none of either
    for tab, (examples, result) in FILLED.items():
        page.get_by_role("tab", name=tab).click()
        if examples:
            page.locator(f"{examples} button").first.click()
        page.locator(result).first.wait_for()
        found = Axe().run(page).response
        assert len(found["passes"]) > 20
        serious = [(each["id"], each["nodes"]) for each in found["violations"] if each["impact"] != "minor"]
        assert not serious, tab
