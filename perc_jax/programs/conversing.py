"""Rollouts in turns: decode until all completions wait, hear what is replied, let it in, go on.

A turn that is over is shown to whoever replies after the segment in which it ended, so that replies are made while the
other completions of the batch go on. They come in when no completion can go on without: then one program runs them all,
in the smallest of its shapes that holds each. What is sampled does not depend on when that is.

All hosts make the same calls: how far completions are they know from the devices, which shape from an exchange.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from perc_jax.batch import Completions, Ended, Reply
from perc_jax.mesh import sharding
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.generation import Generation
from perc_jax.programs.rollout import RolloutBlueprints
from perc_jax.rollout.decode import Groups, State
from perc_jax.rollout.extend import Moves
from perc_jax.rollout.transcript import Transcript, fitting, together

Where = tuple[int, int]  # prompt and completion
# Begins to reply to turns of this host's completions; replies come in their order, None: the completion is over.
Talking = Callable[[Sequence[Ended]], Iterator[Reply | None]]


class Conversed(NamedTuple):
    """What a rollout in turns has come to."""

    completions: Completions  # this host's rows; without features
    on_mesh: Completions  # all rows, on the devices; with features, where these are kept


class Conversing(Generation):
    """G completions per prompt with replies, for one shape of prompts. `compile` makes a callable of a blueprint."""

    def __init__(self, blueprints: RolloutBlueprints, compile: Callable[[Blueprint], Callable[..., Any]]):
        super().__init__(blueprints, compile)
        self._talk, self._mesh = blueprints.talk, blueprints.prefill.mesh
        self._extend = {key: compile(program) for key, program in self._talk.extend.items()}
        self._nothing = self._talk.nothing and compile(self._talk.nothing)
        self._keeps = blueprints.rows == blueprints.group_size

    def converse(
        self,
        given: tuple[Any, ...],
        talking: Talking,
        buckets: Int[np.ndarray, "P"] | None = None,
    ) -> Conversed:
        """Completions of `given`: params, prompts, names, key, step; these and `buckets` as `Generation` takes them."""
        next_position = sharding.rows_to_host(given[1].next_position)
        place = len(self._prefills) - 1 if buckets is None else int(buckets.max())
        params, (context, state) = given[0], self._prefills[place](*given)
        moment = _Moment(self._plan, talking, next_position)
        ring, longest, features = next(iter(self.decode)), 1, self._nothing() if self._nothing else None
        while True:
            state, ring, longest = self._to_the_end(params, context, state, ring, longest, moment)
            replies, at = moment.replies(self._keeps)
            place = int(sharding.max_over_hosts(float(fitting(replies, self._talk.shapes))))
            if place < 0:
                break
            shape, longest = self._talk.shapes[place], int(sharding.max_over_hosts(float(moment.longest(longest))))
            state, ring = self._fit(state, ring, max(longest - 1, shape[0] + 1))
            arrays = together(replies, shape, at.shape, self._talk.patch_bytes, self._talk.ids.pad)
            arrays, moves = sharding.rows_to_mesh((arrays, moment.moves(at, self._keeps)), self._mesh)
            state, features, told = self._extend[place, ring](params, context, state, arrays, moves, features)
            self._work = jax.device_get(told.work)
        return self._come_to(state, features, moment)

    def _needed(self, longest: int) -> int:
        """Columns that hold the longest completion, though it waits, and a segment."""
        return longest + self._config.segment_tokens - 1

    def _to_the_end(
        self, params: Any, context: Any, state: State, ring: int, longest: int, moment: "_Moment"
    ) -> tuple[State, int, int]:
        """Decode until no completion wants more tokens before it is replied to."""
        is_over = False
        while not is_over:
            state, ring = self._fit(state, ring, self._needed(longest))
            state, told = self.decode[ring](params, context, state)
            told = jax.device_get(told)
            is_over, longest, self._work = bool(told.free.all()), int(told.longest), told.work
            moment.listen(sharding.rows_to_host(state.groups))
        return state, ring, longest

    def _come_to(self, state: State, features: Any, moment: "_Moment") -> Conversed:
        groups = state.groups
        found = moment.completions(self._talk.patches, self._talk.patch_bytes)
        observed = sharding.rows_to_mesh(found.observed, self._mesh)._replace(features=features)
        ended = sharding.rows_to_mesh(found.ended, self._mesh)
        return Conversed(found, Completions(groups.tokens, groups.logprobs, groups.mask, ended, observed))


class _Moment:
    """How the conversations of a rollout stand, on this host."""

    def __init__(self, plan: RolloutBlueprints, talking: Talking, next_position: Int[np.ndarray, "P"]):
        self._talking, self._ends = talking, plan.talk.ids.ends
        self._transcript = Transcript(np.asarray(next_position), plan.group_size, plan.talk.merged)
        self._begin = np.zeros((len(next_position), plan.group_size), int)  # places of the present turns
        self._over, self._is_told = (np.zeros(self._begin.shape, bool) for _ in range(2))
        self._pending: list[tuple[list[Where], Iterator[Reply | None]]] = []
        self._ready: dict[Where, Reply] = {}
        self._entering: dict[Where, Reply] = {}
        self._groups: Groups | None = None

    def listen(self, groups: Groups) -> None:
        """Show the turns that have ended to whoever replies; these are this host's groups as they are now."""
        self._groups, most = groups, groups.tokens.shape[2]
        is_over = (groups.turns.waiting | (groups.length >= most)) & ~self._is_told & (groups.length > 0)
        where = [(p, g) for p, g in np.argwhere(is_over).tolist()]
        ended = []
        for p, g in where:
            length = int(groups.length[p, g])
            tokens = groups.tokens[p, g, self._begin[p, g] : length].tolist()
            ended.append(Ended(p, g, tokens, self._transcript.position(p, g, length), most - length))
        if where:
            self._is_told |= is_over
            self._pending.append((where, self._talking(ended)))

    def replies(self, keeps: bool) -> tuple[dict[Where, Reply], Int[np.ndarray, "P W"]]:
        """Wait for all replies; gives those that come in now, by prompt and row, and which completion each row has."""
        for where, replies in self._pending:
            for (p, g), reply in zip(where, replies, strict=True):
                if reply is None:
                    self._over[p, g] = True
                    continue
                place = int(self._groups.length[p, g])
                if place + len(reply.tokens) >= self._groups.tokens.shape[2]:
                    raise ValueError(f"a reply must leave room for a token more, got {len(reply.tokens)} at {place}")
                self._transcript.add(p, g, place, reply)
                self._ready[p, g] = reply
        self._pending.clear()
        at, group = np.array(self._groups.at), self._begin.shape[1]
        if keeps:
            self._entering, self._ready = self._ready, {}
            return self._entering, at
        at[:], found, self._entering = group, {}, {}
        for p, g in sorted(self._ready):
            if free := np.flatnonzero(at[p] == group).tolist():
                at[p, free[0]] = g
                found[p, free[0]] = self._transcript.as_one(p, g, self._groups.tokens[p, g])
                self._entering[p, g] = self._ready.pop((p, g))
        return found, at

    def longest(self, now: int) -> int:
        """Tokens of the longest completion once what enters is in, `now` being that of the others; begins the turns of
        what enters."""
        for (p, g), reply in self._entering.items():
            self._begin[p, g] = self._groups.length[p, g] + len(reply.tokens)
            self._is_told[p, g] = False
        return max([now, *(int(self._begin[where]) + 1 for where in self._entering)])

    def moves(self, at: Int[np.ndarray, "P W"], keeps: bool) -> Moves:
        """What becomes of completions beside what they are told."""
        first = np.zeros(at.shape, np.int32)
        for p, g in self._entering if keeps else ():
            first[p, g] = self._transcript.feature(p, g)
        return Moves(self._over, at.astype(np.int32), first)

    def completions(self, patches: int, patch_bytes: int) -> Completions:
        """What has been sampled and told in the end."""
        groups = self._groups
        last = np.take_along_axis(groups.tokens, np.maximum(groups.length - 1, 0)[..., None], axis=2)[..., 0]
        observed = self._transcript.observed(groups.tokens, groups.length, patches, patch_bytes)
        return Completions(groups.tokens, groups.logprobs, groups.mask, np.isin(last, self._ends), observed)
