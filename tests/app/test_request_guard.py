"""Strangers on a real server: whatever one sends, the answer is a sentence, and the next guest notices nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import plotly
import psutil
import pytest
from browser.running_app import make_checkpoint, ready

import xlmrxl
from xlmrxl.app import handlers
from xlmrxl.app.guests import MAX_BODY, MAX_HASH, WAITING, Guests
from xlmrxl.app.handlers.filling import MAX_CHARACTERS
from xlmrxl.app.handlers.teaching import FILES, MAX_FILE
from xlmrxl.session import Session
from xlmrxl.views.protocol import EXPLORER

httpx = pytest.importorskip("httpx")

pytestmark = pytest.mark.slow  # half a minute, with an app of its own

TEXT = "The <mask> is here."
MEGABYTE = "a <mask> " * 111_000
MASKS = "<mask>" * 10_000
ODD = (None, True, -1, 1.5, float("nan"), float("inf"), 10**400, "", "x", [], {}, [[["x"]]], {"index": "x"}, "\x00")
JSON = {"Content-Type": "application/json"}
PLOTLY = Path(plotly.__file__).parent / "package_data"
PATIENCE = 20.0  # seconds, on a machine busy with other things


@dataclass
class App:
    """A server and what is known about it."""

    url: str
    process: psutil.Process
    log: Path
    session: Session

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE)
        self.host, self.port = urlsplit(self.url).hostname, urlsplit(self.url).port
        self.config = self.client.get("/config").json()
        self.named = self.client.get("/gradio_api/info").json()["named_endpoints"]
        self.fill = self.filled("fill", TEXT, 3)

    def filled(self, name: str, *data: Any) -> list[Any]:
        """What an endpoint is asked, with its defaults, which its clients fill in and the server does not."""
        return [*data, *(each["parameter_default"] for each in self.named[f"/{name}"]["parameters"][len(data) :])]

    def post(self, path: str, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(f"/gradio_api/{path}", content=content, headers={**JSON, **headers})

    def run(self, name: str, *data: Any) -> Any:
        """An endpoint without Gradio's queue."""
        return self.post(f"run/{name}", {"data": data, "session_hash": "guest"})

    def called(self, name: str, *data: Any) -> tuple[str, Any]:
        """An endpoint through Gradio's queue, as it is documented: the kind of answer, and the answer."""
        asked = self.post(f"call/{name}", {"data": data})
        if asked.status_code != 200:
            return "error", asked.json()["detail"]
        kind = ""
        with self.client.stream("GET", f"/gradio_api/call/{name}/{asked.json()['event_id']}") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: ") and kind in ("complete", "error"):
                    found = json.loads(line[6:])
                    return kind, found["error"] if kind == "error" else found
        raise AssertionError("the stream ended without an answer")

    def joined(self, *asked: tuple[int, list[Any], Any]) -> Iterator[tuple[Any, Any]]:
        """Functions of the page through Gradio's queue, as the page does it.

        Args:
            asked: of each its number, its inputs, and the data of the event.

        Yields:
            What was asked, and the message that completes it.
        """
        events = {}
        for each in asked:
            number, data, event = each
            body = {"data": data, "fn_index": number, "event_data": event, "session_hash": "page"}
            if (answer := self.post("queue/join", body)).status_code == 200:
                events[answer.json()["event_id"]] = each
            else:
                yield each, {"output": {"error": answer.json()["detail"]}}
        if not events:
            return
        with self.client.stream("GET", "/gradio_api/queue/data?session_hash=page") as stream:
            for line in stream.iter_lines():
                message = json.loads(line[6:]) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    yield events.pop(message["event_id"]), message
        assert not events

    def waiting(self) -> int:
        """How many events are in Gradio's queue."""
        return int(self.client.get("/gradio_api/queue/status").json()["queue_size"])

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        with closing(socket.create_connection((self.host, self.port), timeout=PATIENCE)) as connection:
            yield connection

    def request(self, path: str, length: int) -> bytes:
        """The head of a request that says how long its body is."""
        return (
            f"POST /gradio_api/{path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One that lets two models be loaded, as one for strangers does."""
    checkpoint = make_checkpoint(tmp_path_factory.mktemp("checkpoint"))
    log = tmp_path_factory.mktemp("app") / "log.txt"
    with ready(checkpoint, log, "--allow", "default") as (url, process):
        app = App(url, psutil.Process(process.pid), log, xlmrxl.load(checkpoint))
        yield app
        app.client.close()


@pytest.fixture(autouse=True)
def the_next_guest_notices_nothing(app: App) -> Iterator[None]:
    before = app.log.stat().st_size
    yield
    check_served(app)
    assert b"Traceback" not in app.log.read_bytes()[before:]


def check_served(app: App) -> None:
    """A fill is what the session itself answers, and soon there."""
    start = time.monotonic()
    with httpx.Client(base_url=app.url, timeout=PATIENCE) as guest:
        answer = guest.post("/gradio_api/run/fill", json={"data": app.fill, "session_hash": "next"})
    assert time.monotonic() - start < 5
    found = answer.json()["data"][0]["masks"][0]["fills"]
    expected = app.session.fill_mask(TEXT, top_k=3).masks[0].fills
    assert [fill["text"] for fill in found] == [fill.text for fill in expected]
    assert [fill["probability"] for fill in found] == pytest.approx([fill.probability for fill in expected], abs=1e-4)


def check_sentence(said: Any) -> None:
    """It tells a person something, and nothing about the machine."""
    assert isinstance(said, str)
    assert 10 < len(said) < 500, said
    assert "\n" not in said
    assert not any(word in said for word in ("Traceback", "Exception", 'File "', "site-packages", handlers.UNEXPECTED))


def check_refused(answer: Any, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    found = answer.json()
    check_sentence(found.get("detail") or found["error"])


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def arguments(app: App) -> Iterator[tuple[str, list[Any], int]]:
    """Each endpoint with what it is asked by default, and each place in it."""
    for name, about in app.named.items():
        defaults = [
            each["parameter_default"] if each["parameter_has_default"] else TEXT for each in about["parameters"]
        ]
        for place in range(len(defaults)):
            yield name.strip("/"), defaults, place


@pytest.mark.parametrize("much", [MEGABYTE, MASKS], ids=["a megabyte", "10,000 masks"])
def test_too_much_text(app: App, much: str) -> None:
    for name, defaults, place in arguments(app):
        data = [*defaults[:place], much, *defaults[place + 1 :]]
        check_refused(app.run(name, *data), 400, 413)
        kind, said = app.called(name, *data)
        assert kind == "error", (name, place)
        check_sentence(said)


@pytest.mark.parametrize("much", [MEGABYTE, MASKS], ids=["a megabyte", "10,000 masks"])
def test_too_much_text_from_a_page(app: App, much: str) -> None:
    """Each function of the page, and each server function of its components, has it everywhere."""
    asked = [
        (function["id"], [much if each == place else "" for each in range(len(function["inputs"]))], much)
        for function in app.config["dependencies"]
        if function["backend_fn"]
        for place in range(len(function["inputs"]))
    ]
    for each, found in app.joined(*asked):
        assert handlers.UNEXPECTED not in json.dumps(found), each[0]
    for component in app.config["components"]:
        for name in component["props"].get("server_fns") or ():
            for packet in (much, [much], [much, [""] * 3], ["csv", [much, ""]]):
                check_refused(served(app, component["id"], name, packet), 200)


def served(app: App, component: int, name: str, packet: Any, visitor: Any = "guest") -> Any:
    body = {"data": packet, "component_id": component, "fn_name": name, "session_hash": visitor}
    return app.post("component_server", body)


def test_more_than_any_request_needs(app: App) -> None:
    """More is refused by its length alone; as much as a valid request can have is not."""
    for path in ("run/fill", "call/fill", "queue/join", "component_server", "cancel"):
        check_refused(app.post(path, {"data": ["a" * MAX_BODY]}), 413)
    text = "\N{PILE OF POO}" * MAX_CHARACTERS  # each twelve bytes, as they are escaped
    check_refused(app.run("fill", *app.filled("fill", text)), 400)


def test_bodies_that_never_end_are_not_kept(app: App) -> None:
    before = app.process.memory_info().rss
    with app.connection() as connection:
        connection.sendall(app.request("run/fill", 100_000_000) + b"a" * 1000)
        assert b" 413 " in connection.recv(1000)  # at once

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b"a" * 1_000_000

    for path in ("run/fill", "upload", "component_server", "queue/join"):
        answer = app.client.post(f"/gradio_api/{path}", content=chunks(), headers=JSON)
        assert answer.status_code == 413
    assert app.process.memory_info().rss - before < 50_000_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"\xff\xfe\xc3"',
        b'{"data": ["\xc3 <mask>", 3]}',
        b'{"data": ["\\ud83d <mask>", 3]}',
        b"[" * 100_000,
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data": ' + b'{"a": ' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b'{"data": [' + b"9" * 100_000 + b"]}",
        b'{"data": "text"}',
        b'{"data": {"text": "a"}}',
        b"{}",
    ],
    ids=range(14),
)
def test_what_is_no_request(app: App, body: bytes) -> None:
    for path in ("run/fill", "call/fill", "call/v2/fill", "queue/join", "component_server", "cancel"):
        check_refused(app.post(path, body), 400)


def test_numbers_that_are_none(app: App) -> None:
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "1.5", "true", "null", '"5"'):
        body = json.dumps({"data": app.filled("fill", TEXT, "number")}).replace('"number"', number)
        check_refused(app.post("run/fill", body.encode()), 400)


def test_wrong_types_in_every_place(app: App) -> None:
    """Some are as good as none; none makes a function fail."""
    for name, defaults, place in arguments(app):
        if name == "load_model" and place == 0:
            continue  # has a test of its own
        for odd in ODD:
            answer = app.run(name, *defaults[:place], odd, *defaults[place + 1 :])
            if answer.status_code != 200:
                check_refused(answer, 400)
    for number in (0, 1, 3, 9):
        check_refused(app.run("choose", *["x"] * number), 400)


@pytest.mark.slow
def test_wrong_types_from_a_page(app: App) -> None:
    for function in app.config["dependencies"]:
        if not function["backend_fn"]:
            continue
        count = len(function["inputs"])
        odds = [*((odd, count) for odd in ODD), ("x", count + 1), ("x", max(0, count - 1))]
        for each, found in app.joined(*((function["id"], [odd] * length, odd) for odd, length in odds)):
            if not found.get("success", False):
                check_sentence(found["output"]["error"])
            assert handlers.UNEXPECTED not in json.dumps(found), each
    for component in app.config["components"]:
        for name in component["props"].get("server_fns") or ():
            for odd in ODD:
                for packet in (odd, [odd, odd], ["csv", [odd] * 3], ["json", [odd] * 5], [["a", "", "beside"], odd]):
                    answer = served(app, component["id"], name, packet)
                    check_refused(answer, 200, 400)


def test_what_is_not_there(app: App) -> None:
    check_refused(app.run("nothing"), 400)
    check_refused(app.post("queue/join", {"data": [], "fn_index": 10**9, "session_hash": "guest"}), 400)
    check_refused(app.post("queue/join", {"data": []}), 400)
    check_refused(served(app, 10**9, "save", []), 400, 404)
    component = app.config["components"][0]["id"]
    for name in ("launch", "__class__", "__init__", "", None, []):
        check_refused(served(app, component, name, []), 400, 404)
    for key, value in [("trigger_id", 10**9), ("batched", True), ("event_id", "x"), ("simple_format", True)]:
        answer = app.post(
            "run/choose", {"data": app.filled("choose", "a", "b\nc"), "session_hash": "guest", key: value}
        )
        if answer.status_code != 200:
            check_refused(answer, 400)
    for path in ("login", "gradio_api/process_recording", "gradio_api/vibe-edit", "gradio_api/run-history/connect"):
        assert app.client.post(f"/{path}", json={}).status_code == 404
    with app.client.stream("GET", "/gradio_api/queue/data?session_hash=nobody") as stream:
        assert not any("Traceback" in line for line in stream.iter_lines())
    for path in (
        "monitoring",
        "monitoring/summary",
        "gradio_api/deep_link?session_hash=guest",
        "gradio_api/dev/reload",
    ):
        assert app.client.get(f"/{path}").status_code in (403, 404)


def test_long_names_of_visitors(app: App) -> None:
    for name in ("a" * (MAX_HASH + 1), "a" * 100_000, 5, [], {"a": 1}):
        for path in ("run/fill", "call/fill", "queue/join"):
            check_refused(app.post(path, {"data": app.fill, "session_hash": name, "fn_index": 0}), 400)
        check_refused(served(app, 1, "save", [], name), 400)


def test_paths_for_models(app: App, tmp_path: Path) -> None:
    """Only what the app lets be loaded is; whether a path is there is not told."""
    refusals = set()
    for name in (
        str(tmp_path), "/etc/passwd", "../../etc", "default/../default", "./default", "..\\default", "file:///etc",
        "https://example.org/model", "xlmrxl/../../default", "~", "default\x00", "facebook/xlm-roberta-xl", None, 5, [],
        *(["a" * 2_000]),
    ):  # fmt: skip
        answer = app.run("load_model", name, "auto", False)
        check_refused(answer, 400)
        refusals.add(answer.json()["error"])
    assert len(refusals) == 1
    assert app.run("model").json()["data"][0]["name"] == app.session.name.rpartition("/")[2]


def test_files_that_may_be_read(app: App) -> None:
    """The explorer's, plotly's and the translations: nothing else of the machine."""
    package = EXPLORER.parents[2]
    folders = [package / "views", PLOTLY, package / "default", Path(handlers.__file__).parents[1]]
    readable = set()
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        answer = app.client.get(f"/gradio_api/file={path.as_posix()}")
        assert answer.status_code in (200, 403)
        if answer.status_code == 200:
            readable.add(path)
    assert EXPLORER in readable
    assert PLOTLY / "plotly.min.js" in readable
    scripts = {EXPLORER, PLOTLY / "plotly.min.js"}
    assert {
        path for path in readable - scripts if path.parent.name != "translations" or path.suffix != ".json"
    } == set()


PATHS = (
    "/etc/passwd",
    "/proc/self/environ",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    f"{EXPLORER.parent.as_posix()}/../protocol.py",
    f"{EXPLORER.as_posix()}/../../protocol.py",
    f"{EXPLORER.parent.as_posix()}/%2e%2e/protocol.py",
    f"{EXPLORER.as_posix()}%00/etc/passwd",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "//etc/passwd",
    "http://127.0.0.1:1/",
    "https://example.org/",
    "HTTP://example.org/",
    "ftp://example.org/",
    "\\\\example.org\\share",
    ".",
    "",
    "a" * 5000,
)


def test_files_that_may_not(app: App) -> None:
    for route, path in product(("file=", "file/", "proxy="), PATHS):
        # A client would take the dots out before it asks.
        with app.connection() as connection:
            connection.sendall(
                f"GET /gradio_api/{route}{quote(path, safe='/%:=')} HTTP/1.1\r\nHost: {app.host}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.partition(b" ")[2][:3] in (b"400", b"403", b"404"), (route, path, answer[:300])
        assert b"root:" not in answer


def test_routes_of_static_files_stay_in_their_folders(app: App) -> None:
    for route in ("static", "assets", "svelte"):
        for path in ("../../../../../etc/passwd", "%2e%2e/%2e%2e/routes.py", "/etc/passwd"):
            with app.connection() as connection:
                connection.sendall(
                    f"GET /{route}/{path} HTTP/1.1\r\nHost: {app.host}\r\nConnection: close\r\n\r\n".encode()
                )
                assert connection.recv(100).split()[1] in (b"403", b"404")


def upload(app: App, content: bytes, name: str | None = "a.csv", field: str = "files", times: int = 1) -> Any:
    files = [(field, (name, content, "text/csv")) for _ in range(times)]
    return app.client.post("/gradio_api/upload", files=files)


def test_files_are_taken_up_to_their_bound(app: App) -> None:
    answer = upload(app, b"text,label\n" + b"a" * (MAX_FILE - 11))
    assert answer.status_code == 200
    assert Path(answer.json()[0]).name == "a.csv"
    answer = upload(app, b"a" * (MAX_FILE + 1))
    assert answer.status_code == 413
    check_sentence(answer.text)


def test_files_of_other_kinds(app: App) -> None:
    for name in ("a.exe", "a.html", "a.csv.svg", "a", "csv", "a.zip", ".csv", "../../a.py", "a" * 3000, "<script>.htm"):
        answer = upload(app, b"text,label\na,b\n", name)
        assert answer.status_code == 415
        check_sentence(answer.text)
        assert all(kind in answer.text for kind in FILES)


def test_forms_that_are_none(app: App) -> None:
    for answer in (
        upload(app, b"a,b\n", times=2),
        upload(app, b"a,b\n", times=1000),
        app.client.post("/gradio_api/upload", json={}),
        app.client.post("/gradio_api/upload", data={"files": "a.csv"}),
        app.client.post("/gradio_api/upload", content=b"--x\r\n\r\n", headers={"Content-Type": "multipart/form-data"}),
        app.client.post(
            "/gradio_api/upload",
            content=b"--x\r\nContent-Disposition: form-data; name=f; filename=a.csv\r\n\r\nnever ends",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ),
    ):
        assert answer.status_code in (400, 413, 415)
        check_sentence(answer.text)
    form = app.client.post("/gradio_api/component_server", files=[("f", ("a.csv", b"a", "text/csv"))])
    check_refused(form, 415)


def test_a_name_of_a_file_leads_nowhere(app: App, tmp_path: Path) -> None:
    answer = upload(app, b"a,b\n", f"../../../../../..{tmp_path}/evil.csv")
    assert not (tmp_path / "evil.csv").exists()
    if answer.status_code == 200:
        assert ".." not in answer.json()[0]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_cannot_use_the_app_of_its_reader(app: App, site: str) -> None:
    """A browser says where a request is from; another server of this machine is another site's neighbour."""
    body = {"data": app.fill}
    for path in ("run/fill", "call/fill", "queue/join", "component_server", "upload"):
        check = app.post(path, body, **{"Sec-Fetch-Site": site, "Origin": "https://example.org"})
        assert check.status_code == 403
        assert "access-control-allow-origin" not in check.headers
    for origin in ("https://example.org", "null", f"http://{app.host}:{app.port + 1}", f"http://localhost:{app.port}"):
        assert app.post("run/fill", body, Origin=origin).status_code == 403  # a browser that does not say it
    assert app.post("run/fill", body, Origin=app.url).status_code == 200
    assert app.post("run/fill", body, **{"Origin": app.url, "Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_form_of_another_page_is_no_request(app: App) -> None:
    """What a browser sends anywhere without asking first is plain text or a form."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = app.post("component_server", {"data": []}, **{"Content-Type": kind})
        check_refused(answer, 415)


@pytest.mark.parametrize("host", ["example.org", "example.org:7860", "127.0.0.1.example.org", "localhost.example.org"])
def test_a_name_that_was_made_to_point_here(app: App, host: str) -> None:
    for path in ("/", "/config", "/gradio_api/info"):
        check_refused(app.client.get(path, headers={"Host": host}), 421)
    check_refused(app.post("run/fill", {"data": app.fill}, Host=host, Origin=f"http://{host}"), 421)


def test_names_of_this_machine(app: App) -> None:
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:7860", "app.localhost:1", "10.0.0.1"):
        assert app.client.get("/config", headers={"Host": host}).status_code == 200


def test_a_preflight_allows_no_other_origin(app: App) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    answer = app.client.options("/gradio_api/run/fill", headers=asked)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.slow
def test_many_at_once(app: App) -> None:
    """Each gets the right answer or is told that the app is busy, and none hangs."""
    expected = [fill.text for fill in app.session.fill_mask(TEXT, top_k=3).masks[0].fills]
    before = app.process.memory_info().rss
    met: list[int] = []

    async def ask(client: Any, number: int) -> None:
        body = {"data": app.fill, "session_hash": f"crowd {number % 50}"}
        path = "run/fill" if number % 2 else "call/fill"
        answer = await client.post(f"/gradio_api/{path}", json=body)
        met.append(answer.status_code)
        if answer.status_code != 200:
            check_refused(answer, 503)
        elif number % 2:
            assert [fill["text"] for fill in answer.json()["data"][0]["masks"][0]["fills"]] == expected

    async def crowd() -> None:
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=app.url, timeout=60, limits=limits) as client:
            await asyncio.gather(*(ask(client, number) for number in range(500)))

    asyncio.run(crowd())
    assert len(met) == 500
    assert met.count(200) >= WAITING
    until(lambda: app.waiting() == 0)
    check_served(app)
    assert app.process.memory_info().rss - before < 300_000_000


def test_a_busy_app_says_so() -> None:
    """A bound on what is answered at once, which a quick server does not reach by accident."""

    async def go() -> list[int]:
        met: list[int] = []
        gate = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await gate.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})

        guests = Guests(slow, local=False)

        async def ask() -> None:
            scope = {"type": "http", "method": "POST", "path": "/gradio_api/run/fill", "headers": [
                (b"content-type", b"application/json"), (b"host", b"localhost"),
            ]}  # fmt: skip

            async def receive() -> dict:
                return {"type": "http.request", "body": b"{}"}

            async def send(message: dict) -> None:
                if "status" in message:
                    met.append(message["status"])

            await guests(scope, receive, send)

        crowd = [asyncio.ensure_future(ask()) for _ in range(WAITING + 10)]
        while len(met) < 10:
            await asyncio.sleep(0)
        assert met == [503] * 10
        gate.set()
        await asyncio.gather(*crowd)
        await ask()
        return met

    met = asyncio.run(go())
    assert met == [503] * 10 + [200] * (WAITING + 1)


def resources(app: App) -> tuple[int, int]:
    count = app.process.num_fds() if hasattr(app.process, "num_fds") else app.process.num_handles()
    return app.process.num_threads(), count


def check_nothing_is_left(app: App, before: tuple[int, int]) -> None:
    """As many threads and files as before; Gradio's own workers, 40 at most, stay once they are there."""

    def given_back() -> bool:
        threads, files = resources(app)
        return app.waiting() == 0 and files <= before[1] + 2 and threads <= max(before[0], 60)

    until(given_back)


def test_connections_cut_in_the_middle(app: App) -> None:
    check_served(app)
    before = resources(app)
    body = json.dumps({"data": app.fill}).encode()
    for path in ("run/fill", "call/fill", "upload", "component_server"):
        whole = app.request(path, len(body)) + body
        for cut in (1, 20, len(whole) // 2, len(whole) - 1, len(whole)):
            with app.connection() as connection:
                connection.sendall(whole[:cut])
    check_nothing_is_left(app, before)


def test_visitors_who_leave_while_they_wait(app: App) -> None:
    before = resources(app)
    asked = app.filled("classify", "a " * 200, "b, c, d")
    for number in range(10):
        visitor = f"leaving {number}"
        for _ in range(5):
            app.post("call/classify", {"data": asked, "session_hash": visitor})
        with app.connection() as connection:
            path = f"/gradio_api/queue/data?session_hash={quote(visitor)}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {app.host}\r\n\r\n".encode())
            connection.recv(100)
    with app.connection() as connection:  # the first bytes of a long answer
        connection.sendall(f"GET /gradio_api/file={PLOTLY}/plotly.min.js HTTP/1.1\r\nHost: {app.host}\r\n\r\n".encode())
        connection.recv(1000)
    check_nothing_is_left(app, before)


def test_requests_that_come_a_byte_a_second(app: App) -> None:
    before = resources(app)
    slow = app.request("run/fill", 1000) + b"{"
    connections = [socket.create_connection((app.host, app.port), timeout=PATIENCE) for _ in range(20)]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(slow[: len(slow) - 5 * (number % 2)])  # in the head, and in the body
        for second in range(3):
            for connection in connections:
                connection.sendall(slow[-4 - second :][:1])
            check_served(app)
            time.sleep(1)
    finally:
        for connection in connections:
            connection.close()
    check_nothing_is_left(app, before)


def test_a_client_is_told_what_was_wrong(app: App) -> None:
    """Through Gradio's own client, as programs use it."""
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(app.url, verbose=False)
    for text, word in (("<mask>" * 100, "leave some out"), (MEGABYTE, "shorten"), ("none", "<mask>")):
        with pytest.raises(AppError, match=word):
            client.predict(text, 3, api_name="/fill")
    found = client.predict(TEXT, 3, api_name="/fill")
    assert found["masks"][0]["fills"][0]["text"] == app.session.fill_mask(TEXT, top_k=1).masks[0].fills[0].text


@pytest.mark.slow
def test_what_is_kept_of_visitors_is_bounded(app: App) -> None:
    """Thousands of them: what is kept of the first ones goes, a fifth of a megabyte each."""
    asked = {"data": app.filled("fill", TEXT, 1)}

    async def visits(first: int, last: int) -> None:
        async with httpx.AsyncClient(base_url=app.url, timeout=60) as client:
            for start in range(first, last, 20):
                await asyncio.gather(
                    *(
                        client.post("/gradio_api/run/fill", json={**asked, "session_hash": f"one of many {number}"})
                        for number in range(start, start + 20)
                    )
                )

    asyncio.run(visits(0, 600))
    before = app.process.memory_info().rss
    asyncio.run(visits(600, 3_000))
    assert app.process.memory_info().rss - before < 50_000_000


def test_a_server_that_lets_others_in_has_any_name(tmp_path: Path) -> None:
    """Where the app is for other machines, it is known by names that it cannot know."""

    async def go(local: bool) -> int:
        met: list[int] = []

        async def fine(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async def receive() -> dict:
            return {"type": "http.request", "body": b""}

        async def send(message: dict) -> None:
            if "status" in message:
                met.append(message["status"])

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"example.org")]}
        await Guests(fine, local=local)(scope, receive, send)
        return met[0]

    assert asyncio.run(go(local=False)) == 200
    assert asyncio.run(go(local=True)) == 421
