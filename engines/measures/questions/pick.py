"""Choices that questions share."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
PAINTS = ("red", "blue", "green", "orange", "purple", "yellow")


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items."""
    return items[int(rng.integers(len(items)))]
