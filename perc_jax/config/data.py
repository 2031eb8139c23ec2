"""What is drawn: pictures and prompts, a stage's mixture and its curriculum."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from perc_jax.config.rules import (
    Sound,
    Violation,
    anything,
    at_least,
    distinct,
    each,
    filled,
    unless,
    within,
)


@dataclass(frozen=True)
class DataConfig:
    """Pictures, prompts and the worker processes that make them."""

    tokenizer: Annotated[str, filled]  # a SentencePiece file of the package's assets, or a Hugging Face folder
    image_px: Annotated[int, at_least(1)]  # side of the square pictures the engines draw
    max_prompt_tokens: Annotated[int, at_least(1)]  # S: the prompt bucket
    max_patches: Annotated[int, at_least(1)]  # N: the patch bucket, a multiple of the window's patches
    instruction: Annotated[str, anything]  # follows each question; says how to answer
    workers: Annotated[int, at_least(0)] = 1  # Grain worker processes; 0 draws in the main process
    prefetch: Annotated[int, at_least(1)] = 4  # batches a worker may be ahead


@dataclass(frozen=True)
class CurriculumConfig:
    """How often each cell of a mixture (a question type at a level) is drawn; see `data/curriculum.py`."""

    kind: Literal["none", "stratified"] = "none"  # none: as the mixture says; stratified: by measured difficulty
    band: Annotated[tuple[float, float], each(within(0, 1))] = (0.2, 0.8)  # pass rates of the cells drawn most
    phase_steps: Annotated[int, at_least(3)] = 10  # batches between two looks at the pass rates
    rehearsal: Annotated[float, within(0, 1)] = 0.1  # share of the draws for cells above the band
    # Share of the draws for cells below the band and for those not measured yet.
    exploration: Annotated[float, within(0, 1)] = 0.2
    # File of `perc_jax.grade` that the first phase goes by; empty: it is drawn as by none.
    grade: Annotated[str, anything] = ""

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("band"):
            yield from unless(self.band[0] <= self.band[1], "band", "must be two pass rates in order", self.band)
        if sound("rehearsal", "exploration"):
            rest = self.rehearsal + self.exploration
            yield from unless(rest < 1, "rehearsal + exploration", "must be < 1", rest)
        if sound("kind"):
            yield from unless(
                self.kind == "stratified" or not self.grade, "grade", "must be empty for none", self.grade
            )


@dataclass(frozen=True)
class MixtureConfig:
    """What a stage draws: engines by weight, then a level and a question type, each uniformly."""

    engines: Annotated[tuple[str, ...], filled, each(filled), distinct] = (
        "grid",
        "cube",
        "chart",
        "sudoku",
        "function",
        "geometry",
    )
    # Relative: shares, or counts of up to a million.
    weights: Annotated[tuple[float, ...], each(within(0, 1e6))] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    levels: Annotated[tuple[int, ...], filled, each(within(0, 9))] = (0, 1, 2)
    # As engine.type; an engine without an entry asks all of its trained types.
    types: Annotated[tuple[str, ...], each(filled)] = ()
    photo_share: Annotated[float, within(0, 1)] = 0.0  # share of the pictures that pass the photograph stage
    curriculum: CurriculumConfig = CurriculumConfig()

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("engines", "weights"):
            count = len(self.engines)
            yield from unless(len(self.weights) == count, "weights", f"must have {count} entries", self.weights)
        if sound("weights"):
            yield from unless(sum(self.weights) > 0, "weights", "must not all be 0", self.weights)
