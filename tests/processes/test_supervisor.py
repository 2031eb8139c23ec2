"""The supervisor of a run: which ends it starts again, how often at most, and that it ends when it is told to."""

import os
import signal
import subprocess
import sys
import time

import pytest
from etils import epath

from perc_jax.records import commits
from tests import ROOT

RUN = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
count = len(list(folder.glob("start_*")))
(folder / f"start_{count}").write_text(" ".join(sys.argv[3:]))
{before}
code = [int(word) for word in sys.argv[2].split(",")][count]
if code < 0:
    os.kill(os.getpid(), -code)
    time.sleep(10)
sys.exit(code)
"""
SUPERVISOR = """
import sys, time
from perc_jax.config import Start
from perc_jax.processes import supervisor
restarts, stop_after, pause_s, *command = sys.argv[1:]
start = Start(stop_after=stop_after, max_restarts=int(restarts))
began = time.monotonic() - 100
sys.exit(supervisor.supervise([sys.executable, *command], command[1], start, began, pause_s=float(pause_s)))
"""


def begin(tmp_path, codes, restarts, before="", stop_after="", pause_s=0.01):
    (tmp_path / "run.py").write_text(RUN.replace("{before}", before))
    given = [str(restarts), stop_after, str(pause_s), str(tmp_path / "run.py"), str(tmp_path)]
    words = [sys.executable, "-c", SUPERVISOR, *given, ",".join(map(str, codes))]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def starts(tmp_path) -> int:
    return len(list(tmp_path.glob("start_*")))


def supervised(tmp_path, codes, restarts, **how):
    with begin(tmp_path, codes, restarts, **how) as process:
        err = process.communicate(timeout=60)[1]
    return process.returncode, starts(tmp_path), err


@pytest.mark.parametrize("code", [0, 2, 3, 130, 141, 143, -signal.SIGTERM])
def test_what_another_start_cannot_mend_is_not_started_again(tmp_path, code):
    assert supervised(tmp_path, [code, 0], 5) == (code if code >= 0 else 143, 1, "")


@pytest.mark.parametrize("code", [1, 75, 134, 137, -signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV])
def test_what_it_may_mend_is(tmp_path, code):
    shown = code if code >= 0 else 128 - code
    line = f"supervisor: code {shown}: restart 1 of 5 in 0.01 s\n"
    assert supervised(tmp_path, [code, 0], 5) == (0, 2, line)


@pytest.mark.parametrize("code", [75, 134, -signal.SIGABRT, -signal.SIGSEGV])
def test_it_is_bounded(tmp_path, code):
    ended, count, err = supervised(tmp_path, [code] * 9, 3)
    shown = code if code >= 0 else 128 - code
    assert (ended, count) == (shown, 4)
    assert err.splitlines()[-1] == f"supervisor: code {shown}, after the last of 3 restarts" and err.count("\n") == 4


def test_two_failures_without_a_checkpoint_between_are_enough(tmp_path):
    assert supervised(tmp_path, [1] * 9, 8)[:2] == (1, 2)


def test_a_checkpoint_between_two_failures_is_a_reason_to_go_on(tmp_path):
    commits.write(epath.Path(tmp_path) / "checkpoints", 1, {"step": 1})
    record = (tmp_path / "checkpoints" / "1" / commits.COMMIT).read_text()
    before = (
        "step = folder / 'checkpoints' / str(2 + min(count, 3))\n"
        f"step.mkdir(exist_ok=True), (step / {commits.COMMIT!r}).write_text({record!r})"
    )
    assert supervised(tmp_path, [1] * 9, 8, before=before)[:2] == (1, 5)  # the fifth found nothing new


def test_time_is_counted_over_all_starts(tmp_path):
    supervised(tmp_path, [75, 0], 3, stop_after="3h")
    for number in (0, 1):
        option, left = (tmp_path / f"start_{number}").read_text().split()
        assert option == "--stop-after" and 10600 <= int(left.removesuffix("s")) <= 10700


def test_the_last_start_is_given_a_second_where_time_is_over(tmp_path):
    supervised(tmp_path, [0], 3, stop_after="1m")  # of which 100 s have passed
    assert (tmp_path / "start_0").read_text() == "--stop-after 1s"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_to_the_run_and_ends_both(tmp_path, number):
    before = "".join(
        f"signal.signal(signal.{name}, lambda *_: sys.exit({code}))\n"
        for name, code in (("SIGTERM", 143), ("SIGINT", 130))
    )
    before += "(folder / 'ready').touch(), time.sleep(30)"
    with begin(tmp_path, [75] * 3, 3, before=before) as process:
        until = time.monotonic() + 30
        while not (tmp_path / "ready").exists() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, number)
        assert process.wait(20) == (143 if number == signal.SIGTERM else 130)
    assert starts(tmp_path) == 1


def test_a_signal_in_the_pause_ends_it(tmp_path):
    with begin(tmp_path, [75] * 3, 3, pause_s=60) as process:
        assert "restart 1 of 3" in process.stderr.readline()
        process.terminate()
        assert process.wait(20) == 75
    assert starts(tmp_path) == 1
