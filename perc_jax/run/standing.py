"""How a run stands by its suites: which evaluation was the best, and how many in a row have not been better.

`checkpoint.best` names the suite whose best checkpoint is kept, over all stages. `evaluation.watch` names the one by
which a stage ends: after `evaluation.patience` evaluations without a higher accuracy than what the stage began with or
has reached since. The state is plain data in the checkpoint, and an evaluation that is looked at twice counts once: a
checkpoint may have been written before or after its own evaluation. For a suite that
counts only since a resume all are new. Results are the same on all hosts, and so is what follows from them.
"""

from collections.abc import Mapping
from typing import Any

from perc_jax.config import Config

FRESH = {"at": -1, "best": None, "last": None, "highest": None, "waited": 0}


class Standing:
    """Looks at each evaluation in its order.

    Args:
        config: the run's.
        stored: what `stored` gave, if the run goes on; what it says of a suite that is not the one any more is dropped.
    """

    def __init__(self, config: Config, stored: Mapping[str, Any] | None = None):
        self._kept, self._watched = config.checkpoint.best, config.evaluation.watch
        self._patience = config.evaluation.patience
        self._state = FRESH | dict(stored or {})
        if (self.best or {}).get("suite") != self._kept:
            self._state["best"] = None
        if self._state.get("watched") != self._watched:
            self._state |= {"watched": self._watched, "last": None, "highest": None, "waited": 0}

    @property
    def best(self) -> dict[str, Any] | None:
        """The best evaluation with a checkpoint: {"step", "suite", "accuracy"}."""
        return self._state["best"]

    @property
    def is_over(self) -> bool:
        """Whether patience with this stage is at its end."""
        return 0 < self._patience <= self._state["waited"]

    def begin_stage(self) -> None:
        """From now on a stage is measured by what it begins with."""
        self._state |= {"highest": self._state["last"], "waited": 0}

    def look(self, step: int, results: Mapping[str, Any]) -> None:
        """Take note of an evaluation after a global step; `results` by suite, as `Evaluator.suites` gives them."""
        is_seen = step <= self._state["at"]
        self._state["at"] = max(step, self._state["at"])
        if self._kept and step and (not is_seen or self.best is None):  # at step 0 there is no checkpoint
            accuracy = results[self._kept]["accuracy"]
            if self.best is None or accuracy > self.best["accuracy"]:
                self._state["best"] = {"step": step, "suite": self._kept, "accuracy": accuracy}
        if self._watched and (not is_seen or self._state["last"] is None):
            accuracy, highest = results[self._watched]["accuracy"], self._state["highest"]
            is_better = highest is None or accuracy > highest
            waited = 0 if is_better else self._state["waited"] + 1
            self._state |= {"last": accuracy, "highest": accuracy if is_better else highest, "waited": waited}

    def said(self) -> str:
        """Why a stage ends, in words."""
        waited, highest = self._state["waited"], self._state["highest"]
        return f"{self._watched} has not risen above {100 * highest:.1f} % for {waited} evaluations"

    def stored(self) -> dict[str, Any]:
        """JSON-ready state for a checkpoint."""
        return dict(self._state)
