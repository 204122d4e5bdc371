"""`quantize` leaves all of its target or nothing, whatever happens to it."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from click.testing import CliRunner
from needs import need_bitsandbytes
from safetensors.torch import load_file, save_file

from xlmrxl import CheckpointError, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM, load
from xlmrxl.checkpoints.weight_files import open_weights, prefetch, release_pages
from xlmrxl.cli.main import main
from xlmrxl.quantize import quantize

need_bitsandbytes()


@pytest.fixture
def source(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, in shards, to break."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "source"))
    XLMRobertaXLForMaskedLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="20kB")
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """100 MB: enough that quantising takes a moment."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path_factory.mktemp("large") / "source"))
    values = json.loads((folder / "config.json").read_text())
    config = XLMRobertaXLConfig(
        **{**values, "hidden_size": 512, "num_attention_heads": 8, "intermediate_size": 2048, "num_hidden_layers": 8}
    )
    XLMRobertaXLForMaskedLM(config).save_pretrained(folder)
    return folder


def assert_nothing_is_left(target: Path) -> None:
    assert not target.exists()
    assert not [path for path in target.parent.iterdir() if path.name.startswith(f".{target.name}")]


def test_the_command(source: Path, tmp_path: Path):
    target = tmp_path / "small"
    done = CliRunner().invoke(main, ["quantize", str(source), str(target), "--precision", "4bit"])
    assert done.exit_code == 0, done.output
    assert "4bit" in done.output
    filled = CliRunner().invoke(main, ["fill", "--model", str(target), "a <mask>", "--json"])
    assert filled.exit_code == 0, filled.output
    assert len(json.loads(filled.output)["masks"][0]["fills"]) == 5
    again = CliRunner().invoke(main, ["quantize", str(source), str(target), "--precision", "4bit"])
    assert again.exit_code == 1
    assert "exists already" in again.output


def test_progress_counts_every_byte_once(source: Path, tmp_path: Path):
    told: list[tuple[int, int]] = []
    quantize(source, tmp_path / "small", "8bit", progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == sum(tensor.nbytes for tensor in open_weights(source).values())
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    told.clear()
    load(tmp_path / "small", progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] <= told[-1][1]


@pytest.mark.parametrize("layout", ["bin", "float32 shards", "tied twice"])
def test_every_layout_gives_the_same_bytes(source: Path, tmp_path: Path, layout: str):
    expected = quantize(source, tmp_path / "expected", "4bit")
    model = XLMRobertaXLForMaskedLM.from_pretrained(source)
    if layout == "bin":
        model.save_pretrained(source, safe_serialization=False)
    elif layout == "tied twice":
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        state["roberta.embeddings.position_ids"] = torch.arange(66)[None]
        shutil.rmtree(source)
        shutil.copytree(expected, source)
        model.config.save_pretrained(source)
        (source / "model.safetensors").unlink()
        torch.save(state, source / "pytorch_model.bin")
    found = quantize(source, tmp_path / "found", "4bit")
    a, b = (load_file(folder / "model.safetensors") for folder in (expected, found))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def test_a_truncated_shard(source: Path, tmp_path: Path):
    shard = shards(source)[1]
    shard.write_bytes(shard.read_bytes()[:-100])
    for act in (lambda: quantize(source, tmp_path / "small", "4bit"), lambda: load(source, precision="4bit")):
        with pytest.raises(CheckpointError, match=shard.name):
            act()
    assert_nothing_is_left(tmp_path / "small")


def test_a_missing_shard(source: Path, tmp_path: Path):
    shard = shards(source)[-1]
    shard.unlink()
    for act in (lambda: quantize(source, tmp_path / "small", "8bit"), lambda: load(source, precision="8bit")):
        with pytest.raises(CheckpointError, match=shard.name):
            act()
    assert_nothing_is_left(tmp_path / "small")


def test_a_weight_in_two_files(source: Path, tmp_path: Path):
    first, second = shards(source)[:2]
    doubled = {**load_file(second), **load_file(first)}
    save_file(doubled, second, metadata={"format": "pt"})
    for act in (lambda: quantize(source, tmp_path / "small", "4bit"), lambda: load(source, precision="4bit")):
        with pytest.raises(CheckpointError, match="is in both"):
            act()
    assert_nothing_is_left(tmp_path / "small")


def test_a_weight_that_is_absent(source: Path, tmp_path: Path):
    tensors = {name: tensor.clone() for name, tensor in open_weights(source).items()}
    del tensors["roberta.encoder.layer.1.intermediate.dense.weight"]
    for path in shards(source):
        path.unlink()
    (source / "model.safetensors.index.json").unlink()
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"layer\.1\.intermediate\.dense\.weight"):
        quantize(source, tmp_path / "small", "4bit")
    assert_nothing_is_left(tmp_path / "small")


class Trap:
    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self):
        return (os.mkdir, (str(self.sign),))


def test_a_pickle_that_runs_code(source: Path, tmp_path: Path):
    for path in source.glob("*safetensors*"):
        path.unlink()
    with (source / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"roberta.x": Trap(tmp_path / "sprung")}, file)
    for act in (lambda: quantize(source, tmp_path / "small", "4bit"), lambda: load(source, precision="4bit")):
        with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
            act()
    assert not (tmp_path / "sprung").exists()
    assert_nothing_is_left(tmp_path / "small")


COMMAND = "import sys; from xlmrxl.cli.main import main; sys.exit(main())"


def started(source: Path, target: Path, **options) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COMMAND, "quantize", str(source), str(target), "--precision", "4bit"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
def test_a_disk_that_is_full(large: Path, tmp_path: Path):
    """A limit on the size of files stands for the end of the disk: the system refuses the same write."""
    limit = 1_000_000
    process = started(
        large,
        tmp_path / "small",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "could not be written" in errors
    assert "Check its free space" in errors
    assert "Traceback" not in errors
    assert_nothing_is_left(tmp_path / "small")


def test_interrupted_it_leaves_nothing(large: Path, tmp_path: Path):
    target = tmp_path / "small"
    # A shell in the background leaves its children deaf to it.
    process = started(large, target, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    wait_for(tmp_path / ".small.partial")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert_nothing_is_left(target)


def test_killed_it_leaves_no_target_and_the_next_run_cleans_up(large: Path, tmp_path: Path):
    target = tmp_path / "small"
    process = started(large, target)
    wait_for(tmp_path / ".small.partial")
    process.kill()
    process.communicate(timeout=60)
    assert not target.exists()
    assert quantize(large, target, "4bit") == target
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the pages of the file")
def test_pages_that_were_read_are_given_back(large: Path):
    def resident() -> int:
        return sum(region.rss for region in psutil.Process().memory_maps() if region.path.endswith("model.safetensors"))

    weights = open_weights(large)
    name = "roberta.encoder.layer.3.intermediate.dense.weight"
    before = resident()
    tensor = weights[name]
    prefetch(tensor)
    total = tensor.sum()
    assert resident() - before >= tensor.nbytes
    release_pages(tensor)
    assert resident() - before < tensor.nbytes / 10
    assert torch.equal(tensor.sum(), total)  # read again, it is the same
