"""What a workdir holds, as a page: one self-contained `report.html`, or several runs side by side.

Reads `config.json`, `metrics.jsonl`, `eval/<order>_<stage>_<step>.json`, `samples/<step>_<stage>.json` with their
pictures, `curriculum/<step>_<stage>_<phase>.json`, and `run.json`: facts of the machine and the run by label, shown as
they are. Whatever is missing is left out of the page, so that a report can be made at any moment of a run; what ought
to be there and is not, such as metrics of steps that a checkpoint has, is named on the page.
"""

import base64
import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from etils import epath

from perc_jax.records import commits, reading
from perc_jax.records.files import absolute, write_whole
from perc_jax.records.metrics import is_damaged, read_metrics
from perc_jax.report import stages
from perc_jax.report.compare import comparison
from perc_jax.report.page import Evaluation, Run, Sheet, page

EVAL_NAME = re.compile(r"(\d+)_(.+)_(?P<step>\d+)\.json")  # order, stage, step
PHASE_NAME = re.compile(r"(?P<step>\d+)_(.+)_(\d+)\.json")  # step, stage, phase
SHEET_NAME = re.compile(r"(?P<step>\d+)_(.+)\.json")  # step, stage
PICTURE_NAME = re.compile(r"(?P<step>\d+)_.+\.png")  # of a sheet
NAMES = {"eval": (EVAL_NAME,), "samples": (SHEET_NAME, PICTURE_NAME), "curriculum": (PHASE_NAME,)}  # by folder
PARTS = ("config.json", "metrics.jsonl", "run.json", "eval", "samples", "checkpoints", "curriculum")  # of a workdir
MAX_SHEETS = 8  # evenly over the run, the first and the last included
MAX_SAMPLES = 12  # of a sheet, evenly over its suites


class Entry(NamedTuple):
    """A file whose name carries numbers and a stage."""

    path: epath.Path
    groups: tuple[str, ...]


def write_report(workdir: str, argument: str = "--workdir", warn: Callable[[str], None] | None = None) -> str:
    """Write `<workdir>/report.html` and return its path.

    Args:
        workdir: local or gs://.
        argument: how the user gave it, for the error.
        warn: told of each thing that ought to be there and is not.

    Raises:
        ValueError: the workdir is no run's, or one of its JSON files cannot be read.
    """
    folder = _folder(workdir, argument)
    target, run = folder / "report.html", read_run(folder)
    write_whole(target, page(run))
    _tell([run], warn)
    return str(target)


def write_comparison(workdirs: Sequence[str], out: str, warn: Callable[[str], None] | None = None) -> str:
    """Write a page about several runs and return its path; `warn` and what it raises as of `write_report`."""
    runs = [read_run(folder) for folder in [_folder(workdir, "RUN") for workdir in workdirs]]
    write_whole(epath.Path(out).expanduser(), comparison(runs))
    _tell(runs, warn)
    return out


def _tell(runs: Sequence[Run], warn: Callable[[str], None] | None) -> None:
    for word in [word for run in runs for word in run.warnings] if warn else ():
        warn(word)


def write_picture(workdir: str, out: str, argument: str = "--workdir") -> str:
    """Write a picture of a run and return its path; raises as `write_report`, and `OSError`."""
    from perc_jax.report import picture  # matplotlib, which pages do without

    picture.draw(read_run(_folder(workdir, argument)), Path(out).expanduser())
    return out


def _folder(workdir: str, argument: str) -> epath.Path:
    """A run's folder; `ValueError` for one that holds nothing of a run, where a page would be out of place."""
    folder = absolute(workdir)
    if not folder.is_dir():
        raise ValueError(f"{argument} must be the folder of a run, got {workdir!r}, which is no folder")
    if not any((folder / name).exists() for name in PARTS):
        parts = f"{', '.join(PARTS[:-1])} nor {PARTS[-1]}"
        raise ValueError(f"{argument} must be the folder of a run, got {workdir!r}, which has neither {parts}")
    return folder


def read_run(folder: epath.Path) -> Run:
    """Read everything the page shows."""
    config, facts = folder / "config.json", folder / "run.json"
    settings = _json(config) if config.exists() else {}
    evaluations = _evaluations(folder, settings)
    sheets = [
        Sheet(int(step), stage, _with_pictures(folder, _spread(_json(path), MAX_SAMPLES)))
        for path, (step, stage) in _spread(_named(folder / "samples", SHEET_NAME), MAX_SHEETS)
    ]
    records = read_metrics(str(folder))
    reached = max([evaluation.step for evaluation in evaluations] + _checkpoints(folder), default=0)
    return Run(
        name=folder.name,
        config=settings,
        facts=_json(facts) if facts.exists() else {},
        records=records,
        evaluations=sorted(evaluations, key=lambda evaluation: (evaluation.order, evaluation.step)),
        sheets=sheets,
        phases=[_json(path) for path, _ in _named(folder / "curriculum", PHASE_NAME)],
        warnings=_amiss(folder, [record["step"] for record in records], reached),
        origins=_origins(settings),
    )


def _origins(settings: dict) -> tuple[dict, ...]:
    """The configs of the runs whose weights a run began with, the nearest first, each with `which` of its checkpoints
    it was; those whose folder is gone are left out, and what lies behind them."""
    found, seen = [], set()
    while (name := settings.get("begin_from", "")) and name not in seen:
        seen.add(name)
        choice = commits.named(name)
        file = absolute(choice.workdir) / "config.json"
        if not file.exists():
            break
        settings = _json(file)
        found.append(settings | {"which": choice.which})
    return tuple(found)


def step_of(folder: str, name: str) -> int | None:
    """The step that left a file of that name in a workdir's folder; None for a file that no run leaves there."""
    found = next(filter(None, (pattern.fullmatch(name) for pattern in NAMES[folder])), None)
    return int(found["step"]) if found else None


def _checkpoints(folder: epath.Path) -> list[int]:
    """The steps of the checkpoints that are complete."""
    commits = (folder / "checkpoints").glob("*/commit.json")
    return [int(commit.parent.name) for commit in commits if commit.parent.name.isdigit()]


def _amiss(folder: epath.Path, steps: Sequence[int], reached: int) -> tuple[str, ...]:
    """What the metrics lack, in words: they hold every step that an evaluation or a checkpoint has come to.

    Args:
        folder: of the run.
        steps: that its metrics hold.
        reached: the newest step of an evaluation or a checkpoint.
    """
    path, words = folder / "metrics.jsonl", []
    if reached and not path.exists():
        words.append(f"{path} is missing, though the run has come to step {reached:,}: its curves cannot be shown")
    elif reached > max(steps, default=0):
        words.append(f"{path} ends at step {max(steps, default=0):,}, though the run has come to step {reached:,}")
    if is_damaged(str(folder)):
        words.append(f"{path} is damaged in line {len(steps) + 1:,}: what stands from there on is left out")
    gaps = [(a, b) for a, b in itertools.pairwise([0, *steps]) if b != a + 1]
    if gaps:
        words.append(f"{path} should go on from step {gaps[0][0]:,} to the next, but goes on to {gaps[0][1]:,}")
    return tuple(words)


def _evaluations(folder: epath.Path, settings: dict) -> list[Evaluation]:
    """The evaluations; that at a stage's last step is its end's, as planned or where patience with it was at its end;
    without a config the last one of each stage is."""
    named = [(path, int(n), stage, int(step)) for path, (n, stage, step) in _named(folder / "eval", EVAL_NAME)]
    last = {stage: step for _, _, stage, step in sorted(named, key=lambda entry: entry[3])}
    last |= {name: max(end, last.get(name, end)) for name, end in stages.ends(settings, last).items()}
    read = [(n, stages.Asked(stage, step, _json(path))) for path, n, stage, step in named]
    last |= stages.given_up(settings, sorted((one for _, one in read), key=lambda one: one.step))
    return [Evaluation(n, *one, n == 0 or one.step == last[one.stage]) for n, one in read]


def _named(folder: epath.Path, pattern: re.Pattern) -> list[Entry]:
    """Files of a folder whose names match, ordered by their first number; none if there is no such folder."""
    if not folder.is_dir():
        return []
    matched = [(path, pattern.fullmatch(path.name)) for path in folder.iterdir()]
    entries = [Entry(path, match.groups()) for path, match in matched if match]
    return sorted(entries, key=lambda entry: (int(entry.groups[0]), entry.groups[1:]))


def _spread(entries: Sequence[Any], count: int) -> list[Any]:
    """Take `count` entries evenly, the first and the last included."""
    if len(entries) <= count:
        return list(entries)
    return [entries[round(i * (len(entries) - 1) / (count - 1))] for i in range(count)]


def _with_pictures(folder: epath.Path, samples: Sequence[dict]) -> list[dict]:
    """Put each sample's picture into the page, under `picture`, and those of its conversations, in their places; None
    where the file is gone."""
    filled = []
    for sample in samples:
        answers = [
            answer | {"turns": [_turn(folder, turn) for turn in answer["turns"]]} if answer.get("turns") else answer
            for answer in sample.get("answers", [])
        ]
        filled.append(sample | {"picture": _picture(folder, sample.get("image")), "answers": answers})
    return filled


def _turn(folder: epath.Path, turn: dict) -> dict:
    return turn | {"pictures": [_picture(folder, name) for name in turn.get("pictures", ())]}


def _picture(folder: epath.Path, name: str | None) -> str | None:
    """A picture of a run as a data URI."""
    places = [base / name for base in (folder / "samples", folder) if name]
    found = [place for place in places if place.is_file()]
    return "data:image/png;base64," + base64.b64encode(reading.content(found[0])).decode() if found else None


def _json(path: epath.Path) -> Any:
    """Read a JSON file of a run: samples are a list of objects, all others an object. The error names it."""
    text = reading.text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must hold JSON: {error}") from error
    kind = path.parent.name
    if kind == "samples":
        right, what = isinstance(found, list) and all(isinstance(part, dict) for part in found), "a list of objects"
    elif kind == "eval":
        right = isinstance(found, dict) and bool(found) and all(isinstance(part, dict) for part in found.values())
        what = "an object of the suites' results"
    else:
        right, what = isinstance(found, dict) and (kind != "curriculum" or "step" in found), "an object of a run"
    if not right:
        raise ValueError(f"{path} must hold {what}, got {str(found)[:40]}")
    return found
