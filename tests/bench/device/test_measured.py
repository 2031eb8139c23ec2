"""Every part at the smallest size on this CPU: what is measured, what it is held against, how it reads as a page."""

import dataclasses
import importlib.util
import json
import subprocess
import sys

import pytest

from configs import bench_tiny
from perc_jax.bench import machines
from perc_jax.bench.cases import shaped
from perc_jax.bench.device import clip, machine, page, parity, peer, rollout, sizes, step
from perc_jax.bench.device.folder import Folder
from perc_jax.bench.device.parts import Given, Settings
from perc_jax.bench.machines import Machine
from perc_jax.config import LoraConfig, TextConfig, VisionConfig
from tests import ROOT, whole_runs
from tests.clip.cases import SMALL

MACHINE = Machine("made up", 8, 1e9, "published", 1e9)


def smallest() -> sizes.Size:
    """One layer of everything, two completions of five tokens to a prompt."""
    tiny = bench_tiny.get_config()
    vision = VisionConfig(1, 32, 2, 32, (0,), window_size=56)
    text = TextConfig(32, 32, 1, 2, 1, 16, 1024, (2, 3, 3))
    config = dataclasses.replace(tiny, model=dataclasses.replace(tiny.model, vision=vision, text=text))
    config = shaped(config, prompt_tokens=64, max_tokens=5, group_size=2, prompts=8)
    lora = dataclasses.replace(config, model=dataclasses.replace(config.model, lora=LoraConfig(2)))
    short = dataclasses.replace(SMALL, positions=8, long_positions=0)  # one length of texts
    return sizes.Size("tiny", config, lora, config, short, 8)


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Given:
    return Given(smallest(), MACHINE, 1, 0, tmp_path_factory.mktemp("device"))


@pytest.fixture(scope="module")
def rolled(given) -> dict:
    return rollout.run(given, 64)


@pytest.fixture(scope="module")
def stepped(given) -> dict:
    return step.run(given, "full")


def test_a_rollout_is_told_in_seconds_and_shares(rolled):
    rows, columns = 8 * 2, 5 - 1
    assert rolled["completions"] == rows and rolled["decode_s"] > 0 and rolled["prefill_s"] > 0
    assert rolled["tokens_per_s"] * rolled["decode_s"] == pytest.approx(rows * columns)
    assert rolled["column_ms"] * columns == pytest.approx(1000 * rolled["decode_s"])
    assert rolled["bandwidth_use"] > 0 and rolled["prefill_mfu"] > 0 and rolled["compile_s"] > 0
    assert rolled["memory"].keys() == {"grpo: prefill", "grpo: decode"}


@pytest.mark.slow  # the programs are those of `bench step`, which has a test
def test_a_step_compiles_nothing_and_its_parts_add_up(stepped):
    assert stepped["recompiles"] == 0 and stepped["lora_rank"] == 0
    assert stepped["step_s"] >= 0.99 * (stepped["rollout_s"] + stepped["update_s"])
    assert stepped["update_mfu"] > 0 and stepped["update_useful_mfu"] > 0
    assert any(name.endswith("update") for name in stepped["memory"])
    assert beside_the_plan(stepped["memory"]) and top_ones(stepped["top"])


def test_a_rollout_stands_beside_the_plan_and_has_its_top_operations(rolled):
    assert beside_the_plan(rolled["memory"]) and top_ones(rolled["top"])


def beside_the_plan(programs: dict) -> bool:
    for name, one in programs.items():
        assert one["compiled_bytes"] > one["compiled_temporary"] > 0, name
        arguments = one["compiled_bytes"] - one["compiled_temporary"]
        assert one["formula_bytes"] - one["formula_temporary"] == pytest.approx(arguments, rel=0.02), name
    return bool(programs)


def top_ones(found: dict) -> bool:
    shares = [one["share"] for one in found["operations"]]
    assert shares == sorted(shares, reverse=True) and 0.2 < sum(shares) <= 1 + 1e-9
    return len(shares) == 10 or found["by"] != "jax.profiler"  # which not every jaxlib can read


@pytest.mark.parametrize("precision", ["float32 exact", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_every_way_of_attention_agrees(given, monkeypatch, precision):
    monkeypatch.setattr(parity, "LIMITS", {precision: parity.LIMITS[precision]})
    found = parity.run(given)
    assert found["ok"], found["ways"]
    rules = {(one["rule"], one["way"]) for one in found["ways"]}
    assert {way for rule, way in rules if rule == "group row"} == {"dense", "blockwise"}
    assert ("pictures", "blockwise") in rules and ("decode step", "dense") in rules


def test_a_way_that_is_wrong_or_does_not_run_is_told(given, monkeypatch):
    whole = parity.attention.group_row

    def no(*_: object, **__: object) -> None:
        raise ValueError("not on this device\nand a page more")

    monkeypatch.setattr(parity.attention, "group_row", lambda way, q, k, v, rows: whole(way, q, k * 1.01, v, rows))
    monkeypatch.setattr(parity.attention, "same_segment", no)
    monkeypatch.setattr(parity, "LIMITS", {"float32 exact": parity.LIMITS["float32 exact"]})
    found = parity.run(given)
    by_rule = {name: [one for one in found["ways"] if one["rule"] == name] for name in ("group row", "pictures")}
    assert not found["ok"] and not any(one["ok"] for one in by_rule["group row"])
    assert {one["error"] for one in by_rule["pictures"]} == {"not on this device"}
    assert [one["ok"] for one in found["ways"] if one["rule"] == "decode step"] == [True]


@pytest.mark.slow  # its programs have tests of their own
def test_a_rewards_clip_is_measured(given):
    found = clip.run(given)
    assert found["look_s"] > 0 and found["read_s"] > 0 and found["mfu"] > 0


def test_the_peak_is_measured_and_a_published_one_comes_first(monkeypatch):
    monkeypatch.setattr(machine, "SIDES", {"cpu": 64})
    monkeypatch.setattr(machines, "look", lambda: Machine("NVIDIA H100 80GB HBM3", 1, 989e12, "published", 3e12))
    found = machine.peak()
    assert found["machine"]["flops"] == 989e12 and found["measured_flops"].keys() == {"bfloat16", "float32"}
    monkeypatch.setattr(machines, "look", lambda: Machine("cpu", 2, 1.0, "measured", 1e9))
    found = machine.peak()
    assert 2 * found["machine"]["flops"] == max(found["measured_flops"].values()) > 1e7  # both devices have all cores


def test_the_page_tells_every_part(given, rolled, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "SIDES", {"cpu": 64})
    folder = Folder(tmp_path)
    folder.begin(Settings("tiny", 1, 0))
    folder.keep("device", machine.device() | {"load": 3.2})
    folder.keep("peak", {"machine": MACHINE._asdict(), "measured_flops": {"float32": 1e9}, "side": 64})
    folder.keep("rollout_64", rolled)
    made = {f"{name}_s": 1.5 for name in ("rollout", "update", "step")} | {"lora_rank": 0, "recompiles": 0}
    folder.keep("update", rolled | made | {"update_mfu": 0.5, "update_useful_mfu": 2.0})
    folder.keep("parity", {"ways": [{"rule": "a|b", "way": "x", "precision": "p", "error": "no", "ok": False}]})
    folder.keep("rollout_512", {"error": "RESOURCE_EXHAUSTED: 1 | 2"})
    ratio = {"seconds": 1.0, "peer_seconds": 5.0, "ratio": 5.0}
    folder.keep("peer", {"model": "m", "layers": 1, "parts": {"step": ratio}, "peer": {"version": "torch"}})
    text = page.text(json.loads(json.dumps(folder.whole())))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(len(set(rows[at : at + 2])) and row.count("|") in (4, 5, 7) for at, row in enumerate(rows))
    assert "**Others used this machine** (load 3.2)" in text
    assert "| rollout of 512 completions | not measured | RESOURCE_EXHAUSTED: 1 / 2 |" in rows
    assert "1.000 s, the peer 5.000 s: 5.00 x" in text and "no **beyond its limit**" in text
    assert text.count("Top operations") == 2 and "Not asked for: step, LoRA, the reward's CLIP." in text


def test_torch_that_is_not_there_is_named(given, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match="must have torch installed: pip install torch"):
        peer.run(given)


@pytest.mark.parametrize("name", sizes.NAMES)
@pytest.mark.parametrize(("platform", "devices"), [("cpu", 1), ("gpu", 1), ("gpu", 8), ("tpu", 4)])
def test_a_size_fits_its_devices(name, platform, devices):
    size = sizes.of(name, platform, devices)
    for config in (size.config, size.lora, size.peer, size.rollout(64), size.rollout(512)):
        stage = config.stages[0]
        assert stage.prompts_per_step % (devices * stage.micro_batches) == 0 and stage.group_size == 8
        assert config.model.attention == sizes.WAYS.get(platform, "dense")
    assert size.rollout(512).stages[0].prompts_per_step == 64
    assert size.lora.model.lora.rank > 0 and size.config.model.lora.rank == 0
    wide = size.config.model.text
    assert dataclasses.replace(size.peer.model.text, num_hidden_layers=wide.num_hidden_layers) == wide


def test_more_memory_never_gives_a_smaller_size():
    found = [sizes.fitting("gpu", gib * 2**30, 8) for gib in (0, 4, 16, 1000)]
    assert found[0] == "tiny" and found[-1] == "7b"
    assert found == sorted(found, key=sizes.NAMES.index) and sizes.fitting("cpu", 10**15, 8) == "tiny"


@pytest.mark.slow
def test_the_command_measures_this_machine_and_goes_on_where_it_was(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "perc_jax.bench", "device", "--size", "tiny", "--out", str(out), "--repeats", "1"]
    environment = whole_runs.environment(None)
    for only in ("peak,parity", "peak,rollout_64,update_lora"):
        done = subprocess.run(
            [*command, "--only", only], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, done.stderr
    assert "peak and bandwidth: measured before" in done.stderr
    found = json.loads((out / "device.json").read_text())["parts"]
    assert found.keys() == {"device", "peak", "parity", "rollout_64", "update_lora"}
    assert not [name for name, part in found.items() if "error" in part]
    assert found["update_lora"]["lora_rank"] == 4
    assert (out / "device.md").read_text() == done.stdout.rstrip("\n") + "\n"
