"""What one start of a run is asked beside its config: it changes nothing of what the run computes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from perc_jax.config.rules import Sound, Violation, anything, distinct, each, one_of, unless, within

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
SPAN = re.compile(r"(\d{1,9}):(\d{1,9})")
MOST_RESTARTS = 1000


def duration(value: str) -> str | None:
    """Empty, or numbers with a unit each."""
    return None if not value or DURATION.fullmatch(value) else "must be a duration such as 45s, 90m, 3h, 1d or 1h30m"


def span(value: str) -> str | None:
    """Empty, or two steps of which the second is not before the first."""
    found = SPAN.fullmatch(value)
    is_right = not value or (found and 1 <= int(found[1]) <= int(found[2]))
    return None if is_right else "must be the first and the last step, such as 10:12, from 1 on"


TRACKERS = {"tensorboard": "tensorboardX", "wandb": "wandb", "trackio": "trackio"}  # and the packages behind them


@dataclass(frozen=True)
class Start:
    """One start of a run."""

    stop_after: Annotated[str, duration] = ""  # time after which it ends with a checkpoint; empty: when it is done
    dry_run: Annotated[bool, anything] = False  # say what the run would be, and do nothing
    track: Annotated[tuple[str, ...], each(one_of(*TRACKERS)), distinct] = ()  # who else is told its metrics
    profile: Annotated[str, span] = ""  # FIRST:LAST, the global steps of which a trace is made; empty: none
    max_restarts: Annotated[int, within(0, MOST_RESTARTS)] = 0  # how often it is started again when it ends badly

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What needs the time in seconds."""
        if sound("stop_after") and self.stop_after:
            yield from unless(self.stop_after_s > 0, "stop_after", "must be > 0", self.stop_after)

    @property
    def stop_after_s(self) -> float:
        """Seconds after which the run ends; 0: when it is done."""
        parts = re.findall(r"[\d.]+[smhd]", self.stop_after)
        return sum((float(part[:-1]) * SECONDS[part[-1]] for part in parts), 0.0)

    @property
    def traced(self) -> tuple[int, int]:
        """The first and the last step of which a trace is made; (0, 0): none."""
        first, _, last = (self.profile or "0:0").partition(":")
        return int(first), int(last)


PLAIN = Start()  # nothing asked
