"""A user's test table as an exam: chats with pictures of any size, marked by the answers of the table.

Rows are read when they are asked; what is kept of each is its length. A row that is wrong, or does not fit, is not
asked, and its record says why.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from perc_jax.benchmarks.base import on_same_pictures
from perc_jax.config import Config, TableConfig
from perc_jax.data import table_prompts
from perc_jax.data.table_prompts import Sight
from perc_jax.data.tables import TableRow
from perc_jax.evaluation.exams import Asked, Marked, PlannedExam, as_scored, asked_as
from perc_jax.prompt import questions
from perc_jax.prompt.questions import Question, Reader
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.verifier import Verifier


def own_table(config: Config, path: str, *, is_graded: bool = False) -> TableConfig:
    """The table of a path as a config's stages or `evaluation.tables` read it; as it is by itself where none does.

    Where both read it, a test goes by `evaluation.tables`, a grading by the stages. Of a stage's table, and of one that
    is graded, all rows are asked, not only those of its `difficulty`.
    """
    trained = {_place(table.path): table for stage in config.stages for table in stage.mixture.tables}
    tested = {_place(table.path): table for table in config.evaluation.tables}
    place = _place(path)
    first, second = (trained, tested) if is_graded else (tested, trained)
    found = first.get(place) or second.get(place) or TableConfig(path)
    if not is_graded and place in tested:
        return found
    return dataclasses.replace(found, difficulty="all", grade="")


def _place(path: str) -> str:
    """A path, however it is written."""
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


class TableExam(PlannedExam):
    """The rows of a table, the first `limit` of them (0: all).

    Args:
        config: says how rows are asked and where a reply has its answer.
        wanted: the table.
        reader: how the model reads.
        verifier: marks replies.
        limit: questions at most.

    Raises:
        ValueError: the table cannot be read at all.
    """

    def __init__(self, config: Config, wanted: TableConfig, reader: Reader, verifier: Verifier, limit: int = 0):
        self._config, self.reader, self._verifier = config, reader, verifier
        self._table = table_prompts.opened(wanted)
        self.name = self._table.name
        self.count = min(limit or len(self._table), len(self._table))
        names = self._table.names()[: self.count]
        self._numbers = dict(zip(names, range(self.count), strict=True))
        found = [self._question(name, number) for name, number in self._numbers.items()]
        shared = on_same_pictures({question.id: question.images for question in found})
        self.questions = [question._replace(unit=shared.get(question.id, question.id)) for question in found]

    def _question(self, name: str, number: int) -> Question:
        """Measure a row; one that is wrong is a question that is not asked."""
        try:
            row = self._seen(number)
            table_prompts.gold_of(self._table, number, row)
            chat = table_prompts.asked(row.chat, self._config.data)
            return questions.measure_chat(name, name, chat, row.pictures, self.reader)
        except (ValueError, OSError) as error:
            return Question(name, name, (), (), "", why_not=str(error))

    def head(self) -> dict[str, Any]:
        """The table's content, how it is asked, and the bounds on pictures and prompts."""
        return {
            "suite": self.name,
            "table": self._table.fingerprint,
            "asked": asked_as(self._config.data),
            "pixels": list(self.reader.pixels),
            "max_prompt_tokens": self.reader.max_tokens,
        }

    def text(self, name: str) -> str:
        """What the user says last."""
        try:
            return self._table[self._numbers[name]].chat[-1].text
        except ValueError:  # of a row that is wrong, and not asked
            return ""

    def gold(self, name: str) -> str:
        """The right answer as a model should write it."""
        try:
            return self._gold(name).text()
        except ValueError:
            return ""

    def kind(self, name: str) -> str:
        """What kind of answer it is; `wrong` of a row that cannot be asked."""
        try:
            return self._gold(name).kind
        except ValueError:
            return "wrong"

    def _gold(self, name: str) -> Gold:
        number = self._numbers[name]
        return table_prompts.gold_of(self._table, number, self._seen(number))

    def _seen(self, number: int) -> TableRow:
        """A row as the model is shown it."""
        return table_prompts.seen(self._table, number, Sight(self.reader.vision, self.reader.pixels))

    def mark(self, asked: Asked, responses: Sequence[Sequence[str]]) -> list[Marked]:
        """Verify as in training."""
        golds = [self._gold(question.id) for question in asked.about]
        texts = [text for replies in responses for text in replies]
        each = [gold for gold, replies in zip(golds, responses, strict=True) for _ in replies]
        verdicts = iter(self._verifier.verify(texts, each))
        marked = []
        for question, gold, replies in zip(asked.about, golds, responses, strict=True):
            mine = [next(verdicts) for _ in replies]
            late = sum(verdict.timed_out for verdict in mine)
            marks = [as_scored(verdict, self._config.data) for verdict in mine]
            marked.append(Marked(question.unit, question.prompt, marks, late, self.text(question.id), gold.text()))
        return marked
