"""What the models do beyond the reference, and what they say to wrong input. Parity has files of its own."""

from __future__ import annotations

import copy

import pytest
import torch

from xlmrxl import (
    XLMRobertaXLConfig,
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLModel,
)

SIZES = {
    "vocab_size": 97,
    "hidden_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 5,
    "intermediate_size": 36,
    "max_position_embeddings": 22,
    "initializer_range": 0.2,
}
IDS = torch.tensor([[0, 7, 8, 9, 40, 2], [0, 9, 96, 2, 1, 1]])
MASK = (IDS != 1).long()


@pytest.fixture
def config() -> XLMRobertaXLConfig:
    return XLMRobertaXLConfig(**SIZES)


@pytest.fixture
def model(config: XLMRobertaXLConfig) -> XLMRobertaXLForMaskedLM:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return XLMRobertaXLForMaskedLM(config).eval()


def test_logits_at_chosen_positions_are_those_of_all(model):
    chosen = torch.zeros_like(IDS, dtype=torch.bool)
    chosen[0, 2] = chosen[0, 4] = chosen[1, 1] = True
    labels = torch.where(chosen, IDS, -100)
    everywhere = model(IDS, attention_mask=MASK, labels=labels)
    there = model(IDS, attention_mask=MASK, labels=labels, logits_mask=chosen)
    assert there.logits.shape == (3, 97)
    torch.testing.assert_close(there.logits, everywhere.logits[chosen])
    torch.testing.assert_close(there.loss, everywhere.loss)
    with pytest.raises(ValueError, match="logits_mask must be booleans"):
        model(IDS, logits_mask=chosen.long())


def test_outputs_are_read_in_every_way(model):
    out = model(IDS, output_hidden_states=True)
    assert out.logits is out["logits"] is out[0] is out[:1][0] is out.to_tuple()[0]
    assert list(out) == list(out.keys()) == ["logits", "hidden_states"]
    assert len(out) == 2
    assert "loss" not in out
    assert "logits" in out
    assert out.loss is None
    assert out.get("loss", 5) == 5
    with pytest.raises(KeyError):
        out["loss"]
    with pytest.raises(IndexError):
        out[2]


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_gradient_checkpointing_changes_no_gradient(config, implementation: str):
    config.attn_implementation = implementation
    plain = XLMRobertaXLForMaskedLM(config).train()
    again = copy.deepcopy(plain)
    again.gradient_checkpointing_enable()
    assert again.is_gradient_checkpointing
    gradients = []
    for one in (plain, again):
        # With dropout: the second computation has to draw the same numbers as the first.
        torch.manual_seed(3)
        one(IDS, attention_mask=MASK, labels=IDS).loss.backward()
        gradients.append([p.grad for p in one.parameters() if p.grad is not None])
    torch.testing.assert_close(*gradients)
    again.gradient_checkpointing_disable()
    assert not again.is_gradient_checkpointing


def test_gradient_checkpointing_keeps_less(config):
    def saved(one: XLMRobertaXLForMaskedLM) -> int:
        count = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal count
            count += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            one.roberta(IDS, attention_mask=MASK)
        return count

    model = XLMRobertaXLForMaskedLM(config).train()
    before = saved(model)
    model.gradient_checkpointing_enable()
    assert saved(model) < before / 3


@pytest.mark.parametrize("output_attentions", [False, True], ids=["sdpa", "eager"])
def test_each_text_of_a_batch_may_have_heads_of_its_own_switched_off(model, output_attentions: bool):
    masks = torch.ones(2, 3, 5)
    masks[0, 1, 4] = masks[1, 2, 0] = 0
    together = model(
        IDS,
        attention_mask=MASK,
        head_mask=masks.transpose(0, 1)[..., None, None],
        output_attentions=output_attentions,
    ).logits
    for i in range(2):
        alone = model(IDS[i : i + 1], attention_mask=MASK[i : i + 1], head_mask=masks[i]).logits
        torch.testing.assert_close(together[i : i + 1], alone)
    assert not torch.allclose(together, model(IDS, attention_mask=MASK).logits)


def test_pruned_heads_are_gone_for_good(model, tmp_path):
    off = torch.ones(3, 5)
    off[0, [0, 3]] = off[2, 1] = 0
    masked = model(IDS, head_mask=off).logits
    model.prune_heads({0: [3], 2: [1]})
    model.prune_heads({0: [0, 3]})
    assert model.config.pruned_heads == {0: [0, 3], 2: [1]}
    assert model.roberta.encoder.layer[0].attention.self.query.weight.shape == (12, 20)
    torch.testing.assert_close(model(IDS).logits, masked)
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)(IDS).logits, masked)
    with pytest.raises(ValueError, match="no head 5"):
        model.prune_heads({1: [5]})
    with pytest.raises(ValueError, match="no layer 3"):
        model.prune_heads({3: [0]})


@pytest.mark.parametrize("count", [60, 100, 130])
def test_resizing_keeps_what_was_there(model, tmp_path, count: int):
    ids = IDS.clamp(max=59)
    before = model(ids).logits
    embeddings = model.resize_token_embeddings(count)
    assert embeddings is model.get_input_embeddings()
    assert model.config.vocab_size == embeddings.num_embeddings == count
    assert model.lm_head.decoder.weight is embeddings.weight
    assert model.lm_head.decoder.bias is model.lm_head.bias
    kept = min(count, 97)
    torch.testing.assert_close(model(ids).logits[..., :kept], before[..., :kept])
    model.save_pretrained(tmp_path)
    assert XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)(ids).logits.shape[-1] == count
    assert model.resize_token_embeddings(count + 1, pad_to_multiple_of=64).num_embeddings in (64, 128, 192)


def test_input_embeddings_can_be_replaced(model):
    new = torch.nn.Embedding(97, 20, padding_idx=1)
    model.set_input_embeddings(new)
    model.tie_weights()
    assert model.get_input_embeddings() is new
    assert model.get_output_embeddings().weight is new.weight


def test_untied_weights(config, tmp_path):
    config.tie_word_embeddings = False
    model = XLMRobertaXLForMaskedLM(config).eval()
    assert model.get_output_embeddings().weight is not model.get_input_embeddings().weight
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(XLMRobertaXLForMaskedLM.from_pretrained(tmp_path)(IDS).logits, model(IDS).logits)


def test_fresh_weights(config):
    model = XLMRobertaXLModel(config)
    words = model.embeddings.word_embeddings.weight
    assert torch.equal(words[1], torch.zeros(20))
    assert float(words.detach().std()) == pytest.approx(0.2, rel=0.1)
    assert torch.equal(model.encoder.LayerNorm.weight, torch.ones(20))
    assert torch.equal(model.pooler.dense.bias, torch.zeros(20))
    counted = sum({id(p): p.numel() for p in model.parameters()}.values())
    assert model.num_parameters() == counted
    assert model.num_parameters(exclude_embeddings=True) == counted - (97 + 22 + 1) * 20


def test_the_full_sizes():
    with torch.device("meta"):
        xl = XLMRobertaXLForMaskedLM(XLMRobertaXLConfig())
        xxl = XLMRobertaXLForMaskedLM(
            XLMRobertaXLConfig(hidden_size=4096, num_hidden_layers=48, intermediate_size=16384)
        )
    assert xl.num_parameters() == 3_482_741_760
    assert xxl.num_parameters() == 10_712_994_816


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({}, "either input_ids or inputs_embeds"),
        ({"input_ids": IDS, "inputs_embeds": torch.zeros(2, 6, 20)}, "and not both"),
        ({"input_ids": torch.full((1, 21), 5)}, "21 tokens, but this model reads at most 20"),
        ({"input_ids": IDS, "attention_mask": torch.ones(6)}, r"shape \(6,\)"),
        ({"input_ids": IDS, "head_mask": torch.ones(2, 5)}, "3 layers"),
        ({"input_ids": IDS, "inputs_embeds": None, "head_mask": torch.ones(1, 1, 5)}, "head_mask has shape"),
    ],
)
def test_wrong_input_gets_a_sentence(config, call: dict[str, torch.Tensor], words: str):
    with pytest.raises(ValueError, match=words):
        XLMRobertaXLModel(config)(**call)


def test_padding_does_not_count_as_length(config):
    ids = torch.cat([torch.full((1, 20), 5), torch.full((1, 9), 1)], dim=1)
    out = XLMRobertaXLModel(config).eval()(ids, attention_mask=(ids != 1).long())
    assert out.last_hidden_state.shape == (1, 29, 20)


def test_wrong_settings_get_a_sentence(config):
    with pytest.raises(ValueError, match="num_labels is 3"):
        XLMRobertaXLForQuestionAnswering(XLMRobertaXLConfig(**SIZES, num_labels=3))
    with pytest.raises(ValueError, match="is_decoder"):
        XLMRobertaXLModel(XLMRobertaXLConfig(**SIZES, add_cross_attention=True))
    with pytest.raises(TypeError, match="XLMRobertaXLConfig"):
        XLMRobertaXLModel({"vocab_size": 3})
    decoder = XLMRobertaXLModel(XLMRobertaXLConfig(**SIZES, is_decoder=True))
    with pytest.raises(ValueError, match="add_cross_attention"):
        decoder(IDS, encoder_hidden_states=torch.zeros(2, 3, 20))


def test_problem_type_is_settled_by_the_first_labels(config):
    config.num_labels = 3
    model = XLMRobertaXLForSequenceClassification(config)
    model(IDS, labels=torch.tensor([0, 2]))
    assert model.config.problem_type == "single_label_classification"
    model.config.problem_type = None
    model(IDS, labels=torch.tensor([[0.0, 1, 1], [1, 0, 0]]))
    assert model.config.problem_type == "multi_label_classification"
