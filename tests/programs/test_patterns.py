"""Patterns of a config match parameters of its model: told together, and as the programs see them."""

from dataclasses import replace

import jax
import pytest

from configs.smoke_cpu import get_config
from perc_jax.config import Config, LoraConfig
from perc_jax.model import abstract_params
from perc_jax.programs import patterns
from perc_jax.update.optimizer import path_name, split_frozen


def config_with(*frozen: str, lora: LoraConfig = LoraConfig()) -> Config:  # noqa: B008
    config = get_config()
    stages = tuple(replace(s, optimizer=replace(s.optimizer, frozen=frozen)) for s in config.stages)
    return replace(config, stages=stages, model=replace(config.model, lora=lora))


def told(config: Config) -> list[tuple[str, object]]:
    return [(found.field, found.value) for found in patterns.violations(config)]


def test_patterns_that_match_nothing_are_named_together() -> None:
    config = config_with("^vision/", "visoin", lora=LoraConfig(rank=2, targets=("text", "head", "texts")))
    targets = [("model.lora.targets", "head"), ("model.lora.targets", "texts")]
    assert told(config) == [*targets, *[(f"stages.{i}.optimizer.frozen", "visoin") for i in range(2)]]
    with pytest.raises(
        ValueError, match=r"frozen must match a parameter \(such as .*text/layers.*\), got 'visoin'; stages.1"
    ):
        patterns.check(config_with("visoin"))


@pytest.mark.parametrize(
    ("frozen", "lora"),
    [
        (("^vision/",), LoraConfig()),
        (("^vision/", "text"), LoraConfig()),
        ((".",), LoraConfig()),
        (("lora_a",), LoraConfig(rank=2, targets=("all",))),
        (("lora_a", "lora_b"), LoraConfig(rank=2, targets=("merger",))),
        (("^text",), LoraConfig(rank=2, targets=("text",))),
        (("^vision",), LoraConfig(rank=2, targets=("text",))),
        (("^text/layers",), LoraConfig(rank=2, targets=("text",), trained=("embed",))),
        (("^text",), LoraConfig(rank=2, targets=("text",), trained=("embed",))),
    ],
)
def test_all_frozen_is_what_the_optimizer_takes_for_it(frozen: tuple[str, ...], lora: LoraConfig) -> None:
    config = config_with(*frozen, lora=lora)
    trained, _ = split_frozen(abstract_params(config.model), frozen, lora.whole)
    expected = [] if jax.tree.leaves(trained) else [(f"stages.{i}.optimizer.frozen", frozen) for i in range(2)]
    assert told(config) == expected


@pytest.mark.parametrize("lora", [LoraConfig(), LoraConfig(rank=2, targets=("(query|value)/kernel$",))])
def test_every_parameter_can_be_named(lora: LoraConfig) -> None:
    config = config_with(lora=lora)
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(abstract_params(config.model))]
    exact = tuple(f"^{path_name(path)}$" for path in paths)
    found = told(
        replace(
            config, stages=(replace(config.stages[0], optimizer=replace(config.stages[0].optimizer, frozen=exact)),)
        )
    )
    assert found == [("stages.0.optimizer.frozen", exact)]  # all match, so nothing is left
