"""`AttentionExplorer`: the attention of every head, by the front end that the app has too."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import traitlets

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.inspection.inspection import Inspection, inspect
from xlmrxl.progress import Progress
from xlmrxl.session import Session
from xlmrxl.views.attention_view import AttentionView
from xlmrxl.widgets.task import MODEL, Name, TaskWidget, describe_problem, load_named, log, read_module


class Head(NamedTuple):
    """One head; `side` is 1 where it belongs to what stands beside the text."""

    layer: int
    head: int
    side: int = 0

    @classmethod
    def of(cls, value: Any) -> Head:
        """From (layer, head), (layer, head, side) or a dict of them, as the page sends it."""
        return cls(**value) if isinstance(value, Mapping) else cls(*value)


class HeadTrait(traitlets.TraitType[Head, Any]):
    """A trait that is a `Head`, and may be set to a pair of layer and head."""

    default_value = Head(0, 0)

    def validate(self, obj: Any, value: Any) -> Head:
        """Return a value as a head, or raise TraitError."""
        try:
            head = Head.of(value)
            whole = all(isinstance(number, int) and number >= 0 for number in head)
        except TypeError:
            whole = False
        if not whole:
            raise traitlets.TraitError(f"A head is given as (layer, head), both from 0, not as {value!r}.")
        return head


class AttentionExplorer(TaskWidget):
    """Explore the attention of all heads over a text, a pair, or two texts beside each other.

    Args:
        model: a session, an inspection that is there already, or the name of a model to load.
        text: what is read.
        text_pair: the second text of a pair, read together with the first.
        other: what stands beside it: another text (in another language), an inspection, or a session that reads the
            same text (in another precision).
        selected: the (layer, head) to begin with.
        settings: what is shown and how; the names are in `xlmrxl.views.protocol`.
        keep: how the weights are held; see `Session.inspect`.
    """

    text = traitlets.Unicode("", help="What is read.").tag(sync=True)
    text_pair = traitlets.Unicode("", help="The second text of a pair.").tag(sync=True)
    other = traitlets.Unicode("", help="The text that stands beside it; empty for none.").tag(sync=True)
    selected = HeadTrait(help="The head that was chosen last: .layer, .head and .side; set it to (layer, head).").tag(
        sync=True, to_json=lambda head, _: head._asdict(), from_json=lambda value, _: Head.of(value)
    )
    settings = traitlets.Dict(help="What is shown and how; only what differs from the defaults.").tag(sync=True)
    chosen = traitlets.List(
        traitlets.Tuple(), help="The (layer, head) of those that are looked at together: settings['chosen']."
    )
    inspection = traitlets.Any(None, allow_none=True, help="Of the text, for everything else one may ask.")
    other_inspection = traitlets.Any(None, allow_none=True, help="Of what stands beside it.")
    meta = traitlets.Dict(help="What the page draws: see xlmrxl.views.protocol.").tag(sync=True)
    buffers = traitlets.List(traitlets.Bytes(), help="The numbers that go with it.").tag(sync=True)
    found = traitlets.Dict(help="What the page draws; read the other traits instead.").tag(sync=True)

    _esm = read_module("attention")
    _question_traits = ("text", "text_pair", "other")

    def __init__(
        self,
        model: Session | Inspection | Name = DEFAULT,
        text: str = "",
        text_pair: str | None = None,
        *,
        other: str | Inspection | Session | None = None,
        selected: tuple[int, int] = (0, 0),
        settings: Mapping[str, Any] | None = None,
        keep: str = "recompute",
    ) -> None:
        """Load the model where it is named, and read the texts."""
        self._view: AttentionView | None = None
        self._keep = keep
        known: Session | Inspection = load_named(model)
        given = known if isinstance(known, Inspection) else None
        beside = other if isinstance(other, Inspection) else None
        self._session = known.loaded_model if isinstance(known, Inspection) else known
        if given is not None:
            text, text_pair = given.text, given.text_pair
        # What stands beside the text is read by another model, or it is another text, or both.
        self._beside = self._session
        if beside is not None:
            self._beside = beside.loaded_model
            other = beside.text if beside.text != text or self._beside is self._session else ""
        elif isinstance(other, Session):
            self._beside, other = other, ""
        self._given = {"text": text, "text_pair": text_pair or "", "other": other or ""}, given, beside
        super().__init__(
            **self._given[0],
            selected=selected,
            settings=dict(settings or {}),
        )
        self.on_msg(self._reply)
        self.observe(self._read_chosen, "settings")
        self.observe(self._write_chosen, "chosen")
        self._read_chosen()

    def _question(self) -> dict[str, Any] | None:
        if not self.text.strip():
            return None
        return {"text": self.text, "text_pair": self.text_pair, "other": self.other}

    def _answer(self, question: dict[str, Any], progress: Progress | bool) -> tuple[AttentionView, dict[str, Any]]:
        asked, first, beside = self._given
        if question != asked:
            first = beside = None
        text, text_pair, other = question.values()
        if first is None:
            first = inspect(self._session, text, text_pair or None, keep=self._keep, progress=progress)
        if beside is None and other.strip():
            beside = inspect(self._beside, other, keep=self._keep, progress=progress)
        elif beside is None and self._beside is not self._session:
            beside = inspect(self._beside, text, text_pair or None, keep=self._keep, progress=progress)
        view = AttentionView(first, beside)
        meta, buffers = view.first()
        return view, {"meta": meta, "buffers": buffers}

    def _shown(self, answer: tuple[AttentionView, dict[str, Any]] | None) -> dict[str, Any]:
        if answer is None:
            self._view = None
            return {"inspection": None, "other_inspection": None, "found": {}, "meta": {}, "buffers": []}
        self._view, first = answer
        sides = self._view.sides
        inspection, beside = sides[0], sides[1] if len(sides) > 1 else None
        found = {"text": self.text}
        return {"result": inspection, "inspection": inspection, "other_inspection": beside, "found": found, **first}

    def _reply(self, _: Any, content: Any, __: Any) -> None:
        """Answer what the page asks for."""
        view = self._view
        if view is None:
            return
        try:
            with MODEL:
                reply, buffers = view.answer(content)
        except Exception as problem:
            log.exception("a request of the page failed")
            named = content if isinstance(content, dict) else {}
            reply, buffers = {"id": named.get("id"), "type": named.get("type"), "error": describe_problem(problem)}, []
        self.send(reply, buffers)

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> Head:
        head: Head = proposal["value"]
        if self.inspection is None:
            return head
        layers, heads, sides = self.inspection.layers, self.inspection.heads, 1 + (self.other_inspection is not None)
        if head.layer >= layers or head.head >= heads or head.side >= sides:
            raise traitlets.TraitError(
                f"There is no head {tuple(head)}: layers go from 0 to {layers - 1}, heads from 0 to {heads - 1}, and "
                f"there {'are two sides, 0 and 1' if sides > 1 else 'is one side, 0'}."
            )
        return head

    def _read_chosen(self, _: Any = None) -> None:
        self.chosen = [tuple(head) for head in self.settings.get("chosen", [])]

    def _write_chosen(self, _: Any) -> None:
        chosen = [list(head) for head in self.chosen]
        if chosen != [list(head) for head in self.settings.get("chosen", [])]:
            self.settings = {**self.settings, "chosen": chosen}

    def save_html(self, path: str | os.PathLike[str], heads: Sequence[tuple[int, int]] | None = None) -> Path:
        """Write one HTML file that opens as the explorer stands, offline; all heads are in it unless some are named.

        Raises:
            ValueError: there is nothing to show.
        """
        if self._view is None:
            raise ValueError(self.error or "There is no text to show the attention of: set text.")
        with MODEL:
            return self._view.save_html(path, heads, selected=self.selected._asdict(), settings=self.settings)
