"""The recipe that `perc_jax/run/README.md` shows, as it stands there: a sound config, whose row and reward are read."""

import json
import re

import pytest

from perc_jax.config import Config
from perc_jax.data.tables import open_table
from tests import ROOT

PAGE = (ROOT / "perc_jax" / "run" / "README.md").read_text()


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


@pytest.fixture
def config() -> Config:
    names: dict = {}
    exec(block("python"), names)
    return names["get_config"]()


def test_it_is_a_config(config):
    [stage] = config.stages
    assert stage.name == "mine" and not stage.mixture.engines
    assert stage.reward.terms[0].label == "accuracy"


def test_its_row_is_read(config, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.jsonl").write_text(json.dumps(json.loads(block("json"))) + "\n")
    monkeypatch.chdir(tmp_path)
    [table] = config.stages[0].mixture.tables
    row = open_table(table)[0]
    assert row.answer == "3" and len(row.pictures) == 1 and row.pictures[0].file == str(tmp_path / "data" / "a.png")


def test_its_reward_is_a_function_of_text_and_row():
    names: dict = {}
    exec(block("python", 1), names)
    assert names["score"]("3", {}) == 1.0 and names["score"]("x" * 400, {}) == 0.0
