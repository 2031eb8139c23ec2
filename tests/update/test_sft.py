"""Supervised steps on chats: a row with all the assistant's turns = a row for each of them, alone or in one batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from perc_jax.batch import PromptBatch, TokenIds, TrainBatch
from perc_jax.config import MixtureConfig, OptimizerConfig, StageConfig, TableConfig
from perc_jax.rollout.sampling import Draws
from perc_jax.update import sft
from perc_jax.update.update import make_gradient, make_loss, make_update
from tests.model.cases import Case, build, compiled, random_params, relative, small_config
from tests.update.test_update import assert_gradients_close

CONFIG = small_config(depth=1, full=(0,))
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
# What the user says with pictures, 3 or 4 tokens that the assistant says, and what the user says then, also with some.
PARTS = [
    [[3, (8, 6), 2], 3, [4]],
    [[2, (6, 4), 1, (4, 4), 1], 4, [2, (4, 6), 1]],
    [[5], 3, [1]],
    [[1, (4, 4), 1], 4, [6]],
]
CASE = Case(CONFIG, [[*first, said, *then] for first, said, then in PARTS], 40, 96)
LENGTH = 6
STAGE = StageConfig(
    *("chats", "sft", 1, len(PARTS)),
    optimizer=OptimizerConfig(1e-3),
    mixture=MixtureConfig((), (), tables=(TableConfig("chats.jsonl"),)),
    micro_batches=2,
    row_widths=(4,),
)
LOSS = make_loss(CONFIG, IDS, kind="sft")
GRADIENT = compiled(lambda params, batch: make_gradient(LOSS)(params, batch, jnp.float32(1), LENGTH))


def places(number: int) -> tuple[int, int]:
    """First and last column + 1 of what the assistant says in a prompt."""
    _, said, then = PARTS[number]
    then = _length(then)
    return CASE.tokens - then - said, CASE.tokens - then


def _length(parts: list) -> int:
    return sum(part if isinstance(part, int) else part[0] * part[1] // 4 for part in parts)


def chat_batch() -> TrainBatch:
    """Each prompt with what is said in it, and completions of 3 to 5 tokens."""
    rng, count = np.random.default_rng(0), len(PARTS)
    said = np.zeros((count, CASE.tokens), bool)
    for number in range(count):
        said[number, slice(*places(number))] = True
    mask = np.arange(LENGTH) < np.array([5, 3, 4, 5])[:, None]
    return sft.lesson(rng.integers(5, 60, mask.shape).astype(np.int32), mask, said)._replace(
        prompts=build(CASE, 3).batch
    )


def earlier(batch: TrainBatch, number: int) -> TrainBatch:
    """The row of a prompt up to what the assistant says in it, with that as its completion."""
    begin, end = places(number)
    one = jax.tree.map(lambda leaf: np.asarray(leaf)[number : number + 1], batch.prompts)

    def shifted(values, fill):
        return np.concatenate(
            [np.full((*values.shape[:-1], CASE.tokens - begin), fill, values.dtype), values[..., :begin]], axis=-1
        )

    prompts = PromptBatch(
        tokens=shifted(one.tokens, 0),
        mask=shifted(one.mask, False),
        positions=shifted(one.positions, 0),
        next_position=one.positions[:, 0, begin],
        image_slots=shifted(one.image_slots, -1),
        pixels=one.pixels,
        patch_rowcol=one.patch_rowcol,
        patch_image=one.patch_image,
    )
    tokens = np.zeros((1, LENGTH), np.int32)
    tokens[0, : end - begin] = one.tokens[0, begin:end]
    return sft.lesson(tokens, np.arange(LENGTH)[None] < end - begin, None)._replace(prompts=prompts)


@pytest.fixture(scope="module")
def params() -> dict:
    return random_params(CONFIG, seed=1)


def rows(batch: TrainBatch, *numbers: int) -> TrainBatch:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[list(numbers)], batch)


def test_what_rollouts_draw_from_is_nothing_to_gold_answers(params):
    """Temperature and nucleus are of GRPO: here the loss is that of the model's own distribution, in every bit."""
    batch = chat_batch()
    loss = make_loss(CONFIG, IDS, kind="sft", draws=Draws(1.3, 0.5))
    gradient = compiled(lambda params, batch: make_gradient(loss)(params, batch, jnp.float32(1), LENGTH))
    for mine, wanted in zip(
        jax.tree.leaves(gradient(params, batch)), jax.tree.leaves(GRADIENT(params, batch)), strict=True
    ):
        np.testing.assert_array_equal(mine, wanted)


def test_all_turns_in_one_row_are_a_row_for_each_turn(params):
    """Loss, tokens and gradient of each chat within 1e-5, with pictures before and behind what is said."""
    batch = chat_batch()
    for number in range(len(PARTS)):
        found, sums = GRADIENT(params, rows(batch, number))
        before, first = GRADIENT(params, earlier(batch, number))
        last, second = GRADIENT(params, rows(batch, number)._replace(said=None))
        assert float(sums.loss) == pytest.approx(float(first.loss) + float(second.loss), rel=1e-5)
        assert float(sums.entropy) == pytest.approx(float(first.entropy) + float(second.entropy), rel=1e-5)
        assert float(sums.tokens) == float(first.tokens) + float(second.tokens)
        assert_gradients_close(found, jax.tree.map(np.add, before, last), 1e-5)


def test_a_packed_row_is_the_row_alone(params):
    """Micro-batches in narrow rows add up to what each chat gives by itself, over all tokens that carry loss."""
    batch = chat_batch()
    update = make_update(CONFIG, STAGE, IDS, optax.identity(), Draws())
    progress = compiled(update.begin)(params, batch.mask, batch.advantages, np.int32(0), batch.said)
    total = batch.mask.sum() + batch.said.sum()
    assert float(progress.total) == float(progress.trained) == total
    for width, chosen in ((4, [[2, 1]]), (LENGTH, [[0, 3]])):
        gradient = compiled(functools.partial(update.gradient, width=width))
        progress = gradient(params, (), progress, batch, np.array(chosen, np.int32))
    alone = [jax.device_get(GRADIENT(params, rows(batch, number))) for number in (2, 1, 0, 3)]
    whole = jax.tree.map(lambda *leaves: sum(leaves) / total, *(gradient for gradient, _ in alone))
    assert_gradients_close(progress.gradient, whole, 1e-5)
    assert float(progress.sums.loss) == pytest.approx(sum(float(sums.loss) for _, sums in alone), rel=1e-5)


def test_what_nobody_says_carries_no_loss(params):
    """Without marks in the prompts a chat is its last turn, and what stands elsewhere in them teaches nothing."""
    batch = rows(chat_batch(), 1)
    none = batch._replace(said=np.zeros_like(batch.said))
    found, sums = GRADIENT(params, none)
    wanted, others = GRADIENT(params, none._replace(said=None))
    np.testing.assert_allclose(sums, others, rtol=1e-6)
    assert_gradients_close(found, wanted, 1e-5)  # another program: sums in another order
    assert (
        relative(GRADIENT(params, batch)[0]["text"]["embed"]["embedding"], wanted["text"]["embed"]["embedding"]) > 0.1
    )
