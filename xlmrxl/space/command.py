"""`xlmrxl space`: build the folder of a Space, and check one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from xlmrxl.errors import CheckpointError


@click.group()
def space() -> None:
    """Put the app on Hugging Face Spaces."""


@space.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--kind", default="cpu", show_default=True, type=click.Choice(["cpu", "zerogpu"]))
@click.option("--model", help="default, owner/name on the Hub, or a folder; default on a CPU, XL on ZeroGPU.")
@click.option("--precision", help="auto, fp32, bf16, fp16, 8bit or 4bit; auto on a CPU, 8bit on ZeroGPU.")
@click.option("--python", metavar="VERSION", help="3.12 if not given.")
@click.option("--torch", metavar="VERSION", help="2.11.0 if not given.")
@click.option("--name", metavar="OWNER/NAME", help="What the Space is called on the Hub: for title and thumbnail.")
@click.option("--overwrite", is_flag=True, help="Replace what is in TARGET by the same names, and leave the rest.")
def build(target: Path, **options: str | bool | None) -> None:
    r"""Write a folder into TARGET that can be pushed to a Space as it is.

    \b
    xlmrxl space build my-space
    xlmrxl space build my-space --kind zerogpu --model facebook/xlm-roberta-xl --name me/xlm-roberta-xl
    """
    from xlmrxl.space.build import build as write  # noqa: PLC0415

    try:
        built = write(target, **options)  # type: ignore[arg-type]
    except (CheckpointError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for note in built.notes:
        click.echo(note, err=True)
    place = options["name"] or "OWNER/NAME"
    click.echo(
        f"{built.folder}: {built.files} files, {built.size / 1e6:.0f} MB.\n"
        f"Check it with:  xlmrxl space check {target}\n"
        f"Push it with:   hf upload {place} {target} --repo-type space"
    )


@space.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--python", default=sys.executable, help="To start it with; this one if not given.")
@click.option("--resolve/--no-resolve", default=True, help="Ask pip whether it finds the requirements.")
@click.option("--start/--no-start", default=True, help="Start it and ask it something.")
def check(target: Path, python: str, resolve: bool, start: bool) -> None:
    r"""Say what is wrong with the Space in the folder TARGET.

    \b
    xlmrxl space check my-space
    """
    from xlmrxl.space.check import check as find  # noqa: PLC0415
    from xlmrxl.space.check import read_front_matter  # noqa: PLC0415
    from xlmrxl.space.start import check_start  # noqa: PLC0415

    try:
        faults = find(target, resolve=resolve)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from error
    if start and not any(fault.grave for fault in faults):
        faults += check_start(target, python, str(read_front_matter(target)[0]["app_file"]))
    for fault in faults:
        click.echo(str(fault))
    grave = sum(fault.grave for fault in faults)
    done = "read" + ", resolved" * resolve + ", started and asked" * start
    click.echo(f"{target}: {grave} faults." if grave else f"{target}: {done}, no fault.")
    if grave:
        raise click.exceptions.Exit(1)
