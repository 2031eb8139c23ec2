"""Where the processes of a run find each other, for announcing an end and for JAX; whether they see one workdir; and
which start of it this is."""

import contextlib
import time

import jax

from perc_jax.config import MeshConfig
from perc_jax.mesh import hosts, sharding
from perc_jax.processes import ends, interrupts, peers
from perc_jax.processes.heart import Heart
from perc_jax.processes.progress import Progress
from perc_jax.records import attempts, owner
from perc_jax.records.attempts import Attempt
from perc_jax.records.files import absolute
from perc_jax.records.logs import Log

SHARED_S = 75.0  # network file systems show others a new folder after a minute at the latest
LOOK_S = 0.5


def connect() -> hosts.Place | None:
    """Join the other processes, if there are any, before anything touches a device; gives this one's place.

    Raises `ValueError` if the environment does not name this process's place rightly; `OSError` if the others cannot be
    met within five minutes.
    """
    with ends.refused():
        place = hosts.place()
    if place is not None:
        peers.join(place.rank, place.count, place.host, place.port)
    hosts.connect(place)
    interrupts.listen()  # JAX's service has taken SIGTERM for itself
    return place


@ends.refused()
def told(place: hosts.Place | None, mesh: MeshConfig) -> str:
    """What was found, in one line; all processes must ask. Raises `ValueError` if the devices do not give the mesh."""
    return hosts.told(place, sharding.make_mesh(mesh))


@ends.refused()
def check_shared(workdir: str, own: owner.Owner) -> None:
    """Look whether the workdir that the first process owns is the folder that all see; all must ask.

    Raises `ValueError` in all of them if one does not see it within `SHARED_S`.
    """
    if jax.process_count() == 1:
        return
    token = sharding.sum_over_hosts({"token": float(own.token if jax.process_index() == 0 else 0)})["token"]
    until, is_seen = time.monotonic() + SHARED_S, False
    while not is_seen and time.monotonic() < until:
        with contextlib.suppress(OSError):  # a folder that it may not read, a file in its place
            is_seen = owner.token_in(workdir) == token
        time.sleep(0.0 if is_seen else LOOK_S)
    blind = [str(rank) for rank, sees in enumerate(sharding.of_each_host(float(is_seen))) if not sees]
    if blind:
        raise ValueError(
            f"--workdir must be one folder that all {jax.process_count()} processes see, on gs:// or a shared disk, "
            f"but that of process 0 is not what process {', '.join(blind)} sees; got {absolute(workdir)}"
        )


def heart(workdir: str, screen: Progress) -> Heart:
    """The heartbeat of this process in this start of a run, which the first process numbers, and its log; all must
    ask."""
    number = attempts.next_number(absolute(workdir)) if jax.process_index() == 0 else 0
    agreed = sharding.sum_over_hosts({"attempt": float(number)})["attempt"]
    start = Attempt(int(agreed), time.time(), jax.process_count())
    log = Log(absolute(workdir), start.number, jax.process_index())
    screen.keep(log.add)
    return Heart(workdir, start, jax.process_index(), screen.now, screen.say, log=log)
