"""Starts of a run of so many processes, their moments, and what they stand on: for faults to strike (`faults.py`)."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests import whole_runs
from tests.run import faulty, kept
from tests.run.nursery import Nursery
from tests.run.relay import Relay

DISK_MB = 64
WORKERS = ("--data.workers", "1")  # Grain's
SPAWNED = b"spawn_main"
LAST = 6  # step of the run
# One stage, in which every phase comes: what a start costs is to trace its programs.
ONE_STAGE = ("--only", "grpo", "--stages.1.steps", str(LAST))
ONE_STAGE += ("--evaluation.suites", "test_a", "--evaluation.samples", "8", "--evaluation.every", "3")
ONE_STAGE += ("--verifier-deadline-s", "100")  # whatever else the machine does, no verdict is late
PHASES = {  # by the beginning of their names, and at which of how many a fault strikes
    "starting": 1,
    "compiling": 12,
    "restoring": 1,
    "data": 3,
    "rollout": 2,
    "verify": 3,
    "update": 4,
    "checkpoint": 2,
    "evaluating": 4,
}


class Moment(NamedTuple):
    """When a fault strikes a process."""

    phase: str
    number: int  # the how manieth of this start
    delay_s: float

    def has_come(self, names: Sequence[str]) -> bool:
        """Whether a process that has begun these phases is there, but for the delay."""
        return sum(name.startswith(self.phase) for name in names) >= self.number


class Ground(NamedTuple):
    """What all starts have in common."""

    cache: Path  # of compiled programs
    nursery: Nursery

    @classmethod
    def of(cls, cache: Path) -> "Ground":
        """One whose nursery keeps compiled programs there."""
        return cls(cache, Nursery(whole_runs.environment(cache)))


class Start:
    """The processes of a start of a run. A context manager: they are gone when it is left."""

    def __init__(self, workdir: Path, output: Path, ground: Ground, count: int, *settings: str, relayed: int = 0):
        """Start `count` processes; the connections of one of them go through `relay`."""
        self.count, self._output, self._waited = count, output, [0.0] * count
        port, place = whole_runs.free_port(), {}
        self._opened = contextlib.ExitStack()
        self.relay = self._opened.enter_context(Relay(port)) if relayed else None
        self.ranks: list[whole_runs.Running] = []
        for rank in range(count):
            if count > 1:
                there = self.relay.port if self.relay and rank == relayed else port
                place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{there}", "JAX_NUM_PROCESSES": str(count)}
                place |= {"JAX_PROCESS_ID": str(rank)}
            running = whole_runs.train(
                workdir,
                *ONE_STAGE,
                *("--mesh.replica", str(count), "--mesh.fsdp", "1", *settings),  # XLA:CPU: whole copies only
                cache=ground.cache,
                output=output / f"rank_{rank}",
                program="tests.run.faulty",
                begin=ground.nursery.begin,
                **{faulty.VARIABLE: str(output / f"rank_{rank}" / "phases")},
                **{faulty.PROGRAMS: str(ground.cache / "whole" / kept.sources())},
                **place,
            )
            self.ranks.append(self._opened.enter_context(running))

    def __enter__(self) -> "Start":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def phases(self, rank: int) -> list[str]:
        """The phases that a process has begun, in order."""
        file = self._output / f"rank_{rank}" / "phases"
        first = faulty.JOINED if self.count > 1 else faulty.ALONE
        names = file.read_text().splitlines() if file.exists() else []
        return ["starting" if name == first else name for name in names]

    def wait_for(self, moment: Moment, victim: int) -> bool:
        """Return at a process's moment; False if the run ended before."""
        while self.ranks[victim].is_running:
            if moment.has_come(self.phases(victim)):
                self.ranks[victim].let_run(moment.delay_s)
                return self.ranks[victim].is_running
            time.sleep(0.005)
        return False

    def waited_s(self) -> float:
        """Seconds for which a process has been ready to run and had no processor, of the one that had it longest; what
        other threads than its first waited is left out. Of one that has ended: as
        it was last seen."""
        for rank, running in enumerate(self.ranks):
            with contextlib.suppress(OSError, IndexError):
                if running.is_running:
                    self._waited[rank] = int(Path(f"/proc/{running.pid}/schedstat").read_text().split()[1]) / 1e9
        return max(self._waited)

    def end(self, wait_for: Callable[[], None] = lambda: None) -> tuple[list[whole_runs.Ended], list[float]]:
        """Wait for all; gives the ends, and when each was seen by the clock."""
        seen: dict[int, float] = {}
        until = time.monotonic() + whole_runs.LIMIT_S
        while len(seen) < self.count:
            assert time.monotonic() < until, f"hung: processes {sorted(set(range(self.count)) - seen.keys())} live"
            for rank, running in enumerate(self.ranks):
                if rank not in seen and not running.is_running:
                    seen[rank] = time.monotonic()
            wait_for()
            self.waited_s()
            time.sleep(0.02)
        return [running.end() for running in self.ranks], [seen[rank] for rank in range(self.count)]


def fill(disk: Path) -> None:
    """Leave no room on a disk."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass


def lose_worker(running: whole_runs.Running, rng: np.random.Generator) -> str:
    """Kill one of the worker processes of a process outright; says which."""
    workers = sorted(pid for pid in whole_runs.living(running.pid) if SPAWNED in _command(pid))
    if not workers:
        return "no worker"
    place = int(rng.integers(len(workers)))
    with contextlib.suppress(ProcessLookupError):
        os.kill(workers[place], signal.SIGKILL)
    return f"worker {place + 1} of {len(workers)}"


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def last_line(ended: whole_runs.Ended) -> str:
    """What a process said last."""
    return (ended.err.splitlines() or [""])[-1]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small disk on a folder; gives whether that is permitted here."""
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "perc_jax_tests", str(folder)]
    is_mounted = shutil.which("mount") is not None and subprocess.run(words, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
