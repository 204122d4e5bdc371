"""What an inspection says of attention and states, against the model's own outputs and against plain loops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from needs import need_bitsandbytes
from random_session import random_session
from torch.nn import functional as F

import xlmrxl
from xlmrxl import Session
from xlmrxl.inspection.attention import compute_rollout, find_strongest_pairs, make_thumbnails
from xlmrxl.inspection.attention_store import AttentionCache, AttentionStore
from xlmrxl.inspection.head_statistics import list_statistics
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.quantization.precision import PRECISIONS

TEXT = "The capital of <mask> is Paris."
SECOND = "狗在花园里睡觉。"


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def inspection(session: Session) -> Inspection:
    return session.inspect(TEXT, SECOND)


@pytest.fixture(scope="module")
def weights(inspection: Inspection) -> np.ndarray:
    """(layers, heads, tokens, tokens) of the model itself."""
    return np.stack([layer[0].numpy() for layer in outputs(inspection).attentions])


def outputs(inspection: Inspection):
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    with torch.inference_mode():
        return inspection.loaded_model.model(ids, output_attentions=True, output_hidden_states=True)


# What is read


@pytest.mark.parametrize("second", [None, SECOND])
def test_attention_and_states_are_the_models_own(session: Session, second: str | None):
    inspection = session.inspect(TEXT, second)
    expected = outputs(inspection)
    assert inspection.hidden_states.shape == (4, len(inspection.tokens), 20)
    for i, state in enumerate(expected.hidden_states):
        assert torch.equal(inspection.hidden_states[i], state[0])
        assert np.array_equal(inspection.hidden_state(i), state[0].numpy())
    for layer, attention in enumerate(expected.attentions):
        assert np.array_equal(inspection.layer_attention(layer), attention[0].numpy())
        for head in range(inspection.heads):
            assert np.array_equal(inspection.attention(layer, head), attention[0, head].numpy())


def test_nothing_of_the_size_of_all_weights_is_held(session: Session):
    inspection = session.inspect("How many people live in a small house near the bridge?")
    length = len(inspection.tokens)
    everything = inspection.layers * inspection.heads * length * length * 4
    parts = [
        inspection.hidden_states.nbytes,
        *(part.nbytes for part in vars(inspection).values() if hasattr(part, "nbytes")),
    ]
    assert max(parts) <= max(everything / inspection.heads, inspection.hidden_states.nbytes)
    before = inspection.nbytes
    inspection.attention(0, 0)
    assert inspection.nbytes == before + everything // inspection.layers


def test_a_recomputed_layer_is_the_same_as_before(inspection: Inspection):
    held = AttentionCache(inspection._compute_attention, 4, most=0)
    for layer in (0, 2, 1, 2, 2, 0):
        assert torch.equal(held.get(layer), torch.from_numpy(inspection.layer_attention(layer)))
        assert held.nbytes == 4  # one layer is always held
    computed = []
    held = AttentionCache(lambda layer: computed.append(layer) or torch.zeros(4), 16, most=32)
    for layer in (0, 1, 0, 2, 0, 1):
        held.get(layer)
    assert computed == [0, 1, 2, 1]
    assert held.nbytes == 32


@pytest.mark.parametrize("keep", ["fp16", "uint8"])
def test_kept_weights_are_as_near_as_they_say(session: Session, weights: np.ndarray, keep: str):
    inspection = session.inspect(TEXT, SECOND, keep=keep)
    found = np.stack([inspection.layer_attention(layer) for layer in range(inspection.layers)])
    if keep == "fp16":
        assert np.array_equal(found, weights.astype(np.float16).astype(np.float32))
    else:
        assert (np.abs(found - weights) <= weights.max(-1, keepdims=True) / 510 + 1e-7).all()
    assert not np.array_equal(found, weights)
    assert inspection._attention.nbytes == weights.size * (2 if keep == "fp16" else 1) + (
        0 if keep == "fp16" else weights[..., 0].size * 4
    )
    # Statistics are measured on the exact weights.
    for name in list_statistics("weights", "value_norms"):
        assert np.array_equal(inspection.statistic(name), session.inspect(TEXT, SECOND).statistic(name))


def test_a_row_of_nothing_can_be_kept():
    store = AttentionStore("uint8")
    store.add(torch.zeros(1, 2, 2))
    assert torch.equal(store.get(0), torch.zeros(1, 2, 2))


@pytest.mark.parametrize("kind", ["relative_key", "relative_key_query"])
def test_relative_positions(tiny_config, vocabulary_file, kind: str):
    inspection = random_session(tiny_config, vocabulary_file, position_embedding_type=kind).inspect(TEXT)
    expected = outputs(inspection)
    assert torch.equal(inspection.hidden_states[-1], expected.hidden_states[-1][0])
    assert np.array_equal(inspection.layer_attention(2), expected.attentions[2][0].numpy())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("native", [True, False])
def test_weights_of_16_bits(tiny_folder: Path, monkeypatch, precision: str, native: bool):
    monkeypatch.setattr("xlmrxl.quantization.upcast.has_native", lambda dtype: native)
    inspection = xlmrxl.load(tiny_folder, precision=precision).inspect(TEXT)
    expected = outputs(inspection)
    assert inspection.hidden_states.dtype == (PRECISIONS[precision].dtype if native else torch.float32)
    assert torch.equal(inspection.hidden_states[2], expected.hidden_states[2][0])
    assert np.array_equal(inspection.layer_attention(1), expected.attentions[1][0].float().numpy())
    assert inspection.hidden_state(1).dtype == np.float32


def test_what_cannot_be_inspected(tiny_config, vocabulary_file):
    with pytest.raises(ValueError, match="random is a decoder"):
        random_session(tiny_config, vocabulary_file, is_decoder=True).inspect(TEXT)
    pruned = random_session(tiny_config, vocabulary_file)
    pruned.model.base_model._prune_heads({1: [0, 3]})
    with pytest.raises(ValueError, match="heads of random were pruned"):
        pruned.inspect(TEXT)


def test_what_cannot_be_read(session: Session):
    for text, second in (("", None), (" ", None), ("</s>", None)):
        with pytest.raises(ValueError, match="The text is empty"):
            session.inspect(text, second)
    with pytest.raises(ValueError, match="The second text is empty"):
        session.inspect("a", "")
    with pytest.raises(TypeError, match="not a list"):
        session.inspect(["a"])
    with pytest.raises(ValueError, match="keep is 'all'; it must be one of recompute, fp16, uint8"):
        session.inspect("a", keep="all")
    half = "el perro duerme " * 4
    assert len(session.tokenizer(half)["input_ids"]) < 64
    with pytest.raises(ValueError, match=r"The pair has \d+ tokens, but the model reads at most 64"):
        session.inspect(half, half)


def test_progress_counts_layers_and_can_stop_the_work(session: Session, inspection: Inspection):
    seen: list[tuple[int, int]] = []
    session.inspect(TEXT, progress=lambda *told: seen.append(told))
    assert seen == [(1, 3), (2, 3), (3, 3)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    works = [
        lambda: session.inspect(TEXT, progress=stop),
        lambda: inspection.pair_attention(1, 2, progress=stop),
        lambda: inspection.rank_heads("norm", progress=stop),
        lambda: inspection.thumbnails(8, progress=stop),
        lambda: inspection.mean_attention([(0, 0)], progress=stop),
        lambda: inspection.max_attention([(0, 0)], progress=stop),
        lambda: inspection.head_importance(progress=stop),
        lambda: inspection.ablate([(0, 0)], progress=stop),
        lambda: inspection.logit_lens(progress=stop),
    ]
    fresh = session.inspect(TEXT)
    works[2] = lambda: fresh.rank_heads("norm", progress=stop)
    for work in works:
        with pytest.raises(KeyboardInterrupt):
            work()
    assert np.isfinite(fresh.statistic("norm")).all()


def test_threads(session: Session):
    texts = ["El perro duerme.", "The <mask> sleeps in the garden.", SECOND, TEXT] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(session.inspect, texts))
        same = list(pool.map(lambda i: found[i % 4].layer_attention(i % 3), range(48)))
    for i, attention in enumerate(same):
        assert np.array_equal(attention, outputs(found[i % 4]).attentions[i % 3][0].numpy())
    assert all(np.array_equal(found[i].statistic("entropy"), found[i % 4].statistic("entropy")) for i in range(16))


def test_how_it_shows_itself(inspection: Inspection):
    assert repr(inspection) == (
        f"Inspection('The capital of <mask> is Paris.' and a second text, {len(inspection.tokens)} tokens, "
        f"3 layers × 5 heads of {inspection.source.model!r} in fp32)"
    )
    assert inspection.source.settings == {"keep": "recompute"}


# Statistics


def moved(inspection: Inspection, layer: int) -> np.ndarray:
    """αᵢⱼ f(xⱼ) of every head and pair, (heads, tokens, tokens, hidden) in float64, from the weights alone."""
    module = inspection.loaded_model.model.base_model.encoder.layer[layer].attention
    norm, value, dense = module.self_attn_layer_norm, module.self.value, module.output.dense
    x = F.layer_norm(inspection.hidden_states[layer], (20,), norm.weight, norm.bias, 1e-5).detach().double().numpy()
    v = x @ value.weight.detach().double().numpy().T + value.bias.detach().double().numpy()
    w = dense.weight.detach().double().numpy()
    a = inspection.layer_attention(layer).astype(np.float64)
    length, size = len(x), 4
    vectors = np.zeros((5, length, length, 20))
    for head in range(5):
        for j in range(length):
            f = w[:, head * size : (head + 1) * size] @ v[j, head * size : (head + 1) * size]
            for i in range(length):
                vectors[head, i, j] = a[head, i, j] * f
    return vectors


def test_norm_weighted_attention_by_hand(tiny_config, vocabulary_file):
    inspection = random_session(tiny_config, vocabulary_file).inspect(TEXT)
    inner = [i for i, segment in enumerate(inspection.segments) if segment is not None]
    outer = [i for i, segment in enumerate(inspection.segments) if segment is None]
    for layer in range(3):
        vectors = moved(inspection, layer)
        # That these vectors are what the layer adds to the stream, its bias apart:
        module = inspection.loaded_model.model.base_model.encoder.layer[layer].attention
        with torch.inference_mode():
            added = module(inspection.hidden_states[layer][None])[0][0] - inspection.hidden_states[layer]
            added -= module.output.dense.bias
        assert np.allclose(vectors.sum((0, 2)), added.numpy(), atol=1e-4)
        for head in range(5):
            norms = np.linalg.norm(vectors[head], axis=-1)
            assert np.allclose(inspection.norm_attention(layer, head), norms, rtol=1e-4, atol=1e-5)
            total = norms[inner].sum(1).mean()
            assert inspection.statistic("norm")[layer, head] == pytest.approx(total, rel=1e-4)
            share = norms[inner][:, outer].sum() / norms[inner].sum()
            assert inspection.statistic("norm_special")[layer, head] == pytest.approx(share, rel=1e-4)


def test_a_head_that_gives_nothing_has_no_share_of_it(tiny_config, vocabulary_file):
    session = random_session(tiny_config, vocabulary_file)
    value = session.model.base_model.encoder.layer[1].attention.self.value
    with torch.no_grad():
        value.weight[8:12], value.bias[8:12] = 0, 0
    inspection = session.inspect(TEXT)
    assert inspection.statistic("norm")[1, 2] == 0
    assert np.argwhere(np.isnan(inspection.statistic("norm_special"))).tolist() == [[1, 2]]
    assert inspection.rank_heads("norm_special", None)[-1][:2] == (1, 2)
    assert inspection.norm_attention(1, 2).max() == 0


def test_thumbnails_by_hand(session: Session, inspection: Inspection, weights: np.ndarray):
    length = weights.shape[-1]
    assert length > 16
    for size in (16, 5, 3):
        found = inspection.thumbnails(size)
        assert found.shape == (3, 5, size, size)
        edges = [k * length // size for k in range(size + 1)]
        for i in range(size):
            for j in range(size):
                block = weights[:, :, edges[i] : edges[i + 1], edges[j] : edges[j + 1]]
                assert np.allclose(found[:, :, i, j], block.mean((2, 3)), atol=1e-6)
    assert np.allclose(inspection.thumbnails(length), weights, atol=1e-6)
    short = session.inspect("el perro")
    count = len(short.tokens)
    assert short.thumbnails().shape == (3, 5, count, count)
    assert np.allclose(short.thumbnails()[1, 2], short.attention(1, 2), atol=1e-6)
    assert make_thumbnails(torch.ones(2, 4, 4), 1).tolist() == [[[1.0]], [[1.0]]]
    with pytest.raises(ValueError, match="size is 0"):
        inspection.thumbnails(0)


def test_means_and_maxima(inspection: Inspection, weights: np.ndarray):
    length = weights.shape[-1]
    assert np.allclose(inspection.mean_attention(), weights.reshape(-1, length, length).mean(0), atol=1e-6)
    assert np.array_equal(inspection.max_attention(), weights.reshape(-1, length, length).max(0))
    chosen = [(2, 4), (0, 1), (2, 0)]
    some = np.stack([weights[layer, head] for layer, head in chosen])
    assert np.allclose(inspection.mean_attention(chosen), some.mean(0), atol=1e-6)
    assert np.allclose(inspection.mean_attention([*chosen, (0, 1)]), some.mean(0), atol=1e-6)
    assert np.array_equal(inspection.max_attention(chosen), some.max(0))
    for wrong in ([(3, 0)], [(0, 5)], [(-1, 0)]):
        with pytest.raises(ValueError, match="there are layers 0 to 2 and heads 0 to 4"):
            inspection.mean_attention(wrong)
    with pytest.raises(ValueError, match="No head is named"):
        inspection.max_attention([])


def test_which_heads_look_from_one_token_to_another(inspection: Inspection, weights: np.ndarray):
    assert np.array_equal(inspection.pair_attention(3, 7), weights[:, :, 3, 7])
    found = inspection.pair_attention([2, 3], [7, 8, 9])
    assert np.allclose(found, weights[:, :, [2, 3]][..., [7, 8, 9]].sum(-1).mean(-1), atol=1e-6)
    assert found.max() > found.min()
    ranked = inspection.rank_heads((3, 7), 4)
    best = sorted(
        ((layer, head, float(weights[layer, head, 3, 7])) for layer in range(3) for head in range(5)),
        key=lambda item: -item[2],
    )
    assert ranked == best[:4]
    assert inspection.rank_heads((3, 7), 2, lowest=True) == best[::-1][:2]
    everything = inspection.rank_heads("entropy", None)
    assert len(everything) == 15
    assert [value for _, _, value in everything] == sorted(inspection.statistic("entropy").flat, reverse=True)
    assert everything[0][2] == inspection.statistic("entropy")[everything[0][:2]]
    for query, key in ((99, 0), (-1, 0), (0, [1, 99])):
        with pytest.raises(ValueError, match="there are tokens 0 to"):
            inspection.pair_attention(query, key)
    with pytest.raises(ValueError, match="key names no token"):
        inspection.pair_attention(0, [])


@pytest.mark.parametrize("mass", [0.01, 0.5, 0.7, 0.999, 1.0])
def test_edges_are_the_fewest_that_reach_the_mass(inspection: Inspection, weights: np.ndarray, mass: float):
    found = inspection.strongest_pairs(1, 2, mass)
    matrix = weights[1, 2]
    assert [query for query, _, _ in found] == sorted(query for query, _, _ in found)
    for query, row in enumerate(matrix):
        edges = [(key, weight) for q, key, weight in found if q == query]
        assert all(row[key] == weight for key, weight in edges)
        got = [weight for _, weight in edges]
        assert got == sorted(map(float, row), reverse=True)[: len(got)]
        assert sum(got) >= mass - 1e-5
        assert sum(got[:-1]) < mass
        assert len({key for key, _ in edges}) == len(edges)


def test_edges_of_ties_and_of_rows_that_are_no_distribution():
    assert find_strongest_pairs(np.full((1, 4), 0.25, np.float32), 0.5) == [(0, 0, 0.25), (0, 1, 0.25)]
    assert find_strongest_pairs(np.array([[0.0, 0.2, 0.0]], np.float32), 1.0) == [(0, 1, pytest.approx(0.2))]


@pytest.mark.parametrize("mass", [0, -1, 1.1, float("nan")])
def test_edges_of_no_mass(inspection: Inspection, mass: float):
    with pytest.raises(ValueError, match="mass is"):
        inspection.strongest_pairs(0, 0, mass)


def test_rollout_by_hand(inspection: Inspection, weights: np.ndarray):
    length = weights.shape[-1]
    for up_to in (0, 1, 2, None):
        expected = [[float(i == j) for j in range(length)] for i in range(length)]
        for layer in range((2 if up_to is None else up_to) + 1):
            mean = weights[layer].astype(np.float64).mean(0)
            mixed = [[(mean[i, j] + (i == j)) / 2 for j in range(length)] for i in range(length)]
            expected = [
                [sum(mixed[i][k] * expected[k][j] for k in range(length)) for j in range(length)] for i in range(length)
            ]
        assert np.allclose(inspection.rollout(up_to), expected, atol=1e-6)
    assert np.allclose(inspection.rollout().sum(1), 1, atol=1e-6)
    # A model that looks only to the left mixes only what is to the left.
    causal = np.tril(np.ones((2, 4, 4), np.float32)) / np.arange(1, 5, dtype=np.float32)[:, None]
    assert np.array_equal(np.triu(compute_rollout(causal), 1), np.zeros((4, 4)))
    with pytest.raises(ValueError, match="There is no layer 3"):
        inspection.rollout(3)


def test_states_that_there_are_not(inspection: Inspection):
    for i in (-1, 4):
        with pytest.raises(ValueError, match=r"There is no state .*; there are 0 \(the embeddings\) to 3"):
            inspection.hidden_state(i)
    with pytest.raises(ValueError, match="There is no layer 3 with a head 0"):
        inspection.layer_attention(3)
    with pytest.raises(ValueError, match="There is no layer 0 with a head 5"):
        inspection.attention(0, 5)


# Quantised and spread models


@pytest.mark.parametrize("precision", ["8bit", "4bit"])
def test_quantised_weights(tiny_config, vocabulary_file, tmp_path: Path, precision: str):
    need_bitsandbytes()
    model = random_session(tiny_config, vocabulary_file, hidden_size=128, num_attention_heads=4, intermediate_size=64)
    model.model.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    session = xlmrxl.load(tmp_path, precision=precision)
    inspection = session.inspect(TEXT)
    expected = outputs(inspection)
    assert torch.equal(inspection.hidden_states[-1], expected.hidden_states[-1][0])
    assert np.array_equal(inspection.layer_attention(2), expected.attentions[2][0].float().numpy())
    # The weights restored by bitsandbytes, on the values that the layer itself computes.
    attention = session.model.base_model.encoder.layer[1].attention
    dense = attention.output.dense
    if precision == "8bit":
        weight = dense.weight.float() * (dense.SCB[:, None] / 127)
    else:
        import bitsandbytes.functional

        weight = bitsandbytes.functional.dequantize_4bit(dense.weight, dense.state).float()
    with torch.inference_mode():
        value = attention.self.value(attention.self_attn_layer_norm(inspection.hidden_states[1][None]))[0].float()
    for head in range(4):
        part = slice(32 * head, 32 * head + 32)
        norms = (value[:, part] @ weight[:, part].T).norm(dim=-1)
        found = inspection.norm_attention(1, head)
        assert np.allclose(found, inspection.attention(1, head) * norms.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("offloaded", [False, True])
def test_a_device_map_changes_no_number(session: Session, tiny_folder: Path, tmp_path: Path, offloaded: bool):
    accelerate = pytest.importorskip("accelerate")
    expected = session.inspect(TEXT)
    spread = xlmrxl.load(tiny_folder)
    if offloaded:
        accelerate.disk_offload(spread.model, str(tmp_path), execution_device="cpu", offload_buffers=True)
        assert spread.model.base_model.encoder.layer[1].attention.output.dense.weight.is_meta
    else:
        spread = xlmrxl.load(tiny_folder, device_map={"": "cpu"})
    inspection = spread.inspect(TEXT)
    assert torch.equal(inspection.hidden_states, expected.hidden_states)
    assert np.array_equal(inspection.layer_attention(1), expected.layer_attention(1))
    assert np.allclose(inspection.statistic("norm"), expected.statistic("norm"), rtol=1e-5)
    assert np.allclose(inspection.head_importance().importance, expected.head_importance().importance, atol=1e-6)
    assert inspection.logit_lens().cells[1][0].fills[0].text == expected.logit_lens().cells[1][0].fills[0].text
