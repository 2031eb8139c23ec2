"""The whole loop on a laptop's CPU: warm-up on gold answers, then GRPO, on all six engines.

    python -m perc_jax.train

The model is a real Qwen2.5-VL with small numbers (1.4 M parameters); pictures are 112 px wide.
"""

from perc_jax.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    MeshConfig,
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
    # What so small a model begins to see within minutes; the three slower engines are drawn less often.
    mixture = MixtureConfig(
        weights=(3.0, 3.0, 3.0, 1.0, 1.0, 1.0),
        levels=(0,),
        types=(
            "grid.grid_size",
            "cube.extreme_colour",
            "chart.extreme_sector",
            "sudoku.count_empty",
            "function.axis_crossings",
            "geometry.longest",
        ),
    )
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
            # Stopped half-way, at a constant rate: RL needs room to improve.
            StageConfig(
                name="warmup",
                kind="sft",
                steps=60,
                prompts_per_step=32,
                mixture=mixture,
                optimizer=OptimizerConfig(learning_rate=3e-3, method="muon", b2=0.98, warmup_steps=30),
            ),
            StageConfig(
                name="grpo",
                kind="grpo",
                steps=200,
                prompts_per_step=32,
                group_size=8,
                micro_batches=4,  # so that most groups without signal need not be computed
                mixture=mixture,
                optimizer=OptimizerConfig(learning_rate=2e-4, b2=0.98, warmup_steps=5, schedule="cosine"),
            ),
        ),
        mesh=MeshConfig(cpu_replicas=2),
        evaluation=EvaluationConfig(samples=(1000, 400, 400, 400), hard_levels=(1, 2)),
        checkpoint=CheckpointConfig(every=50),
    )
