"""A codebook's folder on the host: a map that an engine knows to the codes that write it, and back, with numpy alone.

    codebook = Codebook.load("codes_tiny")            a folder that `perc_jax.teach_codes` wrote, or an asset's name
    codes = codebook.codes(maps["depth"])             int32 [side²], row by row from the top left
    picture = codebook.restore(codes)                 float32 [map_px, map_px]

The same numbers as `perc_jax.codes`, 1e-5 apart at most, from the same weights: workers that draw pictures have no
device. A folder is `config.json` (the fields of `CodebookConfig` and which map) and `model.safetensors` (float32).
"""

import dataclasses
import functools
import json
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from safetensors import SafetensorError
from safetensors.numpy import load

from perc_jax.config import CodebookConfig, CodesConfig, check
from perc_jax.records import reading

KIND = "perc_jax_codebook"  # config.json's model_type
CONFIG, WEIGHTS = "config.json", "model.safetensors"
FIELD = "codes.folder"  # of the config, for messages
TAUGHT_WITH = {"commitment"}  # sizes of nothing: a run's may be another
SEGMENTS = 16  # things that a map of segments tells apart; those of higher numbers look like this one
SHOWN = 4  # names of a kind that a message lists

Kind = Literal["depth", "segments", "occupancy"]
Tensors = dict[str, np.ndarray]
Grid = Float32[np.ndarray, "_ _ _"]  # rows, columns, numbers of a place


def values(
    kind: Kind, given: Float[np.ndarray, "H W"] | Int[np.ndarray, "H W"] | Bool[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W"]:
    """What stands for a map in the network: depth as it is, 0 or 1 for occupancy, segment k as k / 16, at most 1."""
    found = np.asarray(given, np.float32)
    return np.minimum(found / SEGMENTS, 1) if kind == "segments" else found


def resized(given: Float32[np.ndarray, "H W"], side: int) -> Float32[np.ndarray, "side side"]:
    """Stretch to side x side px; each takes the value of the pixel that its middle lies in, so no value is new."""
    rows, columns = ((2 * np.arange(side) + 1) * size // (2 * side) for size in given.shape)
    return given[rows[:, None], columns]


class Codebook:
    """Encoder, codebook and decoder of one kind of map, in host memory; it can be sent to other processes."""

    def __init__(self, config: CodebookConfig, kind: Kind, tensors: Tensors):
        self.config, self.map, self.tensors = config, kind, tensors
        self._half = np.square(self._of("book")).sum(axis=1) / 2

    @classmethod
    def load(cls, folder: str) -> "Codebook":
        """Read a folder, or the package's asset of that name if there is no such folder.

        Raises:
            FileNotFoundError: there is neither, or a file is missing.
            ValueError: a file is damaged or of something else; one line of all tensors that are missing, unexpected, of
                another shape, or not finite numbers in float32.
        """
        where = _found(folder)
        config, kind = _described(where)
        return cls(config, kind, _weights(where, config))

    def codes(
        self, given: Float[np.ndarray, "H W"] | Int[np.ndarray, "H W"] | Bool[np.ndarray, "H W"]
    ) -> Int32[np.ndarray, " K"]:
        """Write a map of any size, as engines give it, in codes.

        Raises `ValueError` for a map of no pixels or with numbers that are not finite.
        """
        found = np.asarray(given)
        if found.ndim != 2 or not found.size:
            raise ValueError(f"a {self.map} map must be H x W numbers, got the shape {list(found.shape)}")
        found = resized(values(self.map, found), self.config.map_px)
        if not np.isfinite(found).all():
            raise ValueError(f"a {self.map} map must be finite, got NaN or infinity")
        states = self._encoded(found)
        return (self._half - states @ self._of("book").T).argmin(axis=1).astype(np.int32)

    def restore(self, codes: Int[np.ndarray, " K"]) -> Float32[np.ndarray, "M M"]:
        """The map that codes write, map_px on each side; what the decoder says, not held within bounds.

        Raises `ValueError` for codes that are too many, too few or not those of the book.
        """
        found, most = np.asarray(codes), self.config.codes - 1
        if found.shape != (self.config.length,):
            raise ValueError(f"codes of a map must be {self.config.length}, got the shape {list(found.shape)}")
        if found.min() < 0 or found.max() > most:
            raise ValueError(f"codes must be 0..{most}, got {found.min()}..{found.max()}")
        return self._decoded(self._of("book")[found].reshape(self.config.side, self.config.side, -1))

    def _of(self, name: str) -> np.ndarray:
        return self.tensors[name]

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(-1, x.shape[-1]) @ self._of(f"{name}.kernel") + self._of(f"{name}.bias")
        return flat.reshape(*x.shape[:-1], -1)

    def _block(self, name: str, x: Grid) -> Grid:
        """Each place sees those around it; beyond the edges there are zeros."""
        kernel, (height, width) = self._of(f"{name}.hidden.kernel"), x.shape[:2]
        around = len(kernel) // 2
        padded = np.pad(_relu(x), ((around, around), (around, around), (0, 0)))
        hidden = np.zeros_like(x) + self._of(f"{name}.hidden.bias")
        for row, line in enumerate(kernel):
            for column, matrix in enumerate(line):
                hidden += padded[row : row + height, column : column + width] @ matrix
        return x + self._linear(f"{name}.output", _relu(hidden))

    def _encoded(self, given: Float32[np.ndarray, "M M"]) -> Float32[np.ndarray, "K W"]:
        unusual = (given - self._of("mean")) / self._of("scale")
        x = self._linear("encoder.enter", _merged(unusual[..., None], self.config.patch_px))
        for number in range(self.config.halvings):
            x = self._linear(f"encoder.halve.{number}", _merged(_relu(x), 2))
        x = _relu(self._block("encoder.block", x))
        return self._linear("encoder.leave", x).reshape(self.config.length, -1)

    def _decoded(self, vectors: Grid) -> Float32[np.ndarray, "M M"]:
        x = self._block("decoder.block", self._linear("decoder.enter", vectors))
        for number in range(self.config.halvings):
            x = _spread(self._linear(f"decoder.double.{number}", _relu(x)), 2)
        unusual = _spread(self._linear("decoder.leave", _relu(x)), self.config.patch_px)[..., 0]
        return unusual * self._of("scale") + self._of("mean")


@functools.cache
def of(config: CodesConfig) -> Codebook:
    """The codebook of a run, whose sizes its config tells: equal configs give the same one, which nobody may change.

    Raises what `Codebook.load` does, and `ValueError` for a folder of another map or of other sizes.
    """
    found = Codebook.load(config.folder)
    where = f"must be that of {FIELD} {config.folder}"
    if found.map != config.map:
        raise ValueError(f"codes.map {where} ({found.map}), got {config.map}")
    for field in dataclasses.fields(CodebookConfig):
        there, here = (getattr(one, field.name) for one in (found.config, config.codebook))
        if field.name not in TAUGHT_WITH and there != here:
            raise ValueError(f"codes.codebook.{field.name} {where} ({there}), got {here}")
    return found


def shapes(config: CodebookConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a codebook of these sizes."""
    channels, patch = config.channels, config.patch_px**2
    found: dict[str, tuple[int, ...]] = {
        "book": (config.codes, config.width),
        "mean": (config.map_px, config.map_px),
        "scale": (),
    }

    def affine(name: str, *kernel: int) -> None:
        found[f"{name}.kernel"], found[f"{name}.bias"] = kernel, kernel[-1:]

    affine("encoder.enter", patch, channels)
    affine("encoder.leave", channels, config.width)
    affine("decoder.enter", config.width, channels)
    affine("decoder.leave", channels, patch)
    for side, size in (("encoder", 1), ("decoder", 3)):
        affine(f"{side}.block.hidden", size, size, channels, channels)
        affine(f"{side}.block.output", channels, channels)
    for number in range(config.halvings):
        affine(f"encoder.halve.{number}", 4 * channels, channels)
        affine(f"decoder.double.{number}", channels, 4 * channels)
    return found


class _Differences(NamedTuple):
    """Names of tensors that a file should hold and what it does instead."""

    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]

    def told(self) -> list[str]:
        """A phrase for each kind that there is."""
        kinds = zip(("missing", "unexpected", "of another shape"), self, strict=True)
        return [f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds if names]


def _found(folder: str) -> Path:
    """The folder of a name."""
    where = Path(folder).expanduser()
    if not where.is_dir() and Path(folder).name == folder:
        where = Path(str(resources.files("perc_jax") / "assets" / folder))
    for name in (CONFIG, WEIGHTS):
        if not (where / name).is_file():
            raise FileNotFoundError(f"{FIELD} {folder} must be a folder with {CONFIG} and {WEIGHTS}, found no {name}")
    return where


def _described(folder: Path) -> tuple[CodebookConfig, Kind]:
    """What config.json says."""
    file = folder / CONFIG
    text = reading.text(file)
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError) as error:  # bad JSON, brackets without an end
        raise ValueError(f"{file} must be JSON: {error}") from error
    if not isinstance(told, dict) or told.get("model_type") != KIND:
        raise ValueError(f"{file} must be that of a codebook, with model_type {KIND!r}")
    if told.get("map") not in get_args(Kind):
        raise ValueError(f"{file}: map must be one of {', '.join(get_args(Kind))}, got {told.get('map')!r}")
    fields = [field.name for field in dataclasses.fields(CodebookConfig)]
    if absent := [name for name in fields if name not in told]:
        raise ValueError(f"{file} must tell {', '.join(absent)}")
    config = CodebookConfig(**{name: told[name] for name in fields})
    try:
        check(config)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    return config, told["map"]


def _weights(folder: Path, config: CodebookConfig) -> Tensors:
    """The tensors of a folder, which are those of the config."""
    file = folder / WEIGHTS
    try:
        tensors = load(reading.content(file))
    except SafetensorError as error:
        raise ValueError(f"{file} must be whole safetensors: {error}") from error
    wanted = shapes(config)
    both = [name for name in wanted if name in tensors]
    found = _Differences(
        missing=[name for name in wanted if name not in tensors],
        unexpected=sorted(tensors.keys() - wanted.keys()),
        misshapen=[
            f"{name} {list(tensors[name].shape)} for {list(wanted[name])}"
            for name in both
            if tensors[name].shape != wanted[name]
        ],
    )
    if told := found.told():
        raise ValueError(f"{file} must hold the tensors of its {CONFIG}: {'; '.join(told)}")
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise ValueError(f"{file}: {name} must be finite float32, got {tensor.dtype} or NaN or infinity")
    if not tensors["scale"] > 0:
        raise ValueError(f"{file}: scale must be > 0, got {tensors['scale']}")
    return tensors


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _merged(x: Grid, factor: int) -> Grid:
    """Cells of factor x factor places as one place each, row by row."""
    side, width = len(x) // factor, x.shape[2]
    cut = x.reshape(side, factor, side, factor, width).transpose(0, 2, 1, 3, 4)
    return cut.reshape(side, side, factor**2 * width)


def _spread(x: Grid, factor: int) -> Grid:
    """The other way round."""
    side, width = len(x), x.shape[2] // factor**2
    cut = x.reshape(side, side, factor, factor, width).transpose(0, 2, 1, 3, 4)
    return cut.reshape(side * factor, side * factor, width)
