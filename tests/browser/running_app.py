"""The real app in a process of its own, on a small random checkpoint: what that predicts is noise."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import sentencepiece
import torch

from xlmrxl import XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM

# What the vocabulary is made of: many scripts, and nothing that the app's examples change.
SENTENCES = (
    "She opened the <mask> and looked outside.",
    "Paris est la <mask> de la France.",
    "Mi hermana vive en una <mask> muy pequeña.",
    "Im Winter ist es hier sehr <mask>.",
    "Watoto wanakwenda <mask> kila siku.",
    "Bugün hava çok <mask>.",
    "Hà Nội là thủ đô của <mask>.",
    "Летом мы часто ездим на <mask>.",
    "Η Αθήνα είναι η <mask> της Ελλάδας.",
    "القاهرة هي <mask> مصر.",
    "אני שותה <mask> כל בוקר.",
    "भारत एक बहुत बड़ा <mask> है।",
    "กรุงเทพเป็น<mask>ของประเทศไทย",
    "北京是中国的<mask>。",
    "東京は日本の<mask>です。",
    "서울은 대한민국의 <mask>입니다.",
)
START = 120  # seconds the app may take, on a machine busy with other things


def make_checkpoint(folder: Path, layers: int = 2) -> Path:
    """Write the checkpoint into `folder`, which must exist, and return it; the vocabulary is the same every time."""
    sentences = [text.replace("<mask>", " ") for text in SENTENCES] * 4
    letters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0 1 2 3 4 5 6 7 8 9 < > / ( ) ; ' \" . , & ! $ { }"
    with (folder / "sentencepiece.bpe.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([*sentences, *letters.split(), letters]),
            model_writer=file,
            vocab_size=600,
            hard_vocab_limit=False,
            character_coverage=1.0,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            minloglevel=2,
        )
    tokenizer = XLMRobertaTokenizer.from_pretrained(folder)
    config = XLMRobertaXLConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model = XLMRobertaXLForMaskedLM(config)
    with torch.no_grad():  # random weights of the usual size give every token the same probability
        model.get_input_embeddings().weight.normal_(std=0.5)
    model.save_pretrained(folder)
    return folder


@contextmanager
def started(
    checkpoint: Path | str, log: Path, *options: str, script: Sequence[str] = ("-m", "xlmrxl.cli.main")
) -> Iterator[tuple[str, subprocess.Popen]]:
    """The address and the process of the app, started as a user starts it; what it prints goes to `log`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, *script, "app", "--model", str(checkpoint), "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen([*command, "--no-browser", *options], stdout=output, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def serve(checkpoint: Path | str, log: Path) -> Iterator[str]:
    """The address of the app once it is there."""
    with ready(checkpoint, log) as (url, _):
        yield url


@contextmanager
def ready(checkpoint: Path | str, log: Path, *options: str, **how: Any) -> Iterator[tuple[str, subprocess.Popen]]:
    """What `started` gives, once the app is there."""
    with started(checkpoint, log, *options, **how) as (url, process):
        deadline = time.monotonic() + START
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the app did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield url, process


def answers(url: str, ready: bool = True) -> bool:
    """Whether the app is up; if not `ready`, whether anything is there, be it the page that says to wait."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except HTTPError as error:
        error.close()
        return not ready
    except (URLError, TimeoutError, ConnectionError):
        return False


def ask_server(url: str, elem_id: str, name: str, data: object) -> dict:
    """What a server function of a component answers to anyone who knows the address."""
    with urllib.request.urlopen(f"{url}/config", timeout=10) as answer:
        config = json.load(answer)
    component = next(part for part in config["components"] if part["props"].get("elem_id") == elem_id)
    body = {"data": data, "component_id": component["id"], "fn_name": name, "session_hash": "a"}
    request = urllib.request.Request(
        f"{url}/gradio_api/component_server", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)
