"""The options of every task, each declared once. No torch.

From a dataclass here come the checks, the arguments of the `Session` method (`tests/tasks/test_options.py` holds its
signature equal), the flags of the command, the settings that a result records, and the lines of Python that are copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from xlmrxl.errors import InputError
from xlmrxl.tasks.option_fields import TaskOptions, option
from xlmrxl.tasks.templates import check_templates

Labels: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]
"""Labels that stand for themselves, or a dict from labels to the words that stand for them."""

FillMethod = Literal["subwords", "words", "joint"]
Calibration = Literal["contextual", "pmi", "none"]
Question = Literal["cause", "effect"]
Normalization = Literal["pmi", "length", "none"]
Pooling = Literal["mean", "first"]
ClassifierPooling = Literal["mean", "first", "head"]


def _special_tokens() -> Any:
    """Declare the option that all tasks on texts have."""
    return option(False, "Read </s> and the like in a text as special tokens; otherwise all but <mask> are text.")


@dataclass(frozen=True)
class FillOptions(TaskOptions):
    """How masks are filled."""

    top_k: int = option(5, "How many fills for each mask.", minimum=1)
    method: FillMethod = option(
        "subwords",
        "subwords: single ones, each mask on its own. words: whole words of up to max_subwords. joint: single subwords "
        "at all masks together, by a beam search.",
    )
    max_subwords: int = option(
        3, "How many subwords a word may have, where whole words are searched.", minimum=1, maximum=6
    )
    num_beams: int = option(5, "How many ways to fill the masks a joint search goes on with.", minimum=1)
    targets: Sequence[str] | None = option(
        None, "Compare only these words or phrases, of any number of subwords.", item="target"
    )
    script: str | None = option(
        None, "Offer only what is written in this script, by its name in Unicode: Latin, Cyrillic, Arabic, Han."
    )
    punctuation: bool = option(True, "Offer signs as well as letters and digits.")
    repeats: bool = option(True, "Offer words that the text has already.")
    special_tokens: bool = _special_tokens()

    def check(self) -> None:
        """Refuse targets that are no words, and targets where words are searched."""
        if self.targets is None:
            return
        if self.method != "subwords":
            raise InputError(f"targets are compared as they are, and method is {self.method!r}. Leave out one of them.")
        words = [word.strip() for word in self.targets]
        if not words or not all(words):
            raise InputError("targets must be words or phrases, one or more.")
        if len(set(words)) < len(words):
            raise InputError("A target is there twice. Give each once.")


@dataclass(frozen=True)
class ClassifyOptions(TaskOptions):
    """How texts are classified. By a head of its own, a model has no use for any but `special_tokens`."""

    labels: Labels | None = option(
        None,
        "What to choose from, each standing for itself at the mask, or a dict from labels to their words; those of the "
        "task if not given.",
        kind="labels",
    )
    task: str = option(
        "topic", "Whose labels and templates are used where none are given: topic, sentiment or entailment."
    )
    language: str = option("en", "Of the labels and templates of the task.", column=True)
    templates: Sequence[str] | None = option(
        None,
        "Each with one {text} and one <mask>, for pairs with {text_pair} too; those of the task if not given.",
        item="template",
    )
    calibration: Calibration = option(
        "contextual",
        "Take away what the model likes whatever the text says. contextual: divide by the probabilities for texts that "
        "say nothing. pmi: by those for the template alone. none: leave them.",
    )
    special_tokens: bool = _special_tokens()

    def check(self) -> None:
        """Refuse templates that cannot be filled."""
        if self.templates is not None:
            check_templates(self.templates)


@dataclass(frozen=True)
class AttributeOptions(ClassifyOptions):
    """What of a classification is attributed to words, and how the text is classified."""

    label: str | None = option(None, "Whose score is attributed; that of the best label if not given.")


@dataclass(frozen=True)
class ChooseOptions(TaskOptions):
    """How choices are compared."""

    question: Question | Sequence[Question | None] | None = option(
        None,
        "cause or effect: the language's word for it (because, so) stands between prompt and choice. None: nothing but "
        "a space. One for all prompts, or one for each.",
        column=True,
    )
    language: str | Sequence[str] = option(
        "en", "Of the word that a question brings. One for all prompts, or one for each.", column=True
    )
    normalization: Normalization = option(
        "pmi",
        "pmi: take off what a choice has without the prompt. length: divide by its tokens. none: compare the "
        "log-likelihoods as they are.",
    )
    special_tokens: bool = _special_tokens()


@dataclass(frozen=True)
class TagOptions(TaskOptions):
    """How words are labelled."""

    special_tokens: bool = _special_tokens()


@dataclass(frozen=True)
class AnswerOptions(TaskOptions):
    """How answers are found."""

    top_k: int = option(3, "How many answers at most.", minimum=1)
    max_answer_tokens: int = option(30, "The longest answer, in tokens.", minimum=1)
    null_threshold: float | None = option(
        None,
        "Say that there is no answer where that is rated higher than the best one by more than this, in logits: 0 for "
        "a start. For heads trained on questions without an answer, as those of SQuAD 2.0.",
    )
    special_tokens: bool = _special_tokens()


@dataclass(frozen=True)
class FitClassifierOptions(TaskOptions):
    """How a linear classifier is fitted."""

    state: int | None = option(
        None, "The hidden state to read, 0 the embeddings; chosen by cross-validation if not given.", minimum=0
    )
    pooling: ClassifierPooling | None = option(
        None,
        "mean: over the tokens of a text. first: at <s>. head: at <s> of the last state, through a tanh, as "
        "classification heads do. Chosen of mean and first if not given.",
    )
    C: float | None = option(
        None, "The inverse strength of the penalty on the weights; chosen as well if not given.", above=0
    )
    seed: int = option(0, "Of the folds, and of the texts that choose.")
    special_tokens: bool = _special_tokens()


@dataclass(frozen=True)
class FitChooserOptions(TaskOptions):
    """How a linear scorer of choices is fitted."""

    question: Question | Sequence[Question | None] | None = option(None, "As for `choose`.")
    language: str | Sequence[str] = option("en", "As for `choose`.")
    state: int | None = option(
        None, "The hidden state to read, 0 the embeddings; chosen by cross-validation if not given.", minimum=0
    )
    pooling: Pooling | None = option(None, "mean: over the tokens of a text. first: at <s>. Chosen if not given.")
    C: float = option(1.0, "The inverse strength of the penalty on the weights.", above=0)
    special_tokens: bool = _special_tokens()


@dataclass(frozen=True)
class CompareOptions(TaskOptions):
    """How precisions of a model are compared."""

    precisions: Sequence[str] = option(
        ("bf16", "8bit", "4bit"), "Two or more; the first is what the others are compared with."
    )
    top_k: int = option(5, "How many fills for each mask of a single text.", minimum=1)

    def check(self) -> None:
        """Refuse fewer than two precisions, and one that is there twice."""
        if len(self.precisions) < 2 or len(set(self.precisions)) < len(self.precisions):
            raise InputError("Give two or more different precisions, such as bf16,8bit,4bit.")
