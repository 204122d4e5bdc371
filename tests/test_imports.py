"""Imports go one way, the library is light and quiet, and what it exports is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import xlmrxl

ROOT = Path(__file__).parents[1]

ALLOWED = {
    "hub": set(),
    "progress": set(),
    "output_lock": set(),
    "strict_json": {"hub"},
    "adapter": {"hub", "strict_json"},
    "keywords": set(),
    "config": {"adapter", "hub", "keywords", "strict_json"},
    "device_map": {"hub"},
    "token_rows": {"hub"},
    "encoding": {"token_rows", "vocabulary"},
    "token_table": {"added_tokens", "hub", "token_rows", "tokenizer_json", "vocabulary"},
    "input_preparer": {"encoding", "token_rows", "token_table", "vocabulary"},
    "tokenizer_files": {"added_tokens", "hub", "token_table", "tokenizer_json", "vocabulary"},
    "added_tokens": {"hub", "strict_json"},
    "tokenizer_json": {"added_tokens", "hub"},
    "vocabulary": {"added_tokens", "hub", "tokenizer_json"},
    "tokenizer": {
        *("added_tokens", "encoding", "hub", "input_preparer", "keywords", "strict_json", "token_rows", "token_table"),
        *("tokenizer_files", "vocabulary"),
    },
    "outputs": set(),
    "widen": set(),
    "checkpoint": {"adapter", "hub", "strict_json"},
    "quantized": {"hub", "strict_json", "widen"},
    "loading": {"hub", "progress", "config", "checkpoint", "pretrained", "quantized"},
    "pretrained": {"hub", "keywords", "config", "checkpoint", "device_map", "loading", "quantized"},
    "model": {"config", "outputs", "pretrained"},
    "generation": {"hub", "keywords", "outputs", "strict_json"},
    "trainer": {"pretrained"},
    "auto": {"config", "heads", "model", "pretrained"},
    "heads": {"hub", "config", "generation", "outputs", "pretrained", "model"},
    # The session's type only; the session itself imports the tasks.
    "tasks": {
        *("hub", "progress", "token_rows", "strict_json", "tokenizer_json", "tokenizer", "pretrained", "heads"),
        "session",
    },
    "plan": {"config", "heads", "pretrained", "quantized", "widen"},
    "session": {
        *("hub", "progress", "config", "tokenizer", "checkpoint", "loading", "plan", "pretrained", "heads", "widen"),
        *("device_map", "tasks", "inspection"),
    },
    "convert": {
        *("hub", "progress", "config", "tokenizer", "checkpoint", "loading", "model", "pretrained", "quantized"),
        "output_lock",
    },
    "compare": {"session", "tasks", "tokenizer"},
    "decoding": set(),
    "table_options": {"decoding"},
    "delimited": {"decoding", "table_options", "tasks"},
    "parquet": {"delimited", "hub", "table_options"},
    "tables": {"decoding", "delimited", "parquet", "table_options", "tasks"},
    "files": {
        *("delimited", "output_lock", "parquet", "progress", "strict_json", "table_options", "tables", "tasks"),
    },
    "batch": {"delimited", "files", "progress", "session", "strict_json", "table_options", "tables", "tasks"},
    "texts": {"batch", "decoding", "table_options"},
    "inspection": {
        *("hub", "progress", "config", "tokenizer", "tokenizer_json", "model", "heads", "pretrained", "session"),
        "tasks",
    },
    "figures": {"inspection", "tasks"},
    "views": {"progress", "heads", "tasks", "inspection", "figures"},
    "space": {"hub", "config", "checkpoint", "output_lock", "plan"},
    "cli_options": {"batch", "files", "hub", "session", "table_options"},
    "cli": {
        *("hub", "progress", "config", "batch", "session", "plan", "convert", "compare", "tasks", "space", "app"),
        *("cli_options", "decoding", "table_options", "texts"),
    },
    "app": {
        *(
            "app",
            "decoding",
            "hub",
            "progress",
            "config",
            "loading",
            "pretrained",
            "plan",
            "session",
            "compare",
            "tables",
            "tasks",
        ),
        *("inspection", "figures", "strict_json", "views"),
    },
    "widgets": {"widgets", "hub", "progress", "heads", "session", "tasks", "inspection", "figures", "views"},
}
"""What each module (or folder of modules) may import of the others; `__init__` opens them all, on demand."""
UI = {"gradio", "plotly", "anywidget"}
HEAVY = ["gradio", "plotly", "bitsandbytes", "transformers", "torch", "numpy", "huggingface_hub", "sentencepiece"]


def sources() -> list[tuple[str, Path]]:
    """(room, file) of every module of the product."""
    found = []
    for top, room in (("xlmrxl", None), ("app", "app"), ("widgets", "widgets")):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT / top).with_suffix("").parts
            found.append((room or parts[0], path))
    return [(room, path) for room, path in found if room != "__init__"]


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "xlmrxl" else {module}
    return names


def test_there_is_something_to_check():
    assert {room for room, _ in sources()} == set(ALLOWED)


@pytest.mark.parametrize(
    ("room", "path"), sources(), ids=lambda value: value.stem if isinstance(value, Path) else value
)
def test_imports_go_one_way(room: str, path: Path):
    own = {name.split(".")[1] for name in imported(path) if name.startswith("xlmrxl.")} - {"__version__", "load"}
    assert own <= ALLOWED[room] | {room}


@pytest.mark.parametrize(
    ("room", "path"), sources(), ids=lambda value: value.stem if isinstance(value, Path) else value
)
def test_no_transformers_and_no_ui_below_the_ui(room: str, path: Path):
    top = {name.partition(".")[0] for name in imported(path)}
    assert ("transformers" in top) == (room == "trainer")  # an extra, which nothing else imports
    assert "bitsandbytes" not in top or room == "quantized"
    if room not in ("app", "widgets"):
        assert not top & (UI - {"plotly"} if room == "figures" else UI)


def test_spaces_does_not_shadow_the_package_of_that_name():
    assert not (ROOT / "spaces" / "__init__.py").exists()


def test_import_is_light_and_quiet():
    code = f"import sys, xlmrxl; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_using_the_library_changes_no_global_state():
    code = """
import logging, random, warnings, torch
before = (torch.get_num_threads(), torch.get_default_dtype(), torch.get_rng_state().tolist(), random.getstate(),
          logging.root.handlers[:], logging.root.level, torch.is_grad_enabled(), warnings.filters[:])
import xlmrxl
session = xlmrxl.load()
session.fill_mask("The capital of France is <mask>.")
after = (torch.get_num_threads(), torch.get_default_dtype(), torch.get_rng_state().tolist(), random.getstate(),
         logging.root.handlers[:], logging.root.level, torch.is_grad_enabled(), warnings.filters[:])
assert before == after
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_public_name_is_there():
    assert sorted(xlmrxl.__all__) == sorted(xlmrxl._HOME)
    for name in xlmrxl.__all__:
        assert getattr(xlmrxl, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = xlmrxl.nonsense


def test_bitsandbytes_comes_without_the_compiler():
    """Imported as it is, it takes torch's compiler with it: seven seconds and 130 MB."""
    pytest.importorskip("bitsandbytes")
    code = (
        "import sys, torch, xlmrxl; compiler = torch.compile; s = xlmrxl.load(precision='4bit'); "
        "s.fill_mask('a <mask>'); assert torch.compile is compiler; assert 'bitsandbytes' in sys.modules; "
        "print([m for m in ('torch._dynamo', 'torch._inductor') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
