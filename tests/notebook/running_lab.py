"""A real JupyterLab in a process of its own, and a notebook in it as a person meets it in a browser."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from running_app import answers  # beside the browser tests

START = 120  # seconds it may take, on a machine busy with other things
CELL = 120_000  # milliseconds a cell may take


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    token: str
    folder: Path  # where its notebooks are

    def write(self, name: str, cells: Sequence[str]) -> None:
        """A notebook of code cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(code, id=f"cell-{i}") for i, code in enumerate(cells)],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.folder / name)


@contextmanager
def serve_lab(folder: Path, theme: str = "JupyterLab Light") -> Iterator[Lab]:
    """A JupyterLab on the notebooks of a folder, with settings of its own, so that nobody's are read or changed."""
    (folder / "notebooks").mkdir(exist_ok=True)
    settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab"
    for extension, values in {
        "apputils-extension/themes": {"theme": theme},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},  # cells keep their numbers where they are out of sight
    }.items():
        path = settings / f"{extension}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder / 'notebooks'}", "--LabApp.extension_manager=readonly"]
    places = {"CONFIG_DIR": "config", "DATA_DIR": "data", "RUNTIME_DIR": "runtime"}
    environment = os.environ | {f"JUPYTER_{name}": str(folder / place) for name, place in places.items()}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(settings.parent), "JUPYTER_PREFER_ENV_PATH": "1"}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "IPYTHONDIR": str(folder / "ipython")}
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START
        while not answers(f"{url}/api"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield Lab(url, token, folder / "notebooks")
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


class Notebook:
    """A notebook that is open on a page, one cell after another."""

    def __init__(self, page: Any, lab: Lab, name: str) -> None:
        self.page = page
        page.goto(f"{lab.url}/doc/tree/{name}?token={lab.token}&reset")
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")
        self.cells.first.wait_for(timeout=CELL)
        # Before its kernel is there, a cell is not run, whatever the indicator of the notebook says.
        page.locator(".jp-StatusBar-TextItem, .jp-KernelStatus", has_text="| Idle").first.wait_for(timeout=CELL)

    def run(self, number: int) -> Any:
        """Run a cell, wait until it is done, and return where its outputs are."""
        cell = self.cells.nth(number)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputPrompt")
        self.page.wait_for_function(
            "node => /\\[\\d+\\]/.test(node.textContent)", arg=prompt.element_handle(), timeout=CELL
        )
        output = cell.locator(".jp-OutputArea-output")
        failed = cell.locator('[data-mime-type*="stderr"], [data-mime-type*="error"]')
        assert failed.count() == 0, failed.first.inner_text()
        return output

    def value(self, number: int) -> str:
        """Run a cell once more and return the text that it prints."""
        return re.sub(r"\s+$", "", self.run(number).last.inner_text())
