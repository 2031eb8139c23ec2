"""The operations that take most of a program's time, from a profile; where it holds none, from the compiled text.

`jax.profiler` writes a trace, which `jax.profiler.ProfileData` reads: one event for each run of an operation, on a line
for each thread or stream. An operation's own time is that of its events without the events inside them: a loop's is
what it takes beyond its body. Where a profile tells of no operation, the bytes that each writes stand for its time; so
they do where it cannot be read: jaxlib 0.12.0 ends the process that asks for an event's facts, so another one asks.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.profiler import ProfileData

from perc_jax.plan import hlo
from perc_jax.processes import ends

SHOWN = 10
OPERATIONS = "XLA Ops"  # the line of a TPU on which its operations stand
MEANING = re.compile(r'^\s*(?:ROOT )?%?(\S+) = .*op_name="([^"]*)"', re.MULTILINE)
WORDS = 2  # of an operation's path in the model that are shown


class Event(NamedTuple):
    """One run of an operation."""

    start: float  # nanoseconds
    end: float
    name: str


def traced(run: Callable[[], Any], folder: Path, compiled: Sequence[jax.stages.Compiled]) -> dict[str, Any]:
    """Run it once under the profiler; the top operations with their shares of all operations' time.

    `compiled` are the programs that it runs, whose text says what an operation is.
    """
    place, options = folder / "profiles", jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # calls of Python are no operations, and many
    with jax.profiler.trace(str(place), profiler_options=options):
        jax.block_until_ready(run())
    newest = max(place.rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    texts = [program.as_text() for program in compiled]
    asked = [sys.executable, "-m", "perc_jax.bench.device.top", str(newest)]
    told = subprocess.run(asked, capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    own, runs = json.loads(told.stdout) if told.returncode == 0 else ({}, {})
    if own:
        return {"by": "jax.profiler", "operations": _top(own, runs, 1e-9, "seconds", _meanings(texts))}
    written: dict[str, float] = Counter()
    runs = Counter()
    for text in texts:
        for one in hlo.instructions(text):
            if not one.is_fused:
                written[one.kind] += one.output_bytes * one.runs
                runs[one.kind] += one.runs
    return {"by": "bytes written, from the compiled text", "operations": _top(written, runs, 1.0, "bytes", {})}


def lines(profile: ProfileData) -> Iterator[list[Event]]:
    """The events of operations on each line of a profile that has any."""
    for plane in profile.planes:
        of_device = plane.name.startswith("/device:")
        for line in plane.lines:
            if of_device and line.name == OPERATIONS:
                found = [(one, _short(one.name)) for one in line.events]
            else:
                found = [(one, dict(one.stats).get("hlo_op", "")) for one in line.events]
            events = [Event(one.start_ns, one.start_ns + one.duration_ns, str(name)) for one, name in found if name]
            if events:
                yield events


def totals(found: Iterable[Sequence[Event]]) -> tuple[dict[str, float], dict[str, int]]:
    """Each operation's own nanoseconds, and how often it ran, over all lines."""
    own: dict[str, float] = Counter()
    runs: dict[str, int] = Counter()
    for events in found:
        open_events: list[Event] = []
        for event in sorted(events, key=lambda one: (one.start, -one.end)):
            while open_events and open_events[-1].end <= event.start:
                open_events.pop()
            own[event.name] += event.end - event.start
            runs[event.name] += 1
            if open_events:  # it is inside another, whose own time it is not
                own[open_events[-1].name] -= min(event.end, open_events[-1].end) - event.start
            open_events.append(event)
    return own, runs


def _top(
    amounts: dict[str, float], runs: dict[str, int], unit: float, kind: str, meanings: dict[str, str]
) -> list[dict[str, Any]]:
    whole = sum(amounts.values()) or 1.0
    return [
        {
            "name": name,
            "what": meanings.get(name, ""),
            "share": amount / whole,
            kind: amount * unit,
            "runs": runs[name],
        }
        for name, amount in sorted(amounts.items(), key=lambda one: -one[1])[:SHOWN]
    ]


def _meanings(texts: Iterable[str]) -> dict[str, str]:
    """What operations are called where the model was written, by their names in the compiled text."""
    found = {}
    for text in texts:
        for name, path in MEANING.findall(text):
            found.setdefault(name, "/".join(path.split("/")[-WORDS:]))
    return found


def _short(name: str) -> str:
    """A TPU names an operation by its whole line of text."""
    return name.split(" = ")[0].removeprefix("%")


def main() -> None:
    """Print each operation's own nanoseconds and runs in a profile, as JSON."""
    parser = ends.Parser(prog="python -m perc_jax.bench.device.top", description=main.__doc__)
    parser.add_argument("profile", help="file that jax.profiler wrote: *.xplane.pb")
    print(json.dumps(totals(lines(ProfileData.from_file(parser.parse_args().profile)))))


if __name__ == "__main__":
    main()
