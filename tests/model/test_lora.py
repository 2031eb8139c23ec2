"""Low-rank adapters: nothing at first, merged = unmerged, the chain rule, a base that stays, any mesh."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import TokenIds, TrainBatch
from perc_jax.config import LoraConfig, MeshConfig, ModelConfig, OptimizerConfig, StageConfig, check
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params, init_params, lora
from perc_jax.plan.hlo import collectives
from perc_jax.rollout import sampling
from perc_jax.update.optimizer import make_optimizer, path_name, split_frozen
from perc_jax.update.update import TrainState, make_gradient, make_loss, make_score, make_update
from tests.model.cases import Draws, build, compiled, fitted, random_params, relative, small_config

PLAIN = small_config(tied=False)
CASE = fitted(PLAIN, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5], [7], [1, (4, 4)], [4, (4, 6)], [9], [2]])
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
PROMPTS, GROUP, LENGTH = len(CASE.prompts), 2, 5
ALL = LoraConfig(rank=4, alpha=6.0, targets=("all",), base_dtype="float32")
SCALE = 1.5


def adapted(adapters: LoraConfig = ALL) -> ModelConfig:
    return dataclasses.replace(PLAIN, lora=adapters)


def grown(config: ModelConfig, seed: int = 5) -> dict:
    """Random parameters whose adapters weigh about as much as the base, as far from their start as can be."""
    _, adapters = lora.split(abstract_params(config))

    def draw(path, leaf):
        return Draws(seed, path_name(path)).real(*leaf.shape) * leaf.shape[-2] ** -0.5

    base = jax.tree.map(lambda leaf: leaf.astype(config.lora.base_dtype), random_params(PLAIN, 1))
    return lora.join(base, jax.tree_util.tree_map_with_path(draw, adapters))


def train_batch() -> TrainBatch:
    draws = Draws(2)
    shape = (PROMPTS, GROUP, LENGTH)
    mask = np.arange(LENGTH) < draws.whole(1, LENGTH + 1, *shape[:2])[..., None]
    logprobs = np.where(mask, -np.abs(draws.real(*shape)), 0)
    return TrainBatch(build(CASE, 3).batch, draws.whole(5, 60, *shape), mask, logprobs, draws.real(*shape[:2]))


BATCH = train_batch()
MERGE = compiled(lambda params: lora.merge(params, ALL, "float32"))


def gradient_of(config: ModelConfig, *, remat: str = "none"):
    """`gradient(params, batch) -> gradient, sums` of the whole batch."""
    gradient = make_gradient(make_loss(config, IDS, kind="grpo", remat=remat))
    return compiled(lambda params, batch: gradient(params, batch, jnp.float32(PROMPTS), GROUP * LENGTH))


@pytest.fixture(scope="module")
def params() -> dict:
    return grown(adapted())


@pytest.fixture(scope="module")
def by_adapters(params):
    gradient, sums = gradient_of(adapted())(params, BATCH)
    return lora.split(gradient)[1], sums


# --- what they compute -----------------------------------------------------------------------------------------------


def test_fresh_adapters_change_nothing():
    """The base is drawn as without adapters; merged weights are the base's in all bits, scores but for XLA's order."""
    config, key = adapted(dataclasses.replace(ALL, base_dtype="bfloat16")), jax.random.PRNGKey(3)
    both = compiled(lambda key: [init_params(model, key) for model in (config, PLAIN)])
    drawn, alone = jax.device_get(both(key))
    (base, adapters), plain = lora.split(drawn), jax.tree.map(lambda leaf: leaf.astype("bfloat16"), alone)
    assert jax.tree.all(jax.tree.map(np.array_equal, base, plain))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(adapters)} == {"float32"}
    merged = lora.merge_on_host(drawn, config.lora)
    assert jax.tree.all(jax.tree.map(np.array_equal, merged, base))
    score, other = (compiled(make_score(model, IDS, sampling.Draws())) for model in (config, PLAIN))
    given = BATCH.prompts, BATCH.tokens
    assert relative(score(drawn, *given), other(plain, *given)) <= 1e-6
    for path, leaf in jax.tree_util.tree_leaves_with_path(adapters):
        assert np.any(leaf) == path_name(path).endswith("lora_a")


def test_merged_equals_unmerged(params):
    config = adapted()
    score = compiled(make_score(config, IDS, sampling.Draws()))
    merged = jax.device_get(MERGE(params))
    found, wanted = score(params, BATCH.prompts, BATCH.tokens), score(merged, BATCH.prompts, BATCH.tokens)
    base = score(lora.split(params)[0], BATCH.prompts, BATCH.tokens)
    assert relative(found, wanted) <= 1e-5
    assert relative(base, wanted) > 0.1
    kernel = params["text"]["layers"]["mlp"]["up"]
    by_hand = kernel["kernel"] + SCALE * np.einsum("lir,lro->lio", kernel["lora_a"], kernel["lora_b"])
    np.testing.assert_allclose(merged["text"]["layers"]["mlp"]["up"]["kernel"], by_hand, rtol=1e-5, atol=1e-6)


def test_gradients_equal_the_chain_rule_through_the_merged_weights(params, by_adapters):
    """dA = s dW B^T and dB = s A^T dW, with dW from a model that has no adapters."""
    found, sums = by_adapters
    whole, other_sums = gradient_of(PLAIN)(MERGE(params), BATCH)
    assert float(sums.loss) == pytest.approx(float(other_sums.loss), rel=1e-5)
    checked = 0
    for path, gradient in jax.tree_util.tree_leaves_with_path(found):
        *above, last = [key.key for key in path]
        holder, of_kernel = params, whole
        for name in above:
            holder, of_kernel = holder[name], of_kernel[name]
        if last == "lora_a":
            wanted = SCALE * np.einsum("...io,...ro->...ir", of_kernel["kernel"], holder["lora_b"])
        else:
            wanted = SCALE * np.einsum("...ir,...io->...ro", holder["lora_a"], of_kernel["kernel"])
        assert np.abs(wanted).max() > 0
        assert relative(gradient, wanted) <= 1e-4, path_name(path)
        checked += 1
    assert checked == 2 * (7 + 7 + 2)


def test_what_the_sampler_is_given_is_what_the_trainer_computes_with():
    """In bfloat16, where rounding a weight loses most of a small change: both round the same sum."""
    config = dataclasses.replace(adapted(dataclasses.replace(ALL, base_dtype="bfloat16")), dtype="bfloat16")
    params = grown(config)
    base, adapters = lora.split(params)
    params = lora.join(base, jax.tree.map(lambda leaf: leaf / 9, adapters))
    score = compiled(make_score(config, IDS, sampling.Draws()))
    merged = compiled(lambda params: lora.merge(params, config.lora, "bfloat16"))(params)
    assert np.array_equal(*(score(values, BATCH.prompts, BATCH.tokens) for values in (params, merged)))


# --- which maps have them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "count", "where"),
    [
        (("text",), 7, ("text/layers/",)),
        (("merger",), 2, ("vision/merger/",)),
        (("text", "merger"), 9, ("text/layers/", "vision/merger/")),
        (("all",), 16, ("text/layers/", "vision/")),
        (("(query|value)/kernel$",), 4, ("text/layers/attention", "vision/blocks/attention")),
        (("^text/.*down",), 1, ("text/layers/mlp/down",)),
    ],
)
def test_targets_name_maps(targets, count, where):
    _, adapters = lora.split(abstract_params(adapted(LoraConfig(rank=2, targets=targets))))
    names = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(adapters)]
    assert len(names) == 2 * count
    assert all(name.startswith(where) for name in names)
    assert all(any(name.startswith(start) for name in names) for start in where)


@pytest.mark.parametrize("target", ["texts", "head", "patch_embed", "norm"])
def test_targets_that_are_no_such_map_are_refused(target):
    with pytest.raises(ValueError, match=rf"model.lora.targets must match a linear map, got '{target}'"):
        abstract_params(adapted(LoraConfig(rank=2, targets=("text", target))))


@pytest.mark.parametrize("fields", [{"rank": -1}, {"alpha": 0.0}, {"targets": ()}])
def test_settings_without_a_meaning_are_refused(fields):
    with pytest.raises(ValueError, match=rf"model.lora.{next(iter(fields))} must"):
        check(LoraConfig(**fields), "model.lora")


# --- training --------------------------------------------------------------------------------------------------------

STAGE = StageConfig("grpo", "grpo", 4, PROMPTS, OptimizerConfig(1e-2, weight_decay=0.1), group_size=GROUP)


def test_an_update_moves_adapters_and_leaves_the_base_in_all_bits():
    config = adapted(dataclasses.replace(ALL, base_dtype="bfloat16", targets=("text",)))
    params = grown(config)
    optimizer = make_optimizer(STAGE.optimizer, STAGE.steps, params)
    state = TrainState(params, compiled(optimizer.init)(params), np.int32(0), np.zeros(2, np.uint32))
    begin, gradient, finish = make_update(config, STAGE, IDS, optimizer, sampling.Draws())

    def update(state, batch):
        progress = begin(state.params, batch.mask, batch.advantages, jnp.int32(0))
        progress = gradient(state.params, (), progress, batch, jnp.arange(PROMPTS)[None], GROUP * LENGTH)
        return finish(state, progress, jnp.int32(1))

    new, metrics = jax.device_get(compiled(update)(state, BATCH))
    assert metrics["train/is_finite"] == 1
    (base, adapters), (new_base, new_adapters) = lora.split(params), lora.split(new.params)
    for one, other in zip(jax.tree.leaves(base), jax.tree.leaves(new_base), strict=True):
        assert one.dtype == other.dtype == jnp.bfloat16
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    for one, other in zip(jax.tree.leaves(adapters), jax.tree.leaves(new_adapters), strict=True):
        assert np.any(one != other)
    moments = [path_name(path) for path, leaf in jax.tree_util.tree_leaves_with_path(state.opt_state) if leaf.ndim]
    assert moments and all(name.endswith(("lora_a", "lora_b")) for name in moments)


def test_muon_makes_steps_of_both_factors_orthogonal():
    _, adapters = lora.split(grown(adapted(dataclasses.replace(ALL, targets=("merger",)))))
    optimizer = make_optimizer(OptimizerConfig(1.0, method="muon"), 1, adapters)
    updates, _ = optimizer.update(adapters, optimizer.init(adapters), adapters)
    for path, leaf in jax.tree_util.tree_leaves_with_path(updates):
        values = np.linalg.svd(leaf, compute_uv=False)
        assert values.min() > 0.5 * values.max(), path_name(path)


def test_frozen_patterns_hold_for_adapters_too():
    params = abstract_params(adapted())
    trained, fixed = (jax.tree.leaves(tree) for tree in split_frozen(params, ("^vision/", "query")))
    assert len(trained) == 2 * 6 and len(trained) + len(fixed) == len(jax.tree.leaves(params))
    with pytest.raises(ValueError, match=r"optimizer.frozen must leave something to train"):
        make_optimizer(OptimizerConfig(1.0, frozen=("text", "vision")), 1, params)


# --- meshes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [pytest.param((1, 8, 1), marks=pytest.mark.slow), (2, 2, 2)])
def test_a_mesh_changes_no_gradient(params, by_adapters, shape):
    mesh = sharding.make_mesh(MeshConfig(*shape))
    laid_out = jax.device_put(params, sharding.state_shardings(params, mesh))
    with jax.set_mesh(mesh):
        gradient, sums = gradient_of(adapted(), remat="block")(laid_out, sharding.rows_to_mesh(BATCH, mesh))
    found, (wanted, wanted_sums) = lora.split(gradient)[1], by_adapters
    assert float(sums.loss) == pytest.approx(float(wanted_sums.loss), rel=1e-5)
    others = jax.tree.leaves(found)
    for (path, leaf), other in zip(jax.tree_util.tree_leaves_with_path(wanted), others, strict=True):
        assert relative(other, leaf) <= 1e-4, path_name(path)


def test_merging_exchanges_nothing():
    """Each device merges the part of a weight that it stores, from the parts of A and B that it stores."""
    mesh = sharding.make_mesh(MeshConfig(2, 2, 2))
    params = abstract_params(adapted())
    layout = sharding.state_shardings(params, mesh)
    merge = jax.jit(lambda values: lora.merge(values, ALL, "bfloat16"), out_shardings=lora.split(layout)[0])
    arguments = jax.tree.map(lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at), params, layout)
    assert collectives(merge.lower(arguments).compile().as_text()) == []
    split = {path_name(path) for path, at in jax.tree_util.tree_leaves_with_path(layout) if any(at.spec)}
    assert {f"text/layers/mlp/{name}" for name in ("up/lora_a", "up/lora_b", "down/lora_a", "down/lora_b")} <= split
