"""Where arrays lie while the model computes: rows stay where they are, weights come and their gradients go home."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from perc_jax.batch import PromptBatch, TokenIds, TrainBatch
from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params, layout
from perc_jax.plan import hlo
from perc_jax.update.update import make_gradient, make_loss
from tests.model.cases import small_config

CONFIG = small_config(tied=False)
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
PROMPTS, GROUP, LENGTH, TOKENS, PATCHES = 56, 2, 5, 22, 96  # a device's share of any dimension is no whole one


def gradient_text(mesh) -> str:
    """The compiled gradient of a batch whose rows and weights are split over a mesh."""

    def rows(*shape, dtype=jnp.int32):
        return jax.ShapeDtypeStruct((PROMPTS, *shape), dtype, sharding=NamedSharding(mesh, sharding.ROWS))

    prompts = PromptBatch(
        rows(TOKENS),
        rows(TOKENS, dtype=bool),
        rows(3, TOKENS),
        rows(),
        rows(TOKENS),
        rows(PATCHES, CONFIG.vision.patch_bytes, dtype=jnp.uint8),
        rows(PATCHES, 2),
        rows(PATCHES),
    )
    answers = (GROUP, LENGTH)
    batch = TrainBatch(
        prompts,
        rows(*answers),
        rows(*answers, dtype=bool),
        rows(*answers, dtype=jnp.float32),
        rows(GROUP, dtype=jnp.float32),
    )
    params = abstract_params(CONFIG)
    laid_out = sharding.state_shardings(params, mesh)
    params = jax.tree.map(lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at), params, laid_out)
    gradient = make_gradient(make_loss(CONFIG, IDS, kind="grpo", remat="block"))
    run = jax.jit(lambda *args: gradient(*args, GROUP * LENGTH)[0], out_shardings=laid_out)
    with jax.set_mesh(mesh):
        return run.lower(params, batch, jnp.float32(1)).compile().as_text()


@pytest.mark.parametrize("shape", [(1, 8, 1), (2, 2, 2)])
def test_no_device_ever_holds_the_rows_of_another(shape):
    text = gradient_text(sharding.make_mesh(MeshConfig(*shape)))
    whole = {PROMPTS, PROMPTS * (TOKENS + GROUP * LENGTH), PROMPTS * PATCHES, PROMPTS * GROUP * LENGTH}
    dims = [dims for one in hlo.instructions(text) for _, dims, _ in hlo._arrays(one.shape)]
    assert len(dims) > 1000 and not [found for found in dims if len(found) > 1 and found[0] in whole]


def test_without_a_mesh_nothing_is_asked_for():
    x = jnp.ones((4, 6))
    assert layout.rows(x) is x and layout.stored_axes(8) == () and layout.free_axes("fsdp") == ()
    assert np.array_equal(jax.grad(lambda w: jnp.sum(layout.weight(w, "inputs") * x))(x), x)


def test_a_weight_comes_whole_and_its_gradient_goes_where_it_is_stored():
    mesh = sharding.make_mesh(MeshConfig(1, 4, 2))
    kernel = jax.device_put(np.ones((8, 6), np.float32), NamedSharding(mesh, PartitionSpec("fsdp", "tensor")))

    def used(kernel):
        whole = layout.weight(kernel, "outputs")
        return jnp.sum(whole**2), whole

    with jax.set_mesh(mesh):
        gradient, whole = jax.jit(jax.grad(used, has_aux=True))(kernel)
        odd = jax.jit(lambda x: layout.rows(x, split=True))(np.ones((6, 3), np.float32))
    assert whole.sharding.spec == PartitionSpec(None, "tensor")
    assert gradient.sharding.spec == PartitionSpec("fsdp", "tensor")
    assert odd.sharding.is_fully_replicated  # 6 rows on 4 devices: no row is cut
    np.testing.assert_array_equal(gradient, 2 * np.asarray(kernel))
