"""Questions about whole things: which stands nearest to the viewer, and which farthest."""

from collections.abc import Callable

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.depth.questions.place import COLOURS, GAPS, LIFT, TRIES, pick, unmarked
from engines.depth.scene import Body
from engines.relief import FLAT

COUNTS = (3, 3, 4, 4, 5, 5, 6, 6, 7, 7)  # of things, each of a colour of its own

NEAREST = (
    "What colour is the thing that stands nearest to you?",
    "Which thing is closest to the viewer? Name its colour.",
    "Give the colour of the thing that is nearest to you.",
    "Of all things on the floor, which is closest to you? Say its colour.",
)
FARTHEST = (
    "What colour is the thing that stands farthest from you?",
    "Which thing is farthest from the viewer? Name its colour.",
    "Give the colour of the thing that is farthest away from you.",
    "Of all things on the floor, which is farthest from you? Say its colour.",
)
# Where a thing is: by the middle of its foot, by its near side, by how near it comes to the eye.
MEASURES: tuple[Callable[[Body], float], ...] = (
    lambda body: body.y,
    lambda body: body.y + FLAT * body.radius,
    lambda body: body.y + FLAT * body.radius + LIFT * body.height,
)


def pose_nearest(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour of the nearest thing."""
    return _posed(rng, level, "nearest_thing", NEAREST, 1)


def pose_farthest(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour of the farthest thing."""
    return _posed(rng, level, "farthest_thing", FARTHEST, -1)


def _posed(rng: np.random.Generator, level: int, ask: str, phrasings: tuple[str, ...], sign: int) -> Posed:
    """Ask for the thing that comes first in one direction, wherever one measures."""
    for _ in range(TRIES):
        colours = [COLOURS[i] for i in rng.permutation(len(COLOURS))[: COUNTS[level]].tolist()]
        scene = unmarked(rng, level, colours, COUNTS[level])
        if found := _first(scene.bodies, sign, GAPS[level]):
            answer = Answer.word(found.colour, COLOURS)
            return Posed(scene, pick(rng, phrasings), answer, guess_rate=1 / len(COLOURS), query={"ask": ask})
    raise RuntimeError(f"no hall with a {ask} at level {level} in {TRIES} tries")


def _first(bodies: tuple[Body, ...], sign: int, gap: int) -> Body | None:
    """The thing that is nearer than all others by the gap, or with sign -1 farther; nothing if measures disagree."""
    found = set()
    for measure in MEASURES:
        first, second = sorted(bodies, key=measure, reverse=sign > 0)[:2]
        if sign * (measure(first) - measure(second)) < gap:
            return None
        found.add(first)
    return found.pop() if len(found) == 1 else None
