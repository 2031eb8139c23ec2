"""Dynamic sampling: only groups whose rewards differ are kept, rounds are bounded, a hopeless run ends."""

import dataclasses

import jax
import numpy as np
import pytest

from perc_jax.config import LossConfig, OptimizerConfig, RewardConfig, StageConfig, TermConfig, check
from perc_jax.data import batches
from perc_jax.rewards import terms
from perc_jax.run import groups, rewarded
from perc_jax.run.groups import MAX_BARREN_STEPS, Patience, Rounds, outcomes
from tests.run.test_rewarded import BARE, CUT, INFOS, RIGHT, TOKENS, WRONG, Here, completions

MIX, NONE, ALL, LOST = (RIGHT, WRONG, RIGHT, BARE), (WRONG,) * 4, (RIGHT,) * 4, (CUT, CUT, CUT, WRONG)


def stage(rounds: int = 3, **fields) -> StageConfig:
    return StageConfig("rl", "grpo", 5, 3, OptimizerConfig(1.0), group_size=4, max_rounds=rounds, **fields)


def batch(position: int, dropped: tuple[str, ...] = ()) -> batches.Batch:
    """Three prompts whose leaves say where they were drawn."""
    names = np.arange(position - 3, position)
    prompts = batches.PromptBatch(*(names.astype(np.int32)[:, None] for _ in batches.PromptBatch._fields))
    samples = tuple(info._replace(sample_id=str(name)) for info, name in zip(INFOS, names.tolist(), strict=True))
    return batches.Batch(prompts, samples, None, None, np.ones(3, bool), dropped, position)


def collected(*texts, settings: StageConfig = None, verifier: Here = None) -> Rounds:
    """Rounds of three groups each, until they are over."""
    settings = settings or stage()
    rounds = Rounds(settings)
    for number, groups_of_round in enumerate(texts, 1):
        assert not rounds.is_over()
        drawn = batch(3 * number)
        graded = rewarded.grade(
            completions(groups_of_round), drawn.samples, TOKENS, verifier or Here(), settings, (0, 1)
        )
        rounds.add(drawn, completions(groups_of_round), graded)
    return rounds


def test_groups_are_told_apart():
    texts = (MIX, NONE, ALL, LOST)
    infos = (*INFOS, INFOS[0])
    graded = rewarded.grade(completions(texts), infos, TOKENS, Here(), stage(), (0, 1))
    assert outcomes(graded, completions(texts).ended, "none") == ("mixed", "all_wrong", "all_right", "cut")
    late = [verdict._replace(timed_out=True) for verdict in graded.verdicts]
    assert outcomes(graded._replace(verdicts=late), completions(texts).ended, "none")[1] == "cut"
    coins = graded._replace(rewards=np.array([[1, 1, 1, 1], [0, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]], np.float32))
    assert outcomes(coins, completions(texts).ended, "random") == ("all_right", "mixed", "mixed", "cut")


def test_rounds_go_on_until_all_groups_carry_signal():
    rounds = collected((MIX, NONE, ALL), (NONE, MIX, NONE), (MIX, MIX, NONE))
    assert rounds.is_over()
    chosen = rounds.chosen()
    assert chosen.prompts.tokens[:, 0].tolist() == [0, 4, 6]  # in the order drawn; the fourth is dropped
    assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves(chosen))
    assert chosen.completions.tokens[1].tolist() == completions((NONE, MIX, NONE)).tokens[1].tolist()
    assert chosen.advantages.tolist() == [[1, -1, 1, -1]] * 3 and chosen.advantages.dtype == np.float32
    found = rounds.metrics()
    assert (found["groups/rounds"], found["groups/mixed"], found["groups/spilled"]) == (3, 4, 1)
    assert (found["groups/all_wrong"], found["groups/all_right"], found["groups/cut"]) == (4, 1, 0)
    assert found["rollout/accuracy"] == pytest.approx((4 * 2 + 4) / 36)  # of all that was drawn


def test_a_full_first_round_is_enough_and_the_last_round_ends_it():
    assert collected((MIX, MIX, MIX)).is_over()
    assert not collected((MIX, MIX, NONE)).is_over()
    assert collected((MIX, NONE, NONE), settings=stage(1)).is_over()


WITH_FORMAT = RewardConfig(terms=(TermConfig("accuracy"), TermConfig("format", 0.5)))
TERMS = {  # settings with other terms than accuracy, and groups that are all right or all wrong but differ by them
    "format": ({"reward": WITH_FORMAT}, (WRONG, BARE, WRONG, BARE)),
    "length": ({"loss": LossConfig(overlong_tokens=14)}, (RIGHT, RIGHT, "  " + RIGHT, RIGHT)),
    "each": (
        {"reward": WITH_FORMAT, "loss": LossConfig(advantage="per_reward")},
        (WRONG, BARE, WRONG, BARE),
    ),
}


@pytest.mark.parametrize(("fields", "told"), TERMS.values(), ids=TERMS)
def test_a_group_that_only_length_or_format_tell_apart_carries_signal(fields, told):
    """It is kept over rounds with the advantages that it would have had in a round of its own."""
    settings = stage(2, **fields)
    rounds = collected((NONE, told, NONE), (NONE, NONE, told), settings=settings)
    chosen, alone = rounds.chosen(), collected((told,) * 3, settings=settings)
    assert rounds.done[0].outcomes[1] in ("all_wrong", "all_right", "cut")
    assert alone.is_over() and chosen.prompts.tokens[:, 0].tolist() == [1, 5, 3]
    wanted = alone.done[0].graded.advantages
    assert (chosen.advantages[2] == 0).all() and (np.abs(wanted) > 0.5).any()
    if settings.loss.advantage != "per_reward":  # which divides by a deviation of the whole batch
        assert chosen.advantages[:2].tolist() == wanted[:2].tolist()
    assert (np.sign(chosen.advantages[:2]) == np.sign(wanted[:2])).all()
    assert rounds.metrics()["groups/spilled"] == 0
    patience = Patience(settings, barren=MAX_BARREN_STEPS - 1)
    patience.check(rounds.metrics(), 7)
    assert patience.barren == 0


def test_what_is_lacking_after_the_last_round_is_filled_without_a_gradient():
    loss = LossConfig(advantage="per_reward", overlong_tokens=8)
    settings = stage(2, reward=WITH_FORMAT, loss=loss)
    rounds = collected((NONE, MIX, NONE), (NONE, NONE, ALL), settings=settings)
    chosen = rounds.chosen()
    assert rounds.is_over() and chosen.prompts.tokens[:, 0].tolist() == [1, 3, 4]
    assert (chosen.advantages[0] != 0).any() and (chosen.advantages[1:] == 0).all()
    assert np.isfinite(chosen.advantages).all()


def step(patience: Patience, *texts) -> dict[str, float]:
    found = collected(*texts, settings=stage(len(texts))).metrics()
    patience.check(found, 7)
    return found


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (NONE, "100 % all wrong.* the mixture of .* must be easier"),
        (ALL, "100 % were all right.* the mixture of .* must be harder"),
        (LOST, "100 % cut or timed out, .* rollout.max_tokens must be larger"),
    ],
)
def test_a_hopeless_and_a_trivial_mixture_end_the_run_with_one_message(group, words):
    patience = Patience(stage(2))
    for _ in range(MAX_BARREN_STEPS - 1):
        step(patience, (group,) * 3, (group,) * 3)
    with pytest.raises(
        RuntimeError, match=rf"for {MAX_BARREN_STEPS} steps up to step 7, in 2 rounds.*{words}"
    ) as error:
        step(patience, (group,) * 3, (group,) * 3)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("band", "accuracy", "words"),
    [
        ((0.2, 0.8), 0.9, r"with an accuracy of 0\.2 to 0\.8 .* 100 % partly right; the mixture .* must be harder"),
        ((0.2, 0.8), 0.1, r"with an accuracy of 0\.2 to 0\.8 .* 100 % partly right; the mixture .* must be easier"),
        ((0.0, 1.0), 0.5, "100 % partly right; stages.* must tell right answers from wrong ones"),
    ],
)
def test_groups_that_are_partly_right_are_told_by_where_they_lie(band, accuracy, words):
    patience = Patience(stage(2, accuracy_band=band), barren=MAX_BARREN_STEPS - 1)
    metrics = dict.fromkeys(("groups/all_right", "groups/all_wrong", "groups/cut"), 0.0)
    metrics |= {"groups/mixed": 6.0, "groups/rounds": 2.0, "groups/no_signal_share": 1.0, "rollout/accuracy": accuracy}
    with pytest.raises(RuntimeError, match=words):
        patience.check(metrics, 7)


def test_any_signal_renews_the_patience_and_without_rounds_it_is_endless():
    patience = Patience(stage(2), barren=MAX_BARREN_STEPS - 1)
    step(patience, (NONE, NONE, NONE), (NONE, MIX, NONE))
    assert patience.barren == 0
    patience = Patience(stage(1))
    for _ in range(2 * MAX_BARREN_STEPS):
        step(patience, (NONE,) * 3)
    assert patience.barren == 2 * MAX_BARREN_STEPS


def test_joined_rollouts_are_summed_up_like_one():
    loss = LossConfig(overlong_tokens=8)
    settings = dataclasses.replace(stage(), loss=loss)
    parts = [
        rewarded.grade(completions((group,)), INFOS[:1], TOKENS, Here(), settings, (0, 1)) for group in (MIX, NONE)
    ]
    whole = rewarded.join(parts)
    assert whole.texts == [*MIX, *NONE] and whole.rewards.shape == whole.overlong.shape == (2, 4)
    assert rewarded.join(parts[:1]) is parts[0] and len(whole.verdicts) == 8


def test_rounds_are_for_grpo_only():
    with pytest.raises(ValueError, match=r"stages\.0\.max_rounds must be 1 for sft, got 2"):
        check(StageConfig("a", "sft", 1, 1, OptimizerConfig(1.0), max_rounds=2), "stages.0")
    assert list(groups.WORDS)[-1] == groups.MIXED


class Measuring(Here):
    """Terms in this process too."""

    def _measure(self, cases, term):
        return np.array([terms.measure(case, term) for case in cases]), 0


BANDS = {(0.0, 1.0): [0, 1], (1.0, 1.0): [1], (0.01, 0.99): [0], (0.5, 0.5): [0], (0.6, 0.9): []}


def test_only_groups_within_the_band_of_accuracy_are_learnt_from():
    """All right ones, whose rewards differ by another term; half right ones; an empty band's ends count."""
    lengths = RewardConfig(terms=(TermConfig("accuracy"), TermConfig("length", free=1)))
    short = (RIGHT, RIGHT, RIGHT, f"so {RIGHT}")  # all right, one longer
    for band, wanted in BANDS.items():
        settings, texts = stage(reward=lengths, accuracy_band=band), completions((MIX, short, NONE))
        graded = rewarded.grade(texts, INFOS, TOKENS, Measuring(), settings, (0, 1))
        assert np.flatnonzero(graded.has_signal).tolist() == wanted
        assert np.flatnonzero(np.abs(graded.advantages).sum(axis=1)).tolist() == wanted
        assert graded.advantages.dtype == np.float32
    settings = stage(reward=lengths, accuracy_band=(1.0, 1.0))
    rounds = collected((MIX, short, NONE), (short, MIX, short), settings=settings, verifier=Measuring())
    assert rounds.is_over() and rounds.chosen().prompts.tokens[:, 0].tolist() == [1, 3, 5]
    for fault in ((0.9, 0.1), (0.0, 1.5)):
        with pytest.raises(ValueError, match="accuracy_band"):
            check(stage(accuracy_band=fault))
