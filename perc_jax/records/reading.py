"""Whole files that a user gave, read so that whatever is wrong is said of the file.

The system names a file that it cannot open, but not one whose reading fails later: a bad disk, a stale network mount.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from etils import epath


def text(file: Path | epath.Path) -> str:
    """Text in UTF-8. Raises `OSError` or `ValueError` that names the file."""
    with named(file):
        return file.read_text(encoding="utf-8") if isinstance(file, Path) else file.read_text()


def content(file: Path | epath.Path) -> bytes:
    """Bytes. Raises `OSError` that names the file."""
    with named(file):
        return file.read_bytes()


@contextlib.contextmanager
def named(file: Path | epath.Path | str) -> Iterator[None]:
    """Inside, what goes wrong in reading a file is said of that file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} must be UTF-8 text: {error}") from error
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(file)) from error
        raise
