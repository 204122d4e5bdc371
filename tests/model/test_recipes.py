"""Public recipes for transformers, step by step, with only the import changed, on the embedded model."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch

from xlmrxl import (
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

transformers = pytest.importorskip("transformers", minversion="5")

pytestmark = [
    pytest.mark.slow,
    # Of the clients, about their own versions to come.
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]

TEXTS = ["I like it.", "I hate it!", "Das ist gut", "No way, it is terrible", "Muy bueno", "Очень плохо"] * 4
LABELS = [1, 0, 1, 0, 1, 0] * 4


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained("default")


def arguments(folder: Path, **more: object):
    from xlmrxl.trainer import TrainingArguments

    return TrainingArguments(
        str(folder),
        per_device_train_batch_size=4,
        max_steps=4,
        save_steps=2,
        eval_strategy="steps",
        eval_steps=2,
        load_best_model_at_end=True,
        learning_rate=1e-3,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        gradient_checkpointing=True,
        disable_tqdm=True,
        **more,
    )


def train(model, rows, collator, tokenizer, folder):
    """Train, save, load, and go on from a checkpoint, as one would; return the trained model's folder."""
    from xlmrxl.trainer import Trainer

    def trainer(of):
        return Trainer(
            of,
            arguments(folder),
            train_dataset=rows,
            eval_dataset=rows[:5],
            data_collator=collator,
            processing_class=tokenizer,
        )

    before = copy.deepcopy(model.state_dict())
    first = trainer(model)
    first.train()
    assert any(not torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    found = first.predict(rows[:5])
    batch = collator([dict(row) for row in rows[:5]])
    if "labels" in rows[0]:  # no batch is masked as another was
        with torch.no_grad():
            expected = model.eval()(**batch.to("cpu")).logits
        torch.testing.assert_close(torch.tensor(found.predictions), expected, atol=1e-4, rtol=1e-4)
    assert len(found.predictions) == 5
    assert math.isfinite(found.metrics["test_loss"])
    first.save_model(folder / "final")
    again = type(model).from_pretrained(folder / "final")
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor)
    assert len(AutoTokenizer.from_pretrained(folder / "final")) == len(tokenizer)
    second = trainer(type(model).from_pretrained(folder / "checkpoint-2"))
    second.train(resume_from_checkpoint=str(folder / "checkpoint-2"))
    assert second.state.global_step == 4
    return folder / "final"


def test_a_classifier_is_fine_tuned(tokenizer, tmp_path):
    rows = [dict(tokenizer(text, truncation=True), labels=label) for text, label in zip(TEXTS, LABELS, strict=True)]
    model = AutoModelForSequenceClassification.from_pretrained(
        "default", num_labels=2, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1}
    )
    folder = train(model, rows, transformers.DataCollatorWithPadding(tokenizer), tokenizer, tmp_path)
    import xlmrxl

    assert {score.label for score in xlmrxl.load(folder).classify("Nice.").labels} == {"bad", "good"}


def test_a_masked_language_model_is_trained_further(tokenizer, tmp_path):
    rows = [dict(tokenizer(text)) for text in TEXTS]
    collator = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.3)
    train(AutoModelForMaskedLM.from_pretrained("default"), rows, collator, tokenizer, tmp_path)


def test_an_adapter_is_trained(tokenizer, tmp_path):
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}
    base = AutoModelForSequenceClassification.from_pretrained("default", num_labels=2, **still)
    settings = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"], r=4, lora_alpha=8)
    model = peft.get_peft_model(copy.deepcopy(base), settings)
    model.gradient_checkpointing_enable()
    model.enable_input_require_grads()
    batch = tokenizer(TEXTS[:6], padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=2e-3)
    losses = []
    model.train()
    for _ in range(12):
        loss = model(**batch, labels=torch.tensor(LABELS[:6])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    model.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(copy.deepcopy(base), tmp_path).eval()
    with torch.no_grad():
        expected = model.eval()(**batch).logits
        torch.testing.assert_close(again(**batch).logits, expected)
        merged = again.merge_and_unload()
        torch.testing.assert_close(merged(**batch).logits, expected, atol=1e-4, rtol=1e-4)
    merged.save_pretrained(tmp_path / "merged")
    torch.testing.assert_close(
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged")(**batch).logits,
        expected,
        atol=1e-4,
        rtol=1e-4,
    )


def test_exported_to_onnx(tokenizer, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = AutoModelForMaskedLM.from_pretrained("default")
    batch = tokenizer(TEXTS[:2], padding=True, return_tensors="pt")
    size, length = torch.export.Dim("batch", max=64), torch.export.Dim("sequence", max=200)
    shapes = {name: {0: size, 1: length} for name in batch}
    program = torch.onnx.export(model, (), kwargs=dict(batch), dynamic_shapes=shapes, dynamo=True, verbose=False)
    program.save(tmp_path / "model.onnx")
    run = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    other = tokenizer(["Paris is the <mask> of France.", "Ja", "其他"], padding=True, return_tensors="pt")
    found = run.run(None, {name: tensor.numpy() for name, tensor in other.items()})[0]
    with torch.no_grad():
        expected = model(**other).logits
    torch.testing.assert_close(torch.tensor(found), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("made", ["by name", "by class"])
def test_the_pipeline_of_transformers_fills_masks(tokenizer, made):
    model = AutoModelForMaskedLM.from_pretrained("default")
    parts = {"model": model, "tokenizer": tokenizer, "top_k": 3}
    fill = transformers.FillMaskPipeline(**parts) if made == "by class" else transformers.pipeline("fill-mask", **parts)
    text = "Paris is the <mask> of France"
    found = fill(text)
    batch = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        logits = model(**batch).logits[0, batch["input_ids"][0] == tokenizer.mask_token_id][0]
    best = logits.softmax(-1).topk(3)
    assert [one["token"] for one in found] == best.indices.tolist()
    torch.testing.assert_close(torch.tensor([one["score"] for one in found]), best.values)
    assert len(fill([text, "I <mask> you"])) == 2


def test_activations_of_a_layer(tokenizer):
    attribution = pytest.importorskip("captum.attr")
    model = AutoModelForSequenceClassification.from_pretrained("default", num_labels=2)
    batch = tokenizer(TEXTS[:2], padding=True, return_tensors="pt")

    def forward(ids, mask):
        return model(ids, attention_mask=mask).logits

    layer = model.roberta.encoder.layer[1]
    found = attribution.LayerActivation(forward, layer).attribute(batch["input_ids"], batch["attention_mask"])
    with torch.no_grad():
        states = model(**batch, output_hidden_states=True).hidden_states[2]
    torch.testing.assert_close(found, states)
    given = {"additional_forward_args": batch["attention_mask"], "target": 1, "n_steps": 3}
    gradients = attribution.LayerIntegratedGradients(forward, model.roberta.embeddings)
    assert gradients.attribute(batch["input_ids"], **given).shape == states.shape


def test_words_are_tagged(tokenizer, tmp_path):
    """Labels of words become labels of tokens by `word_ids`, the later tokens of a word being left out."""
    sentences = [["Angela", "lives", "in", "Kyiv"], ["Das", "ist", "Johannesburg", "."], ["Zoë", "schläft"]] * 4
    tags = [[1, 0, 0, 2], [0, 0, 2, 0], [1, 0]] * 4
    encoded = tokenizer(sentences, truncation=True, is_split_into_words=True)
    rows = []
    for i, labels in enumerate(tags):
        word_ids = encoded.word_ids(batch_index=i)
        before = [None, *word_ids[:-1]]
        aligned = [
            -100 if word is None or word == last else labels[word] for word, last in zip(word_ids, before, strict=True)
        ]
        assert [label for label in aligned if label != -100] == labels
        rows.append(
            {"input_ids": encoded["input_ids"][i], "attention_mask": encoded["attention_mask"][i], "labels": aligned}
        )
    names = {0: "O", 1: "B-PER", 2: "B-LOC"}
    model = AutoModelForTokenClassification.from_pretrained(
        "default", num_labels=3, id2label=names, label2id={label: i for i, label in names.items()}
    )
    from xlmrxl.trainer import Trainer

    collator = transformers.DataCollatorForTokenClassification(tokenizer)
    trainer = Trainer(
        model,
        arguments(tmp_path),
        train_dataset=rows,
        eval_dataset=rows[:4],
        data_collator=collator,
        processing_class=tokenizer,
    )
    trainer.train()
    found = trainer.predict(rows[:4])
    assert (found.label_ids == -100).sum() > 0
    assert found.predictions.shape[:2] == found.label_ids.shape
    trainer.save_model(tmp_path / "final")
    import xlmrxl

    assert {word.label for word in xlmrxl.load(tmp_path / "final").tag("Angela lives in Kyiv.").words} <= {
        *names.values()
    }


def test_questions_are_answered_in_windows(tokenizer, tmp_path):
    """A context that is too long is read in windows with a stride; the answer's place in each by `offset_mapping`."""
    question, answer = "Where does Angela live?", "Kyiv"
    context = "Once there was a town by the sea. " * 12 + "Angela lives in Kyiv. " + "It rained all day. " * 10
    place = context.index(answer)
    encoded = tokenizer(
        [question],
        [context],
        truncation="only_second",
        max_length=64,
        stride=16,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding="max_length",
    )
    assert set(encoded["overflow_to_sample_mapping"]) == {0}
    starts, ends = [], []
    for i, offsets in enumerate(encoded["offset_mapping"]):
        inside = [n for n, sequence in enumerate(encoded.sequence_ids(i)) if sequence == 1]
        first, last = inside[0], inside[-1]
        if offsets[first][0] > place or offsets[last][1] < place + len(answer):
            starts.append(0)
            ends.append(0)
            continue
        starts.append(max(n for n in inside if offsets[n][0] <= place))
        ends.append(min(n for n in inside if offsets[n][1] >= place + len(answer)))
        assert context[offsets[starts[-1]][0] : offsets[ends[-1]][1]] == answer
    assert any(starts)
    assert not all(starts)
    model = AutoModelForQuestionAnswering.from_pretrained("default").train()
    inputs = {name: torch.tensor(encoded[name]) for name in ("input_ids", "attention_mask")}
    places = {"start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(12):
        loss = model(**inputs, **places).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    import xlmrxl

    found = xlmrxl.load(tmp_path).answer(question, context)
    assert found.answers[0].text in context
    assert 0 <= found.null_probability <= 1


def test_accelerate_widens_what_a_model_returns(tokenizer):
    operations = pytest.importorskip("accelerate.utils.operations")
    model = AutoModelForMaskedLM.from_pretrained("default", torch_dtype=torch.bfloat16)
    batch = tokenizer(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        narrow = model(**batch)
        model.forward = operations.convert_outputs_to_fp32(model.forward)  # as an Accelerator does
        out = model(**batch, output_hidden_states=True)
    assert type(out) is type(narrow)
    assert out.logits.dtype == out.hidden_states[0].dtype == torch.float32
    assert torch.equal(out.logits.bfloat16(), narrow.logits)
