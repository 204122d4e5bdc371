"""The data collators of transformers with the tokenizer of xlmrxl: the same batches as with their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentences import SENTENCES
from test_tokenizer import reference_of

from xlmrxl import XLMRobertaTokenizer

transformers = pytest.importorskip("transformers", minversion="5")

TEXTS = [*SENTENCES[:4], "France is <mask>.", "a"]


@pytest.fixture(scope="module", params=["right", "left"])
def both(vocabulary_file: Path, request: pytest.FixtureRequest) -> tuple[XLMRobertaTokenizer, Any]:
    ours = XLMRobertaTokenizer(vocabulary_file, model_max_length=40, padding_side=request.param)
    return ours, reference_of(vocabulary_file, model_max_length=40, padding_side=request.param)


def rows_of(tokenizer: Any, **options: Any) -> list[dict[str, Any]]:
    encoding = tokenizer(TEXTS, truncation=True, **options)
    return [{name: values[i] for name, values in encoding.items()} for i in range(len(TEXTS))]


def assert_same(a: Any, b: Any) -> None:
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        assert tensor.dtype == b[name].dtype
        assert torch.equal(tensor, b[name]), name


@pytest.mark.parametrize("multiple", [None, 8])
def test_padding(both, multiple: int | None):
    batches = []
    for tokenizer in both:
        features = [{**row, "label": i} for i, row in enumerate(rows_of(tokenizer))]
        collate = transformers.DataCollatorWithPadding(tokenizer, pad_to_multiple_of=multiple)
        batches.append(collate(features))
        # Encodings, tensors and arrays are the same as lists.
        for make in (lambda x: x, torch.tensor, np.array):
            rows = [{name: make(value) for name, value in row.items()} for row in rows_of(tokenizer)]
            assert_same(collate(rows), {name: value for name, value in batches[-1].items() if name != "labels"})
        encodings = collate([tokenizer(text, truncation=True) for text in TEXTS])
        assert_same(encodings, {name: value for name, value in batches[-1].items() if name != "labels"})
    assert_same(*batches)


def test_token_classification(both):
    batches = []
    for tokenizer in both:
        rows = [{**row, "labels": [i] * len(row["input_ids"])} for i, row in enumerate(rows_of(tokenizer))]
        batches.append(transformers.DataCollatorForTokenClassification(tokenizer)(rows))
        if tokenizer is both[0]:  # `pad` does the same, where theirs makes no tensor of it
            assert_same(tokenizer.pad(rows, return_tensors="pt"), batches[0])
    assert_same(*batches)
    assert (batches[0]["labels"] == -100).any()


@pytest.mark.parametrize("masks", [True, False])
def test_masked_language_modelling(both, masks: bool):
    batches = []
    for tokenizer in both:
        collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.4, seed=0)
        batches.append(collate(rows_of(tokenizer, return_special_tokens_mask=masks)))
    assert_same(*batches)
    assert (batches[0]["labels"] != -100).any()


def test_masked_words(both):
    """Transformers takes for a word what leaves no gap, and a lone "▁", which has a place there, for another."""
    collate = transformers.DataCollatorForLanguageModeling(
        both[0], whole_word_mask=True, mlm_probability=0.2, mask_replace_prob=1, random_replace_prob=0, seed=0
    )
    encoding = both[0](SENTENCES, truncation=True, return_offsets_mapping=True, return_special_tokens_mask=True)
    rows = [{name: values[i] for name, values in encoding.items()} for i in range(len(SENTENCES))]
    whole = both[0].pad(rows)["input_ids"]
    batch = collate(rows)
    masked = 0
    for row, ids in enumerate(batch["input_ids"].tolist()):
        padding = len(ids) - len(encoding.input_ids[row])
        words = encoding.word_ids(row)
        words = [None] * padding + words if both[0].padding_side == "left" else words + [None] * padding
        for word in {word for word in words if word is not None}:
            changed = {ids[i] != whole[row][i] for i, other in enumerate(words) if other == word}
            assert len(changed) == 1
            masked += changed == {True}
        assert all(ids[i] == whole[row][i] for i, word in enumerate(words) if word is None)
    assert masked > 5


def test_sequences_as_labels(both):
    batches = []
    for tokenizer in both:
        rows = rows_of(tokenizer)
        targets = tokenizer(text_target=[text[:20] for text in TEXTS], truncation=True)["input_ids"]
        rows = [{**row, "labels": ids} for row, ids in zip(rows, targets, strict=True)]
        batches.append(transformers.DataCollatorForSeq2Seq(tokenizer)(rows))
    assert_same(*batches)


def test_multiple_choice(both):
    batches = []
    for tokenizer in both:
        encoding = tokenizer(TEXTS, [SENTENCES[3]] * len(TEXTS), truncation=True)
        rows = [
            {**{name: values[i : i + 2] for name, values in encoding.items()}, "label": i % 2}
            for i in range(0, len(TEXTS), 2)
        ]
        batches.append(transformers.DataCollatorForMultipleChoice(tokenizer)(rows))
    assert_same(*batches)
    assert batches[0]["input_ids"].shape[:2] == (3, 2)


def test_padding_side_of_one_call(both):
    rows = rows_of(both[0])
    for side in ("left", "right"):
        a, b = (tokenizer.pad(rows, padding_side=side, return_tensors="pt") for tokenizer in both)
        assert_same(a, b)
        both[0](TEXTS, padding=True, padding_side=side)
        assert both[0](TEXTS, padding=True, padding_side=side) == dict(both[1](TEXTS, padding=True, padding_side=side))
    with pytest.raises(ValueError, match="padding_side is 'right' or 'left', not 'up'"):
        both[0].pad(rows, padding_side="up")
    with pytest.raises(ValueError, match="padding_side is 'right' or 'left', not 'up'"):
        both[0](TEXTS, padding_side="up")


def test_ragged_labels(both):
    tokenizer = both[0]
    rows = [{"input_ids": [0, 5, 6, 2], "labels": [1, 2, 3, 4]}, {"input_ids": [0, 2], "labels": [7, 8]}]
    padded = tokenizer.pad(rows)
    filler = [-100, -100]
    assert padded.labels[1] == ([*filler, 7, 8] if tokenizer.padding_side == "left" else [7, 8, *filler])
    assert tokenizer.pad(rows, return_tensors="pt").labels.shape == (2, 4)
    # Labels that are not one for each token are no business of the tokenizer's.
    others = [{"input_ids": [0, 5, 2], "labels": [1]}, {"input_ids": [0, 2], "labels": [7]}]
    assert tokenizer.pad(others).labels == [[1], [7]]
    with pytest.raises(ValueError, match="rows of labels differ in length"):
        tokenizer.pad(
            [{"input_ids": [0, 5, 2], "labels": [1]}, {"input_ids": [0, 2], "labels": []}], return_tensors="pt"
        )
    with pytest.raises(ValueError, match="Encoding 1 has the fields input_ids, and the first one input_ids, labels"):
        tokenizer.pad([rows[0], {"input_ids": [0]}])
