"""Mask filling against the obvious computation: the whole model on one text, softmax over everything, sorted."""

from __future__ import annotations

import contextlib
import copy
import csv
import dataclasses
import io
import json
import math
import unicodedata
from pathlib import Path

import pytest
import torch

import xlmrxl
from xlmrxl import Session
from xlmrxl.rendering.formats import format_percent
from xlmrxl.tasks.fill_results import Fill
from xlmrxl.tasks.masked_lm import classify_character, group_by_length, spell_word, spell_words
from xlmrxl.tasks.subwords import to_readable

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


def ids_of(session: Session, text: str) -> list[int]:
    """The tokenizer's ids, without the lone space that it puts between a mask and a sign that touches it."""
    ids, mask = session.tokenizer(text)["input_ids"], session.tokenizer.mask_token_id
    lone = session.tokenizer.convert_tokens_to_ids("▁")
    touching = [after[:1] not in ("", " ") for after in text.split("<mask>")[1:]]
    places = [i for i, token in enumerate(ids) if token == mask]
    dropped = {i + 1 for i, touches in zip(places, touching, strict=True) if touches and ids[i + 1] == lone}
    return [token for i, token in enumerate(ids) if i not in dropped]


def obvious(session: Session, text: str) -> list[list[tuple[int, float]]]:
    ids = torch.tensor([ids_of(session, text)])
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
            {
                "fills": [
                    {"text": fill.text, "begins_word": fill.piece[0] == "▁", "probability": fill.probability}
                    for fill in mask.fills
                ]
            }
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
    with pytest.raises(ValueError, match=f"top_k is {top_k}; it must be "):
        session.fill_mask(TEXTS[0], top_k=top_k)


def test_what_is_no_text_gets_a_sentence(session: Session):
    with pytest.raises(TypeError, match=r"texts\[1\] is 7, a int"):
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
    monkeypatch.setattr("xlmrxl.plan.SMALL", 1000)
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


def chain(session: Session, before: list[int], ids: list[int], after: list[int]) -> float:
    """log P of some pieces from the left, the later ones masked: one forward a piece, in float64."""
    mask = session.tokenizer.mask_token_id
    total = 0.0
    for done in range(len(ids)):
        row = before + ids[:done] + [mask] * (len(ids) - done) + after
        with torch.no_grad():
            logits = session.model(torch.tensor([row])).logits[0, len(before) + done].double()
        total += logits.log_softmax(-1)[ids[done]].item()
    return total


def test_entropy_and_what_the_fills_cover(session: Session):
    result = session.fill_mask(TEXTS[0], top_k=7)
    ids = session.tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        p = session.model(ids).logits[0, result.masks[0].position].double().softmax(-1)
    assert result.masks[0].entropy == pytest.approx(-(p * p.log()).sum().item(), rel=1e-4)
    assert result.masks[0].covered == pytest.approx(sum(fill.probability for fill in result.masks[0].fills))


def test_joint_filling_finds_what_an_enumeration_finds(session: Session):
    """Over both orders and all pairs of tokens, each pair worth what its better order gives."""
    text = "Der <mask> schläft im <mask>."
    ids = ids_of(session, text)
    first, second = (place for place, i in enumerate(ids) if i == session.tokenizer.mask_token_id)
    size, barred = session.model.config.vocab_size, set(session.tokenizer.all_special_ids)
    fine = [i for i in range(session.tokenizer.vocab_size) if i not in barred]
    best: dict[tuple[int, int], float] = {}
    with torch.no_grad():
        start = session.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        for a, b in ((first, second), (second, first)):
            rows = torch.tensor([ids] * size)
            rows[:, a] = torch.arange(size)
            then = session.model(rows).logits[:, b].double().log_softmax(-1)
            total = start[a][:, None] + then
            for i in fine:
                for j in fine:
                    pair = (i, j) if a == first else (j, i)
                    best[pair] = max(best.get(pair, -1e9), total[i, j].item())
    expected = sorted(best.items(), key=lambda item: -item[1])[:5]
    result = session.fill_mask(text, method="joint", num_beams=size)
    assert [tuple(fill.id for fill in way.fills) for way in result.joint] == [pair for pair, _ in expected]
    assert [way.score for way in result.joint] == pytest.approx([score for _, score in expected], rel=1e-4)
    for way in result.joint:
        assert sorted(way.order) == [0, 1]
    assert result.masks == session.fill_mask(text).masks
    assert result.source.settings["method"] == "joint"
    narrow = session.fill_mask(text, method="joint", num_beams=1, top_k=1)
    assert narrow.joint[0].score <= result.joint[0].score + 1e-5


def test_targets_of_any_length(session: Session):
    text, words = "The <mask> of Spain is old.", ["D", "capital", "Paris", "bridge house", "old"]
    ids = session.tokenizer(text)["input_ids"]
    place = ids.index(session.tokenizer.mask_token_id)
    with torch.no_grad():
        logs = session.model(torch.tensor([ids])).logits[0, place].double().log_softmax(-1)
    fills = session.fill_mask(text, targets=words).masks[0].fills
    assert {fill.text for fill in fills} == set(words)
    assert [f.probability for f in fills] == sorted((f.probability for f in fills), reverse=True)
    for fill in fills:
        pieces = session.tokenizer(fill.text, add_special_tokens=False)["input_ids"]
        log = chain(session, ids[:place], pieces, ids[place + 1 :])
        assert fill.ids == tuple(pieces)
        assert fill.probability == pytest.approx(math.exp(log), rel=1e-3)
        assert fill.log_odds == pytest.approx(log - math.log1p(-math.exp(log)), rel=1e-3)
        assert fill.rank == (1 + int((logs > logs[pieces[0]]).sum()) if len(pieces) == 1 else None)
    assert 1 in {len(fill.ids) for fill in fills}
    assert len({len(fill.ids) for fill in fills}) > 1


def test_words_of_one_piece_share_one_forward_of_all_masks(session: Session, monkeypatch: pytest.MonkeyPatch):
    """As many as one likes, and each has what it has alone; those of several pieces share what they begin with."""
    read: list[tuple[int, int]] = []
    forward = session.model.forward

    def counting(ids, *args, **kwargs):
        read.append(tuple(ids.shape))
        return forward(ids, *args, **kwargs)

    tokenizer = session.tokenizer
    pieces = tokenizer.convert_ids_to_tokens(list(range(5, tokenizer.vocab_size - 1)))
    words = [p[1:] for p in pieces if p[0] == "▁" and p[1:] and tokenizer.tokenize(p[1:]) == [p]]
    assert len(words) > 8
    text = "The <mask> of Spain (<mask>) is old."
    alone = {word: session.fill_mask(text, targets=[word]) for word in words[:5]}
    monkeypatch.setattr(session.model, "forward", counting)
    result = session.fill_mask(text, targets=words)
    rows = sum(count for count, _ in read)
    spelled = {fill.ids for mask in result.masks for fill in mask.fills}
    assert rows <= 1 + sum(len(ids) for ids in spelled if len(ids) > 1)
    for number, mask in enumerate(result.masks):
        found = {fill.text: fill for fill in mask.fills}
        for word, other in alone.items():
            (expected,) = other.masks[number].fills
            assert (found[word].ids, found[word].piece) == (expected.ids, expected.piece)
            assert found[word].probability == pytest.approx(expected.probability, rel=1e-4)
            assert found[word].rank == expected.rank
    read.clear()
    session.fill_mask([text.replace("(<mask>)", "<mask>")], targets=words)
    assert read == [(1, 22)]


def test_one_target_is_one_word(session: Session):
    text = "The <mask> of Spain is old."
    one, listed = (session.fill_mask(text, targets=targets) for targets in ("Paris", ["Paris"]))
    assert one == listed
    assert [fill.text for fill in one.masks[0].fills] == ["Paris"]


def test_many_words_are_spelled_as_each_is(session: Session):
    """Also where one is written otherwise, holds a token that was added, or stands for several pieces."""
    tokenizer = copy.deepcopy(session.tokenizer)
    words = ["Paris", "Ｐaris", "the", "bridge house", "old", "o", "oo", "oooo", "狗", "<mask", "a\nb"]
    words = [word for word in words if tokenizer.unk_token_id not in tokenizer(word)["input_ids"]]
    assert len(words) > 7
    for before in ("", "("):
        assert spell_words(tokenizer, before, words) == [spell_word(tokenizer, before, word) for word in words]
    tokenizer.add_tokens(["Paris", "ld"])  # normalised, and a part of a word
    tokenizer.add_tokens(["house"], special_tokens=True)
    for special in (False, True):
        found = []
        for word in words:
            with contextlib.suppress(ValueError):
                found.append((word, spell_word(tokenizer, "", word, special)))
        assert len(found) >= len(words) - 1
        assert spell_words(tokenizer, "", [word for word, _ in found], special) == [ids for _, ids in found]


def test_fills_say_whether_they_begin_a_word(session: Session):
    """In Python, JSON, CSV and print; two pieces that read alike are told apart."""
    tokenizer = session.tokenizer
    twins = [
        (i, j)
        for i, piece in enumerate(tokenizer.convert_ids_to_tokens(list(range(5, tokenizer.vocab_size - 1))), 5)
        if piece[0] == "▁" and (j := tokenizer.convert_tokens_to_ids(piece[1:])) != tokenizer.unk_token_id
    ]
    assert len(twins) > 5
    result = session.fill_mask("The <mask> is old.", top_k=tokenizer.vocab_size - 5)
    fills = {fill.id: fill for fill in result.masks[0].fills}
    printed = str(result).splitlines()[1:]
    rows = {int(fill.id): row for fill, row in zip(result.masks[0].fills, result.rows(), strict=True)}
    for begins, goes_on in twins:
        first, second = fills[begins], fills[goes_on]
        assert first.text == second.text
        assert (first.begins_word, second.begins_word) == (True, False)
        assert (first.content()["begins_word"], second.content()["begins_word"]) == (True, False)
        assert (rows[begins]["begins_word"], rows[goes_on]["begins_word"]) == (True, False)
        assert first.label != second.label
    assert len({fill.label for fill in fills.values()}) == len(fills)
    assert all(line.endswith(f"  {fill.label}") for line, fill in zip(printed, fills.values(), strict=True))
    assert "begins_word" in result.to_csv().splitlines()[0]
    joint = session.fill_mask("The <mask> is <mask>.", method="joint", top_k=3)
    for way, row, json_way in zip(joint.joint, joint.rows(), joint.content()["joint"], strict=True):
        begins = [fill.piece[0] == "▁" for fill in way.fills]
        assert [row["mask 1 begins_word"], row["mask 2 begins_word"]] == json_way["begins_word"] == begins
        assert " | ".join(fill.label for fill in way.fills) in str(joint)


@pytest.mark.parametrize(
    ("piece", "label"),
    [
        ("▁ear", "ear"),
        ("ear", "…ear"),
        ("ا", "…ا"),
        ("▁ا", "ا"),
        ("3", "…3"),
        (".", "."),
        ("▁.", "▁."),
        ("狗", "狗"),
        ("▁狗", "▁狗"),
        ("\u094d", "…◌\u094d"),
        ("▁", "▁"),
    ],
)
def test_what_is_unusual_is_marked(piece: str, label: str):
    """Letters that go on, and signs or characters of scripts without spaces that have one before them."""
    assert Fill(7, piece, to_readable(piece), 0.5).label == label


def test_no_piece_reads_like_a_mark():
    """Normalisation leaves no … in any vocabulary of the family, so that none can be taken for the mark."""
    tokenizer = xlmrxl.AutoTokenizer.from_pretrained("default")
    assert not any("…" in piece for piece in tokenizer.get_vocab())
    assert tokenizer.tokenize("…") == tokenizer.tokenize("...")


def test_an_added_token_begins_a_word_where_a_space_is_before_it(session: Session):
    other = dataclasses.replace(session, tokenizer=copy.deepcopy(session.tokenizer))
    other.tokenizer.add_tokens(["[NEW]"])
    (new,) = other.tokenizer.get_added_vocab().values()
    for text, begins in (("The <mask>", True), ("The (<mask>)", False)):
        fills = other.fill_mask(text, top_k=len(other.tokenizer) - 5).masks[0].fills
        assert [fill.begins_word for fill in fills if fill.id == new] == [begins]


def test_rows_of_targets_have_the_same_columns(session: Session):
    """Whichever comes first: those of several pieces have no rank."""
    found = session.fill_mask("The <mask> is old.", targets=["D", "old", "bridge house"])
    fills = found.masks[0].fills
    assert len({len(fill.ids) > 1 for fill in fills}) == 2
    for ordered in (fills, fills[::-1]):
        result = dataclasses.replace(found, masks=(dataclasses.replace(found.masks[0], fills=ordered),))
        rows = list(csv.DictReader(io.StringIO(result.to_csv())))
        assert [row["rank"] for row in rows] == ["" if fill.rank is None else str(fill.rank) for fill in ordered]


def test_whole_words_against_every_word_there_can_be(session: Session):
    """All words of one and two pieces that the tiny vocabulary can make, each scored by hand."""
    tokenizer = session.tokenizer
    text = "The <mask> and Paris."
    ids = tokenizer(text)["input_ids"]
    place = ids.index(tokenizer.mask_token_id)
    pieces = tokenizer.convert_ids_to_tokens(list(range(tokenizer.vocab_size)))
    spaced = [i for i, p in enumerate(pieces) if p[0] == "▁" and p[1:].isalnum()]
    inside = [i for i, p in enumerate(pieces) if p.isalnum() and not any(c in p for c in SPACELESS)]
    spaced = [i for i in spaced if not any(c in pieces[i] for c in SPACELESS)]
    count = 150
    result = session.fill_mask(text, method="words", max_subwords=2, top_k=count)
    found = {fill.text: fill for fill in result.masks[0].fills}
    with torch.no_grad():
        one = session.model(torch.tensor([ids])).logits[0, place].double().log_softmax(-1)
        mask = tokenizer.mask_token_id
        start = session.model(torch.tensor([[*ids[:place], mask, *ids[place:]]])).logits[0, place].double()
        rows = torch.tensor([[*ids[:place], i, mask, *ids[place + 1 :]] for i in spaced])
        then = session.model(rows).logits[:, place + 1].double().log_softmax(-1)
    expected = {pieces[i][1:]: one[i].item() for i in spaced}
    start = start.log_softmax(-1)
    for line, i in enumerate(spaced):
        for j in inside:
            word = pieces[i][1:] + pieces[j]
            scripts = {unicodedata.name(c).split()[0] for c in word}
            if len(scripts) == 1 and tokenizer(word, add_special_tokens=False)["input_ids"] == [i, j]:
                expected[word] = start[i].item() + then[line, j].item()
    likely = sorted(expected, key=lambda word: -expected[word])
    # Words of scripts without spaces are offered too; of the others none is made up, and none that is better left out.
    ours = [word for word in found if word in expected]
    assert len(ours) > 20
    assert set(ours) | {word for word in found if set(word) & set(SPACELESS)} == set(found)
    least = min(fill.score for fill in found.values())
    for word in likely[:20]:
        assert word in found or by_hand(session, text.replace("<mask>", word)) <= least + 1e-4
    assert {len(fill.ids) for fill in found.values()} == {1, 2}
    for word in ours[:20]:
        assert found[word].probability == pytest.approx(math.exp(expected[word]), rel=1e-3)
    scores = [fill.score for fill in result.masks[0].fills]
    assert scores == sorted(scores, reverse=True)
    for fill in [found[word] for word in ours[:5]]:
        assert fill.score == pytest.approx(by_hand(session, text.replace("<mask>", fill.text)), rel=1e-4)


SPACELESS = "狗在花园里睡觉猫坐屋顶上犬は庭で寝ていて猫の根にます" + "สุนัขนอนหลับอยู่ในสวน"


def by_hand(session: Session, text: str) -> float:
    """The pseudo-log-likelihood of a text, later pieces of a word hidden too; words parted at spaces and signs."""
    ids = session.tokenizer(text)["input_ids"]
    pieces = session.tokenizer.convert_ids_to_tokens(ids)
    total = 0.0
    for place in range(1, len(ids) - 1):
        end = place + 1
        while pieces[end].isalnum() and (pieces[end - 1] == "▁" or pieces[end - 1].removeprefix("▁").isalnum()):
            end += 1
        row = ids[:place] + [session.tokenizer.mask_token_id] * (end - place) + ids[end:]
        with torch.no_grad():
            total += session.model(torch.tensor([row])).logits[0, place].double().log_softmax(-1)[ids[place]].item()
    return total


def test_filters(session: Session):
    def texts(**options: object) -> list[str]:
        return [fill.text for fill in session.fill_mask("Paris is <mask>, Spain.", top_k=60, **options).masks[0].fills]

    everything = texts()
    assert any(not any(c.isalnum() for c in text) for text in everything)
    assert all(any(c.isalnum() for c in text) for text in texts(punctuation=False))
    for script, name in (("Cyrillic", "CYRILLIC"), ("Arabic", "ARABIC"), ("Latin", "LATIN")):
        found = texts(script=script)
        assert found
        assert all(unicodedata.name(c).startswith(name) for text in found for c in text if c.isalpha())
    text = "Paris and <mask>, Spain."
    there, less = (
        {fill.text for fill in session.fill_mask(text, top_k=150, repeats=repeats).masks[0].fills}
        for repeats in (True, False)
    )
    assert "and" in there
    assert "and" not in less
    assert len(less) > 20


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a <mask>", {"method": "both"}, "method is 'both'"),
        ("a <mask>", {"method": "joint", "targets": ["a"]}, "Leave out one"),
        ("a <mask>", {"method": "words", "max_subwords": 0}, "max_subwords"),
        ("a <mask>", {"targets": []}, "one or more"),
        ("a <mask>", {"targets": ["old", " "]}, "one or more"),
        ("a <mask>", {"targets": ["old", "old "]}, "twice"),
        ("a <mask>", {"targets": ["☃"]}, "cannot spell '☃'"),
        ("a <mask>", {"targets": ["</s>"], "special_tokens": True}, "special token"),
        ("a <mask>", {"targets": ["old", "<mask>"]}, "special token"),
        ("a <mask>", {"targets": ["old", "\ud800"]}, "surrogate"),
        ("a <mask>", {"targets": ["old", "☃ old"]}, "cannot spell '☃ old'"),
        (
            " <mask>" + " a" * 60,
            {"targets": ["old", "the house of Paris"]},
            "With 'the house of Paris' the text is longer",
        ),
        ("a <mask>", {"script": "Klingon"}, "no script 'Klingon'"),
        ("un<mask> is", {"method": "words"}, "touches 'n'"),
        ("a <mask>s is", {"method": "words"}, "touches 's'"),
        ("<mask> " * 9, {"method": "joint"}, "9 masks"),
        ("<mask> " * 70, {}, "at most 64"),
        ("no gap", {"method": "words"}, "no <mask>"),
    ],
)
def test_settings_that_cannot_be_had(session: Session, text: str, options: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words):
        session.fill_mask(text, **options)


def test_sixty_masks(session: Session):
    assert len(session.fill_mask("<mask> " * 60).masks) == 60


@pytest.mark.slow
def test_words_of_the_default_are_words():
    """In every script: between spaces or signs, spelled as the vocabulary spells them, no space within."""
    session = xlmrxl.load()
    texts = [
        "The capital of France is <mask>.",
        "Мой брат живёт в <mask> доме.",
        "«<mask>», сказал он.",
        "القطة <mask> على السطح.",
        "मेरा भाई <mask> में रहता है।",
        "狗在<mask>里睡觉。",
        "猫は屋根の上で<mask>います。",
        "สุนัขนอนหลับอยู่ใน<mask>",
    ]
    for result in session.fill_mask(texts, method="words", top_k=8):
        fills = result.masks[0].fills
        assert len(fills) == 8
        assert len({fill.text for fill in fills}) == 8
        for fill in fills:
            assert not set(fill.text) & set(" ▁")
            assert all(classify_character(c) != "other" for c in fill.text)
            assert classify_character(fill.text[0]) != "mark"
            if classify_character(fill.text[0]) == "letter" and " <mask>" in result.text:
                assert tuple(session.tokenizer(fill.text, add_special_tokens=False)["input_ids"]) == fill.ids


def test_progress_counts_rows_and_can_stop(session: Session):
    told: list[tuple[int, int]] = []
    session.fill_mask(TEXTS * 400, progress=lambda done, total: told.append((done, total)))
    assert len(told) > 1
    assert told[-1] == (2000, 2000)
    assert told == sorted(told)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.fill_mask(TEXTS, progress=stop)


def test_tables(session: Session):
    result = session.fill_mask(TEXTS[1], top_k=2)
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [(row["mask"], row["fill"]) for row in rows] == [
        (str(n), fill.text) for n, mask in enumerate(result.masks, 1) for fill in mask.fills
    ]
    assert len(result.to_frame()) == 4
    best = result.masks[0].fills[0].probability
    assert f">{format_percent(best)}</td>" in result._repr_html_()
    html = session.fill_mask("<b>&<mask>", top_k=1)._repr_html_()
    assert "&lt;b&gt;&amp;&lt;mask&gt;" in html
    assert "<b>" not in html


def test_forwards_are_bounded_in_tokens_and_in_distributions():
    lengths, places = [5, 3, 9, 3, 7, 4], [1, 2, 1, 3, 1, 1]
    groups = group_by_length(lengths, 12, places, 3)
    assert sorted(i for group in groups for i in group) == list(range(6))
    for group in groups:
        assert len(group) == 1 or max(lengths[i] for i in group) * len(group) <= 12
        assert len(group) == 1 or sum(places[i] for i in group) <= 3
    assert len(group_by_length([40], 12, [9], 3)) == 1  # what is too large for any group has one of its own
