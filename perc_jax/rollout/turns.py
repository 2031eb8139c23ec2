"""Where the completions of a stage with an environment are: which turn each is in, and which wait for a reply.

A completion is sampled turn by turn. An end token ends a turn and not the completion, which then waits: for a reply
(`extend.py`) or for being told that it is over. So does one whose turn has as many tokens as a turn may have. Places
are counted over all of a completion, sampled and observed tokens alike.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


class Turns(NamedTuple):
    """The turns that G completions of each prompt are in."""

    begin: Int[Array, "P G"]  # place of the turn's first token
    # What is added to a token's place in the completion to have its M-RoPE position, the same on all three axes.
    offset: Int[Array, "P G"]
    waiting: Bool[Array, "P G"]  # the turn is at its end

    @classmethod
    def first(cls, next_position: Int[Array, "P"], is_end: Bool[Array, "P G"], turn_tokens: int) -> "Turns":
        """The first turns, of one token each, which `is_end` says are ends."""
        count = jnp.zeros(is_end.shape, jnp.int32)
        offset = jnp.broadcast_to(next_position[:, None], is_end.shape)
        return cls(count, offset, is_end | (turn_tokens <= 1))

    def with_token(
        self, length: Int[Array, "P G"], is_end: Bool[Array, "P G"], live: Bool[Array, "P G"], turn_tokens: int
    ) -> "Turns":
        """After one token more of the live completions, behind `length` ones; `is_end` says which are ends."""
        is_last = is_end | (length + 1 - self.begin >= turn_tokens)
        return self._replace(waiting=self.waiting | (live & is_last))

    def next_turn(self, told: Bool[Array, "P G"], place: Int[Array, "P G"], position: Int[Array, "P G"]) -> "Turns":
        """With a new turn of the completions that were `told` something, whose first token has this place and this
        position."""
        return Turns(
            jnp.where(told, place, self.begin), jnp.where(told, position - place, self.offset), self.waiting & ~told
        )
