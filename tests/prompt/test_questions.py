"""Questions as prompts: lengths known without decoding, the smallest bucket, each in one batch, no picture."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pictures

from perc_jax.benchmarks import Image
from perc_jax.config import VisionConfig
from perc_jax.prompt import chat, image, prompt, questions
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.questions import GREY, Question, Reader
from perc_jax.prompt.tokenizer import load
from tests.weights.published_folders import VISION

TOKENS = load("debug.model")
REAL = VisionConfig(1, 32, 2, 32, (0,))  # patches and windows of the published size
READER = Reader(TOKENS, REAL, Processor(3136, 200_000), 4096)


def save(folder: Path, height: int, width: int, name: str = "a.png", seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Pictures.fromarray(pixels).save(folder / name)
    return Image(folder / name)


def measured(text: str, *pictures: Image, reader: Reader = READER) -> Question:
    return questions.measure("q", "q", text, pictures, reader)


@pytest.mark.parametrize("vision", [REAL, VISION])
@pytest.mark.parametrize("sizes", [(), ((28, 28),), ((30, 500), (200, 90)), ((900, 1300),), ((57, 57),) * 3])
def test_the_bucket_is_the_smallest_that_holds_the_prompt(tmp_path, vision, sizes):
    reader = READER._replace(vision=vision)
    pictures = [save(tmp_path, *size, f"{number}.png") for number, size in enumerate(sizes)]
    question = measured("How many dots? " * 20, *pictures, reader=reader)
    made = prompt.chat_prompt(
        question.chat,
        [image.fit(np.asarray(Pictures.open(picture.file)), vision, *reader.pixels) for picture in pictures],
        tokenizer=TOKENS,
        vision=vision,
    )
    tokens, patches = question.bucket
    assert len(made.tokens) <= tokens and made.patches <= patches
    shown = patches // 4
    assert patches == questions.MIN_PATCHES or made.patches > patches // 2
    assert tokens - shown == questions.MIN_TEXT or len(made.tokens) > shown + (tokens - shown) // 2
    assert sum(picture.units[0] * picture.units[1] * 28**2 for picture in made.pictures) <= 200_000 * len(sizes)
    rows = questions.rows([question], reader)
    assert rows.mask.sum() == len(made.tokens) and (rows.patch_image >= 0).sum() == sum(
        picture.real.sum() for picture in made.pictures
    )


def test_a_turned_picture_is_measured_as_it_is_shown(tmp_path):
    exif = Pictures.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Pictures.new("RGB", (300, 100)).save(tmp_path / "a.jpg", exif=exif)
    question = measured("Which?", Image(tmp_path / "a.jpg"))
    rows = questions.rows([question], READER)
    tall = rows.patch_rowcol[0].max(axis=0)
    assert tall[0] > tall[1] and rows.tokens.shape[1] == question.bucket[0]


def test_what_does_not_fit_is_not_asked_and_says_why(tmp_path):
    long = measured("word " * 5000)
    assert long.why_not.endswith("tokens is longer than 4096") and long.bucket == (0, 0)
    thin = measured("Which?", save(tmp_path, 3, 900))
    assert "aspect ratio must be at most 200" in thin.why_not
    marked = measured("Is <|image_pad|> a mark?")
    assert "must not contain <|image_pad|>" in marked.why_not
    assert questions.plan([long, thin, marked], 8, 1) == []


def test_a_picture_that_is_none_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png must be a picture"):
        measured("Which?", Image(tmp_path / "a.png"))


@pytest.mark.parametrize("name", ["b.png", "b.jpg", "b.webp", "b.gif"])
def test_a_picture_cut_short_is_found_before_anything_is_asked(tmp_path, name):
    picture = save(tmp_path, 60, 60, name)
    question = measured("Which?", picture)
    whole = picture.file.read_bytes()
    picture.file.write_bytes(whole[: len(whole) // 2])
    for look in (lambda: measured("Which?", picture), lambda: questions.rows([question], READER)):
        with pytest.raises(ValueError, match=rf"image file .*{name} must be a sound picture: .*"):
            look()


def test_the_fingerprint_knows_text_pixels_and_bounds(tmp_path):
    one = measured("Which?", save(tmp_path, 60, 60))
    assert measured("Which?", save(tmp_path, 60, 60)).prompt == one.prompt
    others = [
        measured("which?", one.images[0]),
        measured("Which?", save(tmp_path, 60, 60, "b.png", seed=1)),
        measured("Which?", one.images[0], reader=READER._replace(pixels=Processor(3136, 100_000))),
        measured("Which?"),
    ]
    assert len({one.prompt, *(other.prompt for other in others)}) == 5


BUCKETS = st.sampled_from([(192, 256), (384, 1024), (1280, 4096), (16512, 65536)])


@given(st.lists(BUCKETS, max_size=60), st.integers(1, 40), st.sampled_from([1, 4, 8]))
def test_a_plan_asks_each_question_once_in_batches_of_one_bucket(buckets, batch, multiple):
    asked = [Question(str(i), str(i), chat.asked("", 0, ""), (), "", bucket) for i, bucket in enumerate(buckets)]
    plan = questions.plan(asked, batch, multiple)
    assert sorted(question.id for group in plan for question in group) == sorted(question.id for question in asked)
    for group in plan:
        [key] = {question.bucket for question in group}
        count = questions.size(key, batch, multiple)
        assert len(group) <= count and count % multiple == 0 and count <= max(multiple, batch)
    assert [group[0].bucket for group in plan] == sorted((group[0].bucket for group in plan), reverse=True)


def test_an_unseen_picture_is_a_grey_one_of_the_same_size(tmp_path):
    seen = measured("Which is it?", save(tmp_path, 90, 140), save(tmp_path, 60, 60, "b.png", seed=1))
    for name, size in (("grey_a.png", (140, 90)), ("grey_b.png", (60, 60))):
        Pictures.new("RGB", size, GREY).save(tmp_path / name)
    grey = measured("Which is it?", Image(tmp_path / "grey_a.png"), Image(tmp_path / "grey_b.png"))
    made, wanted = questions.unseen(questions.rows([seen], READER)), questions.rows([grey], READER)
    for mine, theirs in zip(made, wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_pictures_in_a_parquet_file_are_read_like_files(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow writes the file")
    from tests.benchmarks.folders import write_parquet

    file = save(tmp_path, 80, 120)
    write_parquet(tmp_path / "a.parquet", [{"image": {"bytes": file.read(), "path": None}}])
    cell = Image(tmp_path / "a.parquet", 0, "image")
    assert measured("Which?", cell)._replace(images=()) == measured("Which?", file)._replace(images=())
    one, other = (questions.rows([measured("Which?", picture)], READER) for picture in (cell, file))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert Pictures.open(io.BytesIO(cell.read())).size == (120, 80)
