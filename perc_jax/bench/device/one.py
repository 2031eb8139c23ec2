"""The process of one part: `python -m perc_jax.bench.device.one NAME FOLDER`, begun by `command`.

What a part cannot do (too little memory, a missing library, no such device) is kept as a line; anything else is a bug
and ends the process with its traceback, which the log has.
"""

import sys
import time
from pathlib import Path
from typing import Any

import jax

from perc_jax.bench.device import clip, machine, parity, peer, rollout, sizes, step
from perc_jax.bench.device.folder import Folder
from perc_jax.bench.device.parts import PARTS, Given
from perc_jax.bench.machines import Machine
from perc_jax.processes import ends

MODULES = {"machine": machine, "parity": parity, "rollout": rollout, "step": step, "peer": peer, "clip": clip}
LONGEST = 300  # characters of a line


def main() -> None:
    """Measure the part and keep what it found, or why not."""
    name, folder = sys.argv[1], Folder(Path(sys.argv[2]))
    try:
        folder.keep(name, measured(name, folder))
    except (*ends.KINDS, ImportError) as error:
        folder.keep(name, {"error": reason(error)})
        ends.fail(reason(error), ends.FAILED)


def measured(name: str, folder: Folder) -> dict[str, Any]:
    """What a part finds, and the seconds of the whole part."""
    began, part = time.perf_counter(), PARTS[name]
    found = MODULES[part.module].run(given(folder), *part.arguments)
    return found | {"part_s": round(time.perf_counter() - began, 1)}


def given(folder: Folder) -> Given:
    """What the parts before have found out, and what the settings ask for."""
    settings, device, peak = folder.settings(), folder.found("device"), folder.found("peak")
    name = settings.size if settings.size != "auto" else device.get("size", sizes.SMALLEST)
    size = sizes.of(name, jax.default_backend(), jax.device_count())
    known = Machine(**peak["machine"]) if "machine" in peak else None
    return Given(size, known, settings.repeats, settings.seed, folder.path)


def reason(error: BaseException) -> str:
    """An error in a line of some length: XLA's go on for pages."""
    first = ends.reason(error).strip().splitlines()[0]
    return first if len(first) <= LONGEST else first[:LONGEST] + "…"


if __name__ == "__main__":
    main()
