"""A folder to push as a Hugging Face Space: the templates of `spaces/`, filled in, with the package itself beside them.

The package goes along as source, since it is not on PyPI, and since the builder of a Space sees requirements.txt alone
while it installs: a wheel beside that would not be found.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from xlmrxl.checkpoints.hub import DEFAULT, find_local_folder
from xlmrxl.errors import CheckpointError, InputError, get_first_line
from xlmrxl.output_lock import lock_output
from xlmrxl.quantization.precision import AUTO, PRECISIONS
from xlmrxl.space.reference import KINDS, MEMORY, NAME, PYTHONS, TORCHES, ZEROGPU
from xlmrxl.version import __version__

MODELS = {"cpu": DEFAULT, "zerogpu": "facebook/xlm-roberta-xl"}
DEFAULT_PRECISIONS = {"cpu": AUTO, "zerogpu": "8bit"}
"""The precision of a kind of Space where nothing else is asked for."""
TORCH = "2.11.0"
CPU_WHEELS = "--extra-index-url https://download.pytorch.org/whl/cpu"
"""Where torch without CUDA is, a twentieth of the download, which pip prefers. Without it all works as well."""
PRELOADED = ("config.json", "model.safetensors", "sentencepiece.bpe.model", "tokenizer.json")
"""What is read of XL as it was published; without this list its weights come twice, the second time as a .bin file."""
INSIDE = "model"
"""Where a checkpoint from a folder of this machine lies in the Space."""
CHECKPOINT_FILES = (
    "config.json",
    "generation_config.json",
    "sentencepiece.bpe.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "README.md",
)
"""What goes along of a checkpoint's folder, besides weights and license; what else lies there is not for all to see."""
MAX_NAMES = 5
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "widgets", "spaces", ".*")


@dataclass(frozen=True)
class Built:
    """What was written.

    Attributes:
        folder: of the Space.
        files: their number.
        size: bytes of all files.
        notes: what the person should know, a sentence each.
    """

    folder: Path
    files: int
    size: int
    notes: tuple[str, ...]


def build(
    target: str | os.PathLike[str],
    kind: str = "cpu",
    *,
    model: str | None = None,
    precision: str | None = None,
    python: str | None = None,
    torch: str | None = None,
    name: str | None = None,
    overwrite: bool = False,
) -> Built:
    """Write the folder of a Space. It appears when all of it is written, or not at all.

    Args:
        target: a folder that does not exist yet, or is empty.
        kind: `"cpu"` or `"zerogpu"`, where the model is on a GPU that each call of it is lent.
        model: `"default"`, a public repository on the Hub, or a folder, of which the files of a checkpoint are copied;
            the default on a CPU and XL on ZeroGPU if not given.
        precision: as for `load`; `"auto"` on a CPU and `"8bit"` on ZeroGPU if not given.
        python: a version that the kind offers, see `reference`; 3.12 if not given.
        torch: the same of torch; 2.11.0 if not given.
        name: owner/name of the Space on the Hub: its title, and where its thumbnail is found.
        overwrite: replace what is in the target and has the name of something written here, and leave the rest, such as
            the .git of a clone.

    Raises:
        InputError: something that Spaces do not offer, or another job is writing the target.
        CheckpointError: the model is not there or does not fit, or the target cannot be written.
    """
    wanted = _check_choice("kind", kind, KINDS)
    python = _check_choice("python", _complete_version(kind, python), PYTHONS[wanted])
    torch = torch or TORCH
    if wanted == "zerogpu":
        _check_choice("torch", torch, TORCHES)
    elif not re.fullmatch(r"\d+\.\d+\.\d+", torch):
        raise InputError(f"torch is {torch!r}; it must be a version such as {TORCH}.")
    if name is not None and not re.fullmatch(NAME, name):
        raise InputError(f"name is {name!r}; it must be owner/name, as the Space is called on the Hub.")
    model = model or MODELS[wanted]
    precision = _check_choice("precision", precision or DEFAULT_PRECISIONS[wanted], (AUTO, *PRECISIONS))
    own = find_local_folder(model) if model != DEFAULT else None
    if own is None and model != DEFAULT and not re.fullmatch(NAME, model):
        raise InputError(f"model is {model!r}; it must be 'default', a folder, or owner/name on the Hub.")
    model_files, other_names = ({}, []) if own is None else _list_model_files(own)
    notes = [*_check_memory(model, precision, wanted)]
    if other_names:
        more = f" and {len(other_names) - MAX_NAMES} more" if len(other_names) > MAX_NAMES else ""
        names = ", ".join(each if len(each) <= 40 else f"{each[:39]}…" for each in map(ascii, other_names[:MAX_NAMES]))
        notes.append(f"Of {own} only the files of a checkpoint were copied, and these were left out: {names}{more}.")
    if name is None:
        notes.append("Without a name the Space has no thumbnail on the Hub, where that is found by its address.")
    values = {
        "kind": wanted,
        "model": INSIDE if own else model,
        "precision": precision,
        "python": python,
        "torch": torch,
        "gradio": "",
        "title": name.partition("/")[2] if name else "xlmrxl",
        "version": __version__,
        "card": _describe_card(model, own),
        "held": "held in the largest of its precisions that fits the memory"
        if precision == AUTO
        else f"held in {PRECISIONS[precision].title}",
    }
    required = list_requirements(values)
    values["gradio"] = next(line.partition("==")[2] for line in required if line.startswith("gradio=="))
    with _stage_folder(Path(target).expanduser().absolute(), overwrite) as folder:
        (folder / "app.py").write_text(_fill_template(f"{wanted}.py", values), encoding="utf-8")
        lines = [CPU_WHEELS, *required] if wanted == "cpu" else required
        (folder / "requirements.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
        (folder / "README.md").write_text(_write_readme(values, model if own is None else None, name), encoding="utf-8")
        shutil.copyfile(find_templates() / "gitattributes", folder / ".gitattributes")
        shutil.copyfile(find_templates() / "thumbnail.png", folder / "thumbnail.png")
        package = Path(__file__).parents[1]
        shutil.copytree(package, folder / "xlmrxl", ignore=LEFT_OUT)
        if not (folder / "xlmrxl" / "app").exists():  # in a checkout it lies beside the package
            shutil.copytree(package.parent / "app", folder / "xlmrxl" / "app", ignore=LEFT_OUT)
        for file, origin in model_files.items():
            (folder / INSIDE).mkdir(exist_ok=True)
            shutil.copyfile(origin, folder / INSIDE / file)
        found = [path for path in folder.rglob("*") if path.is_file()]
        files, size = len(found), sum(path.stat().st_size for path in found)
    return Built(Path(target), files, size, tuple(notes))


def _list_model_files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """List what of a checkpoint's folder is copied into a Space, and what is not.

    Returns:
        The names with the files that hold them, which are others only for links; and the other names.

    Raises:
        CheckpointError: the folder has no config or no weights, or a link leads out of it.
    """
    from xlmrxl.checkpoints.weight_files import INDEX, LAYOUTS, read_index  # noqa: PLC0415 - torch

    names = sorted(os.listdir(folder), key=lambda name: (name.startswith("."), name))
    wanted = {*CHECKPOINT_FILES, *LAYOUTS, *(name for name in names if re.fullmatch(r"LICENSE([.-][\w.-]*)?", name))}
    found = {name: _resolve_link(folder, name) for name in names if name in wanted and not (folder / name).is_dir()}
    for index in [name for name in found if name.endswith(INDEX)]:
        found |= {shard: _resolve_link(folder, shard) for shard in set(read_index(found[index]).values())}
    if "config.json" not in found or not any(name in LAYOUTS for name in found):
        raise CheckpointError(
            f"{folder} is no checkpoint: it must hold a config.json and one of {', '.join(LAYOUTS)}. Give another."
        )
    return found, [name for name in names if name not in found]


def _resolve_link(folder: Path, name: str) -> Path:
    """Return the file that a name of a folder stands for, through links that stay in the folder.

    The Hub's cache is made of links from a snapshot to the blobs of the same repository; these count as inside.

    Raises:
        CheckpointError: there is no such file, or it lies elsewhere.
    """
    path, root = folder / name, folder.resolve()
    try:
        origin = path.resolve(strict=True)
        if not origin.is_file():
            raise FileNotFoundError(f"{path} is no file")
    except (OSError, RuntimeError) as error:  # RuntimeError: a ring of links
        raise CheckpointError(
            f"{path} cannot be copied ({get_first_line(error)}). Copy the checkpoint again."
        ) from error
    inside = origin.is_relative_to(root) and not any(part.startswith(".") for part in origin.relative_to(root).parts)
    cache = root.parent.parent
    cached = root.parent.name == "snapshots" and cache.name.startswith("models--")
    if not inside and not (cached and origin.parent == cache / "blobs"):
        raise CheckpointError(
            f"{path} is a link that leads out of its folder, and what a Space holds is published. Replace the link by "
            "the file itself if it belongs to the model."
        )
    return origin


def find_templates() -> Path:
    """Return the folder of the templates: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "spaces", package.parent / "spaces"):
        if (folder / "cpu.py").is_file():
            return folder
    raise CheckpointError(f"The templates of Spaces are missing beside {package}. Install xlmrxl again.")


def list_requirements(values: dict[str, str]) -> list[str]:
    """Return the pinned requirements of a kind of Space and a Python, without conditions."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - as with all that this command alone needs

    version = ".".join(values["python"].split(".")[:2])
    where = {"python_version": version, "python_full_version": f"{version}.99", "extra": values["kind"]}
    lines = [
        line for line in _fill_template("requirements.txt", values).splitlines() if line and not line.startswith("#")
    ]
    needed = [Requirement(line) for line in lines]
    return [f"{each.name}{each.specifier}" for each in needed if each.marker is None or each.marker.evaluate(where)]


def _check_choice(what: str, given: str, offered: tuple[str, ...]) -> str:
    if given not in offered:
        raise InputError(f"{what} is {given!r}; it must be one of {', '.join(offered)}.")
    return given


def _complete_version(kind: str, python: str | None) -> str:
    """Return the whole version that a series such as 3.12 stands for; if none is given, one that is well tried."""
    if python is None:
        return "3.12.12" if kind == "zerogpu" else "3.12"
    return next((each for each in PYTHONS.get(kind, ()) if each.startswith(f"{python}.")), python)


def _check_memory(model: str, precision: str, kind: str) -> Iterator[str]:
    """Refuse what a CPU Space has no memory for; say where that could not be found out."""
    if kind != "cpu" or model == DEFAULT:
        return
    from xlmrxl.model.config import XLMRobertaXLConfig  # noqa: PLC0415 - torch comes along with the plan
    from xlmrxl.plan import Device, format_size, make_plan  # noqa: PLC0415

    try:
        config = XLMRobertaXLConfig.from_pretrained(model)
    except CheckpointError as error:
        yield f"Whether the model fits {format_size(MEMORY)} was not found out: {get_first_line(error)}"
        return
    space = Device("cpu", "a Space on a CPU", free=MEMORY, total=MEMORY)
    choice = make_plan(model, config, devices=[space]).choose(precision)
    if not choice.fits:
        raise CheckpointError(
            f"{model} in {precision} needs {format_size(choice.total)}, and {space.title} has {format_size(MEMORY)}. "
            "Choose fewer bits, another model, or --kind zerogpu."
        )


def _describe_card(model: str, own: Path | None) -> str:
    """Return what the README says of the model: a link to its card."""
    if own is not None:
        return f"[in this repository]({INSIDE})"
    if model == DEFAULT:
        return "the small one that comes with xlmrxl, of which [its card](xlmrxl/default/README.md) says what to expect"
    return f"[{model}](https://huggingface.co/{model})"


def _fill_template(template: str, values: dict[str, str]) -> str:
    return Template((find_templates() / template).read_text(encoding="utf-8")).substitute(values)


def _write_readme(values: dict[str, str], model: str | None, name: str | None) -> str:
    """Return the README with the front matter that the kind needs; `model` where it is on the Hub."""
    from huggingface_hub import CardData, RepoCard  # noqa: PLC0415 - half a second

    card: Any = RepoCard(_fill_template("README.md", values))
    matter: dict[str, Any] = card.data.to_dict()
    matter["suggested_hardware"] = "cpu-basic" if values["kind"] == "cpu" else ZEROGPU
    if name is not None:
        matter["thumbnail"] = f"https://huggingface.co/spaces/{name}/resolve/main/thumbnail.png"
    if model not in (None, DEFAULT):
        matter["models"] = [model]
        matter["preload_from_hub"] = [f"{model} {','.join(PRELOADED)}" if model == MODELS["zerogpu"] else model]
        matter["startup_duration_timeout"] = "1h"  # what is read from the Hub is converted or quantised first
    return f"---\n{CardData(**matter).to_yaml()}\n---\n{card.text}"


@contextmanager
def _stage_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """Give a folder to write into that becomes the target, or a part of it, when all went well."""
    partial = target.with_name(f".{target.name}.partial")
    locked = ExitStack()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        locked.enter_context(lock_output(target))
        there = target.exists()
        if there and (not target.is_dir() or (any(target.iterdir()) and not overwrite)):
            raise CheckpointError(f"{target} exists already. Remove it, choose another target, or give --overwrite.")
        shutil.rmtree(partial, ignore_errors=True)
        locked.callback(shutil.rmtree, partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        if not there:
            os.replace(partial, target)
            return
        for new in sorted(partial.iterdir()):
            old = target / new.name
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            os.replace(new, old)
    except (OSError, shutil.Error) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{target} could not be written ({get_first_line(error)}). Check its free space and its rights."
        ) from error
    finally:
        locked.close()
