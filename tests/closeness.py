"""Comparing results that were computed separately: equal in all but the rounding of their numbers."""

from __future__ import annotations

from typing import Any

import pytest


def approximate(value: Any, rel: float = 1e-4, abs: float = 1e-6) -> Any:
    """Return a nested value whose floats equal what is close to them; all else of it has to be the same.

    Two processes, batches or kernels add the products of a layer in different orders, and each order rounds float32
    otherwise: by about 1e-6 of a logit or a log-probability, so by about 1e-5 of a probability.

    Args:
        value: made of dicts, lists and tuples.
        rel: how far two floats may be apart, as a share of the expected one.
        abs: how far they may be apart whatever their size, for those that are differences of larger numbers.
    """
    if isinstance(value, dict):
        return {key: approximate(one, rel, abs) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(approximate(one, rel, abs) for one in value)
    return pytest.approx(value, rel=rel, abs=abs) if isinstance(value, float) else value
