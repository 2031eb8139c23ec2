"""The debug recipe cut to under a minute: every part runs, nothing is learnt. The tests use it.

`python -m perc_jax.train --config configs/smoke_cpu.py`
"""

import dataclasses

from configs import debug_cpu
from perc_jax.config import CheckpointConfig, Config, EvaluationConfig, MeshConfig


def get_config() -> Config:
    """The recipe."""
    debug = debug_cpu.get_config()
    warmup, grpo = debug.stages
    return dataclasses.replace(
        debug,
        name="smoke_cpu",
        stages=(
            dataclasses.replace(warmup, steps=6, prompts_per_step=16),
            dataclasses.replace(grpo, steps=4, prompts_per_step=8, group_size=4, micro_batches=1, row_widths=(40,)),
        ),
        mesh=MeshConfig(),  # one copy: most of the minute is compiling, which is less for one
        evaluation=EvaluationConfig(samples=(32, 16, 16, 16), hard_levels=(1, 2), batch=16, shown=4),
        checkpoint=CheckpointConfig(every=2, keep=2),
        samples_every=2,
    )
