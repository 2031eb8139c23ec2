"""Function graphs moved, mirrored and recoloured: the answer changes as predicted.

Second opinions read the changed scene; what they find is compared with what the change should do to the gold answer.
"""

import dataclasses
import itertools

import numpy as np
import pytest

from engines.function.scene import Curve, FunctionScene, Point
from engines.style import COLOURS
from tests.engines.test_function import TYPES, opinion, posed

LEVELS = (1, 4, 7, 9)


def _polynomial(numbers: tuple, shift: int, flip: int) -> tuple:
    """Coefficients of p(flip (x - shift)), by Horner's rule."""
    result: list = [0]
    for number in reversed(numbers):
        scaled = [flip * part for part in result]
        result = [a - shift * b for a, b in zip([0, *scaled], [*scaled, 0], strict=True)]
        result[0] += number
    return tuple(result[: len(numbers)])


def moved(curve: Curve, dx: int = 0, dy: int = 0, fx: int = 1, fy: int = 1) -> Curve:
    """A curve mirrored in the y-axis (fx -1) or the x-axis (fy -1), then shifted."""
    numbers, family = curve.numbers, curve.family
    if family == "polynomial":
        a, *rest = (fy * number for number in _polynomial(numbers, dx, fx))
        new = (a + dy, *rest)
    elif family == "pieces":
        new = tuple(itertools.chain(*sorted((fx * x + dx, fy * y + dy) for x, y in curve.corners)))
    elif family == "branches":
        parts = [(fx * a + dx, fy * b + dy, fx * c + dx, fy * d + dy, s, t) for a, b, c, d, s, t in curve.branches]
        parts = sorted(parts if fx > 0 else [(c, d, a, b, t, s) for a, b, c, d, s, t in parts])
        new = tuple(itertools.chain(*parts))
    elif family == "sine":
        size, half, start, middle = numbers
        new = (fx * fy * size, half, fx * start + dx, fy * middle + dy)
    elif family == "exponential":
        factor, base, shift, level = numbers
        new = (fy * factor, base if fx > 0 else 1 / base, fx * shift + dx, fy * level + dy)
    elif family == "hyperbola":
        factor, pole, level = numbers
        new = (fx * fy * factor, fx * pole + dx, fy * level + dy)
    elif family == "ellipse":
        x, y, across, up = numbers
        new = (fx * x + dx, fy * y + dy, across, up)
    else:
        x, y, bend = numbers
        new = (fx * x + dx, fy * y + dy, fx * bend)
    return dataclasses.replace(curve, numbers=new)


def moved_scene(scene: FunctionScene, dx: int = 0, dy: int = 0, fx: int = 1, fy: int = 1) -> FunctionScene:
    xs = sorted(fx * x + dx for x in (scene.x_low, scene.x_high))
    ys = sorted(fy * y + dy for y in (scene.y_low, scene.y_high))
    return dataclasses.replace(
        scene,
        x_low=xs[0],
        x_high=xs[1],
        y_low=ys[0],
        y_high=ys[1],
        curves=tuple(moved(curve, dx, dy, fx, fy) for curve in scene.curves),
        points=tuple(Point(letter, fx * x + dx, fy * y + dy) for letter, x, y in scene.points),
    )


def listed(values) -> str:
    return ", ".join(map(str, values)) or "none"


def test_moving_a_curve_moves_its_heights():
    for name in ("value", "turns", "jumps", "asymptote"):
        for item in posed(name, 9, 6):
            for curve in item.scene.curves:
                for dx, dy, fx, fy in ((3, -2, 1, 1), (0, 0, -1, 1), (1, 2, -1, -1)):
                    xs = np.linspace(item.scene.x_low, item.scene.x_high, 50)[1:-1] + 0.003
                    after = moved(curve, dx, dy, fx, fy).heights(fx * xs + dx)
                    assert after == pytest.approx(fy * curve.heights(xs) + dy, rel=1e-6, nan_ok=True), curve.family


# type -> (scene and query changes, gold -> new gold)
SHIFTS = {
    "value": lambda v, q, dx, dy: ({"x": q["x"] + dx}, f"{float(v) + dy:g}"),
    "meetings": lambda v, q, dx, dy: ({}, str(v)),
    "intersections": lambda v, q, dx, dy: ({}, listed(x + dx for x in v)),
    "solve": lambda v, q, dx, dy: ({"y": q["y"] + dy}, listed(x + dx for x in v)),
    "vertex": lambda v, q, dx, dy: ({}, f"({v[0] + dx}, {v[1] + dy})"),
    "turns": lambda v, q, dx, dy: ({}, str(v)),
    "monotone": lambda v, q, dx, dy: ({}, listed(x + dx for x in v)),
    "slope": lambda v, q, dx, dy: ({}, str(v)),
    "steepest": lambda v, q, dx, dy: ({}, v),
    "above": lambda v, q, dx, dy: ({}, listed(v)),
    "period": lambda v, q, dx, dy: ({}, str(v)),
    "asymptote": lambda v, q, dx, dy: ({}, str(v + (dx if q["axis"] == "x" else dy))),
    "jump_value": lambda v, q, dx, dy: ({"x": q["x"] + dx}, str(v + dy)),
    "limit": lambda v, q, dx, dy: ({"x": q["x"] + dx}, str(v + dy)),
    "jumps": lambda v, q, dx, dy: ({}, str(v)),
    "domain": lambda v, q, dx, dy: ({}, listed(x + (dx if q["of"] == "domain" else dy) for x in v)),
}
WAYS = {"rising": "falling", "falling": "rising", "above": "below", "below": "above", "left": "right", "right": "left"}
MIRRORS = {  # in the y-axis
    "value": lambda v, q: ({"x": -q["x"]}, f"{float(v):g}"),
    "root": lambda v, q: ({}, str(-v)),
    "zeros": lambda v, q: ({}, listed(-x for x in v)),
    "axis_crossings": lambda v, q: ({}, str(v)),
    "slope": lambda v, q: ({}, str(-v)),
    "slope_sign": lambda v, q: (
        {"x": -q.get("x", 0.5)},
        {"positive": "negative", "negative": "positive", "zero": "zero"}[v],
    ),
    "monotone": lambda v, q: ({"kind": WAYS[q["kind"]]}, listed((-v[1], -v[0]))),
    "positive": lambda v, q: ({}, listed((-v[1], -v[0]))),
    "vertex": lambda v, q: ({}, f"({-v[0]}, {v[1]})"),
    "amplitude": lambda v, q: ({}, f"{float(v):g}"),
    "limit": lambda v, q: ({"x": -q["x"], "of": WAYS[q["of"]]}, str(v)),
    "jumps": lambda v, q: ({}, str(v)),
}
TURNS = {  # in the x-axis
    "zeros": lambda v, q: ({}, listed(v)),
    "axis_crossings": lambda v, q: ({}, str(v)),
    "positive": lambda v, q: ({"kind": WAYS[q["kind"]]}, listed(v)),
    "monotone": lambda v, q: ({"kind": WAYS[q["kind"]]}, listed(v)),
    "above": lambda v, q: ({"kind": WAYS[q["kind"]]}, listed(v)),
    "slope": lambda v, q: ({}, str(-v)),
    "turns": lambda v, q: ({}, str(v)),
    "steepest": lambda v, q: ({}, v),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_shifting_the_picture_shifts_the_answer(name):
    for level in LEVELS:
        for item in posed(name, level, 3):
            change, gold = SHIFTS[name](item.answer.value, item.query, 2, -3)
            found = opinion(name, item, scene=moved_scene(item.scene, 2, -3), query=dict(item.query) | change)
            assert dataclasses.replace(item.answer, value=parsed(item, gold)).accepts(found), (item.question, found)


@pytest.mark.parametrize("name", MIRRORS)
def test_mirroring_left_and_right(name):
    for level in LEVELS:
        for item in posed(name, level, 3):
            change, gold = MIRRORS[name](item.answer.value, item.query)
            found = opinion(name, item, scene=moved_scene(item.scene, fx=-1), query=dict(item.query) | change)
            assert dataclasses.replace(item.answer, value=parsed(item, gold)).accepts(found), (item.question, found)


@pytest.mark.parametrize("name", TURNS)
def test_turning_upside_down(name):
    for level in LEVELS:
        for item in posed(name, level, 3):
            change, gold = TURNS[name](item.answer.value, item.query)
            found = opinion(name, item, scene=moved_scene(item.scene, fy=-1), query=dict(item.query) | change)
            assert dataclasses.replace(item.answer, value=parsed(item, gold)).accepts(found), (item.question, found)


def parsed(item, text: str):
    """A text as a value of the answer's kind."""
    from engines.answer import parse

    value = parse(text, item.answer)
    assert value is not None, text
    return value


def test_recolouring_changes_no_answer():
    for name in ("value", "meetings", "zeros", "turns"):
        for item in posed(name, 7, 4):
            others = [COLOURS[(COLOURS.index(curve.colour) + 1) % 10] for curve in item.scene.curves]
            table = dict(zip((curve.colour for curve in item.scene.curves), others, strict=True))
            scene = dataclasses.replace(
                item.scene,
                names=(),
                curves=tuple(dataclasses.replace(curve, colour=table[curve.colour]) for curve in item.scene.curves),
            )
            query = dict(item.query)
            query |= {"curve": table[query["curve"]]} if "curve" in query else {}
            query |= {"curves": [table[colour] for colour in query["curves"]]} if "curves" in query else {}
            asked = item._replace(question=" ".join(table.values()))
            assert item.answer.accepts(opinion(name, asked, scene=scene, query=query)), item.question


def test_a_wrong_scene_gives_another_answer():
    """The second opinions read the scene: moving the curve alone changes what they find."""
    for name in ("zeros", "intersections", "vertex", "domain"):
        changed = 0
        for item in posed(name, 4, 6):
            curves = (moved(item.scene.curves[0], 1, 0), *item.scene.curves[1:])
            scene = dataclasses.replace(item.scene, curves=curves)
            try:
                changed += not item.answer.accepts(opinion(name, item, scene=scene))
            except ValueError:
                changed += 1
        assert changed >= 2, name
    assert set(SHIFTS) | set(MIRRORS) | set(TURNS) <= set(TYPES)
