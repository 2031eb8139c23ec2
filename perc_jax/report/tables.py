"""The report's tables: accuracy before and after each stage, whole and by group, and the sample sheets."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from perc_jax.report import grids
from perc_jax.report.differences import changes, compare, difference_cell
from perc_jax.report.grids import Cell, Row
from perc_jax.rewards.forms import Form, parts
from perc_jax.statistics import wilson_interval

SHORT_TEXT = 80  # characters of an answer that stand beside what it earned; longer ones stand below
TONES = 6  # of parts, in `assets/report.css`; more parts begin again
BREAKDOWNS = (("engine", "By engine", True), ("level", "By level", False), ("type", "By question type", False))
FIT_COLUMNS = 3  # evaluations whose columns a telephone's screen has room for
EARNED = (("reward", ".3g"), ("advantage", "+.2f"))  # of an answer in training


def accuracy_section(evaluations: Sequence[Any]) -> str:
    """Greedy accuracy of all evaluations: one row per suite. Takes `page.Evaluation`s in order."""
    if not evaluations:
        return '<h2>Accuracy</h2><p class="empty">No evaluation yet.</p>'
    suites = _suites(evaluations)
    heads, rows = [("test set", "")], {suite: [] for suite in suites}
    for number, evaluation in enumerate(evaluations):
        heads.append((f"{evaluation.title}, step {evaluation.step:,}", "number"))
        if number:
            heads.append(("change", "number"))
        for suite in suites:
            result = evaluation.suites.get(suite)
            rows[suite].append(_accuracy_cell(result))
            if number:
                rows[suite].append(_change_cell(evaluations[number - 1].suites.get(suite), result))
    table = grids.cards(heads, [Row(*row) for row in rows.items()], kind="wide" if len(evaluations) > 1 else "")
    intro = (
        '<p class="soft">Greedy decoding on fresh scenes, with 95 % intervals (Wilson). Change is in points on the '
        "same items, with its 95 % interval (Agresti and Min) and McNemar's exact p-value. A: trained types, levels. "
        "B: the same, photographed. C: harder levels. D: types and styles never trained.</p>"
    )
    return f"<h2>Accuracy</h2>{intro}{table}"


def breakdown_section(evaluations: Sequence[Any], engine_order: Sequence[str]) -> str:
    """Accuracy by engine, level and type, a table per suite, with n, intervals and what the last stage changed.

    Args:
        evaluations: `page.Evaluation`s in order.
        engine_order: engines in the order of the rows; others follow.
    """
    parts = "".join(_breakdown(evaluations, engine_order, *which) for which in BREAKDOWNS)
    if not parts:
        return ""
    intro = (
        f'<p class="soft">Accuracy in %, tinted {grids.scale()}, below it the 95 % interval (Wilson). Change: from the '
        "evaluation before to the last one, in points; ▲ and ▼ where its 95 % interval leaves out 0.</p>"
    )
    return f"<h2>Accuracy by group</h2>{intro}{parts}"


def _suites(evaluations: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(suite for evaluation in evaluations for suite in evaluation.suites))


def _accuracy_cell(result: Mapping[str, Any] | None) -> Cell:
    """Accuracy with its interval and the number of items."""
    if not result:
        return Cell("–", "number")
    low, high = result["ci95"]
    sure = f"{100 * low:.1f} to {100 * high:.1f} · n {result['n']:,}"
    return Cell(f"<span>{100 * result['accuracy']:.1f} %</span><small>{sure}</small>", "number")


def _change_cell(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Cell:
    """Paired difference, coloured where its interval excludes 0."""
    paired = compare(before, after)
    if paired is None:
        return Cell("–", "number")
    low, high = paired.ci95
    sign = "good" if low > 0 else "bad" if high < 0 else ""
    p_value = "p &lt; 0.001" if paired.p_value < 0.001 else f"p = {paired.p_value:.2g}"
    sure = f"{100 * low:+.1f} to {100 * high:+.1f} · {p_value}"
    return Cell(f'<b class="{sign}">{100 * paired.difference:+.1f}</b><small>{sure}</small>', "number")


def _breakdown(evaluations: Sequence[Any], order: Sequence[str], key: str, title: str, unfolded: bool) -> str:
    """A table per suite: a row per engine (or level, or type), a column per evaluation."""
    blocks = []
    for suite in _suites(evaluations):
        results = [evaluation.suites.get(suite, {}) for evaluation in evaluations]
        groups = [result.get("by", {}).get(key, {}) for result in results]
        names = sorted({name for found in groups for name in found}, key=lambda name: place(name, order))
        if not names:
            continue
        moved = {}
        if len(evaluations) > 1:
            moved = {c.name: c for c in changes({suite: results[-2]}, {suite: results[-1]}, (key,))}
        rows = [_group_row(name, key, groups, moved) for name in names]
        heads = [("level" if key == "level" else "", ""), ("n", "number")]
        heads += [(evaluation.stage if evaluation.order else "start", "number") for evaluation in evaluations]
        heads += [("change", "number")] * (len(evaluations) > 1)
        table = grids.scrolling(
            "<tr>" + "".join(f'<th class="{of}">{escape(name)}</th>' for name, of in heads) + "</tr>",
            "".join(f"<tr><th>{escape(row.name)}</th>{''.join(c.text() for c in row.cells)}</tr>" for row in rows),
            "heat",
            is_wide=len(evaluations) > FIT_COLUMNS,
        )
        blocks.append(f"<div><h3>{escape(suite)}</h3>{table}</div>")
    if not blocks:
        return ""
    summary = f"<summary>{title}</summary>"
    return f'<details{" open" * unfolded}>{summary}<div class="charts even">{"".join(blocks)}</div></details>'


def _group_row(name: str, key: str, groups: Sequence[Mapping[str, Any]], moved: Mapping[str, Any]) -> Row:
    """One group: its size, its accuracy in each evaluation, what the last stage changed."""
    sizes = list(dict.fromkeys(f"{found[name]['n']:,}" for found in groups if name in found))
    cells = [Cell(", ".join(sizes), "number"), *(_heat(found.get(name)) for found in groups)]
    if len(groups) > 1:
        cells.append(difference_cell(moved.get(name)))
    return Row(name, cells)


def place(name: str, order: Sequence[str]) -> tuple[int, int, str]:
    """Sort key: engines (and their types, `engine.type`) in the given order, levels by number."""
    engine = name.partition(".")[0]
    return order.index(engine) if engine in order else len(order), int(name) if name.isdigit() else 0, name


def _heat(cell: Mapping[str, Any] | None) -> Cell:
    """One accuracy on its tint, with its interval."""
    if not cell:
        return Cell("", "number")
    low, high = wilson_interval(round(cell["accuracy"] * cell["n"]), cell["n"])
    sure = f"{100 * low:.0f} to {100 * high:.0f}"
    return grids.tinted(cell["accuracy"], small_html=sure, note=f"95 % interval {sure}, n = {cell['n']}")


def samples_section(sheets: Sequence[Any], form: Form) -> str:
    """Sample sheets (`page.Sheet`s), the newest unfolded; `form` says how their answers are divided."""
    if not sheets:
        return '<h2>Samples</h2><p class="empty">None kept yet.</p>'
    intro = "The picture as the model saw it, every answer it gave, what the verifier read in it, and what it earned."
    blocks = []
    for sheet in reversed(sheets):
        body = "".join(_sample(sample, form) for sample in sheet.samples)
        fold = " open" if sheet is sheets[-1] else ""
        title = f"{escape(sheet.stage.replace('_', ' '))}, step {sheet.step:,}"
        blocks.append(f'<details class="sheet"{fold}><summary>{title}</summary>{body}</details>')
    return f'<h2>Samples</h2><p class="soft">{intro}</p>{"".join(blocks)}'


def _sample(sample: Mapping[str, Any], form: Form) -> str:
    """One question with its picture and answers."""
    picture = (
        f'<img src="{sample["picture"]}" alt="">' if sample.get("picture") else '<div class="missing">no picture</div>'
    )
    labels = [sample.get("suite"), sample.get("engine"), sample.get("question_type"), f"level {sample.get('level')}"]
    chips = " · ".join(escape(str(label).replace("_", " ")) for label in labels if label)
    answers = sample.get("answers", [])
    right = sum(answer.get("accuracy", 0) > 0 for answer in answers)
    of = f" · {right} of {len(answers)} right" if len(answers) > 1 else ""
    gold = f'<code>{escape(str(sample.get("gold", "")))}</code><span class="soft">{of}</span>'
    return (
        f'<div class="sample"><div class="picture">{picture}<div class="chips">{chips}</div></div><div class="asked">'
        f'<p class="question">{escape(str(sample.get("question", "")))}</p><p class="gold">Right answer {gold}</p>'
        f"{_answers(answers, form)}</div></div>"
    )


def _answers(answers: Sequence[Mapping[str, Any]], form: Form) -> str:
    """All answers to a question: short ones in a column, long ones each below what it earned."""
    is_short = all(len(str(answer.get("text", ""))) <= SHORT_TEXT and not answer.get("turns") for answer in answers)
    terms = dict.fromkeys(name for answer in answers for name in answer.get("terms", ()))
    measured = [(f"terms/{name}", ".3g") for name in terms] if len(terms) > 1 else []
    # A test set earns nothing.
    earned = (*measured, *EARNED) if any(answer.get("advantage") is not None for answer in answers) else ()
    names = [escape(key.removeprefix("terms/")).replace("/", "/<wbr>") for key, _ in earned]
    columns = "".join(f'<th class="number">{name}</th>' for name in names)
    head = f"<th></th>{'<th>answer</th>' * is_short}<th>read as</th>{columns}"
    bodies = "".join(_answer(answer, earned, form, is_short=is_short) for answer in answers)
    return f'<table class="answers{" long" * (not is_short)}"><thead><tr>{head}</tr></thead>{bodies}</table>'


def _answer(answer: Mapping[str, Any], earned: Sequence[tuple[str, str]], form: Form, *, is_short: bool) -> str:
    """One answer: a mark, the text, the parse, and what it earned."""
    right = answer.get("accuracy", 0) > 0
    flags = [" not well-formed"] * (answer.get("well_formed") is False) + [" cut off"] * (answer.get("ended") is False)
    flags += [f" {reason.replace('_', ' ')}" for reason in answer.get("met", ())]
    parsed = answer.get("parsed")
    read = f"<code>{escape(str(parsed))}</code>" if parsed is not None else '<span class="empty">nothing</span>'
    values = answer | {f"terms/{name}": value for name, value in answer.get("terms", {}).items()}
    numbers = "".join(
        f'<td class="number" data-label="{escape(key.removeprefix("terms/"))}">{_number(values.get(key), shown)}</td>'
        for key, shown in earned
    )
    mark = f'<td class="mark">{"✓" if right else "✗"}</td>'
    facts = f'<td class="read">{read}<span class="flag">{",".join(flags)}</span></td>{numbers}'
    turns = answer.get("turns")
    said = _talk(turns) if turns else f'<div class="text mono">{_parts(str(answer.get("text", "")), form)}</div>'
    if is_short:
        rows = f'<tr>{mark}<td class="said">{said}</td>{facts}</tr>'
    else:
        rows = f'<tr>{mark}{facts}</tr><tr><td></td><td class="said" colspan="{1 + len(earned)}">{said}</td></tr>'
    return f'<tbody class="{"right" if right else "wrong"}">{rows}</tbody>'


def _talk(turns: Sequence[Mapping[str, Any]]) -> str:
    """A conversation: each turn of the model, its tokens' probabilities folded away, and what was given in return."""
    blocks = ""
    for number, turn in enumerate(turns, 1):
        tokens = "".join(_token(str(text), float(logprob)) for text, logprob in turn.get("tokens", ()))
        folded = f'<details class="tokens"><summary>probabilities</summary><div class="mono">{tokens}</div></details>'
        said = f'<div class="text mono">{escape(str(turn.get("text", "")))}</div>'
        blocks += f'<div class="turn"><b>{number}</b><div>{said}{folded * bool(tokens)}</div></div>'
        pictures = "".join(
            f'<img src="{picture}" alt="">' if picture else '<div class="missing">no picture</div>'
            for picture in turn.get("pictures", ())
        )
        words = escape(str(turn.get("returned", "")))
        if pictures or words:
            blocks += f'<div class="returned">{pictures}<div class="text mono">{words}</div></div>'
    return f'<div class="talk">{blocks}</div>'


def _token(text: str, logprob: float) -> str:
    """A token, the more tinted the less likely it was; the end mark, which has no text, as a sign."""
    chance = math.exp(min(0.0, logprob))
    shown = escape(text).replace("\n", "⏎\n") or "◂"
    return f'<span class="token" style="--doubt:{1 - chance:.2f}" title="{100 * chance:.1f} %">{shown}</span>'


def _parts(text: str, form: Form) -> str:
    """The whole text, each of its parts on a tone of its own."""
    found = ""
    for part in parts(text, form):
        inner = _spaced(part.text)
        if part.number:
            opened, closed = (f"<b>{escape(mark)}</b>" if mark else "" for mark in (part.mark, part.end))
            tone = f"tone{(part.number - 1) % TONES}"
            inner = f'<span class="part {tone}">{opened}{inner}{closed}</span>'
        found += inner
    return found


def _spaced(text: str) -> str:
    """A text whose last blanks, which would be empty lines before the next part, take no room."""
    kept = text.rstrip()
    gap = f'<span class="gap">{text[len(kept) :]}</span>' if len(kept) < len(text) else ""
    return escape(kept) + gap


def _number(value: float | None, form: str) -> str:
    """A number that may be missing."""
    return "–" if value is None else format(value, form)
