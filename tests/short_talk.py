"""What the whole runs in turns of the tests train: the jigsaw on a laptop, short, with a model that compiles faster.

A short warm-up would teach nothing: there is none, and coins are the reward. So nearly every turn is malformed; one
that is cut ends its conversation, one that is not is replied to.
"""

import dataclasses

from configs import jigsaw_cpu
from perc_jax.config import CheckpointConfig, Config, EvaluationConfig
from tests import short_run


def get_config() -> Config:
    """The recipe."""
    jigsaw, short = jigsaw_cpu.get_config(), short_run.get_config()
    grpo = jigsaw.stages[-1]
    stage = dataclasses.replace(
        grpo,
        steps=3,
        prompts_per_step=4,
        group_size=4,
        micro_batches=2,
        row_widths=(),
        reward=dataclasses.replace(grpo.reward, control="random"),
        optimizer=dataclasses.replace(grpo.optimizer, warmup_steps=1),
    )
    return dataclasses.replace(
        jigsaw,
        name="short_talk",
        model=short.model,
        data=dataclasses.replace(jigsaw.data, workers=0),
        stages=(stage,),
        evaluation=EvaluationConfig(suites=("test_a",), samples=(8,), hard_levels=(), batch=8, blind=0, shown=2),
        checkpoint=CheckpointConfig(every=1, keep=4),
        samples_every=1,
    )
