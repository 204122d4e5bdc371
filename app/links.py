"""Links that open the app as somebody saw it: tab, texts and settings stand behind the # of the address, which browsers
send to nobody. `static/permalink.js` writes them and opens them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

if TYPE_CHECKING:
    from xlmrxl.session import Session

MAX_ADDRESS = (
    100_000  # characters: a text of the longest kind, with nine for each letter beyond ASCII, and the settings
)


@dataclass(frozen=True)
class Linked:
    """What of a tab a link tells.

    Attributes:
        fields: its components by the names that they have in an address.
        also: given the values that a link has, by name, what else of the tab has to change.
        besides: the components that are no fields, of which `also` and `model` may speak.
        model: given a model that was loaded in the place of another, what of the tab has to change.
        changing: the event after which another model may be there.
    """

    fields: Mapping[str, Component]
    also: Callable[[Mapping[str, Any]], dict[Block, Any]] = field(default=lambda _: {})
    besides: tuple[Block, ...] = ()
    model: Callable[[Session], dict[Block, Any]] = field(default=lambda _: {})
    changing: Any = None


def recorded(event: Any, tab: str, linked: Linked) -> Any:
    """Have the address say what a tab shows, when an event has shown it; not what is empty and was so at first."""
    names = list(linked.fields)
    bare = [name for name, component in linked.fields.items() if not component.value]
    js = f"(...values) => window.xlmrxl.links.recordFields({tab!r}, {names}, values, {bare})"
    return event.then(None, list(linked.fields.values()), None, js=js, api_visibility="private", show_progress="hidden")


def opened(
    app: gr.Blocks, tabs: gr.Tabs, linked: Mapping[str, Linked], now: Callable[[], dict[Block, Any]], *others: Block
) -> None:
    """Let the page begin with what its address says, as if a person had put it there and pressed the tab's button.

    What is not as it was built, by `now`, is changed first, and after each event that may have changed the model; the
    `others` are what it speaks of beside what is linked.
    """
    address = gr.Textbox(visible=False, elem_id="address")
    outputs = [tabs, *(block for each in linked.values() for block in (*each.fields.values(), *each.besides)), *others]
    quiet: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}

    def begin(address: str) -> dict[Block, Any]:
        return read(address, tabs, linked, now())

    def changed() -> dict[Block, Any]:
        return {tabs: gr.skip(), **now()}

    for each in linked.values():
        if each.changing is not None:
            each.changing.then(changed, None, outputs, **quiet)

    app.load(begin, address, outputs, js="() => [window.xlmrxl.links.initial.toString()]", **quiet).then(
        None, js="() => window.xlmrxl.pressLinkedButton()", api_visibility="private"
    )


def read(
    address: Any, tabs: gr.Tabs, linked: Mapping[str, Linked], now: Mapping[Block, Any] = MappingProxyType({})
) -> dict[Block, Any]:
    """What an address changes, beside what is to be changed `now`.

    What does not hold in it is left as it is: anybody can write one.
    """
    nothing: dict[Block, Any] = {tabs: gr.skip(), **now}
    if not isinstance(address, str) or len(address) > MAX_ADDRESS:
        return nothing
    try:
        said = dict(parse_qsl(address, keep_blank_values=True, max_num_fields=50))
    except ValueError:  # there are more
        return nothing
    if (tab := said.get("tab", "")) not in linked:
        return nothing
    values = {
        name: value
        for name, component in linked[tab].fields.items()
        if name in said and (value := _value(component, said[name], now.get(component, {}))) is not None
    }
    changes: dict[Block, Any] = dict(now)
    set_ = {linked[tab].fields[name]: gr.update(value=value) for name, value in values.items()}
    for change in (set_, linked[tab].also(values)):
        for component, said_of_it in change.items():
            changes[component] = {**changes.get(component, {}), **said_of_it}
    return {tabs: gr.Tabs(selected=tab), **changes}


def _value(component: Component, said: str, change: Mapping[str, Any]) -> Any:
    """The value that a component may have by what an address says, or None; `change` is what of it is not as built."""
    if isinstance(component, gr.Textbox):
        return said[: component.max_length]
    if isinstance(component, gr.Checkbox):
        return said == "true"
    if isinstance(component, gr.Slider):
        try:
            number = float(said)
        except ValueError:
            return None
        return number if component.minimum <= number <= change.get("maximum", component.maximum) else None
    if isinstance(component, gr.Dropdown | gr.Radio):
        return said if any(said == value for _, value in component.choices) else None
    raise TypeError(f"No link can tell the value of a {type(component).__name__}.")
