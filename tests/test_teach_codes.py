"""The codebook's maker: what it learns restores maps that it did not see, few codes are dead, and mistakes are told."""

import json
from pathlib import Path

import numpy as np
import pytest

from perc_jax import teach_codes
from perc_jax.config import CodebookConfig
from perc_jax.prompt.codebook import Codebook
from perc_jax.teach_codes import BATCH, Asked, drawn, main, measured, restarted, spread, taught, write

SMALL = CodebookConfig(side=4, codes=16, width=8, map_px=16, channels=16)
SCENES = Asked(kind="depth", engines=("depth", "scene"), levels=(0, 1), photo_share=0.0, map_px=SMALL.map_px)


def synthetic(count: int, seed: int) -> np.ndarray:
    """A floor that leads away, and boxes on it whose fronts are as near as their feet; float32 [n, 16, 16]."""
    rng, side = np.random.default_rng(seed), SMALL.map_px
    found = np.repeat(np.linspace(1, 0, side)[:, None], side, 1)[None].repeat(count, 0)
    for one in found:
        for foot in sorted(rng.integers(6, side, 2)):
            left, height = rng.integers(0, side - 5), rng.integers(4, 7)
            one[max(0, foot - height) : foot, left : left + 5] = 1 - foot / side
    return found.astype(np.float32)


@pytest.fixture(scope="module")
def learnt() -> Codebook:
    said = []
    tensors = taught(SMALL, synthetic(600, seed=0), 400, lambda _: None, said.append)
    assert len(said) == 10 and said[-1].startswith("step 400: reconstruction ")
    return Codebook(SMALL, "depth", tensors)


def test_maps_that_were_not_learnt_are_restored_and_few_codes_are_dead(learnt: Codebook) -> None:
    """The mean map has the error 1; 4 bits for each cell leave less than half of it."""
    found = measured(learnt, synthetic(200, seed=1))
    assert found.variance_share < 0.45 and found.used > 0.9 and found.perplexity > 4


def test_what_is_measured_is_what_it_says(learnt: Codebook) -> None:
    maps = synthetic(40, seed=2)
    found = measured(learnt, maps)
    codes = np.array([learnt.codes(one) for one in maps])
    restored = np.array([learnt.restore(one) for one in codes])
    counts = np.unique(codes, return_counts=True)[1]
    entropy = -np.sum(counts / codes.size * np.log2(counts / codes.size))
    mean, scale = spread(synthetic(600, seed=0))
    np.testing.assert_array_equal(learnt.tensors["mean"], mean)
    assert learnt.tensors["scale"] == scale
    np.testing.assert_allclose(found.mse, np.mean((maps - restored) ** 2), rtol=1e-5)
    np.testing.assert_allclose(found.variance_share, found.mse / np.mean((maps - mean) ** 2), rtol=1e-5)
    np.testing.assert_allclose(found.perplexity, 2**entropy, rtol=1e-6)
    assert found.used == len(counts) / SMALL.codes


def test_maps_without_any_difference_are_refused() -> None:
    with pytest.raises(ValueError, match="--map must differ between the scenes of --engines"):
        spread(np.ones((3, 4, 4), np.float32))


def test_unused_codes_restart_from_what_is_far_from_the_used() -> None:
    rng = np.random.default_rng(0)
    book = np.array([[0.0, 0.0], [9.0, 9.0], [1.0, 0.0], [7.0, 7.0]], np.float32)
    states = np.concatenate([np.tile([[0.0, 0.1]], (500, 1)), [[5.0, 5.0], [6.0, -6.0]]]).astype(np.float32)
    made = restarted(book, np.array([3, 0, 9, 0]), states, rng)
    assert made[[0, 2]].tolist() == book[[0, 2]].tolist()
    assert sorted(made[[1, 3]].tolist()) == [[5, 5], [6, -6]]  # the two of 502 that no code in use is near
    assert book[1].tolist() == [9, 9]  # the given one stays
    fresh = restarted(book[:3], np.zeros(3, int), states, rng)
    assert sorted(fresh.tolist()) == sorted(states[-3:].tolist())  # 500 that are equal have one of them
    few = restarted(book, np.zeros(4, int), states[-1:], rng)
    assert few.tolist() == [[6, -6]] * 4


def test_used_codes_are_not_restarted() -> None:
    book = np.eye(3, dtype=np.float32)
    made = restarted(book, np.ones(3, int), np.zeros((5, 3), np.float32), np.random.default_rng(0))
    assert made.tolist() == book.tolist()


def test_maps_are_drawn_by_their_names_and_splits_differ() -> None:
    train, again, test = (drawn(split, 6, SCENES) for split in ("train", "train", "test_a"))
    np.testing.assert_array_equal(train, again)
    assert train.shape == (6, 16, 16) and 0 <= train.min() < train.max() <= 1
    assert not any(np.array_equal(one, other) for one in train for other in test)


def test_a_folder_comes_back(tmp_path: Path, learnt: Codebook) -> None:
    write(tmp_path / "made", SMALL, learnt.tensors, {"map": "depth", "learnt_from": {"maps": 600}})
    found = Codebook.load(str(tmp_path / "made"))
    assert found.config == SMALL and found.map == "depth"
    assert found.tensors.keys() == learnt.tensors.keys()
    for name, tensor in learnt.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor, name)
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"config.json", "model.safetensors"}


def test_equal_arguments_give_equal_bytes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    sizes = ("--side", "2", "--codes", "4", "--width", "3", "--map-px", "8", "--channels", "4")
    for name in ("a", "b"):
        main(["--out", str(tmp_path / name), *sizes, "--maps", str(BATCH), "--steps", "3", "--test-maps", "2"])
    said = capsys.readouterr().err
    assert "of 2 maps of test_a, each in 4 codes:" in said and "of the maps' variance" in said and "perplexity" in said
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    told = json.loads(files["config.json"])
    assert told["learnt_from"]["engines"].keys() == {"depth", "scene"} and told["measured"]["mse"] > 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--maps", "1"], f"--maps must be >= {BATCH}, got 1"),
        (["--steps", "0"], "--steps must be >= 1, got 0"),
        (["--test-maps", "0"], "--test-maps must be >= 1, got 0"),
        (["--engines", "scene,halls"], "--engines must be of grid, "),
        (["--engines", "scene,halls"], ", got halls"),
        (["--engines", ","], ", got none"),
        (["--levels", "0,10"], "--levels must be of 0..9, got 0, 10"),
        (["--levels", "low"], "--levels: invalid"),
        (["--photo-share", "2"], "--photo-share must be within 0..1, got 2.0"),
        (["--map", "heat"], "--map: invalid choice: 'heat'"),
        (["--side", "3"], "map_px must be side (3) x a power of two, got 320"),
        (["--codes", "1"], "codes must be within 2..65536, got 1"),
        (["--out", "README.md/a"], "README.md/a"),  # before anything is drawn
        (["--out", "."], "--out must be a folder that is empty or not there, got ."),
        (["--engines", "function"], "--map must be one that the engine function knows, got depth"),
    ],
)
def test_mistakes_are_told_at_once(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teach_codes, "taught", None)  # it does not come so far
    with pytest.raises(SystemExit) as end:
        main(["--out", str(tmp_path / "nowhere"), *words])
    assert end.value.code == 2 and complaint in capsys.readouterr().err


def test_the_package_s_own_restores_scenes_that_it_did_not_learn_from() -> None:
    """Of engines' maps on a laptop: small enough to be shipped, and few of its codes dead."""
    found = Codebook.load("codes_tiny")
    assert found.config.side == 4 and found.config.map_px == 64 and found.map == "depth"
    folder = Path(__file__).parent.parent / "perc_jax" / "assets" / "codes_tiny"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 200_000
    maps = drawn("test_a", 80, SCENES._replace(map_px=64))
    told = measured(found, maps)
    assert told.variance_share < 0.45 and told.used > 0.9
