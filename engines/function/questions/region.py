"""Questions about labelled points: which lie in a shaded region, which above or below a curve."""

import dataclasses
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.function.questions.curves import through
from engines.function.questions.levels import (
    BENDS,
    CLEAR_COLOURS,
    COLOURS,
    HALF,
    MAX_TRIES,
    pick,
    whole,
    window,
)
from engines.function.scene import LETTERS, Curve, FunctionScene, Point, line, parabola

POINTS = (3, 3, 3, 4, 4, 4, 4, 5, 5, 5)  # by level
APART = (2, 2, 2, 2, 3, 3, 2, 3, 2, 3)  # units between two points, the larger of across and up
OFF = 0.75  # units from the border of a region, measured along x, along y and at an angle
BORDERS = (1, 1, 1, 2, 2, 2, 2, 2, 3, 3)  # by level, at most
AROUND = tuple((OFF * np.cos(turn), OFF * np.sin(turn)) for turn in np.arange(8) * np.pi / 4)
SHARE = (0.15, 0.75)  # of the window that is shaded


def _region(rng: np.random.Generator, level: int, view: FunctionScene) -> FunctionScene:
    """A window with a shaded region: half-planes, strips, beside parabolas, inside ellipses, in any combination."""
    count = whole(rng, max(1, BORDERS[level] - 1), BORDERS[level])
    colours = [COLOURS[i] for i in rng.permutation(CLEAR_COLOURS)[:count].tolist()]
    curves, sides = [], []
    core = _node(rng, view)  # lies in the region
    for index, colour in enumerate(colours):
        kind = pick(rng, ("line", "line", "parabola", "ellipse") if level >= 2 and index == 0 else ("line", "parabola"))
        if kind == "ellipse":
            across, up = (
                whole(rng, 2, max(2, min(at - low, high - at)))
                for at, low, high in zip(core, (view.x_low, view.y_low), (view.x_high, view.y_high), strict=True)
            )
            curves.append(Curve("ellipse", (*core, across, up), colour))
            sides.append(-1)
            continue
        x, y = _node(rng, view)
        if kind == "line" or level == 0:
            slope = pick(rng, (0, Fraction(1, 2), 1, 2)) * pick(rng, (-1, 1))
            curve = line(slope, y - slope * x, colour)
        else:
            curve = parabola(x, y, pick(rng, BENDS[:2]) * pick(rng, (-1, 1)), colour)
        curves.append(curve)
        sides.append(1 if core[1] > curve.at(core[0]) else -1)
    return dataclasses.replace(view, curves=tuple(curves), shade=tuple(sides))


def _node(rng: np.random.Generator, view: FunctionScene) -> tuple[int, int]:
    """A node two units or more from the border."""
    return whole(rng, view.x_low + 2, view.x_high - 2), whole(rng, view.y_low + 2, view.y_high - 2)


def _is_in(scene: FunctionScene, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Whether places are in the region, bool like xs."""
    low, high = scene.band(xs)
    return (low < ys) & (ys < high)


def _sides(scene: FunctionScene, nodes: np.ndarray) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Nodes clearly inside and clearly outside the region, with room around them: nodes int [n, 2]."""
    spots = nodes[:, None, :] + np.array([(0.0, 0.0), *AROUND])
    flat = spots.reshape(-1, 2)
    inside = _is_in(scene, flat[:, 0], flat[:, 1]).reshape(spots.shape[:2])
    clear_of = np.ones(len(nodes), bool)
    for curve in scene.curves:  # also of a border outside the region
        if curve.family != "ellipse":
            above = (flat[:, 1] > curve.heights(flat[:, 0])).reshape(spots.shape[:2])
            clear_of &= above.all(1) | ~above.any(1)
    ins, outs = inside.all(1) & clear_of, ~inside.any(1) & clear_of
    return [tuple(node) for node in nodes[ins].tolist()], [tuple(node) for node in nodes[outs].tolist()]


def _spread(
    rng: np.random.Generator, level: int, groups: list[list[tuple[int, int]]], wanted: list[int]
) -> list[int] | None:
    """Positions in `groups` of the wanted groups, far enough apart; None if there is no room."""
    taken: list[tuple[int, int]] = []
    for group in wanted:
        nodes = groups[group]
        for index in rng.permutation(len(nodes))[:12].tolist():
            x, y = nodes[index]
            if all(max(abs(x - a), abs(y - b)) >= APART[level] for a, b in taken):
                taken.append((x, y))
                break
        else:
            return None
    return taken


def _nodes(view: FunctionScene) -> np.ndarray:
    """Nodes a unit or more from the border and not on an axis, int [n, 2]."""
    xs = np.arange(view.x_low + 1, view.x_high)
    ys = np.arange(view.y_low + 1, view.y_high)
    return np.stack(np.meshgrid(xs[xs != 0], ys[ys != 0]), -1).reshape(-1, 2)


def pose_region(rng: np.random.Generator, level: int) -> Posed:
    """Say which labelled points lie in the shaded region."""
    count = POINTS[level]
    wanted = rng.integers(0, 2, size=count).tolist()
    for _ in range(MAX_TRIES):
        scene = _region(rng, level, window(rng, level))
        groups = _sides(scene, _nodes(scene))[::-1]
        share = len(groups[1]) / max(1, len(groups[0]) + len(groups[1]))
        taken = _spread(rng, level, groups, wanted) if SHARE[0] < share < SHARE[1] else None
        if taken is not None:
            break
    else:
        raise RuntimeError(f"no region for {count} points at level {level}")
    points = tuple(Point(letter, *place) for letter, place in zip(LETTERS, taken, strict=False))
    scene = dataclasses.replace(scene, points=points)
    gold = [point.letter for point, is_in in zip(points, wanted, strict=True) if is_in]
    texts = (
        "Which labelled points lie in the shaded region? Answer none if there are none.",
        "List the labelled points in the shaded region, or none.",
        "Name every labelled point that is inside the shaded region, or answer none.",
        "Which letters mark points in the shaded region? Answer none if there are none.",
    )
    answer = Answer.set_of(gold, LETTERS[:count])
    return Posed(scene, pick(rng, texts), answer, guess_rate=1 / 2**count, query={"ask": "region"})


def pose_above(rng: np.random.Generator, level: int) -> Posed:
    """Say which labelled points lie above a curve, or below it."""
    count, side = POINTS[level], pick(rng, (1, -1))
    wanted = rng.integers(0, 2, size=count).tolist()
    colour = pick(rng, COLOURS)
    for _ in range(MAX_TRIES):
        view = window(rng, level)
        x, y = whole(rng, -HALF[level] // 3, HALF[level] // 3), whole(rng, -HALF[level] // 3, HALF[level] // 3)
        curve = through(rng, level, view, x, y, colour)
        if curve.family == "hyperbola":
            continue
        shaded = dataclasses.replace(view, curves=(curve,), shade=(side,))
        taken = _spread(rng, level, list(_sides(shaded, _nodes(view))[::-1]), wanted)
        if taken is not None:
            break
    else:
        raise RuntimeError(f"no curve for {count} points at level {level}")
    points = tuple(Point(letter, *place) for letter, place in zip(LETTERS, taken, strict=False))
    scene = dataclasses.replace(view, curves=(curve,), points=points)
    gold = [point.letter for point, is_in in zip(points, wanted, strict=True) if is_in]
    word = "above" if side > 0 else "below"
    texts = (
        f"Which labelled points lie {word} the graph? Answer none if there are none.",
        f"List the labelled points {word} the graph, or none.",
        f"Name every labelled point that is {word} the graph, or answer none.",
        f"Which letters mark points {word} the graph? Answer none if there are none.",
    )
    answer = Answer.set_of(gold, LETTERS[:count])
    query = {"ask": "above", "kind": word}
    return Posed(scene, pick(rng, texts), answer, guess_rate=1 / 2**count, query=query)
