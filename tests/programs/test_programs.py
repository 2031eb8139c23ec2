"""The programs of a run, on eight devices: compiled once, closed to other shapes, equal names give equal results."""

import contextlib
import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from configs.smoke_cpu import get_config
from perc_jax.batch import TrainBatch
from perc_jax.config import Config, TextConfig, VisionConfig
from perc_jax.data import batches, streams
from perc_jax.mesh import sharding
from perc_jax.plan import hlo
from perc_jax.plan.memory import device_bytes
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.compiled import Programs, StagePrograms
from perc_jax.programs.generation import Generation
from perc_jax.prompt import tokenizer
from perc_jax.records.metrics import CompileCounter
from perc_jax.run import rehearsal
from perc_jax.update.update import TrainState
from tests.model.cases import random_params

PROMPTS, GROUP = 8, 2


def tiny() -> Config:
    """The smoke recipe's GRPO stage with the smallest model that has every part."""
    smoke = get_config()
    vision = VisionConfig(1, 32, 2, 32, (0,), window_size=56)
    text = TextConfig(32, 32, 1, 2, 1, 16, 1024, (2, 3, 3))
    stage = dataclasses.replace(smoke.stages[1], steps=2, prompts_per_step=PROMPTS, group_size=GROUP, row_widths=())
    return dataclasses.replace(
        smoke,
        model=dataclasses.replace(smoke.model, vision=vision, text=text),
        data=dataclasses.replace(smoke.data, workers=0),
        evaluation=dataclasses.replace(smoke.evaluation, batch=PROMPTS),
        stages=(stage,),
    )


CONFIG = tiny()
ANNOUNCED: list[str] = []  # what was said to be compiled, in order
TOKENS = tokenizer.load(CONFIG.data.tokenizer)


@contextlib.contextmanager
def announced(what: str):
    ANNOUNCED.append(what)
    yield


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs(CONFIG, TOKENS.ids, around=announced)


@pytest.fixture(scope="module")
def stage(programs) -> StagePrograms:
    return programs.stage(CONFIG.stages[0])


@pytest.fixture(scope="module")
def params(programs):
    return programs.init_params()


@pytest.fixture(scope="module")
def batch() -> batches.Batch:
    with streams.stream(CONFIG, CONFIG.stages[0]) as stream:
        return next(stream)


def fresh(programs, stage, params) -> TrainState:
    """A state of its own: an update consumes the one it is given."""
    step, key = sharding.same_to_mesh((np.int32(0), np.array([0, 0], np.uint32)), programs.mesh)
    params = jax.tree.map(lambda leaf: jax.device_put(np.asarray(leaf), leaf.sharding), params)
    return TrainState(params, stage.init_opt_state(params), step, key)


def drawn_params(programs: Programs):
    """Random parameters on the mesh without a program that draws them, whose compilation is seconds."""
    shardings = jax.tree.map(lambda leaf: leaf.sharding, programs.params)
    return jax.device_put(random_params(programs.blueprints.config.model, 1), shardings)


def test_every_program_is_compiled_once_and_its_memory_known(programs, stage, params):
    names = ["publish", "init", "greedy: prefill", "greedy: decode"]
    names += [f"grpo: {name}" for name in ("optimizer", "begin", "update", "finish", "prefill", "decode")]
    assert sorted(program.name for program in programs.table if program.name != "score") == sorted(names)
    update = next(program for program in programs.table if program.name == "grpo: update")
    assert update.argument_bytes > 0 and update.temporary_bytes > 0 and update.compile_s > 0
    names = [f"compiling {program.name}" for program in programs.table]
    assert ANNOUNCED[: len(names)] == names


def test_a_rehearsal_names_what_is_compiled(programs, stage, params):
    named = [blueprint.name for blueprint in rehearsal.listed(CONFIG, TOKENS.ids, fresh=True).found]
    named.remove("score")
    assert sorted(named) == sorted(program.name for program in programs.table if program.name != "score")


def test_a_step_compiles_nothing_and_changes_the_model(programs, stage, params, batch):
    published, before = programs.publish(params), fresh(programs, stage, params)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(published)} == {CONFIG.model.dtype}
    assert programs.table  # all is compiled
    with CompileCounter() as compiles:
        programs.greedy(published, batch.prompts)
        names = np.arange(PROMPTS, dtype=np.uint32)
        signs = np.tile(np.float32([1, -1]), (PROMPTS, 1))
        prompts, names, signs = sharding.rows_to_mesh((batch.prompts, names, signs), programs.mesh)
        sampled = stage.sample(published, prompts, names, before)
        rows = TrainBatch(prompts, sampled.tokens, sampled.mask, sampled.logprobs, signs)
        plan = stage.plan(batch.prompts.mask, np.asarray(sampled.mask))
        after, [metrics] = stage.update(before, rows, plan)
        values = {name: float(value) for name, value in metrics.items()}
    assert compiles.names == []
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before.params))  # donated
    assert int(after.step) == 1 and values["train/is_finite"] == 1 and values["train/grad_norm"] > 0
    assert values["mismatch/prob_diff_max"] < 1e-5
    changed = [not np.array_equal(*pair) for pair in zip(*map(jax.tree.leaves, (after.params, params)), strict=True)]
    assert sum(changed) > len(changed) / 2


def test_groups_without_signal_are_left_out_of_the_plan():
    advantages = np.zeros((8, 2), np.float32)
    advantages[7] = 1, -1
    described = SimpleNamespace(
        _stage=dataclasses.replace(CONFIG.stages[0], prompts_per_step=8, micro_batches=4),
        _programs=SimpleNamespace(blueprints=SimpleNamespace(rows=1), mesh=sharding.make_mesh(CONFIG.mesh)),
        _gradients={6: None},
    )
    masks = np.ones((8, 5), bool), np.ones((8, 2, 3), bool)
    plan = StagePrograms.plan(described, *masks, advantages)
    assert plan.skipped_share == 0.75 and 7 in plan.updates[0][0].rows
    assert StagePrograms.plan(described, *masks).skipped_share == 0


def test_the_update_writes_over_what_it_is_given(programs, stage):
    """Gradients are added up in place, and the optimizer changes parameters and moments in place."""
    memory = {program.name: program.call.memory_analysis() for program in programs.table}
    progress = programs.blueprints.update(CONFIG.stages[0]).begin.outputs
    assert memory["grpo: update"].alias_size_in_bytes >= device_bytes(progress)
    flags = 16  # bytes of scalars that are made anew
    assert memory["grpo: finish"].alias_size_in_bytes >= device_bytes(stage.state) - flags


def test_another_shape_is_an_error_and_no_compile(programs, params, batch):
    published = programs.publish(params)
    with CompileCounter() as compiles, pytest.raises(TypeError):
        programs.greedy(published, jax.tree.map(lambda rows: np.concatenate([rows, rows]), batch.prompts))
    assert compiles.names == []


def test_a_completion_depends_on_its_prompts_name_and_not_on_its_place(programs, stage, params, batch):
    published, state = programs.publish(params), fresh(programs, stage, params)

    def sample(order):
        rows = jax.tree.map(lambda leaf: leaf[order], batch.prompts), order.astype(np.uint32)
        return sharding.rows_to_host(stage.sample(published, *sharding.rows_to_mesh(rows, programs.mesh), state))

    there, back = sample(np.arange(PROMPTS)), sample(np.arange(PROMPTS)[::-1])
    assert (there.tokens == back.tokens[::-1]).all() and (there.mask == back.mask[::-1]).all()
    assert (there.tokens[:, 0] != there.tokens[:, 1]).any()  # a group's completions differ


def test_segments_change_nothing_and_later_ones_cost_nothing(programs, stage, params, batch):
    """12 columns in segments of 4, on each device until its own rows are done, as in one segment."""
    rollout = dataclasses.replace(CONFIG.rollout, segment_tokens=4)
    blueprints = Blueprints(dataclasses.replace(CONFIG, rollout=rollout), TOKENS.ids)
    cut = Generation(blueprints.rollout(CONFIG.stages[0]), lambda blueprint: blueprint.compile())
    published, state = programs.publish(params), fresh(programs, stage, params)
    rows = sharding.rows_to_mesh((batch.prompts, np.arange(PROMPTS, dtype=np.uint32)), programs.mesh)
    whole = sharding.rows_to_host(stage.sample(published, *rows, state))
    parts = sharding.rows_to_host(cut(published, *rows, state.key, state.step))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_decoding_exchanges_nothing_and_the_trainer_agrees_with_the_sampler(programs, params, batch):
    [decode] = [program.call.as_text() for program in programs.table if program.name == "greedy: decode"]
    assert [found for found in hlo.collectives(decode) if found.in_decode_loop] == []
    found = programs.greedy(programs.publish(params), batch.prompts)
    scored = programs.scorer()(params, batch.prompts, found.tokens)
    np.testing.assert_allclose(scored[found.mask], found.logprobs[found.mask], atol=1e-5)


@pytest.mark.parametrize("where", ["evaluation.batch", "stages[grpo].prompts_per_step / micro_batches"])
def test_rows_that_do_not_divide_are_refused(where):
    if where == "evaluation.batch":
        changes, got = {"evaluation": dataclasses.replace(CONFIG.evaluation, batch=12)}, 12
    else:
        changes, got = {"stages": (dataclasses.replace(CONFIG.stages[0], micro_batches=2),)}, 4
    with pytest.raises(ValueError) as error:
        Programs(dataclasses.replace(CONFIG, **changes), TOKENS.ids)
    assert str(error.value) == f"{where} must be a multiple of the 8 data-parallel devices, got {got}"


def test_the_kernel_for_tpus_is_refused_elsewhere():
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, attention="splash"))
    with pytest.raises(ValueError, match=r"model\.attention must be .* on cpu devices, got 'splash'"):
        Programs(config, TOKENS.ids)
