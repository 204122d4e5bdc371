"""The ways to show hidden states, in the notebook and in the app: what each asks for, and what draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xlmrxl import figures
from xlmrxl.inspection import states
from xlmrxl.inspection.difference import drift
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.inspection.labelled_matrix import Curves, Grid
from xlmrxl.inspection.logit_lens import Lens, lens
from xlmrxl.inspection.parallel import Alignment, Parallel
from xlmrxl.inspection.projection import Projection
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.progress import Progress
from xlmrxl.tasks.result import Result

UNITS = ("tokens", "words", "texts")
"""What points can be."""


@dataclass(frozen=True)
class Asked:
    """What a view is made of."""

    texts: Parallel
    layer: int
    position: int | None
    of: str
    which: int
    beside: int
    corrected: bool
    targets: tuple[str, ...]
    progress: Progress | bool = False

    @property
    def one(self) -> Inspection:
        """Of the text that a view of a single text shows."""
        return self.texts.inspections[self.which]

    @property
    def remove(self) -> int | None:
        return 0 if self.corrected else None

    def through_lens(self, targets: tuple[str, ...] = ()) -> Lens:
        """The lens on the token at `position`; on the masks if that is None, or on all tokens where there are none."""
        positions = None if self.position is None else [self.position]
        return lens(self.one, positions, targets, progress=self.progress)

    def of_token(self, grid: Grid) -> Grid | Curves:
        """A grid of states and tokens, or the curve of the token at `position`."""
        return grid if self.position is None else grid.curves([self.position])


def _same_tokens(texts: Parallel) -> bool:
    first, second, *_ = *texts.inspections, None
    return second is not None and [token.id for token in first.tokens] == [token.id for token in second.tokens]


@dataclass(frozen=True)
class View:
    """One way to look at hidden states."""

    name: str
    what: str  # in a sentence, for the page
    uses: tuple[str, ...]  # of the traits
    make: Callable[[Asked], Result]
    offered: Callable[[Parallel], bool] = lambda _: True
    needs: str = ""  # what is missing where it is not offered
    units: tuple[str, ...] = UNITS  # what its points can be


def _has_lens(texts: Parallel) -> bool:
    return isinstance(texts.inspections[0].session.model, XLMRobertaXLForMaskedLM)


def _several(texts: Parallel) -> bool:
    return len(texts.inspections) > 1


VIEWS = {
    "projection": View(
        "Projection",
        "Every point is a token, a word or a text; the slider follows them through the layers in one plane.",
        ("layer", "of"),
        lambda asked: asked.texts.project(of=asked.of),
    ),
    "cosine": View(
        "Similarity of tokens",
        "The cosine of each with each in one state. Without the mean, what all share is taken off first.",
        ("layer", "of", "corrected"),
        lambda asked: states.cosines(asked.texts.inspections, asked.layer, of=asked.of, remove=asked.remove),
    ),
    "lens": View(
        "Lens",
        "What the LM head would say if the model ended after each layer: at the masks, or at the token chosen.",
        ("which", "position"),
        lambda asked: asked.through_lens(),
        _has_lens,
        "a masked language model",
    ),
    "targets": View(
        "Words by layer",
        "The probability that each of some words has after each layer: at the masks, or at the token chosen.",
        ("which", "position", "targets"),
        lambda asked: asked.through_lens(asked.targets),
        _has_lens,
        "a masked language model",
    ),
    "norms": View(
        "Length",
        "How long each token's state is after each layer.",
        ("which", "position"),
        lambda asked: asked.of_token(states.norms(asked.one)),
    ),
    "change": View(
        "Change by layer",
        "The cosine of each token's state with its own one layer before.",
        ("which", "position"),
        lambda asked: asked.of_token(states.through(asked.one)),
    ),
    "cka": View(
        "Similarity of layers",
        "Linear CKA: 1 where two layers lay out the tokens alike, up to a turn and a size.",
        ("which",),
        lambda asked: states.cka(asked.one),
    ),
    "languages": View(
        "Texts by layer",
        "How alike the texts are after each layer.",
        ("of", "corrected"),
        lambda asked: asked.texts.similarity("texts" if asked.of == "texts" else "words", remove=asked.remove),
        _several,
        "two texts or more",
        ("words", "texts"),
    ),
    "alignment": View(
        "Alignment",
        "Which words of two texts are each other's nearest.",
        ("layer", "which", "beside", "corrected"),
        lambda asked: asked.texts.alignment(asked.which, asked.beside, asked.layer, remove=asked.remove),
        _several,
        "two texts or more",
    ),
    "drift": View(
        "Difference of models",
        "How far every token's state is from the first model's in the second, as a share of its length.",
        ("position",),
        lambda asked: asked.of_token(drift(asked.texts.inspections[0], asked.texts.inspections[1])),
        _same_tokens,
        "the same text, inspected by two models",
    ),
}
DRAWN: dict[type[Result], Callable[..., figures.Figure]] = {
    Grid: figures.grid,
    Curves: figures.curves,
    Lens: figures.lens,
    Alignment: figures.alignment,
}


def drawn(view: str, result: Result, layer: int, dark: bool) -> figures.Figure:
    """The figure of a result, with the layer that is shown where it has a slider.

    Raises:
        ValueError: there is no figure of such a result.
    """
    if isinstance(result, Projection):
        return figures.projection(result, state=layer if layer in result.states else None, dark=dark)
    if view == "targets" and isinstance(result, Lens):
        return figures.lens_targets(result, dark=dark)
    for kind, draw in DRAWN.items():
        if isinstance(result, kind):
            return draw(result, dark=dark)
    raise ValueError(f"There is no figure of a {type(result).__name__}.")
