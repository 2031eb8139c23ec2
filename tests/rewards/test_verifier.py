import os
import signal
import time

import numpy as np
import pytest

from engines.answer import Answer
from engines.base import make_rng
from perc_jax.config import RewardConfig, TermConfig
from perc_jax.rewards.verifier import TIMED_OUT, Scores, Verdict, Verifier, judge, rewards

SEVEN = Answer.integer(7)
RIGHT, WRONG, BARE = r"So. <answer>\boxed{7}</answer>", r"<answer>\boxed{8}</answer>", "7"


def stubborn(text: str, answer: Answer) -> Verdict:
    """A verifier with faults: it hangs on one text and dies on another."""
    if text == "hang":
        time.sleep(60)
    if text == "die":
        os._exit(3)
    return judge(text, answer)


def signed(text: str, answer: Answer) -> Verdict:
    """A verifier that gives the number of its process."""
    return Verdict(False, False, str(os.getpid()))


@pytest.fixture(scope="module")
def verifier():
    with Verifier(0.4, processes=2, judge=stubborn, chunk=8) as pool:
        yield pool


def test_processes_say_what_this_one_says(verifier):
    texts = [RIGHT, WRONG, BARE, "", RIGHT + " no", "<answer>" * 1000, "\x00\udcff"] * 5
    assert verifier.verify(texts, [SEVEN] * 35) == [judge(text, SEVEN) for text in texts]
    assert verifier.verify([RIGHT, WRONG, BARE], [SEVEN] * 3) == [
        (True, True, "7", False),
        (False, True, "8", False),
        (False, False, None, False),
    ]
    assert verifier.verify([], []) == []


@pytest.mark.parametrize("fault", ["hang", "die"])
def test_only_the_text_at_fault_pays(verifier, fault):
    texts = [RIGHT] * 20
    texts[3] = fault
    start = time.monotonic()
    verdicts = verifier.verify(texts, [SEVEN] * 20)
    assert verdicts[3] == TIMED_OUT
    assert all(verdict.correct for place, verdict in enumerate(verdicts) if place != 3)
    assert time.monotonic() - start < 20
    assert verifier.verify([RIGHT], [SEVEN])[0].correct  # and the pool lives


def test_a_killed_process_is_replaced():
    with Verifier(5.0, judge=signed) as pool:
        [first] = pool.verify(["x"], [SEVEN])
        os.kill(int(first.parsed), signal.SIGKILL)
        [second] = pool.verify(["x"], [SEVEN])
        assert first.parsed != second.parsed and not second.timed_out


def test_answers_and_texts_go_in_pairs(verifier):
    with pytest.raises(ValueError, match="zip"):
        verifier.verify([RIGHT], [])
    with pytest.raises(ValueError, match=r"verifier_deadline_s must be positive, got 0.0"):
        Verifier(0.0)


def scored(verdicts: list[Verdict], config: RewardConfig) -> Scores:
    """Scores of verdicts alone."""
    named = {"accuracy": "correct", "format": "well_formed"}
    columns = [[float(getattr(verdict, named[term.term])) for verdict in verdicts] for term in config.terms]
    return Scores(verdicts, np.array(columns, np.float32).T, np.zeros((len(verdicts), 0), np.float32), {})


def test_rewards_add_up():
    verdicts = [judge(text, SEVEN) for text in (RIGHT, WRONG, BARE)] + [TIMED_OUT]
    plain = rewards(scored(verdicts, RewardConfig()), RewardConfig(), make_rng(0))
    assert plain.total.dtype == np.float32
    assert plain.total.tolist() == plain.accuracy.tolist() == [1, 0, 0, 0]
    config = RewardConfig(terms=(TermConfig("accuracy"), TermConfig("format", 0.5)))
    weighted = rewards(scored(verdicts, config), config, make_rng(0))
    assert weighted.total.tolist() == [1.5, 0.5, 0, 0] and weighted.format.tolist() == [1, 1, 0, 0]
    assert weighted.terms.tolist() == [[1, 1], [0, 1], [0, 0], [0, 0]]


def test_the_control_arm_throws_a_coin():
    config = RewardConfig(control="random")
    scores = scored([judge(RIGHT, SEVEN)] * 400, config)
    coins = rewards(scores, config, make_rng(1))
    assert set(coins.total.tolist()) == {0, 1} and 150 < coins.total.sum() < 250
    assert coins.accuracy.all() and coins.terms.all()  # the parts stay true
    assert (coins.total == rewards(scores, config, make_rng(1)).total).all()
    assert (coins.total != rewards(scores, config, make_rng(2)).total).any()
