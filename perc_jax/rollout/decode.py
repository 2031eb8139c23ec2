"""Rollout: prefill once per prompt, then decode its G completions together, a segment at a time.

`prefill` turns a `PromptBatch` of P prompts into what decoding reads (`Context`: the prompts' keys and values, once per
group) and what it writes (`State`, with the first token of each completion sampled). `decode` samples up to a segment
of further columns inside one `while_loop`. A prompt decodes W of its G completions at a time, its *rows*; where W < G,
a row whose completion has ended goes on with the next one of the group in the next column, so that few rows ever wait
for the longest completion.

All rows write the same column of one ring of keys and values, wherever they stand in their completions, and see those
columns of it that are theirs (`model/cache.py`): completions may begin at any time without a copy of the cache. A
completion is a function of parameters, prompt, name and key; W, segments, ring and neighbours change nothing.

It knows token ids, not text, and nothing of rewards. `slots.py` lets more prompts take turns than there is room for.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from perc_jax.batch import Completions, PromptBatch, TokenIds
from perc_jax.config import ModelConfig
from perc_jax.model import bind, cache, layout
from perc_jax.model.cache import KvDtype, Stored
from perc_jax.rollout import maps, sampling
from perc_jax.rollout.sampling import Draws
from perc_jax.rollout.turns import Turns


class Context(NamedTuple):
    """What decoding reads and never changes."""

    keys: Stored  # [L, P, K, S, hd]
    values: Stored
    mask: Bool[Array, "P S"]
    next_position: Int[Array, "P"]
    random_keys: UInt32[Array, "P G 2"]


class Groups(NamedTuple):
    """The completions of each prompt, and which of them its rows are at."""

    tokens: Int[Array, "P G C"]
    logprobs: Float[Array, "P G C"]
    mask: Bool[Array, "P G C"]
    length: Int[Array, "P G"]  # tokens sampled
    ended: Bool[Array, "P G"]  # has met an end token
    at: Int[Array, "P W"]  # the completion that each row decodes; G: none
    begun: Int[Array, "P"]  # completions that have been given to a row
    turns: Turns | None = None  # of a stage with an environment: `ended` is then what the host says
    in_map: Int[Array, "P G"] | None = None  # place in a map of the next token, where maps are sampled whole (`maps`)

    def unfinished(self) -> Bool[Array, "P G"]:
        """Which completions want more tokens, now."""
        return self.open() if self.turns is None else self.open() & ~self.turns.waiting

    def open(self) -> Bool[Array, "P G"]:
        """Which completions want more tokens, now or when they have been replied to."""
        return ~self.ended & (self.length < self.tokens.shape[-1])

    def completions(self) -> Completions:
        """What has been sampled so far."""
        return Completions(self.tokens, self.logprobs, self.mask, self.ended)


class Work(NamedTuple):
    """Columns that were decoded for each prompt's place, to tell how much of them was of use."""

    columns: Int[Array, "P"]  # of the device that decoded most, segment by segment (`in_step`)
    of_live_groups: Int[Array, "P"]  # columns at which a completion of the prompt was unfinished
    of_live_rows: Int[Array, "P"]  # the same summed over its W rows

    def with_column(self, live: Bool[Array, "P W"]) -> "Work":
        """With one column more, at which these rows had an unfinished completion."""
        return Work(
            self.columns + 1,
            self.of_live_groups + jnp.any(live, axis=1),
            self.of_live_rows + jnp.sum(live, axis=1),
        )


class State(NamedTuple):
    """What decoding carries; `time` counts columns, the next one to be written is `time` modulo the ring's B."""

    time: Int[Array, ""]
    groups: Groups
    keys: Stored  # [L, P, K, W, B, hd]
    values: Stored
    work: Work

    def completions(self) -> Completions:
        """What has been sampled so far."""
        return self.groups.completions()


Prefill = Callable[[Any, PromptBatch, UInt32[Array, "P"], UInt32[Array, "2"]], tuple[Context, State]]
Decode = Callable[[Any, Context, State], State]


def make_rollout(
    config: ModelConfig,
    ids: TokenIds,
    *,
    group_size: int,
    max_tokens: int,
    draws: Draws,
    segment_tokens: int,
    rows: int = 0,
    ring: int = 0,
    kv_dtype: KvDtype = "model",
    apart: bool = False,
    turn_tokens: int = 0,
) -> tuple[Prefill, Decode]:
    """Build `prefill(params, prompts, names, key)` and `decode(params, context, state)`, to be jitted by the caller.

    `names` (uint32 [P]) tell prompts apart for their random keys, so that a prompt's completions depend on its name and
    not on its place in the batch. `decode` computes every prompt on its own: it may run on any part of them.

    `rows` is W (0: all of the group), `ring` the columns B that `prefill` makes room for (0: C). The caller sees to it
    that no completion has more than B tokens in the ring at a segment's end (`resize`). With `apart`, a segment is
    decoded layer by layer without a scan (`model/cache.py`).
    `turn_tokens`: most tokens of a turn where an environment replies to completions (`_aligned`); 0: none."""
    rows = rows or group_size

    def prefill(
        params: Any, prompts: PromptBatch, names: UInt32[Array, "P"], key: UInt32[Array, "2"]
    ) -> tuple[Context, State]:
        model = bind(config, params)
        random_keys = jax.vmap(lambda name: jax.random.split(jax.random.fold_in(key, name), group_size))(names)
        last_hidden, kept = model.prefill(prompts)
        layers, count, kv_heads, _, head_dim = kept[0].shape
        outside = maps.first((count, 1), ids.map)
        logprobs = sampling.sampling_logprobs(model.logits(last_hidden)[:, None], draws, ids, place=outside)
        logprobs = jnp.broadcast_to(logprobs, (count, group_size, logprobs.shape[-1]))
        first = choose(logprobs, random_keys, jnp.zeros((count, group_size), jnp.int32), draws)
        groups = _in_turns(_begin(*first, ids, rows, max_tokens), prompts.next_position, turn_tokens)
        room = (layers, count, kv_heads, rows, ring or max_tokens, head_dim)
        empty = [cache.empty(room, old.dtype, kv_dtype) for old in kept]
        keys, values = (cache.stored(old, kv_dtype) for old in kept)
        none = jnp.zeros(count, jnp.int32)
        state = State(jnp.int32(0), groups, *empty, Work(none, none, none))
        return Context(keys, values, prompts.mask, prompts.next_position, random_keys), state

    def decode(params: Any, context: Context, state: State) -> State:
        model = bind(config, params)
        end, before = state.time + segment_tokens, state.groups.length
        blocks, prompt_cache = None, (context.keys, context.values)
        if apart:
            blocks, prompt_cache = model.text.apart(), tuple(map(cache.apart, prompt_cache))
            state = _with_layers(cache.apart, state)

        def going_on(state: State) -> Bool[Array, ""]:
            return (state.time < end) & jnp.any(state.groups.unfinished())

        def step(state: State) -> State:
            groups = _take_next(state.groups)
            own = Rows(groups, group_size)
            live, length = own.of(groups.unfinished()), own.of(groups.length)
            hidden, (keys, values) = model.decode(
                own.of(last(groups)),
                _offset(context, groups, own) + length - 1,
                length - 1,
                state.time,
                prompt_cache,
                context.mask,
                (state.keys, state.values),
                blocks,
            )
            logprobs = sampling.sampling_logprobs(model.logits(hidden), draws, ids, place=own.places(groups))
            token, logprob = choose(logprobs, own.of(context.random_keys), length, draws)
            groups = append(groups, own.back(token), own.back(logprob), own.back(live), ids, turn_tokens)
            return State(state.time + 1, groups, keys, values, state.work.with_column(live))

        state = jax.lax.while_loop(going_on, step, state)
        state = _with_layers(cache.together, state) if apart else state
        state = state._replace(time=end)  # also where all was done before: equal on all devices
        return _aligned(state, segment_tokens - (state.groups.length - before)) if turn_tokens else state

    return prefill, decode


def _with_layers(laid: Callable[[Any], Any], state: State) -> State:
    """The state with the layers of its ring stacked or apart."""
    return state._replace(keys=laid(state.keys), values=laid(state.values))


def _aligned(state: State, stale: Int[Array, "P G"]) -> State:
    """The state in which each row that keeps its completion while this waits has its tokens up to the newest column,
    as if the last `stale` columns had not gone by; for that the ring must have room for a segment more than it holds.

    Where W < G a row whose completion waits is given away, and with it what was in the ring.
    """
    if state.groups.at.shape != stale.shape:
        return state
    return state._replace(keys=cache.rolled(state.keys, stale), values=cache.rolled(state.values, stale))


def choose(
    logprobs: Float[Array, "P n V"], keys: UInt32[Array, "P n 2"], column: Int[Array, "P n"], draws: Draws
) -> tuple[Int[Array, "P n"], Float[Array, "P n"]]:
    """Sample one token from each distribution, and give its log-probability."""
    if draws.temperature == 0:
        chosen = jnp.argmax(logprobs, axis=-1).astype(jnp.int32)
    else:
        chosen = sampling.draw(logprobs, keys, column, layout.devices("tensor", logprobs.shape[-1]))
    return chosen, sampling.take(logprobs, chosen)


def _begin(token: Int[Array, "P G"], logprob: Float[Array, "P G"], ids: TokenIds, rows: int, max_tokens: int) -> Groups:
    """Completions of one token."""
    count, group_size = token.shape
    shape, all_at_once = (count, group_size, max_tokens), rows == group_size
    return Groups(
        tokens=jnp.full(shape, ids.pad, jnp.int32).at[:, :, 0].set(token),
        logprobs=jnp.zeros(shape, jnp.float32).at[:, :, 0].set(logprob),
        mask=jnp.zeros(shape, bool).at[:, :, 0].set(True),
        length=jnp.ones(token.shape, jnp.int32),
        ended=jnp.isin(token, jnp.array(ids.ends)),
        at=jnp.tile(jnp.arange(rows) if all_at_once else jnp.full(rows, group_size), (count, 1)),
        begun=jnp.full(count, group_size if all_at_once else 0),
        in_map=None if ids.map is None else maps.after(maps.first(token.shape, ids.map), token, ids.map),
    )


def _in_turns(groups: Groups, next_position: Int[Array, "P"], turn_tokens: int) -> Groups:
    """Completions of one token which, if it is an end, wait; those of a stage without turns as they are."""
    if not turn_tokens:
        return groups
    turns = Turns.first(next_position, groups.ended, turn_tokens)
    return groups._replace(ended=jnp.zeros_like(groups.ended), turns=turns)


class Standing(NamedTuple):
    """What the host needs to know of a state: who is done, how long a ring is needed, how much was decoded."""

    free: Bool[Array, "P"]  # no completion of the prompt wants more tokens
    longest: Int[Array, ""]  # tokens of the longest completion that does, or waits in its row; 0: none
    work: Work  # summed over the prompts' places


def in_step(state: State) -> State:
    """Count for all devices the columns of the one that decoded most: the others had to wait for it."""
    columns = state.work.columns
    return state._replace(work=state.work._replace(columns=jnp.full_like(columns, jnp.max(columns))))


def standing(state: State) -> Standing:
    """The standing of a state on all devices."""
    groups, unfinished = state.groups, state.groups.unfinished()
    keeps = groups.turns is not None and groups.at.shape[1] == groups.length.shape[1]
    longest = jnp.max(jnp.where(groups.open() if keeps else unfinished, groups.length, 0))
    return Standing(~jnp.any(unfinished, axis=1), longest, jax.tree.map(jnp.sum, state.work))


def widened(context: Context, tokens: int) -> Context:
    """The same context with empty columns before its own, to `tokens` in all."""
    missing = tokens - context.mask.shape[1]

    def pad(leaf: Array, axis: int) -> Array:
        return jnp.pad(leaf, [(missing, 0) if place == axis else (0, 0) for place in range(leaf.ndim)])

    if not missing:
        return context
    keys, values = (jax.tree.map(lambda leaf: pad(leaf, 3), kept) for kept in (context.keys, context.values))
    return context._replace(keys=keys, values=values, mask=pad(context.mask, 1))


def resize(state: State, ring: int) -> State:
    """The same state with `ring` columns; one number of columns must divide the other."""
    keys, values = (cache.resized(old, state.time, ring) for old in (state.keys, state.values))
    return state._replace(time=state.time % min(ring, cache.columns(state.keys)), keys=keys, values=values)


class Rows:
    """Moves values between the G completions of each prompt and the W rows that decode some of them."""

    def __init__(self, groups: Groups, group_size: int):
        self._whole = groups.at.shape[1] == group_size  # every completion has its row
        self._at = groups.at[:, :, None] == jnp.arange(group_size)  # [P, W, G]

    def of(self, values: Array) -> Array:
        """From [P, G, ...] to [P, W, ...]; a row without a completion gets 0 or False."""
        if self._whole:
            return values
        return jnp.sum(jnp.where(self._at_of(values), values[:, None], 0), axis=2, dtype=values.dtype)

    def places(self, groups: Groups) -> Int[Array, "P W"] | None:
        """The rows' places in maps; None where these are not sampled whole."""
        return None if groups.in_map is None else self.of(groups.in_map)

    def back(self, values: Array) -> Array:
        """From [P, W, ...] to [P, G, ...]; a completion without a row gets 0 or False."""
        if self._whole:
            return values
        return jnp.sum(jnp.where(self._at_of(values), values[:, :, None], 0), axis=1, dtype=values.dtype)

    def _at_of(self, values: Array) -> Bool[Array, "P W G ..."]:
        return self._at.reshape(*self._at.shape, *[1] * (values.ndim - 2))


def _take_next(groups: Groups) -> Groups:
    """Give each row whose completion is finished the next of its group, if any is left."""
    group_size = groups.length.shape[1]
    if groups.at.shape[1] == group_size:
        return groups
    free = ~Rows(groups, group_size).of(groups.unfinished())
    after = groups.begun[:, None] + jnp.cumsum(free, axis=1, dtype=jnp.int32)
    return groups._replace(
        at=jnp.where(free, jnp.minimum(after - 1, group_size), groups.at), begun=jnp.minimum(after[:, -1], group_size)
    )


def _offset(context: Context, groups: Groups, own: Rows) -> Int[Array, "P W1"]:
    """What is added to a place in a completion to have its position."""
    return context.next_position[:, None] if groups.turns is None else own.of(groups.turns.offset)


def last(groups: Groups) -> Int[Array, "P G"]:
    """The token sampled last."""
    newest = jnp.arange(groups.tokens.shape[-1]) == groups.length[..., None] - 1
    return jnp.sum(jnp.where(newest, groups.tokens, 0), axis=-1)


def append(
    groups: Groups,
    token: Int[Array, "P G"],
    logprob: Float[Array, "P G"],
    live: Bool[Array, "P G"],
    ids: TokenIds,
    turn_tokens: int = 0,
) -> Groups:
    """Add one token to the live completions; the others stay as they are."""
    # Compared and not scattered: a scatter at each completion's own place runs entry by entry on a TPU.
    here = live[..., None] & (jnp.arange(groups.tokens.shape[-1]) == groups.length[..., None])
    after = groups._replace(
        tokens=jnp.where(here, token[..., None], groups.tokens),
        logprobs=jnp.where(here, logprob[..., None], groups.logprobs),
        mask=groups.mask | here,
        length=groups.length + live,
    )
    if groups.in_map is not None:
        after = after._replace(in_map=jnp.where(live, maps.after(groups.in_map, token, ids.map), groups.in_map))
    is_end = jnp.isin(token, jnp.array(ids.ends))
    if groups.turns is None:
        return after._replace(ended=groups.ended | (live & is_end))
    return after._replace(turns=groups.turns.with_token(groups.length, is_end, live, turn_tokens))
