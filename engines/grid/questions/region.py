"""Questions about shaded regions: area, perimeter, number of pieces. The number is drawn first, then a region."""

import itertools
from collections.abc import Iterator

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.grid.scene import Cell, RegionScene
from engines.style import COLOURS

SIDES = ((4, 5), (4, 5), (5, 6), (5, 6), (6, 7), (7, 8), (8, 9), (8, 10), (9, 11), (10, 12))  # of the grid, per level
AREAS = ((3, 7), (3, 8), (4, 10), (5, 12), (6, 15), (8, 18), (10, 22), (12, 26), (14, 30), (16, 36))  # cells
PERIMETERS = ((8, 14), (8, 16), (10, 18), (10, 20), (12, 24), (14, 28), (16, 32), (18, 36), (20, 40), (22, 44))
PIECES = ((1, 3), (1, 4), (1, 4), (2, 5), (2, 6), (2, 7), (2, 8), (3, 9), (3, 10), (3, 11))
MIN_SIZE_PX = (112, 112, 112, 112, 112, 140, 168, 168, 224, 224)
AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1))
TRIES = 200


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _near(cell: Cell) -> list[Cell]:
    return [(cell[0] + down, cell[1] + right) for down, right in AROUND]


def _sides(rng: np.random.Generator, level: int) -> tuple[int, int]:
    low, high = SIDES[level]
    return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))


def grow(rng: np.random.Generator, rows: int, columns: int, area: int) -> frozenset[Cell]:
    """A connected region of `area` cells, grown at random from a random cell."""
    return frozenset(itertools.islice(_growth(rng, rows, columns), area))


def _growth(rng: np.random.Generator, rows: int, columns: int) -> Iterator[Cell]:
    """The cells of a grid in an order in which each is next to an earlier one."""
    edge, seen = [(int(rng.integers(rows)) + 1, int(rng.integers(columns)) + 1)], set()
    rolls = rng.random(rows * columns).tolist()
    for roll in rolls:
        cell = edge.pop(int(roll * len(edge)))
        seen.add(cell)
        yield cell
        edge += [c for c in _near(cell) if _is_on(c, rows, columns) and c not in seen and c not in edge]


def _stages(rng: np.random.Generator, rows: int, columns: int) -> Iterator[frozenset[Cell]]:
    """A region as it grows over two thirds of a grid."""
    inside: set[Cell] = set()
    for cell in itertools.islice(_growth(rng, rows, columns), rows * columns * 2 // 3):
        inside.add(cell)
        yield frozenset(inside)


def _is_on(cell: Cell, rows: int, columns: int) -> bool:
    return 1 <= cell[0] <= rows and 1 <= cell[1] <= columns


def perimeter(shaded: frozenset[Cell]) -> int:
    """Sides of cells between shaded and not shaded."""
    return sum(other not in shaded for cell in shaded for other in _near(cell))


def has_hole(shaded: frozenset[Cell], rows: int, columns: int) -> bool:
    """Say whether some cell that is not shaded cannot be left without crossing shaded cells."""
    seen, left = {(0, 0)}, [(0, 0)]
    while left:
        for cell in _near(left.pop()):
            if 0 <= cell[0] <= rows + 1 and 0 <= cell[1] <= columns + 1 and cell not in seen and cell not in shaded:
                seen.add(cell)
                left.append(cell)
    return len(seen) + len(shaded) < (rows + 2) * (columns + 2)


AREA = (
    "How many cells are shaded?",
    "Count the shaded cells.",
    "How many cells does the shaded region cover?",
    "What is the area of the shaded region, in cells?",
)


def pose_area(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of shaded cells."""
    low, high = AREAS[level]
    area, (rows, columns) = int(rng.integers(low, high + 1)), _sides(rng, level)
    scene = RegionScene(rows, columns, grow(rng, rows, columns, area), _pick(rng, COLOURS))
    guess_rate = 1 / (high - low + 1)
    return Posed(scene, _pick(rng, AREA), Answer.integer(area), guess_rate=guess_rate, query={"ask": "area"})


PERIMETER = (
    "Each cell has side 1. What is the perimeter of the shaded region?",
    "Each cell has side 1. How long is the border of the shaded region?",
    "A cell is 1 wide and 1 high. What is the perimeter of the shaded shape?",
    "Walk once around the shaded region. How many cell sides long is the way?",
)


def pose_perimeter(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the perimeter of a region without holes."""
    low, high = PERIMETERS[level]
    wanted = low + 2 * int(rng.integers((high - low) // 2 + 1))
    for _ in range(TRIES):
        rows, columns = _sides(rng, level)
        stages = [shaded for shaded in _stages(rng, rows, columns) if perimeter(shaded) == wanted]
        shaded = _pick(rng, stages) if stages else frozenset()
        if shaded and not has_hole(shaded, rows, columns):
            scene = RegionScene(rows, columns, shaded, _pick(rng, COLOURS))
            guess_rate = 1 / ((high - low) // 2 + 1)
            answer = Answer.integer(wanted)
            return Posed(scene, _pick(rng, PERIMETER), answer, guess_rate=guess_rate, query={"ask": "perimeter"})
    raise RuntimeError(f"no region of perimeter {wanted} at level {level} in {TRIES} tries")


COMPONENTS = (
    "How many separate shaded regions are there? Cells that share a side belong together.",
    "Count the shaded regions. Cells that share a side are one region.",
    "Into how many pieces do the shaded cells fall? Only shared sides connect.",
    "How many pieces do the shaded cells form, if only shared sides connect them?",
)


def pose_components(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of connected pieces; up to level 4 pieces do not even meet at a corner."""
    low, high = PIECES[level]
    count = int(rng.integers(low, high + 1))
    (rows, columns), colour = _sides(rng, level), _pick(rng, COLOURS)
    rows, columns = rows + 1, columns + 1
    for _ in range(TRIES):
        shaded = _pieces(rng, rows, columns, count, corners_apart=level < 5)
        if shaded is not None:
            scene = RegionScene(rows, columns, shaded, colour)
            guess_rate, query = 1 / (high - low + 1), {"ask": "components"}
            return Posed(scene, _pick(rng, COMPONENTS), Answer.integer(count), guess_rate=guess_rate, query=query)
    raise RuntimeError(f"no {count} pieces at level {level} in {TRIES} tries")


def _pieces(
    rng: np.random.Generator, rows: int, columns: int, count: int, *, corners_apart: bool
) -> frozenset[Cell] | None:
    """Pieces of random sizes that do not touch, or None where they ran out of room."""
    free = {(row, column) for row in range(1, rows + 1) for column in range(1, columns + 1)}
    shaded: set[Cell] = set()
    largest = max(1, rows * columns // (3 * count))
    for _ in range(count):
        if not free:
            return None
        piece = {_pick(rng, sorted(free))}
        for _ in range(int(rng.integers(largest))):
            edge = sorted({c for cell in piece for c in _near(cell)} & free - piece)
            if edge:
                piece.add(_pick(rng, edge))
        shaded |= piece
        around = {c for cell in piece for c in _near(cell)}
        if corners_apart:
            around |= {(r + a, c + b) for r, c in piece for a in (-1, 1) for b in (-1, 1)}
        free -= piece | around
    return frozenset(shaded)


def facts(scene: RegionScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: the area, the colour, how many rows there are, how many cells of one row are shaded."""
    row = int(rng.integers(scene.rows)) + 1
    in_row = sum(cell[0] == row for cell in scene.shaded)
    return (
        Fact("How many cells are shaded?", Answer.integer(len(scene.shaded))),
        Fact("What colour are the shaded cells?", Answer.word(scene.colour, COLOURS)),
        Fact("How many rows does the grid have?", Answer.integer(scene.rows)),
        Fact(f"How many cells of row {row} are shaded? Rows count from the top.", Answer.integer(in_row)),
    )
