"""Two evaluations question by question: the difference, how sure it is, and what was gained and lost.

Only questions that both were asked count, of a user's table that has changed in between only rows that are still the
same; those of the engines' suites are also compared engine by engine. What differs between the two besides the model,
and what the files do not say, is told as a warning: then the difference may not be the model's alone. So it is with a
run's own `eval/`, which numbers its questions and tells the type and level of each, not which scene or row it was: how
they were asked is read in the run's `config.json`, and which versions of the engines drew them in the file itself; that
a table had not changed must be taken on trust.

Where every question is its own unit and has one answer, interval and p-value are those of
`statistics.paired_difference`. Otherwise the interval is a bootstrap over independent units (a seed of DynaMath, a
problem of MathVerse, a scene; `statistics.gain_interval`), and the p-value that of a permutation test that flips the
sign of units' differences. An engine is said to have risen or fallen only where interval and test agree. A term of
rewards may have any range, so where all units differ by the same its interval has no width, and one unit has none.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

import engines
from perc_jax import benchmarks, statistics
from perc_jax.benchmarks import files
from perc_jax.benchmarks.base import BOOTSTRAP_SEED, only_named
from perc_jax.config import DataConfig, TableConfig, from_dict, to_dict
from perc_jax.records import lines
from perc_jax.records.lines import Record

ID_PARTS = 5  # split/engine/type/level/index
NOT_SETTINGS = ("suite", "model", "seed")  # fields of a head that do not say how a question is asked
SURE = 0.05  # p-value below which a difference is called one
CONFIG = "config.json"  # of a run, beside its `eval/`
ASKED_AS = ("image_px", "instruction", "system", "answer_form", "answer_sections")  # of a run's data
OF_PROMPTS = ("max_prompt_tokens", "max_patches")  # of engines' suites too: what does not fit is left out
OF_TABLE = ("min_pixels", "max_pixels")


class Answers(NamedTuple):
    """What one evaluation says of its questions."""

    head: dict[str, Any]  # what it belongs to
    right: dict[str, float]  # share of right answers by id, of the questions that were asked
    units: dict[str, str]
    prompts: Mapping[str, str] = MappingProxyType({})  # fingerprints of what was asked, where they are known
    terms: Mapping[str, Mapping[str, float]] = MappingProxyType({})  # of rewards, by name and id, where they are known
    cells: Sequence[str] = ()  # of a run's own evaluation: what each question asked, in order
    unknown: Sequence[str] = ()  # what the file does not say, in words


def pairs(before: Path, after: Path) -> dict[str, tuple[Path, Path]]:
    """The files to compare, by name. Raises `ValueError` for folders that have no name in common."""
    before, after = before.expanduser(), after.expanduser()
    for argument, path in (("BEFORE", before), ("AFTER", after)):
        if not path.exists():
            raise ValueError(f"{argument} must be a file or a folder that exists, got {path}")
    if before.is_dir() != after.is_dir():
        raise ValueError(f"BEFORE and AFTER must both be files or both be folders, got {before} and {after}")
    if not before.is_dir():
        return {after.stem: (before, after)}
    there = {file.name for file in before.glob("*.jsonl")} & {file.name for file in after.glob("*.jsonl")}
    if not there:
        raise ValueError(f"{before} and {after} must have .jsonl files of the same names, got none")
    return {Path(name).stem: (before / name, after / name) for name in sorted(there)}


def sides(name: str, before: Path, after: Path) -> dict[str, tuple[Answers, Answers]]:
    """What two files say, to compare, by suite; a file with a single one goes by the name that is given.

    Raises `ValueError` that names a file which is none, or `OSError`.
    """
    first, second = (suites_of_run(file) for file in (before, after))
    if not first or not second:
        return {name: (read(before), read(after))}
    common = [suite for suite in first if suite in second]
    if not common:
        raise ValueError(f"{before} and {after} must have a suite in common, got {', '.join((*first, *second))}")
    return {suite: (first[suite], second[suite]) for suite in common}


def suites_of_run(file: Path) -> dict[str, Answers]:
    """What a file of a run's `eval/` says, by suite; nothing of any other file.

    Its questions go by their number and by what they ask. How they were asked is in the `config.json` of the run.
    """
    content = {} if file.suffix == ".jsonl" else files.read_json(file)
    if not isinstance(content, dict) or not all(isinstance(one, dict) and "asked" in one for one in content.values()):
        return {}
    found = {}
    for suite, result in content.items():
        names = [f"{number} {asked}" for number, asked in enumerate(result["asked"])]
        right = dict(zip(names, map(float, result["correct"]), strict=True))
        terms = {
            term: dict(zip(names, values["each"], strict=True)) for term, values in result.get("terms", {}).items()
        }
        head, unknown = _head_of_run(file, suite, result)
        units = dict(zip(names, map(str, result.get("units", names)), strict=True))
        found[suite] = Answers(head, right, units, terms=terms, cells=tuple(result["asked"]), unknown=unknown)
    return found


def _head_of_run(file: Path, suite: str, result: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """How a run asks a suite or a test table, by its config and the result; and what is not known of it, in words."""
    of_engines = all(cell.partition(".")[0] in engines.ENGINES for cell in result["asked"])
    head: dict[str, Any] = {"suite": suite}
    unknown = [] if of_engines else ["that its rows were the same is not known, they go by their number"]
    if of_engines and "versions" in result:
        head["versions of engines"] = result["versions"]
    elif not of_engines and "units" not in result:
        unknown.append(f"which rows of {suite} show the same picture is not known, and they are taken as independent")
    elif of_engines:
        unknown = [f"which versions of the engines drew {suite} is not known, {file} is of before they were kept"]
    place = file.parent.parent / CONFIG
    if file.parent.name != "eval" or not place.is_file():
        return head, [f"how {file} was asked is not known, there is no {CONFIG} of its run", *unknown]
    config = files.read_json(place)
    usual = {field.name: field.default for field in dataclasses.fields(DataConfig)}  # of a config older than a field
    data = {name: list(value) if isinstance(value, tuple) else value for name, value in usual.items()} | config.get(
        "data", {}
    )
    head |= {name: data[name] for name in (*ASKED_AS, *OF_PROMPTS)} | _answered_by(config)
    if of_engines:
        mixtures = [stage.get("mixture", {}) for stage in config.get("stages", ())]
        asked = [mixture.get("pointing", 0.0) for mixture in mixtures if mixture.get("engines")]
        head["pointing"] = sum(asked) / max(1, len(asked))  # as `data.streams.of_suite` takes it
    else:
        tables = [from_dict(TableConfig, one) for one in config.get("evaluation", {}).get("tables", ())]
        head |= {name: data[name] for name in OF_TABLE}
        head["table_config"] = next((to_dict(one) for one in tables if one.label == suite), None)
    return head, unknown


def _answered_by(config: Mapping[str, Any]) -> dict[str, Any]:
    """How a run's replies come about, whatever is asked: greedily, no longer than these, with this environment."""
    played = [stage.get("environment", {}) for stage in config.get("stages", ())]
    played = [one for one in played if one.get("name", "none") != "none"]
    return {
        "max_tokens": config.get("rollout", {}).get("max_tokens"),
        "dtype": config.get("model", {}).get("dtype"),
        "environment": played[-1] if played else "none",  # of the last stage that has one, as `Config.environment`
        "constrained": config.get("codes", {}).get("constrained", False),
    }


def read(file: Path) -> Answers:
    """Read a file of records, or of `score`. Raises `ValueError` that names it, or `OSError`."""
    if file.suffix == ".jsonl":
        return answers(*lines.read(file))
    content = files.read_json(file)
    if not _is_of_score(content):
        raise ValueError(f"{file} must be what perc_jax.score wrote, with its items, or a file of a run's eval/")
    benchmark = benchmarks.get(content["benchmark"])
    right = {str(item["id"]): float(item["correct"]) for item in content["items"]}
    head = {"suite": content["benchmark"], "mode": content["mode"]}
    units = {str(item["id"]): item.get("unit") for item in content["items"]}
    return Answers(head, right, {name: unit or benchmark.unit(only_named(name)) for name, unit in units.items()})


def _is_of_score(content: Any) -> bool:
    """Whether a JSON file holds what `perc_jax.score` writes: the benchmark, its mode, and items that were marked."""
    if not isinstance(content, dict) or not isinstance(content.get("mode"), str):
        return False
    items, benchmark = content.get("items"), content.get("benchmark")
    if not isinstance(benchmark, str) or benchmark not in benchmarks.BENCHMARKS or not isinstance(items, list):
        return False
    return all(isinstance(item, dict) and {"id", "correct"} <= item.keys() for item in items)


def answers(head: Mapping[str, Any], found: Mapping[str, Record]) -> Answers:
    """What records say of the questions that were asked."""
    asked = {name: record for name, record in found.items() if record.responses}
    right = {name: sum(record.correct) / len(record.correct) for name, record in asked.items()}
    units, prompts = ({name: getattr(one, field) for name, one in asked.items()} for field in ("unit", "prompt"))
    return Answers(dict(head), right, units, prompts)


def compare(before: Answers, after: Answers) -> dict[str, Any]:
    """Compare two evaluations of one suite, JSON-ready. Raises `ValueError` for two suites or no common question."""
    suites = [side.head.get("suite") for side in (before, after)]
    if suites[0] != suites[1]:
        raise ValueError(f"both evaluations must be of one suite, got {suites[0]} and {suites[1]}")
    common = [name for name in before.right if name in after.right]
    if before.head.get("table") != after.head.get("table"):  # then a name may stand for another row
        common = [name for name in common if before.prompts.get(name) == after.prompts.get(name)]
    apart = sum(one != other for one, other in zip(before.cells, after.cells, strict=False))
    if not common:
        raise ValueError(f"both evaluations of {suites[0]} must have answered a question, got none in common")
    fields = sorted({name for side in (before, after) for name in side.head})
    values = before.right, after.right
    # An old file may not know which questions belong together.
    units = min((before.units, after.units), key=lambda side: len({side[name] for name in common}))
    by = {engine: _difference(*values, units, mine) for engine, mine in _by_engine(common).items()}
    terms = {
        name: _difference(before.terms[name], after.terms[name], units, common, is_share=False)
        for name in before.terms
        if name in after.terms
    }
    unknown = list(dict.fromkeys((*before.unknown, *after.unknown, *_ungrouped(str(suites[0]), units, common))))
    if apart:
        unknown.append(
            f"of {len(before.cells)} places {apart} ask other types or levels, and which scenes is not known"
        )
    return _difference(*values, units, common) | {
        "only_before": len(before.right) - len(common),
        "only_after": len(after.right) - len(common),
        "differ_in": [name for name in fields if before.head.get(name) != after.head.get(name)],
        "warnings": _warnings(before.head, after.head) + unknown,
        **({"by": {"engine": by}} if by else {}),
        **({"terms": terms} if terms else {}),
    }


def _ungrouped(suite: str, units: Mapping[str, str], common: Sequence[str]) -> list[str]:
    """Words for an old file of a benchmark whose questions belong together, that does not say which do."""
    group = benchmarks.BENCHMARKS[suite].group if suite in benchmarks.BENCHMARKS else ""
    if not group or len(common) == 1 or any(units[name] != name for name in common):
        return []
    return [f"which questions share a {group} is not known, and they are taken as independent"]


def _by_engine(names: Sequence[str]) -> dict[str, list[str]]:
    """The questions of an engines' suite by engine; none of another one."""
    found: dict[str, list[str]] = {}
    for name in names:
        engine = _engine_of(name)
        if engine not in engines.ENGINES:
            return {}
        found.setdefault(engine, []).append(name)
    return {engine: found[engine] for engine in engines.ENGINES if engine in found}


def _engine_of(name: str) -> str:
    """The engine of a question by its id, or by `number engine.type/level` of a run's own evaluation."""
    parts = name.split("/")
    return parts[1] if len(parts) == ID_PARTS else name.partition(" ")[2].partition(".")[0]


def _warnings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """In what the two were asked differently, in words."""
    words = []
    for field in dict.fromkeys((*before, *after)):
        if field in NOT_SETTINGS or before.get(field) == after.get(field):
            continue
        old, new = (json.dumps(side[field]) if field in side else "not known" for side in (before, after))
        words.append(f"{field.replace('_', ' ')} {old} before and {new} after")
    return words


def _difference(
    before: Mapping[str, float],
    after: Mapping[str, float],
    units_by_name: Mapping[str, str],
    common: Sequence[str],
    *,
    is_share: bool = True,
) -> dict[str, Any]:
    """Compare values of the two on these questions; `is_share`: they are within [0, 1] by what they are."""
    first, second = (np.array([side[name] for name in common]) for side in (before, after))
    units = [units_by_name[name] for name in common]
    gained, lost = int((second > first).sum()), int((second < first).sum())
    single = len(set(units)) == len(units) and bool(np.isin([first, second], (0.0, 1.0)).all())
    difference = float((second - first).mean())
    if single:
        paired = statistics.paired_difference(first, second)
        ci95, test, p_value = paired.ci95, "exact McNemar", paired.p_value
    else:
        rng, count = np.random.default_rng(BOOTSTRAP_SEED), len(set(units))
        if is_share:
            ci95 = statistics.gain_interval(second - first, rng, units)
        else:
            ci95 = statistics.clustered_mean(second - first, units, rng)[1:] if count > 1 else None
        test = f"sign flips of {count} unit{'s' * (count > 1)}"
        p_value = statistics.sign_flip(statistics.by_unit(second - first, units)[0], rng)
    return {
        "n": len(common),
        "before": float(first.mean()),
        "after": float(second.mean()),
        "difference": difference,
        "ci95": ci95 and list(ci95),
        "p_value": p_value,
        "test": test,
        "gained": gained,
        "lost": lost,
    }


def lines_of(name: str, found: Mapping[str, Any]) -> list[str]:
    """Write a comparison as lines of text: the suite, its engines, marked where one surely fell or rose, its terms."""
    rows = [line(name, found)]
    for engine, mine in found.get("by", {}).get("engine", {}).items():
        rows.append(line(f"  {engine}", mine) + _mark(mine))
    for term, mine in found.get("terms", {}).items():
        interval = "[{:+.3f}, {:+.3f}]".format(*mine["ci95"]) if mine["ci95"] else "[no interval]"
        rows.append(
            f"  {term:22} {mine['before']:.3f} -> {mine['after']:.3f}  {mine['difference']:+.3f} "
            f"{interval}  p = {mine['p_value']:.2g} ({mine['test']})"
        )
    return rows


def _mark(found: Mapping[str, Any]) -> str:
    """Whether it surely fell or rose: the interval and the test say so."""
    low, high = found["ci95"]
    if found["p_value"] >= SURE or low <= 0 <= high:
        return ""
    return "  ▼ fell" if high < 0 else "  ▲ rose"


def warning(name: str, found: Mapping[str, Any]) -> str:
    """What to say of the differences in asking, and of what is not known of it; empty where there is neither."""
    if not found["warnings"]:
        return ""
    return (
        f"{name}: the two were not asked alike, or it is not known that they were, so the difference may not be the "
        "model's alone: " + "; ".join(found["warnings"])
    )


def line(name: str, found: Mapping[str, Any]) -> str:
    """Write a comparison as a line of text."""
    low, high = (100 * end for end in found["ci95"])
    text = (
        f"{name:16} {100 * found['before']:5.1f} % -> {100 * found['after']:5.1f} %  "
        f"{100 * found['difference']:+5.1f} [{low:+.1f}, {high:+.1f}]  p = {found['p_value']:.2g} ({found['test']})  "
        f"n = {found['n']}, {found['gained']} gained, {found['lost']} lost"
    )
    alone = found.get("only_before", 0) + found.get("only_after", 0)
    return text + (f", {alone} asked of one only" if alone else "")
