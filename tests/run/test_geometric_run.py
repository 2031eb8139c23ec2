"""A whole run whose completions have geometric lengths, mean 60, at most 512: how much of the machine's time is of use.

The policy ends every completion with the same probability at every token: biases of the last values push all hidden
states in one direction, in which the ends' vectors lie and no other token's does.
"""

import dataclasses
import json
import math

import jax
import numpy as np
import pytest

from perc_jax.model import init_params
from perc_jax.prompt.tokenizer import load
from perc_jax.weights import safetensors
from tests import whole_runs
from tests.weights.published_folders import SMALL, write_small_files

MEAN = 60
MODEL = dataclasses.replace(
    SMALL,
    vision=dataclasses.replace(SMALL.vision, depth=2),
    text=dataclasses.replace(SMALL.text, num_hidden_layers=1, tie_word_embeddings=False),
)
CONFIG = """
import dataclasses
from configs.smoke_cpu import get_config as smoke
from perc_jax.config import EvaluationConfig, RolloutConfig

WIDTHS = (320, 384, 432, 480, 528, 592, 656, 736, 832, 1024)

def get_config():
    config = smoke()
    rollout = RolloutConfig(max_tokens=512, segment_tokens=32, slots=8, rows=1, short_rings=(128, 256))
    grpo = config.stages[1]
    still = dataclasses.replace(grpo.optimizer, learning_rate=1e-9)
    reward = dataclasses.replace(grpo.reward, control="random")
    grpo = dataclasses.replace(
        grpo, steps=6, prompts_per_step=32, group_size=8, micro_batches=32, row_widths=WIDTHS, optimizer=still,
        reward=reward)
    return dataclasses.replace(
        config, name="geometric", rollout=rollout, stages=(grpo,), evaluation=EvaluationConfig(suites=(), samples=()))
"""


def geometric(key: jax.Array) -> dict:
    """Random weights that end a completion at each token with probability 1 / MEAN."""
    params = jax.tree.map(np.array, jax.jit(lambda key: init_params(MODEL, key))(key))
    text, config, ids = params["text"], MODEL.text, load("debug.model").ids
    attention = text["layers"]["attention"]
    bias = np.random.default_rng(0).normal(size=(config.num_key_value_heads, config.head_dim)) * 30
    attention["value"]["bias"][-1] = bias.ravel()
    of_heads = np.repeat(bias, config.num_attention_heads // config.num_key_value_heads, axis=0).ravel()
    towards = of_heads @ attention["output"]["kernel"][-1]
    towards /= np.linalg.norm(towards)
    calm, kernel = 0.02, text["head"]["kernel"]
    text["norm"]["scale"][:] = calm
    kernel -= np.outer(towards, towards @ kernel)
    others = ids.vocab_size - len({*ids.forbidden, *ids.ends})
    wanted = math.log(others / (MEAN - 1) / len(ids.ends))
    kernel[:, list(ids.ends)] = (towards * wanted / (calm * math.sqrt(config.hidden_size)))[:, None]
    return params


@pytest.mark.slow
def test_hardly_anything_waits_or_is_padded(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.setattr(whole_runs, "LIMIT_S", 1200)  # programs for eleven widths, on a busy machine
    folder = write_small_files(tmp_path / "model", MODEL)
    safetensors.save_params(folder, MODEL, geometric(jax.random.key(3)), "float32")
    (tmp_path / "config.py").write_text(CONFIG)
    workdir = tmp_path / "run"
    arguments = ("--config", str(tmp_path / "config.py"), "--model", str(folder), "--workdir", str(workdir))
    with whole_runs.Running("perc_jax.train", *arguments, folder=tmp_path / "output") as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    assert "Entropy" in (workdir / "report.html").read_text()  # though no suite is asked
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]

    def mean(name: str) -> float:
        return float(np.mean([line[name] for line in lines]))

    length = sum(line["rollout/completion_length"] for line in lines) / len(lines)
    waited = sum(line["time/data_wait_s"] for line in lines[1:]) / sum(line["time/step_s"] for line in lines[1:])
    shares = {name: mean(name) for name in ("rollout/occupancy", "rollout/slot_occupancy", "train/padding_share")}
    print(f"mean length {length:.1f}; {shares}; data wait {waited:.4f} of the step")
    assert 0.8 * MEAN < length < 1.2 * MEAN
    assert shares["rollout/occupancy"] >= 0.85
    assert shares["train/padding_share"] <= 0.15
    assert waited <= 0.02
