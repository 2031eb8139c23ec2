"""Ctrl-C and SIGTERM: one line and exit code 130 or 143, whatever the program and its processes are doing."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import whole_runs

BUSY = {
    "in Python": "while True: pass",
    "in C": "import time; time.sleep(60)",
    "in a callback that swallows": """
import gc

def swallow(*_):
    try:
        for _ in range(1000):
            pass
    except KeyboardInterrupt:
        pass

gc.callbacks.append(swallow)
while True:
    gc.collect()
""",
    "starting a worker": """
from perc_jax.rewards.verifier import Verifier
while True:
    with Verifier(5.0) as verifier:
        print("begun", flush=True)
""",
}
PROGRAM = """
import sys, threading
from perc_jax.processes import interrupts
if __name__ == "__main__":
    threading.Thread(target=threading.Event().wait, daemon=True).start()  # as a library does when it is imported
    interrupts.leave_with("all is kept")
    print("begun", flush=True)
    exec(sys.argv[1])
"""


ANSWERS = {
    signal.SIGINT: (130, "error: interrupted; all is kept\n"),
    signal.SIGTERM: (143, "error: terminated; all is kept\n"),
}


def start(tmp_path: Path, doing: str) -> subprocess.Popen:
    """Run a program that does something for ever, as soon as it has begun."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": str(whole_runs.ROOT)}
    program = subprocess.Popen(
        [sys.executable, str(script), doing],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
    )
    assert program.stdout.readline() == "begun\n"
    return program


@pytest.mark.parametrize("number", ANSWERS)
@pytest.mark.parametrize("doing", BUSY)
def test_a_signal_is_answered_at_once_by_one_process(tmp_path: Path, doing: str, number: signal.Signals) -> None:
    with start(tmp_path, BUSY[doing]) as program:
        time.sleep(0.3)
        os.killpg(program.pid, number)
        _, err = program.communicate(timeout=20)
    assert (program.returncode, err) == ANSWERS[number]
    deadline = time.monotonic() + 10
    while whole_runs.living(program.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert whole_runs.living(program.pid) == []


DEFERRED = """
import multiprocessing, time
from engines.answer import Answer
from perc_jax.processes import ends
from perc_jax.rewards.verifier import Verifier

def judge():
    [verdict] = verifier.verify(["<answer>" + chr(92) + "boxed{1}</answer>"], [Answer.integer(1)])
    return verdict.correct, [worker.pid for worker in multiprocessing.active_children()]

with ends.told(), Verifier(20.0) as verifier, interrupts.deferred():
    before = judge()
    print("ready", flush=True)
    while not interrupts.asked():
        time.sleep(0.01)
    time.sleep(0.5)
    raise ends.Terminated(f"terminated; judged by the same worker: {judge() == before == (True, before[1])}")
"""


def test_a_deferred_sigterm_ends_neither_the_program_nor_its_workers(tmp_path: Path) -> None:
    """A scheduler sends it to all processes of a job."""
    with start(tmp_path, DEFERRED) as program:
        assert program.stdout.readline() == "ready\n"
        os.killpg(program.pid, signal.SIGTERM)
        _, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (143, "error: terminated; judged by the same worker: True\n")


def test_ctrl_c_ends_at_once_what_has_deferred_sigterm(tmp_path: Path) -> None:
    doing = "with interrupts.deferred():\n print('ready', flush=True)\n while True: pass"
    with start(tmp_path, doing) as program:
        assert program.stdout.readline() == "ready\n"  # before, it ends at once, as it should
        os.killpg(program.pid, signal.SIGTERM)
        time.sleep(0.3)
        assert program.poll() is None
        os.killpg(program.pid, signal.SIGINT)
        _, err = program.communicate(timeout=20)
    assert (program.returncode, err) == ANSWERS[signal.SIGINT]


def test_a_worker_that_cannot_notice_its_parents_end_is_killed_with_it(tmp_path: Path) -> None:
    """One that stands still, as one that is just starting, looks at nothing."""
    doing = DEFERRED.partition("with ends.told()")[0] + (
        "with Verifier(20.0) as verifier:\n    print(*judge()[1], flush=True)\n    time.sleep(60)\n"
    )
    with start(tmp_path, doing) as program:
        [worker] = map(int, program.stdout.readline().split())
        os.kill(worker, signal.SIGSTOP)
        try:
            program.terminate()
            _, err = program.communicate(timeout=20)
            until = time.monotonic() + 5
            while worker in whole_runs.living(program.pid) and time.monotonic() < until:
                time.sleep(0.05)
            assert worker not in whole_runs.living(program.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    assert (program.returncode, err) == ANSWERS[signal.SIGTERM]
