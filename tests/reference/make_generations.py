"""Record what `generate` of transformers 4.37.2 answers, for `tests/model/test_generation.py` to ask of xlmrxl again.

It runs in the environment that `make_reference.py` describes and writes `generations.json` beside itself: the sizes of
the model, and for each case the ids, the options, the sequences, and the scores of a beam search. Weights are those of
`make_reference.randomise`. Nothing is drawn at random here, since that depends on the version of torch.
"""

import json
import random
from pathlib import Path

import torch
import transformers
from make_reference import randomise

SIZES = {
    "vocab_size": 31,
    "hidden_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 5,
    "intermediate_size": 36,
    "max_position_embeddings": 66,
    "is_decoder": True,
}
OPTIONS = {
    "num_beams": [2, 3, 4],
    "repetition_penalty": [1.3, 0.8],
    "no_repeat_ngram_size": [1, 2, 3],
    "min_length": [5, 12],
    "min_new_tokens": [3],
    "length_penalty": [0.0, 2.0, -1.0],
    "early_stopping": [True, "never"],
    "bad_words_ids": [[[5], [6, 7]], [[3], [2]]],
    "suppress_tokens": [[4, 9]],
    "renormalize_logits": [True],
    "eos_token_id": [[2, 7, 8], 9],
}


def main():
    transformers.logging.set_verbosity_error()
    model = transformers.XLMRobertaXLForCausalLM(transformers.XLMRobertaXLConfig(**SIZES)).eval()
    randomise(model)
    rng = random.Random(0)
    cases = []
    while len(cases) < 80:
        texts, length = rng.choice([1, 2, 3]), rng.choice([1, 2, 5, 8])
        ids = [[rng.randrange(3, SIZES["vocab_size"]) for _ in range(length)] for _ in range(texts)]
        if length > 2 and rng.random() < 0.4:
            ids[0][:2] = [1, 1]  # padding, on the left
        options = {name: rng.choice(values) for name, values in OPTIONS.items() if rng.random() < 0.25}
        options["max_new_tokens"] = rng.choice([5, 12, 20])
        if options.get("num_beams") and rng.random() < 0.5:
            options["num_return_sequences"] = 2
        out = model.generate(torch.tensor(ids), **options, output_scores=True, return_dict_in_generate=True)
        case = {"ids": ids, "options": options, "sequences": out.sequences.tolist()}
        if "num_beams" in options:
            case["scores"] = out.sequences_scores.tolist()
        cases.append(case)
    out = {"made_with": {"transformers": transformers.__version__, "torch": torch.__version__}, "sizes": SIZES}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in out.items()]
    lines.append('"cases": [\n' + ",\n".join(f" {json.dumps(case)}" for case in cases) + "\n]")
    path = Path(__file__).with_name("generations.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
