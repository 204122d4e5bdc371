"""Names on the Hub, with huggingface_hub itself against a small server on this machine that speaks like the Hub."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """The listing of a repository and its files, as much of the protocol as a download asks for."""

    def __init__(self, *arguments: object, root: Path) -> None:
        self.root = root
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        parts = parts[2:] if api else parts
        name, revision = "/".join(parts[:2]), parts[3] if len(parts) > 3 else "main"
        files = [path.name for path in self.root.iterdir()]
        if name == "org/busy":
            self.refuse(500, "")
        elif name not in ("org/tiny", "org/gated"):
            self.refuse(404, "RepoNotFound")
        elif revision not in ("main", COMMIT):
            self.refuse(404, "RevisionNotFound")
        elif api:
            listing = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]}
            self.send(json.dumps(listing).encode(), body=body)
        elif name == "org/gated":
            self.refuse(403, "GatedRepo")
        else:
            self.send((self.root / parts[4]).read_bytes(), body=body)

    def send(self, content: bytes, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", "no")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(tiny_folder: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a machine whose Hub is the small server."""
    root = Path(shutil.copytree(tiny_folder, tmp_path / "repository"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, root=root))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE"))}
    yield {
        **kept,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    server.shutdown()
    server.server_close()
    thread.join()


def load(environment: dict[str, str], *calls: str) -> list[str]:
    """What `xlmrxl.load(call)` gives or says for each, in a process of its own: the endpoint is read at import."""
    code = f"""
import xlmrxl
for arguments in {[f"dict(name={call})" for call in calls]!r}:
    try:
        session = xlmrxl.load(**eval(arguments))
        print("loaded", session.name, session.fill_mask("The <mask>.").masks[0].fills[0].text != "")
    except xlmrxl.CheckpointError as error:
        print("refused", error)
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_model_is_downloaded_once_and_then_there_offline(hub: dict[str, str]):
    loaded = "loaded org/tiny True"
    assert load(hub, "'org/tiny'", f"'org/tiny', revision='{COMMIT}', local_files_only=True") == [loaded] * 2
    assert load({**hub, "HF_HUB_OFFLINE": "1"}, "'org/tiny'") == [loaded]
    assert load({**hub, "HF_ENDPOINT": "http://127.0.0.1:9"}, "'org/tiny'") == [loaded]


def test_what_is_not_there_gets_a_sentence(hub: dict[str, str]):
    expected = {
        "'org/nothing'": "There is no 'org/nothing' on the Hub",
        "'org/gated'": "asks for permission",
        "'org/busy'": "not in the local cache",
        "'org/tiny', revision='old'": "no revision 'old'",
        "'org/tiny', subfolder='sub'": "holds no sub/config.json",
        "'org/tiny', local_files_only=True": "not in the local cache",
        "'not a name!'": "neither a folder nor a name",
    }
    for said, words in zip(load(hub, *expected), expected.values(), strict=True):
        assert said.startswith("refused")
        assert words in said


def test_no_network(hub: dict[str, str]):
    (said,) = load({**hub, "HF_ENDPOINT": "http://127.0.0.1:9"}, "'org/tiny'")
    assert "the Hub cannot be reached" in said
    assert "'default'" in said
