"""A way to JAX's service: all passes, and the end of the service shows neither to JAX nor on the screen."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from perc_jax.mesh import passage
from tests import ROOT, whole_runs

PROCESS = """
import sys, time
from perc_jax.mesh import hosts
from perc_jax.processes import ends, interrupts, peers

interrupts.leave_with()
place = hosts.place()
peers.join(place.rank, place.count, place.host, place.port)
hosts.connect(place)
print("connected", flush=True)
time.sleep(60)
"""
SOON_S = 20.0


def test_all_processes_name_the_cause_when_process_0_is_killed() -> None:
    place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{whole_runs.free_port()}", "JAX_NUM_PROCESSES": "3"}
    with_rank = [whole_runs.environment(None, JAX_PROCESS_ID=str(rank), **place) for rank in range(3)]
    words, pipes = [sys.executable, "-c", PROCESS], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    found = [subprocess.Popen(words, cwd=ROOT, env=variables, text=True, **pipes) for variables in with_rank]
    try:
        assert [process.stdout.readline() for process in found] == ["connected\n"] * 3
        os.kill(found[0].pid, signal.SIGKILL)
        began = time.monotonic()
        for rank in (1, 2):
            _, err = found[rank].communicate(timeout=60)
            line = f"error: process {rank} of 3: process 0 of 3 ended the run: it was killed, or its machine is gone\n"
            assert (found[rank].returncode, err) == (1, line)
        assert time.monotonic() - began < SOON_S
    finally:
        for process in found:
            process.kill()
            process.communicate()


@pytest.fixture
def service() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SOON_S)
        yield server


def connected(service: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a way."""
    host, _, port = passage.to(f"localhost:{service.getsockname()[1]}").partition(":")
    near = socket.create_connection((host, int(port)), timeout=SOON_S)
    far, _ = service.accept()
    far.settimeout(SOON_S)
    return near, far


def read(end: socket.socket, count: int) -> bytes:
    with end.makefile("rb") as file:
        return file.read(count)


def test_what_goes_in_comes_out_both_ways(service) -> None:
    near, far = connected(service)
    with near, far:
        text = bytes(range(256)) * 4096  # 1 MB, more than sockets hold
        for source, sink in ((near, far), (far, near)):
            sender = threading.Thread(target=source.sendall, args=(text,))
            sender.start()
            assert read(sink, len(text)) == text
            sender.join()


def test_the_end_of_the_service_does_not_show_but_that_of_its_caller_does(service) -> None:
    near, far = connected(service)
    with near:
        far.close()
        near.settimeout(0.5)
        with pytest.raises(TimeoutError):
            near.recv(1)
    near, far = connected(service)
    with far:
        near.close()
        assert far.recv(1) == b""


def test_where_no_service_is_the_caller_is_let_go(service) -> None:
    address = f"127.0.0.1:{service.getsockname()[1]}"
    service.close()
    host, _, port = passage.to(address).partition(":")
    with socket.create_connection((host, int(port)), timeout=SOON_S) as near:
        assert near.recv(1) == b""
