"""The host's part of a GRPO step, worked by hand: texts to rewards, advantages, metrics and pages."""

import dataclasses

import numpy as np
import pytest

from configs.debug_cpu import get_config
from engines.answer import Answer
from perc_jax.batch import Completions, Observed
from perc_jax.config import LossConfig, OptimizerConfig, RewardConfig, StageConfig, TermConfig
from perc_jax.data import batches, streams
from perc_jax.prompt.tokenizer import load
from perc_jax.report.chart import PANELS
from perc_jax.rewards import verifier
from perc_jax.rewards.functions import REASONS
from perc_jax.run import rewarded

TOKENS = load("debug.model")
RIGHT, WRONG, BARE, CUT = r"<answer>\boxed{7}</answer>", r"<answer>\boxed{8}</answer>", "7", r"<answer>\boxed{7}"
TEXTS = ((RIGHT, WRONG, RIGHT, BARE), (WRONG, BARE, CUT, WRONG), (RIGHT,) * 4)
LENGTH = 16
WITH_FORMAT = TermConfig("accuracy"), TermConfig("format", 0.5)


class Here(verifier.Verifier):
    """Verifies in this process."""

    def __init__(self):
        pass

    def verify(self, texts, answers):
        return [verifier.judge(text, answer) for text, answer in zip(texts, answers, strict=True)]


def info(engine: str, index: int) -> batches.SampleInfo:
    return batches.SampleInfo(
        sample_id=f"train/{engine}/count/1/{index}",
        engine=engine,
        question_type="count",
        split="train",
        level=1,
        index=index,
        photographed=False,
        question="How many?",
        answer=Answer.integer(7),
    )


INFOS = (info("grid", 1), info("cube", 2), info("grid", 3))


def completions(texts=TEXTS) -> Completions:
    """Texts as the sampler gives them: an end token each, but for the one that was cut; loud junk beyond the mask."""
    end = TOKENS.ids.ends[0]
    shape = (len(texts), len(texts[0]), LENGTH)
    tokens = np.full(shape, TOKENS.encode("x")[0], np.int32)
    mask, ended = np.zeros(shape, bool), np.ones(shape[:2], bool)
    for p, group in enumerate(texts):
        for g, text in enumerate(group):
            ids = TOKENS.encode(text) + [end] * (text != CUT)
            tokens[p, g, : len(ids)], mask[p, g, : len(ids)] = ids, True
            ended[p, g] = text != CUT
    return Completions(tokens, np.zeros(shape, np.float32), mask, ended)


def grade(texts=TEXTS, infos=INFOS, name=(0, 5), loss=LossConfig(), **weights) -> rewarded.Graded:  # noqa: B008
    reward_config = RewardConfig(**weights)
    stage = StageConfig("rl", "grpo", 1, 3, OptimizerConfig(1.0), group_size=4, reward=reward_config, loss=loss)
    return rewarded.grade(completions(texts), infos, TOKENS, Here(), stage, name)


def test_groups_are_graded_as_by_hand():
    graded = grade()
    assert graded.texts == [text for group in TEXTS for text in group]
    assert graded.accuracy.tolist() == graded.rewards.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    assert graded.format.tolist() == [[1, 1, 1, 0], [1, 0, 0, 1], [1, 1, 1, 1]]
    assert graded.advantages.tolist() == [[1, -1, 1, -1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert graded.has_signal.tolist() == [True, False, False]
    assert graded.advantages.dtype == graded.rewards.dtype == np.float32


def test_the_format_term_is_weighed_apart():
    graded = grade(terms=WITH_FORMAT)
    assert graded.rewards.tolist() == [[1.5, 0.5, 1.5, 0], [0.5, 0, 0, 0.5], [1.5] * 4]
    assert graded.accuracy.tolist() == grade().accuracy.tolist()
    assert graded.advantages[1].tolist() == [1, -1, -1, 1]  # mean 0.25, deviation 0.25


def test_metrics_are_as_by_hand():
    sampled = completions()
    counted = [token in TOKENS.ids.ends for token in sampled.tokens[sampled.mask]]
    logprobs = np.where(sampled.mask, np.where(np.isin(sampled.tokens, TOKENS.ids.ends), -0.5, -0.25), -99)
    sampled = sampled._replace(logprobs=logprobs.astype(np.float32))
    reward = RewardConfig(terms=WITH_FORMAT)
    metrics = rewarded.summarise(grade(terms=WITH_FORMAT), sampled, INFOS, reward=reward)
    assert metrics == pytest.approx(
        {
            "rollout/reward": (3.5 + 1.0 + 6.0) / 12,
            "rollout/accuracy": 6 / 12,
            "rollout/format": 9 / 12,
            "rollout/reward/accuracy": 6 / 12,
            "rollout/reward/format": 9 / 12,
            "rollout/completion_length": sampled.mask.sum() / 12,
            "rollout/entropy": sum(0.5 if end else 0.25 for end in counted) / len(counted),
            "rollout/cut_share": 1 / 12,
            "rollout/degenerate_share": 0,
            "rollout/answer_drift": 0.5,  # six of twelve answers are not 7, the right one
            "rollout/timed_out": 0,
            "groups/no_signal_share": 1 / 3,
            "groups/all_right_share": 1 / 3,
            "groups/all_wrong_share": 1 / 3,
            "rollout/accuracy/grid": 6 / 8,
            "rollout/accuracy/cube": 0 / 4,  # and no entry for the engines that were not drawn
        }
    )


def test_a_table_s_name_may_have_slashes():
    """Also one that ends as another source's name does; and the report's panel shows it."""
    names = "prompts/set", "org/grid", "grid"
    infos = [info(name, number) for number, name in enumerate(names)]
    metrics = rewarded.summarise(grade(infos=infos), completions(), infos, tables=names[:2])
    found = {name: metrics[f"rollout/accuracy/{name}"] for name in names}
    assert found == {"prompts/set": 2 / 4, "org/grid": 0.0, "grid": 1.0}
    [panel] = [panel for panel in PANELS if panel.shows("rollout/accuracy/grid")]
    assert all(panel.shows(f"rollout/accuracy/{name}") for name in names)


def test_centred_advantages_are_not_divided():
    assert grade(loss=LossConfig(advantage="centred")).advantages.tolist() == [[0.5, -0.5, 0.5, -0.5], [0] * 4, [0] * 4]


def test_rewards_are_standardised_one_by_one_and_their_sum_over_the_batch():
    graded = grade(terms=WITH_FORMAT, loss=LossConfig(advantage="per_reward"))
    # Group 0: accuracy 1 0 1 0 gives 1 -1 1 -1; format 1 1 1 0 gives 1 1 1 -3 over sqrt 3. Group 1: format alone.
    third = 0.5 / 3**0.5
    plain = np.array([[1 + third, third - 1, 1 + third, -1 - 3 * third], [0.5, -0.5, -0.5, 0.5], [0] * 4])
    np.testing.assert_allclose(graded.advantages, plain / (np.sqrt((plain**2).mean()) + 1e-4), rtol=1e-5)
    assert graded.has_signal.tolist() == [True, True, False] and graded.advantages.dtype == np.float32
    assert graded.advantages.std() == pytest.approx(1, abs=1e-3)
    assert graded.rewards.tolist() == grade(terms=WITH_FORMAT).rewards.tolist()
    none = grade((TEXTS[2],) * 3, loss=LossConfig(advantage="per_reward"))
    assert (none.advantages == 0).all() and not none.has_signal.any()


def scored_here(cases, reward, group):
    """Terms in this process: accuracy, and the length of a text, with its half as a part."""
    verdicts = [verifier.judge(case.text, case.answer) for case in cases]
    lengths = np.array([[len(case.text)] for case in cases], np.float32)
    right = np.array([[verdict.correct] for verdict in verdicts], np.float32)
    faults = {f"mine/{reason}": 0 for reason in REASONS} | {"mine/raised": 2}
    return verifier.Scores(verdicts, np.hstack([right, lengths]), lengths / 2, faults, ("a line",))


def test_terms_are_logged_apart_and_each_is_a_reward_of_its_own(monkeypatch):
    monkeypatch.setattr(Here, "score", lambda self, *given: scored_here(*given))
    terms = TermConfig("accuracy"), TermConfig("mine.py:mine", 0.25, parts=("half",))
    reward, sizes = RewardConfig(terms=terms), np.array([[len(text) for text in group] for group in TEXTS])
    graded = grade(terms=terms)
    assert graded.rewards.tolist() == (graded.accuracy + sizes / 4).tolist() and graded.lines == ("a line",)
    assert graded.terms[..., 1].tolist() == sizes.tolist() and graded.parts[..., 0].tolist() == (sizes / 2).tolist()
    both = rewarded.join([graded, graded])
    assert both.terms.shape == (6, 4, 2) and both.faults["mine/raised"] == 4 and both.lines == ("a line",) * 2
    metrics = rewarded.summarise(graded, completions(), INFOS, reward=reward)
    assert metrics["rollout/reward/mine"] == pytest.approx(sizes.mean())
    assert metrics["rollout/reward/mine/half"] == pytest.approx(sizes.mean() / 2)
    assert metrics["rollout/faults/mine/raised"] == 2 and metrics["rollout/faults/mine/late"] == 0
    each = grade(terms=terms, loss=LossConfig(advantage="per_reward"))
    parts = [
        (values - values.mean(1, keepdims=True)) / (values.std(1, keepdims=True) + 1e-4)
        for values in (graded.accuracy, sizes.astype(np.float32))
    ]
    plain = parts[0] + parts[1] / 4
    np.testing.assert_allclose(each.advantages, plain / (np.sqrt((plain**2).mean()) + 1e-4), rtol=1e-3, atol=1e-5)
    coins = grade(terms=terms, control="random")
    assert set(coins.rewards.flat) <= {0, 1} and coins.terms.tolist() == graded.terms.tolist()


def test_a_control_run_has_one_reward_and_no_penalty():
    loss = LossConfig(advantage="per_reward", overlong_tokens=LENGTH)
    graded = grade(control="random", terms=WITH_FORMAT, loss=loss)
    plain = grade(control="random")
    assert graded.rewards.tolist() == plain.rewards.tolist() and graded.overlong is None
    assert (np.sign(graded.advantages) == np.sign(plain.advantages)).all() and graded.advantages.any()


def test_replies_count_to_the_length_at_which_conversations_are_cut():
    """Four tokens are sampled and eleven are of a reply: 15 of 16 places."""
    stage = StageConfig(
        *("rl", "grpo", 1, 3, OptimizerConfig(1.0)), group_size=4, loss=LossConfig(overlong_tokens=LENGTH)
    )
    given = completions()
    none = np.zeros((3, 4, 0), np.int32)
    places = np.arange(LENGTH) < 15
    observed = Observed(np.broadcast_to(places, given.mask.shape), *(none,) * 5)
    mask = np.broadcast_to(places & ((np.arange(LENGTH) < 2) | (np.arange(LENGTH) > 12)), given.mask.shape)
    graded = rewarded.grade(given._replace(mask=mask, observed=observed), INFOS, TOKENS, Here(), stage, (0, 5))
    np.testing.assert_allclose(graded.overlong, -15 / 16)


def test_long_completions_lose_reward_by_hand():
    lengths = completions().mask.sum(axis=2)
    buffer = LENGTH - int(lengths.min())
    wanted = -(lengths - lengths.min()) / buffer
    assert wanted.min() < 0 == wanted.max()
    graded = grade(loss=LossConfig(overlong_tokens=buffer))
    np.testing.assert_allclose(graded.overlong, wanted, rtol=1e-6)
    np.testing.assert_allclose(graded.rewards, graded.accuracy + wanted, rtol=1e-6)
    metrics = rewarded.summarise(graded, completions(), INFOS)
    assert metrics["rollout/overlong"] == pytest.approx(wanted.mean())
    # As a reward of its own: all four of the last group are right and equally long, the second differs in length alone.
    graded = grade(loss=LossConfig(overlong_tokens=buffer, advantage="per_reward"))
    assert graded.has_signal.tolist() == [True, True, False]
    assert (np.sign(graded.advantages[1]) == np.sign(wanted[1] - wanted[1].mean())).all()


def test_a_timed_out_verdict_is_counted():
    graded = grade()
    verdicts = [verifier.TIMED_OUT, *graded.verdicts[1:]]
    assert rewarded.summarise(graded._replace(verdicts=verdicts), completions(), INFOS)["rollout/timed_out"] == 1


def test_control_rewards_are_coins_and_accuracy_stays_true():
    texts, infos = (TEXTS[2],) * 50, tuple(info("grid", index) for index in range(50))
    coins = grade(texts, infos, control="random")
    assert set(coins.rewards.flat) == {0, 1} and 70 < coins.rewards.sum() < 130
    assert coins.accuracy.all() and coins.format.all()
    assert coins.has_signal.tolist() == [len(set(row)) == 2 for row in coins.rewards.tolist()]


def test_coins_belong_to_run_step_and_prompt_not_to_the_place_in_the_batch():
    whole = grade(control="random")
    half = grade(TEXTS[1:], INFOS[1:], control="random")
    assert (whole.rewards[1:] == half.rewards).all()

    def toss(*name):
        texts, infos = (TEXTS[0],) * 20, tuple(info("grid", index) for index in range(20))
        return grade(texts, infos, name, control="random").rewards

    assert (toss(0, 5) == toss(0, 5)).all()
    assert (toss(0, 5) != toss(0, 6)).any() and (toss(0, 5) != toss(1, 5)).any()


def test_shown_prompts_carry_their_own_answers_and_picture():
    config = get_config()
    stage = dataclasses.replace(config.stages[1], steps=1, prompts_per_step=3, micro_batches=1)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, workers=0), stages=(stage,))
    with streams.stream(config, stage) as stream:
        batch = next(stream)
    graded = grade()
    pages = rewarded.shown(graded, completions(), batch, config)
    assert [page.info for page in pages] == list(batch.samples)
    assert [[answer["text"] for answer in page.answers] for page in pages] == [list(group) for group in TEXTS]
    assert [answer["advantage"] for answer in pages[0].answers] == [1, -1, 1, -1]
    assert [answer["ended"] for answer in pages[1].answers] == [True, True, False, True]
    assert [answer["terms"] for answer in pages[0].answers] == [{"accuracy": right} for right in (1, 0, 1, 0)]
    assert len({page.picture.tobytes() for page in pages}) == 3
    assert all(page.picture.shape == (112, 112, 3) for page in pages)


@pytest.mark.parametrize("hosts", [2, 8])
def test_means_do_not_depend_on_how_rows_are_shared_out(hosts):
    """Hosts add up their own rows, then each other's sums; what the runs of one and of several write is the same."""
    rng = np.random.default_rng(0)
    values = rng.gamma(1.0, size=(64, 8)).astype(np.float32)
    parts = np.split(values, hosts)
    assert sum(map(rewarded._total, parts)) == rewarded._total(values)
    assert sum(float(part.sum()) for part in parts) != rewarded._total(values)  # as float32 has it
