"""Completions to rewards, on the host: strict verification in worker processes that can be killed, then weights.

In: completion texts and typed answers. Out: one `Verdict` each, then float32 rewards with their parts kept apart.
Verification of a chunk of texts takes microseconds; a deadline exists so that no text can ever freeze a run. It knows
no tokens, no groups and no model.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, wait
from concurrent.futures import TimeoutError as DeadlineError
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import numpy as np
import pebble
from jaxtyping import Float

from engines.answer import Answer
from engines.verify import extract
from perc_jax.config import RewardConfig
from perc_jax.processes import workers

CHUNK = 64  # texts per task: large against the 1 ms that a task costs, small against a batch
PATIENCE_S = 1.0  # between looks at the health of a pool that has not answered
ATTEMPTS = 3  # of a task whose process died under it, before its text is blamed


class Verdict(NamedTuple):
    """What the verifier says about one completion."""

    correct: bool
    well_formed: bool  # one answer block, one box in it, nothing after
    parsed: str | None  # what stands in the box, None if the completion is not well formed
    timed_out: bool = False  # ran past its deadline, or killed its process; then all else is False


class Rewards(NamedTuple):
    """Rewards of n completions and their parts, which are logged apart."""

    total: Float[np.ndarray, " n"]  # what the advantages are made of
    accuracy: Float[np.ndarray, " n"]  # 0 or 1
    format: Float[np.ndarray, " n"]  # 0 or 1, before its weight


TIMED_OUT = Verdict(correct=False, well_formed=False, parsed=None, timed_out=True)


def judge(text: str, answer: Answer) -> Verdict:
    """Verify one completion in this process."""
    content = extract(text)
    return Verdict(content is not None and answer.accepts(content), content is not None, content)


def _judge_all(judge: Callable[[str, Answer], Verdict], pairs: list[tuple[str, Answer]]) -> list[Verdict]:
    return [judge(text, answer) for text, answer in pairs]


class Verifier:
    """A pool of verifier processes. A context manager: leaving it ends the processes.

    A chunk of texts has one deadline. If it runs past it, its texts are tried one by one, so that only the text at
    fault times out. Processes that are killed from outside are replaced and their work is done again.
    """

    def __init__(
        self, deadline_s: float, processes: int = 1, judge: Callable[[str, Answer], Verdict] = judge, chunk: int = CHUNK
    ):
        if deadline_s <= 0:
            raise ValueError(f"verifier_deadline_s must be positive, got {deadline_s}")
        self._deadline_s, self._processes, self._judge, self._chunk = deadline_s, processes, judge, chunk
        workers.prepare_spawn()
        self._pool = self._start()

    def _start(self) -> pebble.ProcessPool:
        pool = pebble.ProcessPool(self._processes, context=multiprocessing.get_context("spawn"))
        pool.schedule(_judge_all, (self._judge, []))  # the import of this module is paid while the caller goes on
        return pool

    def verify(self, texts: Sequence[str], answers: Sequence[Answer]) -> list[Verdict]:
        """Verify completions, one answer each.

        Returns within `deadline_s` for a chunk plus `deadline_s` per text that is at fault, in all of the pool.
        """
        pairs = list(zip(texts, answers, strict=True))
        chunks = [pairs[i : i + self._chunk] for i in range(0, len(pairs), self._chunk)]
        found = self._run(chunks)
        suspects = [pair for chunk, verdicts in zip(chunks, found, strict=True) if verdicts is None for pair in chunk]
        alone = iter(self._run([[pair] for pair in suspects], attempts=ATTEMPTS))
        return [
            verdict
            for chunk, verdicts in zip(chunks, found, strict=True)
            for verdict in (verdicts if verdicts is not None else [(next(alone) or [TIMED_OUT])[0] for _ in chunk])
        ]

    def _run(self, tasks: list[list[tuple[str, Answer]]], attempts: int = 1) -> list[list[Verdict] | None]:
        """Run tasks side by side; None where one ran past the deadline or its process died `attempts` times."""
        begun = [self._schedule(task) for task in tasks]
        return [self._result(task, *where, attempts) for task, where in zip(tasks, begun, strict=True)]

    def _schedule(self, task: list[tuple[str, Answer]]) -> tuple[pebble.ProcessPool, pebble.ProcessFuture]:
        arguments = _judge_all, (self._judge, task), {}, self._deadline_s
        try:
            return self._pool, self._pool.schedule(*arguments)
        except RuntimeError:  # pebble's pool breaks when a process is killed while idle
            self.close()
            self._pool = self._start()
        return self._pool, self._pool.schedule(*arguments)

    def _result(
        self, task: list[tuple[str, Answer]], pool: pebble.ProcessPool, future: pebble.ProcessFuture, attempts: int
    ) -> list[Verdict] | None:
        for left in reversed(range(attempts)):
            while not wait([future], PATIENCE_S).done and pool.active:
                pass  # a pool that breaks may forget a task that it had not begun, so its health is asked for too
            try:
                return future.result(timeout=0)
            except (pebble.ProcessExpired, BrokenProcessPool, CancelledError):
                lost = True
            except DeadlineError:  # the task's own, or it was forgotten
                lost = not future.done()
            if not lost:
                return None
            if left:
                pool, future = self._schedule(task)
        return None

    def close(self) -> None:
        """End the processes."""
        self._pool.stop()
        self._pool.join()

    def __enter__(self) -> "Verifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def rewards(verdicts: Sequence[Verdict], config: RewardConfig, rng: np.random.Generator) -> Rewards:
    """Weigh verdicts; under `control = "random"` the total is a coin per completion from `rng`, the parts stay true."""
    accuracy = np.array([verdict.correct for verdict in verdicts], np.float32)
    form = np.array([verdict.well_formed for verdict in verdicts], np.float32)
    if config.control == "random":
        total = rng.integers(0, 2, len(verdicts)).astype(np.float32)
    else:
        total = accuracy + np.float32(config.format_weight) * form
    return Rewards(total, accuracy, form)
