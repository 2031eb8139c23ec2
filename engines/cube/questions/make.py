"""What the families of questions about stacks share: levels, random stacks that can be read, colours."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from engines.cube.draw.stacks import SHIFTS, ZOOMS
from engines.cube.scene.sight import SEEN, is_readable
from engines.cube.scene.stacks import Arrow, Heights, StackScene

# Per level 0..9.
FLOORS = (((2, 2), (1, 3), (3, 1)), ((2, 2), (2, 3), (3, 2)), ((2, 3), (3, 2)), ((3, 3),), ((3, 3),),
          ((3, 4), (4, 3)), ((4, 4),), ((4, 5), (5, 4)), ((5, 5),), ((6, 6),))  # fmt: skip
TALLEST = (2, 3, 3, 3, 4, 4, 5, 5, 6, 6)
COUNTS = ((1, 4), (1, 6), (2, 8), (3, 10), (4, 13), (5, 18), (8, 24), (10, 32), (14, 42), (20, 60))  # cubes in all
COLOURS_SHOWN = (2, 2, 3, 3, 4, 4, 5, 5, 6, 6)
TOPS_SHOWN = (0.95, 0.95, 0.5, 0.5, 0.5, SEEN, SEEN, SEEN, SEEN, SEEN)  # least visible share of every column's top
MIN_SIZE_PX = (112, 112, 112, 112, 112, 168, 168, 224, 224, 336)

# Colours whose three shades stay apart; black has no shades, and a shaded orange is brown.
COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "cyan", "pink")
RULE = "No cube floats."
DRAFTS = 12  # arrangements tried at a time, each closer to a descent towards the onlooker
NOISE = 3.0  # of the first of them, in cells
TRIES = 400


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of some options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A uniform whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def spread(rng: np.random.Generator, cells: int, total: int, tallest: int) -> list[int]:
    """Heights of `cells` columns that sum to `total`."""
    taken = rng.permutation(cells * tallest)[:total] // tallest
    return np.bincount(taken, minlength=cells).tolist()


def drafts(
    rng: np.random.Generator, floor: tuple[int, int], values: Sequence[int], share: float
) -> Iterator[np.ndarray]:
    """Readable arrangements of the heights on the floor, whole numbers [rows, columns].

    The last one descends strictly towards the onlooker: every top and every near side that shows, shows whole.
    """
    rows, columns = floor
    distance = np.add.outer(np.arange(rows), np.arange(columns)).ravel()
    strength = np.linspace(NOISE, 0, DRAFTS)[:, None]
    keys = distance + strength * rng.standard_normal((DRAFTS, rows * columns)) + 1e-6 * rng.random(rows * columns)
    flat = np.empty((DRAFTS, rows * columns), int)
    np.put_along_axis(flat, keys.argsort(1), np.sort(values)[None, ::-1], 1)
    heights = flat.reshape(DRAFTS, rows, columns)
    yield from heights[is_readable(heights, share)]


def arrange(
    rng: np.random.Generator,
    floor: tuple[int, int],
    values: Sequence[int],
    level: int,
    accept: Callable[[np.ndarray], bool] = lambda heights: True,
) -> np.ndarray:
    """The first readable arrangement that is accepted, whole numbers [rows, columns]; a descent must be."""
    for heights in drafts(rng, floor, values, TOPS_SHOWN[level]):
        if accept(heights):
            return heights
    raise AssertionError("a descent towards the onlooker is always readable")


def random_heights(rng: np.random.Generator, level: int) -> tuple[tuple[int, int], list[int]]:
    """A floor and heights for it, with the level's number of cubes."""
    floor = pick(rng, FLOORS[level])
    low, high = COUNTS[level]
    cells, tallest = floor[0] * floor[1], TALLEST[level]
    return floor, spread(rng, cells, min(between(rng, low, high), cells * tallest), tallest)


def frozen(heights: np.ndarray) -> Heights:
    """The same as tuples."""
    return tuple(map(tuple, heights.tolist()))


def palette(rng: np.random.Generator, count: int) -> list[str]:
    """Different colours in random order."""
    return [COLOURS[i] for i in rng.permutation(len(COLOURS))[:count].tolist()]


def painted(rng: np.random.Generator, heights: np.ndarray, level: int) -> list[list[list[str]]]:
    """Colours of a scene whose question is not about colour: one for all, one per column, or one per cube."""
    colours, manner = palette(rng, COLOURS_SHOWN[level]), int(rng.integers(3))
    base, cells = colours[0], heights.size
    if manner < 2:
        places = rng.integers(len(colours), size=cells).tolist()
        names = [base if manner == 0 else colours[place] for place in places]
        columns = [[name] * height for name, height in zip(names, heights.ravel().tolist(), strict=True)]
    else:
        dice = iter(rng.integers(len(colours), size=int(heights.sum())).tolist())
        columns = [[colours[next(dice)] for _ in range(height)] for height in heights.ravel().tolist()]
    width = heights.shape[1]
    return [columns[start : start + width] for start in range(0, cells, width)]


def finish(
    rng: np.random.Generator,
    stacks: list[list[list[str]]],
    dot: tuple[int, int] | None = None,
    lettered: bool = False,
    letters: Sequence[tuple[str, int, int]] = (),
    arrow: Arrow = "",
) -> StackScene:
    """The scene, at some place in its frame."""
    fixed = tuple(tuple(tuple(stack) for stack in row) for row in stacks)
    zoom, *shift = rng.integers([len(ZOOMS), SHIFTS + 1, SHIFTS + 1]).tolist()
    return StackScene(fixed, dot, zoom, tuple(shift), lettered, tuple(letters), arrow)
