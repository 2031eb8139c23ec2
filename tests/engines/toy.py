"""A right toy engine for tests of the audit: rows of dots, and what exchanges its parts."""

import dataclasses
from dataclasses import dataclass

import engines
from engines import base
from engines.answer import Answer
from engines.base import Engine, Fact, Posed, QuestionType
from engines.canvas import Canvas
from engines.check import cell as cells
from engines.check import run, whole
from engines.marks import Apart

PHRASINGS = ("How many dots in {row}?", "Count the dots in {row}.", "Dots in {row}?", "Number of dots in {row}?")
ROWS = ("top", "bottom")
INK, PAPER = (20, 20, 20), (250, 250, 250)


@dataclass(frozen=True)
class Dots:
    """Rows of dots."""

    top: int
    bottom: int
    size: int
    spare: int = 0

    def to_json(self):
        return dataclasses.asdict(self)

    def describe(self):
        return f"{self.top} dots at the top, {self.bottom} at the bottom, {self.size} wide, {self.spare} spare."

    def complexity(self):
        return float(self.top + self.bottom + self.size)


def pose_count(rng, level):
    most, row = 9 + 2 * level, ROWS[int(rng.integers(2))]
    counts = dict(zip(ROWS, rng.integers(1, most + 1, size=2).tolist(), strict=True))
    scene = Dots(counts["top"], counts["bottom"], level + 1, int(rng.integers(10**6)))
    question = PHRASINGS[int(rng.integers(4))].format(row=row)
    answer = Answer.integer(counts[row])
    return Posed(scene, question, answer, guess_rate=1 / most, query={"ask": "count", "row": row})


def facts(scene, rng):
    names = ("top", "bottom", "size", "spare")
    return tuple(Fact(f"Say {name}.", Answer.integer(getattr(scene, name))) for name in names)


def draw(scene, size_px, style):
    canvas = Canvas(size_px, PAPER)
    for height, row in zip((0.3, 0.7), ROWS, strict=True):
        canvas.text((size_px * 0.5, size_px * height), row, max(size_px / 20, 11), INK)
        canvas.part(row, (size_px * 0.5, size_px * height))
    return canvas.drawing([Apart((0.0, size_px * 0.3), (0.0, size_px * 0.7), 5.0)])


TOY = Engine("toy", 1, (QuestionType("count", pose_count),), draw, facts=facts)
ORACLES = {"count": lambda sample: str(sample.scene[sample.query["row"]])}


def audited(
    monkeypatch, pose=pose_count, oracles=ORACLES, levels=(0, 1), samples=120, drawn=1, solved=0, limit_ms=1e3, **parts
):
    """Audit the toy engine after some of its parts were exchanged."""
    engine = dataclasses.replace(TOY, types=(QuestionType("count", pose),), **parts)
    monkeypatch.setitem(engines.ENGINES, "toy", engine)
    monkeypatch.setattr(base, "MAX_DRAFTS", 60)
    monkeypatch.setattr(run, "LIMITS_MS", dict.fromkeys(run.LIMITS_MS, limit_ms))
    monkeypatch.setattr(cells, "oracles_of", lambda name: oracles)
    monkeypatch.setattr(whole, "irreproducible", lambda names: [])
    work = run.tasks([("toy", "count")], levels, samples, drawn, 448, solved)
    (kind,) = run.report(list(run.cells(work, 1)), 0).types
    return kind


def altered(**change):
    """The toy's pose with parts of what it poses exchanged."""

    def pose(rng, level):
        posed = pose_count(rng, level)
        return posed._replace(**{name: make(posed, level) for name, make in change.items()})

    return pose
