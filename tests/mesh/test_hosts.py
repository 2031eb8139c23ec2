"""Joining hosts: what the environment says is checked before anything waits for the network."""

import jax
import pytest

from perc_jax.mesh import hosts

PLACE = {"JAX_COORDINATOR_ADDRESS": "localhost:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"}


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What `jax.distributed.initialize` is called with, in an environment that says nothing."""
    for name in (*PLACE, "TPU_WORKER_HOSTNAMES"):
        monkeypatch.delenv(name, raising=False)
    calls = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *place, **how: calls.append((place, how)))
    return calls


def test_one_process_joins_nobody(joined, monkeypatch):
    hosts.connect()
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "localhost")
    hosts.connect()
    assert joined == []


def test_the_environment_names_the_place(joined, monkeypatch):
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)
    hosts.connect()
    assert joined == [(("localhost:1", 2, 1), {"cluster_detection_method": "deactivate"})]


def test_a_tpu_slice_knows_its_place_itself(joined, monkeypatch):
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "t-0,t-1")
    hosts.connect()
    assert joined == [((), {})]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("JAX_COORDINATOR_ADDRESS", "localhost", "JAX_COORDINATOR_ADDRESS must be host:port, got 'localhost'"),
        ("JAX_COORDINATOR_ADDRESS", ":80", "JAX_COORDINATOR_ADDRESS must be host:port, got ':80'"),
        (
            "JAX_NUM_PROCESSES",
            None,
            "JAX_NUM_PROCESSES must be a whole number beside JAX_COORDINATOR_ADDRESS, got None",
        ),
        ("JAX_PROCESS_ID", "one", "JAX_PROCESS_ID must be a whole number .*, got 'one'"),
        ("JAX_PROCESS_ID", "2", "JAX_PROCESS_ID must be below JAX_NUM_PROCESSES = 2, got 2"),
    ],
)
def test_a_wrong_place_is_refused(joined, monkeypatch, name, value, message):
    for key, right in (PLACE | {name: value}).items():
        if right is None:
            monkeypatch.delenv(key, raising=False)
        else:
            monkeypatch.setenv(key, right)
    with pytest.raises(ValueError, match=message):
        hosts.connect()
    assert joined == []
