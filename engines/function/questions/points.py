"""Questions about one place of a curve: its height, its slope, the place where it has a height."""

from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.function.questions.curves import finished, maybe_dashed, named, pieces, through
from engines.function.questions.levels import (
    ASKED_SLOPES,
    BENDS,
    HALF,
    MAX_TRIES,
    coordinate,
    curve_colours,
    pick,
    signed,
    whole,
    window,
)
from engines.function.scene import LETTERS, Curve, FunctionScene, Number, Point, line, parabola

SIGNS = ("positive", "negative", "zero")
HALVES_LEVEL = 5  # from here on some values lie half-way between two grid lines
HALF_TOLERANCE = Fraction(1, 5)  # of values that are multiples of a half
STEEP_RATIO = Fraction(3, 2)  # of the steepest point's slope to any other's
DOWNHILL = (Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(2), Fraction(3))


def pose_value(rng: np.random.Generator, level: int) -> Posed:
    """Read the value at a grid node, or (higher levels) half-way between two; a dot marks it at first."""
    x, colours = coordinate(rng, level), curve_colours(rng, level)
    if level >= HALVES_LEVEL and rng.integers(3) == 0:
        return _half_value(rng, level, x, colours)
    y = coordinate(rng, level)
    view = window(rng, level, (x,), (y,))
    asked = maybe_dashed(rng, through(rng, level, view, x, y, colours[0]))
    scene = finished(rng, level, view, [asked], colours, [(x, y)], ((x, y),) if level < 2 else ())
    query = {"ask": "value", "curve": asked.colour, "x": x}
    question = _value_text(rng, x, named(scene, asked))
    return Posed(scene, question, Answer.integer(y), guess_rate=1 / (2 * HALF[level] - 1), query=query)


def _value_text(rng: np.random.Generator, x: int, name: str) -> str:
    return pick(
        rng,
        (
            f"What is y at x = {x} on {name}?",
            f"Read y at x = {x} on {name}.",
            f"How high is {name} at x = {x}?",
            f"Find the value of {name} at x = {x}.",
        ),
    )


def _half_value(rng: np.random.Generator, level: int, x: int, colours: list[str]) -> Posed:
    """The middle of a straight piece two units wide, or a parabola, through a height that is a multiple of a half."""
    low, high = 2 - 2 * HALF[level], 2 * HALF[level] - 2
    y = Fraction(whole(rng, low, high), 2)
    view = window(rng, level, (x,), (y,))
    if rng.integers(2):
        slope = signed(rng, (Fraction(1, 2), Fraction(1), Fraction(3, 2)))
        asked: Curve = line(slope, y - slope * x, colours[0])
    else:
        asked = pieces(rng, view, x, 0, colours[0]).raised(0, y)
        inside = all(view.y_low <= height <= view.y_high for _, height in asked.corners)
        asked = asked if inside else line(Fraction(1, 2), y - Fraction(x, 2), colours[0])
    scene = finished(rng, level, view, [asked], colours, [(x, float(y))])
    query = {"ask": "value", "form": "half", "curve": asked.colour, "x": x}
    question = _value_text(rng, x, named(scene, asked)) + " Give a multiple of 0.5."
    answer = Answer.decimal(y, HALF_TOLERANCE)
    return Posed(scene, question, answer, guess_rate=1 / (high - low + 1), query=query)


def pose_y_intercept(rng: np.random.Generator, level: int) -> Posed:
    """Find where a curve crosses the y-axis."""
    y, colours = coordinate(rng, level), curve_colours(rng, level)
    view = window(rng, level, (0,), (y,))
    asked = maybe_dashed(rng, through(rng, level, view, 0, y, colours[0]))
    scene = finished(rng, level, view, [asked], colours, [(0, y)])
    name = named(scene, asked)
    texts = (
        f"At which y does {name} cross the y-axis?",
        f"Give the y at which {name} crosses the y-axis.",
        f"What is y where {name} meets the y-axis?",
        f"Find the y at which {name} crosses the y-axis.",
    )
    query = {"ask": "y_intercept", "curve": asked.colour}
    return Posed(scene, pick(rng, texts), Answer.integer(y), guess_rate=1 / (2 * HALF[level] - 1), query=query)


def _sloping(
    rng: np.random.Generator, level: int, view: FunctionScene, x: int, y: int, sign: int, colour: str
) -> Curve:
    """A curve through (x, y) whose slope there has the sign SIGNS[sign], by at least a half where it is not zero."""
    if sign == 2:
        return line(0, y, colour) if rng.integers(3) == 0 else parabola(x, y, signed(rng, BENDS), colour)
    for _ in range(MAX_TRIES):
        curve = through(rng, level, view, x, y, colour)
        rise = curve.heights(np.array([x - 0.125, x, x + 0.125])) * (8, -8)[sign]
        if min(rise[1] - rise[0], rise[2] - rise[1]) >= 0.5:
            return curve
    raise RuntimeError(f"no curve of slope sign {SIGNS[sign]} at level {level}")


def pose_slope_sign(rng: np.random.Generator, level: int) -> Posed:
    """Say whether a line, or from level 2 on a curve at a given x, rises, falls or is flat."""
    x, y, sign = coordinate(rng, level), coordinate(rng, level), whole(rng, 0, 2)
    colours = curve_colours(rng, level)
    view = window(rng, level, (x,), (y,))
    if level < 2:
        slope: Number = 0 if sign == 2 else (1, -1)[sign] * pick(rng, ASKED_SLOPES)
        asked, at, query = line(slope, y - slope * x, colours[0]), "", {}
    else:
        asked, at = _sloping(rng, level, view, x, y, sign, colours[0]), f" at x = {x}"
        query = {"x": x}
    scene = finished(rng, level, view, [maybe_dashed(rng, asked)], colours, [(x, y)])
    subject = scene.name([curve.colour for curve in scene.curves].index(asked.colour), "line" if level < 2 else "graph")
    texts = (
        f"Is the slope of {subject}{at} positive, negative or zero?",
        f"What sign has the slope of {subject}{at}: positive, negative or zero?",
        f"Positive, negative or zero: what is the slope of {subject}{at}?",
        f"Is {subject} rising (positive), falling (negative) or flat (zero){at}?",
    )
    query = {"ask": "slope_sign", "curve": asked.colour} | query
    return Posed(scene, pick(rng, texts), Answer.word(SIGNS[sign], SIGNS), guess_rate=1 / 3, query=query)


def pose_slope(rng: np.random.Generator, level: int) -> Posed:
    """Read the slope of a line: whole at the first levels, a fraction above."""
    sizes: tuple[Number, ...] = (1, 2, 3) if level < 2 else ASKED_SLOPES
    options = (0, *sizes, *(-size for size in sizes))
    slope, x, y = pick(rng, options), coordinate(rng, level), coordinate(rng, level)
    colours = curve_colours(rng, level)
    view = window(rng, level, (x,), (y,))
    asked = maybe_dashed(rng, line(slope, y - slope * x, colours[0]))
    scene = finished(rng, level, view, [asked], colours)
    name, form = named(scene, asked, "line"), "" if level < 2 else " Give a whole number or a fraction."
    texts = (
        f"What is the slope of {name}?{form}",
        f"Find the slope of {name}.{form}",
        f"How steep is {name}? Give its slope.{form}",
        f"How much does {name} rise per step of x?{form}",
    )
    query = {"ask": "slope", "curve": asked.colour}
    answer = Answer.fraction(Fraction(slope))
    return Posed(scene, pick(rng, texts), answer, guess_rate=1 / len(options), query=query)


def pose_steepest(rng: np.random.Generator, level: int) -> Posed:
    """Say at which of the labelled points, each in the middle of a straight piece, the graph is steepest."""
    view = window(rng, level)
    width = 2 * HALF[level]
    count = min(3 + level // 2, width // 2, 6)
    cuts = [view.x_low + round(width * i / count) for i in range(count + 1)]
    for _ in range(MAX_TRIES):
        winner, most = whole(rng, 0, count - 1), pick(rng, DOWNHILL[2:])
        flatter = [size for size in DOWNHILL if size * STEEP_RATIO <= most]
        sizes = [most if i == winner else pick(rng, (Fraction(0), *flatter)) for i in range(count)]
        corners = [(cuts[0], Fraction(whole(rng, view.y_low + 1, view.y_high - 1)))]
        for left, right, size in zip(cuts, cuts[1:], sizes, strict=False):
            rise, height = size * (right - left), corners[-1][1]
            ways = [way for way in (-1, 1) if view.y_low < height + way * rise < view.y_high]
            if not ways:
                break
            corners.append((right, height + pick(rng, ways) * rise))
        if len(corners) == count + 1:
            break
    else:
        raise RuntimeError(f"no row of straight pieces at level {level}")
    colour = curve_colours(rng, 0)[0]
    points = []
    for letter, (a, b), (c, d) in zip(rng.permutation(count).tolist(), corners, corners[1:], strict=False):
        points.append(Point(LETTERS[letter], Fraction(a + c, 2), (b + d) / 2))
    curve = Curve("pieces", tuple(number for corner in corners for number in corner), colour)
    scene = FunctionScene(view.x_low, view.x_high, view.y_low, view.y_high, (curve,), points=tuple(sorted(points)))
    gold = points[winner].letter
    texts = (
        "At which labelled point is the graph steepest? Rising or falling both count.",
        "Rising or falling, where is the graph steepest? Give the letter of the point.",
        "Which labelled point is on the steepest part of the graph, up or down?",
        "Name the labelled point where the graph is steepest, up or down.",
    )
    letters = LETTERS[:count]
    query = {"ask": "steepest", "curve": colour}
    return Posed(scene, pick(rng, texts), Answer.choice(gold, letters), guess_rate=1 / count, query=query)
