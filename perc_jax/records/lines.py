"""What an evaluation asked and got, one JSON line per question, appended whole: the file that lets it be interrupted.

The first line says what the answers belong to (`{"evaluation": {…}}`: model, suite, mode, seed, …), each further one is
a `Record`. Lines of a batch are written by one call, so a process killed at any moment leaves whole lines and at most
one torn one at the end, which the next start removes. One process writes a file at a time.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perc_jax.records import reading
from perc_jax.records.files import to_json

HEAD = "evaluation"


class Record(NamedTuple):
    """One question and its k answers; the four lists are k long. A question that was not asked has no answers."""

    id: str
    unit: str  # what is independent of the other units and is resampled for intervals: the question, or its seed
    prompt: str  # fingerprint of text and pictures as asked
    responses: Sequence[str] = ()
    ended: Sequence[bool] = ()  # False where the response was cut at the longest one
    correct: Sequence[bool] = ()
    parsed: Sequence[str | None] = ()  # the answer as it was read
    reason: Sequence[str] = ()  # why it counts or does not; of a question that was not asked, why not
    timed_out: int = 0  # of its verifications or comparisons
    question: str = ""  # as it was put, without the chat's frame; empty in files that did not keep it
    gold: str = ""  # the right answer, as the benchmark or the engine has it; empty likewise

    def line(self) -> str:
        """One line of JSON, with its end."""
        return to_json(self._asdict()) + "\n"


class Records:
    """A file of records, open for more. A context manager.

    Args:
        file: local path; its folder is made.
        head: what the answers belong to, JSON-ready; a file that was begun with another is refused.

    Raises:
        ValueError: the file belongs to another evaluation, is damaged, or is being written by another process.
    """

    def __init__(self, file: Path, head: Mapping[str, Any]):
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._stream = file.open("a+b", buffering=0)
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.found = self._resume(head)
        except BlockingIOError as error:
            self._stream.close()
            raise ValueError(f"{file} is being written by another process") from error
        except ValueError:
            self._stream.close()
            raise

    def _resume(self, head: Mapping[str, Any]) -> dict[str, Record]:
        self._stream.seek(0)
        content = self._stream.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._stream.truncate(whole)
        if not whole:
            self._write(json.dumps({HEAD: head}) + "\n")
            return {}
        begun, records = parse(_text(content[:whole], self.file), self.file)
        now = json.loads(json.dumps(head))
        for field in [*begun, *(name for name in now if name not in begun)]:
            if begun.get(field) != now.get(field):
                raise ValueError(
                    f"{self.file} was begun with {field} {begun.get(field)!r}, this evaluation has {now.get(field)!r}; "
                    "give another --out"
                )
        return records

    def append(self, records: Iterable[Record]) -> None:
        """Add records in one write. Raises `OSError` where the disk is full; what was written before is intact."""
        text = "".join(record.line() for record in records)
        if text:
            self._write(text)

    def _write(self, text: str) -> None:
        data = text.encode()
        start = os.fstat(self._stream.fileno()).st_size
        if self._stream.write(data) != len(data):  # the disk is full: leave no torn line
            self._stream.truncate(start)
            raise OSError(f"{self.file} could not be written whole: no space left")

    def close(self) -> None:
        """Close the file, and let others write it."""
        self._stream.close()

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def parse(text: str, file: Path) -> tuple[dict[str, Any], dict[str, Record]]:
    """The head and the records of a file's text, by id. Raises `ValueError` that names file and line."""
    head: dict[str, Any] = {}
    records: dict[str, Record] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            values = json.loads(line)
            if number == 1:
                head = values[HEAD]
                continue
            record = Record(**values)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"{file} line {number} must be of an evaluation's records, got {line[:40]!r}") from error
        if record.id in records:
            raise ValueError(f"{file} line {number} must be of another question, {record.id} has a line already")
        records[record.id] = record
    return head, records


def read(file: Path) -> tuple[dict[str, Any], dict[str, Record]]:
    """Head and records of a file that may still be written: a torn last line is left out. Raises as `parse`."""
    content = reading.content(file)
    return parse(_text(content[: content.rfind(b"\n") + 1], file), file)


def _text(content: bytes, file: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} must be an evaluation's records in UTF-8: {error}") from error
