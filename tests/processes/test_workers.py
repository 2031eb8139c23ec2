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


OTHERS = """
import multiprocessing, sys
sys.path.insert(0, {root!r})
from perc_jax.benchmarks.symbolic import Comparer
from perc_jax.data import batches, streams
from perc_jax.rewards.verifier import Verifier
from tests.short_run import get_config

def name(_):
    return __name__

def pooled():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply_async(name, (1,)).get(timeout=30)

def drawn(numbers):
    import grain
    dataset = grain.MapDataset.source(numbers).map(name).to_iter_dataset()
    return list(dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=1)))

print("main" if __name__ == "__main__" else "again", flush=True)
if __name__ == "__main__":
    with Verifier(20.0) as verifier:
        found = [pooled()]
    {then}
    print(*found, pooled(), flush=True)
"""
GRAIN = """
    config = get_config()
    own = streams.of_suite(config, "test_a", 8)
    with batches.Stream(own, 1) as stream:
        next(stream)
        found += [pooled(), *drawn([1])]
    found += drawn([1])"""


@pytest.mark.parametrize(("then", "others"), [("", 2), (GRAIN, 5)], ids=["a pool", "Grain"])
def test_processes_that_others_start_are_theirs(tmp_path, then, others):
    """They find the functions of the program's own main module, which is what our workers do not import."""
    script = tmp_path / "user.py"
    script.write_text(OTHERS.format(root=str(ROOT), then=then))
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    *mains, found = ended.stdout.splitlines()
    assert mains == ["main"] + ["again"] * others
    assert len(found.split()) == others and set(found.split()) <= {"__mp_main__", "__main__"}  # by value, from Grain
