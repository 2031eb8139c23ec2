"""Public benchmarks: loaders, prompts and scorers, each with its protocols by name; what all of them give is in `base`.

Problems and texts in, verdicts out. No model, no prompt's layout: who is asked, and how, is not known here.
"""

from perc_jax.benchmarks.ai2d import AI2D
from perc_jax.benchmarks.base import Benchmark, Item, Problem, Scored
from perc_jax.benchmarks.blindtest import BlindTest
from perc_jax.benchmarks.blink import Blink
from perc_jax.benchmarks.chartqa import ChartQA
from perc_jax.benchmarks.cv_bench import CVBench
from perc_jax.benchmarks.dynamath import DynaMath
from perc_jax.benchmarks.files import Image
from perc_jax.benchmarks.hallusionbench import HallusionBench
from perc_jax.benchmarks.logicvista import LogicVista
from perc_jax.benchmarks.mathverse import MathVerse
from perc_jax.benchmarks.mathvision import MathVision
from perc_jax.benchmarks.mathvista import MathVista
from perc_jax.benchmarks.mmmu import MMMU
from perc_jax.benchmarks.mmstar import MMStar
from perc_jax.benchmarks.visonlyqa import VisOnlyQA
from perc_jax.benchmarks.visulogic import VisuLogic
from perc_jax.benchmarks.vstar import VStar
from perc_jax.benchmarks.wemath import WeMath

__all__ = ["BENCHMARKS", "Benchmark", "Image", "Item", "Problem", "Scored", "get"]

_ALL: tuple[Benchmark, ...] = (
    DynaMath(),
    MathVista(),
    MathVerse(),
    MathVision(),
    MMMU(),
    MMStar(),
    HallusionBench(),
    ChartQA(),
    AI2D(),
    LogicVista(),
    WeMath(),
    VisuLogic(),
    Blink(),
    CVBench(),
    VisOnlyQA(),
    BlindTest(),
    VStar(),
)
BENCHMARKS = {benchmark.name: benchmark for benchmark in _ALL}


def get(name: str) -> Benchmark:
    """Give a benchmark by its name. Raises `ValueError` for one that is not known."""
    if name not in BENCHMARKS:
        raise ValueError(f"benchmark must be one of {', '.join(BENCHMARKS)}, got {name!r}")
    return BENCHMARKS[name]
