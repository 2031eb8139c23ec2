"""What every form of file gives: its rows by number, as plain values, without the file being read into memory."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from perc_jax.data.tables.errors import Where


@runtime_checkable
class Rows(Protocol):
    """The rows of one file; it can be pickled, and is cheap to open again then."""

    file: str  # its name, with folder
    digest: str  # of its content

    def __len__(self) -> int:
        """How many rows."""

    def __getitem__(self, number: int) -> dict[str, Any]:
        """The values of a row by column. Raises `ValueError` that names file and row."""

    def where(self, number: int) -> Where:
        """How a complaint calls a row."""

    def having(self, column: str, count: int) -> Iterator[dict[str, Any]]:
        """The values of those of the first `count` rows that have a column; rows that cannot be read are left out."""

    def columns(self) -> dict[str, str]:
        """Columns and their types in the words of the form, as far as the file says; empty where each row has its own.

        Raises `ValueError` for columns of the same name.
        """
