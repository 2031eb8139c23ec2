"""How a run stands: its processes, its starts, its newest checkpoint, the time left; from any machine that sees it.

`python -m perc_jax.status WORKDIR [--json F]`, WORKDIR local or gs://. Exit codes: 0 if the run is done or goes on with
all its processes, 1 if it has ended before that or processes are silent, 2 if the folder is no run's.
"""

import sys
from collections.abc import Sequence

from perc_jax.processes import ends, status


@ends.told()
def main(argv: Sequence[str] | None = None) -> None:
    """Look, print, end with a code."""
    parser = ends.Parser(prog="python -m perc_jax.status", description=__doc__.splitlines()[0])
    parser.add_argument("workdir", metavar="WORKDIR", help="the folder that a run writes, local or gs://")
    parser.add_argument("--json", help="file for the same in JSON; -: to the screen, in place of the tables")
    arguments = parser.parse_args(argv)
    found = status.look(arguments.workdir)
    if arguments.json != "-":
        print("\n".join(status.lines(found)))
    if arguments.json:
        from perc_jax.records.files import absolute, to_json, write_whole

        text = to_json(status.record(found)) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
        else:
            write_whole(absolute(arguments.json), text)
    if not found.is_well:
        raise SystemExit(ends.FAILED)


if __name__ == "__main__":
    main()
