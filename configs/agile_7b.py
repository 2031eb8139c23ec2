"""AGILE's interactive jigsaw: over several turns the model moves pieces of a picture and looks at what comes of it.

    python -m perc_jax.train --config configs/agile_7b.py --workdir gs://…

From arXiv 2510.01304 and github.com/yuzeng0-0/AGILE: 2 x 2 pieces, all shuffled; up to five turns of 2,048 tokens; cold
start on 1,672 conversations, then GRPO on 15,600 pictures, once: 64 prompts a step, eight completions, temperature 1,
rate 2e-6, KL 0, no entropy bonus; reward 0.8 accuracy + 0.2 format - 0.05 for each picture that was returned, or for
each of the five turns where the answer is wrong. 2 x 2 accuracy there: 9.5, after the cold start 22.0, after RL 82.8.

`DATA` is where the pictures lie: JSON lines with `images` (one) and `question` (any words: they are not shown), as
`TableConfig` reads them; theirs are of COCO, V*, HR-Bench and others.

`perc_jax.plan` compiled it for v5p:2x2x2: what runs a returned picture through the cache needs most, 85.2 of 95.7 GiB
per chip; a GRPO step is expected to take 10 minutes if all completions are as long as may be. No smaller one was tried.

Deviations:
1. The cold start learns conversations that the environment itself shows, three dots for thoughts; there Gemini's.
2. Code is read by a grammar and never executed, a turn may have several calls, and what is not allowed is met with
   words that say so; there it is Python's `exec`, one picture a turn, and a turn without code or answer ends it.
3. The board is one picture of at most 448 px, without margins between its pieces; there each piece is a picture.
4. Pieces have numbers, and the answer is their order; there letters with angles, of which only the letters count.
5. Well formed is a conversation whose every turn is; there one whose tags are balanced.
6. Completions have 12,288 places, pictures among them (there 20,000), and prompts 2,048 (there 8,192).
7. The tower is left as it is.
"""

from pathlib import Path

from configs._data_engine import text_config, vision_config
from perc_jax.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    EnvironmentConfig,
    EvaluationConfig,
    MeshConfig,
    MixtureConfig,
    ModelConfig,
    OptimizerConfig,
    RewardConfig,
    RolloutConfig,
    StageConfig,
    TableConfig,
    TermConfig,
)

DATA = Path("data/agile")
WEIGHTS = "Qwen/Qwen2.5-VL-7B-Instruct"
PICTURES, CONVERSATIONS, PROMPTS = 15_600, 1_672, 64


def get_config() -> Config:
    """The recipe."""
    environment = EnvironmentConfig(
        "jigsaw", turns=5, turn_tokens=2048, pictures=5, shapes=((128, 0), (384, 1024)), side=2, view_px=448
    )
    mixture = MixtureConfig(engines=(), weights=(), tables=(TableConfig(str(DATA / "train.jsonl"), kind="none"),))
    start = StageConfig(
        name="cold_start",
        kind="sft",
        steps=2 * CONVERSATIONS // PROMPTS,
        prompts_per_step=PROMPTS,
        micro_batches=16,
        mixture=mixture,
        environment=environment,
        max_tokens=64,
        optimizer=OptimizerConfig(learning_rate=1e-5, schedule="cosine", warmup_steps=5, frozen=("^vision/",)),
    )
    jigsaw = StageConfig(
        name="jigsaw",
        kind="grpo",
        steps=PICTURES // PROMPTS,
        prompts_per_step=PROMPTS,
        group_size=8,
        micro_batches=32,
        row_widths=(8192, 16_384, 32_768),  # of 8 x 12,288
        mixture=mixture,
        environment=environment,
        optimizer=OptimizerConfig(learning_rate=2e-6, frozen=("^vision/",)),
        reward=RewardConfig(
            terms=(
                TermConfig("accuracy", 0.8),
                TermConfig("format", 0.2),
                TermConfig("ending", part="steps"),
                TermConfig("ending", 0.0, part="in_place"),
            )
        ),
    )
    test = TableConfig(str(DATA / "test.jsonl"), kind="none")
    return Config(
        name="agile_7b",
        model=ModelConfig(
            vision=vision_config(3420),
            text=text_config(3584, 18944, 28, 28, 4, 152064, tied=False),
            attention="splash",
        ),
        pretrained=WEIGHTS,
        data=DataConfig(
            tokenizer=WEIGHTS,
            image_px=448,
            max_prompt_tokens=2048,
            max_patches=6144,
            buckets=((640, 1024),),
            instruction="Think in <think>...</think> at the beginning of each turn.",
            answer_form="think_answer",
            workers=8,
        ),
        rollout=RolloutConfig(max_tokens=12_288),
        stages=(start, jigsaw),
        evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=(), tables=(test,), batch=32, blind=0, every=60),
        mesh=MeshConfig(tensor=4),
        checkpoint=CheckpointConfig(every=30, best="test"),
    )
