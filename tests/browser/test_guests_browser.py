"""Strangers at a page: markup and script in every field, links that carry them, and a queue that is full."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from xlmrxl.app.guests import BUSY

httpx = pytest.importorskip("httpx")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = (
    "The <mask> <img src=x class=evil onerror='window.hacked = 1'><script>window.hacked = 1</script>"
    ' ${window.hacked = 1} {{value}} `${1}` " onmouseover="window.hacked = 1" x=\' &lt;i class=evil>'
)
LINES = "<i class=evil>a: <b class=evil>one\n<i class=evil>b: <u class=evil>two</u>"  # labels, choices, examples
FIELDS = "[role=tabpanel]:visible :is(textarea, input[type=text]:not([role=combobox])):visible:enabled"
FOUND = """() => {
  const all = (root) => [...root.querySelectorAll("*")].flatMap((it) => [it, ...(it.shadowRoot ? all(it.shadowRoot) : [])]);
  return all(document).filter((it) => it.matches(".evil, [onmouseover], [onerror]")).map((it) => it.outerHTML);
}"""  # noqa: E501


STILL = """() => ![...document.querySelectorAll("[data-testid=status-tracker]")].some(
  (it) => !it.classList.contains("hide") && it.checkVisibility())"""


def tabs(page: Any) -> list[str]:
    found = page.locator("[role=tab][data-tab-id]").evaluate_all("all => all.map((it) => it.dataset.tabId)")
    return list(dict.fromkeys(found))


def check_harmless(page: Any) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.evaluate(FOUND) == []


@pytest.mark.parametrize("evil", [EVIL, LINES], ids=["a line", "lines"])
def test_markup_in_every_field_of_every_tab(page, evil: str) -> None:
    names = tabs(page)
    assert len(names) > 5
    for name in names:
        page.locator(f"[role=tab][data-tab-id={name}]").first.click()
        page.locator(f"[role=tabpanel]:visible #{name}-button").wait_for()
        fields = page.locator(FIELDS)
        for place in range(fields.count()):
            field = fields.nth(place)
            most = field.get_attribute("maxlength")
            field.fill(evil[: int(most)] if most else evil)
        buttons = page.locator("[role=tabpanel]:visible button.primary:visible:enabled")
        for place in range(buttons.count()):
            buttons.nth(place).click()
            page.wait_for_function(STILL)
        check_harmless(page)


def test_markup_in_a_link(page, served: str) -> None:
    said = dict.fromkeys(["view", "text", "second", "labels", "prompt", "model", "task", "way"], EVIL)
    for name in tabs(page):
        page.goto("about:blank")
        page.goto(f"{served}/#{urlencode({'tab': name, **said})}")
        page.locator(f"[role=tabpanel]:visible #{name}-button").wait_for()
        page.wait_for_function(STILL)
        check_harmless(page)


def test_a_full_queue_is_said_on_the_page_and_forgets_who_leaves(page, served: str) -> None:
    with httpx.Client(base_url=served, timeout=60) as client:
        config = client.get("/config").json()
        parts = {each["id"]: each["props"] for each in config["components"]}
        button = next(number for number, props in parts.items() if props.get("elem_id") == "compare-button")
        slow = next(each for each in config["dependencies"] if [button, "click"] in map(list, each["targets"]))
        data = [parts[each].get("value") or "The <mask>." for each in slow["inputs"]]
        body = {"data": data, "fn_index": slow["id"], "session_hash": "crowd"}
        full, enough = threading.Event(), threading.Event()

        def crowd() -> None:
            while not enough.is_set():
                if client.post("/gradio_api/queue/join", json=body).status_code == 503:
                    full.set()

        coming = [threading.Thread(target=crowd) for _ in range(4)]
        for each in coming:
            each.start()
        try:
            page.locator("#fill-text textarea").fill("The <mask>.")
            assert full.wait(60)
            deadline = time.monotonic() + 60
            while not page.get_by_text(BUSY).count():  # who presses may be quicker than the crowd
                assert time.monotonic() < deadline
                page.locator("#fill-button").click()
                page.wait_for_timeout(300)
        finally:
            enough.set()
            for each in coming:
                each.join()
        address = urlsplit(served)
        with socket.create_connection((address.hostname, address.port), timeout=20) as leaving:
            leaving.sendall(
                f"GET /gradio_api/queue/data?session_hash=crowd HTTP/1.1\r\nHost: {address.hostname}\r\n\r\n".encode()
            )
            leaving.recv(100)
        deadline = time.monotonic() + 60
        while client.get("/gradio_api/queue/status").json()["queue_size"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    page.locator("#fill-button").click()
    page.locator("#fill-output .x-result").wait_for()
