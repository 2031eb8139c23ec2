"""How a conversation of several turns ended: what its environment says and a reward reads."""

from collections.abc import Mapping
from typing import NamedTuple

# Why a turn was not as it must be, or a conversation ended without an answer; counted, each by its name.
MALFORMED = ("no_call", "two_calls", "form", "syntax", "unknown", "arguments", "too_long", "overlong", "stopped")
LOST = ("late", "died")  # in the environment's processes
UNFINISHED = ("no_answer", "no_room", *LOST)
REASONS = (*MALFORMED, *UNFINISHED)


class Ending(NamedTuple):
    """The end of a conversation.

    Worked example, an answer that is right after one swap in the jigsaw of four: correct, well formed, parsed
    `3 1 4 2`, parts `in_place` 1 and `steps` -0.05, counts `turns` 2 and `pictures` 1.
    """

    correct: bool
    well_formed: bool  # every turn was a call that is allowed or an answer in its form, and the last was the answer
    parsed: str | None  # the answer's text; None: there was none in its form
    parts: Mapping[str, float] = {}
    counts: Mapping[str, int] = {}

    @property
    def met(self) -> list[str]:
        """Those of `REASONS` that were met."""
        return [reason for reason in REASONS if self.counts.get(reason)]
