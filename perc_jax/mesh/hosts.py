"""Joins the processes of a run on several hosts, before anything touches a device.

One slice, one command on every worker: on a TPU pod slice the runtime tells each process its place. Elsewhere the
environment does: JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and JAX_PROCESS_ID.
"""

import os

import jax


def connect() -> None:
    """Join the other processes, if there are any.

    Raises `ValueError` if the environment names a coordinator, but not rightly or not this process's place.
    """
    address = os.environ.get("JAX_COORDINATOR_ADDRESS")
    if address is not None:
        if not address.rpartition(":")[0] or not address.rpartition(":")[2].isdigit():
            raise ValueError(f"JAX_COORDINATOR_ADDRESS must be host:port, got {address!r}")
        count, place = _number("JAX_NUM_PROCESSES"), _number("JAX_PROCESS_ID")
        if place >= count:
            raise ValueError(f"JAX_PROCESS_ID must be below JAX_NUM_PROCESSES = {count}, got {place}")
        # Detection is off: it would ask the network for what the environment has just said.
        jax.distributed.initialize(address, count, place, cluster_detection_method="deactivate")
    elif "," in os.environ.get("TPU_WORKER_HOSTNAMES", ""):
        jax.distributed.initialize()


def _number(name: str) -> int:
    """A whole number from the environment."""
    value = os.environ.get(name)
    if value is None or not value.isdigit():
        raise ValueError(f"{name} must be a whole number beside JAX_COORDINATOR_ADDRESS, got {value!r}")
    return int(value)
