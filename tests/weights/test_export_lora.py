"""perc_jax.export of a run with low-rank adapters: merged, and alone in PEFT's form, which PEFT loads."""

import dataclasses
import json
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from configs import smoke_cpu
from perc_jax import export
from perc_jax.config import Config, LoraConfig, MeshConfig, to_dict
from perc_jax.evaluation import answering
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params
from perc_jax.model.lora import join, merge_on_host, split
from perc_jax.update.optimizer import path_name
from perc_jax.weights import hf_folder, safetensors
from tests.model.cases import Draws, random_params, relative, small_config
from tests.weights.exported_runs import asked, our_logits, save_run

ALL = LoraConfig(rank=3, alpha=6.0, targets=("all",), base_dtype="float32")
PLAIN = small_config(vocabulary=1024, rope_theta=1e4)
PREFIX = "base_model.model."


class Exported(NamedTuple):
    """A run's config and parameters, and what was written: the base, the merged model, the adapters."""

    config: Config
    values: dict
    folder: Path


def config_with(adapters: LoraConfig, **fields) -> Config:
    return dataclasses.replace(smoke_cpu.get_config(), model=dataclasses.replace(PLAIN, lora=adapters), **fields)


def trained(config: Config) -> dict:
    """A base and adapters of about its size."""
    adapters = split(abstract_params(config.model))[1]

    def draw(path, leaf):
        return Draws(7, path_name(path)).real(*leaf.shape) * leaf.shape[-2] ** -0.5

    base = jax.tree.map(lambda leaf: leaf.astype(config.model.lora.base_dtype), random_params(PLAIN, 1))
    return join(base, jax.tree_util.tree_map_with_path(draw, adapters))


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    plain = dataclasses.replace(smoke_cpu.get_config(), model=PLAIN)
    save_run(folder / "base_run", plain, random_params(PLAIN, 1))
    hf_folder.export(str(folder / "base_run"), str(folder / "base"), dtype="float32")
    config = config_with(ALL, pretrained=str(folder / "base"))
    values = trained(config)
    save_run(folder / "run", config, values)
    hf_folder.export(str(folder / "run"), str(folder / "merged"), dtype="float32")
    export.main(["--checkpoint", str(folder / "run"), "--out", str(folder / "adapter"), "--adapter-only"])
    return Exported(config, values, folder)


@pytest.fixture
def torch_peft(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("peft", reason="PEFT itself is not installed")


def test_merged_weights_are_base_plus_product(exported):
    base, merged = (load_file(exported.folder / name / safetensors.SINGLE) for name in ("base", "merged"))
    up = exported.values["text"]["layers"]["mlp"]["up"]
    wanted = base["model.layers.1.mlp.up_proj.weight"] + 2 * (up["lora_a"][1] @ up["lora_b"][1]).T
    np.testing.assert_allclose(merged["model.layers.1.mlp.up_proj.weight"], wanted, rtol=1e-5, atol=1e-6)
    assert base.keys() == merged.keys()
    assert np.array_equal(base["model.norm.weight"], merged["model.norm.weight"])


def test_the_adapter_file_rebuilds_the_merged_model(exported):
    """scale x B A onto the base's weights, in numpy and by Hugging Face's names: nothing of ours but the files."""
    base, merged = (load_file(exported.folder / name / safetensors.SINGLE) for name in ("base", "merged"))
    settings = json.loads((exported.folder / "adapter" / "adapter_config.json").read_text())
    tensors = load_file(exported.folder / "adapter" / "adapter_model.safetensors")
    assert sorted(path.name for path in (exported.folder / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert settings["base_model_name_or_path"] == str(exported.folder / "base")
    changed = set()
    for name, a in tensors.items():
        if not name.endswith(".lora_A.weight"):
            continue
        module = name.removeprefix(PREFIX).removesuffix(".lora_A.weight")
        assert re.fullmatch(settings["target_modules"], module)
        rank = settings["rank_pattern"].get("attn\\.qkv", settings["r"]) if "qkv" in module else settings["r"]
        alpha = settings["alpha_pattern"]["attn\\.qkv"] if "qkv" in module else settings["lora_alpha"]
        assert len(a) == rank
        published = re.sub(r"^model\.(language_model|visual)", {"l": "model", "v": "visual"}[module[6]], module)
        change = alpha / rank * tensors[name.replace("lora_A", "lora_B")] @ a
        tensor = f"{published}.weight"
        np.testing.assert_allclose(base[tensor] + change, merged[tensor], rtol=1e-5, atol=1e-5)
        changed.add(tensor)
    assert len(tensors) == 2 * len(changed)
    assert changed == {name for name in base if not np.array_equal(base[name], merged[name])}


@pytest.mark.slow
def test_peft_loads_the_adapter_onto_transformers(exported, torch_peft):
    import torch
    import transformers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained
        adapted = torch_peft.PeftModel.from_pretrained(
            load(exported.folder / "base", dtype=torch.float32), str(exported.folder / "adapter")
        ).eval()
    model = exported.config.model
    batch, wanted = asked(model, adapted)
    assert relative(our_logits(model, exported.values, batch), wanted) <= 1e-4
    assert relative(our_logits(model, split(exported.values)[0], batch), wanted) > 0.1


def test_a_run_is_answered_from_with_its_adapters(tmp_path):
    """Those who ask a checkpoint get merged parameters, in the dtype the model computes in."""
    config = config_with(LoraConfig(rank=3, alpha=6.0, targets=("text/.*down", "merger")))
    values, mesh = trained(config), sharding.make_mesh(MeshConfig(), jax.devices()[:1])
    save_run(tmp_path / "run", config, values)
    found = answering.trained_params(str(tmp_path / "run"), to_dict(config), config.model, mesh)
    wanted = merge_on_host(values, config.model.lora)
    for one, other in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("adapters", [LoraConfig(), ALL], ids=["none", "of a random base"])
def test_adapters_that_are_none_or_nobody_elses_are_refused(tmp_path, adapters):
    config = config_with(adapters)
    save_run(tmp_path / "run", config, trained(config) if adapters.rank else random_params(PLAIN, 1))
    with pytest.raises(ValueError, match="--adapter-only needs a "):
        hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"), adapter_only=True)
    assert not (tmp_path / "out").exists()


def test_the_base_of_adapters_on_another_runs_weights_must_be_named(exported, tmp_path):
    """Runs that began with another: with one whose parameters were all trained, with one that had the same adapters."""
    base = str(exported.folder / "base")
    whole = dataclasses.replace(smoke_cpu.get_config(), model=PLAIN, pretrained=base)
    save_run(tmp_path / "whole", whole, random_params(PLAIN, 2))
    for origin in (tmp_path / "whole", exported.folder / "run", tmp_path / "gone"):
        config = config_with(ALL, pretrained=base, begin_from=str(origin))
        save_run(tmp_path / f"of_{origin.name}", config, exported.values)
    save_run(tmp_path / "of_of_whole", config_with(ALL, begin_from=str(tmp_path / "of_whole")), exported.values)

    def export_it(name: str, like: str = "") -> str:
        hf_folder.export(str(tmp_path / name), str(tmp_path / f"out_{name}"), like=like, adapter_only=True)
        settings = json.loads((tmp_path / f"out_{name}" / "adapter_config.json").read_text())
        return settings["base_model_name_or_path"]

    assert export_it("of_run") == base
    begins = f"^--adapter-only needs --like, the adapters' base: this run began with {tmp_path}/"
    for name, why in (
        ("of_whole", f"whole, without adapters; export --model {tmp_path}/whole gives a folder to be named$"),
        ("of_of_whole", "whole, without adapters; "),
        ("of_gone", "gone, whose base is not known, since its config cannot be read$"),
    ):
        with pytest.raises(ValueError, match=begins + why):
            export_it(name)
    hf_folder.export(str(tmp_path / "whole"), str(tmp_path / "named"))
    assert export_it("of_whole", like=str(tmp_path / "named")) == str(tmp_path / "named")
