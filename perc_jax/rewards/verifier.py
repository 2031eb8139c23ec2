"""Completions to rewards, on the host: strict verification and the other terms in worker processes, then weights.

In: completion texts, gold answers, rows. Out: one `Verdict` each and the value of every term, then float32 rewards with
their parts kept apart. A deadline exists so that no text and no user's function can ever freeze a run. It knows no
tokens and no model, and of groups only that a user's function may be called with one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from engines.answer import Answer
from perc_jax.benchmarks import symbolic
from perc_jax.config import Config, RewardConfig, TermConfig
from perc_jax.rewards import boxes, fits, terms
from perc_jax.rewards.answers import Gold, needs_symbols, symbols_missing
from perc_jax.rewards.callers import Caller, Marks
from perc_jax.rewards.endings import LOST, Ending
from perc_jax.rewards.forms import STRICT, Form, read
from perc_jax.rewards.functions import REASONS
from perc_jax.rewards.pool import Lost, Pool
from perc_jax.rewards.terms import Case

CHUNK = 64  # texts per task: large against the 1 ms that a task costs, small against a batch
SYMBOLS_CHUNK = 4  # of those that may be compared as formulas, a tenth of a second each
MEMORY_BYTES = 4 * 2**30  # that a process of a user's function may write to


class Verdict(NamedTuple):
    """What the verifier says about one completion."""

    correct: bool
    well_formed: bool  # it has the answer form; of the strict one: one answer block, one box in it, nothing after
    parsed: str | None  # the answer's text, None if the completion is not well formed
    timed_out: bool = False  # ran past its deadline, or killed its process; then all else is False


class Scores(NamedTuple):
    """What n completions are worth, before weights."""

    verdicts: list[Verdict]
    terms: Float[np.ndarray, "n N"]  # the value of each term of the reward
    parts: Float[np.ndarray, "n M"]  # of those terms that have parts, in the order of `part_names`
    faults: dict[str, int]  # what failed, by `<term>/<reason>`; the same entries at every call
    lines: tuple[str, ...] = ()  # what was not said before about that


class Rewards(NamedTuple):
    """Rewards of n completions and their parts, which are logged apart."""

    total: Float[np.ndarray, "*n"]  # what the advantages are made of
    accuracy: Float[np.ndarray, "*n"]  # 0 or 1
    format: Float[np.ndarray, "*n"]  # 0 or 1
    terms: Float[np.ndarray, "*n N"]  # before their weights
    parts: Float[np.ndarray, "*n M"]


TIMED_OUT = Verdict(correct=False, well_formed=False, parsed=None, timed_out=True)


def of_ending(ending: Ending) -> Verdict:
    """What the end of a conversation says; one that was lost in the environment's processes timed out."""
    is_lost = any(ending.counts.get(reason) for reason in LOST)
    return Verdict(ending.correct, ending.well_formed, ending.parsed, is_lost)


def judge(text: str, answer: Answer | Gold, form: Form = STRICT) -> Verdict:
    """Verify one completion in this process."""
    content = read(text, form)
    return Verdict(content is not None and answer.accepts(content), content is not None, content)


_JUDGE = judge


@runtime_checkable
class Scorer(Protocol):
    """What knows the worth of completions: a verifier, or one that asks the device too."""

    def score(self, cases: Sequence[Case], reward: RewardConfig, group: int) -> Scores:
        """See `Verifier.score`."""


def part_names(reward: RewardConfig) -> list[str]:
    """`<term>/<part>` of all terms that have parts."""
    return [f"{term.label}/{part}" for term in reward.terms for part in terms.parts_of(term)]


def term_names(reward: RewardConfig) -> list[str]:
    """The terms of a reward and then all their parts, as they are logged."""
    return [*(term.label for term in reward.terms), *part_names(reward)]


class Verifier:
    """Pools of verifier processes. A context manager: leaving it ends the processes.

    A chunk of texts has one deadline. If it runs past it, its texts are tried one by one, so that only the text at
    fault times out. Processes that are killed from outside are replaced and their work is done again.
    """

    def __init__(
        self,
        deadline_s: float,
        processes: int = 1,
        judge: Callable[[str, Answer], Verdict] | None = None,
        chunk: int = CHUNK,
        form: Form = STRICT,
        memory_bytes: int = MEMORY_BYTES,
    ):
        """Start the processes; those of a user's function start when it is first called.

        Args:
            deadline_s: of a chunk of texts, and of a call of a user's function.
            processes: how many in each pool.
            judge: gives the verdict; this module's, unless it is another.
            chunk: texts per task.
            form: where a completion has its answer.
            memory_bytes: that a process of a user's function may write to.
        """
        self._deadline_s, self._processes, self._memory_bytes = deadline_s, processes, memory_bytes
        self._judge, self._chunk, self._form = judge or partial(_JUDGE, form=form), chunk, form
        self._pool, self._loaded = Pool(deadline_s, processes), frozenset()
        self._callers: dict[TermConfig, Caller] = {}

    @classmethod
    def of(cls, config: Config) -> "Verifier":
        """The verifier that a config asks for."""
        memory_bytes = int(config.verifier_memory_gib * 2**30)
        form = Form.of(config.data)
        return cls(config.verifier_deadline_s, config.verifier_processes, form=form, memory_bytes=memory_bytes)

    def verify(self, texts: Sequence[str], answers: Sequence[Answer | Gold]) -> list[Verdict]:
        """Verify completions, one answer each.

        Returns within `deadline_s` for a chunk plus `deadline_s` per text that is at fault, in all of the pool. Raises
        `ValueError` if an answer needs math-verify and it is not installed.
        """
        pairs = list(zip(texts, answers, strict=True))
        symbolic_too = [needs_symbols(answer) for answer in answers]
        boxed = any(isinstance(answer, Gold) and answer.kind == "boxes" for answer in answers)
        self._load({name for name, is_needed in (("symbols", any(symbolic_too)), ("boxes", boxed)) if is_needed})
        found: dict[bool, list[Verdict | Lost]] = {}
        for asks, chunk in ((False, self._chunk), (True, SYMBOLS_CHUNK)):
            mine = [pair for pair, symbols in zip(pairs, symbolic_too, strict=True) if symbols == asks]
            found[asks] = self._pool.map(partial(_pair, self._judge), mine, chunk)
        in_turn = {asks: iter(verdicts) for asks, verdicts in found.items()}
        verdicts = [next(in_turn[asks]) for asks in symbolic_too]
        return [TIMED_OUT if isinstance(one, Lost) else one for one in verdicts]

    def judged(self, cases: Sequence[Case]) -> list[Verdict]:
        """The verdicts of completions: that of its conversation's ending, where one has it, else as `verify`."""
        asked = [case for case in cases if case.ending is None]
        verified = iter(self.verify([case.text for case in asked], [case.answer for case in asked]))
        return [of_ending(case.ending) if case.ending else next(verified) for case in cases]

    def _load(self, needed: set[str]) -> None:
        """Have the processes load what compares formulas, within a limit of memory, and boxes: outside any deadline."""
        if needed <= self._loaded:
            return
        if "symbols" in needed and (missing := symbols_missing()):
            raise ValueError(missing)
        self._loaded |= needed
        self._pool.close()
        self._pool = Pool(self._deadline_s, self._processes, _prepare, (self._loaded,))

    def score(
        self,
        cases: Sequence[Case],
        reward: RewardConfig,
        group: int,
        begun: Mapping[int, Callable[[], Marks]] = MappingProxyType({}),
    ) -> Scores:
        """Verify completions, which lie group by group, and measure the terms of a reward.

        Terms of these places that were `begun` on the device are waited for when all others are measured. Raises
        `RuntimeError` where a user's function fails as a rule, `ValueError` as `verify` does.
        """
        return self._scores(cases, reward, group, begun)

    def measure(self, cases: Sequence[Case], reward: RewardConfig) -> Scores:
        """As `score` of single completions that are only looked at: what a user's function does not give is NaN, and
        never ends a run."""
        return self._scores(cases, reward, 0, {})

    def _scores(
        self, cases: Sequence[Case], reward: RewardConfig, group: int, begun: Mapping[int, Callable[[], Marks]]
    ) -> Scores:
        verdicts = self.judged(cases)
        here = {place: term for place, term in enumerate(reward.terms) if place not in begun}
        marks = {place: self._marks(term, cases, group, verdicts) for place, term in here.items()}
        marks |= {place: wait() for place, wait in begun.items()}
        found = [marks[place] for place in range(len(reward.terms))]
        columns = [np.stack([one.values[:, 0] for one in found], axis=1)]
        columns.append(np.concatenate([one.values[:, 1:] for one in found], axis=1))
        faults = {
            f"{term.label}/{reason}": count
            for term, one in zip(reward.terms, found, strict=True)
            for reason, count in one.faults.items()
        }
        lines = tuple(line for one in found for line in one.lines)
        return Scores(verdicts, *(values.astype(np.float32) for values in columns), faults, lines)

    def _marks(self, term: TermConfig, cases: Sequence[Case], group: int, verdicts: Sequence[Verdict]) -> Marks:
        """One term of completions and their verdicts; of group 0 they are only looked at."""
        if term.term in terms.FROM_VERDICT:
            values = [one.correct if term.term == "accuracy" else one.well_formed for one in verdicts]
            return Marks(np.array(values, np.float64).reshape(len(cases), 1), {}, ())
        if term.term == "ending":
            values = [terms.measure(case, term) for case in cases]  # it is known: nothing of a text is looked at
            return Marks(np.array(values, np.float64).reshape(len(cases), 1), {}, ())
        if terms.is_function(term):
            caller = self._caller(term)
            return caller.score(cases, group, self._form) if group else caller.measure(cases, self._form)
        values, lost = self._measure(cases, term)
        lacks = terms.lacks(cases, term) if terms.may_lack(term) else {}
        return Marks(values, {"late": lost, **lacks}, ())

    def _measure(self, cases: Sequence[Case], term: TermConfig) -> tuple[Float[np.ndarray, "n W"], int]:
        """A term of ours, value and then parts, W numbers, and how many texts ran past the deadline, which earn 0."""
        width = 1 + len(terms.parts_of(term))
        self._load({"boxes"} if term.term == "boxes" else set())
        measured = self._pool.map(partial(terms.measure, term=term, form=self._form), cases, self._chunk)
        rows = [(0.0,) * width if isinstance(one, Lost) else one for one in measured]
        lost = sum(isinstance(one, Lost) for one in measured)
        return np.array(rows, np.float64).reshape(len(cases), width), lost

    def _caller(self, term: TermConfig) -> Caller:
        if term not in self._callers:
            self._callers[term] = Caller(term, self._deadline_s, self._processes, self._memory_bytes)
        return self._callers[term]

    def close(self) -> None:
        """End the processes."""
        self._pool.close()
        for caller in self._callers.values():
            caller.close()

    def __enter__(self) -> "Verifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _prepare(needed: frozenset[str]) -> None:
    """Set a worker process up."""
    if "boxes" in needed:
        boxes.prepare()
    if "symbols" in needed:
        symbolic.prepare(symbolic.MEMORY_BYTES)


def _pair(judge: Callable[[str, Answer | Gold], Verdict], pair: tuple[str, Answer | Gold]) -> Verdict:
    return judge(*pair)


def no_faults(reward: RewardConfig) -> dict[str, int]:
    """The entries of `Scores.faults`, before anything failed."""
    return {f"{term.label}/{reason}": 0 for term in reward.terms for reason in _reasons(term)}


def _reasons(term: TermConfig) -> tuple[str, ...]:
    """What can fail in measuring a term."""
    if term.term in (*terms.FROM_VERDICT, "ending"):
        return ()
    if term.term == "clip":
        return fits.REASONS
    if terms.is_function(term):
        return REASONS
    return ("late", *terms.may_lack(term))


def rewards(scores: Scores, config: RewardConfig, rng: np.random.Generator) -> Rewards:
    """Weigh terms; under `control = "random"` the total is a coin per completion from `rng`, the parts stay true."""
    accuracy = np.array([verdict.correct for verdict in scores.verdicts], np.float32)
    form = np.array([verdict.well_formed for verdict in scores.verdicts], np.float32)
    if config.control == "random":
        total = rng.integers(0, 2, len(scores.verdicts)).astype(np.float32)
    else:
        weighted = [np.float32(term.weight) * scores.terms[:, n] for n, term in enumerate(config.terms)]
        total = sum(weighted[1:], weighted[0])
    return Rewards(total, accuracy, form, scores.terms, scores.parts)
