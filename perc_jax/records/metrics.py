"""What a run measures: `metrics.jsonl`, seconds per phase, compiles, memory.

One JSON object a line: `step` (global), `stage`, and values under paths such as `train/loss`, `rollout/accuracy/grid`,
`time/rollout_s`. Lines are written whole and in order; after a resume the file is that of an uninterrupted run, apart
from `time/…`. A value that is not finite is written as null, since JSON has no other word for it.
"""

import contextlib
import json
import math
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import jax
from etils import epath

from perc_jax.records import reading
from perc_jax.records.files import named, write_whole

COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"  # fired once for each program handed to XLA


class Metrics:
    """Append-only `<workdir>/metrics.jsonl`; only process 0 writes.

    Locally each line is flushed as it is written. On `gs://`, whose objects cannot grow, the file is written anew.
    """

    def __init__(self, workdir: str):
        self._path = epath.Path(workdir).expanduser() / "metrics.jsonl"
        self._remote = "://" in str(workdir)
        self._writes = jax.process_index() == 0
        self._file: IO[str] | None = None
        self._lines: list[str] = []  # what the file holds, kept for gs:// only
        if self._writes:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._keep(lambda record: True)

    def write(self, step: int, stage: str, values: Mapping[str, Any]) -> None:
        """Append one line.

        Args:
            step: global step.
            stage: the stage's name.
            values: numbers (python, numpy or jax scalars) by path.

        Raises:
            OSError: the file cannot be written, for instance because the disk is full.
        """
        if not self._writes:
            return
        record = {"step": step, "stage": stage} | {name: _plain(value) for name, value in values.items()}
        line = json.dumps(record, allow_nan=False) + "\n"
        if self._remote:
            self._lines.append(line)
            write_whole(self._path, "".join(self._lines))
        else:
            if self._file is None:
                self._file = self._path.open("a")
            with named(self._path):
                self._file.write(line)
                self._file.flush()

    def truncate_after(self, step: int) -> None:
        """Remove the lines of steps after this one; a resumed run will write them again."""
        if self._writes:
            self._keep(lambda record: record["step"] <= step)

    def close(self) -> None:
        """Close the file; a later `write` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, wanted: Callable[[dict], bool]) -> None:
        """Rewrite the file with the wanted lines; a torn last line goes in any case."""
        self.close()
        old = self._path.read_text() if self._path.exists() else ""
        kept = [line for line, record in _complete(old) if wanted(record)]
        self._lines = kept if self._remote else []
        text = "".join(kept)
        if text == old:
            return
        write_whole(self._path, text)


def read_metrics(workdir: str) -> list[dict]:
    """Read all complete lines of a workdir's `metrics.jsonl`; none where there is no such file."""
    return [record for _, record in _complete(_text(workdir))]


def is_damaged(workdir: str) -> bool:
    """Whether something that cannot be read follows the complete lines of a workdir's `metrics.jsonl`."""
    text = _text(workdir)
    return sum(len(line) for line, _ in _complete(text)) < len(text)


def _text(workdir: str) -> str:
    path = epath.Path(workdir).expanduser() / "metrics.jsonl"
    return reading.text(path) if path.exists() else ""


class Timer:
    """Seconds per phase of a step; they sum to the step. A phase inside another stops the outer one's clock."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self._running = ["other"]
        self._seconds: dict[str, float] = {}
        self._since = clock()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge the time spent inside to `name`."""
        self._charge()
        self._running.append(name)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def finish(self) -> dict[str, float]:
        """Give `time/<phase>_s`, `time/other_s` and their sum `time/step_s` since the last call, and start anew."""
        self._charge()
        seconds = {f"time/{name}_s": value for name, value in self._seconds.items()}
        self._seconds = {}
        return seconds | {"time/step_s": sum(seconds.values())}

    def _charge(self) -> None:
        """Add what has passed to the innermost phase."""
        now = self._clock()
        name = self._running[-1]
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
        self._since = now


class Idle:
    """Seconds in which the devices have nothing to do, and in which the host only waits for them.

    The devices count as busy while the host is within `waiting`, and from `until(array)` to the moment the array is
    there. `clock` as of `Timer`. To be closed: a thread that is within the devices' library when the interpreter ends
    aborts the process, whatever its exit code was to be.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock, self._lock = clock, threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="idle watch")
        self._device_s = self._host_s = 0.0
        self._tasks, self._since = 0, clock()  # of the devices; since when they are busy, or idle

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """The host does nothing inside but ask the devices for results and wait for them."""
        began = self._clock()
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)
            self._host_s += self._clock() - began

    def until(self, array: Any) -> None:
        """The devices have been given work that ends with this array, which nobody may donate; they do it in order."""

        def watch() -> None:
            with contextlib.suppress(jax.errors.JaxRuntimeError):  # whoever reads the array gets it too
                array.block_until_ready()
            self._change(-1)

        self._change(1)
        self._thread.submit(watch)

    def device_s(self) -> float:
        """The devices' idle seconds since the last `finish`."""
        self._change(0)
        return self._device_s

    def finish(self) -> dict[str, float]:
        """Give `time/device_idle_s` and `time/host_idle_s` since the last call, and start anew."""
        found = {"time/device_idle_s": self.device_s(), "time/host_idle_s": self._host_s}
        with self._lock:
            self._device_s = self._host_s = 0.0
        return found

    def close(self) -> None:
        """Wait for the work that was given, and end the thread."""
        self._thread.shutdown()

    def _change(self, tasks: int) -> None:
        """Charge what has passed, then count a task more or less."""
        with self._lock:
            now = self._clock()
            self._device_s += (now - self._since) * (self._tasks == 0)
            self._tasks, self._since = self._tasks + tasks, now


class CompileCounter:
    """Counts the programs XLA compiles in this process, and names them, while it is open."""

    def __init__(self):
        self.count = 0
        self.names: list[str] = []
        self.seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **details: Any) -> None:
        if event == COMPILE_EVENT:
            self.count += 1
            self.names.append(str(details.get("fun_name", "?")))
            self.seconds += duration_secs

    def close(self) -> None:
        """Stop counting."""
        jax.monitoring.unregister_event_duration_listener(self._listen)

    def __enter__(self) -> "CompileCounter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def peak_rss_bytes() -> int:
    """Sum of the peak resident memory of this process and its living descendants, in bytes.

    An upper bound: the peaks need not coincide, and pages shared after a fork count once for each process. Where there
    is no `/proc` (macOS), this process alone.
    """
    if not os.path.isdir("/proc/self"):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    parents: dict[int, int] = {}
    peaks: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/status") as file:  # it may end while we look
                fields = dict(line.split(":", 1) for line in file if ":" in line)
                parents[int(name)] = int(fields["PPid"])
                peaks[int(name)] = int(fields.get("VmHWM", "0 kB").split()[0]) * 1024
    return sum(peak for pid, peak in peaks.items() if _descends(pid, os.getpid(), parents))


def _descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    """Whether a process is the ancestor or below it."""
    while pid != ancestor and pid in parents:
        pid = parents[pid]
    return pid == ancestor


def _complete(text: str) -> list[tuple[str, dict]]:
    """Split into whole lines with their records; what a kill tore off at the end is left out."""
    found = []
    for line in text.splitlines(keepends=True):
        try:
            record = json.loads(line)
        except ValueError:
            break  # lines are appended in order: nothing after a torn one is whole
        if not line.endswith("\n"):
            break
        found.append((line, record))
    return found


def _plain(value: Any) -> int | float | None:
    """Turn a scalar of any library into a JSON number; exact, since float32 widens to float64 without loss."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, int) or math.isfinite(value) else None
