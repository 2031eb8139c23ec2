"""Compiled programs kept between starts, in JAX's persistent cache.

JAX names what it keeps by the program, the compiler's options and flags, jaxlib's version and the backend's. Programs
for the CPU are machine code beside: one that was compiled on another processor may stop this one. So each combination
of versions, device and processor has a folder of its own (`kind`), and is never served what another one left.

On several hosts JAX writes on the first one alone; the others find what it wrote only in a folder that all share.
"""

import contextlib
import hashlib
import os
import platform
import time
import zlib
from importlib import metadata
from pathlib import Path

import jax
from etils import epath

from perc_jax.records.files import user_cache

NONE = "none"
UNREAD_DAYS = 30  # after which what nobody has read is removed
LEAST_S = 0.1  # of a compilation that is worth a file
ENTRIES = "jax*/jit_*-cache"  # by our folders' names and JAX's own: what else lies in a folder is not ours
FLAGS = ("flags", "Features", "model name")  # of /proc/cpuinfo: what a processor can do, on x86 and on ARM
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # first bytes of what it has compressed


def keep(folder: str) -> str:
    """Have JAX keep what it compiles from here on, and find what was kept; before this process compiles.

    Args:
        folder: local or gs://; empty: the one that JAX was given by its own variables, else one in the user's cache
            directory; `none`: nothing is kept.

    Returns where, or an empty text.

    Raises:
        ValueError: a folder that was named cannot be written to. Without a default folder nothing is kept.
    """
    if folder == NONE:
        jax.config.update("jax_compilation_cache_dir", None)
        return ""
    if not folder and jax.config.jax_compilation_cache_dir:
        return jax.config.jax_compilation_cache_dir
    where = epath.Path(folder or user_cache("programs")).expanduser() / kind()
    try:
        where.mkdir(parents=True, exist_ok=True)
        if is_local := "://" not in str(where):
            _check_writable(Path(where))
    except OSError as error:
        if folder:
            raise ValueError(f"cache must be a folder that can be written to, got {folder!r}: {error}") from error
        return ""
    if is_local:
        sweep(Path(where))
    jax.config.update("jax_compilation_cache_dir", str(where))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_S)
    return str(where)


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"no permission to write to {folder}")


def kind() -> str:
    """The name of a folder for this combination of versions, devices and, on a CPU, processor."""
    device = jax.devices()[0]
    facts = [jax.__version__, metadata.version("jaxlib"), device.client.platform_version, device.device_kind]
    facts += _processor() if device.platform == "cpu" else []
    words = f"{device.platform} {device.device_kind}".lower().split()
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    return "-".join([f"jax{jax.__version__}", *dict.fromkeys(words), digest])


def _processor(file: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Lines that tell processors apart for a compiler; where the system has no such file, what Python knows."""
    if not file.is_file():
        return [platform.machine(), platform.processor(), platform.platform()]
    lines = file.read_text(errors="replace").splitlines()
    return [platform.machine(), *sorted({line for line in lines if line.startswith(FLAGS)})]


def sweep(folder: Path) -> None:
    """Remove what a killed process has left half-written, and in the folders beside too what was not read for long.

    JAX would only warn of an entry that is cut off, at every start, and never write it anew.
    """
    oldest = time.time() - UNREAD_DAYS * 24 * 3600
    for file in folder.parent.glob(ENTRIES):
        with contextlib.suppress(OSError):  # another process may have been faster
            status = file.stat()
            is_old = max(status.st_atime, status.st_mtime) < oldest
            if is_old or (file.parent == folder and not _is_whole(file)):
                file.unlink()


def _is_whole(file: Path) -> bool:
    """Whether what JAX wrote can be read to its end; of what zlib has not compressed only that there is something."""
    content = file.read_bytes()
    if content.startswith(ZSTANDARD):
        return True
    stream = zlib.decompressobj()
    try:
        stream.decompress(content)
    except zlib.error:
        return False
    return stream.eof
