"""`perc_jax.train` with a planted fault: after SIGUSR1 the next phase that begins raises an error."""

import signal
import threading
from typing import Any

from perc_jax import train
from perc_jax.processes.progress import Progress

PLANTED = "a planted fault"

_asked = threading.Event()
_phase = Progress.phase


def phase(self: Progress, *words: Any, **how: Any) -> Any:
    """The phase, or the error."""
    if _asked.is_set() and threading.current_thread() is threading.main_thread():
        _asked.clear()
        raise RuntimeError(PLANTED)
    return _phase(self, *words, **how)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: _asked.set())
    Progress.phase = phase
    train.main()
