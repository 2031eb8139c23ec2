r"""What every benchmark gives: problems from a folder, a prompt, a scorer with named modes, and its own aggregates.

A mode is a protocol. `official` is the authors' rule; `vlmevalkit` and `lmms` are what the two big kits do where that
differs; `strict` is ours, the one that training uses: `<answer>\boxed{…}</answer>` at the end, the box read by a typed
grammar, behind the same wrapper and full stop as there (`engines.answer.unwrap`). No mode asks a language model. Where
a protocol has a judge, an offline rule stands in for it, and the mode's description says so, for it is part of the
result.

A scorer is a pure function of (problem, response, mode) that never raises on a response. What it cannot read is
`parsed=None` and wrong, never guessed, except where an official rule guesses; such a mode says so.
"""

import abc
import contextlib
import functools
import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from engines.answer import unwrap
from engines.verify import extract
from perc_jax import statistics
from perc_jax.benchmarks import files
from perc_jax.benchmarks.files import Image

MAX_CHARS = 2**18  # of a response; a longer one is not read (64,000 tokens of four characters)
BOOTSTRAP_SEED = 0  # of the resamples of an interval: the same responses give the same interval
STRICT_HINT = r"End your reply with the final answer in this form: <answer>\boxed{…}</answer>"
STRICT = r"only `<answer>\boxed{…}</answer>` at the end of the response counts, its content read by a typed grammar"

Compare = Callable[[str, str, str], bool | None]
"""(gold, answer, rule of `symbolic`) -> whether they are equal; None past its deadline."""


@dataclass(frozen=True)
class Problem:
    """One question. `gold` is as the benchmark stores it; `kind` names how it is answered (choice, integer, …)."""

    id: str  # unique in its benchmark
    question: str
    images: tuple[Image, ...]
    gold: str
    kind: str
    options: tuple[str, ...] = ()  # texts of the options A, B, …
    meta: Mapping[str, Any] = field(default_factory=dict)  # what prompt, scorer and aggregates need besides
    shared: str = ""  # a name for pictures that other questions are about too; empty if there are no others

    @property
    def letters(self) -> str:
        """The option letters, one per option."""
        return "".join(chr(ord("A") + i) for i in range(len(self.options)))


class Scored(NamedTuple):
    """What a scorer says about one response."""

    correct: bool
    parsed: str | None  # the answer as it was read, None if none was found
    reason: str  # why it counts or does not


class Item(NamedTuple):
    """A problem and how its response was scored."""

    problem: Problem
    scored: Scored


def no_symbols(gold: str, answer: str, rule: str) -> bool | None:
    """Stand in for a symbolic comparison where none is wanted: nothing is equal."""
    return False


class Benchmark(abc.ABC):
    """A benchmark. Subclasses give the three class variables, `problems`, `judge` and `accept`."""

    name: ClassVar[str]
    hub: ClassVar[str]  # the data set's id on the Hugging Face hub
    modes: ClassVar[Mapping[str, str]]  # mode -> its protocol in a sentence
    symbolic: ClassVar[bool] = False  # whether `score` may call `compare`
    group: ClassVar[str] = ""  # what several questions share, for instance a problem in versions; see `unit`

    @abc.abstractmethod
    def problems(self, folder: Path) -> list[Problem]:
        """Read the problems of a folder or file.

        Raises `FileNotFoundError`, or `ValueError` that names file and field.
        """

    @abc.abstractmethod
    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """Score a response by any mode but `strict`."""

    @abc.abstractmethod
    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """Score what stands in the box of a response of the strict form."""

    def load(self, folder: Path) -> list[Problem]:
        """Read the problems of a folder, or of one of its files, in order; ids are unique.

        Raises `FileNotFoundError` where there is no file of this benchmark, `ValueError` for a bad one.
        """
        if not folder.exists():
            raise FileNotFoundError(f"{self.name}: {folder} must be a folder or file that exists")
        problems = self.problems(folder)
        seen: set[str] = set()
        for problem in problems:
            if problem.id in seen:
                raise ValueError(f"{self.name}: ids must be unique in {folder}, got {problem.id} twice")
            seen.add(problem.id)
        if not problems:
            raise ValueError(f"{self.name}: {folder} must hold at least one problem, got none")
        if type(self).unit is not Benchmark.unit:
            return problems
        shared = on_same_pictures({problem.id: problem.images for problem in problems})
        return [replace(problem, shared=shared.get(problem.id, "")) for problem in problems]

    def download(self) -> Path:
        """Fetch the data set from the hub. Raises `FileNotFoundError` in one line where it cannot be had."""
        if not self.hub:
            raise FileNotFoundError(
                f"{self.name} has no data set on the hub; get its folder from its authors' repository"
            )
        return files.download(self.hub)

    def check_mode(self, mode: str) -> None:
        """Raise `ValueError` for a mode that this benchmark does not have."""
        if mode not in self.modes:
            raise ValueError(f"mode of {self.name} must be one of {', '.join(self.modes)}, got {mode!r}")

    def ask(self, problem: Problem) -> str:
        """Word the question as the official protocol does; the plain question unless a benchmark says otherwise."""
        return problem.question

    def prompt(self, problem: Problem, mode: str = "official") -> str:
        """Word the question for a model; in `strict` mode the form of the answer is asked for in place of theirs.

        Raises `ValueError` for a mode that this benchmark does not have.
        """
        self.check_mode(mode)
        if mode != "strict":
            return self.ask(problem)
        options = "".join(f"\n({letter}) {text}" for letter, text in zip(problem.letters, problem.options, strict=True))
        return f"{problem.question}{options if any(problem.options) else ''}\n{STRICT_HINT}"

    def score(self, problem: Problem, response: str, mode: str = "official", compare: Compare = no_symbols) -> Scored:
        """Score one response; never raises on a response.

        Args:
            problem: one of `load`.
            response: the model's text.
            mode: one of `modes`.
            compare: symbolic comparison, see `symbolic.Comparer`; without it only what is equal as text or number is.

        Raises:
            ValueError: a mode that this benchmark does not have.
        """
        self.check_mode(mode)
        if len(response) > MAX_CHARS:
            return Scored(False, None, f"longer than {MAX_CHARS} characters")
        if mode != "strict":
            return self.judge(problem, response, mode, compare)
        content = extract(response)
        if content is None:
            return Scored(False, None, r"not of the form <answer>\boxed{…}</answer>")
        forms = dict.fromkeys((unwrap(content), content.strip(" ")))  # a gold answer may end with a full stop itself
        scored = [self.accept(problem, form, compare) for form in forms]
        return next((one for one in scored if one.correct), scored[0])

    def unit(self, problem: Problem) -> str:
        """Give the name of what the question belongs to and what is independent of the rest; here its pictures.

        Of an old file that has ids alone, `problem` has nothing else, and is taken as independent.
        """
        return problem.shared or problem.id

    def counts(self, problem: Problem, mode: str) -> bool:
        """Whether a mode asks and counts the question."""
        return True

    def is_seen(self, problem: Problem) -> bool:
        """Whether the question comes with a picture; one that should and has none is never asked without it."""
        return True

    def total(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Give count, accuracy and 95 % interval over all questions that count in a mode; independent are units."""
        return self.share([item for item in items if self.counts(item.problem, mode)])

    def share(self, items: Sequence[Item]) -> dict[str, Any]:
        """`share` of these questions, of which those of one unit are not independent."""
        return share_of_units([item.scored.correct for item in items], [self.unit(item.problem) for item in items])

    def by(self, items: Sequence[Item], key: Callable[[Problem], Hashable | Sequence[Hashable]]) -> dict[str, Any]:
        """`share` per group; a problem whose key is a list is in several groups."""
        return {name: self.share(mine) for name, mine in groups(items, key).items()}

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Give the benchmark's own aggregates by name: `{"n", "accuracy", "ci95"}` each, or groups of such."""
        return {}


def verdict(correct: bool, parsed: str | None, rule: str) -> Scored:
    """Word a verdict: `rule` names what was compared."""
    if parsed is None:
        return Scored(False, None, f"no answer found ({rule})")
    return Scored(correct, parsed, f"{'equal' if correct else 'not equal'} to the gold answer ({rule})")


def share(correct: Sequence[bool]) -> dict[str, Any]:
    """Count, accuracy in [0, 1] and its Wilson 95 % interval, of independent items."""
    n, right = len(correct), sum(correct)
    return {"n": n, "accuracy": right / n if n else 0.0, "ci95": list(statistics.wilson_interval(right, n))}


def share_of_units(correct: Sequence[bool], units: Sequence[str]) -> dict[str, Any]:
    """`share` of items of which those of one unit are alike: the interval draws whole units again.

    Where every item is its own unit, or all are right or all wrong, it is Wilson's, then for as many items as units.
    A single unit of right and wrong items tells nothing of how units differ.
    """
    interval = statistics.share_interval(np.array(correct, np.float64), np.random.default_rng(BOOTSTRAP_SEED), units)
    return share(correct) | {"ci95": list(interval)} if correct else share(correct)


def groups(items: Sequence[Item], key: Callable[[Problem], Hashable | Sequence[Hashable]]) -> dict[str, list[Item]]:
    """Items by the names of their groups, in the order of these."""
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        keys = key(item.problem)
        for name in keys if isinstance(keys, list) else [keys]:
            found[str(name)].append(item)
    return {name: found[name] for name in sorted(found)}


def mean_of(shares: Mapping[str, Mapping[str, Any]]) -> float:
    """Mean of the groups' accuracies, each with the same weight."""
    return sum(one["accuracy"] for one in shares.values()) / len(shares) if shares else 0.0


def clustered(values: Sequence[float]) -> dict[str, Any]:
    """Count, mean and 95 % interval (`statistics.share_interval`) of one share per cluster (a seed question)."""
    array = np.asarray(values, np.float64)
    interval = statistics.share_interval(array, np.random.default_rng(BOOTSTRAP_SEED))
    return {"n": len(array), "accuracy": float(array.mean()), "ci95": list(interval)}


def on_same_pictures(pictures: Mapping[str, Sequence[files.Readable]]) -> dict[str, str]:
    """By the ids of questions that share their pictures with others, byte for byte, a name for what they share.

    A model that misreads a picture is wrong on all that is asked about it. What cannot be read shares nothing.
    """
    named: dict[bytes, list[str]] = defaultdict(list)
    for name, mine in pictures.items():
        with contextlib.suppress(OSError, ValueError):
            if key := b"".join(hashlib.sha256(one.read()).digest() for one in mine):
                named[key].append(name)
    return {name: f"picture of {names[0]}" for names in named.values() if len(names) > 1 for name in names}


def only_named(problem_id: str) -> Problem:
    """A problem of which only the id is known, from an old file."""
    return Problem(problem_id, "", (), "", "")


def cases(right: Mapping[str, Sequence[bool]]) -> dict[str, Any]:
    """Average, worst case and robustness of questions that were asked in several variants each.

    The worst case is the share of questions that are right in all their variants, robustness its ratio to the average
    (DynaMath, arXiv 2411.00836, section 3). Both intervals resample questions, whose variants are not independent.
    """
    average = clustered([sum(each) / len(each) for each in right.values()])
    average["accuracy"] = sum(map(sum, right.values())) / sum(map(len, right.values()))  # over concrete questions
    worst = clustered([float(all(each)) for each in right.values()])
    robustness = worst["accuracy"] / average["accuracy"] if average["accuracy"] else 0.0
    return {"average": average, "worst_case": worst, "robustness": robustness}


def letter_names(count: int) -> tuple[str, ...]:
    """The first capital letters."""
    return tuple(chr(ord("A") + i) for i in range(count))


@functools.cache
def letter_range(last: str) -> str:
    """The capital letters from A to `last`."""
    return "".join(chr(code) for code in range(ord("A"), ord(last) + 1))
