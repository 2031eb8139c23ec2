"""What a workdir holds, as a page: one self-contained `report.html`, or several runs side by side.

Reads `config.json`, `metrics.jsonl`, `eval/<order>_<stage>_<step>.json`, `samples/<step>_<stage>.json` with their
pictures, `curriculum/<step>_<stage>_<phase>.json`, and `run.json`: facts of the machine and the run by label, shown as
they are. Whatever is missing is left out of the page, so that a report can be made at any moment of a run.
"""

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from etils import epath

from perc_jax.records.files import write_whole
from perc_jax.records.metrics import read_metrics
from perc_jax.report.compare import comparison
from perc_jax.report.page import Evaluation, Run, Sheet, page

EVAL_NAME = re.compile(r"(\d+)_(.+)_(\d+)\.json")  # order, stage, step
PHASE_NAME = re.compile(r"(\d+)_(.+)_(\d+)\.json")  # step, stage, phase
SHEET_NAME = re.compile(r"(\d+)_(.+)\.json")  # step, stage
MAX_SHEETS = 8  # evenly over the run, the first and the last included
MAX_SAMPLES = 12  # of a sheet, evenly over its suites


class Entry(NamedTuple):
    """A file whose name carries numbers and a stage."""

    path: epath.Path
    groups: tuple[str, ...]


def write_report(workdir: str) -> str:
    """Write `<workdir>/report.html` and return its path.

    Raises:
        ValueError: the workdir does not exist, or one of its JSON files cannot be read.
    """
    folder = _folder(workdir)
    target = folder / "report.html"
    write_whole(target, page(read_run(folder)))
    return str(target)


def write_comparison(workdirs: Sequence[str], out: str) -> str:
    """Write a page about several runs and return its path; raises as `write_report`."""
    runs = [read_run(_folder(workdir)) for workdir in workdirs]
    write_whole(epath.Path(out).expanduser(), comparison(runs))
    return out


def write_picture(workdir: str, out: str) -> str:
    """Write a picture of a run and return its path; raises as `write_report`, and `OSError`."""
    from perc_jax.report import picture  # matplotlib, which pages do without

    picture.draw(read_run(_folder(workdir)), Path(out).expanduser())
    return out


def _folder(workdir: str) -> epath.Path:
    folder = epath.Path(workdir).expanduser()
    if not folder.is_dir():
        raise ValueError(f"--workdir must be the folder of a run, got {workdir!r}")
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
    return Run(
        name=folder.name,
        config=settings,
        facts=_json(facts) if facts.exists() else {},
        records=read_metrics(str(folder)),
        evaluations=sorted(evaluations, key=lambda evaluation: (evaluation.order, evaluation.step)),
        sheets=sheets,
        phases=[_json(path) for path, _ in _named(folder / "curriculum", PHASE_NAME)],
    )


def _evaluations(folder: epath.Path, settings: dict) -> list[Evaluation]:
    """The evaluations; that at a stage's last step is its end's, without a config the last one of each stage is."""
    named = [(path, int(n), stage, int(step)) for path, (n, stage, step) in _named(folder / "eval", EVAL_NAME)]
    last, done = {stage: step for _, _, stage, step in sorted(named, key=lambda entry: entry[3])}, 0
    for stage in settings.get("stages", ()):
        done += stage["steps"]
        last[stage["name"]] = max(done, last.get(stage["name"], done))
    return [Evaluation(n, stage, step, _json(path), n == 0 or step == last[stage]) for path, n, stage, step in named]


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
    """Put each sample's picture into the page, under `picture`; None where the file is gone."""
    filled = []
    for sample in samples:
        places = [base / sample["image"] for base in (folder / "samples", folder) if sample.get("image")]
        found = [place for place in places if place.is_file()]
        picture = "data:image/png;base64," + base64.b64encode(found[0].read_bytes()).decode() if found else None
        filled.append(sample | {"picture": picture})
    return filled


def _json(path: epath.Path) -> Any:
    """Read a JSON file of a run: samples are a list of objects, all others an object. The error names it."""
    try:
        found = json.loads(path.read_text())
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
