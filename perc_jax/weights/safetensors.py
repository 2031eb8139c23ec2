"""Weights from and to a Hugging Face folder: safetensors straight into the mesh's layout, and back tensor by tensor.

`load_params` first compares all names, shapes and files with the model, then reads, on each process, only the ranges
that its own devices hold; beside the arrays it needs at most the process's part of the largest of them once, in the
target's dtype. `save_params` holds one tensor at a time. Neither knows where the folder came from or what a run is.

The format (huggingface.co/docs/safetensors): 8 bytes of the header's length, little-endian; the header, JSON of names
to dtype, shape and offsets; the tensors' bytes, row-major.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open

from perc_jax.config import ModelConfig
from perc_jax.model import Params, params
from perc_jax.prompt import pretrained
from perc_jax.records import reading
from perc_jax.records.finite import is_finite
from perc_jax.weights.growth import Growth, enlarged

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
DTYPES = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(jnp.bfloat16)}
CODES = {"float32": "F32", "bfloat16": "BF16"}  # safetensors' names
READABLE = ("F64", "F32", "F16", "BF16")
SHARD_BYTES = 5_000_000_000  # of a written file at most, as transformers' default
MAPPED_BYTES = 32 << 20  # read through one opening of a file: pages of a mapped file count as memory until it is closed
ALIGNMENT_BYTES = 64  # XLA's, of buffers on a CPU

Bar = Callable[[str, int], AbstractContextManager[Callable[..., None]]]  # as `Progress.bar`: name, total -> advance
Range = tuple[int, int]  # first and after the last


class Tensors:
    """The tensors of a folder's safetensors files, and what is wrong with the files.

    Tensors whose names have a match of `ignored` are as if they were not there.

    Raises `FileNotFoundError` if the folder has neither a single file nor an index, `ValueError` for an index that is
    none.
    """

    def __init__(self, folder: Path, ignored: re.Pattern[str] | None = None):
        self._ignored = ignored
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.problems: list[str] = []
        self.unread: set[str] = set()  # what the index promises of files that cannot be read
        self._file: dict[str, Path] = {}
        self._open = contextlib.ExitStack()  # holds the one file that is open
        self._current: tuple[Path, Any] | None = None
        self._mapped_bytes = 0
        for file, names in listed(folder, self.problems).items():
            self._read_header(folder / file, [name for name in names if not self._is_ignored(name)])

    def _read_header(self, file: Path, names: Sequence[str]) -> None:
        """Note shape and dtype of every tensor of a file; `names` are those that the index promises."""
        try:
            with safe_open(file, framework="numpy") as content:
                names_there = [name for name in content.keys() if not self._is_ignored(name)]  # noqa: SIM118
                held = {name: content.get_slice(name) for name in names_there}
                shapes = {name: tuple(view.get_shape()) for name, view in held.items()}
                self.problems += [
                    f"{name} must be one of {', '.join(READABLE)}, got {view.get_dtype()}"
                    for name, view in held.items()
                    if view.get_dtype() not in READABLE
                ]
        except (OSError, SafetensorError) as error:
            reason = "absent" if isinstance(error, FileNotFoundError) else f"damaged or cut short: {error}"
            self.problems.append(f"file {file.name} is {reason}")
            self.unread |= set(names)
            shapes = {}
        else:
            self.problems += [
                f"file {file.name} lacks {name}, which the index puts there" for name in names if name not in shapes
            ]
            self.problems += [f"file {file.name} holds {name} too" for name in shapes if name in self.shapes]
        self.shapes |= shapes
        self._file |= dict.fromkeys(shapes, file)

    def _is_ignored(self, name: str) -> bool:
        return self._ignored is not None and self._ignored.search(name) is not None

    def read(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Rows and columns of a tensor as a matrix [first axis, the rest], in the file's dtype."""
        file = self._file[name]
        if self._current is None or self._current[0] != file or self._mapped_bytes > MAPPED_BYTES:
            self.close()
            self._current = file, self._open.enter_context(safe_open(file, framework="numpy"))
        view = self._current[1].get_slice(name)
        if len(self.shapes[name]) == 2:
            piece = view[rows, columns]
        else:  # a vector, or the small convolution, whose columns are no range of the file
            whole = view[rows]
            piece = whole.reshape(len(whole), -1)[:, columns]
        self._mapped_bytes += piece.nbytes
        return piece

    def close(self) -> None:
        """Close the open file and let its pages go."""
        self._open.close()
        self._current, self._mapped_bytes = None, 0


def check(folder: Path, config: ModelConfig, growth: Growth | None = None) -> None:
    """Compare a folder's weights with a model without reading them; `growth` as in `load_params`.

    Raises `FileNotFoundError` if there are none, and one `ValueError` that lists every missing, unexpected, mis-shaped
    and doubled name, every dtype that is no float, and every file that is absent, damaged or lacks what the index says.
    Names that are right but for a prefix are one line, and so are adapters that were not merged.
    """
    _matched(folder, growth.before(config) if growth else config)


def load_params(
    folder: Path, config: ModelConfig, target: Params, *, growth: Growth | None = None, bar: Bar | None = None
) -> Params:
    """Read the parameters of a Hugging Face folder onto their mesh.

    Args:
        folder: holds `model.safetensors`, or shards and `model.safetensors.index.json`.
        config: the model that the folder must hold.
        target: pytree of `jax.ShapeDtypeStruct` with shardings, as `Programs.params`; weights are cast to its dtypes.
        growth: what the folder lacks of the model's vocabulary, if it may lack any.
        bar: shows progress, for instance `Progress.bar`.

    Raises:
        What `check` raises, and `ValueError` if a tied model's `lm_head.weight` is not the embedding, or a weight is
        not finite.
    """
    tensors, sources = _matched(folder, growth.before(config) if growth else config)
    leaves = params.table(config)
    loaded: Params = {}

    def read(name: str, rows: slice, columns: slice) -> np.ndarray:
        return tensors.read(sources[name], rows, columns)

    read = enlarged(read, growth) if growth else read
    total = sum(max(1, leaf.layers) for leaf in leaves)
    with contextlib.closing(tensors), (bar or no_bar)("reading weights", total) as advance:
        for leaf in leaves:
            wanted = params.get(target, leaf.path)
            if leaf.name == params.EMBEDDING and config.text.tie_word_embeddings and params.HEAD in sources:
                _check_tied(folder, leaf, wanted.sharding, read)
            params.put(loaded, leaf.path, load_leaf(folder, leaf, wanted, read, advance))
    return loaded


def load_leaf(
    folder: Path, leaf: params.Leaf, wanted: jax.ShapeDtypeStruct, read: params.Read, advance: Callable[..., None]
) -> jax.Array:
    """Read what this process's devices hold of a leaf, layer by layer; raises `ValueError` for what is not finite."""
    parts = {
        part: _aligned([last - first for first, last in part], wanted.dtype)
        for part in _parts(leaf.shape, wanted.sharding)
    }
    for number, name in enumerate(leaf.names()):
        for part, out in parts.items():
            if leaf.layers:
                if not part[0][0] <= number < part[0][1]:
                    continue
                part, out = part[1:], out[number - part[0][0]]
            params.fill(out, leaf, name, _slices(part), read)
            if not is_finite(out):
                raise ValueError(f"model folder {folder}: {name} must be finite, got NaN or infinity in {wanted.dtype}")
        advance()
    array = jax.make_array_from_callback(
        leaf.shape, wanted.sharding, lambda index: parts[_ranges(index, leaf.shape)], dtype=wanted.dtype
    )
    return jax.block_until_ready(array)  # else the next leaf's parts would be held beside these


def _aligned(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Fresh memory that a CPU device takes over as it is; what is not aligned so, it copies."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT_BYTES, np.uint8)
    first = -raw.ctypes.data % ALIGNMENT_BYTES
    return raw[first : first + size].view(dtype).reshape(shape)


def _check_tied(folder: Path, leaf: params.Leaf, sharding: jax.sharding.Sharding, read: params.Read) -> None:
    """Refuse a tied model whose head is something else, in the rows that this process reads anyway."""
    for part in _parts(leaf.shape, sharding):
        (first, last), columns = part[0], _slices(part)[1]
        for start in range(first, last, params.BLOCK_ROWS):
            rows = slice(start, min(start + params.BLOCK_ROWS, last))
            if not np.array_equal(read(params.HEAD, rows, columns), read(params.EMBEDDING, rows, columns)):
                raise ValueError(
                    f"model folder {folder}: {params.HEAD} differs from {params.EMBEDDING} in a model with "
                    "tie_word_embeddings"
                )


def _matched(folder: Path, config: ModelConfig) -> tuple[Tensors, dict[str, str]]:
    """The folder's tensors, and the spelling there of each published name."""
    tensors = Tensors(folder)
    sources, differences = params.match(config, tensors.shapes, tensors.unread)
    if differences:
        differences = _grouped(config, tensors, differences)
    problems = tensors.problems + (differences if tensors.shapes else [])  # no names, nothing to compare
    if problems:
        raise ValueError(f"model folder {folder} does not fit the model config:\n  " + "\n  ".join(problems))
    return tensors, sources


def _grouped(config: ModelConfig, tensors: Tensors, differences: list[str]) -> list[str]:
    """The differences, but one line for all names that differ in the same way."""
    right = params.renamed(config, [*tensors.shapes, *tensors.unread])
    groups: dict[str, list[str]] = {}
    for name, known in right.items():
        longer = len(name) > len(known)
        prefix = name[: -len(known)] if longer else known[: -len(name)]
        rule = f"must not begin with {prefix!r}" if longer else f"must begin with {prefix!r}"
        groups.setdefault(rule, []).append(name)
    lines = [f"names {rule}, got {len(names)} such as {names[0]}" for rule, names in groups.items()]
    if adapters := [name for name in tensors.shapes if ".lora_" in name]:
        return [*lines, f"adapters must be merged into the weights, got {len(adapters)} names such as {adapters[0]}"]
    if lines:
        shapes = {right.get(name, name): shape for name, shape in tensors.shapes.items()}
        _, differences = params.match(config, shapes, [right.get(name, name) for name in tensors.unread])
    return lines + differences


def listed(folder: Path, problems: list[str]) -> dict[str, list[str]]:
    """File names of a folder's weights and the tensors that the index, if there is one, puts into each.

    A line is added to `problems` for each name of the index that leads out of the folder. Raises `FileNotFoundError` if
    the folder has neither a single file nor an index, `ValueError` for an index that is none.
    """
    if (folder / SINGLE).is_file():
        return {SINGLE: []}
    index = folder / INDEX
    if not index.is_file():
        pretrained.refuse_adapter(folder)
        raise FileNotFoundError(f"model folder {folder} must hold {SINGLE} or {INDEX}, found neither")
    text = reading.text(index)
    try:
        places = json.loads(text)["weight_map"]
        files: dict[str, list[str]] = {}
        for name, file in places.items():
            files.setdefault(file, []).append(name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{index} must be JSON with a weight_map of names to files: {error!r}") from error
    for file in [file for file in files if Path(file).name != file]:
        problems.append(f"file {file} of the index must be a plain name within the folder")
        del files[file]
    return files


def _parts(shape: tuple[int, ...], sharding: jax.sharding.Sharding) -> list[tuple[Range, ...]]:
    """The different parts of an array that this process's devices hold."""
    held = sharding.addressable_devices_indices_map(shape).values()
    return list(dict.fromkeys(_ranges(index, shape) for index in held))


def _ranges(index: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[Range, ...]:
    return tuple(piece.indices(size)[:2] for piece, size in zip(index, shape, strict=True))


def _slices(part: tuple[Range, ...]) -> tuple[slice, ...]:
    return tuple(slice(first, last) for first, last in part)


@contextlib.contextmanager
def no_bar(_name: str, _total: int) -> Iterator[Callable[..., None]]:
    """Show nothing."""
    yield lambda _count=1: None


class _Piece(NamedTuple):
    """A tensor to be written."""

    name: str
    shape: tuple[int, ...]
    size_bytes: int
    make: Callable[[], np.ndarray]


def save_params(
    folder: Any,
    config: ModelConfig,
    values: Params,
    dtype: str,
    *,
    bar: Bar | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> list[str]:
    """Write parameters as published files: one `model.safetensors`, or shards and their index.

    Args:
        folder: an existing `epath.Path` or `Path`.
        config: the model.
        values: arrays that this process holds whole.
        dtype: of the written tensors, `float32` or `bfloat16` (rounded to nearest even).
        bar: shows progress, for instance `Progress.bar`.
        shard_bytes: of one file at most, unless a single tensor is larger.

    Returns:
        The names of the files.
    """
    width = DTYPES[dtype].itemsize
    pieces = [
        _Piece(name, shape, int(np.prod(shape)) * width, make)
        for name, shape, make in params.hf_tensors(config, values, DTYPES[dtype])
    ]
    shards = _shards(pieces, shard_bytes)
    files = [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    files = files if len(shards) > 1 else [SINGLE]
    with (bar or no_bar)("writing weights", len(pieces)) as advance:
        for file, shard in zip(files, shards, strict=True):
            _write(folder / file, shard, CODES[dtype], advance)
    if len(shards) > 1:
        places = {piece.name: file for file, shard in zip(files, shards, strict=True) for piece in shard}
        total = sum(piece.size_bytes for piece in pieces)
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")
        files.append(INDEX)
    return files


def _shards(pieces: Sequence[_Piece], shard_bytes: int) -> list[list[_Piece]]:
    """Split the tensors, in their order, into files."""
    shards: list[list[_Piece]] = []
    size = 0
    for piece in pieces:
        if not shards or size + piece.size_bytes > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(piece)
        size += piece.size_bytes
    return shards


def _write(file: Any, pieces: Sequence[_Piece], code: str, advance: Callable[..., None]) -> None:
    """Write one safetensors file, one tensor in memory at a time."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for piece in pieces:
        end = offset + piece.size_bytes
        header[piece.name] = {"dtype": code, "shape": list(piece.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors are aligned
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for piece in pieces:
            stream.write(piece.make().reshape(-1).view(np.uint8).data)
            advance()
