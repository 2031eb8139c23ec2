"""The data-engine recipe at every published size: perception RL on the six engines' pictures, from released weights.

GRPO, strictly on-policy (one update per rollout), KL 0, temperature 1.0, eight completions per prompt; an answer counts
only as `<answer>\\boxed{...}</answer>`. Pictures are 448 px wide (1,024 patches, 256 tokens), some are photographed.
Sampling is stratified by difficulty as measured on the model itself: the first phase draws the mixture as it is, each
further one by the pass rates of the rollouts before it. To begin with a measurement instead, grade first and name its
file as `--stages.0.mixture.curriculum.grade`. Numbers that were never published (steps, rate, prompts per step, the
band of pass rates and what goes to the cells outside it) are this project's.

    python -m perc_jax.grade --model MODEL --config configs/data_engine_3b.py --levels 0,1,2,3,4,5,6 --out grade.jsonl

test_a to test_d are asked before and after by the run; DynaMath, the public benchmark that the work reports first, by

    python -m perc_jax.evaluate --model MODEL --suites dynamath --out before     # and of the workdir afterwards
    python -m perc_jax.compare before after

`data_engine_3b.py` … `data_engine_72b.py` are this recipe with the sizes of one model and a mesh for one machine.
"""

from perc_jax.config import (
    CheckpointConfig,
    Config,
    CurriculumConfig,
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

INSTRUCTION = (
    "Look closely at the picture and think step by step. Then give the final answer, and nothing else, "
    "as <answer>\\boxed{...}</answer>."
)


def vision_config(intermediate_size: int) -> VisionConfig:
    """The tower that all sizes share, but for the width of its MLP."""
    return VisionConfig(
        depth=32,
        hidden_size=1280,
        num_heads=16,
        intermediate_size=intermediate_size,
        fullatt_block_indexes=(7, 15, 23, 31),
    )


def text_config(
    hidden_size: int, intermediate_size: int, layers: int, heads: int, kv_heads: int, vocab_size: int, *, tied: bool
) -> TextConfig:
    """The language model; what is written here is equal at all sizes."""
    return TextConfig(
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=128,
        vocab_size=vocab_size,
        mrope_section=(16, 24, 24),
        tie_word_embeddings=tied,
    )


def recipe(
    name: str, weights: str, vision: VisionConfig, text: TextConfig, mesh: MeshConfig, micro_batches: int
) -> Config:
    """The run. `weights` is a Hugging Face folder or hub id, `micro_batches` what the machine's memory asks for."""
    stage = StageConfig(
        name="perception",
        kind="grpo",
        steps=500,
        prompts_per_step=64,
        group_size=8,
        micro_batches=micro_batches,
        row_widths=(512, 768, 1024, 1536, 2048, 3072, 4096, 6144),  # of 8 x 1024: answers are short at first
        mixture=MixtureConfig(
            levels=(0, 1, 2, 3, 4, 5, 6), photo_share=0.25, curriculum=CurriculumConfig(kind="stratified")
        ),
        # The tower is left as it is: gradients and moments exist for the language model only.
        optimizer=OptimizerConfig(learning_rate=1e-6, b2=0.95, weight_decay=0.01, frozen=("^vision/",)),
    )
    return Config(
        name=name,
        model=ModelConfig(vision=vision, text=text, attention="splash"),
        pretrained=weights,
        data=DataConfig(
            tokenizer=weights,
            image_px=448,
            max_prompt_tokens=1024,
            max_patches=1024,
            instruction=INSTRUCTION,
            workers=8,
        ),
        rollout=RolloutConfig(max_tokens=1024),
        stages=(stage,),
        evaluation=EvaluationConfig(hard_levels=(7, 8, 9), batch=64),
        mesh=mesh,
        checkpoint=CheckpointConfig(every=25),
    )
