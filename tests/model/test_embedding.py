"""Looking tokens up, and the gradient of it: a plain sum over all places of a token, also in bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from perc_jax.model.text import Embedding
from tests.model.cases import compiled

TOKENS, WIDTH = 50, 16
FREQUENT = 7  # stands at half of all places


def gradient(places: int, dtype: str, stored: str) -> tuple[np.ndarray, np.ndarray]:
    """The table's gradient, and the same sum in float64."""
    rng = np.random.default_rng(places)
    tokens = np.where(rng.random((2, places)) < 0.5, FREQUENT, rng.integers(0, TOKENS, (2, places))).astype(np.int32)
    given = jnp.asarray(rng.normal(0.3, 1.0, (2, places, WIDTH)), dtype)  # what they have in common adds up
    table = jnp.asarray(rng.normal(size=(TOKENS, WIDTH)), stored)

    def look_up(table):
        embedding = Embedding(TOKENS, WIDTH, nnx.Rngs(0))
        embedding.embedding = nnx.Param(table)
        return jnp.sum(embedding(tokens, jnp.dtype(dtype)) * given, dtype=jnp.float32)

    found = compiled(jax.grad(look_up))(table)
    assert found.dtype == table.dtype
    wanted = np.zeros((TOKENS, WIDTH))
    np.add.at(wanted, tokens, np.asarray(given, np.float64))
    return np.asarray(found, np.float64), wanted


@pytest.mark.parametrize(("dtype", "stored", "limit"), [("bfloat16", "float32", 1e-5), ("bfloat16", "bfloat16", 4e-3)])
@pytest.mark.parametrize("places", [16, 8192])
def test_the_gradient_of_a_token_that_stands_often_is_its_sum(places, dtype, stored, limit):
    found, wanted = gradient(places, dtype, stored)
    np.testing.assert_allclose(found, wanted, rtol=limit, atol=limit)


def test_vectors_are_the_tables_rows():
    rng = np.random.default_rng(0)
    table, tokens = rng.normal(size=(TOKENS, WIDTH)).astype(np.float32), rng.integers(0, TOKENS, (3, 5))
    embedding = Embedding(TOKENS, WIDTH, nnx.Rngs(0))
    embedding.embedding = nnx.Param(jnp.asarray(table))
    np.testing.assert_array_equal(embedding(jnp.asarray(tokens), jnp.dtype("float32")), table[tokens])
