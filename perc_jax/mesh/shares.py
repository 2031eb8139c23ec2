"""Which rows of every batch each process of a run brings, by where the mesh puts its devices.

A batch is split over the data-parallel units, the places along `replica` and `fsdp`; all devices of a unit, those along
`tensor`, compute the same rows. A process brings the rows of the units that it has devices of. Where a tensor group
spans processes, these bring the same rows: each draws and verifies them, and what the first of them finds counts.
"""

import functools

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int

from perc_jax.batch import Share


def shares(processes: Int[np.ndarray, "R F T"]) -> dict[int, Share]:
    """Every process's share, from the processes of the mesh's devices along replica, fsdp and tensor.

    Raises `ValueError` where two processes share some of their rows but not all, or more share one row than another.
    """
    units = processes.reshape(-1, processes.shape[2])
    held = {
        process: tuple(np.flatnonzero((units == process).any(axis=1)).tolist()) for process in np.unique(units).tolist()
    }
    together: dict[tuple[int, ...], list[int]] = {}
    for process, own in held.items():
        together.setdefault(own, []).append(process)
    sizes = {(len(own), len(sharers)) for own, sharers in together.items()}
    if len(sizes) > 1 or sum(map(len, together)) > len(units):
        raise ValueError(
            f"mesh.tensor must divide the devices of a process, or be a multiple of them, got {processes.shape[2]}, "
            f"of which the {len(held)} processes would share rows unevenly"
        )
    return {
        process: Share(own, len(units), process, together[own][0], len(together[own])) for process, own in held.items()
    }


@functools.lru_cache(maxsize=8)
def of_mesh(mesh: Mesh) -> dict[int, Share]:
    """The shares of the processes whose devices a mesh has; raises what `shares` raises."""
    return shares(np.vectorize(lambda device: device.process_index, otypes=[int])(mesh.devices))


def own(mesh: Mesh) -> Share:
    """This process's share."""
    return of_mesh(mesh)[jax.process_index()]
