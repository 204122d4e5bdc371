"""The encoder, run a layer at a time: it gives the states, and any layer's attention again from the state before it.

Nothing is hooked into the model and nothing of it is changed, so several texts can be read at once by several threads,
and never more than one layer's weights are held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from xlmrxl.errors import InputError
from xlmrxl.loaded_model import LoadedModel
from xlmrxl.model.encoder import XLMRobertaXLLayer, XLMRobertaXLModel
from xlmrxl.progress import Progress


class LayerwiseEncoder:
    """The encoder of a loaded model, run one layer at a time.

    Attributes:
        loaded_model: whose encoder it is.
        layers: the modules.
        heads: how many each layer has.
    """

    def __init__(self, loaded_model: LoadedModel) -> None:
        """Take the layers of a model.

        Args:
            loaded_model: with any head.

        Raises:
            InputError: it is a decoder, or some of its heads were pruned.
        """
        base = loaded_model.model.base_model
        assert isinstance(base, XLMRobertaXLModel)
        self.loaded_model, self.base, self.config = loaded_model, base, loaded_model.model.config
        if self.config.is_decoder:
            raise InputError(
                f"{loaded_model.name} is a decoder (is_decoder in its config.json), of which attention cannot be "
                "inspected here. Load it with is_decoder set to false."
            )
        self.layers = [self._layer(i) for i in range(self.config.num_hidden_layers)]
        self.heads = self.config.num_attention_heads
        if any(layer.attention.pruned_heads for layer in self.layers):
            raise InputError(
                f"Some heads of {loaded_model.name} were pruned, so that its layers differ in their number of heads. "
                "Inspect the model from before it was pruned; ablate() switches heads off there."
            )

    def _layer(self, i: int) -> XLMRobertaXLLayer:
        layer = self.base.encoder.layer[i]
        assert isinstance(layer, XLMRobertaXLLayer)
        return layer

    @property
    def device(self) -> torch.device:
        """Where the texts enter the model; accelerate moves them on to wherever else parts of it are."""
        device = self.base.device
        return torch.device("cpu") if device.type == "meta" else device

    def embed(self, ids: list[int]) -> Tensor:
        """Return state 0 of one text, (1, sequence, hidden), from its ids."""
        embedded: Tensor = self.base.embeddings(torch.tensor([ids], device=self.device))
        return embedded

    def run_layer(self, layer: int, state: Tensor, head_mask: Tensor | None = None) -> Tensor:
        """Return the state that leaves a layer.

        Args:
            layer: which.
            state: the state that enters it, (batch, sequence, hidden).
            head_mask: (batch, heads, 1, 1), 0 where a head is switched off.
        """
        mask = None if head_mask is None else head_mask.to(state)
        out: Tensor = self.layers[layer](state, head_mask=mask)[0]
        return out

    def run_layer_without_heads(
        self, layer: int, state: Tensor, off: Sequence[int], positions: Sequence[int] | None = None
    ) -> Tensor:
        """Return the state that leaves a layer, with added rows: the first row without each of some heads in turn.

        The first row's attention serves for them: they differ from it only in what the output projection gets.

        Args:
            layer: which.
            state: the state that enters it, (rows, sequence, hidden).
            off: the heads, each to be switched off in an added row.
            positions: of the tokens whose state is wanted; all if not given.

        Returns:
            (rows + heads, tokens wanted, hidden).
        """
        module = self.layers[layer]
        attention = module.attention
        context = attention.self(attention.self_attn_layer_norm(state))[0]
        if off:
            mask = torch.ones(len(off), self.heads)
            mask[range(len(off)), off] = 0
            mask = mask.repeat_interleave(attention.self.attention_head_size, 1)[:, None].to(context)
            context = torch.cat([context, context[:1] * mask])
            state = torch.cat([state, state[:1].expand(len(off), -1, -1)])
        state = attention.output(context, state)
        return module.feed_forward(state if positions is None else state[:, positions])

    def run_layer_with_attention(self, layer: int, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state that leaves a layer, and its attention (heads, sequence, sequence) in float32."""
        out, weights, *_ = self.layers[layer](state, output_attentions=True)
        return out, weights[0].float()

    def compute_attention(self, layer: int, state: Tensor) -> Tensor:
        """Return the attention of a layer, (heads, sequence, sequence) in float32, from its state (sequence, hidden).

        By the same operations on the same numbers as in `run_layer_with_attention`, so to the last bit the same.
        """
        attention = self.layers[layer].attention
        normed = attention.self_attn_layer_norm(state.to(self.device)[None])
        weights: Tensor = attention.self(normed, output_attentions=True)[1]
        return weights[0].float()

    def compute_value_norms(self, layer: int, state: Tensor) -> Tensor:
        """Return ‖f(xⱼ)‖ of each head and token of a layer, (heads, sequence) in float32.

        f goes through the head's value projection, bias included, and the head's part of the output projection, bias
        left out (Kobayashi et al. 2020, Attention is Not Only a Weight, arXiv:2004.10102). x is what the layer's heads
        read, which in this model is the layer norm of the state.

        Args:
            layer: which.
            state: the state that enters it, (sequence, hidden).
        """
        attention = self.layers[layer].attention
        value = attention.self.value(attention.self_attn_layer_norm(state.to(self.device)[None]))[0].float()
        output = _read_matrix(attention.output.dense, value)
        size = attention.self.attention_head_size
        heads = [slice(start, start + size) for start in range(0, value.shape[1], size)]
        return torch.stack([(value[:, head] @ output[head].float()).norm(dim=-1) for head in heads])

    def apply_final_norm(self, state: Tensor) -> Tensor:
        """Return the last state: what leaves the last layer goes through the final layer norm."""
        out: Tensor = self.base.encoder.LayerNorm(state)
        return out

    def run(self, ids: list[int], on_attention: Callable[[int, Tensor], None], progress: Progress) -> Tensor:
        """Run a text through all layers.

        Args:
            ids: of one text.
            on_attention: called with each layer and its attention, as `run_layer_with_attention` gives it.
            progress: called with how many layers are done and how many there are.

        Returns:
            (layers + 1, sequence, hidden) states on the CPU, in the type that flows through the model; as in
            `output_hidden_states`, the last one is after the final layer norm and the others are not.
        """
        with torch.inference_mode():
            state = self.embed(ids)
        count = len(self.layers)
        states = torch.empty(count + 1, *state.shape[1:], dtype=state.dtype)
        for layer in range(count):
            with torch.inference_mode():
                states[layer] = state[0]
                state, weights = self.run_layer_with_attention(layer, state)
                on_attention(layer, weights)
                del weights
            progress(layer + 1, count)
        with torch.inference_mode():
            states[count] = self.loaded_model.require_finite(self.apply_final_norm(state)[0])
        return states


def _read_matrix(dense: nn.Module, like: Tensor) -> Tensor:
    """Return the weights of a linear layer of any precision, (inputs, outputs), on a device; its bias is left out."""
    if isinstance(dense, nn.Linear) and not dense.weight.is_meta:
        return dense.weight.T
    # Quantised or offloaded weights are to be had only by multiplying. The first row is there with either sign, which
    # gives the bias away.
    dtype = dense.weight.dtype if isinstance(dense, nn.Linear) else torch.float32
    ones = torch.eye(like.shape[1], dtype=dtype, device=like.device)
    out: Tensor = dense(torch.cat([ones, -ones[:1]]))
    return out[:-1] - (out[:1] + out[-1:]) / 2
