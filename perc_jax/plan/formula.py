"""What a program holds for a moment, by formula from the config: for machines that nothing here compiles for.

Arguments and results of a program are known exactly, from its blueprint. What is estimated is the rest: the largest sum
of arrays that exist at once inside it, walked through in the order in which it runs. Counted are arrays of the size of
a batch, a layer's weights or the vocabulary; what a compiler fuses away, pads, or keeps longer than it must is not. How
near that comes is held by tests against XLA's own figures of programs that were compiled (tests/plan/test_formula.py).

Letters as in `perc_jax.batch`; all sizes are bytes on one device, of a mesh that splits prompts over its rows and
heads, MLP width and vocabulary over `tensor`.
"""

from typing import NamedTuple

import jax

from perc_jax.config import ClipConfig, ClipTowerConfig, ModelConfig, StageConfig
from perc_jax.model import blockwise
from perc_jax.plan import memory
from perc_jax.plan.flops import CACHE_BYTES as ITEM_BYTES
from perc_jax.plan.flops import text_token
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.rollout import layers_apart
from perc_jax.update.policy import CHUNK_BYTES

FLOAT = 4  # bytes of a float32


class Temporary(NamedTuple):
    """What a program holds beside its arguments and results."""

    gradients: float  # of the trained parameters, where it makes any
    others: float


class Rows(NamedTuple):
    """What one device computes together: prompts with their places for completions."""

    prompts: int  # P
    tokens: int  # S
    patches: int  # N; 0: no picture is looked at
    width: int = 0  # W, places of a row for all of its completions
    longest: int = 0  # C

    @property
    def all(self) -> int:
        """Tokens in all."""
        return self.prompts * (self.tokens + self.width)


def temporary(blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig, platform: str = "gpu") -> Temporary:
    """What one device holds for a moment while a program of a run runs; `platform` as JAX names it."""
    device = _Device(blueprints, stage, platform)
    kind = blueprint.kind.split()[0]
    if kind == "update":
        trained = memory.device_bytes(memory.trained(blueprints, stage))
        return Temporary(trained, device.update(blueprint))
    one = {
        "init": device.init,
        "adapters": device.init,
        "publish": device.publish,
        "finish": device.finish,
        "encode": device.encode,
        "prefill": device.prefill,
        "decode": device.decode,
        "extend": device.extend,
        "score": device.score,
        "clip": device.clip,
    }.get(kind)
    return Temporary(0.0, one(blueprint) if one else 0.0)


class _Device:
    """One device of a run's mesh."""

    def __init__(self, blueprints: Blueprints, stage: StageConfig, platform: str):
        self._blueprints, self._stage, self._platform = blueprints, stage, platform
        self._config = blueprints.config
        self._model: ModelConfig = self._config.model
        self._item = ITEM_BYTES[self._model.dtype]
        self._tensor = blueprints.mesh.shape["tensor"]
        self._rows = blueprints.rows
        self._alone = blueprints.mesh.size == 1

    # --- programs -----------------------------------------------------------------------------------------------------

    def update(self, blueprint: Blueprint) -> float:
        """A gradient of one micro-batch, forward and backward."""
        (tokens, patches), count = self._bucket(blueprint), blueprint.arguments["rows"].shape[1]
        looks = blueprint.arguments["batch"].prompts.features is None
        longest = self._config.completion_tokens(self._stage)
        rows = Rows(count, tokens, patches * looks, blueprint.function.keywords["width"], longest)
        stored = self._stored(rows)
        positions = rows.prompts * (rows.width + rows.tokens * self._stage.learns_history)
        head = self._head(positions, backward=True)
        blocks = self._block(rows, backward=True) + self._layer(backward=True, gathered=True)
        tower = self._tower(rows, backward=True) if looks and self._trains_tower() else 0.0
        embedding = self._vocabulary() * self._item if self._model.trains_embed else 0.0
        ends = rows.all * self._model.text.hidden_size * self._item * 2  # the blocks' output, and its gradient
        return ends + max(stored + max(head, blocks), embedding + tower)

    def score(self, blueprint: Blueprint) -> float:
        """Forward over prompts with one completion each."""
        tokens, patches = self._config.data.shapes[-1]
        count, _, length = blueprint.arguments["tokens"].shape
        rows = Rows(count // self._rows, tokens, patches, length, length)
        blocks = self._block(rows, backward=False) + self._layer(backward=False, gathered=True)
        ends = rows.all * self._model.text.hidden_size * self._item
        head = self._head(rows.prompts * rows.width, backward=False)
        return ends + max(blocks, head, self._tower(rows, backward=False))

    def prefill(self, blueprint: Blueprint) -> float:
        """Prompts alone, and their first tokens."""
        tokens, patches = self._bucket(blueprint)
        groups = blueprint.outputs[1].groups if hasattr(blueprint.outputs[1], "groups") else blueprint.outputs[1]
        count, group = groups.tokens.shape[0] // self._rows, groups.tokens.shape[1]
        looks = blueprint.arguments["prompts"].features is None
        rows = Rows(count, tokens, patches * looks)
        blocks = self._block(rows, backward=False) + self._layer(backward=False, gathered=False)
        ends = rows.all * self._model.text.hidden_size * self._item
        return ends + max(blocks, self._drawn(count * group), self._tower(rows, backward=False))

    def decode(self, blueprint: Blueprint) -> float:
        """One token of every row."""
        state, context = blueprint.arguments["state"], blueprint.arguments["context"]
        count, rows = state.groups.at.shape[0] // self._rows, state.groups.at.shape[1]
        caches = (context.keys, context.values, state.keys, state.values)
        kept, drawn = memory.device_bytes(caches), self._drawn(count * rows)
        ring = jax.tree.leaves(state.keys)[0].shape[4]
        heads = self._model.text.num_attention_heads / self._tensor
        scores = 2 * FLOAT * count * rows * heads * (context.mask.shape[1] + ring)
        if layers_apart(self._model, blueprint.mesh):
            return (
                kept + memory.device_bytes(blueprint.arguments["rollout_params"]["text"]["layers"]) + max(scores, drawn)
            )
        of_layer = kept / self._model.text.num_hidden_layers + self._layer(backward=False, gathered=False)
        return max(of_layer + scores, drawn)

    def extend(self, blueprint: Blueprint) -> float:
        """Replies to all rows, with the ring made anew."""
        state, context, replies = (blueprint.arguments[name] for name in ("state", "context", "replies"))
        (count, rows, tokens), text = replies.tokens.shape, self._model.text
        each = Rows(count * rows // self._rows, tokens + 1, replies.pixels.shape[2])
        seen = context.mask.shape[1] + jax.tree.leaves(state.keys)[0].shape[4]
        if self._model.attention == "dense":
            attention = FLOAT * each.all * text.num_attention_heads / self._tensor * seen
        else:  # a layer's prompts, one for each row
            keys = 2 * text.num_key_value_heads * text.head_dim / self._tensor
            attention = each.prompts * context.mask.shape[1] * keys * self._item
        blocks = self._block(each, backward=False) + attention + self._layer(backward=False, gathered=False)
        ends, ring = each.all * text.hidden_size * self._item, memory.device_bytes((state.keys, state.values))
        return ring + ends + max(blocks, self._drawn(each.prompts), self._tower(each, backward=False))

    def encode(self, blueprint: Blueprint) -> float:
        """Pictures alone."""
        tokens, patches = self._bucket(blueprint)
        count = blueprint.arguments["prompts"].tokens.shape[0] // self._rows
        if "rows" in blueprint.arguments:
            count = blueprint.arguments["rows"].shape[1]
        return self._tower(Rows(count, tokens, patches), backward=False)

    def publish(self, blueprint: Blueprint) -> float:
        """The largest weight that is made anew: a layer's, or the embedding."""
        leaves, merged = jax.tree.leaves(blueprint.outputs), 2 * FLOAT * bool(self._model.lora.rank)
        whole = self._item if self._alone else FLOAT  # gathered before it is rounded
        made = [
            leaf.size / leaf.shape[0] * (self._item + merged) if leaf.ndim == 3 else leaf.size * whole
            for leaf in leaves
        ]
        return max(made) / self._tensor

    def finish(self, blueprint: Blueprint) -> float:
        """The optimizer's changes, which exist whole before they are added."""
        return float(memory.device_bytes(blueprint.arguments["progress"].gradient))

    def init(self, blueprint: Blueprint) -> float:
        """The random bits of the largest parameter, and what becomes of them on the way."""
        return 2.0 * max(memory.device_bytes(leaf) for leaf in jax.tree.leaves(blueprint.outputs))

    def clip(self, blueprint: Blueprint) -> float:
        """Pictures or texts of a reward's CLIP, some at a time."""
        clip: ClipConfig = self._config.clip
        if "pictures" in blueprint.arguments:
            return clip.at_once * _clip_tower(clip.vision, 1 + clip.patches, ITEM_BYTES[clip.dtype])
        length = blueprint.arguments["tokens"].shape[2]
        return clip.at_once * _clip_tower(clip.text, length, ITEM_BYTES[clip.dtype])

    def _bucket(self, blueprint: Blueprint) -> tuple[int, int]:
        """Tokens and patch slots of the prompts that a program takes, as its name says."""
        named = blueprint.name.partition(" within ")[2]
        return tuple(map(int, named.split("x"))) if named else self._config.data.shapes[-1]

    # --- their parts --------------------------------------------------------------------------------------------------

    def _trains_tower(self) -> bool:
        return bool(jax.tree.leaves(memory.trained(self._blueprints, self._stage)["vision"]))

    def _vocabulary(self) -> float:
        """Numbers of the embedding, or of the head, as they are where they are used."""
        return self._model.text.vocab_size * self._model.text.hidden_size / self._tensor

    def _layer(self, *, backward: bool, gathered: bool) -> float:
        """One layer's weights where they are used, where they are gathered with the next one's on the way; backward
        their gradient too."""
        text = self._model.text
        numbers = text_token(text) / 2 / text.num_hidden_layers / self._tensor
        merged = 0.0
        if self._model.lora.rank and gathered:  # the product of the adapters, and the base beside it, in float32
            merged = 2 * FLOAT * text.hidden_size * text.intermediate_size / self._tensor
            backward = False
        copies = 2 if gathered and not self._alone else 1
        return numbers * self._item * (copies + backward) + merged

    def _stored(self, rows: Rows) -> float:
        """What the backward pass reads of every layer."""
        text, remat = self._model.text, self._stage.remat
        width, keys = text.num_attention_heads * text.head_dim, text.num_key_value_heads * text.head_dim
        one = float(text.hidden_size)
        if remat != "block":  # attention's result, and products with weights; those of adapters are made again
            one += width / self._tensor
            if not self._model.lora.rank or remat == "none":
                one += (width + 2 * keys + 2 * text.intermediate_size) / self._tensor + 2 * text.hidden_size
        if remat == "none":  # norms, rotated heads, the gated product
            one += 2 * text.hidden_size + (width + keys + text.intermediate_size) / self._tensor
        return text.num_hidden_layers * rows.all * one * self._item

    def _block(self, rows: Rows, backward: bool) -> float:
        """Activations inside one block of the language model."""
        text = self._model.text
        width, keys = text.num_attention_heads * text.head_dim, text.num_key_value_heads * text.head_dim
        if not backward:
            mlp = 2 * (text.hidden_size + text.intermediate_size / self._tensor)
            heads = 2 * text.hidden_size + (2 * width + 2 * keys) / self._tensor
            at_heads = rows.all * heads * self._item + self._scores(rows, backward=False)
            return max(rows.all * mlp * self._item, at_heads)
        whole = 4 * text.hidden_size + (3 * width + 4 * keys + 3 * text.intermediate_size) / self._tensor
        gated = 2 * text.intermediate_size / self._tensor
        heads = 2 * (width + 2 * keys) / self._tensor
        at_heads = rows.all * heads * self._item + self._scores(rows, backward=True)
        return rows.all * whole * self._item + max(rows.all * gated * self._item, at_heads)

    def _scores(self, rows: Rows, backward: bool) -> float:
        """What attention makes of its queries and keys within one block."""
        text = self._model.text
        heads = text.num_attention_heads / self._tensor
        if self._model.attention == "dense":
            side = rows.longest if 2 * rows.longest < rows.width else rows.width
            own = 2 * side if side < rows.width else side
            pairs = max(rows.tokens**2, rows.width * (rows.tokens + own))
            return (1 + 2 * backward) * FLOAT * rows.prompts * heads * pairs
        sums = rows.all * text.head_dim * (heads + 2 * backward * text.num_key_value_heads / self._tensor)
        if self._model.attention == "splash":  # scores never leave the kernel
            return sums * FLOAT
        fewest, most = blockwise.BLOCK_SIDES
        side = min(
            max((blockwise.BLOCK_SCORES[self._platform] / heads) ** 0.5, fewest), most, max(rows.tokens, rows.width)
        )
        return FLOAT * (sums * (1 + backward) + (1 + 3 * backward) * rows.prompts * heads * side**2)

    def _head(self, positions: int, backward: bool) -> float:
        """The head over a chunk of positions: its weights, its logits, and backward its gradient."""
        vocabulary = self._model.text.vocab_size
        chunk = min(positions * vocabulary * FLOAT, CHUNK_BYTES) / self._tensor
        copies = 2 if self._platform == "cpu" else 1  # elsewhere a product is added to what there is
        gradient = copies * FLOAT * backward * self._model.trains_head
        return self._vocabulary() * (self._item + gradient) + 2 * chunk

    def _drawn(self, rows: int) -> float:
        """Logits, log-probabilities and noise of so many rows."""
        return 3.0 * FLOAT * rows * self._model.text.vocab_size / self._tensor

    def _tower(self, rows: Rows, backward: bool) -> float:
        """The vision tower over the pictures of these prompts."""
        vision = self._model.vision
        patches = rows.prompts * rows.patches
        width, unit = vision.hidden_size, vision.spatial_merge_size**2
        values = patches * vision.patch_values * (FLOAT + self._item)
        inside = (6 if backward else 3) * vision.intermediate_size + 4 * width
        rotated = 2 * FLOAT * width  # queries and keys, in float32
        scores = patches * vision.num_heads * FLOAT * (2 + backward)
        if self._model.attention == "dense":
            scores *= max(vision.window_patches, rows.patches if vision.fullatt_block_indexes else 0)
        else:
            scores *= vision.window_patches
        block = patches * (inside * self._item + rotated) + scores
        merger = patches / unit * (width * unit) * 3 * self._item
        stored = vision.depth * patches * width * self._item if backward else 0.0
        return max(values, stored + max(block, merger))


def _clip_tower(tower: ClipTowerConfig, tokens: int, item: int) -> float:
    """Activations of one picture or text inside a block."""
    scores = 2 * FLOAT * tower.heads * tokens**2
    return tokens * (4 * tower.width + 2 * tower.hidden) * item + scores


def sizes(
    blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig, platform: str = "gpu"
) -> tuple[memory.Sizes, int]:
    """What XLA would say of the program, and of its temporaries what gradients take."""
    own, found = memory.arrays(blueprint), temporary(blueprint, blueprints, stage, platform)
    return memory.Sizes(own.total, 0, 0, int(sum(found))), int(found.gradients)
