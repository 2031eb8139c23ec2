"""`python -m perc_jax.report --workdir DIR`: one self-contained `report.html` from what a run has written so far.

`--picture F.png` also writes what the engines draw beside the run's accuracy, for a slide or a page.
`python -m perc_jax.report RUN1 RUN2 … --out page.html` sets several runs side by side, the first one being that which
the others are compared with.
"""

from collections.abc import Sequence

from perc_jax.processes import ends, interrupts
from perc_jax.report import runs


@ends.told()
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = ends.Parser(prog="python -m perc_jax.report", description="Write report.html for a run.")
    parser.add_argument("runs", nargs="*", help="folders of two or more runs to compare")
    parser.add_argument("--workdir", default="", help="folder of the run, local or gs://")
    parser.add_argument("--out", default="", help="file of the comparison")
    parser.add_argument("--picture", default="", metavar="PNG", help="file for pictures and accuracy; with --workdir")
    arguments = parser.parse_args(argv)
    interrupts.leave_with()
    if bool(arguments.workdir) == bool(arguments.runs):
        raise ValueError("either --workdir or the folders of runs to compare must be given, got both or neither")
    if arguments.workdir:
        if arguments.out:
            raise ValueError(f"--out must be left out with --workdir, got {arguments.out!r}")
        print(runs.write_report(arguments.workdir))
        if arguments.picture:
            print(runs.write_picture(arguments.workdir, arguments.picture))
        return
    if arguments.picture:
        raise ValueError(f"--picture must be left out without --workdir, got {arguments.picture!r}")
    if len(arguments.runs) < 2 or not arguments.out:
        raise ValueError(f"two or more runs and --out must be given, got {arguments.runs} and {arguments.out!r}")
    print(runs.write_comparison(arguments.runs, arguments.out))


if __name__ == "__main__":
    main()
