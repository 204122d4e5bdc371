"""Imports go one way, the library is light and quiet, and what it exports is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import xlmrxl

ROOT = Path(__file__).parents[1]

LAYERS = (
    {"version", "errors"},
    {"progress", "output_lock"},
    {"checkpoints", "palette"},
    {"rendering"},
    {"quantization", "tokenization"},
    {"model"},
    {"trainer", "plan"},
    {"quantize", "loaded_model"},
    {"tasks"},
    {"inspection"},
    {"session"},
    {"figures", "tables"},
    {"views", "space"},
    {"row_tasks"},
    {"cli"},
    {"app", "widgets"},
)
"""The packages, and the modules beside them: each imports only what stands in a line above its own."""
UPWARDS = {("cli", "app")}
"""The command that starts the app asks for it when it is given."""
UI = {"gradio", "plotly", "anywidget"}
HEAVY = ["gradio", "plotly", "bitsandbytes", "transformers", "torch", "numpy", "huggingface_hub", "sentencepiece"]


@cache
def modules() -> dict[str, Path]:
    """Every module of the product by its full name."""
    found = {}
    for folder, package in (("xlmrxl", "xlmrxl"), ("app", "xlmrxl.app"), ("widgets", "xlmrxl.widgets")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def read_imports(path: Path) -> set[str]:
    """Full names of what a file imports, wherever in it and for types as well; modules of the product where it can."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in modules() else str(node.module))
    return names


def find_circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    circles = []

    def visit(name: str) -> None:
        index[name] = lowest[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], index[other])
        if lowest[name] == index[name]:
            place = stack.index(name)
            if len(component := stack[place:]) > 1:
                circles.append(sorted(component))
            del stack[place:]

    for name in graph:
        if name not in index:
            visit(name)
    return circles


def package_of(name: str) -> str:
    """Return the package, or the module beside the packages, that a module belongs to."""
    return name.split(".")[1]


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a", "f"}, "f": {"e"}}
    assert find_circles(graph) == [["b", "c"], ["e", "f"]]


def test_no_import_goes_round():
    graph = {name: (read_imports(path) & modules().keys()) - {name} for name, path in modules().items()}
    assert len(graph) > 100
    assert sum(map(len, graph.values())) > 400
    assert find_circles(graph) == []


def test_every_package_has_its_place():
    assert {package_of(name) for name in modules() if name != "xlmrxl"} == set().union(*LAYERS)


@pytest.mark.parametrize("name", [name for name in modules() if name != "xlmrxl"])
def test_imports_go_one_way(name: str):
    own = package_of(name)
    height = next(number for number, layer in enumerate(LAYERS) if own in layer)
    below = set().union(*LAYERS[:height]) | {own}
    imported = {package_of(other) for other in read_imports(modules()[name]) if other.startswith("xlmrxl.")}
    assert imported - below <= {above for at, above in UPWARDS if at == own}


@pytest.mark.parametrize("name", modules())
def test_no_transformers_and_no_ui_below_the_ui(name: str):
    top = {other.partition(".")[0] for other in read_imports(modules()[name])}
    assert ("transformers" in top) == (name == "xlmrxl.trainer")  # an extra, which nothing else imports
    assert "bitsandbytes" not in top or name == "xlmrxl.quantization.bnb_format"
    if name == "xlmrxl" or package_of(name) not in ("app", "widgets"):
        assert not top & (UI - {"plotly"} if name.startswith("xlmrxl.figures") else UI)


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
