"""Train the masked LM: start from the transplanted weights, go on from wherever the run folder stands.

    python -m training.pretrain --start START.pt --encoded ENCODED --run RUN --minutes 90
    python -m training.pretrain --encoded ENCODED --run RUN --cooldown-minutes 15

The first trains at a constant rate after a short warm-up, and given again goes on for as long again, after a kill
too: RUN/state.pt holds all there is, and text and masks depend on the seed and the step alone. The second lets the
rate fall to nothing, from a copy of that state in RUN/cooldown.pt, so that the first can still be taken up later.
RUN/curve.jsonl and RUN/cooldown.jsonl have the loss.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.corpus import EOS, Encoded, Tokens
from xlmrxl.config import XLMRobertaXLConfig
from xlmrxl.heads import XLMRobertaXLForMaskedLM
from xlmrxl.widen import has_native

STATE, CURVE = "state.pt", "curve.jsonl"
COOLDOWN, COOLDOWN_CURVE = "cooldown.pt", "cooldown.jsonl"
MASK_STREAM = 7  # keeps the draw of the masks apart from that of the text


@dataclass(frozen=True)
class Recipe:
    """What a run is; written into its state and kept when it is taken up again."""

    sequences: int = 16
    length: int = 64
    mask_rate: float = 0.25
    body_rate: float = 4e-4  # learning rate of embeddings and layer matrices
    head_rate: float = 1e-3  # of norms, biases and the head
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0
    warmup: int = 100  # steps
    average_every: int = 10  # steps between updates of the averaged weights
    average_share: float = 0.05  # of the newest weights in the average
    seed: int = 0


def mask(tokens: Tokens, rate: float, mask_id: int, rng: np.random.Generator) -> tuple[Tokens, Tokens, Tokens]:
    """Hide the same number of tokens in each row, so that rows stay a rectangle.

    Returns:
        The (rows, length) input; the (rows, hidden) places that are hidden; the (rows, hidden) tokens that were there,
        -100 where a row had too few to hide. Every hidden token becomes `<mask>`: none is kept or replaced by another,
        since filling masks is what the model is for and each prediction should teach that.
    """
    count = max(1, round(rate * (tokens.shape[1] - 2)))
    order = rng.random(tokens.shape)
    order[tokens <= EOS] = 2  # <s>, <pad>, </s> come last
    places = np.sort(np.argpartition(order, count, axis=1)[:, :count], axis=1)
    labels = np.take_along_axis(tokens, places, axis=1)
    inputs = tokens.copy()
    np.put_along_axis(inputs, places, np.where(labels > EOS, mask_id, labels), axis=1)
    return inputs, places, np.where(labels > EOS, labels, -100)


def masked_states(model: XLMRobertaXLForMaskedLM, inputs: Tensor, places: Tensor) -> Tensor:
    """The encoder's last states at `places` (batch, n): (batch, n, hidden).

    The same numbers as the model's own forward without padding. Nothing reads the last layer's states elsewhere, so
    its queries and its feed-forward are computed at those places only.
    """
    encoder = model.roberta.encoder
    stream = model.roberta.embeddings(inputs, None, None, None, 0)
    for layer in encoder.layer[:-1]:
        stream = layer(stream)[0]
    last = encoder.layer[-1]
    attention = last.attention
    normed = attention.self_attn_layer_norm(stream)
    index = places[..., None].expand(-1, -1, stream.shape[-1])
    context, _, _ = attention.self(normed.gather(1, index), None, None, normed, None, False)
    return encoder.LayerNorm(last.feed_forward(attention.output(context, stream.gather(1, index))))


def step_loss(model: XLMRobertaXLForMaskedLM, inputs: Tensor, places: Tensor, labels: Tensor) -> Tensor:
    wanted = labels >= 0
    logits = model.lm_head(masked_states(model, inputs, places)[wanted])
    return F.cross_entropy(logits.float(), labels[wanted])


def groups(model: XLMRobertaXLForMaskedLM, recipe: Recipe) -> list[dict[str, Any]]:
    """Embeddings and layer matrices at the body's rate; norms, biases and the head at the head's."""
    body, head, plain = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            plain.append(parameter)
        else:
            (head if name.startswith("lm_head.") else body).append(parameter)
    return [
        {"params": body, "rate": recipe.body_rate, "weight_decay": recipe.weight_decay},
        {"params": head, "rate": recipe.head_rate, "weight_decay": recipe.weight_decay},
        {"params": plain, "rate": recipe.head_rate, "weight_decay": 0.0},
    ]


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it; elsewhere it is several times slower than float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if has_native(torch.bfloat16) else torch.float32


class Run:
    """A training run in a folder: its model, optimiser, averaged weights and place."""

    def __init__(self, folder: Path, text: Encoded, device: torch.device, dtype: torch.dtype) -> None:
        self.folder, self.text, self.device, self.dtype = folder, text, device, dtype
        self.name, self.curve = STATE, CURVE
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        self.cooldown: tuple[int, int] | None = None  # first and last step of the cooldown

    def build(self, config: dict[str, Any], weights: dict[str, Tensor], recipe: Recipe) -> None:
        self.recipe = recipe
        # Attention written out has the faster backward on a CPU at these lengths.
        implementation = "sdpa" if self.device.type == "cuda" else "eager"
        self.config = config
        self.model = XLMRobertaXLForMaskedLM(XLMRobertaXLConfig(**config, attn_implementation=implementation))
        self.model.load_state_dict(weights)
        self.model.tie_weights()
        self.model.to(self.device).train()
        self.optimizer = torch.optim.AdamW(groups(self.model, recipe), lr=1e-9, betas=recipe.betas, fused=True)
        self.average = {name: p.detach().clone() for name, p in self.model.named_parameters()}

    def start(self, path: Path, recipe: Recipe) -> None:
        """Begin with transplanted weights."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.build(state["config"], state["model"], recipe)

    def load(self, name: str) -> None:
        """Take up a saved state."""
        state = torch.load(self.folder / name, map_location="cpu", weights_only=True)
        state["recipe"]["betas"] = tuple(state["recipe"]["betas"])
        self.build(state["config"], state["model"], Recipe(**state["recipe"]))
        self.optimizer.load_state_dict(state["optimizer"])
        for key, value in state["average"].items():
            self.average[key].copy_(value)
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        self.cooldown = None if state["cooldown"] is None else tuple(state["cooldown"])
        self._cut_curve()

    def save(self) -> None:
        """Write the whole state; a kill at any moment leaves the old one or the new one."""
        state = {
            "config": self.config,
            "recipe": asdict(self.recipe),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
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
        self.name, self.curve = COOLDOWN, COOLDOWN_CURVE
        self.cooldown = (self.step, self.step + steps)

    def factor(self) -> float:
        """What the learning rates are multiplied with at this step: warm-up, constant, then linear to 0."""
        if self.cooldown is not None:
            first, last = self.cooldown
            return (last - self.step) / (last - first)
        return min(1.0, (self.step + 1) / self.recipe.warmup)

    def advance(self) -> Tensor:
        """One step of the optimiser; the loss, not yet waited for."""
        recipe, model = self.recipe, self.model
        tokens = self.text.batch(recipe.seed, self.step, recipe.sequences, recipe.length)
        rng = np.random.default_rng([recipe.seed, self.step, MASK_STREAM])
        arrays = mask(tokens, recipe.mask_rate, model.config.vocab_size - 1, rng)
        inputs, places, labels = (torch.from_numpy(array).to(self.device) for array in arrays)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            loss = step_loss(model, inputs, places, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * self.factor()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += tokens.size
        if self.step % recipe.average_every == 0:
            parameters = dict(model.named_parameters())
            torch._foreach_lerp_(
                list(self.average.values()),
                [parameters[name].detach() for name in self.average],
                # The first updates weigh more, so that the start is soon forgotten.
                max(recipe.average_share, 1 / (1 + self.step / recipe.average_every)),
            )
        return loss.detach()

    def go(self, last_step: int | None, minutes: float | None, save_minutes: float, report_every: int) -> None:
        """Advance until a step or for some minutes, reporting and saving on the way and at the end."""
        began = saved = reported = time.monotonic()
        losses: list[Tensor] = []
        while (last_step is None or self.step < last_step) and (
            minutes is None or time.monotonic() - began < 60 * minutes
        ):
            losses.append(self.advance())
            if self.step % report_every == 0:
                now = time.monotonic()
                self.seconds += now - reported
                self._report(torch.stack(losses), now - reported, minutes and minutes - (now - began) / 60, last_step)
                losses, reported = [], now
            if time.monotonic() - saved > 60 * save_minutes:
                self.save()
                saved = time.monotonic()
        self.seconds += time.monotonic() - reported
        self.save()

    def _report(self, losses: Tensor, seconds: float, minutes_left: float | None, last_step: int | None) -> None:
        speed = self.recipe.sequences * self.recipe.length * len(losses) / seconds
        if last_step is not None:
            minutes_left = (last_step - self.step) * seconds / len(losses) / 60
        point = {
            "step": self.step,
            "tokens": self.tokens,
            "minutes": round(self.seconds / 60, 2),
            "loss": round(losses.mean().item(), 4),
            "rate": self.recipe.body_rate * self.factor(),
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoded", type=Path, required=True, help="the encoded corpus")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--start", type=Path, help="transplanted weights, for a folder that has no state yet")
    parser.add_argument("--minutes", type=float, help="train so long, from now")
    parser.add_argument("--steps", type=int, help="train until the run has made so many steps")
    parser.add_argument("--cooldown-minutes", type=float, help="let the rate fall to 0 in about so many minutes")
    parser.add_argument("--cooldown-steps", type=int, help="or in so many steps")
    parser.add_argument("--save-minutes", type=float, default=3.0, help="between two saves of the state")
    parser.add_argument("--report-every", type=int, default=20, help="steps between two points of the curve")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto", help="of the products")
    parser.add_argument("--threads", type=int, help="of the CPU")
    recipe = parser.add_argument_group("recipe, for a folder that has no state yet")
    for name in ("sequences", "length", "mask_rate", "body_rate", "head_rate", "warmup", "seed"):
        default = getattr(Recipe, name)
        recipe.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    options = parser.parse_args()

    torch.set_flush_denormal(True)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    dtype = fast_dtype(device) if options.dtype == "auto" else getattr(torch, options.dtype)
    options.run.mkdir(parents=True, exist_ok=True)
    run = Run(options.run, Encoded(options.encoded), device, dtype)
    cooling = options.cooldown_minutes is not None or options.cooldown_steps is not None
    if cooling and (options.run / COOLDOWN).exists():
        run.load(COOLDOWN)
        run.name, run.curve = COOLDOWN, COOLDOWN_CURVE
    elif (options.run / STATE).exists():
        run.load(STATE)
    elif options.start is not None:
        names = vars(options).keys() & Recipe.__dataclass_fields__.keys()
        run.start(options.start, Recipe(**{name: getattr(options, name) for name in names}))
    else:
        parser.error(f"{options.run} has no {STATE}: give --start.")
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
