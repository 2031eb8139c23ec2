"""What is asked about stacks of cubes. Each `pose` draws the answer first, then a scene that has it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engines.answer import Answer
from engines.base import Engine, Fact, Posed, QuestionType
from engines.cube.draw import SHIFTS, ZOOMS, draw
from engines.cube.scene import SEEN, CubeScene, Heights, cube_seen, is_readable, top_seen

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
NO_CUBE_FLOATS = "No cube floats."
ATTEMPTS = 24  # arrangements tried, each closer to a descent towards the onlooker


def _pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[rng.integers(len(options))]


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    """A uniform whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def _spread(rng: np.random.Generator, cells: int, total: int, tallest: int) -> list[int]:
    """Heights of `cells` columns that sum to `total`."""
    taken = rng.permutation(cells * tallest)[:total] // tallest
    return np.bincount(taken, minlength=cells).tolist()


def _arrange(
    rng: np.random.Generator,
    floor: tuple[int, int],
    values: Sequence[int],
    level: int,
    accept: Callable[[Heights], bool] = lambda heights: True,
) -> Heights:
    """Put the heights onto the cells so that every top is readable and `accept` holds.

    The last attempt descends strictly towards the onlooker: every top and every near side that shows, shows whole.
    """
    rows, columns = floor
    distance = np.add.outer(np.arange(rows), np.arange(columns)).ravel()
    ordered = sorted(values, reverse=True)
    for attempt in range(ATTEMPTS):
        noise = 3.0 * (1 - attempt / (ATTEMPTS - 1))
        keys = distance + noise * rng.standard_normal(len(values)) + 1e-6 * rng.random(len(values))
        flat = np.empty(len(values), int)
        flat[np.argsort(keys)] = ordered
        heights = tuple(tuple(row) for row in flat.reshape(floor).tolist())
        if is_readable(heights, TOPS_SHOWN[level]) and accept(heights):
            return heights
    raise AssertionError("a descent towards the onlooker is always readable")


def _seen_cubes(heights: Heights) -> tuple[list[tuple[int, int, int]], bool]:
    """Cubes (row, column, level) that show, and whether every other cube is wholly hidden."""
    seen, clear = [], True
    for row, line in enumerate(heights):
        for column, height in enumerate(line):
            for level in range(height):
                share = cube_seen(heights, row, column, level)
                if share >= SEEN:
                    seen.append((row, column, level))
                clear = clear and (share >= SEEN or share <= 0)
    return seen, clear


def _cells(heights: Heights) -> list[tuple[int, int]]:
    return [(row, column) for row, line in enumerate(heights) for column in range(len(line))]


def _palette(rng: np.random.Generator, count: int) -> list[str]:
    return [COLOURS[i] for i in rng.permutation(len(COLOURS))[:count]]


def _paint(rng: np.random.Generator, heights: Heights, level: int) -> list[list[list[str]]]:
    """Colours of a scene whose question is not about colour: one for all, one per column, or one per cube."""
    colours, manner = _palette(rng, COLOURS_SHOWN[level]), rng.integers(3)
    base = colours[0]

    def column(height: int) -> list[str]:
        if manner == 2:
            return [_pick(rng, colours) for _ in range(height)]
        return [base if manner == 0 else _pick(rng, colours)] * height

    return [[column(height) for height in line] for line in heights]


def _scene(
    rng: np.random.Generator,
    stacks: list[list[list[str]]],
    dot: tuple[int, int] | None = None,
    lettered: bool = False,
) -> CubeScene:
    frozen = tuple(tuple(tuple(stack) for stack in row) for row in stacks)
    shift = (_between(rng, 0, SHIFTS), _between(rng, 0, SHIFTS))
    return CubeScene(frozen, dot, _between(rng, 0, len(ZOOMS) - 1), shift, lettered)


def _facts(heights: Heights) -> tuple[Fact, ...]:
    """Further questions with answers, about heights only."""
    flat = [height for line in heights for height in line]
    return (
        Fact(f"{NO_CUBE_FLOATS} How many cubes are there?", Answer.integer(sum(flat))),
        Fact("How many cubes high is the tallest column?", Answer.integer(max(flat))),
        Fact("How many columns are there?", Answer.integer(sum(height > 0 for height in flat))),
    )


def _random_heights(rng: np.random.Generator, level: int) -> tuple[tuple[int, int], list[int]]:
    """A floor and heights for it, with the level's number of cubes."""
    floor = _pick(rng, FLOORS[level])
    low, high = COUNTS[level]
    cells, tallest = floor[0] * floor[1], TALLEST[level]
    return floor, _spread(rng, cells, min(_between(rng, low, high), cells * tallest), tallest)


def pose_count_cubes(rng: np.random.Generator, level: int) -> Posed:
    """How many cubes are there, hidden ones included."""
    low, high = COUNTS[level]
    total = _between(rng, low, high)
    floor = _pick(rng, FLOORS[level])
    heights = _arrange(rng, floor, _spread(rng, floor[0] * floor[1], total, TALLEST[level]), level)
    question = _pick(rng, (
        "How many cubes are there?",
        "How many cubes are there in all?",
        "Count all the cubes.",
        "What is the number of cubes?",
        "How many cubes are in the picture, hidden ones included?",
    ))  # fmt: skip
    scene, guess_rate = _scene(rng, _paint(rng, heights, level)), 1 / (high - low + 1)
    return Posed(scene, f"{NO_CUBE_FLOATS} {question}", Answer.integer(total), _facts(heights)[1:], guess_rate)


def pose_count_colour(rng: np.random.Generator, level: int) -> Posed:
    """How many cubes of a colour are seen; each cube has its own colour."""
    most = 3 + level
    count = _between(rng, 0, most)

    def accept(heights: Heights) -> bool:
        return _seen_cubes(heights)[1]

    while True:
        heights = _arrange(rng, *_random_heights(rng, level), level, accept)
        seen = _seen_cubes(heights)[0]
        if len(seen) >= count:
            break
    colours = _palette(rng, COLOURS_SHOWN[level])
    asked = colours[0]
    stacks = [[[_pick(rng, colours[1:]) for _ in range(height)] for height in line] for line in heights]
    for i in rng.permutation(len(seen))[:count]:
        row, column, z = seen[i]
        stacks[row][column][z] = asked
    question = _pick(rng, (
        f"How many {asked} cubes do you see?",
        f"How many {asked} cubes can be seen?",
        f"Count the {asked} cubes you see.",
        f"What is the number of {asked} cubes you see?",
    ))  # fmt: skip
    return Posed(_scene(rng, stacks), question, Answer.integer(count), _facts(heights), 1 / (most + 1))


def pose_column_height(rng: np.random.Generator, level: int) -> Posed:
    """How high is the column whose top carries a dot."""
    height = _between(rng, 1, TALLEST[level])
    floor, values = _random_heights(rng, level)
    values[0] = height

    def dotted(heights: Heights) -> list[tuple[int, int]]:
        return [(r, c) for r, c in _cells(heights) if heights[r][c] == height and top_seen(heights, r, c) > 0.999]

    heights = _arrange(rng, floor, values, level, lambda tried: bool(dotted(tried)))
    question = _pick(rng, (
        "How many cubes high is the column with the dot?",
        "How high is the column with the dot?",
        "What is the height of the column with the dot?",
        "How many cubes are in the column with the dot?",
    ))  # fmt: skip
    scene = _scene(rng, _paint(rng, heights, level), dot=_pick(rng, dotted(heights)))
    return Posed(scene, question, Answer.integer(height), _facts(heights), 1 / TALLEST[level])


def pose_extreme_colour(rng: np.random.Generator, level: int) -> Posed:
    """Which colour is the tallest (from level 3 on also: the shortest) column; each column has one colour."""
    shortest = level >= 3 and rng.random() < 0.5
    floor = _pick(rng, FLOORS[level])
    cells, tallest = floor[0] * floor[1], TALLEST[level]
    columns = min(_between(rng, 3 + level // 2, 4 + level), cells)
    end = _between(rng, 1, tallest - 1) if shortest else _between(rng, 2, tallest)
    low, high = (end + 1, tallest) if shortest else (1, end - 1)
    values = [end] + [_between(rng, low, high) for _ in range(columns - 1)] + [0] * (cells - columns)
    heights = _arrange(rng, floor, values, level)
    asked, *others = _palette(rng, COLOURS_SHOWN[level] + 1)
    stacks = [[[asked if height == end else _pick(rng, others)] * height for height in line] for line in heights]
    word = "shortest" if shortest else "tallest"
    question = _pick(rng, (
        f"What colour is the {word} column?",
        f"Which colour is the {word} column?",
        f"What is the colour of the {word} column?",
        f"Name the colour of the {word} column.",
    ))  # fmt: skip
    return Posed(_scene(rng, stacks), question, Answer.word(asked, COLOURS), _facts(heights), 1 / len(COLOURS))


def pose_count_columns(rng: np.random.Generator, level: int) -> Posed:
    """How many columns have a given height."""
    floor = _pick(rng, FLOORS[level])
    cells, tallest = floor[0] * floor[1], TALLEST[level]
    height = _between(rng, 1, min(tallest, 2 + level // 2))
    most = min(3 + level // 2, cells)
    count = _between(rng, 0, most)
    others = [other for other in range(tallest + 1) if other != height]
    values = [height] * count + [_pick(rng, others) for _ in range(cells - count)]
    heights = _arrange(rng, floor, values, level)
    cubes = "1 cube" if height == 1 else f"{height} cubes"
    question = _pick(rng, (
        f"How many columns are {cubes} high?",
        f"How many columns have a height of {cubes}?",
        f"Count the columns that are {cubes} high.",
        f"What is the number of columns {cubes} high?",
    ))  # fmt: skip
    scene = _scene(rng, _paint(rng, heights, level))
    return Posed(scene, question, Answer.integer(count), _facts(heights), 1 / (most + 1))


def pose_fill_box(rng: np.random.Generator, level: int) -> Posed:
    """How many cubes are missing from a full box on the whole floor."""
    floor = _pick(rng, FLOORS[level])
    cells = floor[0] * floor[1]
    height = _between(rng, 2, max(2, TALLEST[level] - 1))
    most = min(cells * (height - 1), 4 + 3 * level)
    missing = _between(rng, 1, most)
    values = [height - gap for gap in _spread(rng, cells, missing, height)]
    heights = _arrange(rng, floor, values, level)
    question = _pick(rng, (
        f"How many more cubes make every column of the floor {height} high?",
        f"How many cubes must be added so that every tile has {height} cubes?",
        f"How many cubes are missing to make all columns {height} high?",
        f"Every tile should have {height} cubes. How many cubes are missing?",
    ))  # fmt: skip
    scene = _scene(rng, _paint(rng, heights, level))
    return Posed(scene, f"{NO_CUBE_FLOATS} {question}", Answer.integer(missing), _facts(heights), 1 / most)


def pose_height_map(rng: np.random.Generator, level: int) -> Posed:
    """The heights of all columns as seen from above."""
    floor, values = _random_heights(rng, level)
    heights = _arrange(rng, floor, values, level)
    question = _pick(rng, (
        "What are the column heights in row A, row B and so on?",
        "Give the column heights of row A, row B and so on.",
        "Look from above. What are the heights in row A, row B and so on?",
        "Write the number of cubes on every tile, row A first.",
    ))  # fmt: skip
    question = f"{question} Write them like 2 1; 0 1."
    scene = _scene(rng, _paint(rng, heights, level), lettered=True)
    return Posed(scene, question, Answer.grid(heights), _facts(heights))


ENGINE = Engine(
    name="cube",
    version=1,
    types=(
        QuestionType("count_cubes", pose_count_cubes, MIN_SIZE_PX),
        QuestionType("count_colour", pose_count_colour, MIN_SIZE_PX),
        QuestionType("column_height", pose_column_height, MIN_SIZE_PX),
        QuestionType("extreme_colour", pose_extreme_colour, MIN_SIZE_PX),
        QuestionType("count_columns", pose_count_columns, MIN_SIZE_PX),
        QuestionType("fill_box", pose_fill_box, MIN_SIZE_PX, held_out=True),
        QuestionType("height_map", pose_height_map, (112, 112, 112, 168, 168, 224, 224, 336, 336, 448), held_out=True),
    ),
    draw=draw,
)
