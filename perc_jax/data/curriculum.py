"""How often each cell of a mixture is drawn, by its difficulty as measured on the model itself.

A cell is a question type at a level. Groups of completions come in, cell by cell; shares of the draws go out, for one
phase after the other. A phase is `phase_steps` batches. What decides phase n are the batches up to `LAG` before its
first, so that nothing depends on how far ahead pictures are drawn; the workers that draw them wait for the phase's
file. Knows no model, no tokens and no text.

Pass rates. A cell's counts are halved from phase to phase, since the model that earned them changes. To its own c right
of n completions come `PRIOR` more that its type earned at other levels, those d levels away at weight 4^-d: rate =
(c + s m) / (n + s), where m is that neighbours' rate and s their weight, at most `PRIOR`. A cell with n + s below
`KNOWN` completions is new; the others are hard, in the band or solved by where their rate lies.

Shares. `rehearsal` goes to the solved cells, `exploration` to the hard and the new ones, the rest to those in the band;
a kind without cells leaves its part to the others. Within a kind, cells are drawn in the mixture's proportions. So the
first phase, in which all are new, is the mixture itself, unless a file of `perc_jax.grade` says more.

Worked example, rehearsal 0.1, exploration 0.2, four equal cells at rates 0, 0.4, 0.6, 1: shares 0.2, 0.35, 0.35, 0.1.
"""

import difflib
import functools
import hashlib
import json
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

import engines
from perc_jax.config import CurriculumConfig, MixtureConfig
from perc_jax.records import reading

LAG = 2  # batches of a phase's last that do not decide the next: in that time its first pictures are drawn
KEPT = 0.5  # of a cell's counts, from phase to phase
NEIGHBOUR = 0.25  # weight of what a type earned one level away
PRIOR = 4.0  # completions that other levels may count for
KNOWN = 4.0  # completions from which on a cell has a rate
DIGITS = 9  # of a share, as it is written and drawn by
POLL_S = 0.02
COLUMNS = ("groups", "right", "all_right", "all_wrong", "cut")  # of a tally: groups, right completions, lost groups
KINDS = ("new", "hard", "band", "solved")


class Cell(NamedTuple):
    """A question type at a level."""

    engine: str
    question_type: str
    level: int

    @property
    def name(self) -> str:
        """`engine.type/level`."""
        return f"{self.engine}.{self.question_type}/{self.level}"


def types_of(engine: str, names: Iterable[str]) -> tuple[str, ...]:
    """The question types that a list of engine.type names gives an engine, each once.

    Raises `ValueError` for a name that is no trained type.
    """
    known = {f"{e.name}.{t.name}" for e in engines.ENGINES.values() for t in e.types if not t.held_out}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"mixture.types must name trained types as engine.type, got {name!r}{hint}")
    return tuple(dict.fromkeys(name.partition(".")[2] for name in names if name.startswith(f"{engine}.")))


def cells_of(mixture: MixtureConfig, size_px: int) -> dict[Cell, float]:
    """The cells of a mixture and the share of the draws that each has in it; only what is legible at that size."""
    cells: dict[Cell, float] = {}
    for engine, weight in zip(mixture.engines, mixture.weights, strict=True):
        wanted = types_of(engine, mixture.types)
        for level in mixture.levels if weight > 0 else ():
            asked = engines.candidates(engine, split="train", level=level, size_px=size_px)
            names = [t.name for t in asked if not wanted or t.name in wanted]
            for name in names:
                share = weight / sum(mixture.weights) / len(mixture.levels) / len(names)
                cells[Cell(engine, name, level)] = cells.get(Cell(engine, name, level), 0.0) + share
    return cells


def pass_rates(
    cells: Sequence[Cell], completions: Float[np.ndarray, " n"], right: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Rates and the completions that stand behind each, its neighbours' included; a rate without any is 0.5."""
    rates, known = np.full(len(cells), 0.5), np.zeros(len(cells))
    kinds: dict[tuple[str, str], list[int]] = {}
    for place, cell in enumerate(cells):
        kinds.setdefault((cell.engine, cell.question_type), []).append(place)
    for places in kinds.values():
        levels = np.array([cells[place].level for place in places])
        weights = NEIGHBOUR ** np.abs(levels[:, None] - levels[None, :]).astype(np.float64)
        np.fill_diagonal(weights, 0.0)
        near_n, near_right = weights @ completions[places], weights @ right[places]
        prior = np.minimum(PRIOR, near_n)
        known[places] = completions[places] + prior
        mean = near_right / np.maximum(near_n, 1e-9)
        estimate = (right[places] + prior * mean) / np.maximum(known[places], 1e-9)
        rates[places] = np.where(known[places] > 0, estimate, 0.5)
    return rates, known


def classify(
    rates: Float[np.ndarray, " n"], known: Float[np.ndarray, " n"], band: tuple[float, float]
) -> Int[np.ndarray, " n"]:
    """Each cell's kind, as a place in `KINDS`."""
    kinds = np.where(rates < band[0], KINDS.index("hard"), KINDS.index("band"))
    kinds = np.where(rates > band[1], KINDS.index("solved"), kinds)
    return np.where(known < KNOWN, KINDS.index("new"), kinds)


def stratify(
    base: Float[np.ndarray, " n"], kinds: Int[np.ndarray, " n"], config: CurriculumConfig
) -> Float[np.ndarray, " n"]:
    """The share of each cell; they sum to 1. Where only cells without a share are left, the mixture's own."""
    parts = {
        "band": (1 - config.rehearsal - config.exploration, kinds == KINDS.index("band")),
        "solved": (config.rehearsal, kinds == KINDS.index("solved")),
        "open": (config.exploration, (kinds == KINDS.index("hard")) | (kinds == KINDS.index("new"))),
    }
    shares = np.zeros(len(base))
    for part, mine in parts.values():
        if mine.any():
            shares[mine] = part * base[mine] / base[mine].sum()
    total = shares.sum()
    return np.round(shares / total if total > 0 else base / base.sum(), DIGITS)


@dataclass(frozen=True)
class Phases:
    """What the processes that draw know: the cells, and where the shares of each phase will lie."""

    cells: tuple[Cell, ...]
    folder: str
    batches: int  # of a phase

    def cell(self, rng: np.random.Generator, position: int, batch: int) -> Cell:
        """Draw a cell for a position of batches of that size; waits until the phase is decided.

        Raises `RuntimeError` if it never will be.
        """
        shares = _read_shares(self.folder, position // batch // self.batches)
        return self.cells[int(rng.choice(len(self.cells), p=shares / shares.sum()))]


@dataclass(frozen=True)
class InTurn:
    """One cell after the other, whatever the position's random numbers are: how a model is graded."""

    cells: tuple[Cell, ...]

    def cell(self, rng: np.random.Generator, position: int, batch: int) -> Cell:
        """The cell of a position."""
        return self.cells[position % len(self.cells)]


@functools.lru_cache(maxsize=8)
def _read_shares(folder: str, phase: int) -> Shaped[np.ndarray, " n"]:
    """The shares of a phase, once they are there."""
    path = _file(folder, phase)
    while not path.exists():
        if not path.parent.exists():
            raise RuntimeError("the curriculum was closed before its next phase")
        time.sleep(POLL_S)
    return np.array(json.loads(path.read_text()))


def _file(folder: str, phase: int) -> Path:
    return Path(folder) / f"{phase}.json"


class Curriculum:
    """The tally of a stage and the phases that follow from it. A context manager: leaving it ends those who wait.

    `add` wants every batch in order, with counts summed over all hosts, so that all hosts decide alike.
    """

    def __init__(
        self, mixture: MixtureConfig, size_px: int, group_size: int, batches: int = 0, stored: dict | None = None
    ):
        """Begin at a batch of the stage, from what `stored()` gave at it; anew if that was another mixture's.

        Raises `ValueError` or `OSError` for a `grade` file that cannot be read.
        """
        self.config, self._group_size = mixture.curriculum, group_size
        base = cells_of(mixture, size_px)
        self.cells, self._base = tuple(base), np.array(list(base.values()))
        self.places = {cell: place for place, cell in enumerate(self.cells)}
        self._recent = np.zeros((len(self.cells), len(COLUMNS)), np.int64)  # since the last decision
        self._completions = np.zeros(len(self.cells))  # these two are halved at each decision
        self._right = np.zeros(len(self.cells))
        self.batches = batches
        self._phases: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # shares and kinds
        self._folder = tempfile.mkdtemp(prefix="perc_jax_curriculum_") if self.config.kind == "stratified" else ""
        self._end = weakref.finalize(self, _remove, self._folder, os.getpid())  # at the process's end at the latest
        self.is_resumed = bool(stored) and stored["identity"] == self._identity()
        if self.is_resumed:
            self._restore(stored)
        else:
            if self.config.grade:
                self._seed(Path(self.config.grade))
            first, last = (at // self.config.phase_steps for at in (batches, batches + LAG))
            self._decide(first)
            if last > first:  # what is known is the same: it is not halved again
                self._publish(last, *self._phases[first])

    @property
    def phases(self) -> Phases | None:
        """What `streams.stream` draws by; None where the mixture is drawn as it is."""
        return Phases(self.cells, self._folder, self.config.phase_steps) if self._folder else None

    def add(self, tally: Shaped[np.ndarray, "n 5"]) -> dict[str, Any] | None:
        """Count a batch; a phase that this decides is returned as its record."""
        self._recent += tally.astype(np.int64)
        self.batches += 1
        phase, inside = divmod(self.batches + LAG, self.config.phase_steps)
        if inside:
            return None
        self._decide(phase)
        record = self.record()
        self._recent[:] = 0
        return record

    def metrics(self, tally: Shaped[np.ndarray, "n 5"]) -> dict[str, float]:
        """Metrics of the batch that is to be added: cells of each kind, and the share of its groups in the band."""
        kinds = self._phases[self.batches // self.config.phase_steps][1]
        counts = {f"curriculum/cells/{name}": float((kinds == place).sum()) for place, name in enumerate(KINDS)}
        groups = tally[:, 0]
        inside = groups[kinds == KINDS.index("band")].sum()
        return counts | {"curriculum/band_share": float(inside) / max(1.0, float(groups.sum()))}

    def record(self) -> dict[str, Any]:
        """The phase decided last as plain data: what was counted since the one before, and what follows from it."""
        phase = max(self._phases)
        shares, kinds = self._phases[phase]
        rates, known = pass_rates(self.cells, self._completions, self._right)
        counted = {name: self._recent[:, column].tolist() for column, name in enumerate(COLUMNS)}
        return {
            "phase": phase,
            "first_batch": phase * self.config.phase_steps,
            "group_size": self._group_size,
            "cells": [cell.name for cell in self.cells],
            "rate": [round(rate, 4) if n else None for rate, n in zip(rates.tolist(), known.tolist(), strict=True)],
            "kind": [KINDS[kind] for kind in kinds.tolist()],
            "share": shares.tolist(),
        } | counted

    def stored(self) -> dict[str, Any]:
        """All that the rest of the stage depends on, as plain data."""
        current = self.batches // self.config.phase_steps
        live = {phase: entry for phase, entry in self._phases.items() if phase >= current}
        return {
            "identity": self._identity(),
            "batches": self.batches,
            "recent": self._recent.tolist(),
            "completions": self._completions.tolist(),
            "right": self._right.tolist(),
            "phases": [[phase, shares.tolist(), kinds.tolist()] for phase, (shares, kinds) in live.items()],
        }

    def _identity(self) -> str:
        """What must be the same for a stored tally to be gone on from."""
        cells = [cell.name for cell in self.cells]
        content = json.dumps([cells, self.config.kind, self.config.phase_steps, self._group_size, self.batches])
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def _restore(self, stored: dict) -> None:
        self._recent[:] = np.reshape(stored["recent"], self._recent.shape)  # a mixture of tables alone has no cells
        self._completions[:], self._right[:] = stored["completions"], stored["right"]
        for phase, shares, kinds in stored["phases"]:
            self._publish(phase, np.array(shares), np.array(kinds))

    def _decide(self, phase: int) -> None:
        """Move the tally on and write the shares of a phase."""
        self._completions = KEPT * self._completions + self._recent[:, 0] * self._group_size
        self._right = KEPT * self._right + self._recent[:, 1]
        rates, known = pass_rates(self.cells, self._completions, self._right)
        kinds = classify(rates, known, self.config.band)
        is_plain = self.config.kind == "none"
        shares = np.round(self._base, DIGITS) if is_plain else stratify(self._base, kinds, self.config)
        self._publish(phase, shares, kinds)

    def _publish(self, phase: int, shares: np.ndarray, kinds: np.ndarray) -> None:
        self._phases = {n: entry for n, entry in self._phases.items() if n >= phase - 1} | {phase: (shares, kinds)}
        if self._folder:
            part = _file(self._folder, phase).with_suffix(".part")
            part.write_text(json.dumps(shares.tolist()))
            part.replace(_file(self._folder, phase))

    def _seed(self, path: Path) -> None:
        """Count what a grading of the same cells found."""
        counts = graded_cells(path)
        if not counts.keys() & self.places.keys():
            raise ValueError(f"mixture.curriculum.grade must hold questions of the mixture's cells, {path} holds none")
        for cell, (completions, right) in counts.items():
            if cell in self.places:
                self._completions[self.places[cell]] += completions / KEPT  # the first decision halves it
                self._right[self.places[cell]] += right / KEPT

    def close(self) -> None:
        """Remove the files; whoever waits for one gives up."""
        self._end()

    def __enter__(self) -> "Curriculum":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _remove(folder: str, process: int) -> None:
    """Remove a curriculum's folder in the process that made it, not in one forked from it."""
    if folder and os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def graded_cells(path: Path) -> dict[Cell, tuple[int, int]]:
    """Completions and right ones by cell, of the engines' questions in a file that `perc_jax.grade` wrote; `~` in its
    path is the user's folder.

    Raises `ValueError` for a line that is none of its lines, `OSError` if there is no such file.
    """
    counts: dict[Cell, tuple[int, int]] = {}
    for number, line in enumerate(reading.text(path.expanduser()).splitlines(), 1):
        try:
            entry = json.loads(line)
            name = entry["id"].split("/") if "id" in entry else ()
            if len(name) == 5 and name[1] in engines.ENGINES:  # split/engine/type/level/index
                n, right = counts.get(cell := Cell(name[1], name[2], int(name[3])), (0, 0))
                counts[cell] = n + len(entry["correct"]), right + sum(entry["correct"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} line {number} must be one of perc_jax.grade, got {line[:80]!r}") from error
    return counts


def tally(
    places: Mapping[Cell, int], cells: Sequence[Cell], right: Sequence[int], outcomes: Sequence[str]
) -> Int[np.ndarray, "n 5"]:
    """Count a batch's groups by cell: groups, right completions, and the groups lost by each reason (see `COLUMNS`).
    Rows of tables are of no cell."""
    counts = np.zeros((len(places), len(COLUMNS)), np.int64)
    for cell, correct, outcome in zip(cells, right, outcomes, strict=True):
        if cell not in places:
            continue
        row = counts[places[cell]]
        row[0] += 1
        row[1] += correct
        if outcome in COLUMNS:
            row[COLUMNS.index(outcome)] += 1
    return counts
