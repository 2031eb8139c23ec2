"""What a rollout holds beside its programs' own: of conversations in slots."""

import dataclasses

import jax
import pytest

from configs import jigsaw_cpu
from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
from perc_jax.plan import forecast, memory
from perc_jax.programs.blueprints import Blueprints


@pytest.fixture(scope="module")
def plans():
    """Of the jigsaw with room for all of a step's prompts and for four of sixteen, by slots."""
    config, mesh = jigsaw_cpu.get_config(), sharding.make_mesh(MeshConfig(1, 1, 1), jax.devices()[:1])
    stage = config.stages[1]
    stage = dataclasses.replace(stage, optimizer=dataclasses.replace(stage.optimizer, frozen=("^vision/",)))
    found = {}
    for slots in (0, 4):
        rollout = dataclasses.replace(config.rollout, slots=slots)
        one = dataclasses.replace(config, rollout=rollout, stages=(stage,))
        blueprints = Blueprints(one, forecast.stand_in_ids(config), mesh)
        found[slots] = blueprints, stage, blueprints.rollout(stage)
    return found


def held(plan, kind: str) -> memory.Split:
    """All that lives while a program runs, but for its temporaries."""
    blueprints, stage, rollout = plan
    extend = rollout.talk.extend[0, max(rollout.decode)]
    program = {"decode": rollout.decode[max(rollout.decode)], "extend": extend, "prefill": rollout.prefill}[kind]
    return memory.arrays(program).plus(memory.alive_elsewhere(program, blueprints, stage))


def test_nothing_is_held_twice_while_replies_come_in(plans):
    for plan in plans.values():
        decode, extend = held(plan, "decode"), held(plan, "extend")
        for role in ("parameters", "optimizer", "decoding", "cache"):
            assert getattr(extend, role) == getattr(decode, role) > 0


def test_slots_save_room_for_prompts_and_not_what_was_seen(plans):
    """The ring of four groups and a group ahead is less than that of sixteen; features of all are kept meanwhile."""
    whole, some = held(plans[0], "decode"), held(plans[4], "decode")
    assert some.cache < whole.cache / 3
    features = memory.device_bytes(plans[4][2].talk.nothing.outputs)
    assert features == memory.device_bytes(plans[0][2].talk.nothing.outputs) > 0
    assert min(whole.batch, some.batch, held(plans[4], "prefill").batch) > features
