"""k answers to a batch: the run's own greedy ones, by id and not by place, the same on one device and on eight."""

import dataclasses

import jax
import numpy as np
import pytest

from perc_jax.config import MeshConfig
from perc_jax.data import batches, streams
from perc_jax.evaluation.answering import Respondent, way_here
from perc_jax.mesh import sharding
from perc_jax.programs.compiled import Programs
from tests.programs.test_programs import CONFIG, TOKENS

COUNT, SAMPLES = 8, 3


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs(CONFIG, TOKENS.ids)


@pytest.fixture(scope="module")
def params(programs):
    return programs.publish(programs.init_params())


@pytest.fixture(scope="module")
def batch() -> batches.Batch:
    with streams.exam(CONFIG, streams.of_suite(CONFIG, "test_a", COUNT)) as stream:
        return next(stream)


def ids_of(batch: batches.Batch) -> list[str]:
    return [info.sample_id for info in batch.samples]


@pytest.fixture(scope="module")
def sampled(programs, params, batch):
    respondent = Respondent(CONFIG, programs, params, TOKENS, samples=SAMPLES, temperature=1.0, seed=5)
    return respondent, respondent.sample_k(batch.prompts, ids_of(batch))


def test_greedy_replies_are_the_runs_own(programs, params, batch):
    found = Respondent(CONFIG, programs, params, TOKENS).sample_k(batch.prompts, ids_of(batch))
    own = programs.greedy(params, batch.prompts)
    texts = [TOKENS.decode(row[0, keep[0]].tolist()) for row, keep in zip(own.tokens, own.mask, strict=True)]
    assert [reply.text for [reply] in found] == texts
    assert [reply.ended for [reply] in found] == own.ended[:, 0].tolist()
    assert [reply.tokens for [reply] in found] == own.mask.sum(axis=2)[:, 0].tolist()


def test_replies_depend_on_the_id_and_the_seed_and_not_on_the_place(programs, params, batch, sampled):
    respondent, found = sampled
    assert all(len(replies) == SAMPLES for replies in found) and len({reply.text for reply in found[0]}) > 1
    turned = jax.tree.map(lambda rows: rows[::-1], batch.prompts)
    assert respondent.sample_k(turned, ids_of(batch)[::-1]) == found[::-1]
    assert respondent.sample_k(batch.prompts, [f"{name}?" for name in ids_of(batch)]) != found
    other = Respondent(CONFIG, programs, params, TOKENS, samples=SAMPLES, temperature=1.0, seed=6)
    other._samplers = respondent._samplers  # the compiled programs do not know the seed
    assert other.sample_k(batch.prompts, ids_of(batch)) != found


def test_one_device_replies_as_eight(params, batch, sampled):
    one = sharding.make_mesh(MeshConfig(), jax.devices()[:1])
    programs = Programs(dataclasses.replace(CONFIG, stages=()), TOKENS.ids, one, greedy=False)
    target = programs.blueprints.rollout_params
    here = jax.tree.map(lambda leaf, like: jax.device_put(np.asarray(leaf), like.sharding), params, target)
    respondent = Respondent(CONFIG, programs, here, TOKENS, samples=SAMPLES, temperature=1.0, seed=5)
    assert respondent.sample_k(batch.prompts, ids_of(batch)) == sampled[1]


def test_the_first_logprob_needs_no_decoding_and_sees_the_picture(programs, params, batch):
    respondent = Respondent(CONFIG, programs, params, TOKENS)
    found = respondent.first_logprobs(batch.prompts)
    own = programs.greedy(params, batch.prompts).logprobs[:, 0, 0]
    np.testing.assert_allclose(found, own, atol=1e-5)
    blank = batch.prompts._replace(pixels=np.zeros_like(batch.prompts.pixels))
    assert np.abs(respondent.first_logprobs(blank) - found).max() > 0


def test_a_machine_or_a_bucket_that_does_not_allow_a_way_of_attention_gets_another():
    assert way_here("dense", 2048, 64) == "dense"
    assert way_here("dense", 2048, 4096) == way_here("splash", 128, 4096) == "blockwise"
    assert way_here("blockwise", 64, 64) == "blockwise"
    assert way_here("splash", 64, 64) == "dense"
