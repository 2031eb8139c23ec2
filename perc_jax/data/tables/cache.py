"""The cache folder of tables: what is unpacked or copied of a table's file, which processes use it, and when it goes.

    <cache>/<digest>/…          an entry, for one content of a file: row groups as Arrow files, or a copy of the file
    <cache>/<digest>/source     path of that file; its time is when a process last began to use the entry
    <cache>/.users/<id>@<host>  entries that a process uses, a line each; the process locks it for as long as it lives
    <cache>/.lock               held while the above is changed

When a table is opened, entries go that nobody uses: those of its own files' former contents, and those that nobody has
begun to use for `KEPT_S`. No entry goes while a process lives that has begun to use it. Of another host's process only
its lock would tell, and not every shared disk passes locks on: it also counts as living for `KEPT_S`.

Files of an entry are absent or complete; what a process that was killed has left half-way goes with the next opening.
Where the folder cannot be written, or knows no locks, nothing goes.
"""

import contextlib
import fcntl
import functools
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perc_jax.data.tables.files import check_same, sampled_digest
from perc_jax.records.files import user_cache

KEPT_S = 30 * 24 * 3600.0
SOURCE, USERS, LOCK, GONE, PART = "source", ".users", ".lock", ".gone.", ".part."
_ENTRY = re.compile(r"[0-9a-f]{32}")


def folder_of(name: str) -> Path:
    """The cache folder: as named, or in the user's cache."""
    return Path(name).expanduser() if name else user_cache("tables")


def use(folder: Path, digest: str, source: str) -> Path:
    """The entry of a file's content, which stays from now on for as long as this process lives.

    Args:
        folder: the cache.
        digest: of the content.
        source: path of the file.
    """
    entry = folder / digest[:32]
    with contextlib.suppress(OSError):  # what cannot be written may still be read, and of what is full others tell
        _begin(entry, source)
    return entry


def local_copy(file: Any, folder: Path) -> str:
    """The path of a file that is here; of one that is not, of its copy, made once for each content."""
    if "://" not in str(file):
        return str(file)
    digest = sampled_digest(file)
    copy = use(folder, digest, str(file)) / f"copy{file.suffix}"
    if not copy.exists():
        with whole(copy) as part, file.open("rb") as source, part.open("w+b") as target:
            while block := source.read(2**24):
                target.write(block)
            check_same(target, str(file), digest)
    return str(copy)


@contextlib.contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Where to write a file of an entry: it becomes `target` at a good end, of two processes' the last one's."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{PART}{uuid.uuid4().hex}.{_name(target.parent.parent)}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def prune(folder: Path) -> None:
    """Remove what nobody uses and is out of date, and what was left half-way; see above."""
    if not folder.is_dir():
        return
    with contextlib.suppress(OSError):
        with _locked(folder):
            living = _living(folder)
            used, mine = set().union(*living.values()), _user(folder).contents
            for entry in (path for path in folder.iterdir() if _ENTRY.fullmatch(path.name)):
                for part in entry.glob(f"{PART}*"):
                    if not part.name.endswith(tuple(living)):
                        part.unlink(missing_ok=True)
                if entry.name not in used and _is_old(entry, mine):
                    entry.rename(folder / f"{GONE}{uuid.uuid4().hex}")  # at once, while deleting may take seconds
        for gone in folder.glob(f"{GONE}*"):
            shutil.rmtree(gone, ignore_errors=True)  # another process may be at it


def _is_old(entry: Path, contents: dict[str, str]) -> bool:
    """Whether an entry's file has another content by now, or nobody has begun to use the entry for long."""
    source = entry / SOURCE
    try:
        return contents.get(source.read_text(), entry.name) != entry.name or _age_s(source) > KEPT_S
    except FileNotFoundError:  # no entry of ours
        return False


def _age_s(file: Path) -> float:
    return time.time() - file.stat().st_mtime


class _User:
    """This process among those that use a cache folder. Made while the folder is locked."""

    def __init__(self, folder: Path):
        (folder / USERS).mkdir(exist_ok=True)
        self.name = f"{uuid.uuid4().hex}@{socket.gethostname()}"
        self.contents: dict[str, str] = {}  # the entry of each file as it was opened last
        self._file = os.open(folder / USERS / self.name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)  # until it ends
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def begin(self, entry: Path, source: str) -> None:
        """Note an entry as used."""
        os.write(self._file, f"{entry.name}\n".encode())
        entry.mkdir(exist_ok=True)
        (entry / SOURCE).write_text(source)
        self.contents[source] = entry.name


_user = functools.cache(_User)  # one for each folder, until this process ends


@functools.cache  # once in a process
def _begin(entry: Path, source: str) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    with _locked(entry.parent):
        _user(entry.parent).begin(entry, source)


def _name(folder: Path) -> str:
    """What this process is called in a folder; empty where it cannot be noted."""
    with contextlib.suppress(OSError), _locked(folder):
        return _user(folder).name
    return ""


def _living(folder: Path) -> dict[str, set[str]]:
    """The entries that living processes use, by the name of each; what is known of others is removed."""
    found = {}
    for file in (folder / USERS).iterdir():
        if file.name == _user(folder).name or not _is_dead(file):
            found[file.name] = set(file.read_text().split())
        else:
            file.unlink(missing_ok=True)
    return found


def _is_dead(user: Path) -> bool:
    """Whether a process has ended. For others than this one, whose lock a disk may take for given to it already."""
    if user.name.partition("@")[2] != socket.gethostname() and _age_s(user) < KEPT_S:
        return False
    with user.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only one inside, among processes and threads. Raises `OSError` where that cannot be."""
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # a process that was forked meanwhile has the file open too
