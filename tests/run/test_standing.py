"""The best evaluation and the end of patience: over stages, over resumes, whatever the order of saving."""

import dataclasses
import itertools
import json
from unittest.mock import MagicMock

import numpy as np
import pytest
from etils import epath

from configs.smoke_cpu import get_config
from perc_jax.config import PLAIN, check
from perc_jax.evaluation.suites import Evaluator
from perc_jax.run import loop
from perc_jax.run.ending import Ending
from perc_jax.run.standing import Standing
from perc_jax.update.update import TrainState

CONFIG = get_config()


def config(best="", watch="", patience=0):
    evaluation = dataclasses.replace(CONFIG.evaluation, watch=watch, patience=patience, every=1)
    return dataclasses.replace(
        CONFIG, evaluation=evaluation, checkpoint=dataclasses.replace(CONFIG.checkpoint, best=best)
    )


def results(a, b=0.0):
    return {"test_a": {"accuracy": a}, "test_b": {"accuracy": b}}


def told(standing):
    return standing.best and (standing.best["step"], standing.best["accuracy"])


def test_the_best_is_the_first_highest_with_a_checkpoint():
    standing = Standing(config(best="test_a"))
    for step, (accuracy, best) in {
        0: (0.9, None),  # before the first step there is no checkpoint
        2: (0.1, (2, 0.1)),
        4: (0.3, (4, 0.3)),
        6: (0.3, (4, 0.3)),
        8: (0.2, (4, 0.3)),
        9: (0.5, (9, 0.5)),
    }.items():
        standing.look(step, results(accuracy, b=step))
        assert told(standing) == best
        standing.begin_stage()  # stages do not matter
    assert standing.best["suite"] == "test_a" and not standing.is_over


def test_a_stage_ends_when_it_has_not_risen_above_what_it_began_with():
    standing = Standing(config(watch="test_b", patience=2))
    ended = []
    for step, accuracy in enumerate((0.5, 0.4, 0.6, 0.6, 0.5)):
        standing.look(step, results(0.0, accuracy))
        ended.append(standing.is_over)
    assert ended == [False, False, False, False, True]
    assert standing.said() == "test_b has not risen above 60.0 % for 2 evaluations"
    standing.begin_stage()
    for step, (accuracy, is_over) in enumerate(((0.4, False), (0.55, False), (0.5, False), (0.54, True)), 5):
        standing.look(step, results(0.0, accuracy))  # the stage begins with 0.5, not with 0.6
        assert standing.is_over == is_over


@pytest.mark.parametrize("saved_before", list(itertools.product((False, True), repeat=3)))
def test_a_resume_changes_nothing(saved_before):
    """Whether a checkpoint was written before or after its own evaluation, which is then looked at again."""
    course = [(1, 0.2), (2, 0.4), (3, 0.3)]
    one = other = Standing(config("test_a", "test_a", 2))
    for (step, accuracy), before in zip(course, saved_before, strict=True):
        if before:
            stored = json.dumps(other.stored())
        other.look(step, results(accuracy))
        if not before:
            stored = json.dumps(other.stored())
        other = Standing(config("test_a", "test_a", 2), json.loads(stored))
        other.look(step, results(accuracy))
        one.look(step, results(accuracy))
        assert other.stored() == one.stored()


def test_another_suite_begins_anew():
    standing = Standing(config("test_a", "test_a", 1))
    standing.look(1, results(0.4))
    standing.look(2, results(0.3))
    assert told(standing) == (1, 0.4) and standing.is_over
    other = Standing(config("test_b", "test_b", 1), standing.stored())
    assert other.best is None and not other.is_over
    assert Standing(config("test_a", "test_a", 2), standing.stored()).best == standing.best
    assert not Standing(config("test_a", "test_a", 2), standing.stored()).is_over  # more patience: it goes on


def test_a_suite_that_counts_since_a_resume_has_the_evaluation_of_that_step():
    """The checkpoint was written after its own evaluation, in which another suite counted."""
    first = Standing(config("test_a", "test_a", 1))
    for step, accuracy in ((2, 0.4), (4, 0.6)):
        first.look(step, results(accuracy, b=0.9))
    other = Standing(config("test_b", "test_a", 1), first.stored())
    for _ in range(2):
        other.look(4, results(0.6, b=0.9))
        assert told(other) == (4, 0.9) and not other.is_over  # test_a was looked at once
    watching = Standing(config("test_a", "test_b", 1), first.stored())
    for _ in range(2):
        watching.look(4, results(0.6, b=0.9))
        assert told(watching) == (4, 0.6) and not watching.is_over
    watching.look(6, results(0.7, b=0.8))
    assert told(watching) == (6, 0.7) and watching.is_over and "above 90.0 %" in watching.said()


class Asked(Evaluator):
    """Says what it is asked."""

    def __init__(self):
        self.calls = []

    def suites(self, params, but=()):
        self.calls.append([name for name in ("test_a", "test_b") if name not in but])
        return {name: one | {"ci95": [0, 1]} for name, one in results(0.3, 0.8).items() if name not in but}, []


@pytest.mark.parametrize("kept", [None, ("test_a",), ("test_a", "test_b")], ids=["nothing", "one", "both"])
def test_a_suite_that_a_resume_adds_is_asked_and_joins_the_others(tmp_path, monkeypatch, kept):
    """Of a run that goes on after an evaluation without it, and whose best checkpoint is chosen by it."""
    both = config(best="test_b", watch="test_b", patience=1)
    evaluation = dataclasses.replace(both.evaluation, suites=("test_a", "test_b"), samples=(4, 4), hard_levels=())
    run = object.__new__(loop.Run)
    run.config = dataclasses.replace(both, evaluation=evaluation)
    run.standing, run.folder, run.workdir = Standing(run.config), epath.Path(tmp_path), str(tmp_path)
    for name in ("programs", "screen", "journal", "checkpoints"):
        setattr(run, name, MagicMock())
    run.ending = Ending(PLAIN)
    monkeypatch.setattr(loop, "write_report", lambda _: None)
    monkeypatch.setattr(loop.Run, "_write_facts", lambda _: None)
    file = tmp_path / "eval" / "2_grpo_000008.json"
    file.parent.mkdir()
    if kept:
        file.write_text(json.dumps({name: {"accuracy": 0.1} for name in kept}))
    evaluator, state = Asked(), MagicMock(spec=TrainState, step=np.int32(8))
    run._evaluate(evaluator, state, "grpo", 2)
    stored = {name: one["accuracy"] for name, one in json.loads(file.read_text()).items()}
    new = {"test_a": 0.3, "test_b": 0.8}
    assert stored == new | dict.fromkeys(kept or (), 0.1)
    assert evaluator.calls == [[name for name in new if name not in (kept or ())]] * (kept is None or len(kept) < 2)
    run.checkpoints.keep_best.assert_called_with({"step": 8, "suite": "test_b", "accuracy": stored["test_b"]})


@pytest.mark.parametrize(
    ("section", "changes", "rule"),
    [
        ("checkpoint", {"best": "test_e"}, "checkpoint.best must be one of .* or a table's name, got 'test_e'"),
        (
            "evaluation",
            {"watch": "test_e"},
            "evaluation.watch must be one of evaluation.suites or a table's name, got 'test_e'",
        ),
        ("evaluation", {"patience": 1, "every": 1}, "evaluation.watch must name a suite where patience is > 0, got ''"),
        ("evaluation", {"patience": 1, "watch": "test_a"}, "evaluation.every must be > 0 where patience is, got 0"),
    ],
)
def test_what_cannot_be_followed_is_refused(section, changes, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        check(dataclasses.replace(CONFIG, **{section: dataclasses.replace(getattr(CONFIG, section), **changes)}))
