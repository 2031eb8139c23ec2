"""What the model is: both towers in Hugging Face's terms, low-rank adapters, how it computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from perc_jax.config.rules import (
    Sound,
    Violation,
    at_least,
    distinct,
    each,
    filled,
    one_of,
    pattern,
    unless,
    within,
)


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower; names and meanings as `vision_config` of Hugging Face's config.json."""

    depth: Annotated[int, at_least(1)]  # blocks
    hidden_size: Annotated[int, at_least(1)]  # of a patch's vector
    num_heads: Annotated[int, at_least(1)]  # of attention
    intermediate_size: Annotated[int, at_least(1)]  # width of the MLP
    # Blocks that attend to the whole image; the others stay in windows.
    fullatt_block_indexes: Annotated[tuple[int, ...], each(at_least(0))]
    window_size: Annotated[int, at_least(1)] = 112  # pixels
    patch_size: Annotated[int, at_least(1)] = 14  # pixels
    temporal_patch_size: Annotated[int, at_least(1)] = 2  # frames; a still image is doubled
    spatial_merge_size: Annotated[int, at_least(1)] = 2  # patches per side of a merged token

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("window_size", "patch_size", "spatial_merge_size"):
            multiple = self.window_size % self.merged_px == 0
            yield from unless(multiple, "window_size", f"must be a multiple of {self.merged_px}", self.window_size)
        if sound("hidden_size", "num_heads"):
            unit = 4 * self.num_heads
            rule = f"must be a multiple of 4 x num_heads ({unit})"
            yield from unless(self.hidden_size % unit == 0, "hidden_size", rule, self.hidden_size)
        if sound("depth", "fullatt_block_indexes"):
            full = self.fullatt_block_indexes
            inside = all(block < self.depth for block in full)
            yield from unless(inside, "fullatt_block_indexes", f"must be blocks 0..{self.depth - 1}", full)

    @property
    def merged_px(self) -> int:
        """Pixels per side of a merged token (28 at the published sizes)."""
        return self.patch_size * self.spatial_merge_size

    @property
    def window_patches(self) -> int:
        """Patch slots of one attention window (64 at the published sizes)."""
        return (self.window_size // self.patch_size) ** 2

    @property
    def patch_bytes(self) -> int:
        """Bytes of one patch: 3 channels x pixels (588 at the published sizes)."""
        return 3 * self.patch_size**2

    @property
    def patch_values(self) -> int:
        """Values of one patch: its bytes' in every frame (1176 at the published sizes)."""
        return self.temporal_patch_size * self.patch_bytes


@dataclass(frozen=True)
class TextConfig:
    """The language model; names and meanings as Hugging Face's config.json."""

    hidden_size: Annotated[int, at_least(1)]  # of a token's vector
    intermediate_size: Annotated[int, at_least(1)]  # width of the MLP
    num_hidden_layers: Annotated[int, at_least(1)]  # blocks
    num_attention_heads: Annotated[int, at_least(1)]  # of queries
    num_key_value_heads: Annotated[int, at_least(1)]  # of keys and values, shared by queries
    head_dim: Annotated[int, at_least(2)]  # of a head's vector
    vocab_size: Annotated[int, at_least(1)]  # rows of the embedding
    # Rotary frequencies given to time, height, width; they sum to head_dim / 2.
    mrope_section: Annotated[tuple[int, int, int], each(at_least(0))]
    # The longest wave is about 2 pi theta tokens: at 1 all are alike, at the bound it is longer than any prompt.
    rope_theta: Annotated[float, within(1, 1e10)] = 1_000_000.0
    # Added to mean squares near 1, of which more than a tenth would be felt; float32 still divides by the least.
    rms_norm_eps: Annotated[float, within(1e-12, 0.1)] = 1e-6
    tie_word_embeddings: bool = True  # the embedding is the head too

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("mrope_section", "head_dim"):
            section = self.mrope_section
            yield from unless(sum(section) * 2 == self.head_dim, "mrope_section", "must sum to head_dim / 2", section)
        if sound("num_attention_heads", "num_key_value_heads"):
            heads = self.num_attention_heads
            multiple = heads % self.num_key_value_heads == 0
            yield from unless(multiple, "num_attention_heads", "must be a multiple of num_key_value_heads", heads)


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on a frozen base (LoRA, `model/low_rank.py`). Rank 0: none, all parameters are trained."""

    rank: Annotated[int, at_least(0)] = 0  # of the adapters
    # The adapters' product counts alpha / rank times; beyond 10,000 it drowns the base, below 0.001 it is its rounding.
    alpha: Annotated[float, within(1e-3, 1e4)] = 32.0
    # text, merger, all, or regular expressions on names of kernels
    targets: Annotated[tuple[str, ...], filled, each(filled), each(pattern)] = ("text",)
    base_dtype: Literal["float32", "bfloat16"] = "bfloat16"  # in which the frozen weights are stored
    # Of the base, what is trained whole beside the adapters, in float32 (PEFT's modules_to_save): embed, the vectors of
    # words, which are the head's too where they are tied; head. A word that `codes` adds learns by nothing else.
    trained: Annotated[tuple[str, ...], each(one_of("embed", "head")), distinct] = ()

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("rank", "trained"):
            rule = "must be empty where rank is 0 and all parameters are trained"
            yield from unless(self.rank > 0 or not self.trained, "trained", rule, self.trained)

    @property
    def whole(self) -> tuple[str, ...]:
        """Names of the parameters that are trained whole."""
        return tuple({"embed": "text/embed/embedding", "head": "text/head/kernel"}[name] for name in self.trained)


@dataclass(frozen=True)
class ModelConfig:
    """A Qwen2.5-VL of any size."""

    vision: VisionConfig  # the tower that sees
    text: TextConfig  # the language model
    dtype: Literal["float32", "bfloat16"] = "bfloat16"  # of activations; parameters are float32 in training
    # How scores are computed: all at once (short rows), in blocks (long rows on GPU and CPU), by the kernel for TPUs.
    attention: Literal["dense", "blockwise", "splash"] = "dense"
    lora: LoraConfig = LoraConfig()  # adapters in place of all parameters

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans sections."""
        if sound("lora.trained", "text.tie_word_embeddings") and self.text.tie_word_embeddings:
            rule = "must not name head where it is the embedding (text.tie_word_embeddings)"
            yield from unless("head" not in self.lora.trained, "lora.trained", rule, self.lora.trained)

    @property
    def trains_embed(self) -> bool:
        """Whether the vectors of words are trained, as far as adapters have a say in it."""
        return not self.lora.rank or "embed" in self.lora.trained

    @property
    def trains_head(self) -> bool:
        """Whether the head is."""
        return self.trains_embed if self.text.tie_word_embeddings else not self.lora.rank or "head" in self.lora.trained
