"""The debug model on a mixture far wider than its ability, to see what a curriculum is worth.

Four question types that the warm-up teaches at the lowest of three levels, and fourteen that it never meets, whose
answers have forms that it does not know. Drawn as the mixture says, most groups of the GRPO stage carry no signal.

    python -m perc_jax.train --config configs/wide_cpu.py --seed 0 --workdir runs/stratified_0
    python -m perc_jax.train --config configs/wide_cpu.py --seed 0 --workdir runs/uniform_0 \\
        --stages.1.mixture.curriculum.kind none
    python -m perc_jax.report runs/uniform_? runs/stratified_? --out runs/curriculum.html

With the same seed both warm-ups are equal to the last bit, so that the GRPO stages start from one model. Of several
seeds the page shows the means, and each seed's own difference.
"""

import dataclasses

from configs import debug_cpu
from perc_jax.config import Config, CurriculumConfig, EvaluationConfig, MixtureConfig, RolloutConfig

KNOWN = ("grid.grid_size", "cube.extreme_colour", "chart.extreme_sector", "geometry.longest")
UNKNOWN = (
    "grid.locate",
    "grid.difference",
    "cube.opposite",
    "cube.profile",
    "chart.rank_order",
    "chart.ratio_bars",
    "sudoku.transcribe",
    "sudoku.pattern",
    "function.monotone",
    "function.positive",
    "function.zeros",
    "function.intersections",
    "geometry.angle_size",
    "geometry.containing",
)


def get_config() -> Config:
    """The recipe."""
    debug = debug_cpu.get_config()
    warmup, grpo = debug.stages
    wide = MixtureConfig(levels=(0, 1, 2), types=(*KNOWN, *UNKNOWN), curriculum=CurriculumConfig(kind="stratified"))
    return dataclasses.replace(
        debug,
        name="wide_cpu",
        rollout=RolloutConfig(max_tokens=16),
        stages=(warmup, dataclasses.replace(grpo, steps=120, mixture=wide)),
        evaluation=EvaluationConfig(suites=("test_a",), samples=(800,), hard_levels=(3,), every=30, blind=0),
    )
