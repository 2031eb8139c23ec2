"""Data engines: pictures with questions whose answers are exact by construction.

    sample = engines.sample("grid", split="train", index=17, level=3, size_px=224)
    sample.image, sample.question, sample.answer.text()
    engines.verify(completion, sample)

Splits: `train`; `test_a` clean and `test_b` photographed, both of trained types; `test_c` for levels above the trained
ones; `test_d` alternates held-out types in trained themes (even index) and trained types in a held-out theme (odd).
"""

import itertools
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from engines import ends

if sys.argv[:1] == ["-m"] and "engines." in sys.orig_argv[-len(sys.argv)]:
    # `python -m engines.…`: Python is looking for a program of ours, whose own imports take time.
    ends.listen()

import numpy as np

from engines.again import posed_again
from engines.answer import Answer
from engines.base import SPLITS, Engine, Posed, QuestionType, Sample, Style, make_rng, pose
from engines.chart import ENGINE as _CHART
from engines.cube import ENGINE as _CUBE
from engines.depth import ENGINE as _DEPTH
from engines.function import ENGINE as _FUNCTION
from engines.geometry import ENGINE as _GEOMETRY
from engines.grid import ENGINE as _GRID
from engines.logic import ENGINE as _LOGIC
from engines.measures import ENGINE as _MEASURES
from engines.panels import ENGINE as _PANELS
from engines.path import ENGINE as _PATH
from engines.photo import photograph
from engines.points import pointing
from engines.scene import ENGINE as _SCENE
from engines.solids import ENGINE as _SOLIDS
from engines.sudoku import ENGINE as _SUDOKU
from engines.tiles import ENGINE as _TILES
from engines.verify import verify as _verify_answer

__all__ = [
    "ENGINES",
    "MAIN",
    "Answer",
    "Sample",
    "candidates",
    "pointing",
    "sample",
    "style_of",
    "variants",
    "verify",
    "versions",
]

_MAIN = (_GRID, _CUBE, _CHART, _SUDOKU, _FUNCTION, _GEOMETRY)
_FURTHER = (_PATH, _SCENE, _LOGIC, _PANELS, _DEPTH, _TILES, _MEASURES, _SOLIDS)

# Those that are drawn where none are named: mixtures, data sets and gradings of these stay as they are.
MAIN: tuple[str, ...] = tuple(engine.name for engine in _MAIN)
ENGINES: dict[str, Engine] = {engine.name: engine for engine in (*_MAIN, *_FURTHER)}


def candidates(name: str, *, split: str, level: int, size_px: int) -> tuple[QuestionType, ...]:
    """The question types of an engine that a split may ask and that are legible at this level and size."""
    is_legible = [t for t in ENGINES[name].types if t.min_size_px[level] <= size_px]
    return tuple(t for t in is_legible if split == "test_d" or not t.held_out)


def sample(
    name: str,
    *,
    split: str,
    index: int,
    level: int,
    question_type: str | None = None,
    size_px: int = 448,
    photo: bool | None = None,
) -> Sample:
    """Make the sample of a name: equal arguments give equal bytes in every process.

    Args:
        name: category, a key of `ENGINES`.
        split: one of `engines.base.SPLITS`; it decides scenes, types, theme and (by default) the photograph stage.
        index: any whole number >= 0.
        level: difficulty 0..9.
        question_type: name of a type; by default one of `candidates`, chosen by the name of the sample.
        size_px: side of the picture; the scene does not depend on it, but which types can be chosen does where
            `question_type` is None.
        photo: whether the picture passes the photograph stage; by default in test_b only.

    Raises:
        ValueError: an argument is out of range, or no type (or not the given one) can be asked so.
    """
    _check(name, split, index, level)
    engine = ENGINES[name]
    kind = _question_type(engine, split, index, level, question_type, size_px)
    posed = pose(engine, kind, split=split, index=index, level=level)
    is_photo = split == "test_b" if photo is None else photo
    return _made(engine, kind, posed, _Name(split, index, level), size_px, is_photo)


def variants(of: Sample, count: int) -> tuple[Sample, ...]:
    """The same question program about so many fresh scenes of the sample's level and split, all different.

    Average and worst accuracy over them tell what a model can from what it has luck with. A compositional question is
    the same word for word, any other has names and numbers of its own; look, size and photograph stage are the
    sample's. Equal samples have equal variants, whose `variant` counts from 1; the first ones do not depend on `count`.

    Raises:
        ValueError: the sample is a variant itself, or of another version than its engine.
        RuntimeError: too few scenes have the question.
    """
    engine = ENGINES[of.engine]
    if of.variant or of.version != engine.version:
        what = f"variant {of.variant} of version {of.version}"
        raise ValueError(f"variants are drawn of a sample that is none, of version {engine.version}, got {what}")
    kind = next(kind for kind in engine.types if kind.name == of.question_type)
    place = {"split": of.split, "index": of.index, "level": of.level}
    asked = posed_again(engine, kind, pose(engine, kind, **place), **place)
    return tuple(
        _made(engine, kind, posed, _Name(**place, variant=number), of.size_px, of.photographed)
        for number, posed in itertools.islice(asked, count)
    )


class _Name(NamedTuple):
    """What a sample is called, beside its engine and question type."""

    split: str
    index: int
    level: int
    variant: int = 0


def _made(engine: Engine, kind: QuestionType, posed: Posed, name: _Name, size_px: int, is_photo: bool) -> Sample:
    """Draw what was posed, and put everything together."""
    key = _key(engine.name, engine.version, kind.name, name.split, name.index, name.level, name.variant)
    style = style_of(engine, kind, split=name.split, index=name.index, level=name.level)
    drawing = engine.draw(posed.scene, size_px, style._replace(is_photographed=is_photo))
    if is_photo:
        drawing = photograph(drawing, make_rng("photo", *key), name.level)
    facts = () if engine.facts is None else engine.facts(posed.scene, make_rng("facts", *key))
    return Sample(
        engine=engine.name,
        version=engine.version,
        question_type=kind.name,
        split=name.split,
        index=name.index,
        level=name.level,
        size_px=size_px,
        photographed=is_photo,
        image=np.array(drawing.image),
        question=posed.question,
        answer=posed.answer,
        facts=tuple(fact for fact in facts if fact.question != posed.question),
        scene=posed.scene.to_json(),
        scene_text=posed.scene.describe(),
        query=dict(posed.query),
        marks=drawing.marks,
        guess_rate=posed.guess_rate,
        variant=name.variant,
    )


def key_of(of: Sample) -> tuple[Any, ...]:
    """What keys the random streams of a sample beside its scene: its photograph's and its further questions'."""
    return _key(of.engine, of.version, of.question_type, of.split, of.index, of.level, of.variant)


def _key(*name: Any) -> tuple[Any, ...]:
    """A sample's name; the number of a variant, last, is left out where it is none."""
    return name if name[-1] else name[:-1]


def versions(named: Iterable[str] = ()) -> dict[str, int]:
    """Versions of the main engines and of those named beside them: whatever they draw follows from these."""
    wanted = {*MAIN, *named}
    return {name: engine.version for name, engine in ENGINES.items() if name in wanted}


def verify(text: str, target: Sample | Answer) -> bool:
    """Say whether a completion answers a sample (or is this answer) in the required form; see `engines.verify`."""
    return _verify_answer(text, target.answer if isinstance(target, Sample) else target)


def _check(name: str, split: str, index: int, level: int) -> None:
    if name not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if index < 0:
        raise ValueError(f"index must be >= 0, got {index}")
    if not 0 <= level <= 9:
        raise ValueError(f"level must be within 0..9, got {level}")


def _question_type(
    engine: Engine, split: str, index: int, level: int, wanted: str | None, size_px: int
) -> QuestionType:
    """The wanted type if it may be asked, or one chosen by the sample's name."""
    types = candidates(engine.name, split=split, level=level, size_px=size_px)
    if wanted is not None:
        found = next((t for t in types if t.name == wanted), None)
        if found is None:
            names = ", ".join(t.name for t in types) or "(none)"
            where = f"{engine.name} in {split} at level {level} and {size_px} px"
            raise ValueError(f"question_type must be one of {names} for {where}, got {wanted!r}")
        return found
    if split == "test_d":
        types = tuple(t for t in types if t.held_out == (index % 2 == 0))
    if not types:
        smallest = min(t.min_size_px[level] for t in engine.types)
        raise ValueError(f"size_px must be at least {smallest} for {engine.name} at level {level}, got {size_px}")
    rng = make_rng("type", engine.name, engine.version, split, index, level)
    return types[int(rng.integers(len(types)))]


def style_of(engine: Engine, kind: QuestionType, *, split: str, index: int, level: int) -> Style:
    """The look of a sample: held-out themes for the trained types of test_d, the others everywhere else."""
    rng = make_rng("style", engine.name, engine.version, kind.name, split, index, level)
    trained = engine.themes - engine.held_out_themes
    is_held_out = split == "test_d" and not kind.held_out
    theme = int(rng.integers(trained, engine.themes)) if is_held_out else int(rng.integers(trained))
    return Style(theme, int(rng.integers(2**31)))
