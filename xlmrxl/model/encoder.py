"""The XLM-RoBERTa-XL encoder (Goyal et al. 2021, arXiv:2105.00572), from embeddings to `XLMRobertaXLModel`.

A pre-LN transformer: every sublayer normalises its input and adds to the stream, and one layer norm ends the
encoder. Module names are the keys of the published checkpoints. Numbers equal those of transformers 4.37.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu
from torch.utils.checkpoint import checkpoint

from xlmrxl.errors import InputError
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.outputs import BaseModelOutputWithPoolingAndCrossAttentions, Pasts
from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel
from xlmrxl.quantization.upcast import UpcastLinear

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": nn.functional.gelu,
    "relu": nn.functional.relu,
    "silu": nn.functional.silu,
    "swish": nn.functional.silu,
    "gelu_new": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "tanh": torch.tanh,
}


class XLMRobertaXLEmbeddings(nn.Module):
    """Word, position and token-type embeddings, added. No layer norm follows, unlike in XLM-R base and large."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the tables of words, positions and token types."""
        super().__init__()
        self.padding_idx = config.pad_token_id
        self.absolute = config.position_embedding_type == "absolute"
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=self.padding_idx)
        self.position_embeddings = nn.Embedding(
            config.max_position_embeddings, config.hidden_size, padding_idx=self.padding_idx
        )
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values_length: int = 0,
    ) -> Tensor:
        """Embed (batch, sequence) ids, or (batch, sequence, hidden) word embeddings, as (batch, sequence, hidden)."""
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.word_embeddings(input_ids)
        if token_type_ids is None:
            token_type_ids = torch.zeros(inputs_embeds.shape[:-1], dtype=torch.long, device=inputs_embeds.device)
        out = inputs_embeds + self.token_type_embeddings(token_type_ids)
        if self.absolute:
            if position_ids is None:
                position_ids = self._positions(input_ids, inputs_embeds, past_key_values_length)
            out = out + self.position_embeddings(position_ids)
        embedded: Tensor = self.dropout(out)
        return embedded

    def _positions(self, input_ids: Tensor | None, inputs_embeds: Tensor, past_length: int) -> Tensor:
        """Return positions that begin at `pad_token_id` + 1; padding keeps `pad_token_id`, as in fairseq."""
        if input_ids is None:
            length = inputs_embeds.shape[1]
            start = self.padding_idx + 1
            positions = torch.arange(start, start + length, device=inputs_embeds.device)
            positions = positions.expand(inputs_embeds.shape[:-1])
        else:
            real = input_ids.ne(self.padding_idx).long()
            positions = (real.cumsum(dim=1) + past_length) * real + self.padding_idx
        table = self.position_embeddings.num_embeddings
        # Only a text that could be too long is looked at, so that the usual one costs no transfer from the GPU.
        if past_length + positions.shape[1] + self.padding_idx >= table and int(positions.max()) >= table:
            raise InputError(
                f"The text has {int(positions.max()) - self.padding_idx} tokens, but this model reads at most "
                f"{table - self.padding_idx - 1}. Shorten it, or tokenize with truncation=True."
            )
        return positions


class XLMRobertaXLSelfAttention(nn.Module):
    """Attention of several heads, over its own input or over an encoder's states."""

    def __init__(self, config: XLMRobertaXLConfig, position_embedding_type: str) -> None:
        """Build the projections; `position_embedding_type` is the config's, or `absolute` in cross-attention."""
        super().__init__()
        self.num_attention_heads = config.num_attention_heads
        self.attention_head_size = config.hidden_size // config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.is_decoder = config.is_decoder
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.position_embedding_type = position_embedding_type
        self.sdpa = config.attn_implementation == "sdpa" and position_embedding_type == "absolute"
        if position_embedding_type != "absolute":
            self.max_position_embeddings = config.max_position_embeddings
            self.distance_embedding = nn.Embedding(2 * config.max_position_embeddings - 1, self.attention_head_size)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_value: tuple[Tensor, ...] | None = None,
        output_attentions: bool = False,
    ) -> tuple[Any, ...]:
        """Return the context (batch, sequence, heads × size), the weights if asked for, a decoder's keys and values."""
        query = self._split_heads(self.query(hidden_states))
        if encoder_hidden_states is not None:
            attention_mask = encoder_attention_mask
        if encoder_hidden_states is not None and past_key_value is not None:
            key, value = past_key_value
        else:
            source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
            key, value = self._split_heads(self.key(source)), self._split_heads(self.value(source))
            if past_key_value is not None:
                key = torch.cat([past_key_value[0], key], dim=2)
                value = torch.cat([past_key_value[1], value], dim=2)

        weights: Tensor | None = None
        # A mask of whole heads scales their context as it scales their weights; one within a head does not.
        whole_heads = head_mask is None or head_mask.shape[-2:] == (1, 1)
        if self.sdpa and whole_heads and not output_attentions:
            dropout = self.dropout.p if self.training else 0.0
            context = nn.functional.scaled_dot_product_attention(
                query, key, value, attn_mask=attention_mask, dropout_p=dropout
            )
            if head_mask is not None:
                context = context * head_mask
        else:
            weights = self._weights(query, key, attention_mask, head_mask)
            context = weights @ value
        outputs: tuple[Any, ...] = (self._join_heads(context),)
        if output_attentions:
            outputs += (weights,)
        return (*outputs, (key, value)) if self.is_decoder else outputs

    def _weights(self, query: Tensor, key: Tensor, attention_mask: Tensor | None, head_mask: Tensor | None) -> Tensor:
        scores = query @ key.transpose(-1, -2)
        if self.position_embedding_type != "absolute":
            scores = scores + self._relative_scores(query, key)
        scores = scores / math.sqrt(self.attention_head_size)
        if attention_mask is not None:
            scores = scores + attention_mask
        weights: Tensor = self.dropout(scores.softmax(dim=-1))
        return weights if head_mask is None else weights * head_mask

    def _relative_scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Score the distance between query and key by learned embeddings (Shaw et al. 2018; Huang et al. 2020)."""
        queries, keys = query.shape[2], key.shape[2]
        if keys > self.max_position_embeddings:
            raise InputError(
                f"The text has {keys} tokens, but this model reads at most {self.max_position_embeddings}."
            )
        at_query = torch.arange(keys - queries, keys, device=query.device)[:, None]
        at_key = torch.arange(keys, device=query.device)[None, :]
        embedded = self.distance_embedding(at_query - at_key + self.max_position_embeddings - 1).to(query.dtype)
        scores = torch.einsum("bhqd,qkd->bhqk", query, embedded)
        if self.position_embedding_type == "relative_key_query":
            scores = scores + torch.einsum("bhkd,qkd->bhqk", key, embedded)
        return scores

    def _split_heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.num_attention_heads, self.attention_head_size).transpose(1, 2)

    def _join_heads(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(-2)


class XLMRobertaXLSelfOutput(nn.Module):
    """Mixes the heads and adds the stream."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, context: Tensor, stream: Tensor) -> Tensor:
        """Add what the heads found, (batch, sequence, heads × size), to the stream, (batch, sequence, hidden)."""
        added: Tensor = self.dropout(self.dense(context)) + stream
        return added


class XLMRobertaXLAttention(nn.Module):
    """The attention sublayer: layer norm, heads, output, residual."""

    def __init__(self, config: XLMRobertaXLConfig, position_embedding_type: str | None = None) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.self_attn_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self = XLMRobertaXLSelfAttention(config, position_embedding_type or config.position_embedding_type)
        self.output = XLMRobertaXLSelfOutput(config)
        self.pruned_heads: set[int] = set()

    def prune_heads(self, heads: Iterable[int]) -> None:
        """Remove heads for good, by their original numbers; those already gone are passed over."""
        heads = list(heads)
        total = self.self.num_attention_heads + len(self.pruned_heads)
        wrong = [head for head in heads if not 0 <= head < total]
        if wrong:
            raise InputError(f"There is no head {wrong[0]}: a layer has heads 0 to {total - 1}.")
        gone = self.pruned_heads | set(heads)
        if gone == self.pruned_heads:
            return
        old = [head for head in range(total) if head not in self.pruned_heads]
        kept = [place for place, head in enumerate(old) if head not in gone]
        size = self.self.attention_head_size
        index = torch.tensor([place * size + i for place in kept for i in range(size)], dtype=torch.long)
        for name in ("query", "key", "value"):
            setattr(self.self, name, _prune_linear(getattr(self.self, name), index, dim=0))
        self.output.dense = _prune_linear(self.output.dense, index, dim=1)
        self.self.num_attention_heads = len(kept)
        self.pruned_heads = gone

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_value: tuple[Tensor, ...] | None = None,
        output_attentions: bool = False,
    ) -> tuple[Any, ...]:
        """Add the heads' work to the stream (batch, sequence, hidden); what else there is stands as in `self`."""
        normed = self.self_attn_layer_norm(hidden_states)
        context, *rest = self.self(
            normed,
            attention_mask,
            head_mask,
            encoder_hidden_states,
            encoder_attention_mask,
            past_key_value,
            output_attentions,
        )
        return (self.output(context, hidden_states), *rest)


class XLMRobertaXLIntermediate(nn.Module):
    """The first half of the feed-forward sublayer."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        act = config.hidden_act
        self.intermediate_act_fn = ACTIVATIONS[act] if isinstance(act, str) else act

    def forward(self, x: Tensor) -> Tensor:
        """Widen (…, hidden) to (…, intermediate)."""
        activated: Tensor = self.intermediate_act_fn(self.dense(x))
        return activated


class XLMRobertaXLOutput(nn.Module):
    """The second half of the feed-forward sublayer, and the residual. No dropout here, unlike in BERT."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.dense = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor, stream: Tensor) -> Tensor:
        """Add what (…, intermediate) is mapped to to the stream, (…, hidden)."""
        added: Tensor = self.dense(x) + stream
        return added


class XLMRobertaXLLayer(nn.Module):
    """Self-attention, cross-attention in a decoder that has it, feed-forward."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.chunk_size_feed_forward = config.chunk_size_feed_forward
        self.is_decoder = config.is_decoder
        self.attention = XLMRobertaXLAttention(config)
        if config.add_cross_attention:
            if not config.is_decoder:
                raise InputError("add_cross_attention needs is_decoder=True in the config as well.")
            self.crossattention = XLMRobertaXLAttention(config, position_embedding_type="absolute")
        self.intermediate = XLMRobertaXLIntermediate(config)
        self.output = XLMRobertaXLOutput(config)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_value: tuple[Tensor, ...] | None = None,
        output_attentions: bool = False,
    ) -> tuple[Any, ...]:
        """Run the layer; what is absent takes no place in the tuple.

        Returns:
            The stream (batch, sequence, hidden); with `output_attentions` the weights of the self-attention and, if
            there is one, of the cross-attention; of a decoder, the keys and values (2 or 4).
        """
        own_past = None if past_key_value is None else past_key_value[:2]
        stream, *rest = self.attention(
            hidden_states, attention_mask, head_mask, past_key_value=own_past, output_attentions=output_attentions
        )
        present: tuple[Tensor, ...] = rest.pop() if self.is_decoder else ()
        if self.is_decoder and encoder_hidden_states is not None:
            if not hasattr(self, "crossattention"):
                raise InputError("encoder_hidden_states were given, but the config lacks add_cross_attention=True.")
            cross_past = None if past_key_value is None else past_key_value[-2:]
            stream, *cross_weights, cross_present = self.crossattention(
                stream,
                attention_mask,
                head_mask,
                encoder_hidden_states,
                encoder_attention_mask,
                cross_past,
                output_attentions,
            )
            rest += cross_weights
            present += cross_present
        if self.chunk_size_feed_forward > 0:
            chunks = torch.split(stream, self.chunk_size_feed_forward, dim=1)
            stream = torch.cat([self.feed_forward(chunk) for chunk in chunks], dim=1)
        else:
            stream = self.feed_forward(stream)
        return (stream, *rest, present) if self.is_decoder else (stream, *rest)

    def feed_forward(self, stream: Tensor) -> Tensor:
        """Return the stream with the feed-forward sublayer's work added."""
        out: Tensor = self.output(self.intermediate(self.LayerNorm(stream)), stream)
        return out


class XLMRobertaXLEncoder(nn.Module):
    """The layers and the final layer norm."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.layer = nn.ModuleList(XLMRobertaXLLayer(config) for _ in range(config.num_hidden_layers))
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.gradient_checkpointing = False
        self.checkpoint_options: dict[str, Any] = {}  # of torch.utils.checkpoint.checkpoint
        self.checkpoint_every, self.checkpoint_offload = 1, False

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Pasts | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = False,
        output_hidden_states: bool | None = False,
    ) -> BaseModelOutputWithPoolingAndCrossAttentions:
        """Take the stream (batch, sequence, hidden) through all layers, and keep what is asked for on the way."""
        stream = hidden_states
        hidden: list[Tensor] = []
        attentions: list[Tensor] = []
        cross_attentions: list[Tensor] = []
        presents: list[tuple[Tensor, ...]] = []
        recompute = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        for i, layer in enumerate(self.layer):
            if output_hidden_states:
                hidden.append(stream)
            arguments = (
                stream,
                attention_mask,
                None if head_mask is None else head_mask[i],
                encoder_hidden_states,
                encoder_attention_mask,
                None if past_key_values is None else past_key_values[i],
                output_attentions,
            )
            if recompute and i % self.checkpoint_every == 0:
                options: dict[str, Any] = {"use_reentrant": False, **self.checkpoint_options}
                with save_on_cpu(pin_memory=stream.is_cuda) if self.checkpoint_offload else nullcontext():
                    stream, *rest = checkpoint(layer, *arguments, **options)
            else:
                stream, *rest = layer(*arguments)
            if use_cache:
                presents.append(rest[-1])
            if output_attentions:
                attentions.append(rest[0])
                if encoder_hidden_states is not None and hasattr(layer, "crossattention"):
                    cross_attentions.append(rest[1])
        stream = self.LayerNorm(stream)
        if output_hidden_states:
            hidden.append(stream)
        return BaseModelOutputWithPoolingAndCrossAttentions(
            last_hidden_state=stream,
            hidden_states=tuple(hidden) if output_hidden_states else None,
            past_key_values=tuple(presents) if use_cache else None,
            attentions=tuple(attentions) if output_attentions else None,
            cross_attentions=tuple(cross_attentions) if cross_attentions else None,
        )


class XLMRobertaXLPooler(nn.Module):
    """A dense layer and tanh on the first token. The published checkpoints have no weights for it."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Pool (batch, sequence, hidden) to (batch, hidden): the first token's state."""
        return torch.tanh(self.dense(hidden_states[:, 0]))


class XLMRobertaXLModel(XLMRobertaXLPreTrainedModel):
    """The bare encoder (or, with `is_decoder`, decoder), without a head.

    Args:
        config: the architecture.
        add_pooling_layer: whether to pool the first token as well.
    """

    def __init__(self, config: XLMRobertaXLConfig, add_pooling_layer: bool = True) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__(config)
        self.embeddings = XLMRobertaXLEmbeddings(config)
        self.encoder = XLMRobertaXLEncoder(config)
        self.pooler = XLMRobertaXLPooler(config) if add_pooling_layer else None
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the word embeddings, (vocabulary, hidden)."""
        return self.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embeddings."""
        self.embeddings.word_embeddings = value

    def _prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        for layer, heads in heads_to_prune.items():
            attention = self.encoder.layer[layer].attention
            assert isinstance(attention, XLMRobertaXLAttention)
            attention.prune_heads(heads)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Pasts | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPoolingAndCrossAttentions | tuple[Any, ...]:
        """Run the encoder.

        Args:
            input_ids: (batch, sequence) ids; or give `inputs_embeds`.
            attention_mask: (batch, sequence), 1 for tokens and 0 for padding; or (batch, sequence, sequence) with
                what each token may see.
            token_type_ids: (batch, sequence); zeros if None.
            position_ids: (batch, sequence) rows of the position table.
            head_mask: (heads,) or (layers, heads), 0 for heads to switch off; or (layers, batch, heads, 1, 1) for a
                choice of its own in each text.
            inputs_embeds: (batch, sequence, hidden) in place of the word embeddings of ids.
            encoder_hidden_states: (batch, encoder sequence, hidden) for the cross-attention of a decoder.
            encoder_attention_mask: (batch, encoder sequence) or (batch, sequence, encoder sequence).
            past_key_values: keys and values from an earlier call of a decoder.
            use_cache: whether a decoder returns its keys and values.
            output_attentions: whether to return the weights of every layer.
            output_hidden_states: whether to return the states of every layer.
            return_dict: whether to return a named output (the default) or a tuple.

        Raises:
            InputError: neither or both of ids and embeddings, a mask of a wrong shape, or a text too long.
        """
        config = self.config
        if (input_ids is None) == (inputs_embeds is None):
            raise InputError("Give either input_ids or inputs_embeds, and not both.")
        use_cache = config.is_decoder and (config.use_cache if use_cache is None else use_cache)
        if self.encoder.gradient_checkpointing and self.training:
            use_cache = False
        past_length = 0 if past_key_values is None else past_key_values[0][0].shape[2]
        embedded = self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds, past_length)
        if not config.is_decoder or encoder_hidden_states is None:
            encoder_attention_mask = None
        elif encoder_attention_mask is not None:
            encoder_attention_mask = make_additive_mask(encoder_attention_mask, embedded, causal=False)
        out: BaseModelOutputWithPoolingAndCrossAttentions = self.encoder(
            embedded,
            attention_mask=make_additive_mask(
                attention_mask, embedded, causal=config.is_decoder, past_length=past_length
            ),
            head_mask=None if head_mask is None else expand_head_mask(head_mask, config.num_hidden_layers, embedded),
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            past_key_values=past_key_values,
            use_cache=use_cache,
            output_attentions=config.output_attentions if output_attentions is None else output_attentions,
            output_hidden_states=config.output_hidden_states if output_hidden_states is None else output_hidden_states,
        )
        if self.pooler is not None:
            out.pooler_output = self.pooler(out.last_hidden_state)
        if config.use_return_dict if return_dict is None else return_dict:
            return out
        kept = (out.past_key_values, out.hidden_states, out.attentions, out.cross_attentions)
        return (out.last_hidden_state, out.pooler_output, *(part for part in kept if part is not None))


def make_additive_mask(mask: Tensor | None, like: Tensor, *, causal: bool, past_length: int = 0) -> Tensor | None:
    """Return what is added to attention scores: 0 where a token may look, the lowest number where it may not.

    Args:
        mask: (batch, keys) or (batch, queries, keys) of ones and zeros; None for all ones.
        like: the embeddings (batch, queries, hidden), for their length, type and device.
        causal: whether a token sees only itself and those before it; a three-dimensional mask decides alone.
        past_length: keys that came before the first query.
    """
    if mask is None and not causal:
        return None
    length = like.shape[1]
    if mask is None:
        mask = torch.ones(like.shape[0], length + past_length, device=like.device)
    if mask.dim() == 3:
        mask = mask[:, None]
    elif mask.dim() != 2:
        raise InputError(
            f"The attention mask has shape {tuple(mask.shape)}; it must be (batch, sequence) or "
            "(batch, sequence, sequence)."
        )
    elif causal:
        keys = torch.arange(mask.shape[1], device=like.device)
        queries = torch.arange(length, device=like.device) + mask.shape[1] - length
        mask = mask[:, None, None, :] * (keys[None, :] <= queries[:, None])
    else:
        mask = mask[:, None, None, :]
    return (1.0 - mask.to(like.dtype)) * torch.finfo(like.dtype).min


def expand_head_mask(mask: Tensor, layers: int, like: Tensor) -> Tensor:
    """Expand (heads,) or (layers, heads) to (layers, 1, heads, 1, 1); five dimensions are taken as they are."""
    if mask.dim() == 1:
        mask = mask.expand(layers, -1)
    if mask.dim() == 2:
        mask = mask[:, None, :, None, None]
    if mask.dim() != 5 or mask.shape[0] != layers:
        raise InputError(
            f"head_mask has shape {tuple(mask.shape)}; it must be (heads,) or (layers, heads) with {layers} layers."
        )
    return mask.to(like)


def _prune_linear(linear: nn.Linear, index: Tensor, dim: int) -> nn.Linear:
    """Return a linear layer with only some of its outputs (dim 0) or inputs (dim 1)."""
    if not isinstance(linear, nn.Linear):
        raise InputError("Heads of quantised layers cannot be pruned. Prune the model in 16 bits, then quantise it.")
    index = index.to(linear.weight.device)
    weight = linear.weight.detach().index_select(dim, index)
    bias = linear.bias.detach() if dim == 1 else linear.bias.detach()[index]
    kind = UpcastLinear if isinstance(linear, UpcastLinear) else nn.Linear
    out = kind(weight.shape[1], weight.shape[0], device="meta", dtype=weight.dtype)
    out.weight = nn.Parameter(weight.clone(), requires_grad=linear.weight.requires_grad)
    out.bias = nn.Parameter(bias.clone(), requires_grad=linear.bias.requires_grad)
    return out
