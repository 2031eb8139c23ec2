"""Encoder, codebook and decoder, and what they lose.

Dimension letters: n maps, M the side of a map in px, s codes along an edge (K = s² of a map), W the width of a code's
vector, C channels, V codes. Everything is float32. Every map is computed on its own, whatever else is in the batch.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int

from perc_jax.batch import Array
from perc_jax.config import CodebookConfig
from perc_jax.model.layers import Linear

Params = dict[str | int, Any]  # nested dicts of arrays; of a list's layers the numbers are the keys
CONTEXT = 3  # side of the convolutions that see neighbours


class Losses(NamedTuple):
    """What a batch of maps loses, and the codes that it took."""

    total: Float[Array, ""]
    reconstruction: Float[Array, ""]  # mean squared error of the restored maps, over `scale` squared
    codebook: Float[Array, ""]  # of the codes from what was encoded; moves the codes alone
    commitment: Float[Array, ""]  # the same distance, unweighted; moves the encoder alone
    codes: Int[Array, "n K"]


def nearest(states: Float[Array, "... W"], book: Float[Array, "V W"]) -> Int[Array, "..."]:
    """The code whose vector is nearest, int32; of equally near ones the first."""
    distances = jnp.sum(jnp.square(book), axis=1) - 2 * states @ book.T  # but for what all codes share
    return jnp.argmin(distances, axis=-1).astype(jnp.int32)


def _merged(x: Float[Array, "n H H C"], factor: int) -> Float[Array, "n h h D"]:
    """Cells of factor x factor places as one place each, row by row: D = factor² C."""
    count, side, width = len(x), x.shape[1] // factor, x.shape[3]
    cut = x.reshape(count, side, factor, side, factor, width).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(count, side, side, factor**2 * width)


def _spread(x: Float[Array, "n h h D"], factor: int) -> Float[Array, "n H H C"]:
    """The other way round."""
    count, side, width = len(x), x.shape[1], x.shape[3] // factor**2
    cut = x.reshape(count, side, side, factor, factor, width).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(count, side * factor, side * factor, width)


class Block(nnx.Module):
    """The paper's residual block: x + conv 1 x 1 (relu(conv size x size (relu(x)))), with zeros beyond the edges."""

    def __init__(self, channels: int, size: int, rngs: nnx.Rngs):
        self.hidden = nnx.Conv(channels, channels, (size, size), padding="SAME", rngs=rngs)
        self.output = Linear(channels, channels, bias=True, rngs=rngs)

    def __call__(self, x: Float[Array, "n H H C"]) -> Float[Array, "n H H C"]:
        """Apply the block."""
        return x + self.output(jax.nn.relu(self.hidden(jax.nn.relu(x))))


class Encoder(nnx.Module):
    """Maps to vectors on the grid of codes."""

    def __init__(self, config: CodebookConfig, rngs: nnx.Rngs):
        channels = config.channels
        self.enter = Linear(config.patch_px**2, channels, bias=True, rngs=rngs)
        self.halve = nnx.List(Linear(4 * channels, channels, bias=True, rngs=rngs) for _ in range(config.halvings))
        self.block = Block(channels, 1, rngs)
        self.leave = Linear(channels, config.width, bias=True, rngs=rngs)
        self.patch_px = config.patch_px

    def __call__(self, maps: Float[Array, "n M M"]) -> Float[Array, "n s s W"]:
        """Encode maps."""
        x = self.enter(_merged(maps[..., None], self.patch_px))
        for halve in self.halve:
            x = halve(_merged(jax.nn.relu(x), 2))
        return self.leave(jax.nn.relu(self.block(x)))


class Decoder(nnx.Module):
    """Vectors on the grid of codes to maps."""

    def __init__(self, config: CodebookConfig, rngs: nnx.Rngs):
        channels = config.channels
        self.enter = Linear(config.width, channels, bias=True, rngs=rngs)
        self.block = Block(channels, CONTEXT, rngs)
        self.double = nnx.List(Linear(channels, 4 * channels, bias=True, rngs=rngs) for _ in range(config.halvings))
        self.leave = Linear(channels, config.patch_px**2, bias=True, rngs=rngs)
        self.patch_px = config.patch_px

    def __call__(self, vectors: Float[Array, "n s s W"]) -> Float[Array, "n M M"]:
        """Decode maps."""
        x = self.block(self.enter(vectors))
        for double in self.double:
            x = _spread(double(jax.nn.relu(x)), 2)
        return _spread(self.leave(jax.nn.relu(x)), self.patch_px)[..., 0]


class Codec(nnx.Module):
    """Encoder, codebook, decoder. Made by `bind`; holds no state but parameters."""

    def __init__(self, config: CodebookConfig, rngs: nnx.Rngs):
        self.encoder, self.decoder = Encoder(config, rngs), Decoder(config, rngs)
        self.book = nnx.Param(nnx.initializers.normal(1.0)(rngs.params(), (config.codes, config.width)))
        # Measured, not learnt: whoever teaches sets them.
        self.mean, self.scale = nnx.Param(jnp.zeros((config.map_px, config.map_px))), nnx.Param(jnp.ones(()))
        self.side, self.weight = config.side, config.commitment

    def encode(self, maps: Float[Array, "n M M"]) -> Float[Array, "n s s W"]:
        """What the encoder says of maps."""
        return self.encoder(self._unusual(maps))

    def codes(self, maps: Float[Array, "n M M"]) -> Int[Array, "n K"]:
        """The codes of maps, row by row from the top left."""
        return nearest(self.encode(maps), self.book[...]).reshape(len(maps), -1)

    def restore(self, codes: Int[Array, "n K"]) -> Float[Array, "n M M"]:
        """The maps of codes; values are not held within bounds."""
        unusual = self.decoder(self.book[...][codes.reshape(len(codes), self.side, self.side)])
        return unusual * self.scale[...] + self.mean[...]

    def _unusual(self, maps: Float[Array, "n M M"]) -> Float[Array, "n M M"]:
        """How far maps are from the mean one, in the scale of such differences; no gradient moves the two."""
        mean, scale = jax.lax.stop_gradient((self.mean[...], self.scale[...]))
        return (maps - mean) / scale

    def loss(self, maps: Float[Array, "n M M"], *, free: bool = False) -> Losses:
        """Means over all numbers: mse(maps, restored) + mse(sg(states), codes) + commitment mse(states, sg(codes)).

        sg stops the gradient. The decoder's gradient passes from the codes to the states as if they were equal. Maps
        are compared in the scale in which the network knows them.

        `free`: the decoder is given the states themselves, and the total is the reconstruction's alone. What is taught
        so at first has states that say something when codes are set on them; else all may end in a single code.
        """
        wanted, still = self._unusual(maps), jax.lax.stop_gradient
        states = self.encoder(wanted)
        codes = nearest(still(states), still(self.book[...]))
        vectors = self.book[...][codes]
        restored = self.decoder(states if free else states + still(vectors - states))
        reconstruction, codebook, commitment = (
            jnp.mean(jnp.square(a - b))
            for a, b in ((wanted, restored), (still(states), vectors), (states, still(vectors)))
        )
        total = reconstruction if free else reconstruction + codebook + self.weight * commitment
        return Losses(total, reconstruction, codebook, commitment, codes.reshape(len(maps), -1))


def init_params(config: CodebookConfig, key: Array) -> Params:
    """Make fresh float32 parameters. Call it under `jax.jit`."""
    return nnx.to_pure_dict(nnx.state(Codec(config, nnx.Rngs(key)), nnx.Param))


def abstract_params(config: CodebookConfig) -> Params:
    """Shapes and dtypes of `init_params`, without making anything."""
    return jax.eval_shape(lambda: init_params(config, jax.random.key(0)))


def bind(config: CodebookConfig, params: Params) -> Codec:
    """Make the model around `params` (arrays or tracers)."""
    return nnx.merge(_graph(config), params)


@functools.lru_cache(maxsize=16)
def _graph(config: CodebookConfig) -> nnx.GraphDef:
    return nnx.graphdef(nnx.eval_shape(lambda: Codec(config, nnx.Rngs(0))))
