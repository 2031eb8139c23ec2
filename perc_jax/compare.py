"""Compare two evaluations question by question: the difference, how sure it is, and what was gained and lost.

`python -m perc_jax.compare BEFORE AFTER [--json F]`. Each is a file of records that `evaluate` keeps (`….jsonl`), a
folder of such, of which the files of one name are compared, the JSON file that `score` writes, or one of a run's
`eval/`, of which suites of one name are compared and the terms of the run's rewards with them. Only questions that both
were asked count; how they are compared is in `evaluation/compare.py`. Two evaluations that were not asked alike (other
samples, temperature, longest answer, …), or of which that is not known, are compared with a warning.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from perc_jax.evaluation import compare
from perc_jax.processes import ends


@ends.told()
def main(argv: Sequence[str] | None = None) -> None:
    """Compare, print a line per suite, write the JSON file."""
    parser = ends.Parser(prog="python -m perc_jax.compare", description=__doc__.splitlines()[0])
    parser.add_argument("before", metavar="BEFORE", help="records of evaluate (file or folder), or JSON of score")
    parser.add_argument("after", metavar="AFTER", help="the same of another model, or of another mode")
    parser.add_argument("--json", help="file for the results; -: to the screen instead of the lines")
    arguments = parser.parse_args(argv)
    found = {}
    files = compare.pairs(Path(arguments.before), Path(arguments.after))
    both = [pair for name, of_name in files.items() for pair in compare.sides(name, *of_name).items()]
    for name, (before, after) in both:
        found[name] = compare.compare(before, after)
        if arguments.json != "-":
            print("\n".join(compare.lines_of(name, found[name])))
        if found[name]["warnings"]:
            print(f"warning: {compare.warning(name, found[name])}", file=sys.stderr)
    if arguments.json:
        from etils import epath

        from perc_jax.records.files import to_json, write_whole

        if arguments.json == "-":
            print(to_json(found))
        else:
            write_whole(epath.Path(arguments.json).expanduser(), to_json(found) + "\n")


if __name__ == "__main__":
    main()
