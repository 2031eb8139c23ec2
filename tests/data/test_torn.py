"""A worker that is really killed within a send: the process ends soon and says so, and does not wait for the rest."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from perc_jax.data.batches import LOOK_S, LOST_S
from perc_jax.processes import ends
from tests import ROOT, whole_runs
from tests.data.torn import KILLED

WCHAN = Path("/proc/self/wchan")  # says in what a thread waits


@pytest.mark.slow
@pytest.mark.skipif(not WCHAN.exists(), reason="this system does not say what a thread waits for")
def test_a_worker_killed_within_a_send_ends_the_process():
    words = [sys.executable, "-m", "tests.data.torn"]
    variables = whole_runs.environment(None)
    with subprocess.Popen(
        words, cwd=ROOT, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        said = run.stdout.readline().strip()
        began = time.monotonic()
        _, complaint = run.communicate(timeout=120)
    assert said == KILLED, complaint
    assert run.returncode == ends.FAILED
    [line] = [line for line in complaint.splitlines() if line.startswith("error: ")]
    assert line == "error: a data worker was killed while it sent a batch; the same command resumes"
    assert LOST_S <= time.monotonic() - began < LOST_S + 10 * LOOK_S + 10
