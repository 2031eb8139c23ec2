"""A fingerprint of a Hugging Face folder, read in moments from folders of any size.

Of every tensor its name, dtype and shape count, and its bytes: all of a small one, pieces of a large one from its first
byte to its last. A model that was trained on differs in some of them; one that differs in a few entries of a large
tensor alone (single rows of an embedding, say) may not. How the tensors are spread over files does not count.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from perc_jax.records import reading
from perc_jax.weights import safetensors

WHOLE_BYTES = 1 << 16  # of a tensor that is read whole, at most
PIECES, PIECE_BYTES = 16, 1 << 12  # of a larger one
DIGITS = 16  # of the fingerprint


class _Place(NamedTuple):
    """Where a tensor lies."""

    file: Path
    start: int  # byte of the file
    size: int  # in bytes
    described: str  # dtype and shape


def of_folder(folder: Path) -> str:
    """The fingerprint, hexadecimal, of a folder whose weights `safetensors.check` has found to fit.

    Raises `OSError` or `ValueError` that names a file which cannot be read.
    """
    found = hashlib.sha256(reading.content(folder / "config.json"))
    places = {name: place for file in safetensors.listed(folder, []) for name, place in _places(folder / file).items()}
    pieces = {}
    for file in sorted({place.file for place in places.values()}):
        with reading.named(file), file.open("rb", buffering=0) as stream:  # what is read ahead is never looked at
            for name, place in sorted(places.items(), key=lambda pair: pair[1].start):
                if place.file == file:
                    pieces[name] = _sample(stream, place)
    for name in sorted(places):
        found.update(f"{name} {places[name].described}".encode() + pieces[name])
    return found.hexdigest()[:DIGITS]


def _places(file: Path) -> dict[str, _Place]:
    """Where a file has its tensors, by name."""
    with reading.named(file), file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header: dict[str, Any] = json.loads(stream.read(length))
    found = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            first, last = tensor["data_offsets"]
            found[name] = _Place(file, 8 + length + first, last - first, f"{tensor['dtype']} {tensor['shape']}")
    return found


def _sample(stream: Any, place: _Place) -> bytes:
    """A digest of a tensor's bytes."""
    found = hashlib.sha256()
    spare = place.size - PIECE_BYTES
    starts = [spare * piece // (PIECES - 1) for piece in range(PIECES)]
    parts = [(0, place.size)] if place.size <= WHOLE_BYTES else [(start, PIECE_BYTES) for start in starts]
    for start, size in parts:
        stream.seek(place.start + start)
        found.update(stream.read(size))
    return found.digest()
