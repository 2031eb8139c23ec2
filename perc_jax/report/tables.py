"""The report's tables: accuracy before and after each stage, and the sample sheets with every answer."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from perc_jax.statistics import PairedDifference, paired_difference, wilson_interval

MAX_TEXT = 600  # characters of an answer that are shown
BREAKDOWNS = (("engine", "By engine", True), ("level", "By level", True), ("type", "By question type", False))


def accuracy_section(evaluations: Sequence[Any], engine_order: Sequence[str]) -> str:
    """Greedy accuracy of all evaluations: one row per suite, and heat tables by engine, level and type.

    Args:
        evaluations: `page.Evaluation`s in order.
        engine_order: engines in the order of the rows; others follow.
    """
    if not evaluations:
        return '<h2>Accuracy</h2><p class="empty">No evaluation yet.</p>'
    suites = list(dict.fromkeys(suite for evaluation in evaluations for suite in evaluation.suites))
    head, rows = "<th>test set</th>", {suite: f"<th>{escape(suite)}</th>" for suite in suites}
    for number, evaluation in enumerate(evaluations):
        head += f'<th class="number">{escape(evaluation.title)}<br>step {evaluation.step:,}</th>'
        head += '<th class="number">change</th>' if number else ""
        for suite in suites:
            result = evaluation.suites.get(suite)
            rows[suite] += _accuracy_cell(result)
            if number:
                rows[suite] += _change_cell(evaluations[number - 1].suites.get(suite), result)
    body = "".join(f"<tr>{row}</tr>" for row in rows.values())
    width = "wide" if len(evaluations) > 1 else ""
    table = (
        f'<div class="scroll"><table class="{width}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    intro = (
        '<p class="soft">Greedy decoding on fresh scenes, with 95 % intervals (Wilson). Change is in points on the '
        "same items, with its 95 % interval (Agresti and Min) and McNemar's exact p-value. A: trained types, levels. "
        "B: the same, photographed. C: harder levels. D: types and styles never trained.</p>"
    )
    tables = (_breakdown(evaluations, suites, engine_order, *which) for which in BREAKDOWNS)
    return f"<h2>Accuracy</h2>{intro}{table}{''.join(tables)}"


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> PairedDifference | None:
    """Compare two results of one suite; None unless both hold the same number of items."""
    if not before or not after:
        return None
    first, second = before.get("correct", []), after.get("correct", [])
    if not first or len(first) != len(second):
        return None
    return paired_difference(np.array(first), np.array(second))


def _accuracy_cell(result: Mapping[str, Any] | None) -> str:
    """Accuracy with its interval and the number of items."""
    if not result:
        return '<td class="number">–</td>'
    low, high = result["ci95"]
    sure = f"{100 * low:.1f} to {100 * high:.1f} · n {result['n']:,}"
    return f'<td class="number">{100 * result["accuracy"]:.1f} %<small>{sure}</small></td>'


def _change_cell(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Paired difference, coloured where its interval excludes 0."""
    paired = compare(before, after)
    if paired is None:
        return '<td class="number">–</td>'
    low, high = paired.ci95
    sign = "good" if low > 0 else "bad" if high < 0 else ""
    p_value = "p < 0.001" if paired.p_value < 0.001 else f"p = {paired.p_value:.2g}"
    sure = f"{100 * low:+.1f} to {100 * high:+.1f} · {p_value}"
    return f'<td class="number"><b class="{sign}">{100 * paired.difference:+.1f}</b><small>{sure}</small></td>'


def _breakdown(
    evaluations: Sequence[Any], suites: Sequence[str], order: Sequence[str], key: str, title: str, unfolded: bool
) -> str:
    """A heat table: a row per engine (or level, or type), a column per suite and evaluation."""
    columns = [
        (e, e.suites.get(suite, {}).get("by", {}).get(key, {}), "first" if e is evaluations[0] else "")
        for suite in suites
        for e in evaluations
    ]
    names = sorted({name for _, cells, _ in columns for name in cells}, key=lambda name: _place(name, order))
    if not names:
        return ""
    groups = "".join(f'<th class="first" colspan="{len(evaluations)}">{escape(suite)}</th>' for suite in suites)
    heads = "".join(f'<th class="{edge}">{escape(e.stage if e.order else "start")}</th>' for e, _, edge in columns)
    rows = ""
    for name in names:
        rows += f"<tr><th>{escape(name)}</th>{''.join(_heat(cells.get(name), edge) for _, cells, edge in columns)}</tr>"
    head = f"<thead><tr><th></th>{groups}</tr><tr><th></th>{heads}</tr></thead>"
    table = f'<div class="scroll"><table class="heat">{head}<tbody>{rows}</tbody></table></div>'
    return f"<details{' open' * unfolded}><summary>{title}, accuracy in %</summary>{table}</details>"


def _place(name: str, order: Sequence[str]) -> tuple[int, int, str]:
    """Sort key: engines (and their types, `engine.type`) in the given order, levels by number."""
    engine = name.partition(".")[0]
    return order.index(engine) if engine in order else len(order), int(name) if name.isdigit() else 0, name


def _heat(cell: Mapping[str, Any] | None, edge: str) -> str:
    """One accuracy on a tint as strong as it is high; interval and n in the tooltip."""
    if not cell:
        return f'<td class="{edge}"></td>'
    low, high = wilson_interval(round(cell["accuracy"] * cell["n"]), cell["n"])
    note = f"95 % interval {100 * low:.1f} to {100 * high:.1f}, n = {cell['n']}"
    tint = f"background:rgba(0,114,178,{0.04 + 0.42 * cell['accuracy']:.2f})"
    return f'<td class="{edge}" style="{tint}" title="{note}">{100 * cell["accuracy"]:.0f}</td>'


def samples_section(sheets: Sequence[Any]) -> str:
    """Sample sheets (`page.Sheet`s), the newest unfolded."""
    if not sheets:
        return '<h2>Samples</h2><p class="empty">None kept yet.</p>'
    intro = "The picture as the model saw it, every answer it gave, what the verifier read in it, and what it earned."
    blocks = []
    for sheet in reversed(sheets):
        body = "".join(_sample(sample) for sample in sheet.samples)
        fold = " open" if sheet is sheets[-1] else ""
        title = f"{escape(sheet.stage.replace('_', ' '))}, step {sheet.step:,}"
        blocks.append(f'<details class="sheet"{fold}><summary>{title}</summary>{body}</details>')
    return f'<h2>Samples</h2><p class="soft">{intro}</p>{"".join(blocks)}'


def _sample(sample: Mapping[str, Any]) -> str:
    """One question with its picture and answers."""
    picture = (
        f'<img src="{sample["picture"]}" alt="">' if sample.get("picture") else '<div class="missing">no picture</div>'
    )
    labels = [sample.get("suite"), sample.get("engine"), sample.get("question_type"), f"level {sample.get('level')}"]
    chips = " · ".join(escape(str(label).replace("_", " ")) for label in labels if label)
    answers = sample.get("answers", [])
    right = sum(answer.get("accuracy", 0) > 0 for answer in answers)
    of = f" · {right} of {len(answers)} right" if len(answers) > 1 else ""
    head = '<th></th><th>answer</th><th>read as</th><th class="number">reward</th><th class="number">advantage</th>'
    rows = "".join(_answer(answer) for answer in answers)
    gold = f'<code>{escape(str(sample.get("gold", "")))}</code><span class="soft">{of}</span>'
    return (
        f'<div class="sample"><div class="picture">{picture}<div class="chips">{chips}</div></div><div>'
        f'<p class="question">{escape(str(sample.get("question", "")))}</p><p class="gold">Right answer {gold}</p>'
        f'<table class="answers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>'
    )


def _answer(answer: Mapping[str, Any]) -> str:
    """One answer: a mark, the text, the parse, reward and advantage."""
    right = answer.get("accuracy", 0) > 0
    text = str(answer.get("text", ""))
    flags = [" not well-formed"] * (answer.get("well_formed") is False) + [" cut off"] * (answer.get("ended") is False)
    parsed = answer.get("parsed")
    read = f"<code>{escape(str(parsed))}</code>" if parsed is not None else '<span class="empty">nothing</span>'
    said = escape(text[:MAX_TEXT]) + ("…" if len(text) > MAX_TEXT else "")
    numbers = "".join(
        f'<td class="number">{_number(answer.get(key), form)}</td>'
        for key, form in (("reward", "g"), ("advantage", "+.2f"))
    )
    return (
        f'<tr class="{"right" if right else "wrong"}"><td>{"✓" if right else "✗"}</td>'
        f'<td class="said mono">{said}</td><td>{read}<span class="flag">{",".join(flags)}</span></td>{numbers}</tr>'
    )


def _number(value: float | None, form: str) -> str:
    """A number that may be missing."""
    return "–" if value is None else format(value, form)
