"""Weights that decoding reads as int8: half of bfloat16's bytes, which at few rows are most of what a token costs.

A kernel [inputs, outputs] becomes `round(W / scale)` with one float32 scale per output, its largest |W| / 127
(LLM.int8's vector-wise weights, arXiv 2208.07339, section 3.1): off by at most half a step. The product is taken with
the whole numbers, which every dtype of activations holds exactly, and scaled afterwards, so no second copy of a weight
is ever made. Only the maps of the language model's layers are kept so; embedding, head, norms and the vision tower keep
the model's dtype. A map whose weights are int8 has a parameter more, `kernel_scale`: the parameters themselves say so.

It changes what the sampler computes and not the trainer: what that costs is `mismatch/…` in the metrics, and each
token is weighted by how much likelier the trainer finds it (`LossConfig.sampler_weight`).
"""

import re
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int8

from perc_jax.batch import Array

WeightDtype = Literal["model", "int8"]
SCALE = "kernel_scale"
KERNELS = re.compile("^text/layers/.*/kernel$")
LEAST = 1e-20  # scale of an output whose weights are all 0


def rounded(kernel: Float[Array, "*L I O"]) -> tuple[Int8[Array, "*L I O"], Float[Array, "*L O"]]:
    """A kernel as int8 and the scale of each output."""
    wide = kernel.astype(jnp.float32)
    scale = jnp.maximum(jnp.max(jnp.abs(wide), axis=-2), LEAST) / 127
    return jnp.round(wide / scale[..., None, :]).astype(jnp.int8), scale


def shapes(params: dict, prefix: str = "") -> dict:
    """Parameters' shapes (`jax.ShapeDtypeStruct`) with their kernels kept as int8."""
    found = {}
    for name, below in params.items():
        path = prefix + name
        found[name] = shapes(below, f"{path}/") if isinstance(below, dict) else below
        if KERNELS.search(path):
            found[name], found[SCALE] = jax.eval_shape(rounded, below)
    return found


def add(linear: nnx.Module) -> None:
    """Give a linear map, or a stack of them, the parameter that int8 weights come with."""
    *layers, _, outputs = linear.kernel.shape
    linear.kernel_scale = nnx.Param(jnp.ones((*layers, outputs)))


def apply(
    x: Float[Array, "n I"], kernel: Int8[Array, "I O"], scale: Float[Array, "O"], bias: Float[Array, "O"] | None
) -> Float[Array, "n O"]:
    """x @ (kernel * scale) + bias, rounded once."""
    product = jnp.einsum("ni,io->no", x, kernel.astype(x.dtype), preferred_element_type=jnp.float32) * scale
    return (product if bias is None else product + bias.astype(jnp.float32)).astype(x.dtype)
