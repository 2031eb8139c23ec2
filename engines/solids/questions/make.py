"""Stacks at random, and what is seen of them from the sides."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.solids.scene import LETTERS, Panel, Solids, Table, is_open

SIDES = (2, 2, 3, 3, 3, 3, 3, 3, 4, 4)
TALLEST = (2, 3, 2, 3, 3, 3, 4, 4, 3, 4)
PAINTS = ("red", "blue", "green", "yellow", "orange", "purple")
TRIES = 400
T = TypeVar("T")


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def table(rng: np.random.Generator, side: int, tallest: int) -> Table:
    """Heights of 0 to the tallest, at random, with something in them."""
    while True:
        heights = rng.integers(tallest + 1, size=(side, side)).tolist()
        if max(map(max, heights)) == tallest:
            return tuple(map(tuple, heights))


def open_table(rng: np.random.Generator, side: int, tallest: int) -> Table:
    """Heights all of whose columns are seen from the corner between front and right."""
    for _ in range(TRIES):
        heights = [list(row) for row in table(rng, side, tallest)]
        for start in range(1 - side, side):  # along the line of sight the farther are the taller
            cells = [(row, row - start) for row in range(side) if 0 <= row - start < side]
            tall = sorted((heights[row][column] for row, column in cells), reverse=True)
            for (row, column), height in zip(cells, tall, strict=True):
                heights[row][column] = height
        found = tuple(map(tuple, heights))
        if is_open(found):
            return found
    raise RuntimeError(f"no open stack of side {side} in {TRIES} tries")


def changed(rng: np.random.Generator, heights: Table, tallest: int, count: int = 2) -> list[tuple[int, int, int]]:
    """Changes of so many different cells: row, column, and a cube more or less."""
    side, found = len(heights), []
    for cell in rng.permutation(side * side).tolist():
        row, column = divmod(cell, side)
        steps = [step for step in (-1, 1) if 0 <= heights[row][column] + step <= tallest]
        if steps:
            found.append((row, column, pick(rng, steps)))
        if len(found) == count:
            break
    return found


def with_changes(heights: Table, changes: Sequence[tuple[int, int, int]]) -> Table:
    """Heights after changes."""
    rows = [list(row) for row in heights]
    for row, column, step in changes:
        rows[row][column] += step
    return tuple(map(tuple, rows))


def four(heights: Table, changes: Sequence[tuple[int, int, int]]) -> list[Table]:
    """Heights with neither of two changes, with each and with both."""
    one, other = changes
    return [with_changes(heights, part) for part in ((), (one,), (other,), (one, other))]


def front(heights: Table) -> tuple[int, ...]:
    """The tallest of each column, from the left as seen from the front."""
    return tuple(map(max, zip(*heights, strict=True)))


def right(heights: Table) -> tuple[int, ...]:
    """The tallest of each row, from the left as seen from the right: the front row first."""
    return tuple(max(row) for row in heights[::-1])


def view(tops: tuple[int, ...], tallest: int) -> Table:
    """A view as filled cells, rows from the top."""
    return tuple(tuple(int(top >= level) for top in tops) for level in range(tallest, 0, -1))


def chosen(
    rng: np.random.Generator,
    given: tuple[Panel, ...],
    look: str,
    options: list[Table],
    mine: int,
    steps: int,
    question: str,
    query: dict,
) -> Posed:
    """A question with four options in any order, of which `mine` is right."""
    order = rng.permutation(4).tolist()
    scene = Solids(given, look, tuple(options[i] for i in order), pick(rng, PAINTS), steps)
    answer = Answer.choice(LETTERS[order.index(mine)], LETTERS)
    return Posed(scene, question, answer, guess_rate=0.25, query=query)


def until(attempt: Callable[[], Posed | None]) -> Posed:
    """The first question that an attempt gives."""
    for _ in range(TRIES):
        posed = attempt()
        if posed is not None:
            return posed
    raise RuntimeError(f"no solid that can be asked about in {TRIES} tries")
