"""Rows by position, streamed by Grain from worker processes as batches.

Rows in, each a pure function of its position; batches out. One Grain element is one batch, so the order of batches does
not depend on the number of workers. Nothing here knows what rows are made of.
"""

import multiprocessing
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Protocol, runtime_checkable

import grain
import numpy as np
from absl import flags
from jaxtyping import Bool, Int

from perc_jax.batch import WHOLE, PromptBatch, Share
from perc_jax.data.engines import Row, SampleInfo
from perc_jax.environments.base import State
from perc_jax.processes import ends, workers
from perc_jax.prompt.prompt import pack

ATTEMPTS = 3  # at a batch whose worker was killed, by the system for want of memory for instance
KILLED = "terminated unexpectedly"  # what Grain says of it
GRAIN = "grain"  # as the names of its processes begin
LOOK_S = 1.0  # between two looks at the workers while a batch is waited for
LOST_S = 20.0  # in which Grain has noticed that a worker is gone


@runtime_checkable
class Rows(Protocol):
    """Rows by position, over all hosts; pickled into the workers."""

    def row(self, position: int) -> Row:
        """Make the row of a position. Raises `ValueError` if there is none."""


@dataclass(frozen=True)
class Batch:
    """This host's rows of one batch: P is the stage's prompts per step (or the suite's batch) over the hosts.

    One object to Grain, so that it travels whole through the worker's pipe. As a tree of arrays it would lie in shared
    memory, of which a container has 64 MB and a killed run leaves some.
    """

    prompts: PromptBatch
    samples: tuple[SampleInfo, ...]
    gold_tokens: Int[np.ndarray, "P C"] | None  # gold completions of a training stage; None in a suite
    gold_mask: Bool[np.ndarray, "P C"] | None
    real: Bool[np.ndarray, " P"]  # False where the last row of a suite is repeated to fill the batch
    dropped: tuple[str, ...]  # why each replaced draft did not fit, with its id
    position: int  # where the stream stands after this batch, over all hosts
    share: Share = WHOLE  # which rows these are
    gold_said: Bool[np.ndarray, "P S"] | None = None  # tokens of the prompts that are learned beside the completions

    @property
    def states(self) -> list[State | None]:
        """Where conversations about the samples begin."""
        return [info.state for info in self.samples]


@dataclass(frozen=True)
class Batches:
    """Random access by number of batch: what Grain reads."""

    rows: Rows
    start: int  # position of batch 0
    stop: int  # positions from here on repeat the last one
    batch: int  # over all hosts
    share: Share  # this host's, of every batch

    def __len__(self) -> int:
        return max(0, -(-(self.stop - self.start) // self.batch))

    def __getitem__(self, number: int) -> Batch:
        begin = self.start + number * self.batch
        wanted = np.array([begin + row for row in self.share.rows(self.batch)])
        places = np.minimum(wanted, self.stop - 1)
        made = {place: self.rows.row(place) for place in sorted(set(places.tolist()))}
        rows = [made[place] for place in places.tolist()]
        gold = [np.stack(parts) for parts in zip(*(row.gold or () for row in rows), strict=True)]
        gold_tokens, gold_mask, gold_said = gold or (None, None, None)
        dropped = tuple(reason for row in made.values() for reason in row.dropped)
        return Batch(
            prompts=pack([row.prompt for row in rows]),
            samples=tuple(row.info for row in rows),
            gold_tokens=gold_tokens,
            gold_mask=gold_mask,
            gold_said=gold_said,
            real=wanted < self.stop,
            dropped=dropped,
            position=min(begin + self.batch, self.stop),
            share=self.share,
        )


@dataclass(frozen=True)
class Chained:
    """Batches of several sources, one source after the other."""

    parts: tuple[Batches, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, number: int) -> Batch:
        for part in self.parts:
            if number < len(part):
                return part[number]
            number -= len(part)
        raise IndexError(f"there are {len(self)} batches")


@dataclass(frozen=True)
class Rest:
    """Batches from one on."""

    batches: Batches | Chained
    first: int

    def __len__(self) -> int:
        return len(self.batches) - self.first

    def __getitem__(self, number: int) -> Batch:
        return self.batches[self.first + number]


class Stream:
    """An iterator over batches, and a context manager that ends its workers.

    Workers start, and the first batch is fetched, as soon as the stream is made: make it before the work it can hide
    behind. One further batch is always being fetched while the caller uses the last one.
    """

    def __init__(self, batches: Batches | Chained, workers: int, prefetch: int = 1):
        """`prefetch` is how many batches each of the `workers` may be ahead."""
        self.batches = batches  # random access to what is streamed
        self._count, self._fetched = len(batches), 0
        self._workers, self._prefetch = workers, prefetch
        self._iterator = iter(_dataset(batches, workers, prefetch))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stream")
        self._seen: dict[int, BaseProcess] = {}  # workers of this process, this stream's among them
        self._ahead = [self._thread.submit(self._fetch)] if self._count else []

    def __len__(self) -> int:
        """Batches that are left."""
        return self._count

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Batch:
        if not self._ahead:
            raise StopIteration
        batch = self._waited_for(self._ahead.pop())
        self._count -= 1
        if self._count:
            self._ahead.append(self._thread.submit(self._fetch))
        else:
            self._thread.submit(self._end_workers)  # they take a second to end; the caller need not wait
        return batch

    def _waited_for(self, batch: Future[Batch]) -> Batch:
        """A batch when it is there.

        A worker that is killed while it sends one leaves half of it in its pipe, and Grain waits for the rest for ever:
        then this process ends, and the same command goes on.
        """
        since = None
        while not wait([batch], LOOK_S).done:
            since = (since or time.monotonic()) if self._has_lost_a_worker() else None
            if since and time.monotonic() - since > LOST_S:
                ends.leave("a data worker was killed while it sent a batch; the same command resumes", ends.FAILED)
        return batch.result()

    def _has_lost_a_worker(self) -> bool:
        """Whether a worker was killed, and fewer live than this stream has.

        Grain kills the workers of a stream that is over, so that one of those that were seen was killed says nothing.
        """
        there = [one for one in multiprocessing.active_children() if one.name.startswith(GRAIN)]
        self._seen |= {one.pid: one for one in there}
        live = sum(one.exitcode is None for one in there)
        return live < self._workers and any(one.exitcode not in (None, 0) for one in self._seen.values())

    def _fetch(self) -> Batch:
        """The next batch, in the thread. Where a worker was killed from outside, others begin where it was."""
        for left in reversed(range(ATTEMPTS)):
            try:
                batch = next(self._iterator)
                break
            except RuntimeError as error:
                if KILLED not in str(error) or not left:
                    raise
                self._iterator.close()
                self._seen = {}
                rest = Rest(self.batches, self._fetched)
                self._iterator = iter(_dataset(rest, self._workers, self._prefetch))
        self._fetched += 1
        return batch

    def _end_workers(self) -> None:
        self._iterator.close()

    def close(self) -> None:
        """End the workers; batches that are on the way are lost, positions are not."""
        if self._count:
            for future in self._ahead:
                future.cancel()
            self._thread.submit(self._end_workers)
        self._count, self._ahead = 0, []
        self._thread.shutdown(wait=True)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _dataset(batches: Batches | Chained | Rest, count: int, prefetch: int) -> grain.IterDataset:
    """Let Grain draw the batches, in so many worker processes; 0: in this one."""
    dataset = grain.MapDataset.source(batches).to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))
    if count == 0:
        return dataset
    workers.adopt(_is_ours)
    if not flags.FLAGS.is_parsed():  # Grain hands absl's flags to its workers, and our programs do not use absl
        flags.FLAGS.mark_as_parsed()
    options = grain.MultiprocessingOptions(num_workers=count, per_worker_buffer_size=prefetch)
    return dataset.mp_prefetch(options)


def _is_ours(process: BaseProcess) -> bool:
    """Whether Grain starts a process that draws batches of this module."""
    return process.name.startswith(GRAIN) and __name__.encode() in process._kwargs.get("pickled_ds", b"")
