"""Further questions about any picture of graphs: its axes, its curves, heights at nodes, points."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact
from engines.function.questions.levels import pick, whole
from engines.function.scene import LETTERS, Curve, FunctionScene, PanelsScene
from engines.style import COLOURS

EXACT = ("polynomial", "pieces", "hyperbola")  # families whose heights at nodes are rational


def facts(scene: FunctionScene | PanelsScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions, at least four."""
    if isinstance(scene, PanelsScene):
        return _of_panels(scene, rng)
    low, high = (scene.x_low, scene.y_low), (scene.x_high, scene.y_high)
    axis = whole(rng, 0, 1)
    found = [
        Fact(f"At which {'xy'[axis]} does the grid begin?", Answer.integer(low[axis])),
        Fact(f"At which {'xy'[axis]} does the grid end?", Answer.integer(high[axis])),
        Fact("How many graphs are drawn?", Answer.integer(len(scene.curves))),
    ]
    index = whole(rng, 0, len(scene.curves) - 1)
    curve = scene.curves[index]
    if scene.names or len(scene.curves) == 1:
        found.append(Fact(f"What colour is {scene.name(index)}?", Answer.word(curve.colour, COLOURS)))
    if curve.family in EXACT:
        found += _heights(rng, scene, curve, scene.name(index))
    if scene.points:
        point = pick(rng, scene.points)
        if point.x == int(point.x) and point.y == int(point.y):
            found.append(Fact(f"Where is point {point.letter}? Give (x, y).", Answer.pair(int(point.x), int(point.y))))
        found.append(Fact("How many labelled points are there?", Answer.integer(len(scene.points))))
    return tuple(found)


def _heights(rng: np.random.Generator, scene: FunctionScene, curve: Curve, name: str) -> list[Fact]:
    """The height at a node, if that is a node too."""
    for x in (rng.permutation(scene.x_high - scene.x_low - 1)[:4] + scene.x_low + 1).tolist():
        if curve.family == "hyperbola" and x == curve.numbers[1]:
            continue
        y = curve.at(x)
        if y == int(y) and scene.shows(x, y, 1):
            return [Fact(f"What is y at x = {x} on {name}?", Answer.integer(int(y)))]
    return []


def _of_panels(scene: PanelsScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """How many, what colour, how high on the y-axis."""
    index = whole(rng, 0, len(scene.curves) - 1)
    found = [
        Fact("How many graphs are there?", Answer.integer(len(scene.curves))),
        Fact(f"What colour is graph {LETTERS[index]}?", Answer.word(scene.curves[index].colour, COLOURS)),
        Fact("At which x does each grid end? A step is 1.", Answer.integer(scene.half)),
    ]
    for i, curve in enumerate(scene.curves):
        if curve.family in EXACT and (curve.family != "hyperbola" or curve.numbers[1]):
            y = curve.at(0)
            if y == int(y) and abs(y) <= scene.half:
                question = f"At which y does graph {LETTERS[i]} cross the y-axis? A step is 1."
                found.append(Fact(question, Answer.integer(int(y))))
    return tuple(found[:5])
