"""Rollouts in turns: decode, show the turns that end to whoever replies, let replies and the next prompts in, go on.

A turn that is over is shown after the segment in which it ended, so that replies are made while the other completions
of the batch go on. They come in when no completion can go on without: then one program runs them all, in the smallest
of its shapes that holds each.

Where prompts wait for a slot, replies are asked for after a segment more, a group whose conversations are all over
gives its slot to the next prompt, and replies come in as soon as there is one for half of the rows: sooner, and what
running them costs, which is the same for one as for all, would be paid for few; later, and most rows would be idle.
What is sampled does not depend on when that is, and when it is does not depend on a clock: a run that is killed is the
same when it goes on.

All hosts make the same calls: how far completions are they know from the devices, who is over and which shape of
replies is needed from exchanges.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int

from perc_jax.batch import Completions
from perc_jax.mesh import sharding, shares
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.generation import Generation
from perc_jax.programs.moment import Moment, Talking
from perc_jax.programs.queue import Queue
from perc_jax.programs.rollout import RolloutBlueprints
from perc_jax.rollout.decode import Context, State
from perc_jax.rollout.slots import Pool
from perc_jax.rollout.transcript import fitting, together


class Conversed(NamedTuple):
    """What a rollout in turns has come to."""

    completions: Completions  # this host's rows; without features
    on_mesh: Completions  # all rows, on the devices; with features, where these are kept


@dataclass
class _Going:
    """A rollout that is under way."""

    params: Any
    moment: Moment
    state: State
    context: Context
    ring: int  # columns
    features: Any
    queue: Queue | None = None  # of prompts that wait for a slot
    pool: Pool | None = None  # of the slots
    longest: int = 1  # tokens of the longest completion that is not over
    is_idle: bool = False  # no completion goes on without being replied to

    @property
    def waiting(self) -> bool:
        """Whether prompts wait for a slot."""
        return self.queue is not None and self.queue.waiting


class Conversing(Generation):
    """G completions per prompt with replies, for one shape of prompts. `compile` makes a callable of a blueprint."""

    def __init__(self, blueprints: RolloutBlueprints, compile: Callable[[Blueprint], Callable[..., Any]]):
        super().__init__(blueprints, compile)
        self._talk, self._mesh = blueprints.talk, blueprints.prefill.mesh
        self._extend = {key: compile(program) for key, program in self._talk.extend.items()}
        self._nothing = self._talk.nothing and compile(self._talk.nothing)
        share = shares.own(self._mesh)  # the hosts' exchanges are compiled now
        prompts, slots = (len(share.rows(count)) for count in (blueprints.prompts, blueprints.slots))
        sharding.largest_of_sharers(np.zeros(prompts * blueprints.group_size, np.int32), self._mesh)
        if self._pool is not None:
            sharding.rows_of_all_hosts(np.zeros((slots, 2), np.int32), self._mesh)

    def converse(
        self,
        given: tuple[Any, ...],
        talking: Talking,
        buckets: Int[np.ndarray, "P"] | None = None,
    ) -> Conversed:
        """Completions of `given`: params, prompts, names, key, step; these and `buckets` as `Generation` takes them."""
        buckets = np.full(self._plan.prompts, len(self._prefills) - 1) if buckets is None else buckets
        next_position = sharding.rows_to_host(given[1].next_position)
        on = self._begun(given, Moment(self._plan, talking, next_position, shares.own(self._mesh)), buckets)
        goes_on = True
        while goes_on:
            self._segment(on)
            goes_on = self._between(on)
        return self._come_to(on)

    def _begun(self, given: tuple[Any, ...], moment: Moment, buckets: Int[np.ndarray, "P"]) -> _Going:
        """A rollout whose first prompts have been prefilled."""
        ring = next(iter(self.decode))
        if self._pool is None:
            context, state = self._prefills[int(buckets.max())](*given)
            return _Going(given[0], moment, state, context, ring, self._nothing and self._nothing())
        pool, state = self._pool[0]()
        features, queue = self._nothing and self._nothing(), self._queue(given, buckets)
        on = _Going(given[0], moment, state, pool.context, ring, features, queue, pool)
        self._enter(on, np.ones(self._plan.slots, bool))
        return on

    def _segment(self, on: _Going) -> None:
        """Decode a segment, and show the turns that ended in it."""
        on.state, on.ring = self._fit(on.state, on.ring, self._needed(on.longest))
        on.state, told = self.decode[on.ring](on.params, on.context, on.state)
        if on.waiting:
            on.queue.look_ahead()
        told = jax.device_get(told)
        on.is_idle, on.longest, self._work = bool(told.free.all()), int(told.longest), told.work
        on.moment.listen(sharding.rows_to_host(on.state.groups))

    def _between(self, on: _Going) -> bool:
        """Let in, between two segments, the replies and prompts whose time has come; False: all is over."""
        if not on.is_idle and not on.waiting:
            return True
        on.moment.hear(everything=on.is_idle)
        if not on.waiting:
            return self._reply(on)
        free, able = sharding.rows_of_all_hosts(on.moment.standing(), self._mesh).T
        if on.is_idle or 2 * able.sum() >= self._plan.slots * self._plan.rows:
            self._reply(on)
        self._enter(on, free.astype(bool))
        return True

    def _needed(self, longest: int) -> int:
        """Columns that hold the longest completion, though it waits, and a segment."""
        return longest + self._config.segment_tokens - 1

    def _reply(self, on: _Going) -> bool:
        """Let in the replies that are there; whether there are any."""
        replies, at = on.moment.replies()
        place = int(sharding.max_over_hosts(float(fitting(replies, self._talk.shapes))))
        if place < 0:
            return False
        shape = self._talk.shapes[place]
        on.longest = int(sharding.max_over_hosts(float(on.moment.longest(on.longest))))
        on.state, on.ring = self._fit(on.state, on.ring, max(on.longest - 1, shape[0] + 1))
        arrays = together(replies, shape, at.shape, self._talk.patch_bytes, self._talk.ids.pad)
        given = sharding.rows_to_mesh((arrays, on.moment.moves(at)), self._mesh)
        on.state, on.features, told = self._extend[place, on.ring](on.params, on.context, on.state, *given, on.features)
        self._work = jax.device_get(told.work)
        return True

    def _enter(self, on: _Going, free: Bool[np.ndarray, "N"]) -> None:
        """Let the next prompts into free slots."""
        pool, entered = on.queue.enter(on.pool._replace(groups=on.state.groups), free)
        for first, places in entered:
            on.moment.enter(first, places)
        on.pool, on.context, on.state = pool, pool.context, on.state._replace(groups=pool.groups)
        on.longest = max(on.longest, 1) if entered else on.longest

    def _come_to(self, on: _Going) -> Conversed:
        groups = on.state.groups
        sampled = groups.completions() if on.pool is None else self._pool[2](on.pool._replace(groups=groups))
        found = on.moment.completions(sharding.rows_to_host(sampled), self._talk.patches, self._talk.patch_bytes)
        observed = sharding.rows_to_mesh(found.observed, self._mesh)._replace(features=on.features)
        ended = sharding.rows_to_mesh(found.ended, self._mesh)
        return Conversed(found, Completions(sampled.tokens, sampled.logprobs, sampled.mask, ended, observed))
