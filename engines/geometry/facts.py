"""Further questions about any geometry picture: how many of what, which dot lies where."""

from collections.abc import Iterator

import numpy as np

from engines.answer import Answer
from engines.base import Fact
from engines.geometry.scene import INK, GeometryScene

CLEAR = 30  # units by which the first dot leads the second, where one is asked for
SIDES = (
    ("furthest to the left", 0, 1),
    ("furthest to the right", 0, -1),
    ("highest in the picture", 1, 1),
    ("lowest in the picture", 1, -1),
)


def facts(scene: GeometryScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Four to six questions that anyone who sees the picture can answer."""
    counts = list(_counts(scene))
    there = [count for count in counts if count[1]]
    absent = [count for count in counts if not count[1]]
    chosen = [there[i] for i in rng.permutation(len(there)).tolist()]
    chosen += [absent[i] for i in rng.permutation(len(absent)).tolist()]
    found = [Fact(f"How many {things} are there in the picture?", Answer.integer(n)) for things, n in chosen[:4]]
    return (*found, *_places(scene, int(rng.integers(len(SIDES)))))


def _counts(scene: GeometryScene) -> Iterator[tuple[str, int]]:
    kinds = [shape.kind for shape in scene.shapes]
    yield "circles", kinds.count("circle")
    if "segment" not in kinds and scene.lattice is None:  # lines close shapes of their own, and cut others
        yield "closed shapes with straight sides", kinds.count("polygon")
    yield "dots", len(scene.marks)
    yield "angles with an arc", len(scene.angles)
    if not any(mark.letter for mark in scene.marks):  # a letter at the end of a line is and is not the line's
        yield "lines with a letter", sum(bool(shape.letter) for shape in scene.shapes)
    yield "sides with tick marks", sum(bool(note.ticks) for note in scene.notes)
    for colour in sorted({shape.colour for shape in scene.shapes} - {INK}):
        yield f"{colour} lines, circles or shapes", sum(shape.colour == colour for shape in scene.shapes)


def _places(scene: GeometryScene, side: int) -> Iterator[Fact]:
    words, axis, sign = SIDES[side]
    lettered = sorted((mark.at[axis] * sign, mark.letter) for mark in scene.marks if mark.letter)
    if len(lettered) > 1 and lettered[1][0] - lettered[0][0] >= CLEAR:
        options = sorted(letter for _, letter in lettered)
        yield Fact(f"Which dot with a letter is {words}?", Answer.choice(lettered[0][1], options))
