"""The heads: what is put on the encoder for each task, with the losses of transformers 4.37.2."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from xlmrxl.checkpoints.hub import resolve_file
from xlmrxl.errors import InputError
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.encoder import XLMRobertaXLModel
from xlmrxl.model.generation import (
    GENERATION_NAME,
    Criterion,
    GenerateOutput,
    GenerationOptions,
    Processor,
    generate,
)
from xlmrxl.model.outputs import (
    BaseModelOutputWithPoolingAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
    MaskedLMOutput,
    ModelOutput,
    MultipleChoiceModelOutput,
    Pasts,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel

Result = TypeVar("Result", bound=ModelOutput)


class _Head(XLMRobertaXLPreTrainedModel):
    """What every model with a head does: run the encoder, and return the head's results with what it kept."""

    roberta: XLMRobertaXLModel

    def _encode(self, **inputs: Any) -> BaseModelOutputWithPoolingAndCrossAttentions:
        out: BaseModelOutputWithPoolingAndCrossAttentions = self.roberta(**inputs, return_dict=True)
        return out

    def _result(
        self, result: Result, out: BaseModelOutputWithPoolingAndCrossAttentions, return_dict: bool | None
    ) -> Result | tuple[Any, ...]:
        kept = {
            "past_key_values": out.past_key_values,
            "hidden_states": out.hidden_states,
            "attentions": out.attentions,
            "cross_attentions": out.cross_attentions,
        }
        if self.config.use_return_dict if return_dict is None else return_dict:
            for name, value in kept.items():
                if hasattr(result, name):
                    result[name] = value
            return result
        return (*result.to_tuple(), *(value for value in kept.values() if value is not None))


class XLMRobertaXLLMHead(nn.Module):
    """Dense, gelu, layer norm, and the word embeddings (usually tied) as a map to the vocabulary."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the dense layer, its norm and the decoder, whose weight `tie_weights` replaces."""
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)
        self.bias = self.decoder.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, features: Tensor) -> Tensor:
        """Score the tokens of the vocabulary: (…, hidden) to (…, vocabulary)."""
        logits: Tensor = self.decoder(self.layer_norm(nn.functional.gelu(self.dense(features))))
        return logits


class _LanguageModel(_Head):
    """What the two language models share: the encoder without pooling, and the LM head."""

    _tied_weights_keys: ClassVar[list[str] | None] = ["lm_head.decoder.weight", "lm_head.decoder.bias"]

    @property
    def _keys_to_ignore_on_save(self) -> list[str] | None:  # type: ignore[override] # what a checkpoint leaves out
        return self._tied_weights_keys if self.config.tie_word_embeddings else None

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        super().__init__(config)
        self.roberta = XLMRobertaXLModel(config, add_pooling_layer=False)
        self.lm_head = XLMRobertaXLLMHead(config)
        self.post_init()

    def get_output_embeddings(self) -> nn.Linear:
        """Return the layer that maps states to the vocabulary."""
        return self.lm_head.decoder

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Replace the map to the vocabulary."""
        self.lm_head.decoder = new_embeddings
        self.lm_head.bias = new_embeddings.bias


class XLMRobertaXLForMaskedLM(_LanguageModel):
    """Predicts masked tokens."""

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
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        logits_mask: Tensor | None = None,
    ) -> MaskedLMOutput | tuple[Any, ...]:
        """Run the model with the arguments of `XLMRobertaXLModel.forward`, labels and a mask of positions.

        `labels` are (batch, sequence) ids of the true tokens, -100 where there is nothing to predict.

        `logits_mask` is (batch, sequence) booleans: the positions to predict at. Then `logits` is
        (positions, vocabulary), in the order of reading, and the loss is that of these positions. Logits at every
        position are the largest waste in this model: 250,880 numbers a token.
        """
        out = self._encode(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        states = out.last_hidden_state
        if logits_mask is not None:
            if logits_mask.shape != states.shape[:2] or logits_mask.dtype != torch.bool:
                raise InputError(
                    f"logits_mask must be booleans of shape {tuple(states.shape[:2])}, not {logits_mask.dtype} of "
                    f"shape {tuple(logits_mask.shape)}."
                )
            states = states[logits_mask]
            labels = None if labels is None else labels[logits_mask]
        logits = self.lm_head(states)
        loss = None if labels is None else nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten())
        return self._result(MaskedLMOutput(loss=loss, logits=logits), out, return_dict)


class XLMRobertaXLForCausalLM(_LanguageModel):
    """Predicts the next token; set `is_decoder` in the config."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__(config)
        self.generation_config = GenerationOptions.of(config)

    def _read_further(self, name_or_path: str | os.PathLike[str], where: dict[str, Any]) -> None:
        file = resolve_file(name_or_path, GENERATION_NAME, required=False, **where)
        if file is not None:
            self.generation_config = self.generation_config.read(file)

    def _save_further(self, folder: Path) -> None:
        self.generation_config.save(folder / GENERATION_NAME)

    def generate(
        self,
        inputs: Tensor | None = None,
        generation_config: Any = None,
        logits_processor: Iterable[Processor] | None = None,
        stopping_criteria: Iterable[Criterion] | None = None,
        *,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        **options: Any,
    ) -> Tensor | GenerateOutput:
        """Continue texts: greedily, with `do_sample` at random, with `num_beams` by a beam search.

        Args:
            inputs: (texts, length) ids, shorter ones padded on the left; the beginning of a text if None.
            generation_config: `GenerationOptions`, a dict, or a `GenerationConfig` of transformers; those of the model
                if None.
            logits_processor: functions of the ids so far and the scores (rows, vocabulary), which return scores.
            stopping_criteria: functions of the same that say whether to stop.
            input_ids: another name for `inputs`.
            attention_mask: (texts, length), 0 at padding; read off the ids if None.
            encoder_hidden_states: (texts, encoder length, hidden) for the cross-attention.
            encoder_attention_mask: (texts, encoder length), 0 at padding.
            **options: those of `generation.GenerationOptions`, such as `max_new_tokens=20`.

        Returns:
            (texts, length) ids, the prompts included; with `return_dict_in_generate` a `GenerateOutput`.

        Raises:
            TypeError: an option that there is not.
            InputError: one that cannot be had, or a prompt that leaves no room.
        """
        if not self.config.is_decoder:
            raise InputError("Only a decoder generates text: load the model with is_decoder=True.")
        base = generation_config if isinstance(generation_config, GenerationOptions) else self.generation_config
        chosen = base.update(None if base is generation_config else generation_config, options)
        ids = inputs if inputs is not None else input_ids
        if ids is None:
            if chosen.bos_token_id is None:
                raise InputError("Give input_ids: the model has no bos_token_id to begin a text with.")
            ids = torch.full((1, 1), chosen.bos_token_id, device=self.device)
        encoder = {"encoder_hidden_states": encoder_hidden_states, "encoder_attention_mask": encoder_attention_mask}
        out = generate(
            self,
            ids,
            attention_mask,
            chosen,
            logits_processor or (),
            stopping_criteria or (),
            **{name: value for name, value in encoder.items() if value is not None},
        )
        if chosen.return_dict_in_generate:
            return out
        assert out.sequences is not None
        return out.sequences

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        past_key_values: Pasts | None = None,
        attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the arguments of a call that goes on from what was computed before."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        ids = input_ids if past_key_values is None else input_ids[:, -1:]
        return {"input_ids": ids, "attention_mask": attention_mask, "past_key_values": past_key_values}

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
        labels: Tensor | None = None,
        past_key_values: Pasts | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> CausalLMOutputWithCrossAttentions | tuple[Any, ...]:
        """Run the model with the arguments of `XLMRobertaXLModel.forward` and labels.

        `labels` are (batch, sequence) ids, -100 to ignore; they are shifted here, so give the input ids themselves.
        """
        out = self._encode(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            past_key_values=past_key_values,
            use_cache=False if labels is not None else use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        logits = self.lm_head(out.last_hidden_state)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return self._result(CausalLMOutputWithCrossAttentions(loss=loss, logits=logits), out, return_dict)


class XLMRobertaXLClassificationHead(nn.Module):
    """Dense, tanh and projection on the first token, each after dropout."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(_classifier_dropout(config))
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, features: Tensor) -> Tensor:
        """Score the labels: (batch, sequence, hidden) to (batch, labels)."""
        x = torch.tanh(self.dense(self.dropout(features[:, 0])))
        logits: Tensor = self.out_proj(self.dropout(x))
        return logits


class XLMRobertaXLForSequenceClassification(_Head):
    """One label, several labels, or numbers, for a text or a pair of texts."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__(config)
        self.num_labels = config.num_labels
        self.roberta = XLMRobertaXLModel(config, add_pooling_layer=False)
        self.classifier = XLMRobertaXLClassificationHead(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[Any, ...]:
        """Run the model with the arguments of `XLMRobertaXLModel.forward` and labels.

        `labels` are (batch,) classes; (batch, labels) of zeros and ones as floats for several labels; (batch,) or
        (batch, labels) numbers for a regression. Which it is stands in the config's `problem_type`; where that is
        None, it is read off the number of labels and the type of the first labels seen, for good.
        """
        out = self._encode(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        logits = self.classifier(out.last_hidden_state)
        loss = None if labels is None else self._loss(logits, labels)
        return self._result(SequenceClassifierOutput(loss=loss, logits=logits), out, return_dict)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.config.problem_type is None:
            if self.num_labels == 1:
                self.config.problem_type = "regression"
            elif labels.dtype in (torch.long, torch.int):
                self.config.problem_type = "single_label_classification"
            else:
                self.config.problem_type = "multi_label_classification"
        if self.config.problem_type == "regression":
            if self.num_labels == 1:
                logits, labels = logits.squeeze(), labels.squeeze()
            return nn.functional.mse_loss(logits, labels)
        if self.config.problem_type == "single_label_classification":
            return nn.functional.cross_entropy(logits, labels.flatten())
        return nn.functional.binary_cross_entropy_with_logits(logits, labels)


class XLMRobertaXLForMultipleChoice(_Head):
    """Scores several texts (a prompt with each of its choices) against each other."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__(config)
        self.roberta = XLMRobertaXLModel(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, 1)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> MultipleChoiceModelOutput | tuple[Any, ...]:
        """Run the model on several choices a text. Note the order of the arguments, which is the reference's.

        They are those of `XLMRobertaXLModel.forward` with an axis more: `input_ids` is (batch, choices, sequence), and
        so are the masks, types and positions; `inputs_embeds` is (batch, choices, sequence, hidden). `labels` are
        (batch,), the right choice of each text.

        Returns:
            `logits` is (batch, choices); hidden states and attentions have batch × choices rows.
        """
        given = input_ids if input_ids is not None else inputs_embeds
        if given is None:
            raise InputError("Give either input_ids or inputs_embeds, and not both.")

        def flat(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.flatten(0, 1)

        out = self._encode(
            input_ids=flat(input_ids),
            attention_mask=flat(attention_mask),
            token_type_ids=flat(token_type_ids),
            position_ids=flat(position_ids),
            head_mask=head_mask,
            inputs_embeds=flat(inputs_embeds),
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        assert out.pooler_output is not None
        logits = self.classifier(self.dropout(out.pooler_output)).view(-1, given.shape[1])
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return self._result(MultipleChoiceModelOutput(loss=loss, logits=logits), out, return_dict)


class XLMRobertaXLForTokenClassification(_Head):
    """A label for each token."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__(config)
        self.num_labels = config.num_labels
        self.roberta = XLMRobertaXLModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(_classifier_dropout(config))
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> TokenClassifierOutput | tuple[Any, ...]:
        """Run the model with the arguments of `XLMRobertaXLModel.forward` and labels.

        `labels` are (batch, sequence) classes, -100 to ignore; padding is ignored whatever its label.
        """
        out = self._encode(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        logits = self.classifier(self.dropout(out.last_hidden_state))
        loss = None
        if labels is not None:
            if attention_mask is not None:
                labels = labels.masked_fill(attention_mask != 1, -100)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return self._result(TokenClassifierOutput(loss=loss, logits=logits), out, return_dict)


class XLMRobertaXLForQuestionAnswering(_Head):
    """Where in a text the answer to a question starts and ends."""

    def __init__(self, config: XLMRobertaXLConfig) -> None:
        """Build the layers in the sizes that the config gives."""
        super().__init__(config)
        if config.num_labels != 2:
            raise InputError(f"num_labels is {config.num_labels}; question answering has two, the start and the end.")
        self.num_labels = config.num_labels
        self.roberta = XLMRobertaXLModel(config, add_pooling_layer=False)
        self.qa_outputs = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> QuestionAnsweringModelOutput | tuple[Any, ...]:
        """Run the model with the arguments of `XLMRobertaXLModel.forward` and the places of the answers.

        `start_positions` and `end_positions` are (batch,) indices of an answer's first and last token; one beyond the
        text is ignored.
        """
        out = self._encode(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        start, end = (x.squeeze(-1) for x in self.qa_outputs(out.last_hidden_state).split(1, dim=-1))
        loss = None
        if start_positions is not None and end_positions is not None:
            outside = start.shape[1]
            losses = [
                nn.functional.cross_entropy(logits, positions.flatten().clamp(0, outside), ignore_index=outside)
                for logits, positions in ((start, start_positions), (end, end_positions))
            ]
            loss = (losses[0] + losses[1]) / 2
        result = QuestionAnsweringModelOutput(loss=loss, start_logits=start, end_logits=end)
        return self._result(result, out, return_dict)


def _classifier_dropout(config: XLMRobertaXLConfig) -> float:
    return config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout
