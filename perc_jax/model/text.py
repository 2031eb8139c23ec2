"""The language model: token vectors and positions in, normalised hidden states out; four ways through the same blocks.

`rows` runs group rows (a plain sequence is the row without completions), `prefill` prompts, `decode` one token per
completion against read-only caches, `extend` several of each. Blocks are stacked and scanned; a block is told by
`attend` which keys its queries see.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.config import TextConfig
from perc_jax.model import attention, cache, layout
from perc_jax.model.attention import Rows, Way, group_row
from perc_jax.model.cache import Layers, Stored
from perc_jax.model.dense import decode_step
from perc_jax.model.layers import GatedMLP, Linear, Remat, RMSNorm, mrope_tables, recomputed, rotate, stack

Tables = tuple[Float[Array, "..."], Float[Array, "..."]]  # cosines and sines
Cache = tuple[Float[Array, "..."], Float[Array, "..."]]  # keys and values


class Embedding(nnx.Module):
    """A vector per token id."""

    def __init__(self, tokens: int, width: int, rngs: nnx.Rngs):
        self.embedding = nnx.Param(nnx.initializers.normal(width**-0.5)(rngs.params(), (tokens, width)))

    def __call__(self, tokens: Int[Array, "P S"], dtype: jnp.dtype) -> Float[Array, "P S D"]:
        """Look tokens up."""
        return _look_up(jnp.dtype(dtype), self.embedding[...], tokens)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _look_up(dtype: jnp.dtype, embedding: Float[Array, "V D"], tokens: Int[Array, "P S"]) -> Float[Array, "P S D"]:
    return layout.rows(layout.weight(embedding.astype(dtype), "inputs")[tokens])


def _look_up_forward(dtype: jnp.dtype, embedding: Array, tokens: Array) -> tuple[Array, tuple[Array, Array]]:
    return _look_up(dtype, embedding, tokens), (embedding, tokens)


def _look_up_backward(dtype: jnp.dtype, saved: tuple[Array, Array], gradient: Array) -> tuple[Array, None]:
    """Add up in float32, as the head does: in bfloat16 a sum of thousands, of a token that stands in every prompt, soon
    no longer grows."""
    embedding, tokens = saved
    wide = jnp.zeros(embedding.shape, jnp.float32).at[tokens].add(gradient.astype(jnp.float32))
    return layout.stored(wide, "inputs").astype(embedding.dtype), None


_look_up.defvjp(_look_up_forward, _look_up_backward)


class TextAttention(nnx.Module):
    """Grouped-query projections and the rotary embedding; biases on q, k, v only."""

    def __init__(self, config: TextConfig, rngs: nnx.Rngs):
        width, head_dim = config.hidden_size, config.head_dim
        self.query = Linear(width, config.num_attention_heads * head_dim, bias=True, rngs=rngs, split="outputs")
        self.key = Linear(width, config.num_key_value_heads * head_dim, bias=True, rngs=rngs, split="outputs")
        self.value = Linear(width, config.num_key_value_heads * head_dim, bias=True, rngs=rngs, split="outputs")
        self.output = Linear(config.num_attention_heads * head_dim, width, bias=False, rngs=rngs, split="inputs")
        self.kv_heads = config.num_key_value_heads
        self.head_dim = head_dim

    def project(
        self, x: Float[Array, "A B D"], rotary: Tables
    ) -> tuple[Float[Array, "A B K R hd"], Float[Array, "A B K hd"], Float[Array, "A B K hd"]]:
        """Make rotated queries, rotated keys and values."""
        heads = (*x.shape[:2], -1, self.head_dim)
        flat = x.reshape(-1, x.shape[-1])  # one array, which the backward pass of all three maps reads
        q = rotate(self.query(flat).reshape(heads), *rotary)
        k = rotate(self.key(flat).reshape(heads), *rotary)
        return q.reshape(*x.shape[:2], self.kv_heads, -1, self.head_dim), k, self.value(flat).reshape(heads)


class TextBlock(nnx.Module):
    """Pre-norm attention and MLP, each added to its input."""

    def __init__(self, config: TextConfig, rngs: nnx.Rngs):
        self.input_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = TextAttention(config, rngs)
        self.post_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = GatedMLP(config.hidden_size, config.intermediate_size, bias=False, rngs=rngs, split=True)

    def __call__(
        self, x: Float[Array, "A B D"], rotary: Tables, attend: Callable
    ) -> tuple[Float[Array, "A B D"], Cache]:
        """Apply the block; `attend(q, k, v)` says who sees whom. Also returns this layer's keys and values."""
        q, k, v = self.attention.project(self.input_norm(x), rotary)
        x = x + self.attention.output(attend(q, k, v).reshape(*x.shape[:2], -1))
        return x + self.mlp(self.post_norm(x)), (k, v)


class TextModel(nnx.Module):
    """Embedding, the stacked blocks, the final norm and the head (the embedding itself where tied)."""

    def __init__(self, config: TextConfig, rngs: nnx.Rngs, *, attention: Way):
        self.embed = Embedding(config.vocab_size, config.hidden_size, rngs)
        self.layers = stack(config.num_hidden_layers, lambda r: TextBlock(config, r), rngs)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        tied = config.tie_word_embeddings
        self.head = None if tied else Linear(config.hidden_size, config.vocab_size, bias=False, rngs=rngs)
        self.config = config
        self.attention = attention

    def tables(self, positions: Int[Array, "P 3 T"], dtype: jnp.dtype) -> Tables:
        """Rotary cosines and sines [P,T,hd/2] of M-RoPE positions."""
        return mrope_tables(positions, self.config.mrope_section, self.config.rope_theta, dtype)

    def rows(
        self,
        x: Float[Array, "P T D"],
        positions: Int[Array, "P 3 T"],
        rows: Rows,
        *,
        remat: Remat,
    ) -> Float[Array, "P T D"]:
        """Run group rows (T = S + W) and apply the final norm."""
        rotary = self.tables(positions, x.dtype)

        def body(x, block):
            x, _ = block(x, rotary, lambda q, k, v: group_row(self.attention, q, k, v, rows))
            return x, None

        x, _ = jax.lax.scan(recomputed(body, remat), x, self.layers)
        return self.norm(x)

    def prefill(
        self, x: Float[Array, "P S D"], positions: Int[Array, "P 3 S"], prompt_mask: Bool[Array, "P S"]
    ) -> tuple[Float[Array, "P D"], tuple[Float[Array, "L P K S hd"], Float[Array, "L P K S hd"]]]:
        """Run prompts; return the last column's normalised hidden state and every layer's keys and values."""
        rotary, rows = self.tables(positions, x.dtype), Rows.of_prompts(prompt_mask)

        def body(x, block):
            x, (k, v) = block(x, rotary, lambda q, k, v: group_row(self.attention, q, k, v, rows))
            return x, (jnp.swapaxes(k, 1, 2), jnp.swapaxes(v, 1, 2))

        x, kept = jax.lax.scan(body, x, self.layers)
        return self.norm(x[:, -1]), kept

    def decode(
        self,
        x: Float[Array, "P W D"],
        positions: Int[Array, "P W"],
        lengths: Int[Array, "P W"],
        time: Int[Array, ""],
        prompt_cache: tuple[Layers, Layers],
        prompt_mask: Bool[Array, "P S"],
        ring: tuple[Layers, Layers],
        blocks: tuple[TextBlock, ...] | None = None,
    ) -> tuple[Float[Array, "P W D"], tuple[Layers, Layers]]:
        """Run one token per row; return normalised hidden states and the ring with column `time` written.

        With `blocks` of `apart`, on a CPU, the caches are tuples of layers, and so is the ring that is returned.
        Without, a scan only reads them. All layers' new keys and values are written after it, by one update per array:
        a cache that passes through a scan is copied whole at every step.
        """
        rotary = self.tables(jnp.repeat(positions[:, None], 3, axis=1), x.dtype)
        seen = cache.seen(cache.columns(ring[0] if blocks is None else ring[0][0]), time, lengths)

        def body(x, layer):
            block, prompt_layer, own_layer = layer
            given = prompt_layer, prompt_mask, own_layer, seen
            return block(x, rotary, lambda q, k, v: decode_step(q, k, v, *given, keys_lead=blocks is not None))

        if blocks is None:
            x, new = jax.lax.scan(body, x, (self.layers, prompt_cache, ring))
            return self.norm(x), tuple(cache.write(old, fresh, time) for old, fresh in zip(ring, new, strict=True))
        new = []
        for layer in zip(blocks, zip(*prompt_cache, strict=True), zip(*ring, strict=True), strict=True):
            x, fresh = body(x, layer)
            new.append(fresh)
        # What is written must depend on all that is read, here by a number that is always 0: else the compiler copies
        # the ring to be safe. (XLA:CPU takes barriers out before it looks for that.)
        after = time + (x.ravel()[0] > jnp.inf)
        return self.norm(x), jax.tree.map(
            lambda old, fresh: cache.write(old, fresh, after),
            ring,
            tuple(zip(*new, strict=True)),
            is_leaf=lambda node: isinstance(node, cache.Quantised),
        )

    def extend(
        self,
        x: Float[Array, "P W E D"],
        positions: Int[Array, "P W 3 E"],
        counts: Int[Array, "P W"],
        lengths: Int[Array, "P W"],
        time: Int[Array, ""],
        prompt_cache: tuple[Stored, Stored],
        prompt_mask: Bool[Array, "P S"],
        ring: tuple[Stored, Stored],
    ) -> tuple[Float[Array, "P W D"], tuple[Stored, Stored]]:
        """Run the first `counts` of E further tokens of each row behind its last `lengths` columns of the ring; return
        the normalised hidden state of the last one of each and the ring with them in (`cache.extended`)."""
        prompts, rows, length, width = x.shape
        in_line = jnp.moveaxis(positions, 2, 1).reshape(prompts, 3, rows * length)
        rotary, seen = self.tables(in_line, x.dtype), cache.seen(cache.columns(ring[0]), time, lengths)

        def body(x, layer):
            block, prompt_layer, own_layer = layer

            def attend(q, k, v):
                q, k, v = (z.reshape(prompts, rows, length, *z.shape[2:]) for z in (q, k, v))
                given = prompt_layer, prompt_mask, own_layer, seen
                return attention.extension(self.attention, q, k, v, *given)

            x, fresh = block(x, rotary, attend)
            return x, tuple(jnp.moveaxis(z.reshape(prompts, rows, length, *z.shape[2:]), 3, 1) for z in fresh)

        x, fresh = jax.lax.scan(body, x.reshape(prompts, rows * length, width), (self.layers, prompt_cache, ring))
        last = jnp.maximum(counts - 1, 0)[..., None, None]
        hidden = jnp.take_along_axis(x.reshape(prompts, rows, length, width), last, axis=2)[:, :, 0]
        return self.norm(hidden), tuple(cache.extended(*pair, time, counts) for pair in zip(ring, fresh, strict=True))

    def apart(self) -> tuple[TextBlock, ...]:
        """The blocks one by one, for `decode` where layers lie apart (`model/cache.py`)."""
        return cache.apart(self.layers)

    def logits(self, hidden: Float[Array, "... D"]) -> Float[Array, "... V"]:
        """Scores of every token, accumulated and returned in float32."""
        flat = hidden.reshape(-1, hidden.shape[-1])
        kernel = layout.weight(self.head_kernel().astype(hidden.dtype), "outputs")
        out = jnp.einsum("nd,dv->nv", flat, kernel, preferred_element_type=jnp.float32)
        return layout.rows(out.reshape(*hidden.shape[:-1], -1), split=True)

    def head_kernel(self) -> Float[Array, "D V"]:
        """The head's weights; the embedding, turned, where it is tied."""
        return self.embed.embedding[...].T if self.head is None else self.head.kernel[...]
