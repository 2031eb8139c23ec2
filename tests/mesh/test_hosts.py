"""Joining hosts: each process finds its place in the environment that its launcher writes, before anything waits for
the network; what is one of several and cannot say which is refused.

The environments are those of `srun` (steps of SLURM, and an interactive one), `mpirun`, GKE's TPU pods, an indexed Job.
"""

import os
import socket
import sys
import types

import jax
import numpy as np
import pytest

from perc_jax.mesh import hosts

PLACE = {"JAX_COORDINATOR_ADDRESS": "localhost:1234", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"}
STRANGERS = ("JAX_", "SLURM", "OMPI_", "PMI_", "TPU_", "MEGASCALE", "KUBERNETES_", "JOB_COMPLETION", "CUDA_VISIBLE")

SLURM = {  # the second of two tasks, one on each node, as srun writes it
    "SLURM_JOB_ID": "1731563",
    "SLURM_JOBID": "1731563",
    "SLURM_JOB_NODELIST": "gpu[071-072]",
    "SLURM_LOCALID": "0",
    "SLURM_NNODES": "2",
    "SLURM_NODEID": "1",
    "SLURM_NODELIST": "gpu[071-072]",
    "SLURM_NPROCS": "2",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "gpu[071-072]",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    "SLURM_TASKS_PER_NODE": "1(x2)",
    "CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7",
}
INTERACTIVE = {  # a shell in an allocation of eight tasks: a step of one, with the allocation's SLURM_NTASKS
    **SLURM,
    "SLURM_NTASKS": "8",
    "SLURM_PROCID": "0",
    "SLURM_STEP_ID": "4294967290",
    "SLURM_STEP_NODELIST": "gpu071",
    "SLURM_STEP_NUM_TASKS": "1",
    "SLURM_STEP_TASKS_PER_NODE": "1",
    "SLURM_TASKS_PER_NODE": "8",
}
BATCH = {name: value for name, value in SLURM.items() if "STEP" not in name}  # the batch script itself, without srun
OPEN_MPI = {  # 4.1
    "OMPI_MCA_orte_hnp_uri": "3195338752.0;tcp://10.153.72.131,172.17.0.1:10000",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
}
OPEN_MPI_5 = {name: value for name, value in OPEN_MPI.items() if "orte" not in name} | {"OMPI_VERSION": "5.0.10"}
GKE = {
    "TPU_WORKER_ID": "1",
    "TPU_WORKER_HOSTNAMES": "run-slice-job-0-0.run,run-slice-job-0-1.run",
    "TPU_SKIP_MDS_QUERY": "true",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "JOB_COMPLETION_INDEX": "1",
}
MULTISLICE = GKE | {
    "MEGASCALE_COORDINATOR_ADDRESS": "run-slice-job-0-0.run:8080",
    "MEGASCALE_NUM_SLICES": "2",
    "MEGASCALE_SLICE_ID": "1",
}
ONE_TPU_HOST = GKE | {"TPU_WORKER_ID": "0", "TPU_WORKER_HOSTNAMES": "localhost"}
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "2", "HOSTNAME": "run-2-x7k"}


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch):
    """Sets an environment that says nothing else; names resolve without a network."""
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "10.0.0.1")

    def set_to(environment: dict[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith(STRANGERS)]:
            monkeypatch.delenv(name)
        for name, value in ({"TPU_SKIP_MDS_QUERY": "1"} | environment).items():  # JAX sets it without a TPU
            monkeypatch.setenv(name, value)

    set_to({})
    return set_to


@pytest.fixture
def tpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX takes this machine for one with TPUs."""
    from jax._src.clusters import cloud_tpu_cluster

    monkeypatch.setattr(cloud_tpu_cluster, "running_in_cloud_tpu_vm", True)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch):
    """Makes a package be installed, or not."""

    def put(name: str, module: types.ModuleType | None) -> None:
        monkeypatch.setitem(sys.modules, name, module)
        find = hosts.importlib.util.find_spec
        monkeypatch.setattr(hosts.importlib.util, "find_spec", lambda one: module if one == name else find(one))

    return put


def test_the_environment_names_the_place_and_comes_before_all_else(setting):
    for others in ({}, SLURM, OPEN_MPI, GKE, POD):
        setting(others | PLACE)
        assert hosts.place() == hosts.Place(1, 2, "localhost:1234", 1235, "JAX_COORDINATOR_ADDRESS")
    setting(PLACE | {"JAX_COORDINATOR_ADDRESS": "[fe80::1]:65535"})
    found = hosts.place()
    assert (found.host, found.port) == ("fe80::1", 65534)


@pytest.mark.parametrize(
    "environment",
    [
        *({}, INTERACTIVE, BATCH, SLURM | {"SLURM_STEP_NUM_TASKS": "1"}, {"OMPI_COMM_WORLD_SIZE": "1"}, ONE_TPU_HOST),
        *({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, PLACE | {"JAX_NUM_PROCESSES": "1", "JAX_PROCESS_ID": "0"}),
    ],
)
def test_one_process_joins_nobody(setting, monkeypatch, environment):
    joined = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *place, **how: joined.append(place))
    setting(environment)
    if environment == ONE_TPU_HOST:  # which is no pod of a Job
        monkeypatch.delenv("JOB_COMPLETION_INDEX")
    assert hosts.place() is None
    hosts.connect(None)
    assert joined == []


@pytest.mark.parametrize("environment", [SLURM, OPEN_MPI, OPEN_MPI_5, GKE, POD], ids=lambda e: next(iter(e)))
def test_a_process_may_say_that_it_is_a_run_of_its_own(setting, environment):
    setting(environment | {"JAX_NUM_PROCESSES": "1"})
    assert hosts.place() is None


def test_slurm_one_task_on_each_node_has_all_of_its_devices(setting):
    setting(SLURM)
    port = 65535 - 4096 + 1 + 1731563 % 4096  # as JAX has it
    assert hosts.place() == hosts.Place(1, 2, f"gpu071:{port}", port - 4096, "srun, job 1731563")


def test_slurm_ports_of_neighbouring_jobs_never_meet(setting):
    seen = []
    setting(SLURM)
    for job in range(4096):
        os.environ["SLURM_JOB_ID"] = str(1731563 + job)
        found = hosts.place()
        seen += [int(found.address.rpartition(":")[2]), found.port]
    assert len(set(seen)) == 2 * 4096 and min(seen) > 1024 and max(seen) <= 65535


@pytest.mark.parametrize(
    ("changes", "devices"),
    [
        ({}, (2, 3)),  # four tasks share eight devices; this one is the second of its node
        ({"CUDA_VISIBLE_DEVICES": ""}, (1,)),  # JAX's own rule where nothing is known
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, (1,)),
        ({"CUDA_VISIBLE_DEVICES": "5"}, None),  # the launcher has given each its own
        ({"SLURM_GPUS_PER_TASK": "2", "CUDA_VISIBLE_DEVICES": "0,1"}, None),
        ({"JAX_LOCAL_DEVICE_IDS": "6"}, None),  # JAX reads it
        ({"SLURM_STEP_TASKS_PER_NODE": "4,1", "SLURM_NODEID": "1"}, None),
        ({"SLURM_STEP_TASKS_PER_NODE": "1,4(x2)", "SLURM_NODEID": "2"}, (2, 3)),
    ],
)
def test_slurm_several_tasks_on_a_node_share_its_devices(setting, changes, devices):
    step = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"}
    setting(SLURM | step | {"SLURM_STEP_TASKS_PER_NODE": "4(x2)"} | changes)
    found = hosts.place()
    assert (found.rank, found.count, found.devices) == (5, 8, devices)


def test_open_mpi(setting):
    setting(OPEN_MPI | {"CUDA_VISIBLE_DEVICES": "0,1"})
    port = 65535 - 4096 + 1 + 3195338752 // 4096 % 4096
    assert hosts.place() == hosts.Place(3, 4, f"10.153.72.131:{port}", port - 4096, "mpirun", (1,))


def test_a_port_may_be_given(setting):
    setting(OPEN_MPI | {"JAX_COORDINATOR_PORT": "7000"})
    assert hosts.place()[2:4] == ("10.153.72.131:7000", 7001)


@pytest.mark.parametrize(
    ("environment", "sign"),
    [(OPEN_MPI_5, "OMPI_COMM_WORLD_SIZE is 4"), ({"PMI_SIZE": "2", "PMI_RANK": "0"}, "PMI_SIZE is 2")],
)
def test_other_mpis_need_mpi4py(setting, package, environment, sign):
    setting(environment)
    package("mpi4py", None)
    with pytest.raises(ValueError, match=f"^{sign}, so this is one of several processes, .*pip install mpi4py"):
        hosts.place()
    world = types.SimpleNamespace(Get_size=lambda: 4, Get_rank=lambda: 1, bcast=lambda _, root: "node-7:62000")
    module = types.ModuleType("mpi4py")
    module.MPI = types.SimpleNamespace(COMM_WORLD=world)
    package("mpi4py", module)
    assert hosts.place() == hosts.Place(1, 4, "node-7:62000", 62000 - 4096, "mpi4py")


def test_a_tpu_slice_on_gke(setting, tpu, monkeypatch):
    from jax._src.clusters import cloud_tpu_cluster

    monkeypatch.setattr(cloud_tpu_cluster, "get_metadata", lambda key: ("nothing", 404))  # JAX asks what is not set
    setting(GKE)
    found = hosts.Place(1, 2, "run-slice-job-0-0.run:8482", 8483, "the TPU slice's variables")
    assert hosts.place() == found
    setting(MULTISLICE)
    assert hosts.place() == found._replace(rank=3, count=4)


@pytest.mark.filterwarnings("ignore:'maxsplit' is passed as positional:DeprecationWarning")  # jax, of Python 3.13's re
def test_a_tpu_slice_of_virtual_machines(setting, tpu, monkeypatch):
    from jax._src.clusters import cloud_tpu_cluster

    told = {"agent-worker-number": "1", "worker-network-endpoints": "u:1:10.0.0.1,u:2:10.0.0.2,u:3:10.0.0.3"}
    told["tpu-env"] = "ACCELERATOR_TYPE: 'v6e-16'\nWORKER_ID: '1'"
    monkeypatch.setattr(cloud_tpu_cluster, "get_metadata", lambda key: (told[key], 200))
    monkeypatch.delenv("TPU_SKIP_MDS_QUERY")
    assert hosts.place() == hosts.Place(1, 3, "10.0.0.1:8482", 8483, "the TPU VM's metadata")
    told["worker-network-endpoints"] = "u:1:10.0.0.1"  # a slice of one host
    assert hosts.place() is None


def test_a_slice_without_tpus_is_refused(setting):
    setting(GKE)
    with pytest.raises(ValueError, match=r"^TPU_WORKER_HOSTNAMES names several hosts .* but JAX finds no TPU"):
        hosts.place()


def test_an_indexed_job_asks_kubernetes(setting, package, tmp_path, monkeypatch):
    setting(POD)
    package("kubernetes", None)
    with pytest.raises(ValueError, match=r"^this is a pod of an indexed Job, .*pip install kubernetes, set JAX_COORD"):
        hosts.place()
    package("kubernetes", types.ModuleType("kubernetes"))
    monkeypatch.setattr(hosts, "TOKEN", tmp_path / "token")
    with pytest.raises(ValueError, match=r"^this is a pod of an indexed Job, but has no service account"):
        hosts.place()
    (tmp_path / "token").touch()
    from jax._src.clusters import K8sCluster

    spec = types.SimpleNamespace(parallelism=3)
    monkeypatch.setattr(K8sCluster, "is_env_present", classmethod(lambda cls: True))
    monkeypatch.setattr(K8sCluster, "_job", classmethod(lambda cls: types.SimpleNamespace(spec=spec)))
    address = classmethod(lambda cls, timeout_secs, override_coordinator_port: "run-0.pods:55527")
    monkeypatch.setattr(K8sCluster, "get_coordinator_address", address)
    assert hosts.place() == hosts.Place(2, 3, "run-0.pods:55527", 55528, "Kubernetes")
    spec.parallelism = 1
    assert hosts.place() is None


def test_tasks_of_slurm_that_are_not_told_their_number_are_refused(setting):
    setting({name: value for name, value in SLURM.items() if name != "SLURM_PROCID"})
    with pytest.raises(ValueError, match=r"^SLURM has started 2 tasks, but not told this one which it is"):
        hosts.place()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("JAX_COORDINATOR_ADDRESS", "localhost", "JAX_COORDINATOR_ADDRESS must be host:port, got 'localhost'"),
        ("JAX_COORDINATOR_ADDRESS", ":80", "JAX_COORDINATOR_ADDRESS must be host:port, got ':80'"),
        (
            "JAX_NUM_PROCESSES",
            None,
            "JAX_NUM_PROCESSES must be a whole number beside JAX_COORDINATOR_ADDRESS, got None",
        ),
        ("JAX_PROCESS_ID", "one", "JAX_PROCESS_ID must be a whole number .*, got 'one'"),
        ("JAX_PROCESS_ID", "2", "JAX_PROCESS_ID must be below JAX_NUM_PROCESSES = 2, got 2"),
    ],
)
def test_a_wrong_place_is_refused(setting, monkeypatch, name, value, message):
    setting({key: right for key, right in (PLACE | {name: value}).items() if right is not None})
    with pytest.raises(ValueError, match=message):
        hosts.place()


def test_connecting_takes_what_was_found_and_asks_nobody_again(monkeypatch):
    joined = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *place, **how: joined.append((place, how)))
    monkeypatch.setattr(hosts.passage, "to", lambda address: f"the way to {address}")
    for rank in (0, 1):
        hosts.connect(hosts.Place(rank, 2, "localhost:1234", 1235, "x", (4, 5)))
    how = {"cluster_detection_method": "deactivate"}
    assert joined == [
        (("localhost:1234", 2, 0, (4, 5)), how),  # the service is its own
        (("the way to localhost:1234", 2, 1, (4, 5)), how),
    ]


def test_axes_over_processes():
    def over(owners) -> list[str]:
        return hosts.axes_over(np.array(owners), ("replica", "fsdp", "tensor"))

    assert over([[[0, 0], [0, 0]]]) == []
    assert over([[[0, 0], [1, 1]]]) == ["fsdp"]
    assert over([[[0, 1]], [[0, 1]]]) == ["tensor"]
    assert over([[[0, 0], [1, 1]], [[2, 2], [3, 3]]]) == ["replica", "fsdp"]
