"""An environment's rules: its own, beside the run's prompts and model, beside what a stage draws and rewards."""

from dataclasses import replace

import pytest

from configs import agile_7b, jigsaw_cpu
from perc_jax.config import Config, EnvironmentConfig, RewardConfig, TermConfig, from_dict, to_dict
from perc_jax.config.environment import ENDINGS
from perc_jax.rewards.endings import REASONS
from tests.environments.cases import environment

JIGSAW = jigsaw_cpu.get_config()


def with_environment(**fields: object) -> Config:
    """The laptop's recipe with fields of the environment of its last stage."""
    first, last = JIGSAW.stages
    reward = RewardConfig()  # of any environment
    return replace(
        JIGSAW, stages=(first, replace(last, environment=replace(last.environment, **fields), reward=reward))
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"side": 1}, "environment.side must be >= 2 for jigsaw, got 1"),
        ({"name": "inspect", "rotation": True}, "environment.rotation must be False for inspect, got True"),
        ({"shapes": ((64, 0), (64, 64))}, "environment.shapes must be pairs of tokens and patches, ascending in both"),
        ({"shapes": ((64, 0), (72, 65))}, "environment.shapes must have patches that are each a multiple of 16"),
        ({"shapes": ((16, 64),)}, "environment.shapes must end in more than 16 tokens and at least 64 patches"),
        ({"shapes": ((64, 0),)}, "environment.shapes must end in more than 16 tokens and at least 64 patches"),
        ({"view_px": 55}, "environment.view_px must be >= 56, two merged patches, got 55"),
        ({"view_px": 224}, "data.max_patches must hold the 256 of a picture of stages.1.environment.view_px = 224"),
        ({"name": "inspect", "view_px": 112, "side": 1}, "environment.view_px must be below the 112 of the sheet"),
        ({"turn_tokens": 161}, "environment.turn_tokens must be within rollout.max_tokens (160), got 161"),
        ({"turns": 0}, "environment.turns must be within 1..32, got 0"),
    ],
)
def test_what_does_not_fit_is_said(fields, words):
    with pytest.raises(ValueError) as error:
        with_environment(**fields)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c: replace(c, data=replace(c.data, answer_form="boxed")),
            "data.answer_form must be one of strict, answer",
        ),
        (lambda c: replace(c, data=replace(c.data, min_pixels=4000)), "data.min_pixels must be <= 3136, the smallest"),
        (
            lambda c: replace(c, data=replace(c.data, max_pixels=10_000)),
            "data.max_pixels must be >= 12544, the largest",
        ),
        (
            lambda c: replace(c, evaluation=replace(c.evaluation, blind=9)),
            "evaluation.blind must be 0 with an environment",
        ),
    ],
)
def test_what_of_the_run_does_not_fit_is_said(change, words):
    with pytest.raises(ValueError) as error:
        change(JIGSAW)
    assert words in str(error.value)


def test_conversations_may_take_turns_in_slots():
    found = replace(JIGSAW, rollout=replace(JIGSAW.rollout, slots=4, rows=2, kv_dtype="int8"))
    assert found.rollout.slots == 4


def of_mixture(**fields: object) -> Config:
    first, last = JIGSAW.stages
    return replace(JIGSAW, stages=(first, replace(last, mixture=replace(last.mixture, **fields))))


def test_what_of_the_mixture_does_not_fit_is_said():
    with pytest.raises(ValueError, match=r"stages\.1\.mixture\.difficulty must be all with an environment"):
        of_mixture(difficulty="easy", grade="x.jsonl")
    curriculum = replace(JIGSAW.stages[1].mixture.curriculum, kind="stratified")
    with pytest.raises(ValueError, match=r"stages\.1\.mixture\.curriculum\.kind must be none with an environment"):
        of_mixture(curriculum=curriculum)


def test_a_reward_names_what_the_environment_says():
    first, last = JIGSAW.stages
    for part in ENDINGS["jigsaw"]:
        replace(JIGSAW, stages=(first, replace(last, reward=RewardConfig((TermConfig("ending", part=part),)))))
    with pytest.raises(ValueError, match=r"reward\.terms\.0\.part must be one of in_place, steps, got 'seen'"):
        replace(JIGSAW, stages=(first, replace(last, reward=RewardConfig((TermConfig("ending", part="seen"),)))))
    with pytest.raises(ValueError, match=r"reward\.terms\.1\.part must not be read without an environment"):
        replace(JIGSAW, stages=(first, replace(last, environment=EnvironmentConfig())))


@pytest.mark.parametrize("name", list(ENDINGS))
def test_endings_have_the_parts_that_a_config_may_name(name):
    played = environment(name=name, side=2, view_px=56)
    assert {*played.game.nothing, "steps"} == set(ENDINGS[name])
    assert len(REASONS) == len(set(REASONS))


def test_the_suites_are_asked_in_the_last_environment():
    assert JIGSAW.environment == JIGSAW.stages[1].environment and JIGSAW.environment.patches == 2 * 64
    assert from_dict(Config, to_dict(JIGSAW)) == JIGSAW
    agile = agile_7b.get_config()
    terms = {term.label: term.weight for term in agile.stages[1].reward.terms}
    assert terms == {"accuracy": 0.8, "format": 0.2, "steps": 1.0, "in_place": 0.0}  # as AGILE's code weighs them
