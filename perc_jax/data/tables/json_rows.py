"""JSON files as rows: one object a line, or a list of objects. An index says where each begins, made by one scan.

The index is three int64 arrays, 24 bytes a row; the scan keeps one block of the file in memory, or maps it.
"""

import contextlib
import hashlib
import json
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from perc_jax.data.tables.errors import Where, short

BLOCK_BYTES = 4 * 2**20  # of a file in memory at a time
BOM = b"\xef\xbb\xbf"
SPACES = b" \t\r\n"
# What has to do with the structure of JSON: whole texts, brackets, commas. A text without an end is a quote alone.
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|"|[\[\]{},]', re.DOTALL)
_FILLED = re.compile(rb"[^ \t\r\n]")


@dataclass(frozen=True, eq=False)
class JsonRows:
    """The rows of a local JSON file; see `rows.Rows`."""

    file: str
    local: str  # path of the file, or of its copy here
    digest: str
    starts: Int[np.ndarray, " n"]  # bytes
    ends: Int[np.ndarray, " n"]
    numbers: Int[np.ndarray, " n"]  # lines from 1 on, rows of a list from 0 on
    unit: str  # line or row

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> dict[str, Any]:
        with open(self.local, "rb") as file:
            file.seek(self.starts[number])
            text = file.read(self.ends[number] - self.starts[number])
        try:
            found = json.loads(text.decode("utf-8"), object_pairs_hook=_distinct)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.where(number)} must be UTF-8 text: {error.reason} at byte {error.start}"
            ) from error
        except (ValueError, RecursionError) as error:  # bad JSON, brackets without an end
            raise ValueError(f"{self.where(number)} must be JSON: {error}") from error
        if not isinstance(found, dict):
            raise ValueError(f"{self.where(number)} must be a JSON object, got {short(found)}")
        return found

    def where(self, number: int) -> Where:
        """See `rows.Rows`."""
        return Where(self.file, int(self.numbers[number]), self.unit)

    def having(self, column: str, count: int) -> Iterator[dict[str, Any]]:
        """See `rows.Rows`. Only rows in whose text the name stands as JSON writes it are read."""
        marks = {json.dumps(column, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for ascii_only in (0, 1)}
        named = re.compile(b"|".join(re.escape(mark) for mark in sorted(marks)))
        with open(self.local, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
            place = 0
            while found := named.search(text, place):
                place = found.end()
                number = int(np.searchsorted(self.starts, found.start(), side="right")) - 1
                if number >= count:
                    return
                if number < 0 or found.start() >= self.ends[number]:
                    continue
                place = int(self.ends[number])
                with contextlib.suppress(ValueError):
                    values = self[number]
                    if column in values:
                        yield values

    def columns(self) -> dict[str, str]:
        """See `rows.Rows`."""
        return {}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises `ValueError` for a name that it holds twice, of which `json` would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} stands in it twice")
    return found


def open_json(file: str, local: str) -> JsonRows:
    """Index a JSON file, by its first character a list or lines. Raises `ValueError` for one that is neither."""
    with open(local, "rb") as opened:
        first = opened.read(BLOCK_BYTES).removeprefix(BOM).lstrip(SPACES)[:1]
    if first not in (b"[", b"{"):
        found = short(first.decode("utf-8", "replace")) if first else "an empty file"
        raise ValueError(f"{file} must hold JSON objects, one a line or in a list, got {found}")
    digest, spans = _lines(local) if first == b"{" else _list(file, local)
    starts, ends, numbers = spans
    return JsonRows(file, local, digest, starts, ends, numbers, "line" if first == b"{" else "row")


Spans = tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"], Int[np.ndarray, " n"]]


def _lines(local: str) -> tuple[str, Spans]:
    """Digest, and the lines that are not empty."""
    breaks, place, found = [], 0, hashlib.sha256()
    firsts, begins = [np.frombuffer(SPACES[:1], np.uint8)], 0  # first bytes of lines, that of the first left open
    with open(local, "rb") as file:
        skipped = len(BOM) if file.read(len(BOM)) == BOM else 0
        file.seek(0)
        while block := file.read(BLOCK_BYTES):
            found.update(block)
            content = np.frombuffer(block, np.uint8)
            ends_here = np.flatnonzero(content == ord("\n"))
            firsts += [content[:begins].copy(), content[ends_here[ends_here + 1 < len(content)] + 1]]
            begins = int(content[-1] == ord("\n"))
            breaks.append(ends_here + place)
            place += len(block)
    ends = np.append(np.concatenate(breaks), place)  # the last line may have no break
    starts = np.append(skipped, ends[:-1] + 1)
    numbers = np.arange(1, len(ends) + 1)
    full = ends > starts
    first = np.concatenate(firsts)  # but of an empty last line
    with open(local, "rb") as file:
        for one in np.flatnonzero(full[: len(first)] & np.isin(first, np.frombuffer(SPACES, np.uint8))):
            file.seek(starts[one])  # it may have nothing but spaces
            full[one] = bool(file.read(ends[one] - starts[one]).strip(SPACES))
    return found.hexdigest(), (starts[full], ends[full], numbers[full])


def _list(file: str, local: str) -> tuple[str, Spans]:
    """Digest, and the members of a list; what is in them is looked at only for brackets and texts."""
    starts, ends, depth, closed = [], [], 0, False
    with open(local, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        begin = 0
        for token in _STRUCTURE.finditer(text):
            sign = token[0]
            if sign == b'"':
                break
            if sign in b"[{":
                depth += 1
                begin = token.end() if depth == 1 else begin
            elif sign in b"]}":
                depth -= 1
                closed = depth == 0
            if (sign == b"," and depth == 1) or closed:
                if text[begin : token.start()].strip(SPACES):
                    starts.append(begin)
                    ends.append(token.start())
                elif not closed or starts:
                    raise ValueError(f"{file} row {len(starts)} must be a JSON object, got none at byte {begin}")
                begin = token.end()
            if closed:
                behind = _FILLED.search(text, token.end())
                wrong = token.start() if sign == b"}" else behind.start() if behind else -1
                if wrong >= 0:
                    found = short(text[wrong : wrong + 1].decode("utf-8", "replace"))
                    raise ValueError(f"{file} must be one list of JSON objects, got {found} at byte {wrong}")
                break
        if not closed:
            raise ValueError(f"{file} row {len(starts)} must be JSON: the file ends before its list does")
        found = hashlib.sha256(text).hexdigest()
    return found, (np.array(starts, np.int64), np.array(ends, np.int64), np.arange(len(starts)))
