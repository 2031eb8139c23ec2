"""Perception tokens for Qwen2.5-VL-7B: a depth map in codes before the answer, then GRPO on answers and maps.

    python -m perc_jax.teach_codes --out runs/depth_codes
    python -m perc_jax.train --config configs/aurora_7b.py --workdir gs://…

After Bigverdi et al., Perception Tokens (arXiv 2412.03548) and github.com/mahtabbigverdi/Aurora-perception: 128 codes
in 10 x 10 by a VQ-VAE of depth at 320 px; a curriculum from writing maps to answering with them, over ten epochs of
20,000 pictures with a map and 500 with two to five marked points; LLaVA-1.5-13B, LoRA of rank 128 and alpha 256 on all
linear maps but the tower's, embeddings and head trained whole, rate 2e-4, cosine, pictures of 336 px. What is added to
the vocabulary is named as there. GRPO on top of it is this project's.

`perc_jax.plan` compiled all of it for v5e:2x4, the smallest slice that was tried: scoring needs most, 14.0 of 15.8 GiB
per chip; a GRPO step is expected to take 16 s.

Deviations:
1. The pictures are drawn by the engines `depth` and `scene`, whose maps are exact; there ADE20K's with DepthAnything's.
2. Each picture is new: a question is asked once, where there 500 were gone through again and again.
3. The share of maps alone falls linearly from 1 to 0 over the stage; there it falls from epoch to epoch by a notebook
   that is not published with the code.
4. The model, and with it the projector's place: the merger is part of the tower, which is left as it is; there the
   projector learns at 2e-5.
5. Adapters have no dropout (there 0.05).
6. A map that is begun is finished while sampling (`codes.constrained`); there that is an option.
7. 128 prompts in a step (there 16 a GPU, of an unknown number).
"""

from configs._data_engine import INSTRUCTION, text_config, vision_config
from perc_jax.config import (
    AuxiliaryConfig,
    CheckpointConfig,
    CodesConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    LoraConfig,
    MeshConfig,
    MixtureConfig,
    ModelConfig,
    OptimizerConfig,
    RewardConfig,
    RolloutConfig,
    StageConfig,
    TermConfig,
)

WEIGHTS = "Qwen/Qwen2.5-VL-7B-Instruct"
PICTURES, EPOCHS, PROMPTS = 20_500, 10, 128


def get_config() -> Config:
    """The recipe."""
    mixture = MixtureConfig(engines=("depth", "scene"), weights=(3.0, 1.0), levels=(0, 1, 2, 3, 4, 5, 6))
    written = StageConfig(
        name="tokens",
        kind="sft",
        steps=PICTURES * EPOCHS // PROMPTS,
        prompts_per_step=PROMPTS,
        micro_batches=16,
        mixture=mixture,
        auxiliary=AuxiliaryConfig(before="map", alone=(1.0, 0.0)),
        max_tokens=128,
        optimizer=OptimizerConfig(2e-4, schedule="cosine", warmup_steps=48, frozen=("^vision/",)),
    )
    perception = StageConfig(
        name="perception",
        kind="grpo",
        steps=200,
        prompts_per_step=64,
        group_size=8,
        micro_batches=8,
        row_widths=(1024, 1536),
        mixture=mixture,
        reward=RewardConfig(terms=(TermConfig("accuracy"), TermConfig("map", 0.2))),
        optimizer=OptimizerConfig(1e-5, b2=0.95, frozen=("^vision/",)),
    )
    return Config(
        name="aurora_7b",
        model=ModelConfig(
            vision=vision_config(3420),
            text=text_config(3584, 18944, 28, 28, 4, 152064, tied=False),
            attention="splash",
            lora=LoraConfig(rank=128, alpha=256.0, targets=("text",), trained=("embed", "head")),
        ),
        pretrained=WEIGHTS,
        codes=CodesConfig(map="depth", folder="runs/depth_codes", constrained=True),
        data=DataConfig(
            tokenizer=WEIGHTS,
            image_px=336,
            max_prompt_tokens=512,
            max_patches=576,
            instruction=f"Write the depth map first. {INSTRUCTION}",
            workers=8,
        ),
        rollout=RolloutConfig(max_tokens=256),
        stages=(written, perception),
        evaluation=EvaluationConfig(hard_levels=(7, 8, 9), batch=64),
        mesh=MeshConfig(tensor=2),
        checkpoint=CheckpointConfig(every=50),
    )
