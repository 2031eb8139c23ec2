"""Figures from seconds, worked by hand; the machine's peak, looked up or measured."""

import dataclasses

import jax
import pytest

from configs import bench_tiny
from perc_jax.bench import cases, figures, machines
from perc_jax.bench.figures import Times
from perc_jax.bench.machines import Machine
from perc_jax.plan import flops

MACHINE = Machine("made up", 2, 5e9, "published", 1e9)
CONFIG = cases.shaped(bench_tiny.get_config(), group_size=8, prompts=2)
TOKENS = 16 * 64  # of all completions
OURS = {"rollout": [(2.0, 4.0), (1.0, 2.0), (9.0, 9.0)], "update": [(3.0, 3.0)] * 3, "step": [(5.0, 8.0)] * 3}
PEER = {"rollout": [(4.0, 8.0), (8.0, 4.0), (6.0, 6.0)], "update": [(9.0, 6.0)] * 3, "step": [(20.0, 8.0)] * 3}


def test_every_figure_follows_from_medians():
    parts = figures.parts(CONFIG, MACHINE, Times(OURS, PEER, [0.5]), trains_vision=False, tokens=TOKENS)
    rollout = parts["rollout"]
    assert rollout["seconds"] == 2.0 and rollout["samples_per_s"] == 16 / 2 and rollout["tokens_per_s"] == 16 * 64 / 2
    assert rollout["ratio_to_peer"] == 6.0 / 2.0 and rollout["processor_ratio_to_peer"] == 6.0 / 4.0
    assert parts["update"]["ratio_to_peer"] == 3.0 and parts["step"]["ratio_to_peer"] == 4.0
    assert rollout["mfu"] == pytest.approx(rollout["executed_flops"] / 2.0 / 1e10)
    assert rollout["useful_mfu"] == pytest.approx(rollout["useful_flops"] / 2.0 / 1e10)


def test_work_is_that_of_the_formulas_and_a_step_s_is_the_sum():
    parts = figures.parts(CONFIG, MACHINE, Times(OURS, {}, [0.5]), trains_vision=False, tokens=TOKENS)
    work = flops.step_work(CONFIG, CONFIG.stages[0], trains_vision=False)
    assert parts["rollout"]["executed_flops"] == work.prefill + work.decode
    assert parts["update"]["executed_flops"] == work.update
    for kind in ("executed_flops", "useful_flops"):
        assert parts["step"][kind] == parts["rollout"][kind] + parts["update"][kind]
    assert parts["step"]["useful_flops"] > 2 * parts["step"]["executed_flops"]
    assert all(part["ratio_to_peer"] is None for part in parts.values())


def test_completions_of_different_lengths_have_rates_and_no_shares_of_the_peak():
    parts = figures.parts(CONFIG, MACHINE, Times(OURS, PEER, [0.5]), trains_vision=False, tokens=400)
    assert parts["rollout"]["tokens_per_s"] == 400 / 2 and parts["rollout"]["ratio_to_peer"] == 3.0
    assert all(part["mfu"] is None and part["useful_mfu"] is None for part in parts.values())


def test_bandwidth_is_weights_and_cache_once_per_column_on_each_device():
    mesh = {"replica": 1, "fsdp": 2, "tensor": 1}
    text = CONFIG.model.text
    matrices = text.num_hidden_layers * (128 * 128 * 2 + 128 * 64 * 2 + 3 * 128 * 256) + 128 * 1024
    cache = 2 * text.num_hidden_layers * 2 * 32 * (256 + 8 * 64)  # keys and values of one prompt's group
    found = figures.bandwidth_use(CONFIG, MACHINE, mesh, decode_s=2.0)
    assert found == pytest.approx(4 * (matrices + cache) * 63 / 2.0 / 1e9)


def test_tokens_of_rows():
    shape = {"prompt_tokens": 512, "max_tokens": 128, "group_size": 8, "prompts": 1, "micro_batches": 1}
    assert figures.row_tokens(shape) == (1536, 5120)
    assert figures.row_tokens(shape | {"prompts": 6, "micro_batches": 2}) == (3 * 1536, 3 * 5120)


@pytest.mark.parametrize(
    ("kind", "peak"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("TPU v5 lite", 197e12),
        ("TPU v6 lite", 918e12),
        ("TPU v5", 459e12),
        ("cpu", 0.0),
        ("NVIDIA T4", 0.0),
    ],
)
def test_published_peaks(kind, peak):
    assert machines.published_flops(kind) == peak


def test_a_cpu_s_peak_and_bandwidth_are_measured(monkeypatch):
    monkeypatch.setattr(machines, "MATMUL_SIDE", 256)
    monkeypatch.setattr(machines, "COPY_BYTES", {"cpu": 2**20})
    found = machines.look()
    assert found.kind == "cpu" and found.count == jax.device_count() and found.flops_source == "measured"
    assert 1e8 < found.flops < 1e14 and 1e7 < found.bandwidth < 1e13
    assert machines.device_peak_bytes() == 0  # a CPU does not say


def test_devices_of_a_cpu_share_what_it_can_do(monkeypatch):
    monkeypatch.setattr(machines, "_matmul_flops", lambda: 8e9)
    monkeypatch.setattr(machines, "_copy_bandwidth", lambda platform: 8e9)
    found = machines.look()
    assert (found.flops * found.count, found.bandwidth * found.count) == (8e9, 8e9)


def test_remat_is_executed_and_not_useful():
    stage = dataclasses.replace(CONFIG.stages[0], remat="block")
    again = dataclasses.replace(CONFIG, stages=(stage,))
    plain, more = (
        figures.parts(config, MACHINE, Times({"update": [(1.0, 1.0)]}, {}, []), trains_vision=False, tokens=TOKENS)[
            "update"
        ]
        for config in (CONFIG, again)
    )
    assert more["executed_flops"] > plain["executed_flops"] and more["useful_flops"] == plain["useful_flops"]
