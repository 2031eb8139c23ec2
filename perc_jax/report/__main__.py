"""`python -m perc_jax.report RUN`: one self-contained `report.html` from what a run has written so far.

`--workdir RUN` says the same. `--picture F.png` also writes what the engines draw beside the run's accuracy, for a
slide or a page. `python -m perc_jax.report RUN1 RUN2 … --out page.html` sets several runs side by side, the first one
being that which the others are compared with.
"""

import argparse
import sys
from collections.abc import Sequence

from perc_jax.processes import ends
from perc_jax.report import runs


@ends.told()
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = ends.Parser(
        prog="python -m perc_jax.report",
        description="Write report.html for a run, or compare runs.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="folder of a run, or those of several to compare")
    parser.add_argument("--workdir", default="", help="folder of a run, local or gs://; the same as a single RUN")
    parser.add_argument("--out", default="", help="file of the comparison of several runs")
    parser.add_argument("--picture", default="", metavar="PNG", help="file for pictures and accuracy of a single run")
    arguments = parser.parse_args(argv)
    report(arguments)


def report(arguments: argparse.Namespace) -> None:
    """Write what is asked for, print its path, and warn of what is missing. Raises `ValueError` or `OSError`."""
    if arguments.workdir and arguments.runs:
        raise ValueError(f"--workdir must be left out where RUN is given, got {arguments.workdir!r}")
    if not arguments.workdir and not arguments.runs:
        raise ValueError("RUN must be the folder of a run, got none")
    if len(arguments.runs) < 2:
        argument = "--workdir" if arguments.workdir else "RUN"
        workdir = arguments.workdir or arguments.runs[0]
        if arguments.out:
            raise ValueError(
                f"--out must be left out for a single run, whose page is its report.html, got {arguments.out!r}"
            )
        print(runs.write_report(workdir, argument, _warn))
        if arguments.picture:
            print(runs.write_picture(workdir, arguments.picture, argument))
        return
    if arguments.picture:
        raise ValueError(f"--picture must be left out for {len(arguments.runs)} runs, got {arguments.picture!r}")
    if not arguments.out:
        raise ValueError(f"--out must be the file of the comparison of {len(arguments.runs)} runs, got none")
    print(runs.write_comparison(arguments.runs, arguments.out, _warn))


def _warn(words: str) -> None:
    print(f"warning: {words}", file=sys.stderr)


if __name__ == "__main__":
    main()
