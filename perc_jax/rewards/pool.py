"""Worker processes that can be killed: calls with a deadline each, results in order, and what has become of the rest.

Used for everything that a model's text or a user's code could hang, bloat or end. Processes that are killed from
outside are replaced and their work is done again. It knows neither texts nor rewards.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, wait
from concurrent.futures import TimeoutError as DeadlineError
from concurrent.futures.process import BrokenProcessPool
from enum import Enum
from typing import Any

import pebble

from perc_jax.processes import workers

PATIENCE_S = 1.0  # between looks at the health of a pool that has not answered
ATTEMPTS = 3  # of a task whose process died under it, before the task is blamed


class Lost(Enum):
    """Why a call has no result."""

    LATE = "late"  # ran past the deadline
    DIED = "died"  # its process ended under it, time and again, or was out of memory


def _all(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return [function(item) for item in items]


class Pool:
    """Processes for calls with a deadline. A context manager: leaving it ends the processes."""

    def __init__(
        self,
        deadline_s: float,
        processes: int = 1,
        initializer: Callable[..., None] | None = None,
        arguments: Sequence[Any] = (),
    ):
        """Start the processes.

        Args:
            deadline_s: of a task; raises `ValueError` unless it is positive.
            processes: how many.
            initializer: called with `arguments` in each process before its first task, without a deadline.
            arguments: what can be pickled.
        """
        if deadline_s <= 0:
            raise ValueError(f"verifier_deadline_s must be positive, got {deadline_s}")
        self.deadline_s, self._processes = deadline_s, processes
        self._initializer, self._arguments = initializer, list(arguments)
        self._pool = self._start()

    def _start(self) -> pebble.ProcessPool:
        pool = pebble.ProcessPool(
            self._processes, context=workers.context(), initializer=self._initializer, initargs=self._arguments
        )
        pool.schedule(_all, (len, []))  # the import of this module is paid while the caller goes on
        return pool

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], chunk: int) -> list[Any | Lost]:
        """Call a function with every item, `chunk` of them a task.

        A task that runs past its deadline is done again item by item, so that only the one at fault is lost. Returns
        within `deadline_s` for a task plus `deadline_s` per item that is at fault, in all of the pool.
        """
        tasks = [items[i : i + chunk] for i in range(0, len(items), chunk)]
        found = list(self._run(function, tasks, attempts=1))
        suspects = [[item] for task, done in zip(tasks, found, strict=True) if isinstance(done, Lost) for item in task]
        alone = iter(list(self._run(function, suspects, ATTEMPTS)))
        results: list[Any | Lost] = []
        for task, done in zip(tasks, found, strict=True):
            lost = isinstance(done, Lost)
            results += (_only(next(alone)) for _ in task) if lost else done
        return results

    def each(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any | Lost]:
        """Call a function with every item, a task each; results in order, as soon as they are there."""
        return map(_only, self._run(function, [[item] for item in items], ATTEMPTS))

    def begin(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any | Lost]:
        """As `each`, but a call that is lost is not tried again, and all are under way when this returns."""
        return map(_only, self._run(function, [[item] for item in items], attempts=1))

    def _run(
        self, function: Callable[[Any], Any], tasks: Sequence[Sequence[Any]], attempts: int
    ) -> Iterator[list[Any] | Lost]:
        """Run tasks side by side; they are scheduled before this returns."""
        begun = [self._schedule(function, task) for task in tasks]
        return (self._result(function, task, *where, attempts) for task, where in zip(tasks, begun, strict=True))

    def _schedule(
        self, function: Callable[[Any], Any], task: Sequence[Any]
    ) -> tuple[pebble.ProcessPool, pebble.ProcessFuture]:
        arguments = _all, (function, task), {}, self.deadline_s
        try:
            return self._pool, self._pool.schedule(*arguments)
        except RuntimeError:  # pebble's pool breaks when a process is killed while idle
            self.restart()
        return self._pool, self._pool.schedule(*arguments)

    def _result(
        self,
        function: Callable[[Any], Any],
        task: Sequence[Any],
        pool: pebble.ProcessPool,
        future: pebble.ProcessFuture,
        attempts: int,
    ) -> list[Any] | Lost:
        for left in reversed(range(attempts)):
            while not wait([future], PATIENCE_S).done and pool.active:
                pass  # a pool that breaks may forget a task that it had not begun, so its health is asked for too
            try:
                return future.result(timeout=0)
            except (pebble.ProcessExpired, BrokenProcessPool, CancelledError):
                lost = True
            except MemoryError:
                return Lost.DIED
            except DeadlineError:  # the task's own, or it was forgotten
                lost = not future.done()
            if not lost:
                return Lost.LATE
            if left:
                pool, future = self._schedule(function, task)
        return Lost.DIED

    def restart(self) -> None:
        """End the processes, whatever they do, and start others."""
        self.close()
        self._pool = self._start()

    def close(self) -> None:
        """End the processes."""
        self._pool.stop()
        self._pool.join()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _only(done: list[Any] | Lost) -> Any | Lost:
    """The result of a task of one item."""
    return done if isinstance(done, Lost) else done[0]
