"""Rows of added words: the mean of the folder's, wherever they fall; all that was there stays in every byte."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import debug_cpu
from perc_jax.config import CodebookConfig, CodesConfig, Config, MeshConfig, ModelConfig
from perc_jax.mesh import sharding
from perc_jax.model import params
from perc_jax.prompt import tokenizer, vocabulary
from perc_jax.weights import growth, hf_files, safetensors
from perc_jax.weights.growth import Growth
from tests.model.cases import random_params, small_config
from tests.model.in_memory import to_hf
from tests.weights.published_folders import SMALL, write_small_files
from tests.weights.test_weights import same, target, tensors_of, write

ROWS, ENLARGED = 1040, 1152  # of `published_folders`; the next multiple of 128
CODES = CodesConfig(map="depth", codebook=CodebookConfig(side=2, codes=12, map_px=16), folder="some", places=30)
EMBEDDING, HEAD = params.EMBEDDING, params.HEAD


def model_with(rows: int, tied: bool) -> ModelConfig:
    return dataclasses.replace(SMALL, text=dataclasses.replace(SMALL.text, vocab_size=rows, tie_word_embeddings=tied))


def run_with(name: str = "debug.model", codes: CodesConfig = CODES, **fields: object) -> Config:
    config = debug_cpu.get_config()
    data = dataclasses.replace(config.data, tokenizer=name)
    return dataclasses.replace(config, **{"model": SMALL, "data": data, "codes": codes} | fields)


def by_hand(table: np.ndarray, rows: int, fresh: tuple[int, ...]) -> np.ndarray:
    """What an enlarged table must be, in float32."""
    table = table.astype(np.float32)
    mean = table.astype(np.float64).mean(axis=0).astype(np.float32)
    found = np.concatenate([table, np.tile(mean, (rows - len(table), 1))])
    found[list(fresh)] = mean
    return found


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize(("dtype", "into"), [("float32", "float32"), ("bfloat16", "bfloat16"), ("bfloat16", "float32")])
@pytest.mark.parametrize("mesh", [{}, {"fsdp": 4, "tensor": 2}])
def test_rows_are_the_mean_and_the_others_as_they_were(tmp_path, tied, dtype, into, mesh):
    before, wanted = model_with(ROWS, tied), model_with(ENLARGED, tied)
    fresh = (*range(1024, ROWS), *range(ROWS, 1068))
    tensors = tensors_of(before, dtype)
    folder = write(tmp_path / "in", tensors, shards=3)
    more = Growth(ROWS, fresh)
    safetensors.check(folder, wanted, more)
    loaded = safetensors.load_params(folder, wanted, target(wanted, into, **mesh), growth=more)
    found = to_hf(wanted, jax.device_get(loaded))
    for name in (EMBEDDING, HEAD)[: 2 - tied]:
        expected = by_hand(tensors[name], ENLARGED, fresh).astype(jnp.dtype(into))
        assert found[name].dtype == expected.dtype and np.array_equal(found[name], expected), name
        assert len(np.unique(found[name], axis=0)) == 1024 + 1
    plain = to_hf(before, jax.device_get(safetensors.load_params(folder, before, target(before, into))))
    for name in plain.keys() - {EMBEDDING, HEAD}:
        assert found[name].tobytes() == plain[name].tobytes(), name


def test_a_head_that_repeats_a_tied_embedding_is_still_compared(tmp_path):
    before, wanted, more = model_with(ROWS, True), model_with(ENLARGED, True), Growth(ROWS, (1024,))
    tensors = tensors_of(before)
    folder = write(tmp_path / "in", tensors | {HEAD: tensors[EMBEDDING]})
    assert same(
        safetensors.load_params(folder, wanted, target(wanted), growth=more),
        safetensors.load_params(write(tmp_path / "one", tensors), wanted, target(wanted), growth=more),
    )
    write(tmp_path / "in", tensors | {HEAD: tensors[EMBEDDING] + 1})
    with pytest.raises(ValueError, match="differs from"):
        safetensors.load_params(folder, wanted, target(wanted), growth=more)


def test_no_more_is_held_than_a_block(tmp_path, monkeypatch):
    """Beside what is read for the arrays, the tables are gone through once, in blocks of rows."""
    before, wanted = model_with(ROWS, False), model_with(ENLARGED, False)
    folder = write(tmp_path / "in", tensors_of(before))
    monkeypatch.setattr(growth, "BLOCK_ROWS", 100)
    asked = []

    def counting(read: params.Read) -> params.Read:
        def counted(name: str, rows: slice, columns: slice) -> np.ndarray:
            asked.append((name, rows.stop - rows.start))
            return read(name, rows, columns)

        return counted

    own = growth.enlarged
    monkeypatch.setattr(safetensors, "enlarged", lambda read, more: own(counting(read), more))
    safetensors.load_params(folder, wanted, target(wanted), growth=Growth(ROWS, (1030,)))
    for name in (EMBEDDING, HEAD):
        counts = [rows for one, rows in asked if one == name]
        assert max(counts) <= 100 and sum(counts) == 2 * ROWS


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("mesh", [MeshConfig(fsdp=8), MeshConfig(fsdp=2, tensor=4)])
def test_parameters_on_a_mesh_grow_as_those_of_a_folder(tied, mesh):
    before, wanted, more = model_with(ROWS, tied), model_with(ENLARGED, tied), Growth(ROWS, (1030, 1031))
    place, goal = sharding.make_mesh(mesh), target(wanted, **{"fsdp": mesh.fsdp, "tensor": mesh.tensor})
    old = growth.smaller(goal, more, lambda *leaf: sharding.place_of(*leaf, place))
    values = random_params(before, 1)
    there = jax.tree.map(lambda leaf, where: jax.device_put(leaf, where.sharding), values, old)
    found = growth.grown(there, goal, more)
    assert jax.tree.all(jax.tree.map(lambda a, b: a.sharding == b.sharding and a.shape == b.shape, found, goal))
    hf, was = to_hf(wanted, jax.device_get(found)), to_hf(before, values)
    for name in was:
        if name not in (EMBEDDING, HEAD):
            assert np.array_equal(hf[name], was[name])
            continue
        expected, kept = by_hand(was[name], ENLARGED, more.fresh), [*range(1030), *range(1032, ROWS)]
        assert np.array_equal(hf[name][kept], was[name][kept])
        np.testing.assert_allclose(hf[name], expected, rtol=0, atol=1e-6)


# --- which words are new, and how many rows they need ---------------------------------------------------------------


def test_words_that_a_folder_knows_are_not_new(tmp_path):
    folder = write_small_files(tmp_path / "plain", model_with(ROWS, True))
    config = run_with(str(folder))
    tokens = tokenizer.of(config)
    assert growth.of_folder(config, tokens, folder) == Growth(ROWS, tuple(range(1024, 1024 + 44)))
    assert growth.of_folder(run_with(str(folder), CodesConfig()), tokens, folder) is None
    for name, content in hf_files.with_added(
        files_of(folder), {word: 1024 + i for i, word in enumerate(CODES.tokens)}
    ).items():
        (folder / name).write_bytes(content)
    assert growth.of_folder(config, tokenizer.of(config), folder) == Growth(ROWS, ())
    assert growth.of_folder(run_with("debug.model"), tokenizer.of(run_with()), folder) == Growth(ROWS, ())


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("other", [{"<DEPTH_START>": 1030}, {"<other>": 1025}])
def test_words_of_another_tokenizer_are_refused(tmp_path, other):
    folder = write_small_files(tmp_path / "plain")
    for name, content in hf_files.with_added(files_of(folder), other).items():
        (folder / name).write_bytes(content)
    config = run_with()
    with pytest.raises(ValueError, match=r"model folder .*plain must have <DEPTH_\w+> as token 102\d, where data"):
        growth.of_folder(config, tokenizer.of(config), folder)


def test_the_vocabulary_grows_only_as_far_as_it_must(tmp_path, reference_data):
    folder = str(write_small_files(tmp_path / "plain"))
    qwen = str(reference_data / "qwen2_5_vl_7b")
    hub, other = "Qwen/Qwen2.5-VL-3B-Instruct", "owner/name"
    large = dataclasses.replace(CODES, places=400)

    def rows(name: str, codes: CodesConfig, have: int, **fields: object) -> int:
        given = {"pretrained": "some/model"} | fields
        config = run_with(name, codes, model=small_config(vocabulary=have), **given)
        return vocabulary.settled(config, fetch=False).model.text.vocab_size

    assert rows(folder, CODES, ROWS) == rows("debug.model", CODES, ROWS) == ENLARGED  # 1024 + 44
    assert rows("debug.model", CODES, 1068) == 1068 and rows("debug.model", CodesConfig(), 1000) == 1000
    assert rows("debug.model", CODES, ROWS, pretrained="", begin_from="run") == ENLARGED
    assert rows("debug.model", CODES, ROWS, pretrained="") == ROWS
    for name in (qwen, hub):  # 151,665 and 44 or 414 more
        assert rows(name, CODES, 151_936) == 151_936 and rows(name, CODES, 152_064) == 152_064
        assert rows(name, large, 151_936) == 152_192 == 128 * 1189 and rows(name, large, 152_192) == 152_192
    assert rows(other, large, 151_936) == 151_936  # nobody here knows
    assert tokenizer.load(qwen).vocab_size == vocabulary.PUBLISHED == max(vocabulary.words(Path(qwen)).values()) + 1
