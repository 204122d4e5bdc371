"""Taught multiple choice: a linear scorer on frozen features of each choice after its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.choose import ChooseResult, check_choices, check_questions, join_choice, to_choices, tokenize_choice
from xlmrxl.tasks.features import POOLINGS, extract_features
from xlmrxl.tasks.labels import to_plain_scalar
from xlmrxl.tasks.logistic import import_scikit_learn
from xlmrxl.tasks.result import Source
from xlmrxl.tasks.texts import check_texts

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

FOLDS = 5


@dataclass(frozen=True, eq=False)
class TaughtChoices:
    """A linear scorer on the frozen features of a choice after its prompt, as `teach_choices` makes it."""

    source: Source  # the model that it was taught on
    layer: int  # 0 is the embeddings
    pooling: str
    weight: Tensor  # (hidden,)
    accuracy: float  # cross-validated: how often a right choice was before a wrong one of the same prompt
    special_tokens: bool = False  # whether "</s>" and the like in a text are special tokens, otherwise they are text

    def choose(
        self,
        loaded_model: LoadedModel,
        prompts: Sequence[str],
        choices: Sequence[Sequence[str]],
        *,
        question: str | Sequence[str | None] | None = None,
        language: str | Sequence[str] = "en",
        progress: Progress | bool = True,
    ) -> list[ChooseResult]:
        """Choose as it was taught; arguments and errors are those of `choose`, and any language will do.

        Raises:
            ValueError: the loaded_model has another model.
        """
        if loaded_model.name != self.source.model:
            raise ValueError(f"This was taught on {self.source.model}, not on {loaded_model.name}; load that model.")
        prompts, options = check_choices(prompts, choices)
        questions, languages = check_questions(question, language, prompts)
        with show_progress(progress, "Choosing", "text") as told:
            values = _features(
                loaded_model,
                prompts,
                options,
                questions,
                languages,
                [self.layer],
                [self.pooling],
                self.special_tokens,
                told,
            )
        scores = iter((values[:, 0, 0].double() @ self.weight.double()).tolist())
        results = []
        for prompt, texts, asked, code in zip(prompts, options, questions, languages, strict=True):
            row = [next(scores) for _ in texts]
            settings = {"method": "taught", "layer": self.layer, "pooling": self.pooling, "language": code}
            source = Source.from_model(loaded_model, **settings)
            results.append(ChooseResult(source, prompt, asked, to_choices(texts, row)))
        return results


def teach_choices(
    loaded_model: LoadedModel,
    prompts: Sequence[str],
    choices: Sequence[Sequence[str]],
    answers: Sequence[int],
    *,
    question: str | Sequence[str | None] | None = None,
    language: str | Sequence[str] = "en",
    layers: Sequence[int] | None = None,
    pooling: str | Sequence[str] = POOLINGS,
    penalty: float = 1.0,
    special_tokens: bool = False,
    progress: Progress | bool = True,
) -> TaughtChoices:
    """Teach a linear scorer to choose: logistic regression without intercept on differences of features.

    A right choice less a wrong one of the same prompt is one example, and its opposite another, so that what all
    choices of a prompt share has no part in it. Layer and pooling are those with the best accuracy in a five-fold
    cross-validation over the prompts. Needs scikit-learn.

    Args:
        loaded_model: with any head; its features are frozen.
        prompts, choices, question, language, special_tokens: as in `choose`.
        answers: index of the right choice of each prompt, from 0; whole numbers as data sets have them, 1.0 and numpy's
            among them.
        layers, pooling: which to try; see `tasks.features.features`.
        penalty: of the squared weights; scikit-learn's 1 / C.
        progress: called with the texts that are read and how many there are; True shows a bar.

    Raises:
        TypeError: an answer is no whole number.
        ValueError: what `choose` says, fewer than five prompts, or an answer that is no index of a choice.
        ModuleNotFoundError: there is no scikit-learn.
    """
    regression, _ = import_scikit_learn()
    prompts, options = check_choices(prompts, choices)
    questions, languages = check_questions(question, language, prompts)
    answers = [_to_index(answer, number) for number, answer in enumerate(answers, 1)]
    if len(answers) != len(prompts):
        raise ValueError(f"There are {len(prompts)} prompts and {len(answers)} answers; give one for each.")
    if len(prompts) < FOLDS:
        raise ValueError(f"There are {len(prompts)} prompts; give at least {FOLDS}, or use choose, which needs none.")
    for number, (right, texts) in enumerate(zip(answers, options, strict=True), 1):
        if not 0 <= right < len(texts):
            raise ValueError(f"Answer {number} is {right}; it must be an index of the choices, 0 to {len(texts) - 1}.")
    if not penalty > 0:
        raise ValueError(f"penalty is {penalty}; it must be above 0.")
    pooling = check_texts(pooling, "pooling")
    tried = list(range(loaded_model.model.config.num_hidden_layers + 1)) if layers is None else list(layers)
    with show_progress(progress, "Reading", "text") as told:
        values = _features(loaded_model, prompts, options, questions, languages, tried, pooling, special_tokens, told)

    rights, wrongs, owners = [], [], []
    first = 0
    for owner, (right, texts) in enumerate(zip(answers, options, strict=True)):
        others = [i for i in range(len(texts)) if i != right]
        rights += [first + right] * len(others)
        wrongs += [first + i for i in others]
        owners += [owner] * len(others)
        first += len(texts)
    differences = (values[rights] - values[wrongs]).double()
    folds = torch.tensor(owners) % FOLDS

    def fitted(x: Tensor) -> Tensor:
        # Without an intercept and with each example's opposite the mean is 0, so that this is all there is to scale.
        spread = x.square().mean(0).sqrt().clamp(min=1e-9)
        x = torch.cat([x, -x]) / spread
        model = regression(C=1 / penalty, fit_intercept=False, max_iter=1000)
        model.fit(x.numpy(), [1] * (len(x) // 2) + [0] * (len(x) // 2))
        return torch.from_numpy(model.coef_[0]) / spread

    best = (-1.0, 0, 0)
    for i in range(len(tried)):
        for j in range(len(pooling)):
            x = differences[:, i, j]
            before = [x[folds == fold] @ fitted(x[folds != fold]) > 0 for fold in range(FOLDS)]
            accuracy = torch.cat(before).double().mean().item()
            best = max(best, (accuracy, -i, -j))  # of equals the lower layer
    accuracy, i, j = best[0], -best[1], -best[2]
    weight = fitted(differences[:, i, j]).float()
    source = Source.from_model(loaded_model, penalty=penalty, special_tokens=special_tokens)
    return TaughtChoices(source, tried[i], pooling[j], weight, accuracy, special_tokens)


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


def _features(
    loaded_model: LoadedModel,
    prompts: list[str],
    options: list[list[str]],
    questions: list[str | None],
    languages: list[str],
    layers: Sequence[int],
    pooling: Sequence[str],
    special_tokens: bool,
    progress: Progress,
) -> Tensor:
    """(choices of all prompts, layers, poolings, hidden) features of each choice after its prompt and connective."""
    texts = []
    for number, (prompt, row) in enumerate(zip(prompts, options, strict=True), 1):
        for text in row:
            texts.append(join_choice(prompt, text, questions[number - 1], languages[number - 1])[0].text)
            # Too long is an error here.
            tokenize_choice(loaded_model, texts[-1], f"{text!r} of prompt {number}", special_tokens)
    found = extract_features(
        loaded_model, texts, layers=layers, pooling=pooling, special_tokens=special_tokens, progress=progress
    )
    return found.values
