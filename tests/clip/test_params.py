"""The table of names is that of the published files, sizes are read off shapes, and what does not fit is told."""

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from perc_jax.clip import abstract_params, params
from perc_jax.config import ClipConfig, check, violations
from perc_jax.config.clip import KEPT_POSITIONS
from perc_jax.model.params import get
from tests.clip.cases import BASE, CASES, LARGE, SMALL, shapes, tensors

SIZES = ("vision", "text", "projection", "image_px", "patch_px", "vocabulary", "positions", "long_positions")


@pytest.mark.parametrize("config", [*CASES.values(), BASE, LARGE])
def test_the_table_is_the_model(config: ClipConfig) -> None:
    check(config)
    wanted = abstract_params(config)
    table = params.table(config)
    for leaf in table:
        assert leaf.shape == get(wanted, leaf.path).shape, leaf.path
    assert len(table) == len(jax.tree.leaves(wanted))


@pytest.mark.parametrize(
    ("file", "config", "names", "parameters"),
    [("weight_names.json", BASE, 403, 150_136_835), ("weight_names_large_inferred.json", LARGE, 595, 428_914_947)],
)
def test_all_published_names_are_known(
    reference_data: Path, file: str, config: ClipConfig, names: int, parameters: int
) -> None:
    published = {
        name: tuple(shape) for name, shape in json.loads((reference_data / "fg_clip_base" / file).read_text()).items()
    }
    assert len(published) == names
    assert sum(int(np.prod(shape)) for shape in published.values()) == parameters
    assert published == shapes(config)
    assert params.problems(config, published) == []
    assert params.sizes(published) == {name: getattr(config, name) for name in SIZES}


@pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())
def test_sizes_are_read_off_shapes(config: ClipConfig) -> None:
    heads = {"vision": config.vision.heads, "text": config.text.heads}
    assert params.sizes(shapes(config), heads) == {name: getattr(config, name) for name in SIZES}


def test_every_tensor_is_consumed() -> None:
    held = tensors(SMALL)
    read = params.from_tensors(SMALL, held)
    for name in held.keys() - {*params.UNREAD}:
        other = {**held, name: held[name] + 1}
        changed = jax.tree.map(lambda a, b: not np.array_equal(a, b), params.from_tensors(SMALL, other), read)
        assert sum(jax.tree.leaves(changed)) == 1, name


def test_the_long_table_is_composed() -> None:
    held = tensors(SMALL)
    text = params.from_tensors(SMALL, held)["text"]
    np.testing.assert_array_equal(text["long_first"], held["text_model.embeddings.position_embedding_ori.weight"][:20])
    np.testing.assert_array_equal(text["long_rest"], held["text_model.embeddings.position_embedding_res.weight"][20:])


def test_what_differs_is_told_in_kinds() -> None:
    found = shapes(SMALL)
    found["text_projection.weight"] = (24, 47)
    del found["vision_model.pre_layrnorm.bias"]
    found |= {"classifier.weight": (3, 3), "text_model.embeddings.position_ids": (1, 30)}
    assert params.problems(SMALL, found) == [
        "1 missing (vision_model.pre_layrnorm.bias)",
        "1 unexpected (classifier.weight)",
        "1 of another shape (text_projection.weight [24, 47] for [24, 48])",
    ]
    with pytest.raises(ValueError, match=r"tensors must be those of the model's config: 1 missing"):
        params.from_tensors(SMALL, {name: np.zeros(shape) for name, shape in found.items()})


def test_plain_clip_may_not_be_taken_for_fg_clip() -> None:
    plain = shapes(CASES["plain"])
    assert params.sizes(plain)["long_positions"] == 0
    assert params.problems(SMALL, plain)[0].startswith("3 missing (text_model.embeddings.position_embedding_ori.weight")


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        (
            "vision_model.embeddings.class_embedding",
            None,
            "must hold the tensors of a CLIP, vision_model.embeddings.cl",
        ),
        ("vision_model.embeddings.position_embedding.weight", (18, 32), "of one and a square number of rows, got 18"),
        ("text_model.embeddings.token_embedding.weight", (300,), "must hold the tensors of a CLIP, text_model"),
    ],
)
def test_what_is_no_clip_is_refused(name: str, shape: tuple | None, words: str) -> None:
    found = {key: value for key, value in (shapes(SMALL) | {name: shape}).items() if value is not None}
    with pytest.raises(ValueError, match=words):
        params.sizes(found)


def test_what_a_config_must_be() -> None:
    wrong = dataclasses.replace(SMALL, image_px=33, long_positions=20, text=dataclasses.replace(SMALL.text, heads=5))
    told = [str(violation) for violation in violations(wrong)]
    assert told == [
        "text.width must be a multiple of heads (5), got 48",
        "long_positions must be 0 or >= 21, got 20",
        "image_px must be a multiple of patch_px (8), got 33",
    ]


@pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())
def test_tensors_come_back_from_parameters(config: ClipConfig) -> None:
    """All but the rows of the long tables that nobody reads, which are zeros."""
    given = tensors(config)
    made = params.to_tensors(config, params.from_tensors(config, given))
    assert made.keys() == given.keys() - {*params.UNREAD}
    for name, tensor in made.items():
        unread = {"ori": slice(KEPT_POSITIONS, None), "res": slice(0, KEPT_POSITIONS)}
        wanted = np.array(given[name], np.float32)
        for which, rows in unread.items():
            if name.endswith(f"position_embedding_{which}.weight"):
                wanted[rows] = 0
        np.testing.assert_array_equal(tensor, wanted, name)
