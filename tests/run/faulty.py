"""`perc_jax.train` that tells of each phase as it begins, with a fault to plant: after SIGUSR1 the next phase that the
main thread begins raises an error."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perc_jax import train
from perc_jax.processes import interrupts, peers
from perc_jax.processes.progress import Progress
from perc_jax.programs.blueprint import Blueprint
from tests.run import kept

PLANTED = "a planted fault"
VARIABLE = "PERC_JAX_TESTS_PHASES"  # the file to which names of phases go, a line each
PROGRAMS = "PERC_JAX_TESTS_PROGRAMS"  # the folder in which programs are kept whole
ALONE, JOINED = "alone", "joined"  # a process of its own can be told to end; all processes of a run have met

_asked = threading.Event()
_phase = Progress.phase


def note(name: str) -> None:
    """Tell of a phase."""
    with open(os.environ[VARIABLE], "a") as file:
        file.write(f"{name}\n")


def phase(self: Progress, name: str, *words: Any, **how: Any) -> Any:
    """The phase, or the error."""
    note(name)
    if _asked.is_set() and threading.current_thread() is threading.main_thread():
        _asked.clear()
        raise RuntimeError(PLANTED)
    return _phase(self, name, *words, **how)


def noted(function: Callable[..., None], name: str) -> Callable[..., None]:
    """The function, after which is told of."""

    def call(*words: Any, **how: Any) -> None:
        function(*words, **how)
        note(name)

    return call


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: _asked.set())
    Progress.phase = phase
    interrupts.leave_with = noted(interrupts.leave_with, ALONE)
    peers.join = noted(peers.join, JOINED)
    Blueprint.compile = kept.keeping(Blueprint.compile, Path(os.environ[PROGRAMS]))
    train.main()
