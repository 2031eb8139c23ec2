"""The model that is asked: what its files say, fingerprints of its weights, a config fitted to this machine."""

import dataclasses

import jax
import pytest

from configs.data_engine_3b import get_config
from perc_jax.config import MeshConfig
from perc_jax.evaluation import subject
from perc_jax.model import init_params
from perc_jax.weights import safetensors
from tests.weights.published_folders import SMALL, edit, write_small_files

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def params():
    return jax.jit(lambda key: init_params(SMALL, key))(jax.random.key(3))


@pytest.fixture
def folder(tmp_path, params):
    write_small_files(tmp_path)
    safetensors.save_params(tmp_path, SMALL, params, "float32")
    return tmp_path


def test_a_published_folder_needs_no_config(folder):
    found = subject.describe(str(folder))
    assert found.config.model.text == SMALL.text and found.config.model.vision == SMALL.vision
    assert found.stored is None and found.config.stages == () and found.pixels.max_pixels > found.pixels.min_pixels
    assert found.tokens.ids.ends and found.config.data.tokenizer == str(folder)


def test_a_fingerprint_tells_weights_and_configs_apart_and_not_folders(folder, params, tmp_path_factory):
    found = subject.describe(str(folder)).fingerprint
    other = write_small_files(tmp_path_factory.mktemp("other"))
    safetensors.save_params(other, SMALL, params, "float32")
    assert subject.describe(str(other)).fingerprint == found
    changed = jax.tree.map(lambda leaf: leaf * 1.001, params)
    safetensors.save_params(other, SMALL, changed, "float32")
    assert subject.describe(str(other)).fingerprint != found
    edit(folder / "config.json", rope_theta=10_000.0)
    assert subject.describe(str(folder)).fingerprint != found


def test_a_config_file_is_for_a_published_model_only(tmp_path):
    with pytest.raises(ValueError, match="--config must be left out for a run's workdir"):
        subject.describe(str(tmp_path), "configs/smoke_cpu.py")
    with pytest.raises(ValueError, match="must hold a checkpoint, found none"):
        subject.describe(str(tmp_path))


def test_a_config_is_fitted_to_the_machine_and_to_the_samples(folder):
    described = subject.describe(str(folder))
    recipe = get_config()
    recipe = dataclasses.replace(
        recipe,
        model=dataclasses.replace(recipe.model, attention="splash"),
        mesh=MeshConfig(replica=2, fsdp=16, tensor=2),
        rollout=dataclasses.replace(recipe.rollout, max_tokens=1024, short_rings=(256,), slots=48),
    )
    described = described._replace(config=recipe)
    config = subject.settle(described).config  # eight devices in pairs
    assert config.mesh == MeshConfig(tensor=2) and config.rollout.slots == 0 and config.evaluation.batch == 64
    assert config.rollout.short_rings == (256,)
    assert config.model.attention == "dense"  # short buckets, no TPU
    assert [stage.mixture for stage in config.stages] == [stage.mixture for stage in recipe.stages]
    assert subject.settle(described, samples=8, tensor=1).config.evaluation.batch == 8
    assert subject.settle(described, samples=30).config.evaluation.batch == 4
    short = subject.settle(described, max_tokens=10, batch=3).config
    assert (short.rollout.max_tokens, short.rollout.short_rings, short.evaluation.batch) == (10, (), 3)
