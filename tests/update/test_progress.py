"""Replicas add up once an update: what travels between them, and where their sums lie."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from configs.smoke_cpu import get_config
from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
from perc_jax.plan.memory import device_bytes
from perc_jax.programs.blueprints import Blueprints
from perc_jax.prompt import tokenizer
from tests.programs.test_programs import tiny

CONFIG = tiny()
LISTED = re.compile(r"(?:replica_groups|source_target_pairs)=\{(\{[\d,{}]*\})\}")
COUNTED = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
BY_AXES = re.compile(r"replica_groups=mesh\[(\S+)\](?:, device_ids=\(\[([\d,]+)\]T\(([\d,]+)\)\))? \{(\S+)\}")


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def counted(whole: str, order: str) -> np.ndarray:
    """Devices 0, 1, … in an array of a shape, turned."""
    devices = np.arange(np.prod(numbers(whole))).reshape(numbers(whole))
    return devices.transpose(numbers(order)) if order else devices


def groups(program: str) -> list[list[int]]:
    """The devices that exchange something with each other in a compiled program: its text has three ways to say it."""
    found = [numbers(one) for many in LISTED.findall(program) for one in re.findall(r"\{([\d,]+)\}", many)]
    for shape, whole, order in COUNTED.findall(program):
        found += counted(whole, order).reshape(numbers(shape)).tolist()
    for mesh, whole, order, axes in BY_AXES.findall(program):
        sizes = {name: int(size) for name, size in re.findall(r"'(\w+)'=(\d+)", mesh)}
        devices = counted(whole or str(np.prod([*sizes.values()])), order).reshape([*sizes.values()])
        taken = [place for place, name in enumerate(sizes) if f"'{name}'" in axes]
        ends = range(-len(taken), 0)
        found += np.moveaxis(devices, taken, ends).reshape(-1, np.prod([devices.shape[one] for one in taken])).tolist()
    return found


def crossing(program: str, replica: int) -> int:
    """How many groups have devices of several replicas, of so many devices each."""
    return sum(len({device // replica for device in group}) > 1 for group in groups(program))


@pytest.fixture(scope="module")
def update():
    mesh = sharding.make_mesh(MeshConfig(2, 4, 1))
    return Blueprints(CONFIG, tokenizer.load(CONFIG.data.tokenizer).ids, mesh).update(CONFIG.stages[0])


def test_a_micro_batch_sends_nothing_from_replica_to_replica(update):
    (gradient,) = (program.compile().as_text() for program in update.gradients.values())
    assert len(groups(gradient)) > 0
    assert crossing(gradient, 4) == 0
    assert crossing(update.finish.compile().as_text(), 4) > 0


def test_each_replica_keeps_its_own_sums_and_no_more(update):
    kept, state = update.finish.arguments["progress"], update.finish.arguments["state"]
    for sums, leaf in zip(*map(jax.tree.leaves, (kept.gradient, state.params)), strict=True):
        assert sums.shape == (2, *leaf.shape) and sums.sharding.shard_shape(sums.shape)[0] == 1
    assert device_bytes(kept.gradient) == device_bytes(state.params)
    assert all(leaf.shape == (2,) for leaf in kept.sums)


def test_beside_tensor_all_devices_add_up_at_once():
    mesh = sharding.make_mesh(MeshConfig(2, 2, 2))
    config = dataclasses.replace(CONFIG, model=get_config().model)  # whose key/value heads two devices can share
    update = Blueprints(config, tokenizer.load(config.data.tokenizer).ids, mesh).update(config.stages[0])
    kept, state = update.finish.arguments["progress"], update.finish.arguments["state"]
    assert [leaf.shape for leaf in jax.tree.leaves(kept.gradient)] == [
        leaf.shape for leaf in jax.tree.leaves(state.params)
    ]
