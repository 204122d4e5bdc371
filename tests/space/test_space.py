"""The Space: what `build` writes, and what `check` finds in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from huggingface_hub import RepoCard

import xlmrxl
from xlmrxl.cli.main import main
from xlmrxl.errors import CheckpointError
from xlmrxl.space.build import MODELS, PRELOADED, build, find_templates, list_requirements
from xlmrxl.space.check import check
from xlmrxl.space.reference import KEYS, PYTHONS, TORCHES
from xlmrxl.space.start import check_start

ROOT = Path(__file__).parents[2]
TEXT = "The capital of France is <mask>."
OF_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")  # in ZeroGPU's documentation since the summer of 2026
OF_PYTHON = ("3.12.12", "3.10.13")


def matter(folder: Path) -> dict[str, Any]:
    """The front matter, by the Hub's own reader."""
    return RepoCard((folder / "README.md").read_text(encoding="utf-8")).data.to_dict()


def grave(folder: Path) -> list[str]:
    return [str(fault) for fault in check(folder, resolve=False) if fault.grave]


def pins(folder: Path) -> dict[str, str]:
    lines = (folder / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("-"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Space of each kind; `zerogpu` with the default model."""
    folder = tmp_path_factory.mktemp("spaces")
    build(folder / "cpu", name="me/words")
    build(folder / "zerogpu", "zerogpu", name="me/words")
    return {kind: folder / kind for kind in ("cpu", "zerogpu")}


@pytest.fixture
def space(built: dict[str, Path], tmp_path: Path) -> Path:
    """A ZeroGPU Space to spoil, without the package, which takes long to read."""
    return shutil.copytree(built["zerogpu"], tmp_path / "space", ignore=shutil.ignore_patterns("xlmrxl"))


# Building


@pytest.mark.parametrize("kind", ["cpu", "zerogpu"])
def test_a_built_space_has_no_fault_and_all_it_needs(built: dict[str, Path], kind: str) -> None:
    folder = built[kind]
    assert check(folder, resolve=False) == []
    found = {path.name for path in folder.iterdir()}
    assert found == {"README.md", "app.py", "requirements.txt", ".gitattributes", "thumbnail.png", "xlmrxl"}
    compile((folder / "app.py").read_text(), "app.py", "exec")
    front = matter(folder)
    assert front["sdk_version"] == pins(folder)["gradio"]
    assert front["thumbnail"] == "https://huggingface.co/spaces/me/words/resolve/main/thumbnail.png"
    assert front["title"] == "words"
    assert front["models" if kind == "zerogpu" else "tags"]
    assert isinstance(front["python_version"], str)
    assert (folder / "thumbnail.png").read_bytes().startswith(b"\x89PNG")
    app = ("app/main.py", "app/static/app.css", "app/translations/ar.json")
    for part in (*app, "views/attention.js", "default/model.safetensors", "tasks/cloze_templates/topic.json"):
        assert (folder / "xlmrxl" / part).exists()
    assert not [path for path in folder.rglob("*") if path.name in ("__pycache__", "widgets", "spaces")]


def test_the_package_in_a_space_is_this_one(built: dict[str, Path], tmp_path: Path) -> None:
    code = "import xlmrxl, xlmrxl.app.handlers as h; print(xlmrxl.__file__, h.__file__, xlmrxl.__version__)"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=built["cpu"], env=environment, capture_output=True, text=True, check=True
    )
    package = built["cpu"] / "xlmrxl"
    assert done.stdout.split() == [
        str(package / "__init__.py"), str(package / "app" / "handlers" / "__init__.py"), xlmrxl.__version__,
    ]  # fmt: skip


def test_a_hub_model_is_preloaded_once_and_linked(built: dict[str, Path]) -> None:
    front, text = matter(built["zerogpu"]), (built["zerogpu"] / "README.md").read_text()
    assert front["models"] == [MODELS["zerogpu"]]
    assert front["preload_from_hub"] == [
        "facebook/xlm-roberta-xl config.json,model.safetensors,sentencepiece.bpe.model,tokenizer.json"
    ]
    assert "https://huggingface.co/facebook/xlm-roberta-xl" in text
    assert 'load("facebook/xlm-roberta-xl", precision="8bit")' in (built["zerogpu"] / "app.py").read_text()
    assert "preload_from_hub" not in matter(built["cpu"])
    assert "xlmrxl/default/README.md" in (built["cpu"] / "README.md").read_text()


def test_what_is_preloaded_is_all_that_is_read(tiny_folder: Path, tmp_path: Path) -> None:
    """From the Hub's cache, without the Hub, as it lies there when a Space starts."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--facebook--xlm-roberta-xl"
    (cached / "snapshots" / commit).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    for file in PRELOADED:
        shutil.copy(tiny_folder / file, cached / "snapshots" / commit / file)
    session = xlmrxl.load(MODELS["zerogpu"], cache_dir=tmp_path, local_files_only=True)
    assert session.fill_mask(TEXT).masks == xlmrxl.load(tiny_folder).fill_mask(TEXT).masks


def test_what_spaces_offer_is_what_can_be_asked_for() -> None:
    assert set(OF_TORCH) <= set(TORCHES)
    assert set(OF_PYTHON) == set(PYTHONS["zerogpu"])
    for kind in ("cpu", "zerogpu"):
        for python in PYTHONS[kind]:
            lines = list_requirements({"kind": kind, "python": python, "torch": "2.8.0"})
            names = [line.partition("==")[0] for line in lines]
            assert len(names) == len(set(names)), "a package twice"
            assert ("spaces" in names) == (kind == "zerogpu")
            assert all(";" not in line for line in lines)


def test_versions_are_those_that_the_tests_run_with() -> None:
    """But for torch, of which Spaces offer some, and for what no longer comes for Python 3.10."""

    def pinned(path: Path) -> set[str]:
        lines = path.read_text().splitlines()
        return {
            line
            for line in lines
            if "==" in line.split(";")[0] and not line.startswith(("#", "torch", "spaces", "regex"))
        }

    ours, tested = pinned(find_templates() / "requirements.txt"), pinned(ROOT / "constraints.txt")
    assert len(ours) > 10
    assert ours <= tested


def test_a_folder_of_this_machine_goes_along(tiny_folder: Path, tmp_path: Path) -> None:
    done = build(tmp_path / "space", model=str(tiny_folder), python="3.10", torch="2.8.0")
    assert any("thumbnail" in note for note in done.notes)
    assert str(tiny_folder) not in (done.folder / "README.md").read_text() + (done.folder / "app.py").read_text()
    assert (done.folder / "model" / "model.safetensors").read_bytes() == (
        tiny_folder / "model.safetensors"
    ).read_bytes()
    assert pins(done.folder)["torch"] == "2.8.0"
    assert pins(done.folder)["numpy"].startswith("2.2.")
    assert grave(done.folder) == []
    assert done.files == sum(path.is_file() for path in done.folder.rglob("*"))


def copied(target: Path, model: Path) -> tuple[set[str], str]:
    """The names that a Space has of a model, and what was said about the others."""
    done = build(target, model=str(model), name="me/words")
    return {path.name for path in (target / "model").iterdir()}, " ".join(done.notes)


def test_only_the_files_of_a_checkpoint_go_along(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "mine")
    known = {path.name for path in folder.iterdir()}
    for name in ("README.md", "LICENSE", "LICENSE.txt", "generation_config.json"):
        (folder / name).write_text("{}")
    (folder / ".env").write_text("A=b")
    (folder / "data" / "private").mkdir(parents=True)
    (folder / "data" / "config.json").write_text("{}")
    for i in range(300):
        (folder / f"notes-{i}{'x' * 100}.txt").write_text("mine")
    names, said = copied(tmp_path / "space", folder)
    assert names == known | {"README.md", "LICENSE", "LICENSE.txt", "generation_config.json"}
    assert "left out: 'data', 'notes-0" in said
    assert "and 297 more" in said
    assert len(said) < 600
    assert copied(tmp_path / "plain", tiny_folder) == (known, "")


def test_shards_go_along_and_nothing_else_that_an_index_names(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    xlmrxl.load(tiny_folder).model.save_pretrained(folder, max_shard_size="20KB")
    shutil.copy(tiny_folder / "sentencepiece.bpe.model", folder)
    assert not (folder / "model.safetensors").exists()
    shutil.copy(next(folder.glob("model-*.safetensors")), folder / "model-00001-of-00099.safetensors")
    names, said = copied(tmp_path / "space", folder)
    assert names == {path.name for path in folder.iterdir()} - {"model-00001-of-00099.safetensors"}
    assert "model-00001-of-00099.safetensors" in said
    (tmp_path / "secret").write_text("mine")
    index = folder / "model.safetensors.index.json"
    before = index.read_text()
    for content in (
        '{"weight_map": {"a": "../secret"}}',
        json.dumps({"weight_map": {"a": str(tmp_path / "secret")}}),
        '{"weight_map": {"a": ".env"}}',
        '{"weight_map": {"a": "notes.txt"}}',
        '{"weight_map": {"a": "gone.safetensors"}}',
        '{"weight_map": {"a": 1}}',
        '{"weight_map": []}',
        "{",
    ):
        index.write_text(content)
        with pytest.raises(CheckpointError, match=r"index|gone\.safetensors"):
            build(tmp_path / "other", model=str(folder))
        assert not (tmp_path / "other").exists()
    index.write_text(before)


@pytest.mark.skipif(sys.platform == "win32", reason="makes links")
def test_no_link_leads_out_of_the_folder(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "mine")
    (tmp_path / "secret").write_text("mine")
    (folder / ".hidden").write_text("mine")
    (folder / "tokenizer.json").unlink(missing_ok=True)
    for where in (tmp_path / "secret", "../secret", ".hidden", "gone", "tokenizer.json", "/dev/null"):
        (folder / "tokenizer.json").symlink_to(where)
        with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
            build(tmp_path / "space", model=str(folder))
        (folder / "tokenizer.json").unlink()
    assert not (tmp_path / "space").exists()
    # A link to what goes along anyway is a file there; one that is not wanted is left out like any other.
    (folder / "LICENSE").symlink_to("config.json")
    (folder / "passwords").symlink_to(tmp_path / "secret")
    names, said = copied(tmp_path / "space", folder)
    assert "LICENSE" in names
    assert not (tmp_path / "space" / "model" / "LICENSE").is_symlink()
    assert "'passwords'" in said


@pytest.mark.skipif(sys.platform == "win32", reason="makes links")
def test_a_snapshot_of_the_hubs_cache_goes_along(tiny_folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "models--org--tiny"
    snapshot = cache / "snapshots" / ("a" * 40)
    (cache / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(tiny_folder.iterdir())):
        shutil.copy(path, cache / "blobs" / f"{number:040}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number:040}")
    names, _ = copied(tmp_path / "space", snapshot)
    assert names == {path.name for path in tiny_folder.iterdir()}
    assert grave(tmp_path / "space") == []
    other = tmp_path / "models--org--other" / "blobs"
    other.mkdir(parents=True)
    (other / "b").write_text("mine")
    (snapshot / "LICENSE").symlink_to("../../../models--org--other/blobs/b")
    with pytest.raises(CheckpointError, match="LICENSE is a link that leads out of its folder"):
        build(tmp_path / "another", model=str(snapshot))


def test_a_folder_without_weights_is_no_checkpoint(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(tiny_folder / "config.json", folder)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        build(tmp_path / "space", model=str(folder))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"kind": "gpu"}, "cpu, zerogpu"),
        ({"kind": "zerogpu", "python": "3.11"}, "3.12.12, 3.10.13"),
        ({"python": "3.9"}, "3.10"),
        ({"kind": "zerogpu", "torch": "2.15.0"}, "2.11.0"),
        ({"torch": ">=2"}, "such as 2.11.0"),
        ({"precision": "3bit"}, "4bit"),
        ({"name": "words"}, "owner/name"),
        ({"model": "words"}, "owner/name"),
        ({"model": "a/b c"}, "owner/name"),
        ({"model": "./nowhere"}, "no folder"),
    ],
)
def test_what_spaces_do_not_offer_is_refused(options: dict[str, str], word: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, CheckpointError), match=word):
        build(tmp_path / "space", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_16_gb_do_not_hold_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "large")
    config = json.loads((folder / "config.json").read_text())
    sizes = {"hidden_size": 4096, "num_hidden_layers": 48, "num_attention_heads": 32, "intermediate_size": 16384}
    (folder / "config.json").write_text(json.dumps({**config, **sizes}))
    with pytest.raises(CheckpointError, match="a Space on a CPU has 16 GB"):
        build(tmp_path / "space", model=str(folder), precision="bf16")
    assert build(tmp_path / "space", model=str(folder), precision="4bit").files


def test_a_target_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "clone"
    (target / ".git").mkdir(parents=True)
    (target / ".git" / "HEAD").write_text("ref")
    (target / "README.md").write_text("old")
    (target / "xlmrxl").mkdir()
    (target / "xlmrxl" / "gone.py").write_text("")
    with pytest.raises(CheckpointError, match="--overwrite"):
        build(target)
    monkeypatch.setattr(shutil, "copytree", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(CheckpointError, match="No space left"):
        build(target, overwrite=True)
    assert (target / "README.md").read_text() == "old"
    monkeypatch.undo()
    build(target, overwrite=True)
    assert matter(target)["sdk"] == "gradio"
    assert (target / ".git" / "HEAD").read_text() == "ref"
    assert not (target / "xlmrxl" / "gone.py").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["clone"]


# Checking


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    return spoil


def written(name: str, content: str | bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return spoil


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no README": (lambda folder: (folder / "README.md").unlink(), "README.md is missing"),
    "no front matter": (written("README.md", "# words\n"), "does not begin with a front matter"),
    "no YAML": (replaced("README.md", "title: words", "title: [words"), "no YAML"),
    "a list": (written("README.md", "---\n- words\n---\n"), "no mapping"),
    "title gone": (replaced("README.md", "title: words\n", ""), "title is missing"),
    "a key that is none": (replaced("README.md", "colorFrom", "colourFrom"), "colorFrom is"),
    "a colour that is none": (replaced("README.md", "colorTo: blue", "colorTo: petrol"), "must be one of red"),
    "a version that YAML takes for a number": (
        replaced("README.md", "python_version: 3.12.12", "python_version: 3.10"),
        "in quotation marks, not 3.1.",
    ),
    "no emoji": (replaced("README.md", "🔍", "magnifier"), "an emoji"),
    "another sdk": (replaced("README.md", "sdk: gradio", "sdk: docker"), "must be gradio"),
    "a long description": (replaced("README.md", "short_description: ", "short_description: XLM-R XL, "), "takes 60"),
    "a thumbnail without an address": (
        replaced("README.md", "https://huggingface.co/spaces/me/words/resolve/main/", ""),
        "begins with https://",
    ),
    "hardware that is none": (replaced("README.md", "zero-a10g", "zero"), "suggested_hardware must be one of"),
    "a model that is no name": (replaced("README.md", "- facebook/xlm-roberta-xl\n", "- xl\n"), "'xl' is none of"),
    "files with a space between": (replaced("README.md", "config.json,", "config.json, "), "joined by commas"),
    "a timeout in words": (replaced("README.md", ": 1h", ": an hour"), "30m or 1h"),
    "an app that is not there": (replaced("README.md", "app_file: app.py", "app_file: main.py"), "main.py, which"),
    "an app outside": (replaced("README.md", "app_file: app.py", "app_file: ../app.py"), "from the root"),
    "an app that is no Python": (written("app.py", "import spaces\nlaunch(\n"), "cannot be read as Python"),
    "no requirements": (lambda folder: (folder / "requirements.txt").unlink(), "requirements.txt is missing"),
    "a version left open": (replaced("requirements.txt", "plotly==", "plotly>="), "does not pin"),
    "a wheel beside it": (replaced("requirements.txt", "plotly==7.1.0", "./plotly.whl"), "sees no other file"),
    "another file of requirements": (replaced("requirements.txt", "plotly==7.1.0", "-r more.txt"), "a Space: -r"),
    "no torch": (replaced("requirements.txt", "torch==2.11.0\n", ""), "lacks torch"),
    "two versions of Gradio": (replaced("requirements.txt", "gradio==6.31.0", "gradio==6.30.0"), "sdk_version 6.31.0"),
    "a Python that ZeroGPU has not": (replaced("README.md", "3.12.12", '"3.13"'), "3.12.12 or 3.10.13 on ZeroGPU"),
    "a torch that ZeroGPU has not": (replaced("requirements.txt", "torch==2.11.0", "torch==2.7.1"), "has torch 2.7.1"),
    "no spaces": (replaced("requirements.txt", "spaces==0.51.3\n", ""), "lacks spaces"),
    "an old bitsandbytes": (replaced("requirements.txt", "bitsandbytes==0.50.2", "bitsandbytes==0.45"), "before 0.46"),
    "torch first": (replaced("app.py", "import spaces ", "import torch\nimport spaces "), "before anything else"),
    "no function for the GPU": (replaced("app.py", "@spaces.GPU(duration=SECONDS)", ""), "no function of spaces.GPU"),
    "a compiler": (replaced("app.py", "launch(\n", "torch.compile(session.model)\nlaunch(\n"), "torch.compile"),
    "a link": (lambda folder: (folder / "weights").symlink_to("/etc/hostname"), "weights is a symbolic link"),
    "a token": (written("notes.txt", "hf_" + "aB3" * 12), "a token of the Hub"),
    "a key": (written("xlmrxl/key.txt", "-----BEGIN RSA PRIVATE KEY-----"), "a private key"),
    "a file of secrets": (written(".env", "A=b"), ".env looks like"),
    "compiled Python": (written("xlmrxl/__pycache__/a.pyc", b"a"), "compiled Python"),
    "a large file": (written("corpus.txt", b"a" * 10_000_001), "10 MB and no line in .gitattributes"),
    "a binary file": (written("table.bin7", b"a\0b"), "binary and has no line"),
    "no .gitattributes": (lambda folder: (folder / ".gitattributes").unlink(), "thumbnail.png is binary"),
    "a folder called spaces": (written("spaces/notes.txt", "a"), "spaces hides the package spaces"),
    "a module called json": (written("json.py", ""), "json.py hides the package json"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_nothing_else(name: str, space: Path) -> None:
    spoil, words = FAULTS[name]
    assert grave(space) == []
    spoil(space)
    found = grave(space)
    assert [fault for fault in found if words in fault], found
    assert len(found) <= 2  # one fault may show in two places


def test_more_than_the_hub_takes(space: Path) -> None:
    with (space / "weights.safetensors").open("wb") as file:
        file.truncate(1_000_000_001)
    assert any("the Hub takes 1 GB" in fault for fault in grave(space))


def test_every_documented_key_can_be_used_rightly(space: Path) -> None:
    right = {
        "app_build_command": "npm run build", "app_port": 7860, "base_path": "/app", "fullWidth": True,
        "datasets": ["me/texts"], "suggested_storage": "small", "hf_oauth": False, "hf_oauth_scopes": ["email"],
        "hf_oauth_expiration_minutes": 480, "hf_oauth_authorized_org": ["one", "two"], "disable_embedding": True,
        "custom_headers": {"cross-origin-opener-policy": "same-origin"}, "duplicated_from": "me/other",
    }  # fmt: skip
    text = (space / "README.md").read_text()
    assert set(KEYS) == set(matter(space)) | set(right)
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in right.items())
    (space / "README.md").write_text(text.replace("---\n", f"---\n{lines}", 1))
    assert grave(space) == []
    for key in right:
        assert KEYS[key](object()) is not None


def test_pip_is_asked_for_the_python_of_the_space(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(
            command, len(asked) - 1, "", "ERROR: No matching distribution found for x==1"
        )

    monkeypatch.setattr(subprocess, "run", run)
    replaced("README.md", "3.12.12", "3.10.13")(space)
    replaced(
        "requirements.txt", "numpy==2.4.6", 'numpy==2.2.6; python_version < "3.11"\nnumpy==9; python_version > "3.10"'
    )(space)
    assert check(space) == []
    assert {"--dry-run", "--only-binary=:all:", "--python-version=3.10", "numpy==2.2.6", "torch==2.11.0"} <= set(
        asked[0]
    )
    assert "gradio[oauth,mcp]==6.31.0" in asked[0]
    assert "numpy==9" not in asked[0]
    assert [str(fault) for fault in check(space)] == [
        "requirements.txt cannot be installed with Python 3.10: No matching distribution found for x==1."
    ]


ANSWERS = """
import http.server, json, os
info = {"named_endpoints": {"/ENDPOINT": {"parameters": []}}}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/gradio_api/call"): body = b"event: EVENT\\ndata: [1]\\n\\n"
        elif self.path == "/gradio_api/info": body = json.dumps(info).encode()
        else: body = b"page"
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"event_id": "1"}')
    def log_message(self, *_): pass
host, port = os.environ["GRADIO_SERVER_NAME"], int(os.environ["GRADIO_SERVER_PORT"])
http.server.HTTPServer((host, port), Handler).serve_forever()
"""


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (ANSWERS.replace("EVENT", "complete").replace("ENDPOINT", "choose"), ""),
        (ANSWERS.replace("EVENT", "error").replace("ENDPOINT", "fill"), "starts, but it answered /fill with"),
        (ANSWERS.replace("ENDPOINT", "sing"), "starts, but it offers none"),
        ("import nowhere_at_all", "does not start: ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ],
    ids=["answers", "fails", "is another app", "ends"],
)  # fmt: skip
def test_a_space_is_started_and_asked(app: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(app)
    found = [str(fault) for fault in check_start(tmp_path)]
    assert (words in found[0]) if words else (found == [])


def test_what_a_space_forked_goes_with_it(tmp_path: Path) -> None:
    fork = "import os\nif os.fork() == 0:\n    open('pid', 'w').write(str(os.getpid()))\n    os.read(os.pipe()[0], 1)\n"
    (tmp_path / "app.py").write_text(fork + ANSWERS.replace("EVENT", "complete").replace("ENDPOINT", "fill"))
    assert check_start(tmp_path) == []
    forked = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 20
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(forked).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_command(tmp_path: Path) -> None:
    target = tmp_path / "space"
    done = CliRunner().invoke(main, ["space", "build", str(target), "--name", "me/words", "--kind", "zerogpu"])
    assert done.exit_code == 0
    assert f"hf upload me/words {target} --repo-type space" in done.output
    done = CliRunner().invoke(main, ["space", "check", str(target), "--no-resolve", "--no-start"])
    assert (done.exit_code, done.output) == (0, f"{target}: read, no fault.\n")
    (target / "requirements.txt").write_text("gradio\n")
    done = CliRunner().invoke(main, ["space", "check", str(target), "--no-resolve"])
    assert done.exit_code == 1
    assert "does not pin a version with ==: gradio." in done.output
    for command in (["build", str(target)], ["check", str(tmp_path / "none")]):
        done = CliRunner().invoke(main, ["space", *command])
        assert done.exit_code == 1
        assert done.output.startswith("Error: ")


def test_ours_does_not_shadow_the_package_spaces(built: dict[str, Path], tmp_path: Path) -> None:
    """Neither the folder of this repository nor a Space hides the package of that name, wherever it is installed."""
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "__init__.py").write_text("GPU = 'the real one'")
    assert not list(find_templates().rglob("__init__.py"))
    for first in (ROOT, built["zerogpu"]):
        paths = f"sys.path[0] = {str(first)!r}; sys.path.append({str(tmp_path)!r})"
        code = f"import sys; {paths}; import spaces; print(spaces.GPU)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=first)
        assert done.stdout == "the real one\n"
