"""A trace of some steps of a run for TensorBoard's profiler: `tensorboard --logdir <workdir>/profile`.

The first process traces its own host and devices. JAX writes to a local folder; where the workdir is on gs:// it is
copied there afterwards.
"""

import contextlib
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jax
from etils import epath

from perc_jax.records.files import Harmless

FOLDER = "profile"
WRITING = "writing the profile"  # the phase in which it is


class Trace:
    """Traces the steps from `first` to `last`; with `last` 0, none.

    Args:
        folder: the run's workdir.
        first, last: global steps.
        say: told where the trace is, or that it could not be made: that is no reason to end a run.
        phase: names what the run is doing meanwhile.
    """

    def __init__(
        self,
        folder: epath.Path,
        first: int,
        last: int,
        say: Callable[[str], None] = print,
        phase: Callable[[str], AbstractContextManager[Any]] = contextlib.nullcontext,
    ):
        self._target, self._first, self._last = folder / FOLDER, first, last
        self._say, self._phase = say, phase
        self._here: str | tempfile.TemporaryDirectory[str] | None = None  # where JAX writes; None: it does not trace
        self._step = contextlib.ExitStack()
        self._is_asked = bool(last) and jax.process_index() == 0

    def begin(self, step: int) -> None:
        """A step begins."""
        if self._is_asked and step > self._last:
            self._give_up()
        if self._is_asked and step >= self._first:
            self._is_asked = False
            with Harmless(self._fail):
                self._here = tempfile.TemporaryDirectory() if _is_remote(self._target) else str(self._target)
                Path(self._path).mkdir(parents=True, exist_ok=True)  # before anything is traced in vain
                jax.profiler.start_trace(self._path)
        if self._here:
            self._step.enter_context(jax.profiler.StepTraceAnnotation("step", step_num=step))

    def end(self, step: int, result: Any) -> None:
        """A step was dispatched; `result` are arrays of it that nobody donates, and the last step's are waited for."""
        self._step.close()
        if self._here and step >= self._last:
            jax.block_until_ready(result)
            self.close()

    def close(self) -> None:
        """Write what was traced so far; say if nothing was."""
        if self._is_asked:
            self._give_up()
        if self._here is None:
            return
        self._step.close()
        with self._phase(WRITING), Harmless(self._fail):
            jax.profiler.stop_trace()
            if not isinstance(self._here, str):
                _copy(Path(self._path), self._target)
            self._say(f"the trace is in {self._target}: tensorboard --logdir {self._target}")
        self._leave()

    @property
    def _path(self) -> str:
        return self._here if isinstance(self._here, str) else self._here.name

    def _give_up(self) -> None:
        self._is_asked = False
        self._say(f"nothing is traced: this start of the run makes none of the steps {self._first} to {self._last}")

    def _fail(self, error: Exception) -> None:
        self._say(f"warning: the profile could not be made, the run goes on without it: {error}")
        self._leave()

    def _leave(self) -> None:
        if isinstance(self._here, tempfile.TemporaryDirectory):
            self._here.cleanup()
        self._here = None


def _is_remote(folder: epath.Path) -> bool:
    return "://" in str(folder)


def _copy(source: Path, target: epath.Path) -> None:
    """Copy all files below a folder."""
    for file in source.rglob("*"):
        if file.is_file():
            there = target / file.relative_to(source).as_posix()
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(file.read_bytes())
