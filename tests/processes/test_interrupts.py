"""Ctrl-C: one line and exit code 130, whatever the program and its processes are doing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import whole_runs

BUSY = {
    "in Python": "while True: pass",
    "in C": "import time; time.sleep(60)",
    "in a callback that swallows": """
import gc

def swallow(*_):
    try:
        for _ in range(1000):
            pass
    except KeyboardInterrupt:
        pass

gc.callbacks.append(swallow)
while True:
    gc.collect()
""",
    "starting a worker": """
from perc_jax.rewards.verifier import Verifier
while True:
    with Verifier(5.0) as verifier:
        print("begun", flush=True)
""",
}
PROGRAM = """
import sys, threading
from perc_jax.processes import interrupts
if __name__ == "__main__":
    threading.Thread(target=threading.Event().wait, daemon=True).start()  # as a library does when it is imported
    interrupts.leave_with("stopped")
    print("begun", flush=True)
    exec(sys.argv[1])
"""


@pytest.mark.parametrize("doing", BUSY)
def test_ctrl_c_is_answered_at_once_by_one_process(tmp_path: Path, doing: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    command = [sys.executable, str(script), BUSY[doing]]
    environment = os.environ | {"PYTHONPATH": str(whole_runs.ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
    ) as program:
        assert program.stdout.readline() == "begun\n"
        time.sleep(0.3)
        os.killpg(program.pid, signal.SIGINT)
        _, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (130, "error: stopped\n")
    deadline = time.monotonic() + 10
    while whole_runs.living(program.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert whole_runs.living(program.pid) == []
