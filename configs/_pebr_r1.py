"""PeBR-R1 at both of its sizes: learn the form, then to describe what is known, then to reason where it is not sure.

From arXiv 2509.13031 and github.com/cythu/PeBR-R1 (its configs, rewards and sampler; EasyR1's defaults below them):

| | warm-up | stage 1, perception | stage 2, reasoning |
|---|---|---|---|
| rows | Mulberry-SFT, filtered, and their own | easy: all of 8 answers right | medium: some of 8 right |
| reward | | 0.4 clip + 0.4 key words + 0.1 headings + 0.1 length | 0.9 accuracy + 0.1 headings |
| epochs | 2 | 1 | 2 |
| prompts a step, updates of it | 128 | 560, 5 | 512, 4 |
| rate | 1e-5, cosine, a tenth of it warm-up; language model only | 1e-6, constant; all | the same |

Both RL stages: 8 completions at temperature 1.2 and top-p 0.99, of 2,048 tokens at most; prompts of 2,048; pictures of
576 to 802,816 px; clip 0.2 and 0.3, dual clip 3; KL in the loss, k3, 0.01; AdamW, weight decay 0.01. The tower learns.

The rows are your tables: `sft.jsonl` (`messages` whose last turn has the headings, `images`) and `rl.jsonl` (`problem`,
`images`, `answer`, `key_words`). Which of the latter are easy is for the warmed-up model to say, so a grading stands
between two runs:

    python -m perc_jax.train --config configs/pebr_r1_7b.py --only warmup --workdir runs/warm
    python -m perc_jax.grade --model runs/warm --source data/pebr_r1/rl.jsonl --rollouts 8 --temperature 1.2 \\
        --top-p 0.99 --out data/pebr_r1/grade.jsonl
    python -m perc_jax.train --config configs/pebr_r1_7b.py --only perception,reasoning --from runs/warm

In one run instead, by the filter that their code has beside it: rows without `difficulty`, `accuracy_band=(1, 1)` in
stage 1 and `(0.01, 0.99)` in stage 2, `max_rounds=20`.

Deviations:
1. Key words, headings and descriptions are read as published (`perc_jax/rewards/README.md` says how else they can be).
   An answer is all that stands below its heading (there the rest of that line), and counts only where all headings
   stand in order.
2. The ratio is of the distribution that was drawn from, top-p included; there the trainer does not know of top-p.
3. Rewards are divided by their population standard deviation (there the sample's, 7 % more of 8), and groups whose
   rewards are all equal do not count in the loss.
4. 128 prompts in a warm-up's step (there 16 a GPU, of an unknown number).
5. Pictures whose longer side is more than three times the shorter may need more than `MOST_PATCHES` patch slots and are
   then left out and counted (there none is); `--data.max-patches 5184` holds those up to eleven times.
6. One epoch is `ROWS` rows; set it to what your tables have, as `perc_jax.inspect` counts them.
"""

from pathlib import Path

from configs._data_engine import vision_config
from perc_jax.config import (
    CheckpointConfig,
    ClipConfig,
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
    TextConfig,
)

DATA = Path("data/pebr_r1")
MOST_PATCHES = 4608  # slots, of whole windows, that any picture of 802,816 px fits whose sides are as 1 to 3 at most
ROWS = {"warmup": 32_000, "perception": 14_000, "reasoning": 12_800}  # of an epoch
SECTIONS = (
    "### Image Description:",
    "### Rationales:",
    "### Let's think step by step.",
    "### The final answer is:",
)
ASKED = (SECTIONS[0], SECTIONS[1], "### Step 1:", SECTIONS[3])  # the headings that the reward looks for
INSTRUCTION = (
    f"Answer in four parts. Below `{SECTIONS[0]}` say all that the picture shows and that matters here. "
    f"Below `{SECTIONS[1]}` say which knowledge and which of these facts are needed, and why. "
    f"Below `{SECTIONS[2]}` reason in steps with the headings `### Step 1:`, `### Step 2:` and so on. "
    f"Below `{SECTIONS[3]}` give the answer alone."
)
PERCEPTION = RewardConfig(
    terms=(
        TermConfig("clip", 0.4, section=SECTIONS[0], until=SECTIONS[1], as_published=True),
        TermConfig("keywords", 0.4, column="key_words", whole_words=False, most_listed=0),
        TermConfig("sections", 0.1, headings=ASKED, anywhere=True),
        TermConfig("length", 0.1, free=512),
        TermConfig("accuracy", 0.0),
    )
)
REASONING = RewardConfig(
    terms=(TermConfig("accuracy", 0.9), TermConfig("sections", 0.1, headings=ASKED, anywhere=True))
)


def recipe(name: str, weights: str, text: TextConfig, mesh: MeshConfig, micro_batches: tuple[int, int, int]) -> Config:
    """The run. `weights` is a Hugging Face folder or hub id, `micro_batches` what the machine's memory asks for."""
    test = TableConfig(str(DATA / "test.jsonl"))
    return Config(
        name=name,
        model=ModelConfig(vision=vision_config(3420), text=text, attention="splash"),
        pretrained=weights,
        clip=ClipConfig(),
        mesh=mesh,
        data=DataConfig(
            tokenizer=weights,
            image_px=448,
            max_prompt_tokens=2048,
            max_patches=MOST_PATCHES,
            min_pixels=576,
            max_pixels=802_816,
            instruction=INSTRUCTION,
            answer_form="sections",
            answer_sections=SECTIONS,
            workers=8,
        ),
        rollout=RolloutConfig(max_tokens=2048, slots=64, temperature=1.2, top_p=0.99),
        stages=(_warmup(micro_batches[0]), _perception(micro_batches[1]), _reasoning(micro_batches[2])),
        evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=(), tables=(test,), batch=64),
        checkpoint=CheckpointConfig(every=10),
    )


def _table(name: str, **how: str) -> MixtureConfig:
    return MixtureConfig(engines=(), weights=(), tables=(TableConfig(str(DATA / name), **how),))


def _warmup(micro_batches: int) -> StageConfig:
    steps = 2 * ROWS["warmup"] // 128
    optimizer = OptimizerConfig(
        1e-5, schedule="cosine", warmup_steps=steps // 10, weight_decay=0.01, frozen=("^vision/",)
    )
    return StageConfig("warmup", "sft", steps, 128, optimizer, mixture=_table("sft.jsonl"), micro_batches=micro_batches)


def _perception(micro_batches: int) -> StageConfig:
    """Of what is known, to see and say more of it."""
    mixture = _table("rl.jsonl", difficulty="easy", grade=str(DATA / "grade.jsonl"))
    return _rl("perception", ROWS["perception"] // 560, 560, 5, mixture, PERCEPTION, micro_batches)


def _reasoning(micro_batches: int) -> StageConfig:
    """Where some answers are right, to be right."""
    mixture = _table("rl.jsonl", difficulty="medium", grade=str(DATA / "grade.jsonl"))
    return _rl("reasoning", 2 * ROWS["reasoning"] // 512, 512, 4, mixture, REASONING, micro_batches)


def _rl(
    name: str, steps: int, prompts: int, updates: int, mixture: MixtureConfig, reward: RewardConfig, micro_batches: int
) -> StageConfig:
    """What both RL stages share."""
    return StageConfig(
        name,
        "grpo",
        steps,
        prompts,
        OptimizerConfig(1e-6, weight_decay=0.01),
        mixture=mixture,
        group_size=8,
        micro_batches=micro_batches,
        row_widths=(4096, 8192),
        updates_per_rollout=updates,
        reward=reward,
        loss=LossConfig(clip_low=0.2, clip_high=0.3, dual_clip=3.0, kl_coef=0.01),
    )
