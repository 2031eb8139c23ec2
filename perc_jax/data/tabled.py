"""Rows of a user's table as prompts, by their count: each epoch in an order of its own, the same on every host.

A row is a pure function of (key, the table's fingerprint, count): `count // rows` is the epoch, whose order is a keyed
permutation. A row that does not fit its bucket, or cannot be read, is replaced by another one that the key draws, and
named; where no row may be left out, as in a test table, it is an error.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from perc_jax.config import Config, TableConfig
from perc_jax.data import table_prompts
from perc_jax.data.engines import MAX_DRAFTS, Row, SampleInfo
from perc_jax.data.order import place_in_list
from perc_jax.data.table_prompts import Lesson
from perc_jax.data.tables.row import TableRow
from perc_jax.data.tables.table import Table
from perc_jax.environments.base import Question
from perc_jax.prompt.image import open_picture
from perc_jax.prompt.prompt import CompletionTooLong, PromptTooLong


@dataclass(frozen=True)
class Tabled:
    """A table as a source of rows."""

    config: Config
    table: TableConfig
    key: tuple[Hashable, ...]
    lesson: Lesson | None = None  # what is to be learned of each row; None: nothing
    split: str = "train"
    in_order: bool = False  # as the table has them
    is_whole: bool = False  # none may be left out

    def row(self, position: int) -> Row:
        """Make the row of a count. Raises `ValueError` if `MAX_DRAFTS` rows in turn cannot be put into a prompt."""
        table, dropped = table_prompts.opened(self.table), []
        for draft in range(1 if self.is_whole else MAX_DRAFTS):
            number = self._number(table, position, draft)
            try:
                row = table_prompts.make(self.config, table, number, self.split, self.lesson)
            except (PromptTooLong, CompletionTooLong, ValueError, OSError) as error:
                dropped.append(str(error))
            else:
                return row._replace(dropped=tuple(dropped))
        raise ValueError(dropped[-1] if self.is_whole else f"{MAX_DRAFTS} rows of {table.name} in turn: {dropped[-1]}")

    def question(self, position: int, draft: int) -> tuple[Question, SampleInfo]:
        """The row of a count's draft as a question to talk about: what the user says last, and its pictures.

        Raises `ValueError` or `OSError` for one that is not sound.
        """
        table = table_prompts.opened(self.table)
        number = self._number(table, position, draft)
        row = table[number]
        info = table_prompts.describe(table, number, row, self.split)
        pictures = tuple(open_picture(picture.name, picture.read()) for picture in row.pictures)
        return Question(info.sample_id, pictures, row.chat[-1].text, info.answer, _besides(row)), info

    def _number(self, table: Table, count: int, draft: int) -> int:
        """The row of the table that a count's draft is."""
        if self.in_order and not draft:
            return count % len(table)
        return place_in_list(self.key, table.fingerprint, len(table), count, draft)


def _besides(row: TableRow) -> str:
    """What a row shows beside what the user says last and its first picture, in words; empty: nothing."""
    has_system = row.chat[0].role == "system"
    counts = {"earlier turn": len(row.chat) - 1 - has_system, "further picture": len(row.pictures) - 1}
    more = [f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items() if count > 0]
    return ", ".join(["a system line"] * has_system + more)
