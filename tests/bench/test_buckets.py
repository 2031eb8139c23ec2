"""Measuring buckets: the same prompts with and without one, and only what a bucket changes is timed."""

import json
import subprocess
import sys

import pytest

from configs import bench_tiny
from perc_jax.bench import buckets, cases
from perc_jax.bench.buckets import Mixture
from tests import ROOT, whole_runs


def test_small_prompts_fill_the_bucket_and_large_ones_the_largest():
    config, bucket = buckets.case(bench_tiny.get_config(), Mixture(256, 64, 1, 3))
    largest = config.data.max_prompt_tokens, config.data.max_patches
    assert bucket == (64, 64) and largest == (256, 400) and not config.data.buckets
    assert (config.stages[0].prompts_per_step, config.stages[0].micro_batches, config.rollout.slots) == (4, 2, 2)
    sizes = [cases.Size(112, 64), cases.Size(280, 256)]
    batch = cases.draw(config, config.stages[0], 0, sizes).batch
    assert batch.tokens.shape == (2, 256) and batch.mask.sum(axis=1).tolist() == [64, 256]
    assert (batch.patch_image >= 0).sum(axis=1).tolist() == [64, 400]
    fits = [not (batch.patch_image[row, bucket[1] :] >= 0).any() for row in (0, 1)]
    assert fits == [True, False]


@pytest.mark.parametrize(
    ("mixture", "rule"),
    [(Mixture(64, 64, 1, 1), "--small must be below --large"), (Mixture(256, 64, 0, 4), "--share must leave")],
)
def test_a_mixture_that_is_none_is_refused(mixture, rule):
    with pytest.raises(ValueError, match=rule):
        buckets.case(bench_tiny.get_config(), mixture)


@pytest.mark.slow
def test_both_sides_are_measured_and_the_bucket_computes_less(tmp_path):
    """Of three small prompts in four a quarter of the work is left; the clock need not be quiet to see that."""
    words = ["--large", "512", "--small", "64", "--prompts", "8", "--repeats", "3", "--stages.0.group-size", "2"]
    command = [sys.executable, "-m", "perc_jax.bench.buckets", *words, "--json", str(tmp_path / "found.json")]
    environment = whole_runs.environment(None)
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["shapes"] == [[64, 64], [512, 1024]]
    assert found["mixture"] == {"large": 512, "small": 64, "large_prompts": 2, "small_prompts": 6}
    for part in buckets.PARTS:
        alone, cut = (found["seconds"][name][part] for name in ("largest", "buckets"))
        assert 0 < cut < alone, part
    assert [line.split()[0] for line in ended.stdout.splitlines()[2:-1]] == list(buckets.PARTS)
