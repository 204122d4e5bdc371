"""The tab Model without a browser: what may be loaded, what stays if it fails, one change at a time; its endpoints."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import html
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browser.running_app import make_checkpoint, serve
from closeness import approximate
from needs import need_bitsandbytes

import xlmrxl
from xlmrxl.app import handlers, quoting
from xlmrxl.app.handlers import Stopped, loading
from xlmrxl.app.render import model as rendered
from xlmrxl.app.served import Away, Served
from xlmrxl.plan import format_size, make_plan
from xlmrxl.progress import ignore_progress

TEXT = "The <mask> is here."


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models of different depth with the same vocabulary, one with another head, and one that is damaged."""
    root = tmp_path_factory.mktemp("models")
    made = {name: root / name for name in ("first", "deeper", "other", "damaged")}
    for folder in made.values():
        folder.mkdir()
    make_checkpoint(made["first"])
    tokenizer = xlmrxl.XLMRobertaTokenizer.from_pretrained(made["first"])
    config = xlmrxl.XLMRobertaXLConfig.from_pretrained(made["first"])
    config.num_hidden_layers = 3
    xlmrxl.XLMRobertaXLForMaskedLM(config).save_pretrained(made["deeper"])
    xlmrxl.XLMRobertaXLForSequenceClassification(config).save_pretrained(made["other"])
    for name in ("deeper", "other"):
        tokenizer.save_pretrained(made[name])
    shutil.copytree(made["deeper"], made["damaged"], dirs_exist_ok=True)
    weights = made["damaged"] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    return made


@pytest.fixture
def served(folders: dict[str, Path]) -> Served:
    return Served(xlmrxl.load(folders["first"]), None)


def switch(served: Served, name: object, told: Any = ignore_progress, **asked: Any) -> handlers.Outcome:
    def work() -> loading.About:
        loading.switch(served, loading.load_asked(served, str(name), **asked), told)
        return loading.about(served)

    return handlers.attempt(work, "loading")


def test_what_is_loaded_is_measured(served: Served) -> None:
    found, session = loading.about(served), served.session
    config = session.model.config
    assert found.name == "first"
    assert found.parameters == session.model.num_parameters()
    assert (found.layers, found.attention_heads) == (config.num_hidden_layers, config.num_attention_heads)
    assert (found.hidden_size, found.vocabulary) == (config.hidden_size, config.vocab_size)
    assert (found.precision, found.reason, found.device) == (session.precision, session.reason, "cpu")
    assert found.weights == 4 * found.parameters == found.plan.get_need("fp32").weights
    shown = rendered.render_about(found) + rendered.render_plan(found)
    assert f"{found.parameters:,}" in shown
    assert "● loaded" in shown
    assert shown.count("✓ fits") == 4
    rows = found.to_csv().splitlines()
    assert len(rows) == 6
    assert rows[1].split(",")[:3] == ["first", "fp32", str(found.weights)]
    assert json.loads(found.to_json())["plan"] == make_plan("first", config).to_dict() | {
        "devices": [vars(device) for device in found.plan.devices]
    }


def test_quantised_weights_are_measured_as_they_are_held() -> None:
    need_bitsandbytes()
    served = Served(xlmrxl.load(precision="4bit"))
    found = loading.about(served)
    assert found.weights == pytest.approx(found.plan.get_need("4bit").weights, rel=0.02)
    assert found.parameters == found.plan.parameters


def test_the_plan_of_another_is_shown_without_loading_it(served: Served, folders: dict[str, Path]) -> None:
    found = loading.about_asked(served, str(folders["deeper"]))
    assert found.name == "first"
    assert found.plan.needs == make_plan("", xlmrxl.XLMRobertaXLConfig.from_pretrained(folders["deeper"])).needs
    assert "● loaded" not in rendered.render_plan(found)
    assert loading.about_asked(served, str(folders["first"])).plan.model == "first"
    with pytest.raises(ValueError, match="There is no folder"):
        loading.about_asked(served, "./nowhere")


def test_what_does_not_fit_is_marked_in_words(served: Served) -> None:
    found = loading.about(served)
    crowded = tuple(dataclasses.replace(device, free=0) for device in found.plan.devices)
    shown = rendered.render_plan(dataclasses.replace(found, plan=dataclasses.replace(found.plan, devices=crowded)))
    assert shown.count("✗ no") == 4


def test_the_copied_lines_print_what_is_shown(capsys: pytest.CaptureFixture) -> None:
    served = Served(xlmrxl.load())
    found = loading.about(served)
    exec(quoting.planning(served.session, found.plan.model), {})
    printed = capsys.readouterr().out
    assert printed.startswith(str(served.session))
    rows = [line.split("  ") for line in printed.splitlines()]
    for need in found.plan.needs:
        row = next(row for row in rows if row[0].strip() == need.precision)
        cells = [cell.strip() for cell in row if cell.strip()]
        assert cells[1] == format_size(need.weights)
        assert f"<td>{cells[1]}</td>" in rendered.render_plan(found)
    named = dataclasses.replace(served.session, name="a/b", revision="c")
    assert f"xlmrxl.load('a/b', precision={named.precision!r}, revision='c')" in quoting.planning(named)


def test_everything_is_escaped(served: Served) -> None:
    evil = "<script>\"'&"
    found = dataclasses.replace(loading.about(served), name=evil, revision=evil, reason=evil, head=evil, device=evil)
    found = dataclasses.replace(found, plan=dataclasses.replace(found.plan, model=evil))
    for part in (rendered.render_about(found), rendered.render_plan(found), rendered.render_loaded(found)):
        assert "<script" not in part
        assert html.escape(evil) in part


BAD = [
    *("", " ", "nowhere", "/etc", "../first", "./first", "first\n", "default\n", "first ", "x" * 10_000, "\0", "a/b/c"),
    *("facebook/xlm-roberta-xl", "\ud800", None, 5, 1.5, True, ["first"], {"first": 1}, b"first"),
]


@pytest.mark.parametrize("name", BAD, ids=lambda name: repr(name)[:20])
def test_only_names_of_the_list_are_loaded(folders: dict[str, Path], name: object) -> None:
    served = Served(xlmrxl.load(folders["first"]), [str(folders["deeper"])])
    outcome = handlers.attempt(lambda: loading.load_asked(served, name), "reading")
    assert outcome.problem == "The app may not load that: choose a model from its list."
    if name:
        same = handlers.attempt(lambda: loading.about_asked(served, name), "reading")
        assert same.problem == outcome.problem


def test_a_path_is_refused_as_what_is_not_there(folders: dict[str, Path]) -> None:
    """Neither the sentence nor the list says what lies where."""
    served = Served(xlmrxl.load(folders["first"]), [str(folders["deeper"])])
    there, not_there = (
        handlers.attempt(lambda path=path: loading.load_asked(served, str(path)), "reading").problem
        for path in (folders["other"], folders["other"] / "nowhere")
    )
    assert there == not_there
    assert list(served.models) == ["first", "deeper"]
    assert loading.load_asked(served, "deeper").source == str(folders["deeper"])


@pytest.mark.parametrize("name", ["", " ", "default\n", "a\0b", "x" * 10_000, "\ud800", None, 5, ["first"]], ids=repr)
def test_where_any_may_be_loaded_names_are_bounded(served: Served, name: object) -> None:
    problem = handlers.attempt(lambda: loading.load_asked(served, name), "reading").problem
    assert problem
    assert "\n" not in problem
    assert len(problem) < 200


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"precision": "3bit"}, "no such precision"),
        ({"precision": None}, "no such precision"),
        ({"precision": ["auto"]}, "no such precision"),
        ({"free": "yes"}, "yes or no"),
        ({"free": None}, "yes or no"),
    ],
)
def test_other_settings_are_checked(served: Served, asked: dict, words: str) -> None:
    assert words in switch(served, "default", **asked).problem


def test_without_a_list_there_is_nothing_to_choose(folders: dict[str, Path]) -> None:
    served = Served(xlmrxl.load(folders["first"]))
    assert served.models == {}
    for name in ("first", "default", str(folders["deeper"])):
        assert "keeps to its model" in switch(served, name).problem


def test_two_folders_of_one_name_are_told_apart(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["deeper"], tmp_path / "first")
    served = Served(xlmrxl.load(folders["first"]), [str(tmp_path / "first"), str(folders["first"])])
    assert served.models == {"first": str(folders["first"]), "first (2)": str(tmp_path / "first")}


def test_a_list_with_a_path_that_is_not_there_is_a_mistake(folders: dict[str, Path]) -> None:
    with pytest.raises(xlmrxl.CheckpointError, match="nowhere"):
        Served(xlmrxl.load(folders["first"]), ["./nowhere"])


def test_another_model_answers_after_a_switch(served: Served, folders: dict[str, Path]) -> None:
    forgotten, told, old = [], [], served.session
    served.forgotten.append(lambda: forgotten.append(1))

    def watch(done: int, total: int) -> None:
        assert served.session is old  # which answers until then
        told.append((done, total))

    found = switch(served, folders["deeper"], watch, precision="fp32").result
    assert (found.name, found.layers) == ("deeper", 3)
    assert served.session.fill_mask(TEXT) == dataclasses.replace(
        xlmrxl.load(folders["deeper"]).fill_mask(TEXT), source=served.session.fill_mask(TEXT).source
    )
    assert served.changed
    assert forgotten
    assert told[-1][0] == told[-1][1] > 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("damaged", "model.safetensors"),
        ("other", "is for the classification of texts, and the tabs here are for masked language modelling"),
        ("nowhere", "There is no folder"),
    ],
)
def test_what_cannot_be_loaded_changes_nothing(served: Served, folders: dict[str, Path], name: str, words: str) -> None:
    old = served.session
    outcome = switch(served, folders.get(name, folders["first"] / "nowhere"))
    assert words in outcome.problem
    assert "\n" not in outcome.problem
    assert served.session is old
    assert not served.changed
    if name == "damaged":  # the others are refused before anything is loaded
        assert outcome.problem.endswith("first goes on answering.")
    assert switch(served, folders["deeper"]).result.name == "deeper"  # nothing is left of the one before


@pytest.mark.parametrize("free", [True, False])
def test_a_model_that_computes_nothing_is_not_served(
    served, folders: dict[str, Path], tmp_path: Path, free: bool
) -> None:
    model = xlmrxl.XLMRobertaXLForMaskedLM.from_pretrained(folders["deeper"])
    with torch.no_grad():
        model.roberta.encoder.layer[1].output.dense.weight[3, 3] = float("nan")
    model.save_pretrained(tmp_path)
    xlmrxl.XLMRobertaTokenizer.from_pretrained(folders["deeper"]).save_pretrained(tmp_path)
    old = served.session
    assert xlmrxl.load(tmp_path)  # which a loader cannot see
    problem = switch(served, tmp_path, free=free).problem
    assert "computes infinities, or what is no number" in problem
    assert problem.endswith("first goes on answering.")
    assert served.session is old


def test_of_the_list_no_path_is_told(folders: dict[str, Path]) -> None:
    served = Served(xlmrxl.load(folders["first"]), [str(folders["damaged"])])
    problem = switch(served, "damaged").problem
    assert problem.startswith("damaged cannot be loaded: the terminal")
    assert str(folders["damaged"].parent) not in problem


def test_a_quantised_checkpoint_has_its_precision(served: Served, folders: dict[str, Path], tmp_path: Path) -> None:
    need_bitsandbytes()
    from xlmrxl.quantize import quantize

    quantize(folders["deeper"], tmp_path / "small", "8bit")
    assert "has 8bit weights already" in switch(served, tmp_path / "small", precision="4bit").problem
    assert switch(served, tmp_path / "small").result.precision == "8bit"


def test_stopping_leaves_the_old_model(served: Served, folders: dict[str, Path]) -> None:
    def stop(done: int, total: int) -> None:
        raise Stopped

    old = served.session
    assert switch(served, folders["deeper"], stop).problem == "Stopped. first goes on answering."
    assert served.session is old


def test_one_change_at_a_time(served: Served, folders: dict[str, Path]) -> None:
    began, go_on = threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        began.set()
        go_on.wait(20)

    outcomes: list[handlers.Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(switch(served, folders["deeper"], wait)))
    thread.start()
    assert began.wait(20)
    assert served.session.fill_mask(TEXT).source.model == "first"
    second = switch(served, "default").problem
    assert second == f"{folders['deeper']} is being loaded at the moment: try again when it is there."
    go_on.set()
    thread.join()
    assert outcomes[0].result.name == "deeper"


def crowd(monkeypatch: pytest.MonkeyPatch, free: Callable[[], int]) -> None:
    """As if the CPU had so much memory left."""
    from xlmrxl import plan as module

    monkeypatch.setattr(module, "list_devices", lambda: (module.Device("cpu", "2 cores", free(), 10**12),))


def test_what_fits_nowhere_is_not_loaded(
    served: Served, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(monkeypatch, lambda: 1000)
    problem = switch(served, folders["deeper"], free=True).problem
    assert "even without first" in problem
    assert served.there


def room_for(folder: Path) -> int:
    config = xlmrxl.XLMRobertaXLConfig.from_pretrained(folder)
    return make_plan("", config).get_need("fp32").count_total()


@pytest.fixture
def narrow(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Served:
    """As if there were room for one of the models only."""
    served = Served(xlmrxl.load(folders["first"]), None)
    need = room_for(folders["deeper"])
    crowd(monkeypatch, lambda: need - (served._session is not None))
    return served


def test_the_present_model_is_freed_first_only_if_asked(narrow: Served, folders: dict[str, Path]) -> None:
    with pytest.raises(loading.OnlyWithout, match="freed first"):
        loading.switch(narrow, loading.load_asked(narrow, str(folders["deeper"]), "fp32"), ignore_progress)
    assert narrow.session.name == "first"
    seen = []

    def watch(done: int, total: int) -> None:
        seen.append(narrow.there)
        with pytest.raises(Away, match="made room for"):
            assert narrow.session

    found = switch(narrow, folders["deeper"], watch, precision="fp32", free=True).result
    assert found.name == "deeper"
    assert seen
    assert not any(seen)


def test_what_is_freed_is_free(narrow: Served, folders: dict[str, Path]) -> None:
    """Nobody in here holds on to it; what still runs on it is waited for."""
    import weakref

    model = weakref.ref(narrow.session.model)
    held = [narrow.session]
    gone: list[bool] = []

    def watch(done: int, total: int) -> None:
        if not total:  # still waiting
            held.clear()
        else:
            gone.append(model() is None)

    assert switch(narrow, folders["deeper"], watch, precision="fp32", free=True).result
    assert gone
    assert all(gone)


@pytest.mark.parametrize("how", ["damaged", "stopped", "stopped while waiting"])
def test_the_way_back(narrow: Served, folders: dict[str, Path], how: str) -> None:
    before = narrow.session.fill_mask(TEXT)
    reason = narrow.session.reason
    held = [narrow.session] if how == "stopped while waiting" else []

    def stop(done: int, total: int) -> None:
        if how != "damaged":
            assert not narrow.there
            raise Stopped

    name = "damaged" if how == "damaged" else "deeper"
    problem = switch(narrow, folders[name], stop, precision="fp32", free=True).problem
    assert problem.startswith(str(folders["damaged"] / "model.safetensors") if how == "damaged" else "Stopped.")
    assert problem.endswith(" first is loaded again.")
    gc.collect()
    assert narrow.session.fill_mask(TEXT) == before
    assert narrow.session.reason == reason
    assert narrow.source == str(folders["first"])
    assert not narrow.changed
    held.clear()


def test_no_way_back_is_said_and_another_can_be_loaded(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folders["first"], tmp_path / "gone")
    served = Served(xlmrxl.load(tmp_path / "gone"), None)
    need = room_for(folders["deeper"])
    crowd(monkeypatch, lambda: need - (served._session is not None))

    def stop(done: int, total: int) -> None:
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)
        raise Stopped

    problem = switch(served, folders["deeper"], stop, precision="fp32", free=True).problem
    assert problem == "Stopped. gone could not be loaded again either: load it, or another."
    with pytest.raises(Away, match="load one in the tab Model"):
        assert served.session
    assert "load one" in handlers.attempt(lambda: loading.about(served), "describing").problem
    assert switch(served, folders["deeper"], precision="fp32").result.name == "deeper"


async def built(served: Served) -> Any:  # with a loop running Gradio opens none of its own, which it would never close
    from xlmrxl.app import create_app

    return create_app(served)


@pytest.mark.parametrize(("models", "there"), [((), False), (("default",), True), (None, True)])
def test_switching_is_there_where_something_may_be_loaded(
    folders: dict[str, Path], models: tuple | None, there: bool
) -> None:
    app = asyncio.run(built(Served(xlmrxl.load(folders["first"]), models)))
    names = {function.api_name for function in app.fns.values() if function.api_visibility == "public"}
    assert ("load_model" in names) == there
    assert "model" in names
    ids = {getattr(block, "elem_id", None) for block in app.blocks.values()}
    assert ({"model-name", "model-load", "model-stop"} <= ids) == there


def test_a_borrowed_gpu_keeps_its_model(folders: dict[str, Path]) -> None:
    from xlmrxl.app import create_app

    async def elsewhere() -> Any:
        return create_app(xlmrxl.load(folders["first"]), run=lambda work: work, models=None)

    app = asyncio.run(elsewhere())
    assert "load_model" not in {function.api_name for function in app.fns.values()}


def test_pages_that_are_opened_later_know_the_model(served: Served, folders: dict[str, Path]) -> None:
    app = asyncio.run(built(served))
    begin = next(function for function in app.fns.values() if function.name == "begin")
    blocks = {getattr(block, "elem_id", None): block for block in app.blocks.values()}
    assert blocks["header"] not in begin.fn("tab=states")  # nothing has changed yet
    switch(served, folders["deeper"])
    changes = begin.fn("tab=states&hidden_state=3&view=projection")
    assert "Model deeper" in changes[blocks["header"]]["value"]
    assert changes[blocks["states-state"]]["maximum"] == 3
    assert changes[blocks["states-state"]]["value"] == 3
    switch(served, folders["first"])
    changes = begin.fn("tab=states&hidden_state=3&view=projection")
    assert changes[blocks["states-state"]]["maximum"] == 2
    assert changes[blocks["states-state"]]["value"] != 3


@pytest.mark.slow
def test_precisions_are_compared_where_the_model_allows_it(served: Served, folders: dict[str, Path]) -> None:
    need_bitsandbytes()
    app = asyncio.run(built(served))
    for precision, there in (("4bit", False), ("fp32", True)):
        assert switch(served, folders["deeper"], precision=precision).result
        compare = next(function for function in app.fns.values() if function.api_name == "compare")
        if there:
            assert compare.fn(TEXT)["model"] == "deeper"
        else:
            with pytest.raises(Exception, match="has fewer bits already"):
                compare.fn(TEXT)


@pytest.fixture(scope="module")
def client(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    from gradio_client import Client

    with serve(folders["first"], tmp_path_factory.mktemp("app") / "log.txt") as url:
        yield Client(url, verbose=False)


@pytest.mark.slow
def test_endpoints_describe_and_change_the_model(client, folders: dict[str, Path]) -> None:
    described = client.predict(api_name="/model")
    expected = json.loads(loading.about(Served(xlmrxl.load(folders["first"]))).to_json())
    for answer in (described, expected):
        for device in answer["plan"]["devices"]:
            device.pop("free")
    assert described == expected
    with pytest.raises(Exception, match=r"There is no folder.*nowhere"):
        client.predict("./nowhere", api_name="/load_model")
    with pytest.raises(Exception, match="goes on answering"):
        client.predict(str(folders["damaged"]), api_name="/load_model")
    assert client.predict(str(folders["deeper"]), "fp32", False, api_name="/load_model")["layers"] == 3
    assert client.predict(api_name="/model")["name"] == "deeper"
    assert (
        client.predict(TEXT, 3, api_name="/fill")["masks"]
        == approximate(xlmrxl.load(folders["deeper"]).fill_mask(TEXT, top_k=3).content())["masks"]
    )
