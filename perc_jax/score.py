"""Score saved responses of any system on a public benchmark: totals, intervals, and why each item counts or does not.

`python -m perc_jax.score mathvista --problems data/mathvista --responses answers.jsonl --json scores.json`. Responses
are JSON lines with `id` and `response`, or a JSON object of id to text (or to an object with the text in `--field`), or
the lines that `perc_jax.evaluate` keeps, for instance to score them in another mode. Every problem has exactly one
response.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from perc_jax import benchmarks
from perc_jax.benchmarks import Benchmark
from perc_jax.evaluation import scoring
from perc_jax.processes import ends


def main(argv: Sequence[str] | None = None) -> None:
    """Score a file of responses, print a table, write the JSON file."""
    with ends.told():
        arguments = _parser().parse_args(argv)
        benchmark = benchmarks.get(arguments.benchmark)
        benchmark.check_mode(arguments.mode)
        problems = benchmark.load(Path(arguments.problems).expanduser() if arguments.problems else benchmark.download())
        responses = scoring.read_responses(Path(arguments.responses).expanduser(), arguments.field)
        result = scoring.score(benchmark, problems, responses, arguments.mode)
        if arguments.json != "-":
            print("\n".join(scoring.table(result)))
        if arguments.json:
            from etils import epath

            from perc_jax.records.files import to_json, write_whole

            text = to_json(result, ensure_ascii=False)
            if arguments.json == "-":
                print(text)
            else:
                write_whole(epath.Path(arguments.json).expanduser(), text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = ends.Parser(
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
    parser.add_argument("--json", help="file for the result, with every item; -: to the screen instead of the table")
    return parser


def _described(benchmark: Benchmark) -> str:
    modes = "\n".join(f"    {mode:11} {text}" for mode, text in benchmark.modes.items())
    return f"  {benchmark.name}\n{modes}"


if __name__ == "__main__":
    main()
