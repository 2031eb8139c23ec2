"""A worker process: what it imports, where it computes, and that it ends with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import ROOT

PARENT = """
import sys
sys.path.insert(0, {root!r})
print("main", flush=True)  # once: workers do not import this file

import multiprocessing, os
from tests.processes import test_workers
from engines.answer import Answer
from perc_jax.rewards.verifier import Verifier

if __name__ == "__main__":
    verifier = Verifier(20.0, judge=test_workers.setting)
    [verdict] = verifier.verify(["JAX_PLATFORMS"], [Answer.integer(1)])
    print(verdict.parsed, multiprocessing.active_children()[0].pid, flush=True)
    {then}
"""


def setting(text: str, answer: object) -> object:
    """Serve as a verifier: the environment's value of that name."""
    from perc_jax.rewards.verifier import Verdict

    return Verdict(False, False, os.environ[text])


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("then", ["os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)"])
def test_a_worker_starts_small_and_dies_with_its_parent(tmp_path, then):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(root=str(ROOT), then=then))
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    parent = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.returncode in (-signal.SIGKILL, -signal.SIGTERM)
    first, second = parent.stdout.splitlines()
    platform, pid = second.split()
    assert first == "main" and platform == "cpu"
    deadline = time.monotonic() + 10
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(pid))
