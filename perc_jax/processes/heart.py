"""The heartbeat of a process of a run: a thread that writes every few seconds where it is and what it said meanwhile,
and last how it ended.

It can neither end nor slow the run: the run's thread only leaves numbers behind, whatever goes wrong with writing is
told once and counted, and the end waits for the last word for at most `LAST_S`.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from perc_jax.processes import ends
from perc_jax.records import attempts
from perc_jax.records.attempts import Attempt, Beat, End
from perc_jax.records.files import Harmless, absolute
from perc_jax.records.logs import Log

BEAT_S = 10.0  # between two: on gs:// each is a request
LAST_S = 2.0  # for the last word to be written
RATED = 20  # steps over which the rate is measured


class Heart:
    """A context manager: inside, the process is known to live. In a run of several processes each has its own.

    Args:
        workdir: local folder or `gs://…`, which all processes see.
        attempt: this start's number and how many processes it has.
        rank: this process's.
        phase: name of what the run is doing and its seconds so far.
        say: told once if writing fails.
        log: what the process says; the end is added to it.
        beat_s: seconds between two beats, at least.
    """

    def __init__(
        self,
        workdir: str,
        attempt: Attempt,
        rank: int,
        phase: Callable[[], tuple[str, float]],
        say: Callable[[str], None] = print,
        *,
        log: Log | None = None,
        beat_s: float = BEAT_S,
    ):
        self._folder, self._attempt, self._rank = absolute(workdir), attempt, rank
        self._phase, self._say, self._log, self._beat_s = phase, say, log, beat_s
        self._host, self._where = socket.gethostname(), (0, "", 0)
        self._steps: deque[float] = deque(maxlen=RATED + 1)  # when they were done
        self._ended: End | None = None
        self._wake = threading.Event()
        self.failures = 0
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heart":
        self._thread.start()
        ends.Group.note = self.end
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(*_said(error))
        ends.Group.note = None

    def at(self, step: int, stage: str, stage_step: int) -> None:
        """The run stands after this global step, of a stage so many; nothing is measured from here on back."""
        self._where = step, stage, stage_step
        self._steps.clear()

    def count_step(self, step: int, stage: str, stage_step: int) -> None:
        """A step is done."""
        self._where = step, stage, stage_step
        self._steps.append(time.monotonic())

    def end(self, cause: str, code: int) -> None:
        """Say how the process ends; from any thread, the first word counts."""
        if self._ended is None:
            self._ended = End(code, cause, time.time())
            if self._log:
                self._log.add(f"ended with code {code}: {cause}")
        self._wake.set()
        self._thread.join(LAST_S)

    def _beat(self) -> None:
        is_new = self._rank == 0
        while True:
            is_last = self._ended is not None
            with Harmless(self._fail):
                if is_new:
                    attempts.begin(self._folder, self._attempt)
                    is_new = False
                attempts.write_beat(self._folder, self._now())
                if self._log:
                    self._log.write()
            if is_last:
                return
            self._wake.wait(self._beat_s)

    def _now(self) -> Beat:
        (step, stage, stage_step), done = self._where, list(self._steps)
        step_s = (done[-1] - done[0]) / (len(done) - 1) if len(done) > 1 else None
        where = step, stage, stage_step, *self._phase(), step_s, self._ended
        return Beat(self._attempt.number, self._rank, self._host, time.time(), *where)

    def _fail(self, error: Exception) -> None:
        """Count what could not be written; the first is told, unless the process has said its last line."""
        self.failures += 1
        if self.failures == 1 and self._ended is None:
            what = ends.reason(error)
            self._say(f"warning: the heartbeat cannot be written, the run goes on without: {what}")


def _said(error: BaseException | None) -> tuple[str, int]:
    """Cause and exit code of an end that leaves the run by this error, as `ends.told` will have them."""
    if error is None:
        return "done", ends.DONE
    if isinstance(error, ends.Stopped):
        return f"stopped {error}", ends.STOPPED
    if isinstance(error, ends.Terminated):
        return str(error), ends.TERMINATED
    if ends.is_told(error):
        return ends.reason(error), ends.FAILED
    return f"{type(error).__name__}: {error}", ends.FAILED
