"""The command line of the export: `python -m engines.export --help`."""

import argparse
import functools
import importlib.util
import multiprocessing
import sys
from collections.abc import Iterator

import engines
from engines import ends
from engines.base import SPLITS
from engines.export.plan import FORMATS, Plan
from engines.progress import progress

_TFDS = ("tensorflow_datasets", "importlib_resources", "array_record", "etils")
NEEDS = {"parquet": ("pyarrow", "etils"), "array_record": _TFDS, "tfds": (*_TFDS, "google_crc32c")}
PHOTOGRAPHED = {"train": 0.5, "test_b": 1.0}  # share by split, if none is given; 0 in the others


@ends.told()
def main(arguments: list[str] | None = None) -> int:
    """Write a data set, or go on with one; gives the exit code."""
    parser = _parser()
    options, flags = parser.parse_known_args(arguments)
    if flags and not options.beam:
        parser.error(f"unrecognized arguments: {' '.join(flags)} (a Beam runner's flags need --beam)")
    needed = (*NEEDS[options.format], *(("apache_beam",) if options.beam else ()))
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    if absent:
        raise ValueError(f"{', '.join(absent)} must be installed: pip install 'perc_jax[export]'")
    from engines.export.shards import prepare

    try:
        plan = _plan(options)
    except ValueError as error:
        raise ValueError(f"--{error}") from error
    try:
        prepare(options.out, plan)
        _export(options, plan, flags)
    except OSError as error:
        what = f"--out must be a folder that can be written, got {options.out}: {error.strerror or error}"
        ends.fail(what, ends.code_of(error))
    return ends.DONE


def _export(options: argparse.Namespace, plan: Plan, flags: list[str]) -> None:
    """Write what is missing, and the manifest if nothing is missing any more."""
    from engines.export import beam, shards

    if options.beam:
        beam.run(options.out, plan, flags)
    else:
        place, machines = options.shard
        mine = [shard for shard in range(plan.shards()) if shard % machines == place]
        _write(options.out, plan, mine, options.processes)
    if shards.finish(options.out, plan):
        print(f"{options.out}: {plan.samples} samples in {plan.shards()} shards, complete")
    else:
        print(f"{options.out}: this machine's shards are written, others are missing")


def _write(folder: str, plan: Plan, mine: list[int], processes: int) -> None:
    """Write shards in one process or several, with a bar that counts samples."""
    from engines.export import shards

    todo = [shard for shard in mine if not shards.is_done(folder, plan, shard)]
    total, left = (sum(len(plan.span(shard)) for shard in some) for some in (mine, todo))
    with progress("samples", total, total - left) as advance:
        if processes == 1:
            for shard in todo:
                shards.write_shard(folder, plan, shard, lambda: advance(1))
        else:
            for samples in _in_processes(folder, plan, todo, processes):
                advance(samples)


def _in_processes(folder: str, plan: Plan, todo: list[int], processes: int) -> Iterator[int]:
    from engines.export.shards import write_shard

    with ends.deaf():
        pool = multiprocessing.get_context("spawn").Pool(processes)
    with pool:
        yield from pool.imap_unordered(functools.partial(write_shard, folder, plan), todo)


def _plan(options: argparse.Namespace) -> Plan:
    share = PHOTOGRAPHED.get(options.split, 0.0) if options.photographed is None else options.photographed
    return Plan(
        options.format,
        options.split,
        options.samples,
        options.shard_samples,
        options.engines,
        options.levels,
        options.size_px,
        share,
    )


def _parser() -> argparse.ArgumentParser:
    parser = ends.Parser(
        prog="python -m engines.export", description="Write samples as a data set.", allow_abbrev=False
    )
    add = parser.add_argument
    add("--out", required=True, metavar="DIR", help="folder, local or gs://; an unfinished export in it goes on")
    add("--format", choices=tuple(FORMATS), default="parquet", help="default %(default)s")
    add("--split", choices=SPLITS, default="train", help="default %(default)s")
    add("--samples", type=int, default=10_000, metavar="N", help="default %(default)s")
    add("--shard-samples", type=int, default=1000, metavar="N", help="samples per shard at most (default %(default)s)")
    add(
        "--engines",
        type=_names,
        default=engines.MAIN,
        metavar="A,B",
        help=f"categories (default: {','.join(engines.MAIN)})",
    )
    add("--levels", type=_levels, default=tuple(range(10)), metavar="0,4,9", help="default: 0 to 9")
    add("--size-px", type=int, default=448, metavar="N", help="side of the pictures (default %(default)s)")
    share = "share photographed (default: 0.5 in train, 1 in test_b, else 0)"
    add("--photographed", type=float, metavar="SHARE", help=share)
    add("--processes", type=int, default=1, metavar="N", help="processes on this machine (default %(default)s)")
    add("--shard", type=_place, default=(0, 1), metavar="I/N", help="write every N-th shard only, from the I-th (0..)")
    add("--beam", action="store_true", help="write through Apache Beam; flags not named here go to its runner")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _levels(text: str) -> tuple[int, ...]:
    if not all(part.isdigit() for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"must be numbers within 0..9 with commas between, got {text!r}")
    return tuple(int(part) for part in text.split(","))


def _place(text: str) -> tuple[int, int]:
    place, _, machines = text.partition("/")
    if not (place.isdigit() and machines.isdigit() and int(place) < int(machines)):
        raise argparse.ArgumentTypeError(f"must be I/N with 0 <= I < N, got {text!r}")
    return int(place), int(machines)


if __name__ == "__main__":
    sys.exit(main())
