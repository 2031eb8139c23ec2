"""Whether every operation of a compositional question is needed: leaving one out must change answers elsewhere.

In its own scene a question keeps its answer without some of its words now and then, by luck. So each program is asked
again about other scenes of its type and level, whole and with one operation left out; an operation that changes the
answer in none of them says nothing. Scenes are drawn until the program means something in enough of them; how many
programs came so far is told.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from engines.oracles import compose

PROGRAMS = 20  # of a cell whose operations are left out in turn
SCENES = 200  # of a cell that they are asked about at first
MOST_SCENES = 1500  # in all, where few have what a program names
LEAST_DEFINED = 40  # scenes in which a program must mean something before it is judged

Rows = list[dict[str, Any]]


class Idle(NamedTuple):
    """What was found: (index, what is idle) of programs with an operation that changes nothing."""

    faults: list[tuple[int, str]]
    judged: int  # programs that mean something in enough scenes


def idle(programs: Sequence[tuple[int, Any]], scenes: Iterable[Rows]) -> Idle:
    """Judge the first (index, program) pairs in scenes, of which no more are drawn than are needed."""
    drawn, more = [], itertools.islice(scenes, MOST_SCENES)
    found = Idle([], 0)
    for index, program in programs[:PROGRAMS]:
        known = []
        for place, rows in enumerate(itertools.chain(tuple(drawn), _kept(more, drawn)), 1):
            answer = _answer(program, rows)
            if answer is not None:
                known.append((rows, answer))
            if len(known) >= LEAST_DEFINED and place >= SCENES:
                break
        if len(known) < LEAST_DEFINED:
            continue
        found = found._replace(judged=found.judged + 1)
        for shorter in compose.shorter(program):
            if all(_answer(shorter, rows) == answer for rows, answer in known):
                found.faults.append((index, f"{program} says no more than {shorter} in {len(known)} scenes"))
    return found


def _kept(more: Iterator[Rows], drawn: list[Rows]) -> Iterator[Rows]:
    """The scenes that are drawn, which are kept for the next program."""
    for rows in more:
        drawn.append(rows)
        yield rows


def _answer(program: Any, rows: Rows) -> str | None:
    """The answer of a program in a scene; `None` where it means nothing."""
    try:
        return compose.answer(program, rows)
    except ValueError:
        return None
