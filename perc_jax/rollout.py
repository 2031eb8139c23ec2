"""Rollout in two programs: prefill once per prompt, then decode its G completions together, a segment at a time.

`prefill` turns `PromptBatch` of P prompts into what decoding reads (`Context`: the prompts' keys and values, once per
group) and what it writes (`State`, with the first token sampled). `decode` samples up to a segment of further columns
inside one `while_loop`; all rows write the same column at the same step. The host calls it until every row has met an
end token; `State` then holds the `Completions` [P, G, C]. It knows token ids, not text, and nothing of rewards.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from perc_jax import sampling
from perc_jax.batch import Completions, PromptBatch, TokenIds
from perc_jax.config import ModelConfig
from perc_jax.model import bind


class Context(NamedTuple):
    """What decoding reads and never changes."""

    keys: Float[Array, "L P K S hd"]
    values: Float[Array, "L P K S hd"]
    mask: Bool[Array, "P S"]
    next_position: Int[Array, "P"]
    random_keys: UInt32[Array, "P G 2"]


class State(NamedTuple):
    """What decoding carries; `column` is the next column to sample."""

    column: Int[Array, ""]
    tokens: Int[Array, "P G C"]
    logprobs: Float[Array, "P G C"]
    mask: Bool[Array, "P G C"]
    done: Bool[Array, "P G"]
    keys: Float[Array, "L P K G C hd"]
    values: Float[Array, "L P K G C hd"]

    def completions(self) -> Completions:
        """What has been sampled so far."""
        return Completions(self.tokens, self.logprobs, self.mask, self.done)


Prefill = Callable[[Any, PromptBatch, UInt32[Array, "P"], UInt32[Array, "2"]], tuple[Context, State]]
Decode = Callable[[Any, Context, State], State]


def make_rollout(
    config: ModelConfig, ids: TokenIds, *, group_size: int, max_tokens: int, temperature: float, segment_tokens: int
) -> tuple[Prefill, Decode]:
    """Build `prefill(params, prompts, rows, key)` and `decode(params, context, state)`, to be jitted by the caller.

    `rows` (uint32 [P]) names each prompt for its random key, so a prompt's completions depend on its name and not on
    its place in the batch. Temperature 0 is greedy and reports the log-probabilities of temperature 1. `decode`
    computes every row on its own: it may run on any part of the prompts.
    """

    def choose(logits: Float[Array, "P G V"], keys: UInt32[Array, "P G 2"], state: State) -> State:
        """Sample column `state.column` of every row and record it; ended rows get padding."""
        logprobs = sampling.sampling_logprobs(logits, temperature or 1.0, ids)
        if temperature == 0:
            chosen = jnp.argmax(logprobs, axis=-1).astype(jnp.int32)
        else:
            chosen = sampling.draw(logprobs, keys, state.column)
        live = ~state.done
        token = jnp.where(live, chosen, ids.pad)
        logprob = jnp.where(live, sampling.take(logprobs, chosen), 0.0)
        is_end = jnp.isin(token, jnp.array(ids.ends)) & live
        return state._replace(
            column=state.column + 1,
            tokens=state.tokens.at[:, :, state.column].set(token),
            logprobs=state.logprobs.at[:, :, state.column].set(logprob),
            mask=state.mask.at[:, :, state.column].set(live),
            done=state.done | is_end,
        )

    def prefill(
        params: Any, prompts: PromptBatch, rows: UInt32[Array, "P"], key: UInt32[Array, "2"]
    ) -> tuple[Context, State]:
        model = bind(config, params)
        random_keys = jax.vmap(lambda row: jax.random.split(jax.random.fold_in(key, row), group_size))(rows)
        last_hidden, (keys, values) = model.prefill(prompts)
        layers, count, kv_heads, _, head_dim = keys.shape
        shape = (count, group_size, max_tokens)
        empty = jnp.zeros((layers, count, kv_heads, group_size, max_tokens, head_dim), keys.dtype)
        state = State(
            column=jnp.int32(0),
            tokens=jnp.full(shape, ids.pad, jnp.int32),
            logprobs=jnp.zeros(shape, jnp.float32),
            mask=jnp.zeros(shape, bool),
            done=jnp.zeros(shape[:2], bool),
            keys=empty,
            values=empty,
        )
        first = jnp.broadcast_to(model.logits(last_hidden)[:, None], (*shape[:2], config.text.vocab_size))
        context = Context(keys, values, prompts.mask, prompts.next_position, random_keys)
        return context, choose(first, random_keys, state)

    def decode(params: Any, context: Context, state: State) -> State:
        model = bind(config, params)
        end = jnp.minimum(state.column + segment_tokens, max_tokens)
        prompt_cache = (context.keys, context.values)

        def unfinished(state: State) -> Bool[Array, ""]:
            return (state.column < end) & ~jnp.all(state.done)

        def step(state: State) -> State:
            column = state.column - 1
            tokens = jax.lax.dynamic_index_in_dim(state.tokens, column, axis=2, keepdims=False)
            positions = context.next_position + column
            cache = (state.keys, state.values)
            hidden, (keys, values) = model.decode(tokens, positions, column, prompt_cache, context.mask, cache)
            return choose(model.logits(hidden), context.random_keys, state._replace(keys=keys, values=values))

        # The column moves to the segment's end also where all rows were done before: equal on all devices.
        return jax.lax.while_loop(unfinished, step, state)._replace(column=end)

    return prefill, decode
