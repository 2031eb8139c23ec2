"""Perception tokens on a laptop's CPU: a depth map in codes, or boxes, before the answer.

    python -m perc_jax.train --config configs/tokens_cpu.py

Pictures show things on a floor; asked is which stands nearest or farthest, and how many there are. A warm-up teaches
the debug model to answer, as far as that goes in minutes. The second stage begins with maps alone, or with boxes where
things are counted, and ends with answers that they precede; the third is GRPO for the answer. Codes are those of the
package's `codes_tiny`: 4 x 4 of 32. The experiment's arms go on from the same warm-up:

    python -m perc_jax.train --config configs/tokens_cpu.py --only warmup --workdir runs/warm
    python -m perc_jax.train --config configs/tokens_cpu.py --only tokens,grpo --from runs/warm --workdir runs/with
        --stages.1.auxiliary.shuffled True                      maps and boxes of other scenes
        --stages.1.auxiliary.before none --stages.1.auxiliary.boxed --stages.1.auxiliary.alone 0 0       answers alone

What came of it stands in `configs/README.md`; the recipe that this is cut from, and its sources: `aurora_7b.py`.
"""

import dataclasses

from configs import debug_cpu
from perc_jax.config import (
    AuxiliaryConfig,
    CodebookConfig,
    CodesConfig,
    Config,
    EvaluationConfig,
    MixtureConfig,
    OptimizerConfig,
    RewardConfig,
    TermConfig,
)

TYPES = ("depth.nearest_thing", "depth.farthest_thing", "depth.count_things")
BOOK = CodebookConfig(side=4, codes=32, width=16, map_px=64, channels=32)


def get_config() -> Config:
    """The recipe."""
    debug = debug_cpu.get_config()
    warmup, grpo = debug.stages
    mixture = MixtureConfig(engines=("depth",), weights=(1.0,), levels=(0, 1, 2), types=TYPES)
    return dataclasses.replace(
        debug,
        name="tokens_cpu",
        model=dataclasses.replace(debug.model, text=dataclasses.replace(debug.model.text, vocab_size=1152)),
        codes=CodesConfig(map="depth", codebook=BOOK, folder="codes_tiny", places=28, constrained=True),
        rollout=dataclasses.replace(debug.rollout, max_tokens=64),
        stages=(
            dataclasses.replace(warmup, steps=200, mixture=mixture, max_tokens=16),
            dataclasses.replace(
                warmup,
                name="tokens",
                steps=300,
                mixture=mixture,
                auxiliary=AuxiliaryConfig(before="map", boxed=("depth.count_things",), alone=(1.0, 0.0)),
            ),
            dataclasses.replace(
                grpo,
                steps=40,
                prompts_per_step=16,
                micro_batches=2,
                mixture=mixture,
                optimizer=OptimizerConfig(1e-4, b2=0.98, warmup_steps=5, schedule="cosine"),
                reward=RewardConfig(terms=(TermConfig("accuracy"), TermConfig("map", 0.0))),
            ),
        ),
        evaluation=EvaluationConfig(suites=("test_a", "test_d"), samples=(1000, 400), hard_levels=(3,), blind=0),
    )
