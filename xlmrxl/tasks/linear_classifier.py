"""A linear classifier of texts on frozen features, fitted on a few examples a label; the encoder learns nothing.

The classifier is a logistic regression on standardised features. What is standardised is one hidden state, pooled:
over the text's tokens (`mean`) or at <s> (`first`). With pooling `head` it is the last state at <s>, and a tanh
follows: that is what the head of a checkpoint computes, so `to_head` gives one with the same logits.
"""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, InputError, get_first_line
from xlmrxl.model.heads import XLMRobertaXLForSequenceClassification
from xlmrxl.model.module import init_empty_weights
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.attribution import Attribution, attribute
from xlmrxl.tasks.classifier_report import ClassifierReport
from xlmrxl.tasks.classify import rank_labels
from xlmrxl.tasks.classify_results import ClassifyResult
from xlmrxl.tasks.features import POOLINGS, Features, extract_features
from xlmrxl.tasks.labels import Label, sort_labels, to_label_texts
from xlmrxl.tasks.logistic import (
    HEAD_POOLING,
    compute_statistics,
    cross_validate,
    fit_logistic_regression,
    import_scikit_learn,
    standardize,
)
from xlmrxl.tasks.options import FitClassifierOptions
from xlmrxl.tasks.result import Source
from xlmrxl.tasks.texts import check_texts

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

CS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the penalty to choose from; features are standardised, so these suit every state and model."""
MAX_STATES = 13
"""Of a model with more states only so many are tried, evenly spaced, the last one among them."""
MAX_VALIDATION_TEXTS = 500
"""On how many texts the state, the pooling and C are chosen at most; the classifier itself is fitted on all."""
FOLDS = 5
WEIGHTS, FACTS = "classifier.safetensors", "classifier.json"


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """A classifier that was fitted by `fit_classifier`."""

    loaded_model: LoadedModel = field(repr=False)
    labels: tuple[str, ...]
    state: int  # 0 is the embeddings
    pooling: str  # "mean", "first" or "head"
    C: float  # the inverse strength of the penalty
    accuracy: float  # cross-validated; where it decided the choice of state, pooling and C, a little too high
    folds: int  # of the cross-validation
    examples: dict[str, int]  # how many of each label it was fitted on
    weight: Tensor = field(repr=False)  # (labels, hidden), like the rest float32 on the CPU
    bias: Tensor = field(repr=False)  # (labels,)
    mean: Tensor = field(repr=False)  # (hidden,) of the features it was fitted on
    scale: Tensor = field(repr=False)  # (hidden,) their standard deviation
    source: Source = field(repr=False)  # what it was fitted on
    special_tokens: bool = False  # whether "</s>" and the like in a text are special tokens; otherwise they are text

    @overload
    def classify(
        self, texts: str, *, languages: str | Sequence[str] | None = None, progress: Progress | bool = True
    ) -> ClassifyResult: ...
    @overload
    def classify(
        self, texts: list[str], *, languages: str | Sequence[str] | None = None, progress: Progress | bool = True
    ) -> list[ClassifyResult]: ...
    def classify(
        self, texts: str | list[str], *, languages: str | Sequence[str] | None = None, progress: Progress | bool = True
    ) -> ClassifyResult | list[ClassifyResult]:
        """Classify a text, or several.

        Args:
            texts: one or many, none of them empty.
            languages: of each text, by any name. What the texts of a language share is mostly the language; it drowns
                what a classifier fitted on another one looks for. So the mean of each language that has 8 texts or
                more is taken off, in place of the mean of the examples. A result then depends on the other texts:
                give a mixture of labels, for what most of them share goes with the language.
            progress: called with how many texts are done and how many there are; True for a bar, False for none.

        Raises:
            TypeError: something other than a text.
            InputError: an empty text, or not a language for each.
        """
        given = check_texts(texts)
        tongues = _for_each(given, languages, "languages")
        logits, found = self._compute_logits(given, tongues, progress)
        source = self._source(centred=tongues is not None)
        results = []
        for i, (text, scores, raw) in enumerate(zip(given, logits.softmax(-1).tolist(), logits.tolist(), strict=True)):
            labels = rank_labels(self.labels, scores, raw)
            cut = i in found.truncated
            results.append(ClassifyResult(source, text, None, "linear", "single", labels, cut, found.tokens[i]))
        return results[0] if isinstance(texts, str) else results

    def report(
        self,
        texts: str | Sequence[str],
        labels: str | Sequence[Label],
        languages: str | Sequence[str] | None = None,
        *,
        center: bool = False,
        progress: Progress | bool = True,
    ) -> ClassifierReport:
        """Report how good the classifier is on texts that it was not fitted on.

        Args:
            texts: none of them empty.
            labels: the true ones, as in `fit_classifier`. They are compared as texts: 1 is the label "1".
            languages: of each text, for the accuracy in each.
            center: take off each language's mean, as `classify` does where languages are given to it.
            progress: as in `classify`.

        Raises:
            TypeError: something other than a text, or what is no label.
            InputError: no texts, an empty one, not a label (or language) for each, labels of several kinds, or a label
                that the classifier does not know.
        """
        texts = check_texts(texts)
        truth, tongues = _for_each(texts, to_label_texts(labels), "labels"), _for_each(texts, languages, "languages")
        if not texts:
            raise InputError("There are no texts to report on.")
        for i, label in enumerate(truth):
            if label not in self.labels:
                raise InputError(f"labels[{i}] is {label!r}; the classifier knows only {', '.join(self.labels)}.")
        if center and tongues is None:
            raise InputError("center takes off the mean of each language, so it needs languages.")
        logits, _ = self._compute_logits(texts, tongues if center else None, progress)
        return ClassifierReport.from_probabilities(
            self._source(centred=center), self.labels, logits.softmax(-1).tolist(), truth, tongues
        )

    def attribute(self, text: str, label: Label | None = None, *, progress: Progress | bool = True) -> Attribution:
        """Attribute the probability of a label to words, that of the best one if none is given; see `attribute`."""
        if label is None:
            name = self.classify(text, progress=False).label
        else:
            (name,) = to_label_texts([label], lambda _: "label")
        if name not in self.labels:
            raise InputError(f"label is {name!r}, which the classifier does not know, only {', '.join(self.labels)}.")
        index = self.labels.index(name)

        def predict(texts: list[str]) -> list[float]:
            column: list[float] = self._compute_logits(texts, None, False)[0].softmax(-1)[:, index].tolist()
            return column

        source = self._source(centred=False)
        return attribute(
            text,
            predict,
            loaded_model=self.loaded_model,
            source=source,
            label=name,
            is_probability=True,
            special_tokens=self.special_tokens,
            progress=progress,
        )

    def to_head(self) -> XLMRobertaXLForSequenceClassification:
        """Return a model with a classification head whose logits are this classifier's, but for rounding in float32.

        The head is a dense layer, tanh, and a projection, on the last layer's state at <s>; dense standardises here.
        The encoder is the loaded_model's own, not a copy: train one and you train both.

        Raises:
            InputError: the pooling is not `head`, or the model's weights are not in float32, so that there is no such
                head.
        """
        if self.pooling != HEAD_POOLING:
            raise InputError(
                f"This was fitted on state {self.state} with pooling {self.pooling!r}, and a classification head can "
                "only read the last state at <s> through a tanh. Fit it with pooling='head' to have one."
            )
        if self.loaded_model.precision != "fp32":
            raise InputError(
                f"A head has the type of its model, and in {self.loaded_model.precision} its weights would be rounded. "
                "Load the model with precision='fp32' and the classifier with LinearClassifier.load."
            )
        config = copy.deepcopy(self.loaded_model.model.config)
        config.id2label = dict(enumerate(self.labels))
        config.label2id = {label: i for i, label in enumerate(self.labels)}
        config.problem_type = "single_label_classification"
        base: Any = self.loaded_model.model.base_model
        with init_empty_weights():
            model = XLMRobertaXLForSequenceClassification(config)
        model.roberta.embeddings, model.roberta.encoder = base.embeddings, base.encoder
        dense, out_proj = model.classifier.dense, model.classifier.out_proj
        for parameter, value in (
            ("weight", (1 / self.scale.double()).diag()),
            ("bias", -self.mean.double() / self.scale.double()),
        ):
            setattr(dense, parameter, nn.Parameter(value.float().to(self.loaded_model.device)))
        for parameter, value in (("weight", self.weight), ("bias", self.bias)):
            setattr(out_proj, parameter, nn.Parameter(value.clone().to(self.loaded_model.device)))
        return model.eval()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the classifier, without the encoder, into a folder: classifier.safetensors and classifier.json.

        Raises:
            CheckpointError: it cannot be written.
        """
        path = Path(folder)
        config = self.loaded_model.model.config
        facts = {
            "labels": self.labels,
            "state": self.state,
            "pooling": self.pooling,
            "C": self.C,
            "accuracy": self.accuracy,
            "folds": self.folds,
            "examples": self.examples,
            "special_tokens": self.special_tokens,
            "hidden_size": config.hidden_size,
            "num_hidden_layers": config.num_hidden_layers,
            "source": self.source.to_dict(),
        }
        tensors = {"weight": self.weight, "bias": self.bias, "mean": self.mean, "scale": self.scale}
        try:
            path.mkdir(parents=True, exist_ok=True)
            save_file(tensors, path / WEIGHTS)
            (path / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"{path} cannot be written ({get_first_line(error)}). Choose another folder."
            ) from error

    @classmethod
    def load(cls, folder: str | os.PathLike[str], loaded_model: LoadedModel) -> LinearClassifier:
        """Read a classifier that was saved, for a model of the sizes of the one it was fitted on.

        A model of another name is warned of: its features are others.

        Raises:
            CheckpointError: there is none, or it is damaged.
            InputError: the model has another hidden size or another number of layers.
        """
        path = Path(folder)
        if not (path / FACTS).is_file():
            raise CheckpointError(f"There is no {FACTS} in {path}; give the folder that LinearClassifier.save wrote.")
        try:
            facts = read_json_object(path / FACTS)
            sizes = {name: facts.pop(name) for name in ("hidden_size", "num_hidden_layers")}
            source = Source(**facts.pop("source"))
            facts["labels"] = tuple(facts["labels"])
            tensors: dict[str, Any] = load_file(path / WEIGHTS)
            classifier = cls(loaded_model=loaded_model, source=source, **facts, **tensors)
            shape = (len(classifier.labels), sizes["hidden_size"])
            if not all(tensor.dtype in (torch.float32, torch.float64) for tensor in tensors.values()):
                raise InputError("its tensors are no floats")
            if not all(isinstance(label, str) for label in classifier.labels):
                raise InputError("its labels are no texts")
            if not isinstance(classifier.special_tokens, bool):
                raise InputError("its special_tokens is neither true nor false")
            if not classifier.weight.shape == shape or not classifier.mean.shape == classifier.scale.shape == shape[1:]:
                raise InputError(f"weight is {tuple(classifier.weight.shape)}, not {shape}")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
            raise CheckpointError(
                f"The classifier in {path} cannot be read ({get_first_line(error)}). Copy it again, or fit it again."
            ) from error
        for name, size in sizes.items():
            if (own := getattr(loaded_model.model.config, name)) != size:
                raise InputError(
                    f"The classifier in {path} was fitted on {source.model}, where {name} is {size}; in "
                    f"{loaded_model.name} it is {own}. Load the model it was fitted on."
                )
        if loaded_model.name != source.model:
            warnings.warn(
                f"The classifier in {path} was fitted on {source.model}, not on {loaded_model.name}. Unless they "
                "are the same model, what it says means nothing.",
                stacklevel=2,
            )
        return classifier

    def _source(self, centred: bool) -> Source:
        return Source.from_model(
            self.loaded_model,
            state=self.state,
            pooling=self.pooling,
            C=self.C,
            fitted=self.source.settings,
            centred=centred,
        )

    def _compute_logits(
        self, texts: list[str], languages: list[str] | None, progress: Progress | bool
    ) -> tuple[Tensor, Features]:
        """Return logits (texts, labels) in float64, and the features that they come from."""
        kind = _base_pooling(self.pooling)
        with show_progress(progress, "Classifying", "text") as on_progress:
            found = extract_features(
                self.loaded_model,
                texts,
                states=[self.state],
                pooling=kind,
                special_tokens=self.special_tokens,
                progress=on_progress,
            )
        inputs = standardize(found.select(self.state, kind), self.pooling, self.mean, self.scale, languages)
        logits = inputs @ self.weight.double().T + self.bias.double()
        return logits, found


def fit_classifier(
    loaded_model: LoadedModel,
    texts: str | Sequence[str],
    labels: str | Sequence[Label],
    options: FitClassifierOptions | None = None,
    *,
    languages: str | Sequence[str] | None = None,
    progress: Progress | bool = True,
) -> LinearClassifier:
    """Fit a classifier on examples; eight of each label are enough for a start.

    What is not given of state, pooling and C is chosen by stratified cross-validation in five folds (fewer, where a
    label has fewer examples): the least log loss on what was left out. Log loss, unlike accuracy, tells candidates
    apart where there are few examples, and it is what makes probabilities honest. Of many texts, 500 choose.

    Args:
        loaded_model: with any head.
        texts: none of them empty.
        labels: of each text: all texts, all whole numbers, or all booleans, as data sets have them. Results carry them
            as texts, `"1"` or `"True"`.
        options: see `FitClassifierOptions`; the defaults if not given.
        languages: of each text. Then each language's mean is taken off, as `LinearClassifier.classify` does.
        progress: called with how many steps are done and how many there are; True for a bar, False for none.

    Raises:
        TypeError: a text is no string, or a label no string, number or boolean.
        InputError: an empty text or label, labels of several kinds, a number that is not whole, one label only, fewer
            than two examples of one, lists of different lengths, or a state or pooling that cannot be.
        MissingDependencyError: scikit-learn is missing.
    """
    options = options or FitClassifierOptions()
    special_tokens, seed = options.special_tokens, options.seed
    texts = check_texts(texts)
    truth, tongues = _for_each(texts, to_label_texts(labels), "labels"), _for_each(texts, languages, "languages")
    examples = _count_examples(truth)
    candidates = _list_candidates(loaded_model.model.config.num_hidden_layers, options.state, options.pooling)
    import_scikit_learn()
    names = tuple(examples)
    classes = torch.tensor([names.index(label) for label in truth])
    chosen = _sample_evenly(truth, seed)
    folds = min(FOLDS, *Counter(truth[i] for i in chosen).values())
    rest = len(texts) if len(chosen) < len(texts) else 0
    with _show_stages(progress, [len(chosen), len(candidates), rest]) as (reading, choosing, reading_all):
        kinds = sorted({_base_pooling(name) for _, name in candidates})
        found = extract_features(
            loaded_model,
            [texts[i] for i in chosen],
            states=sorted({number for number, _ in candidates}),
            pooling=kinds,
            special_tokens=special_tokens,
            progress=reading,
        )
        spoken = None if tongues is None else [tongues[i] for i in chosen]
        best = (float("inf"), 0.0, candidates[0], CS[0])
        for done, (number, name) in enumerate(candidates, 1):
            inputs = standardize(found.select(number, _base_pooling(name)), name, None, None, spoken)
            for c, loss, accuracy in cross_validate(
                inputs, classes[chosen], CS if options.C is None else (options.C,), folds, seed
            ):
                if loss < best[0]:
                    best = (loss, accuracy, (number, name), c)
            choosing(done, len(candidates))
        _, accuracy, (state, pooling), penalty = best
        kind = _base_pooling(pooling)
        if rest:
            found = extract_features(
                loaded_model, texts, states=[state], pooling=kind, special_tokens=special_tokens, progress=reading_all
            )
    values = found.select(state, kind)
    mean, scale = compute_statistics(values, tongues)
    weight, bias = fit_logistic_regression(standardize(values, pooling, mean, scale, tongues), classes, penalty)
    settings: dict[str, Any] = {"state": state, "pooling": pooling, "C": penalty, "seed": seed, "texts": len(texts)}
    if tongues is not None:
        settings["languages"] = sorted(set(tongues))
    source = Source.from_model(loaded_model, options, **settings)
    learnt = weight, bias, mean, scale
    return LinearClassifier(
        loaded_model, names, state, pooling, penalty, accuracy, folds, examples, *learnt, source, special_tokens
    )


@overload
def _for_each(texts: list[str], given: str | Sequence[str], name: str) -> list[str]: ...
@overload
def _for_each(texts: list[str], given: str | Sequence[str] | None, name: str) -> list[str] | None: ...
def _for_each(texts: list[str], given: str | Sequence[str] | None, name: str) -> list[str] | None:
    """Return the labels or languages of some texts as a list."""
    if given is None:
        return None
    found = check_texts(given, name)
    if len(found) != len(texts):
        raise InputError(f"There are {len(texts)} texts but {len(found)} {name}; each text needs its own.")
    return found


def _count_examples(labels: list[str]) -> dict[str, int]:
    """Return how many examples each label has, in the order of their names."""
    counts = Counter(labels)
    if not all(label.strip() for label in counts):
        raise InputError("A label is empty. Leave its text out, or give it a name.")
    if len(counts) < 2:
        raise InputError(f"There {'is only one label' if counts else 'are no examples'}; give two or more.")
    single = [label for label, count in counts.items() if count < 2]
    if single:
        raise InputError(
            f"There is one example of {', '.join(map(repr, single))}; each label needs two or more, better eight."
        )
    return {label: counts[label] for label in sort_labels(counts)}


def _list_candidates(last: int, state: int | None, pooling: str | None) -> list[tuple[int, str]]:
    """Return the pairs of state and pooling to try, for a model whose last state is `last`."""
    if state is not None and state > last:
        raise InputError(f"state is {state}; this model has 0 (the embeddings) to {last}.")
    if pooling == HEAD_POOLING:
        if state not in (None, last):
            raise InputError(f"state is {state}, but pooling 'head' reads the last one, {last}.")
        return [(last, HEAD_POOLING)]
    few = min(last + 1, MAX_STATES)
    states = [round(i * last / (few - 1)) for i in range(few)] if state is None else [state]
    # Before the first layer <s> is the same in every text.
    pairs = [
        (i, name) for i, name in product(states, POOLINGS if pooling is None else (pooling,)) if i or name == "mean"
    ]
    if not pairs:
        raise InputError("State 0 is the embeddings, where <s> is the same in every text. Take pooling 'mean' there.")
    return pairs


def _base_pooling(pooling: str) -> str:
    """Return which pooling of features a pooling of a classifier starts from."""
    return "first" if pooling == HEAD_POOLING else pooling


def _sample_evenly(labels: list[str], seed: int) -> list[int]:
    """Return up to MAX_VALIDATION_TEXTS indices in rising order, drawn in turn from each label: small ones stay."""
    seen: Counter[str] = Counter()
    ranks = []
    for i in torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist():
        ranks.append((seen[labels[i]], i))
        seen[labels[i]] += 1
    return sorted(i for _, i in sorted(ranks)[: max(MAX_VALIDATION_TEXTS, 2 * len(seen))])


@contextmanager
def _show_stages(progress: Progress | bool, totals: list[int]) -> Iterator[list[Progress]]:
    """Yield a callback for each of several stages, which together count to the sum of their totals."""

    def stage(before: int) -> Callable[[int, int], None]:
        return lambda done, _: on_progress(before + done, sum(totals))

    with show_progress(progress, "Fitting", "step") as on_progress:
        yield [stage(sum(totals[:i])) for i in range(len(totals))]
