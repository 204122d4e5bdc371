"""The example notebooks run from top to bottom on the embedded model, and are stored without what they print."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
SECONDS = 120  # for a cell, on a machine busy with other things


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"tour", "which_heads_align_languages", "what_does_4bit_change"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        monkeypatch.setenv(f"JUPYTER_{name}", str(tmp_path / name))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = nbformat.read(path, as_version=4)
    stored = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in stored), "strip the outputs before storing it"
    (tmp_path / "run").mkdir()
    client = nbclient.NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": tmp_path / "run"}}
    )
    client.execute(env=dict(os.environ))
    outputs = [output for cell in stored for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    shown = [output.data[WIDGET]["model_id"] for output in outputs if WIDGET in output.get("data", {})]
    states = [client.widget_state[model] for model in shown]
    own = [state for state in states if state.get("_anywidget_id", "").startswith("xlmrxl.widgets.")]  # no bars
    assert own
    for state in own:  # a widget with an error would be stored as one that ran
        assert state.get("error", "") == ""
        assert state.get("html") or state.get("found") or state.get("drawn")
