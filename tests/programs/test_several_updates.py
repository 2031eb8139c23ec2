"""Several updates per rollout by the programs of a run, on eight devices: sampled for real, rounded as it comes."""

import dataclasses

import jax
import numpy as np
import pytest

from perc_jax.batch import TrainBatch
from perc_jax.config import Config, LossConfig, OptimizerConfig
from perc_jax.data import streams
from perc_jax.mesh import sharding
from perc_jax.plan.memory import device_bytes
from perc_jax.programs.compiled import Programs
from perc_jax.records.metrics import CompileCounter
from perc_jax.update.update import TrainState
from tests.programs.test_programs import CONFIG, GROUP, PROMPTS, TOKENS, drawn_params

GSPO = LossConfig(objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4)
COUNT = 2 * PROMPTS  # two prompts for each device, one in each update


def config(dtype: str, kv_dtype: str, loss: LossConfig) -> Config:
    stage = dataclasses.replace(
        CONFIG.stages[0],
        prompts_per_step=COUNT,
        updates_per_rollout=2,
        loss=loss,
        optimizer=OptimizerConfig(1e-30),  # moves no parameter
    )
    return dataclasses.replace(
        CONFIG,
        model=dataclasses.replace(CONFIG.model, dtype=dtype),
        rollout=dataclasses.replace(CONFIG.rollout, kv_dtype=kv_dtype, temperature=1.3),
        stages=(stage,),
    )


@pytest.mark.parametrize(
    ("dtype", "kv_dtype", "loss"),
    [
        pytest.param("float32", "model", LossConfig(clip_low=1e-6, clip_high=1e-6), marks=pytest.mark.slow),
        pytest.param("bfloat16", "model", GSPO, marks=pytest.mark.slow),
        ("bfloat16", "int8", dataclasses.replace(GSPO, sampler_weight="never")),
    ],
)
def test_a_policy_that_has_not_moved_is_not_clipped_however_the_sampler_rounds(dtype, kv_dtype, loss):
    made = config(dtype, kv_dtype, loss)
    programs = Programs(made, TOKENS.ids, greedy=False)
    stage, params = programs.stage(made.stages[0]), drawn_params(programs)
    with streams.stream(made, made.stages[0]) as stream:
        batch = next(stream)
    step, key = sharding.same_to_mesh((np.int32(0), np.array([0, 0], np.uint32)), programs.mesh)
    state = TrainState(params, stage.init_opt_state(params), step, key)
    signs = np.tile(np.float32([1, -1]), (COUNT, GROUP // 2))
    names = np.arange(COUNT, dtype=np.uint32)
    prompts, names, signs = sharding.rows_to_mesh((batch.prompts, names, signs), programs.mesh)
    assert programs.table  # all is compiled
    with CompileCounter() as compiles:
        prompts = stage.look(state.params, prompts)
        sampled = stage.sample(programs.publish(state.params), prompts, names, state)
        rows = TrainBatch(prompts, sampled.tokens, sampled.mask, sampled.logprobs, signs)
        plan = stage.plan(batch.prompts.mask, np.asarray(sampled.mask))
        state, metrics = stage.update(state, rows, plan)
        metrics = [jax.tree.map(float, found) for found in metrics]
    assert compiles.names == [] and len(metrics) == 2 and int(state.step) == 1
    for found in metrics:
        assert found["train/clipped_share"] == found["train/ratio_diff_mean"] == 0 < found["train/grad_norm"]
        assert ("mismatch/weight_cut_share" in found) == (loss.sampler_weight != "never")
        if dtype == "bfloat16":  # what would be clipped if ratios were those to the sampler
            assert found["mismatch/prob_diff_max"] > 1e-6
    memory = {program.name: program.call.memory_analysis() for program in programs.table}
    progress = programs.blueprints.update(made.stages[0]).begin.outputs
    assert memory["grpo: update"].alias_size_in_bytes >= device_bytes(progress)  # added up in place
