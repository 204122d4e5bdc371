"""The ways to look at hidden states, in the notebook and in the app: what each takes, how it is made and drawn.

`STATE_VIEWS` is the one list of them. To add one, add an entry here, and its figure to `DRAW` if its result is of a new
kind; the app and the widget offer it, and show the lines of Python that give it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xlmrxl import figures
from xlmrxl.errors import InputError
from xlmrxl.inspection import states
from xlmrxl.inspection.difference import drift
from xlmrxl.inspection.inspection import Inspection
from xlmrxl.inspection.labelled_matrix import Curves, LabelledMatrix
from xlmrxl.inspection.logit_lens import LogitLens, logit_lens
from xlmrxl.inspection.parallel import Alignment, ParallelInspection
from xlmrxl.inspection.projection import Projection
from xlmrxl.inspection.units import UNITS
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.progress import Progress
from xlmrxl.tasks.result import Result


@dataclass(frozen=True)
class StateOptions:
    """The options of a view; each view uses some of them.

    Attributes:
        texts: the inspections.
        state: the hidden state that is shown; 0 is the embeddings.
        position: of the token whose logit lens or curve is shown; None for the masks, or all tokens.
        unit: what the points are: tokens, words or texts.
        text_index: the text that a view of one text shows.
        other_index: the text that it is aligned with.
        remove_mean: whether the mean, which all units share, is taken off.
        targets: words whose probability is shown.
        progress: called while the logit lens is computed.
    """

    texts: ParallelInspection
    state: int
    position: int | None = None
    unit: str = "tokens"
    text_index: int = 0
    other_index: int = 1
    remove_mean: bool = False
    targets: tuple[str, ...] = ()
    progress: Progress | bool = False

    @property
    def text(self) -> Inspection:
        """The inspection that a view of one text shows."""
        return self.texts.inspections[self.text_index]

    @property
    def remove(self) -> int | None:
        """The argument of `states.remove_common_components`."""
        return 0 if self.remove_mean else None

    def apply_lens(self, targets: tuple[str, ...] = ()) -> LogitLens:
        """Apply the logit lens at `position`; if that is None, at the masks, or where there are none at all tokens."""
        positions = None if self.position is None else [self.position]
        return logit_lens(self.text, positions, targets, progress=self.progress)

    def select_token(self, matrix: LabelledMatrix) -> LabelledMatrix | Curves:
        """Return a matrix of states and tokens, or the curve of the token at `position`."""
        return matrix if self.position is None else matrix.to_curves([self.position])


def _has_lens(texts: ParallelInspection) -> bool:
    return isinstance(texts.inspections[0].loaded_model.model, XLMRobertaXLForMaskedLM)


def _has_several(texts: ParallelInspection) -> bool:
    return len(texts.inspections) > 1


def _has_same_tokens(texts: ParallelInspection) -> bool:
    first, second, *_ = *texts.inspections, None
    return second is not None and [token.id for token in first.tokens] == [token.id for token in second.tokens]


@dataclass(frozen=True)
class Requirement:
    """What a view needs of the texts or of their model."""

    description: str
    is_met: Callable[[ParallelInspection], bool]


MASKED_LM = Requirement("a masked language model", _has_lens)
TWO_TEXTS = Requirement("two texts or more", _has_several)
TWO_MODELS = Requirement("the same text, inspected by two models", _has_same_tokens)


@dataclass(frozen=True)
class StateView:
    """One way to look at hidden states.

    Attributes:
        title: as a list of choices shows it.
        description: in a sentence, for the page.
        options: the names of the `StateOptions` that it uses.
        make: its result.
        python: the expression that gives the result, of `inspection`, `inspections` or `parallel`, with the options in
            braces.
        needs: what must be there for it.
        units: what its points can be.
    """

    title: str
    description: str
    options: tuple[str, ...]
    make: Callable[[StateOptions], Result]
    python: str
    needs: Requirement | None = None
    units: tuple[str, ...] = UNITS

    def is_available(self, texts: ParallelInspection) -> bool:
        """Return whether the texts and their model have what the view needs."""
        return self.needs is None or self.needs.is_met(texts)


STATE_VIEWS = {
    "projection": StateView(
        "Projection",
        "Every point is a token, a word or a text; the slider follows them through the layers in one plane.",
        ("state", "unit"),
        lambda options: options.texts.project(unit=options.unit),
        "parallel.project(unit={unit!r})",
    ),
    "cosine": StateView(
        "Similarity of tokens",
        "The cosine of each with each in one state. Without the mean, what all share is taken off first.",
        ("state", "unit", "remove_mean"),
        lambda options: states.cosine_similarity(
            options.texts.inspections, options.state, unit=options.unit, remove=options.remove
        ),
        "states.cosine_similarity(inspections, {state}, unit={unit!r}{remove})",
    ),
    "logit_lens": StateView(
        "Lens",
        "What the LM head would say if the model ended after each layer: at the masks, or at the token chosen.",
        ("text_index", "position"),
        lambda options: options.apply_lens(),
        "inspection.logit_lens()",
        MASKED_LM,
    ),
    "targets": StateView(
        "Words by layer",
        "The probability that each of some words has after each layer: at the masks, or at the token chosen.",
        ("text_index", "position", "targets"),
        lambda options: options.apply_lens(options.targets),
        "inspection.logit_lens(targets={targets!r})",
        MASKED_LM,
    ),
    "norms": StateView(
        "Length",
        "How long each token's state is after each layer.",
        ("text_index", "position"),
        lambda options: options.select_token(states.state_norms(options.text)),
        "states.state_norms(inspection)",
    ),
    "change": StateView(
        "Change by layer",
        "The cosine of each token's state with its own one layer before.",
        ("text_index", "position"),
        lambda options: options.select_token(states.layer_similarity(options.text)),
        "states.layer_similarity(inspection)",
    ),
    "cka": StateView(
        "Similarity of layers",
        "Linear CKA: 1 where two layers lay out the tokens alike, up to a turn and a size.",
        ("text_index",),
        lambda options: states.cka(options.text),
        "states.cka(inspection)",
    ),
    "languages": StateView(
        "Texts by layer",
        "How alike the texts are after each layer.",
        ("unit", "remove_mean"),
        lambda options: options.texts.similarity(
            "texts" if options.unit == "texts" else "words", remove=options.remove
        ),
        "parallel.similarity({unit!r}{remove})",
        TWO_TEXTS,
        ("words", "texts"),
    ),
    "alignment": StateView(
        "Alignment",
        "Which words of two texts are each other's nearest.",
        ("state", "text_index", "other_index", "remove_mean"),
        lambda options: options.texts.alignment(
            options.text_index, options.other_index, options.state, remove=options.remove
        ),
        "parallel.alignment({text_index}, {other_index}, {state}{remove})",
        TWO_TEXTS,
    ),
    "drift": StateView(
        "Difference of models",
        "How far every token's state is from the first model's in the second, as a share of its length.",
        ("position",),
        lambda options: options.select_token(drift(options.texts.inspections[0], options.texts.inspections[1])),
        "drift(*inspections)",
        TWO_MODELS,
    ),
}
"""Every view by its name."""
DRAW: dict[type[Result], Callable[..., figures.Figure]] = {
    LabelledMatrix: figures.heatmap,
    Curves: figures.curves,
    LogitLens: figures.logit_lens,
    Alignment: figures.alignment,
}
"""What draws each kind of result."""


def draw(view: str, result: Result, state: int, dark: bool) -> figures.Figure:
    """Draw the result of a view.

    Args:
        view: its name.
        result: what it gave.
        state: where the slider stands, if the figure has one.
        dark: for a dark page.

    Raises:
        InputError: there is no figure of such a result.
    """
    if isinstance(result, Projection):
        return figures.projection(result, state=state if state in result.states else None, dark=dark)
    if view == "targets" and isinstance(result, LogitLens):
        return figures.logit_lens_targets(result, dark=dark)
    for kind, draw_kind in DRAW.items():
        if isinstance(result, kind):
            return draw_kind(result, dark=dark)
    raise InputError(f"There is no figure of a {type(result).__name__}.")
