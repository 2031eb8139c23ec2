"""What is trained whole beside adapters: stored in float32, moved by the gradient that the merged model has."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.config import LoraConfig, ModelConfig, OptimizerConfig, check
from perc_jax.model import abstract_params, init_params, lora
from perc_jax.rollout import sampling
from perc_jax.update.optimizer import make_optimizer, path_name, split_frozen
from perc_jax.update.update import TrainState, make_gradient, make_loss, make_reference, make_update
from tests.model.cases import compiled, relative, small_config
from tests.model.test_lora import ALL, BATCH, GROUP, IDS, LENGTH, PLAIN, PROMPTS, STAGE, grown

BOTH = dataclasses.replace(ALL, targets=("text",), trained=("embed", "head"))
WHOLE = {"text/embed/embedding", "text/head/kernel"}


def adapted(adapters: LoraConfig = BOTH) -> ModelConfig:
    return dataclasses.replace(PLAIN, lora=adapters)


def leaves(tree: object) -> dict[str, np.ndarray]:
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def test_they_are_drawn_as_without_adapters_and_stay_in_float32():
    config, key = adapted(dataclasses.replace(BOTH, base_dtype="bfloat16")), jax.random.PRNGKey(3)
    found, plain = (leaves(compiled(lambda key, m=m: init_params(m, key))(key)) for m in (config, PLAIN))
    for name, leaf in plain.items():
        assert found[name].dtype == ("float32" if name in WHOLE else "bfloat16"), name
        assert np.array_equal(found[name], leaf.astype(found[name].dtype)), name


def test_their_gradient_is_that_of_the_merged_model():
    config = adapted()
    params = grown(config)

    def gradient(model: ModelConfig, values: dict) -> dict:
        make = make_gradient(make_loss(model, IDS, kind="grpo"), (), model.lora.whole)
        return leaves(compiled(lambda p, b: make(p, b, jnp.float32(PROMPTS), GROUP * LENGTH))(values, BATCH)[0])

    found = gradient(config, params)
    wanted = gradient(PLAIN, lora.merge_on_host(params, config.lora))
    assert {name for name in found if not name.endswith(("lora_a", "lora_b"))} == WHOLE
    for name in WHOLE:
        assert np.abs(wanted[name]).max() > 0 and relative(found[name], wanted[name]) <= 1e-5, name


def test_an_update_moves_them_and_adapters_and_nothing_else():
    config = adapted(dataclasses.replace(BOTH, base_dtype="bfloat16"))
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf.astype("float32") if path_name(path) in WHOLE else leaf, grown(config)
    )
    optimizer = make_optimizer(STAGE.optimizer, STAGE.steps, params, 1, config.lora.whole)
    state = TrainState(params, compiled(optimizer.init)(params), np.int32(0), np.zeros(2, np.uint32))
    begin, gradient, finish = make_update(config, STAGE, IDS, optimizer, sampling.Draws())

    def update(state: TrainState, batch: object) -> object:
        progress = begin(state.params, batch.mask, batch.advantages, jnp.int32(0))
        progress = gradient(state.params, (), progress, batch, jnp.arange(PROMPTS)[None], GROUP * LENGTH)
        return finish(state, progress, jnp.int32(1))

    new, metrics = jax.device_get(compiled(update)(state, BATCH))
    assert metrics["train/is_finite"] == 1
    before, after = leaves(params), leaves(new.params)
    moved = {name for name, leaf in before.items() if not np.array_equal(leaf, after[name])}
    assert moved == WHOLE | {name for name in before if name.endswith(("lora_a", "lora_b"))}
    assert {name: leaf.dtype for name, leaf in after.items()} == {name: leaf.dtype for name, leaf in before.items()}


def test_patterns_can_freeze_them_and_references_keep_them():
    params = abstract_params(adapted())
    trained, fixed = (leaves(tree) for tree in split_frozen(params, ("embed", "query"), BOTH.whole))
    assert set(trained) & WHOLE == {"text/head/kernel"} and "text/embed/embedding" in fixed
    assert not leaves(split_frozen(params, ("lora", "embed", "head"), BOTH.whole)[0])
    with pytest.raises(ValueError, match=r"optimizer.frozen must leave something to train"):
        make_optimizer(OptimizerConfig(1.0, frozen=("lora", "embed", "head")), 1, params, 1, BOTH.whole)
    kept = leaves(jax.eval_shape(make_reference(adapted(), ()), params))
    assert set(kept) >= WHOLE


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            dataclasses.replace(PLAIN, lora=LoraConfig(trained=("embed",))),
            r"lora.trained must be empty where rank is 0",
        ),
        (
            dataclasses.replace(small_config(tied=True), lora=LoraConfig(rank=2, trained=("embed", "head"))),
            r"lora.trained must not name head where it is the embedding .*, got \('embed', 'head'\)",
        ),
        (dataclasses.replace(PLAIN, lora=LoraConfig(rank=2, trained=("norm",))), r"lora.trained must be"),
    ],
)
def test_what_cannot_be_trained_whole_is_refused(model, said):
    with pytest.raises(ValueError, match=said):
        check(model)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("trained", [(), ("embed",)])
def test_a_model_says_which_tables_learn(tied, trained):
    model = dataclasses.replace(small_config(tied=tied), lora=LoraConfig(rank=2, trained=trained))
    assert model.trains_embed == bool(trained)
    assert model.trains_head == (tied and bool(trained))
    plain = dataclasses.replace(model, lora=LoraConfig())
    assert plain.trains_embed and plain.trains_head
