"""Pictures: files of every mode, bytes and window order as Hugging Face's, layouts that hold for any size."""

import io
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from perc_jax.config import VisionConfig
from perc_jax.prompt import image as images

PUBLISHED = VisionConfig(depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=())
SMALL_WINDOWS = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=56
)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
VISIONS = st.sampled_from([PUBLISHED, SMALL_WINDOWS])


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


MAX_PIXELS = 150_000  # of the comparisons: small, so that many sizes can be tried


@pytest.fixture(scope="module")
def published():
    """What transformers makes of a picture: values in its patch order, and the grid."""
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    return module.Qwen2VLImageProcessorPil(size={"shortest_edge": 3136, "longest_edge": MAX_PIXELS})


def assert_equal(found: np.ndarray, upright: Image.Image, published, max_pixels: int = MAX_PIXELS) -> None:
    """Our bytes of an opened picture are those of which transformers made its values of the same picture."""
    wanted = published(upright, return_tensors="np")
    cut = images.patchify(images.fit(found, PUBLISHED, max_pixels=max_pixels), PUBLISHED)
    rows, columns = cut.units
    assert wanted["image_grid_thw"].tolist() == [[1, 2 * rows, 2 * columns]]
    slots = (cut.merged[:, None] * 4 + np.arange(4)).ravel()
    values = wanted["pixel_values"].reshape(len(slots), 3, 2, 196)  # both frames
    mean, std = (np.array(x)[:, None, None] for x in (published.image_mean, published.image_std))
    found = np.broadcast_to(cut.pixels[slots].reshape(len(slots), 3, 1, 196), values.shape)
    np.testing.assert_allclose((values * std + mean) * 255, found, rtol=0, atol=1e-3)


def noise(mode: str, width: int, height: int, seed: int) -> Image.Image:
    """A random picture of a mode; smooth enough that a palette and a JPEG keep something of it."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(height // 4, 1), max(width // 4, 1), 4), dtype=np.uint8)
    base = Image.fromarray(small, "RGBA").resize((width, height), Image.Resampling.BILINEAR)
    if mode.startswith("I;16"):
        return Image.fromarray(rng.integers(0, 2**16, (height, width), dtype=np.uint16))
    if mode in ("I", "F"):
        return Image.fromarray((rng.random((height, width)) * 300 - 20).astype({"I": np.int32, "F": np.float32}[mode]))
    if mode == "LA":
        return base.convert("LA")
    return base if mode == "RGBA" else base.convert("RGB").convert(mode)


FILES = [  # mode, format, further arguments of `save`
    ("1", "PNG", {}),
    ("L", "PNG", {}),
    ("L", "PNG", {"transparency": 128}),
    ("LA", "PNG", {}),
    ("P", "PNG", {}),
    ("P", "PNG", {"transparency": 3}),
    ("P", "PNG", {"transparency": bytes(range(256))}),
    ("P", "GIF", {"transparency": 5}),
    ("RGB", "PNG", {}),
    ("RGB", "PNG", {"transparency": (1, 2, 3)}),
    ("RGBA", "PNG", {}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("I;16", "PNG", {}),
    ("I;16", "TIFF", {}),
    ("I", "TIFF", {}),
    ("F", "TIFF", {}),
    ("CMYK", "TIFF", {}),
    ("CMYK", "JPEG", {}),
    ("YCbCr", "JPEG", {}),
    ("LAB", "TIFF", {}),
    ("L", "JPEG", {}),
    ("RGB", "BMP", {}),
]
ORIENTATIONS = range(1, 9)
EXIF_ORIENTATION = 0x0112


@pytest.mark.parametrize(("mode", "form", "further"), FILES, ids=lambda x: str(x)[:24])
def test_files_of_every_mode_and_turn_read_as_published(tmp_path, published, mode, form, further):
    sides = np.random.default_rng(len(mode) + len(form)).integers(8, 260, (len(ORIENTATIONS), 2)).tolist()
    for (width, height), turn in zip(sides, ORIENTATIONS, strict=True):
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = turn
        tag = {"exif": exif} if form in ("PNG", "JPEG", "WEBP", "TIFF") else {}
        noise(mode, width, height, turn).save(tmp_path / "picture", form, **further, **tag)
        found = images.open_picture(tmp_path / "picture")
        # By path, Pillow scrambles some turned TIFFs (findings/pillow_turned_tiff_by_path.sh).
        with Image.open(io.BytesIO((tmp_path / "picture").read_bytes())) as picture:
            upright = ImageOps.exif_transpose(picture)
        if mode == "I;16":  # of which transformers makes white
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        assert found.shape == ((width, height, 3) if tag and turn > 4 else (height, width, 3))
        assert (found == images.open_picture("named", (tmp_path / "picture").read_bytes())).all()
        assert_equal(found, upright, published)


@pytest.mark.parametrize(("mode", "form", "further"), FILES, ids=lambda x: str(x)[:24])
def test_opening_and_fitting_at_once_gives_the_same(mode, form, further):
    for turn in ORIENTATIONS:
        file, exif = io.BytesIO(), Image.Exif()
        exif[EXIF_ORIENTATION] = turn
        tag = {"exif": exif} if form in ("PNG", "JPEG", "WEBP", "TIFF") else {}
        noise(mode, 40 + 30 * turn, 150, turn).save(file, form, **further, **tag)
        found = images.open_fitted("it", file.getvalue(), PUBLISHED, 3136, 20_000)
        wanted = images.fit(images.open_picture("it", file.getvalue()), PUBLISHED, 3136, 20_000)
        assert found.shape == wanted.shape and (found == wanted).all()


def test_a_picture_that_is_far_too_long_is_named():
    file = io.BytesIO()
    Image.new("RGB", (2010, 10)).save(file, "PNG")
    with pytest.raises(ValueError, match=r"^image file it: image aspect ratio must be at most 200, got 10 x 2010 px$"):
        images.open_fitted("it", file.getvalue(), PUBLISHED)


def test_any_size_reads_as_published(published):
    rng = np.random.default_rng(1)
    odd = [
        (1, 1),
        (1, 200),
        (200, 1),
        (3, 3),
        (3, 600),
        (27, 29),
        (14, 14),
        (28, 28),
        (1400, 7),
        (112, 168),
        (900, 700),
    ]
    for number, (height, width) in enumerate([*odd, *rng.integers(1, 300, (200, 2)).tolist()]):
        if max(height, width) <= 200 * min(height, width):
            found = picture(height, width, number)
            assert_equal(found, Image.fromarray(found), published)


@pytest.mark.parametrize("size", [pytest.param((9000, 9500), marks=pytest.mark.slow), (2500, 4000)])
def test_a_huge_picture_reads_as_published(tmp_path, published, size):
    noise("L", *size, 0).save(tmp_path / "huge.png", compress_level=1)
    found = images.open_picture(tmp_path / "huge.png")
    assert_equal(found, Image.fromarray(found[:, :, 0]), published)


def test_transparent_parts_are_white(tmp_path):
    Image.new("RGBA", (30, 30), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (images.open_picture(tmp_path / "clear.png") == 255).all()


def test_a_turned_picture_is_put_upright(tmp_path):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # the camera was held a quarter turn to the right
    bars = Image.fromarray(np.repeat(np.uint8([[0], [255]]), 20, 1).repeat(8, 0))
    bars.save(tmp_path / "turned.png", exif=exif)
    upright = images.open_picture(tmp_path / "turned.png")
    assert upright.shape == (20, 16, 3)
    assert (upright[:, :8] == 255).all() and (upright[:, 8:] == 0).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x00\x00\x00\x20ftypisom" + bytes(64), "must be a picture; videos are not supported"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "must be a picture; videos are not supported"),
        (b"", "must be a picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "must be a"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path, content, words):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"clip.mp4 must be a") as error:
        images.open_picture(tmp_path / "clip.mp4")
    assert words in str(error.value)


@pytest.mark.parametrize(("mode", "form", "further"), FILES, ids=lambda x: str(x)[:24])
def test_a_picture_cut_short_is_refused_by_name(tmp_path, mode, form, further):
    noise(mode, 200, 190, 0).save(tmp_path / "whole", form, **further)
    whole = (tmp_path / "whole").read_bytes()
    assert images.stored_size("whole", whole) == (190, 200)
    for size in (20, len(whole) // 2, len(whole) * 9 // 10):
        for read in (images.open_picture, images.stored_size):
            with pytest.raises(ValueError, match=r"^image file .*/cut must be a .*picture"):
                read(tmp_path / "cut", whole[:size])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("missing", [1, 4, 11, 12, 13, 17])
def test_what_is_cut_off_the_end_counts_only_where_the_picture_cannot_be_read_without(form, missing):
    content = io.BytesIO()
    noise("RGB", 60, 50, 0).save(content, form)
    data = content.getvalue()[:-missing]
    try:
        wanted = images.open_picture("cut", data).shape[:2]
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            images.stored_size("cut", data)
    else:
        assert images.stored_size("cut", data) == wanted


@given(st.binary(max_size=8), st.integers(0, 400), st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]))
def test_a_damaged_picture_is_read_or_refused_by_name(damage, place, form):
    content = io.BytesIO()
    noise("RGB", 40, 30, 0).save(content, form)
    data = content.getvalue()
    data = data[:place] + damage + data[place + len(damage) :]
    for read in (images.open_picture, images.stored_size):
        try:
            read("bad", data)
        except ValueError as error:
            assert str(error).startswith("image file bad must be a ")


def test_a_picture_that_is_absent_or_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent.png"):
        images.open_picture(Path(tmp_path / "absent.png"))
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        images.open_picture(tmp_path)


def test_a_picture_too_large_for_any_machine_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    noise("L", 14, 14, 0).save(tmp_path / "large.png")
    assert images.open_picture(tmp_path / "large.png").shape == (14, 14, 3)  # without a warning
    noise("L", 15, 15, 0).save(tmp_path / "large.png")
    with pytest.raises(ValueError, match=r"large.png must be a sound picture"):
        images.open_picture(tmp_path / "large.png")


@pytest.mark.parametrize("vision", [PUBLISHED, SMALL_WINDOWS], ids=["published", "small"])
def test_window_order_and_rows_equal_the_published_ones(vision, torch):
    library = pytest.importorskip("transformers.vision_utils")
    for rows, columns in itertools.product((1, 2, 3, 4, 5, 8, 9, 12), repeat=2):
        grid = torch.tensor([[1, 2 * rows, 2 * columns]])
        order, starts = library.get_vision_window_index(grid, 2, vision.window_size, 14)
        cut = images.patchify(picture(28 * rows, 28 * columns), vision)
        assert np.argsort(cut.merged).tolist() == order.tolist()
        lengths = cut.real.reshape(-1, vision.window_patches).sum(1)
        assert [0, *np.cumsum(lengths)] == starts.tolist()
        wanted = library.get_vision_position_ids(grid, 2).numpy()
        assert (cut.rowcol.reshape(-1, 4, 2)[cut.merged].reshape(-1, 2) == wanted).all()


def test_smart_resize_equals_the_published_one(published):
    import transformers.models.qwen2_vl.image_processing_pil_qwen2_vl as theirs

    rng = np.random.default_rng(2)
    for height, width in np.exp(rng.uniform(0, np.log(20_000), (5000, 2))).astype(int).tolist():
        if max(height, width) <= 200 * min(height, width):
            bounds = {"min_pixels": images.MIN_PIXELS, "max_pixels": images.MAX_PIXELS}
            assert images.smart_resize(height, width) == theirs.smart_resize(height, width, **bounds)
            low = int(np.exp(rng.uniform(np.log(784), np.log(10**6))))
            narrow = {"min_pixels": low, "max_pixels": int(low * rng.uniform(1, 1.5))}
            assert images.smart_resize(height, width, **narrow) == theirs.smart_resize(height, width, **narrow)


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


def test_narrow_bounds_are_missed_and_fitting_again_changes_a_picture():
    once = images.smart_resize(480, 640, 28, 200_704, 200_704)
    assert once == (364, 504) and images.smart_resize(*once, 28, 200_704, 200_704) == (392, 532)
    assert 364 * 504 < 200_704 < 392 * 532


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
    assert (images.unpatchify(cut.pixels, cut.rowcol, number, vision) == image).all()


def test_padding_is_zero_and_types_are_narrow():
    cut = images.patchify(picture(28, 28), PUBLISHED)
    assert cut.pixels.dtype == np.uint8 and cut.rowcol.dtype == cut.merged.dtype == np.int32
    assert not cut.pixels[~cut.real].any() and cut.pixels[cut.real].any()


def test_bad_sizes_and_numbers_are_refused():
    with pytest.raises(ValueError, match="image sides must be multiples of 28 px, got 30 x 28 px"):
        images.patchify(picture(30, 28), PUBLISHED)
    cut = images.patchify(picture(28, 28), PUBLISHED)
    number = np.where(cut.real, 0, -1).astype(np.int32)
    with pytest.raises(ValueError, match="image number must be in the prompt, got 1"):
        images.unpatchify(cut.pixels, cut.rowcol, number, PUBLISHED, number=1)
