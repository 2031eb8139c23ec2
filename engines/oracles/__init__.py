"""Second opinions: one module per category that finds the answer again by another method than its engine.

`engines/oracles/<category>.py` holds `ORACLES`: question type -> function from a `Sample` to the answer as text. An
oracle reads the scene as JSON and the query, or the picture's own pixels, and nothing of `engines/<category>`; what it
needs beyond numpy and OpenCV (shapely, SymPy, or-tools: the `check` extra) it imports when it is called. Engines never
import oracles; `engines.check` and the tests do.
"""

import importlib.util
import pkgutil
from collections.abc import Callable, Mapping

from engines.base import Sample

Oracle = Callable[[Sample], str]


def oracles_of(category: str) -> Mapping[str, Oracle]:
    """The oracles of a category by question type; none if there is no module of that name."""
    name = f"{__name__}.{category}"
    if importlib.util.find_spec(name) is None:
        return {}
    return pkgutil.resolve_name(f"{name}:ORACLES")
