"""transformers 4.37.2's own tests, and its `generate`, beside ours: in an environment of its own, made once.

Nothing of it is in this repository: the source distribution carries the tests that all its models share. Torch comes
from this environment. What needs the package index skips without one, unless XLMRXL_REQUIRE_PEER is set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = "4.37.2"
NEEDED = [f"transformers=={VERSION}", "tokenizers<0.19", "huggingface-hub<1", "numpy<2", "pytest<8", "parameterized"]
BUILDING = ["setuptools", "wheel"]  # to read what a source distribution says of itself
TOO_NEW = ("peft", "torchvision", "pandas", "sklearn", "scipy", "pyarrow", "matplotlib", "datasets", "onnx", "captum")
"""What this environment may have and the peer would import, though it or its numpy is too old for it."""
LEFT = {
    "Configs.test_check_config_arguments_init": "takes pruned_heads={'a': 1}; a config that names no layer is refused",
    "Configs.test_create_and_test_config_common_properties": "makes a config of hidden_size 0, which is refused",
    "Models.test_model_weights_reload_no_missing_tied_weights": "loads a file without weights; here that is an error",
    "Models.test_resize_tokens_embeddings": "looks for the words of an error message; ours has others",
}
"""The tests that fail here, and why they may."""
BY_CHANCE = {
    "Models.test_save_load_fast_init_to_base": "leaves out a weight at random; one of the encoder is an error here",
}
"""Those that fail in some runs."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The Python of an environment with transformers 4.37.2, and its unpacked source distribution."""
    if sys.version_info >= (3, 13):
        pytest.skip(f"transformers {VERSION} and what it needs have no packages for Python 3.13 and later")
    folder = tmp_path_factory.mktemp("peer")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    steps = [
        [*pip, "install", *NEEDED, *BUILDING],
        [
            *pip,
            "download",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            NEEDED[0],
            "--dest",
            str(folder),
        ],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode and os.environ.get("XLMRXL_REQUIRE_PEER"):
            pytest.fail(f"transformers {VERSION} cannot be installed: {done.stderr[-2000:]}")
        elif done.returncode:
            pytest.skip(f"transformers {VERSION} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    # What it does not have of its own, torch above all, it takes from here, but for what is too new for it.
    site = next((folder / "env" / "lib").glob("python*")) / "site-packages"
    hide = f"import sys; sys.modules.update(dict.fromkeys({TOO_NEW!r}))"
    (site / "further.pth").write_text(f"{sysconfig.get_path('purelib')}\n{hide}\n", encoding="utf-8")
    with tarfile.open(folder / f"transformers-{VERSION}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return python, folder / f"transformers-{VERSION}"


def run(python: Path, script: str, *arguments: str) -> str:
    """What a script prints; one that ends with an error fails the test."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [str(python), str(ROOT / "tests" / "peer" / script), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_its_tests_of_models_and_configs_pass_here(peer):
    python, sdist = peer
    outcomes = json.loads(run(python, "model_tests.py", str(sdist), "ours"))
    failed = {name: word for name, word in outcomes.items() if word.startswith("failed")}
    assert sum(word == "passed" for word in outcomes.values()) >= 47
    assert failed.keys() - BY_CHANCE.keys() == LEFT.keys(), failed


def test_generate_answers_the_same(peer):
    assert json.loads(run(peer[0], "generation_tests.py", "250")) == []


def test_its_tests_of_tokenizers_pass_here(peer):
    """Which are left, and why, stands in `peer/tokenizer_tests_left.json`."""
    assert "All as the table says." in run(peer[0], "tokenizer_tests.py", str(peer[1]))
