"""Record what transformers 4.37.2 answers, for `tests/model/test_parity_stored.py` to replay through xlmrxl.

Later versions of transformers dropped head masks, 3-D attention masks, relative position embeddings, head pruning and
tuple caches, so these are compared with what the last specification said, not with what is installed. To run this
script make an environment of its own:

    python -m venv reference-env
    reference-env/bin/pip install 'transformers==4.37.2' 'tokenizers<0.19' 'huggingface-hub<1' 'numpy<2' \
        sentencepiece torch
    reference-env/bin/python tests/reference/make_reference.py

It writes two files beside itself. `reference.safetensors` holds every distinct tensor once. `reference.json` holds

    made_with       versions
    default_config  `XLMRobertaXLConfig().to_dict()`
    states          {state name: {parameter name: tensor}}
    cases           for each case: name, model (the class), init (further arguments of the class), config, state,
                    methods (called on the model before the calls), state_after (the state dict after them),
                    train (training mode, only ever with every dropout 0), calls, config_after
                    (what the methods and calls changed)
    calls           kwargs, and either `error` (the exception's class) or `output` (class, keys in order and items)
                    and, for some, `gradients` (of the loss, per parameter)

where a tensor is written {"tensor": name in the safetensors file} and the past key values of the call before
{"previous": "past_key_values"}. Weights depend on a parameter's name and shape only, so that all cases share them; they
are larger than a fresh initialisation, biases and norms included, so that every term can be seen in the outputs.
"""

import json
import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

# Sizes that differ from one another where they can, so that no axis can pass for another.
BASE = {
    "vocab_size": 97,
    "hidden_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 5,
    "intermediate_size": 36,
    "max_position_embeddings": 40,
    "type_vocab_size": 1,
}
PAD = 1
BATCH, LENGTH, ENCODER_LENGTH, CHOICES = 3, 9, 6, 4
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}
PREVIOUS = "the past key values of the call before"
ALL = {"output_hidden_states": True, "output_attentions": True}
TUPLE = {"return_dict": False}


def random_ids(seed, *shape):
    return torch.randint(3, BASE["vocab_size"], shape, generator=torch.Generator().manual_seed(seed))


def random_floats(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def masked(values, keep, filler):
    return torch.where(keep.bool(), values, torch.full_like(values, filler))


ids = random_ids(0, BATCH, LENGTH)
keep_right = torch.ones_like(ids)
keep_right[1, 6:] = 0
keep_right[2, 4:] = 0
keep_left = keep_right.flip(1)
keep_nothing = keep_right.clone()
keep_nothing[1] = 0
keep_square = torch.tril(torch.ones(LENGTH, LENGTH, dtype=torch.long), diagonal=2) * keep_right[:, None, :]
keep_choices = torch.ones(BATCH, CHOICES, LENGTH, dtype=torch.long)
keep_choices[:, 1, 5:] = 0
keep_choices[2, 3, 3:] = 0
keep_encoder = torch.ones(BATCH, ENCODER_LENGTH, dtype=torch.long)
keep_encoder[0, 4:] = 0
keep_encoder_square = torch.ones(BATCH, LENGTH, ENCODER_LENGTH, dtype=torch.long)
keep_encoder_square[1, :, 3:] = 0
keep_encoder_square[2, 2, 1:] = 0

RIGHT = {"input_ids": masked(ids, keep_right, PAD), "attention_mask": keep_right}
LEFT = {"input_ids": masked(ids, keep_left, PAD), "attention_mask": keep_left}
EMBEDS = {"inputs_embeds": random_floats(1, BATCH, LENGTH, BASE["hidden_size"])}
CHOICE = {
    "input_ids": masked(random_ids(2, BATCH, CHOICES, LENGTH), keep_choices, PAD),
    "attention_mask": keep_choices,
}
ENCODED = {"encoder_hidden_states": random_floats(3, BATCH, ENCODER_LENGTH, BASE["hidden_size"])}
ENCODED_MASK = ENCODED | {"encoder_attention_mask": keep_encoder}
HEADS = {"head_mask": torch.tensor([1.0, 0.0, 0.5, 1.0, 1.0])}
HEADS_BY_LAYER = {
    "head_mask": torch.tensor([[1.0, 1.0, 0.0, 0.25, 1.0], [0.0, 1.0, 1.0, 1.0, 0.0], [1.0, 0.75, 1.0, 0.0, 1.0]])
}
SEGMENTS = {"token_type_ids": torch.tensor([[0, 0, 0, 1, 1, 1, 1, 0, 1]]).repeat(BATCH, 1)}
POSITIONS = {"position_ids": torch.tensor([[3, 2, 5, 4, 39, 0, 1, 7, 6]])}

LM_LABELS = {"labels": masked(random_ids(4, BATCH, LENGTH), keep_right * (torch.arange(LENGTH) % 2), -100)}
CLASSES_2 = {"labels": torch.tensor([1, 0, 1])}
CLASSES_5 = {"labels": torch.tensor([4, 0, 2])}
ONE_VALUE = {"labels": torch.tensor([0.5, -1.0, 2.0])}
FIVE_VALUES = {"labels": random_floats(5, BATCH, 5)}
FIVE_FLAGS = {"labels": (random_floats(6, BATCH, 5) > 0).float()}
CHOICE_LABELS = {"labels": torch.tensor([3, 0, 1])}
TOKEN_LABELS = {"labels": random_ids(7, BATCH, LENGTH) % 5}
TOKEN_LABELS_IGNORED = {"labels": masked(TOKEN_LABELS["labels"], torch.arange(LENGTH).expand(BATCH, -1) % 3, -100)}
SPAN = {"start_positions": torch.tensor([0, 3, 1]), "end_positions": torch.tensor([8, 4, 1])}
SPAN_OUTSIDE = {"start_positions": torch.tensor([2, LENGTH + 5, -7]), "end_positions": torch.tensor([4, LENGTH, 1])}
SPAN_COLUMN = {name: positions[:, None] for name, positions in SPAN.items()}

DECODER = {"is_decoder": True}
CROSS = {"is_decoder": True, "add_cross_attention": True}
PRUNE = {0: [1], 2: [0, 3]}


def cut(inputs, start, stop):
    """The tokens from `start` to `stop`, with the mask of all the tokens up to there."""
    return {"input_ids": inputs["input_ids"][:, start:stop], "attention_mask": inputs["attention_mask"][:, :stop]}


def decoded(inputs, *cuts, **further):
    """One call for each step between the cuts, each but the first with the cache of the one before."""
    calls, start = [], 0
    for stop in cuts:
        past = {"past_key_values": PREVIOUS} if start else {}
        calls.append(cut(inputs, start, stop) | {"use_cache": True} | ALL | past | further)
        start = stop
    return calls


@dataclass(frozen=True)
class Case:
    name: str
    model: str
    config: dict
    calls: list
    init: dict = field(default_factory=dict)
    methods: list = field(default_factory=list)
    train: bool = False
    gradients: bool = False


CASES = [
    # The bare model and its inputs.
    Case("base", "Model", {}, [{"input_ids": ids}]),
    Case("base, right padding", "Model", {}, [RIGHT | ALL]),
    Case("base, left padding", "Model", {}, [LEFT | ALL]),
    Case("base, padding without a mask", "Model", {}, [{"input_ids": RIGHT["input_ids"]}]),
    Case("base, boolean mask", "Model", {}, [RIGHT | {"attention_mask": keep_right.bool()}]),
    Case("base, float mask", "Model", {}, [RIGHT | {"attention_mask": keep_right.float()}]),
    Case("base, all of a row masked", "Model", {}, [RIGHT | ALL | {"attention_mask": keep_nothing}]),
    Case("base, one token", "Model", {}, [{"input_ids": ids[:1, :1]} | ALL]),
    Case("base, no pooler", "Model", {}, [RIGHT, RIGHT | TUPLE | ALL], init={"add_pooling_layer": False}),
    Case("base, embeddings given", "Model", {}, [EMBEDS | {"attention_mask": keep_right} | ALL]),
    Case("base, positions given", "Model", {}, [RIGHT | POSITIONS | ALL]),
    Case("base, segments", "Model", {"type_vocab_size": 2}, [RIGHT | SEGMENTS, RIGHT, EMBEDS | SEGMENTS]),
    Case("base, another pad", "Model", {"pad_token_id": 0}, [{"input_ids": ids * keep_right}]),
    Case("base, all outputs by config", "Model", dict(ALL), [RIGHT, RIGHT | {"output_attentions": False}]),
    Case("base, tuple by config", "Model", {"return_dict": False}, [RIGHT, RIGHT | {"return_dict": True}]),
    Case("base, 3-D mask", "Model", {}, [RIGHT | ALL | {"attention_mask": keep_square}]),
    Case("base, head mask", "Model", {}, [RIGHT | HEADS | ALL]),
    Case("base, head mask by layer", "Model", {}, [RIGHT | HEADS_BY_LAYER | ALL]),
    *(Case(f"base, {act}", "Model", {"hidden_act": act}, [RIGHT]) for act in ("relu", "silu", "gelu_new")),
    Case("base, chunked feed-forward", "Model", {"chunk_size_feed_forward": 3}, [RIGHT | ALL]),
    Case("base, layer norm eps", "Model", {"layer_norm_eps": 0.1}, [RIGHT]),
    Case("base, tuples", "Model", {}, [RIGHT | TUPLE, RIGHT | TUPLE | ALL]),
    # Relative positions.
    *(
        Case(f"masked LM, {kind}", "ForMaskedLM", {"position_embedding_type": kind}, [call], gradients=True)
        for kind in ("relative_key", "relative_key_query")
        for call in [RIGHT | LM_LABELS | ALL]
    ),
    *(
        Case(
            f"causal LM, {kind}, step by step",
            "ForCausalLM",
            DECODER | {"position_embedding_type": kind},
            decoded(LEFT, 7, 8, 9),  # of several tokens after a cache the reference misplaces all but the last
        )
        for kind in ("relative_key", "relative_key_query")
    ),
    Case(
        "causal LM, relative_key, cross-attention",
        "ForCausalLM",
        CROSS | {"position_embedding_type": "relative_key"},
        [RIGHT | ENCODED_MASK | ALL],
    ),
    # The decoder.
    Case("decoder", "Model", DECODER, [RIGHT | ALL, LEFT | {"use_cache": False}, RIGHT | TUPLE | ALL]),
    Case("decoder, 3-D mask", "Model", DECODER, [RIGHT | ALL | {"attention_mask": keep_square}]),
    Case("decoder, embeddings given", "Model", DECODER, [EMBEDS | {"use_cache": True}]),
    Case("decoder, cache off by config", "Model", DECODER | {"use_cache": False}, [RIGHT]),
    Case(
        "decoder, embeddings given after a cache",
        "Model",
        DECODER,
        [cut(RIGHT, 0, 4), {"inputs_embeds": EMBEDS["inputs_embeds"][:, :2], "past_key_values": PREVIOUS}],
    ),
    Case("causal LM, step by step", "ForCausalLM", DECODER, decoded(RIGHT, 5, 6, 9)),
    Case("causal LM, left padding, step by step", "ForCausalLM", DECODER, decoded(LEFT, 7, 8, 9)),
    Case(
        "causal LM, no mask, step by step",
        "ForCausalLM",
        DECODER,
        [{"input_ids": ids[:, :6]}, {"input_ids": ids[:, 6:], "past_key_values": PREVIOUS}],
    ),
    Case("causal LM, head mask, step by step", "ForCausalLM", DECODER, decoded(RIGHT, 5, 7, **HEADS)),
    Case("causal LM, loss", "ForCausalLM", DECODER, [RIGHT | LM_LABELS | ALL], gradients=True),
    Case("causal LM, not a decoder", "ForCausalLM", {}, [RIGHT | LM_LABELS]),
    Case(
        "causal LM, tuples",
        "ForCausalLM",
        DECODER,
        [RIGHT | TUPLE, RIGHT | TUPLE | ALL, RIGHT | TUPLE | ALL | LM_LABELS],
    ),
    # Cross-attention.
    Case(
        "cross-attention", "Model", CROSS, [RIGHT | ENCODED | ALL, LEFT | ENCODED_MASK, RIGHT, RIGHT | ENCODED | TUPLE]
    ),
    Case(
        "cross-attention, 3-D encoder mask",
        "Model",
        CROSS,
        [RIGHT | ENCODED | ALL | {"encoder_attention_mask": keep_encoder_square}],
    ),
    Case("cross-attention, loss", "ForCausalLM", CROSS, [RIGHT | ENCODED_MASK | LM_LABELS | ALL], gradients=True),
    Case("cross-attention, step by step", "ForCausalLM", CROSS, decoded(RIGHT, 5, 6, 9, **ENCODED_MASK)),
    Case("cross-attention, head mask", "ForCausalLM", CROSS, [RIGHT | ENCODED_MASK | HEADS_BY_LAYER | ALL]),
    Case("cross-attention, tuples", "ForCausalLM", CROSS, [RIGHT | ENCODED | ALL | TUPLE]),
    Case("cross-attention, masked LM", "ForMaskedLM", CROSS, [RIGHT | ENCODED_MASK | LM_LABELS]),
    Case("cross-attention, ignored by an encoder", "ForMaskedLM", {}, [RIGHT | ENCODED_MASK]),
    # Masked LM.
    Case("masked LM", "ForMaskedLM", {}, [RIGHT | LM_LABELS | ALL, LEFT], gradients=True),
    Case("masked LM, training", "ForMaskedLM", NO_DROPOUT, [RIGHT | LM_LABELS], train=True, gradients=True),
    Case("masked LM, head mask", "ForMaskedLM", {}, [RIGHT | LM_LABELS | HEADS_BY_LAYER], gradients=True),
    Case("masked LM, 3-D mask", "ForMaskedLM", {}, [RIGHT | LM_LABELS | {"attention_mask": keep_square}]),
    Case("masked LM, not tied", "ForMaskedLM", {"tie_word_embeddings": False}, [RIGHT | LM_LABELS], gradients=True),
    Case("masked LM, decoder", "ForMaskedLM", DECODER, [RIGHT | LM_LABELS, RIGHT | TUPLE]),
    Case("masked LM, no label counts", "ForMaskedLM", {}, [RIGHT | {"labels": torch.full_like(ids, -100)}]),
    Case("masked LM, tuples", "ForMaskedLM", {}, [RIGHT | TUPLE, RIGHT | TUPLE | ALL | LM_LABELS]),
    # Sequence classification: what kind of problem is inferred, and what is told.
    Case("sequence, one value", "ForSequenceClassification", {"num_labels": 1}, [RIGHT | ONE_VALUE], gradients=True),
    Case(
        "sequence, one value in a column",
        "ForSequenceClassification",
        {"num_labels": 1},
        [RIGHT | {"labels": ONE_VALUE["labels"][:, None]}],
    ),
    Case("sequence, two classes", "ForSequenceClassification", {}, [RIGHT | CLASSES_2 | ALL], gradients=True),
    Case("sequence, left padding", "ForSequenceClassification", {}, [LEFT | CLASSES_2]),
    Case("sequence, five classes", "ForSequenceClassification", {"num_labels": 5}, [RIGHT | CLASSES_5]),
    Case(
        "sequence, class indices of int32 are classes",
        "ForSequenceClassification",
        {"num_labels": 5},
        [RIGHT | {"labels": CLASSES_5["labels"].int()}],
    ),
    Case("sequence, five flags", "ForSequenceClassification", {"num_labels": 5}, [RIGHT | FIVE_FLAGS], gradients=True),
    Case(
        "sequence, five values",
        "ForSequenceClassification",
        {"num_labels": 5, "problem_type": "regression"},
        [RIGHT | FIVE_VALUES],
        gradients=True,
    ),
    Case(
        "sequence, flags told",
        "ForSequenceClassification",
        {"num_labels": 5, "problem_type": "multi_label_classification"},
        [RIGHT | FIVE_FLAGS],
    ),
    Case(
        "sequence, classes told",
        "ForSequenceClassification",
        {"num_labels": 2, "problem_type": "single_label_classification"},
        [RIGHT | CLASSES_2],
    ),
    Case(
        "sequence, inferred once",
        "ForSequenceClassification",
        {"num_labels": 5},
        [RIGHT | FIVE_FLAGS, RIGHT | CLASSES_5],
    ),
    Case("sequence, head mask", "ForSequenceClassification", {}, [RIGHT | HEADS]),
    Case("sequence, tuples", "ForSequenceClassification", {}, [RIGHT | TUPLE, RIGHT | TUPLE | ALL | CLASSES_2]),
    # Multiple choice.
    Case("choice", "ForMultipleChoice", {}, [CHOICE | CHOICE_LABELS | ALL], gradients=True),
    Case(
        "choice, embeddings given",
        "ForMultipleChoice",
        {},
        [{"inputs_embeds": random_floats(8, BATCH, CHOICES, 5, BASE["hidden_size"])} | CHOICE_LABELS],
    ),
    Case(
        "choice, positions and segments given",
        "ForMultipleChoice",
        {"type_vocab_size": 2},
        [
            CHOICE
            | {
                "position_ids": POSITIONS["position_ids"].repeat(BATCH, CHOICES, 1),
                "token_type_ids": SEGMENTS["token_type_ids"][:, None].repeat(1, CHOICES, 1),
            }
        ],
    ),
    Case("choice, head mask", "ForMultipleChoice", {}, [CHOICE | HEADS]),
    Case("choice, tuples", "ForMultipleChoice", {}, [CHOICE | TUPLE, CHOICE | TUPLE | CHOICE_LABELS]),
    # Token classification.
    Case("tokens", "ForTokenClassification", {"num_labels": 5}, [RIGHT | TOKEN_LABELS | ALL], gradients=True),
    Case("tokens, some ignored", "ForTokenClassification", {"num_labels": 5}, [LEFT | TOKEN_LABELS_IGNORED]),
    Case(
        "tokens, no mask",
        "ForTokenClassification",
        {"num_labels": 5},
        [{"input_ids": ids} | TOKEN_LABELS, {"input_ids": ids} | TOKEN_LABELS_IGNORED],
    ),
    Case("tokens, head mask", "ForTokenClassification", {"num_labels": 5}, [RIGHT | HEADS]),
    Case("tokens, tuples", "ForTokenClassification", {}, [RIGHT | TUPLE, RIGHT | TUPLE | {"labels": ids % 2}]),
    # Question answering.
    Case("span", "ForQuestionAnswering", {}, [RIGHT | SPAN | ALL], gradients=True),
    Case("span, outside", "ForQuestionAnswering", {}, [RIGHT | SPAN_OUTSIDE, RIGHT | SPAN_COLUMN]),
    Case("span, one position alone", "ForQuestionAnswering", {}, [RIGHT | {"start_positions": SPAN["end_positions"]}]),
    Case("span, head mask", "ForQuestionAnswering", {}, [RIGHT | HEADS]),
    Case("span, tuples", "ForQuestionAnswering", {}, [RIGHT | TUPLE, RIGHT | TUPLE | ALL | SPAN]),
    # Pruned heads and other vocabularies.
    Case("pruned", "ForMaskedLM", {}, [RIGHT | LM_LABELS | ALL], methods=[["prune_heads", PRUNE]], gradients=True),
    Case("pruned twice", "Model", {}, [RIGHT], methods=[["prune_heads", PRUNE], ["prune_heads", {0: [1, 4], 1: [2]}]]),
    Case("pruned by config", "ForSequenceClassification", {"pruned_heads": PRUNE}, [RIGHT | ALL]),
    Case("pruned decoder", "ForCausalLM", DECODER, decoded(RIGHT, 5, 7), methods=[["prune_heads", PRUNE]]),
    Case(
        "more tokens",
        "ForMaskedLM",
        {},
        [RIGHT | LM_LABELS],
        methods=[["resize_token_embeddings", 103]],
        gradients=True,
    ),
    Case("fewer tokens", "ForMaskedLM", {}, [{"input_ids": ids % 50}], methods=[["resize_token_embeddings", 53]]),
    Case("more tokens, bare", "Model", {}, [RIGHT], methods=[["resize_token_embeddings", 103]]),
    Case(
        "fewer tokens, causal",
        "ForCausalLM",
        DECODER,
        [{"input_ids": ids % 50}],
        methods=[["resize_token_embeddings", 53]],
    ),
    # What is refused.
    Case(
        "refused",
        "Model",
        {},
        [
            {},
            RIGHT | EMBEDS,
            RIGHT | {"attention_mask": keep_right[:, None, None]},
            RIGHT | {"head_mask": ids[:1, None]},
        ],
    ),
    Case("refused: no cross-attention layers", "Model", DECODER, [RIGHT | ENCODED]),
]


class Recorder:
    """Keeps each distinct tensor and each distinct state dict once."""

    def __init__(self):
        self.tensors = {}
        self.states = {}
        self._names = {}

    def tensor(self, value):
        value = value.detach().contiguous().clone()
        key = (str(value.dtype), tuple(value.shape), value.numpy().tobytes())
        if key not in self._names:
            self._names[key] = str(len(self._names))
            self.tensors[self._names[key]] = value
        return {"tensor": self._names[key]}

    def value(self, value):
        if isinstance(value, torch.Tensor):
            return self.tensor(value)
        if value is PREVIOUS:
            return {"previous": "past_key_values"}
        if isinstance(value, (tuple, list)):
            return [self.value(item) for item in value]
        return value

    def state(self, model):
        names = {name: self.tensor(value)["tensor"] for name, value in model.state_dict().items()}
        for known, state in self.states.items():
            if state == names:
                return known
        self.states[known := str(len(self.states))] = names
        return known

    def output(self, output):
        if isinstance(output, tuple):
            return {"class": "tuple", "keys": None, "items": self.value(output)}
        return {
            "class": type(output).__name__,
            "keys": list(output.keys()),
            "items": self.value(list(output.values())),
        }


@torch.no_grad()
def randomise(model):
    """Weights that depend on the parameter's name and shape only."""
    for name, parameter in model.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.removeprefix("roberta.").encode()))
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 2 and "embedding" not in name:
            values = values / math.sqrt(parameter.shape[1])
        else:
            values = 0.5 * values
        if name.lower().endswith(("layernorm.weight", "layer_norm.weight")):
            values = values + 1.0
        parameter.copy_(values)


def record(case, recorder):
    config = transformers.XLMRobertaXLConfig(**(BASE | case.config))
    model = getattr(transformers, f"XLMRobertaXL{case.model}")(config, **case.init)
    randomise(model)
    model.train(case.train)
    before = model.config.to_dict()
    recorded = {
        "name": case.name,
        "model": f"XLMRobertaXL{case.model}",
        "init": case.init,
        "config": BASE | case.config,
        "train": case.train,
        "state": recorder.state(model),
        "methods": case.methods,
        "calls": [],
    }
    torch.manual_seed(0)
    for method, argument in case.methods:
        getattr(model, method)(argument)
    recorded["state_after"] = recorder.state(model)
    past = None
    for kwargs in case.calls:
        call = {"kwargs": {name: recorder.value(value) for name, value in kwargs.items()}}
        recorded["calls"].append(call)
        try:
            output = model(**{name: past if value is PREVIOUS else value for name, value in kwargs.items()})
        except Exception as error:
            call["error"] = type(error).__name__
            continue
        call["output"] = recorder.output(output)
        past = getattr(output, "past_key_values", None)
        if case.gradients and getattr(output, "loss", None) is not None:
            model.zero_grad()
            output.loss.backward()
            call["gradients"] = {
                name: None if parameter.grad is None else recorder.tensor(parameter.grad)["tensor"]
                for name, parameter in model.named_parameters()
            }
    after = model.config.to_dict()
    recorded["config_after"] = {name: value for name, value in after.items() if before.get(name) != value}
    return recorded


def main():
    if transformers.__version__ != "4.37.2":
        raise SystemExit(f"This records transformers 4.37.2, and {transformers.__version__} is installed.")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    recorder = Recorder()
    cases = [record(case, recorder) for case in CASES]
    folder = Path(__file__).parent
    save_file(recorder.tensors, folder / "reference.safetensors")
    (folder / "reference.safetensors").chmod(0o644)
    head = {
        "made_with": {"transformers": transformers.__version__, "torch": torch.__version__},
        "default_config": transformers.XLMRobertaXLConfig().to_dict(),
    }
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    states = ",\n".join(f" {json.dumps(name)}: {json.dumps(state)}" for name, state in recorder.states.items())
    lines.append(f'"states": {{\n{states}\n}}')
    lines.append('"cases": [\n' + ",\n".join(f" {json.dumps(case)}" for case in cases) + "\n]")
    (folder / "reference.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(cases)} cases, {len(recorder.tensors)} tensors")


if __name__ == "__main__":
    main()
