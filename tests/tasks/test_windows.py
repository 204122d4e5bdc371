"""Overlapping windows: they cover a text, cut no word that fits one, and overlap by what they are told."""

from __future__ import annotations

import itertools
import random

from xlmrxl.tasks.windows import measure_edge_distance, split_into_windows


def test_without_words_windows_begin_a_stride_apart():
    assert split_into_windows(10, 10, 5) == [range(10)]
    assert split_into_windows(3, 10, 5) == [range(3)]
    assert split_into_windows(0, 10, 5) == [range(0)]
    assert split_into_windows(11, 10, 5) == [range(10), range(5, 11)]
    assert split_into_windows(23, 10, 5) == [range(10), range(5, 15), range(10, 20), range(15, 23)]
    assert split_into_windows(23, 10, 9) == [range(10), range(9, 19), range(18, 23)]


def test_words_are_not_cut():
    """Words of 3: a window begins and ends with whole ones."""
    assert split_into_windows(12, 7, 3, range(0, 13, 3)) == [range(6), range(3, 9), range(6, 12)]
    # One of 6 pieces, which the first window has no place for, has a window that begins with it.
    assert split_into_windows(12, 7, 3, [0, 3, 9, 12]) == [range(3), range(3, 9), range(9, 12)]
    # One that no window has a place for is cut.
    assert split_into_windows(12, 4, 2, [0, 12]) == [range(i, i + 4) for i in range(0, 10, 2)]


def test_whatever_the_words_are():
    chance = random.Random(0)
    for _ in range(300):
        lengths = chance.choices([1, 1, 1, 2, 3, 5, 8, 21, 34], k=chance.randint(1, 60))
        cuts = [0, *itertools.accumulate(lengths)]
        count, width = cuts[-1], chance.randint(1, 30)
        windows = split_into_windows(count, width, max(width // 2, 1), cuts)
        assert windows[0].start == 0
        assert windows[-1].stop == count
        assert all(0 < len(window) <= width for window in windows)
        for before, after in itertools.pairwise(windows):
            assert before.start < after.start <= before.stop <= after.stop
        for start, stop in itertools.pairwise(cuts):
            there = [window for window in windows if start in window]
            assert 1 <= len(there) <= 6
            if stop - start <= width:
                assert max(measure_edge_distance(window, range(start, stop), count) for window in there) >= 0


def test_the_ends_of_a_text_are_no_cuts():
    assert measure_edge_distance(range(10), range(0, 2), 20) == 8
    assert measure_edge_distance(range(10, 20), range(18, 20), 20) == 8
    assert measure_edge_distance(range(5, 15), range(8, 10), 20) == 3
    assert measure_edge_distance(range(5, 15), range(13, 17), 20) == -2
    assert measure_edge_distance(range(20), range(3, 4), 20) == 20
