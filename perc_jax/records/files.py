"""Where files are, here or on gs://; files that are absent or complete, whenever the process that writes is killed."""

import contextlib
import errno
import importlib.util
import json
import math
import os
import re
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from etils import epath

STALE_S = 24 * 3600.0  # no file takes so long to be written: what is older is of a writer that was killed
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # with one slash it is a slip of the finger, not a folder's name
_PART = re.compile(r"\..+\.[0-9a-f]{32}\.part", re.DOTALL)  # a file that is being written, by whom
_swept: set[str] = set()  # folders that this process has written to


def absolute(path: str) -> epath.Path:
    """The path from the root on, `~` replaced; one on gs:// is so already.

    Raises `ValueError` for other schemes, and for gs:// where the package that it needs is not installed.
    """
    if _SCHEME.match(path) and not re.match("gs://[^/]", path):
        raise ValueError(f"{path} must be a local path or gs://BUCKET/…")
    if path.startswith("gs://") and importlib.util.find_spec("gcsfs") is None:
        raise ValueError(f"{path} needs gcsfs: pip install 'perc_jax[gcs]'")
    found = epath.Path(path).expanduser()
    return found if "://" in path else found.absolute()


def user_cache(name: str) -> Path:
    """A folder for what can be made again, in the user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "perc_jax" / name


def to_json(value: Any, **style: Any) -> str:
    """JSON of plain data; a number that is not finite is written as null, since JSON has no other word for it.

    `style` goes to `json.dumps`.
    """

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: plain(below) for name, below in part.items()}
        if isinstance(part, list | tuple):
            return [plain(below) for below in part]
        return None if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(value), allow_nan=False, **style)


def write_whole(path: epath.Path, text: str) -> None:
    """Write a text file in one indivisible act: rename on a local disk, a single object on gs://.

    Of several that write one file at once, processes or threads, the last one's stays. What a killed one has left
    beside it is removed by the first writing of a process into that folder once it is `STALE_S` old.

    Raises `OSError` if that cannot be; what the file held before is then intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if "://" in str(path):
        with named(path):
            path.write_text(text)
        return
    _sweep(str(path.parent))
    part = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
    try:
        with named(path):
            part.write_text(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def is_part(name: str) -> bool:
    """Whether a file of this name is one that `write_whole` has not finished."""
    return _PART.fullmatch(name) is not None


def _sweep(folder: str) -> None:
    """Remove what killed writers have left in a local folder, once in this process."""
    if folder in _swept:
        return
    _swept.add(folder)
    oldest = time.time() - STALE_S
    with contextlib.suppress(OSError):  # another process may have been faster; a folder need not be readable
        for entry in [entry for entry in os.scandir(folder) if is_part(entry.name)]:
            if entry.stat(follow_symlinks=False).st_mtime < oldest:
                os.unlink(entry.path)


class named(AbstractContextManager[None]):
    """Inside, an `OSError` that names no file gets this one's name: the system names none where a disk is full.

    On gs:// what its library raises when it gives up, which is its own affair, becomes one.
    """

    def __init__(self, path: epath.Path):
        self._path = path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        is_other = isinstance(error, Exception) and not isinstance(error, OSError | ValueError)
        if is_other and "://" in str(self._path):
            raise OSError(errno.EIO, str(error) or kind.__name__, str(self._path)) from error


class Harmless(AbstractContextManager[None]):
    """Inside, whatever fails is given to a function and ends nothing: for what is only looked at, and never needed.

    What gs:// raises is its library's affair, so all that is an `Exception` is meant.
    """

    def __init__(self, tell: Callable[[Exception], None]):
        self._tell = tell

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self._tell(error)
        return isinstance(error, Exception)
