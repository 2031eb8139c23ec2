"""Questions about figures whose angles and lengths follow by theorem: triangles, circles, right angles, parallels."""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.measures.questions.pick import pick
from engines.measures.scene.figure import Figure
from engines.measures.scene.forms import FORMS

ANGLES = (
    *(("triangle",), ("triangle",), ("isosceles", "exterior"), ("exterior", "quadrilateral"), ("bend", "strip")),
    *(("bend", "strip"), ("split",), ("split",), ("ladder",), ("ladder",)),
)
CIRCLES = (
    *(("thales",), ("thales",), ("tangent", "spoke"), ("centre", "spoke"), ("centre", "cyclic")),
    *(("kite",), ("kite",), ("chord",), ("chord", "touch"), ("touch",)),
)
# How often the commonest answer is right, by level: measured.
ANGLE_GUESS = (0.03, 0.03, 0.03, 0.03, 0.035, 0.035, 0.045, 0.045, 0.11, 0.1)
CIRCLE_GUESS = (0.04, 0.04, 0.04, 0.03, 0.025, 0.03, 0.03, 0.04, 0.058, 0.08)
MIN_SIZE_PX = (112, 112, 112, 140, 140, 168, 224, 224, 252, 252)
LENGTHS_MIN_SIZE_PX = (112, 112, 112, 112, 112, 140, 140, 168, 168, 168)
LEAST, MOST = 28, 125  # degrees of an angle that is drawn
LONGEST = 41  # of a side of a right triangle
RIGHT = (("hypotenuse",),) * 2 + (("leg",),) * 3 + (("double",),) * 2 + (("stair",), ("stair",), ("stair",))
BEAM_FROM_LEVEL = 4  # from here on two lengths of a ray are not given one by one, or the bases are compared
PROPORTIONS = (2, 12)
TRIES = 400

NOTES = {
    "equal": "Sides with a stroke are equally long.",
    "parallel": "Lines with arrows are parallel.",
    "circle": "O is the centre of the circle.",
    "touch": "O is the centre; line AP touches the circle.",
}
ANGLE = (
    "How many degrees is the angle marked x?{0}",
    "Find the angle x in degrees.{0}",
    "What is x in degrees?{0}",
    "Work out the size of angle x in degrees.{0}",
)
LENGTH = (
    "How long is the side marked x?{0}",
    "Find the length x.{0}",
    "What is x, the length of one side?{0}",
    "Work out the length marked x.{0}",
)


def _note(form: str) -> str:
    """What has to be said of marks."""
    shape_words = FORMS[form].words
    if form in ("tangent", "touch"):
        return " " + NOTES["touch"]
    if "centre O" in shape_words:
        return " " + NOTES["circle"]
    if "equally long" in shape_words or "as long as" in shape_words:
        return " " + NOTES["equal"]
    return " " + NOTES["parallel"] if "parallel" in shape_words else ""


Case = tuple[tuple[int, ...], dict[str, int]]  # numbers of a form, and its angles in degrees by name
_Range = Callable[[np.random.Generator], int]


def _between(low: int, high: int) -> _Range:
    return lambda rng: int(rng.integers(low, high + 1))


# By form: how its numbers are drawn, and its named angles from them.
CASES: dict[str, tuple[tuple[_Range, ...], Callable[..., dict[str, int]]]] = {
    "triangle": ((_between(30, 100), _between(30, 100)), lambda b, c: {"ABC": b, "ACB": c, "BAC": 180 - b - c}),
    "isosceles": ((_between(30, 75),), lambda b: {"ABC": b, "ACB": b, "BAC": 180 - 2 * b}),
    "exterior": ((_between(30, 90), _between(40, 120)), lambda b, c: {"ABC": b, "BAC": 180 - b - c, "ACD": 180 - c}),
    "quadrilateral": (
        (_between(65, 125), _between(65, 125), _between(65, 125)),
        lambda a, b, d: {"BAD": a, "ABC": b, "ADC": d, "BCD": 360 - a - b - d},
    ),
    "bend": ((_between(28, 60), _between(28, 60)), lambda p, q: {"BAE": p, "DCE": q, "AEC": p + q}),
    "strip": ((_between(35, 75), _between(35, 75)), lambda b, c: {"BAD": b, "ACB": c, "BAC": 180 - b - c}),
    "split": ((_between(30, 55), _between(30, 75)), lambda b, c: {"ABC": b, "ACB": c, "CAD": 180 - 2 * b - c}),
    "ladder": ((_between(28, 38),), lambda b: {"ABC": b, "CAD": 180 - 4 * b}),
    "thales": ((_between(28, 62),), lambda a: {"BAC": a, "ABC": 90 - a}),
    "spoke": ((_between(28, 58),), lambda a: {"BAC": a, "BOC": 2 * a}),
    "centre": ((_between(30, 62), _between(-25, 25)), lambda g, _: {"AOB": 2 * g, "ACB": g}),
    "chord": ((_between(30, 60), _between(-25, 25)), lambda g, _: {"BAO": 90 - g, "ACB": g}),
    "cyclic": ((_between(60, 120), _between(-20, 20)), lambda b, _: {"ABC": b, "ADC": 180 - b}),
    "kite": ((_between(28, 60), _between(28, 60)), lambda p, q: {"BAC": p, "ACB": q, "ADC": p + q}),
    "tangent": ((_between(28, 58),), lambda p: {"APO": p, "AOP": 90 - p}),
    "touch": ((_between(14, 20),), lambda p: {"APO": 2 * p, "BAP": 45 - p, "BAO": 45 + p}),
}


def _angle_case(rng: np.random.Generator, form: str) -> tuple[tuple[int, ...], dict[str, int]] | None:
    ranges, angles = CASES[form]
    values = tuple(draw(rng) for draw in ranges)
    named = angles(*values)
    least = LEAST if form != "touch" else 16
    return (values, named) if all(least <= degrees <= 135 for degrees in named.values()) else None


def _pose_angle(rng: np.random.Generator, forms: tuple[str, ...], ask: str, rate: float) -> Posed:
    form = pick(rng, forms)
    for _ in range(TRIES):
        case = _angle_case(rng, form)
        if case is not None:
            break
    else:
        raise RuntimeError(f"no {form} with legible angles in {TRIES} tries")
    values, named = case
    names = list(named)
    asked = names[int(rng.integers(len(names)))]
    if form == "touch":
        asked = pick(rng, names[1:])
        names = ["APO", asked]
    labels = tuple((name, "x" if name == asked else str(named[name])) for name in names)
    scene = Figure(form, values, labels, int(rng.integers(-12, 13)), bool(rng.integers(2)))
    question = pick(rng, ANGLE).format(_note(form))
    query = {"ask": ask, "form": form}
    return Posed(scene, question, Answer.integer(named[asked]), guess_rate=rate, query=query)


def pose_angle(rng: np.random.Generator, level: int) -> Posed:
    """Ask for an angle of straight lines that follows from those written."""
    return _pose_angle(rng, ANGLES[level], "angle", ANGLE_GUESS[level])


def pose_circle(rng: np.random.Generator, level: int) -> Posed:
    """Ask for an angle in or at a circle."""
    return _pose_angle(rng, CIRCLES[level], "circle_angle", CIRCLE_GUESS[level])


@functools.cache
def triples() -> tuple[tuple[int, int, int], ...]:
    """Whole sides of right triangles, the legs in both orders, none much longer than the other."""
    return tuple(
        (a, b, math.isqrt(a * a + b * b))
        for a in range(3, LONGEST)
        for b in range(3, LONGEST)
        if math.isqrt(a * a + b * b) ** 2 == a * a + b * b <= LONGEST**2 and max(a, b) <= 2.5 * min(a, b)
    )


Labelled = tuple[str, tuple[int, ...], tuple[tuple[str, str], ...]]  # form, its numbers, what is written


@functools.cache
def right_cases(kind: str) -> dict[int, tuple[Labelled, ...]]:
    """Figures of a kind by the length that they ask for."""
    found: dict[int, list[Labelled]] = {}
    if kind in ("hypotenuse", "leg"):
        for a, b, c in triples():
            sides = {"AB": c, "BC": a, "CA": b}
            asked = "AB" if kind == "hypotenuse" else "BC"
            found.setdefault(sides[asked], []).append(("right", (a, b), _written(sides, asked)))
    elif kind == "double":
        for (p, h, c), (q, g, d) in itertools.product(triples(), repeat=2):
            if h == g and p != q and max(p, q) <= 2.5 * min(p, q):
                sides = {"AB": c, "BD": p, "CA": d, "DC": q}
                for asked in ("CA", "DC"):
                    found.setdefault(sides[asked], []).append(("double", (p, q, h), _written(sides, asked)))
    else:
        for a, b, c in triples():
            for d in range(3, LONGEST):
                e = math.isqrt(c * c + d * d)
                if e * e == c * c + d * d and e <= 60 and 0.4 * c <= d <= 2 * c:
                    sides = {"AB": a, "BC": b, "CD": d, "DA": e}
                    for asked in ("DA", "CD"):
                        found.setdefault(sides[asked], []).append(("stair", (a, b, d), _written(sides, asked)))
    return {length: tuple(cases) for length, cases in sorted(found.items())}


def _written(sides: dict[str, int], asked: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, "x" if name == asked else str(length)) for name, length in sides.items())


def pose_right(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a side of a right triangle, or of two that share one; every length is as likely."""
    cases = right_cases(pick(rng, RIGHT[level]))
    wanted = pick(rng, list(cases))
    form, values, labels = pick(rng, cases[wanted])
    scene = Figure(form, values, labels, int(rng.integers(-15, 16)), bool(rng.integers(2)))
    question = pick(rng, LENGTH).format(" Right angles are marked by a small square.")
    query = {"ask": "right", "form": form}
    return Posed(scene, question, Answer.integer(wanted), guess_rate=1 / len(cases), query=query)


@functools.cache
def beams() -> dict[int, tuple[Labelled, ...]]:
    """Rays that are cut by parallels, by the length that they ask for."""
    low, high = PROPORTIONS
    found: dict[int, list[Labelled]] = {x: [] for x in range(low, high + 1)}
    for a, b, c in itertools.product(range(low, high + 1), repeat=3):
        x, rest = divmod(c * b, a)
        if not rest and low <= x <= high and a != b and 0.5 <= c / a <= 2 and 0.35 <= a / (a + b) <= 0.75:
            sides = {"AD": a, "DB": b, "AE": c, "EC": x}
            found[x].append(("beam", (a, b, c, x), _written(sides, "EC")))
    return {x: tuple(cases) for x, cases in found.items()}


@functools.cache
def bases() -> dict[int, tuple[Labelled, ...]]:
    """Parallels between two rays, by the length of the longer one."""
    low, high = 4, 24
    found: dict[int, list[Labelled]] = {x: [] for x in range(low, high + 1)}
    for a, b, m in itertools.product(range(3, 13), range(2, 13), range(3, 15)):
        x, rest = divmod(m * (a + b), a)
        c = max(a, m) - 1
        is_shape = a + c > 1.25 * m and a + m > 1.25 * c and c + m > 1.25 * a
        if not rest and low <= x <= high and is_shape and 0.4 <= a / (a + b) <= 0.72:
            found[x].append(("base", (a, b, c, m), _written({"AD": a, "DB": b, "DE": m, "BC": x}, "BC")))
    return {x: tuple(cases) for x, cases in found.items() if cases}


def pose_parallel(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a length that parallels cut off, or for the length of one of them; every length is as likely."""
    cases = beams() if level < BEAM_FROM_LEVEL else bases()
    wanted = pick(rng, list(cases))
    form, values, labels = pick(rng, cases[wanted])
    if form == "beam":
        values = (*values, int(rng.integers(45, 76)))
    scene = Figure(form, values, labels, int(rng.integers(360)), bool(rng.integers(2)))
    question = pick(rng, LENGTH).format(_note(form))
    query = {"ask": "parallel", "form": form}
    return Posed(scene, question, Answer.integer(wanted), guess_rate=1 / len(cases), query=query)


def facts(scene: Figure, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: what is written, and how much is drawn."""
    numbers = [int(text) for _, text in scene.labels if text != "x"]
    found = [
        Fact("How many points have a letter?", Answer.integer(len(scene.letters()))),
        Fact("How many numbers are written in the figure?", Answer.integer(len(numbers))),
        Fact("Which is the largest number written in the figure?", Answer.integer(max(numbers))),
        Fact("What is the sum of all numbers written in the figure?", Answer.integer(sum(numbers))),
    ]
    name, text = pick(rng, [label for label in scene.labels if label[1] != "x"])
    what = f"angle {name}" if len(name) == 3 else f"line {name}"
    found.append(Fact(f"Which number is written at {what}?", Answer.integer(int(text))))
    return tuple(found)
