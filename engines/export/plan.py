"""What an export holds: which samples, in which order, in which shards. Everything else follows from a `Plan`."""

from dataclasses import asdict, dataclass
from typing import Any

import engines
from engines.base import SPLITS, make_rng

NAME = "perception_engines"  # of the data set
VERSION = "1.1.0"  # of TFDS's columns; the engines' own versions are in the manifest and in every record
FORMATS = {"parquet": ("parquet",), "array_record": ("array_record",), "tfds": ("array_record", "tfrecord")}


@dataclass(frozen=True)
class Plan:
    """An export, complete: equal plans give equal bytes.

    Sample i is the one named (category i // 2 modulo their number, split, index i, a level drawn by i), with the
    question type its name chooses. Pairs of samples share a category, so that each one has both halves of test_d.
    """

    format: str
    split: str
    samples: int
    shard_samples: int
    engines: tuple[str, ...]
    levels: tuple[int, ...]
    size_px: int
    photographed: float  # share of the samples

    def __post_init__(self):
        """Check every field, and that every category can be asked at every level."""
        if self.format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {self.format!r}")
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {self.split!r}")
        for name in ("samples", "shard_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.photographed <= 1:
            raise ValueError(f"photographed must be within 0..1, got {self.photographed}")
        if not self.levels or not all(0 <= level <= 9 for level in self.levels):
            raise ValueError(f"levels must be within 0..9, got {self.levels}")
        for name in self.engines:
            if name not in engines.ENGINES:
                raise ValueError(f"engines must be some of {', '.join(engines.ENGINES)}, got {name!r}")
            for level in self.levels:
                self._check_legible(name, level)

    def _check_legible(self, name: str, level: int) -> None:
        types = engines.candidates(name, split=self.split, level=level, size_px=self.size_px)
        wanted = {False, True} if self.split == "test_d" else {False}
        if not wanted <= {kind.held_out for kind in types}:
            raise ValueError(f"size-px must be large enough for {name} at level {level}, got {self.size_px}")

    def shards(self) -> int:
        """How many files there are."""
        return -(-self.samples // self.shard_samples)

    def span(self, shard: int) -> range:
        """The samples of a shard: all shards are equally large, but for one."""
        shards = self.shards()
        return range(shard * self.samples // shards, (shard + 1) * self.samples // shards)

    def suffixes(self) -> tuple[str, ...]:
        """What the files of a shard are: one, or the same records in several forms."""
        return FORMATS[self.format]

    def files(self, shard: int) -> tuple[str, ...]:
        """The paths of a shard within the folder."""
        place = f"{shard:05d}-of-{self.shards():05d}"
        if self.format == "parquet":
            return (f"data/{self.split}-{place}.parquet",)
        return tuple(f"{NAME}/{VERSION}/{NAME}-{self.split}.{suffix}-{place}" for suffix in self.suffixes())

    def sample(self, index: int) -> engines.Sample:
        """One sample of the export."""
        rng = make_rng("export", self.split, index)
        level = self.levels[int(rng.integers(len(self.levels)))]
        photo = bool(rng.random() < self.photographed)
        name = self.engines[index // 2 % len(self.engines)]
        return engines.sample(name, split=self.split, index=index, level=level, size_px=self.size_px, photo=photo)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-ready data, with the versions of its engines."""
        versions = {name: engines.ENGINES[name].version for name in self.engines}
        return {**asdict(self), "engines": versions, "levels": list(self.levels)}
