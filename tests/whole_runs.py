"""Whole runs of the real program in processes of their own: started, watched from outside, stopped and compared.

What a run writes is a function of its config, apart from `time/…`, `rate/…`, `run.json` and the report's clock; two
runs are compared by their metrics, evaluations, kept samples and by the bits of the newest checkpoint.
"""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests import ROOT, quick

SMOKE = ("--config", "configs/smoke_cpu.py")
SHORT = ("--config", "tests/short_run.py")  # the same parts in half the time
SPOKEN = re.compile(r"\d\d:\d\d:\d\d  \S")  # a line of the progress screen
LIMIT_S = 600.0
CLOCKED = ("time/", "rate/", "hosts/")  # metrics that depend on the machine's mood


class Ended(NamedTuple):
    """A process that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    def unspoken(self) -> list[str]:
        """Lines on stderr that the progress screen did not write."""
        return [line for line in self.err.splitlines() if not SPOKEN.match(line)]


class Reference(NamedTuple):
    """The uninterrupted run of the short config."""

    workdir: Path
    ended: Ended
    cache: Path  # of compiled programs, for the runs that follow


class Running:
    """A program in a process group of its own; whatever of it still lives is killed when the context is left."""

    def __init__(
        self,
        program: str,
        *arguments: str,
        folder: Path,
        cache: Path | None = None,
        begin: Callable[..., Any] = subprocess.Popen,
        **variables: str,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        self._files = [(folder / name).open("w+") for name in ("stdout", "stderr")]
        self.began = time.monotonic()
        self._process = begin(
            [sys.executable, "-m", program, *arguments],
            cwd=ROOT,
            env=environment(cache, **variables),
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            start_new_session=True,
        )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in self._files:
            file.close()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return soon after the condition's coming true, by 5 ms; fail if the program ends or lingers before."""
        while not condition():
            if self._process.poll() is not None:
                pytest.fail(f"the run ended before the moment waited for:\n{self.end().err}")
            if time.monotonic() - self.began > LIMIT_S:
                pytest.fail(f"the moment waited for never came:\n{self._texts()[1]}")
            time.sleep(0.005)  # looking at files takes the processor from the run

    def has_said(self, words: str) -> bool:
        """Whether the program has written these words to stderr."""
        return words in self._texts()[1]

    def let_run(self, seconds: float) -> None:
        """Do nothing for that long, or until the program ends."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    @property
    def pid(self) -> int:
        """The program's number, which is also that of its process group."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """A signal to the program alone, if it still runs."""
        if self.is_running:
            self._process.send_signal(number)

    def kill(self) -> Ended:
        """SIGKILL to the program alone, as the kernel does when memory runs out; then none of its workers may live."""
        self._process.kill()
        return self.end()

    def interrupt(self) -> Ended:
        """SIGINT to the whole group, as a terminal does at Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self.end()

    def terminate(self) -> Ended:
        """SIGTERM to the whole group, as a scheduler sends it to all processes of a job."""
        os.killpg(self._process.pid, signal.SIGTERM)
        return self.end()

    def end(self) -> Ended:
        """Wait for the end of the program, and then, briefly, for that of its workers."""
        code = self._process.wait(timeout=LIMIT_S)
        seconds = time.monotonic() - self.began
        deadline = time.monotonic() + 10
        while living(self._process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert living(self._process.pid) == [], "workers survive"
        return Ended(code, *self._texts(), seconds)

    def _texts(self) -> list[str]:
        return [Path(file.name).read_text() for file in self._files]


def environment(cache: Path | None, **variables: str) -> dict[str, str]:
    """This process's environment without its settings for JAX; one CPU device; compiled programs kept in a folder, or
    nowhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    kept |= {"JAX_PLATFORMS": "cpu", "COLUMNS": "200", "XLA_FLAGS": quick.FLAGS} | quick.VARIABLES
    if cache is None:
        kept["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    else:
        kept |= {
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return kept | variables


def train(
    workdir: Path,
    *overrides: str,
    control: str = "random",
    cache: Path | None = None,
    output: Path | None = None,
    program: str = "perc_jax.train",
    begin: Callable[..., Any] = subprocess.Popen,
    **variables: str,
) -> Running:
    """Start the short run in a workdir; what it says goes to a folder beside it. `program` stands in for `train`, and
    `begin` for `subprocess.Popen`.

    After six steps of warm-up so few answers are right that GRPO could be without a gradient. Coins give it one.
    """
    folder = output or workdir.parent / f"{workdir.name}.output"
    arguments = (*SHORT, "--workdir", str(workdir), "--stages.1.reward.control", control, *overrides)
    return Running(program, *arguments, folder=folder, cache=cache, begin=begin, **variables)


def finished(workdir: Path, *overrides: str, **how: Any) -> Ended:
    """Run the short config to its end, which must be a good one; arguments as of `train`."""
    with train(workdir, *overrides, **how) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    return ended


def free_port() -> int:
    """A port of the loopback that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def living(group: int) -> list[int]:
    """Processes of a group that exist and are no zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found


def copy_at(reference: Reference, workdir: Path, step: int) -> Path:
    """Copy the reference's workdir as if its checkpoints after `step` had never been written."""

    def later(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder).name == "checkpoints" and int(name) > step]

    shutil.copytree(reference.workdir, workdir, ignore=later)
    assert steps(workdir)[-1] == step
    return workdir


def steps(workdir: Path) -> list[int]:
    """Steps of the committed checkpoints, oldest first."""
    return sorted(int(commit.parent.name) for commit in (workdir / "checkpoints").glob("*/commit.json"))


def metrics(workdir: Path) -> list[dict]:
    """The lines of metrics.jsonl without what depends on the clock."""
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in record.items() if not name.startswith(CLOCKED)} for record in records]


def lines(workdir: Path) -> int:
    """Lines of metrics.jsonl so far."""
    path = workdir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def evaluations(workdir: Path) -> dict[str, bytes]:
    """The evaluation files, whole."""
    return {path.name: path.read_bytes() for path in (workdir / "eval").iterdir()}


def kept_samples(workdir: Path) -> dict[str, bytes]:
    """The kept samples with their pictures."""
    return {path.name: path.read_bytes() for path in (workdir / "samples").iterdir()}


def leaves(workdir: Path, step: int) -> dict[str, np.ndarray]:
    """Every leaf of a checkpoint by path, as it lies on the disk."""
    import orbax.checkpoint as ocp

    folder = workdir / "checkpoints" / str(step)
    names = json.loads((folder / "commit.json").read_text())["leaves"]
    whole = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in names}
    handler = ocp.PyTreeCheckpointHandler()
    found = handler.restore(
        folder / "state", args=ocp.args.PyTreeRestore(item=dict.fromkeys(names, 0), restore_args=whole)
    )
    handler.close()
    return found


def assert_same(workdir: Path, other: Path) -> None:
    """Two finished runs are equal: metrics, evaluations, samples, and the newest checkpoint in all bits."""
    pairs = zip(metrics(workdir), metrics(other), strict=True)
    differ = [(one["step"], name) for one, two in pairs for name in one | two if one.get(name) != two.get(name)]
    assert differ == [], f"metrics differ: {differ}"
    assert evaluations(workdir) == evaluations(other)
    assert kept_samples(workdir) == kept_samples(other)
    assert steps(workdir)[-1] == steps(other)[-1]
    mine, theirs = (leaves(folder, steps(folder)[-1]) for folder in (workdir, other))
    assert mine.keys() == theirs.keys()
    different = [name for name in mine if mine[name].tobytes() != theirs[name].tobytes()]
    assert different == []


def assert_metrics_close(
    workdir: Path, other: Path, relative: float, absolute: float, apart: Sequence[str] = ()
) -> None:
    """Two runs have equal metrics but for the rounding of floats; those named in `apart` are left out."""
    mine, theirs = metrics(workdir), metrics(other)
    assert [sorted(line) for line in mine] == [sorted(line) for line in theirs]
    for one, two in zip(mine, theirs, strict=True):
        for name in one.keys() - set(apart):
            is_float = isinstance(one[name], float)
            alike = math.isclose(one[name], two[name], rel_tol=relative, abs_tol=absolute) if is_float else False
            assert alike or one[name] == two[name], (one["step"], name, one[name], two[name])


def complaint(ended: Ended) -> str:
    """The one line in which a run that ended badly says why; beside the screen's lines there is no other."""
    assert ended.code != 0
    [line] = ended.unspoken()
    assert line.startswith("error: "), ended.err
    return line.removeprefix("error: ")


def compiled(err: str) -> Iterator[str]:
    """The lines in which JAX_LOG_COMPILES names a program given to XLA."""
    return (line for line in err.splitlines() if "Finished XLA compilation" in line)
