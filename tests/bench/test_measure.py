"""The bench's command: what it measures and writes without a peer, and what it says to wrong arguments."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from configs import bench_tiny
from perc_jax.bench import __main__ as bench
from perc_jax.bench import machines, measure, table
from perc_jax.bench.machines import Machine

CASE = '''
"""The smallest model that has every part."""
import dataclasses
from configs import bench_tiny
from perc_jax.config import TextConfig, VisionConfig


def get_config():
    tiny = bench_tiny.get_config()
    vision = VisionConfig(1, 32, 2, 32, (0,), window_size=56)
    text = TextConfig(32, 32, 1, 2, 1, 16, 1024, (2, 3, 3))
    model = dataclasses.replace(tiny.model, vision=vision, text=text)
    return dataclasses.replace(tiny, model=model)
'''
SHAPES = ("--prompt-tokens", "64", "--max-tokens", "5", "--group-size", "2", "--prompts", "8", "--repeats", "2")
PROMISED = {"what", "device", "tokens_per_s", "samples_per_s", "mfu", "bandwidth_use", "peak_bytes", "compile_s"}
PROMISED |= {"recompiles", "ratio_to_peer", "executed_flops", "useful_flops", "useful_mfu"}


@pytest.fixture
def case(tmp_path, monkeypatch) -> str:
    monkeypatch.setattr(machines, "look", lambda: Machine("cpu", 8, 1e10, "measured", 1e10))
    path = tmp_path / "case.py"
    path.write_text(CASE)
    return str(path)


def measured(case: str, tmp_path: Path, *arguments: str) -> dict:
    out = tmp_path / "out.json"
    bench.main([*arguments[:1], "--config", case, *SHAPES, *arguments[1:], "--json", str(out)])
    return json.loads(out.read_text())


def test_a_step_is_measured_in_its_parts(case, tmp_path, capsys):
    found = measured(case, tmp_path, "step")
    assert found.keys() >= PROMISED and found["what"] == "step" and found["ratio_to_peer"] is None
    assert found["recompiles"] == 0 and found["compile_s"] > 0 and found["peak_bytes"] > 0
    assert {name: len(part["spent"]) for name, part in found["parts"].items()} == {"rollout": 2, "update": 2, "step": 2}
    for rollout, update, step in zip(*(found["parts"][name]["spent"] for name in found["parts"]), strict=True):
        assert step[0] >= rollout[0] + update[0]
    assert found["prefill_s"] > 0 and found["samples_per_s"] * found["seconds"] == pytest.approx(16)
    assert found["parts"]["rollout"]["bandwidth_use"] == found["bandwidth_use"]
    assert "64 5 2 8" in capsys.readouterr().out


def test_completions_may_end_where_the_model_draws_an_end(case, tmp_path, capsys):
    found = measured(case, tmp_path, "rollout", "--mean-tokens", "3", "--max-tokens", "16")
    lengths = found["lengths"]
    assert 1.5 < lengths["mean"] < 6 < lengths["longest"] <= 16  # 16 completions
    assert found["tokens_per_s"] * found["seconds"] == pytest.approx(16 * lengths["mean"])
    assert found["mfu"] is None and found["recompiles"] == 0
    assert f"the longest of {lengths['longest']}" in capsys.readouterr().out.replace("\n", " ")


def test_a_sweep_does_not_take_its_own_work_for_that_of_others(monkeypatch, capsys):
    """The load is read before anything is measured, and counts of all cases are told."""
    loads = iter([0.1, 3.0, 4.0, 5.0])
    monkeypatch.setattr(measure.os, "getloadavg", lambda: (next(loads), 0, 0))
    monkeypatch.setattr(machines, "look", lambda: next(loads) and Machine("cpu", 8, 1e10, "measured", 1e10))
    part = dict.fromkeys(("seconds", "tokens_per_s", "samples_per_s", "ratio_to_peer", "mfu", "useful_mfu"))
    part |= {"seconds": 1.0, "tokens_per_s": 1.0, "samples_per_s": 1.0, "bandwidth_use": None}

    def one(case, settings, machine, screen, advance):
        shape = {"prompt_tokens": 1, "max_tokens": 8, "group_size": 1, "prompts": case.seed}
        known = {"config": "c", "device": "cpu", "shape": shape, "machine": machine._asdict(), "parts": {"step": part}}
        count = case.seed
        told = {"lengths": {"mean": 4.0 + count, "longest": 8}, "peer": None, "peak_bytes": (3 - count) * 2**30}
        return known | told | {"compile_s": 10.0, "recompiles": 2 - count, "what": "step"}

    monkeypatch.setattr(measure, "_measure", one)
    cases = [dataclasses.replace(bench_tiny.get_config(), seed=count) for count in (1, 2)]
    points = measure.run(cases, measure.Settings("step", 1, "", (), 0))
    assert [point["load"] for point in points] == [0.1, 0.1]
    table.show({"what": "step", "points": points})
    out = capsys.readouterr().out
    assert "others used" not in out and "compiled in 20 s, 1 recompiles" in out and "memory 2.00 GiB" in out
    assert "1 8 1 1: completions of 5 tokens" in out and "1 8 1 2: completions of 6 tokens" in out
    table.show({"what": "step", "points": [point | {"load": 0.6} for point in points]})
    assert "others used this machine (load 0.6 at the start)" in capsys.readouterr().out


@pytest.mark.slow
def test_memory_grows_with_the_shared_row(tmp_path, capsys):
    picture, out = tmp_path / "memory.png", tmp_path / "out.json"
    shapes = ("--prompt-tokens", "256", "--max-tokens", "32", "--prompts", "8", "--sweep", "group_size=1,8")
    bench.main(["memory", "--size", "tiny", *shapes, "--plot", str(picture), "--json", str(out)])
    found = json.loads(out.read_text())
    assert found["sweep"] == "group_size" and found["values"] == [1, 8] and picture.stat().st_size > 1000
    small, large = (point["temporary_bytes"] for point in found["points"])
    # Tokens: shared 8 (256 + 32) and 8 (256 + 256), 1.8 times; unshared 8 x 288 and 64 x 288, 8 times.
    assert 1.3 < large / small < (1.8 + 8) / 2
    assert "row tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("walk",), "invalid choice: 'walk'"),
        (("step", "--size", "tiny", "--config", "x.py"), "not allowed with argument"),
        (("step", "--config", "nowhere.py"), "config file nowhere.py does not exist"),
        (("step", "--repeats", "0"), "must be a whole number >= 1, got '0'"),
        (("step", "--sweep", "width=1,2"), "--sweep must begin with one of prompt_tokens, max_tokens, group_size"),
        (("step", "--sweep", "group_size=1,x"), "--sweep group_size must be whole numbers >= 1 with commas"),
        (("step", "--plot", "a.png"), "--plot must go with --sweep"),
        (("step", "--json", "/nowhere/a.json"), "--json must be in a folder that exists"),
        (("rollout", "--against", "trl"), "--against trl must go with step"),
        (("step", "--against", "trl", "--mean-tokens", "9"), "--mean-tokens must go with rollout, update or step"),
        (("memory", "--against", "transformers"), "--against must go with rollout, update or step"),
        (("step", "--against", "transformers", "--model.lora.rank", "4"), "model.lora.rank must be 0 with --against"),
        (("step", "--peer-passes", "old"), "--peer-passes must go with --against transformers"),
        (("step", "--prompts", "3", "--stages.0.micro-batches", "2"), "prompts_per_step must be a multiple of"),
        (("step", "--stages.0.group-sise", "4"), "did you mean --stages.0.group-size?"),
    ],
)
def test_a_wrong_argument_gives_one_clear_line(arguments, words, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "perc_jax.bench.measure", None)  # nothing may be measured
    with pytest.raises(SystemExit) as stop:
        bench.main(arguments)
    assert stop.value.code == 2 and words in capsys.readouterr().err
