"""Positions shared out among sources by weight: which source makes a position's row, and the how manieth of its own.

Positions come in blocks of `BLOCK`. In each a source has its share of the places, rounded but at least one place, in an
order that the key and the block's number decide. So the count of a source before any position is known without
going through those before it, and a mixture is a pure function of (key, weights, position).

Worked example, weights 3 and 1: 768 and 256 places of each 1,024; position 1,024 is number 768 of the first source or
number 256 of the second.
"""

import functools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from engines.base import make_rng
from perc_jax.data.batches import Rows
from perc_jax.data.engines import Row

BLOCK = 1024


class Place(NamedTuple):
    """Where a position stands."""

    source: int
    count: int  # rows of that source at earlier positions


@dataclass(frozen=True)
class Shares:
    """How positions are shared out."""

    key: tuple[Hashable, ...]  # of the run and the stage
    weights: tuple[float, ...]  # of the sources, not all 0

    def place(self, position: int) -> Place:
        """Find a position's source and its count there."""
        block, within = divmod(position, BLOCK)
        order = _order(self.key, self.weights, block)
        source = int(order[within])
        before = block * int(_places(self.weights)[source]) + int((order[:within] == source).sum())
        return Place(source, before)


@dataclass(frozen=True)
class Mixed:
    """Sources as one. The first is asked by position, as if it were alone: engines, whose curriculum goes by that; the
    others by their count."""

    shares: Shares
    first: Rows | None
    others: tuple[Rows, ...]
    has_gold: bool  # in a batch all rows have a gold completion or none has

    def row(self, position: int) -> Row:
        """Make the row of a position."""
        source, count = self.shares.place(position)
        if self.first is None:
            row = self.others[source].row(count)
        else:
            row = self.others[source - 1].row(count) if source else self.first.row(position)
        return row if self.has_gold else row._replace(gold=None)


def _places(weights: Sequence[float]) -> Int[np.ndarray, " n"]:
    """Places of each source in a block: whole ones, then one more to those that were cut the most."""
    wanted = np.array(weights) / sum(weights) * BLOCK
    places = np.where(wanted > 0, np.maximum(1, np.floor(wanted)), 0).astype(np.int64)
    for source in np.argsort(places - wanted, kind="stable")[: max(0, BLOCK - places.sum())]:
        places[source] += 1
    while places.sum() > BLOCK:  # rare sources were given more than their share
        places[np.argmax(places)] -= 1
    return places


@functools.lru_cache(maxsize=8)
def _order(key: tuple[Hashable, ...], weights: tuple[float, ...], block: int) -> Int[np.ndarray, " BLOCK"]:
    """The sources of a block's places."""
    sources = np.repeat(np.arange(len(weights)), _places(weights))
    return make_rng("mixed", *key, block).permutation(sources)
