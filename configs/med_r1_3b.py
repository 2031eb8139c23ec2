"""Medical multiple choice from tables: Med-R1 in its three answer forms; its paper found the one without thoughts best.

    python -m perc_jax.train --config configs/med_r1_3b.py --workdir gs://… [--data.answer_form think_answer]

From arXiv 2503.13939 and github.com/Yuxiang-Lai117/Med-R1: OmniMedVQA, eight modalities, five kinds of questions;
reward accuracy + format, four completions, pictures of 401,408 px at most, prompts of 1,024 tokens, one epoch; rate and
KL as the trainer's defaults there. The answer forms are `answer` (No-Thinking, here), `think_answer` (Thinking) and
`answer_think` (Think-After); `INSTRUCTIONS` has what each asks for, and `answer_form` on the command line needs its
instruction beside it.

`DATA` is where the tables lie: JSON lines with `image`, `problem` (the question with its options) and `solution` (the
letter), as that project's splits have them; `python -m perc_jax.inspect --config configs/med_r1_3b.py` says what is
wrong with yours.

Smallest TPU slice that `perc_jax.plan` compiled it for and found to fit: v5e:2x4, 14.2 of 15.8 GiB a chip (scoring;
the update 10.6), 2026-11-29, in haste: `python -m perc_jax.plan --config configs/med_r1_3b.py --topology v5e:2x4`.

Deviations:
1. A letter and an option's text both count, unless they disagree (there the text between the tags as it is, or
   math-verify's opinion of it): `perc_jax/rewards/README.md`.
2. 64 prompts a step (there one or two per device, accumulated); the rate is 1e-6.
3. The tower is left as it is.
"""

from pathlib import Path

from configs._data_engine import text_config, vision_config
from perc_jax.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    LossConfig,
    MixtureConfig,
    ModelConfig,
    OptimizerConfig,
    RewardConfig,
    RolloutConfig,
    StageConfig,
    TableConfig,
    TermConfig,
)

DATA = Path("data/omnimedvqa")
WEIGHTS = "Qwen/Qwen2.5-VL-3B-Instruct"
INSTRUCTIONS = {
    "answer": "Give the letter of the right option, and nothing else, as <answer>...</answer>.",
    "think_answer": (
        "First think about the picture and the options in <think>...</think>, then give the letter of the right option "
        "in <answer>...</answer>."
    ),
    "answer_think": (
        "First give the letter of the right option in <answer>...</answer>, then say why in <think>...</think>."
    ),
}


def get_config() -> Config:
    """The recipe."""
    stage = StageConfig(
        name="choice",
        kind="grpo",
        steps=250,
        prompts_per_step=64,
        group_size=4,
        micro_batches=8,
        row_widths=(128, 512, 1024),  # of 4 x 512: a letter is short
        mixture=MixtureConfig(engines=(), weights=(), tables=(TableConfig(str(DATA / "train.jsonl"), kind="choice"),)),
        optimizer=OptimizerConfig(learning_rate=1e-6, frozen=("^vision/",)),
        loss=LossConfig(kl_coef=0.04),
        reward=RewardConfig(terms=(TermConfig("accuracy"), TermConfig("format"))),
    )
    test = TableConfig(str(DATA / "test.jsonl"), kind="choice")
    return Config(
        name="med_r1_3b",
        model=ModelConfig(
            vision=vision_config(3420),
            text=text_config(2048, 11008, 36, 16, 2, 151936, tied=True),
            attention="splash",
        ),
        pretrained=WEIGHTS,
        data=DataConfig(
            tokenizer=WEIGHTS,
            image_px=448,
            max_prompt_tokens=1024,
            max_patches=3072,
            max_pixels=401_408,
            instruction=INSTRUCTIONS["answer"],
            answer_form="answer",
            workers=8,
        ),
        rollout=RolloutConfig(max_tokens=512),
        stages=(stage,),
        evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=(), tables=(test,), batch=64, every=50),
        checkpoint=CheckpointConfig(every=25, best="test"),
    )
