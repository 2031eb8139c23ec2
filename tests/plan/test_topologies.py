"""Names of machines: what they mean, and what is said of those that are none."""

import importlib.util
import json
import subprocess
import sys

import pytest

from perc_jax.plan import topologies
from tests import ROOT

needs_libtpu = pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed")


@pytest.mark.parametrize(
    ("name", "devices", "gib"),
    [("v5e:2x4", 8, 16), ("v6e:2x2", 4, 32), ("v5p:2x2x1", 4, 96), ("v4:4x4x4", 64, 32), ("tpu7x:2x2x1", 8, 96)],
)
def test_a_slice_has_its_devices_and_their_memory(name, devices, gib):
    topology = topologies.parse(name)
    assert topology.name == name and topology.devices == devices
    assert gib * 0.95 <= topology.chip.memory_bytes / topologies.GIB < gib
    assert topologies.environment(topology)["JAX_PLATFORMS"] == "cpu"


def test_slices_are_joined():
    topology, one = topologies.parse("2xv5e:4x4"), topologies.parse("v5e:4x4")
    assert (topology.name, topology.slice_name) == ("2xv5e:4x4", "v5e:4x4") and topology.devices == 2 * one.devices
    assert topologies.description(topology) == ("v5e:4x4", {"num_slices": 2})
    assert topologies.environment(topology) == topologies.environment(one)
    assert [other.name for other in topologies.larger(topology)][:1] == ["2xv5e:4x8"]


def test_every_listed_slice_can_be_parsed_and_grows():
    for family in topologies.SLICES:
        smallest = topologies.parse(f"{family}:{topologies.SLICES[family].split()[0]}")
        sizes = [other.devices for other in topologies.larger(smallest)]
        assert sizes == sorted(sizes) and sizes[0] == 2 * smallest.devices


@pytest.mark.parametrize(("name", "gb"), [("h100:8", 80), ("h200:1", 141), ("a100:16", 80), ("l40s:4", 48)])
def test_gpus_have_what_their_sheets_say_but_for_a_share_of_the_memory(name, gb):
    topology = topologies.parse(name)
    assert topology.name == name and topology.devices == int(name.partition(":")[2])
    assert topology.chip.memory_bytes == int(topologies.GPU_SHARE * gb * 1e9) and topology.chip.is_gpu
    assert topology.link == (topology.chip.network if topology.devices > 8 else topology.chip.link) > 0
    assert topology.chip.source and topology.chip.flops > 100 * topology.chip.bandwidth
    assert topologies.environment(topology)["XLA_FLAGS"].endswith(f"device_count={topology.devices}")


def test_the_cpu_is_cut_into_devices():
    assert topologies.parse("cpu:8").devices == 8
    assert "device_count=8" in topologies.environment(topologies.parse("cpu:8"))["XLA_FLAGS"]
    assert topologies.larger(topologies.parse("cpu:8")) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v9:2x2", "must begin with one of v4, v5e, v5p, v6e, tpu7x, cpu, h100, h200, a100, l40s, got 'v9:2x2'"),
        ("h100", "h100 must have 1 dimensions like h100:8, got 'h100'"),
        ("h200:12", "h200 must have 1, 2, 4 or 8 GPUs, or whole nodes of 8, got 'h200:12'"),
        ("l40s:16", "l40s must have 1, 2, 4 or 8 GPUs of one node, got 'l40s:16'"),
        ("v5e", "v5e must have 2 dimensions like v5e:2x4, got 'v5e'"),
        ("v5p:2x4", "v5p must have 3 dimensions like v5p:2x2x1, got 'v5p:2x4'"),
        ("v6e:0x2", "v6e must have 2 dimensions"),
        ("0xv5e:4x4", "must begin with one of"),
        ("2xv5e:4", "v5e must have 2 dimensions like v5e:2x4, got '2xv5e:4'"),
        ("2xh100:8", "h100 must be one machine, only TPU slices are joined, got '2xh100:8'"),
        ("cpu:2x2", "cpu must have 1 dimensions like cpu:8"),
        ("v5e:1x1", "v5e must be made of hosts of 2x2 chips, got 'v5e:1x1'"),
        ("v6e-8", "must be written family:grid, v6e:2x4, got 'v6e-8'"),
        ("v5litepod-16", "must be written family:grid, v5e:4x4, got 'v5litepod-16'"),
        ("v5p-16", "must be written family:grid, v5p:2x2x2, got 'v5p-16'"),
        ("v5e-1", "must be written family:grid, v5e:…, got 'v5e-1'"),
    ],
)
def test_a_name_that_is_none_is_told_what_is(name, message):
    with pytest.raises(ValueError, match=message.replace("'", ".")):
        topologies.parse(name)


@needs_libtpu
@pytest.mark.parametrize(
    ("size", "name", "hosts", "same_rows"),
    [
        ("32b", "v5p:2x2x4", 4, [[0, 1], [2, 3]]),
        ("32b", "v5p:2x4x4", 8, [[0, 1], [2, 3], [4, 5], [6, 7]]),
        ("72b", "v5p:4x4x4", 16, [[2 * pair, 2 * pair + 1] for pair in range(8)]),
        ("7b", "v5e:2x4", 2, []),
    ],
)
def test_the_hosts_of_a_slice_that_share_rows_are_named(size, name, hosts, same_rows):
    """In a process of its own: the compiler for TPUs must be told of its slice before jax is imported."""
    code = f"""
import json, os
from perc_jax.plan import topologies
topology = topologies.parse({name!r})
os.environ.update(topologies.environment(topology))
from configs.data_engine_{size} import get_config
from perc_jax.mesh import sharding
from perc_jax.plan import forecast
from perc_jax.programs.blueprints import Blueprints
config = get_config()
mesh = sharding.make_mesh(config.mesh, forecast.devices(topology))
print(json.dumps(forecast.hosts(Blueprints(config, forecast.stand_in_ids(config), mesh))))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["count"], found["same_rows"]) == (hosts, same_rows)
