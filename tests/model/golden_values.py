"""What transformers in torch said to three cases, thinned and committed: the proof of parity where torch is absent.

    python -m tests.model.golden_values      writes tests/model/golden/*.npz anew; needs torch, and perc_jax installed

Weights and prompts are not stored: they are drawn from Philox's raw bits, and a checksum tells whether they are still
the same ones.
"""

import zlib
from pathlib import Path

import numpy as np

from tests.model.cases import CASES
from tests.model.parity import Answers, Inputs, inputs

FOLDER = Path(__file__).parent / "golden"
NAMES = ("grouped", "published", "faint")
TOKENS_KEPT, ENTRIES_KEPT = 5, 15  # every fifth token of a state; so many entries of a gradient, and its size


def thin(answers: Answers) -> Answers:
    """Keep every fifth token of states and logits, greedy runs, 15 entries and the root mean square of gradients."""
    kept = {}
    for name, x in answers.items():
        if name.startswith("gradient"):
            flat = x.ravel()
            kept[name] = np.append(
                flat[:: -(-len(flat) // ENTRIES_KEPT)], np.sqrt(np.mean(flat.astype(np.float64) ** 2))
            )
        else:
            kept[name] = x if name.startswith("greedy") else x[::TOKENS_KEPT]
    return {name: x.astype(np.int32 if name == "greedy tokens" else np.float32) for name, x in kept.items()}


def checksum(given: Inputs) -> int:
    """Of everything that both models read."""
    batch = (x for x in given.built.batch if x is not None)
    arrays = [*given.tensors.values(), *batch, *given[3:6]]
    total = 0
    for x in arrays:
        total = zlib.crc32(np.ascontiguousarray(x).tobytes(), total)
    return total


def golden(name: str) -> tuple[Answers, str, int]:
    """The stored answers to a case, the versions that gave them, and the checksum of the inputs."""
    with np.load(FOLDER / f"{name}.npz") as file:
        stored = {key: file[key] for key in file.files}
    return stored, str(stored.pop("versions")), int(stored.pop("checksum"))


def write() -> None:
    """Ask the reference, and store what it says."""
    import torch  # here: this file is also read where there is no torch
    import transformers

    from tests.model.torch_reference import reference

    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    FOLDER.mkdir(exist_ok=True)
    for name in NAMES:
        path = FOLDER / f"{name}.npz"
        made_from = dict(versions=np.array(versions), checksum=np.int64(checksum(inputs(CASES[name]))))
        np.savez_compressed(path, **thin(reference(name)), **made_from)
        print(f"{path}: {path.stat().st_size} bytes, {versions}")


if __name__ == "__main__":
    write()
