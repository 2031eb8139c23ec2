"""A reply goes through its completion's own cache, and the next turn begins: `extend`.

What an environment replies to completions that wait stands behind them as if it had been a part of the prompt: its
tokens and pictures see the prompt, which all of the group share, and what the completion has said and been told before.
The token that ended the turn was sampled and has not been run; it goes first. The first token of the next turn is
sampled from what the reply's last one says. A map that the turn was cut in stays open no longer: a turn begins outside.

A completion whose row was given away while it waited (W < G) is run again, whole, with its reply. In both cases it is
still a function of parameters, prompt, name, key and replies alone.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from perc_jax.batch import Observations, TokenIds
from perc_jax.config import ModelConfig
from perc_jax.model import bind
from perc_jax.rollout import maps, sampling
from perc_jax.rollout.decode import Context, Groups, Rows, State, append, choose, last
from perc_jax.rollout.sampling import Draws


class Moves(NamedTuple):
    """What becomes of completions at a moment, beside what they are told."""

    over: Bool[Array, "P G"]  # these want no more tokens
    at: Int[Array, "P W"]  # the completion that each row decodes from now on, G: none
    first: Int[Array, "P W"]  # where the features of the pictures that it is given begin among all of its own
    # Where completions are those of N slots: the place of each one's prompt among its device's. None: its own.
    prompt: Int[Array, "P"] | None = None


class _Chunk(NamedTuple):
    """What is run, for each row."""

    tokens: Int[Array, "P W e"]
    positions: Int[Array, "P W 3 e"]
    image_slots: Int[Array, "P W e"]
    counts: Int[Array, "P W"]  # tokens, from the first on; 0: none
    lengths: Int[Array, "P W"]  # tokens before them, in the ring


Seen = Float[Array, "P W M D"] | None
Extend = Callable[[Any, Context, State, Observations, Moves], tuple[State, Seen]]


def make_extend(
    config: ModelConfig, ids: TokenIds, *, group_size: int, draws: Draws, turn_tokens: int, rows: int = 0
) -> Extend:
    """Build `extend(params, context, state, given, moves) -> state, seen`, to be jitted by the caller.

    `given` are the replies [P, W, …] to the completions at the rows, right-padded; rows without one go on as they were.
    Where W = G, replies are all; where W < G, a completion's tokens and pictures so far stand before its reply. The
    caller sees to it that a completion has room for its reply and a token more, and the ring for all of that and for
    E + 1 columns. `seen` is what the vision tower made of the pictures (`with_features`), None where there is no room
    for any.
    """
    keeps = rows in (0, group_size)

    def extend(params: Any, context: Context, state: State, given: Observations, moves: Moves) -> tuple[State, Seen]:
        model = bind(config, params)
        groups = state.groups._replace(ended=state.groups.ended | moves.over, at=moves.at)
        own = Rows(groups, group_size)
        chunk, seen = _chunk(groups, own, given, keeps), None
        if given.pixels.shape[2]:
            flat = jax.tree.map(
                lambda x: x.reshape(-1, *x.shape[2:]), (given.pixels, given.patch_rowcol, given.patch_image)
            )
            seen = model.encode_images(*flat)
            seen = seen.reshape(*given.tokens.shape[:2], *seen.shape[1:])
        caches = (context.keys, context.values), context.mask, (state.keys, state.values)
        hidden, (keys, values) = model.extend(
            chunk.tokens, seen, chunk.image_slots, chunk.positions, chunk.counts, chunk.lengths, state.time, *caches
        )
        outside = maps.first(given.tokens.shape[:2], ids.map)
        logprobs = sampling.sampling_logprobs(model.logits(hidden), draws, ids, place=outside)
        groups, place = _with_replies(groups, own, given, keeps)
        token, logprob = choose(logprobs, own.of(context.random_keys), own.of(place), draws)
        told = own.back(jnp.any(given.mask, axis=2))
        groups = append(groups, own.back(token), own.back(logprob), told, ids, turn_tokens)
        return state._replace(groups=groups, keys=keys, values=values), seen

    return extend


def _chunk(groups: Groups, own: Rows, given: Observations, keeps: bool) -> _Chunk:
    """The replies with what must be run before them: the token sampled last, where rows keep their completions."""
    counts, length = jnp.sum(given.mask, axis=2), own.of(groups.length)
    if not keeps:
        return _Chunk(given.tokens, given.positions, given.image_slots, counts, jnp.zeros_like(counts))
    at = own.of(groups.turns.offset) + length - 1
    at = jnp.broadcast_to(at[..., None, None], (*at.shape, 3, 1))
    return _Chunk(
        jnp.concatenate([own.of(last(groups))[..., None], given.tokens], axis=2),
        jnp.concatenate([at, given.positions], axis=3),
        jnp.pad(given.image_slots, [(0, 0), (0, 0), (1, 0)], constant_values=-1),
        jnp.where(counts > 0, counts + 1, 0),
        length - 1,
    )


def _with_replies(groups: Groups, own: Rows, given: Observations, keeps: bool) -> tuple[Groups, Int[Array, "P G"]]:
    """The completions with their replies behind them, each in a new turn whose first token is not there yet; and the
    place of that token."""
    told, length = own.back(jnp.any(given.mask, axis=2)), groups.length
    count = own.back(jnp.sum(given.mask, axis=2))
    place = jnp.where(told, length + count if keeps else count, length)
    column = jnp.arange(groups.tokens.shape[2])
    source = (
        column - own.of(length)[..., None] if keeps else jnp.broadcast_to(column, (*given.mask.shape[:2], len(column)))
    )
    source = jnp.clip(source, 0, given.tokens.shape[2] - 1)
    replies = own.back(jnp.take_along_axis(given.tokens, source, axis=2))
    is_new = (column >= length[..., None]) & (column < place[..., None])
    turns = groups.turns.next_turn(told, place, own.back(given.next_position))
    tokens = jnp.where(is_new, replies, groups.tokens)
    in_map = None if groups.in_map is None else jnp.where(told, maps.OUTSIDE, groups.in_map)
    return groups._replace(tokens=tokens, length=place, turns=turns, in_map=in_map), place


def with_features(
    features: Float[Array, "Q G m D"], seen: Float[Array, "P W M D"], mask: Bool[Array, "P W E"], moves: Moves
) -> Float[Array, "Q G m D"]:
    """What the vision tower has made of completions' pictures, for an update that does not train it, with those that
    were just seen in their places: those of rows that were told something, as the `mask` of replies says.

    There must be room for M behind the last of a completion. Q prompts have taken P slots; Q is P where there is room
    for all.
    """

    def put(old: Float[Array, "m D"], new: Float[Array, "M D"], first: Int[Array, ""]) -> Float[Array, "m D"]:
        return jax.lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), first, axis=0)

    prompt = jnp.arange(len(seen)) if moves.prompt is None else moves.prompt
    prompt, at = prompt[:, None], jnp.where(jnp.any(mask, axis=2), moves.at, features.shape[1])
    rows = features.at[prompt, at].get(mode="clip")
    return features.at[prompt, at].set(jax.vmap(jax.vmap(put))(rows, seen, moves.first), mode="drop")
