"""Device programs kept between starts, whole: a start that finds them neither traces nor lowers, which is most of what
a start of a tiny model costs. JAX's own cache keeps only what XLA makes of the lowered text.

For the harness of faults, whose starts are of one config: a program is known by its name, arguments and process.
"""

import functools
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable

from perc_jax.programs.blueprint import Blueprint
from tests import ROOT

SOURCES = ("perc_jax", "configs", "tests/short_run.py", "tests/run/starts.py")


@functools.cache
def sources() -> str:
    """A digest of what programs are made of: those of other sources are others."""
    found = hashlib.sha256(jax.__version__.encode())
    for name in SOURCES:
        for file in sorted((ROOT / name).rglob("*.py")) or [ROOT / name]:
            found.update(file.read_bytes())
    return found.hexdigest()[:16]


def keeping(compile: Callable[[Blueprint], jax.stages.Compiled], folder: Path) -> Callable[[Blueprint], Any]:
    """`Blueprint.compile` that looks into a folder first, and leaves there what it did not find."""

    def call(self: Blueprint) -> jax.stages.Compiled:
        file = folder / _name(self)
        if file.exists():
            trees = jax.tree.structure((tuple(self.arguments.values()), {})), jax.tree.structure(self.outputs)
            return serialize_executable.deserialize_and_load(file.read_bytes(), *trees)
        jax.config.update("jax_enable_compilation_cache", False)  # what XLA has read itself it writes without its code
        try:
            compiled = compile(self)
        finally:
            jax.config.update("jax_enable_compilation_cache", True)
        text, *_ = serialize_executable.serialize(compiled)
        part = file.with_suffix(f".{os.getpid()}")
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text)
        part.replace(file)
        return compiled

    return call


def _name(blueprint: Blueprint) -> str:
    leaves = [(leaf.shape, str(leaf.dtype), str(leaf.sharding)) for leaf in jax.tree.leaves(blueprint.arguments)]
    place = jax.process_index(), jax.process_count()
    return hashlib.sha256(pickle.dumps((blueprint.name, place, leaves))).hexdigest()[:24]
