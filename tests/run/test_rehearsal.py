"""A dry run says what a run would do, refuses what it would refuse, and leaves no trace."""

import dataclasses
import json
from pathlib import Path

import pytest

from configs.smoke_cpu import get_config
from perc_jax.config import Config, Start, from_dict
from perc_jax.plan import forecast, memory
from perc_jax.programs.blueprints import Blueprints
from perc_jax.run import rehearsal
from tests.records.test_commits import committed

CONFIG = get_config()
WARMUP, GRPO = CONFIG.stages


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to stand in, which a dry run must not change."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_says_all_and_writes_nothing(here):
    lines = list(rehearsal.show(CONFIG, "runs/new", Start(stop_after="3h")))
    assert tree(here) == {}
    end = lines.index("}") + 1
    assert from_dict(Config, json.loads("\n".join(lines[:end]))) == CONFIG
    told = "\n".join(lines[end:])
    assert "runs/new: a new run, first weights: random" in told and "ends after 3h with a checkpoint" in told
    assert "greedy: decode, score, warmup: optimizer, " in told and "grpo: update 40, grpo: update, " in told
    assert "6 steps x 16 prompts: 96 prompts in all" in told
    assert "4 steps x 8 prompts x 4 answers: 32 prompts in all" in told
    assert "grid 25.0%: grid_size" in told and "levels 0" in told
    assert "test_a 32, test_b 16, test_c 16, test_d 16 questions, between stages" in told
    assert lines[-1] == "dry run: nothing was compiled or written"


def test_of_a_run_that_goes_on_it_says_from_where_and_with_what_changes(here):
    committed(here / "run", 2, config=CONFIG, stage="warmup")
    before = tree(here)
    config = dataclasses.replace(CONFIG, samples_every=7, checkpoint=dataclasses.replace(CONFIG.checkpoint, every=5))
    told = "\n".join(rehearsal.show(config, "run", Start()))
    assert "run: resumes after step 2 (stage warmup, its step 2)" in told
    assert "changed: samples_every is 7, was 2" in told and "changed: checkpoint.every is 5, was 2" in told
    assert "init" not in told.partition("compiled before")[2].partition("\n")[0].split(", ")
    assert tree(here) == before


def test_it_refuses_what_the_run_would(here):
    committed(here / "run", 2, config=CONFIG, stage="warmup")
    other = dataclasses.replace(CONFIG, seed=CONFIG.seed + 1)
    text = dataclasses.replace(CONFIG.model.text, rope_theta=5.0)
    turned = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, text=text))
    for config, workdir, words in (
        (other, "run", "^seed must be 0 as in the checkpoints of"),
        (turned, "run", "^model.text.rope_theta must be 1000000.0 as in the checkpoints of"),
        (dataclasses.replace(CONFIG, begin_from="nowhere"), "new", "^begin_from must be the workdir of a run"),
        (
            dataclasses.replace(CONFIG, begin_from="run@3"),
            "new",
            "^run must have a checkpoint of step 3, it has steps 2$",
        ),
        (dataclasses.replace(CONFIG, pretrained="nowhere"), "new", "pretrained"),
        (dataclasses.replace(CONFIG, mesh=dataclasses.replace(CONFIG.mesh, replica=3)), "new", "^mesh must use all"),
    ):
        with pytest.raises((ValueError, OSError), match=words):
            list(rehearsal.show(config, workdir, Start()))


def test_the_memory_is_that_of_the_plan_without_what_only_compiling_tells():
    """By hand: parameters, optimizer, the decoding copy, and the rollout's arrays live at once."""
    blueprints = Blueprints(CONFIG, forecast.stand_in_ids(CONFIG))
    name, split = rehearsal.peak(blueprints)
    state = blueprints.train_state(GRPO)
    assert name.startswith("grpo: ") and split.activations == split.padding == 0
    assert split.parameters == memory.device_bytes(state.params)
    assert split.optimizer == memory.device_bytes(state.opt_state)
    assert split.decoding == memory.device_bytes(blueprints.rollout_params)
