"""Geometry problems from a table of the hub, with the settings of EasyR1's baseline for Qwen2.5-VL-7B.

    pip install -e '.[tables,eval]'                                       # Parquet, and equal formulas
    python -m perc_jax.inspect --config configs/geo3k_7b.py --html runs/geo3k.html
    python -m perc_jax.train --config configs/geo3k_7b.py --workdir gs://…

From github.com/hiyouga/EasyR1, `examples/config.yaml` and its Geometry3K example: 512 prompts a rollout in four updates
of 128, five completions, temperature 1, rate 1e-6, weight decay 0.01, KL in the loss (k3, 0.01), ratio bounds 0.2 and
0.3 with a dual clip of 3, token mean, tower trained too, 15 epochs, reward 0.9 accuracy + 0.1 format.

Smallest TPU slice that `perc_jax.plan` compiled it for and found to fit: v5e:4x4, with `--mesh.tensor 4`. In haste,
2026-11-30, `python -m perc_jax.plan --config configs/geo3k_7b.py --topology v5e:4x4 --mesh.tensor 4` prints
"fits: geo3k: ring 1024 to 2048 needs 14.28 of 15.75 GiB per device". Smaller slices were not compiled.

Deviations:
1. Nothing is cut by probability mass (there top_p 0.99).
2. Prompts have 1,024 tokens and pictures 2,048 patch slots at most (there 2,048 tokens); what does not fit is counted.
3. Whether two answers are equal is math-verify's question (there mathruler's); the answer is the last box behind
   whatever was thought, as there.
4. The reference is the policy at the stage's start, as there; the advantage's deviation is over the group, biased.
"""

from configs._data_engine import text_config, vision_config
from perc_jax.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    LossConfig,
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

WEIGHTS = "Qwen/Qwen2.5-VL-7B-Instruct"
ROWS, EPOCHS, PROMPTS = 2101, 15, 512


def get_config() -> Config:
    """The recipe."""
    table = TableConfig("hiyouga/geometry3k", name="geo3k", kind="math")
    test = TableConfig("hiyouga/geometry3k", name="geo3k_test", split="test", kind="math")
    stage = StageConfig(
        name="geo3k",
        kind="grpo",
        steps=ROWS * EPOCHS // PROMPTS,
        prompts_per_step=PROMPTS,
        group_size=5,
        updates_per_rollout=4,
        micro_batches=32,
        row_widths=(1280, 2560, 5120),  # of 5 x 2048
        mixture=MixtureConfig(engines=(), weights=(), tables=(table,)),
        optimizer=OptimizerConfig(learning_rate=1e-6, weight_decay=0.01),
        loss=LossConfig(clip_low=0.2, clip_high=0.3, dual_clip=3.0, kl_coef=0.01),
        reward=RewardConfig(terms=(TermConfig("accuracy", 0.9), TermConfig("format", 0.1))),
    )
    return Config(
        name="geo3k_7b",
        model=ModelConfig(
            vision=vision_config(3420),
            text=text_config(3584, 18944, 28, 28, 4, 152064, tied=False),
            attention="splash",
        ),
        pretrained=WEIGHTS,
        data=DataConfig(
            tokenizer=WEIGHTS,
            image_px=448,
            max_prompt_tokens=1024,
            max_patches=2048,
            min_pixels=262_144,
            max_pixels=4_194_304,
            instruction=(
                "Think step by step about the problem and the figure before you answer. Put the final answer, and "
                "only it, in \\boxed{}."
            ),
            answer_form="boxed",
            workers=8,
        ),
        # 2,560 completions at once would need 26 GiB a chip of v5e:4x4 for their keys and values
        rollout=RolloutConfig(max_tokens=2048, slots=64),
        stages=(stage,),
        evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=(), tables=(test,), batch=64, every=5),
        mesh=MeshConfig(tensor=2),
        checkpoint=CheckpointConfig(every=5, best="geo3k_test"),
    )
