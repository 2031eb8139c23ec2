"""Measure what this machine's accelerator does: peak, parity, rollout, update, memory, beside torch.

    python -m perc_jax.bench device                       on whatever there is, in sizes that fit it
    python -m perc_jax.bench device --size tiny --out runs/device_cpu

Parts are measured one after the other, each in a process of its own; `--size 3b` are Qwen2.5-VL-3B's dimensions with
random weights, `7b` adds 7B with LoRA, `tiny` is for a CPU, `auto` takes what fits by `perc_jax.plan`. A part that
fails or takes too long is a line of the table. What was measured stays in `--out`: the same command goes on there.
Written are device.json and device.md, the latter also to the screen; profiles and compiled programs lie beside them.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from perc_jax.bench.device import page
from perc_jax.bench.device.folder import Folder
from perc_jax.bench.device.parts import NEEDED, PARTS, Settings
from perc_jax.processes import ends

SIZES = ("auto", "tiny", "3b", "7b")
LEAST_S = 5.0  # in which no part comes to anything
CHILD = (sys.executable, "-m", "perc_jax.bench.device.one")


def main(argv: Sequence[str]) -> None:
    """Parse the command line, measure, write and print."""
    arguments = _parse(argv)
    wanted, folder = _wanted(arguments.only), Folder(Path(arguments.out))
    folder.begin(Settings(arguments.size, arguments.repeats, arguments.seed))
    measure(folder, wanted, 60 * arguments.minutes)
    text = page.text(folder.whole())
    (folder.path / "device.md").write_text(text)
    print(text)


def measure(folder: Folder, wanted: Sequence[str], seconds: float, child: Sequence[str] = CHILD) -> None:
    """Measure parts, within so many seconds in all; those that the folder has are left as they are.

    `child`: the command that measures one part, with its name and the folder behind.
    """
    end = time.monotonic() + seconds
    for name in wanted:
        if folder.is_done(name) and name not in NEEDED:
            _say(f"{PARTS[name].title}: measured before")
            continue
        limit, began = min(PARTS[name].limit_s, end - time.monotonic()), time.monotonic()
        if limit < LEAST_S:
            folder.keep(name, {"error": f"no time was left of the {seconds:.0f} s"})
            continue
        problem = _run(folder, name, limit, child)
        if problem:
            folder.keep(name, {"error": problem})
        _say(f"{PARTS[name].title}: {problem or 'measured'} after {time.monotonic() - began:.0f} s")
        folder.whole()
        if problem and name in NEEDED:
            raise RuntimeError(f"nothing can be measured: {problem}")


def _run(folder: Folder, name: str, limit: float, child: Sequence[str]) -> str:
    """Measure one part in a process of its own; what went wrong, in a line."""
    with folder.log(name).open("w") as log:
        process = subprocess.Popen(
            [*child, name, str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(folder, name),
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"ended after the {limit:.0f} s that it may take"
    if code == 0:
        return ""
    said = folder.found(name).get("error")
    lines = [line for line in folder.log(name).read_text(errors="replace").splitlines() if line.strip()]
    return said or f"its process ended with code {code}: {lines[-1].strip() if lines else 'it said nothing'}"


def _environment(folder: Folder, name: str) -> dict[str, str]:
    """Of a part's process. Programs that parts share are compiled once."""
    defaults = {
        "JAX_COMPILATION_CACHE_DIR": str((folder.path / "programs").absolute()),
        "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.95",  # the name that older and newer versions read
    }
    room = {} if PARTS[name].is_alone else {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return defaults | os.environ | room


def _wanted(only: str) -> list[str]:
    """The parts that `--only` names, and what they need, in their order."""
    names = only.split(",") if only else list(PARTS)
    for name in names:
        if name not in PARTS:
            raise ValueError(f"--only must be some of {', '.join(PARTS)} with commas between them, got {name!r}")
    return [name for name in PARTS if name in (*NEEDED, *names)]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = ends.Parser(
        prog="python -m perc_jax.bench device",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--size", choices=SIZES, default="auto", help="(default: %(default)s)")
    parser.add_argument("--out", metavar="FOLDER", default="runs/device", help="(default: %(default)s)")
    parser.add_argument("--minutes", type=_above(0.0, float), default=10.0, help="in all (default: %(default)s)")
    parser.add_argument("--only", metavar="A,B,…", default="", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--repeats", type=_above(0, int), default=3, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    return parser.parse_args(argv)


def _above(least: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = least
        if not value > least:
            raise argparse.ArgumentTypeError(f"must be a number > {least}, got {text!r}")
        return value

    return number


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
