"""The processes of a run of several learn of each other's end within a second, with its cause.

JAX's own service notices a process that is gone after minutes, and then aborts the others without a cause; one that has
raised waits for the others at its exit. So process 0 keeps a connection to each of the others. Over it goes the
announcement of an end, one JSON line `{"rank", "message", "code"}`, or `{"rank", "done"}` of a good one; process 0
passes it on. A connection that breaks without one is an end too, a kill for instance, and so is one over which no sign
of life (an empty line) has come for `SILENT_S`: a process that is stopped, a machine that hangs.
"""

import contextlib
import errno
import json
import socket
import threading
import time
from typing import IO, Any, NamedTuple

from perc_jax.processes import ends

GATHER_S = 300.0  # for all processes to begin, as JAX has it
RETRY_S = 0.2
HELLO_S = 10.0  # for the first line of a connection
BEAT_S = 5.0  # between two signs of life
SILENT_S = 25.0  # no library keeps the interpreter for itself that long
GOING_S = 5.0  # for the others to go, at most


GONE = "it was killed, or its machine is gone"


class _Link(NamedTuple):
    """A connection, and what comes over it line by line: one reader, so that no line is split between two."""

    to: socket.socket
    lines: IO[str]


class _Peers:
    """This process's connections: to all others in process 0, to process 0 in the others."""

    def __init__(self, rank: int, count: int, links: dict[int, _Link]):
        self._rank, self._count, self._links = rank, count, links
        self._done: set[int] = set()
        self._sending = threading.Lock()  # so that no two lines mix
        self._first = threading.Lock()  # taken for ever by the first end that this process has heard of, its own too
        for other, link in links.items():
            threading.Thread(target=self._listen, args=(other, link), name="peers", daemon=True).start()
        threading.Thread(target=self._beat, name="peers beat", daemon=True).start()

    def tell(self, message: str, code: int) -> None:
        """Announce this process's end to the others, and wait until they are gone: had it left what they last sent
        unread, the system would take the announcement back."""
        if self._first.acquire(blocking=False):
            self._send({"rank": self._rank, "message": message, "code": code})
        self._wait_for_all()

    def done(self) -> None:
        """Announce a good end, and wait for that of the others: that the connections break now means nothing."""
        self._send({"rank": self._rank, "done": True})
        self._wait_for_all()

    def _send(self, record: dict[str, Any], but: int = -1) -> None:
        self._write((json.dumps(record) + "\n").encode(), but)

    def _write(self, line: bytes, but: int = -1) -> None:
        with self._sending:
            for other, link in self._links.items():
                if other != but:
                    with contextlib.suppress(OSError):  # it is gone
                        link.to.sendall(line)

    def _beat(self) -> None:
        """Show the others that this process lives, as long as it does."""
        while True:
            self._write(b"\n")
            time.sleep(BEAT_S)

    def _listen(self, other: int, link: _Link) -> None:
        """Wait for the end of one of the others."""
        message, is_good = GONE, False
        try:
            with link.lines:
                for text in link.lines:  # to the end, also after a good one
                    record = json.loads(text) if text.strip() else {}
                    is_good |= "done" in record
                    if record and not is_good:
                        self._done.add(other)
                        self._follow(other, record)
        except TimeoutError:
            message = f"nothing was heard of it for {SILENT_S:g} s: it is stopped, or its machine hangs"
        except OSError:
            pass  # it broke
        self._done.add(other)
        if not is_good:
            self._follow(other, {"rank": other, "message": message, "code": ends.FAILED})

    def _follow(self, other: int, record: dict[str, Any]) -> None:
        """End this process because of another's end."""
        if not self._first.acquire(blocking=False):  # the others' ends answer the first
            return
        self._send(record, but=other)
        message = f"process {record['rank']} of {self._count} ended the run: {record['message']}"
        ends.leave(message, record["code"])

    def _wait_for_all(self) -> None:
        """Say nothing more, and wait until nothing more comes: in process 0 from all, its JAX service goes last."""
        for link in self._links.values():
            with contextlib.suppress(OSError):
                link.to.shutdown(socket.SHUT_WR)
        until = time.monotonic() + GOING_S
        while len(self._done) < len(self._links) and time.monotonic() < until:
            time.sleep(0.01)


def join(rank: int, count: int, host: str, port: int, gather_s: float = GATHER_S) -> None:
    """Connect the processes of a run, before JAX does; from then on the end of one is the end of all.

    Args:
        rank: this process's number among `count`.
        count: how many there are.
        host: of process 0, as the others reach it.
        port: on which process 0 listens.
        gather_s: seconds for all of them to come.

    Raises:
        OSError: the port is taken, or process 0 cannot be reached.
        TimeoutError: processes are missing; process 0 names them.
    """
    links = _gather(count, port, gather_s) if rank == 0 else {0: _reach(rank, host, port, gather_s)}
    ends.Group.who = f"process {rank} of {count}: "
    found = _Peers(rank, count, links)
    ends.Group.tell, ends.Group.done = found.tell, found.done


def _gather(count: int, port: int, gather_s: float) -> dict[int, _Link]:
    """The connections of all others to process 0."""
    until, links = time.monotonic() + gather_s, {}
    try:
        server = socket.create_server(("", port), backlog=count)
    except OSError as error:
        raise OSError(
            error.errno, f"the processes of a run meet here, it must be free: {error.strerror}", f"port {port}"
        ) from error
    with server:
        while len(links) < count - 1:
            server.settimeout(max(0.01, until - time.monotonic()))
            try:
                link, _ = server.accept()
            except TimeoutError as error:
                missing = ", ".join(str(rank) for rank in range(1, count) if rank not in links)
                raise TimeoutError(
                    f"all {count} processes must come to port {port} within {gather_s:g} s, missing: {missing}"
                ) from error
            link.settimeout(HELLO_S)
            found = _Link(link, link.makefile())
            with contextlib.suppress(OSError, ValueError):  # a stranger who asks for something else
                rank = int(found.lines.readline(16))
                if 0 < rank < count:
                    links[rank] = found
    for found in links.values():
        with contextlib.suppress(OSError):  # it is gone; whoever listens to it finds out
            found.to.sendall(b"all\n")
        found.to.settimeout(SILENT_S)
    return links


def _reach(rank: int, host: str, port: int, gather_s: float) -> _Link:
    """The connection of another process to process 0, which may begin later."""
    until = time.monotonic() + gather_s
    while True:
        try:
            link = socket.create_connection((host, port), timeout=HELLO_S)
            break
        except OSError as error:
            if time.monotonic() > until:
                what = f"process 0 must be reached here within {gather_s:g} s: {error.strerror or error}"
                raise OSError(error.errno, what, f"{host}:{port}") from error
            time.sleep(RETRY_S)
    link.settimeout(max(0.01, until - time.monotonic()))
    found = _Link(link, link.makefile())
    try:
        link.sendall(f"{rank}\n".encode())
        answer, is_late = found.lines.readline(), False
    except OSError as error:
        answer, is_late = "", isinstance(error, TimeoutError)
    if answer == "all\n":
        link.settimeout(SILENT_S)
        return found
    found.lines.close(), link.close()
    if is_late:
        what = f"process 0 must have met all processes within {gather_s:g} s, it still waits for some"
        raise TimeoutError(errno.ETIMEDOUT, what, f"{host}:{port}")
    raise ConnectionError(f"{host}:{port} must be process 0 of this run, waiting for process {rank}; it hung up")
