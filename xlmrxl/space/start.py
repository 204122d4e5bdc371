"""Start a Space as Spaces do, in a process of its own, and ask it something."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from xlmrxl.space.check import Fault

EXAMPLE_INPUTS: dict[str, list[Any]] = {
    "fill": ["The capital of France is <mask>.", 1],
    "classify": ["The team won after extra time.", "", "en"],
    "choose": ["It rained all night.", ["The street is wet.", "The street is long."], "", "en"],
}
"""An input for each endpoint of the app; the first endpoint that the app offers is asked."""
START_TIMEOUT = 1800
"""Seconds in which a Space has to be there, as on Spaces."""


class StartError(Exception):
    """A Space that does not come up; the message is what it said last."""


@dataclass(frozen=True)
class Running:
    """A Space that answers."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def read_log(self) -> str:
        """Return what the Space has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def run_space(
    folder: Path, command: Sequence[str] = (sys.executable, "app.py"), *, port: int | None = None
) -> Iterator[Running]:
    """Start a Space, give it once it answers, and end it afterwards.

    Args:
        folder: of the Space; nothing is written into it.
        command: that runs it, from its folder.
        port: where it is to listen; a free one if not given.

    Raises:
        StartError: it ended, or did not answer in time.
    """
    port = port or find_free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.update(
        GRADIO_SERVER_NAME="127.0.0.1", GRADIO_SERVER_PORT=str(port), SYSTEM="spaces", PYTHONDONTWRITEBYTECODE="1"
    )
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        running = Running(address, process, log)
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise StartError(_find_last_line(running.read_log()) or "nothing was said")
                time.sleep(0.2)
            yield running
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _end_all(process.pid)


def find_free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ask(address: str) -> str:
    """Ask the first endpoint that is known, and return its name.

    Raises:
        ValueError: there is none, or it gave no answer.
        OSError: nothing is there any more.
    """
    with urllib.request.urlopen(f"{address}/gradio_api/info", timeout=60) as reply:
        offered = json.load(reply)["named_endpoints"]
    name = next((name for name in EXAMPLE_INPUTS if f"/{name}" in offered), None)
    if name is None:
        raise ValueError("it offers none of the app's endpoints")
    data = list(EXAMPLE_INPUTS[name])
    # What is left out is filled in by Gradio's clients, not by its server.
    data += [each["parameter_default"] for each in offered[f"/{name}"]["parameters"][len(data) :]]
    body = json.dumps({"data": data}).encode()
    call = f"{address}/gradio_api/call/{name}"
    asked = urllib.request.Request(call, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as reply:
        event = json.load(reply)["event_id"]
    with urllib.request.urlopen(f"{call}/{event}", timeout=600) as reply:
        said = reply.read().decode()
    if "event: complete" not in said:
        raise ValueError(f"it answered /{name} with: {said.strip()[-200:]}")
    return name


def check_start(folder: str | os.PathLike[str], python: str = sys.executable, file: str = "app.py") -> list[Fault]:
    """Find out whether a Space starts and answers."""
    try:
        with run_space(Path(folder).expanduser(), [python, file]) as space:
            ask(space.address)
    except StartError as error:
        return [Fault(file, f"does not start: {error}")]
    except (ValueError, OSError) as error:
        return [Fault(file, f"starts, but {error}")]
    return []


def _end_all(group: int) -> None:
    """End the processes that a Space forked for its work: they do not go with it."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10):
            return True
    except (URLError, TimeoutError, ConnectionError):
        return False


def _find_last_line(said: str) -> str:
    """Return the last line, which of a traceback is what went wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
