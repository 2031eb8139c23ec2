"""Saved responses of any system scored on a public benchmark: totals, intervals, why each item counts or does not.

Responses are JSON lines with `id` and `response`, or a JSON object of id to text (or to an object with the text in a
field), or the lines that an evaluation keeps. Every problem has exactly one response.
"""

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import rich.progress
from rich.console import Console

from perc_jax.benchmarks import Benchmark, Item, Problem, files
from perc_jax.benchmarks.symbolic import Comparer
from perc_jax.records.lines import HEAD

SHOWN_IDS = 3  # in an error
MAX_GROUPS = 40  # lines of the table per group; the JSON file has all


def read_responses(file: Path, field: str = "response") -> dict[str, str]:
    """Read responses by id. Raises `ValueError` that names what is missing, not text, or there twice."""
    found: dict[str, str] = {}
    for name, text in _pairs(file, field):
        if name in found:
            raise ValueError(f"{file}: every id must occur once, got {name} twice")
        if not isinstance(text, str):
            raise ValueError(f"{file}: {field} of {name} must be text, got {text!r}")
        found[name] = text
    return found


def _pairs(file: Path, field: str) -> Iterator[tuple[str, Any]]:
    rows = files.read_lines(file) if file.suffix == ".jsonl" else _whole(file)
    if isinstance(rows, Mapping):  # whatever else an object calls an id, its key is the name
        rows = [(value if isinstance(value, dict) else {field: value}) | {"id": name} for name, value in rows.items()]
    if not isinstance(rows, list):
        raise ValueError(f"{file} must hold a list or an object of responses, got {type(rows).__name__}")
    if rows and isinstance(rows[0], dict) and rows[0].keys() == {HEAD}:
        rows = [_single(row, file) for row in rows[1:]]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or "id" not in row or field not in row:
            raise ValueError(f"{file} response {number} must be an object with id and {field}, got {str(row)[:60]}")
        yield str(row["id"]), row[field]


def _whole(file: Path) -> Any:
    """A JSON file in which no object says a name twice; JSON would keep the last alone."""
    twice: list[str] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            twice.extend([name] if name in found else [])
            found[name] = value
        return found

    content = files.read_json(file, made)
    if twice:
        raise ValueError(f"{file}: every id must occur once, got {twice[0]} twice")
    return content


def _single(row: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """A line that `evaluate` kept, as a response; what was not asked has an empty one."""
    if len(row["responses"]) > 1:
        raise ValueError(f"{file} must have one response per question, got {len(row['responses'])} to {row['id']}")
    return {"id": row["id"], "response": "".join(row["responses"])}


def score(
    benchmark: Benchmark, problems: Sequence[Problem], responses: Mapping[str, str], mode: str = "official"
) -> dict[str, Any]:
    """Score one response per problem that counts in the mode; the result is JSON-ready, see DESIGN.md section 4.

    Raises `ValueError` for a mode that the benchmark lacks, and where the ids of both are not the same.
    """
    benchmark.check_mode(mode)
    left_out = {problem.id for problem in problems if not benchmark.counts(problem, mode)}
    problems = [problem for problem in problems if problem.id not in left_out]
    _check_ids({problem.id for problem in problems}, set(responses) - left_out)
    console = Console(stderr=True)
    items: list[Item] = []
    with Comparer() as compare:
        for problem in rich.progress.track(
            problems, f"scoring {benchmark.name}", console=console, transient=True, disable=not sys.stderr.isatty()
        ):
            items.append(Item(problem, benchmark.score(problem, responses[problem.id], mode, compare)))
    return {
        "benchmark": benchmark.name,
        "mode": mode,
        "protocol": benchmark.modes[mode],
        **benchmark.total(items, mode),
        "unparsed": sum(item.scored.parsed is None for item in items),
        "timed_out": compare.timed_out,
        "summary": benchmark.summary(items, mode),
        "items": [{"id": item.problem.id, **item.scored._asdict()} | _unit(benchmark, item.problem) for item in items],
    }


def _unit(benchmark: Benchmark, problem: Problem) -> dict[str, str]:
    """What a question belongs to, where that is more than itself."""
    unit = benchmark.unit(problem)
    return {"unit": unit} if unit != problem.id else {}


def _check_ids(wanted: set[str], given: set[str]) -> None:
    for what, names in (("missing", wanted - given), ("unknown", given - wanted)):
        if names:
            shown = ", ".join(sorted(names)[:SHOWN_IDS]) + (", …" if len(names) > SHOWN_IDS else "")
            raise ValueError(f"responses must have the ids of the problems, got {len(names)} {what}: {shown}")


def table(result: Mapping[str, Any]) -> list[str]:
    """Write the result as lines: the total, then the benchmark's aggregates, groups indented."""
    lines = [f"{result['benchmark']}, {result['mode']}: {result['protocol']}", line("accuracy", result)]
    lines.append(f"{'unparsed':32} {result['unparsed']:6}")
    if result["timed_out"]:
        lines.append(f"{'comparisons timed out':32} {result['timed_out']:6}")
    return lines + list(lines_of(result["summary"]))


class MeanCount(float):
    """A mean of counts, which is no share, though it need not be whole."""


def line(name: str, share: Mapping[str, Any]) -> str:
    """Write an accuracy with its interval and count."""
    interval = ""
    if "ci95" in share:  # a mean of several evaluations has none
        interval = f"[{100 * share['ci95'][0]:5.1f}, {100 * share['ci95'][1]:5.1f}]"
    return f"{name:32} {100 * share['accuracy']:6.1f} %  {interval:14}  n = {share['n']}"


def lines_of(groups: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write a benchmark's aggregates, groups indented."""
    for name, value in itertools.islice(groups.items(), MAX_GROUPS):
        label = indent + name.replace("_", " ")
        if isinstance(value, MeanCount):
            yield f"{label:32} {value:6.1f}"
        elif isinstance(value, float):
            yield f"{label:32} {100 * value:6.1f} %"
        elif isinstance(value, int):
            yield f"{label:32} {value:6}"
        elif "accuracy" in value:
            yield line(label, value)
        else:
            yield label
            yield from lines_of(value, indent + "  ")
    if len(groups) > MAX_GROUPS:
        yield f"{indent}… and {len(groups) - MAX_GROUPS} more"
