"""Score saved responses of any system on a public benchmark: totals, intervals, and why each item counts or does not.

`python -m perc_jax.score mathvista --problems data/mathvista --responses answers.jsonl --json scores.json`. Responses
are JSON lines with `id` and `response`, or a JSON object of id to text (or to an object with the text in `--field`), or
the lines that `perc_jax.evaluate` keeps, for instance to score them in another mode. Every problem has exactly one
response.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import rich.progress
from rich.console import Console

from perc_jax import benchmarks, cli, interrupts, records
from perc_jax.benchmarks import Benchmark, Item, Problem, files
from perc_jax.benchmarks.symbolic import Comparer

SHOWN_IDS = 3  # in an error
MAX_GROUPS = 40  # lines of the table per group; the JSON file has all


def main(argv: Sequence[str] | None = None) -> None:
    """Score a file of responses, print a table, write the JSON file."""
    arguments = _parser().parse_args(argv)
    interrupts.leave_with("interrupted")
    try:
        benchmark = benchmarks.get(arguments.benchmark)
        benchmark.check_mode(arguments.mode)
        problems = benchmark.load(Path(arguments.problems).expanduser() if arguments.problems else benchmark.download())
        responses = read_responses(Path(arguments.responses).expanduser(), arguments.field)
        result = score(benchmark, problems, responses, arguments.mode)
        print("\n".join(table(result)))
        if arguments.json:
            from etils import epath

            from perc_jax.files import write_whole

            write_whole(epath.Path(arguments.json).expanduser(), json.dumps(result, ensure_ascii=False) + "\n")
    except (ValueError, OSError) as error:
        cli.fail(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perc_jax.score",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benchmarks and their modes:\n" + "\n".join(_described(one) for one in benchmarks.BENCHMARKS.values()),
    )
    parser.add_argument("benchmark", metavar="BENCHMARK", help="one of the names below")
    parser.add_argument("--problems", default="", help="folder or file of the data; from the hub if left out")
    parser.add_argument("--responses", required=True, help="JSON lines {id, response}, or a JSON object by id")
    parser.add_argument("--mode", default="official", help="protocol (default: %(default)s)")
    parser.add_argument("--field", default="response", help="field of a response that holds the text")
    parser.add_argument("--json", help="file for the result, with every item")
    return parser


def _described(benchmark: Benchmark) -> str:
    modes = "\n".join(f"    {mode:11} {text}" for mode, text in benchmark.modes.items())
    return f"  {benchmark.name}\n{modes}"


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
    rows = files.read_lines(file) if file.suffix == ".jsonl" else files.read_json(file)
    if isinstance(rows, Mapping):
        rows = [{"id": name, **(value if isinstance(value, dict) else {field: value})} for name, value in rows.items()]
    if not isinstance(rows, list):
        raise ValueError(f"{file} must hold a list or an object of responses, got {type(rows).__name__}")
    if rows and isinstance(rows[0], dict) and rows[0].keys() == {records.HEAD}:
        rows = [_single(row, file) for row in rows[1:]]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or "id" not in row or field not in row:
            raise ValueError(f"{file} response {number} must be an object with id and {field}, got {str(row)[:60]}")
        yield str(row["id"]), row[field]


def _single(row: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """A line that `evaluate` kept, as a response; what was not asked has an empty one."""
    if len(row["responses"]) > 1:
        raise ValueError(f"{file} must have one response per question, got {len(row['responses'])} to {row['id']}")
    return {"id": row["id"], "response": "".join(row["responses"])}


def score(
    benchmark: Benchmark, problems: Sequence[Problem], responses: Mapping[str, str], mode: str = "official"
) -> dict[str, Any]:
    """Score one response per problem; the result is JSON-ready, see DESIGN.md section 4.

    Raises `ValueError` for a mode that the benchmark lacks, and where the ids of both are not the same.
    """
    benchmark.check_mode(mode)
    _check_ids({problem.id for problem in problems}, set(responses))
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
        **benchmark.total(items),
        "unparsed": sum(item.scored.parsed is None for item in items),
        "timed_out": compare.timed_out,
        "summary": benchmark.summary(items, mode),
        "items": [{"id": item.problem.id, **item.scored._asdict()} for item in items],
    }


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


def line(name: str, share: Mapping[str, Any]) -> str:
    """Write an accuracy with its interval and count."""
    interval = ""
    if "ci95" in share:  # a mean of several evaluations has none
        interval = f"[{100 * share['ci95'][0]:5.1f}, {100 * share['ci95'][1]:5.1f}]"
    return f"{name:32} {100 * share['accuracy']:6.1f} %  {interval:14}  n = {share['n']}"


def lines_of(groups: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write a benchmark's aggregates, groups indented."""
    for name, value in list(groups.items())[:MAX_GROUPS]:
        label = indent + name.replace("_", " ")
        if isinstance(value, float):
            yield f"{label:32} {100 * value:6.1f} %"
        elif isinstance(value, int):
            yield f"{label:32} {value:6}"
        elif "accuracy" in value:
            yield line(label, value)
        else:
            yield label
            yield from lines_of(value, indent + "  ")


if __name__ == "__main__":
    main()
