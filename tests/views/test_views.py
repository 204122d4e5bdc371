"""What the attention explorer is sent: every number against the model's own, and every request a stranger may make."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

import xlmrxl
from xlmrxl import Session
from xlmrxl.inspection.head_statistics import STATISTICS, list_statistics
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.palette import PALETTE, SCALES
from xlmrxl.views.attention_view import AttentionView
from xlmrxl.views.export import write_json
from xlmrxl.views.protocol import BUILT, join_buffers, pack_arrays, pack_matrix, quantize_rows

ROOT = Path(__file__).parents[2]
TEXT = "The capital of <mask> is Paris."
SECOND = "狗在花园里睡觉。"
LAYERS, HEADS = 3, 5


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def view(session: Session) -> AttentionView:
    return AttentionView(session.inspect(TEXT, SECOND))


@pytest.fixture(scope="module")
def pair(session: Session, tiny_folder: Path) -> AttentionView:
    """The same tokens in two precisions."""
    return AttentionView(session.inspect(TEXT), xlmrxl.load(tiny_folder, precision="bf16").inspect(TEXT))


@pytest.fixture(scope="module")
def weights(view: AttentionView) -> np.ndarray:
    return attentions(view, 0)


def attentions(view: AttentionView, side: int) -> np.ndarray:
    """(layers, heads, tokens, tokens) of the model itself."""
    inspection = view.sides[side]
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    with torch.inference_mode():
        found = inspection.loaded_model.model(ids, output_attentions=True).attentions
    return np.stack([layer[0].float().numpy() for layer in found])


def unpacked(buffer: bytes, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and, for each, how far it may be from what was packed; read as the docstring of protocol.py says."""
    raw = zlib.decompress(buffer)
    count = int(np.prod(shape[:-1]))
    scales = np.frombuffer(raw, "<f4", count).reshape(*shape[:-1], 1)
    levels = np.frombuffer(raw, np.uint8, offset=4 * count).reshape(shape)
    return levels * scales, np.broadcast_to(scales / 2 + 1e-9, shape)


def unpacked_matrix(buffer: bytes, inspection: Inspection) -> tuple[np.ndarray, np.ndarray]:
    """The same of a matrix of weights."""
    raw, length = zlib.decompress(buffer), len(inspection.tokens)
    special = [i for i, segment in enumerate(inspection.segments) if segment is None]
    fine = np.frombuffer(raw, "<u2", length * len(special), offset=4 * length).reshape(length, -1)
    scales = np.frombuffer(raw, "<f4", length)[:, None]
    levels = np.frombuffer(raw, np.uint8, offset=4 * length + 2 * fine.size).reshape(length, length)
    values, bound = levels * scales, np.broadcast_to(scales / 2 + 1e-9, levels.shape).copy()
    assert not levels[:, special].any()
    values[:, special], bound[:, special] = fine / 65535, 1 / 131000
    return values, bound


def matrix(view: AttentionView, side: int = 0, **request) -> tuple[np.ndarray, np.ndarray]:
    reply, buffers = view.answer({"id": 7, "side": side, **request})
    assert "error" not in reply, reply
    assert (reply["id"], reply["type"], reply["side"]) == (7, request["type"], side)
    return unpacked_matrix(buffers[0], view.sides[side])


def ranked(view: AttentionView, by: object, side: int = 0) -> np.ndarray:
    reply, buffers = view.answer({"id": "a", "type": "rank", "side": side, "by": by})
    assert "error" not in reply, reply
    return np.frombuffer(zlib.decompress(buffers[0]), "<f4").reshape(LAYERS, HEADS)


# The first view


def test_first_view_says_what_there_is(view: AttentionView):
    meta, buffers = view.first()
    json.dumps(meta, allow_nan=False)
    (side,) = meta["sides"]
    inspection = view.sides[0]
    assert (side["layers"], side["heads"], side["text"], side["text_pair"]) == (LAYERS, HEADS, TEXT, SECOND)
    assert side["mask_positions"] == list(inspection.mask_positions) != []
    assert side["source"] == inspection.source.to_dict()
    assert side["tokens"]["segment"] == list(inspection.segments)
    assert [token for word in side["words"]["tokens"] for token in word] == list(range(len(inspection.tokens)))
    needs = {known["name"]: known["needs"] for known in meta["statistics"]}
    assert list(needs) == list_statistics("weights", "value_norms", "ablation")
    for known in meta["statistics"]:
        declared = STATISTICS[known["name"]]
        assert (known["label"], known["unit"], known["needs"]) == (
            declared.description,
            declared.unit,
            declared.needs,
        )
    assert len(buffers) == 2


def test_thumbnails_and_statistics_are_those_of_the_inspection(view: AttentionView, weights: np.ndarray):
    meta, (thumbnails, statistics) = view.first()
    edge = meta["sides"][0]["thumbnail"]
    small, bound = unpacked(thumbnails, LAYERS, HEADS, edge * edge)
    assert edge == 16
    assert (np.abs(small - view.sides[0].thumbnails().reshape(LAYERS, HEADS, -1)) <= bound).all()
    values = np.frombuffer(zlib.decompress(statistics), "<f4").reshape(len(list_statistics("weights")), LAYERS, HEADS)
    inner = [i for i, segment in enumerate(view.sides[0].segments) if segment is not None]
    own = np.diagonal(weights, axis1=2, axis2=3)[..., inner].mean(-1)
    assert np.allclose(values[list_statistics("weights").index("self")], own, atol=1e-6)
    for place, name in enumerate(list_statistics("weights")):
        assert np.array_equal(values[place], view.sides[0].statistic(name))


def test_pieces_stand_alone_and_unknown_ones_show_what_was_written(session: Session):
    inspection = session.inspect("🎉 सोता \u200d.")
    (side,) = AttentionView(inspection).first()[0]["sides"]
    shown = dict(zip((token.piece for token in inspection.tokens), side["tokens"]["text"], strict=True))
    assert shown["<unk>"] == "<unk>"  # the joiner, which cannot be seen
    assert side["tokens"]["text"][2] == "🎉"
    assert shown["ो"] == "◌ो"


# Requests


def test_a_head_is_the_models_within_its_scale(view: AttentionView, weights: np.ndarray):
    for layer in range(LAYERS):
        for head in range(HEADS):
            values, bound = matrix(view, type="head", layer=layer, head=head)
            assert (np.abs(values - weights[layer, head]) <= bound).all()
            others = [i for i, segment in enumerate(view.sides[0].segments) if segment is not None]
            assert (bound[:, others] <= weights[layer, head][:, others].max(-1, keepdims=True) / 509).all()


def test_means_and_maxima(view: AttentionView, weights: np.ndarray):
    chosen = [[0, 1], [2, 4], [0, 1]]
    picked = np.stack([weights[0, 1], weights[2, 4]])
    for kind, expected in (("mean", picked.mean(0)), ("max", picked.max(0))):
        values, bound = matrix(view, type=kind, heads=chosen)
        assert (np.abs(values - expected) <= bound + 1e-6).all()
    for kind, expected in (("mean", weights.mean((0, 1))), ("max", weights.max((0, 1)))):
        values, bound = matrix(view, type=kind, heads=None)
        assert (np.abs(values - expected) <= bound + 1e-6).all()


def test_rollout(view: AttentionView, weights: np.ndarray):
    rolled = np.eye(weights.shape[-1])
    for layer in range(2):
        rolled = (weights[layer].mean(0) + np.eye(len(rolled))) / 2 @ rolled
    values, bound = matrix(view, type="rollout", up_to=1)
    assert (np.abs(values - rolled) <= bound + 1e-6).all()


def test_ranking_by_words_sums_over_keys_and_averages_over_queries(view: AttentionView, weights: np.ndarray):
    expected = weights[:, :, [1, 4]][..., [2, 3, 5]].sum(-1).mean(-1)
    assert np.allclose(ranked(view, {"queries": [1, 4], "keys": [2, 3, 5]}), expected, atol=1e-6)


def test_maps_on_demand(view: AttentionView, pair: AttentionView):
    assert np.array_equal(ranked(view, "norm"), view.sides[0].statistic("norm"))
    a, b = attentions(pair, 0), attentions(pair, 1)
    changed = ranked(pair, "change")
    assert changed.min() > 0
    assert np.allclose(changed, np.abs(a - b).sum(-1).mean(-1) / 2, atol=1e-6)
    assert np.array_equal(ranked(pair, "change", side=1), changed)


def ask_importance(view: AttentionView, side: int, size: int) -> np.ndarray:
    """The importance of all heads, asked for so many at a time."""
    every = [[layer, head] for layer in range(LAYERS) for head in range(HEADS)]
    found = []
    for start in range(0, len(every), size):
        request = {"id": 5, "type": "head_importance", "side": side, "heads": every[start : start + size]}
        reply, buffers = view.answer(request)
        assert reply == {"id": 5, "type": "head_importance", "side": side}
        found += np.frombuffer(zlib.decompress(buffers[0]), "<f4").tolist()
    return np.array(found).reshape(LAYERS, HEADS)


@pytest.mark.parametrize("size", [1, 3, HEADS])
def test_head_importance_in_parts_is_the_whole(session: Session, size: int):
    """And is asked for as other statistics are once all of it is there, of all sides."""
    view = AttentionView(session.inspect(TEXT), session.inspect("She <mask>."))
    for side in (0, 1):
        refusal = view.answer({"type": "rank", "side": side, "by": "importance"})[0]["error"]
        assert "`head_importance` of all heads first" in refusal
        assert "importance" not in inside(view.to_html([(0, 0)]))["maps"]
        expected = view.sides[side].head_importance(progress=False).values
        # Batches of other sizes are rounded otherwise: by some 1e-6 each of the log-probabilities, up to about 10 in
        # size, of which an importance is a difference. Those of two heads differ by 1e-3.
        assert ask_importance(view, side, size) == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert np.diff(np.sort(expected, axis=None)).min() > 1e-3
    for side in (0, 1):
        assert np.array_equal(ranked(view, "importance", side), ask_importance(view, side, size).astype(np.float32))
    assert len(inside(view.to_html([(0, 0)]))["maps"]["importance"]) == 2


def test_known_head_importance_takes_no_run(session: Session, monkeypatch: pytest.MonkeyPatch):
    view = AttentionView(session.inspect(TEXT))
    first = ask_importance(view, 0, HEADS)
    monkeypatch.setattr("xlmrxl.views.attention_view.importance_of_heads", None)
    assert np.array_equal(ask_importance(view, 0, HEADS), first)


def test_ablation_is_the_sessions(view: AttentionView):
    reply, buffers = view.answer({"id": 1, "type": "ablate", "heads": [[0, 2]], "layers": [1], "positions": None})
    expected = view.sides[0].ablate([(0, 2)], [1], progress=False)
    assert buffers == []
    assert reply == {"id": 1, "type": "ablate", "side": 0, "found": expected.to_dict()}
    assert reply["found"]["effects"][0]["kl"] > 0
    reply, _ = view.answer({"type": "ablate", "layers": [1], "positions": [2]})
    assert [effect["position"] for effect in reply["found"]["effects"]] == [2]


def test_two_sides_are_asked_apart(pair: AttentionView):
    meta, buffers = pair.first()
    assert meta["same_tokens"]
    assert [side["source"]["precision"] for side in meta["sides"]] == ["fp32", "bf16"]
    assert len(buffers) == 4
    for side in (0, 1):
        values, bound = matrix(pair, side=side, type="head", layer=2, head=3)
        assert (np.abs(values - attentions(pair, side)[2, 3]) <= bound).all()


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (None, "type of a request"),
        ([], "type of a request"),
        ({"type": "first"}, "type of a request"),
        ({"type": ["head"]}, "type of a request"),
        ({"type": "head", "layer": 3, "head": 0}, "layer must be a whole number from 0 to 2"),
        ({"type": "head", "layer": -1, "head": 0}, "layer must be"),
        ({"type": "head", "layer": True, "head": 0}, "layer must be"),
        ({"type": "head", "layer": 0.0, "head": 0}, "layer must be"),
        ({"type": "head", "layer": 0}, "head must be a whole number from 0 to 4"),
        ({"type": "head", "layer": 0, "head": 0, "side": 1}, "side must be"),
        ({"type": "head", "layer": 0, "head": 0, "side": "0"}, "side must be"),
        ({"type": "mean", "heads": []}, "heads is empty"),
        ({"type": "mean", "heads": "all"}, "heads must be a list"),
        ({"type": "max", "heads": [[0, 0, 0]]}, "heads must be a list"),
        ({"type": "max", "heads": [[0, 0]] * 16}, "heads must be a list"),
        ({"type": "max", "heads": [[0, {}]]}, "head must be"),
        ({"type": "rollout", "up_to": 3}, "up_to must be"),
        ({"type": "rank", "by": "nonsense"}, "by must be one of entropy"),
        ({"type": "rank", "by": "change"}, "by must be one of entropy"),
        ({"type": "rank", "by": {"queries": [0], "keys": [999]}}, "keys must be a whole number"),
        ({"type": "rank", "by": {"queries": [], "keys": [1]}}, "by needs a token"),
        ({"type": "rank", "by": {"queries": "01", "keys": [1]}}, "queries must be a list"),
        ({"type": "ablate"}, "Nothing is switched off"),
        ({"type": "ablate", "layers": [3]}, "layers must be"),
        ({"type": "ablate", "layers": [0], "positions": [999]}, "positions must be"),
        ({"type": "head_importance"}, "heads must be 1 to 5"),
        ({"type": "head_importance", "heads": [[0, head] for head in range(5)] + [[1, 0]]}, "heads must be 1 to 5"),
        ({"type": "head_importance", "heads": [[1, 0], [0, 1]]}, "sorted"),
        ({"type": "head_importance", "heads": [[0, 0]], "side": 1}, "side must be"),
        ({"type": "html", "heads": []}, "No head is given"),
        ({"type": "html", "heads": [[0, 0]], "settings": "dark"}, "settings must be"),
        ({"type": "html", "heads": [[0, 0]], "selected": {"layer": "x" * 40_000}}, "selected must be"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(view: AttentionView, request_: object, says: str):
    if isinstance(request_, dict):
        request_["id"] = 3
    reply, buffers = view.answer(request_)
    assert says in reply["error"]
    assert reply["error"].endswith(".")
    assert "\n" not in reply["error"]
    assert buffers == []
    assert reply["id"] == (3 if isinstance(request_, dict) else None)
    assert set(reply) == {"id", "type", "error"}


def test_a_request_gets_back_no_more_than_an_id(view: AttentionView):
    for strange in ({"deep": ["thing"]}, "x" * 65, 1.5, None):
        reply, _ = view.answer({"id": strange, "type": "y" * 1000})
        assert (reply["id"], reply["type"]) == (None, None)


def test_a_file_asked_for_by_a_request_is_bounded(view: AttentionView, monkeypatch: pytest.MonkeyPatch):
    reply, buffers = view.answer({"id": 1, "type": "html", "heads": [[0, 0]]})
    assert reply["name"] == "attention.html"
    assert buffers[0].decode().startswith("<!doctype html>")
    monkeypatch.setattr("xlmrxl.views.attention_view.FILE_BYTES", 100)
    assert "too many" in view.answer({"id": 1, "type": "html", "heads": [[0, 0]]})[0]["error"]


def test_head_importance_can_be_left_out(view: AttentionView):
    bounded = AttentionView(view.sides[0], head_importance=False)
    assert "importance" not in json.dumps(bounded.first()[0])
    assert "by must be one of" in bounded.answer({"type": "rank", "by": "importance"})[0]["error"]
    assert "left out" in bounded.answer({"type": "head_importance", "heads": [[0, 0]]})[0]["error"]


def test_models_of_different_shape_do_not_go_together(view: AttentionView):
    with pytest.raises(ValueError, match=r"3 × 5 and 6 × 12"):
        AttentionView(view.sides[0], xlmrxl.load().inspect("Paris", progress=False))


def test_base64_is_the_same_bytes(view: AttentionView):
    meta, buffers = view.first()
    sent = json.loads(json.dumps(join_buffers(meta, buffers)))
    assert [base64.b64decode(text) for text in sent.pop("buffers")] == buffers
    assert sent == json.loads(json.dumps(meta))


def test_sizes_of_xl_at_128_tokens():
    """Logits of a head with random weights are normal; nothing packs worse than noise."""
    random = np.random.default_rng(0)
    for deviation in (0.2, 0.5, 1, 3):
        logits = np.exp(deviation * random.standard_normal((128, 128)))
        weights = (logits / logits.sum(1, keepdims=True)).astype(np.float32)
        for special in ([0, 127], [0, 63, 64, 127]):
            assert len(base64.b64encode(pack_matrix(weights, special))) < 20_000
    uniform = random.random((128, 128), dtype=np.float32)
    assert len(base64.b64encode(pack_matrix(uniform, [0, 127]))) < 20_000
    thumbnails = pack_arrays(*quantize_rows(random.random((36, 32, 256), dtype=np.float32)))
    statistics = 36 * 32 * len(list_statistics("weights")) * 4
    assert len(base64.b64encode(thumbnails)) + statistics * 4 / 3 < 450_000


# The front end's files


@pytest.mark.parametrize("name", ["attention.js", "saved_page.js"])
def test_front_end_is_one_module_that_loads_nothing(name: str):
    text = (BUILT / name).read_text(encoding="utf-8")
    assert not re.search(r"\bimport\s*[({*\"']", text)
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|importScripts)\b", text)
    # It is put into a script element as it is.
    assert "</script" not in text.lower()
    assert "<!--" not in text


def test_front_end_is_small():
    for name, most in (("attention.js", 85_000), ("saved_page.js", 88_000)):
        assert (BUILT / name).stat().st_size < most


def test_the_front_end_draws_in_the_palette_that_it_is_sent(view: AttentionView):
    colours = view.first()[0]["palette"]
    assert colours["hue"] == list(PALETTE.hue)
    for name in SCALES:
        for dark, theme in enumerate(("light", "dark")):
            assert colours["scales"][name][theme] == list(PALETTE.scale(name, dark=bool(dark)))


@pytest.mark.parametrize("folder", ["xlmrxl", "app"])
def test_colours_of_the_palette_are_written_in_one_place(folder: str):
    """Otherwise they would remain where the palette is changed."""
    own = {*PALETTE.hue, *PALETTE.against, *PALETTE.warning, *(colour for theme in PALETTE.below for colour in theme)}
    files = [path for end in ("*.py", "*.js", "*.css") for path in (ROOT / folder).rglob(end)]
    assert len(files) > 20
    for path in files:
        if path.name != "palette.py":
            assert not own & set(re.findall(r"#[0-9a-f]{6}", path.read_text(encoding="utf-8"))), path


# A file of its own


def inside(page: str) -> dict:
    """What a page holds, read as a browser reads it: a script element ends at the first </script."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_html_holds_the_chosen_heads(view: AttentionView, weights: np.ndarray, tmp_path: Path):
    path = view.save_html(tmp_path / "view.html", [(1, 4), (2, 0)])
    page = path.read_text(encoding="utf-8")
    data = inside(page)
    assert data["first"]["inside"] == [[1, 4], [2, 0]]
    assert data["first"]["abilities"] == []
    for buffer, (layer, head) in zip(data["heads"][0], [(1, 4), (2, 0)], strict=True):
        values, bound = unpacked_matrix(base64.b64decode(buffer), view.sides[0])
        assert (np.abs(values - weights[layer, head]) <= bound).all()
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|img|link|iframe)\b[^>]*\b(src|href)=", page)
    assert data["first"]["sides"][0]["source"] == view.sides[0].source.to_dict()


def test_html_holds_all_heads_if_none_are_named(view: AttentionView):
    data = inside(view.to_html())
    assert data["first"]["inside"] is None
    assert len(data["heads"][0]) == LAYERS * HEADS
    assert {"norm", "norm_special"} <= set(data["maps"])


def test_a_text_cannot_end_the_page(session: Session):
    text = "</script><script>alert(1)</script> <!-- & \u2028 ]]>"
    page = AttentionView(session.inspect(text)).to_html([(0, 0)])
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert inside(page)["first"]["sides"][0]["text"] == text
    assert "<title>Attention: &lt;/script&gt;" in page


def test_write_json_is_the_same_json():
    data = {"a": "</SCRIPT>", "b": ["<!--", "é \u2028 & >"], "c": None}
    text = write_json(data)
    assert json.loads(text) == data
    assert not set("<>&") & set(text)


@pytest.mark.parametrize("heads", [[], [(3, 0)], [(0, 5)], [(-1, 0)]])
def test_html_without_such_heads(view: AttentionView, heads: list):
    with pytest.raises(ValueError, match=r"No head is given|must be a whole number"):
        view.to_html(heads)


def test_the_types_of_the_front_end_are_what_is_sent(pair: AttentionView):
    text = (BUILT.parent / "protocol.d.ts").read_text(encoding="utf-8")

    def names(interface: str) -> set[str]:
        found = re.search(rf"interface {interface} \{{(.*?)^\}}", text, re.DOTALL | re.MULTILINE)
        assert found, interface
        return set(re.findall(r"^  (\w+)\??:", found[1], re.MULTILINE))

    meta = pair.first()[0]
    assert names("Meta") == meta.keys() | {"inside"}
    assert names("Palette") == meta["palette"].keys()
    assert names("Side") == meta["sides"][0].keys()
    assert names("Statistic") == meta["statistics"][0].keys()
    assert names("Source") == meta["sides"][0]["source"].keys()
    assert names("Units") == meta["sides"][0]["words"].keys()
    found = pair.answer({"id": 1, "type": "ablate", "heads": [[0, 0]]})[0]["found"]
    assert names("Ablation") <= found.keys()
    assert names("Effect") <= found["effects"][0].keys()
    assert names("Outcome") <= found["effects"][0]["outcomes"][0].keys()
