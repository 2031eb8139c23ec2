"""What is asked about geometry pictures. Every `pose_…` draws the answer first, then a scene that has it."""

import itertools
import math

import numpy as np

from engines.answer import Answer
from engines.base import Engine, Fact, Posed, QuestionType
from engines.geometry.draw import draw
from engines.geometry.layout import (
    CIRCLES,
    CLEAR_COLOURS,
    COLOURS,
    EDGE,
    GROUPS,
    LETTER_EDGE,
    MAX_TRIES,
    MIN_SIZE_PX,
    aimed,
    angle_of,
    closed,
    is_clear,
    pick,
    place_on,
    polygon,
    rooms,
    segment,
    some,
    turned,
    units,
    vector,
    whole,
    within,
)
from engines.geometry.scene import (
    FRAME,
    GeometryScene,
    Mark,
    Point,
    Shape,
    all_common_points,
    common_points,
    degrees_between,
    line_distance,
    minus,
)

ANGLES = ("acute", "right", "obtuse")
RELATIONS = ("parallel", "perpendicular", "neither")
LETTERS = "ABCDEFGHKLMNPQRSTVXZ"  # no I, J, O, U, W, Y: easily confused in small print

# By level.
ANGLE_MARGIN = (22, 20, 18, 16, 14, 13, 12, 11, 10, 8)  # degrees from 90
TURN_MARGIN = (25, 22, 20, 18, 16, 15, 13, 12, 10, 9)  # degrees from parallel and from perpendicular
MOST_SIDES = (6, 6, 7, 7, 7, 8, 8, 9, 9, 10)
POINTS = (3, 3, 3, 4, 4, 4, 5, 5, 6, 6)
POINT_MARGIN_PX = (11, 10, 10, 9, 9, 8, 8, 8, 7, 7)
SEGMENTS = (2, 2, 3, 3, 4, 4, 4, 5, 5, 6)
LENGTH_RATIO = (1.6, 1.5, 1.4, 1.35, 1.3, 1.25, 1.2, 1.2, 1.15, 1.12)
CROSSED = (2, 3, 3, 3, 4, 4, 4, 5, 5, 6)  # segments of the crossing count
CROSSED_REACH = (190, 170, 160, 150, 130, 120, 110, 110, 105, 100)  # units that a segment goes on beyond a crossing
MOST_CROSSINGS = (1, 2, 2, 3, 3, 4, 5, 6, 6, 7)
INSIDE = (2, 2, 2, 2, 2, 3, 3, 3, 4, 4)
CORNERS = ((3, 4), (3, 4), (3, 5), (4, 5), (4, 5), (4, 6), (5, 6), (5, 7), (5, 8), (6, 8))


def _clear(rng: np.random.Generator, count: int) -> list[str]:
    """Different colours that a question can tell apart, or one of all colours if there is nothing to tell apart."""
    return some(rng, COLOURS[:CLEAR_COLOURS], count) if count > 1 else [pick(rng, COLOURS)]


def pose_angle(rng: np.random.Generator, level: int) -> Posed:
    """Class of an angle."""
    count = min(GROUPS[level], 3)
    kinds, colours = [pick(rng, ANGLES) for _ in range(count)], _clear(rng, count)
    figures = zip(kinds, rooms(rng, count), colours, strict=True)
    angles = [angle_of(rng, kind, ANGLE_MARGIN[level], room, colour) for kind, room, colour in figures]
    name = f"the {colours[0]} angle" if count > 1 else "the angle"
    texts = (
        f"Is {name} acute, right or obtuse?",
        f"What kind of angle is {name}: acute, right or obtuse?",
        f"Acute, right or obtuse: what is {name}?",
        f"Tell if {name} is acute, right or obtuse.",
    )
    others = zip(kinds[1:], colours[1:], strict=True)
    facts = tuple(
        Fact(f"Is the {colour} angle acute, right or obtuse?", Answer.word(kind, ANGLES)) for kind, colour in others
    )
    scene = GeometryScene(angles=tuple(some(rng, angles, count)))
    return Posed(scene, pick(rng, texts), Answer.word(kinds[0], ANGLES), facts, 1 / 3)


def pose_sides(rng: np.random.Generator, level: int) -> Posed:
    """Number of sides of a polygon."""
    count, most = GROUPS[level], MOST_SIDES[level]
    numbers, colours = [whole(rng, 3, most) for _ in range(count)], _clear(rng, count)
    filled, dented = bool(rng.integers(2)), level >= 6
    shapes = [
        Shape("polygon", polygon(rng, number, room, dented and number > 4), colour, filled=filled)
        for number, room, colour in zip(numbers, rooms(rng, count), colours, strict=True)
    ]
    name = f"the {colours[0]} shape" if count > 1 else "the shape"
    texts = (
        f"How many sides has {name}?",
        f"Count the sides of {name}.",
        f"How many sides does {name} have?",
        f"Give the number of sides of {name}.",
    )
    others = zip(numbers[1:], colours[1:], strict=True)
    facts = tuple(Fact(f"How many sides has the {colour} shape?", Answer.integer(n)) for n, colour in others)
    scene = GeometryScene(shapes=tuple(some(rng, shapes, count)))
    return Posed(scene, pick(rng, texts), Answer.integer(numbers[0]), facts, 1 / (most - 2))


def _spread(rng: np.random.Generator, level: int, first: Point, others: int, shapes: list[Shape]) -> list[Point] | None:
    """Further points away from `first`, from each other and, by the level's margin, from the strokes."""
    edge = 36 if level < 2 else LETTER_EDGE
    gap, apart = units(level, POINT_MARGIN_PX[level]), units(level, 20 if level < 2 else 27)
    points = [first]
    for _ in range(60 * others):
        if len(points) > others:
            return points
        point = whole(rng, edge, FRAME - edge), whole(rng, edge, FRAME - edge)
        if all(math.dist(point, other) >= apart for other in points) and all(s.distance(point) >= gap for s in shapes):
            points.append(point)
    return points if len(points) > others else None


def _asked_point(rng: np.random.Generator, level: int, points: list[Point], stroke: str) -> tuple[list[Mark], Answer]:
    """Marks for the points, coloured up to level 1 and lettered above, and the name of the first as the answer."""
    count = len(points)
    if level < 2:
        colours = some(rng, [c for c in COLOURS[:CLEAR_COLOURS] if c != stroke], count)
        marks = [Mark(point, colour=colour) for point, colour in zip(points, colours, strict=True)]
        return some(rng, marks, count), Answer.word(colours[0], sorted(colours))
    letters = some(rng, LETTERS[:count] if level < 6 else LETTERS, count)
    marks = [Mark(point, letter) for point, letter in zip(points, letters, strict=True)]
    return some(rng, marks, count), Answer.choice(letters[0], sorted(letters))


def _incidence(rng: np.random.Generator, level: int, points: list[Point], shapes: list[Shape], what: str) -> Posed:
    """The question which of the points, of which it is the first, lies on the first shape."""
    marks, answer = _asked_point(rng, level, points, shapes[0].colour)
    name, dot = (
        (f"the {shapes[0].colour} {what}" if len(shapes) > 1 else f"the {what}"),
        "dot" if level < 2 else "point",
    )
    among = ", ".join(answer.vocabulary[:-1]) + " or " + answer.vocabulary[-1]
    texts = (
        f"Which {dot} lies on {name}: {among}?",
        f"Which {dot} is on {name}: {among}?",
        f"On {name} lies one {dot}: {among}?",
        f"Find the {dot} on {name}: {among}.",
    )
    scene = GeometryScene(tuple(shapes), tuple(marks))
    return Posed(scene, pick(rng, texts), answer, (), 1 / len(points))


def pose_on_line(rng: np.random.Generator, level: int) -> Posed:
    """The one marked point on a line."""
    count, colours = POINTS[level], some(rng, COLOURS[:4] if level < 2 else COLOURS, 2)
    for _ in range(MAX_TRIES):
        line = segment(rng, 270, 430, colours[0], EDGE if level < 2 else 36)
        shapes = [line] if level < 5 else [line, segment(rng, 200, 380, colours[1], 36)]
        if level >= 5 and not is_clear(shapes[1], [line], units(level, 10), units(level, 10)):
            continue
        (x, y), step = line.points[0], minus(line.points[1], line.points[0])
        parts = math.gcd(*step)
        place = whole(rng, math.ceil(parts * 0.2), math.floor(parts * 0.8))
        point = x + step[0] // parts * place, y + step[1] // parts * place
        edge = LETTER_EDGE if level >= 2 else 36
        if not all(edge <= value <= FRAME - edge for value in point):
            continue
        if level >= 5 and shapes[1].distance(point) < units(level, 14):
            continue
        points = _spread(rng, level, point, count - 1, shapes)
        endless = units(level, POINT_MARGIN_PX[level] - 1)
        if points and all(line_distance(other, *line.points) >= endless for other in points[1:]):
            return _incidence(rng, level, points, shapes, "line")
    raise RuntimeError(f"no line with {count} points at level {level}")


def pose_on_circle(rng: np.random.Generator, level: int) -> Posed:
    """The one marked point on a circle."""
    count, colours = POINTS[level], some(rng, COLOURS[:4] if level < 2 else COLOURS, 2)
    for _ in range(MAX_TRIES):
        shapes = []
        for colour in colours[: 1 if level < 5 else 2]:
            radius = pick(rng, tuple(CIRCLES))
            low, high = EDGE + radius, FRAME - EDGE - radius
            centre = whole(rng, low, high), whole(rng, low, high)
            shapes.append(Shape("circle", (centre,), colour, radius))
        if len(shapes) == 2 and math.dist(shapes[0].points[0], shapes[1].points[0]) < units(level, 30):
            continue
        (x, y), (dx, dy) = shapes[0].points[0], pick(rng, CIRCLES[shapes[0].radius])
        point, edge = (x + dx, y + dy), LETTER_EDGE if level >= 2 else 36
        if not all(edge <= value <= FRAME - edge for value in point):
            continue
        if len(shapes) == 2 and shapes[1].distance(point) < units(level, 14):
            continue
        points = _spread(rng, level, point, count - 1, shapes)
        if points:
            return _incidence(rng, level, points, shapes, "circle")
    raise RuntimeError(f"no circle with {count} points at level {level}")


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
            return _longest(rng, shapes, named)
    raise RuntimeError(f"no room for {count} segments at level {level}")


def _longest(rng: np.random.Generator, shapes: list[Shape], named: bool) -> Posed:
    """The question which segment is the longest; it is the first."""
    marks: tuple[Mark, ...] = ()
    if named:
        letters = some(rng, LETTERS, 2 * len(shapes))
        ends = [point for shape in shapes for point in shape.points]
        marks = tuple(Mark(point, letter) for point, letter in zip(ends, letters, strict=True))
        names = ["".join(sorted(pair)) for pair in zip(letters[::2], letters[1::2], strict=True)]
        answer = Answer.name(names[0])
    else:
        names = [shape.colour for shape in shapes]
        answer = Answer.word(names[0], sorted(names))
    names.sort()
    among, word = ", ".join(names[:-1]) + " or " + names[-1], "longest" if len(shapes) > 2 else "longer"
    texts = (
        f"Which line is {word}: {among}?",
        f"Which one is {word}: {among}?",
        f"Find the {word} line: {among}.",
        f"Which is the {word} line: {among}?",
    )
    return Posed(
        GeometryScene(tuple(some(rng, shapes, len(shapes))), marks), pick(rng, texts), answer, (), 1 / len(shapes)
    )


def pose_relation(rng: np.random.Generator, level: int) -> Posed:
    """Two lines: parallel, perpendicular or neither."""
    relation, margin, gap = pick(rng, RELATIONS), TURN_MARGIN[level], units(level, 9)
    colours = some(rng, COLOURS[:CLEAR_COLOURS], 2 + (level >= 3) + (level >= 6))
    for _ in range(MAX_TRIES):
        first, step = vector(rng, 150, 300)
        if relation == "neither":
            second = turned(rng, first, margin + (90 - 2 * margin) * rng.random(), 150 + 150 * rng.random())
            turn = degrees_between(first, second)
            if not margin <= min(turn, 180 - turn) <= 90 - margin:
                continue
        else:
            base = step if relation == "parallel" else (-step[1], step[0])
            size = math.hypot(*step)
            count = whole(rng, math.ceil(150 / size), int(300 / size)) * pick(rng, (-1, 1))
            second = base[0] * count, base[1] * count
        shapes = [_anywhere(rng, vec, colour) for vec, colour in zip((first, second), colours[:2], strict=True)]
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
    texts = (
        f"Are {pair} parallel, perpendicular or neither?",
        f"Parallel, perpendicular or neither: what are {pair}?",
        f"What are {pair}: parallel, perpendicular or neither?",
        f"Tell if {pair} are parallel, perpendicular or neither.",
    )
    scene = GeometryScene(tuple(some(rng, shapes, len(shapes))))
    return Posed(scene, pick(rng, texts), Answer.word(relation, RELATIONS), (), 1 / 3)


def _anywhere(rng: np.random.Generator, step: Point, colour: str) -> Shape:
    """The segment with this vector at a random place of the frame."""
    spans = [(EDGE - min(0, d), FRAME - EDGE - max(0, d)) for d in step]
    x, y = (whole(rng, low, high) for low, high in spans)
    return Shape("segment", ((x, y), (x + step[0], y + step[1])), colour)


def pose_crossings(rng: np.random.Generator, level: int) -> Posed:
    """Number of points where the drawn lines (from level 6 with a circle) cross."""
    count, most, is_circle = CROSSED[level], MOST_CROSSINGS[level], level >= 6
    wanted = whole(rng, 0, most)
    for _ in range(MAX_TRIES):
        shapes: list[Shape] = []
        if is_circle:
            centre = whole(rng, 160, FRAME - 160), whole(rng, 160, FRAME - 160)
            shapes.append(Shape("circle", (centre,), pick(rng, COLOURS), whole(rng, 80, 130)))
        missing = wanted
        for left in range(count - 1, -1, -1):
            most_here = min(missing, 2, len(shapes) + is_circle)
            hits = whole(rng, min(max(0, missing - 2 * left), most_here), most_here)
            new = _crossing(rng, level, shapes, hits)
            if new is None:
                break
            shapes.append(new)
            missing -= hits
        if not missing and len(shapes) == count + is_circle:
            break
    else:
        raise RuntimeError(f"no {count} lines with {wanted} crossings at level {level}")
    things = "the lines and the circle" if is_circle else "the lines"
    texts = (
        f"In how many points do {things} cross?",
        f"Count the points where {things} cross.",
        f"How many crossing points have {things}?",
        f"How many points are there where {things} cross?",
    )
    return Posed(GeometryScene(tuple(shapes)), pick(rng, texts), Answer.integer(wanted), (), 1 / (most + 1))


def _crossing(rng: np.random.Generator, level: int, shapes: list[Shape], hits: int) -> Shape | None:
    """A segment that crosses the shapes in so many points (at most two, through which it is aimed), or None."""
    gap, apart = units(level, 7), units(level, 10)
    for _ in range(40):
        targets = some(rng, shapes, hits) if hits <= len(shapes) else shapes * hits
        through = [place_on(rng, target) for target in targets]
        new = aimed(rng, through, CROSSED_REACH[level], pick(rng, COLOURS))
        if new and is_clear(new, shapes, gap, apart) and sum(len(common_points(new, s)) for s in shapes) == hits:
            return new
    return None


def pose_inside(rng: np.random.Generator, level: int) -> Posed:
    """The shape that has the dot inside."""
    count, gap = INSIDE[level], units(level, 7)
    colours = some(rng, COLOURS[:CLEAR_COLOURS], count)
    for _ in range(MAX_TRIES):
        shapes = [closed(rng, room, colour) for room, colour in zip(rooms(rng, count), colours, strict=True)]
        at = within(rng, shapes[0], gap)
        if at:
            break
    else:
        raise RuntimeError(f"no room in the {colours[0]} shape at level {level}")
    texts = (
        "Which shape has the dot inside? Give its colour.",
        "What colour is the shape around the dot?",
        "The dot lies inside which shape? Give the colour.",
        "Find the colour of the shape that contains the dot.",
    )
    scene = GeometryScene(tuple(some(rng, shapes, count)), (Mark(at),))
    return Posed(scene, pick(rng, texts), Answer.word(colours[0], sorted(colours)), (), 1 / count)


def pose_vertex_order(rng: np.random.Generator, level: int) -> Posed:
    """The letters around a polygon."""
    count, edge = whole(rng, *CORNERS[level]), 40
    (room,) = rooms(rng, 1)
    inner = room._replace(x=room.x + edge, y=room.y + edge, width=room.width - 2 * edge, height=room.height - 2 * edge)
    points = polygon(rng, count, inner)  # clockwise as seen: angles grow while y points down
    letters = LETTERS[:count] if level < 4 else "A" + "".join(sorted(some(rng, LETTERS[1:], count - 1)))
    order = ["A", *some(rng, letters[1:], count - 1)]
    marks = [Mark(point, letter) for point, letter in zip(points, order, strict=True)]
    texts = (
        "Go around the shape clockwise from A. List the letters.",
        "List the corners clockwise, starting at A.",
        "Read the letters around the shape clockwise from A.",
        "Starting at A, list the corners in clockwise order.",
    )
    scene = GeometryScene((Shape("polygon", points, pick(rng, COLOURS)),), tuple(some(rng, marks, count)))
    return Posed(scene, pick(rng, texts), Answer.permutation(order), (), 1 / math.factorial(count - 1))


ENGINE = Engine(
    name="geometry",
    version=1,
    types=(
        QuestionType("angle", pose_angle, MIN_SIZE_PX),
        QuestionType("sides", pose_sides, MIN_SIZE_PX),
        QuestionType("on_line", pose_on_line, MIN_SIZE_PX),
        QuestionType("on_circle", pose_on_circle, MIN_SIZE_PX),
        QuestionType("longest", pose_longest, MIN_SIZE_PX),
        QuestionType("relation", pose_relation, MIN_SIZE_PX),
        QuestionType("crossings", pose_crossings, MIN_SIZE_PX),
        QuestionType("inside", pose_inside, MIN_SIZE_PX, held_out=True),
        QuestionType("vertex_order", pose_vertex_order, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
)
