"""However a rollout in turns is cut up and laid out: the same conversations, and nothing is compiled once it runs."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from perc_jax.config import EnvironmentConfig, MeshConfig, RolloutConfig
from perc_jax.mesh import sharding
from perc_jax.programs.conversing import Conversing
from perc_jax.programs.rollout import Maker, Talk, rings_of
from perc_jax.records.metrics import CompileCounter
from perc_jax.rollout.sampling import Draws
from tests.model.cases import build, fitted, random_params, small_config
from tests.rollout.conversing import IDS, SCRIPTS, Play, drawn, reply

CONFIG = small_config(depth=1)
PROMPTS = [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5], [7], [1, (4, 4)], [4, (4, 6)], [9], [2]]
CASE = fitted(CONFIG, PROMPTS * 2)
GROUP, MOST = 4, 64
NAMES, KEY, STEP = np.arange(5, 21, dtype=np.uint32), np.array([0, 7], np.uint32), np.int32(3)
PLAYED = EnvironmentConfig("jigsaw", turns=3, turn_tokens=7, pictures=2, shapes=((5, 0), (24, 112)))
PLAIN = RolloutConfig(max_tokens=MOST, segment_tokens=8)
ONE, MANY, TENSOR = MeshConfig(1, 1, 1), MeshConfig(1, 8, 1), MeshConfig(1, 4, 2)
WAYS = {
    "two devices to a tensor": (TENSOR, PLAIN),
    "slots": (ONE, RolloutConfig(max_tokens=MOST, segment_tokens=5, short_rings=(16, 32), slots=3)),
    "eight devices, a slot each": (MANY, RolloutConfig(max_tokens=MOST, segment_tokens=3, slots=8, rows=2)),
}
# The default suite has the parts of these: a mesh without slots, and rings and rows, the same code, with them.
MORE_WAYS = {
    "rings": (ONE, RolloutConfig(max_tokens=MOST, segment_tokens=5, short_rings=(16, 32))),
    "eight devices, two rows": (MANY, RolloutConfig(max_tokens=MOST, segment_tokens=3, rows=2)),
    "a slot": (ONE, RolloutConfig(max_tokens=MOST, segment_tokens=4, slots=1, prefill_prompts=3)),
    "slots of a row": (ONE, RolloutConfig(max_tokens=MOST, segment_tokens=8, slots=7, rows=1, prefill_prompts=2)),
    "tensors with slots": (TENSOR, RolloutConfig(max_tokens=MOST, segment_tokens=5, slots=8, short_rings=(32,))),
}

WITHOUT_FEATURES = "eight devices, a slot each"  # the way that does not keep what the tower makes of pictures

params = random_params(CONFIG, seed=1)


class Scripted:
    """Replies by the scripts of `tests.rollout.conversing`; notes how often it was asked."""

    def __init__(self):
        self.turns, self.asked = {}, []

    def __call__(self, ended):
        """Begin to reply."""
        self.asked.append([(one.prompt, one.completion) for one in ended])
        return map(self._reply, ended)

    def _reply(self, one):
        where, name = (one.prompt, one.completion), int(NAMES[one.prompt])
        turn = self.turns[where] = self.turns.get(where, -1) + 1
        parts = SCRIPTS[(name + one.completion) % len(SCRIPTS)]
        if turn >= len(parts):
            return None
        found = reply(drawn(CONFIG, parts[turn], 1000 * name + 10 * one.completion + turn), one.position)
        return found if len(found.tokens) < one.room else None


def conversed(config: RolloutConfig, mesh_config: MeshConfig, *, keeps_features: bool = True):
    """A rollout, on the host and on the mesh; nothing is compiled in a second one."""
    mesh = sharding.make_mesh(mesh_config, jax.devices()[: mesh_config.fsdp * mesh_config.tensor])
    weights = jax.device_put(params, sharding.rollout_shardings(params, mesh))
    batch = build(CASE, seed=3).batch
    prompts, names = sharding.rows_to_mesh((batch, NAMES), mesh)

    def shapes(tree):
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)

    how = {"group_size": GROUP, "draws": Draws(1.0), "talk": Talk(PLAYED, keeps_features)}
    plan = Maker(CONFIG, IDS, mesh).make("test", config, shapes(prompts), shapes(weights), **how)
    made, given = Conversing(plan, lambda blueprint: blueprint.compile()), (weights, prompts, names, KEY, STEP)
    made.converse(given, Scripted())
    with CompileCounter() as compiles:
        found = made.converse(given, talking := Scripted())
    assert compiles.names == []
    return found, talking, made.occupancy()


@pytest.fixture(scope="module")
def plain():
    """By the plain loop of the tests, with one ring and one shape."""
    how = {"group": GROUP, "most": MOST, "turn_tokens": 7, "segment": 8, "ring": 80, "shapes": ((24, 112),)}
    key = np.asarray(jax.random.fold_in(KEY, STEP))
    return Play(CONFIG, **how)(params, build(CASE, seed=3).batch, NAMES, key)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_changes_what_is_said(plain, way):
    check(*WAYS[way], *plain, keeps_features=way != WITHOUT_FEATURES)


@pytest.mark.slow
@pytest.mark.parametrize("way", MORE_WAYS)
def test_nothing_changes_what_is_said_in_more_ways(plain, way):
    check(*MORE_WAYS[way], *plain)


def check(mesh, config, wanted, told, *, keeps_features=True):
    """Whether a rollout gives what is wanted."""
    found, talking, occupancy = conversed(config, mesh, keeps_features=keeps_features)
    for name in ("tokens", "mask"):
        np.testing.assert_array_equal(getattr(found.completions, name), getattr(wanted, name))
        np.testing.assert_array_equal(getattr(found.on_mesh, name), getattr(wanted, name))
    np.testing.assert_allclose(found.completions.logprobs, wanted.logprobs, atol=1e-5)
    patches = PLAYED.patches
    for name in ("present", "positions", "image_slots", "pixels", "patch_rowcol", "patch_image"):
        mine, others = (np.asarray(getattr(one.observed, name)) for one in (found.completions, wanted))
        cut = slice(None, patches) if name.startswith("p") and name not in ("present", "positions") else slice(None)
        np.testing.assert_array_equal(mine, others[:, :, cut])
    assert (found.on_mesh.observed.features is not None) == keeps_features
    features = np.asarray(found.on_mesh.observed.features)
    for p, g in np.ndindex(*wanted.ended.shape) if keeps_features else ():
        count = sum(len(one.reply.patch_image) for one in told.given[p][g]) // 4
        np.testing.assert_allclose(features[p, g, :count], wanted.observed.features[p, g, :count], atol=1e-5)
    last = found.completions.observed.present.sum(axis=2)[..., None] - 1
    last = np.take_along_axis(found.completions.tokens, last, 2)
    np.testing.assert_array_equal(found.completions.ended, np.isin(last[..., 0], IDS.ends))
    assert 0 < occupancy["rollout/occupancy"] <= occupancy["rollout/slot_occupancy"] <= 1
    assert len(talking.asked) > 3 or config.segment_tokens > PLAYED.turn_tokens, "turns are shown as they end"


@pytest.mark.slow
def test_int8_keys_take_turns_too():
    kept = dataclasses.replace(PLAIN, kv_dtype="int8")
    (wanted, *_), (found, *_) = (
        conversed(config, ONE)
        for config in (kept, dataclasses.replace(kept, segment_tokens=5, slots=3, short_rings=(16, 32)))
    )
    np.testing.assert_array_equal(found.completions.tokens, wanted.completions.tokens)
    np.testing.assert_array_equal(found.completions.mask, wanted.completions.mask)
    # Another order of sums may round a number in the middle between two steps of int8 the other way.
    np.testing.assert_allclose(found.completions.logprobs, wanted.completions.logprobs, atol=0.01)


def test_rings_have_room_for_a_segment_more_and_each_divides_the_next():
    for most, segment, short in ((64, 5, (16, 32)), (192, 32, ()), (1000, 64, (250,)), (2048, 128, ())):
        config = RolloutConfig(max_tokens=most, segment_tokens=segment, short_rings=short)
        rings = rings_of(config, Talk(PLAYED, True))
        assert rings_of(config, None) == config.rings and len(rings) == len(config.rings)
        assert rings[-1] >= most + segment > rings[-1] - len(rings) * 16
        assert all(b % a == 0 and a < b for a, b in itertools.pairwise(rings))
