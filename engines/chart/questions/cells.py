"""Questions about tables and heat maps. Each `pose` draws the answer first, then a table that has it."""

from math import perm

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    best_constant,
    between,
    furniture,
    names,
    pick,
    series_names,
    series_rate,
)
from engines.chart.scene import Axis, Chart
from engines.chart.words import TOPICS, Topic

TABLES = ((2, 2), (3, 2), (3, 3), (4, 3), (4, 4), (5, 4), (6, 4), (7, 5), (8, 5), (9, 6))  # rows, columns
LARGEST = (9, 19, 49, 99, 99, 199, 499, 999, 999, 999)  # number of a table
HEATS = ((2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9))  # rows, columns
CLASSES = (3, 3, 4, 4, 4, 5, 5, 6, 6, 7)  # colours of a heat map
HEAT_SCALES = (1, 2, 5, 10)
MOST_OF_A_CLASS = (4, 4, 5, 5, 6, 7, 8, 9, 10, 11)  # cells that are counted
SHORT = tuple(topic for topic in TOPICS if max(map(len, topic.categories)) <= 4)  # their names fit above columns


def _topics(rows: int, columns: int) -> tuple[Topic, ...]:
    """Topics with names for so many rows and columns."""
    return tuple(t for t in SHORT if len(t.categories) >= columns and len(t.series) >= rows)


def _table(
    rng: np.random.Generator, level: int, kind: str, values: np.ndarray, axis: Axis, colours: tuple = ()
) -> Chart:
    """Rows and columns with names."""
    rows, columns = values.shape
    topic = pick(rng, _topics(rows, columns))
    return Chart(
        kind=kind,
        categories=names(rng, level, columns, topic),
        series=series_names(rng, rows, topic),
        values=tuple(tuple(row) for row in values.tolist()),
        colours=colours,
        axis=axis,
        furniture=furniture(rng, level, topic if level >= 5 else None, legend="right" if kind == "heat" else ""),
    )


def _numbers(rng: np.random.Generator, level: int) -> np.ndarray:
    """Different numbers in rows and columns."""
    rows, columns = TABLES[level]
    return 1 + rng.permutation(LARGEST[level])[: rows * columns].reshape(rows, columns)


def pose_table_cell(rng: np.random.Generator, level: int) -> Posed:
    """The number in a cell of a table."""
    largest = LARGEST[level]
    scene = _table(rng, level, "table", _numbers(rng, level), Axis(0, largest, 1, 1))
    row, column = between(rng, 0, len(scene.series) - 1), between(rng, 0, len(scene.categories) - 1)
    across, down = scene.series[row], scene.categories[column]
    question = pick(rng, (
        f"Which number stands in row {across}, column {down}?",
        f"What is the number for {across} under {down}?",
        f"Read the cell in row {across} and column {down}.",
        f"Look up {across} and {down}. What is the number?",
    ))  # fmt: skip
    query = {"ask": "value", "series": across, "category": down}
    return Posed(scene, question, Answer.integer(scene.values[row][column]), guess_rate=1 / largest, query=query)


def pose_table_find(rng: np.random.Generator, level: int) -> Posed:
    """Where in a table a number stands, as (row, column)."""
    scene = _table(rng, level, "table", _numbers(rng, level), Axis(0, LARGEST[level], 1, 1))
    rows, columns = TABLES[level]
    row, column = between(rng, 1, rows), between(rng, 1, columns)
    value = scene.values[row - 1][column - 1]
    question = pick(rng, (
        f"Where is {value}?",
        f"In which row and column is {value}?",
        f"Find the number {value}.",
        f"Which cell holds {value}?",
    )) + " Count only rows and columns of numbers. Answer (row, column)."  # fmt: skip
    query = {"ask": "find", "value": value}
    return Posed(scene, question, Answer.pair(row, column), guess_rate=1 / (rows * columns), query=query)


def pose_table_row(rng: np.random.Generator, level: int) -> Posed:
    """All numbers of a row or (from level 3 on also) of a column, in order."""
    scene = _table(rng, level, "table", _numbers(rng, level), Axis(0, LARGEST[level], 1, 1))
    is_row = level < 3 or bool(rng.integers(2))
    known = scene.series if is_row else scene.categories
    index = between(rng, 0, len(known) - 1)
    numbers = scene.values[index] if is_row else [row[index] for row in scene.values]
    what, order = ("row", "from left to right") if is_row else ("column", "from top to bottom")
    name = known[index]
    question = pick(rng, (
        f"List all numbers of {what} {name} {order}.",
        f"Which numbers stand in {what} {name}, {order}?",
        f"Read {what} {name} {order}.",
        f"Copy the numbers of {what} {name} {order}.",
    ))  # fmt: skip
    query = {"ask": "line", "series" if is_row else "category": name}
    rate = 1 / perm(LARGEST[level], 2) if level == 0 else 0.0  # two different digits; hopeless from there on
    return Posed(scene, question, Answer.listing(numbers), guess_rate=rate, query=query)


TABLE_BEST = (
    "Which row has the {word} number in column {column}?",
    "Look at column {column}. Which row has the {word} number?",
    "Name the row with the {word} number under {column}.",
    "In column {column}, the number of which row is the {word}?",
)


def pose_table_best(rng: np.random.Generator, level: int) -> Posed:
    """Which row has the largest or smallest number of a column."""
    scene = _table(rng, level, "table", _numbers(rng, level), Axis(0, LARGEST[level], 1, 1))
    column, is_high = between(rng, 0, len(scene.categories) - 1), bool(rng.integers(2))
    numbers = [row[column] for row in scene.values]
    best = scene.series[numbers.index(max(numbers) if is_high else min(numbers))]
    label, word = scene.categories[column], "largest" if is_high else "smallest"
    question = pick(rng, TABLE_BEST).format(word=word, column=label)
    query = {"ask": "best_series", "end": "high" if is_high else "low", "category": label}
    rate = series_rate(_topics(len(scene.series), len(scene.categories)), len(scene.categories), label)
    return Posed(scene, question, Answer.word(best, scene.series), guess_rate=rate, query=query)


def _heat_axis(rng: np.random.Generator, level: int) -> Axis:
    """The values that colours stand for: multiples of a number, from one time on."""
    scale, count = pick(rng, HEAT_SCALES), CLASSES[level]
    return Axis(scale, scale * count, scale, scale)


def pose_heat_value(rng: np.random.Generator, level: int) -> Posed:
    """The value that the colour of a cell stands for."""
    (rows, columns), axis = HEATS[level], _heat_axis(rng, level)
    values = rng.integers(1, CLASSES[level] + 1, size=(rows, columns)) * axis.unit
    scene = _table(rng, level, "heat", values, axis)
    row, column = between(rng, 0, rows - 1), between(rng, 0, columns - 1)
    across, down = scene.series[row], scene.categories[column]
    question = pick(rng, (
        f"Which value does the cell in row {across}, column {down} have?",
        f"What is the value at {across} and {down}?",
        f"Read the value of row {across}, column {down} by its colour.",
        f"For which value does the colour at {across} and {down} stand?",
    ))  # fmt: skip
    query = {"ask": "value", "series": across, "category": down}
    answer, rate = Answer.integer(scene.values[row][column]), best_constant(CLASSES[level], HEAT_SCALES)
    return Posed(scene, question, answer, guess_rate=rate, query=query)


def pose_heat_count(rng: np.random.Generator, level: int) -> Posed:
    """How many cells of a heat map have the colour of a value."""
    (rows, columns), axis, classes = HEATS[level], _heat_axis(rng, level), CLASSES[level]
    most = min(MOST_OF_A_CLASS[level], rows * columns)
    count, asked = between(rng, 0, most), between(rng, 1, classes)
    others = [number for number in range(1, classes + 1) if number != asked]
    cells = [asked] * count + [pick(rng, others) for _ in range(rows * columns - count)]
    values = np.array([cells[i] for i in rng.permutation(len(cells))]).reshape(rows, columns) * axis.unit
    scene, value = _table(rng, level, "heat", values, axis), asked * axis.unit
    question = pick(rng, (
        f"How many cells have the value {value}?",
        f"Count the cells with the value {value}.",
        f"In how many cells is the value {value}?",
        f"What is the number of cells that stand for {value}?",
    ))  # fmt: skip
    query = {"ask": "count_value", "value": value}
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (most + 1), query=query)
