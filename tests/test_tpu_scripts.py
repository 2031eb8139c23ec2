"""The TPU scripts against a stand-in for gcloud that records its calls: what --dry-run prints is what runs."""

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

SCRIPTS = ROOT / "tpu_scripts"
MAX_LINES = 60
SLICE = ("--project", "my-project", "--zone", "us-x1-a", "--name", "slice-1")
ARGUMENTS = {
    "create.sh": (*SLICE, "--type", "v6e-16", "--runtime", "v2-alpha-tpuv6e", "--spot"),
    "setup.sh": SLICE,
    "run.sh": (*SLICE, "--", "python", "-m", "perc_jax.train", "--workdir", "gs://b/run 1"),
    "logs.sh": (*SLICE, "--worker", "3"),
    "delete.sh": SLICE,
}

# Records each call as --dry-run prints it, keeps what is copied to the workers, says that the slice is there and, with
# PLAY set, plays a worker in that folder.
GCLOUD = """#!/usr/bin/env bash
{ printf '%q ' gcloud "$@"; echo; } >>"$HOME/calls"
last=${!#}
if [[ $4 == describe ]]; then echo "${STATE:-ACTIVE}"; fi
if [[ $4 == scp ]]; then cp "$5" "$HOME/copied.tar.gz"; fi
if [[ -n ${PLAY:-} && $4 == ssh ]]; then cd "$PLAY" && bash -c "${last#--command=}"; fi
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").write_text(GCLOUD)
    (tmp_path / "bin" / "gcloud").chmod(0o755)
    return tmp_path


def start(home: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    variables = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "TMPDIR": str(home)}
    command = ["bash", str(SCRIPTS / script), *arguments]
    return subprocess.run(command, env=variables | environment, capture_output=True, text=True, check=False)


def calls(home: Path) -> list[str]:
    return (home / "calls").read_text().splitlines() if (home / "calls").exists() else []


@pytest.mark.parametrize("script", ARGUMENTS)
def test_a_dry_run_prints_what_a_run_does_and_does_nothing(home: Path, script: str) -> None:
    dry = start(home, script, "--dry-run", *ARGUMENTS[script])
    assert (dry.returncode, dry.stderr, calls(home)) == (0, "", [])
    assert start(home, script, *ARGUMENTS[script]).returncode == 0
    assert [line for line in dry.stdout.splitlines() if line.startswith("gcloud ")] == calls(home) != []


def test_the_calls_name_the_slice_and_what_was_asked(home: Path) -> None:
    for script, arguments in ARGUMENTS.items():
        start(home, script, *arguments)
    made = calls(home)
    assert all("slice-1" in call and "--project=my-project --zone=us-x1-a" in call for call in made)
    assert made[0].endswith("--accelerator-type=v6e-16 --runtime-version=v2-alpha-tpuv6e --spot ")
    assert [call.split()[4] for call in made] == ["create", "describe", "scp", "ssh", "ssh", "ssh", "delete"]
    assert "--worker=3" in made[5] and all("--worker=all" in made[i] for i in (2, 3, 4))


def wrong() -> Iterator[tuple[str, tuple[str, ...], str]]:
    for script, arguments in ARGUMENTS.items():
        for place in range(0, 6, 2):
            yield script, arguments[:place] + arguments[place + 2 :], f"{script}: {arguments[place]} must be given"
        yield script, (*SLICE, "--zonk", "x"), f"{script}: unknown option --zonk; --help lists all"
        yield script, ("--zone",), f"{script}: --zone needs a value"
    yield "create.sh", SLICE, "create.sh: --type must be given"
    yield "delete.sh", (*SLICE, "--spot"), "delete.sh: unknown option --spot; --help lists all"
    yield "run.sh", SLICE, "run.sh: a command must be given after --"


@pytest.mark.parametrize(("script", "arguments", "message"), list(wrong()))
def test_a_mistake_earns_one_line_and_no_call(home: Path, script: str, arguments: tuple, message: str) -> None:
    result = start(home, script, *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error: {message}\n")
    assert calls(home) == []


@pytest.mark.parametrize("script", ARGUMENTS)
def test_help_names_every_option_and_needs_none(home: Path, script: str) -> None:
    result = start(home, script, "--help")
    assert result.returncode == 0 and result.stdout.startswith(f"usage: {script} ")
    assert all(option in result.stdout for option in ARGUMENTS[script] if option.startswith("--"))


def test_a_failed_slice_ends_the_set_up(home: Path) -> None:
    result = start(home, "setup.sh", *SLICE, STATE="FAILED")
    assert result.returncode == 2 and "the slice is FAILED" in result.stderr
    assert len(calls(home)) == 1


def test_the_workers_get_what_the_package_needs(home: Path) -> None:
    start(home, "setup.sh", *SLICE)
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


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_short_and_lint_free(script: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    result = subprocess.run([shellcheck, "-x", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert len(script.read_text().splitlines()) <= MAX_LINES
    assert script.name == "options.sh" or "\nset -euo pipefail\n" in script.read_text()
