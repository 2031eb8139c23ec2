"""Arrays that no update may hold, looked for in its compiled text: a row by a row, a batch's tokens by the vocabulary.

Scores of a whole row of T = S + W tokens, or of its W places for completions, would grow with the square of what is
trained on; logits of all tokens would be the largest array of all. Attention in blocks and the head in chunks never
make them, and whether the compiler did is seen here. Arrays within a fusion do not exist, and weights are no scores,
whatever their shapes.
"""

import math
from typing import NamedTuple

import jax

from perc_jax.plan import hlo
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.blueprints import Blueprints
from perc_jax.update.policy import CHUNK_BYTES

PADDING = 1 / 16  # of a row, that a kernel fills up at most


class Held(NamedTuple):
    """Bytes of the largest such array on one device; 0: there is none."""

    row_by_row: float
    tokens_by_vocabulary: float


def held(text: str, blueprint: Blueprint, blueprints: Blueprints) -> Held:
    """What the compiled text of an update's gradient holds of them."""
    config, tensor = blueprints.config, blueprints.mesh.shape["tensor"]
    given = blueprint.function.keywords
    width, (tokens, _) = given["width"], given["bucket"] or config.data.shapes[-1]
    row = tokens + width
    weights = {leaf.shape[-2:] for leaf in jax.tree.leaves(blueprints.params) if leaf.ndim > 1}
    sides = {side // part for shape in weights for side in shape for part in (1, tensor)}
    words = {config.model.text.vocab_size, config.model.text.vocab_size // tensor}
    positions = blueprint.arguments["rows"].shape[1] * width

    def is_weight(dims: tuple[int, ...]) -> bool:
        """Whether it has both sides of a weight, in whatever order a compiler put them beside the layers."""
        return any(all(dims.count(side) >= shape.count(side) for side in shape) for shape in weights)

    def is_square(dims: tuple[int, ...], size: float) -> bool:
        padded = [dim for dim in dims if row < dim <= row + row * PADDING and dim not in sides]
        return len(padded) + dims.count(width) + dims.count(row) > 1 and not is_weight(dims)

    def is_logits(dims: tuple[int, ...], size: float) -> bool:
        word = next((dim for dim in dims if dim in words), 0)
        return word > 0 and math.prod(dims) // word >= positions and size > CHUNK_BYTES and not is_weight(dims)

    return Held(hlo.largest(text, is_square), hlo.largest(text, is_logits))
