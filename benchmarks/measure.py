"""What several benchmarks share: sentences with a mask, and how long something takes."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

TEXT = """the old house near river was empty when they came back to village in summer and winter people small large
children water bread garden school friend night morning street city book letter music table window"""


def sentences(count: int, tokens: int, length: Callable[[str], int]) -> list[str]:
    """Texts of so many tokens, special ones included, each with one mask at another place."""
    generator = torch.Generator().manual_seed(0)
    pool = TEXT.split()
    found = []
    while len(found) < count:
        order = torch.randint(len(pool), (tokens,), generator=generator).tolist()
        words = [pool[i] for i in order]
        words[int(torch.randint(3, (1,), generator=generator))] = "<mask>"
        while length(" ".join(words)) > tokens:
            words.pop()
        found.append(" ".join(words))
    return found


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
