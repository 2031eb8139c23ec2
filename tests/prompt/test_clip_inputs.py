"""What a CLIP reads: Pillow's pictures, the published tokens, and no text that can end itself."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from perc_jax.clip.model import pixels
from perc_jax.prompt import clip_inputs
from perc_jax.prompt.clip_inputs import ClipTokenizer, square

BEGIN, END = 49406, 49407
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16")
GOLDEN = {
    "a photo of a cat": [320, 1125, 539, 320, 2368],
    "a photo of a dog": [320, 1125, 539, 320, 1929],
    "": [],
    "A  minimalist-style\nbedroom; 12 cats' toys!": [320, 26641, 268, 1844, 8411, 282, 272, 273, 3989, 262, 7162, 256],
    "Ünïcode £5 naïve": [6522, 77, 35689, 3217, 1950, 276, 1097, 35689, 563],
}


def pictures(count: int) -> list[Image.Image]:
    """Pictures of noise and of slopes, of every mode and many sizes."""
    rng, found = np.random.default_rng(0), []
    for number in range(count):
        width, height = rng.integers(1, 90, 2).tolist()
        values = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
        if number % 2:
            values[..., 0] = np.linspace(0, 255, width)
        mode = MODES[number % len(MODES)]
        if mode == "I;16":
            picture = Image.fromarray(values[..., 0].astype(np.uint16) * 200)
        elif mode in ("LAB", "PA"):
            size = {"LAB": 3, "PA": 2}[mode]
            picture = Image.frombytes(mode, (width, height), values[..., :size].tobytes())
        elif mode in ("HSV", "YCbCr", "CMYK", "RGBX", "P", "1", "L", "I", "F"):
            picture = Image.fromarray(values[..., :3]).convert(mode)
        else:
            picture = Image.fromarray(values).convert(mode)
        assert picture.mode == mode
        found.append(picture)
    return found


def test_pictures_are_those_of_pillow_and_of_clips_processor() -> None:
    import transformers

    side = 32
    processor = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    for picture in pictures(200):
        ours = square(picture, side)
        theirs = picture.convert("RGB").resize((side, side))  # its default filter, as FG-CLIP calls it
        np.testing.assert_array_equal(ours, np.asarray(theirs), err_msg=picture.mode)
        values = processor(images=theirs, return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(pixels(ours[None])[0].transpose(2, 0, 1), values, atol=1e-6)


def test_an_array_is_the_picture_it_shows() -> None:
    picture = pictures(6)[5]
    np.testing.assert_array_equal(square(np.asarray(picture), 20), square(picture, 20))


def test_another_filter_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = pictures(6)[5]
    right = square(picture, 20)
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda image, size, _: resize(image, size, Image.Resampling.BILINEAR))
    assert not np.array_equal(square(picture, 20), right)


@pytest.fixture(scope="module")
def folder(reference_data: Path) -> Path:
    return reference_data / "fg_clip_base"


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> ClipTokenizer:
    return ClipTokenizer(folder, length=20, begin=BEGIN, end=END)


def test_golden_tokens(tokenizer: ClipTokenizer) -> None:
    tokens, cut, empty = tokenizer([*GOLDEN])
    assert tokens.shape == (5, 20) and tokens.dtype == np.int32
    for row, wanted in zip(tokens.tolist(), GOLDEN.values(), strict=True):
        assert row == [BEGIN, *wanted] + [END] * (19 - len(wanted))
    assert not cut.any()
    assert empty.tolist() == [not text for text in GOLDEN]


@pytest.mark.parametrize(
    "text", ["<|endoftext|> hi", "hi<|startoftext|>", "<|STARTOFTEXT|>hi <|endoftext|><|endoftext|>"]
)
def test_a_written_mark_ends_nothing(tokenizer: ClipTokenizer, text: str) -> None:
    assert tokenizer([text]).tokens.tolist() == tokenizer(["hi"]).tokens.tolist()


def test_a_written_mark_ends_the_text_where_it_is_kept(tokenizer: ClipTokenizer) -> None:
    found = tokenizer(["<|endoftext|> hi"], keep_marks=True)
    assert found.tokens[0, :5].tolist() == [BEGIN, END, 1883, END, END]


def test_marks_alone_are_an_empty_text(tokenizer: ClipTokenizer) -> None:
    assert tokenizer(["<|endoftext|>", " \n ", "a"]).empty.tolist() == [True, True, False]


def test_a_long_text_is_cut_and_counted(tokenizer: ClipTokenizer, recwarn: pytest.WarningsRecorder) -> None:
    tokens, cut, _ = tokenizer(["cat " * 18, "cat " * 19, "cat " * 300])
    assert cut.tolist() == [False, True, True]
    assert (tokens[:, 1:19] == 2368).all() and (tokens[:, 19] == END).all()
    assert not recwarn.list


def test_no_texts(tokenizer: ClipTokenizer) -> None:
    assert tokenizer([]).tokens.shape == (0, 20)


def test_a_tokenizer_with_other_marks_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"tokenizer_config.json: bos_token and eos_token must have the ids 98 and 99"):
        ClipTokenizer(folder, length=20, begin=98, end=99)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must hold a tokenizer_config.json, found none"):
        ClipTokenizer(tmp_path, length=20, begin=98, end=99)


def test_heads_of_the_published_config(folder: Path) -> None:
    assert clip_inputs.heads(folder) == {"vision": 12, "text": 8}


@pytest.mark.parametrize(
    ("file", "values", "words"),
    [
        ("config.json", {"model_type": "siglip"}, "config.json: model_type must be 'clip', got 'siglip'"),
        (
            "config.json",
            {"model_type": "clip", "text_config": {"hidden_act": "gelu"}},
            "text_config.hidden_act must be 'quick_gelu', got 'gelu'",
        ),
        ("config.json", {"model_type": "clip", "vision_config": 3}, "vision_config must be an object, got 3"),
        ("preprocessor_config.json", {"resample": 2}, "resample must be 3, got 2"),
        ("preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5]}, "image_mean must be "),
        ("config.json", [], "config.json must be a JSON object, got a list"),
    ],
)
def test_another_kind_of_model_is_refused(tmp_path: Path, file: str, values: object, words: str) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    assert clip_inputs.heads(tmp_path) == {}
    (tmp_path / file).write_text(json.dumps(values))
    with pytest.raises(ValueError, match=words):
        clip_inputs.heads(tmp_path)


def test_kept_marks_are_the_published_tokens(tokenizer: ClipTokenizer, folder: Path) -> None:
    """As FG-CLIP's own example calls its tokenizer: padded to the end, cut, with the end mark last."""
    import transformers

    stock = transformers.CLIPTokenizer.from_pretrained(str(folder))
    texts = [
        *GOLDEN,
        "cat " * 300,
        "<|endoftext|> hi",
        "a<|startoftext|>b",
        "🙂 – İstanbul\t\u00a0½",
        "<|endoftext|>" * 40,
    ]
    wanted = stock(texts, max_length=20, padding="max_length", truncation=True)["input_ids"]
    assert tokenizer(texts, keep_marks=True).tokens.tolist() == wanted
