"""What every worker process does first: no import of the program, CPU only, one thread, and death with its parent.

A spawned process begins by importing its parent's main module, to find functions defined there. Ours defines none, and
`perc_jax.train` costs seconds of imports, so `prepare_spawn` makes this small module stand in its place. It runs before
anything heavy is imported, so what it puts into the environment is seen by all of it.
"""

import importlib.util
import multiprocessing
import os
import signal
import sys
import threading
import time

PARENT_CHECK_S = 0.5
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",  # grain imports jax; a worker must never claim the parent's accelerators
    "OMP_NUM_THREADS": "1",  # parallel by processes, not by threads within them
    "OPENBLAS_NUM_THREADS": "1",
}


def prepare_spawn() -> None:
    """Let processes spawned from now on start from this module; functions of `__main__` do not exist in them."""
    sys.modules["__main__"].__spec__ = importlib.util.find_spec("perc_jax.processes.workers")


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
