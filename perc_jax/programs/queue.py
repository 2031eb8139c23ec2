"""Prompts that wait for a slot: the next ones are prefilled ahead, and let in as slots get free.

The host's side of `rollout/slots.py` with its compiled programs. Who enters where follows from numbers that all hosts
know, so all make the same calls.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from perc_jax.rollout.slots import Pool, Schedule

Entered = tuple[Int[np.ndarray, "D"], Int[np.ndarray, "D A"]]  # first prefilled prompts, and slots, of all devices


class Queue:
    """The prompts of one rollout that have not entered a slot."""

    def __init__(
        self,
        given: tuple[Any, ...],
        buckets: Int[np.ndarray, "D p"],
        schedule: Schedule,
        prefills: Sequence[Callable[..., Any]],
        admit: Callable[..., Pool],
    ):
        """All wait.

        Args:
            given: params, prompts, names, key, step.
            buckets: the place of each device's prompts' buckets.
            schedule: of these prompts, at its beginning.
            prefills: by place of the bucket.
            admit: puts prefilled prompts into slots.
        """
        self._given, self._buckets, self._schedule = given, buckets, schedule
        self._prefills, self._admit = prefills, admit
        self._newcomers: tuple[Any, ...] | None = None

    @property
    def waiting(self) -> bool:
        """Whether any prompt has not entered."""
        return self._schedule.waiting

    def enter(self, pool: Pool, free: Bool[np.ndarray, "N"]) -> tuple[Pool, list[Entered]]:
        """Let prompts into free slots, which are taken off `free`; consumes the pool. Also tells who entered where."""
        schedule, entered = self._schedule, []
        while schedule.waiting and (self._newcomers is None or free.any()):
            if self._newcomers is None or schedule.used_up:
                self._prefill()
            places = schedule.enter(free)
            if places is None:
                break
            pool = self._admit(pool, *self._newcomers, schedule.first, places)
            entered.append((schedule.first, places))
        return pool, entered

    def look_ahead(self) -> None:
        """Begin to prefill the next prompts if all that were have entered."""
        if self._schedule.used_up:
            self._prefill()

    def _prefill(self) -> None:
        """Prefill the prompts that are next on each device."""
        schedule = self._schedule
        schedule.move_on()
        windows = zip(self._buckets, schedule.first, strict=True)
        place = max(int(own[first : first + schedule.ahead].max()) for own, first in windows)
        self._newcomers = self._prefills[place](*self._given, schedule.first)
