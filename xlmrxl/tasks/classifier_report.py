"""How good a classifier is on texts whose labels are known: accuracy, confusion, calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xlmrxl.rendering.components import render_result, render_rows
from xlmrxl.tasks.record import Record, to_rows
from xlmrxl.tasks.result import Result, Source, format_table

BINS = 10


@dataclass(frozen=True)
class LanguageAccuracy(Record):
    """How often the best label is the right one in one language."""

    language: str
    texts: int
    accuracy: float


@dataclass(frozen=True)
class ReliabilityBin(Record):
    """The texts whose best label has a probability from `low` up to, but not including, `high` (1 is in the last)."""

    low: float
    high: float
    texts: int
    confidence: float | None  # the mean probability of the best label; None without texts
    accuracy: float | None


@dataclass(frozen=True)
class ClassifierReport(Result):
    """What a classifier got right.

    Attributes:
        texts: how many there are.
        accuracy: how often the best label is the right one.
        majority: what the label that is most frequent among these texts would get.
        languages: the accuracy in each; empty where no languages were given.
        labels: that the classifier knows.
        confusion: texts by their own label (rows) and the label they were given (columns).
        calibration_error: the expected one, over the bins of `reliability`.
        reliability: by the probability of the best label.
    """

    texts: int
    accuracy: float
    majority: float
    languages: tuple[LanguageAccuracy, ...]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    reliability: tuple[ReliabilityBin, ...]

    @classmethod
    def from_probabilities(
        cls,
        source: Source,
        labels: Sequence[str],
        probabilities: Sequence[Sequence[float]],
        truth: Sequence[str],
        languages: Sequence[str] | None = None,
    ) -> ClassifierReport:
        """Compare what was found with what is true.

        The calibration error is the expected one of Guo et al. (2017), On Calibration of Modern Neural Networks: over
        ten bins of the best label's probability, how far its mean is from the accuracy, weighted by texts.

        Args:
            source: of the results.
            labels: that the classifier knows.
            probabilities: (texts, labels).
            truth: the label of each text, one of `labels`.
            languages: of each text.
        """
        labels = tuple(labels)
        guesses = [max(range(len(labels)), key=row.__getitem__) for row in probabilities]
        confidences = [row[guess] for row, guess in zip(probabilities, guesses, strict=True)]
        right = [labels[guess] == label for guess, label in zip(guesses, truth, strict=True)]
        pairs = Counter(zip(truth, (labels[guess] for guess in guesses), strict=True))
        counts: Counter[str] = Counter()
        hits: Counter[str] = Counter()
        if languages is not None:
            counts.update(languages)
            hits.update(language for language, hit in zip(languages, right, strict=True) if hit)
        reliability = tuple(_bin(number, confidences, right) for number in range(BINS))
        gaps = [
            part.texts * abs(part.confidence - part.accuracy)
            for part in reliability
            if part.confidence is not None and part.accuracy is not None
        ]
        return cls(
            source=source,
            labels=labels,
            texts=len(right),
            accuracy=_share(right),
            majority=max(Counter(truth).values()) / len(right),
            languages=tuple(
                LanguageAccuracy(language, counts[language], hits[language] / counts[language])
                for language in sorted(counts)
            ),
            confusion=tuple(tuple(pairs[own, given] for given in labels) for own in labels),
            calibration_error=sum(gaps) / len(right),
            reliability=reliability,
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a language, and one for all texts, whose language is None."""
        return [*to_rows(self.languages), {"language": None, "texts": self.texts, "accuracy": self.accuracy}]

    def _tables(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Return each table with its title, for a terminal and for a notebook."""
        rows = [{**row, "language": "all" if row["language"] is None else row["language"]} for row in self.rows()]
        confusion = [
            {"true label": own, **dict(zip(self.labels, row, strict=True))}
            for own, row in zip(self.labels, self.confusion, strict=True)
        ]
        reliability = [
            {
                "probability": f"{part.low:.1f} to {part.high:.1f}",
                "texts": part.texts,
                "mean": part.confidence,
                "accuracy": part.accuracy,
            }
            for part in self.reliability
            if part.texts
        ]
        return [
            (f"Accuracy (the most frequent label alone: {self.majority:.4g})", rows),
            ("Texts by their own label (rows) and the label given to them (columns)", confusion),
            (f"Probability of the best label; expected calibration error {self.calibration_error:.4g}", reliability),
        ]

    def __str__(self) -> str:
        """Show the accuracy by language, the confusion and the calibration as tables."""
        return "\n\n".join(f"{title}\n{format_table(rows)}" for title, rows in self._tables())

    def to_html(self, *, interactive: bool = True) -> str:
        """Return the three tables."""
        return render_result("".join(render_rows(rows, title) for title, rows in self._tables()))


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right)


def _bin(number: int, confidences: Sequence[float], right: Sequence[bool]) -> ReliabilityBin:
    inside = [i for i, confidence in enumerate(confidences) if min(int(confidence * BINS), BINS - 1) == number]
    return ReliabilityBin(
        low=number / BINS,
        high=(number + 1) / BINS,
        texts=len(inside),
        confidence=sum(confidences[i] for i in inside) / len(inside) if inside else None,
        accuracy=_share([right[i] for i in inside]) if inside else None,
    )
