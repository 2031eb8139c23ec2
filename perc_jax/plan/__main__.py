"""Say what a run needs on a machine that is not here: memory, exchanges, operations, seconds, and whether it fits.

`python -m perc_jax.plan --config configs/data_engine_3b.py --topology v5e:2x4 [--json FILE] [--model FOLDER] [--field
value …]` compiles every program of the run for that slice, with libtpu and without a TPU. Topologies: v4:2x2x1,
v5e:2x4, v5p:2x2x1, v6e:2x2, tpu7x:2x2x1, … and cpu:8. Any field of the config can be given as in `perc_jax.train`.

For GPUs (h100:8, h200:1, a100:8, l40s:4: 1, 2, 4 or 8 of a node, or whole nodes) there is no compiler without one: the
plan is made by formula from published figures, within seconds, and says so.

Unless `--exact` is given, the compiler is told to hurry: a minute or two instead of many, for programs that differ a
little from the run's. Where memory is plentiful the run's own may use up to a third more for temporaries.

Exit codes: 0 the plan was made (whether it fits is in it), 2 bad command line or no libtpu.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from perc_jax import cli
from perc_jax.config import Config
from perc_jax.plan import topologies
from perc_jax.plan.topologies import Topology
from perc_jax.processes import ends, interrupts
from perc_jax.records.files import to_json


@ends.told()
def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, compile, print the plan."""
    text = __doc__ or ""
    parser = ends.Parser(
        prog="python -m perc_jax.plan",
        description=text.partition("\n\nExit")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--topology", required=True, help="v5e:2x4, 2xv5e:4x4, h100:8, cpu:8: family and grid or count")
    parser.add_argument("--json", metavar="FILE", help="write the plan there, machine-readable; - for the screen")
    parser.add_argument("--exact", action="store_true", help="compile with the run's effort; several times slower")
    arguments, rest = parser.parse_known_args(argv)
    if arguments.json and arguments.json != "-" and not Path(arguments.json).absolute().parent.is_dir():
        raise ValueError(f"--json must be in a folder that exists, got {arguments.json}")
    topology = topologies.parse(arguments.topology)
    config, _ = cli.parse(rest)

    def say(text: str) -> None:
        interrupts.listen()  # libtpu has taken SIGTERM for itself
        print(text, file=sys.stderr, flush=True)

    plan = make(config, topology, say, exact=arguments.exact)
    if arguments.json == "-":
        print(to_json(plan))
        return
    if arguments.json:
        with open(arguments.json, "w") as file:
            file.write(to_json(plan, indent=1))
    from perc_jax.plan import table

    table.show(plan)


def make(config: Config, topology: Topology, say: Callable[[str], None], *, exact: bool) -> dict[str, Any]:
    """The plan, made in this process, which must not have used jax before. See `forecast.make`.

    Raises `ValueError` if libtpu is needed and not installed.
    """
    if topology.chip.is_tpu and importlib.util.find_spec("libtpu") is None:
        raise ValueError(f"--topology {topology.name} must have libtpu to compile for it: pip install 'perc_jax[plan]'")
    os.environ.update(topologies.environment(topology, exact=exact))
    from perc_jax.plan import forecast  # jax reads the environment when it is imported

    return forecast.make(config, topology, say) | {"exact": exact}


if __name__ == "__main__":
    main()
