"""Where stages end on pages: as planned, and as they did."""

from perc_jax.report import stages

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
