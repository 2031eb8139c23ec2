"""Both towers and what they end in. Every picture and every text is computed on its own, whatever else is in the batch.

Dimension letters: n pictures or texts, T tokens, E the width of features, D of a tower, S the side of a picture in px.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int, UInt8

from perc_jax.batch import MEAN, STD, Array
from perc_jax.clip.layers import Block, LayerNorm
from perc_jax.config import ClipConfig
from perc_jax.config.clip import KEPT_POSITIONS
from perc_jax.model import layout
from perc_jax.model.layers import Linear, stack

Params = dict[str, Any]  # nested dicts of arrays; the '/'-joined path of a leaf is its name
LEAST_LENGTH = 1e-12  # of a feature: one of zeros has the cosine 0 with everything


def pixels(pictures: UInt8[Array, "n S S 3"]) -> Float[Array, "n S S 3"]:
    """The float32 values that stand for bytes: (byte / 255 - mean) / std of OpenAI's statistics, in one difference and
    one product; CLIP's processor rounds more often and is at most 5e-7 away."""
    mean, scale = 255 * np.array(MEAN), 1 / (255 * np.array(STD))
    return (pictures.astype(jnp.float32) - mean.astype(np.float32)) * scale.astype(np.float32)


def cosine(a: Float[Array, "*#n E"], b: Float[Array, "*#n E"]) -> Float[Array, "*#n"]:
    """The cosine of the angle between features that broadcast against each other, float32; no temperature."""
    a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    lengths = jnp.linalg.norm(a, axis=-1) * jnp.linalg.norm(b, axis=-1)
    return jnp.sum(a * b, axis=-1) / jnp.maximum(lengths, LEAST_LENGTH)


def _table(rngs: nnx.Rngs, *shape: int) -> nnx.Param:
    return nnx.Param(nnx.initializers.normal(shape[-1] ** -0.5)(rngs.params(), shape))


class VisionTower(nnx.Module):
    """Patches with a class token before them; the class token's last state is the picture."""

    def __init__(self, config: ClipConfig, rngs: nnx.Rngs):
        width = config.vision.width
        # The published convolution has stride = kernel, so it is one matrix product per patch.
        self.patch_embed = Linear(3 * config.patch_px**2, width, bias=False, rngs=rngs)
        self.class_embedding = _table(rngs, width)
        self.positions = _table(rngs, 1 + config.patches, width)
        self.pre_norm, self.post_norm = LayerNorm(width), LayerNorm(width)
        self.blocks = stack(config.vision.layers, lambda r: Block(config.vision, r, causal=False), rngs)
        self.projection = Linear(width, config.projection, bias=False, rngs=rngs)
        self.patch_px = config.patch_px

    def __call__(self, values: Float[Array, "n S S 3"]) -> Float[Array, "n E"]:
        """Encode pictures, in the dtype of their values."""
        count, side, size = len(values), values.shape[1] // self.patch_px, self.patch_px
        # patch row, pixel row, patch column, pixel column, channel
        cut = values.reshape(count, side, size, side, size, 3).transpose(0, 1, 3, 5, 2, 4)
        patches = self.patch_embed(cut.reshape(count, side**2, -1))
        first = jnp.broadcast_to(self.class_embedding[...].astype(values.dtype), (count, 1, patches.shape[2]))
        x = jnp.concatenate([first, patches], axis=1) + self.positions[...].astype(values.dtype)
        x = _through(self.blocks, self.pre_norm(x))
        return self.projection(self.post_norm(x[:, 0]))


class TextTower(nnx.Module):
    """Tokens under a causal mask; the state at the first end mark is the text."""

    def __init__(self, config: ClipConfig, rngs: nnx.Rngs):
        width = config.text.width
        self.embedding = _table(rngs, config.vocabulary, width)
        self.positions = _table(rngs, config.positions, width)
        self.blocks = stack(config.text.layers, lambda r: Block(config.text, r, causal=True), rngs)
        self.norm = LayerNorm(width)
        self.projection = Linear(width, config.projection, bias=False, rngs=rngs)
        self.has_long = config.long_positions > 0
        if self.has_long:
            self.long_first = _table(rngs, KEPT_POSITIONS, width)
            self.long_rest = _table(rngs, config.long_positions - KEPT_POSITIONS, width)
            self.long_projection = Linear(width, config.projection, bias=False, rngs=rngs)
        self.end = config.end

    def __call__(self, tokens: Int[Array, "n T"], dtype: jnp.dtype, *, long: bool) -> Float[Array, "n E"]:
        """Encode texts of at most as many tokens as the path has positions."""
        positions = self.positions[...]
        if long:
            positions = jnp.concatenate([self.long_first[...], self.long_rest[...]])
        length = tokens.shape[1]
        table = layout.weight(self.embedding[...].astype(dtype), None)
        x = layout.rows(table[tokens]) + positions[:length].astype(dtype)
        x = _through(self.blocks, x)
        end = jnp.argmax(tokens == self.end, axis=1)  # the first of them
        last = self.norm(jnp.take_along_axis(x, end[:, None, None], axis=1)[:, 0])
        return self.long_projection(last) if long else self.projection(last)


def _through(blocks: nnx.Module, x: Float[Array, "n T D"]) -> Float[Array, "n T D"]:
    """Apply stacked blocks one after the other."""
    return jax.lax.scan(lambda x, block: (block(x), None), x, blocks)[0]


class Clip(nnx.Module):
    """Both towers. Made by `bind`; holds no state but parameters."""

    def __init__(self, config: ClipConfig, rngs: nnx.Rngs):
        self.vision, self.text = VisionTower(config, rngs), TextTower(config, rngs)
        self.dtype = jnp.dtype(config.dtype)
        self.limits = {False: config.positions, True: config.long_positions}

    def pictures(self, pictures: UInt8[Array, "n S S 3"]) -> Float[Array, "n E"]:
        """Features of RGB pictures of the model's size."""
        return self.vision(pixels(pictures).astype(self.dtype))

    def texts(self, tokens: Int[Array, "n T"], *, long: bool | None = None) -> Float[Array, "n E"]:
        """Features of tokenised texts, on the long path if the model has one unless it is said otherwise.

        Each text has its begin mark, its end mark, and end marks as padding. Raises `ValueError` for more tokens than
        the path has positions.
        """
        long = self.text.has_long if long is None else long
        if not 0 < tokens.shape[1] <= self.limits[long]:
            path = "long" if long else "short"
            raise ValueError(f"tokens of a {path} text must be 1..{self.limits[long]}, got {tokens.shape[1]}")
        return self.text(tokens, self.dtype, long=long)


def init_params(config: ClipConfig, key: Array) -> Params:
    """Make fresh float32 parameters. Call it under `jax.jit`."""
    return nnx.to_pure_dict(nnx.state(Clip(config, nnx.Rngs(key)), nnx.Param))


def abstract_params(config: ClipConfig) -> Params:
    """Shapes and dtypes of `init_params`, without making anything."""
    return jax.eval_shape(lambda: init_params(config, jax.random.key(0)))


def bind(config: ClipConfig, params: Params) -> Clip:
    """Make the model around `params` (arrays or tracers)."""
    return nnx.merge(_graph(config), params)


@functools.lru_cache(maxsize=16)
def _graph(config: ClipConfig) -> nnx.GraphDef:
    return nnx.graphdef(nnx.eval_shape(lambda: Clip(config, nnx.Rngs(0))))
