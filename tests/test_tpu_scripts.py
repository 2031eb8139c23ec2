"""The scripts for clusters against stand-ins for gcloud, xpk and SLURM, which record their calls: what --dry-run prints
is what runs."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

SCRIPTS = ROOT / "tpu_scripts"
MAX_LINES = 70
SLICE = ("--project", "my-project", "--zone", "us-x1-a", "--name", "slice-1")
ARGUMENTS = {
    "create.sh": (*SLICE, "--type", "v6e-16", "--runtime", "v2-alpha-tpuv6e", "--spot"),
    "setup.sh": SLICE,
    "run.sh": (*SLICE, "--", "python", "-m", "perc_jax.train", "--workdir", "gs://b/run 1"),
    "logs.sh": (*SLICE, "--worker", "3"),
    "delete.sh": SLICE,
    "xpk.sh": (
        *(*SLICE, "--cluster", "my-cluster", "--type", "v6e-16", "--image", "python:3.12", "--tries", "5"),
        *("--", "python", "-m", "perc_jax.train", "--workdir", "gs://b/run 1"),
    ),
    "keep.sh": (
        *(*SLICE, "--type", "v6e-16", "--runtime", "v2-alpha-tpuv6e", "--tries", "3"),
        *("--", "python", "-m", "perc_jax.train", "--workdir", "gs://b/run"),
    ),
    "slurm.sbatch": (
        *("--account", "physics", "--partition", "gpu", "--name", "run", "--nodes", "2", "--gpus", "8", "--cpus", "64"),
        *("--time", "24:00:00", "--venv", "/shared/venv", "--tries", "3"),
        *("--", "python", "-m", "perc_jax.train", "--workdir", "/shared/run 1"),
    ),
}
GCLOUD_ALONE = ("create.sh", "setup.sh", "run.sh", "logs.sh", "delete.sh")

# Records each call as --dry-run prints it.
RECORDED = """#!/usr/bin/env bash
{ printf '%q ' "${0##*/}" "$@"; echo; } >>"$HOME/calls"
"""
# Keeps what is copied to the workers, knows whether the slice was created and not deleted since, says that it is
# there and, with PLAY set, plays a worker in that folder. With STATES, CODES, DELETES or COMMITS it says the words of
# that list in turn, the last one again and again; `-` is a gcloud that fails.
GCLOUD = (
    f"""{RECORDED}
next() {{
  read -r -a words <<<"$2"
  count=$(cat "$HOME/$1" 2>/dev/null || echo 0)
  echo $((count + 1)) >"$HOME/$1"
  word=${{words[count < ${{#words[@]}} ? count : ${{#words[@]}} - 1]}}
  if [[ $word == - ]]; then echo "ERROR: unavailable" >&2 && exit 1; fi
  echo "$word"
}}
"""
    + """
last=${!#}
if [[ $2 == ls ]]; then next commits "${COMMITS:--}"; exit; fi
if [[ $4 == create ]]; then
  if [[ -e $HOME/slice ]]; then echo "ERROR: ALREADY_EXISTS" >&2 && exit 1; fi
  touch "$HOME/slice"
fi
if [[ ($4 == delete || $4 == describe) && ! -e $HOME/slice ]]; then echo "ERROR: NOT_FOUND: x" >&2 && exit 1; fi
if [[ $4 == delete ]]; then next deletes "${DELETES:-done}" && rm -f "$HOME/slice"; exit; fi
if [[ $4 == describe ]]; then echo "WARNING: a newer version is there" >&2 && next states "${STATES:-ACTIVE}"; exit; fi
if [[ $4 == ssh && $last == *run.code* && $last != *nohup* && -z ${PLAY:-} ]]; then next codes "${CODES:-0}"; exit; fi
if [[ $4 == scp ]]; then cp "$5" "$HOME/copied.tar.gz"; fi
if [[ -n ${PLAY:-} && $4 == ssh ]]; then cd "$PLAY" && bash -c "${last#--command=}"; fi
"""
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("gcloud", "xpk", "sbatch", "srun", "scontrol"):
        (tmp_path / "bin" / name).write_text(GCLOUD if name == "gcloud" else RECORDED + 'exit "${CODE:-0}"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def created(home: Path) -> Path:
    """The same, where the slice is there."""
    (home / "slice").touch()
    return home


def start(home: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    variables = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "TMPDIR": str(home)}
    command = ["bash", str(SCRIPTS / script), *arguments]
    return subprocess.run(command, env=variables | environment, capture_output=True, text=True, check=False)


def calls(home: Path) -> list[str]:
    return (home / "calls").read_text().splitlines() if (home / "calls").exists() else []


@pytest.mark.parametrize("script", ARGUMENTS)
def test_a_dry_run_prints_what_a_run_does_and_does_nothing(home: Path, script: str) -> None:
    if script not in ("create.sh", "keep.sh"):
        created(home)
    dry = start(home, script, "--dry-run", *ARGUMENTS[script])
    assert (dry.returncode, dry.stderr, calls(home)) == (0, "", [])
    assert start(home, script, *ARGUMENTS[script]).returncode == 0
    tools = ("gcloud ", "xpk ", "sbatch ")
    assert [line for line in dry.stdout.splitlines() if line.startswith(tools)] == calls(home) != []


def test_the_calls_name_the_slice_and_what_was_asked(home: Path) -> None:
    for script in GCLOUD_ALONE:
        start(home, script, *ARGUMENTS[script])
    made = calls(home)
    assert all("slice-1" in call and "--project=my-project --zone=us-x1-a" in call for call in made)
    assert made[0].endswith("--accelerator-type=v6e-16 --runtime-version=v2-alpha-tpuv6e --spot ")
    assert [call.split()[4] for call in made] == ["create", "describe", "scp", "ssh", "ssh", "ssh", "delete"]
    assert "--worker=3" in made[5] and all("--worker=all" in made[i] for i in (2, 3, 4))


def wrong() -> Iterator[tuple[str, tuple[str, ...], str]]:
    for script, arguments in ARGUMENTS.items():
        words = arguments.index("--") if "--" in arguments else len(arguments)
        for place in range(0, words - words % 2, 2):
            if arguments[place] in ("--worker", "--spot"):
                continue
            yield script, arguments[:place] + arguments[place + 2 :], f"{script}: {arguments[place]} must be given"
        if words < len(arguments):
            yield script, arguments[:words], f"{script}: a command must be given after --"
        if "--tries" in arguments:
            for value in ("0", "x", "1e3"):
                place = arguments.index("--tries") + 1
                message = f"{script}: --tries must be a whole number from 1 on, got {value}"
                yield script, (*arguments[:place], value, *arguments[place + 1 :]), message
        yield script, ("--name", "x", "--zonk", "x"), f"{script}: unknown option --zonk; --help lists all"
        yield script, ("--name",), f"{script}: --name needs a value"
    yield "create.sh", SLICE, "create.sh: --type must be given"
    yield "delete.sh", (*SLICE, "--spot"), "delete.sh: unknown option --spot; --help lists all"


@pytest.mark.parametrize(("script", "arguments", "message"), list(wrong()))
def test_a_mistake_earns_one_line_and_no_call(home: Path, script: str, arguments: tuple, message: str) -> None:
    result = start(home, script, *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error: {message}\n")
    assert calls(home) == []


@pytest.mark.parametrize("script", ARGUMENTS)
def test_help_names_every_option_and_needs_none(home: Path, script: str) -> None:
    result = start(home, script, "--help")
    assert result.returncode == 0 and result.stdout.startswith(f"usage: {script} ")
    words = ARGUMENTS[script][: [*ARGUMENTS[script], "--"].index("--")]
    assert all(option in result.stdout for option in words if option.startswith("--"))


def test_a_failed_slice_ends_the_set_up(home: Path) -> None:
    result = start(created(home), "setup.sh", *SLICE, STATES="FAILED")
    assert result.returncode == 2 and "the slice is FAILED" in result.stderr
    assert len(calls(home)) == 1


def test_the_set_up_waits_for_a_slice_and_bears_a_network_that_fails(home: Path) -> None:
    result = start(created(home), "setup.sh", *SLICE, STATES="WAITING - - PROVISIONING - ACTIVE", POLL_S="0")
    assert result.returncode == 0 and [call.split()[4] for call in calls(home)][5:] == ["describe", "scp", "ssh"]


@pytest.mark.parametrize(
    ("is_there", "line", "looks"),
    [
        (False, "the slice is NONE; see delete.sh, then create.sh", 1),
        (True, "gcloud does not tell the slice's state", 10),
    ],
)
def test_the_set_up_does_not_wait_for_ever(home: Path, is_there: bool, line: str, looks: int) -> None:
    result = start(created(home) if is_there else home, "setup.sh", *SLICE, STATES="-", POLL_S="0")
    assert (result.returncode, len(calls(home))) == (2, looks)
    assert result.stderr.endswith(f"error: setup.sh: {line}\n")


def test_the_workers_get_what_the_package_needs(home: Path) -> None:
    start(created(home), "setup.sh", *SLICE)
    with tarfile.open(home / "copied.tar.gz") as archive:
        names = archive.getnames()
    assert {"pyproject.toml", "README.md", "LICENSE", "perc_jax/cli.py", "configs/debug_cpu.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_a_run_keeps_its_words_appends_to_its_log_and_runs_once(home: Path) -> None:
    worker = home / "worker" / "perc_jax"
    worker.mkdir(parents=True)
    command = (*SLICE, "--", "bash", "-c", 'echo "$1"; exec sleep 30', "name", "two words; $(false)")
    first = start(home, "run.sh", *command, PLAY=str(worker.parent))
    process = int((worker / "run.pid").read_text())
    try:
        second = start(home, "run.sh", *command, PLAY=str(worker.parent))
    finally:
        os.kill(process, 9)
    assert first.returncode == 0 and f"process {process} started" in first.stdout
    assert second.returncode == 1 and f"process {process} still runs" in second.stderr
    (worker / "run.pid").unlink()
    start(home, "run.sh", *SLICE, "--", "echo", "again", PLAY=str(worker.parent))
    deadline = time.monotonic() + 10
    while "again" not in (log := (worker / "run.log").read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert log.splitlines() == ["two words; $(false)", "again"]


def test_a_run_leaves_its_exit_code(home: Path) -> None:
    worker = home / "worker" / "perc_jax"
    worker.mkdir(parents=True)
    for code in (0, 143):
        start(home, "run.sh", *SLICE, "--", "bash", "-c", f"exit {code}", PLAY=str(worker.parent))
        until = time.monotonic() + 10
        while not (worker / "run.code").exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.05)
        assert (worker / "run.code").read_text() == f"{code}\n"


def full(folder: Path, name: str) -> None:
    """Files of this name in a folder can be made and hold nothing, as on a full disk."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("/dev/full")


def looked(home: Path, worker: Path) -> str:
    """What keep.sh takes for the code of the run that the worker plays."""
    script = f'PROJECT=p ZONE=z NAME=n DRY_RUN=no; run() {{ "$@"; }}; source {SCRIPTS}/slice.sh; code'
    variables = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "PLAY": str(worker.parent)}
    return subprocess.run(["bash", "-c", script], env=variables, capture_output=True, text=True, check=True).stdout


def test_a_run_that_left_no_code_counts_as_killed(home: Path) -> None:
    worker = home / "worker" / "perc_jax"
    worker.parent.mkdir()
    assert looked(home, worker) == "137\n"  # a machine made anew under the same name
    worker.mkdir()
    start(home, "run.sh", *SLICE, "--", "sleep", "60", PLAY=str(worker.parent))
    process = int((worker / "run.pid").read_text())
    try:
        assert looked(home, worker) == "runs\n"
        boot = (worker / "run.boot").read_text()
        (worker / "run.boot").write_text("another\n")  # its number is another process's
        assert looked(home, worker) == "137\n"
        (worker / "run.boot").write_text(boot)
        full(worker, "run.code")
    finally:
        os.kill(process, 9)
    assert looked(home, worker) == "137\n"
    (worker / "run.code").unlink()
    (worker / "run.code").write_text("143\n")
    assert looked(home, worker) == "143\n"


def test_a_start_on_a_full_disk_does_not_wait_for_ever(home: Path) -> None:
    worker = home / "worker" / "perc_jax"
    worker.mkdir(parents=True)
    (home / "bin" / "rm").write_text("#!/bin/sh\n")  # what stands for the full disk stays
    (home / "bin" / "rm").chmod(0o755)
    full(worker, "run.pid")
    result = start(home, "run.sh", *SLICE, "--", "sleep", "60", PLAY=str(worker.parent))
    assert result.returncode == 1 and result.stderr.endswith("run.pid cannot be written\n")


def kept(home: Path, **environment: str) -> tuple[int, list[str]]:
    """How keep.sh ends, and what it asked gcloud for, without looking."""
    result = start(home, "keep.sh", *ARGUMENTS["keep.sh"], POLL_S="0", **environment)
    asked = ["run" if "nohup" in call else "".join(call.split()[4:5]) for call in calls(home)]
    return result.returncode, [word for word in asked if word in ("create", "run", "delete")]


ONE = ["create", "run"]


@pytest.mark.parametrize(
    ("states", "codes", "code", "asked"),
    [
        ("ACTIVE", "runs runs 0", 0, [*ONE, "delete"]),
        ("ACTIVE", "runs 2", 2, [*ONE, "delete"]),
        ("ACTIVE", "3", 3, [*ONE, "delete"]),
        ("ACTIVE", "143 runs 0", 0, [*ONE, "run", "delete"]),  # on the same slice again
        ("ACTIVE", "137 0", 0, [*ONE, "run", "delete"]),
        ("ACTIVE ACTIVE SUSPENDED ACTIVE", "runs runs runs 0", 0, [*ONE, "delete", *ONE, "delete"]),  # on another one
        ("ACTIVE SUSPENDED ACTIVE", "143 0", 0, [*ONE, "delete", *ONE, "delete"]),  # told to end first
        ("ACTIVE - - ACTIVE", "runs - runs - 0", 0, [*ONE, "delete"]),  # unheard for some looks
        ("ACTIVE - - - - - - - - - - FAILED", "-", 1, [*ONE, "delete", "create", "delete", "create", "delete"]),
        ("ACTIVE", "- - - - - - - - - - 0", 0, [*ONE, "delete", *ONE, "delete"]),  # a worker that never answers
        ("FAILED", "-", 1, ["create", "delete"] * 3),
    ],
)
def test_a_run_is_seen_to_its_end_or_given_up(home: Path, states: str, codes: str, code: int, asked: list) -> None:
    assert kept(home, STATES=states, CODES=codes) == (code, asked)


def test_a_slice_that_is_told_and_then_taken_costs_one_try(home: Path) -> None:
    words = [word if word != "3" else "2" for word in ARGUMENTS["keep.sh"]]
    result = start(home, "keep.sh", *words, POLL_S="0", STATES="ACTIVE SUSPENDING ACTIVE", CODES="143 0")
    assert result.returncode == 0 and "ALREADY_EXISTS" not in result.stderr


@pytest.mark.parametrize(
    ("codes", "commits", "code", "runs"),
    [
        ("1", "-", 1, 2),  # nothing was ever written
        ("1", "4/commit.json", 1, 2),
        ("1", "4/commit.json 8/commit.json 12/commit.json", 1, 3),  # it gets on; the tries are over
        ("1 137 1 0", "4/commit.json", 1, 3),
        ("1 1 0", "4/commit.json 8/commit.json", 0, 3),
    ],
)
def test_a_run_that_fails_twice_at_one_place_is_given_up(home: Path, codes: str, commits: str, code: int, runs: int):
    assert kept(home, CODES=codes, COMMITS=commits) == (code, ["create", *["run"] * runs, "delete"])
    asked = [call for call in calls(home) if call.startswith("gcloud storage ls")]
    assert asked[0] == "gcloud storage ls gs://b/run/checkpoints/\\*/commit.json "


def test_a_slice_that_cannot_be_given_back_is_told_in_the_last_line(home: Path) -> None:
    assert kept(home, DELETES="- - done") == (0, [*ONE, "delete", "delete", "delete"])
    result = start(home, "keep.sh", *ARGUMENTS["keep.sh"], POLL_S="0", DELETES="-")
    assert result.returncode == 1
    *_, last = result.stderr.splitlines()
    command = f"{SCRIPTS}/delete.sh {' '.join(SLICE)}"
    assert last == f"error: keep.sh: slice slice-1 is still there and costs money: {command}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_the_slice_is_given_back_when_keep_is_told_to_end(home: Path, number: int, code: int) -> None:
    variables = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "TMPDIR": str(home)}
    command = ["bash", str(SCRIPTS / "keep.sh"), *ARGUMENTS["keep.sh"]]
    variables |= {"POLL_S": "0.1", "CODES": "runs"}
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 20
        while not any("nohup" in call for call in calls(home)) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(timeout=20) == code
    assert calls(home)[-1].split()[4] == "delete" and not (home / "slice").exists()


def test_a_slice_that_is_not_of_this_keep_is_left_alone(home: Path) -> None:
    result = start(created(home), "keep.sh", *ARGUMENTS["keep.sh"], POLL_S="0")
    line = "--name must be of no slice yet, but slice-1 is ACTIVE; delete.sh gives it back"
    assert (result.returncode, result.stderr) == (2, f"error: keep.sh: {line}\n")
    assert (home / "slice").exists() and len(calls(home)) == 1


def in_job(home: Path, code: int, restarts: str = "0") -> tuple[int, list[str]]:
    """The script within its job, in another folder, as sbatch copies it."""
    copy = home / "slurm_script"
    copy.write_text((SCRIPTS / "slurm.sbatch").read_text())
    (home / "bin" / "scontrol").write_text(RECORDED)
    variables = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "CODE": str(code)}
    variables |= {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "64", "SLURM_RESTART_COUNT": restarts}
    words = ["bash", str(copy), "within-job", "3", "/shared/venv", "python", "-m", "x", "two words"]
    return subprocess.run(words, env=variables, check=False).returncode, calls(home)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 75, 134, 137, 143])
def test_a_job_is_queued_again_where_it_was_cut_short(home: Path, code: int) -> None:
    ended, made = in_job(home, code)
    assert (
        ended == code and made[0] == "srun --cpus-per-task=64 --kill-on-bad-exit=0 --wait=60 python -m x two\\ words "
    )
    assert made[1:] == (["scontrol requeue 7 "] if code in (75, 134, 137, 143) else [])


def test_a_job_is_queued_again_so_often_and_no_more(home: Path) -> None:
    assert [len(in_job(home, 143, restarts)[1]) for restarts in ("1", "2")] == [2, 3]


def test_a_job_asks_for_one_process_on_each_node_and_a_word_before_its_end() -> None:
    lines = (SCRIPTS / "slurm.sbatch").read_text().splitlines()
    assert {"#SBATCH --ntasks-per-node=1", "#SBATCH --requeue", "#SBATCH --signal=TERM@120"} <= set(lines)


@pytest.mark.parametrize("script", [*sorted(SCRIPTS.glob("*.s[hb]*"))], ids=lambda path: path.name)
def test_scripts_ask_for_no_newer_bash_than_macos_has(script: Path) -> None:
    newer = r"\$\{\w+(\^|,)|\b(mapfile|readarray|coproc)\b|declare -[Ag]|&>>|\|&|;;?&|\$\{\w+@"
    assert not re.search(newer, script.read_text())


@pytest.mark.parametrize("script", [*sorted(SCRIPTS.glob("*.s[hb]*"))], ids=lambda path: path.name)
def test_scripts_are_short_and_lint_free(script: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    result = subprocess.run([shellcheck, "-x", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert len(script.read_text().splitlines()) <= MAX_LINES
    assert script.name == "options.sh" or "\nset -euo pipefail\n" in script.read_text()
