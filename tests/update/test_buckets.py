"""Smaller buckets: a prompt gives the same in any that holds it, and each micro-batch takes the smallest."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perc_jax.batch import TrainBatch
from perc_jax.rollout.sampling import Draws
from perc_jax.update import packing
from perc_jax.update.rows import in_buckets
from perc_jax.update.update import make_encode, make_encode_rows, make_update
from tests.model.cases import compiled, random_params
from tests.update import test_sft
from tests.update.test_update import CONFIG, GRADIENT, IDS, STAGE, WIDTH, assert_gradients_close, program, train_batch

# Of the eight prompts of 5 to 22 tokens and 0 to 48 patch slots, some fit each.
SHAPES = ((9, 16), (16, 32), (22, 64))
TWO = SHAPES[1:]  # each bucket is a program of its own


@pytest.fixture(scope="module")
def params() -> dict:
    return random_params(CONFIG, seed=1)


def places(batch: TrainBatch, shapes=SHAPES) -> np.ndarray:
    found = functools.partial(in_buckets, shapes=shapes)
    return np.asarray(jax.jit(found)(batch.prompts.mask, batch.prompts.patch_image))


def test_the_smallest_bucket_holds_tokens_and_pictures():
    prompts = train_batch().prompts
    found = places(train_batch())
    assert set(found) == {0, 1, 2}
    for row, place in enumerate(found):
        tokens, slots = SHAPES[place]
        assert prompts.mask[row, -tokens:].sum() == prompts.mask[row].sum()
        assert not (prompts.patch_image[row, slots:] >= 0).any()
        if place:
            tokens, slots = SHAPES[place - 1]
            fits = prompts.mask[row].sum() <= tokens and not (prompts.patch_image[row, slots:] >= 0).any()
            assert not fits
        inside = prompts.image_slots[row][prompts.image_slots[row] >= 0]
        assert (inside < SHAPES[place][1] // 4).all()  # its merged tokens are there


def test_a_prompt_has_the_same_loss_and_gradient_in_any_bucket_that_holds_it(params):
    """Within 1e-5 of the largest: padding is neither seen nor counted, though it is filled with junk."""
    batch, found = train_batch(), places(train_batch(), TWO)
    for row in np.flatnonzero(found == 0)[::2]:  # as often as makes a batch
        one = jax.tree.map(lambda leaf, row=row: np.asarray(leaf)[np.full(len(found), row)], batch)
        wanted, sums, _ = GRADIENT(params, one)
        gradient, others, _ = GRADIENT(params, one._replace(prompts=one.prompts.within(TWO[0])))
        np.testing.assert_allclose(others, sums, rtol=1e-5, atol=1e-6)
        assert_gradients_close(gradient, wanted, 1e-5)


def run(update, params, batch, plan, shapes, *said):
    """The progress of an update whose micro-batches are each in their bucket."""
    progress = compiled(update.begin)(params, batch.mask, batch.advantages, np.int32(0), *said)
    for width, rows, bucket in plan.updates[0]:
        gradient = program(update.gradient, width=width, bucket=shapes[bucket])
        progress = gradient(params, (), progress, batch, rows.astype(np.int32))
    return progress


def plan_of(batch, stage, shapes, widths):
    return packing.plan(
        np.asarray(batch.prompts.mask).sum(axis=1),
        packing.lengths(np.asarray(batch.mask)).sum(axis=1),
        np.ones(len(batch.mask), bool),
        places(batch, shapes),
        devices=1,
        prompt_width=tuple(tokens for tokens, _ in shapes),
        widths=widths,
        micro_batches=stage.micro_batches,
    )


def test_micro_batches_in_buckets_equal_the_whole_batch(params):
    batch, stage = train_batch(), dataclasses.replace(STAGE, micro_batches=4)
    plan = plan_of(batch, stage, TWO, (WIDTH,))
    assert {micro.bucket for micro in plan.updates[0]} == {0, 1}
    whole, sums, total = GRADIENT(params, batch)
    progress = run(make_update(CONFIG, stage, IDS, optax.identity(), Draws()), params, batch, plan, TWO)
    assert float(progress.total) == float(total)
    assert_gradients_close(progress.gradient, whole, 1e-5)
    np.testing.assert_allclose(progress.sums, sums, rtol=1e-5)


def test_chats_in_buckets_are_learned_alike(params):
    """What carries loss within prompts stays at its token where a row is cut to its bucket."""
    batch, shapes = test_sft.chat_batch(), ((32, 48), (40, 96))
    stage = dataclasses.replace(test_sft.STAGE, micro_batches=4, row_widths=())
    plan = plan_of(batch, stage, shapes, (test_sft.LENGTH,))
    assert {micro.bucket for micro in plan.updates[0]} == {0, 1}
    rows = [test_sft.rows(batch, number) for number in range(len(batch.mask))]
    alone = [jax.device_get(test_sft.GRADIENT(params, row)) for row in rows]
    total = batch.mask.sum() + batch.said.sum()
    wanted = jax.tree.map(lambda *leaves: sum(leaves) / total, *(gradient for gradient, _ in alone))
    sums = jax.tree.map(lambda *leaves: sum(leaves), *(sums for _, sums in alone))
    sums = sums._replace(mismatch_max=max(sums.mismatch_max for _, sums in alone))
    update = make_update(CONFIG, stage, IDS, optax.identity(), Draws())
    progress = run(update, params, batch, plan, shapes, batch.said)
    assert_gradients_close(progress.gradient, wanted, 1e-5)
    np.testing.assert_allclose(progress.sums, sums, rtol=1e-5)


def test_pictures_are_seen_alike_in_buckets(params):
    prompts = train_batch().prompts
    wanted = compiled(make_encode(CONFIG))(params, prompts)
    features, some = jnp.zeros_like(wanted), make_encode_rows(CONFIG)
    shown = np.zeros(wanted.shape[:2], bool)
    for _, rows, bucket in packing.in_turn(places(train_batch(), TWO), 1, 4):
        encode = program(some, bucket=TWO[bucket])
        features = encode(params, prompts, features, rows.astype(np.int32))
    for row, slots in enumerate(prompts.image_slots):
        shown[row, slots[slots >= 0]] = True
    np.testing.assert_allclose(np.asarray(features)[shown], np.asarray(wanted)[shown], rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([(1, 1, 1), (1, 4, 1), (2, 2, 1), (4, 1, 2), (2, 2, 2)]), st.integers(0, 2**16))
def test_every_group_is_once_in_the_smallest_bucket_of_those_beside_it(shape, seed):
    devices, micro_batches, updates = shape
    rng = np.random.default_rng(seed)
    tokens, buckets, signal = rng.integers(0, 30, 16), rng.integers(0, 3, 16), rng.random(16) < 0.8
    widths, prompt_widths = (10, 30), (4, 7, 9)
    plan = packing.plan(
        np.full(16, 3),
        tokens,
        signal,
        buckets,
        devices=devices,
        prompt_width=prompt_widths,
        widths=widths,
        micro_batches=micro_batches,
        updates=updates,
    )
    own, needed, places_of = tokens.reshape(devices, -1), buckets.reshape(devices, -1), 0
    for part, micros in enumerate(plan.updates):
        rows = np.concatenate([micro.rows for micro in micros], axis=1)
        for device in range(devices):
            mine = rows[device].tolist()
            assert len(set(mine)) == len(mine) and all(row % updates == part for row in mine)
            computed = signal.reshape(devices, -1)[device]
            assert {row for row in np.flatnonzero(computed) if row % updates == part} <= set(mine)
        for width, rows, bucket in micros:
            assert bucket == np.take_along_axis(needed, rows, axis=1).max()
            assert width >= np.take_along_axis(own, rows, axis=1).max()
            places_of += rows.size * (width + prompt_widths[bucket])
        assert [micro.bucket for micro in micros] == sorted((micro.bucket for micro in micros), reverse=True)
    computed = sum(micro.rows.size for micros in plan.updates for micro in micros)
    held = 3 * computed + sum(np.take_along_axis(own, m.rows, axis=1).sum() for ms in plan.updates for m in ms)
    assert plan.padding_share == pytest.approx(1 - held / places_of)
