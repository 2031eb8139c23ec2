"""A whole run with perception tokens: maps are learnt, sampled whole and rewarded; killed, it is the same."""

import json
from pathlib import Path

import pytest

from perc_jax.rewards.codes import read
from tests import short_tokens, whole_runs

CONFIG = ("--config", "tests/short_tokens.py")
pytestmark = pytest.mark.slow


def written(workdir: Path, cache: Path) -> whole_runs.Running:
    """Start the run."""
    folder = workdir.parent / f"{workdir.name}.output"
    return whole_runs.Running("perc_jax.train", *CONFIG, "--workdir", str(workdir), folder=folder, cache=cache)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tokens")
    with written(folder / "run", folder / "cache") as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    return folder / "run", folder / "cache"


def test_maps_are_learnt_sampled_whole_and_rewarded(undisturbed):
    steps = [line for line in whole_runs.metrics(undisturbed[0]) if "train/loss" in line]
    assert [line["stage"] for line in steps] == ["tokens"] * 3 + ["grpo"] * 3
    for line in steps:
        assert line["train/recompiles"] == 0 and line["train/is_finite"] == 1 and line["train/grad_norm"] > 0
    for line in steps[3:]:
        assert line["mismatch/prob_diff_max"] <= 2e-6
        assert 0 <= line["rollout/reward/map"] <= 1
    codes = short_tokens.get_config().codes
    pages = [json.loads(path.read_text()) for path in (undisturbed[0] / "samples").glob("*grpo*.json")]
    texts = [answer["text"] for page in pages for sample in page for answer in sample["answers"]]
    begun = [part for text in texts for part in text.split(codes.start)[1:]]
    whole = [part.partition(codes.end)[0] for part in begun if codes.end in part]
    assert whole and all(len(read(codes.start + part + codes.end) or ()) == codes.codebook.length for part in whole)


def test_killed_between_two_steps_it_goes_on_as_the_same_run(undisturbed, tmp_path):
    wanted, cache = undisturbed
    workdir = tmp_path / "run"
    with written(workdir, cache) as run:
        run.wait_for(lambda: len(whole_runs.steps(workdir)) >= 4 if (workdir / "checkpoints").exists() else False)
        run.kill()
    with written(workdir, cache) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    whole_runs.assert_same(workdir, wanted)
