"""The reference policy of a KL term: the stage's first parameters, kept, scored in the update, resumed in all bits."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import TokenIds, TrainBatch
from perc_jax.config import (
    Config,
    DataConfig,
    EvaluationConfig,
    LoraConfig,
    LossConfig,
    MeshConfig,
    OptimizerConfig,
    RolloutConfig,
    StageConfig,
    to_dict,
)
from perc_jax.mesh import sharding
from perc_jax.model.lora import split
from perc_jax.programs import compiled as programs
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.rollout import sampling
from perc_jax.update import grpo, packing
from perc_jax.update.optimizer import path_name
from perc_jax.update.update import (
    TrainState,
    make_gradient,
    make_loss,
    make_reference,
    make_reference_score,
    make_score,
)
from tests import whole_runs
from tests.model.cases import Draws, build, compiled, fitted, random_params, relative, small_config

MODEL = small_config(layers=1, depth=1, full=(0,))
CASE = fitted(MODEL, [[3, (4, 4), 4], [2, (4, 4), 3], [5], [7], [1, (4, 4)], [4, (4, 4)], [9], [2]])
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
PROMPTS, GROUP, LENGTH = len(CASE.prompts), 2, 5
LOSS = LossConfig(kl_coef=0.3)
SHAPE = (PROMPTS, GROUP, LENGTH)


def train_batch(reference=None) -> TrainBatch:
    """Group 5 has no signal."""
    draws = Draws(2)
    mask = np.arange(LENGTH) < draws.whole(1, LENGTH + 1, *SHAPE[:2])[..., None]
    advantages = draws.real(*SHAPE[:2])
    advantages[5] = 0
    tokens, logprobs = draws.whole(5, 60, *SHAPE), np.where(mask, -np.abs(draws.real(*SHAPE)), 0)
    return TrainBatch(build(CASE, 3).batch, tokens, mask, logprobs, advantages, reference)


def gradient_of(terms: LossConfig):
    """`gradient(params, batch) -> gradient, sums` of the whole batch, divided by its trained tokens."""
    gradient = make_gradient(make_loss(MODEL, IDS, kind="grpo", terms=terms))

    def whole(params, batch):
        return gradient(params, batch, grpo.normaliser(batch.mask, batch.advantages, terms), GROUP * LENGTH)

    return compiled(whole)


def test_the_term_adds_its_own_gradient():
    """With k3 on top of the policy loss, against the formula over the scores, in plain jax."""
    params, reference = random_params(MODEL, 1), -np.abs(Draws(9).real(*SHAPE)) - 3
    batch = train_batch(reference)
    score, given = make_score(MODEL, IDS, sampling.Draws()), jax.tree.map(jnp.asarray, (batch.prompts, batch.tokens))
    counted = batch.mask & np.any(batch.advantages, axis=1)[:, None, None]

    def term(params):
        difference = reference - score(params, *given)
        return 0.3 * jnp.sum(jnp.where(counted, jnp.exp(difference) - 1 - difference, 0)) / counted.sum()

    value, alone = compiled(jax.value_and_grad(term))(params)
    (without, sums), (found, other_sums) = (gradient_of(terms)(params, batch) for terms in (LossConfig(), LOSS))
    assert float(other_sums.loss - sums.loss) / counted.sum() == pytest.approx(float(value), rel=1e-4)
    leaves = zip(*map(jax.tree.leaves, (found, without, alone)), strict=True)
    for (path, _), (whole, part, rest) in zip(jax.tree_util.tree_leaves_with_path(params), leaves, strict=True):
        assert relative(whole, part + rest) <= 1e-4, path_name(path)


def test_what_is_kept_scores_as_the_parameters_did():
    """In bfloat16 the copy is half as large and says the same in all bits, whatever becomes of the parameters."""
    model = dataclasses.replace(MODEL, dtype="bfloat16")
    params, frozen = jax.tree.map(jnp.asarray, random_params(model, 1)), ("^vision/",)
    kept = compiled(make_reference(model, frozen))(params)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(kept)} == {"bfloat16"}
    assert len(jax.tree.leaves(kept)) == len(jax.tree.leaves(params["text"]))
    batch = train_batch()._replace(mask=np.ones(SHAPE, bool))
    wanted = compiled(make_score(model, IDS, sampling.Draws()))(params, batch.prompts, batch.tokens)
    moved = params | {"text": jax.tree.map(lambda leaf: leaf + 1, params["text"])}
    score = compiled(
        functools.partial(make_reference_score(model, IDS, sampling.Draws(), frozen), width=GROUP * LENGTH)
    )
    assert np.array_equal(score(moved, kept, batch), wanted)


def test_in_narrow_rows_the_reference_says_the_same():
    params, batch = random_params(MODEL, 1), train_batch()
    kept, score = compiled(make_reference(MODEL, ()))(params), make_reference_score(MODEL, IDS, sampling.Draws(), ())
    widest = int(packing.lengths(batch.mask).sum(axis=1).max())
    assert widest < GROUP * LENGTH
    found, wanted = (
        compiled(functools.partial(score, width=width))(params, kept, batch) for width in (widest, GROUP * LENGTH)
    )
    np.testing.assert_allclose(found[batch.mask], wanted[batch.mask], atol=1e-5)


# --- in a run's programs, with a whole model and with adapters ------------------------------------------------------

STAGE = StageConfig("grpo", "grpo", 4, PROMPTS, OptimizerConfig(1e-2), group_size=GROUP, loss=LOSS)
RUNS = {  # adapters, devices
    "whole": (LoraConfig(), 1),
    "adapters": (LoraConfig(rank=2, alpha=4.0, targets=("all",)), 8),
}


def config_of(adapters: LoraConfig) -> Config:
    patches, tokens = CASE.patches, CASE.tokens
    return Config(
        name="kl",
        model=dataclasses.replace(MODEL, lora=adapters),
        data=DataConfig("debug.model", 16, tokens, patches, "", workers=0),
        rollout=RolloutConfig(max_tokens=LENGTH),
        stages=(STAGE,),
        evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=(5,), batch=PROMPTS),
    )


@pytest.fixture(params=[RUNS["whole"], pytest.param(RUNS["adapters"], marks=pytest.mark.slow)], ids=RUNS)
def run(request, monkeypatch):
    """Programs of a stage without its rollout, and the state that it begins with."""
    monkeypatch.setattr(programs, "Generation", lambda *_: None)
    adapters, devices = request.param
    config, mesh = config_of(adapters), sharding.make_mesh(MeshConfig(), jax.devices()[:devices])
    all_programs = programs.Programs(config, IDS, mesh, greedy=False)
    stage = all_programs.stage(STAGE)
    step, key = sharding.same_to_mesh((np.int32(0), np.array([0, 0], np.uint32)), all_programs.mesh)
    return config, all_programs, stage, stage.begin(TrainState(all_programs.init_params(), (), step, key))


def bits(tree) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_the_policy_leaves_its_reference_and_resumes_in_all_bits(run, tmp_path):
    config, all_programs, stage, state = run
    batch = sharding.rows_to_mesh(train_batch(), all_programs.mesh)
    first = bits(state.reference)
    trained = split(state.params)[1] if config.model.lora.rank else state.params
    assert first == bits(trained)
    divergences, plan = [], stage.plan(*(np.asarray(mask) for mask in (batch.prompts.mask, batch.mask)))
    for _ in range(2):
        state, [metrics] = stage.update(state, batch, plan)
        divergences.append(float(metrics["train/kl"]))
    assert divergences[0] == pytest.approx(0, abs=1e-6) and divergences[1] > 1e-4
    assert bits(state.reference) == first
    checkpoints = Checkpoints(str(tmp_path), keep=1)
    checkpoints.save(2, state, {"stage": 0}, to_dict(config))
    checkpoints.wait()
    again, _ = checkpoints.restore(stage.state, to_dict(config))
    checkpoints.close()
    assert bits(again) == bits(state)
    found, wanted = stage.update(again, batch, plan), stage.update(state, batch, plan)
    assert bits(found) == bits(wanted)


@pytest.mark.slow
def test_a_run_with_both_resumes_in_all_bits(tmp_path):
    """Adapters from the start, a KL term in the second stage; stopped within it."""
    settings = ("--model.lora.rank", "4", "--model.lora.targets", "all", "--stages.1.loss.kl-coef", "0.1")
    ended = whole_runs.finished(tmp_path / "run", *settings, cache=tmp_path / "cache")
    whole = whole_runs.Reference(tmp_path / "run", ended, tmp_path / "cache")
    again = whole_runs.copy_at(whole, tmp_path / "again", step=8)
    whole_runs.finished(again, *settings, cache=tmp_path / "cache")
    whole_runs.assert_same(tmp_path / "run", again)
    divergences = [line["train/kl"] for line in whole_runs.metrics(again) if line["stage"] == "grpo"]
    assert abs(divergences[0]) < 1e-6 < abs(divergences[-1])
    leaves = whole_runs.leaves(again, 10)
    assert any(name.startswith("reference/") for name in leaves)
    assert {name for name in leaves if name.endswith("lora_a")} and not any(
        "nu/" in name and "kernel" in name for name in leaves
    )
