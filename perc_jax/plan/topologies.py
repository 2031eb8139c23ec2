"""Machines by name: chips with their memory and speed, slices and nodes of them, what their compiler must be told.

    parse("v5e:2x4")     8 chips; parse("v5p:2x2x1") 4 chips; parse("h100:8") one node of 8 GPUs
    parse("2xv5e:4x4")   two slices of 16 chips, joined by the data centre's network
    parse("cpu:8")       this machine's CPU as 8 devices

Of TPUs, numbers are those of Google's pages of each version (cloud.google.com/tpu/docs), memory is what XLA lets a
program have on the compiled-for device, read from its out-of-memory messages. Of GPUs, numbers are those of NVIDIA's
data sheets (`Chip.source`): dense bfloat16 products, and each way what links and network give in both ways together.
"""

import math
import re
from typing import Literal, NamedTuple

GIB = 2**30
GB = 10**9
# Of a GPU's memory that programs may have: what is left is CUDA's, its libraries' and lost between arrays. JAX by
# itself takes 0.75.
GPU_SHARE = 0.95
NODE = 8  # GPUs of a whole node


class Chip(NamedTuple):
    """One kind of device as XLA sees it."""

    name: str
    memory_bytes: int  # usable by programs; 0: this machine's
    flops: float  # peak bfloat16 operations per second; 0: unknown
    bandwidth: float  # bytes per second between memory and chip; 0: unknown
    dimensions: int = 2  # of the slice's grid
    devices_per_chip: int = 1
    host_grid: tuple[int, ...] = (2, 2)  # chips of one host
    kind: Literal["tpu", "gpu", "cpu"] = "tpu"
    link: float = 0.0  # of GPUs: bytes per second each way between one and the others of its node
    network: float = 0.0  # of GPUs: the same between nodes; 0: none is published with it, so one node at most
    source: str = ""  # of GPUs: where the numbers stand

    @property
    def is_tpu(self) -> bool:
        """Whether libtpu compiles for it."""
        return self.kind == "tpu"

    @property
    def is_gpu(self) -> bool:
        """Whether it is planned by formula: there is no compiler for it without one."""
        return self.kind == "gpu"


def _gpu(name: str, memory_gb: float, flops: float, bandwidth: float, link: float, network: float, source: str) -> Chip:
    usable = int(GPU_SHARE * memory_gb * GB)
    return Chip(name, usable, flops, bandwidth, 1, kind="gpu", link=link, network=network, source=source)


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v4", int(30.75 * GIB), 275e12, 1.23e12, dimensions=3),
        Chip("v5e", int(15.75 * GIB), 197e12, 0.81e12),
        Chip("v5p", int(95.74 * GIB), 459e12, 2.77e12, dimensions=3),
        Chip("v6e", int(31.25 * GIB), 918e12, 1.64e12),
        Chip("tpu7x", int(94.75 * GIB), 2307e12 / 2, 7.37e12 / 2, dimensions=3, devices_per_chip=2),
        Chip("cpu", 0, 0.0, 0.0, dimensions=1, kind="cpu"),
        # The sheets' peaks of H100, H200 and L40S are twice these: with sparsity, which nothing here has.
        _gpu("h100", 80, 989e12, 3.35e12, 450e9, 50e9, "NVIDIA H100 data sheet, SXM; DGX H100 for the network"),
        _gpu("h200", 141, 989e12, 4.8e12, 450e9, 50e9, "NVIDIA H200 data sheet, SXM; DGX H200 for the network"),
        _gpu("a100", 80, 312e12, 2.039e12, 300e9, 25e9, "NVIDIA A100 80GB data sheet, SXM; DGX A100 for the network"),
        _gpu("l40s", 48, 362e12, 864e9, 32e9, 0, "NVIDIA L40S data sheet; PCIe 4.0 x16 is its only link"),
    )
}
_NODES = "1 2 4 8 16 32 64"
# Slices that can be had, smallest first, by family (Google's pages list them; 1-chip slices need no plan).
SLICES = {
    "v4": "2x2x1 2x2x2 2x2x4 2x4x4 4x4x4 4x4x8 4x8x8 8x8x8",
    "v5p": "2x2x1 2x2x2 2x2x4 2x4x4 4x4x4 4x4x8 4x8x8 8x8x8",
    "tpu7x": "2x2x1 2x2x2 2x2x4 2x4x4 4x4x4 4x4x8 4x8x8 8x8x8",
    "v5e": "2x2 2x4 4x4 4x8 8x8 8x16 16x16",
    "v6e": "2x2 2x4 4x4 4x8 8x8 8x16 16x16",
    "h100": _NODES,
    "h200": _NODES,
    "a100": _NODES,
    "l40s": "1 2 4 8",
}


class Topology(NamedTuple):
    """A slice or several equal ones, or GPUs of one node or several."""

    chip: Chip
    grid: tuple[int, ...]
    slices: int = 1

    @property
    def slice_name(self) -> str:
        """One slice, as `parse` and libtpu read it."""
        return f"{self.chip.name}:{'x'.join(map(str, self.grid))}"

    @property
    def name(self) -> str:
        """As `parse` reads it."""
        return self.slice_name if self.slices == 1 else f"{self.slices}x{self.slice_name}"

    @property
    def devices(self) -> int:
        """How many devices XLA sees."""
        return math.prod(self.grid) * self.chip.devices_per_chip * self.slices

    @property
    def link(self) -> float:
        """Of GPUs, bytes per second each way that one exchanges with all others: the slowest of what is between."""
        return self.chip.link if self.devices <= NODE else self.chip.network


def parse(name: str) -> Topology:
    """The machine of that name. `ValueError` says which names there are, and of one that Google Cloud's commands use
    how it is written here."""
    if cloud := re.fullmatch(r"(v4|v5litepod|v5e|v5p|v6e)-([1-9][0-9]*)", name):
        raise ValueError(f"--topology must be written family:grid, {_of_cloud(*cloud.groups())}, got {name!r}")
    several = re.fullmatch(r"([1-9][0-9]*)x(.+)", name)
    slices, one = (int(several[1]), several[2]) if several else (1, name)
    family, _, text = one.partition(":")
    chip = CHIPS.get(family)
    if chip is None:
        raise ValueError(f"--topology must begin with one of {', '.join(CHIPS)}, got {name!r}")
    pattern = "x".join(["[1-9][0-9]*"] * chip.dimensions)
    if not re.fullmatch(pattern, text):
        example = {1: "8", 2: "2x4", 3: "2x2x1"}[chip.dimensions]
        raise ValueError(
            f"--topology {family} must have {chip.dimensions} dimensions like {family}:{example}, got {name!r}"
        )
    grid = tuple(int(part) for part in text.split("x"))
    if chip.is_tpu and any(side % whole for side, whole in zip(grid, chip.host_grid, strict=False)):
        raise ValueError(f"--topology {family} must be made of hosts of 2x2 chips, got {name!r}")
    if chip.is_gpu and grid[0] not in (1, 2, 4, NODE) and (grid[0] % NODE or not chip.network):
        nodes = ", or whole nodes of 8" if chip.network else " of one node"
        raise ValueError(f"--topology {family} must have 1, 2, 4 or 8 GPUs{nodes}, got {name!r}")
    if slices > 1 and not chip.is_tpu:
        raise ValueError(f"--topology {family} must be one machine, only TPU slices are joined, got {name!r}")
    return Topology(chip, grid, slices)


def _of_cloud(family: str, number: str) -> str:
    """What a cloud's type is called here. The number counts chips, of v4 and v5p the two cores of each."""
    family = family.replace("v5litepod", "v5e")
    chips = int(number) // (2 if CHIPS[family].dimensions == 3 else 1)
    grids = (tuple(map(int, grid.split("x"))) for grid in SLICES[family].split())
    return next((f"{family}:{'x'.join(map(str, grid))}" for grid in grids if math.prod(grid) == chips), f"{family}:…")


def larger(topology: Topology) -> list[Topology]:
    """As many slices of the family with more chips, smallest first."""
    family = [parse(f"{topology.chip.name}:{grid}") for grid in SLICES.get(topology.chip.name, "").split()]
    family = [other._replace(slices=topology.slices) for other in family]
    return [other for other in family if other.devices > topology.devices]


def environment(topology: Topology, *, exact: bool = True) -> dict[str, str]:
    """Environment variables to set before jax is imported, so that no accelerator of this machine is touched.

    Unless `exact`, the TPU compiler takes its shortest way. GPUs are stood in for by devices of this machine's CPU,
    for which nothing is compiled.
    """
    if not topology.chip.is_tpu:
        return {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={topology.devices}",
        }
    return {
        "JAX_PLATFORMS": "cpu",
        "TPU_SKIP_MDS_QUERY": "1",  # no question to a metadata server that may not be there
        "TPU_ACCELERATOR_TYPE": f"{topology.chip.name}-{topology.devices // topology.slices}",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # compiling needs no chip, so it may go on beside a program that has them
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "JAX_EXEC_TIME_OPTIMIZATION_EFFORT": "0.0" if exact else "-1.0",
    }


def description(topology: Topology) -> tuple[str, dict[str, object]]:
    """Name and options for `jax.experimental.topologies.get_topology_desc(…, platform="tpu")`."""
    options: dict[str, object] = {}
    if topology.chip.name in ("v4", "v5p"):
        options = {"chip_config_name": "megacore", "chips_per_host_bounds": (2, 2, 1)}  # two cores work as one device
    if max(topology.grid) >= 16 and topology.chip.dimensions == 2:
        options = {"wrap": (*[side >= 16 for side in topology.grid], False)}  # whole pods are closed to a torus
    if topology.chip.dimensions == 3 and min(topology.grid) >= 4:
        options |= {"wrap": (True, True, True)}
    if topology.slices > 1:
        options |= {"num_slices": topology.slices}
    return topology.slice_name, options
