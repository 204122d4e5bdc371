"""The evaluation of the default: masks, baselines and probes, on tiny models and sets made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from sentences import SENTENCES

from training import baselines, corpus, evaluate, masked, probes
from training.corpus import BOS, EOS
from xlmrxl import XLMRobertaXLConfig, XLMRobertaXLForMaskedLM

MASK, SIZE = 99, 100
HIDE = -100


@pytest.fixture(scope="module")
def model(tiny_config: XLMRobertaXLConfig, vocabulary_file: Path) -> XLMRobertaXLForMaskedLM:
    size = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file)).get_piece_size() + 2
    torch.manual_seed(0)
    return XLMRobertaXLForMaskedLM(XLMRobertaXLConfig(**{**tiny_config.to_dict(), "vocab_size": size})).eval()


@pytest.fixture(scope="module")
def reader(model: XLMRobertaXLForMaskedLM, vocabulary_file: Path) -> probes.FrozenModel:
    return probes.FrozenModel(model, masked.SubwordEncoder.for_model(model, vocabulary_file), torch.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four sets in the layouts of their authors."""
    folder = tmp_path_factory.mktemp("eval")

    def write(name: str, text: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    write("heldout/wesnoth/en.txt", "\n".join(SENTENCES[:2]) + "\n")
    write("heldout/piper_prompts/en.txt", SENTENCES[0] + "\n")
    write("heldout/wesnoth/de.txt", SENTENCES[2] + "\n")
    rows = "index_id\tcategory\ttext\n"
    for number, sentence in enumerate(SENTENCES * 4):
        rows += f'{number}\t{"science" if number % 2 else "travel"}\tA "quote: {sentence}\n'
    for language in ("eng_Latn", "deu_Latn"):
        for split in ("train", "dev", "test"):
            write(f"sib200/{language}/{split}.tsv", rows)
    question = {"premise": SENTENCES[0], "choice1": SENTENCES[1], "choice2": SENTENCES[2], "question": "cause"}
    write("xcopa/et/test.et.jsonl", "".join(json.dumps({**question, "label": i}) + "\n" for i in (0, 1)))
    write("tatoeba/tatoeba.deu-eng.deu", "\n".join(SENTENCES) + "\n")
    write("tatoeba/tatoeba.deu-eng.eng", "\n".join(SENTENCES) + "\n")
    return folder


def test_a_gap_knows_its_neighbours_and_nothing_beyond_a_hidden_one() -> None:
    row = [BOS, 10, MASK, 11, MASK, MASK, 12, EOS]
    labels = [HIDE, HIDE, 50, HIDE, 51, 52, HIDE, HIDE]
    none = baselines.NONE
    assert baselines.find_gaps([row], [labels], MASK) == [
        baselines.Gap((10, EOS), (11, none), 50),
        baselines.Gap((11, none), (none, none), 51),
        baselines.Gap((none, none), (12, EOS), 52),
    ]


def test_ngrams_use_both_sides_and_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    # 20 is followed by 30 or 31 alike; what comes after says which.
    lines = [[20, 30, 40], [20, 31, 41]] * 50 + rng.integers(50, 90, (50, 6)).tolist()
    tokens = np.array([token for line in lines for token in [*line, EOS]])
    model = baselines.NGrams(tokens, SIZE)
    gap = baselines.Gap((20, EOS), (41, EOS), 31)
    distribution = model.fill(gap)
    assert distribution.sum() == pytest.approx(1)
    assert distribution.argmax() == 31
    assert distribution[31] > 0.9
    blind = model.fill(baselines.Gap((baselines.NONE,) * 2, (baselines.NONE,) * 2, 31))
    np.testing.assert_allclose(blind, model.unigram)
    one_side = model.fill(baselines.Gap((20, EOS), (baselines.NONE,) * 2, 31))
    assert one_side[30] == pytest.approx(one_side[31], rel=0.05)
    assert one_side[30] > model.unigram[30]


def test_the_mixture_is_tuned_towards_what_fills_best() -> None:
    tokens = np.array([token for _ in range(50) for token in [20, 30, 40, EOS, 20, 31, 41, EOS]])
    model = baselines.NGrams(tokens, SIZE)
    before = model.weights.copy()
    # The left side alone cannot tell 30 from 31.
    model.tune([baselines.Gap((20, EOS), (40, EOS), 30), baselines.Gap((20, EOS), (41, EOS), 31)])
    assert model.weights.sum() == pytest.approx(1)
    assert model.weights[0] < before[0]


def test_masked_tokens_beside_the_baselines(
    model: XLMRobertaXLForMaskedLM, vocabulary_file: Path, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "corpus" / "packages" / "wesnoth" / "en.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(SENTENCES[:2] * 500) + "\n", encoding="utf-8")
    corpus.encode(tmp_path / "corpus", vocabulary_file, tmp_path / "encoded")
    text = corpus.EncodedCorpus(tmp_path / "encoded")
    figures = masked.evaluate_masked(model, vocabulary_file, data / "heldout", 0, text)
    assert set(figures.languages) == {"de", "en"}
    assert set(figures.sources) == {"piper_prompts", "wesnoth"}
    english, german = figures.languages["en"], figures.languages["de"]
    assert german.ngrams is None  # there is no German to count
    assert english.ngrams is not None
    assert english.frequent is not None
    # The held-out lines were counted here, so that n-grams know them by heart; the model is random.
    assert english.ngrams.top1 > 0.9 > english.model.top1
    assert english.ngrams.perplexity < english.frequent.perplexity
    assert sum(each.model.masks for each in figures.sources.values()) == english.model.masks + german.model.masks
    assert figures.sources["wesnoth"].ngrams is None  # some of its masks are German
    prompts = figures.sources["piper_prompts"]
    assert prompts.ngrams is not None
    assert prompts.ngrams.masks == prompts.model.masks
    assert figures.mean.loss == pytest.approx((english.model.loss + german.model.loss) / 2)


def test_long_rows_are_scored_by_place(
    model: XLMRobertaXLForMaskedLM, vocabulary_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wesnoth").mkdir()
    (tmp_path / "wesnoth" / "en.txt").write_text("\n".join(SENTENCES * 20), encoding="utf-8")
    (tmp_path / "wesnoth" / "de.txt").write_text(SENTENCES[0], encoding="utf-8")  # too little for a row
    room = model.config.max_position_embeddings - corpus.PAD - 3
    monkeypatch.setattr(masked, "PLACES", ())
    ((name, whole),) = masked.score_by_place(model, vocabulary_file, tmp_path, 0).items()
    assert name == f"1–{room}"
    monkeypatch.setattr(masked, "PLACES", (20, 40))
    bands = masked.score_by_place(model, vocabulary_file, tmp_path, 0)
    assert list(bands) == ["1–20", "21–40", f"41–{room}"]
    assert sum(score.masks for score in bands.values()) == whole.masks
    assert sum(score.masks * score.loss for score in bands.values()) == pytest.approx(whole.masks * whole.loss)
    # 15 % of each row, ends of lines excepted.
    tokens = sum(len(ids) + 1 for ids in masked.SubwordEncoder(vocabulary_file).encode(SENTENCES * 20))
    asked = tokens // room * round(0.15 * room)
    assert 0.8 * asked < whole.masks < asked


def test_fills_are_scored_as_by_the_models_own_loss(model: XLMRobertaXLForMaskedLM, vocabulary_file: Path) -> None:
    rows = masked.SubwordEncoder(vocabulary_file).encode_rows(SENTENCES)
    inputs, labels = masked.mask_rows(rows, model.config.vocab_size - 1, seed=3)
    ranks, losses = masked.fill_masks(model, inputs, labels)
    at = 0
    for row, wanted in zip(inputs, labels, strict=True):
        count = sum(label != HIDE for label in wanted)
        with torch.no_grad():
            out = model(torch.tensor([row]), labels=torch.tensor([wanted]))
        assert losses[at : at + count].mean() == pytest.approx(out.loss.item(), rel=1e-4)
        for place, rank in zip(np.flatnonzero(np.array(wanted) != HIDE), ranks[at : at + count], strict=True):
            order = out.logits[0, place].argsort(descending=True).tolist()
            assert order.index(wanted[place]) == rank
        at += count


def test_features_are_means_of_the_inner_tokens(reader: probes.FrozenModel) -> None:
    features = reader.compute_features(SENTENCES)
    ids = torch.tensor([reader.pieces.encode_rows(SENTENCES)[1]])
    with torch.no_grad():
        states = reader.model.roberta(ids, output_hidden_states=True).hidden_states
    expected = torch.stack([layer[0, 1:-1].mean(0) for layer in states])
    torch.testing.assert_close(features[1], expected, atol=1e-5, rtol=1e-4)
    for last in range(features.shape[1]):
        torch.testing.assert_close(reader.compute_features(SENTENCES, last), features[:, : last + 1])


def test_pseudo_likelihood_scores_the_text_and_not_its_context(reader: probes.FrozenModel) -> None:
    context, text = SENTENCES[0][:12], SENTENCES[1][:16]
    after, before = reader.compute_pseudo_likelihood([context] * 2, [text] * 2, [True, False]).tolist()
    first, second = reader.pieces.encode([context, text])
    for place_of_text, score in ((1 + len(first), after), (1, before)):
        row = [BOS, *(first + second if place_of_text > 1 else second + first), EOS]
        total = 0.0
        for place in range(place_of_text, place_of_text + len(second)):
            ids = torch.tensor([row])
            ids[0, place] = reader.mask_id
            with torch.no_grad():
                total += reader.model(ids).logits[0, place].log_softmax(-1)[row[place]].item()
        assert score == pytest.approx(total / len(second), rel=1e-4)


def test_a_linear_head_learns_what_is_linear() -> None:
    torch.manual_seed(0)
    features = torch.randn(200, 8) * torch.tensor([1.0, 100.0] * 4)
    labels = (features / features.std(0) @ torch.randn(8, 3)).argmax(-1)
    head = probes.LinearHead(features, labels, 3, 1e-4)
    assert head.accuracy(features, labels) > 0.9
    assert head.accuracy(features, labels.roll(1)) < 0.7


def test_the_report_has_every_part(
    model: XLMRobertaXLForMaskedLM, vocabulary_file: Path, data: Path, reader: probes.FrozenModel
) -> None:
    report = evaluate.make_report(model, vocabulary_file, data, None, 0)
    assert report.topics is not None
    assert report.retrieval is not None
    assert report.choices == {"et": 0.5}  # the same two choices, each right once
    assert set(report.topics.languages) == {"deu_Latn", "eng_Latn"}
    assert report.topics.languages["eng_Latn"].majority == 0.5
    assert set(report.retrieval["deu"].by_layer) == {1.0}  # both sides are the same
    assert report.retrieval["deu"].chance == 1 / len(SENTENCES)
    text = report.to_markdown()
    assert all(title in text for title in ("Masked tokens", "SIB-200", "XCOPA", "Tatoeba", "everyday sentences"))
    figures = json.loads(report.to_json())
    assert set(figures) == set(evaluate.PARTS) - {"own"}
    assert "XCOPA" not in evaluate.make_report(model, vocabulary_file, data, None, 0, ("masked",)).to_markdown()


def test_the_page_has_sixty_sentences_with_one_mask_each() -> None:
    page = evaluate.read_page()
    assert len(page) == 60
    assert len({sentence.language for sentence in page}) == 12
    assert all(sentence.text.count("<mask>") == 1 for sentence in page)
