"""Questions about crossings: with the axes, with a height, of two curves; how many, and where."""

from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.function.questions.curves import finished, maybe_dashed, named
from engines.function.questions.levels import (
    FAMILIES,
    FAMILY_COUNT,
    HALF,
    MAX_TRIES,
    MOST_CROSSINGS,
    coordinate,
    curve_colours,
    pair_of_coordinates,
    pairs_of_coordinates,
    pick,
    signed,
    whole,
    window,
)
from engines.function.questions.zeros import Line, spread_zeros, with_zeros
from engines.function.scene import Curve, FunctionScene, line

MOST_ZEROS = (2, 2, 2, 3, 3, 3, 3, 4, 4, 4)  # by level, where each is to be told
MILD = (Fraction(0), Fraction(1, 4), Fraction(1, 2))  # slopes of a line that others cross


def pose_root(rng: np.random.Generator, level: int) -> Posed:
    """Find the one place where a curve crosses the x-axis."""
    x, colours = coordinate(rng, level), curve_colours(rng, level)
    view = window(rng, level, (x,))
    asked = maybe_dashed(rng, _single(rng, level, view, x, colours[0]))
    scene = finished(rng, level, view, [asked], colours, [(x, 0)])
    name = named(scene, asked)
    texts = (
        f"At which x does {name} cross the x-axis?",
        f"Give the x at which {name} crosses the x-axis.",
        f"Give the x where {name} is zero.",
        f"Find the x where {name} meets the x-axis.",
    )
    query = {"ask": "root", "curve": asked.colour}
    return Posed(scene, pick(rng, texts), Answer.integer(x), guess_rate=1 / (2 * HALF[level] - 1), query=query)


def _single(rng: np.random.Generator, level: int, view: FunctionScene, x: int, colour: str) -> Curve:
    """A curve with one zero: a line, straight pieces, and as the level allows a cubic, exponential or hyperbola."""
    kinds = [name for name in FAMILIES[: FAMILY_COUNT[level]] if name in ("cubic", "exponential", "hyperbola")]
    kind = pick(rng, ["plain", *kinds])
    sign = pick(rng, (-1, 1))
    if kind == "cubic" or (kind == "plain" and level >= 4 and not rng.integers(4)):
        a, b = sign * pick(rng, (Fraction(1, 8), Fraction(1, 4))), sign * pick(rng, (Fraction(1, 2), Fraction(1)))
        return Curve("polynomial", (-a * x**3 - b * x, 3 * a * x * x + b, -3 * a * x, a), colour)
    if kind == "exponential" and HALF[level] > 4:
        power, base = whole(rng, 0, 1), pick(rng, (Fraction(2), Fraction(1, 2)))
        shift = x - (power if base == 2 else -power)
        return Curve("exponential", (sign, base, shift, -sign * 2**power), colour)
    if kind == "hyperbola":
        away = pick(rng, [way for way in (-2, -1, 1, 2) if view.x_low < x - way < view.x_high])
        level_y = pick(rng, (1, 2))
        return Curve("hyperbola", (-sign * level_y * away, x - away, sign * level_y), colour)
    return with_zeros(rng, level, view, [x], colour)


def _zero_sets(level: int, count: int) -> int:
    """How many sets of `count` zeros there are in the middle window of a level."""
    span = 2 * HALF[level] - 1
    total = 1
    for index in range(count):
        total = total * (span - index) // (index + 1)
    return total


def _zeros(rng: np.random.Generator, level: int, count: int) -> tuple[list[int], FunctionScene]:
    """So many different coordinates, all sets equally likely, and a window that shows them."""
    low = 1 - HALF[level]
    zeros = sorted(int(i) + low for i in rng.permutation(2 * HALF[level] - 1)[:count])
    return zeros, window(rng, level, zeros)


def pose_zeros(rng: np.random.Generator, level: int) -> Posed:
    """Find every place where a curve crosses the x-axis."""
    most = MOST_ZEROS[level]
    count, colours = whole(rng, 1, most), curve_colours(rng, level)
    zeros, view = _zeros(rng, level, count)
    asked = with_zeros(rng, max(level, 2), view, zeros, colours[0])
    scene = finished(rng, level, view, [asked], colours, [(x, 0) for x in zeros])
    name = named(scene, asked)
    texts = (
        f"Within the grid, at which x values does {name} cross the x-axis?",
        f"List every x within the grid at which {name} crosses the x-axis.",
        f"Where in the grid does {name} cross the x-axis? List all x.",
        f"Give all x within the grid where {name} is zero.",
    )
    rate = max(1 / (most * _zero_sets(level, size)) for size in range(1, most + 1))
    query = {"ask": "zeros", "curve": asked.colour}
    return Posed(scene, pick(rng, texts), Answer.set_of(zeros), guess_rate=rate, query=query)


def pose_solve(rng: np.random.Generator, level: int) -> Posed:
    """Find every place where a curve has a given height."""
    count, colours = whole(rng, 1, 2), curve_colours(rng, level)
    height = coordinate(rng, level)
    while height == 0:
        height = coordinate(rng, level)
    low = 1 - HALF[level]
    xs = sorted(int(i) + low for i in rng.permutation(2 * HALF[level] - 1)[:count])
    view = window(rng, level, xs, (height,))
    side = 1 if view.y_high - height > height - view.y_low else -1  # where there is more room
    drafts = (with_zeros(rng, max(level, 2), view, xs, colours[0], (0, height), side) for _ in range(MAX_TRIES))
    asked = next(curve for curve in drafts if curve is not None)
    scene = finished(rng, level, view, [asked], colours, [(x, height) for x in xs])
    name = named(scene, asked)
    texts = (
        f"Within the grid, at which x values is {name} at y = {height}?",
        f"List every x of the grid where {name} has y = {height}.",
        f"Where in the grid does {name} reach y = {height}? List all x.",
        f"Give all x within the grid for which y = {height} on {name}.",
    )
    rate = max(1 / (2 * _zero_sets(level, size)) for size in (1, 2))
    query = {"ask": "solve", "curve": asked.colour, "y": height}
    return Posed(scene, pick(rng, texts), Answer.set_of(xs), guess_rate=rate, query=query)


def pose_axis_crossings(rng: np.random.Generator, level: int) -> Posed:
    """Count how often a curve crosses the x-axis."""
    most = MOST_CROSSINGS[level]
    count, colours = whole(rng, 0, most), curve_colours(rng, level)
    view = window(rng, level)
    zeros = spread_zeros(rng, view, count, 2 if level < 2 else 1, 1 if level < 2 else 2)
    asked = with_zeros(rng, level, view, zeros, colours[0])
    scene = finished(rng, level, view, [asked], colours, [(x, 0) for x in zeros])
    name = named(scene, asked)
    texts = (
        f"How many times does {name} cross the x-axis within the grid?",
        f"Count how many times {name} crosses the x-axis within the grid.",
        f"How often does {name} cross the x-axis inside the grid?",
        f"Within the grid, how many times does {name} meet the x-axis?",
    )
    query = {"ask": "axis_crossings", "curve": asked.colour}
    return Posed(scene, pick(rng, texts), Answer.integer(count), guess_rate=1 / (most + 1), query=query)


def _base(rng: np.random.Generator, view: FunctionScene) -> Line:
    """A line that stays away from the lower and upper border over the whole window."""
    slope = signed(rng, MILD)
    rise = abs(slope) * (view.x_high - view.x_low) / 2
    middle = whole(rng, view.y_low + 2 + int(rise), max(view.y_low + 2 + int(rise), view.y_high - 2 - int(rise)))
    return slope, middle - slope * Fraction(view.x_low + view.x_high, 2)


def _pair_text(scene: FunctionScene, colours: list[str]) -> str:
    """What a question calls two curves."""
    if len(scene.curves) == 2:
        return "the two graphs"
    known = [curve.colour for curve in scene.curves]
    if scene.names:
        first, second = sorted(scene.names[known.index(colour)] for colour in colours)
        return f"the graphs {first} and {second}"
    first, second = sorted(colours)
    return f"the {first} and the {second} graph"


def _meeting(
    rng: np.random.Generator, level: int, view: FunctionScene, xs: list
) -> tuple[FunctionScene, str, list[str]]:
    """A line and a curve that cross at these places among others, what a question calls them, their colours."""
    colours = curve_colours(rng, level, least=2)
    for _ in range(MAX_TRIES):
        base = _base(rng, view)
        asked = with_zeros(rng, max(level, 2), view, xs, colours[0], base)
        if asked is not None:
            break
    else:
        raise RuntimeError(f"no curve that crosses a line {len(xs)} times at level {level}")
    straight = line(*base, colours[1])
    clear = [(x, base[0] * x + base[1]) for x in xs]
    scene = finished(rng, level, view, [asked, straight], colours, clear)
    return scene, _pair_text(scene, colours[:2]), sorted(colours[:2])


def pose_meetings(rng: np.random.Generator, level: int) -> Posed:
    """Count the points that two curves share."""
    most = MOST_CROSSINGS[level]
    count, view = whole(rng, 0, most), window(rng, level)
    zeros = spread_zeros(rng, view, count, 2 if level < 2 else 1, 1 if level < 2 else 2)
    scene, pair, colours = _meeting(rng, level, view, zeros)
    texts = (
        f"How many times do {pair} meet within the grid?",
        f"Count the points of the grid where {pair} cross.",
        f"How often do {pair} cross inside the grid?",
        f"Within the grid, in how many points do {pair} meet?",
    )
    query = {"ask": "meetings", "curves": colours}
    return Posed(scene, pick(rng, texts), Answer.integer(count), guess_rate=1 / (most + 1), query=query)


def pose_intersections(rng: np.random.Generator, level: int) -> Posed:
    """Find the two places where two curves cross."""
    xs = list(pair_of_coordinates(rng, level))
    view = window(rng, level, xs)
    scene, pair, colours = _meeting(rng, level, view, xs)
    texts = (
        f"Within the grid, at which x values do {pair} meet?",
        f"List every x of the grid where {pair} cross.",
        f"Where in the grid do {pair} cross? List all x.",
        f"Give all x within the grid at which {pair} have the same y.",
    )
    query = {"ask": "intersections", "curves": colours}
    rate = 1 / pairs_of_coordinates(level)
    return Posed(scene, pick(rng, texts), Answer.set_of(xs), guess_rate=rate, query=query)
