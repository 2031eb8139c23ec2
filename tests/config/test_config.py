"""The config: wrong values are refused with field, rule and value; shipped configs are right."""

import dataclasses
import json
from dataclasses import replace

import pytest

from perc_jax import cli
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
    TextConfig,
    VisionConfig,
    check,
    from_dict,
    to_dict,
    untrainable,
)

VISION = VisionConfig(
    depth=2, hidden_size=32, num_heads=2, intermediate_size=64, fullatt_block_indexes=(1,), window_size=56
)
TEXT = TextConfig(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    vocab_size=1024,
    mrope_section=(2, 3, 3),
)
SFT = StageConfig(name="warm", kind="sft", steps=2, prompts_per_step=4, optimizer=OptimizerConfig(learning_rate=1e-3))
GRPO = replace(SFT, name="rl", kind="grpo", group_size=4)
CONFIG = Config(
    name="tiny",
    model=ModelConfig(vision=VISION, text=TEXT),
    data=DataConfig(tokenizer="debug.model", image_px=112, max_prompt_tokens=64, max_patches=64, instruction="Answer."),
    rollout=RolloutConfig(max_tokens=8),
    stages=(SFT, GRPO),
)


def make(part: str, **changes: object) -> object:
    """Rebuild one part of the tiny config with a few fields changed."""
    parts = {"vision": VISION, "text": TEXT, "sft": SFT, "grpo": GRPO, "config": CONFIG}
    parts |= {"data": CONFIG.data, "rollout": CONFIG.rollout}
    plain = {
        "mixture": MixtureConfig,
        "evaluation": EvaluationConfig,
        "checkpoint": CheckpointConfig,
        "loss": LossConfig,
    }
    return replace(parts[part] if part in parts else plain[part](), **changes)


# Where a part lies in a config.
PATHS = {"sft": "stages.0", "grpo": "stages.1", "config": ""}


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("vision", {"window_size": 60}, "vision.window_size must be a multiple of 28, got 60"),
        ("vision", {"hidden_size": 36}, "vision.hidden_size must be a multiple of 4 x num_heads (8), got 36"),
        ("text", {"mrope_section": (1, 1, 1)}, "text.mrope_section must sum to head_dim / 2, got (1, 1, 1)"),
        ("text", {"num_attention_heads": 5}, "text.num_attention_heads must be a multiple of num_key_value_heads"),
        ("mixture", {"weights": (1.0,)}, "mixture.weights must have 6 entries"),
        ("mixture", {"weights": (0.0,) * 6}, "mixture.weights must not all be 0, got (0.0, 0.0, "),
        ("mixture", {"levels": ()}, "mixture.levels must not be empty, got ()"),
        ("mixture", {"levels": (10,)}, "mixture.levels must be within 0..9, got (10,)"),
        ("mixture", {"photo_share": 1.5}, "mixture.photo_share must be within 0..1, got 1.5"),
        ("config", {"samples_every": 0}, "samples_every must be >= 1, got 0"),
        ("sft", {"prompts_per_step": 0}, "stages.0.prompts_per_step must be >= 1, got 0"),
        ("sft", {"micro_batches": 0}, "stages.0.micro_batches must be >= 1, got 0"),
        ("sft", {"row_widths": (4, 4)}, "stages.0.row_widths must be ascending, got (4, 4)"),
        ("sft", {"row_widths": (0, 4)}, "stages.0.row_widths must be >= 1, got (0, 4)"),
        ("evaluation", {"samples": (0, 1, 1, 1)}, "evaluation.samples must be >= 1, got (0, 1, 1, 1)"),
        ("evaluation", {"batch": 0}, "evaluation.batch must be >= 1, got 0"),
        ("checkpoint", {"every": 0}, "checkpoint.every must be >= 1, got 0"),
        ("sft", {"steps": -1}, "stages.0.steps must be >= 0, got -1"),
        ("sft", {"micro_batches": 3}, "stages.0.prompts_per_step must be a multiple of micro_batches, got 4"),
        ("sft", {"group_size": 2}, "stages.0.group_size must be 1 for sft, got 2"),
        ("grpo", {"group_size": 0}, "stages.1.group_size must be >= 1, got 0"),
        ("loss", {"clip_low": 0.0}, "loss.clip_low must be within 1e-06..1, got 0.0"),
        ("loss", {"clip_low": 1.1}, "loss.clip_low must be within 1e-06..1, got 1.1"),
        ("loss", {"clip_high": 0.0}, "loss.clip_high must be within 1e-06..100, got 0.0"),
        ("loss", {"dual_clip": 1.0}, "loss.dual_clip must be 0 or > 1, got 1.0"),
        ("loss", {"sampler_weight_cap": 0.5}, "loss.sampler_weight_cap must be within 1..100, got 0.5"),
        ("loss", {"objective": "cispo", "dual_clip": 3.0}, "loss.dual_clip must be 0 for cispo"),
        ("loss", {"overlong_tokens": -1}, "loss.overlong_tokens must be >= 0, got -1"),
        ("rollout", {"slots": -1}, "rollout.slots must be >= 0, got -1"),
        ("rollout", {"rows": -1}, "rollout.rows must be >= 0, got -1"),
        ("rollout", {"prefill_prompts": 0}, "rollout.prefill_prompts must be >= 1, got 0"),
        ("rollout", {"short_rings": (3,)}, "rollout.short_rings must each divide the next and the last max_tokens (8)"),
        ("rollout", {"short_rings": (4, 2)}, "rollout.short_rings must each divide the next"),
        ("grpo", {"updates_per_rollout": 0}, "stages.1.updates_per_rollout must be >= 1, got 0"),
        (
            "grpo",
            {"updates_per_rollout": 4, "micro_batches": 2},
            "stages.1.prompts_per_step must be a multiple of micro_batches x updates_per_rollout, got 4",
        ),
        ("sft", {"updates_per_rollout": 2}, "stages.0.updates_per_rollout must be 1 for sft, got 2"),
        ("sft", {"loss": LossConfig(clip_high=0.3)}, "stages.0.loss must be left as it is for sft, got"),
        (
            "sft",
            {"reward": RewardConfig((TermConfig("clip"),))},
            "stages.0.reward must be left as it is for sft, got",
        ),
        ("grpo", {"turns": "last"}, "stages.1.turns must be left as it is for grpo, which learns its completions, got"),
        (
            "config",
            {"stages": (replace(GRPO, loss=LossConfig(overlong_tokens=9)),)},
            "stages.0.loss.overlong_tokens must be within rollout.max_tokens (8), got 9",
        ),
        (
            "config",
            {"stages": (replace(GRPO, row_widths=(8, GRPO.group_size * 8)),)},
            f"stages.0.row_widths must be below group_size x rollout.max_tokens ({GRPO.group_size * 8}), got (8, ",
        ),
        (
            "config",
            {
                "stages": (
                    replace(GRPO, mixture=MixtureConfig(tables=(TableConfig("a.jsonl", kind="text", tolerance=0.1),))),
                )
            },
            "stages.0.mixture.tables.0.tolerance must be 0 for answers of kind text: it is that of numbers, got 0.1",
        ),
        (
            "config",
            {
                "stages": (
                    replace(GRPO, mixture=MixtureConfig(tables=(TableConfig("a.jsonl", kind="boxes", relative=0.1),))),
                )
            },
            "stages.0.mixture.tables.0.relative must be 0 for answers of kind boxes: it is that of numbers, got 0.1",
        ),
        ("config", {"stages": (SFT, SFT)}, "stages must have different names, got ['warm', 'warm']"),
        ("config", {"data": make("data", image_px=100)}, "data.image_px must be a multiple of 28, got 100"),
        ("config", {"data": make("data", max_patches=70)}, "data.max_patches must be a multiple of 16, got 70"),
        ("config", {"evaluation": EvaluationConfig(samples=(1,))}, "evaluation.samples must have 4 entries, got (1,)"),
        (
            "config",
            {"evaluation": EvaluationConfig(hard_levels=(2,))},
            "evaluation.hard_levels must be above the trained",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_field_rule_and_value(part: str, changes: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check(make(part, **changes), PATHS.get(part, part))
    assert message in str(error.value)


def test_levels_above_all_trained_ones_are_asked_for_only_where_a_suite_is_of_them() -> None:
    highest = (replace(GRPO, mixture=replace(GRPO.mixture, levels=(8, 9))),)
    easy = EvaluationConfig(("test_a", "test_d"), (1, 1))
    assert make("config", stages=highest, evaluation=easy).evaluation == easy
    with pytest.raises(ValueError, match="hard_levels must be above the trained level 9, got"):
        make("config", stages=highest, evaluation=EvaluationConfig(("test_a", "test_c"), (1, 1)))


def test_what_an_earlier_version_stored_and_nobody_read_is_left_out() -> None:
    data = json.loads(json.dumps(to_dict(CONFIG)))
    data["stages"][0]["reward"] = {"format_weight": 0.5, "control": "none"}
    data["stages"][1]["turns"] = "last"
    assert from_dict(Config, data) == CONFIG


def test_a_config_cannot_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONFIG.seed = 1


def test_a_config_is_json_and_back() -> None:
    data = json.loads(json.dumps(to_dict(CONFIG)))
    assert data["stages"][1]["optimizer"]["learning_rate"] == 1e-3
    assert set(data) == {field.name for field in dataclasses.fields(Config)}
    assert from_dict(Config, data) == CONFIG


def test_derived_sizes_at_the_published_numbers() -> None:
    vision = replace(VISION, window_size=112)
    assert vision.window_patches == 64
    assert (vision.patch_bytes, vision.patch_values) == (588, 1176)


def test_debug_config_is_the_default() -> None:
    assert cli.parse([]) == (cli.load_config(cli.CONFIGS / "debug_cpu.py"), "runs/debug_cpu")


@pytest.mark.parametrize("path", sorted(cli.CONFIGS.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_shipped_configs_load_and_are_named_after_their_file(path) -> None:
    assert cli.load_config(path).name == path.stem


@pytest.mark.parametrize("path", sorted(cli.CONFIGS.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_shipped_configs_survive_json(path) -> None:
    config = cli.load_config(path)
    assert from_dict(Config, to_dict(config)) == config
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config


def test_groups_of_one_are_measured_but_not_trained() -> None:
    assert list(untrainable(CONFIG)) == []
    found = untrainable(replace(CONFIG, stages=(SFT, replace(GRPO, group_size=1))))
    assert [*map(str, found)] == ["stages.1.group_size must be >= 2 for grpo, got 1"]


def test_a_loss_survives_json() -> None:
    loss = LossConfig(objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4)
    config = replace(CONFIG, stages=(SFT, replace(GRPO, loss=loss, updates_per_rollout=2)))
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config


def test_a_config_with_a_field_too_many_or_too_few_is_refused() -> None:
    data = to_dict(CONFIG)
    with pytest.raises(ValueError, match="Config must have the fields of this version, got 'surprise'"):
        from_dict(Config, data | {"surprise": 1})
    with pytest.raises(ValueError, match="got 'rollout' too many or too few"):
        from_dict(Config, {name: value for name, value in data.items() if name != "rollout"})


def test_rings_are_quarters_that_hold_a_segment_unless_they_are_named():
    for given, rings in (
        ({"max_tokens": 1024}, (256, 1024)),
        ({"max_tokens": 2048}, (128, 512, 2048)),
        ({"max_tokens": 1024, "segment_tokens": 300}, (1024,)),
        ({"max_tokens": 1000}, (250, 1000)),
        ({"max_tokens": 160}, (160,)),
        ({"max_tokens": 512, "short_rings": (64,)}, (64, 512)),
    ):
        assert RolloutConfig(**given).rings == rings
