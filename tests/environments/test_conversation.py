"""Conversations: whose turn it is, what is malformed, how they end, what AGILE's reward makes of them."""

import numpy as np
import pytest

from perc_jax.config import RewardConfig, TermConfig
from perc_jax.environments.base import Move, Observation, State, Step
from perc_jax.prompt.chat import PICTURE
from perc_jax.rewards.endings import REASONS, Ending
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import Verifier, rewards
from tests.environments.cases import environment, question

SWAP = "<code>Swap(1, 2)</code>"


def played(said: list[str], **fields: object) -> list[Step]:
    """The steps of a conversation up to its end."""
    talked = environment(**fields)
    state: State = talked.start(question(0))
    steps = []
    for text in said:
        steps.append(talked.step(Move(state, text)))
        state = steps[-1].state
        if isinstance(steps[-1].outcome, Ending):
            break
    return steps


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_call"),
        ("I think so.", "no_call"),
        ("<answer></answer>", "form"),
        ("<answer>1 2 3 4</answer> so", "form"),
        ("<answer>1 2 3 4", "form"),
        (f"{SWAP}{SWAP}", "two_calls"),
        (f"{SWAP}<answer>1 2 3 4</answer>", "two_calls"),
        (f"So: {SWAP}", "form"),
        (f"{SWAP} done", "form"),
        ("<code>Swap(1, 2)", "two_calls"),
        ("</code>Swap(1, 2)<code>", "form"),
        ("<code></code>", "no_call"),
        ("<code>Swap(1, 7)</code>", "arguments"),
        ("<code>Fly()</code>", "unknown"),
        ("<code>import os</code>", "syntax"),
        ("x" * 30_000, "too_long"),
    ],
)
def test_what_is_malformed_is_met_with_words_and_counts(text, reason):
    [step, last] = played([text, "<answer>1 2 3 4</answer>"])
    [words] = step.outcome.parts
    assert "Allowed: Swap(a, b), Observe(), Crop(x1, y1, x2, y2), Zoom(x1, y1, x2, y2, k)." in words
    assert len(words) < 200 and not step.outcome.pictures
    assert step.state.met == (reason,) and reason in REASONS
    assert last.outcome.counts == {"turns": 2, "pictures": 0, reason: 1} and not last.outcome.well_formed


@pytest.mark.parametrize(
    ("form", "text", "is_call"),
    [
        ("answer", SWAP, True),
        ("strict", f"First {SWAP}", True),
        ("think_answer", f"<think>a</think>\n{SWAP}\n", True),
        ("think_answer", SWAP, False),
        ("think_answer", f"<think></think>{SWAP}", False),
        ("think_answer", f"<think>a</think><think>b</think>{SWAP}", False),
        ("think_answer", f"<think>a{SWAP}", False),
        ("think_answer", f"<think>a</think> b {SWAP}", False),
    ],
)
def test_a_call_stands_where_the_form_has_the_answer(form, text, is_call):
    [step] = played([text], form=form)
    assert (step.state.met == ()) == is_call == bool(step.outcome.pictures)


def test_solutions_have_the_form_that_is_asked_for():
    for form in ("answer", "strict", "think_answer"):
        talked = environment(form=form)
        *_, (_, last) = talked.solution(talked.start(question(0)), np.random.default_rng(0))
        assert last.outcome.correct and last.outcome.well_formed


def test_what_a_turn_calls_happens_whole_or_not_at_all():
    [step] = played(["<code>Swap(1, 2)\nSwap(1, 9)</code>"])
    assert [piece.number for piece in step.state.board] == [0, 1, 2, 3] and not step.outcome.pictures
    [step] = played(["<code>a = 2\nSwap(1, a); Swap(3, 4)</code>"])
    assert [piece.number for piece in step.state.board] == [1, 0, 3, 2]
    assert step.outcome.parts == (PICTURE, "Board 2 1 4 3")


@pytest.mark.parametrize("last", [SWAP, "nothing"])
def test_the_last_turn_must_be_the_answer(last):
    steps = played([SWAP, SWAP, last], turns=3)
    assert all(isinstance(step.outcome, Observation) for step in steps[:2])
    ending = steps[2].outcome
    assert isinstance(ending, Ending) and ending.counts["no_answer"] == 1 and ending.parsed is None
    assert not ending.correct and not ending.well_formed
    assert played([SWAP, SWAP, "<answer>1 2 3 4</answer>"], turns=3)[-1].outcome.well_formed


def test_pictures_are_returned_as_far_as_the_bound_and_words_go_on():
    steps = played([SWAP] * 4, turns=5, pictures=2)
    assert [len(step.outcome.pictures) for step in steps] == [1, 1, 0, 0]
    assert steps[-1].outcome.parts == ("Board 1 2 3 4 No more pictures are shown.",)
    assert steps[-1].state.pictures == 2


@pytest.mark.parametrize("cut", ["overlong", "no_room", "stopped", "late", "died"])
def test_a_cut_turn_is_the_last_and_says_why(cut):
    talked = environment()
    state = talked.start(question(0))
    ending = talked.step(Move(state, SWAP, cut)).outcome
    assert isinstance(ending, Ending) and ending.counts[cut] == 1 and not ending.correct
    assert talked.give_up(state, cut).counts == {"turns": 0, "pictures": 0, cut: 1}
    right = talked.game.gold(state.scene).text()
    answered = talked.step(Move(state, f"<answer>{right}</answer>", cut)).outcome
    assert answered.correct == (cut == "stopped")  # only there the turn was said to its end


def agile(text: str, is_right: bool, images: int) -> float:
    """AGILE's score of a conversation, as its released code reckons it (`puzzle_agent_v2`), for five turns."""
    is_formed = text.count("<think>") == text.count("</think>") and text.count("<answer>") == text.count("</answer>")
    return 0.8 * is_right + 0.2 * is_formed + (-0.05 * images if is_right else -0.25)


def test_rewards_are_those_of_agile_for_what_both_call_well_formed():
    terms = (TermConfig("accuracy", 0.8), TermConfig("format", 0.2), TermConfig("ending", part="steps"))
    talked = environment(form="think_answer")
    state = talked.start(question(0))
    right = talked.game.gold(state.scene).text()
    call = "<think>a</think><code>Observe()</code>"
    cases, wanted = [], []
    for looks in range(5):
        for answer in (right, "1 2 3 4"):
            turns = [call] * looks + [f"<think>b</think><answer>{answer}</answer>"]
            ending = played(turns, form="think_answer")[-1].outcome
            cases.append(Case("".join(turns), talked.game.gold(state.scene), 1, {}, ending))
            wanted.append(agile("".join(turns), answer == right, looks))
    with Verifier(60.0) as verifier:
        scores = verifier.score(cases, RewardConfig(terms), 2)
    found = rewards(scores, RewardConfig(terms), np.random.default_rng(0))
    assert np.allclose(found.total, wanted) and len(set(wanted)) == 6
    assert [verdict.correct for verdict in scores.verdicts] == [True, False] * 5


def test_what_is_explained_is_said_once_and_in_refusals_or_not_at_all():
    calls = "Swap(a, b), Observe(), Crop(x1, y1, x2, y2), Zoom(x1, y1, x2, y2, k)"
    for form, code, answer in (
        ("answer", "<code>...</code>", "<answer>...</answer>"),
        ("think_answer", "<think>...</think><code>...</code>", "<think>...</think><answer>...</answer>"),
    ):
        talked = environment(form=form)
        [_, words] = talked.opening(talked.start(question(0))).parts
        assert f"In {code} you may call {calls}." in words and words.endswith(f"Answer as {answer}.")
    silent = environment(explains=False)
    state = silent.start(question(0))
    [place, words] = silent.opening(state).parts
    assert place == PICTURE and words == (
        "The 2 x 2 pieces of a picture were shuffled. In which order do they make up the picture?"
    )
    assert silent.step(Move(state, "hm")).outcome.parts == ("This turn has neither code nor an answer in its form.",)
    alone = environment(turns=1)
    assert "may call" not in alone.opening(alone.start(question(0))).parts[1]
