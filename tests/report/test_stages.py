"""Where stages end on pages: as planned, and as they did."""

import itertools
import json

import pytest
from etils import epath

from perc_jax.config import to_dict
from perc_jax.report import stages
from perc_jax.report.runs import read_run, write_report
from perc_jax.run.standing import Standing
from tests.run import test_standing

CONFIG = {"stages": [{"name": "warmup", "steps": 6}, {"name": "grpo", "steps": 4}, {"name": "more", "steps": 2}]}


def test_a_stage_ends_as_planned_unless_its_successor_has_begun_before():
    assert stages.ends(CONFIG, {}) == {"warmup": 6, "grpo": 10, "more": 12}
    assert stages.ends(CONFIG, {"warmup": 4}) == {"warmup": 6, "grpo": 10, "more": 12}
    assert stages.ends(CONFIG, {"warmup": 4, "grpo": 5}) == {"warmup": 4, "grpo": 8, "more": 10}
    assert stages.ends(CONFIG, {"warmup": 4, "grpo": 5, "more": 6}) == {"warmup": 4, "grpo": 5, "more": 7}
    assert stages.ends({}, {"warmup": 4}) == {}


def test_records_say_which_stages_have_begun():
    records = [{"step": step, "stage": "warmup" if step < 4 else "grpo"} for step in range(1, 6)]
    assert stages.of_records(CONFIG, records) == {"warmup": 3, "grpo": 7, "more": 9}


def asked(*accuracies, start=0.2):
    """Evaluations of the last stage, every two steps, behind those at the start and after the first stage."""
    found = [stages.Asked("start", 0, {"test_a": {"accuracy": start}})]
    return found + [
        stages.Asked("grpo", 2 * number, {"test_a": {"accuracy": value}}) for number, value in enumerate(accuracies, 1)
    ]


@pytest.mark.parametrize("accuracies", list(itertools.product((0.1, 0.2, 0.3), repeat=4)))
def test_patience_is_counted_as_the_run_counts_it(accuracies):
    config = test_standing.config(watch="test_a", patience=2)
    standing, over = Standing(config), {}
    for one in asked(*accuracies):
        standing.look(one.step, {"test_a": one.suites["test_a"]})
        if standing.is_over:
            over[one.stage] = one.step
    assert stages.given_up(to_dict(config), asked(*accuracies)) == over


def test_a_run_whose_last_stage_ended_by_patience_is_finished(tmp_path):
    """Its header says so, and its last evaluation is its end's; before it was, it is in progress."""
    config = to_dict(test_standing.config(watch="test_a", patience=2))
    config["stages"] = [dict(config["stages"][0], name="grpo", steps=100)]
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "eval").mkdir()
    cell = {"n": 4, "ci95": [0.1, 0.9], "by": {}, "correct": [0, 0, 0, 1]}
    lines = [json.dumps({"step": step, "stage": "grpo", "train/loss": 1.0}) for step in range(1, 7)]
    for one, state in zip(asked(0.3, 0.2, 0.3), ("", *["in progress"] * 2, "finished early"), strict=True):
        order = int(one.step > 0)
        suites = {"test_a": cell | one.suites["test_a"]}
        (tmp_path / "eval" / f"{order}_{one.stage}_{one.step:06d}.json").write_text(json.dumps(suites))
        if not one.step:
            continue
        (tmp_path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines[: one.step]))
        page = epath.Path(write_report(str(tmp_path))).read_text()
        assert (f"{one.step} of 100" in page) and state in page
        assert ("finished early: test_a no longer rose" in page) == (one.step == 6)
        assert read_run(epath.Path(tmp_path)).evaluations[-1].is_end == (one.step == 6)
    del config["evaluation"]["patience"]
    assert stages.given_up(config, asked(0.1, 0.1, 0.1)) == {}
