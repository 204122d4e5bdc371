"""Teach: a linear classifier of texts on frozen features, from a few examples a label; the encoder learns nothing.

The classifier is a logistic regression on standardised features. What is standardised is one layer's state, pooled:
over the text's tokens (`mean`) or at <s> (`first`). With pooling `head` it is the last layer's state at <s>, and a
tanh follows: that is what the head of a checkpoint computes, so `to_head` gives one with the same logits.
"""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, get_first_line
from xlmrxl.model.heads import XLMRobertaXLForSequenceClassification
from xlmrxl.model.module import init_empty_weights
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.attribution import Attribution, attribute
from xlmrxl.tasks.classify_results import render_labels
from xlmrxl.tasks.features import POOLINGS, extract_features
from xlmrxl.tasks.labels import Label, sort_labels, to_label_texts
from xlmrxl.tasks.logistic import (
    HEAD_POOLING,
    compute_statistics,
    cross_validate,
    fit_logistic_regression,
    import_scikit_learn,
    standardize,
)
from xlmrxl.tasks.report import TeachReport
from xlmrxl.tasks.result import Result, Source
from xlmrxl.tasks.texts import check_texts

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

CS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the penalty to choose from; features are standardised, so these suit every layer and model."""
LAYERS = 13
"""A model with more layers than this has only so many tried, evenly spaced, the last one among them."""
CHOICE_TEXTS = 500
"""On how many texts the layer, the pooling and C are chosen at most; the classifier itself is fitted on all."""
FOLDS = 5
TRUNCATED_NOTE = "The text is longer than the model reads: only its beginning was classified."
WEIGHTS, FACTS = "taught.safetensors", "taught.json"


@dataclass(frozen=True)
class LabelProbability:
    """One label that a text may have."""

    label: str
    probability: float


@dataclass(frozen=True)
class TaughtResult(Result):
    """A text and the labels that were taught, with their probabilities, the best first."""

    text: str
    labels: tuple[LabelProbability, ...]
    truncated: bool = False  # whether the text is longer than the model reads; its beginning was classified

    @property
    def label(self) -> str:
        """The best label."""
        return self.labels[0].label

    def content(self) -> dict[str, Any]:
        """`{"text": …, "labels": [{"label": …, "probability": …}, …], "truncated": …}`."""
        return {"text": self.text, "labels": [vars(label) for label in self.labels], "truncated": self.truncated}

    def rows(self) -> list[dict[str, Any]]:
        """A row a label."""
        return [{"text": self.text, **vars(label)} for label in self.labels]

    def to_html(self, *, interactive: bool = True) -> str:
        """Return a bar a label; each is a button that asks for the words behind it."""
        notes = [TRUNCATED_NOTE] if self.truncated else []
        labels = [(label.label, label.probability, None) for label in self.labels]
        return render_labels(self.text, labels, notes=notes, interactive=interactive)

    def __str__(self) -> str:
        lines = [self.text]
        if self.truncated:
            lines.append("(longer than the model reads; its beginning was classified)")
        for label in self.labels:
            lines.append(f"  {label.probability:7.2%}  {'█' * round(16 * label.probability):<16}  {label.label}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Taught:
    """A classifier that was taught by `teach`."""

    loaded_model: LoadedModel = field(repr=False)
    labels: tuple[str, ...]
    layer: int  # 0 is the embeddings
    pooling: str  # "mean", "first" or "head"
    C: float  # the inverse strength of the penalty
    accuracy: float  # cross-validated; where it decided the choice of layer, pooling and C, a little too high
    folds: int  # of the cross-validation
    examples: dict[str, int]  # how many of each label it was taught with
    weight: Tensor = field(repr=False)  # (labels, hidden), like the rest float32 on the CPU
    bias: Tensor = field(repr=False)  # (labels,)
    mean: Tensor = field(repr=False)  # (hidden,) of the features it was taught with
    scale: Tensor = field(repr=False)  # (hidden,) their standard deviation
    source: Source = field(repr=False)  # what it was taught with
    special_tokens: bool = False  # whether "</s>" and the like in a text are special tokens; otherwise they are text

    @overload
    def classify(
        self, texts: str, *, languages: str | Sequence[str] | None = None, progress: Progress | bool = True
    ) -> TaughtResult: ...
    @overload
    def classify(
        self, texts: list[str], *, languages: str | Sequence[str] | None = None, progress: Progress | bool = True
    ) -> list[TaughtResult]: ...
    def classify(
        self, texts: str | list[str], *, languages: str | Sequence[str] | None = None, progress: Progress | bool = True
    ) -> TaughtResult | list[TaughtResult]:
        """The labels of a text, or of several.

        Args:
            texts: one or many, none of them empty.
            languages: of each text, by any name. What the texts of a language share is mostly the language; it drowns
                what a classifier taught in another one looks for. So the mean of each language that has 8 texts or
                more is taken off, in place of the mean of what was taught. A result then depends on the other texts:
                give a mixture of labels, for what most of them share goes with the language.
            progress: a callback, told how many texts are done and how many there are; True for a bar, False for none.

        Raises:
            TypeError: something other than a text.
            ValueError: an empty text, or not a language for each.
        """
        given = check_texts(texts)
        tongues = _for_each(given, languages, "languages")
        probabilities, truncated = self._probabilities(given, tongues, progress)
        source = self._source(centred=tongues is not None)
        results = []
        for i, (text, row) in enumerate(zip(given, probabilities.tolist(), strict=True)):
            pairs = map(LabelProbability, self.labels, row)
            best = tuple(sorted(pairs, key=lambda pair: pair.probability, reverse=True))
            results.append(TaughtResult(source, text, best, i in truncated))
        return results[0] if isinstance(texts, str) else results

    def report(
        self,
        texts: str | Sequence[str],
        labels: str | Sequence[Label],
        languages: str | Sequence[str] | None = None,
        *,
        center: bool = False,
        progress: Progress | bool = True,
    ) -> TeachReport:
        """How good the classifier is on texts that it was not taught with.

        Args:
            texts: none of them empty.
            labels: the true ones, as in `teach`. They are compared as texts, so that 1 is what was taught as "1".
            languages: of each text, for the accuracy in each.
            center: take off each language's mean, as `classify` does where languages are given to it.
            progress: as in `classify`.

        Raises:
            TypeError: something other than a text, or what is no label.
            ValueError: no texts, an empty one, not a label (or language) for each, labels of several kinds, or a label
                that was not taught.
        """
        texts = check_texts(texts)
        truth, tongues = _for_each(texts, to_label_texts(labels), "labels"), _for_each(texts, languages, "languages")
        if not texts:
            raise ValueError("There are no texts to report on.")
        for i, label in enumerate(truth):
            if label not in self.labels:
                raise ValueError(f"labels[{i}] is {label!r}, which was not taught, only {', '.join(self.labels)}.")
        if center and tongues is None:
            raise ValueError("center takes off the mean of each language, so it needs languages.")
        probabilities, _ = self._probabilities(texts, tongues if center else None, progress)
        return TeachReport.of(self._source(centred=center), self.labels, probabilities.tolist(), truth, tongues)

    def attribute(self, text: str, label: Label | None = None, *, progress: Progress | bool = True) -> Attribution:
        """What each word does for the probability of a label, the best one if none is given; see `attribute`."""
        if label is None:
            name = self.classify(text, progress=False).label
        else:
            (name,) = to_label_texts([label], lambda _: "label")
        if name not in self.labels:
            raise ValueError(f"label is {name!r}, which was not taught, only {', '.join(self.labels)}.")
        place = self.labels.index(name)

        def predict(texts: list[str]) -> list[float]:
            column: list[float] = self._probabilities(texts, None, False)[0][:, place].tolist()
            return column

        source = self._source(centred=False)
        found = attribute(
            text,
            predict,
            loaded_model=self.loaded_model,
            source=source,
            label=name,
            special_tokens=self.special_tokens,
            progress=progress,
        )
        return replace(found, is_probability=True)

    def to_head(self) -> XLMRobertaXLForSequenceClassification:
        """A model with a classification head whose logits are this classifier's, but for rounding in float32.

        The head is a dense layer, tanh, and a projection, on the last layer's state at <s>; dense standardises here.
        The encoder is the loaded_model's own, not a copy: train one and you train both.

        Raises:
            ValueError: the pooling is not `head`, or the model's weights are not in float32, so that there is no such
                head.
        """
        if self.pooling != HEAD_POOLING:
            raise ValueError(
                f"This was taught on layer {self.layer} with pooling {self.pooling!r}, and a classification head can "
                "only read the last layer's first token through a tanh. Teach with pooling='head' to have one."
            )
        if self.loaded_model.precision != "fp32":
            raise ValueError(
                f"A head has the type of its model, and in {self.loaded_model.precision} its weights would be rounded. "
                "Load the model with precision='fp32' and the classifier with Taught.load."
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
        """Write the classifier, without the encoder, into a folder: taught.safetensors and taught.json.

        Raises:
            CheckpointError: it cannot be written.
        """
        path = Path(folder)
        config = self.loaded_model.model.config
        facts = {
            "labels": self.labels,
            "layer": self.layer,
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
    def load(cls, folder: str | os.PathLike[str], loaded_model: LoadedModel) -> Taught:
        """Read a classifier that was saved, for a model of the sizes of the one it was taught with.

        A model of another name is warned of: its features are others.

        Raises:
            CheckpointError: there is none, or it is damaged.
            ValueError: the model has another hidden size or another number of layers.
        """
        path = Path(folder)
        if not (path / FACTS).is_file():
            raise CheckpointError(f"There is no {FACTS} in {path}; give the folder that Taught.save wrote.")
        try:
            facts = read_json_object(path / FACTS)
            sizes = {name: facts.pop(name) for name in ("hidden_size", "num_hidden_layers")}
            source = Source(**facts.pop("source"))
            facts["labels"] = tuple(facts["labels"])
            tensors: dict[str, Any] = load_file(path / WEIGHTS)
            taught = cls(loaded_model=loaded_model, source=source, **facts, **tensors)
            shape = (len(taught.labels), sizes["hidden_size"])
            if not all(tensor.dtype in (torch.float32, torch.float64) for tensor in tensors.values()):
                raise ValueError("its tensors are no floats")
            if not all(isinstance(label, str) for label in taught.labels):
                raise ValueError("its labels are no texts")
            if not isinstance(taught.special_tokens, bool):
                raise ValueError("its special_tokens is neither true nor false")
            if not taught.weight.shape == shape or not taught.mean.shape == taught.scale.shape == shape[1:]:
                raise ValueError(f"weight is {tuple(taught.weight.shape)}, not {shape}")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
            raise CheckpointError(
                f"The classifier in {path} cannot be read ({get_first_line(error)}). Copy it again, or teach again."
            ) from error
        for name, size in sizes.items():
            if (own := getattr(loaded_model.model.config, name)) != size:
                raise ValueError(
                    f"The classifier in {path} was taught with {source.model}, where {name} is {size}; in "
                    f"{loaded_model.name} it is {own}. Load the model it was taught with."
                )
        if loaded_model.name != source.model:
            warnings.warn(
                f"The classifier in {path} was taught with {source.model}, not with {loaded_model.name}. Unless they "
                "are the same model, what it says means nothing.",
                stacklevel=2,
            )
        return taught

    def _source(self, centred: bool) -> Source:
        return Source.from_model(
            self.loaded_model,
            layer=self.layer,
            pooling=self.pooling,
            C=self.C,
            taught=self.source.settings,
            centred=centred,
        )

    def _probabilities(
        self, texts: list[str], languages: list[str] | None, progress: Progress | bool
    ) -> tuple[Tensor, frozenset[int]]:
        """(texts, labels) in float64, and which texts were too long."""
        kind = _state(self.pooling)
        with show_progress(progress, "Classifying", "text") as told:
            found = extract_features(
                self.loaded_model,
                texts,
                layers=[self.layer],
                pooling=kind,
                special_tokens=self.special_tokens,
                progress=told,
            )
        inputs = standardize(found.of(self.layer, kind), self.pooling, self.mean, self.scale, languages)
        logits = inputs @ self.weight.double().T + self.bias.double()
        return logits.softmax(-1), frozenset(found.truncated)


def teach(
    loaded_model: LoadedModel,
    texts: str | Sequence[str],
    labels: str | Sequence[Label],
    *,
    layer: int | None = None,
    pooling: str | None = None,
    C: float | None = None,
    languages: str | Sequence[str] | None = None,
    seed: int = 0,
    special_tokens: bool = False,
    progress: Progress | bool = True,
) -> Taught:
    """Teach a classifier from examples; eight of each label are enough for a start.

    What is not given of layer, pooling and C is chosen by stratified cross-validation in five folds (fewer, where a
    label has fewer examples): the least log loss on what was left out. Log loss, unlike accuracy, tells candidates
    apart where there are few examples, and it is what makes probabilities honest. Of many texts, 500 choose.

    Args:
        loaded_model: with any head.
        texts: none of them empty.
        labels: of each text: all texts, all whole numbers, or all booleans, as data sets have them. Results carry them
            as texts, `"1"` or `"True"`.
        layer: 0 for the embeddings, to the number of layers.
        pooling: `"mean"`, `"first"`, or `"head"` (see `Taught.to_head`), which is the last layer's.
        C: the inverse strength of the penalty on the weights.
        languages: of each text. Then each language's mean is taken off, as `Taught.classify` does.
        seed: of the folds, and of the choice of texts for them.
        special_tokens: whether "</s>" and the like in a text are special tokens, here and in what the classifier reads
            later; otherwise all but `<mask>` are text.
        progress: a callback, told how many steps are done and how many there are; True for a bar, False for none.

    Raises:
        TypeError: a text is no string, or a label no string, number or boolean.
        ValueError: an empty text or label, labels of several kinds, a number that is not whole, one label only, fewer
            than two examples of one, lists of different lengths, or a layer, pooling or C that cannot be.
        ModuleNotFoundError: scikit-learn is missing.
    """
    texts = check_texts(texts)
    truth, tongues = _for_each(texts, to_label_texts(labels), "labels"), _for_each(texts, languages, "languages")
    examples = _check_labels(truth)
    candidates = _candidates(loaded_model.model.config.num_hidden_layers, layer, pooling)
    if C is not None and not C > 0:
        raise ValueError(f"C is {C}; it must be above 0.")
    import_scikit_learn()
    names = tuple(examples)
    classes = torch.tensor([names.index(label) for label in truth])
    chosen = _spread(truth, seed)
    folds = min(FOLDS, *Counter(truth[i] for i in chosen).values())
    rest = len(texts) if len(chosen) < len(texts) else 0
    with _steps(progress, [len(chosen), len(candidates), rest]) as (reading, choosing, reading_all):
        kinds = sorted({_state(name) for _, name in candidates})
        found = extract_features(
            loaded_model,
            [texts[i] for i in chosen],
            layers=sorted({number for number, _ in candidates}),
            pooling=kinds,
            special_tokens=special_tokens,
            progress=reading,
        )
        spoken = None if tongues is None else [tongues[i] for i in chosen]
        best = (float("inf"), 0.0, candidates[0], CS[0])
        for done, (number, name) in enumerate(candidates, 1):
            inputs = standardize(found.of(number, _state(name)), name, None, None, spoken)
            for c, loss, accuracy in cross_validate(inputs, classes[chosen], CS if C is None else (C,), folds, seed):
                if loss < best[0]:
                    best = (loss, accuracy, (number, name), c)
            choosing(done, len(candidates))
        _, accuracy, (layer, pooling), C = best
        kind = _state(pooling)
        if rest:
            found = extract_features(
                loaded_model, texts, layers=[layer], pooling=kind, special_tokens=special_tokens, progress=reading_all
            )
    values = found.of(layer, kind)
    mean, scale = compute_statistics(values, tongues)
    weight, bias = fit_logistic_regression(standardize(values, pooling, mean, scale, tongues), classes, C)
    settings = {"layer": layer, "pooling": pooling, "C": C, "seed": seed, "texts": len(texts)}
    if tongues is not None:
        settings["languages"] = sorted(set(tongues))
    source = Source.from_model(loaded_model, special_tokens=special_tokens, **settings)
    learnt = weight, bias, mean, scale
    return Taught(loaded_model, names, layer, pooling, C, accuracy, folds, examples, *learnt, source, special_tokens)


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
        raise ValueError(f"There are {len(texts)} texts but {len(found)} {name}; each text needs its own.")
    return found


def _check_labels(labels: list[str]) -> dict[str, int]:
    """How many examples each label has, in the order of their names."""
    counts = Counter(labels)
    if not all(label.strip() for label in counts):
        raise ValueError("A label is empty. Leave its text out, or give it a name.")
    if len(counts) < 2:
        raise ValueError(f"There {'is only one label' if counts else 'are no examples'}; teaching needs two or more.")
    single = [label for label, count in counts.items() if count < 2]
    if single:
        raise ValueError(
            f"There is one example of {', '.join(map(repr, single))}; each label needs two or more, better eight."
        )
    return {label: counts[label] for label in sort_labels(counts)}


def _candidates(count: int, layer: int | None, pooling: str | None) -> list[tuple[int, str]]:
    """The pairs of layer and pooling to try, for a model with `count` layers."""
    if layer is not None and not 0 <= layer <= count:
        raise ValueError(f"layer is {layer}; this model has 0 (the embeddings) to {count}.")
    if pooling is not None and pooling not in (*POOLINGS, HEAD_POOLING):
        raise ValueError(f"pooling is {pooling!r}; it must be one of {', '.join((*POOLINGS, HEAD_POOLING))}.")
    if pooling == HEAD_POOLING:
        if layer not in (None, count):
            raise ValueError(f"layer is {layer}, but pooling 'head' reads the last one, {count}.")
        return [(count, HEAD_POOLING)]
    few = min(count + 1, LAYERS)
    layers = [round(i * count / (few - 1)) for i in range(few)] if layer is None else [layer]
    # Before the first layer <s> is the same in every text.
    pairs = [
        (i, name) for i, name in product(layers, POOLINGS if pooling is None else (pooling,)) if i or name == "mean"
    ]
    if not pairs:
        raise ValueError("Layer 0 is the embeddings, where <s> is the same in every text. Take pooling 'mean' there.")
    return pairs


def _state(pooling: str) -> str:
    """Which of the pooled states a pooling starts from."""
    return "first" if pooling == HEAD_POOLING else pooling


def _spread(labels: list[str], seed: int) -> list[int]:
    """Up to CHOICE_TEXTS indices in rising order, drawn in turn from each label so that small ones are kept whole."""
    seen: Counter[str] = Counter()
    ranks = []
    for i in torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist():
        ranks.append((seen[labels[i]], i))
        seen[labels[i]] += 1
    return sorted(i for _, i in sorted(ranks)[: max(CHOICE_TEXTS, 2 * len(seen))])


@contextmanager
def _steps(progress: Progress | bool, totals: list[int]) -> Iterator[list[Progress]]:
    """A callback for each of several stages, which together count to the sum of their totals."""

    def stage(before: int) -> Callable[[int, int], None]:
        return lambda done, _: told(before + done, sum(totals))

    with show_progress(progress, "Teaching", "step") as told:
        yield [stage(sum(totals[:i])) for i in range(len(totals))]
