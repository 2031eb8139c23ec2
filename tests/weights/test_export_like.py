"""Exports that copy another folder's files: files of every generation are one model, and say one thing."""

import dataclasses
import json
from pathlib import Path

import pytest

from configs import smoke_cpu
from perc_jax.prompt import pretrained
from perc_jax.weights import hf_folder
from tests.model.cases import random_params
from tests.weights.exported_runs import save_run
from tests.weights.published_folders import SMALL, edit, write_small_files


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run's checkpoint, of a model as published folders have it."""
    workdir = tmp_path_factory.mktemp("run")
    save_run(workdir, dataclasses.replace(smoke_cpu.get_config(), model=SMALL), random_params(SMALL, seed=1))
    return str(workdir)


def test_a_config_that_leaves_out_what_is_the_class_s_is_the_same_model(run: str, tmp_path: Path) -> None:
    like = write_small_files(tmp_path / "like")
    vision = json.loads((like / "config.json").read_text())["vision_config"]
    left = {name: value for name, value in vision.items() if pretrained._VISION_CLASS.get(name) != value}
    assert len(left) <= len(vision) - 3
    edit(like / "config.json", vision_config=left)
    told = hf_folder.export(run, str(tmp_path / "out"), like=str(like))
    assert told[-1] == f"config.json is that of {like}"
    assert pretrained.model_config(tmp_path / "out", dtype="float32") == SMALL
    edit(like / "config.json", vision_config=left | {"window_size": 112})
    with pytest.raises(ValueError, match=r"--like: model\.vision\.window_size must be 112 as in"):
        hf_folder.export(run, str(tmp_path / "other"), like=str(like))


def test_both_files_of_a_processor_say_the_same_afterwards(run: str, tmp_path: Path) -> None:
    like = write_small_files(tmp_path / "like")
    file = like / "preprocessor_config.json"
    part = json.loads(file.read_text()) | {"min_pixels": None, "max_pixels": None}
    part["size"] = {"shortest_edge": 784, "longest_edge": 90_000}
    (like / "processor_config.json").write_text(json.dumps({"image_processor": part}))
    told = hf_folder.export(run, str(tmp_path / "out"), like=str(like))
    assert sum("preprocessor_config.json was made" in line for line in told) == 1
    assert pretrained.processor(tmp_path / "out") == (784, 90_000)
    (tmp_path / "out" / "processor_config.json").unlink()  # as a program reads the folder that does not know it
    assert pretrained.processor(tmp_path / "out") == (784, 90_000)
    told = hf_folder.export(run, str(tmp_path / "plain"), like=str(write_small_files(tmp_path / "one")))
    assert not any("was made" in line for line in told)
