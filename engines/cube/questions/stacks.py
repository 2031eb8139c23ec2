"""Questions about stacks: how many cubes, how high, which colour. The answer comes first, then a scene that has it."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.cube.questions.make import (
    COLOURS,
    COLOURS_SHOWN,
    COUNTS,
    FLOORS,
    RULE,
    TALLEST,
    arrange,
    between,
    finish,
    frozen,
    painted,
    palette,
    pick,
    random_heights,
    spread,
)
from engines.cube.scene import StackScene
from engines.cube.scene.sight import SEEN, cube_shares, is_clear, top_shares
from engines.cube.scene.stacks import profile
from engines.style import ALIKE

MOST_COLOUR = (3, 4, 6, 7, 8, 9, 10, 11, 12, 12)  # cubes of the colour asked for, per level
MOST_COLUMNS = (3, 3, 5, 7, 7, 8, 8, 9, 10, 12)  # columns of the height asked for
DOTTED = (4, 5, 6, 6, 7, 7, 8, 8, 8, 8)  # largest height of the column with the dot

COUNT_CUBES = (
    "How many cubes are there?",
    "How many cubes are there in all?",
    "Count all the cubes.",
    "What is the number of cubes?",
    "How many cubes are in the picture, hidden ones included?",
)


def pose_count_cubes(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of cubes, hidden ones included."""
    low, high = COUNTS[level]
    total = between(rng, low, high)
    floor = pick(rng, FLOORS[level])
    heights = arrange(rng, floor, spread(rng, floor[0] * floor[1], total, TALLEST[level]), level)
    scene, question = finish(rng, painted(rng, heights, level)), f"{RULE} {pick(rng, COUNT_CUBES)}"
    return Posed(scene, question, Answer.integer(total), (), 1 / (high - low + 1), {"ask": "count_cubes"})


COUNT_COLOUR = (
    "How many {colour} cubes do you see?",
    "How many {colour} cubes can be seen?",
    "Count the {colour} cubes you see.",
    "What is the number of {colour} cubes you see?",
)


def pose_count_colour(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many cubes of a colour are seen; each cube has its own colour."""
    most = MOST_COLOUR[level]
    count = between(rng, 0, most)

    def accept(heights: np.ndarray) -> bool:
        return bool(is_clear(cube_shares(heights[None]))[0])

    while True:
        floor, values = random_heights(rng, level)
        if sum(values) < count:
            continue
        heights = arrange(rng, floor, values, level, accept)
        seen = np.argwhere(cube_shares(heights[None])[0] >= SEEN)
        if len(seen) >= count:
            break
    asked, *colours = palette(rng, COLOURS_SHOWN[level] + 1)
    if not count:  # no colour may show that could be called by the name of one that does not
        colours = [colour for colour in colours if colour != ALIKE.get(asked)]
    colours = colours[: COLOURS_SHOWN[level] - 1]
    stacks = [[[pick(rng, colours) for _ in range(height)] for height in line] for line in heights.tolist()]
    for row, column, z in seen[rng.permutation(len(seen))[:count]].tolist():
        stacks[row][column][z] = asked
    question, query = pick(rng, COUNT_COLOUR).format(colour=asked), {"ask": "count_colour", "colour": asked}
    return Posed(finish(rng, stacks), question, Answer.integer(count), (), 1 / (most + 1), query)


COLUMN_HEIGHT = (
    "How many cubes high is the column with the dot?",
    "How high is the column with the dot?",
    "What is the height of the column with the dot?",
    "How many cubes are in the column with the dot?",
)


def pose_column_height(rng: np.random.Generator, level: int) -> Posed:
    """Ask how high the column is whose top carries a dot."""
    height = between(rng, 1, DOTTED[level])
    floor, values = random_heights(rng, level)
    values[0] = height

    def dotted(heights: np.ndarray) -> list[list[int]]:
        return np.argwhere((heights == height) & (top_shares(heights[None])[0] > 0.999)).tolist()

    heights = arrange(rng, floor, values, level, lambda tried: bool(dotted(tried)))
    scene = finish(rng, painted(rng, heights, level), dot=tuple(pick(rng, dotted(heights))))
    query = {"ask": "column_height"}
    return Posed(scene, pick(rng, COLUMN_HEIGHT), Answer.integer(height), (), 1 / DOTTED[level], query)


EXTREME_COLOUR = (
    "What colour is the {word} column?",
    "Which colour is the {word} column?",
    "What is the colour of the {word} column?",
    "Name the colour of the {word} column.",
)


def pose_extreme_colour(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour of the tallest (from level 3 on also: the shortest) column; each column has one colour."""
    shortest = level >= 3 and rng.random() < 0.5
    floor = pick(rng, FLOORS[level])
    cells, tallest = floor[0] * floor[1], TALLEST[level]
    columns = min(between(rng, 3 + level // 2, 4 + level), cells)
    end = between(rng, 1, tallest - 1) if shortest else between(rng, 2, tallest)
    low, high = (end + 1, tallest) if shortest else (1, end - 1)
    values = [end] + [between(rng, low, high) for _ in range(columns - 1)] + [0] * (cells - columns)
    heights = arrange(rng, floor, values, level)
    asked, *others = palette(rng, COLOURS_SHOWN[level] + 1)
    stacks = [[[asked if h == end else pick(rng, others)] * h for h in line] for line in heights.tolist()]
    word = "shortest" if shortest else "tallest"
    question, query = pick(rng, EXTREME_COLOUR).format(word=word), {"ask": "extreme_colour", "by": word}
    return Posed(finish(rng, stacks), question, Answer.word(asked, COLOURS), (), 1 / len(COLOURS), query)


COUNT_COLUMNS = (
    "How many columns are {cubes} high?",
    "How many columns have a height of {cubes}?",
    "Count the columns that are {cubes} high.",
    "What is the number of columns {cubes} high?",
)


def pose_count_columns(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many columns have a given height."""
    floor = pick(rng, FLOORS[level])
    cells, tallest = floor[0] * floor[1], TALLEST[level]
    count, height = between(rng, 0, MOST_COLUMNS[level]), between(rng, 1, min(tallest, 2 + level // 2))
    others = [other for other in range(tallest + 1) if other != height]
    values = [height] * count + [pick(rng, others) for _ in range(cells - count)]
    if not any(values):  # there must be something to see
        values[0] = pick(rng, others[1:])
    heights = arrange(rng, floor, values, level)
    question = pick(rng, COUNT_COLUMNS).format(cubes="1 cube" if height == 1 else f"{height} cubes")
    scene, query = finish(rng, painted(rng, heights, level)), {"ask": "count_columns", "height": height}
    return Posed(scene, question, Answer.integer(count), (), 1 / (MOST_COLUMNS[level] + 1), query)


FILL_BOX = (
    "How many more cubes make every column of the floor {height} high?",
    "How many cubes must be added so that every tile has {height} cubes?",
    "How many cubes are missing to make all columns {height} high?",
    "Every tile should have {height} cubes. How many cubes are missing?",
)


def pose_fill_box(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many cubes are missing from a full box on the whole floor."""
    floor = pick(rng, FLOORS[level])
    cells = floor[0] * floor[1]
    height = between(rng, 2, max(2, TALLEST[level] - 1))
    most = min(min(rows * columns for rows, columns in FLOORS[level]) * (height - 1), 4 + 3 * level)
    missing = between(rng, 1, most)
    heights = arrange(rng, floor, [height - gap for gap in spread(rng, cells, missing, height)], level)
    question, query = f"{RULE} {pick(rng, FILL_BOX).format(height=height)}", {"ask": "fill_box", "height": height}
    return Posed(finish(rng, painted(rng, heights, level)), question, Answer.integer(missing), (), 1 / most, query)


HEIGHT_MAP = (
    "What are the column heights in row A, row B and so on?",
    "Give the column heights of row A, row B and so on.",
    "Look from above. What are the heights in row A, row B and so on?",
    "Write the number of cubes on every tile, row A first.",
)


def pose_height_map(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the heights of all columns as seen from above."""
    floor, values = random_heights(rng, level)
    heights = arrange(rng, floor, values, level)
    question = f"{pick(rng, HEIGHT_MAP)} Write them like 2 1; 0 1."
    scene = finish(rng, painted(rng, heights, level), lettered=True)
    return Posed(scene, question, Answer.grid(frozen(heights)), (), HEIGHT_MAP_GUESSES[level], {"ask": "height_map"})


# Share of the commonest map, measured over 12,000 samples of each level.
HEIGHT_MAP_GUESSES = (0.085, 0.057, 0.015, 0.01) + (0.0,) * 6


def facts(scene: StackScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about any stacks: how many cubes, how high, one column, one height."""
    flat = [height for line in scene.heights for height in line]
    tallest = max(flat)
    height = between(rng, 1, tallest)
    row, column = divmod(int(rng.integers(len(flat))), len(scene.heights[0]))
    along = ()
    if scene.arrow:
        question = "Look along the arrow. How many cubes high is the view at its left end?"
        along = (Fact(question, Answer.integer(profile(scene.heights, scene.arrow)[0])),)
    return (
        *along,
        Fact(f"{RULE} How many cubes are there?", Answer.integer(sum(flat))),
        Fact("How many cubes high is the tallest column?", Answer.integer(tallest)),
        Fact("How many tiles of the floor have a cube?", Answer.integer(sum(h > 0 for h in flat))),
        Fact(f"How many columns are exactly {height} high?", Answer.integer(flat.count(height))),
        Fact(
            f"Rows and columns count from the far corner, rows to the lower left. How high is row {row + 1}, "
            f"column {column + 1}?",
            Answer.integer(scene.heights[row][column]),
        ),
    )
