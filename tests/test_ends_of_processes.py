"""What belongs to a process and cannot be tried within one: locale, closed pipes, full disks, signals, exit codes."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from engines import ends as of_engines
from perc_jax.processes import ends
from tests import ROOT, walls, whole_runs

LIMIT_S = 60.0
SCORE = {"benchmark": "mathvista", "mode": "official", "items": [{"id": "1", "correct": True}]}


def ended(words: Sequence[str], stdout: object = subprocess.PIPE, **variables: str) -> subprocess.CompletedProcess:
    """A program in a process of its own, at its end."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=whole_runs.environment(None, **variables),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
    )


@pytest.fixture
def compared(tmp_path: Path) -> list[str]:
    """A command that succeeds and prints a line."""
    for name in ("before.json", "after.json"):
        (tmp_path / name).write_text(json.dumps(SCORE))
    return ["perc_jax.compare", str(tmp_path / "before.json"), str(tmp_path / "after.json")]


def test_the_engines_have_the_same_codes() -> None:
    for name in ("DONE", "FAILED", "BAD_INPUT", "INTERRUPTED", "CLOSED", "TERMINATED", "EXHAUSTED", "KINDS"):
        assert getattr(of_engines, name) == getattr(ends, name)
    for error in (ValueError("x"), OSError(28, "full", "/x"), FileNotFoundError(2, "none", "/x"), RuntimeError("x")):
        assert of_engines.reason(error) == ends.reason(error)
        assert of_engines.code_of(error) == ends.code_of(error)


def test_every_code_stands_in_the_table() -> None:
    codes = [value for name, value in vars(ends).items() if name.isupper() and type(value) is int]
    table = (ROOT / "perc_jax" / "README.md").read_text()
    assert len(codes) == 8 and all(f"| {code} |" in table for code in codes)


@pytest.mark.parametrize(
    ("words", "locale"),
    [
        (("perc_jax.train", "--stages.1.loss.objective", "nonè"), "C"),
        (("perc_jax.train", "--stages.1.loss.objective", "nonè"), "C.UTF-8"),
        # In UTF-8 these are programs like any other: tests/test_bad_inputs.py.
        (("perc_jax.train", "--seed", "one"), "C"),
        (("perc_jax.sample", "--model", "/nonè", "--question", "?"), "C"),
        (("engines.check", "--types", "nonè"), "C"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_in_any_locale_there_is_one_line(words, locale) -> None:
    done = ended(words, LC_ALL=locale, PYTHONIOENCODING="ascii" if locale == "C" else "utf-8", PYTHONUTF8="0")
    assert done.returncode == 2 and done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1 and not {"+", "|"} & set(done.stderr.split()) and "--help" not in done.stderr


def test_a_closed_pipe_is_told_by_its_code(compared) -> None:
    read, write = os.pipe()
    os.close(read)
    done = ended(compared, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "error: the output was closed before all of it was written\n")


@pytest.mark.parametrize("name", ["perc_jax.compare", "engines.check"])
def test_a_full_disk_under_the_output_is_told(compared, name) -> None:
    words = {"engines.check": [name, "--types", "grid.grid_size", "--levels", "0", "--samples", "1", "--draw", "0"]}
    with open("/dev/full", "w") as full:
        done = ended(words.get(name, compared), stdout=full)
    assert done.returncode == 1 and done.stderr.splitlines()[-1:] == ["error: No space left on device"], done.stderr


def test_a_full_disk_under_an_export_is_told(tmp_path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        words = ("--samples", "8", "--engines", "grid", "--levels", "0")
        done = ended(["engines.export", *words, "--out", str(disk / "data")])
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    want = f"error: --out must be a folder that can be written, got {disk / 'data'}: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, want)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    with contextlib.suppress(OSError):
        caught = re.search(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
        return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)
    return False


COMMANDS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in walls.sources(ROOT, "perc_jax", "engines")
    if walls.is_entry(path) and "peer_" not in path.name
]
LATER_S = (0.1, 0.3, 0.6)  # each command is interrupted at once and after one of these


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_is_answered_in_one_line_from_the_first_moments_on(name) -> None:
    """While a command's own imports go on, which take from tenths of a second to seconds, and at its end."""
    command, later_s = [sys.executable, "-m", name, "--help"], (0.0, LATER_S[COMMANDS.index(name) % len(LATER_S)])
    environment, pipe = whole_runs.environment(None), subprocess.PIPE
    for wait_s in later_s:
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as program:
            while not catches(program.pid, signal.SIGTERM) and program.poll() is None:  # Python by itself does not
                time.sleep(0.001)
            spent = Path(f"/proc/{program.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
            time.sleep(wait_s)
            program.send_signal(signal.SIGINT)
            out, err = program.communicate(timeout=LIMIT_S)
        assert sum(map(int, spent)) / os.sysconf("SC_CLK_TCK") < 0.15  # seconds of a processor, of which Python 0.02
        if "usage: " in out:  # done; at its very end Python gives the signal back to the system
            assert program.returncode in (0, -signal.SIGINT, 130) and err in ("", "error: interrupted\n")
        else:
            assert (program.returncode, err) == (130, "error: interrupted\n"), wait_s


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("is_begun_by_another", [False, True])
def test_a_command_that_another_runs_leaves_the_answer_to_it(is_begun_by_another) -> None:
    """The other has blocked Ctrl-C in all that it begins, and ends them when it ends."""
    blocked = {signal.SIGINT} if is_begun_by_another else ()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    command = [sys.executable, "-m", "perc_jax.score", "--help"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=whole_runs.environment(None)) as program:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        listened = False
        while program.poll() is None:
            listened |= catches(program.pid, signal.SIGTERM)
            time.sleep(0.001)
    assert program.returncode == 0 and listened is not is_begun_by_another


@pytest.mark.parametrize(
    ("number", "end"), [(signal.SIGINT, (130, "interrupted")), (signal.SIGTERM, (143, "terminated"))]
)
def test_a_signal_to_the_engines_is_answered_in_one_line(tmp_path, number, end) -> None:
    words = ["engines.export", "--samples", "5000", "--shard-samples", "5", "--out", str(tmp_path), "--processes", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        until = time.monotonic() + LIMIT_S
        while not [*tmp_path.glob(".shards/00*.json")] and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(program.pid, number)
        _, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (end[0], f"error: {end[1]}\n")
    until = time.monotonic() + 5  # a killed process takes a moment to be gone
    while whole_runs.living(program.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert whole_runs.living(program.pid) == []
