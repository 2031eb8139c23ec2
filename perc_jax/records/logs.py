"""What the processes of a run said on their screens, start by start.

    <workdir>/logs/<attempt>-<rank>.log           on a disk: one file, to which lines are added
    <workdir>/logs/<attempt>-<rank>.<part>.log    on gs://, where nothing can be added: parts of at most `PART` lines

A process that says nothing on its screen keeps its lines all the same: those of the host that failed are the ones that
are looked for.
"""

import threading
import time

from etils import epath

from perc_jax.records.files import write_whole

FOLDER = "logs"
PART = 1000  # lines; the newest part is written anew each time


class Log:
    """The lines of one process in one start of a run. `add` only remembers, from any thread; `write` writes.

    Args:
        folder: the run's workdir, local or `gs://…`.
        attempt: number of the start, from 1 on.
        rank: of the process.
    """

    def __init__(self, folder: epath.Path, attempt: int, rank: int):
        self._folder, self._name = folder / FOLDER, f"{attempt:04d}-{rank:04d}"
        self._is_remote = "://" in str(folder)
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._part: list[str] = []  # lines of the newest part, on gs://
        self._number = 0  # of that part

    def add(self, text: str) -> None:
        """Remember what was said, with the time."""
        with self._lock:
            self._waiting += [f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n" for line in text.splitlines()]

    def write(self) -> None:
        """Write what was added since; for one thread to call. Raises `OSError`, on gs:// also what its library raises;
        then the lines are kept for the next time."""
        with self._lock:
            waiting = list(self._waiting)
        if not waiting:
            return
        if self._is_remote:
            self._write_parts(waiting)
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"{self._name}.log").open("a") as file:
                file.write("".join(waiting))
        with self._lock:
            del self._waiting[: len(waiting)]

    def _write_parts(self, lines: list[str]) -> None:
        lines = self._part + lines
        parts = [lines[first : first + PART] for first in range(0, len(lines), PART)]
        for number, part in enumerate(parts, self._number):
            write_whole(self._folder / f"{self._name}.{number:03d}.log", "".join(part))
        self._part, self._number = parts[-1], self._number + len(parts) - 1
