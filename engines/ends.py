"""How the programs of the engines end: exit codes, and the one line that says why.

    @ends.told()
    def main(arguments=None) -> int:
        …

The codes and rules are those of every program here (`perc_jax/processes/ends.py`), which the engines may not know.
"""

import argparse
import contextlib
import errno
import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing import resource_tracker
from types import FrameType, TracebackType
from typing import NoReturn

DONE = 0
FAILED = 1  # it could not go on, or what was audited is wrong
BAD_INPUT = 2  # the line names the option or file, the rule and the value
INTERRUPTED = 130  # Ctrl-C; 128 + SIGINT
CLOSED = 141  # whoever read the output stopped; 128 + SIGPIPE
TERMINATED = 143  # 128 + SIGTERM

EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # the machine, no input
KINDS = (ValueError, OSError, RuntimeError, MemoryError)  # what a user can cause; anything else is a bug
SIGNALS = {signal.SIGINT: ("interrupted", INTERRUPTED), signal.SIGTERM: ("terminated", TERMINATED)}
SHOW_CURSOR = "\x1b[?25h\n"  # a progress bar may have hidden it


def fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    """End the program with one line on standard error and a non-zero exit code."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    raise SystemExit(code)


def reason(error: BaseException) -> str:
    """What an error says, for one line: `file: what is wrong with it`, without the system's number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{os.fspath(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


def code_of(error: BaseException) -> int:
    """The exit code of an error: bad input, or a program that could not go on."""
    if isinstance(error, ValueError) or (isinstance(error, OSError) and error.errno not in EXHAUSTED):
        return BAD_INPUT
    return FAILED


class told(contextlib.ContextDecorator):
    """Inside, an error that a user can cause ends the program in one line."""

    def __enter__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() not in ("utf-8", "utf8"):
            sys.stdout.reconfigure(errors="backslashreplace")  # what a terminal has no sign for is no reason to end

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            sys.stdout.flush()  # a full disk or a closed pipe may show only now
        except OSError as late:
            error = error if error and not isinstance(error, SystemExit) else late
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains once more
        if isinstance(error, BrokenPipeError):
            fail("the output was closed before all of it was written", CLOSED)
        if isinstance(error, KINDS):
            fail(reason(error), code_of(error))


def listen() -> None:
    """From now on, Ctrl-C and SIGTERM end this program in one line. For the main thread to call."""
    # The tracker frees the semaphores of a process that left at once; that it does is no news for the screen.
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    for number in SIGNALS:
        signal.signal(number, _leave)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """End at once: what is written is whole, and the processes that help go with this one."""
    cause, code = SIGNALS[signal.Signals(number)]
    cursor = SHOW_CURSOR if sys.stderr.isatty() else ""
    os.write(2, f"{cursor}error: {cause}\n".encode())
    for worker in multiprocessing.active_children():
        worker.kill()
    os._exit(code)


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Processes and threads begun inside never see Ctrl-C, which a terminal sends to all: only one is to answer."""
    resource_tracker.ensure_running()  # begun later, it would unblock the signal in the thread that begins it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes earn one line; `--help` has the usage."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        fail(message.removeprefix("argument "))
