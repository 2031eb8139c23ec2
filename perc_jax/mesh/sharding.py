"""The mesh, where every parameter and batch lies on it, and the moves between host and mesh.

Axes: `replica` and `fsdp` split the prompts of a batch, `fsdp` and `tensor` split parameters. Rules map a parameter's
name to the axes of its last two dimensions; they stand here, beside the mesh and outside the model.

Training keeps each weight in as many pieces as fsdp x tensor has devices, and gathers a layer's over `fsdp` when it is
the layer's turn. Decoding has them whole, or split over `tensor` only: it would gather them again at every token.
"""

import contextlib
import math
import os
import re
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from perc_jax.batch import WHOLE, Share
from perc_jax.config import MeshConfig
from perc_jax.mesh import shares
from perc_jax.model.layout import ROW_AXES
from perc_jax.rollout.decode import Context, State
from perc_jax.update.optimizer import path_name
from perc_jax.update.progress import OWN, Progress, replicas_apart

AXES = ("replica", "fsdp", "tensor")
EXCHANGE = "/perc_jax/exchange"  # the event of `jax.monitoring` with the seconds that an exchange took this host
COUNT_FLAG = "xla_force_host_platform_device_count"  # XLA's own for what `take_cores` does
MAX_SUMS = 256  # numbers that the hosts add up in one exchange
ROWS = PartitionSpec(ROW_AXES)  # of every batch's first dimension: prompts

# The first pattern found in a parameter's name gives the axes of its last two dimensions [inputs, outputs].
RULES = (
    (r"clip/.*(kernel|embedding)$", ("fsdp", None)),  # gathered where they are used: `tensor` has no part in it
    (r"text/.*(query|key|value|gate|up)/kernel$", ("fsdp", "tensor")),
    (r"text/.*(output|down)/kernel$", ("tensor", "fsdp")),
    (r"text/embed/embedding$", ("tensor", "fsdp")),
    (r"text/head/kernel$", ("fsdp", "tensor")),
    # The tower runs data-parallel: `tensor` only helps to store it. Its MLP's width (3420) divides by 4, no further, a
    # patch's values (1176) by 8.
    (r"vision/(blocks/mlp/down|patch_embed)/kernel$", (None, ("fsdp", "tensor"))),
    (r"vision/.*kernel$", (("fsdp", "tensor"), None)),
    # Low-rank adapters [inputs, r] and [r, outputs] have their kernel's two sides: merging exchanges nothing.
    (r"text/.*(query|key|value|gate|up)/lora_a$", ("fsdp", None)),
    (r"text/.*(query|key|value|gate|up)/lora_b$", (None, "tensor")),
    (r"text/.*(output|down)/lora_a$", ("tensor", None)),
    (r"text/.*(output|down)/lora_b$", (None, "fsdp")),
    (r"vision/blocks/mlp/down/lora_b$", (None, ("fsdp", "tensor"))),
    (r"vision/(?!blocks/mlp/down/).*lora_a$", (("fsdp", "tensor"), None)),
)


def make_mesh(config: MeshConfig, devices: Sequence[Any] | None = None) -> Mesh:
    """Arrange all devices (default: this run's). Of several TPU slices, whose network is slower than the links within
    them, only `replica` goes across. Raises `ValueError` if the devices do not factor as asked."""
    if devices is None:
        take_cores(config)
        devices = jax.devices()
    shape = mesh_shape(config, len(devices), on_cpu=devices[0].platform == "cpu")
    grid = np.array(by_slice(devices, config.replica)).reshape(shape)
    return Mesh(grid, AXES, axis_types=(jax.sharding.AxisType.Auto,) * 3)


def take_cores(config: MeshConfig) -> None:
    """Have JAX take a CPU for `cpu_replicas` devices: before anything touches a device, else nothing changes. What its
    own variables say, or XLA's flags, has precedence."""
    is_said = jax.config.jax_num_cpu_devices != -1 or COUNT_FLAG in os.environ.get("XLA_FLAGS", "")
    if config.cpu_replicas > 1 and not is_said:
        with contextlib.suppress(RuntimeError):  # a program that has used JAX before
            jax.config.update("jax_num_cpu_devices", config.cpu_replicas)


def by_slice(devices: Sequence[Any], replica: int) -> list[Any]:
    """The devices in an order in which each TPU slice's are together; raises `ValueError` unless the slices can share
    out `replica`. Other devices stay in their order: JAX calls each host of GPUs a slice, whatever joins them."""
    slices = {getattr(device, "slice_index", 0) for device in devices if device.platform == "tpu"}
    if len(slices) > 1 and replica % len(slices):
        raise ValueError(f"mesh.replica must be a multiple of the {len(slices)} slices, got {replica}")
    return sorted(devices, key=lambda device: device.slice_index) if len(slices) > 1 else list(devices)


def mesh_shape(config: MeshConfig, count: int, on_cpu: bool = False) -> tuple[int, int, int]:
    """Devices along each axis; raises `ValueError` if their number does not factor as asked."""
    replica, is_open = config.replica, (config.replica, config.fsdp, config.tensor) == (1, -1, 1)
    if on_cpu and is_open and count % config.cpu_replicas == 0:
        replica = config.cpu_replicas
    fixed = replica * config.tensor
    fsdp = count // fixed if config.fsdp == -1 else config.fsdp
    if fixed * fsdp != count or fsdp < 1:
        raise ValueError(
            f"mesh must use all {count} devices, got replica {replica} x fsdp {fsdp} x tensor {config.tensor}"
        )
    return replica, fsdp, config.tensor


def check_heads(mesh: Mesh, kv_heads: int) -> None:
    """Raise `ValueError` unless every device of a tensor group gets whole key/value heads."""
    if kv_heads % mesh.shape["tensor"]:
        raise ValueError(f"mesh.tensor must divide the model's {kv_heads} key/value heads, got {mesh.shape['tensor']}")


def spec_of(name: str, shape: tuple[int, ...], mesh: Mesh | AbstractMesh) -> PartitionSpec:
    """The partition of one parameter: its rule's axes wherever the dimension divides, replicated elsewhere."""
    for pattern, axes in RULES:
        if re.search(pattern, name) and len(shape) >= 2:
            kept = [_divisor(wanted, dim, mesh) for wanted, dim in zip(axes, shape[-2:], strict=True)]
            return PartitionSpec(*[None] * (len(shape) - 2), *kept)
    return PartitionSpec()


def _divisor(wanted: str | tuple[str, ...] | None, dim: int, mesh: Mesh | AbstractMesh) -> str | tuple[str, ...] | None:
    """Those of the wanted axes, from the first on, that have several devices and together divide the dimension."""
    kept: list[str] = []
    for axis in (wanted,) if isinstance(wanted, str) else wanted or ():
        if mesh.shape[axis] > 1 and dim % math.prod(mesh.shape[other] for other in (*kept, axis)) == 0:
            kept.append(axis)
    return tuple(kept) if len(kept) > 1 else (kept or [None])[0]


def state_shardings(state: Any, mesh: Mesh | AbstractMesh) -> Any:
    """Shardings of any pytree whose leaves end in parameter paths: parameters, and the optimizer's moments alike."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: place_of(path_name(path), leaf.shape, mesh), state)


def place_of(name: str, shape: tuple[int, ...], mesh: Mesh | AbstractMesh) -> NamedSharding:
    """Where one parameter of training lies."""
    return NamedSharding(mesh, spec_of(name, shape, mesh))


def progress_shardings(progress: Progress, mesh: Mesh | AbstractMesh) -> Progress:
    """Shardings of what an update has added up: gradients as their parameters, each replica's with the replica."""
    several = replicas_apart(mesh.shape) > 1

    def of_gradient(path: Any, leaf: Any) -> NamedSharding:
        spec = spec_of(path_name(path), leaf.shape[several:], mesh)
        return NamedSharding(mesh, PartitionSpec(*OWN, *spec) if several else spec)

    gradient = jax.tree_util.tree_map_with_path(of_gradient, progress.gradient)
    sums, same = (NamedSharding(mesh, spec) for spec in (OWN if several else PartitionSpec(), PartitionSpec()))
    rows = progress.old if progress.old is None else NamedSharding(mesh, ROWS)
    return Progress(gradient, sums, same, same, rows)


def rollout_shardings(params: Any, mesh: Mesh | AbstractMesh) -> Any:
    """Shardings for decoding: whole on every data-parallel device, split over `tensor` only.

    With fully sharded weights each decoded token would gather them all again.
    """

    def without_fsdp(path: Any, leaf: Any) -> NamedSharding:
        spec = spec_of(path_name(path), leaf.shape, mesh)
        return NamedSharding(mesh, PartitionSpec(*["tensor" if "tensor" in (axis or ()) else None for axis in spec]))

    return jax.tree_util.tree_map_with_path(without_fsdp, params)


def rollout_specs() -> tuple[Context, State]:
    """How what decoding reads and writes is split: prompts over the data-parallel devices, KV heads over `tensor`.

    A spec stands for all arrays of its branch.
    """
    cache = PartitionSpec(None, ROW_AXES, "tensor")
    return (
        Context(cache, cache, ROWS, ROWS, ROWS),
        State(PartitionSpec(), ROWS, cache, cache, ROWS),
    )


def rows_to_mesh(tree: Any, mesh: Mesh) -> Any:
    """Put this host's rows of a batch (numpy) on the mesh as part of the global batch.

    They are those of its share (`shares.own`), in order; hosts that share a unit must bring the same.
    """
    layout, share = NamedSharding(mesh, ROWS), shares.own(mesh)

    def place(rows: Any) -> jax.Array:
        rows = np.asarray(rows)
        each = len(rows) // len(share.units)

        def of_device(index: tuple[slice, ...]) -> np.ndarray:
            first = share.units.index((index[0].start or 0) // each) * each
            return rows[first : first + each]

        return jax.make_array_from_callback((share.total(len(rows)), *rows.shape[1:]), layout, of_device)

    return jax.tree.map(place, tree)


def same_to_mesh(tree: Any, mesh: Mesh) -> Any:
    """Put host arrays that are equal on all hosts on every device."""
    whole = NamedSharding(mesh, PartitionSpec())

    def place(value: Any) -> jax.Array:
        return jax.make_array_from_callback(np.shape(value), whole, lambda index: np.asarray(value)[index])

    return jax.tree.map(place, tree)


def rows_to_host(tree: Any) -> Any:
    """This host's rows of a global batch as numpy, in order; the inverse of `rows_to_mesh`."""

    def local(array: jax.Array) -> np.ndarray:
        shards = {shard.index[0].start or 0: shard.data for shard in array.addressable_shards}
        return np.concatenate([np.asarray(shards[start]) for start in sorted(shards)])

    return jax.tree.map(local, tree)


def _gathered(values: Any) -> np.ndarray:
    """What each host brings, on all of them: [hosts, ...]."""
    began = time.perf_counter()
    found = multihost_utils.process_allgather(values)
    jax.monitoring.record_event_duration_secs(EXCHANGE, time.perf_counter() - began)
    return found


def rows_of_all_hosts(rows: np.ndarray, mesh: Mesh) -> np.ndarray:
    """Join the rows of a small batch from all hosts, in the global batch's order, on each of them."""
    if jax.process_count() == 1:
        return rows
    by_process = _gathered(rows)
    whole = np.empty((shares.own(mesh).total(len(rows)), *rows.shape[1:]), rows.dtype)
    for process, share in shares.of_mesh(mesh).items():
        if share.is_first:
            whole[share.rows(len(whole))] = by_process[process]
    return whole


def rolled_rows(rows: np.ndarray, mesh: Mesh) -> np.ndarray:
    """This host's rows of the whole batch of all hosts after it was rolled by one row: each gets the one before it."""
    whole = np.roll(rows_of_all_hosts(rows, mesh), 1, axis=0)
    return whole[shares.own(mesh).rows(len(whole))]


def as_first_sharer(rows: np.ndarray, share: Share) -> np.ndarray:
    """Rows as the first of the hosts that share them has them; all hosts must ask.

    What depends on a clock may differ between hosts, but the devices of one unit must be given the same. Where no two
    hosts share rows, nothing is exchanged.
    """
    return rows if share.sharers == 1 else _gathered(rows)[share.first]


def largest_of_sharers(values: np.ndarray, mesh: Mesh) -> np.ndarray:
    """The largest of each of the values that the hosts with this one's rows bring; all hosts must ask.

    Where no two hosts share rows, nothing is exchanged. Each shape compiles once, so call it before step 0.
    """
    own = shares.own(mesh)
    if own.sharers == 1:
        return values
    same = [process for process, share in shares.of_mesh(mesh).items() if share.first == own.first]
    return _gathered(values)[same].max(axis=0)


def sum_over_hosts(values: dict[str, float], share: Share = WHOLE) -> dict[str, float]:
    """Add up each entry over all hosts in float64; at most `MAX_SUMS` of them.

    With this host's `share` hosts that share rows count once; without it every host counts.
    """
    if jax.process_count() == 1:
        return values
    padded = np.zeros(MAX_SUMS, np.float64)  # one shape, whoever calls: compiled once, before step 0
    if share.is_first:
        padded[: len(values)] = list(values.values())
    # As the bits that they are: a device would round them to 32.
    bits = _gathered(padded.view(np.uint32))
    summed = np.ascontiguousarray(bits).view(np.float64).sum(axis=0)[: len(values)]
    return dict(zip(values, summed.tolist(), strict=True))


def of_each_host(value: float) -> list[float]:
    """Every host's value, as float32, in the order of ranks; compiles once on several hosts."""
    return [value] if jax.process_count() == 1 else _gathered(np.float32(value)).tolist()


def max_over_hosts(value: float) -> float:
    """The largest of all hosts' values, as float32; compiles once on several hosts."""
    return max(of_each_host(value))


def sum_array_over_hosts(values: np.ndarray, share: Share) -> np.ndarray:
    """Add up an array of counts over all hosts, those that share rows once; each shape compiles once on several hosts,
    so call it before step 0."""
    if jax.process_count() == 1:
        return values
    return _gathered((values * share.is_first).astype(np.int32)).sum(axis=0)
