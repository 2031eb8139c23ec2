"""Programs that begin with their modules loaded: one process imports what they need and forks, instead of each anew.

For the harness of faults, which starts the same program again and again. The process that forks has touched no device
and has one thread of its own; what it forks is a process like any other, in a session of its own.

    with Nursery(environment) as nursery:
        process = nursery.begin([sys.executable, "-m", "perc_jax.train", …], cwd=…, env=…, stdout=…, stderr=…)
"""

import importlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests import ROOT

MODULES = ("perc_jax.run.loop", "perc_jax.programs.patterns", "perc_jax.data.sound", "perc_jax.report.runs")
MODULES += ("tests.short_run", "tests.run.kept", "jax.experimental.multihost_utils")
POLL_S = 0.005


class Born:
    """A process that was forked, with what `subprocess.Popen` has that is needed of one."""

    def __init__(self, nursery: "Nursery", pid: int):
        self._nursery, self.pid, self.returncode = nursery, pid, None

    def poll(self) -> int | None:
        """The exit code, once it has ended; of one that a signal ended less the signal's number."""
        if self.returncode is None:
            self.returncode = self._nursery.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        """The exit code when it ends; raises `subprocess.TimeoutExpired`."""
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(POLL_S)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """A signal to it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks; begun when it is first needed. A context manager: with it all its processes end."""

    def __init__(self, environment: Mapping[str, str]):
        self._environment, self._process = environment, None

    def begin(
        self, words: Sequence[str], *, stdout: IO, stderr: IO, env: Mapping[str, str], cwd: Path, **_: Any
    ) -> Born:
        """Start `python -m program …` as `subprocess.Popen` does; its input is empty."""
        files = [file.name for file in (stdout, stderr)]
        return Born(self, self.ask({"words": words[2:], "files": files, "variables": dict(env), "folder": str(cwd)}))

    def ask(self, record: dict[str, Any]) -> Any:
        """The answer to one request."""
        if self._process is None:
            words = [sys.executable, "-m", "tests.run.nursery"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self._process = subprocess.Popen(words, cwd=ROOT, env=self._environment, **pipes)
        self._process.stdin.write(json.dumps(record) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate()


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _become(record: dict[str, Any]) -> None:
    """Turn this forked process into the one that was asked for, but for running it."""
    os.setsid()
    os.chdir(record["folder"])
    os.environ.update(record["variables"])
    places = [os.open(os.devnull, os.O_RDONLY), *(os.open(name, os.O_WRONLY | os.O_APPEND) for name in record["files"])]
    for number, place in enumerate(places):
        os.dup2(place, number)
        os.close(place)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))  # without what was read ahead
    sys.argv = record["words"]


def _serve() -> list[str] | None:
    """Answer requests; returns in a forked process the words of its command, and None at the end."""
    for line in sys.stdin:
        record = json.loads(line)
        if "ended" in record:
            answer = _ended(record["ended"])
        elif (answer := os.fork()) == 0:
            _become(record)
            return record["words"]
        print(json.dumps(answer), flush=True)
    return None


if __name__ == "__main__":
    for name in MODULES:
        importlib.import_module(name)
    if words := _serve():
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
