"""A whole run from engines and tables with a user's reward function: on two hosts, and killed, it is the same."""

import functools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import ROOT, quick, whole_runs
from tests.mesh.test_processes import start

CONFIG = """
import dataclasses

from configs import tables_cpu
from perc_jax.config import MeshConfig, RewardConfig, TermConfig

MIXED = {"engines": ("grid", "cube"), "weights": (1.0, 1.0), "types": ("grid.grid_size", "cube.extreme_colour")}


def get_config():
    config = tables_cpu.get_config()
    terms = (TermConfig("accuracy"), TermConfig("HERE/letters.py:letters", 0.1))
    warmup, grpo = (
        dataclasses.replace(
            stage, steps=steps, prompts_per_step=8, mixture=dataclasses.replace(stage.mixture, levels=(0,), **MIXED)
        )
        for stage, steps in zip(config.stages, (3, 3))
    )
    evaluation = dataclasses.replace(config.evaluation, blind=0)
    checkpoint = dataclasses.replace(config.checkpoint, every=1)
    stages = (warmup, dataclasses.replace(grpo, reward=RewardConfig(terms=terms)))
    data = dataclasses.replace(config.data, workers=0)
    return dataclasses.replace(
        config,
        stages=stages,
        evaluation=evaluation,
        checkpoint=checkpoint,
        data=data,
        samples_every=1,
        mesh=MeshConfig(replica=2, fsdp=1),  # so CPU processes exchange nothing within a loop: tpu_scripts/README.md
    )
"""
FUNCTION = """
import zlib


def letters(text, row):
    if zlib.crc32(row["id"].encode()) % 6 == 0:
        raise KeyError("city")
    return len(set(text)) / 100
"""
CLOCKED = ("time/", "rate/")
FAULTS = "rollout/faults/letters/raised"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables, a function, and the config that names them."""
    out = tmp_path_factory.mktemp("mixed")
    written = [sys.executable, "-m", "engines.tables", "--out", "runs/tables", "--rows", "20", "--test-rows", "4"]
    subprocess.run(written, cwd=out, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    (out / "letters.py").write_text(FUNCTION)
    config = CONFIG.replace("HERE", str(out)).replace(
        "config = tables_cpu.get_config()",
        f"tables_cpu.TABLES = type(tables_cpu.TABLES)({str(out / 'runs/tables')!r})\n"
        "    config = tables_cpu.get_config()",
    )
    (out / "mine.py").write_text(config)
    return out


def arguments(folder: Path, workdir: Path) -> tuple[str, ...]:
    return "--config", str(folder / "mine.py"), "--workdir", str(workdir)


def run(folder: Path, name: str, processes: int, devices: int) -> Path:
    workdir = folder / name
    output = folder / f"{name}.output"
    start(processes, "perc_jax.train", *arguments(folder, workdir), folder=output, devices=devices)
    return workdir


def lines(workdir: Path) -> list[dict]:
    records = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in one.items() if not name.startswith(CLOCKED)} for one in records]


@pytest.fixture(scope="module")
def whole(folder):
    return run(folder, "whole", processes=1, devices=2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_sources_are_drawn_and_a_function_that_fails_is_counted(whole):
    found = lines(whole)
    drawn = {name for line in found for name in line if name.startswith("rollout/accuracy/")}
    assert {"rollout/accuracy/grid", "rollout/accuracy/cube"} < drawn and len(drawn) > 4
    policy = [line for line in found if line["stage"] == "grpo"]
    assert sum(line[FAULTS] for line in policy) > 0 and all(0 < line["rollout/reward/letters"] < 1 for line in policy)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hosts_are_one(folder, whole):
    whole_runs.assert_same(whole, run(folder, "two", processes=2, devices=1))


def has_step(workdir: Path, step: int) -> bool:
    return step in whole_runs.steps(workdir)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(folder, whole):
    """Killed as soon as a checkpoint of each stage is there; the function's processes end with it."""
    workdir = folder / "killed"
    flags = f"{quick.FLAGS} --xla_force_host_platform_device_count=2"
    for step in (2, 5):
        output = folder / f"killed_{step}"
        with whole_runs.Running(
            "perc_jax.train", *arguments(folder, workdir), folder=output, XLA_FLAGS=flags
        ) as running:
            running.wait_for(functools.partial(has_step, workdir, step))
            running.kill()
        time.sleep(1)
    whole_runs.assert_same(whole, run(folder, "killed", processes=1, devices=2))
