"""Arrow files as rows: what `datasets` saves, and what `parquet_rows` unpacks. They are mapped, not read.

A row's pages are let go of when its values are there: they stay in the system's cache, not in the process.

pyarrow is imported when the first is opened.
"""

import functools
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from perc_jax.data.tables.errors import Where
from perc_jax.data.tables.files import sampled_digest

MAPPED = 128  # files that a process keeps mapped, each with a file descriptor
FILE = b"ARROW1"  # what the file format begins with; the stream format has no such mark


@dataclass(frozen=True, eq=False)
class ArrowRows:
    """The rows of a local Arrow file, stream or file format; see `rows.Rows`."""

    file: str
    local: str
    digest: str
    count: int
    types: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Any]:
        return mapped(self.local, self.digest).row(number)

    def where(self, number: int) -> Where:
        """See `rows.Rows`."""
        return Where(self.file, number, "row")

    def columns(self) -> dict[str, str]:
        """See `rows.Rows`."""
        return dict(self.types)


class Mapped:
    """An Arrow file whose pages the system reads when a row is asked for. Raises `ValueError` for one that is none."""

    def __init__(self, path: str):
        pa = pyarrow()
        with open(path, "rb") as file:
            if not file.read(1):
                raise ValueError(f"{path} must be an Arrow file, got an empty file")
            self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        form = pa.ipc.open_file if self._pages[: len(FILE)] == FILE else pa.ipc.open_stream
        try:
            whole = form(pa.py_buffer(self._pages))
            self.schema = whole.schema
            self._batches = whole.read_all().to_batches()
        except (pa.ArrowInvalid, pa.ArrowSerializationError, OSError) as error:
            raise ValueError(f"{path} must be a sound Arrow file: {' '.join(str(error).split())}") from error
        self._stops: Int[np.ndarray, " batches"] = np.cumsum([len(batch) for batch in self._batches], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._stops[-1]) if len(self._stops) else 0

    def row(self, number: int) -> dict[str, Any]:
        """The values of a row."""
        batch = int(np.searchsorted(self._stops, number, side="right"))
        inside = int(number - (self._stops[batch - 1] if batch else 0))
        values = self._batches[batch].slice(inside, 1).to_pylist()[0]
        if hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)
        return values


@functools.lru_cache(MAPPED)
def mapped(path: str, digest: str) -> Mapped:
    """An Arrow file, mapped once per process; `digest` tells what is now at that path from what was."""
    return Mapped(path)


def open_arrow(file: str, local: str) -> ArrowRows:
    """Open an Arrow file. Raises `ValueError` for one that is none."""
    digest = sampled_digest(Path(local))
    found = mapped(local, digest)
    return ArrowRows(file, local, digest, len(found), types_of(file, found.schema))


def types_of(file: str, schema: Any) -> tuple[tuple[str, str], ...]:
    """Columns and their types. Raises `ValueError` for two of one name."""
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise ValueError(f"{file}: column {twice[0]} must be there once, got it {schema.names.count(twice[0])} times")
    return tuple((field.name, str(field.type)) for field in schema)


def pyarrow() -> Any:
    """The package. Raises `ValueError`, with the command that installs it, where it is not there."""
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ModuleNotFoundError as error:
        raise ValueError("tables in Parquet or Arrow need pyarrow: pip install 'perc_jax[tables]'") from error
    return pa
