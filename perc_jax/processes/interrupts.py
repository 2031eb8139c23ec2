"""Ctrl-C ends a program at once and in one line, wherever it is.

What our programs write is whole at any moment, so nothing needs unwinding; and unwinding is unsafe: libraries swallow
`KeyboardInterrupt` in callbacks, and crash if it meets them in the middle of an import or of their own end.
"""

import contextlib
import os
import signal
import sys
import threading
from multiprocessing import process, resource_tracker
from pathlib import Path

INTERRUPTED = 130  # exit code: 128 + SIGINT, as shells have it
START = process.BaseProcess.start
STARTING = threading.Lock()  # held while a worker process starts
STARTS_S = 2.0  # it takes milliseconds; a stuck one must not keep a program from ending
SHOW_CURSOR = "\x1b[?25h\n"  # a progress bar may have hidden it


def leave_with(message: str) -> None:
    """From now on, SIGINT ends this process with a line on stderr and exit code 130. For the main thread to call.

    Whichever thread the system picks for the signal (libraries begin theirs when they are imported), Python's handler
    writes a byte to a pipe at once, also inside a compile, and one thread waits for that. In all threads and processes
    begun from now on the signal is blocked: a terminal sends it to all processes, and only one is to answer. They end
    with this one.
    """
    # The tracker frees the semaphores of a process that left at once; that it does is no news for the screen. Begun
    # later, it would unblock the signal in the thread that begins it.
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    resource_tracker.ensure_running()
    heard, told = os.pipe()
    os.set_blocking(told, False)
    process.BaseProcess.start = _start_whole
    signal.signal(signal.SIGINT, lambda *_: None)  # in place of KeyboardInterrupt
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_wait, args=(heard, message), name="interrupts", daemon=True).start()


def _start_whole(self: process.BaseProcess) -> None:
    """Start a worker process under the lock: one that its parent leaves half-way would end in a traceback."""
    with STARTING:
        START(self)


def _wait(heard: int, message: str) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    while os.read(heard, 1) != bytes([signal.SIGINT]):
        pass
    text = f"{SHOW_CURSOR if sys.stderr.isatty() else ''}error: {message}\n"
    STARTING.acquire(timeout=STARTS_S)
    os.write(sys.stderr.fileno(), text.encode())
    _end_children()
    os._exit(INTERRUPTED)


def _end_children() -> None:
    """Kill the worker processes: one that is just starting would complain of its parent's death. Elsewhere they notice.

    The tracker stays, to free what they leave behind.
    """
    for listing in Path("/proc/self/task").glob("*/children"):
        for child in listing.read_text().split():
            with contextlib.suppress(OSError):  # it may have ended by itself
                if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
