"""A run that adds words, as a Hugging Face folder: there and back only their rows are new, and transformers agrees."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from perc_jax.config import CodesConfig, Config
from perc_jax.prompt import pretrained, tokenizer, vocabulary
from perc_jax.weights import growth, hf_folder, safetensors
from tests.model.cases import relative
from tests.prompt.test_added import TEXTS
from tests.weights.exported_runs import asked, our_logits, save_run
from tests.weights.published_folders import edit, write_small_files
from tests.weights.test_growth import CODES, EMBEDDING, ENLARGED, HEAD, ROWS, model_with, run_with
from tests.weights.test_weights import same, target, tensors_of

FRESH = [*range(1024, 1024 + len(CODES.tokens))]
KEPT = [row for row in range(ROWS) if row not in FRESH]


class Exported(NamedTuple):
    """A run that began with a folder and its parameters; the folder, and what was written."""

    config: Config
    values: dict
    origin: Path
    out: Path


def published(folder: Path, tied: bool, dtype: str = "float32") -> Path:
    """A folder with random weights."""
    model = model_with(ROWS, tied)
    write_small_files(folder, model)
    edit(folder / "config.json", torch_dtype=dtype, initializer_range=0.123)
    save_file(tensors_of(model, dtype), folder / safetensors.SINGLE, {"format": "pt"})
    return folder


def read(config: Config, folder: Path) -> dict:
    """A folder's parameters as a run reads them."""
    more = growth.of_folder(config, tokenizer.of(config), folder)
    return safetensors.load_params(folder, config.model, target(config.model, fsdp=8), growth=more)


def begun(origin: Path) -> Config:
    """The config of a run that begins with a folder."""
    model = pretrained.model_config(origin, dtype="float32")
    return vocabulary.settled(run_with(str(origin), model=model, pretrained=str(origin)), fetch=True)


def there_and_back(folder: Path, tied: bool, dtype: str) -> Exported:
    origin = published(folder / "origin", tied, dtype)
    config = begun(origin)
    values = jax.device_get(read(config, origin))
    save_run(folder / "run", config, values)
    hf_folder.export(str(folder / "run"), str(folder / "out"), dtype=dtype)
    return Exported(config, values, origin, folder / "out")


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def exported(request, tmp_path_factory) -> Exported:
    return there_and_back(tmp_path_factory.mktemp("exported"), request.param, "float32")


@pytest.fixture
def transformers(torch):
    return pytest.importorskip("transformers")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_there_and_back_only_new_rows_differ(tmp_path, tied, dtype):
    config, _, origin, out = there_and_back(tmp_path, tied, dtype)
    before, after = (load_file(folder / safetensors.SINGLE) for folder in (origin, out))
    assert config.model.text.vocab_size == ENLARGED and set(before) == set(after)
    for name, tensor in before.items():
        if name in (EMBEDDING, HEAD):
            assert after[name].shape == (ENLARGED, tensor.shape[1])
            assert after[name][KEPT].tobytes() == tensor[KEPT].tobytes(), name
        else:
            assert after[name].tobytes() == tensor.tobytes(), name
    changed = [file.name for file in origin.iterdir() if file.read_bytes() != (out / file.name).read_bytes()]
    assert sorted(changed) == ["config.json", safetensors.SINGLE, "tokenizer.json"]
    said, says = (json.loads((folder / "config.json").read_text()) for folder in (origin, out))
    assert says == said | {"vocab_size": ENLARGED} and says["initializer_range"] == 0.123


def test_the_folder_begins_a_run_that_has_nothing_to_add(exported):
    again = begun(exported.out)
    ours, theirs = tokenizer.of(again), tokenizer.of(exported.config)
    assert again.model == exported.config.model and ours.ids == theirs.ids
    assert growth.of_folder(again, ours, exported.out).fresh == ()
    assert same(read(again, exported.out), exported.values)
    plain = tokenizer.load(str(exported.out))  # of somebody who knows nothing of codes
    assert all(plain.encode(text) == theirs.encode(text) for text in TEXTS)
    assert plain.decode(FRESH) == "".join(CODES.tokens)


def test_what_a_folder_lacks_is_added_behind_what_it_has(exported, tmp_path):
    config = begun(exported.out)
    more = dataclasses.replace(config, codes=dataclasses.replace(CODES, places=120))
    more = vocabulary.settled(more, fetch=True)
    assert more.model.text.vocab_size == 1280
    values = jax.device_get(read(more, exported.out))
    save_run(tmp_path / "run", more, values)
    hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"), dtype="float32")
    before, after = (load_file(folder / safetensors.SINGLE)[EMBEDDING] for folder in (exported.out, tmp_path / "out"))
    first = FRESH[-1] + 1
    assert np.array_equal(before[:first], after[:first])
    assert len(np.unique(after[first : 1024 + 134], axis=0)) == 1
    words = vocabulary.words(tmp_path / "out")
    assert [words[word] for word in more.codes.tokens] == [*range(1024, 1024 + 134)]


@pytest.mark.parametrize("whole", [True, False], ids=["tokenizer.json", "vocab.json"])
def test_files_of_the_published_tokenizer(tmp_path, reference_data, whole):
    """Written into the files that the folder has: those of a tokenizer in one file, or of one in parts."""
    origin = tmp_path / "origin"
    origin.mkdir()
    source = reference_data / "qwen2_5_vl_7b"
    if whole:
        tokenizer.published("AutoTokenizer").from_pretrained(source).save_pretrained(origin)
    for name in {*hf_folder.COPIED, "config.json"} & {file.name for file in source.iterdir()}:
        if not (origin / name).exists() and not (whole and name in ("vocab.json", "merges.txt")):
            (origin / name).write_bytes((source / name).read_bytes())
    config = run_with(str(origin), dataclasses.replace(CODES, places=400))
    files, told = hf_folder._copied(config, origin)
    out = tmp_path / "out"
    out.mkdir()
    for name, content in (files | {"config.json": (origin / "config.json").read_bytes()}).items():
        (out / name).write_bytes(content)
    assert "414 tokens more in tokenizer" in told and ("tokenizer.json" in files) == whole
    ours, theirs = tokenizer.of(config), tokenizer.load(str(out))
    assert theirs.vocab_size == ours.vocab_size == vocabulary.PUBLISHED + 414
    for text in (*TEXTS, "<PIXEL_399><PIXEL_40> <PIXEL_400>"):
        assert theirs.encode(text) == ours.encode(text)
        assert theirs.decode(ours.encode(text)) == ours.decode(ours.encode(text))
    assert vocabulary.words(out)["<PIXEL_399>"] == vocabulary.PUBLISHED + 413
    assert hf_folder._copied(dataclasses.replace(config, codes=CodesConfig()), origin)[0] == {
        name: (origin / name).read_bytes() for name in files
    }


def test_a_run_that_began_at_random_has_them_too(tmp_path):
    config = run_with(model=model_with(ENLARGED, True))
    save_run(tmp_path / "run", config, jax.device_get(zeros(config)))
    hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"))
    ours, theirs = tokenizer.of(config), tokenizer.load(str(tmp_path / "out"))
    assert theirs.vocab_size == ours.vocab_size
    for text in TEXTS:
        assert theirs.encode(text) == ours.encode(text)
        assert theirs.decode(ours.encode(text)) == ours.decode(ours.encode(text))


def zeros(config: Config) -> dict:
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), target(config.model))


# --- transformers ----------------------------------------------------------------------------------------------------


def test_transformers_gives_our_ids(exported, transformers):
    ours, theirs = tokenizer.of(exported.config), transformers.AutoTokenizer.from_pretrained(exported.out)
    for text in TEXTS:
        ids = ours.encode(text)
        assert theirs.encode(text, add_special_tokens=False) == ids, text
        decoded = theirs.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert decoded == ours.decode(ids), text
    assert theirs.convert_tokens_to_ids(list(CODES.tokens)) == FRESH and len(theirs) == ours.vocab_size


def test_logits_are_those_of_the_model_that_transformers_enlarged(exported, transformers):
    import torch

    load = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained
    model, resized = (load(folder, dtype=torch.float32).eval() for folder in (exported.out, exported.origin))
    resized.resize_token_embeddings(exported.config.model.text.vocab_size)
    rows = torch.tensor([row for row in range(ENLARGED) if row not in KEPT])
    with torch.no_grad():
        for ours, theirs in (
            (model.get_input_embeddings(), resized.get_input_embeddings()),
            (model.get_output_embeddings(), resized.get_output_embeddings()),
        ):
            assert theirs.weight.shape == ours.weight.shape
            theirs.weight[rows] = ours.weight[rows]
    batch, wanted = asked(exported.config.model, resized)
    _, found = asked(exported.config.model, model)
    assert wanted.shape[-1] == ENLARGED
    assert relative(found, wanted) <= 1e-4
    assert relative(our_logits(exported.config.model, exported.values, batch), wanted) <= 1e-4
