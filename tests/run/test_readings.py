"""What a step tells once it is over: rates by what was there, not by what fits; which host the others wait for."""

import contextlib
import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import PromptBatch
from perc_jax.bench import machines
from perc_jax.mesh import sharding
from perc_jax.plan import flops
from perc_jax.processes.progress import Progress
from perc_jax.run import readings
from perc_jax.run.journal import Journal
from perc_jax.run.readings import Exchanges, Pending, Readings
from tests.plan.test_flops import blueprints, config

PEAK = machines.published_flops("NVIDIA H100 80GB HBM3")
DEVICE = {"train/loss": jnp.float32(0.5), "train/tokens": jnp.float32(60), "train/is_finite": jnp.float32(1)}
HOST = {"time/step_s": 2.0, "time/host_idle_s": 0.5, "rollout/completion_length": 5.0, "rollout/accuracy": 0.25}


@pytest.fixture(scope="module")
def made():
    return config()


@pytest.fixture
def reads(made, tmp_path, monkeypatch):
    """Makes readings of a device with a peak; gives them, their lines and the screen's text."""
    monkeypatch.setattr(readings, "published_flops", lambda kind: PEAK)
    screen = Progress(60.0, stream=io.StringIO())
    with screen, contextlib.closing(Journal(str(tmp_path), made, (), print)) as journal:
        found = Readings(made, blueprints(made), journal, screen)
        yield (
            found,
            lambda: [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()],
            screen,
        )
        found.close()


def prompts(tokens: int, patches: int) -> PromptBatch:
    """Two prompts of which the second holds nothing, in places for 16 tokens and 64 patches."""
    nothing = np.zeros((2, 1), np.int32)
    mask, image = np.zeros((2, 16), bool), np.full((2, 64), -1)
    mask[0, 16 - tokens :], image[0, :patches] = True, 0
    return PromptBatch(nothing, mask, nothing, nothing, nothing, nothing, nothing, image)


def step(made, number: int = 7, **host: float) -> Pending:
    return Pending.of(number, made.stages[0], [DEVICE], HOST | host, prompts(10, 32))


def test_a_step_is_written_with_its_rates(made, reads):
    found, lines, screen = reads
    found.read(step(made))
    [line] = lines()
    assert (line["step"], line["stage"], line["rate/tokens_per_s"]) == (7, made.stages[0].name, 30.0)
    lengths = flops.Lengths(5.0, 5.0, 16.0)  # on average over two prompts, one of which is empty
    work = flops.step_work(made, made.stages[0], trains_vision=True, lengths=lengths)
    used = (work.prefill + work.decode + work.clip + work.update) / 2.0
    assert line["rate/mfu"] == pytest.approx(used / (PEAK * jax.device_count()), rel=1e-12)
    assert "tokens/s 30" in screen.status() and "mfu" in screen.status() and "accuracy 0.25" in screen.status()


def test_rounds_are_counted_and_what_the_update_left_out_is_not(made, reads):
    found, lines, _ = reads
    found.read(step(made))
    found.read(step(made, **{"groups/rounds": 3.0, "train/skipped_share": 0.75}))
    once, other = (line["rate/mfu"] for line in lines())
    work = flops.step_work(made, made.stages[0], trains_vision=True, lengths=flops.Lengths(5.0, 5.0, 16.0))
    rollout = work.prefill + work.decode + work.clip
    assert other / once == pytest.approx((3 * rollout + work.update / 4) / (rollout + work.update))


def test_a_device_without_a_published_peak_has_no_mfu(made, reads):
    found, lines, _ = reads
    found._peak = machines.published_flops(jax.devices()[0].device_kind)
    found.read(step(made))
    assert "rate/tokens_per_s" in lines()[0] and "rate/mfu" not in lines()[0]


def test_nothing_pending_is_nothing_to_read(reads):
    assert reads[0].read(None) is None and not reads[2].status()


def test_a_run_whose_sampler_drifts_or_whose_gradients_are_lost_is_stopped(made, reads):
    found, lines, _ = reads
    with pytest.raises(RuntimeError, match=r"^sampler and trainer differ by 0\.9 in mean probability at step 7$"):
        found.read(step(made, **{"mismatch/prob_diff_mean": 0.9}))
    lost = step(made)._replace(device=[DEVICE | {"train/is_finite": jnp.float32(0)}])
    with pytest.raises(RuntimeError, match="the gradient was not finite for 5 steps"):
        for _ in range(5):
            found.read(lost)
    assert len(lines()) == 6  # written before it ends


def test_one_host_is_not_compared(reads):
    assert reads[0].of_hosts(1.5) == {}


def test_the_slowest_host_is_the_one_that_waits_least(reads, monkeypatch):
    """This one was busy for 1.5 s, of which it waited 0.4 within exchanges."""
    brought = []

    def each(value: float) -> list[float]:
        brought.append(value)
        return [value, 0.25, 1.25]

    monkeypatch.setattr(sharding, "of_each_host", each)
    reads[0].begin()
    for seconds in (0.1, 0.3):
        jax.monitoring.record_event_duration_secs(sharding.EXCHANGE, seconds)
    jax.monitoring.record_event_duration_secs("/another/event", 9.0)
    found = reads[0].of_hosts(1.5)
    assert brought == [pytest.approx(1.1)]
    assert found == {
        "hosts/own_s/0": pytest.approx(1.1), "hosts/own_s/1": 0.25, "hosts/own_s/2": 1.25, "hosts/slowest": 2.0,
    }  # fmt: skip
    reads[0].of_hosts(0.1)
    assert brought[1] == 0.1  # what was waited is counted once


def test_what_is_waited_before_a_step_is_not_its_own():
    exchanges = Exchanges()
    jax.monitoring.record_event_duration_secs(sharding.EXCHANGE, 2.0)
    assert (exchanges.take(), exchanges.take()) == (2.0, 0.0)
    exchanges.close()
    jax.monitoring.record_event_duration_secs(sharding.EXCHANGE, 2.0)
    assert exchanges.take() == 0.0
