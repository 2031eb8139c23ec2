"""What the model is: both towers in Hugging Face's terms, low-rank adapters, how it computes."""

from dataclasses import dataclass
from typing import Literal

from perc_jax.config.rules import check


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower; names and meanings as `vision_config` of Hugging Face's config.json."""

    depth: int
    hidden_size: int
    num_heads: int
    intermediate_size: int
    fullatt_block_indexes: tuple[int, ...]  # blocks that attend to the whole image; the others stay in windows
    window_size: int = 112  # pixels
    patch_size: int = 14  # pixels
    temporal_patch_size: int = 2  # frames; a still image is doubled
    spatial_merge_size: int = 2  # patches per side of a merged token

    def __post_init__(self):
        """Check what spans fields."""
        merged_px = self.patch_size * self.spatial_merge_size
        check(
            self.window_size % merged_px == 0,
            "vision.window_size",
            f"must be a multiple of {merged_px}",
            self.window_size,
        )
        head_dim = self.hidden_size // self.num_heads
        check(head_dim % 4 == 0, "vision.hidden_size / vision.num_heads", "must be a multiple of 4", head_dim)

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

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    mrope_section: tuple[int, int, int]  # rotary frequencies given to time, height, width; they sum to head_dim / 2
    rope_theta: float = 1_000_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = True

    def __post_init__(self):
        """Check what spans fields."""
        check(
            sum(self.mrope_section) * 2 == self.head_dim,
            "text.mrope_section",
            "must sum to head_dim / 2",
            self.mrope_section,
        )
        ratio = self.num_attention_heads % self.num_key_value_heads
        check(
            ratio == 0,
            "text.num_attention_heads",
            "must be a multiple of num_key_value_heads",
            self.num_attention_heads,
        )


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on a frozen base (LoRA, `model/low_rank.py`). Rank 0: none, all parameters are trained."""

    rank: int = 0
    alpha: float = 32.0  # the adapters' product counts alpha / rank times
    targets: tuple[str, ...] = ("text",)  # text, merger, all, or regular expressions on names of kernels
    base_dtype: Literal["float32", "bfloat16"] = "bfloat16"  # in which the frozen weights are stored

    def __post_init__(self):
        """Check what divides, and what would train nothing."""
        check(self.rank >= 0, "model.lora.rank", "must be >= 0", self.rank)
        check(self.alpha > 0, "model.lora.alpha", "must be > 0", self.alpha)
        check(bool(self.targets), "model.lora.targets", "must not be empty", self.targets)


@dataclass(frozen=True)
class ModelConfig:
    """A Qwen2.5-VL of any size."""

    vision: VisionConfig
    text: TextConfig
    dtype: Literal["float32", "bfloat16"] = "bfloat16"  # of activations; parameters are float32 in training
    # How scores are computed: all at once (short rows), in blocks (long rows on GPU and CPU), by the kernel for TPUs.
    attention: Literal["dense", "blockwise", "splash"] = "dense"
    lora: LoraConfig = LoraConfig()
