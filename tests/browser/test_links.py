"""Links: what each tab shows opens again in another browser, and a malformed address leaves a working page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from needs import need_bitsandbytes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXPLORER = "[...document.querySelectorAll('#attention-explorer div')].find((it) => it.explorer)?.explorer"
PLOT = "document.querySelector('#states-figure .js-plotly-plot')"
FIELDS = """tab => [...document.querySelectorAll(`[id^="${tab}-"] :is(textarea, input, select)`)]
  .filter((it) => it.closest(".block")?.checkVisibility() && !it.closest(".x-actions, .js-plotly-plot"))
  .map((it) => [it.type, /^(radio|checkbox)$/.test(it.type) ? it.checked : it.value])"""
PLAIN = "Où est l'été? <b>50%</b> + 1 = '2' #x;"
ACCENTS = 'Où est le <mask> & l\'été? <b>50%</b> + 1 = "2" #x;'


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def result(place: str, part: str = "") -> Callable[[Any], Any]:
    """Reads the text of a result, or of a part of it, once it is there."""

    def read(page: Any) -> list[str]:
        page.locator(f"{place} .x-result").first.wait_for()
        texts: list[str] = page.locator(f"{place} .x-result {part}").all_inner_texts()
        return texts

    return read


def fill(page: Any) -> None:
    page.locator("#fill-text textarea").fill(ACCENTS)
    page.get_by_role("radio", name="all masks together").check()
    page.locator("#fill-top-k input[type=number]").fill("3")
    press(page, "Fill masks")


def classify(page: Any) -> None:
    page.locator("#classify-text textarea").fill(PLAIN)
    page.locator("#classify-labels textarea").fill("here, it's, a & b")
    press(page, "Classify")


def choose(page: Any) -> None:
    page.locator("#choose-prompt textarea").fill(PLAIN)
    for number, choice in enumerate(("القاهرة", "a & b", "c=d"), 1):
        page.locator(f"#choose-{number} textarea").fill(choice)
    page.get_by_role("radio", name="cause").check()
    press(page, "Choose")


def compare(page: Any) -> None:
    page.locator("#compare-text textarea").fill(ACCENTS)
    press(page, "Compare")


def attention(page: Any) -> None:
    page.locator("#attention-text textarea").fill(ACCENTS)
    page.locator("#attention-second textarea").fill("She came.")
    page.get_by_role("radio", name="as one pair").check()
    press(page, "Look inside")
    page.wait_for_function(f"() => {EXPLORER}?.shown")
    place = page.locator("#attention-explorer")
    for name, value in (("Layer", "1"), ("Head", "2")):
        place.get_by_role("spinbutton", name=name).fill(value)
        place.get_by_role("spinbutton", name=name).press("Enter")
        page.wait_for_function(
            f"([name, value]) => {EXPLORER}.selected[name] === value", arg=[name.lower(), int(value)]
        )
    for name in ("L1 H2 off", "Layer 1 off"):
        press(place, name)
    place.get_by_label("From sentence to sentence").select_option("AB")
    place.get_by_role("radio", name="words").check()
    place.get_by_label("renormalise rows").check()
    place.get_by_label("Show").first.select_option("importance")


def explored(page: Any) -> Any:
    ready = f"() => {EXPLORER}?.shown && {EXPLORER}.ablation?.found && {EXPLORER}.map?.name === 'importance'"
    page.wait_for_function(ready)
    page.wait_for_function("() => window.xlmrxl.getLink('attention').includes('importance')")
    return page.evaluate(
        f"""() => {{ const it = {EXPLORER}; return {{
            brief: it.brief, values: it.shown.map((side) => [...side.values]),
            rows: it.shown[0].rows.map((row) => row.text), effects: it.ablation.found.map((found) => found.effects),
            map: [...it.map.values] }}; }}"""
    )


def states(page: Any) -> None:
    page.locator("#states-text textarea").fill("She <b>came</b>.\nقال #1 & 2")
    page.locator("#states-view input").click()
    page.get_by_role("option", name="Similarity of tokens", exact=True).click()
    page.locator("#states-state input[type=number]").wait_for()
    page.locator("#states-state input[type=number]").fill("2")
    page.locator("#states-state input[type=number]").press("Enter")
    page.get_by_role("radio", name="words").check()
    page.get_by_label("Without what all share").check()
    press(page, "Look inside")


def drawn(page: Any) -> Any:
    page.wait_for_function(f"() => {PLOT}?.layout?.title?.text?.includes('state 2')")
    page.wait_for_function("() => window.xlmrxl.getLink('states').includes('remove_mean=true')")
    return page.evaluate(f"[{PLOT}.layout.title.text, {PLOT}.calcdata[0][0].z.map((row) => [...row])]")


TABS: dict[str, tuple[str, Callable[[Any], None], Callable[[Any], Any]]] = {
    "fill": ("Fill masks", fill, result("#fill-output")),
    "classify": ("Classify", classify, result("#classify-output")),
    "choose": ("Choose", choose, result("#choose-output")),
    "attention": ("Attention", attention, explored),
    "states": ("Hidden states", states, drawn),
    "compare": ("Precisions", compare, result("#compare-output", ".x-beside")),
}


@pytest.fixture
def elsewhere(browser) -> Iterator[Any]:
    """A page in a browser that knows nothing of the first."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    yield page
    context.close()
    assert not failed


@pytest.mark.parametrize("tab", ["fill", "classify", "choose", "attention", "states"])
def test_a_link_opens_what_a_tab_shows(page, elsewhere, tab: str) -> None:
    title, act, read = TABS[tab]
    page.get_by_role("tab", name=title).click()
    act(page)
    shown = read(page)
    assert shown
    page.wait_for_function("tab => location.hash.includes(`tab=${tab}&`)", arg=tab)
    link = page.evaluate("tab => window.xlmrxl.getLink(tab)", tab)
    elsewhere.goto(link)
    again = read(elsewhere)
    if tab in ("attention", "states"):
        assert json.dumps(rounded(again)) == json.dumps(rounded(shown))
    else:
        assert again == shown
    assert elsewhere.evaluate(FIELDS, tab) == page.evaluate(FIELDS, tab)
    assert any(kind == "textarea" and value for kind, value in page.evaluate(FIELDS, tab))
    assert elsewhere.get_by_role("tab", name=title).get_attribute("aria-selected") == "true"
    # And what it shows has the same link.
    elsewhere.wait_for_function("([tab, link]) => window.xlmrxl.getLink(tab) === link", arg=[tab, link])


def test_a_link_opens_what_precisions_show(page, elsewhere) -> None:
    need_bitsandbytes()
    test_a_link_opens_what_a_tab_shows(page, elsewhere, "compare")


def rounded(value: Any) -> Any:
    """Numbers as they are on screen; two runs of a model may differ in the last bits."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(np.float32(f"{value:.3g}")) if isinstance(value, float) else value


SCRIPT = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
STATE = quote(json.dumps({"settings": {"form": SCRIPT, "statistic": SCRIPT, "off": SCRIPT, "chosen": [[SCRIPT, 0]]}}))
POLLUTED = quote('{"__proto__": {"polluted": 1}, "settings": {"__proto__": {"polluted": 1, "form": "matrix"}}}')
STRANGE = {
    "no tab": "#text=The+%3Cmask%3E.",
    "an unknown tab": "#tab=nothing&text=a",
    "a tab that is a script": f"#tab={quote(SCRIPT)}&text={quote(SCRIPT)}",
    "unknown names": "#tab=fill&text=The+%3Cmask%3E.&constructor=1&__proto__=2&toString=3&text2=4",
    "200 kB": f"#tab=fill&text={'a' * 200_000}",
    "200 kB of a view": f"#tab=attention&text=a&state={'%5B' * 66_000}",
    "a thousand fields": "#tab=fill&" + "&".join(f"f{number}=1" for number in range(1000)),
    "scripts in values": "#"
    + "&".join(["tab=fill", *(f"{name}={quote(SCRIPT)}" for name in ("text", "method", "fills"))]),
    "a slider out of range": "#tab=fill&text=The+%3Cmask%3E.&fills=99999&method=nonsense&several=perhaps",
    "a slider that is no number": "#tab=states&text=a&view=cosine&hidden_state=NaN&unit=heads&remove_mean=1",
    "a state out of range": "#tab=states&text=a&view=projection&state=%7B%22state%22%3A1e9%7D",
    "a state that is none": "#tab=states&text=a&view=projection&state=%7B%22state%22%3A%5B1%5D%7D",
    "broken escapes": "#tab=fill&text=%E0%A4%A&%%%=%&=&&&",
    "a view of scripts": f"#tab=attention&text=The+%3Cmask%3E.&state={STATE}",
    "a view that is no object": "#tab=attention&text=a&state=7",
    "a view that is null": "#tab=attention&text=a&state=null",
    "a polluting view": f"#tab=attention&text=a&state={POLLUTED}",
}


@pytest.mark.parametrize("address", STRANGE.values(), ids=list(STRANGE))
def test_a_malformed_address_leaves_a_working_page(page, served: str, address: str) -> None:
    page.goto("about:blank")
    page.goto(f"{served}/{address}")
    page.get_by_role("tab", name="Fill masks").wait_for()
    if "tab=attention" in address and len(address) < 100_000:
        page.wait_for_function(f"() => {EXPLORER}?.shown")
        settings = page.evaluate(f"{EXPLORER}.settings")
        assert (settings["form"], settings["statistic"], settings["chosen"]) == (None, None, [])
        assert settings["off"] == {"heads": [], "layers": [], "positions": None}
        page.wait_for_function("() => window.xlmrxl.getLink('attention').includes('way=')")
        assert page.evaluate("new URLSearchParams(location.hash.slice(1)).get('state')") in (None, "null")
    elif "tab=states" in address:
        page.wait_for_function(f"() => {PLOT}?.layout?.title?.text")
    elif address.startswith("#tab=fill&"):
        page.locator("#fill-output :is(.x-result, [role=alert])").first.wait_for()
    page.get_by_role("tab", name="Fill masks").click()
    page.locator("#fill-text textarea").fill("The <mask> is here.")
    press(page, "Fill masks")
    page.wait_for_function("document.querySelector('#fill-output .x-result')?.dataset.text === 'The <mask> is here.'")
    assert page.get_by_role("alert").count() == 0
    assert page.evaluate("[window.hacked, ({}).polluted]") == [None, None]
    assert page.evaluate("new URL(window.xlmrxl.getLink('fill')).hash.length") < 200
