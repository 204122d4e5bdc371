"""How well masks are filled on held-out text: top-1, top-5 and perplexity by language, languages weighted alike.

    python -m training.evaluate --model xlmrxl/default --heldout HELDOUT
    python -m training.evaluate --model RUN/state.pt --average --vocabulary VOCABULARY.model --heldout HELDOUT

HELDOUT is a folder `<source>/<language>.txt` that no step of training has seen. Lines are taken evenly spaced, 15 % of
the tokens of each are hidden (at least one) by a fixed seed, and the text is gone through once. Figures of two
vocabularies do not compare: a smaller one cuts text into easier pieces.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from torch import Tensor
from torch.nn import functional as F

from training.corpus import BOS, EOS, PAD
from xlmrxl.config import XLMRobertaXLConfig
from xlmrxl.heads import XLMRobertaXLForMaskedLM
from xlmrxl.tokenizer import VOCAB_NAME

SEED = 0
MASKED = 0.15
LONGEST = 128  # tokens
BATCH = 32


@dataclass(frozen=True)
class Score:
    """What was measured on one language, or the mean of several."""

    masks: int
    top1: float
    top5: float
    loss: float  # mean negative log-likelihood of the hidden token, in nats

    @property
    def perplexity(self) -> float:
        return float(np.exp(self.loss))


def sample(heldout: Path, lines: int) -> dict[str, list[str]]:
    """Up to `lines` lines a language (0 for all), from each of its sources in turn evenly spaced."""
    files: dict[str, list[list[str]]] = defaultdict(list)
    for path in sorted(heldout.glob("*/*.txt")):
        if rows := [row for line in path.read_text(encoding="utf-8").splitlines() if (row := line.strip())]:
            files[path.stem].append(rows)
    if not files:
        raise FileNotFoundError(f"{heldout} holds no <source>/<language>.txt.")
    out = {}
    for language, sources in sorted(files.items()):
        share = -(-lines // len(sources)) if lines else 10**9
        picked = [rows[:: max(1, len(rows) // share)][:share] for rows in sources]
        out[language] = [row for rows in picked for row in rows]
    return out


def hide(rows: list[list[int]], mask_id: int, seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Each row with some tokens masked, and the labels, -100 elsewhere."""
    rng = np.random.default_rng(seed)
    inputs, labels = [], []
    for row in rows:
        count = max(1, round(MASKED * (len(row) - 2)))
        places = set((1 + rng.permutation(len(row) - 2)[:count]).tolist())
        inputs.append([mask_id if i in places else token for i, token in enumerate(row)])
        labels.append([token if i in places else -100 for i, token in enumerate(row)])
    return inputs, labels


def pad(rows: list[list[int]], value: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


@torch.inference_mode()
def score(model: XLMRobertaXLForMaskedLM, rows: list[list[int]]) -> Score:
    """Of some rows `<s> … </s>` of token ids."""
    inputs, labels = hide(rows, model.config.vocab_size - 1, SEED)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    losses, ranks = [], []
    for at in range(0, len(order), BATCH):
        chosen = order[at : at + BATCH]
        ids = pad([inputs[index] for index in chosen], PAD)
        wanted = pad([labels[index] for index in chosen], -100)
        hidden = wanted >= 0
        logits = model(ids, attention_mask=(ids != PAD).long(), logits_mask=hidden).logits.float()
        truth = wanted[hidden]
        losses.append(F.cross_entropy(logits, truth, reduction="none"))
        ranks.append((logits > logits.gather(1, truth[:, None])).sum(1))
    rank, loss = torch.cat(ranks), torch.cat(losses)
    top1, top5 = (rank < 1).double().mean().item(), (rank < 5).double().mean().item()
    return Score(len(rank), top1, top5, loss.double().mean().item())


def evaluate(
    model: XLMRobertaXLForMaskedLM, vocabulary: Path, heldout: Path, lines: int
) -> tuple[dict[str, Score], Score]:
    """The score of each language, and their mean."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
    longest = min(LONGEST, model.config.max_position_embeddings - PAD - 1)
    scores = {}
    for language, texts in sample(heldout, lines).items():
        rows = [[BOS, *(piece + 1 for piece in row[: longest - 2]), EOS] for row in pieces.encode(texts) if row]
        scores[language] = score(model, rows)
    values = list(scores.values())
    mean = Score(
        sum(value.masks for value in values),
        *(float(np.mean([getattr(value, name) for value in values])) for name in ("top1", "top5", "loss")),
    )
    return scores, mean


def load(path: Path, average: bool) -> XLMRobertaXLForMaskedLM:
    """A checkpoint folder, a run's state, or transplanted weights."""
    if path.is_dir():
        model: XLMRobertaXLForMaskedLM = XLMRobertaXLForMaskedLM.from_pretrained(path)
        return model
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    model = XLMRobertaXLForMaskedLM(XLMRobertaXLConfig(**state["config"]))
    model.load_state_dict(state["model"])
    if average:
        for name, parameter in model.named_parameters():
            parameter.data.copy_(state["average"][name])
    return model.eval()


def table(scores: dict[str, Score], mean: Score) -> str:
    """As Markdown."""
    rows = [("mean", mean), *scores.items()]
    lines = ["| language | masks | top-1 % | top-5 % | perplexity |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {name} | {s.masks:,} | {100 * s.top1:.1f} | {100 * s.top5:.1f} | {s.perplexity:.0f} |" for name, s in rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a checkpoint folder, or a run's state.pt")
    parser.add_argument("--average", action="store_true", help="of a state, the averaged weights")
    parser.add_argument("--vocabulary", type=Path, help="the sentencepiece model; by default the folder's own")
    parser.add_argument("--heldout", type=Path, required=True, help="text that was not trained on")
    parser.add_argument("--lines", type=int, default=40, help="a language; 0 for all")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    if options.vocabulary is None and not options.model.is_dir():
        parser.error("a state holds no vocabulary: give --vocabulary.")
    vocabulary = options.vocabulary or options.model / VOCAB_NAME
    model = load(options.model, options.average)
    scores, mean = evaluate(model, vocabulary, options.heldout, options.lines)
    print(table(scores, mean))
    if options.json:
        everything = {"mean": asdict(mean), "languages": {name: asdict(value) for name, value in scores.items()}}
        options.json.write_text(json.dumps({"lines": options.lines, **everything}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
