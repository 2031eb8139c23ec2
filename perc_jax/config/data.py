"""What is drawn: pictures and prompts, a stage's mixture and its curriculum."""

from dataclasses import dataclass
from typing import Literal

from perc_jax.config.rules import check


@dataclass(frozen=True)
class DataConfig:
    """Pictures, prompts and the worker processes that make them."""

    tokenizer: str  # a SentencePiece file of the package's assets, or a Hugging Face folder
    image_px: int  # side of the square pictures the engines draw
    max_prompt_tokens: int  # S: the prompt bucket
    max_patches: int  # N: the patch bucket, a multiple of the window's patches
    instruction: str  # follows each question; says how to answer
    workers: int = 1  # Grain worker processes; 0 draws in the main process
    prefetch: int = 4  # batches a worker may be ahead


@dataclass(frozen=True)
class CurriculumConfig:
    """How often each cell of a mixture (a question type at a level) is drawn; see `data/curriculum.py`."""

    kind: Literal["none", "stratified"] = "none"  # none: as the mixture says; stratified: by measured difficulty
    band: tuple[float, float] = (0.2, 0.8)  # pass rates of the cells that are drawn most
    phase_steps: int = 10  # batches between two looks at the pass rates
    rehearsal: float = 0.1  # share of the draws for cells above the band
    exploration: float = 0.2  # share of the draws for cells below the band and for those not measured yet
    grade: str = ""  # file of `perc_jax.grade` that the first phase goes by; empty: it is drawn as by none

    def __post_init__(self):
        """Check what spans fields."""
        name, (low, high) = "mixture.curriculum", self.band
        check(0 <= low <= high <= 1, f"{name}.band", "must be two pass rates in order, within 0..1", self.band)
        check(self.phase_steps >= 3, f"{name}.phase_steps", "must be >= 3", self.phase_steps)
        check(self.rehearsal >= 0, f"{name}.rehearsal", "must be >= 0", self.rehearsal)
        check(self.exploration >= 0, f"{name}.exploration", "must be >= 0", self.exploration)
        rest = self.rehearsal + self.exploration
        check(rest < 1, f"{name}.rehearsal + exploration", "must be < 1", rest)
        check(self.kind == "stratified" or not self.grade, f"{name}.grade", "must be empty for none", self.grade)


@dataclass(frozen=True)
class MixtureConfig:
    """What a stage draws: engines by weight, then a level and a question type, each uniformly."""

    engines: tuple[str, ...] = ("grid", "cube", "chart", "sudoku", "function", "geometry")
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    levels: tuple[int, ...] = (0, 1, 2)
    types: tuple[str, ...] = ()  # as engine.type; an engine without an entry asks all of its trained types
    photo_share: float = 0.0  # share of the pictures that pass the photograph stage
    curriculum: CurriculumConfig = CurriculumConfig()

    def __post_init__(self):
        """Check what spans fields."""
        check(
            len(self.weights) == len(self.engines),
            "mixture.weights",
            f"must have {len(self.engines)} entries",
            self.weights,
        )
        check(
            all(w >= 0 for w in self.weights) and sum(self.weights) > 0,
            "mixture.weights",
            "must be >= 0, not all 0",
            self.weights,
        )
        check(
            bool(self.levels) and all(0 <= x <= 9 for x in self.levels),
            "mixture.levels",
            "must be within 0..9",
            self.levels,
        )
        check(0 <= self.photo_share <= 1, "mixture.photo_share", "must be within 0..1", self.photo_share)
