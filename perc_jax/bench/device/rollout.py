"""Prefill and decoding of a step's completions: seconds, shares of peak and bandwidth, memory beside the plan.

The run's own programs, called as the loop calls them: pictures looked at, weights published, prompts prefilled, columns
decoded to the end. No optimizer exists meanwhile.
"""

import statistics
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from perc_jax.bench import figures, machines
from perc_jax.bench.cases import TOKENIZER, draw, drawn_ids
from perc_jax.bench.device import machine, planned, top
from perc_jax.bench.device.parts import Given
from perc_jax.bench.peer_service import Clock
from perc_jax.mesh import sharding
from perc_jax.plan import flops
from perc_jax.programs.compiled import Programs
from perc_jax.programs.generation import Generation
from perc_jax.prompt import tokenizer


def run(given: Given, completions: int) -> dict[str, Any]:
    """Measure a rollout of so many completions; a multiple of the devices where these do not divide them."""
    config = given.size.rollout(completions)
    stage, best = config.stages[0], machine.of(given)
    ids = drawn_ids(tokenizer.load(TOKENIZER), config.model.text.vocab_size)
    programs = Programs(config, ids, greedy=False)
    generation = Generation(programs.blueprints.rollout(stage), programs.compile)
    look = programs.compile(programs.blueprints.encode(stage))
    params = programs.init_params()
    weights = programs.publish_for_sampling(params)
    names = np.arange(stage.prompts_per_step, dtype=np.uint32)
    prompts, names = sharding.rows_to_mesh((draw(config, stage, given.seed).batch, names), programs.mesh)
    features = jax.block_until_ready(look(params, prompts))
    pictures_s = seconds(lambda: look(params, prompts), given.repeats)
    del params  # what is measured is decoding, beside which a run has its training state: see the plan
    key, step = sharding.same_to_mesh((np.array([0, given.seed], np.uint32), np.int32(0)), programs.mesh)
    asked = (weights, prompts._replace(features=features), names, key, step)
    prefill_s = seconds(lambda: generation.prefill(*asked), given.repeats)
    decode_s = seconds(
        lambda begun: generation.finish(weights, *begun), given.repeats, lambda: (generation.prefill(*asked),)
    )
    traced = top.traced(lambda: generation(*asked), given.folder, [one.call for one in programs.table])
    columns = config.rollout.max_tokens - 1
    rows = stage.prompts_per_step * stage.group_size
    work = flops.step_work(config, stage, trains_vision=False)
    peak = best.flops * best.count
    return {
        "completions": rows,
        "prompt_tokens": config.data.max_prompt_tokens,
        "max_tokens": config.rollout.max_tokens,
        "model": config.name,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(programs.params)),
        "pictures_s": pictures_s,
        "prefill_s": prefill_s,
        "prefill_mfu": work.prefill / (pictures_s + prefill_s) / peak,
        "decode_s": decode_s,
        "column_ms": 1000 * decode_s / columns,
        "tokens_per_s": rows * columns / decode_s,
        "decode_mfu": work.decode / decode_s / peak,
        "bandwidth_use": figures.bandwidth_use(config, best, programs.mesh.shape, decode_s),
        "memory": planned.beside(programs, stage),
        "peak_bytes": machines.device_peak_bytes(),
        "compile_s": sum(one.compile_s for one in programs.table),
        "top": traced,
    }


def seconds(work: Callable[..., Any], repeats: int, before: Callable[[], tuple[Any, ...]] = tuple) -> float:
    """The median over repeats of what the work takes until it is done, warmed up once; `before` makes its arguments,
    and is not counted."""
    taken = []
    for _ in range(repeats + 1):
        arguments = jax.block_until_ready(before())
        clock = Clock()
        jax.block_until_ready(work(*arguments))
        taken.append(clock.spent()[0])
    return statistics.median(taken[1:])
