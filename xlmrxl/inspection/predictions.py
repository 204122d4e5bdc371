"""The predictions of a model for a text, whatever its head: distributions that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from xlmrxl.errors import InputError
from xlmrxl.inspection.inspection_data import InspectionData
from xlmrxl.model.heads import (
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.tasks.masked_lm import LOGITS_AT_ONCE, find_left_context, spell_word
from xlmrxl.tasks.subwords import find_excluded_subwords, to_readable

NO_MASK = (
    "There is no <mask> in the text. Write <mask> where a word is missing, or say which tokens to predict "
    "(positions=[…])."
)


class Predictions:
    """The distributions that a model's head gives for a text.

    The LM head says at each chosen token (the masks, if none are chosen) which tokens may stand there, a tagger at each
    chosen token (all, if none are chosen) which label it has, a classifier which label the text has, question answering
    at which token the answer begins and ends. Regressions, and the scores of multiple choice, are numbers.

    Attributes:
        positions: for each distribution the token it is of, None where it is of the whole text.
        needed: the positions of the tokens whose last states the head reads for them.
        titles: of the distributions.
        classes: how many outcomes each has.
        kind: `"softmax"`, one outcome of all; `"sigmoid"`, yes or no for each; `"number"`, no probabilities.
    """

    def __init__(self, inspection: InspectionData, positions: Sequence[int] | None) -> None:
        """Find out what the head predicts, and where.

        Args:
            inspection: of a text.
            positions: of the tokens to predict, where the head can be asked for some.

        Raises:
            InputError: there is no such token, or no token to predict, or the head has none to choose.
        """
        self._model = inspection.loaded_model.model
        self._tokenizer = inspection.loaded_model.tokenizer
        self._inspection = inspection
        config = self._model.config
        pieces = tuple(token.piece for token in inspection.tokens)
        self.positions: tuple[int | None, ...]
        self.kind, self.classes = "softmax", config.num_labels
        if isinstance(self._model, XLMRobertaXLForMaskedLM | XLMRobertaXLForTokenClassification):
            is_masked_lm = isinstance(self._model, XLMRobertaXLForMaskedLM)
            if positions is None:
                positions = inspection.mask_positions if is_masked_lm else inspection.text_positions
            self.needed = inspection.check_positions("positions", positions, NO_MASK)
            self.positions, self.titles = tuple(self.needed), tuple(pieces[position] for position in self.needed)
            self.classes = config.vocab_size if is_masked_lm else config.num_labels
        elif positions is not None:
            raise InputError(
                "This model's head says something of the whole text, not of tokens: leave `positions` out."
            )
        elif isinstance(self._model, XLMRobertaXLForQuestionAnswering):
            self.positions, self.titles, self.classes = (None, None), ("start", "end"), len(pieces)
            self.needed = list(range(len(pieces)))
        else:
            self.positions, self.titles, self.needed = (None,), ("label",), [0]
            if isinstance(self._model, XLMRobertaXLForMultipleChoice):
                self.kind, self.classes, self.titles = "number", 1, ("score",)
            elif config.num_labels == 1 or config.problem_type == "regression":
                self.kind, self.titles = "number", ("number",)
            elif config.problem_type == "multi_label_classification":
                self.kind = "sigmoid"

    def split(self, rows: int) -> Iterator[slice]:
        """Split the distributions into slices small enough that `rows` versions of each fit together."""
        step = max(1, LOGITS_AT_ONCE // (rows * self.classes))
        for start in range(0, len(self.positions), step):
            yield slice(start, start + step)

    def logits(self, final: Tensor, block: slice) -> Tensor:
        """Compute logits, (rows, distributions, classes) in float32, from the last states (rows, tokens, hidden).

        Args:
            final: the last states of the tokens that are needed.
            block: the distributions, as `split` gives them.
        """
        model = self._model
        if isinstance(model, XLMRobertaXLForMaskedLM):
            out: Tensor = model.lm_head(final[:, block])
        elif isinstance(model, XLMRobertaXLForTokenClassification):
            out = model.classifier(final[:, block])
        elif isinstance(model, XLMRobertaXLForQuestionAnswering):
            out = model.qa_outputs(final).transpose(1, 2)[:, block]
        elif isinstance(model, XLMRobertaXLForMultipleChoice):
            assert model.roberta.pooler is not None
            out = model.classifier(model.roberta.pooler(final))[:, None]
        else:
            assert isinstance(model, XLMRobertaXLForSequenceClassification)
            out = model.classifier(final)[:, None]
        return out.float()

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return the log-probabilities of logits, in nats; numbers stay as they are."""
        if self.kind == "number":
            return logits
        return logits.log_softmax(-1) if self.kind == "softmax" else functional.logsigmoid(logits)

    def divergence(self, before: Tensor, after: Tensor) -> Tensor:
        """Return the Kullback-Leibler divergence KL(before ‖ after) in nats, of logits (…, classes).

        Where each label is a yes or no of its own, the sum over the labels.
        """
        p, q = self.log_probabilities(before), self.log_probabilities(after)
        if self.kind == "sigmoid":
            no_p, no_q = functional.logsigmoid(-before), functional.logsigmoid(-after)
            return (p.exp() * (p - q) + no_p.exp() * (no_p - no_q)).sum(-1)
        return (p.exp() * (p - q)).sum(-1)

    def allowed_outcomes(self) -> Tensor:
        """Return which outcomes may be shown, (classes,) booleans: no special tokens, no spare rows of a vocabulary."""
        if isinstance(self._model, XLMRobertaXLForMaskedLM):
            return ~find_excluded_subwords(self._tokenizer, None, True, self.classes)
        return torch.ones(self.classes, dtype=torch.bool)

    def outcome_name(self, outcome: int) -> str:
        """Return what an outcome is called."""
        if isinstance(self._model, XLMRobertaXLForMaskedLM):
            return to_readable(self._tokenizer.convert_ids_to_tokens(outcome))
        if isinstance(self._model, XLMRobertaXLForQuestionAnswering):
            return to_readable(self._inspection.tokens[outcome].piece)
        if isinstance(self._model, XLMRobertaXLForMultipleChoice):
            return "score"
        return str(self._model.config.id2label.get(outcome, f"LABEL_{outcome}"))

    def find_targets(self, target: str | Sequence[str]) -> list[int]:
        """Return for each distribution the outcome that a word or a label is.

        Args:
            target: one, or one for each distribution.

        Raises:
            InputError: neither one nor one for each, a word that is not one piece, or no such label.
        """
        words = [target] * len(self.positions) if isinstance(target, str) else list(target)
        if len(words) != len(self.positions):
            raise InputError(
                f"{len(words)} targets are given; give one, or one for each of {len(self.positions)} predictions."
            )
        if isinstance(self._model, XLMRobertaXLForQuestionAnswering):
            raise InputError("Question answering has no targets: its outcomes are tokens. Leave the target out.")
        if isinstance(self._model, XLMRobertaXLForMaskedLM):
            return [
                find_single_piece(self._inspection, position or 0, word)
                for position, word in zip(self.positions, words, strict=True)
            ]
        labels = {self.outcome_name(i): i for i in range(self.classes)}
        for word in words:
            if word not in labels:
                raise InputError(f"There is no label {word!r}; there are {', '.join(labels)}.")
        return [labels[word] for word in words]


def find_single_piece(inspection: InspectionData, position: int, word: str) -> int:
    """Return the id of a word that stands in place of a token.

    Raises:
        InputError: it has several pieces there, or the vocabulary cannot spell it.
    """
    text = (inspection.text_pair if inspection.segments[position] == 1 else inspection.text) or ""
    tokenizer = inspection.loaded_model.tokenizer
    pieces = spell_word(
        tokenizer, find_left_context(text, inspection.tokens[position].start), word.strip(), special_tokens=True
    )
    if len(pieces) > 1:
        spelled = " + ".join(tokenizer.convert_ids_to_tokens(list(pieces)))
        raise InputError(
            f"{word!r} has {len(pieces)} pieces at token {position} ({spelled}), but a token holds one. Choose a word "
            "of one piece, or its first piece."
        )
    return pieces[0]
