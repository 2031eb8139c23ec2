"""The program `evaluate`: a run as the run itself, published models, every benchmark's files, mistakes in a line."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from perc_jax import compare, evaluate
from perc_jax.model import init_params
from perc_jax.records.lines import Records, read
from perc_jax.weights import safetensors
from tests import whole_runs
from tests.benchmarks.folders import WRITERS
from tests.evaluation.test_evaluating import dynamath
from tests.weights.published_folders import SMALL, edit, write_small_files

CONFIG = """
import dataclasses
from configs.smoke_cpu import get_config as smoke

def get_config():
    config = smoke()
    data = dataclasses.replace(config.data, workers=0, max_prompt_tokens=512, max_patches=128)
    rollout = dataclasses.replace(config.rollout, max_tokens=4)
    warmup, grpo = config.stages
    stages = warmup, dataclasses.replace(grpo, row_widths=())
    return dataclasses.replace(config, data=data, rollout=rollout, stages=stages)
"""
NAMES = ",".join(WRITERS)
TINY = dataclasses.replace(  # one block of each kind: what takes time here is compiling
    SMALL,
    vision=dataclasses.replace(SMALL.vision, depth=2),
    text=dataclasses.replace(SMALL.text, num_hidden_layers=1),
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suites", "test_a,test_x"), "--suites must be of test_a, test_b, test_c, test_d, dynamath, mathvista,"),
        (("--suites", "test_a,test_a"), "--suites must name each suite once, got test_a,test_a"),
        (("--suites", "mmstar:gpt", "--data", "."), "mode of mmstar must be one of official,"),
        (("--suites", "mmstar", "--data", "nowhere"), "mmstar: nowhere must be a folder or file that exists"),
        (("--samples", "0"), "--samples must be >= 1, got 0"),
        (("--samples", "4", "--temperature", "0"), "--temperature must be > 0 with several samples, got 0.0"),
        (("--limit", "-1"), "--limit must be >= 1, got -1"),
        (("--limit", "0"), "--limit must be >= 1, got 0"),
        (("--batch", "0"), "--batch must be >= 1, got 0"),
        (("--tensor", "0"), "--tensor must be >= 1, got 0"),
        (("--out", "gs://bucket/a"), "--out must be a local path: answers are appended to it, got 'gs://bucket/a'"),
        ((), "must hold a checkpoint, found none"),
        (("--config", "configs/smoke_cpu.py"), "--config must be left out for a run's workdir"),
        (("--model", "some/model"), "--config must be given for suites of the engines, got none; some/model is"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_a_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        evaluate.main(["--model", str(tmp_path), *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and message in err
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_evaluates_as_it_did_itself(reference_run, nursery, tmp_path):
    target = tmp_path / "accuracy.json"
    arguments = ("--model", str(reference_run.workdir), "--suites", "test_a,test_d", "--limit", "8")
    how = {"folder": tmp_path / "output", "cache": reference_run.cache, "begin": nursery.begin}
    with whole_runs.Running("perc_jax.evaluate", *arguments, "--out", str(target), **how) as command:
        ended = command.end()
    assert ended.code == 0 and ended.unspoken() == [], ended.err
    assert "the model sees: another picture moves log-odds by" in ended.err
    found = json.loads(target.read_text())
    own = json.loads((reference_run.workdir / "eval" / "2_grpo_000010.json").read_text())
    assert {name: found["test_d"][name] for name in own["test_d"]} == own["test_d"]
    assert found["test_a"]["correct"] == own["test_a"]["correct"][:8]
    assert [line.split()[0] for line in ended.out.splitlines() if line[0] != " "] == ["test_a", "test_d"]
    assert len(read(tmp_path / "accuracy.items" / "test_a.jsonl")[1]) == 8


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with random weights, and a config file that asks little."""
    pytest.importorskip("transformers")
    folder = write_small_files(tmp_path_factory.mktemp("published"), TINY)
    safetensors.save_params(folder, TINY, jax.jit(lambda key: init_params(TINY, key))(jax.random.key(3)), "float32")
    config = tmp_path_factory.mktemp("config") / "ask.py"
    config.write_text(CONFIG)
    return folder, config


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Every benchmark in the form that its authors or the hub publish, with a few questions each."""
    pytest.importorskip("pyarrow", reason="pyarrow writes the small data sets")
    folder = tmp_path_factory.mktemp("benchmarks")
    for name, write in WRITERS.items():
        write(folder / name)
    return folder


def test_a_published_model_is_asked_what_the_config_says_with_and_without_pictures(published, tmp_path):
    folder, config = published
    arguments = ("--model", str(folder), "--config", str(config), "--suites", "test_a,test_c", "--limit", "5")
    evaluate.main([*arguments, "--blind", "--out", str(tmp_path)])
    results = json.loads((tmp_path / "results.json").read_text())
    assert {name: (result["n"], result["blind"]["n"]) for name, result in results.items()} == {
        "test_a": (5, 5),
        "test_c": (5, 5),
    }
    levels = results["test_c"]["by"]["level"]
    assert sum(group["n"] for group in levels.values()) == 5 and levels.keys() <= {"1", "2"}  # the recipe's hard levels
    seen, blind = (read(tmp_path / f"test_a{kind}.jsonl") for kind in ("", ".blind"))
    assert seen[0] | {"blind": True} == blind[0] and seen[1].keys() == blind[1].keys()
    assert [one.responses for one in seen[1].values()] != [one.responses for one in blind[1].values()]


def test_every_benchmark_is_asked_from_its_files(published, data, tmp_path, capsys):
    """Three questions each; random weights answer, so that nothing is right but a guess: the path is what is real."""
    folder, _ = published
    common = ("--model", str(folder), "--data", str(data), "--max-tokens", "4", "--batch", "8", "--limit", "3")
    evaluate.main([*common, "--suites", NAMES, "--out", str(tmp_path / "out")])
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(results) == list(WRITERS)
    said = capsys.readouterr().out
    for name, result in results.items():
        head, kept = read(tmp_path / "out" / f"{name}.jsonl")
        assert head["suite"] == name and head["mode"] == result["mode"] and len(kept) == result["n"] <= 3
        assert all(len(one.responses) == len(one.correct) == 1 and one.reason[0] for one in kept.values())
        assert result["ci95"][0] <= result["accuracy"] <= result["ci95"][1]
        assert result["not_asked"] == 0 and result["cut"] == sum(not one.ended[0] for one in kept.values())
        assert result["unparsed"] == sum(one.parsed[0] is None for one in kept.values())
        assert f"{name} ({result['mode']})" in said
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    evaluate.main([*common, "--suites", NAMES, "--out", str(tmp_path / "out")])  # nothing is left to ask
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert capsys.readouterr().out == said
    evaluate.main([*common, "--suites", "dynamath", "--out", str(tmp_path / "out")])  # what else is there stays
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    out = capsys.readouterr().out
    assert "dynamath (" in out and "mathvista (" not in out


def test_results_of_the_same_model_stay_and_others_are_refused(tmp_path):
    for name, model in (("test_a", "mine"), ("test_b", "mine"), ("test_c", "another")):
        with Records(tmp_path / f"{name}.jsonl", {"suite": name, "model": model}):
            pass
    file = tmp_path / "results.json"
    assert evaluate._kept(str(tmp_path), ["test_a"], "mine") == {}
    file.write_text(json.dumps({"test_a": {"n": 1}, "test_b": {"n": 2}}))
    for asked, model in ((["test_a", "test_d"], "mine"), (["test_a", "test_b"], "new")):  # or all are replaced
        assert list(evaluate._kept(str(tmp_path), asked, model).items()) == [("test_a", {"n": 1}), ("test_b", {"n": 2})]
    for content, words in (
        ({"test_c": {"n": 3}}, "results.json has results on test_c of model another, this one is mine; give another"),
        ({"test_d": {"n": 3}}, "results.json has results on test_d of model not known, its answers are gone, this one"),
        ([3], "results.json must hold results by suite, for more to be added; give another --out"),
        ({"seed": 3}, "results.json must hold results by suite"),
    ):
        file.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=words):
            evaluate._kept(str(tmp_path), ["test_a"], "mine")
    (tmp_path / "r.items").mkdir()
    (tmp_path / "r.json").write_text(json.dumps({"test_a": {"n": 1}}))
    (tmp_path / "test_a.jsonl").rename(tmp_path / "r.items" / "test_a.jsonl")
    assert evaluate._kept(str(tmp_path / "r.json"), ["test_d"], "mine") == {"test_a": {"n": 1}}


def test_several_samples_give_avg_and_pass_at_k_and_can_be_compared(published, data, tmp_path, capsys):
    folder, _ = published
    common = ("--model", str(folder), "--data", str(data / "mathvista"), "--max-tokens", "4", "--batch", "8")
    for seed in ("1", "2"):
        out = ("--out", str(tmp_path / seed), "--seed", seed)
        evaluate.main([*common, "--suites", "mathvista", "--samples", "4", *out])
    [result] = json.loads((tmp_path / "1" / "results.json").read_text()).values()
    kept = read(tmp_path / "1" / "mathvista.jsonl")[1].values()
    assert result["samples"] == 4 and result["accuracy"] == np.mean([one.correct for one in kept])
    assert list(result["pass_at"]) == ["1", "2", "4"] and result["pass_at"]["1"]["accuracy"] == result["accuracy"]
    assert result["pass_at"]["4"]["accuracy"] == np.mean([any(one.correct) for one in kept])
    total, lines = sum(len(one.responses) for one in kept), capsys.readouterr().out.splitlines()
    assert result["responses"] == total == 4 * result["n"] and result["unparsed"] > result["n"]
    assert f"  {'unparsed':30} {result['unparsed']:6} of {total:,} answers" in lines
    compare.main([str(tmp_path / "1"), str(tmp_path / "2")])
    assert capsys.readouterr().out.splitlines()[-1].startswith("mathvista ")
    with pytest.raises(SystemExit):
        evaluate.main([*common, "--suites", "mathvista", "--samples", "4", "--seed", "3", "--out", str(tmp_path / "1")])
    assert "was begun with seed 1, this evaluation has 3; give another --out" in capsys.readouterr().err


def test_weights_that_do_not_fit_are_refused_before_anything_is_compiled(published, tmp_path, capsys):
    folder, config = published
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    edit(tmp_path / "config.json", num_hidden_layers=2)
    with pytest.raises(SystemExit):
        evaluate.main(["--model", str(tmp_path), "--config", str(config)])
    assert "does not fit the model config: missing" in capsys.readouterr().err.replace(str(tmp_path), "")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_evaluation_goes_on_where_it_stood(published, tmp_path):
    """SIGKILL after each further batch, until it is through: the same lines and results as without."""
    folder, _ = published
    mine = dynamath(tmp_path / "dynamath")
    common = ("--model", str(folder), "--suites", "dynamath", "--data", str(mine), "--max-tokens", "4", "--batch", "4")
    cache = tmp_path / "cache"

    def running(out: str) -> whole_runs.Running:
        where = ("--out", str(tmp_path / out))
        return whole_runs.Running("perc_jax.evaluate", *common, *where, folder=tmp_path / f"{out}.output", cache=cache)

    with running("whole") as command:
        assert command.end().code == 0
    lines = tmp_path / "cut" / "dynamath.jsonl"

    def count() -> int:
        return lines.read_bytes().count(b"\n") if lines.exists() else 0

    for _ in range(3):
        before = count()
        with running("cut") as command:
            command.wait_for(lambda before=before: count() > max(before, 1))
            command.kill()
    with running("cut") as command:
        assert command.end().code == 0
    for name in ("dynamath.jsonl", "results.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
