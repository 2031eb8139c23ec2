"""Whether arrays hold numbers: a leaf with one NaN or infinity in it names itself.

Leaves go by their path, e.g. `params/text/embed/embedding`. The question is put to the devices where the leaves lie, by
one program for all of them, so nothing is copied to the host, and on several hosts all of them hear the same.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

CHUNK = 1 << 20  # elements of a host array that are looked at together


class Finite:
    """`first_bad(leaves)` for sets of leaves that `prepare` has compiled; for another set it compiles when asked."""

    def __init__(self):
        self._known: list[tuple[dict[str, Any], Any]] = []

    def prepare(self, leaves: Mapping[str, Any]) -> None:
        """Compile for leaves (arrays, or `jax.ShapeDtypeStruct` with shardings) of these shapes, dtypes and layouts."""
        self._program(_floating(leaves))

    def first_bad(self, leaves: Mapping[str, Any]) -> str | None:
        """The path of the first leaf that holds NaN or infinity; None if all are finite. All processes must ask."""
        floating = _floating(leaves)
        sound = jax.device_get(self._program(floating)(list(floating.values()))) if floating else ()
        return next((path for path, is_sound in zip(floating, sound, strict=True) if not is_sound), None)

    def _program(self, floating: dict[str, Any]) -> Any:
        for known, program in self._known:
            if known.keys() == floating.keys() and all(_alike(known[path], floating[path]) for path in known):
                return program
        abstract = {
            path: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
            for path, leaf in floating.items()
        }
        self._known.append((abstract, jax.jit(_all_finite).lower(list(abstract.values())).compile()))
        return self._known[-1][1]


def is_finite(array: np.ndarray) -> bool:
    """Whether a host array, of any size and float dtype, holds finite numbers only; needs little memory beside it."""
    flat = array.reshape(-1)
    return all(np.isfinite(flat[start : start + CHUNK]).all() for start in range(0, len(flat), CHUNK))


def _all_finite(leaves: list[jax.Array]) -> list[jax.Array]:
    return [jnp.isfinite(leaf).all() for leaf in leaves]


def _floating(leaves: Mapping[str, Any]) -> dict[str, Any]:
    return {path: leaf for path, leaf in leaves.items() if jnp.issubdtype(leaf.dtype, jnp.floating)}


def _alike(one: Any, other: Any) -> bool:
    same = one.shape == other.shape and one.dtype == other.dtype
    return same and one.sharding.is_equivalent_to(other.sharding, len(one.shape))
