"""Parquet files as rows. Parquet is read by row groups, training asks for rows in any order: what is asked for is
unpacked once, group by group, into Arrow files in a cache folder, which all processes of the machine map.

So a row costs no more than its own bytes, however large its group is, and memory stays that of a few rows. The cache
takes up to the table's size on disk, unpacked (pictures are packed already), as that of `datasets` does.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from perc_jax.data.tables import cache
from perc_jax.data.tables.arrow_rows import having, mapped, pyarrow, types_of
from perc_jax.data.tables.errors import Where
from perc_jax.data.tables.files import check_same, sampled_digest
from perc_jax.records.files import absolute

BATCH_BYTES = 8 * 2**20  # of a row group that is being unpacked, in memory at a time
MOST_ROWS = 4096  # of them; texts may be many times as long unpacked as dictionaries say
OPEN = 8  # Parquet files that a process keeps open


@dataclass(frozen=True, eq=False)
class ParquetRows:
    """The rows of a Parquet file; see `rows.Rows`."""

    file: str
    digest: str
    stops: Int[np.ndarray, " groups"]  # rows up to the end of each row group
    types: tuple[tuple[str, str], ...]
    folder: Path  # the cache

    def __len__(self) -> int:
        return int(self.stops[-1]) if len(self.stops) else 0

    def __getitem__(self, number: int) -> dict[str, Any]:
        group = int(np.searchsorted(self.stops, number, side="right"))
        unpacked = cache.use(self.folder, self.digest, self.file) / f"{group}.arrow"
        if not unpacked.exists():
            self._unpack(group, unpacked, number)
        return mapped(str(unpacked), self.digest).row(int(number - (self.stops[group - 1] if group else 0)))

    def where(self, number: int) -> Where:
        """See `rows.Rows`."""
        return Where(self.file, number, "row")

    def having(self, column: str, count: int) -> Iterator[dict[str, Any]]:
        """See `rows.Rows`."""
        return having(self, column, count)

    def columns(self) -> dict[str, str]:
        """See `rows.Rows`."""
        return dict(self.types)

    def _unpack(self, group: int, target: Path, number: int) -> None:
        """Write a row group as an Arrow file, a few rows at a time."""
        pa = pyarrow()
        try:
            source = _parquet(self.file, self.digest)
            about = source.metadata.row_group(group)
            rows = max(1, about.num_rows * BATCH_BYTES // max(1, about.total_byte_size))
            with (
                cache.whole(target) as part,
                pa.OSFile(str(part), "wb") as sink,
                pa.ipc.new_stream(sink, source.schema_arrow) as writer,
            ):
                for batch in source.iter_batches(min(rows, MOST_ROWS), row_groups=[group]):
                    writer.write_batch(batch)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{self.where(number)} must be sound Parquet: {' '.join(str(error).split())}") from error
        except OSError as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.where(number)}: row group {group} must be readable and fit {target.parent}: {reason}"
            ) from error


@functools.lru_cache(OPEN)
def _parquet(file: str, digest: str) -> Any:
    """A Parquet file, here or on gs://, opened once per process and content.

    What is unpacked from it is kept under the digest, so the content must be that of the file that is open.
    """
    from pyarrow import parquet

    opened = absolute(file).open("rb") if "://" in file else pyarrow().OSFile(file)
    check_same(opened, file, digest)
    opened.seek(0)
    return parquet.ParquetFile(opened)


def open_parquet(file: Any, folder: Path) -> ParquetRows:
    """Open a Parquet file. Raises `ValueError` for one that is none."""
    pa = pyarrow()
    digest = sampled_digest(file)
    try:
        found = _parquet(str(file), digest)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file} must be a Parquet file: {' '.join(str(error).split())}") from error
    groups = [found.metadata.row_group(number).num_rows for number in range(found.metadata.num_row_groups)]
    stops = np.cumsum(groups, dtype=np.int64)
    cache.use(folder, digest, str(file))
    return ParquetRows(str(file), digest, stops, types_of(str(file), found.schema_arrow), folder)
