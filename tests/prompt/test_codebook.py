"""The host's reader says what Flax says, takes maps as engines give them, and tells what is wrong with a folder."""

import dataclasses
import functools
import pickle
from pathlib import Path

import jax
import numpy as np
import pytest

from perc_jax.codes import bind, from_tensors
from perc_jax.config import CodebookConfig, CodesConfig
from perc_jax.prompt import codebook
from perc_jax.prompt.codebook import Codebook, resized, shapes, values
from tests.codes.cases import CASES, SMALL, maps, tensors, write

LIMIT = 1e-5


@functools.partial(jax.jit, static_argnums=0)
def on_device(config: CodebookConfig, params: dict, given: jax.Array, codes: jax.Array) -> tuple:
    """The codes of maps, and what is restored from codes."""
    model = bind(config, params)
    return model.codes(given), model.restore(codes)


@pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())
def test_host_and_device_say_the_same(config: CodebookConfig) -> None:
    held = tensors(config)
    host, params = Codebook(config, "depth", held), from_tensors(held)
    for given in maps(config, 2):
        codes = host.codes(given)
        assert codes.dtype == np.int32 and codes.shape == (config.length,)
        device_codes, device_restored = on_device(config, params, given[None], codes[None])
        np.testing.assert_array_equal(codes, device_codes[0])
        restored = host.restore(codes)
        assert restored.dtype == np.float32
        np.testing.assert_allclose(restored, device_restored[0], atol=LIMIT)


def test_a_folder_is_read_and_can_be_sent_to_workers(tmp_path: Path) -> None:
    held = tensors(SMALL)
    found = Codebook.load(str(write(tmp_path)))
    assert (found.config, found.map) == (SMALL, "depth")
    assert {name: tensor.tolist() for name, tensor in found.tensors.items()} == {
        name: tensor.tolist() for name, tensor in held.items()
    }
    given = maps(SMALL, 1)[0]
    sent = pickle.loads(pickle.dumps(found))
    assert sent.codes(given).tolist() == Codebook(SMALL, "depth", held).codes(given).tolist()


# --- maps ----------------------------------------------------------------------------------------------------------


def test_a_map_takes_the_pixels_that_its_middles_lie_in() -> None:
    given = np.arange(12, dtype=np.float32).reshape(2, 6)
    # Middles of thirds of 2 rows: 1/3, 1, 5/3; the second lies on an edge, and below it. Of 6 columns: 1, 3, 5.
    assert resized(given, 3).tolist() == [[1, 3, 5], [7, 9, 11], [7, 9, 11]]
    assert resized(given, 1).tolist() == [[9]]
    grown = resized(np.eye(2, dtype=np.float32), 6)
    assert grown.tolist() == np.kron(np.eye(2), np.ones((3, 3))).tolist()
    same = maps(SMALL, 1)[0]
    np.testing.assert_array_equal(resized(same, SMALL.map_px), same)


def test_sizes_of_maps_do_not_matter_to_codes() -> None:
    found, given = Codebook(SMALL, "depth", tensors(SMALL)), maps(SMALL, 1)[0]
    larger = np.kron(given, np.ones((3, 5), np.float32))
    assert found.codes(larger).tolist() == found.codes(given).tolist()


def test_what_stands_for_the_kinds_of_maps() -> None:
    assert values("segments", np.array([[0, 1, 8, 16, 99]])).tolist() == [[0, 1 / 16, 0.5, 1, 1]]
    assert values("occupancy", np.array([[True, False]])).tolist() == [[1, 0]]
    assert values("depth", np.array([[0.25, 1.0]])).tolist() == [[0.25, 1]]


@pytest.mark.parametrize(("kind", "factor"), [("segments", 16), ("occupancy", 1)])
def test_whole_numbers_are_maps_as_well(kind: str, factor: int) -> None:
    given = maps(SMALL, 1)[0] > 0.5
    as_engines_do = given if kind == "occupancy" else given.astype(np.int32) * factor
    found = Codebook(SMALL, kind, tensors(SMALL)).codes(as_engines_do)
    assert found.tolist() == Codebook(SMALL, "depth", tensors(SMALL)).codes(given.astype(np.float32)).tolist()


def test_of_equally_near_codes_the_first_is_taken() -> None:
    """All codes are the same: sums of small whole numbers are exact, whatever order they are added in."""
    book = np.ones((SMALL.codes, SMALL.width), np.float32)
    zeros = {name: np.zeros_like(tensor) for name, tensor in tensors(SMALL).items()}
    held = zeros | {"book": book, "scale": np.ones((), np.float32)}
    assert Codebook(SMALL, "depth", held).codes(maps(SMALL, 1)[0]).tolist() == [0] * SMALL.length


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((0, 3), np.float32), r"a depth map must be H x W numbers, got the shape \[0, 3\]"),
        (np.full((3, 3), np.nan, np.float32), "a depth map must be finite, got NaN or infinity"),
    ],
)
def test_what_is_no_map_is_refused(given: np.ndarray, words: str) -> None:
    found = Codebook(SMALL, "depth", tensors(SMALL))
    with pytest.raises(ValueError, match=words):
        found.codes(given)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([0, 1, 2], r"codes of a map must be 4, got the shape \[3\]"),
        ([0, 1, 2, 7], r"codes must be 0\.\.6, got 0\.\.7"),
        ([-1, 1, 2, 3], r"codes must be 0\.\.6, got -1\.\.3"),
    ],
)
def test_what_are_no_codes_is_refused(codes: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Codebook(SMALL, "depth", tensors(SMALL)).restore(np.array(codes))


# --- folders -------------------------------------------------------------------------------------------------------


def test_tensors_that_are_not_those_of_the_sizes_are_named(tmp_path: Path) -> None:
    held = tensors(SMALL) | {"extra.kernel": np.zeros(2, np.float32), "book": np.zeros((8, 5), np.float32)}
    del held["decoder.leave.bias"], held["encoder.enter.kernel"]
    write(tmp_path, held=held)
    with pytest.raises(ValueError) as error:
        Codebook.load(str(tmp_path))
    assert str(error.value) == (
        f"{tmp_path}/model.safetensors must hold the tensors of its config.json: "
        "2 missing (encoder.enter.kernel, decoder.leave.bias); 1 unexpected (extra.kernel); "
        "1 of another shape (book [8, 5] for [7, 5])"
    )


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"book": np.zeros((7, 5), np.float64)}, "book must be finite float32, got float64"),
        ({"book": np.full((7, 5), np.inf, np.float32)}, "book must be finite float32, got float32 or NaN or infinity"),
        ({"scale": np.zeros((), np.float32)}, "scale must be > 0, got 0.0"),
    ],
)
def test_numbers_that_are_none_are_refused(tmp_path: Path, held: dict, words: str) -> None:
    write(tmp_path, held=tensors(SMALL) | held)
    with pytest.raises(ValueError, match=words):
        Codebook.load(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", r"config\.json must be JSON"),
        ("[]", r"config\.json must be that of a codebook, with model_type 'perc_jax_codebook'"),
        ('{"model_type": "clip"}', r"config\.json must be that of a codebook"),
        ('{"model_type": "perc_jax_codebook", "map": "heat"}', "map must be one of depth, segments, occ.*got 'heat'"),
        ('{"model_type": "perc_jax_codebook", "map": "depth", "side": 4, "codes": 8}', r"must tell width, map_px"),
    ],
)
def test_a_config_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (write(tmp_path) / codebook.CONFIG).write_text(text)
    with pytest.raises(ValueError, match=words):
        Codebook.load(str(tmp_path))


def test_sizes_that_break_a_rule_are_refused(tmp_path: Path) -> None:
    write(tmp_path, map_px=18)
    with pytest.raises(ValueError, match=r"config\.json: map_px must be side \(2\) x a power of two, got 18"):
        Codebook.load(str(tmp_path))


def test_damaged_and_absent_files_are_told(tmp_path: Path) -> None:
    file = write(tmp_path) / codebook.WEIGHTS
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"model\.safetensors must be whole safetensors"):
        Codebook.load(str(tmp_path))
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"codes\.folder .* must be a folder .*, found no model\.safetensors"):
        Codebook.load(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"codes\.folder nowhere must be .*, found no config\.json"):
        Codebook.load("nowhere")


# --- a run's -------------------------------------------------------------------------------------------------------


def test_a_run_has_the_codebook_of_its_config(tmp_path: Path) -> None:
    config = CodesConfig(map="depth", codebook=SMALL, folder=str(write(tmp_path)))
    assert codebook.of(config).config == SMALL
    assert codebook.of(config) is codebook.of(dataclasses.replace(config))
    # How it was taught is not a size of it.
    other = dataclasses.replace(config, codebook=dataclasses.replace(SMALL, commitment=1.0))
    assert codebook.of(other).config == SMALL


@pytest.mark.parametrize(
    ("map_of_run", "change", "words"),
    [
        ("depth", {"side": 4}, r"codes\.codebook\.side must be that of codes\.folder .* \(2\), got 4"),
        ("depth", {"codes": 128}, r"codes\.codebook\.codes must be that of codes\.folder .* \(7\), got 128"),
        ("depth", {"map_px": 32}, r"codes\.codebook\.map_px must be that of codes\.folder .* \(16\), got 32"),
        ("depth", {"width": 6}, r"codes\.codebook\.width must be"),
        ("depth", {"channels": 7}, r"codes\.codebook\.channels must be"),
        ("occupancy", {}, r"codes\.map must be that of codes\.folder .* \(depth\), got occupancy"),
    ],
)
def test_a_folder_of_other_sizes_is_refused(tmp_path: Path, map_of_run: str, change: dict, words: str) -> None:
    sizes = dataclasses.replace(SMALL, **change)
    with pytest.raises(ValueError, match=words):
        codebook.of(CodesConfig(map=map_of_run, codebook=sizes, folder=str(write(tmp_path))))


def test_shapes_follow_the_sizes() -> None:
    """Perception Tokens' own: 128 codes of 512 numbers, 4 x 4 px and three halvings to a cell of 32 px."""
    found = shapes(CodebookConfig())
    assert found["book"] == (128, 512) and found["encoder.enter.kernel"] == (16, 64)
    assert sum(name.startswith("encoder.halve") for name in found) == 2 * 3
