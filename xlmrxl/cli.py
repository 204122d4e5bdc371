"""The command line: one command a task, each with `--json` for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xlmrxl import __version__
from xlmrxl.hub import DEFAULT, CheckpointError

if TYPE_CHECKING:
    from xlmrxl.session import Session

PRECISIONS = ("fp32", "bf16", "fp16", "8bit", "4bit")
LARGE = 100_000_000
"""Parameters from which it matters to a person which precision was taken."""
FAILURES = (CheckpointError, ValueError, TypeError)
"""What a person can cause and mend; anything else is a bug and keeps its traceback."""


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that loads a model."""
    for option in (
        click.option("--force", is_flag=True, help="Load even what does not fit the free memory."),
        click.option("--embeddings-8bit", is_flag=True, help="Hold the word embeddings in 8 bits."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps."),
        click.option("--precision", default="auto", show_default=True, type=click.Choice(["auto", *PRECISIONS])),
        click.option(
            "--model", default=DEFAULT, show_default=True, help="A name on the Hub, a folder, or the embedded model."
        ),
    ):
        command = option(command)
    return command


def load_model(model: str, precision: str, **options: Any) -> Session:
    """A session, or one sentence on why there is none."""
    from xlmrxl.session import load  # noqa: PLC0415 - torch takes a second, which --help need not wait for

    with failing():
        session = load(model, precision=precision, **options)
    if precision == "auto" and session.model.num_parameters() >= LARGE:
        click.echo(f"{session.precision}: {session.reason}", err=True)
    return session


@contextmanager
def failing() -> Iterator[None]:
    """What a person can mend becomes one message without a traceback."""
    try:
        yield
    except FAILURES as error:
        raise click.ClickException(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xlmrxl")
def main() -> None:
    """Look inside XLM-RoBERTa-XL, a masked language model of 100 languages."""


@main.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option("--top-k", default=5, show_default=True, type=click.IntRange(min=1), help="Fills for each mask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a text.")
@model_options
def fill(texts: tuple[str, ...], top_k: int, as_json: bool, **options: Any) -> None:
    """Fill every <mask> in each TEXT; a TEXT of - reads texts from the standard input, one a line.

    \b
    xlmrxl fill "The capital of France is <mask>."
    """
    wanted: list[str] = []
    for text in texts:
        wanted += [line.rstrip("\n") for line in sys.stdin if line.strip()] if text == "-" else [text]
    session = load_model(**options)
    with failing():
        results = session.fill_mask(wanted, top_k=top_k)
    for number, result in enumerate(results):
        if as_json:
            click.echo(result.to_json())
        else:
            click.echo(f"\n{result}" if number else str(result))


@main.command()
@model_options
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in.")
@click.option("--port", default=None, type=click.IntRange(1, 65535), help="The first free one from 7860 if not given.")
@click.option("--share", is_flag=True, help="Make a public link through Gradio's servers.")
@click.option("--browser/--no-browser", default=True, help="Open a browser window.")
def app(host: str, port: int | None, share: bool, browser: bool, **options: Any) -> None:
    """Open the app in a browser."""
    try:
        from xlmrxl.app import launch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "gradio":
            raise
        raise click.ClickException("The app needs Gradio. Install it with: pip install 'xlmrxl[app]'") from error
    session = load_model(**options)
    try:
        launch(session, host=host, port=port, share=share, open_browser=browser)
    except OSError as error:
        raise click.ClickException(f"The app could not start on {host} ({error}). Choose another --port.") from error


@main.command()
@click.argument("model", default=DEFAULT)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; sizes in bytes.")
@click.option("--embeddings-8bit", is_flag=True, help="With the word embeddings in 8 bits.")
def plan(model: str, as_json: bool, embeddings_8bit: bool) -> None:
    """How much memory MODEL takes at each precision, and what fits this machine. Reads its config only.

    \b
    xlmrxl plan facebook/xlm-roberta-xxl
    """
    from xlmrxl.config import XLMRobertaXLConfig  # noqa: PLC0415
    from xlmrxl.plan import plan as make_plan  # noqa: PLC0415

    with failing():
        table = make_plan(model, XLMRobertaXLConfig.from_pretrained(model), embeddings_8bit=embeddings_8bit)
    click.echo(json.dumps(table.to_dict()) if as_json else str(table))


@main.command()
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--precision", required=True, type=click.Choice(["4bit", "8bit"]))
@click.option("--double-quant/--no-double-quant", default=True, help="In 4 bits, quantise the scales too.")
@click.option("--embeddings-8bit", is_flag=True, help="The word embeddings too; transformers does not read these.")
@click.option("--max-shard-size", default="1GB", show_default=True, help="Of a file; about as much memory is used.")
def quantize(source: str, target: Path, precision: str, **options: Any) -> None:
    """Write SOURCE with 8-bit or 4-bit weights into the folder TARGET, which then loads at once.

    \b
    xlmrxl quantize facebook/xlm-roberta-xl xl-4bit --precision 4bit
    """
    from xlmrxl.convert import quantize as write  # noqa: PLC0415

    with failing():
        folder = write(source, target, precision, **options)
    size = sum(path.stat().st_size for path in folder.iterdir())
    click.echo(f"{folder}: {size / 1e9:.2f} GB, {precision}. Load it with: xlmrxl fill --model {target} TEXT")


@main.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option("--precisions", default="bf16,8bit,4bit", show_default=True, help="The first is the standard.")
@click.option("--model", default=DEFAULT, show_default=True, help="A name on the Hub, a folder, or the embedded model.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--top-k", default=5, show_default=True, type=click.IntRange(min=1), help="Fills for each mask.")
@click.option("--force", is_flag=True, help="Load even what does not fit the free memory.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compare(texts: tuple[str, ...], precisions: str, model: str, as_json: bool, **options: Any) -> None:
    """What quantisation does to TEXT: its fills in each precision, and how far they are apart.

    A TEXT that is the name of a file stands for its lines, - for those of the standard input. In texts without <mask>
    15 % of the tokens are hidden.

    \b
    xlmrxl compare "The capital of France is <mask>." --precisions fp32,8bit,4bit
    """
    from xlmrxl.compare import compare as run  # noqa: PLC0415

    wanted: list[str] = []
    for text in texts:
        if text == "-":
            wanted += [line.strip() for line in sys.stdin]
        elif "<mask>" not in text and Path(text).is_file():
            wanted += Path(text).read_text(encoding="utf-8").splitlines()
        else:
            wanted.append(text)
    kinds = [kind.strip() for kind in precisions.split(",") if kind.strip()]
    with failing():
        result = run(model, wanted, kinds, **options)
    click.echo(json.dumps(result.to_dict(), ensure_ascii=False) if as_json else str(result))


if __name__ == "__main__":
    main()
