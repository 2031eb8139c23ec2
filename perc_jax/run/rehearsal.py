"""A run that is only told, not made (`--dry-run`): what it would be, compile, hold and draw. Nothing is written.

What a run refuses before it compiles is refused here, by the same code.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from perc_jax.batch import TokenIds
from perc_jax.config import Config, Start, to_dict
from perc_jax.data import summary
from perc_jax.mesh import sharding
from perc_jax.plan import forecast, memory
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.compiled import Programs
from perc_jax.records.files import to_json
from perc_jax.run import beginning, supply

MIB = 2**20


class Peak(NamedTuple):
    """The program during which one device holds the most arrays, and what these are."""

    program: str
    split: memory.Split


class Named(Programs):
    """The programs of a run in the order in which they are compiled; none is."""

    def __init__(self, config: Config, ids: TokenIds):
        self.found: list[Blueprint] = []
        super().__init__(config, ids)

    def compile(self, blueprint: Blueprint) -> Any:
        """Note it."""
        self.found.append(blueprint)
        return blueprint


def show(config: Config, workdir: str, start: Start) -> Iterator[str]:
    """All there is to say, line by line.

    Raises `ValueError` or `OSError` for what a run would refuse before it compiles.
    """
    sharding.take_cores(config.mesh)
    opened = beginning.open_run(config, workdir, fetch=False)
    with contextlib.closing(opened.checkpoints):
        programs = listed(config, opened.tokens.ids, fresh=opened.place is None)
        supply.prepare(config, programs.share)
        where = _where(opened, workdir)
    yield from to_json(to_dict(config), indent=1).splitlines()
    yield from where
    if start.stop_after:
        yield f"ends after {start.stop_after} with a checkpoint, if it is not done by then"
    names = [blueprint.name for blueprint in programs.found]
    yield f"compiled before step 0, {len(names)} programs: {', '.join(names)}"
    yield from _memory(programs.blueprints)
    for stage in config.stages:
        yield f"stage {stage.name} ({stage.kind})"
        yield from (f"    {line}" for line in summary.stage(config, stage))
    yield "evaluation"
    yield from (f"    {line}" for line in summary.suites(config))
    yield "dry run: nothing was compiled or written"


def listed(config: Config, ids: TokenIds, *, fresh: bool) -> Named:
    """Every program of a run that begins (`fresh`) or goes on."""
    programs = Named(config, ids)
    programs.scorer()
    for stage in config.stages:
        programs.stage(stage)
    if fresh and not (config.begin_from or config.pretrained):
        programs.compile(programs.blueprints.init())
    elif fresh and config.model.lora.rank:
        programs.compile(programs.blueprints.adapters())
    return programs


def peak(blueprints: Blueprints) -> Peak:
    """What one device holds at most in arrays, as `plan.memory` counts them without compiling."""
    held = [
        Peak(program.name, memory.arrays(program).plus(memory.alive_elsewhere(program, blueprints, stage)))
        for stage, program in forecast.programs(blueprints)
    ]
    return max(held, key=lambda one: one.split.total)


def _memory(blueprints: Blueprints) -> Iterator[str]:
    parameters = sum(leaf.size for leaf in jax.tree.leaves(blueprints.params))
    mesh = " x ".join(f"{axis} {size}" for axis, size in blueprints.mesh.shape.items())
    kind = jax.devices()[0].device_kind
    devices = f"{jax.device_count()} device{'s' * (jax.device_count() > 1)}"
    yield f"{parameters:,} parameters on {devices} ({kind}; {mesh})"
    if not blueprints.config.stages:
        return
    program, split = peak(blueprints)
    roles = ", ".join(f"{role} {size / MIB:,.1f}" for role, size in split._asdict().items() if size)
    yield (
        f"arrays on one device, at most {split.total / MIB:,.1f} MiB (during {program}: {roles}); what programs need "
        "besides, only compiling tells: python -m perc_jax.plan"
    )


def _where(opened: beginning.Opened, workdir: str) -> Iterator[str]:
    if opened.place is None:
        yield f"{workdir}: a new run, first weights: {opened.source}"
        return
    position = opened.position
    yield f"{workdir}: resumes after step {opened.step} (stage {position['stage']}, its step {position['step']})"
    for field, was, now in opened.changes:
        yield f"    changed: {field} is {now!r}, was {was!r}"
