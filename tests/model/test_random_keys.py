"""Random keys: what is drawn for one purpose is drawn for no other, over all purposes of the package."""

import dataclasses
import functools
from collections import Counter, defaultdict

import jax
import numpy as np
from jax.extend.random import define_prng_impl, threefry_prng_impl

from perc_jax.config import LoraConfig
from perc_jax.model import init_params
from tests import ROOT
from tests.model.cases import small_config

CONFIG = dataclasses.replace(small_config(tied=False), lora=LoraConfig(rank=2, targets=("all",)))
# Where keys are made or used, in files of the package. A new purpose belongs into the tests below.
USERS = {
    "bench/device/clip.py",  # parameters of a CLIP that is measured
    "clip/model.py",  # parameters of a CLIP that is taught, in a program of its own
    "teach_clip.py",  # whose seed this is
    "codes/model.py",  # parameters of a codebook that is taught, in a program of its own
    "teach_codes.py",  # whose seed this is
    "model/layers.py",  # a key of each layer
    "model/low_rank.py",  # adapters draw
    "model/qwen2_5_vl.py",  # parameters and adapters: the purpose
    "programs/blueprints.py",  # the run's seed
    "programs/rollout.py",  # of each step
    "rollout/decode.py",  # of each prompt and completion
    "rollout/sampling.py",  # of each column, drawn
}


def test_all_users_of_random_keys_are_known():
    files = {path.relative_to(ROOT / "perc_jax").as_posix(): path for path in (ROOT / "perc_jax").rglob("*.py")}
    assert {name for name, path in files.items() if "jax.random." in path.read_text()} == USERS


def used_keys(run) -> dict[tuple[int, int], Counter]:
    """By key how often `run(key)`, given the run's key of seed 0, drew from it, folded into it and split it."""
    found = defaultdict(Counter)

    def note(use, operation):
        def noted(key, *how):
            jax.debug.callback(lambda key: found[tuple(key.tolist())].update([use]), key)
            return operation(key, *how)

        return noted

    threefry = threefry_prng_impl
    recorded = define_prng_impl(
        key_shape=threefry.key_shape,
        seed=threefry.seed,
        split=note("split", threefry.split),
        random_bits=note("drawn", threefry.random_bits),
        fold_in=note("folded", threefry.fold_in),
        name="recorded",
        tag="rec",
    )
    jax.block_until_ready(jax.jit(run)(jax.random.key(0, impl=recorded)))
    jax.effects_barrier()
    return found


@functools.cache
def of_parameters() -> dict[tuple[int, int], Counter]:
    return used_keys(lambda key: init_params(CONFIG, key))


def test_a_key_that_parameters_or_adapters_are_drawn_from_is_used_for_nothing_else():
    used = of_parameters()
    drawn = {key: uses for key, uses in used.items() if uses["drawn"]}
    layers, depth = CONFIG.text.num_hidden_layers, CONFIG.vision.depth
    assert len(drawn) > 7 * (layers + depth)  # every map of every layer, and the adapters of each stack
    assert {key: uses for key, uses in drawn.items() if uses.total() > 1} == {}


def test_completions_are_drawn_from_other_keys_than_parameters():
    """Key of step, prompt, completion and column as `programs/rollout.py`, `decode.py` and `sampling.py` make it."""

    def of_column(step, name, column):
        group = jax.random.split(jax.random.fold_in(jax.random.fold_in(jax.random.PRNGKey(0), step), name), 4)
        return jax.vmap(jax.random.fold_in, (0, None))(group, column)

    counts = (range(40), range(40), range(8))
    steps, names, columns = (np.array(axis).reshape(-1) for axis in np.meshgrid(*counts))
    sampled = np.asarray(jax.jit(jax.vmap(of_column))(steps, names, columns)).reshape(-1, 2)
    sampled = set(map(tuple, sampled.tolist()))
    assert len(sampled) == 4 * 40 * 40 * 8
    parameters = {key for key, uses in of_parameters().items() if uses["drawn"]}
    assert not sampled & parameters
