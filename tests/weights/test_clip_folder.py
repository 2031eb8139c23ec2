"""A CLIP's folder onto the mesh: bit for bit what it holds, and one line for whatever is wrong with it."""

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import Mesh
from safetensors.numpy import save_file

from perc_jax.clip import abstract_params, params
from perc_jax.config import ClipConfig, MeshConfig
from perc_jax.mesh import sharding
from perc_jax.programs.blueprint import laid_out
from perc_jax.weights import clip_folder
from tests.clip.cases import CASES, SMALL, tensors, write


def target(config: ClipConfig, mesh: Mesh) -> dict:
    """Where the parameters go."""
    wanted = {"clip": abstract_params(config)}
    return laid_out(wanted, sharding.state_shardings(wanted, mesh), config.dtype)["clip"]


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return sharding.make_mesh(MeshConfig(replica=2, fsdp=2, tensor=2))


@pytest.mark.parametrize("name", ["small", "plain"])
def test_a_folder_is_read(tmp_path: Path, mesh: Mesh, name: str) -> None:
    config = dataclasses.replace(CASES[name], folder=str(tmp_path))
    write(tmp_path, config)
    assert clip_folder.config_of(tmp_path) == config
    clip_folder.verify(tmp_path, config)
    loaded = clip_folder.load(tmp_path, config, target(config, mesh))
    jax.tree.map(np.testing.assert_array_equal, loaded, params.from_tensors(config, tensors(config)))


def test_weights_are_stored_in_parts(tmp_path: Path, mesh: Mesh) -> None:
    loaded = clip_folder.load(write(tmp_path, SMALL), SMALL, target(SMALL, mesh))
    kernel = loaded["vision"]["blocks"]["attention"]["query"]["kernel"]
    assert kernel.sharding.shard_shape(kernel.shape) == (2, 16, 32)  # over fsdp
    table = loaded["text"]["embedding"]
    assert table.sharding.shard_shape(table.shape) == (150, 48)


def test_a_stray_buffer_is_ignored_whatever_it_is(tmp_path: Path, mesh: Mesh) -> None:
    stray = {f"{kind}_model.embeddings.position_ids": np.full((1, 30), -7, np.int64) for kind in ("text", "vision")}
    write(tmp_path, SMALL, tensors(SMALL) | stray)
    loaded = clip_folder.load(tmp_path, SMALL, target(SMALL, mesh))
    jax.tree.map(np.testing.assert_array_equal, loaded, params.from_tensors(SMALL, tensors(SMALL)))


def test_heads_that_no_file_tells_are_64_wide(tmp_path: Path) -> None:
    one = dataclasses.replace(CASES["one_layer"], text=dataclasses.replace(CASES["one_layer"].text, heads=1))
    folder = write(tmp_path, one, vision_config={}, text_config={})
    found = clip_folder.config_of(folder)
    assert (found.vision.heads, found.text.heads) == (1, 1)


LAYER = "text_model.encoder.layers.0.mlp.fc1.bias"
NARROW = np.zeros((24, 9), np.float32)


def damaged(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def absent(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def changed(**values: object):
    def change(folder: Path) -> None:
        save_file({k: v for k, v in (tensors(SMALL) | values).items() if v is not None}, folder / "model.safetensors")

    return change


def another_kind(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "siglip"}))


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (damaged, ValueError, "must hold sound weights: file model.safetensors is damaged or cut short"),
        (absent, FileNotFoundError, "must hold model.safetensors or model.safetensors.index.json"),
        (another_kind, ValueError, "model_type must be 'clip', got 'siglip'"),
        (
            changed(extra=np.zeros(3, np.float32)),
            ValueError,
            r"must hold the model of the config: 1 unexpected \(extra\)",
        ),
        (
            changed(**{"visual_projection.weight": None}),
            ValueError,
            "must hold the tensors of a CLIP, visual_projection.weight among them",
        ),
        (
            changed(**{LAYER: None}),
            ValueError,
            rf"must hold the model of the config: 1 missing \({LAYER}\)",
        ),
        (
            changed(**{LAYER: None, "extra": np.zeros(3, np.float32), "text_projection.weight": NARROW}),
            ValueError,
            rf"1 missing \({LAYER}\); 1 unexpected \(extra\); 1 of another shape",
        ),
        (
            changed(**{"text_projection.weight": np.zeros((24, 9), np.float32)}),
            ValueError,
            r"1 of another shape \(text_projection.weight \[24, 9\] for \[24, 48\]\)",
        ),
        (
            changed(**{"text_projection.weight": np.zeros((24, 48), np.int32)}),
            ValueError,
            "text_projection.weight must be one of F64, F32, F16, BF16, got I32",
        ),
        (
            changed(**{"text_projection.weight": np.full((24, 48), np.nan, np.float32)}),
            ValueError,
            "text_projection.weight must be finite",
        ),
    ],
)
def test_a_bad_folder_is_one_line(tmp_path: Path, mesh: Mesh, spoil, kind: type, words: str) -> None:
    spoil(write(tmp_path, SMALL))
    with pytest.raises(kind, match=words) as told:
        clip_folder.load(tmp_path, SMALL, target(SMALL, mesh))
    assert "\n" not in str(told.value)


def test_another_size_is_told_by_field(tmp_path: Path) -> None:
    folder = write(tmp_path, CASES["deep"])
    with pytest.raises(ValueError, match=r"of the config: vision.width 24, not 32; vision.layers 6, not 2; "):
        clip_folder.verify(folder, SMALL)


def test_a_name_that_is_no_folder(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, folder=str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"clip.folder must be a folder that exists or a hub id"):
        clip_folder.folder_of(config)
