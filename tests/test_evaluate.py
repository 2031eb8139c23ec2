"""The program `evaluate`: a run's checkpoint as the run itself, a published model by a config, mistakes in a line."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import whole_runs
from published_folders import SMALL, edit, write_small_files

from perc_jax import evaluate, suites, weights
from perc_jax.model import init_params

CONFIG = """
import dataclasses
from configs.smoke_cpu import get_config as smoke

def get_config():
    config = smoke()
    data = dataclasses.replace(config.data, workers=0, max_prompt_tokens=512, max_patches=128)
    rollout = dataclasses.replace(config.rollout, max_tokens=4)
    return dataclasses.replace(config, data=data, rollout=rollout)
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suites", "test_a,test_x"), "--suites must be of test_a, test_b, test_c, test_d, got 'test_x'"),
        (("--samples", "0"), "--samples must be >= 1, got 0"),
        ((), "must hold a checkpoint, found none"),
        (("--config", "configs/smoke_cpu.py"), "--config must be left out for a run's workdir"),
        (("--model", "some/model"), "--config must be given with a Hugging Face model, got none; --model some/model"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_a_line(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        evaluate.main(["--model", str(tmp_path), *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and message in err
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_evaluates_as_it_did_itself(reference_run, tmp_path):
    target = tmp_path / "accuracy.json"
    arguments = ("--model", str(reference_run.workdir), "--suites", "test_a,test_d", "--samples", "16")
    with whole_runs.Running(
        "perc_jax.evaluate", *arguments, "--out", str(target), folder=tmp_path / "output", cache=reference_run.cache
    ) as command:
        ended = command.end()
    assert ended.code == 0 and ended.unspoken() == [], ended.err
    found = json.loads(target.read_text())
    own = json.loads((reference_run.workdir / "eval" / "2_grpo_000010.json").read_text())
    assert found["test_d"] == own["test_d"]
    assert found["test_a"]["correct"] == own["test_a"]["correct"][:16]
    assert [line.split()[0] for line in ended.out.splitlines()] == ["test_a", "test_d"]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with random weights, those weights, and a config file that asks little."""
    pytest.importorskip("transformers")
    folder = write_small_files(tmp_path_factory.mktemp("published"))
    params = jax.jit(lambda key: init_params(SMALL, key))(jax.random.key(3))
    weights.save_params(folder, SMALL, params, "float32")
    config = tmp_path_factory.mktemp("config") / "ask.py"
    config.write_text(CONFIG)
    return folder, params, config


def test_a_published_model_is_asked_what_the_config_says(published, tmp_path, monkeypatch):
    folder, params, config = published
    asked = suites.Evaluator.suites
    seen = {}

    def spy(self, given):
        seen.update(config=self._config, params=given)
        return asked(self, given)

    monkeypatch.setattr(suites.Evaluator, "suites", spy)
    arguments = ("--model", str(folder), "--config", str(config), "--suites", "test_a,test_c", "--samples", "5")
    evaluate.main([*arguments, "--out", str(tmp_path / "out.json")])
    results = json.loads((tmp_path / "out.json").read_text())
    assert {name: result["n"] for name, result in results.items()} == {"test_a": 5, "test_c": 5}
    assert seen["config"].model == dataclasses.replace(SMALL, attention=seen["config"].model.attention)
    assert seen["config"].data.tokenizer == str(folder) and seen["config"].evaluation.hard_levels == (1, 2)
    jax.tree.map(lambda mine, theirs: np.testing.assert_array_equal(theirs, mine), params, seen["params"])


def test_weights_that_do_not_fit_are_refused_before_anything_is_compiled(published, tmp_path, capsys):
    folder, _, config = published
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    edit(tmp_path / "config.json", num_hidden_layers=4)
    with pytest.raises(SystemExit):
        evaluate.main(["--model", str(tmp_path), "--config", str(config)])
    assert "does not fit the model config: missing" in capsys.readouterr().err.replace(str(tmp_path), "")
