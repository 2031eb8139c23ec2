"""A term that is a user's function, over all completions of a rollout: its pool, what failed, when that ends the run.

A call that fails is worth 0, is counted by its reason (`functions.REASONS`), and each kind of failure is said in one
line once. Where more than half of a rollout's calls fail it is the rule: the run ends with that line. Where replies are
only measured, which may lack what the function was written for, nothing ends: a call that fails has no value.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from perc_jax.config import TermConfig
from perc_jax.rewards import functions
from perc_jax.rewards.forms import STRICT, Form, read
from perc_jax.rewards.functions import Call, Fault, Told
from perc_jax.rewards.pool import Lost, Pool
from perc_jax.rewards.terms import Case, parts_of

SLOW = ("late", "died")  # failures that cost seconds each
FEW = 8  # of those, from which on a rollout need not be done to know the rule
MAX_RESTARTS = 32  # of the processes in one rollout, because they were out of memory


def complaints(names: Sequence[str]) -> dict[str, str]:
    """What is wrong with each function, `file.py:function`; empty where it can be called. Each is imported in a process
    of its own, as in a run, which is ended, so that nothing of it stays: files beside it may have others' names."""
    lost = {
        Lost.LATE: f"must be importable within {functions.LOAD_S:g} s",
        Lost.DIED: "must be importable (its import ends the process)",
    }
    said = {}
    for name in names:
        with Pool(functions.LOAD_S) as pool:
            [found] = pool.each(functions.complaint, [name])
        said[name] = lost[found] if isinstance(found, Lost) else found
    return said


class Marks(NamedTuple):
    """What a function says about n completions: each its value and then its parts, W numbers."""

    values: Float[np.ndarray, "n W"]
    faults: dict[str, int]  # how many calls failed, by every reason
    lines: tuple[str, ...]  # what has not been said before


class Refused(RuntimeError):
    """A function fails as a rule."""


class Caller:
    """One function in its own processes. A context manager; leaving it ends them."""

    def __init__(self, term: TermConfig, deadline_s: float, processes: int, memory_bytes: int):
        """Start the processes.

        Args:
            term: one whose term is a function.
            deadline_s: of a call.
            processes: how many.
            memory_bytes: that each of them may write to.
        """
        self._term, self._file = term, functions.split(term.term)[0].name
        self._pool = Pool(deadline_s, processes, functions.open_worker, (term.term, memory_bytes))
        self._call = functions.caller(term.term, term.parts, memory_bytes)
        self._is_batched: bool | None = None
        self._said: set[object] = set()  # kinds of lines

    def score(self, cases: Sequence[Case], group: int, form: Form = STRICT) -> Marks:
        """Call the function for completions that lie group by group.

        Raises `RuntimeError` where failing is the rule.
        """
        return self._score(cases, group, form, 0.0)

    def measure(self, cases: Sequence[Case], form: Form = STRICT) -> Marks:
        """Call the function for completions that lie one by one; a value that it does not give is NaN, and all are
        where failing is so slow a rule that not all calls were made; those are not made any more."""
        try:
            return self._score(cases, 1, form, math.nan)
        except Refused as refused:
            self._pool.restart()  # calls that were begun would run to their deadlines before any other
            values = np.full((len(cases), 1 + len(parts_of(self._term))), math.nan, np.float32)
            fresh = self._fresh({"refused": str(refused)})
            return Marks(values, dict.fromkeys(functions.REASONS, 0), tuple(fresh))

    def _score(self, cases: Sequence[Case], group: int, form: Form, worthless: float) -> Marks:
        """As `score`, with that for a call that fails; where that is NaN, calls that are not slow may all fail."""
        given = Call(
            tuple(case.text for case in cases),
            tuple(dict(case.row) for case in cases),
            tuple(read(case.text, form) for case in cases),
            tuple(case.answer.text() for case in cases),
            tuple(case.tokens for case in cases),
        )
        calls = functions.calls(given, group, self._takes_several())
        is_looked_at = math.isnan(worthless)
        of = "a suite" if is_looked_at else "a rollout"
        told, leaks = self._all(calls, of)
        if not is_looked_at:
            self._refuse(told, len(calls), of, at_the_end=True)
        width = 1 + len(parts_of(self._term))
        nothing = (worthless,) * width
        rows = [one.values or tuple(repeat(nothing, len(c.texts))) for one, c in zip(told, calls, strict=True)]
        values = np.array([row for many in rows for row in many], np.float32).reshape(len(cases), width)
        faults = [one.fault for one in told if one.fault]
        counts = Counter(fault.reason for fault in faults)
        counts["memory"] += len(leaks)
        lines = self._lines(leaks + faults, [one.printed for one in told if one.printed])
        return Marks(values, {reason: counts[reason] for reason in functions.REASONS}, lines)

    def _takes_several(self) -> bool:
        if self._is_batched is None:
            found = next(iter(self._pool.each(functions.describe, [None])))
            if found is Lost.LATE:  # a busy machine: nothing of the user's is called here
                found = next(iter(self._pool.each(functions.describe, [None])))
            if not isinstance(found, bool):
                raise Refused(f"reward term {self._term.label}: {self._fault(found).words}")
            self._is_batched = found
        return self._is_batched

    def _all(self, calls: Sequence[Call], of: str) -> tuple[list[Told], list[Fault]]:
        """What came of every call, and of those that were made again in a fresh process: what leaks is their fault
        only if they fail there as well. `of` says what the calls are of."""
        told: list[Told | None] = [None] * len(calls)
        left, leaks, restarts = list(range(len(calls))), {}, 0
        while left:
            again, is_spent = [], False
            for place, found in zip(left, self._pool.each(self._call, [calls[place] for place in left]), strict=True):
                one = Told((), self._fault(found)) if isinstance(found, Lost) else found
                if one.fault and one.fault.reason == "memory":
                    is_spent = True
                    if one.fault == functions.SPENT or (place not in leaks and restarts < MAX_RESTARTS):
                        again.append(place)
                        leaks |= {} if one.fault == functions.SPENT else {place: one.fault}
                        continue
                told[place] = one
                if one.fault and one.fault.reason in SLOW:
                    self._refuse(told, len(calls), of, at_the_end=False)
            if is_spent:
                self._pool.restart()
                restarts += 1
            left = again
        whole = [one for one in told if one is not None]
        return whole, [fault for place, fault in leaks.items() if told[place].values]

    def _refuse(self, told: Sequence[Told | None], count: int, of: str, *, at_the_end: bool) -> None:
        """Raise `Refused` if failing is the rule: of all calls, or of the first where failures are slow."""
        done = [one for one in told if one is not None]
        faults = [one.fault for one in done if one.fault]
        slow = sum(fault.reason in SLOW for fault in faults)
        if 2 * len(faults) <= len(done) or (not at_the_end and slow < FEW):
            return
        [(fault, _)] = Counter(faults).most_common(1)
        share = f"{len(faults)} of {len(done)} calls" + ("" if at_the_end else f", of {count}")
        raise Refused(f"reward term {self._term.label} failed in {share} of {of}: {fault.words}")

    def _fault(self, found: "Lost | Fault") -> Fault:
        """What a lost call means."""
        if isinstance(found, Fault):
            return found
        words = {
            Lost.LATE: f"ran past verifier_deadline_s = {self._pool.deadline_s:g}",
            Lost.DIED: "its process ended under it",
        }
        return Fault(found.value, self._file, words[found])

    def _lines(self, faults: Sequence[Fault], printed: Sequence[str]) -> tuple[str, ...]:
        """What has happened, in lines, of the kinds that were not said before."""
        found = {fault.kind: fault.words for fault in faults}
        if printed:
            found["prints"] = f"{self._file}: prints {printed[0]!r}, which nobody sees"
        return tuple(f"reward term {self._term.label}: {line}" for line in self._fresh(found))

    def _fresh(self, found: Mapping[object, str]) -> list[str]:
        """The lines of the kinds that were not said before."""
        fresh = {kind: line for kind, line in found.items() if kind not in self._said}
        self._said |= fresh.keys()
        return list(fresh.values())

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
