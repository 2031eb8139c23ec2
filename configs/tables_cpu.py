"""The debug model trained from tables: five kinds of rows, warm-up on their answers, then GRPO.

    python -m engines.tables --out runs/tables
    python -m perc_jax.inspect --config configs/tables_cpu.py
    python -m perc_jax.train --config configs/tables_cpu.py

The tables (a number, a letter, a box, two pictures, words alone) are JSON lines as anybody could write them; `TABLES`
is where they lie. Deviations from `debug_cpu`: longer prompts, for two pictures and for words; longer answers, for
boxes.
"""

import dataclasses
from pathlib import Path

from configs import debug_cpu
from perc_jax.config import (
    CheckpointConfig,
    Config,
    EvaluationConfig,
    MixtureConfig,
    OptimizerConfig,
    RewardConfig,
    TableConfig,
    TermConfig,
)

TABLES = Path("runs/tables")
# A box is long and hard to so small a model: it is drawn less often.
WEIGHTS = {"number": 1.0, "choice": 1.0, "two": 1.0, "text": 1.0, "boxes": 0.5}


def get_config() -> Config:
    """The recipe."""
    debug = debug_cpu.get_config()
    warmup, grpo = debug.stages
    mixture = MixtureConfig(
        engines=(),
        weights=(),
        tables=tuple(TableConfig(str(TABLES / f"{name}.jsonl"), weight=weight) for name, weight in WEIGHTS.items()),
    )
    reward = RewardConfig(terms=(TermConfig("accuracy"), TermConfig("boxes", weight=0.5)))
    return dataclasses.replace(
        debug,
        name="tables_cpu",
        data=dataclasses.replace(debug.data, max_prompt_tokens=96, max_patches=128, answer_form="answer"),
        rollout=dataclasses.replace(debug.rollout, max_tokens=40),
        stages=(
            dataclasses.replace(warmup, steps=100, mixture=mixture, turns="last"),  # no row has an earlier one
            dataclasses.replace(
                grpo,
                steps=80,
                mixture=mixture,
                reward=reward,
                optimizer=OptimizerConfig(learning_rate=2e-4, b2=0.98, warmup_steps=5, schedule="cosine"),
            ),
        ),
        evaluation=EvaluationConfig(
            suites=(),
            samples=(),
            hard_levels=(),
            tables=tuple(TableConfig(str(TABLES / f"test_{name}.jsonl")) for name in WEIGHTS),
            batch=100,
        ),
        checkpoint=CheckpointConfig(every=50),
    )
