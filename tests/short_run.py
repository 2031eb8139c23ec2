"""What the whole runs of the tests train: the smoke recipe without short rows, and a model that compiles faster.

Six steps at so high a rate teach the form of an answer and a common one, so that some answers are right and most wrong.
"""

import dataclasses

from configs import smoke_cpu
from perc_jax.config import Config, EvaluationConfig, TextConfig, VisionConfig


def get_config() -> Config:
    """The recipe."""
    smoke = smoke_cpu.get_config()
    vision = VisionConfig(
        depth=2, hidden_size=32, num_heads=2, intermediate_size=48, fullatt_block_indexes=(1,), window_size=56
    )
    text = TextConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        vocab_size=1024,
        mrope_section=(2, 3, 3),
    )
    warmup, grpo = smoke.stages
    steep = dataclasses.replace(warmup.optimizer, learning_rate=3e-2, warmup_steps=1)
    warmup = dataclasses.replace(warmup, prompts_per_step=32, optimizer=steep)
    return dataclasses.replace(
        smoke,
        name="short_run",
        model=dataclasses.replace(smoke.model, vision=vision, text=text),
        data=dataclasses.replace(smoke.data, workers=0),  # each costs seconds of imports; one run asks for one
        stages=(warmup, dataclasses.replace(grpo, row_widths=())),
        evaluation=EvaluationConfig(samples=(16, 8, 8, 8), hard_levels=(1, 2), batch=8, shown=4),
    )
