"""How fast samples are made, by engine and stage: `python -m engines.bench [--samples N] [--workers 1,2] [--json F]`.

Every category is asked for N samples, levels 0 to 9 in turn and types by the name of the sample, as training asks for
them. Times are CPU time of one process, which other programs on the machine disturb little. `canvas` are whole samples
that are not drawn in matplotlib's look; `training` is the default training mixture, half of it photographed.
`--workers` makes the mixture in so many processes at once and gives samples per second by the clock, which other
programs slow down, and beside it samples per second of CPU time, which compares with the table; `--memory` makes so
many samples more and says how the process grew meanwhile.
"""

import argparse
import itertools
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

import engines
from engines import ends
from engines.base import QuestionType, make_rng, pose
from engines.photo import photograph
from engines.plot import looks_matplotlib
from engines.progress import progress

STAGES = ("pose", "draw", "facts", "whole", "canvas", "photo")
FIRST_SHARE = 0.1  # of the memory run, after which growth counts


@ends.told()
def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table; gives the exit code."""
    parser = ends.Parser(prog="python -m engines.bench", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--engines",
        type=_names,
        default=engines.MAIN,
        metavar="A,B",
        help=f"categories (default: {','.join(engines.MAIN)})",
    )
    add("--samples", type=_positive, default=200, metavar="N", help="timed samples per category (default %(default)s)")
    add("--size-px", type=_positive, default=448, metavar="N", help="side of the pictures (default %(default)s)")
    add("--workers", type=_counts, default=(), metavar="1,2", help="also measure so many processes at once")
    add("--memory", type=_amount, default=0, metavar="N", help="also measure growth over N samples (default 0)")
    add("--json", type=Path, metavar="F", help="write the figures to this file")
    options = parser.parse_args(arguments)
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json must be in a folder that exists, got {options.json}")
    names, size_px = options.engines, options.size_px
    for name in names:
        for level in range(10):
            if not engines.candidates(name, split="train", level=level, size_px=size_px):
                parser.error(f"--size-px must be large enough for {name} at level {level}, got {size_px}")
    with progress("samples", options.samples * len(names) + options.memory) as advance:
        found: dict[str, Any] = {"size_px": size_px, "samples": options.samples}
        found["engines"] = {name: stages(name, options.samples, size_px, lambda: advance(1)) for name in names}
        found["all"] = together(list(found["engines"].values()))
        if options.memory:
            found["memory"] = memory(names, options.memory, size_px, lambda: advance(1))
    found["workers"] = {count: in_workers(names, count, options.samples, size_px) for count in options.workers}
    _show(found, Console(width=None if sys.stdout.isatty() else 110))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def stages(name: str, samples: int, size_px: int, advance: Callable[[], None] = lambda: None) -> dict[str, float]:
    """Milliseconds of CPU per sample of a category by stage, and samples per second, clean and as in training."""
    _warm_up(name, size_px)
    spent, plain = dict.fromkeys(STAGES, 0.0), 0  # plain: samples that are not in matplotlib's look
    for place in range(samples):
        # Never the same sample twice: engines may remember what they have just computed.
        named = {"split": "train", "index": 2 * place, "level": place % 10}
        began = time.process_time()
        sample = engines.sample(name, **named, size_px=size_px, photo=False)
        whole_s = time.process_time() - began
        kind = next(kind for kind in engines.ENGINES[name].types if kind.name == sample.question_type)
        spent["whole"] += whole_s
        if not looks_matplotlib(engines.style_of(engines.ENGINES[name], kind, **named)):
            spent["canvas"] += whole_s
            plain += 1
        for stage, seconds in _apart(name, kind, {**named, "index": named["index"] + 1}, size_px).items():
            spent[stage] += seconds
        advance()
    counts = dict.fromkeys(STAGES, samples) | {"canvas": max(plain, 1)}
    return _with_rates({f"{stage}_ms": spent[stage] * 1e3 / counts[stage] for stage in STAGES})


def _warm_up(name: str, size_px: int) -> None:
    """Make what a process makes once: fonts, banks of noise, tables of shapes."""
    rng = make_rng("warm-up", name)
    for level in range(10):
        for kind in engines.ENGINES[name].types:
            kind.pose(rng, level)
        engines.sample(name, split="train", index=10**6 + level, level=level, size_px=size_px, photo=True)


def _apart(name: str, kind: QuestionType, named: dict[str, Any], size_px: int) -> dict[str, float]:
    """Seconds of CPU of the stages of one sample."""
    engine, key = engines.ENGINES[name], ("bench", name, *named.values())
    style = engines.style_of(engine, kind, **named)
    times = [time.process_time()]
    posed = pose(engine, kind, **named)
    times.append(time.process_time())
    drawing = engine.draw(posed.scene, size_px, style)
    times.append(time.process_time())
    if engine.facts is not None:
        engine.facts(posed.scene, make_rng(*key))
    times.append(time.process_time())
    photograph(drawing, make_rng(*key), named["level"])
    times.append(time.process_time())
    parts = zip(("pose", "draw", "facts", "photo"), itertools.pairwise(times), strict=True)
    return {stage: ends - begins for stage, (begins, ends) in parts}


def together(parts: list[dict[str, float]]) -> dict[str, float]:
    """The mixture of categories in equal shares: mean times, and the rates that follow."""
    return _with_rates({f"{stage}_ms": sum(part[f"{stage}_ms"] for part in parts) / len(parts) for stage in STAGES})


def memory(
    names: tuple[str, ...], samples: int, size_px: int, advance: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Peak size of the process, in MiB, after a first share of the mixture and at its end."""
    first = max(1, int(samples * FIRST_SHARE))
    begin_mib = 0.0
    for index in range(samples):
        _mixed(names, index, size_px)
        if index + 1 == first:
            begin_mib = _peak_mib()
        advance()
    return {"samples": samples, "begin_mib": begin_mib, "end_mib": _peak_mib()}


def in_workers(names: tuple[str, ...], count: int, samples: int, size_px: int) -> dict[str, float]:
    """The training mixture in `count` processes, from when all run to when the last has made its share.

    Gives samples per second by the clock (`per_s`), per second of CPU time (`per_cpu_s`, of one process, as in the
    table), and how many cores the processes were given on average (`cores`, of at most `count`).
    """
    context = multiprocessing.get_context("spawn")
    cpu_s, ended = (context.Array("d", count, lock=False) for _ in range(2))
    ready, start = context.Barrier(count + 1), context.Barrier(count + 1)
    shared = (samples * len(names), size_px, ready, start, cpu_s, ended)
    shares = [(names, place, count, *shared) for place in range(count)]
    processes = [context.Process(target=_work, args=share) for share in shares]
    with ends.deaf():
        for process in processes:
            process.start()
    ready.wait()
    start.wait()
    began = time.time()  # a clock that all processes share
    for process in processes:
        process.join()
    if not all(ended):
        raise RuntimeError(f"every process must make its share, but {sum(not end for end in ended)} of {count} died")
    made, wall_s = samples * len(names), max(ended) - began  # without the seconds in which the processes end
    return {"per_s": made / wall_s, "per_cpu_s": made / sum(cpu_s), "cores": sum(cpu_s) / wall_s}


def _work(
    names: tuple[str, ...],
    place: int,
    count: int,
    samples: int,
    size_px: int,
    ready: Any,
    start: Any,
    cpu_s: Any,
    ended: Any,
) -> None:
    for name in names:
        _warm_up(name, size_px)
    ready.wait()
    start.wait()
    began = time.process_time()
    for index in range(place, samples, count):
        _mixed(names, index, size_px)
    cpu_s[place], ended[place] = time.process_time() - began, time.time()


def _mixed(names: tuple[str, ...], index: int, size_px: int) -> engines.Sample:
    """A sample of the training mixture: categories in turn, levels in turn, every other one photographed."""
    turn = index // len(names)
    name = {"split": "train", "index": index, "level": turn % 10, "size_px": size_px}
    return engines.sample(names[index % len(names)], **name, photo=(turn // 10 + turn) % 2 == 1)


def _with_rates(ms: dict[str, float]) -> dict[str, float]:
    training_ms = ms["whole_ms"] + ms["photo_ms"] / 2
    return ms | {
        "canvas_per_s": 1e3 / max(ms["canvas_ms"], 1e-6),
        "clean_per_s": 1e3 / ms["whole_ms"],
        "training_per_s": 1e3 / training_ms,
    }


def _peak_mib() -> float:
    scale = 1024 if sys.platform == "darwin" else 1  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale / 1024


def _show(found: dict[str, Any], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("engine")
    for name in (*(f"{stage} ms" for stage in STAGES), "canvas/s", "clean/s", "training/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, part in (found["engines"] | {"all": found["all"]}).items():
        times = [f"{part[f'{stage}_ms']:.2f}" for stage in STAGES]
        rates = [f"{part[f'{rate}_per_s']:.0f}" for rate in ("canvas", "clean", "training")]
        table.add_row(name, *times, *rates)
    console.print(table)
    for count, rate in found["workers"].items():
        console.print(_of_workers(count, rate), highlight=False)
    if "memory" in found:
        m = found["memory"]
        growth = f"{m['begin_mib']:.0f} MiB early, {m['end_mib']:.0f} MiB at the end"
        console.print(f"peak memory over {m['samples']} samples: {growth}", highlight=False)


def _of_workers(count: int, rate: dict[str, float]) -> str:
    """What so many processes made, and how it goes with the table, whose seconds are CPU time."""
    processes = f"{count} process{'es' * (count > 1)}"
    return (
        f"{processes}, training mixture: {rate['per_s']:.0f} samples/s by the clock, {rate['per_cpu_s']:.0f} per CPU "
        f"second as in the table, {rate['cores']:.2f} cores"
    )


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in engines.ENGINES:
            raise argparse.ArgumentTypeError(f"must be categories ({', '.join(engines.ENGINES)}), got {name!r}")
    return names


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number > 0, got {text!r}")
    return int(text)


def _amount(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number >= 0, got {text!r}")
    return int(text)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
