"""`HiddenStateExplorer`: where tokens go from layer to layer, how alike they, the layers and the languages are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import traitlets

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.figures import Figure
from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.inspection.parallel import ParallelInspection, default_state, inspect_parallel
from xlmrxl.inspection.units import UNITS
from xlmrxl.progress import Progress
from xlmrxl.tasks.result import Result
from xlmrxl.tasks.texts import check_texts
from xlmrxl.views.states import STATE_VIEWS, StateOptions, StateView, draw
from xlmrxl.widgets.drawing import Drawing
from xlmrxl.widgets.task import Name, TaskWidget, load_named, read_module

if TYPE_CHECKING:
    from xlmrxl.session import Session

MOST_KEPT = 64
"""Results that are kept, so that going back to one costs nothing."""


class HiddenStateExplorer(Drawing, TaskWidget):
    """Look at the hidden states of one text, or of several beside each other.

    Args:
        model: a session; inspections that are there already, one, several, or a `Parallel`; or the name of a model.
        texts: one, several, or a dict from languages to texts.
        view: one of `STATE_VIEWS`.
        state: the state that is shown; two thirds up if not given.
        position: the token whose logit lens or curve is shown; the masks, or all tokens, if not given.
        unit: `"tokens"`, `"words"` or `"texts"`: what the points are.
        targets: words for the view `targets`.
    """

    texts = traitlets.List(traitlets.Unicode(), help="What is read.").tag(sync=True)
    languages = traitlets.List(traitlets.Unicode(), help="What the texts are called; may be left empty.").tag(sync=True)
    view = traitlets.Enum(list(STATE_VIEWS), "projection", help="What is shown.").tag(sync=True)
    state = traitlets.Int(
        0, min=0, help="The state that is shown: 0 the embeddings, i what layer i - 1 gives, the last one the end."
    ).tag(sync=True)
    position = traitlets.Int(
        None,
        allow_none=True,
        min=0,
        help="The token whose logit lens or curve is shown, counted from 0 (<s>); None for all.",
    ).tag(sync=True)
    unit = traitlets.Enum(list(UNITS), "tokens", help="What the points are.").tag(sync=True)
    text_index = traitlets.Int(0, min=0, help="The text that a view of one text shows, counted from 0.").tag(sync=True)
    other_index = traitlets.Int(1, min=0, help="The text that it is aligned with.").tag(sync=True)
    remove_mean = traitlets.Bool(False, help="Whether the mean, which all share, is taken off.").tag(sync=True)
    targets = traitlets.List(traitlets.Unicode(), help="Words whose way through the layers is shown.").tag(sync=True)
    dark = traitlets.Bool(False, help="Whether the page is dark; the page says so itself.").tag(sync=True)
    inspections = traitlets.Any((), help="Of the texts, for everything else one may ask.")
    found = traitlets.Dict(help="What the page draws; read the other traits instead.").tag(sync=True)

    _esm = read_module("states")
    _question_traits = (
        *("texts", "languages", "view", "state", "position", "unit", "text_index", "other_index", "remove_mean"),
        *("targets", "dark"),
    )

    def __init__(
        self,
        model: Session | Inspection | Sequence[Inspection] | ParallelInspection | Name = DEFAULT,
        texts: str | Sequence[str] | Mapping[str, str] = (),
        *,
        view: str = "projection",
        state: int | None = None,
        position: int | None = None,
        unit: str = "tokens",
        targets: str | Sequence[str] = (),
    ) -> None:
        """Load the model where it is named, and read the texts."""
        known = load_named(model)
        given = _given(known)
        languages: list[str] = []
        if given is not None:
            self._session = given.inspections[0].loaded_model
            languages, texts = list(given.languages), [one.text for one in given.inspections]
        else:
            self._session = cast("Session", known)
            if isinstance(texts, Mapping):
                languages, texts = list(texts), list(texts.values())
        texts = check_texts(texts)
        self._texts = (tuple(texts), tuple(languages)), given
        self._results: dict[tuple[tuple[str, str], ...], Result] = {}
        layers = self._session.model.config.num_hidden_layers
        super().__init__(
            texts=texts,
            languages=languages,
            view=view,
            state=default_state(layers) if state is None else state,
            position=position,
            unit=unit,
            targets=check_texts(targets, "targets"),
        )
        self.on_msg(self._reply)

    def _question(self) -> dict[str, Any] | None:
        texts = self._question_texts()
        if not texts[0]:
            return None
        used = STATE_VIEWS[self.view].options
        settings = {name: getattr(self, name) for name in used if (self.view, name) != ("projection", "state")}
        return {"texts": texts, "view": self.view, "dark": self.dark, **settings}

    def _answer(self, question: dict[str, Any], progress: Progress | bool) -> tuple[ParallelInspection, Result]:
        texts = self._read(question["texts"], progress)
        settings = {name: value for name, value in question.items() if name not in ("texts", "dark")}
        view = STATE_VIEWS[self.view]
        if view.needs is not None and not view.is_available(texts):
            raise ValueError(f"The view {self.view!r} needs {view.needs.description}.")
        asked = StateOptions(
            texts,
            self.state,
            self.position,
            self.unit,
            self.text_index,
            self.other_index,
            self.remove_mean,
            tuple(self.targets),
            progress,
        )
        self._check(asked, view)
        key = tuple((name, str(value)) for name, value in settings.items())
        if key not in self._results:
            if len(self._results) >= MOST_KEPT:
                self._results.clear()
            self._results[key] = view.make(asked)
        return texts, self._results[key]

    def _read(self, wanted: tuple[tuple[str, ...], tuple[str, ...]], progress: Progress | bool) -> ParallelInspection:
        """Return the inspections of some texts, with what the texts are called."""
        before, found = self._texts
        if found is None or wanted != before:
            texts, languages = wanted
            names = languages if len(languages) == len(texts) else [f"text {n}" for n in range(1, len(texts) + 1)]
            if len(texts) == 1:
                found = ParallelInspection([inspect(self._session, texts[0], progress=progress)], names[:1])
            else:
                found = inspect_parallel(self._session, texts, list(names), progress=progress)
            self._texts = wanted, found
            self._results.clear()
        return found

    def _check(self, asked: StateOptions, view: StateView) -> None:
        for name, count in (
            ("state", asked.texts.layers + 1),
            ("text_index", len(asked.texts.inspections)),
            ("other_index", len(asked.texts.inspections)),
            ("position", len(asked.texts.inspections[min(asked.text_index, len(asked.texts.inspections) - 1)].tokens)),
        ):
            value = getattr(asked, name)
            if name in view.options and value is not None and value >= count:
                raise ValueError(f"{name} is {value}; here it can be 0 to {count - 1}.")

    def _shown(self, answer: tuple[ParallelInspection, Result] | None) -> dict[str, Any]:
        wanted, texts = self._texts
        if answer is None and (texts is None or self._question_texts() != wanted):
            return {"inspections": (), "found": {}}
        # A view that cannot be had leaves the others to choose from.
        texts, result = answer or (texts, None)
        assert texts is not None
        view = STATE_VIEWS[self.view]
        found = {
            "view": self.view,
            "what": view.description,
            "uses": view.options,
            "views": [
                [name, each.title]
                for name, each in STATE_VIEWS.items()
                if each.is_available(texts) or name == self.view
            ],
            "layers": texts.layers,
            "names": texts.names,
            "units": view.units,
            "tokens": [[token.piece for token in one.tokens] for one in texts.inspections],
            "figure": "" if result is None else draw(self.view, result, self.state, self.dark).to_json(),
        }
        return {"result": result, "inspections": texts.inspections, "found": found}

    def _question_texts(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(text for text in self.texts if text.strip()), tuple(self.languages)

    def _result(self) -> Result:
        if self.result is None:
            raise ValueError(self.error or "There is no text to show the states of: set texts.")
        found: Result = self.result
        return found

    def _drawn(self, dark: bool) -> Figure:
        return draw(self.view, self._result(), self.state, dark)


def _given(model: Any) -> ParallelInspection | None:
    """Inspections that are there already, with what their texts are called."""
    if isinstance(model, ParallelInspection):
        return model
    found = [model] if isinstance(model, Inspection) else list(model) if isinstance(model, list | tuple) else []
    if not found:
        return None
    models = [(one.source.model, one.source.precision) for one in found]
    if len(set(models)) == len(found) > 1:  # one text in several models is told by them
        names = [precision if len({m for m, _ in models}) == 1 else model for model, precision in models]
    else:
        names = [f"text {n}" for n in range(1, len(found) + 1)]
    return ParallelInspection(found, names)
