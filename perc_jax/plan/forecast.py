"""Compile a run's programs for a machine that is not here, and say what they need and how fast they can be.

Config and topology in, a JSON-ready dict out. Nothing is executed and no data is read; the environment variables of
`topologies.environment` must have been set before jax was first used. For GPUs, which nothing here compiles for, what
a compiler would say is worked out by formula instead (`formula.py`, `exchanges.py`); the plan says which it is.
"""

import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies as compile_only

from perc_jax.batch import MapIds, TokenIds
from perc_jax.config import Config, StageConfig
from perc_jax.mesh import sharding, shares
from perc_jax.plan import absent, advice, exchanges, flops, formula, hlo, memory, topologies
from perc_jax.plan.topologies import Topology
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.rollout import RolloutBlueprints

# What to expect of the ceilings: dense training of this kind reaches 35 to 50 % of the peak on TPUs (figures published
# by MaxText), decoding up to 86 % of the bandwidth (arXiv 2604.15464); both a little below what is best.
EXPECTED_PEAK_USE, EXPECTED_BANDWIDTH_USE = 0.40, 0.60
NOTHING = absent.Held(0.0, 0.0)
NEED = re.compile(r"([\d.]+)G\)? exceeds available HBM|Used ([\d.]+)G of")


class Measured(NamedTuple):
    """A program as it was compiled or worked out, or why it was not."""

    stage: StageConfig
    blueprint: Blueprint
    split: memory.Split  # bytes on one device while it runs, all that lives counted
    elsewhere: int  # of these, bytes that are not the program's own
    seconds: float
    collectives: list[hlo.Exchange]
    copied: float  # bytes of a cache that a decoded token copies
    held: absent.Held  # of an update, what it should not hold
    error: str


def make(config: Config, topology: Topology, say: Callable[[str], None]) -> dict[str, Any]:
    """The plan of a config on a slice. `say` hears of each program before and after it is compiled.

    Raises `ValueError` if the mesh does not fit the slice or its hosts or the way of attention the device,
    `RuntimeError` if a program does not compile for a reason other than memory.
    """
    if topology.chip.is_gpu and config.model.attention == "splash":
        raise ValueError("model.attention must be 'dense' or 'blockwise' on gpu devices, got 'splash'")
    blueprints = Blueprints(config, stand_in_ids(config), sharding.make_mesh(config.mesh, devices(topology)))
    capacity = capacity_bytes(topology)
    began = time.perf_counter()
    if topology.chip.is_gpu:
        found = [worked_out(blueprints, stage, program) for stage, program in programs(blueprints)]
    else:
        found = [_measure(blueprints, stage, program, say) for stage, program in programs(blueprints)]
    listed = [_entry(measured, capacity) for measured in found]
    worst = max(listed, key=lambda entry: entry["memory"]["total"])
    held = [(measured.stage, measured.blueprint.name, measured.split) for measured in found]
    return {
        "config": config.name,
        "topology": topology.name,
        "by": "formula" if topology.chip.is_gpu else "compiler",
        "source": topology.chip.source,
        "devices": topology.devices,
        "mesh": dict(blueprints.mesh.shape),
        "hosts": hosts(blueprints),
        "capacity_bytes": capacity,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(blueprints.params)),
        "fits": all(entry["fits"] for entry in listed),
        "peak": {"program": worst["name"], "bytes": worst["memory"]["total"]},
        "programs": listed,
        "advice": advice.advise(blueprints, held, topology, capacity),
        "stages": [
            _speeds(blueprints, stage, topology) | {"between_slices_bytes": between_slices(found, stage)}
            for stage in config.stages
        ],
        "compile_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(time.process_time(), 1),
        "load": round(os.getloadavg()[0], 1),
        "jax": jax.__version__,
    }


def between_slices(found: Sequence[Measured], stage: StageConfig) -> float:
    """Bytes that one device sends to other TPU slices in a step of a stage."""
    total = 0.0
    for one in found:
        if one.stage is stage:
            updates = stage.updates_per_rollout
            calls = {"update": updates * stage.micro_batches, "finish": updates}.get(one.blueprint.kind, 1)
            for exchange in one.collectives:
                if exchange.kind == hlo.BETWEEN_SLICES:
                    total += exchange.total_bytes * calls
    return total


def hosts(blueprints: Blueprints) -> dict[str, Any]:
    """The slice's processes, and which of them bring the same rows of each batch, because a tensor group spans them;
    prompts of a step by stage that each of them draws and verifies."""
    found = shares.of_mesh(blueprints.mesh)
    together: dict[int, list[int]] = {}
    for process, share in found.items():
        together.setdefault(share.first, []).append(process)
    return {
        "count": len(found),
        "same_rows": [group for group in together.values() if len(group) > 1],
        "prompts": {stage.name: len(found[0].rows(stage.prompts_per_step)) for stage in blueprints.config.stages},
    }


def devices(topology: Topology) -> Sequence[Any]:
    """The slice's devices: descriptions to compile for, or this machine's CPU cut into as many."""
    if not topology.chip.is_tpu:
        return jax.devices("cpu")[: topology.devices]
    name, options = topologies.description(topology)
    return compile_only.get_topology_desc(name, platform="tpu", **options).devices


def capacity_bytes(topology: Topology) -> int:
    """Memory that programs may use on one device; on a CPU each device's share of the machine's."""
    if topology.chip.memory_bytes:
        return topology.chip.memory_bytes
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // topology.devices


def stand_in_ids(config: Config) -> TokenIds:
    """Token ids for shapes alone: which ids they are changes no program's size, so no tokenizer is needed."""
    codes, written = config.codes, None
    if codes.constrained:
        written = MapIds(5, 6, codes.codebook.codes, 6 + codes.codebook.codes, codes.codebook.length)
    vocabulary = config.model.text.vocab_size
    return TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=vocabulary, map=written)


def programs(blueprints: Blueprints) -> Iterator[tuple[StageConfig, Blueprint]]:
    """Every program of the run with the stage that it belongs to (the first one where it belongs to all).

    Evaluation's rollout is left out where a stage has the same with more rows.
    """
    stages = blueprints.config.stages
    if not (blueprints.config.pretrained or blueprints.config.begin_from):
        yield stages[0], blueprints.init()
    yield stages[0], blueprints.publish()
    if apart := blueprints.publish_for_sampling():
        yield stages[0], apart
    for stage in stages:
        yield stage, blueprints.optimizer(stage)
        if encode := blueprints.encode(stage):
            yield from ((stage, program) for program in blueprints.encode_some(stage)[1:] or (encode,))
        if reference := blueprints.reference(stage):
            yield stage, reference
        if stage.kind == "grpo":
            clip = blueprints.clip(stage)
            for program in (*_of_rollout(blueprints.rollout(stage)), *(clip.largest if clip else ())):
                yield stage, program
        update = blueprints.update(stage)
        widest = max(update.gradients)  # in narrower rows it needs less
        yield stage, update.gradients[widest]
        yield from ((stage, program) for (_, width), program in update.smaller.items() if width == widest)
        yield stage, update.finish
    largest = max((stage.prompts_per_step for stage in stages if stage.kind == "grpo"), default=0)
    if blueprints.config.evaluation.batch > largest:
        for program in _of_rollout(blueprints.rollout(None)):
            yield stages[0], program
    yield stages[0], blueprints.score()


def _of_rollout(rollout: RolloutBlueprints) -> list[Blueprint]:
    """Those of a rollout's programs that hold the most: decoding on the longest ring, moving to it, and the pool's."""
    rings = tuple(rollout.decode)
    moved = [program for (_, ring), program in rollout.resize.items() if ring == rings[-1]]
    talk = rollout.talk
    replies = [talk.extend[place, rings[-1]] for place in range(len(talk.shapes))] if talk else []
    return [rollout.prefill, *rollout.smaller, rollout.decode[rings[-1]], *moved, *(rollout.pool or ()), *replies]


def _measure(blueprints: Blueprints, stage: StageConfig, blueprint: Blueprint, say: Callable[[str], None]) -> Measured:
    """Compile one program; a lack of memory is a result."""
    say(f"compiling {blueprint.name}")
    start, text, problem = time.perf_counter(), "", ""
    platform = blueprint.mesh.devices.flat[0].platform
    try:
        compiled = blueprint.compile()
        sizes, text = memory.sizes(compiled, platform), compiled.as_text()
    except jax.errors.JaxRuntimeError as error:
        problem = str(error).splitlines()[0]
        if "RESOURCE_EXHAUSTED" not in problem:
            raise RuntimeError(f"{blueprint.name} does not compile: {problem}") from error
        found = NEED.search(problem)
        own = memory.arrays(blueprint).total
        sizes = memory.Sizes(own, 0, 0, int(float(found[1] or found[2]) * topologies.GIB) if found else 0)
    seconds = time.perf_counter() - start
    say(f"{blueprint.name}: {problem or 'compiled'} after {seconds:.0f} s")
    is_update = blueprint.kind == "update"
    gradients = memory.device_bytes(memory.trained(blueprints, stage)) if is_update else 0
    copied = 0.0
    if blueprint.name.endswith("decode"):
        cache = jax.tree.leaves(blueprint.arguments["state"].keys)[0]
        # A few columns are small change, the tile that is written among them; a layer's keys are not.
        layer = memory.device_bytes(cache) / cache.shape[0]
        copied = sum(x.output_bytes * x.runs for x in hlo.loop_copies(text, layer / 2, cache.shape[-2:]))
    held = absent.held(text, blueprint, blueprints) if is_update else NOTHING
    split, elsewhere = _split(blueprint, blueprints, stage, sizes, gradients)
    return Measured(stage, blueprint, split, elsewhere, seconds, hlo.collectives(text), copied, held, problem)


def worked_out(blueprints: Blueprints, stage: StageConfig, blueprint: Blueprint) -> Measured:
    """One program by formula; nothing is compiled."""
    split, elsewhere = _split(blueprint, blueprints, stage, *formula.sizes(blueprint, blueprints, stage))
    found = exchanges.exchanges(blueprint, blueprints, stage)
    return Measured(stage, blueprint, split, elsewhere, 0.0, found, 0.0, NOTHING, "")


def _split(
    blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig, sizes: memory.Sizes, gradients: int
) -> tuple[memory.Split, int]:
    """Everything on one device while a program runs, and how much of it is another's."""
    elsewhere = memory.alive_elsewhere(blueprint, blueprints, stage)
    return memory.split(blueprint, sizes, elsewhere, gradients), elsewhere.total


def _entry(measured: Measured, capacity: int) -> dict[str, Any]:
    """One program's part of the plan."""
    split = measured.split
    return {
        "name": measured.blueprint.name,
        "compile_s": round(measured.seconds, 1),
        "error": measured.error,
        "fits": not measured.error and split.total <= capacity,
        "memory": split._asdict() | {"total": split.total, "of_other_programs": measured.elsewhere},
        "collectives": [exchange._asdict() for exchange in measured.collectives],
        "copied_per_token_bytes": measured.copied,
        "row_by_row_bytes": measured.held.row_by_row,
        "tokens_by_vocabulary_bytes": measured.held.tokens_by_vocabulary,
    }


def _speeds(blueprints: Blueprints, stage: StageConfig, topology: Topology) -> dict[str, Any]:
    """`_speed` of a stage's step whose prompts are all in the largest bucket, and of one in each of the others."""
    data = blueprints.config.data
    found = []
    for tokens, patches in data.shapes:
        one = dataclasses.replace(data, max_prompt_tokens=tokens, max_patches=patches, buckets=())
        config = dataclasses.replace(blueprints.config, data=one)
        found.append({"bucket": [tokens, patches]} | _speed(config, blueprints, stage, topology))
    return found[-1] | {"smaller": found[:-1]}


def _speed(config: Config, blueprints: Blueprints, stage: StageConfig, topology: Topology) -> dict[str, Any]:
    """Operations of a stage's step, and the seconds that peak and bandwidth allow."""
    mesh = blueprints.mesh.shape
    trained = jax.tree.leaves(memory.trained(blueprints, stage)["vision"])
    work, largest = (flops.step_work(one, stage, trains_vision=bool(trained)) for one in (config, blueprints.config))
    work = work._replace(decode=largest.decode)  # which finds all prompts in the largest bucket
    slots = min(config.rollout.slots or stage.prompts_per_step, stage.prompts_per_step)
    rows = min(config.rollout.rows or stage.group_size, stage.group_size)
    turns = -(-stage.prompts_per_step // slots) * -(-stage.group_size // rows)
    traffic = flops.decode_traffic(blueprints.config, slots // blueprints.rows, rows, mesh["tensor"])
    found = {"name": stage.name, "flops": work._asdict(), "decode_traffic": traffic._asdict()}
    chip = topology.chip
    if not chip.flops:
        return found
    if chip.is_gpu:
        found["exchange_s"] = exchanges.step_seconds(blueprints, stage, topology)
    tokens = stage.prompts_per_step * stage.group_size * config.completion_tokens(stage)
    speeds = {}
    for name, peak_use, bandwidth_use in (
        ("ceiling", 1.0, 1.0),
        ("expected", EXPECTED_PEAK_USE, EXPECTED_BANDWIDTH_USE),
    ):
        peak, bandwidth = chip.flops * peak_use, chip.bandwidth * bandwidth_use
        column = max((traffic.weight_bytes + traffic.cache_bytes) / bandwidth, traffic.flops / peak)
        decode = column * (config.rollout.max_tokens - 1) * turns if stage.kind == "grpo" else 0.0
        # The tower and CLIP run data-parallel: the devices of a tensor group all do the same.
        rows, shared = peak * blueprints.rows, peak * topology.devices
        rollout = (work.prefill - work.tower_prefill) / shared + work.tower_prefill / rows + decode
        update = (work.update - work.tower_update) / shared + work.tower_update / rows
        clip = work.clip / rows
        speeds[name] = {
            "rollout_s": rollout,
            "update_s": update,
            "clip_s": clip,
            "tokens_per_s": tokens / (rollout + update + clip),
        }
    return found | speeds
