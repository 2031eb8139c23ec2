"""The whole program from outside: it ends well, resumes bit for bit whatever stops it, says clearly what is wrong."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engines
from engines.verify import extract
from perc_jax.processes import status
from tests import whole_runs

WARMUP, GRPO = 6, 4  # steps of the short config
LAST, BEFORE = 10, 8  # the checkpoints that it keeps
IN_STAGE = {
    "warmup": {"train/loss", "train/entropy", "train/grad_norm", "train/tokens", "train/is_finite", "train/recompiles"},
    "grpo": {
        *("rollout/reward", "rollout/accuracy", "rollout/format", "rollout/completion_length", "rollout/timed_out"),
        *("rollout/entropy", "train/skipped_share"),
        *("groups/no_signal_share", "mismatch/prob_diff_mean", "mismatch/prob_diff_max"),
    },
}
WAITS = {"time/device_idle_s", "time/host_idle_s", "time/data_wait_s"}  # within the phases
TIMED = {"rate/tokens_per_s", "time/step_s", "time/data_s", "time/update_s", "time/other_s"} | WAITS


# --- a run that nothing disturbs -----------------------------------------------------------------------------------


def test_the_run_writes_all_that_is_promised(reference_run):
    workdir, ended, _ = reference_run
    print(f"the run: {ended.seconds:.0f} s")
    assert ended.seconds < 150  # under 40 on a quiet machine
    assert {path.name for path in workdir.iterdir()} == {
        *("config.json", "metrics.jsonl", "run.json", "report.html", "attempts.json"),
        *("checkpoints", "curriculum", "eval", "samples", "heartbeat", "logs"),
    }
    assert whole_runs.steps(workdir) == [BEFORE, LAST]
    assert json.loads((workdir / "config.json").read_text())["name"] == "short_run"
    facts = json.loads((workdir / "run.json").read_text())
    assert (facts["devices"], facts["hosts"], facts["starts"]) == (1, 1, 1)
    assert "-m perc_jax.train --config tests/short_run.py" in facts["command"]
    assert {"processor", "cores", "memory in GB", "python", "jax", "jaxlib", "flax", "optax"} <= facts.keys()
    assert facts["parameters"] > 1e5 and 0 < facts["seconds in all"] < ended.seconds
    report = (workdir / "report.html").read_text()
    assert "warmup" in report and "grpo" in report and "data:image/png;base64," in report
    assert re.search(r"""(src|href)=["'](?!data:)""", report) is None


def test_metrics_hold_every_promised_name(reference_run):
    records = [json.loads(line) for line in (reference_run.workdir / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(1, LAST + 1))
    assert [record["stage"] for record in records] == ["warmup"] * WARMUP + ["grpo"] * GRPO
    for record in records:
        promised = IN_STAGE["warmup"] | TIMED
        if record["stage"] == "grpo":
            promised |= IN_STAGE["grpo"] | {"time/rollout_s", "time/verify_s"}
            assert {name for name in record if name.startswith("rollout/accuracy/")} <= {
                f"rollout/accuracy/{engine}" for engine in engines.ENGINES
            }
        assert promised <= set(record)
        assert record["train/is_finite"] == 1 and record["train/recompiles"] == 0
        phases = {name: value for name, value in record.items() if name.startswith("time/")} | dict.fromkeys(WAITS, 0.0)
        assert sum(phases.values()) == pytest.approx(2 * record["time/step_s"])
        assert 0 <= record["train/padding_share"] < 1 and min(record[name] for name in WAITS) >= 0
        assert record.get("mismatch/prob_diff_max", 0.0) < 1e-4
    assert any(record["train/grad_norm"] > 0 for record in records[WARMUP:])
    losses = [record["train/loss"] for record in records[:WARMUP]]
    assert losses[-1] < losses[0]


def test_evaluations_hold_the_contract(reference_run):
    names = [f"0_start_{0:06d}.json", f"1_warmup_{WARMUP:06d}.json", f"2_grpo_{LAST:06d}.json"]
    assert sorted(whole_runs.evaluations(reference_run.workdir)) == names
    right = {}
    for name, text in whole_runs.evaluations(reference_run.workdir).items():
        suites = json.loads(text)
        right[name] = sum(sum(result["correct"]) for result in suites.values())
        assert {suite: result["n"] for suite, result in suites.items()} == {
            "test_a": 16, "test_b": 8, "test_c": 8, "test_d": 8,
        }  # fmt: skip
        for result in suites.values():
            assert set(result) >= {"n", "accuracy", "ci95", "by"}
            low, high = result["ci95"]
            assert 0 <= low <= result["accuracy"] <= high <= 1
            assert result["accuracy"] == pytest.approx(np.mean(result["correct"]))
            assert set(result["by"]) == {"engine", "type", "level", "cell"} and len(result["correct"]) == result["n"]
    assert right[names[0]] == 0 and all(0 < right[name] < 40 for name in names[1:])  # the warm-up teaches some answers


def test_it_says_what_it_found_and_how_it_ended(reference_run):
    assert re.search(r"  one process, 1 device \(cpu\); mesh replica 1 x fsdp 1 x tensor 1\n", reference_run.ended.err)
    found = status.look(str(reference_run.workdir))
    assert (found.state, found.step, found.steps, found.steps_left, found.checkpoint) == ("done", LAST, LAST, 0, LAST)
    [attempt], [process] = found.attempts, found.processes
    assert (attempt.number, attempt.processes, attempt.ended[:2]) == (1, 1, (0, "done"))
    assert (process.beat.step, process.beat.stage, process.beat.stage_step) == (LAST, "grpo", LAST - WARMUP)
    assert process.beat.step_s > 0


def test_kept_samples_are_verified_as_the_metrics_say(reference_run):
    folder = reference_run.workdir / "samples"
    rollouts = [path.stem for path in folder.glob("*_grpo.json") if "eval" not in path.stem]
    assert sorted(rollouts) == ["000008_grpo", "000010_grpo"]
    kept: dict[str, list[tuple[str, float]]] = {}  # by file: the suite and whether the answer is right
    forms = set()
    for path in folder.glob("*.json"):
        kept[path.stem] = []
        for sample in json.loads(path.read_text()):
            assert (folder / sample["image"]).stat().st_size > 0
            for answer in sample["answers"]:
                assert answer["parsed"] == extract(answer["text"])
                assert answer["accuracy"] == ((answer["parsed"] or "").strip() == sample["gold"])
                kept[path.stem].append((sample["suite"], answer["accuracy"]))
                forms.add(answer["parsed"] is None)
    assert forms == {True, False} == {is_right > 0 for answers in kept.values() for _, is_right in answers}
    metrics = whole_runs.metrics(reference_run.workdir)
    for name in rollouts:
        asked, mine = 8 * 4, sum(is_right for _, is_right in kept[name])
        assert mine <= asked * metrics[int(name[:6]) - 1]["rollout/accuracy"] <= mine + asked - len(kept[name])
    assert any(line["rollout/accuracy"] for line in metrics[WARMUP:])
    for name, text in whole_runs.evaluations(reference_run.workdir).items():
        _, stage, step = name.removesuffix(".json").split("_")
        for suite, result in json.loads(text).items():
            mine = [is_right for other, is_right in kept[f"{step}_eval_{stage}"] if other == suite]
            assert len(mine) == 4 and mine == result["correct"][:4]


def test_nothing_compiles_after_the_warm_up(reference_run):
    """JAX names every program it compiles: each of them comes before the first evaluation."""
    before, sight, after = reference_run.ended.err.partition("the model sees")
    assert sight and len(list(whole_runs.compiled(before))) >= 8
    assert list(whole_runs.compiled(after)) == []


def test_the_command_line_answers_without_jax():
    loaded = "sys.exit(bool({'jax', 'flax', 'grain', 'orbax'} & set(sys.modules)))"
    code = f"import sys, perc_jax.train, perc_jax.cli; {loaded}"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=whole_runs.ROOT).returncode == 0


def test_a_run_that_is_done_says_so_and_compiles_nothing(reference_run, tmp_path):
    workdir = shutil.copytree(reference_run.workdir, tmp_path / "run")
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file() and path.suffix != ".html"}
    ended = whole_runs.finished(workdir, JAX_LOG_COMPILES="1")
    assert f"{workdir} is done after {LAST} steps" in ended.err and list(whole_runs.compiled(ended.err)) == []
    assert all(path.read_bytes() == content for path, content in before.items())


# --- stopped and started again -------------------------------------------------------------------------------------


def committed(workdir: Path, step: int) -> bool:
    """Whether a checkpoint of that step or a later one is on the disk."""
    return any(there >= step for there in whole_runs.steps(workdir))


def begun(workdir: Path, step: int) -> bool:
    """Whether a checkpoint is being written, or already is."""
    return (workdir / "checkpoints" / str(step)).exists() or committed(workdir, step)


def kept(workdir: Path, name: str) -> bool:
    """Whether a step's samples lie on the disk; for a rollout: it is verified, its update not yet dispatched."""
    return any((workdir / "samples").glob(f"{name}*"))


MOMENTS = {  # in their order, by what can be seen of them from outside
    "compiling": lambda workdir: workdir.exists(),
    "first evaluation": lambda workdir: (workdir / "config.json").exists(),
    "warm-up": lambda workdir: whole_runs.lines(workdir) >= 1,
    "writing a checkpoint": lambda workdir: begun(workdir, 4),
    "evaluation between stages": lambda workdir: committed(workdir, WARMUP),
    "rollout": lambda workdir: kept(workdir, "000006_eval_warmup") or committed(workdir, BEFORE),
    "update": lambda workdir: kept(workdir, "000008_grpo") or committed(workdir, BEFORE),
    "writing the next checkpoint": lambda workdir: begun(workdir, BEFORE),
    "last evaluation": lambda workdir: begun(workdir, LAST),
}


def wait_for(run: whole_runs.Running, workdir: Path, moment: str) -> None:
    """Wait for a moment of this start of the run: what an earlier one left behind does not count."""
    if moment != "compiling":
        run.wait_for(lambda: run.has_said("the model sees") or run.has_said("resuming"))
    run.wait_for(lambda: MOMENTS[moment](workdir))


def damage_newest(workdir: Path) -> int:
    """Flip one bit in the middle of the newest checkpoint's largest file; gives its step."""
    step = whole_runs.steps(workdir)[-1]
    files = (path for path in (workdir / "checkpoints" / str(step) / "state").rglob("*") if path.is_file())
    victim = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    return step


def test_killed_and_damaged_it_ends_as_if_undisturbed(reference_run, nursery, tmp_path):
    """The killed start has a worker that draws its pictures, which ends with it, and which the others are without."""
    workdir, how = tmp_path / "run", {"cache": reference_run.cache, "begin": nursery.begin}
    with whole_runs.train(workdir, "--data.workers", "1", **how) as run:
        wait_for(run, workdir, "update")
        assert run.kill().code == -9
    damaged = damage_newest(workdir)
    ended = whole_runs.finished(workdir, **how)
    [warning] = ended.unspoken()
    assert warning.startswith(f"warning: checkpoint {damaged} is damaged (state/") and "resuming" in ended.err
    whole_runs.assert_same(workdir, reference_run.workdir)
    assert json.loads((workdir / "run.json").read_text())["starts"] > 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_five_random_moments_it_ends_as_if_undisturbed(reference_run, tmp_path, seed):
    """In the order of a run, so that each start comes further, at once or up to a second after the moment begins.

    The last start compiles everything anew.
    """
    rng = np.random.default_rng(seed)
    workdir, moments = tmp_path / "run", list(MOMENTS)
    for number in sorted(rng.choice(len(moments), 5, replace=False)):
        delay_s = rng.choice([0.0, rng.random()])
        print(f"killed {delay_s:.3f} s after: {moments[number]}")
        with whole_runs.train(workdir, cache=reference_run.cache) as run:
            wait_for(run, workdir, moments[number])
            run.let_run(delay_s)
            assert run.kill().code == -9
    whole_runs.finished(workdir)
    whole_runs.assert_same(workdir, reference_run.workdir)


@pytest.mark.slow
def test_ctrl_c_at_any_moment_is_one_line_and_costs_nothing(reference_run, tmp_path):
    """Nine moments and the imports before them; the terminal's signal goes to all processes of the run."""
    workdir, cache = tmp_path / "run", reference_run.cache
    for moment in ("imports", *MOMENTS):
        with whole_runs.train(workdir, cache=cache) as run:
            if moment == "imports":
                run.let_run(1.0)
            else:
                wait_for(run, workdir, moment)
            ended = run.interrupt()
        assert ended.code == 130, moment
        knows = "" if moment == "imports" else "; the same command resumes"  # once the command line is read
        assert whole_runs.complaint(ended).startswith(f"interrupted{knows}"), moment
    whole_runs.finished(workdir, cache=cache)
    whole_runs.assert_same(workdir, reference_run.workdir)


@pytest.mark.slow
def test_killed_every_few_seconds_it_ends_as_if_undisturbed(reference_run, tmp_path):
    """Blind: whatever the run is doing then."""
    rng, workdir, kills = np.random.default_rng(3), tmp_path / "run", 0
    while kills < 10:
        with whole_runs.train(workdir, cache=reference_run.cache) as run:
            run.let_run(reference_run.ended.seconds * rng.uniform(0.15, 0.5))
            if run.kill().code == 0:
                break
        kills += 1
    assert kills >= 2
    whole_runs.finished(workdir, cache=reference_run.cache)
    whole_runs.assert_same(workdir, reference_run.workdir)


# --- other machines ------------------------------------------------------------------------------------------------


def assert_close(workdir: Path, other: Path) -> None:
    """Equal but for the order in which floats are added up: metrics to float32 precision, every answer exactly."""
    whole_runs.assert_metrics_close(workdir, other, 1e-5, 1e-6)
    mine, theirs = whole_runs.evaluations(workdir), whole_runs.evaluations(other)
    assert mine.keys() == theirs.keys()
    assert [json.loads(mine[name]) for name in mine] == [json.loads(theirs[name]) for name in mine]
    assert whole_runs.kept_samples(workdir) == whole_runs.kept_samples(other)


@pytest.mark.slow
def test_eight_devices_train_as_one(reference_run, tmp_path):
    workdir = tmp_path / "run"
    whole_runs.finished(workdir, XLA_FLAGS="--xla_force_host_platform_device_count=8")
    assert json.loads((workdir / "run.json").read_text())["devices"] == 8
    assert_close(workdir, reference_run.workdir)


@pytest.mark.slow
def test_two_processes_train_as_one(reference_run, tmp_path):
    workdir = tmp_path / "run"
    place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{whole_runs.free_port()}", "JAX_NUM_PROCESSES": "2"}
    with contextlib.ExitStack() as both:
        ranks = [
            both.enter_context(
                whole_runs.train(workdir, output=tmp_path / f"rank_{rank}", **place, JAX_PROCESS_ID=str(rank))
            )
            for rank in (0, 1)
        ]
        ended = [rank.end() for rank in ranks]
    assert [rank.code for rank in ended] == [0, 0], [rank.err for rank in ended]
    assert ended[1].err == ""
    facts = json.loads((workdir / "run.json").read_text())
    assert (facts["hosts"], facts["devices"]) == (2, 2)
    assert_close(workdir, reference_run.workdir)


# --- what cannot be run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rollout.temprature", "2"), "unknown option --rollout.temprature; did you mean --rollout.temperature?"),
        (("--stages.0.micro-batches", "3"), "stages.0.prompts_per_step must be a multiple of micro_batches"),
    ],
)
def test_a_mistake_on_the_command_line_earns_one_line(tmp_path, arguments, message):
    with whole_runs.train(tmp_path / "run", *arguments) as run:
        ended = run.end()
    assert ended.code == 2 and message in whole_runs.complaint(ended)
    assert not (tmp_path / "run").exists()


def test_the_workdir_of_another_run_is_refused_and_left_alone(reference_run, nursery):
    before = {path: path.stat().st_mtime_ns for path in reference_run.workdir.rglob("*")}
    how = {"cache": reference_run.cache, "begin": nursery.begin}
    with whole_runs.train(reference_run.workdir, "--seed", "7", **how) as run:
        ended = run.end()
    assert ended.code == 2 and "seed must be 0 as in the checkpoints of" in whole_runs.complaint(ended)
    assert {path: path.stat().st_mtime_ns for path in reference_run.workdir.rglob("*")} == before


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int):
    """A file system of that size at a folder; the test is skipped where one may not be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_the_run_in_one_line_and_costs_nothing_written(reference_run, tmp_path):
    """There is room for one checkpoint and a half."""
    size = sum(path.stat().st_size for path in (reference_run.workdir / "checkpoints" / str(LAST)).rglob("*"))
    disk = tmp_path / "disk"
    with small_disk(disk, int(1.5 * size) + (2 << 20)):
        workdir = whole_runs.copy_at(reference_run, disk / "run", BEFORE)
        with whole_runs.train(workdir, output=tmp_path / "output", cache=reference_run.cache) as run:
            ended = run.end()
        line = whole_runs.complaint(ended)
        assert ended.code == 1 and "no space left for this checkpoint, earlier ones are intact" in line
        assert whole_runs.metrics(workdir) == whole_runs.metrics(reference_run.workdir)
        assert {path.name for path in (workdir / "checkpoints").iterdir()} == {str(BEFORE)}
        mine, theirs = whole_runs.leaves(workdir, BEFORE), whole_runs.leaves(reference_run.workdir, BEFORE)
        assert all(mine[name].tobytes() == theirs[name].tobytes() for name in theirs)
        subprocess.run(["mount", "-o", f"remount,size={10 * size}", str(disk)], check=True)
        whole_runs.finished(workdir, output=tmp_path / "again", cache=reference_run.cache)
        whole_runs.assert_same(workdir, reference_run.workdir)


# --- the control arm -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_control_arm_rewards_coins_and_measures_the_truth(reference_run, tmp_path):
    """From the same checkpoint the next rollout is the same, and so is its accuracy; only the rewards differ."""
    workdir = whole_runs.copy_at(reference_run, tmp_path / "run", BEFORE)
    one_each = ("--stages.1.micro-batches", "8")  # so that every group without signal is left out, but for the last
    whole_runs.finished(workdir, *one_each, control="none", cache=reference_run.cache)
    control, honest = (whole_runs.metrics(folder)[BEFORE] for folder in (reference_run.workdir, workdir))
    true = [name for name in honest if name.startswith("rollout/") and name != "rollout/reward"]
    assert {name: control[name] for name in true} == {name: honest[name] for name in true}
    assert honest["rollout/reward"] == honest["rollout/accuracy"]
    assert honest["train/skipped_share"] == min(honest["groups/no_signal_share"], 7 / 8) > 0
    assert 0.2 < control["rollout/reward"] < 0.8 and control["train/grad_norm"] > 0
    samples = json.loads((reference_run.workdir / "samples" / f"{LAST:06d}_grpo.json").read_text())
    answers = [answer for sample in samples for answer in sample["answers"]]
    assert {answer["reward"] for answer in answers} == {0.0, 1.0}
    assert any(answer["reward"] != answer["accuracy"] for answer in answers)
