"""A stream whose worker is killed while it writes to its pipe: `python -m tests.data.torn`.

Says when it has killed it, then asks for the rest.
"""

import multiprocessing
import time
from pathlib import Path

from perc_jax.data.batches import GRAIN, Stream

KILLED = "killed while it wrote"
COUNT = 40
LIMIT_S = 60.0


class Long:
    """Stands for batches: each is far longer than a pipe holds, so that sending it takes two looks of the reader."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, number: int) -> str:
        return f"{number:03}" * 10**6


def is_writing(pid: int) -> bool:
    """Whether a thread of a process waits for a reader of its pipe."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            if "pipe_write" in (thread / "wchan").read_text():
                return True
        except OSError:  # it has ended
            continue
    return False


def main() -> None:
    """Draw one, kill, draw on."""
    stream = Stream(Long(), workers=1)
    next(stream)
    [worker] = [one for one in multiprocessing.active_children() if one.name.startswith(GRAIN)]
    until = time.monotonic() + LIMIT_S
    while not is_writing(worker.pid):
        if time.monotonic() > until:
            raise SystemExit("the worker never waited for its reader")
        time.sleep(0.001)
    worker.kill()
    print(KILLED, flush=True)
    for _ in stream:
        pass
    print("whole", flush=True)


if __name__ == "__main__":
    main()
