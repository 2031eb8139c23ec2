"""The same question program about other scenes: what `engines.variants` draws.

A compositional question is asked again word for word where it means something; of any other type a fresh scene with a
question of the same form is drawn, whose names and numbers are its own (DynaMath, arXiv 2411.00836).
"""

import json
from collections.abc import Iterator
from typing import Any

from engines.base import Engine, Posed, QuestionType, Scene, make_rng, pose, scene_split

MAX_TRIES = 4000  # scenes drawn for one variant before the question is called too rare
INDEX_BITS = 62


def posed_again(
    engine: Engine, kind: QuestionType, asked: Posed, *, split: str, index: int, level: int
) -> Iterator[tuple[int, Posed]]:
    """Endlessly the number of a variant, from 1, and what it asks; no scene comes twice, nor that of `asked`.

    Raises `RuntimeError` where too few scenes have the question.
    """
    program, seen, number = program_of(dict(asked.query)), {_written(asked.scene)}, 0
    while True:
        number += 1
        for attempt in range(MAX_TRIES):
            key = ("variant", engine.name, engine.version, kind.name, split, index, level, number, attempt)
            found = _another(engine, kind, asked, split, level, key)
            if found is None or program_of(dict(found.query)) != program or _written(found.scene) in seen:
                continue
            seen.add(_written(found.scene))
            yield number, found
            break
        else:
            name = f"{engine.name}.{kind.name} level {level}"
            raise RuntimeError(f"{name}: no further scene of {split} for {asked.question!r} in {MAX_TRIES} tries")


def _another(
    engine: Engine, kind: QuestionType, asked: Posed, split: str, level: int, key: tuple[Any, ...]
) -> Posed | None:
    """A scene of the split with a question of the type; of a composed one the same question, if it has an answer."""
    rng = make_rng(*key)
    if "program" not in asked.query:
        return pose(engine, kind, split=split, index=int(rng.integers(2**INDEX_BITS)), level=level)
    found = kind.pose.again(asked, rng, level)
    return found if found is not None and scene_split(found.scene) == split else None


def _written(scene: Scene) -> str:
    return json.dumps(scene.to_json(), sort_keys=True)


def program_of(query: dict[str, Any]) -> str:
    """The shape of a query: its JSON without the numbers and texts that say what is meant, not what is done.

    Under "program" stands a tree of lists (`engines.compose.program`), whose first two texts, operation and attribute,
    say what is done; elsewhere the keys of `DOES` tell, but for texts in capitals, which are labels of the picture, and
    of numbers those of `WHICH`. An empty text stays: nothing is meant there.
    """
    return json.dumps(_shape(query, ""), sort_keys=True)


DOES = {"ask", "attribute", "axis", "by", "end", "form", "kind", "line", "lines", "moves", "of", "op", "relation"}
DOES |= {"side", "what", "where", "word"}
WHICH = {"first", "part", "second", "sign"}  # up or down, or which of a box's five numbers


def _shape(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _node(inner) if name == "program" else _shape(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(inner, key) for inner in value]
    if isinstance(value, str):
        return value if not value or (key in DOES and not value.isupper()) else "*"
    return value if isinstance(value, bool) or value is None or key in WHICH else "*"


def _node(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return "*"
    return [part if place < 2 and isinstance(part, str) else _node(part) for place, part in enumerate(value)]
