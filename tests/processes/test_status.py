"""How a run stands by its files alone: alive, silent, ended, done; what is left; the command's codes and forms."""

import json

import pytest
from etils import epath

from perc_jax import status as command
from perc_jax.processes import status
from perc_jax.processes.status import SILENT_S, Status, duration
from perc_jax.records import attempts, commits
from perc_jax.records.attempts import Attempt, Beat, End

NOW = 10_000.0
STAGES = {"stages": [{"name": "warmup", "steps": 60}, {"name": "grpo", "steps": 200}]}


def run(tmp_path, *, number=1, processes=2, ages=(3.0, 4.0), ended=None, kept=(40, 80), config=True, **fields) -> str:
    """A workdir as a run leaves it; `ages` of the processes' beats in seconds, None for one that has written none."""
    folder = epath.Path(tmp_path) / "run"
    folder.mkdir(parents=True, exist_ok=True)
    if config:
        (folder / "config.json").write_text(json.dumps(STAGES))
    for step in kept:
        record = {
            "step": step,
            "position": {"stage": "grpo", "step": step - 60} if step > 60 else {"stage": "warmup", "step": step},
        }
        commits.write(folder / "checkpoints", step, json.loads(commits.canonical(record | {"config": STAGES})))
    attempts.begin(folder, Attempt(number, NOW - 500, processes))
    where = {"step": 90, "stage": "grpo", "stage_step": 30, "phase": "rollout", "phase_s": 2.0, "step_s": 0.5}
    for rank, age_s in enumerate(ages):
        if age_s is not None:
            beat = Beat(number, rank, f"host-{rank}", NOW - age_s, **(where | fields), ended=ended)
            attempts.write_beat(folder, beat)
    return str(folder)


def look(workdir: str) -> Status:
    return status.look(workdir, NOW)


def test_a_run_that_lives(tmp_path):
    found = look(run(tmp_path))
    assert (found.state, found.is_well, found.silent) == ("running", True, [])
    assert (found.step, found.stage, found.steps, found.steps_left, found.seconds_left) == (90, "grpo", 260, 170, 85.0)
    assert found.checkpoint == 80 and found.best is None
    text = "\n".join(status.lines(found))
    for words in (
        "running, attempt 1",
        "step 90 of 260 (stage grpo); newest checkpoint: step 80",
        "left: 170 steps, about 1 min",
    ):
        assert words in text
    rows = [line.split() for line in text.splitlines() if "host-" in line]
    assert rows == [
        ["0", "host-0", "90", "rollout", "2", "s", "0.5", "3", "s", "ago"],
        ["1", "host-1", "90", "rollout", "2", "s", "0.5", "4", "s", "ago"],
    ]


@pytest.mark.parametrize(
    ("ages", "silent", "words"),
    [
        ((3.0, SILENT_S + 1), [1], "silent: process 1 on host-1, in phase rollout, for 1 min 1 s"),
        ((SILENT_S + 40, 4.0), [0], "silent: process 0 on host-0, in phase rollout, for 1 min 40 s"),
        ((3.0, None), [1], "silent: process 1, which has never beaten, for 8 min 20 s"),
    ],
)
def test_a_process_of_which_nothing_is_heard_is_named(tmp_path, ages, silent, words):
    found = look(run(tmp_path, ages=ages))
    assert (found.state, found.is_well, [one.rank for one in found.silent]) == ("running", False, silent)
    assert list(status.lines(found))[-1] == words


def test_a_beat_that_is_just_not_old_is_none(tmp_path):
    assert look(run(tmp_path, ages=(SILENT_S, SILENT_S - 1))).is_well
    assert look(run(tmp_path, ages=(-30.0, 0.0))).is_well  # a clock that is ahead of ours


def test_a_run_that_was_killed_is_silent_and_goes_on_from_its_checkpoint(tmp_path):
    found = look(run(tmp_path, ages=(900.0, 901.0)))
    assert (found.state, found.is_well) == ("silent", False)
    assert (found.step, found.stage, found.steps_left, found.seconds_left) == (80, "grpo", 180, 90.0)


@pytest.mark.parametrize(
    ("code", "state", "left", "is_well"), [(0, "done", 0, True), (143, "ended", 180, False), (1, "ended", 180, False)]
)
def test_how_it_ended_is_told_with_code_and_cause(tmp_path, code, state, left, is_well):
    workdir = run(tmp_path, ended=End(code, "said so", NOW - 5), ages=(900.0, 900.0))
    found = look(workdir)
    assert (found.state, found.steps_left, found.is_well, found.silent) == (state, left, is_well, [])
    assert f"with code {code}: said so" in "\n".join(status.lines(found))


def test_all_starts_are_listed_in_order(tmp_path):
    run(tmp_path, number=1, ended=End(143, "terminated; step 80 is kept", NOW - 400))
    run(tmp_path, number=2, ages=(300.0, None))
    found = look(run(tmp_path, number=3))
    assert [(one.number, one.ended and one.ended.code) for one in found.attempts] == [(1, 143), (2, None), (3, None)]
    assert found.attempts[1].ended.cause == attempts.UNHEARD and found.state == "running"
    rows = list(status.lines(found))[-3:]
    assert "terminated; step 80 is kept" in rows[0] and "killed" in rows[1] and rows[2].endswith("running")


def test_before_the_first_checkpoint_and_without_a_config_less_is_told(tmp_path):
    found = look(run(tmp_path, kept=(), config=False, step=0, stage="", stage_step=0, step_s=None))
    assert (found.state, found.step, found.steps, found.seconds_left, found.checkpoint) == (
        "running",
        0,
        None,
        None,
        None,
    )
    assert "step 0; no checkpoint yet" in list(status.lines(found))[1]


def test_a_damaged_checkpoint_is_not_where_it_goes_on(tmp_path):
    workdir = run(tmp_path, ages=(900.0, 900.0))
    (tmp_path / "run" / "checkpoints" / "80" / commits.COMMIT).write_text("{}")
    assert (look(workdir).step, look(workdir).stage) == (40, "warmup")


def test_a_run_of_a_version_without_starts_is_told_apart(tmp_path):
    workdir = run(tmp_path)
    (tmp_path / "run" / attempts.FILE).unlink()
    found = look(workdir)
    assert (found.state, found.step, found.processes) == ("unknown", 80, [])
    assert "no start was noted" in next(iter(status.lines(found)))


def test_the_command_ends_by_what_it_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(status.time, "time", lambda: NOW)
    command.main([run(tmp_path)])
    assert "running, attempt 1" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        command.main([run(tmp_path / "b", ages=(3.0, 99.0)), "--json", "-"])
    found = json.loads(capsys.readouterr().out)
    assert end.value.code == 1 and not found["is_well"]
    assert [(one["rank"], one["age_s"], one["silent"]) for one in found["processes"]] == [
        (0, 3.0, False),
        (1, 99.0, True),
    ]
    assert found["attempts"] == [{"number": 1, "began": NOW - 500, "processes": 2, "ended": None}]
    file = tmp_path / "found.json"
    with pytest.raises(SystemExit):
        command.main([str(tmp_path / "b" / "run"), "--json", str(file)])
    assert json.loads(file.read_text()) == found and "silent: process 1" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_that_is_no_run_is_one_line(tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as end:
        command.main([str(tmp_path / name)])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith(f"error: {tmp_path / name} must be the workdir of a run")


@pytest.mark.parametrize("elsewhere", ["s3://b/run", "http://b/run", "gs:/b/run"])
def test_what_lies_elsewhere_is_one_line(tmp_path, capsys, elsewhere):
    for words in ([elsewhere], [run(tmp_path), "--json", elsewhere]):
        with pytest.raises(SystemExit) as end:
            command.main(words)
        line = f"error: {elsewhere} must be a local path or gs://BUCKET/…\n"
        assert (end.value.code, capsys.readouterr().err) == (2, line)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (12_300, "3 h 25 min"),
        (190_800, "2 d 5 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
