"""The block that both towers are made of, and its parts: LayerNorm, attention with or without a causal mask, MLP.

Norms and the activation are float32 inside, whatever the input's dtype, and rounded once, as in `model/layers.py`,
whose linear maps and stacks these are.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from perc_jax.batch import Array
from perc_jax.config import ClipTowerConfig
from perc_jax.model.layers import Linear

EPS = 1e-5  # of every norm of every published model
STEEPNESS = 1.702  # of the sigmoid that stands for the normal distribution


class LayerNorm(nnx.Module):
    """Subtract the mean over the last axis, divide by the standard deviation, scale and shift."""

    def __init__(self, width: int):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))

    def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "... D"]:
        """Normalise the last axis."""
        wide = x.astype(jnp.float32)
        wide = wide - jnp.mean(wide, axis=-1, keepdims=True)
        wide = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + EPS)
        return (wide * self.scale[...].astype(jnp.float32) + self.bias[...].astype(jnp.float32)).astype(x.dtype)


def quick_gelu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """x * sigmoid(1.702 x): OpenAI's stand-in for GELU, up to 0.02 away from it."""
    wide = x.astype(jnp.float32)
    return (wide * jax.nn.sigmoid(STEEPNESS * wide)).astype(x.dtype)


class Attention(nnx.Module):
    """Multi-head attention; in texts each token sees itself and those before it."""

    def __init__(self, config: ClipTowerConfig, rngs: nnx.Rngs, *, causal: bool):
        width = config.width
        self.query = Linear(width, width, bias=True, rngs=rngs)
        self.key = Linear(width, width, bias=True, rngs=rngs)
        self.value = Linear(width, width, bias=True, rngs=rngs)
        self.output = Linear(width, width, bias=True, rngs=rngs)
        self.heads, self.causal = config.heads, causal

    def __call__(self, x: Float[Array, "n T D"]) -> Float[Array, "n T D"]:
        """Attend; scores are scaled by the root of a head's width."""
        heads = (*x.shape[:2], self.heads, x.shape[2] // self.heads)
        q, k, v = (part(x).reshape(heads) for part in (self.query, self.key, self.value))
        return self.output(jax.nn.dot_product_attention(q, k, v, is_causal=self.causal).reshape(x.shape))


class Block(nnx.Module):
    """Pre-norm attention and MLP, each added to its input."""

    def __init__(self, config: ClipTowerConfig, rngs: nnx.Rngs, *, causal: bool):
        self.norm1, self.norm2 = LayerNorm(config.width), LayerNorm(config.width)
        self.attention = Attention(config, rngs, causal=causal)
        self.hidden = Linear(config.width, config.hidden, bias=True, rngs=rngs)
        self.output = Linear(config.hidden, config.width, bias=True, rngs=rngs)

    def __call__(self, x: Float[Array, "n T D"]) -> Float[Array, "n T D"]:
        """Apply the block."""
        x = x + self.attention(self.norm1(x))
        return x + self.output(quick_gelu(self.hidden(self.norm2(x))))
