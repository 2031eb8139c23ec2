"""One question type at one level: N samples posed and questioned, without drawing them.

A `Cell` is what was measured and what was found wrong; it can be sent between processes. Cells of a type are put
together in `engines.check.run`.
"""

import collections
import functools
import hashlib
import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

import engines
from engines.again import program_of
from engines.answer import Answer
from engines.base import Engine, Posed, QuestionType, Sample, pose, scene_split
from engines.check.blind import blind
from engines.check.idle import PROGRAMS, SCENES, idle
from engines.check.near import near_misses
from engines.check.shortcut import credits, options_of, place_credits, places_of
from engines.oracles import Oracle, oracles_of
from engines.oracles.readings import ROWS, ambiguities, fact_ambiguities

# What a mistake in an engine or an oracle may raise; it is reported with the name of the sample, and the audit goes on.
MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError),
    *(StopIteration, TypeError, ValueError),
)
MIN_FACTS = 3
FACTS_OF = 60  # samples per cell whose facts are asked for
TIMED = 20  # samples per cell whose posing is timed
EXAMPLES = 3  # failures that are told in full, per cell and check
BLIND_SAMPLES = 40  # fewer say nothing about guessing
_ADDED = re.compile(r"( \*\.)+$")  # sentences that only say what the query has as text
_DIGITS = re.compile(r"-?\d+(?:\.\d+)?")


class Task(NamedTuple):
    """What to audit: a type at a level, with so many samples posed and so many drawn."""

    engine: str
    kind: str
    level: int
    samples: int
    drawn: int
    size_px: int = 448
    solved: int = 0  # pictures that the reference solver is shown, and as many that it must read


@dataclass
class Cell:
    """What is known about one type at one level; times in milliseconds of CPU."""

    engine: str
    kind: str
    level: int
    split: str
    samples: int = 0
    failures: dict[str, list[str]] = field(default_factory=dict)  # check -> the first examples
    failed: collections.Counter = field(default_factory=collections.Counter)  # check -> how many
    answers: collections.Counter = field(default_factory=collections.Counter)  # gold text -> how many
    kinds: collections.Counter = field(default_factory=collections.Counter)  # kind of answer -> how many
    guess_rate: float = 0.0  # mean of what the samples state
    constant: float = 0.0
    guess: float = 0.0
    guesser: str = ""
    complexity: tuple[float, float] = (0.0, 0.0)  # mean, and its standard error
    phrasings: dict[str, set[str]] = field(default_factory=dict)  # program -> wordings without literals
    asked: collections.Counter = field(default_factory=collections.Counter)  # program -> how many
    programs: set[str] = field(default_factory=set)  # queries, as canonical JSON
    pictures: list[bytes] = field(default_factory=list)  # digests of (scene, question), one a sample
    owners: dict[bytes, str] = field(default_factory=dict)  # digest of a scene -> its split
    facts: int = MIN_FACTS  # fewest found
    picks: dict[str, float] = field(default_factory=dict)  # rule that looks at options alone -> how often it is right
    picked: dict[str, int] = field(default_factory=dict)  # rule -> of how many questions
    unseen: int = 0  # questions for a letter whose options were not found in the scene
    judged: tuple[int, int] = (0, 0)  # programs asked about enough scenes to tell what is idle, and those there were
    solved: float | None = None  # how often the reference solver is right, where it was asked
    shown: int = 0  # pictures that it was asked about
    times_ms: dict[str, float] = field(default_factory=dict)

    def fail(self, check: str, what: str, index: int | None = None) -> None:
        """Record a failure; with an index, also how to see it."""
        self.failed[check] += 1
        examples = self.failures.setdefault(check, [])
        text = what if index is None or what.startswith("missing:") else f"{what} | {self.name(index)}"
        if len(examples) < EXAMPLES and text not in examples:
            examples.append(text)

    def name(self, index: int, split: str | None = None) -> str:
        """The call that makes a sample of this cell."""
        return (
            f'engines.sample("{self.engine}", split="{split or self.split}", index={index}, level={self.level}, '
            f'question_type="{self.kind}")'
        )


class Undrawn(Sample):
    """A sample whose picture is drawn when it is asked for; the scene has been through JSON, as a reader gets it."""

    @functools.cached_property
    def image(self) -> np.ndarray:
        """The clean picture, uint8 [448, 448, 3]."""
        return self._whole.image

    @functools.cached_property
    def marks(self) -> tuple:
        """Where things stand in the picture."""
        return self._whole.marks

    @functools.cached_property
    def _whole(self) -> Sample:
        name = {"split": self.split, "index": self.index, "level": self.level, "question_type": self.question_type}
        return engines.sample(self.engine, **name, photo=False)

    @classmethod
    def of(cls, engine: Engine, cell: Cell, index: int, posed: Posed, scene: str) -> "Undrawn":
        """The sample of a name, from what was posed and its scene as JSON text."""
        sample = object.__new__(cls)  # not __init__, which would set the picture
        sample.__dict__.update(
            engine=engine.name, version=engine.version, question_type=cell.kind, split=cell.split, index=index
        )
        sample.__dict__.update(
            level=cell.level, size_px=448, photographed=False, question=posed.question, answer=posed.answer
        )
        sample.__dict__.update(scene=json.loads(scene), query=json.loads(json.dumps(dict(posed.query))), facts=())
        sample.__dict__.update(guess_rate=posed.guess_rate)
        return sample


def audit(task: Task) -> Cell:
    """Pose and question the samples of a task; pictures are another matter."""
    engine = engines.ENGINES[task.engine]
    kind = next(kind for kind in engine.types if kind.name == task.kind)
    cell = Cell(engine.name, kind.name, task.level, "test_d" if kind.held_out else "train")
    oracle = oracles_of(engine.name).get(kind.name)
    if oracle is None:
        cell.fail("oracle", f"missing: oracle, give it in engines/oracles/{engine.name}.py as ORACLES[{kind.name!r}]")
    told: dict[tuple[str, str], str] = {}  # (scene in words, question) -> gold
    items, complexities, rates, seen = [], [], [], _Seen(engine.name, kind, task.level)
    for index in range(task.samples):
        try:
            posed = pose(engine, kind, split=cell.split, index=index, level=cell.level)
        except MISTAKES as error:
            cell.fail("pose", f"{type(error).__name__}: {error}", index)
            continue
        cell.samples += 1
        items.append((posed.question, posed.answer))
        rates.append(posed.guess_rate)
        scene = json.dumps(posed.scene.to_json(), sort_keys=True)
        _note(cell, posed, scene)
        _answers(cell, posed.answer, index)
        sample = Undrawn.of(engine, cell, index, posed, scene)
        if oracle is not None:
            _second_opinion(cell, oracle, sample)
        _readings(cell, sample)
        seen.add(cell, sample)
        _scene(cell, posed, index, told, complexities)
        if index < FACTS_OF:
            _facts(cell, engine, posed, index)
    seen.judge(cell)
    _sum_up(cell, items, complexities, rates)
    _timed(cell, kind)
    _other_splits(cell, engine, kind, min(task.samples, max(4, task.samples // 20)))
    return cell


def digest(text: str) -> bytes:
    """Eight bytes that stand for a text: among a million, two share them with a chance of 3e-8."""
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _literals(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _literals(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _literals(inner)]
    return [value] if isinstance(value, str) else []


def _note(cell: Cell, posed: Posed, scene: str) -> None:
    """What is counted: answers, wordings, programs, pictures, scenes."""
    cell.answers[posed.answer.text()] += 1
    cell.kinds[posed.answer.kind] += 1
    cell.pictures.append(digest(scene + posed.question))
    cell.owners[digest(scene)] = cell.split
    query = dict(posed.query)
    program = program_of(query)
    cell.programs.add(json.dumps(query, sort_keys=True))
    wording = posed.question
    for literal in sorted(_literals(query), key=len, reverse=True):
        wording = re.sub(rf"\b{re.escape(literal)}(e?s)?\b", "*", wording)
    wording = _ADDED.sub("", wording)
    cell.asked[program] += 1
    cell.phrasings.setdefault(program, set()).add(_DIGITS.sub("#", wording))
    if not query:
        cell.fail("query", "missing: query, give Posed the question as JSON-ready data")
    if not posed.question.isascii():
        cell.fail("text", f"question is not ASCII: {posed.question!r}")


def _answers(cell: Cell, answer: Answer, index: int) -> None:
    """Gold is accepted, near misses are not; in the box alone and in a whole completion."""
    if not engines.verify(f"I see it. <answer>\\boxed{{{answer.text()}}}</answer>", answer):
        cell.fail("gold", f"gold is refused: {answer.text()}", index)
    wrong = near_misses(answer)
    if len(wrong) < 20:
        cell.fail("near", f"only {len(wrong)} near misses of {answer.text()}", index)
    for content in wrong:
        if engines.verify(f"<answer>\\boxed{{{content}}}</answer>", answer):
            cell.fail("near", f"accepted {content!r} for {answer.text()!r}", index)


def _second_opinion(cell: Cell, oracle: Oracle, sample: Sample) -> None:
    began = time.process_time()
    try:
        opinion = oracle(sample)
    except MISTAKES as error:
        cell.fail("oracle", f"{type(error).__name__}: {error}", sample.index)
        return
    cell.times_ms["oracle"] = cell.times_ms.get("oracle", 0.0) + (time.process_time() - began) * 1e3
    if not isinstance(opinion, str) or not sample.answer.accepts(opinion):
        gold = sample.answer.text()
        cell.fail("oracle", f"{sample.question!r}: engine {gold!r}, oracle {opinion!r}", sample.index)


def _readings(cell: Cell, sample: Sample) -> None:
    """No convention that the question leaves open changes its answer."""
    try:
        for ambiguity in ambiguities(sample):
            cell.fail("ambiguity", ambiguity, sample.index)
    except MISTAKES as error:
        cell.fail("ambiguity", f"{type(error).__name__}: {error}", sample.index)


class _Seen:
    """What is kept of the samples of a cell, to be judged together: drawn options, question programs, scenes."""

    def __init__(self, engine: str, kind: QuestionType, level: int):
        self._engine, self._kind, self._level = engine, kind, level
        self._rows = ROWS.get(engine)
        self._programs: list[tuple[int, Any]] = []
        self._scenes: list[list[dict[str, Any]]] = []

    def add(self, cell: Cell, sample: Sample) -> None:
        """Take in a sample."""
        if sample.answer.kind == "choice":
            for rule, credit in _picked(cell, sample).items():
                cell.picks[rule] = cell.picks.get(rule, 0.0) + credit
                cell.picked[rule] = cell.picked.get(rule, 0) + 1
        if self._rows is not None and "program" in sample.query:
            self._programs.append((sample.index, sample.query["program"]))
            if len(self._scenes) < SCENES:
                self._scenes.append(self._rows(sample.scene))

    def judge(self, cell: Cell) -> None:
        """Make shares of the rules' points, and look for operations that change nothing."""
        cell.picks = {rule: earned / cell.picked[rule] for rule, earned in cell.picks.items()}
        found = idle(self._programs, self._more())
        cell.judged = (found.judged, min(len(self._programs), PROGRAMS))
        for index, what in found.faults:
            cell.fail("idle", what, index)

    def _more(self) -> Iterator[list[dict[str, Any]]]:
        """Scenes of the cell, and then others of its type and level."""
        yield from self._scenes
        for number in itertools.count():
            rng = engines.base.make_rng("idle", self._engine, self._kind.name, self._level, number)
            try:
                posed = self._kind.pose(rng, self._level)
            except MISTAKES:  # told where a sample is posed by its name
                continue
            yield self._rows(json.loads(json.dumps(posed.scene.to_json())))


def _picked(cell: Cell, sample: Sample) -> dict[str, float]:
    """What rules earn that look at the options of a question alone."""
    options = options_of(sample.scene, sample.answer.vocabulary)
    if options:
        return credits(options, sample.answer)
    places = places_of(sample.scene, sample.answer.vocabulary)
    if places:
        asked = sample.query.get("ask", "")
        return {f"{rule} ({asked})": earned for rule, earned in place_credits(places, sample.answer).items()}
    cell.unseen += 1
    return {}


def _scene(cell: Cell, posed: Posed, index: int, told: dict, complexities: list[float]) -> None:
    """The scene belongs to its split, says how complex it is, and tells in words what decides the answer."""
    if scene_split(posed.scene) != cell.split:
        cell.fail("split", "scene of another split", index)
    missing = [name for name in ("describe", "complexity") if not hasattr(posed.scene, name)]
    for name in missing:
        cell.fail(name, f"missing: {type(posed.scene).__name__}.{name}()")
    if missing:
        return
    try:
        complexities.append(float(posed.scene.complexity()))
        text, gold = posed.scene.describe(), posed.answer.text()
    except MISTAKES as error:
        cell.fail("describe", f"{type(error).__name__}: {error}", index)
        return
    if not text or not text.isascii():
        cell.fail("describe", f"must be plain ASCII text, got {text!r:.80}", index)
    if told.setdefault((text, posed.question), gold) != gold:
        cell.fail("describe", f"same words and question, another answer: {text!r:.200}", index)


def _facts(cell: Cell, engine: Engine, posed: Posed, index: int) -> None:
    """Three further questions or more, each with a gold answer that is accepted."""
    if engine.facts is None:
        cell.facts = 0
        cell.fail("facts", "missing: Engine.facts")
        return
    rng = engines.base.make_rng("facts", engine.name, cell.kind, index, cell.level)
    began = time.process_time()
    try:
        facts = engine.facts(posed.scene, rng)
    except MISTAKES as error:
        cell.fail("facts", f"{type(error).__name__}: {error}", index)
        return
    cell.times_ms["facts"] = cell.times_ms.get("facts", 0.0) + (time.process_time() - began) * 1e3
    others = {fact.question for fact in facts if fact.question != posed.question}
    cell.facts = min(cell.facts, len(others))
    if len(others) < MIN_FACTS:
        cell.fail("facts", f"{len(others)} further questions, need {MIN_FACTS}", index)
    for fact in facts:
        for ambiguity in fact_ambiguities(cell.engine, posed.scene.to_json(), fact.question):
            cell.fail("ambiguity", ambiguity, index)
        if not fact.answer.accepts(fact.answer.text()) or not fact.question.isascii():
            cell.fail("facts", f"{fact.question!r}: gold {fact.answer.text()!r} is refused or not ASCII", index)


def _sum_up(cell: Cell, items: list, complexities: list[float], rates: list[float]) -> None:
    for name, asked in (("oracle", cell.samples), ("facts", min(cell.samples, FACTS_OF))):
        if name in cell.times_ms:
            cell.times_ms[name] /= max(asked, 1)
    if complexities:
        spread = float(np.std(complexities)) / len(complexities) ** 0.5
        cell.complexity = (float(np.mean(complexities)), spread)
    if rates:
        cell.guess_rate = float(np.mean(rates))
    if len(items) >= BLIND_SAMPLES:
        cell.constant, cell.guess, cell.guesser = blind(items)


def _timed(cell: Cell, kind: QuestionType) -> None:
    """What posing costs, without the search for a scene of the split."""
    rng = engines.base.make_rng("speed", cell.engine, cell.kind, cell.level)
    began = time.process_time()
    try:
        for _ in range(TIMED):
            kind.pose(rng, cell.level)
    except MISTAKES as error:
        cell.fail("pose", f"{type(error).__name__}: {error}")
        return
    cell.times_ms["pose"] = (time.process_time() - began) * 1e3 / TIMED


def _other_splits(cell: Cell, engine: Engine, kind: QuestionType, count: int) -> None:
    """Scenes of the other splits that ask this type, to be compared with those above and with other types'."""
    for split in engines.base.SPLITS:
        if split == cell.split or kind.held_out:
            continue
        for index in range(count):
            try:
                posed = pose(engine, kind, split=split, index=index, level=cell.level)
            except MISTAKES as error:
                cell.fail("split", f"{type(error).__name__}: {error} | {cell.name(index, split)}")
                continue
            scene = digest(json.dumps(posed.scene.to_json(), sort_keys=True))
            if cell.owners.setdefault(scene, split) != split:
                cell.fail("split", f"a scene is in {cell.owners[scene]} and in {split} | {cell.name(index, split)}")
