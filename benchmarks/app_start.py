"""How long the app takes to open, beside the import of its two largest parts, in one run.

    python benchmarks/app_start.py [--model default] [--rounds 5]

The two take turns, each in a fresh process with the files in the page cache: `python -c "import gradio, torch"` until
it has ended, and `xlmrxl app --no-browser` until its page can be used in a Chromium that is already open, as a
person's is. The page is opened as soon as anything answers, so that it is the one that says to wait, and turns into
the app by itself. It can be used when the button is there, which is pressed at once: from then to the result in the
page is the first fill. Printed are medians, and the ratio of the app to the import; read the ratio: the seconds are
those of one machine. Without a browser, the app counts as open when it answers `/config`.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from measure import Results, make_parser, time_seconds

if TYPE_CHECKING:
    from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))
TEXT = "The old house near the river was <mask>."
TIMES = {
    "import": "import gradio, torch",
    "config": "app: /config answers",
    "page": "app: the page can be used",
    "fill": "the first fill",
}


@contextmanager
def open_browser() -> Iterator[Browser | None]:
    """Open a browser, if there is one."""
    try:
        from chromium import find
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        yield None
        return
    with sync_playwright() as playwright:
        path = find(playwright.chromium.executable_path)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def time_import() -> float:
    """Return how long a process takes that imports Gradio and torch."""
    return time_seconds(lambda: subprocess.run([sys.executable, "-c", "import gradio, torch"], check=True))


def time_opening(model: str, browser: Browser | None) -> dict[str, float]:
    """Return what the app takes from the start of its process, and what the first fill takes; in seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "xlmrxl.cli.main", "app", "--no-browser", "--port", str(port), "--model", model]
    found: dict[str, float] = {}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def config() -> None:
        while process.poll() is None:
            try:
                with urlopen(f"{url}/config", timeout=5):  # the page that says to wait answers 503
                    found["config"] = time.perf_counter() - start
                    return
            except (URLError, OSError):
                time.sleep(0.05)

    asking = threading.Thread(target=config)
    asking.start()
    try:
        if browser is not None:
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.01)
            page = browser.new_page()
            page.goto(url)
            page.locator("#fill-button:enabled").wait_for()
            found["page"] = time.perf_counter() - start
            page.locator("#fill-text textarea").fill(TEXT)
            pressed = time.perf_counter()
            page.locator("#fill-button").click()
            page.locator("#fill-output .x-result").wait_for()
            found["fill"] = time.perf_counter() - pressed
            page.close()
        asking.join()
    finally:
        process.terminate()
        process.wait()
    if "config" not in found:
        raise SystemExit(f"the app did not start: {' '.join(command)}")
    return found


def main() -> None:
    """Let the two take turns."""
    parser = make_parser(__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    results = Results("Start of the app")
    taken: dict[str, list[float]] = {}
    with open_browser() as browser:
        time_import()  # the files into the page cache
        time_opening(arguments.model, browser)
        for _ in range(arguments.rounds):
            taken.setdefault("import", []).append(time_import())
            for name, value in time_opening(arguments.model, browser).items():
                taken.setdefault(name, []).append(value)
    rows = [[TIMES[name], statistics.median(values), min(values), max(values)] for name, values in taken.items()]
    decides = "page" if "page" in taken else "config"
    ratios = [ours / theirs for ours, theirs in zip(taken[decides], taken["import"], strict=True)]
    title = f"{TIMES[decides]} : import = {statistics.median(ratios):.2f}, {arguments.rounds} rounds"
    results.add(title, ["", "median, s", "least, s", "most, s"], rows)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
