"""Joins the processes of a run on several hosts, before anything touches a device.

One command on every host, or one that a launcher starts as often as it takes; each process finds its place by the first
of these that speaks:

1. `JAX_COORDINATOR_ADDRESS` (host:port of process 0), `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`, all three;
   `JAX_NUM_PROCESSES=1` alone says that this process is a run of its own, whatever started it.
2. Open MPI's `mpirun`: version 4 by its variables, version 5 and other MPIs if mpi4py is installed.
3. SLURM's `srun`. A shell within an allocation is no step of several tasks, and a process in it is alone.
4. A TPU slice, on GKE or as a VM; several slices count as one run.
5. An indexed Job of Kubernetes, if the package `kubernetes` is installed.

JAX's own detection knows 2 to 5 and is asked for what it has right (`jax._src.clusters`, which has no public name). Not
right are the number of tasks within an interactive step of SLURM (it has that of the allocation, and would wait for
processes that nobody starts) and devices (it takes one for each process, though there be one process on a host of
eight). What a launcher starts several times without JAX's finding out is refused: it would be so many runs.
"""

import importlib.util
import os
import re
import socket
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from perc_jax.mesh import passage, sharding

WAIT_S = 300  # for the name of process 0's host to be known, as JAX has it
DERIVED_PORTS = 4096  # JAX makes one of the last so many of a job's number, and the next job may have the one beside
MAX_PORT = 65535
TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
THREE = "JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID"


class Place(NamedTuple):
    """This process among those of the run."""

    rank: int
    count: int
    address: str  # host:port of process 0 for JAX's service
    port: int  # of the same host, on which the processes meet beside
    found_by: str
    devices: tuple[int, ...] | None = None  # those of this host that are this process's; None: all that it sees

    @property
    def host(self) -> str:
        """The host of process 0."""
        return self.address.rpartition(":")[0].strip("[]")


def place() -> Place | None:
    """Where this process stands; None for one that is alone.

    Raises `ValueError` if the environment says that there are others, but not, or not rightly, where this one stands;
    `RuntimeError` if what JAX asks about it fails.
    """
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        return _named()
    if os.environ.get("JAX_NUM_PROCESSES") == "1":
        return None
    if _whole("OMPI_COMM_WORLD_SIZE") > 1:
        return _open_mpi()
    if "SLURM_STEP_NODELIST" in os.environ:
        return _slurm()
    if _whole("PMI_SIZE") > 1:
        return _mpi("PMI_SIZE")
    return _tpu() or _kubernetes()


def connect(place: Place | None) -> None:
    """Join the other processes, if there are any; blocks until all have come."""
    if place is not None:
        address = passage.to(place.address) if place.rank else place.address
        # Detection is off: it would ask once more for what is known, and take one device for each process.
        jax.distributed.initialize(
            address, place.count, place.rank, place.devices, cluster_detection_method="deactivate"
        )


def told(place: Place | None, mesh: Mesh) -> str:
    """What was found, in one line; all processes must ask."""
    devices = f"{_some(jax.device_count(), 'device')} ({jax.devices()[0].device_kind})"
    shape = f"mesh {' x '.join(f'{axis} {size}' for axis, size in mesh.shape.items())}"
    if place is None:
        return f"one process, {devices}; {shape}"
    name = zlib.crc32(socket.gethostname().encode()) >> 8  # 24 bits: exact in float32
    hosts = len(set(sharding.of_each_host(float(name))))
    owners = np.vectorize(lambda device: device.process_index, otypes=[int])(mesh.devices)
    across = ", ".join(axes_over(owners, mesh.axis_names)) or "no axis"
    return (
        f"process {place.rank} of {place.count} on {_some(hosts, 'host')} (by {place.found_by}, process 0 at "
        f"{place.address}), {devices}, {jax.local_device_count()} of this process; {shape}, over processes: {across}"
    )


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def axes_over(owners: np.ndarray, names: Sequence[str]) -> list[str]:
    """The axes of a mesh along which neighbours belong to different processes, by each device's process."""
    return [name for axis, name in enumerate(names) if (np.diff(owners, axis=axis) != 0).any()]


def _named() -> Place | None:
    address = os.environ["JAX_COORDINATOR_ADDRESS"]
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"JAX_COORDINATOR_ADDRESS must be host:port, got {address!r}")
    count, rank = _number("JAX_NUM_PROCESSES"), _number("JAX_PROCESS_ID")
    if rank >= count:
        raise ValueError(f"JAX_PROCESS_ID must be below JAX_NUM_PROCESSES = {count}, got {rank}")
    return Place(rank, count, address, _next(int(port)), "JAX_COORDINATOR_ADDRESS") if count > 1 else None


def _open_mpi() -> Place | None:
    version = os.environ.get("OMPI_VERSION", "").partition(".")[0]
    if "OMPI_MCA_orte_hnp_uri" not in os.environ or (version.isdigit() and int(version) >= 5):
        return _mpi("OMPI_COMM_WORLD_SIZE")
    from jax._src.clusters import OmpiCluster

    tasks, mine = _whole("OMPI_COMM_WORLD_LOCAL_SIZE"), _whole("OMPI_COMM_WORLD_LOCAL_RANK")
    return _asked(OmpiCluster, "mpirun", _devices(tasks, mine, os.environ))


def _mpi(sign: str) -> Place | None:
    """The place by mpi4py, where a launcher of MPI that JAX does not know has started several processes."""
    if importlib.util.find_spec("mpi4py") is None:
        raise ValueError(
            f"{sign} is {os.environ[sign]}, so this is one of several processes, but not which: pip install mpi4py, "
            f"set {THREE}, or JAX_NUM_PROCESSES=1 if it is a run of its own"
        )
    from jax._src.clusters import Mpi4pyCluster

    return _asked(Mpi4pyCluster, "mpi4py", None)


def _slurm() -> Place | None:
    # Of this step; SLURM_NTASKS is that of the allocation where the step is an interactive shell.
    count = _whole("SLURM_STEP_NUM_TASKS") or _whole("SLURM_NTASKS")
    if count <= 1:
        return None
    from jax._src.clusters import SlurmCluster

    if not SlurmCluster.is_env_present():
        raise ValueError(f"SLURM has started {count} tasks, but not told this one which it is: start it by srun")
    devices = None
    if not {"SLURM_GPUS_PER_TASK", "SLURM_TRES_PER_TASK"} & os.environ.keys():  # there each sees its own alone
        tasks = _tasks_here(os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""), _whole("SLURM_NODEID"))
        devices = _devices(tasks, _whole("SLURM_LOCALID"), os.environ)
    return _asked(SlurmCluster, f"srun, job {os.environ['SLURM_JOB_ID']}", devices, count)


def _tpu() -> Place | None:
    listed = os.environ.get("TPU_PROCESS_ADDRESSES") or os.environ.get("TPU_WORKER_HOSTNAMES", "")
    is_told = any(os.environ.get(name) for name in ("TPU_PROCESS_ADDRESSES_PATH", "MEGASCALE_NUM_SLICES"))
    if "," not in listed and not is_told and "TPU_SKIP_MDS_QUERY" in os.environ:  # JAX sets it where there is no TPU
        return None
    from jax._src.clusters import GceTpuCluster, GkeTpuCluster

    for kind, words in ((GkeTpuCluster, "the TPU slice's variables"), (GceTpuCluster, "the TPU VM's metadata")):
        if kind.is_env_present():
            return _asked(kind, words, None)
    if "," in listed:
        raise ValueError(
            f"TPU_WORKER_HOSTNAMES names several hosts ({listed}), but JAX finds no TPU on this one: "
            "pip install 'perc_jax[tpu]', or set JAX_NUM_PROCESSES=1 if it is a run of its own"
        )
    return None


def _kubernetes() -> Place | None:
    if not {"KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"} <= os.environ.keys():
        return None  # a pod that belongs to no indexed Job has no number
    how = f"set {THREE}, or JAX_NUM_PROCESSES=1 if it is a run of its own"
    if importlib.util.find_spec("kubernetes") is None:
        raise ValueError(
            f"this is a pod of an indexed Job, whose size only Kubernetes knows: pip install kubernetes, {how}"
        )
    if not TOKEN.is_file():
        raise ValueError(f"this is a pod of an indexed Job, but has no service account to ask for its size; {how}")
    from jax._src.clusters import K8sCluster

    return _asked(K8sCluster, "Kubernetes", None) if K8sCluster.is_env_present() else None


def _asked(kind: Any, words: str, devices: tuple[int, ...] | None, count: int = 0) -> Place | None:
    """What one of JAX's clusters says; None if it has one process."""
    count = count or kind.get_process_count()
    if count == 1:
        return None
    port = os.environ.get("JAX_COORDINATOR_PORT")
    address = kind.get_coordinator_address(timeout_secs=WAIT_S, override_coordinator_port=port)
    if os.environ.get("JAX_LOCAL_DEVICE_IDS"):
        devices = None  # JAX reads it
    number = int(address.rpartition(":")[2])
    meets = number - DERIVED_PORTS if number > MAX_PORT - DERIVED_PORTS and not port else _next(number)
    return Place(kind.get_process_id(), count, address, meets, words, devices)


def _next(port: int) -> int:
    """The port beside one."""
    return port + 1 if port < MAX_PORT else port - 1


def _tasks_here(per_node: str, node: int) -> int:
    """Tasks on a node, by SLURM's list: `2(x3),1` is 2, 2, 2, 1; 1 where it does not say."""
    listed = [
        int(tasks) for tasks, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", per_node) for _ in range(int(times or 1))
    ]
    return listed[node] if node < len(listed) else 1


def _devices(tasks: int, mine: int, environment: Mapping[str, str]) -> tuple[int, ...] | None:
    """The GPUs of this process, one of several tasks on its host; None: all that it sees."""
    seen = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if tasks <= 1 or len(seen) == 1:
        return None
    each = len(seen) // tasks if seen and len(seen) % tasks == 0 else 1
    return tuple(range(mine * each, (mine + 1) * each))


def _whole(name: str) -> int:
    """A whole number from the environment; 0 where there is none."""
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() else 0


def _number(name: str) -> int:
    """A whole number that must be in the environment."""
    value = os.environ.get(name)
    if value is None or not value.isdigit():
        raise ValueError(f"{name} must be a whole number beside JAX_COORDINATOR_ADDRESS, got {value!r}")
    return int(value)
