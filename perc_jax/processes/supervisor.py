"""Starts a run again when it ends in a way that another start may mend: for machines that have no scheduler to do it.

The run is a process of its own, on each host one, and so is what watches it, which loads nothing heavy. What ends well,
what was asked to end and what is wrong with its input is not started again. A run that could not go on is, unless the
start before ended so as well and no checkpoint came between: then the third would not fare better.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from perc_jax.config import Start
from perc_jax.processes import ends
from perc_jax.records import commits
from perc_jax.records.files import absolute

PAUSE_S = 5.0  # so that the others of a run of several processes have ended too
SIGNALS = (signal.SIGTERM, signal.SIGINT)
SHELL = 128  # + the signal is a shell's code for a process that one ended


def supervise(command: Sequence[str], workdir: str, start: Start, began: float, *, pause_s: float = PAUSE_S) -> int:
    """Run a command until it ends for good; gives the exit code of its last start. For the main thread to call.

    Args:
        command: starts the run, unsupervised.
        workdir: the run's.
        start: how the run is to start; `max_restarts` is how often it is started again at most.
        began: when the program began, by `time.monotonic`, from which `stop_after` counts.
        pause_s: seconds before a new start.
    """
    found, before = _Starts(), None
    for restarts in range(start.max_restarts + 1):
        words = []
        if start.stop_after:
            words = ["--stop-after", f"{max(1.0, start.stop_after_s - (time.monotonic() - began)):.0f}s"]
        code = found.run([*command, *words])
        now = commits.steps(absolute(workdir) / "checkpoints")
        if found.told.is_set() or not _is_worth_it(code, now == before):
            break
        if restarts == start.max_restarts:
            _say(f"code {code}, after the last of {restarts} restarts")
            break
        _say(f"code {code}: restart {restarts + 1} of {start.max_restarts} in {pause_s:g} s")
        before = now if code == ends.FAILED else None
        if found.told.wait(pause_s):
            break
    return code


def command_of(argv: Sequence[str]) -> list[str]:
    """The command of a start that nobody supervises: of an option that is given twice the last counts."""
    return [sys.executable, "-m", "perc_jax.train", *argv, "--max-restarts", "0"]


class _Starts:
    """Runs one process after the other and passes on the signals that ask to end; `told` once one has come."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        for number in SIGNALS:
            signal.signal(number, self._pass_on)

    def run(self, command: Sequence[str]) -> int:
        """The exit code of a command, as a shell gives it."""
        self._process = subprocess.Popen(command)
        if self.told.is_set():  # while it was starting
            self._process.terminate()
        code = self._process.wait()
        return code if code >= 0 else SHELL - code

    def _pass_on(self, number: int, _frame: object) -> None:
        self.told.set()
        if self._process is not None:
            self._process.send_signal(number)


def _is_worth_it(code: int, is_no_further: bool) -> bool:
    """Whether another start may end better."""
    if code == ends.FAILED:
        return not is_no_further
    is_killed = code > SHELL and code not in (ends.INTERRUPTED, ends.CLOSED, ends.TERMINATED)
    return is_killed or code == ends.STUCK


def _say(text: str) -> None:
    sys.stderr.write(ends.line(text, "supervisor"))
