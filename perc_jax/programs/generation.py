"""Calls a rollout's compiled programs in their order: prefill, segments on a ring that fits, newcomers in between.

The order follows from what all hosts know (`Standing`), so all make the same calls. As long as prompts wait for a slot
the host reads how each segment ended before it begins the next one, with the prefill of the next prompts under way;
after that, and where there is room for all, a segment is dispatched before the one before it is known to be the last,
so that the device never waits for the host. A segment that finds all rows done does nothing.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from perc_jax.batch import Completions, PromptBatch
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.queue import Queue
from perc_jax.programs.rollout import RolloutBlueprints
from perc_jax.rollout.decode import Context, Standing, State, Work
from perc_jax.rollout.slots import Schedule


class Generation:
    """G completions per prompt, for one shape of prompts. `compile` makes a callable of a blueprint."""

    def __init__(self, blueprints: RolloutBlueprints, compile: Callable[[Blueprint], Callable[..., Any]]):
        self._plan, self._config = blueprints, blueprints.config
        self.prefill = compile(blueprints.prefill)
        self._prefills = (*map(compile, blueprints.smaller), self.prefill)  # by place of the bucket
        self.decode = {ring: compile(program) for ring, program in blueprints.decode.items()}
        self._resize = {rings: compile(program) for rings, program in blueprints.resize.items()}
        self._pool = blueprints.pool and tuple(compile(program) for program in blueprints.pool)
        self._work = Work(0, 0, 0)

    def __call__(
        self,
        params: Any,
        prompts: PromptBatch,
        names: Any,
        key: Any,
        step: Any,
        buckets: Int[np.ndarray, "P"] | None = None,
    ) -> Completions:
        """Completions [P, G, C] of global device arrays, on the devices; `names` (uint32 [P]) tell prompts apart.

        `buckets`: the place of the smallest bucket that holds each prompt, on all hosts; None: the largest is taken.
        """
        given = (params, prompts, names, key, step)
        buckets = np.full(self._plan.prompts, len(self._prefills) - 1) if buckets is None else buckets
        if self._pool is not None:
            return self._by_turns(given, self._queue(given, buckets))
        return self.finish(params, *self._prefills[buckets.max()](*given))

    def finish(self, params: Any, context: Context, state: State) -> Completions:
        """The completions of what a prefill began; consumes the state."""
        return self._finish(params, context, state, next(iter(self.decode)), 1).completions()

    def occupancy(self) -> dict[str, float]:
        """Shares of what was decoded in the last call, over all devices: of columns x slots those with a group that is
        not done, of columns x rows those with a completion that is not done."""
        work = jax.tree.map(float, jax.device_get(self._work))
        columns = max(work.columns, 1.0)
        return {
            "rollout/slot_occupancy": work.of_live_groups / columns,
            "rollout/occupancy": work.of_live_rows / (columns * self._plan.rows),
        }

    def _queue(self, given: tuple[Any, ...], buckets: Int[np.ndarray, "P"]) -> Queue:
        """All prompts, waiting for a slot."""
        devices, prompts, slots = self._plan.devices, self._plan.prompts, self._plan.slots
        schedule = Schedule(devices, prompts // devices, slots // devices, self._config.prefill_prompts)
        return Queue(given, buckets.reshape(devices, -1), schedule, self._prefills, self._pool[1])

    def _by_turns(self, given: tuple[Any, ...], queue: Queue) -> Completions:
        """Let prompts enter slots as these get free, then finish."""
        start, _, collect = self._pool
        (pool, state), ring = start(), next(iter(self.decode))
        free, longest = np.ones(self._plan.slots, bool), 0
        while True:
            pool, entered = queue.enter(pool, free)
            longest = max(longest, 1) if entered else longest
            state = state._replace(groups=pool.groups)
            if not queue.waiting:
                break
            state, ring = self._fit(state, ring, self._needed(longest))
            state, told = self.decode[ring](given[0], pool.context, state)
            pool = pool._replace(groups=state.groups)
            queue.look_ahead()
            told = jax.device_get(told)
            free, longest = np.array(told.free), int(told.longest)
        state = self._finish(given[0], pool.context, state, ring, longest)
        return collect(pool._replace(groups=state.groups))

    def _finish(self, params: Any, context: Context, state: State, ring: int, longest: int) -> State:
        """Decode until all rows are done; `longest` is the longest unfinished completion in tokens."""
        told: list[Standing] = []
        every = self._plan.rows == self._plan.group_size  # then each segment brings every completion nearer its end
        enough = -(-(self._config.max_tokens - 1) // self._config.segment_tokens)
        for _ in range(enough) if every else itertools.count():
            if len(told) == 2:
                if (before := jax.device_get(told.pop(0))).free.all():
                    break
                longest = int(before.longest) + self._config.segment_tokens  # of the segment that is under way
            state, ring = self._fit(state, ring, self._needed(longest))
            state, now = self.decode[ring](params, context, state)
            told.append(now)
            longest += self._config.segment_tokens
        self._work = told[-1].work if told else self._work
        return state

    def _needed(self, longest: int) -> int:
        """Columns that hold the longest completion up to the next segment's end."""
        return min(longest + self._config.segment_tokens - 1, self._config.max_tokens - 1)

    def _fit(self, state: State, ring: int, needed: int) -> tuple[State, int]:
        """The state on the shortest ring of so many columns."""
        rings = tuple(self.decode)
        wanted = next(ring for ring in rings if ring >= needed)
        while ring != wanted:
            place = rings.index(ring)
            neighbour = rings[place + 1 if wanted > ring else place - 1]
            old, state, ring = state, self._resize[ring, neighbour](state), neighbour
            jax.tree.map(lambda array: array.delete(), old)  # whoever still holds it: it is half of the memory
        return state, ring
