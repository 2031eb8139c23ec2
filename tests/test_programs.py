"""The programs of a run, on eight devices: compiled once, closed to other shapes, equal names give equal results."""

import dataclasses

import jax
import numpy as np
import pytest

from configs.smoke_cpu import get_config
from perc_jax import data, sharding, tokenizer
from perc_jax.batch import TrainBatch
from perc_jax.config import Config, TextConfig, VisionConfig
from perc_jax.metrics import CompileCounter
from perc_jax.programs import Programs, StagePrograms
from perc_jax.update import TrainState

PROMPTS, GROUP = 8, 2


def tiny() -> Config:
    """The smoke recipe with the smallest model that has every part."""
    smoke = get_config()
    vision = VisionConfig(2, 32, 2, 32, (1,), window_size=56)
    text = TextConfig(32, 32, 1, 2, 1, 16, 1024, (2, 3, 3))
    sft, grpo = (dataclasses.replace(stage, steps=2, prompts_per_step=PROMPTS) for stage in smoke.stages)
    return dataclasses.replace(
        smoke,
        model=dataclasses.replace(smoke.model, vision=vision, text=text),
        data=dataclasses.replace(smoke.data, workers=0),
        evaluation=dataclasses.replace(smoke.evaluation, batch=PROMPTS),
        stages=(sft, dataclasses.replace(grpo, group_size=GROUP)),
    )


CONFIG = tiny()
TOKENS = tokenizer.load(CONFIG.data.tokenizer)


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs(CONFIG, TOKENS.ids)


@pytest.fixture(scope="module")
def stages(programs) -> list[StagePrograms]:
    return [programs.stage(stage) for stage in CONFIG.stages]


@pytest.fixture(scope="module")
def batch() -> data.Batch:
    with data.stream(CONFIG, CONFIG.stages[0]) as stream:
        return next(stream)


@pytest.fixture(scope="module")
def params(programs):
    return programs.init_params()


def fresh(programs, stage, params) -> TrainState:
    """A state of its own: an update consumes the one it is given."""
    step, key = sharding.same_to_mesh((np.int32(0), np.array([0, 0], np.uint32)), programs.mesh)
    params = jax.tree.map(lambda leaf: jax.device_put(np.asarray(leaf), leaf.sharding), params)
    return TrainState(params, stage.init_opt_state(params), step, key)


def test_every_program_is_compiled_once_and_its_memory_known(programs, stages, params):
    names = [program.name for program in programs.table]
    warmup, grpo = (stage.name for stage in CONFIG.stages)
    assert sorted(names) == sorted(
        ["publish", "greedy", "init", f"{warmup}: optimizer", f"{warmup}: update"]
        + [f"{grpo}: {name}" for name in ("optimizer", "update", "rollout")]
    )
    assert all(program.argument_bytes > 0 and program.compile_s > 0 for program in programs.table)


def test_a_step_of_each_stage_compiles_nothing(programs, stages, params, batch):
    published = programs.publish(params)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(published)} == {CONFIG.model.dtype}
    states = [fresh(programs, stage, params) for stage in stages]
    with CompileCounter() as compiles:
        prompts = sharding.rows_to_mesh(batch.prompts, programs.mesh)
        programs.greedy(published, batch.prompts)
        names = sharding.rows_to_mesh(np.arange(PROMPTS, dtype=np.uint32), programs.mesh)
        sampled = stages[1].sample(published, prompts, names, states[1])
        gold = batch.gold_tokens[:, None], batch.gold_mask[:, None]
        zeros, ones = np.zeros(gold[0].shape, np.float32), np.ones((PROMPTS, 1), np.float32)
        gold = sharding.rows_to_mesh((*gold, zeros, ones), programs.mesh)
        signs = sharding.rows_to_mesh(np.tile(np.float32([1, -1]), (PROMPTS, 1)), programs.mesh)
        rows = [TrainBatch(prompts, *gold), TrainBatch(prompts, sampled.tokens, sampled.mask, sampled.logprobs, signs)]
        ended = [stage.update(state, row) for stage, state, row in zip(stages, states, rows, strict=True)]
    assert compiles.names == []
    for before, (after, metrics) in zip(states, ended, strict=True):
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before.params))  # donated
        assert int(after.step) == 1 and float(metrics["train/is_finite"]) == 1
        assert not np.array_equal(after.params["text"]["embed"]["embedding"], params["text"]["embed"]["embedding"])
    assert float(ended[1][1]["mismatch/prob_diff_max"]) < 1e-4


def test_another_shape_is_an_error_and_no_compile(programs, stages, params, batch):
    published = programs.publish(params)
    with CompileCounter() as compiles, pytest.raises((TypeError, ValueError)):
        programs.greedy(published, jax.tree.map(lambda rows: np.concatenate([rows, rows]), batch.prompts))
    assert compiles.names == []


def test_a_completion_depends_on_its_prompts_name_and_not_on_its_place(programs, stages, params, batch):
    published, state = programs.publish(params), fresh(programs, stages[1], params)

    def sample(order):
        rows = jax.tree.map(lambda leaf: leaf[order], batch.prompts), order.astype(np.uint32)
        return sharding.rows_to_host(stages[1].sample(published, *sharding.rows_to_mesh(rows, programs.mesh), state))

    there, back = sample(np.arange(PROMPTS)), sample(np.arange(PROMPTS)[::-1])
    assert (there.tokens == back.tokens[::-1]).all() and (there.mask == back.mask[::-1]).all()
    assert (there.tokens[:, 0] != there.tokens[:, 1]).any()  # a group's completions differ


@pytest.mark.parametrize("where", ["evaluation.batch", "stages[warmup].prompts_per_step / micro_batches"])
def test_rows_that_do_not_divide_are_refused(where):
    changes = {"evaluation": dataclasses.replace(CONFIG.evaluation, batch=12)}
    if "stages" in where:
        changes = {"stages": (dataclasses.replace(CONFIG.stages[0], micro_batches=2), CONFIG.stages[1])}
    got = 12 if "evaluation" in where else 4
    with pytest.raises(ValueError) as error:
        Programs(dataclasses.replace(CONFIG, **changes), TOKENS.ids)
    assert str(error.value) == f"{where} must be a multiple of the 8 data-parallel devices, got {got}"
