"""Perception tokens: words that are added to the vocabulary, and the codebook with which a map is written in them.

After Bigverdi et al., Perception Tokens (arXiv 2412.03548), whose sizes are the defaults: a map of 320 px becomes
10 x 10 of 128 codes, written `<DEPTH_START><DEPTH_17>…<DEPTH_END>`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from perc_jax.config.rules import Sound, Violation, anything, at_least, distinct, each, filled, unless, within

MOST_SIDE = 64  # codes along an edge of a map
MOST_PATCH_PX = 4


@dataclass(frozen=True)
class CodebookConfig:
    """A VQ-VAE of maps (van den Oord et al., arXiv 1711.00937), in sizes."""

    side: Annotated[int, within(1, MOST_SIDE)] = 10  # codes along an edge of a map
    codes: Annotated[int, within(2, 65_536)] = 128  # how many words there are for a place
    width: Annotated[int, at_least(1)] = 512  # of a code's vector
    map_px: Annotated[int, at_least(1)] = 320  # side of the maps; side x a power of two
    channels: Annotated[int, at_least(1)] = 64  # of the convolutions
    commitment: Annotated[float, within(0, 100)] = 0.25  # weight of the encoder's distance from its codes

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("side", "map_px"):
            times, rest = divmod(self.map_px, self.side)
            is_power = not rest and times & (times - 1) == 0
            rule = f"must be side ({self.side}) x a power of two"
            yield from unless(is_power, "map_px", rule, self.map_px)

    @property
    def length(self) -> int:
        """Codes of a map."""
        return self.side**2

    @property
    def patch_px(self) -> int:
        """Side of the squares of pixels that the first convolution takes whole: 4, or less where a code has less."""
        return min(MOST_PATCH_PX, self.map_px // self.side)

    @property
    def halvings(self) -> int:
        """Further convolutions up to the grid of codes, each of half the side."""
        return (self.map_px // self.side // self.patch_px).bit_length() - 1


@dataclass(frozen=True)
class CodesConfig:
    """What is added to a model's vocabulary, and how it may be used."""

    # Which of the maps that engines know is written in codes; none: no codes are added.
    map: Literal["none", "depth", "segments", "occupancy"] = "none"
    codebook: CodebookConfig = CodebookConfig()  # its sizes
    # What `perc_jax.teach_codes` wrote, of these sizes; or an asset of the package.
    folder: Annotated[str, anything] = ""
    # Parts of a picture's side, each with a token <PIXEL_0>, <PIXEL_1>, … for places in pictures; 0: none are added.
    places: Annotated[int, within(0, 10_000)] = 0
    # Whether a map that is begun is finished: between its marks only codes are sampled, exactly as many as it has.
    constrained: bool = False

    @property
    def has_map(self) -> bool:
        """Whether a map's codes are added."""
        return self.map != "none"

    @property
    def start(self) -> str:
        """The mark before a map's codes."""
        return f"<{self.map.upper()}_START>"

    @property
    def end(self) -> str:
        """The mark behind them."""
        return f"<{self.map.upper()}_END>"

    @property
    def tokens(self) -> tuple[str, ...]:
        """What is added, in the order of its ids: mark, codes, mark; then places."""
        codes = tuple(f"<{self.map.upper()}_{number}>" for number in range(self.codebook.codes))
        return (self.start, *codes, self.end) * self.has_map + tuple(f"<PIXEL_{x}>" for x in range(self.places))

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("map", "folder"):
            rule = "must name a codebook's folder for a map" if self.has_map else "must be empty without a map"
            yield from unless(bool(self.folder) == self.has_map, "folder", rule, self.folder)
        if sound("map", "constrained"):
            rule = "must be False without a map"
            yield from unless(self.has_map or not self.constrained, "constrained", rule, self.constrained)


@dataclass(frozen=True)
class AuxiliaryConfig:
    """What a stage's supervised answers are preceded by, and how often it is asked for alone; of engines' questions."""

    before: Literal["none", "map", "boxes"] = "none"  # map: in codes. boxes: of what the question may mean, in places
    # Question types (engine.type) whose answers boxes precede where a map precedes those of the others, as Perception
    # Tokens has boxes for counting.
    boxed: Annotated[tuple[str, ...], each(filled), distinct] = ()
    # Share of the rows that ask for it alone, at the stage's first and last step; linear in between. Perception Tokens
    # anneals from all to none.
    alone: Annotated[tuple[float, float], each(within(0, 1))] = (0.0, 0.0)
    shuffled: bool = False  # True: that of another scene, the control arm of an experiment

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("before", "alone", "shuffled") and self.before == "none":
            yield from unless(self.alone == (0, 0), "alone", "must be left as it is for none", self.alone)
            yield from unless(not self.shuffled, "shuffled", "must be False for none", self.shuffled)
        if sound("before", "boxed") and self.before != "map":
            yield from unless(not self.boxed, "boxed", f"must be empty for {self.before}", self.boxed)

    def of(self, question_type: str) -> Literal["none", "map", "boxes"]:
        """What stands before the answers of a question type, engine.type."""
        return "boxes" if question_type in self.boxed else self.before
