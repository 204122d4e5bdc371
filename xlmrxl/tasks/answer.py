"""Question answering: where in a text the answer to a question stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xlmrxl.heads import XLMRobertaXLForQuestionAnswering
from xlmrxl.progress import Progress, shown
from xlmrxl.tasks.features import checked_texts
from xlmrxl.tasks.masked import pieces_of, room
from xlmrxl.tasks.result import Result, Source, table_text
from xlmrxl.tasks.rows import head_logits

if TYPE_CHECKING:
    from xlmrxl.session import Session


@dataclass(frozen=True)
class Answer:
    """A stretch of the context."""

    text: str
    score: float  # probability among all stretches that could be the answer
    start: int  # offsets in characters of the context
    end: int


@dataclass(frozen=True)
class AnswerResult(Result):
    """A question with its answers, the best first; no two of them overlap."""

    question: str
    context: str
    answers: tuple[Answer, ...]

    def content(self) -> dict[str, Any]:
        """`{"question": …, "context": …, "answers": [{"text": …, "score": …, "start": …, "end": …}, …]}`."""
        return {"question": self.question, "context": self.context, "answers": self._plain()}

    def rows(self) -> list[dict[str, Any]]:
        """A row an answer."""
        return [{"question": self.question, "rank": rank} | row for rank, row in enumerate(self._plain(), 1)]

    def _plain(self) -> list[dict[str, Any]]:
        return [{"text": a.text, "score": a.score, "start": a.start, "end": a.end} for a in self.answers]

    def __str__(self) -> str:
        return "\n".join([self.question, table_text(self.rows(), ["score", "start", "end", "text"])])


@dataclass(frozen=True)
class _Reading:
    """A question with its context in tokens, and the windows in which the model reads them."""

    question: list[int]
    context: list[int]
    spans: list[tuple[int, int]]  # of each token of the context, in characters
    width: int  # tokens of the context in a window
    starts: range  # of the windows, in tokens of the context


def answer(
    session: Session,
    questions: Sequence[str],
    contexts: Sequence[str],
    *,
    top_k: int = 3,
    max_answer_tokens: int = 30,
    progress: Progress | bool = True,
) -> list[AnswerResult]:
    """Find the answers to some questions, each in its context.

    An answer is a stretch of at most `max_answer_tokens` tokens of the context. It is rated by the head's logit for
    its first token to be the start plus that for its last to be the end, and its score is the softmax of this sum
    over all such stretches of the context. A context that is too long is read in windows, each half a window after
    the one before, or closer where the longest answer would not fit into what two share; a stretch that stands in
    several windows counts with the largest of its sums. Of answers that overlap the best is kept.

    Args:
        session: with a question-answering head.
        questions: as many as contexts.
        contexts: of any length.
        top_k: how many answers at most.
        max_answer_tokens: the longest answer.
        progress: called with the windows that are done and how many there are; True shows a bar once it takes longer
            than a second.

    Returns:
        A result for each question, in order.

    Raises:
        ValueError: an empty question or context, a question too long, or counts that cannot be had.
        TypeError: something other than a text.
        CheckpointError: the model has another head.
    """
    model = session.require(XLMRobertaXLForQuestionAnswering)
    questions, contexts = checked_texts(questions, "questions"), checked_texts(contexts, "contexts")
    if len(questions) != len(contexts):
        raise ValueError(f"There are {len(questions)} questions and {len(contexts)} contexts; give one for each.")
    for name, value in (("top_k", top_k), ("max_answer_tokens", max_answer_tokens)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    readings = [
        _read(session, question, context, max_answer_tokens, number)
        for number, (question, context) in enumerate(zip(questions, contexts, strict=True), 1)
    ]
    rows = [
        session.tokenizer.build_inputs_with_special_tokens(r.question, r.context[start : start + r.width])
        for r in readings
        for start in r.starts
    ]

    def head(ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        out = model(ids, attention_mask=attention_mask, return_dict=True)
        return torch.stack([out.start_logits, out.end_logits], dim=-1)

    with shown(progress, "Answering", "window") as told:
        found = iter(head_logits(session, rows, head, told))
    source = Source.of(session, top_k=top_k, max_answer_tokens=max_answer_tokens)
    results = []
    for question, context, reading in zip(questions, contexts, readings, strict=True):
        sums = _sums(reading, [next(found) for _ in reading.starts], max_answer_tokens)
        results.append(AnswerResult(source, question, context, _best(context, reading, sums, top_k)))
    return results


def _read(session: Session, question: str, context: str, longest: int, number: int) -> _Reading:
    tokenizer = session.tokenizer

    try:
        asked, pieces = [i for i, _, _ in pieces_of(tokenizer, question)], pieces_of(tokenizer, context)
    except ValueError as error:
        raise ValueError(f"Question {number}: {error}") from None
    ids, spans = [i for i, _, _ in pieces], [(start, end) for _, start, end in pieces]
    if not asked:
        raise ValueError(f"Question {number} is empty; write what is to be found in the context.")
    if all(start == end for start, end in spans):
        raise ValueError(f"The context of question {number} is empty; give the text in which the answer stands.")
    width = room(session) - tokenizer.num_special_tokens_to_add(pair=True) - len(asked)
    if len(ids) <= width:
        return _Reading(asked, ids, spans, width, range(1))
    if width <= longest:
        raise ValueError(
            f"Question {number} has {len(asked)} tokens and leaves {max(width, 0)} of the {room(session)} that the "
            f"model reads, too few for answers of {longest}; shorten the question, or lower max_answer_tokens."
        )
    stride = min(max(width // 2, 1), width - longest + 1)
    return _Reading(asked, ids, spans, width, range(0, len(ids) - width + stride, stride))


def _sums(reading: _Reading, logits: Sequence[Tensor], longest: int) -> Tensor:
    """(tokens of the context, longest): start plus end logit of the stretch from token i to i + j, -inf if none."""
    count = len(reading.context)
    sums = torch.full((count, min(longest, count)), -torch.inf)
    first = len(reading.question) + 3  # <s> question </s></s>
    for offset, both in zip(reading.starts, logits, strict=True):
        length = min(reading.width, count - offset)
        starts, ends = both[first : first + length].unbind(-1)
        for more in range(min(sums.shape[1], length)):
            stop = offset + length - more
            sums[offset:stop, more] = torch.maximum(sums[offset:stop, more], starts[: length - more] + ends[more:])
    return sums


def _best(context: str, reading: _Reading, sums: Tensor, top_k: int) -> tuple[Answer, ...]:
    starts, ends = torch.tensor(reading.spans).T
    last = torch.arange(len(starts))[:, None] + torch.arange(sums.shape[1])
    # A lone space is no answer.
    empty = ends[last.clamp(max=len(ends) - 1)] <= starts[:, None]
    scores = sums.masked_fill(empty, -torch.inf).flatten().double().softmax(-1)
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
