"""Qwen2.5-VL: prompts with images in; hidden states, caches and logits out.

    params = init_params(config, key)       nested dicts of float32 arrays, layers stacked on a leading axis
    model = bind(config, params)            cheap: inside jit it only wraps the tracers
    prompt_hidden, completion_hidden = model.forward(prompts, completions)

Activations have `config.dtype`, whatever the dtype of the parameters. All hidden states are after the final norm. Every
prompt is computed on its own: what else is in the batch, and how much padding, changes nothing.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Int, UInt8

from perc_jax.batch import Array, PromptBatch
from perc_jax.config import ModelConfig
from perc_jax.model import attention, int8, low_rank
from perc_jax.model.cache import Layers, Stored
from perc_jax.model.layers import Remat
from perc_jax.model.pixels import values
from perc_jax.model.text import TextBlock, TextModel
from perc_jax.model.vision import VisionTower

Params = dict[str, Any]  # nested dicts of arrays; the '/'-joined path of a leaf is its name
# Folded into the key of the parameters: the base is the same with and without adapters. "lora" in ASCII, since nnx
# folds in 0, 1, 2, … for one parameter after the other.
ADAPTER_PURPOSE = 0x6C6F7261


class Placed(NamedTuple):
    """Where the tokens of a row's completions stand, and the pictures among them, where they are not text alone."""

    positions: Int[Array, "P 3 W"]
    image_slots: Int[Array, "P W"]  # the feature that stands there, -1 at text
    features: Float[Array, "P M D"]  # of the pictures of all completions of the prompt


class Qwen2_5_VL(nnx.Module):
    """The vision tower and the language model. Made by `bind`; holds no state but parameters."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        self.vision = VisionTower(config.vision, config.text.hidden_size, rngs, attention=config.attention)
        self.text = TextModel(config.text, rngs, attention=config.attention)
        self.dtype = jnp.dtype(config.dtype)

    def encode_images(
        self,
        pixels: UInt8[Array, "P N B"],
        patch_rowcol: Int[Array, "P N 2"],
        patch_image: Int[Array, "P N"],
        *,
        remat: Remat = "none",
    ) -> Float[Array, "P M D"]:
        """Turn patches in window order into M = N / merge_size^2 features; those of padding slots are finite."""
        if pixels.shape[1] == 0:  # a bucket for text only; reductions over no patch have no value
            return jnp.zeros((pixels.shape[0], 0, self.text.config.hidden_size), self.dtype)
        patches = values(pixels, patch_image, self.vision.config.temporal_patch_size).astype(self.dtype)
        return self.vision(patches, patch_rowcol, patch_image, remat=remat)

    def embed(
        self,
        tokens: Int[Array, "P S"],
        features: Float[Array, "P M D"] | None,
        image_slots: Int[Array, "P S"] | None,
    ) -> Float[Array, "P S D"]:
        """Look tokens up and put feature `image_slots[p, s]` where it is >= 0."""
        x = self.text.embed(tokens, self.dtype)
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
        remat: Remat = "none",
    ) -> tuple[Float[Array, "P S D"], Float[Array, "P G C D"]]:
        """Run every prompt once with all its completions, each filling C places of the row; C may be 0."""
        count, group, length = completions.shape
        columns = jnp.broadcast_to(jnp.tile(jnp.arange(length), group), (count, group * length))
        tokens = completions.reshape(columns.shape)
        prompt, answers = self.rows(prompts, tokens, columns, longest=length, features=features, remat=remat)
        return prompt, answers.reshape(count, group, length, answers.shape[-1])

    def rows(
        self,
        prompts: PromptBatch,
        tokens: Int[Array, "P W"],
        columns: Int[Array, "P W"],
        *,
        longest: int,
        features: Float[Array, "P M D"] | None = None,
        placed: Placed | None = None,
        remat: Remat = "none",
    ) -> tuple[Float[Array, "P S D"], Float[Array, "P W D"]]:
        """Run every prompt once with all its completions, as one row `[prompt | completion 1 | … | completion G]`.

        Completions stand one after the other, each with its own length of at most `longest`: `columns` says the place
        of each token in its completion, 0 at its first; places that are left over at the end are completions of one
        token. Worked example, lengths 3 and 2 in W = 6 places: columns 0 1 2 0 1 0. Token i sees token j <= i iff j is
        a real prompt token or in i's own completion, so the result is that of separate sequences.

        `features` are those of `encode_images`, made here when `prompts` have none either. `placed`: positions of the
        completions' tokens, and pictures among them; without it they are text that goes on behind the prompt. `remat`:
        what the backward pass computes again.
        """
        features = self._features(prompts, remat) if features is None else features
        x = self.embed(prompts.tokens, features, prompts.image_slots)
        if placed is None:
            answers = self.embed(tokens, None, None)
            after = prompts.next_position[:, None] + columns
            after = jnp.broadcast_to(after[:, None], (len(columns), 3, columns.shape[1]))
        else:
            answers, after = self.embed(tokens, placed.features, placed.image_slots), placed.positions
        positions = jnp.concatenate([prompts.positions, after], axis=2)
        rows = attention.Rows(prompts.mask, columns, longest)
        row = self.text.rows(jnp.concatenate([x, answers], axis=1), positions, rows, remat=remat)
        split = prompts.tokens.shape[1]
        return row[:, :split], row[:, split:]

    def prefill(
        self, prompts: PromptBatch, *, features: Float[Array, "P M D"] | None = None
    ) -> tuple[Float[Array, "P D"], tuple[Float[Array, "L P K S hd"], Float[Array, "L P K S hd"]]]:
        """Run prompts and keep their keys and values. Prompts are left-padded: the last column is the last token."""
        features = self._features(prompts, remat="none") if features is None else features
        x = self.embed(prompts.tokens, features, prompts.image_slots)
        return self.text.prefill(x, prompts.positions, prompts.mask)

    def decode(
        self,
        tokens: Int[Array, "P W"],
        positions: Int[Array, "P W"],
        lengths: Int[Array, "P W"],
        time: Int[Array, ""],
        prompt_cache: tuple[Layers, Layers],
        prompt_mask: Bool[Array, "P S"],
        ring: tuple[Layers, Layers],
        blocks: tuple[TextBlock, ...] | None = None,
    ) -> tuple[Float[Array, "P W D"], tuple[Layers, Layers]]:
        """Run the next token of each of W rows per prompt, at `positions` on all three axes.

        prompt_cache holds keys and values [L,P,K,S,hd], ring [L,P,K,W,B,hd]: column `time` modulo B is written for all
        rows alike, and a row sees the `lengths` columns before it. Returns hidden states and the ring with the column.
        With `blocks` of `text.apart` both are tuples of their layers.
        """
        x = self.embed(tokens, None, None)
        return self.text.decode(x, positions, lengths, time, prompt_cache, prompt_mask, ring, blocks)

    def extend(
        self,
        tokens: Int[Array, "P W E"],
        features: Float[Array, "P W M D"] | None,
        image_slots: Int[Array, "P W E"],
        positions: Int[Array, "P W 3 E"],
        counts: Int[Array, "P W"],
        lengths: Int[Array, "P W"],
        time: Int[Array, ""],
        prompt_cache: tuple[Stored, Stored],
        prompt_mask: Bool[Array, "P S"],
        ring: tuple[Stored, Stored],
    ) -> tuple[Float[Array, "P W D"], tuple[Stored, Stored]]:
        """Run the first `counts` of E further tokens of each row, with pictures of its own (`features`) among them.

        Caches as in `decode`: a row's last `lengths` tokens stand up to column `time` - 1 of the ring, and in the ring
        that is returned, with as many more. Also returns the hidden state of each row's last token.
        """
        prompts, rows, length = tokens.shape
        if features is not None:
            features = features.reshape(-1, *features.shape[2:])
        x = self.embed(tokens.reshape(-1, length), features, image_slots.reshape(-1, length))
        x = x.reshape(prompts, rows, length, x.shape[-1])
        return self.text.extend(x, positions, counts, lengths, time, prompt_cache, prompt_mask, ring)

    def logits(self, hidden: Float[Array, "... D"]) -> Float[Array, "... V"]:
        """Float32 scores of every token of the vocabulary."""
        return self.text.logits(hidden)

    def _features(self, prompts: PromptBatch, remat: Remat) -> Float[Array, "P M D"]:
        if prompts.features is not None:
            return prompts.features
        return self.encode_images(prompts.pixels, prompts.patch_rowcol, prompts.patch_image, remat=remat)


def init_params(config: ModelConfig, key: Array) -> Params:
    """Make fresh float32 parameters: normal(inputs^-0.5) matrices, zero biases, unit norms. Call it under `jax.jit`.

    With `config.lora` the maps it names get adapters that change nothing yet, and all else is in the base's dtype, but
    for what is trained whole.
    """
    model = Qwen2_5_VL(config, nnx.Rngs(key))
    if not config.lora.rank:
        return _pure(model)
    _adapt(model, config, _targets(config), jax.random.fold_in(key, ADAPTER_PURPOSE))

    def stored(path: Any, leaf: Array) -> Array:
        is_trained = path[-1].key in low_rank.ADAPTERS or "/".join(key.key for key in path) in config.lora.whole
        return leaf if is_trained else leaf.astype(config.lora.base_dtype)

    return jax.tree_util.tree_map_with_path(stored, _pure(model))


def abstract_params(config: ModelConfig) -> Params:
    """Shapes and dtypes of `init_params`, without making anything."""
    return jax.eval_shape(lambda: init_params(config, jax.random.key(0)))


def bind(config: ModelConfig, params: Params) -> Qwen2_5_VL:
    """Make the model around `params` (float32 or bfloat16, arrays or tracers), adapters and scales included."""
    adapted, rounded = (tuple(_having(leaf, params)) for leaf in (low_rank.ADAPTERS[0], int8.SCALE))
    return nnx.merge(_graph(config, adapted, rounded), params)


@functools.lru_cache(maxsize=16)
def _graph(config: ModelConfig, adapted: tuple[str, ...], rounded: tuple[str, ...]) -> nnx.GraphDef:
    def make() -> Qwen2_5_VL:
        model = Qwen2_5_VL(config, nnx.Rngs(0))
        _adapt(model, config, adapted, jax.random.key(0))
        for name in rounded:
            int8.add(_named(model, name))
        return model

    return nnx.graphdef(nnx.eval_shape(make))


def _pure(model: Qwen2_5_VL) -> Params:
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))


def _adapt(model: Qwen2_5_VL, config: ModelConfig, names: Sequence[str], key: Array) -> None:
    """Give the named maps adapters."""
    rank = config.lora.rank
    for i, name in enumerate(names):
        low_rank.add(_named(model, name), rank, config.lora.alpha / rank, jax.random.fold_in(key, i))


@functools.lru_cache(maxsize=16)
def _targets(config: ModelConfig) -> tuple[str, ...]:
    """Names of the maps that the config gives adapters."""
    plain = jax.eval_shape(lambda: _pure(Qwen2_5_VL(config, nnx.Rngs(0))))
    paths = ["/".join(key.key for key in path) for path, _ in jax.tree_util.tree_leaves_with_path(plain)]
    return tuple(low_rank.targets(config.lora, [path for path in paths if path.endswith("/kernel")]))


def _having(leaf: str, params: Params, prefix: str = "") -> Iterator[str]:
    """Names of the maps that have a parameter of this name."""
    for name, below in params.items():
        if isinstance(below, dict):
            if leaf in below:
                yield prefix + name
            yield from _having(leaf, below, f"{prefix}{name}/")


def _named(model: Qwen2_5_VL, name: str) -> nnx.Module:
    return functools.reduce(getattr, name.split("/"), model)
