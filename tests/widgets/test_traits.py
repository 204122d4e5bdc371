"""What the pages know of the widgets is what Python sends: `traits.d.ts` beside the classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xlmrxl import widgets

TYPES = (Path(widgets.__file__).parent / "static" / "traits.d.ts").read_text(encoding="utf-8")
CLASSES = {
    "FillTraits": widgets.MaskFiller,
    "ChooseTraits": widgets.ChoiceScorer,
    "ClassifyTraits": widgets.TextClassifier,
    "ExplorerTraits": widgets.AttentionExplorer,
    "StatesTraits": widgets.HiddenStateExplorer,
    "ResultViewTraits": widgets.ResultView,
}


def names_of(interface: str) -> set[str]:
    """Return the names of an interface's fields, those of what it extends among them."""
    found = re.search(rf"interface {interface}(?: extends ([\w, ]+))? \{{(.*?)^\}}", TYPES, re.DOTALL | re.MULTILINE)
    assert found, interface
    names = set(re.findall(r"^  (\w+)\??:", found[2], re.MULTILINE))
    return names.union(*(names_of(base) for base in (found[1] or "").split(", ") if base))


@pytest.mark.parametrize("interface", CLASSES)
def test_a_page_knows_only_traits_that_are_sent(interface: str) -> None:
    names = names_of(interface)
    assert len(names) >= 4
    assert names <= CLASSES[interface].class_traits(sync=True).keys()
