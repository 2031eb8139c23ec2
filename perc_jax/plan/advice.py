"""What would fit where a plan does not: other micro-batches, slots, tensor degrees and machines, by estimate.

What a program was found to hold is scaled role by role: parameters, optimizer state and gradients as their layout on
the other mesh says, caches and batches with the rows of a device, other temporaries with the rows that it works on at a
time. The last is careful where `tensor` grows (it would shrink some of them) and does not know another compiler's
scheduling: what an estimate proposes deserves a plan of its own.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import AbstractMesh

from perc_jax.config import Config, StageConfig
from perc_jax.mesh import sharding
from perc_jax.plan import topologies
from perc_jax.plan.memory import ROLLOUT, Split
from perc_jax.plan.topologies import CHIPS, Topology
from perc_jax.programs.blueprint import kind_of
from perc_jax.programs.blueprints import Blueprints
from perc_jax.update.optimizer import split_frozen

GPU_NODES = (1, 2, 4, 8, 16)  # of eight devices each
SLOTS = (2, 4, 8)  # parts in which prompts may be decoded
SAMPLES = (*ROLLOUT, "prefill", "decode")  # first words of what follows the slots


class Option(NamedTuple):
    """Something to try."""

    what: str
    kind: str
    rows: int  # devices that have prompts of their own: replica x fsdp
    tensor: int
    micro_batches: tuple[int, ...]  # of each stage
    capacity: int
    slots: float = 1.0  # prompts that are decoded at a time, as a share of now


def advise(
    blueprints: Blueprints, found: Sequence[tuple[StageConfig, str, Split]], topology: Topology, capacity: int
) -> list[dict[str, Any]]:
    """The first option of each kind that should fit. `found`: each program's stage, name and bytes."""
    advice: list[dict[str, Any]] = []
    for option in _options(blueprints, topology, capacity):
        if option.kind in [given["kind"] for given in advice]:
            continue
        need = max(_estimate(option, blueprints, *program) for program in found)
        if need <= option.capacity:
            advice.append({"option": option.what, "kind": option.kind, "estimated_bytes": need})
    return advice


def _options(blueprints: Blueprints, topology: Topology, capacity: int) -> Iterator[Option]:
    """Everything to try, cheapest first within each kind; a run could be started with any of it."""
    config = blueprints.config
    heads, stages = config.model.text.num_key_value_heads, config.stages
    degrees, current = [n for n in range(1, heads + 1) if heads % n == 0], tuple(s.micro_batches for s in stages)

    def cuts(
        kind: str, where: str, devices: int, tensor: int, capacity: int, least: Sequence[int] = ()
    ) -> Iterator[Option]:
        if devices % (config.mesh.replica * tensor):
            return
        for counts in micro_batches(config, devices // tensor, least):
            what = f"{where}tensor {tensor}, {_said(counts, stages)}"
            yield Option(what, kind, devices // tensor, tensor, counts, capacity)

    now = config.mesh.tensor
    for option in cuts("micro_batches", "", topology.devices, now, capacity, current):
        if option.micro_batches != current:
            yield option
    yield from _slots(config, topology.devices // now, current, capacity)
    for tensor in degrees:
        if tensor > now:
            yield from cuts("tensor", "", topology.devices, tensor, capacity)
    for other in topologies.larger(topology):
        for tensor in degrees:
            yield from cuts("slice", f"{other.name} with ", other.devices, tensor, capacity)
    for nodes in GPU_NODES if topology.chip.is_tpu else ():
        for tensor in degrees:
            way = "attention blockwise, " * (config.model.attention == "splash")
            where = f"{nodes} x 8 H100 of 80 GB with {way}"
            yield from cuts("gpu", where, 8 * nodes, tensor, CHIPS["h100"].memory_bytes)


def micro_batches(config: Config, rows: int, least: Sequence[int] = ()) -> Iterator[tuple[int, ...]]:
    """Micro-batches of each stage on `rows` data-parallel devices, the fewest first; none where a run would refuse so
    many devices.

    Each stage has the fewest that let a device work on no more prompts at a time than a bound, which falls from one to
    the next, and no fewer than `least`.
    """
    shares = []  # prompts of each stage's updates on one device
    for stage in config.stages:
        prompts = stage.prompts_per_step // stage.updates_per_rollout
        if prompts % rows:
            return
        shares.append(prompts // rows)
    if config.evaluation.batch % rows or config.rollout.slots % rows:
        return
    before: tuple[int, ...] = ()
    for most in range(max(shares), 0, -1):
        counts = []
        for share, fewest in zip(shares, least or [1] * len(shares), strict=True):
            fit = [n for n in range(fewest, share + 1) if share % n == 0 and share // n <= most]
            counts += fit[:1]
        if len(counts) == len(shares) and tuple(counts) != before:
            before = tuple(counts)
            yield before


def _said(counts: Sequence[int], stages: Sequence[StageConfig]) -> str:
    """`micro_batches 8`, or where stages differ `micro_batches 8, 7 (warmup, rl)`."""
    if len(set(counts)) == 1:
        return f"micro_batches {counts[0]}"
    return f"micro_batches {', '.join(map(str, counts))} ({', '.join(stage.name for stage in stages)})"


def _slots(config: Config, rows: int, current: tuple[int, ...], capacity: int) -> Iterator[Option]:
    """Fewer prompts decoded at a time; of a run that samples."""
    sampled = [stage.prompts_per_step for stage in config.stages if stage.kind == "grpo"]
    at_once = config.rollout.slots or min(sampled, default=0)
    for slots in (at_once // part for part in SLOTS if at_once and at_once % (part * rows) == 0):
        what = f"rollout.slots {slots}"
        yield Option(what, "slots", rows, config.mesh.tensor, current, capacity, slots / at_once)


def _estimate(option: Option, blueprints: Blueprints, stage: StageConfig, name: str, split: Split) -> int:
    """The bytes on one device that the program should need."""
    wanted = dataclasses.replace(blueprints.config.mesh, fsdp=-1, tensor=option.tensor)
    on_cpu = blueprints.mesh.devices.flat[0].platform == "cpu"
    mesh = AbstractMesh(sharding.mesh_shape(wanted, option.rows * option.tensor, on_cpu), sharding.AXES)
    before = _units(blueprints, stage, blueprints.mesh, stage.micro_batches, name)
    after = _units(blueprints, stage, mesh, option.micro_batches[blueprints.config.stages.index(stage)], name)
    if kind_of(name).split()[0] in SAMPLES and not name.startswith("greedy"):
        after = after._replace(cache=after.cache * option.slots, activations=after.activations * option.slots)
    return int(sum(size * new / old for size, new, old in zip(split, after, before, strict=True) if size))


def _units(blueprints: Blueprints, stage: StageConfig, mesh: Any, micro_batches: int, name: str) -> Split:
    """What each role's bytes are proportional to on a mesh."""
    params, opt_state = blueprints.params, blueprints.train_state(stage).opt_state
    rows, tensor = mesh.shape["replica"] * mesh.shape["fsdp"], mesh.shape["tensor"]
    layout = sharding.state_shardings(params, mesh)
    parameters, whole = _bytes(params, layout), blueprints.config.model.lora.whole
    trained = _bytes(*(split_frozen(tree, stage.optimizer.frozen, whole)[0] for tree in (params, layout)))
    cuts = micro_batches if kind_of(name) == "update" else 1
    return Split(
        parameters=parameters,
        optimizer=_bytes(opt_state, sharding.state_shardings(opt_state, mesh)),
        decoding=_bytes(params, sharding.rollout_shardings(params, mesh)),
        cache=1 / (rows * tensor),
        batch=1 / rows,
        padding=parameters,
        gradients=trained,
        activations=1 / (rows * cuts),
    )


def _bytes(tree: Any, layout: Any) -> int:
    """Bytes of one device's part, with every number in the dtype of `tree`."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(layout), strict=True)
    return sum(math.prod(where.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf, where in pairs)
