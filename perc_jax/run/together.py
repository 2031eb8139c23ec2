"""Where the processes of a run find each other, for announcing an end and for JAX; and which start of it this is."""

import time

import jax

from perc_jax.mesh import hosts, sharding
from perc_jax.processes import interrupts, peers
from perc_jax.processes.heart import Heart
from perc_jax.processes.progress import Progress
from perc_jax.records import attempts
from perc_jax.records.attempts import Attempt
from perc_jax.records.files import absolute
from perc_jax.records.logs import Log


def connect() -> hosts.Place | None:
    """Join the other processes, if there are any, before anything touches a device; gives this one's place.

    Raises `ValueError` if the environment does not name this process's place rightly; `OSError` if the others cannot be
    met within five minutes.
    """
    place = hosts.place()
    if place is not None:
        peers.join(place.rank, place.count, place.host, place.port)
    hosts.connect(place)
    interrupts.listen()  # JAX's service has taken SIGTERM for itself
    return place


def heart(workdir: str, screen: Progress) -> Heart:
    """The heartbeat of this process in this start of a run, which the first process numbers, and its log; all must
    ask."""
    number = attempts.next_number(absolute(workdir)) if jax.process_index() == 0 else 0
    agreed = sharding.sum_over_hosts({"attempt": float(number)})["attempt"]
    start = Attempt(int(agreed), time.time(), jax.process_count())
    log = Log(absolute(workdir), start.number, jax.process_index())
    screen.keep(log.add)
    return Heart(workdir, start, jax.process_index(), screen.now, screen.say, log=log)
