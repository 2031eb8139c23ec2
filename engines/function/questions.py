"""What is asked about function graphs. Every `pose_…` draws the answer first, then a scene that has it."""

from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Engine, Fact, Posed, QuestionType
from engines.function.curves import (
    ASKED_SLOPES,
    CLEAR_COLOURS,
    COLOURS,
    CURVES,
    GAP,
    HALF,
    MAX_TRIES,
    MIN_SIZE_PX,
    MOST_CROSSINGS,
    SIGNS,
    SLOPES,
    coordinate,
    counted,
    curve_colours,
    finished,
    pick,
    sloping,
    through,
    turning,
    whole,
    window,
)
from engines.function.draw import draw
from engines.function.scene import ZERO, Curve, FunctionScene, Number, crossings, line


def _named(curve: Curve, scene: FunctionScene, kind: str = "graph") -> str:
    """What a question calls a curve: by colour where there are several. `kind` must not give the answer away."""
    return f"the {curve.colour} {kind}" if len(scene.curves) > 1 else f"the {kind}"


def _maybe_dashed(rng: np.random.Generator, curve: Curve) -> Curve:
    """The same curve, sometimes dashed; never one with corners, which a gap could hide."""
    return Curve(curve.family, curve.numbers, curve.colour, dashed=not rng.integers(3) and not curve.corners)


def _other_values(rng: np.random.Generator, scene: FunctionScene, curve: Curve, but: int) -> tuple[Fact, ...]:
    """Up to two more values of the same curve at grid nodes."""
    if curve.family == "sine":
        return ()
    nodes = [(x, Fraction(curve.at(x))) for x in range(scene.x_low + 1, scene.x_high) if x != but]
    nodes = [(x, y) for x, y in nodes if y.denominator == 1 and scene.shows(x, y, 1)]
    chosen = sorted(rng.permutation(len(nodes))[:2].tolist())
    name = _named(curve, scene)
    return tuple(Fact(f"What is y at x = {nodes[i][0]} on {name}?", Answer.integer(int(nodes[i][1]))) for i in chosen)


def pose_value(rng: np.random.Generator, level: int) -> Posed:
    """Read the value at a grid node; a dot marks it at the first two levels."""
    x, y = coordinate(rng, level), coordinate(rng, level)
    view, colours = window(rng, level, x, y), curve_colours(rng, level)
    asked = _maybe_dashed(rng, through(rng, level, view, x, y, colours[0]))
    scene = finished(rng, level, view, [asked], colours, [(x, y)], ((x, y),) if level < 2 else ())
    name = _named(asked, scene)
    texts = (
        f"What is y at x = {x} on {name}?",
        f"Read y at x = {x} on {name}.",
        f"How high is {name} at x = {x}?",
        f"Find the value of {name} at x = {x}.",
    )
    facts = _other_values(rng, scene, asked, x)
    return Posed(scene, pick(rng, texts), Answer.integer(y), facts, 1 / (2 * HALF[level] - 1))


def pose_root(rng: np.random.Generator, level: int) -> Posed:
    """Find the one place where a curve crosses the x-axis."""
    x = coordinate(rng, level)
    view, colours = window(rng, level, x, 0), curve_colours(rng, level)
    for _ in range(MAX_TRIES):
        asked = through(rng, level, view, x, 0, colours[0])
        found, gap = crossings(asked, ZERO, view.x_low, view.x_high)
        if len(found) == 1 and gap >= GAP and abs(asked.height(x + 0.25)) >= 0.12:
            break
    else:
        raise RuntimeError(f"no curve with one root at level {level}")
    scene = finished(rng, level, view, [_maybe_dashed(rng, asked)], colours, [(x, 0)])
    name = _named(asked, scene)
    texts = (
        f"At which x does {name} cross the x-axis?",
        f"Where does {name} cross the x-axis?",
        f"Give the x where {name} is zero.",
        f"Find the x where {name} meets the x-axis.",
    )
    return Posed(scene, pick(rng, texts), Answer.integer(x), (), 1 / (2 * HALF[level] - 1))


def pose_y_intercept(rng: np.random.Generator, level: int) -> Posed:
    """Find where a curve crosses the y-axis."""
    y = coordinate(rng, level)
    view, colours = window(rng, level, 0, y), curve_colours(rng, level)
    asked = _maybe_dashed(rng, through(rng, level, view, 0, y, colours[0]))
    scene = finished(rng, level, view, [asked], colours, [(0, y)])
    name = _named(asked, scene)
    texts = (
        f"At which y does {name} cross the y-axis?",
        f"Where does {name} cross the y-axis?",
        f"How high is {name} on the y-axis?",
        f"Find the y where {name} meets the y-axis.",
    )
    facts = _other_values(rng, scene, asked, 0)
    return Posed(scene, pick(rng, texts), Answer.integer(y), facts, 1 / (2 * HALF[level] - 1))


def pose_slope_sign(rng: np.random.Generator, level: int) -> Posed:
    """Tell the sign of a slope: of a line up to level 4, of a curve at a marked node above."""
    sign = whole(rng, 0, 2)
    x, y = coordinate(rng, level), coordinate(rng, level)
    view, colours = window(rng, level, x, y), curve_colours(rng, level)
    if level < 5:
        slope = (pick(rng, SLOPES), -pick(rng, SLOPES), Fraction(0))[sign]
        asked = line(slope, y - slope * x + pick(rng, (-Fraction(1, 4), 0, Fraction(1, 4))), colours[0])
        scene = finished(rng, level, view, [_maybe_dashed(rng, asked)], colours)
        subject, at = _named(asked, scene, "line"), ""
    else:
        asked = sloping(rng, level, view, x, y, sign, colours[0])
        scene = finished(rng, level, view, [asked], colours, [(x, y)], ((x, y),))
        subject, at = _named(asked, scene), f" at x = {x}"
    texts = (
        f"Is the slope of {subject}{at} positive, negative or zero?",
        f"What sign has the slope of {subject}{at}: positive, negative or zero?",
        f"Positive, negative or zero: what is the slope of {subject}{at}?",
        f"Is {subject} rising (positive), falling (negative) or flat (zero){at}?",
    )
    return Posed(scene, pick(rng, texts), Answer.word(SIGNS[sign], SIGNS), (), 1 / 3)


def pose_axis_crossings(rng: np.random.Generator, level: int) -> Posed:
    """Count how often a curve crosses the x-axis."""
    most = MOST_CROSSINGS[level]
    count, colours = whole(rng, 0, most), curve_colours(rng, level)
    view = window(rng, level, 0, 0)
    for _ in range(MAX_TRIES):
        made = counted(rng, level, view, ZERO, count, colours[0])
        if made:
            break
    else:
        raise RuntimeError(f"no curve with {count} roots at level {level}")
    asked, found = made
    scene = finished(rng, level, view, [asked], colours, [(x, 0.0) for x in found])
    name = _named(asked, scene)
    texts = (
        f"How many times does {name} cross the x-axis?",
        f"Count the points where {name} crosses the x-axis.",
        f"How often does {name} cross the x-axis?",
        f"In how many points does {name} meet the x-axis?",
    )
    return Posed(scene, pick(rng, texts), Answer.integer(count), (), 1 / (most + 1))


def pose_extremum(rng: np.random.Generator, level: int) -> Posed:
    """Find the x of the highest or lowest point."""
    x, y = coordinate(rng, level), coordinate(rng, level)
    view, colours = window(rng, level, x, y), curve_colours(rng, level)
    asked = turning(rng, level, view, x, y, colours[0])
    word = "highest" if asked.height(x - 1) < y else "lowest"
    scene = finished(rng, level, view, [asked], colours, [(x, y)])
    name = _named(asked, scene)
    texts = (
        f"At which x is the {word} point of {name}?",
        f"Give the x of the {word} point of {name}.",
        f"Where is {name} {word}? Give x.",
        f"Find x at the {word} point of {name}.",
    )
    return Posed(scene, pick(rng, texts), Answer.integer(x), (), 1 / (2 * HALF[level] - 1))


def pose_meetings(rng: np.random.Generator, level: int) -> Posed:
    """Count the points that two curves share."""
    most = MOST_CROSSINGS[level]
    count, view = whole(rng, 0, most), window(rng, level, 0, 0)
    colours = [COLOURS[i] for i in rng.permutation(CLEAR_COLOURS)[: max(2, CURVES[level])].tolist()]
    for _ in range(MAX_TRIES):
        slope = pick(rng, (0, Fraction(1, 2), -Fraction(1, 2), 1, -1))
        base = line(slope, whole(rng, view.y_low + 1, view.y_high - 1), colours[1])
        made = counted(rng, level, view, base, count, colours[0])
        if made:
            break
    else:
        raise RuntimeError(f"no two curves with {count} common points at level {level}")
    clear = [(x, base.height(x)) for x in made[1]]
    scene = finished(rng, level, view, [made[0], base], colours, clear)
    first, second = sorted(colours[:2])
    pair = f"the {first} and the {second} graph" if len(scene.curves) > 2 else "the two graphs"
    texts = (
        f"How many times do {pair} meet?",
        f"Count the points where {pair} cross.",
        f"How often do {pair} cross?",
        f"In how many points do {pair} meet?",
    )
    return Posed(scene, pick(rng, texts), Answer.integer(count), (), 1 / (most + 1))


def pose_vertex(rng: np.random.Generator, level: int) -> Posed:
    """Read both coordinates of a turning point."""
    x, y = coordinate(rng, level), coordinate(rng, level)
    view, colours = window(rng, level, x, y), curve_colours(rng, level)
    asked = turning(rng, min(level, 2), view, x, y, colours[0])
    scene = finished(rng, level, view, [asked], colours, [(x, y)])
    name = _named(asked, scene)
    texts = (
        f"Give the turning point of {name} as (x, y).",
        f"Where does {name} turn? Give (x, y).",
        f"What is the turning point (x, y) of {name}?",
        f"Find the point (x, y) where {name} turns.",
    )
    return Posed(scene, pick(rng, texts), Answer.pair(x, y), (), 1 / (2 * HALF[level] - 1) ** 2)


def pose_slope(rng: np.random.Generator, level: int) -> Posed:
    """Read the slope of a line: whole at the first levels, a fraction above."""
    sizes: tuple[Number, ...] = (1, 2, 3) if level < 2 else ASKED_SLOPES
    options = (0, *sizes, *(-size for size in sizes))
    slope = pick(rng, options)
    x, y = coordinate(rng, level), coordinate(rng, level)
    view, colours = window(rng, level, x, y), curve_colours(rng, level)
    asked = line(slope, y - slope * x, colours[0])
    scene = finished(rng, level, view, [_maybe_dashed(rng, asked)], colours)
    name, form = _named(asked, scene, "line"), "" if level < 2 else " Give a whole number or a fraction."
    texts = (
        f"What is the slope of {name}?{form}",
        f"Find the slope of {name}.{form}",
        f"How steep is {name}? Give its slope.{form}",
        f"How much does {name} rise per step of x?{form}",
    )
    return Posed(scene, pick(rng, texts), Answer.fraction(Fraction(slope)), (), 1 / len(options))


ENGINE = Engine(
    name="function",
    version=1,
    types=(
        QuestionType("value", pose_value, MIN_SIZE_PX),
        QuestionType("root", pose_root, MIN_SIZE_PX),
        QuestionType("slope_sign", pose_slope_sign, MIN_SIZE_PX),
        QuestionType("y_intercept", pose_y_intercept, MIN_SIZE_PX),
        QuestionType("axis_crossings", pose_axis_crossings, MIN_SIZE_PX),
        QuestionType("extremum", pose_extremum, MIN_SIZE_PX),
        QuestionType("meetings", pose_meetings, MIN_SIZE_PX),
        QuestionType("vertex", pose_vertex, MIN_SIZE_PX, held_out=True),
        QuestionType("slope", pose_slope, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
)
