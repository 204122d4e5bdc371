"""Logistic regression under `fit_classifier`: features standardised, by language if asked for, and cross-validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xlmrxl.errors import MissingDependencyError

HEAD_POOLING = "head"
"""The pooling after whose standardising a tanh follows, as in the head of a checkpoint."""
MIN_LANGUAGE_TEXTS = 8
"""A language with fewer texts than this has no mean worth taking off."""


def _centred(values: Tensor, mean: Tensor, languages: Sequence[str] | None) -> Tensor:
    """Return features less the mean of their language where it has enough texts, less `mean` otherwise."""
    out = values - mean
    for language, count in Counter(languages or ()).items():
        if count >= MIN_LANGUAGE_TEXTS:
            own = torch.tensor([other == language for other in languages or ()])
            out[own] = values[own] - values[own].mean(0)
    return out


def compute_statistics(values: Tensor, languages: Sequence[str] | None) -> tuple[Tensor, Tensor]:
    """Return the mean and the spread to standardise with, in float32, as they are saved."""
    values = values.double()
    mean = values.mean(0).float()
    spread = _centred(values, mean.double(), languages).square().mean(0).sqrt()
    return mean, spread.clamp(min=1e-6).float()


def standardize(
    values: Tensor, pooling: str, mean: Tensor | None, scale: Tensor | None, languages: Sequence[str] | None
) -> Tensor:
    """Return what the linear classifier reads, (texts, hidden) in float64.

    Args:
        values: features (texts, hidden).
        pooling: of the classifier; after `head` a tanh follows.
        mean: of the features that the classifier was fitted on; that of these values if not given.
        scale: as the mean.
        languages: of each text, where the mean of each is taken off.
    """
    if mean is None or scale is None:
        mean, scale = compute_statistics(values, languages)
    inputs = _centred(values.double(), mean.double(), languages) / scale.double()
    return inputs.tanh() if pooling == HEAD_POOLING else inputs


def import_scikit_learn() -> tuple[Any, Any]:
    """Return LogisticRegression and StratifiedKFold, which an extra brings."""
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second, and is an extra
        from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingDependencyError("Fitting a classifier needs scikit-learn", "teach") from error
    return LogisticRegression, StratifiedKFold


def _rotated(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return inputs (texts, hidden) in as many columns as there are texts, where these are fewer, and the way back.

    The penalty has no preferred direction and the best weights are a sum of texts, so what is fitted on the one is
    what is fitted on the other, in a fraction of the time.
    """
    if inputs.shape[0] >= inputs.shape[1]:
        return inputs, torch.eye(inputs.shape[1], dtype=inputs.dtype)
    q, r = torch.linalg.qr(inputs.T)
    return r.T.contiguous(), q.T


def cross_validate(
    inputs: Tensor, classes: Tensor, cs: Sequence[float], folds: int, seed: int
) -> list[tuple[float, float, float]]:
    """Return for each C: itself, the mean log loss and the accuracy on the texts left out.

    Standardising and rotating saw all texts, but no label, as they do when a language's mean is taken off in use.
    """
    regression, splitter = import_scikit_learn()
    rows, truth = _rotated(inputs)[0].numpy(), classes.numpy()
    losses, hits = dict.fromkeys(cs, 0.0), dict.fromkeys(cs, 0)
    for train, test in splitter(folds, shuffle=True, random_state=seed).split(rows, truth):
        model = regression(max_iter=1000, warm_start=True)
        for c in sorted(cs):  # from the strongest penalty on, each fit starting from the one before
            model.set_params(C=c).fit(rows[train], truth[train])
            logs = model.predict_log_proba(rows[test])
            losses[c] -= float(logs[range(len(test)), truth[test]].sum())
            hits[c] += int((logs.argmax(1) == truth[test]).sum())
    return [(c, losses[c] / len(truth), hits[c] / len(truth)) for c in cs]


def fit_logistic_regression(inputs: Tensor, classes: Tensor, c: float) -> tuple[Tensor, Tensor]:
    """Return the weight (labels, hidden) and the bias (labels,) in float32."""
    rows, back = _rotated(inputs)
    model = import_scikit_learn()[0](C=c, max_iter=1000).fit(rows.numpy(), classes.numpy())
    weight, bias = torch.from_numpy(model.coef_) @ back, torch.from_numpy(model.intercept_)
    if len(weight) == 1:  # of two labels scikit-learn gives the log-odds of the second
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    return weight.float().contiguous(), bias.float().contiguous()
