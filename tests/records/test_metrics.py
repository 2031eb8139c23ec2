"""Metrics survive kills and resumes; phases sum to the step; compiles are counted."""

import json
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.records.metrics import CompileCounter, Idle, Metrics, Timer, peak_rss_bytes, read_metrics


def test_lines_are_readable_at_once_and_exact(tmp_path):
    metrics = Metrics(str(tmp_path))
    third = np.float32(1) / np.float32(3)
    metrics.write(1, "sft", {"train/loss": third, "train/tokens": jnp.int32(5), "train/nan": float("nan")})
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert line == {"step": 1, "stage": "sft", "train/loss": float(third), "train/tokens": 5, "train/nan": None}
    assert np.float32(line["train/loss"]) == third
    metrics.close()


def run(workdir, steps, start=0):
    metrics = Metrics(str(workdir))
    metrics.truncate_after(start)
    for step in range(start + 1, steps + 1):
        metrics.write(step, "grpo", {"train/loss": 1 / step})
    metrics.close()


def test_resumed_file_equals_the_uninterrupted_one(tmp_path):
    run(tmp_path / "straight", 9)
    run(tmp_path / "killed", 7)
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "stage": "gr')  # a kill tore this line
    assert [record["step"] for record in read_metrics(str(tmp_path / "killed"))] == list(range(1, 8))
    run(tmp_path / "killed", 9, start=5)  # the newest checkpoint was of step 5
    straight, killed = (tmp_path / name / "metrics.jsonl" for name in ("straight", "killed"))
    assert straight.read_bytes() == killed.read_bytes()


def test_torn_line_goes_even_without_truncation(tmp_path):
    run(tmp_path, 3)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4}')  # whole JSON, but its newline never came
    metrics = Metrics(str(tmp_path))
    metrics.write(4, "grpo", {})
    metrics.close()
    assert [record["step"] for record in read_metrics(str(tmp_path))] == [1, 2, 3, 4]


def test_a_workdir_without_metrics_reads_as_empty(tmp_path):
    assert read_metrics(str(tmp_path)) == []


def test_rewriting_for_objects_that_cannot_grow_gives_the_same_file(tmp_path):
    run(tmp_path / "local", 4)
    metrics = Metrics(str(tmp_path / "object"))
    metrics._remote = True
    for step in range(1, 5):
        metrics.write(step, "grpo", {"train/loss": 1 / step})
    metrics.truncate_after(3)
    metrics.write(4, "grpo", {"train/loss": 1 / 4})
    assert (tmp_path / "object" / "metrics.jsonl").read_text() == (tmp_path / "local" / "metrics.jsonl").read_text()


def test_phases_sum_to_the_step_and_inner_phases_stop_the_outer():
    clock = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 20.0])
    timer = Timer(lambda: next(clock))
    with timer.phase("rollout"), timer.phase("reward"):
        pass
    assert timer.finish() == {"time/other_s": 6.0, "time/rollout_s": 6.0, "time/reward_s": 3.0, "time/step_s": 15.0}
    assert timer.finish() == {"time/other_s": 5.0, "time/step_s": 5.0}


def test_a_phase_that_raises_is_charged_and_left():
    timer = Timer()
    with pytest.raises(KeyError), timer.phase("rollout"):
        raise KeyError
    seconds = timer.finish()
    assert set(seconds) == {"time/other_s", "time/rollout_s", "time/step_s"}


def test_compiles_are_counted_and_named_until_closed():
    def doubled(x):
        return x * 2

    with CompileCounter() as counter:
        program = jax.jit(doubled)
        x = np.ones(3, np.float32)
        program(x), program(x)
        assert counter.count == 1
        assert "doubled" in counter.names[0]
        program(np.ones(4, np.float32))
        assert counter.count == 2 and counter.seconds > 0
    program(np.ones(5, np.float32))
    assert counter.count == 2


def test_peak_memory_counts_children():
    alone = peak_rss_bytes()
    assert alone > 20e6
    hold = "import sys; x = b'x' * 60_000_000; print('up', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"up\n"
    both = peak_rss_bytes()
    child.communicate()
    assert both - alone > 55e6


def test_writing_is_cheap(tmp_path):
    metrics = Metrics(str(tmp_path))
    values = {f"train/value_{i}": 0.1 * i for i in range(40)}
    start = time.perf_counter()
    for step in range(100):
        metrics.write(step, "grpo", values)
    assert (time.perf_counter() - start) / 100 < 0.01
    metrics.close()


class Held:
    """An array that is ready when told."""

    def __init__(self):
        self.ready = threading.Event()

    def block_until_ready(self):
        self.ready.wait()


def test_idle_seconds_are_those_in_which_nothing_is_under_way():
    """Devices: idle for 1 s, busy for 2 (an update), of which the host waits 1, on for 3 with a rollout, idle for 4."""
    now, array = [0.0], Held()
    idle = Idle(lambda: now[0])
    now[0] += 1
    idle.until(array)
    now[0] += 1
    assert idle.device_s() == 1
    with idle.waiting():
        now[0] += 1
        array.ready.set()
        while idle._tasks > 1:
            time.sleep(0.001)
        now[0] += 3
    now[0] += 4
    assert idle.finish() == {"time/device_idle_s": 5, "time/host_idle_s": 4}
    now[0] += 1
    assert idle.finish() == {"time/device_idle_s": 1, "time/host_idle_s": 0}
