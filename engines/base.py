"""What every engine shares: a sample and its name, question types, random keys, splits, levels.

A sample is a pure function of its name (engine, version, split, index, level, question type, size): the name is hashed
into a Philox key, so there is no global state and no seed arithmetic. Splits are kept apart twice: the split is part of
the key, and every *scene* belongs to exactly one split by the hash of its contents, so no scene is ever shared.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from engines.answer import Answer
from engines.marks import Drawing, Mark

SPLITS = ("train", "test_a", "test_b", "test_c", "test_d")
SPLIT_SHARES = (6, 1, 1, 1, 1)  # tenths of the scene space
MAX_DRAFTS = 2000  # scenes drawn for one name before the engine is called too narrow


class Scene(Protocol):
    """What there is in a picture, exactly. A frozen dataclass of ints, strings, fractions and tuples of them."""

    def to_json(self) -> dict[str, Any]:
        """What the picture shows, as JSON-ready data, and no more: scenes of one picture give equal data."""

    def describe(self) -> str:
        """The scene in plain words: whoever reads it can answer what depends on kinds, numbers and places of things.

        What depends on how they look beside each other, as which of two hides more, may need the picture.
        """

    def complexity(self) -> float:
        """How much there is to tell apart: the number of things that an onlooker must take in. Grows with the level."""


class Fact(NamedTuple):
    """A further verifiable question about the same picture."""

    question: str
    answer: Answer


class Posed(NamedTuple):
    """A scene, what is asked about it, and the answer as a pure function of the scene."""

    scene: Scene
    question: str
    answer: Answer
    facts: tuple[Fact, ...] = ()
    guess_rate: float = 0.0  # accuracy of the best blind guess
    query: Mapping[str, Any] = MappingProxyType({})  # the question as JSON-ready data, for oracles and statistics


class Style(NamedTuple):
    """How a picture looks; drawn per sample, never touches the answer."""

    theme: int  # index into the engine's themes; the last ones are held out for test_d
    rng_seed: int  # for free choices of the drawing (fonts, line widths)
    is_photographed: bool = False  # a photograph of it is to be taken: what carries the eye over a distance is drawn


@dataclass(frozen=True)
class QuestionType:
    """One kind of question. `pose(rng, level)` draws the answer first, then a scene that has it."""

    name: str
    pose: Callable[[np.random.Generator, int], Posed]
    min_size_px: tuple[int, ...] = (112,) * 10  # per level: smallest picture at which it is legible
    held_out: bool = False  # asked in test_d only


@dataclass(frozen=True)
class Engine:
    """A category of problems."""

    name: str
    version: int  # raise it when any sample changes
    types: tuple[QuestionType, ...]
    draw: Callable[[Scene, int, Style], Drawing]  # scene, size in px, style -> RGB picture of that size, with marks
    facts: Callable[[Scene, np.random.Generator], tuple[Fact, ...]] | None = None  # further questions, each answerable
    themes: int = 8  # looks, as many as `engines.style.THEMES`; the last `held_out_themes` are for test_d only
    held_out_themes: int = 1
    maps: Callable[[Scene, int, Style], dict[str, np.ndarray]] | None = None  # of the clean picture; see `engines.maps`


@dataclass(frozen=True)
class Sample:
    """A picture, a question about it, and its answer."""

    engine: str
    version: int
    question_type: str
    split: str
    index: int
    level: int
    size_px: int
    photographed: bool
    image: np.ndarray = field(repr=False)  # uint8 [H, W, 3], RGB
    question: str
    answer: Answer
    facts: tuple[Fact, ...]
    scene: dict[str, Any] = field(repr=False)
    scene_text: str = field(repr=False)
    query: dict[str, Any] = field(repr=False)
    marks: tuple[Mark, ...] = field(repr=False)  # where things stand in `image`
    guess_rate: float
    variant: int = 0  # of the question of this name, about another scene; see `engines.variants`


def make_rng(*name: object) -> np.random.Generator:
    """A Philox generator keyed by the 128-bit hash of a name; equal names give equal streams on every machine."""
    digest = hashlib.blake2b(json.dumps(name).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def scene_split(scene: Scene) -> str:
    """The split that owns a scene, by the hash of its contents."""
    data = json.dumps(scene.to_json(), sort_keys=True).encode()
    place = hashlib.blake2b(data, digest_size=8).digest()[0] % sum(SPLIT_SHARES)
    for split, share in zip(SPLITS, SPLIT_SHARES, strict=True):
        if place < share:
            return split
        place -= share
    raise AssertionError("shares cover every place")


def pose(engine: Engine, question_type: QuestionType, *, split: str, index: int, level: int) -> Posed:
    """The scene and question of a name: the first draft whose scene belongs to the split.

    Raises `RuntimeError` if the type has too few scenes for its split.
    """
    for draft in range(MAX_DRAFTS):
        rng = make_rng(engine.name, engine.version, question_type.name, split, index, level, draft)
        posed = question_type.pose(rng, level)
        if scene_split(posed.scene) == split:
            return posed
    raise RuntimeError(
        f"{engine.name}.{question_type.name} level {level}: no scene of split {split} in {MAX_DRAFTS} drafts"
    )
