"""PeBR-R1's pipeline on a laptop: warm-up, grading, two stages of RL, with a tiny FG-CLIP in the published place.

    python -m engines.tables --out runs/tables --tables described --rows 8000 --test-rows 1000
    python -m perc_jax.train --config configs/pebr_cpu.py --only warmup --workdir runs/warm
    python -m perc_jax.grade --model runs/warm --source runs/tables/described.jsonl --limit 1500 --rollouts 4 \\
        --temperature 1.0 --top-p 0.99 --out runs/tables/grade.jsonl
    python -m perc_jax.train --config configs/pebr_cpu.py --only perception,reasoning --from runs/warm

The rows are small grids; a response describes the picture in words, reasons in a step and answers (`engines.tables`,
described). The warm-up learns whole responses. Perception then learns from rows whose answers are always right, by what
it says of the picture; reasoning from those that are sometimes right, by the answer. The reward of perception is the
published one, asked of the FG-CLIP that `perc_jax.teach_clip` made of such pictures and their words, but that answers
and facts are measured beside it. After each stage the test table says both; `perc_jax.compare` pairs two files of
`eval/`. The recipe that this is cut from, and its sources: `_pebr_r1.py`; the same with exact facts as the reward:
`pebr_facts_cpu.py`. Deviations, because the model is small and its steps are large: temperature 1.0 (1.2), KL
coefficient 0.05 (0.01), one update of a rollout (5 and 4), all weights in the warm-up, 4 answers to a graded row (8).
"""

import dataclasses

from configs import debug_cpu
from configs._pebr_r1 import SECTIONS
from perc_jax.config import (
    TINY_CLIP,
    CheckpointConfig,
    ClipConfig,
    Config,
    EvaluationConfig,
    LossConfig,
    MixtureConfig,
    OptimizerConfig,
    RewardConfig,
    StageConfig,
    TableConfig,
    TermConfig,
)

TABLE, TEST, GRADE = (f"runs/tables/{name}.jsonl" for name in ("described", "test_described", "grade"))
MEASURED = (TermConfig("accuracy", 0.0), TermConfig("facts", 0.0, section=SECTIONS[0]))
FORM = TermConfig("sections", 0.1, headings=SECTIONS)
LENGTH = TermConfig("length", 0.1, free=160)
PUBLISHED = (
    TermConfig("clip", 0.4, section=SECTIONS[0], until=SECTIONS[1], as_published=True),
    TermConfig("keywords", 0.4, column="key_words", whole_words=False, most_listed=0),
)
REASONING = RewardConfig(terms=(TermConfig("accuracy", 0.9), FORM, MEASURED[1]))


def get_config() -> Config:
    """The recipe."""
    return recipe("pebr_cpu", RewardConfig(terms=(*PUBLISHED, FORM, LENGTH, *MEASURED)), TINY_CLIP)


def recipe(name: str, perception: RewardConfig, clip: ClipConfig, reasoning: RewardConfig = REASONING) -> Config:
    """The pipeline with a reward of the stage of perception."""
    debug = debug_cpu.get_config()
    return dataclasses.replace(
        debug,
        name=name,
        clip=clip,
        model=dataclasses.replace(debug.model, attention="blockwise"),  # rows of 8 answers: most pairs see nothing
        data=dataclasses.replace(debug.data, answer_form="sections", answer_sections=SECTIONS),
        rollout=dataclasses.replace(debug.rollout, max_tokens=160, temperature=1.0, top_p=0.99),
        stages=(
            StageConfig(
                "warmup",
                "sft",
                250,
                32,
                OptimizerConfig(3e-3, method="muon", b2=0.98, warmup_steps=30),
                mixture=_rows(),
                micro_batches=2,
            ),
            _rl("perception", 50, perception, "easy"),
            _rl("reasoning", 80, reasoning, "medium"),
        ),
        evaluation=EvaluationConfig(
            suites=(),
            samples=(),
            hard_levels=(),
            tables=(TableConfig(TEST, "test"),),
            batch=64,
            blind=0,
        ),
        checkpoint=CheckpointConfig(every=50),
    )


def _rows(**how: str) -> MixtureConfig:
    return MixtureConfig(engines=(), weights=(), tables=(TableConfig(TABLE, **how),))


def _rl(name: str, steps: int, reward: RewardConfig, difficulty: str) -> StageConfig:
    """What both RL stages share."""
    return StageConfig(
        name,
        "grpo",
        steps,
        16,
        OptimizerConfig(3e-4, b2=0.98, warmup_steps=5, schedule="cosine"),
        mixture=_rows(difficulty=difficulty, grade=GRADE),
        group_size=8,
        micro_batches=4,
        reward=reward,
        loss=LossConfig(clip_high=0.3, dual_clip=3.0, kl_coef=0.05),
    )
