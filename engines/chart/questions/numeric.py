"""Questions about points, histograms and box plots. Each `pose` draws the answer first, then a chart that has it."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    COLOURS,
    LETTERS_USED,
    NAME_RATE,
    UNITS,
    any_topic,
    between,
    chance,
    furniture,
    names,
    palette,
    pick,
    series_names,
    spread,
    topic_of,
    value_axis,
)
from engines.chart.scene import MARKERS, Axis, BoxPlot, Dot, Five, Histogram, Scatter

PLANE = ((5, 1), (5, 1), (6, 1), (8, 2), (10, 2), (10, 2), (12, 2), (15, 5), (20, 5), (20, 5))  # ticks, and per number
DOTS = (4, 5, 6, 7, 8, 10, 12, 15, 18, 22)
MOST_INSIDE = (3, 4, 4, 5, 6, 7, 8, 9, 10, 12)  # points in a quadrant
SERIES = (2, 2, 2, 3, 3, 3, 4, 4, 5, 5)  # kinds of points
WAVES = ((0, 0),) * 3 + ((0, 1),) * 3 + ((-1, 1),) * 4  # how far the others lie above the trend
FAR = 0.4  # of the plane: how far an outlier lies from the trend, up or down
LEGEND_LEVEL = 6  # from here on points may go by the names of a legend
GUIDE_LEVEL = 4  # up to here the quadrants are drawn
BINS = (3, 3, 4, 4, 5, 6, 7, 8, 9, 10)
WIDTHS = (1, 2, 5, 10, 20, 50)  # of a bin
BOXES = (2, 2, 2, 3, 3, 4, 4, 5, 6, 7)
BOX_UNITS = (10, 10, 12, 12, 15, 15, 20, 30, 40, 50)
BOX_STEPS = (2, 2, 2, 2, 5, 5, 5, 5, 10, 10)
FIVE = ("smallest value", "lower quartile", "median", "upper quartile", "largest value")


def _plane(level: int) -> tuple[Axis, Axis]:
    """Two axes of the same length."""
    units, per_step = PLANE[level]
    return Axis(0, units, per_step, 1, title="x"), Axis(0, units, per_step, 1, title="y")


def _places(rng: np.random.Generator, level: int, banned: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """All lattice points that are not banned, in random order."""
    side = PLANE[level][0] + 1
    found = (divmod(place, side) for place in rng.permutation(side * side).tolist())
    return [(x, y) for x, y in found if not banned(x, y)]


def _scatter(rng: np.random.Generator, level: int, dots: list[Dot], kinds: int, guides=None, is_shaped=True) -> Scatter:
    """A scatter plot whose series differ in colour and, from level 2 on, in marker."""
    markers = tuple(MARKERS[i] for i in rng.permutation(len(MARKERS))[:kinds])
    x_axis, axis = _plane(level)
    return Scatter(
        dots=tuple(dots),
        series=(),
        colours=palette(rng, kinds),
        markers=markers if is_shaped and level >= 2 else ("circle",) * kinds,
        x_axis=x_axis,
        axis=axis,
        furniture=furniture(rng, level),
        guides=guides,
    )


def pose_scatter_point(rng: np.random.Generator, level: int) -> Posed:
    """The coordinates of the only point of its colour or (from level 6 on also) of its name in the legend."""
    kinds, units = SERIES[level], PLANE[level][0]
    x, y = between(rng, 0, units), between(rng, 0, units)
    others = _places(rng, level, lambda a, b: abs(a - x) <= 1 and abs(b - y) <= 1)[: DOTS[level] - 1]
    dots = [Dot(x, y, 0)] + [Dot(a, b, 1 + i % (kinds - 1)) for i, (a, b) in enumerate(others)]
    scene = _scatter(rng, level, [dots[i] for i in rng.permutation(len(dots))], kinds)
    is_named = level >= LEGEND_LEVEL and chance(rng, 0.5)
    if is_named:
        known = series_names(rng, kinds, any_topic(rng, 1, kinds))
        dressed = dataclasses.replace(scene.furniture, legend=pick(rng, ("right", "top", "bottom")))
        scene = dataclasses.replace(scene, series=known, furniture=dressed)
    what = f"point of {scene.series[0]}" if is_named else f"{scene.colours[0]} point"
    question = pick(rng, (
        f"Where is the {what}? Answer (x, y).",
        f"What are the coordinates of the {what}? Answer (x, y).",
        f"Read x and y of the {what}. Answer (x, y).",
        f"Give the position (x, y) of the {what}.",
    ))  # fmt: skip
    query = {"ask": "position", **({"series": scene.series[0]} if is_named else {"colour": scene.colours[0]})}
    return Posed(scene, question, Answer.pair(x, y), guess_rate=1 / (units + 1) ** 2, query=query)


def pose_scatter_outlier(rng: np.random.Generator, level: int) -> Posed:
    """The coordinates of the only point far from the line along which all others lie."""
    units = PLANE[level][0]
    # Three points would leave it open which one the line of the others misses.
    is_rising, count = chance(rng, 0.5), min(DOTS[level] + 2, units + 1)
    far = int(np.ceil(FAR * units))
    x = between(rng, 0, units)
    y = pick(rng, [tick for tick in range(units + 1) if abs(tick - x) >= far])
    columns = [column for column in range(units + 1) if column != x]
    dots = [Dot(x, y, 0)]
    for column in sorted(columns[i] for i in rng.permutation(len(columns))[: count - 1]):
        wave = between(rng, *WAVES[level])
        dots.append(Dot(column, min(units, max(0, column + wave)), 0))
    if not is_rising:
        dots, y = [Dot(dot.x, units - dot.y, 0) for dot in dots], units - y
    scene = _scatter(rng, level, [dots[i] for i in rng.permutation(len(dots))], 1)
    question = pick(rng, (
        "All points but one lie along a line. Where is that one? Answer (x, y).",
        "One point is far from the line of the others. Where is it? Answer (x, y).",
        "Give the coordinates (x, y) of the point that is off the line of the others.",
        "Find the point that does not fit the line of all others. Answer (x, y).",
    ))  # fmt: skip
    rate = _outlier_rate(units, far)
    return Posed(scene, question, Answer.pair(x, y), guess_rate=rate, query={"ask": "outlier"})


@functools.cache
def _outlier_rate(units: int, far: int) -> float:
    """How often the commonest place of an outlier is right: off a rising line and off a falling one alike."""
    ticks = range(units + 1)
    room = [sum(abs(y - x) >= far for y in ticks) for x in ticks]

    def weight(x: int, y: int) -> float:
        return 1 / room[x] if abs(y - x) >= far else 0.0

    return max(weight(x, y) + weight(x, units - y) for x in ticks for y in ticks) / (2 * (units + 1))


def pose_scatter_count(rng: np.random.Generator, level: int) -> Posed:
    """How many points lie in a quadrant of two dashed lines or, from level 5 on, of two numbers."""
    units, has_guides = PLANE[level][0], level <= GUIDE_LEVEL
    x, y = (between(rng, round(0.4 * units), round(0.6 * units)) for _ in "xy")
    is_right, is_above = chance(rng, 0.5), chance(rng, 0.5)
    free = _places(rng, level, lambda a, b: a == x or b == y)
    inside = [place for place in free if (place[0] > x) == is_right and (place[1] > y) == is_above]
    outside = [place for place in free if (place[0] > x) != is_right or (place[1] > y) != is_above]
    count = between(rng, 0, MOST_INSIDE[level])
    chosen = inside[:count] + outside[: DOTS[level] - count]
    dots = [Dot(*chosen[i], 0) for i in rng.permutation(len(chosen))]
    scene = _scatter(rng, level, dots, 1, (x, y) if has_guides else None)
    across, up = "above" if is_right else "below", "above" if is_above else "below"
    side = "right" if is_right else "left"
    question = pick(rng, (
        f"How many points are {side} of the upright dashed line and {up} the other?",
        f"Count the points {side} of the upright dashed line and {up} the other.",
        f"What is the number of points {side} of the upright dashed line and {up} the other?",
        f"How many points lie {side} of one dashed line and {up} the other?",
    ) if has_guides else (
        f"How many points have x {across} {x} and y {up} {y}?",
        f"Count the points with x {across} {x} and y {up} {y}.",
        f"What is the number of points with x {across} {x} and y {up} {y}?",
        f"For how many points is x {across} {x} and y {up} {y}?",
    ))  # fmt: skip
    query = {"ask": "quadrant", "x": x, "y": y, "right": is_right, "above": is_above}
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (MOST_INSIDE[level] + 1), query=query)


def pose_hist_bin(rng: np.random.Generator, level: int) -> Posed:
    """How many values a bin of a histogram holds, or (from level 4 on also) two neighbouring bins."""
    bins, units, width = BINS[level], UNITS[level], pick(rng, WIDTHS[: 2 + level // 2])
    start = between(rng, 0, 5) * width
    counts = [between(rng, 1, units) for _ in range(bins)]
    place, span = between(rng, 0, bins - 2), 2 if level >= 4 and chance(rng, 0.5) else 1
    if span == 2:
        total = between(rng, 2, 2 * units)
        counts[place] = between(rng, max(1, total - units), min(units, total - 1))
        counts[place + 1] = total - counts[place]
    else:
        place = between(rng, 0, bins - 1)
    axis = value_axis(rng, level)
    topic = topic_of(rng, level, 2)
    edges = tuple(start + width * i for i in range(bins + 1))
    scene = Histogram(
        edges=edges,
        counts=tuple(count * axis.unit for count in counts),
        colour=pick(rng, COLOURS),
        axis=axis,
        furniture=furniture(rng, level),
        x_title=topic.measure if topic else "",
    )
    low, high = edges[place], edges[place + span]
    verb = "does" if span == 1 else "do"
    bar = f"the bar from {low} to {high}" if span == 1 else f"the two bars from {low} to {high} together"
    question = pick(rng, (
        f"How many values {verb} {bar} hold?",
        f"How many values are in {bar}?",
        f"Count the values in {bar}.",
        f"What is the number of values in {bar}?",
    ))  # fmt: skip
    answer = Answer.integer(sum(scene.counts[place : place + span]))
    rate = 1 / units if level < 4 else 0.75 / units
    return Posed(scene, question, answer, guess_rate=rate, query={"ask": "between", "low": low, "high": high})


def _box_plot(rng: np.random.Generator, level: int, boxes: list[list[int]]) -> tuple[BoxPlot, bool]:
    """A box plot whose lines stand at these ticks, and whether its names are words."""
    units, count = BOX_UNITS[level], len(boxes)
    topic = topic_of(rng, level, count)
    axis = value_axis(rng, level, topic, units=units, per_step=BOX_STEPS[level], may_break=True)
    stand = axis.ticks()
    scene = BoxPlot(
        categories=names(rng, level, count, topic),
        boxes=tuple(Five(*(stand[tick] for tick in box)) for box in boxes),
        colours=palette(rng, 1) * count if chance(rng, 0.5) else palette(rng, count),
        axis=axis,
        furniture=furniture(rng, level, topic),
    )
    return scene, topic is not None


def _five(rng: np.random.Generator, level: int) -> list[int]:
    """Five different ticks in order."""
    return sorted(spread(rng, 5, 0, BOX_UNITS[level], 1))


def pose_box_value(rng: np.random.Generator, level: int) -> Posed:
    """The median of a box or (from level 2 on) another of its five numbers."""
    units, boxes = BOX_UNITS[level], [_five(rng, level) for _ in range(BOXES[level])]
    index, part = between(rng, 0, len(boxes) - 1), 2 if level < 2 else between(rng, 0, 4)
    value = between(rng, part, units - 4 + part)
    below = sorted(spread(rng, part, 0, value - 1, 1)) if part else []
    above = sorted(spread(rng, 4 - part, value + 1, units, 1)) if part < 4 else []
    boxes[index] = [*below, value, *above]
    scene, _ = _box_plot(rng, level, boxes)
    label, what = scene.categories[index], FIVE[part]
    question = pick(rng, (
        f"What is the {what} of {label}?",
        f"Read the {what} of box {label}.",
        f"Which number is the {what} of {label}?",
        f"What value does the {what} of box {label} have?",
    ))  # fmt: skip
    answer = Answer.integer(scene.boxes[index][part])
    query = {"ask": "five", "part": part, "category": label}
    rate = 1 / (units - 3) if level < 5 else 0.7 / (units - 3)  # where scales differ, and some axes are broken
    return Posed(scene, question, answer, guess_rate=rate, query=query)


SIZES_OF_A_BOX = {
    "median": ("the highest median", lambda box: box[2]),
    "spread": ("the largest distance between its whisker ends", lambda box: box[4] - box[0]),
    "box": ("the largest distance between its quartiles", lambda box: box[3] - box[1]),
}


def pose_box_extreme(rng: np.random.Generator, level: int) -> Posed:
    """Which box has the highest median, the longest box or the longest whiskers."""
    by = "median" if level < 2 else pick(rng, tuple(SIZES_OF_A_BOX))
    phrase, size = SIZES_OF_A_BOX[by]
    while True:
        boxes = [_five(rng, level) for _ in range(BOXES[level] + 1)]
        ordered = sorted(map(size, boxes))
        if ordered[-1] - ordered[-2] >= 1:
            break
    scene, is_worded = _box_plot(rng, level, boxes)
    sizes = [size(box) for box in boxes]
    label = scene.categories[sizes.index(max(sizes))]
    question = pick(rng, (
        f"Which box has {phrase}?",
        f"Name the box with {phrase}.",
        f"Find the box that has {phrase}.",
        f"Which of the boxes has {phrase}?",
    ))  # fmt: skip
    letters = sorted(scene.categories)
    answer = Answer.word(label, letters) if is_worded else Answer.choice(label, letters)
    rate = NAME_RATE if is_worded else 1 / max(LETTERS_USED[level], len(boxes))
    return Posed(scene, question, answer, guess_rate=rate, query={"ask": "best_box", "by": by})
