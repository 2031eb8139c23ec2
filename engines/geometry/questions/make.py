"""What the families of questions share: wording, colours, letters, margins, and room for the letters."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Place
from engines.geometry.labels import arranged
from engines.geometry.layout import CLEAR_COLOURS, COLOURS, LETTERS, pick, some
from engines.geometry.scene import GeometryScene, Shape
from engines.marks import Apart

GAP_PX = 5.0  # at 448 px: what is beside a stroke, and not on it


def posed(
    rng: np.random.Generator,
    texts: Sequence[str],
    words: dict[str, Any],
    scene: GeometryScene,
    answer: Answer,
    guess_rate: float,
    query: dict[str, Any],
) -> Posed:
    """One of the phrasings, with its words, and the rest."""
    question = pick(rng, texts).format(**words)
    return Posed(scene, question, answer, guess_rate=guess_rate, query=query)


def clear_colours(rng: np.random.Generator, count: int) -> list[str]:
    """Different colours that a question can tell apart, or one of all colours if there is nothing to tell apart."""
    return some(rng, COLOURS[:CLEAR_COLOURS], count) if count > 1 else [pick(rng, COLOURS)]


def letters(rng: np.random.Generator, count: int) -> list[str]:
    """Different letters in random order."""
    return some(rng, LETTERS, count)


def mixed(rng: np.random.Generator, things: Sequence) -> tuple:
    """The same things in random order."""
    return tuple(some(rng, things, len(things)))


def subset(rng: np.random.Generator, most: int, out_of: int) -> int:
    """How many of some things shall qualify, all numbers from 1 to `most` equally likely."""
    return 1 + int(rng.integers(min(most, out_of)))


def name_of(pair: Sequence[str]) -> str:
    """The name of a segment by the letters of its ends, in the order of the alphabet."""
    return "".join(sorted(pair))


def listed(options: Sequence[str]) -> str:
    """Options in words: A, B or C."""
    return ", ".join(options[:-1]) + " or " + options[-1]


def beside(places: Sequence[Place], shapes: Sequence[Shape]) -> tuple[Apart, ...]:
    """Margins: each place is off each stroke."""
    return tuple(Apart(place, shape.nearest(place), GAP_PX) for place in places for shape in shapes)


def fitted(scene: GeometryScene, level: int, sizes: Sequence[int]) -> GeometryScene | None:
    """The scene with its letters placed for the smallest picture of the level, or None if they do not fit."""
    return arranged(scene, sizes[level])
