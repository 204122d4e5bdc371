"""Write a run's weights as a checkpoint folder in the Hub's layout, with its card and licence.

    python -m training.export --state RUN/cooldown.pt --vocabulary VOCABULARY.model --heldout HELDOUT \\
        --out xlmrxl/default

Weights are stored as float16, the tied LM decoder once. What is evaluated and written into the card is the folder
itself as it will be read. Raises ValueError if it comes out larger than 48,000,000 bytes.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import Tensor

from training.card import Facts, card
from training.corpus import EOS, Encoded
from training.evaluate import evaluate, load
from xlmrxl.config import XLMRobertaXLConfig
from xlmrxl.tokenizer import VOCAB_NAME, XLMRobertaTokenizer

LARGEST = 48_000_000  # bytes, of the whole folder
TIED = ("lm_head.decoder.weight", "lm_head.decoder.bias")  # the word embeddings and lm_head.bias under other names
LICENSE = Path(__file__).with_name("LICENSE-weights")


def weights(state: dict[str, Any], average: bool) -> dict[str, Tensor]:
    """The tensors to store, float16, each once. Raises ValueError if one does not fit float16."""
    source = {**state["model"], **(state["average"] if average else {})}
    out = {name: value.to(torch.float16).contiguous() for name, value in source.items() if name not in TIED}
    for name, value in out.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} has values beyond float16.")
    return out


def config(state: dict[str, Any]) -> XLMRobertaXLConfig:
    """Dropout is off while so short a run lasts; whoever fine-tunes expects the architecture's own."""
    dropout = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    return XLMRobertaXLConfig(**{**state["config"], **dropout, "torch_dtype": "float16"})


def export(state: dict[str, Any], average: bool, vocabulary: Path, out: Path) -> None:
    """Everything but the card. Raises ValueError if vocabulary and weights do not belong together."""
    settings = config(state)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary)).get_piece_size()
    if pieces + 2 != settings.vocab_size:  # <pad> and <mask> are not among them
        raise ValueError(f"{vocabulary} has {pieces} pieces; weights of {settings.vocab_size} rows need 2 fewer.")
    out.mkdir(parents=True, exist_ok=True)
    settings.save_pretrained(out)
    path = out / "model.safetensors"
    save_file(weights(state, average), path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors lets only the owner read; an installed package has other readers
    XLMRobertaTokenizer(vocabulary, model_max_length=settings.max_position_embeddings - EOS).save_pretrained(out)
    shutil.copyfile(LICENSE, out / "LICENSE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="RUN/state.pt or RUN/cooldown.pt")
    parser.add_argument("--average", action="store_true", help="the averaged weights: for a run not cooled down")
    parser.add_argument("--encoded", type=Path, required=True, help="the encoded corpus, for the figures of the card")
    parser.add_argument("--vocabulary", type=Path, required=True, help="the sentencepiece model")
    parser.add_argument("--heldout", type=Path, required=True, help="text that was not trained on")
    parser.add_argument("--lines", type=int, default=40, help="of it, a language; 0 for all")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    state = torch.load(options.state, map_location="cpu", weights_only=True, mmap=True)
    export(state, options.average, options.vocabulary, options.out)
    model = load(options.out, average=False)
    scores, mean = evaluate(model, options.out / VOCAB_NAME, options.heldout, options.lines)
    facts = Facts(
        config=model.config,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        step=state["step"],
        tokens=state["tokens"],
        hours=state["seconds"] / 3600,
        recipe=state["recipe"],
        cooled=state["cooldown"] is not None and state["step"] == state["cooldown"][1],
        average=options.average,
        parts=Encoded(options.encoded).parts,
        lines=options.lines,
        scores=scores,
        mean=mean,
    )
    (options.out / "README.md").write_text(card(facts), encoding="utf-8")
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {size:,} bytes; top-1 {mean.top1:.1%}, top-5 {mean.top5:.1%}, loss {mean.loss:.3f}")
    if size > LARGEST:
        raise ValueError(f"{options.out} has {size:,} bytes, more than {LARGEST:,}.")


if __name__ == "__main__":
    main()
