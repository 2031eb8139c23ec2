"""The smallest model that `perc_jax.bench` measures: the debug recipe's, on longer prompts and completions.

`python -m perc_jax.bench step --size tiny`
"""

import dataclasses

from configs import debug_cpu
from perc_jax.config import (
    Config,
    DataConfig,
    EvaluationConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    RolloutConfig,
)


def get_config() -> Config:
    """The measured case."""
    debug = debug_cpu.get_config()
    return measured("bench_tiny", debug.model, debug)


def measured(name: str, model: ModelConfig, like: Config, micro_batches: int = 1) -> Config:
    """One GRPO stage of the recipes' kind, the vision tower frozen, with nothing but what is measured around it."""
    stage = dataclasses.replace(
        like.stages[-1],
        prompts_per_step=4,
        group_size=8,
        micro_batches=micro_batches,
        remat="dots",  # what is cheap to make again costs more to store
        optimizer=OptimizerConfig(learning_rate=1e-6, b2=0.95, weight_decay=0.01, frozen=("^vision/",)),
    )
    return dataclasses.replace(
        like,
        name=name,
        model=model,
        data=DataConfig(
            tokenizer="debug.model", image_px=224, max_prompt_tokens=256, max_patches=256, instruction="", workers=0
        ),
        rollout=RolloutConfig(max_tokens=64),
        stages=(stage,),
        mesh=MeshConfig(),  # one copy, as the figures beside peers were measured; `--mesh.cpu_replicas 2` has two
        evaluation=EvaluationConfig(suites=(), samples=(), batch=1),
    )
