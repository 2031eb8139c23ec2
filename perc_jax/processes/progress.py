"""What the screen says, and the watchdog that ends a run that hangs.

On a terminal: bars with the time left, and below them one line that names the phase of the moment and its seconds.
Elsewhere (a log file, a pipe): plain lines without escape codes, at most one every ten seconds besides what is said on
purpose. Processes other than the first are silent; what each would say can be kept (`keep`). The watchdog runs on all
of them: when nothing moves for longer than the deadline, it writes the stacks of all threads and ends the process with
exit code 75, after which the same command resumes the run from its last checkpoint. Where a library keeps the
interpreter for itself, no Python can do so: `GRACE_S` later C code writes the stacks and ends the process, which then
has exit code 1 and no line.
"""

import contextlib
import faulthandler
import io
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import rich.progress
from rich.console import Console, RenderableType
from rich.text import Text

from perc_jax.processes import ends
from perc_jax.records.metrics import Timer

GRACE_S = 30.0  # after which the C-level watchdog acts, should the interpreter itself be stuck; its code is 1, always
TICK_S = 0.5
COMPILE_S = 3600.0  # for one program at least: the compiler cannot be asked how far it is, and does not hang


class Bar:
    """One bar. `total` and `done` count whatever the name says; `done` starts above 0 in a resumed run."""

    def __init__(self, name: str, total: int, done: int = 0):
        self.name, self.total, self.done = name, total, done
        self._first, self._began = done, time.monotonic()

    def left_s(self) -> float | None:
        """Seconds to the end at the average speed so far; None before the first advance."""
        if self.done == self._first:
            return None
        return (time.monotonic() - self._began) / (self.done - self._first) * (self.total - self.done)

    def text(self) -> str:
        """The bar as plain text."""
        left = self.left_s()
        return f"{self.name} {self.done}/{self.total}" + (f", {clock(left)} left" if left is not None else "")


class Progress:
    """The screen of a run; use it as a context manager.

    Args:
        deadline_s: seconds without a sign of progress (a phase entered or left, a bar advanced) after which the process
            ends. It counts inside phases only.
        quiet: say nothing; for processes other than the first.
        timer: charged with the phases' seconds.
        stream: where to write; standard error by default.
        every_s: seconds between plain lines.
    """

    def __init__(
        self,
        deadline_s: float,
        *,
        quiet: bool = False,
        timer: Timer | None = None,
        stream: io.TextIOBase | None = None,
        every_s: float = 10.0,
    ):
        self._deadline_s, self._quiet, self._every_s = deadline_s, quiet, every_s
        self._timer = timer or Timer()
        self._stream = stream or sys.stderr
        self._bars: list[Bar] = []
        self._phases: list[tuple[str, float]] = []  # name, start
        self._deadlines_s: list[float] = []  # of each
        self._note = ""
        self._said: list[str] = []  # before anybody keeps it
        self._keep: Callable[[str], None] = self._said.append
        self._moved = self._wrote = time.monotonic()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="progress watchdog", daemon=True)
        console = Console(file=self._stream)
        self._live = _Screen(self, console) if console.is_terminal and not quiet else None

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        faulthandler.cancel_dump_traceback_later()
        self._watcher.join()
        if self._live:
            self._live.stop()

    @contextlib.contextmanager
    def bar(self, name: str, total: int, done: int = 0) -> Iterator[Callable[..., None]]:
        """Show a bar while inside; gives the function that moves it on: `advance()` by one, `advance(8)` by eight."""
        bar = Bar(name, total, done)
        self._bars.append(bar)
        task = self._live.add_task(name, total=total, completed=done, bar=bar) if self._live else None

        def advance(count: int = 1) -> None:
            bar.done = min(bar.done + count, total)
            self._sign_of_life()
            if self._live and task is not None:
                self._live.update(task, completed=bar.done)

        try:
            yield advance
        finally:
            self._bars.remove(bar)
            if self._live and task is not None:
                self._live.remove_task(task)

    @contextlib.contextmanager
    def phase(self, name: str, at_least_s: float = 0.0) -> Iterator[None]:
        """Say that this is happening, charge its seconds to the timer, and watch its deadline, which may be longer."""
        self._moved = time.monotonic()  # before the watchdog sees the deadline
        self._deadlines_s.append(max(self._deadline_s, at_least_s))
        self._phases.append((name, time.monotonic()))
        self._sign_of_life()
        try:
            with self._timer.phase(name):
                yield
        finally:
            self._moved = time.monotonic()  # before the outer phase's deadline holds again
            self._phases.pop()
            self._deadlines_s.pop()
            self._sign_of_life()

    def compiling(self, what: str) -> contextlib.AbstractContextManager[None]:
        """A phase in which one program is compiled, with a deadline of its own."""
        return self.phase(what, at_least_s=COMPILE_S)

    def note(self, values: Mapping[str, Any]) -> None:
        """Show the newest numbers beside the phase, for instance {"loss": 1.234}."""
        self._note = "  ".join(f"{name} {value:.4g}" for name, value in values.items())

    def keep(self, add: Callable[[str], None]) -> None:
        """Give what has been said, and will be, to a function; silent processes say the same to it."""
        self._keep = add
        for text in self._said:
            add(text)

    def say(self, text: str) -> None:
        """Print a line now, above the bars."""
        self._keep(text)
        if self._live:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self._write(text)

    def status(self) -> str:
        """What is happening: phase, its seconds, newest numbers."""
        phase, seconds = self.now()
        parts = [f"{phase} {seconds:.0f} s"] if phase else []
        return " · ".join(parts + [self._note] * bool(self._note))

    def now(self) -> tuple[str, float]:
        """The phase of the moment and its seconds; no name outside of all."""
        phases = list(self._phases)  # other threads read while the run's thread writes
        return (phases[-1][0], time.monotonic() - phases[-1][1]) if phases else ("", 0.0)

    def _write(self, text: str) -> None:
        """Write a plain line with the time of day, where neither bars nor silence stand in its place."""
        self._wrote = time.monotonic()
        if not self._live and not self._quiet:
            self._stream.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
            self._stream.flush()

    def _sign_of_life(self) -> None:
        """Start the deadline anew, inside a phase; outside there is none."""
        self._moved = time.monotonic()
        if self._phases:
            faulthandler.dump_traceback_later(self._deadlines_s[-1] + GRACE_S, exit=True, file=sys.__stderr__)
        else:
            faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        """Write the plain lines and enforce the deadline."""
        while not self._stop.wait(min(TICK_S, self._deadline_s / 4, self._every_s / 2)):
            now = time.monotonic()
            deadlines_s = list(self._deadlines_s)  # the run's thread changes it
            if deadlines_s and now - self._moved > deadlines_s[-1]:
                self._give_up(deadlines_s[-1])
            if now - self._wrote >= self._every_s:
                text = " | ".join([bar.text() for bar in list(self._bars)] + [self.status()] * bool(self.status()))
                if text:
                    self._keep(text)
                    self._write(text)

    def _give_up(self, deadline_s: float) -> None:
        """Say where every thread stands and end the process at once, its worker processes with it."""
        if self._live:
            self._live.stop()
        stuck = f"nothing moved for {deadline_s:g} s in phase {self._phases[-1][0]!r}"
        faulthandler.dump_traceback(file=sys.__stderr__, all_threads=True)
        ends.leave(f"{stuck}; the stacks of all threads are above; the same command resumes the run", ends.STUCK)


def clock(seconds: float) -> str:
    """Write a duration: 0:07, 12:30, 1:02:03."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


class _Left(rich.progress.ProgressColumn):
    """The bar's own estimate, the same as in plain lines."""

    def render(self, task: rich.progress.Task) -> Text:
        """Write the time left."""
        left = task.fields["bar"].left_s()
        return Text(f"{clock(left)} left" if left is not None else "", style="cyan")


class _Screen(rich.progress.Progress):
    """Rich's bars with the line of the moment below them."""

    def __init__(self, owner: Progress, console: Console):
        self._owner = owner
        columns = (
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeElapsedColumn(),
            _Left(),
        )
        super().__init__(*columns, console=console, refresh_per_second=4, transient=True)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Bars, then the status line."""
        yield self.make_tasks_table(self.tasks)
        yield Text(self._owner.status(), style="dim", no_wrap=True, overflow="ellipsis")
