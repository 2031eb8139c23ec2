"""A whole run in turns: conversations are sampled, learnt from and shown; killed between two turns, it is the same."""

import json
from pathlib import Path

import pytest

from tests import whole_runs

CONFIG = ("--config", "tests/short_talk.py")
pytestmark = pytest.mark.slow


def talk(workdir: Path, cache: Path) -> whole_runs.Running:
    """Start the run."""
    folder = workdir.parent / f"{workdir.name}.output"
    return whole_runs.Running("perc_jax.train", *CONFIG, "--workdir", str(workdir), folder=folder, cache=cache)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("talk")
    with talk(folder / "run", folder / "cache") as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    return folder / "run", folder / "cache"


def test_conversations_are_learnt_from_without_a_recompile(undisturbed):
    steps = [line for line in whole_runs.metrics(undisturbed[0]) if "train/loss" in line]
    assert [line["step"] for line in steps] == [1, 2, 3]
    for line in steps:
        assert line["train/recompiles"] == 0 and line["train/is_finite"] == 1
        assert line["mismatch/prob_diff_max"] <= 2e-6
        assert line["rollout/turns"] >= 1 and line["train/grad_norm"] > 0
    assert max(line["rollout/turns"] for line in steps) > 1, "somebody must have been replied to"
    pages = [json.loads(path.read_text()) for path in (undisturbed[0] / "samples").glob("*.json")]
    turns = [len(answer["turns"]) for page in pages for sample in page for answer in sample["answers"]]
    assert max(turns) > 1


def test_killed_between_two_turns_it_goes_on_as_the_same_run(undisturbed, tmp_path):
    """The first step's checkpoint is there and its line is written: the second step's turns are under way."""
    wanted, cache = undisturbed
    workdir = tmp_path / "run"
    with talk(workdir, cache) as run:
        run.wait_for(lambda: whole_runs.steps(workdir) == [1] if (workdir / "checkpoints").exists() else False)
        run.kill()
    assert whole_runs.steps(workdir)[-1] < 3
    with talk(workdir, cache) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    whole_runs.assert_same(workdir, wanted)
