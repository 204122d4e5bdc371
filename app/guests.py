"""What strangers may send to the server: bounds on every request before Gradio reads it, one sentence for whatever is
refused, and no stack trace for what is not our mistake.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
import time
import traceback
from collections import deque
from pathlib import PurePath
from typing import Any

import gradio as gr
from starlette.datastructures import Headers, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xlmrxl.app.handlers import UNEXPECTED
from xlmrxl.app.handlers.teaching import FILES, MAX_FILE
from xlmrxl.checkpoints.strict_json import parse_json

MAX_BODY = 1_300_000
"""Bytes: the largest request that can be valid teaches by two texts of 200,000 characters, of three bytes each."""
FORM = 4_096  # bytes that a form adds to its file
MAX_HASH = 100  # characters that a page calls itself by; Gradio's own have 11, those of its clients 36
SECONDS = 60.0  # that a request may take to arrive, so that one which never ends holds nothing
WAITING = 256  # requests in Gradio's queue, and as many beside it, beyond which the app says that it is busy
BUSY = f"The app is busy: {WAITING} requests are waiting. Try again in a moment."
KEPT = 600  # seconds that a file lies on the disk at most, and `UPLOADS` are the bytes of all that arrive in them
UPLOADS = 100_000_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")

API = "/gradio_api/"
ANSWERED = re.compile(rf"{API}(run|api|call|queue/join|component_server|upload|cancel|reset|mcp)(/|$)")
"""What may be sent to. Gradio has more: taking recordings apart, editing the app."""
HELD = re.compile(rf"{API}(run|api|component_server|upload)(/|$)")
"""What holds the connection until it is answered; Gradio's queue has a bound of its own."""
CLOSED = re.compile(rf"(?i){API}(file=https?:|file/|proxy=|deep_link|dev/|stream/|custom_component/)|/monitoring")
"""What the app has no use for: fetching from the web for strangers, keeping what they did, printing what they ask."""

NOT_UNDERSTOOD = "The app does not know what to do with that: see its API for what can be asked."

log = logging.getLogger(__name__)


class Refused(Exception):
    """One sentence for the visitor, and the status of HTTP that it has."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guests:
    """ASGI middleware that refuses what no page of the app and no client of its endpoints sends.

    Args:
        app: what is asked for the rest.
        local: whether only this machine may use the app. Then no page of another origin may make its reader's browser
            do so either, be it by the address or by a name that it lets point here.
    """

    def __init__(self, app: ASGIApp, local: bool) -> None:
        self._app, self._local = app, local
        self._held = 0
        self._arrived: deque[tuple[float, int]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _path(scope)
        held = scope["method"] == "POST" and HELD.match(path) is not None
        self._held += held
        try:
            if self._local:
                check_origin(scope)
            if CLOSED.match(path):
                raise Refused(404, "The app has no such page.")
            if held and self._held > WAITING:
                raise Refused(503, BUSY)
            if scope["method"] == "POST":
                receive = await self._read(scope, receive)
            await _answer(self._app, scope, receive, send)
        except Refused as refused:
            await _refusal(path, refused)(scope, receive, send)
        finally:
            self._held -= held

    async def _read(self, scope: Scope, receive: Receive) -> Receive:
        """The body, when it is found to be within bounds."""
        path, headers = _path(scope), Headers(scope=scope)
        if not ANSWERED.match(path):
            raise Refused(404, "Nothing can be sent to that address.")
        uploading = path.startswith(f"{API}upload")
        most = MAX_FILE + FORM if uploading else MAX_BODY
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            raise Refused(413, f"That is too much at once: the app takes {most:,} bytes.")
        try:
            body = await asyncio.wait_for(_body(receive, most), SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            raise Refused(408, "The request took too long to arrive.") from None
        if uploading:
            await self._check_file(scope, body)
        elif not path.startswith(f"{API}mcp"):
            _check_json(headers, body)
        return _again(body, receive)

    async def _check_file(self, scope: Scope, body: bytes) -> None:
        """One file of a kind that the app reads, if the disk has not had too much of them."""
        if not Headers(scope=scope).get("content-type", "").startswith("multipart/form-data"):
            raise Refused(415, "Send the file in a form.")
        try:
            async with Request(scope, _again(body)).form(max_files=1, max_fields=1) as form:
                files = [value for value in form.values() if isinstance(value, UploadFile)]
        except Exception:  # Starlette has one for its own bounds, its parser others
            raise Refused(400, "The form must have one file and be complete.") from None
        if len(files) != 1 or PurePath(files[0].filename or "").suffix.lower() not in FILES:
            raise Refused(415, f"The app reads one file at a time: {', '.join(FILES)}.")
        now = time.monotonic()
        while self._arrived and self._arrived[0][0] < now - KEPT:
            self._arrived.popleft()
        if sum(size for _, size in self._arrived) + len(body) > UPLOADS:
            raise Refused(503, "The app has been sent many files: try again in ten minutes, or paste the text.")
        self._arrived.append((now, len(body)))


def _path(scope: Scope) -> str:
    """Without what a proxy in front of the app puts before it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


async def _body(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "The request ended in the middle.")
        body += message.get("body", b"")
        if len(body) > most:
            raise Refused(413, f"That is too much at once: the app takes {most:,} bytes.")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, then: Receive | None = None) -> Receive:
    """Receives a body that has been read, then what comes after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if first:
            return first.pop()
        return await then() if then else {"type": "http.disconnect"}

    return receive


def check_origin(scope: Scope) -> None:
    """Refuse what a page of another origin has a browser of this machine send.

    Browsers say whether a request comes from elsewhere, old ones where from. The name of the host is checked as well,
    since a page may let its own name point here, and is then of the same origin.
    """
    headers = Headers(scope=scope)
    host = _name(headers.get("host", ""))
    if not _is_here(host):
        raise Refused(
            421,
            "The app is for this machine alone: open it as localhost, or start it with --host 0.0.0.0 for others.",
        )
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = site not in ("same-origin", "none") if site else origin is not None and origin != _origin(scope, headers)
    if foreign and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
        raise Refused(403, "Another page may not use an app that runs on this machine.")


def _origin(scope: Scope, headers: Headers) -> str:
    return f"{scope['scheme']}://{headers.get('host', '')}"


def _name(host: str) -> str:
    """Without the port."""
    return re.sub(r":\d*$", "", host).strip("[]").lower()


def _is_here(name: str) -> bool:
    """Whether no foreign page can have that name: an address has no name that could point elsewhere."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_json(headers: Headers, body: bytes) -> None:
    """What every route of Gradio's takes, which keeps much of it by the name that the page gives itself."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "Send JSON, with the header Content-Type: application/json.")
    try:
        asked = parse_json(body)
        if rb"\ud" in body.lower():  # of an escape, half a character; nothing can be done with such a text
            json.dumps(asked, ensure_ascii=False).encode()
    except ValueError:
        raise Refused(400, "That is no JSON, or none that can be read: send an object in UTF-8.") from None
    if not isinstance(asked, dict):
        raise Refused(400, "Send a JSON object.")
    name = asked.get("session_hash")
    if name is not None and (not isinstance(name, str) or len(name) > MAX_HASH):
        raise Refused(400, f"The session_hash must be a string of at most {MAX_HASH} characters.")


async def _answer(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The answer of Gradio, or a sentence where it has a stack trace: for a function that is not there, say."""
    started: list[Message] = []
    # A page shows the sentence of any status but 503, for which it has words of its own that tell less; so do clients.
    paged = _path(scope) == f"{API}queue/join" and "origin" in Headers(scope=scope)

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            if paged and message["status"] == 503:
                raise Refused(429, BUSY)
            started.append(message)
            if message["status"] == 500:
                return  # until it is known why
        elif len(started) == 1 and started[0]["status"] == 500:
            # Gradio's status for all that an endpoint says; most of it is about what it was asked.
            if message.get("body") and not _unexpected(message["body"]):
                started[0]["status"] = 400
            await send(started[0])
            started.append(message)
        await send(message)

    try:
        await app(scope, receive, sent)
    except Refused:
        raise
    except Exception as error:
        if is_ours(error):
            raise
        log.warning("%s %.60r was refused: %s", scope["method"], scope["path"], type(error).__name__)
        if started:  # a stream, which ends here
            await send({"type": "http.response.body", "body": b""})
        else:
            raise Refused(400, NOT_UNDERSTOOD) from None


def _unexpected(body: bytes) -> bool:
    """Whether what an endpoint answers is that something went wrong here."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, LookupError):
        return True
    return error in (None, UNEXPECTED)


def _refusal(path: str, refused: Refused) -> Response:
    headers = {"Retry-After": "5"} if refused.status in (429, 503) else {}
    if path.startswith(f"{API}upload"):  # the page shows it as it is
        return PlainTextResponse(str(refused), refused.status, headers)
    return JSONResponse({"detail": str(refused)}, refused.status, headers)


async def not_understood(request: Request, error: Exception) -> Response:
    """For what has another form than Gradio's routes take, which would be sent back with all that is wrong about it."""
    return JSONResponse({"detail": NOT_UNDERSTOOD}, 400)


def is_ours(error: BaseException) -> bool:
    """Whether an error arose in the app's own work, not in Gradio on its way there."""
    return any(
        frame.f_globals.get("__name__", "").startswith("xlmrxl.") and frame.f_globals["__name__"] != __name__
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


class Blocks(gr.Blocks):
    """Gradio's, which print a stack trace for a value that a component cannot have, too: strangers send any."""

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return await super().process_api(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            error.message = f"{error.message:.300}"  # it may quote the value
            raise
        except Exception as error:
            ours = is_ours(error)
            if ours:
                log.exception("an event failed")
            else:
                log.warning("an event was refused: %s", type(error).__name__)  # the rest may quote what was sent
            raise gr.Error(UNEXPECTED if ours else NOT_UNDERSTOOD, print_exception=False) from None
