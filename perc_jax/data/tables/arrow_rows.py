"""Arrow files as rows: what `datasets` saves, and what `parquet_rows` unpacks. They are mapped, not read.

A row's pages are let go of when its values are there: they stay in the system's cache, not in the process.

pyarrow is imported when the first is opened.
"""

import contextlib
import functools
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from perc_jax.data.tables.errors import Where
from perc_jax.data.tables.files import sampled_digest

MAPPED = 128  # files that a process keeps mapped, each with a file descriptor
NARROW = {"float": np.float32, "halffloat": np.float16}  # Arrow's names of floats of less than 64 bits
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

    def having(self, column: str, count: int) -> Iterator[dict[str, Any]]:
        """See `rows.Rows`."""
        return having(self, column, count)

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
        self._narrow = {field.name: field.type for field in self.schema if _is_narrow(field.type)}
        self._stops: Int[np.ndarray, " batches"] = np.cumsum([len(batch) for batch in self._batches], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._stops[-1]) if len(self._stops) else 0

    def row(self, number: int) -> dict[str, Any]:
        """The values of a row; a float of 16 or 32 bits is the number that its own shortest digits write."""
        batch = int(np.searchsorted(self._stops, number, side="right"))
        inside = int(number - (self._stops[batch - 1] if batch else 0))
        values = self._batches[batch].slice(inside, 1).to_pylist()[0]
        if hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)
        return values | {name: _by_digits(values[name], kind) for name, kind in self._narrow.items()}


def _is_narrow(kind: Any) -> bool:
    """Whether an Arrow type is or holds floats of less than 64 bits."""
    if str(kind) in NARROW:
        return True
    inner = [getattr(kind, name, None) for name in ("value_type", "key_type", "item_type", "storage_type")]
    fields = [kind.field(number).type for number in range(kind.num_fields)] if str(kind).startswith("struct") else []
    return any(_is_narrow(one) for one in (*inner, *fields) if one is not None)


def _by_digits(value: Any, kind: Any) -> Any:
    """A value of an Arrow type with its narrow floats by their digits: 0.1 of 32 bits is 0.1, not 0.10000000149."""
    if value is None:
        return None
    if str(kind) in NARROW:
        return float(str(NARROW[str(kind)](value)))
    if hasattr(kind, "storage_type"):
        return _by_digits(value, kind.storage_type)
    if isinstance(value, dict):
        return {name: _by_digits(one, kind.field(name).type) for name, one in value.items()}
    inner = getattr(kind, "value_type", None)
    if hasattr(kind, "item_type"):  # a map: pairs
        return [(_by_digits(key, kind.key_type), _by_digits(one, kind.item_type)) for key, one in value]
    if isinstance(value, list):
        return [_by_digits(one, inner) for one in value]
    return value if inner is None else _by_digits(value, inner)


@functools.lru_cache(MAPPED)
def mapped(path: str, digest: str) -> Mapped:
    """An Arrow file, mapped once per process; `digest` tells what is now at that path from what was."""
    return Mapped(path)


def having(rows: Any, column: str, count: int) -> Iterator[dict[str, Any]]:
    """The first rows of a file whose rows all have the same columns, if a column is one of them; see `rows.Rows`."""
    for number in range(min(count, len(rows)) if column in rows.columns() else 0):
        with contextlib.suppress(ValueError):
            yield rows[number]


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
