"""Where the processes of a run of several find each other: their own line for announcing an end, then JAX."""

from perc_jax.mesh import hosts
from perc_jax.processes import interrupts, peers


def connect() -> None:
    """Join the other processes, if there are any, before anything touches a device.

    Raises `ValueError` if the environment does not name this process's place rightly; `OSError` if the others cannot be
    met within five minutes.
    """
    place = hosts.place()
    if place is not None:
        peers.join(*place)
    hosts.connect()
    interrupts.listen()  # JAX's service has taken SIGTERM for itself
