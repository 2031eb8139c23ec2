"""Peers: the talk between two processes, what is said when something is missing, and that both compute the same."""

import importlib.util
import json
import subprocess
import sys

import pytest

from configs import bench_tiny
from perc_jax.bench import cases, peers

ANSWERING = """
import sys
from perc_jax.bench.peer_service import Service
service = Service()
print("a library's greeting", flush=True)
service.serve({"add": lambda: {"sum": 1 + 1}, "fail": lambda: sys.exit(3)})
"""


def answering() -> peers.Peer:
    process = subprocess.Popen(
        [sys.executable, "-c", ANSWERING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    peer = peers.Peer(process)
    assert peer.answer() == {"ready": True}  # and nothing of what its libraries print
    return peer


def test_a_peer_answers_until_it_is_closed():
    peer = answering()
    assert [peer.ask("add"), peer.ask("add")] == [{"sum": 2}, {"sum": 2}]
    peer.close()
    assert not peer.is_running()


def test_a_peer_that_fails_is_reported_with_its_exit_code():
    peer = answering()
    with pytest.raises(RuntimeError, match="the peer ended with exit code 3; what it said stands above"):
        peer.ask("fail")
    with pytest.raises(RuntimeError, match="exit code 3"):
        peer.ask("add")
    peer.close()


@pytest.mark.parametrize(("name", "missing"), [("transformers", "torch"), ("trl", "trl"), ("trl", "datasets")])
def test_a_missing_package_is_named(name, missing, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None if package == missing else object())
    with pytest.raises(ValueError, match=f"--against {name} must have {missing} installed: pip install {missing}"):
        peers.check_installed(name)


def test_what_is_frozen_here_is_frozen_there(torch):
    import transformers

    config = cases.shaped(bench_tiny.get_config())
    frozen = peers.frozen_names(config)
    vision, text = config.model.vision, config.model.text
    settings = transformers.Qwen2_5_VLConfig(
        text_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=text.num_hidden_layers,
                         num_attention_heads=2, num_key_value_heads=1, vocab_size=32),
        vision_config=dict(depth=vision.depth, hidden_size=16, num_heads=2, intermediate_size=16, out_hidden_size=16),
    )  # fmt: skip
    names = {name for name, _ in transformers.Qwen2_5_VLForConditionalGeneration(settings).named_parameters()}
    assert set(frozen) == {name for name in names if name.startswith("model.visual.")}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformers", "trl"])
def test_both_sides_compute_the_same_and_every_promised_figure_is_there(name, tmp_path):
    for package in peers.NEEDS[name]:
        pytest.importorskip(package, reason="the peer is not installed")
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "perc_jax.bench", "step", "--size", "tiny", "--prompt-tokens", "128"]
    command += ["--max-tokens", "8", "--group-size", "2", "--prompts", "8", "--repeats", "1", "--against", name]
    subprocess.run([*command, "--json", str(out)], check=True, timeout=500)
    found = json.loads(out.read_text())
    assert found["ratio_to_peer"] > 0 and found["peer"]["name"] == name and found["peer"]["peak_bytes"] > 2**20
    assert found["recompiles"] == 0 and {*found["parts"]} == {"rollout", "update", "step"}
    if name == "transformers":
        assert found["peer"]["logprob_difference"] < 1e-4
