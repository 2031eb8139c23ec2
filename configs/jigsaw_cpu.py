"""Several turns on a laptop's CPU: AGILE's jigsaw with the debug model, warm-up on shown solutions, then GRPO.

    python -m perc_jax.train --config configs/jigsaw_cpu.py

Pictures of bars are cut into 2 x 2 pieces and shuffled. The model swaps pieces in `<code>`, sees the board again, and
answers with the pieces' order. Reward: the accuracy of the order and the share of pieces in place. What of it
is measured stands in `configs/README.md`. Deviations from `debug_cpu`: longer prompts, for what the environment says
and for whole conversations in the warm-up.
"""

import dataclasses

from configs import debug_cpu
from perc_jax.config import (
    CheckpointConfig,
    Config,
    EnvironmentConfig,
    EvaluationConfig,
    MixtureConfig,
    OptimizerConfig,
    RewardConfig,
    TermConfig,
)

SHAPES = ((64, 0), (72, 64))  # words alone, words with a picture of 112 px


def get_config() -> Config:
    """The recipe."""
    debug = debug_cpu.get_config()
    warmup, grpo = debug.stages
    # Their axes say where a piece belongs: what so small a model can learn to see within minutes.
    mixture = MixtureConfig(engines=("chart",), weights=(1.0,), levels=(0,), types=("chart.read_bar",))
    environment = EnvironmentConfig(
        "jigsaw",
        turns=3,
        turn_tokens=64,
        pictures=2,
        shapes=SHAPES,
        side=2,
        explains=False,  # what may be called would be 150 of the debug tokenizer's tokens
        view_px=debug.data.image_px,
    )
    return dataclasses.replace(
        debug,
        name="jigsaw_cpu",
        model=dataclasses.replace(debug.model, attention="blockwise"),  # most pairs of a group's row see nothing
        data=dataclasses.replace(
            debug.data, max_prompt_tokens=160, max_patches=128, buckets=((80, 64),), answer_form="answer"
        ),
        rollout=dataclasses.replace(debug.rollout, max_tokens=160),
        stages=(
            dataclasses.replace(
                warmup,
                steps=200,
                mixture=mixture,
                environment=dataclasses.replace(environment, turns=2),  # all swaps at once: short conversations
            ),
            dataclasses.replace(
                grpo,
                steps=200,
                prompts_per_step=16,
                micro_batches=2,
                row_widths=(768, 1024),  # of 8 x 160
                mixture=mixture,
                environment=environment,
                reward=RewardConfig(terms=(TermConfig("accuracy"), TermConfig("ending", 0.2, part="in_place"))),
                optimizer=OptimizerConfig(learning_rate=1e-4, b2=0.98, warmup_steps=5, schedule="cosine"),
            ),
        ),
        evaluation=EvaluationConfig(suites=("test_a",), samples=(1000,), hard_levels=(), batch=100, blind=0),
        checkpoint=CheckpointConfig(every=20),
    )
