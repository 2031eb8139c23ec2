"""Joins the processes of a run on several hosts, before anything touches a device.

One slice, one command on every worker: on a TPU pod slice the runtime tells each process its place. Elsewhere the
environment does: JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and JAX_PROCESS_ID.
"""

import os

import jax


def connect() -> None:
    """Join the other processes, if there are any.

    Raises `ValueError` if the environment names a coordinator but not the number of processes and this one's place.
    """
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        missing = [name for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID") if not os.environ.get(name, "").isdigit()]
        if missing:
            raise ValueError(f"environment must set {missing[0]} to a number beside JAX_COORDINATOR_ADDRESS")
        jax.distributed.initialize(
            num_processes=int(os.environ["JAX_NUM_PROCESSES"]),
            process_id=int(os.environ["JAX_PROCESS_ID"]),
            local_device_ids=range(len(os.environ.get("JAX_LOCAL_DEVICE_IDS", "0").split(","))),
        )
    elif "," in os.environ.get("TPU_WORKER_HOSTNAMES", ""):
        jax.distributed.initialize()
