"""Whether every operation of a compositional question is needed: leaving one out must change answers elsewhere.

In its own scene a question keeps its answer without some of its words now and then, by luck. So each program is asked
again about other scenes of its type and level, whole and with one operation left out; an operation that changes the
answer in none of them says nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from engines.oracles import compose

PROGRAMS = 20  # of a cell whose operations are left out in turn
SCENES = 200  # of a cell that they are asked about
LEAST_DEFINED = 40  # scenes in which a program must mean something before it is judged

Rows = list[dict[str, Any]]


def idle(programs: Sequence[tuple[int, Any]], scenes: Sequence[Rows]) -> Iterator[tuple[int, str]]:
    """The (index, what is idle) of those (index, program) that have an operation which changes nothing."""
    for index, program in programs[:PROGRAMS]:
        known = [(rows, answer) for rows in scenes[:SCENES] if (answer := _answer(program, rows)) is not None]
        if len(known) < LEAST_DEFINED:
            continue
        for shorter in compose.shorter(program):
            if all(_answer(shorter, rows) == answer for rows, answer in known):
                yield index, f"{program} says no more than {shorter} in {len(known)} scenes"


def _answer(program: Any, rows: Rows) -> str | None:
    """The answer of a program in a scene; `None` where it means nothing."""
    try:
        return compose.answer(program, rows)
    except ValueError:
        return None
