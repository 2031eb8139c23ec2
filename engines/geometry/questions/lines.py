"""Questions about straight lines: the longest, how two lie to each other, partners, equal tick marks."""

import itertools
import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Point, lean_between
from engines.geometry.layout import (
    CLEAR_COLOURS,
    COLOURS,
    DIRECTIONS,
    EDGE,
    LETTERED,
    LETTERS,
    MAX_TRIES,
    PLAIN,
    anywhere,
    is_clear,
    line_in,
    pick,
    polygon,
    rooms,
    segment,
    slots,
    some,
    turned,
    units,
    vector,
    whole,
)
from engines.geometry.questions.make import fitted, letters, listed, mixed, name_of, posed, subset
from engines.geometry.scene import INK, GeometryScene, Mark, Note, Shape, all_common_points
from engines.marks import Longer, Skew

RELATIONS = ("parallel", "perpendicular", "neither")
TRUE_DEG, FALSE_DEG = 4.0, 6.0  # from exact: so much may a photograph bend what is true, so much stays what is not
RATIO = 1.1  # least ratio of two lengths, also in photographs

# By level.
SEGMENTS = (2, 2, 3, 3, 4, 4, 4, 5, 5, 6)
LENGTH_RATIO = (1.6, 1.5, 1.4, 1.35, 1.3, 1.25, 1.2, 1.2, 1.17, 1.15)
TURN_MARGIN = (25, 22, 20, 18, 16, 15, 13, 12, 11, 10)  # degrees from parallel and from perpendicular
OTHERS = (2, 3, 3, 4, 4, 5, 5, 6, 6, 7)  # lines besides the one that is named
PARTNERS = (1, 2, 2, 2, 3, 3, 3, 3, 3, 3)
PAIRS = (2, 2, 3, 3, 3, 4, 4, 4, 5, 5)  # segments besides the one that is named by its ends
TICKED = (4, 4, 5, 5, 6, 6, 7, 7, 8, 8)  # sides of a shape with tick marks

LONGEST = (
    "Which line is {word}: {among}?",
    "Which one is {word}: {among}?",
    "Find the {word} line: {among}.",
    "Which is the {word} line: {among}?",
)
LONGEST_NAMED = (
    "Which line is the {word}? Name it by its two ends.",
    "Find the {word} line and name it by its two letters.",
    "Name the {word} line by its ends.",
    "The {word} line: from which letter to which? Give both.",
)


def pose_longest(rng: np.random.Generator, level: int) -> Posed:
    """The longest segment: by colour up to level 4, by the letters of its ends above."""
    count, ratio = SEGMENTS[level], LENGTH_RATIO[level]
    named = level >= 5
    colours = some(rng, COLOURS[:CLEAR_COLOURS], count) if not named else [pick(rng, COLOURS)] * count
    gap, edge = units(level, 20 if named else 9), 60 if named else EDGE
    shortest = units(level, 20)
    for _ in range(MAX_TRIES):
        longest = segment(rng, 1.4 * shortest * ratio, 320 - 20 * count, colours[0], edge)
        top, shapes = math.dist(*longest.points) / ratio, [longest]
        for _ in range(8 * count):
            if len(shapes) == count:
                break
            new = segment(rng, max(0.5 * top, shortest), top, colours[len(shapes)], edge)
            fits = math.dist(*new.points) <= top and is_clear(new, shapes, gap, gap)
            if fits and not any(all_common_points((new, shape)) for shape in shapes):
                shapes.append(new)
        if len(shapes) == count:
            found = _longest(rng, level, shapes, named)
            if found:
                return found
    raise RuntimeError(f"no room for {count} segments at level {level}")


def _longest(rng: np.random.Generator, level: int, shapes: list[Shape], named: bool) -> Posed | None:
    """The question which segment is the longest; it is the first."""
    marks: tuple[Mark, ...] = ()
    ends = [point for shape in shapes for point in shape.points]
    margins = tuple(Longer(shapes[0].points, other.points, RATIO) for other in shapes[1:])
    if named:
        marks = tuple(Mark(point, letter) for point, letter in zip(ends, letters(rng, len(ends)), strict=True))
    scene = fitted(GeometryScene(mixed(rng, shapes), marks, margins=margins), level, PLAIN)
    word = "longest" if len(shapes) > 2 else "longer"
    if scene is None:
        return None
    if named:
        answer = Answer.name(name_of([marks[0].letter, marks[1].letter]))
        return posed(rng, LONGEST_NAMED, {"word": word}, scene, answer, 0.01, {"ask": "longest", "by": "ends"})
    names = sorted(shape.colour for shape in shapes)
    answer, words = Answer.word(shapes[0].colour, names), {"word": word, "among": listed(names)}
    return posed(rng, LONGEST, words, scene, answer, 1 / len(shapes), {"ask": "longest", "by": "colour"})


RELATION = (
    "Are {pair} parallel, perpendicular or neither?",
    "Parallel, perpendicular or neither: what are {pair}?",
    "What are {pair}: parallel, perpendicular or neither?",
    "Tell if {pair} are parallel, perpendicular or neither.",
)


def pose_relation(rng: np.random.Generator, level: int) -> Posed:
    """Two lines: parallel, perpendicular or neither."""
    relation, margin, gap = pick(rng, RELATIONS), TURN_MARGIN[level], units(level, 9)
    colours = some(rng, COLOURS[:CLEAR_COLOURS], 2 + (level >= 3) + (level >= 6))
    for _ in range(MAX_TRIES):
        steps = _pair(rng, relation, margin)
        if steps is None:
            continue
        shapes = [anywhere(rng, step, colour) for step, colour in zip(steps, colours[:2], strict=True)]
        if not is_clear(shapes[1], shapes[:1], gap, gap):
            continue
        for colour in colours[2:]:
            others = (segment(rng, 110, 260, colour) for _ in range(30))
            shapes += itertools.islice((new for new in others if is_clear(new, shapes, gap, gap)), 1)
        if len(shapes) == len(colours):
            break
    else:
        raise RuntimeError(f"no {relation} lines at level {level}")
    one, other = sorted(colours[:2])
    pair = f"the {one} and the {other} line" if len(shapes) > 2 else "the two lines"
    scene = GeometryScene(mixed(rng, shapes), margins=(_skew(shapes[0], shapes[1], relation),))
    answer, query = Answer.word(relation, RELATIONS), {"ask": "relation", "one": one, "other": other}
    return posed(rng, RELATION, {"pair": pair}, scene, answer, 1 / 3, query)


def _pair(rng: np.random.Generator, relation: str, margin: float) -> tuple[Point, Point] | None:
    """Vectors of two lines in a relation, or None."""
    first, step = vector(rng, 150, 300)
    if relation == "neither":
        second = turned(rng, first, margin + (90 - 2 * margin) * rng.random(), 150 + 150 * rng.random())
        return (first, second) if margin <= lean_between(first, second) <= 90 - margin else None
    base, size = step if relation == "parallel" else (-step[1], step[0]), math.hypot(*step)
    count = whole(rng, math.ceil(150 / size), max(math.ceil(150 / size), int(300 / size))) * pick(rng, (-1, 1))
    return first, (base[0] * count, base[1] * count)


def _skew(one: Shape, other: Shape, relation: str) -> Skew:
    """The margin of a relation."""
    low, high = {
        "parallel": (0.0, TRUE_DEG),
        "perpendicular": (90.0 - TRUE_DEG, 90.0),
        "neither": (FALSE_DEG, 90.0 - FALSE_DEG),
        "not parallel": (FALSE_DEG, 90.0),
        "not perpendicular": (0.0, 90.0 - FALSE_DEG),
    }[relation]
    return Skew(one.points, other.points, low, high)


PARALLEL = (
    "Which lines are parallel to line {name}? List all.",
    "List every line that is parallel to line {name}.",
    "Give all lines parallel to line {name}.",
    "Name all lines that run parallel to line {name}.",
)


def pose_parallel(rng: np.random.Generator, level: int) -> Posed:
    """All lines that are parallel to a named one; each line has one letter."""
    count, margin = OTHERS[level], TURN_MARGIN[level]
    number = subset(rng, PARTNERS[level], count - 1)
    inset = round(units(level, 9, LETTERED))
    for _ in range(MAX_TRIES):
        names, step = letters(rng, count + 1), pick(rng, DIRECTIONS)
        steps = [step] * (number + 1) + [_aside(rng, step, margin) for _ in range(count - number)]
        shapes = [
            Shape("segment", line_in(rng, one, room, inset), INK, letter=letter)
            for one, room, letter in zip(steps, slots(rng, count + 1, 20), names, strict=True)
        ]
        kinds = ["parallel"] * number + ["not parallel"] * (count - number)
        margins = tuple(_skew(shapes[0], other, kind) for other, kind in zip(shapes[1:], kinds, strict=True))
        scene = fitted(GeometryScene(mixed(rng, shapes), margins=margins), level, LETTERED)
        if scene:
            answer = Answer.set_of(names[1 : number + 1], sorted(names))
            rate = 1 / min(PARTNERS[level], count - 1) / (len(LETTERS) - 1)
            query = {"ask": "parallel", "line": names[0]}
            return posed(rng, PARALLEL, {"name": names[0]}, scene, answer, rate, query)
    raise RuntimeError(f"no room for {count} lines at level {level}")


def _aside(rng: np.random.Generator, step: Point, margin: float) -> Point:
    """A direction that is clearly another one."""
    while True:
        found = pick(rng, DIRECTIONS)
        if lean_between(found, step) >= margin:
            return found


PERPENDICULAR = (
    "Which line is perpendicular to {name}? Name it by its ends.",
    "Name the line at a right angle to {name} by its two ends.",
    "Find the line perpendicular to {name}; give its two letters.",
    "Give the two ends of the line perpendicular to {name}.",
)


def pose_perpendicular(rng: np.random.Generator, level: int) -> Posed:
    """The one segment that is perpendicular to a named one; ends have letters."""
    count, margin, inset = PAIRS[level], TURN_MARGIN[level], round(units(level, 8, LETTERED))
    for _ in range(MAX_TRIES):
        step = pick(rng, DIRECTIONS)
        across = (-step[1], step[0])
        steps = [step, across, *(_aside(rng, across, margin) for _ in range(count - 1))]
        rooms_of = slots(rng, count + 1, 26)
        ends = [line_in(rng, one, room, inset) for one, room in zip(steps, rooms_of, strict=True)]
        names = letters(rng, 2 * count + 2)
        shapes = [Shape("segment", pair, INK) for pair in ends]
        marks = tuple(Mark(point, letter) for point, letter in zip(sum(ends, ()), names, strict=True))
        kinds = ["perpendicular"] + ["not perpendicular"] * (count - 1)
        margins = tuple(_skew(shapes[0], other, kind) for other, kind in zip(shapes[1:], kinds, strict=True))
        scene = fitted(GeometryScene(mixed(rng, shapes), marks, margins=margins), level, LETTERED)
        if scene:
            name, answer = name_of(names[:2]), Answer.name(name_of(names[2:4]))
            query = {"ask": "perpendicular", "line": name}
            return posed(rng, PERPENDICULAR, {"name": name}, scene, answer, 0.01, query)
    raise RuntimeError(f"no room for {count + 1} lines at level {level}")


TICKS = (
    "Which other side has as many tick marks as side {name}?",
    "Side {name} has tick marks. Which other side has as many?",
    "Find the other side with the same number of tick marks as {name}.",
    "Name the side whose tick marks are as many as those of {name}.",
)


def pose_tick_partner(rng: np.random.Generator, level: int) -> Posed:
    """The other side of a polygon with as many tick marks; sides may carry none."""
    count, edge = TICKED[level], round(units(level, 12, LETTERED))
    for _ in range(MAX_TRIES):
        points = polygon(rng, count, rooms(rng, 1, edge)[0])
        ends = [(points[i], points[(i + 1) % count]) for i in range(count)]
        if min(math.dist(*end) for end in ends) < units(level, 21, LETTERED):
            continue
        order = some(rng, range(count), count)
        asked, *foils = some(rng, (1, 2, 3, 4) if level >= 6 else (1, 2, 3), 3)
        ticks = {order[0]: asked, order[1]: asked}
        ticks |= {side: pick(rng, (*foils, 0) if level >= 2 else foils) for side in order[2:]}
        names = letters(rng, count)
        marks = tuple(Mark(point, letter) for point, letter in zip(points, names, strict=True))
        notes = tuple(Note(*ends[i], ticks=ticks[i]) for i in range(count) if ticks[i])
        scene = fitted(GeometryScene((Shape("polygon", points, INK),), marks, (), notes), level, LETTERED)
        if scene:
            name, partner = (name_of((names[side], names[(side + 1) % count])) for side in order[:2])
            query = {"ask": "tick_partner", "side": name}
            return posed(rng, TICKS, {"name": name}, scene, Answer.name(partner), 0.01, query)
    raise RuntimeError(f"no room for {count} ticked sides at level {level}")
