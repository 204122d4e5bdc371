"""Question answering: where in a text the answer to a question stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.model.heads import XLMRobertaXLForQuestionAnswering
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.head_logits import compute_head_logits
from xlmrxl.tasks.masked_lm import max_input_length, split_subwords
from xlmrxl.tasks.options import AnswerOptions
from xlmrxl.tasks.record import Record, to_rows
from xlmrxl.tasks.result import Result, Source, format_table
from xlmrxl.tasks.texts import check_texts
from xlmrxl.tasks.windows import split_into_windows

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel


@dataclass(frozen=True)
class Answer(Record):
    """A stretch of the context."""

    text: str
    score: float  # probability among all stretches that could be the answer
    start: int  # offsets in characters of the context
    end: int


@dataclass(frozen=True)
class AnswerResult(Result):
    """A question with its answers, the best first; no two of them overlap.

    Attributes:
        question: what was asked.
        context: where the answer was looked for.
        is_impossible: whether the context has no answer, where `null_threshold` was given.
        null_probability: that the context has no answer, among all stretches and that there is none.
        answers: whatever is said of there being none.
    """

    question: str
    context: str
    is_impossible: bool
    null_probability: float
    answers: tuple[Answer, ...]

    @property
    def best(self) -> Answer | None:
        """Return the answer, None if the context has none."""
        return None if self.is_impossible or not self.answers else self.answers[0]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row an answer, each of which says whether there is one at all."""
        null = {"is_impossible": self.is_impossible, "null_probability": self.null_probability}
        return [
            {"question": self.question, "rank": rank} | row | null for rank, row in enumerate(to_rows(self.answers), 1)
        ]

    def __str__(self) -> str:
        """Show the answers as a table, and how probable it is that there is none."""
        said = [f"no answer in the context: {self.null_probability:.2%}"]
        table = [format_table(self.rows(), ["score", "start", "end", "text"])]
        lines = [*said, "if there were one:", *table] if self.is_impossible else [*table, *said]
        return "\n".join([self.question, *filter(None, lines)])


@dataclass(frozen=True)
class _Reading:
    """A question with its context in tokens, and the windows in which the model reads them."""

    question: list[int]
    context: list[int]
    spans: list[tuple[int, int]]  # of each token of the context, in characters
    windows: list[range]  # in tokens of the context


def answer(
    loaded_model: LoadedModel,
    questions: str | Sequence[str],
    contexts: str | Sequence[str],
    options: AnswerOptions | None = None,
    *,
    progress: Progress | bool = True,
) -> list[AnswerResult]:
    """Find the answers to some questions, each in its context.

    An answer is a stretch of at most `max_answer_tokens` tokens of the context. It is rated by the head's logit for
    its first token to be the start plus that for its last to be the end, and its score is the softmax of this sum
    over all such stretches of the context. A context that is too long is read in windows, each half a window after
    the one before, or closer where the longest answer would not fit into what two share; a stretch that stands in
    several windows counts with the largest of its sums. Of answers that overlap the best is kept.

    A head that was trained on questions without an answer, such as those of SQuAD 2.0, points at `<s>` where a window
    has none (Devlin et al. 2019, BERT, 4.3). So the null score is the sum of both logits there, the smallest of all
    windows, since an answer in one of them is enough. `null_probability` is its share in the softmax of the null score
    and all stretches. Of a head that knows of answers alone it says nothing.

    Args:
        loaded_model: with a question-answering head.
        questions: as many as contexts.
        contexts: of any length.
        options: see `AnswerOptions`; the defaults if not given.
        progress: called with the windows that are done and how many there are; True shows a bar once it takes longer
            than a second.

    Returns:
        A result for each question, in order.

    Raises:
        InputError: an empty question or context, a question too long, or counts that cannot be had.
        TypeError: something other than a text.
        CheckpointError: the model has another head.
    """
    options = options or AnswerOptions()
    model = loaded_model.require(XLMRobertaXLForQuestionAnswering)
    questions, contexts = check_texts(questions, "questions"), check_texts(contexts, "contexts")
    if len(questions) != len(contexts):
        raise InputError(f"There are {len(questions)} questions and {len(contexts)} contexts; give one for each.")
    readings = [
        _read(loaded_model, question, context, options, number)
        for number, (question, context) in enumerate(zip(questions, contexts, strict=True), 1)
    ]
    rows = [
        loaded_model.tokenizer.build_inputs_with_special_tokens(r.question, r.context[window.start : window.stop])
        for r in readings
        for window in r.windows
    ]

    def head(ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        out = model(ids, attention_mask=attention_mask, return_dict=True)
        return torch.stack([out.start_logits, out.end_logits], dim=-1)

    with show_progress(progress, "Answering", "window") as on_progress:
        found = iter(compute_head_logits(loaded_model, rows, head, on_progress))
    source = Source.from_model(loaded_model, options)
    results = []
    for question, context, reading in zip(questions, contexts, readings, strict=True):
        logits = [next(found) for _ in reading.windows]
        sums = _add_logits(reading, logits, options.max_answer_tokens)
        null = torch.stack([both[0].sum() for both in logits]).double().min()
        probability = float((null - torch.cat([null[None], sums.flatten()]).logsumexp(0)).exp())
        threshold = options.null_threshold
        impossible = threshold is not None and float(null - sums.max()) > threshold
        answers = _select_best(context, reading, sums, options.top_k)
        results.append(AnswerResult(source, question, context, impossible, probability, answers))
    return results


def _read(loaded_model: LoadedModel, question: str, context: str, options: AnswerOptions, number: int) -> _Reading:
    """Return a question and its context in tokens, and the windows in which they are read."""
    tokenizer, longest = loaded_model.tokenizer, options.max_answer_tokens
    try:
        question_ids = [i for i, _, _ in split_subwords(tokenizer, question, options.special_tokens)]
        subwords = split_subwords(tokenizer, context, options.special_tokens)
    except ValueError as error:
        raise InputError(f"Question {number}: {error}") from None
    ids, spans = [i for i, _, _ in subwords], [(start, end) for _, start, end in subwords]
    if not question_ids:
        raise InputError(f"Question {number} is empty; write what is to be found in the context.")
    if all(start == end for start, end in spans):
        raise InputError(f"The context of question {number} is empty; give the text in which the answer stands.")
    most = max_input_length(loaded_model)
    width = most - tokenizer.num_special_tokens_to_add(pair=True) - len(question_ids)
    if width < len(ids) and width <= longest:
        raise InputError(
            f"Question {number} has {len(question_ids)} tokens and leaves {max(width, 0)} of the {most} that the "
            f"model reads, too few for answers of {longest}; shorten the question, or lower max_answer_tokens."
        )
    stride = min(max(width // 2, 1), width - longest + 1)
    return _Reading(question_ids, ids, spans, split_into_windows(len(ids), width, stride))


def _add_logits(reading: _Reading, logits: Sequence[Tensor], longest: int) -> Tensor:
    """Return (tokens of the context, longest): start plus end logit of the stretch from token i to i + j, -inf if none.

    A lone space is no stretch.
    """
    count = len(reading.context)
    sums = torch.full((count, min(longest, count)), -torch.inf)
    first = len(reading.question) + 3  # <s> question </s></s>
    for window, both in zip(reading.windows, logits, strict=True):
        offset, length = window.start, len(window)
        starts, ends = both[first : first + length].unbind(-1)
        for more in range(min(sums.shape[1], length)):
            stop = offset + length - more
            sums[offset:stop, more] = torch.maximum(sums[offset:stop, more], starts[: length - more] + ends[more:])
    begins, stops = torch.tensor(reading.spans).T
    last = torch.arange(count)[:, None] + torch.arange(sums.shape[1])
    return sums.masked_fill(stops[last.clamp(max=count - 1)] <= begins[:, None], -torch.inf).double()


def _select_best(context: str, reading: _Reading, sums: Tensor, top_k: int) -> tuple[Answer, ...]:
    """Return the likeliest stretches that do not overlap, with their shares of the probability."""
    starts, ends = torch.tensor(reading.spans).T
    scores = sums.flatten().softmax(-1)
    answers: list[Answer] = []
    for place in scores.argsort(descending=True, stable=True).tolist():
        score = float(scores[place])
        i, more = divmod(place, sums.shape[1])
        start, end = int(starts[i]), int(ends[min(i + more, len(ends) - 1)])
        if score == 0 or len(answers) == top_k:
            break
        if all(end <= other.start or other.end <= start for other in answers):
            answers.append(Answer(context[start:end], score, start, end))
    return tuple(answers)
