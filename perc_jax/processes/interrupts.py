"""Ctrl-C and SIGTERM end a program in one line, wherever it is; a run may ask to be told of SIGTERM instead.

Unwinding is unsafe here: libraries swallow `KeyboardInterrupt` in callbacks, and crash if it meets them in the middle
of an import or of their own end. What is written is whole at any moment (`ends.leave`).

SIGTERM is how schedulers take a machine back; it comes with a grace, mostly of 30 seconds. Inside `deferred()` it is
only noted, for the program to end at its next good moment; Ctrl-C still ends it at once.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import process, resource_tracker

from perc_jax.processes import ends

START = process.BaseProcess.start
SIGNALS = {signal.SIGINT: ("interrupted", ends.INTERRUPTED), signal.SIGTERM: ("terminated", ends.TERMINATED)}

_deferred = threading.Event()
_asked = threading.Event()


def begin() -> None:
    """`leave_with` for a command that begins; not for one that another command runs, and which ends with that."""
    if signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        leave_with()


def leave_with(after: str = "") -> None:
    """From now on, SIGINT and SIGTERM end this process with a line on stderr and exit code 130 or 143.

    Whichever thread the system picks for the signal (libraries begin theirs when they are imported), Python's handler
    writes a byte to a pipe at once, also inside a compile, and one thread waits for that. In all threads and processes
    begun from now on SIGINT is blocked: a terminal sends it to all processes, and only one is to answer. They end
    with this one. For the main thread to call.

    Args:
        after: what the line says behind the cause: what is kept, what to do.
    """
    # The tracker frees the semaphores of a process that left at once; that it does is no news for the screen. Begun
    # later, it would unblock the signal in the thread that begins it.
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    resource_tracker.ensure_running()
    heard, told = os.pipe()
    os.set_blocking(told, False)
    process.BaseProcess.start = _start_whole
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)  # before the handlers: what comes next waits in the pipe
    listen()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_wait, args=(heard, after), name="interrupts", daemon=True).start()


def listen() -> None:
    """Take the signals (back): jax's coordination and libtpu put handlers of their own in place when they begin.

    For the main thread to call after them; without effect on a program that `leave_with` has not prepared.
    """
    if process.BaseProcess.start is _start_whole:
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)  # in place of KeyboardInterrupt, and of the system's silent end


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Inside, SIGTERM is noted for `asked` and ends nothing."""
    _deferred.set()
    try:
        yield
    finally:
        _deferred.clear()


def ask() -> None:
    """Be as if SIGTERM had come; without effect on a program that does not look at `asked`."""
    _asked.set()


def asked() -> bool:
    """Whether SIGTERM has come while it was deferred."""
    return _asked.is_set()


def _start_whole(self: process.BaseProcess) -> None:
    """Start a worker process under the lock."""
    with ends.STARTING:
        START(self)


def _wait(heard: int, after: str) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    while True:
        number = os.read(heard, 1)[0]
        if number == signal.SIGTERM and _deferred.is_set():
            _asked.set()
        elif number in SIGNALS:
            cause, code = SIGNALS[signal.Signals(number)]
            ends.leave(f"{cause}; {after}" if after else cause, code)
