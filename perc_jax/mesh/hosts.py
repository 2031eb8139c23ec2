"""Joins the processes of a run on several hosts, before anything touches a device.

One slice, one command on every worker: on a TPU pod slice the runtime tells each process its place. Elsewhere the
environment does: JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and JAX_PROCESS_ID.
"""

import os
from typing import NamedTuple

import jax

TPU_PORT = 8477  # one above that on which JAX's service listens on a TPU slice


class Place(NamedTuple):
    """This process among those of the run, and where they can meet: beside the port of JAX's service, one above it."""

    rank: int
    count: int
    host: str  # of process 0
    port: int


def place() -> Place | None:
    """What the environment says; None for a process that is alone, or whose place only JAX can find out.

    Raises `ValueError` if the environment names a coordinator, but not rightly or not this process's place.
    """
    address = os.environ.get("JAX_COORDINATOR_ADDRESS")
    if address is not None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"JAX_COORDINATOR_ADDRESS must be host:port, got {address!r}")
        count, rank = _number("JAX_NUM_PROCESSES"), _number("JAX_PROCESS_ID")
        if rank >= count:
            raise ValueError(f"JAX_PROCESS_ID must be below JAX_NUM_PROCESSES = {count}, got {rank}")
        return Place(rank, count, host.strip("[]"), int(port) + 1) if count > 1 else None
    names, rank = os.environ.get("TPU_WORKER_HOSTNAMES", "").split(","), os.environ.get("TPU_WORKER_ID", "")
    if len(names) > 1 and rank.isdigit() and "MEGASCALE_COORDINATOR_ADDRESS" not in os.environ:
        return Place(int(rank), len(names), names[0], TPU_PORT)
    return None


def connect() -> None:
    """Join the other processes, if there are any. Raises what `place` raises."""
    place()
    address = os.environ.get("JAX_COORDINATOR_ADDRESS")
    if address is not None:
        # Detection is off: it would ask the network for what the environment has just said.
        jax.distributed.initialize(
            address, _number("JAX_NUM_PROCESSES"), _number("JAX_PROCESS_ID"), cluster_detection_method="deactivate"
        )
    elif "," in os.environ.get("TPU_WORKER_HOSTNAMES", ""):
        jax.distributed.initialize()


def _number(name: str) -> int:
    """A whole number from the environment."""
    value = os.environ.get(name)
    if value is None or not value.isdigit():
        raise ValueError(f"{name} must be a whole number beside JAX_COORDINATOR_ADDRESS, got {value!r}")
    return int(value)
