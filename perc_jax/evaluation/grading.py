"""How hard questions are for a model: an exam of cells, and what its k answers per question say.

`CellsExam` asks fresh training scenes of question types at levels, in turn; `evaluating.ask` asks it as it asks any
exam. `summary` turns records of any exam into pass rates with intervals, into PeBR-R1's buckets, and into a fit of each
type's difficulty; it looks at nothing but the records.

A question is easy if all its k answers are right, hard if none is, medium otherwise (arXiv 2509.13031, its code's
`rollout` step). Answers to one question are alike, so intervals take questions, not answers, as independent: Wilson's,
at the number of independent answers that has the observed variance of the questions' rates. Where questions share a
unit, as a picture, they take units (`statistics.share_interval`).
"""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

import engines
from perc_jax.batch import Share
from perc_jax.config import Config, to_dict
from perc_jax.data import batches, streams
from perc_jax.data.curriculum import Cell
from perc_jax.data.listed import scenes
from perc_jax.data.tables.graded import DIFFICULTIES, difficulty
from perc_jax.evaluation.exams import SuiteExam, asked_as
from perc_jax.records.lines import Record
from perc_jax.rewards.verifier import Verifier
from perc_jax.statistics import Z95, share_interval

PRIOR_DEVIATION = 2.5  # of a fit's slope in logits per level and of its height: separable data keep a finite slope
NEWTON_STEPS = 50


class CellsExam(SuiteExam):
    """`questions` fresh training scenes of each cell, one cell after the other."""

    def __init__(self, config: Config, cells: Sequence[Cell], questions: int, verifier: Verifier):
        super().__init__(config, "engines", len(cells) * questions, verifier)
        self.cells = tuple(cells)

    def head(self) -> dict[str, Any]:
        """What is drawn and how it is asked."""
        fields = to_dict(self._config)["data"]
        drawn = {field: fields[field] for field in ("image_px", "max_prompt_tokens", "max_patches", "instruction")}
        named = {cell.engine for cell in self.cells}
        content = json.dumps([drawn, [cell.name for cell in self.cells], engines.versions(named)], sort_keys=True)
        drawn_as = {"drawn": hashlib.sha256(content.encode()).hexdigest()[:16], "asked": asked_as(self._config.data)}
        return {"suite": self.name, "scenes": scenes(self._config.data.image_px, named), **drawn_as}

    def _stream(self, start: int, share: Share) -> batches.Stream:
        """This host's part of the questions from the `start`th on."""
        return streams.grading(self._config, self.cells, self.count, start, share=share)


class Fit(NamedTuple):
    """logit(pass rate) = height + slope x level, of one question type."""

    slope: float  # per level, in logits
    ci95: tuple[float, float]
    half_level: float | None  # where half of the answers are right; None if the rate does not change
    questions: int


def cells_asked(types: Sequence[str], levels: Sequence[int]) -> list[Cell]:
    """The cells of question types at levels.

    `types` are `engine.type` or a whole `engine`; none: all trained ones of the main engines. Raises `ValueError` for a
    name that is none.
    """
    known = [(e.name, t.name) for e in engines.ENGINES.values() for t in e.types if not t.held_out]
    for name in types:
        if name not in engines.ENGINES and tuple(name.split(".", 1)) not in known:
            raise ValueError(f"--types must name engines, or trained types as engine.type, got {name!r}")
    wanted = [pair for pair in known if pair[0] in (types or engines.MAIN) or ".".join(pair) in types]
    return [Cell(*pair, level) for level in levels for pair in wanted]


def rate_interval(rates: Float[np.ndarray, "m"], k: int) -> tuple[float, float]:
    """95 % interval of the mean of m questions' pass rates out of k answers each.

    Wilson's with n = p(1 - p) / variance of the mean, kept within m and m k: as if so many answers were independent.
    """
    m, p = len(rates), float(rates.mean())
    variance = float(rates.var(ddof=1)) / m if m > 1 else 0.0
    n = min(max(p * (1 - p) / variance, m), m * k) if variance > 0 else float(m)
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def fit_levels(levels: Float[np.ndarray, "m"], rates: Float[np.ndarray, "m"], k: int) -> Fit | None:
    """Logistic fit of pass rates out of k on the level, by Newton's method; None for a single level.

    Height and slope have a normal prior of `PRIOR_DEVIATION` about 0. The interval is widened by the overdispersion of
    the questions (Pearson's chi-squared over its degrees of freedom, at least 1).
    """
    if len(set(levels.tolist())) < 2:
        return None
    middle = levels.mean()
    design = np.stack([np.ones(len(levels)), levels - middle], axis=1)
    ridge = np.eye(2) / PRIOR_DEVIATION**2
    beta = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-design @ beta))
        weights = k * fitted * (1 - fitted)
        curvature = design.T @ (design * weights[:, None]) + ridge
        step = np.linalg.solve(curvature, design.T @ (k * (rates - fitted)) - ridge @ beta)
        beta += np.clip(step, -2, 2)  # far from the optimum a whole step can overshoot
        if np.abs(step).max() < 1e-9:
            break
    chi_squared = float((k * (rates - fitted) ** 2 / np.maximum(fitted * (1 - fitted), 1e-3)).sum())
    dispersion = max(1.0, chi_squared / max(1, len(levels) - 2))
    error = math.sqrt(dispersion * np.linalg.inv(curvature)[1, 1])
    slope = float(beta[1])
    half = float(middle - beta[0] / slope) if abs(slope) > 1e-6 else None
    return Fit(slope, (slope - Z95 * error, slope + Z95 * error), half, len(levels))


def summary(records: Sequence[Record], k: int) -> dict[str, Any]:
    """Pass rates, buckets and fits of a grading's records, JSON-ready; questions without answers are left out."""
    asked = [record for record in records if record.responses]
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in asked:
        groups[_cell_of(record)].append(record)
    found = _rates(asked, k) | {"rollouts": k, "not_asked": len(records) - len(asked)}
    found["cells"] = {name: _rates(mine, k) for name, mine in groups.items()}
    levels: dict[str, list[Record]] = defaultdict(list)
    for name, mine in groups.items():
        if "/" in name:
            levels[name.rpartition("/")[2]] += mine
    found["levels"] = {level: _rates(levels[level], k) for level in sorted(levels, key=int)}
    found["fits"] = _fits(asked, k)
    found["lists"] = {name: [r.id for r in asked if difficulty(r.correct) == name] for name in DIFFICULTIES}
    return found


def _rates(records: Sequence[Record], k: int) -> dict[str, Any]:
    """The numbers of some questions."""
    if not records:
        return {"questions": 0}
    rates = np.array([sum(record.correct) / k for record in records])
    counts = {name: sum(difficulty(record.correct) == name for record in records) for name in DIFFICULTIES}
    units = [record.unit for record in records]
    if len(set(units)) < len(units):
        interval = share_interval(rates, np.random.default_rng(0), units)
    else:
        interval = rate_interval(rates, k)
    return {"questions": len(records), "pass_rate": float(rates.mean()), "ci95": list(interval)} | counts


def _fits(records: Sequence[Record], k: int) -> dict[str, Any]:
    """A fit for each question type that was asked at several levels, and one for all types together."""
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for record in records:
        kind, is_engines, level = _cell_of(record).rpartition("/")
        if is_engines:
            for name in ("all", kind):
                points[name].append((int(level), sum(record.correct) / k))
    fits = {}
    for name, pairs in points.items():
        levels, rates = (np.array(column, np.float64) for column in zip(*pairs, strict=True))
        fit = fit_levels(levels, rates, k)
        if fit is not None:
            fits[name] = fit._asdict() | {"ci95": list(fit.ci95)}
    return fits


def _cell_of(record: Record) -> str:
    """`engine.type/level` of an engines' question; of any other all belong to one cell."""
    parts = record.id.split("/")
    is_engines = len(parts) == 5 and parts[1] in engines.ENGINES
    return Cell(parts[1], parts[2], int(parts[3])).name if is_engines else "all questions"


def lines(found: Mapping[str, Any]) -> list[str]:
    """The numbers as a table: slopes first, then the pass rates of cells, levels and all, which stay in sight."""
    rows = []
    if found["fits"]:
        rows.append(f"{'change of difficulty by level':34} {'logits':>9}  {'95 % interval':15}")
    for name, fit in found["fits"].items():
        rates = _of_type(found, name)
        low, high = fit["ci95"]
        said = f"{fit['slope']:+9.2f}  [{low:+.2f}, {high:+.2f}]"
        if rates == 0 or rates == 1:
            said = f"{'–':>9}  {'no' if rates == 0 else 'every'} answer is right: nothing to fit"
        rows.append(f"{name:34} {said}")
    rows += ["", f"{'':34} {'pass rate':>9}  {'95 % interval':15} {'easy':>5} {'medium':>6} {'hard':>5} {'of':>6}"]
    groups = [*found["cells"].items(), *((f"all of level {level}", cell) for level, cell in found["levels"].items())]
    for name, cell in [*groups, ("all", found)]:
        if cell["questions"]:
            low, high = (100 * bound for bound in cell["ci95"])
            counts = f"{cell['easy']:5} {cell['medium']:6} {cell['hard']:5} {cell['questions']:6}"
            rows.append(f"{name:34} {100 * cell['pass_rate']:7.1f} %  [{low:5.1f}, {high:5.1f}]  {counts}")
    return rows[not found["fits"] :]


def _of_type(found: Mapping[str, Any], name: str) -> float:
    """The pass rate of a question type's cells together, or of all."""
    mine = [cell for key, cell in found["cells"].items() if name in ("all", key.rpartition("/")[0])]
    return sum(cell["pass_rate"] * cell["questions"] for cell in mine) / sum(cell["questions"] for cell in mine)
