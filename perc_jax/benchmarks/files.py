"""Files of benchmarks: JSON, JSON lines and Parquet from a local folder, or downloaded from the Hugging Face hub.

pyarrow is needed for Parquet only, huggingface_hub for downloads only; both are imported when used.
"""

import contextlib
import functools
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from perc_jax.records import reading

IDS = ("pid", "sample_index", "id", "ID", "idx", "question_id", "index", "key")  # what benchmarks call a problem's name
SCALARS = (str, int, float, type(None))
SHOWN = 60  # characters of a wrong value


@runtime_checkable
class Readable(Protocol):
    """An encoded picture."""

    def read(self) -> bytes:
        """Give it. Raises `OSError` or `ValueError` if it is not there."""


class Image(NamedTuple):
    """One picture, read when asked for: a file of its own, or a cell of a Parquet file."""

    file: Path
    row: int = -1  # of a Parquet file; -1 if the file itself is the picture
    column: str = ""

    @property
    def name(self) -> str:
        """What a complaint calls it."""
        return str(self.file) if self.row < 0 else f"{self.file} row {self.row} {self.column}"

    def read(self) -> bytes:
        """Give the encoded picture (PNG, JPEG, …). Raises `OSError` if it is gone."""
        if self.row < 0:
            return reading.content(self.file)
        return picture(self.file, self.row, self.column)


def download(hub: str) -> Path:
    """Download a data set of the hub into its cache, with progress, and give the folder.

    Raises `FileNotFoundError`, with the hub's reason in one line, where it cannot be had.
    """
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return Path(huggingface_hub.snapshot_download(hub, repo_type="dataset"))
    except (OSError, ValueError, RuntimeError, errors.HTTPError) as error:  # RuntimeError: of the hub's Xet storage
        reason = str(error).strip().partition("\n")[0]
        raise FileNotFoundError(
            f"data set {hub} must be in a local folder or downloadable; the hub says: {type(error).__name__}: {reason}"
        ) from error


def find(folder: Path, *patterns: str) -> list[Path]:
    """Give the files of the first pattern that matches any, sorted by name; a file stands for itself.

    Raises `FileNotFoundError` for none.
    """
    for pattern in patterns:
        there = [folder] if folder.is_file() and folder.match(pattern) else folder.rglob(pattern)
        found = sorted(path for path in there if path.is_file())
        if found:
            return found
    raise FileNotFoundError(f"{folder} must hold a file {' or '.join(patterns)}, found none")


def read_json(file: Path, make: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Read a JSON file; `make` makes of its pairs each object, else `dict` does. Raises `ValueError` that names it."""
    text = reading.text(file)
    try:
        return json.loads(text, object_pairs_hook=make)
    except (ValueError, RecursionError) as error:  # bad JSON, brackets without an end
        raise ValueError(f"{file} must be JSON: {error}") from error


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read a file of JSON objects, one a line; empty lines are skipped. Raises `ValueError` that names the line."""
    rows = []
    for number, line in enumerate(reading.text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file} line {number} must be JSON: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"{file} line {number} must be a JSON object, got {line[:40]!r}")
        rows.append(row)
    return rows


class Row:
    """One row of a file: values by name, pictures that are read later.

    What gives a value asks for it: `ValueError` names file, row, the problem's id where it has one, field, rule, value.
    `within` is the field whose object the row is.
    """

    def __init__(
        self, values: Mapping[str, Any], file: Path, number: int, pictures: Mapping[str, Image], within: str = ""
    ):
        self.values, self.file, self.number, self.pictures, self.within = values, file, number, pictures, within
        self.where = f"{file} row {number}"
        if name := next((values[field] for field in IDS if isinstance(values.get(field), str | int)), ""):
            self.where += f" (problem {name})"

    def __getitem__(self, field: str) -> Any:
        if field not in self.values:
            raise ValueError(f"{self.where} must have the field {self.within + field!r}, got {sorted(self.values)}")
        return self.values[field]

    def get(self, field: str, default: Any = None) -> Any:
        """Give a field that may be absent."""
        return self.values.get(field, default)

    def text(self, field: str) -> str:
        """Give a field as text; an absent value (null) is the empty text."""
        found = self[field]
        if not isinstance(found, SCALARS):
            raise self._wrong(field, "must be text or a number")
        return "" if found is None else str(found)

    def filled(self, field: str) -> str:
        """Give a field as text that is not blank: an id, a gold answer."""
        text = self.text(field)
        if not text.strip():
            raise self._wrong(field, "must not be empty")
        return text

    def one_of(self, field: str, choices: Collection[str], of: str = "") -> str:
        """Give a field that is one of a few texts; `of` says where these come from."""
        text = self.text(field)
        if text not in choices:
            raise self._wrong(field, f"must be one of {', '.join(choices)}{of and f' ({of})'}")
        return text

    def either(self, *fields: str) -> str:
        """Give the name of the first of some fields that is there: files of one benchmark name them differently."""
        found = next((field for field in fields if field in self.values), None)
        if found is None:
            raise ValueError(
                f"{self.where} must have the field {' or '.join(map(repr, fields))}, got {sorted(self.values)}"
            )
        return found

    def finite(self, field: str) -> float:
        """Give a field as a finite number, which may be written as text."""
        text, value = self.text(field), math.nan
        with contextlib.suppress(ValueError):
            value = float(text)
        if not math.isfinite(value):
            raise self._wrong(field, "must be a number")
        return value

    def texts(self, field: str, least: int = 0) -> tuple[str, ...]:
        """Give a field that is a list of at least so many, as texts; null is the empty list."""
        found = self[field] if self[field] is not None else ()
        if not isinstance(found, list | tuple) or not all(isinstance(item, SCALARS) for item in found):
            raise self._wrong(field, "must be a list of texts")
        if len(found) < least:
            raise self._wrong(field, f"must have at least {least} entries")
        return tuple(str(item) for item in found)

    def inner(self, field: str) -> "Row":
        """Give a field that is an object of fields."""
        if not isinstance(self[field], Mapping):
            raise self._wrong(field, "must be an object")
        inside = Row(self[field], self.file, self.number, {}, f"{self.within}{field}.")
        inside.where = self.where
        return inside

    def _wrong(self, field: str, rule: str) -> ValueError:
        shown = repr(self.values[field])
        shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
        return ValueError(f"{self.where}: {self.within}{field} {rule}, got {shown}")

    def images(self, *fields: str, folder: Path | None = None, path: str = "") -> tuple[Image, ...]:
        """Give the pictures of columns in their order, or the file `path` below `folder` if it is there."""
        stored = tuple(self.pictures[field] for field in fields if field in self.pictures)
        if stored or folder is None or not path:
            return stored
        beside = self.file.parent
        candidates = (folder / path, folder / "images" / Path(path).name, beside / path, beside.parent / path)
        return next(((Image(file),) for file in candidates if file.is_file()), ())


def rows(folder: Path, *patterns: str) -> Iterator[Row]:
    """Read the rows of the first kind of file that is there, file after file.

    `.parquet` files; `.jsonl` files; `.json` files that hold a list of objects, or an object of objects (then the key
    is the field `key`). Raises `FileNotFoundError` or `ValueError` that names the file.
    """
    for file in find(folder, *patterns):
        if file.suffix == ".parquet":
            yield from _parquet(file)
            continue
        found = read_lines(file) if file.suffix == ".jsonl" else read_json(file)
        if isinstance(found, dict):
            found = [{"key": key, **value} if isinstance(value, dict) else value for key, value in found.items()]
        if not isinstance(found, list):
            raise ValueError(f"{file} must hold a list or an object of rows, got {type(found).__name__}")
        for number, values in enumerate(found):
            if not isinstance(values, dict):
                raise ValueError(f"{file} row {number} must be an object, got {str(values)[:40]}")
            yield Row(values, file, number, {})


def _parquet(file: Path) -> Iterator[Row]:
    """Rows of a Parquet file, without reading its pictures."""
    table, names = _open(file), []
    for field in table.schema_arrow:
        if _is_picture(field):
            names.append(field.name)
    columns = [name for name in table.schema_arrow.names if name not in names]
    number = 0
    for batch in table.iter_batches(columns=[*columns, *(f"{name}.path" for name in names)]):
        for values in batch.to_pylist():
            there = {name: Image(file, number, name) for name in names if values.pop(name, None) is not None}
            yield Row(values, file, number, there)
            number += 1


def _is_picture(field: Any) -> bool:
    """Whether a column is a struct {bytes, path}: how Hugging Face stores pictures."""
    kind = field.type
    return hasattr(kind, "get_field_index") and {kind.field(i).name for i in range(kind.num_fields)} >= {
        "bytes",
        "path",
    }


def _open(file: Path) -> Any:
    """A Parquet file. Raises `ValueError` for a bad one, and where pyarrow is not installed."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ValueError(f"{file} needs pyarrow: pip install 'perc_jax[eval]'") from error
    try:
        with reading.named(file):
            return parquet.ParquetFile(file)
    except arrow.ArrowInvalid as error:
        raise ValueError(f"{file} must be a Parquet file: {error}") from error


@functools.lru_cache(maxsize=8)  # a row group is read once for its neighbours, in each column of a row: MMMU has seven
def _row_group(file: Path, group: int, column: str) -> Any:
    return _open(file).read_row_group(group, columns=[f"{column}.bytes"])


def picture(file: Path, row: int, column: str) -> bytes:
    """Read the encoded picture in one cell of a Parquet file. Raises `ValueError` where there is none."""
    metadata = _open(file).metadata
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).num_rows
        if row < size:
            found = _row_group(file, group, column).column(0)[row].as_py()
            data = found.get("bytes") if isinstance(found, dict) else found
            if not data:
                raise ValueError(f"{file} column {column} must hold a picture in row {row}, got none")
            return data
        row -= size
    raise ValueError(f"{file} must have the row {row}, it ends before")
