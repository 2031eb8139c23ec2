"""Where a run stands in a config that has changed: what is understood, what is refused, what is written down."""

import dataclasses
import json

import pytest
from etils import epath

from configs.smoke_cpu import get_config
from perc_jax.config import RewardConfig, TermConfig, to_dict
from perc_jax.run import place
from perc_jax.run.place import Change, Place, Streak

CONFIG = get_config()
WARMUP, GRPO = CONFIG.stages
LATER = dataclasses.replace(GRPO, name="later")
STORED = json.loads(json.dumps(to_dict(CONFIG)))


def after(stage: str, step: int, config, stored=STORED):
    return place.resumed({"stage": stage, "step": step}, json.loads(json.dumps(stored)), to_dict(config))


def with_stages(*stages):
    return dataclasses.replace(CONFIG, stages=stages)


def changed(section, path: str, value):
    """A config section with the field at a dotted path replaced."""
    name, _, below = path.partition(".")
    return dataclasses.replace(section, **{name: changed(getattr(section, name), below, value) if below else value})


def test_a_run_goes_on_where_it_was():
    assert after("grpo", 2, CONFIG) == (Place(1, 2), [])
    assert after("warmup", 6, CONFIG) == (Place(0, 6), [])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("optimizer.learning_rate", 1e-5),
        ("optimizer.schedule", "constant"),
        ("steps", 40),
        ("reward.control", "random"),
        ("loss.clip_high", 0.28),
        ("max_rounds", 3),
        ("mixture.photo_share", 0.5),
        ("mixture.curriculum.kind", "stratified"),
    ],
)
def test_what_may_change_in_the_stage_is_understood_and_named(path, value):
    where, changes = after("grpo", 2, with_stages(WARMUP, changed(GRPO, path, value)))
    [(field, was, now)] = changes
    assert where == Place(1, 2) and field == f"stages[grpo].{path}"
    assert was != now == json.loads(json.dumps(value))
    with pytest.raises(ValueError, match=r"^stages\[grpo\]\." + path + " must be .* as in the checkpoints, got"):
        after("later", 1, with_stages(changed(GRPO, path, value), LATER), to_dict(with_stages(GRPO, LATER)))


@pytest.mark.parametrize(
    ("path", "value"),
    [("prompts_per_step", 4), ("group_size", 8), ("optimizer.method", "muon"), ("optimizer.frozen", ("vision/",))],
)
def test_what_the_state_and_the_position_are_of_may_not(path, value):
    with pytest.raises(ValueError, match=rf"^stages\[grpo\]\.{path} must be .* as in the checkpoints, got .*$"):
        after("grpo", 2, with_stages(WARMUP, changed(GRPO, path, value)))
    [found] = after("warmup", 2, with_stages(WARMUP, changed(GRPO, path, value)))[1]  # that stage is still to come
    assert found.field == f"stages[grpo].{path}"


@pytest.mark.parametrize("path", ["data.image_px", "data.instruction", "data.answer_form"])
def test_what_a_question_is_may_not_change(path):
    value = {"data.image_px": 224, "data.instruction": "Think.", "data.answer_form": "answer"}[path]
    with pytest.raises(ValueError, match=f"^{path} must be .* as in the checkpoints, got"):
        after("grpo", 2, changed(CONFIG, path, value))


def test_the_machine_and_what_is_only_looked_at_may_change():
    other = changed(changed(changed(CONFIG, "mesh.tensor", 2), "evaluation.batch", 1), "data.workers", 0)
    where, changes = after("grpo", 2, other)
    assert where == Place(1, 2)
    assert {change.field for change in changes} == {"mesh.tensor", "evaluation.batch", "data.workers"}


def test_stages_are_found_by_name():
    """Inserted, removed and renamed before the current one is refused; after it, it is a change."""
    begin = "^stages must begin with warmup, grpo as in the checkpoints, got "
    renamed = dataclasses.replace(WARMUP, name="cold")
    for stages, names in (
        ((WARMUP, LATER, GRPO), "warmup, later, grpo"),
        ((GRPO,), "grpo"),
        ((GRPO, WARMUP), "grpo, warmup"),
        ((renamed, GRPO), "cold, grpo"),
        ((WARMUP,), "warmup"),
        ((WARMUP, LATER), "warmup, later"),
    ):
        with pytest.raises(ValueError, match=f"{begin}{names}$"):
            after("grpo", 2, with_stages(*stages))
    where, [change] = after("grpo", 4, with_stages(WARMUP, GRPO, LATER))
    assert where == Place(1, 4) and change == Change("stages", ["warmup", "grpo"], ["warmup", "grpo", "later"])
    where, [change] = after("warmup", 2, with_stages(WARMUP, LATER))
    assert where == Place(0, 2) and change.now == ["warmup", "later"]
    with pytest.raises(ValueError, match=r"^stages\[warmup\]\.optimizer\.learning_rate must be 0\.003 as in"):
        after("grpo", 2, with_stages(changed(WARMUP, "optimizer.learning_rate", 1.0), GRPO))


def test_steps_that_are_done_cannot_be_taken_back():
    with pytest.raises(ValueError, match=r"^stages\[grpo\]\.steps must be >= 3, which are done, got 2$"):
        after("grpo", 3, with_stages(WARMUP, changed(GRPO, "steps", 2)))
    assert after("grpo", 3, with_stages(WARMUP, changed(GRPO, "steps", 3)))[0] == Place(1, 3)


@pytest.mark.parametrize(("was", "now", "rule"), [(0.0, 0.1, "0"), (0.1, 0.0, "> 0")])
def test_a_reference_comes_and_goes_with_its_stage_only(was, now, rule):
    stored = to_dict(with_stages(WARMUP, changed(GRPO, "loss.kl_coef", was)))
    with pytest.raises(ValueError, match=rf"^stages\[grpo\]\.loss\.kl_coef must be {rule} as in the checkpoints"):
        after("grpo", 2, with_stages(WARMUP, changed(GRPO, "loss.kl_coef", now)), stored)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_stored_format_weight_is_the_term_that_it_was(weight):
    stored = json.loads(json.dumps(STORED))
    for stage in stored["stages"]:
        stage["reward"] = {"format_weight": weight, "control": "none"}
    terms = (TermConfig("accuracy"), *[TermConfig("format", weight)] * bool(weight))
    reward = RewardConfig(terms)
    same = with_stages(WARMUP, dataclasses.replace(GRPO, reward=reward))
    assert after("grpo", 2, same, stored) == (Place(1, 2), [])
    other = dataclasses.replace(reward, terms=(*terms, TermConfig("length")))
    [change] = after("grpo", 2, with_stages(same.stages[0], dataclasses.replace(GRPO, reward=other)), stored)[1]
    assert change.field == "stages[grpo].reward.terms" and len(change.now) == len(change.was) + 1
    lighter = (dataclasses.replace(terms[0], weight=0.25), *terms[1:])
    lighter = dataclasses.replace(GRPO, reward=RewardConfig(lighter))
    [change] = after("grpo", 2, with_stages(same.stages[0], lighter), stored)[1]
    assert change == Change("stages[grpo].reward.terms.0.weight", 1.0, 0.25)


def test_a_field_that_only_one_version_knows_is_no_change():
    stored = json.loads(json.dumps(STORED))
    del stored["samples_every"], stored["stages"][0]["remat"]
    stored["stages"][1]["gone"] = stored["gone"] = 1
    assert after("grpo", 2, CONFIG, stored) == (Place(1, 2), [])


def test_a_run_that_has_begun_does_not_begin_with_another():
    other = dataclasses.replace(CONFIG, begin_from="runs/a@3")
    old = {name: value for name, value in STORED.items() if name != "begin_from"}
    for stored in (STORED, old):
        with pytest.raises(ValueError, match=r"^begin_from must be '' as in the checkpoints, got 'runs/a@3'$"):
            after("grpo", 2, other, stored)
    assert after("grpo", 2, other, to_dict(other))[1] == []


def test_changes_are_kept_with_their_step_and_given_up_with_it(tmp_path):
    folder, file = epath.Path(tmp_path), tmp_path / place.FILE
    place.note(folder, 4, [])
    assert not file.exists()
    place.note(folder, 4, [Change("a", 1, 2)])
    place.note(folder, 8, [Change("b", [1], [2]), Change("c", "x", "y")])
    wanted = [{"step": 4, "field": "a", "was": 1, "now": 2}, {"step": 8, "field": "b", "was": [1], "now": [2]}]
    assert json.loads(file.read_text()) == [*wanted, {"step": 8, "field": "c", "was": "x", "now": "y"}]
    place.note(folder, 8, [Change("b", [1], [2])])  # again from the same checkpoint, with less
    assert json.loads(file.read_text()) == wanted
    place.note(folder, 2, [])  # from an older one, as it was
    assert json.loads(file.read_text()) == []


@pytest.mark.parametrize("stage", ["sft", "sft_251130", "251130", "000001_2", "1000050"])
def test_what_later_steps_left_is_removed_whatever_the_stage_is_called(tmp_path, stage):
    """Stages may have numbers in their names, and steps more than six digits."""
    steps = (50, 60, 61, 251129, 1_000_050)
    folder = epath.Path(tmp_path)
    names = {
        "eval": {step: [place.results(folder, 1, stage, step).name] for step in steps},
        "samples": {
            step: [f"{step:06d}_{stage}{end}" for end in (".json", "_0.png", "_0_0_1.png")]
            + [f"{step:06d}_eval_{stage}.json"]
            for step in steps
        },
        "curriculum": {step: [f"{step:06d}_{stage}_{phase}.json" for phase in (0, 7)] for step in steps},
    }
    for kind, of_steps in names.items():
        (folder / kind).mkdir()
        for name in [*(name for many in of_steps.values() for name in many), "notes.txt"]:
            (folder / kind / name).write_text("{}")
        (folder / kind / f".{of_steps[50][0]}.{'0' * 32}.part").write_text("{")  # a writer was killed
        place.remove_after(folder / kind, 60)
        kept = {file.name for file in (folder / kind).iterdir()}
        assert kept == {*of_steps[50], *of_steps[60], "notes.txt"}, kind
    place.remove_after(folder / "none", 60)


def test_a_streak_of_bad_steps_goes_on_over_a_resume():
    streak = Streak()
    for step, is_finite in enumerate((False, False, True, False, False, False), 1):
        streak.count(is_finite, step)
    resumed = Streak(streak.bad_steps)
    resumed.count(False, 7)
    with pytest.raises(RuntimeError, match=r"^the gradient was not finite for 5 steps up to step 8; checkpoints from"):
        resumed.count(False, 8)


def test_a_run_whose_last_steps_taught_nothing_does_not_end_well():
    """Fewer than end it at once: it comes to its end, and says so there; started again it says the same."""
    streak = Streak()
    for step, is_finite in enumerate((False, True, False, False), 1):
        streak.count(is_finite, step)
    words = "the gradient was not finite in the last 2 steps, up to step 4: nothing was learned from them; "
    for this in (streak, Streak(streak.bad_steps)):
        with pytest.raises(RuntimeError, match=f"^{words}the newest sound checkpoint is of step 2$"):
            this.finish(4, [1, 2])
    with pytest.raises(RuntimeError, match=f"^{words}there is no sound checkpoint$"):
        streak.finish(4, [])
    streak.count(True, 5)
    streak.finish(5, [1, 2, 5])
