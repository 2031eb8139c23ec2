"""Rollout: prefill once per prompt, decode its G completions together, all inside one compiled program.

`PromptBatch` of P prompts goes in, `Completions` [P, G, C] come out. The prompt's keys and values are stored once per
group, the completions' in columns that all rows write at the same step; the loop ends when every row has met an end
token. It knows token ids, not text, and nothing of rewards.
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

Generate = Callable[[Any, PromptBatch, UInt32[Array, "P"], UInt32[Array, "2"]], Completions]


class _State(NamedTuple):
    """The loop's carry; `column` is the next column to sample."""

    column: Int[Array, ""]
    tokens: Int[Array, "P G C"]
    logprobs: Float[Array, "P G C"]
    mask: Bool[Array, "P G C"]
    done: Bool[Array, "P G"]
    cache: tuple[Float[Array, "L P G K C hd"], Float[Array, "L P G K C hd"]]


def make_generate(
    config: ModelConfig, ids: TokenIds, *, group_size: int, max_tokens: int, temperature: float
) -> Generate:
    """Build `generate(params, prompts, rows, key)`, to be jitted by the caller.

    `rows` (uint32 [P]) names each prompt for its random key, so a prompt's completions depend on its name and not on
    its place in the batch. Temperature 0 is greedy and reports the log-probabilities of temperature 1.
    """

    def choose(hidden_logits: Float[Array, "P G V"], keys: UInt32[Array, "P G 2"], state: _State) -> _State:
        """Sample column `state.column` of every row and record it; ended rows get padding."""
        logprobs = sampling.sampling_logprobs(hidden_logits, temperature or 1.0, ids)
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

    def generate(params, prompts: PromptBatch, rows: UInt32[Array, "P"], key: UInt32[Array, "2"]) -> Completions:
        model = bind(config, params)
        num_prompts, shape = prompts.tokens.shape[0], (prompts.tokens.shape[0], group_size, max_tokens)
        keys = jax.vmap(lambda row: jax.random.split(jax.random.fold_in(key, row), group_size))(rows)
        last_hidden, prompt_cache = model.prefill(prompts)
        layers, _, kv_heads, _, head_dim = prompt_cache[0].shape
        empty = jnp.zeros((layers, num_prompts, group_size, kv_heads, max_tokens, head_dim), prompt_cache[0].dtype)
        state = _State(
            column=jnp.int32(0),
            tokens=jnp.full(shape, ids.pad, jnp.int32),
            logprobs=jnp.zeros(shape, jnp.float32),
            mask=jnp.zeros(shape, bool),
            done=jnp.zeros(shape[:2], bool),
            cache=(empty, empty),
        )
        first = jnp.broadcast_to(model.logits(last_hidden)[:, None], (*shape[:2], config.text.vocab_size))
        state = choose(first, keys, state)

        def unfinished(state: _State) -> Bool[Array, ""]:
            return (state.column < max_tokens) & ~jnp.all(state.done)

        def step(state: _State) -> _State:
            column = state.column - 1
            tokens = jax.lax.dynamic_index_in_dim(state.tokens, column, axis=2, keepdims=False)
            positions = prompts.next_position + column
            hidden, cache = model.decode(tokens, positions, column, prompt_cache, prompts.mask, state.cache)
            return choose(model.logits(hidden), keys, state._replace(cache=cache))

        state = jax.lax.while_loop(unfinished, step, state)
        return Completions(state.tokens, state.logprobs, state.mask, state.done)

    return generate
