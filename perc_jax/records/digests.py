"""Size and CRC-32 of every file of a folder, hashed by all processes of a run together.

A digest is `[bytes, crc32]`; digests go by the file's path relative to the folder.
"""

import json
import time
import zlib

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from perc_jax.records.files import write_whole

CHUNK_BYTES = 1 << 24  # read at a time
LIMIT_S = 4 * 3600  # for one process to wait for another: a slow disk is no reason to end a run
LOOK_S = 0.1  # between two looks for another's digests


def gather(folder: epath.Path, desk: epath.Path) -> dict[str, list[int]]:
    """Hash a folder that is complete; every process hashes its share.

    Nothing is exchanged over the devices, so this may run in a thread: the others leave their digests to process 0 in
    files on a desk, which must hold none at first.

    Returns:
        All digests in process 0, those of its own share in the others.

    Raises:
        TimeoutError: another process did not leave its digests.
    """
    names = _files(folder)
    rank, count = jax.process_index(), jax.process_count()
    share = {name: _digest(folder / name) for name in names[rank::count]}
    if rank > 0:
        write_whole(desk / f"digest_{rank}.json", json.dumps(share))
        return share
    until = time.monotonic() + LIMIT_S
    for other in range(1, count):
        theirs = desk / f"digest_{other}.json"
        while not theirs.exists():
            if time.monotonic() > until:
                raise TimeoutError(f"process {other} must hash its share of {folder} within {LIMIT_S} s")
            time.sleep(LOOK_S)
        share |= json.loads(theirs.read_text())
        theirs.unlink()
    return share


def first_bad(folder: epath.Path, digests: dict[str, list[int]]) -> str | None:
    """Name a file that is missing or differs from its digest; the processes share the work and agree on the verdict."""
    names = sorted(digests)
    bad = -1
    for index in range(jax.process_index(), len(names), jax.process_count()):
        try:
            sound = _digest(folder / names[index]) == digests[names[index]]
        except OSError:
            sound = False
        if not sound:
            bad = index
            break
    if jax.process_count() > 1:
        bad = int(np.max(multihost_utils.process_allgather(np.int32(bad))))
    return names[bad] if bad >= 0 else None


def _files(folder: epath.Path, prefix: str = "") -> list[str]:
    """Paths of all files below a folder, relative to it, sorted."""
    found = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        name = prefix + path.name
        found += _files(path, name + "/") if path.is_dir() else [name]
    return found


def _digest(path: epath.Path) -> list[int]:
    """Size in bytes and CRC-32 of a file."""
    size, crc = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return [size, crc]
