"""perc_jax.weights: from safetensors onto a mesh and back, reading what its devices need; errors that list all."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from perc_jax.config import MeshConfig, ModelConfig
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params, params
from perc_jax.prompt import pretrained
from perc_jax.weights import safetensors
from tests.model.cases import random_params, small_config
from tests.model.in_memory import from_hf, to_hf
from tests.model.test_params import modern, several_blocks  # noqa: F401 (a fixture)

TIED, UNTIED = small_config(), small_config(tied=False)
EMBEDDING, HEAD = params.EMBEDDING, params.HEAD
CONVOLUTION = "visual.patch_embed.proj.weight"


def target(config: ModelConfig, dtype: str = "float32", **mesh: int) -> dict:
    """Abstract parameters, as `Programs.params`; without a mesh on one device."""
    shapes = abstract_params(config)
    if mesh:
        layout = sharding.state_shardings(shapes, sharding.make_mesh(MeshConfig(**mesh)))
    else:
        layout = jax.tree.map(lambda _: jax.sharding.SingleDeviceSharding(jax.devices()[0]), shapes)
    return jax.tree.map(lambda x, where: jax.ShapeDtypeStruct(x.shape, dtype, sharding=where), shapes, layout)


def tensors_of(config: ModelConfig, dtype: str = "float32", seed: int = 1) -> dict[str, np.ndarray]:
    """A checkpoint of random values."""
    made = to_hf(config, random_params(config, seed))
    return {name: tensor.astype(jnp.dtype(dtype)) for name, tensor in made.items()}


def write(folder: Path, tensors: dict[str, np.ndarray], shards: int = 1) -> Path:
    """Write a checkpoint by safetensors' own writer, in as many shards."""
    folder.mkdir(exist_ok=True)
    if shards == 1:
        save_file(tensors, folder / safetensors.SINGLE)
        return folder
    places = {}
    for i in range(shards):
        names = list(tensors)[i::shards]  # the layers of a parameter lie in different files
        save_file({name: tensors[name] for name in names}, folder / f"part{i}.safetensors")
        places |= dict.fromkeys(names, f"part{i}.safetensors")
    (folder / safetensors.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def same(found: dict, wanted: dict) -> bool:
    return jax.tree.all(
        jax.tree.map(lambda a, b: np.asarray(a).dtype == b.dtype and np.array_equal(a, b), found, wanted)
    )


@pytest.mark.parametrize("between", ["file", "float32"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("config", [TIED, UNTIED], ids=["tied", "untied"])
def test_out_of_a_folder_and_back_every_byte_is_the_same(tmp_path, config, dtype, between):
    before = tensors_of(config, dtype)
    assert (HEAD in before) == (config is UNTIED)
    folder = write(tmp_path / "in", before, shards=3)
    loaded = safetensors.load_params(folder, config, target(config, dtype if between == "file" else between))
    (tmp_path / "out").mkdir()
    assert safetensors.save_params(tmp_path / "out", config, loaded, dtype) == [safetensors.SINGLE]
    after = load_file(tmp_path / "out" / safetensors.SINGLE)
    assert set(after) == set(before)
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype and after[name].shape == tensor.shape, name
        assert after[name].tobytes() == tensor.tobytes(), name


def test_rounding_to_bfloat16_is_to_nearest_even(tmp_path):
    values = random_params(TIED, seed=1)
    safetensors.save_params(tmp_path, TIED, values, "bfloat16")
    after = load_file(tmp_path / safetensors.SINGLE)
    bits = tensors_of(TIED)[EMBEDDING].view(np.uint32).astype(np.uint64)
    wanted = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    assert np.array_equal(after[EMBEDDING].view(np.uint16), wanted)


def test_shards_are_bounded_and_indexed(tmp_path):
    values = random_params(UNTIED, seed=1)
    bound = 70_000
    files = safetensors.save_params(tmp_path, UNTIED, values, "float32", shard_bytes=bound)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    index = json.loads((tmp_path / safetensors.INDEX).read_text())
    held = {name: file for file in files[:-1] for name in load_file(tmp_path / file)}
    assert index["weight_map"] == held and len(files) > 3
    sizes = [sum(x.nbytes for x in load_file(tmp_path / file).values()) for file in files[:-1]]
    assert max(sizes) <= bound and index["metadata"]["total_size"] == sum(sizes)
    assert same(safetensors.load_params(tmp_path, UNTIED, target(UNTIED)), values)


def test_both_generations_of_names(tmp_path):
    before = tensors_of(UNTIED)
    old = safetensors.load_params(write(tmp_path / "old", before), UNTIED, target(UNTIED))
    renamed = {modern(name): x for name, x in before.items()}
    new = safetensors.load_params(write(tmp_path / "new", renamed, shards=2), UNTIED, target(UNTIED))
    assert same(old, from_hf(UNTIED, before)) and same(new, old)


# --- what is read ----------------------------------------------------------------------------------------------------


class Reads:
    """Stands before safetensors and counts the values it hands out, by tensor."""

    def __init__(self):
        self.values: dict[str, int] = {}
        self.mapped: list[int] = []  # bytes read through each opening of a file

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "Reads":
        real = safetensors.safe_open

        @contextmanager
        def counting(file: Path, framework: str) -> Iterator[object]:
            self.mapped.append(0)
            with real(file, framework=framework) as content:
                yield _Content(content, self)

        monkeypatch.setattr(safetensors, "safe_open", counting)
        return self


class _Content:
    def __init__(self, content: object, reads: Reads):
        self._content, self._reads = content, reads

    def keys(self) -> list[str]:
        return list(self._content.keys())

    def get_slice(self, name: str) -> "_View":
        return _View(self._content.get_slice(name), name, self._reads)


class _View:
    def __init__(self, view: object, name: str, reads: Reads):
        self._view, self._name, self._reads = view, name, reads
        self.get_shape, self.get_dtype = view.get_shape, view.get_dtype

    def __getitem__(self, index: object) -> np.ndarray:
        piece = self._view[index]
        self._reads.values[self._name] = self._reads.values.get(self._name, 0) + piece.size
        self._reads.mapped[-1] += piece.nbytes
        return piece


MESHES = {
    "fsdp": dict(fsdp=8),
    "fsdp x tensor": dict(fsdp=4, tensor=2),
    "replica x fsdp x tensor": dict(replica=2, fsdp=2, tensor=2),
}


@pytest.mark.parametrize("mesh", MESHES.values(), ids=list(MESHES))
def test_on_a_mesh_each_value_is_read_once_for_the_devices_that_hold_it(tmp_path, monkeypatch, mesh):
    before = tensors_of(UNTIED, "bfloat16")
    folder = write(tmp_path / "in", before, shards=2)
    reads = Reads().install(monkeypatch)
    wanted = target(UNTIED, **mesh)
    loaded = safetensors.load_params(folder, UNTIED, wanted)
    assert same(loaded, from_hf(UNTIED, before))
    assert jax.tree.all(jax.tree.map(lambda x, want: x.sharding == want.sharding, loaded, wanted))
    split = [x for x in jax.tree.leaves(loaded) if not x.is_fully_replicated]
    assert sum(x.size for x in split) > 0.9 * sum(x.size for x in jax.tree.leaves(loaded))
    assert all(x.addressable_shards[0].data.nbytes < x.nbytes for x in split)
    # The parts together are the whole: had any device read more than its part, some values would be read twice.
    reads.values.pop(CONVOLUTION)  # its columns are no range of the file; it is small, and read whole for every part
    assert reads.values == {name: tensor.size for name, tensor in before.items() if name != CONVOLUTION}


def test_a_process_reads_only_the_parts_of_its_own_devices(tmp_path, monkeypatch):
    """Of eight processes with one device each, the third."""
    before = tensors_of(UNTIED)
    folder = write(tmp_path / "in", before)
    place = jax.devices()[2]
    whole = jax.sharding.NamedSharding.addressable_devices_indices_map
    monkeypatch.setattr(
        jax.sharding.NamedSharding,
        "addressable_devices_indices_map",
        lambda self, shape: {device: part for device, part in whole(self, shape).items() if device == place},
    )

    def part(where: jax.sharding.Sharding, shape: tuple) -> tuple:
        return where.addressable_devices_indices_map(shape)[place]

    def make(shape: tuple, where: jax.sharding.Sharding, callback: Callable, dtype: object) -> jax.Array:
        return jnp.asarray(callback(part(where, shape)), dtype)

    monkeypatch.setattr(jax, "make_array_from_callback", make)
    reads = Reads().install(monkeypatch)
    wanted = target(UNTIED, fsdp=4, tensor=2)
    loaded = safetensors.load_params(folder, UNTIED, wanted)
    mine = jax.tree.map(lambda x, want: x[part(want.sharding, x.shape)], from_hf(UNTIED, before), wanted)
    assert same(loaded, mine)
    reads.values.pop(CONVOLUTION)
    held = sum(x.size for x in jax.tree.leaves(mine)) - mine["vision"]["patch_embed"]["kernel"].size
    assert sum(reads.values.values()) == held


def test_mapped_pages_are_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(safetensors, "MAPPED_BYTES", 20_000)
    before = tensors_of(UNTIED)
    reads = Reads().install(monkeypatch)
    loaded = safetensors.load_params(write(tmp_path / "in", before), UNTIED, target(UNTIED))
    assert same(loaded, from_hf(UNTIED, before))
    largest = params.BLOCK_ROWS * max(x.nbytes // len(x) for x in before.values())
    assert 20_000 < max(reads.mapped) <= 20_000 + largest


def test_progress_counts_every_layer(tmp_path):
    told: list[tuple[str, int]] = []
    steps = []

    @contextmanager
    def bar(name: str, total: int) -> Iterator[Callable[..., None]]:
        told.append((name, total))
        yield lambda count=1: steps.append(count)

    folder = write(tmp_path / "in", tensors_of(TIED))
    loaded = safetensors.load_params(folder, TIED, target(TIED), bar=bar)
    safetensors.save_params(tmp_path, TIED, loaded, "float32", bar=bar)
    assert [name for name, _ in told] == ["reading weights", "writing weights"]
    assert sum(steps) == sum(total for _, total in told)


# --- what is refused -------------------------------------------------------------------------------------------------


def refused(folder: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> str:
    """The error of loading; nothing may have been read, and `check` says the same."""
    reads = Reads().install(monkeypatch)
    with pytest.raises(ValueError) as error:
        safetensors.load_params(folder, config, target(config))
    assert not reads.values
    with pytest.raises(ValueError) as early:
        safetensors.check(folder, config)
    assert str(early.value) == str(error.value)
    return str(error.value)


def test_one_error_names_everything_wrong(tmp_path, monkeypatch):
    shards: list[dict] = [{}, {}, {}, {}]
    for i, (name, tensor) in enumerate(tensors_of(UNTIED).items()):
        shards[0 if name in (EMBEDDING, HEAD, "model.norm.weight") else i % 3][name] = tensor
    shards[0][EMBEDDING] = np.zeros((65, 64), np.float32)
    shards[0]["model.norm.weight"] = np.zeros(64, np.int8)
    shards[0]["model.layers.2.mlp.up_proj.weight"] = np.zeros((48, 64), np.float32)
    del shards[0][HEAD]
    twice = next(iter(shards[0]))
    shards[3] = {twice: shards[0][twice]}
    places = {name: f"part{i}.safetensors" for i, shard in enumerate(shards) for name in shard}
    places |= {"model.nowhere": "part0.safetensors", "model.outside": "../part0.safetensors"}
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / safetensors.INDEX).write_text(json.dumps({"weight_map": places}))
    for i, shard in enumerate(shards):
        save_file(shard, folder / f"part{i}.safetensors")
    (folder / "part1.safetensors").unlink()
    cut = folder / "part2.safetensors"
    cut.write_bytes(cut.read_bytes()[:-1])
    first, *lines = refused(folder, UNTIED, monkeypatch).split("\n  ")
    assert str(folder) in first
    damaged = [line for line in lines if line.startswith("file part2.safetensors is damaged or cut short: ")]
    assert len(damaged) == 1
    assert set(lines) - set(damaged) == {
        "file ../part0.safetensors of the index must be a plain name within the folder",
        "file part1.safetensors is absent",
        "file part0.safetensors lacks model.nowhere, which the index puts there",
        f"file part0.safetensors holds {twice} too",
        f"missing {HEAD}",
        "unexpected model.layers.2.mlp.up_proj.weight",
        f"{EMBEDDING} must have shape (64, 64), got (65, 64)",
        "model.norm.weight must be one of F64, F32, F16, BF16, got I8",
    }


PREFIXES = {
    "module.": lambda name: f"module.{name}",
    "base_model.model.": lambda name: f"base_model.model.{name}",
    "module.base_model.model.": lambda name: f"module.base_model.model.{modern(name)}",
    "language_model.": lambda name: name if name.startswith("visual.") else f"language_model.{name}",
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_names_under_another_prefix_are_one_line(tmp_path, monkeypatch, prefix):
    before = {PREFIXES[prefix](name): tensor for name, tensor in tensors_of(UNTIED).items()}
    count = sum(name.startswith(prefix) for name in before)
    shape = before[PREFIXES[prefix]("model.norm.weight")]
    before[PREFIXES[prefix]("model.norm.weight")] = shape[:-1]
    _, *lines = refused(write(tmp_path / "in", before, shards=2), UNTIED, monkeypatch).split("\n  ")
    assert lines[0].startswith(f"names must not begin with {prefix!r}, got {count} such as {prefix}")
    assert len(lines) == 2 and lines[1].endswith(
        "norm.weight must have shape (64,), got (63,)"
    )  # what is wrong besides


def test_names_that_lack_a_prefix_are_one_line(tmp_path, monkeypatch):
    before = {modern(name).removeprefix("model."): tensor for name, tensor in tensors_of(TIED).items()}
    _, *lines = refused(write(tmp_path / "in", before), TIED, monkeypatch).split("\n  ")
    count = sum(name.startswith("language_model.") for name in before)
    assert lines == [f"names must begin with 'model.', got {count} such as language_model.embed_tokens.weight"]


def test_adapters_that_were_not_merged_are_told(tmp_path, monkeypatch):
    before = {
        f"base_model.model.{name}".replace("q_proj.", "q_proj.base_layer."): tensor
        for name, tensor in tensors_of(TIED).items()
    }
    before["base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight"] = np.zeros((4, 64), np.float32)
    _, *lines = refused(write(tmp_path / "in", before), TIED, monkeypatch).split("\n  ")
    assert len(lines) == 2 and lines[0].startswith("names must not begin with 'base_model.model.', got ")
    assert lines[1].startswith("adapters must be merged into the weights, got 1 names such as base_model.model.model.")


def test_a_tensor_that_is_there_twice_is_not_taken_for_a_prefix(tmp_path, monkeypatch):
    before = tensors_of(TIED)
    before["ema.model.norm.weight"] = before["model.norm.weight"]
    _, *lines = refused(write(tmp_path / "in", before), TIED, monkeypatch).split("\n  ")
    assert lines == ["unexpected ema.model.norm.weight"]


def test_an_adapter_beside_a_config_is_told(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"got the PEFT adapter of adapter_config.json: merge it into its base first"):
        safetensors.check(tmp_path, TIED)


@pytest.mark.parametrize(
    "size", [0, 4, 100, -1], ids=["empty", "within the length", "within the header", "one byte short"]
)
def test_a_single_file_cut_short_anywhere(tmp_path, monkeypatch, size):
    folder = write(tmp_path / "in", tensors_of(TIED))
    file = folder / safetensors.SINGLE
    file.write_bytes(file.read_bytes()[:size])
    _, *lines = refused(folder, TIED, monkeypatch).split("\n  ")
    assert len(lines) == 1 and lines[0].startswith("file model.safetensors is damaged or cut short: ")


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold model\.safetensors or model\.safetensors\.index\.json"):
        safetensors.load_params(tmp_path, TIED, target(TIED))
    for text in ("{", "[]", "{}", '{"weight_map": [1]}', "[" * 100_000):
        (tmp_path / safetensors.INDEX).write_text(text)
        with pytest.raises(ValueError, match=r"index\.json must be JSON with a weight_map"):
            safetensors.check(tmp_path, TIED)


def test_a_tied_head_may_repeat_the_embedding_and_nothing_else(tmp_path):
    before = tensors_of(TIED)
    equal = safetensors.load_params(write(tmp_path, before | {HEAD: before[EMBEDDING]}), TIED, target(TIED, fsdp=8))
    assert same(equal, from_hf(TIED, before))
    other = before[EMBEDDING].copy()
    other[-1, -1] += 1
    with pytest.raises(ValueError, match=r"lm_head\.weight differs from model\.embed_tokens\.weight"):
        safetensors.load_params(write(tmp_path, before | {HEAD: other}), TIED, target(TIED, fsdp=8))


@pytest.mark.parametrize("mesh", [{}, {"fsdp": 8}])
@pytest.mark.parametrize(("stored", "value"), [("float32", np.nan), ("bfloat16", -np.inf), ("float32", 3.4e38)])
def test_a_weight_that_is_not_finite_is_refused_by_its_name(tmp_path, mesh, stored, value):
    """Also one that only the wanted dtype cannot hold: the largest float32 rounds to infinity in bfloat16."""
    tensors = tensors_of(UNTIED, stored)
    name = "model.layers.1.mlp.up_proj.weight"
    tensors[name][-1, -1] = value
    words = rf"^model folder {tmp_path}: {re.escape(name)} must be finite, got NaN or infinity in bfloat16$"
    with pytest.raises(ValueError, match=words):
        safetensors.load_params(write(tmp_path, tensors), UNTIED, target(UNTIED, "bfloat16", **mesh))


def test_every_name_of_the_published_index_is_known(reference_data):
    folder = reference_data / "qwen2_5_vl_7b"
    config = pretrained.model_config(folder)
    index = json.loads((folder / safetensors.INDEX).read_text())
    names = [name for leaf in params.table(config) for name in leaf.names()]
    assert len(index["weight_map"]) == 729 and set(names) == set(index["weight_map"])
    shapes = {name: leaf.tensor for leaf in params.table(config) for name in leaf.names()}
    assert sum(2 * int(np.prod(shape)) for shape in shapes.values()) == index["metadata"]["total_size"]
    assert params.match(config, shapes)[1] == []
