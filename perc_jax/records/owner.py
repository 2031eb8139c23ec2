"""One run at a time on a workdir: `<workdir>/owner.json` says whose it is, on a local disk, a shared one or gs://.

    {"id", "host", "pid", "space", "began", "heartbeat", "beats"}

The owner writes it again every `BEAT_S` seconds and removes it at its end. A process that is killed leaves it behind:

- on the host it ran on, it is free at once: no process has that number and that beginning any more;
- for any other host, it is free when no beat has come for `STALE_S` seconds of watching. No two hosts' clocks are
  compared; the time of the heartbeat is for people. An owner that lives is recognised by its next beat.

Of two that begin at the same moment, a lock on the folder picks one; where there is none (gs://), the one whose file is
still there after `SETTLE_S`. An owner that was taken for dead (its machine slept) sees another's id and ends its run.
Of a run of several processes only the first asks; processes that do not know of each other are several runs.
"""

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
from etils import epath

from perc_jax.records.files import absolute, named, write_whole

FILE = "owner.json"
BEAT_S = 10.0
STALE_S = 60.0  # six beats
SETTLE_S = 2.0  # in which another's file, written at the same time, would be there
LOOK_S = 1.0  # between two looks at a file that may be a dead run's


class Owner:
    """A context manager: the workdir is this process's own inside.

    Args:
        workdir: local folder or `gs://…`; it is made.
        say: told that an owner is being watched, which takes up to `STALE_S`.
        beat_s, stale_s: as above.

    Raises (when entered):
        ValueError: another run has the workdir.
        OSError: its file cannot be written.
    """

    def __init__(
        self, workdir: str, say: Callable[[str], None] = print, *, beat_s: float = BEAT_S, stale_s: float = STALE_S
    ):
        self._folder, self._is_first = absolute(workdir), jax.process_index() == 0
        self._file, self._say, self._beat_s, self._stale_s = self._folder / FILE, say, beat_s, stale_s
        self._mine = {"id": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid(), "space": _space()}
        self._mine |= {"began": _beginning(os.getpid()), "beats": 0}
        self._end, self._thief = threading.Event(), ""
        self._thread = threading.Thread(target=self._beat, name="owner", daemon=True)

    def __enter__(self) -> "Owner":
        if self._is_first:
            self._take()
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_first:
            self._end.set()
            self._thread.join()
            if (_read(self._file) or {}).get("id") == self._mine["id"]:
                self._file.unlink(missing_ok=True)

    @property
    def token(self) -> int:
        """This owner by a number of 48 bits, which `token_in` finds where its workdir is seen."""
        return _token(self._mine)

    def raise_failure(self) -> None:
        """Raise `RuntimeError` if another run has taken the workdir meanwhile."""
        if self._thief:
            raise RuntimeError(self._thief)

    def _take(self) -> None:
        """Write the file, unless a run that lives has."""
        if "://" not in str(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        passed = None  # an owner that was watched and did not move
        while True:
            with _locked(self._folder) as is_exclusive:
                found = _read(self._file)
                if found is None or found == passed or _is_dead(found):
                    self._write()
                    break
            if _is_here(found):
                raise ValueError(self._taken(found))
            passed = self._watch(found)
        if not is_exclusive:
            time.sleep(SETTLE_S)
            found = _read(self._file) or {}
            if found.get("id") != self._mine["id"]:
                raise ValueError(self._taken(found))

    def _watch(self, owner: dict) -> dict:
        """Wait until a file would be a dead run's; gives it back. Raises `ValueError` at its owner's next beat."""
        self._say(f"{self._folder} may be in use by {_name(owner)}: looking for a sign of life, {self._stale_s:g} s")
        until = time.monotonic() + self._stale_s
        while time.monotonic() < until:
            time.sleep(min(LOOK_S, self._beat_s))
            found = _read(self._file)
            if found is not None and found != owner:
                raise ValueError(self._taken(found))
            if found is None:
                break
        return owner

    def _taken(self, owner: dict) -> str:
        return f"workdir {self._folder} must be of one run at a time, it is in use by {_name(owner)}"

    def _write(self) -> None:
        self._mine |= {"heartbeat": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "beats": self._mine["beats"] + 1}
        write_whole(self._file, json.dumps(self._mine))

    def _beat(self) -> None:
        while not self._end.wait(self._beat_s):
            # What goes wrong here (a full disk, a network that is gone) is for those to tell who write what matters.
            with contextlib.suppress(OSError):
                found = _read(self._file)
                if found is not None and found.get("id") != self._mine["id"]:
                    self._thief = f"workdir {self._folder} was taken over by {_name(found)} while this run stood still"
                    return
                if "://" in str(self._folder) or self._folder.exists():
                    self._write()


def token_in(workdir: str) -> int:
    """The token of the owner that a workdir has by its file; 0 without one. Raises `OSError` if it cannot be read."""
    return _token(_read(absolute(workdir) / FILE) or {})


def _token(owner: dict) -> int:
    return int(owner.get("id", "0")[:12], 16)


def _read(file: epath.Path) -> dict | None:
    """What an owner's file says; None where there is none, nothing where it cannot be understood."""
    try:
        with named(file):
            found = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _name(owner: dict) -> str:
    return (
        f"process {owner.get('pid', '?')} on {owner.get('host', '?')}, last heard of at {owner.get('heartbeat', '?')}"
    )


def _is_here(owner: dict) -> bool:
    """Whether its number names a process here: the same host, boot and, in containers, the same space of numbers."""
    return owner.get("host") == socket.gethostname() and owner.get("space") == _space()


def _is_dead(owner: dict) -> bool:
    """Whether it ran here and has ended."""
    return _is_here(owner) and _beginning(owner["pid"]) != owner["began"]


def _space() -> str:
    """What two processes share if one's number means the same to the other; empty where there is no /proc."""
    with contextlib.suppress(OSError):
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _beginning(pid: int) -> str:
    """When a process began, so that a number given anew is told from it; empty if it is no more."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return "" if state in "ZX" else fields[18]  # clock ticks since boot
    except OSError:
        pass
    if _space():
        return ""
    try:  # no /proc, as on macOS
        os.kill(pid, 0)
    except OSError:
        return ""
    return "?"


@contextlib.contextmanager
def _locked(folder: epath.Path) -> Iterator[bool]:
    """Be the only one inside, among processes of all hosts that share the folder; gives False where that cannot be."""
    if "://" in str(folder):
        yield False
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
        except OSError:  # some network file systems have no locks on folders
            yield False
        else:
            yield True
    finally:
        os.close(opened)
