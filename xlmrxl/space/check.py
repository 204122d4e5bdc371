"""What is wrong with the folder of a Space, found without pushing it: what the Hub would refuse or a Space fail by."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from xlmrxl.errors import CheckpointError
from xlmrxl.space.reference import (
    BITSANDBYTES,
    KEYS,
    LARGE,
    PYTHONS,
    REQUIRED,
    SECRET_FILES,
    SECRETS,
    TORCHES,
    TOTAL,
    ZEROGPU,
)

BESIDE = ("uvicorn>=0.14.0", "spaces")
"""What the builder of a Space installs in one go with the requirements, beside Gradio with its extras."""
SCANNED = 5_000_000
"""Bytes up to which a file is looked through for secrets."""
OPTIONS = ("--extra-index-url",)
"""The lines of requirements.txt that are no requirements and may be there."""
PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(17, 37)), "manylinux2014_x86_64", "manylinux1_x86_64")
"""What is installed on Spaces; pip has to be told each."""
ERROR = re.compile(
    r"^(?:ERROR: )?(.*(?:No matching|Could not find a version|conflict|incompatible|Cannot install).*)$", re.M
)


@dataclass(frozen=True)
class Fault:
    """Something wrong: where, in words that complete the sentence, and whether a Space fails by it."""

    where: str
    what: str
    grave: bool = True

    def __str__(self) -> str:
        """Return the fault as a sentence, and say where it keeps nothing from working."""
        return f"{self.where} {self.what}." if self.grave else f"{self.where} {self.what} (no fault)."


def check(folder: str | os.PathLike[str], *, resolve: bool = True) -> list[Fault]:
    """Return all faults that reading finds and, if `resolve`, what pip says of the requirements.

    Raises:
        CheckpointError: there is no such folder.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise CheckpointError(f"There is no folder {os.fspath(folder)!r}. Make one with: xlmrxl space build")
    faults = [*_files(root)]
    matter, found = read_front_matter(root)
    faults += found
    if matter:
        faults += _matter(root, matter)
    lines, found = _requirements(root, matter)
    faults += found
    on_zerogpu = matter.get("suggested_hardware") == ZEROGPU or "spaces" in {name for name, _ in lines}
    faults += _app(root, matter, on_zerogpu)
    if on_zerogpu and matter:
        faults += _zerogpu(matter, dict(lines))
    if resolve and lines and not any(fault.grave for fault in faults if fault.where.startswith("requirements.txt")):
        faults += _resolved(root, matter)
    return faults


def read_front_matter(root: Path) -> tuple[dict[str, Any], list[Fault]]:
    """Return what README.md says of the Space, or why it says nothing."""
    import yaml  # noqa: PLC0415 - as with all that this command alone needs

    path = root / "README.md"
    if not path.is_file():
        return {}, [Fault("README.md", "is missing")]
    parts = re.match(r"\ufeff?---\s*\n(.*?)\n---\s*(\n|$)", path.read_text(encoding="utf-8", errors="replace"), re.S)
    if parts is None:
        return {}, [Fault("README.md", "does not begin with a front matter between two lines of ---")]
    try:
        matter = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        return {}, [Fault("README.md", f"has a front matter that is no YAML ({str(error).splitlines()[0]})")]
    if not isinstance(matter, dict):
        return {}, [Fault("README.md", "has a front matter that is no mapping")]
    return matter, []


def _matter(root: Path, matter: dict[str, Any]) -> Iterator[Fault]:
    for key in REQUIRED:
        if key not in matter:
            yield Fault(f"README.md: {key}", "is missing")
    for key, value in matter.items():
        rule = KEYS.get(str(key))
        if rule is None:
            near = get_close_matches(str(key), KEYS, 1)
            hint = f"; {near[0]} is" if near else ""
            yield Fault(f"README.md: {key}", f"is no key that Spaces know{hint}")
        elif (wrong := rule(value)) is not None:
            yield Fault(f"README.md: {key}", f"{wrong}, not {value!r}")
    if matter.get("sdk") not in (None, "gradio"):
        yield Fault("README.md: sdk", "must be gradio, which the app is made with")
    if "thumbnail" not in matter:
        yield Fault("README.md: thumbnail", "is not there: shared links to the Space show the Hub's own", grave=False)
    file = matter.get("app_file")
    if isinstance(file, str) and not (root / file).is_file():
        yield Fault("README.md: app_file", f"names {file}, which is not there")


def _requirements(root: Path, matter: dict[str, Any]) -> tuple[list[tuple[str, str]], list[Fault]]:
    """Return (name, version) of each requirement, and what is wrong with them."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    path = root / "requirements.txt"
    if not path.is_file():
        return [], [Fault("requirements.txt", "is missing")]
    found, faults = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        where, stripped = f"requirements.txt: line {number}", line.partition(" #")[0].strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("-"):
            if not stripped.startswith(OPTIONS):
                faults.append(Fault(where, f"has an option that is not for a Space: {stripped.split()[0]}"))
            continue
        try:
            needed = Requirement(stripped)
        except InvalidRequirement:
            reason = "the builder of a Space sees no other file" if re.match(r"[./]|.*\.whl", stripped) else "pip"
            faults.append(Fault(where, f"is no requirement that can be installed ({reason}): {stripped}"))
            continue
        pins = [each.version for each in needed.specifier if each.operator == "==" and "*" not in each.version]
        if needed.url or len(pins) != 1:
            faults.append(Fault(where, f"does not pin a version with ==: {stripped}"))
            continue
        found.append((str(canonicalize_name(needed.name)), pins[0]))
    names = dict(found)
    if missing := [name for name in ("gradio", "torch") if name not in names] if found else []:
        faults.append(Fault("requirements.txt", f"lacks {', '.join(missing)}"))
    sdk = matter.get("sdk_version")
    if "gradio" in names and sdk is not None and names["gradio"] != str(sdk):
        faults.append(
            Fault("requirements.txt", f"has gradio {names['gradio']}, but README.md has sdk_version {sdk}: no build")
        )
    return found, faults


def _zerogpu(matter: dict[str, Any], required: dict[str, str]) -> Iterator[Fault]:
    """Yield what is wrong with what ZeroGPU asks for beyond other Spaces."""
    python, torch = matter.get("python_version"), required.get("torch")
    if python not in PYTHONS["zerogpu"]:
        yield Fault("README.md: python_version", f"must be {' or '.join(PYTHONS['zerogpu'])} on ZeroGPU, not {python}")
    if torch is not None and torch not in TORCHES:
        yield Fault("requirements.txt", f"has torch {torch}, and ZeroGPU knows {', '.join(TORCHES)}")
    if "spaces" not in required:
        yield Fault("requirements.txt", "lacks spaces, the package that fetches the GPU")
    bits = re.findall(r"\d+", required.get("bitsandbytes", "999"))
    if tuple(int(part) for part in bits[:2]) < BITSANDBYTES:
        yield Fault("requirements.txt", f"has a bitsandbytes before {'.'.join(map(str, BITSANDBYTES))}")


def _app(root: Path, matter: dict[str, Any], on_zerogpu: bool) -> Iterator[Fault]:
    """Yield what is wrong with the app's code."""
    file = matter.get("app_file", "app.py")
    path = root / str(file)
    if not path.is_file():
        return
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        yield Fault(str(file), f"cannot be read as Python ({error})")
        return
    names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if not on_zerogpu:
        return
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    first = imports[0] if imports else None
    if not (isinstance(first, ast.Import) and first.names[0].name == "spaces"):
        yield Fault(str(file), "must import spaces before anything else: it has to come before torch")
    if "spaces.GPU" not in names:
        yield Fault(str(file), "has no function of spaces.GPU: the model would run without a GPU, on empty weights")
    if "torch.compile" in names:
        yield Fault(str(file), "uses torch.compile, which ZeroGPU does not have")


def _files(root: Path) -> Iterator[Fault]:
    """Yield links, secrets, names that hide a package, and sizes that the Hub refuses."""
    total, in_lfs = 0, _lfs(root)
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root).as_posix()
        if place.split("/")[0] == ".git":
            continue
        if path.is_symlink():
            yield Fault(place, "is a symbolic link, which leads nowhere in a Space")
        elif path.is_file():
            total += path.stat().st_size
            yield from _file(path, place, in_lfs(place))
    if total > TOTAL:
        yield Fault(".", f"holds {total / 1e9:.1f} GB, the Hub takes {TOTAL / 1e9:.0f} GB: push the model on its own")
    packages = _packages(root)
    for path in sorted(root.iterdir()):
        hidden = path.name if path.is_dir() else path.stem if path.suffix == ".py" else ""
        if hidden in packages and hidden != "xlmrxl":
            yield Fault(path.name, f"hides the package {hidden}: when that is imported, the Space's folder comes first")


def _file(path: Path, place: str, in_lfs: bool) -> Iterator[Fault]:
    size = path.stat().st_size
    with path.open("rb") as file:
        content = file.read(SCANNED if size <= SCANNED else 8000)
    if path.suffix == ".pyc":
        yield Fault(place, "is compiled Python, which belongs to the machine that made it")
    if SECRET_FILES.fullmatch(path.name):
        yield Fault(place, "looks like a file of secrets, and everyone can read a Space's files")
    if size > LARGE and not in_lfs:
        yield Fault(place, f"has {size / 1e6:.0f} MB and no line in .gitattributes that puts it into LFS")
    elif b"\0" in content[:8000] and not in_lfs:
        yield Fault(place, "is binary and has no line in .gitattributes that puts it into LFS: the Hub refuses it")
    text = content.decode("utf-8", errors="replace")
    for what, pattern in SECRETS.items():
        if re.search(pattern, text):
            yield Fault(place, f"holds {what}, and everyone can read a Space's files: use the settings of the Space")


def _packages(root: Path) -> set[str]:
    """Return the names that a Space imports from elsewhere."""
    path = root / "requirements.txt"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    named = {re.split(r"[^\w.-]", line.strip(), maxsplit=1)[0].replace("-", "_").lower() for line in lines}
    return (named | set(sys.stdlib_module_names) | {"spaces", "gradio", "torch", "sklearn"}) - {""}


def _lfs(root: Path) -> Any:
    """Return whether a file goes into LFS."""
    path = root / ".gitattributes"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    patterns = [line.split()[0] for line in lines if "filter=lfs" in line]
    return lambda place: any(fnmatch(place if "/" in each else place.rpartition("/")[2], each) for each in patterns)


def _resolved(root: Path, matter: dict[str, Any]) -> Iterator[Fault]:
    """Have pip look for wheels of everything, for the Space's Python and system, without installing anything.

    In one go with what the builder adds, and without the further indexes that requirements.txt names: they may be out
    of reach. Conditions of other packages' requirements are evaluated for the Python that runs here.
    """
    from packaging.requirements import Requirement  # noqa: PLC0415

    python = ".".join(str(matter.get("python_version", "3.10")).split(".")[:2])
    where = {"python_version": python, "python_full_version": f"{python}.99"}
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = [Requirement(line.partition(" #")[0]) for line in lines if re.match(r"\w", line.strip())]
    wanted = [f"{each.name}{each.specifier}" for each in needed if each.marker is None or each.marker.evaluate(where)]
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-input"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--implementation=cp", "--target", scratch]
        command += [f"--python-version={python}", *(f"--platform={platform}" for platform in PLATFORMS)]
        sdk = matter.get("sdk_version")
        command += [*wanted, *([f"gradio[oauth,mcp]=={sdk}"] if sdk else []), *BESIDE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [*dict.fromkeys(line.strip() for line in ERROR.findall(done.stderr))] or [done.stderr.strip()[-300:]]
        yield Fault("requirements.txt", f"cannot be installed with Python {python}: {said[0][:300]}")
