"""What a stage draws and what the suites ask, in lines for people; nothing is drawn."""

from collections.abc import Iterator

import engines
from perc_jax.config import Config, StageConfig
from perc_jax.data import table_prompts
from perc_jax.data.curriculum import types_of
from perc_jax.data.listed import of_mixture


def stage(config: Config, one: StageConfig) -> Iterator[str]:
    """How many prompts a stage asks for, and from what: engines by share, their question types, levels; tables."""
    prompts, rounds = one.steps * one.prompts_per_step, ""
    if one.max_rounds > 1:
        rounds = f", up to {one.max_rounds * prompts:,} in {one.max_rounds} rounds"
    answers = f" x {one.group_size} answers" if one.kind == "grpo" else ""
    yield f"{one.steps:,} steps x {one.prompts_per_step:,} prompts{answers}: {prompts:,} prompts in all{rounds}"
    if config.data.buckets:
        shapes = ", ".join(f"{tokens} tokens x {patches} patch slots" for tokens, patches in config.data.shapes)
        yield f"prompts in buckets of {shapes}"
    mixture = one.mixture
    whole = sum(mixture.weights) + sum(table.weight for table in mixture.tables)
    if mixture.engines:
        levels = ", ".join(map(str, mixture.levels))
        curriculum = "" if mixture.curriculum.kind == "none" else f", {mixture.curriculum.kind} curriculum"
        photos = f", {mixture.photo_share:.0%} photographed" if mixture.photo_share else ""
        yield f"levels {levels}{photos}{curriculum}"
    listed = mixture.difficulty != "all"
    if listed:
        questions = len(of_mixture(mixture, config.data.image_px).names)
        share = sum(mixture.weights) / whole
        times = f"{prompts * share / questions:.1f} times"
        yield f"engines {share:.1%}: {questions:,} {mixture.difficulty} questions of {mixture.grade}, {times}"
    for engine, weight in zip(mixture.engines, mixture.weights, strict=True):
        if weight > 0 and not listed:
            asked = types_of(engine, mixture.types) or _trained_types(engine, mixture.levels, config.data.image_px)
            yield f"{engine} {weight / whole:.1%}: {', '.join(asked)}"
    for table in mixture.tables:
        rows = len(table_prompts.opened(table))
        epochs = prompts * table.weight / whole / rows
        yield f"{table.label} {table.weight / whole:.1%}: {rows:,} rows of {table.path}, {epochs:.1f} times"


def suites(config: Config) -> Iterator[str]:
    """How many questions each suite asks, and when."""
    evaluation = config.evaluation
    asked = dict(zip(evaluation.suites, evaluation.samples, strict=True))
    asked |= {table.label: len(table_prompts.opened(table)) for table in evaluation.tables}
    if not asked:
        yield "none"
        return
    every = f" and every {evaluation.every:,} steps" if evaluation.every else ""
    yield f"{', '.join(f'{suite} {count:,}' for suite, count in asked.items())} questions, between stages{every}"


def _trained_types(engine: str, levels: tuple[int, ...], size_px: int) -> list[str]:
    """The question types that training may ask at one of the levels."""
    found = [engines.candidates(engine, split="train", level=level, size_px=size_px) for level in levels]
    return list(dict.fromkeys(kind.name for kinds in found for kind in kinds))
