"""Mask filling against the obvious computation: the whole model on one text, softmax over everything, sorted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import xlmrxl
from xlmrxl import Session

TEXTS = [
    "The capital of <mask> is Paris.",
    "Der <mask> schläft im <mask>, und die Katze sitzt auf dem Dach.",
    "<mask>",
    "القطة <mask> على السطح والكلب في الحديقة.",
    "狗在花园里<mask>，猫坐在屋顶上。",
]


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


def obvious(session: Session, text: str) -> list[list[tuple[int, float]]]:
    ids = session.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        probabilities = session.model(ids).logits[0].double().softmax(-1)
    special = set(session.tokenizer.all_special_ids)
    found = []
    for place in (ids[0] == session.tokenizer.mask_token_id).nonzero().flatten():
        row = [(p.item(), i) for i, p in enumerate(probabilities[place])]
        allowed = [(i, p) for p, i in sorted(row, reverse=True) if i not in special and i < len(session.tokenizer)]
        found.append(allowed[:5])
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_fills_are_the_most_probable_tokens(session: Session, text: str):
    result = session.fill_mask(text)
    expected = obvious(session, text)
    assert len(result.masks) == text.count("<mask>")
    for mask, row in zip(result.masks, expected, strict=True):
        assert [fill.id for fill in mask.fills] == [i for i, _ in row]
        assert [fill.probability for fill in mask.fills] == pytest.approx([p for _, p in row], rel=1e-4)
        assert result.tokens[mask.position].piece == "<mask>"


def test_a_list_gives_the_same_as_one_by_one_in_order(session: Session):
    together = session.fill_mask(TEXTS * 3, top_k=3)
    for text, result in zip(TEXTS * 3, together, strict=True):
        alone = session.fill_mask(text, top_k=3)
        assert result.text == text
        for a, b in zip(alone.masks, result.masks, strict=True):
            assert [fill.id for fill in a.fills] == [fill.id for fill in b.fills]
            assert [fill.probability for fill in a.fills] == pytest.approx([f.probability for f in b.fills], rel=1e-4)
    assert session.fill_mask([]) == []


def test_rows_without_a_token_and_special_tokens_are_never_offered(session: Session):
    bias = session.model.lm_head.bias
    before = bias.detach().clone()
    with torch.no_grad():
        bias[-5:] = bias[:4] = 1000.0
    try:
        result = session.fill_mask(TEXTS[0], top_k=20)
    finally:
        with torch.no_grad():
            bias.copy_(before)
    tokenizer = session.tokenizer
    assert all(fill.id < len(tokenizer) and fill.id not in tokenizer.all_special_ids for fill in result.masks[0].fills)
    # They keep their share, so that what is left is honest.
    assert sum(fill.probability for fill in result.masks[0].fills) < 1e-6


def test_tokens_slice_the_text(session: Session):
    text = "Der <mask> schläft im  Garten."
    tokens = session.fill_mask(text).tokens
    assert [t.piece for t in tokens if t.special] == ["<s>", "<mask>", "</s>"]
    mask = next(t for t in tokens if t.piece == "<mask>")
    assert text[mask.start : mask.end] == "<mask>"
    assert all(text[t.start : t.end] == t.piece.replace("▁", "") for t in tokens if not t.special)


def test_what_a_result_prints(session: Session):
    result = session.fill_mask(TEXTS[1], top_k=2)
    values = json.loads(result.to_json())
    assert values == {
        "text": TEXTS[1],
        "masks": [
            {"fills": [{"text": fill.text, "probability": fill.probability} for fill in mask.fills]}
            for mask in result.masks
        ],
        "source": {
            "model": session.name,
            "revision": None,
            "precision": "fp32",
            "version": xlmrxl.__version__,
            "settings": {"top_k": 2},
        },
    }
    assert "\n" not in result.to_json()
    printed = str(result)
    assert printed.startswith(TEXTS[1])
    assert all(fill.text in printed for mask in result.masks for fill in mask.fills)
    assert (result.source.model, result.source.precision) == (session.name, "fp32")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "There is no <mask>"),
        ("The capital of France is Paris.", "There is no <mask>"),
        ("<mask>" + " Paris" * 200, "at most 64"),
        ("<mask> \ud800", "surrogate"),
    ],
)
def test_wrong_texts_get_a_sentence(session: Session, text: str, words: str):
    with pytest.raises(ValueError, match=words):
        session.fill_mask(text)
    with pytest.raises(ValueError, match=words):
        session.fill_mask([TEXTS[0], text])


@pytest.mark.parametrize("top_k", [0, -1, 10_000])
def test_wrong_counts_get_a_sentence(session: Session, top_k: int):
    with pytest.raises(ValueError, match=f"top_k is {top_k}; it must be between 1 and"):
        session.fill_mask(TEXTS[0], top_k=top_k)


def test_what_is_no_text_gets_a_sentence(session: Session):
    with pytest.raises(TypeError, match="not a int"):
        session.fill_mask([TEXTS[0], 7])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        session.fill_mask(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_precisions(tiny_folder: Path, session: Session, precision: str):
    loaded = xlmrxl.load(tiny_folder, precision=precision, device="cpu")
    assert loaded.precision == precision
    linear = loaded.model.roberta.encoder.layer[0].output.dense.weight
    assert linear.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    ours = {fill.id: fill.probability for fill in loaded.fill_mask(TEXTS[0], top_k=100).masks[0].fills}
    theirs = session.fill_mask(TEXTS[0], top_k=3).masks[0].fills
    assert [ours[fill.id] for fill in theirs] == pytest.approx([fill.probability for fill in theirs], rel=0.2)


def test_a_large_model_keeps_its_own_type(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    xlmrxl.XLMRobertaXLForMaskedLM.from_pretrained(tiny_folder).bfloat16().save_pretrained(tmp_path)
    xlmrxl.AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(tmp_path)
    assert xlmrxl.load(tmp_path, device="cpu").precision == "fp32"
    monkeypatch.setattr("xlmrxl.session.SMALL", 1000)
    assert xlmrxl.load(tmp_path, device="cpu").precision == "bf16"


def test_wrong_options_get_a_sentence(tiny_folder: Path):
    with pytest.raises(ValueError, match="precision is '3bit'"):
        xlmrxl.load(tiny_folder, precision="3bit")
    with pytest.raises(ValueError, match="device is 'warp'"):
        xlmrxl.load(tiny_folder, device="warp")
    with pytest.raises(ValueError, match="not available here"):
        xlmrxl.load(tiny_folder, device="cuda:99")


def test_the_session_says_what_it_is(session: Session, tiny_folder: Path):
    assert str(tiny_folder) in repr(session)
    assert "fp32 on cpu" in repr(session)
