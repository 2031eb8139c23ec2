"""Questions about what stands before what: how many things are partly hidden, and by which."""

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.scene.questions.place import COLOURS, TRIES, Yard, kinds, pick
from engines.scene.scene import Floor, Thing

COVERED = (2, 2, 2, 3, 3, 3, 4, 4, 4, 5)  # largest number of hidden things that is asked for
COUNTS = (4, 4, 5, 6, 6, 7, 8, 8, 9, 10)
OTHERS = (0, 0, 1, 1, 2, 2, 3, 3, 3, 3)  # pairs beside the one that is asked about

COUNT_COVERED = (
    "How many things are partly hidden by another thing?",
    "Count the things of which a part is hidden behind another thing.",
    "Of how many things does another thing hide a part?",
    "How many things stand partly behind another thing?",
)
HIDER = (
    "What colour is the thing that hides a part of the {it}?",
    "A thing hides a part of the {it}. What is its colour?",
    "The {it} stands partly behind another thing. Which colour is that?",
    "Name the colour of what covers a part of the {it}.",
)


def paired(rng: np.random.Generator, level: int, count: int, pairs: int, *, unlike: bool) -> list[Thing]:
    """Things of which so many things are partly hidden, each by one other thing, in disjoint pairs; the back first."""
    for _ in range(TRIES):
        yard, wanted = Yard(rng, level, count), kinds(rng, level, count, unlike=unlike)
        for pair in range(pairs):  # a small thing hides too little of a large one, and a large one too much
            wanted[2 * pair + 1] = wanted[2 * pair + 1]._replace(size=wanted[2 * pair].size)
        is_placed = all(
            yard.put(wanted[2 * pair]) and yard.put(wanted[2 * pair + 1], before=2 * pair) for pair in range(pairs)
        ) and all(yard.put(kind) for kind in wanted[2 * pairs :])
        if is_placed:
            return yard.things
    raise RuntimeError(f"no floor with {pairs} hidden things at level {level} in {TRIES} tries")


def pose_covered(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many things are partly hidden."""
    wanted = int(rng.integers(COVERED[level] + 1))
    things = paired(rng, level, COUNTS[level], wanted, unlike=False)
    scene = Floor(tuple(things[i] for i in rng.permutation(COUNTS[level]).tolist()))
    rate, query = 1 / (COVERED[level] + 1), {"ask": "covered"}
    return Posed(scene, pick(rng, COUNT_COVERED), Answer.integer(wanted), guess_rate=rate, query=query)


def pose_hider(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour of what hides a part of a thing; no two things have one colour."""
    count = min(COUNTS[level], len(COLOURS))
    things = paired(rng, level, count, min(1 + OTHERS[level], count // 2), unlike=True)
    back, front = things[:2]
    scene = Floor(tuple(things[i] for i in rng.permutation(count).tolist()))
    question = pick(rng, HIDER).format(it=f"{back.colour} {back.shape}")
    query = {"ask": "hider", "colour": back.colour}
    answer = Answer.word(front.colour, COLOURS)
    return Posed(scene, question, answer, guess_rate=1 / (len(COLOURS) - 1), query=query)
