"""The vision tower: patches in window order to features of the language model's width, one per 2x2 merge unit.

Most blocks attend within windows of `window_patches` slots, those of `fullatt_block_indexes` within whole images.
Padding slots (patch_image -1) pass through as finite numbers that no real patch ever reads.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.config import VisionConfig
from perc_jax.model import dense
from perc_jax.model.attention import Way, same_segment
from perc_jax.model.layers import VISION_EPS, GatedMLP, Linear, Remat, RMSNorm, axial_tables, recomputed, rotate, stack


class VisionAttention(nnx.Module):
    """Multi-head attention within windows or within images. Separate q, k, v maps, so that heads shard cleanly."""

    def __init__(self, config: VisionConfig, rngs: nnx.Rngs, *, attention: Way):
        width = config.hidden_size
        self.query = Linear(width, width, bias=True, rngs=rngs)
        self.key = Linear(width, width, bias=True, rngs=rngs)
        self.value = Linear(width, width, bias=True, rngs=rngs)
        self.output = Linear(width, width, bias=True, rngs=rngs)
        self.heads = config.num_heads
        self.window = config.window_patches
        self.way = attention  # within images; a window is always short

    def __call__(
        self,
        x: Float[Array, "P N D"],
        rotary: tuple[Float[Array, "P N half"], Float[Array, "P N half"]],
        image: Int[Array, "P N"],
        whole_image: Bool[Array, ""],
    ) -> Float[Array, "P N D"]:
        """Attend within the image where `whole_image`, else within each window."""
        split = (*x.shape[:2], self.heads, x.shape[2] // self.heads)
        # Rotated in float32 (the tables' dtype), then rounded back: the published model's order.
        q = rotate(self.query(x).reshape(split), *rotary).astype(x.dtype)
        k = rotate(self.key(x).reshape(split), *rotary).astype(x.dtype)
        v = self.value(x).reshape(split)

        def in_windows(q, k, v):
            cut = (-1, self.window, *split[2:])
            of_window = image.reshape(-1, self.window)
            return dense.same_segment(q.reshape(cut), k.reshape(cut), v.reshape(cut), of_window).reshape(split)

        def in_images(q, k, v):
            return same_segment(self.way, q, k, v, image)

        # Checkpointed: without it, the scan would store what both branches read and give, for every block.
        out = jax.lax.cond(whole_image, jax.checkpoint(in_images), jax.checkpoint(in_windows), q, k, v)
        return self.output(out.reshape(x.shape))


class VisionBlock(nnx.Module):
    """Pre-norm attention and MLP, each added to its input."""

    def __init__(self, config: VisionConfig, rngs: nnx.Rngs, *, attention: Way):
        self.norm1 = RMSNorm(config.hidden_size, VISION_EPS)
        self.attention = VisionAttention(config, rngs, attention=attention)
        self.norm2 = RMSNorm(config.hidden_size, VISION_EPS)
        self.mlp = GatedMLP(config.hidden_size, config.intermediate_size, bias=True, rngs=rngs)

    def __call__(
        self,
        x: Float[Array, "P N D"],
        rotary: tuple[Float[Array, "P N half"], Float[Array, "P N half"]],
        image: Int[Array, "P N"],
        whole_image: Bool[Array, ""],
    ) -> Float[Array, "P N D"]:
        """Apply the block."""
        x = x + self.attention(self.norm1(x), rotary, image, whole_image)
        return x + self.mlp(self.norm2(x))


class PatchMerger(nnx.Module):
    """Join the adjacent patches of a merge unit and map them to the language model's width. GELU is the exact one."""

    def __init__(self, config: VisionConfig, outputs: int, rngs: nnx.Rngs):
        joined = config.hidden_size * config.spatial_merge_size**2
        self.norm = RMSNorm(config.hidden_size, VISION_EPS)
        self.hidden = Linear(joined, joined, bias=True, rngs=rngs)
        self.output = Linear(joined, outputs, bias=True, rngs=rngs)
        self.joined = joined

    def __call__(self, x: Float[Array, "P N D"]) -> Float[Array, "P M E"]:
        """Merge each run of adjacent patches into one token."""
        units = self.norm(x).reshape(x.shape[0], x.shape[1] * x.shape[2] // self.joined, self.joined)
        hidden = jax.nn.gelu(self.hidden(units).astype(jnp.float32), approximate=False).astype(x.dtype)
        return self.output(hidden)


class VisionTower(nnx.Module):
    """Patch embedding, the stacked blocks, the merger."""

    def __init__(self, config: VisionConfig, outputs: int, rngs: nnx.Rngs, *, attention: Way):
        # The published 3-D convolution has stride = kernel, so it is one matrix product per patch.
        self.patch_embed = Linear(config.patch_values, config.hidden_size, bias=False, rngs=rngs)
        self.blocks = stack(config.depth, lambda r: VisionBlock(config, r, attention=attention), rngs)
        self.merger = PatchMerger(config, outputs, rngs)
        self.config = config

    def __call__(
        self, patches: Float[Array, "P N X"], rowcol: Int[Array, "P N 2"], image: Int[Array, "P N"], *, remat: Remat
    ) -> Float[Array, "P M D"]:
        """Encode images, in the dtype of `patches`. `remat`: what the backward pass computes again."""
        config = self.config
        rotary = axial_tables(rowcol, config.hidden_size // config.num_heads)
        whole = jnp.array([i in config.fullatt_block_indexes for i in range(config.depth)])

        def body(x, layer):
            block, whole_image = layer
            return block(x, rotary, image, whole_image), None

        x, _ = jax.lax.scan(recomputed(body, remat), self.patch_embed(patches), (self.blocks, whole))
        return self.merger(x)
