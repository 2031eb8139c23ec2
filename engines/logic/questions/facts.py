"""Further questions about any logic board: what is written where, and how many things there are."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact
from engines.logic.questions.signs import pick
from engines.logic.scene import Latin, Nonogram, Queens, Scene, Wall


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about a scene."""
    return {Latin: _latin, Nonogram: _nonogram, Queens: _queens, Wall: _wall}[type(scene)](scene, rng)


def _latin(scene: Latin, rng: np.random.Generator) -> tuple[Fact, ...]:
    found = [Fact("How many rows does the board have?", Answer.integer(scene.side))]
    if scene.signs:
        found.append(Fact("How many signs stand between cells?", Answer.integer(len(scene.signs))))
    if not scene.cages or any(scene.cells):
        empty = scene.cells.count(0)
        found.append(Fact("How many cells are empty?", Answer.integer(empty)))
    shown = [(i // scene.side + 1, i % scene.side + 1, n) for i, n in enumerate(scene.cells) if n]
    if shown:
        row, column, number = pick(rng, shown)
        found.append(Fact(f"Which number is in row {row}, column {column}?", Answer.integer(number)))
    if scene.cages:
        found.append(Fact("How many cages are there?", Answer.integer(len(scene.cages))))
        cage = pick(rng, scene.cages)
        (row, column), *_ = cage.cells
        where = f"that begins in row {row}, column {column}"
        found.append(Fact(f"How many cells does the cage {where} have?", Answer.integer(len(cage.cells))))
        found.append(Fact(f"Which number is written small in the cage {where}?", Answer.integer(cage.number)))
    return tuple(found)


def _nonogram(scene: Nonogram, rng: np.random.Generator) -> tuple[Fact, ...]:
    row, column = (int(i) for i in rng.integers(len(scene.rows), size=2))
    return (
        Fact("How many rows does the nonogram have?", Answer.integer(len(scene.rows))),
        Fact(f"List the numbers to the left of row {row + 1}.", Answer.listing(scene.rows[row])),
        Fact(f"List the numbers above column {column + 1}, from the top.", Answer.listing(scene.columns[column])),
        Fact("How many cells are shaded in the solution?", Answer.integer(sum(map(sum, scene.rows)))),
    )


def _queens(scene: Queens, rng: np.random.Generator) -> tuple[Fact, ...]:
    row = int(rng.integers(scene.side))
    own = scene.regions[row * scene.side : (row + 1) * scene.side]
    sizes = [scene.regions.count(region) for region in range(scene.side)]
    return (
        Fact("How many rows does the board have?", Answer.integer(scene.side)),
        Fact("How many queens are shown?", Answer.integer(len(scene.shown))),
        Fact(f"How many different regions does row {row + 1} cross?", Answer.integer(len(set(own)))),
        Fact("How many cells does the largest region have?", Answer.integer(max(sizes))),
        Fact("How many cells does the smallest region have?", Answer.integer(min(sizes))),
    )


def _wall(scene: Wall, rng: np.random.Generator) -> tuple[Fact, ...]:
    shown = [n for layer in scene.layers for n in layer if n is not None]
    return (
        Fact("How many layers of bricks are there?", Answer.integer(len(scene.layers))),
        Fact("How many bricks are there?", Answer.integer(sum(map(len, scene.layers)))),
        Fact("How many numbers are written?", Answer.integer(len(shown))),
        Fact("Which is the largest number written?", Answer.integer(max(shown))),
        Fact("In which layer from the bottom is the question mark?", Answer.integer(scene.asked[0] + 1)),
    )
