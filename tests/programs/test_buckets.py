"""Buckets of a run: all their programs are there before step 0, and a step in them is a step in the largest."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from perc_jax.batch import PromptBatch, TrainBatch
from perc_jax.config import Config, MeshConfig, OptimizerConfig
from perc_jax.data import batches, streams, summary
from perc_jax.mesh import sharding
from perc_jax.plan import forecast, table, topologies
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.compiled import Programs
from perc_jax.programs.generation import Generation
from perc_jax.programs.rollout import Maker
from perc_jax.records.metrics import CompileCounter
from perc_jax.rollout.sampling import Draws
from perc_jax.run import rehearsal
from tests.model.cases import build
from tests.programs import test_generation
from tests.programs.test_generation import IDS, KEY, PICTURES, PLAIN, STEP, assert_equal
from tests.programs.test_programs import CONFIG, PROMPTS, TOKENS, drawn_params, fresh
from tests.update.test_update import assert_moves_close

SHAPES = ((9, 16), (14, 48))  # of `PICTURES`, beside all of it


SLOTS = {"segment_tokens": 5, "slots": 3, "rows": 2, "prefill_prompts": 2, "kv_dtype": "int8"}


# A step in buckets, below, samples without slots.
@pytest.mark.parametrize("changes", [pytest.param({}, marks=pytest.mark.slow), SLOTS], ids=["whole", "slots"])
def test_completions_are_those_of_the_largest_bucket(changes):
    """Tokens, masks and ends are equal, log-probabilities within 1e-5; with and without slots."""
    config, case = dataclasses.replace(PLAIN, **changes), PICTURES
    mesh = sharding.make_mesh(test_generation.ONE, jax.devices()[:1])
    weights = jax.device_put(test_generation.params, sharding.rollout_shardings(test_generation.params, mesh))
    names = np.arange(100, 100 + len(case.prompts), dtype=np.uint32)
    small = [number for number, parts in enumerate(case.prompts) if parts in ([5], [7], [2], [9])]
    prompts = jax.tree.map(lambda leaf: leaf[small * 2], build(case, seed=3).batch)
    prompts, names = sharding.rows_to_mesh((prompts, names), mesh)

    def shapes(tree):
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)

    maker = Maker(case.config, IDS, mesh)
    plan = maker.make("test", config, shapes(prompts), shapes(weights), group_size=4, draws=Draws(), buckets=SHAPES)
    assert [program.name for program in plan.smaller] == ["test: prefill within 9x16", "test: prefill within 14x48"]
    made = Generation(plan, lambda blueprint: blueprint.compile())
    wanted = jax.tree.map(np.asarray, made(weights, prompts, names, KEY, STEP))
    for place in (0, 1):
        with CompileCounter() as compiles:
            found = made(weights, prompts, names, KEY, STEP, np.full(len(names), place))
            found = jax.tree.map(np.asarray, found)
        assert compiles.names == []
        assert_equal(found, wanted)


@functools.cache
def drawn(config: Config) -> batches.Batch:
    with streams.stream(config, config.stages[0]) as stream:
        return next(stream)


@functools.cache
def tokens_of_most() -> int:
    return int(np.sort(drawn(CONFIG).prompts.mask.sum(axis=1))[PROMPTS // 2])


def bucketed(config: Config = CONFIG, **stage) -> Config:
    """The tiny recipe with a smaller bucket that some of its prompts fit."""
    data = dataclasses.replace(config.data, buckets=((tokens_of_most(), config.data.max_patches),))
    stages = (dataclasses.replace(config.stages[0], **stage),)
    return dataclasses.replace(config, data=data, stages=stages)


MESH = sharding.make_mesh(MeshConfig(1, 2, 1), jax.devices()[:2])


class Run:
    """The programs of a run on two devices, for steps from the same parameters."""

    def __init__(self, config: Config):
        self.config, self.programs = config, Programs(config, TOKENS.ids, MESH, greedy=False)
        self.stage, self.params = self.programs.stage(config.stages[0]), drawn_params(self.programs)

    def step(self):
        """Completions and parameters after a step, its metrics and plan."""
        programs, stage, batch = self.programs, self.stage, drawn(self.config)
        before = fresh(programs, stage, self.params)
        signs = np.tile(np.float32([1, -1]), (PROMPTS, 1))
        names = np.arange(PROMPTS, dtype=np.uint32)
        prompts, names, advantages = sharding.rows_to_mesh((batch.prompts, names, signs), programs.mesh)
        published = programs.publish(self.params)
        assert programs.table  # all is compiled
        with CompileCounter() as compiles:
            prompts = stage.look(before.params, prompts)
            sampled = stage.sample(published, prompts, names, before)
            rows = TrainBatch(prompts, sampled.tokens, sampled.mask, sampled.logprobs, advantages)
            plan = stage.plan(batch.prompts.mask, np.asarray(sampled.mask), signs, prompts)
            after, [metrics] = stage.update(before, rows, plan)
            metrics = {name: float(value) for name, value in metrics.items()}
        assert compiles.names == []
        return jax.tree.map(np.asarray, (sampled, after.params)), metrics, plan


class Largest:
    """In the place of what tells each prompt's bucket: the largest for all of them."""

    def __init__(self, widths: tuple[int, ...]):
        self.widths = widths

    def __call__(self, prompts: PromptBatch) -> np.ndarray:
        return np.full(PROMPTS, len(self.widths) - 1)


TOWER = ("^vision/",)
WHOLE = pytest.param((), marks=pytest.mark.slow)  # its gradients: tests/update/test_buckets.py


@pytest.mark.parametrize("frozen", [WHOLE, TOWER], ids=["all", "frozen tower"])
def test_a_step_in_buckets_is_the_step_in_the_largest(frozen, monkeypatch):
    """Of the same draws the same completions, metrics and changes but for rounding; nothing compiles on the way.

    The largest by the same programs, for it is one of the buckets; in the slow case by a run that knows of no other.
    """
    # SGD-like, at a rate that moves every parameter by much more than its rounding.
    stage = {"optimizer": OptimizerConfig(1.0, eps=1.0, frozen=frozen), "micro_batches": 4}
    plain = dataclasses.replace(CONFIG, stages=(dataclasses.replace(CONFIG.stages[0], **stage),))
    cut = bucketed(CONFIG, **stage)
    for ours, theirs in zip(drawn(plain).prompts[:-1], drawn(cut).prompts[:-1], strict=True):
        np.testing.assert_array_equal(ours, theirs)  # what is drawn knows nothing of buckets
    run = Run(cut)
    (found, others), same, plan = run.step()
    assert {micro.bucket for micro in plan.updates[0]} == {0, 1}
    if frozen:
        monkeypatch.setattr(run.stage, "_buckets", Largest(run.stage._buckets.widths))
    (wanted, params), metrics, whole = (run if frozen else Run(plain)).step()
    assert {micro.bucket for micro in whole.updates[0]} == {1 if frozen else 0}
    assert_equal(found, wanted)
    before = jax.tree.map(np.asarray, run.params)
    if frozen:
        jax.tree.map(np.testing.assert_array_equal, others["vision"], before["vision"])
    assert_moves_close(*({"text": of["text"]} if frozen else of for of in (others, params, before)), 1e-3)
    for name, value in metrics.items():
        assert same[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    names = [program.name for program in run.programs.table]
    within = f" within {tokens_of_most()}x{CONFIG.data.max_patches}"
    kinds = ["update", "prefill", *(["encode"] if frozen else [])]
    assert {f"grpo: {kind}{within}" for kind in kinds} <= set(names)
    listed = rehearsal.listed(bucketed(CONFIG, optimizer=stage["optimizer"]), TOKENS.ids, fresh=True).found
    assert set(names) <= {blueprint.name for blueprint in listed}  # on all devices
    planned = [program.name for _, program in forecast.programs(Blueprints(cut, TOKENS.ids, MESH))]
    assert {f"grpo: {kind}{within}" for kind in kinds} <= set(planned)


def test_a_plan_and_a_rehearsal_say_what_each_bucket_costs():
    """Less of what is computed in a smaller one; of decoding as much: it finds all prompts in the largest."""
    config = bucketed()
    largest = forecast._speeds(Blueprints(config, TOKENS.ids, MESH), config.stages[0], topologies.parse("v5e:2x4"))
    [smaller] = largest["smaller"]
    assert smaller["bucket"] == [tokens_of_most(), config.data.max_patches]
    assert smaller["flops"]["update"] < largest["flops"]["update"]
    assert smaller["flops"]["decode"] == largest["flops"]["decode"]
    assert smaller["ceiling"]["update_s"] < largest["ceiling"]["update_s"]
    told = " ".join(line for one in (largest, smaller) for line in table._speed(one, 8))
    assert f"one step within {tokens_of_most()}x{config.data.max_patches}: update" in told
    shape = f"prompts in buckets of {tokens_of_most()} tokens x {config.data.max_patches} patch slots, "
    assert any(line.startswith(shape) for line in summary.stage(config, config.stages[0]))


@pytest.mark.parametrize(
    "buckets",
    [((32, 64), (16, 64)), ((32, 128), (64, 64)), ((32, 64), (32, 64)), ((64, 64),), ((10**6, 64),)],
)
def test_buckets_that_are_none_are_refused(buckets):
    largest = f"below the largest \\({CONFIG.data.max_prompt_tokens}, {CONFIG.data.max_patches}\\)"
    with pytest.raises(ValueError, match=f"data.buckets must be .* ascending, {largest}, got "):
        dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, buckets=buckets))


def test_a_bucket_holds_whole_windows():
    with pytest.raises(ValueError, match=r"data.buckets must have patches that are each a multiple of \d+, got"):
        dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, buckets=((8, 1),)))
