"""The model that the reward term `clip` asks, in sizes; its defaults are FG-CLIP large, PeBR-R1's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from perc_jax.config.rules import Sound, Violation, at_least, filled, or_zero, unless

HALVINGS, LEAST_LENGTH = 3, 8  # of a text's tokens: 248, 124, 62, 31
KEPT_POSITIONS = 20  # first rows of FG-CLIP's long table that are those of CLIP's own; a constant of its code


@dataclass(frozen=True)
class ClipTowerConfig:
    """One of the two towers."""

    width: Annotated[int, at_least(1)]  # of a token's vector
    hidden: Annotated[int, at_least(1)]  # width within its MLPs
    layers: Annotated[int, at_least(1)]  # blocks
    heads: Annotated[int, at_least(1)]  # of 64 each in every published model

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("width", "heads"):
            multiple = self.width % self.heads == 0
            yield from unless(multiple, "width", f"must be a multiple of heads ({self.heads})", self.width)


@dataclass(frozen=True)
class ClipConfig:
    """A CLIP or FG-CLIP of any size, where its weights are, and how it computes."""

    folder: Annotated[str, filled] = "qihoo360/fg-clip-large"  # a Hugging Face folder or hub id; or `TINY_CLIP`'s name
    vision: ClipTowerConfig = ClipTowerConfig(width=1024, hidden=4096, layers=24, heads=16)  # the pictures' tower
    text: ClipTowerConfig = ClipTowerConfig(width=768, hidden=3072, layers=12, heads=12)  # the descriptions' tower
    projection: Annotated[int, at_least(1)] = 768  # width of what both towers end in
    image_px: Annotated[int, at_least(1)] = 336  # side of a picture
    patch_px: Annotated[int, at_least(1)] = 14  # side of a patch
    vocabulary: Annotated[int, at_least(3)] = 49_408  # ids of the texts' tokenizer
    positions: Annotated[int, at_least(2)] = 77  # tokens of a short text
    # Tokens of a long text, with position tables and a projection of their own; 0: it has none, it is plain CLIP.
    long_positions: Annotated[int, or_zero(at_least(KEPT_POSITIONS + 1))] = 248
    # Of weights and activations; cosines are float32. (A TPU multiplies float32 numbers with bfloat16's digits.)
    dtype: Literal["float32", "bfloat16"] = "float32"
    pictures: Annotated[int, at_least(1)] = 1  # of a prompt that are looked at, the first; more are counted
    # Pictures or texts that a device encodes at a time: attention's scores of all at once would be gigabytes.
    at_once: Annotated[int, at_least(1)] = 16

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("image_px", "patch_px"):
            multiple = self.image_px % self.patch_px == 0
            yield from unless(multiple, "image_px", f"must be a multiple of patch_px ({self.patch_px})", self.image_px)

    @property
    def patches(self) -> int:
        """Patches of a picture."""
        return (self.image_px // self.patch_px) ** 2

    @property
    def text_tokens(self) -> int:
        """T: tokens of a text, its two marks counted, on the path that descriptions take."""
        return self.long_positions or self.positions

    @property
    def text_lengths(self) -> tuple[int, ...]:
        """Tokens of the texts that programs are made for, descending from T: all of a step's texts take the shortest
        that holds them. Attention is causal and padding stands behind a text: nothing changes but rounding."""
        halved = (-(-self.text_tokens // 2**times) for times in range(HALVINGS + 1))
        return tuple(dict.fromkeys(length for length in halved if length >= LEAST_LENGTH or length == self.text_tokens))

    @property
    def begin(self) -> int:
        """Id of the mark before every text: the last but one (49406). config.json names others, which nobody uses."""
        return self.vocabulary - 2

    @property
    def end(self) -> int:
        """Id of the mark behind every text, and of padding: the last one (49407)."""
        return self.vocabulary - 1


_TOWER = ClipTowerConfig(width=64, hidden=128, layers=2, heads=4)
# What `perc_jax.teach_clip` teaches. The name stands for the weights that the package brings, `assets/clip`.
TINY_CLIP = ClipConfig(
    folder="tiny-fg-clip",
    vision=_TOWER,
    text=_TOWER,
    projection=64,
    image_px=112,
    patch_px=14,
    vocabulary=640,
    positions=77,
)
