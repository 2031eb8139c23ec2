"""The pieces both towers are made of: linear maps, RMS norms, gated MLPs, rotary embeddings, stacks of blocks.

Parameters are float32 or bfloat16; every layer computes in the dtype of its input and casts its own weights to it.
Kernels are [inputs, outputs]. Norms, activations, products plus their bias, and rotary angles are float32 inside,
whatever the input's dtype, and rounded once (norms once more, after their scale, as published): in bfloat16, each
rounding more costs a part of the model's accuracy.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int

from perc_jax.batch import Array
from perc_jax.model import int8, layout, low_rank

# What the backward pass computes again instead of having stored it: nothing; whole blocks, of which only the inputs
# are stored; or all of a block but its matrix products with weights and its attention.
Remat = Literal["none", "block", "dots"]
ATTENTION = "attention"  # name under which attention offers its result, and the sums behind it, to be stored

VISION_EPS = 1e-6  # fixed in the vision tower; the language model reads its own from the config


# Cheap elementwise chains are recomputed in the backward pass: storing every intermediate of every scanned layer
# costs more time than computing it again, and several times the memory. (`prevent_cse` only matters outside scans.)
_recomputed = functools.partial(jax.checkpoint, prevent_cse=False)


@functools.partial(_recomputed, static_argnums=2)
def _rms_norm(x: Float[Array, "... D"], scale: Float[Array, "D"], eps: float) -> Float[Array, "... D"]:
    wide = x.astype(jnp.float32)
    wide = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + eps)
    return wide.astype(x.dtype) * scale.astype(x.dtype)


@_recomputed
def _gated(gate: Float[Array, "... F"], up: Float[Array, "... F"]) -> Float[Array, "... F"]:
    return (jax.nn.silu(gate.astype(jnp.float32)) * up.astype(jnp.float32)).astype(gate.dtype)


def _rounded_once(x: Float[Array, "n I"], kernel: Float[Array, "I O"], bias: Float[Array, "O"]) -> Float[Array, "n O"]:
    product = jnp.einsum("ni,io->no", x, kernel, preferred_element_type=jnp.float32)
    return (product + bias.astype(jnp.float32)).astype(x.dtype)


@jax.custom_vjp
def _affine(x: Float[Array, "n I"], kernel: Float[Array, "I O"], bias: Float[Array, "O"]) -> Float[Array, "n O"]:
    """x @ kernel + bias, rounded once. Its own gradient rule keeps float32 operands out of the backward products."""
    return _rounded_once(x, kernel, bias)


def _affine_forward(x: Array, kernel: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
    return _rounded_once(x, kernel, bias), (x, kernel)  # not `_affine`, whose product no policy of `Remat` would see


def _affine_backward(kept: tuple[Array, Array], gradient: Array) -> tuple[Array, Array, Array]:
    x, kernel = kept
    of_x, of_kernel = jnp.einsum("no,io->ni", gradient, kernel), jnp.einsum("ni,no->io", x, gradient)
    return of_x, of_kernel, gradient.sum(axis=0)


_affine.defvjp(_affine_forward, _affine_backward)


def _map(x: Float[Array, "n I"], kernel: Float[Array, "I O"], bias: Float[Array, "O"] | None) -> Float[Array, "n O"]:
    return x @ kernel if bias is None else _affine(x, kernel, bias)


class Linear(nnx.Module):
    """An affine map over the last axis: x @ kernel (+ bias). `split`: the side that several devices may share.

    `low_rank.add` gives it adapters, `int8.add` the scales of weights that are kept as int8.
    """

    lora_a = lora_b = kernel_scale = None

    def __init__(self, inputs: int, outputs: int, *, bias: bool, rngs: nnx.Rngs, split: layout.Split = None):
        # Scaled by the inputs, unlike the published constant 0.02: a model of small widths learns several times faster.
        self.kernel = nnx.Param(nnx.initializers.normal(inputs**-0.5)(rngs.params(), (inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None
        self.split = split

    def __call__(self, x: Float[Array, "... I"]) -> Float[Array, "... O"]:
        """Map the last axis, in the input's dtype."""
        # A plain matrix product: contracting several axes at once for the kernel's gradient costs XLA:CPU a transposed
        # copy, which doubles the backward pass.
        flat, bias = x.reshape(-1, x.shape[-1]), None if self.bias is None else self.bias[...].astype(x.dtype)
        if self.kernel_scale is not None:
            y = int8.apply(flat, layout.weight(self.kernel[...], self.split), self.kernel_scale[...], bias)
        elif self.lora_a is None:
            y = _map(flat, layout.weight(self.kernel[...].astype(x.dtype), self.split), bias)
        else:
            adapters = self.lora_a[...], self.lora_b[...]
            y = low_rank.apply(_map, self.scale, self.split, flat, self.kernel[...], bias, *adapters)
        return layout.rows(y.reshape(*x.shape[:-1], y.shape[-1]), split=self.split == "outputs")


class RMSNorm(nnx.Module):
    """Divide by the root mean square over the last axis (float32), round to the input's dtype, then scale."""

    def __init__(self, width: int, eps: float):
        self.scale = nnx.Param(jnp.ones(width))
        self.eps = eps

    def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "... D"]:
        """Normalise the last axis; the rounding before the scale is the published model's order."""
        return _rms_norm(x, self.scale[...], self.eps)


class GatedMLP(nnx.Module):
    """down(silu(gate(x)) * up(x)). The vision tower's three maps have biases, the language model's none."""

    def __init__(self, width: int, hidden: int, *, bias: bool, rngs: nnx.Rngs, split: bool = False):
        self.gate = Linear(width, hidden, bias=bias, rngs=rngs, split="outputs" if split else None)
        self.up = Linear(width, hidden, bias=bias, rngs=rngs, split="outputs" if split else None)
        self.down = Linear(hidden, width, bias=bias, rngs=rngs, split="inputs" if split else None)

    def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "... D"]:
        """Map each position on its own."""
        flat = x.reshape(-1, x.shape[-1])  # one array, which the backward pass of both maps reads
        return self.down(_gated(self.gate(flat), self.up(flat))).reshape(x.shape)


def recomputed(block: Callable[..., Any], remat: Remat) -> Callable[..., Any]:
    """The block, to be scanned over, with what the backward pass computes again."""
    if remat == "none":
        return block
    known = jax.checkpoint_policies
    dots = known.save_from_both_policies(known.dots_with_no_batch_dims_saveable, known.save_only_these_names(ATTENTION))
    policies = {"block": None, "dots": dots}
    return jax.checkpoint(block, policy=policies[remat])


def stack(layers: int, make: Callable[[nnx.Rngs], nnx.Module], rngs: nnx.Rngs) -> nnx.Module:
    """Make `layers` modules as one module whose every parameter has a leading [L] axis, for `jax.lax.scan`."""
    return nnx.vmap(lambda key: make(nnx.Rngs(key)))(jax.random.split(rngs.params(), layers))


def rotary_frequencies(width: int, theta: float) -> Float[Array, "half"]:
    """Angular step per position of each of the width / 2 rotated pairs: theta^(-2i / width), float32."""
    return 1.0 / theta ** (jnp.arange(0, width, 2, dtype=jnp.float32) / width)


def mrope_tables(
    positions: Int[Array, "P 3 T"], section: tuple[int, int, int], theta: float, dtype: jnp.dtype
) -> tuple[Float[Array, "P T half"], Float[Array, "P T half"]]:
    """Cosines and sines of the multimodal rotary embedding, whose pairs turn with time, height or width.

    Angles are float32; the tables are rounded to `dtype` and applied in it, as in the published model.
    Worked example: section (16, 24, 24) gives pairs 0..15 to time, 16..39 to height, 40..63 to width.
    """
    axis = jnp.repeat(jnp.arange(3), jnp.array(section), total_repeat_length=sum(section))
    chosen = jnp.swapaxes(positions, 1, 2)[..., axis].astype(jnp.float32)
    angles = chosen * rotary_frequencies(2 * sum(section), theta)
    return jnp.cos(angles).astype(dtype), jnp.sin(angles).astype(dtype)


def axial_tables(
    rowcol: Int[Array, "P N 2"], head_dim: int, theta: float = 10_000.0
) -> tuple[Float[Array, "P N half"], Float[Array, "P N half"]]:
    """Float32 cosines and sines of the vision tower: half of the pairs turn with the row, half with the column."""
    steps = rotary_frequencies(head_dim // 2, theta)
    angles = (rowcol.astype(jnp.float32)[..., None] * steps).reshape(*rowcol.shape[:-1], head_dim // 2)
    return jnp.cos(angles), jnp.sin(angles)


def rotate(
    x: Float[Array, "... heads hd"], cos: Float[Array, "... half"], sin: Float[Array, "... half"]
) -> Float[Array, "... heads hd"]:
    """Turn the pairs (i, i + half) of every head by the position's angles, in the dtype of x and tables combined."""
    first, second = jnp.split(x, 2, axis=-1)
    cos, sin = cos[..., None, :], sin[..., None, :]
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
