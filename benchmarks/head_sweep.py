"""A sweep over all heads beside one forward a head, same model, same run.

    python benchmarks/head_sweep.py [FOLDER] [--tokens 8 16 32 64] [--rounds 5]

Switched off is each head in turn, measured is the divergence at a mask. One forward a head is `model(ids, head_mask=…)`
as one writes it, with the distributions of every token, and as the sweep reads it, with those of the mask only. Rounds
alternate; printed are the medians and the ratios to the sweep: above 1 the sweep is faster. That both find the same is
checked first.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from measure import Results, make_parser, time_seconds

import xlmrxl
from xlmrxl.inspection.inspection import Inspection

FIRST = "The <mask> of France is"
MORE = "the old house near the river was empty when they came back to the village in summer and winter"


def make_text(tokens: int, session: xlmrxl.Session) -> str:
    """Return a text of at most so many tokens with one mask."""
    words = [*FIRST.split(), *MORE.split() * (tokens // 8)]
    while len(session.tokenizer(" ".join(words))["input_ids"]) > tokens:
        words.pop()
    return " ".join(words)


def ablate_one_by_one(inspection: Inspection, at_masks_only: bool) -> torch.Tensor:
    """Return the (layers, heads) divergences at the masks, by one forward a head."""
    model = inspection.loaded_model.model
    ids = torch.tensor([[token.id for token in inspection.tokens]])
    wanted = ids == inspection.loaded_model.tokenizer.mask_token_id

    def logs(**options: torch.Tensor) -> torch.Tensor:
        if at_masks_only:
            return model(ids, logits_mask=wanted, **options).logits.log_softmax(-1)
        return model(ids, **options).logits[wanted].log_softmax(-1)

    found = torch.empty(inspection.layers, inspection.heads)
    with torch.inference_mode():
        before = logs()
        for layer in range(inspection.layers):
            for head in range(inspection.heads):
                mask = torch.ones(inspection.layers, inspection.heads)
                mask[layer, head] = 0
                found[layer, head] = (before.exp() * (before - logs(head_mask=mask))).sum(-1).mean()
    return found


def main() -> None:
    """Compare the two for some lengths."""
    parser = make_parser(__doc__)
    parser.add_argument("model", nargs="?", default="default", help="as `xlmrxl.load` takes it")
    parser.add_argument("--tokens", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    session = xlmrxl.load(arguments.model, device="cpu")
    results, rows = Results("All heads tried, beside one forward a head"), []
    for tokens in arguments.tokens:
        inspection = session.inspect(make_text(tokens, session))
        work: list[Callable[[], object]] = [
            lambda inspection=inspection: inspection.head_importance(progress=False).importance,
            lambda inspection=inspection: ablate_one_by_one(inspection, False),
            lambda inspection=inspection: ablate_one_by_one(inspection, True),
        ]
        torch.testing.assert_close(torch.tensor(work[0]()), work[2](), rtol=1e-2, atol=1e-5)
        rounds = [[time_seconds(one) for one in work] for _ in range(arguments.rounds)]
        swept, whole, part = (statistics.median(column) for column in zip(*rounds, strict=True))
        rows.append([len(inspection.tokens), swept, whole, whole / swept, part, part / swept])
    columns = ["tokens", "all heads, s", "one forward a head, s", "ratio", "logits at the mask only, s", "ratio"]
    results.add(str(session), columns, rows)
    results.write(arguments.out)


if __name__ == "__main__":
    main()
