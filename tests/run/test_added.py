"""Words that a run adds, through the real program: read, trained, stored, resumed, written, read again."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from perc_jax.evaluation import subject
from perc_jax.prompt import tokenizer, vocabulary
from perc_jax.weights import hf_folder, safetensors
from tests.weights.test_export_added import published
from tests.weights.test_growth import EMBEDDING, ENLARGED, ROWS
from tests.whole_runs import SHORT, Ended, Running, steps

WORDS = [f"<PIXEL_{x}>" for x in range(30)]
FRESH = slice(1024, 1024 + len(WORDS))
ADAPTERS = ("rank", "2", "trained", "embed", "base-dtype", "float32")


def trained(folder: Path, workdir: Path, count: int, *more: str) -> Ended:
    """The warm-up of the short run alone, so many steps of it."""
    options = ["--model", str(folder), "--codes.places", str(len(WORDS)), "--only", "warmup", "--checkpoint.every", "1"]
    options += ["--stages.0.steps", str(count), "--evaluation.suites", "test_a", "--evaluation.samples", "8"]
    arguments = (*SHORT, "--workdir", str(workdir), *options, *more)
    with Running("perc_jax.train", *arguments, folder=workdir.parent / f"{workdir.name}.output") as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("adapted", [False, True], ids=["whole", "adapters"])
def test_they_survive_training_a_resume_and_an_export(tmp_path, adapted):
    names, values = ADAPTERS[::2], ADAPTERS[1::2]
    more = [word for pair in zip(names, values, strict=True) for word in (f"--model.lora.{pair[0]}", pair[1])] * adapted
    origin, workdir, out = published(tmp_path / "origin", tied=True), tmp_path / "run", tmp_path / "out"
    trained(origin, workdir, 2, *more)
    ended = trained(origin, workdir, 3, *more)
    assert steps(workdir)[-1] == 3 and "step 2" in ended.err
    assert json.loads((workdir / "config.json").read_text())["model"]["text"]["vocab_size"] == ENLARGED
    hf_folder.export(str(workdir), str(out), dtype="float32")
    before, after = (load_file(folder / safetensors.SINGLE) for folder in (origin, out))
    mean = before[EMBEDDING].astype(np.float64).mean(axis=0)
    moved = np.abs(after[EMBEDDING][FRESH] - mean).max(axis=1)
    assert len(after[EMBEDDING]) == ENLARGED and np.all(moved > 1e-5) and np.all(moved < 0.1)
    assert not np.array_equal(after[EMBEDDING][:1024], before[EMBEDDING][:1024]) and len(before[EMBEDDING]) == ROWS
    still = [name for name in before if np.array_equal(before[name], after[name])]
    assert ("model.norm.weight" in still) == adapted
    for said in (tokenizer.load(str(out)), subject.describe(str(workdir)).tokens):
        assert [said.encode(word) for word in WORDS] == [[number] for number in range(FRESH.start, FRESH.stop)]
    assert vocabulary.words(out)[WORDS[-1]] == FRESH.stop - 1
    # It begins another run, which finds its words there and makes no row anew.
    again = tmp_path / "again"
    trained(out, again, 1, "--stages.0.optimizer.learning-rate", "1e-12")
    hf_folder.export(str(again), str(tmp_path / "back"), dtype="float32")
    found = load_file(tmp_path / "back" / safetensors.SINGLE)
    np.testing.assert_allclose(found[EMBEDDING], after[EMBEDDING], rtol=0, atol=1e-6)
