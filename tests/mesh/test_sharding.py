"""Layouts: every matrix is split, decoding never is over fsdp, host rows go and come back in order."""

import importlib
import math
import os
import subprocess
import sys
from typing import NamedTuple

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, NamedSharding

from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params
from perc_jax.update.optimizer import path_name
from tests.model.cases import small_config

CONFIG = small_config(tied=False)


def test_every_large_parameter_has_a_rule():
    """On a mesh whose axes divide the widths, no matrix stays whole on every device."""
    mesh = sharding.make_mesh(MeshConfig(1, 4, 2))
    for path, leaf in jax.tree_util.tree_leaves_with_path(abstract_params(CONFIG)):
        name = path_name(path)
        if name.endswith(("kernel", "embedding")):
            assert any(sharding.spec_of(name, leaf.shape, mesh)), name
        else:
            assert not any(sharding.spec_of(name, leaf.shape, mesh)), name


@pytest.mark.parametrize("shape", [(1, 8, 1), (1, 4, 2), (2, 16, 8), (1, 64, 1)])
@pytest.mark.parametrize("size", ["3b", "7b", "32b", "72b"])
def test_every_large_parameter_of_the_published_sizes_is_in_as_many_parts_as_divide(size, shape):
    mesh = AbstractMesh(shape, sharding.AXES)
    model = importlib.import_module(f"configs.data_engine_{size}").get_config().model
    wanted = mesh.shape["fsdp"] * mesh.shape["tensor"]
    for path, leaf in jax.tree_util.tree_leaves_with_path(abstract_params(model)):
        name = path_name(path)
        spec = sharding.spec_of(name, leaf.shape, mesh)
        parts = leaf.size // math.prod(NamedSharding(mesh, spec).shard_shape(leaf.shape))
        if leaf.size >= 1_000_000:
            # An odd side (3420, 1176) may stop one axis; then the other side must have taken what divides it.
            sides = [math.gcd(side, wanted) for side in leaf.shape[-2:]]
            assert parts == wanted or parts >= max(sides), (name, leaf.shape, spec)


def test_heads_that_the_tensor_axis_does_not_divide_are_refused():
    mesh = sharding.make_mesh(MeshConfig(1, 2, 4))
    sharding.check_heads(mesh, 8)
    with pytest.raises(ValueError, match=r"mesh.tensor must divide the model's 2 key/value heads, got 4"):
        sharding.check_heads(mesh, 2)


def test_decoding_weights_are_never_split_over_fsdp():
    mesh = sharding.make_mesh(MeshConfig(2, 2, 2))
    layouts = jax.tree.leaves(sharding.rollout_shardings(abstract_params(CONFIG), mesh))
    assert all("fsdp" not in layout.spec for layout in layouts)
    assert any("tensor" in layout.spec for layout in layouts)


def test_a_dimension_that_does_not_divide_is_replicated():
    mesh = sharding.make_mesh(MeshConfig(1, 8, 1))
    assert sharding.spec_of("text/layers/mlp/up/kernel", (2, 12, 16), mesh) == jax.sharding.PartitionSpec(
        None, None, None
    )


@pytest.mark.parametrize("shape", [(1, 8, 1), (2, 4, 1), (2, 2, 2), (1, 1, 8)])
def test_rows_come_back_as_they_went(shape):
    mesh = sharding.make_mesh(MeshConfig(*shape))
    rows = {"a": np.arange(48, dtype=np.float32).reshape(16, 3), "b": np.arange(16)}
    back = sharding.rows_to_host(sharding.rows_to_mesh(rows, mesh))
    assert all(np.array_equal(back[name], rows[name]) for name in rows)


class Device(NamedTuple):
    """A chip as JAX describes one of several slices."""

    id: int
    slice_index: int
    platform: str = "tpu"


def test_slices_share_out_replicas_and_nothing_else():
    chips = [Device(place, place % 2) for place in range(16)]  # in an order that mixes them
    shape = (2, 4, 2)
    grid = np.array([chip.slice_index for chip in sharding.by_slice(chips, 2)]).reshape(shape)
    assert (grid == np.arange(2)[:, None, None]).all()
    grid = np.array([chip.slice_index for chip in sharding.by_slice(chips, 4)]).reshape(4, 2, 2)
    assert all(len(set(replica.flat)) == 1 for replica in grid)
    for replica in (1, 3):
        with pytest.raises(ValueError, match=f"mesh.replica must be a multiple of the 2 slices, got {replica}"):
            sharding.by_slice(chips, replica)
    for others in ([Device(0, 0), Device(1, 0)], [Device(0, 1, "gpu"), Device(1, 0, "gpu")]):
        assert sharding.by_slice(others, 1) == others


@pytest.mark.parametrize(
    ("config", "count", "on_cpu", "shape"),
    [
        (MeshConfig(cpu_replicas=2), 2, True, (2, 1, 1)),
        (MeshConfig(cpu_replicas=2), 8, True, (2, 4, 1)),  # two processes of four devices, or flags of XLA's
        (MeshConfig(cpu_replicas=2), 1, True, (1, 1, 1)),  # a program that had used JAX before
        (MeshConfig(cpu_replicas=2), 8, False, (1, 8, 1)),
        (MeshConfig(fsdp=8, cpu_replicas=2), 8, True, (1, 8, 1)),
        (MeshConfig(tensor=2, cpu_replicas=2), 8, True, (1, 4, 2)),
        (MeshConfig(replica=4, cpu_replicas=2), 8, True, (4, 2, 1)),
    ],
)
def test_replicas_of_a_cpu_are_those_of_a_mesh_that_is_left_open(config, count, on_cpu, shape):
    assert sharding.mesh_shape(config, count, on_cpu) == shape


SAY = """
import os
import jax
if os.environ.get("EARLIER"):
    jax.devices()
from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
for _ in range(2):
    sharding.take_cores(MeshConfig(cpu_replicas=3))
print(dict(sharding.make_mesh(MeshConfig(cpu_replicas=3)).shape))
"""
WITHOUT = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ({}, (3, 1, 1)),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=6"}, (3, 2, 1)),
        ({"JAX_NUM_CPU_DEVICES": "1"}, (1, 1, 1)),
        ({"EARLIER": "1"}, (1, 1, 1)),
    ],
)
def test_a_cpu_is_as_many_devices_as_replicas_unless_jax_was_told_otherwise(said, shape):
    variables = WITHOUT | {"JAX_PLATFORMS": "cpu"} | said
    ended = subprocess.run([sys.executable, "-c", SAY], env=variables, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == str(dict(zip(sharding.AXES, shape, strict=True)))


def test_a_mesh_that_does_not_use_all_devices_is_refused():
    with pytest.raises(ValueError, match="mesh must use all 8 devices, got replica 3"):
        sharding.make_mesh(MeshConfig(replica=3))
    with pytest.raises(ValueError, match="mesh must use all 8 devices"):
        sharding.make_mesh(MeshConfig(fsdp=2))
