"""However a rollout that samples maps whole is cut up and laid out: the same completions, and the trainer agrees."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from perc_jax.batch import TokenIds
from perc_jax.config import MeshConfig, RolloutConfig
from perc_jax.mesh import sharding
from perc_jax.model import bind
from perc_jax.rollout.sampling import Draws
from perc_jax.update.policy import completion_logprobs
from tests.model.cases import build, compiled, fitted, random_params, small_config
from tests.programs.test_generation import sampled
from tests.rollout.mapped import IDS as MAPPED
from tests.rollout.mapped import MAP, count_maps

CONFIG = small_config(depth=1)
CASE = fitted(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5], [7], [1, (4, 4)], [4, (4, 6)], [9], [2]])
# Ten of sixty tokens end a completion; start marks have a loud embedding, so that there are maps.
IDS = MAPPED._replace(ends=(1, 2, *range(7, 15)))
GROUP, LENGTH, WIDTH = 4, 16, 62  # places for a group's completions: less than G x C
PLAIN = RolloutConfig(max_tokens=LENGTH, segment_tokens=LENGTH)
ONE, MANY, TENSOR = MeshConfig(1, 1, 1), MeshConfig(1, 8, 1), MeshConfig(1, 4, 2)
WAYS = {
    "slots, rows and rings": (ONE, {"segment_tokens": 3, "slots": 3, "rows": 2, "short_rings": (4, 8)}),
    "two devices to a tensor": (TENSOR, {"segment_tokens": 3}),
}
MORE_WAYS = {
    "one row on rings": (ONE, {"segment_tokens": 4, "rows": 1, "short_rings": (8,)}),
    "eight devices": (MANY, {"segment_tokens": 4, "rows": 2}),
    "two devices to a tensor, slots": (TENSOR, {"segment_tokens": 3, "slots": 4, "rows": 2, "short_rings": (8,)}),
}
KINDS = {
    "dense": (CONFIG, Draws()),
    "blockwise, top-p": (small_config(depth=1, attention="blockwise"), Draws(1.2, 0.9)),
}


def loud() -> dict:
    params = random_params(CONFIG, seed=1)
    embedding = np.array(params["text"]["embed"]["embedding"])
    embedding[MAP.start] *= 3
    params["text"]["embed"]["embedding"] = embedding
    return params


params = loud()


def rolled(kind: str, changes: dict | None = None, mesh: MeshConfig = ONE):
    """Completions on the host."""
    config, draws = KINDS[kind]
    options = {"case": CASE._replace(config=config), "ids": IDS, "group": GROUP, "weights": params}
    how = dataclasses.replace(PLAIN, **(changes or {}))
    return sampled(how, mesh, temperature=draws.temperature, top_p=draws.top_p, **options)[0]


@functools.cache
def scorer(kind: str, ids: TokenIds):
    """The trainer's program, compiled once for all completions of one device."""
    config, draws = KINDS[kind]

    def score(params, prompts, tokens, mask):
        given = bind(config, params), ids, prompts, tokens, mask, draws
        return completion_logprobs(*given, width=WIDTH, remat="none")[0]

    return compiled(score)


def trained(kind: str, found, ids: TokenIds = IDS, mesh_config: MeshConfig | None = None) -> np.ndarray:
    """What the trainer says of completions, on one device or on a mesh as parameters lie there to train."""
    score, given = scorer(kind, ids), (build(CASE, seed=3).batch, found.tokens, found.mask)
    if mesh_config is None:
        return np.asarray(score(params, *given))
    mesh = sharding.make_mesh(mesh_config, jax.devices()[: mesh_config.fsdp * mesh_config.tensor])
    weights = jax.device_put(params, sharding.state_shardings(params, mesh))
    with jax.set_mesh(mesh):
        return np.asarray(score(weights, *sharding.rows_to_mesh(given, mesh)))


def off(found, logprobs: np.ndarray) -> float:
    """The largest difference of probabilities of sampled tokens."""
    return np.abs(np.exp(logprobs) - np.exp(found.logprobs))[found.mask].max()


@pytest.fixture(scope="module")
def plain():
    return rolled("dense")


def test_every_map_is_whole_or_cut_by_the_end_of_the_completion(plain):
    whole, cut = count_maps(plain.tokens, plain.mask)
    print(f"{whole} whole maps, {cut} cut ones in {plain.mask.sum()} tokens")
    assert whole >= 10 and cut >= 2
    for tokens, mask, ended in zip(*(x.reshape(-1, *x.shape[2:]) for x in plain[:1] + plain[2:4]), strict=True):
        is_open = np.sum(tokens[mask] == MAP.start) > np.sum(tokens[mask] == MAP.end)
        assert not is_open or (mask.all() and not ended)
    assert packed_length(plain) <= WIDTH < GROUP * LENGTH


def packed_length(found) -> int:
    return found.mask.sum(axis=(1, 2)).max()


def test_the_trainer_says_what_the_sampler_said_and_without_the_mask_it_does_not(plain):
    """2e-6 in probability, float32; packed rows. A trainer without the mask is off by more than 0.1."""
    assert off(plain, trained("dense", plain)) <= 2e-6
    assert off(plain, trained("dense", plain, IDS._replace(map=None))) > 0.1


def test_blockwise_and_with_top_p_too():
    found = rolled("blockwise, top-p", {"segment_tokens": 4, "slots": 5, "rows": 2})
    whole, _ = count_maps(found.tokens, found.mask)
    assert whole >= 10 and packed_length(found) <= WIDTH
    assert off(found, trained("blockwise, top-p", found)) <= 2e-6
    assert off(found, trained("blockwise, top-p", found, IDS._replace(map=None))) > 0.1


def check(plain, way) -> None:
    mesh, changes = way
    found = rolled("dense", changes, mesh)
    for name in ("tokens", "mask", "ended"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
    np.testing.assert_allclose(found.logprobs, plain.logprobs, atol=1e-5)
    assert off(found, trained("dense", found, mesh_config=mesh if mesh == TENSOR else None)) <= 2e-6


@pytest.mark.parametrize("way", WAYS)
def test_nothing_changes_what_is_sampled(plain, way):
    check(plain, WAYS[way])


@pytest.mark.slow
@pytest.mark.parametrize("way", MORE_WAYS)
def test_nothing_changes_what_is_sampled_in_more_ways(plain, way):
    check(plain, MORE_WAYS[way])
