"""What a stage changed, group by group: suites, engines, levels and question types, losses as plainly as gains.

`changes` compares two evaluations; `changes_section` shows what rose and what fell beyond its interval, side by side.
Groups are compared question by question where both evaluations say which group each question belongs to (`asked`), with
rows of a table that show the same picture as one unit; otherwise by their counts alone, as if the questions were not
the same, which makes the interval wider.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from perc_jax.report import grids
from perc_jax.report.grids import Cell
from perc_jax.statistics import PairedDifference, independent_difference, paired_difference

KINDS = ("suite", "engine", "level", "type")
MAX_ROWS = 12  # of each list; the rest is counted
CHANCE = 0.025  # share of groups that fall, and that rise, beyond a 95 % interval where nothing has changed


class Change(NamedTuple):
    """Accuracy of a group of questions before and after, in [0, 1]."""

    suite: str
    kind: str  # of KINDS
    name: str  # empty: the whole suite
    n: int  # questions after
    before: float
    after: float
    ci95: tuple[float, float]  # of the difference

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def fell(self) -> bool:
        """Whether it surely fell: the interval lies below 0."""
        return self.ci95[1] < 0

    @property
    def rose(self) -> bool:
        """Whether it surely rose: the interval lies above 0."""
        return self.ci95[0] > 0

    def words(self) -> str:
        """`sudoku on test_b 22 → 2 %, -20.0 [-32.0, -6.0], n = 40`."""
        low, high = (100 * end for end in self.ci95)
        named = f"level {self.name}" if self.kind == "level" else self.name
        where = f"{named} on {self.suite}" if named else self.suite
        rates = f"{100 * self.before:.0f} → {100 * self.after:.0f} %"
        return f"{where} {rates}, {100 * self.difference:+.1f} [{low:+.1f}, {high:+.1f}], n = {self.n:,}"


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> PairedDifference | None:
    """Compare two results of one suite; None unless both hold the same number of items, which asked the same.

    Results that do not say what they asked (`asked`), as old ones, are taken to have asked the same.
    """
    if not before or not after or not same_asked(before, after):
        return None
    first, second = before.get("correct", []), after.get("correct", [])
    if not first or len(first) != len(second):
        return None
    return paired_difference(np.array(first), np.array(second), units_of(before, after))


def units_of(*results: Mapping[str, Any]) -> Sequence[int] | None:
    """The units of the questions of results that asked the same; None where none says which share one.

    Of rows that are not the same on both sides, as of a table that has changed, those of the fewest units count.
    """
    known = [result["units"] for result in results if "units" in result]
    return min(known, key=lambda units: len(set(units)), default=None)


def same_asked(*results: Mapping[str, Any]) -> bool:
    """Whether those results that say what their questions asked, in order, say the same."""
    known = [result["asked"] for result in results if result.get("asked")]
    return all(asked == known[0] for asked in known)


def changes(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], kinds: Sequence[str] = KINDS
) -> list[Change]:
    """Every group that both evaluations have, suite by suite.

    Args:
        before, after: results by suite, as in a file of `eval/`.
        kinds: of groups, of KINDS.
    """
    found = []
    for suite, new in after.items():
        old = before.get(suite)
        if not old:
            continue
        for kind in kinds:
            groups = new.get("by", {}).get(kind, {}) if kind != "suite" else {"": new}
            made = [_change(suite, kind, name, old, new) for name in groups]
            found += [change for change in made if change]
    return found


def _change(suite: str, kind: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Change | None:
    first, second = ((side.get("by", {}).get(kind, {}).get(name) if name else side) for side in (old, new))
    if not first or not second or "accuracy" not in first or not first.get("n") or not second.get("n"):
        return None
    interval = _paired(kind, name, old, new) or independent_difference(*_count(first), *_count(second))
    return Change(suite, kind, name, second["n"], first["accuracy"], second["accuracy"], interval)


def _count(group: Mapping[str, Any]) -> tuple[int, int]:
    return round(group["accuracy"] * group["n"]), group["n"]


def _paired(kind: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[float, float] | None:
    """The interval question by question; None where it is not known that the questions are the same."""
    if kind == "suite":
        whole = compare(old, new)
        return whole and whole.ci95
    first, second = old.get("correct", []), new.get("correct", [])
    cells = new.get("asked")
    if not cells or cells != old.get("asked") or not len(first) == len(second) == len(cells):
        return None
    mine = [place for place, cell in enumerate(cells) if group_of(cell, kind) == name]
    if not mine:
        return None
    units = units_of(old, new)
    of_mine = units and [units[place] for place in mine]
    return paired_difference(np.array(first)[mine], np.array(second)[mine], of_mine).ci95


def group_of(cell: str, kind: str) -> str:
    """The group of a question of the cell `engine.type/level`."""
    question_type, _, level = cell.rpartition("/")
    return {"engine": question_type.partition(".")[0], "level": level, "type": question_type}[kind]


def start_of_policy(evaluations: Sequence[Any]) -> Any:
    """What the last stage began with: the last evaluation of the stage before it, or the first of all."""
    earlier = [each for each in evaluations if each.order < evaluations[-1].order]
    return earlier[-1] if earlier else evaluations[0]


def changes_section(evaluations: Sequence[Any]) -> str:
    """What rose and what fell from the last stage's begin to its newest evaluation; nothing for a single evaluation.

    Args:
        evaluations: `page.Evaluation`s in order.
    """
    if len(evaluations) < 2:
        return ""
    before, after = start_of_policy(evaluations), evaluations[-1]
    found = changes(before.suites, after.suites)
    if not found:
        return ""
    fell, rose = [c for c in found if c.fell], [c for c in found if c.rose]
    intro = (
        f'<p class="soft">{escape(after.title).capitalize()} against {escape(before.title)}: suites, engines, '
        f"levels and question types whose change has a 95 % interval without 0, of {len(found):,} that were compared. "
        f"Where nothing has changed, about {CHANCE * len(found):.0f} would fall so far by chance, and as many rise.</p>"
    )
    lists = _list("Got worse", "bad", fell) + _list("Got better", "good", rose)
    return f'<h2>Better and worse</h2>{intro}<div class="charts even">{lists}</div>'


def _list(title: str, sign: str, found: Sequence[Change]) -> str:
    """One of the two lists, the largest changes of each kind first."""
    head = f'<h3 class="{sign}">{title}: {len(found)}</h3>'
    if not found:
        return f'<div>{head}<p class="empty">Nothing beyond its interval.</p></div>'
    ordered = sorted(found, key=lambda change: (KINDS.index(change.kind), -abs(change.difference)))
    rows = ""
    for change in ordered[:MAX_ROWS]:
        rates = f"{100 * change.before:.0f} → {100 * change.after:.0f} %<small>n {change.n:,}</small>"
        rows += (
            f"<tr><th>{escape(_title(change))}</th>{Cell(rates, 'number').text()}{difference_cell(change).text()}</tr>"
        )
    names = '<tr><th></th><th class="number">accuracy</th><th class="number">change in points</th></tr>'
    rest = len(found) - MAX_ROWS
    more = f'<p class="note">And {rest} more, in the tables below.</p>' if rest > 0 else ""
    return f"<div>{head}{grids.scrolling(names, rows, 'wide')}{more}</div>"


def _title(change: Change) -> str:
    if not change.name:
        return f"{change.suite}, all of it"
    return f"{change.suite}, " + (f"level {change.name}" if change.kind == "level" else change.name)


def difference_cell(change: Change | None) -> Cell:
    """A change in points with its interval, coloured and marked where it is sure."""
    if change is None:
        return Cell("–", "number")
    sign, mark = ("bad", "▼ ") if change.fell else ("good", "▲ ") if change.rose else ("", "")
    low, high = (100 * end for end in change.ci95)
    html = f'<b class="{sign}">{mark}{100 * change.difference:+.1f}</b><small>{low:+.1f} to {high:+.1f}</small>'
    return Cell(html, "number")


def counts(found: Sequence[Change], kind: str) -> tuple[int, int, int]:
    """How many groups of a kind rose, fell, and were compared."""
    mine = [change for change in found if change.kind == kind]
    return sum(change.rose for change in mine), sum(change.fell for change in mine), len(mine)
