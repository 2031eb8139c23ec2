"""Which rows of a table a model finds easy, medium or hard, by a file of `perc_jax.grade`.

PeBR-R1's dataset-level sampling (arXiv 2509.13031): of k answers to a question all are right (easy), none (hard), or
some (medium). A stage that rewards perception learns from easy rows, one that rewards answers from medium ones.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from perc_jax.records import lines

DIFFICULTIES = ("easy", "medium", "hard")


def difficulty(correct: Sequence[bool]) -> str:
    """A question's difficulty by its k answers."""
    return "easy" if all(correct) else "medium" if any(correct) else "hard"


def rows_of(grade: str, wanted: str, rows: Mapping[str, int], fingerprint: str) -> Int[np.ndarray, " n"]:
    """The numbers of a table's rows that have a difficulty, ascending; rows that were not asked have none.

    Args:
        grade: the file.
        wanted: one of `DIFFICULTIES`.
        rows: the number of each row by its name.
        fingerprint: of the table; a file that was made of other content is refused.

    Raises `ValueError` for a file that is none of this table's, or in which no row has the difficulty.
    """
    head, records = lines.read(Path(grade).expanduser())
    if head.get("table") != fingerprint:
        raise ValueError(f"grade must be of this table as it is now, {grade} is of {_of(head)}")
    if other := next((name for name in records if name not in rows), ""):
        raise ValueError(f"grade must name rows of this table, such as {next(iter(rows))!r}, {grade} names {other!r}")
    found = [rows[name] for name, one in records.items() if one.responses and difficulty(one.correct) == wanted]
    if not found:
        asked = sum(bool(one.responses) for one in records.values())
        raise ValueError(f"difficulty must be that of a row, {grade} has no {wanted} one among {asked} that were asked")
    return np.array(sorted(found), np.int64)


def _of(head: Mapping[str, object]) -> str:
    """What a file's answers are of, in words."""
    return f"{head.get('suite', 'something else')} {head.get('table', '')}".strip()
