"""Questions that count things in a hall without marks; and further questions about any hall."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.depth.questions.place import COLOURS, LETTERS, pick, unmarked
from engines.depth.scene import SHAPES, Hall

MOST = (4, 5, 6, 7, 8, 9, 10, 11, 12, 12)  # largest number of things
OF_A_COLOUR = (3, 3, 4, 4, 5, 5, 6, 6, 7, 7)  # largest number of things of the colour that is asked for

THINGS = (
    "How many things are on the floor?",
    "Count the things on the floor.",
    "How many things are there in the picture?",
    "How many things do you see?",
)
COLOURED = (
    "How many {0} things are there?",
    "Count the {0} things.",
    "How many of the things are {0}?",
    "How many {0} things do you see?",
)


def pose_things(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many things there are."""
    most = MOST[level]
    count = 1 + int(rng.integers(most))
    scene = unmarked(rng, level, [pick(rng, COLOURS) for _ in range(count)], most)
    return Posed(scene, pick(rng, THINGS), Answer.integer(count), guess_rate=1 / most, query={"ask": "count_things"})


def pose_coloured(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many things have a colour."""
    most, lanes, colour = OF_A_COLOUR[level], MOST[level], pick(rng, COLOURS)
    count, others = int(rng.integers(most + 1)), [other for other in COLOURS if other != colour]
    rest = int(rng.integers(max(1, lanes // 2 - count), lanes - count + 1))  # at least one of another colour
    colours = [colour] * count + [pick(rng, others) for _ in range(rest)]
    scene = unmarked(rng, level, [colours[i] for i in rng.permutation(len(colours)).tolist()], lanes)
    question, query = pick(rng, COLOURED).format(colour), {"ask": "count_colour", "colour": colour}
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (most + 1), query=query)


def facts(scene: Hall, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many things there are, what stands at the sides, and what is marked."""
    bodies = sorted(scene.bodies, key=lambda body: body.x)
    found = [
        Fact("How many things are there?", Answer.integer(len(bodies))),
        Fact("How many points are marked?", Answer.integer(len(scene.points))),
    ]
    for shape in SHAPES:
        plural = "boxes" if shape == "box" else f"{shape}s"
        found.append(Fact(f"How many {plural} are there?", Answer.integer(sum(b.shape == shape for b in bodies))))
    if bodies:
        left, right = bodies[0], bodies[-1]
        found.append(Fact("What colour is the leftmost thing?", Answer.word(left.colour, COLOURS)))
        found.append(Fact("What form does the rightmost thing have?", Answer.word(right.shape, SHAPES)))
    if scene.points:
        leftmost = min(scene.points, key=lambda point: point.x).letter
        letters = LETTERS[: len(scene.points)]
        found.append(Fact("Which marked point is leftmost?", Answer.choice(leftmost, letters)))
    return tuple(found)
