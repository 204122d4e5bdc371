"""What the browser shows while a model loads: a page on the port that the app then takes over.

It stands on the standard library alone, so that it is there before torch and Gradio are imported.
"""

from __future__ import annotations

import json
import socket
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from xlmrxl.palette import PALETTE

PORTS = range(7860, 7960)
"""The first free one of these, where none is asked for: Gradio's own."""
PROGRESS = "/waiting"
"""Where the page asks how far it is; the app answers there with something else, and then the page loads it."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>xlmrxl: loading</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; gap: 14px; padding: 0 24px;
    font: 15px/1.5 "IBM Plex Sans", "Noto Sans", "Segoe UI", "Helvetica Neue", Arial, sans-serif;
    color: {ink}; background: {paper}; }}
  h1 {{ margin: 0; font: 600 27px/1.2 "IBM Plex Mono", Menlo, Consolas, monospace; letter-spacing: -0.03em; }}
  p {{ margin: 0; min-height: 1.5em; font-variant-numeric: tabular-nums; }}
  progress {{ width: min(420px, 80vw); height: 6px; accent-color: {hue}; }}
  @media (prefers-color-scheme: dark) {{
    body {{ color: {ink_dark}; background: {paper_dark}; }} progress {{ accent-color: {hue_dark}; }}
  }}
</style></head><body>
<h1>xlmrxl</h1>
<p id="what">Loading {model}</p>
<progress aria-labelledby="what"></progress>
<p id="far" role="status">The app opens here as soon as the model is there.</p>
<script>
  const bar = document.querySelector("progress"), far = document.getElementById("far");
  let gone = 0;
  async function ask() {{
    try {{
      const answer = await fetch("{progress}", {{ cache: "no-store" }});
      const [done, total] = (await answer.json()).waiting;
      gone = 0;
      if (total) {{
        bar.max = total; bar.value = done;
        far.textContent = `${{(done / 1e9).toFixed(1)}} of ${{(total / 1e9).toFixed(1)}} GB read`;
      }}
    }} catch (error) {{
      const answers = await fetch(location.href, {{ cache: "no-store" }}).then((it) => it.ok, () => false);
      if (answers) return location.reload();
      if (++gone > 200) far.textContent = "Nothing answers any more: see the terminal in which the app was started.";
    }}
    setTimeout(ask, gone ? 100 : 250); // when nothing answers, the app is about to
  }}
  setTimeout(ask, 250);
</script></body></html>
"""


class Waiting:
    """A server of one page. Calling it tells the page how far the loading is: it is a `Progress`.

    Attributes:
        port: where it listens.

    Raises:
        OSError: the port is taken, or all of `PORTS` are.
    """

    def __init__(self, host: str, port: int | None, model: str) -> None:
        self._far = (0, 0)
        page = PAGE.format(
            model=escape(model),
            progress=PROGRESS,
            ink=PALETTE.grey[9],
            paper=PALETTE.grey[0],
            hue=PALETTE.hue[6],
            ink_dark=PALETTE.grey[1],
            paper_dark=PALETTE.grey[10],
            hue_dark=PALETTE.hue[3],
        ).encode()
        self._server = _listen(host, PORTS if port is None else (port,), self, page)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __call__(self, done: int, total: int) -> None:
        self._far = (done, total)

    @property
    def far(self) -> tuple[int, int]:
        """How much has been read, and how much there is, in bytes; zeros at first."""
        return self._far

    def close(self) -> None:
        """Leave the port to the app."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor who went away is no news."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(host: str, ports: range | tuple[int], owner: Waiting, page: bytes) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.path.partition("?")[0] == PROGRESS
            body = json.dumps({"waiting": owner.far}).encode() if asked else page
            # Not ready, for whoever asks whether the app is up; browsers show the page all the same.
            self.send_response(200 if asked else 503)
            self.send_header("Content-Type", "application/json" if asked else "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The terminal is for the progress."""

    server = _Server6 if ":" in host else _Server
    for port in ports:
        try:
            return server((host, port), Handler)
        except OSError:
            if port == ports[-1]:
                raise
    raise AssertionError("there are ports")
