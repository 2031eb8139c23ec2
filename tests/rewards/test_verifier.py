import os
import signal
import time
from typing import Any

import numpy as np
import pytest

from engines.answer import Answer
from engines.base import make_rng
from perc_jax.config import RewardConfig, TermConfig
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.forms import Form
from perc_jax.rewards.pool import Lost
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import TIMED_OUT, Scores, Verdict, Verifier, judge, no_faults, rewards

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


@pytest.fixture(scope="module")
def patient():
    """A pool whose deadline is not looked at."""
    with Verifier(20.0) as pool:
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


def test_formulas_are_compared_beside_other_answers_and_bombs_time_out():
    """math-verify in the same pool: a tower of powers would run for hours, and pays alone."""
    golds = [Gold("math", r"\frac{\sqrt{2}}{2}"), SEVEN, Gold("choice", "B"), Gold("math", "x+1")]
    texts = [rf"<answer>\boxed{{{text}}}</answer>" for text in (r"\frac{1}{\sqrt{2}}", "7", "B", "1+x")]
    with Verifier(1.0) as pool:
        assert [verdict.correct for verdict in pool.verify(texts, golds)] == [True] * 4
        bomb = r"<answer>\boxed{9^{9^{9^{9^{9}}}}}</answer>"
        [first, second] = pool.verify([bomb, texts[0]], [Gold("math", "9^{9^{9}}+1"), golds[0]])
        assert not first.correct and second.correct


def test_formulas_without_math_verify_are_refused_in_one_line(patient, monkeypatch):
    monkeypatch.setattr("perc_jax.rewards.verifier.symbols_missing", lambda: "answers of kind math need math-verify")
    with pytest.raises(ValueError, match=r"^answers of kind math need math-verify$"):
        patient.verify([RIGHT], [Gold("math", "x+1")])


def test_one_form_for_accuracy_and_format():
    with Verifier(5.0, form=Form("think_answer")) as pool:
        texts = ["<think>so</think><answer>7</answer>", RIGHT, "<think></think><answer>7</answer>"]
        assert pool.verify(texts, [SEVEN] * 3) == [(True, True, "7", False), *[(False, False, None, False)] * 2]


def test_a_text_that_hangs_a_term_is_worth_nothing_and_counted(patient, monkeypatch):
    reward = RewardConfig(terms=(TermConfig("accuracy"), TermConfig("length", free=1, unit="characters")))
    monkeypatch.setattr(patient._pool, "map", lost_in(patient._pool.map))
    scores = patient.score([Case(RIGHT, SEVEN), Case(WRONG, SEVEN)], reward, 2)
    assert scores.terms[:, 1].tolist() == [0, pytest.approx(1 / len(WRONG))]
    assert scores.terms[:, 0].tolist() == [1, 0] and scores.faults == {"length/late": 1}


@pytest.mark.parametrize("name", ["keywords", "facts"])
def test_rows_without_the_column_and_texts_without_the_section_are_counted(patient, name):
    heading, said = "### Seen:", "Row 1: red"
    reward = RewardConfig(terms=(TermConfig("accuracy"), TermConfig(name, column="seen", section=heading)))
    wanted = {"seen": ["red"] if name == "keywords" else "Row 1: red"}
    below = [f"{heading}\n{said}", said, f"{heading}\n", f"{heading}\n{said}\n{heading}\n{said}"]
    cases = [Case(text, SEVEN, row=row) for row in (wanted, {}, {"seen": None}, {"seen": ""}) for text in below]
    scores = patient.score(cases, reward, 4)
    assert scores.terms[:, 1].tolist() == [1] + [0] * 15
    assert scores.faults == no_faults(reward) | {f"{name}/missing": 12, f"{name}/empty": 12}
    assert set(no_faults(reward)) == {f"{name}/{reason}" for reason in ("late", "missing", "empty")}


NO_TEXT = (None, "", " ", 3, {"red": 1}, ["Row 1: red"])
NOTHING_IN_IT = {
    "keywords": (None, "", " , ", 3, {"red": 1}, [], ["", "."]),
    "facts": NO_TEXT,
    "map": (*NO_TEXT, "Row 1: red", "<DEPTH_START><DEPTH_END>"),
    "boxes": (),
}


@pytest.mark.parametrize("name", NOTHING_IN_IT)
def test_rows_with_nothing_that_a_term_can_measure_by_are_counted(name):
    """Columns of another type or without content; answers that are no boxes."""
    reward = RewardConfig(terms=(TermConfig(name),))
    rows = [{name: value} for value in NOTHING_IN_IT[name]]
    text = "Row 1: red <DEPTH_START><DEPTH_3><DEPTH_END>"
    golds = [Gold("none", ""), Gold("text", "x"), SEVEN]
    lacking = [Case(text, SEVEN, row=row) for row in rows] or [Case("[]", gold) for gold in golds]
    right = {"keywords": ["red"], "facts": "Row 1: red", "map": "<DEPTH_START><DEPTH_3><DEPTH_END>", "boxes": None}
    whole = Case("Row 1: red" if name == "facts" else text, Gold("boxes", "[]"), row={name: right[name]})
    with Verifier(20.0, form=Form("plain")) as pool:
        scores = pool.score([whole._replace(text="[]" if name == "boxes" else whole.text), *lacking], reward, 1)
    assert scores.terms[:, 0].tolist() == [3 if name == "boxes" else 1] + [0] * len(lacking)
    assert scores.faults == no_faults(reward) | {f"{name}/missing": len(lacking)}


def lost_in(real: Any) -> Any:
    """A pool's `map` that loses the first result of a measured term."""

    def lossy(function, items, chunk):
        found = real(function, items, chunk)
        return [Lost.LATE, *found[1:]] if items and isinstance(items[0], Case) else found

    return lossy


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
