"""Questions about a grid: what is where, how many, how large.

The answer is drawn first, then a grid that has it. A target, where there is one, is the only mark it could mean; where
a question joins colour and shape, marks with only one of the two are present, so that both words are needed.
"""

from typing import NamedTuple

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.grid.scene import PLURALS, SHAPES, GridScene, Mark
from engines.style import ALIKE, COLOURS


class Knobs(NamedTuple):
    """How hard a level is."""

    sides: tuple[tuple[int, int], ...]  # (rows, columns) to choose from
    colours: int  # the first ones of `COLOURS`
    shapes: int  # the first ones of `SHAPES`
    most: int  # largest count that is asked for
    header_rate: float


def _between(low: int, high: int) -> tuple[tuple[int, int], ...]:
    sides = range(low, high + 1)
    return tuple((rows, columns) for rows in sides for columns in sides if rows * columns >= 6)


KNOBS = (
    Knobs(_between(2, 3), 4, 3, 4, 0.0),
    Knobs(_between(3, 3), 4, 3, 5, 0.0),
    Knobs(_between(3, 4), 5, 4, 6, 0.0),
    Knobs(_between(4, 4), 6, 4, 7, 0.0),
    Knobs(_between(4, 5), 6, 5, 8, 0.0),
    Knobs(_between(5, 6), 7, 5, 9, 0.5),
    Knobs(_between(6, 7), 7, 6, 10, 0.5),
    Knobs(_between(7, 8), 8, 6, 12, 0.5),
    Knobs(_between(8, 9), 9, 6, 14, 0.5),
    Knobs(_between(9, 10), 10, 6, 16, 0.5),
)
MIN_SIZE_PX = (112,) * 5 + (168, 168, 224, 224, 224)
FILLED = (0.5, 0.9)  # share of the other cells that hold a mark
DIRECTIONS = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


class Draft:
    """A grid being filled: fixed marks first, the rest at random out of what is allowed."""

    def __init__(self, rng: np.random.Generator, level: int):
        self.rng, knobs = rng, KNOBS[level]
        self.rows, self.columns = _pick(rng, knobs.sides)
        self.colours, self.shapes = COLOURS[: knobs.colours], SHAPES[: knobs.shapes]
        self.has_headers = bool(rng.random() < knobs.header_rate)
        self.places = rng.permutation(self.rows * self.columns).tolist()  # free cells, in random order
        self.cells: list[Mark | None] = [None] * len(self.places)

    def mark(self) -> Mark:
        """Any mark of the level."""
        return Mark(_pick(self.rng, self.colours), _pick(self.rng, self.shapes))

    def put(self, mark: Mark, place: int | None = None) -> tuple[int, int]:
        """Put a mark into a free cell; gives its row and column."""
        place = self.places[-1] if place is None else place
        self.places.remove(place)
        self.cells[place] = mark
        return place // self.columns + 1, place % self.columns + 1

    def finish(self, allowed: list[Mark]) -> GridScene:
        """Fill a random share of the free cells with allowed marks."""
        share = self.rng.uniform(*FILLED)
        filled = self.rng.random(len(self.places)) < share
        chosen = self.rng.integers(len(allowed), size=len(self.places))
        for place, is_filled, mark in zip(self.places, filled, chosen, strict=True):
            if is_filled:
                self.cells[place] = allowed[mark]
        return GridScene(self.rows, self.columns, tuple(self.cells), self.has_headers)

    def kinds(self) -> list[Mark]:
        """All marks of the level."""
        return [Mark(colour, shape) for colour in self.colours for shape in self.shapes]

    def others(self, colour: str | None, shape: str | None) -> list[Mark]:
        """All marks of the level but those of this colour, this shape, or (both given) this colour and shape."""
        return [mark for mark in self.kinds() if not (colour in (None, mark.colour) and shape in (None, mark.shape))]

    def leave_out_alike(self, colour: str) -> None:
        """Use no colour that could be called by the name of one that does not show."""
        self.colours = tuple(other for other in self.colours if other != ALIKE.get(colour))


READ_COLOUR = (
    "What colour is the shape in row {row}, column {column}?",
    "Which colour is in row {row}, column {column}?",
    "Look at row {row}, column {column}. What colour is it?",
    "Name the colour in row {row}, column {column}.",
)
READ_SHAPE = (
    "What shape is in row {row}, column {column}?",
    "Which shape is in row {row}, column {column}?",
    "Look at row {row}, column {column}. What shape is it?",
    "Name the shape in row {row}, column {column}.",
)


def pose_read_colour(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour of a given cell."""
    draft = Draft(rng, level)
    mark = draft.mark()
    row, column = draft.put(mark)
    scene = draft.finish(draft.kinds())
    question = _pick(rng, READ_COLOUR).format(row=row, column=column)
    answer = Answer.word(mark.colour, draft.colours)
    return Posed(
        scene,
        question,
        answer,
        guess_rate=1 / len(draft.colours),
        query={"ask": "read_colour", "row": row, "column": column},
    )


def pose_read_shape(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the shape in a given cell."""
    draft = Draft(rng, level)
    mark = draft.mark()
    row, column = draft.put(mark)
    scene = draft.finish(draft.kinds())
    question = _pick(rng, READ_SHAPE).format(row=row, column=column)
    answer = Answer.word(mark.shape, draft.shapes)
    return Posed(
        scene,
        question,
        answer,
        guess_rate=1 / len(draft.shapes),
        query={"ask": "read_shape", "row": row, "column": column},
    )


COUNT_COLOUR = (
    "How many {colour} shapes are there?",
    "Count the {colour} shapes.",
    "How many shapes are {colour}?",
    "How many cells hold {a_colour} shape?",
)
COUNT_BOTH = (
    "How many {colour} {shapes} are there?",
    "Count the {colour} {shapes}.",
    "How many {shapes} are {colour}?",
    "How many cells hold {a_colour} {shape}?",
)


def with_article(word: str) -> str:
    """A word behind "a" or "an"."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def pose_count_colour(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many marks have a colour."""
    draft = Draft(rng, level)
    count, colour = int(rng.integers(KNOBS[level].most + 1)), _pick(rng, draft.colours)
    for _ in range(count):
        draft.put(Mark(colour, _pick(rng, draft.shapes)))
    if not count:
        draft.leave_out_alike(colour)
    scene = draft.finish(draft.others(colour, None))
    question = _pick(rng, COUNT_COLOUR).format(colour=colour, a_colour=with_article(colour))
    return Posed(
        scene,
        question,
        Answer.integer(count),
        guess_rate=1 / (KNOBS[level].most + 1),
        query={"ask": "count_colour", "colour": colour},
    )


def pose_count_both(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many marks have a colour and a shape, among some that have only one of the two."""
    draft = Draft(rng, level)
    most = min(KNOBS[level].most, draft.rows * draft.columns - 2)
    count, target = int(rng.integers(most + 1)), draft.mark()
    for _ in range(count):
        draft.put(target)
    draft.put(Mark(target.colour, _pick(rng, [s for s in draft.shapes if s != target.shape])))
    draft.put(Mark(_pick(rng, [c for c in draft.colours if c != target.colour]), target.shape))
    scene = draft.finish(draft.others(*target))
    shapes = PLURALS[SHAPES.index(target.shape)]
    named = {"colour": target.colour, "a_colour": with_article(target.colour), "shape": target.shape, "shapes": shapes}
    question = _pick(rng, COUNT_BOTH).format(**named)
    return Posed(
        scene,
        question,
        Answer.integer(count),
        guess_rate=1 / (most + 1),
        query={"ask": "count_both", "colour": target.colour, "shape": target.shape},
    )


LOCATE = (
    "In which row and column is the {what}? Answer (row, column).",
    "Where is the {what}? Answer (row, column).",
    "Find the {what}. Answer (row, column).",
    "Which cell holds the {what}? Answer (row, column).",
)


def pose_locate(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the row and column of the only mark of its colour, of its shape, or (from level 3) of both together."""
    draft = Draft(rng, level)
    target, by = draft.mark(), int(rng.integers(3 if level >= 3 else 2))
    row, column = draft.put(target)
    if by == 2:
        draft.put(Mark(target.colour, _pick(rng, [s for s in draft.shapes if s != target.shape])))
        draft.put(Mark(_pick(rng, [c for c in draft.colours if c != target.colour]), target.shape))
    allowed = (draft.others(target.colour, None), draft.others(None, target.shape), draft.others(*target))[by]
    what = (f"{target.colour} shape", target.shape, f"{target.colour} {target.shape}")[by]
    scene = draft.finish(allowed)
    question = _pick(rng, LOCATE).format(what=what)
    return Posed(
        scene,
        question,
        Answer.pair(row, column),
        guess_rate=1 / (draft.rows * draft.columns),
        query={"ask": "locate", "colour": target.colour if by != 1 else "", "shape": target.shape if by else ""},
    )


GRID_SIZE = (
    "How many {lines} does the grid have?",
    "How many {lines} are there?",
    "Count the {lines} of the grid.",
    "Count the {lines}.",
)


def pose_grid_size(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of rows or of columns; the other number is drawn apart, so that it tells nothing."""
    draft = Draft(rng, level)
    low, high = 2 + level // 3, 4 + level * 2 // 3
    draft.rows, draft.columns = int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))
    draft.places = rng.permutation(draft.rows * draft.columns).tolist()
    draft.cells = [None] * len(draft.places)
    draft.has_headers = False
    is_rows = bool(rng.integers(2))
    scene = draft.finish(draft.kinds())
    question = _pick(rng, GRID_SIZE).format(lines="rows" if is_rows else "columns")
    answer = Answer.integer(scene.rows if is_rows else scene.columns)
    return Posed(
        scene,
        question,
        answer,
        guess_rate=1 / (high - low + 1),
        query={"ask": "grid_size", "lines": "rows" if is_rows else "columns"},
    )


NEIGHBOUR = (
    "What colour is the shape just {side} the {what}?",
    "Which colour is just {side} the {what}?",
    "Find the {what}. What colour is just {side} it?",
    "Name the colour just {side} the {what}.",
)


def pose_neighbour(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour next to the only mark of its kind."""
    draft = Draft(rng, level)
    target, mark = draft.mark(), draft.mark()
    while mark == target:
        mark = draft.mark()
    side = _pick(rng, tuple(DIRECTIONS))
    down, right = DIRECTIONS[side]
    rows = range(max(0, -down), draft.rows - max(0, down))
    columns = range(max(0, -right), draft.columns - max(0, right))
    row, column = _pick(rng, rows), _pick(rng, columns)
    draft.put(target, row * draft.columns + column)
    draft.put(mark, (row + down) * draft.columns + column + right)
    scene = draft.finish(draft.others(*target))
    question = _pick(rng, NEIGHBOUR).format(side=side, what=f"{target.colour} {target.shape}")
    answer = Answer.word(mark.colour, draft.colours)
    return Posed(
        scene,
        question,
        answer,
        # The asked one is any mark but the target, so that a colour which is not named has the most of them.
        guess_rate=len(draft.shapes) / (len(draft.colours) * len(draft.shapes) - 1),
        query={"ask": "neighbour", "colour": target.colour, "shape": target.shape, "side": side},
    )


MOST_COMMON = (
    "Which colour is the most common?",
    "Which colour do most shapes have?",
    "What is the most common colour?",
    "Name the most common colour.",
)


def pose_most_common(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour that leads by two marks or more."""
    draft = Draft(rng, level)
    winner = _pick(rng, draft.colours)
    others = [colour for colour in draft.colours if colour != winner]
    most = int(rng.integers(3, max(4, len(draft.cells) // 3) + 1))
    for _ in range(most):
        draft.put(Mark(winner, _pick(rng, draft.shapes)))
    for place in range(min(len(draft.places), len(others) * (most - 2))):
        draft.put(Mark(others[place % len(others)], _pick(rng, draft.shapes)))
    scene = GridScene(draft.rows, draft.columns, tuple(draft.cells), draft.has_headers)
    question = _pick(rng, MOST_COMMON)
    return Posed(
        scene,
        question,
        Answer.word(winner, draft.colours),
        guess_rate=1 / len(draft.colours),
        query={"ask": "most_common"},
    )


def facts(scene: GridScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: the size, what a few cells hold, how often a colour occurs."""
    marks = list(scene.marks())
    found = [
        Fact("How many rows does the grid have?", Answer.integer(scene.rows)),
        Fact("How many columns does the grid have?", Answer.integer(scene.columns)),
        Fact("How many shapes are there?", Answer.integer(len(marks))),
    ]
    if marks:
        row, column, mark = _pick(rng, marks)
        found.append(Fact(READ_COLOUR[0].format(row=row, column=column), Answer.word(mark.colour, COLOURS)))
        row, column, mark = _pick(rng, marks)
        found.append(Fact(READ_SHAPE[0].format(row=row, column=column), Answer.word(mark.shape, SHAPES)))
        shown = {mark.colour for _, _, mark in marks}
        colour = _pick(rng, [c for c in COLOURS if c in shown or ALIKE.get(c) not in shown])
        count = sum(mark.colour == colour for _, _, mark in marks)
        found.append(Fact(COUNT_COLOUR[0].format(colour=colour), Answer.integer(count)))
    return tuple(found)
