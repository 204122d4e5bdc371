"""What several tests share: a throw-away vocabulary and a tiny random checkpoint, made here, offline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browser.running_app import make_checkpoint, serve
from sentences import train_vocabulary

from xlmrxl import XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM
from xlmrxl.cli.main import hide_module

with hide_module("mcp"):  # these processes have no need of it, and it takes as long as the rest of Gradio
    import gradio  # noqa: F401


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several workers, and what it starts, one thread to compute with, unless a number is set."""
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentencepiece model with the ids that XLM-R's has: <unk> 0, <s> 1, </s> 2."""
    return train_vocabulary(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="session")
def tiny_config(vocabulary_file: Path) -> XLMRobertaXLConfig:
    """Sizes that differ from each other, so that a transposition cannot pass."""
    return XLMRobertaXLConfig(
        vocab_size=XLMRobertaTokenizer(vocabulary_file).vocab_size + 5,
        hidden_size=20,
        num_hidden_layers=3,
        num_attention_heads=5,
        intermediate_size=36,
        max_position_embeddings=66,
        # Large enough that predictions differ from token to token.
        initializer_range=0.5,
    )


@pytest.fixture(scope="session")
def tiny_folder(
    tmp_path_factory: pytest.TempPathFactory, vocabulary_file: Path, tiny_config: XLMRobertaXLConfig
) -> Path:
    """A complete checkpoint with random weights; five rows of its vocabulary have no token."""
    folder = tmp_path_factory.mktemp("tiny")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        XLMRobertaXLForMaskedLM(tiny_config).save_pretrained(folder)
    XLMRobertaTokenizer(vocabulary_file).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for the app, whose vocabulary has its examples."""
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def served(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app that keeps its model."""
    with serve(checkpoint, tmp_path_factory.mktemp("app") / "log.txt") as url:
        yield url


@pytest.fixture(scope="session")
def client(served: str) -> Any:
    """One of gradio_client, of the same app."""
    from gradio_client import Client

    return Client(served, verbose=False)
