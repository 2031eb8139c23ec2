"""The tiny FG-CLIP's maker: its files are read as published ones are, and it learns what it is shown."""

import dataclasses

import numpy as np
import pytest

from perc_jax import teach_clip
from perc_jax.prompt.clip_inputs import ClipTokenizer, heads
from perc_jax.teach_clip import BATCH, TINY, drawn, main, write_small_files
from perc_jax.weights import clip_folder


@pytest.fixture(scope="module")
def scenes():
    return drawn("train", 20)


def test_the_tokenizer_has_all_bytes_and_the_scenes_words(scenes, tmp_path):
    write_small_files(tmp_path, scenes.texts)
    read = ClipTokenizer(tmp_path, length=TINY.long_positions, begin=TINY.begin, end=TINY.end)
    found = read([*scenes.texts, "naïve 漢字 £5 <|endoftext|> red", ""])
    assert not found.cut.any() and found.empty.tolist() == [False] * (len(scenes.texts) + 1) + [True]
    lengths = (found.tokens != TINY.end).sum(axis=1)
    assert all(length < len(text) / 2 for length, text in zip(lengths, scenes.texts, strict=False))  # words are joined
    assert found.tokens.max() == TINY.end and (found.tokens[:, 0] == TINY.begin).all()
    assert heads(tmp_path) == {"vision": TINY.vision.heads, "text": TINY.text.heads}
    assert [read([text]).tokens.tolist() for text in ("red", "RED", " red ")] == [read(["red"]).tokens.tolist()] * 3


def test_equal_scenes_give_equal_files(scenes, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_small_files(tmp_path / name, scenes.texts)
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()} and len(files) == 4


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--scenes", "1"], f"--scenes must be >= {BATCH}, got 1"),
        (["--steps", "0"], "--steps must be >= 1, got 0"),
        (["--test-scenes", str(BATCH + 1)], f"--test-scenes must be a multiple of {BATCH}, got {BATCH + 1}"),
        (["--out", "README.md/a"], "README.md/a"),  # before anything is drawn
        (["--out", "."], "--out must be a folder that is empty or not there, got ."),
    ],
)
def test_mistakes_are_told_at_once(words, complaint, capsys, monkeypatch):
    monkeypatch.setattr(teach_clip, "drawn", None)  # it does not come so far
    with pytest.raises(SystemExit) as end:
        main(["--out", "nowhere", *words])
    assert end.value.code == 2 and complaint in capsys.readouterr().err


def test_the_package_s_own_is_one_of_these_and_tells_scenes_apart():
    """Scenes that it did not learn from; its text is the nearest of 64 by chance for 1.6 %."""
    folder = clip_folder.folder_of(TINY)
    clip_folder.verify(folder, TINY)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
    with pytest.raises(ValueError, match=f"scenes must be a multiple of {BATCH}, got 5"):
        teach_clip.measured(folder, drawn("test_a", 5))  # which would be left out of what is told
    nearest, own, others = teach_clip.measured(folder, drawn("test_a", BATCH)).values()
    assert nearest > 0.7 and own > others + 0.5


@pytest.mark.slow
def test_it_learns_and_makes_the_same_bytes_again(tmp_path, capsys):
    """A few hundred scenes by heart: their own text is the nearest of 64 far more often than by chance (1.6 %)."""
    how = ["--scenes", "320", "--steps", "150", "--test-scenes", str(BATCH)]
    for name in ("a", "b"):
        main([*how, "--out", str(tmp_path / name)])
    capsys.readouterr()
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert sum(map(len, files.values())) < 2_000_000
    clip_folder.verify(tmp_path / "a", dataclasses.replace(TINY, folder=str(tmp_path / "a")))
    found = teach_clip.measured(tmp_path / "a", drawn("train", 4 * BATCH))
    nearest, own, others = found.values()
    assert nearest > 0.2 and own > others + 0.1 and np.isfinite(own)
