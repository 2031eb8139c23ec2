"""Questions about the shape of a curve: turning points, where it rises, where it is above the axis."""

import dataclasses
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.function.questions.curves import finished, is_clear, maybe_dashed, named, turning
from engines.function.questions.levels import (
    BENDS,
    FAMILIES,
    FAMILY_COUNT,
    HALF,
    MAX_TRIES,
    coordinate,
    curve_colours,
    pair_of_coordinates,
    pairs_of_coordinates,
    pick,
    places,
    whole,
    window,
)
from engines.function.questions.zeros import with_zeros
from engines.function.scene import Curve, FunctionScene

SIDEWAYS_LEVEL = 2  # from here on some parabolas lie on their side
MOST_TURNS = (2, 2, 3, 3, 4, 5, 5, 6, 6, 7)  # by level
SHARP = 0.1  # of a cubic's fall between its turning points to their squared distance: it drops 0.3 beside them
LIST_FORM = "Give the two numbers, the smaller first."


def pose_extremum(rng: np.random.Generator, level: int) -> Posed:
    """Find the x, or the y, of the highest or lowest point; of the leftmost or rightmost of a parabola on its side."""
    x, y, side = coordinate(rng, level), coordinate(rng, level), pick(rng, (-1, 1))
    view, colours = window(rng, level, (x,), (y, y + side)), curve_colours(rng, level)
    if level >= SIDEWAYS_LEVEL and rng.integers(5) == 0:
        view = window(rng, level, (x, x + side), (y,))
        asked = Curve("sideways", (x, y, pick(rng, BENDS) * side), colours[0])
        word, scene = "leftmost" if side > 0 else "rightmost", dataclasses.replace(view, curves=(asked,))
    else:
        asked = turning(rng, level, view, x, y, side, colours[0])
        word = "lowest" if side > 0 else "highest"
        scene = finished(rng, level, view, [asked], colours, [(x, y)])
    name, axis = named(scene, asked), "xy"[whole(rng, 0, 1)]
    texts = (
        f"What is the {axis} of the {word} point of {name}?",
        f"Give the {axis} of the {word} point of {name}.",
        f"Where is {name} {word}? Give {axis}.",
        f"Find {axis} at the {word} point of {name}.",
    )
    query = {"ask": "extremum", "axis": axis, "curve": asked.colour, "word": word}
    answer = Answer.integer(x if axis == "x" else y)
    return Posed(scene, pick(rng, texts), answer, guess_rate=1 / (2 * HALF[level] - 1), query=query)


def pose_vertex(rng: np.random.Generator, level: int) -> Posed:
    """Read both coordinates of a turning point."""
    x, y, side = coordinate(rng, level), coordinate(rng, level), pick(rng, (-1, 1))
    view, colours = window(rng, level, (x,), (y, y + side)), curve_colours(rng, level)
    asked = turning(rng, min(level, 2), view, x, y, side, colours[0])
    scene = finished(rng, level, view, [asked], colours, [(x, y)])
    name = named(scene, asked)
    texts = (
        f"Give the turning point of {name} as (x, y).",
        f"Where does {name} turn? Give (x, y).",
        f"What is the turning point (x, y) of {name}?",
        f"Find the point (x, y) where {name} turns.",
    )
    query = {"ask": "vertex", "curve": asked.colour}
    rate = 1 / (2 * HALF[level] - 1) ** 2
    return Posed(scene, pick(rng, texts), Answer.pair(x, y), guess_rate=rate, query=query)


def _zigzag(rng: np.random.Generator, view: FunctionScene, turns: list[int], is_rising: bool, colour: str) -> Curve:
    """Straight pieces that change their direction at `turns` and nowhere else; they may bend between."""
    waist = whole(rng, view.y_low + 2, view.y_high - 2)  # peaks are above it, valleys below
    corners: list[tuple[int, int]] = []
    for index, x in enumerate([view.x_low, *turns, view.x_high]):
        is_peak = is_rising == bool(index % 2)
        y = whole(rng, waist + 1, view.y_high) if is_peak else whole(rng, view.y_low, waist - 1)
        if corners:
            (before, height), gap = corners[-1], x - corners[-1][0]
            if gap >= 4 and abs(y - height) >= 4 and rng.integers(2):  # a bend that is no turn
                corners.append((before + gap // 2, whole(rng, min(y, height) + 1, max(y, height) - 1)))
        corners.append((x, y))
    return Curve("pieces", tuple(number for corner in corners for number in corner), colour)


def _waves(rng: np.random.Generator, view: FunctionScene, count: int, colour: str) -> Curve | None:
    """A sine with so many turning points, the outermost a unit or more from the border; None if it does not fit."""
    span, room = view.x_high - view.x_low, (view.y_high - view.y_low) // 2
    options = [
        Fraction(half, 2)
        for half in range(3, 2 * span)
        if Fraction(half, 2) * (count - 1) <= span - 2 and Fraction(half, 2) * (count + 1) >= span + 2
    ]
    if not options:
        return None
    half_period, amplitude = pick(rng, options), whole(rng, 1, min(4, room))
    middle = whole(rng, view.y_low + amplitude, view.y_high - amplitude)
    start = Fraction(view.x_low + view.x_high, 2) - half_period * Fraction(count, 2)
    return Curve("sine", (amplitude * pick(rng, (-1, 1)), half_period, start, middle), colour)


def pose_turns(rng: np.random.Generator, level: int) -> Posed:
    """Count the peaks and valleys of a curve."""
    most, colours, view = MOST_TURNS[level], curve_colours(rng, level), window(rng, level)
    count = whole(rng, 0, most)
    wave = _waves(rng, view, count, colours[0]) if count and FAMILY_COUNT[level] >= 6 and rng.integers(2) else None
    if wave is None:
        room = view.x_high - view.x_low - 2 - (count - 1)
        chosen = sorted(rng.permutation(room + 1)[:count].tolist())
        turns = [view.x_low + 1 + p + i for i, p in enumerate(chosen)]
        drafts = (_zigzag(rng, view, turns, bool(rng.integers(2)), colours[0]) for _ in range(MAX_TRIES))
        wave = next(curve for curve in drafts if is_clear(curve.heights(places(view.x_low, view.x_high))))
    scene = finished(rng, level, view, [wave], colours)
    name = named(scene, wave)
    texts = (
        f"How many peaks and valleys does {name} have together within the grid?",
        f"Count the turning points of {name} that the grid shows.",
        f"Within the grid, how often does {name} turn from rising to falling or back?",
        f"How many turning points does {name} have inside the grid?",
    )
    query = {"ask": "turns", "curve": wave.colour}
    return Posed(scene, pick(rng, texts), Answer.integer(count), guess_rate=1 / (most + 1), query=query)


def _hump(
    rng: np.random.Generator, level: int, view: FunctionScene, xs: tuple[int, int], way: int, colour: str
) -> Curve:
    """A curve that rises (way 1) or falls (-1) from the first x to the second, and does the opposite outside."""
    left, right = xs
    low = whole(rng, view.y_low + 1, view.y_high - 3)
    high = whole(rng, low + 2, view.y_high - 1)
    first, second = (low, high) if way > 0 else (high, low)
    is_sharp = high - low >= SHARP * (right - left) ** 2
    if "cubic" in FAMILIES[: FAMILY_COUNT[level] + 1] and is_sharp and rng.integers(4):
        a = Fraction(6 * (first - second), (right - left) ** 3)
        c = first - a * (Fraction(left**3, 3) - Fraction((left + right) * left**2, 2) + left * right * left)
        return Curve("polynomial", (c, a * left * right, -a * Fraction(left + right, 2), a / 3), colour)
    outer = []
    for edge, height in ((view.x_low, first), (view.x_high, second)):
        above = (edge == view.x_low) == (way > 0)
        outer.append(whole(rng, height + 1, view.y_high) if above else whole(rng, view.y_low, height - 1))
    corners = [(view.x_low, outer[0]), (left, first)]
    if right - left >= 3 and high - low >= 3 and rng.integers(2):
        corners.append((left + whole(rng, 1, right - left - 1), whole(rng, low + 1, high - 1)))
    corners += [(right, second), (view.x_high, outer[1])]
    return Curve("pieces", tuple(number for corner in corners for number in corner), colour)


def pose_monotone(rng: np.random.Generator, level: int) -> Posed:
    """Find the stretch of x on which a curve that otherwise falls is rising, or the other way round."""
    xs, way = pair_of_coordinates(rng, level), pick(rng, (-1, 1))
    colours = curve_colours(rng, level)
    view = window(rng, level, xs)
    drafts = (_hump(rng, level, view, xs, way, colours[0]) for _ in range(MAX_TRIES))
    asked = next(curve for curve in drafts if is_clear(curve.heights(places(view.x_low, view.x_high))))
    scene = finished(rng, level, view, [asked], colours, [(x, asked.height(x)) for x in xs])
    name, word = named(scene, asked), "rising" if way > 0 else "falling"
    texts = (
        f"Between which two x values is {name} {word}? {LIST_FORM}",
        f"On which stretch of x is {name} {word}? {LIST_FORM}",
        f"From which x to which x is {name} {word}? {LIST_FORM}",
        f"Where is {name} {word}: from which x to which x? {LIST_FORM}",
    )
    query = {"ask": "monotone", "kind": word, "curve": asked.colour}
    rate = 1 / pairs_of_coordinates(level)
    return Posed(scene, pick(rng, texts), Answer.listing(xs), guess_rate=rate, query=query)


def pose_positive(rng: np.random.Generator, level: int) -> Posed:
    """Find the stretch of x on which a curve is above the x-axis, or below."""
    xs, way = pair_of_coordinates(rng, level), pick(rng, (-1, 1))
    colours = curve_colours(rng, level)
    view = window(rng, level, xs)
    asked = maybe_dashed(rng, with_zeros(rng, level, view, xs, colours[0], side=-way))
    scene = finished(rng, level, view, [asked], colours, [(x, 0) for x in xs])
    name, word = named(scene, asked), "above" if way > 0 else "below"
    texts = (
        f"Between which two x values is {name} {word} the x-axis? {LIST_FORM}",
        f"On which stretch of x is {name} {word} the x-axis? {LIST_FORM}",
        f"From which x to which x is {name} {word} the x-axis? {LIST_FORM}",
        f"Where is {name} {word} the x-axis: from which x to which x? {LIST_FORM}",
    )
    query = {"ask": "positive", "kind": word, "curve": asked.colour}
    rate = 1 / pairs_of_coordinates(level)
    return Posed(scene, pick(rng, texts), Answer.listing(xs), guess_rate=rate, query=query)
