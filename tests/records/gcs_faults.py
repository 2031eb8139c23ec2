"""A service in front of the emulator of Google Cloud Storage that fails now and then, as the real one does.

    fail   503, and nothing is done
    slow   the answer comes late
    twice  it is done, but the connection breaks before the answer: whoever asked asks again
    cut    the connection breaks in the middle of the answer

By a seed; `DOWN` lets nothing through at all.
"""

import http.client
import random
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

KINDS = ("fail", "slow", "twice", "cut")
DOWN = "down"
SLOW_S = 0.3
HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server")


class Faults:
    """Requests that go wrong: `kind` with probability `share`, by a seed. A context manager that serves at `url`."""

    def __init__(self, to: str, kind: str, share: float = 0.3, seed: int = 0):
        self.kind, self.share, self.counts = kind, share, Counter()
        self._to, self._random, self._lock = urlsplit(to).netloc, random.Random(seed), threading.Lock()
        faults = self

        class Handler(_Handler):
            owner = faults

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def fault(self, what: str) -> str:
        """The fault of a request, or none; one is never struck more than twice in a row, so that all come through."""
        with self._lock:
            if self.kind == DOWN:
                return DOWN
            is_struck = self._random.random() < self.share and self.counts[f"in a row {what}"] < 2
            self.counts[f"in a row {what}"] = self.counts[f"in a row {what}"] + 1 if is_struck else 0
            self.counts[self.kind] += is_struck
            return self.kind if is_struck else ""

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, list, bytes]:
        """What the emulator answers."""
        link = http.client.HTTPConnection(self._to, timeout=60)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            link.close()

    def __enter__(self) -> "Faults":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: Faults
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self._body()
        fault = self.owner.fault(f"{self.command} {self.path}")
        if fault in ("fail", DOWN):
            self._answer(503, [], b"Service Unavailable")
            return
        if fault == "slow":
            time.sleep(SLOW_S)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in (*HOP, "host")}
        status, given, text = self.owner.ask(self.command, self.path, body, headers)
        if fault == "twice":
            self._break()
        else:
            self._answer(status, given, text, is_cut=fault == "cut")

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _pass_on

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, headers: list, text: bytes, is_cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if is_cut:
            self.wfile.write(text[: len(text) // 2])
            self._break()
        elif self.command != "HEAD":
            self.wfile.write(text)

    def _break(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Keep no log."""
