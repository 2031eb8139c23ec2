"""A way to JAX's service in process 0 that does not show the service's end.

JAX aborts a process (SIGABRT, after lines of C++) as soon as its connection to the service breaks, as when process 0 is
killed: with jaxlib 0.12 before any other thread has a say. So JAX reaches the service through a port of its own
process, and a connection over which nothing will come any more stays open. The processes learn of each other's end by
`processes/peers.py`, and end with its cause; should that fail, JAX misses heartbeats, and aborts after 100 s.

What passes are small messages, at most a few a second after the start; arrays go other ways.
"""

import contextlib
import socket
import threading

CHUNK = 1 << 16  # bytes
REACH_S = 10.0  # for the service to take a connection


def to(address: str) -> str:
    """Open the way to a service, `host:port`; gives the address at which it begins. It lasts as long as the process."""
    host, _, port = address.rpartition(":")
    server = socket.create_server(("127.0.0.1", 0))
    service = host.strip("[]"), int(port)
    threading.Thread(target=_accept, args=(server, service), name="passage", daemon=True).start()
    return f"127.0.0.1:{server.getsockname()[1]}"


def _accept(server: socket.socket, service: tuple[str, int]) -> None:
    while True:
        near, _ = server.accept()
        threading.Thread(target=_lead, args=(near, service), name="passage", daemon=True).start()


def _lead(near: socket.socket, service: tuple[str, int]) -> None:
    """Pass on what JAX says in one connection, and in another thread what it hears."""
    try:
        far = socket.create_connection(service, timeout=REACH_S)
    except OSError:  # not there yet: JAX tries again
        near.close()
        return
    far.settimeout(None)
    back = threading.Thread(target=_pass_on, args=(far, near), name="passage", daemon=True)
    with near, far:
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back.start()
        _pass_on(near, far)
        with contextlib.suppress(OSError):  # the service was faster
            far.shutdown(socket.SHUT_WR)
        back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Until nothing more comes; that nobody takes it any more is not shown."""
    with contextlib.suppress(OSError):
        while text := source.recv(CHUNK):
            with contextlib.suppress(OSError):
                sink.sendall(text)
