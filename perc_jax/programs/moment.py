"""How the conversations of a rollout stand on one host: who has been shown, who waits, who is told what next.

Conversations live in slots, one group of completions each; where there is room for all prompts, each has its own. What
is said and told is kept by prompt (`rollout/transcript.py`), what stands on the devices by slot.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Int

from perc_jax.batch import Completions, Ended, Reply, Share
from perc_jax.programs.rollout import RolloutBlueprints
from perc_jax.rollout.decode import Groups
from perc_jax.rollout.extend import Moves
from perc_jax.rollout.transcript import Transcript

Where = tuple[int, int]  # slot and completion
# Begins to reply to turns of this host's completions; replies come in their order, None: the completion is over.
Talking = Callable[[Sequence[Ended]], Iterator[Reply | None]]


class Moment:
    """The conversations of a rollout as they are now."""

    def __init__(self, plan: RolloutBlueprints, talking: Talking, next_position: Int[np.ndarray, "P"], share: Share):
        """Begin.

        Args:
            plan: of the rollout; with room for all prompts each is in a slot already, else none.
            talking: replies.
            next_position: of this host's prompts' first completion tokens.
            share: this host's.
        """
        self._talking, self._ends, self._share = talking, plan.talk.ids.ends, share
        self._transcript = Transcript(np.asarray(next_position), plan.group_size, plan.talk.merged)
        self._each = plan.prompts // plan.devices, plan.slots // plan.devices  # prompts and slots of a device
        self._keeps, self._has_slots = plan.rows == plan.group_size, plan.pool is not None
        slots = len(share.rows(plan.slots))
        self._prompt = np.zeros(slots, int) if self._has_slots else np.arange(slots)  # in each slot, of this host's
        self._begin = np.zeros((slots, plan.group_size), int)  # places of the present turns
        # An empty slot's conversations are over.
        self._over, self._is_told = (np.full(self._begin.shape, self._has_slots) for _ in range(2))
        self._pending: list[tuple[list[Where], Iterator[Reply | None]]] = []
        self._earlier = 0  # of those, begun before the newest segment
        self._ready: dict[Where, Reply] = {}
        self._entering: dict[Where, Reply] = {}
        self._groups: Groups | None = None

    def enter(self, first: Int[np.ndarray, "D"], places: Int[np.ndarray, "D A"]) -> None:
        """Begin the conversations of prompts `first`, `first` + 1, … of each device, in these of its slots (their
        number: not this one)."""
        prompts, slots = self._each
        for own, unit in enumerate(self._share.units):
            for entry in np.flatnonzero(places[unit] < slots).tolist():
                slot = own * slots + int(places[unit, entry])
                self._prompt[slot] = own * prompts + int(first[unit]) + entry
                self._begin[slot], self._over[slot], self._is_told[slot] = 0, False, False

    def listen(self, groups: Groups) -> None:
        """Show the turns that have ended in a segment to whoever replies; these are this host's groups after it."""
        self._groups, most = groups, groups.tokens.shape[2]
        self._earlier = len(self._pending)
        is_over = (groups.turns.waiting | (groups.length >= most)) & ~self._is_told & (groups.length > 0)
        where = [(slot, g) for slot, g in np.argwhere(is_over).tolist()]
        ended = []
        for slot, g in where:
            prompt, length = int(self._prompt[slot]), int(groups.length[slot, g])
            tokens = groups.tokens[slot, g, self._begin[slot, g] : length].tolist()
            ended.append(Ended(prompt, g, tokens, self._transcript.position(prompt, g, length), most - length))
        if where or self._share.sharers > 1:  # who shares rows asks equally often: they agree on replies
            self._is_told |= is_over
            self._pending.append((where, self._talking(ended)))

    def hear(self, everything: bool) -> None:
        """Wait for the replies to all turns that were shown, or to those that had a segment's time."""
        count = len(self._pending) if everything else self._earlier
        heard, self._pending, self._earlier = self._pending[:count], self._pending[count:], 0
        for where, replies in heard:
            for (slot, g), reply in zip(where, list(replies), strict=True):
                if reply is None:
                    self._over[slot, g] = True
                    continue
                place = int(self._groups.length[slot, g])
                if place + len(reply.tokens) >= self._groups.tokens.shape[2]:
                    raise ValueError(f"a reply must leave room for a token more, got {len(reply.tokens)} at {place}")
                self._transcript.add(int(self._prompt[slot]), g, place, reply)
                self._ready[slot, g] = reply

    def standing(self) -> Int[np.ndarray, "N 2"]:
        """Of each slot, whether all of its conversations are over (1, else 0), and how many replies can come in."""
        ready = np.bincount([slot for slot, _ in self._ready], minlength=len(self._over))
        rows = self._over.shape[1] if self._keeps else self._free_rows().sum(axis=1)
        return np.stack([self._over.all(axis=1), np.minimum(ready, rows)], axis=1).astype(np.int32)

    def replies(self) -> tuple[dict[Where, Reply], Int[np.ndarray, "N W"]]:
        """The replies that come in now, by slot and row, and which completion each row has from now on."""
        at, group = np.array(self._groups.at), self._over.shape[1]
        if self._keeps:
            self._entering, self._ready = self._ready, {}
            return self._entering, at
        at, found, self._entering = np.where(self._free_rows(), group, at), {}, {}
        for slot, g in sorted(self._ready):
            if free := np.flatnonzero(at[slot] == group).tolist():
                at[slot, free[0]] = g
                prompt = int(self._prompt[slot])
                found[slot, free[0]] = self._transcript.as_one(prompt, g, self._groups.tokens[slot, g])
                self._entering[slot, g] = self._ready.pop((slot, g))
        return found, at

    def longest(self, now: int) -> int:
        """Tokens of the longest completion once what enters is in, `now` being that of the others; begins the turns of
        what enters."""
        for (slot, g), reply in self._entering.items():
            self._begin[slot, g] = self._groups.length[slot, g] + len(reply.tokens)
            self._is_told[slot, g] = False
        return max([now, *(int(self._begin[where]) + 1 for where in self._entering)])

    def moves(self, at: Int[np.ndarray, "N W"]) -> Moves:
        """What becomes of completions beside what they are told."""
        first = np.zeros(at.shape, np.int32)
        for slot, g in self._entering if self._keeps else ():
            first[slot, g] = self._transcript.feature(int(self._prompt[slot]), g)
        prompt = (self._prompt % self._each[0]).astype(np.int32) if self._has_slots else None
        return Moves(self._over, at.astype(np.int32), first, prompt)

    def completions(self, sampled: Completions, patches: int, patch_bytes: int) -> Completions:
        """What has been sampled, of all of this host's prompts, with what was told."""
        tokens, mask = sampled.tokens, sampled.mask
        lengths = mask.shape[2] - np.argmax(mask[..., ::-1], axis=2)  # a completion's last token was sampled
        last = np.take_along_axis(tokens, lengths[..., None] - 1, axis=2)[..., 0]
        observed = self._transcript.observed(tokens, lengths, patches, patch_bytes)
        return Completions(tokens, sampled.logprobs, mask, np.isin(last, self._ends), observed)

    def _free_rows(self) -> np.ndarray:
        """Which rows [N, W] have no completion that wants more tokens now."""
        groups, group = self._groups, self._over.shape[1]
        at, most = np.asarray(groups.at), groups.tokens.shape[2]
        wants = ~(groups.ended | groups.turns.waiting) & (groups.length < most)
        live = np.take_along_axis(wants, np.minimum(at, group - 1), axis=1)
        return (at == group) | ~live
