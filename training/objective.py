"""What a step of training asks: hidden tokens, the encoder's states where they were, the loss over the vocabulary.

Nothing here knows of runs, files or optimisers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.corpus import EOS, Tokens
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM


def mask_tokens(
    tokens: Tokens, rate: float, mask_id: int, rng: np.random.Generator, apart: float = 0.0
) -> tuple[Tokens, Tokens, Tokens]:
    """Hide the same number of tokens in each row, so that rows stay a rectangle.

    Args:
        tokens: (rows, length) ids.
        rate: the share of tokens to hide.
        mask_id: of `<mask>`.
        rng: draws the places.
        apart: the share of the rows in which no two neighbours are hidden. What stands beside a place says most about
            it; where many are hidden evenly, most places lack one of their neighbours.

    Returns:
        The (rows, length) input; the (rows, hidden) places that are hidden; the (rows, hidden) tokens that were there,
        -100 where a row had too few to hide. Every hidden token becomes `<mask>`: none is kept or replaced by another,
        since filling masks is what the model is for and each prediction should teach that.
    """
    rows, length = tokens.shape
    count = max(1, round(rate * (length - 2)))
    special = tokens <= EOS  # <s>, <pad>, </s> come last
    pieces, room = np.argsort(special, axis=1, kind="stable"), (~special).sum(1)
    spread = np.where(np.arange(rows) < round(apart * rows), count - 1, 0)
    # `count` of n places no two of which are neighbours are as many of n - count + 1, each moved on by those before it.
    order = rng.random(tokens.shape)
    order[np.arange(length) >= (room - spread)[:, None]] = 2
    chosen = np.sort(np.argpartition(order, count, axis=1)[:, :count], axis=1)
    chosen += np.minimum(np.arange(count), spread[:, None])
    places = np.take_along_axis(pieces, np.minimum(chosen, length - 1), axis=1)  # a row of too few ends in </s>
    labels = np.take_along_axis(tokens, places, axis=1)
    inputs = tokens.copy()
    np.put_along_axis(inputs, places, np.where(labels > EOS, mask_id, labels), axis=1)
    return inputs, places, np.where(labels > EOS, labels, -100)


def run_until_last_layer(model: XLMRobertaXLForMaskedLM, inputs: Tensor) -> Tensor:
    """Return what the last layer reads, for ids (batch, sequence) without padding: (batch, sequence, hidden)."""
    stream = model.roberta.embeddings(inputs)
    for layer in model.roberta.encoder.layer[:-1]:
        stream = layer(stream)[0]
    return stream


def compute_masked_states(model: XLMRobertaXLForMaskedLM, stream: Tensor, places: Tensor) -> Tensor:
    """Return the encoder's last states at `places` (batch, n), from what its last layer reads: (batch, n, hidden).

    The same numbers as the model's own forward without padding. Nothing reads the last layer's states elsewhere, so
    its queries and its feed-forward are computed at those places only.
    """
    encoder = model.roberta.encoder
    last = encoder.layer[-1]
    attention = last.attention
    normed = attention.self_attn_layer_norm(stream)
    index = places[..., None].expand(-1, -1, stream.shape[-1])
    # As attention over an encoder's states, which here are those of all tokens.
    context = attention.self(normed.gather(1, index), encoder_hidden_states=normed)[0]
    return encoder.LayerNorm(last.feed_forward(attention.output(context, stream.gather(1, index))))


def compute_similarities(vectors: Tensor) -> Tensor:
    """Return the cosines between the rows of (n, hidden), their mean taken off: (n, n)."""
    unit = functional.normalize(vectors - vectors.mean(0), dim=-1)
    return unit @ unit.T


class Candidates:
    """The tokens that a step's softmax runs over: those that are hidden in it, and some drawn evenly from all.

    The LM head of 27,000 tokens costs as much at one place as the six layers do. Sampled softmax (Jean et al. 2015)
    makes it cheap enough to hide half of the tokens: a token's part of the sum is divided by its chance to be in it.
    """

    def __init__(self, frequencies: NDArray[np.float64], drawn: int) -> None:
        """Set what is drawn from.

        Args:
            frequencies: how often each token is drawn as text, (vocab_size,).
            drawn: how many to add a step.
        """
        self.frequencies, self.drawn = frequencies, min(drawn, len(frequencies))

    def pick(self, labels: Tokens, rng: np.random.Generator) -> tuple[Tokens, NDArray[np.float32]]:
        """Return the candidates in order, (n,), and minus the logarithm of the chance that each had to be one."""
        size = len(self.frequencies)
        ids = np.union1d(labels, rng.choice(size, self.drawn, replace=False))
        missed = (1 - self.drawn / size) * (1 - self.frequencies[ids]) ** len(labels)
        return ids, -np.log1p(-missed).astype(np.float32)


class TiedCrossEntropy(torch.autograd.Function):
    """The mean cross-entropy of the decoder's logits, with its gradients, as cheaply as a CPU can.

    Written out, the float32 logits and what autograd keeps of them are a fifth of a step. Here they exist once, in the
    products' type, and are turned into their own gradient in place, some rows at a time in float32.
    """

    ROWS = 128

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, offsets: Tensor, dtype: torch.dtype
    ) -> Tensor:
        """Return the mean loss.

        Args:
            ctx: where the gradients are kept.
            states: (n, hidden).
            weight: (tokens, hidden) of the decoder, of all tokens or of the candidates.
            bias: (tokens,) of the decoder.
            labels: (n,) rows of the weight.
            offsets: (tokens,), added to the logits of every token but the true one.
            dtype: of the products.
        """
        count = len(labels)
        narrow, table = states.to(dtype), weight.to(dtype)
        logits = narrow @ table.T
        loss, bias_gradient = bias.new_zeros(()), torch.zeros_like(bias)
        parts = (logits.split(TiedCrossEntropy.ROWS), labels[:, None].split(TiedCrossEntropy.ROWS))
        for rows, truth in zip(*parts, strict=True):
            gradient = (rows.float() + (bias + offsets)).scatter_add_(1, truth, -offsets[truth])
            gradient = gradient.log_softmax(-1)
            loss -= gradient.gather(1, truth).sum()
            gradient.exp_().div_(count).scatter_add_(1, truth, torch.full_like(truth, -1 / count, dtype=bias.dtype))
            bias_gradient += gradient.sum(0)
            rows.copy_(gradient)
        ctx.save_for_backward((logits @ table).to(states.dtype), (logits.T @ narrow).to(weight.dtype), bias_gradient)
        return loss / count

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients that the forward pass computed."""
        return *(gradient * outer[0] for gradient in ctx.saved_tensors), None, None, None


def compute_loss(
    model: XLMRobertaXLForMaskedLM,
    inputs: Tensor,
    places: Tensor,
    labels: Tensor,
    dtype: torch.dtype,
    candidates: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy at the hidden places, over all tokens or `candidates`.

    Args:
        model: the model that learns.
        inputs: (rows, length) ids with masks.
        places: (rows, hidden) of the masks.
        labels: (rows, hidden) ids that were there, -100 for none.
        dtype: of the products.
        candidates: the ids that the softmax runs over and their offsets, from `Candidates.pick`.

    Returns:
        The loss; the mean of each row's states before the last layer, (rows, hidden).
    """
    wanted, head = labels >= 0, model.lm_head
    with torch.autocast(inputs.device.type, dtype, enabled=dtype != torch.float32):
        stream = run_until_last_layer(model, inputs)
        states = head.layer_norm(functional.gelu(head.dense(compute_masked_states(model, stream, places)[wanted])))
    weight, bias, truth = head.decoder.weight, head.bias, labels[wanted]
    if candidates is None:
        offsets = torch.zeros_like(bias)
    else:
        ids, offsets = candidates
        weight, bias, truth = weight[ids], bias[ids], torch.searchsorted(ids, truth)
    loss: Tensor = TiedCrossEntropy.apply(states, weight, bias, truth, offsets, dtype)
    return loss, stream.float().mean(1)
