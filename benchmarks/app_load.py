"""Many visitors at once: 64 of them on the app, every answer compared with the serial one, beside the obvious app.

    python benchmarks/app_load.py [--clients 64] [--seconds 60]

The obvious app is `gr.Interface` around transformers' fill-mask pipeline with the same weights. Both run in processes
of their own, one after the other, and are asked through their public endpoints. First the app alone, its tabs mixed:
answers, errors, wrong answers, latency, memory of the process after ten seconds and at the end. Then fills only, for
both: the ratio of the fills a second is what can be compared between machines. What a model of its own answers is
compared with what the session says; what is shown of attention and hidden states with what the app itself answers to
the only visitor.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import httpx
import psutil
from measure import Results, make_parser, make_sentences

import xlmrxl
from xlmrxl.app.handlers import classifying
from xlmrxl.session import Session

OBVIOUS = """
import gradio as gr
from transformers import pipeline
fill = pipeline("fill-mask", model={folder!r}, device="cpu")
def answer(text):
    return [{{"text": found["token_str"], "probability": found["score"]}} for found in fill(text)]
gr.Interface(answer, "text", "json", api_name="fill").queue(max_size=1000).launch(server_port={port}, quiet=True)
"""
LABELS = "sports, politics, travel"
DEFAULTS: dict[str, list[object]] = {}  # by endpoint, what the server wants to be sent and clients fill in
UNQUEUED: set[str] = set()  # endpoints that answer beside Gradio's queue
VISITOR: ContextVar[str] = ContextVar("VISITOR")
CHOICES = ["The street is wet.", "The street is long."]
MIX = {"fill": 70, "classify": 10, "choose": 10, "attention": 5, "hidden_states": 5}  # of a hundred requests
LOOKS = ("attention", "hidden_states")


@dataclass
class Tally:
    """What the visitors met."""

    times: list[float] = field(default_factory=list)
    of: dict[str, list[float]] = field(default_factory=dict)  # the times by tab
    errors: list[str] = field(default_factory=list)
    wrong: int = 0


Job: TypeAlias = Callable[[httpx.AsyncClient, Tally], Awaitable[None]]
Alone: TypeAlias = dict[str, list[tuple[list[object], object]]]
"""By endpoint, what was asked and what the only visitor was answered."""


def compute_percentile(times: list[float]) -> float:
    """Return the 95th percentile of some times."""
    return sorted(times)[int(0.95 * len(times))] if times else float("nan")


@contextmanager
def serve(command: list[str], port: int) -> Iterator[psutil.Process]:
    """Run a command that serves a page, from its first answer to the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the app did not start") from None
                time.sleep(0.2)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


async def ask(client: httpx.AsyncClient, name: str, data: list[object]) -> object:
    """Return what an endpoint answers, by Gradio's queue or without it, as it was made.

    A visitor has a session, as in a browser or with gradio_client: without one, Gradio makes one for each request.
    """
    body = {"data": [*data, *DEFAULTS.get(name, [])[len(data) :]], "session_hash": VISITOR.get()}
    if name in UNQUEUED:
        return (await client.post(f"/gradio_api/run/{name}", json=body)).raise_for_status().json()["data"][0]
    url = f"/gradio_api/call/{name}"
    event = (await client.post(url, json=body)).raise_for_status().json()["event_id"]
    kind = ""
    async with client.stream("GET", f"{url}/{event}") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: ") and kind in ("complete", "error"):
                if kind == "error":
                    raise RuntimeError(line)
                return json.loads(line[6:])[0]
    raise RuntimeError("the stream ended without an answer")


async def send_requests(url: str, clients: int, seconds: float, job: Job) -> Tally:
    """Let visitors ask again as soon as they are answered, for some seconds."""
    tally = Tally()
    limits = httpx.Limits(max_connections=2 * clients, max_keepalive_connections=2 * clients)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        end = time.monotonic() + seconds

        async def visitor(number: int) -> None:
            VISITOR.set(f"visitor{number}")
            while time.monotonic() < end:
                start = time.monotonic()
                try:
                    await job(client, tally)
                except (httpx.HTTPError, RuntimeError) as error:
                    tally.errors.append(str(error))
                else:
                    tally.times.append(time.monotonic() - start)

        await asyncio.gather(*(visitor(number) for number in range(clients)))
    return tally


def has_same_fills(found: list[dict[str, object]], expected: list[tuple[str, float]]) -> bool:
    """Return whether the words and, up to the last digits, the probabilities are the same; ties may change places."""
    return len(found) == len(expected) and all(
        abs(float(str(one["probability"])) - probability) < 1e-4 + 1e-3 * probability
        for one, (_, probability) in zip(found, expected, strict=True)
    )


def is_alike(found: object, expected: object) -> bool:
    """Return whether two answers are the same up to the last digits of their numbers."""
    if isinstance(found, float) or isinstance(expected, float):
        return abs(float(str(found)) - float(str(expected))) < 1e-4 + 1e-3 * abs(float(str(expected)))
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(is_alike, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(is_alike(found[key], expected[key]) for key in found)
    return found == expected


async def collect_answers(url: str, texts: list[str]) -> Alone:
    """Return what the app answers to its only visitor, by endpoint, with what was asked."""
    VISITOR.set("alone")
    found: Alone = {}
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for name, about in (await client.get("/gradio_api/info")).json()["named_endpoints"].items():
            DEFAULTS[name.strip("/")] = [each["parameter_default"] for each in about["parameters"]]
        functions = (await client.get("/config")).json()["dependencies"]
        UNQUEUED.update(each["api_name"] for each in functions if not each["queue"])
        for name in LOOKS:
            if name not in DEFAULTS:
                print(f"this app has no endpoint /{name}: the mix is without it")
                continue
            found[name] = [([text], await ask(client, name, [text])) for text in texts]
    return found


def make_jobs(session: Session, texts: list[str], plain: list[str], alone: Alone) -> tuple[Job, Job, Job]:
    """Return what a visitor does: of all tabs, only fill, and only fill in the obvious app."""
    expected = {
        result.text: [(fill.text, fill.probability) for fill in result.masks[0].fills]
        for result in session.fill_mask(texts)
    }
    label = {text: classifying.classify(session, text, LABELS).result.labels[0].label for text in plain}
    best = session.choose("It rained all night.", CHOICES, question="effect").best
    pick = random.Random(0)

    async def fill(client: httpx.AsyncClient, tally: Tally) -> None:
        text = pick.choice(texts)
        found = await ask(client, "fill", [text, 5])
        tally.wrong += not has_same_fills(found["masks"][0]["fills"], expected[text])  # type: ignore[index]

    async def fill_obvious(client: httpx.AsyncClient, tally: Tally) -> None:
        text = pick.choice(texts)
        found = await ask(client, "fill", [text])
        tally.wrong += len(found) != 5  # type: ignore[arg-type]

    async def mixed(client: httpx.AsyncClient, tally: Tally) -> None:
        tabs = [name for name in MIX if name not in LOOKS or name in alone]
        tab = pick.choices(tabs, [MIX[name] for name in tabs])[0]
        start = time.monotonic()
        if tab == "fill":
            await fill(client, tally)
        elif tab == "classify":
            text = pick.choice(plain)
            found = await ask(client, "classify", [text, LABELS, "en"])
            tally.wrong += found["labels"][0]["label"] != label[text]  # type: ignore[index]
        elif tab == "choose":
            found = await ask(client, "choose", ["It rained all night.", CHOICES, "effect", "en"])
            tally.wrong += found["best"] != best  # type: ignore[index]
        else:
            data, answer = pick.choice(alone[tab])
            tally.wrong += not is_alike(await ask(client, tab, data), answer)
        tally.of.setdefault(tab, []).append(time.monotonic() - start)

    return mixed, fill, fill_obvious


def main() -> None:
    """Measure both apps, one after the other."""
    parser = make_parser(__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    results = Results("Many visitors at once")
    folder = Path(xlmrxl.__file__).with_name("default")
    session = xlmrxl.load()
    texts = make_sentences(200, 16, lambda text: len(session.tokenizer(text)["input_ids"]))
    plain = [text.replace("<mask>", "dog") for text in texts[:20]]
    alone: Alone = {}
    mixed, fill, fill_obvious = make_jobs(session, texts, plain, alone)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with serve([sys.executable, "-m", "xlmrxl.cli.main", "app", "--no-browser", "--port", str(port)], port) as process:
        alone.update(asyncio.run(collect_answers(url, plain[:8])))
        asyncio.run(send_requests(url, arguments.clients, 10, mixed))
        before = process.memory_info().rss
        tally = asyncio.run(send_requests(url, arguments.clients, arguments.seconds, mixed))
        tabs = [("all", tally.times), *sorted(tally.of.items())]
        results.add(
            f"All tabs mixed, {arguments.clients} visitors: {len(tally.errors)} errors, {tally.wrong} wrong answers",
            ["tab", "answers", "answers a second", "95 % within, s"],
            [[tab, len(of), len(of) / arguments.seconds, compute_percentile(of)] for tab, of in tabs],
        )
        for error in sorted(set(tally.errors))[:3]:
            print(textwrap.shorten(error, 200))
        after = process.memory_info().rss
        results.add(
            "", ["memory of the process", "MB"], [["after ten seconds", before / 1e6], ["at the end", after / 1e6]]
        )
        ours = asyncio.run(send_requests(url, arguments.clients, arguments.seconds, fill))
    DEFAULTS.clear()
    UNQUEUED.clear()
    with serve([sys.executable, "-c", OBVIOUS.format(folder=str(folder), port=port)], port):
        theirs = asyncio.run(send_requests(url, arguments.clients, arguments.seconds, fill_obvious))
    rows = [
        [name, len(tally.times) / arguments.seconds, compute_percentile(tally.times), len(tally.errors), tally.wrong]
        for name, tally in (("xlmrxl app", ours), ("gr.Interface around the pipeline", theirs))
    ]
    columns = ["fills only", "fills a second", "95 % within, s", "errors", "wrong"]
    results.add(f"{len(ours.times) / max(1, len(theirs.times)):.1f} times as many fills a second", columns, rows)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
