"""The model that is asked: what its files say, fingerprints of its weights, a config fitted to this machine."""

import dataclasses
import hashlib
import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from configs.data_engine_3b import get_config
from configs.smoke_cpu import get_config as smoke
from perc_jax.config import MeshConfig, to_dict
from perc_jax.evaluation import subject
from perc_jax.model import init_params
from perc_jax.processes.progress import Progress
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.weights import fingerprint, safetensors
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


def large_file(folder, names, size=1 << 20):
    """A folder of one file whose tensors are `size` bytes each, all zeros; gives where each begins."""
    (folder / "config.json").write_text("{}")
    spans = {name: [size * place, size * (place + 1)] for place, name in enumerate(names)}
    header = {name: {"dtype": "U8", "shape": [size], "data_offsets": span} for name, span in spans.items()}
    text = json.dumps(header).encode()
    with (folder / safetensors.SINGLE).open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.truncate(8 + len(text) + size * len(names))
    return {name: 8 + len(text) + first for name, (first, _) in spans.items()}


@pytest.mark.parametrize("size", [1 << 10, 3 << 20])  # read whole, and in pieces
def test_every_tensor_of_a_file_of_any_size_counts(tmp_path, size):
    names = [f"layer.{number}" for number in range(40)]
    starts = large_file(tmp_path, names, size)
    seen = {fingerprint.of_folder(tmp_path)}
    for name in names:
        with (tmp_path / safetensors.SINGLE).open("r+b") as stream:
            stream.seek(starts[name])
            stream.write(bytes([1]) * size)
        seen.add(fingerprint.of_folder(tmp_path))
    assert len(seen) == 1 + len(names)


def test_a_fingerprint_says_nothing_of_the_files_that_tensors_lie_in(folder, params, tmp_path_factory):
    other = write_small_files(tmp_path_factory.mktemp("sharded"))
    assert len(safetensors.save_params(other, SMALL, params, "float32", shard_bytes=100_000)) > 3
    assert fingerprint.of_folder(other) == fingerprint.of_folder(folder)


def test_a_fingerprint_of_much_is_made_of_little(tmp_path, monkeypatch):
    large_file(tmp_path, [f"layer.{number}" for number in range(8)], 64 << 20)  # of holes: no room on the disk
    read = []
    digest = hashlib.sha256

    class Counted:
        def __init__(self, content=b""):
            self.of = digest(content)

        def update(self, content):
            read.append(len(content))
            self.of.update(content)

        def digest(self):
            return self.of.digest()

        def hexdigest(self):
            return self.of.hexdigest()

    monkeypatch.setattr(fingerprint.hashlib, "sha256", Counted)
    fingerprint.of_folder(tmp_path)
    assert sum(read) < 1 << 20


def save(workdir, step, value, keep=1):
    checkpoints = Checkpoints(str(workdir), keep=keep)
    state = {"params": {"scale": jax.numpy.full(3, value)}}
    checkpoints.save(step, state, {"stage": "grpo", "step": step}, to_dict(smoke()))
    checkpoints.wait()
    checkpoints.close()


def restored(described):
    """What `load` reads."""
    where = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    wanted = {"params": {"scale": jax.ShapeDtypeStruct((3,), np.float32, sharding=where)}}
    state, _ = Checkpoints.named(described.name, described.step).restore(wanted, described.stored)
    return float(state["params"]["scale"][0])


def test_the_checkpoint_that_was_described_is_asked_or_none(tmp_path):
    save(tmp_path / "run", 10, 1.0)
    described = subject.describe(str(tmp_path / "run"))
    assert described.step == 10 and restored(described) == 1.0
    save(tmp_path / "run", 20, 2.0)  # the run goes on while programs are compiled
    later = subject.describe(str(tmp_path / "run"))
    assert later.step == 20 and restored(later) == 2.0 and later.fingerprint != described.fingerprint
    with pytest.raises(ValueError, match="must have a checkpoint of step 10, it has steps 20"):
        restored(described)


def test_no_other_checkpoint_is_asked_in_place_of_a_damaged_one(tmp_path, capsys):
    for step in (10, 20):
        save(tmp_path / "run", step, 1.0, keep=2)
    described = subject.describe(str(tmp_path / "run"))
    damaged = tmp_path / "run" / "checkpoints" / "20"
    largest = max((damaged / "state").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    largest.write_bytes(largest.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"checkpoint \S+/20 must be sound, but state/.* the run has steps 10, 20"):
        restored(described)
    assert "trying an older one" not in capsys.readouterr().err


def test_load_reads_the_step_that_was_described(tmp_path, monkeypatch):
    save(tmp_path / "run", 10, 1.0)
    asked = []

    def named(name, step=None):
        asked.append((name, step))
        raise KeyboardInterrupt

    described = subject.settle(subject.describe(str(tmp_path / "run")))
    monkeypatch.setattr(subject.Checkpoints, "named", named)
    monkeypatch.setattr(subject, "Programs", lambda *_, **__: SimpleNamespace(params=None))
    with pytest.raises(KeyboardInterrupt), Progress(60.0, quiet=True) as screen:
        subject.load(described, screen)
    assert asked == [(str(tmp_path / "run"), 10)]
    monkeypatch.setattr(subject.sharding, "of_each_host", lambda mine: [mine, 20.0])
    with pytest.raises(ValueError, match=r"all hosts must ask one checkpoint of .*, got steps \[10, 20\]"):
        subject.load(described, screen)


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
