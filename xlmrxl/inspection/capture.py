"""The encoder run a layer at a time: its states, and the attention of any layer again from the state that enters it.

Nothing is hooked into the model and nothing of it is changed, so several texts can be read at once by several threads,
and never more than one layer's weights are held.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from xlmrxl.model.encoder import XLMRobertaXLLayer, XLMRobertaXLModel
from xlmrxl.progress import Progress

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

KEEPS = ("recompute", "fp16", "uint8")
"""How attention weights are held: not at all, or those of all heads in 16 or in 8 bits."""
HELD_BYTES = 1 << 26
"""What recomputed layers may take: all of XL's at 128 tokens but five, and one of 34 MB at 512 besides another."""


class Encoder:
    """The encoder of a session as a row of layers."""

    def __init__(self, session: LoadedModel) -> None:
        """session: with any head.

        Raises:
            ValueError: it is a decoder, or some of its heads were pruned.
        """
        base = session.model.base_model
        assert isinstance(base, XLMRobertaXLModel)
        self.session, self.base, self.config = session, base, session.model.config
        if self.config.is_decoder:
            raise ValueError(
                f"{session.name} is a decoder (is_decoder in its config.json), of which attention cannot be inspected "
                "here. Load it with is_decoder set to false."
            )
        self.layers = [self._layer(i) for i in range(self.config.num_hidden_layers)]
        self.heads = self.config.num_attention_heads
        if any(layer.attention.pruned_heads for layer in self.layers):
            raise ValueError(
                f"Some heads of {session.name} were pruned, so that its layers differ in their number of heads. "
                "Inspect the model from before it was pruned; ablate() switches heads off there."
            )

    def _layer(self, i: int) -> XLMRobertaXLLayer:
        layer = self.base.encoder.layer[i]
        assert isinstance(layer, XLMRobertaXLLayer)
        return layer

    @property
    def device(self) -> torch.device:
        """Where the texts enter; whatever of the model is elsewhere, accelerate moves them to."""
        device = self.base.device
        return torch.device("cpu") if device.type == "meta" else device

    def embed(self, ids: list[int]) -> Tensor:
        """Ids of one text to state 0, (1, sequence, hidden)."""
        embedded: Tensor = self.base.embeddings(torch.tensor([ids], device=self.device))
        return embedded

    def step(self, i: int, stream: Tensor, head_mask: Tensor | None = None) -> Tensor:
        """State i to state i + 1, both (batch, sequence, hidden); head_mask is (batch, heads, 1, 1)."""
        mask = None if head_mask is None else head_mask.to(stream)
        out: Tensor = self.layers[i](stream, head_mask=mask)[0]
        return out

    def branch(self, i: int, stream: Tensor, off: Sequence[int], at: Sequence[int] | None = None) -> Tensor:
        """State i to state i + 1, with rows added in which the first row goes on without one of the layer's heads.

        The first row's attention serves for them: they differ from it only in what the output projection gets.

        Args:
            i: the layer.
            stream: (rows, sequence, hidden).
            off: the heads, each to be switched off in an added row.
            at: tokens whose state is wanted; all if not given.

        Returns:
            (rows + heads, tokens wanted, hidden).
        """
        layer = self.layers[i]
        attention = layer.attention
        context = attention.self(attention.self_attn_layer_norm(stream))[0]
        if off:
            kept = torch.ones(len(off), self.heads)
            kept[range(len(off)), off] = 0
            kept = kept.repeat_interleave(attention.self.attention_head_size, 1)[:, None].to(context)
            context = torch.cat([context, context[:1] * kept])
            stream = torch.cat([stream, stream[:1].expand(len(off), -1, -1)])
        stream = attention.output(context, stream)
        return layer.feed_forward(stream if at is None else stream[:, at])

    def step_and_look(self, i: int, stream: Tensor) -> tuple[Tensor, Tensor]:
        """State i to state i + 1, and the layer's attention (heads, sequence, sequence) in float32."""
        out, weights, *_ = self.layers[i](stream, output_attentions=True)
        return out, weights[0].float()

    def look(self, i: int, state: Tensor) -> Tensor:
        """The attention (heads, sequence, sequence) of layer i, in float32, from its state (sequence, hidden).

        By the same operations on the same numbers as in `step_and_look`, so to the last bit the same.
        """
        attention = self.layers[i].attention
        normed = attention.self_attn_layer_norm(state.to(self.device)[None])
        weights: Tensor = attention.self(normed, output_attentions=True)[1]
        return weights[0].float()

    def value_norms(self, i: int, state: Tensor) -> Tensor:
        """‖f(xⱼ)‖ of each head and token of layer i, (heads, sequence) in float32, from its state (sequence, hidden).

        f goes through the head's value projection, bias included, and the head's part of the output projection, bias
        left out (Kobayashi et al. 2020, Attention is Not Only a Weight, arXiv:2004.10102). x is what the layer's heads
        read, which in this model is the layer norm of the state.
        """
        attention = self.layers[i].attention
        value = attention.self.value(attention.self_attn_layer_norm(state.to(self.device)[None]))[0].float()
        output = _map_of(attention.output.dense, value)
        size = attention.self.attention_head_size
        heads = [slice(start, start + size) for start in range(0, value.shape[1], size)]
        return torch.stack([(value[:, head] @ output[head].float()).norm(dim=-1) for head in heads])

    def finish(self, stream: Tensor) -> Tensor:
        """What leaves the last layer to the last state: through the final layer norm."""
        out: Tensor = self.base.encoder.LayerNorm(stream)
        return out

    def read(self, ids: list[int], look: Callable[[int, Tensor], None], progress: Progress) -> Tensor:
        """Run a text through all layers.

        Args:
            ids: of one text.
            look: is shown each layer's number and its attention, as from `step_and_look`.
            progress: is told how many layers are done and how many there are.

        Returns:
            (layers + 1, sequence, hidden) states on the CPU, in the type that flows through the model; as in
            `output_hidden_states`, the last one is after the final layer norm and the others are not.
        """
        with torch.inference_mode():
            stream = self.embed(ids)
        count = len(self.layers)
        states = torch.empty(count + 1, *stream.shape[1:], dtype=stream.dtype)
        for i in range(count):
            with torch.inference_mode():
                states[i] = stream[0]
                stream, weights = self.step_and_look(i, stream)
                look(i, weights)
                del weights
            progress(i + 1, count)
        with torch.inference_mode():
            states[count] = self.session.require_finite(self.finish(stream)[0])
        return states


def _map_of(dense: nn.Module, like: Tensor) -> Tensor:
    """The weights of a linear layer of any precision, (inputs, outputs), on a device; its bias is left out."""
    if isinstance(dense, nn.Linear) and not dense.weight.is_meta:
        return dense.weight.T
    # Quantised or offloaded weights are to be had only by multiplying. The first row is there with either sign, which
    # gives the bias away.
    dtype = dense.weight.dtype if isinstance(dense, nn.Linear) else torch.float32
    ones = torch.eye(like.shape[1], dtype=dtype, device=like.device)
    out: Tensor = dense(torch.cat([ones, -ones[:1]]))
    return out[:-1] - (out[:1] + out[-1:]) / 2


class Kept:
    """The attention of all layers in 16 or 8 bits."""

    def __init__(self, form: str) -> None:
        """form: `"fp16"` or `"uint8"`; the latter with a scale for each row, so that a weight is at most 1/510 of the
        largest in its row off."""
        self.form = form
        self._layers: list[tuple[Tensor, Tensor | None]] = []

    def add(self, weights: Tensor) -> None:
        """The next layer's, (heads, sequence, sequence)."""
        if self.form == "fp16":
            self._layers.append((weights.half().cpu(), None))
        else:
            scales = (weights.amax(-1, keepdim=True) / 255).clamp(min=torch.finfo(torch.float32).tiny)
            self._layers.append(((weights / scales).round().to(torch.uint8).cpu(), scales.cpu()))

    def get(self, i: int) -> Tensor:
        """Layer i's, (heads, sequence, sequence) in float32."""
        weights, scales = self._layers[i]
        return weights.float() if scales is None else weights.float() * scales

    @property
    def nbytes(self) -> int:
        """What it takes."""
        return sum(part.nbytes for parts in self._layers for part in parts if part is not None)


class Recent:
    """The layers that were asked for last, made again when they are not among them."""

    def __init__(self, make: Callable[[int], Tensor], most: int = HELD_BYTES) -> None:
        """make: from a layer's number to its attention; most: bytes to hold, though one layer always is."""
        self._make, self._most = make, most
        self._held: OrderedDict[int, Tensor] = OrderedDict()
        self._lock = Lock()

    def get(self, i: int) -> Tensor:
        """Layer i's."""
        with self._lock:
            if i in self._held:
                self._held.move_to_end(i)
                return self._held[i]
        made = self._make(i)
        with self._lock:
            self._held[i] = made
            while len(self._held) > 1 and self.nbytes > self._most:
                self._held.popitem(last=False)
        return made

    @property
    def nbytes(self) -> int:
        """What it takes."""
        return sum(part.nbytes for part in self._held.values())
