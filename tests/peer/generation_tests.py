"""Compare `generate` of xlmrxl with that of transformers 4.37.2 on random options, drawn tokens included.

    python tests/peer/generation_tests.py COUNT

Prints a JSON object: the options of each case whose answers differ, with both answers.
"""

from __future__ import annotations

import json
import random
import sys

import torch
import transformers

import xlmrxl

SIZES = {
    "vocab_size": 31,
    "hidden_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 5,
    "intermediate_size": 36,
    "max_position_embeddings": 66,
    "initializer_range": 1.0,
    "is_decoder": True,
}
OPTIONS = {
    "temperature": [0.7, 1.5],
    "top_k": [0, 3, 10],
    "top_p": [0.5, 0.9],
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


def answer(model: torch.nn.Module, ids: torch.Tensor, seed: int, options: dict[str, object]) -> dict[str, object]:
    """Return what a model generates, or the kind of its error."""
    torch.manual_seed(seed)
    try:
        out = model.generate(ids, **options, output_scores=True, return_dict_in_generate=True)
    except (ValueError, RuntimeError) as error:
        return {"error": type(error).__name__, "message": str(error)[:200]}
    scores = getattr(out, "sequences_scores", None)
    return {"sequences": out.sequences.tolist(), "scores": None if scores is None else scores.tolist()}


def same(theirs: dict[str, object], ours: dict[str, object]) -> bool:
    """Return whether two answers are alike."""
    if "error" in theirs or "error" in ours:
        return theirs.get("error") == ours.get("error")
    if theirs["sequences"] != ours["sequences"]:
        return False
    pair = [torch.tensor(each["scores"] or []) for each in (theirs, ours)]
    return torch.allclose(*pair, atol=1e-4, equal_nan=True)


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    theirs = transformers.XLMRobertaXLForCausalLM(transformers.XLMRobertaXLConfig(**SIZES)).eval()
    ours = xlmrxl.XLMRobertaXLForCausalLM(xlmrxl.XLMRobertaXLConfig(**SIZES)).eval()
    for parameter in theirs.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    ours.load_state_dict(theirs.state_dict())
    rng = random.Random(0)
    differing = []
    for seed in range(int(sys.argv[1])):
        texts, length = rng.choice([1, 2, 3]), rng.choice([1, 2, 5, 8])
        ids = torch.tensor([[rng.randrange(3, SIZES["vocab_size"]) for _ in range(length)] for _ in range(texts)])
        if length > 2 and rng.random() < 0.4:
            ids[0, :2] = 1  # padding, on the left
        options: dict[str, object] = {"max_new_tokens": rng.choice([5, 15, 25])}
        options |= {"do_sample": True} if rng.random() < 0.5 else {}
        options |= {"num_beams": rng.choice([2, 3, 4])} if rng.random() < 0.5 else {}
        if len(options) > 1 and rng.random() < 0.4:
            options["num_return_sequences"] = 2
        options |= {name: rng.choice(values) for name, values in OPTIONS.items() if rng.random() < 0.22}
        both = [answer(model, ids, seed, options) for model in (theirs, ours)]
        if not same(*both):
            differing.append({"options": options, "ids": ids.tolist(), "theirs": both[0], "ours": both[1]})
    print(json.dumps(differing))


if __name__ == "__main__":
    main()
