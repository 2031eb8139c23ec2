"""Questions about angles: their class, their size, and the number written at one."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import degrees_between
from engines.geometry.layout import (
    MAX_TRIES,
    PLAIN,
    angle_of,
    pick,
    placed,
    polygon,
    rooms,
    turned,
    units,
    vector,
    whole,
)
from engines.geometry.questions.make import clear_colours, fitted, letters, mixed, name_of, posed
from engines.geometry.scene import INK, Angle, GeometryScene, Mark, Note, Shape
from engines.marks import Turn

ANGLES = ("acute", "right", "obtuse")
BOUNDS = {"acute": (5.0, 84.0), "right": (86.0, 94.0), "obtuse": (96.0, 175.0)}  # degrees, also in photographs
SIZES = (*PLAIN[:6], 224, 224, 280, 280)
MEASURE_SIZES = (140, 168, 224, 224, 280, 280, 336, 336, 336, 392)

# By level.
COUNTS = (1, 1, 1, 2, 2, 3, 2, 2, 3, 3)  # angles; from `LETTERS_FROM` on each has three letters
LETTERS_FROM = 6
MARGIN = (22, 20, 18, 16, 14, 13, 12, 11, 10, 8)  # degrees from 90
SIZE_COUNTS = (1, 1, 1, 2, 2, 2, 3, 3, 4, 4)
TOLERANCE = (10, 10, 10, 8, 8, 6, 6, 5, 5, 5)  # degrees
SMALLEST, LARGEST = 20, 160
NOTED = (3, 3, 4, 4, 4, 5, 5, 6, 6, 6)  # corners of a shape with numbers at its sides
NOTED_ANGLES = (0, 1, 1, 2, 2, 2, 3, 3, 3, 4)

KIND = (
    "Is {name} acute, right or obtuse?",
    "What kind of angle is {name}: acute, right or obtuse?",
    "Acute, right or obtuse: what is {name}?",
    "Tell if {name} is acute, right or obtuse.",
)


def pose_angle(rng: np.random.Generator, level: int) -> Posed:
    """Class of an angle, which is meant by its colour or by three letters."""
    count, is_lettered = COUNTS[level], level >= LETTERS_FROM
    for _ in range(MAX_TRIES):
        kinds = [pick(rng, ANGLES) for _ in range(count)]
        colours = [INK] * count if is_lettered else clear_colours(rng, count)
        figures = zip(kinds, rooms(rng, count, 24 if is_lettered else 0), colours, strict=True)
        angles = [angle_of(rng, kind, MARGIN[level], room, colour) for kind, room, colour in figures]
        marks = _ends(rng, angles) if is_lettered else ()
        margins = [Turn((a.first, a.vertex, a.second), *BOUNDS[a.kind]) for a in angles]
        scene = GeometryScene(marks=marks, angles=mixed(rng, angles), margins=tuple(margins))
        scene = fitted(scene, level, SIZES)
        if scene is None:
            continue
        name, query = "the angle", {"ask": "angle", "vertex": list(angles[0].vertex)}
        if is_lettered:
            name = "angle " + "".join(mark.letter for mark in marks[:3])
            query |= {"name": name[6:]}
        elif count > 1:
            name = f"the {colours[0]} angle"
            query |= {"colour": colours[0]}
        return posed(rng, KIND, {"name": name}, scene, Answer.word(kinds[0], ANGLES), 1 / 3, query)
    raise RuntimeError(f"no room for the letters of {count} angles at level {level}")


def _ends(rng: np.random.Generator, angles: list[Angle]) -> tuple[Mark, ...]:
    """Lettered dots at the ends and the vertex of each angle, in that order."""
    points = [point for a in angles for point in (a.first, a.vertex, a.second)]
    names = letters(rng, len(points))
    return tuple(Mark(point, letter) for point, letter in zip(points, names, strict=True))


SIZE = (
    "How many degrees does {name} measure? Within {tolerance} is right.",
    "Estimate {name} in degrees, within {tolerance}.",
    "How large is {name} in degrees? You may be off by {tolerance}.",
    "Give the size of {name} in degrees, within {tolerance}.",
)


def pose_angle_size(rng: np.random.Generator, level: int) -> Posed:
    """Size of an angle in degrees, with a tolerance."""
    count, tolerance = SIZE_COUNTS[level], TOLERANCE[level]
    sizes, colours = [whole(rng, SMALLEST, LARGEST) for _ in range(count)], clear_colours(rng, count)
    angles = []
    for size, room, colour in zip(sizes, rooms(rng, count), colours, strict=True):
        reach = 0.58 * min(room.width, room.height) + 0.1 * max(room.width, room.height)
        for _ in range(MAX_TRIES):
            first = vector(rng, 0.6 * reach, reach)[0]
            second = turned(rng, first, size, reach * (0.6 + 0.4 * rng.random()))
            points = placed(rng, ((0, 0), first, second), room)
            if points and round(degrees_between(first, second)) == size:
                angles.append(Angle(*points, colour))
                break
        else:
            raise RuntimeError(f"no angle of {size} degrees fits {room}")
    name = f"the {colours[0]} angle" if count > 1 else "the angle"
    slack = 0.6 * tolerance
    margins = [Turn((a.first, a.vertex, a.second), a.degrees - slack, min(a.degrees + slack, 178.0)) for a in angles]
    scene = GeometryScene(angles=mixed(rng, angles), margins=tuple(margins))
    query = {"ask": "angle_size", "vertex": list(angles[0].vertex)} | ({"colour": colours[0]} if count > 1 else {})
    guess_rate = (2 * tolerance + 1) / (LARGEST - SMALLEST + 1)
    answer = Answer.decimal(sizes[0], tolerance)
    return posed(rng, SIZE, {"name": name, "tolerance": tolerance}, scene, answer, guess_rate, query)


LENGTH = (
    "What length is written at side {name}?",
    "Read the length of side {name}.",
    "Which number stands at side {name}?",
    "How long is side {name}, as written?",
)
CORNER = (
    "How many degrees are written at corner {name}?",
    "Read the angle written at corner {name}.",
    "Which number of degrees stands at corner {name}?",
    "How large is the angle at {name}, as written?",
)


def pose_measure(rng: np.random.Generator, level: int) -> Posed:
    """The number written at a side or at a corner of a polygon; all numbers are true to the drawing."""
    count, noted = NOTED[level], NOTED_ANGLES[level]
    about_angle = noted > 0 and bool(rng.integers(2))
    edge = round(units(level, 15, MEASURE_SIZES))
    for _ in range(MAX_TRIES):
        points = polygon(rng, count, rooms(rng, 1, edge)[0])
        scale = whole(rng, 6, 90) / 300
        ends = [(points[i], points[(i + 1) % count]) for i in range(count)]
        texts = [str(round(math.dist(*end) * scale)) for end in ends]
        corners = [Angle(points[i], points[i - 1], points[(i + 1) % count], INK, "", False) for i in range(count)]
        chosen = [corner._replace(note=str(round(corner.degrees))) for corner in mixed(rng, corners)[:noted]]
        notes = [Note(*end, text=text) for end, text in zip(ends, texts, strict=True)]
        names = letters(rng, count)
        marks = tuple(Mark(point, letter) for point, letter in zip(points, names, strict=True))
        shape = Shape("polygon", points, INK)
        scene = fitted(GeometryScene((shape,), marks, tuple(chosen), mixed(rng, notes)), level, MEASURE_SIZES)
        if scene is None:
            continue
        by_place = dict(zip(points, names, strict=True))
        if about_angle:
            name = by_place[chosen[0].vertex]
            query, answer = {"ask": "measure", "corner": name}, Answer.integer(int(chosen[0].note))
            return posed(rng, CORNER, {"name": name}, scene, answer, GUESS_NOTED, query)
        name = name_of(names[:2])
        query, answer = {"ask": "measure", "side": name}, Answer.integer(int(texts[0]))
        return posed(rng, LENGTH, {"name": name}, scene, answer, GUESS_NOTED, query)
    raise RuntimeError(f"no room for the numbers of {count} sides at level {level}")


GUESS_NOTED = 0.04  # of the commonest number, as measured
