"""Adapters of a run that adds words: its embedding and head beside them, as PEFT's modules_to_save."""

import dataclasses
import json
import warnings
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from perc_jax.config import Config, LoraConfig
from perc_jax.model import abstract_params, lora
from perc_jax.prompt import tokenizer
from perc_jax.update.optimizer import path_name
from perc_jax.weights import hf_folder, safetensors
from tests.model.cases import Draws, relative
from tests.weights.exported_runs import asked, our_logits, save_run
from tests.weights.test_export_added import FRESH, begun, published, read
from tests.weights.test_growth import EMBEDDING, ENLARGED, HEAD

PREFIX = "base_model.model."
MODULES = {EMBEDDING: "model.language_model.embed_tokens", HEAD: "lm_head"}


class Exported(NamedTuple):
    """A run's config and parameters; the folder that it began with, its adapters, and the merged model."""

    config: Config
    values: dict
    origin: Path
    adapter: Path
    merged: Path


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def exported(request, tmp_path_factory) -> Exported:
    folder, tied = tmp_path_factory.mktemp("exported"), request.param
    origin = published(folder / "origin", tied)
    plain = begun(origin)
    adapters = LoraConfig(3, 6.0, ("all",), "float32", ("embed",) if tied else ("embed", "head"))
    config = dataclasses.replace(plain, model=dataclasses.replace(plain.model, lora=adapters))

    def draw(path: tuple, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        return Draws(7, path_name(path)).real(*leaf.shape) * leaf.shape[-2] ** -0.5

    more = jax.tree_util.tree_map_with_path(draw, lora.split(abstract_params(config.model))[1])
    values = lora.join(jax.device_get(read(plain, origin)), more)
    for name in ("embed", "head")[: 2 - tied]:  # as training leaves them
        leaf = next(iter(values["text"][name]))
        values["text"][name][leaf] = values["text"][name][leaf] + Draws(8, name).real(
            *values["text"][name][leaf].shape
        ) * np.float32(0.1)
    save_run(folder / "run", config, values)
    hf_folder.export(str(folder / "run"), str(folder / "adapter"), adapter_only=True)
    hf_folder.export(str(folder / "run"), str(folder / "merged"), dtype="float32")
    return Exported(config, values, origin, folder / "adapter", folder / "merged")


@pytest.fixture
def torch_peft(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("peft", reason="PEFT itself is not installed")


def test_the_adapter_file_holds_what_was_trained_whole(exported):
    tensors = load_file(exported.adapter / hf_folder.ADAPTER)
    settings = json.loads((exported.adapter / "adapter_config.json").read_text())
    assert settings["modules_to_save"] == ["embed_tokens", "lm_head"]
    merged = load_file(exported.merged / safetensors.SINGLE)
    for name, module in MODULES.items():
        found = tensors[f"{PREFIX}{module}.weight"]
        assert found.dtype == np.float32 and len(found) == ENLARGED
        assert np.array_equal(found, merged.get(name, merged[EMBEDDING]))
    assert sum(".lora_" not in name for name in tensors) == 2
    assert len(np.unique(tensors[f"{PREFIX}{MODULES[EMBEDDING]}.weight"][FRESH], axis=0)) == len(FRESH)


def test_the_folder_of_adapters_has_the_tokenizer(exported):
    words = json.loads((exported.adapter / "tokenizer.json").read_text())["added_tokens"]
    assert {entry["content"]: entry["id"] for entry in words if entry["id"] in FRESH} == dict(
        zip(exported.config.codes.tokens, FRESH, strict=True)
    )
    ours = tokenizer.load(str(exported.merged))
    assert [ours.encode(word) for word in exported.config.codes.tokens] == [[number] for number in FRESH]


def test_the_base_must_be_resized_and_that_is_said(exported, tmp_path):
    told = hf_folder.export(str(exported.adapter.parent / "run"), str(tmp_path / "out"), adapter_only=True)
    assert any(f"resize_token_embeddings({ENLARGED})" in line for line in told)
    told = hf_folder.export(
        str(exported.adapter.parent / "run"), str(tmp_path / "on"), adapter_only=True, like=str(exported.merged)
    )
    assert not any("resize_token_embeddings" in line for line in told)


def test_peft_loads_them_onto_transformers(exported, torch_peft):
    import torch
    import transformers

    model = exported.config.model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(exported.origin, dtype=torch.float32)
        base.resize_token_embeddings(model.text.vocab_size)
        adapted = torch_peft.PeftModel.from_pretrained(base, str(exported.adapter)).eval()
    batch, wanted = asked(model, adapted)
    assert relative(our_logits(model, exported.values, batch), wanted) <= 1e-4
    theirs = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(exported.merged, dtype=torch.float32)
    assert relative(asked(model, theirs.eval())[1], wanted) <= 1e-4
