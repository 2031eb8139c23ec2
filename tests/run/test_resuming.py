"""Runs that go on with another config, that turn out bad, and that meet another run on their workdir."""

import json
import shutil

import pytest

from perc_jax.records.owner import FILE as OWNER
from perc_jax.run.place import FILE as CHANGES
from tests import whole_runs

BEFORE, LAST = 8, 10  # the checkpoints that the smoke run keeps
RATE = "stages[grpo].optimizer.learning_rate"


@pytest.mark.slow
def test_a_run_that_turns_out_bad_keeps_its_good_checkpoint_and_goes_on_from_it(reference_run, tmp_path):
    """Parameters become infinite at the next step, by a gradient that is finite."""
    workdir, cache = whole_runs.copy_at(reference_run, tmp_path / "run", BEFORE), reference_run.cache
    settings = ("--stages.1.optimizer.learning-rate", "1e-4")
    with whole_runs.train(workdir, *settings, cache=cache, program="tests.run.bursting") as run:
        ended = run.end()
    line = whole_runs.complaint(ended)
    assert ended.code == 1 and line.startswith("params/") and line.endswith(f"the newest one is of step {BEFORE}")
    assert f"was not finite after step {LAST}, so no checkpoint was written" in line
    assert whole_runs.steps(workdir) == [BEFORE] and not (workdir / OWNER).exists()
    assert json.loads((workdir / CHANGES).read_text()) == [{"step": BEFORE, "field": RATE, "was": 2e-4, "now": 1e-4}]
    assert f"changed from step {BEFORE} on: {RATE} is 0.0001, was 0.0002 ({CHANGES})" in ended.err
    whole_runs.finished(workdir, cache=cache)
    whole_runs.assert_same(workdir, reference_run.workdir)
    assert json.loads((workdir / CHANGES).read_text()) == []


@pytest.mark.slow
def test_a_second_run_on_a_workdir_is_refused_and_disturbs_nothing(reference_run, tmp_path):
    workdir, cache = whole_runs.copy_at(reference_run, tmp_path / "run", BEFORE), reference_run.cache
    with whole_runs.train(workdir, cache=cache) as first:
        first.wait_for((workdir / OWNER).exists)
        with whole_runs.train(workdir, cache=cache, output=tmp_path / "second") as second:
            refused = second.end()
        line = whole_runs.complaint(refused)
        assert refused.code == 1 and f"workdir {workdir} must be of one run at a time, it is in use by process" in line
        assert first.end().code == 0
    whole_runs.assert_same(workdir, reference_run.workdir)


@pytest.mark.slow
def test_a_suite_that_a_resume_adds_to_a_run_that_is_done_is_asked_and_chooses_the_best(reference_run, tmp_path):
    """It is asked the same as where it was among the others all along, and they are not asked again."""
    workdir, cache = tmp_path / "run", reference_run.cache
    shutil.copytree(reference_run.workdir, workdir)
    [file] = (workdir / "eval").glob(f"*_{LAST:06d}.json")
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({name: result for name, result in whole.items() if name != "test_d"}))
    ended = whole_runs.finished(workdir, "--checkpoint.best", "test_d", cache=cache)
    asked = [line for line in ended.err.splitlines() if "grpo: test_" in line]
    assert len(asked) == 1 and "grpo: test_d " in asked[0], asked
    assert whole_runs.evaluations(workdir) == whole_runs.evaluations(reference_run.workdir)
    best = json.loads((workdir / "checkpoints" / "best.json").read_text())
    assert best == {"step": LAST, "suite": "test_d", "accuracy": whole["test_d"]["accuracy"]}
