"""The reward's term `clip`: pictures of a step looked at, a description per completion read; random weights."""

from typing import Any

import jax
import numpy as np

from perc_jax import clip
from perc_jax.bench.device import machine
from perc_jax.bench.device.parts import Given
from perc_jax.bench.device.rollout import seconds
from perc_jax.mesh import sharding
from perc_jax.plan import flops
from perc_jax.programs.clip import ClipPrograms, clip_blueprints


def run(given: Given) -> dict[str, Any]:
    """Measure a step's scores."""
    config, stage, best = given.size.clip, given.size.rollout(64).stages[0], machine.of(given)
    mesh = sharding.make_mesh(given.size.config.mesh)
    blueprints = clip_blueprints(config, stage, mesh)
    programs = ClipPrograms(blueprints, lambda blueprint: blueprint.compile())
    layout = blueprints.pictures.arguments["clip"]

    def init(key: jax.Array) -> Any:
        made = clip.init_params(config, key)
        return jax.tree.map(lambda leaf, wanted: leaf.astype(wanted.dtype), made, layout)

    params = jax.jit(init, out_shardings=jax.tree.map(lambda leaf: leaf.sharding, layout))(jax.random.key(given.seed))
    rng, prompts, group = np.random.default_rng(given.seed), stage.prompts_per_step, stage.group_size
    pictures = rng.integers(0, 256, (prompts, config.pictures, config.image_px, config.image_px, 3), np.uint8)
    real = np.ones((prompts, config.pictures), bool)
    tokens = rng.integers(0, config.begin, (prompts, group, config.text_tokens)).astype(np.int32)
    looked = programs.look(params, pictures, real)
    look_s = seconds(lambda: programs.look(params, pictures, real).features, given.repeats)
    read_s = seconds(lambda: programs.read(params, looked, tokens, config.text_tokens), given.repeats)
    work = prompts * flops.clip_prompt(config, group, 1)
    return {
        "model": config.folder,
        "prompts": prompts,
        "completions": prompts * group,
        "tokens": config.text_tokens,
        "look_s": look_s,
        "read_s": read_s,
        "mfu": work / (look_s + read_s) / (best.flops * best.count),
    }
