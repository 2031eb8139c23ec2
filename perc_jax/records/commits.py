"""What a run has committed, read and written without jax: its checkpoints' records, and which of them is meant.

    <workdir>/checkpoints/<step>/commit.json   see `checkpoint.py`; a folder without it is no checkpoint
    <workdir>/checkpoints/best.json            {"step", "suite", "accuracy"}: this one stays, whatever is newer

A checkpoint is named after its run: `RUN` is the newest, `RUN@12` that of step 12, `RUN@best` the best.
"""

import json
import re
import zlib
from typing import Any, NamedTuple

from etils import epath

from perc_jax.records.files import absolute, write_whole

COMMIT = "commit.json"
BEST = "best.json"
NAMED = re.compile(r"(.+)@(\d+|best)")


class Damaged(Exception):
    """A checkpoint that was committed but does not read back as it was written."""


class Choice(NamedTuple):
    """A checkpoint by its name."""

    workdir: str
    which: str = ""  # a step, `best`, or nothing: the newest

    @property
    def folder(self) -> epath.Path:
        """The folder of the run's checkpoints."""
        return absolute(self.workdir) / "checkpoints"

    def steps(self) -> list[int]:
        """The steps that it may be, oldest first: all that are there, or the one; nothing if the run has none.

        Raises `ValueError` if the run has others, but not this one.
        """
        there = steps(self.folder)
        if not self.which or not there:
            return there
        step = (best(self.folder) or {}).get("step") if self.which == "best" else int(self.which)
        if step in there:
            return [step]
        kept = ", ".join(map(str, there))
        if self.which == "best":
            raise ValueError(f"{self.workdir} must have a best checkpoint (checkpoint.best), it has steps {kept}")
        raise ValueError(f"{self.workdir} must have a checkpoint of step {step}, it has steps {kept}")


def named(name: str) -> Choice:
    """The checkpoint that a name means; a folder whose own name ends so is a run's workdir."""
    found = NAMED.fullmatch(name)
    return Choice(found[1], found[2]) if found and not Choice(name).folder.exists() else Choice(name)


def numbered(folder: epath.Path) -> list[int]:
    """Folders named by a step, in order, committed or not; none before the first save."""
    if not folder.exists():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def steps(folder: epath.Path) -> list[int]:
    """Steps of the committed checkpoints, oldest first."""
    return [step for step in numbered(folder) if (folder / str(step) / COMMIT).exists()]


def read(folder: epath.Path, step: int) -> dict[str, Any]:
    """Read and check the record of a checkpoint. Raises `Damaged`."""
    try:
        record = json.loads((folder / str(step) / COMMIT).read_text())
        stored = record.pop("crc32")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise Damaged(f"{COMMIT} is not readable") from error
    if stored != zlib.crc32(canonical(record)):
        raise Damaged(f"{COMMIT} has changed since it was written")
    position = record["position"]
    if isinstance(position.get("stage"), int):  # an older layout: the stage's place in the list
        position["stage"] = record["config"]["stages"][position["stage"]]["name"]
    return record


def write(folder: epath.Path, step: int, record: dict[str, Any]) -> None:
    """Commit a checkpoint, in one indivisible act."""
    write_whole(folder / str(step) / COMMIT, json.dumps(record | {"crc32": zlib.crc32(canonical(record))}))


def best(folder: epath.Path) -> dict[str, Any] | None:
    """What `best.json` says; None without it."""
    file = folder / BEST
    return json.loads(file.read_text()) if file.exists() else None


def mark_best(folder: epath.Path, record: dict[str, Any] | None) -> None:
    """Write `best.json`, or remove it."""
    if record is None:
        (folder / BEST).unlink(missing_ok=True)
    else:
        write_whole(folder / BEST, json.dumps(record))


def canonical(record: dict[str, Any]) -> bytes:
    """Bytes that depend on a JSON value only, not on its spacing or order of keys."""
    return json.dumps(record, sort_keys=True).encode()
