"""Kernels as int8: how far they are off, and a product that is that of the numbers they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.model import abstract_params, int8

RNG = np.random.default_rng(0)


def test_a_weight_is_off_by_half_a_step_at_most_and_the_largest_of_an_output_by_nothing():
    kernel = RNG.normal(size=(3, 32, 16)).astype(np.float32)
    kernel[1, :, 4] = 0
    rounded, scale = int8.rounded(kernel)
    assert rounded.dtype == jnp.int8 and rounded.shape == kernel.shape and scale.shape == (3, 16)
    again = np.asarray(rounded, np.float32) * np.asarray(scale)[:, None]
    assert (np.abs(again - kernel) <= np.asarray(scale)[:, None] * 0.50001).all()
    assert (np.abs(rounded).max(axis=1) == 127).sum() == 3 * 16 - 1  # all but the output of zeros
    np.testing.assert_array_equal(again[1, :, 4], 0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("biased", [False, True])
def test_the_product_is_that_of_the_numbers_that_are_meant(dtype, biased):
    x = jnp.asarray(RNG.normal(size=(5, 32)), dtype)
    rounded, scale = int8.rounded(RNG.normal(size=(32, 16)).astype(np.float32))
    bias = jnp.asarray(RNG.normal(size=16), dtype) if biased else None
    found = int8.apply(x, rounded, scale, bias)
    meant = np.asarray(x, np.float64) @ (np.asarray(rounded, np.float64) * np.asarray(scale, np.float64))
    meant += np.asarray(bias, np.float64) if biased else 0
    assert found.dtype == x.dtype
    tolerance = 1e-5 if dtype == "float32" else 2**-8
    np.testing.assert_allclose(np.asarray(found, np.float64), meant, rtol=tolerance, atol=tolerance)


def test_the_maps_of_the_language_models_layers_are_kept_so_and_no_others():
    vision = VisionConfig(1, 32, 2, 32, (0,), window_size=56)
    text = TextConfig(32, 48, 2, 2, 1, 16, 64, (2, 3, 3), tie_word_embeddings=False)
    params = abstract_params(ModelConfig(vision, text, dtype="float32"))
    paths = jax.tree_util.tree_leaves_with_path(int8.shapes(params))
    kept = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}
    rounded = {name for name, leaf in kept.items() if leaf.dtype == jnp.int8}
    attention, mlp = ("query", "key", "value", "output"), ("gate", "up", "down")
    wanted = {f"text/layers/attention/{name}/kernel" for name in attention}
    assert rounded == wanted | {f"text/layers/mlp/{name}/kernel" for name in mlp}
    scales = {name for name in kept if name.endswith(int8.SCALE)}
    assert scales == {name.replace("/kernel", f"/{int8.SCALE}") for name in rounded}
    assert kept["text/layers/mlp/down/kernel_scale"].shape == (2, 32)
