"""One run at a time on a workdir: who is killed leaves it free, who lives keeps it, of several at once one wins."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from etils import epath

from perc_jax.records import owner
from perc_jax.records.files import write_whole
from perc_jax.records.owner import FILE, Owner
from tests import ROOT

HOLDER = """
import sys
from perc_jax.records.owner import Owner
print("ready", flush=True)
sys.stdin.readline()
with Owner(sys.argv[1], beat_s=0.05):
    print("mine", flush=True)
    sys.stdin.readline()
"""
TAKEN = r"^workdir {} must be of one run at a time, it is in use by process {} on .+, last heard of at 20\S+$"


@contextlib.contextmanager
def holder(workdir):
    """A process that takes the workdir when it gets a line, and leaves it at the next."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(workdir)], **pipes, text=True, cwd=ROOT)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def take(process) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def elsewhere(file, **changes) -> dict:
    """Make an owner's file that of another host, as a shared disk would show it."""
    found = json.loads(file.read_text()) | {"host": "another", "space": "its own"} | changes
    write_whole(epath.Path(file), json.dumps(found))
    return found


def test_the_workdir_is_held_inside_and_left_without_a_trace(tmp_path):
    workdir = tmp_path / "new" / "run"
    with Owner(str(workdir), beat_s=0.02) as mine:
        first = json.loads((workdir / FILE).read_text())
        assert first["pid"] == os.getpid() and first["beats"] == 1
        until = time.monotonic() + 10
        while json.loads((workdir / FILE).read_text())["beats"] < 4:
            assert time.monotonic() < until
            time.sleep(0.01)
        mine.raise_failure()
    assert list(workdir.iterdir()) == []


def test_a_second_run_is_refused_at_once_and_changes_nothing(tmp_path):
    with holder(tmp_path) as other:
        take(other)
        assert other.stdout.readline() == "mine\n"
        began = time.monotonic()
        with pytest.raises(ValueError, match=TAKEN.format(re.escape(str(tmp_path)), other.pid)), Owner(str(tmp_path)):
            pass
        assert time.monotonic() - began < 1
        assert json.loads((tmp_path / FILE).read_text())["pid"] == other.pid and other.poll() is None


def test_killed_it_leaves_the_workdir_free_at_once(tmp_path):
    with holder(tmp_path) as other:
        take(other)
        assert other.stdout.readline() == "mine\n"
        other.send_signal(signal.SIGKILL)
        while json.loads((tmp_path / FILE).read_text())["began"] == owner._beginning(other.pid):
            time.sleep(0.001)  # as a zombie it counts as dead, though nobody has waited for it
        began = time.monotonic()
        with Owner(str(tmp_path)):
            assert time.monotonic() - began < 1
            assert json.loads((tmp_path / FILE).read_text())["pid"] == os.getpid()


def test_a_number_that_was_given_to_another_process_since_does_not_hold_it(tmp_path):
    with Owner(str(tmp_path)) as _:
        found = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(found | {"began": "1"}))  # this process's number, another beginning
    with Owner(str(tmp_path)):
        pass


def test_the_run_of_another_host_is_watched_and_taken_over_when_it_makes_no_sign(tmp_path):
    said = []
    with Owner(str(tmp_path)):
        elsewhere(tmp_path / FILE)
        began = time.monotonic()
        with Owner(str(tmp_path), said.append, beat_s=0.05, stale_s=0.4):
            assert 0.4 <= time.monotonic() - began < 5
            assert json.loads((tmp_path / FILE).read_text())["host"] != "another"
    assert len(said) == 1 and "on another" in said[0] and "0.4 s" in said[0]


def test_the_run_of_another_host_is_recognised_by_its_next_beat(tmp_path):
    with Owner(str(tmp_path)):
        found = elsewhere(tmp_path / FILE)
        beat = threading.Timer(0.2, lambda: elsewhere(tmp_path / FILE, beats=found["beats"] + 1))
        beat.start()
        with (
            pytest.raises(ValueError, match=r"in use by process .* on another"),
            Owner(str(tmp_path), [].append, beat_s=0.05, stale_s=30.0),
        ):
            pass
        beat.join()


def test_an_owner_that_was_taken_for_dead_says_so_and_leaves_the_file_alone(tmp_path):
    with Owner(str(tmp_path), beat_s=0.02) as mine:
        thief = elsewhere(tmp_path / FILE, id="thief")
        mine._thread.join(10)
        with pytest.raises(RuntimeError, match=r"was taken over by process .* on another.* while this run stood still"):
            mine.raise_failure()
    assert json.loads((tmp_path / FILE).read_text()) == thief


def test_of_several_that_begin_at_once_one_wins(tmp_path):
    """As the tasks of one `srun` without a coordinator: each takes itself for the first process of a run."""
    with contextlib.ExitStack() as opened:
        tasks = [opened.enter_context(holder(tmp_path)) for _ in range(3)]
        for task in tasks:
            take(task)
        until = time.monotonic() + 60
        while sum(task.poll() is not None for task in tasks) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        ended = [task.communicate("\n", timeout=60) for task in tasks]
    assert sorted(task.returncode for task in tasks) == [0, 1, 1]
    winner = next(task.pid for task in tasks if task.returncode == 0)
    for task, (out, err) in zip(tasks, ended, strict=True):
        line = err.strip().splitlines()[-1:]
        assert (out, line) == ("mine\n", []) if task.pid == winner else f"process {winner} on" in line[0]


def test_without_a_lock_on_the_folder_the_one_that_is_still_there_wins(tmp_path, monkeypatch):
    """On gs://: the other one writes after we have looked."""

    @contextlib.contextmanager
    def none(_folder):
        yield False

    monkeypatch.setattr(owner, "_locked", none)
    monkeypatch.setattr(owner, "SETTLE_S", 0.3)
    with Owner(str(tmp_path)):
        pass
    late = threading.Timer(0.1, lambda: elsewhere(tmp_path / FILE, id="late"))
    late.start()
    with pytest.raises(ValueError, match=r"in use by process .* on another"), Owner(str(tmp_path)):
        pass
    late.join()


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_that_says_nothing_is_watched_like_one_of_another_host(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    began = time.monotonic()
    with Owner(str(tmp_path), [].append, beat_s=0.05, stale_s=0.2):
        assert time.monotonic() - began >= 0.2
        assert json.loads((tmp_path / FILE).read_text())["pid"] == os.getpid()
