"""Posed questions of an engine for its tests, and samples of them that are not drawn, as oracles get them."""

import json
from typing import Any

from engines.base import Engine, Posed, Scene, make_rng
from engines.check.cell import Cell, Undrawn


def posed(engine: Engine, name: str, level: int, count: int = 12) -> list[Posed]:
    """The first questions of a type that this engine's tests ask at a level."""
    kind = next(kind for kind in engine.types if kind.name == name)
    return [kind.pose(make_rng(f"{engine.name} test", name, level, index), level) for index in range(count)]


def sample_of(engine: Engine, item: Posed, name: str, scene: Scene | None = None, **query: Any) -> Undrawn:
    """A sample as an oracle gets it, of another scene or query if given."""
    item, scene = item._replace(query=dict(item.query) | query), item.scene if scene is None else scene
    return Undrawn.of(engine, Cell(engine.name, name, 0, "train"), 0, item, json.dumps(scene.to_json()))
