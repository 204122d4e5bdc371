"""What is loaded, what a model would take, and loading another in its place."""

from __future__ import annotations

import csv
import gc
import io
import json
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, cast

from xlmrxl.app.handlers import Stopped
from xlmrxl.errors import CheckpointError, InputError, MissingDependencyError, get_first_line
from xlmrxl.quantization.precision import AUTO, PRECISIONS

if TYPE_CHECKING:
    from xlmrxl.app.served import Served
    from xlmrxl.plan import Plan
    from xlmrxl.progress import Progress
    from xlmrxl.session import Session

MAX_NAME = 1_000  # characters of a folder, or of a name on the Hub
PATIENCE = 60.0  # seconds for what a model still answers when it is to be freed

log = logging.getLogger(__name__)


class NeedJson(TypedDict):
    precision: str
    weights: int  # bytes, as all that follow
    sentence: dict[str, int]  # in addition, by tokens
    sentence_with_attentions: dict[str, int]
    fits: dict[str, bool]  # by device, beside what is loaded


class DeviceJson(TypedDict):
    name: str
    title: str
    free: int
    total: int


class PlanJson(TypedDict):
    model: str
    parameters: int
    precisions: list[NeedJson]
    devices: list[DeviceJson]
    runtime: int


class ModelJson(TypedDict):
    name: str
    revision: str | None
    head: str
    parameters: int
    layers: int
    attention_heads: int
    hidden_size: int
    vocabulary: int
    precision: str
    reason: str
    device: str
    weights: int  # bytes
    plan: PlanJson


class OnlyWithout(ValueError):
    """A model would fit if the present one were not there."""


@dataclass(frozen=True)
class About:
    """A loaded model, and what it would take in each precision.

    Attributes:
        head: the class of the model, and `purpose` what it is for.
        weights: bytes that its weights take, as they are held.
    """

    name: str
    revision: str | None
    head: str
    purpose: str
    parameters: int
    layers: int
    attention_heads: int
    hidden_size: int
    vocabulary: int
    precision: str
    reason: str
    device: str
    weights: int
    plan: Plan

    def to_dict(self) -> ModelJson:
        """Plain values, bytes throughout."""
        plain = {name: value for name, value in vars(self).items() if name != "purpose"}
        return cast(ModelJson, {**plain, "plan": self.plan.to_dict()})

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_csv(self) -> str:
        """The plan, a row a precision; bytes."""
        return plan_csv(self.plan)


def plan_csv(plan: Plan) -> str:
    """A row a precision, in bytes, and 1 where it fits a device beside what is loaded."""
    lengths, devices = list(plan.needs[0].sentence), [device.name for device in plan.devices]
    heads = ["model", "precision", "weights", *(f"tokens_{n}" for n in lengths)]
    heads += [*(f"tokens_{n}_with_attentions" for n in lengths), *(f"fits_{name}" for name in devices)]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(heads)
    for need in plan.needs:
        fits = [int(plan.fits(need.precision, name)) for name in devices]
        added = [*need.sentence.values(), *need.attentions.values()]
        rows.writerow([plan.model, need.precision, need.weights, *added, *fits])
    return text.getvalue()


def about(served: Served) -> About:
    """What is loaded, measured."""
    from xlmrxl.loaded_model import HEADS  # noqa: PLC0415
    from xlmrxl.model.module import init_empty_weights  # noqa: PLC0415
    from xlmrxl.plan import make_plan  # noqa: PLC0415 - torch comes along

    session = served.session
    model = session.model
    config = model.config
    with init_empty_weights():
        bare = type(model)(config)
    return About(
        name=session.name,
        revision=session.revision,
        head=type(model).__name__,
        purpose=HEADS[type(model)],
        parameters=model.num_parameters(),
        layers=config.num_hidden_layers,
        attention_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        vocabulary=config.vocab_size,
        precision=session.precision,
        reason=session.reason,
        device=str(session.device),
        weights=held(session),
        plan=make_plan(session.name, bare, embeddings_8bit=_embeddings_8bit(served)),
    )


def about_asked(served: Served, name: Any = "") -> About:
    """What is loaded, with the plan of a model that may be; of the present one if none is named."""
    found = about(served)
    if not name or name in (found.name, shown_name(served)):
        return found
    shown, source = named(served, name)
    with failing(served, shown, source):
        return replace(found, plan=_plan(served, shown, source))


def shown_name(served: Served) -> str:
    """The present model as it is named to load it: whoever may load any may know where its folder lies."""
    if served.models is None:
        return served.source
    return next((name for name, source in served.models.items() if source == served.source), served.session.name)


def held(session: Session) -> int:
    """The bytes that a model's weights take, shared ones once."""
    return sum(tensor.nbytes for tensor in (*session.model.parameters(), *session.model.buffers()))


@dataclass(frozen=True)
class LoadAsked:
    """Another model, as it is shown and as `load` takes it, and whether the present one may be freed first."""

    name: str
    source: str
    precision: str
    free: bool


def load_asked(served: Served, name: Any, precision: Any = "auto", free: Any = False) -> LoadAsked:
    """What a page asks to load. Raises ValueError with one actionable sentence, which tells nothing of this machine."""
    shown, source = named(served, name)
    offered = [AUTO, *PRECISIONS]
    if not isinstance(precision, str) or precision not in offered:
        raise InputError(f"There is no such precision: choose one of {', '.join(offered)}.")
    if not isinstance(free, bool):
        raise ValueError("Whether to free the present model first is yes or no: send true or false.")
    return LoadAsked(shown, source, precision, free)


def named(served: Served, name: Any) -> tuple[str, str]:
    """A model that may be loaded: its name as it is shown, and what `load` takes."""
    if served.models is not None:
        if not served.models:
            raise ValueError("This app keeps to its model: start one with another, by xlmrxl app --model NAME.")
        if not isinstance(name, str) or name not in served.models:
            raise ValueError("The app may not load that: choose a model from its list.")
        return name, served.models[name]
    if not isinstance(name, str) or not name.strip():
        raise ValueError("Give a name on the Hub such as facebook/xlm-roberta-xl, a folder, or default.")
    if len(name) > MAX_NAME or not name.isprintable():
        raise ValueError(f"The name of a model is one line of up to {MAX_NAME:,} characters: shorten it.")
    return name.strip(), name.strip()


def _plan(served: Served, shown: str, source: str) -> Plan:
    from xlmrxl.model.config import XLMRobertaXLConfig  # noqa: PLC0415
    from xlmrxl.plan import make_plan  # noqa: PLC0415

    config = XLMRobertaXLConfig.from_pretrained(source)
    return make_plan(shown, config, embeddings_8bit=_embeddings_8bit(served))


def _embeddings_8bit(served: Served) -> bool:
    return bool(served.loading.get("embeddings_8bit", False))


def switch(served: Served, asked: LoadAsked, told: Progress) -> None:
    """Load another model in the place of the present one, which answers meanwhile, unless it has to be freed first.

    Args:
        served: what is changed.
        asked: by what.
        told: how many bytes are loaded and how many there are; what it raises stops the loading.

    Raises:
        OnlyWithout: there is room if the present model is freed first, which was not allowed.
        ValueError: it cannot be loaded, was stopped, or another is being loaded; the sentence says what answers now.
    """
    with served.changing(asked.name), failing(served, asked.name, asked.source):
        beside = _check(served, asked)
        present = served.session.name if served.there else ""
        if beside or not present:
            with (
                otherwise(lambda: f"{present} goes on answering." if present else ""),
                failing(served, asked.name, asked.source),
            ):
                served.change(_load(served, asked, told))
        else:
            _instead(served, asked, told, present)


def _instead(served: Served, asked: LoadAsked, told: Progress, present: str) -> None:
    """Free the present model, then load the other; if that fails, load the present one again."""
    before = served.session
    precision, reason, where = before.precision, before.reason, {}
    if before.revision is not None:
        where["revision"] = before.revision
    source = served.source
    del before
    again = served.free()

    def back() -> str:
        from xlmrxl.session import load  # noqa: PLC0415 - torch comes along

        try:
            session = again()
            if session is None:
                session = load(source, precision=precision, **{**served.loading, **where}, progress=False)
            served.restore(replace(session, reason=reason))
        except Exception:
            log.exception("loading the model again that was freed")
            return f"{present} could not be loaded again either: load it, or another."
        return f"{present} is loaded again."

    with otherwise(back), failing(served, asked.name, asked.source):
        _wait(served, again, told)
        served.change(_load(served, asked, told))


def _wait(served: Served, again: Callable[[], Session | None], told: Progress) -> None:
    """Until what a freed model still answers has ended, and what was kept of it is dropped."""
    until = time.monotonic() + PATIENCE
    while again() is not None and time.monotonic() < until:
        told(0, 0)
        time.sleep(0.1)
        served.forget()
        gc.collect()
    import torch  # noqa: PLC0415 - it is there, since a model is

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _load(served: Served, asked: LoadAsked, told: Progress) -> Session:
    from xlmrxl.session import load  # noqa: PLC0415 - torch comes along

    session = load(asked.source, precision=asked.precision, **served.loading, progress=told)
    if type(session.model).__name__ != served.head:
        raise ValueError(_other_head(served, asked, type(session.model).__name__))
    session.try_forward()
    return session


def _check(served: Served, asked: LoadAsked) -> bool:
    """Whether a model fits beside the present one, by its config alone. Raises what speaks against loading it."""
    from xlmrxl.loaded_model import HEADS  # noqa: PLC0415
    from xlmrxl.model.checkpoint import find_stored_precision  # noqa: PLC0415
    from xlmrxl.model.config import XLMRobertaXLConfig  # noqa: PLC0415
    from xlmrxl.plan import format_size, select_devices  # noqa: PLC0415

    config = XLMRobertaXLConfig.from_pretrained(asked.source)
    heads = [name for name in config.architectures or () if name in {head.__name__ for head in HEADS}]
    if heads and served.head not in heads:
        raise ValueError(_other_head(served, asked, heads[0]))
    stored = find_stored_precision(config)
    if stored is not None and asked.precision not in ("auto", stored):
        raise ValueError(f"{asked.name} has {stored} weights already: choose {stored} or auto.")
    if served.loading.get("force"):
        return True
    table = _plan(served, asked.name, asked.source)
    device = served.loading.get("device", AUTO)
    choice = table.choose(stored or asked.precision, device)
    if choice.fits:
        return True
    present, freed = "", table
    if served.there:
        present = served.session.name
        freed = table.add_free(served.session.device, held(served.session))
    needed = format_size(choice.total)
    free = format_size(max(each.free for each in select_devices(table.devices, device)))
    if not freed.choose(stored or asked.precision, device).fits:
        even = f", even without {present}" if present else ""
        raise ValueError(
            f"{asked.name} needs {needed}, of which {free} are free here{even}: choose fewer bits or a smaller model."
        )
    if not asked.free:
        raise OnlyWithout(
            f"{asked.name} needs {needed}, and {free} are free beside {present}: let the present model be freed first, "
            "or choose fewer bits."
        )
    return False


def _other_head(served: Served, asked: LoadAsked, head: str) -> str:
    from xlmrxl.loaded_model import HEADS  # noqa: PLC0415 - torch comes along

    purposes = {each.__name__: purpose for each, purpose in HEADS.items()}
    return (
        f"{asked.name} is for {purposes[head]}, and the tabs here are for {purposes[served.head]}: start an app of its "
        f"own, by xlmrxl app --model {asked.name}."
    )


@contextmanager
def failing(served: Served, shown: str, source: str) -> Iterator[None]:
    """What a checkpoint can cause becomes one sentence; to strangers it does not say where a folder lies."""
    try:
        yield
    except Stopped:
        raise
    except (CheckpointError, MissingDependencyError) as error:
        if served.models is None or not os.path.isdir(source):
            raise ValueError(get_first_line(error)) from error
        log.warning("%s could not be loaded: %s", source, error)
        raise ValueError(f"{shown} cannot be loaded: the terminal in which the app was started says why.") from error


@contextmanager
def otherwise(then: Callable[[], str]) -> Iterator[None]:
    """What fails says what answers instead, when the memory of what failed has been given back."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, ValueError):
            log.exception("loading failed")
        sentence = str(error) if isinstance(error, ValueError) else "It could not be loaded."
        failed: BaseException | None = error
        while failed is not None:
            traceback.clear_frames(failed.__traceback__)
            failed = failed.__cause__ or failed.__context__
        raise ValueError(f"{sentence} {then()}".strip()) from None
