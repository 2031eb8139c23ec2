"""Positions shared out among sources by weight: which source makes a position's row, and the how manieth of its own.

Positions come in blocks of `BLOCK`. In each a source has its share of the places, rounded but at least one place, in an
order that the key and the block's number decide. So the count of a source before any position is known without
going through those before it, and a mixture is a pure function of (key, weights, position); where its weights are
others from some position on, of what `Drawn` says of that position too, so that no row is left out or comes again.

Worked example, weights 3 and 1: 768 and 256 places of each 1,024; position 1,024 is number 768 of the first source or
number 256 of the second.
"""

import functools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    since: int = 0  # the first position that they hold for
    before: tuple[int, ...] = ()  # rows of each source before that; empty: none

    def place(self, position: int) -> Place:
        """Find a position's source and its count there."""
        block, within = divmod(position, BLOCK)
        source = int(_order(self.key, self.weights, block)[within])
        return Place(source, self.counts(position)[source])

    def counts(self, position: int) -> tuple[int, ...]:
        """Rows of each source before a position that the weights hold for, or the first one that they do not."""
        counts = self._from_the_first(position)
        if not self.before:
            return counts
        skipped = self._from_the_first(self.since)
        return tuple(map(sum, zip(counts, self.before, (-one for one in skipped), strict=True)))

    def _from_the_first(self, position: int) -> tuple[int, ...]:
        """The same, had the weights held for all positions."""
        block, within = divmod(position, BLOCK)
        order = _order(self.key, self.weights, block)[:within]
        counts = block * _places(self.weights) + np.bincount(order, minlength=len(self.weights))
        return tuple(counts.tolist())


@dataclass(frozen=True)
class Drawn:
    """The sources of a stage's mixture by name, and how often each was drawn before its weights were those of now."""

    weights: Mapping[str, float]  # in the order of the sources
    since: int = 0  # position from which on these are the weights
    before: Mapping[str, int] = field(default_factory=dict)  # rows drawn before that, also of sources that are gone

    def shares(self, key: tuple[Hashable, ...]) -> Shares:
        """The sources as `Shares` has them."""
        before = tuple(self.before.get(name, 0) for name in self.weights) if self.since else ()
        return Shares(key, tuple(self.weights.values()), self.since, before)

    def become(self, key: tuple[Hashable, ...], weights: Mapping[str, float], position: int) -> "Drawn":
        """The same with other weights from a position on."""
        if list(weights.items()) == list(self.weights.items()):
            return self
        counts = dict(zip(self.weights, self.shares(key).counts(position), strict=True))
        return Drawn(weights, position, {**self.before, **counts})

    def record(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        weights, before = ([[name, one] for name, one in many.items()] for many in (self.weights, self.before))
        return {"since": self.since, "weights": weights, "before": before}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Drawn":
        """What `record` gave, also after a round trip through JSON."""
        return cls(dict(record["weights"]), record["since"], dict(record["before"]))


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
