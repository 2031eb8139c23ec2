"""A cloud's notice that it will take this machine back counts as SIGTERM: the step is finished, a checkpoint written.

Google's Compute Engine, and with it TPU VMs and GKE's nodes, says so at its metadata server, 60 seconds before a host's
maintenance ends the machine (`instance/maintenance-event` is TERMINATE_ON_HOST_MAINTENANCE; a machine that is moved
lives on), when a spot machine is taken
(`instance/preempted` is TRUE), and while a TPU's host is being maintained (`maintenanceStatus` in
`instance/upcoming-maintenance` is ONGOING; what is days ahead, PENDING, ends nothing). Sources: Google Cloud's pages
"Query metadata server for maintenance event notices" and "View maintenance notifications", read on 2026-11-30.

Other machines are not asked: the server is looked for where the firmware says that Google made the machine, or where
`GCE_METADATA_HOST` names one, as Google's own libraries read it.
"""

import contextlib
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from perc_jax.processes import interrupts

SERVER = "metadata.google.internal"
MADE_BY = Path("/sys/class/dmi/id/product_name")
EVERY_S = 5.0  # between two looks
ANSWER_S = 3.0  # for the server to answer
MISSES = 12  # looks without an answer, in a row, after which nobody asks any more


def server() -> str:
    """The metadata server's host, with its port if named; empty where there is none."""
    named = os.environ.get("GCE_METADATA_HOST", "")
    if named or not MADE_BY.exists():
        return named
    return SERVER if "Google" in MADE_BY.read_text(errors="replace") else ""


def notice(host: str) -> str:
    """What the server says that ends this machine soon; empty: nothing. Raises `OSError` where it does not answer."""
    event = _value(host, "maintenance-event")
    if event.startswith("TERMINATE"):
        return f"maintenance-event {event}"
    if _value(host, "preempted") == "TRUE":
        return "preempted"
    with contextlib.suppress(ValueError, AttributeError):  # no JSON, or no object
        if json.loads(_value(host, "upcoming-maintenance")).get("maintenanceStatus") == "ONGOING":
            return "upcoming-maintenance ONGOING"
    return ""


@contextlib.contextmanager
def watched(say: Callable[[str], None], every_s: float = EVERY_S) -> Iterator[None]:
    """Inside, a notice is said, and is as if SIGTERM had come. Without a server nothing is watched."""
    done, host = threading.Event(), server()
    if not host:
        yield
        return
    watcher = threading.Thread(target=_watch, args=(host, say, every_s, done), name="notices", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()  # it may wait for the server's answer: nobody waits for it


def _watch(host: str, say: Callable[[str], None], every_s: float, done: threading.Event) -> None:
    misses = 0
    while misses < MISSES:
        try:
            found, misses = notice(host), 0
        except OSError:
            found, misses = "", misses + 1
        if found and not done.is_set():
            say(f"the machine will be taken back ({found}): this step is the last one")
            interrupts.ask()
            return
        if done.wait(every_s):
            return


def _value(host: str, key: str) -> str:
    """A value about this machine; empty where the server does not know the key."""
    url = f"http://{host}/computeMetadata/v1/instance/{key}"
    request = urllib.request.Request(url, headers={"Metadata-Flavor": "Google"})
    # Never through a proxy: the address is this machine's own.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_S) as answer:
            return answer.read(4096).decode(errors="replace").strip()
    except urllib.error.HTTPError as error:
        error.close()
        return ""
