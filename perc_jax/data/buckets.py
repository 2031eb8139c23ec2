"""Which buckets a run's prompts should be sorted into: their lengths in, a few shapes out; numbers only.

A bucket is a shape (prompt tokens, patch slots); what is computed together takes the smallest that holds all of it. A
chain of shapes is chosen from the lengths of rows, each above the one before it in both, that leaves the least to
compute: the rows are put in order of what they cost, the order is cut at the best places, and each shape holds all rows
up to its cut. More than `MOST` are not worth their compiling, and one that saves little is left out. A run saves less
than is said here, as far as its micro-batches hold prompts of several buckets.

Worked example: 90 rows of 200 tokens and 256 patches, 10 of 900 and 2,048: with ((256, 256),) beside (1024, 2048) nine
tenths of the prompts cost an eighth.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

MOST = 3  # shapes beside the largest
LEAST_SAVED = 0.05  # of what is computed, for a further shape to be worth its compiling
TOKEN_UNIT = 64  # tokens that a bucket's are a multiple of: narrower ones save nothing on a device
CUTS = 64  # places at which the order may be cut


class Proposal(NamedTuple):
    """Shapes to set, and what they are worth."""

    buckets: tuple[tuple[int, int], ...]  # ascending; empty: the largest alone is as good
    saved: float  # share of the work on prompts that is no longer done, in [0, 1)
    shares: tuple[float, ...]  # of the prompts, that fit each


def propose(
    tokens: Int[np.ndarray, "n"], patches: Int[np.ndarray, "n"], largest: tuple[int, int], window: int
) -> Proposal:
    """Choose the shapes for prompts that all fit the largest.

    Args:
        tokens: of each prompt.
        patches: slots of its pictures.
        largest: tokens and slots of what is always there.
        window: slots that a bucket's are a multiple of.
    """
    if not len(tokens):
        return Proposal((), 0.0, ())
    order = np.argsort(tokens / largest[0] + patches / largest[1], kind="stable")
    ends = np.unique(np.linspace(1, len(order), CUTS).astype(int))
    shapes = [_holding(tokens[order[:end]], patches[order[:end]], largest, window) for end in ends]
    costs = np.array([_cost(*shape, largest) for shape in shapes])
    best = Proposal((), 0.0, ())
    for count in range(1, MOST + 1):
        cuts = _cut(ends / len(order), costs, count)
        chosen = list(dict.fromkeys(shapes[cut] for cut in cuts if shapes[cut] != largest))
        found = _worth(tokens, patches, chosen, largest)
        if found.saved < best.saved + LEAST_SAVED:
            break
        best = found
    return best


def _holding(
    tokens: Int[np.ndarray, "n"], patches: Int[np.ndarray, "n"], largest: tuple[int, int], window: int
) -> tuple[int, int]:
    """The smallest shape for all of these."""
    most = -(-int(tokens.max()) // TOKEN_UNIT) * TOKEN_UNIT, max(1, -(-int(patches.max()) // window)) * window
    return min(most[0], largest[0]), min(most[1], largest[1])


def _cost(tokens: int, patches: int, largest: tuple[int, int]) -> float:
    """Work on a prompt in a shape, of that in the largest; a picture's patches weigh as much as all of its tokens."""
    return (tokens / largest[0] + patches / largest[1]) / 2


def _cut(shares: Float[np.ndarray, "c"], costs: Float[np.ndarray, "c"], count: int) -> list[int]:
    """At most `count` of the places, ascending, that leave the least to compute; the last place costs 1."""
    done, via = shares * costs, []  # of all rows up to a place, in shapes of which the place is the last
    for _ in range(count - 1):
        steps = done[:, None] + (shares[None] - shares[:, None]) * costs[None]
        steps = np.where(np.tri(len(shares), k=-1, dtype=bool).T, steps, np.inf)
        via.append(np.where(steps.min(axis=0) < shares * costs, steps.argmin(axis=0), -1))
        done = np.minimum(steps.min(axis=0), shares * costs)
    cuts = [int(np.argmin(done + (1 - shares)))]
    for before in reversed(via):
        if before[cuts[0]] < 0:
            break
        cuts.insert(0, int(before[cuts[0]]))
    return cuts


def _worth(
    tokens: Int[np.ndarray, "n"],
    patches: Int[np.ndarray, "n"],
    chosen: Sequence[tuple[int, int]],
    largest: tuple[int, int],
) -> Proposal:
    """What shapes save, each prompt in the smallest that holds it."""
    fits = np.array([(tokens <= most) & (patches <= slots) for most, slots in (*chosen, largest)])
    place, costs = fits.argmax(axis=0), np.array([_cost(*shape, largest) for shape in (*chosen, largest)])
    shares = tuple(float((place == number).mean()) for number in range(len(chosen)))
    return Proposal(tuple(chosen), float(1 - costs[place].mean()), shares)
