"""Measure rollout, update and step with the run's own programs, beside a peer in the same run.

    python -m perc_jax.bench step --size 100m --prompt-tokens 512 --against transformers --json out.json
    python -m perc_jax.bench step --size tiny --sweep group_size=1,2,4,8,16,32,64 --plot group_size.png
    python -m perc_jax.bench memory --size 100m --sweep group_size=1,2,4,8,16,32,64 --plot memory.png
    python -m perc_jax.bench device                     what this accelerator does; it has a --help of its own

`--size` takes `configs/bench_tiny.py` or `configs/bench_100m.py`, `--config` any other config; any field of it can be
given as in `perc_jax.train`. The last GRPO stage is measured. Prompts fill their bucket; completions have C tokens on
both sides, or with `--mean-tokens` lengths as a model draws them, the same on both sides (cases.py).

Ours and the peer take turns, one warm-up each, then `--repeats` times; every figure is a median. A peer runs in a
process of its own with as many threads. What each does is said in peer_transformers.py and peer_trl.py. Verification
and data are on neither side.

The result: `tokens_per_s` and `samples_per_s` count completion tokens and completions per second of what was measured.
`mfu` is the share of the peak that *executed* operations take; `useful_mfu`, by the operations that the task would ask
for if nothing were shared, may exceed 1 (flops.py). `bandwidth_use` is decoding's: bytes of weights and of the cache
that is in use once per token, over the measured speed of a copy. `ratio_to_peer` above 1 means faster than the peer.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perc_jax import cli
from perc_jax.config import Config
from perc_jax.processes import ends
from perc_jax.records.files import to_json

WHATS = ("rollout", "update", "step", "memory")
DEVICE = "device"  # has a command line of its own
SIZES = ("tiny", "100m")
PEERS = ("transformers", "trl")
SHAPES = ("prompt_tokens", "max_tokens", "group_size", "prompts")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print and write."""
    argv = sys.argv[1:] if argv is None else argv
    with ends.told():
        if list(argv[:1]) == [DEVICE]:
            from perc_jax.bench.device import command

            command.main(argv[1:])
            return
        arguments, rest = _parse(argv)
        source = arguments.config or str(cli.CONFIGS / f"bench_{arguments.size or SIZES[0]}.py")
        config, _ = cli.parse(["--config", source, *rest])
        if arguments.against:  # the peer needs its part of a GPU's memory
            os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        found = _measure(arguments, config)
        if arguments.json and arguments.json != "-":
            with open(arguments.json, "w") as file:
                file.write(to_json(found, indent=1))
        if arguments.plot:
            from perc_jax.bench import plot

            plot.draw(found, Path(arguments.plot))
        if arguments.json == "-":
            print(to_json(found))


def _measure(arguments: argparse.Namespace, config: Config) -> dict[str, Any]:
    """The measurement, or one per value of the sweep."""
    shapes = {name: getattr(arguments, name) for name in (*SHAPES, "mean_tokens")}
    field, values = sweep(arguments.sweep) if arguments.sweep else ("", [0])
    _check(arguments)
    from perc_jax.bench import peers  # jax: seconds, for which mistakes need not wait
    from perc_jax.bench.cases import shaped, without_narrow_rows

    cases = [shaped(config, **(shapes | {field: value} if field else shapes)) for value in values]
    if arguments.what == "rollout":
        cases = [without_narrow_rows(case) for case in cases]
    if arguments.against:
        peers.check_comparable(cases[0])  # first: what is asked for wrongly needs no package
        peers.check_installed(arguments.against)
    from perc_jax.bench import measure, table

    settings = measure.Settings(
        arguments.what,
        arguments.repeats,
        arguments.against or "",
        tuple(arguments.peer_passes),
        arguments.seed,
        arguments.mean_tokens,
    )
    points = measure.run(cases, settings)
    found = points[0] if not field else {"what": arguments.what, "sweep": field, "values": values, "points": points}
    if arguments.json != "-":
        table.show(found)
    return found


def _check(arguments: argparse.Namespace) -> None:
    """Raise `ValueError` for what goes wrong only after minutes of measuring."""
    if arguments.plot and not arguments.sweep:
        raise ValueError("--plot must go with --sweep: a single measurement is no curve")
    for option, file in (("--json", arguments.json), ("--plot", arguments.plot)):
        if file and file != "-" and not Path(file).absolute().parent.is_dir():
            raise ValueError(f"{option} must be in a folder that exists, got {file}")
    if arguments.against and arguments.what == "memory":
        raise ValueError("--against must go with rollout, update or step, got memory")
    if arguments.mean_tokens and (arguments.against == "trl" or arguments.what == "memory"):
        raise ValueError("--mean-tokens must go with rollout, update or step, against nobody or transformers")
    if arguments.against == "trl" and arguments.what != "step":
        raise ValueError(f"--against trl must go with step: its trainer has no smaller unit, got {arguments.what}")
    if arguments.peer_passes and arguments.against != "transformers":
        raise ValueError("--peer-passes must go with --against transformers: the other peer makes its own choice")


def sweep(text: str) -> tuple[str, list[int]]:
    """`group_size=1,2,4` as field and values. `ValueError` says what it must be."""
    field, _, listed = text.partition("=")
    if field not in SHAPES:
        raise ValueError(f"--sweep must begin with one of {', '.join(SHAPES)} and '=', got {text!r}")
    try:
        values = [int(value) for value in listed.split(",")]
    except ValueError:
        values = []
    if not values or min(values) < 1:
        raise ValueError(f"--sweep {field} must be whole numbers >= 1 with commas between them, got {listed!r}")
    return field, values


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = ends.Parser(
        prog="python -m perc_jax.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("what", choices=WHATS)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--size", choices=SIZES, help="a shipped case (default: tiny)")
    which.add_argument("--config", metavar="C", help="config file whose last GRPO stage is measured")
    parser.add_argument("--prompt-tokens", type=_count, default=0, metavar="S", help="picture included")
    parser.add_argument("--max-tokens", type=_count, default=0, metavar="C", help="of each completion")
    parser.add_argument("--group-size", type=_count, default=0, metavar="G")
    parser.add_argument("--prompts", type=_count, default=0, metavar="P", help="of one step")
    ending = "completions end at random, after so many tokens on average; at C at the latest (default: all at C)"
    parser.add_argument("--mean-tokens", type=_count, default=0, metavar="M", help=ending)
    parser.add_argument("--repeats", type=_count, default=5, help="(default: %(default)s)")
    parser.add_argument("--against", choices=PEERS, help="measure this peer too")
    passes = "further passes of the transformers peer: the sampler's log-probabilities again, a reference model's"
    parser.add_argument("--peer-passes", choices=("old", "reference"), nargs="+", default=(), help=passes)
    parser.add_argument("--sweep", metavar="FIELD=A,B,…", help=f"one measurement per value of {', '.join(SHAPES)}")
    parser.add_argument("--json", metavar="F", help="write the result there; - for the screen")
    parser.add_argument("--plot", metavar="F.png", help="draw the sweep")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    return parser.parse_known_args(argv)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
