"""Pictures of a table's cells: a path, bytes, `{"bytes", "path"}` as the Hugging Face image feature stores them, a URL
that holds the data itself, or lists of those. They are read when they are asked for.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, NamedTuple

from perc_jax.data.tables.errors import LONGEST_PATH, Where, clipped, wrong
from perc_jax.records.files import absolute

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,")
_WEB_URL = re.compile(r"https?://|hf://")
_KINDS = "a path, bytes, {bytes, path} or a data URL"


class Picture(NamedTuple):
    """One picture: its encoded bytes (PNG, JPEG, …), or the file that holds them."""

    name: str  # what a complaint calls it: file, row, column and, where there is one, its path, shortened
    data: bytes | None
    file: str = ""

    def read(self) -> bytes:
        """Give the encoded picture. Raises `ValueError`, which names file, row and column, where there is none."""
        if self.data is not None:
            return self.data
        try:
            return absolute(self.file).read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            path = clipped(str(absolute(self.file)), LONGEST_PATH)
            raise ValueError(f"{self.name} must be a file that can be read, got {reason}: {path}") from error


def pictures_of(value: Any, where: Where, column: str, root: str) -> tuple[Picture, ...]:
    """The pictures of a cell: none for null, one, or those of a list.

    Raises `ValueError` for a value that is no picture.
    """
    return tuple(_pictures(value, where, column, root))


def _pictures(value: Any, where: Where, column: str, root: str) -> Iterator[Picture]:
    if value is None:
        return
    if isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield picture_of(one, where, f"{column}[{number}]", root)
    else:
        yield picture_of(value, where, column, root)


def picture_of(value: Any, where: Where, column: str, root: str) -> Picture:
    """The picture of one value. Raises `ValueError` for what is none."""
    name = f"{where}: column {column}"
    if isinstance(value, bytes | bytearray) and value:
        return Picture(name, bytes(value))
    if isinstance(value, dict):
        data, path = value.get("bytes"), value.get("path")
        if isinstance(data, bytes | bytearray) and data:
            shown = f" ({clipped(PurePath(path).name)})" if isinstance(path, str) and path else ""
            return Picture(f"{name}{shown}", bytes(data))
        if data is None and isinstance(path, str) and path:
            return _from_text(path, where, column, root)
    if isinstance(value, str) and value:
        return _from_text(value, where, column, root)
    raise wrong(where, column, f"must be a picture: {_KINDS}", value)


def _from_text(text: str, where: Where, column: str, root: str) -> Picture:
    """A picture of a data URL, or the file that a path means."""
    name = f"{where}: column {column}"
    if found := _DATA_URL.match(text):
        try:
            return Picture(name, base64.b64decode(text[found.end() :], validate=True))
        except binascii.Error as error:
            raise wrong(where, column, f"must hold base64 ({error})", text) from error
    if _WEB_URL.match(text) or text.startswith("data:"):
        raise wrong(where, column, f"must be {_KINDS}; pictures of the web are not fetched", text)
    if "\0" in text:
        raise wrong(where, column, "must be the path of a file", text)
    rooted = "://" in text or PurePath(text).is_absolute()
    return Picture(f"{name} ({clipped(text)})", None, text if rooted else f"{root.rstrip('/')}/{text}")
