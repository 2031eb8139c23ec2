"""The bench's end of a peer: a folder with the same weights and prompts, and a process that is asked for seconds."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np

from perc_jax.batch import Completions
from perc_jax.bench.cases import TOKENIZER, Case, for_peer
from perc_jax.bench.ours import Ours
from perc_jax.config import Config
from perc_jax.model import abstract_params
from perc_jax.model.params import table
from perc_jax.prompt import tokenizer
from perc_jax.update.optimizer import path_name, split_frozen
from perc_jax.weights import hf_files, safetensors

NEEDS = {"transformers": ("torch", "transformers"), "trl": ("torch", "transformers", "trl", "datasets")}


def check_installed(name: str) -> None:
    """Raise `ValueError` that names the first package the peer lacks."""
    for package in NEEDS[name]:
        if importlib.util.find_spec(package) is None:
            raise ValueError(f"--against {name} must have {package} installed: pip install {package}")


def check_comparable(config: Config) -> None:
    """Raise `ValueError` where a peer would not do the same work."""
    stage = config.stages[0]
    for field, value, wanted in (
        ("model.lora.rank", config.model.lora.rank, 0),
        (f"stages[{stage.name}].optimizer.method", stage.optimizer.method, "adamw"),
        (f"stages[{stage.name}].loss.kl_coef", stage.loss.kl_coef, 0),
        (f"stages[{stage.name}].updates_per_rollout", stage.updates_per_rollout, 1),
    ):
        if value != wanted:
            raise ValueError(f"{field} must be {wanted!r} with --against, which does nothing else, got {value!r}")


class Peer:
    """A running peer: a process that answers."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def ask(self, what: str) -> dict[str, Any]:
        """Have it do something, and wait for the answer. Raises `RuntimeError` if it has ended."""
        try:
            self._process.stdin.write(json.dumps({"do": what}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer will be missing, and says how it ended
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line of the peer. Raises `RuntimeError` if it has ended."""
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with exit code {self._process.wait()}; what it said stands above")
        return json.loads(line)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def start(name: str, folder: Path) -> Peer:
    """Start a peer on a folder and wait until it is ready. Raises `RuntimeError` if it ends instead."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"perc_jax.bench.peer_{name}", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(threads()), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    peer = Peer(process)
    try:
        peer.answer()
    except RuntimeError:
        peer.close()
        raise
    return peer


@contextmanager
def folder(ours: Ours, case: Case, completions: Completions, seed: int, passes: tuple[str, ...]) -> Iterator[Path]:
    """A temporary folder with all that a peer reads: the model as Hugging Face keeps it, pictures and questions, the
    batch, and the settings."""
    with TemporaryDirectory(prefix="perc_jax_bench_") as name:
        _write(Path(name), ours, case, completions, seed, passes)
        yield Path(name)


def threads() -> int:
    """Processor cores that this process may use; XLA takes as many threads."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write(folder: Path, ours: Ours, case: Case, completions: Completions, seed: int, passes: tuple[str, ...]) -> None:
    config, tokens = ours.config, tokenizer.load(TOKENIZER)
    longest = int(completions.mask.sum(axis=2).max())  # the end of all rows, as `generate` pads them
    sampled, logprobs, mask = (values[:, :, :longest] for values in completions[:3])
    safetensors.save_params(folder, config.model, jax.device_get(ours.state.params), config.model.dtype)
    files = hf_files.piece_files(tokenizer.piece_file(TOKENIZER))
    files |= hf_files.processing_files(config.model.vision, tokens.ids)
    files |= hf_files.config_file(config.model, tokens, config.model.dtype)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    np.savez(
        folder / "batch.npz",
        **{name: _as_torch_reads(values) for name, values in for_peer(config, case.batch)._asdict().items()},
        completions=_as_torch_reads(sampled),
        logprobs=logprobs,
        mask=mask,
        advantages=ours.advantages,
    )
    np.save(folder / "pictures.npy", np.stack(case.pictures))
    (folder / "spec.json").write_text(
        json.dumps(_spec(ours, seed, passes) | {"max_tokens": longest, "questions": case.questions})
    )


def _as_torch_reads(values: np.ndarray) -> np.ndarray:
    """Whole numbers with 64 bits, as embeddings and grids must be there."""
    return values.astype(np.int64) if values.dtype.kind == "i" else values


def _spec(ours: Ours, seed: int, passes: tuple[str, ...]) -> dict[str, Any]:
    """The settings of a peer."""
    config, stage, ids = ours.config, ours.stage, ours.ids
    optimizer = stage.optimizer
    return {
        "threads": threads(),
        "gpu": jax.default_backend() == "gpu",
        "seed": seed,
        "dtype": config.model.dtype,
        "image": ids.image,
        "pad": ids.pad,
        "never": sorted(ids.forbidden),
        "group_size": stage.group_size,
        "prompt_tokens": config.data.max_prompt_tokens,
        "temperature": config.rollout.temperature,
        "top_p": config.rollout.top_p,
        "micro_batches": stage.micro_batches,
        "remat": stage.remat != "none",
        "frozen": frozen_names(config),
        "passes": passes,
        "adamw": {
            "lr": optimizer.learning_rate,
            "betas": (optimizer.b1, optimizer.b2),
            "eps": optimizer.eps,
            "weight_decay": optimizer.weight_decay,
        },
    }


def frozen_names(config: Config) -> list[str]:
    """Names of transformers' parameters in which every part is one that the stage leaves as it is."""
    left = split_frozen(abstract_params(config.model), config.stages[0].optimizer.frozen)[1]
    left_names = {path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(left)}
    frozen: dict[str, bool] = {}
    for leaf in table(config.model):
        for name in leaf.names():
            frozen[name] = frozen.get(name, True) and leaf.path in left_names
    return [_module_name(name) for name, is_frozen in frozen.items() if is_frozen]


def _module_name(published: str) -> str:
    """What transformers 5 calls a parameter of a published file."""
    if published.startswith("model."):
        return published.replace("model.", "model.language_model.", 1)
    return published.replace("visual.", "model.visual.", 1)
