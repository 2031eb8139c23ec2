"""Qwen2.5-VL: prompts with images in; hidden states, caches and logits out.

    params = init_params(config, key)       nested dicts of float32 arrays, layers stacked on a leading axis
    model = bind(config, params)            cheap: inside jit it only wraps the tracers
    prompt_hidden, completion_hidden = model.forward(prompts, completions)

Activations have `config.dtype`, whatever the dtype of the parameters. All hidden states are after the final norm. Every
prompt is computed on its own: what else is in the batch, and how much padding, changes nothing.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array, PromptBatch
from perc_jax.config import ModelConfig
from perc_jax.model import layout
from perc_jax.model.text import TextModel
from perc_jax.model.vision import VisionTower

Params = dict[str, Any]  # nested dicts of arrays; the '/'-joined path of a leaf is its name


class Qwen2_5_VL(nnx.Module):
    """The vision tower and the language model. Made by `bind`; holds no state but parameters."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        self.vision = VisionTower(config.vision, config.text.hidden_size, rngs, attention=config.attention)
        self.text = TextModel(config.text, rngs, attention=config.attention)
        self.dtype = jnp.dtype(config.dtype)

    def encode_images(
        self,
        patches: Float[Array, "P N X"],
        patch_rowcol: Int[Array, "P N 2"],
        patch_image: Int[Array, "P N"],
        *,
        remat: bool = False,
    ) -> Float[Array, "P M D"]:
        """Turn patches in window order into M = N / merge_size^2 features; those of padding slots are finite."""
        if patches.shape[1] == 0:  # a bucket for text only; reductions over no patch have no value
            return jnp.zeros((patches.shape[0], 0, self.text.config.hidden_size), self.dtype)
        return self.vision(patches.astype(self.dtype), patch_rowcol, patch_image, remat=remat)

    def embed(
        self,
        tokens: Int[Array, "P S"],
        features: Float[Array, "P M D"] | None,
        image_slots: Int[Array, "P S"] | None,
    ) -> Float[Array, "P S D"]:
        """Look tokens up and put feature `image_slots[p, s]` where it is >= 0."""
        table = layout.weight(self.text.embed.embedding[...].astype(self.dtype), "inputs")
        x = layout.rows(table[tokens])
        if features is None or features.shape[1] == 0:
            return x
        seen = jnp.take_along_axis(features, jnp.maximum(image_slots, 0)[..., None], axis=1)
        return jnp.where((image_slots >= 0)[..., None], seen.astype(self.dtype), x)

    def forward(
        self,
        prompts: PromptBatch,
        completions: Int[Array, "P G C"],
        *,
        features: Float[Array, "P M D"] | None = None,
        remat: bool = False,
    ) -> tuple[Float[Array, "P S D"], Float[Array, "P G C D"]]:
        """Run every prompt once with all its completions, as one row `[prompt | completion 1 | … | completion G]`.

        Token i sees token j <= i iff j is a real prompt token or in i's own completion, so the result is that of G
        separate sequences. C may be 0. `features` are those of `encode_images`, made here when absent. `remat`
        recomputes each block in the backward pass instead of storing its activations.
        """
        count, group, length = completions.shape
        features = self._features(prompts, remat) if features is None else features
        x = self.embed(prompts.tokens, features, prompts.image_slots)
        answers = self.embed(completions.reshape(count, group * length), None, None)
        after = jnp.tile(prompts.next_position[:, None] + jnp.arange(length), (1, group))
        after = jnp.broadcast_to(after[:, None], (count, 3, group * length))
        positions = jnp.concatenate([prompts.positions, after], axis=2)
        row = self.text.rows(jnp.concatenate([x, answers], axis=1), positions, prompts.mask, group, remat=remat)
        split = prompts.tokens.shape[1]
        return row[:, :split], row[:, split:].reshape(count, group, length, row.shape[-1])

    def prefill(
        self, prompts: PromptBatch, *, features: Float[Array, "P M D"] | None = None
    ) -> tuple[Float[Array, "P D"], tuple[Float[Array, "L P K S hd"], Float[Array, "L P K S hd"]]]:
        """Run prompts and keep their keys and values. Prompts are left-padded: the last column is the last token."""
        features = self._features(prompts, remat=False) if features is None else features
        x = self.embed(prompts.tokens, features, prompts.image_slots)
        return self.text.prefill(x, prompts.positions, prompts.mask)

    def decode(
        self,
        tokens: Int[Array, "P G"],
        positions: Int[Array, "P"],
        column: Int[Array, ""] | int,
        prompt_cache: tuple[Float[Array, "L P K S hd"], Float[Array, "L P K S hd"]],
        prompt_mask: Bool[Array, "P S"],
        cache: tuple[Float[Array, "L P K G C hd"], Float[Array, "L P K G C hd"]],
    ) -> tuple[Float[Array, "P G D"], tuple[Float[Array, "L P K G C hd"], Float[Array, "L P K G C hd"]]]:
        """Run token number `column` of each completion, at `positions` on all three axes; columns before it are read.

        Returns hidden states and the cache with this column written. The caches' dtype is the caller's choice.
        """
        x = self.embed(tokens, None, None)
        return self.text.decode(x, positions, jnp.asarray(column), prompt_cache, prompt_mask, cache)

    def logits(self, hidden: Float[Array, "... D"]) -> Float[Array, "... V"]:
        """Float32 scores of every token of the vocabulary."""
        return self.text.logits(hidden)

    def _features(self, prompts: PromptBatch, remat: bool) -> Float[Array, "P M D"]:
        return self.encode_images(prompts.patches, prompts.patch_rowcol, prompts.patch_image, remat=remat)


def init_params(config: ModelConfig, key: Array) -> Params:
    """Make fresh float32 parameters: normal(inputs^-0.5) matrices, zero biases, unit norms. Call it under `jax.jit`."""
    return nnx.to_pure_dict(nnx.state(Qwen2_5_VL(config, nnx.Rngs(key)), nnx.Param))


def abstract_params(config: ModelConfig) -> Params:
    """Shapes and dtypes of `init_params`, without making anything."""
    return jax.eval_shape(lambda: init_params(config, jax.random.key(0)))


def bind(config: ModelConfig, params: Params) -> Qwen2_5_VL:
    """Make the model around `params` (float32 or bfloat16, arrays or tracers)."""
    return nnx.merge(_graph(config), params)


@functools.lru_cache(maxsize=16)
def _graph(config: ModelConfig) -> nnx.GraphDef:
    return nnx.graphdef(nnx.eval_shape(lambda: Qwen2_5_VL(config, nnx.Rngs(0))))
