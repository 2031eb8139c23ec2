"""Questions about lines: values, slopes, crossings. Each `pose` draws the answer first, then a chart that has it."""

import functools
import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    COLOURS,
    MARKS,
    PER_STEP,
    UNITS,
    between,
    chance,
    furniture,
    names,
    neighbour_rate,
    palette,
    pick,
    series_names,
    topic_of,
    value_axis,
)
from engines.chart.scene import MARKERS, Axis, Chart
from engines.chart.words import Topic

LINES = (1, 1, 1, 1, 1, 2, 2, 2, 3, 3)
CLEARANCE = 3  # ticks between lines at one category, so that no point hides another
AREA_LEVEL, AREA_RATE = 2, 0.25
NAMED_LEVEL = 6  # from here on lines may go by the names of a legend
LEAST_TICKS = 8  # of charts whose answer is a shape and not a number
CROSSINGS = (2, 3, 3, 3, 4, 4, 5, 5, 6, 7)  # most crossings that are asked for
CROSSED = (4, 5, 5, 6, 6, 7, 8, 9, 10, 11)  # points of the crossing lines
THIRD_LEVEL = 7  # from here on a third line is in the way
REACH = 1.6  # how far crossing lines move from one category to the next: times the ticks, by the categories
APART = (2, 6)  # ticks between crossing lines at a category, least and most
RUN_POINTS = (5, 5, 6, 6, 7, 8, 9, 10, 11, 12)
STEEP_POINTS = (4, 5, 5, 6, 6, 7, 8, 9, 10, 12)
STEEP_RATIO = 1.2  # of the steepest rise to the next
TRENDS = (3, 3, 3, 3, 4, 4, 4, 5, 5, 6)  # lines of which some rise


def _line_values(rng: np.random.Generator, units: int, lines: int, points: int) -> list[list[int]]:
    """Ticks of the lines; at one category they keep CLEARANCE apart."""
    extra = (CLEARANCE - 1) * np.arange(lines)
    room = units + 1 - int(extra[-1])
    columns = [np.sort(rng.permutation(room)[:lines]) + extra for _ in range(points)]
    return np.transpose([rng.permutation(column) for column in columns]).tolist()


def _line_chart(
    rng: np.random.Generator, level: int, ticks: list[list[int]], axis: Axis, topic: Topic | None, kind: str = "line"
) -> tuple[Chart, list[str]]:
    """A line chart, and how a question refers to each of its lines."""
    colours, labels = palette(rng, len(ticks)), names(rng, level, len(ticks[0]), topic)
    is_named = topic is not None and len(ticks) > 1 and level >= NAMED_LEVEL and chance(rng, 0.5)
    series = series_names(rng, len(ticks), topic) if is_named else ()
    stand = axis.ticks()
    scene = Chart(
        kind=kind,
        categories=labels,
        series=series,
        values=tuple(tuple(stand[tick] for tick in row) for row in ticks),
        colours=tuple((colour,) * len(labels) for colour in colours),
        axis=axis,
        furniture=furniture(rng, level, topic, legend=pick(rng, ("right", "top", "bottom")) if is_named else ""),
        markers=(pick(rng, MARKERS[:4]),) * len(ticks) if level >= NAMED_LEVEL else (),
    )
    if len(ticks) == 1:
        return scene, ["the line"]
    return scene, [f"the line of {name}" for name in series] if series else [f"the {colour} line" for colour in colours]


def _named(scene: Chart, index: int) -> dict[str, str]:
    """A line as JSON-ready data."""
    return {"series": scene.series[index]} if scene.series else {"colour": scene.colours[index][0]}


def pose_line_value(rng: np.random.Generator, level: int) -> Posed:
    """The value of a line, or of the edge of an area, at a category."""
    lines, topic = LINES[level], topic_of(rng, level, MARKS[level], LINES[level], is_ordered=True)
    is_area = lines == 1 and level >= AREA_LEVEL and chance(rng, AREA_RATE)
    axis = value_axis(rng, level, topic, may_break=not is_area, may_log=lines == 1)
    ticks = _line_values(rng, len(axis.ticks()) - 1, lines, MARKS[level])
    scene, named = _line_chart(rng, level, ticks, axis, topic, "area" if is_area else "line")
    index = between(rng, 0, len(ticks[0]) - 1)
    line, label = "the area" if is_area else named[0], scene.categories[index]
    question = pick(rng, (
        f"What is the value of {line} at {label}?",
        f"What value does {line} have at {label}?",
        f"Read the value of {line} at {label}.",
        f"Which number does {line} reach at {label}?",
    ))  # fmt: skip
    query = {"ask": "value", **_named(scene, 0), "category": label}
    answer = Answer.integer(scene.values[0][index])
    return Posed(scene, question, answer, guess_rate=1 / (UNITS[level] + 1), query=query)


def pose_line_rise(rng: np.random.Generator, level: int) -> Posed:
    """By how much a line rises between two categories."""
    units, topic = UNITS[level], topic_of(rng, level, MARKS[level], is_ordered=True)
    axis = value_axis(rng, level, topic, may_break=True)
    ticks = [[between(rng, 0, units) for _ in range(MARKS[level])]]
    start, end = sorted(rng.permutation(len(ticks[0]))[:2].tolist())
    rise = between(rng, 1, units)
    ticks[0][start] = between(rng, 0, units - rise)
    ticks[0][end] = ticks[0][start] + rise
    scene, (line,) = _line_chart(rng, level, ticks, axis, topic)
    a, b = scene.categories[start], scene.categories[end]
    question = pick(rng, (
        f"How much does {line} rise from {a} to {b}?",
        f"By how much is {line} higher at {b} than at {a}?",
        f"What is the rise of {line} from {a} to {b}?",
        f"What is the value at {b} minus the value at {a}?",
    ))  # fmt: skip
    query = {"ask": "rise", "from": a, "to": b}
    return Posed(scene, question, Answer.integer(rise * axis.unit), guess_rate=1 / units, query=query)


def _crossing_ticks(rng: np.random.Generator, level: int, gaps: list[int], units: int) -> list[list[int]]:
    """Two lines whose difference takes these values at the categories, and from `THIRD_LEVEL` on a third.

    The lower of the two moves little from one category to the next: steep lines would run into each other.
    """
    one, other, third = [], [], []
    reach, foot = max(1, int(REACH * units / len(gaps))), between(rng, 0, units - APART[1])
    for gap in gaps:
        highest = units - abs(gap)
        foot = between(rng, min(max(0, foot - reach), highest), min(foot + reach, highest))
        one.append(foot + max(gap, 0))
        other.append(foot + max(-gap, 0))
        if level >= THIRD_LEVEL:
            ends = (one[-1], other[-1])
            free = [tick for tick in range(units + 1) if min(abs(tick - end) for end in ends) >= CLEARANCE]
            near = [tick for tick in free if not third or abs(tick - third[-1]) <= 2 * reach]
            third.append(pick(rng, near or free))
    return [one, other, third] if third else [one, other]


def _signs(rng: np.random.Generator, flips: set[int], points: int) -> list[int]:
    """Signs at the points that change in exactly these intervals."""
    signs = [1 if chance(rng, 0.5) else -1]
    for interval in range(points - 1):
        signs.append(-signs[-1] if interval in flips else signs[-1])
    return signs


def pose_line_crossings(rng: np.random.Generator, level: int) -> Posed:
    """How often two lines cross."""
    points, units = CROSSED[level], max(LEAST_TICKS, UNITS[level])
    topic, count = topic_of(rng, level, points, 3, is_ordered=True), between(rng, 0, CROSSINGS[level])
    flips = set(rng.permutation(points - 1)[:count].tolist())
    gaps = [sign * between(rng, *APART) for sign in _signs(rng, flips, points)]
    axis = value_axis(rng, level, topic, units=units, per_step=max(2, PER_STEP[level]))
    scene, named = _line_chart(rng, level, _crossing_ticks(rng, level, gaps, units), axis, topic)
    one, other = named[:2]
    question = pick(rng, (
        f"How many times do {one} and {other} cross?",
        f"How often does {one} cross {other}?",
        f"Count the crossings of {one} and {other}.",
        f"At how many places does {one} cross {other}?",
    ))  # fmt: skip
    query = {"ask": "crossings", "lines": [_named(scene, 0), _named(scene, 1)]}
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (CROSSINGS[level] + 1), query=query)


def pose_crossing_place(rng: np.random.Generator, level: int) -> Posed:
    """Between which two categories, or at which one, two lines cross."""
    points, units = CROSSED[level] + 1, max(LEAST_TICKS, UNITS[level])
    topic, is_at = topic_of(rng, level, points, 3, is_ordered=True), level >= 2 and chance(rng, 0.4)
    place = between(rng, 1, points - 2) if is_at else between(rng, 0, points - 2)
    gaps = [sign * between(rng, *APART) for sign in _signs(rng, {place}, points)]
    if is_at:
        gaps[place] = 0
        gaps[place + 1 :] = [-gap if gap * gaps[0] > 0 else gap for gap in gaps[place + 1 :]]
    axis = value_axis(rng, level, topic, units=units, per_step=max(2, PER_STEP[level]))
    scene, named = _line_chart(rng, level, _crossing_ticks(rng, level, gaps, units), axis, topic)
    one, other = named[:2]
    query = {"ask": "crossing_at" if is_at else "crossing_between", "lines": [_named(scene, 0), _named(scene, 1)]}
    labels = sorted(scene.categories)
    if is_at:
        question = pick(rng, (
            f"At which label do {one} and {other} meet?",
            f"Above which label does {one} meet {other}?",
            f"Name the label at which {one} meets {other}.",
            f"{one[0].upper()}{one[1:]} and {other} meet at one label. Which one?",
        ))  # fmt: skip
        answer, rate = Answer.word(scene.categories[place], labels), neighbour_rate(level, points, 1, 1)
    else:
        question = pick(rng, (
            f"Between which two labels do {one} and {other} cross?",
            f"{one[0].upper()}{one[1:]} crosses {other} between two labels. Which two?",
            f"Name the two labels between which {one} crosses {other}.",
            f"Between which neighbouring labels does {one} cross {other}?",
        ))  # fmt: skip
        answer, rate = Answer.set_of(scene.categories[place : place + 2], labels), neighbour_rate(level, points, 2)
    return Posed(scene, question, answer, guess_rate=rate, query=query)


def pose_steepest(rng: np.random.Generator, level: int) -> Posed:
    """Between which neighbouring categories a line rises (from level 3 on also: falls) the most."""
    points, units = STEEP_POINTS[level], max(LEAST_TICKS, UNITS[level])
    topic, is_rise = topic_of(rng, level, points, is_ordered=True), level < 3 or chance(rng, 0.5)
    place, rise = between(rng, 0, points - 2), between(rng, max(3, units // 3), units - 1)
    most = min(int(rise / STEEP_RATIO), rise - 1)
    ticks = [0] * points
    ticks[place] = between(rng, 0, units - rise)
    ticks[place + 1] = ticks[place] + rise
    for index in range(place + 2, points):
        ticks[index] = between(rng, 0, min(units, ticks[index - 1] + most))
    for index in range(place - 1, -1, -1):
        ticks[index] = between(rng, max(0, ticks[index + 1] - most), units)
    axis = value_axis(rng, level, topic, units=units, per_step=max(2, PER_STEP[level]), may_break=True)
    scene, _ = _line_chart(rng, level, [ticks if is_rise else [units - tick for tick in ticks]], axis, topic)
    verb = "rise" if is_rise else "fall"
    question = pick(rng, (
        f"Between which two neighbouring labels does the line {verb} most?",
        f"Where does the line {verb} most? Name the two labels.",
        f"Find the step with the largest {verb}. Between which two labels is it?",
        f"The line {verb}s most between two neighbours. Which two labels?",
    ))  # fmt: skip
    answer = Answer.set_of(scene.categories[place : place + 2], sorted(scene.categories))
    rate = neighbour_rate(level, points, 2)
    return Posed(scene, question, answer, guess_rate=rate, query={"ask": "steepest", "sign": 1 if is_rise else -1})


@functools.cache
def _patterns(steps: int) -> dict[int, list[tuple[int, ...]]]:
    """Ups and downs of so many steps, by their longest run of ups."""
    found: dict[int, list[tuple[int, ...]]] = {}
    for pattern in itertools.product((1, -1), repeat=steps):
        runs = [len(list(run)) for sign, run in itertools.groupby(pattern) if sign == 1]
        found.setdefault(max(runs, default=0), []).append(pattern)
    return found


def pose_longest_run(rng: np.random.Generator, level: int) -> Posed:
    """How many steps the longest rise (from level 3 on also: fall) of a line has."""
    points, units = RUN_POINTS[level], max(LEAST_TICKS, UNITS[level])
    most = min(points - 2, 8)
    run, is_rise = between(rng, 1, most), level < 3 or chance(rng, 0.5)
    pattern = pick(rng, _patterns(points - 1)[run])
    ticks = _follow(rng, pattern if is_rise else tuple(-sign for sign in pattern), units)
    topic = topic_of(rng, level, points, is_ordered=True)
    axis = value_axis(rng, level, topic, units=units, per_step=max(2, PER_STEP[level]), may_break=True)
    scene, _ = _line_chart(rng, level, [ticks], axis, topic)
    verb, noun = ("rise", "rise") if is_rise else ("fall", "fall")
    question = pick(rng, (
        f"What is the most steps in a row in which the line {verb}s?",
        f"How many steps long is the longest {noun} without a break?",
        f"For how many steps in a row does the line {verb} at most?",
        f"Count the steps of the longest unbroken {noun}.",
    ))  # fmt: skip
    query = {"ask": "longest_run", "sign": 1 if is_rise else -1}
    return Posed(scene, question, Answer.integer(run), guess_rate=1 / most, query=query)


def _follow(rng: np.random.Generator, pattern: tuple[int, ...], units: int) -> list[int]:
    """Ticks that rise and fall as told: turning points lie in bands at both ends, the points between in order."""
    turns = [0, *(i for i in range(1, len(pattern)) if pattern[i] != pattern[i - 1]), len(pattern)]
    band = max(0, (units - max(b - a for a, b in itertools.pairwise(turns))) // 2 - 1)
    ticks = [0] * (len(pattern) + 1)
    for turn in turns:
        is_low = pattern[turn] == 1 if turn < len(pattern) else pattern[-1] == -1
        ticks[turn] = between(rng, 0, band) if is_low else between(rng, units - band, units)
    for start, end in itertools.pairwise(turns):
        low, high = sorted((ticks[start], ticks[end]))
        inner = np.sort(rng.permutation(high - low - 1)[: end - start - 1]) + low + 1
        ticks[start + 1 : end] = (inner if pattern[start] == 1 else inner[::-1]).tolist()
    return ticks


def pose_trend_lines(rng: np.random.Generator, level: int) -> Posed:
    """Which of several lines end higher than they start."""
    lines, points = TRENDS[level], MARKS[level]
    units = max(15, UNITS[level])
    topic = topic_of(rng, level, points, lines, is_ordered=True)
    axis = value_axis(rng, level, topic, units=units, per_step=max(5, PER_STEP[level]))
    while True:
        ticks = _line_values(rng, units, lines, points)
        if all(abs(row[-1] - row[0]) >= 2 for row in ticks):
            break
    scene, _ = _line_chart(rng, level, ticks, axis, topic)
    rising = [s for s, row in enumerate(ticks) if row[-1] > row[0]]
    known = scene.series or tuple(row[0] for row in scene.colours)
    what = "lines" if scene.series else "colours of the lines"
    first, last = scene.categories[0], scene.categories[-1]
    question = pick(rng, (
        f"Name the {what} that end higher than they start.",
        f"Which lines are higher at {last} than at {first}? Name the {what}.",
        f"Give the {what} that are higher at the right end than at the left end.",
        f"List the {what} that gain from {first} to {last}.",
    )) + " If there is none, answer none."  # fmt: skip
    answer = Answer.set_of((known[s] for s in rising), known if scene.series else COLOURS)
    query = {"ask": "rising", "by": "series" if scene.series else "colour"}
    return Posed(scene, question, answer, guess_rate=0.45 / 2**lines, query=query)
