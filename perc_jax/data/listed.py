"""Engines' questions that a model was asked, as a list to draw from: those it finds easy, medium or hard.

A line of `perc_jax.grade --source engines` names its scene, `split/engine/type/level/index`, and a scene is a pure
function of that name, of its engine's version and of the pictures' size. So a question that was graded can be drawn
again, and a mixture with a `difficulty` draws those alone: each once an epoch, in an order of the epoch's own.
"""

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import engines
from perc_jax.config import MixtureConfig
from perc_jax.data.order import place_in_list
from perc_jax.data.tables.graded import difficulty
from perc_jax.records import lines


class Named(NamedTuple):
    """A training scene without a photograph's traces."""

    engine: str
    question_type: str
    level: int
    index: int


@dataclass(frozen=True)
class Listed:
    """Scenes to draw from."""

    names: tuple[Named, ...]

    @functools.cached_property
    def fingerprint(self) -> str:
        """Digest of the names."""
        return hashlib.sha256(repr(self.names).encode()).hexdigest()[:16]

    def name(self, key: tuple[str | int, ...], count: int, draft: int) -> Named:
        """The scene of a count's draft; see `order.place_in_list`."""
        return self.names[place_in_list(key, self.fingerprint, len(self.names), count, draft)]


def scenes(size_px: int, named: Iterable[str] = ()) -> str:
    """Digest of what scenes of a name look like: versions of the main engines and of those named, size of pictures."""
    return hashlib.sha256(json.dumps([size_px, engines.versions(named)], sort_keys=True).encode()).hexdigest()[:16]


@functools.cache  # once in a process
def of_mixture(mixture: MixtureConfig, size_px: int) -> Listed:
    """The graded questions of a mixture's engines, levels and types that have its difficulty, by name.

    Raises `OSError` for a file that cannot be read, `ValueError` for one that is not of such scenes, or that has no
    question of that difficulty in the mixture.
    """
    head, records = lines.read(Path(mixture.grade).expanduser())
    if head.get("scenes") != scenes(size_px, {one.id.split("/")[1] for one in records.values() if "/" in one.id}):
        what = head.get("suite", "something else")
        raise ValueError(
            f"mixture.grade must be of engines' scenes as they are now at {size_px} px, {mixture.grade} is of {what}"
        )
    asked = [(_named(one.id), difficulty(one.correct)) for one in records.values() if one.responses]
    mine = [(name, found) for name, found in asked if _is_drawn(name, mixture)]
    names = tuple(sorted(name for name, found in mine if found == mixture.difficulty))
    if not names:
        raise ValueError(
            f"mixture.difficulty must be that of a question, {mixture.grade} has no {mixture.difficulty} one among "
            f"{len(mine)} of the mixture's engines, levels and types"
        )
    return Listed(names)


def _named(sample_id: str) -> Named:
    _, engine, question_type, level, index = sample_id.split("/")
    return Named(engine, question_type, int(level), int(index))


def _is_drawn(name: Named, mixture: MixtureConfig) -> bool:
    """Whether a mixture has a scene among those that it may draw."""
    wanted = [kind for kind in mixture.types if kind.startswith(f"{name.engine}.")]
    is_wanted = not wanted or f"{name.engine}.{name.question_type}" in wanted
    return name.engine in mixture.engines and name.level in mixture.levels and is_wanted
