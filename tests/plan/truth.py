"""One step of a config on one CPU device, and what it really holds: run as a program, prints JSON.

`live` is the sum of all arrays that exist at a moment; `peak` is by how much the process' resident memory had risen at
most since all programs were compiled and no array was made (the kernel's high-water mark, reset then).
"""

import ctypes
import dataclasses
import json
import sys
from pathlib import Path

import jax
import numpy as np

from configs import debug_cpu
from perc_jax.batch import TrainBatch
from perc_jax.config import Config
from perc_jax.mesh import sharding
from perc_jax.plan.forecast import stand_in_ids
from perc_jax.programs.compiled import Programs
from perc_jax.update.update import TrainState


def config() -> Config:
    """The debug recipe's GRPO stage, wide enough that the arrays outweigh a process' own noise."""
    debug = debug_cpu.get_config()
    text = dataclasses.replace(debug.model.text, hidden_size=512, intermediate_size=2048, vocab_size=8192)
    stage = dataclasses.replace(debug.stages[1], prompts_per_step=64)
    return dataclasses.replace(
        debug,
        model=dataclasses.replace(debug.model, text=text),
        stages=(stage,),
        evaluation=dataclasses.replace(debug.evaluation, batch=64),
    )


def status(field: str) -> int:
    """Bytes of a field of this process' status, such as VmRSS or VmHWM."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def live() -> int:
    """Bytes of all arrays that exist."""
    return sum(array.nbytes for array in jax.live_arrays())


def main() -> None:
    """Run a step and print what it held."""
    made = config()
    programs = Programs(made, stand_in_ids(made))
    stage = programs.stage(made.stages[0])
    found = {}
    params = programs.init_params()
    jax.block_until_ready(params)
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what compiling left behind would be used again, and hide what is used
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    empty = status("VmRSS") - live()
    step, key = sharding.same_to_mesh((np.int32(0), np.array([0, 0], np.uint32)), programs.mesh)
    state = TrainState(params, stage.init_opt_state(params), step, key)
    shapes = programs.blueprints.prompts(64)
    prompts = sharding.rows_to_mesh(jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), shapes), programs.mesh)
    rows = sharding.rows_to_mesh(np.arange(64, dtype=np.uint32), programs.mesh)
    decoding = programs.publish(params)
    rollout_programs = stage._rollout
    prefill, decode = rollout_programs.prefill, rollout_programs.decode[made.rollout.max_tokens]
    context, rollout = prefill(decoding, prompts, rows, key, step)
    found["live at decode"] = live()
    rollout, _ = decode(decoding, context, rollout)
    completions = rollout.completions()
    advantages = sharding.rows_to_mesh(np.tile(np.float32([1, -1]), (64, 4)), programs.mesh)
    batch = TrainBatch(prompts, completions.tokens, completions.mask, completions.logprobs, advantages)
    del decoding, context, rollout, completions, params
    found["live at update"] = live()
    found["peak before update"] = status("VmHWM") - empty
    plan = stage.plan(np.ones(prompts.mask.shape, bool), np.ones(batch.mask.shape, bool))
    state, _ = stage.update(state, batch, plan)
    jax.block_until_ready(state)
    found["peak at update"] = status("VmHWM") - empty
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
