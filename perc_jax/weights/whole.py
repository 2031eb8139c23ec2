"""A folder that is there with all its files, or not at all.

What is written lies in a folder of its own beside the one that is asked for, or within it where that is there already:
an empty folder may be a mount point, which nothing can take the place of. A lock on it says that its writer lives;
what a killed one has left is removed by the next that writes to the same place.
"""

import contextlib
import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from etils import epath

from perc_jax.records.files import STALE_S

LOCKED_S = 10.0  # in which whoever makes such a folder has locked it


def is_free(target: epath.Path) -> bool:
    """Whether a folder can be written there: it does not exist, or it is one that is empty. Links are followed."""
    if "://" not in str(target) and target.is_dir():
        _sweep(Path(os.path.realpath(target)), target)
    return not target.exists() or (target.is_dir() and not any(target.iterdir()))


@contextlib.contextmanager
def written(target: epath.Path, last: str) -> Iterator[epath.Path]:
    """A folder to write files into that are those of `target` if all goes well, and are removed if not.

    Where `target` is a folder that exists, the file named `last` is the last to appear in it; so it is on gs://, where
    nothing can be renamed, if it is written last.
    """
    if "://" in str(target):
        target.mkdir(parents=True, exist_ok=True)
        yield target
        return
    there = Path(os.path.realpath(target))
    is_there = there.exists()
    with _part(there if is_there else there.parent, there) as part:
        yield epath.Path(part)
        if not is_there:
            os.replace(part, there)
        for name in sorted(os.listdir(part), key=lambda name: name == last) if is_there else ():
            os.replace(part / name, there / name)


@contextlib.contextmanager
def _part(home: Path, target: Path) -> Iterator[Path]:
    """A locked folder in `home`, which is gone at the end whatever is left in it."""
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home, target)
    part = home / f".{target.name}.{uuid.uuid4().hex}.part"
    part.mkdir()
    held = os.open(part, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks on folders
            fcntl.flock(held, fcntl.LOCK_EX)
        yield part
    finally:
        os.close(held)
        if part.exists():
            shutil.rmtree(part)


def _sweep(home: Path, target: os.PathLike[str]) -> None:
    """Remove what killed writers of `target` have left."""
    name = re.escape(os.path.basename(os.path.realpath(target)))
    with contextlib.suppress(OSError):  # another may have been faster; a folder need not be readable
        for entry in list(os.scandir(home)):
            if re.fullmatch(rf"\.{name}\.[0-9a-f]{{32}}\.part", entry.name) and _is_dead(entry.path):
                shutil.rmtree(entry.path)


def _is_dead(part: str) -> bool:
    """Whether the writer of a folder is gone."""
    age_s = time.time() - os.stat(part).st_mtime
    held = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return age_s > STALE_S
    finally:
        os.close(held)
    return age_s > LOCKED_S
