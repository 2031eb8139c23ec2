"""The page that sets runs side by side: what differs in their configs, their curves together, paired differences.

Runs are compared with the first one, evaluation by evaluation: equal stage and step, and equal questions, since a
suite's questions depend on the config and not on the run. Where settings have several seeds, their means come first.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from perc_jax.report.chart import COLOURS, Series, percent, short
from perc_jax.report.differences import changes
from perc_jax.report.page import Evaluation, Run, document, figure, warnings_of
from perc_jax.report.seeds import Setting, by_seed, difference, mean_run, settings

CURVES = (  # title, metric, form, floor
    ("Reward", "rollout/reward", short, None),
    ("Accuracy of sampled completions", "rollout/accuracy", percent, 0.0),
    ("Groups with no signal", "groups/no_signal_share", percent, 0.0),
    ("Entropy", "rollout/entropy", short, 0.0),
    ("Completion length", "rollout/completion_length", short, None),
    ("Gradient norm", "train/grad_norm", short, 0.0),
    ("Distance of answers from right answers", "rollout/answer_drift", percent, 0.0),
    ("Seconds per step", "time/step_s", short, 0.0),
)


def comparison(runs: Sequence[Run]) -> str:
    """Write the whole page."""
    names, groups = _titles(runs), settings(runs)
    has_seeds = 1 < len(groups) < len(runs)
    first = groups[0].name if has_seeds else names[0]
    sections = [
        f'<h1>{len(runs)} runs</h1><p class="soft">perc_jax comparison. Differences are those to '
        f"<b>{escape(first)}</b>.</p>" + warnings_of(runs),
        _configs(runs, names),
    ]
    single = _held_out(runs, names) + _curves(runs, names)
    if has_seeds:
        sections += [_over_seeds(groups), f"<details><summary>Every run by itself</summary>{single}</details>"]
    else:
        sections.append(single)
    return document("perc_jax comparison", "".join(sections))


def _over_seeds(groups: Sequence[Setting]) -> str:
    """The settings as means over their seeds."""
    names = [group.name for group in groups]
    seeds = ", ".join(f"{escape(group.name)}: {len(group.runs)}" for group in groups)
    means = [mean_run(group) for group in groups]
    return (
        f'<h2>Means over seeds</h2><p class="soft">Runs that differ in the seed alone are one line ({seeds}).</p>'
        + _held_out(means, names, groups)
        + _curves(means, names)
    )


def _titles(runs: Sequence[Run]) -> list[str]:
    """The runs' folders, numbered where two are alike."""
    names = [run.name for run in runs]
    return [f"{name} ({place + 1})" if names.count(name) > 1 else name for place, name in enumerate(names)]


def _flat(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a config by path; of a list of objects also what they are called, for it says their order."""
    if isinstance(config, Mapping) and (config or not path):
        for name, value in config.items():
            yield from _flat(value, f"{path}.{name}" if path else name)
    elif isinstance(config, list) and config and all(isinstance(entry, Mapping) for entry in config):
        called = _called(config)
        yield path, called
        for name, entry in zip(called, config, strict=True):
            yield from _flat(entry, f"{path}[{name}]")
    else:
        yield path, config


def _called(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to call each: its own name, or its place from 1 on where it has none or shares it with another."""
    names = [str(entry.get("name", "")) for entry in entries]
    return [name if name and names.count(name) == 1 else str(place) for place, name in enumerate(names, 1)]


def _configs(runs: Sequence[Run], names: Sequence[str]) -> str:
    """The fields in which the configs differ."""
    flat = [dict(_flat(run.config)) for run in runs]
    paths = dict.fromkeys(path for fields in flat for path in fields)
    different = [path for path in paths if len({_exact(fields, path) for fields in flat}) > 1]
    if not different:
        return '<h2>Settings</h2><p class="empty">The configs are equal.</p>'
    rows = ""
    for path in different:
        cells = "".join(f"<td>{escape(_written(fields[path])) if path in fields else '–'}</td>" for fields in flat)
        rows += f"<tr><th>{escape(path)}</th>{cells}</tr>"
    return f"<h2>Settings that differ</h2>{_table(['field', *names], rows)}"


def _exact(fields: Mapping[str, Any], path: str) -> str:
    """A field so that others are told from it; empty where it is missing."""
    return json.dumps(fields[path], sort_keys=True) if path in fields else ""


def _written(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(heads: Sequence[str], rows: str, numbers: bool = False) -> str:
    kind = ' class="number"' if numbers else ""
    first, *rest = heads
    head = f"<th>{escape(first)}</th>" + "".join(f"<th{kind}>{escape(name)}</th>" for name in rest)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _held_out(runs: Sequence[Run], names: Sequence[str], groups: Sequence[Setting] = ()) -> str:
    """Charts of greedy accuracy, and a table of paired differences, per suite; with `groups` for means over seeds."""
    suites = dict.fromkeys(suite for run in runs for e in run.evaluations for suite in e.suites)
    if not suites:
        return '<h2>Held-out accuracy</h2><p class="empty">No evaluation yet.</p>'
    blocks = []
    for suite in suites:
        lines = [_points(run, suite, name, place) for place, (run, name) in enumerate(zip(runs, names, strict=True))]
        lines = [line for line in lines if line]
        chart = figure(suite, "Greedy, on fresh scenes; whiskers are 95 % intervals.", lines, [], percent, None)
        blocks.append(
            f'<div class="charts beside">{chart}<div>{_differences(runs, names, suite, groups)}'
            f"{_engines(runs, names, suite)}</div></div>"
        )
    one, interval = "run", "Agresti and Min"
    if groups:
        one = "setting"
        interval = (
            "questions drawn anew, each with all its seeds; below it, each seed by itself. Only seeds that both have "
            "are paired: where these are not all, they are named, and where there are none, no difference is given"
        )
    intro = (
        f'<p class="soft">Accuracy in per cent, and the difference to the first {one} in points on equal questions '
        f"with its 95 % interval ({interval}). Last row: the step by which a {one} has passed the first one's last "
        "accuracy for good, straight lines between evaluations.</p>"
    )
    return f"<h2>Held-out accuracy</h2>{intro}{''.join(blocks)}"


def _engines(runs: Sequence[Run], names: Sequence[str], suite: str) -> str:
    """The engines on which a run's last accuracy surely lies below or above the first run's, the lowest first."""
    words = ""
    for run, name in zip(runs[1:], names[1:], strict=True):
        shared = [(base, _same(run, base)) for base in runs[0].evaluations if suite in base.suites]
        pairs = [(base.suites, other.suites) for base, other in shared if other and suite in other.suites]
        if not pairs:
            continue
        before, after = ({suite: side[suite]} for side in pairs[-1])
        moved = [change for change in changes(before, after, ("engine",)) if change.fell or change.rose]
        for change in sorted(moved, key=lambda change: change.difference):
            sign, mark = ("bad", "▼") if change.fell else ("good", "▲")
            words += f'<li><b class="{sign}">{mark}</b> {escape(name)}: {escape(change.words())}</li>'
    return f'<p class="note">Engines beyond their interval, last evaluation:</p><ul>{words}</ul>' if words else ""


def _points(run: Run, suite: str, name: str, place: int) -> Series | None:
    seen = [(float(e.step), e.suites[suite]) for e in run.evaluations if suite in e.suites]
    if not seen:
        return None
    steps, results = zip(*seen, strict=True)
    accuracies, intervals = [r["accuracy"] for r in results], [tuple(r["ci95"]) for r in results]
    return Series(name, COLOURS[place % len(COLOURS)], steps, accuracies, intervals)


def _differences(runs: Sequence[Run], names: Sequence[str], suite: str, groups: Sequence[Setting]) -> str:
    """One row per evaluation that the first run has; a word where it has none of this suite."""
    reached = _last(runs[0], suite)
    if reached is None:
        words = f"{names[0]}, which the others are compared with, has no evaluation of {suite}."
        return f'<p class="empty">{escape(words)}</p>'
    rows = ""
    for base in runs[0].evaluations:
        if suite not in base.suites:
            continue
        row = f'<td class="number">{100 * base.suites[suite]["accuracy"]:.1f}</td>'
        for run in runs[1:]:
            row += _cell(base, _same(run, base), suite)
        rows += f"<tr><th>{escape(base.title)}, step {base.step:,}</th>{row}</tr>"
    cells = "".join(
        f'<td class="number">{_step(run, suite, reached)}{_reached(groups, place, suite)}</td>'
        for place, run in enumerate(runs)
    )
    rows += f"<tr><th>reaches {100 * reached:.1f} % at step</th>{cells}</tr>"
    return _table([suite, *names], rows, numbers=True)


def _reached(groups: Sequence[Setting], place: int, suite: str) -> str:
    """By which step each seed of a setting passes what the first setting reached with that seed."""
    if not groups:
        return ""
    before, after = (by_seed(groups[index].runs) for index in (0, place))
    bases = {seed: _last(run, suite) for seed, run in before.items() if seed in after}
    each = [_step(after[seed], suite, base) for seed, base in bases.items() if base is not None]
    return f"<small>{', '.join(each)}</small>" if each else ""


def _step(run: Run, suite: str, accuracy: float) -> str:
    """When a run reaches an accuracy, in words."""
    if _last(run, suite) is None:
        return "–"
    step = steps_to(run.evaluations, suite, accuracy)
    return "not" if step is None else f"{step:.0f}"


def _same(run: Run, base: Evaluation) -> Evaluation | None:
    """A run's evaluation of the same stage and step."""
    place = (base.order, base.stage, base.step)
    return next((e for e in run.evaluations if (e.order, e.stage, e.step) == place), None)


def _cell(base: Evaluation, other: Evaluation | None, suite: str) -> str:
    if other is None or suite not in other.suites:
        return '<td class="number">–</td>'
    accuracy = f"{100 * other.suites[suite]['accuracy']:.1f}"
    paired = difference(base.suites[suite], other.suites[suite])
    if paired is None:
        return f'<td class="number">{accuracy}</td>'
    low, high = paired.ci95
    sign = "good" if low > 0 else "bad" if high < 0 else ""
    words = f"{100 * paired.value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
    each = ", ".join(f"{100 * value:+.1f}" for value in paired.each)
    if paired.seeds:
        each = f"{'seeds' if len(paired.seeds) > 1 else 'seed'} {', '.join(paired.seeds)} alone: {each}"
    each = f"<small>{escape(each)}</small>" if each else ""
    return f'<td class="number">{accuracy}<small class="{sign}">{words}</small>{each}</td>'


def _last(run: Run, suite: str) -> float | None:
    """A run's last accuracy on a suite; None if it was never asked."""
    return next((e.suites[suite]["accuracy"] for e in reversed(run.evaluations) if suite in e.suites), None)


def steps_to(evaluations: Sequence[Evaluation], suite: str, accuracy: float) -> float | None:
    """The step at which a run passes an accuracy and stays there, by straight lines between its evaluations; None if
    it ends below."""
    points = [(e.step, e.suites[suite]["accuracy"]) for e in evaluations if suite in e.suites]
    below = [place for place, (_, reached) in enumerate(points) if reached < accuracy]
    if not points or (below and below[-1] == len(points) - 1):
        return None
    if not below:
        return float(points[0][0])
    (left, low), (right, high) = points[below[-1]], points[below[-1] + 1]
    return left + (right - left) * (accuracy - low) / (high - low)


def _curves(runs: Sequence[Run], names: Sequence[str]) -> str:
    """One chart per metric, one line per run."""
    charts = []
    for title, metric, form, floor in CURVES:
        lines = []
        for place, (run, name) in enumerate(zip(runs, names, strict=True)):
            points = [(float(r["step"]), float(r[metric])) for r in run.records if r.get(metric) is not None]
            if points:
                steps, values = zip(*points, strict=True)
                lines.append(Series(name, COLOURS[place % len(COLOURS)], steps, values))
        if lines:
            charts.append(figure(title, "", lines, [], form, floor))
    body = f'<div class="charts">{"".join(charts)}</div>' if charts else '<p class="empty">No steps yet.</p>'
    return f"<h2>Training</h2>{body}"
