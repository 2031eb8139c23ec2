"""How a peer talks with the bench: one JSON object a line on standard input, one back on standard output.

`{"do": "step"}` is answered with `{"step": [seconds, processor seconds], …}`. Whatever else the peer's libraries print
goes to standard error. No import of jax or torch here: both sides use it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

READY = {"ready": True}
Spent = tuple[float, float]  # seconds, and processor seconds of this process over all its threads


class Clock:
    """Both kinds of seconds since it was made. The second kind means something where others use the machine too."""

    def __init__(self):
        self._since = time.perf_counter(), time.process_time()

    def spent(self) -> Spent:
        """Read it."""
        return time.perf_counter() - self._since[0], time.process_time() - self._since[1]


class Service:
    """The peer's end, made before anything else: from then on, what is printed goes to standard error."""

    def __init__(self):
        self._answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def requests(self) -> Iterator[dict[str, Any]]:
        """Say that all is ready, then give what the bench asks for until it closes the pipe."""
        self.answer(READY)
        for line in sys.stdin:
            yield json.loads(line)

    def answer(self, found: dict[str, Any]) -> None:
        """Answer the last request."""
        self._answers.write(json.dumps(found) + "\n")
        self._answers.flush()

    def serve(self, actions: dict[str, Callable[[], dict[str, Any]]]) -> None:
        """Answer each request by the action it names, until the bench has no more."""
        for request in self.requests():
            self.answer(actions[request["do"]]())
