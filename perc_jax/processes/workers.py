"""What every worker process does first: no import of the program, CPU only, one thread, and death with its parent.

A spawned process begins by importing its parent's main module, to find functions defined there. Ours defines none, and
`perc_jax.train` costs seconds of imports, so this small module stands in its place while a worker of ours starts, and
only then: processes that others start from the same program are theirs. It runs before anything heavy is imported, so
what it puts into the environment is seen by all of it.
"""

import contextlib
import importlib.util
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess

PARENT_CHECK_S = 0.5
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",  # grain imports jax; a worker must never claim the parent's accelerators
    "OMP_NUM_THREADS": "1",  # parallel by processes, not by threads within them
    "OPENBLAS_NUM_THREADS": "1",
}

_starting = threading.RLock()  # a worker of ours that is also adopted takes it twice
_are_ours: set[Callable[[BaseProcess], bool]] = set()


class _Worker(SpawnProcess):
    """A worker of ours."""

    def start(self) -> None:
        with _in_place_of_main():
            super().start()


class _Context(SpawnContext):
    """Starts workers of ours."""

    Process = _Worker


def context() -> SpawnContext:
    """What starts processes from this module; functions of `__main__` do not exist in them."""
    return _Context()


def adopt(is_ours: Callable[[BaseProcess], bool]) -> None:
    """Let processes that a library spawns start from this module too, where the function says that they are ours."""
    _are_ours.add(is_ours)
    SpawnProcess.start = _start_adopted


def _start_adopted(self: SpawnProcess) -> None:
    with _in_place_of_main() if any(is_ours(self) for is_ours in _are_ours) else contextlib.nullcontext():
        super(SpawnProcess, self).start()


@contextlib.contextmanager
def _in_place_of_main() -> Iterator[None]:
    """Inside, a process that is spawned begins by importing this module."""
    main = sys.modules["__main__"]
    with _starting:
        before = main.__spec__
        main.__spec__ = importlib.util.find_spec("perc_jax.processes.workers")
        try:
            yield
        finally:
            main.__spec__ = before


def start() -> None:
    """Set this worker process up: environment, signals to all left to the parent, a watch on the parent's life."""
    os.environ.update(ENVIRONMENT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_obey, name="parent-word", daemon=True).start()
    threading.Thread(target=_follow, name="parent-watch", daemon=True).start()


def _obey() -> None:
    """End this process at SIGTERM from its parent, and at no other's: a scheduler sends it to all processes of a job,
    whose parent may need this one for the step that it finishes."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid not in (os.getppid(), os.getpid()):
        pass
    os._exit(128 + signal.SIGTERM)


def _follow() -> None:
    """End this process when its parent is gone, also after SIGKILL, which no parent can announce.

    The parent may be gone before this process has come so far as to ask for its number; the pipe that it held tells.
    """
    while (parent := multiprocessing.parent_process()) is None or parent.is_alive():
        time.sleep(PARENT_CHECK_S)
    os._exit(1)


if __name__ == "__mp_main__":
    start()
