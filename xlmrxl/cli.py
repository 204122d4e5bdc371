"""The command line: one command a task, each with `--json` for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from xlmrxl import __version__
from xlmrxl.hub import DEFAULT, CheckpointError

if TYPE_CHECKING:
    from xlmrxl.session import Session

FAILURES = (CheckpointError, ValueError, TypeError)
"""What a person can cause and mend; anything else is a bug and keeps its traceback."""


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that loads a model."""
    for option in (
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps."),
        click.option(
            "--precision", default="auto", show_default=True, type=click.Choice(["auto", "fp32", "bf16", "fp16"])
        ),
        click.option(
            "--model", default=DEFAULT, show_default=True, help="A name on the Hub, a folder, or the embedded model."
        ),
    ):
        command = option(command)
    return command


def load_model(model: str, precision: str, device: str) -> Session:
    """A session, or one sentence on why there is none."""
    from xlmrxl.session import load  # noqa: PLC0415 - torch takes a second, which --help need not wait for

    try:
        return load(model, precision=precision, device=device)
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
def fill(texts: tuple[str, ...], top_k: int, as_json: bool, model: str, precision: str, device: str) -> None:
    """Fill every <mask> in each TEXT; a TEXT of - reads texts from the standard input, one a line.

    \b
    xlmrxl fill "The capital of France is <mask>."
    """
    wanted: list[str] = []
    for text in texts:
        wanted += [line.rstrip("\n") for line in sys.stdin if line.strip()] if text == "-" else [text]
    session = load_model(model, precision, device)
    try:
        results = session.fill_mask(wanted, top_k=top_k)
    except FAILURES as error:
        raise click.ClickException(str(error)) from error
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
def app(model: str, precision: str, device: str, host: str, port: int | None, share: bool, browser: bool) -> None:
    """Open the app in a browser."""
    try:
        from xlmrxl.app import launch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "gradio":
            raise
        raise click.ClickException("The app needs Gradio. Install it with: pip install 'xlmrxl[app]'") from error
    session = load_model(model, precision, device)
    try:
        launch(session, host=host, port=port, share=share, open_browser=browser)
    except OSError as error:
        raise click.ClickException(f"The app could not start on {host} ({error}). Choose another --port.") from error


if __name__ == "__main__":
    main()
