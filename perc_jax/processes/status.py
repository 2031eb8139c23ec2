"""How a run stands, read from its workdir alone, local or gs://: nothing of the run need live, and no jax is needed.

A process whose last beat is older than `SILENT_S` is silent: killed, its machine gone, or cut off from the workdir.
Beats have the time of the machine that wrote them, and are compared with that of the machine that looks.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from etils import epath

from perc_jax.records import attempts, commits
from perc_jax.records.attempts import Attempt, Beat, End
from perc_jax.records.files import absolute

SILENT_S = 60.0  # six beats
DONE, ENDED, RUNNING, SILENT, UNKNOWN = "done", "ended", "running", "silent", "unknown"
COLUMNS = ("process", "host", "step", "phase", "s/step", "last beat")
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Process(NamedTuple):
    """One process of the newest start."""

    rank: int
    beat: Beat | None  # None: it has written none
    age_s: float  # of its beat; without one, of the start
    silent: bool  # it should have written another by now


class Status(NamedTuple):
    """How a run stands."""

    workdir: str
    state: str  # done, ended (it can go on), running, silent (nobody lives), unknown (no start was noted)
    attempts: Sequence[Attempt]  # the newest last; its end as its processes have told it
    processes: Sequence[Process]
    step: int  # global steps done; of a run that does not live: those that its newest checkpoint keeps
    stage: str
    steps: int | None  # in all; None: its config does not say, or is not there
    steps_left: int | None
    seconds_left: float | None  # by the newest rate; None: not measured
    checkpoint: int | None  # step of the newest
    best: Mapping[str, Any] | None  # step, suite, accuracy of the best one

    @property
    def silent(self) -> list[Process]:
        """The processes of a run that lives of which nothing is heard."""
        return [one for one in self.processes if one.silent]

    @property
    def is_well(self) -> bool:
        """Whether nobody need look after the run: it is done, or goes on with all its processes."""
        return self.state == DONE or (self.state == RUNNING and not self.silent)


def look(workdir: str, now: float | None = None) -> Status:
    """Read how a run stands at a time (default: now).

    Raises `ValueError` for a folder that is no run's, `OSError` for one that cannot be read.
    """
    folder, now = absolute(workdir), time.time() if now is None else now
    starts, kept = attempts.attempts(folder), commits.steps(folder / "checkpoints")
    if not starts and not kept and not (folder / "config.json").exists():
        raise ValueError(f"{workdir} must be the workdir of a run: it has no attempts.json, config.json or checkpoints")
    beats = attempts.beats_of(folder, starts[-1]) if starts else {}
    if starts:
        starts[-1] = starts[-1]._replace(ended=starts[-1].ended or attempts.ending(beats))
    processes = list(_processes(starts[-1], beats, now)) if starts else []
    state = _state(starts, processes)
    first = next((beats[rank] for rank in sorted(beats)), None)
    step, stage, in_stage = _place(folder, kept, first, lives=state in (RUNNING, DONE))
    stages = _stages(folder)
    left = 0 if state == DONE else _left(stages, stage, in_stage)
    rate = next((beats[rank].step_s for rank in sorted(beats) if beats[rank].step_s), None)
    return Status(
        workdir=str(workdir),
        state=state,
        attempts=starts,
        processes=processes,
        step=step,
        stage=stage,
        steps=None if left is None else step + left,
        steps_left=left,
        seconds_left=0.0 if left == 0 else None if left is None or rate is None else left * rate,
        checkpoint=kept[-1] if kept else None,
        best=_best(folder),
    )


def _processes(start: Attempt, beats: Mapping[int, Beat], now: float) -> Iterator[Process]:
    for rank in range(start.processes):
        beat = beats.get(rank)
        age_s = max(0.0, now - (beat.time if beat else start.began))  # clocks may differ by seconds
        yield Process(rank, beat, age_s, silent=start.ended is None and age_s > SILENT_S)


def _state(starts: Sequence[Attempt], processes: Sequence[Process]) -> str:
    if not starts:
        return UNKNOWN
    if ended := starts[-1].ended:
        return DONE if ended.code == 0 else ENDED
    return SILENT if all(one.silent for one in processes) else RUNNING


def _place(folder: epath.Path, kept: Sequence[int], beat: Beat | None, *, lives: bool) -> tuple[int, str, int]:
    """Global steps, stage and steps in it: of a run that lives by its beat, else of what a start would go on from."""
    if lives and beat and beat.stage:
        return beat.step, beat.stage, beat.stage_step
    for step in reversed(kept):
        try:
            position = commits.read(folder / "checkpoints", step)["position"]
            return step, position["stage"], position["step"]
        except (commits.Damaged, KeyError, TypeError):
            continue
    return 0, "", 0


def _stages(folder: epath.Path) -> list[tuple[str, int]]:
    """Names and steps of the run's stages, by its config; none where that is not there."""
    try:
        return [
            (stage["name"], int(stage["steps"])) for stage in json.loads((folder / "config.json").read_text())["stages"]
        ]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def _best(folder: epath.Path) -> dict[str, Any] | None:
    """The best checkpoint; none where what marks it cannot be read."""
    with contextlib.suppress(ValueError):
        return commits.best(folder / "checkpoints")
    return None


def _left(stages: Sequence[tuple[str, int]], stage: str, done: int) -> int | None:
    """Steps that are left, where no stage ends early."""
    names = [name for name, _ in stages]
    if not stages or (stage and stage not in names):
        return None
    place = names.index(stage) if stage else 0
    return max(0, stages[place][1] - done) + sum(steps for _, steps in stages[place + 1 :])


def record(status: Status) -> dict[str, Any]:
    """The same for programs, JSON-ready."""

    def start(one: Attempt) -> dict[str, Any]:
        return one._asdict() | {"ended": one.ended and one.ended._asdict()}

    def process(one: Process) -> dict[str, Any]:
        fields = {name: None for name in Beat._fields} | {"rank": one.rank}
        if one.beat:
            fields = one.beat._asdict() | {"ended": one.beat.ended and one.beat.ended._asdict()}
        return fields | {"age_s": round(one.age_s, 1), "silent": one.silent}

    found = status._asdict() | {"attempts": [start(one) for one in status.attempts]}
    return found | {"processes": [process(one) for one in status.processes], "is_well": status.is_well}


def lines(status: Status) -> Iterator[str]:
    """The same for people."""
    yield f"{status.workdir}: {_headline(status)}"
    of = "" if status.steps is None else f" of {status.steps}"
    kept = "no checkpoint yet" if status.checkpoint is None else f"newest checkpoint: step {status.checkpoint}"
    best = f", best: step {status.best['step']}" if status.best else ""
    yield f"step {status.step}{of}{f' (stage {status.stage})' if status.stage else ''}; {kept}{best}"
    if status.steps_left:
        about = "no rate measured yet" if status.seconds_left is None else f"about {duration(status.seconds_left)}"
        yield f"left: {status.steps_left} steps, {about}"
    if status.processes:
        yield ""
        yield from _table([COLUMNS, *(_row(one) for one in status.processes)])
    if status.attempts:
        yield ""
        rows = [(str(one.number), moment(one.began), str(one.processes), _ended(one)) for one in status.attempts]
        newest = rows[-1]
        if not status.attempts[-1].ended:
            rows[-1] = (*newest[:3], status.state)
        yield from _table([("attempt", "began", "processes", "ended"), *rows])
    for one in status.silent:
        where = f" on {one.beat.host}, in phase {one.beat.phase or 'none'}" if one.beat else ", which has never beaten"
        yield f"silent: process {one.rank}{where}, for {duration(one.age_s)}"


def _headline(status: Status) -> str:
    if status.state == UNKNOWN:
        return "no start was noted; a version before this one may have run it"
    newest = status.attempts[-1]
    return f"{status.state}, attempt {newest.number} since {moment(newest.began)}"


def _ended(attempt: Attempt) -> str:
    ended = attempt.ended or End(None, "", 0.0)
    code = "" if ended.code is None else f"with code {ended.code}: "
    return f"{moment(ended.time)} {code}{ended.cause}"


def _row(process: Process) -> tuple[str, ...]:
    beat = process.beat
    if beat is None:
        return str(process.rank), "?", "", "", "", f"never{', silent' if process.silent else ''}"
    phase = f"{beat.phase} {duration(beat.phase_s)}" if beat.phase else ""
    rate = "" if beat.step_s is None else f"{beat.step_s:.3g}"
    state = ", silent" if process.silent else f", ended with code {beat.ended.code}" if beat.ended else ""
    return str(process.rank), beat.host, str(beat.step), phase, rate, f"{duration(process.age_s)} ago{state}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def moment(seconds: float) -> str:
    """A time by the clock of whoever looks: 2026-11-30 16:05:09."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """A duration in its two largest units: 7 s, 1 min 40 s, 3 h 20 min, 2 d 5 h."""
    left, words = round(seconds), []
    for size, unit in UNITS:
        if left >= size:
            words.append(f"{left // size} {unit}")
            left %= size
    return " ".join(words[:2]) or "0 s"
