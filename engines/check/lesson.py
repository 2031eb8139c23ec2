"""What a guesser learns from the questions of one type, without their pictures; see `engines.check.shortcut`."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

import engines
from engines.answer import Answer
from engines.base import pose
from engines.check.cell import MISTAKES
from engines.check.shortcut import learned

HELD = 3  # one question in so many is kept to measure the guesser by
LEAST = 300  # questions to learn from; fewer teach nothing


class Lesson(NamedTuple):
    """How often a taught guesser is right about other questions of a type, and how often it should be at most."""

    engine: str
    kind: str
    taught: int
    held: int
    right: float
    stated: float


def lesson_of(work: tuple[str, str, tuple[int, ...], int]) -> Lesson:
    """Pose questions of all levels, teach the guesser most of them, and ask it the others."""
    name, kind, levels, samples = work
    posed = list(_questions(name, kind, levels, samples))
    held = posed[::HELD]
    fit = [item for place, item in enumerate(posed) if place % HELD]
    if len(fit) < LEAST:
        return Lesson(name, kind, len(fit), 0, 0.0, 0.0)
    right = learned([item[:3] for item in fit], [item[:3] for item in held])
    return Lesson(name, kind, len(fit), len(held), right, float(np.mean([rate for *_, rate in held])))


def _questions(name: str, kind: str, levels: tuple[int, ...], samples: int) -> Iterator[tuple[str, int, Answer, float]]:
    """(question, level, answer, stated guess rate) of half as many more samples as are to be learned."""
    engine = engines.ENGINES[name]
    question_type = next(one for one in engine.types if one.name == kind)
    split = "test_d" if question_type.held_out else "train"
    for level in levels:
        for index in range(samples + samples // 2):
            try:
                posed = pose(engine, question_type, split=split, index=index, level=level)
            except MISTAKES:  # told by the cell
                continue
            yield posed.question, level, posed.answer, posed.guess_rate
