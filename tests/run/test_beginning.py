"""The first weights of a run from another run: bit for bit, onto any mesh, adapters fresh or as they were."""

import dataclasses

import jax
import numpy as np
import pytest

from perc_jax.config import LoraConfig, MeshConfig, to_dict
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params, lora
from perc_jax.processes.progress import Progress
from perc_jax.programs.compiled import Programs
from perc_jax.prompt import tokenizer
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.run import beginning
from tests.config.test_config import CONFIG

ADAPTERS = LoraConfig(rank=4)
STEP = 5


def values(config, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jax.numpy.asarray(rng.normal(size=leaf.shape), leaf.dtype), abstract_params(config.model)
    )


@pytest.fixture(scope="module", params=[LoraConfig(), ADAPTERS], ids=["plain", "adapters"])
def run(request, tmp_path_factory):
    """A run's workdir with checkpoints of two steps, its config, and the parameters of the older one."""
    workdir = tmp_path_factory.mktemp("run")
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, lora=request.param))
    checkpoints = Checkpoints(str(workdir), keep=2)
    saved = {}
    for step in (STEP, STEP + 1):
        saved[step] = values(config, step)
        state = {"params": saved[step], "step": jax.numpy.int32(step), "key": jax.numpy.zeros(2, np.uint32)}
        checkpoints.save(step, state, {"stage": "rl", "step": step}, to_dict(config))
    checkpoints.close()
    return str(workdir), config, saved


def begun(config, adapters, name):
    model = dataclasses.replace(config.model, lora=adapters)
    config = dataclasses.replace(config, model=model, stages=(), begin_from=name)
    mesh = sharding.make_mesh(MeshConfig(fsdp=2, tensor=2), jax.devices()[:4])
    programs = Programs(config, tokenizer.load(config.data.tokenizer).ids, mesh, greedy=False)
    with Progress(60.0, quiet=True) as screen:
        found = beginning.weights(config, programs, screen)
    jax.tree.map(
        lambda leaf, wanted: np.testing.assert_equal(leaf.sharding, wanted.sharding), found.params, programs.params
    )
    return found


def test_the_weights_are_those_of_the_checkpoint_that_was_named(run):
    workdir, config, saved = run
    for name, step in ((workdir, STEP + 1), (f"{workdir}@{STEP}", STEP)):
        params, source = begun(config, config.model.lora, name)
        assert source == f"{workdir}@{step}"
        jax.tree.map(np.testing.assert_array_equal, params, saved[step])


def test_fresh_adapters_lie_on_another_runs_weights(run):
    workdir, config, saved = run
    if config.model.lora.rank:
        with pytest.raises(ValueError, match=r"^model.lora must be that of .*, whose adapters export merges"):
            begun(config, LoraConfig(), workdir)
        return
    params, _ = begun(config, ADAPTERS, workdir)
    base, adapters = lora.split(params)
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_array_equal(ours, theirs.astype(ours.dtype)), base, saved[STEP + 1]
    )
    assert {leaf.dtype.name for leaf in jax.tree.leaves(base)} == {"bfloat16"}
    last = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(adapters) if path[-1].key == "lora_b"]
    assert last and not any(np.any(leaf) for leaf in last)  # what they add is nothing yet
