"""Properties of the advantages and the losses, against numbers worked by hand in plain Python."""

import functools
import math
import re
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.config import LossConfig
from perc_jax.update import grpo

# One prompt, two completions of 2 and 1 tokens, advantages +1 and -2. Ratios to the sampler: 1.5, 0.75 and 2.
NOW, THEN = [[0.6, 0.3], [0.5, 0.9]], [[0.4, 0.4], [0.25, 0.1]]
ADVANTAGES = jnp.array([[1.0, -2.0]])
MASK = jnp.array([[[True, True], [True, False]]])
GSPO_RATIO = math.sqrt(1.5 * 0.75)  # of the first completion; the second's is 2
CASES = {  # settings: (loss sum, gradient by token, tokens clipped) off-policy
    # Clipped at 1.2: no gradient; 0.75 is not clipped from below where A > 0; nor 2 from above where A < 0.
    "grpo": (LossConfig(), -(1.2 + 0.75 - 2 * 2), [0, -0.75, 4], 1),
    "higher": (LossConfig(clip_high=0.6), -(1.5 + 0.75 - 4), [-1.5, -0.75, 4], 0),
    "dual": (LossConfig(dual_clip=1.75), -(1.2 + 0.75 - 2 * 1.75), [0, -0.75, 0], 2),
    "dual, far": (LossConfig(dual_clip=3.0), -(1.2 + 0.75 - 4), [0, -0.75, 4], 1),
    "means": (
        LossConfig(aggregation="completion_mean"),
        -((1.2 + 0.75) / 2 - 4),
        [0, -0.75 / 2, 4],
        1,
    ),
    "constant": (LossConfig(aggregation="constant"), -(1.2 + 0.75 - 4) / 2, [0, -0.75 / 2, 2], 1),
    "gspo": (
        LossConfig(objective="gspo", aggregation="completion_mean"),
        -(GSPO_RATIO - 2 * 2),
        [-GSPO_RATIO / 2, -GSPO_RATIO / 2, 4],
        0,
    ),
    "gspo, clipped": (
        LossConfig(objective="gspo", aggregation="completion_mean", clip_high=0.01),
        -(1.01 - 4),
        [0, 0, 4],
        2,
    ),
    # Weights 1.2, 0.8 and 1.2: every clipped token keeps its gradient.
    "cispo": (
        LossConfig(objective="cispo"),
        -(1.2 * math.log(0.6) + 0.8 * math.log(0.3) - 2 * 1.2 * math.log(0.5)),
        [-1.2, -0.8, 2.4],
        3,
    ),
    "truncated": (
        LossConfig(objective="cispo", clip_low=1.0, clip_high=0.75),
        -(1.5 * math.log(0.6) + 0.75 * math.log(0.3) - 2 * 1.75 * math.log(0.5)),
        [-1.5, -0.75, 3.5],
        1,
    ),
}
SETTINGS = pytest.mark.parametrize("settings", [case[0] for case in CASES.values()], ids=CASES)


def logs(probabilities) -> jax.Array:
    return jnp.log(jnp.array([probabilities], jnp.float32))


def loss_of(settings, *, on_policy=False, then=None, advantages=ADVANTAGES, mask=MASK):
    """The loss sum as a function of the log-probabilities alone."""
    then = logs(THEN) if then is None else then
    return lambda now: grpo.policy_loss_sum(now, then, advantages, mask, settings, on_policy=on_policy).total


@functools.cache
def program(settings, on_policy=False):
    """Of `now, then, advantages, mask`: the loss sum with its gradient, and what was clipped; compiled once."""

    def both(now, then, advantages, mask):
        def total(now):
            found = grpo.policy_loss_sum(now, then, advantages, mask, settings, on_policy=on_policy)
            return found.total, found.clipped

        return jax.value_and_grad(total, has_aux=True)(now)

    return jax.jit(both)


def random_case(seed=0, shape=(5, 4, 6)):
    """Log-probabilities now and then, advantages and a mask; ratios from 0.4 to 2.5."""
    rng = np.random.default_rng(seed)
    now = -rng.random(shape).astype(np.float32) - 0.1
    mask = np.arange(shape[2]) < rng.integers(1, shape[2] + 1, shape[:2])[..., None]
    moved = rng.uniform(-0.9, 0.9, shape).astype(np.float32)
    return jnp.array(now), jnp.array(now + moved), jnp.array(rng.normal(size=shape[:2]), jnp.float32), jnp.array(mask)


# --- advantages ----------------------------------------------------------------------------------------------------


def test_advantages_equal_the_hand_worked_group():
    # rewards 1 0 0 1: mean 0.5, deviation 0.5. rewards 1 0 0 0: mean 0.25, deviation sqrt(3)/4.
    rewards = np.array([[1, 0, 0, 1], [1, 0, 0, 0]], np.float32)
    result = grpo.group_advantages(rewards)
    root3 = np.sqrt(3)
    expected = [[1, -1, -1, 1], [root3, -1 / root3, -1 / root3, -1 / root3]]
    np.testing.assert_allclose(result.advantages, expected, rtol=1e-6)
    assert result.has_signal.tolist() == [True, True]


def test_centred_advantages_are_not_divided():
    rewards = np.array([[1, 0, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], np.float32)
    result = grpo.group_advantages(rewards, standardise=False)
    assert result.advantages.tolist() == [[0.5, -0.5, -0.5, 0.5], [0.75, -0.25, -0.25, -0.25], [0] * 4]
    assert result.has_signal.tolist() == [True, True, False]


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e-7, 1e7])
def test_equal_rewards_give_exactly_zero_advantage_and_no_signal(value, standardise):
    rewards = np.array([[value] * 7, [0, 1, 0, 0, 0, 0, 0]], np.float32)
    result = grpo.group_advantages(rewards, standardise=standardise)
    assert np.all(result.advantages[0] == 0)
    assert result.has_signal.tolist() == [False, True]


@pytest.mark.parametrize("of", [np.array, jnp.array])
def test_what_float32_makes_of_equal_sums_of_terms_is_no_signal(of):
    weights, terms = np.array([0.7, 0.4, 0.3], np.float32), [(1, 0, 0), (0, 1, 1)] * 4  # 0.7 by two ways
    rewards = np.array(
        [[sum(np.float32(w) * np.float32(t) for w, t in zip(weights, one, strict=True)) for one in terms]]
    )
    assert len(set(rewards[0].tolist())) == 2, "these must differ in the last place"
    result = grpo.group_advantages(of(rewards.astype(np.float32)))
    assert np.all(np.asarray(result.advantages) == 0) and not result.has_signal[0]
    least = grpo.group_advantages(of(np.array([[0.7, 0.7001]], np.float32)))
    assert least.has_signal[0] and np.allclose(least.advantages, [[-1, 1]], atol=1e-2)


def test_numpy_and_jax_give_the_same_advantages():
    rewards = np.random.default_rng(0).random((5, 8)).astype(np.float32)
    host, device = grpo.group_advantages(rewards), grpo.group_advantages(jnp.array(rewards))
    np.testing.assert_allclose(host.advantages, device.advantages, rtol=1e-5)
    assert host.advantages.dtype == np.float32


def test_advantages_per_reward_keep_what_a_sum_of_rewards_drowns():
    # (accuracy, format) 1 1, 1 0, 0 1, 0 0: standardised each +-1, the second at half weight.
    accuracy, form = np.array([[[1, 1, 0, 0]], [[1, 0, 1, 0]]], np.float32)
    result = grpo.per_reward_advantages(np.stack([accuracy, form]), np.array([1.0, 0.5], np.float32))
    assert result.advantages.tolist() == [[1.5, 0.5, -0.5, -1.5]]
    # A reward that all earn, however large, adds exactly nothing, and alone it is no signal.
    certain = np.full((1, 4), 100.1, np.float32)
    result = grpo.per_reward_advantages(np.stack([accuracy, certain]), np.array([1.0, 0.5], np.float32))
    assert result.advantages.tolist() == [[1, 1, -1, -1]] and result.has_signal.tolist() == [True]
    result = grpo.per_reward_advantages(certain[None], np.array([1.0], np.float32))
    assert result.advantages.tolist() == [[0] * 4] and result.has_signal.tolist() == [False]


def test_the_overlong_penalty_falls_within_its_tokens():
    lengths = np.array([[1, 8, 9, 10, 12]], np.float32)
    assert grpo.overlong_penalty(lengths, 12, 4).tolist() == [[0, 0, -0.25, -0.5, -1]]
    assert grpo.overlong_penalty(lengths, 12, 12)[0, 4] == -1 == grpo.overlong_penalty(lengths, 12, 1)[0, 4]


# --- losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_loss_gradient_and_clipping_equal_the_hand_worked_numbers(name):
    settings, value, gradient, clipped = CASES[name]
    (loss, count), found = program(settings)(logs(NOW), logs(THEN), ADVANTAGES, MASK)
    assert float(loss) == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(found[0].reshape(-1), [*gradient, 0], rtol=1e-5, atol=1e-6)
    assert float(count) == clipped


def test_on_policy_the_ratio_is_one_whatever_the_sampler_said():
    # The value is -(1 + 1 - 2) = 0; the gradient by log-probability is minus the advantage, 0 at padding.
    loss, gradient = jax.value_and_grad(loss_of(LossConfig(), on_policy=True))(logs(NOW))
    assert float(loss) == 0
    assert gradient.tolist() == [[[-1.0, -1.0], [2.0, 0.0]]]
    gspo = LossConfig(objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4)
    loss, gradient = jax.value_and_grad(loss_of(gspo, on_policy=True))(logs(NOW))
    assert float(loss) == 1
    assert gradient.tolist() == [[[-0.5, -0.5], [2.0, 0.0]]]


@pytest.mark.parametrize("compiled", [False, True])
def test_on_policy_grpo_is_the_plain_loss_bit_for_bit(compiled):
    now, then, advantages, mask = random_case(shape=(16, 8, 12))

    def plain(now):
        ratio = jnp.exp(now - jax.lax.stop_gradient(now))
        return -jnp.sum(jnp.where(mask, ratio * advantages[:, :, None], 0.0))

    both = [plain, loss_of(LossConfig(), on_policy=True, then=then, advantages=advantages, mask=mask)]
    both = [jax.value_and_grad(one) for one in both]
    (loss, gradient), (found, other) = (jax.jit(one)(now) if compiled else one(now) for one in both)
    assert loss == found and loss != 0
    assert (gradient == other).all() and (gradient != 0).any()


@SETTINGS
def test_gradients_equal_finite_differences(settings):
    """In float64. CISPO's weight is held, as its formula says, by moving the sampler with the trainer."""
    now, then, advantages, mask = random_case()
    with jax.enable_x64(True):
        now, then, advantages = (jnp.array(x, jnp.float64) for x in (now, then, advantages))

        def total(now, then):
            return loss_of(settings, then=then, advantages=advantages, mask=mask)(now)

        value, gradient = jax.jit(total), np.asarray(jax.jit(jax.grad(total))(now, then))
        for place in [(0, 0, 0), (1, 2, 0), (2, 3, 0), (4, 1, 0), (3, 0, 5)]:
            step = np.zeros(now.shape)
            step[place] = 1e-6
            held = step if settings.objective == "cispo" else 0.0
            slope = (value(now + step, then + held) - value(now - step, then - held)) / 2e-6
            assert float(slope) == pytest.approx(gradient[place], rel=1e-4, abs=1e-7), place


def recipes() -> dict[str, LossConfig]:
    """The losses of perc_jax/README.md, by method."""
    text = (Path(grpo.__file__).parents[1] / "README.md").read_text()
    rows = text.partition("| method | `loss = LossConfig(…)` |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    pairs = (map(str.strip, row.split("|")[1:3]) for row in rows)
    return {name: eval(f"LossConfig({fields.strip('`')})") for name, fields in pairs}


def test_the_recipes_that_are_told_are_what_they_say():
    """CISPO (arXiv 2506.13585) bounds a weight from above alone; the config's own words name the same recipes."""
    told = recipes()
    assert len(told) == 8 and told["GRPO with a token mean (default)"] == LossConfig()
    now, then = jnp.log(jnp.full((1, 1, 1), 0.001)), jnp.log(jnp.full((1, 1, 1), 0.5))
    found = grpo.policy_loss_sum(now, then, jnp.ones((1, 1)), jnp.ones((1, 1, 1), bool), told["CISPO"], on_policy=False)
    assert float(found.total) == pytest.approx(-0.002 * math.log(0.001)) and found.clipped == 0
    words = re.sub(r"\s+", " ", LossConfig.__doc__)
    assert 'CISPO: `objective="cispo", clip_low=1.0`' in words and 'GDPO: `advantage="per_reward"`' in words


@SETTINGS
@pytest.mark.parametrize("on_policy", [True, False])
def test_without_advantage_the_gradient_is_exactly_zero(settings, on_policy):
    now, then, advantages, mask = random_case()
    (loss, clipped), gradient = program(settings, on_policy)(now, then, jnp.zeros_like(advantages), mask)
    assert loss == 0 and (gradient == 0).all()
    assert clipped == 0
    assert grpo.trained_count(mask, jnp.zeros_like(advantages)) == 1


@SETTINGS
@pytest.mark.parametrize("junk", [-np.inf, np.nan])
def test_what_stands_behind_the_mask_changes_nothing(settings, junk):
    now, then, advantages, mask = random_case()
    wanted, gradient = program(settings)(now, then, advantages, mask)
    then, other = jnp.where(mask, then, -1000.0), jnp.where(mask, now, junk)
    found, again = program(settings)(other, then, advantages, mask)
    assert wanted == found and (gradient == again).all()


@SETTINGS
def test_a_token_that_the_sampler_thought_impossible_leaves_everything_finite(settings):
    then = logs(THEN).at[0, 0, 0].set(-300.0)
    (loss, _), gradient = program(settings)(logs(NOW), then, ADVANTAGES, MASK)
    assert jnp.isfinite(loss) and jnp.isfinite(gradient).all()


@pytest.mark.parametrize("aggregation", ["token_mean", "completion_mean"])
def test_more_columns_of_padding_change_neither_sum_nor_normaliser(aggregation):
    settings = LossConfig(aggregation=aggregation)
    now, then, advantages, mask = random_case()
    wider = [jnp.pad(x, ((0, 0), (0, 0), (0, 3))) for x in (now, then, mask)]
    narrow = grpo.policy_loss_sum(now, then, advantages, mask, settings, on_policy=False)
    wide = grpo.policy_loss_sum(wider[0], wider[1], advantages, wider[2], settings, on_policy=False)
    assert float(wide.total) == pytest.approx(float(narrow.total), rel=1e-5) and wide.clipped == narrow.clipped
    assert grpo.normaliser(wider[2], advantages, settings) == grpo.normaliser(mask, advantages, settings)


def test_normalisers_count_tokens_completions_or_everything():
    mask = jnp.array([[[True, True], [True, False]], [[True, True], [True, True]]])
    advantages = jnp.array([[1.0, -1.0], [0.0, 0.0]])  # the second group has no signal
    counts = {"token_mean": 3, "completion_mean": 2, "constant": 4}
    for aggregation, count in counts.items():
        assert grpo.normaliser(mask, advantages, replace(LossConfig(), aggregation=aggregation)) == count


def test_completion_means_weigh_short_and_long_completions_alike():
    """The mean of per-completion means, by numpy, on policy: GRPO's equation 3 without its clipping."""
    now, then, advantages, mask = random_case()
    settings = LossConfig(aggregation="completion_mean")
    held = np.ma.masked_array(np.exp(now - then), ~np.asarray(mask)) * np.asarray(advantages)[..., None]
    wanted = -held.mean(axis=2).mean()
    free = replace(settings, clip_low=1.0, clip_high=1e6)
    found = grpo.policy_loss_sum(now, then, advantages, mask, free, on_policy=False).total
    assert float(found / grpo.normaliser(mask, advantages, free)) == pytest.approx(wanted, rel=1e-5)


def test_mismatch_is_the_probability_difference_over_the_mask():
    ours, theirs = jnp.log(jnp.array([[[0.5, 0.2]]])), jnp.log(jnp.array([[[0.4, 0.9]]]))
    total, largest = grpo.mismatch(ours, theirs, jnp.array([[[True, False]]]))
    assert float(total) == pytest.approx(0.1, rel=1e-5)
    assert float(largest) == pytest.approx(0.1, rel=1e-5)
