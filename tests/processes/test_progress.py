"""The screen: plain lines off a terminal, bars on one; a hang ends the process with all stacks."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from perc_jax.processes import ends
from perc_jax.processes.progress import Bar, Progress, clock
from perc_jax.records.metrics import Timer


def run_steps(progress, steps=6, pause_s=0.1):
    with progress, progress.bar("grpo", steps) as advance:
        progress.say("stage grpo: 6 steps")
        for _ in range(steps):
            with progress.phase("rollout"):
                time.sleep(pause_s)
            progress.note({"loss": 1.23456, "reward": 0.5})
            advance()


def test_plain_lines_are_few_and_have_no_escape_codes():
    stream = io.StringIO()
    run_steps(Progress(60.0, stream=stream, every_s=0.25))
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 4
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  stage grpo: 6 steps", lines[0])
    pattern = r"\d\d:\d\d:\d\d  grpo \d/6, 0:0\d left \| (rollout 0 s · )?loss 1.235  reward 0.5"
    assert re.fullmatch(pattern, lines[-1]), lines


def test_a_long_phase_keeps_saying_so():
    stream = io.StringIO()
    with Progress(60.0, stream=stream, every_s=0.1) as progress, progress.phase("compile"):
        time.sleep(0.5)
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 5
    assert all(line.endswith("compile 0 s") for line in lines)


def test_quiet_says_nothing():
    stream = io.StringIO()
    run_steps(Progress(60.0, quiet=True, stream=stream, every_s=0.01), pause_s=0.02)
    assert stream.getvalue() == ""


def drain(reader, seen):
    with contextlib.suppress(OSError):  # the other end was closed
        while part := os.read(reader, 4096):
            seen.append(part)


@pytest.mark.parametrize("quiet", [False, True])
def test_what_is_said_is_kept_from_the_beginning_also_by_a_silent_process(quiet):
    stream, kept = io.StringIO(), []
    progress = Progress(60.0, quiet=quiet, stream=stream, every_s=0.25)
    progress.say("before anybody listened")
    progress.keep(kept.append)
    run_steps(progress)
    assert kept[:2] == ["before anybody listened", "stage grpo: 6 steps"]
    assert any(re.fullmatch(r"grpo \d/6.*reward 0.5", line) for line in kept)
    printed = [line[len("12:34:56  ") :] for line in stream.getvalue().splitlines()]
    assert printed == ([] if quiet else kept)


def test_a_terminal_gets_bars_and_the_phase(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    reader, writer = pty.openpty()
    parts = []
    drainer = threading.Thread(target=drain, args=(reader, parts))
    drainer.start()
    with os.fdopen(writer, "w") as stream:
        run_steps(Progress(60.0, stream=stream), steps=6, pause_s=0.15)
    drainer.join()
    os.close(reader)
    seen = b"".join(parts).decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert "stage grpo: 6 steps" in plain
    assert re.search(r"grpo .*\d/6 .*left", plain)
    assert "rollout 0 s" in plain and "loss 1.235" in plain
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")  # the cursor is back


def test_phases_charge_the_timer():
    timer = Timer()
    with Progress(60.0, quiet=True, timer=timer) as progress, progress.phase("rollout"):
        time.sleep(0.05)
    seconds = timer.finish()
    assert seconds["time/rollout_s"] >= 0.05
    assert seconds["time/step_s"] == pytest.approx(seconds["time/rollout_s"] + seconds["time/other_s"])


def test_bars_advance_by_any_count_and_stop_at_the_total():
    stream = io.StringIO()
    with Progress(60.0, stream=stream, every_s=0.1) as progress, progress.bar("evaluating test_a", 100) as advance:
        for _ in range(4):
            advance(32)
        time.sleep(0.3)
    assert stream.getvalue().splitlines()[-1].endswith("evaluating test_a 100/100, 0:00 left")


def test_time_left_of_a_resumed_bar_counts_own_steps_only(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = Bar("sft", total=100, done=90)
    assert bar.left_s() is None
    now[0], bar.done = 4.0, 92
    assert bar.left_s() == pytest.approx(16.0)


@pytest.mark.parametrize(("seconds", "text"), [(-1.0, "0:00"), (7.0, "0:07"), (750.0, "12:30"), (3723.0, "1:02:03")])
def test_clock(seconds, text):
    assert clock(seconds) == text


HANG = """
import multiprocessing, time
from perc_jax.processes.progress import Progress

def wait_for_ever():
    time.sleep(1000)

if __name__ == "__main__":
    worker = multiprocessing.get_context("fork").Process(target=wait_for_ever)
    worker.start()
    print(worker.pid, flush=True)
    with Progress(0.6, quiet=QUIET) as progress, progress.bar("steps", 4) as advance:
        for _ in range(4):  # alive for longer than the deadline: no step takes that long
            with progress.phase("reward"):
                time.sleep(0.3)
            advance()
        with progress.phase("rollout"):
            wait_for_ever()
"""


@pytest.mark.parametrize("quiet", [False, True])
def test_a_hang_dumps_stacks_and_exits_resumable(quiet):
    started = time.monotonic()
    command = [sys.executable, "-c", HANG.replace("QUIET", str(quiet))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == ends.STUCK, done.stderr
    assert time.monotonic() - started > 1.8
    *stacks, last = done.stderr.splitlines()
    assert last.startswith("error: nothing moved for 0.6 s in phase 'rollout'; the stacks of all threads are above")
    assert "wait_for_ever" in "\n".join(stacks)
    stat = Path(f"/proc/{int(done.stdout)}/stat")
    time.sleep(0.1)
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"  # the worker is gone with it


START = """
import time
from perc_jax.processes.progress import Progress

with Progress(0.3, quiet=True) as progress:
    with progress.phase("compiling"):
        for name in ("update", "decode", "score"):  # together, and the first alone, longer than the deadline
            with progress.compiling(f"compiling {name}"):
                time.sleep(0.9 if name == "update" else 0.2)
        time.sleep(0.1)
    print("ready", flush=True)
    with progress.phase("rollout"):
        time.sleep(1000)
"""


def test_each_program_has_a_deadline_of_its_own_and_the_phases_keep_theirs():
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, timeout=60)
    assert done.returncode == ends.STUCK and done.stdout == "ready\n", done.stderr
    assert "error: nothing moved for 0.3 s in phase 'rollout'" in done.stderr
