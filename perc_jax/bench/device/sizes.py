"""What is measured at each size: configs of one GRPO stage, whose tower is frozen, with random weights.

`tiny` is the model of `configs/bench_tiny.py`, for a CPU and for tests. `3b` are the dimensions of Qwen2.5-VL-3B, `7b`
the same and 7B with LoRA. Beside torch both sides must have room, so that the peer gets 3B's widths in fewer layers.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax

from perc_jax import cli
from perc_jax.bench.cases import shaped
from perc_jax.config import TINY_CLIP, ClipConfig, Config, LoraConfig, MeshConfig
from perc_jax.mesh import sharding
from perc_jax.plan import forecast, formula, memory
from perc_jax.programs.blueprints import Blueprints

NAMES = ("tiny", "3b", "7b")
SMALLEST = NAMES[0]
WAYS = {"tpu": "splash", "gpu": "blockwise"}  # of attention, by platform; elsewhere rows are short
GROUP = 8
PEER_LAYERS = 8
MOST_ROWS = 4  # devices for which an update of the fewest prompts is cut in two


class Shape(NamedTuple):
    """Tokens of what is measured."""

    prompt: int
    completion: int


SHAPES = {"tiny": Shape(128, 32), "3b": Shape(512, 256), "7b": Shape(512, 256)}


class Size(NamedTuple):
    """The configs of a size on one machine."""

    name: str
    config: Config  # full fine-tuning of the language model
    lora: Config
    peer: Config
    clip: ClipConfig
    devices: int

    def rollout(self, completions: int) -> Config:
        """The config with so many completions to a step."""
        stage = self.config.stages[0]
        stage = dataclasses.replace(
            stage, prompts_per_step=_multiple(completions // GROUP, self.devices), micro_batches=1
        )
        return dataclasses.replace(self.config, stages=(stage,))


def of(name: str, platform: str, devices: int) -> Size:
    """A size as a machine measures it."""
    way, shape = WAYS.get(platform, "dense"), SHAPES[name]
    if name == "tiny":
        tiny = _config("bench_tiny")
        rank = LoraConfig(rank=4, base_dtype=tiny.model.dtype)
        full = _cut(tiny, way, shape, devices)
        return Size(name, full, _cut(tiny, way, shape, devices, rank), full, TINY_CLIP, devices)
    small, large = _config("data_engine_3b"), _config("data_engine_7b" if name == "7b" else "data_engine_3b")
    lora = _cut(large, way, shape, devices, LoraConfig(rank=16))
    full = _cut(small, way, shape, devices)
    return Size(name, full, lora, _cut(_shallow(small), way, shape, devices), ClipConfig(), devices)


def fitting(platform: str, memory_bytes: int, devices: int) -> str:
    """The largest size whose updates fit by formula; `memory_bytes` of one device, 0 where it does not say."""
    if platform == "cpu":
        return SMALLEST
    for name in reversed(NAMES):
        size = of(name, platform, devices)
        if max(need(size.config), need(size.lora)) <= memory_bytes:
            return name
    return SMALLEST


@functools.lru_cache(maxsize=8)
def need(config: Config) -> int:
    """Bytes of one device that an update takes by formula, with all that lives beside it."""
    blueprints = Blueprints(config, forecast.stand_in_ids(config), sharding.make_mesh(config.mesh, jax.devices()))
    stage = config.stages[0]
    update = blueprints.update(stage)
    program = update.gradients[max(update.gradients)]
    sizes, gradients = formula.sizes(program, blueprints, stage)
    return memory.split(program, sizes, memory.alive_elsewhere(program, blueprints, stage), gradients).total


def _config(name: str) -> Config:
    return cli.load_config(cli.CONFIGS / f"{name}.py")


def _cut(config: Config, way: str, shape: Shape, devices: int, lora: LoraConfig | None = None) -> Config:
    """One stage of a config in the shapes of a size, its parameters spread over all devices."""
    prompts = _multiple(GROUP, devices)
    stages = tuple(dataclasses.replace(stage, micro_batches=1) for stage in config.stages)
    model = dataclasses.replace(config.model, attention=way, lora=lora or config.model.lora)
    config = dataclasses.replace(config, model=model, mesh=MeshConfig(), stages=stages)
    config = shaped(config, shape.prompt, shape.completion, GROUP, prompts)
    stage = dataclasses.replace(config.stages[0], micro_batches=2 if devices <= MOST_ROWS else 1)
    return dataclasses.replace(config, stages=(stage,))


def _shallow(config: Config) -> Config:
    """The same widths in fewer layers of both towers."""
    model = config.model
    text = dataclasses.replace(model.text, num_hidden_layers=PEER_LAYERS)
    vision = dataclasses.replace(model.vision, depth=PEER_LAYERS, fullatt_block_indexes=(PEER_LAYERS - 1,))
    return dataclasses.replace(config, model=dataclasses.replace(model, text=text, vision=vision))


def _multiple(count: int, devices: int) -> int:
    return -(-count // devices) * devices
