"""Floating-point operations and memory traffic of a run, by formula from the config; nothing is traced.

A multiply-add counts 2. Matrix products and attention are counted; norms, activations and the softmax, a few percent,
are not. *Useful* work is what the task asks for whatever the system does: every completion with its own prompt and
picture, each token once forward and twice backward. *Executed* work is what this system does for it: the prompt once
per group, and blocks computed again where activations are not stored.
"""

from typing import Literal, NamedTuple

from perc_jax.config import (
    ClipConfig,
    ClipTowerConfig,
    Config,
    ModelConfig,
    RolloutConfig,
    StageConfig,
    TextConfig,
    VisionConfig,
)

CACHE_BYTES = {"float32": 4, "bfloat16": 2}  # bytes per number, by `model.dtype`


class Work(NamedTuple):
    """Operations of one step of a stage, over all devices."""

    useful_rollout: float
    useful_update: float
    prefill: float
    decode: float  # all tokens up to the bucket's end
    update: float
    clip: float = 0.0  # the reward's CLIP: every picture once, every completion's description
    tower_prefill: float = 0.0  # of prefill, the vision tower's
    tower_update: float = 0.0  # of update, likewise


class Lengths(NamedTuple):
    """What a step's rows hold, on average."""

    prompt: float  # tokens
    completion: float  # tokens
    patches: float


class TokenTraffic(NamedTuple):
    """What one device does to decode one column of all its rows."""

    weight_bytes: float
    cache_bytes: float
    flops: float


def text_token(text: TextConfig) -> float:
    """Operations of the blocks' matrices for one token, forward."""
    width, heads = text.hidden_size, text.num_attention_heads * text.head_dim
    keys = text.num_key_value_heads * text.head_dim
    matrices = 2 * width * heads + 2 * width * keys + 3 * width * text.intermediate_size
    return 2.0 * text.num_hidden_layers * matrices


def head_token(text: TextConfig) -> float:
    """Operations of the head for one position."""
    return 2.0 * text.hidden_size * text.vocab_size


def attention(text: TextConfig, pairs: int | float) -> float:
    """Operations of scores and weighted sums in all blocks, for that many pairs of a query and a key."""
    return 4.0 * text.num_hidden_layers * text.num_attention_heads * text.head_dim * pairs


def vision(config: VisionConfig, patches: float, outputs: int) -> float:
    """Operations of the tower for one prompt's patch slots, forward."""
    width, unit = config.hidden_size, config.spatial_merge_size**2
    whole = sum(block in config.fullatt_block_indexes for block in range(config.depth))
    pairs = patches * (whole * patches + (config.depth - whole) * config.window_patches)
    block = 4 * width**2 + 3 * width * config.intermediate_size
    merger = (width * unit) ** 2 + width * unit * outputs
    per_patch = config.patch_values * width + config.depth * block + merger / unit
    return 2.0 * patches * per_patch + 4.0 * width * pairs


def row_pairs(model: ModelConfig, prompt: float, group: int, completion: float) -> float:
    """Pairs of a query and a key that are computed for a group row; masked ones too where scores are dense."""
    if model.attention == "dense":
        return float(prompt**2 + group * completion * (prompt + min(2, group) * completion))
    own = completion * (completion + 1) / 2
    return prompt * (prompt + 1) / 2 + group * (completion * prompt + own)


def forward_row(model: ModelConfig, patches: float, prompt: float, group: int, completion: float) -> float:
    """Operations of one group row through the language model's blocks, forward; no head, no pictures."""
    tokens = prompt + group * completion
    return tokens * text_token(model.text) + attention(model.text, row_pairs(model, prompt, group, completion))


def step_work(config: Config, stage: StageConfig, *, trains_vision: bool, lengths: Lengths | None = None) -> Work:
    """Operations of one step of a GRPO stage (for SFT: of its update alone), every bucket filled to its end; with
    `lengths`, of rows that hold so much."""
    model, count, group = config.model, stage.prompts_per_step, stage.group_size
    data, full = config.data, config.completion_tokens(stage)
    prompt, length, patches = lengths or (data.max_prompt_tokens, full, data.max_patches)
    picture = vision(model.vision, patches, model.text.hidden_size)
    head = (group * length + prompt * stage.learns_history) * head_token(model.text)
    row = forward_row(model, patches, prompt, group, length)
    single = (prompt + length) * text_token(model.text) + attention(
        model.text, (prompt + length) * (prompt + length + 1) / 2
    )
    again = 1 if stage.remat == "block" else 0  # forward once more in the backward pass
    # The head's logits are always computed again: they are never stored.
    pictures = (3 + again) if trains_vision else 1 if stage.kind == "sft" else 0  # what the rollout made is reused
    tower, update = pictures * picture, (3 + again) * row + 4 * head
    useful_update = group * (3 * single + (3 if trains_vision else 1) * picture) + 3 * head
    if stage.loss.kl_coef:  # the reference's forward pass
        tower, update = tower + trains_vision * picture, update + row + head
        useful_update += group * (single + picture) + head
    # What the first policy says of the parts of later updates is noted before it moves.
    noted = 1 - 1 / stage.updates_per_rollout
    tower, update = tower + noted * trains_vision * picture, update + noted * (row + head)
    useful_update += noted * (group * (single + picture) + head)
    if model.lora.rank:  # no weight has a gradient but the head's may; adapters themselves are a percent
        frozen = head * (not model.trains_head)
        tower -= trains_vision * picture
        update -= (prompt + group * length) * text_token(model.text) + frozen
        useful_update -= group * ((prompt + length) * text_token(model.text) + trains_vision * picture) + frozen
    update += tower
    if stage.kind != "grpo":
        return Work(0.0, count * useful_update, 0.0, 0.0, count * update, tower_update=count * tower)
    prefill = picture + forward_row(model, patches, prompt, 0, 0) + head_token(model.text)
    column = decode_traffic(config, 1, group, 1).flops
    if lengths:  # of one token of each completion, in the middle of it
        column = group * (text_token(model.text) + head_token(model.text) + attention(model.text, prompt + length / 2))
    decode = max(0.0, length - 1) * column
    useful_rollout = group * (single + picture) + head
    clip = clip_prompt(config.clip, group, len(stage.reward.clip_terms))
    each = (useful_rollout, useful_update, prefill, decode, update, clip, picture, tower)
    return Work(*(count * operations for operations in each))


def clip_tower(tower: ClipTowerConfig, tokens: int) -> float:
    """Operations of a CLIP's tower for one picture or text of so many tokens, all scores counted."""
    block = 4 * tower.width**2 + 2 * tower.width * tower.hidden
    return tower.layers * (2.0 * tokens * block + 4.0 * tower.width * tokens**2)


def clip_prompt(config: ClipConfig, group: int, terms: int) -> float:
    """Operations of the reward's CLIP for one prompt: its pictures once, a text for each completion and term."""
    if not terms:
        return 0.0
    embed = 2.0 * config.patches * 3 * config.patch_px**2 * config.vision.width
    picture = embed + clip_tower(config.vision, 1 + config.patches) + 2.0 * config.vision.width * config.projection
    text = clip_tower(config.text, config.text_tokens) + 2.0 * config.text.width * config.projection
    return config.pictures * picture + terms * group * text


def decode_traffic(config: Config, prompts: int, group: int, tensor: int) -> TokenTraffic:
    """What one of `tensor` devices reads and computes for one column of `prompts` x `group` rows.

    Every column reads the whole bucket of the prompt's keys and values, once per group, and of the completion's the
    ring that is in use, filled or not: its mean where all completions have their full length.
    """
    model, text = config.model, config.model.text
    item = CACHE_BYTES[model.dtype]
    prompt, ring = config.data.max_prompt_tokens, mean_ring(config.rollout)
    weights = text_token(text) / 2 * (1 if config.rollout.weights == "int8" else item) + head_token(text) / 2 * item
    cache = cache_token_bytes(model, config.rollout.kv_dtype) * prompts * (prompt + group * ring)
    flops = prompts * group * (text_token(text) + head_token(text) + attention(text, prompt + ring + 1))
    return TokenTraffic(weights / tensor, cache / tensor, flops / tensor)


def mean_ring(rollout: RolloutConfig) -> float:
    """Columns of the ring that decoding a completion of full length reads, on average over its tokens."""
    columns, segment = rollout.max_tokens - 1, rollout.segment_tokens
    read = 0
    for start in range(0, columns, segment):
        end = min(start + segment, columns)
        read += (end - start) * next(ring for ring in rollout.rings if ring >= end)
    return read / columns if columns else rollout.rings[0]


def cache_token_bytes(model: ModelConfig, kept: Literal["model", "int8"] = "model") -> float:
    """Keys and values of one token in all blocks; int8 comes with a float32 scale per head."""
    text = model.text
    head = text.head_dim + 4 if kept == "int8" else text.head_dim * CACHE_BYTES[model.dtype]
    return 2.0 * text.num_hidden_layers * text.num_key_value_heads * head
