"""Names on the Hub, with huggingface_hub itself against a small server on this machine that speaks like the Hub."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "a" * 40
TOKEN = "hf_aVerySecretToken"
ANSWERS = {  # of the listing: status, code, message, more headers
    "org/refused": (401, "", "Invalid credentials in Authorization header", {}),
    "org/expired": (401, "", 'User Access Token "mine" is expired', {}),
    "org/forbidden": (403, "", "The token has no permission", {}),
    "org/gated-listing": (403, "GatedRepo", "no", {}),
    "org/closed": (403, "", "Access to this resource is disabled.", {}),
    "org/limited": (429, "", "no", {}),
    "org/limited-7": (429, "", "no", {"Retry-After": "7"}),
    "org/limited-until": (429, "", "no", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "org/limited-window": (429, "", "no", {"RateLimit": '"api";r=0;t=55'}),
    "org/busy": (500, "", "", {}),
    "org/down": (503, "", "", {}),
    "org/teapot": (418, "", "no", {}),
}
SLOW = 4
"""Seconds that `org/slow` takes; the processes that ask it wait for one."""


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
        if api:
            with (self.root.parent / "asked").open("a") as file:
                file.write(name + "\n")
        if name == "org/slow":
            time.sleep(SLOW)
        if name in ANSWERS:
            self.refuse(*ANSWERS[name])
        elif name == "org/portal":
            self.send(b"<html>Log in to the network of this hotel.</html>", body=body)
        elif name not in ("org/tiny", "org/gated", "org/slow", "org/half", "org/file-down", "org/file-forbidden"):
            self.refuse(404, "RepoNotFound")
        elif revision not in ("main", COMMIT):
            self.refuse(404, "RevisionNotFound")
        elif api:
            listing = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]}
            self.send(json.dumps(listing).encode(), body=body)
        elif name == "org/gated":
            self.refuse(403, "GatedRepo")
        elif name == "org/file-down":
            self.refuse(520, "")
        elif name == "org/file-forbidden":
            self.refuse(403, "")
        elif name == "org/half" and body:
            self.send((self.root / parts[4]).read_bytes(), body=body, part=100)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # the connection is reset
            self.close_connection = True
        else:
            self.send((self.root / parts[4]).read_bytes(), body=body)

    def send(self, content: bytes, *, body: bool, part: int | None = None) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            with suppress(ConnectionError):  # who asked may have waited long enough
                self.wfile.write(content[:part])

    def refuse(self, status: int, code: str, message: str = "no", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})}.items():
            if value:
                self.send_header(name, value)
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


@pytest.mark.slow
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


# What goes wrong, and what is said


def resolve(environment: dict[str, str], *calls: str, before: str = "") -> list[str]:
    """What `resolve_file(call)` finds or says for each, in a process of its own."""
    code = f"""
import os, sys
from xlmrxl.checkpoints.hub import resolve_file
from xlmrxl.errors import CheckpointError
{before}
for call in {list(calls)!r}:
    try:
        found = eval(f"resolve_file({{call}})")
        print("found", found and found.name)
    except CheckpointError as error:
        print(error)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def fill_cache(hub: dict[str, str], names: Sequence[str]) -> None:
    """Download config.json of org/tiny, and let the cache have it of other repositories as well."""
    assert resolve(hub, "'org/tiny', 'config.json'") == ["found config.json"]
    cache = Path(hub["HF_HOME"]) / "hub"
    for name in names:
        shutil.copytree(cache / "models--org--tiny", cache / f"models--{name.replace('/', '--')}", symlinks=True)


TRANSIENT = {
    "org/refused": ("(401)", "`hf auth login`", "HF_TOKEN"),
    "org/forbidden": ("(403)", "Let the token read this repository"),
    "org/limited": ("(429)", "Wait some minutes", "`hf auth login`"),
    "org/limited-7": ("(429)", "Wait 7 seconds"),
    "org/limited-until": ("(429)", "Wait 1 seconds"),
    "org/limited-window": ("(429)", "Wait 55 seconds"),
    "org/busy": ("(500)", "the Hub itself", "Try again later"),
    "org/down": ("(503)", "the Hub itself"),
    "org/slow": ("in time", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"),
    "org/portal": ("not the Hub", "HF_ENDPOINT"),
    "org/teapot": ("HfHubHTTPError", "Check the network"),
}
"""Repositories whose listing fails, though they may well be in order, and what is said of each."""


def test_each_failure_has_its_sentence_and_none_tells_the_token(hub: dict[str, str]):
    hub |= {"HF_TOKEN": TOKEN, "HF_HUB_ETAG_TIMEOUT": "1"}
    expected = {
        **TRANSIENT,
        "org/expired": ("(401)", "`hf auth login`"),
        "org/nothing": ("There is no 'org/nothing' on the Hub",),
        "org/gated": ("asks for permission", "Accept its terms"),
        "org/gated-listing": ("asks for permission",),
        "org/closed": ("has closed 'org/closed'",),
        "org/file-down": ("(520)", "the Hub itself"),
        "org/file-forbidden": ("(403)",),
        "org/half": ("broke off", "Try again"),
    }
    said = resolve(hub, *(f"{name!r}, 'config.json'" for name in expected))
    for name, sentence, words in zip(expected, said, expected.values(), strict=True):
        assert name in sentence
        assert all(word in sentence for word in words), sentence
        assert "://" not in sentence
        assert "127.0.0.1" not in sentence
        assert TOKEN not in sentence
    generic = {name: sentence.replace(name, "it") for name, sentence in zip(expected, said, strict=True)}
    alike = [
        ("org/gated", "org/gated-listing"),
        ("org/refused", "org/expired"),
        ("org/forbidden", "org/file-forbidden"),
    ]
    for one, other in alike:
        assert generic[one] == generic.pop(other)
    assert len(set(generic.values())) == len(generic)


def test_without_a_token_401_means_that_it_may_not_be_there(hub: dict[str, str]):
    (said,) = resolve(hub, "'org/expired', 'config.json'")
    assert "There is no 'org/expired' on the Hub, or it is private" in said
    (said,) = resolve(hub, "'org/tiny', 'config.json', token=True")
    assert "(401)" in said


def test_the_cache_serves_while_the_hub_does_not(hub: dict[str, str]):
    fill_cache(hub, list(TRANSIENT))
    patient = {**hub, "HF_HUB_ETAG_TIMEOUT": "1", "HF_TOKEN": TOKEN}
    found = ["found config.json"] * len(TRANSIENT)
    assert resolve(patient, *(f"{name!r}, 'config.json'" for name in TRANSIENT)) == found
    for switch in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        assert resolve({**hub, **switch}, "'org/tiny', 'config.json'") == ["found config.json"]
    # To download it again is another wish, which the cache does not grant.
    said = resolve(hub, "'org/busy', 'config.json', force_download=True")
    assert "cannot be downloaded again" in said[0]
    assert "(500)" in said[0]


def test_a_hub_that_does_not_answer_is_waited_for_once(hub: dict[str, str]):
    fill_cache(hub, ["org/busy"])
    asked = Path(hub["HF_HOME"]).with_name("asked")
    asked.unlink()
    calls = ["'org/busy', 'config.json'", "'org/busy', 'none.json', required=False", "'org/busy', 'config.json'"]
    assert resolve(hub, *calls) == ["found config.json", "found None", "found config.json"]
    assert asked.read_text() == "org/busy\n"
    # What is needed and not there is asked for each time: the Hub may be up again.
    resolve(hub, calls[0], "'org/busy', 'none.json'")
    assert asked.read_text() == "org/busy\n" * 3


def test_being_offline_is_said_by_the_name_of_the_switch(hub: dict[str, str]):
    closed = {**hub, "HF_ENDPOINT": "http://127.0.0.1:9"}
    (unreached,) = resolve(closed, "'org/tiny', 'config.json'")
    (mode,) = resolve({**hub, "HF_HUB_OFFLINE": "1"}, "'org/tiny', 'config.json'")
    (asked, both) = resolve(
        hub,
        "'org/tiny', 'config.json', local_files_only=True",
        "'org/tiny', 'config.json', local_files_only=True, force_download=True",
    )
    assert "the Hub cannot be reached" in unreached
    assert "HF_HUB_OFFLINE" in mode
    assert "local_files_only" in asked
    assert "cannot be downloaded again" in both
    assert len({unreached, mode, asked}) == 3


def test_addresses_with_passwords_are_not_repeated(hub: dict[str, str]):
    for endpoint in ("http://me:secret@127.0.0.1:9", "ftp://me:secret@127.0.0.1:9", "http://me:secret@host:port"):
        said = resolve({**hub, "HF_ENDPOINT": endpoint}, "'org/tiny', 'config.json'")[-1]  # after what the library says
        assert "secret" not in said
        assert "HF_ENDPOINT" in said or "config.json of 'org/tiny'" in said
    (said,) = resolve(hub, "'https://me:secret@example.org/org/tiny', 'config.json'")
    assert "secret" not in said
    assert "owner/name" in said


def test_a_cache_that_cannot_be_used(hub: dict[str, str], tmp_path: Path):
    (tmp_path / "file").write_text("")
    (said,) = resolve(hub, f"'org/tiny', 'config.json', cache_dir={str(tmp_path / 'file')!r}")
    assert f"the cache cannot be used ({tmp_path / 'file'})" in said
    fill_cache(hub, [])
    for blob in (Path(hub["HF_HOME"]) / "hub" / "models--org--tiny" / "blobs").iterdir():
        blob.unlink()  # the snapshot is a link to nothing now
    (said,) = resolve({**hub, "HF_HUB_OFFLINE": "1"}, "'org/tiny', 'config.json'")
    assert "not in the local cache" in said
    assert resolve(hub, "'org/tiny', 'config.json'") == ["found config.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as Linux and macOS do")
def test_a_disk_that_is_full(hub: dict[str, str]):
    """A limit on the size of files stands for the end of the disk: the system refuses the same write."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))"
    piped = "sys.stdout.reconfigure(line_buffering=True)"
    (said,) = resolve(hub, "'org/tiny', 'config.json'", before=f"{limit}; {piped}")
    assert "there is no space left" in said
    assert hub["HF_HOME"] in said


def test_what_the_repository_lacks(hub: dict[str, str]):
    said = resolve(hub, "'org/tiny', 'none.json'", "'org/tiny', 'none.json', required=False")
    assert "The repository 'org/tiny' holds no none.json" in said[0]
    assert said[1] == "found None"
