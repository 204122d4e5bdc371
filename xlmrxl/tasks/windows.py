"""Texts that are longer than the model reads, in overlapping windows. No torch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


def split_into_windows(count: int, width: int, stride: int, cuts: Sequence[int] | None = None) -> list[range]:
    """Return the stretches of a text that are read one by one, and together cover it.

    Args:
        count: of the tokens.
        width: of a window, in tokens.
        stride: how far apart windows begin.
        cuts: where a window may begin and end, in rising order, such as the borders of words; 0 and `count` are among
            them. A window then begins and ends up to a word earlier. What has no cut within a whole window is cut
            anyway. If not given, everywhere.
    """
    found: list[range] = []
    start = 0
    while True:
        stop = min(start + width, count)
        if stop < count:
            stop = _last_cut(cuts, start, stop) or stop
        found.append(range(start, stop))
        if stop == count:
            return found
        # Where a word is longer than the stride, the next window begins after it.
        start = _last_cut(cuts, start, start + stride) or _first_cut(cuts, start, stop) or start + stride


def measure_edge_distance(window: range, part: range, count: int) -> int:
    """Return how far a part of a text is from where a window cuts the text; negative where the window cuts the part.

    Args:
        window: as from `overlapping_windows`.
        part: the tokens of a word.
        count: of the tokens of the text, whose ends are no cuts.
    """
    before = part.start - window.start if window.start else count
    after = window.stop - part.stop if window.stop < count else count
    return min(before, after)


def _last_cut(cuts: Sequence[int] | None, after: int, most: int) -> int:
    """Return the last place in (after, most] where a window may begin or end, 0 if there is none."""
    if cuts is None:
        return most
    cut = cuts[bisect_right(cuts, most) - 1]
    return cut if cut > after else 0


def _first_cut(cuts: Sequence[int] | None, after: int, most: int) -> int:
    """Return the first place in (after, most] where a window may begin or end, 0 if there is none."""
    place = 0 if cuts is None else bisect_right(cuts, after)
    return cuts[place] if cuts is not None and place < len(cuts) and cuts[place] <= most else 0
