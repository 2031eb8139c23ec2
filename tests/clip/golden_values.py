"""What transformers in torch said to the small CLIPs, committed: the proof of parity where torch is absent.

    python -m tests.clip.golden_values      writes tests/clip/golden.npz anew; needs torch, and perc_jax installed

Weights, pictures and texts are not stored: they are drawn from Philox's raw bits, and a checksum tells whether they are
still the same ones.
"""

import functools
import zlib
from pathlib import Path

import numpy as np

from tests.clip.cases import CASES, Inputs, Tensors, inputs, reference, tensors
from tests.model.cases import Draws

FILE = Path(__file__).parent / "golden.npz"


@functools.cache
def drawn(name: str) -> tuple[Tensors, Inputs]:
    """A case's weights and what it is given; nobody may change them."""
    return tensors(CASES[name], real=lambda tensor, shape: Draws(1, tensor).real(*shape)), inputs(CASES[name])


def checksum(name: str) -> int:
    """Of everything that both models read."""
    held, given = drawn(name)
    total = 0
    for x in (*held.values(), *given):
        total = zlib.crc32(np.ascontiguousarray(x).tobytes(), total)
    return total


@functools.cache
def golden(name: str) -> dict[str, np.ndarray]:
    """The stored features of a case by their kind; those of other weights or inputs are an error."""
    with np.load(FILE) as file:
        stored = {key.partition("/")[2]: file[key] for key in file.files if key.startswith(f"{name}/")}
        versions = str(file["versions"])
    assert int(stored.pop("checksum")) == checksum(name), f"{name} is not what {versions} answered: write it anew"
    return stored


def write() -> None:
    """Ask the reference, and store what it says."""
    import torch  # here: this file is also read where there is no torch
    import transformers

    found = {"versions": np.array(f"transformers {transformers.__version__}, torch {torch.__version__}")}
    for name, config in CASES.items():
        features = reference(config, *drawn(name))
        found |= {f"{name}/{kind}": x for kind, x in features.items()}
        found[f"{name}/checksum"] = np.int64(checksum(name))
    np.savez_compressed(FILE, **found)
    print(f"{FILE}: {FILE.stat().st_size} bytes, {found['versions']}")


if __name__ == "__main__":
    write()
