"""Whole steps: a rollout and the update on it, by full fine-tuning of the language model or with adapters (LoRA)."""

from typing import Any

import jax

from perc_jax.bench import figures, machines
from perc_jax.bench.cases import TOKENIZER, draw, drawn_ids
from perc_jax.bench.device import machine, planned, top
from perc_jax.bench.device.parts import Given
from perc_jax.bench.figures import Times
from perc_jax.bench.ours import Ours
from perc_jax.bench.peer_service import Spent
from perc_jax.prompt import tokenizer

PARTS = ("rollout", "update", "step")


def run(given: Given, how: str) -> dict[str, Any]:
    """Measure steps of a config of the size: `full` or `lora`."""
    config = given.size.lora if how == "lora" else given.size.config
    stage, best = config.stages[0], machine.of(given)
    ids = drawn_ids(tokenizer.load(TOKENIZER), config.model.text.vocab_size)
    ours = Ours(config, ids, draw(config, stage, given.seed).batch, given.seed)
    ours.step()  # warms up
    before = ours.compiles.count
    spent: dict[str, list[Spent]] = {part: [] for part in PARTS}
    for _ in range(given.repeats):
        for part, one in ours.step().items():
            spent[part].append(one)
    recompiles = ours.compiles.count - before
    sampled, _ = ours.rollout()
    traced = top.traced(lambda: ours.update(sampled), given.folder, [one.call for one in ours.programs.table])
    ours.compiles.close()
    tokens = int(sampled.on_host.mask.sum())
    found = figures.parts(config, best, Times(spent, {}, []), trains_vision=False, tokens=tokens)
    return {
        "model": config.name,
        "lora_rank": config.model.lora.rank,
        "completions": stage.prompts_per_step * stage.group_size,
        "prompt_tokens": config.data.max_prompt_tokens,
        "max_tokens": config.rollout.max_tokens,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(ours.programs.params)),
        **{f"{part}_s": found[part]["seconds"] for part in PARTS},
        "tokens_per_s": found["step"]["tokens_per_s"],
        "update_mfu": found["update"]["mfu"],
        "update_useful_mfu": found["update"]["useful_mfu"],
        "memory": planned.beside(ours.programs, stage),
        "peak_bytes": machines.device_peak_bytes(),
        "recompiles": recompiles,
        "compile_s": sum(one.compile_s for one in ours.programs.table),
        "top": traced,
    }
