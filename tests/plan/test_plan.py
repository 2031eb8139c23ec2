"""Plans: what they say of this machine is true, what does not fit is told apart, and mistakes are one line."""

import dataclasses
import importlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest
from rich.console import Console

from configs import tokens_cpu
from perc_jax.config import RewardConfig, RolloutConfig, TermConfig
from perc_jax.mesh import sharding
from perc_jax.plan import __main__ as plan
from perc_jax.plan import advice, forecast, memory, table, topologies
from perc_jax.plan.advice import Option, _estimate
from perc_jax.programs.blueprints import Blueprints
from perc_jax.prompt import tokenizer
from perc_jax.rollout import maps
from tests import ROOT
from tests.programs.test_programs import CONFIG

CPU = topologies.parse("cpu:8")
needs_libtpu = pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed")


@pytest.fixture(scope="module")
def made() -> dict:
    return forecast.make(CONFIG, CPU, lambda line: None) | {"exact": True}


def entry(made: dict, name: str) -> dict:
    return next(program for program in made["programs"] if program["name"] == name)


def test_every_program_of_the_run_is_in_it(made):
    names = ["init", "publish", *(f"grpo: {name}" for name in ("optimizer", "prefill", "decode", "update", "finish"))]
    names.append("score")
    assert [program["name"] for program in made["programs"]] == names
    assert made["fits"] and all(program["fits"] for program in made["programs"])
    assert json.loads(json.dumps(made)) == made
    assert made["hosts"] == {"count": 1, "same_rows": [], "prompts": {"grpo": CONFIG.stages[0].prompts_per_step}}


@pytest.mark.parametrize("constrained", [True, False])
def test_maps_are_sampled_whole_where_the_run_does(constrained):
    config = tokens_cpu.get_config()
    config = dataclasses.replace(config, codes=dataclasses.replace(config.codes, constrained=constrained))
    planned, real = forecast.stand_in_ids(config), tokenizer.of(config).ids
    maps.check(planned)
    assert (planned.map is not None) == (real.map is not None) == constrained
    if constrained:
        assert (planned.map.count, planned.map.length) == (real.map.count, real.map.length)


def test_memory_is_split_without_remainder(made):
    for program in made["programs"]:
        split = program["memory"]
        assert split["total"] == sum(split[role] for role in memory.Split._fields)
    update, decode = entry(made, "grpo: update")["memory"], entry(made, "grpo: decode")["memory"]
    assert update["parameters"] and update["optimizer"] and update["gradients"] and update["cache"] == 0
    assert decode["parameters"] == update["parameters"] and decode["optimizer"] == update["optimizer"]  # both stay
    assert decode["cache"] and decode["decoding"]
    # One KV head of 16, one layer: prompts and completions of one of eight devices, keys and values, float32.
    tokens = CONFIG.data.max_prompt_tokens + 2 * CONFIG.rollout.max_tokens
    assert decode["cache"] == tokens * 16 * 2 * 4


def test_nothing_is_exchanged_per_token_and_weights_are_gathered_once(made):
    assert not any(found["in_decode_loop"] for program in made["programs"] for found in program["collectives"])
    (gathered,) = entry(made, "publish")["collectives"]
    assert gathered["kind"] == "all-gather"


def test_the_screen_is_120_wide_and_says_what_there_is(made, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(table, "Console", lambda **options: Console(file=out, **options))
    table.show(made)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    assert any(line.startswith("fits: ") for line in lines) and any("grpo: decode" in line for line in lines)


def test_hosts_that_share_rows_are_named_and_one_alone_is_not():
    prompts = {"warmup": 8, "perception": 4}
    shared = [[2 * pair, 2 * pair + 1] for pair in range(8)]
    text = "\n".join(table.hosts({"count": 16, "same_rows": shared, "prompts": prompts}))
    assert "16 hosts, each draws and verifies 8 prompts of warmup, 4 prompts of perception a step" in text
    assert "hosts 0+1, 2+3, 4+5, 6+7, 8+9, 10+11, … 14+15" in text
    assert len(list(table.hosts({"count": 2, "same_rows": [], "prompts": prompts}))) == 1
    assert list(table.hosts({"count": 1, "same_rows": [], "prompts": prompts})) == []


def test_what_does_not_fit_is_told_and_what_would_is_proposed(made, monkeypatch):
    """As if every program had been found as before, on a machine that lacks one byte, with eight rows per device."""
    split = {program["name"]: program["memory"] for program in made["programs"]}

    def sizes(blueprint):
        found = split[blueprint.name]
        temporary = 8 * (found["gradients"] + found["activations"])
        return memory.Sizes(memory.arrays(blueprint).total, 0, 0, temporary)

    monkeypatch.setattr(forecast.Blueprint, "compile", lambda self: SimpleNamespace(of=self, as_text=lambda: ""))
    monkeypatch.setattr(memory, "sizes", lambda compiled, platform: sizes(compiled.of))
    config = dataclasses.replace(
        CONFIG, stages=(dataclasses.replace(CONFIG.stages[0], prompts_per_step=64),), rollout=RolloutConfig(2)
    )
    peak = forecast.make(config, CPU, lambda line: None)["peak"]
    monkeypatch.setattr(forecast, "capacity_bytes", lambda topology: peak["bytes"] - 1)
    found = forecast.make(config, CPU, lambda line: None) | {"exact": True}
    assert peak["program"] == "grpo: update"
    assert not found["fits"] and not entry(found, "grpo: update")["fits"] and entry(found, "publish")["fits"]
    assert {advice["kind"] for advice in found["advice"]} == {"micro_batches"}  # one KV head: no tensor axis
    text = "\n".join(table.verdict(found))
    assert "does not fit" in text and "micro_batches 2" in text


def staged(*parts: tuple[int, int, int]):
    """A config whose stages have these prompts, updates of a rollout and micro-batches."""
    stages = tuple(
        dataclasses.replace(
            CONFIG.stages[0],
            name=f"part_{place}",
            prompts_per_step=prompts,
            updates_per_rollout=updates,
            micro_batches=count,
        )
        for place, (prompts, updates, count) in enumerate(parts)
    )
    return dataclasses.replace(CONFIG, stages=stages)


def test_what_is_proposed_is_what_a_run_takes_in_every_stage():
    """PeBR-R1's stages on eight devices: 128, 560 / 5 and 512 / 4 prompts an update have no count of 8 in common."""
    config = staged((128, 1, 2), (560, 5, 2), (512, 4, 2))
    found = list(advice.micro_batches(config, 8))
    assert found[0] == (1, 1, 1) and found[-1] == (16, 14, 16) and (8, 7, 8) in found and (8, 8, 8) not in found
    assert next(advice.micro_batches(config, 8, (2, 2, 2))) == (2, 2, 2)
    for counts in found[1:4]:
        sizes = [(stage.prompts_per_step, stage.updates_per_rollout) for stage in config.stages]
        wanted = staged(*((*size, count) for size, count in zip(sizes, counts, strict=True)))
        Blueprints(wanted, forecast.stand_in_ids(wanted))  # which refuses what cannot be cut
    for refused in (32, 3):
        assert list(advice.micro_batches(config, refused)) == []  # of 112 prompts
    assert advice._said((8, 7, 8), config.stages) == "micro_batches 8, 7, 8 (part_0, part_1, part_2)"
    sliced = dataclasses.replace(config, rollout=dataclasses.replace(config.rollout, slots=12))
    assert list(advice.micro_batches(sliced, 8)) == [] != list(advice.micro_batches(sliced, 4))


def test_estimates_take_each_stages_own_micro_batches():
    config = staged((16, 1, 1), (16, 1, 1))
    blueprints = Blueprints(config, forecast.stand_in_ids(config))
    split = memory.Split(*(0 for _ in memory.Split._fields))._replace(activations=1000)
    option = Option("", "", 8, 1, (1, 2), 0)
    found = [_estimate(option, blueprints, stage, f"{stage.name}: update", split) for stage in config.stages]
    assert found == [1000, 500]


@pytest.mark.parametrize("size", ["3b", "7b", "32b", "72b"])
def test_the_gpus_that_a_config_names_are_taken(size):
    module = importlib.import_module(f"configs.data_engine_{size}")
    form = r"(one|two|four) nodes? of 8 H100 of 80 GB(?:, tensor (\d+))?(?:, `--stages.0.micro-batches (\d+)`)?\."
    [(nodes, tensor, count)] = re.findall(form, module.__doc__)
    config = module.get_config()
    devices = 8 * {"one": 1, "two": 2, "four": 4}[nodes]
    rows = devices // int(tensor or config.mesh.tensor)
    assert (int(count or config.stages[0].micro_batches),) in list(advice.micro_batches(config, rows))


def test_running_out_of_memory_while_compiling_is_a_verdict(monkeypatch):
    def compile_nothing(self):
        raise jax.errors.JaxRuntimeError(
            "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries (50.76G) "
            "exceeds available HBM (31.25G)."
        )

    monkeypatch.setattr(forecast.Blueprint, "compile", compile_nothing)
    found = forecast.make(CONFIG, CPU, lambda line: None) | {"exact": True}
    assert not found["fits"]
    assert entry(found, "grpo: update")["memory"]["total"] > 50 * topologies.GIB
    assert "50.76G" in "\n".join(table.verdict(found))


def test_an_estimate_of_the_same_machine_is_what_was_found(made):
    blueprints = forecast.Blueprints(CONFIG, forecast.stand_in_ids(CONFIG), sharding.make_mesh(CONFIG.mesh))
    option = Option("as it is", "same", 8, 1, (1,), 0)
    for program in made["programs"]:
        split = memory.Split(**{role: program["memory"][role] for role in memory.Split._fields})
        found = _estimate(option, blueprints, CONFIG.stages[0], program["name"], split)
        assert found == pytest.approx(split.total, abs=8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--topology v9:2x2", "error: --topology must begin with one of v4"),
        ("--topology cpu:3", "error: "),
        ("--topology cpu:8 --config nowhere.py", "error: config file nowhere.py does not exist"),
        ("--topology cpu:8 --rolout.max-tokens 3", "error: unknown option --rolout.max-tokens"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        plan.main(arguments.split())
    assert end.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(message)


def test_without_libtpu_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        plan.main(["--topology", "v5e:2x4"])
    assert "pip install 'perc_jax[plan]'" in capsys.readouterr().err


# --- in processes of their own --------------------------------------------------------------------------------------


def run(*arguments: str, out: Path) -> dict:
    """A plan made by the command."""
    command = [sys.executable, "-m", "perc_jax.plan", "--json", str(out), *arguments]
    subprocess.run(command, cwd=ROOT, env=plain_environment(), check=True, timeout=1800)
    return json.loads(out.read_text())


def plain_environment() -> dict[str, str]:
    """Without what the tests' own jax was told."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("JAX", "XLA"))}


def test_the_seconds_of_a_rewards_clip_are_said():
    reward = RewardConfig((TermConfig("accuracy"), TermConfig("clip")))
    stage = dataclasses.replace(CONFIG.stages[0], reward=reward)
    asks = dataclasses.replace(CONFIG, stages=(stage,))
    for config, [wanted] in ((asks, asks.stages), (CONFIG, CONFIG.stages)):
        blueprints = Blueprints(config, forecast.stand_in_ids(config))
        found = forecast._speeds(blueprints, wanted, topologies.parse("v5e:2x4"))
        told, _, expected = table._speed(found, 8)
        assert ("CLIP" in told, " clip " in expected) == (config is asks, config is asks)
        seconds = [found["expected"][name] for name in ("rollout_s", "update_s", "clip_s")]
        tokens = wanted.prompts_per_step * wanted.group_size * config.rollout.max_tokens
        assert found["expected"]["tokens_per_s"] * sum(seconds) == pytest.approx(tokens)


@pytest.mark.slow
def test_a_real_step_holds_what_was_planned():
    """Arrays to a thousandth, and the process' peak to a tenth: libraries' own scratch memory is nobody's plan."""
    code = "import json, sys; from tests.plan import truth; from perc_jax.plan import __main__ as plan, topologies; "
    code += "made = plan.make(truth.config(), topologies.parse('cpu:1'), lambda line: None, exact=True); "
    code += "sys.stdout.write(json.dumps(made))"
    environment = plain_environment() | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    commands = ([sys.executable, "-c", code], [sys.executable, "-m", "tests.plan.truth"])
    outputs = [
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=600) for command in commands
    ]
    planned, real = (json.loads(output.stdout) for output in outputs)
    decode, update = (entry(planned, f"grpo: {name}")["memory"] for name in ("decode", "update"))
    assert real["live at decode"] == pytest.approx(decode["total"] - decode["activations"], rel=1e-3)
    temporary = update["gradients"] + update["activations"]
    assert real["live at update"] == pytest.approx(update["total"] - temporary, rel=1e-3)
    assert real["peak at update"] == pytest.approx(update["total"], rel=0.1)


@pytest.mark.slow
@needs_libtpu
@pytest.mark.parametrize(
    ("size", "topology", "options"),
    [
        ("3b", "v5e:2x4", ()),
        ("3b", "v6e:2x2", ()),
        ("7b", "v6e:2x4", ()),
        ("32b", "v5p:2x4x4", ()),
    ],
)
def test_plans_for_tpus(size, topology, options, tmp_path):
    arguments = ("--config", f"configs/data_engine_{size}.py", "--topology", topology, *options)
    found = run(*arguments, out=tmp_path / "plan.json")
    assert found["fits"] and found["peak"]["bytes"] > 0.25 * found["capacity_bytes"]
    decode = entry(found, "perception: decode")
    assert decode["copied_per_token_bytes"] == 0
    assert decode["memory"]["activations"] <= 0.5e9
    per_token = {one["kind"]: one["runs"] for one in decode["collectives"] if one["in_decode_loop"]}
    assert bool(per_token) == (found["mesh"]["tensor"] > 1)
    update = entry(found, "perception: update")
    assert update["row_by_row_bytes"] == update["tokens_by_vocabulary_bytes"] == 0
    gathered = next(one for one in update["collectives"] if one["kind"] == "all-gather")
    # Weights are gathered layer by layer, in bfloat16, for the forward pass and again for the backward pass of a
    # micro-batch, the vocabulary's once or twice more: no whole batch, and nothing in float32, ever travels.
    once = 2 * found["parameters"] / found["mesh"]["tensor"]
    assert once <= gathered["total_bytes"] <= 3.5 * once
