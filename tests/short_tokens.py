"""What the whole runs with perception tokens train: the laptop's recipe, short, with a model that compiles faster.

Nobody learns to answer in so few steps. The supervised stage shows maps alone, so that some are begun afterwards; that
those are finished is the mask's doing.
"""

import dataclasses

from configs import tokens_cpu
from perc_jax.config import AuxiliaryConfig, CheckpointConfig, Config, EvaluationConfig, RewardConfig, TermConfig
from tests import short_run


def get_config() -> Config:
    """The recipe."""
    recipe, short = tokens_cpu.get_config(), short_run.get_config()
    _, tokens, grpo = recipe.stages
    few = {"steps": 3, "prompts_per_step": 4, "micro_batches": 2}
    stages = (
        dataclasses.replace(tokens, **few, auxiliary=AuxiliaryConfig("map", alone=(1.0, 1.0)), max_tokens=24),
        dataclasses.replace(
            grpo,
            **few,
            group_size=4,
            reward=RewardConfig(terms=(TermConfig("map"), TermConfig("accuracy")), control="random"),
        ),
    )
    slow = tuple(
        dataclasses.replace(stage, optimizer=dataclasses.replace(stage.optimizer, warmup_steps=1)) for stage in stages
    )
    text = dataclasses.replace(short.model.text, vocab_size=recipe.model.text.vocab_size)
    return dataclasses.replace(
        recipe,
        name="short_tokens",
        model=dataclasses.replace(short.model, text=text),
        data=dataclasses.replace(recipe.data, workers=0),
        stages=slow,
        evaluation=EvaluationConfig(suites=("test_a",), samples=(8,), hard_levels=(), batch=8, blind=0, shown=2),
        checkpoint=CheckpointConfig(every=1, keep=8),
        samples_every=1,
    )
