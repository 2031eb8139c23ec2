"""The one place where a program ends: its exit codes, and the one line that says why.

    @ends.told()
    def main(argv=None):
        …

What a user can cause arrives as `ValueError` or `OSError` and ends in one line on standard error; so do a run that
could not go on (`RuntimeError`) and a reader that closed the pipe. Anything else is a bug and keeps its traceback. A
process that is one of several, or that is told to end by a signal, leaves at once by `leave`, without unwinding: what
our programs write is whole at any moment, and whatever would be waited for may never come.

The engines stand alone and have the same codes in `engines/ends.py`.
"""

import argparse
import contextlib
import errno
import io
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn

DONE = 0
FAILED = 1  # it could not go on: the run went wrong, a process is gone, a disk or the memory is full
BAD_INPUT = 2  # command line, config or file; the line names it, the rule and the value
STOPPED = 3  # it stopped where it was asked to, before it was done; the same command goes on
STUCK = 75  # nothing moved; EX_TEMPFAIL of sysexits.h: a temporary failure, the user is invited to retry
INTERRUPTED = 130  # Ctrl-C; 128 + SIGINT, as shells have it
CLOSED = 141  # whoever read the output stopped; 128 + SIGPIPE
TERMINATED = 143  # told to end: preempted, out of its time, stopped by a user; 128 + SIGTERM

EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # the machine, no input
STARTS_S = 2.0  # a start of a worker takes milliseconds; a stuck one must not keep a program from ending
TRACKER = b"resource_tracker import main"  # its command; its bare name stands in a filter of warnings of each worker's
SHOW_CURSOR = "\x1b[?25h\n"  # a progress bar may have hidden it

STARTING = threading.Lock()  # held while a worker process starts: one that its parent leaves half-way has a traceback
LEAVING = threading.Lock()  # held for ever by the thread that ends the process
CONSEQUENCE_S = 1.0  # within which the process at whose end another's exchange breaks has been heard of


class Group:
    """The processes of a run of several, as far as an end needs to know them; `peers.join` fills it in."""

    who = ""  # this process, as its lines begin
    tell: Callable[[str, int], None] | None = None  # called with message and code before this process is gone
    done: Callable[[], None] | None = None  # called at a good end
    note: Callable[[str, int], None] | None = None  # called with message and code before `leave` ends this process


class Terminated(Exception):
    """A program has ended at a good moment because SIGTERM asked for it."""


class Stopped(Exception):
    """A program has ended at a good moment because its command line asked for it."""


def line(message: str, kind: str = "error") -> str:
    """The one line of a message, with its line end."""
    return f"{kind}: {Group.who}{' '.join(message.split())}\n"


def fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    """End the program with one line on standard error and a non-zero exit code."""
    sys.stderr.write(line(message))
    raise SystemExit(code)


def leave(message: str, code: int) -> NoReturn:
    """End this process now and from any thread: one line, the other processes of the run told, workers killed."""
    LEAVING.acquire()
    STARTING.acquire(timeout=STARTS_S)
    cursor = SHOW_CURSOR if sys.stderr.isatty() else ""
    with contextlib.suppress(OSError):
        os.write(2, (cursor + line(message)).encode(errors="backslashreplace"))
    if Group.tell:
        Group.tell(message, code)
    if Group.note:
        Group.note(message, code)
    _end_children()
    os._exit(code)


def _end_children() -> None:
    """Kill the worker processes: one that is just starting would complain of its parent's death. Elsewhere they notice.

    The tracker stays, to free what they leave behind.
    """
    if not Path("/proc/self/task").is_dir():  # macOS
        for worker in multiprocessing.active_children():
            worker.kill()
    for listing in Path("/proc/self/task").glob("*/children"):
        for child in listing.read_text().split():
            with contextlib.suppress(OSError):  # it may have ended by itself
                if TRACKER not in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)


def reason(error: BaseException) -> str:
    """What an error says, for one line: `file: what is wrong with it`, without the system's number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{os.fspath(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


def code_of(error: BaseException, given: int | None = None) -> int:
    """The exit code of an error: bad input, or a program that could not go on, or what is `given` for all that is not
    `refused`."""
    if getattr(error, "is_refused", False):
        return BAD_INPUT
    if given is not None or is_remote(error):
        return FAILED if given is None else given
    is_gone = isinstance(error, ConnectionError | TimeoutError)  # a process or a service, which may be back
    if isinstance(error, ValueError) or (isinstance(error, OSError) and error.errno not in EXHAUSTED and not is_gone):
        return BAD_INPUT
    return FAILED


KINDS = (ValueError, OSError, RuntimeError, MemoryError)  # what a user can cause; anything else is a bug
REMOTE = ("gcsfs", "aiohttp", "google")  # packages behind gs://: when they give up, they raise kinds of their own


def is_remote(error: BaseException | None) -> bool:
    """Whether an error is one of gs://, for which no kind of Python's stands: a service that is down, no permission."""
    return isinstance(error, Exception) and type(error).__module__.partition(".")[0] in REMOTE


def is_told(error: BaseException | None) -> bool:
    """Whether an error is told in one line, and no bug."""
    return isinstance(error, KINDS) or is_remote(error)


class refused(contextlib.ContextDecorator):
    """Inside, a `ValueError`, or a file that is not there, is bad input, which no other start mends: it has that code,
    whatever code all errors of the program are given."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ValueError | FileNotFoundError) and not is_remote(error):
            error.is_refused = True


class at_once:
    """Inside, in a run of several processes, any error ends this one without unwinding, which would wait for others.

    With one process it does nothing.
    """

    def __init__(self, code: int | None = None):
        """Give all errors a code, if one is given, but those that are `refused`; else that of `code_of`."""
        self._code = code

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if Group.tell is None or error is None or isinstance(error, SystemExit | Terminated | Stopped):
            return
        time.sleep(CONSEQUENCE_S)  # if another has ended, its cause is the one to name, and `leave` is called meanwhile
        if is_told(error):
            leave(reason(error), code_of(error, self._code))
        traceback.print_exception(error)
        leave(f"{kind.__name__}: {error}", FAILED)


class told(contextlib.ContextDecorator):
    """Inside, an error that a user can cause ends the program in one line, with the code that `code_of` gives."""

    def __init__(self, code: int | None = None):
        """Give all errors a code, if one is given, but those that are `refused`."""
        self._code = code

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
        if isinstance(error, Terminated | Stopped) and Group.done:
            Group.done()  # all end at this moment
        if isinstance(error, Stopped):
            sys.stderr.write(line(str(error), "stopped"))
            raise SystemExit(STOPPED)
        if isinstance(error, Terminated):
            fail(str(error), TERMINATED)
        if isinstance(error, BrokenPipeError):
            fail("the output was closed before all of it was written", CLOSED)
        at_once(self._code).__exit__(kind, error, trace)
        if error is None and Group.done:
            Group.done()
        if is_told(error):
            fail(reason(error), code_of(error, self._code))


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes earn one line; `--help` has the usage."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        fail(message.removeprefix("argument "))
