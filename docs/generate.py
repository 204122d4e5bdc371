"""Make the pages that nobody writes: the reference of each package, the commands, the tables of the benchmarks."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

import click

import xlmrxl

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
LAYERS = Path(__file__).parents[1] / "tests" / "test_imports.py"
UNDESCRIBED = {"cli", "default"}
"""The packages without a page: the commands have one of their own."""
CODE = re.compile(r"\*\*[^*\n]+\*\*|``(?:(?!\n\n).)+?``|`(?:(?!\n\n)[^`])+`", re.DOTALL)
NAMES = re.compile(r"^([ ]+(?:\w+, )*\w+,)\n[ ]+(?=(?:\w+, )*\w+[:,])", re.MULTILINE)
MARKUP = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")
LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)]+)\)")


def write_pages(folder: Path) -> None:
    """Write every generated page into a folder, and remove those of an earlier build."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "commands.md": write_commands(),
        "benchmarks.md": write_benchmarks(),
        "layers.md": write_layers(),
        **write_reference(),
    }
    for path in folder.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not built again
            path.write_text(text, encoding="utf-8")


# --- the reference ----------------------------------------------------------------------------------------------------


def list_modules(package: str) -> list[str]:
    """Return the modules of a package that are not private, by their full names; the package itself first."""
    module = importlib.import_module(package)
    paths = getattr(module, "__path__", None)
    inner = sorted(info.name for info in pkgutil.iter_modules(paths)) if paths else []
    return [package, *(f"{package}.{name}" for name in inner if not name.startswith("_"))]


def write_reference() -> dict[str, str]:
    """Return a page for the modules beside the packages, and one for each package."""
    beside = [f"xlmrxl.{info.name}" for info in pkgutil.iter_modules(xlmrxl.__path__) if not info.ispkg]
    order = {f"xlmrxl.{name}": number for number, name in enumerate(("session", "loaded_model", "plan", "quantize"))}
    beside.sort(key=lambda name: (order.get(name, len(order)), name))
    pages = {"reference_xlmrxl.md": write_modules("The modules of xlmrxl", beside)}
    inner = {info.name for info in pkgutil.iter_modules(xlmrxl.__path__) if info.ispkg}
    for package in sorted(inner - UNDESCRIBED | {"widgets"}):
        name = f"xlmrxl.{package}"
        pages[f"reference_{package}.md"] = write_modules(name, list_modules(name))
    return pages


def write_modules(title: str, modules: list[str]) -> str:
    """Return a page with the documented names of some modules."""
    parts = [f"# {title}"]
    for name in modules:
        heading = "" if name == title else f"## {name.removeprefix('xlmrxl.')}\n\n"
        # What a package offers at once is described in the modules that have it.
        members = "\n   :no-members:" if name == title else ""
        parts.append(f"{heading}```{{eval-rst}}\n.. automodule:: {name}{members}\n```")
    return "\n\n".join(parts) + "\n"


def escape_docstring(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Turn the Markdown of a docstring (code, links) into what Sphinx reads, and take everything else literally."""
    text = "\n".join(lines)
    while (joined := NAMES.sub(r"\1 ", text)) != text:  # arguments that are described together, over several lines
        text = joined
    if what == "module":  # what is set in there is an example or a table, as it stands
        parts = re.split(r"((?:^[ ]{4,}.*\n?|^\n(?=[ ]{4,}))+)", text + "\n", flags=re.MULTILINE)
        text = "".join(
            f"\n::\n\n{part}\n" if part.lstrip("\n").startswith(" ") else escape_text(part) for part in parts
        )
    else:
        text = escape_text(text)
    lines[:] = text.split("\n")


def escape_text(text: str) -> str:
    """Return a text as reStructuredText: code in two backticks, links, and everything else without markup."""
    out, last = [], 0
    for match in CODE.finditer(text):
        found = match[0] if match[0].startswith("**") else f"``{match[0].strip('`')}``"
        out += [escape_plain(text[last : match.start()]), found]
        last = match.end()
    return "".join([*out, escape_plain(text[last:])])


def escape_plain(text: str) -> str:
    """Return text outside of code with markup escaped and Markdown's links turned."""
    text = MARKUP.sub(r"\\\1", text)
    return LINK.sub(r"`\1 <\2>`__", text)


def skip_foreign(app: object, what: str, name: str, thing: object, skip: bool, options: object) -> bool | None:
    """Leave out what comes from another package: its own documentation has it."""
    home = getattr(thing, "__module__", None)
    return True if isinstance(home, str) and not home.startswith(("xlmrxl", "builtins")) and callable(thing) else None


# --- how it works -----------------------------------------------------------------------------------------------------


def write_layers(source: Path = LAYERS) -> str:
    """Return the layers of packages and modules, from the test that holds who may import whom."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "LAYERS"
    )
    layers = [", ".join(sorted(layer)) for layer in ast.literal_eval(found)]
    return "```text\n" + "\n→ ".join(layers) + "\n```\n"


# --- the command line -------------------------------------------------------------------------------------------------


def write_commands() -> str:
    """Return the page of the command line: what each command says of itself."""
    from xlmrxl.cli.main import main  # noqa: PLC0415 - the commands import their options

    parts = ["# The command line", "What `xlmrxl --help` and `xlmrxl COMMAND --help` print."]
    parts += list_commands(main, "xlmrxl", 1)
    return "\n\n".join(parts) + "\n"


def list_commands(command: click.Command, name: str, level: int) -> list[str]:
    """Return a heading and the help of a command, then those of its commands."""
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    parts = [*([f"{'#' * level} {name}"] if level > 1 else []), f"```text\n{command.get_help(context).rstrip()}\n```"]
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                parts += list_commands(found, f"{name} {inner}", level + 1)
    return parts


# --- the benchmarks ---------------------------------------------------------------------------------------------------


def write_benchmarks(folder: Path = RESULTS) -> str:
    """Return a section for each file of results: its tables, and where, when and with what they were measured."""
    parts = []
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"## {result['title']}")
        parts += [format_table(table) for table in result["tables"]]
        if result.get("note"):
            parts.append(result["note"])
        parts.append(describe_run(result))
    return "\n\n".join(parts) + "\n"


def write_readme_figures(folder: Path = RESULTS) -> str:
    """Return the table of ratios that the README quotes, from the files of results."""

    def read(name: str, table: int, row: int, column: int) -> str:
        tables = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["tables"]
        return format_cell(tables[table]["rows"][row][column])

    rows = [
        ["load XL in bfloat16", f"{read('load_and_fill-xl', 0, 0, 1)} of the time"],
        ["fill a mask with XL, 16 and 128 tokens",
         f"{read('load_and_fill-xl', 0, 1, 1)} and {read('load_and_fill-xl', 0, 2, 1)} of the time"],
        ["load XL in 4 bits", f"{read('quantized_load-4bit', 0, 0, 4)} of the time, "
         f"{read('quantized_load-4bit', 0, 0, 2)} GB at most, not {read('quantized_load-4bit', 0, 3, 2)}"],
        ["fill a thousand sentences with the embedded model",
         f"{read('fill_many', 0, 0, 2)} times as fast in float32, {read('fill_many', 0, 1, 2)} beside batches"],
    ]  # fmt: skip
    return "\n".join(
        ["| | beside transformers |", "| --- | --- |", *(f"| {what} | {figure} |" for what, figure in rows)]
    )


def format_table(table: dict[str, Any]) -> str:
    """Return a table of results as Markdown, columns of figures to the right."""
    right = [all(isinstance(row[i], int | float) for row in table["rows"]) for i in range(len(table["columns"]))]
    lines = [table["columns"], ["---:" if figures else "---" for figures in right]]
    lines += [[format_cell(cell) for cell in row] for row in table["rows"]]
    title = f"**{table['title']}**\n\n" if table.get("title") else ""
    return title + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_cell(cell: object) -> str:
    """Return a figure with three digits that count, or a text as it is."""
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell).replace("|", "\\|")


def describe_run(result: dict[str, Any]) -> str:
    """Return in a line where, when and with what a result was measured; what was not written down is not said."""
    machine, facts = result["machine"], [f"`{result['command']}`"]
    if result.get("date"):
        facts.append(f"measured on {result['date']}")
    if machine.get("processor"):
        facts.append(machine["processor"])
    if machine.get("cores"):
        facts.append(f"{machine['cores']} cores")
    if machine.get("load") is not None and machine["load"] > 0.5:
        facts.append(f"beside other work (load {machine['load']:.1f})")
    facts += [f"{name} {version}" for name, version in result["versions"].items()]
    if result.get("commit"):
        facts.append(f"commit {result['commit'][:10]}")
    return f"*{'; '.join(facts)}.*"
