"""A table of the user's own: rows by number, read from its files when they are asked for.

In: a `TableConfig`. Out: `Table`, of which `table[i]` is a `TableRow`. It holds where rows begin, not rows; it can be
pickled, and a worker process opens its files again. Nothing here knows tokens, buckets or rewards.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from perc_jax.config import TableConfig
from perc_jax.data.tables import cache, files, graded, row
from perc_jax.data.tables.arrow_rows import open_arrow
from perc_jax.data.tables.columns import Columns, recognise
from perc_jax.data.tables.errors import Where
from perc_jax.data.tables.json_rows import open_json
from perc_jax.data.tables.parquet_rows import open_parquet
from perc_jax.data.tables.row import TableRow
from perc_jax.data.tables.rows import Rows

SAMPLES = 64  # rows by which columns are recognised


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one or several files; `open_table` makes it."""

    config: TableConfig
    parts: tuple[Rows, ...]
    columns: Columns
    reading: str  # in words, what was recognised
    _stops: Int[np.ndarray, " parts"] = field(repr=False)  # the files' rows up to the end of each part
    _chosen: Int[np.ndarray, " rows"] | None = field(default=None, repr=False)  # which of them are rows; None: all

    @property
    def name(self) -> str:
        """What statistics call it."""
        return self.config.label

    def __len__(self) -> int:
        return int(self._stops[-1]) if self._chosen is None else len(self._chosen)

    def __getitem__(self, number: int) -> TableRow:
        """Read a row. Raises `ValueError` that names file, row, column, rule and value, `IndexError` beyond the end."""
        part, inside = self._place(number)
        root, where = self.config.root or part.file.rpartition("/")[0], part.where(inside)
        name = f"{self._called[part.file]}:{where.row}"
        return row.read(part[inside], self.columns, self.config, where, root, name)

    def samples(self) -> list[dict[str, Any]]:
        """The values of some rows: all over the table where each row has columns of its own, else of the first. One
        that cannot be read is left out, and complained of when it is drawn; raises `ValueError` if none can."""
        last = len(self) - 1 if not self.parts[0].columns() else min(SAMPLES, len(self)) - 1
        found, wrong = [], None
        for part, inside in map(self._place, sorted({int(number) for number in np.linspace(0, last, SAMPLES)})):
            try:
                found.append(part[inside])
            except ValueError as error:
                wrong = wrong or error
        if wrong and not found:
            raise wrong
        return found

    def having(self, column: str) -> Iterator[dict[str, Any]]:
        """The values of those rows of the files that have a column, of all files and up to the config's limit; their
        difficulty does not count. Rows that cannot be read are left out."""
        for part, begin, stop in zip(self.parts, (0, *self._stops[:-1]), self._stops, strict=True):
            yield from part.having(column, int(stop - begin))

    def where(self, number: int) -> Where:
        """The file and the row in it, as complaints say it."""
        part, inside = self._place(number)
        return part.where(inside)

    def names(self) -> list[str]:
        """A short name of each row, all different: the file's, with as many folders as tell the files apart, and the
        row in it."""
        return [f"{self._called[place.file]}:{place.row}" for place in map(self.where, range(len(self)))]

    @cached_property
    def _called(self) -> dict[str, str]:
        """The short names of the files."""
        split = {part.file: part.file.split("/") for part in self.parts}
        for kept in range(1, max(map(len, split.values())) + 1):
            called = {file: "/".join(names[-kept:]) for file, names in split.items()}
            if len(set(called.values())) == len(called):
                break
        return called

    def _place(self, number: int) -> tuple[Rows, int]:
        if not 0 <= number < len(self):
            raise IndexError(f"table {self.name} has rows 0 to {len(self) - 1}, got {number}")
        number = number if self._chosen is None else int(self._chosen[number])
        part = int(np.searchsorted(self._stops, number, side="right"))
        return self.parts[part], int(number - (self._stops[part - 1] if part else 0))

    @cached_property
    def _contents(self) -> dict[str, str]:
        """The digest of each file by its name, and of the rows chosen; the pictures that lie beside are not in it."""
        named: dict[str, str] = {}
        for part in self.parts:
            name = part.file.rpartition("/")[2]
            while name in named:  # of another folder
                name += "'"
            named[name] = part.digest
        if self._chosen is not None:
            rows = hashlib.sha256(self._chosen.tobytes()).hexdigest()[:16]
            named[f"{self.config.difficulty} rows of {self.config.grade.rpartition('/')[2]}"] = rows
        return named

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the files' names and contents, and of which rows are read and from which columns."""
        return _digest((*self._contents.items(), tuple(self.columns), self.config.limit))

    @cached_property
    def digests(self) -> dict[str, str]:
        """What the fingerprint is made of, by names that a complaint can say."""
        return self._contents | {"choice of columns": _digest(tuple(self.columns)), "limit": str(self.config.limit)}


def _digest(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two `Table.digests`, a line each; empty if nothing does."""
    lines = [f"{name} is gone" for name in before if name not in now]
    lines += [f"{name} is new" for name in now if name not in before]
    return lines + [f"{name} has changed" for name in now if name in before and before[name] != now[name]]


def open_table(config: TableConfig) -> Table:
    """Find a table's files, index them, and recognise its columns.

    Raises `ValueError` in one line: the file and, where one is wrong, row, column, rule and value;
    `FileNotFoundError` for a data set of the hub that cannot be had.
    """
    folder = cache.folder_of(config.cache)
    found = files.find(config.path, config.split)
    parts = tuple(_open(file, folder) for file in found)
    cache.prune(folder)
    _check_columns(parts)
    stops = np.cumsum([len(part) for part in parts])
    if config.limit:
        stops = np.minimum(stops, config.limit)
    if not stops[-1]:
        raise ValueError(f"table {config.path} must have a row, got none")
    whole = Table(config, parts, Columns("", "", "", "", ""), "", stops)
    columns, reading = recognise(config, samples := whole.samples(), whole.where(0), whole.having)
    if not parts[0].columns() and len(samples) < len(whole):
        reading += f" (of {len(samples)} rows all over it; each shows its own pictures, choices and system line)"
    table = Table(config, parts, columns, reading, stops)
    if config.difficulty == "all":
        return table
    rows = {name: number for number, name in enumerate(table.names())}
    chosen = graded.rows_of(config.grade, config.difficulty, rows, table.fingerprint)
    return dataclasses.replace(table, _chosen=chosen)


def _open(file: Any, folder: Path) -> Rows:
    """Open a file by its form."""
    try:
        match files.FORMS[file.suffix]:
            case "json":
                return open_json(str(file), cache.local_copy(file, folder))
            case "arrow":
                return open_arrow(str(file), cache.local_copy(file, folder))
        return open_parquet(file, folder)
    except OSError as error:
        raise ValueError(f"table {file} must be readable, got {error.strerror or error}") from error


def _check_columns(parts: tuple[Rows, ...]) -> None:
    """Raise `ValueError` where a file has not the columns of the first, or has them in other types."""
    first = parts[0].columns()
    for part in parts[1:]:
        own = part.columns()
        for name in sorted(first.keys() | own.keys()):
            if first.get(name) != own.get(name):
                raise ValueError(
                    f"{part.file}: column {name} must be as in {parts[0].file}, {first.get(name, 'absent')}, "
                    f"got {own.get(name, 'absent')}"
                )
