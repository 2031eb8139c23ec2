"""The whole loop on a laptop's CPU: warm-up on gold answers, then GRPO, on all six engines.

    python -m perc_jax.train

The model is a real Qwen2.5-VL with small numbers (1.4 M parameters); pictures are 112 px wide.
"""

from perc_jax.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    MixtureConfig,
    ModelConfig,
    OptimizerConfig,
    RolloutConfig,
    StageConfig,
    TextConfig,
    VisionConfig,
)


def get_config() -> Config:
    """The recipe."""
    vision = VisionConfig(
        depth=4, hidden_size=96, num_heads=4, intermediate_size=192, fullatt_block_indexes=(1, 3), window_size=56
    )
    text = TextConfig(
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        vocab_size=1024,
        mrope_section=(4, 6, 6),
    )
    mixture = MixtureConfig(levels=(0, 1, 2))
    return Config(
        name="debug_cpu",
        model=ModelConfig(vision=vision, text=text, dtype="float32"),
        data=DataConfig(
            tokenizer="debug.model",
            image_px=112,
            max_prompt_tokens=64,
            max_patches=64,
            instruction="",
        ),
        rollout=RolloutConfig(max_tokens=12),
        stages=(
            StageConfig(
                name="warmup",
                kind="sft",
                steps=600,
                prompts_per_step=64,
                mixture=mixture,
                optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=30, schedule="cosine"),
            ),
            StageConfig(
                name="grpo",
                kind="grpo",
                steps=120,
                prompts_per_step=32,
                group_size=8,
                mixture=mixture,
                optimizer=OptimizerConfig(learning_rate=5e-5, warmup_steps=5),
            ),
        ),
        evaluation=EvaluationConfig(hard_levels=(3, 4)),
        checkpoint=CheckpointConfig(every=50),
    )
