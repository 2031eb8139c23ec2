"""The page of the report: its sections, from a run's data to HTML. `runs.py` reads the files."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from perc_jax.config import RewardConfig
from perc_jax.report import grids, stages
from perc_jax.report.chart import COLOURS, PANELS, Series, Span, legend, line_chart, percent, short
from perc_jax.report.differences import changes, changes_section, compare, counts
from perc_jax.report.grids import Cell, Row
from perc_jax.report.heat import difficulty_section, heat_map_section
from perc_jax.report.tables import accuracy_section, breakdown_section, samples_section
from perc_jax.report.watch import findings, watch_section
from perc_jax.rewards.forms import STRICT, Form

STYLE = Path(__file__).parents[1] / "assets" / "report.css"


class Evaluation(NamedTuple):
    """One file of `eval/`."""

    order: int  # 0 before anything, 1 after the first stage, …
    stage: str
    step: int
    suites: dict[str, dict]
    is_end: bool = True  # of its stage; False: between two of its steps

    @property
    def title(self) -> str:
        """Column heading."""
        if not self.order:
            return "at the start"
        return f"after {self.stage}" if self.is_end else f"in {self.stage}"


class Sheet(NamedTuple):
    """One file of `samples/`, its pictures as data URIs."""

    step: int
    stage: str
    samples: list[dict]


class Run(NamedTuple):
    """Everything the page shows; any part may be empty."""

    name: str
    config: dict
    facts: dict
    records: list[dict]  # lines of metrics.jsonl
    evaluations: list[Evaluation]  # in order
    sheets: list[Sheet]  # in order
    phases: list[dict]  # of `curriculum/`, in order
    warnings: tuple[str, ...] = ()  # what is not as a run leaves it
    origins: tuple[dict, ...] = ()  # configs of the runs whose weights it began with, as far back as they are there


def page(run: Run) -> str:
    """Write the whole document."""
    order, ended = engine_order(run.config), [evaluation for evaluation in run.evaluations if evaluation.is_end]
    sections = [
        _header(run),
        accuracy_section(ended),
        changes_section(run.evaluations),
        breakdown_section(ended, order),
        heat_map_section(run.evaluations, order),
        watch_section(findings(run.records, run.evaluations, stage_kinds(run))),
        _curves(run),
        difficulty_section(run.phases, order) if _is_steered(run) else "",
        _times(run),
        samples_section(run.sheets, _form(run.config)),
        _settings(run),
    ]
    return document(f"{run.config.get('name', run.name)} · perc_jax report", "".join(sections))


def document(title: str, body: str) -> str:
    """A whole page with the report's style."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE.read_text()}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _form(config: Mapping[str, Any]) -> Form:
    """How a run's answers are divided; of a run without a config it is not known, and the commonest form is taken."""
    data = config.get("data", {})
    return Form(data.get("answer_form", STRICT.kind), tuple(data.get("answer_sections", ())))


def _header(run: Run) -> str:
    """Name, state, the numbers that matter most, facts of the machine."""
    planned = max(stages.of_records(run.config, run.records).values(), default=0)
    done = max((record["step"] for record in run.records), default=0)
    state = "in progress or interrupted" if done else "not started"
    if planned and done >= planned:
        state = "finished"
    elif done and any(one.step == done and one.is_end for one in run.evaluations if one.stage == _last_stage(run)):
        state = f"finished early: {run.config['evaluation']['watch']} no longer rose"
    seconds = sum(record.get("time/step_s") or 0.0 for record in run.records)
    tiles = _score_tiles([evaluation for evaluation in run.evaluations if evaluation.is_end])
    tiles.append(("Optimizer steps", f"{done:,}" + (f" of {planned:,}" if planned else ""), state))
    if seconds:
        tiles.append(("Time in steps", _duration(seconds), f"{seconds / len(run.records):.2f} s per step"))
    blocks = "".join(f'<div class="tile"><span>{a}</span><b>{b}</b><span>{c}</span></div>' for a, b, c in tiles)
    name = escape(str(run.config.get("name", run.name)))
    head = f'<h1>{name}</h1><p class="soft">perc_jax training report</p>{warnings_of([run])}'
    return f'{head}<div class="tiles">{blocks}</div>{_origin(run)}'


def _last_stage(run: Run) -> str:
    return run.config["stages"][-1]["name"] if run.config.get("stages") else ""


def warnings_of(runs: Sequence[Run]) -> str:
    """What is amiss with the runs' files, in a frame; nothing where all is as it should be."""
    words = "".join(f"<li>{escape(word)}</li>" for run in runs for word in run.warnings)
    return f'<div class="warning"><b>Not everything is there.</b><ul>{words}</ul></div>' if words else ""


def _origin(run: Run) -> str:
    """Where the run comes from: its command, code and config, then the facts of machine and run."""
    facts = dict(run.facts)
    origin = {name: str(facts.pop(name)) for name in ("command", "commit") if name in facts}
    lines = "".join(f"<div><dt>{name}</dt><dd><code>{escape(text)}</code></dd></div>" for name, text in origin.items())
    if run.config:
        lines += "<div><dt>config</dt><dd>in full at the end of this page, under Recipe</dd></div>"
    shown = {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in facts.items()}
    rest = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in shown.items())
    return f'<dl class="facts origin">{lines}</dl><dl class="facts">{rest}</dl>'


def _score_tiles(evaluations: Sequence[Evaluation]) -> list[tuple[str, str, str]]:
    """Latest accuracy on the first suite, and what the last stage changed; nothing without an evaluation."""
    if not evaluations:
        return []
    latest = evaluations[-1]
    suite, result = next(iter(latest.suites.items()))
    low, high = result["ci95"]
    sure = f"{100 * low:.1f} to {100 * high:.1f} at 95 %, n = {result['n']:,}"
    title = f"{escape(suite)} {escape(latest.title)}, greedy"
    tiles = [(title, f"{100 * result['accuracy']:.1f} %", sure)]
    paired = compare(evaluations[-2].suites.get(suite), result) if len(evaluations) > 1 else None
    if paired:
        low, high = paired.ci95
        sure = f"{100 * low:+.1f} to {100 * high:+.1f} at 95 %, paired"
        points = _signed(f"{100 * paired.difference:+.1f} points", low > 0, high < 0)
        tiles.append((f"{escape(suite)}, change by {escape(latest.stage)}", points, sure))
    if len(evaluations) > 1 and (tile := _engines_tile(evaluations)):
        tiles.append(tile)
    return tiles


def _engines_tile(evaluations: Sequence[Evaluation]) -> tuple[str, str, str] | None:
    """How many engines the last stage made surely better and surely worse, over all suites, and the worst of them."""
    before, after = evaluations[-2:]
    found = changes(before.suites, after.suites, ("engine",))
    rose, fell, total = counts(found, "engine")
    if not total:
        return None
    worst = min(found, key=lambda change: change.difference)
    words = f"{rose} ▲ " + _signed(f"{fell} ▼", False, fell > 0) if rose or fell else "none surely"
    return f"engines on test sets, {total} in all", words, f"worst: {escape(worst.words())}"


def _signed(words: str, good: bool, bad: bool) -> str:
    return f'<span class="sign {"good" if good else "bad" if bad else ""}">{escape(words)}</span>'


def stage_kinds(run: Run) -> dict[str, str]:
    """The kind of each stage."""
    return {stage["name"]: stage["kind"] for stage in run.config.get("stages", ())}


def _is_steered(run: Run) -> bool:
    """Whether a curriculum steers a stage; of a run without a config it is not known, and what is there is shown."""
    stages = run.config.get("stages", ())
    kinds = [stage.get("mixture", {}).get("curriculum", {}).get("kind", "none") for stage in stages]
    return not stages or any(kind != "none" for kind in kinds)


def engine_order(config: Mapping[str, Any]) -> list[str]:
    """Engines as the stages list them."""
    mixtures = [stage.get("mixture", {}) for stage in config.get("stages", ())]
    return list(dict.fromkeys(name for mixture in mixtures for name in mixture.get("engines", ())))


def _duration(seconds: float) -> str:
    """Write a duration in words: 42 s, 7 min 20 s, 2 h 5 min."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute} min" if hours else f"{minutes} min {second} s" if minutes else f"{second} s"


def _spans(run: Run) -> list[Span]:
    """Stages along the global step, from the first line of each to its last."""
    steps: dict[str, list[int]] = {}
    for record in run.records:
        steps.setdefault(record["stage"], []).append(record["step"])
    return [Span(name, min(of_stage) - 1.0, float(max(of_stage))) for name, of_stage in steps.items()]


def _curves(run: Run) -> str:
    """All charts: greedy evaluations, the panels, and whatever else the run has measured."""
    if not run.records:
        return '<h2>Training</h2><p class="empty">No steps yet.</p>'
    kinds = stage_kinds(run)
    spans, shown = _spans(run), set()
    charts = []
    if not _is_steered(run):
        shown |= {name for name in names_of(run.records) if name.startswith("curriculum/")}
    for panel in PANELS:
        if panel.steered and not _is_steered(run):
            continue
        records = [record for record in run.records if panel.kind in ("", kinds.get(record["stage"]))]
        names = [name for name in names_of(records) if panel.shows(name)]
        shown |= {*names, *(name for name in names_of(run.records) if name == panel.prefix)}
        lines = _lines(records, names, panel.prefix)
        if len(lines) > panel.several:
            charts.append(figure(panel.title, panel.note, lines, spans, panel.form, panel.floor))
    if len(run.evaluations) > 1:
        greedy = greedy_lines(run.evaluations)
        note = "Fresh scenes, greedy decoding; whiskers are 95 % intervals."
        charts.insert(1 if charts else 0, figure("Greedy accuracy on the test sets", note, greedy, spans, percent, 0.0))
    intro = '<p class="soft">Faint lines are single steps, bold ones a moving mean. Shading marks the stages.</p>'
    clocks = ("time/", "hosts/own_s/")
    rest = [name for name in names_of(run.records) if name not in shown and not name.startswith(clocks)]
    return f'<h2>Training</h2>{intro}<div class="charts">{"".join(charts)}</div>{_other_charts(run, rest, spans)}'


def _other_charts(run: Run, names: Sequence[str], spans: Sequence[Span]) -> str:
    """Charts of the metrics that no panel names; those that never change are listed in a sentence."""
    charts, constant = [], []
    for name in names:
        line = _lines(run.records, [name], name)
        if line and min(line[0].y) == max(line[0].y):
            constant.append(f"<code>{escape(name)}</code> {short(line[0].y[0])}")
        elif line:
            charts.append(figure(name, "", line, spans, short, None))
    if not charts and not constant:
        return ""
    never = f'<p class="note">The same at every step: {", ".join(constant)}.</p>' if constant else ""
    title = f"Further measurements ({len(charts) + len(constant)})"
    return f'<details><summary>{title}</summary>{never}<div class="charts">{"".join(charts)}</div></details>'


def figure(
    title: str,
    note: str,
    lines: Sequence[Series],
    spans: Sequence[Span],
    form: Callable[[float], str],
    floor: float | None,
) -> str:
    """A chart with its heading and legend."""
    words = f'<div class="note">{escape(note)}</div>' if note else ""
    chart = line_chart(lines, spans, form=form, floor=floor)
    return f"<figure><figcaption><h3>{escape(title)}</h3>{words}</figcaption>{legend(lines)}{chart}</figure>"


def names_of(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Metric names in the order in which they first appear."""
    return [name for name in dict.fromkeys(name for record in records for name in record) if "/" in name]


def _lines(records: Sequence[Mapping[str, Any]], names: Sequence[str], prefix: str) -> list[Series]:
    """One series per metric; values that were not finite are left out."""
    lines = []
    for number, name in enumerate(names):
        points = [
            (float(r["step"]), float(r[name])) for r in records if r.get(name) is not None and math.isfinite(r[name])
        ]
        if points:
            x, y = zip(*points, strict=True)
            label = name.removeprefix(prefix) if prefix.endswith("/") else name
            lines.append(Series(label, COLOURS[number % len(COLOURS)], x, y))
    return lines


def greedy_lines(evaluations: Sequence[Evaluation]) -> list[Series]:
    """One series of points per suite."""
    suites = dict.fromkeys(suite for evaluation in evaluations for suite in evaluation.suites)
    lines = []
    for number, suite in enumerate(suites):
        seen = [(float(e.step), e.suites[suite]) for e in evaluations if suite in e.suites]
        steps, results = zip(*seen, strict=True)
        accuracies, intervals = [r["accuracy"] for r in results], [tuple(r["ci95"]) for r in results]
        lines.append(Series(suite, COLOURS[number % len(COLOURS)], steps, accuracies, intervals))
    return lines


def _times(run: Run) -> str:
    """Where the seconds of each stage went."""
    # Seconds of waiting lie within the phases.
    seconds = [name for name in names_of(run.records) if name.startswith("time/") and name != "time/step_s"]
    phases = [name for name in seconds if not name.endswith(("_idle_s", "_wait_s"))]
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(phases)}
    blocks = [_stage_time(run, span.name, colours) for span in _spans(run)]
    return f"<h2>Time</h2>{''.join(blocks)}" if any(blocks) else ""


def _stage_time(run: Run, stage: str, colours: Mapping[str, str]) -> str:
    """A bar of one stage's phases, the longest first."""
    records = [record for record in run.records if record["stage"] == stage]
    sums = {name: sum(record.get(name) or 0.0 for record in records) for name in colours}
    total = sum(sums.values())
    if not total:
        return ""
    bars = keys = ""
    for name in sorted((name for name in colours if sums[name] > 0), key=lambda name: -sums[name]):
        share = 100 * sums[name] / total
        bars += f'<i style="width:{share:.2f}%;background:{colours[name]}" title="{_phase(name)}"></i>'
        written = f"{share:.0f} %" if share >= 1 else "< 1 %"
        keys += f'<span><i style="background:{colours[name]}"></i>{_phase(name)} {sums[name]:.1f} s, {written}</span>'
    per_step = f"{total / len(records):.2f} s per step over {len(records):,} steps"
    title = f"<h3>{escape(stage)}: {_duration(total)}, {per_step}</h3>"
    return f'<div class="stage-time">{title}<div class="stack">{bars}</div><div class="legend">{keys}</div></div>'


def _phase(name: str) -> str:
    """`time/rollout_s` as a word."""
    return escape(name.removeprefix("time/").removesuffix("_s").replace("_", " "))


def _settings(run: Run) -> str:
    """The recipe as a table, and the whole config."""
    if not run.config:
        return ""
    heads = ("stage", "kind", "steps", "prompts × group", "learning rate", "data", "reward")
    rows = [_stage_row(stage) for stage in run.config.get("stages", ())]
    table = grids.cards([(name, "") for name in heads], rows, kind="wide")
    whole = escape(json.dumps(run.config, indent=2))
    return f"<h2>Recipe</h2>{table}<details><summary>Whole config</summary><pre>{whole}</pre></details>"


def _earned(reward: Mapping[str, Any]) -> str:
    """The terms of a stored reward with their weights, also of one that an earlier version wrote."""
    terms = RewardConfig.upgraded(reward).get("terms") or [{"term": "accuracy"}]
    named = [(term.get("weight", 1.0), term.get("name") or term["term"].rpartition(":")[2]) for term in terms]
    return " + ".join(name if weight == 1 else f"{weight:g} × {name}" for weight, name in named)


def _stage_row(stage: Mapping[str, Any]) -> Row:
    """One stage of the recipe."""
    optimizer, mixture, reward = (stage.get(key, {}) for key in ("optimizer", "mixture", "reward"))
    rate = short(optimizer["learning_rate"]) if "learning_rate" in optimizer else ""
    rate += f", {optimizer['schedule']}" if "schedule" in optimizer else ""
    engines, tables = mixture.get("engines", ()), [_table_name(table) for table in mixture.get("tables", ())]
    levels = ", ".join(str(level) for level in mixture.get("levels", ()))
    photos = f"{100 * mixture.get('photo_share', 0):.0f} % photographed"
    photos += f", {100 * mixture['pointing']:.0f} % for a point" if mixture.get("pointing") else ""
    kind = mixture.get("difficulty", "all")
    only = f"{kind} questions of " if kind != "all" else ""
    drawn = [f"{only}{', '.join(engines)}; levels {levels}; {photos}"] if engines else []
    data = "; ".join([*drawn, *tables])
    earns = "gold answers"
    if stage["kind"] == "grpo":
        earns = "a coin (control)" if reward.get("control") == "random" else _earned(reward)
    size = f"{stage.get('prompts_per_step')} × {stage.get('group_size', 1)}"
    cells = (stage["kind"], f"{stage['steps']:,}", size, rate, data, earns)
    return Row(stage["name"], [Cell(escape(str(cell))) for cell in cells])


def _table_name(table: Mapping[str, Any]) -> str:
    """A stored table's name, or its path, and which of its rows are drawn."""
    rows = table.get("difficulty", "all")
    return (table.get("name") or str(table.get("path"))) + (f" ({rows})" if rows != "all" else "")
