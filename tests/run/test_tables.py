"""A whole run from tables: stopped at every step and resumed it is the same run, and its test tables are asked."""

import json
import subprocess
import sys

import pytest

from tests import ROOT
from tests.quick import FLAGS

STEPS = ("--stages.0.steps", "3", "--stages.1.steps", "2", "--checkpoint.every", "1", "--samples-every", "1")
FEW = ("--stages.0.prompts-per-step", "8", "--stages.1.prompts-per-step", "8")
FEW += ("--evaluation.batch", "6", "--evaluation.blind", "0")  # a batch is padded: the recipe's has 100
CLOCKED = ("time/", "rate/")


def train(folder, name, *more):
    """Run the recipe in a folder that has its tables; gives the exit code."""
    command = [sys.executable, "-m", "perc_jax.train", "--config", str(ROOT / "configs" / "tables_cpu.py")]
    variables = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": FLAGS, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    variables["JAX_COMPILATION_CACHE_DIR"] = str(folder / "cache")
    ended = subprocess.run(
        [*command, "--workdir", name, *STEPS, *FEW, *more], cwd=folder, env=variables, capture_output=True, text=True
    )
    assert ended.returncode in (0, 3), ended.stderr
    return ended.returncode


def lines(folder, name):
    records = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in record.items() if not key.startswith(CLOCKED)} for record in records]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_from_tables_is_the_same_however_often_it_is_stopped(tmp_path):
    written = [sys.executable, "-m", "engines.tables", "--out", "runs/tables", "--rows", "20", "--test-rows", "6"]
    subprocess.run(written, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    assert train(tmp_path, "whole") == 0
    starts = 1
    while train(tmp_path, "parts", "--stop-after", "1s") == 3:
        starts += 1
    assert starts > 3
    assert lines(tmp_path, "parts") == lines(tmp_path, "whole")
    for kind in ("eval", "samples"):
        files = {path.name: path.read_bytes() for path in (tmp_path / "whole" / kind).iterdir()}
        assert files == {path.name: path.read_bytes() for path in (tmp_path / "parts" / kind).iterdir()}, kind
    asked = json.loads(min((tmp_path / "whole" / "eval").iterdir()).read_text())
    assert set(asked) == {f"test_{name}" for name in ("number", "choice", "two", "text", "boxes")}
    assert any(name.startswith("rollout/accuracy/") for name in lines(tmp_path, "whole")[-1])
    (tmp_path / "runs/tables/text.jsonl").write_text('{"question": "What?", "answer": "1"}\n')
    command = [sys.executable, "-m", "perc_jax.train", "--config", str(ROOT / "configs" / "tables_cpu.py"), *STEPS]
    variables = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": FLAGS, "PYTHONPATH": str(ROOT)}
    more = ["--workdir", "whole", *FEW, "--stages.1.steps", "3"]
    ended = subprocess.run([*command, *more], cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert ended.returncode and "table text of stages[grpo] must be as it was" in ended.stderr, ended.stderr
    assert "text.jsonl has changed" in ended.stderr
