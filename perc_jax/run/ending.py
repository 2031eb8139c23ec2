"""How a run ends: whether before it is done, by SIGTERM or because its time is over (`--stop-after`); with a report.

All hosts ask at the same moments (between steps, between batches of an evaluation) and get the same answer: SIGTERM on
any of them counts, and of the clocks that of process 0 alone. Time is never over before this start of the run has made
a step, so that a chain of short starts gets on: what the one before left undone, an evaluation for instance, is made up
for whole.
"""

import time
from collections.abc import Callable, Sequence

import jax

from perc_jax.config import Start
from perc_jax.mesh import sharding
from perc_jax.processes import ends, interrupts
from perc_jax.report.runs import write_report


class Ending:
    """Asked again and again; once it has said yes, it stays with that.

    Args:
        start: how the run was started.
        began: when the program began, by the clock; default: now.
        clock: seconds.
    """

    def __init__(self, start: Start, began: float | None = None, clock: Callable[[], float] = time.monotonic):
        self._clock, self._after = clock, start.stop_after
        self._until = (clock() if began is None else began) + start.stop_after_s if start.stop_after else float("inf")
        self._has_stepped = False
        self.is_decided = False
        self._cause = ""

    def count_step(self) -> None:
        """This start of the run has made a step."""
        self._has_stepped = True

    def is_due(self) -> bool:
        """Whether the run is to end; all hosts must ask, and get the same answer."""
        if not self.is_decided:
            is_late = jax.process_index() == 0 and self._has_stepped and self._clock() >= self._until
            found = sharding.sum_over_hosts({"told": float(interrupts.asked()), "late": float(is_late)})
            self._cause = "told" if found["told"] else "late" if found["late"] else ""
            self.is_decided = bool(self._cause)
        return self.is_decided

    def end(self, steps: Sequence[int], workdir: str) -> None:
        """End the program, all that is to stay being on the disk: checkpoints of these steps, oldest first.

        Raises `Terminated` or `Stopped`, whose line ends in what is kept.
        """
        kept = f"nothing is kept yet, the same command begins {workdir} anew"
        if steps:
            kept = f"step {steps[-1]} is kept, the same command resumes {workdir}"
        if self._cause == "told":
            raise ends.Terminated(f"terminated; {kept}")
        raise ends.Stopped(f"after {self._after}, as --stop-after asked; {kept}")


def report_and_say(workdir: str, done: str, say: Callable[[str], None]) -> None:
    """Write the report of a run that is done, on process 0, and say where it is, after the words `done`.

    Raises `ValueError` or `OSError` as `report.runs.write_report`.
    """
    if jax.process_index() == 0:
        write_report(workdir)
    say(f"{done}; look at {workdir}/report.html")
