"""What a run tells of its starts and its processes, for `perc_jax.status` to read from anywhere, without jax.

    <workdir>/attempts.json          [{"number", "began", "processes", "ended"}, …]: the starts that opened the run
    <workdir>/heartbeat/<rank>.json  where a process of the newest start is; last of all, how it ended

All files are written whole. Times are seconds since 1970, by the clock of the machine that wrote them. How a start
ended is what its processes said last; it goes into attempts.json when the next one begins. One that was killed says
nothing.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from etils import epath

from perc_jax.records.files import to_json, write_whole

FILE = "attempts.json"
FOLDER = "heartbeat"
READERS = 16  # files that are read at once: on gs:// each costs a request
UNHEARD = "no word of its end: it was killed, or its machine is gone"


class End(NamedTuple):
    """How a start, or one of its processes, ended."""

    code: int | None  # exit code (`processes/ends.py`); None: nobody lived to say it
    cause: str  # its last line
    time: float


class Attempt(NamedTuple):
    """One start of a run."""

    number: int  # from 1 on
    began: float
    processes: int
    ended: End | None = None  # None: it goes on, or nobody has looked since


class Beat(NamedTuple):
    """Where a process is."""

    attempt: int
    rank: int
    host: str
    time: float
    step: int = 0  # global steps done
    stage: str = ""
    stage_step: int = 0  # of them in this stage
    phase: str = ""
    phase_s: float = 0.0  # seconds in it
    step_s: float | None = None  # a step takes, all in all, over the last ones; None before two
    ended: End | None = None


def attempts(folder: epath.Path) -> list[Attempt]:
    """The starts of a run, oldest first; none where there is no file, or none that can be understood."""
    found = _read(folder / FILE)
    return [one for one in (_made(Attempt, entry) for entry in found) if one] if isinstance(found, list) else []


def next_number(folder: epath.Path) -> int:
    """The number of a start that begins now."""
    return max((one.number for one in attempts(folder)), default=0) + 1


def begin(folder: epath.Path, attempt: Attempt) -> None:
    """Enter a start, and how the one before it ended; for its first process to call. Raises `OSError`."""
    before = [one for one in attempts(folder) if one.number < attempt.number]
    if before and before[-1].ended is None:
        beats = beats_of(folder, before[-1])
        last = max([beat.time for beat in beats.values()], default=before[-1].began)
        before[-1] = before[-1]._replace(ended=ending(beats) or End(None, UNHEARD, last))
    write_whole(folder / FILE, to_json([_plain(one) for one in (*before, attempt)], indent=1))
    for file in _files(folder):
        if not file.stem.isdigit() or int(file.stem) >= attempt.processes:  # of a start with more processes
            file.unlink(missing_ok=True)


def write_beat(folder: epath.Path, beat: Beat) -> None:
    """Say where a process is. Raises `OSError`, on gs:// also what its library raises."""
    write_whole(folder / FOLDER / f"{beat.rank:04d}.json", to_json(_plain(beat)))


def beats_of(folder: epath.Path, attempt: Attempt) -> dict[int, Beat]:
    """The newest beat of each process of a start, by rank, as far as there is one."""
    with ThreadPoolExecutor(READERS) as pool:
        found = (_made(Beat, entry) for entry in pool.map(_read, _files(folder)))
    mine = [beat for beat in found if beat and beat.attempt == attempt.number and beat.rank < attempt.processes]
    return {beat.rank: beat for beat in sorted(mine, key=lambda beat: beat.rank)}


def ending(beats: Mapping[int, Beat]) -> End | None:
    """How a start ended, by the first of its processes that said so: each names the cause that ended all."""
    return next((beats[rank].ended for rank in sorted(beats) if beats[rank].ended), None)


def _files(folder: epath.Path) -> list[epath.Path]:
    beats = folder / FOLDER
    return sorted(file for file in beats.iterdir() if file.suffix == ".json") if beats.exists() else []


def _read(file: epath.Path) -> Any:
    """What a file of JSON says; nothing where it is not there or says nothing."""
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _plain(one: Attempt | Beat) -> dict[str, Any]:
    return one._asdict() | {"ended": one.ended and one.ended._asdict()}


def _made(kind: type, entry: Any) -> Any:
    """A record of a kind; None for what is none. Fields that another version knows besides are left out."""
    try:
        ended = End(**entry["ended"]) if entry.get("ended") else None
        return kind(**{name: value for name, value in entry.items() if name in kind._fields} | {"ended": ended})
    except (TypeError, AttributeError, KeyError):
        return None
