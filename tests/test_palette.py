"""The palettes: order survives a print without colours and every kind of colour blindness."""

from __future__ import annotations

import numpy as np
import pytest

from xlmrxl.palette import PALETTES


def lightness(colours: tuple[str, ...]) -> np.ndarray:
    """How light 256 colours between evenly spaced ones are, from 0 to 255."""
    stops = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours])
    places = np.linspace(0, len(stops) - 1, 256)
    parts = [np.interp(places, range(len(stops)), stops[:, part]) for part in range(3)]
    return np.array([0.2126, 0.7152, 0.0722]) @ parts


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", PALETTES)
def test_colours_keep_their_order_in_grey(name: str, dark: bool) -> None:
    """Lightness goes one way, for differences to both sides of zero."""
    darker = -1 if dark else 1
    values = lightness(PALETTES[name].scale("sequential", dark=dark))
    assert (np.diff(values) * darker < 0.51).all()
    assert abs(values[-1] - values[0]) > 180
    values = lightness(PALETTES[name].scale("diverging", dark=dark))
    for side in (values[127::-1], values[128:]):
        assert (np.diff(side) * darker < 0.51).all()
        assert abs(side[-1] - side[0]) > 120
