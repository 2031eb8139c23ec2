"""The audit put together: cells in one process or several, what each question type adds up to, and what failed."""

import collections
import itertools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import engines
from engines import ends
from engines.check import whole
from engines.check.cell import Cell, Task, audit
from engines.check.lesson import Lesson, lesson_of
from engines.check.pictures import look
from engines.check.solver import solve

MIN_PHRASINGS = 4
PHRASED_OFTEN = 40  # samples of a program before its wordings are counted
GUESS_POINTS = 0.03  # by which the measured guess may differ from the stated rate
MAX_GUESS_RATE = 0.5  # mean over the levels of a type; above it there is little to learn from the picture
NOISE = 3.5  # standard errors allowed on top where a number is a sample's
LIMITS_MS = {"pose": 1.0, "facts": 0.5, "draw": 6.0, "photo": 12.0}  # mean over the levels; twice what is aimed at
CHECKS = (  # in the order in which failures are told
    *("pose", "oracle", "gold", "near", "ambiguity", "blind", "guess_rate", "shortcut", "idle", "phrasings", "query"),
    *("text", "facts", "describe", "complexity", "level", "split", "picture", "photo", "readable", "speed", "repeat"),
)


@dataclass
class TypeReport:
    """What the audit knows about one question type."""

    engine: str
    kind: str
    held_out: bool
    cells: list[Cell]
    failures: dict[str, list[str]] = field(default_factory=dict)
    failed: collections.Counter = field(default_factory=collections.Counter)
    phrasings: int = 0
    guess_rate: float = 0.0
    guess: float = 0.0
    lesson: Lesson | None = None
    same: list[int] = field(default_factory=list)  # levels at which the reference solver errs no more than before

    @property
    def name(self) -> str:
        """category.type."""
        return f"{self.engine}.{self.kind}"

    @property
    def samples(self) -> int:
        """Samples posed at all levels."""
        return sum(cell.samples for cell in self.cells)

    def fail(self, check: str, what: str, count: int = 1) -> None:
        """Record a failure of this type."""
        self.failed[check] += count
        self.failures.setdefault(check, []).append(what)

    def unmeasured(self) -> list[str]:
        """What nothing was found about, as there were too few samples for it or no options in the scene."""
        judged, asked = (sum(cell.judged[i] for cell in self.cells) for i in (0, 1))
        missing = {
            "blind": not all(cell.guesser for cell in self.cells),
            "words": self.lesson is None or not self.lesson.held,
            "options": any(cell.unseen for cell in self.cells),
            f"idle ({asked - judged} of {asked} programs)": judged < asked,
            "phrasings": not self.phrasings,
        }
        return [name for name, is_missing in missing.items() if is_missing]

    def is_guessed(self) -> bool:
        """Whether guessing without the picture was measured at any level."""
        return any(cell.guesser for cell in self.cells)

    def mean_ms(self, stage: str) -> float | None:
        """Milliseconds of a stage, averaged over the levels."""
        times = [cell.times_ms[stage] for cell in self.cells if stage in cell.times_ms]
        return float(np.mean(times)) if times else None


@dataclass
class Report:
    """Everything the audit found."""

    types: list[TypeReport]
    failures: list[str] = field(default_factory=list)  # of what concerns all types
    duplicates: whole.Duplicates | None = None
    programs: int = 0  # distinct shapes of queries
    queries: int = 0  # distinct queries, with what they name

    def is_right(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and not any(kind.failed for kind in self.types)


def tasks(
    kinds: Iterable[tuple[str, str]], levels: tuple[int, ...], samples: int, drawn: int, size_px: int, solved: int = 0
) -> list[Task]:
    """One task a type and level; levels from the top, as they take longest."""
    found = (Task(*kind, level, samples, drawn, size_px, solved) for level in sorted(levels)[::-1] for kind in kinds)
    return list(found)


def cells(work: list[Task], processes: int) -> Iterator[Cell]:
    """Audit tasks, in any order, in so many processes."""
    return _everywhere(cell_of, work, processes)


def lessons(
    kinds: Iterable[tuple[str, str]], levels: tuple[int, ...], samples: int, processes: int
) -> Iterator[Lesson]:
    """Teach a guesser each type's questions, `samples` of each level, in so many processes."""
    return _everywhere(lesson_of, [(*kind, levels, samples) for kind in kinds], processes)


def _everywhere(do: Callable[[Any], Any], work: list, processes: int) -> Iterator[Any]:
    """Do work, in any order, in so many processes."""
    if processes == 1:
        yield from map(do, work)
        return
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))  # says so if a process dies
    try:
        with ends.deaf():
            begun = [pool.submit(do, task) for task in work]
        for future in as_completed(begun):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def cell_of(task: Task) -> Cell:
    """Audit one type at one level, and look at its pictures."""
    cell = audit(task)
    look(task, cell)
    if task.solved:
        solve(task, cell)
    return cell


def report(
    found: list[Cell],
    duplicates: int,
    advance: Callable[[int], None] = lambda _: None,
    learned: Iterable[Lesson] = (),
) -> Report:
    """Judge the cells and what a guesser learned of their types, then what concerns all together."""
    taught = {(lesson.engine, lesson.kind): lesson for lesson in learned}
    by_type = collections.defaultdict(list)
    for cell in found:
        by_type[cell.engine, cell.kind].append(cell)
    order = [(engine.name, kind) for engine in engines.ENGINES.values() for kind in engine.types]
    whole_report = Report(
        [
            judged(
                TypeReport(
                    name,
                    kind.name,
                    kind.held_out,
                    sorted(by_type[name, kind.name], key=lambda c: c.level),
                    lesson=taught.get((name, kind.name)),
                )
            )
            for name, kind in order
            if (name, kind.name) in by_type
        ]
    )
    _whole(whole_report, found)
    if duplicates:
        poseable = {(kind.engine, kind.kind) for kind in whole_report.types if not kind.failed["pose"]}
        whole_report.duplicates = whole.duplicates(duplicates, poseable, advance)
        share = whole_report.duplicates.share()
        if share > whole.MAX_DUPLICATES:
            limit = f"{whole.MAX_DUPLICATES:.1%}"
            whole_report.failures.append(f"{share:.2%} of the default mixture had come before, allowed {limit}")
    return whole_report


def judged(kind: TypeReport) -> TypeReport:
    """Add up the levels of a type and hold them against the rules."""
    for cell in kind.cells:
        for check, count in cell.failed.items():
            examples = [text for text in cell.failures[check] if text not in kind.failures.get(check, [])]
            kind.failed[check] += count
            kind.failures.setdefault(check, []).extend(examples)
    _guesses(kind)
    _shortcuts(kind)
    _phrasings(kind)
    _complexity(kind)
    _solver(kind)
    for stage, limit in LIMITS_MS.items():
        mean = kind.mean_ms(stage)
        if mean is not None and mean > limit:
            kind.fail("speed", f"{stage} takes {mean:.2f} ms, allowed {limit:.1f}")
    return kind


def _guesses(kind: TypeReport) -> None:
    """Guessing is worth what the samples state: at each level up to chance, and over all levels within 3 points."""
    measured = [cell for cell in kind.cells if cell.guesser]
    for cell in measured:
        error = (max(cell.guess_rate * (1 - cell.guess_rate), 0.01) / cell.samples) ** 0.5
        difference = cell.guess - cell.guess_rate
        if abs(difference) > GUESS_POINTS + NOISE * error:
            how = f"{cell.guess:.3f} of the answers ({cell.guesser})"
            kind.fail(
                "blind", f"level {cell.level}: a blind guess finds {how}, stated guess_rate {cell.guess_rate:.3f}"
            )
    if not measured:
        return
    kind.guess = float(np.mean([cell.guess for cell in measured]))
    kind.guess_rate = float(np.mean([cell.guess_rate for cell in measured]))
    error = (max(kind.guess_rate * (1 - kind.guess_rate), 0.01) / sum(cell.samples for cell in measured)) ** 0.5
    if abs(kind.guess - kind.guess_rate) > GUESS_POINTS + NOISE * error:
        kind.fail(
            "blind", f"over its levels a blind guess finds {kind.guess:.3f}, stated guess_rate {kind.guess_rate:.3f}"
        )
    if not 0 <= kind.guess_rate <= MAX_GUESS_RATE:
        kind.fail("guess_rate", f"must be within 0..{MAX_GUESS_RATE}, got {kind.guess_rate:.3f}")


def _shortcuts(kind: TypeReport) -> None:
    """Neither looks of the options alone nor words alone, however weighed, are worth more than the stated guess."""
    for cell in kind.cells:
        for rule, share in cell.picks.items():
            limit = cell.guess_rate + GUESS_POINTS + NOISE * (0.25 / cell.picked[rule]) ** 0.5
            if share > limit:
                what = f"level {cell.level}: {rule} is right in {share:.3f}, stated guess_rate {cell.guess_rate:.3f}"
                kind.fail("shortcut", what)
    lesson = kind.lesson
    if lesson is None or not lesson.held:
        return
    error = (max(lesson.stated * (1 - lesson.stated), 0.01) / lesson.held) ** 0.5
    if lesson.right > lesson.stated + GUESS_POINTS + NOISE * error:
        what = f"a guesser taught {lesson.taught} questions is right in {lesson.right:.3f} of {lesson.held} others"
        kind.fail("shortcut", f"{what}, stated guess_rate {lesson.stated:.3f}")


def _phrasings(kind: TypeReport) -> None:
    """Every program that is asked often enough to tell is put in four ways."""
    asked, wordings = collections.Counter(), collections.defaultdict(set)
    for cell in kind.cells:
        asked.update(cell.asked)
        for program, texts in cell.phrasings.items():
            wordings[program] |= texts
    counts = {program: len(wordings[program]) for program, count in asked.items() if count >= PHRASED_OFTEN}
    if not counts:
        return
    program = min(counts, key=counts.__getitem__)
    kind.phrasings = counts[program]
    if kind.phrasings < MIN_PHRASINGS:
        kind.fail(
            "phrasings", f"{program} is put in {kind.phrasings} ways, need {MIN_PHRASINGS}: {sorted(wordings[program])}"
        )


def _complexity(kind: TypeReport) -> None:
    """The mean complexity grows from the lowest to the highest level, and falls nowhere on the way."""
    known = [cell for cell in kind.cells if cell.complexity[0]]
    for low, high in itertools.pairwise(known):
        (a, spread_a), (b, spread_b) = low.complexity, high.complexity
        if b < a - NOISE * (spread_a**2 + spread_b**2) ** 0.5 - 1e-9:
            kind.fail("complexity", f"falls from {a:.1f} at level {low.level} to {b:.1f} at level {high.level}")
    if len(known) > 1 and not known[-1].complexity[0] > known[0].complexity[0]:
        kind.fail("complexity", f"does not grow: {known[0].complexity[0]:.1f} to {known[-1].complexity[0]:.1f}")


def _solver(kind: TypeReport) -> None:
    """The reference solver errs no less at the highest level than at the lowest.

    Levels at which it errs as often as at the one before are named: they may have changed size alone.
    """
    known = [cell for cell in kind.cells if cell.solved is not None]
    kind.same = [b.level for a, b in itertools.pairwise(known) if b.solved >= a.solved]
    if len(known) < 2:
        return
    low, high = known[0], known[-1]
    error = (0.25 / low.shown + 0.25 / high.shown) ** 0.5
    if high.solved > low.solved + GUESS_POINTS + NOISE * error:
        errors = f"{1 - low.solved:.2f} at level {low.level} to {1 - high.solved:.2f} at level {high.level}"
        kind.fail("level", f"the reference solver's error falls from {errors}")


def _whole(found: Report, audited: list[Cell]) -> None:
    """Programs, scenes in two splits, equal bytes elsewhere, byte order, colours."""
    found.programs = len({program for cell in audited for program in cell.asked})
    found.queries = len({(cell.engine, query) for cell in audited for query in cell.programs})
    owners: dict[tuple[str, bytes], str] = {}
    for cell in audited:
        for scene, split in cell.owners.items():
            if owners.setdefault((cell.engine, scene), split) != split:
                found.failures.append(f"{cell.engine}: a scene of {cell.kind} is in {split} and another split")
    names, others = whole.names_to_repeat(audited), []
    try:
        others = whole.irreproducible(names) if names else []
    except RuntimeError as error:
        found.failures.append(str(error))
    for name in others:
        report = next(kind for kind in found.types if (kind.engine, kind.kind) == (name["name"], name["question_type"]))
        report.fail("repeat", f"another process makes other bytes of engines.sample(**{name})")
    fault = whole.depends_on_byte_order()
    found.failures += [fault] if fault else []
    found.failures += whole.near_colours()


def as_json(found: Report) -> dict[str, Any]:
    """The whole report as JSON-ready data: types, levels, answers, failures, times."""
    return {
        "passed": found.is_right(),
        "failures": found.failures,
        "programs": found.programs,
        "queries": found.queries,
        "duplicates": found.duplicates and {**found.duplicates._asdict(), "share": found.duplicates.share()},
        "types": {kind.name: _type_json(kind) for kind in found.types},
    }


def _type_json(kind: TypeReport) -> dict[str, Any]:
    return {
        "passed": not kind.failed,
        "held_out": kind.held_out,
        "samples": kind.samples,
        "phrasings": kind.phrasings,
        "guess_rate": kind.guess_rate if kind.is_guessed() else None,
        "guess": kind.guess if kind.is_guessed() else None,
        "not_measured": kind.unmeasured(),
        "learned": kind.lesson and kind.lesson._asdict(),
        "same_for_the_solver": kind.same,
        "failed": dict(kind.failed),
        "failures": kind.failures,
        "levels": {str(cell.level): _cell_json(cell) for cell in kind.cells},
    }


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {
        "samples": cell.samples,
        "answers": dict(cell.answers.most_common()),
        "kinds": dict(cell.kinds),
        "guess_rate": cell.guess_rate,
        "constant": cell.constant if cell.guesser else None,
        "guess": cell.guess if cell.guesser else None,
        "guesser": cell.guesser,
        "picks": cell.picks,
        "options_not_found": cell.unseen,
        "programs_judged": cell.judged[0],
        "solved": cell.solved,
        "complexity": cell.complexity[0],
        "facts": cell.facts,
        "repeated": len(cell.pictures) - len(set(cell.pictures)),
        "times_ms": cell.times_ms,
        "failed": dict(cell.failed),
    }
