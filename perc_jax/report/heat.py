"""Heat maps of the report: accuracy of each question type at each level before and after, and difficulty over time."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from perc_jax.statistics import wilson_interval

MAX_PHASES = 12  # columns, evenly over the stage
TINT = "0,114,178"


def heat_map_section(evaluations: Sequence[Any], engine_order: Sequence[str]) -> str:
    """Type by level, before and after, one map per suite: the first evaluation and the last.

    Args:
        evaluations: `page.Evaluation`s in order, whose suites have `by.cell` (`engine.type/level`).
        engine_order: engines in the order of the rows; others follow.
    """
    if len(evaluations) < 2:
        return ""
    before, after = _start_of_policy(evaluations), evaluations[-1]
    blocks = []
    for number, suite in enumerate(after.suites):
        old, new = (e.suites.get(suite, {}).get("by", {}).get("cell", {}) for e in (before, after))
        if old and new:
            title = f"{escape(suite)}: accuracy in %, {escape(before.title)} → {escape(after.title)}"
            fold = "" if number else " open"
            table = _type_by_level(old, new, engine_order)
            blocks.append(f"<details{fold}><summary>{title}</summary>{table}</details>")
    if not blocks:
        return ""
    intro = '<p class="soft">Each level has two columns, before and after; the tint is the accuracy.</p>'
    return f"<h2>Question types by level</h2>{intro}{''.join(blocks)}"


def _start_of_policy(evaluations: Sequence[Any]) -> Any:
    """What the last stage began with: the last evaluation of the stage before it."""
    return (
        [e for e in evaluations if e.order < evaluations[-1].order][-1:][0] if evaluations[-1].order else evaluations[0]
    )


def _type_by_level(old: Mapping[str, Any], new: Mapping[str, Any], engine_order: Sequence[str]) -> str:
    cells = {**old, **new}
    levels = sorted({int(name.rpartition("/")[2]) for name in cells})
    types = sorted({name.rpartition("/")[0] for name in cells}, key=lambda name: _place(name, engine_order))
    heads = "".join(f'<th class="first" colspan="2">level {level}</th>' for level in levels)
    rows = ""
    for name in types:
        row = ""
        for level in levels:
            first, last = (_accuracy(side.get(f"{name}/{level}"), edge) for side, edge in ((old, "first"), (new, "")))
            row += first + last
        rows += f"<tr><th>{escape(name)}</th>{row}</tr>"
    head = f"<thead><tr><th></th>{heads}</tr></thead>"
    return f'<div class="scroll"><table class="heat narrow">{head}<tbody>{rows}</tbody></table></div>'


def _accuracy(cell: Mapping[str, Any] | None, edge: str) -> str:
    if not cell:
        return f'<td class="{edge}"></td>'
    low, high = wilson_interval(round(cell["accuracy"] * cell["n"]), cell["n"])
    note = f"95 % interval {100 * low:.0f} to {100 * high:.0f}, n = {cell['n']}"
    return _tinted(cell["accuracy"], edge, note)


def _tinted(share: float, edge: str, note: str) -> str:
    tint = f"background:rgba({TINT},{0.04 + 0.5 * share:.2f})"
    return f'<td class="{edge}" style="{tint}" title="{escape(note)}">{100 * share:.0f}</td>'


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
        '<p class="soft">Pass rates of sampled completions by question type and level, at the steps where they decided '
        "the shares of a phase. A frame: from there on the cell is drawn at least half as often again as at first. "
        "Empty: not measured yet.</p>"
    )
    return f"<h2>Difficulty over time</h2>{intro}{''.join(blocks)}"


def _over_time(phases: Sequence[Mapping[str, Any]], engine_order: Sequence[str]) -> str:
    shown = list(phases)
    if len(shown) > MAX_PHASES:
        shown = [phases[round(i * (len(phases) - 1) / (MAX_PHASES - 1))] for i in range(MAX_PHASES)]
    places = [{name: place for place, name in enumerate(phase["cells"])} for phase in shown]
    names = sorted({name for found in places for name in found}, key=lambda name: _place(name, engine_order))
    base = dict(zip(phases[0]["cells"], phases[0]["share"], strict=True))
    heads = "".join(f"<th>{phase['step']:,}</th>" for phase in shown)
    rows = ""
    for name in names:
        row = ""
        for phase, found in zip(shown, places, strict=True):
            place = found.get(name)
            rate = None if place is None else phase["rate"][place]
            share = 0.0 if place is None else phase["share"][place]
            if rate is None:
                row += "<td></td>"
            else:
                note = f"{phase['kind'][place]}, {1000 * share:.0f} ‰ of the draws, {phase['groups'][place]} groups"
                mark = ' class="drawn"' if share > 1.5 * base.get(name, 0.0) else ""
                tint = f"background:rgba({TINT},{0.04 + 0.5 * rate:.2f})"
                row += f'<td{mark} style="{tint}" title="{escape(note)}">{100 * rate:.0f}</td>'
        rows += f"<tr><th>{escape(name.replace('/', ', level '))}</th>{row}</tr>"
    head = f"<thead><tr><th>step</th>{heads}</tr></thead>"
    return f'<div class="scroll"><table class="heat narrow">{head}<tbody>{rows}</tbody></table></div>'


def _place(name: str, order: Sequence[str]) -> tuple[int, str]:
    """Sort key: engines in the given order, then types and levels."""
    engine = name.partition(".")[0]
    return order.index(engine) if engine in order else len(order), name
