"""A network between the processes of a run that can be cut: TCP connections passed on from one port to another."""

import contextlib
import selectors
import socket
import struct
import threading
import time

CHUNK = 1 << 16
LINGER = struct.pack("ii", 1, 0)  # closed with a reset, as by a machine that has come up again
COMES_S, RETRY_S = 120.0, 0.05
PAIRS = 50  # tries for two ports beside each other


class Relay:
    """Passes on what comes to its port and to the next one, to another port of this host and its next. A context
    manager; its threads end with it."""

    def __init__(self, port: int):
        self._servers = _two_servers()
        self.port: int = self._servers[0].getsockname()[1]
        self._state = threading.Lock()
        self._is_cut = self._is_silent = False
        self._sockets: list[socket.socket] = []
        for server, to in zip(self._servers, (port, port + 1), strict=True):
            threading.Thread(target=self._accept, args=(server, to), daemon=True).start()

    def cut(self) -> None:
        """Reset all connections, and take no others."""
        with self._state:
            self._is_cut = True
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                    one.shutdown(socket.SHUT_RD)
                one.close()
        for server in self._servers:
            server.close()

    def fall_silent(self) -> None:
        """Pass nothing on any more, while all connections seem to stand."""
        self._is_silent = True

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def _accept(self, server: socket.socket, to: int) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = server.accept()
                far = _reached(to)
                with self._state:
                    self._sockets += [near, far]
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with selectors.DefaultSelector() as ready, contextlib.suppress(OSError, ValueError):  # closed meanwhile
            for one in other:
                ready.register(one, selectors.EVENT_READ)
            while ready.get_map():
                for key, _ in ready.select():
                    text = key.fileobj.recv(CHUNK)
                    if self._is_cut:
                        return
                    if self._is_silent:
                        continue
                    if text:
                        other[key.fileobj].sendall(text)
                    else:
                        ready.unregister(key.fileobj)
                        other[key.fileobj].shutdown(socket.SHUT_WR)


def _reached(port: int) -> socket.socket:
    """A connection to a port of this host, on which somebody will listen soon."""
    until = time.monotonic() + COMES_S
    while True:
        try:
            return socket.create_connection(("localhost", port))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(RETRY_S)


def _two_servers() -> list[socket.socket]:
    """Servers on a free port of the loopback and on the next one."""
    for _ in range(PAIRS):
        first = socket.create_server(("localhost", 0))
        try:
            return [first, socket.create_server(("localhost", first.getsockname()[1] + 1))]
        except OSError:
            first.close()
    raise OSError("no two free ports beside each other")
