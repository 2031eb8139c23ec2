"""Low-rank adapters of linear maps (LoRA, Hu et al. 2021, arXiv 2106.09685): x @ (W + alpha / r * A @ B), W frozen.

A map with adapters has two parameters more, `lora_a` [inputs, r] and `lora_b` [r, outputs], float32; all others are the
base and lie in the config's `base_dtype`. Which maps have them, the parameters themselves say.

The product is taken once, with the merged weight W + alpha / r * A @ B, which is made layer by layer where it is stored
and rounded to the activations' dtype: so the trainer computes with the very weights that `merged` publishes for
decoding. Backward, no gradient of the merged weight (which is as large as W) is ever made: with y = x (W + s A B) and
g the gradient of y, the chain rule through the merged weight gives
    dA = s (x^T g) B^T = s x^T (g B^T)        dB = s A^T (x^T g) = s (x A)^T g
and the right-hand sides cost 2 r (inputs + outputs) per token each instead of 2 inputs x outputs.

Own code, since what is maintained for nnx (`nnx.LoRA`, qwix) adds x A B to one module's output at every token and finds
modules one by one; here layers are one stack that is scanned, and parameters a plain tree.
"""

import functools
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from perc_jax.batch import Array
from perc_jax.config import LoraConfig
from perc_jax.model import layout

ADAPTERS = ("lora_a", "lora_b")
# The maps that `LoraConfig.targets` can name: not the patch embedding, the head and the embedding of tokens.
GROUPS = {"text": "^text/layers/", "merger": "^vision/merger/", "all": "^(text/layers|vision/blocks|vision/merger)/"}


def targets(config: LoraConfig, kernels: list[str]) -> list[str]:
    """Those of the named kernels ('/'-joined paths) whose maps get adapters, without the final `/kernel`; sorted.

    Raises `ValueError` for an entry of `config.targets` that matches none.
    """
    able = [name for name in kernels if re.search(GROUPS["all"], name)]
    found = set()
    for target in config.targets:
        pattern = GROUPS.get(target, target)
        names = {name.removesuffix("/kernel") for name in able if re.search(pattern, name)}
        if not names:
            raise ValueError(f"model.lora.targets must match a linear map, got {target!r}; there are {able}")
        found |= names
    return sorted(found)


def merged(
    kernel: Float[Array, "*L I O"],
    a: Float[Array, "*L I r"],
    b: Float[Array, "*L r O"],
    scale: float,
    dtype: str | jnp.dtype,
) -> Float[Array, "*L I O"]:
    """W + scale * A @ B in float32, rounded once; exactly W where B is zero."""
    change = jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
    return (kernel.astype(jnp.float32) + scale * change).astype(dtype)


def add(linear: nnx.Module, rank: int, scale: float, key: Array) -> None:
    """Give a linear map, or a stack of them, adapters that change nothing yet: A uniform in +-inputs^-0.5, B zero."""
    *layers, inputs, outputs = linear.kernel.shape
    bound = inputs**-0.5
    linear.lora_a = nnx.Param(jax.random.uniform(key, (*layers, inputs, rank), minval=-bound, maxval=bound))
    linear.lora_b = nnx.Param(jnp.zeros((*layers, rank, outputs)))
    linear.scale = scale


Plain = Callable[[Array, Array, Array | None], Array]  # x, kernel and bias to y


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def apply(
    plain: Plain,
    scale: float,
    split: layout.Split,
    x: Float[Array, "n I"],
    kernel: Float[Array, "I O"],
    bias: Float[Array, "O"] | None,
    a: Float[Array, "I r"],
    b: Float[Array, "r O"],
) -> Float[Array, "n O"]:
    """`plain(x, merged kernel, bias)`, with a gradient for x, A and B alone: the base is frozen."""
    return plain(x, _whole(scale, split, kernel, a, b, x.dtype), bias)


def _forward(
    plain: Plain, scale: float, split: layout.Split, x: Array, kernel: Array, bias: Array | None, a: Array, b: Array
) -> tuple[Array, tuple[Array, ...]]:
    return apply(plain, scale, split, x, kernel, bias, a, b), (x, kernel, a, b)


def _backward(
    plain: Plain, scale: float, split: layout.Split, kept: tuple[Array, ...], gradient: Array
) -> tuple[Array, None, None, Array, Array]:
    x, kernel, a, b = kept
    # Made again: kept from the forward pass, the merged weights of all layers would lie in memory at once.
    of_x = jnp.einsum("no,io->ni", gradient, _whole(scale, split, kernel, a, b, x.dtype))
    down = layout.weight(a.astype(x.dtype), "inputs" if split == "inputs" else None)
    up = layout.weight(b.astype(x.dtype), "outputs" if split == "outputs" else None)
    inner = jnp.einsum("ni,ir->nr", x, down, preferred_element_type=jnp.float32).astype(x.dtype)
    of_inner = jnp.einsum("no,ro->nr", gradient, up, preferred_element_type=jnp.float32).astype(x.dtype)
    of_a = scale * jnp.einsum("ni,nr->ir", x, of_inner, preferred_element_type=jnp.float32)
    of_b = scale * jnp.einsum("nr,no->ro", inner, gradient, preferred_element_type=jnp.float32)
    return of_x, None, None, of_a, of_b


apply.defvjp(_forward, _backward)


def _whole(scale: float, split: layout.Split, kernel: Array, a: Array, b: Array, dtype: jnp.dtype) -> Array:
    """One layer's merged weight: made in parts, where they are stored, then gathered in the dtype it is used in."""
    return layout.weight(layout.stored(merged(kernel, a, b, scale, dtype), split), split)
