"""Heat maps of the report: accuracy of each question type at each level before and after, and difficulty over time."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from perc_jax.report import grids
from perc_jax.report.differences import start_of_policy
from perc_jax.report.grids import Cell
from perc_jax.report.tables import place
from perc_jax.statistics import independent_difference, wilson_interval

MAX_PHASES = 12  # columns, evenly over the stage
FIT_LEVELS = 2  # pairs of columns that a telephone's screen has room for


def heat_map_section(evaluations: Sequence[Any], engine_order: Sequence[str]) -> str:
    """Type by level, before and after, one map per suite: the first evaluation and the last.

    Args:
        evaluations: `page.Evaluation`s in order, whose suites have `by.cell` (`engine.type/level`).
        engine_order: engines in the order of the rows; others follow.
    """
    if len(evaluations) < 2:
        return ""
    before, after = start_of_policy(evaluations), evaluations[-1]
    blocks = []
    for number, suite in enumerate(after.suites):
        old, new = (e.suites.get(suite, {}) for e in (before, after))
        if all(side.get("by", {}).get("cell") for side in (old, new)):
            title = f"{escape(suite)}: accuracy in %, {escape(before.title)} → {escape(after.title)}"
            fold = "" if number else " open"
            table = _type_by_level(old, new, engine_order)
            blocks.append(f"<details{fold}><summary>{title}</summary>{table}</details>")
    if not blocks:
        return ""
    intro = (
        f'<p class="soft">Each level has two columns, before and after, tinted {grids.scale()}, n questions each; '
        "framed red where a cell fell, green where it rose, beyond the 95 % interval of the difference (Newcombe).</p>"
    )
    return f"<h2>Question types by level</h2>{intro}{''.join(blocks)}"


def _type_by_level(old: Mapping[str, Any], new: Mapping[str, Any], engine_order: Sequence[str]) -> str:
    """A row per question type, a column per level, before and after."""
    before, after = (side.get("by", {}).get("cell", {}) for side in (old, new))
    cells = {**before, **after}
    levels = sorted({int(name.rpartition("/")[2]) for name in cells})
    types = sorted({name.rpartition("/")[0] for name in cells}, key=lambda name: place(name, engine_order))
    heads = "".join(f'<th class="first" colspan="2">level {level}</th>' for level in levels)
    rows = ""
    for name in types:
        row = ""
        for level in levels:
            first, last = (side.get(f"{name}/{level}") for side in (before, after))
            row += _accuracy(first, "first").text() + _accuracy(last, _mark(first, last)).text()
        rows += f"<tr><th>{escape(name)}</th>{row}</tr>"
    return grids.scrolling(f"<tr><th></th>{heads}</tr>", rows, "heat narrow", is_wide=len(levels) > FIT_LEVELS)


def _mark(first: Mapping[str, Any] | None, last: Mapping[str, Any] | None) -> str:
    """`fell` or `rose` where a cell's accuracy surely did, as a class."""
    if not first or not last:
        return ""
    sides = [(round(side["accuracy"] * side["n"]), side["n"]) for side in (first, last)]
    low, high = independent_difference(*sides[0], *sides[1])
    return "fell" if high < 0 else "rose" if low > 0 else ""


def _accuracy(cell: Mapping[str, Any] | None, edge: str) -> Cell:
    """An accuracy on its tint with its n; the interval where the pointer rests."""
    if not cell:
        return Cell("", edge)
    low, high = wilson_interval(round(cell["accuracy"] * cell["n"]), cell["n"])
    note = f"95 % interval {100 * low:.0f} to {100 * high:.0f}, n = {cell['n']}"
    return grids.tinted(cell["accuracy"], small_html=f"n {cell['n']}", edge=edge, note=note)


def difficulty_section(phases: Sequence[Mapping[str, Any]], engine_order: Sequence[str]) -> str:
    """Measured pass rates of each cell, phase by phase, per stage.

    Args:
        phases: records of `curriculum/`, in order.
        engine_order: engines in the order of the rows; others follow.
    """
    blocks = []
    for number, stage in enumerate(dict.fromkeys(phase["stage"] for phase in phases)):
        mine = [phase for phase in phases if phase["stage"] == stage]
        if len(mine) > 1:
            table = _over_time(mine, engine_order)
            fold = "" if number else " open"
            blocks.append(f"<details{fold}><summary>{escape(stage)}: pass rates in %</summary>{table}</details>")
    if not blocks:
        return ""
    intro = (
        f'<p class="soft">Pass rates in %, tinted {grids.scale()}, of sampled completions by question type and level, '
        "at the steps where they decided the shares of a phase. A frame: from there on the cell is drawn at least half "
        "as often again as at first. Empty: not measured yet.</p>"
    )
    return f"<h2>Difficulty over time</h2>{intro}{''.join(blocks)}"


def _over_time(phases: Sequence[Mapping[str, Any]], engine_order: Sequence[str]) -> str:
    shown = list(phases)
    if len(shown) > MAX_PHASES:
        shown = [phases[round(i * (len(phases) - 1) / (MAX_PHASES - 1))] for i in range(MAX_PHASES)]
    places = [{name: place for place, name in enumerate(phase["cells"])} for phase in shown]
    names = sorted({name for found in places for name in found}, key=lambda name: place(name, engine_order))
    base = dict(zip(phases[0]["cells"], phases[0]["share"], strict=True))
    heads = "".join(f"<th>{phase['step']:,}</th>" for phase in shown)
    rows = ""
    for name in names:
        row = ""
        for phase, found in zip(shown, places, strict=True):
            at = found.get(name)
            rate = None if at is None else phase["rate"][at]
            share = 0.0 if at is None else phase["share"][at]
            if rate is None:
                row += "<td></td>"
            else:
                note = f"{phase['kind'][at]}, {1000 * share:.0f} ‰ of the draws, {phase['groups'][at]} groups"
                mark = "drawn" if share > 1.5 * base.get(name, 0.0) else ""
                row += grids.tinted(rate, edge=mark, note=note).text()
        rows += f"<tr><th>{escape(name.replace('/', ', level '))}</th>{row}</tr>"
    is_wide = len(shown) > 2 * FIT_LEVELS
    return grids.scrolling(f"<tr><th>step</th>{heads}</tr>", rows, "heat narrow", is_wide=is_wide)
