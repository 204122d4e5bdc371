"""Fitted multiple choice: a linear scorer on frozen features of each choice after its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.choose import check_choices, check_questions, join_choice, to_choices, tokenize_choice
from xlmrxl.tasks.choose_results import ChooseResult
from xlmrxl.tasks.features import POOLINGS, extract_features
from xlmrxl.tasks.labels import to_plain_scalar
from xlmrxl.tasks.logistic import import_scikit_learn
from xlmrxl.tasks.options import ChooseOptions, FitChooserOptions, Question
from xlmrxl.tasks.result import Source

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

FOLDS = 5


@dataclass(frozen=True, eq=False)
class LinearChooser:
    """A linear scorer on the frozen features of a choice after its prompt, as `fit_chooser` makes it."""

    loaded_model: LoadedModel = field(repr=False)
    state: int  # 0 is the embeddings
    pooling: str
    weight: Tensor = field(repr=False)  # (hidden,)
    accuracy: float  # cross-validated: how often a right choice was before a wrong one of the same prompt
    source: Source = field(repr=False)  # what it was fitted on
    special_tokens: bool = False  # whether "</s>" and the like in a text are special tokens, otherwise they are text

    def choose(
        self,
        prompts: str | Sequence[str],
        choices: Sequence[Sequence[str]],
        *,
        question: Question | Sequence[Question | None] | None = None,
        language: str | Sequence[str] = "en",
        progress: Progress | bool = True,
    ) -> list[ChooseResult]:
        """Choose as it was fitted; arguments and errors are those of `choose`, and any language will do."""
        options = ChooseOptions(question, language, special_tokens=self.special_tokens)
        prompts, given = check_choices(prompts, choices)
        questions, languages = check_questions(options.question, options.language, prompts)
        with show_progress(progress, "Choosing", "text") as on_progress:
            values = _read_features(
                self.loaded_model,
                prompts,
                given,
                questions,
                languages,
                [self.state],
                [self.pooling],
                self.special_tokens,
                on_progress,
            )
        scores = iter((values[:, 0, 0].double() @ self.weight.double()).tolist())
        results = []
        for prompt, texts, asked, code in zip(prompts, given, questions, languages, strict=True):
            row = [next(scores) for _ in texts]
            settings = {"method": "linear", "state": self.state, "pooling": self.pooling}
            source = Source.from_model(self.loaded_model, replace(options, question=asked, language=code), **settings)
            results.append(ChooseResult(source, prompt, asked, to_choices(texts, row)))
        return results


def fit_chooser(
    loaded_model: LoadedModel,
    prompts: Sequence[str],
    choices: Sequence[Sequence[str]],
    answers: Sequence[int],
    options: FitChooserOptions | None = None,
    *,
    progress: Progress | bool = True,
) -> LinearChooser:
    """Fit a linear scorer of choices: logistic regression without intercept on differences of features.

    A right choice less a wrong one of the same prompt is one example, and its opposite another, so that what all
    choices of a prompt share has no part in it. What is not given of state and pooling is chosen by the accuracy in a
    five-fold cross-validation over the prompts. Needs scikit-learn.

    Args:
        loaded_model: with any head; its features are frozen.
        prompts: as in `choose`.
        choices: as in `choose`.
        answers: index of the right choice of each prompt, from 0; whole numbers as data sets have them, 1.0 and numpy's
            among them.
        options: see `FitChooserOptions`; the defaults if not given.
        progress: called with the texts that are read and how many there are; True shows a bar.

    Raises:
        TypeError: an answer is no whole number.
        InputError: what `choose` says, fewer than five prompts, or an answer that is no index of a choice.
        MissingDependencyError: there is no scikit-learn.
    """
    options = options or FitChooserOptions()
    regression, _ = import_scikit_learn()
    prompts, given = check_choices(prompts, choices)
    questions, languages = check_questions(options.question, options.language, prompts)
    answers = [_to_index(answer, number) for number, answer in enumerate(answers, 1)]
    if len(answers) != len(prompts):
        raise InputError(f"There are {len(prompts)} prompts and {len(answers)} answers; give one for each.")
    if len(prompts) < FOLDS:
        raise InputError(f"There are {len(prompts)} prompts; give at least {FOLDS}, or use choose, which needs none.")
    for number, (right, texts) in enumerate(zip(answers, given, strict=True), 1):
        if not 0 <= right < len(texts):
            raise InputError(f"Answer {number} is {right}; it must be an index of the choices, 0 to {len(texts) - 1}.")
    last = loaded_model.model.config.num_hidden_layers
    states = list(range(last + 1)) if options.state is None else [options.state]
    poolings = list(POOLINGS) if options.pooling is None else [options.pooling]
    special_tokens = options.special_tokens
    with show_progress(progress, "Reading", "text") as on_progress:
        values = _read_features(
            loaded_model, prompts, given, questions, languages, states, poolings, special_tokens, on_progress
        )

    rights, wrongs, owners = [], [], []
    first = 0
    for owner, (right, texts) in enumerate(zip(answers, given, strict=True)):
        others = [i for i in range(len(texts)) if i != right]
        rights += [first + right] * len(others)
        wrongs += [first + i for i in others]
        owners += [owner] * len(others)
        first += len(texts)
    differences = (values[rights] - values[wrongs]).double()
    folds = torch.tensor(owners) % FOLDS

    def fit(x: Tensor) -> Tensor:
        # Without an intercept and with each example's opposite the mean is 0, so that this is all there is to scale.
        spread = x.square().mean(0).sqrt().clamp(min=1e-9)
        x = torch.cat([x, -x]) / spread
        model = regression(C=options.C, fit_intercept=False, max_iter=1000)
        model.fit(x.numpy(), [1] * (len(x) // 2) + [0] * (len(x) // 2))
        return torch.from_numpy(model.coef_[0]) / spread

    best = (-1.0, 0, 0)
    for i in range(len(states)):
        for j in range(len(poolings)):
            x = differences[:, i, j]
            before = [x[folds == fold] @ fit(x[folds != fold]) > 0 for fold in range(FOLDS)]
            accuracy = torch.cat(before).double().mean().item()
            best = max(best, (accuracy, -i, -j))  # of equals the lower state
    accuracy, i, j = best[0], -best[1], -best[2]
    weight = fit(differences[:, i, j]).float()
    source = Source.from_model(loaded_model, options, state=states[i], pooling=poolings[j])
    return LinearChooser(loaded_model, states[i], poolings[j], weight, accuracy, source, special_tokens)


def _to_index(answer: Any, number: int) -> int:
    """Return the index of a choice as an int of Python.

    Raises:
        TypeError: it is something else. A boolean is, since it says that a choice is right rather than which one.
    """
    index = to_plain_scalar(answer)
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int):
        raise TypeError(f"Answer {number} is {index!r}; it must be the index of the right choice, a whole number.")
    return index


def _read_features(
    loaded_model: LoadedModel,
    prompts: list[str],
    choices: list[list[str]],
    questions: Sequence[str | None],
    languages: list[str],
    states: Sequence[int],
    pooling: Sequence[str],
    special_tokens: bool,
    progress: Progress,
) -> Tensor:
    """Return (choices of all prompts, states, poolings, hidden) features of each choice after its prompt."""
    texts = []
    for number, (prompt, row) in enumerate(zip(prompts, choices, strict=True), 1):
        for text in row:
            texts.append(join_choice(prompt, text, questions[number - 1], languages[number - 1])[0].text)
            # Too long is an error here.
            tokenize_choice(loaded_model, texts[-1], f"{text!r} of prompt {number}", special_tokens)
    found = extract_features(
        loaded_model, texts, states=states, pooling=pooling, special_tokens=special_tokens, progress=progress
    )
    return found.values
