r"""Write a run's weights as a checkpoint folder in the Hub's layout, with its card and licence.

    python -m training.export --state RUN/cooldown.pt --vocabulary VOCABULARY.model --encoded ENCODED --eval EVAL \
        --out xlmrxl/default --log training/run.json

Weights are stored as float16, the tied LM decoder once. What is evaluated and written into the card is the folder
itself as it will be read: the card's figures are what `training.evaluate` prints of it. The log has the run's settings,
its curve and the result. Raises ValueError if the folder comes out larger than 48,000,000 bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import Tensor

from training.card import Facts, write_card
from training.corpus import EncodedCorpus
from training.evaluate import Report, add_options, load_model
from training.evaluate import make_report as evaluate
from training.pretrain import COOLDOWN_CURVE, CURVE, average_checkpoints
from xlmrxl.checkpoints.weight_files import SAFETENSORS
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.tokenization.tokenizer import VOCAB_NAME, XLMRobertaTokenizer

LARGEST = 48_000_000  # bytes, of the whole folder
CURVE_POINTS = 100
TIED = ("lm_head.decoder.weight", "lm_head.decoder.bias")  # the word embeddings and lm_head.bias under other names
LICENSE = Path(__file__).with_name("LICENSE-weights")


def collect_weights(state: dict[str, Any], others: Sequence[Path] = ()) -> dict[str, Tensor]:
    """Return the tensors to store, float16, each once; of the run alone or its mean with other checkpoint folders.

    Raises:
        ValueError: a value does not fit float16.
    """
    source = state["model"]
    if others:
        _, mean = average_checkpoints(others)
        source = {name: value.lerp(mean[name], len(others) / (1 + len(others))) for name, value in source.items()}
    out = {name: value.to(torch.float16).contiguous() for name, value in source.items() if name not in TIED}
    for name, value in out.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} has values beyond float16.")
    return out


def make_config(state: dict[str, Any]) -> XLMRobertaXLConfig:
    """Return the config to store, with the architecture's own dropout, which so short a run has off."""
    dropout = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    return XLMRobertaXLConfig(**{**state["config"], **dropout, "torch_dtype": "float16"})


def export(state: dict[str, Any], vocabulary: Path, out: Path, others: Sequence[Path] = ()) -> None:
    """Write everything but the card.

    Raises:
        ValueError: vocabulary and weights do not belong together.
    """
    settings = make_config(state)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary)).get_piece_size()
    if pieces + 2 != settings.vocab_size:  # <pad> and <mask> are not among them
        raise ValueError(f"{vocabulary} has {pieces} pieces; weights of {settings.vocab_size} rows need 2 fewer.")
    out.mkdir(parents=True, exist_ok=True)
    settings.save_pretrained(out)
    path = out / SAFETENSORS
    # So that training on from these weights, when the state is lost, still knows what went into them.
    spent = {"tokens": str(state["tokens"]), "seconds": str(round(state["seconds"]))}
    save_file(collect_weights(state, others), path, metadata={"format": "pt", **spent})
    path.chmod(0o644)  # safetensors lets only the owner read; an installed package has other readers
    XLMRobertaTokenizer(vocabulary, model_max_length=settings.longest_input).save_pretrained(out)
    shutil.copyfile(LICENSE, out / "LICENSE")


def make_log(state: dict[str, Any], run: Path, report: Report, others: int = 0) -> dict[str, Any]:
    """Return the settings of a run, at most CURVE_POINTS points of its curve, and how well it came out.

    Args:
        state: what `training.pretrain` saved.
        run: the run's folder, with its curves.
        report: the evaluation of what was exported.
        others: how many checkpoints the weights were averaged with.
    """
    curve = [
        json.loads(line)
        for name in (CURVE, COOLDOWN_CURVE)
        if (run / name).exists()
        for line in (run / name).read_text(encoding="utf-8").splitlines()
    ]
    every = -(-len(curve) // CURVE_POINTS)
    result = report.masked and asdict(report.masked.mean)
    return {
        "recipe": state["recipe"],
        "steps": state["step"],
        "tokens": state["tokens"],
        "hours": round(state["seconds"] / 3600, 2),
        "mean_with": others,
        "heldout": result,
        "curve": curve[every - 1 :: every] if curve else [],
    }


def main() -> None:
    """Export a run: weights, tokenizer, card and log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="RUN/state.pt or RUN/cooldown.pt")
    parser.add_argument(
        "--mean-with", type=Path, nargs="+", default=[], metavar="CHECKPOINT", help="export the mean with these weights"
    )
    parser.add_argument("--encoded", type=Path, required=True, help="the encoded corpus, for the figures of the card")
    parser.add_argument("--vocabulary", type=Path, required=True, help="the sentencepiece model")
    add_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--log", type=Path, help="JSON file to write settings, curve and result to")
    options = parser.parse_args()
    state = torch.load(options.state, map_location="cpu", weights_only=True, mmap=True)
    export(state, options.vocabulary, options.out, options.mean_with)
    model = load_model(options.out)
    text = EncodedCorpus(options.encoded)
    report = evaluate(model, options.out / VOCAB_NAME, options.eval, text, options.lines, options.only)
    print(report.to_markdown(), flush=True)  # what took long is not lost if the rest fails
    facts = Facts(
        config=model.config,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        tokens=state["tokens"],
        hours=state["seconds"] / 3600,
        recipe=state["recipe"],
        cooled=state["cooldown"] is not None and state["step"] == state["cooldown"][1],
        others=len(options.mean_with),
        parts=text.parts,
    )
    (options.out / "README.md").write_text(write_card(facts, report.to_markdown()), encoding="utf-8")
    if options.log:
        options.log.parent.mkdir(parents=True, exist_ok=True)
        options.log.write_text(
            json.dumps(make_log(state, options.state.parent, report, len(options.mean_with)), indent=1) + "\n",
            encoding="utf-8",
        )
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {size:,} bytes")
    if size > LARGEST:
        raise ValueError(f"{options.out} has {size:,} bytes, more than {LARGEST:,}.")


if __name__ == "__main__":
    main()
