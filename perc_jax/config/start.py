"""What one start of a run is asked beside its config: it changes nothing of what the run computes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from perc_jax.config.rules import Sound, Violation, anything, distinct, each, one_of, unless

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")


def duration(value: str) -> str | None:
    """Empty, or numbers with a unit each."""
    return None if not value or DURATION.fullmatch(value) else "must be a duration such as 45s, 90m, 3h, 1d or 1h30m"


TRACKERS = {"tensorboard": "tensorboardX", "wandb": "wandb", "trackio": "trackio"}  # and the packages behind them


@dataclass(frozen=True)
class Start:
    """One start of a run."""

    stop_after: Annotated[str, duration] = ""  # time after which it ends with a checkpoint; empty: when it is done
    dry_run: Annotated[bool, anything] = False  # say what the run would be, and do nothing
    track: Annotated[tuple[str, ...], each(one_of(*TRACKERS)), distinct] = ()  # who else is told its metrics

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What needs the time in seconds."""
        if sound("stop_after") and self.stop_after:
            yield from unless(self.stop_after_s > 0, "stop_after", "must be > 0", self.stop_after)

    @property
    def stop_after_s(self) -> float:
        """Seconds after which the run ends; 0: when it is done."""
        parts = re.findall(r"[\d.]+[smhd]", self.stop_after)
        return sum((float(part[:-1]) * SECONDS[part[-1]] for part in parts), 0.0)


PLAIN = Start()  # nothing asked
