import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax import image as images
from perc_jax.config import VisionConfig

PUBLISHED = VisionConfig(depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=())
SMALL_WINDOWS = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=56
)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
VISIONS = st.sampled_from([PUBLISHED, SMALL_WINDOWS])


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def values_of(cut: images.PixelPatches) -> np.ndarray:
    return images.normalise(cut.pixels, cut.real, 2)


@pytest.fixture(scope="module")
def published():
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    return module.Qwen2VLImageProcessorPil(size={"shortest_edge": 3136, "longest_edge": 400_000})


def test_values_equal_the_published_processor(published):
    rng = np.random.default_rng(1)
    sizes = [(112, 168), (28, 28), (20, 300), (900, 700), (56, 1000), *rng.integers(20, 500, (40, 2)).tolist()]
    for number, (height, width) in enumerate(sizes):
        image = picture(height, width, number)
        wanted = published(image, return_tensors="np")
        cut = images.patchify(images.fit(image, PUBLISHED, max_pixels=400_000), PUBLISHED)
        rows, columns = cut.units
        assert wanted["image_grid_thw"].tolist() == [[1, 2 * rows, 2 * columns]]
        slots = (cut.merged[:, None] * 4 + np.arange(4)).ravel()
        np.testing.assert_allclose(values_of(cut)[slots], wanted["pixel_values"], atol=2e-6, rtol=0)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_smart_resize_keeps_its_bounds(height, width):
    if max(height, width) > 200 * min(height, width):
        with pytest.raises(ValueError, match="aspect ratio must be at most 200"):
            images.smart_resize(height, width)
        return
    rows, columns = images.smart_resize(height, width)
    assert rows % 28 == columns % 28 == 0
    assert rows * columns <= images.MAX_PIXELS
    assert images.smart_resize(rows, columns) == (rows, columns) or rows * columns < images.MIN_PIXELS


def test_worked_example():
    cut = images.patchify(picture(112, 168), PUBLISHED)
    assert cut.real.tolist() == [True] * 96 + [False] * 32
    assert cut.merged.reshape(4, 6).tolist()[0] == [0, 1, 2, 3, 16, 17]
    assert cut.rowcol[64:68].tolist() == [[0, 8], [0, 9], [1, 8], [1, 9]]


@given(SIZES, VISIONS)
def test_every_window_stands_alone_in_its_slots(units, vision):
    cut = images.patchify(picture(units[0] * 28, units[1] * 28), vision)
    side, slots = vision.window_size // vision.patch_size, vision.window_patches
    assert len(cut.real) % slots == 0
    for rowcol, real in zip(cut.rowcol.reshape(-1, slots, 2), cut.real.reshape(-1, slots), strict=True):
        assert real.any()
        assert not np.diff(real.astype(int)).any() or np.flatnonzero(~real)[0] == real.sum()  # real ones first
        assert len({tuple(place // side) for place in rowcol[real]}) == 1
    real = cut.rowcol[cut.real]
    assert sorted(map(tuple, real.tolist())) == [(r, c) for r in range(2 * units[0]) for c in range(2 * units[1])]


@given(SIZES, VISIONS)
def test_merge_units_are_adjacent_and_numbered_in_reading_order(units, vision):
    cut = images.patchify(picture(units[0] * 28, units[1] * 28), vision)
    blocks = cut.rowcol.reshape(-1, 4, 2)[cut.merged]
    corner = np.indices(units).reshape(2, -1).T * 2
    assert (blocks == corner[:, None] + [[0, 0], [0, 1], [1, 0], [1, 1]]).all()


@given(SIZES, VISIONS, st.integers(0, 1000))
def test_unpatchify_gives_the_picture_back(units, vision, seed):
    image = picture(units[0] * 28, units[1] * 28, seed)
    cut = images.patchify(image, vision)
    number = np.where(cut.real, 0, -1).astype(np.int32)
    assert (images.unpatchify(values_of(cut), cut.rowcol, number, vision) == image).all()


def test_padding_is_zero_and_types_are_narrow():
    cut = images.patchify(picture(28, 28), PUBLISHED)
    values = values_of(cut)
    assert values.dtype == np.float32 and cut.rowcol.dtype == cut.merged.dtype == np.int32
    assert not values[~cut.real].any() and values[cut.real].all()


def test_bad_sizes_and_numbers_are_refused():
    with pytest.raises(ValueError, match="image sides must be multiples of 28 px, got 30 x 28 px"):
        images.patchify(picture(30, 28), PUBLISHED)
    cut = images.patchify(picture(28, 28), PUBLISHED)
    number = np.where(cut.real, 0, -1).astype(np.int32)
    with pytest.raises(ValueError, match="image number must be in the prompt, got 1"):
        images.unpatchify(values_of(cut), cut.rowcol, number, PUBLISHED, number=1)
