"""Solids of cubes glued face to face: their turns and mirror images, and what an onlooker sees of them."""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Solid = tuple[tuple[int, int, int], ...]  # (row, column, height) of its cubes, ascending, least of each 0
TOWARDS = np.array([1.0, 1.0, math.sqrt(2.0)])  # from any point to the onlooker
SAMPLES = 3  # points per edge of a face at which it is asked whether the face shows


@dataclass(frozen=True)
class SolidsScene:
    """A solid and lettered options (A, B, …), one of which is the same solid turned; as they stand in the picture."""

    model: Solid
    options: tuple[Solid, ...]
    colour: str

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        options = [[list(cube) for cube in option] for option in self.options]
        return {
            "kind": "solids",
            "model": [list(cube) for cube in self.model],
            "options": options,
            "colour": self.colour,
        }

    def describe(self) -> str:
        """The scene in words: where the cubes of every solid are."""
        lines = [
            f"Solids of {self.colour} cubes. Places are (to the lower left, to the lower right, up).",
            f"Model: {_places(self.model)}.",
        ]
        lines += [f"Option {chr(65 + place)}: {_places(option)}." for place, option in enumerate(self.options)]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cubes in all."""
        return len(self.model) + sum(map(len, self.options))


def _places(solid: Solid) -> str:
    return ", ".join(f"({row}, {column}, {height})" for row, column, height in solid)


def _rotations() -> np.ndarray:
    """The 24 turns of a cube, int [24, 3, 3]."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            turn = np.zeros((3, 3), int)
            turn[range(3), order] = signs
            if round(np.linalg.det(turn)) == 1:
                found.append(turn)
    return np.stack(found)


ROTATIONS = _rotations()


def mirrored(solid: Solid) -> Solid:
    """The mirror image, rows and columns exchanged."""
    return tuple(sorted((column, row, height) for row, column, height in solid))


@functools.lru_cache(maxsize=4096)
def turns(solid: Solid) -> tuple[Solid, ...]:
    """The different solids that turning gives, ascending; equal for all of them, so the first one names the shape."""
    turned = np.array(solid) @ ROTATIONS.transpose(0, 2, 1)
    turned -= turned.min(1, keepdims=True)
    return tuple(sorted({tuple(sorted(map(tuple, one))) for one in turned.tolist()}))


@functools.lru_cache(maxsize=4096)
def clear_turns(solid: Solid, share: float) -> tuple[Solid, ...]:
    """The turns of a solid, named by the first of them, in which every cube shows this share of a face."""
    return tuple(turn for turn in turns(solid) if cube_shares(turn).min() >= share)


def cube_shares(solid: Solid) -> np.ndarray:
    """Largest visible share of a face of each cube, float [n], in steps of 1 / SAMPLES^2.

    From points on the near faces of each cube a ray goes to the onlooker; it is blocked if it enters another cube.
    """
    cubes = np.array(solid, float)
    starts = cubes[:, None, None] + _face_points()  # [cubes, 3, points, 3]
    enter = (cubes - starts[..., None, :]) / TOWARDS  # ray parameter at which each slab of each cube begins
    near, far = enter.max(-1), (enter + 1 / TOWARDS).min(-1)
    blocked = (far - np.maximum(near, 0) > 1e-6).any(-1)
    return 1 - blocked.mean(-1).min(-1)


@functools.cache
def _face_points() -> np.ndarray:
    """Points on the faces towards +row, +column and +height of a cube, float [3, SAMPLES^2, 3]."""
    along = (np.arange(SAMPLES) + 0.5) / SAMPLES
    first, second = (axis.ravel() for axis in np.meshgrid(along, along * 0.98 + 0.007))
    ones = np.ones_like(first)
    faces = [(ones, first, second), (first, ones, second), (first, second, ones)]
    return np.stack([np.stack(face, -1) for face in faces])
