"""What a model says of a text from its last state, whatever its head: distributions that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from xlmrxl.model.heads import (
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForQuestionAnswering,
    XLMRobertaXLForSequenceClassification,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.tasks.masked_lm import LOGITS_AT_ONCE, find_left_context, spell_word
from xlmrxl.tasks.subwords import find_excluded_subwords, to_readable

if TYPE_CHECKING:
    from xlmrxl.inspection.inspection import Inspection

NO_MASK = (
    "There is no <mask> in the text. Write <mask> where a word is missing, or say at which tokens to look (at=[…])."
)


class Readout:
    """The distributions of a text, as its model's head gives them.

    The LM head says at each chosen token (the masks, if none are chosen) which tokens may stand there, a tagger at each
    chosen token (all, if none are chosen) which label it has, a classifier which label the text has, question answering
    at which token the answer begins and ends. Regressions, and the scores of multiple choice, are numbers.

    Attributes:
        places: for each distribution the token it is of, None where it is of the whole text.
        needed: the tokens whose last states the head reads for them.
        titles: of the distributions.
        classes: how many outcomes each has.
        kind: `"softmax"`, one outcome of all; `"sigmoid"`, yes or no for each; `"number"`, no probabilities.
    """

    def __init__(self, inspection: Inspection, at: Sequence[int] | None) -> None:
        """
        Raises:
            ValueError: there is no such token, or no token to look at, or the head has none to choose.
        """
        self._model = inspection.session.model
        self._tokenizer = inspection.session.tokenizer
        self._inspection = inspection
        config = self._model.config
        pieces = tuple(token.piece for token in inspection.tokens)
        self.places: tuple[int | None, ...]
        self.kind, self.classes = "softmax", config.num_labels
        if isinstance(self._model, XLMRobertaXLForMaskedLM | XLMRobertaXLForTokenClassification):
            speaks = isinstance(self._model, XLMRobertaXLForMaskedLM)
            if at is None:
                at = inspection.masks if speaks else inspection.inner
            self.needed = inspection.places("at", at, NO_MASK)
            self.places, self.titles = tuple(self.needed), tuple(pieces[place] for place in self.needed)
            self.classes = config.vocab_size if speaks else config.num_labels
        elif at is not None:
            raise ValueError("This model's head says something of the whole text, not at tokens: leave `at` out.")
        elif isinstance(self._model, XLMRobertaXLForQuestionAnswering):
            self.places, self.titles, self.classes = (None, None), ("start", "end"), len(pieces)
            self.needed = list(range(len(pieces)))
        else:
            self.places, self.titles, self.needed = (None,), ("label",), [0]
            if isinstance(self._model, XLMRobertaXLForMultipleChoice):
                self.kind, self.classes, self.titles = "number", 1, ("score",)
            elif config.num_labels == 1 or config.problem_type == "regression":
                self.kind, self.titles = "number", ("number",)
            elif config.problem_type == "multi_label_classification":
                self.kind = "sigmoid"

    def blocks(self, rows: int) -> Iterator[slice]:
        """The distributions in stretches of which `rows` versions can be had at once."""
        step = max(1, LOGITS_AT_ONCE // (rows * self.classes))
        for start in range(0, len(self.places), step):
            yield slice(start, start + step)

    def logits(self, final: Tensor, block: slice) -> Tensor:
        """Last states of the tokens needed, (rows, tokens, hidden), to (rows, distributions, classes) in float32."""
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

    def logs(self, logits: Tensor) -> Tensor:
        """Log-probabilities of logits, in nats; numbers stay as they are."""
        if self.kind == "number":
            return logits
        return logits.log_softmax(-1) if self.kind == "softmax" else F.logsigmoid(logits)

    def divergence(self, before: Tensor, after: Tensor) -> Tensor:
        """How far one distribution is from another: KL(before ‖ after) in nats, of logits (…, classes).

        Where each label is a yes or no of its own, the sum over the labels.
        """
        p, q = self.logs(before), self.logs(after)
        if self.kind == "sigmoid":
            no_p, no_q = F.logsigmoid(-before), F.logsigmoid(-after)
            return (p.exp() * (p - q) + no_p.exp() * (no_p - no_q)).sum(-1)
        return (p.exp() * (p - q)).sum(-1)

    def offered(self) -> Tensor:
        """(classes,) booleans: which outcomes may be shown; of a vocabulary neither special tokens nor spare rows."""
        if isinstance(self._model, XLMRobertaXLForMaskedLM):
            return ~find_excluded_subwords(self._tokenizer, None, True, self.classes)
        return torch.ones(self.classes, dtype=torch.bool)

    def name(self, outcome: int) -> str:
        """What an outcome is called."""
        if isinstance(self._model, XLMRobertaXLForMaskedLM):
            return to_readable(self._tokenizer.convert_ids_to_tokens(outcome))
        if isinstance(self._model, XLMRobertaXLForQuestionAnswering):
            return to_readable(self._inspection.tokens[outcome].piece)
        if isinstance(self._model, XLMRobertaXLForMultipleChoice):
            return "score"
        return str(self._model.config.id2label.get(outcome, f"LABEL_{outcome}"))

    def targets(self, target: str | Sequence[str]) -> list[int]:
        """Of each distribution the outcome that a word, or a label, is.

        Args:
            target: one, or one for each distribution.

        Raises:
            ValueError: neither one nor one for each, a word that is not one piece, or no such label.
        """
        words = [target] * len(self.places) if isinstance(target, str) else list(target)
        if len(words) != len(self.places):
            raise ValueError(f"{len(words)} targets are given; give one, or one for each of {len(self.places)} places.")
        if isinstance(self._model, XLMRobertaXLForQuestionAnswering):
            raise ValueError("Question answering has no targets: its outcomes are tokens. Leave the target out.")
        if isinstance(self._model, XLMRobertaXLForMaskedLM):
            return [
                one_piece(self._inspection, place or 0, word) for place, word in zip(self.places, words, strict=True)
            ]
        labels = {self.name(i): i for i in range(self.classes)}
        for word in words:
            if word not in labels:
                raise ValueError(f"There is no label {word!r}; there are {', '.join(labels)}.")
        return [labels[word] for word in words]


def one_piece(inspection: Inspection, place: int, word: str) -> int:
    """The id of a word that stands in place of a token.

    Raises:
        ValueError: it has several pieces there, or the vocabulary cannot spell it.
    """
    text = (inspection.second if inspection.segments[place] == 1 else inspection.text) or ""
    tokenizer = inspection.session.tokenizer
    pieces = spell_word(
        tokenizer, find_left_context(text, inspection.tokens[place].start), word.strip(), special_tokens=True
    )
    if len(pieces) > 1:
        spelled = " + ".join(tokenizer.convert_ids_to_tokens(list(pieces)))
        raise ValueError(
            f"{word!r} has {len(pieces)} pieces at token {place} ({spelled}), but a token holds one. Choose a word "
            "of one piece, or its first piece."
        )
    return pieces[0]
