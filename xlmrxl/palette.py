"""The colours of everything that is drawn: figures, the attention explorer, the app and the widgets.

A palette is declared once, here. Python reads it from this module, style sheets as the custom properties that
`css_variables` writes, and JavaScript as the data that `Palette.to_dict` gives. To add one, declare it in `PALETTES`;
to draw everything in it, make it the `DEFAULT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from xlmrxl.errors import InputError

STEPS = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950)
"""What the steps of a hue are called, from the lightest to the darkest, as Tailwind and Gradio call them."""
WHITE = "#ffffff"
SCALES = ("sequential", "diverging")
"""From nothing to most, and from below zero through zero to above it."""


class Themed(NamedTuple):
    """One thing on a light and on a dark page."""

    light: Any
    dark: Any


@dataclass(frozen=True)
class Palette:
    """One hue for everything that is measured, one grey for the rest, and a second hue for what is below zero.

    Lightness goes one way along each scale, so that order survives every kind of colour blindness and a grey print.

    Attributes:
        name: of the palette.
        hue: eleven steps from light to dark, named by `STEPS`.
        grey: as many; they lean towards the hue a little, so that the page looks like one material.
        below: the four colours from the lowest value towards zero.
        against: what speaks against, where single words are marked.
        warning: what went wrong, which is also said in words and with a mark.
    """

    name: str
    hue: tuple[str, ...]
    grey: tuple[str, ...]
    below: Themed
    against: Themed
    warning: Themed

    def __post_init__(self) -> None:
        """Check that no step is missing."""
        for steps in (self.hue, self.grey):
            if len(steps) != len(STEPS):
                raise InputError(f"The palette {self.name} has {len(steps)} steps of a colour; it needs {len(STEPS)}.")

    def scale(self, name: str, *, dark: bool) -> tuple[str, ...]:
        """Return the nine colours of a scale, evenly spaced; what is nothing has the colour of the page.

        Args:
            name: `"sequential"` or `"diverging"`.
            dark: whether the page is dark.

        Raises:
            InputError: there is no such scale.
        """
        hue, page = self.hue, self.grey[9] if dark else WHITE
        if name == "sequential":
            above = (9, 8, 7, 6, 5, 4, 3, 1) if dark else (1, 2, 3, 4, 5, 6, 8, 10)
            return (page, *(hue[step] for step in above))
        if name == "diverging":
            steps = (8, 6, 4, 1) if dark else (2, 4, 6, 8)
            return (*self.below[dark], page, *(hue[step] for step in steps))
        raise InputError(f"There is no colour scale {name!r}; there are {', '.join(SCALES)}.")

    def to_dict(self) -> dict[str, Any]:
        """Return what JavaScript draws with: `{"hue": […], "grey": […], "warning": {…}, "scales": {name: {…}}}`."""
        scales = {name: Themed(*(list(self.scale(name, dark=dark)) for dark in (False, True))) for name in SCALES}
        return {
            "hue": list(self.hue),
            "grey": list(self.grey),
            "warning": self.warning._asdict(),
            "scales": {name: stops._asdict() for name, stops in scales.items()},
        }


PALETTES = {
    palette.name: palette
    for palette in (
        Palette(
            "petrol",
            hue=(
                *("#edf6f8", "#d6eaf0", "#b0d5e0", "#82bacb", "#519ab0", "#307d95"),
                *("#22667c", "#1b5265", "#163f4f", "#112f3c", "#0a1c25"),
            ),
            grey=(
                *("#f8f9f9", "#f0f2f2", "#e1e5e6", "#c9d0d2", "#9aa4a8", "#6a757a"),
                *("#4e585d", "#394247", "#242b2f", "#171c1f", "#0e1214"),
            ),
            # Petrol and orange are told apart by everyone.
            below=Themed(
                ("#8a4700", "#c46a0a", "#eda955", "#f9dcb8"),
                ("#ffd9ad", "#f0a04b", "#b56a1c", "#5f3a14"),
            ),
            against=Themed("#d97a12", "#f0a04b"),
            warning=Themed("#a3361f", "#f0937c"),
        ),
    )
}
"""Every palette by its name."""
DEFAULT = "petrol"
PALETTE = PALETTES[DEFAULT]
"""The palette that everything is drawn in."""
CATEGORIES = Themed(
    ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442"),
    ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#999999", "#0072B2"),
)
"""For things without an order: the colours of Okabe and Ito (2008), told apart by the colour-blind, with grey instead
of black; what the page swallows is last."""


def css_variables(light: str, dark: str, palette: Palette = PALETTE) -> str:
    """Return CSS that declares a custom property for each role a colour has, such as `--x-ink` and `--x-data`.

    Args:
        light: the selector of what is light unless it is said to be dark.
        dark: the selector of what is dark.
        palette: whose colours they are.
    """
    hue, grey = (dict(zip(STEPS, colours, strict=True)) for colours in (palette.hue, palette.grey))
    roles = {
        "ink": (grey[900], grey[100]),
        "soft": (grey[600], grey[400]),
        "line": (grey[300], grey[700]),
        "edge": (grey[400], grey[600]),
        "paper": (grey[50], grey[950]),
        "chip": (WHITE, grey[900]),
        "wash": (grey[200], grey[800]),
        "data": (hue[600], hue[300]),
        "pale": (hue[300], hue[600]),
        "tint": (hue[100], hue[800]),
        "tint-ink": (hue[800], hue[100]),
        "for": (hue[500], hue[300]),
        "against": palette.against,
        "warning": palette.warning,
    }
    rules = []
    for theme, selector in enumerate((light, dark)):
        declared = " ".join(f"--x-{role}: {colours[theme]};" for role, colours in roles.items())
        rules.append(f"{selector} {{ {declared} }}")
    return "\n".join(rules)
