"""The heartbeat: few writes, the last word, and no harm to a run whatever becomes of its files."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from etils import epath

from perc_jax.processes import ends, heart
from perc_jax.processes.heart import Heart
from perc_jax.records import attempts
from perc_jax.records.attempts import Attempt
from perc_jax.records.logs import Log
from tests import ROOT

START = Attempt(1, 50.0, 1)


def made(tmp_path, said=None, rank=0, start=START, **how) -> Heart:
    return Heart(str(tmp_path), start, rank, lambda: ("rollout", 3.0), (said if said is not None else []).append, **how)


def newest(tmp_path, rank=0):
    return attempts.beats_of(epath.Path(tmp_path), START).get(rank)


def wait_until(condition) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_it_says_where_the_run_is_and_how_fast(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(heart.time, "monotonic", lambda: clock[0])
    with made(tmp_path, beat_s=0.01) as beating:
        beating.at(10, "grpo", 0)
        for step, seconds in ((11, 0.0), (12, 2.0), (13, 2.0), (14, 5.0)):
            clock[0] += seconds
            beating.count_step(step, "grpo", step - 10)
        monkeypatch.undo()
        wait_until(lambda: (newest(tmp_path) or beating._now()).step == 14 and newest(tmp_path))
        found = newest(tmp_path)
        assert (found.step, found.stage, found.stage_step, found.phase, found.phase_s) == (14, "grpo", 4, "rollout", 3)
        assert found.step_s == pytest.approx(3.0) and found.ended is None
        beating.at(14, "other", 0)  # another stage, another rate
        wait_until(lambda: newest(tmp_path).stage == "other")
        assert newest(tmp_path).step_s is None
    assert attempts.attempts(epath.Path(tmp_path)) == [START]


def test_what_was_said_is_written_with_the_beats_and_the_end(tmp_path):
    log = Log(epath.Path(tmp_path), 1, 0)
    file = tmp_path / "logs" / "0001-0000.log"
    with made(tmp_path, log=log, beat_s=0.01):
        log.add("stage grpo: 6 steps")
        wait_until(lambda: file.exists() and "6 steps" in file.read_text())
    assert file.read_text().splitlines()[-1].endswith("ended with code 0: done")


@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (None, 0, "done"),
        (ends.Stopped("after 3h, as --stop-after asked"), 3, "stopped after 3h, as --stop-after asked"),
        (ends.Terminated("terminated; step 3 is kept"), 143, "terminated; step 3 is kept"),
        (OSError(28, "No space left", "/disk"), 1, "/disk: No space left"),
        (ValueError("seed must be 0"), 1, "seed must be 0"),
        (KeyError("a bug"), 1, "KeyError: 'a bug'"),
    ],
)
def test_the_last_word_is_how_it_ended(tmp_path, monkeypatch, error, code, cause):
    monkeypatch.setattr(heart, "LAST_S", 60.0)  # this machine may be busy
    with contextlib.suppress(Exception), made(tmp_path):
        if error:
            raise error
    ended = newest(tmp_path).ended
    assert (ended.code, ended.cause) == (code, cause)
    assert ends.Group.note is None


PROCESS = """
import sys, threading
from perc_jax.processes import ends, interrupts
from perc_jax.processes.heart import Heart
from perc_jax.records.attempts import Attempt
from perc_jax.records.logs import Log
interrupts.leave_with("all is kept")
with ends.told(), Heart(sys.argv[1], Attempt(1, 50.0, 1), 0, lambda: ("", 0.0), beat_s=0.05):
    print("begun", flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("number", "code", "ended"),
    [
        (signal.SIGTERM, 143, (143, "terminated; all is kept")),
        (signal.SIGINT, 130, (130, "interrupted; all is kept")),
        (signal.SIGKILL, -9, None),
    ],
)
def test_an_end_that_unwinds_nothing_is_told_too_but_for_a_kill(tmp_path, number, code, ended):
    words = [sys.executable, "-c", PROCESS, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        wait_until(lambda: newest(tmp_path))
        os.kill(process.pid, number)
        process.communicate(timeout=20)
    assert process.returncode == code
    found = newest(tmp_path).ended
    assert (found and (found.code, found.cause)) == ended


def test_the_rate_of_writing_is_bounded(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(attempts, "write_beat", lambda folder, beat: written.append(beat))
    with made(tmp_path, beat_s=0.1) as beating:
        until = time.monotonic() + 0.55
        while time.monotonic() < until:
            beating.count_step(1, "grpo", 1)
    assert 3 <= len(written) <= 7 and [beat.ended is None for beat in written[-2:]] == [True, False]


def test_a_failing_disk_is_told_once_and_harms_nothing(tmp_path, monkeypatch):
    said = []

    def fail(folder, beat):
        raise LookupError("a library's own kind of error")

    monkeypatch.setattr(attempts, "write_beat", fail)
    with made(tmp_path, said, beat_s=0.01) as beating:
        wait_until(lambda: beating.failures >= 3)
    assert said == ["warning: the heartbeat cannot be written, the run goes on without: a library's own kind of error"]


def test_a_disk_that_fails_at_the_end_adds_no_line_to_the_last(tmp_path, monkeypatch):
    said = []

    def fail(folder, beat):
        raise OSError(28, "No space left on device", "/disk")

    with made(tmp_path, said) as beating:
        wait_until(lambda: newest(tmp_path) is not None)
        monkeypatch.setattr(attempts, "write_beat", fail)
        beating.end("/disk: No space left on device", 1)
        wait_until(lambda: beating.failures == 1)
    assert said == []


def test_a_file_system_that_hangs_delays_the_end_by_two_seconds_at_most(tmp_path, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(attempts, "write_beat", lambda folder, beat: release.wait())
    monkeypatch.setattr(heart, "LAST_S", 0.2)
    began = time.monotonic()
    with made(tmp_path) as beating:
        for step in range(1000):
            beating.count_step(step, "grpo", step)
        assert time.monotonic() - began < 1  # the run's thread does not wait at all
    assert 0.2 <= time.monotonic() - began < 2
    release.set()


def test_only_the_first_process_enters_the_start(tmp_path):
    with made(tmp_path, rank=1, start=Attempt(1, 50.0, 2)):
        pass
    assert not (tmp_path / attempts.FILE).exists()
    file = tmp_path / attempts.FOLDER / "0001.json"
    assert json.loads(file.read_text())["rank"] == 1
