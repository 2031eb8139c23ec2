"""Top operations: times without those inside, names with their meaning, a real profile of this machine."""

import subprocess

import jax
import jax.numpy as jnp
import pytest

from perc_jax.bench.device import top
from perc_jax.bench.device.top import Event


def test_an_operation_s_time_is_its_own():
    loop = Event(0, 100, "while"), Event(10, 40, "dot"), Event(15, 20, "copy"), Event(50, 90, "dot")
    other = (Event(0, 30, "dot"), Event(30, 35, "copy"))
    own, runs = top.totals([loop[::-1], other])
    assert own == {"while": 30, "dot": 25 + 40 + 30, "copy": 10} and runs == {"while": 1, "dot": 3, "copy": 2}
    assert sum(own.values()) == 100 + 35  # all that lies under events, once


def test_the_ten_largest_come_first_with_their_shares():
    own, runs = top.totals([[Event(10 * place, 10 * place + place, f"op{place}") for place in range(1, 10)] * 2])
    found = top._top(own, runs, 1e-9, "seconds", {"op9": "mlp/dot_general"})
    assert [one["name"] for one in found] == [f"op{place}" for place in range(9, 0, -1)][: top.SHOWN]
    assert found[0]["what"] == "mlp/dot_general" and sum(one["share"] for one in found) == pytest.approx(1)


def test_a_profile_of_this_machine_knows_what_takes_the_time(tmp_path):
    """A product of large matrices beside a sum of few numbers."""
    run = jax.jit(lambda x, y: (x @ x, jnp.sum(y)))
    given = jnp.ones((512, 512)), jnp.ones(8)
    compiled = run.lower(*given).compile()
    compiled(*given)
    found = top.traced(lambda: compiled(*given), tmp_path, [compiled])
    if found["by"] != "jax.profiler" and jax.__version_info__ >= (0, 12):
        pytest.skip("this jaxlib ends the process that reads a profile")
    assert found["by"] == "jax.profiler"
    first = found["operations"][0]
    assert "dot" in first["name"] + first["what"] and first["share"] > 0.5 and first["seconds"] > 1e-6


def test_without_operations_in_the_profile_the_text_stands_in(tmp_path, monkeypatch):
    aborted = subprocess.CompletedProcess([], -6, "", "")
    monkeypatch.setattr(top.subprocess, "run", lambda *asked, **how: aborted)
    compiled = jax.jit(lambda x: x @ x).lower(jnp.ones((64, 64))).compile()
    found = top.traced(lambda: compiled(jnp.ones((64, 64))), tmp_path, [compiled])
    assert "compiled text" in found["by"]
    assert max(one["bytes"] for one in found["operations"]) >= 64 * 64 * 4
