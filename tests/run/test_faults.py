"""Faults at random moments of a run of two processes: all end soon, each with the right line, and nothing is lost.

A seed is a run: five faults strike it one after the other, each at a random moment of a start, on a random process;
then it is left alone to its end, which must be that of a run that nothing ever struck, in all bits. A run that is done
before a fault comes must be so too, and the next fault strikes a new one. Each fault is printed.
"""

import contextlib
import json
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from etils import epath

from perc_jax.processes import peers
from perc_jax.records import attempts
from tests import whole_runs
from tests.run.faulty import PLANTED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

LIMIT_S = 30.0  # for all processes to end
FAULTS = 5  # to a run
COPIES = ("--mesh.replica", "2", "--mesh.fsdp", "1")  # XLA:CPU: whole copies only


class Fault(NamedTuple):
    """What strikes a process."""

    signal: int
    cause: str  # what the other process says of it
    codes: tuple[int, ...]  # of the other
    own: tuple[int, ...]  # of the process that was struck


GONE, SILENT = peers.GONE, "nothing was heard of it for 25 s"
KINDS = {
    "kill": Fault(signal.SIGKILL, GONE, (1,), (-9,)),
    "terminate": Fault(signal.SIGTERM, "terminated", (143,), (143,)),
    "stop": Fault(signal.SIGSTOP, SILENT, (1,), (1, -6)),
    "raise": Fault(signal.SIGUSR1, PLANTED, (1,), (1,)),
}
ABORTED = -6  # JAX's service is in process 0: where that is killed, it may abort the other before it has said a word


@contextlib.contextmanager
def both(workdir: Path, output: Path, cache: Path) -> Iterator[list[whole_runs.Running]]:
    """The two processes of a start."""
    place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{whole_runs.free_port()}", "JAX_NUM_PROCESSES": "2"}
    with contextlib.ExitStack() as opened:
        yield [
            opened.enter_context(
                whole_runs.train(
                    workdir,
                    *COPIES,
                    cache=cache,
                    output=output / f"rank_{rank}",
                    program="tests.run.faulty",
                    JAX_PROCESS_ID=str(rank),
                    **place,
                )
            )
            for rank in (0, 1)
        ]


def undisturbed(workdir: Path, output: Path, cache: Path) -> float:
    """Run to the end; gives the seconds from the moment at which the run was opened."""
    with both(workdir, output, cache) as ranks:
        ended = [rank.end() for rank in ranks]
    assert [rank.code for rank in ended] == [0, 0], [rank.err for rank in ended]
    begun = json.loads((workdir / attempts.FILE).read_text())[-1]
    return attempts.beats_of(epath.Path(workdir), attempts.Attempt(**begun))[0].ended.time - begun["began"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """The workdir of a run that nothing strikes, the programs that it compiled, and the seconds of a start that finds
    them."""
    folder = tmp_path_factory.mktemp("faults")
    undisturbed(folder / "first", folder / "first.output", folder / "cache")
    return folder / "run", folder / "cache", undisturbed(folder / "run", folder / "run.output", folder / "cache")


def is_done(ended: Sequence[whole_runs.Ended]) -> bool:
    """Whether both came to a good end."""
    return [one.code for one in ended] == [0, 0]


def strike(ranks: Sequence[whole_runs.Running], victim: int, fault: Fault) -> list[whole_runs.Ended]:
    """Let a fault happen and give the ends. A process that stands still goes on when the other has ended."""
    ranks[victim].signal(fault.signal)
    began, other = time.monotonic(), 1 - victim
    ended = {other: ranks[other].end()}
    assert time.monotonic() - began < LIMIT_S, ended[other].err
    if fault.signal == signal.SIGSTOP:
        ranks[victim].signal(signal.SIGCONT)
    ended[victim] = ranks[victim].end()
    assert time.monotonic() - began < LIMIT_S, ended[victim].err
    return [ended[0], ended[1]]


def check(ended: Sequence[whole_runs.Ended], victim: int, fault: Fault) -> str:
    """Whether both ended as the fault says; gives what is to be printed."""
    other = 1 - victim
    if is_done(ended):
        return "it was done before"
    assert ended[victim].code in fault.own, ended[victim].err
    last = (ended[other].err.splitlines() or [""])[-1]
    if victim == 0 and fault.signal in (signal.SIGKILL, signal.SIGSTOP) and ended[other].code == ABORTED:
        return "aborted by JAX"
    assert ended[other].code in fault.codes, ended[other].err
    assert last.startswith(f"error: process {other} of 2: ") and fault.cause in last, ended[other].err
    return last


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_whatever_strikes_a_run(reference, tmp_path, seed: int) -> None:
    wanted, cache, seconds = reference
    rng, workdir = np.random.default_rng(seed), tmp_path / "run"
    for number in range(FAULTS):
        kind, victim = str(rng.choice(list(KINDS))), int(rng.integers(2))
        delay_s, before = float(rng.uniform(0.0, 0.9 * seconds)), starts(workdir)
        with both(workdir, tmp_path / f"output_{number}", cache) as ranks:
            while starts(workdir) == before and ranks[0].is_running:
                time.sleep(0.01)
            ranks[0].let_run(delay_s)
            ended = strike(ranks, victim, KINDS[kind])
        print(f"seed {seed}, fault {number}: {kind} to process {victim} after {delay_s:.2f} s: ", end="")
        print(check(ended, victim, KINDS[kind]), flush=True)
        if is_done(ended):
            whole_runs.assert_same(workdir, wanted)
            shutil.rmtree(workdir)
    undisturbed(workdir, tmp_path / "output", cache)
    whole_runs.assert_same(workdir, wanted)
    found = json.loads((workdir / attempts.FILE).read_text())
    assert [one["number"] for one in found] == list(range(1, len(found) + 1))
    assert all(one["ended"] for one in found[:-1])


def starts(workdir: Path) -> int:
    """How many starts have opened the run."""
    with contextlib.suppress(OSError, ValueError):
        return len(json.loads((workdir / attempts.FILE).read_text()))
    return 0
