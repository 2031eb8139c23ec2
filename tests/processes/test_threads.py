"""No thread or worker process outlives what began it when an exception passes, and a program ends by its own code."""

import ast
import contextlib
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.answer import Answer
from perc_jax.benchmarks.symbolic import Comparer
from perc_jax.data.streams import stream
from perc_jax.processes.heart import Heart
from perc_jax.processes.progress import Progress
from perc_jax.records.attempts import Attempt
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.records.metrics import Idle
from perc_jax.records.owner import Owner
from perc_jax.rewards.verifier import Verifier
from tests import ROOT, whole_runs
from tests.data.test_batches import STAGE, config
from tests.records.test_checkpoint import CONFIG, make_state

# Who begins a thread by hand, and why it may be there when the interpreter ends: it is waited for, or it waits within
# the interpreter, which can end it there. One that waits within C++, for a device for instance, it cannot end.
BY_HAND = {
    "mesh/passage.py": "reads from a socket, or waits for a connection",
    "records/owner.py": "joined",
    "processes/progress.py": "joined",
    "processes/heart.py": "joined, or waits for a file system that hangs",
    "processes/interrupts.py": "reads from a pipe",
    "processes/notices.py": "sleeps, or waits some seconds for a server's answer",
    "processes/peers.py": "reads from a socket, or sleeps",
    "processes/workers.py": "sleeps, and waits for a signal, in a worker process",
    "rewards/functions.py": "ends its worker process, unless told otherwise",
}

KEPT = ("worker", "_handle_workers", "_handle_tasks", "_handle_results")  # of the one pool that Grain has in a process

PROGRAM = """
from perc_jax.processes import ends
with ends.told():
    import jax, jax.numpy as jnp
    from perc_jax.records.metrics import Idle
    idle, x = Idle(), jnp.ones((256, 256))
    work = jax.jit(lambda x: jax.lax.fori_loop(0, 400, lambda _, y: jnp.sin(y @ y), x))
    idle.until(work(x))
    raise RuntimeError("it could not go on")
"""


def threads() -> set[threading.Thread]:
    """Those of this process that a library does not keep for good."""
    return {one for one in threading.enumerate() if not one.name.endswith(tuple(f"({name})" for name in KEPT))}


class Slow:
    """An array that is there after a while."""

    def block_until_ready(self) -> None:
        time.sleep(0.3)


def idle(opened: contextlib.ExitStack, _: Path) -> None:
    opened.enter_context(contextlib.closing(Idle())).until(Slow())


def progress(opened: contextlib.ExitStack, _: Path) -> None:
    screen = opened.enter_context(Progress(60.0, quiet=True))
    opened.enter_context(screen.phase("data"))


def owner(opened: contextlib.ExitStack, folder: Path) -> None:
    opened.enter_context(Owner(str(folder)))


def heart(opened: contextlib.ExitStack, folder: Path) -> None:
    opened.enter_context(Heart(str(folder), Attempt(1, 0.0, 1), 0, lambda: ("", 0.0)))


def checkpoint(opened: contextlib.ExitStack, folder: Path) -> None:
    checkpoints = opened.enter_context(contextlib.closing(Checkpoints(str(folder), keep=1)))
    checkpoints.save(1, make_state(1), {"step": 1}, CONFIG)


def batches(opened: contextlib.ExitStack, _: Path) -> None:
    next(opened.enter_context(stream(config(workers=1), STAGE, 0)))


def verifier(opened: contextlib.ExitStack, _: Path) -> None:
    opened.enter_context(Verifier(20.0)).verify(["<answer>7</answer>"], [Answer.integer(7)])


def comparer(opened: contextlib.ExitStack, _: Path) -> None:
    pytest.importorskip("math_verify", reason="math-verify compares formulas")
    assert opened.enter_context(Comparer())("1", "1.0", "exact")


@pytest.mark.parametrize("begin", [idle, progress, owner, heart, checkpoint, batches, verifier, comparer])
def test_an_exception_ends_what_was_begun(tmp_path: Path, begin: Callable[[contextlib.ExitStack, Path], None]) -> None:
    before, children = threads(), set(multiprocessing.active_children())
    with pytest.raises(RuntimeError, match="could not go on") as caught, contextlib.ExitStack() as opened:
        begin(opened, tmp_path)
        has_begun = threads() - before or set(multiprocessing.active_children()) - children
        raise RuntimeError("it could not go on")
    assert caught.tb and has_begun  # its frames are still there, as at the end of a program
    assert threads() <= before
    assert set(multiprocessing.active_children()) <= children


def test_a_program_ends_by_its_code_while_devices_are_at_work() -> None:
    """In a process of its own: it is the interpreter's end that a waiting thread would turn into an abort."""
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, cwd=ROOT, env=whole_runs.environment(None), capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (1, "error: it could not go on\n")


def test_threads_are_begun_by_hand_where_it_is_known_how_they_end() -> None:
    folder = ROOT / "perc_jax"
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("threading.Thread", "threading.Timer")
    }
    assert found == BY_HAND.keys()
