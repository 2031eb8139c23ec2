"""perc_jax.model.params: Hugging Face's tensors in and out, and errors that name everything."""

import jax
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perc_jax.model import abstract_params
from perc_jax.model import params as layout
from perc_jax.model.params import fill, get, table
from tests.model.cases import random_params, small_config
from tests.model.in_memory import from_hf, to_hf

TIED, UNTIED = small_config(), small_config(tied=False)
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@pytest.fixture(scope="module", autouse=True)
def several_blocks():
    """Small tensors, too, are turned in several blocks, the last one not full."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(layout, "BLOCK_ROWS", 7)
        yield


def modern(name: str) -> str:
    """Spell a published name as the modules of transformers 5 do."""
    if name.startswith("model."):
        return name.replace("model.", "model.language_model.", 1)
    return f"model.{name}" if name.startswith("visual.") else name


def same(a: dict, b: dict) -> bool:
    return jax.tree.structure(a) == jax.tree.structure(b) and jax.tree.all(jax.tree.map(np.array_equal, a, b))


@pytest.mark.parametrize("config", [TIED, UNTIED], ids=["tied", "untied"])
def test_round_trip(config):
    params = random_params(config, seed=1)
    tensors = to_hf(config, params)
    assert (HEAD in tensors) == (not config.text.tie_word_embeddings)
    assert same(from_hf(config, tensors), params)
    assert same(from_hf(config, {modern(name): x for name, x in tensors.items()}), params)
    assert jax.tree.structure(params) == jax.tree.structure(abstract_params(config))


def test_layout_of_the_split_and_turned_tensors():
    params = random_params(TIED, seed=1)
    tensors = to_hf(TIED, params)
    attention = params["vision"]["blocks"]["attention"]
    qkv = tensors["visual.blocks.1.attn.qkv.weight"]
    assert np.array_equal(qkv[32:64], attention["key"]["kernel"][1].T)
    assert np.array_equal(tensors["visual.blocks.0.attn.qkv.bias"][64:], attention["value"]["bias"][0])
    gate = tensors["model.layers.1.mlp.gate_proj.weight"]
    assert np.array_equal(gate, params["text"]["layers"]["mlp"]["gate"]["kernel"][1].T)
    convolution = tensors["visual.patch_embed.proj.weight"]
    assert convolution.shape == (32, 3, 2, 4, 4)
    patch = np.random.default_rng(0).normal(size=(3, 2, 4, 4))  # a patch is flattened channel, frame, row, column
    wanted = np.einsum("octhw,cthw->o", convolution, patch)
    assert np.allclose(patch.reshape(-1) @ params["vision"]["patch_embed"]["kernel"], wanted, atol=1e-6)


def test_bfloat16_tensors_become_float32():
    tensors = {name: x.astype(ml_dtypes.bfloat16) for name, x in to_hf(TIED, random_params(TIED, seed=1)).items()}
    params = from_hf(TIED, tensors)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    assert np.array_equal(params["text"]["embed"]["embedding"], tensors[EMBEDDING].astype(np.float32))


def test_a_tied_head_may_repeat_the_embedding_and_nothing_else():
    params = random_params(TIED, seed=1)
    tensors = to_hf(TIED, params)
    assert same(from_hf(TIED, {**tensors, HEAD: tensors[EMBEDDING]}), params)
    with pytest.raises(ValueError, match=r"lm_head\.weight differs from model\.embed_tokens\.weight"):
        from_hf(TIED, {**tensors, HEAD: tensors[EMBEDDING] + 1})


def test_one_error_names_everything_wrong():
    tensors = to_hf(UNTIED, random_params(UNTIED, seed=1))
    del tensors["model.norm.weight"], tensors["visual.blocks.1.norm2.weight"]
    tensors["model.layers.2.mlp.up_proj.weight"] = np.zeros((48, 64), np.float32)
    tensors[EMBEDDING] = np.zeros((65, 64), np.float32)
    with pytest.raises(ValueError) as error:
        from_hf(UNTIED, tensors)
    for line in (
        "missing model.norm.weight",
        "missing visual.blocks.1.norm2.weight",
        "unexpected model.layers.2.mlp.up_proj.weight",
        "model.embed_tokens.weight must have shape (64, 64), got (65, 64)",
    ):
        assert f"\n  {line}" in str(error.value)
    assert str(error.value).count("\n") == 4


def test_a_tensor_under_both_spellings_is_an_error():
    tensors = to_hf(TIED, random_params(TIED, seed=1))
    with pytest.raises(
        ValueError, match=r"one tensor twice: visual\.merger\.ln_q\.weight and model\.visual\.merger\.ln_q\.weight"
    ):
        from_hf(TIED, {**tensors, "model.visual.merger.ln_q.weight": tensors["visual.merger.ln_q.weight"]})


@pytest.fixture(scope="module")
def both():
    values = random_params(UNTIED, seed=1)
    return values, to_hf(UNTIED, values)


@settings(max_examples=200)
@given(leaf=st.sampled_from(table(UNTIED)), data=st.data())
def test_any_part_of_a_leaf_can_be_read_alone(both, leaf, data):
    values, tensors = both
    whole = get(values, leaf.path)
    assert whole.shape == leaf.shape
    layer = data.draw(st.integers(0, leaf.layers - 1)) if leaf.layers else 0
    whole = whole[layer] if leaf.layers else whole
    firsts = [data.draw(st.integers(0, size - 1)) for size in whole.shape]
    index = tuple(
        slice(first, data.draw(st.integers(first + 1, size))) for first, size in zip(firsts, whole.shape, strict=True)
    )

    def read(name, rows, columns):
        return tensors[name].reshape(len(tensors[name]), -1)[rows, columns]

    out = np.full(whole[index].shape, np.nan, np.float32)
    fill(out, leaf, leaf.names()[layer], index, read)
    assert np.array_equal(out, whole[index])
