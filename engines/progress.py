"""A bar for long work, on standard error: with the time left; in a log file, a plain line now and then.

with progress("samples", total) as advance:
    advance(1)
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

EVERY_S = 15.0  # between plain lines


@contextlib.contextmanager
def progress(name: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Give a function that says how many more of `total` are done; `done` of them were at the start."""
    if not sys.stderr.isatty():
        yield _lines(name, total, done)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        bar = bars.add_task(name, total=total, completed=done)
        yield lambda count: bars.advance(bar, count)


def _lines(name: str, total: int, done: int) -> Callable[[int], None]:
    first, began = done, time.monotonic()
    said = began

    def advance(count: int) -> None:
        nonlocal done, said
        done, now = done + count, time.monotonic()
        if now - said >= EVERY_S and done > first:
            said = now
            left_s = (now - began) / (done - first) * (total - done)
            print(f"{name} {done}/{total}, {left_s / 60:.0f} min left", file=sys.stderr, flush=True)

    return advance
