"""Faults at random moments of whole runs of 1, 2 and 4 processes: all end soon and name the cause, nothing is lost.

    python -m tests.run.faults --trials 60 [--seed 0] [--processes 2] [--folder DIR]

A seed is a chain: one run that is struck up to four times, each time at a random moment of a random phase of a start,
by another kind of fault; the last start is left alone, or loses worker processes, and comes to its end. Every start
after the first resumes what was struck, on as many processes as before or, in every second chain, on 4, 2, 1 and 4. A
chain must end as a run that nothing ever struck: in all bits where the number of processes stayed, else with equal
metrics but for the rounding of sums. A run that is done before a fault comes must be so too.

The workdir is a small disk of its own (tmpfs) where this process may mount one; else no disk fills up.
"""

import argparse
import contextlib
import json
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from etils import epath

from perc_jax.processes import peers
from perc_jax.records import attempts, commits, digests
from tests import whole_runs
from tests.run import faulty
from tests.run.starts import LAST, PHASES, WORKERS, Ground, Moment, Start, fill, last_line, lose_worker, small_disk

LIMIT_S = 30.0  # from a fault to the end of all processes, less what they wait for a processor that others have
PAUSE_S = 3.0  # a process that is alone stands still so long
FAULTS = 4  # of a chain, at most
CHANGING = (4, 2, 1, 4)  # numbers of processes of a chain's starts
STAYING = (2, 1, 4)  # of every second chain, in turn: all its starts have so many
ROUNDING = {"rtol": 1e-3, "atol": 1e-5}
RESUMING = re.compile(r"resuming .* after step (\d+)")
GONE, SILENT = peers.GONE, f"nothing was heard of it for {peers.SILENT_S:g} s"


class Kind(NamedTuple):
    """What strikes one process of a run, or all."""

    cause: str  # what is said of it; empty: the run goes on
    code: int = 1  # of all processes that can say it
    own: tuple[int, ...] = (1,)  # of the process that was struck
    processes: tuple[int, ...] = (1, 2, 4)  # of how many


KINDS = {
    "kill": Kind(GONE, own=(-9,)),
    "stop": Kind(SILENT, processes=(2, 4)),
    "terminate one": Kind("terminated", 143, (143,)),
    "terminate all": Kind("terminated", 143, (143,)),
    "raise": Kind(faulty.PLANTED),
    "full disk": Kind("o space left"),
    "cut": Kind(GONE, processes=(2, 4)),
    "silent": Kind(SILENT, processes=(2, 4)),
}
LATER = ("raise", "full disk")  # come when the next phase begins, or when something is written
HARMLESS = {
    "none": Kind(""),
    "pause": Kind("", processes=(1,)),
    "kill worker": Kind(""),
}


def strike(start: Start, kind: str, victim: int, workdir: Path) -> tuple[list[whole_runs.Ended], float]:
    """Let a fault happen; gives the ends, and the seconds from when it could be noticed until all had ended."""
    ranks, began = start.ranks, time.monotonic()
    others = [rank for rank in range(start.count) if rank != victim]
    go_on: Callable[[], None] = lambda: None  # noqa: E731
    if kind == "full disk":
        fill(workdir.parent)
    elif kind == "cut":
        start.relay.cut()
    elif kind == "silent":
        start.relay.fall_silent()
    elif kind == "terminate all":
        for running in ranks:
            running.signal(signal.SIGTERM)
    else:
        numbers = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "raise": signal.SIGUSR1}
        ranks[victim].signal(numbers.get(kind, signal.SIGTERM))
    if kind == "stop":  # it goes on when the others have ended

        def go_on() -> None:
            if not any(ranks[rank].is_running for rank in others):
                ranks[victim].signal(signal.SIGCONT)

    ended, seen = start.end(go_on)
    if kind in LATER:
        began = min(seen)
    if kind == "stop":  # what stands still can notice nothing before it goes on
        others_end = max(seen[rank] for rank in others)
        return ended, max(others_end - began, seen[victim] - others_end)
    return ended, max(seen) - began


def is_done(ended: Sequence[whole_runs.Ended]) -> bool:
    """Whether all came to a good end."""
    return all(one.code == 0 for one in ended)


def complaints(ended: Sequence[whole_runs.Ended], kind: str, victim: int) -> Iterator[str]:
    """What is wrong with the ends of the processes of a start that was struck so."""
    fault, count = KINDS[kind], len(ended)
    for rank, one in enumerate(ended):
        is_struck = rank == victim and kind != "terminate all"
        allowed = fault.own if is_struck else (fault.code,)
        if one.code not in allowed:
            yield f"process {rank} ended with code {one.code}, not {allowed}"
        if one.code < 0:
            continue  # it could not say a word
        line, who = last_line(one), f"process {rank} of {count}: " if count > 1 else ""
        if not line.startswith(f"error: {who}"):
            yield f"the last line of process {rank} is no error: {line}"
        named = "" if is_struck or kind in ("full disk", "terminate one", "terminate all") else f"process {victim} of"
        if kind in ("cut", "silent"):  # whom one hears of no more is the other end
            named = "process 0 of" if is_struck else named
        if fault.cause not in line and not (is_struck and kind == "stop"):
            yield f"process {rank} must say {fault.cause!r}: {line}"
        elif named not in line and not (is_struck and kind == "stop"):
            yield f"process {rank} must name {named}: {line}"


def check_newest(workdir: Path) -> int:
    """The step of the newest checkpoint, which must be whole; 0 without one."""
    folder = epath.Path(workdir) / "checkpoints"
    steps = commits.steps(folder)
    if steps:
        record = commits.read(folder, steps[-1])
        assert digests.first_bad(folder / str(steps[-1]) / "state", record["files"]) is None
    return steps[-1] if steps else 0


def check_resumed(ended: Sequence[whole_runs.Ended], newest: int, is_whole: bool) -> None:
    """Whether a start went on after the newest checkpoint that the one before had left, if it came so far."""
    said = [int(step) for step in RESUMING.findall(ended[0].err)]
    if said or is_whole:
        assert said == [newest] * bool(newest), ended[0].err


def assert_close(workdir: Path, other: Path) -> None:
    """Two finished runs are equal but for the rounding of sums, of which other numbers of processes have others."""
    whole_runs.assert_metrics_close(workdir, other, ROUNDING["rtol"], ROUNDING["atol"])
    assert whole_runs.evaluations(workdir).keys() == whole_runs.evaluations(other).keys()
    assert whole_runs.steps(workdir)[-1] == whole_runs.steps(other)[-1]
    kept, wanted = (whole_runs.leaves(folder, whole_runs.steps(folder)[-1]) for folder in (workdir, other))
    for name, leaf in kept.items():
        assert np.allclose(leaf, wanted[name], **ROUNDING), name


class Trial(NamedTuple):
    """A fault that has struck."""

    kind: str
    phase: str  # of the process that was struck
    count: int  # processes
    seconds: float | None  # until all had ended; None: the run went on


class References:
    """Runs that nothing strikes, by their number of processes, and the programs that they compiled."""

    def __init__(self, folder: Path):
        self._folder, self.ground = folder, Ground.of(folder / "cache")

    def of(self, count: int) -> Path:
        """The workdir of one; it is run when it is first asked for."""
        workdir = self._folder / f"reference_{count}" / "run"
        if not (workdir / "report.html").exists() or whole_runs.steps(workdir)[-1:] != [LAST]:
            with Start(workdir, workdir.parent / "output", self.ground, count) as start:
                ended, _ = start.end()
            assert is_done(ended), [one.err for one in ended]
        return workdir


class Chain:
    """One run and what strikes it, all by a seed."""

    def __init__(self, seed: int, references: References, folder: Path, say: Callable[[str], None], processes: int = 0):
        """`processes` of every start; 0: as the seed has it."""
        self._seed, self._references, self._folder, self._say = seed, references, folder, say
        self._rng = np.random.default_rng(seed)
        self.trials: list[Trial] = []
        self._is_same = bool(processes) or seed % 2 == 0
        same = processes or STAYING[seed // 2 % len(STAYING)]
        self._counts = (same,) * len(CHANGING) if self._is_same else CHANGING
        self._before = 0  # the step of the newest checkpoint

    def run(self, most: int = FAULTS) -> None:
        """Strike at most so often, then let the run come to its end, which must be the right one."""
        with small_disk(self._folder / "disk") as has_disk:
            workdir = self._folder / "disk" / "run"
            for number in range(min(most, FAULTS)):
                self._strike(number, workdir, has_disk)
            self._finish(workdir)

    def _strike(self, number: int, workdir: Path, has_disk: bool) -> None:
        """One start and what happens to it."""
        count = self._counts[number % len(self._counts)]
        kinds = [name for name, kind in KINDS.items() if count in kind.processes and (has_disk or name != "full disk")]
        unseen = [name for name in kinds if name not in {one.kind for one in self.trials}] or kinds
        kind = str(self._rng.choice(unseen))
        victim = int(self._rng.integers(count)) if kind not in ("cut", "silent") else int(self._rng.integers(1, count))
        moment, output = self._moment(), self._folder / f"output_{number}"
        where = f"{moment.delay_s:.2f} s into {moment.phase} {moment.number}"
        self._say(f"seed {self._seed}, fault {number}: {kind} to process {victim} of {count}, {where}")
        with Start(
            workdir, output, self._references.ground, count, relayed=victim * (kind in ("cut", "silent"))
        ) as start:
            is_there, before = start.wait_for(moment, victim), start.waited_s()
            if is_there:
                ended, seconds = strike(start, kind, victim, workdir)
            else:
                (ended, _), seconds = start.end(), 0.0
            waited = start.waited_s() - before
        (workdir.parent / "filler").unlink(missing_ok=True)
        self._say(f"  ended after {seconds:.1f} s, of which without a processor {min(waited, seconds):.1f} s")
        if is_done(ended):
            self._say("  it was done before")
            self._compare(workdir, count)
            shutil.rmtree(workdir)
            self._before = 0
            return
        for rank, one in enumerate(ended):
            self._say(f"  process {rank}, code {one.code}: {last_line(one)}")
        self.trials.append(Trial(kind, moment.phase, count, seconds))
        wrong = list(complaints(ended, kind, victim))
        assert not wrong, "\n".join([*wrong, *(one.err for one in ended)])
        # Of what comes later than it is struck, the wait is no part of the seconds.
        assert seconds - waited * (kind not in LATER) < LIMIT_S, f"{seconds:.1f} s, {waited:.1f} s without a processor"
        check_resumed(ended, self._before, is_whole=False)
        self._before = check_newest(workdir)

    def _moment(self) -> Moment:
        phase = str(self._rng.choice(list(PHASES)))
        return Moment(phase, int(self._rng.integers(1, 1 + PHASES[phase])), float(self._rng.uniform(0.0, 0.5)))

    def _finish(self, workdir: Path) -> None:
        """The last start, which may lose workers or stand still for a while, and goes on."""
        count = self._counts[-1]
        kind = str(self._rng.choice([name for name, one in HARMLESS.items() if count in one.processes]))
        victim, moment, said = int(self._rng.integers(count)), self._moment(), ""
        settings = WORKERS if kind == "kill worker" else ()
        with Start(workdir, self._folder / "output", self._references.ground, count, *settings) as start:
            if kind != "none" and start.wait_for(moment, victim):
                said = f", {moment.delay_s:.2f} s into {moment.phase} {moment.number}"
                running = start.ranks[victim]
                if kind == "kill worker":
                    said += f": {lose_worker(running, self._rng)}"
                else:
                    running.signal(signal.SIGSTOP)
                    time.sleep(PAUSE_S)
                    running.signal(signal.SIGCONT)
                self.trials.append(Trial(kind, moment.phase, count, None))
            ended, _ = start.end()
        self._say(f"seed {self._seed}, to its end on {count}: {kind} to process {victim}{said}")
        assert is_done(ended), [one.err for one in ended]
        check_resumed(ended, self._before, is_whole=True)
        self._compare(workdir, count)
        found = json.loads((workdir / attempts.FILE).read_text())
        assert [one["number"] for one in found] == list(range(1, len(found) + 1))
        assert all(one["ended"] for one in found[:-1])

    def _compare(self, workdir: Path, count: int) -> None:
        (whole_runs.assert_same if self._is_same else assert_close)(workdir, self._references.of(count))
        self._say(f"  ended as a run that nothing struck, in {'all bits' if self._is_same else 'all but rounding'}")


class Result(NamedTuple):
    """What chains showed."""

    trials: list[Trial]
    failed: list[str]  # what was wrong, by chain


def table(trials: Sequence[Trial]) -> Iterator[str]:
    """Faults by kind and phase, in Markdown, with the longest time to the end of all and the numbers of processes."""
    phases = list(PHASES)
    yield " | ".join(["| fault", *phases, "all", "1, 2, 4 processes", "ended within |"])
    yield "|---" * (len(phases) + 4) + "|"
    for kind in dict.fromkeys((*KINDS, *HARMLESS)):
        mine = [one for one in trials if one.kind == kind]
        if mine:
            cells = [sum(one.phase == phase for one in mine) or "" for phase in phases]
            counts = ", ".join(str(sum(one.count == count for one in mine)) for count in (1, 2, 4))
            longest = max((one.seconds for one in mine if one.seconds is not None), default=None)
            within = "it goes on" if longest is None else f"{longest:.1f} s"
            yield f"| {' | '.join(map(str, [kind, *cells, len(mine), counts, within]))} |"


def run(trials: int, first: int, folder: Path, say: Callable[[str], None] = print, processes: int = 0) -> Result:
    """Chains from a seed on until so many faults have struck."""
    references, result, seed = References(folder), Result([], []), first
    with references.ground.nursery:
        while len(result.trials) < trials:
            place = Path(tempfile.mkdtemp(prefix=f"chain_{seed}_", dir=folder))
            chain = Chain(seed, references, place, say, processes)
            try:
                chain.run(trials - len(result.trials))
            except AssertionError as wrong:
                result.failed.append(f"seed {seed}: {wrong}")
                say(result.failed[-1])
            result.trials.extend(chain.trials)
            shutil.rmtree(place)
            seed += 1
    return result


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=8, help="how many faults")
    parser.add_argument("--seed", type=int, default=0, help="of the first chain")
    parser.add_argument("--processes", type=int, default=0, help="of every start; 0: 1, 2 and 4")
    parser.add_argument("--folder", default="", help="where undisturbed runs and programs are kept for the next time")
    given = parser.parse_args()
    with contextlib.ExitStack() as opened:
        folder = Path(given.folder or opened.enter_context(tempfile.TemporaryDirectory())).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        trials, failed = run(given.trials, given.seed, folder, _say, given.processes)
        print("", *table(trials), sep="\n")
        print(f"\n{len(trials)} faults in {time.monotonic() - began:.0f} s, {len(failed)} chains wrong")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
